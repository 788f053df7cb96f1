//! Mutations of roles, members and invitations.

use async_graphql::{Context, Error, MergedObject, Object, Result};
use jiff::{SignedDuration, Timestamp};

use super::access::{Caller, caller, coded_error, no_access, unexpected};
use super::answers::{
    AssignMemberRoleResult, AssignMemberRoleResultError, AssignMemberRoleResultOk, CreateMemberRoleInputErrors,
    CreateMemberRoleResult, CreateMemberRoleResultError, CreateMemberRoleResultOk, DeleteMemberRoleResult,
    DeleteMemberRoleResultError, DeleteMemberRoleResultOk, DeleteOrganizationInvitationResult,
    DeleteOrganizationInvitationResultError, DeleteOrganizationInvitationResultOk,
    InviteToOrganizationByEmailInputErrors, InviteToOrganizationByEmailResult,
    InviteToOrganizationByEmailResultError, InviteToOrganizationByEmailResultOk, UpdateMemberRoleInputErrors,
    UpdateMemberRoleResult, UpdateMemberRoleResultError, UpdateMemberRoleResultOk,
};
use super::assignment::Assignment;
use super::catalogue::assignable_to_role;
use super::inputs::{
    AssignMemberRoleInput, CreateMemberRoleInput, DeleteMemberRoleInput, DeleteOrganizationInvitationInput,
    FieldErrors, InviteToOrganizationByEmailInput, UpdateMemberRoleInput, email_error, role_input_errors, trimmed,
    uuid,
};
use super::nodes::{Member, MemberRole, OrganizationInvitation, invitation_id};
use super::query::{Organization, shared};
use super::tokens::TokenMutation;
use super::window::InvitationWindow;
use super::world::{Release, World, WorldInvitation, WorldRole};

/// All mutations.
#[derive(MergedObject)]
pub struct Mutation(pub MemberMutation, pub TokenMutation);

pub struct MemberMutation;

/// The arguments that every mutation works with.
pub struct MutationScope<'a> {
    pub world: &'a mut World,
    pub caller: &'a Caller,
    pub now: Timestamp,
}

/// Runs a mutation. Once one mutation of a request fails with an error, the later ones don't run.
pub fn mutate<T>(context: &Context<'_>, work: impl FnOnce(MutationScope<'_>) -> Result<T>) -> Result<T> {
    let (shared, caller) = (shared(context)?, caller(context)?);
    if caller.is_stopped() {
        return Err(coded_error("", STOPPED));
    }
    let now = (shared.clock)();
    let done = work(MutationScope { world: &mut shared.lock(), caller, now });
    if done.is_err() {
        caller.stop();
    }
    done
}

/// The error code of a mutation that didn't run. It never reaches the client.
pub const STOPPED: &str = "STOPPED";

const CHECK_INPUT: &str = "Please check your input.";
const NAME_TAKEN: &str = "Role name already exists. Please choose a different name.";

/// Checks a role's name and description. Returns the error message, and the error in each of the two fields.
fn role_error(
    world: &World,
    own_id: Option<&str>,
    name: &str,
    description: &str,
) -> Option<(&'static str, FieldErrors)> {
    let wrong = role_input_errors(name, description);
    if wrong != (None, None) {
        return Some((CHECK_INPUT, wrong));
    }
    let taken = world.roles.iter().any(|role| role.name == trimmed(name) && Some(role.id.as_str()) != own_id);
    taken.then(|| (NAME_TAKEN, (Some(NAME_TAKEN.to_owned()), None)))
}

