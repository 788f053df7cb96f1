//! What an answer means. Each way to fail is told apart, and says whether the platform may have acted.

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;
use thiserror::Error;

use super::{GraphQlError, Redactor, Response, TransportError};

/// Why a call gave nothing that can be used. Holds no secret and no body.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum CallError {
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// HTTP 401 or 403, or the same said in GraphQL.
    #[error("the credential was refused ({0})")]
    CredentialRefused(String),
    #[error("too many requests (HTTP 429){}", asked_to_wait(*retry_after))]
    RateLimited { retry_after: Option<Duration> },
    #[error("HTTP status {status}")]
    Status { status: u16, retry_after: Option<Duration> },
    #[error("the answer isn't JSON but {0}")]
    NotJson(String),
    /// Top-level `errors` and no data.
    #[error("the platform answered with {}", list(.0))]
    GraphQl(Vec<GraphQlError>),
    /// A document of several was refused as such, before any of it was carried out.
    #[error("the platform refused a document of several")]
    RefusedTogether,
    /// Top-level `errors` beside data, which can't be relied on then.
    #[error("the platform answered in part, with {}", list(.0))]
    Partial(Vec<GraphQlError>),
    /// The platform's own way of saying no, inside of data.
    #[error("the platform refused: {0}")]
    Refused(String),
    #[error("the answer has neither data nor errors")]
    NoData,
    #[error("the answer has no data, and an empty list of errors")]
    EmptyErrors,
    /// Neither done nor refused.
    #[error("the answer doesn't say that it was done: `{0}` is null or false, without an error")]
    NullPayload(String),
    /// One of several that were sent together failed, and the platform says nothing of the others.
    #[error("its answer was lost with that of {0}")]
    LostWith(String),
    #[error("the answer has another form than expected, at {path}: {expected}")]
    Shape { path: String, expected: String },
}

/// Whether the platform may have acted on a call that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It said no, or never saw the request.
    None,
    /// Only a read can tell.
    Unknown,
}

fn asked_to_wait(retry_after: Option<Duration>) -> String {
    retry_after.map_or_else(String::new, |wait| format!("; it asks to wait for {} s", wait.as_secs()))
}

/// With what a gateway says of it, if it says something.
fn refused(status: u16, body: &[u8], redactor: &Redactor) -> String {
    let said = serde_json::from_slice::<Value>(body).unwrap_or_default();
    let message = said.get("message").or_else(|| said.pointer("/errors/0/message")).and_then(Value::as_str);
    let message = message.filter(|message| !message.trim().is_empty());
    message.map_or_else(
        || format!("HTTP {status}"),
        |message| format!("HTTP {status}: \"{}\"", redactor.clean(message)),
    )
}

fn list(errors: &[GraphQlError]) -> String {
    match errors {
        [one] => format!("the error {one}"),
        several => {
            let texts: Vec<String> = several.iter().map(ToString::to_string).collect();
            format!("{} errors: {}", several.len(), texts.join("; "))
        }
    }
}

impl CallError {
    /// May the platform have acted?
    pub fn effect(&self) -> Effect {
        match self {
            Self::Transport(TransportError::NotSent(_) | TransportError::Redirected(_))
            | Self::CredentialRefused(_)
            | Self::Refused(_)
            | Self::RefusedTogether
            | Self::RateLimited { .. } => Effect::None,
            Self::GraphQl(errors) if errors.iter().all(GraphQlError::is_refusal) => Effect::None,
            Self::Status { status, .. } if *status < 500 && *status != REQUEST_TIMEOUT => Effect::None,
            Self::Transport(TransportError::NoAnswer(_) | TransportError::TooLarge(_))
            | Self::Status { .. }
            | Self::NotJson(_)
            | Self::GraphQl(_)
            | Self::Partial(_)
            | Self::NoData
            | Self::EmptyErrors
            | Self::NullPayload(_)
            | Self::LostWith(_)
            | Self::Shape { .. } => Effect::Unknown,
        }
    }

    /// Was there an answer that is lost, or none? A read tells what became of it.
    pub fn is_lost(&self) -> bool {
        self.is_without_answer() || matches!(self, Self::LostWith(_))
    }

    /// Is it no answer of the platform's at all?
    pub fn is_without_answer(&self) -> bool {
        matches!(self, Self::NotJson(_) | Self::Status { status: REQUEST_TIMEOUT | 500.., .. })
            || matches!(self, Self::Transport(TransportError::NoAnswer(_) | TransportError::TooLarge(_)))
    }

