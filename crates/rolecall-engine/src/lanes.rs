//! Works on many organisations at once, and on those of one lane one after the other.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use futures_util::{StreamExt as _, stream};

/// Works on each item, on at most `at_once` of them at once. Items of one lane never overlap. The results have the order of the
/// items, and `done` is called in that order, as soon as all earlier ones are done.
///
/// For example, two of four organisations share a rate limit. With `at_once` 2, they are read one after the other, and the
/// other two beside them. Each of the four is reported in its place.
pub async fn in_lanes<I, T, L: Ord>(
    items: &[I],
    lane: impl Fn(&I) -> L,
    at_once: usize,
    work: impl AsyncFn(&I) -> T,
    done: impl FnMut(&mut T),
) -> Vec<T> {
    let mut lanes: BTreeMap<L, Vec<usize>> = BTreeMap::new();
    for (index, item) in items.iter().enumerate() {
        lanes.entry(lane(item)).or_default().push(index);
    }
    let mut lanes: Vec<Vec<usize>> = lanes.into_values().collect();
    // The longest lane decides how long it takes.
    lanes.sort_by_key(|lane| (Reverse(lane.len()), lane.first().copied()));
    let empty = items.iter().map(|_| None).collect();
    let results = Mutex::new(Results { all: empty, passed: 0, done });
    let (work, results) = (&work, &results);
    let run = async |lane: Vec<usize>| {
        for index in lane {
            let result = work(&items[index]).await;
            results.lock().unwrap_or_else(PoisonError::into_inner).add(index, result);
        }
    };
    stream::iter(lanes).map(run).buffer_unordered(at_once).collect::<()>().await;
    let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
    std::mem::take(&mut results.all).into_iter().flatten().collect()
}

struct Results<T, D> {
    all: Vec<Option<T>>,
    /// The number of results that were passed on.
    passed: usize,
    done: D,
}

impl<T, D: FnMut(&mut T)> Results<T, D> {
    /// Adds a result, and passes on those whose turn it is.
    fn add(&mut self, index: usize, result: T) {
        self.all[index] = Some(result);
        while let Some(Some(next)) = self.all.get_mut(self.passed) {
            (self.done)(next);
            self.passed += 1;
        }
    }
}
