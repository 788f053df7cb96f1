//! Endpoints that may see a credential, and the credential itself.

use std::io::Read;
use std::process::Stdio;
use std::time::Duration;

use secrecy::SecretString;
use tokio::process::Command;
use url::Url;

use rolecall_config::{check_url, is_loopback};
use rolecall_model::{Code, Credential, Desired, Endpoint, Finding, Place, Placed, Rules};
use rolecall_providers::Secrets;

/// Hosts beside the vendors', separated by commas.
const ALLOWED_HOSTS: &str = "ROLECALL_ALLOWED_HOSTS";

/// A credential is never larger, in bytes.
const MAX_CREDENTIAL: u64 = 64 * 1024;

const COMMAND_TIMEOUT: Duration = Duration::from_secs(60);

/// The endpoint, if it may be trusted with the credential. Whoever opens a pull request can change the file, not
/// the environment of the job.
pub(super) fn endpoint(desired: &Desired, rules: &dyn Rules) -> Result<Url, Finding> {
    let place = desired.endpoint.place.clone();
    let text = match &*desired.endpoint {
        Endpoint::Url(text) => text.clone(),
        Endpoint::Env(name) => variable(name).ok_or_else(|| {
            Finding::error(
                Code::CredentialUnavailable,
                place.clone(),
                if rules.has_secret_path() {
                    // Somebody may have put the token where the name belongs.
                    "the environment variable that `endpoint` names isn't set, or isn't text".to_owned()
                } else {
                    format!("the environment variable {name} isn't set, or isn't text")
                },
            )
            .hint("set it to the URL of the GraphQL endpoint")
        })?,
    };
    let url = check_url(text.trim())
        .map_err(|(code, message, hint)| Finding::error(code, place.clone(), message).hint(hint))?;
    let host = url.host_str().unwrap_or_default().to_lowercase();
    trust(&host, place, rules).map(|()| url)
}

/// What a gateway is told to hand the credential on to: as good as where it is sent.
pub(super) fn host(desired: &Desired, rules: &dyn Rules) -> Result<(), Finding> {
    let Some(Placed { value, place }) = &desired.host else { return Ok(()) };
    trust(&value.to_lowercase(), place.clone(), rules)
}

fn trust(host: &str, place: Place, rules: &dyn Rules) -> Result<(), Finding> {
    let allowed = variable(ALLOWED_HOSTS).unwrap_or_default().to_lowercase();
    let trusted =
        rules.vendor_hosts().contains(&host) || allowed.split(',').any(|name| bare(name.trim()) == bare(host));
    if trusted {
        return Ok(());
    }
    let hint = if is_loopback(host) {
        format!("for a server of your own, such as `rolecall sandbox`: {ALLOWED_HOSTS}={host}")
    } else {
        format!(
            "{} hosts are {}; add another with {ALLOWED_HOSTS}={host} in the job's environment, not in the file",
            rules.provider(),
            rules.vendor_hosts().join(", ")
        )
    };
    Err(Finding::error(Code::UntrustedHost, place, format!("the host {host} may not see the credential"))
        .hint(hint))
}

/// An IPv6 address is written with brackets in a URL and without elsewhere.
fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

/// The credentials that the file points to, or every reason why one can't be had.
pub(super) async fn credentials(desired: &Desired, allow_commands: bool) -> Result<Secrets, Vec<Finding>> {
    let (mut secrets, mut findings) = (Vec::new(), Vec::new());
    for (name, credential) in &desired.credentials {
        match resolve(credential, allow_commands).await {
            Ok(secret) => secrets.push((*name, secret)),
            Err(finding) => findings.push(finding),
        }
    }
    if findings.is_empty() { Ok(Secrets::new(secrets)) } else { Err(findings) }
}

/// One of them. Nothing of it, or of what a command printed, is in the finding.
async fn resolve(credential: &Placed<Credential>, allow_commands: bool) -> Result<SecretString, Finding> {
    let unavailable = |message: String, hint: &str| {
        Finding::error(Code::CredentialUnavailable, credential.place.clone(), message).hint(hint)
    };
    let text = match &credential.value {
        Credential::Env(name) => variable(name).ok_or_else(|| {
            // In small letters it may be the value that was put where its name belongs.
            let usual = name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
            let shown = if usual { name.as_str() } else { "that is named here" };
            unavailable(
                format!("the environment variable {shown} isn't set, or isn't text"),
                "set it to the credential; the file holds its name, never the value",
            )
        })?,
        Credential::File(path) => {
            let shown = path.display();
            let mut text = String::new();
            let read =
                std::fs::File::open(path).and_then(|file| file.take(MAX_CREDENTIAL).read_to_string(&mut text));
            read.map_err(|why| {
                unavailable(format!("{shown} can't be read: {why}"), "check the path and its permissions")
            })?;
            text
        }
        Credential::Command(words) => {
            let program = words.first().map_or("", String::as_str);
            if !allow_commands {
                return Err(Finding::error(
                    Code::CommandNotAllowed,
                    credential.place.clone(),
                    format!("`{program}` isn't run without --allow-commands"),
                )
                .hint("give --allow-commands only where the file has been reviewed"));
            }
            run(words).await.map_err(|why| unavailable(why, "run it by hand to see what it says"))?
        }
    };
    let text = text.trim();
    if text.is_empty() {
        return Err(unavailable("the credential is empty".to_owned(), "check where `credentials` points"));
    }
    Ok(SecretString::from(text))
}

async fn run(words: &[String]) -> Result<String, String> {
    let (program, arguments) = words.split_first().ok_or("the command is empty")?;
    let path = which::which(program).map_err(|why| format!("`{program}` can't be run: {why}"))?;
    let output =
        Command::new(path).args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).output();
    let output = tokio::time::timeout(COMMAND_TIMEOUT, output)
        .await
        .map_err(|_| format!("`{program}` took longer than {} s", COMMAND_TIMEOUT.as_secs()))?
        .map_err(|why| format!("`{program}` can't be run: {why}"))?;
    if !output.status.success() {
        return Err(format!("`{program}` failed ({})", output.status));
    }
    String::from_utf8(output.stdout).map_err(|_| format!("`{program}` printed something that isn't text"))
}
