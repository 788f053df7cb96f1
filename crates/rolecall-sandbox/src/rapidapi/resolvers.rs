//! The fields that need code: queries, mutations, and fields that depend on the caller or lead to other objects.
//! Everything else is in the objects themselves.

use serde::Deserialize;
use serde_json::{Value, json};

use super::Shared;
use super::caller::{ApiError, Caller};
use super::listing::{
    PaginationInput, PagingArgs, TeamUser, UserWhereInput, find_users, page, page_size, paginated_people,
};
use super::rules::{MINIMUM_SEATS, not_found};
use super::scalars::{count, from_int, from_text};
use super::shown;
use super::switches::{DeletedTeams, Generation, Refusal};
use super::world::{
    ORGANIZATION, TEAM_ENVIRONMENT, USER_ENVIRONMENT, USER_ORGANIZATION, World, WorldApp, WorldOrganization,
    WorldSubscription, WorldTeam,
};
use crate::engine::{Field, FieldError, Resolved, Resolvers};

/// One request.
pub struct Call<'a> {
    pub shared: &'a Shared,
    pub caller: Caller,
}

impl From<ApiError> for FieldError {
    fn from(ApiError { code, message }: ApiError) -> Self {
        Self::coded(code, message)
    }
}

impl Resolvers for Call<'_> {
    fn resolve(&self, field: &Field<'_>) -> Resolved {
        let (mut world, caller) = (self.shared.lock(), self.caller);
        match field.on {
            "Query" => query(&world, caller, field),
            "Mutation" => mutation(&mut world, caller, field),
            "Organization" => organization(&world, caller, field),
            "Team" => team(&world, caller, field),
            "User" => user(&world, caller, field),
            _ => other(&world, caller, field),
        }
    }
}

/// Returns an id that an object has in one of its fields, as a text or as a number.
fn id_in(object: &Value, name: &str) -> u64 {
    let id = &object[name];
    id.as_str().map_or(id.as_u64(), |id| id.parse().ok()).unwrap_or_default()
}

/// Reads an argument that is an id.
fn id(field: &Field<'_>, name: &str) -> Result<u64, FieldError> {
    Ok(from_text(&field.argument::<String>(name)?)?)
}

fn organization_of(world: &World, id: u64) -> Result<&WorldOrganization, ApiError> {
    world.organization_by_id(id).ok_or_else(|| not_found("organization", id))
}

