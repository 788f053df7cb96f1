//! The fields that need code. Field names are those of the vendor's sample answers.

use std::collections::BTreeSet;

use rolecall_model::Expiry;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::digest;
use super::Shared;
use super::world::{DuplicateInvite, PendingUpdate, World, WorldKey, WorldUser};
use crate::engine::{Field, FieldError, Resolved, Resolvers};

/// Returns an error like the platform's: the message begins with the code.
fn refused<T>(code: &'static str, message: &str) -> Result<T, FieldError> {
    Err(FieldError::coded(code, format!("{code}: {message}")))
}

impl Resolvers for Shared {
    fn resolve(&self, field: &Field<'_>) -> Resolved {
        let now = (self.clock)();
        let world = &mut *self.lock();
        let value = match (field.on, field.name) {
            ("Query", "listApiKeys") => {
                let keys: Vec<Value> = world.keys.iter().map(|key| listed_key(world, key)).collect();
                json!({ "orgApiKeysList": keys })
            }
            ("Query", "organisationManagement") => json!({ "id": world.organization }),
            ("OrganisationManagement", "listUsers") => user_list(world, field)?,
            ("Mutation", "createOrgApiKey") => {
                let CreateKey { name, roles, api_key_expiry_date } = field.argument("createOrgApiKeyInput")?;
                let Ok(expires) = api_key_expiry_date.parse::<Expiry>() else {
                    return refused("BAD_REQUEST", "apiKeyExpiryDate is no date");
                };
                if expires.is_past(now) {
                    return refused("BAD_REQUEST", "apiKeyExpiryDate has passed");
                }
                let roles = role_set(roles)?;
                if !world.switches.duplicate_key_names
                    && world.keys.iter().any(|key| key.enabled && key.name == name)
                {
                    return refused("CONFLICT", "there is a key of that name");
                }
                let id = world.next_id("ak_");
                let secret = world.next_id("sandbox-secret-");
                let key = WorldKey { id, name, roles, expires, enabled: true, digest: digest(&secret) };
                let shown = plain_key(&key);
                world.keys.push(key);
                json!({ "orgApiKey": secret, "orgApiKeyDetails": shown })
            }
            ("Mutation", "updateOrgApiKey") => {
                let UpdateKey { api_key_id, enabled } = field.argument("updateOrgApiKeyInput")?;
                let Some(key) = world.keys.iter_mut().find(|key| key.id == api_key_id) else {
                    return refused("NOT_FOUND", "no such key");
                };
                key.enabled = enabled;
                json!({ "apiKeyId": api_key_id })
            }
            ("Mutation", "updateUser") => update_user(world, field.argument("updateUserInput")?)?,
            ("Mutation", "inviteUser") => {
                let InviteUser { email, first_name, last_name, phone_number, roles, enabled } =
                    field.argument("inviteUserInput")?;
                let roles = role_set(roles.unwrap_or_default())?;
                if let Some(existing) = world.user(&email).cloned() {
                    if world.switches.duplicate_invite == DuplicateInvite::Refused {
                        return refused("CONFLICT", "the user exists");
                    }
                    world.mails.push(email);
                    return Ok(Some(shown_user(&existing)));
                }
                let user = WorldUser {
                    id: world.next_id("u-"),
                    email: email.clone(),
                    first_name: Some(first_name),
                    last_name: Some(last_name),
                    phone: phone_number,
                    roles,
                    enabled: enabled.unwrap_or(true),
                    accepted: false,
                    created_at: now,
                };
                world.mails.push(email);
                let shown = shown_user(&user);
                world.users.push(user);
                shown
            }
            _ => return Ok(None),
        };
        Ok(Some(value))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CreateKey {
    name: String,
    roles: Vec<String>,
    api_key_expiry_date: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UpdateKey {
    api_key_id: String,
    enabled: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UpdateUser {
    user_trust_id: String,
    roles: Vec<String>,
    enabled: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InviteUser {
    email: String,
    first_name: String,
    last_name: String,
    phone_number: Option<String>,
    roles: Option<Vec<String>>,
    enabled: Option<bool>,
}

fn role_set(roles: Vec<String>) -> Result<BTreeSet<String>, FieldError> {
    if roles.iter().any(String::is_empty) {
        return refused("BAD_REQUEST", "a role is empty");
    }
    Ok(roles.into_iter().collect())
}

/// Pages like the older API of the same service: `limit` defaults to the page size, `nextToken` continues the list.
fn user_list(world: &World, field: &Field<'_>) -> Result<Value, FieldError> {
    let (limit, token): (Option<i32>, Option<String>) = (field.argument("limit")?, field.argument("nextToken")?);
    let listed = world.listed();
    let start = match token.map(|token| token.parse()) {
        Some(Ok(start)) => start,
        Some(Err(_)) => return refused("BAD_REQUEST", "unknown nextToken"),
        None => 0_usize,
    };
    let limit = limit.map(|limit| usize::try_from(limit).unwrap_or(0));
    let page = [world.switches.page_size, limit].into_iter().flatten().min().unwrap_or(listed.len()).max(1);
    let end = start.saturating_add(page).min(listed.len());
    let total = i64::try_from(listed.len()).unwrap_or(i64::MAX).saturating_add(world.switches.count_off_by);
    let items = listed.get(start..end).unwrap_or_default();
    Ok(json!({
        "total": total.clamp(0, i64::from(i32::MAX)),
        "items": items.iter().map(|user| shown_user(user)).collect::<Vec<_>>(),
        "nextToken": (end < listed.len()).then(|| end.to_string()),
    }))
}

/// Returns a user as the API shows it. `enabled` can be written but is never shown. Only the answer to an invitation
/// has a field for `invited`.
fn shown_user(user: &WorldUser) -> Value {
    json!({
        "userTrustId": user.id,
        "email": user.email,
        "firstName": user.first_name,
        "lastName": user.last_name,
        "phoneNumber": user.phone,
        "roles": user.roles,
        "createdAt": user.created_at,
        "invited": true,
    })
}

/// Returns a key as the list shows it. The vendor's samples of the list have `.999` in the expiry; those of
/// `createOrgApiKey` don't.
fn listed_key(world: &World, key: &WorldKey) -> Value {
    let mut shown = plain_key(key);
    if world.switches.expiry_millis {
        shown["apiKeyExpiryDate"] = json!(key.expires.to_string().replace('Z', ".999Z"));
    }
    shown
}

fn plain_key(key: &WorldKey) -> Value {
    json!({
        "apiKeyId": key.id,
        "name": key.name,
        "roles": key.roles,
        "apiKeyExpiryDate": key.expires.to_string(),
        "enabled": key.enabled,
    })
}

/// Replaces the roles: a role that isn't sent is removed.
fn update_user(world: &mut World, sent: UpdateUser) -> Result<Value, FieldError> {
    let UpdateUser { user_trust_id: id, roles, enabled } = sent;
    let roles = role_set(roles)?;
    let (quorum, clears) = (world.switches.quorum, world.switches.clears_unsent);
    let Some(user) = world.users.iter_mut().find(|user| user.id == id) else {
        return refused("NOT_FOUND", "no such user");
    };
    if quorum {
        world.pending.push(PendingUpdate { id, roles, enabled });
        return Ok(shown_user(user));
    }
    user.roles = roles;
    user.enabled = enabled;
    if clears {
        user.first_name = None;
        user.last_name = None;
        user.phone = None;
    }
    Ok(shown_user(user))
}
