//! `rolecall keys`

use std::str::FromStr;

use clap::{Args, ValueHint};
use jiff::{SignedDuration, Timestamp};

use super::connect::GENERATOR;
use super::exit::{Exit, Failure};
use super::fleet::{AtOnce, Part, ShardOption};
use super::out::Out;
use super::reports::{MetricsFile, Reports};
use super::session::{Readings, Session};
use super::{Connection, OUTPUT, Paths, access, days_or_hours};
use crate::report::{Format, KEYS_VERSION, KeysReport, Subject, key_metrics};
use rolecall_config::{Loaded, LoadedFile};
use rolecall_model::{Desired, Kind, ManualStep, ProviderName, RemoteId, Rules, Unread};
use rolecall_plan::access::broken;
use rolecall_plan::keys::Keys;

/// Show every key: its age, its stage, its secret and its next step.
///
/// Reads the keys of each platform that has them, also those that no file lists, and changes nothing. A key that an entry asks
/// for and that doesn't exist is missing. The ledger tells who
/// made a key, and which targets got its secret.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  rolecall keys access/
  rolecall keys --sandbox examples/hive.yaml           needs no account
  rolecall keys access/ --expiring-within 14d          ends with 2 if a key needs attention
  rolecall keys access/ --now 2027-01-31               as on that day
  rolecall keys access/ --report csv=keys.csv --report json=keys.json
  rolecall keys access/ --metrics-file /var/lib/node_exporter/keys.prom

Exit codes: 0 shown, 1 error or an incomplete list, 2 a key is due or expires
(`--expiring-within`), 6 platform unreachable. `rolecall exit-codes` explains them.")]
pub(super) struct KeysArgs {
    #[command(flatten)]
    shard: ShardOption,
    #[command(flatten)]
    paths: Paths,
    /// End with 2 if a key expires, or its next step is due, within this time, such as 14d or 36h. All keys are listed, and
    /// these are marked.
    #[arg(long, value_name = "TIME", value_hint = ValueHint::Other, help_heading = OUTPUT)]
    expiring_within: Option<Within>,
    /// Print a report even if a list is incomplete, and mark it as partial.
    #[arg(long, help_heading = OUTPUT)]
    partial: bool,
    #[command(flatten)]
    metrics: MetricsFile,
    #[command(flatten)]
    reports: Reports,
    #[command(flatten)]
    at_once: AtOnce,
    #[command(flatten)]
    connection: Connection,
}

/// A length of time, with the text that says it.
#[derive(Clone, Debug)]
struct Within {
    typed: String,
    length: SignedDuration,
}

impl FromStr for Within {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self { typed: text.to_owned(), length: days_or_hours(text)? })
    }
}

pub(super) async fn keys(args: &KeysArgs, out: &mut Out) -> Result<Exit, Failure> {
    args.reports.check(Format::OF_KEYS)?;
    let loaded = args.paths.load(args.connection.commands);
    args.reports.ensure_valid(&loaded, &args.connection, out)?;
    args.metrics.check(&loaded, &args.connection, &args.reports)?;
    let all: Vec<&Desired> = loaded.files.iter().filter_map(|file| file.desired.as_ref()).collect();
    let part = args.shard.part(&all, out)?;
    let (loaded, without_keys) = with_keys(loaded, &part);
    let session = Session::reading(loaded, &[Kind::Key].into(), &args.connection, out)?
        .handling(part, args.at_once.organizations_at_once);
    let begun = Timestamp::now();
    let Readings { read, failed: mut unread, mut exit } = session.read_all(out).await;
    let now = args.paths.now();
    let mut organizations: Vec<Keys> =
        read.iter().map(|reading| reading.organization.keys(&reading.live, &reading.facts, begun)).collect();
    organizations.sort_by(|a, b| a.identity.cmp(&b.identity));
    unread.sort();
    if let Some(within) = &args.expiring_within {
        let until = now.saturating_add(within.length).unwrap_or(now);
        for key in organizations.iter_mut().flat_map(|organization| &mut organization.keys) {
            key.expiring = key.is_due_by(until);
            if key.expiring {
                exit = exit.and(Exit::Differences);
            }
        }
    }
    let incomplete: Vec<String> = organizations
        .iter()
        .flat_map(|organization| access::incomplete(&organization.identity, &organization.completeness))
        .collect();
    let mut report = KeysReport {
        format_version: KEYS_VERSION.to_owned(),
        generator: GENERATOR.to_owned(),
        at: now,
        shard: session.part().shard(),
        partial: false,
        expiring_within: args.expiring_within.as_ref().map(|within| within.typed.clone()),
        organizations,
        without_keys,
        unread,
    };
    // One organisation that can't be read takes nothing from the metrics of the others, so it doesn't stop them either.
    let mut written = vec![args.metrics.write(|before| metrics(&report, before))];
    let consequence = "There may be keys that aren't listed, so nothing is shown.";
    report.partial = access::ensure_complete(&incomplete, &report.unread, consequence, (args.partial, exit), out)?;
    // If one report fails, the others are still written.
    written.push(args.reports.write(Subject::Keys(&report), out));
    Ok(out.settle(exit, written))
}

/// Returns the metrics. Organisations that couldn't be read as a whole keep those of their last success.
fn metrics(report: &KeysReport, before: &str) -> String {
    let unread = report.unread.iter().map(|unread| (unread.provider, unread.organization.clone()));
    let partly = report.organizations.iter().filter(|keys| broken(&keys.completeness).next().is_some());
    let partly = partly.map(|keys| (keys.identity.provider, keys.identity.organization.clone()));
    let kept: Vec<(ProviderName, RemoteId)> = unread.chain(partly).collect();
    key_metrics(report, &kept, before)
}

/// Takes the organisations out whose API has no operations for keys. They aren't read.
fn with_keys(mut loaded: Loaded, part: &Part) -> (Loaded, Vec<Unread>) {
    let rules = |desired: &Desired| rolecall_providers::rules(desired.provider);
    let has_keys = |file: &mut LoadedFile| {
        file.desired.as_ref().is_none_or(|desired| rules(desired).capabilities().kinds.contains(&Kind::Key))
    };
    let without: Vec<LoadedFile> = loaded.files.extract_if(.., |file| !has_keys(file)).collect();
    let without =
        without.into_iter().filter_map(|file| file.desired).filter(|desired| part.has(desired)).map(|desired| {
            Unread {
                provider: desired.provider,
                why: no_operations(rules(&desired)),
                organization: desired.organization.value,
            }
        });
    let mut without: Vec<Unread> = without.collect();
    without.sort();
    (loaded, without)
}

fn no_operations(rules: &dyn Rules) -> String {
    format!("The API has no operations for keys. Look them up {}.", rules.manual_step(ManualStep::HandleKeys))
}
