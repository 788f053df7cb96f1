//! The GraphQL documents of the operations. Each has one root field, since the vendor's release notes allow only
//! one.

use super::context::{CHANGES, EITHER, PERSONAL, TEAM};
use rolecall_graphql::{Mutation, Query};

macro_rules! document {
    ($file:literal) => {
        include_str!(concat!("graphql/", $file))
    };
}

/// Asks for the types that differ between the generations of the schema.
pub(super) const SCHEMA: Query = Query::new("Schema", document!("schema.graphql")).within(EITHER);

pub(super) const ACTIVE_USER: Query = Query::new("ActiveUser", document!("active_user.graphql")).within(EITHER);

/// Asks for the owner of the identity key.
pub(super) const IDENTITY: Query = ACTIVE_USER.within(TEAM);

pub(super) const ACTIVE_ENTITY: Query =
    Query::new("ActiveEntity", document!("active_entity.graphql")).within(TEAM);

pub(super) const ROLES: Query = Query::new("Roles", document!("roles.graphql")).within(EITHER);

/// Asks for the organisations that the owner of the key administrates.
pub(super) const ORGANIZATIONS: Query =
    Query::new("Organizations", document!("organizations.graphql")).within(TEAM);

pub(super) const ORGANIZATION: Query =
    Query::new("Organization", document!("organization.graphql")).within(EITHER);

/// The same query for a hub whose users don't have their role in the organisation.
pub(super) const ORGANIZATION_WITHOUT_ROLES: Query =
    Query::new("Organization", document!("organization_without_roles.graphql")).within(EITHER);

/// Asks for the members and the invited. No other query lists invitations.
pub(super) const TEAM_USERS: Query = Query::new("TeamUsers", document!("team_users.graphql")).within(TEAM);

pub(super) const ENTITIES_ROLES: Query =
    Query::new("EntitiesRoles", document!("entities_roles.graphql")).within(EITHER);

/// Asks for several root fields at once, for a hub that is known to accept that.
pub(super) const START: Query = Query::new("Start", document!("start.graphql")).within(EITHER);

pub(super) const START_OF_TEAM: Query = Query::new("StartOfTeam", document!("start_of_team.graphql")).within(TEAM);

pub(super) const USERS: Query = Query::new("Users", document!("users.graphql")).within(EITHER);

/// The same query for a hub that answers with a list.
pub(super) const USERS_LISTED: Query = Query::new("Users", document!("users_listed.graphql")).within(EITHER);

/// The queries that are valid in every generation of the schema.
pub const QUERIES: &[Query] = &[
    SCHEMA,
    ACTIVE_USER,
    ACTIVE_ENTITY,
    ROLES,
    ORGANIZATIONS,
    ORGANIZATION_WITHOUT_ROLES,
    TEAM_USERS,
    ENTITIES_ROLES,
    START,
    START_OF_TEAM,
];

/// The further queries for each generation: the client of August 2023, and the documentation.
pub const QUERIES_BY_GENERATION: [&[Query]; 2] = [&[USERS_LISTED], &[ORGANIZATION, USERS]];

pub(super) const DELETE_USER_INVITES: Mutation =
    changing("DeleteUserInvites", document!("delete_user_invites.graphql"));

/// All mutations, by the names of their fields.
pub const MUTATIONS: &[(&str, Mutation)] = &[
    ("addUserToTeams", changing("AddUserToTeams", document!("add_user_to_teams.graphql"))),
    ("createOrganization", changing("CreateOrganization", document!("create_organization.graphql"))),
    ("createTeam", changing("CreateTeam", document!("create_team.graphql"))),
    ("createUserInvites", changing("CreateUserInvites", document!("create_user_invites.graphql"))),
    ("deleteOrganization", changing("DeleteOrganization", document!("delete_organization.graphql"))),
    ("deleteTeam", changing("DeleteTeam", document!("delete_team.graphql"))),
    ("deleteUserInvites", DELETE_USER_INVITES),
    (
        "removeTeamUserFromAllOrgTeams",
        changing("RemoveTeamUserFromAllOrgTeams", document!("remove_team_user_from_all_org_teams.graphql")),
    ),
    ("updateOrganization", changing("UpdateOrganization", document!("update_organization.graphql"))),
    ("updateTeam", changing("UpdateTeam", document!("update_team.graphql"))),
    ("updateTeamUser", changing("UpdateTeamUser", document!("update_team_user.graphql"))),
    ("updateUser", Mutation::new("UpdateUser", document!("update_user.graphql")).within(PERSONAL)),
    ("updateUserRoles", changing("UpdateUserRoles", document!("update_user_roles.graphql"))),
    ("upsertEntityRole", changing("UpsertEntityRole", document!("upsert_entity_role.graphql"))),
];

const fn changing(name: &'static str, text: &'static str) -> Mutation {
    Mutation::new(name, text).within(CHANGES)
}
