//! A transport that calls a sandbox in the same process, without a network.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use super::{AnySandbox, Engine, Headers, Reply, Sandbox};
use rolecall_graphql::{Context, Request, Response, Transport, TransportError};

/// Sends requests to a [`Sandbox`] in the same process and records them.
pub struct InProcess<E: Engine> {
    sandbox: Arc<Sandbox<E>>,
    contexts: Mutex<BTreeMap<Context, Headers>>,
    sent: Mutex<Vec<Request>>,
}

impl<E: Engine> InProcess<E> {
    /// Creates a transport that sends the given headers in each [`Context`].
    pub fn new(sandbox: Arc<Sandbox<E>>, contexts: BTreeMap<Context, Headers>) -> Self {
        Self { sandbox, contexts: Mutex::new(contexts), sent: Mutex::new(Vec::new()) }
    }

    /// Replaces the headers of each [`Context`], to sign in with another credential.
    pub fn set_headers(&self, contexts: BTreeMap<Context, Headers>) {
        *self.contexts.lock().unwrap_or_else(PoisonError::into_inner) = contexts;
    }

    /// Returns the requests sent so far, in order.
    pub fn sent(&self) -> Vec<Request> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl<E: Engine> Transport for InProcess<E> {
    fn send<'a>(
        &'a self,
        request: &'a Request,
    ) -> Pin<Box<dyn Future<Output = Result<Response, TransportError>> + Send + 'a>> {
        Box::pin(async move {
            self.sent.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
            let body = serde_json::to_vec(request).map_err(|why| TransportError::NotSent(why.to_string()))?;
            let headers =
                self.contexts.lock().unwrap_or_else(PoisonError::into_inner).get(&request.context).cloned();
            let Some(headers) = headers else {
                return Err(TransportError::NotSent("there is no such credential".to_owned()));
            };
            match self.sandbox.handle(&headers, &body).await {
                Reply::Answer(response) => Ok(response),
                Reply::Dropped => Err(TransportError::NoAnswer("connection closed".to_owned())),
            }
        })
    }
}
