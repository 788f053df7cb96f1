//! The hash over the approved part.

use std::fmt::Write as _;

use serde_json::Value;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::model::{OrganizationPlan, Sealed};

/// A plan whose seal isn't that of its content.
#[derive(Debug, Error)]
#[error("the seal of the plan for {organization} doesn't fit its content: it was edited or damaged")]
pub struct SealError {
    pub organization: String,
}

/// `sha256:` and the hash of the canonical JSON: no white space, every object's keys in order.
pub fn seal(sealed: &Sealed) -> String {
    let value = serde_json::to_value(sealed).unwrap_or(Value::Null);
    let mut canonical = String::new();
    write_canonical(&value, &mut canonical);
    let mut text = String::from("sha256:");
    for byte in Sha256::digest(canonical.as_bytes()) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Checks a plan that was saved.
pub fn verify(plan: &OrganizationPlan) -> Result<(), SealError> {
    if seal(&plan.sealed) == plan.seal {
        Ok(())
    } else {
        Err(SealError { organization: plan.sealed.identity.organization.to_string() })
    }
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
