//! Reads the roles of the hub, and the rows that assign them to users.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::super::documents::{ENTITIES_ROLES, ROLES};
use super::super::number::number;
use super::super::wire::{EntitiesRoles, Id, Page, PageInfo, WireAssignment, WireRole};
use super::{failed, missing, start};
use crate::ReadError;
use crate::rows::{Cursors, Fields, Row, separate};
use rolecall_graphql::{Query, Reader};
use rolecall_model::{AssignableRole, AssignableRoles, Desired, Kind, RemoteId, RoleName, UnreadableRow};

/// The level of a user's role in an organisation.
const ORGANIZATION: &str = "USER_ORGANIZATION";
/// The level of a user's role in a team.
const TEAM: &str = "USER_TEAM";

const ROLE: Fields = Fields { kind: Kind::Role, id: "/id", name: "/name", roles: "" };

const ASSIGNMENT: Fields = Fields { kind: Kind::User, id: "/entityId", name: "/entityName", roles: "" };

/// The number of rows that the first page asks for. The documentation doesn't say how many a hub returns at most.
const ALL: usize = 10_000;

/// The number of rows that a page asks for if a hub returns or allows fewer.
const PAGE: usize = 500;

/// The assigned roles, as ids.
#[derive(Debug, Default)]
pub(super) struct Assignments {
    /// The role of each user in the organisation.
    pub organization: BTreeMap<RemoteId, RemoteId>,
    /// The role of each user in each team, by the user and the team.
    pub team: BTreeMap<(RemoteId, RemoteId), RemoteId>,
    /// The reason why the roles can't be relied on, if there is one. For example, a user has two roles in the same
    /// place, and nobody knows which of them applies.
    pub doubt: Option<String>,
    /// The users who have a row that can't be read, or an id of nobody if the row doesn't say whose it is.
    pub unread: BTreeSet<RemoteId>,
    /// Whether the roles in teams were read.
    pub read_teams: bool,
}

/// Reads the roles that can be assigned in organisations and in teams.
pub(super) async fn read_roles(
    reader: &Reader,
    desired: &Desired,
    unreadable: &mut Vec<UnreadableRow>,
) -> Result<AssignableRoles, ReadError> {
    let mut rows: BTreeMap<String, WireRole> = BTreeMap::new();
    let (mut cursor, mut cursors): (Option<String>, _) = (None, Cursors::default());
    loop {
        let page = start::roles(reader, desired, cursor.as_deref()).await?;
        let (nodes, next) = page_of(page, &ROLES, "roles")?;
        let count = nodes.len();
        rows.extend(separate(nodes, &ROLE, unreadable).into_iter().map(|role| (role.id.0.clone(), role)));
        let Some(next) = next else { break };
        cursors.follow(count, &next).map_err(|why| ReadError::Endless { operation: ROLES.name, why })?;
        cursor = Some(next);
    }
    let of_level = |level: &str| rows.values().filter(|role| role.role_level == level).collect::<Vec<_>>();
    let mut organization = assignable(&of_level(ORGANIZATION));
    let admins = admins(&organization, desired);
    for role in &mut organization {
        role.admin = admins.contains(&role.id);
    }
    Ok(AssignableRoles { organization, team: assignable(&of_level(TEAM)) })
}

/// Returns the variables of a page of roles, after a cursor.
pub(super) fn page(cursor: Option<&str>) -> Value {
    json!({
        "where": { "roleLevels": [ORGANIZATION, TEAM] },
        "pagination": { "first": PAGE, "after": cursor },
    })
}

/// Converts roles. A role is named by its name, or by its key if several roles have that name. A default role
/// counts as one only if it is the only one.
fn assignable(roles: &[&WireRole]) -> Vec<AssignableRole> {
    let is_shared = |name: &str| roles.iter().filter(|role| role.name == name).count() > 1;
    let has_one_default = roles.iter().filter(|role| role.is_default).count() == 1;
    let mut assignable: Vec<AssignableRole> = roles
        .iter()
        .map(|role| AssignableRole {
            id: RemoteId::seen(&*role.id.0),
            name: RoleName::seen(if is_shared(&role.name) { &*role.key } else { &*role.name }),
            raw_name: RoleName::seen(&*role.name),
            key: role.key.clone(),
            default: role.is_default && has_one_default,
            admin: false,
        })
        .collect();
    assignable.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
    assignable
}

