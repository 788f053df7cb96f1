//! YAML in an order of our choosing. Quoting is the serializer's business.

use std::fmt::Display;

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_yaml::{FlowMap, FlowSeq};

/// A value as it will stand in the file.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Yaml {
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
pub(super) enum Flow {
    List(Vec<Yaml>),
    Map(Vec<(String, Yaml)>),
}

impl Yaml {
    pub fn text(text: impl Display) -> Self {
        Self::Text(text.to_string())
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

/// One field of the file, as text.
pub(super) fn section(name: &str, value: &Yaml) -> Result<String, serde_yaml::SerializeError> {
    let options = serde_yaml::ser_options! { compact_list_indent: false, prefer_block_scalars: false };
    serde_yaml::to_string_with_options(&Entries(&[(name.to_owned(), value.clone())]), options)
}
