//! The way back, on disk before anything is sent.

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

/// Turned away before anything is asked: one file holds one organisation, and nothing is overwritten.
pub(super) fn check(path: Option<&Path>, session: &Session<'_>) -> Result<(), Failure> {
    let Some(path) = path else { return Ok(()) };
    if session.desired_users().len() > 1 {
        return Err(Failure::error("--undo-out names one file, and there are several organisations")
            .hint("leave it out, or run each organisation by itself"));
    }
    if path.symlink_metadata().is_ok() { Err(exists(path)) } else { Ok(()) }
}

/// Says so where there was nothing to undo.
pub(super) fn missing(path: Option<&Path>) -> Option<String> {
    let path = path.filter(|path| path.symlink_metadata().is_err())?;
    Some(format!("{} wasn't written, as nothing was to be sent\n", path.display()))
}

fn exists(path: &Path) -> Failure {
    Failure::error(format!("{} exists already; nothing was sent", path.display()))
        .hint("what it says may still be needed: name another with --undo-out, or move this one away")
}

/// Writes the way back. It is there whole or not at all, and without it nothing is sent.
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
        rules: rolecall_providers::rules(organization.desired.provider),
        generator: GENERATOR,
        run,
        now: Timestamp::now(),
    };
    let Undo { text, irreversible } = undo(&input).map_err(|findings| Failure {
        message: Some(format!("{} can't be written; nothing was sent", path.display())),
        ..Failure::findings(findings)
    })?;
    save(path, &text)?;
    Ok(Undone { file: path.to_owned(), irreversible })
}

/// Readable by its owner only, since it names people.
fn save(path: &Path, text: &str) -> Result<(), Failure> {
    let failed = |why: std::io::Error| match why.kind() {
        ErrorKind::AlreadyExists => exists(path),
        _ => Failure::error(format!("{} can't be written: {why}; nothing was sent", path.display())),
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut new = NamedTempFile::new_in(folder).map_err(failed)?;
    new.write_all(text.as_bytes()).map_err(failed)?;
    new.as_file().sync_all().map_err(failed)?;
    new.persist_noclobber(path).map_err(|why| failed(why.error))?;
    // Its name is to outlast a crash as well. Not every file system syncs folders.
    if let Ok(folder) = std::fs::File::open(folder) {
        let _ = folder.sync_all();
    }
    Ok(())
}

/// What people are told of it.
pub(super) fn told(Undone { file, irreversible }: &Undone, connection: &Connection) -> String {
    let file = file.display();
    let sandbox = if connection.sandbox { " --sandbox" } else { "" };
    let ledger = connection.ledger.as_ref().map(|path| format!(" --ledger {}", path.display()));
    let ledger = ledger.unwrap_or_default();
    let mut text = format!("the way back is in {file}; `rolecall plan{sandbox}{ledger} {file}` shows it\n");
    if !irreversible.is_empty() {
        text.push_str("what can't be undone, or not wholly:\n");
    }
    for Irreversible { address, why } in irreversible {
        let _ = writeln!(text, "  {}: {}", report::clean(address), report::clean(why));
    }
    text
}
