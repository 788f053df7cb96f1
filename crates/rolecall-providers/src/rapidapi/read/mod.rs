//! Reading an organisation: about three requests for all of them and three for each, as ten a minute are all there is.

mod apps;
mod people;
mod roles;
mod start;
mod teams;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::ReadError;
use super::context::{IDENTITY_KEY, PERSONAL_KEY};
use super::documents::{ACTIVE_ENTITY, ACTIVE_USER, IDENTITY, ORGANIZATION};
use super::generation::{self, Generation, Tells};
use super::wire::{self, WireCaller, WireOrganization, WireOrganizationName, WireUser};
use people::{Members, People};
use rolecall_graphql::{CallError, Query, Reader};
use rolecall_model::{
    AssignableRole, AssignableRoles, Caller, Completeness, Desired, Email, Feature, Gap, Listing, Live, LiveUser,
    Organization, RemoteId, RoleName, Scope,
};
use roles::Assignments;
use teams::Teams;

pub(super) async fn read(reader: &Reader, desired: &Desired) -> Result<Live, ReadError> {
    let already = reader.requests();
    let generation = generation::read(reader).await?;
    let read = match read_as(reader, desired, generation).await {
        // The hub may have another schema than it had days ago.
        Err(error) if generation::is_of_another(&error) => {
            generation::forget(reader);
            let now = generation::read(reader).await?;
            if now == generation {
                return Err(error);
            }
            read_as(reader, desired, now).await
        }
        read => read,
    };
    read.map(|live| Live { requests: reader.requests() - already, ..live })
}

async fn read_as(reader: &Reader, desired: &Desired, generation: Generation) -> Result<Live, ReadError> {
    let caller = read_caller(reader, desired).await?;
    let roles = roles::read_roles(reader, desired).await?;
    let found = match find(reader, desired).await? {
        Some(id) => read_organization(reader, &id, desired, generation).await?,
        None => None,
    };
    let Some(found) = found else {
        let nobody = Listing { items: Vec::new(), completeness: Completeness::Proven };
        let unseen = Gap {
            what: "whether there is such an organisation".to_owned(),
            why: "those are listed that the credential's owner administrates, and it isn't among them".to_owned(),
        };
        return Ok(Live {
            assignable: Some(roles),
            caller: Some(caller),
            gaps: gaps(generation).into_iter().chain([unseen]).collect(),
            ..Live::of(desired.organization.value.clone(), nobody)
        });
    };
    let id = RemoteId::from(found.id.clone());
    let WireOrganization { num_of_teams, num_of_users, .. } = found;
    let (itself, apps) = (itself(&found, &id), apps::apps(&found));
    let teams = found.teams.ok_or_else(|| missing(&ORGANIZATION, "organization.teams"))?;
    let teams = teams::teams(teams, &itself)?;
    let members = people::members(found.users.ok_or_else(|| missing(&ORGANIZATION, "organization.users"))?)?;
    let rows = people::read_rows(reader, &id).await?;
    let assigned = read_assignments(reader, desired, &id, &members, &teams, &roles, generation).await?;
    let held = held(&members, &assigned, generation);
    let People { mut users, invitations, unsure_of_teams, admins_of_old } =
        people::people(members, rows, &teams, num_of_users);
    let doubt = give_roles(&mut users.items, &held, &assigned, &teams, &roles);
    let admins_unsure = admins_unsure(&users.items, &held, &caller, &admins_of_old, &roles);
    let doubt = doubt.or_else(|| admins_unsure.clone());
    if let (Some(why), false) = (doubt, users.completeness.is_broken()) {
        users.completeness = Completeness::Broken { why };
    }
    let of_teams = teams_whole(&teams, num_of_teams, unsure_of_teams);
    let non_members = read_non_members(reader, desired, &users.items, generation).await?;
    let features = generation.changes_status.then_some(Feature::ChangesStatus).into_iter().collect();
    let organization = desired.organization.value.clone();
    Ok(Live {
        organization_id: Some(id),
        features,
        organization_entity: Some(itself),
        teams: Some(Listing { items: teams.by_id.into_values().collect(), completeness: of_teams }),
        assignable: Some(roles),
        caller: Some(caller),
        admins_unsure,
        non_members,
        apps,
        invitations: Some(invitations),
        gaps: gaps(generation),
        ..Live::of(organization, users)
    })
}

