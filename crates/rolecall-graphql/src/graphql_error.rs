//! The errors of an answer, as far as they mean the same on all platforms.

use std::fmt;
use std::ops::Deref;

use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::Redactor;

/// An entry of `errors`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraphQlError {
    pub message: String,
    /// The machine-readable code: `errorType`, `extensions.code`, or the word before the first colon of the
    /// message.
    pub code: Option<String>,
    /// The first steps of the path of the field that failed, such as `organisationManagement`, `listUsers`. It is
    /// empty if the request as a whole was refused.
    pub path: Vec<String>,
}

/// The steps of a path that are kept.
const STEPS: usize = 8;

impl fmt::Display for GraphQlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { message, code, path } = self;
        write!(f, "\"{message}\"")?;
        let path = path.join(".");
        match (code, path.is_empty()) {
            (Some(code), false) => write!(f, " ({code}, at {path})"),
            (Some(code), true) => write!(f, " ({code})"),
            (None, false) => write!(f, " (at {path})"),
            (None, true) => Ok(()),
        }
    }
}

/// An entry of `errors` before it is read. Only the parts that mean the same everywhere are looked at, so that
/// nothing else takes memory.
#[derive(Deserialize)]
struct WireError<'a> {
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "errorType")]
    error_type: Option<&'a RawValue>,
    #[serde(borrow, default)]
    extensions: Option<&'a RawValue>,
    #[serde(default)]
    path: FirstSteps,
}

#[derive(Deserialize)]
struct WireExtensions<'a> {
    #[serde(borrow, default)]
    code: Option<&'a RawValue>,
}

/// The first steps of a path.
#[derive(Default)]
struct FirstSteps(Vec<String>);

impl<'de> Deserialize<'de> for FirstSteps {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let path = <&RawValue>::deserialize(deserializer)?;
        Ok(Self(first(path, STEPS, |step| text(Some(step)).unwrap_or_else(|| step.get().to_owned())).0))
    }
}

/// Reads the first entries of a list, and counts the others. Anything else than a list has none.
pub(super) fn first<'a, T>(
    list: &'a RawValue,
    most: usize,
    read: impl FnMut(&'a RawValue) -> T,
) -> (Vec<T>, usize) {
    struct First<F>(usize, F);
    impl<'de, T, F: FnMut(&'de RawValue) -> T> Visitor<'de> for First<F> {
        type Value = (Vec<T>, usize);

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }

        fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut read = Vec::new();
            while read.len() < self.0
                && let Some(entry) = list.next_element()?
            {
                read.push((self.1)(entry));
            }
            let mut others = 0;
            while list.next_element::<IgnoredAny>()?.is_some() {
                others += 1;
            }
            Ok((read, others))
        }
    }
    let mut list = serde_json::Deserializer::from_str(list.get());
    list.deserialize_seq(First(most, read)).unwrap_or_default()
}

/// Returns a JSON string as text, and a number as its digits.
fn text(value: Option<&RawValue>) -> Option<String> {
    let value = value?.get();
    let digits = || value.parse::<u32>().ok().map(|number| number.to_string());
    serde_json::from_str(value).ok().or_else(digits)
}

/// Returns whether a text says that there were too many requests.
pub(super) fn says_rate_limit(text: &str) -> bool {
    const WORDS: &[&str] =
        &["rate limit", "rate-limit", "ratelimit", "rate exceeded", "too many requests", "throttl"];
    let text = text.to_lowercase();
    WORDS.iter().any(|words| text.contains(words))
}

