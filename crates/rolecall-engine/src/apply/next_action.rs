//! Which mutations are sent next, and which never.

use std::time::Duration;

use super::executor::{Execution, SkipReason};
use rolecall_graphql::{Budget, Part, Ticket, fitting};
use rolecall_model::{Action, Change, Entity, Mutation, Outcome};

/// What stands between a mutation and its being sent.
enum Readiness {
    Clear,
    /// What it relies on isn't so.
    Never(SkipReason),
    /// A read has to show first what became of the mutations that it relies on.
    NeedsRead,
}

/// What is done next.
pub(super) enum NextAction {
    Send(Vec<usize>, Option<Ticket>),
    Skip(usize, SkipReason),
    /// Read, for this one to be sent or not.
    VerifyPending(usize),
    /// Read what became of lost answers.
    VerifyUnanswered,
    /// Until something lands, or this time has passed.
    Wait(Option<Duration>),
    Nothing,
}

impl Execution<'_> {
    /// `under_way`: so many requests.
    pub(super) fn next(&mut self, under_way: usize) -> NextAction {
        let wait = |next| if under_way > 0 { NextAction::Wait(None) } else { next };
        if let Some(reason) = &self.stopped {
            let why = SkipReason::from(reason.to_string());
            return wait(
                self.schedule.first_waiting().map_or(NextAction::Nothing, |place| NextAction::Skip(place, why)),
            );
        }
        // Nothing more goes to a platform that doesn't answer until a read has told what became of what went before.
        if !self.lost.is_empty() {
            return wait(NextAction::VerifyUnanswered);
        }
        if under_way >= self.apply.parallelism || self.minting {
            return NextAction::Wait(None);
        }
        let (mut looks, mut soonest) = (None, None::<Duration>);
        let mut together: Vec<usize> = Vec::new();
        let ready: Vec<usize> = self.schedule.ready().collect();
        for place in ready {
            let mutation = self.schedule.mutation(place);
            if !together.is_empty() && !self.may_join(place) {
                continue;
            }
            match self.readiness(place) {
                Readiness::Never(reason) => return NextAction::Skip(place, reason),
                Readiness::NeedsRead => {
                    looks = looks.or(Some(place));
                    continue;
                }
                Readiness::Clear => {}
            }
            // What goes wrong with an operation goes wrong once: the first of each goes by itself. A secret that is made
            // must not wait for anything else on its way.
            let alone = !self.answered.contains(&*mutation.operation) && self.is_under_way(&mutation.operation);
            if alone || under_way > 0 && self.mints(place) {
                continue;
            }
            if self.may_join(place) {
                together.push(place);
                if self.is_full(&together) {
                    break;
                }
                continue;
            }
            match self.ticket(mutation) {
                Ok(ticket) => return NextAction::Send(vec![place], ticket),
                Err(wait) => soonest = Some(soonest.map_or(wait, |soonest| soonest.min(wait))),
            }
        }
        if !together.is_empty() {
            together.truncate(self.fitting(&together));
            return NextAction::Send(together, None);
        }
        match (under_way, looks, soonest) {
            // A read in the middle of writes shows a moment that is neither here nor there.
            (0, Some(place), _) => NextAction::VerifyPending(place),
            (0, None, Some(wait)) => NextAction::Wait(Some(wait)),
            (0, None, None) => match self.schedule.first_waiting() {
                // No planner of ours makes such a plan.
                Some(place) => NextAction::Skip(place, "it waits for what waits for it".to_owned().into()),
                None => NextAction::Nothing,
            },
            (_, _, soonest) => NextAction::Wait(soonest),
        }
    }

    /// Can it go into a document with others?
    fn may_join(&self, place: usize) -> bool {
        let mutation = self.schedule.mutation(place);
        let joinable = || {
            let document = self.apply.provider.document(&mutation.operation);
            document.is_some_and(|document| document.joinable.is_some())
        };
        !self.one_by_one
            && self.apply.provider.batches().is_some()
            && !self.repeated.contains(&place)
            && self.answered.contains(&*mutation.operation)
            && joinable()
    }

    /// No more have to be looked for.
    fn is_full(&self, together: &[usize]) -> bool {
        self.apply.provider.batches().is_none_or(|limits| together.len() >= limits.aliases)
    }

    /// How many of these, from the first on, fit into one document.
    fn fitting(&self, together: &[usize]) -> usize {
        let Some(limits) = self.apply.provider.batches() else { return 1 };
        let part = |place: &usize| {
            let Mutation { id, operation, .. } = self.schedule.mutation(*place);
            Some(Part { alias: id, mutation: self.apply.provider.document(operation)? })
        };
        let parts: Vec<Part<'_>> = together.iter().filter_map(part).collect();
        fitting(&parts, limits)
    }

    fn is_under_way(&self, operation: &str) -> bool {
        self.schedule.under_way().any(|place| self.schedule.mutation(place).operation == operation)
    }

    fn mints(&self, place: usize) -> bool {
        self.schedule.mutation(place).changes().filter_map(|address| self.plan.change(address)).any(mints)
    }

    /// Of an operation's own limit. Or how long until there is one.
    fn ticket(&self, mutation: &Mutation) -> Result<Option<Ticket>, Duration> {
        let Some(quota) = self.apply.provider.quota(&mutation.operation) else { return Ok(None) };
        self.apply.quotas.budget(&mutation.operation).take(quota).map(Some)
    }

    pub(super) fn give_back(&self, places: &[usize], ticket: Option<Ticket>) {
        if let (Some(ticket), Some(place)) = (ticket, places.first()) {
            self.apply.quotas.budget(&self.schedule.mutation(*place).operation).give_back(ticket);
        }
    }

    /// Why a mutation that waits for nothing must not be sent, if it must not.
    fn readiness(&self, place: usize) -> Readiness {
        let mutation = self.schedule.mutation(place);
        let relied = || self.schedule.relied(place).iter().copied();
        let open = |place: &usize| self.is_open(*place) && !self.decided.contains(place);
        if relied().any(|place| open(&place)) {
            return Readiness::NeedsRead;
        }
        let mut steps = relied().filter_map(|place| self.steps.get(&place)).flatten();
        if let Some(step) = steps.find(|step| step.outcome != Outcome::Done) {
            let became = match step.outcome {
                Outcome::Failed => "failed",
                Outcome::Skipped => "was skipped",
                Outcome::NotTaken => "was not taken",
                Outcome::Unsure | Outcome::Done => "is unsure",
            };
            let why = format!("it relies on {}, which {became}", step.address);
            return Readiness::Never(SkipReason { why, held: step.held.clone() });
        }
        if let Some(address) = mutation.references().into_iter().find(|address| self.id_of(address).is_none()) {
            return Readiness::Never(format!("the id of {address} isn't known").into());
        }
        // An answer isn't enough: the promotion has to be seen before anybody is demoted in its favour.
        let awaited = || relied().filter(|place| mutation.after.contains(&self.schedule.mutation(*place).id));
        if let Some(unseen) = awaited().find(|place| self.in_effect.get(place) == Some(&false)) {
            let relied = &self.schedule.mutation(unseen).change;
            return Readiness::Never(format!("it relies on {relied}, which isn't in effect yet").into());
        }
        if awaited().all(|place| self.in_effect.contains_key(&place)) {
            Readiness::Clear
        } else {
            Readiness::NeedsRead
        }
    }
}

pub(super) fn mints(change: &Change) -> bool {
    change.action == Action::Create && matches!(change.after, Some(Entity::Key(_)))
}
