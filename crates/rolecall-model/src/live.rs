//! The [`Live`] state of one organisation, as a read of the platform's API returned it, with its gaps.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use jiff::Timestamp;

use super::lookup::Orders;
use super::{
    Action, Address, App, AssignableRoles, Change, Email, Entity, Expiry, HoldReason, Key, KeyName, Kind,
    Memberships, Organization, Permission, RemoteId, Resources, Role, RoleName, Seen, Slug, Team, TeamName, User,
};

/// The live state of one organisation.
#[derive(Clone, Debug)]
pub struct Live {
    /// The organisation's id, as the file writes it.
    pub organization: RemoteId,
    /// The organisation's id in mutations, if it is another one.
    pub organization_id: Option<RemoteId>,
    /// True if an invitation can contain resources.
    pub invitations_carry_resources: bool,
    /// The features of this server that not every server of the platform has. The platform's folder names them, and
    /// only it asks for them.
    pub features: BTreeSet<&'static str>,
    /// The organisation's own record. `None` if the organisation doesn't exist, or the record was not read.
    pub organization_entity: Option<Organization>,
    /// The organisation's teams, if the platform has teams.
    pub teams: Option<Listing<LiveTeam>>,
    /// The roles that the platform defines, on platforms where organisations don't define their own.
    pub assignable: Option<AssignableRoles>,
    /// rolecall's own user, if the platform shows it.
    pub caller: Option<Caller>,
    /// The reason why the organisation's admins aren't known for sure, if they aren't.
    pub admins_unsure: Option<String>,
    /// The roles that the organisation has defined, on platforms where it can.
    pub roles: Option<Listing<LiveRole>>,
    /// The members. On some platforms the list also contains invited users.
    pub users: Listing<LiveUser>,
    /// Users who aren't in the organisation, but whose account the file describes.
    pub non_members: Vec<LiveUser>,
    /// The invitations, if the platform lists them separately. A user may have two, with different spellings of
    /// the address.
    pub invitations: Option<Listing<LiveInvitation>>,
    /// The keys. `None` if they were not read, because the file doesn't mention keys.
    pub keys: Option<Listing<LiveKey>>,
    /// The projects, on platforms where access can be limited to parts of the organisation.
    pub projects: Option<Projects>,
    /// The permissions that roles and keys can have, if the platform lists them.
    pub catalogue: Option<Catalogue>,
    /// The apps that call APIs, if the platform shows them.
    pub apps: Vec<App>,
    /// The rows of all lists that can't be read.
    pub unreadable: Vec<UnreadableRow>,
    /// The permissions that the credential is known to lack. The platform's folder names them, and only it asks for them.
    pub lacks: BTreeSet<&'static str>,
    /// Entities that can be read, and must not be updated.
    pub read_only: Vec<ReadOnly>,
    /// Facts that the API doesn't show.
    pub gaps: Vec<Gap>,
    /// The number of requests that the read sent, including retries.
    pub requests: usize,
    /// The orders by which entities are found.
    pub orders: Orders,
}

/// The projects that the credential can read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Projects {
    pub by_slug: BTreeMap<Slug, Project>,
    /// True if assignments mention projects that aren't listed here. Then a missing project proves nothing.
    pub partial: bool,
}

/// A project and its targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    pub id: RemoteId,
    /// True if the project has a single schema and so no services to choose from. `None` if the server doesn't
    /// say.
    pub single: Option<bool>,
    pub targets: BTreeMap<Slug, RemoteId>,
}

/// The permissions that can be given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalogue {
    pub roles: BTreeMap<Permission, KnownPermission>,
    pub keys: BTreeMap<Permission, KnownPermission>,
}

/// A permission, as the platform describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownPermission {
    /// The other permission without which this one has no effect, if there is one.
    pub needs: Option<Permission>,
    /// The parts of the organisation that the permission is about. `None` if the platform has a level that rolecall
    /// doesn't know.
    pub level: Option<Level>,
}

/// The parts of an organisation that a permission is about. For example, a permission about targets applies to each
/// target that the resources of a user contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    Organization,
    Project,
    Target,
    Service,
    AppDeployment,
}

