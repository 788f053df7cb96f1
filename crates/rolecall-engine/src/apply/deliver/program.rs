//! Runs the programs that get a secret: the commands of the file, and the user's own `age`.

use std::io::{self, Read as _, Write as _};
use std::path::{Component, Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use secrecy::zeroize::{Zeroize as _, Zeroizing};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;

/// A program and its arguments, ready to be run.
#[derive(Debug)]
pub(super) struct Program {
    pub path: PathBuf,
    pub arguments: Vec<String>,
    /// The maximum time that it may take.
    pub timeout: Duration,
}

/// The programs that encrypt for the recipients of age. Both have the same options.
const AGE: [&str; 2] = ["age", "rage"];

const ARMOUR: (&str, &str) = ("-----BEGIN AGE ENCRYPTED FILE-----", "-----END AGE ENCRYPTED FILE-----");

/// The longest output of `age` that is kept.
const LONGEST_OUTPUT: u64 = 1 << 20;

impl Program {
    /// Finds the program of a command.
    pub fn of_command(words: &[String], timeout: Duration) -> Result<Self, String> {
        let (program, arguments) = words.split_first().ok_or("the command is empty")?;
        let path = which::which(program).map_err(|why| format!("`{program}` can't be run: {why}"))?;
        Ok(Self { path, arguments: arguments.to_vec(), timeout })
    }

    /// Finds the user's `age`, or else `rage`. A program in the repository doesn't count: a pull request could bring it,
    /// and it would get the secret without `--allow-commands`.
    pub fn age(recipients: &[String], timeout: Duration) -> Result<Self, String> {
        let here = Path::new(".").canonicalize().map_err(|why| format!("the folder can't be read: {why}"))?;
        let root = here.ancestors().find(|folder| folder.join(".git").exists()).unwrap_or(&here);
        // In the topmost folder, every program would be below it.
        let root = Some(root).filter(|root| root.parent().is_some());
        let is_below = |path: &Path| root.is_some_and(|root| path.starts_with(root));
        let is_outside = |path: &PathBuf| {
            let is_plain = |path: &Path| !path.components().any(|part| part == Component::ParentDir);
            let real = path.canonicalize();
            let folder = path.parent().and_then(|folder| folder.canonicalize().ok());
            path.is_absolute()
                && is_plain(path)
                && real.is_ok_and(|path| !is_below(&path))
                && folder.is_some_and(|folder| !is_below(&folder))
        };
        let found = AGE.iter().find_map(|name| which::which_all(name).ok()?.find(is_outside));
        let path = found.ok_or("PATH has no `age` and no `rage`. A program in the repository doesn't count")?;
        let mut arguments = vec!["--encrypt".to_owned(), "--armor".to_owned()];
        for recipient in recipients {
            // The comment of an SSH key is for people.
            let words: Vec<&str> = recipient.split(' ').take(2).collect();
            arguments.extend(["--recipient".to_owned(), words.join(" ")]);
        }
        Ok(Self { path, arguments, timeout })
    }

    /// Runs a command. Its output is discarded, because it could contain the secret.
    pub async fn give(&self, secret: &SecretString) -> Result<(), String> {
        self.run(secret, Stdio::null()).await.map(|_| ())
    }

    /// Returns the secret as an armoured file of age.
    pub async fn encrypt(&self, secret: &SecretString) -> Result<Zeroizing<Vec<u8>>, String> {
        let output = self.run(secret, Stdio::piped()).await?;
        // Another program of that name may print the secret itself.
        let text = str::from_utf8(&output).unwrap_or_default();
        let is_armoured = text.starts_with(ARMOUR.0) && text.trim_end().ends_with(ARMOUR.1);
        if !is_armoured || text.contains(secret.expose_secret()) {
            return Err(format!("`{}` printed something else than an age file", self.path.display()));
        }
        Ok(output)
    }

    /// Runs the program with the secret as its input, and returns its output if that is piped.
    ///
    /// The pipe takes the secret before the program has read any of it. So this process keeps an end to read from, and
    /// finds there what the program has left.
    async fn run(&self, secret: &SecretString, output: Stdio) -> Result<Zeroizing<Vec<u8>>, String> {
        let shown = self.path.display();
        let no_pipe = |why: io::Error| format!("`{shown}` accepts no input: {why}");
        let (reader, mut writer) = io::pipe().map_err(no_pipe)?;
        let mut leftover = reader.try_clone().map_err(no_pipe)?;
        let mut child = {
            // The end of the pipe in the program's description is closed with it.
            let mut command = Command::new(&self.path);
            // Ctrl-C must not reach the program: the secret is delivered first.
            #[cfg(unix)]
            command.process_group(0);
            command
                .args(&self.arguments)
                .stdin(Stdio::from(reader))
                .stdout(output)
                .stderr(Stdio::null())
                .kill_on_drop(true)
                .spawn()
                .map_err(|why| format!("`{shown}` can't be run: {why}"))?
        };
        #[cfg(unix)]
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
        let text = secret.clone();
        // It ends once the text is read, or once nobody is left to read it.
        let written = tokio::task::spawn_blocking(move || writer.write_all(text.expose_secret().as_bytes()));
        let ended = async {
            let mut printed = Zeroizing::new(Vec::new());
            if let Some(output) = child.stdout.take() {
                let read = output.take(LONGEST_OUTPUT).read_to_end(&mut printed).await;
                read.map_err(|why| format!("the output of `{shown}` can't be read: {why}"))?;
            }
            let status =
                child.wait().await.map_err(|why| format!("the end of `{shown}` can't be awaited: {why}"))?;
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
                (Ok(Ok(0)), Ok(Ok(()))) => Ok(printed),
                _ => Err(format!("`{shown}` succeeded without reading the secret")),
            }
        };
        tokio::time::timeout(self.timeout, ended).await.unwrap_or_else(|_| {
            // What the program started ends with it.
            #[cfg(unix)]
            if let Some(group) = group {
                let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            }
            Err(format!("`{shown}` took longer than {} s and was stopped", self.timeout.as_secs()))
        })
    }
}
