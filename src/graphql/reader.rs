//! The client that can only read.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Backoff, CallError, Query, Redactor, Request, Transport, parse};

/// Sends queries. Planning holds this and nothing else, so planning can't change anything.
///
/// There is no way to hand it a mutation:
///
/// ```compile_fail,E0308
/// use rolecall::graphql::{Mutation, Reader};
/// async fn write(reader: &Reader, mutation: &Mutation) {
///     let _ = reader.query::<serde_json::Value>(mutation, serde_json::json!({})).await;
/// }
/// ```
///
/// nor to take its transport and build a mutation's request by hand:
///
/// ```compile_fail,E0624
/// use rolecall::graphql::{Mutation, Request};
/// fn write(mutation: &Mutation) -> Request {
///     Request::mutation(mutation, serde_json::json!({}))
/// }
/// ```
///
/// The same with a query compiles:
///
/// ```
/// use rolecall::graphql::{Query, Reader};
/// async fn read(reader: &Reader, query: &Query) {
///     let _ = reader.query::<serde_json::Value>(query, serde_json::json!({})).await;
/// }
/// ```
pub struct Reader {
    transport: Arc<dyn Transport>,
    redactor: Redactor,
    backoff: Backoff,
    requests: AtomicUsize,
}

impl Reader {
    pub fn new(transport: Arc<dyn Transport>, redactor: Redactor, backoff: Backoff) -> Self {
        Self { transport, redactor, backoff, requests: AtomicUsize::new(0) }
    }

    /// Requests sent so far, repetitions included.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    /// Asks until there is an answer that is whole, or a reason why there is none.
    pub async fn query<T: DeserializeOwned>(&self, query: &Query, variables: Value) -> Result<T, CallError> {
        let request = Request::query(query, variables);
        self.backoff
            .run(query.name, CallError::is_passing, || async {
                self.requests.fetch_add(1, Ordering::Relaxed);
                let response = self.transport.send(&request).await?;
                tracing::debug!(
                    operation = query.name,
                    status = response.status,
                    bytes = response.body.len(),
                    "read"
                );
                parse(&response, &self.redactor)
            })
            .await
    }
}
