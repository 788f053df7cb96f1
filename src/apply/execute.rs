//! Sends one mutation after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use super::deliver::delivery_of;
use super::writer::Writer;
use super::{Apply, Prepared, Step, Stop, step};
use crate::graphql::{CallError, Effect};
use crate::ledger::{Event, Ledger, LedgerError};
use crate::model::{
    Action, Cause, Change, Entity, Key, Live, Mutation, OrganizationPlan, Outcome, RemoteId, Stage,
};
use crate::plan::{Effectiveness, in_effect};
use crate::provider::{ReadError, Receipt, Verdict};

pub(super) struct Execution<'a> {
    apply: &'a Apply<'a>,
    plan: &'a OrganizationPlan,
    live: &'a Live,
    ledger: &'a mut Ledger,
    told: &'a mut (dyn FnMut(&Step) + Send),
    steps: Vec<Step>,
    /// What a read has shown of mutations that others rely on.
    in_effect: BTreeMap<String, bool>,
    /// Why nothing more is sent.
    stopped: Option<Stop>,
}

impl<'a> Execution<'a> {
    pub fn new(
        apply: &'a Apply<'a>,
        plan: &'a OrganizationPlan,
        live: &'a Live,
        ledger: &'a mut Ledger,
        told: &'a mut (dyn FnMut(&Step) + Send),
    ) -> Self {
        Self { apply, plan, live, ledger, told, steps: Vec::new(), in_effect: BTreeMap::new(), stopped: None }
    }

    pub fn finish(self) -> (Vec<Step>, Option<Stop>) {
        (self.steps, self.stopped)
    }

    pub async fn send_all(&mut self) {
        let plan = self.plan;
        for mutation in &plan.sealed.mutations {
            let Some(change) = plan.change(&mutation.change) else { continue };
            if self.apply.interrupted.load(Ordering::Relaxed) && self.stopped.is_none() {
                self.stopped = Some(Stop::Interrupted);
            }
            let step = match self.obstacle(mutation).await {
                Some(reason) => step(mutation, change, Outcome::Skipped, Some(reason)),
                None => self.send(mutation, change).await,
            };
            (self.told)(&step);
            self.steps.push(step);
        }
    }

    /// Why a mutation must not be sent, if it must not.
    async fn obstacle(&mut self, mutation: &Mutation) -> Option<String> {
        if let Some(reason) = &self.stopped {
            return Some(reason.to_string());
        }
        if mutation.after.is_empty() {
            return None;
        }
        let undone = self
            .steps
            .iter()
            .find(|step| mutation.after.contains(&step.mutation) && step.outcome != Outcome::Done);
        if let Some(step) = undone {
            return Some(format!("it relies on {}, which is {}", step.address, step.outcome));
        }
        // An answer isn't enough: the promotion has to be seen before anybody is demoted in its favour.
        if let Err(error) = self.look_at(&mutation.after).await {
            return Some(format!("what it relies on can't be seen: {error}"));
        }
        let unseen = mutation.after.iter().find(|id| self.in_effect.get(*id) != Some(&true))?;
        let relied = self.steps.iter().find(|step| step.mutation == *unseen);
        let what = relied.map_or_else(|| unseen.clone(), |step| step.address.to_string());
        Some(format!("it relies on {what}, which isn't in effect yet"))
    }

    /// Reads whether these are in effect, once for all that rely on them.
    async fn look_at(&mut self, ids: &[String]) -> Result<(), ReadError> {
        if ids.iter().all(|id| self.in_effect.contains_key(id)) {
            return Ok(());
        }
        let live = self.apply.provider.read(self.apply.reader).await?;
        for step in self.steps.iter().filter(|step| step.outcome == Outcome::Done) {
            let Some(change) = self.plan.change(&step.address) else { continue };
            let seen = in_effect(change, step.id.as_ref(), &live) == Effectiveness::InEffect;
            self.in_effect.insert(step.mutation.clone(), seen);
        }
        Ok(())
    }

    fn append(&mut self, event: Event) -> Result<(), LedgerError> {
        self.apply.append(self.ledger, event)
    }

    async fn send(&mut self, mutation: &Mutation, change: &Change) -> Step {
        let prepared = match self.prepare(change) {
            Ok(prepared) => prepared,
            Err(why) => {
                let message = format!("nothing was sent, since its secret could not be delivered: {why}");
                return step(mutation, change, Outcome::Failed, Some(message));
            }
        };
        if let Err(error) = self.intend(mutation, change) {
            let stop = Stop::Unrecorded(error.to_string());
            let reason = stop.to_string();
            self.stopped = Some(stop);
            return step(mutation, change, Outcome::Skipped, Some(reason));
        }
        let answer = self.write(mutation, change).await;
        let mut done = match &answer {
            Ok(receipt) => judged(mutation, change, receipt),
            Err(error) => refused(mutation, change, error),
        };
        if let Ok(Receipt { verdict: Verdict::Lost(what), .. }) = &answer {
            self.stopped = Some(Stop::Lost);
            let event = Event::Lost { address: change.address.clone(), what: what.clone() };
            if let Err(error) = self.append(event) {
                self.stopped = Some(Stop::Unrecorded(error.to_string()));
            }
        }
        if let Err(error) = &answer
            && error.is_unreachable_or_refused()
        {
            self.stopped = Some(Stop::Unreachable(error.to_string()));
        }
        self.record(&done);
        if let (Ok(receipt), Some(prepared)) = (answer, prepared) {
            self.deliver(receipt, prepared, mutation, change, &mut done).await;
        }
        done
    }

