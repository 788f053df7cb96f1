//! Reads answers. Each way to fail is an error of its own, which says whether the platform may have acted.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;
use serde_json::value::RawValue;
use thiserror::Error;

use super::{GraphQlErrors, Redactor, Response, TransportError};

/// The reason why a request has no usable answer. Contains no secret and no body.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum CallError {
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// HTTP 401 or 403, or a GraphQL error that means the same.
    #[error("the credential was refused ({0})")]
    CredentialRefused(String),
    /// HTTP 429, or another answer that means the same. The platform did nothing.
    #[error("too many requests{}", requested_wait(*retry_after))]
    RateLimited { retry_after: Option<Duration> },
    #[error("HTTP status {status}")]
    Status { status: u16, retry_after: Option<Duration> },
    #[error("the answer isn't valid JSON: {0}")]
    NotJson(String),
    /// Top-level `errors` without data.
    #[error("the platform answered with {0}")]
    GraphQl(GraphQlErrors),
    /// The platform refused a batch as a whole, before it ran any mutation of it.
    #[error("the platform refused a request with several mutations")]
    BatchRefused,
    /// Top-level `errors` next to data. The data can't be relied on then.
    #[error("the platform answered only in part, with {0}")]
    Partial(GraphQlErrors),
    /// A refusal within the data, in the platform's own form.
    #[error("the platform refused: {0}")]
    Refused(String),
    #[error("the answer has neither data nor errors")]
    NoData,
    #[error("the answer has no data, and an empty list of errors")]
    EmptyErrors,
    /// The answer neither confirms the mutation nor refuses it.
    #[error("the answer doesn't confirm the mutation: `{0}` is null or false, without an error")]
    NullPayload(String),
    /// Another mutation of the same batch failed, and the response says nothing about this one. Holds the names of
    /// those that failed.
    #[error("its answer was lost, because {0} failed in the same request")]
    LostInBatch(String),
    #[error("the answer doesn't have the expected form, at {path}: {expected}")]
    Shape { path: String, expected: String },
}

/// Tells whether the platform may have acted on a request that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PossibleEffect {
    /// The platform refused the request, or never saw it.
    None,
    /// The platform may have acted. Only a read can tell.
    Unknown,
}

fn requested_wait(retry_after: Option<Duration>) -> String {
    let seconds = |wait: Duration| wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    retry_after.map_or_else(String::new, |wait| format!("; the platform asks for a wait of {} s", seconds(wait)))
}

/// Describes an HTTP refusal: its status, and the message of the body if there is one.
fn describe_refusal(status: u16, body: &[u8], redactor: &Redactor) -> String {
    #[derive(Deserialize)]
    struct Refusal<'a> {
        #[serde(borrow, default)]
        message: Option<&'a RawValue>,
        #[serde(borrow, default)]
        errors: Option<&'a RawValue>,
    }
    let refusal = serde_json::from_slice::<Refusal<'_>>(body).ok();
    let message = refusal.as_ref().and_then(|refusal| serde_json::from_str::<String>(refusal.message?.get()).ok());
    let errors = || Some(GraphQlErrors::read(refusal.as_ref()?.errors?, redactor));
    let message = message.or_else(|| errors()?.first().map(|error| error.message.clone()));
    let message = message.filter(|message| !message.trim().is_empty());
    message.map_or_else(
        || format!("HTTP {status}"),
        |message| format!("HTTP {status}: \"{}\"", redactor.clean(&message)),
    )
}

