//! Runs the mutations of a plan. Independent mutations are sent at the same time, several of them in one document
//! if the platform allows that.

use std::future::Future;
use std::mem;
use std::pin::{Pin, pin};
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use jiff::Timestamp;

use super::dispatch::PreparedRequest;
use super::next_action::{NextAction, next_action};
use super::state::State;
use super::writer::{Answer, PreparedMutation};
use super::{Apply, PreparedDelivery, Step, Stop, interrupt, not_sent, step};
use crate::ledger::{Event, Hold, Ledger, LedgerError, Record, Unstored};
use rolecall_graphql::{Budget, Ticket};
use rolecall_model::{Facts, HoldReason, Live, OrganizationPlan, Outcome};

/// A run that is sending mutations: its [`State`], and what it needs to act.
pub(super) struct Execution<'a> {
    pub(super) apply: &'a Apply<'a>,
    pub(super) live: &'a Live,
    ledger: &'a mut Ledger,
    /// The records that aren't in the ledger yet. They are written before anything is waited for, and before anything is sent.
    unwritten: Vec<Record>,
    pub(super) on_step: &'a mut (dyn FnMut(&Step) + Send),
    pub(super) state: State<'a>,
    /// The number of rounds in a row in which requests got no answer. A read ends a round.
    pub(super) unanswered_rounds: usize,
    /// The error of the first read that failed. No more reads are tried then.
    pub(super) read_error: Option<String>,
}

/// The reason why a mutation isn't sent. `why` is a clause without a period.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SkipReason {
    pub why: String,
    /// Set if the platform holds a change that it depends on, which isn't a failure.
    pub held: Option<HoldReason>,
}

impl From<String> for SkipReason {
    fn from(why: String) -> Self {
        Self { why, held: None }
    }
}

/// A finished request, with or without answers.
pub(super) struct Completed<'a> {
    pub batch: Vec<PreparedMutation<'a>>,
    /// The error is that its intents could not be stored, so that it wasn't sent.
    pub answers: Result<Vec<Answer>, (LedgerError, Unstored)>,
    /// The targets of the secret, if a key is created.
    pub deliveries: Vec<PreparedDelivery>,
}

/// A request in flight.
pub(super) type InFlight<'a> = Pin<Box<dyn Future<Output = Completed<'a>> + Send + 'a>>;

impl<'a> Execution<'a> {
    pub fn new(
        apply: &'a Apply<'a>,
        plan: &'a OrganizationPlan,
        live: &'a Live,
        ledger: &'a mut Ledger,
        on_step: &'a mut (dyn FnMut(&Step) + Send),
    ) -> Self {
        let state = State::new(apply.provider, plan, apply.parallelism);
        Self { apply, live, ledger, unwritten: Vec::new(), on_step, state, unanswered_rounds: 0, read_error: None }
    }

    /// Returns the steps in the plan's order, and why the run stopped early, if it did.
    pub fn finish(self) -> (Vec<Step>, Option<Stop>) {
        (self.state.steps.into_values().flatten().collect(), self.state.stopped)
    }

    /// Sends all mutations that can be sent, and waits for their answers.
    ///
    /// The outcomes of a request share a write to the ledger with the intents of the next request. A write to a store takes as
    /// long as a request, so there all answers that have arrived are handled together, and so are the requests after them. For
    /// example, four requests of 20 mutations each are answered at the same time. One write contains their 80 outcomes and
    /// the 80 intents of the next four requests. With a file, each of the four waits for the disk by itself, while the others are
    /// handled or wait for their answers.
    pub async fn send_all(&mut self) {
        let apply = self.apply;
        let mut in_flight: FuturesUnordered<InFlight<'a>> = FuturesUnordered::new();
        let mut prepared: Vec<PreparedRequest<'a>> = Vec::new();
        // If all requests share a rate limit, each has to be under way before the next one knows whether it may be sent.
        let is_together = self.hold().is_some() && apply.provider.budget(apply.desired).is_none();
        loop {
            if !is_together && !prepared.is_empty() {
                in_flight.extend(self.send(mem::take(&mut prepared)));
            }
            while let Some(Some(completed)) = in_flight.next().now_or_never() {
                self.handle_response(completed).await;
                if !is_together {
                    break;
                }
            }
            if apply.shutdown.is_requested() && self.state.stopped.is_none() {
                self.state.stopped = Some(Stop::Interrupted);
            }
            self.state.in_flight = in_flight.len() + prepared.len();
            let next = next_action(&self.state);
            let ticket = match self.ticket(&next) {
                Ok(ticket) => ticket,
                Err((operation, wait)) => {
                    self.state.limited.insert(operation, wait);
                    continue;
                }
            };
            self.state.limited.clear();
            if !matches!(next, NextAction::Send(_) | NextAction::Skip(..)) {
                let was_stopped = self.state.stopped.is_some();
                in_flight.extend(self.send(mem::take(&mut prepared)));
                if self.state.stopped.is_some() != was_stopped {
                    continue;
                }
            }
            match next {
                NextAction::Nothing => return,
                NextAction::Skip(index, reason) => self.skip(index, &reason),
                NextAction::VerifyPending(index) => self.verify_pending(index).await,
                NextAction::VerifyUnanswered => self.verify_unanswered().await,
                // Once recorded, a mutation should be sent without delay. So wait for the rate limit before it is
                // recorded, where an interrupt can still stop it.
                NextAction::Send(indices) => {
                    let mut allowed = pin!(interrupt::may_send_now(apply));
                    let may_send = if let Some(may_send) = allowed.as_mut().now_or_never() {
                        may_send
                    } else {
                        in_flight.extend(self.send(mem::take(&mut prepared)));
                        tokio::select! {
                            biased;
                            Some(completed) = in_flight.next() => {
                                self.give_back(&indices, ticket);
                                self.handle_response(completed).await;
                                continue;
                            }
                            may_send = allowed => may_send,
                        }
                    };
                    if may_send && self.state.stopped.is_none() {
                        prepared.extend(self.prepare_request(indices, ticket));
                    } else {
                        self.give_back(&indices, ticket);
                        self.state.stopped.get_or_insert(Stop::Interrupted);
                    }
                }
                NextAction::Wait(None) => {
                    if let Some(completed) = in_flight.next().await {
                        self.handle_response(completed).await;
                    }
                }
                NextAction::Wait(Some(wait)) => tokio::select! {
                    biased;
                    Some(completed) = in_flight.next() => self.handle_response(completed).await,
                    _ = interrupt::unless_shutdown(apply, tokio::time::sleep(wait)) => {}
                },
            }
        }
    }

