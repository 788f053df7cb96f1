//! Lowers a change to the mutations that make it. A mutation that grants access comes before one that revokes it.
//! A change of a user's account comes first of all, unless the user leaves the organisation.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::number::number;
use super::rules::is_admin;
use rolecall_model::{
    Action, Address, AssignableRole, Change, Entity, Live, LoweredMutation, Memberships, Organization, RemoteId,
    RoleName, Seen, Stage, Team, TeamName, User, Variables, number_of,
};

pub(super) fn lower(change: &Change, live: &Live) -> Vec<LoweredMutation> {
    if let (Action::Create, Some(Entity::Organization(organization))) = (change.action, &change.after) {
        return vec![create_organization(organization)];
    }
    let Some(organization) = live.organization_id.as_ref() else { return Vec::new() };
    match (change.action, &change.before, &change.after) {
        (Action::Create, _, Some(Entity::Team(team))) => vec![create_team(team, organization)],
        (Action::Update, Some(Entity::Team(before)), Some(Entity::Team(after))) => {
            update_team(before, after).into_iter().collect()
        }
        (Action::Delete, Some(Entity::Team(team)), _) => vec![lowered("deleteTeam", json!({ "id": team.id }))],
        (Action::Update, Some(Entity::Organization(before)), Some(Entity::Organization(after))) => {
            vec![update_organization(before, after, organization)]
        }
        (Action::Delete, Some(Entity::Organization(_)), _) => {
            vec![lowered("deleteOrganization", json!({ "id": organization }))]
        }
        (Action::Invite, before, Some(Entity::User(user))) => {
            invite(before.as_ref().and_then(Entity::user), user, organization, live)
        }
        // The early stage lets it be merged with the cancellations that precede new invitations.
        (Action::Cancel, Some(Entity::User(user)), _) => vec![cancel(user, organization).at(Stage::Clear)],
        (Action::Delete, Some(Entity::User(user)), _) => set_status(user, "DELETED").into_iter().collect(),
        (_, Some(Entity::User(before)), Some(Entity::User(after))) => {
            update_user(before, after, organization, live)
        }
        // The API has no other operation.
        _ => Vec::new(),
    }
}

/// Returns a mutation whose variables are the fields of an object.
fn lowered(operation: &'static str, variables: Value) -> LoweredMutation {
    let variables = match variables {
        Value::Object(fields) => fields.into_iter().collect(),
        _ => BTreeMap::new(),
    };
    LoweredMutation::new(operation, variables)
}

fn create_organization(organization: &Organization) -> LoweredMutation {
    let Organization { id: _, slug: _, name, email, seats, description, thumbnail, invites } = organization;
    let mut input = json!({ "name": name, "email": email, "seats": seats });
    insert_if_some(&mut input, "description", description.as_ref());
    insert_if_some(&mut input, "thumbnail", thumbnail.as_ref());
    if !invites.is_empty() {
        let users = invites.iter().map(|invite| json!({ "email": invite.email.as_str(), "role": invite.role }));
        input["users"] = users.collect();
    }
    lowered("createOrganization", json!({ "input": input }))
}

fn create_team(team: &Team, organization: &RemoteId) -> LoweredMutation {
    let Team { id: _, name, description, thumbnail } = team;
    let mut input = json!({ "organizationId": number(organization), "name": name });
    insert_if_some(&mut input, "description", description.as_ref());
    insert_if_some(&mut input, "thumbnail", thumbnail.as_ref());
    lowered("createTeam", json!({ "input": input }))
}

fn insert_if_some(input: &mut Value, field: &str, value: Option<&String>) {
    if let Some(value) = value {
        input[field] = json!(value);
    }
}

/// Returns the mutation that updates a team. The update is partial, but all known fields are sent. The name is sent only
/// if it changes, because a team that shares it with another one has its id in it.
fn update_team(before: &Team, after: &Team) -> Option<LoweredMutation> {
    let Team { id, name, description, thumbnail } = after;
    let mut input = json!({ "id": number(id.as_ref().or(before.id.as_ref())?) });
    if *name != before.name {
        input["name"] = json!(name);
    }
    insert_if_some(&mut input, "description", description.as_ref());
    insert_if_some(&mut input, "thumbnail", thumbnail.as_ref());
    Some(lowered("updateTeam", json!({ "input": input })))
}

