//! The results of a run in CI.

use std::collections::BTreeMap;

/// The result of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Success,
    /// A GitLab job that ended with an allowed exit code, or a manual job that may fail.
    Warning,
    Failure,
    Skipped,
    /// The job waits for somebody to run it or to approve its environment.
    Waiting,
}

/// The results of a workflow or a pipeline.
#[derive(Debug, Default)]
pub struct Run {
    pub jobs: BTreeMap<String, Ended>,
    /// The output of all its jobs, with their summaries.
    pub log: String,
}

impl Run {
    pub fn is(&self, job: &str, ended: Ended) {
        assert_eq!(self.jobs.get(job), Some(&ended), "{job}\n{}", self.log);
    }

    /// Checks that it consists of exactly these jobs.
    pub fn has(&self, jobs: &[&str]) {
        assert_eq!(self.jobs.keys().collect::<Vec<_>>(), jobs, "{}", self.log);
    }
}
