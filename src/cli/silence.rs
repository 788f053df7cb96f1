//! `--max-silence`: notices that a schedule no longer runs its job.

use clap::{Args, ValueHint};
use jiff::SignedDuration;

use super::exit::Exit;
use super::out::Out;
use super::{OUTPUT, days_or_hours};
use crate::report;
use rolecall_model::{Job, Plan};
use rolecall_plan::MaxSilence;

/// The option of a verb that notices silent jobs.
#[derive(Clone, Debug, Args)]
pub(super) struct Silence {
    /// End with exit code 2 if the last good apply is older than this, such as 7d; `plan` also checks the last drift run of the
    /// ledger.
    #[arg(long, value_name = "TIME", value_parser = days_or_hours, value_hint = ValueHint::Other, help_heading = OUTPUT)]
    max_silence: Option<SignedDuration>,
}

impl Silence {
    /// Returns the longest time for which these jobs may have been silent, if there is a limit.
    pub fn of(&self, jobs: &[Job]) -> Option<MaxSilence> {
        self.max_silence.map(|time| MaxSilence { time, jobs: jobs.iter().copied().collect() })
    }
}

/// Names each organisation with a silent job on stderr. Returns how the run ends because of them.
pub(super) fn report_silence(plan: &Plan, out: &Out) -> Exit {
    let messages: Vec<String> = plan.organizations.iter().filter_map(report::silence).collect();
    for message in &messages {
        out.talk(&format!("warning: {message}\n"));
    }
    if messages.is_empty() { Exit::Done } else { Exit::Differences }
}
