//! Lists with search and pages: the hub's users, the people of an organisation, and roles.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::caller::{ApiError, Caller};
use super::scalars::{count, from_text, to_int};
use super::world::{
    ACTIVE, DEACTIVATED, DELETED, PENDING, World, WorldInvitation, WorldMember, WorldOrganization, WorldUser,
};

/// The arguments of pages by cursor. `last` and `before` have no effect (docs.rapidapi.com, Pagination).
#[derive(Default, Deserialize)]
pub struct PaginationInput {
    first: Option<i32>,
    after: Option<String>,
}

/// The arguments of pages by offset. The sample asks for a thousand rows, ordered by id (docs.rapidapi.com, Users,
/// Teams and Roles).
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PagingArgs {
    offset: Option<i32>,
    limit: Option<i32>,
    order_by: Option<String>,
    order_direction: Option<String>,
    search_term: Option<String>,
}

/// The page size where the request gives none. The documentation doesn't say what it is.
const DEFAULT_PAGE_SIZE: usize = 20;

/// Returns a page of `rows`, which come with their ids and in the order of the cursors. It has no `totalCount`.
pub fn page(rows: Vec<(u64, Value)>, asked: Option<PaginationInput>, most: usize) -> Result<Value, ApiError> {
    let PaginationInput { first, after } = asked.unwrap_or_default();
    let cursor = |(id, _): &(u64, Value)| format!("cursor:{id}");
    let start = match &after {
        None => 0,
        Some(after) => {
            let at = rows.iter().position(|row| cursor(row) == *after);
            at.ok_or_else(|| ApiError::bad_input(format!("`{after}` is no cursor")))? + 1
        }
    };
    let size = page_size(first, most)?;
    let has_next_page = rows.len() > start + size;
    let rows: Vec<_> = rows.into_iter().skip(start).take(size).collect();
    Ok(json!({
        "nodes": rows.iter().map(|(_, node)| node).collect::<Vec<_>>(),
        "edges": rows.iter().map(|row| json!({ "node": row.1, "cursor": cursor(row) })).collect::<Vec<_>>(),
        "pageInfo": {
            "hasNextPage": has_next_page,
            "hasPreviousPage": start > 0,
            "startCursor": rows.first().map(cursor),
            "endCursor": rows.last().map(cursor),
        },
    }))
}

/// Returns the page size: the requested one, silently limited to `most`.
pub fn page_size(asked: Option<i32>, most: usize) -> Result<usize, ApiError> {
    let asked = asked.map_or(Ok(DEFAULT_PAGE_SIZE), usize::try_from);
    asked.map(|asked| asked.min(most)).map_err(|_| ApiError::bad_input("a page can't have less than no rows"))
}

/// Returns a page by offset.
fn offset_page<T>(rows: Vec<T>, offset: Option<i32>, asked: Option<i32>, most: usize) -> Result<Vec<T>, ApiError> {
    let offset =
        usize::try_from(offset.unwrap_or(0)).map_err(|_| ApiError::bad_input("an offset is 0 or more"))?;
    Ok(rows.into_iter().skip(offset).take(page_size(asked, most)?).collect())
}

/// A filter of users. `includeUserAttributes` has no effect.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserWhereInput {
    username: Option<String>,
    email: Option<String>,
    user_ids: Option<Vec<String>>,
    team_id: Option<String>,
    limit: Option<i32>,
    offset: Option<i32>,
    term: Option<String>,
    /// The order, written as `field,DIR`.
    order: Option<String>,
    /// The fields that are searched for the term.
    by_field: Option<String>,
    filters: Option<UsersFilterBy>,
}

#[derive(Deserialize)]
struct UsersFilterBy {
    status: Option<String>,
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
        let by_id = |ids: &Vec<String>| ids.iter().any(|id| from_text(id).is_ok_and(|id| id == user.id));
        let in_team = |id: &String| from_text(id).is_ok_and(|id| world.is_in_team(id, user.id));
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
pub fn find_users<'a>(
    world: &'a World,
    caller: Caller,
    filter: &UserWhereInput,
) -> Result<(Vec<&'a WorldUser>, i32), ApiError> {
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
    if filter.selects_by_identity() && filter.limit.is_none() {
        return Ok((users, total));
    }
    Ok((offset_page(users, filter.offset, filter.limit, world.switches.page_max)?, total))
}

/// A member, or somebody who is invited and hasn't accepted yet.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TeamUser {
    /// The user's id. `None` for somebody who has no account yet.
    id: Option<i32>,
    name: Option<String>,
    username: Option<String>,
    thumbnail: Option<String>,
    email: String,
    invite_status: String,
    team_ids: Vec<u64>,
    teams_count: i32,
    /// The legacy name of the role.
    role: String,
    /// The token of an invitation. Anybody who has it can join, so a careful client never selects it.
    token: Option<String>,
}

impl TeamUser {
    pub fn of_member(world: &World, organization: &WorldOrganization, member: &WorldMember) -> Option<Self> {
        let user = world.user_by_id(member.user)?;
        let teams = organization.teams.iter().filter(|team| team.members.contains(&user.id));
        let status = if member.deactivated { DEACTIVATED } else { ACTIVE };
        let teams = teams.map(|team| team.id).collect();
        Some(Self::of(Some(user), &user.email, status, teams, &member.legacy_role))
    }

    fn of_invitation(world: &World, invitation: &WorldInvitation) -> Self {
        let WorldInvitation { email, role, teams, token, status } = invitation;
        let shown = if status == PENDING { &world.switches.invite_status } else { status };
        let token = Some(token.clone());
        Self { token, ..Self::of(world.user(email), email, shown, teams.clone(), role) }
    }

    fn of(user: Option<&WorldUser>, email: &str, status: &str, team_ids: Vec<u64>, role: &str) -> Self {
        Self {
            id: user.map(|user| to_int(user.id)),
            name: user.map(|user| user.name.clone()),
            username: user.map(|user| user.username.clone()),
            thumbnail: None,
            email: email.to_owned(),
            invite_status: status.to_owned(),
            teams_count: count(team_ids.len(), 0),
            team_ids,
            role: role.to_owned(),
            token: None,
        }
    }
}

/// Lists members and invitations. Returns one page, the number of rows on all pages, and the number of active
/// members among these.
pub fn paginated_people(
    world: &World,
    organization: &WorldOrganization,
    asked: PagingArgs,
) -> Result<Value, ApiError> {
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
        active = people.iter().filter(|it| it.token.is_none() && it.invite_status == ACTIVE).count();
    }
    match order_by.as_deref() {
        None => {}
        // Rows without an id come last.
        Some("id") => people.sort_by_key(|it| (it.id.unwrap_or(i32::MAX), it.email.clone())),
        Some("email") => people.sort_by_key(|it| it.email.clone()),
        Some("name") => people.sort_by_key(|it| (it.name.clone(), it.email.clone())),
        Some(other) => return Err(ApiError::bad_input(format!("people can't be ordered by `{other}`"))),
    }
    if order_direction.is_some_and(|direction| direction.eq_ignore_ascii_case("desc")) {
        people.reverse();
    }
    let total = count(people.len(), world.switches.total_off_by);
    let people = offset_page(people, offset, limit, world.switches.page_max)?;
    Ok(json!({ "data": people, "total": total, "totalActive": count(active, 0) }))
}
