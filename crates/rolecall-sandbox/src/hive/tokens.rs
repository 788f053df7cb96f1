//! What can be changed about access tokens.

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
    CreateOrganizationAccessTokenInput, DeleteAccessTokenInput, DeleteOrganizationAccessTokenInput, trimmed,
    wrong_with_token,
};
use super::key;
use super::mutation::{Act, act};
use super::world::{Release, World, WorldToken};

pub struct TokenMutation;

#[expect(clippy::unused_async, reason = "the macro wants resolvers to be async")]
#[Object]
impl TokenMutation {
    /// Nobody asks whether the new token can do more than the one that makes it. Its id is only in its key.
    async fn create_organization_access_token(
        &self,
        context: &Context<'_>,
        input: CreateOrganizationAccessTokenInput,
    ) -> Result<CreateOrganizationAccessTokenResult> {
        act(context, |Act { world, caller, now }| {
            let CreateOrganizationAccessTokenInput { organization, title, description, permissions, resources } =
                input;
            // Measured on Hive 8.1.2: the input is looked at before the caller is.
            let wrong = wrong_with_token(&title, description.as_deref());
            if wrong != (None, None) {
                let (title, description) = wrong;
                let details = Some(CreateOrganizationAccessTokenResultErrorDetails { title, description });
                let message = "Invalid input provided.".to_owned();
                return Ok(CreateOrganizationAccessTokenResultError { message, details }.into());
            }
            organization.find(world, "accessToken:modify")?;
            caller.require("accessToken:modify")?;
            // Declared as optional, and the database wants it: as measured on Hive 8.1.2.
            let description = description.ok_or_else(unexpected)?;
            let (id, secret) = (world.next_id(), world.next_secret());
            let private_access_key = key::encode(&id, &secret);
            world.tokens.push(WorldToken {
                title: trimmed(&title).to_owned(),
                description: trimmed(&description).to_owned(),
                permissions: assignable_to_token(&permissions, world.switches.release),
                resources: world.stored(resources),
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
        act(context, |Act { world, caller, .. }| {
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
        act(context, |Act { world, caller, .. }| {
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

/// Nothing keeps a token from deleting itself.
fn delete(world: &mut World, id: &str) -> bool {
    let before = world.tokens.len();
    world.tokens.retain(|token| token.id != id);
    world.tokens.len() < before
}
