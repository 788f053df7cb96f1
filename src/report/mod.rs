//! Plans, findings, outcomes and ledgers, as people and programs read them. Values in, text out.

mod applied;
mod drift;
mod fields;
mod findings;
mod format;
mod github;
mod junit;
mod ledger;
mod markdown;
mod metrics;
mod mutations;
mod notice;
mod outcomes;
mod outline;
mod progress;
mod rails;
mod runs;
mod sarif;
mod stale;
mod style;
mod text;

pub use applied::{step_line, summary};
pub use findings::{Findings, findings};
pub use format::{Format, Subject, render};
pub use metrics::metrics;
pub use mutations::mutations;
pub use notice::{Notice, NoticeFormat, notice};
pub use outcomes::{Applied, Outcomes, Undone};
pub use progress::Count;
pub use stale::stale;
pub use style::{clean, plural};
pub use text::plan_text;

use serde::Serialize;

use rolecall_model::Plan;

/// A plan as JSON, in the form that `--plan` takes.
pub fn plan_json(plan: &Plan) -> String {
    json(plan)
}

/// As every JSON document is written.
pub fn json(document: &(impl Serialize + ?Sized)) -> String {
    let mut text = serde_json::to_string_pretty(document).unwrap_or_default();
    text.push('\n');
    text
}
