//! The full values of entities, as plans, ledgers and reads contain them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::change::is_false;
use super::{Email, Expiry, KeyName, Lifetime, Permission, RemoteId, Resources, RoleName, TeamName};

crate::tagged! { "kind", "Entity",
/// The full value of an entity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub enum Entity {
    Organization(Organization),
    Team(Team),
    Role(Role),
    User(User),
    Key(Key),
}
}

/// The organisation itself, on platforms where its own record can be changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Organization {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<RemoteId>,
    /// The slug in the URL of the organisation's page. The platform derives it from the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
    pub name: String,
    /// The email address that receives invoices and notices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The number of users that the organisation pays for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seats: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbnail: Option<String>,
    /// Users invited by the same mutation that creates the organisation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub invites: Vec<FirstInvitation>,
}

/// A user who is invited by the mutation that creates the organisation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct FirstInvitation {
    pub email: Email,
    pub role: RoleName,
}

/// A team of the organisation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Team {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<RemoteId>,
    pub name: TeamName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbnail: Option<String>,
}

/// The teams of a user, each with the user's role there. A role of `None` was not read, or is given later.
pub type Memberships = BTreeMap<TeamName, Option<RoleName>>;

/// A role that the organisation has defined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Role {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<RemoteId>,
    pub name: RoleName,
    pub description: String,
    /// The permissions of the role, without those that the platform gives to every role.
    pub permissions: BTreeSet<Permission>,
}

/// A value, or the fact that the API doesn't show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Seen<T> {
    Known(T),
    Unreadable,
}

/// A user, or the user whom an invitation is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct User {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<RemoteId>,
    pub email: Email,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    pub roles: BTreeSet<RoleName>,
    /// The resources that the roles apply to. Absent if the platform has none, or doesn't show them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// The user's teams. Absent if the platform has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub teams: Option<Memberships>,
    /// True if the user can sign in. `"unreadable"` if the API doesn't show it.
    pub enabled: Seen<bool>,
    /// True if the user is invited and not a member yet.
    #[serde(default, skip_serializing_if = "is_false")]
    pub invited: bool,
    /// The time at which the open invitation was created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invited_at: Option<Timestamp>,
    /// True if the platform knows the user, but the user isn't in this organisation.
    #[serde(default, skip_serializing_if = "is_false")]
    pub outside: bool,
}

/// An API key or an access token of the organisation, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Key {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<RemoteId>,
    pub name: KeyName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The key's roles. Absent if keys of this platform have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<BTreeSet<RoleName>>,
    /// The key's permissions. Absent if keys of this platform have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<BTreeSet<Permission>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Expiry>,
    /// The key expires so long after it is created. Only a key that doesn't exist yet has this, instead of `expires`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<Lifetime>,
    pub enabled: bool,
}

impl User {
    /// Returns a member who can sign in and has no roles yet.
    pub fn named(email: Email) -> Self {
        Self {
            id: None,
            email,
            first_name: None,
            last_name: None,
            phone: None,
            roles: BTreeSet::new(),
            resources: None,
            teams: None,
            enabled: Seen::Known(true),
            invited: false,
            invited_at: None,
            outside: false,
        }
    }
}

impl Entity {
    pub fn id(&self) -> Option<&RemoteId> {
        match self {
            Self::Organization(organization) => organization.id.as_ref(),
            Self::Team(team) => team.id.as_ref(),
            Self::Role(role) => role.id.as_ref(),
            Self::User(user) => user.id.as_ref(),
            Self::Key(key) => key.id.as_ref(),
        }
    }

    /// Returns whether the access of the entity can be used.
    pub fn works(&self) -> bool {
        match self {
            Self::User(user) => user.enabled != Seen::Known(false) && !user.outside,
            Self::Key(key) => key.enabled,
            Self::Organization(_) | Self::Team(_) | Self::Role(_) => true,
        }
    }

    pub fn organization(&self) -> Option<&Organization> {
        match self {
            Self::Organization(organization) => Some(organization),
            Self::Team(_) | Self::Role(_) | Self::User(_) | Self::Key(_) => None,
        }
    }

    pub fn team(&self) -> Option<&Team> {
        match self {
            Self::Team(team) => Some(team),
            Self::Organization(_) | Self::Role(_) | Self::User(_) | Self::Key(_) => None,
        }
    }

    pub fn role(&self) -> Option<&Role> {
        match self {
            Self::Role(role) => Some(role),
            Self::Organization(_) | Self::Team(_) | Self::User(_) | Self::Key(_) => None,
        }
    }

    pub fn user(&self) -> Option<&User> {
        match self {
            Self::User(user) => Some(user),
            Self::Organization(_) | Self::Team(_) | Self::Role(_) | Self::Key(_) => None,
        }
    }

    pub fn key(&self) -> Option<&Key> {
        match self {
            Self::Key(key) => Some(key),
            Self::Organization(_) | Self::Team(_) | Self::Role(_) | Self::User(_) => None,
        }
    }
}

const UNREADABLE: &str = "unreadable";

impl Serialize for Seen<bool> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Known(value) => serializer.serialize_bool(*value),
            Self::Unreadable => serializer.serialize_str(UNREADABLE),
        }
    }
}

impl<'de> Deserialize<'de> for Seen<bool> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Bool(value) => Ok(Self::Known(value)),
            Value::String(word) if word == UNREADABLE => Ok(Self::Unreadable),
            _ => Err(serde::de::Error::custom("expected true, false or \"unreadable\"")),
        }
    }
}

impl JsonSchema for Seen<bool> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Seen".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "enum": [true, false, UNREADABLE] })
    }
}