    /// Is a repetition of the same read likely to help?
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Transport(TransportError::NotSent(_) | TransportError::NoAnswer(_))
            | Self::RateLimited { .. } => true,
            Self::Status { status, .. } => matches!(status, 502..=504),
            Self::Transport(TransportError::TooLarge(_) | TransportError::Redirected(_))
            | Self::CredentialRefused(_)
            | Self::Refused(_)
            | Self::RefusedTogether
            | Self::NotJson(_)
            | Self::GraphQl(_)
            | Self::Partial(_)
            | Self::NoData
            | Self::EmptyErrors
            | Self::NullPayload(_)
            | Self::LostWith(_)
            | Self::Shape { .. } => false,
        }
    }

    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after } | Self::Status { retry_after, .. } => *retry_after,
            Self::Transport(_)
            | Self::CredentialRefused(_)
            | Self::Refused(_)
            | Self::RefusedTogether
            | Self::NotJson(_)
            | Self::GraphQl(_)
            | Self::Partial(_)
            | Self::NoData
            | Self::EmptyErrors
            | Self::NullPayload(_)
            | Self::LostWith(_)
            | Self::Shape { .. } => None,
        }
    }

    /// Is it the platform, or the way to it, rather than what we asked?
    pub fn is_unreachable_or_refused(&self) -> bool {
        matches!(self, Self::CredentialRefused(_) | Self::RateLimited { .. } | Self::Status { status: 500.., .. })
            || matches!(self, Self::Transport(TransportError::NotSent(_) | TransportError::NoAnswer(_)))
    }

    /// What whoever reads this may do next.
    pub fn next_step(&self) -> &'static str {
        match self {
            Self::Transport(TransportError::NotSent(_)) => "check the endpoint, the network and the proxy",
            Self::Transport(TransportError::NoAnswer(_)) => "try again; the network or the platform failed",
            Self::Transport(TransportError::Redirected(_)) => {
                "write the endpoint as it is after the redirect, if you trust it"
            }
            Self::CredentialRefused(_) => {
                "check that the credential is live and may do what is asked, and that the organisation is named rightly"
            }
            Self::RateLimited { .. } => "wait, then try again; the vendor can raise the limit",
            Self::Status { status: 500.., .. } => "try again later; the platform failed",
            Self::Transport(TransportError::TooLarge(_)) | Self::Status { .. } | Self::NotJson(_) => {
                "check that the endpoint is the GraphQL endpoint, path included"
            }
            Self::GraphQl(errors) if !errors.iter().all(GraphQlError::is_refusal) => {
                "the platform failed on its own side; a read tells what became of it"
            }
            Self::Refused(_) | Self::RefusedTogether | Self::GraphQl(_) => {
                "the platform's words say why; `rolecall drift` shows how things stand"
            }
            Self::LostWith(_) => "a read tells what became of it",
            Self::Partial(_) | Self::NoData | Self::EmptyErrors | Self::NullPayload(_) | Self::Shape { .. } => {
                "the API may have changed; run again with -v and report it with the versions of both"
            }
        }
    }
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(default)]
    errors: Option<Value>,
}

/// The server, or what stands before it, got tired of waiting for itself.
const REQUEST_TIMEOUT: u16 = 408;

/// Codes by which platforms say "not you" under HTTP 200.
const REFUSALS: &[&str] =
    &["UNAUTHENTICATED", "UNAUTHORIZED", "UNAUTHORISED", "FORBIDDEN", "INVALID_SESSION_TOKEN", "INVALID_API_KEY"];

/// An answer, as far as all platforms mean the same by it.
#[derive(Debug)]
pub struct Answer<'a> {
    status: u16,
    retry_after: Option<Duration>,
    data: Option<&'a RawValue>,
    redactor: &'a Redactor,
    /// Empty is another thing than absent.
    pub errors: Option<Vec<GraphQlError>>,
}

