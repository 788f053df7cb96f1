//! `rolecall completions`

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::Cli;
use super::exit::Exit;
use super::out::Out;

/// Print what a shell needs to complete rolecall's words.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  rolecall completions bash > /etc/bash_completion.d/rolecall
  rolecall completions zsh > \"${fpath[1]}/_rolecall\"
  rolecall completions fish > ~/.config/fish/completions/rolecall.fish")]
pub(super) struct CompletionsArgs {
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn completions(args: &CompletionsArgs, out: &mut Out) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "rolecall", &mut script);
    out.result(&String::from_utf8_lossy(&script));
    Exit::Done
}
