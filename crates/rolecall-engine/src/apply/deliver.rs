//! Delivers the secret of a new key to a file or a command. The platform shows a secret only once, so every
//! delivery is prepared before the key is minted.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use secrecy::zeroize::Zeroize;
use secrecy::{ExposeSecret, SecretString};
use tempfile::NamedTempFile;
use tokio::process::Command;

use rolecall_graphql::storage::private;
use rolecall_model::{Action, Change, Delivery, Desired, DesiredKey, Entity, KeyName};

/// The settings for the deliveries of a run.
#[derive(Clone, Debug, Default)]
pub struct Deliveries {
    /// True if commands may be run (`--allow-commands`).
    pub allow_commands: bool,
    /// A folder for all secrets. If it is set, as in the sandbox, no command is run, and no file outside of it is
    /// written.
    pub below: Option<PathBuf>,
}

/// A delivery that is ready for the secret.
#[derive(Debug)]
pub enum PreparedDelivery {
    /// A temporary file beside the target, readable by its owner only. It replaces the target once the secret is
    /// in it.
    File {
        new: NamedTempFile,
        target: PathBuf,
    },
    Command {
        program: PathBuf,
        arguments: Vec<String>,
    },
}

/// The maximum time that a command may take.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(60);

impl Deliveries {
    /// Prepares a delivery.
    ///
    /// # Errors
    ///
    /// Returns why the secret can't be delivered this way.
    pub fn prepare(&self, delivery: &Delivery, key: &KeyName) -> Result<PreparedDelivery, String> {
        match (delivery, &self.below) {
            (Delivery::File(path), None) => prepare_file(path),
            (Delivery::File(path), Some(below)) => prepare_file(&below.join(relative_part(path))),
            (Delivery::Command(_), Some(below)) => {
                prepare_file(&below.join(relative_part(Path::new(&format!("{key}.secret")))))
            }
            (Delivery::Command(words), None) => self.prepare_command(words),
        }
    }

    /// Checks before anything is sent that all secrets of a plan can be delivered. It leaves no files behind.
    ///
    /// # Errors
    ///
    /// Returns the first delivery that can't be made, and why.
    pub fn check(&self, desired: &Desired, changes: &[Change]) -> Result<(), String> {
        for change in changes {
            if let Some((delivery, key)) = delivery_of(desired, change)? {
                self.prepare(delivery, key).map_err(|why| format!("{}: {why}", change.address))?;
            }
        }
        Ok(())
    }

    fn prepare_command(&self, words: &[String]) -> Result<PreparedDelivery, String> {
        let (program, arguments) = words.split_first().ok_or("the command is empty")?;
        if !self.allow_commands {
            return Err(format!("`{program}` is only run with --allow-commands"));
        }
        let program = which::which(program).map_err(|why| format!("`{program}` can't be run: {why}"))?;
        Ok(PreparedDelivery::Command { program, arguments: arguments.to_vec() })
    }
}

/// Returns where the secret of a new key should go, or `None` if the change mints no key.
pub(super) fn delivery_of<'a>(
    desired: &'a Desired,
    change: &'a Change,
) -> Result<Option<(&'a Delivery, &'a KeyName)>, String> {
    let (Action::Create, Some(Entity::Key(key))) = (change.action, &change.after) else {
        return Ok(None);
    };
    let is_this_key = |desired: &&DesiredKey| desired.name == key.name && desired.id.is_none();
    let delivery = desired.keys.iter().find(is_this_key).and_then(|desired| desired.deliver.as_ref());
    let delivery =
        delivery.ok_or_else(|| format!("{}: the file doesn't say where to deliver its secret", change.address))?;
    Ok(Some((delivery, &key.name)))
}

