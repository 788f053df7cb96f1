//! `rolecall man`

use std::path::PathBuf;

use clap::{Args, CommandFactory};
use clap_mangen::Man;

use super::Cli;
use super::exit::{Exit, Failure};
use super::out::Out;

/// Print a manual page, or write all of them.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  rolecall man plan | man -l -
  rolecall man --out /usr/local/share/man/man1")]
pub(super) struct ManArgs {
    /// Of this verb, instead of rolecall as a whole.
    verb: Option<String>,
    /// Write every page to this folder, which is made if it isn't there.
    #[arg(long, value_name = "FOLDER", conflicts_with = "verb")]
    out: Option<PathBuf>,
}

pub(super) fn man(args: &ManArgs, out: &mut Out) -> Result<Exit, Failure> {
    let mut command = Cli::command().disable_help_subcommand(true);
    if let Some(folder) = &args.out {
        let failed = |why| Failure::error(format!("no pages can be written to {}: {why}", folder.display()));
        if !folder.exists() {
            std::fs::create_dir(folder).map_err(failed)?;
        }
        clap_mangen::generate_to(command, folder).map_err(failed)?;
        out.talk(&format!("written to {}\n", folder.display()));
        return Ok(Exit::Done);
    }
    // What all verbs take is in the page of each.
    command.build();
    if let Some(verb) = &args.verb {
        command = command.find_subcommand(verb).cloned().ok_or_else(|| {
            Failure::error(format!("there is no verb `{verb}`")).hint("`rolecall --help` lists them")
        })?;
    }
    let mut page = Vec::new();
    let failed = |why| Failure::error(format!("the page can't be made: {why}"));
    Man::new(command).render(&mut page).map_err(failed)?;
    out.result(&String::from_utf8_lossy(&page));
    Ok(Exit::Done)
}
