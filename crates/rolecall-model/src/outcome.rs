//! The [`Outcome`] of a mutation.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The outcome of a mutation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The platform accepted the mutation.
    Done,
    /// The mutation changed nothing.
    Failed,
    /// The mutation was sent, and it is unknown whether it had an effect.
    Unsure,
    /// The mutation was not sent.
    Skipped,
    /// The platform answered without an error, but a later read doesn't show the change.
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
