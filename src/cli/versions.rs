//! Other versions of the files: in another folder, or as of a git revision.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use jiff::Timestamp;

use super::exit::Failure;
use super::load;
use crate::report;
use rolecall_config::{Answers, Content, Files, Loaded, Source, is_yaml, load_contents};
use rolecall_model::{Code, Desired, Finding, Place};

/// Another version of the files.
pub(super) struct FileVersion {
    /// The words of the command line for it.
    pub name: String,
    pub loaded: Loaded,
    /// The lines that commits since this version have removed, apart from merges. `None` if they aren't known, or if
    /// nothing was merged.
    pub removed: Option<BTreeSet<String>>,
    /// True if it is from a file or a folder, and not from a git revision.
    pub is_folder: bool,
}

/// The commit of a revision that a version is taken from.
#[derive(Clone, Copy)]
pub(super) enum At {
    /// The revision itself.
    Tip,
    /// The commit at which the files of this run began to differ from the revision. A branch that is behind thus isn't
    /// taken to undo what it doesn't have yet.
    Fork,
}

/// Loads another version of these files: as of a git revision, or from a file or a folder. `option`: the option that
/// names it. A revision is looked for first, because a pull request can add a file of any name. A path that begins with
/// `./` or `/` is never a revision.
pub(super) fn load_version(
    option: &str,
    name: &str,
    at: At,
    paths: &[PathBuf],
    (current, now): (&Loaded, Timestamp),
) -> Result<FileVersion, Failure> {
    let path = PathBuf::from(name);
    let is_path = name.starts_with(['.', '/']);
    let first = paths.first().map_or(Path::new("."), PathBuf::as_path);
    let resolved = Git { folder: folder_of(first), option, name }.resolve(At::Tip);
    if path.exists() && (is_path || resolved.is_err()) {
        // The folder may be a copy of this one, or of what is planned.
        let below =
            paths.iter().filter(|it| it.is_relative()).map(|it| path.join(it.strip_prefix(".").unwrap_or(it)));
        let below: Vec<PathBuf> = below.filter(|below| below.exists()).collect();
        let places = if below.is_empty() { vec![path] } else { below };
        // A version runs no command of its own.
        let loaded = load(&places, &current.answers, now);
        return Ok(FileVersion { name: name.to_owned(), loaded, removed: None, is_folder: true });
    }
    let tip = resolved?;
    let revision = Revision { option, name, at, now, answers: &current.answers };
    let mut contents = Vec::new();
    let mut removed = Some(BTreeSet::new());
    let mut shown = name.to_owned();
    for path in paths {
        let git = Git { folder: folder_of(path), option, name };
        let commit = git.resolve(at)?;
        let short = commit.get(..9).unwrap_or(&commit);
        let is_older = commit != tip;
        if is_older {
            shown = format!("{name} as of {short}, where this branch began,");
        }
        let prefix = if is_older { short } else { name };
        let named = !path.is_dir();
        let files = if named {
            path.file_name().map(|name| name.to_string_lossy().into_owned()).into_iter().collect()
        } else {
            git.files(&commit)?
        };
        for file in files {
            if let Some(bytes) = git.content(&format!("{commit}:./{file}"))? {
                let below = git.folder.strip_prefix(".").unwrap_or(git.folder).join(&file);
                let name = format!("{prefix}:{}", below.display());
                contents.push(Content { name, path: below, bytes, named });
            }
        }
        contents.extend(git.moved(&commit, prefix, &contents, current, &revision)?);
        match (&mut removed, git.removed(&commit)?) {
            (Some(all), Some(lines)) => all.extend(lines),
            (removed, _) => *removed = None,
        }
    }
    let loaded = revision.load(contents);
    Ok(FileVersion { name: shown, loaded, removed, is_folder: false })
}

/// Returns the folder of a file, or the folder itself.
fn folder_of(path: &Path) -> &Path {
    let folder = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
    if folder.as_os_str().is_empty() { Path::new(".") } else { folder }
}

/// The repository that a folder lies in. Nothing is checked out, and no program of the repository runs.
struct Git<'a> {
    folder: &'a Path,
    option: &'a str,
    name: &'a str,
}

