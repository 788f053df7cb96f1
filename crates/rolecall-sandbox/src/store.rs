//! The store that keeps a sandbox's world between runs.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde_json::Value;
use thiserror::Error;

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

    /// Locks the store against other processes until the returned file is dropped.
    pub fn lock(&self) -> Result<Option<File>, StoreError> {
        let Self::File(path) = self else { return Ok(None) };
        let failed = |why| Self::unusable(path, &why);
        if let Some(folder) = path.parent() {
            let mut builder = DirBuilder::new();
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            builder.recursive(true).create(folder).map_err(failed)?;
        }
        let lock = private()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.with_extension("lock"))
            .map_err(failed)?;
        lock.lock().map_err(failed)?;
        Ok(Some(lock))
    }

    /// Reads the stored world as text. `None` if there is none.
    pub fn read(&self) -> Result<Option<Vec<u8>>, StoreError> {
        let Self::File(path) = self else { return Ok(None) };
        match std::fs::read(path) {
            Ok(text) => Ok(Some(text)),
            Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(why) => Err(Self::unusable(path, &why)),
        }
    }

    pub fn parse(&self, text: &[u8]) -> Result<Value, StoreError> {
        serde_json::from_slice(text).map_err(|why| StoreError::Unusable {
            path: if let Self::File(path) = self { path.display().to_string() } else { String::new() },
            why: format!("{why}. Reset it to the seed with --reset"),
        })
    }

    /// Writes the world to a temporary file, which then replaces the stored one.
    pub fn write(&self, world: &[u8]) -> Result<(), StoreError> {
        let Self::File(path) = self else { return Ok(()) };
        let failed = |why| Self::unusable(path, &why);
        let new = path.with_extension("json.new");
        let mut file = private().create(true).truncate(true).write(true).open(&new).map_err(failed)?;
        file.write_all(world).map_err(failed)?;
        std::fs::rename(&new, path).map_err(failed)
    }
}

/// Returns options that create a file which only its owner can read and write.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}
