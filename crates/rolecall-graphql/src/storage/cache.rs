//! The [`Cache`]: a folder with the schema of a platform, the requests that still count against its rate limit, and the
//! answers of an interrupted read. A run works without it, and then sends more requests and takes longer.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{FileBudget, FileCheckpoint, OnStorageEvent, ResponseCache, StorageEvent, private};

/// The time after which a kept schema is read again.
const SCHEMA_LIFETIME: SignedDuration = SignedDuration::from_hours(24);

/// The cache of one connection.
#[derive(Clone, Debug)]
pub struct Cache {
    folder: PathBuf,
    /// Names the files of the platform: its schema, and the budget of its requests.
    pub platform: String,
    /// Names the files of the connection: its read, because each credential sees something else.
    connection: String,
    on_event: OnStorageEvent,
}

impl Cache {
    /// Creates the cache in `folder`, which is created once something is written.
    pub fn new(folder: PathBuf, platform: String, connection: String, on_event: OnStorageEvent) -> Self {
        Self { folder, platform, connection, on_event }
    }

    fn platform_file(&self, suffix: &str) -> PathBuf {
        self.folder.join(format!("{}.{suffix}", self.platform))
    }

    fn connection_file(&self, suffix: &str) -> PathBuf {
        self.folder.join(format!("{}.{suffix}", self.connection))
    }

    /// Opens the checkpoint: the answers that an interrupted read has left, and a file for those of this read.
    pub fn checkpoint(&self) -> Arc<FileCheckpoint> {
        Arc::new(FileCheckpoint::open(self.connection_file("read.jsonl"), self.on_event))
    }

    /// Deletes the answers of an interrupted read, because an apply is about to change live.
    pub fn forget_read(&self) {
        let _ = std::fs::remove_file(self.connection_file("read.jsonl"));
    }

    /// Returns the budget of requests that every run on this platform shares.
    pub fn budget(&self) -> FileBudget {
        FileBudget::new(self.platform_file("requests.json"), self.on_event)
    }
}

/// A kept schema, with its fingerprint.
#[derive(Serialize, Deserialize)]
struct KeptSchema {
    at: Timestamp,
    fingerprint: String,
    /// The schema. `None` if the platform has turned out to have another one.
    answer: Option<Value>,
}

fn fingerprint(answer: &Value) -> String {
    let digest = Sha256::digest(answer.to_string().as_bytes());
    let shown = digest.first_chunk().copied().unwrap_or_default();
    format!("{:016x}", u64::from_be_bytes(shown))
}

impl Cache {
    fn read_schema(&self, name: &str) -> Option<KeptSchema> {
        let text = std::fs::read(self.platform_file(&format!("{}.json", name.to_lowercase()))).ok()?;
        serde_json::from_slice(&text).ok()
    }

    fn write_schema(&self, name: &str, kept: &KeptSchema) {
        let path = self.platform_file(&format!("{}.json", name.to_lowercase()));
        let write = || {
            let mut file = private::in_folder(&path)?.create(true).write(true).truncate(true).open(&path)?;
            file.write_all(&serde_json::to_vec(kept)?)
        };
        if let Err(why) = write() {
            tracing::info!(%why, "cannot keep the schema");
        }
    }
}

impl ResponseCache for Cache {
    fn get(&self, name: &str) -> Option<Value> {
        let KeptSchema { at, fingerprint: written, answer } = self.read_schema(name)?;
        let answer = answer?;
        let age = Timestamp::now().duration_since(at);
        let is_fresh = !age.is_negative() && age < SCHEMA_LIFETIME;
        // A damaged schema is read again.
        (is_fresh && written == fingerprint(&answer)).then_some(answer)
    }

    fn put(&self, name: &str, answer: &Value) {
        let fingerprint = fingerprint(answer);
        tracing::info!(fingerprint, "the platform's schema");
        if let Some(before) = self.read_schema(name).filter(|before| before.fingerprint != fingerprint) {
            (self.on_event)(&StorageEvent::SchemaChanged {
                since: before.at,
                before: before.fingerprint,
                now: fingerprint.clone(),
            });
        }
        self.write_schema(name, &KeptSchema { at: Timestamp::now(), fingerprint, answer: Some(answer.clone()) });
    }

    fn forget(&self, name: &str) {
        if let Some(known) = self.read_schema(name) {
            self.write_schema(name, &KeptSchema { answer: None, ..known });
        }
    }
}
