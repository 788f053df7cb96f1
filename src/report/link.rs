//! The link of a message: the page of the run that wrote it.

use url::Url;

/// Returns the URL of a page that anybody may see: without a user's name and password. `None` if it is no such URL.
pub fn page(text: &str) -> Option<String> {
    let mut url =
        Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())?;
    // This can't fail for a URL with a host.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    Some(url.into())
}

/// The variables of CI systems that hold the URL of the job or of its pipeline: of GitLab, Jenkins, Buildkite and CircleCI.
const CI_PAGES: &[&str] =
    &["CI_JOB_URL", "CI_PIPELINE_URL", "BUILDKITE_BUILD_URL", "CIRCLE_BUILD_URL", "BUILD_URL"];

/// Returns the page of the CI job that this run is in, by the variables of the CI system.
pub fn ci_page(variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let all = |names: [&str; 3]| {
        let [first, second, third] = names.map(&variable);
        Some((first?, second?, third?))
    };
    let github = all(["GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID"])
        .map(|(server, repository, run)| format!("{server}/{repository}/actions/runs/{run}"));
    let azure = all(["SYSTEM_TEAMFOUNDATIONCOLLECTIONURI", "SYSTEM_TEAMPROJECT", "BUILD_BUILDID"])
        .map(|(server, project, run)| format!("{server}{project}/_build/results?buildId={run}"));
    let others = CI_PAGES.iter().filter_map(|name| variable(name));
    github.into_iter().chain(azure).chain(others).find_map(|text| page(&text))
}
