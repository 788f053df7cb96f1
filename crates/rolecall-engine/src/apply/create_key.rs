//! Creates keys: delivers the secret of a new key, or retires the key at once if the delivery fails.

use std::collections::BTreeMap;

use super::deliver::fingerprint;
use super::executor::Execution;
use super::response::step_from_result;
use super::state::mints;
use super::trace::{self, mutation_span};
use super::writer::{self, PreparedMutation};
use super::{Apply, PreparedDelivery, Step, Stop};
use crate::ledger::{Event, LedgerError};
use jiff::Timestamp;
use rolecall_model::{Cause, Change, Entity, Key, Mutation, Outcome, RemoteId, Stage, list_of};
use rolecall_plan::{overlap_end, retirement, swap};
use rolecall_providers::MutationResult;
use secrecy::SecretString;

impl Execution<'_> {
    /// Prepares the deliveries of a secret before the key is created. There are none if no key is created.
    pub(super) fn prepare(&self, batch: &[PreparedMutation<'_>]) -> Result<Vec<PreparedDelivery>, String> {
        match batch.iter().find(|prepared| mints(prepared.change)) {
            Some(prepared) => self.apply.deliveries.prepare(self.apply.desired, prepared.change),
            None => Ok(Vec::new()),
        }
    }

    /// Delivers the secret of a new key to every target and records that. If none of them gets it, the key is retired.
    pub(super) async fn deliver(
        &mut self,
        result: MutationResult,
        mut deliveries: Vec<PreparedDelivery>,
        mutation: &Mutation,
        change: &Change,
        step: &mut Step,
    ) {
        let (Some(id), Some(secret)) = (result.id, result.secret) else { return };
        let begun = match self.begin(mutation, change, &id, &secret, &mut deliveries).await {
            Ok(begun) => begun,
            Err(error) => {
                // The delivery can't be recorded, so nobody gets the secret.
                self.state.stopped = Some(Stop::Unrecorded(error.to_string()));
                step.outcome = Outcome::Failed;
                step.message = Some(format!("The secret wasn't delivered. {}", pending(&id)));
                return;
            }
        };
        let (mut to, mut failed) = (Vec::new(), Vec::new());
        let mut programs = Vec::new();
        for delivery in deliveries {
            let is_program = delivery.is_program();
            let target = delivery.to.clone();
            match delivery.deliver(&secret).await {
                Ok(()) => to.push(target),
                Err(why) => {
                    programs.extend(is_program.then(|| target.clone()));
                    failed.push((target, why));
                }
            }
        }
        drop(secret);
        let not_to = failed.iter().map(|(target, _)| target.clone()).collect();
        if let Err(error) = self.append(ended(begun, &to, not_to)) {
            self.state.stopped = Some(Stop::Unrecorded(error.to_string()));
        }
        let swap = self.recorded_at().and_then(|at| {
            let Apply { desired, caller, .. } = self.apply;
            let facts = self.facts();
            swap(desired, caller.and_then(|caller| caller.key(&facts)), change, (&id, at, &to))
                .filter(|_| !to.is_empty())
        });
        if failed.is_empty() {
            step.message = swap;
            return;
        }
        let message = if to.is_empty() {
            let reasons: Vec<String> = failed.into_iter().map(|(_, why)| why).collect();
            let retired = self.retire(mutation, change, &id).await;
            let reasons = reasons.join("; ");
            format!(
                "The key was created, but its secret could not be delivered: {reasons}. {retired}{}",
                stored(&programs)
            )
        } else {
            let swap = swap.map_or_else(String::new, |swap| format!(" {swap}"));
            let until = self.recorded_at().and_then(|at| overlap_end(self.apply.desired, change, at));
            format!("{}{swap}", delivered_in_part((change, until), &id, &to, &failed))
        };
        step.outcome = Outcome::Failed;
        step.message = Some(message);
        self.record(step);
    }

    /// Records that the delivery of a secret begins, with what tells later whether a target has it. Returns the record.
    async fn begin(
        &mut self,
        mutation: &Mutation,
        change: &Change,
        id: &RemoteId,
        secret: &SecretString,
        deliveries: &mut [PreparedDelivery],
    ) -> Result<Event, LedgerError> {
        let mut encrypted = BTreeMap::new();
        for delivery in &mut *deliveries {
            if let Some(file) = delivery.encrypt(secret).await {
                encrypted.insert(delivery.to.clone(), file);
            }
        }
        let begun = Event::Delivery {
            mutation: mutation.id.clone(),
            address: change.address.clone(),
            id: id.clone(),
            arrived: false,
            begun: true,
            to: Vec::new(),
            not_to: deliveries.iter().map(|delivery| delivery.to.clone()).collect(),
            fingerprint: Some(fingerprint(secret)),
            encrypted,
        };
        self.append(begun.clone())?;
        Ok(begun)
    }

    /// Retires a key whose secret nobody has. Returns a sentence that says how that went.
    async fn retire(&mut self, mutation: &Mutation, change: &Change, id: &RemoteId) -> String {
        let Some(Entity::Key(key)) = &change.after else { return String::new() };
        let created = Key { id: Some(id.clone()), ..key.clone() };
        let provider = self.apply.provider;
        let address = change.address.clone().with_id(id);
        let cleanup_change = retirement(provider.capabilities().key_removal, created, address, Cause::SecretLost);
        let pending = pending(id);
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
            let span = mutation_span(&cleanup, &cleanup_change);
            let prepared = [PreparedMutation { index: 0, mutation: cleanup, change: &cleanup_change, span }];
            let answers = writer::send(self.apply, &prepared, None, self.hold().as_ref()).await;
            let [PreparedMutation { mutation: cleanup, span, .. }] = prepared;
            for answer in answers {
                let step = match answer {
                    Ok(result) => step_from_result(&cleanup, &cleanup_change, &result),
                    Err(error) => self.failed(&cleanup, &cleanup_change, &error),
                };
                self.record(&step);
                trace::ended(&span, Some(&step));
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

/// Returns the record of the end of a delivery.
fn ended(begun: Event, delivered: &[String], missed: Vec<String>) -> Event {
    match begun {
        Event::Delivery { mutation, address, id, fingerprint, encrypted, .. } => {
            let (arrived, to) = (!delivered.is_empty(), delivered.to_owned());
            let (fingerprint, encrypted) = if arrived { (fingerprint, encrypted) } else { Default::default() };
            Event::Delivery {
                mutation,
                address,
                id,
                arrived,
                begun: false,
                to,
                not_to: missed,
                fingerprint,
                encrypted,
            }
        }
        other => other,
    }
}

fn pending(id: &RemoteId) -> String {
    format!("The key {id} is live, but no target is known to have its secret. The next run retires it.")
}

/// Returns what to do about the programs that failed, because one of them may have stored the secret before.
fn stored(programs: &[String]) -> String {
    if programs.is_empty() {
        return String::new();
    }
    format!(
        " Before it failed, {} may have stored the secret of this key, and that secret doesn't work. Look there, and put \
         the secret of a key that works back, or mend the cause and apply again: that delivers another one.",
        list_of(programs, "or")
    )
}

/// Returns which targets have the secret of a new key, which don't, and what to do.
fn delivered_in_part(
    (change, until): (&Change, Option<Timestamp>),
    id: &RemoteId,
    to: &[String],
    failed: &[(String, String)],
) -> String {
    let failed: Vec<String> = failed.iter().map(|(target, why)| format!("{target} ({why})")).collect();
    let (to, failed) = (to.join("; "), failed.join("; "));
    let until = match (&change.before, until) {
        (Some(_), Some(until)) => format!(" before {until}. After that, a reviewed apply retires the old key"),
        (Some(_), None) => " before the next reviewed apply, which retires the old key".to_owned(),
        (None, _) => String::new(),
    };
    format!(
        "The key {id} was created and works. Its secret was delivered to: {to}. It was not delivered to: {failed}. \
         Copy it there yourself{until}. Or list this id with `absent: true` beside the entry, and the next apply creates another key."
    )
}
