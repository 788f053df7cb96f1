//! Writes plans, findings, outcomes and ledgers for people and programs. Pure: values in, text out.

mod access;
mod activity;
mod applied;
mod csv;
mod doctor;
mod drift;
mod fields;
mod findings;
mod format;
mod github;
mod graph;
mod guardrails;
mod html;
mod junit;
mod keys;
mod layout;
mod ledger;
mod link;
mod markdown;
mod merge;
mod metrics;
mod mutations;
mod notice;
mod origin;
mod outcomes;
mod outline;
mod person;
mod progress;
mod pull;
mod risk;
mod runs;
mod sarif;
mod stale;
mod style;
mod text;

pub use access::{ACCESS_VERSION, AccessReport};
pub use activity::silence;
pub use applied::{step_line, summary};
pub use doctor::{Answer, Check, DOCTOR_VERSION, DoctorReport, Examined, Topic};
pub use findings::{Findings, findings, warning};
pub use format::{Format, Subject, render};
pub use keys::{KEYS_VERSION, KeysReport};
pub use layout::Layout;
pub use link::{ci_page, page};
pub use merge::{Merged, ShardReport, Unmergeable, merge};
pub use metrics::{key_metrics, metrics};
pub use mutations::mutations;
pub use notice::{Notice, NoticeFormat, notice};
pub use outcomes::{Applied, Outcomes, Undone};
pub use person::{ChangedFile, LeftAccess, PERSON_VERSION, PersonReport, RelatedKey, person_summary, person_text};
pub use progress::Count;
pub use pull::{PULL_VERSION, PullReport, PulledFile, pull_diff, pull_summary};
pub use stale::stale;
pub use style::{clean, first, plural};
pub use text::plan_text;

use serde::Serialize;

use rolecall_model::{Plan, is_deceptive, is_odd_space};

/// Writes a plan as JSON, in the form that `apply --plan` reads.
pub fn plan_json(plan: &Plan) -> String {
    json(plan)
}

/// Writes a document as indented JSON. `##[`, and characters that don't show, stand only in its strings, where an escape
/// means the same. As it is, `##[` would be a command to GitHub's runner, and some characters are commands to terminals.
pub fn json(document: &(impl Serialize + ?Sized)) -> String {
    let mut text = serde_json::to_string_pretty(document).unwrap_or_default();
    let is_odd = |c: char| c != '\n' && (is_deceptive(c) || is_odd_space(c));
    if text.contains("##[") {
        text = text.replace("##[", "##\\u005b");
    }
    if text.contains(is_odd) {
        let mut escaped = String::with_capacity(text.len());
        for c in text.chars() {
            if is_odd(c) {
                escaped.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
            } else {
                escaped.push(c);
            }
        }
        text = escaped;
    }
    text.push('\n');
    text
}
