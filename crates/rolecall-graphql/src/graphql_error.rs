//! One error of an answer, as far as it means the same on all platforms.

use std::fmt;

use serde_json::Value;

use super::Redactor;

/// An entry of `errors`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraphQlError {
    pub message: String,
    /// The machine-readable code: `errorType`, `extensions.code`, or the word before the first colon of the
    /// message.
    pub code: Option<String>,
    /// The path of the field that failed, such as `organisationManagement`, `listUsers`. It is empty if the
    /// request as a whole was refused.
    pub path: Vec<String>,
}

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

impl GraphQlError {
    /// Reads an entry of `errors` of any form.
    pub(super) fn read(error: &Value, redactor: &Redactor) -> Self {
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(|text| redactor.clean(text));
        let message = text(error.get("message")).or_else(|| text(Some(error)));
        let message = message.unwrap_or_else(|| "no message".to_owned());
        let prefix = || {
            let (word, _) = message.split_once(':')?;
            let is_code =
                !word.is_empty() && word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
            is_code.then(|| word.to_owned())
        };
        let code =
            text(error.get("errorType")).or_else(|| text(error.pointer("/extensions/code"))).or_else(prefix);
        let steps = error.get("path").and_then(Value::as_array).into_iter().flatten();
        let path = steps
            .map(|step| {
                step.as_str().map_or_else(|| redactor.clean(&step.to_string()), |name| redactor.clean(name))
            })
            .collect();
        Self { message, code, path }
    }

    /// Returns whether the field refused the mutation before it had an effect. An internal error of the platform,
    /// or an error of a field below, shows that the mutation ran.
    pub(super) fn is_refusal(&self) -> bool {
        // Codes of servers in general, of AWS AppSync and its functions, and of gateways that hide the cause.
        #[rustfmt::skip]
        const INTERNAL_CODES: &[&str] = &[
            "INTERNAL", "TIMEOUT", "TIMED_OUT", "TIMEDOUT", "UNAVAILABLE", "DOWNSTREAM", "UNHANDLED", "LAMBDA",
            "UNKNOWN", "ABORT",
        ];
        const INTERNAL_WORDS: &[&str] =
            &["timed out", "timeout", "time out", "unexpected error", "internal error", "internal server error"];
        let message = self.message.to_lowercase();
        let is_internal = self
            .code
            .as_deref()
            .is_some_and(|code| INTERNAL_CODES.iter().any(|word| code.to_uppercase().contains(word)))
            || INTERNAL_WORDS.iter().any(|words| message.contains(words));
        self.path.len() <= 1 && !is_internal
    }
}