fn prepare_file(target: &Path) -> Result<PreparedDelivery, String> {
    let shown = target.display();
    match fs::symlink_metadata(target) {
        Ok(meta) if !meta.is_file() => return Err(format!("{shown} isn't a regular file")),
        Ok(_) => {}
        Err(why) if why.kind() == io::ErrorKind::NotFound => {}
        Err(why) => return Err(format!("{shown} can't be read: {why}")),
    }
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    private::create_folder(folder).map_err(|why| format!("{} can't be created: {why}", folder.display()))?;
    let name = target.file_name().ok_or_else(|| format!("{shown} isn't the name of a file"))?.to_string_lossy();
    // The name is always the same, so that the next run removes what a killed run left there: it may contain the
    // secret of a key that is retired by now. The mode is 0600. The folder is that of the target, so that the
    // rename is atomic.
    let beside = format!(".{name}{}", Delivery::TEMPORARY);
    let failed = |why: io::Error| format!("{} can't be written: {why}", folder.display());
    match fs::remove_file(folder.join(&beside)) {
        Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(failed(why)),
        Ok(()) | Err(_) => {}
    }
    let new = tempfile::Builder::new().prefix(&beside).rand_bytes(0).tempfile_in(folder).map_err(failed)?;
    Ok(PreparedDelivery::File { new, target: target.to_owned() })
}

/// Reduces a path to its normal components, so that it can't leave the folder that it is joined to.
fn relative_part(path: &Path) -> PathBuf {
    path.components().filter(|part| matches!(part, Component::Normal(_))).collect()
}

impl PreparedDelivery {
    /// Delivers the secret.
    ///
    /// # Errors
    ///
    /// Returns why the delivery failed. The target file keeps its old content then.
    pub async fn deliver(self, secret: &SecretString) -> Result<(), String> {
        match self {
            Self::File { new, target } => deliver_file(new, &target, secret),
            Self::Command { program, arguments } => deliver_command(&program, &arguments, secret).await,
        }
    }
}

fn deliver_file(mut new: NamedTempFile, target: &Path, secret: &SecretString) -> Result<(), String> {
    let failed = |why: io::Error| format!("{} can't be written: {why}", target.display());
    new.write_all(secret.expose_secret().as_bytes()).map_err(failed)?;
    new.as_file().sync_all().map_err(failed)?;
    new.persist(target).map_err(|why| failed(why.error))?;
    if let Some(folder) = target.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        // The new name has to survive a power cut as well. Not every file system can sync a folder, so errors are
        // ignored.
        if let Ok(folder) = File::open(folder) {
            let _ = folder.sync_all();
        }
    }
    Ok(())
}

/// Runs a command with the secret as its input. Its output is discarded, because it could contain the secret.
///
/// The pipe takes the secret before the command has read any of it. So this process keeps an end to read from, and
/// finds there what the command has left.
async fn deliver_command(program: &Path, arguments: &[String], secret: &SecretString) -> Result<(), String> {
    let shown = program.display();
    let no_pipe = |why: io::Error| format!("`{shown}` accepts no input: {why}");
    let (reader, mut writer) = io::pipe().map_err(no_pipe)?;
    let mut leftover = reader.try_clone().map_err(no_pipe)?;
    let mut child = {
        // The end of the pipe in the command's description is closed with it.
        let mut command = Command::new(program);
        // Ctrl-C must not reach the command: the secret is delivered first.
        #[cfg(unix)]
        command.process_group(0);
        command
            .args(arguments)
            .stdin(Stdio::from(reader))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|why| format!("`{shown}` can't be run: {why}"))?
    };
    let text = secret.clone();
    // It ends once the text is read, or once nobody is left to read it.
    let written = tokio::task::spawn_blocking(move || writer.write_all(text.expose_secret().as_bytes()));
    let ended = async {
        let status = child.wait().await.map_err(|why| format!("the end of `{shown}` can't be awaited: {why}"))?;
        if !status.success() {
            return Err(format!("`{shown}` failed ({status})"));
        }
        let left = tokio::task::spawn_blocking(move || {
            let mut left = Vec::new();
            let read = leftover.read_to_end(&mut left);
            left.zeroize();
            read
        });
        match (left.await, written.await) {
            (Ok(Ok(0)), Ok(Ok(()))) => Ok(()),
            _ => Err(format!("`{shown}` succeeded without reading the secret")),
        }
    };
    tokio::time::timeout(COMMAND_TIMEOUT, ended)
        .await
        .unwrap_or_else(|_| Err(format!("`{shown}` took longer than {} s", COMMAND_TIMEOUT.as_secs())))
}
