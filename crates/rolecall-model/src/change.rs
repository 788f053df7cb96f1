//! A [`Change`] of one entity, and the [`Mutation`]s that make it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Address, Entity, Lifetime, Permission, RemoteId, RoleName, Until};

/// The difference between one entity's live value and its desired value, and why it is planned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    pub address: Address,
    pub action: Action,
    /// The entity's live value. Absent if the entity doesn't exist yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Entity>,
    /// The entity's full new value, never a patch. Absent if the entity is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Entity>,
    pub cause: Cause,
    /// Side effects of the change: mail, secrets, access that may come back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub effects: Vec<Effect>,
}

/// The kind of change that is made to the entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// The user gets an invitation.
    Invite,
    /// The entity gets its full new value.
    #[serde(alias = "replace")]
    Update,
    /// The user or the key still exists, but can no longer be used.
    Disable,
    /// The entity is created: a role, a team, a key or the organisation.
    Create,
    /// A disabled key works again.
    Enable,
    /// The user loses all access, because the API can't remove them: they get a role without permissions, and no
    /// resources.
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

impl Action {
    /// Returns whether somebody or something can do less after this change, or nothing at all.
    pub fn takes_access(self) -> bool {
        match self {
            Self::Disable | Self::RemoveAccess | Self::Cancel | Self::Remove | Self::Delete => true,
            Self::Invite | Self::Update | Self::Create | Self::Enable => false,
        }
    }
}

crate::tagged! { "is", "Cause",
/// The reason why a change is planned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub enum Cause {
    /// The file says so.
    Declared,
    /// The file says `absent: true`.
    DeclaredAbsent,
    /// The file manages all of these and doesn't list this one.
    NotListed,
    /// The option `--assert` asked for this address.
    Asserted,
    /// A successor of the key was created and delivered. `not_to` are the targets that didn't get its secret. With one of
    /// them, somebody has to review the change.
    Superseded {
        by: RemoteId,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        not_to: Vec<String>,
    },
    /// The age or the expiry of the key asks for a successor, since this time.
    DueForRotation {
        automatically: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Timestamp>,
    },
    /// The key was created, but its secret was never delivered. So the key is retired, and another is created.
    SecretLost,
    /// A run died while it delivered the secret of the key, so a program may use it. Another is created and delivered, and
    /// this one is retired.
    DeliveryUnknown,
    /// The invitation in the ledger has disappeared from the platform, and the file allows another one.
    InvitationVanished,
    /// The file gave the access until this time, which has passed.
    Ended { until: Until },
    /// The user has left the directory that people come from.
    LeftDirectory,
    /// Another change of this plan needs this one.
    #[serde(alias = "needed")]
    NeededByAnother,
    /// The invitation has expired, and the file allows another one.
    InvitationExpired,
    /// The invitation is of no use, because the user is already a member.
    AlreadyMember,
    /// The user accepted an invitation of rolecall that could not contain all of their access, and has exactly what
    /// it contained.
    CompletesInvitation,
}
}

impl Change {
    /// Returns the entity's new value, or its live value if the change removes it.
    pub fn entity(&self) -> Option<&Entity> {
        self.after.as_ref().or(self.before.as_ref())
    }

    /// Returns the address that a role or a team had before the change, if the change gives it another name.
    pub fn renamed_from(&self) -> Option<Address> {
        match (self.before.as_ref()?, self.after.as_ref()?) {
            (Entity::Role(before), Entity::Role(after)) if before.name != after.name => {
                Some(Address::role(&before.name))
            }
            (Entity::Team(before), Entity::Team(after)) if before.name != after.name => {
                Some(Address::team(&before.name))
            }
            _ => None,
        }
    }

    /// Returns whether another plan's change of the same entity does the same and leaves the same.
    pub fn asks_for_the_same(&self, other: &Self) -> bool {
        self.action == other.action && self.after == other.after
    }

    /// Returns whether the change retires a key whose secret isn't known to be in any target.
    pub fn retires_lost_key(&self) -> bool {
        matches!(self.cause, Cause::SecretLost | Cause::DeliveryUnknown) && self.action != Action::Create
    }

    /// Returns whether the change completes what an earlier apply began, or takes access that has ended or that
    /// somebody had who left the directory. Such a change is no drift, because nobody
    /// has moved away from the file.
    pub fn is_leftover(&self) -> bool {
        match &self.cause {
            Cause::Superseded { not_to, .. } => not_to.is_empty(),
            Cause::DueForRotation { automatically, .. } => *automatically,
            Cause::SecretLost
            | Cause::DeliveryUnknown
            | Cause::CompletesInvitation
            | Cause::Ended { .. }
            | Cause::LeftDirectory => true,
            Cause::Declared
            | Cause::DeclaredAbsent
            | Cause::NotListed
            | Cause::Asserted
            | Cause::InvitationVanished
            | Cause::NeededByAnother
            | Cause::InvitationExpired
            | Cause::AlreadyMember => false,
        }
    }
}

