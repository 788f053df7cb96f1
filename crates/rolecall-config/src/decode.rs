//! Decodes the tree of a YAML file into the raw types of a provider, and collects all findings in one pass.
//!
//! serde normally stops at the first error. Here an error ends at the nearest [`Field`](super::field::Field): the
//! [`Decoder`] records a finding with its place and returns [`DecodeError::Recorded`], the field stays empty, and
//! decoding continues with the next field. For example, this entry has three problems, and one pass reports all of
//! them:
//!
//! ```yaml
//! users:
//!   - { emial: jane@acme.example, roles: ADMIN }
//! ```
//!
//! 1. `deserialize_struct` reads the entry of a user. It doesn't know `emial`, so it records `unknown-field` with
//!    the place of that word and drops the entry.
//! 2. It adds an entry for every field that is missing, here `email`, with `absent` set. An optional field becomes
//!    `None`. A required one is a `Field`: it records `missing-field` with the place of the mapping, and stays
//!    empty.
//! 3. `roles` is a `Field` of a list, and `ADMIN` is text. `deserialize_seq` records `wrong-type`, and the field
//!    stays empty.
//!
//! A serde error has no place, but the decoder that catches it has: [`Decoder::record`] turns the error into a
//! finding with the place of the value, unless it is recorded already. A [`Node`] has its place because the YAML
//! parser gives one with each value (see [`node`](super::node)); a `Field` asks for it by its name, [`FIELD`].

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::SeqDeserializer;
use serde::de::{self, Deserializer, Error as _, IntoDeserializer, Unexpected, Visitor};
use serde::forward_to_deserialize_any;

use super::access::{Entries, Entry, FieldAccess, Tagged};
use super::field::{FIELD, LIST_OR, WORD_OR};
use super::node::{Located, Node};
use super::resolve;
use super::source::{Mark, Sources};
use rolecall_model::{Code, Finding, list_of, nearest, quote, sentence};

/// The field below which no value is ever quoted, because somebody may have written a credential there instead of
/// its place.
const SECRET_KEY: &str = "credentials";

/// Decodes a tree and appends a finding for each part that can't be decoded. Returns `None` only if the root can't
/// be decoded.
pub fn decode<T: de::DeserializeOwned>(
    source: Sources<'_>,
    root: &Located,
    findings: &mut Vec<Finding>,
) -> Option<T> {
    let recorded = RefCell::new(Vec::new());
    let decoded = T::deserialize(Decoder { source, findings: &recorded, at: root, secret: false, absent: None });
    let mut recorded = recorded.into_inner();
    if recorded.len() >= MOST {
        let message = format!("Only the first {MOST} values of a wrong type are listed.");
        let hint = "Correct these first. If the file is none of rolecall's, don't name it.";
        recorded.push(Finding::error(Code::TooComplex, source.start(), message).hint(hint));
    }
    findings.append(&mut recorded);
    decoded.ok()
}

/// The number of findings after which no more are recorded: a file of a few megabytes could take a gigabyte.
const MOST: usize = 20_000;

/// The number of fields up to which comparing them all is faster than sorting them.
const FEW: usize = 16;

/// The hint of findings that have no better one.
const SEE_SCHEMA: &str = "`rolecall schema` prints the values that are allowed here.";

/// The reason why a value can't be decoded. `Recorded` means that there is a finding for it already.
#[derive(Debug)]
pub(super) enum DecodeError {
    Recorded,
    Missing(&'static str),
    Variant(&'static [&'static str]),
    Other(String),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for DecodeError {}

impl de::Error for DecodeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Other(message.to_string())
    }

    fn missing_field(field: &'static str) -> Self {
        Self::Missing(field)
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::Variant(expected)
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::Other(format!("expected {expected}"))
    }
}

