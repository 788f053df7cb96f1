//! The hash over the approved part.

use std::fmt::Write as _;

use serde_json::Value;
use sha2::{Digest, Sha256};
use thiserror::Error;

use rolecall_model::Sealed;

/// A plan whose seal isn't that of its content.
#[derive(Debug, Error)]
#[error("the seal of the plan for {organization} doesn't fit its content: it was edited or damaged")]
pub struct SealError {
    pub organization: String,
}

/// `sha256:` and the hash of the canonical JSON: no white space, every object's keys in order.
pub fn seal(sealed: &Sealed) -> String {
    hash(&serde_json::to_value(sealed).unwrap_or(Value::Null))
}

/// `sha256:` and the hash of a value's canonical JSON.
pub(super) fn hash(sealed: &Value) -> String {
    let mut canonical = String::new();
    write_canonical(sealed, &mut canonical);
    let mut text = String::from("sha256:");
    for byte in Sha256::digest(canonical.as_bytes()) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Checks one organisation of a plan that was saved, as it stands in the file: a later version may have put fields
/// there that this one doesn't know.
pub fn verify(organization: &Value) -> Result<(), SealError> {
    let sealed = organization.get("sealed").unwrap_or(&Value::Null);
    if organization.get("seal").and_then(Value::as_str) == Some(&hash(sealed)) {
        return Ok(());
    }
    let name = sealed.pointer("/identity/organization").and_then(Value::as_str).unwrap_or("an organisation");
    Err(SealError { organization: name.to_owned() })
}

/// Independent of how a JSON library keeps its maps, which other crates in a build can change.
fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort();
            out.push('{');
            for (index, key) in keys.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&Value::String(key.clone()).to_string());
                out.push(':');
                write_canonical(&map[key], out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_canonical(item, out);
            }
            out.push(']');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => out.push_str(&value.to_string()),
    }
}