#[expect(clippy::unused_async, reason = "the macro wants resolvers to be async")]
#[Object]
impl MemberMutation {
    async fn create_member_role(
        &self,
        context: &Context<'_>,
        input: CreateMemberRoleInput,
    ) -> Result<CreateMemberRoleResult> {
        mutate(context, |MutationScope { world, caller, .. }| {
            let CreateMemberRoleInput { organization, name, description, selected_permissions } = input;
            organization.find(world, "member:modify")?;
            caller.require("member:modify")?;
            if let Some((message, (name, description))) = role_error(world, None, &name, &description) {
                let input_errors = Some(CreateMemberRoleInputErrors { name, description });
                return Ok(CreateMemberRoleResultError { message: message.to_owned(), input_errors }.into());
            }
            let role = WorldRole {
                id: world.next_id(),
                name: trimmed(&name).to_owned(),
                description,
                locked: false,
                permissions: assignable_to_role(&selected_permissions, world.switches.release),
            };
            world.roles.push(role.clone());
            let created_member_role = MemberRole(role);
            Ok(CreateMemberRoleResultOk { updated_organization: Organization, created_member_role }.into())
        })
    }

    /// Updates a role. Measured on Hive 8.1.2: built-in roles aren't protected, only their names are reserved.
    async fn update_member_role(
        &self,
        context: &Context<'_>,
        input: UpdateMemberRoleInput,
    ) -> Result<UpdateMemberRoleResult> {
        mutate(context, |MutationScope { world, caller, .. }| {
            let UpdateMemberRoleInput { member_role, name, description, selected_permissions } = input;
            let id = uuid(member_role.id())?;
            caller.require("member:modify")?;
            let found = world.roles.iter().position(|role| role.id == id);
            let at = found.ok_or_else(|| no_access("member:modify"))?;
            if let Some((message, (name, description))) = role_error(world, Some(id), &name, &description) {
                let input_errors = Some(UpdateMemberRoleInputErrors { name, description });
                return Ok(UpdateMemberRoleResultError { message: message.to_owned(), input_errors }.into());
            }
            let permissions = assignable_to_role(&selected_permissions, world.switches.release);
            let role = &mut world.roles[at];
            trimmed(&name).clone_into(&mut role.name);
            role.description = description;
            role.permissions = permissions;
            Ok(UpdateMemberRoleResultOk { updated_role: MemberRole(role.clone()) }.into())
        })
    }

    /// Deletes a role. Measured on Hive 8.1.2: for a built-in role it answers that the role was deleted, but the
    /// role stays.
    async fn delete_member_role(
        &self,
        context: &Context<'_>,
        input: DeleteMemberRoleInput,
    ) -> Result<DeleteMemberRoleResult> {
        mutate(context, |MutationScope { world, caller, .. }| {
            let id = uuid(input.member_role.id())?;
            caller.require("member:modify")?;
            world.role_by_id(id).ok_or_else(|| no_access("member:modify"))?;
            if world.members.iter().any(|member| member.role_id == id) {
                let message = "Cannot delete a role with members".to_owned();
                return Ok(DeleteMemberRoleResultError { message }.into());
            }
            let viewer = world.role("Viewer").ok_or_else(unexpected)?.id.clone();
            for invitation in world.invitations.iter_mut().filter(|invitation| invitation.role_id == id) {
                invitation.role_id.clone_from(&viewer);
            }
            world.roles.retain(|role| role.locked || role.id != id);
            let deleted_member_role_id = id.into();
            Ok(DeleteMemberRoleResultOk { updated_organization: Organization, deleted_member_role_id }.into())
        })
    }

    async fn assign_member_role(
        &self,
        context: &Context<'_>,
        input: AssignMemberRoleInput,
    ) -> Result<AssignMemberRoleResult> {
        mutate(context, |MutationScope { world, caller, .. }| {
            let AssignMemberRoleInput { organization, member_role, member, resources } = input;
            organization.find(world, "member:modify")?;
            caller.require("member:modify")?;
            let user = uuid(member.id())?;
            let at = world.members.iter().position(|member| member.user_id == user).ok_or_else(unexpected)?;
            let refused = |message: &str| AssignMemberRoleResultError { message: message.to_owned() }.into();
            if world.members[at].provisioned {
                return Ok(refused("Provisioned users can not be modified."));
            }
            let Some(role) = world.role_by_id(uuid(member_role.id())?).cloned() else {
                return Ok(refused("Role not found"));
            };
            let previous_member_role = world.role_by_id(&world.members[at].role_id).cloned().map(MemberRole);
            let resources = world.stored_assignment(resources);
            let member = &mut world.members[at];
            member.role_id = role.id;
            member.resources = resources;
            let updated_member = Member(member.clone());
            Ok(AssignMemberRoleResultOk { updated_member, previous_member_role }.into())
        })
    }

