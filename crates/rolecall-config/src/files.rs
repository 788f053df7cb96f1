//! Which files are meant, and all of their findings.

use std::path::{Path, PathBuf};

use super::{Source, accounts, check_source};
use rolecall_model::{Code, Desired, Finding, Place, ProviderName, Rules};

/// Everything that was read.
#[derive(Debug, Default)]
pub struct Loaded {
    pub files: Vec<LoadedFile>,
    /// Of all files, in their order.
    pub findings: Vec<Finding>,
}

/// One file. Its desired is there only if none of its findings is an error.
#[derive(Debug)]
pub struct LoadedFile {
    pub path: PathBuf,
    pub source: Source,
    pub desired: Option<Desired>,
}

impl Loaded {
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(Finding::is_error)
    }
}

/// Reads and checks files and folders. A folder means its `*.yaml` and `*.yml` that have a `provider` field, not deeper.
pub fn load(paths: &[PathBuf], rules: impl Fn(ProviderName) -> &'static dyn Rules) -> Loaded {
    let mut loaded = Loaded::default();
    for (path, named) in expand(paths, &mut loaded.findings) {
        let mut findings = Vec::new();
        let Some(source) = Source::read(&path, &mut findings) else {
            loaded.findings.append(&mut findings);
            continue;
        };
        if !named && !mentions_provider(&source.text) {
            // Somebody else's YAML, broken or not.
            continue;
        }
        let (desired, mut found) =
            if source.is_whole { check_source(&source, &rules) } else { (None, Vec::new()) };
        findings.append(&mut found);
        findings.sort_by(|a, b| (&a.place, a.code).cmp(&(&b.place, b.code)));
        loaded.findings.append(&mut findings);
        loaded.files.push(LoadedFile { path, source, desired });
    }
    if loaded.files.is_empty() && loaded.findings.is_empty() {
        let place =
            Place::start_of(paths.first().map_or_else(|| ".".to_owned(), |path| path.display().to_string()));
        loaded.findings.push(
            Finding::error(Code::NoFiles, place, "there is no rolecall file here")
                .hint("name a file, or a folder with *.yaml files that have a `provider` field"),
        );
    }
    refuse_twins(&mut loaded);
    let desired_users: Vec<&Desired> = loaded.files.iter().filter_map(|file| file.desired.as_ref()).collect();
    let mut contradicted = accounts::contradicted(&desired_users, rules);
    loaded.findings.append(&mut contradicted);
    loaded
}

/// Each file once, and whether it was named itself.
fn expand(paths: &[PathBuf], findings: &mut Vec<Finding>) -> Vec<(PathBuf, bool)> {
    let mut files: Vec<(PathBuf, bool)> = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push((path.clone(), true));
            continue;
        }
        match yaml_files(path) {
            Ok(found) => files.extend(found.into_iter().map(|file| (file, false))),
            Err(why) => {
                let name = path.display().to_string();
                findings.push(
                    Finding::error(
                        Code::UnreadableFile,
                        Place::start_of(name.clone()),
                        format!("`{name}` can't be read: {why}"),
                    )
                    .hint("check the path and its permissions"),
                );
            }
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    files.retain(|(file, _)| seen.insert(file.canonicalize().unwrap_or_else(|_| file.clone())));
    files
}

fn yaml_files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        if yaml && !path.is_dir() {
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

/// A quick look, so that a folder may hold other YAML, broken or not.
fn mentions_provider(text: &str) -> bool {
    text.lines().any(|line| {
        // Of the document organization_entity: not indented, unless in braces.
        let key = line.strip_prefix('{').map_or(line, str::trim_start).trim_start_matches(['"', '\'']);
        key.strip_prefix("provider").is_some_and(|rest| rest.trim_start_matches(['"', '\'', ' ']).starts_with(':'))
    })
}

/// Two files that reach the same organisation would undo each other's work.
fn refuse_twins(loaded: &mut Loaded) {
    let desired_users: Vec<&Desired> = loaded.files.iter().filter_map(|file| file.desired.as_ref()).collect();
    let mut twins = Vec::new();
    for (index, one) in desired_users.iter().enumerate() {
        // Some file systems don't tell case apart, and ledgers are files.
        let name = one.organization.as_str();
        let same = |other: &&&Desired| {
            other.provider == one.provider && other.organization.as_str().eq_ignore_ascii_case(name)
        };
        if let Some(first) = desired_users[..index].iter().find(same) {
            twins.push(
                Finding::error(
                    Code::DuplicateOrganization,
                    one.organization.place.clone(),
                    format!("{} is already described by {}", *one.organization, first.place.file),
                )
                .hint("merge the two files, or run them apart if they are for different environments"),
            );
        }
    }
    loaded.findings.append(&mut twins);
}
