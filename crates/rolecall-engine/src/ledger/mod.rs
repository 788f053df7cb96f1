//! What apply sent and what became of it: JSON lines, only ever appended to, without a secret.
//!
//! Some acts can't be seen in the live state. The ledger remembers them, and is the audit trail besides.

mod facts;
mod file;

use std::collections::BTreeSet;
use std::path::Path;

use jiff::Timestamp;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use facts::facts;
pub use file::{Alone, LedgerError};
use file::{Ending, LedgerFile};

use rolecall_model::{Address, Change, Entity, Facts, Guardrail, HoldReason, Identity, Outcome, RemoteId};

/// The version of the ledger's lines. A minor step only adds.
pub const LEDGER_VERSION: &str = "2.0";

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Record {
    pub at: Timestamp,
    /// Which run of apply wrote it.
    pub run: String,
    #[serde(flatten)]
    pub event: Event,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// An apply begins. Nothing was sent yet.
    RunStarted { format_version: String, generator: String, identity: Identity, seal: String },
    /// The plan breaks a guardrail, and the file lifts it.
    #[serde(alias = "lifted")]
    Override {
        #[serde(alias = "rail")]
        guardrail: Guardrail,
        message: String,
        plan: String,
        until: Date,
        reason: String,
    },
    /// About to send. On disk before the request is.
    Intent {
        mutation: String,
        operation: String,
        change: Box<Change>,
        /// Keys of the same name that were there before a mint, so that one whose answer was lost can be found.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        known: BTreeSet<RemoteId>,
        /// A first step, which doesn't close the change.
        #[serde(default, skip_serializing_if = "std::ops::Not::not", alias = "interim")]
        first_step: bool,
    },
    /// What became of it. A later line for the same mutation of the same run replaces an earlier one.
    Outcome {
        mutation: String,
        address: Address,
        outcome: Outcome,
        /// The platform itself said no.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        refused: bool,
        /// Of the entity that was made.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<RemoteId>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// A minted secret arrived, or didn't.
    Delivery { mutation: String, address: Address, id: RemoteId, arrived: bool },
    /// A read did or didn't show somebody who was invited.
    Sighting {
        address: Address,
        seen: bool,
        /// As a member, where the platform lists the invited apart.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        accepted: bool,
    },
    /// A read no longer shows somebody whom we disabled.
    Vanished { address: Address },
    /// A read shows them again, so that another hand has let them in.
    Readmitted { address: Address },
    /// An update cleared something that it doesn't carry.
    Lost { address: Address, what: String },
    /// The platform won't have an entity changed, for a reason that no read shows.
    Held { address: Address, reason: HoldReason },
    /// How an entity stood after a change that was not taken, or not in full.
    LeftAs { address: Address, entity: Box<Entity> },
    /// What had not been taken is in effect after all.
    Settled { address: Address },
    /// The apply is over. `in_sync` is absent where the last read failed.
    RunFinished {
        #[serde(default, skip_serializing_if = "Option::is_none", alias = "converged")]
        in_sync: Option<bool>,
    },
    /// The line before broke off when its writer died.
    Recovered { torn_bytes: usize },
}

/// A ledger, open for one apply.
#[derive(Debug, Default)]
pub struct Ledger {
    /// None: in memory only.
    file: Option<LedgerFile>,
    records: Vec<Record>,
}

impl Ledger {
    /// For tests, and where nothing should be kept.
    pub fn in_memory() -> Self {
        Self::default()
    }

    /// Opens, or makes, the ledger and keeps other applies out until it is dropped.
    pub fn open(path: &Path, run: &str, at: Timestamp) -> Result<Self, LedgerError> {
        let (file, records, ending) = LedgerFile::open(path)?;
        let mut ledger = Self { file: Some(file), records };
        match ending {
            Ending::Whole => {}
            Ending::NoNewline => ledger.end_line()?,
            Ending::Torn(torn_bytes) => {
                ledger.end_line()?;
                ledger.append(Record { at, run: run.to_owned(), event: Event::Recovered { torn_bytes } })?;
            }
        }
        Ok(ledger)
    }

    fn end_line(&mut self) -> Result<(), LedgerError> {
        self.file.as_mut().map_or(Ok(()), LedgerFile::end_line)
    }

    /// Reads a ledger without locking it. None: there is none.
    pub fn read(path: &Path) -> Result<Option<Vec<Record>>, LedgerError> {
        file::read(path)
    }

    /// Writes a line and waits until it is on disk.
    pub fn append(&mut self, record: Record) -> Result<(), LedgerError> {
        self.append_all(vec![record])
    }

    /// Writes lines and waits until all are on disk.
    pub fn append_all(&mut self, records: Vec<Record>) -> Result<(), LedgerError> {
        if let Some(file) = self.file.as_mut().filter(|_| !records.is_empty()) {
            file.append(&records)?;
        }
        self.records.extend(records);
        Ok(())
    }

    /// The first organisation in it that isn't this one.
    pub fn foreign<'a>(records: &'a [Record], identity: &Identity) -> Option<&'a Identity> {
        records.iter().find_map(|record| match &record.event {
            Event::RunStarted { identity: written, .. } => {
                (!written.is_same_organization(identity)).then_some(written)
            }
            _ => None,
        })
    }

    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// What the planner may take from it.
    pub fn facts(&self) -> Facts {
        facts(&self.records)
    }
}
