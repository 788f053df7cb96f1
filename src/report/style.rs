//! Colours as values; the printer drops them where they don't belong. And foreign text made harmless.

use std::fmt::Display;

use anstyle::{AnsiColor, Style};

use rolecall_model::{ProviderName, RemoteId, is_deceptive};

pub(super) const ADD: Style = AnsiColor::Green.on_default();
pub(super) const CHANGE: Style = AnsiColor::Yellow.on_default();
pub(super) const REMOVE: Style = AnsiColor::Red.on_default();
pub(super) const BOLD: Style = Style::new().bold();
pub(super) const DIM: Style = Style::new().dimmed();
pub(super) const WARN: Style = AnsiColor::Magenta.on_default();

pub(super) fn paint(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Text from a file or a platform, as it may stand on a terminal: on one line, and moving nothing.
pub fn clean(text: impl Display) -> String {
    let mut safe = String::new();
    for c in text.to_string().chars() {
        if is_deceptive(c) || is_noncharacter(c) {
            safe.extend(c.escape_unicode());
        } else {
            safe.push(c);
        }
    }
    // At the start of a line, or anywhere in it, these are orders to GitHub's runner.
    if safe.trim_start().starts_with("::") {
        safe = safe.replacen(':', "\\u{3a}", 1);
    }
    safe.replace("##[", "##\\u{5b}")
}

/// `1 mail`, `2 mails`.
pub fn plural(count: usize, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

/// What an organisation is called.
pub(super) fn called(provider: ProviderName, organization: &RemoteId) -> String {
    format!("{provider} {}", clean(organization))
}

/// The first of them, and how many more.
pub(super) fn first<T>(all: impl ExactSizeIterator<Item = T>, shown: usize, word: impl Fn(T) -> String) -> String {
    let more = all.len().saturating_sub(shown);
    let list: Vec<String> = all.take(shown).map(word).collect();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", list.join(", "))
}

/// What is no character to anybody, and makes XML ill-formed.
fn is_noncharacter(c: char) -> bool {
    let code = u32::from(c);
    code & 0xFFFE == 0xFFFE || (0xFDD0..=0xFDEF).contains(&code)
}
