//! A [`Shard`]: the organisations that one of several machines handles.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One of several runs that divide all organisations among them. The first has the number 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Shard {
    pub number: usize,
    /// The number of all shards.
    pub of: usize,
}

/// The largest number of shards.
const MOST: usize = 1_000;

impl Shard {
    /// Returns a shard, or why there is none of this number.
    pub fn new(number: usize, of: usize) -> Result<Self, String> {
        match (number, of) {
            (_, 0) => Err("there is at least one shard, so the second number can't be 0".to_owned()),
            (_, of) if of > MOST => Err(format!("there are at most {MOST} shards")),
            (0, _) => Err("the first shard is 1, so the first number can't be 0".to_owned()),
            (number, of) if number > of => {
                Err(format!("there is no shard {number} of {of}, because the last one is {of}"))
            }
            (number, of) => Ok(Self { number, of }),
        }
    }

    /// Returns whether this shard has the organisation at a position, of so many in the order of a fleet.
    pub fn has(self, position: usize, organizations: usize) -> bool {
        position * self.of / organizations.max(1) == self.number - 1
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shard {} of {}", self.number, self.of)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let numbers = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
        let (number, of) = numbers.ok_or("write I/N, such as 2/4 for the second of four machines")?;
        Self::new(number, of)
    }
}

/// The verb of a sharded run whose reports can be merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ShardedVerb {
    Plan,
    Drift,
    Apply,
}

impl ShardedVerb {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Drift => "drift",
            Self::Apply => "apply",
        }
    }
}

/// The facts about the run of a shard that `merge` needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ShardRun {
    #[serde(flatten)]
    pub shard: Shard,
    pub verb: ShardedVerb,
    /// The exit code of the run, before its reports were written.
    pub exit: u8,
    /// The number of organisations that the reports of all shards have together.
    pub organizations: usize,
    /// `sha256:` and the hash of the names of all these organisations.
    pub fleet: String,
    /// `sha256:` and the hash of the texts of all files. Shards that read the same files have the same.
    pub files: String,
}