impl CallError {
    /// Returns a word for the reason, without any value.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Transport(error) => error.kind(),
            Self::CredentialRefused(_) => "credential-refused",
            Self::RateLimited { .. } => "rate-limited",
            Self::Status { .. } => "http-status",
            Self::NotJson(_) => "not-json",
            Self::GraphQl(_) => "graphql-errors",
            Self::BatchRefused => "batch-refused",
            Self::Partial(_) => "partial-data",
            Self::Refused(_) => "refused",
            Self::NoData | Self::EmptyErrors | Self::NullPayload(_) => "no-data",
            Self::LostInBatch(_) => "lost-in-batch",
            Self::Shape { .. } => "unexpected-form",
        }
    }

    /// Returns whether the platform may have acted.
    pub fn effect(&self) -> PossibleEffect {
        match self {
            Self::Transport(
                TransportError::NotSent(_) | TransportError::Untrusted(_) | TransportError::Redirected(_),
            )
            | Self::CredentialRefused(_)
            | Self::Refused(_)
            | Self::BatchRefused
            | Self::RateLimited { .. } => PossibleEffect::None,
            Self::GraphQl(errors) if errors.is_refusal() => PossibleEffect::None,
            Self::Status { status, .. } if *status < 500 && *status != REQUEST_TIMEOUT => PossibleEffect::None,
            Self::Transport(TransportError::NoAnswer(_) | TransportError::TooLarge(_))
            | Self::Status { .. }
            | Self::NotJson(_)
            | Self::GraphQl(_)
            | Self::Partial(_)
            | Self::NoData
            | Self::EmptyErrors
            | Self::NullPayload(_)
            | Self::LostInBatch(_)
            | Self::Shape { .. } => PossibleEffect::Unknown,
        }
    }

    /// Returns whether there was no answer, or the answer was lost. A read has to tell whether the platform acted.
    pub fn is_lost(&self) -> bool {
        self.is_unanswered() || matches!(self, Self::LostInBatch(_))
    }

    /// Returns whether the platform gave no answer of its own: nothing at all, or a page of a proxy or gateway.
    pub fn is_unanswered(&self) -> bool {
        matches!(self, Self::NotJson(_) | Self::Status { status: REQUEST_TIMEOUT | 500.., .. })
            || matches!(self, Self::Transport(TransportError::NoAnswer(_) | TransportError::TooLarge(_)))
    }

    /// Returns whether the error may pass, so that the same read is worth another attempt.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Transport(TransportError::NotSent(_) | TransportError::NoAnswer(_))
            | Self::RateLimited { .. } => true,
            Self::Status { status, .. } => matches!(status, 502..=504),
            Self::GraphQl(errors) | Self::Partial(errors) => errors.is_rate_limit(),
            Self::Transport(
                TransportError::TooLarge(_) | TransportError::Untrusted(_) | TransportError::Redirected(_),
            )
            | Self::CredentialRefused(_)
            | Self::Refused(_)
            | Self::BatchRefused
            | Self::NotJson(_)
            | Self::NoData
            | Self::EmptyErrors
            | Self::NullPayload(_)
            | Self::LostInBatch(_)
            | Self::Shape { .. } => false,
        }
    }

    /// Returns the wait that the platform asks for.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after } | Self::Status { retry_after, .. } => *retry_after,
            Self::Transport(_)
            | Self::CredentialRefused(_)
            | Self::Refused(_)
            | Self::BatchRefused
            | Self::NotJson(_)
            | Self::GraphQl(_)
            | Self::Partial(_)
            | Self::NoData
            | Self::EmptyErrors
            | Self::NullPayload(_)
            | Self::LostInBatch(_)
            | Self::Shape { .. } => None,
        }
    }

    /// Returns whether the platform can't be used at all: it isn't reached, it fails, or it refuses the
    /// credential. The content of the request isn't the cause then.
    pub fn is_unreachable_or_refused(&self) -> bool {
        match self {
            Self::CredentialRefused(_) | Self::RateLimited { .. } | Self::Status { status: 500.., .. } => true,
            Self::GraphQl(errors) | Self::Partial(errors) => errors.is_rate_limit(),
            Self::Transport(error) => {
                !matches!(error, TransportError::TooLarge(_) | TransportError::Redirected(_))
            }
            _ => false,
        }
    }

    /// Returns whether the platform may answer the same query for fewer rows: it refused this one, or gave up on it.
    pub fn may_ask_for_too_much(&self) -> bool {
        match self {
            Self::GraphQl(errors) => !errors.is_rate_limit(),
            Self::Status { status, .. } => matches!(status, 400 | 413 | 422 | 504),
            Self::Transport(error) => matches!(error, TransportError::TooLarge(_)),
            _ => false,
        }
    }

    /// Returns whether the server says that it doesn't answer questions about its schema. Every other error leaves
    /// the question open.
    pub fn refuses_introspection(&self) -> bool {
        matches!(self, Self::GraphQl(errors) if errors.refuses_introspection())
    }

    /// Returns advice for the user: a full sentence that follows "hint:" or "Next:".
    pub fn next_step(&self) -> &'static str {
        match self {
            Self::Transport(TransportError::NotSent(_)) => "Check the endpoint, the network and the proxy.",
            Self::Transport(TransportError::NoAnswer(_)) => "Try again. The network or the platform failed.",
            Self::Transport(TransportError::Untrusted(_)) => {
                "Check the host of `endpoint`. If your organisation has a certificate authority of its own, name its file with `--ca-file`."
            }
            Self::Transport(TransportError::Redirected(_)) => {
                "Write the address that the redirect leads to as `endpoint`, if you trust it."
            }
            Self::CredentialRefused(_) => {
                "Check that the credential is valid, that it has the permissions it needs, and that `organization` is correct."
            }
            Self::RateLimited { .. } => "Wait, then try again. The vendor can raise the limit.",
            Self::GraphQl(errors) | Self::Partial(errors) if errors.is_rate_limit() => {
                "Wait, then try again. The vendor can raise the limit."
            }
            Self::Status { status: 500.., .. } => "The platform failed. Try again later.",
            Self::Transport(TransportError::TooLarge(_)) | Self::Status { .. } | Self::NotJson(_) => {
                "Check that `endpoint` is the address of the GraphQL API, with its path."
            }
            Self::GraphQl(errors) if !errors.is_refusal() => {
                "The platform had an internal error. Try again later. `rolecall drift` shows whether a change was made."
            }
            Self::Refused(_) | Self::BatchRefused | Self::GraphQl(_) => {
                "The platform's message says why. Run `rolecall drift` to see the current state."
            }
            Self::LostInBatch(_) => "Run `rolecall drift` to see whether the change was made.",
            Self::Partial(_) | Self::NoData | Self::EmptyErrors | Self::NullPayload(_) | Self::Shape { .. } => {
                "The API may have changed. Run again with `-v`, and report the output with the versions of rolecall and of the platform."
            }
        }
    }
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    errors: Option<&'a RawValue>,
}

