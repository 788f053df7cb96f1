//! The ledger: what apply sent and what became of it. It is a file of JSON lines that is only appended to and
//! contains no secrets.
//!
//! The ledger remembers what the live state doesn't show, such as an invitation on a platform that doesn't list
//! them. It is also an audit trail.

mod archive;
#[cfg(feature = "object-store")]
mod bucket;
mod drift;
mod endpoint;
mod facts;
mod file;
mod home;
mod lease;
mod rests;
mod store;
mod stored;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use archive::path_of as archive_path;
#[cfg(feature = "object-store")]
pub use bucket::Bucket;
pub use drift::record_drift;
pub use endpoint::Endpoint;
pub use facts::facts;
use file::{Ending, LedgerFile, Unsynced};
pub use file::{LedgerError, OrganizationLock};
pub use home::LedgerHome;
pub use lease::{Hold, release_locks};
pub use store::{Answer, Objects, Store, StoreError, Tag};
use stored::StoredFile;

use rolecall_model::{
    Address, Change, Entity, Facts, Guardrail, HoldReason, Identity, Outcome, RemoteId, SentChange,
};

/// The version of the ledger's format. A minor version only adds fields and events.
pub const LEDGER_VERSION: &str = "2.5";

/// The number of lines from which on an apply shortens a ledger.
pub const LONG: usize = 20_000;

/// The longest time for which a drift run keeps a ledger to write its line.
const DRIFT_WRITES: Duration = Duration::from_secs(1);

/// One line of the ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Record {
    pub at: Timestamp,
    /// The id of the run that wrote the line.
    pub run: String,
    #[serde(flatten)]
    pub event: Event,
}

rolecall_model::tagged! { "event", "Event",
/// The event that a line records.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub enum Event {
    /// An apply starts. Nothing was sent yet.
    RunStarted {
        format_version: String,
        generator: String,
        identity: Identity,
        /// The seal of what is sent.
        seal: String,
        /// The seal of the approved plan that it is a part of.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        approved: Option<String>,
    },
    /// The plan breaks a guardrail, and an exception in the file overrides it.
    #[serde(alias = "lifted")]
    Override {
        #[serde(alias = "rail")]
        guardrail: Guardrail,
        message: String,
        plan: String,
        until: Date,
        reason: String,
    },
    /// A mutation is about to be sent. This line is on disk before the request is sent.
    Intent {
        mutation: String,
        operation: String,
        change: Box<Change>,
        /// The ids of the keys with the same name that existed before a new key is created. If the answer is lost,
        /// the new key is recognised as the one that isn't among them.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        known: BTreeSet<RemoteId>,
        /// True for a first step, which doesn't complete the change.
        #[serde(default, skip_serializing_if = "std::ops::Not::not", alias = "interim")]
        first_step: bool,
    },
    /// The outcome of a mutation. A later line for the same mutation of the same run replaces an earlier one.
    Outcome {
        mutation: String,
        address: Address,
        outcome: Outcome,
        /// True if the platform itself refused the mutation.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        refused: bool,
        /// The id of the created entity.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<RemoteId>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// The secret of a new key was delivered, or could not be. A line with `begun` is on disk before the delivery begins.
    Delivery {
        /// Empty if an earlier run created the key and died, and this one found the secret in a target.
        mutation: String,
        address: Address,
        id: RemoteId,
        /// True if it was delivered to at least one target.
        arrived: bool,
        /// True if the delivery is about to begin. A later line of the key tells how it ended. Without one, the run died.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        begun: bool,
        /// The targets that have the secret. Earlier versions of rolecall recorded none.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        to: Vec<String>,
        /// The targets that don't have it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        not_to: Vec<String>,
        /// The fingerprint of the secret, such as `sha256:` and the first 16 hex digits of its SHA-256. It tells whether a
        /// target still has this secret, and nobody can find the secret by it: a platform draws at least 128 random bits.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fingerprint: Option<String>,
        /// The fingerprints of the encrypted files that are about to be written, by target.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        encrypted: BTreeMap<String, String>,
    },
    /// A read showed an invited user, or didn't.
    Sighting {
        address: Address,
        seen: bool,
        /// True if the read showed them as a member, on a platform that lists invitations separately.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        accepted: bool,
    },
    /// The users whom a read showed for the first time, or with another address than before.
    Members { listed: BTreeSet<Address> },
    /// A read no longer shows a user that rolecall disabled.
    Vanished { address: Address },
    /// A read shows a vanished user again, so somebody else has enabled them.
    Readmitted { address: Address },
    /// An update cleared a value that it doesn't carry.
    Lost { address: Address, what: String },
    /// The platform doesn't allow an entity to be changed, for a reason that no read shows.
    Held { address: Address, reason: HoldReason },
    /// The state of an entity after a change that was not taken, or only in part.
    LeftAs { address: Address, entity: Box<Entity> },
    /// A change that was not taken at first is in effect now.
    Settled { address: Address },
    /// The keys that an apply saw for the first time, where the API doesn't tell when they were created.
    Keys { listed: BTreeSet<Address> },
    /// The apply has finished. `in_sync` is absent if the last read failed. An apply that has nothing to send records it
    /// if anything has changed since the last such record, and once a day.
    RunFinished {
        #[serde(default, skip_serializing_if = "Option::is_none", alias = "converged")]
        in_sync: Option<bool>,
        /// The hash of what the files asked for, without places. Absent if the last read failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        desired: Option<String>,
        /// The entities that the last read didn't show as the files ask. `kind/*` stands for all of a kind.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        differing: BTreeSet<Address>,
        /// The number of people of each directory that people come from.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        directory_people: BTreeMap<String, usize>,
        /// The number of changes that `--target`, `--exclude` or `--leftovers` left out.
        #[serde(default, skip_serializing_if = "is_zero")]
        not_selected: usize,
    },
    /// A drift run has read everything and compared it with the files. It is recorded once a day, and if live is in sync
    /// again or no longer.
    DriftFinished {
        format_version: String,
        generator: String,
        identity: Identity,
        /// False if live differed from the files, or something needed attention.
        in_sync: bool,
    },
    /// The ledger was too long. The lines before this one are those of its past that something rests on. All lines of its past
    /// are in its archive, which had this length then.
    Archived { bytes: u64 },
    /// The line before this one is incomplete, because its writer was killed.
    Recovered { torn_bytes: usize },
}
}

