//! Runs the mutations of a plan. Independent mutations are sent at the same time, several of them in one document
//! if the platform allows that.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use super::next_action::NextAction;
use super::schedule::Schedule;
use super::writer::{Answer, PreparedMutation};
use super::{Apply, PreparedDelivery, Step, Stop, interrupt, not_sent, step};
use crate::ledger::{Event, Ledger, LedgerError, Record};
use rolecall_model::{HoldReason, Live, OrganizationPlan, Outcome};

/// The state of a run that is sending mutations. Mutations are identified by their index in the plan.
pub(super) struct Execution<'a> {
    pub(super) apply: &'a Apply<'a>,
    pub(super) plan: &'a OrganizationPlan,
    pub(super) live: &'a Live,
    ledger: &'a mut Ledger,
    pub(super) on_step: &'a mut (dyn FnMut(&Step) + Send),
    pub(super) schedule: Schedule<'a>,
    /// The steps of finished mutations.
    pub(super) steps: BTreeMap<usize, Vec<Step>>,
    /// Says for finished mutations whether a read showed them in effect.
    pub(super) in_effect: BTreeMap<usize, bool>,
    /// Mutations with an open outcome that a read has been used to settle.
    pub(super) read_decided: BTreeSet<usize>,
    /// Mutations whose answers were lost and that no read has settled yet. The value says whether the request has
    /// ended, so that it can't arrive late.
    pub(super) unanswered: BTreeMap<usize, bool>,
    /// Mutations that were sent a second time.
    pub(super) resent: BTreeSet<usize>,
    /// The number of rounds in a row in which requests got no answer. A read ends a round.
    pub(super) unanswered_rounds: usize,
    /// Operations that have been answered in this run.
    pub(super) answered_operations: BTreeSet<&'a str>,
    /// True if each mutation is sent in a document of its own: because of `parallelism`, or because the platform
    /// refused a batch.
    pub(super) batching_off: bool,
    /// True while a key is created and its secret is delivered.
    pub(super) minting: bool,
    /// The error of the first read that failed. No more reads are tried then.
    pub(super) read_error: Option<String>,
    /// Why nothing more is sent.
    pub(super) stopped: Option<Stop>,
}

/// The reason why a mutation isn't sent. `why` is a clause without a period.
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
    pub answers: Vec<Answer>,
    pub delivery: Option<PreparedDelivery>,
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
        Self {
            apply,
            plan,
            live,
            ledger,
            on_step,
            schedule: Schedule::new(&plan.sealed.mutations),
            steps: BTreeMap::new(),
            in_effect: BTreeMap::new(),
            read_decided: BTreeSet::new(),
            unanswered: BTreeMap::new(),
            resent: BTreeSet::new(),
            unanswered_rounds: 0,
            answered_operations: BTreeSet::new(),
            batching_off: apply.parallelism <= 1,
            minting: false,
            read_error: None,
            stopped: None,
        }
    }

    /// Returns the steps in the plan's order, and why the run stopped early, if it did.
    pub fn finish(self) -> (Vec<Step>, Option<Stop>) {
        (self.steps.into_values().flatten().collect(), self.stopped)
    }

    /// Sends all mutations that can be sent, and waits for their answers.
    pub async fn send_all(&mut self) {
        let apply = self.apply;
        let mut in_flight: FuturesUnordered<InFlight<'a>> = FuturesUnordered::new();
        loop {
            if apply.shutdown.is_requested() && self.stopped.is_none() {
                self.stopped = Some(Stop::Interrupted);
            }
            match self.next(in_flight.len()) {
                NextAction::Nothing => return,
                NextAction::Skip(index, reason) => self.skip(index, &reason),
                NextAction::VerifyPending(index) => self.verify_pending(index).await,
                NextAction::VerifyUnanswered => self.verify_unanswered().await,
                // Once recorded, a mutation should be sent without delay. So wait for the rate limit before it is
                // recorded, where an interrupt can still stop it.
                NextAction::Send(indices, ticket) => tokio::select! {
                    biased;
                    Some(completed) = in_flight.next() => {
                        self.give_back(&indices, ticket);
                        self.handle_response(completed).await;
                    }
                    may = interrupt::may_send_now(apply) => if may {
                        in_flight.extend(self.dispatch(&indices, ticket));
                    } else {
                        self.give_back(&indices, ticket);
                        self.stopped = Some(Stop::Interrupted);
                    }
                },
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

    pub(super) fn append(&mut self, event: Event) -> Result<(), LedgerError> {
        self.append_all(vec![event])
    }

    /// Writes events to the ledger.
    pub(super) fn append_all(&mut self, events: Vec<Event>) -> Result<(), LedgerError> {
        let Apply { clock, run, .. } = self.apply;
        let record = |event| Record { at: clock(), run: (*run).to_owned(), event };
        self.ledger.append_all(events.into_iter().map(record).collect())
    }

    /// Ends a mutation that isn't sent.
    pub(super) fn skip(&mut self, index: usize, SkipReason { why, held }: &SkipReason) {
        let mutation = self.schedule.mutation(index);
        let changes = mutation.changes().filter_map(|address| self.plan.change(address));
        let outcome = if self.resent.contains(&index) { Outcome::Unsure } else { Outcome::Skipped };
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
        let mutation = self.schedule.mutation(index);
        let mut ended = Vec::with_capacity(steps.len());
        for step in steps {
            // If an earlier mutation of the change failed, the last one doesn't complete it.
            let others = self.schedule.of_change(&step.address).iter().filter_map(|index| self.steps.get(index));
            let open = |other: &Step| other.address == step.address && other.outcome != Outcome::Done;
            let first_step = self.plan.is_first_step(mutation, &step.address)
                || step.outcome == Outcome::Done && others.flatten().any(open);
            let step = Step { first_step, resent: self.resent.contains(&index), ..step };
            (self.on_step)(&step);
            ended.push(step);
        }
        self.steps.insert(index, ended);
        self.schedule.end(index);
    }
}
