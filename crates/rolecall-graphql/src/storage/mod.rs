//! Storage that persists between runs: a response cache, the checkpoint of an interrupted read, and the request
//! budget. Each is a trait, and is implemented on files. Storage prints nothing: it reports a [`StorageEvent`].

mod budget;
mod cache;
mod checkpoint;
pub mod private;

use std::path::PathBuf;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::Quota;
pub use budget::FileBudget;
pub use cache::Cache;
pub use checkpoint::FileCheckpoint;

/// Something that a user should know about what is stored.
#[derive(Clone, Debug)]
pub enum StorageEvent {
    /// The platform's schema differs from the one that was stored at `since`. Both are fingerprints.
    SchemaChanged { since: Timestamp, before: String, now: String },
    /// An interrupted read that began `age` ago goes on.
    ReadResumed { age: SignedDuration, answers: usize },
    /// The answers of an interrupted read are kept. A read within `lifetime` goes on with them.
    ReadSuspended { path: PathBuf, lifetime: SignedDuration },
    /// The file with the requests of all runs can't be used, so each run counts only its own.
    BudgetUnshared { path: PathBuf, why: String },
}

/// Tells a user about an event.
pub type OnStorageEvent = fn(&StorageEvent);

/// A cache of answers that rarely change, such as a platform's schema. Entries are named after their operation.
pub trait ResponseCache: Send + Sync {
    fn get(&self, name: &str) -> Option<Value>;
    fn put(&self, name: &str, answer: &Value);
    fn forget(&self, name: &str);
}

/// The answers that a read received before it was interrupted, so that the next read continues from there. The key
/// identifies a query with its variables and its credential.
///
/// For example, reading needs 40 requests at 10 a minute, and the connection is lost after the 25th. The next run
/// takes 25 answers from the checkpoint and sends 15 requests.
pub trait ReadCheckpoint: Send + Sync {
    /// Removes and returns an answer of the interrupted read. The next call with the same key returns nothing,
    /// because a program that asks again wants the current state.
    fn take(&self, key: &str) -> Option<Value>;
    /// Stores an answer of this read.
    fn keep(&self, key: &str, answer: &Value);
}

/// A request that a [`Budget`] counts. The number distinguishes it from the others of this run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(pub u64);

/// The requests that still count against a limit.
pub trait Budget: Send + Sync {
    /// Counts one more request. If the limit is reached, returns how long to wait before the next try instead.
    fn take(&self, quota: Quota) -> Result<Ticket, Duration>;
    /// Notes that the request was answered. It may have reached the platform as late as now, so it counts from now
    /// on.
    fn answered(&self, ticket: Ticket);
    /// Stops counting a request that was never sent.
    fn give_back(&self, ticket: Ticket);
    /// Counts the limit as reached for a whole window, because the platform says so. Some other client may have
    /// sent the requests.
    fn used_up(&self, quota: Quota);
}
