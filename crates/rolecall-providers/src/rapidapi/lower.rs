//! From a change to the calls that close it. What gives comes before what takes, and whatever becomes of somebody's
//! account comes first of all that is done with them, unless they leave.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::number::number;
use super::rules::is_admin;
use rolecall_model::{
    Action, Address, AssignableRole, Call, Change, Entity, Live, Memberships, Organization, RemoteId, RoleName,
    Seen, Stage, Team, TeamName, User, Variables, number_of,
};

pub(super) fn lower(change: &Change, live: &Live) -> Vec<Call> {
    if let (Action::Create, Some(Entity::Organization(organization))) = (change.action, &change.after) {
        return vec![create_organization(organization)];
    }
    let Some(organization) = live.organization_id.as_ref() else { return Vec::new() };
    match (change.action, &change.before, &change.after) {
        (Action::Create, _, Some(Entity::Team(team))) => vec![create_team(team, organization)],
        (Action::Update, Some(Entity::Team(before)), Some(Entity::Team(after))) => {
            update_team(before, after).into_iter().collect()
        }
        (Action::Delete, Some(Entity::Team(team)), _) => vec![closing("deleteTeam", json!({ "id": team.id }))],
        (Action::Update, Some(Entity::Organization(before)), Some(Entity::Organization(after))) => {
            vec![update_organization(before, after, organization)]
        }
        (Action::Delete, Some(Entity::Organization(_)), _) => {
            vec![closing("deleteOrganization", json!({ "id": organization }))]
        }
        (Action::Invite, before, Some(Entity::User(user))) => {
            invite(before.as_ref().and_then(Entity::user), user, organization, live)
        }
        // Early, so that it goes together with those that are made anew.
        (Action::Cancel, Some(Entity::User(user)), _) => vec![withdraw(user, organization).at(Stage::Clear)],
        (Action::Delete, Some(Entity::User(user)), _) => set_status(user, "DELETED").into_iter().collect(),
        (_, Some(Entity::User(before)), Some(Entity::User(after))) => user(before, after, organization, live),
        // There is no other call.
        _ => Vec::new(),
    }
}

/// Variables are the fields of an object.
fn closing(operation: &'static str, variables: Value) -> Call {
    let variables = match variables {
        Value::Object(fields) => fields.into_iter().collect(),
        _ => BTreeMap::new(),
    };
    Call::closing(operation, variables)
}

fn create_organization(organization: &Organization) -> Call {
    let Organization { id: _, slug: _, name, email, seats, description, thumbnail, invites } = organization;
    let mut input = json!({ "name": name, "email": email, "seats": seats });
    add(&mut input, "description", description.as_ref());
    add(&mut input, "thumbnail", thumbnail.as_ref());
    if !invites.is_empty() {
        let users = invites.iter().map(|first| json!({ "email": first.email.as_str(), "role": first.role }));
        input["users"] = users.collect();
    }
    closing("createOrganization", json!({ "input": input }))
}

fn create_team(team: &Team, organization: &RemoteId) -> Call {
    let Team { id: _, name, description, thumbnail } = team;
    let mut input = json!({ "organizationId": number(organization), "name": name });
    add(&mut input, "description", description.as_ref());
    add(&mut input, "thumbnail", thumbnail.as_ref());
    closing("createTeam", json!({ "input": input }))
}

fn add(input: &mut Value, field: &str, value: Option<&String>) {
    if let Some(value) = value {
        input[field] = json!(value);
    }
}

/// Partial: what isn't sent is kept. All of it goes out that can be said.
fn update_team(before: &Team, after: &Team) -> Option<Call> {
    let Team { id, name: _, description, thumbnail } = after;
    let mut input = json!({ "id": number(id.as_ref().or(before.id.as_ref())?) });
    add(&mut input, "description", description.as_ref());
    add(&mut input, "thumbnail", thumbnail.as_ref());
    Some(closing("updateTeam", json!({ "input": input })))
}

