//! Dispatches mutations: fills in the ids that weren't known when they were planned, records them in the ledger,
//! and only then sends them.

use std::collections::BTreeSet;

use serde_json::Value;
use tracing::Span;

use super::executor::{Completed, Execution, InFlight};
use super::trace::mutation_span;
use super::writer::{self, PreparedMutation};
use super::{PreparedDelivery, Stop, not_sent, step};
use crate::ledger::{Event, Unstored};
use jiff::Timestamp;
use rolecall_graphql::Ticket;
use rolecall_model::{Action, Change, Entity, Mutation, Outcome, Reference, RemoteId, fill_expiries, reference};

/// A request that is sent once its intents are in the ledger.
pub(super) struct PreparedRequest<'a> {
    indices: Vec<usize>,
    batch: Vec<PreparedMutation<'a>>,
    /// The targets of the secret, if a key is created.
    deliveries: Vec<PreparedDelivery>,
    ticket: Option<Ticket>,
    /// The time of its intents.
    at: Option<Timestamp>,
}

impl<'a> Execution<'a> {
    /// Prepares these mutations as one request, and notes their intents. Returns `None` if they can't be sent; then their
    /// steps say why.
    pub(super) fn prepare_request(
        &mut self,
        indices: Vec<usize>,
        ticket: Option<Ticket>,
    ) -> Option<PreparedRequest<'a>> {
        let plan = self.state.plan;
        let batch: Vec<PreparedMutation<'a>> = indices
            .iter()
            .filter_map(|index| {
                let mutation = self.state.schedule.mutation(*index);
                Some(PreparedMutation {
                    index: *index,
                    mutation: self.fill(mutation),
                    change: plan.change(&mutation.change)?,
                    span: Span::none(),
                })
            })
            .collect();
        let deliveries = match self.prepare(&batch) {
            Ok(deliveries) => deliveries,
            Err(why) => {
                let message = format!("Nothing was sent, because the secret could not be delivered: {why}.");
                self.end_unsent(&indices, Outcome::Failed, &message);
                return None;
            }
        };
        let intents = indices.iter().flat_map(|index| {
            let mutation = self.state.schedule.mutation(*index);
            mutation.changes().filter_map(move |address| Some((mutation, plan.change(address)?)))
        });
        let intents: Vec<Event> = intents.map(|(mutation, change)| self.intent(mutation, change)).collect();
        let at = self.note(intents);
        for index in &indices {
            self.state.schedule.begin(*index);
        }
        self.state.minting = !deliveries.is_empty();
        Some(PreparedRequest { indices, batch, deliveries, ticket, at })
    }

    /// Writes what was noted, and then sends these requests. If it can't be written, none of them is sent, and their steps say
    /// why. Each request waits for the disk by itself. But if all share a rate limit, each has to be under way before the next
    /// one knows whether it may be sent.
    pub(super) fn send(&mut self, requests: Vec<PreparedRequest<'a>>) -> Vec<InFlight<'a>> {
        let waits_here = requests.is_empty() || self.apply.provider.budget(self.apply.desired).is_some();
        let added = if waits_here { self.write().map(|()| Unstored::default()) } else { self.add() };
        let unstored = match added {
            Ok(unstored) => unstored,
            Err(stop) => {
                for PreparedRequest { indices, .. } in requests {
                    self.end_unrecorded(&indices, &stop);
                }
                return Vec::new();
            }
        };
        let (apply, hold) = (self.apply, self.hold());
        let send = |PreparedRequest { indices: _, mut batch, deliveries, ticket, at }| -> InFlight<'a> {
            // The ledger tells by the time of the request when a key expires whose answer was lost.
            if let Some(at) = at {
                let values = batch.iter_mut().flat_map(|prepared| prepared.mutation.variables.values_mut());
                values.for_each(|value| fill_expiries(value, at));
            }
            for prepared in &mut batch {
                prepared.span = mutation_span(&prepared.mutation, prepared.change);
            }
            let (hold, unstored) = (hold.clone(), unstored.clone());
            Box::pin(async move {
                let answers = match unstored.wait().await {
                    Ok(()) => Ok(writer::send(apply, &batch, ticket, hold.as_ref()).await),
                    Err(error) => Err((error, unstored)),
                };
                Completed { batch, answers, deliveries }
            })
        };
        requests.into_iter().map(send).collect()
    }

    /// Ends mutations that were not sent because the ledger can't be written.
    pub(super) fn end_unrecorded(&mut self, indices: &[usize], stop: &Stop) {
        self.end_unsent(indices, Outcome::Skipped, &not_sent(&stop.to_string()));
        self.state.minting = false;
    }

    /// Ends mutations that were not sent.
    fn end_unsent(&mut self, indices: &[usize], outcome: Outcome, message: &str) {
        for index in indices {
            let mutation = self.state.schedule.mutation(*index);
            let changes = mutation.changes().filter_map(|address| self.state.plan.change(address));
            let steps = changes.map(|change| step(mutation, change, outcome, Some(message.to_owned())));
            self.end(*index, steps.collect());
        }
    }

    /// Returns the mutation with the ids that weren't known when it was planned.
    fn fill(&self, mutation: &Mutation) -> Mutation {
        let mut filled = mutation.clone();
        for value in filled.variables.values_mut() {
            self.fill_value(value);
        }
        filled
    }

    fn fill_value(&self, value: &mut Value) {
        if let Some(Reference { to, as_number }) = reference(value)
            && let Some(id) = self.state.id_of(&to)
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

    /// Returns the ledger's event for a mutation that is about to be sent.
    pub(super) fn intent(&self, mutation: &Mutation, change: &Change) -> Event {
        let known: BTreeSet<RemoteId> = match (&change.after, change.action) {
            (Some(Entity::Key(key)), Action::Create) => {
                self.live.keys_named(&key.name).map(|live| live.id.clone()).collect()
            }
            _ => BTreeSet::new(),
        };
        Event::Intent {
            mutation: mutation.id.clone(),
            operation: mutation.operation.clone(),
            change: Box::new(change.clone()),
            known,
            first_step: self.state.plan.is_first_step(mutation, &change.address),
        }
    }
}
