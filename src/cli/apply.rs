//! `rolecall apply`

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueHint};
use jiff::Timestamp;
use tracing::Instrument as _;

use super::applied::{document, ending, may_be_sent, nothing_yet};
use super::confirm::{confirm, confirm_deletion, deletes_itself};
use super::connect::GENERATOR;
use super::exit::{Exit, Failure, sentence};
use super::fleet::ShardOption;
use super::interrupt::Interrupts;
use super::organization::{Approved, Organization, run_id};
use super::out::Out;
use super::progress::Progress;
use super::reports::Reports;
use super::selection::Selected;
use super::session::{AT_ONCE, Connections, Session};
use super::{APPROVAL, CONNECTION, Connection, OUTPUT, Paths, Planning, approval, undo};
use crate::report::{self, Applied, Format, Outcomes, Subject};
use rolecall_engine::apply::{Apply, Found, Step, record_nothing_sent, record_observed};
use rolecall_engine::ledger::{LONG, Ledger, LedgerHome};
use rolecall_model::{
    Action, Address, Change, Desired, Kind, Live, OrganizationPlan, Plan, ProviderName, RemoteId, Sealed,
    ShardedVerb, Unread, list_of,
};
use rolecall_plan::{Approval, ApprovalProgress, Selection, renamed, resume, seal};

/// Send the changes of a plan, and verify them.
///
/// Without --plan, it plans, shows the plan and asks. With --plan, it sends only approved changes that a fresh
/// plan still has. If the approved plan is out of date, it sends nothing.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  rolecall apply access/                                 asks before it sends
  rolecall apply --plan plan.json access/                sends what was reviewed
  rolecall apply --plan plan.json --only-asked access/   leaves drift as it is
  rolecall apply --plan plan.json --report markdown=outcome.md access/
  rolecall apply --undo-out undo.yaml access/acme.yaml   saves an undo file
  rolecall apply --auto-approve --leftovers access/      in a scheduled job
  rolecall apply --auto-approve --sandbox examples/bitpanda.yaml

Exit codes: 0 done, 1 error, 3 refused by a guardrail, 4 the approved plan is out
of date, 5 partly applied or unsure, 6 platform unreachable, 130 interrupted.
`rolecall exit-codes` explains them.")]
pub(super) struct ApplyArgs {
    #[command(flatten)]
    shard: ShardOption,
    /// Send this plan, which `plan --out` saved and somebody reviewed.
    #[arg(long, value_name = "FILE", conflicts_with = "leftovers", help_heading = APPROVAL)]
    plan: Option<PathBuf>,
    /// If the plan is out of date, send the changes that are still valid instead of none.
    #[arg(long, requires = "plan", help_heading = APPROVAL)]
    only_standing: bool,
    /// Leave out changes that the pull request of the plan didn't ask for, because live has drifted. The plan must have
    /// been made with --base.
    #[arg(long, requires = "plan", help_heading = APPROVAL)]
    only_asked: bool,
    /// Don't ask before sending; needed if there is neither a terminal nor --plan.
    #[arg(long, help_heading = APPROVAL)]
    auto_approve: bool,
    /// Confirm that this organisation is deleted, as its file says with `absent: true`.
    #[arg(long, value_name = "ORGANIZATION", value_hint = ValueHint::Other, help_heading = APPROVAL)]
    confirm_deletion: Option<String>,
    #[command(flatten)]
    paths: Paths,
    #[command(flatten)]
    selected: Selected,
    #[command(flatten)]
    planning: Planning,
    /// Save an undo file before anything is sent. It has the changed entities as they were, and can be planned.
    #[arg(long, value_name = "FILE", help_heading = OUTPUT)]
    undo_out: Option<PathBuf>,
    #[command(flatten)]
    reports: Reports,
    #[arg(
        long,
        help = parallelism_help(),
        value_name = "NUMBER",
        value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=64),
        value_hint = ValueHint::Other,
        help_heading = CONNECTION
    )]
    parallelism: Option<usize>,
    #[command(flatten)]
    connection: Connection,
}

