//! A client that can only read.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::SignedDuration;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    Backoff, CallError, Probe, Query, ReadCheckpoint, Redactor, Request, Response, ResponseCache, Transport,
    decode, parse, trace, write,
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
    run_cache: RunCache,
    response_cache: Option<Arc<dyn ResponseCache>>,
    checkpoint: Option<Arc<dyn ReadCheckpoint>>,
    clock_skew: Mutex<Option<SignedDuration>>,
}

/// Answers and errors that don't change within a run, by the key of their request. Readers of one platform may
/// share them. A second request for the same waits for the answer to the first.
#[derive(Clone, Default)]
pub struct RunCache(Arc<Mutex<BTreeMap<String, Slot>>>);

type Slot = Arc<tokio::sync::Mutex<Option<Result<Value, CallError>>>>;

/// Returns a text that is the same for two requests only if they ask for the same.
fn cache_key(query: &Query, variables: &Value) -> String {
    format!("{} {} {variables}", query.context.0, query.name)
}

fn no_variables() -> Value {
    Value::Object(serde_json::Map::new())
}

impl RunCache {
    fn forget(&self, key: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    fn slot(&self, key: String) -> Slot {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default().clone()
    }
}

/// Reads an answer into a value whose type only the caller knows. So what sends and retries exists once in the
/// program, and not once for each type.
trait ReadInto: Send {
    fn read(&mut self, response: &Response, redactor: &Redactor) -> Result<(), CallError>;
}

impl<T: DeserializeOwned + Send> ReadInto for Option<T> {
    fn read(&mut self, response: &Response, redactor: &Redactor) -> Result<(), CallError> {
        *self = Some(parse(response, redactor)?);
        Ok(())
    }
}

impl Reader {
    pub fn new(transport: Arc<dyn Transport>, redactor: Redactor, backoff: Backoff) -> Self {
        let requests = AtomicUsize::new(0);
        Self {
            transport,
            redactor,
            backoff,
            requests,
            run_cache: RunCache::default(),
            response_cache: None,
            checkpoint: None,
            clock_skew: Mutex::default(),
        }
    }

    /// Returns a reader that shares the answers of this run with others.
    #[must_use]
    pub fn with_run_cache(self, run_cache: RunCache) -> Self {
        Self { run_cache, ..self }
    }

    /// Returns a reader that keeps the answers of [`Self::query_cached`] between runs.
    #[must_use]
    pub fn with_response_cache(self, cache: Arc<dyn ResponseCache>) -> Self {
        Self { response_cache: Some(cache), ..self }
    }

    /// Returns a reader that continues an interrupted read, and leaves a checkpoint if it is interrupted itself.
    #[must_use]
    pub fn with_checkpoint(self, checkpoint: Arc<dyn ReadCheckpoint>) -> Self {
        Self { checkpoint: Some(checkpoint), ..self }
    }

    /// Returns the number of requests sent so far, retries included.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    /// Sends a query at most once a run, for facts that can't change meanwhile, such as the server's features. If
    /// the server refuses to tell, that is remembered too.
    pub async fn query_once<T: DeserializeOwned + Send>(&self, query: &Query) -> Result<T, CallError> {
        self.query_once_with(query, no_variables()).await
    }

    /// Sends a query only if the response cache has no answer to it, for facts that rarely change.
    pub async fn query_cached<T: DeserializeOwned + Send>(&self, query: &Query) -> Result<T, CallError> {
        self.once(query, no_variables(), self.response_cache.as_deref()).await
    }

    /// Forgets the cached answer to a query, because it is out of date.
    pub fn forget_cached(&self, query: &Query) {
        self.run_cache.forget(&cache_key(query, &no_variables()));
        if let Some(cache) = &self.response_cache {
            cache.forget(query.name);
        }
    }

    /// Sends a query with variables at most once a run. See [`Self::query_once`].
    pub async fn query_once_with<T: DeserializeOwned + Send>(
        &self,
        query: &Query,
        variables: Value,
    ) -> Result<T, CallError> {
        self.once(query, variables, None).await
    }

