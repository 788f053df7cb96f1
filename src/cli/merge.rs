//! `rolecall merge`

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::Value;

use super::exit::{Exit, Failure};
use super::out::Out;
use super::reports::Reports;
use super::{files, planfile};
use crate::report::{self, Format, Merged, ShardReport, Subject, Unmergeable, merge as join};
use rolecall_model::ShardedVerb;

/// Join the JSON reports of all shards into one report.
///
/// Takes what plan, drift or apply wrote with --shard, and ends as one run over all organisations would. Every report of
/// `rolecall show` can be written. The JSON of merged plans is a plan that `apply --plan` takes.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  rolecall drift access/ --shard 1/2 --report json=1.json
  rolecall drift access/ --shard 2/2 --report json=2.json
  rolecall merge 1.json 2.json
  rolecall merge 1.json 2.json --report markdown=comment.md --report json=drift.json

Exit codes: the most urgent one of all shards, or 1 if they can't be merged.
`rolecall exit-codes` explains them.")]
pub(super) struct MergeArgs {
    /// The JSON reports of all shards, in any order.
    #[arg(required = true, value_name = "FILES")]
    shards: Vec<PathBuf>,
    #[command(flatten)]
    reports: Reports,
}

pub(super) fn merge(args: &MergeArgs, out: &mut Out) -> Result<Exit, Failure> {
    args.reports.check(Format::OF_PLANS)?;
    let inputs: Vec<&Path> = args.shards.iter().map(PathBuf::as_path).collect();
    args.reports.ensure_unused(&inputs.iter().map(|path| (*path, "a report to merge")).collect::<Vec<_>>())?;
    let mut all = Vec::new();
    for path in inputs {
        all.push((path.display().to_string(), read(path)?));
    }
    let joined = join(all).map_err(|Unmergeable { message, hint }| Failure::error(message).hint(hint))?;
    let Some(Merged { report, verb, exits }) = joined else { return Ok(Exit::Done) };
    let mut exit = Exit::Done;
    for code in exits {
        let ended = Exit::of(code).ok_or_else(|| {
            Failure::error(format!("A report has the exit code {code}, which rolecall doesn't have."))
                .hint("Merge reports as rolecall wrote them.")
        })?;
        exit = exit.and(ended);
    }
    let written = match &report {
        ShardReport::Outcomes(outcomes) => {
            args.reports.check(Format::OF_OUTCOMES)?;
            args.reports.write(Subject::Outcomes(outcomes), out)
        }
        ShardReport::Plan(plan) if verb == ShardedVerb::Drift => args.reports.write(Subject::Drift(plan), out),
        ShardReport::Plan(plan) => {
            args.reports.warn(plan, out);
            args.reports.write(Subject::Plan(plan), out)
        }
    };
    Ok(out.settle(exit, [written]))
}

/// Reads the report of one shard.
fn read(path: &Path) -> Result<ShardReport, Failure> {
    let shown = path.display();
    let text = files::read_text(path)?;
    let wrong = |why: String| {
        Failure::error(format!("The file {shown} is not a report of plan, drift or apply: {why}."))
            .hint("`--report json=FILE` writes one.")
    };
    let value = planfile::value(&text).map_err(|why| wrong(report::clean(why)))?;
    if value.get("findings").is_some() {
        return Err(Failure::error(format!("The file {shown} has findings, so its shard had no plan."))
            .hint("Mend the files that the findings name, and run all shards again."));
    }
    let is_outcomes = planfile::is_outcomes(&value);
    if let Some(other) = planfile::other(&value).filter(|_| !is_outcomes) {
        return Err(wrong(format!("it is {other}")));
    }
    let version = value.get("format_version").and_then(Value::as_str);
    let version = version.ok_or_else(|| wrong("it has no `format_version`".to_owned()))?;
    planfile::check_version(path, version)?;
    if is_outcomes {
        let outcomes = serde_json::from_str(&text).map_err(|why| wrong(report::clean(why)))?;
        return Ok(ShardReport::Outcomes(outcomes));
    }
    planfile::parse(path, &text).map(ShardReport::Plan)
}
