//! `rolecall render`

use clap::Args;

use super::command::Commands;
use super::exit::{Exit, Failure};
use super::out::Out;
use super::{OUTPUT, Paths};
use crate::report;
use rolecall_config::{Source, load_rendered};

/// Print the files with includes, groups and dates resolved.
///
/// The result is a file that says the same without the others. Nothing is sent.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  rolecall render access/
  rolecall render --origins access/hive.yaml            where each value comes from
  rolecall render --now 2027-01-01T00:00:00Z access/    what the files say on that day")]
pub(super) struct RenderArgs {
    #[command(flatten)]
    paths: Paths,
    /// Write the file and the line of each value beside it.
    #[arg(long, help_heading = OUTPUT)]
    origins: bool,
    #[command(flatten)]
    commands: Commands,
}

pub(super) fn render(args: &RenderArgs, out: &mut Out) -> Result<Exit, Failure> {
    let RenderArgs { paths, origins, commands } = args;
    let loaded = load_rendered(&paths.paths, commands, paths.now(), *origins, rolecall_providers::format);
    let sources: Vec<&Source> = loaded.sources().collect();
    out.findings(&loaded.findings, &sources);
    if loaded.has_errors() {
        return Err(Failure::findings(Vec::new()));
    }
    for (index, file) in loaded.files.iter().enumerate() {
        let separator = if index == 0 { "" } else { "---\n" };
        let text = file.rendered.as_deref().unwrap_or_default();
        out.result(&format!("{separator}# {}\n{text}", report::clean(&file.source.name)));
    }
    Ok(Exit::Done)
}