fn parallelism_help() -> String {
    let defaults =
        ProviderName::ALL.iter().map(|name| (rolecall_providers::of(*name).traffic().parallelism, name));
    let defaults: Vec<String> = defaults.map(|(number, name)| format!("{number} for {name}")).collect();
    format!(
        "Send at most this many requests with mutations at once, up to 64. With 1, each mutation is a request of its own. By default it is {}",
        defaults.join(", ")
    )
}

/// One run over one or more organisations.
struct Run<'a> {
    args: &'a ApplyArgs,
    session: &'a Session<'a>,
    interrupts: &'a Interrupts,
    out: &'a mut Out,
    applied: Vec<Applied>,
}

fn open<'a>(args: &'a ApplyArgs, out: &mut Out) -> Result<Session<'a>, Failure> {
    args.reports.check(Format::OF_OUTCOMES)?;
    if let Some(now) = args.paths.now.filter(|_| !args.connection.sandbox) {
        let (when, why) = if now > Timestamp::now() {
            ("future", "Access isn't taken before it ends.")
        } else {
            ("past", "Access that has ended since isn't given again.")
        };
        return Err(Failure::error(format!("`--now` is in the {when}: {now}. {why}"))
            .hint("Plan with `--now` to see another day, and apply without it."));
    }
    let named =
        [(args.plan.as_ref(), "the file of `--plan`"), (args.undo_out.as_ref(), "the file of `--undo-out`")];
    let loaded = args.paths.load(args.connection.commands);
    let session = Session::open(loaded, &args.planning, &args.connection, &args.reports, &named, out)?;
    let part = args.shard.part(&session.desired(), out)?;
    session.handling(part, AT_ONCE).selecting(&args.selected)
}

pub(super) async fn apply(args: &ApplyArgs, out: &mut Out) -> Result<Exit, Failure> {
    let session = open(args, out)?;
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
    // With --plan, every organisation has to be reachable: an unreachable one would look like one that no file
    // describes.
    if args.plan.is_none() || exit == Exit::Done {
        exit = exit.and(run.organizations(&organizations).await?);
    }
    run.add_untouched(exit);
    run.print_endings();
    run.out.talk(&undo::missing(args.undo_out.as_deref(), &run.applied).unwrap_or_default());
    let mut outcomes = Outcomes::new(GENERATOR, run.applied);
    outcomes.shard = session.shard_run(ShardedVerb::Apply, exit);
    let reported = if args.reports.format == Format::Text {
        // The text was printed while the run went on.
        args.reports.save(Subject::Outcomes(&outcomes))
    } else {
        args.reports.write(Subject::Outcomes(&outcomes), out)
    };
    // A report that can't be written doesn't change what was applied.
    Ok(out.settle(exit, [reported]))
}

