//! Reads an organisation. A hub accepts ten requests a minute, so a read takes about three for each organisation,
//! and three or four more for all of them together. Requests that need no other answer are sent at once, so a read
//! takes as long as three of them.

mod apps;
mod people;
mod roles;
mod start;
mod teams;

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use serde_json::json;
use tracing::{Instrument as _, Span};

use super::ReadError;
use super::context::{IDENTITY_KEY, PERSONAL_KEY};
use super::documents::{ACTIVE_ENTITY, ACTIVE_USER, IDENTITY, ORGANIZATION};
use super::generation::{self, DOCUMENTED, Generation};
use super::settings;
use super::wire::{self, WireCaller, WireOrganization, WireOrganizationName, WireUser};
use crate::rows::Row;
use crate::trace::{came_along, list_span, record_list};
use people::{People, Rows};
use rolecall_graphql::{CallError, Query, Reader};
use rolecall_model::{
    Action, AssignableRole, AssignableRoles, Caller, Completeness, Desired, Email, Gap, Kind, Listing, Live,
    LiveUser, Organization, ReadOnly, RemoteId, RoleName, Scope, UnreadableRow,
};
use roles::Assignments;
use teams::Teams;

pub(super) async fn read(reader: &Reader, desired: &Desired) -> Result<Live, ReadError> {
    let requests_before = reader.requests();
    let (generation, start) = tokio::join!(generation::read(reader, desired), read_start(reader, desired));
    let (generation, mut read_only) = generation?.unzip();
    let read = match read_as(reader, desired, start, generation).await {
        // The hub's schema may have changed since it was cached.
        Err(error) if generation::is_schema_mismatch(&error) => {
            generation::forget(reader);
            let (current, now) = generation::read(reader, desired).await?.unzip();
            read_only = now;
            if current == generation {
                return Err(error);
            }
            read_as(reader, desired, read_start(reader, desired).await, current).await
        }
        read => read,
    };
    read.map(|live| {
        let read_only = live.read_only.iter().cloned().chain(read_only.into_iter().flatten()).collect();
        Live { read_only, requests: reader.requests() - requests_before, ..live }
    })
}

/// The answers that a read begins with. None of them needs another one.
struct Start {
    caller: Caller,
    roles: AssignableRoles,
    /// The roles that can't be read.
    unreadable: Vec<UnreadableRow>,
    /// The id of the organisation, or nothing if it doesn't exist.
    id: Option<RemoteId>,
}

/// Asks everything that needs no other answer. Each answer is awaited, even if another one fails: an interrupted read
/// goes on with all of them.
async fn read_start(reader: &Reader, desired: &Desired) -> Result<Start, ReadError> {
    let mut unreadable = Vec::new();
    let (caller, roles, id) = tokio::join!(
        read_caller(reader, desired),
        roles::read_roles(reader, desired, &mut unreadable),
        find(reader, desired)
    );
    Ok(Start { caller: caller?, roles: roles?, id: id?, unreadable })
}

/// Reads the organisation and its people, or nothing if it doesn't exist.
async fn read_lists(
    reader: &Reader,
    id: Option<&RemoteId>,
    desired: &Desired,
    generation: Generation,
    list: &Span,
) -> Result<Option<(WireOrganization, Rows)>, ReadError> {
    let Some(id) = id else { return Ok(None) };
    let rows = people::read_rows(reader, id).instrument(list.clone());
    let (found, rows) = tokio::join!(read_organization(reader, id, desired, generation), rows);
    found?.map(|found| Ok((found, rows?))).transpose()
}

