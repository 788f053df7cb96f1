//! Sends one mutation after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use serde_json::Value;

use super::deliver::delivery_of;
use super::look::LookError;
use super::writer::Writer;
use super::{Apply, Prepared, Step, Stop, interrupt, step};
use crate::graphql::{CallError, Effect};
use crate::ledger::{Event, Ledger, LedgerError};
use crate::model::{
    Action, Address, Cause, Change, Entity, HoldReason, Key, Live, Mutation, OrganizationPlan, Outcome, Reference,
    RemoteId, Stage, reference,
};
use crate::plan::retirement;
use crate::provider::{Receipt, Verdict};

pub(super) struct Execution<'a> {
    pub(super) apply: &'a Apply<'a>,
    pub(super) plan: &'a OrganizationPlan,
    live: &'a Live,
    ledger: &'a mut Ledger,
    pub(super) told: &'a mut (dyn FnMut(&Step) + Send),
    pub(super) steps: Vec<Step>,
    /// What a read has shown of mutations that others rely on.
    pub(super) in_effect: BTreeMap<String, bool>,
    /// Those of which a read was to decide whether they had an effect.
    pub(super) decided: BTreeSet<String>,
    /// Why nothing more is sent.
    stopped: Option<Stop>,
}

/// Why a mutation isn't sent.
struct Obstacle {
    why: String,
    /// What it relies on is held by the platform, which is nobody's failure.
    held: Option<HoldReason>,
}

impl From<String> for Obstacle {
    fn from(why: String) -> Self {
        Self { why, held: None }
    }
}

impl<'a> Execution<'a> {
    pub fn new(
        apply: &'a Apply<'a>,
        plan: &'a OrganizationPlan,
        live: &'a Live,
        ledger: &'a mut Ledger,
        told: &'a mut (dyn FnMut(&Step) + Send),
    ) -> Self {
        Self {
            apply,
            plan,
            live,
            ledger,
            told,
            steps: Vec::new(),
            in_effect: BTreeMap::new(),
            decided: BTreeSet::new(),
            stopped: None,
        }
    }

    pub fn finish(self) -> (Vec<Step>, Option<Stop>) {
        (self.steps, self.stopped)
    }

    pub async fn send_all(&mut self) {
        let plan = self.plan;
        for mutation in &plan.sealed.mutations {
            let changes: Vec<&Change> = mutation.changes().filter_map(|change| plan.change(change)).collect();
            if self.apply.interrupted.load(Ordering::Relaxed) && self.stopped.is_none() {
                self.stopped = Some(Stop::Interrupted);
            }
            let steps = match self.obstacle(mutation).await {
                Some(Obstacle { why, held }) => {
                    let skipped = |change: &&Change| {
                        let step = step(mutation, change, Outcome::Skipped, Some(why.clone()));
                        Step { held: held.clone(), ..step }
                    };
                    changes.iter().map(skipped).collect()
                }
                None => self.send_for(mutation, &changes).await,
            };
            for mut step in steps {
                // Where an earlier part failed, the last one doesn't close the change.
                let open = |other: &Step| other.address == step.address && other.outcome != Outcome::Done;
                step.interim = plan.is_interim(mutation, &step.address)
                    || step.outcome == Outcome::Done && self.steps.iter().any(open);
                (self.told)(&step);
                self.steps.push(step);
            }
        }
    }

    /// Why a mutation must not be sent, if it must not.
    async fn obstacle(&mut self, mutation: &Mutation) -> Option<Obstacle> {
        if let Some(reason) = &self.stopped {
            return Some(reason.to_string().into());
        }
        match self.decide_on(mutation).await {
            Ok(()) => {}
            Err(LookError::Unread(error)) => {
                return Some(format!("what it relies on can't be seen: {error}").into());
            }
            Err(LookError::Unrecorded(error)) => {
                let stop = Stop::Unrecorded(error.to_string());
                let why = stop.to_string();
                self.stopped = Some(stop);
                return Some(why.into());
            }
        }
        let relied = |step: &&Step| mutation.relies_on(&step.mutation);
        let undone = self.steps.iter().filter(relied).find(|step| step.outcome != Outcome::Done);
        if let Some(step) = undone {
            let became = match step.outcome {
                Outcome::Failed => "failed",
                Outcome::Skipped => "was skipped",
                Outcome::NotTaken => "was not taken",
                Outcome::Unsure | Outcome::Done => "is unsure",
            };
            let why = format!("it relies on {}, which {became}", step.address);
            return Some(Obstacle { why, held: step.held.clone() });
        }
        if let Some(address) = mutation.references().into_iter().find(|address| self.id_of(address).is_none()) {
            return Some(format!("the id of {address} isn't known").into());
        }
        if mutation.after.is_empty() {
            return None;
        }
        // An answer isn't enough: the promotion has to be seen before anybody is demoted in its favour.
        if let Err(error) = self.look_at(&mutation.after).await {
            return Some(format!("what it relies on can't be seen: {error}").into());
        }
        let unseen = mutation.after.iter().find(|id| self.in_effect.get(*id) != Some(&true))?;
        let relied = self.steps.iter().find(|step| step.mutation == *unseen);
        let what = relied.map_or_else(|| unseen.clone(), |step| step.address.to_string());
        Some(format!("it relies on {what}, which isn't in effect yet").into())
    }

