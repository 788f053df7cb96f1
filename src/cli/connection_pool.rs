//! What several organisations of one run have in common: one platform, and so one limit, and perhaps one credential.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

#[cfg(feature = "sandbox")]
use url::Url;

use super::cache::{Cache, FileBudget, ReadSpool};
use super::out::talk;
use rolecall_graphql::{
    BackpressureTransport, HttpSettings, HttpTransport, OnWait, Quota, Quotas, RateLimitTransport, RunCache,
    Transport,
};

/// The way to one platform with one credential.
#[derive(Clone)]
pub(super) struct PlatformConnection {
    pub transport: Arc<dyn Transport>,
    /// What is left of the limits of single operations.
    pub quotas: Arc<Quotas>,
    /// What the platform said that doesn't change within a run.
    pub kept: RunCache,
    /// What is kept between runs, where requests are few.
    pub cache: Option<Cache>,
    /// The answers of a read that may break off.
    pub spool: Option<Arc<ReadSpool>>,
}

/// Those that this run has opened, by what reaches them.
#[derive(Default)]
pub(super) struct ConnectionPool {
    open: Mutex<BTreeMap<[u8; 32], PlatformConnection>>,
    /// What is left of each platform's limit, by its name.
    budgets: Mutex<BTreeMap<String, Arc<FileBudget>>>,
    /// Where the sandbox of a world listens.
    #[cfg(feature = "sandbox")]
    sandboxes: tokio::sync::Mutex<BTreeMap<String, Url>>,
}

impl ConnectionPool {
    /// The line that reaches there, opened if it isn't. `limited`: by which quota, and where to note what was sent.
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
        if let Some(line) = open.get(&credential_fingerprint) {
            return Ok(line.clone());
        }
        let mut transport: Arc<dyn Transport> = Arc::new(HttpTransport::new(settings)?);
        transport = Arc::new(BackpressureTransport::new(transport, Arc::new(tell_asked)));
        let mut line = PlatformConnection {
            transport: Arc::clone(&transport),
            quotas: Arc::default(),
            kept: RunCache::default(),
            cache: None,
            spool: None,
        };
        if let Some((quota, cache, budget)) = limited {
            transport =
                Arc::new(RateLimitTransport::new(transport, quota, budget.clone(), tell_waits(budget, quota)));
            line.spool = resume.then(|| cache.spool());
            line = PlatformConnection { transport, cache: Some(cache), ..line };
        }
        open.insert(credential_fingerprint, line.clone());
        Ok(line)
    }

    /// So many requests more are to go to a platform that limits them. Returns how many still count against the limit.
    pub fn expect(&self, cache: &Cache, requests: usize, quota: Quota) -> usize {
        let budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(budget) = budgets.get(&cache.platform) else { return 0 };
        budget.expect(requests);
        budget.counting(quota)
    }

    /// How many answers of an earlier read are there already.
    pub fn kept(&self, credential_fingerprint: &[u8; 32]) -> usize {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.get(credential_fingerprint).and_then(|line| line.spool.as_ref()).map_or(0, |spool| spool.kept())
    }

    /// Every spool of this run.
    pub fn spools(&self) -> Vec<Arc<ReadSpool>> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.values().filter_map(|line| line.spool.clone()).collect()
    }

    /// Where the sandbox of a world listens, which is started if it isn't.
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

/// Says that the platform asked for a wait, where somebody would wonder.
fn tell_asked(wait: Duration) {
    if wait >= WORTH_TELLING {
        talk(&format!("waiting {} s, as the platform asks not to come too fast\n", wait.as_secs()));
    }
}

const WORTH_TELLING: Duration = Duration::from_secs(2);

/// Says how long a wait is, where somebody would wonder.
fn tell_waits(budget: Arc<FileBudget>, quota: Quota) -> OnWait {
    Arc::new(move |wait| {
        if wait < WORTH_TELLING {
            return;
        }
        let Quota { calls, window } = budget.slowest(quota);
        let (answered, expected) = budget.progress();
        // What was expected is an estimate.
        let of = if expected > answered { format!(" of about {expected}") } else { String::new() };
        let (wait, window) = (wait.as_secs(), window.as_secs());
        talk(&format!(
            "{answered}{of} requests answered; waiting {wait} s, as the limit is {calls} in {window} s\n"
        ));
    })
}
