//! Keeps what may be a credential out of findings, wherever in the file it was repeated.

use super::node::{Located, Node};
use super::source::Source;
use rolecall_model::Finding;

/// Words of the format that stand below `credentials` and are no secret.
const WORDS: &[&str] =
    &["env", "file", "command", "api_key", "api_secret", "token", "personal_key", "team_key", "identity_key"];

/// Shorter texts would blank out ordinary words.
const SHORTEST: usize = 4;

/// Every text below `credentials`, keys included: any of them may be a secret that was typed where its place belongs.
/// The same of `endpoint`, where that is one.
pub fn candidates(root: &Located, endpoint: bool) -> Vec<String> {
    let secret = |name: &str| name == "credentials" || (endpoint && name == "endpoint");
    let mut found = Vec::new();
    if let Node::Map(entries) = &root.node {
        for (key, value) in entries {
            if matches!(&key.node, Node::Text(name) if secret(name)) {
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

/// A finding without any of these texts, in its words or on its source line.
pub fn redact(mut finding: Finding, secrets: &[String], source: &Source) -> Finding {
    for secret in secrets {
        finding.message = finding.message.replace(secret, "[redacted]");
        finding.hint = finding.hint.map(|hint| hint.replace(secret, "[redacted]"));
    }
    let line = source.line_of(finding.place.span).map_or("", |(_, line)| line);
    let shows = secrets.iter().any(|secret| line.contains(secret.as_str()));
    if shows { finding.without_source() } else { finding }
}
