//! The parts of entries that are the same on every platform: notes, and the ends of access.

use jiff::Timestamp;

use super::super::field::Field;
use super::super::node::{Located, Node};
use super::super::raw::{NameText, UntilText};
use super::super::source::{Mark, Sources};
use rolecall_model::{Code, Finding, Until, check_name, quote};

/// The end of access, and its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    pub until: Until,
    pub mark: Mark,
}

impl Date {
    pub fn is_past(self, now: Timestamp) -> bool {
        self.until.is_past(now)
    }

    /// Returns the earlier one of two ends.
    pub fn earlier(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(one), Some(other)) => Some(if other.until < one.until { other } else { one }),
            (one, other) => one.or(other),
        }
    }

    /// Returns the later one of two ends. `None` is never.
    pub fn later(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        let (one, other) = (one?, other?);
        Some(if other.until > one.until { other } else { one })
    }
}

/// Checks the end of access.
pub fn until(field: Field<UntilText>, sources: Sources<'_>, findings: &mut Vec<Finding>) -> Option<Date> {
    let UntilText(text) = field.value?;
    let mark = field.mark;
    // The parser accepts many forms. Only the usual one is allowed in a file.
    let bytes = text.as_bytes();
    let has = |at: usize, byte: u8| bytes.get(at) == Some(&byte);
    let zone = text.rfind(['+', '-']).filter(|at| *at > 10).and_then(|at| text.get(at + 1..at + 3)?.parse().ok());
    let usual = zone.is_none_or(|hours: u8| hours <= 14)
        && has(4, b'-')
        && has(7, b'-')
        && (text.len() == 10 || has(13, b':'))
        && !text.contains('[');
    if let Some(until) = text.parse().ok().filter(|_| usual) {
        return Some(Date { until, mark });
    }
    let day = text.get(..10).and_then(|day| day.parse::<jiff::civil::Date>().ok());
    if usual && day.is_some_and(|day| day.year() == 9999) {
        let message = format!("{} is out of range.", quote(&text));
        let finding = Finding::error(Code::InvalidValue, sources.place(mark), message);
        findings.push(finding.hint("Write an earlier day. If the access doesn't end, leave `until` out."));
        return None;
    }
    let message = format!("{} is neither a date nor a point in time.", quote(&text));
    let finding = Finding::error(Code::InvalidValue, sources.place(mark), message);
    findings.push(
        finding
            .hint("Write the last day, like `2026-12-31`, or a time with its zone, like `2026-12-31T18:00:00Z`."),
    );
    None
}

/// Checks a note.
pub fn note(field: Field<NameText>, sources: Sources<'_>, findings: &mut Vec<Finding>) -> Option<String> {
    let NameText(text) = field.value?;
    match check_name(&text) {
        Ok(()) => Some(text.into()),
        Err(why) => {
            let message = format!("{} {why}.", quote(&text));
            let finding = Finding::error(Code::InvalidValue, sources.place(field.mark), message);
            findings.push(finding.hint("Write a note on one line."));
            None
        }
    }
}

/// Removes the field `note` of an entry.
pub fn take_note(entry: &mut Located, sources: Sources<'_>, findings: &mut Vec<Finding>) -> Option<String> {
    let text = taken_text(entry, "note", sources, findings)?;
    note(Field { mark: text.mark, value: text.text().map(|text| NameText(text.into())) }, sources, findings)
}

/// Removes the field `until` of an entry.
pub fn take_until(entry: &mut Located, sources: Sources<'_>, findings: &mut Vec<Finding>) -> Option<Date> {
    number_as_text(entry, "until");
    let text = taken_text(entry, "until", sources, findings)?;
    until(Field { mark: text.mark, value: text.text().map(|text| UntilText(text.to_owned())) }, sources, findings)
}

/// Turns a number into its digits, so that the check of the text can say how the value is written.
pub fn number_as_text(entry: &mut Located, name: &str) {
    if let Some(Located { node, .. }) = entry.field_mut(name)
        && let Node::Number(digits) = node
    {
        *node = Node::Text(std::mem::take(digits));
    }
}

/// Removes a field whose value is a text.
pub fn taken_text(
    entry: &mut Located,
    name: &str,
    sources: Sources<'_>,
    findings: &mut Vec<Finding>,
) -> Option<Located> {
    let value = entry.take(name)?;
    if value.text().is_some() {
        return Some(value);
    }
    let message = format!("`{name}` is not a text.");
    let finding = Finding::error(Code::WrongType, sources.place(value.mark), message);
    findings.push(finding.hint(match value.node {
        Node::Bool(_) | Node::Number(_) => {
            format!("Write it in quotes: `{name}: \"{}\"`.", value.typed())
        }
        _ => format!("Write a text after `{name}:`, or leave the field out."),
    }));
    None
}
