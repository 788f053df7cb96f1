//! What would be done, to be read, saved, approved and applied.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Address, Change, Completeness, Gap, Guardrail, Hold, Inventory, Mutation, ProviderName, RemoteId};

/// The version of the plan file. A minor step only adds; a reader refuses a major that it doesn't know.
pub const FORMAT_VERSION: &str = "2.0";

/// A plan over one or more organisations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[must_use = "a plan nobody reads changes nothing"]
pub struct Plan {
    pub format_version: String,
    /// The program that wrote it.
    pub generator: String,
    pub organizations: Vec<OrganizationPlan>,
    /// Those that could not be planned, and are not among these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<Unread>,
}

/// An organisation of which no plan could be made.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Unread {
    pub provider: ProviderName,
    pub organization: RemoteId,
    pub why: String,
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
    /// Guardrails that it would break, but for an exception in the file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<Override>,
    /// Changes by which an admin, a privileged role or a privileged key comes, goes or becomes another.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub privileged: BTreeSet<Address>,
    /// Where in the files each change was asked for, as file:line:column.
    pub places: BTreeMap<String, String>,
    /// Users that can be relied on to administrate once all is done.
    pub usable_admins_after: usize,
    /// Requests that reading took.
    pub requests: usize,
    /// What else is there, where a drift report says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inventory: Option<Inventory>,
}

/// The part that is approved: the same, byte for byte, whenever the world and the desired are the same.
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
    #[serde(flatten)]
    pub site: Site,
}

/// Where an organisation is reached, as it may be shown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Site {
    /// The platform's host without its port, or `sandbox`.
    pub host: String,
    /// Where the endpoint's path is a secret: the first digits of its SHA-256, which tell one from another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_digest: Option<String>,
}

/// A guardrail that a plan would break.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Refusal {
    pub guardrail: Guardrail,
    pub message: String,
    /// The changes that break it.
    pub addresses: Vec<Address>,
}

/// A guardrail that a plan would break, and that the file lifts for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Override {
    #[serde(flatten)]
    pub refusal: Refusal,
    /// The seal that the exception names.
    pub plan: String,
    /// The last day, in UTC.
    pub until: Date,
    pub reason: String,
}

impl Plan {
    pub fn new(generator: impl Into<String>, organizations: Vec<OrganizationPlan>) -> Self {
        Self {
            format_version: FORMAT_VERSION.to_owned(),
            generator: generator.into(),
            organizations,
            unread: Vec::new(),
        }
    }
}

impl Site {
    /// A site whose path is no secret.
    pub fn host(host: impl Into<String>) -> Self {
        Self { host: host.into(), path_digest: None }
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, path_digest } = self;
        match path_digest {
            Some(digest) => write!(f, "{host} (path {digest})"),
            None => f.write_str(host),
        }
    }
}

impl Identity {
    /// Are these the same organisation? A secret path may have been exchanged since.
    pub fn is_same_organization(&self, other: &Self) -> bool {
        self.provider == other.provider
            && self.organization == other.organization
            && self.site.host == other.site.host
    }
}

impl OrganizationPlan {
    /// A mutation by its id, which says its place.
    pub fn mutation(&self, id: &str) -> Option<&Mutation> {
        let place = id.strip_prefix('m')?.parse::<usize>().ok()?.checked_sub(1)?;
        self.sealed.mutations.get(place).filter(|mutation| mutation.id == id)
    }

    /// Is a mutation a first step of a change, after which another closes it?
    pub fn is_first_step(&self, mutation: &Mutation, change: &Address) -> bool {
        let closes = |other: &&Mutation| !other.first_step && other.id != mutation.id && other.change == *change;
        mutation.first_step
            || (!mutation.also.is_empty() && self.sealed.mutations.iter().any(|other| closes(&other)))
    }

    /// The change of an entity. Changes are in the order of their addresses.
    pub fn change(&self, address: &Address) -> Option<&Change> {
        let changes = &self.sealed.changes;
        changes.binary_search_by(|change| change.address.cmp(address)).ok().map(|index| &changes[index])
    }
}