/// Reads the organisation with the documents of a generation, which is that of the documentation if it isn't known.
async fn read_as(
    reader: &Reader,
    desired: &Desired,
    start: Result<Start, ReadError>,
    known: Option<Generation>,
) -> Result<Live, ReadError> {
    let generation = known.unwrap_or(DOCUMENTED);
    let Start { caller, roles, mut unreadable, id } = start?;
    let list = list_span("users");
    let Some((found, rows)) = read_lists(reader, id.as_ref(), desired, generation, &list).await? else {
        let nobody = Listing { items: Vec::new(), completeness: Completeness::Proven };
        let unseen = Gap::new(
            "whether the organisation exists",
            "The hub lists only the organisations that the credential's owner administrates, and this one is not among them.",
        );
        return Ok(Live {
            assignable: Some(roles),
            caller: Some(caller),
            unreadable,
            gaps: gaps(known).into_iter().chain([unseen]).collect(),
            ..Live::of(desired.organization.value.clone(), nobody)
        });
    };
    let id = RemoteId::from(found.id.clone());
    let WireOrganization { num_of_teams, num_of_users, .. } = found;
    let (entity, apps) = (organization_entity(&found, &id), apps::apps(&found));
    let teams = found.teams.ok_or_else(|| missing(&ORGANIZATION, "organization.teams"))?;
    let before = unreadable.len();
    let teams = teams::teams(teams, &entity, &mut unreadable);
    let unread_teams = unreadable.len() - before;
    let mut members = people::members(found.users.ok_or_else(|| missing(&ORGANIZATION, "organization.users"))?);
    let mut read_only = members.unclear.clone();
    let held = std::mem::take(&mut members.roles);
    let ids: BTreeSet<RemoteId> = members.users.iter().map(|user| user.id.clone()).collect();
    let pages = rows.pages;
    let People { mut users, invitations, doubt_about_teams, legacy_admins, unread } =
        people::people(members, rows, &teams, num_of_users);
    unreadable.extend(unread);
    let (assigned, non_members) = tokio::join!(
        read_assignments(reader, desired, &id, &ids, &teams, &roles, generation),
        read_non_members(reader, desired, &users.items, generation)
    );
    let (assigned, non_members) = (assigned?, non_members?);
    read_only.extend(with_unread_roles(&assigned, &ids));
    let held = held_roles(held, &assigned, generation);
    let doubt = give_roles(&mut users.items, &held, &assigned, &teams, &roles);
    let admins_unsure = doubt_about_admins(&users.items, &held, &caller, &legacy_admins, &roles);
    let doubt = doubt.or_else(|| admins_unsure.clone());
    if let (Some(why), false) = (doubt, users.completeness.is_incomplete()) {
        users.completeness = Completeness::Broken { why };
    }
    record_list(&list, pages, users.items.len(), &users.completeness);
    drop(list);
    came_along("invitations", &invitations);
    let teams_completeness = completeness_of_teams(&teams, unread_teams, num_of_teams, doubt_about_teams);
    let organization = desired.organization.value.clone();
    let teams = Listing { items: teams.by_id.into_values().collect(), completeness: teams_completeness };
    came_along("teams", &teams);
    Ok(Live {
        organization_id: Some(id),
        organization_entity: Some(entity),
        teams: Some(teams),
        assignable: Some(roles),
        caller: Some(caller),
        admins_unsure,
        non_members,
        apps,
        unreadable,
        read_only,
        invitations: Some(invitations),
        gaps: gaps(known),
        ..Live::of(organization, users)
    })
}

pub(super) use apps::survey;

/// Returns about how many requests a read takes: once for all organisations, and for this one.
pub(super) fn requests(desired: &Desired) -> (usize, usize) {
    // These are the schema, the owner of the key, the roles, the organisations, and the team of the key.
    let once =
        if settings::has_several_root_fields(desired) { 3 } else { 4 + usize::from(may_delete_own_team(desired)) };
    let accounts = desired.users.iter().filter(|user| user.deleted || (user.absent && user.enabled.is_some()));
    (once, 3 + accounts.count())
}

fn failed(query: &Query) -> impl Fn(CallError) -> ReadError {
    let operation = query.name;
    move |error| ReadError::Call { operation, error }
}

pub(super) fn missing(query: &Query, field: impl Into<String>) -> ReadError {
    ReadError::Missing { operation: query.name, field: field.into() }
}

/// Treats an empty text as a missing one.
fn non_empty(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty())
}