/// Returns the mutation that updates the organisation. The update is partial. Seats cost money, so they are sent
/// only if they change.
fn update_organization(before: &Organization, after: &Organization, id: &RemoteId) -> LoweredMutation {
    let Organization { id: _, slug: _, name, email, seats, description, thumbnail, invites: _ } = after;
    let mut input = json!({ "organizationId": number(id), "name": name });
    insert_if_some(&mut input, "email", email.as_ref());
    insert_if_some(&mut input, "description", description.as_ref());
    insert_if_some(&mut input, "thumbnail", thumbnail.as_ref());
    if let Some(seats) = seats.filter(|_| *seats != before.seats) {
        input["seats"] = json!(seats);
    }
    lowered("updateOrganization", json!({ "input": input }))
}

/// Returns the mutation that cancels an invitation.
fn cancel(user: &User, organization: &RemoteId) -> LoweredMutation {
    // Two invitations may differ only in the spelling of the address, so it is sent exactly as it is listed.
    let input = json!({ "emails": [user.email.as_str()], "orgId": number(organization) });
    lowered("deleteUserInvites", json!({ "input": input }))
}

/// Returns the variables of one mutation that cancels several invitations.
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

/// Returns the mutations that invite a user. The API can't change an invitation, so an open one is cancelled
/// first.
fn invite(before: Option<&User>, user: &User, organization: &RemoteId, live: &Live) -> Vec<LoweredMutation> {
    let mut mutations = Vec::new();
    if let Some(earlier) = before.filter(|before| before.invited) {
        mutations.push(cancel(earlier, organization).at(Stage::Clear));
    }
    if let Some(account) = before.filter(|before| before.outside) {
        mutations.extend(set_status(account, "ACTIVE").map(|mutation| mutation.at(Stage::Widen)));
    }
    let teams = user.teams.iter().flat_map(Memberships::keys).map(|team| team_id(team, live));
    let input = json!({
        "email": user.email.key(),
        "teamIds": teams.collect::<Vec<Value>>(),
        "organizationId": number(organization),
        "role": user.roles.first(),
    });
    mutations.push(lowered("createUserInvites", json!({ "input": input })));
    mutations
}

/// Returns the id of a team. If an earlier mutation of the plan creates the team, that is a reference to it.
fn team_id(name: &TeamName, live: &Live) -> Value {
    live.team(name).map_or_else(|| number_of(&Address::team(name)), |team| number(&team.id))
}

fn set_status(user: &User, status: &str) -> Option<LoweredMutation> {
    let input = json!({ "id": user.id.as_ref()?, "status": status });
    Some(lowered("updateUser", json!({ "input": input })))
}

/// Returns one mutation for each difference between a user and the desired user.
///
/// For example, Jane joins the team Platform as its admin and leaves the team Legacy. That takes three mutations:
/// `addUserToTeams` and `upsertEntityRole` grant, and `updateTeamUser` revokes afterwards. If Jane is deactivated
/// by the same change, all of them move behind that, so that she gets nothing while she is still active.
fn update_user(before: &User, after: &User, organization: &RemoteId, live: &Live) -> Vec<LoweredMutation> {
    let Some(id) = after.id.as_ref() else { return Vec::new() };
    let switches_to = |to: bool| after.enabled == Seen::Known(to) && before.enabled != after.enabled;
    let mut mutations = Vec::new();
    if after.outside && !before.outside {
        let variables = json!({ "orgId": number(organization), "email": after.email.as_str() });
        // A role outlives the membership. Without this, an admin who is removed and later rejoins would be an
        // admin again.
        let default = live.assignable.as_ref().and_then(|roles| roles.default_in_organization());
        if let Some(role) = default.filter(|_| is_admin(live, &before.roles)) {
            mutations.push(set_organization_role(id, &role.id, organization).at(Stage::Narrow));
        }
        mutations.push(lowered("removeTeamUserFromAllOrgTeams", variables).at(Stage::Narrow).independent());
        // A user who leaves needs no access meanwhile, so their account is changed last.
        let status = if switches_to(true) { Some("ACTIVE") } else { switches_to(false).then_some("DEACTIVATED") };
        mutations.extend(
            status.and_then(|status| set_status(after, status)).map(|mutation| mutation.at(Stage::Narrow)),
        );
        return mutations;
    }
    if switches_to(true) {
        mutations.extend(set_status(after, "ACTIVE").map(|mutation| mutation.at(Stage::Widen)));
    } else if switches_to(false) {
        mutations.extend(set_status(after, "DEACTIVATED").map(|mutation| mutation.at(Stage::Narrow)));
    }
    if !after.outside {
        // A change without a difference comes from `--assert`: then everything is sent again.
        let asserted = before == after;
        let before_teams = before.teams.clone().unwrap_or_default();
        let after_teams = after.teams.clone().unwrap_or_default();
        mutations.extend(join(before, after, id, live));
        mutations.extend(role_mutations(
            id,
            Some(&before_teams).filter(|_| !asserted),
            &after_teams,
            organization,
            live,
        ));
        if (asserted || before.roles != after.roles)
            && let Some(role) =
                role_id(after.roles.first(), live.assignable.iter().flat_map(|it| &it.organization))
        {
            let is_promotion = is_admin(live, &after.roles);
            let stage = if is_promotion { Stage::Widen } else { Stage::Narrow };
            mutations.push(set_organization_role(id, role, organization).at(stage));
        }
        let demoted = is_admin(live, &before.roles) && !is_admin(live, &after.roles);
        let keeps_a_team =
            after_teams.is_empty() || before_teams.keys().any(|team| after_teams.contains_key(team));
        for team in before_teams.keys().filter(|team| after.teams.is_some() && !after_teams.contains_key(*team)) {
            let input = json!({
                "orgId": number(organization),
                "teamUserId": number(id),
                "teamToRemove": team_id(team, live),
            });
            let mutation = lowered("updateTeamUser", json!({ "input": input })).at(Stage::Narrow);
            // An admin is in every team, so the demotion has to come first. And if no earlier team is kept, the
            // user first has to be in a new one: otherwise a failure could leave them without any.
            mutations.push(if demoted || !keeps_a_team { mutation } else { mutation.independent() });
        }
    }
    if switches_to(false) {
        // The user must not have the new access even for a moment before they are deactivated.
        mutations = mutations.into_iter().map(|mutation| mutation.at(Stage::Narrow)).collect();
    }
    mutations
}

