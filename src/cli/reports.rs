//! In which forms what is found is told.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Args, ValueEnum};

use super::exit::Failure;
use super::files::{self, Readers, write_text};
use super::out::Out;
use crate::report::{Format, Subject, render};
use rolecall_config::Source;
use rolecall_model::Finding;

/// One form on stdout, and any number of them in files.
#[derive(Clone, Debug, Args)]
pub(super) struct Reports {
    /// The form on stdout.
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
    /// Write the same in another form to a file, such as markdown=comment.md. May be repeated.
    #[arg(long = "report", value_name = "FORMAT=FILE")]
    files: Vec<ReportFile>,
}

#[derive(Clone, Debug)]
struct ReportFile {
    format: Format,
    path: PathBuf,
}

impl FromStr for ReportFile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let forms =
            || Format::value_variants().iter().map(|format| format.as_str()).collect::<Vec<_>>().join(", ");
        let (format, path) = text
            .split_once('=')
            .ok_or_else(|| format!("write FORMAT=FILE, where FORMAT is one of {}", forms()))?;
        let format = Format::from_str(format, false)
            .map_err(|_| format!("`{format}` is no form of a report; there are {}", forms()))?;
        if path.is_empty() {
            return Err(format!("write the file, such as {}=FILE", format.as_str()));
        }
        Ok(Self { format, path: PathBuf::from(path) })
    }
}

impl Reports {
    /// Before anything is done that they would tell of: what couldn't be written anyway, or twice to one place.
    pub fn check(&self) -> Result<(), Failure> {
        for (index, ReportFile { path, .. }) in self.files.iter().enumerate() {
            if self.files[..index].iter().any(|other| other.path == *path) {
                return Err(Failure::error(format!("--report names {} twice", path.display()))
                    .hint("one report would overwrite the other"));
            }
            files::check_writable(path)?;
        }
        Ok(())
    }

    /// A report that would overwrite what it is of.
    pub fn ensure_not_an_input(&self, inputs: &[&Path]) -> Result<(), Failure> {
        self.files.iter().try_for_each(|file| ensure_not_an_input(&file.path, inputs))
    }

    /// Every form that was asked for. One file that can't be written doesn't keep the others from being.
    pub fn write(&self, subject: Subject<'_>, out: &mut Out) -> Result<(), Failure> {
        let told = match render(subject, self.format) {
            Some(text) => {
                out.result(&text);
                Ok(())
            }
            None => Err(absent(self.format)),
        };
        let saved = self.save(subject);
        told.and(saved)
    }

    /// The same where what goes to stdout was told already.
    pub fn save(&self, subject: Subject<'_>) -> Result<(), Failure> {
        let mut failure = None;
        for ReportFile { format, path } in &self.files {
            let written = match render(subject, *format) {
                Some(text) => save(path, &text),
                None => Err(absent(*format)),
            };
            failure = failure.or(written.err());
        }
        failure.map_or(Ok(()), Err)
    }

    /// What is wrong with files, instead of what there would be to tell if they were right. People are told on stderr.
    pub fn refuse(&self, findings: &[Finding], sources: &[&Source], out: &mut Out) -> Result<(), Failure> {
        let subject = Subject::Findings { findings, sources };
        match self.format {
            Format::Text => self.save(subject),
            Format::Json | Format::Markdown | Format::Junit | Format::Sarif | Format::Github => {
                self.write(subject, out)
            }
        }
    }
}

/// Nothing that was read is written over.
pub(super) fn ensure_not_an_input(path: &Path, inputs: &[&Path]) -> Result<(), Failure> {
    let is_same = |input: &Path| {
        path == input || path.canonicalize().is_ok_and(|path| input.canonicalize().is_ok_and(|it| it == path))
    };
    if inputs.iter().any(|input| is_same(input)) {
        return Err(Failure::error(format!("{} is what is read, and would be overwritten", path.display()))
            .hint("name another file"));
    }
    Ok(())
}

/// Files have no colours.
fn save(path: &Path, text: &str) -> Result<(), Failure> {
    write_text(path, &anstream::adapter::strip_str(text).to_string(), Readers::Owner)
}

fn absent(format: Format) -> Failure {
    Failure::error(format!("there is no {} of a ledger", format.as_str()))
        .hint("nothing that it remembers stands in a file")
}
