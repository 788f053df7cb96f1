//! Whatever somebody typed, as text that means nothing to whoever shows Markdown.

use std::fmt::Display;

use crate::report::style::clean;

/// A name or a value longer than this is cut, in characters.
const LONGEST_VALUE: usize = 160;

/// A sentence, likewise.
const LONGEST_SENTENCE: usize = 400;

fn cut(text: impl Display, longest: usize) -> String {
    let text = clean(text);
    match text.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// A name or a value, as it is, whatever it holds.
pub(super) fn code(text: impl Display) -> String {
    let text = cut(text, LONGEST_VALUE);
    // A pipe would end the cell of a table, and a back quote the code.
    if !text.trim().is_empty() && text.trim() == text && !text.contains(['`', '|', '\\']) {
        return format!("`{text}`");
    }
    let plain = |c: char| c.is_alphanumeric() || c == ' ' || !c.is_ascii();
    let safe: String = text.chars().map(|c| if plain(c) { c.to_string() } else { entity(c) }).collect();
    format!("<code>{safe}</code>")
}

/// A sentence in which somebody else's words may stand: no markup, no mention of anybody.
pub(super) fn prose(text: impl Display) -> String {
    let mut safe = String::new();
    let mut before = ' ';
    let text = cut(text, LONGEST_SENTENCE);
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            // Mentions and references are looked for once the text was rendered, but not within code.
            '@' if !before.is_alphanumeric() => safe.push_str("<code>&#64;</code>"),
            '#' if rest.peek().is_some_and(char::is_ascii_digit) => safe.push_str("<code>&#35;</code>"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '&' | '|' | '~' | '$' | '!' | '#' => {
                safe.push_str(&entity(c));
            }
            // Addresses of pages become links by themselves.
            ':' if rest.peek() == Some(&'/') => safe.push_str(&entity(c)),
            c => safe.push(c),
        }
        before = c;
    }
    safe
}

fn entity(c: char) -> String {
    format!("&#{};", u32::from(c))
}
