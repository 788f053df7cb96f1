//! `rolecall apply`

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use clap::Args;
use jiff::Timestamp;

use super::connect::GENERATOR;
use super::exit::{Exit, Failure};
use super::interrupt::Interrupts;
use super::out::Out;
use super::session::{Organization, Session, is_broken};
use super::{Connection, Paths, approval};
use crate::apply::{Apply, Report, Standing, Stop};
use crate::ledger::Ledger;
use crate::model::{FORMAT_VERSION, Live, OrganizationPlan, Plan};
use crate::report;

/// Send what was reviewed, and look what became of it.
///
/// Without --plan: plan, show, ask. With it: send only changes that both the file and a fresh plan hold; an approved
/// change that no longer stands ends the run before anything is sent.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  rolecall apply access/                                    asks before it sends
  rolecall apply --plan plan.json access/                   what was reviewed, and nothing else
  rolecall apply --auto-approve --sandbox examples/bitpanda.yaml")]
pub(super) struct ApplyArgs {
    #[command(flatten)]
    paths: Paths,
    #[command(flatten)]
    connection: Connection,
    /// The plan that was reviewed, as `plan --out` saved it.
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// Don't ask. Needed where there is no terminal and no --plan.
    #[arg(long)]
    auto_approve: bool,
}

pub(super) async fn apply(args: &ApplyArgs, out: &mut Out) -> Result<Exit, Failure> {
    let session = Session::open(&args.paths, &args.connection, out)?;
    let mut exit = Exit::Done;
    let mut organizations = Vec::new();
    for desired in session.wishes() {
        match session.connect(desired).await {
            Ok(organization) => organizations.push(organization),
            Err(failure) => exit = exit.and(session.told(&failure, out)),
        }
    }
    let approved = match &args.plan {
        // An organisation that can't be reached would look like one that no file describes.
        Some(_) if exit != Exit::Done => return Ok(exit),
        Some(path) => Some(approval::load(path, &organizations)?),
        None => None,
    };
    let interrupts = Interrupts::watch();
    for organization in &organizations {
        let ended = match apply_one(args, organization, approved.as_ref(), &session, &interrupts, out).await {
            Ok(ended) => ended,
            Err(failure) => session.told(&failure, out),
        };
        exit = exit.and(ended);
        if interrupts.interrupted.load(Ordering::Relaxed) {
            break;
        }
    }
    Ok(exit)
}

async fn apply_one(
    args: &ApplyArgs,
    organization: &Organization<'_>,
    approved: Option<&Plan>,
    session: &Session<'_>,
    interrupts: &Interrupts,
    out: &mut Out,
) -> Result<Exit, Failure> {
    let approved = match approved {
        Some(plan) => {
            let desired = organization.desired;
            let found = plan.organizations.iter().find(|approved| {
                let identity = &approved.sealed.identity;
                identity.provider == desired.provider && identity.organization == desired.organization
            });
            let Some(found) = found else {
                out.talk(&format!("{} is not in the plan, so nothing is sent there\n", organization.name()));
                return Ok(Exit::Done);
            };
            Some(&found.sealed)
        }
        None => None,
    };
    let started = Timestamp::now();
    let run = format!("{}-{}", started.strftime("%Y%m%dT%H%M%SZ"), std::process::id());
    let path = &organization.connected.ledger;
    let mut ledger = Ledger::open(path, &run, started).map_err(|why| {
        Failure::error(format!("{why}. Nothing was sent")).hint("without a ledger nothing is sent; see --ledger")
    })?;
    organization.owns(ledger.records())?;
    let (mut plan, mut live) = plan_fresh(organization, &ledger, session, out).await?;
    if let Some(approved) = approved {
        plan = approval::restrict(approved, organization, &live, &ledger.facts(), &plan, out)?;
    }
    out.result(&report::plan_text(&document(&plan)));
    may_be_sent(&plan)?;
    if plan.sealed.mutations.is_empty() {
        return Ok(Exit::Done);
    }
    if approved.is_none() && !args.auto_approve {
        confirm(&plan, out)?;
        // Time has passed at the prompt: what was shown has to stand still.
        let (fresh, read) = plan_fresh(organization, &ledger, session, out).await?;
        plan = approval::restrict(&plan.sealed, organization, &read, &ledger.facts(), &fresh, out)?;
        live = read;
        may_be_sent(&plan).inspect_err(|_| out.result(&report::plan_text(&document(&plan))))?;
    }
    execute(organization, &plan, &live, &mut ledger, &run, interrupts, out).await
}

