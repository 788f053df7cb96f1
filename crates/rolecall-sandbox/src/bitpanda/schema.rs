//! The GraphQL schema. Field names are those of the vendor's sample answers; type names follow the vendor's
//! convention.

use std::collections::BTreeSet;

use async_graphql::{Context, Error, ErrorExtensions, ID, InputObject, Object, Result, SimpleObject};
use rolecall_model::Expiry;

use super::super::digest;
use super::Shared;
use super::world::{DuplicateInvite, PendingUpdate, World, WorldKey, WorldUser};

/// Returns an error like the platform's: the code is a field of its own, and the message begins with it.
fn api_error(code: &'static str, message: &str) -> Error {
    Error::new(format!("{code}: {message}")).extend_with(|_, extensions| extensions.set("errorType", code))
}

fn shared<'a>(context: &'a Context<'_>) -> Result<&'a Shared> {
    context.data::<Shared>()
}

pub struct Query;

#[expect(clippy::unused_async, reason = "the macro wants resolvers to be async")]
#[Object]
impl Query {
    async fn list_api_keys(&self, context: &Context<'_>) -> Result<ListApiKeysResponse> {
        let world = shared(context)?.lock();
        let org_api_keys_list = world.keys.iter().map(|key| listed_key(&world, key)).collect();
        Ok(ListApiKeysResponse { org_api_keys_list })
    }

    async fn organisation_management(&self, context: &Context<'_>) -> Result<OrganisationManagement> {
        Ok(OrganisationManagement { id: shared(context)?.lock().organization.clone().into() })
    }
}

#[derive(SimpleObject)]
struct ListApiKeysResponse {
    org_api_keys_list: Vec<OrgApiKeyDetails>,
}

#[derive(SimpleObject)]
struct OrgApiKeyDetails {
    api_key_id: ID,
    name: String,
    roles: Vec<String>,
    api_key_expiry_date: String,
    enabled: bool,
}

struct OrganisationManagement {
    id: ID,
}

#[expect(clippy::unused_async, reason = "the macro wants resolvers to be async")]
#[Object]
impl OrganisationManagement {
    async fn id(&self) -> &ID {
        &self.id
    }

    /// Pages like the older API of the same service: `limit` defaults to the page size, `nextToken` continues the
    /// list.
    async fn list_users(
        &self,
        context: &Context<'_>,
        limit: Option<i32>,
        next_token: Option<String>,
    ) -> Result<OrganisationUserList> {
        let world = shared(context)?.lock();
        let listed = world.listed();
        let start = match next_token {
            Some(token) => token.parse().map_err(|_| api_error("BAD_REQUEST", "unknown nextToken"))?,
            None => 0_usize,
        };
        let page = match (world.switches.page_size, limit) {
            (Some(page), Some(limit)) => page.min(usize::try_from(limit).unwrap_or(0)),
            (Some(page), None) => page,
            (None, Some(limit)) => usize::try_from(limit).unwrap_or(0),
            (None, None) => listed.len(),
        }
        .max(1);
        let end = start.saturating_add(page).min(listed.len());
        let total = i64::try_from(listed.len()).unwrap_or(i64::MAX).saturating_add(world.switches.count_off_by);
        Ok(OrganisationUserList {
            total: i32::try_from(total.max(0)).unwrap_or(i32::MAX),
            items: listed.get(start..end).unwrap_or_default().iter().map(|user| shown_user(user)).collect(),
            next_token: (end < listed.len()).then(|| end.to_string()),
        })
    }
}

#[derive(SimpleObject)]
struct OrganisationUserList {
    total: i32,
    items: Vec<OrganisationUser>,
    next_token: Option<String>,
}

/// A user as the API shows it. `enabled` can be written but is never shown.
#[derive(SimpleObject)]
struct OrganisationUser {
    user_trust_id: ID,
    email: String,
    first_name: Option<String>,
    last_name: Option<String>,
    phone_number: Option<String>,
    roles: Vec<String>,
    created_at: String,
    invited: Option<bool>,
}

fn shown_user(user: &WorldUser) -> OrganisationUser {
    let WorldUser { id, email, first_name, last_name, phone, roles, enabled: _, accepted: _, created_at } =
        user.clone();
    OrganisationUser {
        user_trust_id: id.into(),
        email,
        first_name,
        last_name,
        phone_number: phone,
        roles: roles.into_iter().collect(),
        created_at: created_at.to_string(),
        invited: None,
    }
}

/// Returns a key as the list shows it. The vendor's samples of the list have `.999` in the expiry; those of
/// `createOrgApiKey` don't.
fn listed_key(world: &World, key: &WorldKey) -> OrgApiKeyDetails {
    let mut details = plain_key(key);
    if world.switches.expiry_millis {
        details.api_key_expiry_date = details.api_key_expiry_date.replace('Z', ".999Z");
    }
    details
}

fn plain_key(key: &WorldKey) -> OrgApiKeyDetails {
    let WorldKey { id, name, roles, expires, enabled, digest: _ } = key.clone();
    OrgApiKeyDetails {
        api_key_id: id.into(),
        name,
        roles: roles.into_iter().collect(),
        api_key_expiry_date: expires.to_string(),
        enabled,
    }
}

