//! Queries. The names of types and fields are the platform's.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use serde_json::json;

use super::app::{AppAuthorizationsWhereInput, ApplicationAuthorization};
use super::caller::{ApiError, Caller};
use super::context::{resolve, resolve_required, with_world};
use super::entity::Entity;
use super::listing::{UserConnection, UserWhereInput, find_users, paginated_people};
use super::organization::{Organization, listed_teams};
use super::pages::{EntityRoleConnection, PaginationInput, PagingArgs, RoleConnection, page};
use super::role::{EntityRole, Role, RoleLevel};
use super::scalars::{Any, from_int, from_text};
use super::team::{Team, TeamUser, WhereOrgTeam};
use super::user::User;
use super::world::World;

#[derive(InputObject)]
struct OrganizationWhereInput {
    user_id: Option<ID>,
    slugified_name: Option<String>,
}

#[derive(InputObject)]
struct TeamWhereInput {
    slugified_name: Option<String>,
    org_id: Option<i32>,
}

#[derive(InputObject)]
struct RoleWhereInput {
    role_levels: Option<Vec<Option<RoleLevel>>>,
}

#[derive(InputObject)]
struct RoleOrderByInput {
    sorting_fields: Option<Vec<RoleSorting>>,
}

#[derive(InputObject)]
struct RoleSorting {
    field_name: RoleSortingFieldName,
    by: SortingFieldOrder,
}

#[derive(Clone, Copy, PartialEq, Eq, Enum)]
enum RoleSortingFieldName {
    Name,
}

#[derive(Clone, Copy, PartialEq, Eq, Enum)]
enum SortingFieldOrder {
    Asc,
    Desc,
}

#[derive(InputObject)]
struct EntityRoleWhereInput {
    entity_ids: Vec<i32>,
    org_id: Option<i32>,
    parent_ids: Option<Vec<Option<i32>>>,
}

#[derive(InputObject)]
struct EntityRoleOrderByInput {
    sorting_fields: Vec<EntityRoleSorting>,
}

#[derive(InputObject)]
struct EntityRoleSorting {
    field_name: EntityRoleSortingFieldName,
    by: SortingFieldOrder,
}

#[derive(Clone, Copy, PartialEq, Eq, Enum)]
enum EntityRoleSortingFieldName {
    Id,
}

/// Members and invitations of an organisation in one list.
#[derive(SimpleObject)]
struct PaginatedTeamUsers {
    data: Vec<TeamUser>,
    total: i32,
    total_active: Option<i32>,
}

/// The lowest number of seats that an organisation can have.
pub(super) const MINIMUM_SEATS: i32 = 1;

#[derive(Default)]
pub struct CommonQuery;

#[expect(clippy::unused_async, reason = "the macro wants resolvers to be async")]
#[Object]
impl CommonQuery {
    async fn ping(&self) -> &str {
        "pong"
    }

    async fn active_user(&self, context: &Context<'_>) -> Result<Option<User>> {
        with_world(context, |world, caller| world.user_by_id(caller.user).map(User::of))
    }

    /// The team or the user to which the key belongs.
    async fn active_entity(&self, context: &Context<'_>) -> Result<Option<Entity>> {
        with_world(context, |world, caller| Entity::of(world, caller.team.unwrap_or(caller.user)))
    }

    /// Another user's record needs an environment admin with a personal key.
    async fn user(&self, context: &Context<'_>, id: ID) -> Result<Option<User>> {
        let found = resolve(context, |world, caller| {
            let id = from_text(&id)?;
            if id != caller.user {
                caller.require_environment_admin(world)?;
            }
            Ok(world.user_by_id(id).map(User::of))
        })?;
        Ok(found.flatten())
    }

    async fn organization(
        &self,
        context: &Context<'_>,
        id: ID,
        #[graphql(name = "where")] filter: Option<WhereOrgTeam>,
    ) -> Result<Option<Organization>> {
        // The argument selects where the organisation's role is shown.
        let _ = filter;
        resolve(context, |world, caller| {
            let id = from_text(&id)?;
            world.organization_by_id(id).ok_or_else(|| no_organization(id))?;
            caller.require_read(world, id)?;
            Ok(Organization(id))
        })
    }

    /// Lists the organisations that the caller administrates. Others are left out silently.
    async fn organizations(
        &self,
        context: &Context<'_>,
        #[graphql(name = "where")] filter: Option<OrganizationWhereInput>,
    ) -> Result<Option<Vec<Option<Organization>>>> {
        resolve(context, |world, caller| {
            caller.require_team_context()?;
            let filter = filter.unwrap_or(OrganizationWhereInput { user_id: None, slugified_name: None });
            let user = filter.user_id.map(|id| from_text(&id)).transpose()?.unwrap_or(caller.user);
            let all = world.organizations.iter().filter(|it| world.is_org_admin(it.id, caller.user));
            let of_user = all.filter(|it| it.member(user).is_some());
            let named = of_user.filter(|it| filter.slugified_name.as_ref().is_none_or(|slug| it.slug == *slug));
            Ok(named.map(|organization| Some(Organization(organization.id))).collect())
        })
    }

