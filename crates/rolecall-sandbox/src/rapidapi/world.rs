//! The hub behind the sandbox, with all of its organisations.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::caller::WorldCredential;
use super::switches::Switches;

/// The slugs of the organisations that this sandbox starts with. Both belong to one hub.
pub const SEEDS: &[&str] = &["platform-management", "partners"];

/// The values of a user's `status`, as documented.
pub(super) const ACTIVE: &str = "ACTIVE";
pub(super) const DEACTIVATED: &str = "DEACTIVATED";
pub(super) const DELETED: &str = "DELETED";

/// The status of an invitation that can be accepted. The platform's own word isn't documented, so a switch sets
/// the one that is shown.
pub(super) const PENDING: &str = "PENDING";

/// The legacy names of roles that the documentation shows.
pub(super) const ADMIN: &str = "ADMIN";
pub(super) const DEVELOPER: &str = "DEVELOPER";

/// The levels of roles, as named in the introspection of January 2023.
pub(super) const ORGANIZATION: &str = "ORGANIZATION";
pub(super) const USER_ENVIRONMENT: &str = "USER_ENVIRONMENT";
pub(super) const USER_ORGANIZATION: &str = "USER_ORGANIZATION";
pub(super) const USER_TEAM: &str = "USER_TEAM";
pub(super) const TEAM_ENVIRONMENT: &str = "TEAM_ENVIRONMENT";

/// The keys of roles. The documentation shows only names, so these are ours.
pub(super) const ENVIRONMENT_ADMIN: &str = "environment-admin";
pub(super) const ORGANIZATION_ADMIN: &str = "organization-admin";
pub(super) const TEAM_ADMIN: &str = "team-admin";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct World {
    pub users: Vec<WorldUser>,
    pub organizations: Vec<WorldOrganization>,
    pub roles: Vec<WorldRole>,
    /// The assigned roles. An entity without an assignment has the default role of the level.
    pub assignments: Vec<Assignment>,
    pub apps: Vec<WorldApp>,
    pub apis: Vec<WorldApi>,
    pub subscriptions: Vec<WorldSubscription>,
    pub credentials: Vec<WorldCredential>,
    /// The recipients of all mails, in the order sent.
    pub mails: Vec<String>,
    /// The number of ids generated so far.
    pub made: u64,
    /// The times of each user's requests in the last minute.
    pub requests: BTreeMap<u64, Vec<Timestamp>>,
    pub switches: Switches,
}

crate::changes::recorded!(World {
    lists: [users, organizations, roles, assignments, apps, apis, subscriptions, credentials, mails],
    fields: [made, requests, switches]
});

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorldUser {
    pub id: u64,
    pub mashape_id: String,
    /// The address. Another user may have the address of a deleted one.
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
    /// Whether the team is deleted. A deleted team stays in the list, without members.
    pub deleted: bool,
    pub members: Vec<u64>,
    /// The members who are in the team only because they administrate the organisation.
    pub promoted: Vec<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorldMember {
    pub user: u64,
    pub legacy_role: String,
    /// Whether the member is deactivated in this organisation. The user's status in the hub is independent of
    /// this.
    pub deactivated: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorldInvitation {
    pub email: String,
    /// The legacy name of the role.
    pub role: String,
    pub teams: Vec<u64>,
    /// The token in the invitation link. Anybody who has it can join.
    pub token: String,
    /// `PENDING`, or the reason why the invitation can't be accepted.
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

/// The assignment of a role to an entity. The role of a user in an organisation has `org`. The role of a user in a
/// team has both, and `parent` is the team.
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
    /// The id of the team or user that owns the app.
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
    /// The [`digest`](crate::digest) of the value. The platform shows the value to everybody who may read the key.
    pub digest: String,
}

/// An API that is offered on the hub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorldApi {
    pub id: String,
    pub name: String,
    /// The id of the team or user that owns the API.
    pub owner: u64,
    pub category: String,
    pub pricing: String,
    pub status: String,
    pub visibility: String,
}

/// A team's subscription to an API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorldSubscription {
    pub id: u64,
    pub api: String,
    pub entity: u64,
    pub status: String,
}

impl WorldAppKey {
    /// Returns the secret value, which API clients send. It begins with [`APP_KEY`], so that tests recognise a
    /// leaked one.
    pub fn value(&self) -> String {
        format!("{APP_KEY}{}", self.id)
    }
}

/// The prefix of the secret values of all app keys.
pub const APP_KEY: &str = "sandbox-app-key-";
