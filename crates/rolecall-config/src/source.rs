//! A file's text, and where in it something stands.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use rolecall_model::{Code, Finding, Place, Span};

/// The largest file that is read, in bytes. 100,000 users take about 20 MiB.
pub const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// The text of one file.
#[derive(Clone, Debug)]
pub struct Source {
    pub name: Arc<str>,
    pub text: String,
    /// False where the text stands only for being shown: the file isn't UTF-8.
    pub is_whole: bool,
}

/// Line and column count from one; the span counts bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    pub line: usize,
    pub column: usize,
    pub span: Span,
}

impl Source {
    /// Reads a file whole, or says why it can't be: never more than `MAX_BYTES`, whatever kind of file it is.
    pub fn read(path: &Path, findings: &mut Vec<Finding>) -> Option<Self> {
        let name: Arc<str> = path.display().to_string().into();
        let at = Place::start_of(name.clone());
        let bytes = match read_bounded(path) {
            Ok(bytes) => bytes,
            Err(why) => {
                findings.push(
                    Finding::error(Code::UnreadableFile, at, format!("`{name}` can't be read: {why}"))
                        .hint("check the path and its permissions"),
                );
                return None;
            }
        };
        let Some(bytes) = bytes else {
            findings.push(
                Finding::error(
                    Code::FileTooLarge,
                    at,
                    format!("`{name}` is larger than {} MiB", MAX_BYTES / 1024 / 1024),
                )
                .hint("one file describes one organisation; is this one meant?"),
            );
            return None;
        };
        match decode(bytes, &at, findings) {
            Ok(text) => Some(Self { name, text, is_whole: true }),
            Err(text) => Some(Self { name, text, is_whole: false }),
        }
    }

    /// A text that is no file's.
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

    /// The place of a line and column that came without bytes.
    pub fn place_at(&self, line: usize, column: usize) -> Place {
        let (line, column) = (line.max(1), column.max(1));
        let before: usize = self.text.split_inclusive('\n').take(line - 1).map(str::len).sum();
        let rest = &self.text[before..];
        let within = rest.char_indices().nth(column - 1).map_or(rest.len(), |(at, _)| at);
        let start = before + within;
        self.place(Mark { line, column, span: Span { start, end: start } })
    }

    /// The lines on which a credential could stand. They are never shown, even when they are wrong YAML.
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

    /// The line that a span starts on, without its end, and the byte where it begins.
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

/// The text, or what can be shown of it.
fn decode(mut bytes: Vec<u8>, at: &Place, findings: &mut Vec<Finding>) -> Result<String, String> {
    let name = &at.file;
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        findings.push(
            Finding::error(Code::NotUtf8, at.clone(), format!("`{name}` is UTF-16"))
                .hint("save it as UTF-8 without a byte order mark"),
        );
        return Err(utf16_lossy(&bytes));
    }
    if bytes.starts_with(&[0xef, 0xbb, 0xbf]) {
        bytes.drain(..3);
        findings.push(
            Finding::warning(Code::ByteOrderMark, at.clone(), format!("`{name}` starts with a byte order mark"))
                .hint("save it as UTF-8 without one; some tools take the mark for a part of the first key"),
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
            let message = format!("`{name}` isn't UTF-8: the byte 0x{byte:02x} can't stand here");
            findings.push(Finding::error(Code::NotUtf8, place, message).hint("save the file as UTF-8"));
            Err(String::from_utf8_lossy(error.as_bytes()).into_owned())
        }
    }
}
