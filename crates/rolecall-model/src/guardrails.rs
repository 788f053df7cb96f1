//! Limits that hold whatever the rest of a file desired_users.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Address, Kind, Place};

/// A file's guardrails, made stricter by whoever runs it.
#[derive(Clone, Debug)]
pub struct Guardrails {
    pub min_admins: usize,
    pub max_removals: Removals,
    /// Those that whoever runs it has made stricter: no exception of the file lifts them.
    pub tightened: BTreeSet<Guardrail>,
    /// Does whoever calls keep what they need for it?
    pub require_self: bool,
    /// And where the file says so.
    pub protected: BTreeMap<Pattern, Place>,
    /// Plans that may break a guardrail all the same.
    pub exceptions: Vec<Exception>,
}

/// What a plan may break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Guardrail {
    /// How much of a collection goes.
    MaxRemovals,
    /// How many admins are left.
    MinAdmins,
    /// Everything goes that isn't listed, and what is listed isn't there.
    Manage,
    /// It isn't known to be the organisation that the file is for.
    Organization,
}

impl Guardrail {
    /// Those that an exception may lift: the others are put right in the file.
    pub const OVERRIDABLE: &[Self] = &[Self::MaxRemovals, Self::MinAdmins];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::MaxRemovals => "max_removals",
            Self::MinAdmins => "min_admins",
            Self::Manage => "manage",
            Self::Organization => "organization",
        }
    }
}

impl fmt::Display for Guardrail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One plan that may break some rails, as the reviewed file has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    pub place: Place,
    /// The seal of the plan.
    pub plan: String,
    pub rails: BTreeSet<Guardrail>,
    /// The last day, in UTC.
    pub until: Date,
    pub reason: String,
}

impl Default for Guardrails {
    fn default() -> Self {
        Self {
            min_admins: 1,
            max_removals: Removals::default(),
            tightened: BTreeSet::new(),
            require_self: true,
            protected: BTreeMap::new(),
            exceptions: Vec::new(),
        }
    }
}

impl Guardrails {
    /// Stricter for one run; what the file says is never loosened.
    pub fn tighten(&mut self, min_admins: Option<usize>, max_removals: Option<Limit>) {
        self.min_admins = self.min_admins.max(min_admins.unwrap_or_default());
        self.max_removals.at_most = max_removals;
        self.tightened.extend(min_admins.map(|_| Guardrail::MinAdmins));
        self.tightened.extend(max_removals.map(|_| Guardrail::MaxRemovals));
    }
}

/// How much of each collection may go by one plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removals {
    /// Of collections that aren't named here, a quarter.
    by_kind: BTreeMap<Kind, Limit>,
    /// What whoever runs it allows of each.
    at_most: Option<Limit>,
}

impl Removals {
    /// The same limit for every collection.
    pub fn of_each(limit: Limit) -> Self {
        Self { by_kind: Kind::ALL.iter().map(|kind| (*kind, limit)).collect(), at_most: None }
    }

    /// A limit for each of these.
    pub fn each(by_kind: BTreeMap<Kind, Limit>) -> Self {
        Self { by_kind, at_most: None }
    }

    /// What the file says, collection by collection.
    pub fn by_kind(&self) -> &BTreeMap<Kind, Limit> {
        &self.by_kind
    }

    /// The stricter of the limits that apply to a collection of so many, and how many that are.
    pub fn of(&self, kind: Kind, live: usize) -> (Limit, usize) {
        let written = self.by_kind.get(&kind).copied().unwrap_or_default();
        let limits = [Some(written), self.at_most].into_iter().flatten().map(|limit| (limit, limit.of(live)));
        limits.min_by_key(|(_, most)| *most).unwrap_or((written, written.of(live)))
    }
}

/// A share of a collection, or a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// In percent.
    Share(u8),
    Number(usize),
}

impl Limit {
    /// How many that are of so many. A share is rounded down, and one at least.
    pub fn of(self, live: usize) -> usize {
        match self {
            Self::Share(percent) => (live * usize::from(percent) / 100).max(1),
            Self::Number(number) => number,
        }
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self::Share(25)
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Share(percent) => write!(f, "{percent}%"),
            Self::Number(number) => write!(f, "{number}"),
        }
    }
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("`{text}` is neither a share such as 25% nor a number such as 3");
        match text.strip_suffix('%') {
            Some(percent) => {
                let percent = percent.parse().ok().filter(|percent| *percent <= 100);
                percent.map(Self::Share).ok_or_else(wrong)
            }
            None => text.parse().map(Self::Number).map_err(|_| wrong()),
        }
    }
}

/// An address in which `*` stands for anything.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pattern(Address);

impl Pattern {
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Does it mean this one? Without an id it means every namesake.
    pub fn covers(&self, other: &Address) -> bool {
        let Self(Address { kind, name, id }) = self;
        kind.covers(other.kind) && fits(name, &other.name) && (id.is_none() || *id == other.id)
    }
}

fn fits(pattern: &str, name: &str) -> bool {
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
        text.parse().map(Self)
    }
}
