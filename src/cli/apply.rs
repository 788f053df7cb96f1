//! `rolecall apply`

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use jiff::Timestamp;

use super::applied::{document, ending, may_be_sent, nothing_yet};
use super::confirm::{confirm, confirm_deletion, deletes_itself};
use super::connect::GENERATOR;
use super::exit::{Exit, Failure};
use super::interrupt::Interrupts;
use super::organization::{Approved, Organization};
use super::out::Out;
use super::progress::Progress;
use super::reports::Reports;
use super::selection::Selected;
use super::session::{Connections, Session, is_broken};
use super::{Connection, Paths, approval, undo};
use crate::report::{self, Applied, Format, Outcomes, Subject};
use rolecall_engine::apply::{Apply, Step, note_observed};
use rolecall_engine::ledger::{Alone, Ledger};
use rolecall_model::{Action, Desired, Live, OrganizationPlan, Plan, Sealed, Unread};
use rolecall_plan::{Approval, compare, seal};

/// Send what was reviewed, and look what became of it.
///
/// Without --plan: plan, show, ask. With it: send only changes that both the file and a fresh plan hold; an approved
/// change that no longer stands ends the run before anything is sent.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  rolecall apply access/                                    asks before it sends
  rolecall apply --plan plan.json access/                   what was reviewed, and nothing else
  rolecall apply --plan plan.json --report markdown=outcome.md access/
  rolecall apply --undo-out undo.yaml access/acme.yaml      the way back; later, `rolecall plan undo.yaml`
  rolecall apply --auto-approve --sandbox examples/bitpanda.yaml")]
pub(super) struct ApplyArgs {
    #[command(flatten)]
    paths: Paths,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    selected: Selected,
    /// The plan that was reviewed, as `plan --out` saved it.
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// Send what still stands of the plan that was reviewed, instead of nothing.
    #[arg(long, requires = "plan")]
    only_standing: bool,
    /// Don't ask. Needed where there is no terminal and no --plan.
    #[arg(long)]
    auto_approve: bool,
    /// How many requests that change something may be under way at once. With 1, one mutation follows the other, each in
    /// a request of its own. Default: 4 for Hive, 2 for Bitpanda, 1 for Paradime and RapidAPI.
    #[arg(long, value_name = "NUMBER", value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=64))]
    parallelism: Option<usize>,
    /// Delete this organisation, which the file says is to be absent: its `organization`, once more. Asked for on a
    /// terminal where it isn't given.
    #[arg(long, value_name = "ORGANIZATION")]
    confirm_deletion: Option<String>,
    /// Save the way back before anything is sent: what the plan changes, as it was, as a file that can be planned.
    #[arg(long, value_name = "FILE")]
    undo_out: Option<PathBuf>,
    #[command(flatten)]
    reports: Reports,
}

/// One run over one or more organisations.
struct Run<'a> {
    args: &'a ApplyArgs,
    session: &'a Session<'a>,
    interrupts: &'a Interrupts,
    out: &'a mut Out,
    applied: Vec<Applied>,
}

pub(super) async fn apply(args: &ApplyArgs, out: &mut Out) -> Result<Exit, Failure> {
    let session = Session::open(&args.paths, &args.connection, &args.reports, out)?.selecting(&args.selected)?;
    undo::check(args.undo_out.as_deref(), &session)?;
    let Connections { organizations, failed, mut exit } = session.connect_all(out).await;
    let interrupts = Interrupts::watch();
    let mut run = Run { args, session: &session, interrupts: &interrupts, out, applied: Vec::new() };
    run.applied.extend(failed.into_iter().map(|(Unread { provider, organization, why }, exit)| {
        let error = Some(why);
        Applied {
            exit: exit as u8,
            ending: exit.as_str().to_owned(),
            error,
            ..nothing_yet(provider, organization)
        }
    }));
    // Where one can't be reached, it would look like one that no file describes.
    if args.plan.is_none() || exit == Exit::Done {
        exit = exit.and(run.organizations(&organizations).await?);
    }
    run.tell_endings();
    run.out.talk(&undo::missing(args.undo_out.as_deref()).unwrap_or_default());
    let outcomes = Outcomes::new(GENERATOR, run.applied);
    let told = match args.reports.format {
        // It was told while it happened.
        Format::Text => args.reports.save(Subject::Outcomes(&outcomes)),
        Format::Json | Format::Markdown | Format::Junit | Format::Sarif | Format::Github => {
            args.reports.write(Subject::Outcomes(&outcomes), out)
        }
    };
    // What was applied is applied, whoever can read of it.
    Ok(out.settle(exit, [told]))
}

