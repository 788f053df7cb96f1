//! Reads an organisation with two requests, or with a few more if the list of users has pages.

use std::collections::BTreeMap;

use serde_json::json;
use tracing::{Instrument as _, Span};

use super::super::distinct::distinct;
use super::super::rows::{Cursors, Fields, Mail, Text, separate};
use super::super::schema::new_inputs;
use super::super::trace::{list_span, record_list};
use super::documents::{GUESSED_TYPES, LIST_API_KEYS, LIST_USERS, LIST_USERS_ARGUMENTS, LIST_USERS_PAGE};
use super::wire::{
    IntrospectedType, Introspection, KeyList, ListApiKeys, ListUsers, ListedUser, UserList, WireKey,
};
use super::{ReadError, USED};
use rolecall_graphql::{CallError, Query, Reader};
use rolecall_model::{
    Action, Completeness, Gap, KeyName, Kind, Listing, Live, LiveKey, LiveUser, ReadOnly, RemoteId, RoleName,
    Seen, UnreadableRow,
};

/// The number of users that a page asks for, if the list has pages. No page of the vendor says how many it may have.
const LARGE_PAGE: usize = 1_000;

/// The number of users that a page asks for if the platform allows no larger one.
const PAGE: usize = 100;

pub(super) async fn read(reader: &Reader) -> Result<Live, ReadError> {
    let requests_before = reader.requests();
    let (users, keys) = tokio::join!(
        read_users(reader).instrument(list_span("users")),
        read_keys(reader).instrument(list_span("keys"))
    );
    let ((organization, users, mut unreadable, mut read_only), (keys, unreadable_keys)) = (users?, keys?);
    unreadable.extend(unreadable_keys);
    let requests = reader.requests() - requests_before;
    let endless = keys.items.iter().filter(|key| key.expires.is_none());
    read_only.extend(endless.map(|key| without_expiry(&key.id)));
    Ok(Live { keys: Some(keys), unreadable, read_only, gaps: gaps(), requests, ..Live::of(organization, users) })
}

