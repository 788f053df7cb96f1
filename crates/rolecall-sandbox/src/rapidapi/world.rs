//! The hub behind the sandbox, with all of its organisations.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::caller::WorldCredential;
use super::switches::Switches;

/// The organisations that this sandbox starts with, both of one hub.
pub const SEEDS: &[&str] = &["platform-management", "partners"];

/// What a user's `status` says, as the documentation lists the values.
pub(super) const ACTIVE: &str = "ACTIVE";
pub(super) const DEACTIVATED: &str = "DEACTIVATED";
pub(super) const DELETED: &str = "DELETED";

/// The status of an invitation that can be accepted. What the platform calls it isn't documented: a switch says.
pub(super) const PENDING: &str = "PENDING";

/// The legacy names of roles that the documentation shows.
pub(super) const ADMIN: &str = "ADMIN";
pub(super) const DEVELOPER: &str = "DEVELOPER";

/// Levels of roles, as the introspection of January 2023 names them.
pub(super) const ORGANIZATION: &str = "ORGANIZATION";
pub(super) const USER_ENVIRONMENT: &str = "USER_ENVIRONMENT";
pub(super) const USER_ORGANIZATION: &str = "USER_ORGANIZATION";
pub(super) const USER_TEAM: &str = "USER_TEAM";
pub(super) const TEAM_ENVIRONMENT: &str = "TEAM_ENVIRONMENT";

/// Keys of roles, which are ours: the documentation shows names only.
pub(super) const ENVIRONMENT_ADMIN: &str = "environment-admin";
pub(super) const ORGANIZATION_ADMIN: &str = "organization-admin";
pub(super) const TEAM_ADMIN: &str = "team-admin";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct World {
    pub users: Vec<WorldUser>,
    pub organizations: Vec<WorldOrganization>,
    pub roles: Vec<WorldRole>,
    /// Who holds which role. Whoever holds none of a level has its default.
    pub assignments: Vec<Assignment>,
    pub apps: Vec<WorldApp>,
    pub credentials: Vec<WorldCredential>,
    /// Whom each mail went to, in order.
    pub mails: Vec<String>,
    /// Counts what was made, for ids.
    pub made: u64,
    /// When each user's requests of the last minute came.
    pub requests: BTreeMap<u64, Vec<Timestamp>>,
    pub switches: Switches,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorldUser {
    pub id: u64,
    pub mashape_id: String,
    /// That of a deleted user can be somebody else's too.
    pub email: String,
    pub username: String,
    pub name: String,
    pub status: String,
    pub protected: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorldOrganization {
    pub id: u64,
    pub name: String,
    pub slug: String,
    pub email: Option<String>,
    pub description: Option<String>,
    pub thumbnail: Option<String>,
    pub status: String,
    pub seats: i32,
    pub teams: Vec<WorldTeam>,
    pub members: Vec<WorldMember>,
    pub invitations: Vec<WorldInvitation>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorldTeam {
    pub id: u64,
    pub mashape_id: String,
    pub name: String,
    pub slug: String,
    pub description: Option<String>,
    pub thumbnail: Option<String>,
    /// Deleted teams stay, with nobody in them.
    pub deleted: bool,
    pub members: Vec<u64>,
    /// Those of the members who are there only because they administrate the organisation.
    pub promoted: Vec<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorldMember {
    pub user: u64,
    pub legacy_role: String,
    /// Within this organisation, which has nothing to do with the status in the hub.
    pub deactivated: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorldInvitation {
    pub email: String,
    /// By its legacy name.
    pub role: String,
    pub teams: Vec<u64>,
    /// Whoever has it can join.
    pub token: String,
    /// `PENDING`, or why it can't be accepted.
    pub status: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorldRole {
    pub id: u64,
    pub key: String,
    pub name: String,
    pub level: String,
    pub is_default: bool,
    pub is_basic: bool,
}

/// Of a user in an organisation: with `org`. Of a user in a team: with both, `parent` being the team.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assignment {
    pub id: u64,
    pub entity: u64,
    pub role: u64,
    pub org: Option<u64>,
    pub parent: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorldApp {
    pub id: u64,
    pub mashape_id: String,
    /// A team or a user.
    pub owner: u64,
    pub name: String,
    pub description: Option<String>,
    pub keys: Vec<WorldAppKey>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorldAppKey {
    pub id: u64,
    pub name: String,
    pub status: String,
    pub authorization_type: String,
    /// Of the value, which the platform shows to whoever asks for it.
    pub digest: String,
}

impl WorldAppKey {
    /// What callers send. It begins with `APP_KEY`, so that a leak is recognised.
    pub fn value(&self) -> String {
        format!("{APP_KEY}{}", self.id)
    }
}

/// What the values of all apps' keys begin with.
pub const APP_KEY: &str = "sandbox-app-key-";