/// Reads who rolecall is: the owner of the personal key, and the owner of the identity key if that is another key.
async fn read_caller(reader: &Reader, desired: &Desired) -> Result<Caller, ReadError> {
    let named = |name: &str| desired.credentials.contains_key(name);
    let identity = async {
        if !(named(IDENTITY_KEY) && named(PERSONAL_KEY)) {
            return Ok(None);
        }
        let query = &IDENTITY;
        let answer: wire::ActiveUser = reader.query_once_with(query, json!({})).await.map_err(failed(query))?;
        answer.active_user.ok_or_else(|| missing(query, "activeUser")).map(Some)
    };
    let team = async {
        if !may_delete_own_team(desired) {
            return Ok(None);
        }
        let id = start::active_entity(reader, desired).await?.id;
        id.ok_or_else(|| missing(&ACTIVE_ENTITY, "activeEntity.id")).map(|id| Some(RemoteId::from(id)))
    };
    let (owner, identity, team) = tokio::join!(start::active_user(reader, desired), identity, team);
    let (mut users, mut emails) = (BTreeSet::new(), BTreeSet::new());
    for WireCaller { id, email } in std::iter::once(owner?).chain(identity?) {
        users.insert(RemoteId::from(id.ok_or_else(|| missing(&ACTIVE_USER, "activeUser.id"))?));
        emails.extend(email.map(|email| Email::seen(&email)));
    }
    Ok(Caller { users, emails, team: team? })
}

/// Returns whether the plan may delete a team, which could be the one whose key rolecall uses.
fn may_delete_own_team(desired: &Desired) -> bool {
    let deletes_organization = desired.organization_entity.as_ref().is_some_and(|entity| entity.absent);
    deletes_organization || desired.manage.teams == Scope::All || desired.teams.iter().any(|team| team.absent)
}

/// Returns the id of the organisation that the file names by its id or its slug, or nothing if it doesn't exist
/// and the file allows that.
async fn find(reader: &Reader, desired: &Desired) -> Result<Option<RemoteId>, ReadError> {
    let name = desired.organization.as_str();
    let entity = desired.organization_entity.as_ref();
    // Reading a deleted organisation by its id fails, so its id is looked up in the list.
    if is_id(name) && !entity.is_some_and(|entity| entity.absent) {
        return Ok(Some(RemoteId::seen(name)));
    }
    let may_have_changed = entity.is_some_and(|entity| entity.create || entity.absent);
    let listed = start::organizations(reader, desired, may_have_changed).await?;
    let is_wanted = |listed: &&WireOrganizationName| match listed.slugified_name.as_deref() {
        _ if is_id(name) => listed.id.0 == name,
        slug => slug == Some(name),
    };
    if let Some(found) = listed.iter().find(is_wanted) {
        return Ok(Some(RemoteId::seen(&*found.id.0)));
    }
    let namesake = entity
        .filter(|entity| entity.create)
        .and_then(|entity| listed.iter().find(|listed| listed.name.is_some() && listed.name == entity.name));
    if let Some(namesake) = namesake {
        // A second organisation with this name would cost a second time.
        let slug = namesake.slugified_name.clone().unwrap_or_else(|| namesake.id.0.clone());
        return Err(ReadError::OtherSlug { organization: name.to_owned(), slug });
    }
    if may_have_changed {
        return Ok(None);
    }
    Err(ReadError::NoOrganization {
        organization: name.to_owned(),
        others: listed.into_iter().filter_map(|organization| organization.slugified_name).collect(),
    })
}

/// Returns whether a text is an id, which is a number. A slug may begin with a digit.
fn is_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

async fn read_organization(
    reader: &Reader,
    id: &RemoteId,
    desired: &Desired,
    generation: Generation,
) -> Result<Option<WireOrganization>, ReadError> {
    let query = generation.organization();
    let answer: wire::Organization = reader.query(query, json!({ "id": id })).await.map_err(failed(query))?;
    let found = answer.organization.filter(|organization| organization.id.0 == id.as_str());
    let may_be_deleted = desired.organization_entity.as_ref().is_some_and(|entity| entity.absent);
    if found.is_some() || may_be_deleted {
        return Ok(found);
    }
    Err(ReadError::NoOrganization { organization: id.to_string(), others: Vec::new() })
}

fn organization_entity(found: &WireOrganization, id: &RemoteId) -> Organization {
    Organization {
        id: Some(id.clone()),
        slug: non_empty(found.slugified_name.clone()),
        name: found.name.clone().unwrap_or_default(),
        email: non_empty(found.email.clone()),
        seats: found.billing_additional_values.as_ref().and_then(|billing| billing.total),
        description: non_empty(found.description.clone()),
        thumbnail: non_empty(found.thumbnail.clone()),
        invites: Vec::new(),
    }
}

