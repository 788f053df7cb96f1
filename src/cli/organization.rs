//! One organisation of a run: its file and the connection to its platform.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tracing::Span;

use super::connect::Connected;
use super::exit::{self, Failure};
use super::selection;
use crate::report;
use rolecall_engine::ledger::{Ledger, LedgerHome, Record};
use rolecall_model::{
    Address, Desired, Facts, Gap, Guardrail, HoldReason, Identity, Inventory, Live, OrganizationPlan, Pattern,
    Refusal, Sealed, Site, Warning,
};
use rolecall_plan::access::{Access, access};
use rolecall_plan::keys::{Keys, TargetState, keys};
use rolecall_plan::{
    MaxSilence, PlanInput, Planned, Selection, activity, near_endings, near_rotations, plan, select,
};
use rolecall_providers::{Answered, Permitted};

/// The approved changes that are still valid.
pub(super) struct Approved<'a> {
    pub still_valid: &'a BTreeSet<Address>,
    /// The seal of the approved plan. `None` if the run sends only a part of that plan.
    pub seal: Option<&'a str>,
}

/// One organisation of a run: its file and the connection to its platform.
pub(super) struct Organization<'a> {
    pub desired: &'a Desired,
    pub connected: Arc<Connected>,
    pub asserted: BTreeSet<Address>,
    pub selection: Selection,
    /// The time at which it is planned. `None` is the time of each plan.
    pub now: Option<Timestamp>,
    /// A plan tells which access ends within this time.
    pub horizon: SignedDuration,
    /// The longest time for which jobs may have been silent.
    pub max_silence: Option<MaxSilence>,
    /// The warnings about its file.
    pub warnings: Vec<Warning>,
}

/// Returns the id of a run in the ledger.
pub(super) fn run_id(started: Timestamp) -> String {
    format!("{}-{}", started.strftime("%Y%m%dT%H%M%SZ"), std::process::id())
}

/// Checks that a ledger belongs to the organisation that a file describes.
pub(super) fn check_ledger_identity(
    desired: &Desired,
    site: &Site,
    ledger: &LedgerHome,
    records: &[Record],
) -> Result<(), Failure> {
    let identity = Identity {
        provider: desired.provider,
        organization: desired.organization.value.clone(),
        site: site.clone(),
    };
    match Ledger::other_organization(records, &identity) {
        None => Ok(()),
        Some(other) => Err(Failure::error(format!(
            "The ledger {} belongs to {} {} on {}, and this is {} {} on {}.",
            ledger,
            other.provider,
            other.organization,
            other.site,
            identity.provider,
            identity.organization,
            identity.site,
        ))
        .hint("Name another ledger with `--ledger`. If the organisation has moved to another host, move this file away.")),
    }
}

