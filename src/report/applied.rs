//! Writes what an apply did.

use std::fmt::Write as _;

use super::layout::Layout;
use super::style::{ADD, BOLD, CHANGE, REMOVE, clean, first, paint, plural};
use rolecall_engine::apply::{FinalState, Report, Step};
use rolecall_model::{Address, Outcome};

/// Writes the outcome of one mutation, in a line or two. `corrects`: the line corrects an earlier one, which took the
/// platform's answer for the outcome.
pub fn step_line(step: &Step, corrects: bool, layout: Layout) -> String {
    let style = match step.outcome {
        Outcome::Done => ADD,
        Outcome::Skipped => CHANGE,
        Outcome::Failed | Outcome::Unsure | Outcome::NotTaken => REMOVE,
    };
    let mut what =
        if step.first_step { format!("{} (first step)", step.operation) } else { step.action.to_string() };
    if let Some(id) = step.id.as_ref().filter(|_| !step.first_step) {
        let _ = write!(what, "  {}", clean(id));
    }
    if corrects {
        what.push_str(", corrected by a read");
    }
    let mut text = String::new();
    let head = format!("  {} {:<36}  ", paint(style, format!("{:<9}", step.outcome)), clean(&step.address));
    layout.push(&mut text, &head, &what);
    if let Some(message) = &step.message {
        layout.push(&mut text, "            ", &clean(message));
    }
    text
}

/// Writes the end of an apply: the number of each outcome, and how live compares with the file.
pub fn summary(report: &Report, layout: Layout) -> String {
    let mut text = String::new();
    layout.push(
        &mut text,
        "",
        &format!("{}.{} {}", paint(BOLD, counted(report)), not_done(report), final_state(report)),
    );
    if let Some(stop) = &report.stopped {
        layout.push(&mut text, "", &format!("Stopped early: {}.", clean(stop)));
    }
    text
}

/// Returns the number of each outcome.
pub(super) fn counted(report: &Report) -> String {
    let outcomes =
        [Outcome::Done, Outcome::NotTaken, Outcome::Unsure, Outcome::Failed, Outcome::Skipped].into_iter();
    let counted: Vec<String> = outcomes
        .filter_map(|outcome| {
            let count = report.steps.iter().filter(|step| step.outcome == outcome).count();
            (count > 0).then(|| format!("{count} {outcome}"))
        })
        .collect();
    if counted.is_empty() { "nothing was sent".to_owned() } else { counted.join(", ") }
}

/// Returns a sentence with the entities that were to change and did not, if the last read doesn't name them anyway.
pub(super) fn not_done(report: &Report) -> String {
    let named: &[Address] = match &report.final_state {
        FinalState::NeedsAttention(addresses)
        | FinalState::Waiting(addresses)
        | FinalState::OutOfSync(addresses) => addresses,
        FinalState::InSync { .. } | FinalState::Unknown(_) => &[],
    };
    let others: Vec<&Address> = report.not_done().into_iter().filter(|address| !named.contains(address)).collect();
    if others.is_empty() {
        return String::new();
    }
    format!(" Not done: {}.", first(others.into_iter(), 10, clean))
}

/// Returns what the last read showed.
pub(super) fn final_state(report: &Report) -> String {
    match &report.final_state {
        FinalState::InSync { later: 0 } => "A last read shows that live and the file are in sync.".to_owned(),
        FinalState::InSync { later } => format!(
            "A last read shows that live and the file are in sync, except for {} that a later plan makes.",
            plural(*later, "change")
        ),
        FinalState::NeedsAttention(addresses) => {
            format!("A last read shows nothing more to send. Needs attention: {}.", listed(addresses))
        }
        FinalState::Waiting(addresses) => {
            format!("A last read shows nothing more to send. Waiting for an approval: {}.", listed(addresses))
        }
        FinalState::OutOfSync(addresses) => {
            format!("A last read shows that live and the file are out of sync: {}.", listed(addresses))
        }
        FinalState::Unknown(why) => {
            format!("It is unknown whether live and the file are in sync: {}.", clean(why).trim_end_matches('.'))
        }
    }
}

fn listed(addresses: &[Address]) -> String {
    first(addresses.iter(), 10, clean)
}
