//! Files in, one connection and one plan for each organisation out: what plan, apply and drift share.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::cache::Cache;
use super::connect::{Connected, connect};
use super::connection_pool::ConnectionPool;
use super::exit::{Exit, Failure};
use super::organization::Organization;
use super::out::Out;
use super::reports::Reports;
use super::selection::Selected;
use super::{Connection, Paths};
use crate::report;
use rolecall_config::{Loaded, Source, load};
use rolecall_engine::ledger::{Ledger, facts};
use rolecall_graphql::Quota;
use rolecall_model::{
    Address, Code, Desired, Finding, HoldReason, Inventory, Kind, Live, OrganizationPlan, Placed, Plan, RemoteId,
    Scope, Unread, list_of,
};

/// Everything that was asked for, checked.
pub(super) struct Session<'a> {
    pub connection: &'a Connection,
    loaded: Loaded,
    lines: ConnectionPool,
    /// Which part of each plan is wanted.
    selected: Selected,
    /// Which file has spoken for an organisation, by its platform and its own id there.
    spoken_for: Mutex<BTreeMap<OrganizationKey, Placed<RemoteId>>>,
}

/// Every organisation that is wanted: those that can be spoken with, and those that can't.
pub(super) struct Connections<'a> {
    pub organizations: Vec<Organization<'a>>,
    /// Each with how a run ends by it alone.
    pub failed: Vec<(Unread, Exit)>,
    /// How a run ends by all that failed.
    pub exit: Exit,
}

/// The platform that an organisation is on, and its own id there.
type OrganizationKey = ([u8; 32], RemoteId);

impl<'a> Session<'a> {
    /// Loads and checks the files. Every finding is told; one error ends the run.
    pub fn open(
        paths: &Paths,
        connection: &'a Connection,
        reports: &Reports,
        out: &mut Out,
    ) -> Result<Self, Failure> {
        reports.check()?;
        let mut loaded = load(&paths.paths, rolecall_providers::rules);
        let files: Vec<&Path> = loaded.files.iter().map(|file| &*file.path).collect();
        reports.ensure_not_an_input(&files)?;
        for desired in loaded.files.iter_mut().filter_map(|file| file.desired.as_mut()) {
            desired.guardrails.tighten(connection.min_admins, connection.max_removals);
        }
        let session = Self {
            connection,
            loaded,
            lines: ConnectionPool::default(),
            selected: Selected::default(),
            spoken_for: Mutex::default(),
        };
        out.findings(&session.loaded.findings, &session.sources());
        if session.loaded.has_errors() {
            reports.refuse(&session.loaded.findings, &session.sources(), out)?;
            return Err(Failure::findings(Vec::new()));
        }
        let desired_users = session.desired_users();
        if connection.ledger.is_some() && desired_users.len() > 1 {
            return Err(Failure::error("--ledger names one file, and there are several organisations")
                .hint("leave it out, or run each organisation by itself"));
        }
        for asserted in &connection.asserted {
            if !desired_users.iter().any(|desired| speaks_for(desired, asserted)) {
                return Err(Failure::error(format!("--assert {asserted}: no file speaks for this entity"))
                    .hint("only what a file declares can be sent"));
            }
        }
        Ok(session)
    }

    /// For a part of each plan alone.
    pub fn selecting(self, selected: &Selected) -> Result<Self, Failure> {
        selected.check(&self.desired_users())?;
        Ok(Self { selected: selected.clone(), ..self })
    }

    /// What was read.
    pub fn files(&self) -> Vec<&Path> {
        self.loaded.files.iter().map(|file| &*file.path).collect()
    }

    pub fn sources(&self) -> Vec<&Source> {
        self.loaded.files.iter().map(|file| &file.source).collect()
    }

    /// Those that this run is about.
    pub fn wanted(&self) -> impl Iterator<Item = &Desired> {
        self.desired_users().into_iter().filter(|desired| self.selected.of(desired).is_some())
    }

    pub fn desired_users(&self) -> Vec<&Desired> {
        self.loaded.files.iter().filter_map(|file| file.desired.as_ref()).collect()
    }

    async fn connect<'b>(&'b self, desired: &'b Desired, resume: bool) -> Result<Organization<'b>, Failure> {
        let connected = if self.connection.sandbox {
            sandbox(desired, self.connection, &self.lines, resume).await?
        } else {
            connect(desired, self.connection, &self.lines, resume).await?
        };
        let asserted = self.connection.asserted.iter().cloned().collect();
        let selection = self.selected.of(desired).unwrap_or_default();
        Ok(Organization { desired, connected, asserted, selection })
    }

