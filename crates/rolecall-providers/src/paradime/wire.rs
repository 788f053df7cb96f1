//! Answers as they come: every field may be null until it has crossed into the model.

use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListUsers {
    pub list_users: Option<UserLists>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserLists {
    pub ok: Option<bool>,
    pub active_users: Option<Vec<WireUser>>,
    pub invited_users: Option<Vec<WireInvitation>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireUser {
    pub uid: Option<String>,
    pub email: Option<String>,
    /// An open set: roles were added before.
    pub account_type: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireInvitation {
    pub email: Option<String>,
    pub account_type: Option<String>,
    /// The documentation has `ACTIVE` and `EXPIRED`, the vendor's clients `SENT` and `EXPIRED`.
    pub invite_status: Option<String>,
}

/// All that a mutation answers.
#[derive(Debug, Deserialize)]
pub(super) struct Acknowledgement {
    pub ok: Option<bool>,
}