/// The answer of a request that succeeded.
#[derive(Deserialize)]
struct Plain<T> {
    data: Option<T>,
    #[serde(default)]
    errors: Option<IgnoredAny>,
}

/// HTTP 408: the server, or a gateway in front of it, gave up waiting.
const REQUEST_TIMEOUT: u16 = 408;

/// A GraphQL answer, as far as it means the same on all platforms.
#[derive(Debug)]
pub struct Answer<'a> {
    status: u16,
    retry_after: Option<Duration>,
    data: Option<&'a RawValue>,
    redactor: &'a Redactor,
    /// The top-level errors. An empty list is different from none: some platforms send one with a success.
    pub errors: Option<GraphQlErrors>,
}

impl<'a> Answer<'a> {
    /// Reads an HTTP response as a GraphQL answer.
    ///
    /// Fails if it is none: the credential was refused, the rate was limited, or the body isn't GraphQL.
    pub fn open(response: &'a Response, redactor: &'a Redactor) -> Result<Self, CallError> {
        let Response { status, content_type, retry_after, rate_limit: _, clock_skew: _, body } = response;
        let retry_after = &retry_after.or_else(|| response.requested_wait());
        match status {
            403 | 429 if response.is_rate_limited() => {
                return Err(CallError::RateLimited { retry_after: *retry_after });
            }
            401 | 403 => return Err(CallError::CredentialRefused(describe_refusal(*status, body, redactor))),
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
            Some(errors) if errors.get().starts_with('[') => Some(GraphQlErrors::read(errors, redactor)),
            // Nobody knows what this means.
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
        // Any data next to a failed HTTP status is no success.
        if is_success || answer.has_errors() { Ok(answer) } else { Err(answer.status()) }
    }

    fn has_errors(&self) -> bool {
        self.errors.as_ref().is_some_and(|errors| !errors.is_empty())
    }

    fn status(&self) -> CallError {
        CallError::Status { status: self.status, retry_after: self.retry_after }
    }

    /// Returns the error of this answer. To be called if the answer has errors.
    pub fn failure(&self) -> CallError {
        // Data whose fields are all null adds nothing to the errors.
        self.to_error(self.data.is_none_or(|data| is_all_null(data.get())))
    }

    /// Returns the error of this answer, if its data says that nothing was done.
    pub fn refusal(&self) -> CallError {
        self.to_error(true)
    }

    fn to_error(&self, is_empty: bool) -> CallError {
        let errors = self.errors.clone().unwrap_or_default();
        let refused = errors.iter().find(|error| error.refuses_credential());
        match (refused, is_empty) {
            (_, true) if errors.is_rate_limit_before_effect() => {
                CallError::RateLimited { retry_after: self.retry_after }
            }
            (_, true) if errors.is_rate_limit() => CallError::GraphQl(errors),
            (Some(error), true) => CallError::CredentialRefused(error.to_string()),
            (None, true) if self.status < 500 => CallError::GraphQl(errors),
            (None, true) => self.status(),
            (_, false) => CallError::Partial(errors),
        }
    }

    /// Returns the data, whether or not there are errors, or nothing if there is none.
    pub fn data<T: DeserializeOwned>(&self) -> Result<Option<T>, CallError> {
        let Some(data) = self.data else { return Ok(None) };
        // Keeping track of the place takes most of the time, and only an error needs it.
        if let Ok(decoded) = serde_json::from_str(data.get()) {
            return Ok(Some(decoded));
        }
        decode(&serde_json::from_str(data.get()).unwrap_or_default(), self.redactor).map(Some)
    }
}

/// Deserialises the data of an answer. An error names the place and the expected type, and never the value.
pub(super) fn decode<T: DeserializeOwned>(data: &Value, redactor: &Redactor) -> Result<T, CallError> {
    serde_path_to_error::deserialize(data).map_err(|error| CallError::Shape {
        // The path has names that the platform chose.
        path: redactor.clean(&format!("data.{}", error.path())),
        expected: redactor.clean(&without_value(&error.inner().to_string())),
    })
}

/// Reads the data of an answer without errors. Partial data is an error.
pub fn parse<T: DeserializeOwned>(response: &Response, redactor: &Redactor) -> Result<T, CallError> {
    // Nearly every answer has nothing but data. It is read at once, without looking for its end first.
    if (200..300).contains(&response.status)
        && let Ok(body) = str::from_utf8(&response.body)
        && let Ok(Plain { data: Some(data), errors: None }) = serde_json::from_str(body)
    {
        return Ok(data);
    }
    let answer = Answer::open(response, redactor)?;
    if answer.has_errors() {
        return Err(answer.failure());
    }
    let empty = if answer.errors.is_some() { CallError::EmptyErrors } else { CallError::NoData };
    answer.data()?.ok_or(empty)
}

/// Returns whether all fields at the top of the data are null.
fn is_all_null(data: &str) -> bool {
    let fields = serde_json::from_str::<BTreeMap<String, &RawValue>>(data);
    data == "null" || fields.is_ok_and(|fields| fields.values().all(|value| value.get() == "null"))
}

/// Removes the value from a message of serde, since it may be a secret. What serde expected stays.
fn without_value(message: &str) -> String {
    let message = message.split(" at line ").next().unwrap_or(message);
    match message.rsplit_once("expected ") {
        Some((_, expected)) => format!("expected {expected}"),
        None if message.starts_with("missing field") => message.to_owned(),
        None => "a value that can't be read".to_owned(),
    }
}

/// Describes a body that isn't JSON, without quoting it.
fn describe(content_type: Option<&str>, body: &[u8], redactor: &Redactor) -> String {
    let start = String::from_utf8_lossy(&body[..body.len().min(64)]).trim_start().to_lowercase();
    if body.is_empty() {
        "it is empty".to_owned()
    } else if start.starts_with("<!doctype html") || start.starts_with("<html") {
        "it is an HTML page".to_owned()
    } else {
        match content_type {
            _ if start.starts_with('{') => format!("it is damaged or cut off ({} bytes)", body.len()),
            Some(kind) => format!("its content type is {} ({} bytes)", redactor.clean(kind), body.len()),
            None => format!("it has {} bytes and no content type", body.len()),
        }
    }
}
