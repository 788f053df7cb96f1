//! Patience with a platform that says "not now".

use std::future::Future;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};

use super::CallError;

/// How long to wait, and how often.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    pub first: Duration,
    pub longest: Duration,
    /// Repetitions after the first try.
    pub times: usize,
    /// A `Retry-After` beyond this is an error instead of a wait.
    pub patience: Duration,
    /// For the jitter, so that many runs don't come back at once.
    pub seed: u64,
}

impl Backoff {
    /// What suits a platform on the internet.
    pub fn with_seed(seed: u64) -> Self {
        Self {
            first: Duration::from_millis(500),
            longest: Duration::from_secs(20),
            times: 4,
            patience: Duration::from_secs(120),
            seed,
        }
    }

    /// For one call, with all its tries.
    pub fn patience(self) -> Patience {
        let waits = ExponentialBuilder::default()
            .with_min_delay(self.first)
            .with_max_delay(self.longest)
            .with_max_times(self.times)
            .with_jitter()
            .with_jitter_seed(self.seed)
            .build();
        Patience { waits: Box::new(waits), longest: self.patience }
    }

    /// Tries until it works, patience ends, or `worth` says that repeating is of no use.
    pub async fn run<T, F>(
        self,
        operation: &str,
        worth: impl Fn(&CallError) -> bool,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, CallError>>,
    {
        let mut patience = self.patience();
        loop {
            let error = match attempt().await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            if !worth(&error) {
                return Err(error);
            }
            let Some(wait) = patience.before_trying_again(operation, &error) else { return Err(error) };
            tokio::time::sleep(wait).await;
        }
    }
}

/// What is left of it for one call.
pub struct Patience {
    /// Between tries, with jitter.
    waits: Box<dyn Iterator<Item = Duration> + Send>,
    longest: Duration,
}

impl Patience {
    /// How long to wait after this error. None: it isn't tried again.
    pub fn before_trying_again(&mut self, operation: &str, error: &CallError) -> Option<Duration> {
        let wait = match (self.waits.next()?, error.retry_after()) {
            (_, Some(asked)) if asked > self.longest => return None,
            (wait, Some(asked)) => wait.max(asked),
            (wait, None) => wait,
        };
        tracing::info!(operation, %error, wait_ms = wait.as_millis(), "trying again");
        Some(wait)
    }
}
