//! What became of a run in CI, and how a test asks.

use std::collections::BTreeMap;

/// What became of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Success,
    /// At GitLab: with one of the exit codes that are no failure, or a manual one that may fail.
    Warning,
    Failure,
    Skipped,
    /// For somebody to run it, or for reviewers of its environment.
    Waiting,
}

/// What became of a workflow or a pipeline.
#[derive(Debug, Default)]
pub struct Run {
    pub jobs: BTreeMap<String, Ended>,
    /// All that its jobs printed, and their summaries.
    pub log: String,
}

impl Run {
    pub fn is(&self, job: &str, ended: Ended) {
        assert_eq!(self.jobs.get(job), Some(&ended), "{job}\n{}", self.log);
    }

    /// Exactly these jobs are in it.
    pub fn has(&self, jobs: &[&str]) {
        assert_eq!(self.jobs.keys().collect::<Vec<_>>(), jobs, "{}", self.log);
    }
}
