//! Reads an organisation with two requests, or with a few more if the list of users has pages.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::super::distinct::distinct;
use super::ReadError;
use super::documents::{LIST_API_KEYS, LIST_USERS, LIST_USERS_ARGUMENTS, LIST_USERS_PAGE};
use super::wire::{Introspection, KeyList, ListApiKeys, ListUsers, UserList, WireKey, WireUser};
use rolecall_graphql::{CallError, Query, Reader};
use rolecall_model::{
    Action, Completeness, Email, Expiry, Gap, KeyName, Kind, Listing, Live, LiveKey, LiveUser, RemoteId, RoleName,
    Seen,
};

/// The number of users that one page asks for, if the list has pages.
const PAGE: usize = 100;

pub(super) async fn read(reader: &Reader) -> Result<Live, ReadError> {
    let requests_before = reader.requests();
    let (users, keys) = tokio::join!(read_users(reader), read_keys(reader));
    let ((organization, users), keys) = (users?, keys?);
    let requests = reader.requests() - requests_before;
    Ok(Live { keys: Some(keys), gaps: gaps(), requests, ..Live::of(organization, users) })
}

/// Returns everything that Bitpanda's API doesn't show.
fn gaps() -> Vec<Gap> {
    let enabled = Gap::new(
        "`enabled` of users",
        "The API accepts it and never returns it. A user whom somebody else disabled or enabled looks unchanged.",
    );
    vec![enabled.permanent(&[(Kind::User, Action::Update)])]
}

fn failed(query: &Query) -> impl Fn(CallError) -> ReadError {
    let operation = query.name;
    move |error| ReadError::Call { operation, error }
}

fn missing(query: &Query, field: impl Into<String>) -> ReadError {
    ReadError::Missing { operation: query.name, field: field.into() }
}

async fn read_users(reader: &Reader) -> Result<(RemoteId, Listing<LiveUser>), ReadError> {
    let answer: ListUsers = reader.query(&LIST_USERS, json!({})).await.map_err(failed(&LIST_USERS))?;
    let (organization, list) = unwrap_users(answer, &LIST_USERS)?;
    let mut rows = Vec::new();
    let total = list.total;
    collect(list, &LIST_USERS, &mut rows)?;
    let mut count = rows.len();
    let mut found = distinct(rows);
    if total.is_some_and(|total| total > found.len() as u64) && is_paged(reader).await? {
        let rows = read_pages(reader, &organization).await?;
        count = rows.len();
        found = distinct(rows);
    }
    let completeness = match total {
        Some(total) if total == found.len() as u64 => Completeness::Proven,
        Some(total) => Completeness::Broken {
            why: format!("the platform says that it has {total} users, and lists {}", found.len()),
        },
        None if found.len() < count => {
            Completeness::Broken { why: format!("the platform lists {count} users, but some of them twice") }
        }
        None => Completeness::Assumed { why: "the platform doesn't say how many users it has".to_owned() },
    };
    Ok((organization, Listing { items: found.into_values().collect(), completeness }))
}

fn unwrap_users(answer: ListUsers, query: &Query) -> Result<(RemoteId, UserList), ReadError> {
    let management = answer.organisation_management.ok_or_else(|| missing(query, "organisationManagement"))?;
    let id = management.id.ok_or_else(|| missing(query, "organisationManagement.id"))?;
    let list = management.list_users.ok_or_else(|| missing(query, "organisationManagement.listUsers"))?;
    Ok((RemoteId::seen(id), list))
}

fn collect(list: UserList, query: &Query, rows: &mut Vec<(RemoteId, LiveUser)>) -> Result<(), ReadError> {
    let items = list.items.ok_or_else(|| missing(query, "organisationManagement.listUsers.items"))?;
    for (index, item) in items.into_iter().enumerate() {
        let user = into_user(item)
            .map_err(|field| missing(query, format!("organisationManagement.listUsers.items[{index}].{field}")))?;
        rows.push((user.id.clone(), user));
    }
    Ok(())
}

