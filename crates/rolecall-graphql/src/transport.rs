//! How a request gets to a platform and an answer back.

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use thiserror::Error;

use super::{Context, Mutation, Query};

/// One GraphQL request. Other crates build one from a [`Query`], or with [`write`](crate::write) from a [`Mutation`].
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    pub operation_name: &'static str,
    pub query: Cow<'static, str>,
    pub variables: Value,
    /// The credential that it is sent with.
    #[serde(skip)]
    pub context: Context,
}

impl Request {
    pub fn query(query: &Query, variables: Value) -> Self {
        Self { operation_name: query.name, query: query.text.into(), variables, context: query.context }
    }

    /// Builds the request of a mutation, for [`write`](crate::write).
    pub(crate) fn mutation(mutation: &Mutation, variables: Value) -> Self {
        Self { operation_name: mutation.name, query: mutation.text.into(), variables, context: mutation.context }
    }
}

/// What came back, whatever it is.
#[derive(Clone, Debug)]
pub struct Response {
    pub status: u16,
    pub content_type: Option<String>,
    /// From `Retry-After`.
    pub retry_after: Option<Duration>,
    /// What the platform says is left of a limit.
    pub rate_limit: Option<RateLimit>,
    pub body: Vec<u8>,
}

impl Response {
    /// One that says nothing beside its body.
    pub fn new(status: u16, body: Vec<u8>) -> Self {
        Self { status, content_type: None, retry_after: None, rate_limit: None, body }
    }
}

/// How many requests a platform still takes, and how long until it takes more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    pub remaining: u64,
    pub reset: Duration,
}

/// No answer, or none that may be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TransportError {
    /// The platform never saw the request.
    #[error("not reached: {0}")]
    NotSent(String),
    /// The request may have arrived.
    #[error("no answer: {0}")]
    NoAnswer(String),
    /// The answer is larger than anything we asked for.
    #[error("the answer is larger than {0} MiB")]
    TooLarge(usize),
    /// Credentials in custom headers would travel along.
    #[error("redirected to {0}, which is never followed")]
    Redirected(String),
}

/// Carries requests. HTTP in earnest, in process for tests.
pub trait Transport: Send + Sync {
    fn send<'a>(
        &'a self,
        request: &'a Request,
    ) -> Pin<Box<dyn Future<Output = Result<Response, TransportError>> + Send + 'a>>;

    /// Waits until another request may go, for whoever wants to know before they commit themselves to one.
    fn ready(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::ready(()))
    }
}
