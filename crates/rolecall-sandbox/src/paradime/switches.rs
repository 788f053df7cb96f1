//! What Paradime's pages and clients leave open, one switch each.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own")]
pub struct Switches {
    /// What an invitation of a user does.
    pub invite_active: InviteActive,
    /// What a second invitation does.
    pub invite_pending: InviteAgain,
    /// What an invitation does after one that ran out.
    pub invite_expired: InviteAgain,
    /// What an invitation of a disabled user does.
    pub invite_disabled: InviteDisabled,
    /// Where the lists show disabled users.
    pub disabled_users: DisabledUsers,
    /// How a mutation says that it did nothing.
    pub refusal: Refusal,
    /// What an unusable credential is told, and one that lacks the capability.
    pub auth_refusal: AuthRefusal,
    /// Are addresses that differ in case those of one person?
    pub email_case: EmailCase,
    /// Does a success carry `errors: []`?
    pub empty_errors: bool,
    /// Is the payload beside the errors of a refused mutation null? Otherwise it says `ok: false`.
    pub null_payload: bool,
    /// Does the server introspect?
    pub introspection: bool,
    /// May roles other than `ADMIN`, `DEVELOPER` and `BUSINESS` be given?
    pub security_pack: bool,
    /// What an invitation's status says while it can be followed. The documentation has `ACTIVE`, the clients `SENT`.
    pub pending_status: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InviteActive {
    #[default]
    Refused,
    OkIgnored,
    /// A mail goes out, and nothing else happens.
    Resent,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InviteAgain {
    #[default]
    Refused,
    OkIgnored,
    /// The mail goes out again, for the role of the first time, and can be followed.
    Resent,
    /// The same for the role that is asked for now.
    Replaced,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InviteDisabled {
    #[default]
    Refused,
    OkIgnored,
    /// They are a user again at once, without a mail.
    Readmits,
    /// They are a user again once they followed the invitation.
    Invited,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DisabledUsers {
    #[default]
    Hidden,
    /// Among the active ones, and not to be told apart from them.
    ListedActive,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    #[default]
    Errors,
    OkFalse,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuthRefusal {
    #[default]
    Http401,
    Http403,
    Errors,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EmailCase {
    #[default]
    Insensitive,
    Sensitive,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            invite_active: InviteActive::default(),
            invite_pending: InviteAgain::default(),
            invite_expired: InviteAgain::default(),
            invite_disabled: InviteDisabled::default(),
            disabled_users: DisabledUsers::default(),
            refusal: Refusal::default(),
            auth_refusal: AuthRefusal::default(),
            email_case: EmailCase::default(),
            empty_errors: false,
            null_payload: true,
            introspection: true,
            security_pack: true,
            pending_status: "SENT".to_owned(),
        }
    }
}
