//! The forms of reports, and what they report on.

use clap::ValueEnum;

use super::access::{self, AccessReport};
use super::doctor::{self, DoctorReport};
use super::graph::{Graph, dot, mermaid};
use super::keys::{self, KeysReport};
use super::layout::Layout;
use super::origin::Reading;
use super::outcomes::{Outcomes, outcomes_text};
use super::runs::{of_ledger, of_outcomes};
use super::{drift, findings, github, html, junit, ledger, markdown, sarif, text};
use rolecall_config::Source;
use rolecall_engine::ledger::Record;
use rolecall_model::{Finding, Plan, Shard};

/// The form in which a report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Format {
    /// Text for people
    Text,
    /// JSON for programs; see `rolecall schema`
    Json,
    /// Markdown for a comment on a pull request
    Markdown,
    /// JUnit test results
    Junit,
    /// SARIF results of code scanning
    Sarif,
    /// Annotations as GitHub's workflow commands
    Github,
    /// Comma-separated values of `access` and `keys`
    Csv,
    /// A page for browsers, which loads nothing else
    Html,
    /// A graph of who has which role on what, for Graphviz
    Dot,
    /// The same graph, for Mermaid
    Mermaid,
}

/// The subject of a report.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// A plan: what an apply would do.
    Plan(&'a Plan),
    /// A plan, as a drift report.
    Drift(&'a Plan),
    /// Findings in files.
    Findings { findings: &'a [Finding], sources: &'a [&'a Source] },
    /// The outcomes of an apply.
    Outcomes(&'a Outcomes),
    /// All records of a ledger.
    Ledger(&'a [Record]),
    /// Who has what. `why`: the text says why each grant is there.
    Access { report: &'a AccessReport, why: bool },
    /// The keys, with their stages.
    Keys(&'a KeysReport),
    /// Checks of what plan and apply can do here.
    Doctor(&'a DoctorReport),
}

impl Format {
    /// The forms of findings.
    pub const OF_FINDINGS: &[Self] =
        &[Self::Text, Self::Json, Self::Markdown, Self::Junit, Self::Sarif, Self::Github];

    /// The forms of the outcomes of an apply.
    pub const OF_OUTCOMES: &[Self] =
        &[Self::Text, Self::Json, Self::Markdown, Self::Junit, Self::Sarif, Self::Github, Self::Html];

    /// The forms of plans, also as drift reports.
    pub const OF_PLANS: &[Self] = &[
        Self::Text,
        Self::Json,
        Self::Markdown,
        Self::Junit,
        Self::Sarif,
        Self::Github,
        Self::Html,
        Self::Dot,
        Self::Mermaid,
    ];

    /// The forms of reports of access.
    pub const OF_ACCESS: &[Self] = &[Self::Text, Self::Json, Self::Csv, Self::Markdown, Self::Html];

    /// The forms of keys.
    pub const OF_KEYS: &[Self] = &[Self::Text, Self::Json, Self::Csv];

    /// The forms of what `doctor` finds.
    pub const OF_DOCTOR: &[Self] = &[Self::Text, Self::Json];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Markdown => "markdown",
            Self::Junit => "junit",
            Self::Sarif => "sarif",
            Self::Github => "github",
            Self::Csv => "csv",
            Self::Html => "html",
            Self::Dot => "dot",
            Self::Mermaid => "mermaid",
        }
    }
}

impl Subject<'_> {
    /// Returns the shard whose organisations these are.
    fn shard(self) -> Option<Shard> {
        match self {
            Self::Plan(plan) | Self::Drift(plan) => plan.shard.as_ref().map(|run| run.shard),
            Self::Outcomes(outcomes) => outcomes.shard.as_ref().map(|run| run.shard),
            Self::Access { report, .. } => report.shard,
            Self::Keys(report) => report.shard,
            Self::Doctor(report) => report.shard,
            Self::Findings { .. } | Self::Ledger(_) => None,
        }
    }
}

/// Writes a report. Text and Markdown begin with the shard, if there is one. `None` if the subject has no such form.
pub fn render(subject: Subject<'_>, format: Format, layout: Layout) -> Option<String> {
    let text = written(subject, format, layout)?;
    let only = |shard: Shard| format!("These are the organisations of {shard} only.");
    Some(match (subject.shard(), format) {
        (Some(shard), Format::Text) => format!("{}\n\n{text}", only(shard)),
        (Some(shard), Format::Markdown) => format!("_{}_\n\n{text}", only(shard)),
        _ => text,
    })
}

/// Writes a report. `None` if the subject has no such form.
fn written(subject: Subject<'_>, format: Format, layout: Layout) -> Option<String> {
    Some(match (subject, format) {
        (Subject::Plan(plan), Format::Text) => text::plan_text(plan, layout),
        (Subject::Drift(plan), Format::Text) => drift::drift(plan, layout),
        (Subject::Plan(plan) | Subject::Drift(plan), Format::Json) => super::plan_json(plan),
        (Subject::Plan(plan), Format::Markdown) => markdown::plan(plan, Reading::Plan),
        (Subject::Drift(plan), Format::Markdown) => markdown::plan(plan, Reading::Drift),
        (Subject::Plan(plan), Format::Junit) => junit::plan(plan),
        (Subject::Drift(plan), Format::Junit) => junit::drift(plan),
        (Subject::Plan(plan) | Subject::Drift(plan), Format::Sarif) => sarif::plan(plan),
        (Subject::Plan(plan) | Subject::Drift(plan), Format::Github) => github::plan(plan),
        (Subject::Plan(plan), Format::Html) => html::plan(plan, Reading::Plan),
        (Subject::Drift(plan), Format::Html) => html::plan(plan, Reading::Drift),
        (Subject::Outcomes(outcomes), Format::Html) => html::outcomes(outcomes),
        (Subject::Plan(plan) | Subject::Drift(plan), Format::Dot) => dot(&Graph::of(plan)),
        (Subject::Plan(plan) | Subject::Drift(plan), Format::Mermaid) => mermaid(&Graph::of(plan)),
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
        (Subject::Outcomes(outcomes), Format::Text) => outcomes_text(outcomes, layout),
        (Subject::Outcomes(outcomes), Format::Json) => super::json(outcomes),
        (Subject::Outcomes(outcomes), Format::Markdown) => markdown::runs(&of_outcomes(outcomes)),
        (Subject::Outcomes(outcomes), Format::Junit) => junit::runs(&of_outcomes(outcomes)),
        (Subject::Outcomes(outcomes), Format::Sarif) => sarif::plan(&outcomes.plan()),
        (Subject::Outcomes(outcomes), Format::Github) => github::runs(&of_outcomes(outcomes)),
        (Subject::Access { report, why }, Format::Text) => access::text(report, why, layout),
        (Subject::Access { report, .. }, Format::Json) => super::json(report),
        (Subject::Access { report, .. }, Format::Csv) => access::csv(report),
        (Subject::Access { report, .. }, Format::Markdown) => access::markdown(report),
        (Subject::Access { report, .. }, Format::Html) => access::html(report),
        (Subject::Keys(report), Format::Text) => keys::text(report, layout),
        (Subject::Keys(report), Format::Json) => super::json(report),
        (Subject::Keys(report), Format::Csv) => keys::csv(report),
        (Subject::Doctor(report), Format::Text) => doctor::text(report, layout),
        (Subject::Doctor(report), Format::Json) => super::json(report),
        // A record of a ledger has no place in a file, so there is no SARIF.
        (Subject::Ledger(_), Format::Sarif | Format::Csv | Format::Html | Format::Dot | Format::Mermaid)
        | (
            Subject::Access { .. },
            Format::Junit | Format::Sarif | Format::Github | Format::Dot | Format::Mermaid,
        )
        | (Subject::Keys(_) | Subject::Doctor(_), _)
        | (Subject::Findings { .. }, Format::Csv | Format::Html | Format::Dot | Format::Mermaid)
        | (Subject::Outcomes(_), Format::Csv | Format::Dot | Format::Mermaid)
        | (Subject::Plan(_) | Subject::Drift(_), Format::Csv) => return None,
    })
}
