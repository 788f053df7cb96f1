//! Joins the reports of all shards into the report that one run over all organisations would write.

use std::collections::BTreeMap;

use super::outcomes::Outcomes;
use super::style::{called, clean, first};
use rolecall_model::{Plan, ProviderName, RemoteId, ShardRun, ShardedVerb};
use rolecall_plan::Fleet;

/// The report of one shard.
#[derive(Clone, Debug)]
pub enum ShardReport {
    /// A plan, or a drift report.
    Plan(Plan),
    Outcomes(Outcomes),
}

/// The joined report of all shards.
#[derive(Debug)]
pub struct Merged {
    pub report: ShardReport,
    pub verb: ShardedVerb,
    /// The exit code of each shard.
    pub exits: Vec<u8>,
}

/// The reason why reports can't be merged, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub struct Unmergeable {
    pub message: String,
    pub hint: &'static str,
}

fn no(message: String, hint: &'static str) -> Unmergeable {
    Unmergeable { message, hint }
}

const RUN_AGAIN: &str = "Run all shards again, from the same commit and with the same version of rolecall.";

/// A report with the name of its file, and what it says about its shard.
type Named<'a> = (&'a str, &'a ShardReport, &'a ShardRun);

impl ShardReport {
    fn shard(&self) -> Option<&ShardRun> {
        match self {
            Self::Plan(Plan { shard, .. }) | Self::Outcomes(Outcomes { shard, .. }) => shard.as_ref(),
        }
    }

    /// Returns the program that wrote it, and the version of its format.
    fn written_by(&self) -> (&str, &str) {
        match self {
            Self::Plan(Plan { generator, format_version, .. })
            | Self::Outcomes(Outcomes { generator, format_version, .. }) => (generator, format_version),
        }
    }

    /// Returns every organisation that it names.
    fn organizations(&self) -> Vec<(ProviderName, &RemoteId)> {
        match self {
            Self::Plan(plan) => {
                let planned = plan.organizations.iter().map(|one| &one.sealed.identity);
                let planned = planned.map(|identity| (identity.provider, &identity.organization));
                planned.chain(plan.unread.iter().map(|unread| (unread.provider, &unread.organization))).collect()
            }
            Self::Outcomes(outcomes) => {
                outcomes.organizations.iter().map(|one| (one.provider, &one.organization)).collect()
            }
        }
    }

    /// Takes over the organisations of another shard.
    fn join(&mut self, other: Self) {
        match (self, other) {
            (Self::Plan(all), Self::Plan(mut plan)) => {
                all.organizations.append(&mut plan.organizations);
                all.unread.append(&mut plan.unread);
                // Each shard has compared all files with the base.
                all.undescribed.append(&mut plan.undescribed);
            }
            (Self::Outcomes(all), Self::Outcomes(mut outcomes)) => {
                all.organizations.append(&mut outcomes.organizations);
            }
            (Self::Plan(_), Self::Outcomes(_)) | (Self::Outcomes(_), Self::Plan(_)) => {}
        }
    }

    /// Brings everything into the order of one run.
    fn in_order(mut self) -> Self {
        match &mut self {
            Self::Plan(plan) => {
                plan.shard = None;
                plan.organizations.sort_by(|a, b| a.sealed.identity.cmp(&b.sealed.identity));
                plan.unread.sort();
                plan.undescribed.sort();
                plan.undescribed.dedup();
            }
            Self::Outcomes(outcomes) => {
                outcomes.shard = None;
                let name = |one: &super::Applied| (one.provider, one.organization.clone());
                outcomes.organizations.sort_by_key(name);
            }
        }
        self
    }
}

/// Joins the reports of all shards, each with the name of its file. `None`: there is no report.
pub fn merge(reports: Vec<(String, ShardReport)>) -> Result<Option<Merged>, Unmergeable> {
    let mut named: Vec<Named<'_>> = Vec::new();
    for (file, report) in &reports {
        let Some(run) = report.shard() else {
            let message =
                format!("The file {file} isn't the report of a shard: it has all organisations of its run.");
            return Err(no(message, "Merge the JSON reports of runs with `--shard`."));
        };
        named.push((file, report, run));
    }
    let Some((first, others)) = named.split_first() else { return Ok(None) };
    let verb = first.2.verb;
    others.iter().try_for_each(|other| check_pair(first, other))?;
    check_numbers(&named)?;
    check_organizations(&named)?;
    check_complete(first.2, &named)?;
    let exits = named.iter().map(|(_, _, run)| run.exit).collect();
    let joined = reports.into_iter().map(|(_, report)| report).reduce(|mut all, report| {
        all.join(report);
        all
    });
    Ok(joined.map(|report| Merged { report: report.in_order(), verb, exits }))
}

