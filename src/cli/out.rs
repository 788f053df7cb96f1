//! Writes to stdout and stderr. Results go to stdout, and everything else to stderr.

use std::io::{self, BufRead, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

use super::exit::{Exit, Failure};
use crate::report;
use rolecall_config::Source;
use rolecall_model::Finding;
use terminal_size::{Width, terminal_size_of};

/// Writes to stderr, for callers that have no [`Out`].
pub(super) fn talk(text: &str) {
    let mut stderr = anstream::stderr().lock();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

/// The narrowest terminal that text is wrapped for, in columns.
const NARROWEST: usize = 40;

/// Returns the number of columns of the terminal that stdout goes to. `None` if it goes to a pipe or a file.
pub(super) fn width() -> Option<usize> {
    let (Width(columns), _) = terminal_size_of(io::stdout())?;
    Some(usize::from(columns).max(NARROWEST))
}

/// The output of a run.
#[derive(Debug, Default)]
pub(crate) struct Out {
    /// The first error that occurred while a result was written.
    broken: Option<io::Error>,
    /// The text that is to be written later. `None` if everything is written at once.
    held: Option<Mutex<String>>,
}

impl Out {
    /// Returns an output that keeps what it is to write to stderr, for work that is done beside other work.
    pub fn held() -> Self {
        Self { held: Some(Mutex::default()), ..Self::default() }
    }

    /// Takes everything that was kept.
    pub fn take_held(self) -> String {
        self.held.map(|held| held.into_inner().unwrap_or_else(PoisonError::into_inner)).unwrap_or_default()
    }

    /// Writes a part of the result to stdout.
    pub fn result(&mut self, text: &str) {
        if self.broken.is_some() {
            return;
        }
        let mut stdout = anstream::stdout().lock();
        if let Err(why) = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            self.broken = Some(why);
        }
    }

    /// Writes progress, warnings and hints to stderr. A closed stderr is not an error.
    pub fn talk(&self, text: &str) {
        match &self.held {
            Some(held) => held.lock().unwrap_or_else(PoisonError::into_inner).push_str(text),
            None => talk(text),
        }
    }

    pub fn findings(&self, findings: &[Finding], sources: &[&Source]) {
        if !findings.is_empty() {
            self.talk(&report::findings(findings, sources));
        }
    }

    pub fn failure(&self, failure: &Failure) {
        if let Some(message) = &failure.message {
            self.talk(&format!("error: {}\n", report::clean(message)));
        }
        if let Some(hint) = &failure.hint {
            self.talk(&format!("hint: {}\n", report::clean(hint)));
        }
    }

    /// Returns how a run ends whose reports were written with these results. A report that failed counts as well
    /// as the run itself.
    pub fn settle(&self, exit: Exit, written: impl IntoIterator<Item = Result<(), Failure>>) -> Exit {
        written.into_iter().filter_map(Result::err).fold(exit, |exit, failure| {
            self.failure(&failure);
            exit.and(failure.exit)
        })
    }

    /// Asks for `yes` on a terminal. Returns `None` if there is no terminal.
    pub fn ask(&self, question: &str) -> Option<bool> {
        self.ask_for(question).map(|answer| answer == "yes")
    }

    /// Asks for a word on a terminal. Returns `None` if there is no terminal.
    pub fn ask_for(&self, question: &str) -> Option<String> {
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return None;
        }
        self.talk(question);
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer).ok()?;
        Some(answer.trim().to_owned())
    }

    /// Returns how the run ends. A result that could not be written is an error, unless the reader closed the
    /// pipe: then it has read what it wanted.
    pub fn finish(&mut self, exit: Exit) -> Exit {
        match self.broken.take() {
            Some(why) if why.kind() != io::ErrorKind::BrokenPipe => {
                self.talk(&format!("error: The result could not be written: {why}.\n"));
                exit.and(Exit::Error)
            }
            Some(_) | None => exit,
        }
    }
}
