//! Requests, responses, and the trait that carries them.

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use jiff::SignedDuration;
use serde::Serialize;
use serde_json::Value;
use thiserror::Error;

use super::graphql_error::says_rate_limit;
use super::{Context, GraphQlErrors, Query};

pub(super) const TOO_MANY_REQUESTS: u16 = 429;

const FORBIDDEN: u16 = 403;

/// The longest body that is read as a refusal, in bytes.
const LONGEST_REFUSAL: usize = 64 * 1024;

/// One GraphQL request. Other crates build one from a [`Query`], or with [`write`](crate::write) from a
/// [`Mutation`](crate::Mutation).
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
}

/// An HTTP response with any status and any body. [`Answer::open`](crate::Answer::open) reads it.
#[derive(Clone, Debug)]
pub struct Response {
    pub status: u16,
    pub content_type: Option<String>,
    /// The time that `Retry-After` asks to wait.
    pub retry_after: Option<Duration>,
    /// The rest of the limit, if the headers tell it.
    pub rate_limit: Option<RateLimit>,
    /// By how much the server's clock is ahead of ours, if the headers tell it.
    pub clock_skew: Option<SignedDuration>,
    pub body: Vec<u8>,
}

impl Response {
    /// Returns a response without any header.
    pub fn new(status: u16, body: Vec<u8>) -> Self {
        Self { status, content_type: None, retry_after: None, rate_limit: None, clock_skew: None, body }
    }

    /// Returns the time that the platform asks to wait, if it does: by `Retry-After`, or by a limit that is used up.
    pub fn requested_wait(&self) -> Option<Duration> {
        let reset = || self.rate_limit.filter(|limit| limit.remaining == 0 && !limit.reset.is_zero());
        self.retry_after.or_else(|| reset().map(|limit| limit.reset))
    }

    /// Returns whether the platform refused the request because there were too many.
    ///
    /// Platforms say that in several ways: HTTP 429, or HTTP 403 with `Retry-After`, with a limit that is used up
    /// or with words that say so, or GraphQL errors under any status.
    pub fn is_rate_limited(&self) -> bool {
        let is_used_up = self.rate_limit.is_some_and(|limit| limit.remaining == 0);
        match self.status {
            TOO_MANY_REQUESTS => true,
            FORBIDDEN if self.retry_after.is_some() || is_used_up => true,
            // A refusal is short. Longer answers are data.
            _ if self.body.len() > LONGEST_REFUSAL => false,
            FORBIDDEN => says_rate_limit(&String::from_utf8_lossy(&self.body)),
            _ => GraphQlErrors::of_body(&self.body).is_some_and(|errors| errors.is_rate_limit()),
        }
    }
}

/// The number of requests that a platform still accepts, and the time until it accepts more. The time is zero if
/// the platform doesn't say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    pub remaining: u64,
    pub reset: Duration,
}

/// The reason why there is no response, or none that may be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TransportError {
    /// The platform never saw the request.
    #[error("the request was not sent: {0}")]
    NotSent(String),
    /// The request may have arrived.
    #[error("the platform did not answer: {0}")]
    NoAnswer(String),
    /// The answer is larger than any that rolecall asks for.
    #[error("the answer is larger than {0} MiB")]
    TooLarge(usize),
    /// The server's certificate isn't trusted, so nothing was sent. Holds the problem of the certificate.
    #[error("the server's certificate isn't trusted: {0}")]
    Untrusted(String),
    /// The platform answered with a redirect. Following it would carry credentials in custom headers to another
    /// host. Holds the address that it leads to, without its query.
    #[error("the platform redirects to {0}, and rolecall never follows a redirect")]
    Redirected(String),
}

impl TransportError {
    /// Returns a word for the reason, without any value.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NotSent(_) => "not-sent",
            Self::NoAnswer(_) => "no-answer",
            Self::TooLarge(_) => "too-large",
            Self::Untrusted(_) => "untrusted-certificate",
            Self::Redirected(_) => "redirected",
        }
    }
}

/// Carries requests: over HTTP, or within the process in tests.
pub trait Transport: Send + Sync {
    fn send<'a>(
        &'a self,
        request: &'a Request,
    ) -> Pin<Box<dyn Future<Output = Result<Response, TransportError>> + Send + 'a>>;

    /// Waits until another request may be sent, and sends none. A caller that records its intent before it sends
    /// calls this first, so that it can still give up during the wait.
    fn ready(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::ready(()))
    }
}
