//! Loads many files without keeping all of their entries in memory, and checks one of them again when its turn comes.
//!
//! For example, 1,000 files list 200 people each. All of them are checked at the start, so a mistake in any of them stops the
//! run. Of each, only the head, the keys, the roles and the teams are kept. [`Recheck::whole`] reads a file again and returns
//! all of it. The files that they include are kept, because many files include the same ones.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use super::files::load_kept;
use super::{Checked, Commands, Disk, Format, Library, Loaded, LoadedFile, Source, check_file};
use rolecall_model::{Code, Desired, Finding, Place, ProviderName, Quirk};

/// Checks single files again, together with what they include.
pub struct Recheck<'f> {
    library: Mutex<Library<'f>>,
    formats: fn(ProviderName) -> &'static Format,
}

/// Reads and checks files as [`load`](super::load) does, and keeps only what a run needs of all files at once. The first
/// ones, up to the number `whole`, are kept as they are: a few files take little memory, and needn't be read twice.
pub fn load_heads<'f>(
    paths: &[PathBuf],
    commands: &'f dyn Commands,
    now: Timestamp,
    formats: fn(ProviderName) -> &'static Format,
    whole: usize,
) -> (Loaded, Recheck<'f>) {
    let mut left = whole;
    let keep = |file: &mut LoadedFile| match left.checked_sub(1) {
        Some(fewer) => left = fewer,
        None => keep_head(file, formats),
    };
    let (loaded, library) = load_kept(paths, Library::new(&Disk, commands, now), formats, keep);
    (loaded, Recheck { library: Mutex::new(library), formats })
}

/// Drops the entries of a file without findings. Accounts that several organisations share are compared between files, so
/// those files stay as they are. A pipe can't be read again.
fn keep_head(file: &mut LoadedFile, formats: fn(ProviderName) -> &'static Format) {
    let Some(desired) = &mut file.desired else { return };
    if formats(desired.provider).rules.has(Quirk::SharedAccounts) || !file.path.is_file() {
        return;
    }
    file.hash = Some(file.source.hash());
    file.source.text = String::new();
    desired.users = Vec::new();
    (desired.notes, desired.memberships) = Default::default();
    (desired.endings, desired.people) = Default::default();
}

/// Reads the text of a file again.
pub fn reread(path: &Path) -> Option<Source> {
    Source::read(path, &mut Vec::new())
}

impl Recheck<'_> {
    /// Returns everything that a file asks for. Fails if the file isn't as it was.
    pub fn whole(&self, file: &LoadedFile) -> Result<Desired, Box<Finding>> {
        let changed = || {
            let place = Place::start_of(file.source.name.clone());
            Box::new(
                Finding::error(Code::UnreadableFile, place, "The file has changed since this run began.")
                    .hint("Run again.")
                    // A link in its place may lead to somebody's secret.
                    .without_source(),
            )
        };
        let source = reread(&file.path).filter(|source| Some(source.hash()) == file.hash).ok_or_else(changed)?;
        let mut library = self.library.lock().unwrap_or_else(PoisonError::into_inner);
        let Checked { desired, .. } = check_file(&file.path, &source, &mut library, self.formats);
        desired.ok_or_else(changed)
    }
}