pub(super) use apps::survey;

/// About how many requests a read takes: once for all organisations, and for this one.
pub(super) fn requests(desired: &Desired) -> (usize, usize) {
    // The schema, who calls, the roles, the organisations, and whose team's key it is.
    let once = if desired.several_root_fields { 3 } else { 4 + usize::from(deletes(desired)) };
    let accounts = desired.users.iter().filter(|user| user.deleted || (user.absent && user.enabled.is_some()));
    (once, 3 + accounts.count())
}

fn failed(query: &Query) -> impl Fn(CallError) -> ReadError {
    let operation = query.name;
    move |error| ReadError::Call { operation, error }
}

fn missing(query: &Query, field: impl Into<String>) -> ReadError {
    ReadError::Missing { operation: query.name, field: field.into() }
}

/// An empty text says no more than none.
fn some(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty())
}

/// Who calls: by the personal key, and by the one that goes beside the team's, where that is another.
async fn read_caller(reader: &Reader, desired: &Desired) -> Result<Caller, ReadError> {
    let named = |name: &str| desired.credentials.contains_key(name);
    let mut callers = vec![start::active_user(reader, desired).await?];
    if named(IDENTITY_KEY) && named(PERSONAL_KEY) {
        let query = &IDENTITY;
        let answer: wire::ActiveUser = reader.query_kept(query, json!({})).await.map_err(failed(query))?;
        callers.push(answer.active_user.ok_or_else(|| missing(query, "activeUser"))?);
    }
    let (mut users, mut emails) = (BTreeSet::new(), BTreeSet::new());
    for WireCaller { id, email } in callers {
        users.insert(RemoteId::from(id.ok_or_else(|| missing(&ACTIVE_USER, "activeUser.id"))?));
        emails.extend(email.map(|email| Email::seen(&email)));
    }
    let team = if deletes(desired) {
        let id = start::active_entity(reader, desired).await?.id;
        Some(RemoteId::from(id.ok_or_else(|| missing(&ACTIVE_ENTITY, "activeEntity.id"))?))
    } else {
        None
    };
    Ok(Caller { users, emails, team })
}

/// Could anything be deleted that we call with?
fn deletes(desired: &Desired) -> bool {
    let itself = desired.organization_entity.as_ref().is_some_and(|itself| itself.absent);
    itself || desired.manage.teams == Scope::All || desired.teams.iter().any(|team| team.absent)
}

/// The id of the organisation that the file names, by its id or its slug. None: there is none, as the file allows.
async fn find(reader: &Reader, desired: &Desired) -> Result<Option<RemoteId>, ReadError> {
    let named = desired.organization.as_str();
    let itself = desired.organization_entity.as_ref();
    // Of one that is gone the platform says no more than that it can't be had.
    if is_id(named) && !itself.is_some_and(|itself| itself.absent) {
        return Ok(Some(RemoteId::seen(named)));
    }
    let afresh = itself.is_some_and(|itself| itself.create || itself.absent);
    let listed = start::organizations(reader, desired, afresh).await?;
    let is_it = |one: &&WireOrganizationName| match one.slugified_name.as_deref() {
        _ if is_id(named) => one.id.0 == named,
        slug => slug == Some(named),
    };
    if let Some(found) = listed.iter().find(is_it) {
        return Ok(Some(RemoteId::seen(&*found.id.0)));
    }
    let namesake = itself
        .filter(|itself| itself.create)
        .and_then(|itself| listed.iter().find(|one| one.name.is_some() && one.name == itself.name));
    if let Some(namesake) = namesake {
        // Making another would cost once more.
        let slug = namesake.slugified_name.clone().unwrap_or_else(|| namesake.id.0.clone());
        return Err(ReadError::OtherSlug { organization: named.to_owned(), slug });
    }
    if afresh {
        return Ok(None);
    }
    Err(ReadError::NoOrganization {
        organization: named.to_owned(),
        others: listed.into_iter().filter_map(|organization| organization.slugified_name).collect(),
    })
}

