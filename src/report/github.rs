//! Annotations, as GitHub's runner reads them from a step's output
//! (<https://docs.github.com/actions/reference/workflow-commands-for-github-actions>).

use std::fmt::Write as _;

use super::activity::activity;
use super::findings::listed;
use super::origin::{deletions, hold_origin, undescribed, unplanned};
use super::outline::{name, outlines, reason};
use super::runs::{Row, Run};
use super::style::{called, capitalised, clean, first};
use rolecall_model::{
    Completeness, Finding, HoldClass, HoldReason, OrganizationPlan, Outcome, Plan, Severity, Unread, Warning,
};

/// The level of an annotation.
#[derive(Clone, Copy)]
enum Level {
    Error,
    Warning,
    Notice,
}

/// A message longer than this is cut, in characters, because the runner drops messages that are too long.
const LONGEST: usize = 2000;

/// The number of deleted entries that an annotation names.
const LISTED: usize = 20;

pub(super) fn findings(findings: &[Finding]) -> String {
    let mut text = String::new();
    let level = |severity: Severity| match severity {
        Severity::Error => Level::Error,
        Severity::Warning => Level::Warning,
    };
    let (shown, more) = listed(findings);
    for Finding { code, severity, place, message, hint, .. } in shown {
        let level = level(*severity);
        let hint = hint.as_ref().map(|hint| format!("\nhint: {}", clean(hint))).unwrap_or_default();
        let place = place.to_string();
        push(&mut text, level, Some(&place), code.as_str(), &format!("{}{hint}", clean(message)));
    }
    for more in more {
        push(&mut text, level(more.severity), None, more.code.as_str(), &more.to_string());
    }
    text
}

pub(super) fn plan(plan: &Plan) -> String {
    let mut text = String::new();
    for Unread { provider, organization, why } in &plan.unread {
        let title = format!("{} is not in this plan", called(*provider, organization));
        push(&mut text, Level::Error, None, &title, &clean(why));
    }
    for gone in &plan.undescribed {
        push(&mut text, Level::Warning, None, "no longer in the files", &undescribed(gone));
    }
    for organization in &plan.organizations {
        push_organization(&mut text, organization);
    }
    text
}

/// Writes an annotation for each mutation that is not done.
pub(super) fn runs(runs: &[Run]) -> String {
    let mut text = String::new();
    for Run { name, verdict, succeeded, error, warnings, notes: _, rows } in runs {
        let name = clean(name);
        let failed = |row: &Row| !matches!(row.outcome, Outcome::Done | Outcome::Skipped);
        match error {
            Some(error) => push(&mut text, Level::Error, None, &name, &clean(error)),
            // No row below is an error, and yet the run isn't a success.
            None if !succeeded && !rows.iter().any(failed) => {
                push(&mut text, Level::Error, None, &name, &clean(verdict));
            }
            None => {}
        }
        push_warnings(&mut text, warnings);
        for Row { outcome, address, what, message } in rows {
            let level = match outcome {
                Outcome::Done => continue,
                Outcome::Failed | Outcome::Unsure | Outcome::NotTaken => Level::Error,
                Outcome::Skipped => Level::Warning,
            };
            let message = message.as_ref().map(|message| format!(": {}", clean(message))).unwrap_or_default();
            let title = format!("{name}: {} {outcome}", clean(address));
            push(&mut text, level, None, &title, &format!("{}{message}", clean(what)));
        }
    }
    text
}

