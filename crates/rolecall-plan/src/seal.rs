//! The seal: a hash over the approved part of a plan.
//!
//! A seal identifies what somebody has reviewed. It covers the organisation, the changes, the mutations and the
//! holds, but no times, places in files or request counts, which differ between two runs over the same state. For
//! example, Jane reviews a saved plan and approves its seal in the file. If somebody edits a mutation in the saved
//! plan, [`verify`] refuses it. If the live state has changed meanwhile, a fresh plan has another seal, and the
//! approval doesn't apply.

use std::fmt::Write as _;

use serde::Serialize;
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
    // One after the other and sorted by name, because thousands of changes are large as values.
    let Sealed { changes, holds, identity, mutations } = sealed;
    let mut seal = Hasher::default();
    seal.list("{\"changes\":[", changes);
    seal.list("],\"holds\":[", holds);
    seal.text("],\"identity\":");
    seal.value(identity);
    seal.list(",\"mutations\":[", mutations);
    seal.text("]}");
    seal.finish()
}

/// Returns `sha256:` and the hash of a value's canonical JSON.
pub(super) fn hash(value: &Value) -> String {
    let mut hasher = Hasher::default();
    hasher.canonical(value);
    hasher.finish()
}

/// Hashes canonical JSON, part by part.
#[derive(Default)]
struct Hasher {
    digest: Sha256,
    /// The JSON of a part, which is kept for its room.
    part: Vec<u8>,
}

impl Hasher {
    fn text(&mut self, text: &str) {
        self.digest.update(text);
    }

    fn canonical(&mut self, value: &Value) {
        self.part.clear();
        write_canonical(value, &mut self.part);
        self.digest.update(&self.part);
    }

    fn value(&mut self, value: &impl Serialize) {
        self.canonical(&serde_json::to_value(value).unwrap_or(Value::Null));
    }

    fn list(&mut self, before: &str, items: &[impl Serialize]) {
        self.text(before);
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.text(",");
            }
            self.value(item);
        }
    }

    fn finish(self) -> String {
        let mut text = String::from("sha256:");
        for byte in self.digest.finalize() {
            let _ = write!(text, "{byte:02x}");
        }
        text
    }
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
fn write_canonical(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<(&String, &Value)> = map.iter().collect();
            if !entries.is_sorted_by_key(|(name, _)| *name) {
                entries.sort_by_key(|(name, _)| *name);
            }
            for (index, (name, value)) in entries.into_iter().enumerate() {
                out.push(if index > 0 { b',' } else { b'{' });
                write_json(name, out);
                out.push(b':');
                write_canonical(value, out);
            }
            out.extend_from_slice(if map.is_empty() { b"{}" } else { b"}" });
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                out.push(if index > 0 { b',' } else { b'[' });
                write_canonical(item, out);
            }
            out.extend_from_slice(if items.is_empty() { b"[]" } else { b"]" });
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => write_json(value, out),
    }
}

/// Writes a value whose JSON has only one form.
fn write_json(value: &impl Serialize, out: &mut Vec<u8>) {
    // Memory takes any text, and such a value always has a JSON.
    let _ = serde_json::to_writer(out, value);
}
