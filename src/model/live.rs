//! What the platform answered, with its gaps declared.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Email, Expiry, KeyName, RemoteId, RoleName, Seen};

/// One organisation, as read.
#[derive(Clone, Debug)]
pub struct Live {
    pub organization: RemoteId,
    pub users: Listing<LiveUser>,
    pub keys: Listing<LiveKey>,
    /// What the API doesn't show at all.
    pub gaps: Vec<Gap>,
    /// Requests that the read took, retries included.
    pub requests: usize,
}

/// A list and how much of it there is.
#[derive(Clone, Debug)]
pub struct Listing<T> {
    /// Sorted by id, each once.
    pub items: Vec<T>,
    pub completeness: Completeness,
}

/// Whether absence from a list proves anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Completeness {
    /// The platform's own count agrees.
    Proven,
    /// The platform offers no proof.
    Assumed { why: String },
    /// Something is missing: nothing may rest on absence.
    Broken { why: String },
}

impl Completeness {
    pub fn is_broken(&self) -> bool {
        matches!(self, Self::Broken { .. })
    }
}

/// Something that the API has and doesn't show.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Gap {
    /// Such as `enabled` of users.
    pub what: String,
    /// What follows for whoever reads the plan.
    pub why: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveUser {
    pub id: RemoteId,
    pub email: Email,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub phone: Option<String>,
    pub roles: BTreeSet<RoleName>,
    pub enabled: Seen<bool>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveKey {
    pub id: RemoteId,
    pub name: KeyName,
    pub roles: BTreeSet<RoleName>,
    pub expires: Option<Expiry>,
    pub enabled: bool,
}
