//! The [`Plan`]: all changes that rolecall would make. People read and approve it, and `apply` sends it.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    AccessChange, Activity, Address, Cause, Change, Comparison, Completeness, Gap, Guardrail, Hold, Inventory,
    LastInSync, Mutation, NearEnding, Origin, ProviderName, RemoteId, ShardRun, Together, Warning,
};

/// The version of the plan file. A minor version only adds fields. rolecall refuses plans of another major
/// version.
pub const FORMAT_VERSION: &str = "2.0";

/// A plan over one or more organisations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[must_use = "a plan nobody reads changes nothing"]
pub struct Plan {
    pub format_version: String,
    /// The program that wrote it.
    pub generator: String,
    /// The shard whose organisations these are. Absent if the run had all organisations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<ShardRun>,
    pub organizations: Vec<OrganizationPlan>,
    /// The organisations that could not be planned. They aren't in `organizations`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<Unread>,
    /// The organisations that the base describes and none of these files does. Nothing of them is planned.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undescribed: Vec<Undescribed>,
}

/// An organisation that the base describes and none of these files does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Undescribed {
    pub provider: ProviderName,
    pub organization: RemoteId,
    /// The file of the base.
    pub file: String,
}

/// An organisation that was not read or not planned, and the reason.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Unread {
    pub provider: ProviderName,
    pub organization: RemoteId,
    pub why: String,
}

/// The plan of one organisation. Values that may differ between two runs with the same input are outside of
/// `sealed`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OrganizationPlan {
    pub sealed: Sealed,
    /// The plan's seal: `sha256:` and the hash of `sealed`, as JSON with sorted keys and without white space.
    pub seal: String,
    /// The completeness of each list that was read.
    pub completeness: BTreeMap<String, Completeness>,
    /// Facts that can't be read, because the API doesn't show them or there is no ledger.
    pub gaps: Vec<Gap>,
    /// Guardrails that the plan would break. If there are any, `apply` sends nothing.
    pub refusals: Vec<Refusal>,
    /// Guardrails that the plan breaks, and that an exception in the file overrides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<Override>,
    /// The changes that give or take privileged access, or change somebody who has it, by address: also those who only
    /// hold a role that changes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub privileged: BTreeMap<Address, Privilege>,
    /// Everything that the changes let somebody do and no longer do, by the address of whoever it is: also for those who
    /// only hold a role that changes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub access: BTreeMap<Address, AccessChange>,
    /// Problems in the file that don't keep the plan from being applied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
    /// The number of changes that `--target` and `--exclude` leave out.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub not_selected: usize,
    /// The place in the files that asks for each change, as file:line:column, by address.
    pub places: BTreeMap<String, String>,
    /// The number of usable admins after the plan.
    pub usable_admins_after: usize,
    /// The number of requests that the read sent.
    pub requests: usize,
    /// Things that rolecall doesn't manage. Only drift reports contain them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inventory: Option<Inventory>,
    /// The comparison with the base, if the run has one (`--base`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Comparison>,
    /// The comparison with each version alone, if the plan is that of several versions together (`--with`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub together: Option<Together>,
    /// The last time that each entity was as the files ask for, of those that differ now. Entities that the ledger has
    /// never seen so are absent.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub last_in_sync: BTreeMap<Address, LastInSync>,
    /// The access that ends within the horizon (`--horizon`), and the access that has ended and still exists. The earliest
    /// comes first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endings: Vec<NearEnding>,
    /// The steps of automatic rotations that no run has taken, and since when each is overdue, by address. They are drift.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub overdue: BTreeMap<Address, Timestamp>,
    /// When rolecall last did its work here, and until when its credential works.
    #[serde(default, skip_serializing_if = "Activity::is_empty")]
    pub activity: Activity,
    /// The notes of the files at the changes and at what is skipped, by address.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub notes: BTreeMap<Address, String>,
}

/// The effect of a change on privileged access: access with which a user or a key can give access to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Privilege {
    /// The change gives privileged access.
    Gains,
    /// The change takes privileged access.
    Loses,
    /// Privileged access stays, or the change is of the organisation itself.
    Keeps,
}

impl Privilege {
    /// Returns the words of a report.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gains => "gains privilege",
            Self::Loses => "loses privilege",
            Self::Keeps => "privileged",
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out a reference")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// The approved part of a plan. It is the same, byte for byte, whenever the live and the desired state are the
/// same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sealed {
    pub identity: Identity,
    pub changes: Vec<Change>,
    pub mutations: Vec<Mutation>,
    pub holds: Vec<Hold>,
}

/// The identity of the organisation that a plan is for. A plan is never applied to another organisation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Identity {
    pub provider: ProviderName,
    pub organization: RemoteId,
    #[serde(flatten)]
    pub site: Site,
}