impl Event {
    /// Returns the organisation, where the event names it.
    fn identity(&self) -> Option<&Identity> {
        match self {
            Self::RunStarted { identity, .. } | Self::DriftFinished { identity, .. } => Some(identity),
            _ => None,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out a reference")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// A ledger that was read without being opened for an apply.
#[derive(Debug, Default, PartialEq)]
pub struct ReadLedger {
    /// All records, oldest first.
    pub records: Vec<Record>,
    /// The length of an incomplete last line, which a killed writer left and which is skipped.
    pub torn_bytes: usize,
}

/// The place that lines are written to.
#[derive(Debug)]
enum Written {
    File(LedgerFile),
    Store(StoredFile),
}

impl Written {
    /// Writes text. Returns what to wait for before it is stored, if it isn't yet.
    fn write(&mut self, text: &[u8]) -> Result<Option<Unsynced>, LedgerError> {
        match self {
            Self::File(file) => file.write(text).map(Some),
            Self::Store(file) => file.write(text).map(|()| None),
        }
    }
}

/// Records that were written, and may not be stored yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unstored {
    unsynced: Option<Unsynced>,
    /// The number of records before them.
    before: usize,
}

impl Unstored {
    /// Waits until they are stored, without keeping this thread. If that fails, they have to be
    /// [forgotten](Ledger::forget).
    pub async fn wait(&self) -> Result<(), LedgerError> {
        let Some(unsynced) = self.unsynced.clone() else { return Ok(()) };
        let waited = tokio::task::spawn_blocking(move || unsynced.wait()).await;
        waited.map_err(|why| LedgerError::Io { path: "of this run".to_owned(), why: why.into() })?
    }
}

/// A ledger, open for one apply. The default one is empty and is kept in memory only.
#[derive(Debug, Default)]
pub struct Ledger {
    /// `None` if the ledger is only in memory.
    written: Option<Written>,
    records: Vec<Record>,
}

impl Ledger {
    /// Opens the ledger, or creates it, and locks it until it is dropped. If a drift run is writing its line, this waits
    /// for it. In a store, it also waits until a short apply has ended, or until one that was killed has lost its lock.
    ///
    /// # Errors
    ///
    /// Fails if the ledger can't be used, is locked by another apply, or has a damaged line.
    pub fn open(home: impl Into<LedgerHome>, run: &str, at: Timestamp) -> Result<Self, LedgerError> {
        Self::open_within(true, &home.into(), run, at)
    }

    fn open_within(waits: bool, home: &LedgerHome, run: &str, at: Timestamp) -> Result<Self, LedgerError> {
        let (written, records, ending) = match home {
            LedgerHome::File(path) => {
                let patience = if waits { DRIFT_WRITES } else { Duration::ZERO };
                let (file, records, ending) = LedgerFile::open(path, patience)?;
                (Written::File(file), records, ending)
            }
            LedgerHome::Store(store, name) => {
                let (file, records, ending) = StoredFile::open(store, name, run, waits)?;
                (Written::Store(file), records, ending)
            }
        };
        let mut ledger = Self { written: Some(written), records };
        // An incomplete line is ended, so that the next one starts on a line of its own.
        match ending {
            Ending::Whole => {}
            Ending::NoNewline => ledger.write(b"\n")?,
            Ending::Torn(torn_bytes) => {
                ledger.write(b"\n")?;
                ledger.append(Record { at, run: run.to_owned(), event: Event::Recovered { torn_bytes } })?;
            }
        }
        Ok(ledger)
    }

    fn write(&mut self, text: &[u8]) -> Result<(), LedgerError> {
        match self.written.as_mut().map(|written| written.write(text)).transpose()?.flatten() {
            Some(unsynced) => unsynced.wait(),
            None => Ok(()),
        }
    }

    /// Reads a ledger without locking it. Returns `None` if it doesn't exist.
    ///
    /// # Errors
    ///
    /// Fails if the ledger can't be read or has a damaged line.
    pub fn read(home: impl Into<LedgerHome>) -> Result<Option<ReadLedger>, LedgerError> {
        match home.into() {
            LedgerHome::File(path) => file::read(&path),
            LedgerHome::Store(store, name) => stored::read(&store, &name),
        }
    }

    /// Writes a line and waits until it is stored.
    ///
    /// # Errors
    ///
    /// Fails if the ledger can't be written, or this process has lost its lock.
    pub fn append(&mut self, record: Record) -> Result<(), LedgerError> {
        self.append_all(vec![record])
    }

    /// Writes lines and waits until all of them are stored.
    ///
    /// # Errors
    ///
    /// Fails if the ledger can't be written, or this process has lost its lock.
    pub fn append_all(&mut self, records: Vec<Record>) -> Result<(), LedgerError> {
        let unstored = self.add_all(records)?;
        let waited = unstored.unsynced.as_ref().map_or(Ok(()), Unsynced::wait);
        if waited.is_err() {
            self.forget(&unstored);
        }
        waited
    }

    /// Writes lines, and doesn't wait for a file.
    pub(crate) fn add_all(&mut self, records: Vec<Record>) -> Result<Unstored, LedgerError> {
        let (mut unsynced, before) = (None, self.records.len());
        if let Some(written) = self.written.as_mut().filter(|_| !records.is_empty()) {
            let mut lines = Vec::new();
            for record in &records {
                let written = serde_json::to_writer(&mut lines, record);
                written.map_err(|why| LedgerError::Io { path: "of this run".to_owned(), why: why.into() })?;
                lines.push(b'\n');
            }
            unsynced = written.write(&lines)?;
        }
        self.records.extend(records);
        Ok(Unstored { unsynced, before })
    }

    /// Forgets records that could not be stored, and all after them.
    pub(crate) fn forget(&mut self, unstored: &Unstored) {
        self.records.truncate(unstored.before);
    }

    /// Shortens a ledger in a file that has more than `longest` lines, unless most of them have to stay. All facts stay the
    /// same, and no line is lost: those that go are in the archive. Returns the path of the archive if the ledger was shortened.
    ///
    /// # Errors
    ///
    /// Fails if the archive or the ledger can't be written. Then the ledger is as it was.
    pub fn shorten(&mut self, longest: usize, run: &str, at: Timestamp) -> Result<Option<PathBuf>, LedgerError> {
        let Some(Written::File(file)) = self.written.as_mut().filter(|_| self.records.len() > longest) else {
            return Ok(None);
        };
        let mark = |bytes| Record { at, run: run.to_owned(), event: Event::Archived { bytes } };
        let Some(records) = file.shorten(&self.records, mark)? else { return Ok(None) };
        self.records = records;
        Ok(Some(archive::path_of(file.path())))
    }

    /// Returns all records of a ledger and of its archive, oldest first. `None` means that it has no archive.
    ///
    /// # Errors
    ///
    /// Fails if the archive can't be read.
    pub fn history(home: impl Into<LedgerHome>, records: &[Record]) -> Result<Option<Vec<Record>>, LedgerError> {
        match home.into() {
            LedgerHome::File(path) => archive::history(&path, records),
            LedgerHome::Store(..) => Ok(None),
        }
    }

    /// Returns what tells whether this process still has the lock. A lock on a file can't be lost.
    pub fn hold(&self) -> Option<Hold> {
        match &self.written {
            Some(Written::Store(file)) => Some(file.hold()),
            Some(Written::File(_)) | None => None,
        }
    }

    /// Returns the first organisation in a ledger that isn't this one, or `None` if all records belong to it.
    pub fn other_organization<'a>(records: &'a [Record], identity: &Identity) -> Option<&'a Identity> {
        records
            .iter()
            .filter_map(|record| record.event.identity())
            .find(|written| !written.is_same_organization(identity))
    }

    /// Returns all records, oldest first.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// Returns the changes that runs of the plan with this seal have sent.
    pub fn sent_under(&self, seal: &str) -> BTreeMap<Address, SentChange> {
        let archived = match &self.written {
            Some(Written::File(file)) => archive::history_with(file.path(), &self.records, seal),
            Some(Written::Store(_)) | None => None,
        };
        facts::sent_under(archived.as_deref().unwrap_or(&self.records), seal)
    }

    /// Returns whether everything that was to be recorded is stored.
    pub fn is_intact(&self) -> bool {
        match &self.written {
            Some(Written::File(file)) => !file.is_broken(),
            Some(Written::Store(file)) => !file.is_broken(),
            None => true,
        }
    }

    /// Returns the facts that the planner takes from the ledger.
    pub fn facts(&self) -> Facts {
        facts(&self.records)
    }
}
