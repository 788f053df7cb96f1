//! The credential that each operation needs, by the vendor's pages "Users, Teams, and Roles (GQL)" and
//! "Organizations (GQL)".
//!
//! A key belongs to a person or to a team, and the API answers each differently. A request with a team's key also
//! carries the personal key of a member of the team, the identity key. It says who sends the request.

use std::collections::BTreeSet;

use super::settings;
use rolecall_graphql::Context;
use rolecall_model::Desired;

/// A personal key. To read or change the account of another user, its owner has to be an administrator of the hub.
pub(super) const PERSONAL: Context = Context("personal");
/// A team's key with the identity key of a member of the team.
pub(super) const TEAM: Context = Context("team");
/// The personal key if there is one, since it shows more to an administrator of the hub. Otherwise the team's key.
pub(super) const EITHER: Context = Context("either");
/// The credential for mutations. No page says which one they need, so the file can choose.
pub(super) const CHANGES: Context = Context("changes");

/// All operations in use, with their credentials.
pub const OPERATIONS: &[(&str, Context)] = &[
    ("activeUser", EITHER),
    ("activeEntity", TEAM),
    ("roles", EITHER),
    ("organizations", TEAM),
    ("organization", EITHER),
    ("paginatedTeamUsersByOrganizationIdV2", TEAM),
    ("entitiesRoles", EITHER),
    ("users", EITHER),
    ("createOrganization", CHANGES),
    ("updateOrganization", CHANGES),
    ("deleteOrganization", CHANGES),
    ("createTeam", CHANGES),
    ("updateTeam", CHANGES),
    ("deleteTeam", CHANGES),
    ("addUserToTeams", CHANGES),
    ("updateTeamUser", CHANGES),
    ("removeTeamUserFromAllOrgTeams", CHANGES),
    ("createUserInvites", CHANGES),
    ("deleteUserInvites", CHANGES),
    ("updateUserRoles", CHANGES),
    ("upsertEntityRole", CHANGES),
    ("updateUser", PERSONAL),
];

/// The names of the credentials in the file.
pub(super) const PERSONAL_KEY: &str = "personal_key";
pub(super) const TEAM_KEY: &str = "team_key";
pub(super) const IDENTITY_KEY: &str = "identity_key";

/// Returns whether these credentials are enough for a context.
pub(super) fn is_available(context: Context, credentials: &BTreeSet<&str>) -> bool {
    let personal = credentials.contains(PERSONAL_KEY);
    let team = credentials.contains(TEAM_KEY) && (personal || credentials.contains(IDENTITY_KEY));
    match context {
        PERSONAL => personal,
        TEAM => team,
        _ => personal || team,
    }
}

/// Returns whether the file sets the status of accounts.
pub(super) fn changes_accounts(desired: &Desired) -> bool {
    desired.users.iter().any(|user| user.enabled.is_some() || user.deleted)
}

/// Returns the operations that a file needs and that none of these credentials can send.
pub(super) fn uncallable(credentials: &BTreeSet<&str>, desired: &Desired) -> Vec<&'static str> {
    let entity = desired.organization_entity.as_ref();
    let is_needed = |operation: &str| match operation {
        "updateUser" => changes_accounts(desired),
        "createOrganization" => entity.is_some_and(|entity| entity.create),
        "deleteOrganization" => entity.is_some_and(|entity| entity.absent),
        _ => true,
    };
    let lacking = OPERATIONS.iter().filter(|(operation, context)| {
        let context = if *context == CHANGES { changes(credentials, desired) } else { *context };
        is_needed(operation) && !is_available(context, credentials)
    });
    lacking.map(|(operation, _)| *operation).collect()
}

/// Returns the context for mutations: the one that the file chooses, or else the team's key, which most pages
/// describe.
pub(super) fn changes(credentials: &BTreeSet<&str>, desired: &Desired) -> Context {
    match settings::changes_with(desired) {
        Some(PERSONAL_KEY) => PERSONAL,
        Some(_) => TEAM,
        None if is_available(TEAM, credentials) => TEAM,
        None => PERSONAL,
    }
}
