//! What is kept between runs, below `.rolecall/cache`: the schema of a hub, the requests that still count against its
//! limit, and the answers of a read that broke off. Nothing of it is needed: without it more is asked for, and slower.

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
use rolecall_graphql::{Budget, MemoryBudget, Quota, ReadCheckpoint, ResponseCache, Ticket};

/// A schema is asked for anew after so long.
const SCHEMA_LASTS: SignedDuration = SignedDuration::from_hours(24);

/// A read that broke off is gone on with for so long after it began: what it found may no longer be so.
const READ_LASTS: SignedDuration = SignedDuration::from_mins(30);

/// Where a line keeps what outlives a run.
#[derive(Clone, Debug)]
pub(super) struct Cache {
    folder: PathBuf,
    /// Tells one platform from another: what it is able to do, and how much of it is left.
    pub platform: String,
    /// Tells one way to it from another: what is seen differs by the credentials.
    line: String,
}

impl Cache {
    pub fn new(folder: &Path, platform: String, line: String) -> Self {
        Self { folder: folder.join("cache"), platform, line }
    }

    fn of_platform(&self, what: &str) -> PathBuf {
        self.folder.join(format!("{}.{what}", self.platform))
    }

    fn of_line(&self, what: &str) -> PathBuf {
        self.folder.join(format!("{}.{what}", self.line))
    }

    /// The answers that an earlier read got before it broke off, and a place for those of this one.
    pub fn spool(&self) -> Arc<ReadSpool> {
        Arc::new(ReadSpool::open(self.of_line("read.jsonl")))
    }

    /// What was read before is no longer so.
    pub fn forget_read(&self) {
        let _ = std::fs::remove_file(self.of_line("read.jsonl"));
    }

    pub fn budget(&self) -> FileBudget {
        let began = Timestamp::now().as_nanosecond();
        FileBudget {
            path: self.of_platform("requests.json"),
            run: format!("{began:x}-{}", std::process::id()),
            made: AtomicU64::new(0),
            slowest: Mutex::new(None),
            answered: AtomicUsize::new(0),
            expected: AtomicUsize::new(0),
            alone: AtomicBool::new(false),
            fallback: MemoryBudget::default(),
        }
    }
}

/// Readable by its owner only: it says who is in an organisation.
fn private(path: &Path) -> io::Result<OpenOptions> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    Ok(options)
}

/// A kept answer, with what tells one schema from another.
#[derive(Serialize, Deserialize)]
struct Shelved {
    at: Timestamp,
    fingerprint: String,
    /// None: it was seen to be so no longer.
    answer: Option<Value>,
}

fn fingerprint(answer: &Value) -> String {
    let digest = Sha256::digest(answer.to_string().as_bytes());
    let shown = digest.first_chunk().copied().unwrap_or_default();
    format!("{:016x}", u64::from_be_bytes(shown))
}

impl Cache {
    fn shelved(&self, name: &str) -> Option<Shelved> {
        let text = std::fs::read(self.of_platform(&format!("{}.json", name.to_lowercase()))).ok()?;
        serde_json::from_slice(&text).ok()
    }

    fn shelve(&self, name: &str, shelved: &Shelved) {
        let path = self.of_platform(&format!("{}.json", name.to_lowercase()));
        let write = || {
            let mut file = private(&path)?.create(true).write(true).truncate(true).open(&path)?;
            file.write_all(&serde_json::to_vec(shelved)?)
        };
        if let Err(why) = write() {
            tracing::info!(%why, "the schema can't be kept");
        }
    }
}

impl ResponseCache for Cache {
    fn get(&self, name: &str) -> Option<Value> {
        let Shelved { at, fingerprint: written, answer } = self.shelved(name)?;
        let answer = answer?;
        let age = Timestamp::now().duration_since(at);
        let fresh = !age.is_negative() && age < SCHEMA_LASTS;
        // One that was damaged is asked for anew.
        (fresh && written == fingerprint(&answer)).then_some(answer)
    }

    fn put(&self, name: &str, answer: &Value) {
        let fingerprint = fingerprint(answer);
        tracing::info!(fingerprint, "the platform's schema");
        if let Some(before) = self.shelved(name).filter(|before| before.fingerprint != fingerprint) {
            let day = before.at.strftime("%Y-%m-%d");
            talk(&format!(
                "the platform's schema has changed since {day}: {} -> {fingerprint}\n",
                before.fingerprint
            ));
        }
        self.shelve(name, &Shelved { at: Timestamp::now(), fingerprint, answer: Some(answer.clone()) });
    }

    fn forget(&self, name: &str) {
        if let Some(known) = self.shelved(name) {
            self.shelve(name, &Shelved { answer: None, ..known });
        }
    }
}

/// An answer of a read, or when it began.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    Answer { asked: String, answer: Value },
    Began { began: Timestamp },
}

/// The answers of a read, kept until it is complete.
pub(super) struct ReadSpool {
    path: PathBuf,
    earlier: Mutex<BTreeMap<String, Value>>,
    file: Mutex<Option<File>>,
}

