//! The server that the remotes of this folder are at. Only that one is asked, and the set-up pushes to that remote.

use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use clap::ValueEnum;

use super::Ci;
use crate::report::clean;
use rolecall_model::{list_of, sentence};

/// The facts about a CI system that decide which server is asked, and with which program.
pub(super) struct System {
    pub name: &'static str,
    pub program: &'static str,
    /// The page that says how to install the program.
    pub page: &'static str,
    /// The vendor's own domains. The first one is the host if nothing names another one.
    domains: &'static [&'static str],
    /// The variables that name the host, by priority.
    variables: &'static [&'static str],
    /// The names of remotes that the program prefers, by priority.
    preferred: [&'static str; 3],
    /// Whether rolecall can tell the program which remote it means. A server of GitLab may answer ssh under another
    /// name, which only `glab` knows. So `glab` finds the remote itself.
    is_told: bool,
}

/// `gh` reads `GH_HOST`, and a job of GitHub Actions has the address of the API in the other one.
pub(super) static GITHUB: System = System {
    name: "GitHub",
    program: "gh",
    page: "https://cli.github.com",
    domains: &["github.com", "ghe.com"],
    variables: &["GH_HOST", "GITHUB_API_URL"],
    preferred: ["upstream", "github", "origin"],
    is_told: true,
};

pub(super) static GITLAB: System = System {
    name: "GitLab",
    program: "glab",
    page: "https://docs.gitlab.com/cli/",
    domains: &["gitlab.com"],
    variables: &["GITLAB_HOST", "GITLAB_URI", "GL_HOST"],
    preferred: ["upstream", "gitlab", "origin"],
    is_told: false,
};

/// A remote of this folder.
#[derive(Debug)]
pub(super) struct Remote {
    name: String,
    /// Its host. `None` for a folder, or for a name that ssh doesn't know.
    host: Option<String>,
    address: String,
}

/// The remotes of this folder. They are read once, because they stay the same during a run.
static REMOTES: LazyLock<Vec<Remote>> = LazyLock::new(remotes);

/// The place of a repository or a project.
#[derive(Default)]
pub(super) struct Place {
    /// The host. `None` if nothing names one: then the program decides.
    pub host: Option<String>,
    /// Whether a variable names the host.
    pub is_named: bool,
    pub remote: Option<&'static Remote>,
}

/// The reason why no host may be asked.
pub(super) struct Refused {
    pub says: String,
    pub hint: String,
}