impl<'a> Answer<'a> {
    /// Opens what HTTP brought: a GraphQL answer, or the reason why it is none.
    pub fn open(response: &'a Response, redactor: &'a Redactor) -> Result<Self, CallError> {
        let Response { status, content_type, retry_after, rate_limit: _, body } = response;
        match status {
            401 | 403 => return Err(CallError::CredentialRefused(refused(*status, body, redactor))),
            429 => return Err(CallError::RateLimited { retry_after: *retry_after }),
            _ => {}
        }
        let is_success = (200..300).contains(status);
        let envelope: Envelope<'_> = match serde_json::from_slice(body) {
            Ok(envelope) => envelope,
            Err(_) if !is_success => {
                return Err(CallError::Status { status: *status, retry_after: *retry_after });
            }
            Err(_) => return Err(CallError::NotJson(describe(content_type.as_deref(), body, redactor))),
        };
        let errors = match envelope.errors {
            Some(Value::Array(errors)) => {
                Some(errors.iter().map(|error| GraphQlError::read(error, redactor)).collect())
            }
            // What it means can't be known.
            Some(_) if is_success => {
                return Err(CallError::Shape {
                    path: "errors".to_owned(),
                    expected: "expected a list".to_owned(),
                });
            }
            Some(_) | None => None,
        };
        let data = envelope.data.filter(|data| data.get() != "null");
        let answer = Self { status: *status, retry_after: *retry_after, data, redactor, errors };
        // Whatever stands in it, it was no success.
        if is_success || answer.has_errors() { Ok(answer) } else { Err(answer.status()) }
    }

    fn has_errors(&self) -> bool {
        self.errors.as_ref().is_some_and(|errors| !errors.is_empty())
    }

    fn status(&self) -> CallError {
        CallError::Status { status: self.status, retry_after: self.retry_after }
    }

    /// What its errors mean.
    pub fn failure(&self) -> CallError {
        // Data whose every field is null says nothing that the errors don't.
        self.meaning(self.data.is_none_or(|data| is_hollow(data.get())))
    }

    /// What its errors mean where the data says that nothing was done.
    pub fn refusal(&self) -> CallError {
        self.meaning(true)
    }

    fn meaning(&self, hollow: bool) -> CallError {
        let errors = self.errors.clone().unwrap_or_default();
        let refused = errors.iter().find(|error| {
            error.code.as_deref().is_some_and(|code| REFUSALS.iter().any(|refusal| code.contains(refusal)))
        });
        match (refused, hollow) {
            (Some(error), true) => CallError::CredentialRefused(error.to_string()),
            (None, true) if self.status < 500 => CallError::GraphQl(errors),
            (None, true) => self.status(),
            (_, false) => CallError::Partial(errors),
        }
    }

    /// Its data, whatever stands beside it. None: there is none.
    pub fn data<T: DeserializeOwned>(&self) -> Result<Option<T>, CallError> {
        let Some(data) = self.data else { return Ok(None) };
        understood(&mut serde_json::Deserializer::from_str(data.get()), self.redactor).map(Some)
    }
}

/// What the data of an answer means.
pub(super) fn understood<'de, T: DeserializeOwned>(
    data: impl serde::Deserializer<'de, Error = serde_json::Error>,
    redactor: &Redactor,
) -> Result<T, CallError> {
    serde_path_to_error::deserialize(data).map_err(|error| CallError::Shape {
        // Names of fields may be anything that the platform says.
        path: redactor.clean(&format!("data.{}", error.path())),
        expected: redactor.clean(&without_value(&error.inner().to_string())),
    })
}

/// Reads an answer: whole, or not at all.
pub fn parse<T: DeserializeOwned>(response: &Response, redactor: &Redactor) -> Result<T, CallError> {
    let answer = Answer::open(response, redactor)?;
    if answer.has_errors() {
        return Err(answer.failure());
    }
    let empty = if answer.errors.is_some() { CallError::EmptyErrors } else { CallError::NoData };
    answer.data()?.ok_or(empty)
}

/// Is every value at the top null?
fn is_hollow(data: &str) -> bool {
    match serde_json::from_str::<Value>(data) {
        Ok(Value::Object(fields)) => fields.values().all(Value::is_null),
        Ok(Value::Null) => true,
        _ => false,
    }
}

/// serde quotes what it found, which may be a secret. Only what it wanted is kept.
fn without_value(message: &str) -> String {
    let message = message.split(" at line ").next().unwrap_or(message);
    match message.rsplit_once("expected ") {
        Some((_, expected)) => format!("expected {expected}"),
        None if message.starts_with("missing field") => message.to_owned(),
        None => "a value that can't be read".to_owned(),
    }
}

fn describe(content_type: Option<&str>, body: &[u8], redactor: &Redactor) -> String {
    let start = String::from_utf8_lossy(&body[..body.len().min(64)]).trim_start().to_lowercase();
    if body.is_empty() {
        "empty".to_owned()
    } else if start.starts_with("<!doctype html") || start.starts_with("<html") {
        "an HTML page".to_owned()
    } else {
        match content_type {
            _ if start.starts_with('{') => format!("damaged, or breaks off ({} bytes)", body.len()),
            Some(kind) => format!("{} ({} bytes)", redactor.clean(kind), body.len()),
            None => format!("{} bytes of something else", body.len()),
        }
    }
}