/// A serde deserializer for one value of the tree.
#[derive(Clone, Copy)]
pub(super) struct Decoder<'a> {
    source: Sources<'a>,
    findings: &'a RefCell<Vec<Finding>>,
    pub(super) at: &'a Located,
    /// True below `credentials`.
    secret: bool,
    /// The name of a field that isn't in the file. Then `at` is the mapping that lacks it.
    pub(super) absent: Option<&'static str>,
}

impl<'a> Decoder<'a> {
    /// Returns a decoder for a value inside of this one.
    fn below(self, at: &'a Located) -> Self {
        Self { at, absent: None, ..self }
    }

    fn report(self, finding: Finding) -> DecodeError {
        let finding = if self.secret { finding.without_source() } else { finding };
        let mut findings = self.findings.borrow_mut();
        if findings.len() < MOST {
            findings.push(finding);
        }
        DecodeError::Recorded
    }

    fn finding(self, code: Code, message: String) -> Finding {
        Finding::error(code, self.source.place(self.at.mark), message)
    }

    /// Describes the value for a message: as it was typed, or by its type.
    fn shown(self) -> String {
        let typed = self.at.typed();
        match &self.at.node {
            _ if self.secret => "a value that isn't shown".to_owned(),
            Node::Null | Node::List(_) | Node::Map(_) => typed,
            Node::Text(_) | Node::Bool(_) | Node::Number(_) => quote(&typed),
        }
    }

    /// Returns whether the value starts with this text in the file.
    fn starts_with(self, start: &str) -> bool {
        self.source
            .of(self.at.mark)
            .text
            .get(self.at.mark.span.start()..)
            .is_some_and(|text| text.starts_with(start))
    }

    pub(super) fn wrong_type(self, expected: &str) -> DecodeError {
        let shown = self.shown();
        let found = match &self.at.node {
            _ if self.secret => shown,
            Node::Bool(_) => format!("{shown}, which YAML reads as a truth value"),
            Node::Number(_) => format!("the number {shown}"),
            Node::Text(_) => format!("the text {shown}"),
            Node::Null | Node::List(_) | Node::Map(_) => shown,
        };
        let finding = self.finding(Code::WrongType, format!("Expected {expected}, found {found}."));
        let anchor = self.source.slice(self.at.mark).strip_prefix('*');
        let hint = match (&self.at.node, expected) {
            (Node::Map(_), _) if self.starts_with("{{") => {
                Some("This is a placeholder of a template. Write the value itself.".to_owned())
            }
            (Node::Bool(_) | Node::Number(_), "text") if !self.secret => {
                let typed: String = self.at.typed().chars().take(80).collect();
                Some(match anchor {
                    Some(anchor) => format!("Put the value in quotes where `&{anchor}` stands."),
                    None => format!("Put it in quotes: \"{typed}\""),
                })
            }
            (Node::Bool(_) | Node::Text(_) | Node::Number(_), "true or false") => {
                let there = anchor.map(|anchor| format!(" where `&{anchor}` stands")).unwrap_or_default();
                Some(format!("Write `true` or `false`{there}, without quotes."))
            }
            (Node::Null, "a list") => Some("Write the list, such as `[ … ]`, or remove the field.".to_owned()),
            (Node::Null, _) => Some("Write a value, or remove the field.".to_owned()),
            (Node::Text(_) | Node::Number(_), "a list") => Some("Put it in brackets: `[ … ]`.".to_owned()),
            (_, "a mapping") => Some("Write its fields: `{ name: value, … }`.".to_owned()),
            (_, "a whole number") => Some(format!("Write only digits, for a number up to {}.", u32::MAX)),
            _ => None,
        };
        self.report(finding.hint(hint.unwrap_or_else(|| SEE_SCHEMA.to_owned())))
    }

    /// Records the error of a visitor that doesn't accept a value of this type.
    fn wrong_type_of(self, error: DecodeError) -> DecodeError {
        match error {
            DecodeError::Other(words) => self.wrong_type(words.trim_start_matches("expected ")),
            other => self.record(other),
        }
    }

