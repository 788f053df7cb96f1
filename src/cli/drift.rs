//! `rolecall drift`

use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;

use super::exit::{Exit, Failure};
use super::files::{self, Readers};
use super::notify::Notify;
use super::out::Out;
use super::reports::Reports;
use super::session::Session;
use super::{Connection, Paths};
use crate::report::{self, Subject};
use rolecall_model::{Desired, HoldClass, Identity, Plan};

/// Report how live differs from the files: what moved, who is unmanaged, what is held, what can't be seen.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  rolecall drift access/                 2 where live has moved or something is blocked
  rolecall drift --sandbox examples/bitpanda.yaml
  rolecall drift --metrics-file /var/lib/node_exporter/rolecall.prom access/
  rolecall drift --notify \"$URL\" --previous drift.json access/    a message where something is new
  rolecall drift --format json           the same document as `plan --format json`")]
pub(super) struct DriftArgs {
    #[command(flatten)]
    paths: Paths,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    reports: Reports,
    /// Write metrics in Prometheus' text format to this file, such as the one that a node exporter picks up.
    #[arg(long, value_name = "FILE")]
    metrics_file: Option<PathBuf>,
    #[command(flatten)]
    notify: Notify,
}

pub(super) async fn drift(args: &DriftArgs, out: &mut Out) -> Result<Exit, Failure> {
    let session = Session::open(&args.paths, &args.connection, &args.reports, out)?;
    let teller = args.notify.check(&args.connection)?;
    let (plan, mut exit) = session.survey_all(out).await;
    for organization in &plan.organizations {
        let blocked = organization.sealed.holds.iter().any(|hold| hold.class == HoldClass::Blocked);
        if blocked || !organization.sealed.mutations.is_empty() {
            exit = exit.and(Exit::Differences);
        }
    }
    // One of them that fails doesn't keep the others from being told.
    let mut told = vec![args.reports.write(Subject::Drift(&plan), out)];
    if let Some(path) = &args.metrics_file {
        told.push(write_metrics(path, &plan, &session));
    }
    if let Some(teller) = teller {
        let wanted: Vec<_> =
            session.wanted().map(|desired| (desired.provider, &desired.organization.value)).collect();
        let is_wanted = |one: &Identity| wanted.contains(&(one.provider, &one.organization));
        told.push(teller.tell(&plan, is_wanted, out).await);
    }
    Ok(out.settle(exit, told))
}

/// Of organisations that couldn't be read, what the file says of their last success stays.
fn write_metrics(path: &Path, plan: &Plan, session: &Session<'_>) -> Result<(), Failure> {
    let read = |desired: &&Desired| {
        let is_it = |identity: &Identity| {
            identity.provider == desired.provider && identity.organization == desired.organization.value
        };
        plan.organizations.iter().any(|organization| is_it(&organization.sealed.identity))
    };
    let unread = session.wanted().filter(|desired| !read(desired));
    let unread: Vec<_> = unread.map(|desired| (desired.provider, desired.organization.value.clone())).collect();
    let before = if path.exists() { files::read_text(path)? } else { String::new() };
    let text = report::metrics(plan, Timestamp::now(), &unread, &before);
    files::write_text(path, &text, Readers::Everybody)
}
