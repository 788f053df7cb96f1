//! Other versions of the files: in another folder, or as of a git revision.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::exit::Failure;
use crate::report;
use rolecall_config::{Loaded, is_yaml, load, load_contents};

/// Another version of the files.
pub(super) struct FileVersion {
    /// The words of the command line for it.
    pub name: String,
    pub loaded: Loaded,
    /// The lines that commits since this version have removed, apart from merges. `None` if they aren't known, or if
    /// nothing was merged.
    pub removed: Option<BTreeSet<String>>,
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

/// Loads another version of the files at these paths: a file, a folder, or a git revision. `option`: the option that names
/// it.
pub(super) fn load_version(option: &str, name: &str, at: At, paths: &[PathBuf]) -> Result<FileVersion, Failure> {
    let path = PathBuf::from(name);
    let version = |loaded, removed| FileVersion { name: name.to_owned(), loaded, removed };
    if path.exists() {
        return Ok(version(load(&[path], rolecall_providers::format), None));
    }
    let mut files = Vec::new();
    let mut removed = Some(BTreeSet::new());
    for path in paths {
        let is_folder = path.is_dir();
        let folder = if is_folder { path } else { path.parent().unwrap_or(path) };
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let git = Git { folder, option, name };
        let commit = git.commit(at)?;
        let names = if is_folder {
            git.files(&commit)?
        } else {
            path.file_name().map(|name| name.to_string_lossy().into_owned()).into_iter().collect()
        };
        for file in names {
            if let Some(bytes) = git.content(&commit, &file)? {
                let shown = folder.strip_prefix(".").unwrap_or(folder).join(&file);
                files.push((format!("{name}:{}", shown.display()), bytes));
            }
        }
        match (&mut removed, git.removed(&commit)?) {
            (Some(all), Some(lines)) => all.extend(lines),
            (removed, _) => *removed = None,
        }
    }
    Ok(version(load_contents(files, rolecall_providers::format), removed))
}

/// The repository that a folder lies in. Nothing is checked out, and no program of the repository runs.
struct Git<'a> {
    folder: &'a Path,
    option: &'a str,
    name: &'a str,
}

impl Git<'_> {
    fn run(&self, arguments: &[&str]) -> Result<Result<Vec<u8>, String>, Failure> {
        let mut git = Command::new("git");
        git.arg("-C").arg(self.folder).args(["--no-pager", "--literal-pathspecs"]).args(arguments);
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
        let message = format!("`{option} {name}` is neither a file nor a folder, and no git revision: {why}.");
        Failure::error(report::clean(message)).hint(
            "Name a folder with the files of the base, or a revision that this clone has. In CI, a shallow clone may lack it: fetch more of the history.",
        )
    }

    fn commit(&self, at: At) -> Result<String, Failure> {
        let revision = format!("{}^{{commit}}", self.name);
        let found = self.run(&["rev-parse", "--verify", "--quiet", "--end-of-options", &revision])?;
        let commit = text(&found.map_err(|why| self.failure(&why))?);
        Ok(match at {
            At::Tip => commit,
            At::Fork => self.run(&["merge-base", &commit, "HEAD"])?.map_or(commit, |found| text(&found)),
        })
    }

    /// Returns the lines that commits since another one have removed from the files of the folder, apart from merges.
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
        let committed = [&["log", "--no-merges", "--format=", &range][..], &plain, &["--", "."]].concat();
        let uncommitted = [&["diff", "HEAD"][..], &plain, &["--", "."]].concat();
        for arguments in [committed, uncommitted] {
            let Ok(patch) = self.run(&arguments)? else { return Ok(None) };
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

    /// Returns the content of a file of the folder in a commit. `None` if there is none.
    fn content(&self, commit: &str, file: &str) -> Result<Option<Vec<u8>>, Failure> {
        Ok(self.run(&["cat-file", "blob", &format!("{commit}:./{file}")])?.ok())
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}
