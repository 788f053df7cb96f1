//! The client that can only read.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    Backoff, CallError, Query, ReadCheckpoint, Redactor, Request, ResponseCache, Transport, parse, understood,
};

/// Sends queries. Planning holds this and nothing else, so planning can't change anything.
///
/// There is no way to hand it a mutation:
///
/// ```compile_fail,E0308
/// use rolecall_graphql::{Mutation, Reader};
/// async fn write(reader: &Reader, mutation: &Mutation) {
///     let _ = reader.query::<serde_json::Value>(mutation, serde_json::json!({})).await;
/// }
/// ```
///
/// nor to build a mutation's request by hand:
///
/// ```compile_fail,E0639
/// use rolecall_graphql::{Mutation, Request};
/// fn write(mutation: &Mutation) -> Request {
///     Request {
///         operation_name: mutation.name,
///         query: mutation.text.into(),
///         variables: serde_json::json!({}),
///         context: mutation.context,
///     }
/// }
/// ```
///
/// The same with a query compiles:
///
/// ```
/// use rolecall_graphql::{Query, Reader};
/// async fn read(reader: &Reader, query: &Query) {
///     let _ = reader.query::<serde_json::Value>(query, serde_json::json!({})).await;
/// }
/// ```
pub struct Reader {
    transport: Arc<dyn Transport>,
    redactor: Redactor,
    backoff: Backoff,
    requests: AtomicUsize,
    kept: RunCache,
    shelf: Option<Arc<dyn ResponseCache>>,
    spool: Option<Arc<dyn ReadCheckpoint>>,
}

/// Answers that don't change within a run, by what was asked. Readers of one platform may share them.
#[derive(Clone, Default)]
pub struct RunCache(Arc<Mutex<BTreeMap<String, Result<Value, CallError>>>>);

/// Two requests that are called the same ask for the same.
fn asked(query: &Query, variables: &Value) -> String {
    format!("{} {} {variables}", query.context.0, query.name)
}

fn nothing() -> Value {
    Value::Object(serde_json::Map::new())
}

impl RunCache {
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
        Self { transport, redactor, backoff, requests, kept: RunCache::default(), shelf: None, spool: None }
    }

    /// One that knows what others have been told.
    #[must_use]
    pub fn sharing(self, kept: RunCache) -> Self {
        Self { kept, ..self }
    }

    /// One that knows what was so for days.
    #[must_use]
    pub fn with_shelf(self, shelf: Arc<dyn ResponseCache>) -> Self {
        Self { shelf: Some(shelf), ..self }
    }

    /// One that goes on where an earlier read broke off.
    #[must_use]
    pub fn resuming(self, spool: Arc<dyn ReadCheckpoint>) -> Self {
        Self { spool: Some(spool), ..self }
    }

    /// Requests sent so far, repetitions included.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    /// Asks once a run for what can't change meanwhile: what the server is able to do. That it won't say is kept too.
    pub async fn query_once<T: DeserializeOwned>(&self, query: &Query) -> Result<T, CallError> {
        self.query_kept(query, nothing()).await
    }

    /// Asks once in days.
    pub async fn query_lasting<T: DeserializeOwned>(&self, query: &Query) -> Result<T, CallError> {
        let asked = asked(query, &nothing());
        let Some(shelf) = self.shelf.as_ref().filter(|_| self.kept.get(&asked).is_none()) else {
            return self.query_once(query).await;
        };
        if let Some(answer) = shelf.get(query.name)
            && let Ok(known) = understood(&answer, &self.redactor)
        {
            self.kept.insert(asked, Ok(answer));
            return Ok(known);
        }
        let known = self.query_once(query).await?;
        if let Some(Ok(answer)) = self.kept.get(&asked) {
            shelf.put(query.name, &answer);
        }
        Ok(known)
    }

    /// What was answered days ago is no longer so.
    pub fn forget_lasting(&self, query: &Query) {
        self.kept.forget(&asked(query, &nothing()));
        if let Some(shelf) = &self.shelf {
            shelf.forget(query.name);
        }
    }

    /// The same with variables.
    pub async fn query_kept<T: DeserializeOwned>(&self, query: &Query, variables: Value) -> Result<T, CallError> {
        let asked = asked(query, &variables);
        if let Some(answer) = self.kept.get(&asked) {
            return understood(&answer?, &self.redactor);
        }
        match self.query_whole(query, variables).await {
            Ok((answer, known)) => {
                self.kept.insert(asked, Ok(answer));
                Ok(known)
            }
            Err(error) => {
                if !error.is_unreachable_or_refused() {
                    self.kept.insert(asked, Err(error.clone()));
                }
                Err(error)
            }
        }
    }

    /// Asks until there is an answer that is whole, or a reason why there is none.
    pub async fn query<T: DeserializeOwned>(&self, query: &Query, variables: Value) -> Result<T, CallError> {
        if self.spool.is_none() {
            return self.ask(query, variables).await;
        }
        self.query_whole(query, variables).await.map(|(_, known)| known)
    }

    /// The answer, and what it means. One that isn't understood isn't kept, so that the next read asks anew.
    async fn query_whole<T: DeserializeOwned>(
        &self,
        query: &Query,
        variables: Value,
    ) -> Result<(Value, T), CallError> {
        let asked = asked(query, &variables);
        if let Some(answer) = self.spool.as_ref().and_then(|spool| spool.take(&asked))
            && let Ok(known) = understood(&answer, &self.redactor)
        {
            return Ok((answer, known));
        }
        let answer: Value = self.ask(query, variables).await?;
        let known = understood(&answer, &self.redactor)?;
        if let Some(spool) = &self.spool {
            spool.keep(&asked, &answer);
        }
        Ok((answer, known))
    }

    async fn ask<T: DeserializeOwned>(&self, query: &Query, variables: Value) -> Result<T, CallError> {
        let request = Request::query(query, variables);
        self.backoff
            .run(query.name, CallError::is_passing, || async {
                self.requests.fetch_add(1, Ordering::Relaxed);
                let answer = self.transport.send(&request).await;
                let mut response = answer.map_err(|error| self.redactor.clean_error(error))?;
                self.redactor.clear(&mut response.body);
                tracing::info!(
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
