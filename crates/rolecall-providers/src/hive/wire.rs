//! The forms of the platform's answers.

use std::collections::BTreeMap;

use jiff::Timestamp;
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use super::super::rows::{Mail, Row, Text, unknown_value};
use rolecall_model::EcoString;

/// The answer to an introspection. A type may be null, but not missing.
#[derive(Debug, Deserialize)]
pub(super) struct Features {
    #[serde(default)]
    pub assignment: Option<Introspected>,
    #[serde(deserialize_with = "Option::deserialize")]
    pub invitation: Option<Introspected>,
    #[serde(deserialize_with = "Option::deserialize")]
    pub mutation: Option<Introspected>,
    #[serde(deserialize_with = "Option::deserialize")]
    pub project: Option<Introspected>,
    #[serde(default)]
    pub role: Option<Introspected>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Introspected {
    pub fields: Option<Vec<Named>>,
    pub input_fields: Option<Vec<Named>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Named {
    pub name: String,
}

/// The answer to every query about an organisation.
#[derive(Debug, Deserialize)]
pub(super) struct Found<T> {
    pub organization: Option<T>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Organization {
    pub id: String,
    pub slug: String,
    pub owner: Owner,
    pub member_roles: Option<List<WireRole>>,
    pub members: Page<WireMember>,
    /// Null if the credential may not see invitations.
    pub invitations: Option<Page<WireInvitation>>,
    pub projects: List<WireProject>,
    pub available_member_permission_groups: Vec<PermissionGroup>,
    pub available_organization_access_token_permission_groups: Vec<PermissionGroup>,
    /// Present only if the query asked for it.
    pub access_tokens: Option<Page<WireToken>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct MembersPage {
    pub members: Page<WireMember>,
}

#[derive(Debug, Deserialize)]
pub(super) struct InvitationsPage {
    pub invitations: Option<Page<WireInvitation>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AccessTokensPage {
    pub access_tokens: Page<WireToken>,
}

#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "T: DeserializeOwned"))]
pub(super) struct List<T> {
    pub edges: Vec<Row<Edge<T>>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[serde(bound(deserialize = "T: DeserializeOwned"))]
pub(super) struct Page<T> {
    pub edges: Vec<Row<Edge<T>>>,
    pub page_info: PageInfo,
}

#[derive(Debug, Deserialize)]
pub(super) struct Edge<T> {
    pub node: T,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PageInfo {
    pub has_next_page: bool,
    pub end_cursor: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Owner {
    pub user: Identified,
}

#[derive(Debug, Deserialize)]
pub(super) struct Identified {
    pub id: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireRole {
    pub id: EcoString,
    pub name: EcoString,
    pub description: EcoString,
    pub is_locked: bool,
    pub permissions: Vec<EcoString>,
}

/// The role of a member or an invitation. It has details only if the query asks for them: the list of roles has them, too.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct HeldRole {
    pub id: EcoString,
    pub name: EcoString,
    pub description: Option<EcoString>,
    pub is_locked: Option<bool>,
    pub permissions: Option<Vec<EcoString>>,
}

impl HeldRole {
    /// Returns the role with its details, if it has them.
    pub fn detailed(&self) -> Option<WireRole> {
        Some(WireRole {
            id: self.id.clone(),
            name: self.name.clone(),
            description: self.description.clone()?,
            is_locked: self.is_locked?,
            permissions: self.permissions.clone()?,
        })
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireMember {
    pub is_owner: bool,
    pub user: WireUser,
    pub role: HeldRole,
    pub resource_assignment: WireResources,
}

#[derive(Debug, Deserialize)]
pub(super) struct WireUser {
    pub id: Text,
    pub email: Mail,
}

/// An open invitation, without its id.
///
/// An invitation's id is the hexadecimal form of `<organisation id>:<email>:<code>`, and the code accepts the
/// invitation (measured on Hive 8.1.2). For example, the id in a log would let everybody who reads the log join
/// with Jane's role. So no document of rolecall selects the id: not here, not when an invitation is created
/// ([`CreatedInvitation`]) and not when it is deleted ([`Deleted`]). Invitations are distinguished by their
/// addresses, exactly as they are spelled.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireInvitation {
    pub email: Mail,
    pub created_at: Timestamp,
    pub role: HeldRole,
}

#[derive(Debug, Deserialize)]
pub(super) struct WireToken {
    pub id: Text,
    pub title: Text,
    pub description: Option<String>,
    pub permissions: Vec<String>,
    pub resources: WireResources,
    #[serde(rename = "createdAt")]
    pub created_at: Timestamp,
}

#[derive(Debug, Deserialize)]
pub(super) struct PermissionGroup {
    pub permissions: Vec<WirePermission>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WirePermission {
    pub id: String,
    pub level: Option<String>,
    pub depends_on_id: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct WireProject {
    pub id: String,
    pub slug: String,
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub targets: Nodes<WireTarget>,
}

/// A list in which every row has to be read.
#[derive(Debug, Deserialize)]
pub(super) struct Nodes<T> {
    pub edges: Vec<Edge<T>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct WireTarget {
    pub id: String,
    pub slug: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    All,
    Granular,
}

impl<'de> Deserialize<'de> for Mode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match &*String::deserialize(deserializer)? {
            "ALL" => Ok(Self::All),
            "GRANULAR" => Ok(Self::Granular),
            other => Err(unknown_value(other)),
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct WireResources {
    pub mode: Mode,
    pub projects: Option<Vec<AssignedProject>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AssignedProject {
    pub project_id: String,
    pub project: Slugged,
    pub targets: AssignedTargets,
}

#[derive(Debug, Deserialize)]
pub(super) struct Slugged {
    pub slug: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct AssignedTargets {
    pub mode: Mode,
    pub targets: Option<Vec<AssignedTarget>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AssignedTarget {
    pub target_id: String,
    pub target: Slugged,
    pub services: AssignedServices,
    pub app_deployments: AssignedAppDeployments,
}

#[derive(Debug, Deserialize)]
pub(super) struct AssignedServices {
    pub mode: Mode,
    pub services: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AssignedAppDeployments {
    pub mode: Mode,
    pub app_deployments: Option<Vec<String>>,
}

/// The answer to every mutation. One of the fields is null.
#[derive(Debug, Deserialize)]
pub(super) struct Payload<T> {
    pub ok: Option<T>,
    pub error: Option<PayloadError>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PayloadError {
    pub message: String,
    pub input_errors: Option<BTreeMap<String, Option<String>>>,
    pub details: Option<BTreeMap<String, Option<String>>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreatedRole {
    pub created_member_role: WireRole,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdatedRole {
    pub updated_role: WireRole,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Assigned {
    pub updated_member: AssignedMember,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AssignedMember {
    pub role: Identified,
    pub resource_assignment: WireResources,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Invited {
    pub created_organization_invitation: CreatedInvitation,
}

/// A new invitation, without its id. See [`WireInvitation`].
#[derive(Debug, Deserialize)]
pub(super) struct CreatedInvitation {
    pub email: String,
    pub role: Identified,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreatedToken {
    /// Read directly into a type that can't be printed or serialised.
    pub private_access_key: SecretString,
}

/// The answer to a deletion, without the deleted id. The id of an invitation is a secret: see [`WireInvitation`].
#[derive(Debug, Deserialize)]
pub(super) struct Deleted {}
