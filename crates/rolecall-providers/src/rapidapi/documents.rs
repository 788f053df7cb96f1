//! The operations, as documents. Each asks for one field, as the vendor's release notes allow no more.

use super::context::{CHANGES, EITHER, PERSONAL, TEAM};
use rolecall_graphql::{Mutation, Query};

macro_rules! document {
    ($file:literal) => {
        include_str!(concat!("graphql/", $file))
    };
}

/// What this hub has of what not every generation of the schema has.
pub(super) const SCHEMA: Query = Query::new("Schema", document!("schema.graphql")).within(EITHER);

pub(super) const ACTIVE_USER: Query = Query::new("ActiveUser", document!("active_user.graphql")).within(EITHER);

/// Who calls beside a team's key.
pub(super) const IDENTITY: Query = ACTIVE_USER.within(TEAM);

pub(super) const ACTIVE_ENTITY: Query =
    Query::new("ActiveEntity", document!("active_entity.graphql")).within(TEAM);

pub(super) const ROLES: Query = Query::new("Roles", document!("roles.graphql")).within(EITHER);

/// Those that whoever calls administrates.
pub(super) const ORGANIZATIONS: Query =
    Query::new("Organizations", document!("organizations.graphql")).within(TEAM);

pub(super) const ORGANIZATION: Query =
    Query::new("Organization", document!("organization.graphql")).within(EITHER);

/// The same for a hub whose users don't say which role they have in it.
pub(super) const ORGANIZATION_MIDDLE: Query =
    Query::new("Organization", document!("organization_middle.graphql")).within(EITHER);

/// The same for a hub that has less.
pub(super) const ORGANIZATION_EARLY: Query =
    Query::new("Organization", document!("organization_early.graphql")).within(EITHER);

/// The only list of invitations.
pub(super) const TEAM_USERS: Query = Query::new("TeamUsers", document!("team_users.graphql")).within(TEAM);

pub(super) const ENTITIES_ROLES: Query =
    Query::new("EntitiesRoles", document!("entities_roles.graphql")).within(EITHER);

/// The keys of an app, by their names.
pub(super) const APPLICATION_AUTHORIZATIONS: Query =
    Query::new("ApplicationAuthorizations", document!("application_authorizations.graphql")).within(TEAM);

/// Several at once, where the hub is known to take that.
pub(super) const START: Query = Query::new("Start", document!("start.graphql")).within(EITHER);

pub(super) const START_OF_TEAM: Query = Query::new("StartOfTeam", document!("start_of_team.graphql")).within(TEAM);

pub(super) const USERS: Query = Query::new("Users", document!("users.graphql")).within(EITHER);

/// The same for a hub that answers with a list.
pub(super) const USERS_LISTED: Query = Query::new("Users", document!("users_listed.graphql")).within(EITHER);

/// The same for a hub that has less.
pub(super) const USERS_EARLY: Query = Query::new("Users", document!("users_early.graphql")).within(EITHER);

/// What every generation of the schema has.
pub const QUERIES: &[Query] = &[
    SCHEMA,
    ACTIVE_USER,
    ACTIVE_ENTITY,
    ROLES,
    ORGANIZATIONS,
    ORGANIZATION_EARLY,
    TEAM_USERS,
    ENTITIES_ROLES,
    APPLICATION_AUTHORIZATIONS,
    START,
    START_OF_TEAM,
];

/// What is asked for beside these, of a hub as it was introspected in January 2023, of one as a client of August 2023 was
/// generated from, and of one as the documentation has it.
pub const QUERIES_BY_GENERATION: [&[Query]; 3] =
    [&[USERS_EARLY], &[ORGANIZATION_MIDDLE, USERS_LISTED], &[ORGANIZATION, USERS]];

/// Every mutation, under the name of its field.
pub const MUTATIONS: &[(&str, Mutation)] = &[
    ("addUserToTeams", changing("AddUserToTeams", document!("add_user_to_teams.graphql"))),
    ("createOrganization", changing("CreateOrganization", document!("create_organization.graphql"))),
    ("createTeam", changing("CreateTeam", document!("create_team.graphql"))),
    ("createUserInvites", changing("CreateUserInvites", document!("create_user_invites.graphql"))),
    ("deleteOrganization", changing("DeleteOrganization", document!("delete_organization.graphql"))),
    ("deleteTeam", changing("DeleteTeam", document!("delete_team.graphql"))),
    ("deleteUserInvites", changing("DeleteUserInvites", document!("delete_user_invites.graphql"))),
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

pub(super) fn mutation(operation: &str) -> Option<&'static Mutation> {
    MUTATIONS.iter().find(|(name, _)| *name == operation).map(|(_, document)| document)
}
