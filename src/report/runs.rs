//! Describes runs in the same words, whether an apply has just ended or a ledger records it.

use std::collections::BTreeMap;

use super::applied::{counted, final_state, not_done};
use super::fields::in_words;
use super::outcomes::{Applied, Outcomes};
use super::style::called;
use rolecall_engine::apply::{Report, Step};
use rolecall_engine::ledger::{Event, Record};
use rolecall_model::{Change, Outcome, Warning};

/// One run over one organisation.
pub(super) struct Run {
    pub name: String,
    pub verdict: String,
    /// Whether the run ended as it should: with exit code 0, or, in a ledger, with every mutation done.
    pub succeeded: bool,
    /// The error that kept the run from sending anything, or anything more.
    pub error: Option<String>,
    pub warnings: Vec<Warning>,
    /// Further facts about the run.
    pub notes: Vec<String>,
    pub rows: Vec<Row>,
}

/// One mutation.
pub(super) struct Row {
    pub outcome: Outcome,
    pub address: String,
    pub what: String,
    pub message: Option<String>,
}

pub(super) fn of_outcomes(outcomes: &Outcomes) -> Vec<Run> {
    outcomes.organizations.iter().map(of_applied).collect()
}

fn of_applied(applied: &Applied) -> Run {
    let Applied { provider, organization, exit, ending, error, plan, report, undo } = applied;
    let verdict = match report {
        Some(report) => {
            format!("{}: {}.{} {}", capital(ending), counted(report), not_done(report), final_state(report))
        }
        None => capital(ending),
    };
    let lifted = plan.iter().flat_map(|plan| &plan.overrides);
    let lifted =
        lifted.map(|one| format!("{} overridden until {}: {}", one.refusal.guardrail, one.until, one.reason));
    let stopped = report.iter().filter_map(|report| report.stopped.as_ref());
    let stopped = stopped.map(|stop| format!("stopped early: {stop}"));
    let irreversible = undo.iter().flat_map(|undo| &undo.irreversible);
    let irreversible = irreversible
        .map(|irreversible| format!("can't be undone: {}: {}", irreversible.address, irreversible.why));
    Run {
        name: called(*provider, organization),
        verdict,
        succeeded: *exit == 0,
        error: error.clone(),
        warnings: plan.iter().flat_map(|plan| &plan.warnings).cloned().collect(),
        notes: lifted.chain(stopped).chain(irreversible).collect(),
        rows: report
            .iter()
            .flat_map(|report: &Report| &report.steps)
            .map(|step| of_step(step, plan.as_ref().and_then(|plan| plan.change(&step.address))))
            .collect(),
    }
}

/// Writes a text with a capital letter at its beginning.
pub(super) fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn of_step(step: &Step, change: Option<&Change>) -> Row {
    let what = match change {
        _ if step.first_step => format!("{} (first step)", step.operation),
        Some(change) => in_words(change),
        None => step.action.to_string(),
    };
    Row { outcome: step.outcome, address: step.address.to_string(), what, message: step.message.clone() }
}

/// Returns each run of a ledger, with the last outcome of each of its mutations. A mutation without an outcome was in
/// flight when the process died.
pub(super) fn of_ledger(records: &[Record]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    // The index of each mutation among the rows of the last run.
    let mut rows: BTreeMap<&str, usize> = BTreeMap::new();
    for Record { at, run, event } in records {
        let at = at.strftime("%Y-%m-%d %H:%M:%S");
        if let Event::RunStarted { format_version: _, generator: _, identity, seal, approved: _ } = event {
            rows.clear();
            runs.push(Run {
                name: format!("{}, {at}", called(identity.provider, &identity.organization)),
                verdict: "Ended without a last line".to_owned(),
                succeeded: false,
                error: None,
                warnings: Vec::new(),
                notes: vec![format!("run {run} of the plan {seal}")],
                rows: Vec::new(),
            });
            continue;
        }
        let Some(last) = runs.last_mut() else { continue };
        match event {
            Event::Intent { mutation, operation, change, known: _, first_step } => {
                let what = if *first_step { format!("{operation} (first step)") } else { in_words(change) };
                let message = Some("the run ended before its answer was recorded".to_owned());
                rows.insert(mutation, last.rows.len());
                last.rows.push(Row {
                    outcome: Outcome::Unsure,
                    address: change.address.to_string(),
                    what,
                    message,
                });
            }
            Event::Outcome { mutation, address, outcome, refused: _, id: _, message } => {
                match rows.get(&**mutation).and_then(|row| last.rows.get_mut(*row)) {
                    Some(row) => (row.outcome, row.message) = (*outcome, message.clone()),
                    None => last.rows.push(Row {
                        outcome: *outcome,
                        address: address.to_string(),
                        what: String::new(),
                        message: message.clone(),
                    }),
                }
            }
            Event::RunFinished { in_sync, .. } => {
                let verdict = match in_sync {
                    Some(true) => "Finished, in sync",
                    Some(false) => "Finished, and something is left to do",
                    None => "Finished, the last read failed",
                };
                verdict.clone_into(&mut last.verdict);
                last.succeeded = last.rows.iter().all(|row| row.outcome == Outcome::Done);
            }
            Event::Override { guardrail, message: _, plan: _, until, reason } => {
                last.notes.push(format!("{guardrail} overridden until {until}: {reason}"));
            }
            Event::Delivery { address, id, arrived, begun: false, not_to, .. }
                if !arrived || !not_to.is_empty() =>
            {
                let targets = if not_to.is_empty() { String::new() } else { format!(" to {}", not_to.join("; ")) };
                last.notes.push(format!("the secret of {address} {id} was not delivered{targets}"));
            }
            Event::Lost { address, what } => last.notes.push(format!("{address} lost {what}")),
            Event::Held { address, reason } => last.notes.push(format!("{address} skipped: {reason}")),
            Event::LeftAs { address, entity: _ } => {
                last.notes.push(format!("{address} has another value than was sent"));
            }
            Event::Settled { address } => last.notes.push(format!("{address} is in effect after all")),
            Event::Recovered { torn_bytes } => {
                last.notes.push(format!("a line broke off after {torn_bytes} bytes"));
            }
            // What reads have shown, which isn't what the run did.
            Event::RunStarted { .. }
            | Event::DriftFinished { .. }
            | Event::Delivery { .. }
            | Event::Sighting { .. }
            | Event::Members { .. }
            | Event::Keys { .. }
            | Event::Archived { .. }
            | Event::Vanished { .. }
            | Event::Readmitted { .. } => {}
        }
    }
    runs
}