/// Returns the mutation that sets a user's role in the organisation. A user has exactly one.
fn set_organization_role(user: &RemoteId, role: &RemoteId, organization: &RemoteId) -> LoweredMutation {
    let input = json!({ "entityId": number(user), "roleId": number(role), "orgId": number(organization) });
    lowered("updateUserRoles", json!({ "input": input }))
}

/// Returns the mutation that adds a user to all new teams at once. A demoted admin is added to all teams that they
/// keep, because the documentation doesn't say whether they stay in them otherwise.
fn join(before: &User, after: &User, id: &RemoteId, live: &Live) -> Option<LoweredMutation> {
    let (before_teams, after_teams) = (before.teams.as_ref(), after.teams.as_ref()?);
    let is_in = |team: &&TeamName| before_teams.is_some_and(|teams| teams.contains_key(*team));
    let demoted = is_admin(live, &before.roles);
    let asserted = before == after;
    let new: Vec<Value> = after_teams
        .keys()
        .filter(|team| demoted || asserted || !is_in(team))
        .map(|team| team_id(team, live))
        .collect();
    let variables = json!({ "userId": number(id), "teamIds": new });
    (!new.is_empty()).then(|| lowered("addUserToTeams", variables).at(Stage::Widen))
}

/// Returns the mutations that set a user's roles in teams. A user who joins a team has the default role, or the
/// stale role of an earlier membership. Without `before` all roles are sent.
fn role_mutations(
    id: &RemoteId,
    before: Option<&Memberships>,
    after: &Memberships,
    organization: &RemoteId,
    live: &Live,
) -> Vec<LoweredMutation> {
    let roles = || live.assignable.iter().flat_map(|it| &it.team);
    let default = live.assignable.as_ref().and_then(|roles| roles.default_in_teams()).map(|role| &role.name);
    let stale_team_roles = live.user(id).map(|user| &user.stale_team_roles);
    let mut mutations = Vec::new();
    for (team, role) in after {
        let Some(role) = role else { continue };
        let is_in = before.is_none_or(|before| before.contains_key(team));
        let current = match before.map(|before| before.get(team)) {
            Some(Some(role)) => role.as_ref(),
            Some(None) => stale_team_roles.and_then(|roles| roles.get(team)).or(default),
            None => None,
        };
        if current == Some(role) {
            continue;
        }
        let Some(role) = role_id(Some(role), roles()) else { continue };
        let input = json!({
            "entityId": number(id),
            "roleId": number(role),
            "orgId": number(organization),
            "parentId": team_id(team, live),
        });
        let mutation = lowered("upsertEntityRole", json!({ "input": input })).at(Stage::Widen);
        // A user who is in the team already can get the role at any time.
        mutations.push(if is_in { mutation.independent() } else { mutation });
    }
    mutations
}

fn role_id<'a>(name: Option<&RoleName>, among: impl Iterator<Item = &'a AssignableRole>) -> Option<&'a RemoteId> {
    let name = name?;
    among.into_iter().find(|role| role.name == *name).map(|role| &role.id)
}
