//! The forms of the platform's answers. Every field may be null; `read` checks what the model needs.

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
    /// A role's name. The set is open, because the vendor has added roles before.
    pub account_type: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireInvitation {
    pub email: Option<String>,
    pub account_type: Option<String>,
    /// `ACTIVE` or `EXPIRED` by the documentation, `SENT` or `EXPIRED` by the vendor's clients.
    pub invite_status: Option<String>,
}

/// The whole answer to a mutation.
#[derive(Debug, Deserialize)]
pub(super) struct Acknowledgement {
    pub ok: Option<bool>,
}