impl Git<'_> {
    fn run(&self, arguments: &[&str]) -> Result<Result<Vec<u8>, String>, Failure> {
        self.run_with(&["--no-pager", "--literal-pathspecs"], arguments)
    }

    fn run_with(&self, global: &[&str], arguments: &[&str]) -> Result<Result<Vec<u8>, String>, Failure> {
        let mut git = Command::new("git");
        git.arg("-C").arg(self.folder).args(global).args(arguments);
        git.env("GIT_OPTIONAL_LOCKS", "0").env("GIT_TERMINAL_PROMPT", "0");
        let output = git.output().map_err(|why| {
            Failure::error(format!("`{} {}` needs git, which can't be run: {why}.", self.option, self.name))
                .hint("Install git, or name a folder with the files of the base.")
        })?;
        if output.status.success() {
            return Ok(Ok(output.stdout));
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Ok(Err(said.lines().next().unwrap_or_default().trim_start_matches("fatal: ").to_owned()))
    }

    fn failure(&self, why: &str) -> Failure {
        let Self { option, name, .. } = self;
        let why = if why.is_empty() { "git knows no such revision" } else { why };
        let message = format!("`{option} {name}` is no git revision, and neither a file nor a folder: {why}.");
        Failure::error(report::clean(message)).hint(
            "Name a folder with the files of the base, or a revision that this clone has. In CI, a shallow clone may lack it: fetch more of the history.",
        )
    }

    fn resolve(&self, at: At) -> Result<String, Failure> {
        let commit = |revision: &str| -> Result<String, Failure> {
            let found = self.run(&["rev-parse", "--verify", "--quiet", "--end-of-options", revision])?;
            Ok(text(&found.map_err(|why| self.failure(why.trim_start_matches("error: ")))?))
        };
        let id = commit(self.name)?;
        let tip = commit(&format!("{id}^{{commit}}"))?;
        Ok(match at {
            At::Tip => tip,
            At::Fork => self.run(&["merge-base", &tip, "HEAD"])?.map_or(tip, |found| text(&found)),
        })
    }

    /// Returns the files elsewhere in a commit that describe organisations of the files as they are now: somebody has
    /// moved or renamed these files. `known`: the files that are not elsewhere.
    fn moved(
        &self,
        commit: &str,
        prefix: &str,
        known: &[Content],
        current: &Loaded,
        revision: &Revision<'_>,
    ) -> Result<Vec<Content>, Failure> {
        let before = revision.load(known.to_vec());
        let desired = current.files.iter().filter_map(|file| file.desired.as_ref());
        let missing: Vec<&Desired> = desired.filter(|desired| before.counterpart(desired).is_none()).collect();
        if missing.is_empty() {
            return Ok(Vec::new());
        }
        let top = ["grep", "-l", "-z", "--full-name", "--fixed-strings", "-e", "provider", commit, "--", ":/"];
        let Ok(found) = self.run_with(&["--no-pager"], &top)? else { return Ok(Vec::new()) };
        let mut moved = Vec::new();
        for place in String::from_utf8_lossy(&found).split('\0').filter(|place| is_yaml(Path::new(place))) {
            let file = place.split_once(':').map_or(place, |(_, file)| file);
            let name = format!("{prefix}:{file}");
            let Some(bytes) = self.content(place)? else { continue };
            let up = self.run(&["rev-parse", "--show-cdup"])?.map(|up| text(&up)).unwrap_or_default();
            let path = self.folder.join(up).join(file);
            let content = Content { name, path, bytes, named: false };
            let one = revision.load(vec![content.clone()]);
            if missing.iter().any(|desired| one.counterpart(desired).is_some()) {
                moved.push(content);
            }
        }
        Ok(moved)
    }

    /// Returns the lines that commits since another one have removed from YAML files, apart from merges.
    /// `None` if the clone lacks commits, or if nothing was merged.
    fn removed(&self, commit: &str) -> Result<Option<BTreeSet<String>>, Failure> {
        let range = format!("{commit}..HEAD");
        let merges = self.run(&["rev-list", "--merges", "--max-count=1", &range])?;
        let is_shallow = self.run(&["rev-parse", "--is-shallow-repository"])?;
        if merges.is_ok_and(|found| found.is_empty()) || is_shallow.is_ok_and(|shallow| text(&shallow) == "true") {
            return Ok(None);
        }
        let mut lines = BTreeSet::new();
        let plain = ["--patch", "--unified=0", "--no-ext-diff", "--no-textconv"];
        let yaml = ["--", ":(top,glob)**/*.yaml", ":(top,glob)**/*.yml"];
        let committed = [&["log", "--no-merges", "--format=", &range][..], &plain, &yaml].concat();
        let uncommitted = [&["diff", "HEAD"][..], &plain, &yaml].concat();
        for arguments in [committed, uncommitted] {
            let Ok(patch) = self.run_with(&["--no-pager"], &arguments)? else { return Ok(None) };
            let patch = String::from_utf8_lossy(&patch).into_owned();
            lines.extend(patch.lines().filter_map(|line| Some(line.strip_prefix('-')?.trim().to_owned())));
        }
        Ok(Some(lines))
    }

    /// Returns the names of the YAML files that the folder has in a commit.
    fn files(&self, commit: &str) -> Result<Vec<String>, Failure> {
        let listed = self.run(&["ls-tree", "-z", "--name-only", commit])?.map_err(|why| self.failure(&why))?;
        let listed = String::from_utf8_lossy(&listed);
        Ok(listed.split('\0').filter(|name| is_yaml(Path::new(name))).map(ToOwned::to_owned).collect())
    }

    /// Returns the content of a file in a commit, such as `COMMIT:./FILE`. `None` if there is none.
    fn content(&self, place: &str) -> Result<Option<Vec<u8>>, Failure> {
        Ok(self.run(&["cat-file", "blob", place])?.ok())
    }
}

