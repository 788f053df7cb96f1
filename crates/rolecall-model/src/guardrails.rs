//! The [`Guardrails`] of a file: limits for every plan, whatever the rest of the file says.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Address, Email, Kind, Place};

/// The guardrails of a file. The command line can make them stricter for one run.
#[derive(Clone, Debug)]
pub struct Guardrails {
    /// The number of usable admins that a plan must leave.
    pub min_admins: usize,
    /// The number of entities that may lose access in one plan.
    pub max_removals: Removals,
    /// The number of usable admins that a plan must leave by the command line. No exception in the file overrides it.
    pub asked_admins: Option<usize>,
    /// True if no plan may take from rolecall's own user or its own key what rolecall needs.
    pub require_self: bool,
    /// Addresses that rolecall never changes, each with its place in the file.
    pub protected: BTreeMap<Pattern, Place>,
    /// Exceptions: reviewed plans that may break some guardrails.
    pub exceptions: Vec<Exception>,
}

/// A guardrail that a plan can break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Guardrail {
    /// Limits how many entities of a collection may lose access in one plan.
    MaxRemovals,
    /// Limits how few usable admins a plan may leave.
    MinAdmins,
    /// Stops a plan that removes all unlisted entities although none of the listed ones exists: probably the file
    /// is for another organisation.
    Manage,
    /// Stops a plan if the directory that people come from has less than half of the people that it had.
    Directory,
    /// Stops a plan if rolecall can't tell that the live organisation is the one in the file.
    Organization,
    /// Stops a plan if the credential lacks what its changes need. Only `plan --as apply` asks.
    Credential,
}

impl Guardrail {
    /// The guardrails that an exception can override. For the others, the file must be corrected.
    pub const OVERRIDABLE: &[Self] = &[Self::MaxRemovals, Self::MinAdmins];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::MaxRemovals => "max_removals",
            Self::MinAdmins => "min_admins",
            Self::Manage => "manage",
            Self::Directory => "directory",
            Self::Organization => "organization",
            Self::Credential => "credential",
        }
    }
}

impl fmt::Display for Guardrail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// An exception in the reviewed file, which lets one plan break some guardrails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    pub place: Place,
    /// The seal of the plan.
    pub plan: String,
    /// The guardrails that the plan may break.
    pub guardrails: BTreeSet<Guardrail>,
    /// The last day on which the exception applies, in UTC.
    pub until: Date,
    pub reason: String,
}

impl Default for Guardrails {
    fn default() -> Self {
        Self {
            min_admins: 1,
            max_removals: Removals::default(),
            asked_admins: None,
            require_self: true,
            protected: BTreeMap::new(),
            exceptions: Vec::new(),
        }
    }
}

impl Guardrails {
    /// Makes limits stricter for one run, as the command line asks. A limit is never loosened.
    pub fn tighten(&mut self, min_admins: Option<usize>, max_removals: Option<Limit>) {
        self.min_admins = self.min_admins.max(min_admins.unwrap_or_default());
        self.max_removals.at_most = max_removals;
        self.asked_admins = min_admins;
    }
}

/// The number of entities of each collection that may lose access in one plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removals {
    /// The limits in the file. A collection without one has [`Limit::default`].
    by_kind: BTreeMap<Kind, Limit>,
    /// The limit of the command line, which applies to every collection. No exception in the file overrides it.
    at_most: Option<Limit>,
}

impl Removals {
    /// Sets the same limit for every collection.
    pub fn same_for_each(limit: Limit) -> Self {
        Self { by_kind: Kind::ALL.iter().map(|kind| (*kind, limit)).collect(), at_most: None }
    }

    /// Sets the limits of these collections. The others have [`Limit::default`].
    pub fn new(by_kind: BTreeMap<Kind, Limit>) -> Self {
        Self { by_kind, at_most: None }
    }

