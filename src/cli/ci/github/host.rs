//! `gh` asks just the host of the remote: github.com, or a server of GitHub Enterprise.

use super::super::host::{GITHUB, Place};
use super::super::{Asked, ask_with};
use crate::report::Check;

/// The variables of `gh` with a token for any server of GitHub Enterprise.
const TOKENS: [&str; 2] = ["GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN"];

/// Asks the host with `gh`. A token in the environment belongs to no certain host. So it is handed over only if a
/// variable names the host, too; what `gh` keeps belongs to one host anyway.
pub(super) fn ask(path: &str) -> Asked {
    ask_with(GITHUB.program, path, |gh| {
        let Ok(Place { host: Some(host), is_named, .. }) = GITHUB.place() else { return };
        gh.env("GH_HOST", host);
        if !is_named {
            for token in TOKENS {
                gh.env_remove(token);
            }
        }
    })
}

/// Returns a command whose `gh` asks this host. `gh` doesn't take the URL of a host in `GH_HOST`.
pub(super) fn command(host: &str, command: &str) -> String {
    let is_set = std::env::var("GH_HOST").is_ok_and(|set| !set.is_empty() && set.to_lowercase() != host);
    if host == GITHUB.default_host() && !is_set {
        return command.to_owned();
    }
    let gh = format!("GH_HOST={host} gh ");
    let command = command.replace("$(gh ", &format!("$({gh}"));
    command.strip_prefix("gh ").map(|rest| format!("{gh}{rest}")).unwrap_or(command)
}

/// Returns a check whose commands ask this host.
pub(super) fn check(host: &str, check: Check) -> Check {
    let commands = check.commands.iter().map(|line| command(host, line)).collect();
    let view = format!("`{}`", command(host, "gh repo view"));
    Check { hint: check.hint.map(|hint| hint.replace("`gh repo view`", &view)), commands, ..check }
}