/// A list and its completeness.
#[derive(Clone, Debug)]
pub struct Listing<T> {
    /// The items, sorted by id, each once.
    pub items: Vec<T>,
    pub completeness: Completeness,
}

/// A row of a list that can't be used: the entity has no name that a file can have, or a value that rolecall doesn't
/// know. The other rows of the list are used all the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnreadableRow {
    /// As much of an address as the row has. A user without an email address is `user/#ID`.
    pub address: Address,
    /// The problem, as a clause, such as "`email` is missing".
    pub why: String,
    /// The roles of the user or key, as far as the row has them.
    pub roles: BTreeSet<RoleName>,
}

/// Entities that rolecall doesn't update, because the platform knows something about them that rolecall doesn't. Their
/// access can still be taken.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReadOnly {
    pub kind: Kind,
    /// The entity, or `None` if all entities of this kind are meant.
    pub id: Option<RemoteId>,
    /// The code of the reason, such as `unknown-value`.
    pub code: &'static str,
    /// The reason and what to do, as full sentences.
    pub why: String,
}

impl ReadOnly {
    /// An entity that has a value which is newer than this version of rolecall. `field` is the place of the value.
    pub fn unknown_value(kind: Kind, id: RemoteId, field: &str, value: &str) -> Self {
        let why = format!(
            "Its {field} is `{value}`, which this version of rolecall doesn't know. So rolecall doesn't change it. Update rolecall, or use `--assert` to change it all the same."
        );
        Self { kind, id: Some(id), code: "unknown-value", why }
    }

    /// Entities whose updates might clear a value, because the platform has a new input that rolecall doesn't send.
    pub fn new_input(kind: Kind, operation: &str, inputs: &[&str]) -> Self {
        let inputs: Vec<String> = inputs.iter().map(|input| format!("`{input}`")).collect();
        let why = format!(
            "The platform's `{operation}` has {}, which this version of rolecall doesn't know. An update without it might clear it. Update rolecall, or use `--assert` to update all the same.",
            inputs.join(", ")
        );
        Self { kind, id: None, code: "unknown-input", why }
    }
}

/// Tells whether an entity that isn't in a list doesn't exist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Completeness {
    /// Every entity was read: the platform's count agrees, or the platform says that the last page was read.
    Proven,
    /// Assumed complete, because the platform gives no proof.
    Assumed { why: String },
    /// Incomplete: an entity that isn't in the list may exist all the same.
    Broken { why: String },
}

impl Completeness {
    /// Returns the hold reason for changes that depend on absence from this list, if the list is incomplete.
    /// `list` is the list's name, such as `users`.
    pub fn hold_if_incomplete(&self, list: &str) -> Option<HoldReason> {
        match self {
            Self::Broken { why } => Some(HoldReason::Unreadable { list: list.to_owned(), why: why.clone() }),
            Self::Proven | Self::Assumed { .. } => None,
        }
    }

    pub fn is_incomplete(&self) -> bool {
        matches!(self, Self::Broken { .. })
    }
}

/// Something that can't be read, and that a reader of the plan has to know.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Gap {
    /// The thing that can't be read, such as "`enabled` of users".
    pub what: String,
    /// The consequence for the reader of a plan.
    pub why: String,
    /// The changes that the gap bears on, if it is a permanent limit of the platform's API. Absent for a gap of
    /// this organisation or this run, which a reader always has to know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bears_on: Option<BTreeSet<Bearing>>,
}

/// A kind of change that a [`Gap`] bears on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Bearing {
    pub kind: Kind,
    pub action: Action,
}

impl Gap {
    /// A gap of this organisation or this run.
    pub fn new(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { what: what.into(), why: why.into(), bears_on: None }
    }

    /// Marks the gap as a permanent limit of the platform's API, which bears on these changes.
    #[must_use]
    pub fn permanent(mut self, bears_on: &[(Kind, Action)]) -> Self {
        self.bears_on = Some(bears_on.iter().map(|&(kind, action)| Bearing { kind, action }).collect());
        self
    }

