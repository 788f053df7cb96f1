//! Delivers the secret of a new key. The platform shows a secret only once, so every target is prepared before the key
//! is minted: its folder can be written and has room, and its program is there.

mod begun;
mod env_file;
mod program;
mod receipt;

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret as _, SecretString};
use tempfile::NamedTempFile;

pub use begun::Found;
use program::Program;
pub(crate) use receipt::fingerprint;
pub use receipt::sign_in;
use rolecall_graphql::storage::private;
use rolecall_model::{Action, Change, Delivery, Desired, Entity, Key, KeyName, Placed};
use rolecall_plan::secret_target;

/// The settings for the deliveries of a run.
#[derive(Clone, Debug)]
pub struct Deliveries {
    /// True if commands may be run (`--allow-commands`).
    pub allow_commands: bool,
    /// A folder for all secrets. If it is set, as in the sandbox, no program is run, and no file outside of it is
    /// written.
    pub below: Option<PathBuf>,
    /// The maximum time that a program may take (`--timeout`).
    pub timeout: Duration,
}

impl Default for Deliveries {
    fn default() -> Self {
        Self { allow_commands: false, below: None, timeout: Duration::from_secs(60) }
    }
}

/// A delivery that is ready for the secret.
#[derive(Debug)]
pub struct PreparedDelivery {
    /// The target, as the plan names it.
    pub to: String,
    way: Way,
}

#[derive(Debug)]
enum Way {
    File { file: NewFile, content: Content },
    Command(Program),
}

/// The content of a file that is delivered.
#[derive(Debug)]
enum Content {
    Secret,
    Variable(String),
    Encrypted(Program),
    /// The output of the program.
    Ready(Zeroizing<Vec<u8>>),
}

/// A temporary file beside the target, readable by its owner only. It replaces the target once the content is in it.
#[derive(Debug)]
struct NewFile {
    new: NamedTempFile,
    target: PathBuf,
}

/// The room that a secret and its line, or its armour, take at most. Each recipient of age needs as much again.
const ROOM: usize = 1024;

/// The size of the largest target that is read.
const LARGEST: u64 = 4 << 20;

impl Deliveries {
    /// Prepares the deliveries of the key that a change creates. There are none if it creates no key.
    ///
    /// # Errors
    ///
    /// Returns why the secret can't be delivered to one of the targets.
    pub fn prepare(&self, desired: &Desired, change: &Change) -> Result<Vec<PreparedDelivery>, String> {
        let (Action::Create, Some(Entity::Key(Key { name, .. }))) = (change.action, &change.after) else {
            return Ok(Vec::new());
        };
        let deliveries = desired.key(name).map(|desired| &*desired.deliver).unwrap_or_default();
        if deliveries.is_empty() {
            return Err("the file doesn't say where to deliver its secret".to_owned());
        }
        let prepare = |(index, delivery): (usize, &Placed<Delivery>)| {
            let way = match &self.below {
                Some(below) => prepare_below(below, delivery, name, index),
                None => self.prepare_way(delivery),
            };
            Ok(PreparedDelivery { to: secret_target(delivery), way: way? })
        };
        deliveries.iter().enumerate().map(prepare).collect()
    }

    /// Checks before anything is sent that all secrets of a plan can be delivered. `age` has to encrypt a text that is no
    /// secret. It leaves no files behind.
    ///
    /// # Errors
    ///
    /// Returns the first delivery that can't be made, and why.
    pub async fn check(&self, desired: &Desired, changes: &[Change]) -> Result<(), String> {
        for change in changes {
            let failed = |why| format!("{}: {why}", change.address);
            for prepared in self.prepare(desired, change).map_err(failed)? {
                if let Way::File { file: _, content: Content::Encrypted(program) } = prepared.way {
                    program.encrypt(&SecretString::from("no secret")).await.map_err(failed)?;
                }
            }
        }
        Ok(())
    }

