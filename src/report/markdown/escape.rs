//! Escapes foreign text, so that a Markdown renderer shows it and interprets nothing in it.

use std::fmt::Display;

use crate::report::style::clean;

/// A name or a value longer than this is cut, in characters.
pub(super) const LONGEST_VALUE: usize = 160;

/// A sentence longer than this is cut, in characters.
const LONGEST_SENTENCE: usize = 400;

/// Cuts a text that is longer than this, in characters.
pub(super) fn cut(text: impl Display, longest: usize) -> String {
    let text = clean(text);
    match text.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Writes a name or a value as code, whatever characters it holds.
pub(in crate::report) fn code(text: impl Display) -> String {
    let text = cut(text, LONGEST_VALUE);
    // A pipe would end the cell of a table, and a back quote the code.
    if !text.trim().is_empty() && text.trim() == text && !text.contains(['`', '|', '\\']) {
        return format!("`{text}`");
    }
    let plain = |c: char| c.is_alphanumeric() || c == ' ' || !c.is_ascii();
    let safe: String = text
        .chars()
        .map(|c| match c {
            // An address would become a link: renderers look for addresses in the text between two tags.
            '@' => "<code>&#64;</code>".to_owned(),
            c if plain(c) => c.to_string(),
            c => entity(c),
        })
        .collect();
    format!("<code>{safe}</code>")
}

/// Writes a sentence that may contain foreign words: without markup, links or mentions.
pub(in crate::report) fn prose(text: impl Display) -> String {
    let mut safe = String::new();
    let text = cut(text, LONGEST_SENTENCE);
    let mut rest = text.char_indices().peekable();
    while let Some((at, c)) = rest.next() {
        let next = rest.peek().map(|(_, next)| *next);
        let before = &text[..at];
        match c {
            // Mentions, references and addresses are looked for once the text was rendered, but not within code.
            '@' => safe.push_str("<code>&#64;</code>"),
            '#' if next.is_some_and(|next| next.is_ascii_digit()) => safe.push_str("<code>&#35;</code>"),
            '-' if before.to_ascii_lowercase().ends_with("gh")
                && next.is_some_and(|next| next.is_ascii_digit()) =>
            {
                safe.push_str("<code>&#45;</code>");
            }
            '.' if before.to_ascii_lowercase().ends_with("www") => safe.push_str("<code>&#46;</code>"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '&' | '|' | '~' | '$' | '!' | '#' => {
                safe.push_str(&entity(c));
            }
            ':' if next == Some('/') => safe.push_str("<code>&#58;</code>"),
            c => safe.push(c),
        }
    }
    safe
}

fn entity(c: char) -> String {
    format!("&#{};", u32::from(c))
}