    /// Returns the limits in the file.
    pub fn by_kind(&self) -> &BTreeMap<Kind, Limit> {
        &self.by_kind
    }

    /// Returns the strictest of other limits and that of the command line, and the number of entities that it allows of
    /// `live`. `None` if there are no other limits.
    pub fn strictest(&self, others: impl Iterator<Item = Limit>, live: usize) -> Option<(Limit, usize)> {
        let own = others.map(|limit| (limit, limit.count(live))).min_by_key(|(_, most)| *most)?;
        let limits = self.at_most.map(|limit| (limit, limit.count(live))).into_iter().chain([own]);
        limits.min_by_key(|(_, most)| *most)
    }

    /// Returns whether the command line allows so many removals of `live` entities.
    pub fn are_asked_for(&self, removed: usize, live: usize) -> bool {
        self.at_most.is_none_or(|limit| removed <= limit.count(live))
    }

    /// Returns the stricter of the limits that apply to a collection with `live` entities, and the number of
    /// entities that it allows.
    pub fn for_collection(&self, kind: Kind, live: usize) -> (Limit, usize) {
        let written = self.by_kind.get(&kind).copied().unwrap_or_default();
        self.strictest([written].into_iter(), live).unwrap_or((written, written.count(live)))
    }
}

/// A limit on removals: a percentage of the live entities, or a number. The default is 25%, and at least two: a
/// quarter of five people is one, and a small organisation would need an exception for each second leaver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// A share in percent, and the number that it allows even if the share is less.
    Share {
        percent: u8,
        at_least: usize,
    },
    Number(usize),
}

impl Limit {
    /// Returns the number of entities that the limit allows of `live` entities. A share is rounded down.
    pub fn count(self, live: usize) -> usize {
        match self {
            Self::Share { percent, at_least } => (live * usize::from(percent) / 100).max(at_least),
            Self::Number(number) => number,
        }
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self::Share { percent: 25, at_least: 2 }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Share { percent, at_least: 1 } => write!(f, "{percent}%"),
            Self::Share { percent, at_least } => write!(f, "{{ share: {percent}%, at_least: {at_least} }}"),
            Self::Number(number) => write!(f, "{number}"),
        }
    }
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("`{text}` is not a limit; write a percentage such as 25%, or a number such as 3");
        match text.strip_suffix('%') {
            Some(percent) => {
                let percent = percent.parse().ok().filter(|percent| *percent <= 100);
                percent.map(|percent| Self::Share { percent, at_least: 1 }).ok_or_else(wrong)
            }
            None => text.parse().map(Self::Number).map_err(|_| wrong()),
        }
    }
}

/// An address in which each `*` stands for any text, such as `user/*@acme.example`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pattern(Address);

impl Pattern {
    /// Returns whether a name is as a pattern says, in which `*` stands for any text.
    pub fn matches(pattern: &str, name: &str) -> bool {
        matches(pattern, name)
    }

    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Returns whether the pattern matches this address. Without an id, it matches every entity of that name.
    pub fn covers(&self, other: &Address) -> bool {
        let Self(Address { kind, name, id }) = self;
        kind.covers(other.kind) && matches(name, &other.name) && (id.is_none() || *id == other.id)
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut name) = name.strip_prefix(start) else { return false };
    let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
    for part in middle.split('*') {
        match name.find(part) {
            Some(found) => name = &name[found + part.len()..],
            None => return false,
        }
    }
    name.ends_with(end)
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let address: Address = text.parse()?;
        // A typing error would protect nobody. A `*` may stand for any part of an address. An address with an id is that
        // of a live entity, which may have any name.
        let name = address.name.replace("*", "x");
        let is_email = matches!(address.kind, Kind::User | Kind::Invitation) && address.id.is_none();
        if is_email && (name.contains('@') || name == address.name) {
            Email::parse(&name).map_err(|why| format!("the email address {why}"))?;
        }
        Ok(Self(address))
    }
}
