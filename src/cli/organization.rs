//! One organisation: the desired, and the way to it.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::connect::Connected;
use super::exit::Failure;
use super::selection;
use rolecall_engine::ledger::{Ledger, Record};
use rolecall_model::{Address, Desired, Facts, Identity, Inventory, Live, OrganizationPlan, Sealed};
use rolecall_plan::{PlanInput, Planned, Selection, plan, select};

/// What was approved, and still stands.
pub(super) struct Approved<'a> {
    pub still_valid: &'a BTreeSet<Address>,
    /// Of the plan as it was approved, where that is all of it.
    pub seal: Option<&'a str>,
}

/// One organisation: the desired, and the way to it.
pub(super) struct Organization<'a> {
    pub desired: &'a Desired,
    pub connected: Connected,
    pub asserted: BTreeSet<Address>,
    pub selection: Selection,
}

impl Organization<'_> {
    pub fn name(&self) -> String {
        format!("{} {}", self.desired.provider, *self.desired.organization)
    }

    /// Is this the organisation that a plan speaks of, on whatever host?
    pub fn is(&self, identity: &Identity) -> bool {
        self.desired.provider == identity.provider && *self.desired.organization == identity.organization
    }

    /// A ledger of another organisation knows things that aren't so here.
    pub fn check_ledger_identity(&self, records: &[Record]) -> Result<(), Failure> {
        let identity = Identity {
            provider: self.desired.provider,
            organization: self.desired.organization.value.clone(),
            site: self.connected.site.clone(),
        };
        match Ledger::foreign(records, &identity) {
            None => Ok(()),
            Some(other) => Err(Failure::error(format!(
                "the ledger {} is of {} {} on {}, and this is {} on {}",
                self.connected.ledger.display(),
                other.provider,
                other.organization,
                other.site,
                self.name(),
                identity.site,
            ))
            .hint("name another with --ledger, or move this one away if the organisation has moved")),
        }
    }

    pub async fn read(&self) -> Result<Live, Failure> {
        let Connected { provider, reader, .. } = &self.connected;
        provider.read(reader, self.desired).await.map_err(|error| Failure::unread(&self.name(), *provider, &error))
    }

    pub async fn survey(&self, live: &Live) -> Result<Inventory, Failure> {
        let Connected { provider, reader, .. } = &self.connected;
        let found = provider.survey(reader, self.desired, live).await;
        found.map_err(|error| Failure::unread(&self.name(), *provider, &error))
    }

    /// `approved`: plan what stands of that alone.
    pub fn plan(&self, live: &Live, facts: &Facts, approved: Option<&Approved<'_>>) -> Result<Planned, Failure> {
        let input = PlanInput {
            desired: self.desired,
            live,
            facts,
            rules: self.connected.provider.rules(),
            site: &self.connected.site,
            asserted: &self.asserted,
            only: approved.map(|approved| approved.still_valid),
            approved: approved.and_then(|approved| approved.seal),
            caller: self.connected.caller.as_ref(),
            now: Timestamp::now(),
        };
        plan(&input).map_err(Failure::findings)
    }

    /// The part that is wanted of a plan, of which nothing was approved yet.
    pub fn selected(
        &self,
        whole: OrganizationPlan,
        live: &Live,
        facts: &Facts,
    ) -> Result<OrganizationPlan, Failure> {
        if self.selection.is_all() {
            return Ok(whole);
        }
        let chosen = self.chosen(&whole.sealed)?;
        Ok(self.plan(live, facts, Some(&Approved { still_valid: &chosen, seal: None }))?.plan)
    }

    /// Which changes are wanted, with what they rely on.
    pub fn chosen(&self, sealed: &Sealed) -> Result<BTreeSet<Address>, Failure> {
        select(sealed, &self.selection).map_err(|wrong| selection::failure(&self.name(), &wrong))
    }
}
