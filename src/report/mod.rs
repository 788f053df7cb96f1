//! Writes plans, findings, outcomes and ledgers for people and programs. Pure: values in, text out.

mod applied;
mod drift;
mod fields;
mod findings;
mod format;
mod github;
mod guardrails;
mod junit;
mod layout;
mod ledger;
mod markdown;
mod metrics;
mod mutations;
mod notice;
mod outcomes;
mod outline;
mod progress;
mod runs;
mod sarif;
mod stale;
mod style;
mod text;

pub use applied::{step_line, summary};
pub use findings::{Findings, findings};
pub use format::{Format, Subject, render};
pub use layout::Layout;
pub use metrics::metrics;
pub use mutations::mutations;
pub use notice::{Notice, NoticeFormat, notice};
pub use outcomes::{Applied, Outcomes, Undone};
pub use progress::Count;
pub use stale::stale;
pub use style::{clean, first, plural};
pub use text::plan_text;

use serde::Serialize;

use rolecall_model::Plan;

/// Writes a plan as JSON, in the form that `apply --plan` reads.
pub fn plan_json(plan: &Plan) -> String {
    json(plan)
}

/// Writes a document as indented JSON. `##[` stands only in its strings, where an escape means the same. As it is, it
/// would be a command to GitHub's runner, anywhere in a line.
pub fn json(document: &(impl Serialize + ?Sized)) -> String {
    let text = serde_json::to_string_pretty(document).unwrap_or_default();
    let mut text = text.replace("##[", "##\\u005b");
    text.push('\n');
    text
}
