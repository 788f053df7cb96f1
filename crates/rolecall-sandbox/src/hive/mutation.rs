//! What can be changed about roles, members and invitations.

use async_graphql::{Context, Error, MergedObject, Object, Result};
use jiff::{SignedDuration, Timestamp};

use super::access::{Caller, caller, coded, no_access, unexpected};
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
    InviteToOrganizationByEmailInput, UpdateMemberRoleInput, Wrong, trimmed, uuid, wrong_with_email,
    wrong_with_role,
};
use super::nodes::{Member, MemberRole, OrganizationInvitation, invitation_id};
use super::query::{Organization, shared};
use super::tokens::TokenMutation;
use super::window::InvitationWindow;
use super::world::{Release, World, WorldInvitation, WorldRole};

/// All that can be changed.
#[derive(MergedObject)]
pub struct Mutation(pub MemberMutation, pub TokenMutation);

pub struct MemberMutation;

/// What a mutation works on.
pub struct Act<'a> {
    pub world: &'a mut World,
    pub caller: &'a Caller,
    pub now: Timestamp,
}

/// Once a mutation of a request threw, no other runs.
pub fn act<T>(context: &Context<'_>, work: impl FnOnce(Act<'_>) -> Result<T>) -> Result<T> {
    let (shared, caller) = (shared(context)?, caller(context)?);
    if caller.is_stopped() {
        return Err(coded("", STOPPED));
    }
    let now = (shared.clock)();
    let done = work(Act { world: &mut shared.lock(), caller, now });
    if done.is_err() {
        caller.stop();
    }
    done
}

/// Marks the errors of what didn't run.
pub const STOPPED: &str = "STOPPED";

const CHECK: &str = "Please check your input.";
const NAME_TAKEN: &str = "Role name already exists. Please choose a different name.";

/// The message with which a role is refused, and what is wrong with its name and its description.
fn refusal(world: &World, own_id: Option<&str>, name: &str, description: &str) -> Option<(&'static str, Wrong)> {
    let wrong = wrong_with_role(name, description);
    if wrong != (None, None) {
        return Some((CHECK, wrong));
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
        act(context, |Act { world, caller, .. }| {
            let CreateMemberRoleInput { organization, name, description, selected_permissions } = input;
            organization.find(world, "member:modify")?;
            caller.require("member:modify")?;
            if let Some((message, (name, description))) = refusal(world, None, &name, &description) {
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

    /// Built-in roles aren't protected: only the reserved names are, as measured on Hive 8.1.2.
    async fn update_member_role(
        &self,
        context: &Context<'_>,
        input: UpdateMemberRoleInput,
    ) -> Result<UpdateMemberRoleResult> {
        act(context, |Act { world, caller, .. }| {
            let UpdateMemberRoleInput { member_role, name, description, selected_permissions } = input;
            let id = uuid(member_role.id())?;
            caller.require("member:modify")?;
            let found = world.roles.iter().position(|role| role.id == id);
            let at = found.ok_or_else(|| no_access("member:modify"))?;
            if let Some((message, (name, description))) = refusal(world, Some(id), &name, &description) {
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

    /// Of a built-in role it says that it was deleted, and it wasn't: as measured on Hive 8.1.2.
    async fn delete_member_role(
        &self,
        context: &Context<'_>,
        input: DeleteMemberRoleInput,
    ) -> Result<DeleteMemberRoleResult> {
        act(context, |Act { world, caller, .. }| {
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
        act(context, |Act { world, caller, .. }| {
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
            let resources = world.stored(resources);
            let member = &mut world.members[at];
            member.role_id = role.id;
            member.resources = resources;
            let updated_member = Member(member.clone());
            Ok(AssignMemberRoleResultOk { updated_member, previous_member_role }.into())
        })
    }

    /// Failed, invalid and refused calls count towards the limit, as measured on Hive 8.1.2.
    async fn invite_to_organization_by_email(
        &self,
        context: &Context<'_>,
        input: InviteToOrganizationByEmailInput,
    ) -> Result<InviteToOrganizationByEmailResult> {
        let window = context.data::<InvitationWindow>()?;
        act(context, |Act { world, caller, now }| {
            if !caller.presented {
                return Err(coded(r#"No access (reason: "Authorization token is missing")"#, "UNAUTHENTICATED"));
            }
            if let Some(token) = &caller.token
                && world.switches.invitation_window
                && !window.admits(&token.id)
            {
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
        act(context, |Act { world, caller, .. }| {
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
    if let Some(wrong) = wrong_with_email(&email) {
        return refused(CHECK.to_owned(), Some(wrong));
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
        resources: resources.map_or(Assignment::All, |sent| world.stored(sent)),
        code: world.next_code(),
        created_at: now,
        expires_at: now.checked_add(SignedDuration::from_hours(7 * 24)).map_err(|_| unexpected())?,
        email,
    };
    world.invitations.retain(|other| other.email != invitation.email);
    world.invitations.push(invitation.clone());
    // Measured on Hive 8.1.2: it says that it failed, and the invitation is there.
    if !world.switches.mail {
        return Err(unexpected());
    }
    world.mails.push(invitation.email.clone());
    let created_organization_invitation = OrganizationInvitation(invitation);
    Ok(InviteToOrganizationByEmailResultOk { created_organization_invitation }.into())
}