    /// Connects with every organisation. One that can't be reached doesn't stand in the way of the others.
    pub async fn connect_all(&self, out: &Out) -> Connections<'_> {
        self.connect_each(out, false).await
    }

    /// `resume`: where an earlier read broke off. Not for what sends: it wants to know what is so now.
    async fn connect_each(&self, out: &Out, resume: bool) -> Connections<'_> {
        let mut all = Connections { organizations: Vec::new(), failed: Vec::new(), exit: Exit::Done };
        for desired in self.wanted() {
            match self.connect(desired, resume).await {
                Ok(organization) => all.organizations.push(organization),
                Err(failure) => {
                    all.failed.push((unread(desired, &failure), failure.exit));
                    all.exit = all.exit.and(self.told(&failure, out));
                }
            }
        }
        // Two files that credential_fingerprint one organisation would undo each other's work: neither is dealt with.
        let mut by_reach: BTreeMap<[u8; 32], Vec<&Desired>> = BTreeMap::new();
        for organization in all.organizations.iter().filter(|one| !one.connected.provider.names_organization()) {
            by_reach.entry(organization.connected.credential_fingerprint).or_default().push(organization.desired);
        }
        by_reach.retain(|_, files| files.len() > 1);
        for files in by_reach.values() {
            let failure = duplicate_organizations(files);
            all.failed.extend(files.iter().map(|desired| (unread(desired, &failure), failure.exit)));
            all.exit = all.exit.and(self.told(&failure, out));
        }
        all.organizations
            .retain(|organization| !by_reach.contains_key(&organization.connected.credential_fingerprint));
        self.estimate(&all.organizations, out);
        all
    }

    /// Says how long reading will take, where a limit decides on that.
    fn estimate(&self, organizations: &[Organization<'_>], out: &Out) {
        // What one credential has asked once needn't be asked again, and all of them share the platform's limit.
        let mut lines: BTreeMap<([u8; 32], [u8; 32]), usize> = BTreeMap::new();
        let mut platforms: BTreeMap<[u8; 32], (usize, Quota)> = BTreeMap::new();
        for organization in organizations {
            let Connected { provider, credential_fingerprint, platform, .. } = &organization.connected;
            let Some(quota) = provider.budget(organization.desired) else { continue };
            let Some((once, each)) = provider.requests_to_read(organization.desired) else { continue };
            let requests = lines.entry((*platform, *credential_fingerprint)).or_insert(0);
            *requests = (*requests).max(once) + each;
            let (read, slowest) = platforms.entry(*platform).or_insert((0, quota));
            *read += 1;
            slowest.calls = slowest.calls.min(quota.calls);
        }
        for (platform, (read, quota)) in platforms {
            let requests: usize =
                lines.iter().filter(|((of, _), _)| *of == platform).map(|(_, requests)| requests).sum();
            let kept = lines
                .keys()
                .filter(|(of, _)| *of == platform)
                .map(|(_, credential_fingerprint)| self.lines.kept(credential_fingerprint))
                .sum();
            let one = organizations.iter().find(|one| one.connected.platform == platform);
            let Some(cache) = one.and_then(|one| one.connected.cache.as_ref()) else { continue };
            let about = self.about(cache, requests.saturating_sub(kept), quota);
            out.talk(&format!("reading {}: {about}\n", report::plural(read, "organisation")));
        }
    }

    /// Says how long sending will take, and looking afterwards, where a limit decides on that.
    pub fn estimate_apply(&self, organization: &Organization<'_>, mutations: usize, out: &Out) {
        let Connected { provider, cache, .. } = &organization.connected;
        let Some(quota) = provider.budget(organization.desired) else { return };
        let Some((_, read)) = provider.requests_to_read(organization.desired) else { return };
        let Some(cache) = cache else { return };
        let what = report::plural(mutations, "mutation");
        let about = self.about(cache, mutations + read, quota);
        out.talk(&format!("sending {what}, and looking afterwards: {about}\n"));
    }

    /// How long so many requests take, after those that were sent within the last minute.
    fn about(&self, cache: &Cache, requests: usize, quota: Quota) -> String {
        let before = self.lines.expect(cache, requests, quota);
        let minutes = (before + requests).saturating_sub(1) / quota.calls.max(1);
        let time = if minutes == 0 || requests == 0 {
            "less than a minute".to_owned()
        } else {
            format!("about {minutes} to {} min", minutes + 1)
        };
        format!("about {}, {time} at {} a minute", report::plural(requests, "request"), quota.calls)
    }

    /// Tells why one organisation could not be dealt with, and what that means for the run.
    pub fn told(&self, failure: &Failure, out: &Out) -> Exit {
        out.findings(&failure.findings, &self.sources());
        out.failure(failure);
        failure.exit
    }

    /// Reads and plans every organisation. One's failure doesn't keep the others from being planned.
    pub async fn plan_all(&self, out: &Out) -> (Plan, Exit) {
        self.plan_each(out, false).await
    }

    /// The same, and looks what else is there.
    pub async fn survey_all(&self, out: &Out) -> (Plan, Exit) {
        self.plan_each(out, true).await
    }

    /// An organisation may be called by its slug in one file and by its id in another: the second is turned away.
    pub fn claim(&self, organization: &Organization<'_>, live: &Live) -> Result<(), Failure> {
        let Some(id) = &live.organization_id else { return Ok(()) };
        let named = &organization.desired.organization;
        let mut spoken_for = self.spoken_for.lock().unwrap_or_else(PoisonError::into_inner);
        let first =
            spoken_for.entry((organization.connected.platform, id.clone())).or_insert_with(|| named.clone());
        if first.place.file == named.place.file {
            return Ok(());
        }
        let message = format!(
            "{} is the organisation {id}, which {} speaks for as {}",
            named.value, first.place, first.value
        );
        Err(Failure::findings(vec![
            Finding::error(Code::DuplicateOrganization, named.place.clone(), message)
                .hint("merge the two files; nothing was sent for this one"),
        ]))
    }

    async fn plan_each(&self, out: &Out, survey: bool) -> (Plan, Exit) {
        let mut plan = Plan::new(super::connect::GENERATOR, Vec::new());
        let Connections { organizations, failed, mut exit } = self.connect_each(out, true).await;
        plan.unread.extend(failed.into_iter().map(|(unread, _)| unread));
        let mut broke_off = false;
        for organization in &organizations {
            match self.plan_one(organization, survey, out).await {
                Ok(organization) => {
                    if is_broken(&organization) {
                        exit = exit.and(Exit::Error);
                    }
                    plan.organizations.push(organization);
                }
                Err(failure) => {
                    broke_off |= failure.broke_off;
                    plan.unread.push(unread(organization.desired, &failure));
                    exit = exit.and(self.told(&failure, out));
                }
            }
        }
        for spool in self.lines.spools() {
            if broke_off { spool.suspend() } else { spool.finish() }
        }
        for asserted in &self.connection.asserted {
            let changes = plan.organizations.iter().flat_map(|organization| &organization.sealed.changes);
            if !changes.into_iter().any(|change| asserted.covers(&change.address)) {
                let id = if asserted.id.is_some() { "; leave its `#id` off where the plan does" } else { "" };
                out.talk(&format!(
                    "--assert {asserted}: there is nothing to send for it; the plan says why, if it is held{id}\n"
                ));
            }
        }
        plan.organizations.sort_by(|a, b| a.sealed.identity.cmp(&b.sealed.identity));
        plan.unread.sort();
        (plan, exit)
    }

    async fn plan_one(
        &self,
        organization: &Organization<'_>,
        survey: bool,
        out: &Out,
    ) -> Result<OrganizationPlan, Failure> {
        let records = Ledger::read(&organization.connected.ledger).map_err(|why| Failure::unrecorded(&why))?;
        let records = records.unwrap_or_default();
        organization.check_ledger_identity(&records)?;
        let known = facts(&records);
        let live = organization.read().await?;
        self.claim(organization, &live)?;
        let planned = organization.plan(&live, &known, None)?;
        out.findings(&planned.warnings, &self.sources());
        let mut plan = organization.selected(planned.plan, &live, &known)?;
        if survey {
            let mut inventory = organization.survey(&live).await?;
            let named: BTreeSet<&str> =
                self.desired_users().iter().map(|desired| desired.organization.as_str()).collect();
            inventory.organizations.retain(|other| !named.contains(other.as_str()));
            let working = live.keys().iter().filter(|key| key.enabled);
            inventory.expiring =
                working.filter_map(|key| Some((Address::key(&key.name).with_id(&key.id), key.expires?))).collect();
            plan.inventory = Some(inventory).filter(|inventory| *inventory != Inventory::default());
        }
        Ok(plan)
    }
}

