//! `--base`: compares a plan with what another version of the files asks for.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::{Args, ValueHint};

use super::APPROVAL;
use super::exit::{Exit, Failure};
use super::organization::Organization;
use super::out::Out;
use super::session::Session;
use crate::report;
use rolecall_config::{Loaded, Source, Version, differences, is_yaml, load, load_contents};
use rolecall_model::{
    Address, Code, Comparison, DeletedBy, Facts, Finding, LastInSync, Live, OrganizationPlan, OriginKind, Place,
    Plan, Undescribed,
};
use rolecall_plan::{compare_with_base, unasked};

/// Options that compare a plan with the base.
#[derive(Clone, Debug, Args)]
pub(super) struct BaseOptions {
    /// Say of each change whether these files ask for it, or live has drifted from the base. The base is the same files
    /// elsewhere, or as of a git revision such as origin/main.
    #[arg(long, value_name = "PATH|REV", value_hint = ValueHint::AnyPath, help_heading = APPROVAL)]
    base: Option<String>,
    /// End with exit code 3 if live has drifted from the base. Also if entries are gone that nobody removed one by one,
    /// such as those of a lost section.
    #[arg(long, requires = "base", help_heading = APPROVAL)]
    require_asked: bool,
}

/// Another version of the files.
pub(super) struct Base {
    /// The words of the command line for it.
    name: String,
    loaded: Loaded,
    /// The lines that commits since the base have removed, apart from merges. `None` if they aren't known, or if nothing
    /// was merged.
    removed: Option<BTreeSet<String>>,
}

impl BaseOptions {
    /// Loads the base of these files.
    pub fn load(&self, paths: &[PathBuf]) -> Result<Option<Base>, Failure> {
        self.base.as_ref().map(|name| load_version("--base", name, paths)).transpose()
    }

    /// Returns how a run with this plan ends. Adds what nobody asked for to the warnings of the plan.
    pub fn check(&self, plan: &mut Plan, session: &Session<'_>, out: &Out) -> Exit {
        if !self.require_asked {
            return Exit::Done;
        }
        let gone = plan.undescribed.iter().map(|Undescribed { provider, organization, file }| {
            let message = format!("No file describes {provider} {organization} any more.");
            Finding::warning(Code::ImplicitDeletion, Place::start_of(file.as_str()), message).hint(
                "rolecall changes nothing there from now on, and reports no drift. Put the file back, or plan without `--require-asked`.",
            )
        });
        let mut all: Vec<Finding> = gone.collect();
        for organization in &mut plan.organizations {
            let identity = &organization.sealed.identity;
            let all_desired = session.desired();
            let mut same = all_desired.iter().filter(|desired| {
                desired.provider == identity.provider && *desired.organization == identity.organization
            });
            let Some(desired) = same.next() else { continue };
            let findings = unasked(organization, desired);
            organization.warnings.extend(findings.iter().map(Into::into));
            all.extend(findings);
        }
        out.findings(&all, &session.sources());
        if all.is_empty() { Exit::Done } else { Exit::Refused }
    }
}

impl Base {
    /// Compares the plan of an organisation with the one that the base gives against the same read, and adds the comparison
    /// to it. The ledger may know when something that has drifted was as the base says.
    pub fn compare(
        &self,
        plan: &mut OrganizationPlan,
        organization: &Organization<'_>,
        source: &Source,
        (live, facts): (&Live, &Facts),
    ) {
        let (comparison, last_in_sync) = self.comparison(plan, organization, source, (live, facts));
        let has_drifted = |address: &Address| {
            let change = comparison.changes.get(address).map(|origin| origin.is);
            change.or(comparison.holds.get(address).copied()) == Some(OriginKind::Drifted)
        };
        plan.last_in_sync.extend(last_in_sync.into_iter().filter(|(address, _)| has_drifted(address)));
        plan.comparison = Some(comparison);
    }

    fn comparison(
        &self,
        plan: &OrganizationPlan,
        organization: &Organization<'_>,
        source: &Source,
        (live, facts): (&Live, &Facts),
    ) -> (Comparison, BTreeMap<Address, LastInSync>) {
        let head = Version { source, desired: organization.desired };
        let base = self.loaded.counterpart(organization.desired);
        let unplanned = |why: String| {
            let (base, unplanned) = (self.name.clone(), Some(report::clean(why)));
            (Comparison { base, unplanned, ..Comparison::default() }, BTreeMap::new())
        };
        let planned = match base {
            Some((_, desired)) => match organization.plan_instead(desired, live, facts) {
                Ok(planned) => Some(planned),
                Err(failure) => return unplanned(failure.to_string()),
            },
            // The file of this organisation may be one that has errors.
            None => match self.loaded.findings.iter().find(|finding| finding.is_error()) {
                Some(finding) => return unplanned(format!("{}: {}", finding.place, finding.message)),
                None => None,
            },
        };
        let found = differences(base.map(|(source, desired)| Version { source, desired }), head);
        let mut comparison = compare_with_base(plan, planned.as_ref(), &self.name);
        for (address, origin) in &mut comparison.changes {
            if let (OriginKind::Asked, Some(change)) = (origin.is, plan.change(address)) {
                origin.lines = found.asking(change);
            }
        }
        comparison.deletions = found.deletions;
        for deletion in comparison.deletions.iter_mut().filter(|deletion| deletion.by.is_explicit()) {
            let mut own = deletion.lines.iter().filter(|line| line.text.contains(&deletion.address.name));
            if self.removed.as_ref().is_some_and(|removed| !own.any(|line| removed.contains(line.text.trim()))) {
                deletion.by = DeletedBy::Merge;
            }
        }
        (comparison, planned.map(|planned| planned.last_in_sync).unwrap_or_default())
    }

    /// Returns the organisations that the base describes and the files of this session don't.
    pub fn undescribed(&self, session: &Session<'_>) -> Vec<Undescribed> {
        let desired = self.loaded.files.iter().filter_map(|file| file.desired.as_ref());
        let gone = desired.filter(|desired| session.counterpart(desired).is_none());
        let mut gone: Vec<Undescribed> = gone
            .map(|desired| Undescribed {
                provider: desired.provider,
                organization: desired.organization.value.clone(),
                file: desired.place.file.to_string(),
            })
            .collect();
        gone.sort();
        gone
    }
}

/// Loads another version of the files at these paths: a file, a folder, or a git revision. `option`: the option that names
/// it.
fn load_version(option: &str, name: &str, paths: &[PathBuf]) -> Result<Base, Failure> {
    let path = PathBuf::from(name);
    let base = |loaded, removed| Base { name: name.to_owned(), loaded, removed };
    if path.exists() {
        return Ok(base(load(&[path], rolecall_providers::format), None));
    }
    let mut files = Vec::new();
    let mut removed = Some(BTreeSet::new());
    for path in paths {
        let is_folder = path.is_dir();
        let folder = if is_folder { path } else { path.parent().unwrap_or(path) };
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let git = Git { folder, option, name };
        let commit = git.commit()?;
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
    Ok(base(load_contents(files, rolecall_providers::format), removed))
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

    /// Returns the commit at which the files of this run began to differ from the revision. A branch that is behind thus
    /// isn't taken to undo what it doesn't have yet.
    fn commit(&self) -> Result<String, Failure> {
        let revision = format!("{}^{{commit}}", self.name);
        let found = self.run(&["rev-parse", "--verify", "--quiet", "--end-of-options", &revision])?;
        let commit = text(&found.map_err(|why| self.failure(&why))?);
        Ok(self.run(&["merge-base", &commit, "HEAD"])?.map_or(commit, |found| text(&found)))
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
