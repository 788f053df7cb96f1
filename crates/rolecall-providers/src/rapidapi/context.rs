//! Which credential each operation needs, by the vendor's pages "Users, Teams, and Roles (GQL)" and "Organizations (GQL)".
//!
//! A key belongs to a person, or to a team; the same API answers each differently. Beside a team's key a person's own
//! key says who is calling.

use std::collections::BTreeSet;

use rolecall_graphql::Context;
use rolecall_model::Desired;

/// A person's own key: of an administrator of the hub, where the record of others is asked for or changed.
pub(super) const PERSONAL: Context = Context("personal");
/// A team's key, and that of somebody in it.
pub(super) const TEAM: Context = Context("team");
/// Whichever there is, the personal one first: it shows more to administrators of the hub.
pub(super) const EITHER: Context = Context("either");
/// Of changes no page says what they need; the file may choose.
pub(super) const CHANGES: Context = Context("changes");

/// Every operation that is used.
pub const OPERATIONS: &[(&str, Context)] = &[
    ("activeUser", EITHER),
    ("activeEntity", TEAM),
    ("roles", EITHER),
    ("organizations", TEAM),
    ("organization", EITHER),
    ("paginatedTeamUsersByOrganizationIdV2", TEAM),
    ("entitiesRoles", EITHER),
    ("users", EITHER),
    ("applicationAuthorizations", TEAM),
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

/// The names that the file has for the credentials.
pub(super) const PERSONAL_KEY: &str = "personal_key";
pub(super) const TEAM_KEY: &str = "team_key";
pub(super) const IDENTITY_KEY: &str = "identity_key";

/// Can a context be had with these credentials?
pub(super) fn is_there(context: Context, credentials: &BTreeSet<&str>) -> bool {
    let personal = credentials.contains(PERSONAL_KEY);
    let team = credentials.contains(TEAM_KEY) && (personal || credentials.contains(IDENTITY_KEY));
    match context {
        PERSONAL => personal,
        TEAM => team,
        _ => personal || team,
    }
}

/// The operations that a file asks for, and that none of these credentials can make.
pub(super) fn uncallable(credentials: &BTreeSet<&str>, desired: &Desired) -> Vec<&'static str> {
    let accounts = desired.users.iter().any(|user| user.enabled.is_some() || user.deleted);
    let itself = desired.organization_entity.as_ref();
    let wanted = |operation: &str| match operation {
        "updateUser" => accounts,
        "createOrganization" => itself.is_some_and(|itself| itself.create),
        "deleteOrganization" => itself.is_some_and(|itself| itself.absent),
        _ => true,
    };
    let lacking = OPERATIONS.iter().filter(|(operation, context)| {
        let context = if *context == CHANGES { changes(credentials, desired) } else { *context };
        wanted(operation) && !is_there(context, credentials)
    });
    lacking.map(|(operation, _)| *operation).collect()
}

/// What changes are sent with: as the file has it, or else the team's key, which is what most of the pages are about.
pub(super) fn changes(credentials: &BTreeSet<&str>, desired: &Desired) -> Context {
    match desired.changes_with {
        Some(PERSONAL_KEY) => PERSONAL,
        Some(_) => TEAM,
        None if is_there(TEAM, credentials) => TEAM,
        None => PERSONAL,
    }
}