/// Shows the teams that lists show.
fn listed_teams(world: &World, teams: &[WorldTeam]) -> Value {
    let hides = world.switches.deleted_teams == DeletedTeams::Hidden;
    teams.iter().filter(|team| !(hides && team.deleted)).map(|team| shown::team(world, team)).collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OrganizationWhereInput {
    user_id: Option<String>,
    slugified_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TeamWhereInput {
    slugified_name: Option<String>,
    org_id: Option<i32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RoleWhereInput {
    role_levels: Option<Vec<Option<String>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EntityRoleWhereInput {
    entity_ids: Vec<i32>,
    org_id: Option<i32>,
    parent_ids: Option<Vec<Option<i32>>>,
}

/// An order by the one field that rows can be ordered by.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OrderBy {
    sorting_fields: Option<Vec<Sorting>>,
}

#[derive(Deserialize)]
struct Sorting {
    by: String,
}

/// Orders rows, if the request asks for an order.
fn order<T, K: Ord>(field: &Field<'_>, rows: &mut [T], key: impl Fn(&T) -> K) -> Result<(), FieldError> {
    let asked: Option<OrderBy> = field.argument("orderBy")?;
    if let Some(Sorting { by }) = asked.and_then(|by| by.sorting_fields?.into_iter().next()) {
        rows.sort_by_key(key);
        if by == "DESC" {
            rows.reverse();
        }
    }
    Ok(())
}

fn query(world: &World, caller: Caller, field: &Field<'_>) -> Resolved {
    let most = world.switches.page_max;
    let pagination = || field.argument::<Option<PaginationInput>>("pagination");
    let value = match field.name {
        "ping" => json!("pong"),
        "getMinimumSeats" => json!(MINIMUM_SEATS),
        "activeUser" => world.user_by_id(caller.user).map_or(Value::Null, |user| shown::user(world, user, None)),
        // The team or the user to which the key belongs.
        "activeEntity" => shown::entity(world, caller.team.unwrap_or(caller.user)),
        // Another user's record needs an environment admin with a personal key.
        "user" => {
            let id = id(field, "id")?;
            if id != caller.user {
                caller.require_environment_admin(world)?;
            }
            world.user_by_id(id).map_or(Value::Null, |user| shown::user(world, user, None))
        }
        "users" => {
            let (users, total) = find_users(world, caller, &field.argument::<UserWhereInput>("where")?)?;
            let users: Value = users.into_iter().map(|user| shown::user(world, user, None)).collect();
            match world.switches.generation {
                Generation::August2023 => users,
                Generation::Documented => json!({ "nodes": users, "totalCount": total }),
            }
        }
        "organization" => {
            let organization = organization_of(world, id(field, "id")?)?;
            caller.require_read(world, organization.id)?;
            shown::organization(world, organization)
        }
        // The organisations that the caller administrates. Others are left out silently.
        "organizations" => {
            caller.require_team_context()?;
            let filter: Option<OrganizationWhereInput> = field.argument("where")?;
            let (user, slug) = filter.map_or((None, None), |it| (it.user_id, it.slugified_name));
            let user = user.map_or(Ok(caller.user), |id| from_text(&id))?;
            let all = world.organizations.iter().filter(|it| world.is_org_admin(it.id, caller.user));
            let of_user = all.filter(|it| it.member(user).is_some());
            let named = of_user.filter(|it| slug.as_ref().is_none_or(|slug| it.slug == *slug));
            named.map(|it| shown::organization(world, it)).collect()
        }
        // Finds organisations by a part of the name. Every caller finds all of them.
        "searchOrganizations" => {
            let term = field.argument::<Option<String>>("term")?.unwrap_or_default().to_lowercase();
            let found = world.organizations.iter().filter(|it| it.name.to_lowercase().contains(&term));
            let limit = page_size(field.argument("limit")?, most)?;
            found.take(limit).map(|it| shown::entity(world, it.id)).collect()
        }
        "team" => {
            let found = world.team(id(field, "id")?).filter(|(_, team)| world.is_in_team(team.id, caller.user));
            let (_, team) = found.ok_or_else(|| ApiError::forbidden("this needs a member of the team"))?;
            shown::team(world, team)
        }
        "teams" => teams(world, caller, field.argument("where")?)?,
        "paginatedTeamUsersByOrganizationIdV2" => {
            caller.require_team_context()?;
            let organization = organization_of(world, from_int(field.argument("orgId")?)?)?;
            caller.require_member(world, organization.id)?;
            let asked: Option<PagingArgs> = field.argument("pagingArgs")?;
            paginated_people(world, organization, asked.unwrap_or_default())?
        }
        // The addresses that are already invited. The documentation doesn't describe the answer: this one is ours.
        "checkIfEmailsAlreadyInvited" => {
            let organization = organization_of(world, id(field, "orgId")?)?;
            caller.require_read(world, organization.id)?;
            let emails: Vec<Option<String>> = field.argument("emails")?;
            let invited = emails.into_iter().flatten().filter(|email| organization.invitation(email).is_some());
            invited.collect()
        }
        "roles" => {
            let RoleWhereInput { role_levels: levels } = field.argument("where")?;
            let is_wanted = |level: &String| {
                levels.as_ref().is_none_or(|levels| levels.iter().flatten().any(|it| it == level))
            };
            let mut roles: Vec<_> = world.roles.iter().filter(|role| is_wanted(&role.level)).collect();
            order(field, &mut roles, |role| role.name.clone())?;
            let rows = roles.into_iter().map(|role| (role.id, shown::role(role))).collect();
            page(rows, pagination()?, most)?
        }
        "entitiesRoles" => page(entities_roles(world, caller, field)?, pagination()?, most)?,
        "applicationAuthorizations" => {
            let project: Value = field.argument("where")?;
            let id = from_text(project["projectId"].as_str().unwrap_or_default())?;
            let app = world.apps.iter().find(|app| app.id == id).ok_or_else(|| not_found("project", id))?;
            caller.require_key_read(world, app.owner)?;
            keys(world, app)
        }
        _ => return Ok(None),
    };
    Ok(Some(value))
}

/// Lists the teams of an organisation, which the filter names by its id or by its slug. The caller has to be a
/// member.
fn teams(world: &World, caller: Caller, filter: Option<TeamWhereInput>) -> Result<Value, ApiError> {
    let organization = match filter {
        Some(TeamWhereInput { org_id: Some(id), .. }) => world.organization_by_id(from_int(id)?),
        Some(TeamWhereInput { slugified_name: Some(slug), .. }) => {
            world.organizations.iter().find(|it| it.slug == slug)
        }
        _ => return Err(ApiError::bad_input("`orgId` or `slugifiedName` is needed")),
    };
    // An organisation that doesn't exist has no members, so its answer is the same.
    caller.require_member(world, organization.map_or(0, |it| it.id))?;
    Ok(listed_teams(world, organization.map(|it| &*it.teams).unwrap_or_default()))
}

/// Lists assignments of roles. Without `parentIds` these are roles in the organisation and in its teams.
fn entities_roles(world: &World, caller: Caller, field: &Field<'_>) -> Result<Vec<(u64, Value)>, FieldError> {
    let EntityRoleWhereInput { entity_ids, org_id, parent_ids } = field.argument("where")?;
    let ids = |given: Vec<i32>| given.into_iter().map(from_int).collect::<Result<Vec<_>, _>>();
    let (entities, org) = (ids(entity_ids)?, org_id.map(from_int).transpose()?);
    let parents = parent_ids.map(|given| ids(given.into_iter().flatten().collect())).transpose()?;
    match org {
        Some(org) => caller.require_read(world, org)?,
        None if caller.is_environment_admin(world) || entities == [caller.user] => {}
        None => return Err(ApiError::forbidden("this needs an environment admin").into()),
    }
    let fits =
        |parent: Option<u64>| parents.as_ref().is_none_or(|them| parent.is_some_and(|it| them.contains(&it)));
    let mut rows: Vec<_> = world.assignments.iter().filter(|row| entities.contains(&row.entity)).collect();
    rows.retain(|row| (org.is_none() || row.org == org) && fits(row.parent));
    order(field, &mut rows, |row| row.id)?;
    Ok(rows.into_iter().map(|row| (row.id, shown::assignment(world, row))).collect())
}

/// Runs a mutation. With the switch [`Refusal::Null`] a refused one answers null and reports no error, if its answer
/// can be null. Another switch sets the answer of a successful one that answers with a Boolean.
fn mutation(world: &mut World, caller: Caller, field: &Field<'_>) -> Resolved {
    let can_be_null = !matches!(field.name, "createOrganization" | "deleteOrganization");
    let answer = match change(world, caller, field) {
        Ok(Value::Bool(true)) if can_be_null => json!(world.switches.booleans),
        Ok(Value::Bool(true)) => json!(world.switches.booleans.unwrap_or(true)),
        Ok(answer) => answer,
        Err(_) if can_be_null && world.switches.refusal == Refusal::Null => Value::Null,
        Err(why) => return Err(why),
    };
    Ok(Some(answer))
}

fn change(world: &mut World, caller: Caller, field: &Field<'_>) -> Result<Value, FieldError> {
    let done = match field.name {
        "createOrganization" => {
            let id = world.create_organization(caller, field.argument("input")?)?;
            return Ok(shown::organization(world, organization_of(world, id)?));
        }
        "updateOrganization" => {
            let id = world.update_organization(caller, field.argument("input")?)?;
            return Ok(shown::organization(world, organization_of(world, id)?));
        }
        "createTeam" | "updateTeam" => {
            let id = if field.name == "createTeam" {
                world.create_team(caller, field.argument("input")?)?
            } else {
                world.update_team(caller, field.argument("input")?)?
            };
            return Ok(world.team(id).map_or(Value::Null, |(_, team)| shown::team(world, team)));
        }
        "updateUser" => {
            let user = world.update_user(caller, field.argument("input")?)?;
            return Ok(json!({ "status": user.status }));
        }
        "deleteOrganization" => {
            world.delete_organization(caller, &field.argument::<String>("id")?)?;
            true
        }
        "deleteTeam" => world.delete_team(caller, &field.argument::<String>("id")?)?,
        "addUserToTeams" => {
            world.add_user_to_teams(caller, field.argument("userId")?, field.argument("teamIds")?)?
        }
        "updateTeamUser" => world.update_team_user(caller, input(field)?)?,
        "removeTeamUserFromAllOrgTeams" => {
            let email: String = field.argument("email")?;
            world.remove_from_organization(caller, field.argument("orgId")?, &email)?
        }
        "createUserInvites" => world.create_user_invites(caller, input(field)?)?,
        // The documentation doesn't describe the answer.
        "deleteUserInvites" => world.delete_user_invites(caller, field.argument("input")?)?,
        "reactivateUserInvites" => world.reactivate_user_invites(caller, field.argument("input")?)?,
        "updateUserRoles" => world.update_user_roles(caller, &input(field)?)?,
        "upsertEntityRole" => world.upsert_entity_role(caller, &input(field)?)?,
        // The documentation doesn't say whether it adds roles or replaces them.
        "createEntitiesRoles" => {
            return Err(ApiError::unprocessable("several roles can't be given at once").into());
        }
        // Deletes an account. `updateUser` with a status is the other way to do it.
        "deleteUser" => {
            let (id, mashape_id): (String, String) = (field.argument("id")?, field.argument("mashapeId")?);
            world.delete_user(caller, &id, &mashape_id)?
        }
        _ => return Err(FieldError::new(format!("the sandbox has no `{}`", field.name))),
    };
    Ok(json!(done))
}

/// Reads an input that the schema lets be null, although the mutation needs it.
fn input<T: serde::de::DeserializeOwned>(field: &Field<'_>) -> Result<T, FieldError> {
    field.argument::<Option<T>>("input")?.ok_or_else(|| ApiError::bad_input("`input` is needed").into())
}

fn organization(world: &World, caller: Caller, field: &Field<'_>) -> Resolved {
    let id = id_in(field.object, "id");
    let Some(organization) = world.organization_by_id(id) else { return Ok(Some(Value::Null)) };
    let value = match field.name {
        // All teams, without pages. The argument selects the organisation for which each team's role is shown.
        "teams" => {
            caller.require_read(world, id)?;
            listed_teams(world, &organization.teams)
        }
        // All members, also deactivated ones, but nobody who is only invited.
        "users" => {
            caller.require_read(world, id)?;
            let role_in = field.argument::<Option<bool>>("roleInOrgCtx")?.filter(|asked| *asked).map(|_| id);
            let users = organization.members.iter().filter_map(|member| world.user_by_id(member.user));
            users.map(|user| shown::user(world, user, role_in)).collect()
        }
        "isOrganizationAdmin" => json!(world.is_org_admin(id, caller.user)),
        "role" => json!(world.assignment(ORGANIZATION, id, None, None).map(|row| shown::assignment(world, row))),
        "apis" => {
            caller.require_admin_read(world, id)?;
            world.apis_of(organization).map(|api| shown::api(world, api)).collect()
        }
        // Subscriptions of the organisation's teams to APIs of others, or to its own.
        "externalSubscriptions" | "internalSubscriptions" => {
            caller.require_admin_read(world, id)?;
            let to_own = field.name == "internalSubscriptions";
            let is_own = |it: &WorldSubscription| {
                world.apis.iter().any(|api| api.id == it.api && organization.team(api.owner).is_some())
            };
            let of_teams = world.subscriptions.iter().filter(|it| organization.team(it.entity).is_some());
            of_teams.filter(|it| is_own(it) == to_own).map(|it| shown::subscription(world, it)).collect()
        }
        // The apps of all teams.
        "ProjectAcls" => {
            caller.require_admin_read(world, id)?;
            let apps = organization.teams.iter().flat_map(|team| world.apps_of(team.id));
            apps.map(|app| shown::owned_for_admins(world, app)).collect()
        }
        _ => return Ok(None),
    };
    Ok(Some(value))
}

fn team(world: &World, caller: Caller, field: &Field<'_>) -> Resolved {
    let id = id_in(field.object, "id");
    let Some((organization, team)) = world.team(id) else { return Ok(Some(Value::Null)) };
    let value = match field.name {
        // Members. Invited people appear only in the paginated list.
        "users" => {
            caller.require_read(world, organization.id)?;
            let members = team.members.iter().filter_map(|user| organization.member(*user));
            json!(members.map(|it| TeamUser::of_member(world, organization, it)).collect::<Vec<_>>())
        }
        "isTeamMember" => json!(world.is_in_team(id, caller.user)),
        "ProjectAcls" => {
            caller.require_read(world, organization.id)?;
            world.apps_of(id).map(|app| shown::owned(world, app)).collect()
        }
        // The team's own role. Its members have roles of their own. Both ids have to be the organisation's
        // (docs.rapidapi.com, Organizations).
        "role" => {
            let place: Value = field.argument("where")?;
            let is_here = ["parentId", "orgId"].iter().all(|name| id_in(&place, name) == organization.id);
            let here = Some(organization.id);
            let row = world.assignment(TEAM_ENVIRONMENT, id, here, here).filter(|_| is_here);
            json!(row.map(|row| shown::assignment(world, row)))
        }
        _ => return Ok(None),
    };
    Ok(Some(value))
}

fn user(world: &World, caller: Caller, field: &Field<'_>) -> Resolved {
    let id = id_in(field.object, "id");
    let value = match field.name {
        "isCurrentUser" => json!(caller.user == id),
        "numOfProjects" => json!(count(world.apps_of(id).count(), 0)),
        // The teams of all organisations, not only of the one that is being read.
        "Teams" => {
            let teams = world.organizations.iter().flat_map(|organization| &organization.teams);
            teams.filter(|team| team.members.contains(&id)).map(|team| shown::team(world, team)).collect()
        }
        "organizations" => {
            let joined = world.organizations.iter().filter(|it| it.member(id).is_some());
            joined.map(|organization| shown::organization(world, organization)).collect()
        }
        // The user's apps. Admins may read those of others.
        "ProjectAcls" => {
            if caller.user != id {
                caller.require_environment_admin(world)?;
            }
            world.apps_of(id).map(|app| shown::owned(world, app)).collect()
        }
        // The user's apps, for the user only.
        "ProjectACLs" => {
            if caller.user != id {
                return Err(ApiError::forbidden("these are for their user only").into());
            }
            world.apps_of(id).map(|app| shown::owned(world, app)).collect()
        }
        // The assigned role. It is null if none was assigned, even though the level has a default.
        "role" => {
            let org = field.object["roleIn"].as_u64();
            let level = match org {
                Some(organization) => {
                    caller.require_admin_read(world, organization)?;
                    USER_ORGANIZATION
                }
                None if caller.user == id || caller.is_environment_admin(world) => USER_ENVIRONMENT,
                None => return Err(ApiError::forbidden("this needs an environment admin").into()),
            };
            json!(world.assignment(level, id, org, None).map(|row| shown::assignment(world, row)))
        }
        "singleAdminOrgs" => world.single_admin_orgs(id).into_iter().map(|id| json!(id.to_string())).collect(),
        _ => return Ok(None),
    };
    Ok(Some(value))
}

/// Resolves the fields of people in lists, of apps, and of the owners of apps.
fn other(world: &World, caller: Caller, field: &Field<'_>) -> Resolved {
    let (id, owner) = (id_in(field.object, "id"), id_in(field.object, "owner"));
    let app = || world.apps.iter().find(|app| app.id == id);
    let value = match (field.on, field.name) {
        ("TeamUser", "teams") => {
            let ids = field.object["teamIds"].as_array().into_iter().flatten().filter_map(Value::as_u64);
            ids.filter_map(|id| world.team(id)).map(|(_, team)| shown::team(world, team)).collect()
        }
        ("TeamUser", "userData") => json!(world.user_by_id(id).map(|user| shown::user(world, user, None))),
        ("Project", "acl") => json!(app().map(|app| shown::owned(world, app))),
        ("Project", "applicationAuthorizations") => {
            let Some(app) = app() else { return Ok(Some(Value::Null)) };
            caller.require_key_read_in_organization(world, app.owner)?;
            keys(world, app)
        }
        ("ProjectInfo", "user") => json!(world.user_by_id(owner).map(|user| shown::user(world, user, None))),
        ("ProjectInfo", "entity") => shown::entity(world, owner),
        ("Entity", "numOfProjects") => json!(count(world.apps_of(id).count(), 0)),
        ("Entity", "projectAcls") => {
            caller.require_key_read(world, id)?;
            world.apps_of(id).map(|app| shown::owned(world, app)).collect()
        }
        // The organisation of a team.
        ("Entity", "parents") => {
            world.team(id).into_iter().map(|(organization, _)| shown::entity(world, organization.id)).collect()
        }
        _ => return Ok(None),
    };
    Ok(Some(value))
}

fn keys(world: &World, app: &WorldApp) -> Value {
    app.keys.iter().map(|key| shown::key(world, app, key)).collect()
}
