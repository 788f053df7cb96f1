//! The connections of one run. Organisations on one platform share its rate limit, and those with one credential
//! share a connection.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

#[cfg(feature = "sandbox")]
use url::Url;

use super::out::talk;
use crate::report::plural;
use rolecall_graphql::storage::{Cache, FileBudget, FileCheckpoint, StorageEvent};
use rolecall_graphql::{
    BackpressureTransport, Clients, HttpSettings, HttpTransport, OnWait, Quota, Quotas, RateLimitTransport,
    RunCache, Transport,
};

/// The connection to one platform with one credential.
#[derive(Clone)]
pub(super) struct PlatformConnection {
    pub transport: Arc<dyn Transport>,
    /// The quotas of single operations.
    pub quotas: Arc<Quotas>,
    /// Answers of the platform that don't change within a run.
    pub run_cache: RunCache,
    /// The cache between runs, for platforms with a rate limit.
    pub cache: Option<Cache>,
    /// The answers of the current read, which the next run uses if this one is interrupted.
    pub checkpoint: Option<Arc<FileCheckpoint>>,
}

/// Prints what a user should know about what is stored between runs.
pub(super) fn tell_stored(event: &StorageEvent) {
    talk(&match event {
        StorageEvent::SchemaChanged { since, before, now } => {
            let day = since.strftime("%Y-%m-%d");
            format!("The platform's schema has changed since {day}: {before} -> {now}.\n")
        }
        StorageEvent::ReadResumed { age, answers } => format!(
            "Resuming an interrupted read that began {} min ago, with {}.\n",
            age.as_mins(),
            plural(*answers, "answer")
        ),
        StorageEvent::ReadSuspended { path, lifetime } => format!(
            "The answers so far are kept in {}. The next `plan` or `drift` within {} min resumes the read.\n",
            path.display(),
            lifetime.as_mins()
        ),
        StorageEvent::BudgetUnshared { path, why } => format!(
            "rolecall can't see the requests of other runs, so together they may exceed the rate limit. {}: {why}\n",
            path.display()
        ),
    });
}

/// The connections that this run has opened, by their credential fingerprints.
#[derive(Default)]
pub(super) struct ConnectionPool {
    open: Mutex<BTreeMap<[u8; 32], PlatformConnection>>,
    /// The request budget of each platform, by its name.
    budgets: Mutex<BTreeMap<String, Arc<FileBudget>>>,
    clients: Clients,
    /// The number of machines that share every rate limit, or 0 if there is only this one.
    pub shards: usize,
    /// The URL of the sandbox that serves each world.
    #[cfg(feature = "sandbox")]
    sandboxes: tokio::sync::Mutex<BTreeMap<String, Url>>,
}