/// Reads the role rows. Those of teams are read only if the file has teams or everything is read, and those of the organisation only if
/// this generation's users don't have their roles.
async fn read_assignments(
    reader: &Reader,
    desired: &Desired,
    id: &RemoteId,
    people: &BTreeSet<RemoteId>,
    teams: &Teams,
    roles: &AssignableRoles,
    generation: Generation,
) -> Result<Assignments, ReadError> {
    let read = async |is_needed: bool, parents: Option<&BTreeSet<RemoteId>>| {
        if !is_needed {
            return Ok(Assignments::default());
        }
        roles::read_assignments(reader, id, people, parents, roles).await
    };
    let all: BTreeSet<RemoteId> = teams.by_id.keys().cloned().collect();
    let read_teams = desired.reads_team_roles();
    let (found, organization) =
        tokio::join!(read(read_teams, Some(&all)), read(!generation.users_have_roles, None));
    let (mut found, organization) = (Assignments { read_teams, ..found? }, organization?);
    found.doubt = found.doubt.or(organization.doubt);
    found.organization = organization.organization;
    found.unread.extend(organization.unread);
    Ok(found)
}

/// Returns the users whose roles can't be read, so that nobody knows what an update would change. If a row doesn't say whose
/// it is, it may be anybody's.
fn with_unread_roles(assigned: &Assignments, members: &BTreeSet<RemoteId>) -> Vec<ReadOnly> {
    let is_member = |id: &&RemoteId| members.contains(*id);
    let why = "A row of `entitiesRoles` about it can't be read, so rolecall doesn't know its roles, and changes none. Update rolecall, or use `--assert` to write them all the same.";
    let read_only = |id: &RemoteId| ReadOnly {
        kind: Kind::User,
        id: Some(id).filter(is_member).cloned(),
        code: "roles-not-read",
        why: why.to_owned(),
    };
    assigned.unread.iter().map(read_only).collect()
}

/// The id of each user's role in the organisation, with its name if the platform sent one.
type HeldRoles = BTreeMap<RemoteId, (RemoteId, Option<String>)>;

fn held_roles(shown: HeldRoles, assigned: &Assignments, generation: Generation) -> HeldRoles {
    if generation.users_have_roles {
        return shown;
    }
    assigned.organization.iter().map(|(user, role)| (user.clone(), (role.clone(), None))).collect()
}

/// Sets the roles of all users. A user without a role row has the default role (inferred from its name alone).
/// Returns why the roles can't be relied on, or nothing.
///
/// A role row outlives the membership. For example, Jane had the role `Admin` in the team Platform and left it.
/// The row is still there, and applies again as soon as she rejoins. It becomes one of her `stale_team_roles`, so
/// that the plan can show it and replace it.
fn give_roles(
    users: &mut [LiveUser],
    held: &HeldRoles,
    assigned: &Assignments,
    teams: &Teams,
    roles: &AssignableRoles,
) -> Option<String> {
    let mut doubt = assigned.doubt.clone();
    let name_of = |roles: &[AssignableRole], id: &RemoteId| {
        roles.iter().find(|role| role.id == *id).map(|role| role.name.clone())
    };
    let name_of_default = |role: Option<&AssignableRole>| role.map(|role| role.name.clone());
    for user in users {
        let role = match held.get(&user.id) {
            Some((id, name)) => {
                let known = name_of(&roles.organization, id);
                if known.is_none() {
                    let shown = name.as_deref().unwrap_or(id.as_str());
                    doubt.get_or_insert_with(|| {
                        format!("{} has the role {shown}, which is not a role of organisations", user.email)
                    });
                }
                Some(known.unwrap_or_else(|| RoleName::seen(name.clone().unwrap_or_else(|| format!("#{id}")))))
            }
            None => name_of_default(roles.default_in_organization()),
        };
        user.roles = role.into_iter().collect();
        if !assigned.read_teams {
            continue;
        }
        for (id, team) in &teams.by_id {
            let given = assigned.team.get(&(user.id.clone(), id.clone()));
            let given =
                given.map(|role| name_of(&roles.team, role).unwrap_or_else(|| RoleName::seen(format!("#{role}"))));
            match user.teams.as_mut().and_then(|teams| teams.get_mut(&team.name)) {
                Some(role) => *role = given.or_else(|| name_of_default(roles.default_in_teams())),
                None => user.stale_team_roles.extend(given.map(|role| (team.name.clone(), role))),
            }
        }
    }
    doubt
}