/// Returns why a key isn't replaced that has no expiry, although every key of the vendor's page has one.
fn without_expiry(id: &RemoteId) -> ReadOnly {
    let why = "The platform doesn't show when it expires, so rolecall neither enables nor replaces it. Use `--assert` to do it all the same.";
    ReadOnly { kind: Kind::Key, id: Some(id.clone()), code: "expiry-not-shown", why: why.to_owned() }
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

const USERS: Fields = Fields { kind: Kind::User, id: "/userTrustId", name: "/email", roles: "/roles" };

const KEYS: Fields = Fields { kind: Kind::Key, id: "/apiKeyId", name: "/name", roles: "/roles" };

/// The rows of the list of users.
#[derive(Default)]
struct UserRows {
    read: Vec<LiveUser>,
    unread: Vec<UnreadableRow>,
    pages: usize,
    /// The reason why the pages have no end, if they haven't.
    endless: Option<&'static str>,
}

impl UserRows {
    fn add(&mut self, list: UserList, query: &Query) -> Result<(), ReadError> {
        let items = list.items.ok_or_else(|| missing(query, "organisationManagement.listUsers.items"))?;
        self.pages += 1;
        self.read.extend(separate(items, &USERS, &mut self.unread).into_iter().map(into_user));
        Ok(())
    }

    fn count(&self) -> usize {
        self.read.len() + self.unread.len()
    }
}

/// The organisation, its users, the rows that can't be read, and what must not be updated.
type Users = (RemoteId, Listing<LiveUser>, Vec<UnreadableRow>, Vec<ReadOnly>);

async fn read_users(reader: &Reader) -> Result<Users, ReadError> {
    let answer: ListUsers = reader.query(&LIST_USERS, json!({})).await.map_err(failed(&LIST_USERS))?;
    let (organization, list) = unwrap_users(answer, &LIST_USERS)?;
    let total = list.total;
    let mut rows = UserRows::default();
    rows.add(list, &LIST_USERS)?;
    let mut read_only = Vec::new();
    if total.is_some_and(|total| total > rows.count() as u64) {
        let types = types(reader).await?;
        read_only = with_new_inputs(&types);
        if is_paged(&types) {
            rows = read_pages(reader, &organization).await?;
        }
    }
    let listed = rows.count();
    let UserRows { read, unread, pages, endless } = rows;
    let found = distinct(read);
    let different = found.len() + unread.len();
    let completeness = match total {
        Some(_) | None if endless.is_some() => {
            Completeness::Broken { why: format!("the list has no end: {}", endless.unwrap_or_default()) }
        }
        Some(total) if total == different as u64 => Completeness::Proven,
        Some(total) => Completeness::Broken {
            why: format!("the platform says that it has {total} users, and lists {different}"),
        },
        None if different < listed => {
            Completeness::Broken { why: format!("the platform lists {listed} users, but some of them twice") }
        }
        None => Completeness::Assumed { why: "the platform doesn't say how many users it has".to_owned() },
    };
    record_list(&Span::current(), pages, found.len(), &completeness);
    Ok((organization, Listing { items: found, completeness }, unread, read_only))
}

fn unwrap_users(answer: ListUsers, query: &Query) -> Result<(RemoteId, UserList), ReadError> {
    let management = answer.organisation_management.ok_or_else(|| missing(query, "organisationManagement"))?;
    let id = management.id.ok_or_else(|| missing(query, "organisationManagement.id"))?;
    let list = management.list_users.ok_or_else(|| missing(query, "organisationManagement.listUsers"))?;
    Ok((RemoteId::seen(id), list))
}

/// Returns the types of the server's schema, or none if it refuses introspection.
///
/// The vendor's page shows no arguments of the list of users, so the server is asked only if the list is too short. If it
/// refuses, the list stays too short and is declared incomplete.
async fn types(reader: &Reader) -> Result<Vec<IntrospectedType>, ReadError> {
    let schema = match reader.query::<Introspection>(&LIST_USERS_ARGUMENTS, json!({})).await {
        Ok(answer) => answer.schema,
        Err(error) if error.refuses_introspection() => None,
        Err(error) => return Err(failed(&LIST_USERS_ARGUMENTS)(error)),
    };
    Ok(schema.map(|schema| schema.types).unwrap_or_default())
}

/// Returns what must not be updated, because the inputs of its update have fields that rolecall doesn't know.
fn with_new_inputs(types: &[IntrospectedType]) -> Vec<ReadOnly> {
    let replaced = [(Kind::User, "updateUser"), (Kind::Key, "updateOrgApiKey")];
    let new = |(kind, operation)| {
        let (_, name) = GUESSED_TYPES.iter().find(|(known, _)| *known == operation)?;
        let input = types.iter().find(|it| it.name.as_deref() == Some(*name))?;
        let names = input.input_fields.iter().flatten().map(|field| &*field.name);
        let new = new_inputs(USED, operation, names);
        (!new.is_empty()).then(|| ReadOnly::new_input(kind, operation, &new))
    };
    replaced.into_iter().filter_map(new).collect()
}

/// Returns whether the list of users takes the arguments of a paged list.
fn is_paged(types: &[IntrospectedType]) -> bool {
    let fields: Vec<_> = types.iter().filter_map(|kind| kind.fields.as_ref()).flatten().collect();
    let takes = |name: &str| {
        let list = fields.iter().find(|field| field.name == "listUsers");
        list.is_some_and(|field| field.args.iter().any(|argument| argument.name == name))
    };
    takes("limit") && takes("nextToken") && fields.iter().any(|field| field.name == "nextToken")
}

async fn read_pages(reader: &Reader, organization: &RemoteId) -> Result<UserRows, ReadError> {
    let query = &LIST_USERS_PAGE;
    let (mut rows, mut cursors) = (UserRows::default(), Cursors::default());
    let (mut token, mut size): (Option<String>, _) = (None, LARGE_PAGE);
    loop {
        let answer: ListUsers = match reader.query(query, json!({ "limit": size, "nextToken": token })).await {
            Err(error) if size == LARGE_PAGE && error.may_ask_for_too_much() => {
                size = PAGE;
                continue;
            }
            answer => answer.map_err(failed(query))?,
        };
        let (id, mut list) = unwrap_users(answer, query)?;
        if id != *organization {
            return Err(missing(query, "the same organisation on every page"));
        }
        token = list.next_token.take();
        let before = rows.count();
        rows.add(list, query)?;
        let Some(next) = &token else { return Ok(rows) };
        if let Err(why) = cursors.follow(rows.count() - before, next) {
            rows.endless = Some(why);
            return Ok(rows);
        }
    }
}

fn into_user(wire: ListedUser) -> LiveUser {
    let ListedUser { user_trust_id: Text(id), email: Mail(email), first_name, last_name, phone_number, roles } =
        wire;
    let user = LiveUser::of(RemoteId::seen(id), email, roles);
    LiveUser { first_name, last_name, phone: phone_number, enabled: Seen::Unreadable, ..user }
}

async fn read_keys(reader: &Reader) -> Result<(Listing<LiveKey>, Vec<UnreadableRow>), ReadError> {
    let query = &LIST_API_KEYS;
    let answer: ListApiKeys = reader.query(query, json!({})).await.map_err(failed(query))?;
    let list = answer.list_api_keys.ok_or_else(|| missing(query, "listApiKeys"))?;
    let KeyList { org_api_keys_list } = list;
    let items = org_api_keys_list.ok_or_else(|| missing(query, "listApiKeys.orgApiKeysList"))?;
    let mut unread = Vec::new();
    let keys = separate(items, &KEYS, &mut unread).into_iter().map(into_key);
    let found: BTreeMap<RemoteId, LiveKey> = keys.map(|key| (key.id.clone(), key)).collect();
    let completeness = Completeness::Assumed { why: "the API doesn't say how many keys there are".to_owned() };
    record_list(&Span::current(), 1, found.len(), &completeness);
    Ok((Listing { items: found.into_values().collect(), completeness }, unread))
}

fn into_key(wire: WireKey) -> LiveKey {
    let WireKey { api_key_id: Text(id), name: Text(name), roles, api_key_expiry_date, enabled } = wire;
    LiveKey {
        id: RemoteId::seen(id),
        name: KeyName::seen(name),
        description: None,
        roles: Some(roles.into_iter().map(RoleName::seen).collect()),
        permissions: None,
        resources: None,
        expires: api_key_expiry_date,
        created: None,
        enabled,
    }
}
