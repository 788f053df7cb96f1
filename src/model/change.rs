//! One entity's difference, and the mutations that close it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Address, Email, Expiry, KeyName, Permission, RemoteId, Resources, RoleName};

/// One entity's difference: what was, what will be, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    pub address: Address,
    pub action: Action,
    /// As read. Absent where the entity isn't there yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Entity>,
    /// The entity's full new value, never a patch. Absent where the entity goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Entity>,
    pub cause: Cause,
    /// What happens besides: mail, secrets, access that may come back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub effects: Vec<Effect>,
}

/// What is done to the entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// A person gets an invitation.
    Invite,
    /// A user's whole record is written anew.
    Replace,
    /// A user or a key stays and can no longer be used.
    Disable,
    /// A role is made, or a key minted.
    Create,
    /// A disabled key works again.
    Enable,
    /// Whoever can't be removed keeps nothing: a role without permissions, and no resources.
    Contain,
    /// A pending invitation is cancelled.
    Withdraw,
    /// The entity goes.
    Delete,
}

/// Why a change is planned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Cause {
    /// The file says so.
    Declared,
    /// The file says `absent: true`.
    DeclaredAbsent,
    /// The file manages all of these and doesn't list this one.
    NotListed,
    /// `--assert` asked for it by address.
    Asserted,
    /// A successor was minted and delivered.
    Superseded { by: RemoteId },
    /// It was minted and its secret never arrived anywhere.
    SecretLost,
    /// The invitation that the ledger knows has vanished, and the file allows another.
    InvitationVanished,
    /// Another change of this plan can't do without it.
    Needed,
    /// The invitation has run out, and the file allows another.
    InvitationExpired,
    /// An invitation of somebody who is a member already.
    AlreadyMember,
}

/// What a change does besides changing the entity.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Effect {
    SendsMail,
    /// The link in the earlier mail stops working.
    ReplacesInvitation,
    /// The invitation gives no access yet; role and resources follow once it is accepted.
    AccessFollows,
    /// Whoever has the role and keeps it is changed with it.
    Touches {
        holders: Vec<Address>,
    },
    /// In two steps, of which the first allows all of this, so that nobody's access is interrupted.
    FirstAllows {
        permissions: BTreeSet<Permission>,
    },
    /// What the new role allows by the end of the plan.
    Allows {
        permissions: BTreeSet<Permission>,
    },
    /// `enabled: true` goes out with the record, and whether the user is disabled today can't be read.
    MayReEnable,
    /// Whoever was switched off by this tool is switched on again.
    ReEnables,
    /// Whoever was disabled by another hand looks as if they had never been there, and may get in again.
    MayReadmit,
    /// The role has another kind of seat, and so another price.
    Seat {
        change: SeatChange,
    },
    /// The role is part of a plan of the platform's that not every customer has.
    NeedsPlan {
        plan: String,
    },
    /// A secret is minted and goes there.
    SecretTo {
        target: String,
    },
}

/// What becomes of a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SeatChange {
    /// One more is billed.
    Billed,
    /// One less is billed.
    Unbilled,
    /// Of one of the roles nobody says.
    Unknown,
}

/// The full value of an entity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Entity {
    Role(Role),
    User(User),
    Key(Key),
}

/// A role of the organisation's own making.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Role {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<RemoteId>,
    pub name: RoleName,
    pub description: String,
    /// Without those that the platform gives to every role.
    pub permissions: BTreeSet<Permission>,
}

/// A value that the API may not show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Seen<T> {
    Known(T),
    Unreadable,
}

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
    /// Where the platform has them, and shows them of this person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// `"unreadable"` where the API doesn't show it.
    pub enabled: Seen<bool>,
    /// Invited, and not a member yet.
    #[serde(default, skip_serializing_if = "is_false")]
    pub invited: bool,
    /// When the invitation that is open was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invited_at: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Key {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<RemoteId>,
    pub name: KeyName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where keys have roles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<BTreeSet<RoleName>>,
    /// Where keys have permissions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<BTreeSet<Permission>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Expiry>,
    pub enabled: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

impl Change {
    /// The entity as it will be, or as it was where it goes.
    pub fn entity(&self) -> Option<&Entity> {
        self.after.as_ref().or(self.before.as_ref())
    }
}

impl Entity {
    pub fn role(&self) -> Option<&Role> {
        match self {
            Self::Role(role) => Some(role),
            Self::User(_) | Self::Key(_) => None,
        }
    }

    pub fn user(&self) -> Option<&User> {
        match self {
            Self::User(user) => Some(user),
            Self::Role(_) | Self::Key(_) => None,
        }
    }

    pub fn key(&self) -> Option<&Key> {
        match self {
            Self::Key(key) => Some(key),
            Self::Role(_) | Self::User(_) => None,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Invite => "invite",
            Self::Replace => "replace",
            Self::Disable => "disable",
            Self::Create => "create",
            Self::Enable => "enable",
            Self::Contain => "contain",
            Self::Withdraw => "withdraw",
            Self::Delete => "delete",
        })
    }
}

/// When a mutation may run. Declaration order is execution order: widen first, so that nobody is locked out if
/// a run dies halfway. The price, access that lives a little longer than wished, is the smaller harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// What must vanish so that its successor can come.
    Clear,
    Create,
    Widen,
    Narrow,
    Remove,
}

/// What a provider makes of a change: an operation and its variables.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    pub operation: &'static str,
    pub variables: BTreeMap<String, Value>,
    /// Makes room for the call that closes the change, and closes nothing itself.
    pub clears: bool,
}

/// Stands in variables for the id of an entity that an earlier mutation makes.
pub const ID_OF: &str = "$id";

/// The id of an entity that isn't there yet, as a variable.
pub fn id_of(address: &Address) -> Value {
    serde_json::json!({ ID_OF: address })
}

/// One GraphQL mutation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Mutation {
    /// Its place in the order: `m1`, `m2`, …
    pub id: String,
    /// The change that it closes.
    pub change: Address,
    pub stage: Stage,
    pub operation: String,
    /// `{"$id": ADDRESS}` stands for the id of an entity that a mutation in `needs` makes.
    pub variables: BTreeMap<String, Value>,
    /// Mutations that must be done before this one may be sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
    /// Mutations that must be seen in effect before this one may be sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
    /// A first step, after which another mutation closes the change.
    #[serde(default, skip_serializing_if = "is_false")]
    pub interim: bool,
}

impl Mutation {
    /// The addresses whose ids its variables wait for.
    pub fn references(&self) -> BTreeSet<Address> {
        let mut found = BTreeSet::new();
        for value in self.variables.values() {
            find_references(value, &mut found);
        }
        found
    }
}

fn find_references(value: &Value, found: &mut BTreeSet<Address>) {
    match value {
        Value::Object(fields) => {
            if let Some(address) = reference(value) {
                found.insert(address);
            }
            fields.values().for_each(|value| find_references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| find_references(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The address that a value stands for the id of.
pub fn reference(value: &Value) -> Option<Address> {
    let fields = value.as_object().filter(|fields| fields.len() == 1)?;
    fields.get(ID_OF)?.as_str()?.parse().ok()
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
