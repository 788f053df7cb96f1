//! Decides the next action of a run: which mutations to send, to skip, or to verify by a read.

use std::time::Duration;

use super::executor::{Execution, SkipReason};
use rolecall_graphql::{BatchPart, Budget, Ticket, fitting_count};
use rolecall_model::{Action, Change, Entity, Mutation, Outcome};

/// The answer to whether a mutation can be sent now.
enum Readiness {
    Ready,
    /// One of its dependencies wasn't done, so it is never sent.
    Never(SkipReason),
    /// A read has to show the outcome of its dependencies first.
    NeedsRead,
}

/// The next action of a run.
pub(super) enum NextAction {
    Send(Vec<usize>, Option<Ticket>),
    Skip(usize, SkipReason),
    /// Read, to find out whether this mutation can be sent.
    VerifyPending(usize),
    /// Read, to find out the outcome of mutations whose answers were lost.
    VerifyUnanswered,
    /// Wait until a request in flight has finished, or until this time has passed.
    Wait(Option<Duration>),
    Nothing,
}

impl Execution<'_> {
    /// Returns the next action. `in_flight` is the number of requests in flight.
    pub(super) fn next(&mut self, in_flight: usize) -> NextAction {
        let when_idle = |next| if in_flight > 0 { NextAction::Wait(None) } else { next };
        if let Some(reason) = &self.stopped {
            let why = SkipReason::from(reason.to_string());
            return when_idle(
                self.schedule.first_waiting().map_or(NextAction::Nothing, |index| NextAction::Skip(index, why)),
            );
        }
        // If answers were lost, send nothing more until a read has shown the outcome of those mutations.
        if !self.unanswered.is_empty() {
            return when_idle(NextAction::VerifyUnanswered);
        }
        if in_flight >= self.apply.parallelism || self.minting {
            return NextAction::Wait(None);
        }
        let (mut needing_read, mut shortest_wait) = (None, None::<Duration>);
        let mut batch: Vec<usize> = Vec::new();
        let ready: Vec<usize> = self.schedule.ready().collect();
        for index in ready {
            let mutation = self.schedule.mutation(index);
            if !batch.is_empty() && !self.may_join(index) {
                continue;
            }
            match self.readiness(index) {
                Readiness::Never(reason) => return NextAction::Skip(index, reason),
                Readiness::NeedsRead => {
                    needing_read = needing_read.or(Some(index));
                    continue;
                }
                Readiness::Ready => {}
            }
            // The first mutation of each operation is sent alone, so that a general problem with the operation
            // happens only once. A mutation that creates a secret waits until nothing else is in flight.
            let awaits_first_answer =
                !self.answered_operations.contains(&*mutation.operation) && self.is_in_flight(&mutation.operation);
            if awaits_first_answer || in_flight > 0 && self.mints(index) {
                continue;
            }
            if self.may_join(index) {
                batch.push(index);
                if self.is_batch_full(&batch) {
                    break;
                }
                continue;
            }
            match self.ticket(mutation) {
                Ok(ticket) => return NextAction::Send(vec![index], ticket),
                Err(wait) => {
                    shortest_wait = Some(shortest_wait.map_or(wait, |shortest| shortest.min(wait)));
                }
            }
        }
        if !batch.is_empty() {
            batch.truncate(self.fitting_count(&batch));
            return NextAction::Send(batch, None);
        }
        match (in_flight, needing_read, shortest_wait) {
            // Don't read while writes are in flight: the result would mix both states.
            (0, Some(index), _) => NextAction::VerifyPending(index),
            (0, None, Some(wait)) => NextAction::Wait(Some(wait)),
            (0, None, None) => match self.schedule.first_waiting() {
                // The planner never makes such a plan.
                Some(index) => NextAction::Skip(index, "its dependencies form a cycle".to_owned().into()),
                None => NextAction::Nothing,
            },
            (_, _, shortest_wait) => NextAction::Wait(shortest_wait),
        }
    }

    /// Returns whether a mutation can be batched with others in one document.
    fn may_join(&self, index: usize) -> bool {
        let mutation = self.schedule.mutation(index);
        let joinable = || {
            let document = self.apply.provider.document(&mutation.operation);
            document.is_some_and(|document| document.joinable.is_some())
        };
        !self.batching_off
            && self.apply.provider.traffic().batch_limits.is_some()
            && !self.resent.contains(&index)
            && self.answered_operations.contains(&*mutation.operation)
            && joinable()
    }

    /// Returns whether a batch has as many mutations as the platform allows.
    fn is_batch_full(&self, batch: &[usize]) -> bool {
        self.apply.provider.traffic().batch_limits.is_none_or(|limits| batch.len() >= limits.aliases)
    }

    /// Returns how many of these mutations, counted from the first, fit into one document.
    fn fitting_count(&self, batch: &[usize]) -> usize {
        let Some(limits) = self.apply.provider.traffic().batch_limits else { return 1 };
        let part = |index: &usize| {
            let Mutation { id, operation, .. } = self.schedule.mutation(*index);
            Some(BatchPart { alias: id, mutation: self.apply.provider.document(operation)? })
        };
        let parts: Vec<BatchPart<'_>> = batch.iter().filter_map(part).collect();
        fitting_count(&parts, limits)
    }

    fn is_in_flight(&self, operation: &str) -> bool {
        self.schedule.in_flight().any(|index| self.schedule.mutation(index).operation == operation)
    }

    /// Returns whether a mutation creates a key.
    fn mints(&self, index: usize) -> bool {
        self.schedule.mutation(index).changes().filter_map(|address| self.plan.change(address)).any(mints)
    }

    /// Takes a ticket if the operation has a rate limit of its own. The error is the time until a ticket is
    /// available.
    fn ticket(&self, mutation: &Mutation) -> Result<Option<Ticket>, Duration> {
        let Some(quota) = self.apply.provider.traffic().quota(&mutation.operation) else { return Ok(None) };
        self.apply.quotas.budget(&mutation.operation).take(quota).map(Some)
    }

    /// Gives back the ticket of mutations that weren't sent.
    pub(super) fn give_back(&self, indices: &[usize], ticket: Option<Ticket>) {
        if let (Some(ticket), Some(index)) = (ticket, indices.first()) {
            self.apply.quotas.budget(&self.schedule.mutation(*index).operation).give_back(ticket);
        }
    }

    /// Returns whether a mutation can be sent, once all of its dependencies are finished.
    fn readiness(&self, index: usize) -> Readiness {
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
