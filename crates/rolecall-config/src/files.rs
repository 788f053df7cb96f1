//! Loads the files that the command line names, with all their findings.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::{
    Answers, Checked, Commands, Disk, Files, Format, Library, Source, Version, accounts, check_file, check_source,
    events,
};
use rolecall_model::{Code, Desired, Finding, Place, ProviderName};

/// All loaded files and their findings.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    pub files: Vec<LoadedFile>,
    /// The findings of all files, in the order of the files.
    pub findings: Vec<Finding>,
    /// The files that others include, by their numbers less one.
    pub included: Vec<Source>,
    /// The answers of the commands that people come from.
    pub answers: Answers,
    /// The time at which the run plans, if it isn't that of the clock.
    pub now: Option<Timestamp>,
    /// The YAML files of folders that aren't rolecall's, because they have no field `provider`.
    pub skipped: Vec<PathBuf>,
}

/// One loaded file. `desired` is `None` if one of its findings is an error.
#[derive(Clone, Debug)]
pub struct LoadedFile {
    pub path: PathBuf,
    pub source: Source,
    pub desired: Option<Desired>,
    /// The numbers of the files that it includes.
    pub includes: Vec<u32>,
    /// The file with everything resolved, if the run writes it.
    pub rendered: Option<String>,
    /// The hash of its text, if only its head is kept: see [`Recheck`](super::Recheck).
    pub hash: Option<[u8; 32]>,
}

impl Loaded {
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(Finding::is_error)
    }

    /// Checks a file and adds it. `named`: the command line names the file itself, and not a folder. `findings`: those of
    /// reading it.
    fn add(
        &mut self,
        path: PathBuf,
        source: Option<Source>,
        named: bool,
        mut findings: Vec<Finding>,
        library: &mut Library<'_>,
        formats: impl Fn(ProviderName) -> &'static Format,
    ) {
        let Some(source) = source else {
            self.findings.append(&mut findings);
            return;
        };
        if !named && !mentions_provider(&source.text) {
            // The file is found in a folder and has no `provider`, so it isn't a rolecall file.
            self.skipped.push(path);
            return;
        }
        let mut checked = Checked::default();
        if source.is_whole {
            checked = check_file(&path, &source, library, &formats);
        }
        findings.append(&mut checked.findings);
        if !source.is_whole && !is_ours(&source.text) {
            findings = findings.into_iter().map(Finding::without_source).collect();
        }
        findings.sort_by(|a, b| (&a.place, a.code).cmp(&(&b.place, b.code)));
        self.findings.append(&mut findings);
        let Checked { desired, included: includes, rendered, .. } = checked;
        self.files.push(LoadedFile { path, source, desired, includes, rendered, hash: None });
    }

    /// Takes over what a library has read. A finding in a file that several files include is told once.
    fn finish(&mut self, library: &Library<'_>) {
        (self.included, self.answers) = (library.sources.clone(), library.answers.clone());
        if !self.included.is_empty() {
            let mut told = BTreeSet::new();
            let key = |finding: &Finding| (finding.place.clone(), finding.code, finding.message.clone());
            self.findings.retain(|finding| told.insert(key(finding)));
        }
    }

    /// Returns the texts of all files that were read.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        self.files.iter().map(|file| &file.source).chain(&self.included)
    }

    /// Returns the files that describe the same organisation as `desired`.
    pub fn version(&self, desired: &Desired) -> Option<Version<'_>> {
        let (source, desired) = self.counterpart(desired)?;
        let file = self.files.iter().find(|file| std::ptr::eq(&raw const file.source, source))?;
        let included = file
            .includes
            .iter()
            .filter_map(|number| self.included.get(usize::try_from(*number).ok()?.checked_sub(1)?));
        Some(Version { source, included: included.collect(), desired })
    }

    /// Returns `sha256:` and the hash of the texts of all files, by which two runs see that they read the same. Neither the
    /// paths nor the order of the files count, but which of them include which.
    pub fn digest(&self) -> String {
        let included: Vec<[u8; 32]> = self.included.iter().map(Source::hash).collect();
        let of_file = |file: &LoadedFile| {
            let number = |number: &u32| included.get(usize::try_from(*number).ok()?.checked_sub(1)?);
            let own = file.hash.unwrap_or_else(|| file.source.hash());
            let all = std::iter::once(&own).chain(file.includes.iter().filter_map(number));
            all.fold(Sha256::new(), Digest::chain_update).finalize()
        };
        let mut files: Vec<_> = self.files.iter().map(of_file).collect();
        files.sort();
        let mut text = String::from("sha256:");
        for byte in Sha256::digest(files.concat()) {
            let _ = write!(text, "{byte:02x}");
        }
        text
    }

    /// Returns the paths of all files of a run: those that it was given, and those that they include.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        let included = self.included.iter().map(|source| Path::new(&*source.name));
        self.files.iter().map(|file| &*file.path).chain(included)
    }

    /// Returns the file that describes the same organisation as `desired`.
    pub fn counterpart(&self, desired: &Desired) -> Option<(&Source, &Desired)> {
        let is_same = |other: &&Desired| {
            other.provider == desired.provider && other.organization.value == desired.organization.value
        };
        self.files.iter().find_map(|file| Some((&file.source, file.desired.as_ref().filter(is_same)?)))
    }
}

