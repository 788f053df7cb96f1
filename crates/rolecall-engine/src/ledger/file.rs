//! The ledger on disk. The file is locked while it is open, every line is flushed, and it can be read after a
//! power cut.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead as _, Read, Seek, Write};
use std::mem;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rolecall_model::tagged::{Fields, Tagged as _, Text};
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use thiserror::Error;

use super::archive::{self, Shortened};
use super::store::StoreError;
use super::{Event, ReadLedger, Record};
use rolecall_graphql::storage::private;

/// The reason why a ledger can't be used.
#[derive(Debug, Error)]
pub enum LedgerError {
    #[error("the ledger {path} can't be used: {why}")]
    Io { path: String, why: io::Error },
    #[error("the ledger {ledger} can't be used: {why}")]
    Store { ledger: String, why: StoreError },
    #[error("another apply of this organisation is running and has locked {path}")]
    Locked { path: String },
    /// A line can't be read, and no killed writer leaves such a line.
    #[error("line {line} of the ledger {path} is damaged: {why}")]
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

/// The time for which [`OrganizationLock::is_held`] may hold a lock itself.
const A_LOOK: Duration = Duration::from_millis(100);

/// The number of bytes that a check writes, which is about that of a run's lines.
const PROBE: usize = 4096;

/// More characters than a time has.
const LONGEST_TIME: u64 = 64;

/// A lock that keeps out other applies of the same organisation until it is dropped, even if they run in another
/// folder or use another ledger. Its file stays there and has the time at which the lock was last released.
#[derive(Debug)]
pub struct OrganizationLock {
    file: File,
    released: String,
}

impl OrganizationLock {
    /// Acquires the lock. `path` is the lock file of the organisation.
    ///
    /// # Errors
    ///
    /// Fails if another apply has the lock, or the file can't be used.
    pub fn acquire(path: &Path) -> Result<Self, LedgerError> {
        let options = private::options().create(true).truncate(false).read(true).write(true).clone();
        let mut file = locked(path, &options, A_LOOK)?;
        let mut released = String::new();
        // Text that can't be read counts as that of an apply which was killed.
        let _ = file.read_to_string(&mut released);
        write_over(&mut file, "locked");
        Ok(Self { file, released })
    }

    /// Returns whether an apply holds this lock file. A file that doesn't exist or can't be read isn't held.
    pub fn is_held(path: &Path) -> bool {
        File::open(path).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    /// Returns whether an apply holds this lock file, or has held it since this time. An apply that was killed has left
    /// no time.
    pub fn was_held_since(path: &Path, at: Timestamp) -> bool {
        let released = || {
            let mut start = String::new();
            // A ledger, which is locked too, is longer than a time.
            File::open(path).ok()?.take(LONGEST_TIME).read_to_string(&mut start).ok()?;
            start.parse::<Timestamp>().ok()
        };
        Self::is_held(path) || released().is_some_and(|released| released >= at)
    }

    /// Returns whether nobody else had the lock since this time, so that a read which began then shows what is
    /// live. An apply that was killed has left no time.
    pub fn was_free_since(&self, at: Timestamp) -> bool {
        self.released.is_empty() || self.released.parse().is_ok_and(|released: Timestamp| released < at)
    }
}

impl Drop for OrganizationLock {
    fn drop(&mut self) {
        write_over(&mut self.file, &Timestamp::now().to_string());
        unlock(&self.file);
    }
}

/// Releases a lock. Closing the file would release it too, but not before each process that this one is just starting has
/// closed its copy of the descriptor.
fn unlock(file: &File) {
    let _ = file.unlock();
}

/// Replaces the text of a lock file. It is only a hint for the next apply, so a failure doesn't matter.
fn write_over(file: &mut File, text: &str) {
    let _ = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(text.as_bytes()));
}

/// Checks that a file could be written, or created in the nearest folder that exists. A disk that is full only tells when
/// something is written, so this writes to a file that has no name.
pub(super) fn check_writable(path: &Path) -> Result<(), LedgerError> {
    let failed = |why| LedgerError::Io { path: path.display().to_string(), why };
    let write = |mut file: File| file.write_all(&[0; PROBE]).and_then(|()| file.sync_data()).map_err(failed);
    if path.exists() {
        private::options().append(true).open(path).map_err(failed)?;
        let real = path.canonicalize().map_err(failed)?;
        // The folder of a file that can be written may be read-only.
        return real.parent().and_then(|folder| tempfile::tempfile_in(folder).ok()).map_or(Ok(()), write);
    }
    let here = Path::new(".");
    let folders = path.ancestors().skip(1).map(|folder| if folder.as_os_str().is_empty() { here } else { folder });
    let nearest = folders.into_iter().find(|folder| folder.exists()).unwrap_or(here);
    tempfile::tempfile_in(nearest).map_err(failed).and_then(write)
}

/// Opens a file and locks it until it is closed. Creates its folder first. If the file is locked, tries again for as long as
/// `patience`.
fn locked(path: &Path, options: &OpenOptions, patience: Duration) -> Result<File, LedgerError> {
    let failed = |why| LedgerError::Io { path: path.display().to_string(), why };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        private::create_folder(folder).map_err(failed)?;
    }
    let mut file = options.open(path).map_err(failed)?;
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) if is_at(path, &file) => return Ok(file),
            Ok(()) => {
                unlock(&file);
                file = options.open(path).map_err(failed)?;
            }
            Err(TryLockError::WouldBlock) if begun.elapsed() < patience => thread::sleep(patience / 50),
            Err(TryLockError::WouldBlock) => {
                return Err(LedgerError::Locked { path: path.display().to_string() });
            }
            Err(TryLockError::Error(why)) => return Err(failed(why)),
        }
    }
}

