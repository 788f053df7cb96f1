//! The report of a pull: what would change in each file, as a diff and as a document.

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::Serialize;
use similar::group_diff_ops;
use similar::udiff::UnifiedHunkHeader;

use super::style::{ADD, BOLD, DIM, REMOVE, clean, paint, plural};
use rolecall_config::{Pull, Pulled, compare_lines};
use rolecall_model::{Address, Unread};

/// The version of [`PullReport`].
pub const PULL_VERSION: &str = "1.0";

/// The document that `pull --format json` writes.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PullReport {
    pub format_version: &'static str,
    /// The name and version of rolecall.
    pub generator: &'static str,
    pub files: Vec<PulledFile>,
    /// Organisations that couldn't be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<Unread>,
}

/// One file, and what was pulled into it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PulledFile {
    pub path: String,
    /// True if the file was written.
    pub written: bool,
    pub pulled: Vec<PulledEntry>,
    /// Differences that no file can say, or that rolecall doesn't know for sure.
    pub left: Vec<LeftEntry>,
    /// The difference to the file before, in the unified format. Empty if there is none.
    pub diff: String,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PulledEntry {
    pub address: Address,
    pub is: Pull,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct LeftEntry {
    pub address: Address,
    pub why: String,
}

impl PulledFile {
    /// Describes a pull into a file that had the text `before`.
    pub fn new(path: String, before: &str, pulled: &Pulled) -> Self {
        let Pulled { text, pulled, left } = pulled;
        Self {
            diff: unified(&path, before, text),
            path,
            written: false,
            pulled: pulled.iter().map(|(address, is)| PulledEntry { address: address.clone(), is: *is }).collect(),
            left: left
                .iter()
                .map(|(address, why)| LeftEntry { address: address.clone(), why: why.clone() })
                .collect(),
        }
    }
}

/// The number of lines before and after a change.
const CONTEXT: usize = 3;

/// Returns the difference between two texts of a file, in the unified format.
pub(super) fn unified(path: &str, before: &str, after: &str) -> String {
    if before == after {
        return String::new();
    }
    let lines = |text| str::split_inclusive(text, '\n').collect::<Vec<_>>();
    let (before, after) = (lines(before), lines(after));
    let mut text = format!("--- a/{path}\n+++ b/{path}\n");
    for steps in group_diff_ops(compare_lines(&before, &after), CONTEXT) {
        let _ = writeln!(text, "{}", UnifiedHunkHeader::new(&steps));
        for change in steps.iter().flat_map(|step| step.iter_changes(&*before, &*after)) {
            let end = if change.value().ends_with('\n') { "" } else { "\n\\ No newline at end of file\n" };
            let _ = write!(text, "{}{}{end}", change.tag(), change.value());
        }
    }
    text
}

/// Writes the diff of each file for a terminal.
pub fn pull_diff(files: &[PulledFile]) -> String {
    painted_diff(files.iter().map(|file| &*file.diff))
}

/// Writes diffs for a terminal.
pub(super) fn painted_diff<'a>(diffs: impl Iterator<Item = &'a str>) -> String {
    let mut text = String::new();
    for line in diffs.flat_map(str::lines) {
        let shown = clean(line.trim_end_matches('\r'));
        let style = match line.as_bytes() {
            [b'-', b'-', b'-', ..] | [b'+', b'+', b'+', ..] => BOLD,
            [b'-', ..] => REMOVE,
            [b'+', ..] => ADD,
            [b'@', ..] => DIM,
            _ => {
                let _ = writeln!(text, "{shown}");
                continue;
            }
        };
        let _ = writeln!(text, "{}", paint(style, shown));
    }
    text
}

/// Returns what became of a file that differs. `write`: it was to be written.
pub(super) fn written_or_not(written: bool, write: bool) -> &'static str {
    match (written, write) {
        (true, _) => "The file is written.",
        (false, true) => "The file is not written.",
        (false, false) => "`--write` writes the file.",
    }
}

/// Writes what became of each file, and what can't be pulled. `write`: the files were to be written.
pub fn pull_summary(PullReport { files, .. }: &PullReport, write: bool) -> String {
    let mut text = String::new();
    for PulledFile { path, written, pulled, left, .. } in files {
        let count = |wanted: Pull| pulled.iter().filter(|entry| entry.is == wanted).count();
        let parts = [(Pull::Added, "new"), (Pull::Changed, "changed"), (Pull::Gone, "gone")];
        let parts: Vec<String> = parts
            .iter()
            .filter(|(is, _)| count(*is) > 0)
            .map(|(is, word)| format!("{} {word}", count(*is)))
            .collect();
        let _ = match &*parts {
            [] => writeln!(text, "{}: nothing to pull.", clean(path)),
            parts => {
                writeln!(text, "{}: {}. {}", clean(path), parts.join(", "), written_or_not(*written, write))
            }
        };
        if !left.is_empty() {
            let _ = writeln!(text, "{} can't be pulled:", plural(left.len(), "difference"));
        }
        for LeftEntry { address, why } in left {
            let _ = writeln!(text, "  {}: {}", clean(address), clean(why));
        }
    }
    text
}
