//! The client that can only read.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Backoff, CallError, Query, Redactor, Request, Shelf, Spool, Transport, parse};

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
    kept: Kept,
    shelf: Option<Arc<dyn Shelf>>,
    spool: Option<Arc<dyn Spool>>,
}

/// Answers that don't change within a run, by what was asked. Readers of one platform may share them.
#[derive(Clone, Default)]
pub struct Kept(Arc<Mutex<BTreeMap<String, Result<Value, CallError>>>>);

/// Two requests that are called the same ask for the same.
fn asked(query: &Query, variables: &Value) -> String {
    format!("{} {} {variables}", query.context.0, query.name)
}

impl Kept {
    fn forget(&self, asked: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(asked);
    }

    fn get(&self, asked: &str) -> Option<Result<Value, CallError>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(asked).cloned()
    }

    fn insert(&self, asked: String, answer: Result<Value, CallError>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(asked, answer);
    }
}

impl Reader {
    pub fn new(transport: Arc<dyn Transport>, redactor: Redactor, backoff: Backoff) -> Self {
        let requests = AtomicUsize::new(0);
        Self { transport, redactor, backoff, requests, kept: Kept::default(), shelf: None, spool: None }
    }

    /// One that knows what others have been told.
    #[must_use]
    pub fn sharing(self, kept: Kept) -> Self {
        Self { kept, ..self }
    }

    /// One that knows what was so for days.
    #[must_use]
    pub fn with_shelf(self, shelf: Arc<dyn Shelf>) -> Self {
        Self { shelf: Some(shelf), ..self }
    }

    /// One that goes on where an earlier read broke off.
    #[must_use]
    pub fn resuming(self, spool: Arc<dyn Spool>) -> Self {
        Self { spool: Some(spool), ..self }
    }

    /// Requests sent so far, repetitions included.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    /// Asks once a run for what can't change meanwhile: what the server is able to do. That it won't say is kept too.
    pub async fn query_once<T: DeserializeOwned>(&self, query: &Query) -> Result<T, CallError> {
        self.query_kept(query, Value::Object(serde_json::Map::new())).await
    }

    /// Asks once in days.
    pub async fn query_lasting<T: DeserializeOwned>(&self, query: &Query) -> Result<T, CallError> {
        let nothing = || Value::Object(serde_json::Map::new());
        let asked = asked(query, &nothing());
        if let Some(shelf) = self.shelf.as_ref().filter(|_| self.kept.get(&asked).is_none()) {
            if let Some(answer) = shelf.get(query.name) {
                self.kept.insert(asked, Ok(answer));
            } else {
                let answer = self.query_kept::<Value>(query, nothing()).await?;
                shelf.put(query.name, &answer);
            }
        }
        self.query_kept(query, nothing()).await
    }

    /// What was answered days ago is no longer so.
    pub fn forget_lasting(&self, query: &Query) {
        self.kept.forget(&asked(query, &Value::Object(serde_json::Map::new())));
        if let Some(shelf) = &self.shelf {
            shelf.forget(query.name);
        }
    }

    /// The same with variables.
    pub async fn query_kept<T: DeserializeOwned>(&self, query: &Query, variables: Value) -> Result<T, CallError> {
        let asked = asked(query, &variables);
        let answer = if let Some(answer) = self.kept.get(&asked) {
            answer
        } else {
            let answer = self.query::<Value>(query, variables).await;
            let lasting = answer.as_ref().err().is_none_or(|error| !error.is_unreachable_or_refused());
            if lasting {
                self.kept.insert(asked, answer.clone());
            }
            answer
        };
        serde_json::from_value(answer?)
            .map_err(|why| CallError::Shape { path: "data".to_owned(), expected: why.to_string() })
    }

    /// Asks until there is an answer that is whole, or a reason why there is none.
    pub async fn query<T: DeserializeOwned>(&self, query: &Query, variables: Value) -> Result<T, CallError> {
        let Some(spool) = &self.spool else { return self.ask(query, variables).await };
        let asked = asked(query, &variables);
        let answer = if let Some(answer) = spool.take(&asked) {
            answer
        } else {
            let answer: Value = self.ask(query, variables).await?;
            spool.keep(&asked, &answer);
            answer
        };
        serde_json::from_value(answer)
            .map_err(|why| CallError::Shape { path: "data".to_owned(), expected: why.to_string() })
    }

    async fn ask<T: DeserializeOwned>(&self, query: &Query, variables: Value) -> Result<T, CallError> {
        let request = Request::query(query, variables);
        self.backoff
            .run(query.name, CallError::is_passing, || async {
                self.requests.fetch_add(1, Ordering::Relaxed);
                let answer = self.transport.send(&request).await;
                let response = answer.map_err(|error| self.redactor.clean_error(error))?;
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
