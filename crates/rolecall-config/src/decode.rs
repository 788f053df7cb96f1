//! From the tree to what may be typed, with every finding on the way.
//!
//! serde stops at the first error. Here each field of a `Field` type may fail alone: the finding is recorded with
//! its place, the field is empty, and decoding goes on.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::SeqDeserializer;
use serde::de::{self, Deserializer, Error as _, IntoDeserializer, Unexpected, Visitor};
use serde::forward_to_deserialize_any;

use super::access::{Entries, Entry, FieldAccess, Tagged};
use super::field::{FIELD, WORD_OR};
use super::node::{Located, Node};
use super::source::{Mark, Source};
use rolecall_model::{Code, Finding, list_of, nearest, quote};

/// Below this key nothing is ever quoted: a credential may have been typed where only its place belongs.
const SECRET_KEY: &str = "credentials";

/// Decodes as much as can be, recording what can't. `None`: not even the outermost shape was right.
pub fn decode<T: de::DeserializeOwned>(source: &Source, root: &Located, findings: &mut Vec<Finding>) -> Option<T> {
    let sink = RefCell::new(Vec::new());
    let decoded = T::deserialize(Decoder { source, sink: &sink, at: root, secret: false, absent: None });
    findings.append(&mut sink.into_inner());
    decoded.ok()
}

/// Where nothing better can be said.
const SEE_SCHEMA: &str = "`rolecall schema` says what may stand here";

/// Why a value was refused. `Recorded`: the finding exists already.
#[derive(Debug)]
pub(super) enum Refused {
    Recorded,
    Missing(&'static str),
    Variant(&'static [&'static str]),
    Other(String),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for Refused {}

impl de::Error for Refused {
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

#[derive(Clone, Copy)]
pub(super) struct Decoder<'a> {
    source: &'a Source,
    sink: &'a RefCell<Vec<Finding>>,
    pub(super) at: &'a Located,
    /// Inside `credentials`.
    secret: bool,
    /// The field isn't there, and `at` is where it would be.
    pub(super) absent: Option<&'static str>,
}

impl<'a> Decoder<'a> {
    fn below(self, at: &'a Located) -> Self {
        Self { at, absent: None, ..self }
    }

    fn report(self, finding: Finding) -> Refused {
        let finding = if self.secret { finding.without_source() } else { finding };
        self.sink.borrow_mut().push(finding);
        Refused::Recorded
    }

    fn finding(self, code: Code, message: String) -> Finding {
        Finding::error(code, self.source.place(self.at.mark), message)
    }

    /// The value as it was typed, for a message.
    fn shown(self) -> String {
        let typed = self.source.slice(self.at.mark.span);
        match &self.at.node {
            _ if self.secret => "something that isn't shown".to_owned(),
            Node::Null => "nothing".to_owned(),
            Node::List(_) => "a list".to_owned(),
            Node::Map(_) => "a mapping".to_owned(),
            Node::Bool(value) if typed.is_empty() => format!("`{value}`"),
            Node::Text(text) => quote(text),
            Node::Bool(_) | Node::Number => quote(typed),
        }
    }

    pub(super) fn wrong_type(self, expected: &str) -> Refused {
        let shown = self.shown();
        let found = match &self.at.node {
            _ if self.secret => shown,
            Node::Bool(_) => format!("{shown}, which YAML reads as a truth value"),
            Node::Number => format!("the number {shown}"),
            Node::Text(_) => format!("the text {shown}"),
            Node::Null | Node::List(_) | Node::Map(_) => shown,
        };
        let finding = self.finding(Code::WrongType, format!("expected {expected}, found {found}"));
        let typed = self.source.slice(self.at.mark.span);
        let hint = match (&self.at.node, expected) {
            (Node::Bool(_) | Node::Number, "text") if !self.secret => {
                Some(format!("put it in quotes: \"{}\"", typed.chars().take(80).collect::<String>()))
            }
            (Node::Bool(_) | Node::Text(_) | Node::Number, "true or false") => {
                Some("write true or false, unquoted".to_owned())
            }
            (Node::Null, "a list") => {
                Some("write [] for none, or leave the field out to keep what is live".to_owned())
            }
            (Node::Null, _) => Some("write a value, or leave the field out".to_owned()),
            (Node::Text(_) | Node::Number, "a list") => Some("put it in brackets: [ … ]".to_owned()),
            (_, "a mapping") => Some("write its fields: { name: value, … }".to_owned()),
            (_, "a whole number") => Some(format!("write digits alone, for a number up to {}", u32::MAX)),
            _ => None,
        };
        self.report(finding.hint(hint.unwrap_or_else(|| SEE_SCHEMA.to_owned())))
    }

    /// The same of what a visitor said of a value that it doesn't take.
    fn wrong_type_of(self, refused: Refused) -> Refused {
        match refused {
            Refused::Other(words) => self.wrong_type(words.trim_start_matches("expected ")),
            other => self.record(other),
        }
    }

    /// Records what a visitor said, unless it is recorded already.
    fn record(self, refused: Refused) -> Refused {
        match refused {
            Refused::Recorded => Refused::Recorded,
            Refused::Missing(field) => self.report(
                self.finding(Code::MissingField, format!("`{field}` is missing"))
                    .hint(format!("add `{field}: …` here")),
            ),
            Refused::Variant(expected) => {
                let finding = self.finding(
                    Code::InvalidValue,
                    format!("{} is not one of {}", self.shown(), list_of(expected, "or")),
                );
                let near = match &self.at.node {
                    Node::Text(text) if !self.secret => nearest(text, expected.iter().copied()),
                    _ => None,
                };
                self.report(finding.hint(match near {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "write one of them".to_owned(),
                }))
            }
            Refused::Other(message) => {
                let message = match message.strip_prefix("expected ") {
                    Some(_) => format!("{message}, found {}", self.shown()),
                    None => message,
                };
                self.report(self.finding(Code::InvalidValue, message).hint(SEE_SCHEMA))
            }
        }
    }

