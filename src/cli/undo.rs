//! `--undo-out`: writes the undo file before anything is sent.

use std::fmt::Write as _;
use std::io::{ErrorKind, Write};
use std::path::Path;

use jiff::Timestamp;
use tempfile::NamedTempFile;

use super::Connection;
use super::connect::GENERATOR;
use super::exit::Failure;
use super::organization::Organization;
use super::session::Session;
use crate::report;
use crate::report::Undone;
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

/// Returns a sentence that says so if no undo file was written, because there was nothing to send.
pub(super) fn missing(path: Option<&Path>) -> Option<String> {
    let path = path.filter(|path| path.symlink_metadata().is_err())?;
    Some(format!("The undo file {} was not written, because there was nothing to send.\n", path.display()))
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
    save(path, &text)?;
    Ok(Undone { file: path.to_owned(), irreversible })
}

/// Saves the text so that only the owner can read it, because it names people.
fn save(path: &Path, text: &str) -> Result<(), Failure> {
    let failed = |why: std::io::Error| match why.kind() {
        ErrorKind::AlreadyExists => exists(path),
        _ => {
            Failure::error(format!("The undo file {} can't be written: {why}. Nothing was sent.", path.display()))
        }
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut new = NamedTempFile::new_in(folder).map_err(failed)?;
    new.write_all(text.as_bytes()).map_err(failed)?;
    new.as_file().sync_all().map_err(failed)?;
    new.persist_noclobber(path).map_err(|why| failed(why.error))?;
    // Syncing the folder makes the name of the file outlast a crash. Not every file system can do it.
    if let Ok(folder) = std::fs::File::open(folder) {
        let _ = folder.sync_all();
    }
    Ok(())
}

/// Returns the text about an undo file: its name, the command that plans it, and what it can't undo.
pub(super) fn saved_text(Undone { file, irreversible }: &Undone, connection: &Connection) -> String {
    let file = file.display();
    let sandbox = if connection.sandbox { " --sandbox" } else { "" };
    let ledger = connection.ledger.as_ref().map(|path| format!(" --ledger {}", path.display()));
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
