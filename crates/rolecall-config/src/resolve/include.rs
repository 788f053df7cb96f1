//! The files that other files include, each read once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::super::delivery::normalize;
use super::super::files::{is_below_link, is_yaml, unreadable};
use super::super::node::{Located, Node};
use super::super::source::{Mark, Source, Sources};
use super::super::{remove_extensions, syntax, tree};
use super::directory::{Answers, Commands};
use super::people::{self, PeopleFile};
use rolecall_model::{Code, Finding, Pattern, nearest, quote};

/// Reads the files that other files include: from the file system, or as of a revision.
pub trait Files: Sync {
    /// Reads a file. Reports a finding and returns `None` if it can't be read.
    fn read(&self, path: &Path, findings: &mut Vec<Finding>) -> Option<Source>;

    /// Returns the paths of the files in a folder.
    fn list(&self, folder: &Path) -> std::io::Result<Vec<PathBuf>>;

    /// Returns whether a path lies where the file of an organisation, or one that it includes, may include from.
    fn is_inside(&self, path: &Path, head: &Path) -> bool;
}

/// Reads files of the file system.
#[derive(Clone, Copy, Debug)]
pub struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path, findings: &mut Vec<Finding>) -> Option<Source> {
        Source::read(path, findings)
    }

    fn list(&self, folder: &Path) -> std::io::Result<Vec<PathBuf>> {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect()
    }

    /// Files may include what lies in their repository. Without git, that is the folder that rolecall runs in, or the one
    /// above that of a file that lies elsewhere.
    fn is_inside(&self, path: &Path, head: &Path) -> bool {
        let absolute = |path: &Path| std::path::absolute(path).map(|path| normalize(&path));
        let (Ok(whole), Ok(head), Ok(here)) = (absolute(path), absolute(head), std::env::current_dir()) else {
            return false;
        };
        let folders = || head.ancestors().skip(1);
        let repository = folders().find(|folder| folder.join(".git").exists());
        let above = || if head.starts_with(&here) { Some(&*here) } else { folders().nth(1) };
        let top = repository.or_else(above);
        !is_below_link(path) && top.is_some_and(|top| whole.starts_with(top))
    }
}

/// Has no files. A text that isn't in a file can't include any.
#[derive(Clone, Copy, Debug)]
pub struct NoFiles;

impl Files for NoFiles {
    fn read(&self, path: &Path, findings: &mut Vec<Finding>) -> Option<Source> {
        findings.push(unreadable(path, &std::io::Error::from(std::io::ErrorKind::NotFound)));
        None
    }

    fn list(&self, _: &Path) -> std::io::Result<Vec<PathBuf>> {
        Err(std::io::Error::from(std::io::ErrorKind::NotFound))
    }

    fn is_inside(&self, _: &Path, _: &Path) -> bool {
        true
    }
}

/// Everything that the files of a run include, and the time of the run.
pub struct Library<'f> {
    pub(super) files: &'f dyn Files,
    pub(super) commands: &'f dyn Commands,
    /// The answers of the commands that were run.
    pub answers: Answers,
    pub now: Timestamp,
    /// Whether each resolved file is written, and if so, with the place of each value.
    pub origins: Option<bool>,
    /// The included files. The number of a source is one more than its index.
    pub sources: Vec<Source>,
    contents: Vec<Content>,
    /// The findings in each of them. Each organisation that includes the file has them.
    findings: Vec<Vec<Finding>>,
    by_path: BTreeMap<PathBuf, u32>,
}

/// The content of an included file.
enum Content {
    People(PeopleFile),
    /// Entries of an organisation, and the files that they include in turn.
    Part {
        root: Located,
        includes: Vec<(u32, Mark)>,
    },
    /// People of a directory.
    Data,
    /// It has an error.
    Broken,
}

/// The fields that an included file may have, besides those for people.
pub const PARTS: &[&str] = &["users", "roles", "keys", "teams"];

