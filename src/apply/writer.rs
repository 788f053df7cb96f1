//! The client that can write. It exists only in here: everything that plans holds a `Reader`.

use std::sync::Arc;

use secrecy::zeroize::Zeroize;
use serde_json::Value;

use crate::graphql::{Backoff, CallError, Pacer, Redactor, Request, Transport, TransportError};
use crate::model::{Change, Mutation};
use crate::provider::{Provider, Receipt};

pub(super) struct Writer<'a> {
    pub provider: &'a dyn Provider,
    pub transport: Arc<dyn Transport>,
    pub redactor: &'a Redactor,
    pub backoff: Backoff,
    pub pacer: &'a Pacer,
}

impl Writer<'_> {
    /// Sends one mutation once. Repeated is only what certainly never ran: a request that was refused for its rate,
    /// or that never left.
    pub async fn send(&self, change: &Change, mutation: &Mutation) -> Result<Receipt, CallError> {
        let Some(document) = self.provider.document(&mutation.operation) else {
            let why = format!("there is no operation {}", mutation.operation);
            return Err(TransportError::NotSent(why).into());
        };
        let variables = Value::Object(mutation.variables.clone().into_iter().collect());
        let request = Request::mutation(document, variables);
        let never_ran = |error: &CallError| match error {
            CallError::RateLimited { .. } => self.provider.repeats_limited(),
            CallError::Transport(TransportError::NotSent(_)) => true,
            _ => false,
        };
        self.backoff
            .run(document.name, never_ran, || async {
                let operation = mutation.operation.as_str();
                let pace = self.provider.pace(operation);
                if let Some(pace) = pace {
                    self.pacer.wait(operation, pace).await;
                }
                let answer = self.transport.send(&request).await;
                if pace.is_some() {
                    self.pacer.count(operation).await;
                }
                let mut response = answer.map_err(|error| self.redactor.clean_error(error))?;
                tracing::debug!(operation = document.name, status = response.status, "wrote");
                self.redactor.clear(&mut response.body);
                let receipt = self.provider.receipt(change, mutation, &response, self.redactor);
                // It may hold a secret.
                response.body.zeroize();
                receipt
            })
            .await
    }
}
