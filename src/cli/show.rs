//! `rolecall show`

use std::path::PathBuf;

use clap::Args;
use serde_json::Value;

use super::exit::{Exit, Failure};
use super::out::Out;
use super::reports::Reports;
use super::{files, planfile};
use crate::report::{self, Format, Subject};
use rolecall_engine::ledger::Ledger;

/// Show a saved plan or a ledger.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  rolecall show plan.json --show-mutations
  rolecall show .rolecall/ledger/bitpanda-ORGANISATION.jsonl
  rolecall show plan.json --format markdown              as a comment on a pull request
  rolecall show plan.json --format json | jq '.organizations[].seal'")]
pub(super) struct ShowArgs {
    /// What `plan --out` saved, or a ledger.
    file: PathBuf,
    #[command(flatten)]
    reports: Reports,
    /// Of a plan: show the exact mutations too.
    #[arg(long)]
    show_mutations: bool,
}

pub(super) fn show(args: &ShowArgs, out: &mut Out) -> Result<Exit, Failure> {
    args.reports.check()?;
    args.reports.ensure_not_an_input(&[&args.file])?;
    let text = files::read_text(&args.file)?;
    // A ledger is many JSON values, one a line; a plan is one over many lines.
    let first = text.lines().next().unwrap_or_default();
    let is_ledger = serde_json::from_str::<Value>(first).is_ok_and(|value| value.get("event").is_some());
    if is_ledger {
        let records = Ledger::read(&args.file).map_err(|why| Failure::error(why.to_string()))?.unwrap_or_default();
        args.reports.write(Subject::Ledger(&records), out)?;
        return Ok(Exit::Done);
    }
    let plan = planfile::parse(&args.file, &text)?;
    args.reports.write(Subject::Plan(&plan), out)?;
    if args.show_mutations && args.reports.format == Format::Text {
        out.result(&format!("\n{}", report::mutations(&plan)));
    }
    Ok(Exit::Done)
}