/// The field that names other files.
const INCLUDE: &str = "include";

/// Other fields of files, which stand only in the file that names the organisation.
const HEAD: &[&str] = &[
    "provider",
    "organization",
    "endpoint",
    "host",
    "credentials",
    "own",
    "guardrails",
    "manage",
    "acknowledged",
    "tolerated",
    "allow",
    "settings",
    "admin_role",
    "containment_role",
    "reinvite_expired",
];

/// The files that may include one another, one inside the other.
const MAX_DEPTH: usize = 32;

const FIELDS: &str =
    "An included file has `users`, `roles`, `keys`, `teams` and `include`, or it starts with `kind: people`.";

impl<'f> Library<'f> {
    pub fn new(files: &'f dyn Files, commands: &'f dyn Commands, now: Timestamp) -> Self {
        Self {
            files,
            commands,
            answers: Answers::default(),
            now,
            origins: None,
            sources: Vec::new(),
            contents: Vec::new(),
            findings: Vec::new(),
            by_path: BTreeMap::new(),
        }
    }

    /// Reads the files that an organisation's file includes, and those that they include. Returns the number of each once.
    pub fn include(
        &mut self,
        path: &Path,
        head: &Source,
        root: &mut Located,
        findings: &mut Vec<Finding>,
    ) -> Vec<u32> {
        let mut above = vec![normalize(path)];
        let found = self.included(head, root, &mut above, findings);
        let mut numbers = Vec::new();
        self.flatten(&found, &mut numbers);
        for number in &numbers {
            findings.extend(at(&self.findings, *number).into_iter().flatten().cloned());
        }
        numbers
    }

    /// Returns these files and all that they include, each once, in the order in which they are named.
    fn flatten(&self, files: &[(u32, Mark)], numbers: &mut Vec<u32>) {
        for (number, _) in files {
            if numbers.contains(number) {
                continue;
            }
            numbers.push(*number);
            match at(&self.contents, *number) {
                Some(Content::Part { includes, .. }) => self.flatten(includes, numbers),
                Some(Content::People(file)) => numbers.extend(file.data.filter(|data| !numbers.contains(data))),
                Some(Content::Data | Content::Broken) | None => {}
            }
        }
    }

    /// Returns the entries of these files.
    pub fn parts<'a>(&'a self, numbers: &'a [u32]) -> impl Iterator<Item = &'a Located> {
        numbers.iter().filter_map(|number| match at(&self.contents, *number)? {
            Content::Part { root, .. } => Some(root),
            Content::People(_) | Content::Data | Content::Broken => None,
        })
    }

    /// Returns whether one of these files can't be used.
    pub fn is_partial(&self, numbers: &[u32]) -> bool {
        numbers.iter().any(|number| matches!(at(&self.contents, *number), Some(Content::Broken)))
    }

    /// Returns the people of these files.
    pub fn people<'a>(&'a self, numbers: &'a [u32]) -> impl Iterator<Item = &'a PeopleFile> {
        numbers.iter().filter_map(|number| match at(&self.contents, *number)? {
            Content::People(file) => Some(file),
            Content::Part { .. } | Content::Data | Content::Broken => None,
        })
    }

    pub fn with_head<'a>(&'a self, head: &'a Source) -> Sources<'a> {
        Sources { head, included: &self.sources }
    }