    /// Turns the error of a visitor into a finding at this place, unless it is recorded already.
    fn record(self, error: DecodeError) -> DecodeError {
        match error {
            DecodeError::Recorded => DecodeError::Recorded,
            DecodeError::Missing(field) => self.report(
                self.finding(Code::MissingField, format!("`{field}` is missing."))
                    .hint(format!("Add `{field}: …` here.")),
            ),
            DecodeError::Variant(expected) => {
                let finding = self.finding(
                    Code::InvalidValue,
                    format!("Expected {}, found {}.", list_of(expected, "or"), self.shown()),
                );
                let near = match &self.at.node {
                    Node::Text(text) if !self.secret => nearest(text, expected.iter().copied()),
                    _ => None,
                };
                self.report(finding.hint(match near {
                    Some(near) => format!("Did you mean `{near}`?"),
                    None => "Write one of them.".to_owned(),
                }))
            }
            DecodeError::Other(message) => {
                let message = match message.strip_prefix("expected ") {
                    Some(_) => sentence(&format!("{message}, found {}", self.shown())),
                    None => sentence(&message),
                };
                self.report(self.finding(Code::InvalidValue, message).hint(SEE_SCHEMA))
            }
        }
    }

    /// Returns the entries of a mapping whose names are known. Reports unknown names, and names that are there
    /// twice. `known`: the fields of the type, and those that every platform has.
    fn known_entries(self, known: Option<(&[&str], &[&str])>) -> Result<Vec<Entry<'a>>, DecodeError> {
        let Node::Map(entries) = &self.at.node else {
            return Err(self.wrong_type("a mapping"));
        };
        let mut seen: BTreeMap<&str, Mark> = BTreeMap::new();
        // The caller adds an entry for each field that is missing.
        let mut kept = Vec::with_capacity(known.map_or(0, |(known, _)| known.len()).max(entries.len()));
        for (at, (key, value)) in entries.iter().enumerate() {
            let here = self.below(key);
            let Node::Text(name) = &key.node else {
                here.wrong_type("text");
                continue;
            };
            let first = if entries.len() <= FEW {
                let same = |(other, _): &&(Located, Located)| other.text() == Some(name);
                entries[..at].iter().find(same).map(|(other, _)| other.mark)
            } else {
                let first = seen.get(name.as_str()).copied();
                seen.entry(name).or_insert(key.mark);
                first
            };
            if let Some(first) = first {
                let field =
                    if here.secret { "This field".to_owned() } else { format!("The field {}", here.shown()) };
                here.report(
                    here.finding(Code::DuplicateField, format!("{field} is here twice."))
                        .hint(format!("The first is on line {}. Keep one of them.", first.line)),
                );
                continue;
            }
            if let Some((known, common)) = known
                && !known.contains(&name.as_str())
            {
                if common.contains(&name.as_str()) {
                    // The first one is gone already: the resolver took it.
                    let message = format!("The field {} is here twice.", here.shown());
                    here.report(here.finding(Code::DuplicateField, message).hint("Keep one of them.".to_owned()));
                    continue;
                }
                let all: Vec<&str> = known.iter().chain(common).copied().collect();
                let finding = here.finding(
                    Code::UnknownField,
                    if here.secret {
                        "There is no such field here.".to_owned()
                    } else {
                        format!("There is no field {} here.", here.shown())
                    },
                );
                let hint = match nearest(name, all.iter().copied()) {
                    Some(near) => format!("Did you mean `{near}`?"),
                    None => format!("The fields are {}.", list_of(&all, "and")),
                };
                here.report(finding.hint(hint));
                continue;
            }
            let secret = self.secret || name == SECRET_KEY;
            let value = Self { at: value, secret, absent: None, ..self };
            kept.push(Entry { name, key: Some(here), value });
        }
        Ok(kept)
    }
}