pub struct Mutation;

#[derive(InputObject)]
struct CreateOrgApiKeyInput {
    name: String,
    roles: Vec<String>,
    api_key_expiry_date: String,
}

#[derive(SimpleObject)]
struct CreateOrgApiKeyResponse {
    org_api_key: String,
    org_api_key_details: OrgApiKeyDetails,
}

#[derive(InputObject)]
struct UpdateOrgApiKeyInput {
    api_key_id: ID,
    enabled: bool,
}

#[derive(SimpleObject)]
struct UpdateOrgApiKeyResponse {
    api_key_id: ID,
}

#[derive(InputObject)]
struct UpdateUserInput {
    user_trust_id: ID,
    roles: Vec<String>,
    enabled: bool,
}

#[derive(InputObject)]
struct InviteUserInput {
    email: String,
    first_name: String,
    last_name: String,
    phone_number: Option<String>,
    roles: Option<Vec<String>>,
    enabled: Option<bool>,
}

fn role_set(roles: Vec<String>) -> Result<BTreeSet<String>> {
    if roles.iter().any(String::is_empty) {
        return Err(api_error("BAD_REQUEST", "a role is empty"));
    }
    Ok(roles.into_iter().collect())
}

#[expect(clippy::unused_async, reason = "the macro wants resolvers to be async")]
#[Object]
impl Mutation {
    async fn create_org_api_key(
        &self,
        context: &Context<'_>,
        create_org_api_key_input: CreateOrgApiKeyInput,
    ) -> Result<CreateOrgApiKeyResponse> {
        let shared = shared(context)?;
        let CreateOrgApiKeyInput { name, roles, api_key_expiry_date } = create_org_api_key_input;
        let expires: Expiry =
            api_key_expiry_date.parse().map_err(|_| api_error("BAD_REQUEST", "apiKeyExpiryDate is no date"))?;
        if expires.is_past((shared.clock)()) {
            return Err(api_error("BAD_REQUEST", "apiKeyExpiryDate has passed"));
        }
        let roles = role_set(roles)?;
        let mut world = shared.lock();
        if !world.switches.duplicate_key_names && world.keys.iter().any(|key| key.enabled && key.name == name) {
            return Err(api_error("CONFLICT", "there is a key of that name"));
        }
        let id = world.next_id("ak_");
        let org_api_key = world.next_id("sandbox-secret-");
        let key = WorldKey { id, name, roles, expires, enabled: true, digest: digest(&org_api_key) };
        let org_api_key_details = plain_key(&key);
        world.keys.push(key);
        Ok(CreateOrgApiKeyResponse { org_api_key, org_api_key_details })
    }

    async fn update_org_api_key(
        &self,
        context: &Context<'_>,
        update_org_api_key_input: UpdateOrgApiKeyInput,
    ) -> Result<UpdateOrgApiKeyResponse> {
        let UpdateOrgApiKeyInput { api_key_id, enabled } = update_org_api_key_input;
        let mut world = shared(context)?.lock();
        let key = world.keys.iter_mut().find(|key| key.id == *api_key_id);
        let key = key.ok_or_else(|| api_error("NOT_FOUND", "no such key"))?;
        key.enabled = enabled;
        Ok(UpdateOrgApiKeyResponse { api_key_id })
    }

    /// Replaces the roles: a role that isn't sent is removed.
    async fn update_user(
        &self,
        context: &Context<'_>,
        update_user_input: UpdateUserInput,
    ) -> Result<OrganisationUser> {
        let UpdateUserInput { user_trust_id, roles, enabled } = update_user_input;
        let roles = role_set(roles)?;
        let mut world = shared(context)?.lock();
        let (quorum, clears) = (world.switches.quorum, world.switches.clears_unsent);
        let found = world.users.iter().position(|user| user.id == *user_trust_id);
        let index = found.ok_or_else(|| api_error("NOT_FOUND", "no such user"))?;
        if quorum {
            world.pending.push(PendingUpdate { id: user_trust_id.to_string(), roles, enabled });
            return Ok(shown_user(&world.users[index]));
        }
        let user = &mut world.users[index];
        user.roles = roles;
        user.enabled = enabled;
        if clears {
            user.first_name = None;
            user.last_name = None;
            user.phone = None;
        }
        Ok(shown_user(user))
    }

    async fn invite_user(
        &self,
        context: &Context<'_>,
        invite_user_input: InviteUserInput,
    ) -> Result<OrganisationUser> {
        let shared = shared(context)?;
        let InviteUserInput { email, first_name, last_name, phone_number, roles, enabled } = invite_user_input;
        let roles = role_set(roles.unwrap_or_default())?;
        let created_at = (shared.clock)();
        let mut world = shared.lock();
        if let Some(existing) = world.user(&email).cloned() {
            if world.switches.duplicate_invite == DuplicateInvite::Refused {
                return Err(api_error("CONFLICT", "the user exists"));
            }
            world.mails.push(email);
            return Ok(OrganisationUser { invited: Some(true), ..shown_user(&existing) });
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
            created_at,
        };
        world.mails.push(email);
        let answer = OrganisationUser { invited: Some(true), ..shown_user(&user) };
        world.users.push(user);
        Ok(answer)
    }
}
