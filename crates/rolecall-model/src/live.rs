//! What the platform answered, with its gaps declared.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use jiff::Timestamp;

use super::{
    App, AssignableRoles, Email, Entity, Expiry, HoldReason, Key, KeyName, Memberships, Organization, Permission,
    RemoteId, Resources, Role, RoleName, Seen, Slug, Team, TeamName, User,
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
    /// Itself, where the platform has it changed. None: it isn't there, or not read.
    pub organization_entity: Option<Organization>,
    /// Where the organisation has teams.
    pub teams: Option<Listing<LiveTeam>>,
    /// Where roles are made by others than the organisation: those that can be given here.
    pub assignable: Option<AssignableRoles>,
    /// Who calls, where the platform tells.
    pub caller: Option<Caller>,
    /// Why it isn't known for sure who administrates the organisation, if it isn't.
    pub admins_unsure: Option<String>,
    /// Where roles are made by the organisation.
    pub roles: Option<Listing<LiveRole>>,
    /// Members, and on some platforms the invited among them.
    pub users: Listing<LiveUser>,
    /// People of whom the file says what isn't the organisation's business alone, and who aren't in it.
    pub non_members: Vec<LiveUser>,
    /// Where the platform lists the invited apart. A person may be there twice, in two spellings.
    pub invitations: Option<Listing<LiveInvitation>>,
    /// None: not read, since the file speaks of none.
    pub keys: Option<Listing<LiveKey>>,
    /// Where access reaches into parts of the organisation.
    pub projects: Option<Projects>,
    /// What may be put into roles and keys, where the platform says so.
    pub catalogue: Option<Catalogue>,
    /// What calls APIs, where that is shown.
    pub apps: Vec<App>,
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
    /// The status of somebody's account can be changed.
    ChangesStatus,
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
    /// The platform says so organization_entity: its count agrees, or its only page is the last.
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
    /// The teams that they are in, where the platform has them.
    pub teams: Option<Memberships>,
    /// Roles in teams that they aren't in: whoever adds them gives them these.
    pub stale_team_roles: BTreeMap<TeamName, RoleName>,
    pub enabled: Seen<bool>,
    pub account_status: AccountStatus,
    /// The organisations that nobody else administrates. None: the platform would have to tell, and doesn't.
    pub only_admin_of: Option<BTreeSet<RemoteId>>,
}

/// What decides on a user beside the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccountStatus {
    #[default]
    Ordinary,
    /// May do everything, whatever their role, and is never touched.
    Owner,
    /// The platform says that they are not to be touched.
    Shielded,
    /// Waits until an administrator of the platform lets them in.
    Unapproved,
    /// Is switched off in this organisation, by another hand.
    Suspended,
    /// The platform has a word for it that isn't known.
    Unclear,
}

impl AccountStatus {
    /// Is somebody of this standing able to use what they have?
    pub fn is_active(self) -> bool {
        match self {
            Self::Ordinary | Self::Owner | Self::Shielded => true,
            Self::Unapproved | Self::Suspended | Self::Unclear => false,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveTeam {
    pub id: RemoteId,
    /// Told apart from its namesakes by its id, where it has some.
    pub name: TeamName,
    /// As the platform has it.
    pub raw_name: TeamName,
    pub description: Option<String>,
    pub thumbnail: Option<String>,
    /// The platform made it together with the organisation.
    pub default: bool,
}

/// Who calls the platform, and for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// One, or two where two credentials are of different people.
    pub users: BTreeSet<RemoteId>,
    pub emails: BTreeSet<Email>,
    /// The team whose key it is.
    pub team: Option<RemoteId>,
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
    /// The teams that it lets into, where the platform has them.
    pub teams: Option<BTreeSet<TeamName>>,
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
    /// An organisation of which this much is known.
    pub fn of(organization: RemoteId, users: Listing<LiveUser>) -> Self {
        Self {
            organization,
            organization_id: None,
            features: BTreeSet::new(),
            organization_entity: None,
            teams: None,
            assignable: None,
            caller: None,
            admins_unsure: None,
            roles: None,
            users,
            non_members: Vec::new(),
            invitations: None,
            keys: None,
            projects: None,
            catalogue: None,
            apps: Vec::new(),
            gaps: Vec::new(),
            requests: 0,
        }
    }

    pub fn teams(&self) -> &[LiveTeam] {
        self.teams.as_ref().map(|list| list.items.as_slice()).unwrap_or_default()
    }

    pub fn team(&self, name: &TeamName) -> Option<&LiveTeam> {
        self.teams().iter().find(|team| team.name == *name)
    }

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
    /// Somebody who may sign in, and of whom nothing else is known.
    pub fn of(id: RemoteId, email: Email, roles: BTreeSet<RoleName>) -> Self {
        Self {
            id,
            email,
            first_name: None,
            last_name: None,
            phone: None,
            roles,
            resources: None,
            teams: None,
            stale_team_roles: BTreeMap::new(),
            enabled: Seen::Known(true),
            account_status: AccountStatus::default(),
            only_admin_of: Some(BTreeSet::new()),
        }
    }

    /// As read.
    pub fn entity(&self) -> User {
        let Self {
            id,
            email,
            first_name,
            last_name,
            phone,
            roles,
            resources,
            teams,
            stale_team_roles: _,
            enabled,
            account_status: _,
            only_admin_of: _,
        } = self.clone();
        let read = User::named(email);
        User { id: Some(id), first_name, last_name, phone, roles, resources, teams, enabled, ..read }
    }
}

impl LiveInvitation {
    /// As read. What else the invitation promises isn't shown.
    pub fn entity(&self) -> User {
        let Self { email, role, created, teams, expired: _ } = self.clone();
        let teams = teams.map(|teams| teams.into_iter().map(|team| (team, None)).collect());
        let roles = BTreeSet::from([role]);
        User { roles, teams, invited: true, invited_at: created, ..User::named(email) }
    }
}

impl LiveTeam {
    /// As read.
    pub fn entity(&self) -> Entity {
        let Self { id, name, raw_name: _, description, thumbnail, default: _ } = self.clone();
        Entity::Team(Team { id: Some(id), name, description, thumbnail })
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
