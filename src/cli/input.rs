//! Files that are named on the command line.

use std::io::Read;
use std::path::Path;

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
