//! How a run ends.

use std::fmt;
use std::process::ExitCode;

use rolecall_engine::ledger::LedgerError;
use rolecall_graphql::CallError;
use rolecall_model::Finding;
use rolecall_providers::{Provider, ReadError};

/// The exit codes, documented in `--help` and docs/formats.md.
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
    /// Which of several organisations' endings a run reports: the one that most needs a person.
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

    /// What became of one of several organisations, in words.
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

    /// Of a run that somebody ended.
    pub fn interrupted(sent: bool) -> Self {
        if sent { Self::Partial } else { Self::Interrupted }
    }

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

/// Why a run, or one organisation's part of it, could not go on.
#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    /// A read ended before its end, through no fault of what it had got by then.
    pub broke_off: bool,
    /// None where the findings say it all.
    pub message: Option<String>,
    pub hint: Option<String>,
    pub findings: Vec<Finding>,
}

/// All that went wrong, in one line.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let findings = self
            .findings
            .iter()
            .map(|finding| format!("{}: {}: {}", finding.place, finding.code, finding.message));
        let lines: Vec<String> = self.message.iter().cloned().chain(findings).collect();
        f.write_str(&lines.join("; "))
    }
}

impl Failure {
    pub fn error(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::Error,
            broke_off: false,
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
        Self { exit: Exit::Error, broke_off: false, message: None, hint: None, findings }
    }

    /// Without a ledger nothing is planned or sent.
    pub fn unrecorded(error: &LedgerError) -> Self {
        let hint = match error {
            LedgerError::Locked { .. } => "wait until that one has ended, then apply again",
            LedgerError::Damaged { .. } => {
                "restore it from a copy; without it, what was sent before and can't be seen is unknown"
            }
            LedgerError::Io { .. } => "without a ledger nothing is sent; see --ledger",
        };
        Self::error(format!("{error}. Nothing was sent")).hint(hint)
    }

    /// An organisation that couldn't be read.
    pub fn unread(organization: &str, provider: &dyn Provider, error: &ReadError) -> Self {
        let away = matches!(error, ReadError::Call { error, .. } if error.is_unreachable_or_refused());
        Self {
            exit: if away { Exit::Unreachable } else { Exit::Error },
            broke_off: matches!(error, ReadError::Call { error, .. } if !matches!(error, CallError::Shape { .. })),
            message: Some(format!("{organization} could not be read: {error}. Nothing was changed")),
            hint: Some(provider.next_step_of_read(error).unwrap_or_else(|| error.next_step()).to_owned()),
            findings: Vec::new(),
        }
    }
}
