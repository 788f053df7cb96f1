//! Writes what a run with these files and this credential can do, and what is in its way.

use std::fmt::Write as _;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::layout::{Layout, pad};
use super::style::{ADD, BOLD, DIM, REMOVE, WARN, called, clean, first, paint, plural};
use rolecall_model::{ProviderName, RemoteId, Shard};

/// The version of [`DoctorReport`]. A minor version only adds fields.
pub const DOCTOR_VERSION: &str = "1.1";

/// The document that `doctor --format json` writes.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DoctorReport {
    pub format_version: &'static str,
    /// The name and version of rolecall.
    pub generator: &'static str,
    /// The time at which everything had been checked.
    pub at: Timestamp,
    /// The shard whose organisations these are. Absent if the run had all organisations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shard: Option<Shard>,
    pub organizations: Vec<Examined>,
    /// The checks of the machine or the CI job that rolecall runs in, and errors in files.
    pub job: Vec<Check>,
}

/// One organisation, and every check of it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Examined {
    pub provider: ProviderName,
    pub organization: RemoteId,
    /// The path of its file.
    pub file: String,
    pub checks: Vec<Check>,
}

/// One question, and its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Check {
    pub topic: Topic,
    pub answer: Answer,
    /// The finding, as a full sentence.
    pub says: String,
    /// The mutations that the answer is about.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub mutations: &'static [&'static str],
    /// Advice, as full sentences, if something is to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Commands of a shell that do what the hint says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<String>,
}

/// The subject of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Topic {
    /// The way to the platform.
    Connection,
    /// The credentials that the file names, and who they belong to.
    Credential,
    /// The lists that a plan reads.
    Reads,
    /// A plan of the file, and where it would deliver secrets.
    Plan,
    /// The mutations that an apply of the file may need.
    Changes,
    /// The server's schema, compared with what rolecall was built for.
    Schema,
    /// The record of earlier applies.
    Ledger,
    /// The machine or the CI job.
    Job,
    /// The files themselves.
    Files,
    /// The settings of the repository at a CI system.
    Ci,
}

/// The answer to a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    Yes,
    No,
    /// It can't be known from here.
    Unknown,
}

/// More mutations than this are only counted, without `--full`.
const LISTED: usize = 3;

impl Topic {
    fn as_str(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Credential => "credential",
            Self::Reads => "reads",
            Self::Plan => "plan",
            Self::Changes => "changes",
            Self::Schema => "schema",
            Self::Ledger => "ledger",
            Self::Job => "job",
            Self::Files => "files",
            Self::Ci => "ci",
        }
    }
}

impl Check {
    pub fn yes(topic: Topic, says: impl Into<String>) -> Self {
        Self { topic, answer: Answer::Yes, says: says.into(), mutations: &[], hint: None, commands: Vec::new() }
    }

    pub fn no(topic: Topic, says: impl Into<String>, hint: impl Into<String>) -> Self {
        let hint = Some(hint.into());
        Self { topic, answer: Answer::No, says: says.into(), mutations: &[], hint, commands: Vec::new() }
    }

    pub fn unknown(topic: Topic, says: impl Into<String>) -> Self {
        Self {
            topic,
            answer: Answer::Unknown,
            says: says.into(),
            mutations: &[],
            hint: None,
            commands: Vec::new(),
        }
    }

    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    #[must_use]
    pub fn commands(self, commands: Vec<String>) -> Self {
        Self { commands, ..self }
    }
}

impl DoctorReport {
    pub fn checks(&self) -> impl Iterator<Item = &Check> {
        self.organizations.iter().flat_map(|examined| &examined.checks).chain(&self.job)
    }
}

/// Writes every check for people, and a last line that counts them.
pub(super) fn text(report: &DoctorReport, layout: Layout) -> String {
    let mut text = String::new();
    for Examined { provider, organization, file, checks } in &report.organizations {
        let name = called(*provider, organization);
        let _ = writeln!(text, "{}   {}", paint(BOLD, name), paint(DIM, clean(file)));
        push(&mut text, checks, layout);
        text.push('\n');
    }
    if !report.job.is_empty() {
        let _ = writeln!(text, "{}", paint(BOLD, "here"));
        push(&mut text, &report.job, layout);
        text.push('\n');
    }
    let count = |answer| report.checks().filter(|check| check.answer == answer).count();
    let verdict = match (count(Answer::No), count(Answer::Unknown)) {
        (0, 0) => "Everything that was asked is in order.".to_owned(),
        (0, unknown) => format!("Nothing is in the way; {} can't be known from here.", plural(unknown, "point")),
        (no, 0) => format!("{} in the way.", is_or_are(no)),
        (no, unknown) => {
            format!("{} in the way; {} can't be known from here.", is_or_are(no), plural(unknown, "point"))
        }
    };
    let _ = writeln!(text, "{verdict}");
    text
}

fn is_or_are(count: usize) -> String {
    if count == 1 { "1 point is".to_owned() } else { format!("{count} points are") }
}

fn push(text: &mut String, checks: &[Check], layout: Layout) {
    for Check { topic, answer, says, mutations, hint, commands } in checks {
        let (style, word) = match answer {
            Answer::Yes => (ADD, "yes"),
            Answer::No => (REMOVE, "no"),
            Answer::Unknown => (WARN, "unknown"),
        };
        let head = format!("  {}  {}  ", paint(style, pad(word, 7)), pad(topic.as_str(), 10));
        let listed = if layout.full { mutations.len() } else { LISTED };
        let mutations = match mutations {
            [] => String::new(),
            all => format!(" For {}.", first(all.iter(), listed, ToString::to_string)),
        };
        layout.push(text, &head, &format!("{}{mutations}", clean(says)));
        if let Some(hint) = hint {
            layout.push(text, &format!("{:21}hint: ", ""), &clean(hint));
        }
        // A command stays one line, so that it can be copied.
        for command in commands {
            let _ = writeln!(text, "{:21}$ {}", "", clean(command));
        }
    }
}
