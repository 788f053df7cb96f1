//! The forms of the platform's answers. Every field may be null. A row that lacks what the model needs is an
//! unread [`Row`].

use std::collections::BTreeSet;

use secrecy::SecretString;
use serde::Deserialize;

use super::super::rows::{Mail, Row, Text, expiry};
use rolecall_model::{Expiry, RoleName};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListUsers {
    pub organisation_management: Option<OrganisationManagement>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OrganisationManagement {
    pub id: Option<String>,
    pub list_users: Option<UserList>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserList {
    pub total: Option<u64>,
    pub items: Option<Vec<Row<ListedUser>>>,
    /// Present only if the query asked for it.
    pub next_token: Option<String>,
}

/// A listed user, with everything that a plan can't do without. An update sends the whole set of roles.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListedUser {
    pub user_trust_id: Text,
    pub email: Mail,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub phone_number: Option<String>,
    pub roles: BTreeSet<RoleName>,
}

/// The answer to an update or an invitation.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireUser {
    pub user_trust_id: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub phone_number: Option<String>,
    pub roles: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListApiKeys {
    pub list_api_keys: Option<KeyList>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct KeyList {
    pub org_api_keys_list: Option<Vec<Row<WireKey>>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireKey {
    pub api_key_id: Text,
    pub name: Text,
    pub roles: Vec<String>,
    #[serde(default, deserialize_with = "expiry")]
    pub api_key_expiry_date: Option<Expiry>,
    pub enabled: bool,
}

/// The answer to an introspection. Some servers refuse it with null, and without an error.
#[derive(Debug, Deserialize)]
pub(super) struct Introspection {
    #[serde(rename = "__schema", deserialize_with = "Option::deserialize")]
    pub schema: Option<IntrospectedSchema>,
}

#[derive(Debug, Deserialize)]
pub(super) struct IntrospectedSchema {
    pub types: Vec<IntrospectedType>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct IntrospectedType {
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub input_fields: Option<Vec<IntrospectedArgument>>,
    pub fields: Option<Vec<IntrospectedField>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct IntrospectedField {
    pub name: String,
    pub args: Vec<IntrospectedArgument>,
}

#[derive(Debug, Deserialize)]
pub(super) struct IntrospectedArgument {
    pub name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateUser {
    pub update_user: WireUser,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InviteUser {
    pub invite_user: WireUser,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateOrgApiKey {
    pub update_org_api_key: UpdatedKey,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdatedKey {
    pub api_key_id: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateOrgApiKey {
    pub create_org_api_key: CreatedKey,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreatedKey {
    /// Read directly into a type that can't be printed or serialised.
    pub org_api_key: SecretString,
    pub org_api_key_details: UpdatedKey,
}
