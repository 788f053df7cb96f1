//! The ledger on disk. The file is locked while it is open, every line is flushed, and it can be read after a
//! power cut.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::{Event, Record};

/// The reason why a ledger can't be used.
#[derive(Debug, Error)]
pub enum LedgerError {
    #[error("the ledger {path} can't be used: {why}")]
    Io { path: String, why: io::Error },
    #[error("another apply of this organisation is running and has locked {path}")]
    Locked { path: String },
    /// A line in the middle of the ledger can't be read. The last line may be torn, which is no error.
    #[error("line {line} of the ledger {path} can't be read: {why}")]
    Damaged { path: String, line: usize, why: String },
}

/// The way in which a ledger's text ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Whole,
    /// Only the newline is missing.
    NoNewline,
    /// The writer was killed within a line, or before it had marked one as incomplete. The number of unreadable
    /// bytes.
    Torn(usize),
}

/// A lock that keeps out other applies of the same organisation until it is dropped, even if they use another
/// ledger.
#[derive(Debug)]
pub struct OrganizationLock {
    _file: File,
}

impl OrganizationLock {
    /// Acquires the lock. `path` is the lock file of the organisation; it is empty and stays there.
    ///
    /// # Errors
    ///
    /// Fails if another apply has the lock, or the file can't be used.
    pub fn acquire(path: &Path) -> Result<Self, LedgerError> {
        Ok(Self { _file: locked(path, OpenOptions::new().create(true).truncate(false).write(true))? })
    }
}

/// Opens a file and locks it until it is closed. Creates its folder first.
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
    /// True after a failed write, when the file may end with half a line.
    broken: bool,
}

impl LedgerFile {
    /// Opens a ledger. Returns the file, its records, and how it ends.
    pub fn open(path: &Path) -> Result<(Self, Vec<Record>, Ending), LedgerError> {
        let failed = |why| LedgerError::Io { path: path.display().to_string(), why };
        refuse_special(path).map_err(failed)?;
        let mut options = OpenOptions::new();
        options.create(true).read(true).append(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            // The ledger names users and what they can do, so others must not read it.
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

    /// Ends an incomplete line, so that the next one starts on a line of its own.
    pub fn end_line(&mut self) -> Result<(), LedgerError> {
        self.write(b"\n")
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), LedgerError> {
        // A line after an incomplete one would be read as a part of it.
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

/// Refuses anything but a regular file: a device could be read without end.
fn refuse_special(path: &Path) -> io::Result<()> {
    match std::fs::metadata(path) {
        Ok(meta) if !meta.is_file() => Err(io::Error::other("it isn't a regular file")),
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

/// Parses a ledger. A killed writer leaves an unreadable line only at the end, or before a [`Event::Recovered`]
/// line. Anywhere else, an unreadable line is damage.
fn parse(path: &Path, bytes: &[u8]) -> Result<(Vec<Record>, Ending), LedgerError> {
    let mut records: Vec<Record> = Vec::new();
    // The first unreadable line since the last `Recovered` line or readable record.
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

/// Returns the error for a damaged line. The message of serde_json contains no text of the line.
fn damaged(path: &Path, line: usize, why: &str) -> LedgerError {
    let why = why.split(" at line ").next().unwrap_or(why).to_owned();
    LedgerError::Damaged { path: path.display().to_string(), line, why }
}
