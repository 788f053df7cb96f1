//! The cache in `.rolecall/cache`: the schema of a platform, the requests that still count against its rate limit,
//! and the answers of an interrupted read. A run works without it, and then sends more requests and takes longer.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::out::talk;
use crate::report::plural;
use rolecall_engine::private;
use rolecall_graphql::{Budget, MemoryBudget, Quota, ReadCheckpoint, ResponseCache, Ticket};

/// The time after which a kept schema is read again.
const SCHEMA_LIFETIME: SignedDuration = SignedDuration::from_hours(24);

/// The time after its start within which an interrupted read can be resumed. Later, its answers may be out of
/// date.
const READ_LIFETIME: SignedDuration = SignedDuration::from_mins(30);

/// The cache of one connection.
#[derive(Clone, Debug)]
pub(super) struct Cache {
    folder: PathBuf,
    /// Names the files of the platform: its schema, and the budget of its requests.
    pub platform: String,
    /// Names the files of the connection: its read, because each credential sees something else.
    connection: String,
}

impl Cache {
    pub fn new(folder: &Path, platform: String, connection: String) -> Self {
        Self { folder: folder.join("cache"), platform, connection }
    }

    fn platform_file(&self, suffix: &str) -> PathBuf {
        self.folder.join(format!("{}.{suffix}", self.platform))
    }

    fn connection_file(&self, suffix: &str) -> PathBuf {
        self.folder.join(format!("{}.{suffix}", self.connection))
    }

    /// Opens the checkpoint: the answers that an interrupted read has left, and a file for those of this read.
    pub fn checkpoint(&self) -> Arc<FileCheckpoint> {
        Arc::new(FileCheckpoint::open(self.connection_file("read.jsonl")))
    }

    /// Deletes the answers of an interrupted read, because an apply is about to change live.
    pub fn forget_read(&self) {
        let _ = std::fs::remove_file(self.connection_file("read.jsonl"));
    }

    /// Returns the budget of requests that every run on this platform shares.
    pub fn budget(&self) -> FileBudget {
        let began = Timestamp::now().as_nanosecond();
        FileBudget {
            path: self.platform_file("requests.json"),
            run: format!("{began:x}-{}", std::process::id()),
            tickets: AtomicU64::new(0),
            slowest: Mutex::new(None),
            answered: AtomicUsize::new(0),
            expected: AtomicUsize::new(0),
            is_unshared: AtomicBool::new(false),
            fallback: MemoryBudget::default(),
        }
    }
}

/// Returns options that open a file which only its owner may read, because it says who is in an organisation.
/// Creates its folder.
fn private(path: &Path) -> io::Result<OpenOptions> {
    if let Some(folder) = path.parent() {
        private::create_folder(folder)?;
    }
    Ok(private::options())
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
            let mut file = private(&path)?.create(true).write(true).truncate(true).open(&path)?;
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
            let day = before.at.strftime("%Y-%m-%d");
            talk(&format!(
                "The platform's schema has changed since {day}: {} -> {fingerprint}.\n",
                before.fingerprint
            ));
        }
        self.write_schema(name, &KeptSchema { at: Timestamp::now(), fingerprint, answer: Some(answer.clone()) });
    }

    fn forget(&self, name: &str) {
        if let Some(known) = self.read_schema(name) {
            self.write_schema(name, &KeptSchema { answer: None, ..known });
        }
    }
}

/// A line of a checkpoint: the time at which the read began, or an answer.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    Answer { asked: String, answer: Value },
    Began { began: Timestamp },
}

/// The answers of a read in a file, kept until the read is complete.
pub(super) struct FileCheckpoint {
    path: PathBuf,
    earlier: Mutex<BTreeMap<String, Value>>,
    file: Mutex<Option<File>>,
}

