//! Checks that an endpoint is trusted with a credential, and looks the credential up.

use std::io::Read as _;

use secrecy::SecretString;
use url::Url;

use super::command::{Commands, is_usual_path, is_usual_program, run, shown};
use rolecall_config::{check_url, is_loopback};
use rolecall_model::{Code, Credential, Desired, Endpoint, Finding, Place, Placed, Rules};
use rolecall_providers::Secrets;

/// The environment variable that names further trusted hosts, separated by commas.
const ALLOWED_HOSTS: &str = "ROLECALL_ALLOWED_HOSTS";

/// The largest size of a credential, in bytes.
const MAX_CREDENTIAL: u64 = 64 * 1024;

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
                format!(
                    "The environment variable {} isn't set, is empty, or isn't text.",
                    shown(name, is_usual_variable)
                ),
            )
            .hint("Set it to the URL of the GraphQL endpoint.")
            .without_source()
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

/// Returns the hosts that the environment allows besides the vendors'.
pub(super) fn allowed_hosts() -> Vec<String> {
    let allowed = variable(ALLOWED_HOSTS).unwrap_or_default().to_lowercase();
    allowed.split(',').map(|name| bare(name.trim()).to_owned()).filter(|name| !name.is_empty()).collect()
}

/// Checks that a host is one of the vendor, or that the environment allows it.
fn trust(host: &str, place: Place, rules: &dyn Rules) -> Result<(), Finding> {
    let trusted =
        rules.capabilities().vendor_hosts.contains(&host) || allowed_hosts().iter().any(|name| name == bare(host));
    if trusted {
        return Ok(());
    }
    let hint = if is_loopback(host) {
        format!("To trust a server of your own, such as `rolecall sandbox`, set `{ALLOWED_HOSTS}={host}`.")
    } else {
        format!(
            "The hosts of {} are {}. To trust another one, set `{ALLOWED_HOSTS}={host}` in the job's environment, not in the file.",
            rules.capabilities().provider,
            rules.capabilities().vendor_hosts.join(", ")
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
pub(super) async fn credentials(desired: &Desired, commands: Commands) -> Result<Secrets, Vec<Finding>> {
    let (mut secrets, mut findings) = (Vec::new(), Vec::new());
    for (name, credential) in &desired.credentials {
        match resolve(name, credential, commands).await {
            Ok(secret) => secrets.push((*name, secret)),
            Err(finding) => findings.push(finding),
        }
    }
    if findings.is_empty() { Ok(Secrets::new(secrets)) } else { Err(findings) }
}

/// Looks one credential up. The finding has no part of the credential, nor of the output of its command.
async fn resolve(
    field: &str,
    credential: &Placed<Credential>,
    commands: Commands,
) -> Result<SecretString, Finding> {
    let unavailable = |message: String, hint: &str| {
        Finding::error(Code::CredentialUnavailable, credential.place.clone(), message).hint(hint)
    };
    let text = match &credential.value {
        Credential::Env(name) => variable(name).ok_or_else(|| {
            unavailable(
                format!(
                    "The environment variable {} isn't set, is empty, or isn't text.",
                    shown(name, is_usual_variable)
                ),
                "Set it to the credential. The file has the name of the variable, never the value.",
            )
        })?,
        Credential::File(path) => {
            let path = path.display().to_string();
            let mut text = String::new();
            let read =
                std::fs::File::open(&path).and_then(|file| file.take(MAX_CREDENTIAL).read_to_string(&mut text));
            read.map_err(|why| {
                unavailable(
                    format!("The file {} can't be read: {why}.", shown(&path, is_usual_path)),
                    "Check the path and its permissions.",
                )
            })?;
            text
        }
        Credential::Command(words) => {
            let program = shown(words.first().map_or("", String::as_str), is_usual_program);
            if !commands.allow_commands {
                return Err(Finding::error(
                    Code::CommandNotAllowed,
                    credential.place.clone(),
                    format!("The command {program} isn't run without `--allow-commands`."),
                )
                .hint("Give `--allow-commands` only if the file has been reviewed."));
            }
            let hint = "Run the command yourself to see its output.";
            let printed =
                run(words, MAX_CREDENTIAL, commands.timeout()).await.map_err(|why| unavailable(why, hint))?;
            String::from_utf8(printed).map_err(|_| {
                unavailable(format!("The command {program} printed something that isn't text."), hint)
            })?
        }
    };
    let text = text.trim();
    if text.is_empty() {
        return Err(unavailable(
            format!("The credential `{field}` is empty."),
            "Check where `credentials` points.",
        ));
    }
    if let Some((why, hint)) = unfit(text) {
        let message = format!("The credential `{field}` {why}, so it can't be the one that the platform issued.");
        return Err(Finding::error(Code::UnfitCredential, credential.place.clone(), message).hint(hint));
    }
    Ok(SecretString::from(text))
}

/// Returns why a text can't be a credential, and what to do. No part of the text is shown.
fn unfit(text: &str) -> Option<(&'static str, &'static str)> {
    let is_quote = |c: char| matches!(c, '"' | '\'' | '`' | '“' | '”' | '‘' | '’');
    if text.starts_with('\u{feff}') {
        Some(("starts with a byte order mark", "Save the file without one."))
    } else if text.starts_with(is_quote) || text.ends_with(is_quote) {
        Some(("is in quotation marks", "Set it without them."))
    } else if text.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("bearer ")) {
        Some(("starts with `Bearer`", "Set the token alone. rolecall adds that word."))
    } else if text.chars().any(|c| !c.is_ascii_graphic()) {
        Some((
            "has a character that no credential has, such as a space, a line end or one that doesn't show",
            "Copy it again, as one line.",
        ))
    } else {
        None
    }
}

fn is_usual_variable(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}