/// Checks that two reports are of one verb and of the same files, and were written by one version.
fn check_pair(
    (file, report, run): &Named<'_>,
    (other_file, other_report, other): &Named<'_>,
) -> Result<(), Unmergeable> {
    if run.verb != other.verb {
        let (verb, other) = (run.verb.as_str(), other.verb.as_str());
        return Err(no(
            format!("The file {file} has the report of `{verb}`, and {other_file} that of `{other}`."),
            "Merge the reports of one verb.",
        ));
    }
    let ((program, format), (other_program, other_format)) = (report.written_by(), other_report.written_by());
    if (program, format) != (other_program, other_format) {
        return Err(no(
            format!(
                "The file {file} was written by {} in the format {}, and {other_file} by {} in the format {}.",
                clean(program),
                clean(format),
                clean(other_program),
                clean(other_format)
            ),
            RUN_AGAIN,
        ));
    }
    if run.shard.of != other.shard.of {
        return Err(no(
            format!("The file {file} is of {}, and {other_file} of {}.", run.shard, other.shard),
            "Run all shards with the same number of shards.",
        ));
    }
    if (run.organizations, &run.fleet) != (other.organizations, &other.fleet) {
        return Err(no(
            format!(
                "The shards of {file} and {other_file} divide different organisations, {} and {} of them, so some may be missing.",
                run.organizations, other.organizations
            ),
            RUN_AGAIN,
        ));
    }
    if run.files != other.files {
        return Err(no(format!("The shards of {file} and {other_file} read different files."), RUN_AGAIN));
    }
    Ok(())
}

/// Checks that each shard is there once.
fn check_numbers(named: &[Named<'_>]) -> Result<(), Unmergeable> {
    let mut files: BTreeMap<usize, &str> = BTreeMap::new();
    let mut of = 0;
    for (file, _, run) in named {
        of = run.shard.of;
        if let Some(other) = files.insert(run.shard.number, file) {
            let message = format!("Both {other} and {file} are of {}.", run.shard);
            return Err(no(message, "Name the report of each shard once."));
        }
    }
    let missing: Vec<usize> = (1..=of).filter(|number| !files.contains_key(number)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let which = first(missing.iter(), 10, ToString::to_string);
    let shards = if missing.len() == 1 { "the report of shard" } else { "the reports of shards" };
    Err(no(
        format!("Of {of} shards, {shards} {which} {} missing.", if missing.len() == 1 { "is" } else { "are" }),
        "Name the reports of all shards. If a shard wrote none, run it again.",
    ))
}

/// Checks that no organisation is in the reports of two shards.
fn check_organizations(named: &[Named<'_>]) -> Result<(), Unmergeable> {
    let mut files: BTreeMap<(ProviderName, &RemoteId), &str> = BTreeMap::new();
    for (file, report, _) in named {
        for (provider, organization) in report.organizations() {
            if let Some(other) = files.insert((provider, organization), file) {
                let name = called(provider, organization);
                return Err(no(format!("Both {other} and {file} have {name}."), RUN_AGAIN));
            }
        }
    }
    Ok(())
}

/// Checks that the reports have all organisations that the shards divide, and no others.
fn check_complete(run: &ShardRun, named: &[Named<'_>]) -> Result<(), Unmergeable> {
    let all = named.iter().flat_map(|(_, report, _)| report.organizations());
    let fleet = Fleet::of(all.map(|(provider, organization)| (provider, organization.clone())));
    if (fleet.organizations(), &fleet.digest()) == (run.organizations, &run.fleet) {
        return Ok(());
    }
    let counted = named.iter().map(|(file, report, _)| format!("{file}: {}", report.organizations().len()));
    let message = format!(
        "The reports don't have the organisations that the shards divide. There are {}, and the reports have {} ({}).",
        run.organizations,
        fleet.organizations(),
        first(counted, 10, |count| count)
    );
    Err(no(message, "Merge the reports as rolecall wrote them, or run all shards again."))
}