impl<'de> Deserializer<'de> for Decoder<'_> {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match &self.at.node {
            Node::Text(text) => visitor.visit_str(text).map_err(|error| self.record(error)),
            Node::Map(_) => self.deserialize_map(visitor),
            Node::List(_) => self.deserialize_seq(visitor),
            Node::Number(text) if let Ok(number) = text.parse::<u64>() => {
                visitor.visit_u64(number).map_err(|error| self.wrong_type_of(error))
            }
            Node::Null | Node::Bool(_) | Node::Number(_) => {
                Err(self.wrong_type_of(DecodeError::invalid_type(Unexpected::Unit, &visitor)))
            }
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match &self.at.node {
            Node::Text(text) => visitor.visit_str(text).map_err(|error| self.record(error)),
            _ => Err(self.wrong_type("text")),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.at.truth() {
            Some(value) => visitor.visit_bool(value).map_err(|error| self.record(error)),
            None => Err(self.wrong_type("true or false")),
        }
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match &self.at.node {
            Node::Number(text) if let Ok(number) = text.parse() => {
                visitor.visit_u64(number).map_err(|error| self.record(error))
            }
            _ => Err(self.wrong_type("a whole number")),
        }
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match &self.at.node {
            Node::Number(text) if let Ok(number) = text.parse() => {
                visitor.visit_u32(number).map_err(|error| self.record(error))
            }
            _ => Err(self.wrong_type("a whole number")),
        }
    }

    /// A field without a value isn't an absent field: it is decoded by the inner type, which reports it.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.absent {
            Some(_) => visitor.visit_none(),
            None => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        if let Some(field) = self.absent {
            self.record(DecodeError::Missing(field));
        }
        if name == WORD_OR && matches!(self.at.node, Node::Text(_)) {
            self.deserialize_str(visitor)
        } else if name == LIST_OR && matches!(self.at.node, Node::List(_)) {
            self.deserialize_seq(visitor)
        } else if name == FIELD {
            visitor.visit_seq(FieldAccess { decoder: self, given: 0 })
        } else {
            visitor.visit_newtype_struct(self)
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        let Node::List(items) = &self.at.node else {
            return Err(self.wrong_type("a list"));
        };
        let items = items.iter().map(|item| self.below(item));
        visitor.visit_seq(SeqDeserializer::new(items)).map_err(|error| self.record(error))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        let entries = self.known_entries(None)?;
        visitor.visit_map(Entries { rest: entries.into_iter(), next: None }).map_err(|error| self.record(error))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        let mut entries = self.known_entries(Some((fields, resolve::common_fields(name, fields))))?;
        // serde reports only the first missing field. An entry for each of them reports all.
        for field in fields {
            if !entries.iter().any(|entry| entry.name == *field) {
                entries.push(Entry { name: field, key: None, value: Self { absent: Some(field), ..self } });
            }
        }
        visitor.visit_map(Entries { rest: entries.into_iter(), next: None }).map_err(|error| self.record(error))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match &self.at.node {
            Node::Text(_) if self.secret => Err(self.report(
                self.finding(Code::LiteralCredential, "A credential must not be written in the file.".to_owned())
                    .hint("Write its place: `{ env: NAME }`, `{ file: PATH }` or `{ command: [PROGRAM, ARGUMENT] }`. Replace this credential, because it was written in a file."),
            )),
            Node::Text(text) => {
                visitor.visit_enum(text.as_str().into_deserializer()).map_err(|error| self.record(error))
            }
            Node::Map(_) => {
                let entries = self.known_entries(Some((variants, &[])))?;
                let [Entry { name, key: _, value }] = entries[..] else {
                    let message = format!("Expected exactly one of {}.", list_of(variants, "or"));
                    return Err(self.report(self.finding(Code::InvalidValue, message).hint("Keep one of them.")));
                };
                visitor.visit_enum(Tagged { name, value }).map_err(|error| self.record(error))
            }
            Node::Null | Node::Bool(_) | Node::Number(_) | Node::List(_) => {
                Err(self.wrong_type(&list_of(variants, "or")))
            }
        }
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_str(visitor)
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct ignored_any
    }
}

impl IntoDeserializer<'_, DecodeError> for Decoder<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}
