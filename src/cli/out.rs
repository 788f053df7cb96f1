//! The one place that writes to stdout and stderr: results to the one, talk to the other.

use std::io::{self, BufRead, IsTerminal, Write};

use super::exit::{Exit, Failure};
use crate::report;
use rolecall_config::Source;
use rolecall_model::Finding;

/// For what happens while nobody with an `Out` is at hand.
pub(super) fn talk(text: &str) {
    let mut stderr = anstream::stderr().lock();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

/// Where a run's words go.
#[derive(Debug, Default)]
pub(crate) struct Out {
    /// The first failure to write a result.
    broken: Option<io::Error>,
}

impl Out {
    /// A part of the result.
    pub fn result(&mut self, text: &str) {
        if self.broken.is_some() {
            return;
        }
        let mut stdout = anstream::stdout().lock();
        if let Err(why) = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            self.broken = Some(why);
        }
    }

    /// Progress, warnings, hints. Nobody listening is no error.
    #[expect(clippy::unused_self, reason = "whoever may talk was handed an Out")]
    pub fn talk(&self, text: &str) {
        talk(text);
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

    /// How a run ends of which something could not be told: whatever else became of it counts, too.
    pub fn settle(&self, exit: Exit, told: impl IntoIterator<Item = Result<(), Failure>>) -> Exit {
        told.into_iter().filter_map(Result::err).fold(exit, |exit, failure| {
            self.failure(&failure);
            exit.and(failure.exit)
        })
    }

    /// Asks on a terminal. None: there is none.
    pub fn ask(&self, question: &str) -> Option<bool> {
        self.ask_for(question).map(|answer| answer == "yes")
    }

    /// Asks for a word on a terminal. None: there is none.
    pub fn ask_for(&self, question: &str) -> Option<String> {
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return None;
        }
        self.talk(question);
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer).ok()?;
        Some(answer.trim().to_owned())
    }

    /// A result that nobody could read in full is no success. A reader that went away has seen what it wanted.
    pub fn finish(&mut self, exit: Exit) -> Exit {
        match self.broken.take() {
            Some(why) if why.kind() != io::ErrorKind::BrokenPipe => {
                self.talk(&format!("error: the result could not be written: {why}\n"));
                exit.and(Exit::Error)
            }
            Some(_) | None => exit,
        }
    }
}
