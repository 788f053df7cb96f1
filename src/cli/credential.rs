//! Checks that an endpoint is trusted with a credential, and looks the credential up.

use std::io::Read as _;
use std::process::Stdio;
use std::time::Duration;

use secrecy::SecretString;
use tokio::io::AsyncReadExt;
use tokio::process::Command;
use url::Url;

use rolecall_config::{check_url, is_loopback};
use rolecall_model::{Code, Credential, Desired, Endpoint, Finding, Place, Placed, Rules};
use rolecall_providers::Secrets;

/// The environment variable that names further trusted hosts, separated by commas.
const ALLOWED_HOSTS: &str = "ROLECALL_ALLOWED_HOSTS";

/// The largest size of a credential, in bytes.
const MAX_CREDENTIAL: u64 = 64 * 1024;

const COMMAND_TIMEOUT: Duration = Duration::from_secs(60);

/// Returns the endpoint, if it is trusted with the credential. The environment decides on trust, not the file: a
/// pull request can change the file, and it can't change the environment of the job.
pub(super) fn endpoint(desired: &Desired, rules: &dyn Rules) -> Result<Url, Finding> {
    let place = desired.endpoint.place.clone();
    let text = match &*desired.endpoint {
        Endpoint::Url(text) => text.clone(),
        Endpoint::Env(name) => variable(name).ok_or_else(|| {
            Finding::error(
                Code::CredentialUnavailable,
                place.clone(),
                if rules.has_secret_path() {
                    // The name is not shown, because somebody may have written the token in its place.
                    "The environment variable that `endpoint` names isn't set, or isn't text.".to_owned()
                } else {
                    format!("The environment variable {name} isn't set, or isn't text.")
                },
            )
            .hint("Set it to the URL of the GraphQL endpoint.")
        })?,
    };
    let url = check_url(text.trim())
        .map_err(|(code, message, hint)| Finding::error(code, place.clone(), message).hint(hint))?;
    let host = url.host_str().unwrap_or_default().to_lowercase();
    trust(&host, place, rules).map(|()| url)
}

/// Checks the host that a gateway passes the credential on to. It needs the same trust as the endpoint.
pub(super) fn host(desired: &Desired, rules: &dyn Rules) -> Result<(), Finding> {
    let Some(Placed { value, place }) = &desired.host else { return Ok(()) };
    trust(&value.to_lowercase(), place.clone(), rules)
}

/// Checks that a host is one of the vendor, or that the environment allows it.
fn trust(host: &str, place: Place, rules: &dyn Rules) -> Result<(), Finding> {
    let allowed = variable(ALLOWED_HOSTS).unwrap_or_default().to_lowercase();
    let trusted =
        rules.vendor_hosts().contains(&host) || allowed.split(',').any(|name| bare(name.trim()) == bare(host));
    if trusted {
        return Ok(());
    }
    let hint = if is_loopback(host) {
        format!("To trust a server of your own, such as `rolecall sandbox`, set `{ALLOWED_HOSTS}={host}`.")
    } else {
        format!(
            "The hosts of {} are {}. To trust another one, set `{ALLOWED_HOSTS}={host}` in the job's environment, not in the file.",
            rules.provider(),
            rules.vendor_hosts().join(", ")
        )
    };
    Err(Finding::error(
        Code::UntrustedHost,
        place,
        format!("The host {host} is not allowed to receive the credential."),
    )
    .hint(hint))
}

/// Removes the brackets that an IPv6 address has in a URL, and does not have elsewhere.
fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

/// Returns the value of an environment variable. `None` if it is blank, not set or not text.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

/// Returns the credentials that the file points to, or a finding for each one that is unavailable.
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

/// Looks one credential up. The finding has no part of the credential, nor of the output of its command.
async fn resolve(credential: &Placed<Credential>, allow_commands: bool) -> Result<SecretString, Finding> {
    let unavailable = |message: String, hint: &str| {
        Finding::error(Code::CredentialUnavailable, credential.place.clone(), message).hint(hint)
    };
    let text = match &credential.value {
        Credential::Env(name) => variable(name).ok_or_else(|| {
            // A name in small letters is not shown, because it may be the credential itself in the wrong place.
            let looks_like_a_name = name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
            let shown = if looks_like_a_name { name.as_str() } else { "that the file names" };
            unavailable(
                format!("The environment variable {shown} isn't set, or isn't text."),
                "Set it to the credential. The file has the name of the variable, never the value.",
            )
        })?,
        Credential::File(path) => {
            let shown = path.display();
            let mut text = String::new();
            let read =
                std::fs::File::open(path).and_then(|file| file.take(MAX_CREDENTIAL).read_to_string(&mut text));
            read.map_err(|why| {
                unavailable(
                    format!("The file {shown} can't be read: {why}."),
                    "Check the path and its permissions.",
                )
            })?;
            text
        }
        Credential::Command(words) => {
            let program = words.first().map_or("", String::as_str);
            if !allow_commands {
                return Err(Finding::error(
                    Code::CommandNotAllowed,
                    credential.place.clone(),
                    format!("The command `{program}` isn't run without `--allow-commands`."),
                )
                .hint("Give `--allow-commands` only if the file has been reviewed."));
            }
            run(words).await.map_err(|why| unavailable(why, "Run the command yourself to see its output."))?
        }
    };
    let text = text.trim();
    if text.is_empty() {
        return Err(unavailable("The credential is empty.".to_owned(), "Check where `credentials` points."));
    }
    Ok(SecretString::from(text))
}

/// Runs a command and returns what it prints to stdout.
async fn run(words: &[String]) -> Result<String, String> {
    let (program, arguments) = words.split_first().ok_or("The command is empty.")?;
    let path = which::which(program).map_err(|why| format!("The command `{program}` can't be run: {why}."))?;
    let unusable = |why: std::io::Error| format!("The command `{program}` can't be run: {why}.");
    let mut command = Command::new(path);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let mut child = command.spawn().map_err(unusable)?;
    let mut printed = Vec::new();
    let ended = async {
        if let Some(stdout) = child.stdout.take() {
            // The pipe is closed here, so that a command that prints more ends.
            stdout.take(MAX_CREDENTIAL + 1).read_to_end(&mut printed).await?;
        }
        if printed.len() as u64 > MAX_CREDENTIAL { Ok(None) } else { child.wait().await.map(Some) }
    };
    let ended = tokio::time::timeout(COMMAND_TIMEOUT, ended)
        .await
        .map_err(|_| format!("The command `{program}` took longer than {} s.", COMMAND_TIMEOUT.as_secs()))?
        .map_err(unusable)?;
    let status = ended.ok_or_else(|| {
        format!(
            "The command `{program}` printed more than {} KiB, which no credential has.",
            MAX_CREDENTIAL / 1024
        )
    })?;
    if !status.success() {
        return Err(format!("The command `{program}` failed ({status})."));
    }
    String::from_utf8(printed).map_err(|_| format!("The command `{program}` printed something that isn't text."))
}
