//! Faults on demand.

use std::str::FromStr;
use std::time::Duration;

use super::LONGEST_WAIT;

/// Something that goes wrong a number of times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub kind: FaultKind,
    /// Only requests that mention this field. All, where there is none.
    pub operation: Option<String>,
    pub times: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The answer takes longer.
    Latency(Duration),
    /// An HTTP status instead of an answer.
    Status(u16),
    /// HTTP 429 with `Retry-After`.
    RateLimit(Duration),
    /// The connection ends before anything happened.
    DropBefore,
    /// The connection ends after it happened.
    DropAfter,
    /// HTTP 200 and nothing but errors.
    Errors,
    /// Data and errors together.
    Partial,
    /// A page for people.
    Html,
    /// Half of the answer's bytes.
    Truncate,
}

impl Fault {
    /// How faults are written on the command line.
    pub const SYNTAX: &str = "KIND[@FIELD][*TIMES]; KIND is latency=MS, status=CODE, rate-limit=SECONDS, drop-before, drop-after, errors, partial, html or truncate";

    pub(super) fn meets(&self, query: &str) -> bool {
        self.operation.as_ref().is_none_or(|field| {
            query.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| word == field)
        })
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no fault; write {}", Self::SYNTAX);
        let (rest, times) = match text.split_once('*') {
            Some((rest, times)) => (rest, Some(times.parse().map_err(|_| wrong())?)),
            None => (text, None),
        };
        let (kind, operation) = match rest.split_once('@') {
            Some((kind, field)) => (kind, Some(field.to_owned())),
            None => (rest, None),
        };
        let (kind, argument) = match kind.split_once('=') {
            Some((kind, argument)) => (kind, Some(argument.parse::<u64>().map_err(|_| wrong())?)),
            None => (kind, None),
        };
        let kind = match (kind, argument) {
            ("latency", Some(ms)) => FaultKind::Latency(Duration::from_millis(ms).min(LONGEST_WAIT)),
            ("status", Some(code @ 100..=599)) => FaultKind::Status(u16::try_from(code).map_err(|_| wrong())?),
            ("rate-limit", Some(seconds)) => FaultKind::RateLimit(Duration::from_secs(seconds)),
            ("drop-before", None) => FaultKind::DropBefore,
            ("drop-after", None) => FaultKind::DropAfter,
            ("errors", None) => FaultKind::Errors,
            ("partial", None) => FaultKind::Partial,
            ("html", None) => FaultKind::Html,
            ("truncate", None) => FaultKind::Truncate,
            _ => return Err(wrong()),
        };
        let times = times.unwrap_or(if matches!(kind, FaultKind::Latency(_)) { usize::MAX } else { 1 });
        Ok(Self { kind, operation, times })
    }
}