impl GraphQlError {
    /// Reads an entry of `errors` of any form.
    fn read(error: &RawValue, redactor: &Redactor) -> Self {
        let clean = |text: Option<String>| text.map(|text| redactor.clean(&text));
        let read = serde_json::from_str::<WireError<'_>>(error.get()).ok();
        let message = read.as_ref().map_or_else(|| text(Some(error)), |read| text(read.message));
        let message = clean(message).unwrap_or_else(|| "no message".to_owned());
        let prefix = || {
            let (word, _) = message.split_once(':')?;
            let is_code =
                !word.is_empty() && word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
            is_code.then(|| word.to_owned())
        };
        let extensions = read.as_ref().and_then(|read| read.extensions);
        let extensions = extensions.and_then(|it| serde_json::from_str::<WireExtensions<'_>>(it.get()).ok());
        let code = clean(text(read.as_ref().and_then(|read| read.error_type)))
            .or_else(|| clean(text(extensions.and_then(|it| it.code))))
            .or_else(prefix);
        let path = read.map(|read| read.path.0).unwrap_or_default();
        Self { message, code, path: path.iter().map(|step| redactor.clean(step)).collect() }
    }

    /// Returns whether the field refused the mutation before it had an effect. An internal error of the platform,
    /// or an error of a field below, shows that the mutation ran.
    pub(super) fn is_refusal(&self) -> bool {
        self.path.len() <= 1 && !self.is_internal()
    }

    fn is_internal(&self) -> bool {
        // Codes of servers in general, of AWS AppSync and its functions, and of gateways that hide the cause.
        #[rustfmt::skip]
        const INTERNAL_CODES: &[&str] = &[
            "INTERNAL", "TIMEOUT", "TIMED_OUT", "TIMEDOUT", "UNAVAILABLE", "DOWNSTREAM", "UNHANDLED", "LAMBDA",
            "UNKNOWN", "ABORT",
        ];
        const INTERNAL_WORDS: &[&str] =
            &["timed out", "timeout", "time out", "unexpected error", "internal error", "internal server error"];
        let message = self.message.to_lowercase();
        self.code
            .as_deref()
            .is_some_and(|code| INTERNAL_CODES.iter().any(|word| code.to_uppercase().contains(word)))
            || INTERNAL_WORDS.iter().any(|words| message.contains(words))
    }

    /// Returns whether the request was refused because there were too many: by its code, or else by its message.
    fn is_rate_limit(&self) -> bool {
        const CODES: &[&str] = &["RATELIMIT", "TOOMANYREQUEST", "THROTTL", "RATEEXCEEDED", "SLOWDOWN"];
        let is_limit = |code: &str| {
            let code: String = code.to_uppercase().chars().filter(char::is_ascii_alphanumeric).collect();
            code == "429" || CODES.iter().any(|word| code.contains(word))
        };
        self.code.as_deref().is_some_and(is_limit) || !self.is_internal() && says_rate_limit(&self.message)
    }

    /// Returns whether the server says that it doesn't answer questions about its schema.
    fn refuses_introspection(&self) -> bool {
        let message = self.message.to_lowercase();
        let is_about_schema = ["introspection", "__schema", "__type"].iter().any(|word| message.contains(word));
        let is_invalid = self.code.as_deref().is_some_and(|code| code.to_uppercase().contains("VALIDATION"));
        (is_about_schema || is_invalid) && !self.is_internal()
    }

    /// Returns what the rest of the program asks an error, besides its words.
    fn kind(&self) -> (bool, bool, bool, &[String]) {
        let path = &self.path[..self.path.len().min(2)];
        (self.is_refusal(), self.is_rate_limit(), self.refuses_credential(), path)
    }

    /// Returns whether the error refuses the credential.
    pub(super) fn refuses_credential(&self) -> bool {
        // Error codes that refuse the credential under HTTP 200.
        #[rustfmt::skip]
        const CODES: &[&str] = &[
            "UNAUTHENTICATED", "UNAUTHORIZED", "UNAUTHORISED", "FORBIDDEN", "INVALID_SESSION_TOKEN", "INVALID_API_KEY",
        ];
        self.code.as_deref().is_some_and(|code| CODES.iter().any(|refusal| code.contains(refusal)))
    }
}

/// The errors of an answer: the first few, one of each further kind, and how many there are.
///
/// For example, an answer has an error for each of 20,000 users. Three of them are shown, and the number. If one of
/// them is an internal error and the others aren't, it is kept as well, because it decides what is known about the
/// request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GraphQlErrors {
    kept: Vec<GraphQlError>,
    count: usize,
}

/// The number of errors that are shown.
const SHOWN: usize = 3;

/// The most errors that are kept.
const KEPT: usize = 20;

/// The most errors that are read. Nothing is known about the kind of the others.
const READ: usize = 10_000;

/// The longest text about all errors of an answer, in characters.
const LONGEST: usize = 500;

impl Deref for GraphQlErrors {
    type Target = [GraphQlError];

    fn deref(&self) -> &Self::Target {
        &self.kept
    }
}

impl GraphQlErrors {
    /// Reads a list of errors.
    pub(super) fn read(list: &RawValue, redactor: &Redactor) -> Self {
        let mut kept: Vec<GraphQlError> = Vec::new();
        let (read, others) = first(list, READ, |error| {
            let error = GraphQlError::read(error, redactor);
            let is_new = || kept.iter().all(|known| known.kind() != error.kind());
            if kept.len() < SHOWN || kept.len() < KEPT && is_new() {
                kept.push(error);
            }
        });
        Self { kept, count: read.len() + others }
    }

    /// Reads the errors of a body, if it has any. They aren't to be shown.
    pub(super) fn of_body(body: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Envelope<'a> {
            #[serde(borrow, default)]
            errors: Option<&'a RawValue>,
        }
        let errors = serde_json::from_slice::<Envelope<'_>>(body).ok()?.errors?;
        Some(Self::read(errors, &Redactor::default()))
    }

    /// Returns whether each of these errors shows that the mutation had no effect.
    pub(super) fn is_refusal(&self) -> bool {
        self.count <= READ && self.iter().all(GraphQlError::is_refusal)
    }

    /// Returns whether one of these errors is a rate limit.
    pub(super) fn is_rate_limit(&self) -> bool {
        self.iter().any(GraphQlError::is_rate_limit)
    }

    /// Returns whether the server says that it doesn't answer questions about its schema.
    pub(super) fn refuses_introspection(&self) -> bool {
        !self.is_empty() && self.count <= READ && self.iter().all(GraphQlError::refuses_introspection)
    }

    /// Returns whether the request was refused because there were too many, before any of it ran.
    pub(super) fn is_rate_limit_before_effect(&self) -> bool {
        self.is_rate_limit() && self.count <= READ && self.iter().all(|error| error.path.len() <= 1)
    }
}

impl fmt::Display for GraphQlErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: Vec<String> = self.iter().take(SHOWN).map(ToString::to_string).collect();
        let shown = shown.join("; ");
        let mut text: String = shown.chars().take(LONGEST).collect();
        if text.len() < shown.len() {
            text.push('…');
        }
        match self.count {
            1 => write!(f, "the error {text}"),
            count if count > SHOWN => write!(f, "{count} errors: {text}; and {} more", count - SHOWN),
            count => write!(f, "{count} errors: {text}"),
        }
    }
}
