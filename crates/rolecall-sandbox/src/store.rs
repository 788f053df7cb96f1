//! The store that keeps a sandbox's world between runs: a snapshot in JSON, and a log of the changes since.
//!
//! The log's first line is the digest of its snapshot. A log of another snapshot is ignored: a process died after it
//! wrote the new snapshot, or somebody edited the file.

use std::fmt::Display;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::Value;
use thiserror::Error;

use super::changes::Change;
use super::digest;
use rolecall_model::{ProviderName, RemoteId};

/// The place of a stored world: memory, or a file that several processes may share.
#[derive(Clone, Debug)]
pub enum Store {
    Memory,
    File(PathBuf),
}

#[derive(Debug, Error)]
pub enum StoreError {
    #[error("the sandbox can't use its saved world {path}: {why}")]
    Unusable { path: String, why: String },
    #[error("the sandbox has no {provider} organisation `{name}`. It has {known}")]
    NoSeed { provider: ProviderName, name: String, known: String },
}

impl Store {
    /// Returns the store of an organisation below `folder`. Fails if no seed has the organisation.
    pub fn in_folder(folder: &Path, provider: ProviderName, organization: &RemoteId) -> Result<Self, StoreError> {
        let definition = super::definition(provider);
        let Some(world) = definition.world_name(organization) else {
            let (name, known) = (organization.to_string(), definition.seeds.join(", "));
            return Err(StoreError::NoSeed { provider, name, known });
        };
        Ok(Self::File(folder.join(format!("{provider}-{world}.json"))))
    }

    pub fn is_memory(&self) -> bool {
        matches!(self, Self::Memory)
    }

    fn unusable(path: &Path, why: &io::Error) -> StoreError {
        StoreError::Unusable { path: path.display().to_string(), why: why.to_string() }
    }

    /// Locks the store against other processes until the returned lock is dropped. `None` in memory.
    pub fn lock(&self) -> Result<Option<Lock>, StoreError> {
        let Self::File(path) = self else { return Ok(None) };
        let failed = |why| Self::unusable(path, &why);
        if let Some(folder) = path.parent() {
            let mut builder = DirBuilder::new();
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            builder.recursive(true).create(folder).map_err(failed)?;
        }
        let mut options = private();
        options.create(true).truncate(false).read(true).write(true);
        let mut file = options.open(path.with_extension("lock")).map_err(failed)?;
        file.lock().map_err(failed)?;
        let mut count = String::new();
        file.read_to_string(&mut count).map_err(failed)?;
        Ok(Some(Lock { path: path.clone(), file, count: count.trim().parse().unwrap_or(0) }))
    }

    /// Returns the stored world as it is now, to inspect it. `None` if nothing was stored yet.
    pub fn world(&self) -> Result<Option<Value>, StoreError> {
        let Some(lock) = self.lock()? else { return Ok(None) };
        Ok(lock.read()?.map(|stored| stored.world))
    }
}

/// The lock of a stored world. Its file counts the writes, so that a process sees whether another one wrote.
pub struct Lock {
    path: PathBuf,
    file: File,
    count: u64,
}

/// Tells two states of a store apart: the number of writes, and the snapshot's time and length. The latter change
/// if a person edits the snapshot.
#[derive(Clone, Copy, PartialEq)]
pub struct Seen(u64, Option<(SystemTime, u64)>);

/// A world as it was read, with the lengths of its two files in bytes.
pub struct Stored {
    pub world: Value,
    pub snapshot: usize,
    pub log: usize,
}

impl Lock {
    fn failed(&self, why: &io::Error) -> StoreError {
        Store::unusable(&self.path, why)
    }

    fn log(&self) -> PathBuf {
        self.path.with_extension("jsonl")
    }

    /// Returns the error of a world that was read and makes no sense.
    pub fn damaged(&self, why: &dyn Display) -> StoreError {
        damaged(&self.path, why)
    }

    pub fn seen(&self) -> Seen {
        let data = std::fs::metadata(&self.path).ok();
        Seen(self.count, data.and_then(|data| Some((data.modified().ok()?, data.len()))))
    }

    /// Reads the snapshot and makes the changes of its log. A line that wasn't written to its end is ignored.
    pub fn read(&self) -> Result<Option<Stored>, StoreError> {
        let Some(snapshot) = self.bytes(&self.path)? else { return Ok(None) };
        let mut world = serde_json::from_slice(&snapshot).map_err(|why| self.damaged(&why))?;
        let log = self.bytes(&self.log())?.unwrap_or_default();
        let mut lines = log.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
        if lines.next().is_some_and(|line| line.trim_ascii_end() == digest(&snapshot).as_bytes()) {
            for line in lines {
                let changes: Vec<Change> =
                    serde_json::from_slice(line).map_err(|why| damaged(&self.log(), &why))?;
                if !changes.into_iter().all(|change| change.apply(&mut world)) {
                    return Err(damaged(&self.log(), &"it doesn't fit to the world"));
                }
            }
        }
        Ok(Some(Stored { world, snapshot: snapshot.len(), log: log.len() }))
    }

    fn bytes(&self, path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
        match std::fs::read(path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(why) => Err(self.failed(&why)),
        }
    }

    /// Writes a snapshot to a temporary file, which then replaces the stored one. Its log ends.
    pub fn write(&mut self, world: &[u8]) -> Result<(), StoreError> {
        let written = self.count_write().and_then(|()| {
            let new = self.path.with_extension("json.new");
            private().create(true).truncate(true).write(true).open(&new)?.write_all(world)?;
            std::fs::rename(&new, &self.path)
        });
        written.map_err(|why| self.failed(&why))?;
        match std::fs::remove_file(self.log()) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => Err(self.failed(&why)),
            _ => Ok(()),
        }
    }

    /// Appends changes to the log. `begins`: this is the first line since the snapshot. Returns the bytes written.
    pub fn append(&mut self, changes: &[u8], begins: bool) -> Result<usize, StoreError> {
        let mut lines = Vec::new();
        if begins {
            lines = digest(&self.bytes(&self.path)?.unwrap_or_default()).into_bytes();
            lines.push(b'\n');
        }
        lines.extend_from_slice(changes);
        lines.push(b'\n');
        let written = self
            .count_write()
            .and_then(|()| private().create(true).append(true).open(self.log())?.write_all(&lines));
        written.map_err(|why| self.failed(&why))?;
        Ok(lines.len())
    }

    fn count_write(&mut self) -> io::Result<()> {
        self.count += 1;
        self.file.rewind()?;
        self.file.write_all(format!("{:020}\n", self.count).as_bytes())
    }
}

fn damaged(path: &Path, why: &dyn Display) -> StoreError {
    Store::unusable(path, &io::Error::other(format!("{why}. Reset it to the seed with --reset")))
}

/// Returns options that create a file which only its owner can read and write.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}
