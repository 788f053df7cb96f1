//! The capabilities of GraphQL Hive.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::resources::to_wire;
use super::{Hive, read};
use rolecall_model::{
    Action, Address, Capabilities, Change, Email, Entity, InviteField, Key, KeyField, KeyRemoval, Kind,
    KnownRoles, ListedInvitations, Live, LoweredMutation, ManualStep, Permission, ProviderName, Quirk, Reach,
    RemoteId, Role, RoleName, Rules, User, UserRemoval, id_of, is_plain_address,
};

/// The built-in role that allows everything. The server derives its permissions from its name (measured on Hive
/// 8.1.2).
const ADMIN: &str = "Admin";

/// The permission that every role has. It can't be assigned.
pub(super) const DESCRIBE: &str = "organization:describe";

/// The capabilities of GraphQL Hive.
const CAPABILITIES: Capabilities = Capabilities {
    provider: ProviderName::Hive,
    kinds: &[Kind::Role, Kind::User, Kind::Invitation, Kind::Key],
    vendor_hosts: &["api.graphql-hive.com"],
    known_roles: KnownRoles::Open(&[]),
    implied_permissions: &[DESCRIBE],
    fewest_admins: 0,
    invite_needs: &[InviteField::Roles, InviteField::Resources],
    listed_invitations: ListedInvitations::Open(SignedDuration::from_hours(7 * 24)),
    // `deleteOrganizationMember` isn't public, and needs a user who is signed in (measured on Hive 8.1.2).
    user_removal: UserRemoval::RemoveAccess,
    person_fields: &[],
    account_field: None,
    key_needs: &[KeyField::Permissions, KeyField::Resources],
    key_removal: KeyRemoval::Delete,
    comes_with_organization: None,
    manual_step,
    // Invitations compare addresses with the letters' case (measured on Hive 8.1.2).
    quirks: &[Quirk::ChangesInvitations, Quirk::DistinguishesSpellings, Quirk::UsersHaveIds],
};

impl Rules for Hive {
    fn capabilities(&self) -> &'static Capabilities {
        &CAPABILITIES
    }

    fn is_admin(&self, _: &Live, roles: &BTreeSet<RoleName>) -> bool {
        roles.iter().any(|role| role.as_str() == ADMIN)
    }

    fn is_privileged(&self, permissions: &BTreeSet<Permission>) -> bool {
        // `oidc:modify` changes how people sign in.
        let gives = |name: &str| matches!(name, "member:modify" | "accessToken:modify" | "oidc:modify");
        permissions.iter().any(|permission| gives(permission.as_str()))
    }

    fn wrong_address(&self, email: &Email) -> Option<&'static str> {
        let form = "The platform invites only addresses of ASCII letters, digits and `_+-'.`, with a domain like `acme.example`.";
        (!is_plain_address(email.as_str())).then_some(form)
    }

    fn lower(&self, change: &Change, live: &Live) -> Vec<LoweredMutation> {
        let organization = json!({ "byId": live.organization_id });
        match (change.action, &change.before, &change.after) {
            (Action::Create, _, Some(Entity::Role(role))) => vec![create_role(role, &organization)],
            (Action::Update, _, Some(Entity::Role(role))) => vec![update_role(role)],
            (Action::Delete, Some(Entity::Role(role)), _) => {
                vec![lowered("deleteMemberRole", json!({ "memberRole": { "byId": role.id } }))]
            }
            (Action::Update | Action::RemoveAccess, _, Some(Entity::User(user))) => {
                assign(user, &organization, live).into_iter().collect()
            }
            (Action::Invite, _, Some(Entity::User(user))) => {
                invite(user, &organization, live).into_iter().collect()
            }
            (Action::Cancel, Some(Entity::User(user)), _) => vec![cancel(user, &organization)],
            (Action::Create, _, Some(Entity::Key(key))) => vec![create_token(key, &organization)],
            (Action::Delete, Some(Entity::Key(key)), _) => delete_token(key, live).into_iter().collect(),
            // The API has no other operation.
            _ => Vec::new(),
        }
    }
}

