//! The lock of a ledger in a store. It holds across machines, and passes on if its holder dies.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::LedgerError;
use super::store::{Store, StoreError, Tag, runtime, wait};

/// The time between two renewals.
const RENEW: Duration = Duration::from_secs(10);
/// The age of the last renewal from which on the holder sends nothing more.
const HOLD: Duration = Duration::from_secs(30);
/// The time without a renewal after which another process takes the lock over: a request that the holder sent last has been
/// answered by then, or never will be.
const LEASE: Duration = Duration::from_secs(90);
/// The age from which on a lock is taken over without waiting. No two clocks differ that much.
const ABANDONED: SignedDuration = SignedDuration::from_mins(15);
/// The time between two looks at a lock that another process has.
const LOOK: Duration = Duration::from_secs(1);

/// The content of a lock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Lock {
    /// The run that has the lock, or had it last, and the time at which it got it. Two machines may give a run the same id.
    run: String,
    since: Timestamp,
    /// The time of the last renewal, or of the release.
    at: Timestamp,
    released: bool,
    /// Whether it was taken over, and the holder before could still write to the ledger.
    #[serde(default)]
    contested: bool,
    /// The number of writes by this run, so that no two contents are equal.
    writes: u64,
}

impl Lock {
    fn parse(text: &[u8]) -> Result<Self, StoreError> {
        let why = "the lock beside it has another form than rolecall writes".to_owned();
        serde_json::from_slice(text).map_err(|_| StoreError::Failed { why, may_pass: false })
    }

    fn is_abandoned(&self) -> bool {
        Timestamp::now().duration_since(self.at) > ABANDONED
    }

    /// Returns whether an apply has this lock.
    pub fn is_held(&self) -> bool {
        !self.released && !self.is_abandoned()
    }

    /// Returns whether an apply has this lock, or has had it since this time.
    pub fn was_held_since(&self, at: Timestamp) -> bool {
        self.is_held() || self.at >= at
    }
}

pub(super) fn lock_name(ledger: &str) -> String {
    format!("{ledger}.lock")
}

/// Reads the lock of a ledger.
pub(super) fn read(store: &Store, ledger: &str) -> Result<Option<Lock>, StoreError> {
    let (store, name) = (store.clone(), lock_name(ledger));
    wait(async move { store.get(&name).await })?.map(|(text, _)| Lock::parse(&text)).transpose()
}

/// The leases of this process that are not released yet.
static HELD: Mutex<Vec<Weak<Shared>>> = Mutex::new(Vec::new());

/// Releases all locks in stores, for a process that is about to end and has sent nothing.
pub fn release_locks() {
    let held: Vec<_> = locked(&HELD).drain(..).filter_map(|held| held.upgrade()).collect();
    for shared in held {
        shared.release();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A lock that this process has, until this is dropped.
#[derive(Debug)]
pub(super) struct Lease(Arc<Shared>);

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.release();
    }
}

/// Tells whether this process still has the lock of its ledger, so that it may send.
#[derive(Clone, Debug)]
pub struct Hold(Arc<Shared>);

impl Hold {
    pub fn is_held(&self) -> bool {
        let renewed = *locked(&self.0.renewed);
        // The one clock stands still while a machine sleeps, and somebody may set the other.
        renewed.is_some_and(|(at, on)| at.elapsed() < HOLD && on.elapsed().is_ok_and(|since| since < HOLD))
    }
}

#[derive(Debug)]
struct Shared {
    store: Store,
    name: String,
    run: String,
    since: Timestamp,
    /// The tag of the lock as this process wrote it last, and the number of its writes. `None` once it is released or lost.
    written: tokio::sync::Mutex<Option<(Tag, u64)>>,
    /// Whether the holder before could still write to the ledger.
    is_contested: AtomicBool,
    /// The time before the last write that succeeded.
    renewed: Mutex<Option<(Instant, SystemTime)>>,
}

impl Shared {
    fn text(&self, released: bool, writes: u64) -> Vec<u8> {
        let Self { run, since, .. } = self;
        let lock = Lock {
            run: run.clone(),
            since: *since,
            at: Timestamp::now(),
            released,
            contested: self.is_contested.load(Ordering::Relaxed),
            writes,
        };
        serde_json::to_vec(&lock).unwrap_or_default()
    }

    /// Writes the lock again. Returns whether it can be tried again later.
    async fn renew(&self) -> bool {
        let mut written = self.written.lock().await;
        let Some((tag, writes)) = written.take() else { return false };
        let begun = (Instant::now(), SystemTime::now());
        match self.store.put(&self.name, &self.text(false, writes + 1), Some(&tag)).await {
            Ok(tag) => {
                *written = Some((tag, writes + 1));
                *locked(&self.renewed) = Some(begun);
                true
            }
            Err(StoreError::Conflict) => {
                *written = self.found_own().await;
                if written.is_none() {
                    tracing::warn!(lock = self.name, "another process has taken over the lock");
                    *locked(&self.renewed) = None;
                }
                written.is_some()
            }
            Err(why) => {
                tracing::warn!(lock = self.name, %why, "the lock could not be renewed");
                *written = Some((tag, writes));
                true
            }
        }
    }

