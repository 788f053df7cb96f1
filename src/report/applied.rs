//! What an apply did.

use std::fmt::Write as _;

use super::style::{ADD, BOLD, CHANGE, REMOVE, clean, first, paint, plural};
use rolecall_engine::apply::{FinalState, Report, Step};
use rolecall_model::{Address, Outcome};

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
        if step.first_step { format!("{} (first step)", step.operation) } else { step.action.to_string() }
    );
    if let Some(id) = step.id.as_ref().filter(|_| !step.first_step) {
        let _ = write!(text, "  {}", clean(id));
    }
    if let Some(message) = &step.message {
        let _ = write!(text, "\n            {}", clean(message));
    }
    text
}

/// The end of an apply: what was and wasn't done, and how live stands to the file.
pub fn summary(report: &Report) -> String {
    let mut text = format!("{}. {}", paint(BOLD, counted(report)), standing(report));
    if let Some(stop) = &report.stopped {
        let _ = write!(text, "\nStopped early: {}.", clean(stop));
    }
    text.push('\n');
    text
}

/// How many of each outcome.
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

/// What the last read showed.
pub(super) fn standing(report: &Report) -> String {
    match &report.final_state {
        FinalState::InSync { later: 0 } => "Read again: converged.".to_owned(),
        FinalState::InSync { later } => {
            format!("Read again: converged; {} left for a later plan.", plural(*later, "change"))
        }
        FinalState::NeedsAttention(addresses) => {
            format!("Read again: nothing more to send, and held are {}.", some(addresses))
        }
        FinalState::OutOfSync(addresses) => {
            format!("Read again: not converged, still to do are {}.", some(addresses))
        }
        FinalState::Unknown(why) => format!("Whether live is as wished is unknown: {}.", clean(why)),
    }
}

fn some(addresses: &[Address]) -> String {
    first(addresses.iter(), 10, clean)
}
