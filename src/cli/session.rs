//! Loads the files, connects to each organisation and plans it. Shared by `plan`, `apply` and `drift`.

mod estimate;
mod whole;

use std::collections::{BTreeMap, BTreeSet};
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::SignedDuration;
use tracing::Instrument as _;

use super::base::Base;
use super::connect::{connect, sandbox};
use super::connection_pool::ConnectionPool;
use super::exit::{Exit, Failure};
use super::fleet::{AtOnce, Part, ShardOption, fleet, in_lanes};
use super::organization::Organization;
use super::out::Out;
use super::reports::{Reports, used_files};
use super::selection::{Selected, manages};
use super::{Connection, HORIZON, Planning};
use rolecall_config::{Loaded, LoadedFile, Recheck, Source, Version};
use rolecall_engine::ledger::{Ledger, ReadLedger};
use rolecall_model::{
    Address, Code, Desired, Facts, Finding, Inventory, Kind, Live, OrganizationPlan, Placed, Plan, Quirk,
    RemoteId, ShardRun, ShardedVerb, Unread, Warning, list_of,
};
use rolecall_plan::{MaxSilence, wrong_organization};

/// The files and options of a run, checked.
pub(super) struct Session<'a> {
    planning: &'a Planning,
    connection: &'a Connection,
    /// It is never freed: the run ends with the session, and the system takes back what thousands of users need at once.
    loaded: ManuallyDrop<Loaded>,
    /// Reads the files of which `loaded` has only the heads.
    recheck: Option<Recheck<'a>>,
    pool: ConnectionPool,
    /// The selected part of each plan.
    selected: Selected,
    /// The organisations that this run handles.
    part: Part,
    /// The most organisations that are read at once.
    at_once: usize,
    /// The version of the files that each plan is compared with.
    base: Option<Base>,
    /// Whether each plan says what its credential lacks for an apply.
    asks_permissions: bool,
    /// The longest time for which jobs may have been silent.
    max_silence: Option<MaxSilence>,
    /// The `organization` of the first file for each organisation, by its platform and its own id there.
    claimed: Mutex<BTreeMap<OrganizationKey, Placed<RemoteId>>>,
}

/// The connections to every selected organisation, and the failures of those that can't be connected to.
pub(super) struct Connections<'a> {
    pub organizations: Vec<Organization<'a>>,
    /// Each failed organisation, and the exit code that it alone would end the run with.
    pub failed: Vec<(Unread, Exit)>,
    /// The exit code of all failures together.
    pub exit: Exit,
}

/// Every organisation that was read, and those that weren't.
pub(super) struct Readings<'a> {
    pub read: Vec<Reading<'a>>,
    pub failed: Vec<Unread>,
    /// The exit code of all failures together.
    pub exit: Exit,
}

/// One organisation as it is live, with what its ledger knows.
pub(super) struct Reading<'a> {
    pub organization: Organization<'a>,
    pub live: Live,
    pub facts: Facts,
}

/// The most organisations that are read at once, if no option says it.
pub(super) const AT_ONCE: usize = 4;

/// The platform that an organisation is on, and its own id there.
type OrganizationKey = ([u8; 32], RemoteId);

