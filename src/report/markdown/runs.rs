//! Writes the runs of an apply or of a ledger.

use std::fmt::Write as _;

use super::escape::{code, prose};
use super::{LONGEST, warning_line};
use crate::report::runs::{Row, Run};
use rolecall_model::Outcome;

/// Writes runs in their order. If the comment has no room for all, the last ones are written.
pub(in crate::report) fn runs(runs: &[Run]) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut length = 0;
    for run in runs.iter().rev() {
        // The last run is always written, and cut if need be. Room is kept for the lines that count what is missing.
        let text = write_run(run, LONGEST - 400);
        if !parts.is_empty() && length + text.len() > LONGEST - 200 {
            break;
        }
        length += text.len();
        parts.push(text);
    }
    let more = runs.len() - parts.len();
    if more > 0 {
        parts.push(format!("_{more} earlier runs are not shown: the comment is full._\n\n"));
    }
    if runs.is_empty() {
        parts.push("**Nothing was applied.**\n".to_owned());
    }
    parts.into_iter().rev().collect()
}

/// Writes one run. Mutations that are not done come first, so that they are not the ones left out.
fn write_run(Run { name, verdict, error, warnings, notes, rows, .. }: &Run, longest: usize) -> String {
    let mut text = format!("### {}\n\n**{}**\n\n", code(name), prose(verdict));
    if let Some(error) = error {
        let _ = writeln!(text, "> [!CAUTION]\n> {}\n", prose(error));
    }
    let warned = warnings.iter().map(|warning| format!("warning: {}", warning_line(warning)));
    let notes: Vec<String> = warned.chain(notes.iter().map(prose)).collect();
    for note in notes.iter().take(20) {
        let _ = writeln!(text, "- {note}");
    }
    if notes.len() > 20 {
        let _ = writeln!(text, "- _and {} more_", notes.len() - 20);
    }
    if !notes.is_empty() {
        text.push('\n');
    }
    if rows.is_empty() {
        return text;
    }
    text.push_str("|  | change | action | message |\n|---|---|---|---|\n");
    let mut sorted: Vec<&Row> = rows.iter().collect();
    sorted.sort_by_key(|row| row.outcome == Outcome::Done);
    for (index, Row { outcome, address, what, message }) in sorted.iter().enumerate() {
        let outcome = if *outcome == Outcome::Done { outcome.to_string() } else { format!("**{outcome}**") };
        let message = message.as_ref().map(prose).unwrap_or_default();
        let row = format!("| {outcome} | {} | {} | {message} |\n", code(address), prose(what));
        if text.len() + row.len() > longest {
            let _ = write!(
                text,
                "\n_{} more are not shown: the comment is full. See the ledger._\n",
                rows.len() - index
            );
            break;
        }
        text.push_str(&row);
    }
    text.push('\n');
    text
}
