//! How far an apply is. What time it is comes in as an argument.

use std::collections::BTreeSet;
use std::time::Duration;

use super::style::plural;

/// How long nothing is said after a line, and before the first.
const SILENCE: Duration = Duration::from_secs(10);

/// What was heard of, each once however often it was told.
#[derive(Clone, Debug)]
pub struct Count {
    total: usize,
    seen: BTreeSet<String>,
    /// When something was said last.
    told: Duration,
}

impl Count {
    pub fn of(total: usize) -> Self {
        Self { total, seen: BTreeSet::new(), told: Duration::ZERO }
    }

    /// Something has become of a mutation.
    pub fn see(&mut self, mutation: &str) {
        if !self.seen.contains(mutation) {
            self.seen.insert(mutation.to_owned());
        }
    }

    pub fn done(&self) -> usize {
        self.seen.len()
    }

    /// How far it is, after so long.
    pub fn estimate(&self, elapsed: Duration) -> String {
        estimate(self.seen.len(), self.total, elapsed)
    }

    /// What is to be said by now, if anything is.
    pub fn line(&mut self, elapsed: Duration) -> Option<String> {
        let due = elapsed >= self.told + SILENCE && self.seen.len() < self.total;
        due.then(|| {
            self.told = elapsed;
            format!("{}\n", self.estimate(elapsed))
        })
    }
}

/// How many are done, how fast that went, and how long the rest takes if it goes on like that.
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
