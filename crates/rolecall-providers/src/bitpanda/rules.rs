//! What Bitpanda Custody can and can't do.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::Bitpanda;
use rolecall_model::{
    Action, Call, Change, Entity, InviteField, Key, KeyField, KeyRemoval, Kind, KnownRoles, ListedInvitations,
    Live, ManualStep, Permission, ProviderName, RoleName, Rules, Seen, User, UserRemoval,
};

/// Administrates users and keys. Every call needs it, reading included.
const ADMIN: &str = "ADMIN";

/// The set is open. `SIGNER` is a role of the support site's permission matrix whose spelling here is inferred.
const KNOWN_ROLES: &[&str] = &[ADMIN, "CLUSTER_MANAGER", "CLUSTER_OPS", "SIGNER"];

/// From the vendor's client (trustvault-nodejs-sdk 3.1.1): production, sandbox, pre-production.
const VENDOR_HOSTS: &[&str] = &[
    "tapi-production.trustology-prod.com",
    "tapi-sandbox.trustology-test.com",
    "tapi-preprod.trustology-test.com",
];

impl Rules for Bitpanda {
    fn provider(&self) -> ProviderName {
        ProviderName::Bitpanda
    }

    fn kinds(&self) -> &'static [Kind] {
        &[Kind::User, Kind::Invitation, Kind::Key]
    }

    fn vendor_hosts(&self) -> &'static [&'static str] {
        VENDOR_HOSTS
    }

    /// Users and keys are shown to keys with the role ADMIN alone.
    fn reads_as_admin(&self) -> bool {
        true
    }

    fn known_roles(&self) -> KnownRoles {
        KnownRoles::Open(KNOWN_ROLES)
    }

    fn is_admin(&self, _: &Live, roles: &BTreeSet<RoleName>) -> bool {
        roles.iter().any(|role| role.as_str() == ADMIN)
    }

    fn is_privileged(&self, _: &BTreeSet<Permission>) -> bool {
        false
    }

    fn invite_needs(&self) -> &'static [InviteField] {
        // The sample variables of `inviteUser` carry all of them; which are required isn't said.
        &[InviteField::FirstName, InviteField::LastName, InviteField::Roles]
    }

    fn key_needs(&self) -> &'static [KeyField] {
        &[KeyField::Roles, KeyField::Expires]
    }

    fn user_removal(&self) -> UserRemoval {
        UserRemoval::Disable
    }

    fn key_removal(&self) -> KeyRemoval {
        KeyRemoval::Disable
    }

    fn listed_invitations(&self) -> ListedInvitations {
        ListedInvitations::Unknown
    }

    fn changes_invitations(&self) -> bool {
        false
    }

    fn has_approvals(&self) -> bool {
        true
    }

    fn implied_permissions(&self) -> &'static [&'static str] {
        &[]
    }

    fn manual_step(&self, _: ManualStep) -> &'static str {
        "the API can't change it; the person or the vendor's support does, or write it here as it is"
    }

    fn lower(&self, change: &Change, _: &Live) -> Vec<Call> {
        match (change.action, &change.after) {
            (Action::Invite, Some(Entity::User(user))) => vec![invite_user(user)],
            (Action::Update | Action::Disable, Some(Entity::User(user))) => {
                update_user(user).into_iter().collect()
            }
            (Action::Create, Some(Entity::Key(key))) => vec![create_key(key)],
            (Action::Disable | Action::Enable, Some(Entity::Key(key))) => update_key(key).into_iter().collect(),
            // There is no other call.
            _ => Vec::new(),
        }
    }
}

fn call(operation: &'static str, argument: &str, input: Map<String, Value>) -> Call {
    Call::closing(operation, BTreeMap::from([(argument.to_owned(), Value::Object(input))]))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}

fn invite_user(user: &User) -> Call {
    let User { email, first_name, last_name, phone, roles, enabled, .. } = user;
    let mut input = object(json!({ "email": email, "roles": roles, "enabled": *enabled == Seen::Known(true) }));
    let optional = [("firstName", first_name), ("lastName", last_name), ("phoneNumber", phone)];
    for (name, value) in optional {
        if let Some(value) = value {
            input.insert(name.to_owned(), json!(value));
        }
    }
    call("inviteUser", "inviteUserInput", input)
}

/// `updateUser` replaces the record: the whole role set and `enabled` go out whatever changed. Without either, or
/// without an id, there is nothing that could be sent safely.
fn update_user(user: &User) -> Option<Call> {
    let User { id, roles, enabled, .. } = user;
    let (Some(id), Seen::Known(enabled)) = (id, enabled) else {
        return None;
    };
    let input = object(json!({ "userTrustId": id, "roles": roles, "enabled": enabled }));
    Some(call("updateUser", "updateUserInput", input))
}

fn create_key(key: &Key) -> Call {
    let Key { name, roles, expires, .. } = key;
    let mut input = object(json!({ "name": name, "roles": roles }));
    if let Some(expires) = expires {
        input.insert("apiKeyExpiryDate".to_owned(), json!(expires));
    }
    call("createOrgApiKey", "createOrgApiKeyInput", input)
}

/// Nothing of a key but `enabled` can be changed.
fn update_key(key: &Key) -> Option<Call> {
    let Key { id, enabled, .. } = key;
    let input = object(json!({ "apiKeyId": id.as_ref()?, "enabled": enabled }));
    Some(call("updateOrgApiKey", "updateOrgApiKeyInput", input))
}