impl Organization<'_> {
    pub fn name(&self) -> String {
        format!("{} {}", self.desired.provider, *self.desired.organization)
    }

    /// Returns the span of work on this organisation, such as "plan".
    pub fn span(&self, task: &'static str) -> Span {
        tracing::info_span!(
            "organization",
            "otel.name" = format!("{task} organization"),
            "rolecall.task" = task,
            "rolecall.platform" = self.desired.provider.as_str(),
            "rolecall.organization" = self.desired.organization.as_str(),
            "otel.status_code" = tracing::field::Empty,
        )
    }

    /// Checks that the ledger belongs to this organisation. A ledger of another one would say wrong things about
    /// this one.
    pub fn check_ledger_identity(&self, records: &[Record]) -> Result<(), Failure> {
        check_ledger_identity(self.desired, &self.connected.site, &self.connected.ledger, records)
    }

    /// Returns the same organisation with everything that its file asks for.
    pub fn with<'b>(&self, desired: &'b Desired) -> Organization<'b> {
        Organization {
            desired,
            connected: Arc::clone(&self.connected),
            asserted: self.asserted.clone(),
            selection: self.selection.clone(),
            now: self.now,
            horizon: self.horizon,
            max_silence: self.max_silence.clone(),
            warnings: self.warnings.clone(),
        }
    }

    /// Returns what the organisation shares with those that have to wait for it: a rate limit, or otherwise a credential.
    pub fn lane(&self) -> [u8; 32] {
        let Connected { provider, platform, credential_fingerprint, .. } = &*self.connected;
        if provider.budget(self.desired).is_some() { *platform } else { *credential_fingerprint }
    }

    pub async fn read(&self) -> Result<Live, Failure> {
        let Connected { provider, reader, .. } = &*self.connected;
        provider.read(reader, self.desired).await.map_err(|error| Failure::unread(&self.name(), *provider, &error))
    }

    pub async fn survey(&self, live: &Live) -> Result<Inventory, Failure> {
        let Connected { provider, reader, .. } = &*self.connected;
        let found = provider.survey(reader, self.desired, live).await;
        found.map_err(|error| Failure::unread(&self.name(), *provider, &error))
    }

    /// Returns what the credential may do, of what an apply of the file may need.
    pub async fn permissions(&self, live: &Live) -> Vec<Answered> {
        let Connected { provider, reader, .. } = &*self.connected;
        provider.permissions(reader, self.desired, live).await
    }

    /// Adds to a plan what the credential lacks for its changes: as refusals, or as gaps if the platform doesn't tell.
    pub async fn ask_permissions(&self, plan: &mut OrganizationPlan, live: &Live) {
        if plan.sealed.mutations.is_empty() {
            return;
        }
        for (permission, permitted) in self.permissions(live).await {
            let mutations = plan.sealed.mutations.iter();
            let needing = mutations.filter(|mutation| permission.operations.contains(&&*mutation.operation));
            let addresses: BTreeSet<Address> = needing.map(|mutation| mutation.change.clone()).collect();
            if addresses.is_empty() {
                continue;
            }
            match permitted {
                Permitted::Yes(_) => {}
                Permitted::No(why) => {
                    let message =
                        format!("This credential lacks {}: {why}. {}", permission.name, permission.grant);
                    let addresses = addresses.into_iter().collect();
                    plan.refusals.push(Refusal::new(Guardrail::Credential, message, addresses));
                }
                Permitted::Unknown(why) => {
                    let what = format!("whether this credential has {}", permission.name);
                    let changes = report::plural(addresses.len(), "change");
                    let needed = if addresses.len() == 1 { "needs" } else { "need" };
                    plan.gaps.push(Gap::new(
                        what,
                        format!("{changes} {needed} it. {}.", exit::sentence(why).trim_end_matches('.')),
                    ));
                }
            }
        }
    }

    fn input<'b>(&'b self, live: &'b Live, facts: &'b Facts, approved: Option<&Approved<'b>>) -> PlanInput<'b> {
        PlanInput {
            desired: self.desired,
            live,
            facts,
            rules: self.connected.provider.rules(),
            site: &self.connected.site,
            asserted: &self.asserted,
            only: approved.map(|approved| approved.still_valid),
            approved: approved.and_then(|approved| approved.seal),
            caller: Some(&self.connected.caller),
            now: self.now(),
        }
    }

    fn now(&self) -> Timestamp {
        self.now.unwrap_or_else(Timestamp::now)
    }

    /// Returns who has what in the organisation.
    pub fn access(&self, live: &Live, facts: &Facts) -> Access {
        access(&self.input(live, facts, None))
    }

    /// Returns the keys of the organisation. Files and variables that got a secret are read. `begun`: the time before the
    /// read of the ledger.
    pub fn keys(&self, live: &Live, facts: &Facts, begun: Timestamp) -> Keys {
        let mut found = keys(&self.input(live, facts, None), self.is_applied_since(live, begun));
        for key in &mut found.keys {
            let Some(delivered) = &mut key.delivered else { continue };
            let Some(fingerprint) = &delivered.fingerprint else { continue };
            for target in delivered.targets.iter_mut().filter(|target| target.arrived) {
                let deliveries = &self.connected.deliveries;
                match deliveries.state(self.desired, &key.name, &target.name, fingerprint) {
                    None => {}
                    Some(Ok(state)) => target.now = Some(state),
                    Some(Err(why)) => {
                        target.now = Some(TargetState::Unreadable);
                        target.why = Some(why);
                    }
                }
            }
        }
        found
    }

    /// Returns whether an apply is running, or ended since this time.
    fn is_applied_since(&self, live: &Live, begun: Timestamp) -> bool {
        self.locks(Some(live)).iter().any(|lock| lock.was_held_since(begun))
    }

    /// Returns whether an apply is running.
    pub fn is_applied(&self, live: Option<&Live>) -> bool {
        self.locks(live).iter().any(LedgerHome::is_held)
    }

    /// Returns what an apply may hold locked. A file may name the organisation by its slug, so only a read tells
    /// all of them.
    fn locks(&self, live: Option<&Live>) -> Vec<LedgerHome> {
        let id = live.and_then(|live| live.organization_id.as_ref());
        self.connected.locks(id.unwrap_or(&self.desired.organization))
    }

    /// Plans the organisation. `approved`: plan only these changes.
    pub fn plan(&self, live: &Live, facts: &Facts, approved: Option<&Approved<'_>>) -> Result<Planned, Failure> {
        let input = self.input(live, facts, approved);
        let mut planned = plan(&input).map_err(Failure::findings)?;
        planned.plan.activity = activity(&input, self.horizon, self.max_silence.as_ref());
        planned.plan.warnings.splice(0..0, self.warnings.iter().cloned());
        let (desired, now) = (self.desired, self.now());
        planned.plan.endings = near_endings(desired, &planned.plan, now, self.horizon);
        planned.plan.endings.extend(near_rotations(desired, live, facts, (now, self.horizon)));
        planned.plan.endings.sort();
        Ok(planned)
    }

    /// Plans the organisation as another version of its file describes it.
    pub fn plan_instead(
        &self,
        desired: &Desired,
        live: &Live,
        facts: &Facts,
    ) -> Result<OrganizationPlan, Failure> {
        let input = PlanInput { desired, asserted: &BTreeSet::new(), ..self.input(live, facts, None) };
        plan(&input).map(|planned| planned.plan).map_err(Failure::findings)
    }

    /// Plans what another version of its file says of one person: the changes of these addresses with what they need, and
    /// their skipped differences.
    pub fn plan_person(
        &self,
        desired: &Desired,
        live: &Live,
        facts: &Facts,
        of_person: &[Address],
    ) -> Result<OrganizationPlan, Failure> {
        let input = PlanInput { desired, asserted: &BTreeSet::new(), ..self.input(live, facts, None) };
        let whole = plan(&input).map_err(Failure::findings)?.plan;
        let is_theirs = |address: &Address| of_person.iter().any(|person| person.covers(address));
        let changed =
            whole.sealed.changes.iter().map(|change| &change.address).filter(|address| is_theirs(address));
        let targets: Vec<Pattern> = changed.filter_map(|address| address.to_string().parse().ok()).collect();
        let chosen = if targets.is_empty() {
            BTreeSet::new()
        } else {
            self.chosen(&whole.sealed, &Selection { targets, ..Selection::default() })?
        };
        let mut part = plan(&PlanInput { only: Some(&chosen), ..input }).map_err(Failure::findings)?.plan;
        part.not_selected = whole.sealed.changes.len() - part.sealed.changes.len();
        part.sealed.holds.retain(|hold| is_theirs(&hold.address));
        part.endings.retain(|ending| is_theirs(&ending.ending.address));
        part.warnings.clear();
        Ok(part)
    }

    /// Restricts a plan that nobody has approved yet to the selected changes.
    pub fn selected(
        &self,
        whole: OrganizationPlan,
        live: &Live,
        facts: &Facts,
    ) -> Result<OrganizationPlan, Failure> {
        if self.selection.is_all() {
            return Ok(whole);
        }
        let chosen = self.chosen(&whole.sealed, &self.selection)?;
        let mut plan = self.plan(live, facts, Some(&Approved { still_valid: &chosen, seal: None }))?.plan;
        plan.not_selected = whole.sealed.changes.len() - plan.sealed.changes.len();
        Ok(plan)
    }

    /// Returns whether a list that couldn't be read, or an error of a selected entry, kept changes out of the plan.
    pub fn lacks_selected(&self, plan: &OrganizationPlan) -> bool {
        plan.sealed.holds.iter().any(|hold| match hold.reason {
            HoldReason::Unreadable { .. } => true,
            HoldReason::Unplannable { .. } => self.selection.matches(&hold.address),
            _ => false,
        })
    }

    /// Returns the selected changes, with the changes that they depend on.
    pub fn chosen(&self, sealed: &Sealed, selection: &Selection) -> Result<BTreeSet<Address>, Failure> {
        select(sealed, selection).map_err(|wrong| selection::failure(&self.name(), &wrong))
    }
}