/// Ids are numbers; a slug may begin with one.
fn is_id(named: &str) -> bool {
    !named.is_empty() && named.bytes().all(|byte| byte.is_ascii_digit())
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
    let may_be_gone = desired.organization_entity.as_ref().is_some_and(|itself| itself.absent);
    if found.is_some() || may_be_gone {
        return Ok(found);
    }
    Err(ReadError::NoOrganization { organization: id.to_string(), others: Vec::new() })
}

fn itself(found: &WireOrganization, id: &RemoteId) -> Organization {
    Organization {
        id: Some(id.clone()),
        slug: some(found.slugified_name.clone()),
        name: found.name.clone().unwrap_or_default(),
        email: some(found.email.clone()),
        seats: found.billing_additional_values.as_ref().and_then(|billing| billing.total),
        description: some(found.description.clone()),
        thumbnail: some(found.thumbnail.clone()),
        invites: Vec::new(),
    }
}

/// Roles in teams are read only where the file speaks of teams; those in the organisation where users don't tell them.
async fn read_assignments(
    reader: &Reader,
    desired: &Desired,
    id: &RemoteId,
    members: &Members,
    teams: &Teams,
    roles: &AssignableRoles,
    generation: Generation,
) -> Result<Assignments, ReadError> {
    let people: BTreeSet<RemoteId> = members.users.iter().map(|user| user.id.clone()).collect();
    let mut found = Assignments::default();
    if desired.users.iter().any(|user| user.teams.is_some()) {
        let all: BTreeSet<RemoteId> = teams.by_id.keys().cloned().collect();
        found = roles::read_assignments(reader, id, &people, Some(&all), roles).await?;
        found.read_teams = true;
    }
    if generation.organization != Tells::Roles {
        let of_organization = roles::read_assignments(reader, id, &people, None, roles).await?;
        found.ambiguous = found.ambiguous.or(of_organization.ambiguous);
        found.organization = of_organization.organization;
    }
    Ok(found)
}

/// The role that each user has in the organisation, with the name that came along.
type Held = BTreeMap<RemoteId, (RemoteId, Option<String>)>;

fn held(members: &Members, assigned: &Assignments, generation: Generation) -> Held {
    if generation.organization == Tells::Roles {
        return members.roles.clone();
    }
    assigned.organization.iter().map(|(user, role)| (user.clone(), (role.clone(), None))).collect()
}

/// Says of everybody which roles they have. Whoever has been given none has the one that is the default (inferred:
/// nothing says so but its name). Returns why that can't be relied on, if it can't.
fn give_roles(
    users: &mut [LiveUser],
    held: &Held,
    assigned: &Assignments,
    teams: &Teams,
    roles: &AssignableRoles,
) -> Option<String> {
    let mut doubt = assigned.ambiguous.as_ref().map(|user| format!("the user {user} has two roles at one place"));
    let named = |among: &[AssignableRole], id: &RemoteId| {
        among.iter().find(|role| role.id == *id).map(|role| role.name.clone())
    };
    let default = |role: Option<&AssignableRole>| role.map(|role| role.name.clone());
    for user in users {
        let role = match held.get(&user.id) {
            Some((id, name)) => {
                let known = named(&roles.organization, id);
                if known.is_none() {
                    let shown = name.as_deref().unwrap_or(id.as_str());
                    doubt.get_or_insert_with(|| {
                        format!("{} has the role {shown}, which is none of those in organisations", user.email)
                    });
                }
                Some(known.unwrap_or_else(|| RoleName::seen(name.clone().unwrap_or_else(|| format!("#{id}")))))
            }
            None => default(roles.by_default()),
        };
        user.roles = role.into_iter().collect();
        if !assigned.read_teams {
            continue;
        }
        for (id, team) in &teams.by_id {
            let given = assigned.team.get(&(user.id.clone(), id.clone()));
            let given =
                given.map(|role| named(&roles.team, role).unwrap_or_else(|| RoleName::seen(format!("#{role}"))));
            match user.teams.as_mut().and_then(|teams| teams.get_mut(&team.name)) {
                Some(role) => *role = given.or_else(|| default(roles.by_default_in_teams())),
                None => user.stale_team_roles.extend(given.map(|role| (team.name.clone(), role))),
            }
        }
    }
    doubt
}

