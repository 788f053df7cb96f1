//! The [`Desired`] state of one organisation: the content of a file after all checks.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::SignedDuration;
use serde::{Serialize, Serializer};

use super::{
    Address, Email, Ending, Expiry, Guardrails, Identity, KeyName, Kind, Lifetime, Limit, Pattern, Permission,
    Place, Placed, ProviderName, Reach, RemoteId, RoleName, Slug, TeamName, Until,
};

/// The desired state of one organisation, as a checked file says it.
#[derive(Clone, Debug)]
pub struct Desired {
    pub provider: ProviderName,
    /// The start of the file, for findings about the file as a whole.
    pub place: Place,
    /// The organisation's id at the platform. If the live organisation has another id, the run stops.
    pub organization: Placed<RemoteId>,
    pub endpoint: Placed<Endpoint>,
    /// The credentials that rolecall signs in with, by their names in the file.
    pub credentials: BTreeMap<&'static str, Placed<Credential>>,
    /// The id of rolecall's own key, for platforms whose API doesn't show it.
    pub own_key: Option<Placed<RemoteId>>,
    /// The user to whom the credential belongs, on platforms where it may stop working if the user loses access.
    pub own_user: Option<Placed<Email>>,
    pub manage: Manage,
    pub guardrails: Guardrails,
    /// Addresses whose privileged access is known although no entry writes it, each with its place in the file.
    pub acknowledged: BTreeMap<Pattern, Place>,
    /// True if another invitation may be sent after one has expired or disappeared.
    pub reinvite_expired: bool,
    /// The role without permissions for users who must be removed and whom the API can't remove.
    pub containment_role: Option<Placed<RoleName>>,
    /// The host name that the platform's gateway wants in a header, if it wants one.
    pub host: Option<Placed<String>>,
    /// The settings that only this platform has, by their field names. A setting that isn't written is absent.
    pub settings: BTreeMap<&'static str, Setting>,
    /// The role whose users are admins, if the file names one.
    pub admin_role: Option<Placed<RoleName>>,
    /// The irreversible actions that the file permits.
    pub allowed: BTreeSet<Allowance>,
    /// The organisation itself, if the file describes it.
    pub organization_entity: Option<DesiredOrganization>,
    /// The roles that somebody got by hand and that stay for a while.
    pub tolerated: Vec<Tolerated>,
    /// The notes of entries and of people, by address.
    pub notes: BTreeMap<Address, String>,
    /// The access that ends or has ended. The entries are already as they are at the time of the run.
    pub endings: Vec<Ending>,
    /// The people and groups that the entries of users come from.
    pub memberships: BTreeMap<Address, PersonGroups>,
    /// The people of people files who have another address on this platform, by that address.
    pub people: BTreeMap<Email, Email>,
    /// The rules that say how long keys live, and when they are replaced.
    pub rotations: BTreeMap<Address, Rotation>,
    /// The directories that people come from.
    pub directories: Vec<PeopleDirectory>,
    /// The users who must have no access because they have left the directory. Their entries say that they are absent.
    pub left: BTreeSet<Address>,
    /// Sorted by name, each once.
    pub teams: Vec<DesiredTeam>,
    /// Sorted by name, each once.
    pub roles: Vec<DesiredRole>,
    /// Sorted by email and id, each once.
    pub users: Vec<DesiredUser>,
    /// Sorted by name and id, each once.
    pub keys: Vec<DesiredKey>,
    /// The kinds of entities of which a read covers everything, and not only what this file mentions. Verbs that show
    /// live set it; no file does.
    pub reads: BTreeSet<Kind>,
}

/// The rule that says how long a key lives, and when it is replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    pub place: Place,
    /// The time from the creation of a key to its expiry.
    pub lifetime: Option<Lifetime>,
    /// The age at which a key is retired.
    pub max_age: Option<SignedDuration>,
    /// The time before the expiry of a key at which its successor is due.
    pub rotate_before: Option<SignedDuration>,
    /// The time for which a key and its successor both work.
    pub overlap: SignedDuration,
    /// True if a scheduled run may take each step without a review.
    pub automatically: bool,
    /// True if the rule also applies to the key that rolecall signs in with.
    pub own: bool,
}