/// Returns why it isn't certain who the admins of the organisation are, or nothing.
///
/// rolecall's own user has to be an admin, since the hub would refuse its requests otherwise. And a user who is an
/// admin by the older role names, and has no role row, may be one or not.
fn doubt_about_admins(
    users: &[LiveUser],
    held: &HeldRoles,
    caller: &Caller,
    legacy_admins: &BTreeSet<RemoteId>,
    roles: &AssignableRoles,
) -> Option<String> {
    if !users.iter().any(|user| caller.users.contains(&user.id) && roles.make_admin(&user.roles)) {
        let own_user = caller.emails.first().map_or_else(|| "rolecall's own user".to_owned(), ToString::to_string);
        return Some(format!("{own_user} has to be an admin of the organisation, but is not listed as one"));
    }
    let unclear = users.iter().find(|user| legacy_admins.contains(&user.id) && !held.contains_key(&user.id))?;
    Some(format!("{} is an admin in one list and has no role in another", unclear.email))
}

/// Returns the completeness of the list of teams. `count` is the number of teams by the organisation's own record.
/// The documentation doesn't say whether it includes deleted teams.
fn completeness_of_teams(
    teams: &Teams,
    unread: usize,
    count: Option<wire::Count>,
    doubt: Option<String>,
) -> Completeness {
    let number = |teams: usize| wire::Count::try_from(teams).unwrap_or(wire::Count::MAX);
    let live = number(teams.by_id.len() + unread);
    let count = count.filter(|count| !(live..=live + number(teams.deleted.len())).contains(count));
    let why = count.map(|count| format!("the organisation says that it has {count} teams, and lists {live}"));
    match why.or(doubt) {
        Some(why) => Completeness::Broken { why },
        None => Completeness::Proven,
    }
}

/// Reads the accounts that the file describes and whose users aren't in the organisation. Each takes a request.
async fn read_non_members(
    reader: &Reader,
    desired: &Desired,
    users: &[LiveUser],
    generation: Generation,
) -> Result<Vec<LiveUser>, ReadError> {
    let here: BTreeSet<_> = users.iter().map(|user| &user.email).collect();
    let described = desired.users.iter().filter(|desired| desired.enabled.is_some() || desired.deleted);
    let addresses: Vec<&Email> =
        described.map(|desired| &desired.email).filter(|email| !here.contains(email)).collect();
    let mut non_members = Vec::new();
    for addresses in addresses.chunks(people::AT_ONCE) {
        for accounts in join_all(addresses.iter().map(|email| read_accounts(reader, email, generation))).await {
            non_members.extend(accounts?);
        }
    }
    Ok(non_members)
}

/// Reads the accounts with an address.
async fn read_accounts(
    reader: &Reader,
    email: &Email,
    generation: Generation,
) -> Result<Vec<LiveUser>, ReadError> {
    let query = generation.users();
    let variables = json!({ "where": { "email": email } });
    let answer: wire::Users = reader.query(query, variables).await.map_err(failed(query))?;
    let (listed, total) = match answer.users.ok_or_else(|| missing(query, "users"))? {
        wire::UserList::List(users) => (users, None),
        wire::UserList::Connection(wire::UserConnection { nodes, total }) => {
            (nodes.ok_or_else(|| missing(query, "users.nodes"))?, total)
        }
    };
    let rows = people::counted(&listed);
    let listed: Vec<WireUser> = listed.into_iter().filter_map(Row::read).collect();
    let is_theirs = |user: &WireUser| user.email.0 == *email;
    let may_be_theirs = people::counted(&listed) < rows || total.is_some_and(|total| total > rows);
    if !listed.iter().any(is_theirs) && may_be_theirs {
        return Err(missing(query, format!("all users with the address {email}")));
    }
    Ok(listed.iter().filter(|user| is_theirs(user)).filter_map(people::account).collect())
}

/// Returns everything that the hub's API doesn't show.
fn gaps(known: Option<Generation>) -> Vec<Gap> {
    let mut gaps = vec![
        Gap::new(
            "who was assigned the default role",
            "A user without a role is assumed to have the hub's default role. No mutation takes a role away.",
        )
        .permanent(&[(Kind::User, Action::Remove)]),
        Gap::new("age and expiry of invitations", "The API shows neither.")
            .permanent(&[(Kind::User, Action::Invite)]),
    ];
    if known.is_none() {
        gaps.push(Gap::new(
            "the schema of the hub",
            "The hub refuses introspection, so rolecall assumes the schema of the documentation.",
        ));
    }
    gaps
}
