//! YAML in an order of our choosing. Quoting is the serializer's business.

use std::fmt::{Display, Write as _};

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_yaml::{FlowMap, FlowSeq};

use rolecall_model::is_deceptive;

/// A value as it will stand in the file.
#[derive(Clone, Debug, PartialEq)]
pub enum Yaml {
    Bool(bool),
    Number(u64),
    Text(String),
    /// Each item on a line of its own.
    List(Vec<Yaml>),
    /// Each entry on a line of its own.
    Map(Vec<(String, Yaml)>),
    /// On one line.
    Flow(Flow),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Flow {
    List(Vec<Yaml>),
    Map(Vec<(String, Yaml)>),
}

impl Yaml {
    pub fn text(text: impl Display) -> Self {
        Self::Text(text.to_string())
    }

    /// Replaces each text that has to be escaped by a stand-in, and collects their escaped forms.
    fn take_unshowable(&mut self, found: &mut Vec<String>) {
        match self {
            Self::Bool(_) | Self::Number(_) => {}
            Self::Text(text) => {
                if let Some(escaped) = escaped(text) {
                    *text = stand_in(found.len());
                    found.push(escaped);
                }
            }
            Self::List(items) | Self::Flow(Flow::List(items)) => {
                for item in items {
                    item.take_unshowable(found);
                }
            }
            Self::Map(entries) | Self::Flow(Flow::Map(entries)) => {
                for (name, value) in entries {
                    if let Some(escaped) = escaped(name) {
                        *name = stand_in(found.len());
                        found.push(escaped);
                    }
                    value.take_unshowable(found);
                }
            }
        }
    }

    /// Short names on one line.
    pub fn names<T: Display>(names: impl IntoIterator<Item = T>) -> Self {
        Self::Flow(Flow::List(names.into_iter().map(Self::text).collect()))
    }

    /// A mapping on one line.
    pub fn flow(entries: impl IntoIterator<Item = (String, Self)>) -> Self {
        Self::Flow(Flow::Map(entries.into_iter().collect()))
    }
}

struct Items<'a>(&'a [Yaml]);

struct Entries<'a>(&'a [(String, Yaml)]);

impl Serialize for Items<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.len()))?;
        for item in self.0 {
            list.serialize_element(item)?;
        }
        list.end()
    }
}

impl Serialize for Entries<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl Serialize for Yaml {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(value) => serializer.serialize_u64(*value),
            Self::Text(value) => serializer.serialize_str(value),
            Self::List(items) => Items(items).serialize(serializer),
            Self::Map(entries) => Entries(entries).serialize(serializer),
            Self::Flow(Flow::List(items)) => FlowSeq(Items(items)).serialize(serializer),
            Self::Flow(Flow::Map(entries)) => FlowMap(Entries(entries)).serialize(serializer),
        }
    }
}

/// One field of the file, as text. Texts with characters that don't show, or with a command to GitHub's runner, are
/// escaped in it.
pub(crate) fn section(name: &str, value: &Yaml) -> Result<String, serde_yaml::SerializeError> {
    let options = serde_yaml::ser_options! { compact_list_indent: false, prefer_block_scalars: false };
    let (mut value, mut escaped) = (value.clone(), Vec::new());
    value.take_unshowable(&mut escaped);
    let mut text = serde_yaml::to_string_with_options(&Entries(&[(name.to_owned(), value)]), options)?;
    for (at, escaped) in escaped.iter().enumerate().rev() {
        text = text.replace(&stand_in(at), escaped);
    }
    Ok(text)
}

/// Returns a word that stands for an escaped text while the serializer writes the rest. It needs no quotes.
fn stand_in(at: usize) -> String {
    format!("{STAND_IN}{at}-end")
}

const STAND_IN: &str = "rolecall-escaped-text-";

/// Returns a text in double quotes, with escapes, if it can't be shown as it is.
fn escaped(text: &str) -> Option<String> {
    let is_unshowable =
        |c: char| is_deceptive(c) || matches!(c, '\u{fdd0}'..='\u{fdef}') || u32::from(c) & 0xfffe == 0xfffe;
    let is_command = text.contains("##[") || text.trim_start().starts_with("::");
    // A text that looks like a stand-in is never written as it is.
    if !text.contains(is_unshowable) && !is_command && !text.contains(STAND_IN) {
        return None;
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '#' | ':' | '-' => {
                let _ = write!(quoted, "\\x{:02x}", u32::from(c));
            }
            c if is_unshowable(c) => {
                let _ = write!(quoted, "\\U{:08x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    Some(quoted)
}
