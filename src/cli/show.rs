//! `rolecall show`

use std::path::PathBuf;

use clap::Args;
use serde_json::Value;

use super::exit::{Exit, Failure, sentence};
use super::out::Out;
use super::reports::Reports;
use super::{OUTPUT, files, ledger, planfile};
use crate::report::{self, Format, Subject};
use rolecall_engine::ledger::Ledger;

/// Show a saved plan or a ledger.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  rolecall show plan.json --show-mutations
  rolecall show .rolecall/ledger/bitpanda-ORGANISATION.jsonl
  rolecall show plan.json --format markdown       a comment on a pull request
  rolecall show plan.json --format json | jq '.organizations[].seal'

Exit codes: 0 shown, 1 error.")]
pub(super) struct ShowArgs {
    /// A plan that `plan --out` saved, or a ledger: a file, or the URL of one in a store.
    file: PathBuf,
    #[command(flatten)]
    reports: Reports,
    /// Also show the exact mutations of a plan.
    #[arg(long, help_heading = OUTPUT)]
    show_mutations: bool,
}

pub(super) fn show(args: &ShowArgs, out: &mut Out) -> Result<Exit, Failure> {
    args.reports.check(Format::OF_PLANS)?;
    args.reports.ensure_unused(&[(&args.file, "the file to show")])?;
    if let Some(home) = ledger::named(&args.file) {
        let home = home?;
        let ledger = Ledger::read(&home).map_err(|why| Failure::error(sentence(why)))?;
        let ledger = ledger.ok_or_else(|| Failure::error(format!("There is no ledger {home}.")))?;
        args.reports.write(Subject::Ledger(&ledger.records), out)?;
        return Ok(Exit::Done);
    }
    let text = files::read_text(&args.file)?;
    // A ledger has a JSON value on each line. A plan is one JSON value over many lines.
    let first = text.lines().next().unwrap_or_default();
    let is_ledger = serde_json::from_str::<Value>(first).is_ok_and(|value| value.get("event").is_some());
    // An apply that was refused before it sent anything leaves an empty ledger.
    if is_ledger || text.is_empty() {
        let ledger = Ledger::read(&args.file).map_err(|why| Failure::error(sentence(why)))?.unwrap_or_default();
        let history = Ledger::history(&args.file, &ledger.records).unwrap_or_else(|why| {
            out.talk(&format!("Only the lines of the ledger itself are shown: {}\n", sentence(why)));
            None
        });
        if text.is_empty() {
            out.talk(&format!(
                "The file {} is empty. A ledger is, until something is sent.\n",
                args.file.display()
            ));
        }
        args.reports.write(Subject::Ledger(history.as_ref().unwrap_or(&ledger.records)), out)?;
        return Ok(Exit::Done);
    }
    let plan = planfile::parse(&args.file, &text)?;
    args.reports.warn(&plan, out);
    args.reports.write(Subject::Plan(&plan), out)?;
    if args.show_mutations && args.reports.format == Format::Text {
        out.result(&format!("\n{}", report::mutations(&plan)));
    }
    Ok(Exit::Done)
}
