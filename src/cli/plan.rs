//! `rolecall plan`

use std::path::{Path, PathBuf};

use clap::Args;

use super::exit::{Exit, Failure};
use super::files::{self, Readers};
use super::out::Out;
use super::reports::{Reports, ensure_not_an_input};
use super::selection::Selected;
use super::session::Session;
use super::{Connection, Paths};
use crate::report::{self, Format, Subject};
use rolecall_model::Plan;

/// Read what is live and show what an apply would do. Changes nothing.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  rolecall plan --sandbox examples/bitpanda.yaml     no account needed
  rolecall plan access/ --out plan.json              for review, then `rolecall apply --plan plan.json access/`
  rolecall plan access/ --report markdown=comment.md for the pull request
  rolecall plan --detailed-exitcode                  2 where there is something to do
  rolecall plan --format json | jq '.organizations[].sealed.changes[].address'")]
pub(super) struct PlanArgs {
    #[command(flatten)]
    paths: Paths,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    selected: Selected,
    /// Save the plan, for review and for `apply --plan`.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    reports: Reports,
    /// Exit with 2 where there are mutations.
    #[arg(long)]
    detailed_exitcode: bool,
    /// Show the exact mutations too.
    #[arg(long)]
    show_mutations: bool,
}

pub(super) async fn plan(args: &PlanArgs, out: &mut Out) -> Result<Exit, Failure> {
    let session = Session::open(&args.paths, &args.connection, &args.reports, out)?.selecting(&args.selected)?;
    if let Some(path) = &args.out {
        ensure_not_an_input(path, &session.files())?;
        files::check_writable(path)?;
    }
    let (plan, mut exit) = session.plan_all(out).await;
    for organization in &plan.organizations {
        if !organization.refusals.is_empty() {
            exit = exit.and(Exit::Refused);
        } else if args.detailed_exitcode && !organization.sealed.mutations.is_empty() {
            exit = exit.and(Exit::Differences);
        }
    }
    let mut told = vec![args.reports.write(Subject::Plan(&plan), out)];
    if args.show_mutations && args.reports.format == Format::Text {
        out.result(&format!("\n{}", report::mutations(&plan)));
    }
    if let Some(path) = &args.out {
        if plan.organizations.len() < session.wanted().count() {
            out.talk(&format!("not saved as {}: not every organisation could be planned\n", path.display()));
        } else {
            let saved = files::write_text(path, &report::plan_json(&plan), Readers::Owner);
            if saved.is_ok() {
                out.talk(&format!("saved as {}; {}\n", path.display(), next_step(args, &plan, path)));
            }
            told.push(saved);
        }
    }
    Ok(out.settle(exit, told))
}

/// What to do with a plan that was saved.
fn next_step(args: &PlanArgs, plan: &Plan, path: &Path) -> String {
    if plan.organizations.iter().any(|organization| !organization.refusals.is_empty()) {
        return "a guardrail refuses it, so that an apply would send nothing where it does".to_owned();
    }
    let sandbox = if args.connection.sandbox { " --sandbox" } else { "" };
    let paths: Vec<String> = args.paths.paths.iter().map(|path| path.display().to_string()).collect();
    let asserted: Vec<String> =
        args.connection.asserted.iter().map(|address| format!(" --assert '{address}'")).collect();
    format!(
        "`rolecall apply{sandbox}{} --plan {} {}` sends it",
        asserted.concat(),
        path.display(),
        paths.join(" ")
    )
}