/// Reads and checks files and folders. A folder stands for its `*.yaml` and `*.yml` files that have a field
/// `provider`. Subfolders aren't read.
///
/// `now`: access that has ended then is no longer a part of what the files ask for.
pub fn load(
    paths: &[PathBuf],
    commands: &dyn Commands,
    now: Timestamp,
    formats: impl Fn(ProviderName) -> &'static Format,
) -> Loaded {
    load_with(paths, Library::new(&Disk, commands, now), formats)
}

/// Reads and checks files and folders, and keeps each organisation's file with everything resolved. `origins`: each value
/// has a comment with its place.
pub fn load_rendered(
    paths: &[PathBuf],
    commands: &dyn Commands,
    now: Timestamp,
    origins: bool,
    formats: impl Fn(ProviderName) -> &'static Format,
) -> Loaded {
    let mut library = Library::new(&Disk, commands, now);
    library.origins = Some(origins);
    load_with(paths, library, formats)
}

fn load_with(
    paths: &[PathBuf],
    library: Library<'_>,
    formats: impl Fn(ProviderName) -> &'static Format,
) -> Loaded {
    load_kept(paths, library, formats, |_| {}).0
}

/// Reads and checks files. `keep` drops what needn't be kept of a file without findings. Returns the library, too.
pub(super) fn load_kept<'f>(
    paths: &[PathBuf],
    mut library: Library<'f>,
    formats: impl Fn(ProviderName) -> &'static Format,
    mut keep: impl FnMut(&mut LoadedFile),
) -> (Loaded, Library<'f>) {
    let mut loaded = Loaded::default();
    for (path, named) in expand(paths, &mut loaded.findings) {
        let mut findings = Vec::new();
        let source = Source::read(&path, &mut findings);
        let before = (loaded.findings.len(), loaded.files.len());
        loaded.add(path, source, named, findings, &mut library, &formats);
        if let Some(file) = loaded.files.get_mut(before.1).filter(|_| loaded.findings.len() == before.0) {
            keep(file);
        }
    }
    loaded.finish(&library);
    if loaded.files.is_empty() && loaded.findings.is_empty() {
        let place =
            Place::start_of(paths.first().map_or_else(|| ".".to_owned(), |path| path.display().to_string()));
        loaded.findings.push(
            Finding::error(Code::NoFiles, place, "There is no rolecall file here.")
                .hint("Name a file, or a folder with `*.yaml` files that have a field `provider`."),
        );
    }
    check_together(&mut loaded, formats);
    (loaded, library)
}

/// Checks what files say together.
fn check_together(loaded: &mut Loaded, formats: impl Fn(ProviderName) -> &'static Format) {
    report_duplicate_organizations(loaded);
    let files: Vec<&Desired> = loaded.files.iter().filter_map(|file| file.desired.as_ref()).collect();
    let mut contradicted = accounts::contradicted(&files, formats);
    loaded.findings.append(&mut contradicted);
}

/// The content of a file that isn't in a folder now.
#[derive(Clone, Debug)]
pub struct Content {
    /// The path of the file in findings.
    pub name: String,
    /// The path of the file, at which the paths that it includes start.
    pub path: PathBuf,
    pub bytes: Vec<u8>,
    /// True if the command line names the file itself, and not its folder.
    pub named: bool,
}

/// Checks the contents of files that aren't in a folder now, such as those of an earlier revision. There may be none of
/// rolecall among them.
pub fn load_contents(
    contents: Vec<Content>,
    files: &dyn Files,
    commands: &dyn Commands,
    now: Timestamp,
    formats: impl Fn(ProviderName) -> &'static Format,
) -> Loaded {
    let mut loaded = Loaded::default();
    let mut library = Library::new(files, commands, now);
    for Content { name, path, bytes, named } in contents {
        let mut findings = Vec::new();
        let source = Source::decoded(&name, bytes, &mut findings);
        loaded.add(path, Some(source), named, findings, &mut library, &formats);
    }
    loaded.finish(&library);
    check_together(&mut loaded, formats);
    loaded
}

/// Checks a text as if it were the only file. `name` stands for its path in findings.
pub fn load_text(name: &str, text: &str, formats: impl Fn(ProviderName) -> &'static Format) -> Loaded {
    let source = Source::inline(name, text);
    let (desired, findings) = check_source(&source, formats);
    let file = LoadedFile {
        path: PathBuf::from(name),
        source,
        desired,
        includes: Vec::new(),
        rendered: None,
        hash: None,
    };
    Loaded { files: vec![file], findings, ..Loaded::default() }
}

