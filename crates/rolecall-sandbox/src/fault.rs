//! Faults that a sandbox injects on request: latency, error statuses, dropped connections and broken answers.

use std::str::FromStr;
use std::time::Duration;

use super::MAX_LATENCY;
use rolecall_model::{ProviderName, nearest};

/// A fault that hits a given number of requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub kind: FaultKind,
    /// The field that a request has to mention to be hit. `None` hits every request.
    pub operation: Option<String>,
    pub times: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Delays the answer.
    Latency(Duration),
    /// Answers with this HTTP status.
    Status(u16),
    /// Answers with HTTP 429 and this `Retry-After`.
    RateLimit(Duration),
    /// Closes the connection before the request is executed.
    DropBefore,
    /// Executes the request, then closes the connection without an answer.
    DropAfter,
    /// Answers with HTTP 200, GraphQL errors and no data. The request isn't executed.
    Errors,
    /// Executes the request and adds an error to the data.
    Partial,
    /// Answers with an HTML page, as a login page or a proxy does.
    Html,
    /// Cuts off the second half of the answer's bytes.
    Truncate,
}

/// A kind of fault, as help texts and errors describe it.
#[derive(Clone, Copy, Debug)]
pub struct FaultSyntax {
    /// The kind as it is written. A word in capital letters after `=` stands for a number.
    pub kind: &'static str,
    /// One sentence that says what the fault does.
    pub about: &'static str,
}

/// Every kind of fault, in the order in which help lists them.
pub const FAULTS: &[FaultSyntax] = &[
    FaultSyntax { kind: "latency=MS", about: "The answer takes this many milliseconds longer, every time." },
    FaultSyntax { kind: "status=CODE", about: "The answer is this HTTP status, and nothing happens." },
    FaultSyntax { kind: "rate-limit=SECONDS", about: "The answer is HTTP 429 with this Retry-After." },
    FaultSyntax { kind: "drop-before", about: "The connection ends before anything happens." },
    FaultSyntax {
        kind: "drop-after",
        about: "The request takes effect, and the connection ends without an answer.",
    },
    FaultSyntax { kind: "errors", about: "The answer is HTTP 200 with errors and no data, and nothing happens." },
    FaultSyntax { kind: "partial", about: "The request takes effect, and the answer has data and an error." },
    FaultSyntax { kind: "html", about: "The answer is a web page, and nothing happens." },
    FaultSyntax { kind: "truncate", about: "The request takes effect, and the answer is cut in half." },
];

impl Fault {
    /// The syntax of a fault on the command line.
    pub const SYNTAX: &str = "KIND[@FIELD][*TIMES]";

    /// Checks that a request can ask for the fault's field.
    pub fn check(&self, provider: ProviderName) -> Result<(), String> {
        let Some(field) = self.operation.as_deref().filter(|field| !field.starts_with("__")) else {
            return Ok(());
        };
        let sdl = (super::definition(provider).sdl)();
        let names = sdl.lines().filter(|line| line.starts_with(char::is_whitespace));
        let names: Vec<&str> = names.filter_map(|line| line.trim().split([':', '(']).next()).collect();
        if names.contains(&field) {
            return Ok(());
        }
        let hint = nearest(field, names).map_or(String::new(), |name| format!(". Did you mean `{name}`?"));
        Err(format!("no request to {provider} can ask for the field `{field}`, so the fault would hit none{hint}"))
    }

    pub(super) fn hits(&self, query: &str) -> bool {
        self.operation.as_ref().is_none_or(|field| {
            query.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| word == field)
        })
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            let kinds: Vec<&str> = FAULTS.iter().map(|fault| fault.kind).collect();
            format!("`{text}` isn't a fault. Write {}, where KIND is one of {}", Self::SYNTAX, kinds.join(", "))
        };
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
            ("latency", Some(ms)) => FaultKind::Latency(Duration::from_millis(ms).min(MAX_LATENCY)),
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
