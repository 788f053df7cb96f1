//! What became of an apply over one or more organisations, for programs and for every form of a report.

use std::fmt::Write as _;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;

use super::applied::{step_line, summary};
use super::style::{BOLD, REMOVE, called, clean, paint};
use super::text::plan_text;
use rolecall_config::Irreversible;
use rolecall_engine::apply::Report;
use rolecall_model::{FORMAT_VERSION, OrganizationPlan, Plan, ProviderName, RemoteId};

/// What became of an apply.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Outcomes {
    pub format_version: String,
    /// The program that wrote it.
    pub generator: String,
    pub organizations: Vec<Applied>,
}

/// What became of one organisation.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Applied {
    pub provider: ProviderName,
    pub organization: RemoteId,
    /// How the run ends by it, as the program's exit code.
    pub exit: u8,
    /// The same in words.
    pub ending: String,
    /// Why nothing was sent, or nothing more.
    pub error: Option<String>,
    /// What there was to send. None where it could not be planned.
    pub plan: Option<OrganizationPlan>,
    /// What became of it. None where nothing was sent.
    pub report: Option<Report>,
    /// The way back, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undo: Option<Undone>,
}

/// Where the way back was written.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Undone {
    pub file: PathBuf,
    /// What it can't bring back, or not wholly.
    pub irreversible: Vec<Irreversible>,
}

impl Outcomes {
    pub fn new(generator: impl Into<String>, organizations: Vec<Applied>) -> Self {
        Self { format_version: FORMAT_VERSION.to_owned(), generator: generator.into(), organizations }
    }

    /// What there was to send, as a plan.
    pub(super) fn plan(&self) -> Plan {
        Plan::new(&*self.generator, self.organizations.iter().filter_map(|one| one.plan.clone()).collect())
    }
}

/// All of it, as it was told while it happened.
pub(super) fn outcomes_text(outcomes: &Outcomes) -> String {
    let mut text = String::new();
    for Applied { provider, organization, ending, error, plan, report, .. } in &outcomes.organizations {
        match plan {
            Some(plan) => text.push_str(&plan_text(&Plan::new(&*outcomes.generator, vec![plan.clone()]))),
            None => {
                let _ = writeln!(text, "{}", paint(BOLD, called(*provider, organization)));
            }
        }
        if let Some(report) = report {
            text.push('\n');
            for step in &report.steps {
                let _ = writeln!(text, "{}", step_line(step));
            }
            let _ = write!(text, "\n{}", summary(report));
        }
        if let Some(error) = error {
            let _ = writeln!(text, "{}: {}", paint(REMOVE, ending), clean(error));
        }
        text.push('\n');
    }
    text
}
