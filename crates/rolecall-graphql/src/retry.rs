//! Retries after errors that may pass.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use tracing::Instrument as _;

use super::{CallError, trace};

/// The rules for retrying: how often, and after what waits.
///
/// Only a request that can't have an effect twice is retried. A read may always be sent again. A mutation may be
/// sent again only if it certainly never ran: the connection was refused, or the platform answered HTTP 429 and is
/// known to do so before it runs anything. For example, `inviteUser` is sent and the connection is lost while
/// rolecall waits for the answer. A retry could send a second mail, so there is none: the mutation is unsure, and
/// the next read decides. A mutation that creates a key is never repeated for another reason: its answer is the
/// only place that has the secret.
///
/// Apply may send a mutation again after a read has shown that it had no effect. That isn't decided here.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    /// The wait before the first retry. Each later wait is about twice as long as the one before.
    pub first_wait: Duration,
    pub longest_wait: Duration,
    /// The number of retries after the first attempt.
    pub retries: usize,
    /// The longest `Retry-After` that is waited for. A longer one is an error.
    pub max_retry_after: Duration,
    /// The seed of the jitter, so that many runs don't return at the same moment.
    pub seed: u64,
}

impl Backoff {
    /// Returns rules that suit a platform on the internet: four retries, over 8 to 15 s.
    pub fn with_seed(seed: u64) -> Self {
        Self {
            first_wait: Duration::from_millis(500),
            longest_wait: Duration::from_secs(20),
            retries: 4,
            max_retry_after: Duration::from_secs(120),
            seed,
        }
    }

    /// Returns the waits between the attempts of one request.
    pub fn waits(self) -> RetryWaits {
        let waits = ExponentialBuilder::default()
            .with_min_delay(self.first_wait)
            .with_max_delay(self.longest_wait)
            .with_max_times(self.retries)
            .with_jitter()
            .with_jitter_seed(self.seed)
            .build();
        RetryWaits { waits: Box::new(waits), max_retry_after: self.max_retry_after }
    }
}

/// The retries that one request has left.
pub struct RetryWaits {
    /// The remaining waits, with jitter.
    waits: Box<dyn Iterator<Item = Duration> + Send>,
    max_retry_after: Duration,
}

impl RetryWaits {
    /// Waits before the next attempt, or returns the error if there is to be none.
    pub async fn wait(&mut self, operation: &str, error: CallError) -> Result<(), CallError> {
        let Some(wait) = self.before_retry(operation, &error) else { return Err(error) };
        tokio::time::sleep(wait).instrument(trace::wait_span("retry")).await;
        Ok(())
    }

    /// Returns how long to wait after this error before the next attempt, or nothing if there is to be none.
    pub fn before_retry(&mut self, operation: &str, error: &CallError) -> Option<Duration> {
        let wait = match (self.waits.next()?, error.retry_after()) {
            (_, Some(asked)) if asked > self.max_retry_after => return None,
            (wait, Some(asked)) => wait.max(asked),
            (wait, None) => wait,
        };
        tracing::info!(operation, %error, wait_ms = wait.as_millis(), "trying again");
        Some(wait)
    }
}
