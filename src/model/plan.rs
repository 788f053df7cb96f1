//! What would be done, to be read, saved, approved and applied.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Address, Change, Completeness, Gap, Hold, Mutation, ProviderName, RemoteId};

/// The version of the plan file. A minor step only adds; a reader refuses a major that it doesn't know.
pub const FORMAT_VERSION: &str = "1.0";

/// A plan over one or more organisations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[must_use = "a plan nobody reads changes nothing"]
pub struct Plan {
    pub format_version: String,
    /// The program that wrote it.
    pub generator: String,
    pub organizations: Vec<OrganizationPlan>,
}

/// The plan of one organisation. Whatever may differ between two runs over the same world stands outside `sealed`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OrganizationPlan {
    pub sealed: Sealed,
    /// `sha256:` and the hash of `sealed` as JSON without white space, keys in order.
    pub seal: String,
    /// How complete each list was.
    pub completeness: BTreeMap<String, Completeness>,
    /// What the API, or the lack of a ledger, keeps from us.
    pub gaps: Vec<Gap>,
    /// Guardrails that this plan would break. Not empty: nothing is sent.
    pub refusals: Vec<Refusal>,
    /// Where in the files each change was asked for, as file:line:column.
    pub places: BTreeMap<String, String>,
    /// Users that can be relied on to administrate once all is done.
    pub usable_admins_after: usize,
    /// Requests that reading took.
    pub requests: usize,
}

/// The part that is approved: the same, byte for byte, whenever the world and the wish are the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sealed {
    pub identity: Identity,
    pub changes: Vec<Change>,
    pub mutations: Vec<Mutation>,
    pub holds: Vec<Hold>,
}

/// Which organisation a plan is for. A plan for one never applies to another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Identity {
    pub provider: ProviderName,
    pub organization: RemoteId,
    /// The platform's host without its port, or `sandbox`.
    pub host: String,
}

/// A guardrail that a plan would break.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Refusal {
    /// Such as `min_admins`.
    pub rail: String,
    pub message: String,
    /// The changes that break it.
    pub addresses: Vec<Address>,
}

impl OrganizationPlan {
    /// A mutation by its id, which says its place.
    pub fn mutation(&self, id: &str) -> Option<&Mutation> {
        let place = id.strip_prefix('m')?.parse::<usize>().ok()?.checked_sub(1)?;
        self.sealed.mutations.get(place).filter(|mutation| mutation.id == id)
    }

    /// The change of an entity. Changes are in the order of their addresses.
    pub fn change(&self, address: &Address) -> Option<&Change> {
        let changes = &self.sealed.changes;
        changes.binary_search_by(|change| change.address.cmp(address)).ok().map(|index| &changes[index])
    }
}
