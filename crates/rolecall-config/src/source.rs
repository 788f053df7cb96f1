//! The [`Source`] text of a file, and places in it.

use std::collections::BTreeSet;
use std::fs::{File, Metadata};
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::files::unreadable;
use rolecall_model::{Code, Finding, Place, Span, large};

/// The size limit of a file, in bytes. 100,000 users take about 20 MiB.
pub const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// The length of a line that is shown whole, in bytes.
const LONGEST_LINE: usize = 400;

/// A line of a file, or a part of it.
#[derive(Clone, Copy, Debug)]
pub struct Excerpt<'a> {
    /// The position of the text in the file, in bytes.
    pub start: usize,
    pub text: &'a str,
    pub cut_before: bool,
    pub cut_after: bool,
}

impl Excerpt<'_> {
    fn is_cut(&self) -> bool {
        self.cut_before || self.cut_after
    }
}

/// The text of one file.
#[derive(Clone, Debug)]
pub struct Source {
    pub name: Arc<str>,
    pub text: String,
    /// Zero for a file that the command line names or that is in a folder. Files that other files include are numbered
    /// from one: see [`Mark::file`].
    pub number: u32,
    /// False if the file isn't UTF-8. Then the text is only good for showing lines.
    pub is_whole: bool,
    /// True for the people of a directory, which isn't YAML. None of its lines is shown, because it may have more than rolecall
    /// reads.
    pub is_data: bool,
}

/// A place in a [`Source`]. Line and column count from one, the span counts bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// The number of the source among the texts that describe an organisation.
    pub file: u32,
    pub line: u32,
    pub column: u32,
    pub span: Span,
}

impl Mark {
    /// Returns the mark as numbers, which serde can carry.
    pub fn numbers(self) -> [u32; 5] {
        let Self { file, line, column, span } = self;
        let [start, end] = span.numbers();
        [file, line, column, start, end]
    }

    /// Returns the mark that has these numbers.
    pub fn of_numbers([file, line, column, start, end]: [u32; 5]) -> Self {
        Self { file, line, column, span: Span::of_numbers([start, end]) }
    }
}

impl Source {
    /// Reads a file of at most [`MAX_BYTES`]. Reports a finding and returns `None` if it can't be read.
    pub fn read(path: &Path, findings: &mut Vec<Finding>) -> Option<Self> {
        let name: Arc<str> = path.display().to_string().into();
        let at = Place::start_of(name.clone());
        let bytes = match read_bounded(path) {
            Ok(bytes) => bytes,
            Err(why) => {
                findings.push(unreadable(path, &why));
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
        Some(Self::decoded(&name, bytes, findings))
    }

    /// Creates a source from the bytes of a file. Reports a finding if they aren't UTF-8.
    pub fn decoded(name: &str, bytes: Vec<u8>, findings: &mut Vec<Finding>) -> Self {
        let (text, is_whole) = match decode(bytes, &Place::start_of(name), findings) {
            Ok(text) => (text, true),
            Err(text) => (text, false),
        };
        Self { name: name.into(), text, number: 0, is_whole, is_data: false }
    }

    /// Creates a source from a text that isn't in a file. `name` is used in places.
    pub fn inline(name: &str, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into(), number: 0, is_whole: true, is_data: false }
    }

    /// Returns the SHA-256 of its text.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(&self.text).into()
    }

    pub fn start(&self) -> Place {
        Place::start_of(self.name.clone())
    }

    pub fn place(&self, mark: Mark) -> Place {
        let Mark { file: _, line, column, span } = mark;
        Place { file: self.name.clone(), line: large(line), column: large(column), span }
    }

    /// Returns the place of a line and a column, and computes its span.
    pub fn place_at(&self, line: usize, column: usize) -> Place {
        let (line, column) = (line.max(1), column.max(1));
        let before: usize = self.text.split_inclusive('\n').take(line - 1).map(str::len).sum();
        let rest = &self.text[before..];
        let within = rest.char_indices().nth(column - 1).map_or(rest.len(), |(at, _)| at);
        let start = before + within;
        Place { file: self.name.clone(), line, column, span: Span::new(start..start) }
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

    /// Returns the line on which a span starts, or the part of a long line around it. The work doesn't depend on
    /// the length of the line, because one line may have many findings. Returns `None` if the span isn't in the
    /// text, and for the people of a directory.
    pub fn excerpt(&self, span: Span) -> Option<Excerpt<'_>> {
        let at = span.start();
        if self.is_data || !self.text.is_char_boundary(at) {
            return None;
        }
        let whole = self.window(at, LONGEST_LINE);
        let is_short = !whole.is_cut() && whole.text.len() <= LONGEST_LINE;
        Some(if is_short { whole } else { self.window(at, LONGEST_LINE / 2) })
    }