impl FileCheckpoint {
    fn open(path: PathBuf) -> Self {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        // A last line that was cut off is ignored.
        let mut lines = text.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok());
        let began = lines.next().and_then(|line| match line {
            Line::Began { began } => Some(began),
            Line::Answer { .. } => None,
        });
        let age = began.map(|began| Timestamp::now().duration_since(began));
        let is_fresh = age.is_some_and(|age| !age.is_negative() && age < READ_LIFETIME);
        let mut earlier = BTreeMap::new();
        for line in lines.filter(|_| is_fresh) {
            if let Line::Answer { asked, answer } = line {
                earlier.insert(asked, answer);
            }
        }
        if let Some(age) = age.filter(|_| !earlier.is_empty()) {
            talk(&format!(
                "Resuming an interrupted read that began {} min ago, with {}.\n",
                age.as_mins(),
                plural(earlier.len(), "answer")
            ));
        }
        let open = || {
            let mut file = private(&path)?.create(true).append(true).open(&path)?;
            if !is_fresh {
                file.set_len(0)?;
                let began = serde_json::to_string(&Line::Began { began: Timestamp::now() })?;
                writeln!(file, "{began}")?;
            } else if !text.ends_with('\n') {
                writeln!(file)?;
            }
            Ok::<File, io::Error>(file)
        };
        Self { earlier: Mutex::new(earlier), file: Mutex::new(open().ok()), path }
    }

    /// Returns the number of answers of the interrupted read that this read has not used yet.
    pub fn unused_answers(&self) -> usize {
        self.earlier.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Deletes the file after a complete read, so that the next read starts from the beginning.
    pub fn finish(&self) {
        *self.file.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let _ = std::fs::remove_file(&self.path);
    }

    /// Keeps the file after an interrupted read, and prints how to resume it.
    pub fn suspend(&self) {
        let answers = |text: String| text.lines().count().saturating_sub(1);
        if std::fs::read_to_string(&self.path).map_or(0, answers) == 0 {
            return;
        }
        let path = self.path.display();
        let lifetime = READ_LIFETIME.as_mins();
        talk(&format!(
            "The answers so far are kept in {path}. The next `plan` or `drift` within {lifetime} min resumes the read.\n"
        ));
    }
}

impl ReadCheckpoint for FileCheckpoint {
    fn take(&self, asked: &str) -> Option<Value> {
        self.earlier.lock().unwrap_or_else(PoisonError::into_inner).remove(asked)
    }

    fn keep(&self, asked: &str, answer: &Value) {
        let line = Line::Answer { asked: asked.to_owned(), answer: answer.clone() };
        let mut guard = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(file), Ok(text)) = (&mut *guard, serde_json::to_string(&line))
            && writeln!(file, "{text}").is_err()
        {
            *guard = None;
        }
    }
}

/// The budget of a platform's rate limit, in a file that all processes share.
pub(super) struct FileBudget {
    path: PathBuf,
    /// The prefix of the names of this run's requests. No other run has it.
    run: String,
    tickets: AtomicU64,
    /// The smallest quota that any organisation asks for.
    slowest: Mutex<Option<Quota>>,
    /// The number of requests of this run that are answered, and the number that the run is expected to send.
    answered: AtomicUsize,
    expected: AtomicUsize,
    /// True if the file can't be used, which was printed once.
    is_unshared: AtomicBool,
    /// The budget of this process alone, if the file can't be used.
    fallback: MemoryBudget,
}

/// The time at which each request was sent, by the name of the request.
type Sent = BTreeMap<String, Timestamp>;

/// Returns the time that has passed since `at`. If a clock was ahead, it is zero.
fn age(now: Timestamp, at: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(at)).unwrap_or_default()
}

impl FileBudget {
    /// Reads, changes and writes the file, while it is locked for other processes.
    fn with<T>(&self, work: impl FnOnce(&mut Sent) -> T) -> io::Result<T> {
        let mut file =
            private(&self.path)?.create(true).truncate(false).read(true).write(true).open(&self.path)?;
        file.lock()?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        let mut sent: Sent = serde_json::from_slice(&text).unwrap_or_default();
        let done = work(&mut sent);
        let text = serde_json::to_vec(&sent)?;
        io::Seek::rewind(&mut file)?;
        file.write_all(&text)?;
        file.set_len(text.len() as u64)?;
        Ok(done)
    }

