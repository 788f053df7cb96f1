//! What became of an apply, or of all that a ledger remembers.

use std::fmt::Write as _;

use super::LONGEST;
use super::escape::{code, prose};
use crate::report::runs::{Row, Run};
use rolecall_model::Outcome;

/// Runs in their order. Where there is no room for all, the last ones are told.
pub(in crate::report) fn runs(runs: &[Run]) -> String {
    let mut told: Vec<String> = Vec::new();
    let mut length = 0;
    for run in runs.iter().rev() {
        let text = one(run, LONGEST - 200);
        if length + text.len() > LONGEST - 200 {
            break;
        }
        length += text.len();
        told.push(text);
    }
    let more = runs.len() - told.len();
    if more > 0 {
        told.push(format!("_{more} before these are not shown, for want of room._\n\n"));
    }
    if runs.is_empty() {
        told.push("**Nothing was applied.**\n".to_owned());
    }
    told.into_iter().rev().collect()
}

/// What isn't done comes first, so that it isn't what is left out.
fn one(Run { name, verdict, error, notes, rows, .. }: &Run, longest: usize) -> String {
    let mut text = format!("### {}\n\n**{}**\n\n", code(name), prose(verdict));
    if let Some(error) = error {
        let _ = writeln!(text, "> [!CAUTION]\n> {}\n", prose(error));
    }
    for note in notes.iter().take(20) {
        let _ = writeln!(text, "- {}", prose(note));
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
    text.push_str("|  | change | what | besides |\n|---|---|---|---|\n");
    let mut sorted: Vec<&Row> = rows.iter().collect();
    sorted.sort_by_key(|row| row.outcome == Outcome::Done);
    for (index, Row { outcome, address, what, message }) in sorted.iter().enumerate() {
        let outcome = if *outcome == Outcome::Done { outcome.to_string() } else { format!("**{outcome}**") };
        let message = message.as_ref().map(prose).unwrap_or_default();
        let row = format!("| {outcome} | {} | {} | {message} |\n", code(address), prose(what));
        if text.len() + row.len() > longest {
            let _ = write!(text, "\n_{} more, for which there is no room: see the ledger._\n", rows.len() - index);
            break;
        }
        text.push_str(&row);
    }
    text.push('\n');
    text
}
