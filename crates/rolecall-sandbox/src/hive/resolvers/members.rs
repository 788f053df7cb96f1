//! Mutations of roles, members and invitations.

use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::access::{no_access, unexpected};
use super::super::assignment::{Assignment, SentAssignment};
use super::super::catalogue::assignable_to_role;
use super::super::inputs::{
    FieldErrors, OrganizationReference, Reference, email_error, role_input_errors, trimmed, uuid,
};
use super::super::world::{Release, World, WorldInvitation, WorldRole};
use super::{CallScope, NO_DETAILS, done, refused};
use crate::engine::FieldError;

const CHECK_INPUT: &str = "Please check your input.";
const NAME_TAKEN: &str = "Role name already exists. Please choose a different name.";

/// Checks a role's name and description. Returns the refusal.
fn role_refusal(world: &World, own_id: Option<&str>, name: &str, description: &str) -> Option<Value> {
    let shown = |message: &str, (name, description): FieldErrors| {
        refused(message, ("inputErrors", json!({ "name": name, "description": description })))
    };
    let wrong = role_input_errors(name, description);
    if wrong != (None, None) {
        return Some(shown(CHECK_INPUT, wrong));
    }
    let taken = world.roles.iter().any(|role| role.name == trimmed(name) && Some(role.id.as_str()) != own_id);
    taken.then(|| shown(NAME_TAKEN, (Some(NAME_TAKEN.to_owned()), None)))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateRole {
    organization: OrganizationReference,
    name: String,
    description: String,
    selected_permissions: Vec<String>,
}

pub fn create_role(
    CallScope { world, caller, .. }: CallScope<'_>,
    input: CreateRole,
) -> Result<Value, FieldError> {
    let CreateRole { organization, name, description, selected_permissions } = input;
    organization.find(world, "member:modify")?;
    caller.require("member:modify")?;
    if let Some(refusal) = role_refusal(world, None, &name, &description) {
        return Ok(refusal);
    }
    let role = WorldRole {
        id: world.next_id(),
        name: trimmed(&name).to_owned(),
        description,
        locked: false,
        permissions: assignable_to_role(&selected_permissions, world.switches.release),
    };
    let shown = role.shown();
    world.roles.push(role);
    Ok(done(&json!({ "updatedOrganization": world.shown(), "createdMemberRole": shown })))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateRole {
    member_role: Reference,
    name: String,
    description: String,
    selected_permissions: Vec<String>,
}

/// Updates a role. Measured on Hive 8.1.2: built-in roles aren't protected, only their names are reserved.
pub fn update_role(
    CallScope { world, caller, .. }: CallScope<'_>,
    input: UpdateRole,
) -> Result<Value, FieldError> {
    let UpdateRole { member_role, name, description, selected_permissions } = input;
    let id = uuid(&member_role.by_id)?;
    caller.require("member:modify")?;
    let found = world.roles.iter().position(|role| role.id == id);
    let at = found.ok_or_else(|| no_access("member:modify"))?;
    if let Some(refusal) = role_refusal(world, Some(id), &name, &description) {
        return Ok(refusal);
    }
    let permissions = assignable_to_role(&selected_permissions, world.switches.release);
    let role = &mut world.roles[at];
    trimmed(&name).clone_into(&mut role.name);
    role.description = description;
    role.permissions = permissions;
    Ok(done(&json!({ "updatedRole": role.shown() })))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeleteRole {
    member_role: Reference,
}

/// Deletes a role. Measured on Hive 8.1.2: for a built-in role it answers that the role was deleted, but the role
/// stays.
pub fn delete_role(
    CallScope { world, caller, .. }: CallScope<'_>,
    input: DeleteRole,
) -> Result<Value, FieldError> {
    let DeleteRole { member_role } = input;
    let id = uuid(&member_role.by_id)?;
    caller.require("member:modify")?;
    world.role_by_id(id).ok_or_else(|| no_access("member:modify"))?;
    if world.members.iter().any(|member| member.role_id == id) {
        return Ok(refused("Cannot delete a role with members", NO_DETAILS));
    }
    let viewer = world.role("Viewer").ok_or_else(unexpected)?.id.clone();
    for invitation in world.invitations.iter_mut().filter(|invitation| invitation.role_id == id) {
        invitation.role_id.clone_from(&viewer);
    }
    world.roles.retain(|role| role.locked || role.id != id);
    Ok(done(&json!({ "updatedOrganization": world.shown(), "deletedMemberRoleId": id })))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AssignRole {
    organization: OrganizationReference,
    member_role: Reference,
    member: Reference,
    resources: SentAssignment,
}

pub fn assign_role(
    CallScope { world, caller, .. }: CallScope<'_>,
    input: AssignRole,
) -> Result<Value, FieldError> {
    let AssignRole { organization, member_role, member, resources } = input;
    organization.find(world, "member:modify")?;
    caller.require("member:modify")?;
    let user = uuid(&member.by_id)?;
    let at = world.members.iter().position(|member| member.user_id == user).ok_or_else(unexpected)?;
    if world.members[at].provisioned {
        return Ok(refused("Provisioned users can not be modified.", NO_DETAILS));
    }
    let Some(role_id) = world.offered_role(uuid(&member_role.by_id)?).map(|role| role.id.clone()) else {
        return Ok(refused("Role not found", NO_DETAILS));
    };
    let previous = world.any_role(&world.members[at].role_id).map(WorldRole::shown);
    let resources = world.stored_assignment(resources);
    let member = &mut world.members[at];
    member.role_id = role_id;
    member.resources = resources;
    let updated = world.shown_member(&world.members[at]);
    Ok(done(&json!({ "updatedMember": updated, "previousMemberRole": previous })))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Invite {
    organization: OrganizationReference,
    email: String,
    member_role_id: Option<String>,
    resources: Option<SentAssignment>,
}

/// Invites a user. Measured on Hive 8.1.2: refused, invalid and failed calls count towards the rate limit too.
pub fn invite(scope: CallScope<'_>, input: Invite) -> Result<Value, FieldError> {
    let CallScope { world, caller, window, now } = scope;
    // Measured on Hive 8.1.2: only here an unknown token isn't a missing permission.
    let Some(token) = &caller.token else {
        let message = r#"No access (reason: "Authorization token is missing")"#;
        return Err(FieldError::coded("UNAUTHENTICATED", message));
    };
    if world.switches.invitation_window && !window.admits(&token.id) {
        return Err(FieldError::new("Exceeded rate limit for inviting to organization by email."));
    }
    let Invite { organization, email, member_role_id, resources } = input;
    let refusal = |message: &str, email| Ok(refused(message, ("inputErrors", json!({ "email": email }))));
    organization.find(world, "member:modify")?;
    caller.require("member:modify")?;
    if let Some(wrong) = email_error(&email) {
        return refusal(CHECK_INPUT, Some(wrong));
    }
    caller.require("organization:describe")?;
    if world.members.iter().any(|member| member.email.to_lowercase() == email.to_lowercase()) {
        return refusal(&format!("User {email} is already a member of the organization"), None);
    }
    let role = match &member_role_id {
        Some(id) => world.offered_role(uuid(id)?),
        None => world.role("Viewer"),
    };
    let Some(role_id) = role.map(|role| role.id.clone()) else {
        if member_role_id.is_some() && world.switches.release == Release::Newest {
            return refusal("The provided member role does not exist.", None);
        }
        return Err(FieldError::new("Role not found"));
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
    Ok(done(&json!({ "createdOrganizationInvitation": world.shown_invitation(&invitation) })))
}

#[derive(Deserialize)]
pub struct DeleteInvitation {
    organization: OrganizationReference,
    email: String,
}

pub fn delete_invitation(
    CallScope { world, caller, .. }: CallScope<'_>,
    input: DeleteInvitation,
) -> Result<Value, FieldError> {
    let DeleteInvitation { organization, email } = input;
    organization.find(world, "member:modify")?;
    caller.require("member:modify")?;
    let Some(at) = world.invitations.iter().position(|invitation| invitation.email == email) else {
        return Ok(refused("Invitation not found", NO_DETAILS));
    };
    let invitation = world.invitations.remove(at);
    Ok(done(&json!({ "deletedOrganizationInvitationId": world.invitation_id(&invitation) })))
}
