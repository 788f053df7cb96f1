//! The forms of the platform's answers. Every field may be null. A row that lacks what the model needs is an
//! unread [`Row`].

use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{DeserializeOwned, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::super::rows::{Mail, Row, Text};
use rolecall_model::RemoteId;

/// An id. The same id is a text in one place and a number in another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Id(pub String);

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self(text)),
            Value::Number(number) => Ok(Self(number.to_string())),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
                Err(serde::de::Error::custom("expected an id"))
            }
        }
    }
}

impl From<Id> for RemoteId {
    fn from(Id(text): Id) -> Self {
        Self::seen(text)
    }
}

/// A number of entities, as the platform counts them. It may be wrong.
pub(super) type Count = i64;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ActiveUser {
    pub active_user: Option<WireCaller>,
}

#[derive(Debug, Deserialize)]
pub(super) struct WireCaller {
    pub id: Option<Id>,
    pub email: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ActiveEntity {
    pub active_entity: Option<WireEntity>,
}

#[derive(Debug, Deserialize)]
pub(super) struct WireEntity {
    pub id: Option<Id>,
}

/// One page of a list with a cursor.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "T: DeserializeOwned"))]
pub(super) struct Page<T> {
    pub nodes: Option<Vec<Row<T>>>,
    pub page_info: Option<PageInfo>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PageInfo {
    pub has_next_page: bool,
    pub end_cursor: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Roles {
    pub roles: Option<Page<WireRole>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireRole {
    pub id: Id,
    pub key: String,
    pub name: String,
    pub role_level: String,
    pub is_default: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EntitiesRoles {
    pub entities_roles: Option<Page<WireAssignment>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "as the platform calls them")]
pub(super) struct WireAssignment {
    pub entity_id: Id,
    pub role_id: Id,
    pub parent_id: Option<Id>,
    pub org_id: Option<Id>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Organizations {
    pub organizations: Option<Vec<Row<WireOrganizationName>>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireOrganizationName {
    pub id: Id,
    pub name: Option<String>,
    pub slugified_name: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Organization {
    pub organization: Option<WireOrganization>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireOrganization {
    pub id: Id,
    pub name: Option<String>,
    pub slugified_name: Option<String>,
    pub email: Option<String>,
    pub description: Option<String>,
    pub thumbnail: Option<String>,
    pub billing_additional_values: Option<Billing>,
    pub num_of_teams: Option<Count>,
    pub num_of_users: Option<Count>,
    pub teams: Option<Vec<Row<WireTeam>>>,
    pub users: Option<Vec<Row<WireUser>>>,
    #[serde(rename = "ProjectAcls")]
    pub apps: Option<Vec<Row<WireOwnedApp>>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct WireOwnedApp {
    pub owner: Option<WireOwner>,
    #[serde(rename = "Project")]
    pub project: Option<WireApp>,
}

#[derive(Debug, Deserialize)]
pub(super) struct WireOwner {
    pub name: Option<String>,
    #[serde(rename = "type")]
    pub kind: Option<String>,
}

/// An app. Only the names of its keys are selected, because the API would show their values as well.
#[derive(Debug, Deserialize)]
pub(super) struct WireApp {
    pub id: Option<Id>,
    pub name: Option<String>,
    #[serde(rename = "applicationAuthorizations")]
    pub keys: Option<Vec<Row<WireAppKey>>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct WireAppKey {
    pub name: String,
    pub status: String,
    #[serde(rename = "authorizationType")]
    pub kind: String,
}

/// The answer to a query with several root fields.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Start {
    pub active_user: Option<WireCaller>,
    pub roles: Option<Page<WireRole>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StartOfTeam {
    pub active_entity: Option<WireEntity>,
    pub organizations: Option<Vec<Row<WireOrganizationName>>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Billing {
    pub total: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireTeam {
    pub id: Id,
    pub name: Text,
    pub description: Option<String>,
    pub thumbnail: Option<String>,
    /// An instant as a text or a number. Only its presence matters.
    pub deleted_at: Option<Id>,
    pub users_count: Option<Count>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireUser {
    pub id: Id,
    pub email: Mail,
    pub status: Option<String>,
    pub protected: Option<bool>,
    pub single_admin_orgs: Option<Vec<Option<Id>>>,
    pub role: Option<HeldRole>,
    #[serde(rename = "Teams")]
    pub teams: Option<Vec<Option<Identified>>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct HeldRole {
    pub role_id: Id,
    pub role: Option<HeldRoleName>,
}

#[derive(Debug, Deserialize)]
pub(super) struct HeldRoleName {
    pub name: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Identified {
    pub id: Id,
}

#[derive(Debug, Deserialize)]
pub(super) struct TeamUsers {
    #[serde(rename = "paginatedTeamUsersByOrganizationIdV2")]
    pub page: Option<TeamUsersPage>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TeamUsersPage {
    pub data: Vec<Row<WireTeamUser>>,
    pub total: Count,
    pub total_active: Option<Count>,
}

/// A row of the list that has members and invited people.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireTeamUser {
    pub id: Option<Id>,
    pub email: Mail,
    pub role: Option<String>,
    pub invite_status: Option<String>,
    pub teams: Option<Vec<Option<Identified>>>,
}

/// The users of a hub: a list or a connection, depending on the generation.
#[derive(Debug, Deserialize)]
pub(super) struct Users {
    pub users: Option<UserList>,
}

#[derive(Debug)]
pub(super) enum UserList {
    Connection(UserConnection),
    List(Vec<Row<WireUser>>),
}

#[derive(Debug, Deserialize)]
pub(super) struct UserConnection {
    pub nodes: Option<Vec<Row<WireUser>>>,
    #[serde(rename = "totalCount")]
    pub total: Option<Count>,
}

impl<'de> Deserialize<'de> for UserList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = UserList;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list or a connection")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, rows: A) -> Result<UserList, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(rows)).map(UserList::List)
            }

            fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<UserList, A::Error> {
                UserConnection::deserialize(MapAccessDeserializer::new(fields)).map(UserList::Connection)
            }
        }

        deserializer.deserialize_any(Either)
    }
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
    pub name: Option<String>,
    pub fields: Option<Vec<IntrospectedField>>,
    pub input_fields: Option<Vec<Named>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct IntrospectedField {
    pub name: String,
    #[serde(default)]
    pub args: Vec<Named>,
    #[serde(rename = "type")]
    pub kind: TypeReference,
}

#[derive(Debug, Deserialize)]
pub(super) struct Named {
    pub name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TypeReference {
    pub kind: Option<String>,
    pub of_type: Option<Box<TypeReference>>,
}

impl TypeReference {
    /// Returns whether the type is a list, nullable or not.
    pub fn is_list(&self) -> bool {
        self.kind.as_deref() == Some("LIST") || self.of_type.as_ref().is_some_and(|inner| inner.is_list())
    }
}