    pub(super) fn append(&mut self, event: Event) -> Result<(), LedgerError> {
        self.apply.append(self.ledger, event)
    }

    /// Of an entity that an earlier mutation of this run made.
    fn id_of(&self, address: &Address) -> Option<&RemoteId> {
        let made = |step: &&Step| step.address == *address && step.outcome == Outcome::Done;
        self.steps.iter().filter(made).find_map(|step| step.id.as_ref())
    }

    /// Sends one mutation for all of the changes that it makes.
    async fn send_for(&mut self, mutation: &Mutation, changes: &[&Change]) -> Vec<Step> {
        let Some((first, others)) = changes.split_first() else { return Vec::new() };
        // What is noted as sent should be on its way at once, and nobody should have to wait for what can be given up.
        if !interrupt::may_send_now(self.apply).await {
            self.stopped = Some(Stop::Interrupted);
            let why = Some(Stop::Interrupted.to_string());
            return changes.iter().map(|change| step(mutation, change, Outcome::Skipped, why.clone())).collect();
        }
        for change in others {
            if let Err(error) = self.intend(mutation, change) {
                let stop = Stop::Unrecorded(error.to_string());
                let reason = stop.to_string();
                self.stopped = Some(stop);
                return changes
                    .iter()
                    .map(|change| step(mutation, change, Outcome::Skipped, Some(reason.clone())))
                    .collect();
            }
        }
        let sent = self.send(mutation, first).await;
        let mut steps = vec![sent.clone()];
        for change in others {
            let step = Step { address: change.address.clone(), action: change.action, ..sent.clone() };
            self.record(&step);
            steps.push(step);
        }
        steps
    }

