//! Writes the findings in files as a table.

use std::fmt::Write as _;

use super::LONGEST;
use super::escape::{code, prose};
use crate::report::findings::listed;
use crate::report::style::plural;
use rolecall_config::Source;
use rolecall_model::Finding;

/// Writes the findings in files as a table.
pub(in crate::report) fn findings(findings: &[Finding], sources: &[&Source]) -> String {
    let errors = findings.iter().filter(|finding| finding.is_error()).count();
    let mut text = format!(
        "**{} checked: {}, {}**\n",
        plural(sources.len(), "file"),
        plural(errors, "error"),
        plural(findings.len() - errors, "warning")
    );
    if !findings.is_empty() {
        text.push_str("\n|  | where | finding | what to do |\n|---|---|---|---|\n");
    }
    let (shown, more) = listed(findings);
    for (index, Finding { code: word, severity, place, message, hint, .. }) in shown.iter().enumerate() {
        let hint = hint.as_ref().map(prose).unwrap_or_default();
        let row = format!("| {} | {} | `{word}`: {} | {hint} |\n", severity.as_str(), code(place), prose(message));
        if text.len() + row.len() > LONGEST - 400 {
            let _ = writeln!(text, "\n_{} more are not shown: the comment is full_", findings.len() - index);
            return text;
        }
        text.push_str(&row);
    }
    for more in more.iter().take(10) {
        let _ = writeln!(text, "\n`{}`: {}", more.code, prose(more));
    }
    text
}