/// Returns whether a file is still the one at this path. An apply that had the lock may have replaced a long ledger.
fn is_at(path: &Path, file: &File) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let place = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
        let (this, there) = (file.metadata().map(place), std::fs::metadata(path).map(place));
        matches!((this, there), (Ok(this), Ok(there)) if this == there)
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        path.exists()
    }
}

/// A file that text is added to.
#[derive(Debug)]
struct Disk {
    path: PathBuf,
    file: File,
    /// The number of texts that were written so far.
    written: AtomicUsize,
    /// The number of those that are on disk.
    stored: Mutex<usize>,
    /// True after a failure, when the file may end with half a line, and nobody knows what is on disk.
    broken: AtomicBool,
}

impl Disk {
    fn new(path: &Path, file: File) -> Arc<Self> {
        let (written, stored, broken) = (AtomicUsize::new(0), Mutex::default(), AtomicBool::new(false));
        Arc::new(Self { path: path.to_owned(), file, written, stored, broken })
    }

    /// Fails after a failure: a line after an incomplete one would be read as a part of it.
    fn check(&self) -> io::Result<()> {
        let is_broken = self.broken.load(Ordering::SeqCst);
        if is_broken { Err(io::Error::other("an earlier line could not be written")) } else { Ok(()) }
    }

    fn checked<T>(&self, done: io::Result<T>) -> Result<T, LedgerError> {
        self.broken.fetch_or(done.is_err(), Ordering::SeqCst);
        done.map_err(|why| LedgerError::Io { path: self.path.display().to_string(), why })
    }
}

/// A text that was added to a ledger, and may not be on disk yet.
#[derive(Clone, Debug)]
pub(super) struct Unsynced {
    disk: Arc<Disk>,
    number: usize,
}

impl Unsynced {
    /// Waits until the text is on disk. Those who ask while another waits share the next wait.
    pub fn wait(&self) -> Result<(), LedgerError> {
        let Self { disk, number } = self;
        let mut stored = disk.stored.lock().unwrap_or_else(PoisonError::into_inner);
        disk.checked(disk.check())?;
        if *stored < *number {
            let written = disk.written.load(Ordering::SeqCst);
            disk.checked(disk.file.sync_data())?;
            *stored = written;
        }
        Ok(())
    }
}

#[derive(Debug)]
pub(super) struct LedgerFile(Arc<Disk>);

impl Drop for LedgerFile {
    fn drop(&mut self) {
        unlock(&self.0.file);
    }
}

impl LedgerFile {
    /// Opens a ledger. Returns the file, its records, and how it ends. If it is locked, tries again for as long as `patience`.
    pub fn open(path: &Path, patience: Duration) -> Result<(Self, Vec<Record>, Ending), LedgerError> {
        let failed = |why| LedgerError::Io { path: path.display().to_string(), why };
        refuse_special(path).map_err(failed)?;
        let mut file = locked(path, private::options().create(true).read(true).append(true), patience)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        let (records, ending) = parse(&path.display().to_string(), &bytes)?;
        Ok((Self(Disk::new(path, file)), records, ending))
    }

    /// Returns whether a line couldn't be written.
    pub fn is_broken(&self) -> bool {
        self.0.broken.load(Ordering::SeqCst)
    }

