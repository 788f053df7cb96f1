//! `rolecall validate`

use std::path::PathBuf;

use clap::Args;

use super::command::{Commands, IfAllowed};
use super::exit::{Exit, Failure};
use super::out::Out;
use super::reports::Reports;
use super::{APPROVAL, Paths, load};
use crate::report::{Format, Subject};
use rolecall_config::{Answers, Source, needing_approval};
use rolecall_model::Code;

/// Check the files, without network and credentials.
///
/// Reports every finding of every file, with its place and what to do about it.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  rolecall validate                                    the files of this folder
  rolecall validate access/*.yaml
  rolecall validate --report sarif=findings.sarif
  rolecall validate --trusted ../main/access access/   compares with a trusted copy
  rolecall validate --format json | jq '.findings[].code'

Exit codes: 0 no errors, 1 error, 3 somebody has to approve (with --trusted).
`rolecall exit-codes` explains them.")]
pub(super) struct ValidateArgs {
    /// Report what somebody has to approve, compared with these trusted files; repeatable. These are differences
    /// in what receives a credential or a secret, and in what keeps an apply safe.
    #[arg(long, value_name = "PATH", help_heading = APPROVAL)]
    trusted: Vec<PathBuf>,
    #[command(flatten)]
    paths: Paths,
    #[command(flatten)]
    reports: Reports,
    #[command(flatten)]
    commands: Commands,
}

pub(super) fn validate(args: &ValidateArgs, out: &mut Out) -> Result<Exit, Failure> {
    args.reports.check(Format::OF_FINDINGS)?;
    let now = args.paths.now();
    // Errors in the trusted files are ignored: such a file declares nothing.
    // No command is run before somebody has approved it, nor any script of the pull request that it names.
    let trusted = (!args.trusted.is_empty()).then(|| load(&args.trusted, &Answers::default(), now));
    let mut loaded = match &trusted {
        Some(_) => load(&args.paths.paths, &Answers::default(), now),
        None => load(&args.paths.paths, &IfAllowed(args.commands), now),
    };
    args.reports.ensure_unused(&loaded.used_files().collect::<Vec<_>>())?;
    let mut found = loaded.check_deliveries(&[]);
    loaded.findings.append(&mut found);
    if let Some(trusted) = trusted {
        let mut found = needing_approval(&loaded, &trusted, rolecall_providers::format);
        loaded.findings.append(&mut found);
    }
    let sources: Vec<&Source> = loaded.sources().collect();
    args.reports.write(Subject::Findings { findings: &loaded.findings, sources: &sources }, out)?;
    Ok(if loaded.has_errors() {
        Exit::Error
    } else if loaded.findings.iter().any(|finding| finding.code == Code::NeedsApproval) {
        Exit::Refused
    } else {
        Exit::Done
    })
}
