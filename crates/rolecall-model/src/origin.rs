//! Where each change of a plan comes from: its [`Origin`].
//!
//! The origins are found by planning twice against one read: with the files of this run, and with the same files as of
//! the base, such as the branch that a pull request is for. For example, the base gives Jane the role `Viewer`, and
//! somebody made her an admin by hand last night. A pull request adds Bob. The plan then has two changes: Bob's is
//! asked for by the lines that the pull request adds, and Jane's has drifted.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::change::is_false;
use super::{Address, Guardrail};

/// A comparison of the plan with what the base asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// The base, as the command line names it.
    pub base: String,
    /// The reason why the base can't be planned. Then no origin is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unplanned: Option<String>,
    /// The origin of each change, by its address.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub changes: BTreeMap<Address, Origin>,
    /// The origin of what is skipped or needs attention, by its address. An entity that was ignored before, and still is,
    /// has none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub holds: BTreeMap<Address, OriginKind>,
    /// The entries that the base has and the files no longer have. Not every one leads to a change: under `manage:
    /// listed`, an entity without an entry stays as it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deletions: Vec<Deletion>,
}

/// The origin of one change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Origin {
    pub is: OriginKind,
    /// The lines of the files that ask for the change, as a diff against the base.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<DiffLine>,
    /// The fields of a change that is asked for which have also drifted: the base asks for the same value, and live has
    /// another one.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub drifted: BTreeSet<String>,
    /// True if only the indentation of the lines differs.
    #[serde(default, skip_serializing_if = "is_false")]
    pub reindented: bool,
}

/// A kind of origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OriginKind {
    /// The files ask for it, and the base doesn't.
    Asked,
    /// The base asks for the same, and live is otherwise.
    Drifted,
    /// An earlier apply began it, and rolecall or somebody else completes it.
    StillToDo,
    /// Something has expired.
    Expired,
    /// Another change of the plan needs it.
    NeededByAnother,
}

/// A line of a diff between the base and the files.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct DiffLine {
    /// The path of the file, in the base if the line is removed.
    pub file: String,
    /// The number of the line, from one.
    pub line: usize,
    /// True if the files have the line and the base doesn't. False if it is the other way round.
    pub added: bool,
    /// The line. A line that may have a credential isn't shown.
    pub text: String,
}

/// An entry that the base has and the files no longer have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Deletion {
    pub address: Address,
    #[serde(flatten)]
    pub by: DeletedBy,
    /// The lines of the base that are gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<DiffLine>,
}

/// The edit that deleted an entry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "by", rename_all = "kebab-case")]
pub enum DeletedBy {
    /// The entry was removed, and others of its list stay.
    Entry,
    /// The entry has another name now.
    Renamed { to: Address },
    /// The whole section was removed, or renamed.
    Section { section: String },
    /// No commit removed the entry by itself. It was lost when branches were merged.
    Merge,
    /// The lines are still there, elsewhere or with another indentation, and no longer mean this entry.
    Moved { file: String, line: usize },
}

impl DeletedBy {
    /// Returns whether somebody asked for this deletion by itself. Anything else is often a slip: a section, a file or an
    /// indentation can take many entries away with one line.
    pub fn is_explicit(&self) -> bool {
        matches!(self, Self::Entry | Self::Renamed { .. })
    }
}

/// The last time that an entity was as the files ask for, as far as the ledger shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LastInSync {
    pub at: Timestamp,
    /// The id of the run that saw it, or made it so.
    pub run: String,
}

/// A comparison of the plan with the plan of each pull request alone, if it is the plan of several together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Together {
    /// The other versions of the files, as the command line names them.
    pub with: Vec<String>,
    /// The changes that no version alone has.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub changes: BTreeSet<Address>,
    /// The guardrails that no version alone breaks.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub refusals: BTreeSet<Guardrail>,
}

impl OriginKind {
    /// Returns whether a pull request may make such a change without asking for it.
    pub fn is_due(self) -> bool {
        match self {
            Self::Asked | Self::StillToDo | Self::Expired | Self::NeededByAnother => true,
            Self::Drifted => false,
        }
    }

    /// Returns the words of a report.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked for here",
            Self::Drifted => "drifted",
            Self::StillToDo => "still to do",
            Self::Expired => "expired",
            Self::NeededByAnother => "needed by another",
        }
    }
}
