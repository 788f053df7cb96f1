//! Limits that a platform is known to have, so that no request is sent only to be refused.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::MemoryBudget;

/// A limit on requests: at most `requests` of them within any period as long as `window`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    pub requests: usize,
    pub window: Duration,
}

/// The margin for differences between clocks, and for the time that a request takes to arrive.
const MARGIN: Duration = Duration::from_millis(100);

impl Quota {
    /// Returns whether a request that was sent so long ago still counts against the limit.
    pub fn counts(self, age: Duration) -> bool {
        age < self.window + MARGIN
    }

    /// Returns the time until another request is within the limit, or nothing if it is now. `ages` are those of
    /// the requests that still count.
    pub fn wait(self, ages: impl ExactSizeIterator<Item = Duration>) -> Option<Duration> {
        if ages.len() < self.requests {
            return None;
        }
        let oldest = ages.max().unwrap_or_default();
        Some((self.window + MARGIN).saturating_sub(oldest))
    }
}

/// The budgets of operations that have a limit of their own, by the operation's name. All requests that are sent
/// with one credential share one such value.
#[derive(Debug, Default)]
pub struct Quotas {
    budgets: Mutex<BTreeMap<String, Arc<MemoryBudget>>>,
}

impl Quotas {
    /// Returns the budget of an operation. Requests that the platform refuses count against it, too.
    pub fn budget(&self, operation: &str) -> Arc<MemoryBudget> {
        let mut budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(budgets.entry(operation.to_owned()).or_default())
    }
}
