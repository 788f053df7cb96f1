//! In which forms there are reports, and of what.

use clap::ValueEnum;

use super::outcomes::{Outcomes, outcomes_text};
use super::runs::{of_ledger, of_outcomes};
use super::{drift, findings, github, junit, ledger, markdown, sarif, text};
use rolecall_config::Source;
use rolecall_engine::ledger::Record;
use rolecall_model::{Finding, Plan};

/// How a report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs; see `rolecall schema`.
    Json,
    /// A comment on a pull request.
    Markdown,
    /// Test results.
    Junit,
    /// Results of code scanning.
    Sarif,
    /// Annotations, as GitHub's workflow commands.
    Github,
}

/// What is reported.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// What an apply would do.
    Plan(&'a Plan),
    /// The same, as a report on live.
    Drift(&'a Plan),
    /// What is wrong with these files.
    Findings { findings: &'a [Finding], sources: &'a [&'a Source] },
    /// What became of an apply.
    Outcomes(&'a Outcomes),
    /// What became of all that were recorded.
    Ledger(&'a [Record]),
}

impl Format {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Markdown => "markdown",
            Self::Junit => "junit",
            Self::Sarif => "sarif",
            Self::Github => "github",
        }
    }
}

/// A report. None: there is no such form of it.
pub fn render(subject: Subject<'_>, format: Format) -> Option<String> {
    Some(match (subject, format) {
        (Subject::Plan(plan), Format::Text) => text::plan_text(plan),
        (Subject::Drift(plan), Format::Text) => drift::drift(plan),
        (Subject::Plan(plan) | Subject::Drift(plan), Format::Json) => super::plan_json(plan),
        (Subject::Plan(plan), Format::Markdown) => markdown::plan(plan, markdown::Reading::Plan),
        (Subject::Drift(plan), Format::Markdown) => markdown::plan(plan, markdown::Reading::Drift),
        (Subject::Plan(plan), Format::Junit) => junit::plan(plan),
        (Subject::Drift(plan), Format::Junit) => junit::drift(plan),
        (Subject::Plan(plan) | Subject::Drift(plan), Format::Sarif) => sarif::plan(plan),
        (Subject::Plan(plan) | Subject::Drift(plan), Format::Github) => github::plan(plan),
        (Subject::Findings { findings, sources }, Format::Text) => findings::checked(findings, sources),
        (Subject::Findings { findings, .. }, Format::Json) => findings::findings_json(findings),
        (Subject::Findings { findings, sources }, Format::Markdown) => markdown::findings(findings, sources),
        (Subject::Findings { findings, sources }, Format::Junit) => junit::findings(findings, sources),
        (Subject::Findings { findings, .. }, Format::Sarif) => sarif::findings(findings),
        (Subject::Findings { findings, .. }, Format::Github) => github::findings(findings),
        (Subject::Ledger(records), Format::Text) => ledger::ledger(records),
        (Subject::Ledger(records), Format::Json) => super::json(records),
        (Subject::Ledger(records), Format::Markdown) => markdown::runs(&of_ledger(records)),
        (Subject::Ledger(records), Format::Junit) => junit::runs(&of_ledger(records)),
        (Subject::Ledger(records), Format::Github) => github::runs(&of_ledger(records)),
        // Nothing that a ledger remembers stands in a file.
        (Subject::Ledger(_), Format::Sarif) => return None,
        (Subject::Outcomes(outcomes), Format::Text) => outcomes_text(outcomes),
        (Subject::Outcomes(outcomes), Format::Json) => super::json(outcomes),
        (Subject::Outcomes(outcomes), Format::Markdown) => markdown::runs(&of_outcomes(outcomes)),
        (Subject::Outcomes(outcomes), Format::Junit) => junit::runs(&of_outcomes(outcomes)),
        (Subject::Outcomes(outcomes), Format::Sarif) => sarif::plan(&outcomes.plan()),
        (Subject::Outcomes(outcomes), Format::Github) => github::runs(&of_outcomes(outcomes)),
    })
}
