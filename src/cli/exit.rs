//! The exit codes, and the failures that end a run.

use std::fmt;
use std::process::ExitCode;

use rolecall_engine::ledger::LedgerError;
use rolecall_graphql::CallError;
use rolecall_model::Finding;
use rolecall_providers::{Provider, ReadError};

/// Returns the message of an error as a sentence, with a capital letter and a period.
pub fn sentence(error: impl fmt::Display) -> String {
    let text = error.to_string();
    let mut rest = text.chars();
    let first: String = rest.next().into_iter().flat_map(char::to_uppercase).collect();
    let end = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{end}", rest.as_str())
}

/// The exit codes, as `rolecall exit-codes` and docs/formats.md explain them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Done = 0,
    Error = 1,
    Differences = 2,
    Refused = 3,
    Stale = 4,
    Partial = 5,
    Unreachable = 6,
    Interrupted = 130,
}

impl Exit {
    /// Returns the precedence of an exit code. A run over several organisations ends with the lowest, which is the
    /// most urgent one for a person.
    fn rank(self) -> u8 {
        match self {
            Self::Partial => 0,
            Self::Stale => 1,
            Self::Refused => 2,
            Self::Unreachable => 3,
            Self::Error => 4,
            Self::Interrupted => 5,
            Self::Differences => 6,
            Self::Done => 7,
        }
    }

    /// Returns the exit code with this number.
    pub fn of(code: u8) -> Option<Self> {
        const ALL: [Exit; 8] = [
            Exit::Done,
            Exit::Error,
            Exit::Differences,
            Exit::Refused,
            Exit::Stale,
            Exit::Partial,
            Exit::Unreachable,
            Exit::Interrupted,
        ];
        ALL.into_iter().find(|exit| *exit as u8 == code)
    }

    /// Returns the ending of one organisation in words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Error => "error",
            Self::Differences => "differences",
            Self::Refused => "refused",
            Self::Stale => "stale",
            Self::Partial => "partly applied",
            Self::Unreachable => "unreachable",
            Self::Interrupted => "interrupted",
        }
    }

    /// Returns the exit code of an interrupted run. `sent`: some requests were sent before.
    pub fn interrupted(sent: bool) -> Self {
        if sent { Self::Partial } else { Self::Interrupted }
    }

    /// Returns the more urgent of two exit codes.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        if other.rank() < self.rank() { other } else { self }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// The reason why a run, or the run of one organisation, could not continue.
#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    /// Whether a read was interrupted. The answers that it got before are good, and the next run can resume it.
    pub is_resumable: bool,
    /// The message. `None` if the findings say everything.
    pub message: Option<String>,
    pub hint: Option<String>,
    pub findings: Vec<Finding>,
}

/// Shows the message and all findings in one line.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let findings = self
            .findings
            .iter()
            .map(|finding| format!("{}: {}: {}", finding.place, finding.code, finding.message));
        let lines: Vec<String> = self.message.iter().cloned().chain(findings).collect();
        f.write_str(&lines.join(" "))
    }
}

impl Failure {
    pub fn error(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::Error,
            is_resumable: false,
            message: Some(message.into()),
            hint: None,
            findings: Vec::new(),
        }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub fn findings(findings: Vec<Finding>) -> Self {
        Self { exit: Exit::Error, is_resumable: false, message: None, hint: None, findings }
    }

    /// Returns the failure of a run whose ledger can't be used. Without a ledger nothing is planned or sent.
    pub fn unrecorded(error: &LedgerError) -> Self {
        let hint = match error {
            LedgerError::Locked { .. } => "Wait until the other apply has ended, then apply again.",
            LedgerError::Damaged { .. } => {
                "Restore it from a copy, or name the right file with `--ledger`. Without it, rolecall doesn't know what it sent before and what the API doesn't show."
            }
            LedgerError::Store { .. } => {
                "rolecall sends nothing that it can't record. Check the address, the network and the credentials, or try them with `rolecall doctor`."
            }
            LedgerError::Io { .. } => {
                "rolecall sends nothing without a ledger. Name another file with `--ledger`."
            }
        };
        Self::error(format!("{} Nothing was sent.", sentence(error))).hint(hint)
    }

    /// Returns the failure of an organisation that could not be read.
    pub fn unread(organization: &str, provider: &dyn Provider, error: &ReadError) -> Self {
        let is_unreachable = matches!(error, ReadError::Call { error, .. } if error.is_unreachable_or_refused());
        Self {
            exit: if is_unreachable { Exit::Unreachable } else { Exit::Error },
            is_resumable: matches!(error, ReadError::Call { error, .. } if !matches!(error, CallError::Shape { .. })),
            message: Some(format!("The organisation {organization} can't be read: {error}. Nothing was changed.")),
            hint: Some(provider.next_step_of_read(error).unwrap_or_else(|| error.next_step()).to_owned()),
            findings: Vec::new(),
        }
    }
}
