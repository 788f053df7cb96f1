//! Sends a plan's mutations: those that wait for nothing at once, several in one document where the platform takes that.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use super::next_action::NextAction;
use super::schedule::Schedule;
use super::writer::{Answer, PreparedMutation};
use super::{Apply, Prepared, Step, Stop, interrupt, step};
use crate::ledger::{Event, Ledger, LedgerError, Record};
use rolecall_model::{HoldReason, Live, OrganizationPlan, Outcome};

pub(super) struct Execution<'a> {
    pub(super) apply: &'a Apply<'a>,
    pub(super) plan: &'a OrganizationPlan,
    pub(super) live: &'a Live,
    ledger: &'a mut Ledger,
    pub(super) on_step: &'a mut (dyn FnMut(&Step) + Send),
    pub(super) schedule: Schedule<'a>,
    /// What became of those that are over, by their places.
    pub(super) steps: BTreeMap<usize, Vec<Step>>,
    /// What a read has shown of mutations that others rely on.
    pub(super) in_effect: BTreeMap<usize, bool>,
    /// Those of which a read was to decide whether they had an effect.
    pub(super) decided: BTreeSet<usize>,
    /// Those whose answers were lost, and that no read has decided on yet: is the request over, so that it can't arrive
    /// late?
    pub(super) lost: BTreeMap<usize, bool>,
    /// Those that were sent a second time.
    pub(super) repeated: BTreeSet<usize>,
    /// How often, one after the other, nothing was answered until a read.
    pub(super) unanswered: usize,
    /// Operations that were answered once in this run.
    pub(super) answered: BTreeSet<&'a str>,
    /// A document for several was refused as such.
    pub(super) one_by_one: bool,
    /// A key is being made, and its secret on its way.
    pub(super) minting: bool,
    /// Why reads show nothing, once one has failed.
    pub(super) unread: Option<String>,
    /// Why nothing more is sent.
    pub(super) stopped: Option<Stop>,
}

/// Why a mutation isn't sent.
pub(super) struct SkipReason {
    pub why: String,
    /// What it relies on is held by the platform, which is nobody's failure.
    pub held: Option<HoldReason>,
}

impl From<String> for SkipReason {
    fn from(why: String) -> Self {
        Self { why, held: None }
    }
}

/// A request that was answered, or not.
pub(super) struct Completed<'a> {
    pub prepared_mutations: Vec<PreparedMutation<'a>>,
    pub answers: Vec<Answer>,
    pub prepared: Option<Prepared>,
}

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
            decided: BTreeSet::new(),
            lost: BTreeMap::new(),
            repeated: BTreeSet::new(),
            unanswered: 0,
            answered: BTreeSet::new(),
            one_by_one: apply.parallelism <= 1,
            minting: false,
            unread: None,
            stopped: None,
        }
    }

    pub fn finish(self) -> (Vec<Step>, Option<Stop>) {
        (self.steps.into_values().flatten().collect(), self.stopped)
    }

    pub async fn send_all(&mut self) {
        let apply = self.apply;
        let mut in_flight: FuturesUnordered<InFlight<'a>> = FuturesUnordered::new();
        loop {
            if apply.shutdown.is_requested() && self.stopped.is_none() {
                self.stopped = Some(Stop::Interrupted);
            }
            match self.next(in_flight.len()) {
                NextAction::Nothing => return,
                NextAction::Skip(place, reason) => self.skip(place, &reason),
                NextAction::VerifyPending(place) => self.verify_pending(place).await,
                NextAction::VerifyUnanswered => self.verify_unanswered().await,
                // What is noted as sent should be on its way at once, and nobody should have to wait for what can be
                // given up.
                NextAction::Send(places, ticket) => tokio::select! {
                    biased;
                    Some(completed) = in_flight.next() => {
                        self.give_back(&places, ticket);
                        self.handle_response(completed).await;
                    }
                    may = interrupt::may_send_now(apply) => if may {
                        in_flight.extend(self.dispatch(&places, ticket));
                    } else {
                        self.give_back(&places, ticket);
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
                    _ = interrupt::unless(apply, tokio::time::sleep(wait)) => {}
                },
            }
        }
    }

    pub(super) fn append(&mut self, event: Event) -> Result<(), LedgerError> {
        self.append_all(vec![event])
    }

    pub(super) fn append_all(&mut self, events: Vec<Event>) -> Result<(), LedgerError> {
        let Apply { clock, run, .. } = self.apply;
        let record = |event| Record { at: clock(), run: (*run).to_owned(), event };
        self.ledger.append_all(events.into_iter().map(record).collect())
    }

    pub(super) fn skip(&mut self, place: usize, SkipReason { why, held }: &SkipReason) {
        let mutation = self.schedule.mutation(place);
        let changes = mutation.changes().filter_map(|address| self.plan.change(address));
        let outcome = if self.repeated.contains(&place) { Outcome::Unsure } else { Outcome::Skipped };
        let why = match outcome {
            Outcome::Unsure => {
                format!("its answer was lost and a read doesn't show it. It wasn't sent again: {why}")
            }
            _ => why.clone(),
        };
        let steps = changes
            .map(|change| Step { held: held.clone(), ..step(mutation, change, outcome, Some(why.clone())) });
        self.end(place, steps.collect());
    }

    /// It is over: each of its changes has its outcome.
    pub(super) fn end(&mut self, place: usize, steps: Vec<Step>) {
        let mutation = self.schedule.mutation(place);
        let mut ended = Vec::with_capacity(steps.len());
        for step in steps {
            // Where an earlier part failed, the last one doesn't close the change.
            let others = self.schedule.of_change(&step.address).iter().filter_map(|place| self.steps.get(place));
            let open = |other: &Step| other.address == step.address && other.outcome != Outcome::Done;
            let first_step = self.plan.is_first_step(mutation, &step.address)
                || step.outcome == Outcome::Done && others.flatten().any(open);
            let step = Step { first_step, resent: self.repeated.contains(&place), ..step };
            (self.on_step)(&step);
            ended.push(step);
        }
        self.steps.insert(place, ended);
        self.schedule.end(place);
    }
}