impl Rotation {
    /// Returns whether keys get successors by this rule.
    pub fn rotates(&self) -> bool {
        self.max_age.is_some() || self.rotate_before.is_some()
    }
}

/// A directory that people come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeopleDirectory {
    pub place: Place,
    pub source: DirectorySource,
    /// The names of the columns that the file names, by the field that they have.
    pub columns: BTreeMap<&'static str, String>,
    /// The people in its answer. `None` if it wasn't asked.
    pub people: Option<Arc<BTreeSet<Email>>>,
    /// The number of users who may lose access in one plan because they have left the directory.
    pub max_removals: Limit,
    /// The number of people that there must be at least. `None` stands for half of those that there were.
    pub min_people: Option<u32>,
}

/// The source of a directory's people, as the file names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DirectorySource {
    Command(Vec<String>),
    Csv(String),
    Scim(String),
}

/// Shows no argument of a command, because it may be a credential.
impl fmt::Display for DirectorySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(words) => write!(f, "the command {}", words.first().map_or("", String::as_str)),
            Self::Csv(path) | Self::Scim(path) => f.write_str(path),
        }
    }
}

/// Roles that somebody got by hand, for example in an incident, and that stay until a certain time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tolerated {
    pub place: Place,
    pub email: Email,
    pub roles: BTreeSet<RoleName>,
    pub until: Until,
    pub reason: String,
}

/// The person and the groups of people files that a user's entry comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonGroups {
    /// The address of the person in people files.
    pub person: Email,
    /// The groups, and those inside them, that give the user access or gave it. None if the user has an entry that
    /// replaces what groups give.
    pub groups: BTreeSet<String>,
}

/// A setting that only one platform has. The platform's folder gives it its meaning. Everything else only compares
/// it and copies it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Setting {
    #[serde(skip)]
    pub place: Place,
    pub value: SettingValue,
    /// True if a person must approve another value before rolecall uses a credential: it decides which one is sent.
    pub sensitive: bool,
}

/// The value of a [`Setting`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum SettingValue {
    Flag(bool),
    Number(u32),
    Text(&'static str),
}

/// An action that can't be undone, and that the file has to permit by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Allowance {
    /// Deleting a user's account, in every organisation.
    UserDeletion,
    /// Deleting the team that was created with the organisation, or its last team.
    DefaultTeamDeletion,
}

/// The desired state of the organisation itself. A value of `None` keeps the live value.
#[derive(Clone, Debug, Serialize)]
pub struct DesiredOrganization {
    #[serde(skip)]
    pub place: Place,
    pub name: Option<String>,
    pub email: Option<String>,
    pub seats: Option<u32>,
    pub description: Option<String>,
    pub thumbnail: Option<String>,
    /// True if the organisation may be created when it doesn't exist.
    pub create: bool,
    pub absent: bool,
}

/// The desired state of a team. A value of `None` keeps the live value.
#[derive(Clone, Debug, Serialize)]
pub struct DesiredTeam {
    #[serde(skip)]
    pub place: Place,
    pub name: TeamName,
    /// The names that the team had before, each with its place in the file.
    #[serde(serialize_with = "only_keys")]
    pub previously: BTreeMap<TeamName, Place>,
    pub description: Option<String>,
    pub thumbnail: Option<String>,
    pub absent: bool,
}

/// The desired state of a role. A value of `None` keeps the live value.
#[derive(Clone, Debug, Serialize)]
pub struct DesiredRole {
    #[serde(skip)]
    pub place: Place,
    pub name: RoleName,
    /// The names that the role had before, each with its place in the file.
    #[serde(serialize_with = "only_keys")]
    pub previously: BTreeMap<RoleName, Place>,
    pub description: Option<String>,
    /// The exact set of permissions, each with its place in the file.
    #[serde(serialize_with = "without_places")]
    pub permissions: Option<BTreeMap<Permission, Place>>,
    pub absent: bool,
}

/// The resources of a user or a key: all of the organisation, or some projects by their slugs.
pub type DesiredResources = Reach<BTreeMap<Slug, DesiredProject>>;

/// The selected targets of a project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DesiredProject {
    #[serde(skip)]
    pub place: Place,
    pub targets: Reach<BTreeMap<Slug, DesiredTarget>>,
}