/// The files of a revision that other files include.
struct Revision<'a> {
    option: &'a str,
    name: &'a str,
    at: At,
    now: Timestamp,
    /// The answers of commands. A revision runs none of its own.
    answers: &'a Answers,
}

impl Revision<'_> {
    fn load(&self, contents: Vec<Content>) -> Loaded {
        load_contents(contents, self, self.answers, self.now, rolecall_providers::format)
    }

    /// Returns the repository of a path, its commit, and the path from the repository's folder. The path may exist only in
    /// that commit.
    fn locate<'p>(&'p self, path: &'p Path) -> Result<(Git<'p>, String, &'p Path), Failure> {
        let folder = path.ancestors().skip(1).find(|folder| folder.is_dir()).unwrap_or(Path::new("."));
        let git = Git { folder, option: self.option, name: self.name };
        let commit = git.resolve(self.at)?;
        Ok((git, commit, path.strip_prefix(folder).unwrap_or(path)))
    }
}

impl Files for Revision<'_> {
    fn read(&self, path: &Path, findings: &mut Vec<Finding>) -> Option<Source> {
        let name = format!("{}:{}", self.name, path.display());
        let content = self
            .locate(path)
            .and_then(|(git, commit, below)| git.content(&format!("{commit}:./{}", below.display())));
        if let Ok(Some(bytes)) = content {
            return Some(Source::decoded(&name, bytes, findings));
        }
        let message = format!("`{name}` can't be read.");
        findings.push(Finding::error(Code::UnreadableFile, Place::start_of(name), message));
        None
    }

    fn list(&self, folder: &Path) -> std::io::Result<Vec<PathBuf>> {
        let found = self.locate(&folder.join("*")).and_then(|(git, commit, below)| {
            let below =
                format!("./{}", below.parent().map(|below| format!("{}/", below.display())).unwrap_or_default());
            let listed = git.run(&["ls-tree", "-z", "--name-only", &commit, below.trim_end_matches("//")])?;
            Ok((git.folder.to_owned(), listed.unwrap_or_default()))
        });
        let (folder, listed) = found.map_err(|failure| std::io::Error::other(failure.to_string()))?;
        let listed = String::from_utf8_lossy(&listed);
        Ok(listed.split('\0').filter(|name| !name.is_empty()).map(|name| folder.join(name)).collect())
    }

    fn is_inside(&self, _: &Path, _: &Path) -> bool {
        // git knows no other files.
        true
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}
