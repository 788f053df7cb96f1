//! What answers say became of what was sent, and what that means for what comes after.

use super::executor::{Completed, Execution};
use super::writer::{Answer, PreparedMutation};
use super::{Step, Stop, step};
use crate::ledger::Event;
use rolecall_graphql::{CallError, Effect};
use rolecall_model::{Change, Mutation, Outcome};
use rolecall_providers::{MutationResult, Verdict};

impl<'a> Execution<'a> {
    /// Judges the answers, writes down what they say, and hands over what they carry.
    pub(super) async fn handle_response(&mut self, completed: Completed<'a>) {
        let Completed { prepared_mutations, answers, prepared } = completed;
        if Self::is_refused_as_one(&answers) {
            return self.split_batch(&prepared_mutations);
        }
        let mut events = Vec::new();
        let mut ended = Vec::new();
        let any_answer = answers.iter().any(|answer| !answer.as_ref().is_err_and(CallError::is_without_answer));
        if any_answer {
            self.unanswered = 0;
        }
        let together = prepared_mutations.len() > 1;
        let mut minted = None;
        for (PreparedMutation { place, mutation, change }, answer) in prepared_mutations.into_iter().zip(answers) {
            self.answered.insert(&self.schedule.mutation(place).operation);
            let done = match &answer {
                Ok(receipt) => step_from_receipt(&mutation, change, receipt),
                Err(error) => self.failed(&mutation, change, error),
            };
            match &answer {
                Ok(MutationResult { verdict: Verdict::Lost(what), .. }) => {
                    self.stopped = Some(Stop::Lost);
                    events.push(Event::Lost { address: change.address.clone(), what: what.clone() });
                }
                Ok(MutationResult { verdict: Verdict::Mismatch(_), .. }) => self.stopped = Some(Stop::Mismatch),
                Ok(_) => {}
                Err(error) => self.apply_error_policy(place, &mutation, error, together),
            }
            if let Some(reason) = &done.held {
                events.push(Event::Held { address: change.address.clone(), reason: reason.clone() });
            }
            let others = self.schedule.mutation(place).also.iter().filter_map(|address| self.plan.change(address));
            let others = others.map(|change| Step {
                address: change.address.clone(),
                action: change.action,
                ..done.clone()
            });
            let steps: Vec<Step> = std::iter::once(done.clone()).chain(others).collect();
            events.extend(steps.iter().map(Step::event));
            if let Ok(receipt) = answer {
                minted = Some((receipt, mutation, change));
            }
            ended.push((place, steps));
        }
        if let Err(error) = self.append_all(events) {
            self.stopped = Some(Stop::Unrecorded(error.to_string()));
        }
        if let (Some((receipt, mutation, change)), Some(prepared), [(_, steps)]) = (minted, prepared, &mut *ended)
            && let Some(done) = steps.first_mut()
        {
            self.deliver(receipt, prepared, &mutation, change, done).await;
        }
        self.minting = false;
        for (place, steps) in ended {
            self.end(place, steps);
        }
    }

    /// What an error means for what comes after it.
    fn apply_error_policy(&mut self, place: usize, mutation: &Mutation, error: &CallError, together: bool) {
        let given_up = self.apply.shutdown.is_requested() && error.effect() == Effect::None;
        if error.is_lost() || together && matches!(error, CallError::NoData | CallError::EmptyErrors) {
            self.lost.insert(place, !error.is_without_answer());
        } else if given_up && matches!(error, CallError::RateLimited { .. }) {
            self.stopped = Some(Stop::Interrupted);
        } else if error.is_unreachable_or_refused()
            // A limit of this one operation says nothing of the others.
            && (self.apply.provider.quota(&mutation.operation).is_none() || !matches!(error, CallError::RateLimited { .. }))
        {
            self.stopped = Some(Stop::Unreachable(error.to_string()));
        }
    }

    /// Was a document for several refused before any of it ran?
    fn is_refused_as_one(answers: &[Answer]) -> bool {
        let as_such = |answer: &Answer| matches!(answer, Err(CallError::RefusedTogether));
        answers.len() > 1 && answers.iter().all(as_such)
    }

    /// From here on each goes by itself.
    fn split_batch(&mut self, prepared_mutations: &[PreparedMutation<'a>]) {
        tracing::info!("the platform refuses several mutations in one document");
        self.one_by_one = true;
        let refused = |sending: &PreparedMutation<'a>| {
            let why = "the document was refused as a whole, so it is sent by itself".to_owned();
            step(&sending.mutation, sending.change, Outcome::Failed, Some(why)).event()
        };
        if let Err(error) = self.append_all(prepared_mutations.iter().map(refused).collect()) {
            self.stopped = Some(Stop::Unrecorded(error.to_string()));
        }
        for sending in prepared_mutations {
            self.schedule.reopen(sending.place);
        }
    }

    /// The step that a mutation ends as whose answer was an error, or none.
    pub(super) fn failed(&self, mutation: &Mutation, change: &Change, error: &CallError) -> Step {
        let error = &self.named(error);
        let (outcome, effect) = match error.effect() {
            Effect::None => (Outcome::Failed, "nothing was changed"),
            Effect::Unknown => (Outcome::Unsure, "it may have taken effect"),
        };
        let next = self.apply.provider.next_step(change, error).unwrap_or_else(|| error.next_step().to_owned());
        let message = format!("{} failed: {error}; {effect}. Next: {next}", mutation.operation);
        let refused = matches!(error, CallError::Refused(_) | CallError::GraphQl(_)) && outcome == Outcome::Failed;
        let answered = !matches!(error, CallError::CredentialRefused(_) | CallError::Transport(_));
        let unconfirmed = matches!(error, CallError::NullPayload(_));
        Step { refused, answered, unconfirmed, ..step(mutation, change, outcome, Some(message)) }
    }

    /// Within a document mutations are told apart by their ids; people know addresses.
    fn named(&self, error: &CallError) -> CallError {
        match error {
            CallError::LostWith(ids) => {
                let address =
                    |id| self.plan.mutation(id).map_or_else(|| id.to_owned(), |it| it.change.to_string());
                CallError::LostWith(ids.split(", ").map(address).collect::<Vec<_>>().join(", "))
            }
            other => other.clone(),
        }
    }
}

/// The step that a mutation ends as whose answer was understood.
pub(super) fn step_from_receipt(mutation: &Mutation, change: &Change, receipt: &MutationResult) -> Step {
    let (outcome, message) = match &receipt.verdict {
        Verdict::Taken => (Outcome::Done, None),
        Verdict::NotTaken(why) => (Outcome::NotTaken, Some(why.clone())),
        Verdict::Held(reason) => (Outcome::Skipped, Some(reason.to_string())),
        Verdict::Mismatch(how) => (Outcome::Done, Some(format!("{how}. Nothing more is sent"))),
        Verdict::Lost(what) => (
            Outcome::Done,
            Some(format!("{what}, which it should have kept; nothing more is sent. Restore it by hand")),
        ),
    };
    let held = match &receipt.verdict {
        Verdict::Held(reason) => Some(reason.clone()),
        Verdict::Taken | Verdict::NotTaken(_) | Verdict::Mismatch(_) | Verdict::Lost(_) => None,
    };
    Step { id: receipt.id.clone(), held, ..step(mutation, change, outcome, message) }
}
