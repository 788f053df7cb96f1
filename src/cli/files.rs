//! Reads and writes the files that the command line names.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::exit::Failure;

/// The largest file that is read. A plan has about 1,400 bytes for each change, and `plan --out` must not write one
/// that nothing can read again.
const MAX_BYTES: u64 = 1024 * 1024 * 1024;

/// Reads the text of a file of at most [`MAX_BYTES`].
pub(super) fn read_text(path: &Path) -> Result<String, Failure> {
    let shown = path.display();
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_string(&mut text));
    read.map_err(|why| Failure::error(format!("The file {shown} can't be read: {why}.")))?;
    if text.len() as u64 > MAX_BYTES {
        return Err(Failure::error(format!("The file {shown} is larger than {} MiB.", MAX_BYTES / 1024 / 1024)));
    }
    Ok(text)
}

/// The people who may read a file that rolecall writes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Readers {
    /// Only the owner, because the file says who has which access.
    Owner,
    /// Everybody, because another program reads the file.
    Everybody,
}

/// Writes a file, whole or not at all. Writes to a pipe or a device directly, and follows links.
pub(super) fn write_text(path: &Path, text: &str, readers: Readers) -> Result<(), Failure> {
    Pending::new(path, text, readers)?.commit()
}

/// Checks that a file can be written. A pipe or a device shows that only when it is written.
pub(super) fn check_writable(path: &Path) -> Result<(), Failure> {
    Pending::new(path, "", Readers::Owner).map(drop)
}

/// A file that is written under another name, until [`Pending::commit`] renames it.
pub(super) struct Pending<'a> {
    path: &'a Path,
    place: Place<'a>,
}

enum Place<'a> {
    /// A temporary file in the folder of the target, and the path of the target.
    Beside(NamedTempFile, PathBuf),
    /// The text for a pipe or a device. It is opened only for that text, because the reader of a pipe that is closed again
    /// takes that for its end.
    Special(&'a str),
}

impl<'a> Pending<'a> {
    pub fn new(path: &'a Path, text: &'a str, readers: Readers) -> Result<Self, Failure> {
        let failed = |why| unwritable(path, &why);
        let target = match std::fs::metadata(path) {
            Ok(meta) if meta.is_dir() => {
                return Err(Failure::error(format!(
                    "The file {} can't be written: it is a folder.",
                    path.display()
                )));
            }
            Ok(meta) if !meta.is_file() => return Ok(Self { path, place: Place::Special(text) }),
            Ok(_) => path.canonicalize().map_err(failed)?,
            Err(_) => path.to_owned(),
        };
        let mut new = temporary(folder(&target), readers).map_err(failed)?;
        new.write_all(text.as_bytes()).map_err(failed)?;
        new.as_file().sync_all().map_err(failed)?;
        Ok(Self { path, place: Place::Beside(new, target) })
    }

    pub fn commit(self) -> Result<(), Failure> {
        let written = match self.place {
            Place::Beside(new, target) => new.persist(target).map(drop).map_err(|why| why.error),
            Place::Special(text) => std::fs::OpenOptions::new()
                .write(true)
                .open(self.path)
                .and_then(|mut special| special.write_all(text.as_bytes())),
        };
        written.map_err(|why| unwritable(self.path, &why))
    }
}

/// Creates the folder of a file, if it isn't there.
pub(super) fn create_folder_of(path: &Path) -> Result<(), Failure> {
    let folder = folder(path);
    std::fs::create_dir_all(folder)
        .map_err(|why| Failure::error(format!("The folder {} can't be created: {why}.", folder.display())))
}