/// The selected services and app deployments of a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DesiredTarget {
    #[serde(skip)]
    pub place: Place,
    pub services: Reach<BTreeSet<String>>,
    pub app_deployments: Reach<BTreeSet<String>>,
}

/// The desired state of a user. A value of `None` keeps the live value.
#[derive(Clone, Debug, Serialize)]
pub struct DesiredUser {
    #[serde(skip)]
    pub place: Place,
    pub email: Email,
    /// The id that selects one of several users with the same address.
    pub id: Option<RemoteId>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub phone: Option<String>,
    /// The exact set of roles: the user loses a role that isn't listed.
    pub roles: Option<Placed<BTreeSet<RoleName>>>,
    pub resources: Option<DesiredResources>,
    /// The exact set of teams, each with its place in the file. A role of `None` keeps the live role; a new member
    /// gets the default role.
    pub teams: Option<BTreeMap<TeamName, Placed<Option<Placed<RoleName>>>>>,
    /// True if the user can sign in. `None` keeps the live value.
    pub enabled: Option<bool>,
    pub absent: bool,
    /// True if the user's account must be deleted, in every organisation.
    pub deleted: bool,
}

/// The desired state of a key. A value of `None` keeps the live value.
#[derive(Clone, Debug, Serialize)]
pub struct DesiredKey {
    #[serde(skip)]
    pub place: Place,
    pub name: KeyName,
    /// The id that selects one of several keys with the same name.
    pub id: Option<RemoteId>,
    pub description: Option<String>,
    pub roles: Option<BTreeSet<RoleName>>,
    /// The exact set of permissions, each with its place in the file.
    #[serde(serialize_with = "without_places")]
    pub permissions: Option<BTreeMap<Permission, Place>>,
    pub resources: Option<DesiredResources>,
    pub expires: Option<Placed<Expiry>>,
    pub absent: bool,
    /// The targets of a new key's secret. Each of them gets it.
    #[serde(skip)]
    pub deliver: Vec<Placed<Delivery>>,
}

/// A target of a new key's secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// A file that contains nothing but the secret.
    File(PathBuf),
    /// A program and its arguments. The program reads the secret from its standard input.
    Command(Vec<String>),
    /// A line `NAME=secret` of a file. Its other lines stay as they are.
    EnvFile { file: PathBuf, name: String },
    /// A file with the secret, encrypted to these public keys by the program `age` or `rage`.
    Age { recipients: Vec<String>, file: PathBuf },
}

impl Delivery {
    /// Returns the file that is written, if there is one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(file) | Self::EnvFile { file, .. } | Self::Age { file, .. } => Some(file),
            Self::Command(_) => None,
        }
    }

    /// The end of the name of a new file with a secret, until it replaces the file that the delivery names.
    pub const TEMPORARY: &'static str = ".rolecall-new";
}

/// The URL of the platform's API, or the place of the URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    Url(String),
    /// The name of the environment variable that holds the URL.
    Env(String),
}

/// The place of a credential: an environment variable, a file, or a program that prints it. The credential itself
/// is never part of a [`Desired`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    Env(String),
    File(PathBuf),
    Command(Vec<String>),
}

/// The [`Scope`] of each collection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Manage {
    pub teams: Scope,
    pub roles: Scope,
    pub users: Scope,
    pub keys: Scope,
}

/// Decides what happens to live entities that the file doesn't list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum Scope {
    /// Entities that aren't listed must be removed.
    All,
    /// Entities that aren't listed stay as they are.
    #[default]
    Listed,
}

/// Serializes the keys of a map whose values are only their places in the file.
#[expect(clippy::ref_option, reason = "serde hands out a reference")]
fn without_places<S: Serializer>(
    map: &Option<BTreeMap<Permission, Place>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    map.as_ref().map(|map| map.keys().collect::<Vec<_>>()).serialize(serializer)
}

/// Serializes the keys of a map whose values are only their places in the file.
fn only_keys<S: Serializer, K: Serialize>(map: &BTreeMap<K, Place>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(map.keys())
}

