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
        command.build();
        let verbs = command.get_subcommands().filter(|verb| verb.get_name() != "exit-codes");
        for command in std::iter::once(&command).chain(verbs) {
            let man = Man::new(command.clone());
            std::fs::write(folder.join(man.get_filename()), page(&man).map_err(failed)?).map_err(failed)?;
        }
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
    let failed = |why| Failure::error(format!("The manual page can't be made: {why}."));
    out.result(&page(&Man::new(command)).map_err(failed)?);
    Ok(Exit::Done)
}

/// Returns a page. The text after the help is a section called EXTRA there; it gets the names that readers of manuals
/// know.
fn page(man: &Man) -> std::io::Result<String> {
    let mut page = Vec::new();
    man.render(&mut page)?;
    let page = String::from_utf8_lossy(&page).replace(".SH EXTRA\n", "");
    Ok(page.replace("\nExamples:\n", "\n.SH EXAMPLES\n").replace("\nExit codes:", "\n.SH EXIT STATUS\n"))
}
