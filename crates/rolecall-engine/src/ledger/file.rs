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
    #[error("another apply of this organisation is running, and holds {path}")]
    Locked { path: String },
    /// Not the last line, which may be torn.
    #[error("line {line} of the ledger {path} can't be read: {why}")]
    Damaged { path: String, line: usize, why: String },
}

/// How a ledger's text ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Whole,
    /// Only the newline is missing.
    NoNewline,
    /// The writer died within a line, or before it had marked one as broken: so many bytes can't be read.
    Torn(usize),
}

/// Keeps other applies of one organisation out until it is dropped, whatever their files call it.
#[derive(Debug)]
pub struct Alone {
    _file: File,
}

impl Alone {
    /// `path`: what stands for the organisation. It stays, empty.
    pub fn at(path: &Path) -> Result<Self, LedgerError> {
        Ok(Self { _file: locked(path, OpenOptions::new().create(true).truncate(false).write(true))? })
    }
}

/// Opens a file that nobody else has until it is closed, and makes its folder first.
fn locked(path: &Path, options: &OpenOptions) -> Result<File, LedgerError> {
    let failed = |why| LedgerError::Io { path: path.display().to_string(), why };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let file = options.open(path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(LedgerError::Locked { path: path.display().to_string() }),
        Err(TryLockError::Error(why)) => Err(failed(why)),
    }
}

#[derive(Debug)]
pub(super) struct LedgerFile {
    path: PathBuf,
    file: File,
    /// Its end may be half a line.
    broken: bool,
}

impl LedgerFile {
    /// The file, its records, and how it ends.
    pub fn open(path: &Path) -> Result<(Self, Vec<Record>, Ending), LedgerError> {
        let failed = |why| LedgerError::Io { path: path.display().to_string(), why };
        refuse_special(path).map_err(failed)?;
        let mut options = OpenOptions::new();
        options.create(true).read(true).append(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            // It names people and what they may do.
            options.mode(0o600);
        }
        let mut file = locked(path, &options)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        let (records, ending) = parse(path, &bytes)?;
        Ok((Self { path: path.to_owned(), file, broken: false }, records, ending))
    }

    pub fn append(&mut self, records: &[Record]) -> Result<(), LedgerError> {
        let mut lines = Vec::new();
        for record in records {
            serde_json::to_writer(&mut lines, record).map_err(|why| self.failed(why.into()))?;
            lines.push(b'\n');
        }
        self.write(&lines)
    }

    /// Ends a line that broke off, so that the next one starts anew.
    pub fn end_line(&mut self) -> Result<(), LedgerError> {
        self.write(b"\n")
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), LedgerError> {
        // What follows a line that broke off would be read as a part of it.
        if self.broken {
            return Err(self.failed(io::Error::other("an earlier line could not be written")));
        }
        let written = self.file.write_all(bytes).and_then(|()| self.file.sync_data());
        self.broken = written.is_err();
        written.map_err(|why| self.failed(why))
    }

    fn failed(&self, why: io::Error) -> LedgerError {
        LedgerError::Io { path: self.path.display().to_string(), why }
    }
}

/// A device may be written to for ever and read without end.
fn refuse_special(path: &Path) -> io::Result<()> {
    match std::fs::metadata(path) {
        Ok(meta) if !meta.is_file() => Err(io::Error::other("it is no regular file")),
        Err(why) if why.kind() != io::ErrorKind::NotFound => Err(why),
        Ok(_) | Err(_) => Ok(()),
    }
}

pub(super) fn read(path: &Path) -> Result<Option<Vec<Record>>, LedgerError> {
    match refuse_special(path).and_then(|()| std::fs::read(path)) {
        Ok(bytes) => parse(path, &bytes).map(|(records, _)| Some(records)),
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(why) => Err(LedgerError::Io { path: path.display().to_string(), why }),
    }
}

/// Lines that can't be read are what a dying writer left only at the end, or before a line that says so.
fn parse(path: &Path, bytes: &[u8]) -> Result<(Vec<Record>, Ending), LedgerError> {
    let mut records: Vec<Record> = Vec::new();
    // The first of the unreadable lines that nothing has accounted for yet.
    let mut bad: Option<(usize, String)> = None;
    let mut bad_bytes = 0;
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        if line.is_empty() {
            continue;
        }
        match (serde_json::from_slice::<Record>(line), &bad) {
            (Ok(record), Some((line, why))) if !matches!(record.event, Event::Recovered { .. }) => {
                return Err(damaged(path, *line, why));
            }
            (Ok(record), _) => {
                bad = None;
                bad_bytes = 0;
                records.push(record);
            }
            (Err(why), _) => {
                bad_bytes += line.len();
                bad.get_or_insert((index + 1, why.to_string()));
            }
        }
    }
    let ending = match bad {
        Some(_) => Ending::Torn(bad_bytes),
        None if bytes.is_empty() || bytes.ends_with(b"\n") => Ending::Whole,
        None => Ending::NoNewline,
    };
    Ok((records, ending))
}

/// serde_json quotes nothing of the line but its kind of error and the column.
fn damaged(path: &Path, line: usize, why: &str) -> LedgerError {
    let why = why.split(" at line ").next().unwrap_or(why).to_owned();
    LedgerError::Damaged { path: path.display().to_string(), line, why }
}
