//! What the file says, checked and resolved.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::{
    Address, Email, Expiry, KeyName, Permission, Place, Placed, ProviderName, Reach, RemoteId, RoleName, Slug,
};

/// The wish for one organisation.
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
    /// Sorted by name, each once.
    pub roles: Vec<DesiredRole>,
    /// Sorted by email and id, each once.
    pub users: Vec<DesiredUser>,
    /// Sorted by name and id, each once.
    pub keys: Vec<DesiredKey>,
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
    /// May they sign in? `None` where the user is to be absent, and where whoever is listed can.
    pub enabled: Option<bool>,
    pub absent: bool,
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

/// Limits that hold whatever the file wishes.
#[derive(Clone, Debug)]
pub struct Guardrails {
    pub min_admins: usize,
    /// And where the file says so.
    pub protected: BTreeMap<Address, Place>,
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
            enabled: None,
            absent: false,
        }
    }
}

impl Desired {
    /// Does the file say anything of keys, by listing or by managing them?
    pub fn speaks_of_keys(&self) -> bool {
        !self.keys.is_empty() || self.manage.keys == Scope::All
    }
}

impl Default for Guardrails {
    fn default() -> Self {
        Self { min_admins: 1, protected: BTreeMap::new() }
    }
}
