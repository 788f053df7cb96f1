//! Removes possible credentials from findings.
//!
//! A file contains only the places of credentials, but people paste the credential itself by mistake. A finding
//! must not print it, because findings go to CI logs and to comments on pull requests. For example:
//!
//! ```yaml
//! credentials:
//!   token: hvo1/s3cret            # a mistake: the token itself
//! users:
//!   - { email: hvo1/s3cret }      # and pasted again
//! ```
//!
//! The findings below `credentials` never quote a value, which the decoder takes care of. But the finding about
//! the email address would quote the token: "`hvo1/s3cret` is not an email address". So [`candidates`] collects
//! every text below `credentials`, and [`redact`] replaces each of them in every message and hint of the file:
//! "`[redacted]` is not an email address". It also hides the source line of a finding if the line contains one.

use super::node::{Located, Node};
use super::source::Source;
use rolecall_model::Finding;

/// Words of the format that occur below `credentials` and aren't secret.
const WORDS: &[&str] =
    &["env", "file", "command", "api_key", "api_secret", "token", "personal_key", "team_key", "identity_key"];

/// The minimum length of a secret, in bytes. Shorter texts would hide ordinary words.
const SHORTEST: usize = 4;

/// Collects every text below `credentials`, keys included, because each of them may be a credential. With
/// `endpoint`, it also collects the texts below `endpoint`: on some platforms the URL is a secret.
pub fn candidates(root: &Located, endpoint: bool) -> Vec<String> {
    let is_secret = |name: &str| name == "credentials" || (endpoint && name == "endpoint");
    let mut found = Vec::new();
    if let Node::Map(entries) = &root.node {
        for (key, value) in entries {
            if matches!(&key.node, Node::Text(name) if is_secret(name)) {
                collect(value, &mut found);
            }
        }
    }
    found.retain(|text| text.len() >= SHORTEST && !WORDS.contains(&text.as_str()));
    found
}

fn collect(located: &Located, found: &mut Vec<String>) {
    match &located.node {
        Node::Text(text) => found.push(text.clone()),
        Node::List(items) => items.iter().for_each(|item| collect(item, found)),
        Node::Map(entries) => entries.iter().for_each(|(key, value)| {
            collect(key, found);
            collect(value, found);
        }),
        Node::Null | Node::Bool(_) | Node::Number => {}
    }
}

/// Replaces these texts in the message and the hint of a finding, and hides its source line if it contains one of
/// them.
pub fn redact(mut finding: Finding, secrets: &[String], source: &Source) -> Finding {
    for secret in secrets {
        finding.message = finding.message.replace(secret, "[redacted]");
        finding.hint = finding.hint.map(|hint| hint.replace(secret, "[redacted]"));
    }
    let line = source.line_of(finding.place.span).map_or("", |(_, line)| line);
    let line_has_secret = secrets.iter().any(|secret| line.contains(secret.as_str()));
    if line_has_secret { finding.without_source() } else { finding }
}
