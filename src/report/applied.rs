//! What an apply did.

use std::fmt::Write as _;

use super::style::{ADD, BOLD, CHANGE, REMOVE, clean, paint, plural};
use crate::apply::{Report, Standing, Step};
use crate::model::{Address, Outcome};

/// One mutation's outcome, in a line or two.
pub fn step_line(step: &Step) -> String {
    let style = match step.outcome {
        Outcome::Done => ADD,
        Outcome::Skipped => CHANGE,
        Outcome::Failed | Outcome::Unsure | Outcome::NotTaken => REMOVE,
    };
    let address = clean(&step.address);
    let mut text = format!(
        "  {} {address:<44} {}",
        paint(style, format!("{:<9}", step.outcome)),
        if step.interim { format!("{} (first step)", step.operation) } else { step.action.to_string() }
    );
    if let Some(id) = step.id.as_ref().filter(|_| !step.interim) {
        let _ = write!(text, "  {}", clean(id));
    }
    if let Some(message) = &step.message {
        let _ = write!(text, "\n            {}", clean(message));
    }
    text
}

/// The end of an apply: what was and wasn't done, and how live stands to the file.
pub fn summary(report: &Report) -> String {
    let mut text = String::new();
    let outcomes =
        [Outcome::Done, Outcome::NotTaken, Outcome::Unsure, Outcome::Failed, Outcome::Skipped].into_iter();
    let counted: Vec<String> = outcomes
        .filter_map(|outcome| {
            let count = report.steps.iter().filter(|step| step.outcome == outcome).count();
            (count > 0).then(|| format!("{count} {outcome}"))
        })
        .collect();
    let counted = if counted.is_empty() { "nothing was sent".to_owned() } else { counted.join(", ") };
    let _ = write!(text, "{}. ", paint(BOLD, counted));
    match &report.standing {
        Standing::Converged { later: 0 } => text.push_str("Read again: converged."),
        Standing::Converged { later } => {
            let _ = write!(text, "Read again: converged; {} left for a later plan.", plural(*later, "change"));
        }
        Standing::Held(addresses) => {
            let _ = write!(text, "Read again: nothing more to send, and held are {}.", some(addresses));
        }
        Standing::Diverged(addresses) => {
            let _ = write!(text, "Read again: not converged, still to do are {}.", some(addresses));
        }
        Standing::Unknown(why) => {
            let _ = write!(text, "Whether live is as wished is unknown: {}.", clean(why));
        }
    }
    if let Some(stop) = &report.stopped {
        let _ = write!(text, "\nStopped early: {}.", clean(stop));
    }
    text.push('\n');
    text
}

/// The first of them, and how many more.
fn some(addresses: &[Address]) -> String {
    let list: Vec<String> = addresses.iter().take(10).map(clean).collect();
    let more = addresses.len().saturating_sub(list.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", list.join(", "))
}