/// Writes a new file, whole or not at all. A file that exists already is an error.
pub(super) fn create(path: &Path, text: &str, readers: Readers) -> Result<(), Failure> {
    let failed = |why: std::io::Error| match why.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Failure::error(format!("The file {} exists already. Nothing was written.", path.display()))
                .hint("Name another file, or move this one away.")
        }
        _ => unwritable(path, &why),
    };
    if path.symlink_metadata().is_ok() {
        return Err(failed(std::io::ErrorKind::AlreadyExists.into()));
    }
    let folder = folder(path);
    let mut new = temporary(folder, readers).map_err(failed)?;
    new.write_all(text.as_bytes()).map_err(failed)?;
    new.as_file().sync_all().map_err(failed)?;
    new.persist_noclobber(path).map_err(|why| failed(why.error))?;
    sync_folder(folder);
    Ok(())
}

/// Replaces the text of a file, whole or not at all. Keeps its permissions and its byte order mark. Fails if the file no
/// longer has the text that was read, or if it is a link.
pub(super) fn rewrite(path: &Path, read: &str, text: &str) -> Result<(), Failure> {
    Rewrite::new(path, read, text)?.commit()
}

/// Replaces the texts of files, each given with the text that was read. If one of them can't be replaced, the others keep
/// their texts, or get them back.
pub(super) fn rewrite_all(files: &[(&Path, &str, &str)]) -> Result<(), Failure> {
    let new: Result<Vec<Rewrite<'_>>, Failure> =
        files.iter().map(|(path, read, text)| Rewrite::new(path, read, text)).collect();
    for (at, new) in new?.into_iter().enumerate() {
        let Err(failure) = new.commit() else { continue };
        for (path, read, text) in files.iter().take(at) {
            rewrite(path, text, read)?;
        }
        return Err(failure);
    }
    Ok(())
}

/// A new text of a file that exists, until [`Rewrite::commit`] replaces the file.
struct Rewrite<'a> {
    path: &'a Path,
    new: NamedTempFile,
}

impl<'a> Rewrite<'a> {
    fn new(path: &'a Path, read: &str, text: &str) -> Result<Self, Failure> {
        let failed = |why: std::io::Error| unwritable(path, &why);
        let meta = path.symlink_metadata().map_err(failed)?;
        let before = if meta.is_file() { std::fs::read_to_string(path).map_err(failed)? } else { String::new() };
        let mark = match before.strip_prefix('\u{feff}') {
            Some(rest) if rest == read => "\u{feff}",
            _ => "",
        };
        if !meta.is_file() || before.strip_prefix(mark) != Some(read) {
            return Err(Failure::error(format!(
                "The file {} has changed since it was read. Nothing was written.",
                path.display()
            ))
            .hint("Run the command again."));
        }
        let mut new = NamedTempFile::new_in(folder(path)).map_err(failed)?;
        new.as_file().set_permissions(meta.permissions()).map_err(failed)?;
        new.write_all(mark.as_bytes()).map_err(failed)?;
        new.write_all(text.as_bytes()).map_err(failed)?;
        new.as_file().sync_all().map_err(failed)?;
        Ok(Self { path, new })
    }

    fn commit(self) -> Result<(), Failure> {
        self.new.persist(self.path).map_err(|why| unwritable(self.path, &why.error))?;
        sync_folder(folder(self.path));
        Ok(())
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes the name of a new file outlast a crash. Not every file system can do it.
fn sync_folder(folder: &Path) {
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

fn unwritable(path: &Path, why: &std::io::Error) -> Failure {
    // The error itself names a temporary file.
    let why = match why.kind() {
        std::io::ErrorKind::NotFound => format!("there is no folder {}", folder(path).display()),
        _ => why.to_string(),
    };
    Failure::error(format!("The file {} can't be written: {why}.", path.display()))
}

/// Creates a temporary file that only its owner may read, unless `readers` says otherwise.
fn temporary(folder: &Path, readers: Readers) -> std::io::Result<NamedTempFile> {
    #[cfg(unix)]
    if readers == Readers::Everybody {
        use std::os::unix::fs::PermissionsExt;
        return tempfile::Builder::new().permissions(std::fs::Permissions::from_mode(0o644)).tempfile_in(folder);
    }
    let _ = readers;
    NamedTempFile::new_in(folder)
}
