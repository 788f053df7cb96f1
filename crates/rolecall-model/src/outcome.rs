//! What became of a mutation.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What became of a mutation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The platform took it.
    Done,
    /// It changed nothing.
    Failed,
    /// Sent, and whether it had an effect is unknown.
    Unsure,
    /// Not sent.
    Skipped,
    /// Answered without an error, and a read doesn't show it.
    NotTaken,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Unsure => "unsure",
            Self::Skipped => "skipped",
            Self::NotTaken => "not taken",
        })
    }
}
