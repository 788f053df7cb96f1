//! The [`Activity`] of rolecall in an organisation: when it last did its work, and until when its credential works.

use std::collections::BTreeSet;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Expiry;

/// The times by which somebody notices that a schedule has stopped, or that a credential is about to end. They aren't a
/// part of the seal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Activity {
    /// The time of the first line of the ledger. Absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ledger_since: Option<Past>,
    /// The last apply that finished, with every mutation done and a last read that worked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_apply: Option<Past>,
    /// The last drift run that read everything and that the ledger records. A drift report doesn't count itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_drift: Option<Past>,
    /// The end of the credential that rolecall signs in with, where the platform tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_expires: Option<CredentialEnd>,
    /// The jobs whose last good run is older than `--max-silence` allows.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub silent: BTreeSet<Job>,
    /// True if reports for people show these times: one is old or ends soon, or `--max-silence` asks for them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub notable: bool,
}

/// A time that has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Past {
    pub at: Timestamp,
    /// The number of whole days from then to the plan.
    pub days: i64,
}

/// The end of a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CredentialEnd {
    pub at: Expiry,
    /// The number of whole days from the plan to the end. It is negative if the time has passed.
    pub days: i64,
    /// True if it ends within the horizon (`--horizon`). Only then do reports for people show it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub soon: bool,
}

/// A job that a schedule runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Job {
    Apply,
    Drift,
}

impl Activity {
    /// Returns whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Past {
    /// Creates a past time, as a plan of `now` shows it. A time after `now` counts as the same time.
    pub fn new(at: Timestamp, now: Timestamp) -> Self {
        Self { at, days: (now.duration_since(at).as_hours() / 24).max(0) }
    }
}
