//! Estimates the progress of an apply. The time comes in as an argument.

use std::collections::BTreeSet;
use std::time::Duration;

use super::style::plural;

/// The least time before the first line of progress, and between two lines.
const INTERVAL: Duration = Duration::from_secs(10);

/// Counts mutations that have ended, each once.
#[derive(Clone, Debug)]
pub struct Count {
    total: usize,
    seen: BTreeSet<String>,
    /// The time of the last line.
    reported: Duration,
}

impl Count {
    pub fn of(total: usize) -> Self {
        Self { total, seen: BTreeSet::new(), reported: Duration::ZERO }
    }

    /// Counts a mutation that has ended.
    pub fn see(&mut self, mutation: &str) {
        if !self.seen.contains(mutation) {
            self.seen.insert(mutation.to_owned());
        }
    }

    pub fn done(&self) -> usize {
        self.seen.len()
    }

    /// Returns the progress after a time since the start.
    pub fn estimate(&self, elapsed: Duration) -> String {
        estimate(self.seen.len(), self.total, elapsed)
    }

    /// Returns a line of progress, if one is due.
    pub fn line(&mut self, elapsed: Duration) -> Option<String> {
        let due = elapsed >= self.reported + INTERVAL && self.seen.len() < self.total;
        due.then(|| {
            self.reported = elapsed;
            format!("{}\n", self.estimate(elapsed))
        })
    }
}

/// Returns the number of mutations that ended, their rate, and how long the rest takes at the same rate.
fn estimate(done: usize, total: usize, elapsed: Duration) -> String {
    let so_far = format!("{done} of {}", plural(total, "mutation"));
    let millis = elapsed.as_millis();
    if done == 0 || millis == 0 {
        return so_far;
    }
    let in_a = |unit: u128| (done as u128 * unit + millis / 2) / millis;
    let rate = match in_a(1000) {
        0 => format!("{} a minute", in_a(60_000)),
        some => format!("{some} a second"),
    };
    let left = (total.saturating_sub(done) as u128 * millis).div_ceil(done as u128);
    // No finer than anybody can tell.
    let left = match left.div_ceil(1000) {
        0 => return format!("{so_far}, {rate}"),
        seconds @ 1..60 => format!("{} s", seconds.next_multiple_of(5)),
        seconds @ 60..7200 => format!("{} min", (seconds + 30) / 60),
        seconds => format!("{} h", (seconds + 1800) / 3600),
    };
    format!("{so_far}, {rate}, about {left} left")
}
