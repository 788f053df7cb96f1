//! Names and ids as types, so that one can't be passed for another.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// One of the platforms that rolecall can reconcile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProviderName {
    /// Bitpanda Enterprise Custody.
    Bitpanda,
    /// GraphQL Hive's console, in the cloud or self-hosted.
    Hive,
    /// Paradime, a workspace of it.
    Paradime,
    /// RapidAPI Enterprise Hub, an organisation on it.
    Rapidapi,
}

impl ProviderName {
    /// Every provider, in the order in which they are listed to people.
    pub const ALL: &[Self] = &[Self::Bitpanda, Self::Hive, Self::Paradime, Self::Rapidapi];

    /// The word that the file's `provider` field takes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bitpanda => "bitpanda",
            Self::Hive => "hive",
            Self::Paradime => "paradime",
            Self::Rapidapi => "rapidapi",
        }
    }

    /// The provider of that name.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|provider| provider.as_str() == word)
    }
}

impl fmt::Display for ProviderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why a name is not one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NameError {
    #[error("is empty")]
    Empty,
    #[error("starts or ends with white space")]
    Padded,
    #[error("has a control or an invisible character")]
    Control,
    #[error("is longer than {0} characters")]
    Long(usize),
}

/// The longest name, in characters, that the file may ask for.
pub const MAX_NAME: usize = 256;

/// Does this character move the cursor, turn the reading direction, or not show at all? Each can make a line say
/// something else than it seems to.
pub fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

/// Is this a name as a person may type one?
pub fn check_name(text: &str) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.trim() != text {
        return Err(NameError::Padded);
    }
    if text.chars().any(is_deceptive) {
        return Err(NameError::Control);
    }
    if text.chars().count() > MAX_NAME {
        return Err(NameError::Long(MAX_NAME));
    }
    Ok(())
}

/// Text of one meaning. `parse` guards what people type; `seen` takes what a platform answered as it is.
macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Checks what a person typed.
            pub fn parse(text: impl Into<String>) -> Result<Self, NameError> {
                let text = text.into();
                check_name(&text)?;
                Ok(Self(text))
            }

            /// Takes what a platform or a saved plan says, without judging it.
            pub fn seen(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

name! {
    /// A role, as the platform spells it. An open set: one that we never heard of is kept as it is.
    RoleName
}
name! {
    /// The name of an API key or access token. Not unique on every platform.
    KeyName
}
name! {
    /// What a role or a key allows, as the platform spells it: `member:modify`. An open set.
    Permission
}
name! {
    /// A team's name.
    TeamName
}
name! {
    /// The short name of a project, or of a target in it.
    Slug
}
name! {
    /// An id that a platform gave. Opaque: nothing is read out of its shape.
    RemoteId
}

/// Why a text is no email address.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EmailError {
    #[error("has no `@`")]
    NoAt,
    #[error("has more than one `@`")]
    TwoAts,
    #[error("has nothing before the `@`")]
    NoLocal,
    #[error("has no domain after the `@`")]
    NoDomain,
    #[error("has white space, or a control or invisible character")]
    Space,
    #[error("is longer than 254 characters")]
    Long,
}

/// In small letters. What only looks like a letter of the English alphabet, and would become one, stays as it is.
pub(super) fn fold_case(text: &str) -> String {
    let fold = |c: char| {
        let becomes_ascii = !c.is_ascii() && c.to_lowercase().any(|small| small.is_ascii());
        let folded = c.to_lowercase().filter(move |_| !becomes_ascii);
        folded.chain(becomes_ascii.then_some(c))
    };
    text.chars().flat_map(fold).collect()
}

/// An email address: sent as written, compared without letter case.
#[derive(Clone, Debug)]
pub struct Email {
    written: String,
    key: String,
}

impl Email {
    /// Checks what a person typed.
    pub fn parse(text: &str) -> Result<Self, EmailError> {
        let text = text.trim();
        if text.chars().any(|c| c.is_whitespace() || is_deceptive(c)) {
            return Err(EmailError::Space);
        }
        let (local, domain) = text.split_once('@').ok_or(EmailError::NoAt)?;
        if domain.contains('@') {
            return Err(EmailError::TwoAts);
        }
        if local.is_empty() {
            return Err(EmailError::NoLocal);
        }
        if domain.trim_matches('.').is_empty() {
            return Err(EmailError::NoDomain);
        }
        if text.chars().count() > 254 {
            return Err(EmailError::Long);
        }
        Ok(Self::seen(text))
    }

    /// Takes what a platform or a saved plan says, without judging it.
    pub fn seen(text: &str) -> Self {
        Self { written: text.to_owned(), key: fold_case(text.trim()) }
    }

    /// As written, for the wire.
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// In lower case, for comparing and for addresses.
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl PartialEq for Email {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Email {}

impl PartialOrd for Email {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Email {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key)
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.written)
    }
}

impl Serialize for Email {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.written)
    }
}

impl<'de> Deserialize<'de> for Email {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::seen(&String::deserialize(deserializer)?))
    }
}

impl JsonSchema for Email {
    fn schema_name() -> Cow<'static, str> {
        "Email".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "An email address, as written." })
    }
}