    fn prepare(&self, change: &Change) -> Result<Option<Prepared>, String> {
        match delivery_of(self.apply.desired, change)? {
            Some((delivery, key)) => self.apply.deliveries.prepare(delivery, key).map(Some),
            None => Ok(None),
        }
    }

    fn intend(&mut self, mutation: &Mutation, change: &Change) -> Result<(), LedgerError> {
        let known: BTreeSet<RemoteId> = match (&change.after, change.action) {
            (Entity::Key(key), Action::Create) => {
                let namesakes = self.live.keys.items.iter().filter(|live| live.name == key.name);
                namesakes.map(|live| live.id.clone()).collect()
            }
            (Entity::Key(_) | Entity::User(_), _) => BTreeSet::new(),
        };
        self.append(Event::Intent {
            mutation: mutation.id.clone(),
            operation: mutation.operation.clone(),
            change: Box::new(change.clone()),
            known,
        })
    }

    async fn write(&self, mutation: &Mutation, change: &Change) -> Result<Receipt, CallError> {
        let Apply { provider, transport, redactor, backoff, .. } = self.apply;
        let writer = Writer { provider: *provider, transport: transport.clone(), redactor, backoff: *backoff };
        writer.send(change, mutation).await
    }

    /// Writes down what became of it. Where that fails nothing more is sent.
    fn record(&mut self, step: &Step) {
        if let Err(error) = self.append(step.event()) {
            self.stopped = Some(Stop::Unrecorded(error.to_string()));
        }
    }

    async fn deliver(
        &mut self,
        receipt: Receipt,
        prepared: Prepared,
        mutation: &Mutation,
        change: &Change,
        done: &mut Step,
    ) {
        let (Some(id), Some(secret)) = (receipt.id, receipt.secret) else { return };
        let delivered = prepared.deliver(&secret).await;
        drop(secret);
        let arrived = delivered.is_ok();
        let event = Event::Delivery {
            mutation: mutation.id.clone(),
            address: change.address.clone(),
            id: id.clone(),
            arrived,
        };
        if let Err(error) = self.append(event) {
            self.stopped = Some(Stop::Unrecorded(error.to_string()));
        }
        if let Err(why) = delivered {
            let retired = self.retire(mutation, change, &id).await;
            done.outcome = Outcome::Failed;
            done.message =
                Some(format!("the key was minted and its secret could not be delivered: {why}. {retired}"));
            self.record(done);
        }
    }

    /// A key whose secret nobody has must not live.
    async fn retire(&mut self, mutation: &Mutation, change: &Change, id: &RemoteId) -> String {
        let Entity::Key(key) = &change.after else { return String::new() };
        let born = Key { id: Some(id.clone()), ..key.clone() };
        let retirement = Change {
            address: change.address.clone().with_id(id),
            action: Action::Disable,
            before: Some(Entity::Key(born.clone())),
            after: Entity::Key(Key { enabled: false, ..born }),
            cause: Cause::SecretLost,
            effects: Vec::new(),
        };
        let again = format!("The key {id} is live and nobody has its secret: the next run retires it");
        for call in self.apply.provider.lower(&retirement) {
            let cleanup = Mutation {
                id: format!("{}-undo", mutation.id),
                change: retirement.address.clone(),
                stage: Stage::Remove,
                operation: call.operation.to_owned(),
                variables: call.variables,
                after: Vec::new(),
            };
            if self.intend(&cleanup, &retirement).is_err() {
                return again;
            }
            let step = match self.write(&cleanup, &retirement).await {
                Ok(receipt) => judged(&cleanup, &retirement, &receipt),
                Err(error) => refused(&cleanup, &retirement, &error),
            };
            self.record(&step);
            if step.outcome != Outcome::Done {
                return again;
            }
        }
        match &change.before {
            Some(_) => format!("The key {id} was disabled again; the old one works as before"),
            None => format!("The key {id} was disabled again"),
        }
    }
}

fn judged(mutation: &Mutation, change: &Change, receipt: &Receipt) -> Step {
    let (outcome, message) = match &receipt.verdict {
        Verdict::Taken => (Outcome::Done, None),
        Verdict::NotTaken(why) => (Outcome::NotTaken, Some(why.clone())),
        Verdict::Lost(what) => (
            Outcome::Done,
            Some(format!("{what}, which it should have kept; nothing more is sent. Restore it by hand")),
        ),
    };
    Step { id: receipt.id.clone(), ..step(mutation, change, outcome, message) }
}

fn refused(mutation: &Mutation, change: &Change, error: &CallError) -> Step {
    let (outcome, effect) = match error.effect() {
        Effect::None => (Outcome::Failed, "nothing was changed"),
        Effect::Unknown => (Outcome::Unsure, "it may have taken effect"),
    };
    let message = format!("{} failed: {error}; {effect}. Next: {}", mutation.operation, error.next_step());
    step(mutation, change, outcome, Some(message))
}
