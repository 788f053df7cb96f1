//! The machine or the CI job that rolecall runs in, as far as a process can see it.

use std::path::Path;

use super::credential::allowed_hosts;
use crate::report::{Check, Topic};
use rolecall_model::{Desired, Endpoint};

/// Returns the checks of the environment. It has no secrets: only names of hosts and settings of CI systems.
pub(super) fn checks(organizations: &[&Desired]) -> Vec<Check> {
    let mut checks: Vec<Check> = hosts(organizations).into_iter().chain(history()).collect();
    checks.extend(ci(|name| std::env::var(name).ok().filter(|value| !value.is_empty())));
    checks
}

/// Tells which hosts the environment allows besides the vendors', and which of them no file uses.
fn hosts(organizations: &[&Desired]) -> Option<Check> {
    let allowed = allowed_hosts();
    if allowed.is_empty() {
        return None;
    }
    let says = format!("ROLECALL_ALLOWED_HOSTS lets {} receive credentials.", allowed.join(", "));
    let url = |desired: &&Desired| match &*desired.endpoint {
        Endpoint::Url(url) => Some(url.to_lowercase()),
        Endpoint::Env(name) => std::env::var(name).ok().map(|url| url.to_lowercase()),
    };
    let gateways = organizations.iter().filter_map(|desired| Some(desired.host.as_ref()?.value.to_lowercase()));
    let urls: Option<Vec<String>> = organizations.iter().map(url).collect();
    // A file whose endpoint isn't known may use any of them.
    let used: Option<Vec<String>> = urls.map(|urls| urls.into_iter().chain(gateways).collect());
    let is_unused = |host: &&String| used.as_ref().is_some_and(|used| !used.iter().any(|url| url.contains(*host)));
    let unused: Vec<&str> = allowed.iter().filter(is_unused).map(String::as_str).collect();
    let check = Check::yes(Topic::Job, says);
    Some(match &*unused {
        [] => check,
        unused => check.hint(format!(
            "None of these files uses {}. Take it out if no other does: a changed file could send a credential there.",
            unused.join(", ")
        )),
    })
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
    let mut checks = Vec::new();
    if variable("GITHUB_ACTIONS").as_deref() == Some("true") {
        checks.extend(match variable("GITHUB_EVENT_NAME").as_deref() {
            Some("pull_request") => Some(Check::yes(
                Topic::Job,
                "GitHub runs this job for a pull request, with the workflow of its branch.",
            )),
            Some("pull_request_target") => Some(
                Check::yes(
                    Topic::Job,
                    "GitHub runs this job for a pull request, with the workflow of the main branch.",
                )
                .hint("Such a job must run nothing from the pull request. docs/ci.md explains why."),
            ),
            _ => of_branch("GitHub", variable("GITHUB_REF"), variable("GITHUB_REF_PROTECTED").as_deref()),
        });
    }
    if variable("GITLAB_CI").as_deref() == Some("true") {
        checks.extend(if variable("CI_MERGE_REQUEST_IID").is_some() {
            Some(Check::yes(Topic::Job, "GitLab runs this job for a merge request."))
        } else {
            of_branch("GitLab", variable("CI_COMMIT_REF_NAME"), variable("CI_COMMIT_REF_PROTECTED").as_deref())
        });
        let environment = variable("CI_ENVIRONMENT_NAME");
        checks.extend(
            environment.map(|name| Check::yes(Topic::Job, format!("The job has the environment {name}."))),
        );
    }
    checks
}

/// Tells whether the branch of a job is protected, if the CI system tells.
fn of_branch(system: &str, branch: Option<String>, protected: Option<&str>) -> Option<Check> {
    let branch = branch?;
    Some(match protected {
        Some("true") => {
            Check::yes(Topic::Job, format!("{system} runs this job for {branch}, which is protected."))
        }
        Some(_) => Check::no(
            Topic::Job,
            format!("{system} runs this job for {branch}, which isn't protected."),
            "Protect the branch. Everybody who can push to it can change access.",
        ),
        None => Check::unknown(Topic::Job, format!("{system} doesn't tell whether {branch} is protected.")),
    })
}
