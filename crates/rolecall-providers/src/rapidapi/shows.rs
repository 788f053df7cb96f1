//! Decides whether a read shows the effect of one mutation, if a change needs several.

use serde_json::Value;

use super::number::id_in;
use super::rules::is_admin;
use rolecall_model::{
    Change, Email, Entity, Live, LiveTeam, LiveUser, Mutation, RemoteId, Seen, TeamName, reference,
};

/// Returns whether a read shows the effect of a mutation, or nothing if only the change as a whole can be
/// compared.
pub(super) fn shows(mutation: &Mutation, change: &Change, live: &Live) -> Option<bool> {
    let Mutation { operation, variables, .. } = mutation;
    let input = variables.get("input");
    let id_field = |field: &str| input.and_then(|input| input.get(field)).and_then(id_in);
    let user = |id: Option<RemoteId>| live.user(&id?);
    match operation.as_str() {
        "addUserToTeams" => {
            // An admin of the organisation is in every team, whether or not the mutation was done.
            let user =
                user(variables.get("userId").and_then(id_in)).filter(|user| !is_admin(live, &user.roles))?;
            let ids = variables.get("teamIds")?.as_array()?;
            ids.iter().map(|id| is_in(user, id, live)).try_fold(true, |all, is_in| Some(all && is_in?))
        }
        "updateTeamUser" => {
            let user = user(id_field("teamUserId"))?;
            is_in(user, input?.get("teamToRemove")?, live).map(|is_in| !is_in)
        }
        "updateUserRoles" => {
            let (user, role) = (user(id_field("entityId"))?, id_field("roleId")?);
            let role = live.assignable.as_ref()?.organization.iter().find(|known| known.id == role)?;
            Some(user.roles.contains(&role.name))
        }
        "upsertEntityRole" => {
            let (user, role) = (user(id_field("entityId"))?, id_field("roleId")?);
            let role = live.assignable.as_ref()?.team.iter().find(|known| known.id == role)?;
            let team = team(input?.get("parentId")?, live)?;
            Some(user.teams.as_ref()?.get(&team.name)?.as_ref()? == &role.name)
        }
        "deleteUserInvites" => {
            live.invitations.as_ref().filter(|list| !list.completeness.is_incomplete())?;
            // The same mutation may cancel other invitations, too.
            let cancelled = change.before.as_ref().and_then(Entity::user)?;
            let mut spellings = live.invitations_of(&cancelled.email);
            Some(!spellings.any(|other| other.email.as_str() == cancelled.email.as_str()))
        }
        "updateUser" => account(input?, live),
        "removeTeamUserFromAllOrgTeams" => {
            let email = variables.get("email")?.as_str()?;
            let is_listed = live.users_of(&Email::seen(email)).any(|user| user.email.as_str() == email);
            (is_listed || !live.users.completeness.is_incomplete()).then_some(!is_listed)
        }
        _ => None,
    }
}

/// Returns whether an account has the status that a mutation set.
fn account(input: &Value, live: &Live) -> Option<bool> {
    let id = input.get("id").and_then(id_in)?;
    let enabled = match input.get("status")?.as_str()? {
        "ACTIVE" => true,
        "DEACTIVATED" => false,
        _ => return None,
    };
    let found = live.user(&id).or_else(|| live.non_members.iter().find(|user| user.id == id))?;
    (found.enabled != Seen::Unreadable).then(|| found.enabled == Seen::Known(enabled))
}

/// Returns whether a user is in a team, or nothing if the user's teams weren't read.
fn is_in(user: &LiveUser, team_id: &Value, live: &Live) -> Option<bool> {
    let teams = user.teams.as_ref()?;
    Some(team(team_id, live).is_some_and(|team| teams.contains_key(&team.name)))
}

/// Returns a team by its id, or by its name if the same plan created it.
fn team<'a>(value: &Value, live: &'a Live) -> Option<&'a LiveTeam> {
    if let Some(created) = reference(value) {
        return live.team(&TeamName::seen(&*created.to.name));
    }
    live.team_with(&id_in(value)?)
}