    /// Takes the field `include` from a tree, and reads the files that it names. `above`: the path of this file, and of
    /// those that include it.
    fn included(
        &mut self,
        source: &Source,
        root: &mut Located,
        above: &mut Vec<PathBuf>,
        findings: &mut Vec<Finding>,
    ) -> Vec<(u32, Mark)> {
        let Some(list) = root.take(INCLUDE) else { return Vec::new() };
        let place = |mark| source.place(mark);
        let Node::List(items) = list.node else {
            let message = "`include` is not a list of paths.";
            let finding = Finding::error(Code::WrongType, place(list.mark), message);
            findings.push(finding.hint("Write it like `include: [people.yaml, teams/*.yaml]`."));
            return Vec::new();
        };
        let folder = above.last().and_then(|path| path.parent()).unwrap_or(Path::new("")).to_owned();
        let head = above.first().cloned().unwrap_or_default();
        let mut numbers = Vec::new();
        for item in items {
            let Some(text) = item.text() else {
                let finding = Finding::error(Code::WrongType, place(item.mark), "This is not a path.");
                findings.push(finding.hint("Write the path of a file, or a pattern such as `teams/*.yaml`."));
                continue;
            };
            let refuse = |message: String, hint: &str, findings: &mut Vec<Finding>| {
                findings.push(Finding::error(Code::Include, place(item.mark), message).hint(hint));
            };
            let path = normalize(&folder.join(text));
            if Path::new(text).is_absolute() || !self.files.is_inside(&path, &head) {
                let message = format!("{} lies outside of the repository, or below a link.", quote(text));
                refuse(
                    message,
                    "Include a file of this repository by a relative path. Without git, run rolecall in a folder above all files.",
                    findings,
                );
                continue;
            }
            let matching = match self.matching(&path, above) {
                Ok(matching) => matching,
                Err(why) => {
                    refuse(
                        format!("The folder of {} can't be read: {why}.", quote(text)),
                        "Check the path. It starts at the folder of this file.",
                        findings,
                    );
                    continue;
                }
            };
            if matching.is_empty() {
                let hint = "Check the pattern. `*` stands for any text in the name of a file, and only `.yaml` and `.yml` files are included.";
                refuse(format!("No file matches {}.", quote(text)), hint, findings);
            }
            for file in matching {
                if !self.files.is_inside(&file, &head) {
                    let message = format!("{} is a link.", quote(&file.display().to_string()));
                    refuse(message, "Put the file itself there.", findings);
                } else if let Some(start) = above.iter().position(|other| *other == file) {
                    let names: Vec<String> =
                        above[start..].iter().chain([&file]).map(|path| path.display().to_string()).collect();
                    refuse(
                        format!("The file includes itself: {}.", names.join(" → ")),
                        "Remove one of the paths.",
                        findings,
                    );
                } else if above.len() > MAX_DEPTH {
                    let message =
                        format!("More than {MAX_DEPTH} files include one another here, one inside the other.");
                    refuse(message, "Include the files from fewer levels.", findings);
                } else {
                    let mut unread = Vec::new();
                    match self.read(&file, above, &mut unread) {
                        Some(number) => numbers.push((number, item.mark)),
                        // The place is the path that names the file.
                        None => findings.extend(
                            unread.into_iter().map(|finding| Finding { place: place(item.mark), ..finding }),
                        ),
                    }
                }
            }
        }
        numbers
    }

