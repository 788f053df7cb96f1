//! `--base`: compares a plan with what another version of the files asks for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use clap::{Args, ValueHint};
use jiff::Timestamp;

use super::command::Commands;
use super::exit::{Exit, Failure};
use super::organization::Organization;
use super::out::{Out, talk};
use super::session::Session;
use super::versions::{At, FileVersion, load_version};
use super::{APPROVAL, Paths, Planning, load};
use crate::report;
use rolecall_config::{Content, Disk, Loaded, Recheck, Source, Version, differences, load_contents};
use rolecall_model::{
    Address, Code, Comparison, DeletedBy, Desired, DiffLine, Email, Facts, Finding, Guardrail, LastInSync, Live,
    OrganizationPlan, OriginKind, Place, Plan, Together, Undescribed,
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
    /// Plan these files together with this other version, as if both were merged; repeatable. The plan marks what only
    /// the sum changes or breaks.
    #[arg(long, value_name = "PATH|REV", requires = "base", value_hint = ValueHint::AnyPath, help_heading = APPROVAL)]
    with: Vec<String>,
}

/// The base that plans are compared with, and the pull requests that are planned together.
pub(super) struct Base {
    version: FileVersion,
    /// The words of the command line for the other versions.
    with: Vec<String>,
    /// These files and each other version alone, if there are others.
    alone: Vec<Loaded>,
}