    /// Adds text.
    pub fn write(&self, bytes: &[u8]) -> Result<Unsynced, LedgerError> {
        let disk = &self.0;
        disk.checked(disk.check().and_then(|()| (&disk.file).write_all(bytes)))?;
        let number = disk.written.fetch_add(1, Ordering::SeqCst) + 1;
        Ok(Unsynced { disk: Arc::clone(disk), number })
    }

    /// Shortens the ledger. Returns the lines that stay, or `None` if it stays as it is.
    pub fn shorten(
        &mut self,
        records: &[Record],
        mark: impl Fn(u64) -> Record,
    ) -> Result<Option<Vec<Record>>, LedgerError> {
        if self.is_broken() || cfg!(not(unix)) {
            return Ok(None);
        }
        let shortened = archive::shorten(&self.0.path, &self.0.file, records, mark)?;
        let Some(Shortened { file, records, is_durable }) = shortened else { return Ok(None) };
        // Whoever waits for the lock of the earlier file finds that it is no longer at its path.
        let disk = Disk::new(&self.0.path, file);
        unlock(&mem::replace(&mut self.0, disk).file);
        self.0.broken.store(!is_durable, Ordering::SeqCst);
        Ok(Some(records))
    }

    pub fn path(&self) -> &Path {
        &self.0.path
    }
}

/// Refuses anything but a regular file: a device could be read without end.
pub(super) fn refuse_special(path: &Path) -> io::Result<()> {
    match std::fs::metadata(path) {
        Ok(meta) if !meta.is_file() => Err(io::Error::other("it isn't a regular file")),
        Err(why) if why.kind() != io::ErrorKind::NotFound => Err(why),
        Ok(_) | Err(_) => Ok(()),
    }
}

pub(super) fn read(path: &Path) -> Result<Option<ReadLedger>, LedgerError> {
    match refuse_special(path).and_then(|()| std::fs::read(path)) {
        Ok(bytes) => parse(&path.display().to_string(), &bytes).map(|(records, ending)| {
            let torn_bytes = if let Ending::Torn(bytes) = ending { bytes } else { 0 };
            Some(ReadLedger { records, torn_bytes })
        }),
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(why) => Err(LedgerError::Io { path: path.display().to_string(), why }),
    }
}

/// The first bytes of every line.
const START: &[u8] = br#"{"at":""#;

/// Returns the text of a file without the zeros at its end. A power cut can leave them, where the file system knew the new length
/// and not yet the new text.
pub(super) fn without_zeros(text: &[u8]) -> &[u8] {
    &text[..text.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)]
}

/// The number of bytes from which on a thread of its own pays.
const PART: usize = 512 * 1024;

/// The beginning of a line, without its event.
#[derive(Deserialize)]
#[serde(expecting = "a record of a ledger")]
struct Head {
    at: Timestamp,
    run: String,
}

/// Reads a line. A line in another form than rolecall writes takes longer. So does one that can't be read, and the messages
/// about it are the same whatever is wrong besides.
pub(super) fn record(line: &[u8]) -> serde_json::Result<Record> {
    written(line).map_or_else(|| any(line), Ok)
}

/// Reads a line in the form that rolecall writes.
fn written(line: &[u8]) -> Option<Record> {
    let line = std::str::from_utf8(line).ok()?;
    serde_json::from_str(line).ok().map(|WrittenRecord(record)| record)
}

/// Reads a line whatever the order of its fields is. The event is read from the line itself: beside other fields, serde would
/// first copy all of it.
fn any(line: &[u8]) -> serde_json::Result<Record> {
    let Head { at, run } = serde_json::from_slice(line)?;
    Ok(Record { at, run, event: serde_json::from_slice(line)? })
}

/// A record in the form that rolecall writes: the time, the run, and then the event.
struct WrittenRecord(Record);

impl<'de> Deserialize<'de> for WrittenRecord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RecordReader)
    }
}

struct RecordReader;

impl<'de> Visitor<'de> for RecordReader {
    type Value = WrittenRecord;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record of a ledger")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<WrittenRecord, A::Error> {
        let expect = |map: &mut A, name: &'static str| match map.next_key()? {
            Some(Text(key)) if key == name => Ok(()),
            _ => Err(de::Error::missing_field(name)),
        };
        expect(&mut map, "at")?;
        let at = map.next_value()?;
        expect(&mut map, "run")?;
        let run = map.next_value()?;
        expect(&mut map, Event::TAG)?;
        let event = Event::of_fields(Fields::new(map, Event::TAG, &["at", "run"]))?;
        Ok(WrittenRecord(Record { at, run, event }))
    }
}

