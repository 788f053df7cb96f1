//! Comma-separated values (RFC 4180).

use std::borrow::Cow;

use super::style::clean;

/// Writes one row, with its line end.
pub(super) fn row(cells: impl IntoIterator<Item = String>) -> String {
    let cells: Vec<String> = cells.into_iter().map(|text| cell(&text)).collect();
    format!("{}\r\n", cells.join(","))
}

/// Writes one cell. A spreadsheet takes a text that begins with one of these characters for a formula, so such a text gets
/// an apostrophe.
fn cell(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = clean(text);
    let text = if is_formula { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text.as_str()) };
    if text.contains(['"', ',', '\r', '\n', ';']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.into_owned()
    }
}
