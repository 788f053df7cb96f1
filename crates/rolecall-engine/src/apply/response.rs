//! Handles the answers to mutations: turns them into steps, records them, and decides whether the run goes on.

use super::executor::{Completed, Execution};
use super::outcome::{self, Meaning};
use super::writer::{Answer, PreparedMutation};
use super::{Step, Stop, step, trace};
use crate::ledger::Event;
use rolecall_graphql::{CallError, PossibleEffect};
use rolecall_model::{Change, Mutation, Outcome};
use rolecall_providers::{MutationResult, Verdict};

impl<'a> Execution<'a> {
    /// Turns the answers of a request into steps, notes them for the ledger, and delivers the secret of a new
    /// key.
    pub(super) async fn handle_response(&mut self, completed: Completed<'a>) {
        let Completed { batch, answers, deliveries } = completed;
        let answers = match answers {
            Ok(answers) => answers,
            Err((error, unstored)) => {
                let stop = self.unstored(&error, &unstored);
                let indices: Vec<usize> = batch.iter().map(|prepared| prepared.index).collect();
                return self.end_unrecorded(&indices, &stop);
            }
        };
        if Self::is_batch_refused(&answers) {
            return self.split_batch(&batch);
        }
        let mut events = Vec::new();
        let mut ended = Vec::new();
        let any_answer = answers.iter().any(|answer| !answer.as_ref().is_err_and(CallError::is_unanswered));
        if any_answer {
            self.unanswered_rounds = 0;
        }
        let batched = batch.len() > 1;
        let mut minted = None;
        for (PreparedMutation { index, mutation, change, span }, answer) in batch.into_iter().zip(answers) {
            self.state.answered_operations.insert(&self.state.schedule.mutation(index).operation);
            let own_step = match &answer {
                Ok(result) => step_from_result(&mutation, change, result),
                Err(error) => self.failed(&mutation, change, error),
            };
            match &answer {
                Ok(MutationResult { verdict: Verdict::Lost(what), .. }) => {
                    self.state.stopped = Some(Stop::Lost);
                    events.push(Event::Lost { address: change.address.clone(), what: what.clone() });
                }
                Ok(MutationResult { verdict: Verdict::Mismatch(_), .. }) => {
                    self.state.stopped = Some(Stop::Mismatch);
                }
                Ok(_) => {}
                Err(error) => self.apply_error_policy(index, &mutation, error, batched),
            }
            if let Some(reason) = &own_step.held {
                events.push(Event::Held { address: change.address.clone(), reason: reason.clone() });
            }
            let others = self
                .state
                .schedule
                .mutation(index)
                .also
                .iter()
                .filter_map(|address| self.state.plan.change(address));
            let others = others.map(|change| Step {
                address: change.address.clone(),
                action: change.action,
                ..own_step.clone()
            });
            let steps: Vec<Step> = std::iter::once(own_step.clone()).chain(others).collect();
            events.extend(steps.iter().map(Step::event));
            if let Ok(result) = answer {
                minted = Some((result, mutation, change));
            }
            ended.push((index, steps, span));
        }
        self.note(events);
        if !deliveries.is_empty() {
            // A key exists now, and its delivery takes a while. If this can't be written, the delivery says so.
            let _ = self.write();
        }
        if let (Some((result, mutation, change)), [(_, steps, _)]) = (minted, &mut *ended)
            && let Some(own_step) = steps.first_mut()
            && !deliveries.is_empty()
        {
            self.deliver(result, deliveries, &mutation, change, own_step).await;
        }
        self.state.minting = false;
        for (index, steps, span) in ended {
            trace::ended(&span, steps.first());
            self.end(index, steps);
        }
    }

    /// Decides what an error means for the rest of the run: verify the outcome by a read, stop, or go on.
    fn apply_error_policy(&mut self, index: usize, mutation: &Mutation, error: &CallError, batched: bool) {
        let interrupted = self.apply.shutdown.is_requested() && error.effect() == PossibleEffect::None;
        if error.is_lost() || batched && matches!(error, CallError::NoData | CallError::EmptyErrors) {
            self.state.unanswered.insert(index, !error.is_unanswered());
        } else if interrupted && matches!(error, CallError::RateLimited { .. }) {
            self.state.stopped = Some(Stop::Interrupted);
        } else if error.is_unreachable_or_refused()
            // A rate limit of this one operation says nothing about the others.
            && (self.apply.provider.traffic().quota(&mutation.operation).is_none() || !matches!(error, CallError::RateLimited { .. }))
        {
            self.state.stopped = Some(Stop::Unreachable(error.to_string()));
        }
    }

    /// Returns whether the platform refused a batch as a whole, before any of it ran.
    fn is_batch_refused(answers: &[Answer]) -> bool {
        let is_refused = |answer: &Answer| matches!(answer, Err(CallError::BatchRefused));
        answers.len() > 1 && answers.iter().all(is_refused)
    }

    /// Reopens the mutations of a refused batch. From here on, each mutation is sent by itself.
    fn split_batch(&mut self, batch: &[PreparedMutation<'a>]) {
        tracing::info!("the platform refuses several mutations in one document");
        self.state.batching_off = true;
        let refused = |prepared: &PreparedMutation<'a>| {
            let why = "The batch was refused as a whole, so this mutation is sent by itself.".to_owned();
            step(&prepared.mutation, prepared.change, Outcome::Failed, Some(why)).event()
        };
        self.note(batch.iter().map(refused).collect());
        for prepared in batch {
            trace::ended(&prepared.span, None);
            self.state.schedule.reopen(prepared.index);
        }
    }

    /// Returns the step of a mutation that was answered by an error, or not at all.
    pub(super) fn failed(&self, mutation: &Mutation, change: &Change, error: &CallError) -> Step {
        let error = &self.with_addresses(error);
        let next = self.apply.provider.next_step(change, error).unwrap_or_else(|| error.next_step().to_owned());
        with_meaning(mutation, change, outcome::of_error(error, &mutation.operation, &next))
    }

    /// Replaces the ids of mutations in an error by addresses, which users know.
    fn with_addresses(&self, error: &CallError) -> CallError {
        match error {
            CallError::LostInBatch(ids) => {
                let address =
                    |id| self.state.plan.mutation(id).map_or_else(|| id.to_owned(), |it| it.change.to_string());
                CallError::LostInBatch(ids.split(", ").map(address).collect::<Vec<_>>().join(", "))
            }
            other => other.clone(),
        }
    }
}

/// Returns the step of a mutation that was answered.
pub(super) fn step_from_result(mutation: &Mutation, change: &Change, result: &MutationResult) -> Step {
    let meaning = outcome::of_verdict(&result.verdict);
    Step { id: result.id.clone(), ..with_meaning(mutation, change, meaning) }
}

fn with_meaning(mutation: &Mutation, change: &Change, meaning: Meaning) -> Step {
    let Meaning { outcome, answered, message, held } = meaning;
    Step { answered, held, ..step(mutation, change, outcome, message) }
}
