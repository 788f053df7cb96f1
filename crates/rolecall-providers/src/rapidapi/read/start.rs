//! What is the same for all organisations: who calls, which roles there are, which organisations. One request for each,
//! or two for all, where the hub is known to take several fields at once.

use serde_json::{Value, json};

use super::super::documents::{ACTIVE_ENTITY, ACTIVE_USER, ORGANIZATIONS, ROLES, START, START_OF_TEAM};
use super::super::wire::{self, Page, WireCaller, WireEntity, WireOrganizationName, WireRole};
use super::roles::page;
use super::{failed, missing};
use crate::ReadError;
use rolecall_graphql::Reader;
use rolecall_model::Desired;

/// Whoever the personal key is of, or calls beside the team's.
pub(super) async fn active_user(reader: &Reader, desired: &Desired) -> Result<WireCaller, ReadError> {
    let (query, found) = if desired.several_root_fields {
        let answer: wire::Start = reader.query_kept(&START, page(None)).await.map_err(failed(&START))?;
        (&START, answer.active_user)
    } else {
        let query = &ACTIVE_USER;
        let answer: wire::ActiveUser = reader.query_kept(query, json!({})).await.map_err(failed(query))?;
        (query, answer.active_user)
    };
    found.ok_or_else(|| missing(query, "activeUser"))
}

/// A page of the roles, from where the last one ended.
pub(super) async fn roles(
    reader: &Reader,
    desired: &Desired,
    cursor: Option<&str>,
) -> Result<Page<WireRole>, ReadError> {
    let found = if desired.several_root_fields && cursor.is_none() {
        let answer: wire::Start = reader.query_kept(&START, page(None)).await.map_err(failed(&START))?;
        answer.roles
    } else {
        let answer: wire::Roles = reader.query_kept(&ROLES, page(cursor)).await.map_err(failed(&ROLES))?;
        answer.roles
    };
    found.ok_or_else(|| missing(&ROLES, "roles"))
}

/// The team whose key it is.
pub(super) async fn active_entity(reader: &Reader, desired: &Desired) -> Result<WireEntity, ReadError> {
    let (query, found) = if desired.several_root_fields {
        let answer = of_team(reader).await?;
        (&START_OF_TEAM, answer.active_entity)
    } else {
        let query = &ACTIVE_ENTITY;
        let answer: wire::ActiveEntity = reader.query_kept(query, json!({})).await.map_err(failed(query))?;
        (query, answer.active_entity)
    };
    found.ok_or_else(|| missing(query, "activeEntity"))
}

/// Those that whoever calls administrates. `afresh`: what this very run may have made or deleted has to show.
pub(super) async fn organizations(
    reader: &Reader,
    desired: &Desired,
    afresh: bool,
) -> Result<Vec<WireOrganizationName>, ReadError> {
    let query = &ORGANIZATIONS;
    let found = if afresh {
        reader
            .query::<wire::Organizations>(query, Value::Object(serde_json::Map::new()))
            .await
            .map_err(failed(query))?
            .organizations
    } else if desired.several_root_fields {
        of_team(reader).await?.organizations
    } else {
        reader.query_kept::<wire::Organizations>(query, json!({})).await.map_err(failed(query))?.organizations
    };
    Ok(found.ok_or_else(|| missing(query, "organizations"))?.into_iter().flatten().collect())
}

async fn of_team(reader: &Reader) -> Result<wire::StartOfTeam, ReadError> {
    reader.query_kept(&START_OF_TEAM, json!({})).await.map_err(failed(&START_OF_TEAM))
}