    /// The entries whose keys are known and stand there once. The rest is reported.
    fn known_entries(self, known: Option<&'static [&'static str]>) -> Result<Vec<Entry<'a>>, Refused> {
        let Node::Map(entries) = &self.at.node else {
            return Err(self.wrong_type("a mapping"));
        };
        let mut seen: BTreeMap<&str, Mark> = BTreeMap::new();
        let mut kept = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let here = self.below(key);
            let Node::Text(name) = &key.node else {
                here.wrong_type("text");
                continue;
            };
            if let Some(first) = seen.get(name.as_str()) {
                here.report(
                    here.finding(Code::DuplicateField, format!("{} is here twice", here.shown()))
                        .hint(format!("the first is on line {}; keep one", first.line)),
                );
                continue;
            }
            seen.insert(name, key.mark);
            if let Some(known) = known
                && !known.contains(&name.as_str())
            {
                let finding = here.finding(
                    Code::UnknownField,
                    if here.secret {
                        "there is no such field here".to_owned()
                    } else {
                        format!("there is no field {} here", here.shown())
                    },
                );
                let hint = match nearest(name, known.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("there are {}", list_of(known, "and")),
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
    type Error = Refused;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        match &self.at.node {
            Node::Text(text) => visitor.visit_str(text).map_err(|error| self.record(error)),
            Node::Map(_) => self.deserialize_map(visitor),
            Node::List(_) => self.deserialize_seq(visitor),
            Node::Number if let Ok(number) = self.source.slice(self.at.mark.span).parse::<u64>() => {
                visitor.visit_u64(number).map_err(|error| self.wrong_type_of(error))
            }
            Node::Null | Node::Bool(_) | Node::Number => {
                Err(self.wrong_type_of(Refused::invalid_type(Unexpected::Unit, &visitor)))
            }
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        match &self.at.node {
            Node::Text(text) => visitor.visit_str(text).map_err(|error| self.record(error)),
            _ => Err(self.wrong_type("text")),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let typed = self.source.slice(self.at.mark.span);
        match &self.at.node {
            // `yes` and `on` are truth values to some tools and text to others: neither is accepted.
            Node::Bool(value)
                if typed.eq_ignore_ascii_case("true")
                    || typed.eq_ignore_ascii_case("false")
                    || typed.starts_with('*') =>
            {
                visitor.visit_bool(*value).map_err(|error| self.record(error))
            }
            _ => Err(self.wrong_type("true or false")),
        }
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let typed = self.source.slice(self.at.mark.span);
        match (&self.at.node, typed.parse()) {
            (Node::Number, Ok(number)) => visitor.visit_u64(number).map_err(|error| self.record(error)),
            _ => Err(self.wrong_type("a whole number")),
        }
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let typed = self.source.slice(self.at.mark.span);
        match (&self.at.node, typed.parse::<u32>()) {
            (Node::Number, Ok(number)) => visitor.visit_u32(number).map_err(|error| self.record(error)),
            _ => Err(self.wrong_type("a whole number")),
        }
    }

    /// A field that is there and empty is no absent field: the inner type judges it.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        match self.absent {
            Some(_) => visitor.visit_none(),
            None => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        if let Some(field) = self.absent {
            self.record(Refused::Missing(field));
        }
        if name == WORD_OR && matches!(self.at.node, Node::Text(_)) {
            self.deserialize_str(visitor)
        } else if name == FIELD {
            visitor.visit_seq(FieldAccess { decoder: self, given: 0 })
        } else {
            visitor.visit_newtype_struct(self)
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let Node::List(items) = &self.at.node else {
            return Err(self.wrong_type("a list"));
        };
        let items = items.iter().map(|item| self.below(item));
        visitor.visit_seq(SeqDeserializer::new(items)).map_err(|error| self.record(error))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let entries = self.known_entries(None)?;
        visitor.visit_map(Entries { rest: entries.into_iter(), next: None }).map_err(|error| self.record(error))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        let mut entries = self.known_entries(Some(fields))?;
        // Every field is asked for, so that each one that is missing is found, not only the first.
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
    ) -> Result<V::Value, Refused> {
        match &self.at.node {
            Node::Text(_) if self.secret => Err(self.report(
                self.finding(Code::LiteralCredential, "a credential never stands in the file".to_owned())
                    .hint("say where it is: { env: NAME }, { file: PATH } or { command: [PROGRAM, ARGUMENT] }; and replace this one, since it was written down"),
            )),
            Node::Text(text) => {
                visitor.visit_enum(text.as_str().into_deserializer()).map_err(|error| self.record(error))
            }
            Node::Map(_) => {
                let entries = self.known_entries(Some(variants))?;
                let [Entry { name, key: _, value }] = entries[..] else {
                    let message = format!("expected exactly one of {}", list_of(variants, "or"));
                    return Err(self.report(self.finding(Code::InvalidValue, message).hint("keep one")));
                };
                visitor.visit_enum(Tagged { name, value }).map_err(|error| self.record(error))
            }
            Node::Null | Node::Bool(_) | Node::Number | Node::List(_) => {
                Err(self.wrong_type(&list_of(variants, "or")))
            }
        }
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_str(visitor)
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct ignored_any
    }
}

impl IntoDeserializer<'_, Refused> for Decoder<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}