    /// Returns the files that a path or a pattern means, sorted. A pattern doesn't mean the file that has it.
    fn matching(&self, path: &Path, above: &[PathBuf]) -> std::io::Result<Vec<PathBuf>> {
        let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        if !name.contains('*') {
            return Ok(if is_yaml(path) { vec![path.to_owned()] } else { Vec::new() });
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut found: Vec<PathBuf> = self.files.list(folder)?.iter().map(|file| normalize(file)).collect();
        found.retain(|file| {
            let is_match = file.file_name().is_some_and(|file| Pattern::matches(&name, &file.to_string_lossy()));
            is_match && is_yaml(file) && above.last() != Some(file)
        });
        found.sort();
        Ok(found)
    }

    /// Reads a file, unless it was read before. Keeps what is wrong in it, and reports that it can't be read.
    fn read(&mut self, path: &Path, above: &mut Vec<PathBuf>, unread: &mut Vec<Finding>) -> Option<u32> {
        if let Some(known) = self.by_path.get(path) {
            return Some(*known);
        }
        let mut found = Vec::new();
        let Some(source) = self.files.read(path, &mut found) else {
            unread.append(&mut found);
            return None;
        };
        let number = self.push(source, Content::Broken);
        let source = at(&self.sources, number)?.clone();
        above.push(path.to_owned());
        let (content, is_ours) = self.parse(&source, above, &mut found);
        above.pop();
        if !is_ours {
            found = found.into_iter().map(Finding::without_source).collect();
        }
        let index = number as usize - 1;
        if let (Some(contents), Some(findings)) = (self.contents.get_mut(index), self.findings.get_mut(index)) {
            (*contents, *findings) = (content, found);
        }
        self.by_path.insert(path.to_owned(), number);
        Some(number)
    }

    /// Reads a file with the people of a directory, unless it was read before. Reports that it can't be read.
    pub(super) fn read_data(&mut self, path: &Path, unread: &mut Vec<Finding>) -> Option<u32> {
        if let Some(known) = self.by_path.get(path) {
            return Some(*known);
        }
        let source = self.files.read(path, unread)?;
        let number = self.push(Source { is_data: true, ..source }, Content::Data);
        self.by_path.insert(path.to_owned(), number);
        Some(number)
    }

    /// Adds a file, and returns its number.
    fn push(&mut self, source: Source, content: Content) -> u32 {
        let number = u32::try_from(self.sources.len() + 1).unwrap_or(u32::MAX);
        self.sources.push(Source { number, ..source });
        self.contents.push(content);
        self.findings.push(Vec::new());
        number
    }

    /// Returns the content of a file, and whether it is surely one that others include. Lines of any other file are never
    /// shown: it may be somebody's secret.
    fn parse(
        &mut self,
        source: &Source,
        above: &mut Vec<PathBuf>,
        findings: &mut Vec<Finding>,
    ) -> (Content, bool) {
        let seems_ours = seems_ours(&source.text);
        if !source.is_whole {
            return (Content::Broken, seems_ours);
        }
        let Some((mut root, has_tags)) = tree(source, seems_ours, findings) else {
            return (Content::Broken, seems_ours);
        };
        syntax::texts(source, &root, findings);
        let mut refuse = |code, mark, message: &str, hint: &str| {
            findings.push(Finding::error(code, source.place(mark), message).hint(hint));
        };
        if !matches!(root.node, Node::Map(_)) {
            if matches!(root.node, Node::Null) {
                let hint = "Write an empty list such as `users: []`, or don't include the file.";
                refuse(Code::EmptyFile, root.mark, "The file is empty.", hint);
            } else {
                refuse(Code::WrongType, root.mark, "The file isn't a mapping of fields.", FIELDS);
            }
            return (Content::Broken, false);
        }
        remove_extensions(&mut root);
        if let Some(kind) = root.field("kind") {
            if kind.text() == Some("people") {
                let filled = if has_tags { Ok(None) } else { self.fill(&mut root, source, above, findings) };
                let Ok(filled) = filled else { return (Content::Broken, true) };
                // The people of a directory have places in another file.
                let sources = Sources { head: source, included: &self.sources };
                let file = people::check(&root, filled, sources, findings);
                return (if has_tags { Content::Broken } else { Content::People(file) }, true);
            }
            let hint = "Write `kind: people`, or remove the field.";
            refuse(Code::InvalidValue, kind.mark, "There is no such kind of file.", hint);
            return (Content::Broken, false);
        }
        if let Some(provider) = root.field("provider") {
            let message = "This file describes an organisation itself, so no other file can include it.";
            let hint = "Include people files, and parts without `provider`. A pattern such as `*.yaml` also means the files of organisations in that folder, so put parts into a folder of their own.";
            refuse(Code::Include, provider.mark, message, hint);
            return (Content::Broken, false);
        }
        let is_known = |name: &str| PARTS.contains(&name) || name == INCLUDE;
        let known = || PARTS.iter().chain(HEAD).chain(&[INCLUDE]).copied();
        let is_foreign = |name: &str| nearest(name, known()).is_none() && !["people", "groups"].contains(&name);
        let Node::Map(entries) = &root.node else { return (Content::Broken, false) };
        let mut all_known = true;
        let mut seen = BTreeSet::new();
        for (key, _) in entries {
            let name = key.text().unwrap_or_default();
            if is_known(name) && !seen.insert(name) {
                all_known = false;
                let finding = Finding::error(
                    Code::DuplicateField,
                    source.place(key.mark),
                    format!("The field `{name}` is here twice."),
                );
                findings.push(finding.hint("Merge the two fields."));
            }
            let (message, hint) = match name {
                _ if is_known(name) => continue,
                "people" | "groups" => (
                    format!("`{name}` stands only in a people file."),
                    "Add `kind: people` at the top.".to_owned(),
                ),
                _ if HEAD.contains(&name) => (
                    format!("An included file has no field `{name}`."),
                    format!("{FIELDS} All other fields stand in the file that includes it."),
                ),
                _ if is_foreign(name) => ("An included file has no such field.".to_owned(), FIELDS.to_owned()),
                _ => (
                    format!("An included file has no field {}.", quote(name)),
                    nearest(name, known())
                        .map_or_else(|| FIELDS.to_owned(), |near| format!("Did you mean `{near}`?")),
                ),
            };
            all_known = false;
            let finding = Finding::error(Code::Include, source.place(key.mark), message).hint(hint);
            findings.push(if is_foreign(name) { finding.without_source() } else { finding });
        }
        if !all_known || has_tags {
            let is_ours = entries.iter().all(|(key, _)| !is_foreign(key.text().unwrap_or_default()));
            return (Content::Broken, is_ours);
        }
        let includes = self.included(source, &mut root, above, findings);
        let is_ours = has_entries(&mut root, source, findings);
        (Content::Part { root, includes }, is_ours)
    }
}

/// Returns an item of a list whose numbers begin with one.
pub(super) fn at<T>(all: &[T], number: u32) -> Option<&T> {
    all.get(usize::try_from(number).ok()?.checked_sub(1)?)
}

/// Removes everything from a part that isn't an entry, and reports it. Returns whether there were only entries.
fn has_entries(root: &mut Located, source: &Source, findings: &mut Vec<Finding>) -> bool {
    let before = findings.len();
    let Node::Map(sections) = &mut root.node else { return false };
    let mut refuse = |mark, message: String, hint: &str| {
        let finding = Finding::error(Code::WrongType, source.place(mark), message).hint(hint);
        findings.push(finding.without_source());
    };
    sections.retain_mut(|(key, section)| match &mut section.node {
        Node::List(items) => {
            items.retain(|item| {
                let is_entry = matches!(item.node, Node::Map(_));
                if !is_entry {
                    refuse(item.mark, "This is not an entry.".to_owned(), "Write a mapping of fields.");
                }
                is_entry
            });
            true
        }
        Node::Null | Node::Bool(_) | Node::Number(_) | Node::Text(_) | Node::Map(_) => {
            let message = format!("`{}` is not a list.", key.text().unwrap_or_default());
            refuse(section.mark, message, "Write a list of entries, or leave the field out.");
            false
        }
    });
    findings.len() == before
}

/// Returns whether a text that isn't YAML seems to be a file that others include: all of its top-level fields are those of
/// such files.
fn seems_ours(text: &str) -> bool {
    let fields = || PARTS.iter().copied().chain([INCLUDE, "kind", "people", "groups"]);
    let mut names =
        text.lines().filter(|line| line.starts_with(|c: char| !c.is_whitespace() && !"#-]}".contains(c)));
    let mut some = false;
    let all = names.all(|line| {
        some = true;
        fields().any(|field| line.strip_prefix(field).is_some_and(|rest| rest.starts_with(':')))
    });
    some && all
}
