//! The host of a repository at GitHub: github.com, or a server of GitHub Enterprise. Only that host is asked.

use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use super::super::{Asked, ask_with};
use crate::report::{Check, clean};
use rolecall_model::list_of;

/// The host whose API is asked.
#[derive(Clone, Debug)]
pub(super) struct Host {
    pub name: String,
    /// Whether a variable names it.
    is_named: bool,
}

/// The host, or why no host may be asked. `None` if nothing names one: then `gh` decides. It is read once, because it
/// stays the same during a run.
static HOST: LazyLock<Result<Option<Host>, String>> = LazyLock::new(|| decided(named(), &REMOTES));

/// The remotes of this folder: the name of each, and its host if it has one.
pub(super) static REMOTES: LazyLock<Vec<(String, Option<String>)>> = LazyLock::new(remotes);

/// The variables of `gh` with a token for any server of GitHub Enterprise.
const TOKENS: [&str; 2] = ["GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN"];

/// Returns the host that is asked, or why none is.
pub(super) fn host() -> Result<Option<&'static Host>, &'static str> {
    HOST.as_ref().map(Option::as_ref).map_err(String::as_str)
}

/// Asks the host with `gh`. A token in the environment belongs to no certain host. So it is handed over only if a
/// variable names the host, too; what `gh` keeps belongs to one host anyway.
pub(super) fn ask(path: &str) -> Asked {
    ask_with("gh", path, |gh| {
        let Ok(Some(host)) = host() else { return };
        gh.env("GH_HOST", &host.name);
        if !host.is_named {
            for token in TOKENS {
                gh.env_remove(token);
            }
        }
    })
}

impl Host {
    /// Returns a command whose `gh` asks this host.
    pub fn command(&self, command: &str) -> String {
        if self.name == "github.com" {
            return command.to_owned();
        }
        let gh = format!("GH_HOST={} gh ", self.name);
        let command = command.replace("$(gh ", &format!("$({gh}"));
        command.strip_prefix("gh ").map(|rest| format!("{gh}{rest}")).unwrap_or(command)
    }

    /// Returns a check whose commands ask this host.
    pub fn check(&self, check: Check) -> Check {
        let commands = check.commands.iter().map(|command| self.command(command)).collect();
        let login = format!("`gh auth login --hostname {}`", self.name);
        let view = format!("`{}`", self.command("gh repo view"));
        let hint = check.hint.map(|hint| hint.replace("`gh auth login`", &login).replace("`gh repo view`", &view));
        Check { hint, commands, ..check }
    }
}

/// Returns the host that a variable names, with the name of the variable: `gh` reads the first one, and the second one
/// has the address of the API in a job of GitHub Actions.
fn named() -> Option<(&'static str, String)> {
    let variable = |name| std::env::var(name).ok().filter(|value: &String| !value.is_empty());
    let of = |name, url: String| (name, host_of(&url).unwrap_or_default());
    let named = variable("GH_HOST").map(|host| of("GH_HOST", format!("https://{host}")));
    named.or_else(|| variable("GITHUB_API_URL").map(|url| of("GITHUB_API_URL", url)))
}

/// Returns the host that a variable names if a remote has it, or else that of the first remote in the order of `gh`.
fn decided(named: Option<(&str, String)>, remotes: &[(String, Option<String>)]) -> Result<Option<Host>, String> {
    let Some((variable, name)) = named else {
        let place = |remote: &str| ["upstream", "github", "origin"].iter().position(|it| *it == remote);
        let first = remotes.iter().min_by_key(|(remote, _)| place(remote).unwrap_or(usize::MAX));
        let host = first.and_then(|(_, host)| host.clone());
        return Ok(host.map(|name| Host { name, is_named: false }));
    };
    let hosts: Vec<&str> = remotes.iter().filter_map(|(_, host)| host.as_deref()).collect();
    if hosts.is_empty() || hosts.contains(&&*name) {
        return Ok(Some(Host { name, is_named: true }).filter(|host| !host.name.is_empty()));
    }
    let hosts = clean(list_of(&hosts, "and"));
    Err(format!("{variable} names the host `{name}`, and this folder has a remote at {hosts}. Nothing was asked."))
}

/// Runs a program of this machine. `None` if it can't be run, or fails.
fn run(program: &str, arguments: &[&str]) -> Option<Output> {
    let found = which::which(program).ok()?;
    let output = Command::new(found).args(arguments).stdin(Stdio::null()).output().ok()?;
    output.status.success().then_some(output)
}

fn remotes() -> Vec<(String, Option<String>)> {
    let said = run("git", &["remote", "--verbose"]).map(|said| said.stdout).unwrap_or_default();
    let remote = |line: &str| {
        let (name, rest) = line.split_once('\t')?;
        Some((name.to_owned(), real(rest.strip_suffix(" (fetch)")?)))
    };
    String::from_utf8_lossy(&said).lines().filter_map(remote).collect()
}

/// Returns the host of a remote. The settings of ssh can give it another name.
fn real(address: &str) -> Option<String> {
    let host = host_of(address)?;
    if address.starts_with("http") {
        return Some(host);
    }
    let known = run("ssh", &["-G", "--", &host]).and_then(|said| {
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        host_of(&format!("ssh://{}", said.lines().find_map(|line| line.strip_prefix("hostname "))?))
    });
    known.or(Some(host)).filter(|host| host.contains('.'))
}

/// Returns the host of a URL or of an address of git. `None` for a folder.
fn host_of(address: &str) -> Option<String> {
    let place = match address.split_once("://") {
        Some((_, rest)) => rest.split('/').next()?,
        None => address.split_once(':')?.0,
    };
    let host = place.rsplit('@').next()?.split(':').next()?.to_lowercase();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    if host.is_empty() || host.starts_with('-') || !host.chars().all(is_plain) {
        return None;
    }
    // github.com, and a company's part of ghe.com, have other names for their API and for ssh.
    let other = host.strip_prefix("api.").or(host.strip_prefix("ssh."));
    let other = other.filter(|it| *it == "github.com" || it.ends_with(".ghe.com")).map(ToOwned::to_owned);
    Some(other.unwrap_or(host))
}