impl System {
    /// Returns the host that the program takes if nothing names another one.
    pub fn default_host(&self) -> &'static str {
        self.domains.first().copied().unwrap_or_default()
    }

    /// Returns whether the vendor runs this host.
    fn runs(&self, host: &str) -> bool {
        let mut rest = self.domains.iter().filter_map(|domain| host.strip_suffix(*domain));
        rest.any(|rest| rest.is_empty() || rest.ends_with('.'))
    }

    /// Returns the first variable that names a host, with its value.
    fn named(&self) -> Option<(&'static str, String)> {
        let value = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        self.variables.iter().find_map(|name| Some((*name, value(name)?)))
    }

    /// Returns the place that is asked, or why none is. A variable must name the host of a remote. Without one, it is the
    /// first remote in the order of the program that isn't at another vendor.
    pub fn place(&self) -> Result<Place, Refused> {
        let is_elsewhere = |remote: &&Remote| remote.host.as_ref().is_some_and(|host| self.other(host).is_some());
        let mut remotes: Vec<&Remote> = REMOTES.iter().filter(|remote| !is_elsewhere(remote)).collect();
        let priority = |name: &str| self.preferred.iter().position(|it| *it == name).unwrap_or(usize::MAX);
        remotes.sort_by_key(|remote| priority(&remote.name));
        let (hosts, all) = (hosts(remotes.iter().copied()), hosts(REMOTES.iter()));
        if remotes.is_empty() && !REMOTES.is_empty() {
            return Err(self.elsewhere("This folder has a remote at", &all));
        }
        let Some((variable, value)) = self.named() else {
            if hosts.len() > 1 && !self.is_told {
                let says = format!("This folder has remotes at {}.", clean(list_of(&hosts, "and")));
                let variable = self.variables.first().copied().unwrap_or_default();
                return Err(Refused { says, hint: format!("Name one of these hosts in `{variable}`.") });
            }
            let remote = remotes.first().copied();
            return Ok(Place { host: remote.and_then(|it| it.host.clone()), is_named: false, remote });
        };
        let url = if value.contains("://") { value } else { format!("https://{value}") };
        let Some(host) = host_of(&url) else {
            let says = format!("The variable {variable} names no host.");
            let hint = format!("Write a name such as `{}`, or unset it.", self.default_host());
            return Err(Refused { says, hint });
        };
        if self.other(&host).is_some() {
            return Err(self.elsewhere(&format!("The variable {variable} names"), &[host]));
        }
        let remote = remotes.into_iter().find(|it| hosts.is_empty() || it.host.as_ref() == Some(&host));
        if remote.is_none() && !REMOTES.is_empty() {
            let there = clean(list_of(&all, "and"));
            let says = format!("{variable} names the host `{host}`, and this folder has a remote at {there}.");
            let hint =
                "No credential goes to a host that isn't the remote's. Unset the variable, or correct the remote.";
            return Err(Refused { says, hint: hint.to_owned() });
        }
        Ok(Place { host: Some(host), is_named: true, remote })
    }

    /// Returns the other system whose vendor runs this host.
    fn other(&self, host: &str) -> Option<Ci> {
        let mut others = Ci::value_variants().iter().copied().filter(|ci| ci.system().name != self.name);
        others.find(|ci| ci.system().runs(host))
    }

    /// Returns that these hosts are at another vendor.
    fn elsewhere(&self, says: &str, hosts: &[String]) -> Refused {
        let other = hosts.iter().find_map(|host| self.other(host)).and_then(|ci| ci.to_possible_value());
        let fits = other.map(|ci| format!("use `--ci {}`, or ", ci.get_name())).unwrap_or_default();
        let name = self.name;
        Refused {
            says: format!("{says} {}, which isn't a server of {name}.", clean(list_of(hosts, "and"))),
            hint: sentence(&format!("{fits}name a server of {name}")),
        }
    }
}

/// Returns the hosts of these remotes, each once.
fn hosts<'r>(remotes: impl Iterator<Item = &'r Remote>) -> Vec<String> {
    let mut hosts: Vec<String> = remotes.filter_map(|remote| remote.host.clone()).collect();
    hosts.sort_unstable();
    hosts.dedup();
    hosts
}

impl Remote {
    /// Returns the address of another project at the same server, without a credential. `None` for a folder.
    pub fn address_of(&self, path: &str) -> Option<String> {
        host_of(&self.address)?;
        let start = match self.address.split_once("://") {
            Some((scheme, rest)) => {
                let place = rest.split('/').next()?;
                let host = place.rsplit('@').next()?;
                format!("{scheme}://{}/", if scheme == "ssh" { place } else { host })
            }
            None => format!("{}:", self.address.split_once(':')?.0),
        };
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@' | ':' | '/');
        start.chars().all(is_plain).then(|| format!("{start}{path}.git"))
    }

    /// Returns the command that pushes to it.
    pub fn push(&self) -> String {
        let name: String = self.name.chars().filter(|c| *c != '\'').collect();
        let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/'));
        let name = if is_plain { name } else { format!("'{name}'") };
        format!("git push --set-upstream {name} main")
    }
}

/// Runs a program of this machine. `None` if it can't be run, or fails.
fn run(program: &str, arguments: &[&str]) -> Option<Output> {
    let found = which::which(program).ok()?;
    let output = Command::new(found).args(arguments).stdin(Stdio::null()).output().ok()?;
    output.status.success().then_some(output)
}

fn remotes() -> Vec<Remote> {
    let said = run("git", &["remote", "--verbose"]).map(|said| said.stdout).unwrap_or_default();
    let remote = |line: &str| {
        let (name, rest) = line.split_once('\t')?;
        let address = rest.strip_suffix(" (fetch)")?;
        Some(Remote { name: name.to_owned(), host: real(address), address: address.to_owned() })
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
    // The vendors' own servers have other names for their API and for ssh.
    let other = ["api.", "ssh.", "altssh."].iter().find_map(|name| host.strip_prefix(name));
    let is_vendor = |it: &&str| matches!(*it, "github.com" | "gitlab.com") || it.ends_with(".ghe.com");
    Some(other.filter(is_vendor).map(ToOwned::to_owned).unwrap_or(host))
}
