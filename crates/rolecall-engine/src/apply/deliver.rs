//! Getting a minted secret to where the file wants it. It is shown once: the way is made ready before the mint.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Component, Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use rolecall_model::{Action, Change, Delivery, Desired, DesiredKey, Entity, KeyName};

/// How deliveries are made in this run.
#[derive(Clone, Debug, Default)]
pub struct Deliveries {
    /// May commands be run?
    pub allow_commands: bool,
    /// Everything goes below this folder instead, and no command is run: the sandbox.
    pub below: Option<PathBuf>,
}

/// A way that is ready.
#[derive(Debug)]
pub enum Prepared {
    /// Beside the target, readable by its owner only, and not yet in its place.
    File {
        new: NamedTempFile,
        target: PathBuf,
    },
    Command {
        program: PathBuf,
        arguments: Vec<String>,
    },
}

/// How long a command may take.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(60);

impl Deliveries {
    /// Makes a delivery ready, or says why it can't be made.
    pub fn prepare(&self, delivery: &Delivery, key: &KeyName) -> Result<Prepared, String> {
        match (delivery, &self.below) {
            (Delivery::File(path), None) => prepare_file(path),
            (Delivery::File(path), Some(below)) => prepare_file(&below.join(harmless(path))),
            (Delivery::Command(_), Some(below)) => {
                prepare_file(&below.join(harmless(Path::new(&format!("{key}.secret")))))
            }
            (Delivery::Command(words), None) => self.prepare_command(words),
        }
    }

    /// Can every secret that a plan mints be delivered? Asked before anything is sent; nothing is left behind.
    pub fn check(&self, desired: &Desired, changes: &[Change]) -> Result<(), String> {
        for change in changes {
            if let Some((delivery, key)) = delivery_of(desired, change)? {
                self.prepare(delivery, key).map_err(|why| format!("{}: {why}", change.address))?;
            }
        }
        Ok(())
    }

    fn prepare_command(&self, words: &[String]) -> Result<Prepared, String> {
        let (program, arguments) = words.split_first().ok_or("the command is empty")?;
        if !self.allow_commands {
            return Err(format!("`{program}` isn't run without --allow-commands"));
        }
        let program = which::which(program).map_err(|why| format!("`{program}` can't be run: {why}"))?;
        Ok(Prepared::Command { program, arguments: arguments.to_vec() })
    }
}

/// Where the file wants the secret of a change, if it mints one.
pub(super) fn delivery_of<'a>(
    desired: &'a Desired,
    change: &'a Change,
) -> Result<Option<(&'a Delivery, &'a KeyName)>, String> {
    let (Action::Create, Some(Entity::Key(key))) = (change.action, &change.after) else {
        return Ok(None);
    };
    let is_meant = |desired: &&DesiredKey| desired.name == key.name && desired.id.is_none();
    let delivery = desired.keys.iter().find(is_meant).and_then(|desired| desired.deliver.as_ref());
    let delivery =
        delivery.ok_or_else(|| format!("{}: the file doesn't say where its secret goes", change.address))?;
    Ok(Some((delivery, &key.name)))
}

fn prepare_file(target: &Path) -> Result<Prepared, String> {
    let shown = target.display();
    match fs::symlink_metadata(target) {
        Ok(meta) if !meta.is_file() => return Err(format!("{shown} is no regular file")),
        Ok(_) => {}
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => {}
        Err(why) => return Err(format!("{shown} can't be looked at: {why}")),
    }
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(|why| format!("{} can't be made: {why}", folder.display()))?;
    let name = target.file_name().ok_or_else(|| format!("{shown} is no file's name"))?.to_string_lossy();
    // Always the same name: what a killed run left there, perhaps with the secret of a key that is retired since, goes
    // with the next. Made with mode 0600, in the same folder so that putting it in its place can't fail halfway.
    let beside = format!(".{name}.rolecall-new");
    let failed = |why: std::io::Error| format!("{} can't be written: {why}", folder.display());
    match fs::remove_file(folder.join(&beside)) {
        Err(why) if why.kind() != std::io::ErrorKind::NotFound => return Err(failed(why)),
        Ok(()) | Err(_) => {}
    }
    let new = tempfile::Builder::new().prefix(&beside).rand_bytes(0).tempfile_in(folder).map_err(failed)?;
    Ok(Prepared::File { new, target: target.to_owned() })
}

/// A path that can't leave the folder it is joined to.
fn harmless(path: &Path) -> PathBuf {
    path.components().filter(|part| matches!(part, Component::Normal(_))).collect()
}

impl Prepared {
    /// Hands the secret over. After an error, the old content of a file is as it was.
    pub async fn deliver(self, secret: &SecretString) -> Result<(), String> {
        match self {
            Self::File { new, target } => deliver_file(new, &target, secret),
            Self::Command { program, arguments } => deliver_command(&program, &arguments, secret).await,
        }
    }
}

fn deliver_file(mut new: NamedTempFile, target: &Path, secret: &SecretString) -> Result<(), String> {
    let failed = |why: std::io::Error| format!("{} can't be written: {why}", target.display());
    new.write_all(secret.expose_secret().as_bytes()).map_err(failed)?;
    new.as_file().sync_all().map_err(failed)?;
    new.persist(target).map_err(|why| failed(why.error))?;
    if let Some(folder) = target.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        // The name, too, has to survive a power cut. Not every file system can do that for a folder.
        if let Ok(folder) = File::open(folder) {
            let _ = folder.sync_all();
        }
    }
    Ok(())
}

/// Its output is never relayed: it could hold the secret.
async fn deliver_command(program: &Path, arguments: &[String], secret: &SecretString) -> Result<(), String> {
    let shown = program.display();
    let mut command = Command::new(program);
    // A Ctrl-C is for us: the secret is delivered first.
    #[cfg(unix)]
    command.process_group(0);
    let mut child = command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|why| format!("`{shown}` can't be run: {why}"))?;
    let mut stdin = child.stdin.take().ok_or_else(|| format!("`{shown}` takes no input"))?;
    let talk = async {
        // A command may end without reading all of it; its status says whether that is an error.
        let written = stdin.write_all(secret.expose_secret().as_bytes()).await;
        drop(stdin);
        let status = child.wait().await.map_err(|why| format!("`{shown}` can't be waited for: {why}"))?;
        match (status.success(), written) {
            (true, Ok(())) => Ok(()),
            (true, Err(_)) => Err(format!("`{shown}` ended well without reading the secret")),
            (false, _) => Err(format!("`{shown}` failed ({status})")),
        }
    };
    tokio::time::timeout(COMMAND_TIMEOUT, talk)
        .await
        .unwrap_or_else(|_| Err(format!("`{shown}` took longer than {} s", COMMAND_TIMEOUT.as_secs())))
}