    fn prepare_way(&self, delivery: &Delivery) -> Result<Way, String> {
        match delivery {
            Delivery::File(path) => NewFile::prepare(path, "", ROOM).map(|file| file.with(Content::Secret)),
            Delivery::EnvFile { file, name } => prepare_env_file(file, name),
            Delivery::Age { recipients, file } => {
                let program = Program::age(recipients, self.timeout)?;
                let room = ROOM.saturating_mul(recipients.len().saturating_add(1));
                NewFile::prepare(file, "", room).map(|file| file.with(Content::Encrypted(program)))
            }
            Delivery::Command(words) if !self.allow_commands => {
                let program = words.first().map(String::as_str).unwrap_or_default();
                Err(format!("`{program}` is only run with --allow-commands"))
            }
            Delivery::Command(words) => Program::of_command(words, self.timeout).map(Way::Command),
        }
    }
}

/// Prepares a delivery in the sandbox. The secret that a program would get goes to a file with the name of the key.
fn prepare_below(below: &Path, delivery: &Delivery, key: &KeyName, index: usize) -> Result<Way, String> {
    let path = path_below(below, delivery, key, index);
    match delivery {
        Delivery::EnvFile { file: _, name } => prepare_env_file(&path, name),
        Delivery::File(_) | Delivery::Command(_) | Delivery::Age { .. } => {
            NewFile::prepare(&path, "", ROOM).map(|file| file.with(Content::Secret))
        }
    }
}

/// Returns the file of a delivery in the sandbox.
fn path_below(below: &Path, delivery: &Delivery, key: &KeyName, index: usize) -> PathBuf {
    let number = if index == 0 { String::new() } else { format!(".{}", index + 1) };
    let named = PathBuf::from(format!("{key}{number}.secret"));
    let path = match delivery {
        Delivery::File(path) => path,
        Delivery::EnvFile { file, name: _ } => file,
        Delivery::Command(_) | Delivery::Age { .. } => &named,
    };
    // Only normal components are left, so that the path can't leave the folder.
    let inside: PathBuf = path.components().filter(|part| matches!(part, Component::Normal(_))).collect();
    below.join(inside)
}

fn prepare_env_file(path: &Path, name: &str) -> Result<Way, String> {
    let text = env_text(path)?;
    env_file::own_line(&text, name).map_err(|why| cant_take(path, name, &why))?;
    // Several variables of one file can be on their way at once.
    let file = NewFile::prepare(path, &format!(".{name}"), text.len().saturating_add(ROOM))?;
    file.keep_mode()?;
    Ok(file.with(Content::Variable(name.to_owned())))
}

/// Returns the content of a file of environment variables, which may not exist yet.
fn env_text(path: &Path) -> Result<Zeroizing<String>, String> {
    let bytes = content(path)?.unwrap_or_default();
    std::str::from_utf8(&bytes)
        .map(|text| Zeroizing::new(text.to_owned()))
        .map_err(|_| format!("{} isn't UTF-8", path.display()))
}

/// Returns the content of a file, or `None` if there is none. A large file is no file of secrets, so it isn't read.
fn content(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
    ensure_regular(path)?;
    let shown = path.display();
    let mut bytes = Zeroizing::new(Vec::new());
    match File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes)) {
        Ok(_) if bytes.len() as u64 > LARGEST => Err(format!("{shown} is larger than {} MiB", LARGEST >> 20)),
        Ok(_) => Ok(Some(bytes)),
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(why) => Err(format!("{shown} can't be read: {why}")),
    }
}

