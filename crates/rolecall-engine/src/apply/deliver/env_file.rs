//! One variable of a file of environment variables, such as `.env`. Shells and dotenv readers differ in what they accept,
//! so a line that they would read differently is neither changed nor written.

use std::ops::Range;

use secrecy::zeroize::Zeroizing;

/// Returns the text with another value of the variable. Every other byte stays as it is.
pub(super) fn with_variable(text: &str, name: &str, value: &str) -> Result<Zeroizing<String>, String> {
    let value = quoted(value).ok_or(
        "the secret has characters, such as a backslash, that shells and dotenv readers read in different ways",
    )?;
    let end = match text.split_once('\n') {
        Some((first, _)) if first.ends_with('\r') => "\r\n",
        _ => "\n",
    };
    let (before, between, after) = match own_line(text, name)? {
        Some(range) => (text.get(..range.start), "", text.get(range.end..)),
        None if text.is_empty() || text.ends_with('\n') => (Some(text), "", Some(end)),
        None => (Some(text), end, Some(end)),
    };
    let parts = [before.unwrap_or_default(), between, name, "=", &value, after.unwrap_or_default()];
    Ok(Zeroizing::new(parts.concat()))
}

/// Returns the value of the variable, without its quotes. Fails like [`own_line`].
pub(super) fn value<'a>(text: &'a str, name: &str) -> Result<Option<&'a str>, String> {
    let line = own_line(text, name)?.and_then(|range| text.get(range));
    Ok(line.and_then(assignment).map(|(_, value)| {
        let quote = value.chars().next().filter(|c| ['"', '\''].contains(c));
        let quoted = quote.and_then(|quote| value.get(1..)?.split(quote).next());
        quoted.unwrap_or_else(|| value.split_whitespace().next().unwrap_or_default())
    }))
}

/// Returns a value in quotes if it needs them, or `None` if no quotes mean the same to all readers.
fn quoted(value: &str) -> Option<Zeroizing<String>> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@%+,=".contains(c);
    let has = |letters: &str| value.contains(|c| letters.contains(c));
    let quoted = match value {
        _ if value.contains(char::is_control) || has("\\") => return None,
        _ if value.chars().all(is_plain) => value.to_owned(),
        _ if !has("'") => format!("'{value}'"),
        _ if !has("\"$`!") => format!("\"{value}\""),
        _ => return None,
    };
    Some(Zeroizing::new(quoted))
}

/// Returns where the variable's own line is, from its name to the end of its value. Fails if readers could take
/// something else for it.
pub(super) fn own_line(text: &str, name: &str) -> Result<Option<Range<usize>>, String> {
    if text.contains('\0') || text.replace("\r\n", "").contains('\r') {
        return Err("it has characters or line ends that not every reader understands".to_owned());
    }
    let mut own: Option<(usize, Range<usize>)> = None;
    // The end of a value that goes on after its line, and that line.
    let mut open: Option<(char, usize)> = None;
    let mut at = 0;
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        let content = line.trim_end_matches(['\n', '\r']);
        let end = at + content.len();
        at += line.len();
        let assignment = assignment(content);
        let is_own = assignment.is_some_and(|(found, _)| found == name);
        if let Some((quote, first)) = open {
            if is_own {
                return Err(format!(
                    "line {number} looks like it, but belongs to the value that begins on line {first}"
                ));
            }
            open = open.filter(|_| goes_on(content, quote));
            continue;
        }
        let Some((_, value)) = assignment else { continue };
        let quote = value.chars().next().filter(|c| ['"', '\'', '`'].contains(c));
        let rest = value.get(quote.map_or(0, char::len_utf8)..).unwrap_or_default();
        open = goes_on(rest, quote.unwrap_or('\\')).then_some((quote.unwrap_or('\\'), number));
        if !is_own {
            continue;
        }
        if open.is_some() {
            return Err(format!("its value on line {number} has several lines"));
        }
        if let Some((first, _)) = own {
            return Err(format!("it is there twice, on lines {first} and {number}"));
        }
        let indent = content.len() - value.len();
        let start = content.get(..indent).and_then(|before| before.rfind(name)).unwrap_or_default();
        own = Some((number, end - content.len() + start..end));
    }
    match (own, open) {
        (None, Some((_, first))) => Err(format!("the value that begins on line {first} doesn't end")),
        (own, _) => Ok(own.map(|(_, range)| range)),
    }
}

/// Returns the name and the value of a line that sets a variable.
fn assignment(line: &str) -> Option<(&str, &str)> {
    let is_blank = |c: char| c.is_whitespace() || c == '\u{feff}';
    let line = line.trim_start_matches(is_blank);
    let exported = line.strip_prefix("export").filter(|rest| rest.starts_with(is_blank));
    let line = exported.unwrap_or(line).trim_start_matches(is_blank);
    let length = line.find(|c: char| !c.is_ascii_alphanumeric() && !"_.-".contains(c))?;
    let (name, rest) = line.split_at_checked(length).filter(|(name, _)| !name.is_empty())?;
    let rest = rest.trim_start_matches(is_blank);
    // Some readers accept `NAME: value`.
    let value = rest.strip_prefix('=').or_else(|| rest.strip_prefix(": ")).or_else(|| rest.strip_prefix(":\t"))?;
    Some((name, value.trim_start_matches(is_blank)))
}

/// Returns whether a value goes on in the next line: its quote isn't closed, or the line ends with a backslash.
fn goes_on(line: &str, quote: char) -> bool {
    let mut escaped = false;
    for c in line.chars() {
        if c == quote && !escaped && quote != '\\' {
            return false;
        }
        escaped = c == '\\' && !escaped && quote != '\'';
    }
    quote != '\\' || escaped
}
