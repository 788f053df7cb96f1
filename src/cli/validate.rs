//! `rolecall validate`

use std::path::{Path, PathBuf};

use clap::Args;

use super::Paths;
use super::exit::{Exit, Failure};
use super::out::Out;
use super::reports::Reports;
use crate::report::Subject;
use rolecall_config::{Source, load, needing_approval};
use rolecall_model::Code;

/// Check files: no network, no credentials.
///
/// Every finding of every file is reported, with its place, its line and what to do about it.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  rolecall validate                      the files of this folder
  rolecall validate access/*.yaml
  rolecall validate --report sarif=findings.sarif
  rolecall validate --trusted ../main/access access/     3 where somebody has to approve what changed
  rolecall validate --format json | jq '.findings[].code'")]
pub(super) struct ValidateArgs {
    #[command(flatten)]
    paths: Paths,
    #[command(flatten)]
    reports: Reports,
    /// Say, too, what of these files somebody has to approve before a credential is spent on them: where they differ
    /// from these, which are trusted, in what gets the credential or a secret, or keeps an apply safe. Ends with 3
    /// where there is any. May be repeated.
    #[arg(long, value_name = "PATH")]
    trusted: Vec<PathBuf>,
}

pub(super) fn validate(args: &ValidateArgs, out: &mut Out) -> Result<Exit, Failure> {
    args.reports.check()?;
    let mut loaded = load(&args.paths.paths, rolecall_providers::rules);
    let files: Vec<&Path> = loaded.files.iter().map(|file| &*file.path).collect();
    args.reports.ensure_not_an_input(&files)?;
    if !args.trusted.is_empty() {
        // What is wrong there is trusted to say nothing.
        let trusted = load(&args.trusted, rolecall_providers::rules);
        let mut found = needing_approval(&loaded, &trusted, rolecall_providers::rules);
        loaded.findings.append(&mut found);
    }
    let sources: Vec<&Source> = loaded.files.iter().map(|file| &file.source).collect();
    args.reports.write(Subject::Findings { findings: &loaded.findings, sources: &sources }, out)?;
    Ok(if loaded.has_errors() {
        Exit::Error
    } else if loaded.findings.iter().any(|finding| finding.code == Code::NeedsApproval) {
        Exit::Refused
    } else {
        Exit::Done
    })
}
