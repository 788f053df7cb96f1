//! The state of a run that is sending mutations: everything that decides the next action. It knows no connection, no
//! ledger and no clock.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::executor::SkipReason;
use super::outcome::is_open;
use super::schedule::Schedule;
use super::{Step, Stop};
use rolecall_model::{Action, Address, Change, Entity, OrganizationPlan, Outcome, Quirk, RemoteId};
use rolecall_providers::Provider;

/// The state of a run. Mutations are identified by their index in the plan.
pub(super) struct State<'a> {
    pub provider: &'a dyn Provider,
    pub plan: &'a OrganizationPlan,
    pub schedule: Schedule<'a>,
    /// The maximum number of requests in flight.
    pub parallelism: usize,
    /// The number of requests in flight.
    pub in_flight: usize,
    /// The steps of finished mutations.
    pub steps: BTreeMap<usize, Vec<Step>>,
    /// Says for finished mutations whether a read showed them in effect.
    pub in_effect: BTreeMap<usize, bool>,
    /// Mutations with an open outcome that a read has been used to settle.
    pub read_decided: BTreeSet<usize>,
    /// Mutations whose answers were lost and that no read has settled yet. The value says whether the request has
    /// ended, so that it can't arrive late.
    pub unanswered: BTreeMap<usize, bool>,
    /// Mutations that were sent a second time.
    pub resent: BTreeSet<usize>,
    /// Operations that have been answered in this run.
    pub answered_operations: BTreeSet<&'a str>,
    /// The operations whose own rate limit is used up, and the time until it isn't.
    pub limited: BTreeMap<&'a str, Duration>,
    /// True if each mutation is sent in a document of its own: because of `parallelism`, or because the platform
    /// refused a batch.
    pub batching_off: bool,
    /// True while a key is created and its secret is delivered.
    pub minting: bool,
    /// Why nothing more is sent.
    pub stopped: Option<Stop>,
}

/// The answer to whether a mutation can be sent now.
pub(super) enum Readiness {
    Ready,
    /// One of its dependencies wasn't done, so it is never sent.
    Never(SkipReason),
    /// A read has to show the outcome of its dependencies first.
    NeedsRead,
}

impl<'a> State<'a> {
    pub fn new(provider: &'a dyn Provider, plan: &'a OrganizationPlan, parallelism: usize) -> Self {
        Self {
            provider,
            plan,
            schedule: Schedule::new(&plan.sealed.mutations),
            parallelism,
            in_flight: 0,
            steps: BTreeMap::new(),
            in_effect: BTreeMap::new(),
            read_decided: BTreeSet::new(),
            unanswered: BTreeMap::new(),
            resent: BTreeSet::new(),
            answered_operations: BTreeSet::new(),
            limited: BTreeMap::new(),
            batching_off: parallelism <= 1,
            minting: false,
            stopped: None,
        }
    }

    /// Returns whether the platform's answers are unreliable, so that a read decides.
    pub fn reads_decide(&self) -> bool {
        self.provider.rules().has(Quirk::ReadsDecide)
    }

    /// Returns whether the outcome of a mutation is open, so that a read has to settle it.
    pub fn is_open(&self, index: usize) -> bool {
        let reads_decide = self.reads_decide();
        let open = |step: &Step| is_open(step.outcome, step.answered, reads_decide);
        self.steps.get(&index).into_iter().flatten().any(open)
    }

    /// Returns the id of an entity that an earlier mutation of this run created.
    pub fn id_of(&self, address: &Address) -> Option<&RemoteId> {
        let created = |step: &&Step| step.address == *address && step.outcome == Outcome::Done;
        let steps = self.schedule.of_change(address).iter().filter_map(|index| self.steps.get(index)).flatten();
        steps.filter(created).find_map(|step| step.id.as_ref())
    }

    /// Returns whether a mutation creates a key.
    pub fn mints(&self, index: usize) -> bool {
        self.schedule.mutation(index).changes().filter_map(|address| self.plan.change(address)).any(mints)
    }

    pub fn is_in_flight(&self, operation: &str) -> bool {
        self.schedule.in_flight().any(|index| self.schedule.mutation(index).operation == operation)
    }

    /// Returns whether a mutation can be sent, as far as the outcomes of its dependencies decide that.
    pub fn readiness(&self, index: usize) -> Readiness {
        let mutation = self.schedule.mutation(index);
        let dependencies = || self.schedule.dependencies(index).iter().copied();
        let open = |index: &usize| self.is_open(*index) && !self.read_decided.contains(index);
        if dependencies().any(|index| open(&index)) {
            return Readiness::NeedsRead;
        }
        let mut steps = dependencies().filter_map(|index| self.steps.get(&index)).flatten();
        if let Some(step) = steps.find(|step| step.outcome != Outcome::Done) {
            let outcome = match step.outcome {
                Outcome::Failed => "failed",
                Outcome::Skipped => "was skipped",
                Outcome::NotTaken => "was not taken",
                Outcome::Unsure | Outcome::Done => "has an unsure outcome",
            };
            let why = format!("it depends on {}, which {outcome}", step.address);
            return Readiness::Never(SkipReason { why, held: step.held.clone() });
        }
        if let Some(address) = mutation.references().into_iter().find(|address| self.id_of(address).is_none()) {
            return Readiness::Never(format!("it needs the id of {address}, which isn't known").into());
        }
        // An answer isn't enough for these: for example, a promotion must be seen in effect before another admin
        // is demoted.
        let awaited =
            || dependencies().filter(|index| mutation.after.contains(&self.schedule.mutation(*index).id));
        if let Some(unseen) = awaited().find(|index| self.in_effect.get(index) == Some(&false)) {
            let dependency = &self.schedule.mutation(unseen).change;
            return Readiness::Never(format!("it depends on {dependency}, which isn't in effect yet").into());
        }
        if awaited().all(|index| self.in_effect.contains_key(&index)) {
            Readiness::Ready
        } else {
            Readiness::NeedsRead
        }
    }
}

/// Returns whether a change creates a key.
pub(super) fn mints(change: &Change) -> bool {
    change.action == Action::Create && matches!(change.after, Some(Entity::Key(_)))
}
