//! Colours, which the printer drops for pipes and files, and the escaping of foreign text for terminals.

use std::fmt::Display;

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;

use rolecall_model::{ProviderName, RemoteId, deceptive, is_odd_space};

pub(super) const ADD: Style = AnsiColor::Green.on_default();
pub(super) const CHANGE: Style = AnsiColor::Yellow.on_default();
pub(super) const REMOVE: Style = AnsiColor::Red.on_default();
pub(super) const BOLD: Style = Style::new().bold();
pub(super) const DIM: Style = Style::new().dimmed();
pub(super) const WARN: Style = AnsiColor::Magenta.on_default();

pub(super) fn paint(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Escapes text from a file or a platform for a terminal: it stays on one line and can't move the cursor or reorder text.
pub fn clean(text: impl Display) -> String {
    let text = text.to_string();
    let is_usual = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    if is_usual && !text.contains("##[") && !text.trim_start().starts_with("::") {
        return text;
    }
    let mut deceptive = deceptive(&text).map(|(at, _)| at).peekable();
    let mut safe = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        if deceptive.next_if_eq(&at).is_some() || is_odd_space(c) || is_noncharacter(c) {
            safe.extend(c.escape_unicode());
        } else {
            safe.push(c);
        }
    }
    drop(deceptive);
    // GitHub's runner takes `::` at the start of a line, and `##[` anywhere, as a command.
    if safe.trim_start().starts_with("::") {
        safe = safe.replacen(':', "\\u{3a}", 1);
    }
    safe.replace("##[", "##\\u{5b}")
}

/// Returns a count with its noun: `1 mail`, `2 mails`.
pub fn plural(count: usize, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

/// Returns a sentence with a capital first letter.
pub(super) fn capitalised(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map(|first| first.to_uppercase().collect::<String>() + rest.as_str()).unwrap_or_default()
}

/// Returns the name of an organisation.
pub(super) fn called(provider: ProviderName, organization: &RemoteId) -> String {
    format!("{provider} {}", clean(organization))
}

/// Returns a time to the minute: `2026-11-28 03:00 UTC`.
pub(super) fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// Lists the first items, and counts the others.
pub fn first<T>(all: impl ExactSizeIterator<Item = T>, shown: usize, word: impl Fn(T) -> String) -> String {
    let more = all.len().saturating_sub(shown);
    let list: Vec<String> = all.take(shown).map(word).collect();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", list.join(", "))
}

/// Returns whether this is a Unicode noncharacter, which would make XML ill-formed.
fn is_noncharacter(c: char) -> bool {
    let code = u32::from(c);
    code & 0xFFFE == 0xFFFE || (0xFDD0..=0xFDEF).contains(&code)
}