    /// Returns the part of a line that reaches at most `bytes` to each side. Words at its ends are not cut, because
    /// a part of a credential doesn't look like one.
    fn window(&self, at: usize, bytes: usize) -> Excerpt<'_> {
        let is_separator = |c: char| c.is_whitespace() || matches!(c, ',' | '[' | ']' | '{' | '}');
        let (before, after) = self.text.split_at(at);
        let mut from = at.saturating_sub(bytes);
        while !before.is_char_boundary(from) {
            from += 1;
        }
        let line_start = before[from..].rfind('\n').map(|end| from + end + 1);
        let (start, cut_before) = match line_start {
            Some(start) => (start, false),
            None if from == 0 || before[..from].ends_with('\n') => (from, false),
            None => (before[from..].find(is_separator).map_or(at, |found| from + found), true),
        };
        let mut to = bytes.min(after.len());
        while !after.is_char_boundary(to) {
            to -= 1;
        }
        let (end, cut_after) = match after[..to].find('\n') {
            Some(end) => (end, false),
            None if to == after.len() || after[to..].starts_with('\n') => (to, false),
            None => (after[..to].rfind(is_separator).unwrap_or(0), true),
        };
        let text = &self.text[start..at + end];
        Excerpt { start, text: text.strip_suffix('\r').unwrap_or(text), cut_before, cut_after }
    }

    pub fn slice(&self, span: Span) -> &str {
        self.text.get(span.range()).unwrap_or_default()
    }
}

/// The texts that describe one organisation: its file, and the files that it includes. A [`Mark`] is a place in one of
/// them.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    pub head: &'a Source,
    /// Every file that any file includes, in the order of their numbers.
    pub included: &'a [Source],
}

impl<'a> Sources<'a> {
    /// Returns the text that a mark is in.
    pub fn of(self, mark: Mark) -> &'a Source {
        let before = usize::try_from(mark.file).ok().and_then(|number| number.checked_sub(1));
        before.and_then(|index| self.included.get(index)).unwrap_or(self.head)
    }

    pub fn start(self) -> Place {
        self.head.start()
    }

    pub fn place(self, mark: Mark) -> Place {
        self.of(mark).place(mark)
    }

    /// Returns the line of a mark in words, with the file if another mark is in a different one.
    pub fn line_of(self, mark: Mark, beside: Mark) -> String {
        let line = format!("on line {}", mark.line);
        if mark.file == beside.file { line } else { format!("in {}, {line}", self.of(mark).name) }
    }

    pub fn slice(self, mark: Mark) -> &'a str {
        self.of(mark).slice(mark.span)
    }
}

fn read_bounded(path: &Path) -> std::io::Result<Option<Vec<u8>>> {
    // The file is looked at before it is opened, because opening a pipe waits for its writer. Below `/proc` are the
    // variables and the memory of processes.
    check_kind(&std::fs::metadata(path)?)?;
    if path.canonicalize()?.starts_with("/proc") {
        return Err(std::io::Error::other("it belongs to the system"));
    }
    let file = File::open(path)?;
    let meta = file.metadata()?;
    check_kind(&meta)?;
    if meta.len() > MAX_BYTES {
        return Ok(None);
    }
    let mut bytes = Vec::with_capacity(usize::try_from(meta.len()).unwrap_or(0));
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= MAX_BYTES).then_some(bytes))
}

fn check_kind(meta: &Metadata) -> std::io::Result<()> {
    match (meta.is_dir(), meta.is_file()) {
        (true, _) => Err(std::io::Error::other("it is a folder")),
        (false, false) => Err(std::io::Error::other("it is a pipe or a device")),
        (false, true) => Ok(()),
    }
}

/// Returns whether a file is in UTF-16. Without a mark, every second byte of a YAML file in it is zero at first.
fn is_utf16(bytes: &[u8]) -> bool {
    match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => true,
        [a, b, c, d, ..] => (*a == 0) != (*b == 0) && (*a == 0) == (*c == 0) && (*b == 0) == (*d == 0),
        _ => false,
    }
}

fn utf16_lossy(bytes: &[u8]) -> String {
    let little = matches!(bytes, [0xff, 0xfe, ..] | [_, 0, ..]);
    let bytes = if matches!(bytes, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) { &bytes[2..] } else { bytes };
    let unit = |pair: &[u8]| match pair {
        [a, b] if little => u16::from_le_bytes([*a, *b]),
        [a, b] => u16::from_be_bytes([*a, *b]),
        _ => 0xfffd,
    };
    let units: Vec<u16> = bytes.chunks(2).map(unit).collect();
    String::from_utf16_lossy(&units)
}

/// Decodes a file as UTF-8. If it isn't UTF-8, the error is a text that can be shown.
fn decode(mut bytes: Vec<u8>, at: &Place, findings: &mut Vec<Finding>) -> Result<String, String> {
    let name = &at.file;
    if is_utf16(&bytes) {
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
            let span = Span::new(good..good);
            let place = Place { line, column, span, ..at.clone() };
            let message = format!("`{name}` isn't UTF-8: the byte 0x{byte:02x} is not valid here.");
            findings.push(Finding::error(Code::NotUtf8, place, message).hint("Save the file as UTF-8."));
            Err(String::from_utf8_lossy(error.as_bytes()).into_owned())
        }
    }
}