/// Fails if something other than a file has this name. A link isn't followed, and a pipe isn't opened.
fn ensure_regular(path: &Path) -> Result<(), String> {
    let shown = path.display();
    match fs::symlink_metadata(path) {
        Ok(meta) if !meta.is_file() => Err(format!("{shown} isn't a regular file")),
        Ok(_) => Ok(()),
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(why) => Err(format!("{shown} can't be read: {why}")),
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn cant_take(path: &Path, name: &str, why: &str) -> String {
    format!("{} can't take the variable {name}: {why}", path.display())
}

impl NewFile {
    /// Creates the temporary file, with as much room as the content needs. `part` is for a target of which only a part
    /// is delivered.
    fn prepare(target: &Path, part: &str, room: usize) -> Result<Self, String> {
        ensure_regular(target)?;
        let shown = target.display();
        let folder = folder_of(target);
        private::create_folder(folder).map_err(|why| format!("{} can't be created: {why}", folder.display()))?;
        let name =
            target.file_name().ok_or_else(|| format!("{shown} isn't the name of a file"))?.to_string_lossy();
        // The name is always the same, so that the next run removes what a killed run left there: it may contain the
        // secret of a key that is retired by now. The mode is 0600. The folder is that of the target, so that the
        // rename is atomic.
        let beside = format!(".{name}{part}{}", Delivery::TEMPORARY);
        let failed = |why: io::Error| format!("{} can't be written: {why}", folder.display());
        match fs::remove_file(folder.join(&beside)) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(failed(why)),
            Ok(()) | Err(_) => {}
        }
        let mut new =
            tempfile::Builder::new().prefix(&beside).rand_bytes(0).tempfile_in(folder).map_err(failed)?;
        // A full disk has to be noticed now, and not when the secret is here.
        new.write_all(&vec![0; room]).map_err(failed)?;
        Ok(Self { new, target: target.to_owned() })
    }

    fn with(self, content: Content) -> Way {
        Way::File { file: self, content }
    }

    /// Gives the temporary file the owner and the mode of the target, if that exists.
    fn keep_mode(&self) -> Result<(), String> {
        #[cfg(unix)]
        if let Ok(meta) = fs::metadata(&self.target) {
            use std::os::unix::fs::{MetadataExt as _, chown};
            let failed = |why| format!("{} can't keep its owner and mode: {why}", self.target.display());
            let new = self.new.as_file().metadata().map_err(failed)?;
            if (new.uid(), new.gid()) != (meta.uid(), meta.gid()) {
                chown(self.new.path(), Some(meta.uid()), Some(meta.gid())).map_err(failed)?;
            }
            self.new.as_file().set_permissions(meta.permissions()).map_err(failed)?;
        }
        Ok(())
    }

    /// Replaces the target by a file with this content.
    fn replace(mut self, content: &[u8]) -> Result<(), String> {
        let target = &*self.target;
        let failed = |why: io::Error| format!("{} can't be written: {why}", target.display());
        self.new.rewind().map_err(failed)?;
        self.new.write_all(content).map_err(failed)?;
        self.new.as_file().set_len(content.len() as u64).map_err(failed)?;
        self.new.as_file().sync_all().map_err(failed)?;
        self.new.persist(target).map_err(|why| failed(why.error))?;
        // The new name has to survive a power cut as well. Not every file system can sync a folder, so errors are
        // ignored.
        if let Ok(folder) = File::open(folder_of(target)) {
            let _ = folder.sync_all();
        }
        Ok(())
    }
}

impl PreparedDelivery {
    /// Returns whether a program gets the secret, so that nothing tells what it has stored if it fails.
    pub fn is_program(&self) -> bool {
        matches!(self.way, Way::Command(_))
    }

    /// Encrypts the secret, so that the ledger can tell the file before it is written. Returns the fingerprint of the file.
    /// If it can't be encrypted, its delivery fails.
    pub(super) async fn encrypt(&mut self, secret: &SecretString) -> Option<String> {
        let Way::File { content, .. } = &mut self.way else { return None };
        let Content::Encrypted(program) = content else { return None };
        let encrypted = program.encrypt(secret).await.ok()?;
        let fingerprint = receipt::of_bytes(encrypted.trim_ascii_end());
        *content = Content::Ready(encrypted);
        Some(fingerprint)
    }

    /// Delivers the secret.
    ///
    /// # Errors
    ///
    /// Returns why the delivery failed. The target file keeps its old content then.
    pub async fn deliver(self, secret: &SecretString) -> Result<(), String> {
        match self.way {
            Way::Command(program) => program.give(secret).await,
            Way::File { file, content: Content::Secret } => file.replace(secret.expose_secret().as_bytes()),
            Way::File { file, content: Content::Ready(encrypted) } => file.replace(&encrypted),
            Way::File { file, content: Content::Encrypted(program) } => {
                let encrypted = program.encrypt(secret).await?;
                file.replace(&encrypted)
            }
            Way::File { file, content: Content::Variable(name) } => {
                // The file may have changed since it was prepared, also by another delivery. No other run changes it
                // while its folder is locked. Not every file system can do that, so errors are ignored.
                let folder = File::open(folder_of(&file.target));
                let _ = folder.as_ref().map(File::lock);
                let text = env_text(&file.target)?;
                let new = env_file::with_variable(&text, &name, secret.expose_secret())
                    .map_err(|why| cant_take(&file.target, &name, &why))?;
                file.replace(new.as_bytes())
            }
        }
    }
}