/// Writes annotations, the most important ones first: the runner shows ten of each level for a step.
fn push_organization(text: &mut String, plan: &OrganizationPlan) {
    let name = name(plan);
    for refusal in &plan.refusals {
        let place = refusal.addresses.iter().find_map(|address| plan.places.get(&address.to_string()));
        let title = format!("{name}: refused by {}", refusal.guardrail);
        push(text, Level::Error, place.map(String::as_str), &title, &clean(&refusal.message));
    }
    for (list, completeness) in &plan.completeness {
        if let Completeness::Broken { why } = completeness {
            push(text, Level::Error, None, &format!("{name}: {list} incomplete"), &clean(why));
        }
    }
    if let Some(line) = activity(&plan.activity).filter(|_| !plan.activity.silent.is_empty()) {
        push(text, Level::Warning, None, &format!("{name}: a schedule may have stopped"), &line);
    }
    push_warnings(text, &plan.warnings);
    push_deletions(text, plan, &name);
    for hold in plan.sealed.holds.iter().filter(|hold| hold.class == HoldClass::Blocked) {
        let title = format!("{name}: {} needs attention", clean(&hold.address));
        let is_error = matches!(hold.reason, HoldReason::Unplannable { .. });
        let level = if is_error { Level::Error } else { Level::Warning };
        let place = plan.places.get(&hold.address.to_string());
        let message = format!("{}{}", reason(hold), hold_origin(plan, hold));
        push(text, level, place.map(String::as_str), &title, &message);
    }
    for outline in outlines(plan) {
        let notes: Vec<String> = outline.notes().into_iter().map(|note| note.text).collect();
        let notes = if notes.is_empty() { String::new() } else { format!(": {}", notes.join("; ")) };
        let privileged =
            outline.privileged.map(|privilege| format!(" ({})", privilege.as_str())).unwrap_or_default();
        let fields: Vec<String> = outline.fields.iter().map(|field| format!("\n{}", field.in_words())).collect();
        let origin = outline.origin.as_ref().map(|origin| format!("\n{}", origin.is.as_str())).unwrap_or_default();
        let title = format!("{name}: {}{privileged}", outline.address);
        push(
            text,
            Level::Notice,
            outline.place.as_deref(),
            &title,
            &format!("{}{notes}{}{origin}", outline.verb, fields.concat()),
        );
    }
}

/// Writes a warning for each deletion that may be a slip. Only lines that are still there have a place in these files.
fn push_deletions(text: &mut String, plan: &OrganizationPlan, name: &str) {
    if let Some(why) = unplanned(plan) {
        push(text, Level::Warning, None, name, &why);
    }
    for gone in deletions(plan).iter().filter(|gone| !gone.is_explicit) {
        let place = gone.moved_to().map(|(file, line)| format!("{file}:{line}:1"));
        let entries = first(gone.entries.iter(), LISTED, |deletion| clean(&deletion.address));
        let title = format!("{name}: no longer in the files");
        let message = format!("{}: {entries}{}", capitalised(&gone.by), gone.unchanged());
        push(text, Level::Warning, place.as_deref(), &title, &message);
    }
}

fn push_warnings(text: &mut String, warnings: &[Warning]) {
    for Warning { code, place, message, hint } in warnings {
        let hint = hint.as_ref().map(|hint| format!("\nhint: {}", clean(hint))).unwrap_or_default();
        push(text, Level::Warning, Some(place), &clean(code), &format!("{}{hint}", clean(message)));
    }
}

/// Writes one annotation. `place` is file:line:column.
fn push(text: &mut String, level: Level, place: Option<&str>, title: &str, message: &str) {
    let level = match level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Notice => "notice",
    };
    let place = place
        .and_then(parts)
        .map(|(file, line, column)| format!("file={},line={line},col={column},", property(&clean(file))));
    let _ = writeln!(
        text,
        "::{level} {}title={}::{}",
        place.unwrap_or_default(),
        property(&cut(title)),
        data(&cut(message))
    );
}

/// Splits file:line:column. The name of the file may contain colons too.
pub(super) fn parts(place: &str) -> Option<(&str, usize, usize)> {
    let (rest, column) = place.rsplit_once(':')?;
    let (file, line) = rest.rsplit_once(':')?;
    Some((file, line.parse().ok()?, column.parse().ok()?))
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
