//! Mutations. Nearly all of them return a nullable Boolean and no object.

use async_graphql::{Context, ID, Object, Result, SimpleObject};
use serde_json::json;

use super::caller::ApiError;
use super::context::{mutate, mutate_boolean, mutate_required};
use super::inputs::{
    EntityRoleCreateInput, EntityRoleInput, OrganizationCreateInput, OrganizationUpdateInput, TeamCreateInput,
    TeamUpdateInput, TeamUserUpdateInput, UserInvitesDeleteInput, UserInvitesInput, UserInvitesReactivateInput,
    UserRolesUpdateInput, UserUpdateInput,
};
use super::organization::Organization;
use super::scalars::Any;
use super::team::Team;

#[derive(Default)]
pub struct Mutation;

#[expect(clippy::unused_async, reason = "the macro wants resolvers to be async")]
#[Object]
impl Mutation {
    async fn create_organization(
        &self,
        context: &Context<'_>,
        input: OrganizationCreateInput,
    ) -> Result<Organization> {
        mutate_required(context, |world, caller| world.create_organization(caller, input).map(Organization))
    }

    async fn update_organization(
        &self,
        context: &Context<'_>,
        input: OrganizationUpdateInput,
    ) -> Result<Option<Organization>> {
        mutate(context, |world, caller| world.update_organization(caller, input).map(Organization))
    }

    async fn delete_organization(&self, context: &Context<'_>, id: ID) -> Result<bool> {
        mutate_required(context, |world, caller| {
            world.delete_organization(caller, &id)?;
            // This answer can't be null.
            Ok(world.switches.booleans.unwrap_or(true))
        })
    }

    async fn create_team(&self, context: &Context<'_>, input: TeamCreateInput) -> Result<Option<Team>> {
        mutate(context, |world, caller| world.create_team(caller, input).map(Team))
    }

    async fn update_team(&self, context: &Context<'_>, input: TeamUpdateInput) -> Result<Option<Team>> {
        mutate(context, |world, caller| world.update_team(caller, input).map(Team))
    }

    async fn delete_team(&self, context: &Context<'_>, id: ID) -> Result<Option<bool>> {
        mutate_boolean(context, |world, caller| world.delete_team(caller, &id))
    }

    async fn add_user_to_teams(
        &self,
        context: &Context<'_>,
        user_id: i32,
        team_ids: Vec<Option<i32>>,
    ) -> Result<Option<bool>> {
        mutate_boolean(context, |world, caller| world.add_user_to_teams(caller, user_id, team_ids))
    }

    async fn update_team_user(
        &self,
        context: &Context<'_>,
        input: Option<TeamUserUpdateInput>,
    ) -> Result<Option<bool>> {
        mutate_boolean(context, |world, caller| world.update_team_user(caller, input.ok_or_else(no_input)?))
    }

    async fn remove_team_user_from_all_org_teams(
        &self,
        context: &Context<'_>,
        org_id: i32,
        email: String,
    ) -> Result<Option<bool>> {
        mutate_boolean(context, |world, caller| world.remove_from_organization(caller, org_id, &email))
    }

    async fn create_user_invites(
        &self,
        context: &Context<'_>,
        input: Option<UserInvitesInput>,
    ) -> Result<Option<bool>> {
        mutate_boolean(context, |world, caller| world.create_user_invites(caller, input.ok_or_else(no_input)?))
    }

    /// Cancels invitations. The documentation doesn't describe the answer.
    async fn delete_user_invites(
        &self,
        context: &Context<'_>,
        input: UserInvitesDeleteInput,
    ) -> Result<Option<Any>> {
        let done = mutate_boolean(context, |world, caller| world.delete_user_invites(caller, input))?;
        Ok(done.map(|done| Any(json!(done))))
    }

    async fn reactivate_user_invites(
        &self,
        context: &Context<'_>,
        input: UserInvitesReactivateInput,
    ) -> Result<Option<bool>> {
        mutate_boolean(context, |world, caller| world.reactivate_user_invites(caller, input))
    }

    async fn update_user_roles(
        &self,
        context: &Context<'_>,
        input: Option<UserRolesUpdateInput>,
    ) -> Result<Option<bool>> {
        mutate_boolean(context, |world, caller| world.update_user_roles(caller, &input.ok_or_else(no_input)?))
    }

    async fn upsert_entity_role(
        &self,
        context: &Context<'_>,
        input: Option<EntityRoleInput>,
    ) -> Result<Option<bool>> {
        mutate_boolean(context, |world, caller| world.upsert_entity_role(caller, &input.ok_or_else(no_input)?))
    }

    /// Refuses every call. The documentation doesn't say whether it adds roles or replaces them.
    async fn create_entities_roles(
        &self,
        context: &Context<'_>,
        input: Option<EntityRoleCreateInput>,
    ) -> Result<Option<bool>> {
        let asked = input.and_then(|input| input.entities_roles).map_or(0, |rows| rows.len());
        mutate_boolean(context, |_, _| {
            Err(ApiError::unprocessable(format!("{asked} roles can't be given at once")))
        })
    }

    async fn update_user(
        &self,
        context: &Context<'_>,
        input: UserUpdateInput,
    ) -> Result<Option<UpdateUserResult>> {
        mutate(context, |world, caller| {
            world.update_user(caller, input).map(|user| UpdateUserResult { status: Some(user.status) })
        })
    }

    /// Deletes an account. `updateUser` with a status is the other way to do it.
    async fn delete_user(&self, context: &Context<'_>, id: ID, mashape_id: String) -> Result<Option<bool>> {
        mutate_boolean(context, |world, caller| world.delete_user(caller, &id, &mashape_id))
    }
}

#[derive(SimpleObject)]
struct UpdateUserResult {
    status: Option<String>,
}

fn no_input() -> ApiError {
    ApiError::bad_input("`input` is needed")
}
