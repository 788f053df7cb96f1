//! `--undo-out`: writes the undo file before anything is sent.

use std::fmt::Write as _;
use std::path::Path;

use super::Connection;
use super::connect::GENERATOR;
use super::exit::{Exit, Failure};
use super::files::{self, Readers};
use super::organization::Organization;
use super::session::Session;
use crate::report;
use crate::report::{Applied, Undone};
use jiff::Timestamp;
use rolecall_config::{Irreversible, Undo, UndoInput, undo};
use rolecall_model::{Facts, Live, OrganizationPlan};

/// Checks `--undo-out` before any request is sent: an undo file is for one organisation, and overwrites no file.
pub(super) fn check(path: Option<&Path>, session: &Session<'_>) -> Result<(), Failure> {
    let Some(path) = path else { return Ok(()) };
    if session.desired().len() > 1 {
        return Err(Failure::error("`--undo-out` names one file, and there are several organisations.")
            .hint("Run each organisation by itself, or leave `--undo-out` out."));
    }
    if path.symlink_metadata().is_ok() { Err(exists(path)) } else { Ok(()) }
}

/// Returns a sentence that says so and why, if no undo file was written. Then nothing was sent.
pub(super) fn missing(path: Option<&Path>, applied: &[Applied]) -> Option<String> {
    let path = path.filter(|path| path.symlink_metadata().is_err())?;
    let had_nothing = |applied: &Applied| match &applied.plan {
        Some(plan) => plan.sealed.mutations.is_empty(),
        None => applied.exit == Exit::Done as u8,
    };
    let why = if applied.iter().all(had_nothing) { "there was nothing to send" } else { "nothing was sent" };
    Some(format!("The undo file {} was not written, because {why}.\n", path.display()))
}

fn exists(path: &Path) -> Failure {
    Failure::error(format!("The undo file {} exists already. Nothing was sent.", path.display()))
        .hint("It may still be needed. Name another file with `--undo-out`, or move this one away.")
}

/// Writes the undo file, whole or not at all. If it can't be written, nothing is sent.
pub(super) fn write(
    path: &Path,
    organization: &Organization<'_>,
    plan: &OrganizationPlan,
    (live, facts): (&Live, &Facts),
    run: &str,
) -> Result<Undone, Failure> {
    let input = UndoInput {
        desired: organization.desired,
        plan,
        live,
        facts,
        format: rolecall_providers::format(organization.desired.provider),
        generator: GENERATOR,
        run,
        now: Timestamp::now(),
    };
    let Undo { text, irreversible } = undo(&input).map_err(|findings| Failure {
        message: Some(format!("The undo file {} can't be written. Nothing was sent.", path.display())),
        ..Failure::findings(findings)
    })?;
    // Only the owner can read it, because it names people.
    files::create(path, &text, Readers::Owner).map_err(|failure| {
        if path.symlink_metadata().is_ok() {
            exists(path)
        } else {
            Failure { hint: Some("Nothing was sent.".to_owned()), ..failure }
        }
    })?;
    Ok(Undone { file: path.to_owned(), irreversible })
}

/// Returns the text about an undo file: its name, the command that plans it, and what it can't undo.
pub(super) fn saved_text(Undone { file, irreversible }: &Undone, connection: &Connection) -> String {
    let file = file.display();
    let sandbox = if connection.sandbox { " --sandbox" } else { "" };
    let ledger = connection.ledger.as_ref().map(|place| format!(" --ledger {place}"));
    let ledger = ledger.unwrap_or_default();
    let mut text =
        format!("The undo file is {file}. `rolecall plan{sandbox}{ledger} {file}` shows what it would change.\n");
    if !irreversible.is_empty() {
        text.push_str("Not everything can be undone:\n");
    }
    for Irreversible { address, why } in irreversible {
        let _ = writeln!(text, "  {}: {}", report::clean(address), report::clean(why));
    }
    text
}
