//! The archive of a ledger: a file beside it, with all lines of its past.
//!
//! A long ledger is shortened before an apply writes to it. First, its lines are added to the archive. Then the ledger is
//! replaced by the lines that [something rests on](super::rests), and a line that says how long the archive is. So the archive
//! and the lines after that one are the whole history, in its order.
//!
//! A process can die, or the disk can be full, at any moment:
//!
//! - Before the ledger is replaced, it is as it was. The archive may have lines too many. They are the same that the ledger
//!   still has, so the next time continues after them.
//! - The ledger is replaced by a rename, so it always is the earlier one or the shorter one.
//! - An archive that was moved away is begun again with all lines of the ledger. If that is cut short, the archive has no other
//!   lines than the ledger, and so it is begun again once more.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::file::{LedgerError, parse, record, refuse_special, without_zeros};
use super::{Event, Record, rests};
use rolecall_graphql::storage::private;
use tempfile::{NamedTempFile, TempPath};

/// Returns the path of a ledger's archive. A ledger behind a link has it where the ledger is.
pub fn path_of(ledger: &Path) -> PathBuf {
    ledger.canonicalize().unwrap_or_else(|_| ledger.to_owned()).with_extension("archive.jsonl")
}

/// Returns the length of the archive, and the position of the line that says it.
pub(super) fn mark(records: &[Record]) -> Option<(usize, u64)> {
    records.iter().enumerate().rev().find_map(|(position, record)| match record.event {
        Event::Archived { bytes } => Some((position, bytes)),
        _ => None,
    })
}

/// Returns the whole history of a ledger with an archive: the lines of the archive, and those since.
pub(super) fn history(ledger: &Path, records: &[Record]) -> Result<Option<Vec<Record>>, LedgerError> {
    let Some((mark, bytes)) = mark(records) else { return Ok(None) };
    let text = read(&path_of(ledger), bytes)?;
    let (mut history, _) = parse(&path_of(ledger).display().to_string(), &text)?;
    if history.contains(&records[mark]) {
        // It was begun again with the lines of this ledger, and its writer died before it replaced the ledger.
        return Ok(None);
    }
    history.extend_from_slice(&records[mark + 1..]);
    Ok(Some(history))
}

/// Returns the whole history of a ledger, if a line of its archive has this text.
pub(super) fn history_with(ledger: &Path, records: &[Record], text: &str) -> Option<Vec<Record>> {
    let (_, bytes) = mark(records)?;
    let archived = String::from_utf8(read(&path_of(ledger), bytes).ok()?).ok()?;
    archived.contains(text).then(|| history(ledger, records).ok().flatten()).flatten()
}

/// Reads the first bytes of an archive.
fn read(path: &Path, bytes: u64) -> Result<Vec<u8>, LedgerError> {
    let failed = |why| LedgerError::Io { path: path.display().to_string(), why };
    let mut text = Vec::new();
    refuse_special(path).and_then(|()| File::open(path)?.take(bytes).read_to_end(&mut text)).map_err(failed)?;
    if (text.len() as u64) < bytes {
        return Err(failed(io::Error::other("it is shorter than its ledger says")));
    }
    Ok(text)
}

/// Returns whether an archive is gone, or has no lines that this ledger doesn't have, too.
fn begins_anew(path: &Path, ledger: &[u8]) -> io::Result<bool> {
    refuse_special(path)?;
    match std::fs::metadata(path) {
        Ok(there) if there.len() > ledger.len() as u64 => Ok(false),
        Ok(_) => Ok(ledger.starts_with(without_zeros(&std::fs::read(path)?))),
        Err(_) => Ok(true),
    }
}

/// Adds text to an archive of this length, and waits until it is on disk. Returns the new length.
fn add(path: &Path, bytes: u64, text: &[u8]) -> io::Result<u64> {
    let is_new = !path.exists();
    let mut file = private::options().create(true).read(true).append(true).open(path)?;
    let length = file.metadata()?.len();
    if length < bytes {
        return Err(io::Error::other("it is shorter than its ledger says"));
    }
    // An earlier attempt may have added a part, and a power cut zeros after it.
    let mut added = Vec::new();
    file.seek(SeekFrom::Start(bytes))?;
    file.read_to_end(&mut added)?;
    let added = without_zeros(&added);
    file.set_len(bytes + added.len() as u64)?;
    let Some(rest) = text.strip_prefix(added) else {
        return Err(io::Error::other("it has lines that its ledger doesn't have, so it belongs to another one"));
    };
    if let Err(why) = file.write_all(rest).and_then(|()| file.sync_all()) {
        // Whatever else is to be written needs the space.
        let _ = if length == 0 { std::fs::remove_file(path) } else { file.set_len(length) };
        return Err(why);
    }
    if is_new {
        sync_folder(path)?;
    }
    Ok(bytes + text.len() as u64)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")))?.sync_all()
}