impl ReadSpool {
    fn open(path: PathBuf) -> Self {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        // A torn last line is as good as none.
        let mut lines = text.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok());
        let began = lines.next().and_then(|line| match line {
            Line::Began { began } => Some(began),
            Line::Answer { .. } => None,
        });
        let age = began.map(|began| Timestamp::now().duration_since(began));
        let fresh = age.is_some_and(|age| !age.is_negative() && age < READ_LASTS);
        let mut earlier = BTreeMap::new();
        for line in lines.filter(|_| fresh) {
            if let Line::Answer { asked, answer } = line {
                earlier.insert(asked, answer);
            }
        }
        if let Some(age) = age.filter(|_| !earlier.is_empty()) {
            talk(&format!(
                "going on with a read that began {} min ago and was not completed: {} there already\n",
                age.as_mins(),
                plural(earlier.len(), "answer")
            ));
        }
        let open = || {
            let mut file = private(&path)?.create(true).append(true).open(&path)?;
            if !fresh {
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

    /// How many answers of an earlier read haven't been used yet.
    pub fn kept(&self) -> usize {
        self.earlier.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The read is complete: the next one begins anew.
    pub fn finish(&self) {
        *self.file.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let _ = std::fs::remove_file(&self.path);
    }

    /// The read broke off: what is there stays there.
    pub fn suspend(&self) {
        let answers = |text: String| text.lines().count().saturating_sub(1);
        if std::fs::read_to_string(&self.path).map_or(0, answers) == 0 {
            return;
        }
        let path = self.path.display();
        let lasts = READ_LASTS.as_mins();
        talk(&format!(
            "what was read is kept in {path}: the next `plan` or `drift` within {lasts} min goes on from there\n"
        ));
    }
}

impl ReadCheckpoint for ReadSpool {
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

/// A budget that all processes share which call the same platform.
pub(super) struct FileBudget {
    path: PathBuf,
    /// Tells this run's requests from those of others, wherever these run.
    run: String,
    made: AtomicU64,
    /// The slowest quota that was asked for.
    slowest: Mutex<Option<Quota>>,
    /// Requests of this run that were answered, and that it was said to take.
    answered: AtomicUsize,
    expected: AtomicUsize,
    /// The file can't be had, which was said.
    alone: AtomicBool,
    /// Where the file can't be had.
    fallback: MemoryBudget,
}

/// When requests were sent, by what tells them apart.
type Sent = BTreeMap<String, Timestamp>;

/// How long ago that was. Where a clock was ahead, it was just now.
fn age(now: Timestamp, at: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(at)).unwrap_or_default()
}

impl FileBudget {
    /// Works on what is written, while nobody else does.
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

    /// The same, or what this process knows by itself.
    fn shared<T>(&self, work: impl FnOnce(&mut Sent) -> T, alone: impl FnOnce(&MemoryBudget) -> T) -> T {
        self.with(work).unwrap_or_else(|why| {
            if !self.alone.swap(true, Ordering::Relaxed) {
                let path = self.path.display();
                talk(&format!(
                    "other runs aren't seen, so that together they may exceed the limit: {path}: {why}\n"
                ));
            }
            alone(&self.fallback)
        })
    }

    fn ticket(&self) -> Ticket {
        Ticket(self.made.fetch_add(1, Ordering::Relaxed))
    }

    fn name(&self, Ticket(ticket): Ticket) -> String {
        format!("{}-{ticket}", self.run)
    }

    /// As slow as anybody asks for: the limit is the platform's, and one.
    pub fn no_faster_than(&self, quota: Quota) {
        let mut slowest = self.slowest.lock().unwrap_or_else(PoisonError::into_inner);
        let calls = slowest.map_or(quota.calls, |known| known.calls.min(quota.calls));
        *slowest = Some(Quota { calls, ..quota });
    }

    /// So many more are to come.
    pub fn expect(&self, requests: usize) {
        self.expected.fetch_add(requests, Ordering::Relaxed);
    }

    /// How many of the requests that were sent count against the limit still.
    pub fn counting(&self, quota: Quota) -> usize {
        let (now, quota) = (Timestamp::now(), self.slowest(quota));
        let counts = |at: &&Timestamp| quota.counts(age(now, **at));
        self.with(|sent| sent.values().filter(counts).count()).unwrap_or_default()
    }

    /// How far this run has come: of about how many requests how many were answered.
    pub fn progress(&self) -> (usize, usize) {
        (self.answered.load(Ordering::Relaxed), self.expected.load(Ordering::Relaxed))
    }

    pub fn slowest(&self, quota: Quota) -> Quota {
        self.slowest.lock().unwrap_or_else(PoisonError::into_inner).unwrap_or(quota)
    }
}

impl Budget for FileBudget {
    fn take(&self, quota: Quota) -> Result<Ticket, Duration> {
        let (quota, ticket) = (self.slowest(quota), self.ticket());
        let take = |sent: &mut Sent| {
            let now = Timestamp::now();
            // Where a clock was ahead, nothing was sent later than now.
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
            sent.extend((0..quota.calls).map(|_| (self.name(self.ticket()), Timestamp::now())));
        };
        self.shared(used_up, |budget| budget.used_up(quota));
    }
}
