//! What became of an apply over one or more organisations, for programs and for every form of a report.

use std::fmt::Write as _;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::applied::{step_line, summary};
use super::layout::Layout;
use super::style::{BOLD, REMOVE, called, clean, paint};
use super::text::plan_text;
use rolecall_config::Irreversible;
use rolecall_engine::apply::Report;
use rolecall_model::{FORMAT_VERSION, OrganizationPlan, Plan, ProviderName, RemoteId, ShardRun};

/// The outcomes of an apply.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Outcomes {
    pub format_version: String,
    /// The program that wrote it.
    pub generator: String,
    /// The shard whose organisations these are. Absent if the run had all organisations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<ShardRun>,
    pub organizations: Vec<Applied>,
}

/// The outcome for one organisation.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Applied {
    pub provider: ProviderName,
    pub organization: RemoteId,
    /// The exit code that this organisation alone would give.
    pub exit: u8,
    /// The exit code in words.
    pub ending: String,
    /// The error that kept the run from sending anything, or anything more.
    pub error: Option<String>,
    /// The plan that was to be sent. Absent if the organisation could not be planned.
    pub plan: Option<OrganizationPlan>,
    /// The outcomes of its mutations. Absent if nothing was sent.
    pub report: Option<Report>,
    /// The undo file, if `--undo-out` asked for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<Undone>,
}

/// An undo file that was written.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Undone {
    pub file: PathBuf,
    /// Changes that the undo file can't undo, or only in part.
    pub irreversible: Vec<Irreversible>,
}

impl Outcomes {
    pub fn new(generator: impl Into<String>, organizations: Vec<Applied>) -> Self {
        Self { format_version: FORMAT_VERSION.to_owned(), generator: generator.into(), shard: None, organizations }
    }

    /// Returns everything that was to be sent, as one plan.
    pub(super) fn plan(&self) -> Plan {
        Plan::new(&*self.generator, self.organizations.iter().filter_map(|one| one.plan.clone()).collect())
    }
}

/// Writes all of it, in the words in which it was reported while it happened.
pub(super) fn outcomes_text(outcomes: &Outcomes, layout: Layout) -> String {
    let mut text = String::new();
    for Applied { provider, organization, ending, error, plan, report, .. } in &outcomes.organizations {
        match plan {
            Some(plan) => text.push_str(&plan_text(&Plan::new(&*outcomes.generator, vec![plan.clone()]), layout)),
            None => {
                let _ = writeln!(text, "{}", paint(BOLD, called(*provider, organization)));
            }
        }
        if let Some(report) = report {
            text.push('\n');
            for step in &report.steps {
                text.push_str(&step_line(step, false, layout));
            }
            let _ = write!(text, "\n{}", summary(report, layout));
        }
        if let Some(error) = error {
            let _ = writeln!(text, "{}: {}", paint(REMOVE, ending), clean(error));
        }
        text.push('\n');
    }
    text
}
