//! The ledger on disk: locked, flushed, and readable after a power cut.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::{Event, Record};

/// Why a ledger can't be used.
#[derive(Debug, Error)]
pub enum LedgerError {
    #[error("the ledger {path} can't be used: {why}")]
    Io { path: String, why: io::Error },
    #[error("another apply holds the ledger {path}")]
    Locked { path: String },
    /// Not the last line, which may be torn.
    #[error("line {line} of the ledger {path} can't be read: {why}")]
    Damaged { path: String, line: usize, why: String },
}

#[derive(Debug)]
pub(super) struct LedgerFile {
    path: PathBuf,
    file: File,
}

impl LedgerFile {
    /// The file, its records, and how many bytes its last line broke off with.
    pub fn open(path: &Path) -> Result<(Self, Vec<Record>, Option<usize>), LedgerError> {
        let failed = |why| LedgerError::Io { path: path.display().to_string(), why };
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let mut options = OpenOptions::new();
        options.create(true).read(true).append(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            // It names people and what they may do.
            options.mode(0o600);
        }
        let mut file = options.open(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LedgerError::Locked { path: path.display().to_string() }),
            Err(TryLockError::Error(why)) => return Err(failed(why)),
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        let (records, torn) = parse(path, &bytes)?;
        Ok((Self { path: path.to_owned(), file }, records, torn))
    }

    pub fn append(&mut self, record: &Record) -> Result<(), LedgerError> {
        let mut line = serde_json::to_vec(record).map_err(|why| self.failed(why.into()))?;
        line.push(b'\n');
        self.write(&line)
    }

    /// Ends a line that broke off, so that the next one starts anew.
    pub fn end_line(&mut self) -> Result<(), LedgerError> {
        self.write(b"\n")
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), LedgerError> {
        self.file.write_all(bytes).and_then(|()| self.file.sync_data()).map_err(|why| self.failed(why))
    }

    fn failed(&self, why: io::Error) -> LedgerError {
        LedgerError::Io { path: self.path.display().to_string(), why }
    }
}

pub(super) fn read(path: &Path) -> Result<Option<Vec<Record>>, LedgerError> {
    match std::fs::read(path) {
        Ok(bytes) => parse(path, &bytes).map(|(records, _)| Some(records)),
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(why) => Err(LedgerError::Io { path: path.display().to_string(), why }),
    }
}

/// A line that can't be read is a torn one only if it is the last, or if the next says that it recovered.
fn parse(path: &Path, bytes: &[u8]) -> Result<(Vec<Record>, Option<usize>), LedgerError> {
    let mut records: Vec<Record> = Vec::new();
    let mut bad: Option<(usize, String)> = None;
    let whole = bytes.is_empty() || bytes.ends_with(b"\n");
    let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    for (index, line) in lines.iter().enumerate() {
        let last = index + 1 == lines.len();
        if line.is_empty() || (last && !whole) {
            continue;
        }
        match serde_json::from_slice::<Record>(line) {
            Ok(record) => {
                match (&bad, &record.event) {
                    (Some(_), Event::Recovered { .. }) | (None, _) => bad = None,
                    (Some((line, why)), _) => return Err(damaged(path, *line, why.clone())),
                }
                records.push(record);
            }
            Err(why) => match &bad {
                Some((line, why)) => return Err(damaged(path, *line, why.clone())),
                None => bad = Some((index + 1, why.to_string())),
            },
        }
    }
    if let Some((line, why)) = bad {
        return Err(damaged(path, line, why));
    }
    let torn = (!whole).then(|| lines.last().map_or(0, |line| line.len()));
    Ok((records, torn))
}

/// serde_json quotes nothing of the line but its kind of error and the column.
fn damaged(path: &Path, line: usize, why: String) -> LedgerError {
    LedgerError::Damaged { path: path.display().to_string(), line, why }
}