    /// Finds organisations by a part of the name. Every caller finds all of them.
    async fn search_organizations(
        &self,
        context: &Context<'_>,
        term: Option<String>,
        limit: Option<i32>,
    ) -> Result<Option<Vec<Option<Entity>>>> {
        resolve(context, |world, _| {
            let term = term.unwrap_or_default().to_lowercase();
            let found = world.organizations.iter().filter(|it| it.name.to_lowercase().contains(&term));
            let limit = super::pages::page_size(limit, world.switches.page_max)?;
            Ok(found.take(limit).map(|it| Entity::of(world, it.id)).collect())
        })
    }

    async fn team(&self, context: &Context<'_>, id: ID) -> Result<Option<Team>> {
        resolve(context, |world, caller| {
            let id = from_text(&id)?;
            let may = world.is_in_team(id, caller.user);
            may.then_some(Team(id)).ok_or_else(|| ApiError::forbidden("this needs a member of the team"))
        })
    }

    async fn teams(
        &self,
        context: &Context<'_>,
        #[graphql(name = "where")] filter: Option<TeamWhereInput>,
    ) -> Result<Option<Vec<Option<Team>>>> {
        resolve(context, |world, caller| teams(world, caller, filter))
    }

    #[graphql(name = "paginatedTeamUsersByOrganizationIdV2")]
    async fn paginated_team_users(
        &self,
        context: &Context<'_>,
        org_id: i32,
        paging_args: Option<PagingArgs>,
    ) -> Result<Option<PaginatedTeamUsers>> {
        resolve(context, |world, caller| {
            caller.require_team_context()?;
            let id = from_int(org_id)?;
            let organization = world.organization_by_id(id).ok_or_else(|| no_organization(id))?;
            caller.require_member(world, id)?;
            let (data, total, active) = paginated_people(world, organization, paging_args.unwrap_or_default())?;
            Ok(PaginatedTeamUsers { data, total, total_active: Some(active) })
        })
    }

    /// Returns the addresses that are already invited. The documentation doesn't describe the answer: this one is
    /// ours.
    async fn check_if_emails_already_invited(
        &self,
        context: &Context<'_>,
        org_id: ID,
        emails: Vec<Option<String>>,
    ) -> Result<Option<Any>> {
        resolve(context, |world, caller| {
            let id = from_text(&org_id)?;
            let organization = world.organization_by_id(id).ok_or_else(|| no_organization(id))?;
            caller.require_read(world, id)?;
            let invited = emails.into_iter().flatten().filter(|email| organization.invitation(email).is_some());
            Ok(Any(json!(invited.collect::<Vec<_>>())))
        })
    }

    async fn roles(
        &self,
        context: &Context<'_>,
        #[graphql(name = "where")] filter: RoleWhereInput,
        order_by: Option<RoleOrderByInput>,
        pagination: Option<PaginationInput>,
    ) -> Result<RoleConnection> {
        resolve_required(context, |world, _| {
            let levels: Option<Vec<_>> = filter.role_levels.map(|it| it.into_iter().flatten().collect());
            let of_level = |level: &str| {
                levels.as_ref().is_none_or(|levels: &Vec<RoleLevel>| levels.iter().any(|it| it.name() == level))
            };
            let mut roles: Vec<_> = world.roles.iter().filter(|role| of_level(&role.level)).collect();
            if let Some(RoleSorting { field_name: RoleSortingFieldName::Name, by }) =
                order_by.and_then(|by| by.sorting_fields?.into_iter().next())
            {
                roles.sort_by(|one, other| compare(by, &one.name, &other.name));
            }
            let rows = roles.into_iter().map(|role| (role.id, Role(role.clone()))).collect();
            Ok(page(rows, pagination, world.switches.page_max)?.into())
        })
    }

    /// Lists assignments of roles. Without `parentIds` these are roles in the organisation and in its teams.
    async fn entities_roles(
        &self,
        context: &Context<'_>,
        #[graphql(name = "where")] filter: EntityRoleWhereInput,
        order_by: Option<EntityRoleOrderByInput>,
        pagination: Option<PaginationInput>,
    ) -> Result<EntityRoleConnection> {
        resolve_required(context, |world, caller| {
            let rows = entities_roles(world, caller, filter, order_by)?;
            Ok(page(rows, pagination, world.switches.page_max)?.into())
        })
    }

