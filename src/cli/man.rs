//! `rolecall man`

use std::path::PathBuf;

use clap::{Args, CommandFactory, ValueHint};
use clap_mangen::Man;

use super::exit::{Exit, Failure};
use super::exit_codes::EXIT_CODES;
use super::offer::{self, Offer};
use super::out::Out;
use super::{Cli, OUTPUT};

/// Print a manual page, or write all of them to a folder.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  rolecall man plan | man -l -
  rolecall man --out /usr/local/share/man/man1")]
pub(super) struct ManArgs {
    /// The verb whose page is printed, instead of the page of rolecall itself.
    #[arg(value_parser = Offer::<String>::new(offer::verbs), hide_possible_values = true)]
    verb: Option<String>,
    /// Write every page to this folder, and create the folder if it is missing.
    #[arg(long, value_name = "FOLDER", conflicts_with = "verb", value_hint = ValueHint::DirPath, help_heading = OUTPUT)]
    out: Option<PathBuf>,
}

pub(super) fn man(args: &ManArgs, out: &mut Out) -> Result<Exit, Failure> {
    let mut command = Cli::command().disable_help_subcommand(true).after_help(EXIT_CODES);
    if let Some(folder) = &args.out {
        let failed =
            |why| Failure::error(format!("The manual pages can't be written to {}: {why}.", folder.display()));
        if !folder.exists() {
            std::fs::create_dir(folder).map_err(failed)?;
        }
        clap_mangen::generate_to(command, folder).map_err(failed)?;
        out.talk(&format!("The manual pages are in {}.\n", folder.display()));
        return Ok(Exit::Done);
    }
    // Building adds the global options to every verb's page.
    command.build();
    if let Some(verb) = &args.verb {
        command = command.find_subcommand(verb).cloned().ok_or_else(|| {
            Failure::error(format!("There is no verb `{verb}`.")).hint("`rolecall --help` lists the verbs.")
        })?;
    }
    let mut page = Vec::new();
    let failed = |why| Failure::error(format!("The manual page can't be made: {why}."));
    Man::new(command).render(&mut page).map_err(failed)?;
    out.result(&String::from_utf8_lossy(&page));
    Ok(Exit::Done)
}
