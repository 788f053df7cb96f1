//! Folders and files that only their owner can use, whatever the umask is: they name people and their access, and
//! whoever can write them could forge a ledger.

use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::path::Path;

/// Creates a folder and those above it. Folders that exist stay as they are.
///
/// # Errors
///
/// Fails if a folder can't be created.
pub fn create_folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(path)
}

/// Returns options that create a file for its owner alone.
#[must_use]
pub fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Creates the folder of a file, and returns options that create the file for its owner alone.
///
/// # Errors
///
/// Fails if the folder can't be created.
pub fn in_folder(path: &Path) -> io::Result<OpenOptions> {
    if let Some(folder) = path.parent() {
        create_folder(folder)?;
    }
    Ok(options())
}
