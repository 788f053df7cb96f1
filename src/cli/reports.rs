//! `--format` and `--report`: the formats of what a run reports.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Args, ValueEnum};

use super::exit::Failure;
use super::files::{self, Readers, write_text};
use super::offer::{self, Offer};
use super::out::{self, Out};
use super::{Connection, OUTPUT};
use crate::report::{self, Format, Layout, Subject, render};
use rolecall_config::{Loaded, Source, is_ours};
use rolecall_model::{Finding, Plan, list_of};

/// Options that choose the format on stdout, and further formats in files.
#[derive(Clone, Debug, Args)]
pub(super) struct Reports {
    /// Print this format to stdout.
    #[arg(long, value_enum, default_value = "text", help_heading = OUTPUT)]
    pub format: Format,
    /// Also write this format to a file, such as markdown=comment.md; repeatable.
    #[arg(
        long = "report",
        value_name = "FORMAT=FILE",
        value_parser = Offer::<ReportFile>::new(offer::reports),
        hide_possible_values = true,
        help_heading = OUTPUT
    )]
    files: Vec<ReportFile>,
    /// List every entity and explain every limit of the API, instead of summarising long lists.
    #[arg(long, help_heading = OUTPUT)]
    full: bool,
}

#[derive(Clone, Debug)]
struct ReportFile {
    format: Format,
    path: PathBuf,
}

impl FromStr for ReportFile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let formats =
            || Format::value_variants().iter().map(|format| format.as_str()).collect::<Vec<_>>().join(", ");
        let (format, path) = text
            .split_once('=')
            .ok_or_else(|| format!("write FORMAT=FILE, where FORMAT is one of {}", formats()))?;
        let format = Format::from_str(format, false)
            .map_err(|_| format!("`{format}` is not a format of a report; write one of {}", formats()))?;
        if path.is_empty() {
            return Err(format!("the file is missing; write {}=FILE", format.as_str()));
        }
        if path == "-" {
            return Err(format!("`-` is no file here; `--format {}` prints it", format.as_str()));
        }
        Ok(Self { format, path: PathBuf::from(path) })
    }
}

impl Reports {
    /// Returns how text on stdout is laid out: wrapped if stdout is a terminal.
    pub fn layout(&self) -> Layout {
        Layout { width: out::width(), full: self.full }
    }

    /// Checks that the run has all of these formats, that every report can be written, and that no two go to the same
    /// file. Runs before anything else, so that nothing is done that can't be reported.
    pub fn check(&self, offered: &[Format]) -> Result<(), Failure> {
        let asked = std::iter::once(self.format).chain(self.files.iter().map(|file| file.format));
        if let Some(lacking) = asked.into_iter().find(|format| !offered.contains(format)) {
            let names: Vec<&str> = offered.iter().map(|format| format.as_str()).collect();
            return Err(Failure::error(format!("This verb has no report in the format `{}`.", lacking.as_str()))
                .hint(format!("Choose one of {}.", list_of(&names, "or"))));
        }
        for (index, ReportFile { path, .. }) in self.files.iter().enumerate() {
            if self.files[..index].iter().any(|other| is_same(&other.path, path)) {
                return Err(Failure::error(format!("Two `--report` options name the file {}.", path.display()))
                    .hint("Name two files, because one report would overwrite the other."));
            }
            files::check_writable(path)?;
        }
        Ok(())
    }

    /// Returns the files of `--report`, each with what it is to the run.
    pub fn paths(&self) -> impl Iterator<Item = (&Path, &'static str)> {
        self.files.iter().map(|file| (&*file.path, "the file of `--report`"))
    }

    /// Checks that no report overwrites a file that has another part in the run.
    pub fn ensure_unused(&self, used: &[(&Path, &str)]) -> Result<(), Failure> {
        self.files.iter().try_for_each(|file| ensure_unused(&file.path, used))
    }

    /// Checks that no report overwrites a file that has another part in the run, and that the files have no errors. Prints
    /// and reports the findings otherwise.
    pub fn ensure_valid(&self, loaded: &Loaded, connection: &Connection, out: &mut Out) -> Result<(), Failure> {
        self.ensure_unused(&used_files(loaded, connection))?;
        if loaded.has_errors() {
            let sources: Vec<&Source> = loaded.sources().collect();
            out.findings(&loaded.findings, &sources);
            self.refuse(&loaded.findings, &sources, out)?;
            return Err(Failure::findings(Vec::new()));
        }
        Ok(())
    }

