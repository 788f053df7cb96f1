//! `rolecall drift`

use clap::Args;
use jiff::Timestamp;

use super::connect::GENERATOR;
use super::exit::{Exit, Failure, sentence};
use super::fleet::{AtOnce, ShardOption};
use super::notify::Notify;
use super::organization::{Organization, run_id};
use super::out::Out;
use super::reports::{MetricsFile, Reports};
use super::session::Session;
use super::silence::{Silence, report_silence};
use super::{Connection, Paths, Planning};
use crate::report::{self, Format, Subject};
use rolecall_engine::ledger::record_drift;
use rolecall_model::{Completeness, Desired, HoldClass, Identity, Job, OrganizationPlan, Past, Plan, ShardedVerb};
use rolecall_plan::desired_hash;

/// Show how live differs from the files.
///
/// Reports what has changed, what no file describes, what needs attention, and what can't be read. What an earlier
/// apply has left to do is shown. It is drift only if it is a step of a rotation that is overdue.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  rolecall drift access/
  rolecall drift --sandbox examples/bitpanda.yaml
  rolecall drift --metrics-file /var/lib/node_exporter/rolecall.prom access/
  rolecall drift --notify \"$URL\" --previous drift.json access/
  rolecall drift --format json           the same document as `plan --format json`

Exit codes: 0 in sync, 1 error, 2 live differs, something needs attention, a
rotation is overdue or an apply is (with --max-silence), 6 platform unreachable.
`rolecall exit-codes` explains them.")]
pub(super) struct DriftArgs {
    #[command(flatten)]
    shard: ShardOption,
    #[command(flatten)]
    paths: Paths,
    #[command(flatten)]
    planning: Planning,
    #[command(flatten)]
    notify: Notify,
    #[command(flatten)]
    silence: Silence,
    #[command(flatten)]
    metrics: MetricsFile,
    #[command(flatten)]
    reports: Reports,
    #[command(flatten)]
    at_once: AtOnce,
    #[command(flatten)]
    connection: Connection,
}

pub(super) async fn drift(args: &DriftArgs, out: &mut Out) -> Result<Exit, Failure> {
    args.reports.check(Format::OF_PLANS)?;
    let (loaded, recheck) = args.paths.load_heads(&args.connection.commands, &args.planning.asserted);
    args.metrics.check(&loaded, &args.connection, &args.reports)?;
    let session = Session::open(loaded, &args.planning, &args.connection, &args.reports, &[], out)?
        .rechecking(recheck)
        .sharing(&args.shard, &args.at_once, out)?
        .noticing(args.silence.of(&[Job::Apply]));
    let notifier = args.notify.check(&args.connection)?;
    let (mut plan, organizations, mut exit) = session.survey_all(out).await;
    if !plan.organizations.iter().all(is_in_sync) {
        exit = exit.and(Exit::Differences);
    }
    // Somebody who isn't in the list may have access.
    if plan.organizations.iter().any(is_incomplete) {
        exit = exit.and(Exit::Error);
    }
    exit = exit.and(report_silence(&plan, out));
    plan.shard = session.shard_run(ShardedVerb::Drift, exit);
    let now = Timestamp::now();
    // If one report fails, the others are still written.
    let mut written = vec![args.reports.write(Subject::Drift(&plan), out)];
    // With `--now`, nothing was compared as it is.
    if session.loaded().now.is_none() {
        record(&mut plan, &organizations, now, out);
    }
    written.push(args.metrics.write(|before| metrics(&plan, now, &session, before)));
    if let Some(notifier) = notifier {
        let desired = |identity: &Identity| {
            let head = session.selected().find(|desired| desired.is(identity))?;
            session.whole(head).ok().map(|desired| desired_hash(&desired))
        };
        written.push(notifier.notify(&plan, now, desired, out).await);
    }
    Ok(out.settle(exit, written))
}

/// Returns whether live is as the files ask, and nothing needs attention.
fn is_in_sync(plan: &OrganizationPlan) -> bool {
    let is_blocked = plan.sealed.holds.iter().any(|hold| hold.class == HoldClass::Blocked);
    !is_blocked && plan.differences().next().is_none()
}

/// Returns whether the list of users or of keys is incomplete.
fn is_incomplete(plan: &OrganizationPlan) -> bool {
    let lists = ["users", "keys"].iter().filter_map(|list| plan.completeness.get(*list));
    lists.into_iter().any(Completeness::is_incomplete)
}

/// Records this run in the ledger of each organisation that was read in full. A ledger that can't be written doesn't make the
/// run fail.
fn record(plan: &mut Plan, organizations: &[Organization<'_>], now: Timestamp, out: &Out) {
    let run = run_id(now);
    for planned in &mut plan.organizations {
        let is_it = |organization: &&Organization<'_>| organization.desired.is(&planned.sealed.identity);
        let found = organizations.iter().find(is_it);
        let Some(organization) = found.filter(|it| !it.lacks_selected(planned) && !is_incomplete(planned)) else {
            continue;
        };
        let (home, identity) = (&organization.connected.ledger, &planned.sealed.identity);
        match record_drift(home, identity, is_in_sync(planned), (&run, GENERATOR), now) {
            Ok(None) => {
                out.talk(&format!(
                    "This drift run is not recorded, because the ledger {home} can't be created.\n"
                ));
            }
            Ok(last) => planned.activity.last_drift = last.map(|at| Past::new(at, now)),
            Err(why) => out.talk(&format!("This drift run is not recorded: {}\n", sentence(why))),
        }
    }
}

/// Returns the metrics. Organisations that couldn't be read keep the metrics of their last success.
fn metrics(plan: &Plan, now: Timestamp, session: &Session<'_>, before: &str) -> String {
    let was_read = |desired: &&Desired| {
        plan.organizations.iter().any(|organization| desired.is(&organization.sealed.identity))
    };
    let unread = session.selected().filter(|desired| !was_read(desired));
    let unread: Vec<_> = unread.map(|desired| (desired.provider, desired.organization.value.clone())).collect();
    report::metrics(plan, now, &unread, before)
}