    async fn application_authorizations(
        &self,
        context: &Context<'_>,
        #[graphql(name = "where")] filter: AppAuthorizationsWhereInput,
    ) -> Result<Vec<ApplicationAuthorization>> {
        resolve_required(context, |world, caller| {
            let id = from_text(&filter.project_id)?;
            let app = world.apps.iter().find(|app| app.id == id);
            let app = app.ok_or_else(|| ApiError::bad_input(format!("there is no project {id}")))?;
            caller.require_key_read(world, app.owner)?;
            Ok(ApplicationAuthorization::all_of(world, app))
        })
    }

    async fn get_minimum_seats(&self) -> i32 {
        MINIMUM_SEATS
    }
}

/// Lists the teams of an organisation, which the filter names by its id or by its slug. The caller has to be a
/// member.
fn teams(
    world: &World,
    caller: Caller,
    filter: Option<TeamWhereInput>,
) -> std::result::Result<Vec<Option<Team>>, ApiError> {
    let organization = match filter {
        Some(TeamWhereInput { org_id: Some(id), .. }) => world.organization_by_id(from_int(id)?),
        Some(TeamWhereInput { slugified_name: Some(slug), .. }) => {
            world.organizations.iter().find(|it| it.slug == slug)
        }
        _ => return Err(ApiError::bad_input("`orgId` or `slugifiedName` is needed")),
    };
    // An organisation that doesn't exist has no members, so its answer is the same.
    caller.require_member(world, organization.map_or(0, |it| it.id))?;
    let teams = organization.into_iter().flat_map(|it| listed_teams(world, &it.teams));
    Ok(teams.map(|team| Some(Team(team.id))).collect())
}

fn entities_roles(
    world: &World,
    caller: Caller,
    filter: EntityRoleWhereInput,
    order_by: Option<EntityRoleOrderByInput>,
) -> std::result::Result<Vec<(u64, EntityRole)>, ApiError> {
    let EntityRoleWhereInput { entity_ids, org_id, parent_ids } = filter;
    let ids = |given: Vec<i32>| given.into_iter().map(from_int).collect::<std::result::Result<Vec<_>, _>>();
    let (entities, org) = (ids(entity_ids)?, org_id.map(from_int).transpose()?);
    let parents = parent_ids.map(|given| ids(given.into_iter().flatten().collect())).transpose()?;
    match org {
        Some(org) => caller.require_read(world, org)?,
        None if caller.is_environment_admin(world) || entities == [caller.user] => {}
        None => return Err(ApiError::forbidden("this needs an environment admin")),
    }
    let fits =
        |parent: Option<u64>| parents.as_ref().is_none_or(|them| parent.is_some_and(|it| them.contains(&it)));
    let mut rows: Vec<_> = world.assignments.iter().filter(|row| entities.contains(&row.entity)).collect();
    rows.retain(|row| (org.is_none() || row.org == org) && fits(row.parent));
    let sorting = order_by.and_then(|by| by.sorting_fields.into_iter().next());
    if let Some(EntityRoleSorting { field_name: EntityRoleSortingFieldName::Id, by }) = sorting {
        rows.sort_by(|one, other| compare(by, &one.id, &other.id));
    }
    Ok(rows.into_iter().map(|row| (row.id, EntityRole(row.clone()))).collect())
}

fn compare<T: Ord>(by: SortingFieldOrder, one: &T, other: &T) -> std::cmp::Ordering {
    match by {
        SortingFieldOrder::Asc => one.cmp(other),
        SortingFieldOrder::Desc => other.cmp(one),
    }
}

pub(super) fn no_organization(id: u64) -> ApiError {
    ApiError::bad_input(format!("there is no organization {id}"))
}

/// `users` as a list: the older form, which one sample of the documentation still has.
#[derive(Default)]
pub struct UserListQuery;

#[expect(clippy::unused_async, reason = "the macro wants resolvers to be async")]
#[Object]
impl UserListQuery {
    async fn users(
        &self,
        context: &Context<'_>,
        #[graphql(name = "where")] filter: UserWhereInput,
    ) -> Result<Option<Vec<User>>> {
        resolve(context, |world, caller| Ok(find_users(world, caller, &filter)?.0))
    }
}

/// `users` as a connection, as documented.
#[derive(Default)]
pub struct UserConnectionQuery;

#[expect(clippy::unused_async, reason = "the macro wants resolvers to be async")]
#[Object]
impl UserConnectionQuery {
    async fn users(
        &self,
        context: &Context<'_>,
        #[graphql(name = "where")] filter: UserWhereInput,
    ) -> Result<Option<UserConnection>> {
        resolve(context, |world, caller| {
            let (users, total) = find_users(world, caller, &filter)?;
            Ok(UserConnection::of(users, total))
        })
    }
}