fn manual_step(step: ManualStep) -> &'static str {
    match step {
        ManualStep::RemoveUser => {
            "in the web app, open the organisation, Members, the menu beside the user, Remove"
        }
        ManualStep::DescribeKey => {
            "a token's description can't be changed. Write the live description in the file, or give the new token another name"
        }
        ManualStep::ChangeRecord => "the user can change it in their own account",
        ManualStep::LookUpDisabled
        | ManualStep::EnableUser
        | ManualStep::ApproveUser
        | ManualStep::ReinstateUser
        | ManualStep::ChangeOrganization
        | ManualStep::HandleInvitation
        | ManualStep::HandleKeys => "in the web app",
    }
}

fn lowered(operation: &'static str, input: Value) -> LoweredMutation {
    LoweredMutation::new(operation, BTreeMap::from([("input".to_owned(), input)]))
}

fn create_role(role: &Role, organization: &Value) -> LoweredMutation {
    let Role { id: _, name, description, permissions } = role;
    let input = json!({
        "organization": organization,
        "name": name,
        "description": description,
        "selectedPermissions": permissions,
    });
    lowered("createMemberRole", input)
}

/// Returns the operation that updates a role. It replaces the name, the description and all permissions.
fn update_role(role: &Role) -> LoweredMutation {
    let Role { id, name, description, permissions } = role;
    let input = json!({
        "memberRole": { "byId": id },
        "name": name,
        "description": description,
        "selectedPermissions": permissions,
    });
    lowered("updateMemberRole", input)
}

/// Returns the id of the user's only role. If an earlier mutation of the plan creates the role, that is a
/// reference to it.
fn role_id(user: &User, live: &Live) -> Option<Value> {
    let name = user.roles.first()?;
    Some(match live.role(name) {
        Some(role) => json!(role.id),
        None => id_of(&Address::role(name)),
    })
}

/// Returns the operation that assigns a role and resources. It replaces both.
fn assign(user: &User, organization: &Value, live: &Live) -> Option<LoweredMutation> {
    let (id, resources) = (user.id.as_ref()?, user.resources.as_ref()?);
    let input = json!({
        "organization": organization,
        "memberRole": { "byId": role_id(user, live)? },
        "member": { "byId": id },
        "resources": to_wire(resources),
    });
    Some(lowered("assignMemberRole", input))
}

/// Returns the operation that invites a user. The address is sent in lower case, as most accounts have it. It
/// replaces an open invitation of the same spelling, and leaves one of another spelling alone.
fn invite(user: &User, organization: &Value, live: &Live) -> Option<LoweredMutation> {
    let role = role_id(user, live)?;
    let mut input = json!({ "organization": organization, "email": user.email.key(), "memberRoleId": role });
    // An invitation without resources gives access to all of them. If this server's invitations can't have
    // resources, the planner invites with a role that allows nothing.
    if live.invitations_carry_resources
        && let Some(fields) = input.as_object_mut()
    {
        fields.insert("resources".to_owned(), to_wire(user.resources.as_ref().unwrap_or(&Reach::none())));
    }
    Some(lowered("inviteToOrganizationByEmail", input))
}

/// Returns the operation that cancels an invitation. It names the address exactly as it is listed, because the
/// server compares the letters' case (measured on Hive 8.1.2).
fn cancel(user: &User, organization: &Value) -> LoweredMutation {
    lowered("deleteOrganizationInvitation", json!({ "organization": organization, "email": user.email.as_str() }))
}

fn create_token(key: &Key, organization: &Value) -> LoweredMutation {
    let input = json!({
        "organization": organization,
        "title": key.name,
        // The schema declares it optional, but the server fails without it (measured on Hive 8.1.2).
        "description": key.description.as_deref().unwrap_or_default(),
        "permissions": key.permissions.as_ref().unwrap_or(&BTreeSet::new()),
        "resources": to_wire(key.resources.as_ref().unwrap_or(&Reach::none())),
    });
    lowered("createOrganizationAccessToken", input)
}

fn delete_token(key: &Key, live: &Live) -> Option<LoweredMutation> {
    let id: &RemoteId = key.id.as_ref()?;
    Some(if live.features.contains(read::DELETE_ACCESS_TOKEN) {
        lowered("deleteAccessToken", json!({ "accessToken": { "byId": id } }))
    } else {
        lowered("deleteOrganizationAccessToken", json!({ "organizationAccessToken": { "byId": id } }))
    })
}