/// The host in plans of the sandbox. Such a plan applies only to the sandbox, and a plan of a platform never does.
pub const SANDBOX_HOST: &str = "sandbox";

/// The site of the platform, in a form that may be shown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Site {
    /// The platform's host without its port, or `sandbox`.
    pub host: String,
    /// The first digits of the SHA-256 of the endpoint's path, if the path is a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_digest: Option<String>,
}

/// A guardrail that a plan would break.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Refusal {
    pub guardrail: Guardrail,
    pub message: String,
    /// The changes that break the guardrail.
    pub addresses: Vec<Address>,
    /// True if an exception in the file can override this refusal.
    #[serde(default)]
    pub overridable: bool,
}

/// A guardrail that a plan breaks, and that an exception in the file overrides.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Override {
    #[serde(flatten)]
    pub refusal: Refusal,
    /// The seal in the exception.
    pub plan: String,
    /// The last day on which the exception applies, in UTC.
    pub until: Date,
    pub reason: String,
}

impl Refusal {
    pub fn new(guardrail: Guardrail, message: impl Into<String>, addresses: Vec<Address>) -> Self {
        let overridable = Guardrail::OVERRIDABLE.contains(&guardrail);
        Self { guardrail, message: message.into(), addresses, overridable }
    }

    /// Returns the refusal as one that no exception can override, unless this is true.
    #[must_use]
    pub fn overridable_if(self, overridable: bool) -> Self {
        Self { overridable: self.overridable && overridable, ..self }
    }
}

impl Plan {
    pub fn new(generator: impl Into<String>, organizations: Vec<OrganizationPlan>) -> Self {
        Self {
            format_version: FORMAT_VERSION.to_owned(),
            generator: generator.into(),
            shard: None,
            organizations,
            unread: Vec::new(),
            undescribed: Vec::new(),
        }
    }
}

impl Site {
    /// Returns a site whose path isn't a secret.
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
    /// Returns whether both are the same organisation. Paths aren't compared, because a secret path may have been
    /// replaced.
    pub fn is_same_organization(&self, other: &Self) -> bool {
        self.provider == other.provider
            && self.organization == other.organization
            && self.site.host == other.site.host
    }
}

impl OrganizationPlan {
    /// Returns the changes by which live differs from the file, without those that rolecall has still to do.
    pub fn differences(&self) -> impl Iterator<Item = &Change> {
        self.sealed.changes.iter().filter(|change| !self.is_leftover(change))
    }

    /// Returns whether a change is rolecall's own unfinished work, or takes access that has ended. A change that only such
    /// changes need is one too, such as the role for those who lose all access. An overdue step of a rotation is none: the
    /// schedule that should take it doesn't run.
    pub fn is_leftover(&self, change: &Change) -> bool {
        let is_own = |other: &Change| !other.is_leftover() && other.cause != Cause::NeededByAnother;
        let needed = || {
            change.cause == Cause::NeededByAnother
                && self.sealed.changes.iter().any(Change::is_leftover)
                && !self.sealed.changes.iter().any(is_own)
        };
        change.is_leftover() && !self.overdue.contains_key(&change.address) || needed()
    }

    /// Returns the changes that rolecall has still to do, because an earlier apply began them.
    pub fn leftovers(&self) -> impl Iterator<Item = &Change> {
        self.sealed.changes.iter().filter(|change| self.is_leftover(change))
    }

    /// Returns the origin of a change, if the plan was compared with a base.
    pub fn origin(&self, address: &Address) -> Option<&Origin> {
        self.comparison.as_ref()?.changes.get(address)
    }

    /// Returns the mutation with this id.
    pub fn mutation(&self, id: &str) -> Option<&Mutation> {
        // The id contains the position: `m1` is the first.
        let index = id.strip_prefix('m')?.parse::<usize>().ok()?.checked_sub(1)?;
        self.sealed.mutations.get(index).filter(|mutation| mutation.id == id)
    }

    /// Returns whether another mutation completes the change after this one.
    pub fn is_first_step(&self, mutation: &Mutation, change: &Address) -> bool {
        let completes =
            |other: &&Mutation| !other.first_step && other.id != mutation.id && other.change == *change;
        mutation.first_step
            || (!mutation.also.is_empty() && self.sealed.mutations.iter().any(|other| completes(&other)))
    }

    /// Returns the change of an entity. Changes are sorted by address.
    pub fn change(&self, address: &Address) -> Option<&Change> {
        let changes = &self.sealed.changes;
        changes.binary_search_by(|change| change.address.cmp(address)).ok().map(|index| &changes[index])
    }
}
