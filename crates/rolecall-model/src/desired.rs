//! What the file says, checked and resolved.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::{
    Email, Expiry, Guardrails, KeyName, Permission, Place, Placed, ProviderName, Reach, RemoteId, RoleName, Slug,
    TeamName,
};

/// The desired for one organisation.
#[derive(Clone, Debug)]
pub struct Desired {
    pub provider: ProviderName,
    /// The whole file, for what concerns it as such.
    pub place: Place,
    /// The organisation's id at the platform: a different live one stops the run.
    pub organization: Placed<RemoteId>,
    pub endpoint: Placed<Endpoint>,
    /// What we call the platform with, by the names that the file has for them.
    pub credentials: BTreeMap<&'static str, Placed<Credential>>,
    /// The id of the key that we call with, where the API can't tell.
    pub own_key: Option<Placed<RemoteId>>,
    /// Whose credential it is, where it may go with the person.
    pub own_user: Option<Placed<Email>>,
    pub manage: Manage,
    pub guardrails: Guardrails,
    /// May an invitation that expired or vanished be sent again?
    pub reinvite_expired: bool,
    /// The role that holds whoever must go and can't be removed.
    pub containment_role: Option<Placed<RoleName>>,
    /// What the platform's gateway calls this API, where it asks for that.
    pub host: Option<Placed<String>>,
    /// How many requests a minute may be sent, where the platform limits them.
    pub requests_per_minute: Option<u32>,
    /// Is the platform known to take several fields at the root of one query?
    pub several_root_fields: bool,
    /// The credential that changes are sent with, of several.
    pub changes_with: Option<&'static str>,
    /// The role that makes an admin, where it has to be told from the others.
    pub admin_role: Option<Placed<RoleName>>,
    /// What isn't done unless the file says so.
    pub allowed: BTreeSet<Allowance>,
    /// The organisation itself, where the file speaks of it.
    pub organization_entity: Option<DesiredOrganization>,
    /// Sorted by name, each once.
    pub teams: Vec<DesiredTeam>,
    /// Sorted by name, each once.
    pub roles: Vec<DesiredRole>,
    /// Sorted by email and id, each once.
    pub users: Vec<DesiredUser>,
    /// Sorted by name and id, each once.
    pub keys: Vec<DesiredKey>,
}

/// Something that can't be undone, and that has to be allowed by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Allowance {
    /// To delete somebody's account, everywhere.
    UserDeletion,
    /// To delete the team that came with the organisation, or its last one.
    DefaultTeamDeletion,
}

/// The organisation itself, as wished. What is `None` keeps what is live.
#[derive(Clone, Debug)]
pub struct DesiredOrganization {
    pub place: Place,
    pub name: Option<String>,
    pub email: Option<String>,
    pub seats: Option<u32>,
    pub description: Option<String>,
    pub thumbnail: Option<String>,
    /// May it be made, where it isn't there?
    pub create: bool,
    pub absent: bool,
}

/// A team, as wished. What is `None` keeps what is live.
#[derive(Clone, Debug)]
pub struct DesiredTeam {
    pub place: Place,
    pub name: TeamName,
    pub description: Option<String>,
    pub thumbnail: Option<String>,
    pub absent: bool,
}

/// A role, as wished. What is `None` keeps what is live.
#[derive(Clone, Debug)]
pub struct DesiredRole {
    pub place: Place,
    pub name: RoleName,
    pub description: Option<String>,
    /// The exact set, and where each stands.
    pub permissions: Option<BTreeMap<Permission, Place>>,
    pub absent: bool,
}

/// What of the organisation, by slugs.
pub type DesiredResources = Reach<BTreeMap<Slug, DesiredProject>>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredProject {
    pub place: Place,
    pub targets: Reach<BTreeMap<Slug, DesiredTarget>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredTarget {
    pub place: Place,
    pub services: Reach<BTreeSet<String>>,
    pub app_deployments: Reach<BTreeSet<String>>,
}

/// A user, as wished. What is `None` keeps what is live.
#[derive(Clone, Debug)]
pub struct DesiredUser {
    pub place: Place,
    pub email: Email,
    /// Pins one of several namesakes.
    pub id: Option<RemoteId>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub phone: Option<String>,
    /// The exact set: what isn't listed goes.
    pub roles: Option<Placed<BTreeSet<RoleName>>>,
    pub resources: Option<DesiredResources>,
    /// The exact set of their teams, each with where it stands. A role that is `None` keeps what is live, or is the one
    /// that everybody has.
    pub teams: Option<BTreeMap<TeamName, Placed<Option<Placed<RoleName>>>>>,
    /// May they sign in? `None` keeps what is live.
    pub enabled: Option<bool>,
    pub absent: bool,
    /// Their account has to go, everywhere.
    pub deleted: bool,
}

/// A key, as wished. What is `None` keeps what is live.
#[derive(Clone, Debug)]
pub struct DesiredKey {
    pub place: Place,
    pub name: KeyName,
    /// Pins one of several namesakes.
    pub id: Option<RemoteId>,
    pub description: Option<String>,
    pub roles: Option<BTreeSet<RoleName>>,
    /// The exact set, and where each stands.
    pub permissions: Option<BTreeMap<Permission, Place>>,
    pub resources: Option<DesiredResources>,
    pub expires: Option<Placed<Expiry>>,
    pub absent: bool,
    pub deliver: Option<Delivery>,
}

/// Where a minted key's secret goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    File(PathBuf),
    /// Gets the secret on standard input.
    Command(Vec<String>),
}

/// Where the platform is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    Url(String),
    /// The name of the environment variable that holds the URL.
    Env(String),
}

/// Where a credential is. Never the credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    Env(String),
    File(PathBuf),
    Command(Vec<String>),
}

/// What is ours, per collection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manage {
    pub teams: Scope,
    pub roles: Scope,
    pub users: Scope,
    pub keys: Scope,
}

/// Whom the file speaks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// Whoever isn't listed has to go.
    All,
    /// Only those listed are touched.
    #[default]
    Listed,
}

impl DesiredUser {
    /// Somebody of whom nothing is said yet.
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
    /// The desired for an organisation of which nothing is wished yet.
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
            reinvite_expired: false,
            containment_role: None,
            host: None,
            requests_per_minute: None,
            several_root_fields: false,
            changes_with: None,
            admin_role: None,
            allowed: BTreeSet::new(),
            organization_entity: None,
            teams: Vec::new(),
            roles: Vec::new(),
            users: Vec::new(),
            keys: Vec::new(),
        }
    }

    /// Does the file say anything of keys, by listing or by managing them?
    pub fn speaks_of_keys(&self) -> bool {
        !self.keys.is_empty() || self.manage.keys == Scope::All
    }
}