impl Run<'_> {
    /// Handles one organisation after the other, until the run is interrupted.
    async fn organizations(&mut self, organizations: &[Organization<'_>]) -> Result<Exit, Failure> {
        let approved =
            self.args.plan.as_ref().map(|path| approval::load(path, self.session, organizations)).transpose()?;
        let interrupts = self.interrupts;
        let mut exit = Exit::Done;
        let mut remaining = organizations.len();
        for organization in organizations {
            let Desired { provider, organization: name, .. } = organization.desired;
            self.applied.push(nothing_yet(*provider, name.value.clone()));
            let span = organization.span("apply");
            let ended = self.organization(organization, approved.as_ref()).instrument(span.clone()).await;
            if ended.as_ref().map_or_else(|failure| failure.exit, |exit| *exit) != Exit::Done {
                span.record("otel.status_code", "error");
            }
            let (ended, error) = match ended {
                Ok(ended) => (ended, None),
                Err(failure) => (self.session.report_failure(&failure, self.out), Some(failure.to_string())),
            };
            self.note(|applied| {
                (applied.exit, applied.ending, applied.error) = (ended as u8, ended.as_str().to_owned(), error);
            });
            exit = exit.and(ended);
            remaining -= 1;
            if interrupts.shutdown.is_requested() {
                break;
            }
        }
        if remaining > 0 {
            // The interrupted run never got to some of the organisations.
            exit = exit.and(Exit::interrupted(interrupts.has_sent()));
        }
        Ok(exit)
    }

    /// Completes the outcome of the organisation that is being handled.
    fn note(&mut self, note: impl FnOnce(&mut Applied)) {
        if let Some(applied) = self.applied.last_mut() {
            note(applied);
        }
    }

    /// Adds the outcome of each organisation that the run never got to, because it was interrupted or can't reach another one.
    fn add_untouched(&mut self, exit: Exit) {
        let exit = if self.interrupts.shutdown.is_requested() { Exit::Interrupted } else { exit };
        for Desired { provider, organization, .. } in self.session.selected() {
            if self.applied.iter().all(|other| !is_of(other, *provider, organization)) {
                let untouched = nothing_yet(*provider, organization.value.clone());
                let ending = "nothing was sent".to_owned();
                self.applied.push(Applied { exit: exit as u8, ending, ..untouched });
            }
        }
    }

    /// Prints the progress of the run: to stdout if the format is text, otherwise to stderr.
    fn print(&mut self, text: &str) {
        if self.args.reports.format == Format::Text {
            self.out.result(text);
        } else {
            self.out.talk(text);
        }
    }

    /// Prints the ending of each organisation by its name, if there are several.
    fn print_endings(&mut self) {
        let selected: Vec<&Desired> = self.session.selected().collect();
        if selected.len() < 2 {
            return;
        }
        let mut text = format!("\n{}\n", report::plural(selected.len(), "organisation"));
        for Desired { provider, organization, .. } in selected {
            let applied = self.applied.iter().find(|applied| is_of(applied, *provider, organization));
            let ending = applied.map_or("", |applied| &*applied.ending);
            let _ = writeln!(text, "  {ending:16}  {provider} {}", report::clean(&organization.value));
        }
        self.print(&text);
    }

    async fn organization(
        &mut self,
        organization: &Organization<'_>,
        approved: Option<&Plan>,
    ) -> Result<Exit, Failure> {
        let approved = match approved {
            Some(plan) => {
                let Some(section) = approval::approved_section(plan, organization) else {
                    self.out.talk(&format!(
                        "The approved plan doesn't have {}. Nothing is sent to it.\n",
                        organization.name()
                    ));
                    return Ok(Exit::Done);
                };
                Some(section)
            }
            None => None,
        };
        let mut selection = organization.selection.clone();
        if let Some(section) = approved.filter(|_| self.args.only_asked) {
            selection.unasked = approval::unasked(section, organization, self.out)?;
        }
        let approved = approved.map(|section| &section.sealed);
        let started = Timestamp::now();
        let run = run_id(started);
        let home = &organization.connected.ledger;
        if matches!(home, LedgerHome::Store(..)) && home.is_held() {
            self.out.talk(&format!(
                "Another run has the lock on the ledger {home}. This run waits until that run releases it or proves to be dead, \
                 for up to 90 s.\n"
            ));
        }
        let mut ledger = Ledger::open(home, &run, started).map_err(|why| Failure::unrecorded(&why))?;
        organization.check_ledger_identity(ledger.records())?;
        self.shorten(&mut ledger, home, (&run, started));
        let unplannable = |failure| match approved {
            Some(_) => approval::unplannable(failure, organization),
            None => failure,
        };
        let planned = self.plan_fresh(organization, &mut ledger, &run).await;
        let (mut plan, mut live) = planned.map_err(unplannable)?;
        let mut restricted = Exit::Done;
        // An apply in another folder has another ledger, and another file may name this organisation by its slug. So
        // the lock is by its id, which only the read shows.
        let id = live.organization_id.as_ref().unwrap_or(&live.organization);
        let lock = organization.connected.lock(id).map_err(|why| Failure::unrecorded(&why))?;
        if !lock.was_free_since(started) {
            let planned = self.plan_fresh(organization, &mut ledger, &run).await;
            (plan, live) = planned.map_err(unplannable)?;
        }
        let mut whole = plan.clone();
        if let Some(approved) = approved {
            (plan, restricted) = self.restrict(approved, organization, &selection, (&live, &ledger), &plan)?;
        } else {
            plan = organization.selected(plan, &live, &ledger.facts())?;
        }
        let layout = self.args.reports.layout();
        self.print(&report::plan_text(&document(&plan), layout));
        self.note(|applied| applied.plan = Some(plan.clone()));
        may_be_sent(&plan)?;
        // The plan leaves out what rests on an incomplete list, and entries with an error. Then the run is not a
        // success.
        let restricted = restricted.and(if organization.lacks_selected(&plan) { Exit::Error } else { Exit::Done });
        if plan.sealed.mutations.is_empty() {
            whole.not_selected = plan.not_selected;
            // The line is only a convenience, as the last one is after sending.
            let (desired, now) = (organization.desired, Timestamp::now());
            if let Err(why) = record_nothing_sent(&whole, (desired, &live), &mut ledger, (&run, GENERATOR), now) {
                self.out.talk(&format!("This apply is not recorded: {}\n", sentence(why)));
            }
            return Ok(restricted);
        }
        let asks = approved.is_none() && !self.args.auto_approve;
        if deletes_itself(&plan) {
            let name = organization.desired.organization.as_str();
            confirm_deletion(name, self.args.confirm_deletion.as_deref(), asks, self.out)?;
        }
        self.session.estimate_apply(organization, plan.sealed.mutations.len(), self.out);
        if asks {
            confirm(&plan, self.out)?;
            if self.interrupts.shutdown.is_requested() {
                return Err(self.interrupted(organization));
            }
            // Time has passed at the prompt. The plan that was shown has to be still valid, and still safe.
            let (fresh, read) = self.plan_fresh(organization, &mut ledger, &run).await?;
            let shown = plan.sealed;
            (plan, _) = self.restrict(&shown, organization, &selection, (&read, &ledger), &fresh)?;
            live = read;
            if let Err(failure) = may_be_sent(&plan) {
                let layout = self.args.reports.layout();
                self.print(&report::plan_text(&document(&plan), layout));
                return Err(failure);
            }
        }
        let deliveries = &organization.connected.deliveries;
        deliveries.check(organization.desired, &plan.sealed.changes).await.map_err(|why| {
            Failure::error(format!("A secret can't be delivered, so nothing was sent: {why}.")).hint(
                "The platform shows a secret only once, so its delivery has to work before the key is created.",
            )
        })?;
        if let Some(path) = &self.args.undo_out {
            let written = undo::write(path, organization, &plan, (&live, &ledger.facts()), &run)?;
            self.out.talk(&undo::saved_text(&written, &self.args.connection));
            self.note(|applied| applied.undo = Some(written));
        }
        let ended = self.execute(organization, approved, &plan, &live, &mut ledger, &run).await?;
        Ok(ended.and(restricted))
    }

    /// Shortens a long ledger. If that fails, it stays long.
    fn shorten(&self, ledger: &mut Ledger, home: &LedgerHome, (run, started): (&str, Timestamp)) {
        let said = match ledger.shorten(LONG, run, started) {
            Ok(None) => return,
            Ok(Some(archive)) => format!(
                "The ledger {home} was long, so lines that nothing rests on are now only in {}. Keep that file with it.\n",
                archive.display()
            ),
            Err(why) => format!("The ledger {home} is long and stays so: {}\n", sentence(why)),
        };
        self.out.talk(&said);
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
            () = self.interrupts.shutdown.requested() => return Err(self.interrupted(organization)),
        };
        self.session.claim(organization, live.organization_id.as_ref())?;
        if live.organization == *organization.desired.organization {
            let unrecorded = |why| Failure::error(format!("{} Nothing was sent.", sentence(why)));
            let (deliveries, now) = (&organization.connected.deliveries, Timestamp::now());
            record_observed(&live, organization.connected.provider.rules(), ledger, run, now)
                .map_err(unrecorded)?;
            for found in deliveries.record_found(organization.desired, ledger, run, now).map_err(unrecorded)? {
                let Found { key, to, not_to } = found;
                let rest = if not_to.is_empty() {
                    String::new()
                } else {
                    format!(
                        " It may be missing in {}: look there, and copy it there if it is.",
                        list_of(&not_to, "and")
                    )
                };
                self.out.talk(&format!(
                    "An earlier run died while it delivered the secret of {key}. The secret is in {}, so the key stays.{rest}\n",
                    list_of(&to, "and")
                ));
            }
        }
        let planned = organization.plan(&live, &ledger.facts(), None)?;
        self.out.findings(&planned.findings, &self.session.sources());
        let live = renamed(organization.desired, &live).into_owned();
        Ok((planned.plan, live))
    }

    /// Returns the failure of a run that was interrupted before anything was sent to this organisation.
    fn interrupted(&self, organization: &Organization<'_>) -> Failure {
        let failure =
            Failure::error(format!("Interrupted before {}. Nothing was sent to it.", organization.name()));
        Failure { exit: Exit::interrupted(self.interrupts.has_sent()), ..failure }
    }

    /// Restricts a fresh plan to the selected changes that are approved and still valid. Returns the plan, and how
    /// the run ends because of approved changes that are out of date.
    fn restrict(
        &mut self,
        approved: &Sealed,
        organization: &Organization<'_>,
        selection: &Selection,
        (live, ledger): (&Live, &Ledger),
        fresh: &OrganizationPlan,
    ) -> Result<(OrganizationPlan, Exit), Failure> {
        // An address with a typing error must not look like one that is done. A plan that was just shown has only
        // what was selected.
        let chosen =
            if self.args.plan.is_some() { organization.chosen(approved, selection)? } else { addresses(approved) };
        let needed: Vec<&Address> = selection.unasked.iter().filter(|address| chosen.contains(*address)).collect();
        if !needed.is_empty() {
            let needed = report::first(needed.into_iter(), 20, report::clean);
            self.out.talk(&format!("Sent because another change needs it: {needed}.\n"));
        }
        let sealed = seal(approved);
        let sent = ledger.sent_under(&sealed);
        let Approval { mut still_valid, mut done, mut open, mut stale, mut unapproved, readdressed } =
            resume(approved, &fresh.sealed, ApprovalProgress { live, sent: &sent });
        let chosen: BTreeSet<Address> =
            chosen.into_iter().map(|address| readdressed.get(&address).cloned().unwrap_or(address)).collect();
        // Changes that are not selected count neither as out of date nor as not approved.
        for addresses in [&mut still_valid, &mut done, &mut open] {
            addresses.retain(|address| chosen.contains(address));
        }
        stale.retain(|stale| chosen.contains(&stale.approved.address));
        unapproved.retain(|change| selection.matches(&change.address));
        if !stale.is_empty() {
            self.print(&report::stale(&stale));
            if !self.args.only_standing || still_valid.is_empty() {
                return Err(approval::stale(&stale, organization));
            }
        }
        let list = |addresses: &mut dyn Iterator<Item = &Address>| {
            let addresses: Vec<&Address> = addresses.collect();
            report::first(addresses.into_iter(), 20, report::clean)
        };
        if !done.is_empty() {
            self.out.talk(&format!("Already done, so not sent again: {}.\n", list(&mut done.iter())));
        }
        if !open.is_empty() {
            self.out.talk(&format!("Tried before and not done, so not sent again: {}.\n", list(&mut open.iter())));
        }
        if !unapproved.is_empty() {
            let unapproved = list(&mut unapproved.iter().map(|change| &change.address));
            self.out.talk(&format!("Not approved, so not sent: {unapproved}.\n"));
        }
        let is_left = |address: &Address| !selection.matches(address) && !chosen.contains(address);
        let not_selected = fresh.sealed.changes.iter().filter(|change| is_left(&change.address)).count();
        let is_whole = stale.is_empty() && selection.is_all();
        let approved = Approved { still_valid: &still_valid, seal: Some(&*sealed).filter(|_| is_whole) };
        let mut plan = organization.plan(live, &ledger.facts(), Some(&approved))?.plan;
        plan.not_selected = not_selected;
        let is_complete = stale.is_empty() && open.is_empty();
        Ok((plan, if is_complete { Exit::Done } else { Exit::Partial }))
    }

    async fn execute(
        &mut self,
        organization: &Organization<'_>,
        approved: Option<&Sealed>,
        plan: &OrganizationPlan,
        live: &Live,
        ledger: &mut Ledger,
        run: &str,
    ) -> Result<Exit, Failure> {
        let connected = &*organization.connected;
        let approved = approved.map(seal);
        let apply = Apply {
            provider: connected.provider,
            desired: organization.desired,
            site: &connected.site,
            reader: &connected.reader,
            transport: Arc::clone(&connected.transport),
            redactor: &connected.redactor,
            backoff: connected.backoff,
            quotas: &connected.quotas,
            parallelism: self.args.parallelism.unwrap_or_else(|| connected.provider.traffic().parallelism),
            caller: Some(&connected.caller),
            deliveries: &connected.deliveries,
            approved: approved.as_deref(),
            run,
            generator: GENERATOR,
            clock: &Timestamp::now,
            shutdown: &self.interrupts.shutdown,
        };
        self.print("\n");
        if let Some(cache) = &connected.cache {
            cache.forget_read();
        }
        self.interrupts.begin_sending();
        let layout = self.args.reports.layout();
        let mut progress = Progress::of(plan.sealed.mutations.len());
        let mut reported = BTreeSet::new();
        let mut on_step = |step: &Step| {
            let corrects = !reported.insert((step.mutation.clone(), step.address.clone()));
            progress.suspend(|| self.print(&report::step_line(step, corrects, layout)));
            progress.step(&step.mutation);
        };
        let report = apply.run(plan, live, ledger, &mut on_step).await;
        progress.end();
        let report = report.map_err(|why| Failure::error(format!("{} Nothing was sent.", sentence(why))))?;
        self.print(&format!("\n{}", report::summary(&report, layout)));
        if ledger.is_intact() {
            self.out.talk(&format!("The outcomes are recorded in {}.\n", connected.ledger));
        }
        let is_new_key = |change: &Change| change.action == Action::Create && change.address.kind == Kind::Key;
        let creates_keys = plan.sealed.changes.iter().any(is_new_key);
        if let (true, Some(folder)) = (creates_keys, &connected.deliveries.below) {
            self.out.talk(&format!("The sandbox delivers secrets to {}.\n", folder.display()));
        }
        let exit = ending(&report);
        self.note(|applied| (applied.plan, applied.report) = (Some(plan.clone()), Some(report)));
        Ok(exit)
    }
}

fn is_of(applied: &Applied, provider: ProviderName, organization: &RemoteId) -> bool {
    (applied.provider, &applied.organization) == (provider, organization)
}

fn addresses(sealed: &Sealed) -> BTreeSet<Address> {
    sealed.changes.iter().map(|change| change.address.clone()).collect()
}
