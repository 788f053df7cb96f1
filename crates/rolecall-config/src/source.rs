//! The [`Source`] text of a file, and places in it.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use rolecall_model::{Code, Finding, Place, Span};

/// The size limit of a file, in bytes. 100,000 users take about 20 MiB.
pub const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// The text of one file.
#[derive(Clone, Debug)]
pub struct Source {
    pub name: Arc<str>,
    pub text: String,
    /// False if the file isn't UTF-8. Then the text is only good for showing lines.
    pub is_whole: bool,
}

/// A place in a [`Source`]. Line and column count from one, the span counts bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    pub line: usize,
    pub column: usize,
    pub span: Span,
}

impl Source {
    /// Reads a file of at most [`MAX_BYTES`]. Reports a finding and returns `None` if it can't be read.
    pub fn read(path: &Path, findings: &mut Vec<Finding>) -> Option<Self> {
        let name: Arc<str> = path.display().to_string().into();
        let at = Place::start_of(name.clone());
        let bytes = match read_bounded(path) {
            Ok(bytes) => bytes,
            Err(why) => {
                findings.push(
                    Finding::error(Code::UnreadableFile, at, format!("`{name}` can't be read: {why}."))
                        .hint("Check the path and its permissions."),
                );
                return None;
            }
        };
        let Some(bytes) = bytes else {
            findings.push(
                Finding::error(
                    Code::FileTooLarge,
                    at,
                    format!("`{name}` is larger than {} MiB.", MAX_BYTES / 1024 / 1024),
                )
                .hint("A file describes one organisation. Check the path."),
            );
            return None;
        };
        match decode(bytes, &at, findings) {
            Ok(text) => Some(Self { name, text, is_whole: true }),
            Err(text) => Some(Self { name, text, is_whole: false }),
        }
    }

    /// Creates a source from a text that isn't in a file. `name` is used in places.
    pub fn inline(name: &str, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into(), is_whole: true }
    }

    pub fn start(&self) -> Place {
        Place::start_of(self.name.clone())
    }

    pub fn place(&self, mark: Mark) -> Place {
        let Mark { line, column, span } = mark;
        Place { file: self.name.clone(), line, column, span }
    }

    /// Returns the place of a line and a column, and computes its span.
    pub fn place_at(&self, line: usize, column: usize) -> Place {
        let (line, column) = (line.max(1), column.max(1));
        let before: usize = self.text.split_inclusive('\n').take(line - 1).map(str::len).sum();
        let rest = &self.text[before..];
        let within = rest.char_indices().nth(column - 1).map_or(rest.len(), |(at, _)| at);
        let start = before + within;
        self.place(Mark { line, column, span: Span { start, end: start } })
    }

    /// Returns the numbers of the lines that may contain a credential. They are never shown, even if the file
    /// isn't valid YAML.
    pub fn lines_with_secrets(&self) -> BTreeSet<usize> {
        const WORDS: &[&str] = &["credential", "secret", "token", "password", "api_key", "apikey", "api-key"];
        let mut within = false;
        let mut lines = BTreeSet::new();
        for (index, line) in self.text.lines().enumerate() {
            let starts_block = line.starts_with(|c: char| !c.is_whitespace() && !matches!(c, '#' | '}' | ']'));
            if starts_block {
                within = line.trim_start_matches(['"', '\'', '{']).starts_with("credentials");
            }
            let lower = line.to_lowercase();
            let in_url = lower.split_once("://").is_some_and(|(_, rest)| rest.contains('@'));
            if within || in_url || WORDS.iter().any(|word| lower.contains(word)) {
                lines.insert(index + 1);
            }
        }
        lines
    }

    /// Returns the line on which a span starts, without its line end, and the position of the line's first byte.
    pub fn line_of(&self, span: Span) -> Option<(usize, &str)> {
        let start = self.text.get(..span.start)?.rfind('\n').map_or(0, |at| at + 1);
        let line = self.text[start..].split('\n').next()?;
        Some((start, line.trim_end_matches('\r')))
    }

    pub fn slice(&self, span: Span) -> &str {
        self.text.get(span.start..span.end).unwrap_or_default()
    }
}

fn read_bounded(path: &Path) -> std::io::Result<Option<Vec<u8>>> {
    let file = File::open(path)?;
    let meta = file.metadata()?;
    if meta.is_dir() {
        return Err(std::io::Error::other("it is a folder"));
    }
    if meta.len() > MAX_BYTES {
        return Ok(None);
    }
    let mut bytes = Vec::with_capacity(usize::try_from(meta.len()).unwrap_or(0));
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= MAX_BYTES).then_some(bytes))
}

fn utf16_lossy(bytes: &[u8]) -> String {
    let little = bytes.starts_with(&[0xff, 0xfe]);
    let unit = |pair: &[u8]| match pair {
        [a, b] if little => u16::from_le_bytes([*a, *b]),
        [a, b] => u16::from_be_bytes([*a, *b]),
        _ => 0xfffd,
    };
    let units: Vec<u16> = bytes[2..].chunks(2).map(unit).collect();
    String::from_utf16_lossy(&units)
}

/// Decodes a file as UTF-8. If it isn't UTF-8, the error is a text that can be shown.
fn decode(mut bytes: Vec<u8>, at: &Place, findings: &mut Vec<Finding>) -> Result<String, String> {
    let name = &at.file;
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        findings.push(
            Finding::error(Code::NotUtf8, at.clone(), format!("`{name}` is encoded in UTF-16."))
                .hint("Save it as UTF-8 without a byte order mark."),
        );
        return Err(utf16_lossy(&bytes));
    }
    if bytes.starts_with(&[0xef, 0xbb, 0xbf]) {
        bytes.drain(..3);
        findings.push(
            Finding::warning(Code::ByteOrderMark, at.clone(), format!("`{name}` starts with a byte order mark."))
                .hint("Save it as UTF-8 without one. Some tools read the mark as a part of the first field."),
        );
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(error) => {
            let good = error.utf8_error().valid_up_to();
            let byte = error.as_bytes().get(good).copied().unwrap_or_default();
            let before = String::from_utf8_lossy(&error.as_bytes()[..good]);
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            let span = Span { start: good, end: good };
            let place = Place { line, column, span, ..at.clone() };
            let message = format!("`{name}` isn't UTF-8: the byte 0x{byte:02x} is not valid here.");
            findings.push(Finding::error(Code::NotUtf8, place, message).hint("Save the file as UTF-8."));
            Err(String::from_utf8_lossy(error.as_bytes()).into_owned())
        }
    }
}