/// Lists each file once, and whether the command line names the file itself. A link is not followed: in a pull
/// request it could lead to any file of the machine, and a finding could show what is in it.
fn expand(paths: &[PathBuf], findings: &mut Vec<Finding>) -> Vec<(PathBuf, bool)> {
    let mut files: Vec<(PathBuf, bool)> = Vec::new();
    for path in paths {
        if is_below_link(path) {
            findings.push(link(path));
        } else if !path.is_dir() {
            files.push((path.clone(), true));
        } else {
            match yaml_files(path) {
                Ok(found) => files.extend(found.into_iter().map(|file| (file, false))),
                Err(why) => findings.push(unreadable(path, &why)),
            }
        }
    }
    files.retain(|(file, named)| {
        let is_link = !named && file.is_symlink();
        // A folder may have links that are none of ours. Nothing of their text is shown.
        if is_link && Source::read(file, &mut Vec::new()).is_some_and(|source| mentions_provider(&source.text)) {
            findings.push(link(file));
        }
        !is_link
    });
    let mut seen = BTreeSet::new();
    files.retain(|(file, _)| seen.insert(file.canonicalize().unwrap_or_else(|_| file.clone())));
    files
}

/// Returns whether a file or a folder above it is a link. Top-level folders such as `/tmp` don't count: on some
/// machines they are links.
pub(super) fn is_below_link(file: &Path) -> bool {
    let is_deep = |path: &&Path| path.is_relative() || path.components().count() > 2;
    file.ancestors().filter(is_deep).any(Path::is_symlink)
}

fn link(path: &Path) -> Finding {
    let name = path.display().to_string();
    let message = format!("`{name}` is a link, or lies below one, so it may be any file on this machine.");
    Finding::error(Code::UnreadableFile, Place::start_of(name), message)
        .hint("Name the file by its real path, or put the file itself there.")
}

/// Reports a file or a folder that can't be read.
pub(super) fn unreadable(path: &Path, why: &std::io::Error) -> Finding {
    let name = path.display().to_string();
    let message = format!("`{name}` can't be read: {why}.");
    Finding::error(Code::UnreadableFile, Place::start_of(name), message)
        .hint("Check the path and its permissions.")
}

/// Returns whether a file in a folder may be one of rolecall, by its name.
pub fn is_yaml(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}

fn yaml_files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if is_yaml(&path) && !path.is_dir() {
            found.push(if folder == Path::new(".") {
                path.strip_prefix(".").map(Path::to_owned).unwrap_or(path)
            } else {
                path
            });
        }
    }
    found.sort();
    Ok(found)
}

/// Returns whether a top-level line names one of the providers, or says that the file lists people. Before that is known,
/// the file may be anything, and no line of it is shown.
pub(super) fn is_ours(text: &str) -> bool {
    let lists_people = |line: &str| line.strip_prefix("kind:").is_some_and(|kind| kind.trim() == "people");
    // Most files begin with the provider.
    text.lines().filter_map(provider_in).any(names_provider) || text.lines().any(lists_people)
}

/// Returns whether a text seems to have a top-level field `provider`. A folder may contain other YAML files, and broken
/// ones, so only a text that may have the field in an unusual way is parsed. A broken one has to name a provider.
fn mentions_provider(text: &str) -> bool {
    if text.lines().any(|line| provider_in(line).is_some()) {
        return true;
    }
    let names_one = || text.lines().filter_map(|line| provider_in(line.trim_start())).any(names_provider);
    let may_have = text.contains("provider") || text.contains('\\');
    may_have && events::has_field(text, "provider").unwrap_or_else(names_one)
}

/// Returns the text after the word `provider` of a line that seems to have that field.
fn provider_in(line: &str) -> Option<&str> {
    // A top-level field isn't indented, except in a document in braces.
    let key = line.strip_prefix('{').map_or(line, str::trim_start).trim_start_matches(['"', '\'']);
    let rest = key.strip_prefix("provider")?.trim_start_matches(['"', '\'', ' ']);
    rest.starts_with(':').then_some(rest)
}

/// Returns whether the text after the word `provider` names a provider.
fn names_provider(rest: &str) -> bool {
    let value = rest.trim_start_matches([':', ' ', '"', '\'']);
    let end = value.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(value.len());
    ProviderName::parse(&value[..end]).is_some()
}

/// Reports files that describe the same organisation, because each would undo the changes of the other.
fn report_duplicate_organizations(loaded: &mut Loaded) {
    let files: Vec<&Desired> = loaded.files.iter().filter_map(|file| file.desired.as_ref()).collect();
    let mut duplicates = Vec::new();
    for (index, desired) in files.iter().enumerate() {
        // Each organisation has a ledger file, and some file systems ignore case in file names.
        let name = desired.organization.as_str();
        let same = |other: &&&Desired| {
            other.provider == desired.provider && other.organization.as_str().eq_ignore_ascii_case(name)
        };
        if let Some(first) = files[..index].iter().find(same) {
            duplicates.push(
                Finding::error(
                    Code::DuplicateOrganization,
                    desired.organization.place.clone(),
                    format!("The file {} already describes {}.", first.place.file, *desired.organization),
                )
                .hint(
                    "Merge the two files. If they are for different environments, run rolecall for each of them.",
                ),
            );
        }
    }
    loaded.findings.append(&mut duplicates);
}
