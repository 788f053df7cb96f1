//! Counts the steps of a thread, so that a test can tell whether the work grows faster than what it is about. A step is a
//! comparison of two names, ids or addresses, or a copy of one. Builds without debug assertions count nothing.

use std::cell::Cell;

thread_local! {
    static STEPS: Cell<u64> = const { Cell::new(0) };
}

/// Counts a step.
pub(super) fn step() {
    if cfg!(debug_assertions) {
        STEPS.set(STEPS.get() + 1);
    }
}

/// Returns the number of steps that this thread has made so far.
pub fn steps() -> u64 {
    STEPS.get()
}