    async fn send(&mut self, mutation: &Mutation, change: &Change) -> Step {
        let filled = self.fill(mutation);
        let mutation = &filled;
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
            Err(error) => self.refused(mutation, change, error),
        };
        if let Ok(Receipt { verdict: Verdict::Lost(what), .. }) = &answer {
            self.stopped = Some(Stop::Lost);
            let event = Event::Lost { address: change.address.clone(), what: what.clone() };
            if let Err(error) = self.append(event) {
                self.stopped = Some(Stop::Unrecorded(error.to_string()));
            }
        }
        if let Ok(Receipt { verdict: Verdict::Otherwise(_), .. }) = &answer {
            self.stopped = Some(Stop::Otherwise);
        }
        if let Some(reason) = &done.held
            && let Err(error) =
                self.append(Event::Held { address: change.address.clone(), reason: reason.clone() })
        {
            self.stopped = Some(Stop::Unrecorded(error.to_string()));
        }
        if let Err(error) = &answer
            && error.is_unreachable_or_refused()
            // A limit of this one operation says nothing of the others.
            && (self.apply.provider.pace(&mutation.operation).is_none() || !matches!(error, CallError::RateLimited { .. }))
        {
            self.stopped = Some(Stop::Unreachable(error.to_string()));
        }
        self.record(&done);
        if let (Ok(receipt), Some(prepared)) = (answer, prepared) {
            self.deliver(receipt, prepared, mutation, change, &mut done).await;
        }
        done
    }

    /// The mutation with the ids that weren't known when it was planned.
    fn fill(&self, mutation: &Mutation) -> Mutation {
        let mut filled = mutation.clone();
        for value in filled.variables.values_mut() {
            self.fill_value(value);
        }
        filled
    }

    fn fill_value(&self, value: &mut Value) {
        if let Some(Reference { to, as_number }) = reference(value)
            && let Some(id) = self.id_of(&to)
        {
            let number = id.as_str().parse::<i64>().ok().filter(|_| as_number);
            *value = number.map_or_else(|| Value::String(id.to_string()), Value::from);
            return;
        }
        match value {
            Value::Object(fields) => fields.values_mut().for_each(|value| self.fill_value(value)),
            Value::Array(items) => items.iter_mut().for_each(|value| self.fill_value(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn prepare(&self, change: &Change) -> Result<Option<Prepared>, String> {
        match delivery_of(self.apply.desired, change)? {
            Some((delivery, key)) => self.apply.deliveries.prepare(delivery, key).map(Some),
            None => Ok(None),
        }
    }

    fn intend(&mut self, mutation: &Mutation, change: &Change) -> Result<(), LedgerError> {
        let known: BTreeSet<RemoteId> = match (&change.after, change.action) {
            (Some(Entity::Key(key)), Action::Create) => {
                let namesakes = self.live.keys().iter().filter(|live| live.name == key.name);
                namesakes.map(|live| live.id.clone()).collect()
            }
            _ => BTreeSet::new(),
        };
        self.append(Event::Intent {
            mutation: mutation.id.clone(),
            operation: mutation.operation.clone(),
            change: Box::new(change.clone()),
            known,
            interim: self.plan.is_interim(mutation, &change.address),
        })
    }

    async fn write(&self, mutation: &Mutation, change: &Change) -> Result<Receipt, CallError> {
        let Apply { provider, transport, redactor, backoff, pacer, .. } = self.apply;
        let transport = transport.clone();
        let writer = Writer { provider: *provider, transport, redactor, backoff: *backoff, pacer };
        writer.send(change, mutation).await
    }

    fn refused(&self, mutation: &Mutation, change: &Change, error: &CallError) -> Step {
        let (outcome, effect) = match error.effect() {
            Effect::None => (Outcome::Failed, "nothing was changed"),
            Effect::Unknown => (Outcome::Unsure, "it may have taken effect"),
        };
        let next = self.apply.provider.next_step(change, error).unwrap_or_else(|| error.next_step().to_owned());
        let message = format!("{} failed: {error}; {effect}. Next: {next}", mutation.operation);
        let refused = matches!(error, CallError::Refused(_) | CallError::GraphQl(_)) && outcome == Outcome::Failed;
        let answered = !matches!(error, CallError::CredentialRefused(_) | CallError::Transport(_));
        let silent = matches!(error, CallError::NullPayload(_));
        Step { refused, answered, silent, ..step(mutation, change, outcome, Some(message)) }
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
        let Some(Entity::Key(key)) = &change.after else { return String::new() };
        let born = Key { id: Some(id.clone()), ..key.clone() };
        let provider = self.apply.provider;
        let address = change.address.clone().with_id(id);
        let retirement = retirement(provider.retirement(), born, address, Cause::SecretLost);
        let again = format!("The key {id} is live and nobody has its secret: the next run retires it");
        for call in provider.lower(&retirement, self.live) {
            let cleanup = Mutation {
                id: format!("{}-undo", mutation.id),
                change: retirement.address.clone(),
                also: Vec::new(),
                stage: Stage::Remove,
                operation: call.operation.to_owned(),
                variables: call.variables,
                needs: Vec::new(),
                after: Vec::new(),
                interim: false,
            };
            if self.intend(&cleanup, &retirement).is_err() {
                return again;
            }
            let step = match self.write(&cleanup, &retirement).await {
                Ok(receipt) => judged(&cleanup, &retirement, &receipt),
                Err(error) => self.refused(&cleanup, &retirement, &error),
            };
            self.record(&step);
            if step.outcome != Outcome::Done {
                return again;
            }
        }
        match &change.before {
            Some(_) => format!("The key {id} was retired at once; the old one works as before"),
            None => format!("The key {id} was retired at once"),
        }
    }
}

fn judged(mutation: &Mutation, change: &Change, receipt: &Receipt) -> Step {
    let (outcome, message) = match &receipt.verdict {
        Verdict::Taken => (Outcome::Done, None),
        Verdict::NotTaken(why) => (Outcome::NotTaken, Some(why.clone())),
        Verdict::Held(reason) => (Outcome::Skipped, Some(reason.to_string())),
        Verdict::Otherwise(how) => (Outcome::Done, Some(format!("{how}. Nothing more is sent"))),
        Verdict::Lost(what) => (
            Outcome::Done,
            Some(format!("{what}, which it should have kept; nothing more is sent. Restore it by hand")),
        ),
    };
    let held = match &receipt.verdict {
        Verdict::Held(reason) => Some(reason.clone()),
        Verdict::Taken | Verdict::NotTaken(_) | Verdict::Otherwise(_) | Verdict::Lost(_) => None,
    };
    Step { id: receipt.id.clone(), held, ..step(mutation, change, outcome, message) }
}