    /// Takes a ticket if the next action is to send an operation that has a rate limit of its own. The error is the
    /// time until a ticket is available.
    fn ticket(&self, next: &NextAction) -> Result<Option<Ticket>, (&'a str, Duration)> {
        let NextAction::Send(indices) = next else { return Ok(None) };
        let [index] = &indices[..] else { return Ok(None) };
        let operation = &*self.state.schedule.mutation(*index).operation;
        let Some(quota) = self.apply.provider.traffic().quota(operation) else { return Ok(None) };
        self.apply.quotas.budget(operation).take(quota).map(Some).map_err(|wait| (operation, wait))
    }

    /// Gives back the ticket of mutations that weren't sent.
    fn give_back(&self, indices: &[usize], ticket: Option<Ticket>) {
        if let (Some(ticket), Some(index)) = (ticket, indices.first()) {
            self.apply.quotas.budget(&self.state.schedule.mutation(*index).operation).give_back(ticket);
        }
    }

    pub(super) fn append(&mut self, event: Event) -> Result<(), LedgerError> {
        self.append_all(vec![event])
    }

    /// Writes events to the ledger, after those that aren't written yet.
    pub(super) fn append_all(&mut self, events: Vec<Event>) -> Result<(), LedgerError> {
        self.note(events);
        self.ledger.append_all(mem::take(&mut self.unwritten))
    }

    /// Writes the events that aren't written yet, and doesn't wait for a file.
    pub(super) fn add(&mut self) -> Result<Unstored, Stop> {
        let added = self.ledger.add_all(mem::take(&mut self.unwritten));
        added.map_err(|error| self.stop_unrecorded(&error))
    }

    /// Forgets what could not be stored. Nothing more is sent.
    pub(super) fn unstored(&mut self, error: &LedgerError, unstored: &Unstored) -> Stop {
        self.ledger.forget(unstored);
        self.stop_unrecorded(error)
    }

    fn stop_unrecorded(&mut self, error: &LedgerError) -> Stop {
        let stop = Stop::Unrecorded(error.to_string());
        self.state.stopped = Some(stop.clone());
        stop
    }

    /// Records events that are written to the ledger before anything is waited for. Returns the time of the last one.
    pub(super) fn note(&mut self, events: Vec<Event>) -> Option<Timestamp> {
        self.unwritten.extend(events.into_iter().map(|event| self.apply.record(event)));
        self.unwritten.last().map(|record| record.at)
    }

    /// Writes the events that aren't written yet. If that fails, nothing more is sent.
    pub(super) fn write(&mut self) -> Result<(), Stop> {
        self.append_all(Vec::new()).map_err(|error| self.stop_unrecorded(&error))
    }

    /// Returns what tells whether this run still has the lock of its ledger.
    pub(super) fn hold(&self) -> Option<Hold> {
        self.ledger.hold()
    }

    /// Returns the time of the last event in the ledger.
    pub(super) fn recorded_at(&self) -> Option<Timestamp> {
        self.ledger.records().last().map(|record| record.at)
    }

    pub(super) fn facts(&self) -> Facts {
        self.ledger.facts()
    }

    /// Ends a mutation that isn't sent.
    pub(super) fn skip(&mut self, index: usize, SkipReason { why, held }: &SkipReason) {
        let mutation = self.state.schedule.mutation(index);
        let changes = mutation.changes().filter_map(|address| self.state.plan.change(address));
        let outcome = if self.state.resent.contains(&index) { Outcome::Unsure } else { Outcome::Skipped };
        let why = match outcome {
            Outcome::Unsure => {
                format!("The answer was lost, and a read doesn't show the change. It wasn't sent again: {why}.")
            }
            _ => not_sent(why),
        };
        let steps = changes
            .map(|change| Step { held: held.clone(), ..step(mutation, change, outcome, Some(why.clone())) });
        self.end(index, steps.collect());
    }

    /// Ends a mutation, with one step for each of its changes.
    pub(super) fn end(&mut self, index: usize, steps: Vec<Step>) {
        let mutation = self.state.schedule.mutation(index);
        let mut ended = Vec::with_capacity(steps.len());
        for step in steps {
            // If an earlier mutation of the change failed, the last one doesn't complete it.
            let others = self
                .state
                .schedule
                .of_change(&step.address)
                .iter()
                .filter_map(|index| self.state.steps.get(index));
            let open = |other: &Step| other.address == step.address && other.outcome != Outcome::Done;
            let first_step = self.state.plan.is_first_step(mutation, &step.address)
                || step.outcome == Outcome::Done && others.flatten().any(open);
            let step = Step { first_step, resent: self.state.resent.contains(&index), ..step };
            (self.on_step)(&step);
            ended.push(step);
        }
        self.state.steps.insert(index, ended);
        self.state.schedule.end(index);
    }
}
