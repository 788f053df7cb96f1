//! What apply sent and what became of it: JSON lines, only ever appended to, without a secret.
//!
//! Some acts can't be seen in the live state. The ledger remembers them, and is the audit trail besides.

mod facts;
mod file;

use std::collections::BTreeSet;
use std::path::Path;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use facts::facts;
pub use file::LedgerError;
use file::LedgerFile;

use crate::model::{Address, Change, Facts, Identity, Outcome, RemoteId};

/// The version of the ledger's lines. A minor step only adds.
pub const LEDGER_VERSION: &str = "1.0";

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
    /// About to send. On disk before the request is.
    Intent {
        mutation: String,
        operation: String,
        change: Box<Change>,
        /// Keys of the same name that were there before a mint, so that one whose answer was lost can be found.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        known: BTreeSet<RemoteId>,
    },
    /// What became of it. A later line for the same mutation of the same run replaces an earlier one.
    Outcome {
        mutation: String,
        address: Address,
        outcome: Outcome,
        /// Of the entity that was made.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<RemoteId>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// A minted secret arrived, or didn't.
    Delivery { mutation: String, address: Address, id: RemoteId, arrived: bool },
    /// A read did or didn't show somebody who was invited.
    Sighting { address: Address, seen: bool },
    /// What had not been taken is in effect after all.
    Settled { address: Address },
    /// The apply is over. `converged` is absent where the last read failed.
    RunFinished {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        converged: Option<bool>,
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
    found: bool,
}

impl Ledger {
    /// For tests, and where nothing should be kept.
    pub fn in_memory() -> Self {
        Self::default()
    }

    /// Opens, or makes, the ledger and keeps other applies out until it is dropped.
    pub fn open(path: &Path, run: &str, at: Timestamp) -> Result<Self, LedgerError> {
        let (mut file, records, torn) = LedgerFile::open(path)?;
        let found = !records.is_empty();
        let mut ledger = Self { file: None, records, found };
        if let Some(torn_bytes) = torn {
            file.end_line()?;
            ledger.file = Some(file);
            ledger.append(Record { at, run: run.to_owned(), event: Event::Recovered { torn_bytes } })?;
        } else {
            ledger.file = Some(file);
        }
        Ok(ledger)
    }

    /// Reads a ledger without locking it. None: there is none.
    pub fn read(path: &Path) -> Result<Option<Vec<Record>>, LedgerError> {
        file::read(path)
    }

    /// Writes a line and waits until it is on disk.
    pub fn append(&mut self, record: Record) -> Result<(), LedgerError> {
        if let Some(file) = &mut self.file {
            file.append(&record)?;
        }
        self.records.push(record);
        Ok(())
    }

    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// What the planner may take from it.
    pub fn facts(&self) -> Facts {
        facts(&self.records, self.found || !self.records.is_empty())
    }
}
