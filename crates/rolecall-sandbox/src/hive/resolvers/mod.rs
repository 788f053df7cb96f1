//! The fields that need code: those with arguments, those that need a permission, and the mutations.

mod members;
mod pages;
mod projects;
mod tokens;

use std::fmt::Write as _;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Shared;
use super::access::{Caller, no_access, unexpected};
use super::catalogue::{catalogue, shown_groups};
use super::inputs::{OrganizationReference, uuid};
use super::window::InvitationWindow;
use super::world::{
    Paging, World, WorldInvitation, WorldMember, WorldProject, WorldRole, WorldTarget, WorldToken,
};
use crate::engine::{Field, FieldError, Resolved, Resolvers};
use pages::{page, page_size, single_page};

/// A request, with the access of its caller.
pub struct Call<'a> {
    pub shared: &'a Shared,
    pub window: &'a InvitationWindow,
    pub caller: Caller,
}

/// The arguments that every resolver works with.
struct CallScope<'a> {
    world: &'a mut World,
    caller: &'a Caller,
    window: &'a InvitationWindow,
    now: Timestamp,
}

impl Resolvers for Call<'_> {
    fn resolve(&self, field: &Field<'_>) -> Resolved {
        let now = (self.shared.clock)();
        let mut world = self.shared.lock();
        let scope = CallScope { world: &mut world, caller: &self.caller, window: self.window, now };
        let resolved = match field.on {
            "Mutation" => mutate(scope, field)?,
            _ => return read(&scope, field),
        };
        Ok(Some(resolved))
    }
}

fn mutate(scope: CallScope<'_>, field: &Field<'_>) -> Result<Value, FieldError> {
    match field.name {
        "createMemberRole" => members::create_role(scope, field.argument("input")?),
        "updateMemberRole" => members::update_role(scope, field.argument("input")?),
        "deleteMemberRole" => members::delete_role(scope, field.argument("input")?),
        "assignMemberRole" => members::assign_role(scope, field.argument("input")?),
        "inviteToOrganizationByEmail" => members::invite(scope, field.argument("input")?),
        "deleteOrganizationInvitation" => members::delete_invitation(scope, field.argument("input")?),
        "createOrganizationAccessToken" => tokens::create(scope, field.argument("input")?),
        "deleteOrganizationAccessToken" => tokens::delete_of_organization(scope, field.argument("input")?),
        "deleteAccessToken" => tokens::delete(scope, field.argument("input")?),
        "createProject" => projects::create(scope, field.argument("input")?),
        "updateProjectSlug" => projects::rename(scope, field.argument("input")?),
        "deleteProject" => projects::delete(scope, field.argument("input")?),
        "createTarget" => projects::create_target(scope, field.argument("input")?),
        "deleteTarget" => projects::delete_target(scope, field.argument("input")?),
        _ => Err(unexpected()),
    }
}

fn read(CallScope { world, caller, now, .. }: &CallScope<'_>, field: &Field<'_>) -> Resolved {
    let id = field.object["id"].as_str().unwrap_or_default();
    let value = match (field.on, field.name) {
        ("Query", "organization") => {
            let reference: OrganizationReference = field.argument("reference")?;
            reference.find(world, "organization:describe")?;
            caller.require("organization:describe")?;
            world.shown()
        }
        ("Query", "project") => {
            projects::find(world, caller, &field.argument("reference")?, "project:describe")?.shown()
        }
        ("Query", "target") => {
            projects::find_target(world, caller, &field.argument("reference")?, "project:describe")?.1.shown()
        }
        ("Organization", "owner") => {
            caller.require("member:describe")?;
            let owner = world.members.iter().find(|member| member.user_id == world.owner);
            world.shown_member(owner.ok_or_else(unexpected)?)
        }
        // Measured on Hive 8.1.2: `first` has no upper bound, and a negative number gives no rows.
        ("Organization", "members") => {
            caller.require("member:describe")?;
            let PageArguments { first, after } = PageArguments::of(field)?;
            let limit = usize::try_from(first.unwrap_or(100)).unwrap_or(0);
            let limit = world.switches.member_page_limit.map_or(limit, |most| limit.min(most));
            let sort_key = |member: &WorldMember| (member.created_at, member.user_id.clone());
            let rows = world.members.iter().map(|member| (sort_key(member), member)).collect();
            page(rows, limit, after.as_deref(), world.switches.paging, |member| world.shown_member(member))?
        }
        ("Organization", "invitations") => {
            if !caller.has_permission("member:modify") {
                return Ok(Some(Value::Null));
            }
            let pending: Vec<_> =
                world.invitations.iter().filter(|invitation| invitation.expires_at > *now).collect();
            // Measured on Hive 8.1.2: an invitation with the role of another organisation breaks the whole list.
            if pending.iter().any(|invitation| world.role_by_id(&invitation.role_id).is_none()) {
                return Err(unexpected());
            }
            let PageArguments { first, after } = PageArguments::of(field)?;
            let sort_key = |invitation: &WorldInvitation| (invitation.created_at, invitation.email.clone());
            let rows = pending.into_iter().map(|row| (sort_key(row), row)).collect();
            let shown = |invitation: &WorldInvitation| world.shown_invitation(invitation);
            page(rows, page_size(first, 50), after.as_deref(), Paging::Fixed, shown)?
        }
        // By descending id, at most 50. The platform sorts them by creation time, newest first, but stores the same
        // time for all. There is no second page: `after` exists and has no effect.
        ("Organization", "memberRoles") => {
            // Seen on Hive 8.1.2: one permission that the release doesn't know breaks the whole list.
            if !world.knows_all_permissions() {
                return Err(unexpected());
            }
            let mut roles: Vec<_> = world.roles.iter().collect();
            roles.sort_by(|one, other| other.id.cmp(&one.id));
            let limit = page_size(PageArguments::of(field)?.first, 50);
            let edges: Vec<Value> = roles.iter().take(limit).map(|role| json!({ "node": role.shown() })).collect();
            json!({ "edges": edges })
        }
        ("Organization", "availableMemberPermissionGroups") => {
            shown_groups(&catalogue().roles, world.switches.release)
        }
        ("Organization", "availableOrganizationAccessTokenPermissionGroups") => {
            shown_groups(&catalogue().tokens, world.switches.release)
        }
        ("Organization", "accessTokens") => {
            caller.require("accessToken:modify")?;
            let PageArguments { first, after } = PageArguments::of(field)?;
            let sort_key = |token: &WorldToken| (token.created_at, token.id.clone());
            let rows = world.tokens.iter().map(|row| (sort_key(row), row)).collect();
            let shown = |token: &WorldToken| world.shown_token(token);
            page(rows, page_size(first, 20), after.as_deref(), Paging::Fixed, shown)?
        }
        ("Organization", "accessToken") => {
            caller.require("accessToken:modify")?;
            let asked: String = field.argument("id")?;
            uuid(&asked)?;
            let found = world.tokens.iter().find(|token| token.id == asked);
            found.map_or(Value::Null, |token| world.shown_token(token))
        }
        // The platform lists the newest first.
        ("Organization", "projects") => {
            let newest = world.projects.iter().rev();
            single_page(
                newest.filter(|it| caller.has_permission_on("project:describe", &it.id)).map(WorldProject::shown),
            )
        }
        ("Project", "targets") => {
            if !caller.has_permission_on("project:describe", id) {
                return Err(no_access("project:describe"));
            }
            let project = world.projects.iter().find(|project| project.id == id);
            single_page(project.into_iter().flat_map(|it| it.targets.iter().rev()).map(WorldTarget::shown))
        }
        ("Member" | "OrganizationInvitation", "role") => {
            let role = world.any_role(field.object["roleId"].as_str().unwrap_or_default());
            role.ok_or_else(unexpected)?.shown()
        }
        ("MemberRole", "permissions") => {
            let held = world.any_role(id).map(|role| world.permissions_of(role)).unwrap_or_default();
            held.into_iter().map(|permission| permission.id.as_str()).collect()
        }
        _ => return Ok(None),
    };
    Ok(Some(value))
}

