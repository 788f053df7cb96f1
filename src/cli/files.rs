//! Files that are named on the command line.

use std::io::{Read, Write};
use std::path::Path;

use tempfile::NamedTempFile;

use super::exit::Failure;
use crate::desired::MAX_BYTES;

/// A file's text, never more than `MAX_BYTES`.
pub(super) fn read_text(path: &Path) -> Result<String, Failure> {
    let shown = path.display();
    let mut text = String::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_string(&mut text));
    read.map_err(|why| Failure::error(format!("{shown} can't be read: {why}")))?;
    if text.len() as u64 > MAX_BYTES {
        return Err(Failure::error(format!("{shown} is larger than {} MiB", MAX_BYTES / 1024 / 1024)));
    }
    Ok(text)
}

/// Who may read a file that is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Readers {
    /// It says who has what.
    Owner,
    /// Somebody else's program picks it up.
    Everybody,
}

/// Writes a file so that it is there whole or not at all. A pipe or a device is written to as it is, and a link is
/// followed.
pub(super) fn write_text(path: &Path, text: &str, readers: Readers) -> Result<(), Failure> {
    let failed = |why: std::io::Error| Failure::error(format!("{} can't be written: {why}", path.display()));
    let target = match std::fs::metadata(path) {
        Ok(meta) if !meta.is_file() => {
            let mut special = std::fs::OpenOptions::new().write(true).open(path).map_err(failed)?;
            return special.write_all(text.as_bytes()).map_err(failed);
        }
        Ok(_) => path.canonicalize().map_err(failed)?,
        Err(_) => path.to_owned(),
    };
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut new = temporary(folder, readers).map_err(failed)?;
    new.write_all(text.as_bytes()).map_err(failed)?;
    new.as_file().sync_all().map_err(failed)?;
    new.persist(&target).map_err(|why| failed(why.error))?;
    Ok(())
}

/// A file that only its owner may read, unless it is said otherwise.
fn temporary(folder: &Path, readers: Readers) -> std::io::Result<NamedTempFile> {
    #[cfg(unix)]
    if readers == Readers::Everybody {
        use std::os::unix::fs::PermissionsExt;
        return tempfile::Builder::new().permissions(std::fs::Permissions::from_mode(0o644)).tempfile_in(folder);
    }
    let _ = readers;
    NamedTempFile::new_in(folder)
}