    /// Invites a user. Measured on Hive 8.1.2: refused, invalid and failed calls count towards the rate limit too.
    async fn invite_to_organization_by_email(
        &self,
        context: &Context<'_>,
        input: InviteToOrganizationByEmailInput,
    ) -> Result<InviteToOrganizationByEmailResult> {
        let window = context.data::<InvitationWindow>()?;
        mutate(context, |MutationScope { world, caller, now }| {
            // Measured on Hive 8.1.2: only here an unknown token isn't a missing permission.
            let Some(token) = &caller.token else {
                return Err(coded_error(
                    r#"No access (reason: "Authorization token is missing")"#,
                    "UNAUTHENTICATED",
                ));
            };
            if world.switches.invitation_window && !window.admits(&token.id) {
                return Err(Error::new("Exceeded rate limit for inviting to organization by email."));
            }
            invite(world, caller, now, input)
        })
    }

    async fn delete_organization_invitation(
        &self,
        context: &Context<'_>,
        input: DeleteOrganizationInvitationInput,
    ) -> Result<DeleteOrganizationInvitationResult> {
        mutate(context, |MutationScope { world, caller, .. }| {
            input.organization.find(world, "member:modify")?;
            caller.require("member:modify")?;
            let found = world.invitations.iter().position(|invitation| invitation.email == input.email);
            let Some(at) = found else {
                let message = "Invitation not found".to_owned();
                return Ok(DeleteOrganizationInvitationResultError { message }.into());
            };
            let invitation = world.invitations.remove(at);
            let deleted_organization_invitation_id = invitation_id(world, &invitation).into();
            Ok(DeleteOrganizationInvitationResultOk { deleted_organization_invitation_id }.into())
        })
    }
}

fn invite(
    world: &mut World,
    caller: &Caller,
    now: Timestamp,
    input: InviteToOrganizationByEmailInput,
) -> Result<InviteToOrganizationByEmailResult> {
    let InviteToOrganizationByEmailInput { organization, email, member_role_id, resources } = input;
    let refused = |message: String, email| {
        let input_errors = InviteToOrganizationByEmailInputErrors { email };
        Ok(InviteToOrganizationByEmailResultError { message, input_errors }.into())
    };
    organization.find(world, "member:modify")?;
    caller.require("member:modify")?;
    if let Some(wrong) = email_error(&email) {
        return refused(CHECK_INPUT.to_owned(), Some(wrong));
    }
    caller.require("organization:describe")?;
    if world.members.iter().any(|member| member.email.to_lowercase() == email.to_lowercase()) {
        return refused(format!("User {email} is already a member of the organization"), None);
    }
    let role = match &member_role_id {
        Some(id) => world.role_by_id(uuid(id)?),
        None => world.role("Viewer"),
    };
    let Some(role_id) = role.map(|role| role.id.clone()) else {
        if member_role_id.is_some() && world.switches.release == Release::Newest {
            return refused("The provided member role does not exist.".to_owned(), None);
        }
        return Err(Error::new("Role not found"));
    };
    let invitation = WorldInvitation {
        role_id,
        resources: resources.map_or(Assignment::All, |sent| world.stored_assignment(sent)),
        code: world.next_code(),
        created_at: now,
        expires_at: now.checked_add(SignedDuration::from_hours(7 * 24)).map_err(|_| unexpected())?,
        email,
    };
    world.invitations.retain(|other| other.email != invitation.email);
    world.invitations.push(invitation.clone());
    // Measured on Hive 8.1.2: the call reports an error, but the invitation exists.
    if !world.switches.mail {
        return Err(unexpected());
    }
    world.mails.push(invitation.email.clone());
    let created_organization_invitation = OrganizationInvitation(invitation);
    Ok(InviteToOrganizationByEmailResultOk { created_organization_invitation }.into())
}
