//! Loads the files, connects to each organisation and plans it. Shared by `plan`, `apply` and `drift`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use jiff::SignedDuration;

use super::base::Base;
use super::connect::{Connected, connect};
use super::connection_pool::ConnectionPool;
use super::exit::{Exit, Failure};
use super::ledger::LedgerPlace;
use super::organization::Organization;
use super::out::Out;
use super::reports::Reports;
use super::selection::Selected;
use super::{Connection, HORIZON, Planning};
use crate::report;
use rolecall_config::{Loaded, LoadedFile, Source, Version};
use rolecall_engine::ledger::{Ledger, ReadLedger};
use rolecall_graphql::Quota;
use rolecall_graphql::storage::Cache;
use rolecall_model::{
    Address, Code, Desired, Facts, Finding, Inventory, Kind, Live, OrganizationPlan, Placed, Plan, Quirk,
    RemoteId, Scope, Unread, Warning, list_of,
};
use rolecall_plan::{MaxSilence, wrong_organization};

/// The files and options of a run, checked.
pub(super) struct Session<'a> {
    planning: &'a Planning,
    connection: &'a Connection,
    loaded: Loaded,
    pool: ConnectionPool,
    /// The selected part of each plan.
    selected: Selected,
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
        let options = [
            (connection.ledger.as_ref().and_then(LedgerPlace::file), "the file of `--ledger`"),
            (connection.ca_file.as_ref(), "the file of `--ca-file`"),
        ];
        let named =
            options.iter().chain(named).filter_map(|(path, option)| Some((path.map(PathBuf::as_path)?, *option)));
        let mut own: Vec<(&Path, &str)> = named.collect();
        own.extend(loaded.paths().map(|path| (path, "a file that this run reads")));
        reports.ensure_not_an_input(&own.iter().map(|(path, _)| *path).collect::<Vec<_>>())?;
        own.extend(reports.paths().map(|path| (path, "the file of `--report`")));
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
            loaded,
            pool: ConnectionPool::default(),
            selected: Selected::default(),
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

    /// Returns the paths of the files.
    pub fn files(&self) -> Vec<&Path> {
        self.loaded.paths().collect()
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

    /// Returns the organisations that `--target` selects a change of. Without `--target`, these are all.
    pub fn selected(&self) -> impl Iterator<Item = &Desired> {
        self.desired().into_iter().filter(|desired| self.selected.of(desired).is_some())
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
        Ok(Organization { desired, connected, asserted, selection, now, horizon, max_silence, warnings })
    }

    /// Connects to every selected organisation. A failure of one does not affect the others.
    pub async fn connect_all(&self, out: &Out) -> Connections<'_> {
        self.connect_each(out, false).await
    }

    /// Connects to every selected organisation. `resume`: continue an interrupted read of an earlier run. An apply
    /// does not resume, because it needs the current state.
    async fn connect_each(&self, out: &Out, resume: bool) -> Connections<'_> {
        let mut all = Connections { organizations: Vec::new(), failed: Vec::new(), exit: Exit::Done };
        for desired in self.selected() {
            match self.connect(desired, resume).await {
                Ok(organization) => all.organizations.push(organization),
                Err(failure) => {
                    all.failed.push((unread(desired, &failure), failure.exit));
                    all.exit = all.exit.and(self.report_failure(&failure, out));
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

    /// Prints how long reading will take, if a rate limit determines it.
    fn estimate(&self, organizations: &[Organization<'_>], out: &Out) {
        // Some answers serve all organisations of one credential. All credentials share the rate limit of the
        // platform.
        let mut connections: BTreeMap<([u8; 32], [u8; 32]), usize> = BTreeMap::new();
        let mut platforms: BTreeMap<[u8; 32], (usize, Quota)> = BTreeMap::new();
        for organization in organizations {
            let Connected { provider, credential_fingerprint, platform, .. } = &organization.connected;
            let Some(quota) = provider.budget(organization.desired) else { continue };
            let Some((once, each)) = provider.requests_to_read(organization.desired) else { continue };
            let requests = connections.entry((*platform, *credential_fingerprint)).or_insert(0);
            *requests = (*requests).max(once) + each;
            let (read, slowest) = platforms.entry(*platform).or_insert((0, quota));
            *read += 1;
            slowest.requests = slowest.requests.min(quota.requests);
        }
        for (platform, (read, quota)) in platforms {
            let requests: usize =
                connections.iter().filter(|((of, _), _)| *of == platform).map(|(_, requests)| requests).sum();
            let answered = connections
                .keys()
                .filter(|(of, _)| *of == platform)
                .map(|(_, credential_fingerprint)| self.pool.resumable_answers(credential_fingerprint))
                .sum();
            let first = organizations.iter().find(|organization| organization.connected.platform == platform);
            let Some(cache) = first.and_then(|organization| organization.connected.cache.as_ref()) else {
                continue;
            };
            let estimate = self.estimate_text(cache, requests.saturating_sub(answered), quota);
            out.talk(&format!("Reading {}: {estimate}.\n", report::plural(read, "organisation")));
        }
    }

    /// Prints how long sending and verifying will take, if a rate limit determines it.
    pub fn estimate_apply(&self, organization: &Organization<'_>, mutations: usize, out: &Out) {
        let Connected { provider, cache, .. } = &organization.connected;
        let Some(quota) = provider.budget(organization.desired) else { return };
        let Some((_, read)) = provider.requests_to_read(organization.desired) else { return };
        let Some(cache) = cache else { return };
        let what = report::plural(mutations, "mutation");
        let estimate = self.estimate_text(cache, mutations + read, quota);
        out.talk(&format!("Sending and verifying {what}: {estimate}.\n"));
    }

    /// Returns how many requests are to be sent and how long they take. Requests of the last minute count against
    /// the limit.
    fn estimate_text(&self, cache: &Cache, requests: usize, quota: Quota) -> String {
        let before = self.pool.expect(cache, requests, quota);
        let minutes = (before + requests).saturating_sub(1) / quota.requests.max(1);
        let time = if minutes == 0 || requests == 0 {
            "less than a minute".to_owned()
        } else {
            format!("about {minutes} to {} min", minutes + 1)
        };
        format!("about {}, {time} at {} a minute", report::plural(requests, "request"), quota.requests)
    }

    /// Prints the failure of one organisation, and returns its exit code.
    pub fn report_failure(&self, failure: &Failure, out: &Out) -> Exit {
        out.findings(&failure.findings, &self.sources());
        out.failure(failure);
        failure.exit
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
    pub fn claim(&self, organization: &Organization<'_>, live: &Live) -> Result<(), Failure> {
        let Some(id) = &live.organization_id else { return Ok(()) };
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
        for organization in &organizations {
            match self.plan_one(organization, survey, out).await {
                Ok(planned) => {
                    if organization.lacks_selected(&planned) {
                        exit = exit.and(Exit::Error);
                    }
                    plan.organizations.push(planned);
                }
                Err(failure) => {
                    is_resumable |= failure.is_resumable;
                    plan.unread.push(unread(organization.desired, &failure));
                    exit = exit.and(self.report_failure(&failure, out));
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
        for organization in organizations {
            match self.read_one(&organization, out).await {
                Ok((live, facts)) => readings.read.push(Reading { organization, live, facts }),
                Err(failure) => {
                    is_resumable |= failure.is_resumable;
                    readings.failed.push(unread(organization.desired, &failure));
                    readings.exit = readings.exit.and(self.report_failure(&failure, out));
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
    ) -> Result<OrganizationPlan, Failure> {
        let (live, facts) = self.read_one(organization, out).await?;
        let planned = organization.plan(&live, &facts, None)?;
        out.findings(&planned.findings, &self.sources());
        let mut plan = organization.selected(planned.plan, &live, &facts)?;
        if self.asks_permissions {
            organization.ask_permissions(&mut plan, &live).await;
        }
        if let (Some(base), Some(head)) = (&self.base, self.loaded.version(organization.desired)) {
            let head = Version { desired: organization.desired, ..head };
            let findings = base.compare(&mut plan, organization, &head, (&live, &facts));
            out.findings(&findings, &self.sources());
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
        Ok(plan)
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
        if ledger.is_none() && self.connection.ledger.is_some() {
            out.talk(&format!(
                "There is no ledger {home}, which `--ledger` names, so this is planned without one. Check the path if there should be one.\n"
            ));
        }
        let ReadLedger { records, torn_bytes } = ledger.unwrap_or_default();
        if torn_bytes > 0 {
            out.talk(&format!(
                "The last line of the ledger {home} is incomplete, because its writer was killed. It is skipped.\n"
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
        self.claim(organization, &live)?;
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

#[cfg(feature = "sandbox")]
async fn sandbox(
    desired: &Desired,
    connection: &Connection,
    pool: &ConnectionPool,
    resume: bool,
) -> Result<Connected, Failure> {
    super::embedded::connect(desired, connection, pool, resume).await
}

#[cfg(not(feature = "sandbox"))]
#[expect(clippy::unused_async, reason = "as with the sandbox")]
async fn sandbox(_: &Desired, _: &Connection, _: &ConnectionPool, _: bool) -> Result<Connected, Failure> {
    Err(Failure::error("This rolecall was built without the sandbox.").hint("Build it with the default features."))
}

/// Returns whether the file manages this entity, because it lists it or manages all entities of its kind.
fn manages(desired: &Desired, address: &Address) -> bool {
    let id_free = Address { id: None, ..address.clone() };
    match address.kind {
        Kind::Organization => true,
        Kind::Team => {
            desired.manage.teams == Scope::All
                || desired.teams.iter().any(|team| {
                    let mut names = std::iter::once(&team.name).chain(team.previously.keys());
                    names.any(|name| Address::team(name) == id_free)
                })
        }
        Kind::Role => {
            desired.manage.roles == Scope::All
                || desired.roles.iter().any(|role| {
                    let mut names = std::iter::once(&role.name).chain(role.previously.keys());
                    names.any(|name| Address::role(name) == id_free)
                })
        }
        Kind::User => {
            desired.manage.users == Scope::All
                || desired.users.iter().any(|user| Address::user(&user.email) == id_free)
        }
        Kind::Invitation => {
            desired.manage.users == Scope::All
                || desired.users.iter().any(|user| Address::invitation(&user.email) == id_free)
        }
        Kind::Key => {
            desired.manage.keys == Scope::All || desired.keys.iter().any(|key| Address::key(&key.name) == id_free)
        }
    }
}