impl DesiredUser {
    /// Returns a user who keeps all live values.
    pub fn named(place: Place, email: Email) -> Self {
        Self {
            place,
            email,
            id: None,
            first_name: None,
            last_name: None,
            phone: None,
            roles: None,
            resources: None,
            teams: None,
            enabled: None,
            absent: false,
            deleted: false,
        }
    }
}

impl Desired {
    /// Returns the desired state of an organisation with defaults for all optional fields.
    pub fn of(
        provider: ProviderName,
        place: Place,
        organization: Placed<RemoteId>,
        endpoint: Placed<Endpoint>,
        credentials: BTreeMap<&'static str, Placed<Credential>>,
    ) -> Self {
        Self {
            provider,
            place,
            organization,
            endpoint,
            credentials,
            own_key: None,
            own_user: None,
            manage: Manage::default(),
            guardrails: Guardrails::default(),
            acknowledged: BTreeMap::new(),
            reinvite_expired: false,
            containment_role: None,
            host: None,
            settings: BTreeMap::new(),
            admin_role: None,
            allowed: BTreeSet::new(),
            organization_entity: None,
            tolerated: Vec::new(),
            notes: BTreeMap::new(),
            endings: Vec::new(),
            memberships: BTreeMap::new(),
            people: BTreeMap::new(),
            rotations: BTreeMap::new(),
            directories: Vec::new(),
            left: BTreeSet::new(),
            teams: Vec::new(),
            roles: Vec::new(),
            users: Vec::new(),
            keys: Vec::new(),
            reads: BTreeSet::new(),
        }
    }

    /// Returns the number of people of each directory that was asked.
    pub fn directory_people(&self) -> BTreeMap<String, usize> {
        let asked = self.directories.iter();
        asked
            .filter_map(|directory| Some((directory.source.to_string(), directory.people.as_ref()?.len())))
            .collect()
    }

    /// Returns whether a plan with this identity is for the organisation of the file. The host may differ.
    pub fn is(&self, identity: &Identity) -> bool {
        (self.provider, &self.organization.value) == (identity.provider, &identity.organization)
    }

    /// Returns the place of the entry with this address, or of the file if it has none.
    pub fn place_of(&self, address: &Address) -> &Place {
        let is_it = |entry: Address| entry.covers(address);
        let place = match address.kind {
            Kind::Organization => self.organization_entity.as_ref().map(|entry| &entry.place),
            Kind::Team => {
                self.teams.iter().find(|entry| is_it(Address::team(&entry.name))).map(|entry| &entry.place)
            }
            Kind::Role => {
                self.roles.iter().find(|entry| is_it(Address::role(&entry.name))).map(|entry| &entry.place)
            }
            Kind::User | Kind::Invitation => {
                let mut entries = self.users.iter();
                let entry = entries.find(|entry| is_it(Address::user(&entry.email).with_id(entry.id.as_ref())));
                entry.map(|entry| &entry.place)
            }
            Kind::Key => {
                let mut entries = self.keys.iter();
                let entry = entries.find(|entry| is_it(Address::key(&entry.name).with_id(entry.id.as_ref())));
                entry.map(|entry| &entry.place)
            }
        };
        place.unwrap_or(&self.place)
    }

    /// Returns the note of an entity. An invitation has that of the user.
    pub fn note_of(&self, address: &Address) -> Option<&str> {
        let listed = address.listed();
        let note = self.notes.get(&listed).or_else(|| self.notes.get(&Address { id: None, ..listed.clone() }));
        note.map(String::as_str)
    }

    /// Returns the entry of the keys with this name. An entry with an `id` means one key.
    pub fn key(&self, name: &KeyName) -> Option<&DesiredKey> {
        self.keys.iter().find(|key| key.name == *name && key.id.is_none())
    }

    /// Returns whether a read covers the keys: the file lists keys or manages all keys, or all keys are asked for.
    pub fn reads_keys(&self) -> bool {
        self.reads.contains(&Kind::Key) || !self.keys.is_empty() || self.manage.keys == Scope::All
    }

    /// Returns whether a read covers the roles of users in teams: the file lists teams of users, or all users are asked for.
    pub fn reads_team_roles(&self) -> bool {
        self.reads.contains(&Kind::User) || self.users.iter().any(|user| user.teams.is_some())
    }
}
