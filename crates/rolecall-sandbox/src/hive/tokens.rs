//! Mutations of access tokens.

use async_graphql::{Context, Object, Result};

use super::super::digest;
use super::access::{no_access, unexpected};
use super::answers::{
    CreateOrganizationAccessTokenResult, CreateOrganizationAccessTokenResultError,
    CreateOrganizationAccessTokenResultErrorDetails, CreateOrganizationAccessTokenResultOk,
    DeleteAccessTokenResult, DeleteAccessTokenResultError, DeleteAccessTokenResultOk,
    DeleteOrganizationAccessTokenResult, DeleteOrganizationAccessTokenResultError,
    DeleteOrganizationAccessTokenResultOk,
};
use super::catalogue::assignable_to_token;
use super::inputs::{
    CreateOrganizationAccessTokenInput, DeleteAccessTokenInput, DeleteOrganizationAccessTokenInput,
    token_input_errors, trimmed,
};
use super::key;
use super::mutation::{MutationScope, mutate};
use super::world::{Release, World, WorldToken};

pub struct TokenMutation;

#[expect(clippy::unused_async, reason = "the macro wants resolvers to be async")]
#[Object]
impl TokenMutation {
    /// Creates a token. It may have more permissions than the token that creates it. The answer contains its id
    /// only inside the key.
    async fn create_organization_access_token(
        &self,
        context: &Context<'_>,
        input: CreateOrganizationAccessTokenInput,
    ) -> Result<CreateOrganizationAccessTokenResult> {
        mutate(context, |MutationScope { world, caller, now }| {
            let CreateOrganizationAccessTokenInput { organization, title, description, permissions, resources } =
                input;
            // Measured on Hive 8.1.2: the input is checked before the caller's permissions.
            let wrong = token_input_errors(&title, description.as_deref());
            if wrong != (None, None) {
                let (title, description) = wrong;
                let details = Some(CreateOrganizationAccessTokenResultErrorDetails { title, description });
                let message = "Invalid input provided.".to_owned();
                return Ok(CreateOrganizationAccessTokenResultError { message, details }.into());
            }
            organization.find(world, "accessToken:modify")?;
            caller.require("accessToken:modify")?;
            // Measured on Hive 8.1.2: the schema says that the description is optional, but the database requires
            // it.
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
            Ok(CreateOrganizationAccessTokenResultOk { private_access_key }.into())
        })
    }

    async fn delete_organization_access_token(
        &self,
        context: &Context<'_>,
        input: DeleteOrganizationAccessTokenInput,
    ) -> Result<DeleteOrganizationAccessTokenResult> {
        mutate(context, |MutationScope { world, caller, .. }| {
            caller.require("accessToken:modify")?;
            let id = input.organization_access_token.id();
            if delete(world, id) {
                let deleted_organization_access_token_id = id.into();
                return Ok(DeleteOrganizationAccessTokenResultOk { deleted_organization_access_token_id }.into());
            }
            if world.switches.release == Release::V8_1_2 {
                return Err(no_access("accessToken:modify"));
            }
            Ok(DeleteOrganizationAccessTokenResultError { message: UNKNOWN.to_owned() }.into())
        })
    }

    #[graphql(visible = "super::shape::only_newest")]
    async fn delete_access_token(
        &self,
        context: &Context<'_>,
        input: DeleteAccessTokenInput,
    ) -> Result<DeleteAccessTokenResult> {
        mutate(context, |MutationScope { world, caller, .. }| {
            caller.require("accessToken:modify")?;
            let id = input.access_token.id();
            if delete(world, id) {
                return Ok(DeleteAccessTokenResultOk { deleted_access_token_id: id.into() }.into());
            }
            Ok(DeleteAccessTokenResultError { message: UNKNOWN.to_owned() }.into())
        })
    }
}

const UNKNOWN: &str = "The access token does not exist.";

/// Deletes a token, even the one that sent the request. Returns false if it doesn't exist.
fn delete(world: &mut World, id: &str) -> bool {
    let before = world.tokens.len();
    world.tokens.retain(|token| token.id != id);
    world.tokens.len() < before
}