    /// Returns the lock if it is still that of this process: an earlier write without an answer may have arrived late.
    async fn found_own(&self) -> Option<(Tag, u64)> {
        let (text, tag) = self.store.get(&self.name).await.ok()??;
        let lock = Lock::parse(&text).ok()?;
        (!lock.released && lock.run == self.run && lock.since == self.since).then_some((tag, lock.writes))
    }

    /// Releases the lock, unless another process has it. If that fails, the next process waits until it is old.
    fn release(self: &Arc<Self>) {
        let shared = Arc::clone(self);
        let _ = wait(async move {
            *locked(&shared.renewed) = None;
            let Some((tag, writes)) = shared.written.lock().await.take() else { return Ok(()) };
            shared.store.put(&shared.name, &shared.text(true, writes + 1), Some(&tag)).await.map(drop)
        });
    }
}

/// Renews a lock until it is released or lost.
async fn keep(shared: Weak<Shared>) {
    loop {
        tokio::time::sleep(RENEW).await;
        let Some(shared) = shared.upgrade() else { return };
        if !shared.renew().await {
            return;
        }
    }
}

impl Lease {
    /// Acquires the lock of a ledger. Returns whether it was taken from a process that may still write to the ledger. With `waits`,
    /// waits until another process has released the lock or has died; if that process renews it, it lives, and this fails.
    pub fn acquire(store: &Store, ledger: &str, run: &str, waits: bool) -> Result<(Self, bool), LedgerError> {
        let failed = |why: StoreError| LedgerError::Store { ledger: format!("{store}/{ledger}"), why };
        let name = lock_name(ledger);
        let mut first_seen: Option<(Tag, Instant)> = None;
        loop {
            let (from, owned) = (store.clone(), name.clone());
            let found = wait(async move { from.get(&owned).await }).map_err(failed)?;
            let lock = found.as_ref().map(|(text, _)| Lock::parse(text)).transpose().map_err(failed)?;
            let tag = found.map(|(_, tag)| tag);
            if let Some(lock) = lock.as_ref().filter(|lock| lock.is_held()) {
                let locked = || LedgerError::Locked { path: format!("{store}/{name} (run {})", lock.run) };
                match &first_seen {
                    _ if !waits => return Err(locked()),
                    Some((first, _)) if Some(first) != tag.as_ref() => return Err(locked()),
                    Some((_, since)) if since.elapsed() >= LEASE => {}
                    Some(_) => {
                        thread::sleep(LOOK);
                        continue;
                    }
                    None => {
                        first_seen = tag.map(|tag| (tag, Instant::now()));
                        continue;
                    }
                }
            }
            let taken_over = lock.is_some_and(|lock| !lock.released || lock.contested);
            match Self::write(store, &name, run, (tag.as_ref(), taken_over)) {
                Ok(lease) => return Ok((lease, taken_over)),
                // Another process was faster.
                Err(StoreError::Conflict) => first_seen = None,
                Err(why) => return Err(failed(why)),
            }
        }
    }

    /// Writes the lock over the one that was found, and proves that the store refuses what it has to refuse.
    fn write(
        store: &Store,
        name: &str,
        run: &str,
        (found, taken_over): (Option<&Tag>, bool),
    ) -> Result<Self, StoreError> {
        let shared = Arc::new(Shared {
            store: store.clone(),
            name: name.to_owned(),
            run: run.to_owned(),
            since: Timestamp::now(),
            written: tokio::sync::Mutex::new(None),
            is_contested: AtomicBool::new(taken_over),
            renewed: Mutex::new(None),
        });
        let (lease, found) = (Self(Arc::clone(&shared)), found.cloned());
        wait(async move {
            let begun = (Instant::now(), SystemTime::now());
            let first = shared.store.put(&shared.name, &shared.text(false, 1), found.as_ref()).await?;
            let second = shared.store.put(&shared.name, &shared.text(false, 2), Some(&first)).await?;
            *shared.written.lock().await = Some((second, 2));
            for (header, stale) in [("If-Match", Some(&first)), ("If-None-Match", None)] {
                match shared.store.put(&shared.name, &shared.text(false, 3), stale).await {
                    Err(StoreError::Conflict) => {}
                    Err(why) => return Err(why),
                    Ok(tag) => {
                        *shared.written.lock().await = Some((tag, 3));
                        let why = format!(
                            "the store ignores `{header}`, so two applies could write at once and one of them would be lost"
                        );
                        return Err(StoreError::Failed { why, may_pass: false });
                    }
                }
            }
            *locked(&shared.renewed) = Some(begun);
            Ok(())
        })?;
        runtime()?.spawn(keep(Arc::downgrade(&lease.0)));
        locked(&HELD).push(Arc::downgrade(&lease.0));
        Ok(lease)
    }

    /// Records that the earlier holder can't write to the ledger any more.
    pub fn settle(&self) {
        self.0.is_contested.store(false, Ordering::Relaxed);
    }

    pub fn hold(&self) -> Hold {
        Hold(Arc::clone(&self.0))
    }
}
