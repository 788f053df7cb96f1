//! The files that other files include, each read once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::super::delivery::normalize;
use super::super::files::{is_below_link, is_yaml, unreadable};
use super::super::node::{self, Located, Node};
use super::super::source::{Mark, Source, Sources};
use super::super::syntax;
use super::people::{self, PeopleFile};
use rolecall_model::{Code, Finding, Pattern, quote};

/// Reads the files that other files include: from the file system, or as of a revision.
pub trait Files {
    /// Reads a file. Reports a finding and returns `None` if it can't be read.
    fn read(&self, path: &Path, findings: &mut Vec<Finding>) -> Option<Source>;

    /// Returns the paths of the files in a folder.
    fn list(&self, folder: &Path) -> std::io::Result<Vec<PathBuf>>;

    /// Returns whether a path lies in the folders that files may include from.
    fn is_inside(&self, path: &Path) -> bool;
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

    /// Files may include what lies in the repository, or else in the folder that rolecall runs in.
    fn is_inside(&self, path: &Path) -> bool {
        let (Ok(whole), Ok(here)) = (std::path::absolute(path), std::env::current_dir()) else { return false };
        let top = here.ancestors().find(|folder| folder.join(".git").exists()).unwrap_or(&here);
        !is_below_link(path) && normalize(&whole).starts_with(top)
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

    fn is_inside(&self, _: &Path) -> bool {
        true
    }
}

/// Everything that the files of a run include, and the time of the run.
pub struct Library<'f> {
    files: &'f dyn Files,
    pub now: Timestamp,
    /// The included files. The number of a source is one more than its index.
    pub sources: Vec<Source>,
    contents: Vec<Content>,
    by_path: BTreeMap<PathBuf, Option<u32>>,
}

/// The content of an included file.
enum Content {
    People(PeopleFile),
    /// Entries of an organisation, and the files that they include in turn.
    Part {
        root: Located,
        includes: Vec<(u32, Mark)>,
    },
    /// It has an error.
    Broken,
}

/// The fields that an included file may have, besides those for people.
const PARTS: &[&str] = &["users", "roles", "keys", "teams"];

/// The field that names other files.
const INCLUDE: &str = "include";

impl<'f> Library<'f> {
    pub fn new(files: &'f dyn Files, now: Timestamp) -> Self {
        Self { files, now, sources: Vec::new(), contents: Vec::new(), by_path: BTreeMap::new() }
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
        numbers
    }

    /// Returns these files and all that they include, each once, in the order in which they are named.
    fn flatten(&self, files: &[(u32, Mark)], numbers: &mut Vec<u32>) {
        for (number, _) in files {
            if numbers.contains(number) {
                continue;
            }
            numbers.push(*number);
            if let Some(Content::Part { includes, .. }) = self.content(*number) {
                self.flatten(includes, numbers);
            }
        }
    }

    fn content(&self, number: u32) -> Option<&Content> {
        self.contents.get(usize::try_from(number).ok()?.checked_sub(1)?)
    }

    /// Returns the entries of these files.
    pub fn parts<'a>(&'a self, numbers: &'a [u32]) -> impl Iterator<Item = &'a Located> {
        numbers.iter().filter_map(|number| match self.content(*number)? {
            Content::Part { root, .. } => Some(root),
            Content::People(_) | Content::Broken => None,
        })
    }

    /// Returns the people of these files.
    pub fn people<'a>(&'a self, numbers: &'a [u32]) -> impl Iterator<Item = &'a PeopleFile> {
        numbers.iter().filter_map(|number| match self.content(*number)? {
            Content::People(file) => Some(file),
            Content::Part { .. } | Content::Broken => None,
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
            if Path::new(text).is_absolute() || !self.files.is_inside(&path) {
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
                if let Some(start) = above.iter().position(|other| *other == file) {
                    let names: Vec<String> =
                        above[start..].iter().chain([&file]).map(|path| path.display().to_string()).collect();
                    refuse(
                        format!("The file includes itself: {}.", names.join(" → ")),
                        "Remove one of the paths.",
                        findings,
                    );
                } else if let Some(number) = self.read(&file, above, findings) {
                    numbers.push((number, item.mark));
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

    /// Reads a file, unless it was read before.
    fn read(&mut self, path: &Path, above: &mut Vec<PathBuf>, findings: &mut Vec<Finding>) -> Option<u32> {
        if let Some(known) = self.by_path.get(path) {
            return *known;
        }
        let mut found = Vec::new();
        let source = self.files.read(path, &mut found);
        let number = source.map(|source| {
            let number = u32::try_from(self.sources.len() + 1).unwrap_or(u32::MAX);
            let source = Source { number, ..source };
            self.sources.push(source.clone());
            self.contents.push(Content::Broken);
            above.push(path.to_owned());
            let content = self.parse(&source, above, &mut found);
            above.pop();
            if let Some(last) = usize::try_from(number - 1).ok().and_then(|index| self.contents.get_mut(index)) {
                *last = content;
            }
            if !seems_ours(&source.text) {
                found = found.drain(..).map(Finding::without_source).collect();
            }
            number
        });
        self.by_path.insert(path.to_owned(), number);
        findings.append(&mut found);
        number
    }

    fn parse(&mut self, source: &Source, above: &mut Vec<PathBuf>, findings: &mut Vec<Finding>) -> Content {
        let sources = Sources { head: source, included: &[] };
        let before = findings.len();
        if source.is_whole {
            findings.append(&mut syntax::conflicts(source));
        }
        if findings.len() > before || !source.is_whole {
            return Content::Broken;
        }
        findings.append(&mut syntax::characters(source));
        findings.append(&mut syntax::tags(source));
        let mut root = match node::parse(source) {
            Ok(root) => root,
            Err(finding) => {
                findings.push(finding);
                return Content::Broken;
            }
        };
        syntax::texts(source, &root, findings);
        let Node::Map(entries) = &mut root.node else {
            let message = "The file isn't a mapping of fields.";
            let finding = Finding::error(Code::WrongType, source.place(root.mark), message);
            findings.push(finding.hint("Start with `kind: people`, or with a list such as `users:`."));
            return Content::Broken;
        };
        entries.retain(|(key, _)| !key.text().is_some_and(|name| name.starts_with("x-")));
        if root.has_field("kind") {
            let kind = root.field("kind").and_then(Located::text);
            if kind == Some("people") {
                return Content::People(people::check(&root, sources, findings));
            }
            let mark = root.field("kind").map_or(root.mark, |kind| kind.mark);
            let finding = Finding::error(Code::InvalidValue, source.place(mark), "There is no such kind of file.");
            findings.push(finding.hint("Write `kind: people`, or remove the field."));
            return Content::Broken;
        }
        let includes = self.included(source, &mut root, above, findings);
        let Node::Map(entries) = &root.node else { return Content::Broken };
        for (key, _) in entries {
            let name = key.text().unwrap_or_default();
            if !PARTS.contains(&name) {
                let message = format!("An included file has no field {}.", quote(name));
                let hint = "It has `users`, `roles`, `keys`, `teams` and `include`. All other fields stand in the file that includes it.";
                findings.push(Finding::error(Code::Include, source.place(key.mark), message).hint(hint));
            }
        }
        Content::Part { root, includes }
    }
}

/// Returns whether a text seems to be a file that others include. Lines of other files are never shown.
fn seems_ours(text: &str) -> bool {
    let fields = PARTS.iter().copied().chain(["kind: people", "people", "groups"]);
    let fields: Vec<&str> = fields.collect();
    text.lines().any(|line| {
        fields
            .iter()
            .any(|field| line.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with(':')))
    })
}