fn unread(desired: &Desired, failure: &Failure) -> Unread {
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
            format!("{} credential_fingerprint the same organisation: endpoint and credential are the same", list_of(&names, "and")),
        )
        .hint("a workspace token, or a key, reaches the workspace that it was made in, whatever the file says; nothing was sent to it")
    };
    Failure::findings(files.iter().map(finding).collect())
}

#[cfg(feature = "sandbox")]
async fn sandbox(
    desired: &Desired,
    connection: &Connection,
    lines: &ConnectionPool,
    resume: bool,
) -> Result<Connected, Failure> {
    super::embedded::connect(desired, connection, lines, resume).await
}

#[cfg(not(feature = "sandbox"))]
#[expect(clippy::unused_async, reason = "as with the sandbox")]
async fn sandbox(_: &Desired, _: &Connection, _: &ConnectionPool, _: bool) -> Result<Connected, Failure> {
    Err(Failure::error("this rolecall was built without the sandbox").hint("build it with the default features"))
}

/// Does the file say anything of this entity, by listing it or by managing all of its kind?
fn speaks_for(desired: &Desired, address: &Address) -> bool {
    let id_free = Address { id: None, ..address.clone() };
    match address.kind {
        Kind::Organization => true,
        Kind::Team => {
            desired.manage.teams == Scope::All
                || desired.teams.iter().any(|team| Address::team(&team.name) == id_free)
        }
        Kind::Role => {
            desired.manage.roles == Scope::All
                || desired.roles.iter().any(|role| Address::role(&role.name) == id_free)
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

/// Did an incomplete list keep anything from being planned?
pub(super) fn is_broken(plan: &OrganizationPlan) -> bool {
    plan.sealed.holds.iter().any(|hold| matches!(hold.reason, HoldReason::Unreadable { .. }))
}
