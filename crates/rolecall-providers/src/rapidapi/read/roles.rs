//! Roles of the hub, and who holds which.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::super::documents::{ENTITIES_ROLES, ROLES};
use super::super::number::number;
use super::super::wire::{EntitiesRoles, Id, Page, PageInfo, WireAssignment, WireRole};
use super::{failed, missing, start};
use crate::ReadError;
use rolecall_graphql::{Query, Reader};
use rolecall_model::{AssignableRole, AssignableRoles, Desired, RemoteId, RoleName};

/// Of a user within one organisation, and within one team.
const ORGANIZATION: &str = "USER_ORGANIZATION";
const TEAM: &str = "USER_TEAM";

/// Rows asked for in one page. The most that a hub gives isn't documented.
const PAGE: usize = 500;

/// Who has which role: in the organisation, and in each team of it.
#[derive(Debug, Default)]
pub(super) struct Assignments {
    pub organization: BTreeMap<RemoteId, RemoteId>,
    pub team: BTreeMap<(RemoteId, RemoteId), RemoteId>,
    /// Somebody has two at once, so that nobody knows which counts.
    pub ambiguous: Option<RemoteId>,
    /// Were roles in teams asked for at all?
    pub read_teams: bool,
}

/// Those that can be given in organisations and in teams.
pub(super) async fn read_roles(reader: &Reader, desired: &Desired) -> Result<AssignableRoles, ReadError> {
    let mut rows: BTreeMap<String, WireRole> = BTreeMap::new();
    let mut cursor: Option<String> = None;
    loop {
        let page = start::roles(reader, desired, cursor.as_deref()).await?;
        let (nodes, next) = page_of(page, &ROLES, "roles")?;
        rows.extend(nodes.into_iter().map(|role| (role.id.0.clone(), role)));
        if next.is_none() || next == cursor {
            break;
        }
        cursor = next;
    }
    let of = |level: &str| rows.values().filter(|role| role.role_level == level).collect::<Vec<_>>();
    let mut organization = assignable(&of(ORGANIZATION));
    let admins = admins(&organization, desired);
    for role in &mut organization {
        role.admin = admins.contains(&role.id);
    }
    Ok(AssignableRoles { organization, team: assignable(&of(TEAM)) })
}

/// Of the roles that can be given in organisations and in teams, those after a cursor.
pub(super) fn page(cursor: Option<&str>) -> Value {
    json!({
        "where": { "roleLevels": [ORGANIZATION, TEAM] },
        "pagination": { "first": PAGE, "after": cursor },
    })
}

/// By their names, and where several have one name, by their keys.
fn assignable(roles: &[&WireRole]) -> Vec<AssignableRole> {
    let several = |name: &str| roles.iter().filter(|role| role.name == name).count() > 1;
    let alone = roles.iter().filter(|role| role.is_default).count() == 1;
    let mut assignable: Vec<AssignableRole> = roles
        .iter()
        .map(|role| AssignableRole {
            id: RemoteId::seen(&*role.id.0),
            name: RoleName::seen(if several(&role.name) { &*role.key } else { &*role.name }),
            raw_name: RoleName::seen(&*role.name),
            key: role.key.clone(),
            default: role.is_default && alone,
            admin: false,
        })
        .collect();
    assignable.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
    assignable
}

/// The role that makes an admin: the one that the file names, or else the only one that is called so.
fn admins(roles: &[AssignableRole], desired: &Desired) -> BTreeSet<RemoteId> {
    let named = |role: &&AssignableRole| match desired.admin_role.as_deref() {
        Some(wanted) => [&role.name, &role.raw_name].contains(&wanted) || role.key == wanted.as_str(),
        None => [role.raw_name.as_str(), &*role.key]
            .iter()
            .any(|text| text.to_lowercase().split(|c: char| !c.is_alphanumeric()).any(|word| word == "admin")),
    };
    let found: BTreeSet<RemoteId> = roles.iter().filter(named).map(|role| role.id.clone()).collect();
    if found.len() == 1 { found } else { BTreeSet::new() }
}

/// Who holds which role in an organisation. `parents`: in these teams alone, rather than in the organisation.
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
    let of_organization: BTreeSet<&RemoteId> = roles.organization.iter().map(|role| &role.id).collect();
    let mut cursor = None;
    loop {
        let variables = json!({
            "where": filter,
            "orderBy": { "sortingFields": [{ "fieldName": "ID", "by": "ASC" }] },
            "pagination": { "first": PAGE, "after": cursor },
        });
        let query = &ENTITIES_ROLES;
        let answer: EntitiesRoles = reader.query(query, variables).await.map_err(failed(query))?;
        let page = answer.entities_roles.ok_or_else(|| missing(query, "entitiesRoles"))?;
        let (nodes, next) = page_of(page, query, "entitiesRoles")?;
        // Roles in other organisations are none here.
        let elsewhere = |id: &Id| id.0 != organization.as_str();
        for WireAssignment { entity_id, role_id, parent_id, org_id } in nodes {
            if org_id.as_ref().is_some_and(elsewhere) {
                continue;
            }
            let (user, role) = (RemoteId::from(entity_id), RemoteId::from(role_id));
            let earlier = match (parents, parent_id.map(RemoteId::from)) {
                (Some(_), Some(team)) => found.team.insert((user.clone(), team), role.clone()),
                (None, _) if of_organization.contains(&role) => {
                    found.organization.insert(user.clone(), role.clone())
                }
                (Some(_), None) | (None, _) => None,
            };
            if earlier.is_some_and(|earlier| earlier != role) {
                found.ambiguous = Some(user);
            }
        }
        if next.is_none() || next == cursor {
            return Ok(found);
        }
        cursor = next;
    }
}

/// The rows of a page, and where the next one begins.
fn page_of<T>(page: Page<T>, query: &Query, field: &str) -> Result<(Vec<T>, Option<String>), ReadError> {
    let nodes = page.nodes.ok_or_else(|| missing(query, format!("{field}.nodes")))?;
    let nodes = nodes.into_iter().collect::<Option<Vec<T>>>();
    let nodes = nodes.ok_or_else(|| missing(query, format!("{field}.nodes[]")))?;
    match page.page_info {
        Some(PageInfo { has_next_page: true, end_cursor: Some(cursor) }) if !nodes.is_empty() => {
            Ok((nodes, Some(cursor)))
        }
        Some(PageInfo { has_next_page: true, .. }) => {
            Err(missing(query, format!("{field}.pageInfo.endCursor, although there is another page")))
        }
        Some(PageInfo { has_next_page: false, .. }) => Ok((nodes, None)),
        None => Err(missing(query, format!("{field}.pageInfo"))),
    }
}
