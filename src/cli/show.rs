//! `rolecall show`

use std::path::PathBuf;

use clap::Args;
use serde_json::Value;

use super::exit::{Exit, Failure};
use super::out::Out;
use super::{Format, input, planfile};
use crate::ledger::Ledger;
use crate::report;

/// Show a saved plan or a ledger.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  rolecall show plan.json --show-mutations
  rolecall show .rolecall/ledger/bitpanda-ORGANISATION.jsonl
  rolecall show plan.json --format json | jq '.organizations[].seal'")]
pub(super) struct ShowArgs {
    /// What `plan --out` saved, or a ledger.
    file: PathBuf,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Of a plan: show the exact mutations too.
    #[arg(long)]
    show_mutations: bool,
}

pub(super) fn show(args: &ShowArgs, out: &mut Out) -> Result<Exit, Failure> {
    let text = input::read_text(&args.file)?;
    // A ledger is many JSON values, one a line; a plan is one over many lines.
    let first = text.lines().next().unwrap_or_default();
    let is_ledger = serde_json::from_str::<Value>(first).is_ok_and(|value| value.get("event").is_some());
    if is_ledger {
        let records = Ledger::read(&args.file).map_err(|why| Failure::error(why.to_string()))?.unwrap_or_default();
        match args.format {
            Format::Text => out.result(&report::ledger(&records)),
            Format::Json => {
                let json = serde_json::to_string_pretty(&records).unwrap_or_default();
                out.result(&format!("{json}\n"));
            }
        }
        return Ok(Exit::Done);
    }
    let plan = planfile::parse(&args.file, &text)?;
    match args.format {
        Format::Json => out.result(&report::plan_json(&plan)),
        Format::Text => {
            out.result(&report::plan_text(&plan));
            if args.show_mutations {
                out.result(&format!("\n{}", report::mutations(&plan)));
            }
        }
    }
    Ok(Exit::Done)
}