    /// Returns whether a change of this plan is one that the gap bears on.
    pub fn bears_on(&self, changes: &[Change]) -> bool {
        let touches = |change: &Change| Some(Bearing { kind: change.address.kind, action: change.action });
        self.bears_on.as_ref().is_none_or(|set| changes.iter().filter_map(touches).any(|it| set.contains(&it)))
    }
}

/// A live user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveUser {
    pub id: RemoteId,
    pub email: Email,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub phone: Option<String>,
    pub roles: BTreeSet<RoleName>,
    pub resources: Option<Resources>,
    /// The user's teams, if the platform has teams.
    pub teams: Option<Memberships>,
    /// Roles from earlier memberships of teams. They apply again when the user joins the team.
    pub stale_team_roles: BTreeMap<TeamName, RoleName>,
    pub enabled: Seen<bool>,
    pub account_status: AccountStatus,
    /// The organisations of which the user is the only admin. `None` if the platform doesn't show them, and they
    /// matter.
    pub only_admin_of: Option<BTreeSet<RemoteId>>,
}

/// The status of a user's account at the platform, which limits the changes that rolecall can make.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccountStatus {
    /// The account can be used and changed.
    #[default]
    Ordinary,
    /// The owner can do everything, whatever their role. rolecall never changes them.
    Owner,
    /// The platform marks the account as one that must not be changed.
    Shielded,
    /// The user waits until an administrator of the platform approves them.
    Unapproved,
    /// Somebody else has deactivated the user in this organisation.
    Suspended,
    /// The platform answered with a status that rolecall doesn't know.
    Unclear,
}

impl AccountStatus {
    /// Returns whether a user with this account status can use their access.
    pub fn is_active(self) -> bool {
        match self {
            Self::Ordinary | Self::Owner | Self::Shielded => true,
            Self::Unapproved | Self::Suspended | Self::Unclear => false,
        }
    }
}

/// A live team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveTeam {
    pub id: RemoteId,
    /// The name, made unique by the id if other teams have the same name.
    pub name: TeamName,
    /// The name at the platform.
    pub raw_name: TeamName,
    /// The name, made unique, that the team has at the platform, if the file renames it. Then `name` is the new one.
    pub renamed_from: Option<TeamName>,
    pub description: Option<String>,
    pub thumbnail: Option<String>,
    /// True if the platform created the team together with the organisation.
    pub default: bool,
}

/// rolecall's own identity: the users and the team to which its credentials belong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// One user, or two if the two credentials belong to different users.
    pub users: BTreeSet<RemoteId>,
    pub emails: BTreeSet<Email>,
    /// The team to which the key belongs.
    pub team: Option<RemoteId>,
}

/// A live role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveRole {
    pub id: RemoteId,
    pub name: RoleName,
    /// The name that the role has at the platform, if the file renames it. Then `name` is the new one.
    pub renamed_from: Option<RoleName>,
    pub description: String,
    /// The permissions of the role, without those that the platform gives to every role.
    pub permissions: BTreeSet<Permission>,
    /// True if the role is built in and can't be changed.
    pub locked: bool,
}

/// An invitation that the user has not accepted. It has no id here, because on Hive the id contains the code that
/// redeems the invitation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveInvitation {
    pub email: Email,
    pub role: RoleName,
    /// The time at which the invitation was created, if the platform shows it.
    pub created: Option<Timestamp>,
    /// The teams that the user joins by accepting, if the platform has teams.
    pub teams: Option<BTreeSet<TeamName>>,
    /// True if the invitation has expired but is still listed.
    pub expired: bool,
}

/// A live key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveKey {
    pub id: RemoteId,
    pub name: KeyName,
    pub description: Option<String>,
    /// The key's roles, if keys of this platform have roles.
    pub roles: Option<BTreeSet<RoleName>>,
    /// The key's permissions, if keys of this platform have permissions.
    pub permissions: Option<BTreeSet<Permission>>,
    pub resources: Option<Resources>,
    pub expires: Option<Expiry>,
    /// The time of its creation, if the API tells it.
    pub created: Option<Timestamp>,
    pub enabled: bool,
}

