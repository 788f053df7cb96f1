//! `rolecall completions`

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::Cli;
use super::exit::Exit;
use super::out::Out;

/// Print the completion script of a shell.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  rolecall completions bash > /etc/bash_completion.d/rolecall
  rolecall completions zsh > \"${fpath[1]}/_rolecall\"
  rolecall completions fish > ~/.config/fish/completions/rolecall.fish")]
pub(super) struct CompletionsArgs {
    /// The shell that runs the script.
    #[arg(value_enum)]
    shell: Shell,
}

/// Completes `NAME=VALUE` in bash, which takes `=` for the end of a word: `--format=` completes like `--format`, a
/// file follows `markdown=`, and no space follows a word that has to be continued.
const BASH_PAIRS: &str = r#"
_rolecall_pairs() {
    local last=$COMP_CWORD before="$3"
    [[ ${COMP_WORDS[last]} == "=" ]] || last=$((last - 1))
    if [[ ${COMP_WORDS[last]} == "=" ]]; then
        before="${COMP_WORDS[last - 1]}"
        COMPREPLY=()
        [[ $before == -* ]] || return 0
    fi
    _rolecall "$1" "$2" "$before"
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[=/] ]]; then
        compopt -o nospace 2>/dev/null
    fi
    return 0
}
complete -F _rolecall_pairs -o bashdefault -o default rolecall
"#;

pub(super) fn completions(args: &CompletionsArgs, out: &mut Out) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "rolecall", &mut script);
    out.result(&String::from_utf8_lossy(&script));
    if args.shell == Shell::Bash {
        out.result(BASH_PAIRS);
    }
    Exit::Done
}
