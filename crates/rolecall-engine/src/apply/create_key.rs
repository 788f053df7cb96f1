//! Creates keys: delivers the secret of a new key, or retires the key at once if the delivery fails.

use super::deliver::delivery_of;
use super::executor::Execution;
use super::response::step_from_result;
use super::state::mints;
use super::writer::{self, PreparedMutation};
use super::{PreparedDelivery, Step, Stop};
use crate::ledger::Event;
use rolecall_model::{Cause, Change, Entity, Key, Mutation, Outcome, RemoteId, Stage};
use rolecall_plan::retirement;
use rolecall_providers::MutationResult;

impl Execution<'_> {
    /// Prepares the delivery of a secret before the key is created. Returns `None` if no key is created.
    pub(super) fn prepare(&self, batch: &[PreparedMutation<'_>]) -> Result<Option<PreparedDelivery>, String> {
        let Some(PreparedMutation { change, .. }) = batch.iter().find(|prepared| mints(prepared.change)) else {
            return Ok(None);
        };
        match delivery_of(self.apply.desired, change)? {
            Some((delivery, key)) => self.apply.deliveries.prepare(delivery, key).map(Some),
            None => Ok(None),
        }
    }

    /// Delivers the secret of a new key and records that. If the delivery fails, the key is retired.
    pub(super) async fn deliver(
        &mut self,
        result: MutationResult,
        delivery: PreparedDelivery,
        mutation: &Mutation,
        change: &Change,
        step: &mut Step,
    ) {
        let (Some(id), Some(secret)) = (result.id, result.secret) else { return };
        let delivered = delivery.deliver(&secret).await;
        drop(secret);
        let arrived = delivered.is_ok();
        let event = Event::Delivery {
            mutation: mutation.id.clone(),
            address: change.address.clone(),
            id: id.clone(),
            arrived,
        };
        if let Err(error) = self.append(event) {
            self.state.stopped = Some(Stop::Unrecorded(error.to_string()));
        }
        if let Err(why) = delivered {
            let retired = self.retire(mutation, change, &id).await;
            step.outcome = Outcome::Failed;
            step.message =
                Some(format!("The key was created, but its secret could not be delivered: {why}. {retired}"));
            self.record(step);
        }
    }

    /// Retires a key whose secret nobody has. Returns a sentence that says how that went.
    async fn retire(&mut self, mutation: &Mutation, change: &Change, id: &RemoteId) -> String {
        let Some(Entity::Key(key)) = &change.after else { return String::new() };
        let created = Key { id: Some(id.clone()), ..key.clone() };
        let provider = self.apply.provider;
        let address = change.address.clone().with_id(id);
        let cleanup_change = retirement(provider.capabilities().key_removal, created, address, Cause::SecretLost);
        let pending = format!("The key {id} is live, but nobody has its secret. The next run retires it.");
        for lowered in provider.lower(&cleanup_change, self.live) {
            let cleanup = Mutation {
                id: format!("{}-undo", mutation.id),
                change: cleanup_change.address.clone(),
                also: Vec::new(),
                stage: Stage::Remove,
                operation: lowered.operation.to_owned(),
                variables: lowered.variables,
                needs: Vec::new(),
                after: Vec::new(),
                first_step: false,
            };
            if self.append(self.intent(&cleanup, &cleanup_change)).is_err() {
                return pending;
            }
            let prepared = [PreparedMutation { index: 0, mutation: cleanup, change: &cleanup_change }];
            let answers = writer::send(self.apply, &prepared, None).await;
            let [PreparedMutation { mutation: cleanup, .. }] = prepared;
            for answer in answers {
                let step = match answer {
                    Ok(result) => step_from_result(&cleanup, &cleanup_change, &result),
                    Err(error) => self.failed(&cleanup, &cleanup_change, &error),
                };
                self.record(&step);
                if step.outcome != Outcome::Done {
                    return pending;
                }
            }
        }
        match &change.before {
            Some(_) => format!("The key {id} was retired at once. The old key still works."),
            None => format!("The key {id} was retired at once."),
        }
    }

    /// Records the outcome of a step. If that fails, nothing more is sent.
    fn record(&mut self, step: &Step) {
        if let Err(error) = self.append(step.event()) {
            self.state.stopped = Some(Stop::Unrecorded(error.to_string()));
        }
    }
}
