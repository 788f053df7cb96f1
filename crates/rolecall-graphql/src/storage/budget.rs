//! The [`FileBudget`]: the requests that count against a platform's rate limit, in a file that all processes share.

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::{Budget, OnStorageEvent, StorageEvent, Ticket, private};
use crate::{MemoryBudget, Quota};

/// The budget of a platform's rate limit, in a file that all processes share.
pub struct FileBudget {
    path: PathBuf,
    /// The prefix of the names of this run's requests. No other run has it.
    run: String,
    tickets: AtomicU64,
    /// The smallest quota that any organisation asks for.
    slowest: Mutex<Option<Quota>>,
    /// The number of requests of this run that are answered, and the number that the run is expected to send.
    answered: AtomicUsize,
    expected: AtomicUsize,
    /// True if the file can't be used, which was said once.
    is_unshared: AtomicBool,
    /// The budget of this process alone, if the file can't be used.
    fallback: MemoryBudget,
    on_event: OnStorageEvent,
}

/// The time at which each request was sent, by the name of the request.
type Sent = BTreeMap<String, Timestamp>;

/// Returns the time that has passed since `at`. If a clock was ahead, it is zero.
fn age(now: Timestamp, at: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(at)).unwrap_or_default()
}

impl FileBudget {
    pub(super) fn new(path: PathBuf, on_event: OnStorageEvent) -> Self {
        let began = Timestamp::now().as_nanosecond();
        Self {
            path,
            run: format!("{began:x}-{}", std::process::id()),
            tickets: AtomicU64::new(0),
            slowest: Mutex::new(None),
            answered: AtomicUsize::new(0),
            expected: AtomicUsize::new(0),
            is_unshared: AtomicBool::new(false),
            fallback: MemoryBudget::default(),
            on_event,
        }
    }

    /// Reads, changes and writes the file, while it is locked for other processes.
    fn with<T>(&self, work: impl FnOnce(&mut Sent) -> T) -> io::Result<T> {
        let mut file = private::in_folder(&self.path)?
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&self.path)?;
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
                (self.on_event)(&StorageEvent::BudgetUnshared { path: self.path.clone(), why: why.to_string() });
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
