//! The seal: a hash over the approved part of a plan.
//!
//! A seal identifies what somebody has reviewed. It covers the organisation, the changes, the mutations and the
//! holds, but no times, places in files or request counts, which differ between two runs over the same state. For
//! example, Jane reviews a saved plan and approves its seal in the file. If somebody edits a mutation in the saved
//! plan, [`verify`] refuses it. If the live state has changed meanwhile, a fresh plan has another seal, and the
//! approval doesn't apply.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};
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
    hasher.value(value);
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

    fn value(&mut self, value: &impl Serialize) {
        self.part.clear();
        let json = to_raw_value(value).unwrap_or_else(|_| RawValue::NULL.to_owned());
        write_canonical(&json, &mut self.part);
        self.digest.update(&self.part);
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

/// Writes JSON with sorted keys. The texts and numbers of one value have only one form.
fn write_canonical(json: &RawValue, out: &mut Vec<u8>) {
    let text = json.get();
    if text.starts_with('{')
        && let Ok(entries) = serde_json::from_str::<BTreeMap<String, &RawValue>>(text)
    {
        out.push(b'{');
        for (index, (name, value)) in entries.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            // Memory takes any text.
            let _ = serde_json::to_writer(&mut *out, name);
            out.push(b':');
            write_canonical(value, out);
        }
        out.push(b'}');
    } else if text.starts_with('[')
        && let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(text)
    {
        out.push(b'[');
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            write_canonical(item, out);
        }
        out.push(b']');
    } else {
        out.extend_from_slice(text.as_bytes());
    }
}
