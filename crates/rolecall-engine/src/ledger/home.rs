//! The place where a ledger is kept: a file, or objects of a store.

use std::fmt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::lease::{self, Lease};
use super::store::Store;
use super::{LedgerError, OrganizationLock, file};

/// The place of one ledger.
#[derive(Clone, Debug)]
pub enum LedgerHome {
    File(PathBuf),
    /// A store, and the name of the ledger in it, such as `bitpanda-acme`.
    Store(Store, String),
}

impl fmt::Display for LedgerHome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Store(store, name) => write!(f, "{store}/{name}.jsonl"),
        }
    }
}

impl From<&Path> for LedgerHome {
    fn from(path: &Path) -> Self {
        Self::File(path.to_owned())
    }
}

impl From<&PathBuf> for LedgerHome {
    fn from(path: &PathBuf) -> Self {
        Self::File(path.clone())
    }
}

impl From<&Self> for LedgerHome {
    fn from(home: &Self) -> Self {
        home.clone()
    }
}

impl LedgerHome {
    /// Returns whether an apply has locked the ledger. A lock that can't be read isn't held.
    pub fn is_held(&self) -> bool {
        match self {
            Self::File(path) => OrganizationLock::is_held(path),
            Self::Store(store, name) => matches!(lease::read(store, name), Ok(Some(lock)) if lock.is_held()),
        }
    }

    /// Returns whether an apply has locked the ledger, or has released it since this time. Only locks and stores tell the
    /// time.
    pub fn was_held_since(&self, at: Timestamp) -> bool {
        match self {
            Self::File(path) => OrganizationLock::was_held_since(path, at),
            Self::Store(store, name) => {
                matches!(lease::read(store, name), Ok(Some(lock)) if lock.was_held_since(at))
            }
        }
    }

    /// Checks that an apply could write the ledger. Creates no file. In a store, this writes the lock and releases it, unless
    /// an apply has it: nothing else shows that a store keeps two processes apart.
    ///
    /// # Errors
    ///
    /// Fails if the file or the store can't be written, or if the store writes what it has to refuse.
    pub fn check_writable(&self, run: &str) -> Result<(), LedgerError> {
        match self {
            Self::File(path) => file::check_writable(path),
            Self::Store(store, name) => match Lease::acquire(store, name, run, false) {
                Ok(_) | Err(LedgerError::Locked { .. }) => Ok(()),
                Err(why) => Err(why),
            },
        }
    }
}
