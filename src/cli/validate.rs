//! `rolecall validate`

use clap::Args;

use super::exit::Exit;
use super::out::Out;
use super::{Format, Paths};
use crate::desired::{Source, load};
use crate::model::Finding;
use crate::{provider, report};

/// Check files: no network, no credentials.
///
/// Every finding of every file is reported, with its place, its line and what to do about it.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  rolecall validate                      the files of this folder
  rolecall validate access/*.yaml
  rolecall validate --format json | jq '.findings[].code'")]
pub(super) struct ValidateArgs {
    #[command(flatten)]
    paths: Paths,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub(super) fn validate(args: &ValidateArgs, out: &mut Out) -> Exit {
    let loaded = load(&args.paths.paths, provider::rules);
    let sources: Vec<&Source> = loaded.files.iter().map(|file| &file.source).collect();
    match args.format {
        Format::Json => out.result(&report::findings_json(&loaded.findings)),
        Format::Text => {
            out.result(&report::findings(&loaded.findings, &sources));
            let errors = loaded.findings.iter().filter(|finding| finding.is_error()).count();
            let warnings = loaded.findings.len() - errors;
            let files = report::plural(loaded.files.len(), "file");
            let findings = [(errors, "error"), (warnings, "warning")];
            let findings: Vec<String> = findings
                .into_iter()
                .filter(|(count, _)| *count > 0)
                .map(|(count, what)| report::plural(count, what))
                .collect();
            let findings = if findings.is_empty() { "no findings".to_owned() } else { findings.join(", ") };
            out.result(&format!("{files} checked: {findings}\n"));
        }
    }
    if loaded.findings.iter().any(Finding::is_error) { Exit::Error } else { Exit::Done }
}