impl<'a> Session<'a> {
    /// Checks the files together with the options, and prints every finding. An error in any file is a failure. `named`
    /// are further files that the command line names, each with words for it.
    pub fn open(
        mut loaded: Loaded,
        planning: &'a Planning,
        connection: &'a Connection,
        reports: &Reports,
        named: &[(Option<&PathBuf>, &'static str)],
        out: &mut Out,
    ) -> Result<Self, Failure> {
        let named = named.iter().filter_map(|(path, option)| Some((path.map(PathBuf::as_path)?, *option)));
        let mut own: Vec<(&Path, &str)> = named.collect();
        let used = own.iter().copied().chain(used_files(&loaded, connection));
        reports.ensure_unused(&used.collect::<Vec<_>>())?;
        own.extend(connection.files());
        let mut found = loaded.check_deliveries(&own);
        loaded.findings.append(&mut found);
        for desired in loaded.files.iter_mut().filter_map(|file| file.desired.as_mut()) {
            planning.tighten(desired);
        }
        if loaded.has_errors() {
            let sources: Vec<&Source> = loaded.sources().collect();
            out.findings(&loaded.findings, &sources);
            reports.refuse(&loaded.findings, &sources, out)?;
            return Err(Failure::findings(Vec::new()));
        }
        let session = Self::of(loaded, planning, connection, out)?;
        let all = session.desired();
        for asserted in &planning.asserted {
            if !all.iter().any(|desired| manages(desired, asserted)) {
                return Err(Failure::error(format!("No file manages {asserted}, which `--assert` names."))
                    .hint("Only an entity that a file lists, or of a kind that it manages, can be sent."));
            }
        }
        Ok(session)
    }

    /// Opens a session for the files that have no error. Returns the errors of the others.
    pub fn examining(
        mut loaded: Loaded,
        connection: &'a Connection,
        out: &mut Out,
    ) -> Result<(Self, Vec<Finding>), Failure> {
        let (errors, others) = std::mem::take(&mut loaded.findings).into_iter().partition(Finding::is_error);
        loaded.findings = others;
        Ok((Self::unrestricted(loaded, connection, out)?, errors))
    }

    /// Opens a session that reads all entities of these kinds, and not only what these files mention.
    pub fn reading(
        mut loaded: Loaded,
        kinds: &BTreeSet<Kind>,
        connection: &'a Connection,
        out: &mut Out,
    ) -> Result<Self, Failure> {
        for desired in loaded.files.iter_mut().filter_map(|file| file.desired.as_mut()) {
            desired.reads.clone_from(kinds);
        }
        Self::unrestricted(loaded, connection, out)
    }

    /// Opens a session that reads what these files mention.
    pub fn unrestricted(loaded: Loaded, connection: &'a Connection, out: &mut Out) -> Result<Self, Failure> {
        static UNRESTRICTED: Planning =
            Planning { asserted: Vec::new(), horizon: HORIZON, min_admins: None, max_removals: None };
        Self::of(loaded, &UNRESTRICTED, connection, out)
    }

    /// Prints every finding. An error in any file is a failure.
    fn of(
        loaded: Loaded,
        planning: &'a Planning,
        connection: &'a Connection,
        out: &mut Out,
    ) -> Result<Self, Failure> {
        let session = Self {
            planning,
            connection,
            loaded: ManuallyDrop::new(loaded),
            recheck: None,
            pool: ConnectionPool::default(),
            selected: Selected::default(),
            part: Part::default(),
            at_once: AT_ONCE,
            base: None,
            asks_permissions: false,
            max_silence: None,
            claimed: Mutex::default(),
        };
        out.findings(&session.loaded.findings, &session.sources());
        if session.loaded.has_errors() {
            return Err(Failure::findings(Vec::new()));
        }
        if connection.ledger.as_ref().is_some_and(|place| place.file().is_some()) && session.desired().len() > 1 {
            return Err(Failure::error("`--ledger` names one file, and there are several organisations.")
                .hint("Run each organisation by itself, or leave `--ledger` out."));
        }
        Ok(session)
    }

    /// Restricts the session to its share of the organisations.
    pub fn sharing(self, shard: &ShardOption, at_once: &AtOnce, out: &Out) -> Result<Self, Failure> {
        let part = shard.part(&self.desired(), out)?;
        Ok(self.handling(part, at_once.organizations_at_once))
    }

    /// Restricts the session to some of the organisations, and reads at most so many of them at once.
    pub fn handling(self, part: Part, at_once: usize) -> Self {
        let mut session = Self { part, at_once, ..self };
        session.pool.shards = session.part.shard().map_or(0, |shard| shard.of);
        session
    }

    /// Returns the organisations that this run handles.
    pub fn part(&self) -> &Part {
        &self.part
    }

    /// Returns what `merge` needs to know about this run. `None` if it has all organisations.
    pub fn shard_run(&self, verb: ShardedVerb, exit: Exit) -> Option<ShardRun> {
        let shard = self.part.shard()?;
        let is_selected = |desired: &&Desired| self.selected.of(desired).is_some();
        let reported = fleet(self.desired().into_iter().filter(is_selected));
        Some(ShardRun {
            shard,
            verb,
            exit: exit as u8,
            organizations: reported.organizations(),
            fleet: reported.digest(),
            files: self.loaded.digest(),
        })
    }

    /// Restricts the session to the selected part of each plan.
    pub fn selecting(self, selected: &Selected) -> Result<Self, Failure> {
        selected.check(&self.desired())?;
        Ok(Self { selected: selected.clone(), ..self })
    }

    /// Asks for every plan whether the credential may send it.
    pub fn asking_permissions(self, asks_permissions: bool) -> Self {
        Self { asks_permissions, ..self }
    }

    /// Compares every plan with the one of another version of the files.
    pub fn comparing(self, base: Option<Base>) -> Self {
        Self { base, ..self }
    }

    /// Notices if these jobs have been silent for longer.
    pub fn noticing(self, max_silence: Option<MaxSilence>) -> Self {
        Self { max_silence, ..self }
    }

    /// Returns the desired state of the same organisation as another version of the files describes.
    pub fn counterpart(&self, other: &Desired) -> Option<&Desired> {
        self.loaded.counterpart(other).map(|(_, desired)| desired)
    }

    /// Returns the file that describes an organisation, and every included file.
    pub fn file_of(&self, desired: &Desired) -> Option<(&LoadedFile, &[Source])> {
        let is_same = |other: &Desired| other.place.file == desired.place.file;
        let file = self.loaded.files.iter().find(|file| file.desired.as_ref().is_some_and(is_same))?;
        Some((file, &self.loaded.included))
    }

    /// Returns everything that was loaded.
    pub fn loaded(&self) -> &Loaded {
        &self.loaded
    }

    pub fn sources(&self) -> Vec<&Source> {
        self.loaded.sources().collect()
    }

    /// Returns the organisations of this shard that `--target` selects a change of. Without both options, these are all.
    pub fn selected(&self) -> impl Iterator<Item = &Desired> {
        let is_selected = |desired: &&Desired| self.part.has(desired) && self.selected.of(desired).is_some();
        self.desired().into_iter().filter(is_selected)
    }

    pub fn desired(&self) -> Vec<&Desired> {
        self.loaded.files.iter().filter_map(|file| file.desired.as_ref()).collect()
    }

    /// Connects to one organisation.
    pub async fn connect<'b>(&'b self, desired: &'b Desired, resume: bool) -> Result<Organization<'b>, Failure> {
        let connected = if self.connection.sandbox {
            sandbox(desired, self.connection, &self.pool, resume).await?
        } else {
            connect(desired, self.connection, &self.pool, resume).await?
        };
        let asserted = self.planning.asserted.iter().cloned().collect();
        let selection = self.selected.of(desired).unwrap_or_default();
        let of_file = |finding: &&Finding| !finding.is_error() && finding.place.file == desired.place.file;
        let warnings = self.loaded.findings.iter().filter(of_file).map(Warning::from).collect();
        let horizon = SignedDuration::from_hours(24 * i64::from(self.planning.horizon));
        let now = self.loaded.now;
        let max_silence = self.max_silence.clone();
        let connected = Arc::new(connected);
        Ok(Organization { desired, connected, asserted, selection, now, horizon, max_silence, warnings })
    }

    /// Connects to every selected organisation. A failure of one does not affect the others.
    pub async fn connect_all(&self, out: &Out) -> Connections<'_> {
        self.connect_each(out, false).await
    }

    /// Connects to every selected organisation. `resume`: continue an interrupted read of an earlier run. An apply
    /// does not resume, because it needs the current state.
    async fn connect_each<'b>(&'b self, out: &Out, resume: bool) -> Connections<'b> {
        let mut all = Connections { organizations: Vec::new(), failed: Vec::new(), exit: Exit::Done };
        let selected: Vec<&Desired> = self.selected().collect();
        let connect =
            async |desired: &&'b Desired, out: &Out| self.reported(self.connect(desired, resume).await, out);
        let connected = in_lanes(&selected, |desired| &desired.place, self.at_once, connect, out).await;
        for (desired, connected) in selected.into_iter().zip(connected) {
            match connected {
                Ok(organization) => all.organizations.push(organization),
                Err(failure) => {
                    all.failed.push((unread(desired, &failure), failure.exit));
                    all.exit = all.exit.and(failure.exit);
                }
            }
        }
        // Two files for the same organisation would undo each other's changes, so neither is planned.
        let mut by_credential: BTreeMap<[u8; 32], Vec<&Desired>> = BTreeMap::new();
        for organization in all
            .organizations
            .iter()
            .filter(|organization| organization.connected.provider.has(Quirk::OrganizationUnnamed))
        {
            by_credential
                .entry(organization.connected.credential_fingerprint)
                .or_default()
                .push(organization.desired);
        }
        by_credential.retain(|_, files| files.len() > 1);
        for files in by_credential.values() {
            let failure = duplicate_organizations(files);
            all.failed.extend(files.iter().map(|desired| (unread(desired, &failure), failure.exit)));
            all.exit = all.exit.and(self.report_failure(&failure, out));
        }
        all.organizations
            .retain(|organization| !by_credential.contains_key(&organization.connected.credential_fingerprint));
        self.estimate(&all.organizations, out);
        all
    }

    /// Prints the failure of one organisation, and returns its exit code.
    pub fn report_failure(&self, failure: &Failure, out: &Out) -> Exit {
        self.print(&failure.findings, out);
        out.failure(failure);
        failure.exit
    }

    /// Prints a failure of one organisation.
    fn reported<T>(&self, result: Result<T, Failure>, out: &Out) -> Result<T, Failure> {
        result.inspect_err(|failure| {
            self.report_failure(failure, out);
        })
    }

    /// Works on each organisation within a span for this task, and returns the results in the same order. Prints every failure. Organisations with
    /// one rate limit or one credential have their turn one after the other.
    async fn each<'b, T>(
        &self,
        (task, organizations): (&'static str, &'b [Organization<'b>]),
        out: &Out,
        work: impl AsyncFn(&'b Organization<'b>, &Out) -> Result<T, Failure>,
    ) -> Vec<Result<T, Failure>> {
        let all: Vec<&Organization<'_>> = organizations.iter().collect();
        let work = async |organization: &&'b Organization<'b>, out: &Out| {
            let span = organization.span(task);
            let done = work(organization, out).instrument(span.clone()).await;
            if done.is_err() {
                span.record("otel.status_code", "error");
            }
            self.reported(done, out)
        };
        in_lanes(&all, |organization| organization.lane(), self.at_once, work, out).await
    }

    /// Reads and plans every organisation. A failure of one does not affect the others.
    pub async fn plan_all(&self, out: &Out) -> (Plan, Exit) {
        let (plan, _, exit) = self.plan_each(out, false).await;
        (plan, exit)
    }

    /// Plans like [`Session::plan_all`], and also lists what rolecall sees and does not manage. Returns the connections, too.
    pub async fn survey_all(&self, out: &Out) -> (Plan, Vec<Organization<'_>>, Exit) {
        self.plan_each(out, true).await
    }

    /// Checks that no other file of this run is for the same organisation. One file may name it by its slug, and
    /// another by its id.
    pub fn claim(&self, organization: &Organization<'_>, id: Option<&RemoteId>) -> Result<(), Failure> {
        let Some(id) = id else { return Ok(()) };
        let named = &organization.desired.organization;
        let mut claimed = self.claimed.lock().unwrap_or_else(PoisonError::into_inner);
        let first = claimed.entry((organization.connected.platform, id.clone())).or_insert_with(|| named.clone());
        if first.place.file == named.place.file {
            return Ok(());
        }
        let message =
            format!("{} is the organisation {id}, which {} manages as {}.", named.value, first.place, first.value);
        Err(Failure::findings(vec![
            Finding::error(Code::DuplicateOrganization, named.place.clone(), message)
                .hint("Merge the two files. Nothing was sent for this one."),
        ]))
    }

    async fn plan_each(&self, out: &Out, survey: bool) -> (Plan, Vec<Organization<'_>>, Exit) {
        let mut plan = Plan::new(super::connect::GENERATOR, Vec::new());
        let Connections { organizations, failed, mut exit } = self.connect_each(out, true).await;
        plan.unread.extend(failed.into_iter().map(|(unread, _)| unread));
        let mut is_resumable = false;
        let work =
            async |organization: &Organization<'_>, out: &Out| self.plan_one(organization, survey, out).await;
        let all = self.each(("plan", &organizations), out, work).await;
        for (organization, planned) in organizations.iter().zip(all) {
            let claimed = planned.and_then(|(planned, id)| {
                self.reported(self.claim(organization, id.as_ref()), out).map(|()| planned)
            });
            match claimed {
                Ok(planned) => {
                    if organization.lacks_selected(&planned) {
                        exit = exit.and(Exit::Error);
                    }
                    plan.organizations.push(planned);
                }
                Err(failure) => {
                    is_resumable |= failure.is_resumable;
                    plan.unread.push(unread(organization.desired, &failure));
                    exit = exit.and(failure.exit);
                }
            }
        }
        self.close(is_resumable);
        for asserted in &self.planning.asserted {
            let changes = plan.organizations.iter().flat_map(|organization| &organization.sealed.changes);
            if !changes.into_iter().any(|change| asserted.covers(&change.address)) {
                let id = if asserted.id.is_some() { " Leave out its `#id` if the plan does." } else { "" };
                out.talk(&format!(
                    "There is nothing to send for {asserted}, which `--assert` names. If the plan lists it as skipped, it says why.{id}\n"
                ));
            }
        }
        plan.organizations.sort_by(|a, b| a.sealed.identity.cmp(&b.sealed.identity));
        plan.unread.sort();
        plan.undescribed = self.base.as_ref().map(|base| base.undescribed(self)).unwrap_or_default();
        (plan, organizations, exit)
    }

    /// Ends the reads. `is_resumable`: one was interrupted, and the next run can go on with its answers.
    fn close(&self, is_resumable: bool) {
        for checkpoint in self.pool.checkpoints() {
            if is_resumable { checkpoint.suspend() } else { checkpoint.finish() }
        }
    }

    /// Reads every organisation. A failure of one does not affect the others.
    pub async fn read_all(&self, out: &Out) -> Readings<'_> {
        let Connections { organizations, failed, exit } = self.connect_each(out, true).await;
        let failed = failed.into_iter().map(|(unread, _)| unread).collect();
        let mut readings = Readings { read: Vec::new(), failed, exit };
        let mut is_resumable = false;
        let read = async |organization: &Organization<'_>, out: &Out| self.read_one(organization, out).await;
        let all = self.each(("read", &organizations), out, read).await;
        for (organization, read) in organizations.into_iter().zip(all) {
            let claimed = read.and_then(|(live, facts)| {
                let id = live.organization_id.as_ref();
                self.reported(self.claim(&organization, id), out).map(|()| (live, facts))
            });
            match claimed {
                Ok((live, facts)) => readings.read.push(Reading { organization, live, facts }),
                Err(failure) => {
                    is_resumable |= failure.is_resumable;
                    readings.failed.push(unread(organization.desired, &failure));
                    readings.exit = readings.exit.and(failure.exit);
                }
            }
        }
        self.close(is_resumable);
        readings
    }

    async fn plan_one(
        &self,
        organization: &Organization<'_>,
        survey: bool,
        out: &Out,
    ) -> Result<(OrganizationPlan, Option<RemoteId>), Failure> {
        let whole = self.whole(organization.desired)?;
        let organization = &organization.with(&whole);
        let (live, facts) = self.read_one(organization, out).await?;
        let planned = organization.plan(&live, &facts, None)?;
        self.print(&planned.findings, out);
        let mut plan = organization.selected(planned.plan, &live, &facts)?;
        if self.asks_permissions {
            organization.ask_permissions(&mut plan, &live).await;
        }
        if let (Some(base), Some(head)) = (&self.base, self.loaded.version(organization.desired)) {
            let head = Version { desired: organization.desired, ..head };
            let findings = base.compare(&mut plan, organization, &head, (&live, &facts));
            self.print(&findings, out);
        }
        if survey {
            let mut inventory = organization.survey(&live).await?;
            let named: BTreeSet<&str> =
                self.desired().iter().map(|desired| desired.organization.as_str()).collect();
            inventory.organizations.retain(|other| !named.contains(other.as_str()));
            let enabled = live.keys().iter().filter(|key| key.enabled);
            inventory.expiring =
                enabled.filter_map(|key| Some((Address::key(&key.name).with_id(&key.id), key.expires?))).collect();
            plan.inventory = Some(inventory).filter(|inventory| *inventory != Inventory::default());
        }
        Ok((plan, live.organization_id))
    }

    /// Reads one organisation and its ledger.
    async fn read_one(&self, organization: &Organization<'_>, out: &Out) -> Result<(Live, Facts), Failure> {
        let home = &organization.connected.ledger;
        if organization.is_applied(None) {
            out.talk(&format!(
                "An apply of {} is running. What it has begun may look unfinished here.\n",
                organization.name()
            ));
        }
        let ledger = Ledger::read(home).map_err(|why| Failure::unrecorded(&why))?;
        let is_there = ledger.is_some();
        let ReadLedger { records, torn_bytes } = ledger.unwrap_or_default();
        if records.is_empty() && self.connection.ledger.is_some() {
            let nothing = if is_there { "Nothing is in the" } else { "There is no" };
            out.talk(&format!(
                "{nothing} ledger {home}, which `--ledger` names, so this is planned without one. Check the path if there should be one.\n"
            ));
        }
        if torn_bytes > 0 {
            out.talk(&format!(
                "The last line of the ledger {home} is incomplete, because its writer was killed. It is skipped.\n"
            ));
        }
        if let Some(now) = self.loaded.now.filter(|now| records.last().is_some_and(|last| last.at > *now)) {
            out.talk(&format!(
                "The ledger {home} has lines that are later than `--now`, {now}. They count, and live is read as it is today: \
                 nobody knows what it was then.\n"
            ));
        }
        organization.check_ledger_identity(&records)?;
        let facts = organization.connected.deliveries.facts(organization.desired, &records);
        if self.connection.ledger.is_some() && facts.ledger_since.is_some() && !facts.ledger_found {
            out.talk(&format!(
                "No apply has written to the ledger {home}, which `--ledger` names. Check the path if one should have.\n"
            ));
        }
        let live = organization.read().await?;
        if let Some(wrong) = wrong_organization(organization.desired, &live) {
            return Err(Failure::findings(vec![wrong]));
        }
        Ok((live, facts))
    }
}

pub(super) fn unread(desired: &Desired, failure: &Failure) -> Unread {
    Unread {
        provider: desired.provider,
        organization: desired.organization.value.clone(),
        why: failure.to_string(),
    }
}

fn duplicate_organizations(files: &[&Desired]) -> Failure {
    let names: Vec<&str> = files.iter().map(|file| &*file.place.file).collect();
    let finding = |file: &&Desired| {
        Finding::error(
            Code::DuplicateOrganization,
            file.organization.place.clone(),
            format!("{} reach the same organisation, because they have the same endpoint and credential.", list_of(&names, "and")),
        )
        .hint("A workspace token or a key reaches only the workspace that it was created in. Give each file its own credential. Nothing was sent.")
    };
    Failure::findings(files.iter().map(finding).collect())
}
