//! Runs the programs that files name, if `--allow-commands` permits it.

use std::process::Stdio;
use std::time::Duration;

use clap::{Args, ValueHint};
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command};
use tokio::runtime::Handle;

use super::CONNECTION;
use rolecall_config::{MAX_BYTES, NotRun, shows_credential};
use rolecall_model::quote;

/// The option that lets the programs of files run.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Commands {
    /// Run the commands that the files name for people, credentials and deliveries.
    #[arg(long, help_heading = CONNECTION)]
    pub allow_commands: bool,
    /// Give up on a request or on a command after this many seconds.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value = "60",
        value_parser = clap::value_parser!(u64).range(1..=3600),
        value_hint = ValueHint::Other,
        help_heading = CONNECTION
    )]
    timeout: u64,
}

impl Commands {
    pub fn timeout(self) -> Duration {
        Duration::from_secs(self.timeout)
    }
}

/// A directory is asked while the files are read.
impl rolecall_config::Commands for Commands {
    fn run(&self, words: &[String]) -> Result<Vec<u8>, NotRun> {
        if !self.allow_commands {
            return Err(NotRun::NotAllowed);
        }
        let answer =
            tokio::task::block_in_place(|| Handle::current().block_on(run(words, MAX_BYTES, self.timeout())));
        answer.map_err(NotRun::Failed)
    }
}

/// Commands of which only the answers are of use. Without them, the run goes on.
pub(super) struct IfAllowed(pub Commands);

impl rolecall_config::Commands for IfAllowed {
    fn run(&self, words: &[String]) -> Result<Vec<u8>, NotRun> {
        if self.0.allow_commands { self.0.run(words) } else { Err(NotRun::Skipped) }
    }
}

/// Returns a name from a file for a message. A name that isn't usual is not shown, because it may be a credential in the
/// wrong place.
pub(super) fn shown(name: &str, is_usual: impl Fn(&str) -> bool) -> String {
    if is_usual(name) && !shows_credential(name) { quote(name) } else { "that the file names".to_owned() }
}

pub(super) fn is_usual_path(path: &str) -> bool {
    path.contains(['/', '.'])
}

pub(super) fn is_usual_program(program: &str) -> bool {
    is_usual_path(program) || which::which(program).is_ok()
}

/// Runs a command and returns what it prints to stdout, up to a size in bytes and for a time. The error is a sentence.
pub(super) async fn run(words: &[String], most: u64, timeout: Duration) -> Result<Vec<u8>, String> {
    let (program, arguments) = words.split_first().ok_or("The command is empty.")?;
    let shown = shown(program, is_usual_program);
    let failed = |why: String| format!("The command {shown} {why}.");
    let path = which::which(program).map_err(|why| failed(format!("can't be run: {why}")))?;
    let mut command = Command::new(path);
    // What the command starts ends with it.
    #[cfg(unix)]
    command.process_group(0);
    let mut child = command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|why| failed(format!("can't be run: {why}")))?;
    let mut group = Group::of(&child);
    let mut printed = Vec::new();
    let output = async {
        if let Some(stdout) = child.stdout.take() {
            stdout.take(most + 1).read_to_end(&mut printed).await?;
        }
        if printed.len() as u64 > most {
            return Ok(None);
        }
        child.wait().await.map(Some)
    };
    let status = tokio::time::timeout(timeout, output)
        .await
        .map_err(|_| failed(format!("took longer than {} s", timeout.as_secs())))?
        .map_err(|why| failed(format!("can't be run: {why}")))?
        .ok_or_else(|| failed(format!("printed more than {} KiB", most / 1024)))?;
    if !status.success() {
        return Err(failed(format!("failed ({status})")));
    }
    // A helper may leave an agent behind.
    group.keep();
    Ok(printed)
}

/// The processes of a command. They are killed when this is dropped, unless the command has ended well.
struct Group(#[cfg(unix)] Option<rustix::process::Pid>);

impl Group {
    #[cfg(unix)]
    fn of(child: &Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Self(id.and_then(rustix::process::Pid::from_raw))
    }

    #[cfg(not(unix))]
    fn of(_: &Child) -> Self {
        Self()
    }

    fn keep(&mut self) {
        #[cfg(unix)]
        self.0.take();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(id) = self.0 {
            let _ = rustix::process::kill_process_group(id, rustix::process::Signal::KILL);
        }
    }
}
