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

/// Remembers the calls of each operation. One of them serves a credential.
#[derive(Debug, Default)]
pub struct Pacer {
    past: Mutex<BTreeMap<String, VecDeque<Instant>>>,
}

impl Pacer {
    /// Waits until another call fits.
    pub async fn wait(&self, operation: &str, pace: Pace) {
        loop {
            let oldest = {
                let mut past = self.past.lock().await;
                let calls = past.entry(operation.to_owned()).or_default();
                let now = Instant::now();
                while calls
                    .front()
                    .is_some_and(|call| now.saturating_duration_since(*call) >= pace.window + MARGIN)
                {
                    calls.pop_front();
                }
                if calls.len() < pace.calls {
                    return;
                }
                calls.front().copied()
            };
            let Some(oldest) = oldest else { return };
            tracing::info!(operation, "waiting for the platform's limit");
            tokio::time::sleep_until(oldest + pace.window + MARGIN).await;
        }
    }

    /// Counts a call once it was answered, whatever the answer: refused ones count too.
    pub async fn count(&self, operation: &str) {
        self.past.lock().await.entry(operation.to_owned()).or_default().push_back(Instant::now());
    }
}
