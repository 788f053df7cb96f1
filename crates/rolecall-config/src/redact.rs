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

use std::collections::BTreeSet;

use super::node::{Located, Node};
use super::source::Source;
use rolecall_model::Finding;

/// Words of the format that occur below `credentials` and aren't secret.
const WORDS: &[&str] =
    &["env", "file", "command", "api_key", "api_secret", "token", "personal_key", "team_key", "identity_key"];

/// The minimum length of a secret, in bytes. Shorter texts would hide ordinary words.
const SHORTEST: usize = 4;

/// The number of texts that are searched for in findings.
const MOST: usize = 64;

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
        Node::Text(text) => found.push(text.to_string()),
        Node::List(items) => items.iter().for_each(|item| collect(item, found)),
        Node::Map(entries) => entries.iter().for_each(|(key, value)| {
            collect(key, found);
            collect(value, found);
        }),
        Node::Null | Node::Bool(_) | Node::Number(_) => {}
    }
}

/// Replaces these texts, and all that looks like a credential, in the message and the hint of a finding.
pub fn redact(mut finding: Finding, secrets: &[String], source: &Source) -> Finding {
    finding.message = redact_words(&finding.message);
    finding.hint = finding.hint.map(|hint| redact_words(&hint));
    if secrets.len() > MOST {
        // Nobody has so many credentials. A search for each of them in each finding would take too long.
        "A value isn't right here. It isn't shown, because it may be a credential."
            .clone_into(&mut finding.message);
        finding.hint = None;
        return finding.without_source();
    }
    for secret in secrets {
        finding.message = finding.message.replace(secret, "[redacted]");
        finding.hint = finding.hint.map(|hint| hint.replace(secret, "[redacted]"));
    }
    let line = source.excerpt(finding.place.span).map_or("", |excerpt| excerpt.text);
    let line_has_secret = secrets.iter().any(|secret| line.contains(secret.as_str()));
    if line_has_secret { finding.without_source() } else { finding }
}

/// Beginnings of the credentials of the platforms and of the services that their users use most.
const PREFIXES: &[&str] = &[
    "hvo1/",
    "hvu1/",
    "hvp1/",
    "prdm_",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "AKIA",
    "eyJ",
];

/// Returns whether a word of a text may begin like a credential of a platform.
pub fn may_have_credential(text: &str) -> bool {
    PREFIXES.iter().any(|prefix| text.contains(prefix))
}

/// Returns whether a word begins like a credential of a platform.
pub fn is_credential(word: &str) -> bool {
    let rest = PREFIXES.iter().find_map(|prefix| word.strip_prefix(prefix));
    rest.is_some_and(|rest| {
        rest.len() >= 12 && rest.bytes().any(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
    })
}

/// Returns whether a word looks like a credential: by its beginning, or because it is long and random. The parts of
/// a UUID are too short for that.
fn looks_random(word: &str) -> bool {
    word.split(|c: char| !c.is_ascii_alphanumeric()).filter(|run| run.len() >= 20).any(|run| {
        let digits = run.bytes().filter(u8::is_ascii_digit).count();
        let different: BTreeSet<u8> = run.bytes().collect();
        digits >= 3 && digits < run.len() && different.len() >= 10
    })
}

/// Returns the words of a text that look like credentials. The seal of a plan is as random, and no secret.
fn suspects(text: &str) -> impl Iterator<Item = &str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "+/=_-.~:".contains(c);
    let words = text.split(move |c| !is_part(c)).filter(|word| !word.starts_with("sha256:"));
    words.flat_map(|word| word.split(':')).filter(|word| is_credential(word) || looks_random(word))
}

/// Returns whether a text contains something that looks like a credential.
pub fn shows_credential(text: &str) -> bool {
    suspects(text).next().is_some()
}

fn redact_words(text: &str) -> String {
    let found: Vec<&str> = suspects(text).collect();
    found.into_iter().fold(text.to_owned(), |text, word| text.replace(word, "[redacted]"))
}