impl Run<'_> {
    /// One after the other, until somebody ends it.
    async fn organizations(&mut self, organizations: &[Organization<'_>]) -> Result<Exit, Failure> {
        let approved = self.args.plan.as_ref().map(|path| approval::load(path, organizations)).transpose()?;
        let interrupts = self.interrupts;
        let mut exit = Exit::Done;
        let mut left = organizations.len();
        for organization in organizations {
            let Desired { provider, organization: name, .. } = organization.desired;
            self.applied.push(nothing_yet(*provider, name.value.clone()));
            let (ended, error) = match self.organization(organization, approved.as_ref()).await {
                Ok(ended) => (ended, None),
                Err(failure) => (self.session.told(&failure, self.out), Some(failure.to_string())),
            };
            self.note(|applied| {
                (applied.exit, applied.ending, applied.error) = (ended as u8, ended.as_str().to_owned(), error);
            });
            exit = exit.and(ended);
            left -= 1;
            if interrupts.shutdown.is_requested() {
                break;
            }
        }
        if left > 0 {
            // Some of them weren't dealt with.
            exit = exit.and(Exit::interrupted(interrupts.has_sent()));
        }
        Ok(exit)
    }

    /// Completes what programs are told of the organisation that is being dealt with.
    fn note(&mut self, note: impl FnOnce(&mut Applied)) {
        if let Some(applied) = self.applied.last_mut() {
            note(applied);
        }
    }

    /// What people follow while it happens.
    fn tell(&mut self, text: &str) {
        match self.args.reports.format {
            Format::Text => self.out.result(text),
            Format::Json | Format::Markdown | Format::Junit | Format::Sarif | Format::Github => {
                self.out.talk(text);
            }
        }
    }

    /// Of several organisations each by its name: what happened in between was much to read.
    fn tell_endings(&mut self) {
        let wanted: Vec<&Desired> = self.session.wanted().collect();
        if wanted.len() < 2 {
            return;
        }
        let mut text = format!("\n{}\n", report::plural(wanted.len(), "organisation"));
        for Desired { provider, organization, .. } in wanted {
            let is_it =
                |applied: &&Applied| applied.provider == *provider && applied.organization == **organization;
            let ending = self.applied.iter().find(is_it).map_or("nothing was sent", |applied| &*applied.ending);
            let _ = writeln!(text, "  {ending:16}  {provider} {}", report::clean(&organization.value));
        }
        self.tell(&text);
    }

    async fn organization(
        &mut self,
        organization: &Organization<'_>,
        approved: Option<&Plan>,
    ) -> Result<Exit, Failure> {
        let approved = match approved {
            Some(plan) => {
                let Some(sealed) = approval::part(plan, organization) else {
                    self.out
                        .talk(&format!("{} is not in the plan, so nothing is sent there\n", organization.name()));
                    return Ok(Exit::Done);
                };
                Some(sealed)
            }
            None => None,
        };
        let started = Timestamp::now();
        let run = format!("{}-{}", started.strftime("%Y%m%dT%H%M%SZ"), std::process::id());
        let path = &organization.connected.ledger;
        let mut ledger = Ledger::open(path, &run, started).map_err(|why| Failure::unrecorded(&why))?;
        organization.check_ledger_identity(ledger.records())?;
        let (mut plan, mut live) = self.plan_fresh(organization, &mut ledger, &run).await?;
        let mut left_out = Exit::Done;
        // Another file may call it by its slug, and so have another ledger.
        let known = live
            .organization_id
            .as_ref()
            .map(|id| organization.connected.lock_of(organization.desired.provider, id));
        let _alone = known.map(|path| Alone::at(&path)).transpose().map_err(|why| Failure::unrecorded(&why))?;
        if let Some(approved) = approved {
            (plan, left_out) = self.restrict(approved, organization, &live, &ledger, &plan)?;
        } else {
            plan = organization.selected(plan, &live, &ledger.facts())?;
        }
        self.tell(&report::plan_text(&document(&plan)));
        self.note(|applied| applied.plan = Some(plan.clone()));
        may_be_sent(&plan)?;
        // What rests on an incomplete list was left out, and that is no success.
        let left_out = left_out.and(if is_broken(&plan) { Exit::Error } else { Exit::Done });
        if plan.sealed.mutations.is_empty() {
            return Ok(left_out);
        }
        let asked = approved.is_none() && !self.args.auto_approve;
        if deletes_itself(&plan) {
            let name = organization.desired.organization.as_str();
            confirm_deletion(name, self.args.confirm_deletion.as_deref(), asked, self.out)?;
        }
        self.session.estimate_apply(organization, plan.sealed.mutations.len(), self.out);
        if asked {
            confirm(&plan, self.out)?;
            if self.interrupts.shutdown.is_requested() {
                return Err(self.ended(organization));
            }
            // Time has passed at the prompt: what was shown has to stand still, and to be safe still.
            let (fresh, read) = self.plan_fresh(organization, &mut ledger, &run).await?;
            let shown = plan.sealed;
            (plan, _) = self.restrict(&shown, organization, &read, &ledger, &fresh)?;
            live = read;
            if let Err(failure) = may_be_sent(&plan) {
                self.tell(&report::plan_text(&document(&plan)));
                return Err(failure);
            }
        }
        organization.connected.deliveries.check(organization.desired, &plan.sealed.changes).map_err(|why| {
            Failure::error(format!("a secret could not be delivered, so nothing was sent: {why}"))
                .hint("secrets are shown once, so the way has to be ready before one is made")
        })?;
        if let Some(path) = &self.args.undo_out {
            let written = undo::write(path, organization, &plan, (&live, &ledger.facts()), &run)?;
            self.out.talk(&undo::told(&written, &self.args.connection));
            self.note(|applied| applied.undo = Some(written));
        }
        let ended = self.execute(organization, &plan, &live, &mut ledger, &run).await?;
        Ok(ended.and(left_out))
    }

    async fn plan_fresh(
        &self,
        organization: &Organization<'_>,
        ledger: &mut Ledger,
        run: &str,
    ) -> Result<(OrganizationPlan, Live), Failure> {
        let live = tokio::select! {
            biased;
            live = organization.read() => live?,
            () = self.interrupts.shutdown.wished() => return Err(self.ended(organization)),
        };
        self.session.claim(organization, &live)?;
        if live.organization == *organization.desired.organization {
            note_observed(&live, organization.connected.provider.rules(), ledger, run, Timestamp::now())
                .map_err(|why| Failure::error(format!("{why}. Nothing was sent")))?;
        }
        let planned = organization.plan(&live, &ledger.facts(), None)?;
        self.out.findings(&planned.warnings, &self.session.sources());
        Ok((planned.plan, live))
    }

    /// Somebody ended the run before anything was sent to this one.
    fn ended(&self, organization: &Organization<'_>) -> Failure {
        let failure = Failure::error(format!("{}: interrupted; nothing was sent to it", organization.name()));
        Failure { exit: Exit::interrupted(self.interrupts.has_sent()), ..failure }
    }

    /// What was approved and still stands, of what is wanted. And how a run ends by which some of it is left out.
    fn restrict(
        &mut self,
        approved: &Sealed,
        organization: &Organization<'_>,
        live: &Live,
        ledger: &Ledger,
        fresh: &OrganizationPlan,
    ) -> Result<(OrganizationPlan, Exit), Failure> {
        let selection = &organization.selection;
        let Approval { still_valid: mut standing, mut stale, mut unapproved } = compare(approved, &fresh.sealed);
        // What isn't asked for is neither missed nor news.
        stale.retain(|stale| selection.wants(&stale.approved.address));
        unapproved.retain(|change| selection.wants(&change.address));
        if !stale.is_empty() {
            self.tell(&report::stale(&stale));
            if !self.args.only_standing || standing.is_empty() {
                return Err(approval::stale(&stale, organization));
            }
        }
        if !selection.is_all() && !standing.is_empty() {
            let chosen = organization.chosen(&fresh.sealed)?;
            standing.retain(|address| chosen.contains(address));
        }
        if !unapproved.is_empty() {
            let list: Vec<String> = unapproved.iter().map(|change| report::clean(&change.address)).collect();
            self.out.talk(&format!("not approved, so not sent: {}\n", list.join(", ")));
        }
        let whole = stale.is_empty() && selection.is_all();
        let seal = seal(approved);
        let approved = Approved { still_valid: &standing, seal: Some(&*seal).filter(|_| whole) };
        let plan = organization.plan(live, &ledger.facts(), Some(&approved))?.plan;
        Ok((plan, if stale.is_empty() { Exit::Done } else { Exit::Partial }))
    }

    async fn execute(
        &mut self,
        organization: &Organization<'_>,
        plan: &OrganizationPlan,
        live: &Live,
        ledger: &mut Ledger,
        run: &str,
    ) -> Result<Exit, Failure> {
        let connected = &organization.connected;
        let apply = Apply {
            provider: connected.provider,
            desired: organization.desired,
            site: &connected.site,
            reader: &connected.reader,
            transport: Arc::clone(&connected.transport),
            redactor: &connected.redactor,
            backoff: connected.backoff,
            quotas: &connected.quotas,
            parallelism: self.args.parallelism.unwrap_or_else(|| connected.provider.parallelism()),
            caller: connected.caller.as_ref(),
            deliveries: &connected.deliveries,
            run,
            generator: GENERATOR,
            clock: &Timestamp::now,
            shutdown: &self.interrupts.shutdown,
        };
        self.tell("\n");
        if let Some(cache) = &connected.cache {
            cache.forget_read();
        }
        self.interrupts.begin_sending();
        let mut progress = Progress::of(plan.sealed.mutations.len());
        let mut told = |step: &Step| {
            progress.beside(|| self.tell(&format!("{}\n", report::step_line(step))));
            progress.step(&step.mutation);
        };
        let report = apply.run(plan, live, ledger, &mut told).await;
        progress.end();
        let report = report.map_err(|why| Failure::error(format!("{why}. Nothing was sent")))?;
        self.tell(&format!("\n{}", report::summary(&report)));
        self.out.talk(&format!("recorded in {}\n", connected.ledger.display()));
        let mints = plan.sealed.changes.iter().any(|change| change.action == Action::Create);
        if let (true, Some(folder)) = (mints, &connected.deliveries.below) {
            self.out.talk(&format!("in the sandbox, secrets go below {}\n", folder.display()));
        }
        let exit = ending(&report);
        self.note(|applied| (applied.plan, applied.report) = (Some(plan.clone()), Some(report)));
        Ok(exit)
    }
}
