//! The capabilities of Bitpanda Enterprise Custody.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::Bitpanda;
use rolecall_model::{
    AccountField, Action, Capabilities, Change, Entity, InviteField, Key, KeyField, KeyRemoval, Kind, KnownRoles,
    ListedInvitations, Live, LoweredMutation, ManualStep, Permission, ProviderName, Quirk, RoleName, Rules, Seen,
    User, UserRemoval, expiry_after,
};

/// The role that manages users and keys. Every request needs it, reads included.
const ADMIN: &str = "ADMIN";

/// The capabilities of Bitpanda Enterprise Custody.
const CAPABILITIES: Capabilities = Capabilities {
    provider: ProviderName::Bitpanda,
    kinds: &[Kind::User, Kind::Invitation, Kind::Key],
    // The hosts for production, sandbox and pre-production, from the vendor's client (trustvault-nodejs-sdk 3.1.1).
    vendor_hosts: &[
        "tapi-production.trustology-prod.com",
        "tapi-sandbox.trustology-test.com",
        "tapi-preprod.trustology-test.com",
    ],
    // The roles that the vendor's pages name. There may be more. `SIGNER` comes from the permission matrix of the
    // support site, and its spelling is inferred.
    known_roles: KnownRoles::Open(&[ADMIN, "CLUSTER_MANAGER", "CLUSTER_OPS", "SIGNER"]),
    implied_permissions: &[],
    fewest_admins: 0,
    // The sample variables of `inviteUser` have all of these. The page doesn't say which are required.
    invite_needs: &[InviteField::FirstName, InviteField::LastName, InviteField::Roles],
    listed_invitations: ListedInvitations::Unknown,
    user_removal: UserRemoval::Disable,
    person_fields: &["first_name", "last_name", "phone"],
    account_field: Some(AccountField::Enabled),
    key_needs: &[KeyField::Roles, KeyField::Expires],
    key_removal: KeyRemoval::Disable,
    comes_with_organization: None,
    manual_step,
    // Only a key with the role `ADMIN` can list users and keys.
    quirks: &[Quirk::ReadsAsAdmin, Quirk::Approvals, Quirk::SeveralRoles],
};

impl Rules for Bitpanda {
    fn capabilities(&self) -> &'static Capabilities {
        &CAPABILITIES
    }

    fn is_admin(&self, _: &Live, roles: &BTreeSet<RoleName>) -> bool {
        roles.iter().any(|role| role.as_str() == ADMIN)
    }

    fn is_privileged(&self, _: &BTreeSet<Permission>) -> bool {
        false
    }

    fn lower(&self, change: &Change, _: &Live) -> Vec<LoweredMutation> {
        match (change.action, &change.after) {
            (Action::Invite, Some(Entity::User(user))) => vec![invite_user(user)],
            (Action::Update | Action::Disable, Some(Entity::User(user))) => {
                update_user(user).into_iter().collect()
            }
            (Action::Create, Some(Entity::Key(key))) => vec![create_key(key)],
            (Action::Disable | Action::Enable, Some(Entity::Key(key))) => update_key(key).into_iter().collect(),
            // The API has no other operation.
            _ => Vec::new(),
        }
    }
}

fn manual_step(_: ManualStep) -> &'static str {
    "the API can't change it. The user or the vendor's support can, or write the live value in the file"
}

fn lowered(operation: &'static str, argument: &str, input: Map<String, Value>) -> LoweredMutation {
    LoweredMutation::new(operation, BTreeMap::from([(argument.to_owned(), Value::Object(input))]))
}

fn into_object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}

fn invite_user(user: &User) -> LoweredMutation {
    let User { email, first_name, last_name, phone, roles, enabled, .. } = user;
    let mut input =
        into_object(json!({ "email": email, "roles": roles, "enabled": *enabled == Seen::Known(true) }));
    let optional = [("firstName", first_name), ("lastName", last_name), ("phoneNumber", phone)];
    for (name, value) in optional {
        if let Some(value) = value {
            input.insert(name.to_owned(), json!(value));
        }
    }
    lowered("inviteUser", "inviteUserInput", input)
}

/// Returns the operation that updates a user.
///
/// `updateUser` replaces the record, so it always sends the whole set of roles and `enabled`. If `enabled` or the
/// id isn't known, nothing can be sent safely.
fn update_user(user: &User) -> Option<LoweredMutation> {
    let User { id, roles, enabled, .. } = user;
    let (Some(id), Seen::Known(enabled)) = (id, enabled) else {
        return None;
    };
    let input = into_object(json!({ "userTrustId": id, "roles": roles, "enabled": enabled }));
    Some(lowered("updateUser", "updateUserInput", input))
}

fn create_key(key: &Key) -> LoweredMutation {
    let Key { name, roles, expires, lifetime, .. } = key;
    let mut input = into_object(json!({ "name": name, "roles": roles }));
    if let Some(expires) = lifetime.map(expiry_after).or_else(|| expires.map(|expires| json!(expires))) {
        input.insert("apiKeyExpiryDate".to_owned(), expires);
    }
    lowered("createOrgApiKey", "createOrgApiKeyInput", input)
}

/// Returns the operation that enables or disables a key. The API can't change anything else of a key.
fn update_key(key: &Key) -> Option<LoweredMutation> {
    let Key { id, enabled, .. } = key;
    let input = into_object(json!({ "apiKeyId": id.as_ref()?, "enabled": enabled }));
    Some(lowered("updateOrgApiKey", "updateOrgApiKeyInput", input))
}