/// Returns whether the list of users takes the arguments of a paged list.
///
/// The vendor's page shows no arguments, so the server is asked only if the list is too short. If it refuses
/// introspection, the list stays too short and is declared incomplete.
async fn is_paged(reader: &Reader) -> Result<bool, ReadError> {
    let schema = match reader.query::<Introspection>(&LIST_USERS_ARGUMENTS, json!({})).await {
        Ok(answer) => answer.schema,
        Err(error) if error.refuses_introspection() => None,
        Err(error) => return Err(failed(&LIST_USERS_ARGUMENTS)(error)),
    };
    let Some(schema) = schema else { return Ok(false) };
    let fields: Vec<_> = schema.types.into_iter().filter_map(|kind| kind.fields).flatten().collect();
    let takes = |name: &str| {
        let list = fields.iter().find(|field| field.name == "listUsers");
        list.is_some_and(|field| field.args.iter().any(|argument| argument.name == name))
    };
    Ok(takes("limit") && takes("nextToken") && fields.iter().any(|field| field.name == "nextToken"))
}

async fn read_pages(reader: &Reader, organization: &RemoteId) -> Result<Vec<(RemoteId, LiveUser)>, ReadError> {
    let query = &LIST_USERS_PAGE;
    let mut rows = Vec::new();
    let mut seen_tokens = BTreeSet::new();
    let mut token: Option<String> = None;
    loop {
        let variables = json!({ "limit": PAGE, "nextToken": token });
        let answer: ListUsers = reader.query(query, variables).await.map_err(failed(query))?;
        let (id, mut list) = unwrap_users(answer, query)?;
        if id != *organization {
            return Err(missing(query, "the same organisation on every page"));
        }
        token = list.next_token.take();
        collect(list, query, &mut rows)?;
        match &token {
            // A repeated token would never end. The list is then shorter than its count, and so incomplete.
            Some(next) if seen_tokens.insert(next.clone()) => {}
            Some(_) | None => return Ok(rows),
        }
    }
}

fn into_user(wire: WireUser) -> Result<LiveUser, &'static str> {
    let WireUser { user_trust_id, email, first_name, last_name, phone_number, roles } = wire;
    let id = RemoteId::seen(user_trust_id.ok_or("userTrustId")?);
    let email = Email::seen(&email.ok_or("email")?);
    // An update has to send the whole set of roles, so it must be known.
    let roles = roles.ok_or("roles")?.into_iter().map(RoleName::seen).collect();
    let user = LiveUser::of(id, email, roles);
    Ok(LiveUser { first_name, last_name, phone: phone_number, enabled: Seen::Unreadable, ..user })
}

async fn read_keys(reader: &Reader) -> Result<Listing<LiveKey>, ReadError> {
    let query = &LIST_API_KEYS;
    let answer: ListApiKeys = reader.query(query, json!({})).await.map_err(failed(query))?;
    let list = answer.list_api_keys.ok_or_else(|| missing(query, "listApiKeys"))?;
    let KeyList { org_api_keys_list } = list;
    let items = org_api_keys_list.ok_or_else(|| missing(query, "listApiKeys.orgApiKeysList"))?;
    let mut found = BTreeMap::new();
    for (index, item) in items.into_iter().enumerate() {
        let key = into_key(item)
            .map_err(|field| missing(query, format!("listApiKeys.orgApiKeysList[{index}].{field}")))?;
        found.insert(key.id.clone(), key);
    }
    let completeness = Completeness::Assumed { why: "the API doesn't say how many keys there are".to_owned() };
    Ok(Listing { items: found.into_values().collect(), completeness })
}

fn into_key(wire: WireKey) -> Result<LiveKey, &'static str> {
    let WireKey { api_key_id, name, roles, api_key_expiry_date, enabled } = wire;
    let expires = match api_key_expiry_date {
        Some(text) => Some(Expiry::parse(&text).ok_or("apiKeyExpiryDate as an instant")?),
        None => None,
    };
    Ok(LiveKey {
        id: RemoteId::seen(api_key_id.ok_or("apiKeyId")?),
        name: KeyName::seen(name.ok_or("name")?),
        description: None,
        roles: Some(roles.ok_or("roles")?.into_iter().map(RoleName::seen).collect()),
        permissions: None,
        resources: None,
        expires,
        enabled: enabled.ok_or("enabled")?,
    })
}
