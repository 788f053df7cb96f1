//! What is kept between runs, below `.rolecall/cache`: the schema of a hub, the requests that still count against its
//! limit, and the answers of a read that broke off. Nothing of it is needed: without it more is asked for, and slower.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::out::talk;
use crate::graphql::{Budget, MemoryBudget, Pace, Shelf, Spool, Ticket};

/// A schema is asked for anew after so long.
const SCHEMA_LASTS: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A read that broke off is gone on with for so long after it began: what it found may no longer be so.
const READ_LASTS: SignedDuration = SignedDuration::from_mins(30);

/// Clocks differ a little.
const MARGIN: Duration = Duration::from_millis(100);

/// Where a line keeps what outlives a run.
#[derive(Clone, Debug)]
pub(super) struct Cache {
    folder: PathBuf,
    name: String,
}

impl Cache {
    pub fn new(folder: &Path, name: String) -> Self {
        Self { folder: folder.join("cache"), name }
    }

    fn file(&self, what: &str) -> PathBuf {
        self.folder.join(format!("{}.{what}", self.name))
    }

    /// The answers that an earlier read got before it broke off, and a place for those of this one.
    pub fn spool(&self) -> Arc<ReadSpool> {
        Arc::new(ReadSpool::open(self.file("read.jsonl")))
    }

    /// What was read before is no longer so.
    pub fn forget_read(&self) {
        let _ = std::fs::remove_file(self.file("read.jsonl"));
    }

    pub fn budget(&self) -> Arc<FileBudget> {
        Arc::new(FileBudget {
            path: self.file("requests.json"),
            made: Mutex::new(0),
            fallback: MemoryBudget::default(),
        })
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
    answer: Value,
}

fn fingerprint(answer: &Value) -> String {
    let digest = Sha256::digest(answer.to_string().as_bytes());
    let shown = digest.first_chunk().copied().unwrap_or_default();
    format!("{:016x}", u64::from_be_bytes(shown))
}

impl Cache {
    fn shelved(&self, name: &str) -> Option<Shelved> {
        let text = std::fs::read(self.file(&format!("{}.json", name.to_lowercase()))).ok()?;
        serde_json::from_slice(&text).ok()
    }
}

impl Shelf for Cache {
    fn get(&self, name: &str) -> Option<Value> {
        let Shelved { at, fingerprint: written, answer } = self.shelved(name)?;
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
        let shelved = Shelved { at: Timestamp::now(), fingerprint, answer: answer.clone() };
        let path = self.file(&format!("{}.json", name.to_lowercase()));
        let write = || {
            let mut file = private(&path)?.create(true).write(true).truncate(true).open(&path)?;
            file.write_all(&serde_json::to_vec(&shelved)?)
        };
        if let Err(why) = write() {
            tracing::info!(%why, "the schema can't be kept");
        }
    }

    fn forget(&self, name: &str) {
        let _ = std::fs::remove_file(self.file(&format!("{}.json", name.to_lowercase())));
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
                "going on with a read that broke off {} min ago: {} answers are there already\n",
                age.as_mins(),
                earlier.len()
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

    /// The read is complete: the next one begins anew.
    pub fn finish(&self) {
        *self.file.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let _ = std::fs::remove_file(&self.path);
    }

    /// The read broke off: what is there stays there.
    pub fn suspend(&self) {
        let path = self.path.display();
        let lasts = READ_LASTS.as_mins();
        talk(&format!(
            "what was read is kept in {path}: the next `plan` or `drift` within {lasts} min goes on from there\n"
        ));
    }
}

impl Spool for ReadSpool {
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

/// A budget that all processes with the same credential share.
pub(super) struct FileBudget {
    path: PathBuf,
    made: Mutex<u64>,
    /// Where the file can't be had.
    fallback: MemoryBudget,
}

/// When requests were sent, by what tells them apart.
type Sent = BTreeMap<String, Timestamp>;

impl FileBudget {
    /// Works on what is written, while nobody else does.
    fn with<T>(&self, work: impl FnOnce(&mut Sent) -> T) -> io::Result<T> {
        let mut file =
            private(&self.path)?.create(true).truncate(false).read(true).write(true).open(&self.path)?;
        file.lock()?;
        let text = io::read_to_string(&mut file)?;
        let mut sent: Sent = serde_json::from_str(&text).unwrap_or_default();
        let done = work(&mut sent);
        file.set_len(0)?;
        io::Seek::rewind(&mut file)?;
        file.write_all(&serde_json::to_vec(&sent)?)?;
        Ok(done)
    }

    fn name(Ticket(ticket): Ticket) -> String {
        format!("{}-{ticket}", std::process::id())
    }
}

impl Budget for FileBudget {
    fn take(&self, pace: Pace) -> Result<Ticket, Duration> {
        let ticket = {
            let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
            *made += 1;
            Ticket(*made)
        };
        let taken = self.with(|sent| {
            let now = Timestamp::now();
            let window = pace.window + MARGIN;
            let since = |at: &Timestamp| Duration::try_from(now.duration_since(*at)).unwrap_or_default();
            sent.retain(|_, at| since(at) < window);
            if sent.len() >= pace.calls {
                return Err(window.saturating_sub(sent.values().map(since).max().unwrap_or_default()));
            }
            sent.insert(Self::name(ticket), now);
            Ok(ticket)
        });
        taken.unwrap_or_else(|_| self.fallback.take(pace))
    }

    fn answered(&self, ticket: Ticket) {
        let noted = self.with(|sent| sent.insert(Self::name(ticket), Timestamp::now()));
        if noted.is_err() {
            self.fallback.answered(ticket);
        }
    }

    fn give_back(&self, ticket: Ticket) {
        let noted = self.with(|sent| sent.remove(&Self::name(ticket)));
        if noted.is_err() {
            self.fallback.give_back(ticket);
        }
    }
}