/// Guardrails and lists, judged on exactly what would be sent.
fn may_be_sent(plan: &OrganizationPlan) -> Result<(), Failure> {
    if is_broken(plan) {
        return Err(Failure::error("a list is incomplete, so that nothing may rest on it; nothing was sent")
            .hint("try again; if it stays so, the platform or its paging has changed"));
    }
    if !plan.refusals.is_empty() {
        let rails: Vec<&str> = plan.refusals.iter().map(|refusal| refusal.rail.as_str()).collect();
        let failure = Failure::error(format!("refused by the guardrail {}; nothing was sent", rails.join(", ")));
        return Err(Failure { exit: Exit::Refused, ..failure });
    }
    Ok(())
}

fn document(plan: &OrganizationPlan) -> Plan {
    Plan {
        format_version: FORMAT_VERSION.to_owned(),
        generator: GENERATOR.to_owned(),
        organizations: vec![plan.clone()],
    }
}

async fn plan_fresh(
    organization: &Organization<'_>,
    ledger: &Ledger,
    session: &Session<'_>,
    out: &Out,
) -> Result<(OrganizationPlan, Live), Failure> {
    let live = organization.read().await?;
    let planned = organization.plan(&live, &ledger.facts(), None)?;
    out.findings(&planned.warnings, &session.sources());
    Ok((planned.plan, live))
}

fn confirm(plan: &OrganizationPlan, out: &Out) -> Result<(), Failure> {
    let question = format!(
        "\nSend {} to {}? Only `yes` will do: ",
        report::plural(plan.sealed.mutations.len(), "mutation"),
        report::clean(&plan.sealed.identity.host)
    );
    match out.ask(&question) {
        Some(true) => Ok(()),
        Some(false) => Err(Failure::error("declined; nothing was sent")),
        None => Err(Failure::error("there is no terminal to ask on; nothing was sent")
            .hint("review a saved plan and give it with --plan, or give --auto-approve")),
    }
}

async fn execute(
    organization: &Organization<'_>,
    plan: &OrganizationPlan,
    live: &Live,
    ledger: &mut Ledger,
    run: &str,
    interrupts: &Interrupts,
    out: &mut Out,
) -> Result<Exit, Failure> {
    let connected = &organization.connected;
    let apply = Apply {
        provider: connected.provider,
        desired: organization.desired,
        host: &connected.host,
        reader: &connected.reader,
        transport: Arc::clone(&connected.transport),
        redactor: &connected.redactor,
        backoff: connected.backoff,
        deliveries: &connected.deliveries,
        run,
        generator: GENERATOR,
        clock: &Timestamp::now,
        interrupted: &interrupts.interrupted,
    };
    out.result("\n");
    interrupts.begin_sending();
    let report =
        apply.run(plan, live, ledger, &mut |step| out.result(&format!("{}\n", report::step_line(step)))).await;
    interrupts.end_sending();
    let report = report.map_err(|why| Failure::error(format!("{why}. Nothing was sent")))?;
    out.result(&format!("\n{}", report::summary(&report)));
    out.talk(&format!("recorded in {}\n", connected.ledger.display()));
    Ok(ending(&report))
}

fn ending(report: &Report) -> Exit {
    match (&report.stopped, report.anything_sent()) {
        (Some(Stop::Interrupted), false) => Exit::Interrupted,
        (Some(Stop::Unreachable(_)), false) => Exit::Unreachable,
        (Some(Stop::Unrecorded(_)), false) => Exit::Error,
        (Some(_), _) => Exit::Partial,
        // Everything was refused before it had an effect.
        (None, false) if !report.steps.is_empty() => Exit::Error,
        (None, _) => match &report.standing {
            // What was approved is done; that the file wishes more is another plan's business.
            Standing::Converged { .. } | Standing::Held(_) | Standing::Diverged(_) if report.all_done() => {
                Exit::Done
            }
            Standing::Converged { .. } | Standing::Held(_) | Standing::Diverged(_) | Standing::Unknown(_) => {
                Exit::Partial
            }
        },
    }
}