/// A ledger that was shortened, and is locked.
pub(super) struct Shortened {
    pub file: File,
    pub records: Vec<Record>,
    /// False if a power cut may bring the longer one back. Then nothing may be written to this one.
    pub is_durable: bool,
}

/// Shortens a ledger that this process has locked. `mark` makes the line that says how long the archive is. Returns `None` if
/// more than half of the lines have to stay.
pub(super) fn shorten(
    ledger: &Path,
    mut file: &File,
    records: &[Record],
    mark_of: impl Fn(u64) -> Record,
) -> Result<Option<Shortened>, LedgerError> {
    let needed = rests::needed(records);
    if needed.len() > records.len() / 2 {
        return Ok(None);
    }
    let archive = path_of(ledger);
    let failed = |path: &Path, why| LedgerError::Io { path: path.display().to_string(), why };
    let mut bytes = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut bytes)).map_err(|why| failed(ledger, why))?;
    let changed = || failed(ledger, io::Error::other("it has changed meanwhile"));
    let lines = lines(&bytes, records.len()).ok_or_else(changed)?;
    // The lines before an earlier mark are in the archive already, unless it was moved away.
    let begins_anew = begins_anew(&archive, &bytes).map_err(|why| failed(&archive, why))?;
    let earlier = mark(records).filter(|_| !begins_anew);
    let (start, length) = earlier.map_or((0, 0), |(mark, length)| (lines[mark].end, length));
    let length = add(&archive, length, &bytes[start..]).map_err(|why| failed(&archive, why))?;
    let mark = mark_of(length);
    let mut text: Vec<u8> = needed.iter().flat_map(|line| &bytes[lines[*line].clone()]).copied().collect();
    serde_json::to_writer(&mut text, &mark).map_err(|why| failed(ledger, why.into()))?;
    text.push(b'\n');
    let (file, is_durable) = replace(ledger, file, &text).map_err(|why| failed(ledger, why))?;
    let records = needed.into_iter().map(|line| records[line].clone()).chain([mark]).collect();
    Ok(Some(Shortened { file, records, is_durable }))
}

/// Returns the place of each readable line, with its end. There must be as many as this.
fn lines(bytes: &[u8], count: usize) -> Option<Vec<Range<usize>>> {
    let mut end = 0;
    let all = bytes.split_inclusive(|byte| *byte == b'\n').map(|line| {
        end += line.len();
        end - line.len()..end
    });
    let mut lines: Vec<Range<usize>> = all.filter(|line| bytes[line.clone()] != *b"\n").collect();
    if lines.len() != count {
        // Some were incomplete, because a writer was killed.
        lines.retain(|line| record(bytes[line.clone()].trim_ascii_end()).is_ok());
    }
    (lines.len() == count).then_some(lines)
}

/// Replaces a ledger by this text, with the same owner and permissions. Returns the new file, which is locked before anybody
/// else can open it, and whether a power cut can't undo that.
#[cfg(unix)]
fn replace(ledger: &Path, old: &File, text: &[u8]) -> io::Result<(File, bool)> {
    use std::os::unix::fs::{MetadataExt as _, chown};

    let real = ledger.canonicalize()?;
    let old = old.metadata()?;
    if old.nlink() > 1 {
        return Err(io::Error::other("it has a second name, which would keep the longer one"));
    }
    // The name is always the same, so a process that dies leaves one file at most, until the next shortens the ledger.
    let path = real.with_extension("shorter");
    match std::fs::remove_file(&path) {
        Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why),
        Ok(()) | Err(_) => {}
    }
    let new = private::options().create_new(true).read(true).append(true).open(&path)?;
    let mut new = NamedTempFile::from_parts(new, TempPath::try_from_path(path)?);
    new.write_all(text)?;
    let mine = new.as_file().metadata()?;
    if (mine.uid(), mine.gid()) != (old.uid(), old.gid()) {
        chown(new.path(), Some(old.uid()), Some(old.gid()))?;
    }
    new.as_file().set_permissions(old.permissions())?;
    new.as_file().sync_all()?;
    new.as_file().try_lock()?;
    sync_folder(&real)?;
    let file = new.persist(&real).map_err(|why| why.error)?;
    Ok((file, sync_folder(&real).is_ok()))
}

/// Elsewhere, a file that others have open can't be replaced.
#[cfg(not(unix))]
fn replace(_: &Path, _: &File, _: &[u8]) -> io::Result<(File, bool)> {
    Err(io::ErrorKind::Unsupported.into())
}