crate::tagged! { "is", "Effect",
/// A side effect of a change, or something to know about it before it is approved.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub enum Effect {
    /// The platform sends mail to the user.
    SendsMail,
    /// The link in the earlier mail stops working.
    ReplacesInvitation,
    /// The invitation no longer gives what ended at this time. It is a mail, so `--leftovers` doesn't send it.
    TakesEnded { until: Until },
    /// The invitation gives no access yet. A later plan gives the role and the resources, after the user accepts.
    AccessFollows,
    /// The invitation can't contain all roles. A later plan gives the others, after the user accepts.
    RolesFollow,
    /// These users have the role and keep it, so a change of its permissions changes their access too.
    #[serde(alias = "touches")]
    Affects { holders: Vec<Address> },
    /// The role is updated in two steps, so that nobody's access is interrupted. After the first step it allows
    /// these permissions: the old ones and the new ones.
    FirstAllows { permissions: BTreeSet<Permission> },
    /// The user or key gets a role that allows these permissions at the end of the plan.
    Allows { permissions: BTreeSet<Permission> },
    /// The update contains `enabled: true`. It enables the user if they are disabled today, which can't be read.
    MayReEnable,
    /// The user was disabled by rolecall and is enabled again.
    ReEnables,
    /// The invitation may give access to a user whom somebody disabled: the platform doesn't list disabled users,
    /// so they look like new ones.
    MayReadmit,
    /// The change applies to the user's account, and so to every organisation that the user is in.
    #[serde(alias = "hub-wide")]
    EveryOrganization,
    /// The change can't be undone.
    Irreversible,
    /// These things are deleted together with the entity.
    #[serde(alias = "takes-along")]
    CascadesTo { what: String },
    /// A read showed these things in the entity. They are deleted with it.
    Contains { what: BTreeSet<String> },
    /// The platform creates these things together with the entity.
    ComesWith { what: String },
    /// The user's role is overwritten with the default role, because no mutation takes a role away.
    DefaultRole { role: RoleName },
    /// The organisation's slug, which the file uses to find it, may change with its name.
    SlugMayChange,
    /// The price may change with the number of seats.
    MayBill,
    /// A secret is created and delivered to this target.
    SecretTo { target: String },
    /// An effect that only one platform has. Its folder has the code and the words. `warns`: a reviewer should look
    /// at it.
    ///
    /// The aliases are those that earlier versions wrote into ledgers. Nothing depends on what they said.
    #[serde(
        alias = "seat",
        alias = "needs-plan",
        alias = "joins-every-team",
        alias = "may-leave-teams",
        alias = "earlier-role-applies",
        alias = "comes-back-as"
    )]
    Platform {
        #[serde(default)]
        code: String,
        #[serde(default)]
        text: String,
        #[serde(default, skip_serializing_if = "is_false")]
        warns: bool,
    },
}
}

impl Effect {
    /// Returns an effect that only one platform has.
    pub fn platform(code: &'static str, text: impl Into<String>) -> Self {
        Self::Platform { code: code.to_owned(), text: text.into(), warns: false }
    }

