//! The [`Address`] of an entity: its name in plans, ledgers and messages, and on the command line.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use ecow::EcoString;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::name::{composed, fold_case, is_key};
use super::steps::step;
use super::tagged::Text;
use super::{Email, KeyName, RemoteId, RoleName, TeamName};

/// The kind of entity that an address names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The organisation itself. There is only one, so its address has no name.
    Organization,
    Team,
    Role,
    User,
    /// An invitation that the user has not accepted yet. The user has an address of their own.
    Invitation,
    Key,
}

impl Kind {
    /// Every kind, in the order in which plans list them.
    pub const ALL: &[Self] =
        &[Self::Organization, Self::Team, Self::Role, Self::User, Self::Invitation, Self::Key];

    /// Returns whether an address of this kind, as a person wrote it, also means addresses of the `other` kind. A
    /// user's address also means the user's invitations.
    pub fn covers(self, other: Self) -> bool {
        self == other || (self, other) == (Self::User, Self::Invitation)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Organization => "organization",
            Self::Team => "team",
            Self::Role => "role",
            Self::User => "user",
            Self::Invitation => "invitation",
            Self::Key => "key",
        }
    }

    /// Returns the field of a file that lists or describes entities of this kind.
    pub fn section(self) -> &'static str {
        match self {
            Self::Organization => "settings",
            Self::Team => "teams",
            Self::Role => "roles",
            Self::User | Self::Invitation => "users",
            Self::Key => "keys",
        }
    }
}

/// The address of an entity: `kind/name`, with `#id` only where the name is ambiguous. The organisation's address
/// is `organization`.
#[derive(Clone, Debug)]
pub struct Address {
    pub kind: Kind,
    pub name: EcoString,
    pub id: Option<RemoteId>,
}

impl PartialEq for Address {
    fn eq(&self, other: &Self) -> bool {
        step();
        self.kind == other.kind && self.name == other.name && self.id == other.id
    }
}

impl Eq for Address {}

impl PartialOrd for Address {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Address {
    fn cmp(&self, other: &Self) -> Ordering {
        step();
        (self.kind, &self.name, &self.id).cmp(&(other.kind, &other.name, &other.id))
    }
}

/// A person or a key: [`Kind::User`] or [`Kind::Key`], and the name. A person is the same as a member and as somebody
/// who is invited. A row without a name is known by its id.
pub type HolderKey = (Kind, EcoString);

impl Address {
    /// Returns the address of the entry that lists the entity: an invitation belongs to the entry of the user.
    #[must_use]
    pub fn listed(&self) -> Self {
        let kind = if self.kind == Kind::Invitation { Kind::User } else { self.kind };
        Self { kind, ..self.clone() }
    }

    /// Returns the person or the key that the address is about.
    pub fn holder(&self) -> Option<HolderKey> {
        let kind = match self.kind {
            Kind::User | Kind::Invitation => Kind::User,
            Kind::Key => Kind::Key,
            Kind::Organization | Kind::Team | Kind::Role => return None,
        };
        let name = if self.name.is_empty() { self.to_string().into() } else { self.name.clone() };
        Some((kind, name))
    }

    pub fn organization() -> Self {
        Self { kind: Kind::Organization, name: EcoString::new(), id: None }
    }

    pub fn team(name: &TeamName) -> Self {
        Self { kind: Kind::Team, name: name.composed(), id: None }
    }

    pub fn user(email: &Email) -> Self {
        Self { kind: Kind::User, name: email.key.clone(), id: None }
    }

    /// Returns the address of the invitation that was sent to this email address.
    pub fn invitation(email: &Email) -> Self {
        Self { kind: Kind::Invitation, name: email.key.clone(), id: None }
    }

    pub fn role(name: &RoleName) -> Self {
        Self { kind: Kind::Role, name: name.composed(), id: None }
    }

    pub fn key(name: &KeyName) -> Self {
        Self { kind: Kind::Key, name: name.composed(), id: None }
    }

    /// Returns the address `kind/*`, which stands for all entities of a kind. It is used when they can't be
    /// listed.
    pub fn every(kind: Kind) -> Self {
        Self { kind, name: EcoString::inline("*"), id: None }
    }