impl Live {
    /// Returns the live state of an organisation of which only the users are known.
    pub fn of(organization: RemoteId, users: Listing<LiveUser>) -> Self {
        Self {
            organization,
            organization_id: None,
            invitations_carry_resources: false,
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
            unreadable: Vec::new(),
            lacks: BTreeSet::new(),
            read_only: Vec::new(),
            gaps: Vec::new(),
            requests: 0,
            orders: Orders::default(),
        }
    }

    /// Returns the completeness of each list that was read, by the name of the list.
    pub fn completeness(&self) -> BTreeMap<String, Completeness> {
        let Self { teams, roles, users, invitations, keys, .. } = self;
        let lists = [
            ("teams", teams.as_ref().map(|list| &list.completeness)),
            ("roles", roles.as_ref().map(|list| &list.completeness)),
            ("users", Some(&users.completeness)),
            ("invitations", invitations.as_ref().map(|list| &list.completeness)),
            ("keys", keys.as_ref().map(|list| &list.completeness)),
        ];
        let read =
            |(list, completeness): (&str, Option<&Completeness>)| Some((list.to_owned(), completeness?.clone()));
        lists.into_iter().filter_map(read).collect()
    }

    pub fn teams(&self) -> &[LiveTeam] {
        self.teams.as_ref().map(|list| list.items.as_slice()).unwrap_or_default()
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

    /// Returns the hold reason for a user who is in neither list, if the list of users or of invitations is
    /// incomplete.
    pub fn hold_if_people_incomplete(&self) -> Option<HoldReason> {
        let invitations = self.invitations.as_ref();
        let users = self.users.completeness.hold_if_incomplete("users");
        users.or_else(|| invitations.and_then(|list| list.completeness.hold_if_incomplete("invitations")))
    }

    /// Returns whether an entity of this kind that wasn't read doesn't exist.
    pub fn is_complete(&self, kind: Kind) -> bool {
        fn whole<T>(list: Option<&Listing<T>>) -> bool {
            list.is_some_and(|list| !list.completeness.is_incomplete())
        }
        match kind {
            Kind::User | Kind::Invitation => self.hold_if_people_incomplete().is_none(),
            Kind::Key => whole(self.keys.as_ref()),
            Kind::Role => whole(self.roles.as_ref()),
            Kind::Team => whole(self.teams.as_ref()),
            Kind::Organization => true,
        }
    }

    /// Returns the invitations that can be accepted.
    pub fn open_invitations(&self) -> impl Iterator<Item = &LiveInvitation> {
        self.invitations().iter().filter(|invitation| !invitation.expired)
    }
}

impl LiveUser {
    /// Returns a user who can sign in, and of whom nothing else is known.
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

    /// Returns the user's full value.
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
    /// Returns the value of the user whom the invitation is for, as far as the API shows it.
    pub fn entity(&self) -> User {
        let Self { email, role, created, teams, expired: _ } = self.clone();
        let teams = teams.map(|teams| teams.into_iter().map(|team| (team, None)).collect());
        let roles = BTreeSet::from([role]);
        User { roles, teams, invited: true, invited_at: created, ..User::named(email) }
    }
}

impl LiveTeam {
    /// Returns the team's full value, with the name that it has at the platform.
    pub fn entity(&self) -> Entity {
        let Self { id, name, raw_name: _, renamed_from, description, thumbnail, default: _ } = self.clone();
        Entity::Team(Team { id: Some(id), name: renamed_from.unwrap_or(name), description, thumbnail })
    }
}

impl LiveRole {
    /// Returns the role's full value, with the name that it has at the platform.
    pub fn entity(&self) -> Entity {
        let Self { id, name, renamed_from, description, permissions, locked: _ } = self.clone();
        Entity::Role(Role { id: Some(id), name: renamed_from.unwrap_or(name), description, permissions })
    }
}

impl LiveKey {
    /// Returns the key's full value.
    pub fn entity(&self) -> Key {
        let Self { id, name, description, roles, permissions, resources, expires, enabled, created: _ } =
            self.clone();
        Key { id: Some(id), name, description, roles, permissions, resources, expires, lifetime: None, enabled }
    }
}
