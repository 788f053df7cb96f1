//! `rolecall drift`

use clap::Args;

use super::exit::{Exit, Failure};
use super::out::Out;
use super::reports::Reports;
use super::session::Session;
use super::{Connection, Paths};
use crate::model::HoldClass;
use crate::report::Subject;

/// Report how live differs from the files: what moved, who is unmanaged, what is held, what can't be seen.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  rolecall drift access/                 2 where live has moved or something is blocked
  rolecall drift --sandbox examples/bitpanda.yaml
  rolecall drift --format json           the same document as `plan --format json`")]
pub(super) struct DriftArgs {
    #[command(flatten)]
    paths: Paths,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    reports: Reports,
}

pub(super) async fn drift(args: &DriftArgs, out: &mut Out) -> Result<Exit, Failure> {
    let session = Session::open(&args.paths, &args.connection, out)?;
    let (plan, mut exit) = session.survey_all(out).await;
    for organization in &plan.organizations {
        let blocked = organization.sealed.holds.iter().any(|hold| hold.class == HoldClass::Blocked);
        if blocked || !organization.sealed.mutations.is_empty() {
            exit = exit.and(Exit::Differences);
        }
    }
    args.reports.write(Subject::Drift(&plan), out)?;
    Ok(exit)
}
