//! One entity's difference, and the mutations that close it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Address, Entity, Permission, RemoteId, RoleName, TeamName};

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
    /// The entity gets its full new value.
    #[serde(alias = "replace")]
    Update,
    /// A user or a key stays and can no longer be used.
    Disable,
    /// A role is made, or a key minted.
    Create,
    /// A disabled key works again.
    Enable,
    /// A user whom the API can't remove loses all access: a role without permissions, and no resources.
    #[serde(alias = "contain")]
    RemoveAccess,
    /// An open invitation is cancelled.
    #[serde(alias = "withdraw")]
    Cancel,
    /// A user is removed from the organisation. Their account and their other organisations stay as they are.
    Remove,
    /// The entity is deleted.
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
    /// The invitation gives no more than it can say; the rest of the roles follows.
    RolesFollow,
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
    /// It concerns the person's account, and so every organisation that they are in.
    HubWide,
    /// Nothing brings it back.
    Irreversible,
    /// What goes with it.
    #[serde(alias = "takes-along")]
    CascadesTo {
        what: String,
    },
    /// What was seen in it, and goes with it.
    Contains {
        what: BTreeSet<String>,
    },
    /// What the platform makes together with it.
    ComesWith {
        what: String,
    },
    /// Whoever administrates the organisation is in every team of it, with all that a team's role allows.
    JoinsEveryTeam,
    /// Whoever ceases to administrate the organisation may leave the teams that they were in only for that.
    MayLeaveTeams,
    /// They had a role in this team once, and have it again until they are given another.
    ComesBackAs {
        team: TeamName,
        role: RoleName,
    },
    /// No call takes a role away: it is overwritten with the one that everybody has by default.
    DefaultRole {
        role: RoleName,
    },
    /// The slug by which the file knows the organisation may change with its name.
    SlugMayChange,
    /// Another number of seats may cost another price.
    MayBill,
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

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out a reference")]
pub(super) fn is_false(value: &bool) -> bool {
    !value
}

impl Change {
    /// The entity as it will be, or as it was where it goes.
    pub fn entity(&self) -> Option<&Entity> {
        self.after.as_ref().or(self.before.as_ref())
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Invite => "invite",
            Self::Update => "update",
            Self::Disable => "disable",
            Self::Create => "create",
            Self::Enable => "enable",
            Self::RemoveAccess => "remove-access",
            Self::Cancel => "cancel",
            Self::Remove => "remove",
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
    /// When it may run, where it is one of several that close the change together. None: as the change as a whole.
    pub stage: Option<Stage>,
    /// It waits for no other call of the change: none makes up for what it takes.
    pub alone: bool,
}

impl Call {
    /// The one call that closes a change.
    pub fn closing(operation: &'static str, variables: BTreeMap<String, Value>) -> Self {
        Self { operation, variables, stage: None, alone: false }
    }

    /// One of several.
    #[must_use]
    pub fn at(self, stage: Stage) -> Self {
        Self { stage: Some(stage), ..self }
    }

    /// One that none of the others has to come before.
    #[must_use]
    pub fn alone(self) -> Self {
        Self { alone: true, ..self }
    }
}

/// Stands in variables for the id of an entity that an earlier mutation makes.
pub const ID_OF: &str = "$id";

/// The same where the platform wants a number.
pub const NUMBER_OF: &str = "$number";

/// The id of an entity that isn't there yet, as a variable.
pub fn id_of(address: &Address) -> Value {
    serde_json::json!({ ID_OF: address })
}

/// The same as a number.
pub fn number_of(address: &Address) -> Value {
    serde_json::json!({ NUMBER_OF: address })
}

/// One GraphQL mutation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Mutation {
    /// Its place in the order: `m1`, `m2`, …
    pub id: String,
    /// The change that it closes.
    pub change: Address,
    /// The changes besides that the same call makes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Address>,
    pub stage: Stage,
    pub operation: String,
    /// `{"$id": ADDRESS}` stands for the id of an entity that a mutation in `needs` makes, `{"$number": ADDRESS}` for
    /// the same as a number.
    pub variables: BTreeMap<String, Value>,
    /// Mutations that must be done before this one may be sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
    /// Mutations that must be seen in effect before this one may be sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
    /// A first step, after which another mutation closes the change.
    #[serde(default, skip_serializing_if = "is_false")]
    pub first_step: bool,
}

impl Mutation {
    /// The changes that it is a part of.
    pub fn changes(&self) -> impl Iterator<Item = &Address> {
        std::iter::once(&self.change).chain(&self.also)
    }

    /// Must another mutation be done before this one?
    pub fn relies_on(&self, other: &str) -> bool {
        let is_it = |id: &String| id == other;
        self.needs.iter().any(is_it) || self.after.iter().any(is_it)
    }

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
            if let Some(Reference { to, .. }) = reference(value) {
                found.insert(to);
            }
            fields.values().for_each(|value| find_references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| find_references(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// What stands for the id of an entity that isn't there yet.
pub struct Reference {
    pub to: Address,
    pub as_number: bool,
}

/// The reference that a value is, if it is one.
pub fn reference(value: &Value) -> Option<Reference> {
    let fields = value.as_object().filter(|fields| fields.len() == 1)?;
    let (address, as_number) = match (fields.get(ID_OF), fields.get(NUMBER_OF)) {
        (Some(address), _) => (address, false),
        (None, address) => (address?, true),
    };
    Some(Reference { to: address.as_str()?.parse().ok()?, as_number })
}