    /// Prints the warnings of a saved plan. As in `plan`, text has them beside the plan.
    pub fn warn(&self, plan: &Plan, out: &Out) {
        if self.format == Format::Text {
            let warnings = plan.organizations.iter().flat_map(|organization| &organization.warnings);
            warnings.for_each(|warning| out.talk(&report::warning(warning)));
        }
    }

    /// Writes every format that was asked for. If one of the files can't be written, the others still are.
    pub fn write(&self, subject: Subject<'_>, out: &mut Out) -> Result<(), Failure> {
        let printed = match render(subject, self.format, self.layout()) {
            Some(text) => {
                out.result(&text);
                Ok(())
            }
            None => Err(unsupported(self.format)),
        };
        let saved = self.save(subject);
        printed.and(saved)
    }

    /// Writes the formats that go to files. For a caller that has printed to stdout already.
    pub fn save(&self, subject: Subject<'_>) -> Result<(), Failure> {
        let mut failure = None;
        for ReportFile { format, path } in &self.files {
            let written = match render(subject, *format, Layout { width: None, full: self.full }) {
                Some(text) => save(path, &text),
                None => Err(unsupported(*format)),
            };
            failure = failure.or(written.err());
        }
        failure.map_or(Ok(()), Err)
    }

    /// Reports the findings instead of a plan, because the files have errors. As text they are on stderr already.
    pub fn refuse(&self, findings: &[Finding], sources: &[&Source], out: &mut Out) -> Result<(), Failure> {
        let subject = Subject::Findings { findings, sources };
        match self.format {
            // Of the others, findings have no such form.
            Format::Text | Format::Csv | Format::Html | Format::Dot | Format::Mermaid => self.save(subject),
            Format::Json | Format::Markdown | Format::Junit | Format::Sarif | Format::Github => {
                self.write(subject, out)
            }
        }
    }
}

/// The option of a verb that writes metrics.
#[derive(Clone, Debug, Args)]
pub(super) struct MetricsFile {
    /// Write metrics to this file in the text format of Prometheus.
    #[arg(long, value_name = "FILE", help_heading = OUTPUT)]
    metrics_file: Option<PathBuf>,
}

impl MetricsFile {
    /// Checks that metrics don't overwrite a file that has another part in the run, and that they can be written.
    pub fn check(&self, loaded: &Loaded, connection: &Connection, reports: &Reports) -> Result<(), Failure> {
        let Some(path) = &self.metrics_file else { return Ok(()) };
        let used = used_files(loaded, connection).into_iter().chain(reports.paths());
        ensure_unused(path, &used.collect::<Vec<_>>())?;
        files::check_writable(path)
    }

    /// Writes the metrics that are made from those of the previous run.
    pub fn write(&self, metrics: impl FnOnce(&str) -> String) -> Result<(), Failure> {
        let Some(path) = &self.metrics_file else { return Ok(()) };
        let before = if path.is_file() { files::read_text(path)? } else { String::new() };
        write_text(path, &metrics(&before), Readers::Everybody)
    }
}

/// Returns the files that nothing that the run writes may replace, each with what it is to the run.
pub(super) fn used_files<'a>(loaded: &'a Loaded, connection: &'a Connection) -> Vec<(&'a Path, &'static str)> {
    connection.files().chain(loaded.used_files()).collect()
}

/// Checks that a file that the run writes has no other part in it.
pub(super) fn ensure_unused(path: &Path, used: &[(&Path, &str)]) -> Result<(), Failure> {
    let what = used.iter().find(|(other, _)| is_same(path, other)).map(|(_, what)| *what);
    match what.or_else(|| is_ours(path).then_some("in the folder where rolecall keeps ledgers")) {
        Some(what) => {
            Err(Failure::error(format!("The file {} is {what}, and would be overwritten.", path.display()))
                .hint("Name another file."))
        }
        None => Ok(()),
    }
}

/// Returns whether two paths lead to the same file, which may not exist yet.
fn is_same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| {
        let new = || {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            Some(folder.canonicalize().ok()?.join(path.file_name()?))
        };
        path.canonicalize().ok().or_else(new)
    };
    one == other || real(one).is_some_and(|one| real(other) == Some(one))
}

/// Writes a report to a file, without colours.
fn save(path: &Path, text: &str) -> Result<(), Failure> {
    write_text(path, &anstream::adapter::strip_str(text).to_string(), Readers::Owner)
}

fn unsupported(format: Format) -> Failure {
    Failure::error(format!("What this run reports has no form as `{}`.", format.as_str()))
        .hint("`sarif` points to lines of a file, and a ledger has none. A ledger and findings have no page and no graph.")
}
