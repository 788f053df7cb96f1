//! Keeping ahead of a platform's limits, so that nothing is sent only to be refused.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

/// At most so many calls within any stretch of that length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    pub calls: usize,
    pub window: Duration,
}

/// Clocks differ a little, and a request takes a while to arrive.
const MARGIN: Duration = Duration::from_millis(100);

impl Pace {
    /// Does a call of this age count against the limit still?
    pub fn counts(self, age: Duration) -> bool {
        age < self.window + MARGIN
    }

    /// How long it takes until another call fits, beside calls of these ages, all of which count. None: it fits now.
    pub fn wait(self, ages: impl ExactSizeIterator<Item = Duration>) -> Option<Duration> {
        if ages.len() < self.calls {
            return None;
        }
        let oldest = ages.max().unwrap_or_default();
        Some((self.window + MARGIN).saturating_sub(oldest))
    }
}

/// Remembers the calls of each operation. One of them serves a credential.
#[derive(Debug, Default)]
pub struct Pacer {
    past: Mutex<BTreeMap<String, VecDeque<Instant>>>,
}

impl Pacer {
    /// Waits until another call fits.
    pub async fn wait(&self, operation: &str, pace: Pace) {
        loop {
            let wait = {
                let mut past = self.past.lock().await;
                let calls = past.entry(operation.to_owned()).or_default();
                let now = Instant::now();
                let age = |call: &Instant| now.saturating_duration_since(*call);
                calls.retain(|call| pace.counts(age(call)));
                pace.wait(calls.iter().map(age))
            };
            let Some(wait) = wait else { return };
            tracing::info!(operation, "waiting for the platform's limit");
            tokio::time::sleep(wait).await;
        }
    }

    /// Counts a call once it was answered, whatever the answer: refused ones count too.
    pub async fn count(&self, operation: &str) {
        self.past.lock().await.entry(operation.to_owned()).or_default().push_back(Instant::now());
    }
}
