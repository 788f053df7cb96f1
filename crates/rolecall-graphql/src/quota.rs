//! Keeping ahead of a platform's limits, so that nothing is sent only to be refused.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::MemoryBudget;

/// At most so many calls within any stretch of that length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    pub calls: usize,
    pub window: Duration,
}

/// Clocks differ a little, and a request takes a while to arrive.
const MARGIN: Duration = Duration::from_millis(100);

impl Quota {
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

/// The limits of single operations. One of them serves all that goes out with one credential.
#[derive(Debug, Default)]
pub struct Quotas {
    operations: Mutex<BTreeMap<String, Arc<MemoryBudget>>>,
}

impl Quotas {
    /// What is left of an operation's limit. Refused calls count, too.
    pub fn budget(&self, operation: &str) -> Arc<MemoryBudget> {
        let mut operations = self.operations.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(operations.entry(operation.to_owned()).or_default())
    }
}