    /// Returns the same address with the id, if there is one. The id selects one of several entities with the same
    /// name.
    #[must_use]
    pub fn with_id<'a>(mut self, id: impl Into<Option<&'a RemoteId>>) -> Self {
        self.id = id.into().cloned();
        self
    }

    /// Returns whether `self`, as a person wrote it, means `other`. Without an id, it means every entity of that
    /// name.
    pub fn covers(&self, other: &Self) -> bool {
        step();
        self.kind.covers(other.kind) && self.name == other.name && (self.id.is_none() || self.id == other.id)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, name, id } = self;
        if *kind == Kind::Organization {
            return f.pad(kind.as_str());
        }
        // `#` separates the name from the id, so a `#` in a name is written as `%23`. `%` is written as `%25`, so
        // that the name can be read back.
        let is_plain = !name.contains(['%', '#']);
        let name = if is_plain { name.clone() } else { name.replace("%", "%25").replace("#", "%23") };
        let kind = kind.as_str();
        match id {
            // Nearly every address is written as it is.
            None if f.width().is_none() && f.precision().is_none() => write!(f, "{kind}/{name}"),
            Some(id) => f.pad(&format!("{kind}/{name}#{id}")),
            None => f.pad(&format!("{kind}/{name}")),
        }
    }
}

impl FromStr for Address {
    type Err = String;

    /// Parses an address that a person typed. The error says what is wrong with it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let address = Self::seen(text)?;
        let has_id = address.id.as_ref().is_some_and(|id| !id.as_str().is_empty());
        // A row without a name is shown by its id alone.
        if address.name.is_empty() && !has_id && address.kind != Kind::Organization {
            return Err("an address needs a name after the slash".to_owned());
        }
        Ok(address)
    }
}

impl Address {
    /// Parses an address from a plan or a ledger. The name may be empty: some platforms list users without an
    /// email address.
    fn seen(text: &str) -> Result<Self, String> {
        if text == Kind::Organization.as_str() {
            return Ok(Self::organization());
        }
        let (kind, name) = text
            .split_once('/')
            .ok_or_else(|| "an address is `kind/name`, such as `user/jane@acme.example`".to_owned())?;
        let named = || Kind::ALL.iter().copied().filter(|known| *known != Kind::Organization);
        let kind = named().find(|known| known.as_str() == kind).ok_or_else(|| {
            let known: Vec<_> = named().map(Kind::as_str).collect();
            format!("`{kind}` is not a kind of entity; the kinds are {}", known.join(", "))
        })?;
        let (name, id) = match name.split_once('#') {
            Some((name, id)) => (name, Some(RemoteId::seen(id))),
            None => (name, None),
        };
        let name = if name.contains('%') { &*name.replace("%23", "#").replace("%25", "%") } else { name };
        let name = match kind {
            Kind::User | Kind::Invitation if is_key(name) => EcoString::from(name),
            Kind::User | Kind::Invitation => fold_case(name).into(),
            Kind::Organization | Kind::Team | Kind::Role | Kind::Key => EcoString::from(composed(name)),
        };
        // Ledgers of format 1 call a member's invitation `user/NAME#invitation`. If there were several, they call
        // each `user/NAME#invitation:SPELLING`.
        let earlier =
            id.as_ref().and_then(|id| id.as_str().strip_prefix("invitation")).filter(|_| kind == Kind::User);
        match earlier.map(|rest| (rest, rest.strip_prefix(':'))) {
            Some(("", _)) => Ok(Self { kind: Kind::Invitation, name, id: None }),
            Some((_, Some(spelling))) => {
                Ok(Self { kind: Kind::Invitation, name, id: Some(RemoteId::seen(spelling)) })
            }
            Some((_, None)) | None => Ok(Self { kind, name, id }),
        }
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::seen(&Text::deserialize(deserializer)?.0).map_err(de::Error::custom)
    }
}

impl JsonSchema for Address {
    fn schema_name() -> Cow<'static, str> {
        "Address".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "The address of an entity: kind/name, with #id where the name is ambiguous; or organization.",
            "pattern": "^(organization|(team|role|user|invitation|key)/[\\s\\S]+)$",
        })
    }
}