/// Returns the admin role: the one that the file names, or else the only one that has "admin" in its name or key.
/// Returns nothing if there are several.
fn admins(roles: &[AssignableRole], desired: &Desired) -> BTreeSet<RemoteId> {
    let is_admin = |role: &&AssignableRole| match desired.admin_role.as_deref() {
        Some(wanted) => [&role.name, &role.raw_name].contains(&wanted) || role.key == wanted.as_str(),
        None => [role.raw_name.as_str(), &*role.key]
            .iter()
            .any(|text| text.to_lowercase().split(|c: char| !c.is_alphanumeric()).any(|word| word == "admin")),
    };
    let found: BTreeSet<RemoteId> = roles.iter().filter(is_admin).map(|role| role.id.clone()).collect();
    if found.len() == 1 { found } else { BTreeSet::new() }
}

/// Reads the role rows of these users: those of the teams `parents`, or else those of the organisation.
pub(super) async fn read_assignments(
    reader: &Reader,
    organization: &RemoteId,
    people: &BTreeSet<RemoteId>,
    parents: Option<&BTreeSet<RemoteId>>,
    roles: &AssignableRoles,
) -> Result<Assignments, ReadError> {
    let numbers = |ids: &BTreeSet<RemoteId>| ids.iter().map(number).collect::<Vec<Value>>();
    let mut found = Assignments::default();
    if people.is_empty() || parents.is_some_and(BTreeSet::is_empty) {
        return Ok(found);
    }
    let mut filter = json!({ "entityIds": numbers(people), "orgId": number(organization) });
    if let Some(parents) = parents {
        filter["parentIds"] = Value::Array(numbers(parents));
    }
    let organization_roles: BTreeSet<&RemoteId> = roles.organization.iter().map(|role| &role.id).collect();
    let (mut cursor, mut cursors, mut size): (Option<String>, _, _) = (None, Cursors::default(), ALL);
    loop {
        let query = &ENTITIES_ROLES;
        let variables = json!({
            "where": filter,
            "orderBy": { "sortingFields": [{ "fieldName": "ID", "by": "ASC" }] },
            "pagination": { "first": size, "after": cursor },
        });
        let answer: EntitiesRoles = match reader.query(query, variables).await {
            Err(error) if size == ALL && error.may_ask_for_too_much() => {
                size = PAGE;
                continue;
            }
            answer => answer.map_err(failed(query))?,
        };
        let page = answer.entities_roles.ok_or_else(|| missing(query, "entitiesRoles"))?;
        let (nodes, next) = page_of(page, query, "entitiesRoles")?;
        size = nodes.len().clamp(PAGE, ALL);
        // Rows of other organisations don't matter here.
        let elsewhere = |id: &Id| id.0 != organization.as_str();
        let (count, mut unread) = (nodes.len(), Vec::new());
        let nodes = separate(nodes, &ASSIGNMENT, &mut unread);
        if let Some(row) = unread.first() {
            found.doubt = Some(format!("a row of `entitiesRoles` can't be read: {}", row.why));
        }
        found.unread.extend(unread.into_iter().filter_map(|row| row.address.id));
        for WireAssignment { entity_id, role_id, parent_id, org_id } in nodes {
            if org_id.as_ref().is_some_and(elsewhere) {
                continue;
            }
            let (user, role) = (RemoteId::from(entity_id), RemoteId::from(role_id));
            let earlier = match (parents, parent_id.map(RemoteId::from)) {
                (Some(_), Some(team)) => found.team.insert((user.clone(), team), role.clone()),
                (None, _) if organization_roles.contains(&role) => {
                    found.organization.insert(user.clone(), role.clone())
                }
                (Some(_), None) | (None, _) => None,
            };
            if earlier.is_some_and(|earlier| earlier != role) {
                found.doubt = Some(format!("the user {user} has two roles in the same place"));
            }
        }
        let Some(next) = next else { return Ok(found) };
        if let Err(why) = cursors.follow(count, &next) {
            found.doubt = Some(format!("the list of roles has no end: {why}"));
            return Ok(found);
        }
        cursor = Some(next);
    }
}

/// Returns the rows of a page and the cursor of the next one, if there is one.
fn page_of<T>(page: Page<T>, query: &Query, field: &str) -> Result<(Vec<Row<T>>, Option<String>), ReadError> {
    let nodes = page.nodes.ok_or_else(|| missing(query, format!("{field}.nodes")))?;
    match page.page_info {
        Some(PageInfo { has_next_page: true, end_cursor }) => Ok((nodes, Some(end_cursor.unwrap_or_default()))),
        Some(PageInfo { has_next_page: false, .. }) => Ok((nodes, None)),
        None => Err(missing(query, format!("{field}.pageInfo"))),
    }
}
