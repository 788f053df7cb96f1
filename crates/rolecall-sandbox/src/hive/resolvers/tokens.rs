//! Mutations of access tokens.

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::super::digest;
use super::super::access::{no_access, unexpected};
use super::super::assignment::SentAssignment;
use super::super::catalogue::assignable_to_token;
use super::super::inputs::{OrganizationReference, Reference, token_input_errors, trimmed};
use super::super::key;
use super::super::world::{Release, World, WorldToken};
use super::{CallScope, NO_DETAILS, done, refused};
use crate::engine::FieldError;

#[derive(Deserialize)]
pub struct CreateToken {
    organization: OrganizationReference,
    title: String,
    description: Option<String>,
    permissions: Vec<String>,
    resources: SentAssignment,
}

/// Creates a token. It may have more permissions than the token that creates it. The answer contains its id only
/// inside the key.
pub fn create(
    CallScope { world, caller, now, .. }: CallScope<'_>,
    input: CreateToken,
) -> Result<Value, FieldError> {
    let CreateToken { organization, title, description, permissions, resources } = input;
    // Measured on Hive 8.1.2: the input is checked before the caller's permissions.
    let wrong = token_input_errors(&title, description.as_deref());
    if wrong != (None, None) {
        let (title, description) = wrong;
        let details = json!({ "title": title, "description": description });
        return Ok(refused("Invalid input provided.", ("details", details)));
    }
    organization.find(world, "accessToken:modify")?;
    caller.require("accessToken:modify")?;
    // Measured on Hive 8.1.2: the schema says that the description is optional, but the database requires it.
    let description = description.ok_or_else(unexpected)?;
    let (id, secret) = (world.next_id(), world.next_secret());
    let private_access_key = key::encode(&id, &secret);
    world.tokens.push(WorldToken {
        title: trimmed(&title).to_owned(),
        description: trimmed(&description).to_owned(),
        permissions: assignable_to_token(&permissions, world.switches.release),
        resources: world.stored_assignment(resources),
        digest: digest(&secret),
        first_characters: key::first_characters(&private_access_key),
        created_at: now,
        id,
    });
    Ok(done(&json!({ "privateAccessKey": private_access_key })))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeleteOrganizationToken {
    organization_access_token: Reference,
}

pub fn delete_of_organization(
    CallScope { world, caller, .. }: CallScope<'_>,
    input: DeleteOrganizationToken,
) -> Result<Value, FieldError> {
    caller.require("accessToken:modify")?;
    let id = input.organization_access_token.by_id;
    if remove(world, &id) {
        return Ok(done(&json!({ "deletedOrganizationAccessTokenId": id })));
    }
    if world.switches.release == Release::V8_1_2 {
        return Err(no_access("accessToken:modify"));
    }
    Ok(refused(UNKNOWN, NO_DETAILS))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeleteToken {
    access_token: Reference,
}

pub fn delete(CallScope { world, caller, .. }: CallScope<'_>, input: DeleteToken) -> Result<Value, FieldError> {
    caller.require("accessToken:modify")?;
    let id = input.access_token.by_id;
    if remove(world, &id) {
        return Ok(done(&json!({ "deletedAccessTokenId": id })));
    }
    Ok(refused(UNKNOWN, NO_DETAILS))
}

const UNKNOWN: &str = "The access token does not exist.";

/// Deletes a token, even the one that sent the request. Returns false if it doesn't exist.
fn remove(world: &mut World, id: &str) -> bool {
    let before = world.tokens.len();
    world.tokens.retain(|token| token.id != id);
    world.tokens.len() < before
}
