//! Lists with search and pages: the hub's users, and the people of an organisation.

use async_graphql::{ID, InputObject, SimpleObject};

use super::caller::{ApiError, Caller};
use super::pages::{PagingArgs, offset_page};
use super::scalars::{count, from_text};
use super::team::TeamUser;
use super::user::User;
use super::world::{ACTIVE, DELETED, World, WorldOrganization, WorldUser};

#[derive(InputObject)]
pub struct UserWhereInput {
    username: Option<String>,
    include_user_attributes: Option<bool>,
    email: Option<String>,
    user_ids: Option<Vec<ID>>,
    team_id: Option<ID>,
    limit: Option<i32>,
    offset: Option<i32>,
    term: Option<String>,
    /// The order, written as `field,DIR`.
    order: Option<String>,
    /// The fields that are searched for the term.
    by_field: Option<String>,
    filters: Option<UsersFilterBy>,
}

#[derive(InputObject)]
struct UsersFilterBy {
    status: Option<String>,
}

#[derive(SimpleObject)]
pub struct UserConnection {
    nodes: Option<Vec<Option<User>>>,
    total_count: Option<i32>,
}

impl UserConnection {
    pub fn of(users: Vec<User>, total: i32) -> Self {
        Self { nodes: Some(users.into_iter().map(Some).collect()), total_count: Some(total) }
    }
}

impl UserWhereInput {
    /// Whether the filter selects users by name, address, id or team. Otherwise it is a search, which needs an
    /// environment admin with a personal key.
    fn selects_by_identity(&self) -> bool {
        self.username.is_some() || self.email.is_some() || self.user_ids.is_some() || self.team_id.is_some()
    }

    /// Whether the filter selects this user. A deleted user can be found only by id.
    fn matches_identity(&self, world: &World, user: &WorldUser) -> bool {
        let equals = |wanted: &Option<String>, actual: &str| {
            wanted.as_ref().is_none_or(|it| it.eq_ignore_ascii_case(actual) && user.status != DELETED)
        };
        let by_id = |ids: &Vec<ID>| ids.iter().any(|id| from_text(id).is_ok_and(|id| id == user.id));
        let in_team = |id: &ID| from_text(id).is_ok_and(|id| world.is_in_team(id, user.id));
        equals(&self.username, &user.username)
            && equals(&self.email, &user.email)
            && self.user_ids.as_ref().is_none_or(by_id)
            && self.team_id.as_ref().is_none_or(in_team)
    }

    fn matches_search(&self, user: &WorldUser) -> bool {
        let status = self.filters.as_ref().and_then(|filters| filters.status.as_ref());
        let by = self.by_field.as_deref().unwrap_or("name,email,username");
        let term = self.term.as_ref().map(|term| term.to_lowercase());
        let contains_term = |term: &String| {
            by.split(',')
                .any(|by| field_text(user, by.trim()).is_some_and(|text| text.to_lowercase().contains(term)))
        };
        status.is_none_or(|status| *status == user.status) && term.as_ref().is_none_or(contains_term)
    }
}

fn field_text(user: &WorldUser, field: &str) -> Option<String> {
    match field {
        // Users are created in the order of their ids.
        "id" | "createdAt" => Some(format!("{:020}", user.id)),
        "name" => Some(user.name.clone()),
        "email" => Some(user.email.clone()),
        "username" => Some(user.username.clone()),
        _ => None,
    }
}

/// Finds users. Returns one page of them, and the number of users on all pages.
pub fn find_users(world: &World, caller: Caller, filter: &UserWhereInput) -> Result<(Vec<User>, i32), ApiError> {
    // The argument exists and has no effect.
    let _ = filter.include_user_attributes;
    if !filter.selects_by_identity() {
        caller.require_environment_admin(world)?;
    }
    if let Some(team) = &filter.team_id
        && !world.is_in_team(from_text(team)?, caller.user)
    {
        caller.require_environment_admin(world)?;
    }
    let mut users: Vec<_> =
        world.users.iter().filter(|it| filter.matches_identity(world, it) && filter.matches_search(it)).collect();
    if let Some(order) = &filter.order {
        let (field, direction) = order.split_once(',').unwrap_or((order, "ASC"));
        let unknown = || ApiError::bad_input(format!("users can't be ordered by `{order}`"));
        let descending = match direction {
            "ASC" => false,
            "DESC" => true,
            _ => return Err(unknown()),
        };
        if users.iter().any(|user| field_text(user, field).is_none()) {
            return Err(unknown());
        }
        users.sort_by_cached_key(|user| field_text(user, field));
        if descending {
            users.reverse();
        }
    }
    let total = count(users.len(), 0);
    let users = users.into_iter().map(User::of).collect();
    if filter.selects_by_identity() && filter.limit.is_none() {
        return Ok((users, total));
    }
    Ok((offset_page(users, filter.offset, filter.limit, world.switches.page_max)?, total))
}

/// Lists members and invitations. Returns one page, the number of rows on all pages, and the number of active
/// members among these.
pub fn paginated_people(
    world: &World,
    organization: &WorldOrganization,
    asked: PagingArgs,
) -> Result<(Vec<TeamUser>, i32, i32), ApiError> {
    let PagingArgs { offset, limit, order_by, order_direction, search_term } = asked;
    let members = organization.members.iter().filter_map(|it| TeamUser::of_member(world, organization, it));
    let invited = organization.invitations.iter().map(|it| TeamUser::of_invitation(world, it));
    let mut active = organization.members.iter().filter(|member| !member.deactivated).count();
    let mut people: Vec<_> = members.chain(invited).collect();
    if let Some(term) = search_term.map(|term| term.to_lowercase()) {
        let contains_term = |person: &TeamUser| {
            let name = person.name.as_deref().unwrap_or_default();
            person.email.to_lowercase().contains(&term) || name.to_lowercase().contains(&term)
        };
        people.retain(contains_term);
        active =
            people.iter().filter(|it| it.token.is_none() && it.invite_status.as_deref() == Some(ACTIVE)).count();
    }
    match order_by.as_deref() {
        None => {}
        // Rows without an id come last.
        Some("id") => people.sort_by_key(|it| (it.id.unwrap_or(i32::MAX), it.email.clone())),
        Some("email") => people.sort_by_key(|it| it.email.clone()),
        Some("name") => people.sort_by_key(|it| (it.name.clone(), it.email.clone())),
        Some(other) => return Err(ApiError::bad_input(format!("people can't be ordered by `{other}`"))),
    }
    if order_direction.is_some_and(super::pages::OrderDirection::is_descending) {
        people.reverse();
    }
    let total = count(people.len(), world.switches.total_off_by);
    let people = offset_page(people, offset, limit, world.switches.page_max)?;
    Ok((people, total, count(active, 0)))
}