/// The lines of a part of a ledger.
#[derive(Default)]
struct Part {
    records: Vec<Record>,
    unread: Vec<Unread>,
    /// The number of all lines.
    lines: usize,
}

/// A line that can't be read.
struct Unread {
    /// The number of the line, from 1.
    line: usize,
    /// The number of records before it.
    before: usize,
    bytes: usize,
    why: String,
    /// True if a writer that is killed, or a power cut, may leave such a line.
    may_be_torn: bool,
}

impl Part {
    fn read(mut text: &[u8]) -> Self {
        let mut part = Self::default();
        while !text.is_empty() {
            let mut rest = text;
            // Reading from memory can't fail.
            let length = rest.skip_until(b'\n').unwrap_or(text.len());
            let line = text[..length].strip_suffix(b"\n").unwrap_or(text);
            (text, part.lines) = (rest, part.lines + 1);
            match record(line) {
                _ if line.is_empty() => {}
                Ok(record) => part.records.push(record),
                Err(why) => part.unread.push(Unread {
                    line: part.lines,
                    before: part.records.len(),
                    bytes: line.len(),
                    may_be_torn: may_be_torn(line, &why),
                    why: why.to_string(),
                }),
            }
        }
        part
    }

    /// Adds the part that follows.
    fn extend(&mut self, next: Self) {
        if self.lines == 0 {
            *self = next;
            return;
        }
        let (lines, before) = (self.lines, self.records.len());
        let moved =
            |unread: Unread| Unread { line: unread.line + lines, before: unread.before + before, ..unread };
        self.unread.extend(next.unread.into_iter().map(moved));
        self.records.extend(next.records);
        self.lines += next.lines;
    }
}

/// Returns whether a writer that is killed, or a power cut, may leave such a line.
fn may_be_torn(line: &[u8], why: &serde_json::Error) -> bool {
    let text = without_zeros(line);
    let is_cut =
        if text.len() == line.len() { why.is_eof() } else { record(text).err().is_none_or(|why| why.is_eof()) };
    is_cut && (text.starts_with(START) || START.starts_with(text))
}

/// Reads the lines of a ledger, a part on each core.
fn read_lines(text: &[u8]) -> Part {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let length = text.len().div_ceil(cores).max(PART);
    let (mut parts, mut rest) = (Vec::new(), text);
    while let Some(after) = rest.get(length..) {
        let end = after.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |more| length + more + 1);
        parts.push(&rest[..end]);
        rest = &rest[end..];
    }
    thread::scope(|scope| {
        let start = |part| (part, thread::Builder::new().spawn_scoped(scope, move || Part::read(part)).ok());
        let parts: Vec<_> = parts.into_iter().map(start).collect();
        let last = Part::read(rest);
        let mut all = Part::default();
        for (part, thread) in parts {
            // If there can't be another thread, this one reads the lines.
            all.extend(thread.and_then(|thread| thread.join().ok()).unwrap_or_else(|| Part::read(part)));
        }
        all.extend(last);
        all
    })
}

/// Parses a ledger. A killed writer leaves the beginning of a line, at the end or before a [`Event::Recovered`]
/// line, and a power cut zeros after it. Anything else that can't be read is damage, be it one line or another file in the ledger's place.
pub(super) fn parse(path: &str, bytes: &[u8]) -> Result<(Vec<Record>, Ending), LedgerError> {
    let Part { records, unread, lines: _ } = read_lines(bytes);
    for unread in unread.chunk_by(|one, next| one.before == next.before) {
        let next = records.get(unread[0].before).map(|record| &record.event);
        let wrong = match next {
            Some(Event::Recovered { .. }) | None => None,
            Some(_) => unread.first(),
        };
        // Zeros alone may have been any ledger.
        let wrong = wrong.or(unread.first().filter(|_| records.is_empty() && bytes.contains(&0)));
        let wrong = unread.iter().find(|line| !line.may_be_torn).or(wrong);
        if let Some(Unread { line, why, .. }) = wrong {
            return Err(damaged(path, *line, why));
        }
        if next.is_none() {
            let torn = unread.iter().map(|line| line.bytes).sum();
            return Ok((records, Ending::Torn(torn)));
        }
    }
    let is_whole = bytes.is_empty() || bytes.ends_with(b"\n");
    Ok((records, if is_whole { Ending::Whole } else { Ending::NoNewline }))
}