#[derive(Deserialize)]
struct PageArguments {
    first: Option<i32>,
    after: Option<String>,
}

impl PageArguments {
    fn of(field: &Field<'_>) -> Result<Self, FieldError> {
        Ok(Self { first: field.argument("first")?, after: field.argument("after")? })
    }
}

/// Returns the result of a mutation that was done.
fn done(ok: &Value) -> Value {
    json!({ "ok": ok, "error": null })
}

/// Returns the result of a mutation that was refused, with the details that it shows beside the message.
fn refused(message: &str, (name, details): (&str, Value)) -> Value {
    json!({ "ok": null, "error": { "message": message, name: details } })
}

/// The details of a refusal that has none.
const NO_DETAILS: (&str, Value) = ("inputErrors", Value::Null);

/// Returns a time as the API shows it.
fn date_time(at: Timestamp) -> String {
    format!("{at:.3}")
}

impl World {
    fn shown(&self) -> Value {
        json!({ "id": self.organization.id, "slug": self.organization.slug })
    }

    /// Shows a member, which has no id of its own: the user has one.
    fn shown_member(&self, member: &WorldMember) -> Value {
        json!({
            "user": {
                "id": member.user_id,
                "email": member.email,
                "displayName": member.display_name,
                "provider": member.provider,
            },
            "isOwner": self.owner == member.user_id,
            "roleId": member.role_id,
            "resourceAssignment": self.shown_assignment(&member.resources),
        })
    }

    /// Shows an invitation, without its resources and its code. But its id contains the code.
    fn shown_invitation(&self, invitation: &WorldInvitation) -> Value {
        json!({
            "id": self.invitation_id(invitation),
            "createdAt": date_time(invitation.created_at),
            "expiresAt": date_time(invitation.expires_at),
            "email": invitation.email,
            "roleId": invitation.role_id,
        })
    }

    /// Returns the id of an invitation. Measured on Hive 8.1.2: it is the organisation's id, the address and the code,
    /// in hexadecimal digits.
    fn invitation_id(&self, invitation: &WorldInvitation) -> String {
        let text = format!("{}:{}:{}", self.organization.id, invitation.email, invitation.code);
        text.bytes().fold(String::new(), |mut id, byte| {
            let _ = write!(id, "{byte:02x}");
            id
        })
    }

    fn shown_token(&self, token: &WorldToken) -> Value {
        json!({
            "id": token.id,
            "title": token.title,
            "description": token.description,
            "permissions": token.permissions,
            "resources": self.shown_assignment(&token.resources),
            "firstCharacters": token.first_characters,
            "createdAt": date_time(token.created_at),
        })
    }
}

impl WorldRole {
    fn shown(&self) -> Value {
        json!({ "id": self.id, "name": self.name, "description": self.description, "isLocked": self.locked })
    }
}

impl WorldProject {
    /// Shows a project. The sandbox doesn't keep when it was made.
    pub(super) fn shown(&self) -> Value {
        let created_at = date_time(Timestamp::UNIX_EPOCH);
        json!({ "id": self.id, "slug": self.slug, "type": self.kind, "createdAt": created_at })
    }
}

impl WorldTarget {
    pub(super) fn shown(&self) -> Value {
        json!({ "id": self.id, "slug": self.slug })
    }
}
