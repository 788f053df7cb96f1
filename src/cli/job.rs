//! The machine or the CI job that rolecall runs in, as far as a process can see it.

use std::path::Path;

use super::credential::allowed_hosts;
use crate::report::{Check, Topic};
use rolecall_model::{Desired, Endpoint};

/// Returns the checks of the environment. It has no secrets: only names of hosts and settings of CI systems.
pub(super) fn checks(organizations: &[&Desired]) -> Vec<Check> {
    let mut checks = hosts(organizations);
    checks.extend(history());
    checks.extend(ci(|name| std::env::var(name).ok().filter(|value| !value.is_empty())));
    checks
}

/// Tells which hosts the environment allows besides the vendors', and which of them no file uses.
fn hosts(organizations: &[&Desired]) -> Vec<Check> {
    let allowed = allowed_hosts();
    if allowed.is_empty() {
        return Vec::new();
    }
    let url = |desired: &&Desired| match &*desired.endpoint {
        Endpoint::Url(url) => Some(url.to_lowercase()),
        Endpoint::Env(name) => std::env::var(name).ok().map(|url| url.to_lowercase()),
    };
    let used: Vec<String> = organizations
        .iter()
        .filter_map(url)
        .chain(organizations.iter().filter_map(|desired| Some(desired.host.as_ref()?.value.to_lowercase())))
        .collect();
    let mut checks = Vec::new();
    let (known, unused): (Vec<_>, Vec<_>) =
        allowed.into_iter().partition(|host| used.iter().any(|url| url.contains(host.as_str())));
    if !known.is_empty() {
        let says = format!("ROLECALL_ALLOWED_HOSTS also trusts {} with credentials.", known.join(", "));
        checks.push(Check::yes(Topic::Job, says));
    }
    if !unused.is_empty() {
        checks.push(
            Check::unknown(
                Topic::Job,
                format!("ROLECALL_ALLOWED_HOSTS trusts {}, which none of these files uses.", unused.join(", ")),
            )
            .hint("Take out what no file uses: a changed file could send the credential there."),
        );
    }
    checks
}

/// Tells whether the checkout has its history, which `plan --base` needs.
fn history() -> Option<Check> {
    let git = Path::new(".").ancestors().map(|folder| folder.join(".git")).find(|git| git.exists());
    let shallow = git?.join("shallow").exists();
    shallow.then(|| {
        Check::unknown(
            Topic::Job,
            "The checkout has only a part of its history, so `plan --base` may not find the base.",
        )
        .hint("Fetch all of it: `fetch-depth: 0` with GitHub's checkout, `GIT_DEPTH: 0` in GitLab.")
    })
}

/// Tells what a CI system says about the job.
fn ci(variable: impl Fn(&str) -> Option<String>) -> Vec<Check> {
    let is = |name: &str, value: &str| variable(name).as_deref() == Some(value);
    let mut checks = Vec::new();
    if is("GITHUB_ACTIONS", "true") {
        let event = variable("GITHUB_EVENT_NAME").unwrap_or_default();
        let reference = variable("GITHUB_REF").unwrap_or_default();
        match (&*event, is("GITHUB_REF_PROTECTED", "true")) {
            ("pull_request_target", _) => checks.push(Check::no(
                Topic::Job,
                "The job runs for `pull_request_target`, so files of a pull request meet the secrets of the repository.",
                "Use `pull_request`, as docs/ci.md shows.",
            )),
            ("pull_request", _) => checks.push(Check::yes(Topic::Job, "GitHub runs this job for a pull request.")),
            (_, true) => checks.push(Check::yes(Topic::Job, format!("GitHub runs this job for {reference}, which is protected."))),
            (_, false) => checks.push(
                Check::unknown(Topic::Job, format!("GitHub runs this job for {reference}, which no rule protects."))
                    .hint("Protect the branch that applies, or everybody who can push can change access."),
            ),
        }
    }
    if is("GITLAB_CI", "true") {
        let reference = variable("CI_COMMIT_REF_NAME").unwrap_or_default();
        match (variable("CI_MERGE_REQUEST_IID").is_some(), is("CI_COMMIT_REF_PROTECTED", "true")) {
            (true, _) => checks.push(Check::yes(Topic::Job, "GitLab runs this job for a merge request.")),
            (false, true) => checks.push(Check::yes(
                Topic::Job,
                format!("GitLab runs this job for {reference}, which is protected."),
            )),
            (false, false) => checks.push(
                Check::unknown(
                    Topic::Job,
                    format!("GitLab runs this job for {reference}, which isn't protected."),
                )
                .hint("Protect the branch that applies, or everybody who can push can change access."),
            ),
        }
        if let Some(environment) = variable("CI_ENVIRONMENT_NAME") {
            checks.push(Check::yes(Topic::Job, format!("The job has the environment {environment}.")));
        }
    }
    checks
}
