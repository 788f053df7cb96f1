//! What GraphQL Hive can and can't do.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::Hive;
use super::resources::to_wire;
use rolecall_model::{
    Action, Address, Call, Change, Entity, Feature, InviteField, Key, KeyField, KeyRemoval, Kind, KnownRoles,
    ListedInvitations, Live, ManualStep, Permission, ProviderName, Reach, RemoteId, Role, RoleName, Rules, Stage,
    User, UserRemoval, id_of,
};

/// The built-in role that may do everything. Its permissions hang on its name (measured on Hive 8.1.2).
const ADMIN: &str = "Admin";

/// The read-only default that every role has and none can be given.
pub(super) const DESCRIBE: &str = "organization:describe";

impl Rules for Hive {
    fn provider(&self) -> ProviderName {
        ProviderName::Hive
    }

    fn kinds(&self) -> &'static [Kind] {
        &[Kind::Role, Kind::User, Kind::Invitation, Kind::Key]
    }

    fn vendor_hosts(&self) -> &'static [&'static str] {
        &["api.graphql-hive.com"]
    }

    fn known_roles(&self) -> KnownRoles {
        KnownRoles::Open(&[])
    }

    fn is_admin(&self, _: &Live, roles: &BTreeSet<RoleName>) -> bool {
        roles.iter().any(|role| role.as_str() == ADMIN)
    }

    fn is_privileged(&self, permissions: &BTreeSet<Permission>) -> bool {
        permissions.iter().any(|permission| matches!(permission.as_str(), "member:modify" | "accessToken:modify"))
    }

    fn invite_needs(&self) -> &'static [InviteField] {
        &[InviteField::Roles, InviteField::Resources]
    }

    fn key_needs(&self) -> &'static [KeyField] {
        &[KeyField::Permissions, KeyField::Resources]
    }

    fn user_removal(&self) -> UserRemoval {
        // `deleteOrganizationMember` isn't public, and wants a person who is signed in (measured on Hive 8.1.2).
        UserRemoval::Contain
    }

    fn key_removal(&self) -> KeyRemoval {
        KeyRemoval::Delete
    }

    fn listed_invitations(&self) -> ListedInvitations {
        ListedInvitations::Open(SignedDuration::from_hours(7 * 24))
    }

    fn changes_invitations(&self) -> bool {
        true
    }

    fn has_approvals(&self) -> bool {
        false
    }

    fn implied_permissions(&self) -> &'static [&'static str] {
        &[DESCRIBE]
    }

    fn manual_step(&self, chore: ManualStep) -> &'static str {
        match chore {
            ManualStep::RemoveUser => {
                "in the web app, open the organisation, Members, the menu beside them, Remove"
            }
            ManualStep::DescribeKey => {
                "a token's description can't be changed; write it as it is, or give the new token another name"
            }
            ManualStep::ChangeRecord => "the person changes it in their own account",
            ManualStep::LookUpDisabled
            | ManualStep::EnableUser
            | ManualStep::ApproveUser
            | ManualStep::ReinstateUser
            | ManualStep::ChangeOrganization
            | ManualStep::HandleInvitation
            | ManualStep::HandleKeys => "in the web app",
        }
    }

    fn lower(&self, change: &Change, live: &Live) -> Vec<Call> {
        let organization = json!({ "byId": live.organization_id });
        match (change.action, &change.before, &change.after) {
            (Action::Create, _, Some(Entity::Role(role))) => vec![create_role(role, &organization)],
            (Action::Update, _, Some(Entity::Role(role))) => vec![update_role(role)],
            (Action::Delete, Some(Entity::Role(role)), _) => {
                vec![call("deleteMemberRole", json!({ "memberRole": { "byId": role.id } }))]
            }
            (Action::Update | Action::RemoveAccess, _, Some(Entity::User(user))) => {
                assign(user, &organization, live).into_iter().collect()
            }
            (Action::Invite, before, Some(Entity::User(user))) => {
                invite(before.as_ref().and_then(Entity::user), user, &organization, live)
            }
            (Action::Cancel, Some(Entity::User(user)), _) => vec![withdraw(user, &organization)],
            (Action::Create, _, Some(Entity::Key(key))) => vec![create_token(key, &organization)],
            (Action::Delete, Some(Entity::Key(key)), _) => delete_token(key, live).into_iter().collect(),
            // There is no other call.
            _ => Vec::new(),
        }
    }
}

