//! The seal: a hash over the approved part of a plan.
//!
//! A seal identifies what somebody has reviewed. It covers the organisation, the changes, the mutations and the
//! holds, but no times, places in files or request counts, which differ between two runs over the same state. For
//! example, Jane reviews a saved plan and approves its seal in the file. If somebody edits a mutation in the saved
//! plan, [`verify`] refuses it. If the live state has changed meanwhile, a fresh plan has another seal, and the
//! approval doesn't apply.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt::Write as _;
use std::io;
use std::ops::Range;

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};
use serde_json::{Value, from_slice};
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
    part: RefCell<Vec<u8>>,
}

impl Hasher {
    fn text(&mut self, text: &str) {
        self.digest.update(text);
    }

    fn value(&mut self, value: &impl Serialize) {
        let sorted_keys = SortedKeys { out: &self.part, keys: Vec::new(), open: Vec::new() };
        // Memory takes any text, and what is sealed always has a JSON.
        let _ = value.serialize(&mut Serializer::with_formatter(Part(&self.part), sorted_keys));
        self.digest.update(&*self.part.borrow());
        self.part.borrow_mut().clear();
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

/// The text of a part, as far as it is written.
struct Part<'a>(&'a RefCell<Vec<u8>>);

impl io::Write for Part<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Sorts the keys of each object at its end, in the text that is written. For example, `{"roles":[],"email":"a@b.c"}` becomes
/// `{"email":"a@b.c","roles":[]}`.
struct SortedKeys<'a> {
    out: &'a RefCell<Vec<u8>>,
    /// The places of the keys of open objects, with their quotes.
    keys: Vec<Range<usize>>,
    /// The number of keys before the first one of each open object.
    open: Vec<usize>,
}

impl Formatter for SortedKeys<'_> {
    fn begin_object<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.open.push(self.keys.len());
        writer.write_all(b"{")
    }

    fn begin_object_key<W: io::Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if !first {
            writer.write_all(b",")?;
        }
        let start = self.out.borrow().len();
        self.keys.push(start..start);
        Ok(())
    }

    fn end_object_key<W: io::Write + ?Sized>(&mut self, _: &mut W) -> io::Result<()> {
        if let Some(key) = self.keys.last_mut() {
            key.end = self.out.borrow().len();
        }
        Ok(())
    }

    fn end_object<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        let keys = self.keys.split_off(self.open.pop().unwrap_or(0));
        sort(&keys, &mut self.out.borrow_mut());
        writer.write_all(b"}")
    }
}

/// Sorts the entries of an object by their keys. It is the last one in the text, and still open.
fn sort(keys: &[Range<usize>], out: &mut Vec<u8>) {
    let name = |key: &Range<usize>| {
        let quoted = &out[key.clone()];
        // Escapes have another order than what they stand for.
        let text = quoted.contains(&b'\\').then(|| from_slice::<String>(quoted).ok()).flatten();
        text.map_or(Cow::Borrowed(&quoted[1..quoted.len() - 1]), |text| Cow::Owned(text.into_bytes()))
    };
    if keys.is_sorted_by(|one, next| name(one) <= name(next)) {
        return;
    }
    let ends = keys[1..].iter().map(|next| next.start - 1).chain([out.len()]);
    let mut entries: Vec<_> = keys.iter().zip(ends).map(|(key, end)| (name(key), &out[key.start..end])).collect();
    entries.sort_unstable();
    let entries: Vec<&[u8]> = entries.into_iter().map(|(_, entry)| entry).collect();
    let sorted = entries.join(&b',');
    out.truncate(keys[0].start);
    out.extend(sorted);
}
