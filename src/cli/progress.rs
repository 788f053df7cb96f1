//! How far an apply is: a bar where a terminal is watched, a line now and then where not.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::out::talk;
use crate::report::Count;

/// Follows one run.
pub(super) struct Progress {
    count: Count,
    started: Instant,
    /// None: nobody watches a terminal.
    bar: Option<ProgressBar>,
}

impl Progress {
    pub fn of(mutations: usize) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(Some(mutations as u64), ProgressDrawTarget::stderr());
            // Without colours, so that NO_COLOR needn't be asked.
            bar.with_style(
                ProgressStyle::with_template("  [{bar:24}] {msg}")
                    .unwrap_or_else(|_| ProgressStyle::default_bar()),
            )
        });
        let progress = Self { count: Count::of(mutations), started: Instant::now(), bar };
        progress.draw(Duration::ZERO);
        progress
    }

    /// A line of the run's own: the bar makes way for it.
    pub fn beside<T>(&self, tell: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(tell),
            None => tell(),
        }
    }

    /// Something has become of a mutation.
    pub fn step(&mut self, mutation: &str) {
        let elapsed = self.started.elapsed();
        self.count.see(mutation);
        match self.bar {
            Some(_) => self.draw(elapsed),
            None => talk(&self.count.line(elapsed).unwrap_or_default()),
        }
    }

    /// Nothing of the bar is left.
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
