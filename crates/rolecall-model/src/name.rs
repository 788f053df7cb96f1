//! Names and ids as types of their own, so that one can't be passed in place of another.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// One of the platforms that rolecall can manage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProviderName {
    /// Bitpanda Enterprise Custody.
    Bitpanda,
    /// GraphQL Hive's console, in the cloud or self-hosted.
    Hive,
    /// A workspace of Paradime.
    Paradime,
    /// An organisation on a RapidAPI Enterprise Hub.
    Rapidapi,
}

impl ProviderName {
    /// Every provider, in the order in which messages list them.
    pub const ALL: &[Self] = &[Self::Bitpanda, Self::Hive, Self::Paradime, Self::Rapidapi];

    /// Returns the provider's name in the field `provider` of a file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bitpanda => "bitpanda",
            Self::Hive => "hive",
            Self::Paradime => "paradime",
            Self::Rapidapi => "rapidapi",
        }
    }

    /// Returns the provider with this name.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|provider| provider.as_str() == word)
    }
}

impl fmt::Display for ProviderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The reason why a text isn't a valid name. Messages print it after the text.
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

/// The length limit of names in a file, in characters.
pub const MAX_NAME: usize = 256;

/// Returns whether a character moves the cursor, changes the reading direction, or is invisible. Such characters
/// can make a line look different from its content.
pub fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

/// Checks a name that a person typed.
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

/// Defines a type for texts of one meaning. `parse` checks a text that a person typed; `seen` accepts any text
/// from a platform.
macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Checks and wraps a text that a person typed.
            pub fn parse(text: impl Into<String>) -> Result<Self, NameError> {
                let text = text.into();
                check_name(&text)?;
                Ok(Self(text))
            }

            /// Wraps a text from a platform, a ledger or a saved plan without a check.
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
    /// The name of a role, as the platform spells it. Names that rolecall doesn't know are kept.
    RoleName
}
name! {
    /// The name of an API key or an access token. It isn't unique on every platform.
    KeyName
}
name! {
    /// A permission of a role or a key, as the platform spells it, such as `member:modify`. Permissions that
    /// rolecall doesn't know are kept.
    Permission
}
name! {
    /// The name of a team.
    TeamName
}
name! {
    /// The short name of a project, or of a target in it.
    Slug
}
name! {
    /// An id from a platform. rolecall never interprets its content.
    RemoteId
}

/// The reason why a text isn't an email address. Messages print it after the text.
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

/// Returns the text in lower case. A character that isn't ASCII, and whose lower case is, stays as it is:
/// otherwise two different addresses could become equal (the Kelvin sign `K` would become `k`).
pub(super) fn fold_case(text: &str) -> String {
    let fold = |c: char| {
        let becomes_ascii = !c.is_ascii() && c.to_lowercase().any(|small| small.is_ascii());
        let folded = c.to_lowercase().filter(move |_| !becomes_ascii);
        folded.chain(becomes_ascii.then_some(c))
    };
    text.chars().flat_map(fold).collect()
}

/// An email address. It is sent as it was written, and compared without regard to case.
#[derive(Clone, Debug)]
pub struct Email {
    written: String,
    key: String,
}

impl Email {
    /// Checks an address that a person typed. White space around it is ignored.
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

    /// Wraps an address from a platform, a ledger or a saved plan without a check.
    pub fn seen(text: &str) -> Self {
        Self { written: text.to_owned(), key: fold_case(text.trim()) }
    }

    /// Returns the address as it was written, for requests.
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// Returns the address in lower case, for comparisons and for an [`Address`](crate::Address).
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
