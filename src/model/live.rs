//! What the platform answered, with its gaps declared.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use jiff::Timestamp;

use super::{
    Email, Entity, Expiry, HoldReason, Key, KeyName, Permission, RemoteId, Resources, Role, RoleName, Seen, Slug,
    User,
};

/// One organisation, as read.
#[derive(Clone, Debug)]
pub struct Live {
    /// As the file names it.
    pub organization: RemoteId,
    /// As calls name it, where that differs.
    pub organization_id: Option<RemoteId>,
    /// What this server takes and others of its kind don't.
    pub features: BTreeSet<Feature>,
    /// Where roles are made by the organisation.
    pub roles: Option<Listing<LiveRole>>,
    /// Members, and on some platforms the invited among them.
    pub users: Listing<LiveUser>,
    /// Where the platform lists the invited apart. A person may be there twice, in two spellings.
    pub invitations: Option<Listing<LiveInvitation>>,
    /// None: not read, since the file speaks of none.
    pub keys: Option<Listing<LiveKey>>,
    /// Where access reaches into parts of the organisation.
    pub projects: Option<Projects>,
    /// What may be put into roles and keys, where the platform says so.
    pub catalogue: Option<Catalogue>,
    /// What the API doesn't show at all.
    pub gaps: Vec<Gap>,
    /// Requests that the read took, retries included.
    pub requests: usize,
}

/// Something that servers of one provider do or don't have, by their release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Feature {
    /// Invitations carry resources.
    InvitationResources,
    /// One call deletes tokens of every kind.
    DeleteAccessToken,
    /// Projects tell their type.
    ProjectType,
}

/// The projects that the credential may see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Projects {
    pub by_slug: BTreeMap<Slug, Project>,
    /// Assignments mention others, so that a missing one proves nothing.
    pub partial: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    pub id: RemoteId,
    /// Has no services to choose from. None: the server doesn't say.
    pub single: Option<bool>,
    pub targets: BTreeMap<Slug, RemoteId>,
}

/// Permissions that may be given, and which of them make sense only beside another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalogue {
    pub roles: BTreeMap<Permission, Option<Permission>>,
    pub keys: BTreeMap<Permission, Option<Permission>>,
}

/// A list and how much of it there is.
#[derive(Clone, Debug)]
pub struct Listing<T> {
    /// Sorted by id, each once.
    pub items: Vec<T>,
    pub completeness: Completeness,
}

/// Whether absence from a list proves anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Completeness {
    /// The platform says so itself: its count agrees, or its only page is the last.
    Proven,
    /// The platform offers no proof.
    Assumed { why: String },
    /// Something is missing: nothing may rest on absence.
    Broken { why: String },
}

impl Completeness {
    /// Why nothing may rest on absence from this list, if nothing may.
    pub fn unreadable(&self, list: &str) -> Option<HoldReason> {
        match self {
            Self::Broken { why } => Some(HoldReason::Unreadable { list: list.to_owned(), why: why.clone() }),
            Self::Proven | Self::Assumed { .. } => None,
        }
    }

    pub fn is_broken(&self) -> bool {
        matches!(self, Self::Broken { .. })
    }
}

/// Something that the API has and doesn't show.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Gap {
    /// Such as `enabled` of users.
    pub what: String,
    /// What follows for whoever reads the plan.
    pub why: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveUser {
    pub id: RemoteId,
    pub email: Email,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub phone: Option<String>,
    pub roles: BTreeSet<RoleName>,
    pub resources: Option<Resources>,
    pub enabled: Seen<bool>,
    /// May do everything, whatever their role, and is never touched.
    pub owner: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveRole {
    pub id: RemoteId,
    pub name: RoleName,
    pub description: String,
    /// Without those that the platform gives to every role.
    pub permissions: BTreeSet<Permission>,
    /// Built in.
    pub locked: bool,
}

/// An invitation that nobody has accepted. Its id isn't kept: on Hive it contains the code that redeems it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveInvitation {
    pub email: Email,
    pub role: RoleName,
    /// Where the platform says so.
    pub created: Option<Timestamp>,
    /// It can't be accepted any more, and is listed all the same.
    pub expired: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveKey {
    pub id: RemoteId,
    pub name: KeyName,
    pub description: Option<String>,
    /// Where keys have roles.
    pub roles: Option<BTreeSet<RoleName>>,
    /// Where keys have permissions.
    pub permissions: Option<BTreeSet<Permission>>,
    pub resources: Option<Resources>,
    pub expires: Option<Expiry>,
    pub enabled: bool,
}

impl Live {
    pub fn keys(&self) -> &[LiveKey] {
        self.keys.as_ref().map(|list| list.items.as_slice()).unwrap_or_default()
    }

    pub fn roles(&self) -> &[LiveRole] {
        self.roles.as_ref().map(|list| list.items.as_slice()).unwrap_or_default()
    }

    pub fn invitations(&self) -> &[LiveInvitation] {
        self.invitations.as_ref().map(|list| list.items.as_slice()).unwrap_or_default()
    }

    /// Why it proves nothing that somebody is neither a member nor invited, if it proves nothing.
    pub fn people_unreadable(&self) -> Option<HoldReason> {
        let invitations = self.invitations.as_ref();
        let users = self.users.completeness.unreadable("users");
        users.or_else(|| invitations.and_then(|list| list.completeness.unreadable("invitations")))
    }

    /// Those that can be accepted.
    pub fn open_invitations(&self) -> impl Iterator<Item = &LiveInvitation> {
        self.invitations().iter().filter(|invitation| !invitation.expired)
    }

    pub fn role(&self, name: &RoleName) -> Option<&LiveRole> {
        self.roles().iter().find(|role| role.name == *name)
    }
}

impl LiveUser {
    /// As read.
    pub fn entity(&self) -> User {
        let Self { id, email, first_name, last_name, phone, roles, resources, enabled, owner: _ } = self.clone();
        User {
            id: Some(id),
            email,
            first_name,
            last_name,
            phone,
            roles,
            resources,
            enabled,
            invited: false,
            invited_at: None,
        }
    }
}

impl LiveInvitation {
    /// As read. What else the invitation promises isn't shown.
    pub fn entity(&self) -> User {
        User {
            id: None,
            email: self.email.clone(),
            first_name: None,
            last_name: None,
            phone: None,
            roles: BTreeSet::from([self.role.clone()]),
            resources: None,
            enabled: Seen::Known(true),
            invited: true,
            invited_at: self.created,
        }
    }
}

impl LiveRole {
    /// As read.
    pub fn entity(&self) -> Entity {
        let Self { id, name, description, permissions, locked: _ } = self.clone();
        Entity::Role(Role { id: Some(id), name, description, permissions })
    }
}

impl LiveKey {
    /// As read.
    pub fn entity(&self) -> Key {
        let Self { id, name, description, roles, permissions, resources, expires, enabled } = self.clone();
        Key { id: Some(id), name, description, roles, permissions, resources, expires, enabled }
    }
}
