//! The forms of the platform's answers. Every field may be null. A row that lacks what the model needs is an
//! unread [`Row`].

use serde::Deserialize;

use super::super::rows::{Mail, Row, Text};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListUsers {
    pub list_users: Option<UserLists>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserLists {
    pub ok: Option<bool>,
    pub active_users: Option<Vec<Row<WireUser>>>,
    pub invited_users: Option<Vec<Row<WireInvitation>>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireUser {
    pub uid: Text,
    pub email: Mail,
    /// A role's name. The set is open, because the vendor has added roles before.
    pub account_type: Text,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireInvitation {
    pub email: Mail,
    pub account_type: Text,
    /// `ACTIVE` or `EXPIRED` by the documentation, `SENT` or `EXPIRED` by the vendor's clients.
    pub invite_status: Text,
}

/// The whole answer to a mutation.
#[derive(Debug, Deserialize)]
pub(super) struct Acknowledgement {
    pub ok: Option<bool>,
}