impl ConnectionPool {
    /// Returns the connection with this fingerprint, and opens it if it isn't open. `limited`: the quota of the
    /// platform, and the cache that counts requests between runs.
    pub fn open(
        &self,
        credential_fingerprint: [u8; 32],
        settings: HttpSettings,
        limited: Option<(Quota, Cache)>,
        resume: bool,
    ) -> Result<PlatformConnection, String> {
        let limited = limited.map(|(quota, cache)| {
            let mut budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
            let budget = budgets.entry(cache.platform.clone()).or_insert_with(|| Arc::new(cache.budget()));
            budget.no_faster_than(quota);
            (quota, cache, budget.clone())
        });
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connection) = open.get(&credential_fingerprint) {
            return Ok(connection.clone());
        }
        let mut transport: Arc<dyn Transport> = Arc::new(HttpTransport::sharing(settings, &self.clients)?);
        transport = Arc::new(BackpressureTransport::new(transport, Arc::new(print_backpressure)));
        let mut connection = PlatformConnection {
            transport: Arc::clone(&transport),
            quotas: Arc::default(),
            run_cache: RunCache::default(),
            cache: None,
            checkpoint: None,
        };
        if let Some((quota, cache, budget)) = limited {
            transport = Arc::new(RateLimitTransport::new(
                transport,
                quota,
                budget.clone(),
                print_rate_limit(budget, quota),
            ));
            connection.checkpoint = resume.then(|| cache.checkpoint());
            connection = PlatformConnection { transport, cache: Some(cache), ..connection };
        }
        open.insert(credential_fingerprint, connection.clone());
        Ok(connection)
    }

    /// Returns the part of a rate limit that this machine may use. The machines don't see each other's requests.
    pub fn share(&self, quota: Quota) -> Quota {
        Quota { requests: (quota.requests / self.shards.max(1)).max(1), ..quota }
    }

    /// Returns how many requests are to be sent and how long they take. Requests of the last minute count against
    /// the limit.
    pub fn estimate(&self, cache: &Cache, requests: usize, quota: Quota) -> String {
        let before = self.expect(cache, requests, quota);
        let windows = (before + requests).saturating_sub(1) / quota.requests.max(1);
        // The sandbox has short minutes.
        let (minutes, unit) = match quota.window.as_secs() {
            seconds @ ..60 => (windows * usize::try_from(seconds).unwrap_or(60) / 60, "second"),
            60.. => (windows, "minute"),
        };
        let time = if minutes == 0 || requests == 0 {
            "less than a minute".to_owned()
        } else {
            format!("about {minutes} to {} min", minutes + 1)
        };
        format!("about {}, {time} at {} a {unit}", plural(requests, "request"), quota.requests)
    }

    /// Announces requests to a platform with a rate limit. Returns how many earlier requests still count against
    /// the limit.
    fn expect(&self, cache: &Cache, requests: usize, quota: Quota) -> usize {
        let budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(budget) = budgets.get(&cache.platform) else { return 0 };
        budget.expect(requests);
        budget.counting(quota)
    }

    /// Returns the number of answers that an interrupted read has left for a connection.
    pub fn resumable_answers(&self, credential_fingerprint: &[u8; 32]) -> usize {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.get(credential_fingerprint)
            .and_then(|connection| connection.checkpoint.as_ref())
            .map_or(0, |checkpoint| checkpoint.unused_answers())
    }

    /// Returns every checkpoint of this run.
    pub fn checkpoints(&self) -> Vec<Arc<FileCheckpoint>> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.values().filter_map(|connection| connection.checkpoint.clone()).collect()
    }

    /// Returns the URL of the sandbox that serves a world, and starts it if it isn't running.
    #[cfg(feature = "sandbox")]
    pub async fn sandbox<E>(&self, world: &str, start: impl AsyncFnOnce() -> Result<Url, E>) -> Result<Url, E> {
        let mut sandboxes = self.sandboxes.lock().await;
        if let Some(url) = sandboxes.get(world) {
            return Ok(url.clone());
        }
        let url = start().await?;
        sandboxes.insert(world.to_owned(), url.clone());
        Ok(url)
    }
}

/// Prints that the platform asked rolecall to wait, if the wait is long enough to be noticed.
fn print_backpressure(wait: Duration) {
    if wait >= SHORTEST_PRINTED_WAIT {
        talk(&format!("Waiting {} s, because the platform asks for fewer requests.\n", wait.as_secs()));
    }
}

/// Shorter waits are not printed.
const SHORTEST_PRINTED_WAIT: Duration = Duration::from_secs(2);

/// Returns a callback that prints a wait for the rate limit, if the wait is long enough to be noticed.
fn print_rate_limit(budget: Arc<FileBudget>, quota: Quota) -> OnWait {
    Arc::new(move |wait| {
        if wait < SHORTEST_PRINTED_WAIT {
            return;
        }
        let Quota { requests, window } = budget.slowest(quota);
        let (answered, expected) = budget.progress();
        // The number of expected requests is an estimate.
        let of = if expected > answered { format!(" of about {expected}") } else { String::new() };
        let (wait, window) = (wait.as_secs(), window.as_secs());
        talk(&format!(
            "{answered}{of} requests are answered. Waiting {wait} s for the rate limit, {requests} requests in {window} s.\n"
        ));
    })
}