    /// Changes the file like [`FileBudget::with`], or the budget of this process if the file can't be used.
    fn shared<T>(&self, work: impl FnOnce(&mut Sent) -> T, alone: impl FnOnce(&MemoryBudget) -> T) -> T {
        self.with(work).unwrap_or_else(|why| {
            if !self.is_unshared.swap(true, Ordering::Relaxed) {
                let path = self.path.display();
                talk(&format!(
                    "rolecall can't see the requests of other runs, so together they may exceed the rate limit. {path}: {why}\n"
                ));
            }
            alone(&self.fallback)
        })
    }

    fn ticket(&self) -> Ticket {
        Ticket(self.tickets.fetch_add(1, Ordering::Relaxed))
    }

    fn name(&self, Ticket(ticket): Ticket) -> String {
        format!("{}-{ticket}", self.run)
    }

    /// Lowers the quota to that of an organisation. All organisations share the limit of the platform, so the
    /// smallest quota applies.
    pub fn no_faster_than(&self, quota: Quota) {
        let mut slowest = self.slowest.lock().unwrap_or_else(PoisonError::into_inner);
        let requests = slowest.map_or(quota.requests, |known| known.requests.min(quota.requests));
        *slowest = Some(Quota { requests, ..quota });
    }

    /// Announces further requests of this run.
    pub fn expect(&self, requests: usize) {
        self.expected.fetch_add(requests, Ordering::Relaxed);
    }

    /// Returns how many of the sent requests still count against the limit.
    pub fn counting(&self, quota: Quota) -> usize {
        let (now, quota) = (Timestamp::now(), self.slowest(quota));
        let counts = |at: &&Timestamp| quota.counts(age(now, **at));
        self.with(|sent| sent.values().filter(counts).count()).unwrap_or_default()
    }

    /// Returns the number of answered requests, and the number that the run is expected to send.
    pub fn progress(&self) -> (usize, usize) {
        (self.answered.load(Ordering::Relaxed), self.expected.load(Ordering::Relaxed))
    }

    /// Returns the smallest quota that any organisation asks for.
    pub fn slowest(&self, quota: Quota) -> Quota {
        self.slowest.lock().unwrap_or_else(PoisonError::into_inner).unwrap_or(quota)
    }
}

impl Budget for FileBudget {
    fn take(&self, quota: Quota) -> Result<Ticket, Duration> {
        let (quota, ticket) = (self.slowest(quota), self.ticket());
        let take = |sent: &mut Sent| {
            let now = Timestamp::now();
            // If a clock was ahead, the request counts as sent now.
            for at in sent.values_mut() {
                *at = now.min(*at);
            }
            sent.retain(|_, at| quota.counts(age(now, *at)));
            if let Some(wait) = quota.wait(sent.values().map(|at| age(now, *at))) {
                return Err(wait);
            }
            sent.insert(self.name(ticket), now);
            Ok(ticket)
        };
        self.shared(take, |budget| budget.take(quota))
    }

    fn answered(&self, ticket: Ticket) {
        self.answered.fetch_add(1, Ordering::Relaxed);
        let answered = |sent: &mut Sent| {
            sent.insert(self.name(ticket), Timestamp::now());
        };
        self.shared(answered, |budget| budget.answered(ticket));
    }

    fn give_back(&self, ticket: Ticket) {
        let give_back = |sent: &mut Sent| {
            sent.remove(&self.name(ticket));
        };
        self.shared(give_back, |budget| budget.give_back(ticket));
    }

    fn used_up(&self, quota: Quota) {
        let quota = self.slowest(quota);
        let used_up = |sent: &mut Sent| {
            sent.clear();
            sent.extend((0..quota.requests).map(|_| (self.name(self.ticket()), Timestamp::now())));
        };
        self.shared(used_up, |budget| budget.used_up(quota));
    }
}
