//! `rolecall validate`

use clap::Args;

use super::Paths;
use super::exit::{Exit, Failure};
use super::out::Out;
use super::reports::Reports;
use crate::desired::{Source, load};
use crate::model::Finding;
use crate::provider;
use crate::report::Subject;

/// Check files: no network, no credentials.
///
/// Every finding of every file is reported, with its place, its line and what to do about it.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  rolecall validate                      the files of this folder
  rolecall validate access/*.yaml
  rolecall validate --report sarif=findings.sarif
  rolecall validate --format json | jq '.findings[].code'")]
pub(super) struct ValidateArgs {
    #[command(flatten)]
    paths: Paths,
    #[command(flatten)]
    reports: Reports,
}

pub(super) fn validate(args: &ValidateArgs, out: &mut Out) -> Result<Exit, Failure> {
    let loaded = load(&args.paths.paths, provider::rules);
    let sources: Vec<&Source> = loaded.files.iter().map(|file| &file.source).collect();
    args.reports.write(Subject::Findings { findings: &loaded.findings, sources: &sources }, out)?;
    Ok(if loaded.findings.iter().any(Finding::is_error) { Exit::Error } else { Exit::Done })
}
