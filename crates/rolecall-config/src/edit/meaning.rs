//! The [`Meaning`] of a value, by which an edited document is compared with what it should say.

use super::super::write::{Flow, Yaml};

/// A value without its style: no comments, quotes, anchors or aliases.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Meaning {
    /// `is_text` tells the text `true` from the truth value.
    Scalar {
        text: String,
        is_text: bool,
    },
    List(Vec<Meaning>),
    Map(Vec<(Meaning, Meaning)>),
}

impl Meaning {
    pub fn text(text: &str) -> Self {
        Self::Scalar { text: text.to_owned(), is_text: true }
    }

    /// Returns the same meaning in an order that depends only on the content, because the format has no lists whose
    /// order matters, and no order of fields.
    pub fn in_any_order(self) -> Self {
        match self {
            Self::Scalar { .. } => self,
            Self::List(items) => {
                let mut items: Vec<Self> = items.into_iter().map(Self::in_any_order).collect();
                items.sort();
                Self::List(items)
            }
            Self::Map(entries) => {
                let mut entries: Vec<(Self, Self)> =
                    entries.into_iter().map(|(key, value)| (key, value.in_any_order())).collect();
                entries.sort();
                Self::Map(entries)
            }
        }
    }

    /// Returns the text of a scalar.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Scalar { text, .. } => Some(text),
            Self::List(_) | Self::Map(_) => None,
        }
    }

    /// Returns the items of a list. Anything else has none.
    pub fn items(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            Self::Scalar { .. } | Self::Map(_) => &[],
        }
    }

    /// Returns the fields of a mapping. Anything else has none.
    pub fn fields(&self) -> &[(Self, Self)] {
        match self {
            Self::Map(fields) => fields,
            Self::Scalar { .. } | Self::List(_) => &[],
        }
    }

    /// Returns the value of a field.
    pub fn field(&self, name: &str) -> Option<&Self> {
        self.fields().iter().find(|(key, _)| key.as_text() == Some(name)).map(|(_, value)| value)
    }

    /// Returns the text of a field.
    pub fn text_of(&self, name: &str) -> Option<&str> {
        self.field(name).and_then(Self::as_text)
    }

    /// Returns the value of a field, to change it.
    pub fn field_mut(&mut self, name: &str) -> Option<&mut Self> {
        let Self::Map(entries) = self else { return None };
        entries.iter_mut().find(|(key, _)| *key == Self::text(name)).map(|(_, value)| value)
    }

    /// Sets and removes fields.
    pub fn change(&mut self, set: &[(&'static str, Yaml)], unset: &[&'static str]) {
        for name in unset {
            self.unset(name);
        }
        for (name, value) in set {
            self.set(name, value.into());
        }
    }

    pub fn set(&mut self, name: &str, value: Self) {
        match self.field_mut(name) {
            Some(found) => *found = value,
            None => {
                if let Self::Map(entries) = self {
                    entries.push((Self::text(name), value));
                }
            }
        }
    }

    fn unset(&mut self, name: &str) {
        if let Self::Map(entries) = self {
            entries.retain(|(key, _)| *key != Self::text(name));
        }
    }

    /// Returns the value as it is written on one line. Returns `None` for a value that the format doesn't have.
    pub fn to_yaml(&self) -> Option<Yaml> {
        Some(match self {
            Self::Scalar { text, is_text: true } => Yaml::text(text),
            Self::Scalar { text, is_text: false } => match text.as_str() {
                "true" => Yaml::Bool(true),
                "false" => Yaml::Bool(false),
                number => Yaml::Number(number.parse().ok()?),
            },
            Self::List(items) => Yaml::Flow(Flow::List(items.iter().map(Self::to_yaml).collect::<Option<_>>()?)),
            Self::Map(entries) => {
                let entry = |(key, value): &(Self, Self)| match key {
                    Self::Scalar { text, is_text: true } => Some((text.clone(), value.to_yaml()?)),
                    Self::Scalar { .. } | Self::List(_) | Self::Map(_) => None,
                };
                Yaml::Flow(Flow::Map(entries.iter().map(entry).collect::<Option<_>>()?))
            }
        })
    }
}

impl From<&Yaml> for Meaning {
    fn from(yaml: &Yaml) -> Self {
        let plain = |text: String| Self::Scalar { text, is_text: false };
        match yaml {
            Yaml::Bool(value) => plain(value.to_string()),
            Yaml::Number(value) => plain(value.to_string()),
            Yaml::Text(text) => Self::text(text),
            Yaml::List(items) | Yaml::Flow(Flow::List(items)) => {
                Self::List(items.iter().map(Self::from).collect())
            }
            Yaml::Map(entries) | Yaml::Flow(Flow::Map(entries)) => {
                Self::Map(entries.iter().map(|(name, value)| (Self::text(name), value.into())).collect())
            }
        }
    }
}
