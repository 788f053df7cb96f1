//! Lists that are searched and cut into pages: the hub's users, and the people of an organisation.

use async_graphql::{ID, InputObject, SimpleObject};

use super::caller::{Caller, Refused};
use super::pages::{PagingArgs, cut};
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
    #[graphql(visible = "super::generation::since_middle")]
    limit: Option<i32>,
    #[graphql(visible = "super::generation::since_middle")]
    offset: Option<i32>,
    #[graphql(visible = "super::generation::since_middle")]
    term: Option<String>,
    /// `field,DIR`.
    #[graphql(visible = "super::generation::since_middle")]
    order: Option<String>,
    /// The fields that the term is searched in.
    #[graphql(visible = "super::generation::since_middle")]
    by_field: Option<String>,
    #[graphql(visible = "super::generation::since_middle")]
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
    /// Does it say who is meant? Otherwise it is a search, which is for environment admins in person.
    fn names_somebody(&self) -> bool {
        self.username.is_some() || self.email.is_some() || self.user_ids.is_some() || self.team_id.is_some()
    }

    /// A deleted user has neither name nor address anymore, and is still known by the id.
    fn names(&self, world: &World, user: &WorldUser) -> bool {
        let is = |asked: &Option<String>, own: &str| {
            asked.as_ref().is_none_or(|it| it.eq_ignore_ascii_case(own) && user.status != DELETED)
        };
        let by_id = |ids: &Vec<ID>| ids.iter().any(|id| from_text(id).is_ok_and(|id| id == user.id));
        let in_team = |id: &ID| from_text(id).is_ok_and(|id| world.is_in_team(id, user.id));
        is(&self.username, &user.username)
            && is(&self.email, &user.email)
            && self.user_ids.as_ref().is_none_or(by_id)
            && self.team_id.as_ref().is_none_or(in_team)
    }

    fn fits(&self, user: &WorldUser) -> bool {
        let status = self.filters.as_ref().and_then(|filters| filters.status.as_ref());
        let by = self.by_field.as_deref().unwrap_or("name,email,username");
        let term = self.term.as_ref().map(|term| term.to_lowercase());
        let has = |term: &String| {
            by.split(',').any(|by| text(user, by.trim()).is_some_and(|text| text.to_lowercase().contains(term)))
        };
        status.is_none_or(|status| *status == user.status) && term.as_ref().is_none_or(has)
    }
}

fn text(user: &WorldUser, field: &str) -> Option<String> {
    match field {
        // Users are made in the order of their ids.
        "id" | "createdAt" => Some(format!("{:020}", user.id)),
        "name" => Some(user.name.clone()),
        "email" => Some(user.email.clone()),
        "username" => Some(user.username.clone()),
        _ => None,
    }
}

/// Users who are named or searched for, and how many there are on all pages.
pub fn found(world: &World, caller: Caller, asked: &UserWhereInput) -> Result<(Vec<User>, i32), Refused> {
    // Taken, and of no use.
    let _ = asked.include_user_attributes;
    if !asked.names_somebody() {
        caller.require_hub(world)?;
    }
    if let Some(team) = &asked.team_id
        && !world.is_in_team(from_text(team)?, caller.user)
    {
        caller.require_hub(world)?;
    }
    let mut users: Vec<_> = world.users.iter().filter(|it| asked.names(world, it) && asked.fits(it)).collect();
    if let Some(order) = &asked.order {
        let (field, direction) = order.split_once(',').unwrap_or((order, "ASC"));
        let unknown = || Refused::bad_input(format!("users can't be ordered by `{order}`"));
        let descending = match direction {
            "ASC" => false,
            "DESC" => true,
            _ => return Err(unknown()),
        };
        if users.iter().any(|user| text(user, field).is_none()) {
            return Err(unknown());
        }
        users.sort_by_cached_key(|user| text(user, field));
        if descending {
            users.reverse();
        }
    }
    let total = count(users.len(), 0);
    let users = users.into_iter().map(User::of).collect();
    if asked.names_somebody() && asked.limit.is_none() {
        return Ok((users, total));
    }
    Ok((cut(users, asked.offset, asked.limit, world.switches.page_max)?, total))
}

/// A page of members and invitations, how many there are on all pages, and how many of these are active members.
pub fn paginated(
    world: &World,
    organization: &WorldOrganization,
    asked: PagingArgs,
) -> Result<(Vec<TeamUser>, i32, i32), Refused> {
    let PagingArgs { offset, limit, order_by, order_direction, search_term } = asked;
    let members = organization.members.iter().filter_map(|it| TeamUser::of_member(world, organization, it));
    let invited = organization.invitations.iter().map(|it| TeamUser::of_invitation(world, it));
    let mut active = organization.members.iter().filter(|member| !member.deactivated).count();
    let mut people: Vec<_> = members.chain(invited).collect();
    if let Some(term) = search_term.map(|term| term.to_lowercase()) {
        let has = |person: &TeamUser| {
            let name = person.name.as_deref().unwrap_or_default();
            person.email.to_lowercase().contains(&term) || name.to_lowercase().contains(&term)
        };
        people.retain(has);
        active =
            people.iter().filter(|it| it.token.is_none() && it.invite_status.as_deref() == Some(ACTIVE)).count();
    }
    match order_by.as_deref() {
        None => {}
        // Those without an id come last.
        Some("id") => people.sort_by_key(|it| (it.id.unwrap_or(i32::MAX), it.email.clone())),
        Some("email") => people.sort_by_key(|it| it.email.clone()),
        Some("name") => people.sort_by_key(|it| (it.name.clone(), it.email.clone())),
        Some(other) => return Err(Refused::bad_input(format!("people can't be ordered by `{other}`"))),
    }
    if order_direction.is_some_and(super::pages::OrderDirection::is_descending) {
        people.reverse();
    }
    let total = count(people.len(), world.switches.total_off_by);
    let people = cut(people, offset, limit, world.switches.page_max)?;
    Ok((people, total, count(active, 0)))
}