/// Why it isn't known for sure who administrates the organisation, if it isn't: whoever calls has to, and whoever does by
/// the older system and has been given no role may.
fn admins_unsure(
    users: &[LiveUser],
    held: &Held,
    caller: &Caller,
    of_old: &BTreeSet<RemoteId>,
    roles: &AssignableRoles,
) -> Option<String> {
    if !users.iter().any(|user| caller.users.contains(&user.id) && roles.make_admin(&user.roles)) {
        let named = caller.emails.first().map_or_else(|| "whoever calls".to_owned(), ToString::to_string);
        return Some(format!("{named} has to be an admin of the organisation to call, and isn't shown to be one"));
    }
    let untold = users.iter().find(|user| of_old.contains(&user.id) && !held.contains_key(&user.id))?;
    Some(format!("{} is an admin by one list, and by another has no role", untold.email))
}

/// `count`: how many teams there are by the organisation's own word. Whether it counts deleted ones isn't documented.
fn teams_whole(teams: &Teams, count: Option<wire::Count>, unsure: Option<String>) -> Completeness {
    let number = |teams: usize| wire::Count::try_from(teams).unwrap_or(wire::Count::MAX);
    let live = number(teams.by_id.len());
    let count = count.filter(|count| !(live..=live + number(teams.deleted.len())).contains(count));
    let why = count.map(|count| format!("the organisation says that it has {count} teams, and lists {live}"));
    match why.or(unsure) {
        Some(why) => Completeness::Broken { why },
        None => Completeness::Proven,
    }
}

/// The accounts of those who aren't in the organisation, and of whose account the file speaks: one request for each.
async fn read_non_members(
    reader: &Reader,
    desired: &Desired,
    users: &[LiveUser],
    generation: Generation,
) -> Result<Vec<LiveUser>, ReadError> {
    let here: BTreeSet<_> = users.iter().map(|user| &user.email).collect();
    let asked = desired.users.iter().filter(|desired| desired.enabled.is_some() || desired.deleted);
    let mut non_members = Vec::new();
    for desired in asked.filter(|desired| !here.contains(&desired.email)) {
        let query = generation.users();
        let variables = json!({ "where": { "email": desired.email } });
        let answer: wire::Users = reader.query(query, variables).await.map_err(failed(query))?;
        let (listed, total) = match answer.users.ok_or_else(|| missing(query, "users"))? {
            wire::UserList::List(users) => (users, None),
            wire::UserList::Connection { nodes, total } => {
                (nodes.ok_or_else(|| missing(query, "users.nodes"))?, total)
            }
        };
        let listed: Option<Vec<WireUser>> = listed.into_iter().collect();
        let listed = listed.ok_or_else(|| missing(query, "users[]"))?;
        let is_theirs = |user: &WireUser| user.email.as_deref().map(Email::seen).as_ref() == Some(&desired.email);
        if !listed.iter().any(is_theirs) && total.is_some_and(|total| total > people::counted(&listed)) {
            return Err(missing(query, format!("all of the users that have the address {}", desired.email)));
        }
        for (index, user) in listed.iter().enumerate().filter(|(_, user)| is_theirs(user)) {
            non_members.extend(people::account(user, index)?);
        }
    }
    Ok(non_members)
}

/// What the API keeps from every reader.
fn gaps(generation: Generation) -> Vec<Gap> {
    let gap = |what: &str, why: &str| Gap { what: what.to_owned(), why: why.to_owned() };
    let mut gaps = vec![
        gap(
            "who has been given a default role",
            "whoever has been given no role is taken to have the one that is the default, as no page says otherwise; no call takes a role away",
        ),
        gap("when an invitation was made, and when it runs out", "the API tells neither"),
    ];
    if !generation.told {
        gaps.push(gap(
            "which generation of the schema the hub has",
            "it doesn't introspect, so it is taken to be as the documentation has it",
        ));
    }
    if !generation.changes_status {
        gaps.push(gap("accounts", "this hub's API can't change the status of somebody else's account"));
    }
    gaps
}
