//! A key is made: its secret is handed over, or the key goes again.

use super::deliver::delivery_of;
use super::executor::Execution;
use super::next_action::mints;
use super::response::step_from_receipt;
use super::writer::{self, PreparedMutation};
use super::{Prepared, Step, Stop};
use crate::ledger::Event;
use rolecall_model::{Cause, Change, Entity, Key, Mutation, Outcome, RemoteId, Stage};
use rolecall_plan::retirement;
use rolecall_providers::MutationResult;

impl Execution<'_> {
    /// The way to where the secret goes, made ready before there is one.
    pub(super) fn prepare(&self, prepared_mutations: &[PreparedMutation<'_>]) -> Result<Option<Prepared>, String> {
        let Some(PreparedMutation { change, .. }) =
            prepared_mutations.iter().find(|sending| mints(sending.change))
        else {
            return Ok(None);
        };
        match delivery_of(self.apply.desired, change)? {
            Some((delivery, key)) => self.apply.deliveries.prepare(delivery, key).map(Some),
            None => Ok(None),
        }
    }

    pub(super) async fn deliver(
        &mut self,
        receipt: MutationResult,
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
        let retirement = retirement(provider.key_removal(), born, address, Cause::SecretLost);
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
                first_step: false,
            };
            if self.append(self.intent(&cleanup, &retirement)).is_err() {
                return again;
            }
            let sending = [PreparedMutation { place: 0, mutation: cleanup, change: &retirement }];
            let answers = writer::send(self.apply, &sending, None).await;
            let [PreparedMutation { mutation: cleanup, .. }] = sending;
            for answer in answers {
                let step = match answer {
                    Ok(receipt) => step_from_receipt(&cleanup, &retirement, &receipt),
                    Err(error) => self.failed(&cleanup, &retirement, &error),
                };
                self.record(&step);
                if step.outcome != Outcome::Done {
                    return again;
                }
            }
        }
        match &change.before {
            Some(_) => format!("The key {id} was retired at once; the old one works as before"),
            None => format!("The key {id} was retired at once"),
        }
    }

    /// Writes down what became of it. Where that fails nothing more is sent.
    fn record(&mut self, step: &Step) {
        if let Err(error) = self.append(step.event()) {
            self.stopped = Some(Stop::Unrecorded(error.to_string()));
        }
    }
}
