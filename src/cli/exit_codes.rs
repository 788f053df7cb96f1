//! `rolecall exit-codes`

use clap::Args;

use super::exit::Exit;
use super::out::Out;

/// The meaning of each exit code, for help and for the manual.
pub(super) const EXIT_CODES: &str = "\
Exit codes:
    0  done, or in sync; without --detailed-exitcode, also a plan with changes
    1  error: usage, files, a declined prompt, an incomplete list, an answer that
       rolecall doesn't understand
    2  differences: `plan --detailed-exitcode` found changes, `drift` found
       changes or something that needs attention, `pull` has something to write,
       `onboard` or `offboard` has something left to do, a key is due
       (`keys --expiring-within`), or a job is silent (`--max-silence`)
    3  refused by a guardrail, or a deletion was not confirmed; nothing was sent.
       `validate --trusted`: somebody has to approve
    4  the approved plan is out of date; nothing was sent
    5  partly applied, unsure, or not taken
    6  the platform is unreachable, or refuses the credential
  130  interrupted before anything was sent
A run over several organisations ends with the most urgent code. The order is
5, 4, 3, 6, 1, 130, 2, 0.";

/// Print the meaning of the exit codes.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(super) struct ExitCodesArgs {}

pub(super) fn exit_codes(out: &mut Out) -> Exit {
    out.result(EXIT_CODES);
    out.result("\n");
    Exit::Done
}