/// Returns the error for a damaged line. It doesn't show a text that stands in the place of something else: the file may be
/// another one, which has secrets.
fn damaged(path: &str, line: usize, why: &str) -> LedgerError {
    let why = why.split(" at line ").next().unwrap_or(why);
    let why = match why.split_once(": string \"") {
        Some((what, rest)) => format!("{what}: text{}", rest.rsplit_once('"').unwrap_or_default().1),
        None => why.to_owned(),
    };
    LedgerError::Damaged { path: path.to_owned(), line, why }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: [&str; 5] = [
        r#"{"at":"2026-11-28T03:00:00Z","run":"r","event":"intent","mutation":"m1","operation":"o","change":{"address":"user/a@x.example","action":"update","before":{"kind":"user","id":"1","email":"a@x.example","roles":["A","B"],"resources":{"shop":{"id":"2","targets":"all"}},"enabled":"unreadable"},"after":{"kind":"user","email":"\u00c9A@x.example","roles":[],"enabled":true},"cause":{"is":"superseded","by":"3"},"effects":[{"is":"sends-mail"},{"is":"allows","permissions":["p"]}]},"known":["1"]}"#,
        r#"{"at":"2026-11-28T03:00:01Z","run":"r","event":"outcome","mutation":"m1","address":"key/a%23b#1","outcome":"done","refused":true,"id":"1","message":null}"#,
        r#"{"at":"2026-11-28T03:00:02Z","run":"r","event":"held","address":"organization","reason":{"is":"not-listed","step":"s"}}"#,
        r#"{"at":"2026-11-28T03:00:02Z","run":"r","event":"run-finished","converged":true,"differing":["user/*"],"directory_people":{"d":3},"not_selected":2}"#,
        r#"{"at":"2026-11-28T03:00:02Z","run":"r","event":"recovered","torn_bytes":3}"#,
    ];

    /// Compares both ways to read a line, and returns whether the shorter one can read it.
    fn agree(line: &[u8]) -> bool {
        let written = written(line);
        if let Some(record) = &written {
            assert_eq!(any(line).ok().as_ref(), Some(record), "{}", String::from_utf8_lossy(line));
        }
        written.is_some()
    }

    /// A pipe can be written to, and has no disk.
    #[cfg(unix)]
    #[test]
    #[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    fn after_a_wait_for_the_disk_that_failed_nothing_counts_as_stored() {
        let (_reader, writer) = io::pipe().unwrap();
        let file = LedgerFile(Disk::new(Path::new("pipe"), File::from(std::os::fd::OwnedFd::from(writer))));
        let (first, second) = (file.write(b"1\n").unwrap(), file.write(b"2\n").unwrap());
        assert!(!file.is_broken());
        second.wait().unwrap_err();
        let why = first.wait().unwrap_err().to_string();
        assert_eq!(why, "the ledger pipe can't be used: an earlier line could not be written");
        assert!(file.is_broken() && file.write(b"3\n").is_err());
    }

    #[cfg(unix)]
    #[test]
    #[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    fn one_wait_for_the_disk_stores_all_texts_before_it() {
        let file = LedgerFile(Disk::new(Path::new("file"), tempfile::tempfile().unwrap()));
        let (first, second) = (file.write(b"1\n").unwrap(), file.write(b"2\n").unwrap());
        first.wait().unwrap();
        assert_eq!(*second.disk.stored.lock().unwrap(), 2);
        second.wait().unwrap();
    }

    #[test]
    fn what_the_shorter_way_reads_the_longer_one_reads_too() {
        for line in LINES {
            assert!(agree(line.as_bytes()), "{line}");
            for place in 0..line.len() {
                let (before, after) = (&line.as_bytes()[..place], &line.as_bytes()[place..]);
                assert!(!agree(before));
                agree(&[before, &after[1..]].concat());
                for other in b"\"\\{}[],:0n \xff" {
                    agree(&[before, &[*other], after].concat());
                    agree(&[before, &[*other], &after[1..]].concat());
                }
                // A field that comes twice, or before the one that names the form of the others.
                if before.ends_with(b"{") || after.starts_with(b",") || after.starts_with(b"}") {
                    for field in [
                        r#""kind":"user""#,
                        r#""is":"declared""#,
                        r#""at":"2026-11-28T03:00:00Z""#,
                        r#""run":"r""#,
                        r#""event":"recovered""#,
                        r#""id":"1""#,
                        r#""new":{"is":[1,{}]}"#,
                    ] {
                        let (comma_before, comma_after) =
                            if before.ends_with(b"{") { ("", ",") } else { (",", "") };
                        let inserted = [comma_before, field, comma_after].concat();
                        agree(&[before, inserted.as_bytes(), after].concat());
                    }
                }
            }
        }
    }
}