/// Partial as well. Seats are sent only where they change, since they are what is paid for.
fn update_organization(before: &Organization, after: &Organization, id: &RemoteId) -> Call {
    let Organization { id: _, slug: _, name, email, seats, description, thumbnail, invites: _ } = after;
    let mut input = json!({ "organizationId": number(id), "name": name });
    add(&mut input, "email", email.as_ref());
    add(&mut input, "description", description.as_ref());
    add(&mut input, "thumbnail", thumbnail.as_ref());
    if let Some(seats) = seats.filter(|_| *seats != before.seats) {
        input["seats"] = json!(seats);
    }
    closing("updateOrganization", json!({ "input": input }))
}

fn withdraw(user: &User, organization: &RemoteId) -> Call {
    // Spelled as it is listed: that may be what tells two of them apart.
    let input = json!({ "emails": [user.email.as_str()], "orgId": number(organization) });
    closing("deleteUserInvites", json!({ "input": input }))
}

/// Any number of invitations is taken back by one call.
pub(super) fn merged(operation: &str, variables: &[&Variables]) -> Option<Variables> {
    if operation != "deleteUserInvites" {
        return None;
    }
    let inputs: Vec<&Value> = variables.iter().filter_map(|variables| variables.get("input")).collect();
    let emails = inputs.iter().filter_map(|input| input.get("emails")?.as_array()).flatten().cloned();
    let mut merged = (*inputs.first()?).clone();
    merged["emails"] = emails.collect();
    Some(Variables::from([("input".to_owned(), merged)]))
}

/// An invitation can't be changed: the earlier one is taken back first.
fn invite(before: Option<&User>, user: &User, organization: &RemoteId, live: &Live) -> Vec<Call> {
    let mut calls = Vec::new();
    if let Some(earlier) = before.filter(|before| before.invited) {
        calls.push(withdraw(earlier, organization).at(Stage::Clear));
    }
    if let Some(account) = before.filter(|before| before.outside) {
        calls.extend(set_status(account, "ACTIVE").map(|call| call.at(Stage::Widen)));
    }
    let teams = user.teams.iter().flat_map(Memberships::keys).map(|team| team_id(team, live));
    let input = json!({
        "email": user.email.key(),
        "teamIds": teams.collect::<Vec<Value>>(),
        "organizationId": number(organization),
        "role": user.roles.first(),
    });
    calls.push(closing("createUserInvites", json!({ "input": input })));
    calls
}

/// Of a team that isn't there yet, what stands for its id.
fn team_id(name: &TeamName, live: &Live) -> Value {
    live.team(name).map_or_else(|| number_of(&Address::team(name)), |team| number(&team.id))
}

fn set_status(user: &User, status: &str) -> Option<Call> {
    let input = json!({ "id": user.id.as_ref()?, "status": status });
    Some(closing("updateUser", json!({ "input": input })))
}

/// All of what differs, each part by a call of its own.
fn user(before: &User, after: &User, organization: &RemoteId, live: &Live) -> Vec<Call> {
    let Some(id) = after.id.as_ref() else { return Vec::new() };
    let switched = |to: bool| after.enabled == Seen::Known(to) && before.enabled != after.enabled;
    let mut calls = Vec::new();
    if after.outside && !before.outside {
        let variables = json!({ "orgId": number(organization), "email": after.email.as_str() });
        // Roles outlast a membership: whoever comes back must not be an admin for it.
        let default = live.assignable.as_ref().and_then(|roles| roles.by_default());
        if let Some(role) = default.filter(|_| is_admin(live, &before.roles)) {
            calls.push(give(id, &role.id, organization).at(Stage::Narrow));
        }
        calls.push(closing("removeTeamUserFromAllOrgTeams", variables).at(Stage::Narrow).alone());
        // Whoever leaves uses nothing meanwhile.
        let status = if switched(true) { Some("ACTIVE") } else { switched(false).then_some("DEACTIVATED") };
        calls.extend(status.and_then(|status| set_status(after, status)).map(|call| call.at(Stage::Narrow)));
        return calls;
    }
    if switched(true) {
        calls.extend(set_status(after, "ACTIVE").map(|call| call.at(Stage::Widen)));
    } else if switched(false) {
        calls.extend(set_status(after, "DEACTIVATED").map(|call| call.at(Stage::Narrow)));
    }
    if !after.outside {
        // What is as wished is sent as well where that was asked for.
        let asserted = before == after;
        let before_teams = before.teams.clone().unwrap_or_default();
        let after_teams = after.teams.clone().unwrap_or_default();
        calls.extend(join(before, after, id, live));
        calls.extend(role_calls(id, Some(&before_teams).filter(|_| !asserted), &after_teams, organization, live));
        if (asserted || before.roles != after.roles)
            && let Some(role) =
                role_id(after.roles.first(), live.assignable.iter().flat_map(|it| &it.organization))
        {
            let widens = is_admin(live, &after.roles);
            let stage = if widens { Stage::Widen } else { Stage::Narrow };
            calls.push(give(id, role, organization).at(stage));
        }
        let demoted = is_admin(live, &before.roles) && !is_admin(live, &after.roles);
        let stays = after_teams.is_empty() || before_teams.keys().any(|team| after_teams.contains_key(team));
        for team in before_teams.keys().filter(|team| after.teams.is_some() && !after_teams.contains_key(*team)) {
            let input = json!({
                "orgId": number(organization),
                "teamUserId": number(id),
                "teamToRemove": team_id(team, live),
            });
            let call = closing("updateTeamUser", json!({ "input": input })).at(Stage::Narrow);
            // Whoever administrates the organisation is in every team of it, and nobody is left in none for a call that fails.
            calls.push(if demoted || !stays { call } else { call.alone() });
        }
    }
    if switched(false) {
        // What they get must not be theirs for a moment before.
        calls = calls.into_iter().map(|call| call.at(Stage::Narrow)).collect();
    }
    calls
}

