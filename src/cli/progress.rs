//! The progress of an apply: a bar on a terminal, and otherwise a line from time to time.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::out::talk;
use crate::report::Count;

/// Shows the progress of one apply.
pub(super) struct Progress {
    count: Count,
    started: Instant,
    /// The bar. `None` if stderr is not a terminal.
    bar: Option<ProgressBar>,
}

impl Progress {
    pub fn of(mutations: usize) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(Some(mutations as u64), ProgressDrawTarget::stderr());
            // The bar has no colours, so it needs no check of NO_COLOR.
            bar.with_style(
                ProgressStyle::with_template("  [{bar:24}] {msg}")
                    .unwrap_or_else(|_| ProgressStyle::default_bar()),
            )
        });
        let progress = Self { count: Count::of(mutations), started: Instant::now(), bar };
        progress.draw(Duration::ZERO);
        progress
    }

    /// Hides the bar while `print` prints.
    pub fn suspend<T>(&self, print: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    /// Counts a mutation that has an outcome.
    pub fn step(&mut self, mutation: &str) {
        let elapsed = self.started.elapsed();
        self.count.see(mutation);
        match self.bar {
            Some(_) => self.draw(elapsed),
            None => talk(&self.count.line(elapsed).unwrap_or_default()),
        }
    }

    /// Removes the bar.
    pub fn end(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }

    fn draw(&self, elapsed: Duration) {
        if let Some(bar) = &self.bar {
            bar.set_message(self.count.estimate(elapsed));
            bar.set_position(self.count.done() as u64);
        }
    }
}
