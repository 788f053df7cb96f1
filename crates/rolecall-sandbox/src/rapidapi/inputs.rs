//! The inputs of mutations, as far as they have an effect.

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrganizationCreateInput {
    pub name: String,
    pub email: String,
    pub seats: i32,
    pub thumbnail: Option<String>,
    pub description: Option<String>,
    /// Users to invite. They aren't added at once (docs.rapidapi.com, Organizations).
    pub users: Option<Vec<Option<UsersInvitation>>>,
}

/// A person to invite, by id or by address.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UsersInvitation {
    pub id: Option<String>,
    pub email: Option<String>,
    pub role: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrganizationUpdateInput {
    pub organization_id: i32,
    pub name: Option<String>,
    pub email: Option<String>,
    pub seats: Option<i32>,
    pub thumbnail: Option<String>,
    pub description: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TeamCreateInput {
    pub organization_id: i32,
    pub name: String,
    pub thumbnail: Option<String>,
    pub description: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TeamUpdateInput {
    pub id: i32,
    pub name: Option<String>,
    pub thumbnail: Option<String>,
    pub description: Option<String>,
}

/// A change of at most one team to join, one team to leave and one role, by its legacy name.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TeamUserUpdateInput {
    pub org_id: i32,
    pub team_user_id: i32,
    pub team_to_remove: Option<i32>,
    pub team_to_add: Option<i32>,
    pub new_role: Option<String>,
}

/// An invitation of one person, by address or by id.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserInvitesInput {
    pub email: Option<String>,
    pub id: Option<i32>,
    pub team_ids: Vec<Option<i32>>,
    pub organization_id: i32,
    pub role: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserInvitesDeleteInput {
    pub emails: Vec<Option<String>>,
    pub org_id: i32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserInvitesReactivateInput {
    pub emails: Vec<Option<String>>,
    pub org_id: i32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the platform names them so")]
pub struct UserRolesUpdateInput {
    pub entity_id: i32,
    pub role_id: i32,
    pub org_id: i32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EntityRoleInput {
    pub id: Option<String>,
    pub entity_id: Option<i32>,
    pub role_id: Option<i32>,
    pub parent_id: Option<i32>,
    pub org_id: Option<i32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserUpdateInput {
    pub id: Option<String>,
    pub status: Option<String>,
    pub name: Option<String>,
    pub email: Option<String>,
}