    /// Returns an effect that only one platform has, and that a reviewer should look at.
    pub fn platform_warning(code: &'static str, text: impl Into<String>) -> Self {
        Self::Platform { code: code.to_owned(), text: text.into(), warns: true }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out a reference")]
pub(super) fn is_false(value: &bool) -> bool {
    !value
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

/// The stage of a plan in which a mutation may run. The stages run in the order of declaration: access is given
/// before it is taken, so that nobody is locked out if a run stops halfway. The smaller harm is that some access
/// lasts a little longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Deletes entities that block the creation of their successor.
    Clear,
    /// Creates entities.
    Create,
    /// Gives access.
    Widen,
    /// Takes a part of the access.
    Narrow,
    /// Removes entities.
    Remove,
    /// Creates the successor of the key that rolecall signs in with, or removes that successor's predecessor.
    Own,
}

/// A mutation as the provider returns it for a change, before it has an id and dependencies. See
/// [`Rules::lower`](crate::Rules::lower). The plan turns each into a [`Mutation`].
#[derive(Clone, Debug, PartialEq)]
pub struct LoweredMutation {
    pub operation: &'static str,
    pub variables: BTreeMap<String, Value>,
    /// The stage in which the mutation runs, if the change needs several mutations. `None` means the stage of the
    /// change.
    pub stage: Option<Stage>,
    /// True if the mutation may run independently: no other mutation of this change grants a replacement for
    /// what this one revokes.
    pub independent: bool,
}

impl LoweredMutation {
    /// Creates a mutation that runs in the stage of its change, after the earlier mutations of that change.
    pub fn new(operation: &'static str, variables: BTreeMap<String, Value>) -> Self {
        Self { operation, variables, stage: None, independent: false }
    }

    /// Sets the stage. Used if the change needs several mutations.
    #[must_use]
    pub fn at(self, stage: Stage) -> Self {
        Self { stage: Some(stage), ..self }
    }

    /// Lets the mutation run without waiting for the earlier mutations of the change.
    #[must_use]
    pub fn independent(self) -> Self {
        Self { independent: true, ..self }
    }
}

/// The key of a placeholder in variables: `{"$id": ADDRESS}` stands for the id of an entity that an earlier
/// mutation creates.
pub const ID_OF: &str = "$id";

/// The key of the same placeholder for platforms that want the id as a number.
pub const NUMBER_OF: &str = "$number";

/// Returns the placeholder for the id of an entity that an earlier mutation creates.
pub fn id_of(address: &Address) -> Value {
    serde_json::json!({ ID_OF: address })
}

/// Returns the placeholder for the same id as a number.
pub fn number_of(address: &Address) -> Value {
    serde_json::json!({ NUMBER_OF: address })
}

/// The key of a placeholder in variables: `{"$expiry": LIFETIME}` stands for the time at which a key expires that is
/// created now.
const EXPIRY: &str = "$expiry";

/// Returns the placeholder for the expiry of a key with this lifetime.
///
/// The expiry depends on the time at which the key is created. A plan that somebody approves today can be sent next week,
/// so it contains the lifetime, which somebody can review. The expiry is filled in when the mutation is sent.
pub fn expiry_after(lifetime: Lifetime) -> Value {
    serde_json::json!({ EXPIRY: lifetime })
}

/// Fills in the expiries of keys that are created at this time.
pub fn fill_expiries(value: &mut Value, created: Timestamp) {
    match value {
        Value::Object(fields) => match fields.get(EXPIRY).map(Lifetime::deserialize) {
            Some(Ok(lifetime)) if fields.len() == 1 => *value = serde_json::json!(lifetime.from(created)),
            Some(_) | None => fields.values_mut().for_each(|value| fill_expiries(value, created)),
        },
        Value::Array(items) => items.iter_mut().for_each(|value| fill_expiries(value, created)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// One GraphQL mutation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Mutation {
    /// The mutation's id: `m` and its position in the plan, such as `m1`.
    pub id: String,
    /// The address of the change that the mutation makes.
    pub change: Address,
    /// The addresses of other changes that the same mutation makes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Address>,
    pub stage: Stage,
    pub operation: String,
    /// The variables of the operation. `{"$id": ADDRESS}` stands for the id of an entity that a mutation in
    /// `needs` creates, `{"$number": ADDRESS}` for the same id as a number.
    pub variables: BTreeMap<String, Value>,
    /// The ids of mutations that must be done before this one is sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
    /// The ids of mutations that a read must show in effect before this one is sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
    /// True if another mutation completes the change after this one.
    #[serde(default, skip_serializing_if = "is_false")]
    pub first_step: bool,
}

impl Mutation {
    /// Returns the addresses of all changes that the mutation makes.
    pub fn changes(&self) -> impl Iterator<Item = &Address> {
        std::iter::once(&self.change).chain(&self.also)
    }

    /// Returns whether this mutation must wait for the mutation with the id `other`.
    pub fn depends_on(&self, other: &str) -> bool {
        self.needs.iter().chain(&self.after).any(|id| id == other)
    }

    /// Returns the addresses of the entities whose ids the variables refer to.
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

/// A placeholder in variables: the id of an entity that an earlier mutation creates.
pub struct Reference {
    pub to: Address,
    pub as_number: bool,
}

/// Parses a placeholder such as `{"$id": "role/Reviewer"}`. Returns `None` for any other value.
pub fn reference(value: &Value) -> Option<Reference> {
    let fields = value.as_object().filter(|fields| fields.len() == 1)?;
    let (address, as_number) = match (fields.get(ID_OF), fields.get(NUMBER_OF)) {
        (Some(address), _) => (address, false),
        (None, address) => (address?, true),
    };
    Some(Reference { to: address.as_str()?.parse().ok()?, as_number })
}
