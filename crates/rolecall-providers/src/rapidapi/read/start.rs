//! Reads the facts that all organisations share: the owner of the key, the roles, and the list of organisations.
//! Each takes one request. If the hub accepts several root fields, two requests are enough for all.

use serde_json::{Value, json};

use super::super::documents::{ACTIVE_ENTITY, ACTIVE_USER, ORGANIZATIONS, ROLES, START, START_OF_TEAM};
use super::super::settings;
use super::super::wire::{self, Page, WireCaller, WireEntity, WireOrganizationName, WireRole};
use super::roles::page;
use super::{failed, missing};
use crate::ReadError;
use crate::rows::Row;
use rolecall_graphql::Reader;
use rolecall_model::Desired;

/// Reads the owner of the personal key, or else of the identity key.
pub(super) async fn active_user(reader: &Reader, desired: &Desired) -> Result<WireCaller, ReadError> {
    let (query, found) = if settings::has_several_root_fields(desired) {
        let answer: wire::Start = reader.query_once_with(&START, page(None)).await.map_err(failed(&START))?;
        (&START, answer.active_user)
    } else {
        let query = &ACTIVE_USER;
        let answer: wire::ActiveUser = reader.query_once_with(query, json!({})).await.map_err(failed(query))?;
        (query, answer.active_user)
    };
    found.ok_or_else(|| missing(query, "activeUser"))
}

/// Reads a page of the roles, from the cursor of the previous one.
pub(super) async fn roles(
    reader: &Reader,
    desired: &Desired,
    cursor: Option<&str>,
) -> Result<Page<WireRole>, ReadError> {
    let found = if settings::has_several_root_fields(desired) && cursor.is_none() {
        let answer: wire::Start = reader.query_once_with(&START, page(None)).await.map_err(failed(&START))?;
        answer.roles
    } else {
        let answer: wire::Roles = reader.query_once_with(&ROLES, page(cursor)).await.map_err(failed(&ROLES))?;
        answer.roles
    };
    found.ok_or_else(|| missing(&ROLES, "roles"))
}

/// Reads the team that the team's key belongs to.
pub(super) async fn active_entity(reader: &Reader, desired: &Desired) -> Result<WireEntity, ReadError> {
    let (query, found) = if settings::has_several_root_fields(desired) {
        let answer = start_of_team(reader).await?;
        (&START_OF_TEAM, answer.active_entity)
    } else {
        let query = &ACTIVE_ENTITY;
        let answer: wire::ActiveEntity = reader.query_once_with(query, json!({})).await.map_err(failed(query))?;
        (query, answer.active_entity)
    };
    found.ok_or_else(|| missing(query, "activeEntity"))
}

/// Reads the organisations that the owner of the key administrates. With `fresh` nothing is taken from the cache
/// of this run, which may itself have created or deleted one.
pub(super) async fn organizations(
    reader: &Reader,
    desired: &Desired,
    fresh: bool,
) -> Result<Vec<WireOrganizationName>, ReadError> {
    let query = &ORGANIZATIONS;
    let found = if fresh {
        reader
            .query::<wire::Organizations>(query, Value::Object(serde_json::Map::new()))
            .await
            .map_err(failed(query))?
            .organizations
    } else if settings::has_several_root_fields(desired) {
        start_of_team(reader).await?.organizations
    } else {
        reader.query_once_with::<wire::Organizations>(query, json!({})).await.map_err(failed(query))?.organizations
    };
    Ok(found.ok_or_else(|| missing(query, "organizations"))?.into_iter().filter_map(Row::read).collect())
}

async fn start_of_team(reader: &Reader) -> Result<wire::StartOfTeam, ReadError> {
    reader.query_once_with(&START_OF_TEAM, json!({})).await.map_err(failed(&START_OF_TEAM))
}