fn call(operation: &'static str, input: Value) -> Call {
    Call::closing(operation, BTreeMap::from([("input".to_owned(), input)]))
}

fn create_role(role: &Role, organization: &Value) -> Call {
    let Role { id: _, name, description, permissions } = role;
    let input = json!({
        "organization": organization,
        "name": name,
        "description": description,
        "selectedPermissions": permissions,
    });
    call("createMemberRole", input)
}

/// All of name, description and permissions are replaced.
fn update_role(role: &Role) -> Call {
    let Role { id, name, description, permissions } = role;
    let input = json!({
        "memberRole": { "byId": id },
        "name": name,
        "description": description,
        "selectedPermissions": permissions,
    });
    call("updateMemberRole", input)
}

/// The id of the one role that a user has. One that isn't there yet is made by an earlier mutation.
fn role_id(user: &User, live: &Live) -> Option<Value> {
    let name = user.roles.first()?;
    Some(match live.role(name) {
        Some(role) => json!(role.id),
        None => id_of(&Address::role(name)),
    })
}

/// Role and resources are replaced together.
fn assign(user: &User, organization: &Value, live: &Live) -> Option<Call> {
    let (id, resources) = (user.id.as_ref()?, user.resources.as_ref()?);
    let input = json!({
        "organization": organization,
        "memberRole": { "byId": role_id(user, live)? },
        "member": { "byId": id },
        "resources": to_wire(resources),
    });
    Some(call("assignMemberRole", input))
}

/// Another invitation of the same spelling takes the place of the one before it. Of another spelling it would be a
/// second one, so that the first has to go; small letters are what accounts are most likely to have.
fn invite(before: Option<&User>, user: &User, organization: &Value, live: &Live) -> Vec<Call> {
    let Some(role) = role_id(user, live) else { return Vec::new() };
    let email = user.email.key();
    let mut calls = Vec::new();
    if let Some(before) = before.filter(|before| before.email.as_str() != email) {
        calls.push(withdraw(before, organization).at(Stage::Clear));
    }
    let mut input = json!({ "organization": organization, "email": email, "memberRoleId": role });
    // Without them, whoever accepts gets everything, which is why the planner then gives a role that allows nothing.
    if live.features.contains(&Feature::InvitationResources)
        && let Some(fields) = input.as_object_mut()
    {
        fields.insert("resources".to_owned(), to_wire(user.resources.as_ref().unwrap_or(&Reach::none())));
    }
    calls.push(call("inviteToOrganizationByEmail", input));
    calls
}

/// Spelling matters among invitations (measured on Hive 8.1.2).
fn withdraw(user: &User, organization: &Value) -> Call {
    call("deleteOrganizationInvitation", json!({ "organization": organization, "email": user.email.as_str() }))
}

fn create_token(key: &Key, organization: &Value) -> Call {
    let input = json!({
        "organization": organization,
        "title": key.name,
        // Declared optional, and without it the server fails (measured on Hive 8.1.2).
        "description": key.description.as_deref().unwrap_or_default(),
        "permissions": key.permissions.as_ref().unwrap_or(&BTreeSet::new()),
        "resources": to_wire(key.resources.as_ref().unwrap_or(&Reach::none())),
    });
    call("createOrganizationAccessToken", input)
}

fn delete_token(key: &Key, live: &Live) -> Option<Call> {
    let id: &RemoteId = key.id.as_ref()?;
    Some(if live.features.contains(&Feature::DeleteAccessToken) {
        call("deleteAccessToken", json!({ "accessToken": { "byId": id } }))
    } else {
        call("deleteOrganizationAccessToken", json!({ "organizationAccessToken": { "byId": id } }))
    })
}
