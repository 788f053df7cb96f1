//! The seal: a hash over the approved part of a plan.
//!
//! A seal identifies what somebody has reviewed. It covers the organisation, the changes, the mutations and the
//! holds, but no times, places in files or request counts, which differ between two runs over the same state. For
//! example, Jane reviews a saved plan and approves its seal in the file. If somebody edits a mutation in the saved
//! plan, [`verify`] refuses it. If the live state has changed meanwhile, a fresh plan has another seal, and the
//! approval doesn't apply.

use std::fmt::Write as _;

use serde_json::Value;
use sha2::{Digest, Sha256};
use thiserror::Error;

use rolecall_model::Sealed;

/// The error of a saved plan whose seal doesn't match its content.
#[derive(Debug, Error)]
#[error("the seal of the plan for {organization} doesn't match its content: the plan was edited or damaged")]
pub struct SealError {
    pub organization: String,
}

/// Returns the seal of a plan: `sha256:` and the hash of its canonical JSON, which has no white space and sorted
/// keys.
pub fn seal(sealed: &Sealed) -> String {
    hash(&serde_json::to_value(sealed).unwrap_or(Value::Null))
}

/// Returns `sha256:` and the hash of a value's canonical JSON.
pub(super) fn hash(value: &Value) -> String {
    let mut canonical = String::new();
    write_canonical(value, &mut canonical);
    let mut text = String::from("sha256:");
    for byte in Sha256::digest(canonical.as_bytes()) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Checks the seal of one organisation in a saved plan. It hashes the JSON of the file itself, because a later
/// version of rolecall may have written fields that this version doesn't know.
///
/// # Errors
///
/// Fails if the content doesn't match the seal.
pub fn verify(organization: &Value) -> Result<(), SealError> {
    let sealed = organization.get("sealed").unwrap_or(&Value::Null);
    if organization.get("seal").and_then(Value::as_str) == Some(&hash(sealed)) {
        return Ok(());
    }
    let name = sealed.pointer("/identity/organization").and_then(Value::as_str).unwrap_or("an organisation");
    Err(SealError { organization: name.to_owned() })
}

/// Writes canonical JSON. It sorts the keys itself, because another crate in the build can make `serde_json` keep
/// the order of insertion.
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