/// Gives somebody their one role in the organisation.
fn give(user: &RemoteId, role: &RemoteId, organization: &RemoteId) -> Call {
    let input = json!({ "entityId": number(user), "roleId": number(role), "orgId": number(organization) });
    closing("updateUserRoles", json!({ "input": input }))
}

/// Puts somebody into all of the teams that they aren't in, by one call. Whoever ceases to be an admin is put into all
/// that they are to stay in: it isn't documented whether they are in them by themselves.
fn join(before: &User, after: &User, id: &RemoteId, live: &Live) -> Option<Call> {
    let (had, has) = (before.teams.as_ref(), after.teams.as_ref()?);
    let is_in = |team: &&TeamName| had.is_some_and(|had| had.contains_key(*team));
    let demoted = is_admin(live, &before.roles);
    let asserted = before == after;
    let new: Vec<Value> =
        has.keys().filter(|team| demoted || asserted || !is_in(team)).map(|team| team_id(team, live)).collect();
    let variables = json!({ "userId": number(id), "teamIds": new });
    (!new.is_empty()).then(|| closing("addUserToTeams", variables).at(Stage::Widen))
}

/// Gives somebody their roles in teams. Whoever comes has the default one, or the one that they once had. `before`: none
/// where all are sent.
fn role_calls(
    id: &RemoteId,
    before: Option<&Memberships>,
    after: &Memberships,
    organization: &RemoteId,
    live: &Live,
) -> Vec<Call> {
    let roles = || live.assignable.iter().flat_map(|it| &it.team);
    let default = live.assignable.as_ref().and_then(|roles| roles.by_default_in_teams()).map(|role| &role.name);
    let stale_team_roles = live.users.items.iter().find(|user| user.id == *id).map(|user| &user.stale_team_roles);
    let mut calls = Vec::new();
    for (team, role) in after {
        let Some(role) = role else { continue };
        let is_in = before.is_none_or(|before| before.contains_key(team));
        let had = match before.map(|before| before.get(team)) {
            Some(Some(had)) => had.as_ref(),
            Some(None) => stale_team_roles.and_then(|roles| roles.get(team)).or(default),
            None => None,
        };
        if had == Some(role) {
            continue;
        }
        let Some(role) = role_id(Some(role), roles()) else { continue };
        let input = json!({
            "entityId": number(id),
            "roleId": number(role),
            "orgId": number(organization),
            "parentId": team_id(team, live),
        });
        let call = closing("upsertEntityRole", json!({ "input": input })).at(Stage::Widen);
        // Whoever is there already waits for nothing.
        calls.push(if is_in { call.alone() } else { call });
    }
    calls
}

fn role_id<'a>(name: Option<&RoleName>, among: impl Iterator<Item = &'a AssignableRole>) -> Option<&'a RemoteId> {
    let name = name?;
    among.into_iter().find(|role| role.name == *name).map(|role| &role.id)
}