    /// Returns the answer of this run, or else that of the cache, or else the platform's.
    async fn once<T: DeserializeOwned + Send>(
        &self,
        query: &Query,
        variables: Value,
        cache: Option<&dyn ResponseCache>,
    ) -> Result<T, CallError> {
        let slot = self.run_cache.slot(cache_key(query, &variables));
        let mut known = slot.lock().await;
        if let Some(answer) = &*known {
            return decode(answer.as_ref().map_err(CallError::clone)?, &self.redactor);
        }
        if let Some(answer) = cache.and_then(|cache| cache.get(query.name))
            && let Ok(value) = decode(&answer, &self.redactor)
        {
            *known = Some(Ok(answer));
            return Ok(value);
        }
        match self.query_checkpointed(query, variables).await {
            Ok((answer, value)) => {
                if let Some(cache) = cache {
                    cache.put(query.name, &answer);
                }
                *known = Some(Ok(answer));
                Ok(value)
            }
            Err(error) => {
                if !error.is_unreachable_or_refused() {
                    *known = Some(Err(error.clone()));
                }
                Err(error)
            }
        }
    }

    /// Sends a query, and retries after errors that may pass. Partial data is an error.
    pub async fn query<T: DeserializeOwned + Send>(
        &self,
        query: &Query,
        variables: Value,
    ) -> Result<T, CallError> {
        if self.checkpoint.is_none() {
            return self.send(query, variables).await;
        }
        self.query_checkpointed(query, variables).await.map(|(_, value)| value)
    }

    /// Takes the answer from the checkpoint, or sends the query. Returns the answer and the value read from it. An
    /// answer that can't be read isn't stored, so the next run sends the query again.
    async fn query_checkpointed<T: DeserializeOwned + Send>(
        &self,
        query: &Query,
        variables: Value,
    ) -> Result<(Value, T), CallError> {
        let key = cache_key(query, &variables);
        if let Some(answer) = self.checkpoint.as_ref().and_then(|checkpoint| checkpoint.take(&key))
            && let Ok(value) = decode(&answer, &self.redactor)
        {
            return Ok((answer, value));
        }
        let answer: Value = self.send(query, variables).await?;
        let value = decode(&answer, &self.redactor)?;
        if let Some(checkpoint) = &self.checkpoint {
            checkpoint.keep(&key, &answer);
        }
        Ok((answer, value))
    }

    /// Sends a mutation that can't have an effect, once. Returns the data of the answer.
    pub async fn probe(&self, probe: &Probe) -> Result<Value, CallError> {
        let Probe { mutation, variables } = probe;
        let mut data = None;
        self.exchange(&mut data, &write::mutation(mutation, variables.clone()), 0).await?;
        data.ok_or(CallError::NoData)
    }

    /// Returns by how much the server's clock is ahead of ours, by its latest answer that told the time.
    pub fn clock_skew(&self) -> Option<SignedDuration> {
        *self.clock_skew.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn send<T: DeserializeOwned + Send>(&self, query: &Query, variables: Value) -> Result<T, CallError> {
        let mut value = None;
        self.send_into(&mut value, query, variables).await?;
        value.ok_or(CallError::NoData)
    }

    /// Sends until one attempt succeeds, no retry is left, or a retry can't help.
    async fn send_into(&self, value: &mut dyn ReadInto, query: &Query, variables: Value) -> Result<(), CallError> {
        let request = Request::query(query, variables);
        let mut waits = self.backoff.waits();
        let mut resends = 0;
        loop {
            match self.exchange(value, &request, resends).await {
                Err(error) if error.is_transient() => waits.wait(query.name, error).await?,
                result => return result,
            }
            resends += 1;
        }
    }

    async fn exchange(
        &self,
        value: &mut dyn ReadInto,
        request: &Request,
        resends: usize,
    ) -> Result<(), CallError> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let (span, answer) = trace::send(&*self.transport, request, resends, []).await;
        let mut response = answer.map_err(|error| self.redactor.clean_error(error))?;
        if response.clock_skew.is_some() {
            *self.clock_skew.lock().unwrap_or_else(PoisonError::into_inner) = response.clock_skew;
        }
        self.redactor.clean_body(&mut response.body);
        tracing::info!(
            operation = request.operation_name,
            status = response.status,
            bytes = response.body.len(),
            "read"
        );
        value.read(&response, &self.redactor).inspect_err(|error| trace::failed(&span, error))
    }
}