impl BaseOptions {
    /// Loads the files of a run and their base. With other versions of the files, the files of the run are the sum of all.
    pub fn load<'a>(
        &self,
        paths: &Paths,
        planning: &Planning,
        commands: &'a Commands,
    ) -> Result<(Loaded, Option<Base>, Option<Recheck<'a>>), Failure> {
        let Some(name) = &self.base else {
            let (loaded, recheck) = paths.load_heads(commands, &planning.asserted);
            return Ok((loaded, None, recheck));
        };
        let now = paths.now();
        let mut loaded = Loaded { now: paths.now, ..load(&paths.paths, commands, now) };
        let version = load_version("--base", name, At::Fork, &paths.paths, (&loaded, now))?;
        let mut alone = Vec::new();
        if !self.with.is_empty() && !loaded.has_errors() {
            alone.push(loaded.clone());
            for name in &self.with {
                let other = load_version("--with", name, At::Tip, &paths.paths, (&loaded, now))?;
                // A folder has no history, so the base is what both began with.
                let fork = if other.is_folder {
                    None
                } else {
                    Some(load_version("--with", name, At::Fork, &paths.paths, (&loaded, now))?)
                };
                let fork = fork.as_ref().unwrap_or(&version);
                loaded = Loaded { now: paths.now, ..merged(&loaded, &other.loaded, &fork.loaded, (name, now))? };
                if loaded.has_errors() {
                    talk(&format!(
                        "The errors below are those of these files together with `{name}`. Their lines are those of the sum.\n"
                    ));
                    break;
                }
                alone.push(other.loaded);
            }
            for desired in
                alone.iter_mut().flat_map(|loaded| &mut loaded.files).filter_map(|it| it.desired.as_mut())
            {
                planning.tighten(desired);
            }
        }
        Ok((loaded, Some(Base { version, with: self.with.clone(), alone }), None))
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
        let all_desired = session.desired();
        for organization in &mut plan.organizations {
            let Some(desired) = all_desired.iter().find(|desired| desired.is(&organization.sealed.identity))
            else {
                continue;
            };
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
    /// to it. The ledger may know when something that has drifted was as the base says. Returns what the comparison warns
    /// of.
    pub fn compare(
        &self,
        plan: &mut OrganizationPlan,
        organization: &Organization<'_>,
        head: &Version<'_>,
        (live, facts): (&Live, &Facts),
    ) -> Vec<Finding> {
        let (comparison, last_in_sync) = self.comparison(plan, organization, head, (live, facts));
        let has_drifted = |address: &Address| {
            let change = comparison.changes.get(address).map(|origin| origin.is);
            change.or(comparison.holds.get(address).copied()) == Some(OriginKind::Drifted)
        };
        plan.last_in_sync.extend(last_in_sync.into_iter().filter(|(address, _)| has_drifted(address)));
        plan.comparison = Some(comparison);
        plan.together = (!self.alone.is_empty()).then(|| self.together(plan, organization, (live, facts)));
        let forgotten = self.forgotten(plan, head.desired, live);
        plan.warnings.extend(forgotten.iter().map(Into::into));
        forgotten
    }

    /// Reports people who have left the directory, and whom these files no longer name although they still have access.
    fn forgotten(&self, plan: &OrganizationPlan, desired: &Desired, live: &Live) -> Vec<Finding> {
        let Some((_, base)) = self.version.loaded.counterpart(desired) else { return Vec::new() };
        let asked: Option<Vec<_>> =
            desired.directories.iter().map(|directory| directory.people.as_deref()).collect();
        let Some(asked) = asked.filter(|asked| !asked.is_empty()) else { return Vec::new() };
        let has_left = |email: &Email| {
            let person = base.people.get(email).unwrap_or(email);
            !asked.iter().any(|people| people.contains(person))
        };
        let named: BTreeSet<&Email> = desired.users.iter().map(|user| &user.email).collect();
        let users = base.users.iter().filter(|user| !named.contains(&user.email) && has_left(&user.email));
        let is_live = |email: &Email| {
            live.users.items.iter().any(|user| user.email == *email)
                || live.open_invitations().any(|invitation| invitation.email == *email)
        };
        let kept = users.filter(|user| is_live(&user.email) && plan.change(&Address::user(&user.email)).is_none());
        kept.map(|user| {
            let message = format!(
                "{} isn't in the directory, and these files no longer name them, so nothing takes their access.",
                user.email.as_str()
            );
            Finding::warning(Code::NotInDirectory, desired.place.clone(), message)
                .hint("Keep the name until an apply has taken the access, or use `rolecall offboard`.")
        })
        .collect()
    }

    /// Compares the plan of the sum with the plan of each version alone.
    fn together(
        &self,
        plan: &OrganizationPlan,
        organization: &Organization<'_>,
        (live, facts): (&Live, &Facts),
    ) -> Together {
        let alone = self.alone.iter().filter_map(|loaded| loaded.counterpart(organization.desired));
        let alone: Vec<OrganizationPlan> =
            alone.filter_map(|(_, desired)| organization.plan_instead(desired, live, facts).ok()).collect();
        let changes = plan.sealed.changes.iter().filter(|change| {
            let mut same = alone.iter().filter_map(|alone| alone.change(&change.address));
            !same.any(|other| change.asks_for_the_same(other))
        });
        let guardrails = plan.refusals.iter().map(|refusal| refusal.guardrail);
        let is_new = |guardrail: &Guardrail| {
            !alone.iter().flat_map(|alone| &alone.refusals).any(|refusal| refusal.guardrail == *guardrail)
        };
        Together {
            with: self.with.clone(),
            changes: changes.map(|change| change.address.clone()).collect(),
            refusals: guardrails.filter(is_new).collect(),
        }
    }

    fn comparison(
        &self,
        plan: &OrganizationPlan,
        organization: &Organization<'_>,
        head: &Version<'_>,
        (live, facts): (&Live, &Facts),
    ) -> (Comparison, BTreeMap<Address, LastInSync>) {
        let base = self.version.loaded.version(organization.desired);
        let unplanned = |why: String| {
            let (base, unplanned) = (self.version.name.clone(), Some(report::clean(why)));
            (Comparison { base, unplanned, ..Comparison::default() }, BTreeMap::new())
        };
        let planned = match &base {
            Some(Version { desired, .. }) => match organization.plan_instead(desired, live, facts) {
                Ok(planned) => Some(planned),
                Err(failure) => return unplanned(failure.to_string()),
            },
            None => match self.unknown(head.source) {
                Some(why) => return unplanned(why),
                None => None,
            },
        };
        let found = differences(base.as_ref(), head);
        let mut comparison = compare_with_base(plan, planned.as_ref(), &self.version.name);
        for (address, origin) in &mut comparison.changes {
            if let (OriginKind::Asked, Some(change)) = (origin.is, plan.change(address)) {
                origin.lines = found.asking(change);
                origin.reindented = found.is_reindented(address);
            }
        }
        comparison.deletions = found.deletions;
        for deletion in comparison.deletions.iter_mut().filter(|deletion| deletion.by.is_explicit()) {
            // A line with the name is surely the entry's own. The one of a group's member may have another name.
            let has_name = |line: &&DiffLine| line.text.contains(deletion.address.name.as_str());
            let is_named = deletion.lines.iter().any(|line| has_name(&line));
            let mut own = deletion.lines.iter().filter(|line| !is_named || has_name(line));
            if self
                .version
                .removed
                .as_ref()
                .is_some_and(|removed| !own.any(|line| removed.contains(line.text.trim())))
            {
                deletion.by = DeletedBy::Merge;
            }
        }
        (comparison, planned.map(|planned| planned.last_in_sync).unwrap_or_default())
    }

    /// Returns why the base may describe the organisation of a file although no file of it seems to: one of them has
    /// errors, or is none of rolecall's.
    fn unknown(&self, source: &Source) -> Option<String> {
        let Loaded { findings, skipped, .. } = &self.version.loaded;
        if let Some(finding) = findings.iter().find(|finding| finding.is_error()) {
            return Some(format!("{}: {}", finding.place, finding.message));
        }
        let skipped = skipped.iter().find(|path| path.file_name() == Path::new(&*source.name).file_name())?;
        Some(format!("{} isn't a file of rolecall there.", skipped.display()))
    }

    /// Returns the organisations that the base describes and the files of this session don't.
    pub fn undescribed(&self, session: &Session<'_>) -> Vec<Undescribed> {
        let desired = self.version.loaded.files.iter().filter_map(|file| file.desired.as_ref());
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

/// Merges another version of the files into these, file by file. `fork`: the version that both began with.
fn merged(
    ours: &Loaded,
    theirs: &Loaded,
    fork: &Loaded,
    (name, now): (&str, Timestamp),
) -> Result<Loaded, Failure> {
    if let Some(finding) = theirs.findings.iter().chain(&fork.findings).find(|finding| finding.is_error()) {
        let why = format!("The version `{name}` can't be read: {}: {}", finding.place, finding.message);
        return Err(Failure::error(report::clean(why)).hint("Mend it there, or leave it out of `--with`."));
    }
    let conflict = |source: &Source| {
        let why = format!("The version `{name}` can't be merged: both change the same lines of {}.", source.name);
        Failure::error(report::clean(why))
            .hint("Plan them one after the other, or resolve the conflict in one of them.")
    };
    let mut files = Vec::new();
    for desired in theirs.files.iter().filter_map(|file| file.desired.as_ref()) {
        let included = |loaded: &Loaded| -> BTreeMap<String, String> {
            let version = loaded.version(desired);
            let included = version.into_iter().flat_map(|version| version.included);
            included.map(|source| (source.text.clone(), source.name.to_string())).collect()
        };
        let texts = |loaded: &Loaded| included(loaded).into_keys().collect::<BTreeSet<String>>();
        let (changed, before, here) = (included(theirs), texts(fork), texts(ours));
        if !changed.keys().eq(&before) && !changed.keys().eq(&here) {
            let new = changed.iter().filter(|(text, _)| !before.contains(*text) && !here.contains(*text));
            let new: Vec<&str> = new.map(|(_, name)| name.as_str()).collect();
            let which = if new.is_empty() { String::new() } else { format!(" ({})", new.join(", ")) };
            let why = format!(
                "The version `{name}` changes files that {} includes{which}, and `--with` merges only the files of organisations.",
                desired.place.file
            );
            return Err(Failure::error(report::clean(why)).hint("Plan them one after the other."));
        }
    }
    for file in &ours.files {
        let Some(desired) = &file.desired else { continue };
        let text = match (fork.counterpart(desired), theirs.counterpart(desired)) {
            // They have removed the file.
            (Some(_), None) => continue,
            (None, None) => file.source.text.clone(),
            (None, Some((other, _))) if other.text == file.source.text => other.text.clone(),
            (None, Some(_)) => return Err(conflict(&file.source)),
            (Some((before, _)), Some((other, _))) => {
                diffy::merge(&before.text, &file.source.text, &other.text).map_err(|_| conflict(&file.source))?
            }
        };
        files.push(Content {
            name: file.source.name.to_string(),
            path: file.path.clone(),
            bytes: text.into_bytes(),
            named: true,
        });
    }
    let is_new = |desired: &Desired| ours.counterpart(desired).is_none() && fork.counterpart(desired).is_none();
    let new = theirs.files.iter().filter(|file| file.desired.as_ref().is_some_and(is_new));
    files.extend(new.map(|file| Content {
        name: file.source.name.to_string(),
        path: file.path.clone(),
        bytes: file.source.text.clone().into_bytes(),
        named: true,
    }));
    Ok(load_contents(files, &Disk, &ours.answers, now, rolecall_providers::format))
}
