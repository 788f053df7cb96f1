//! One switch for each question that Paradime's pages and clients leave open.

use serde::{Deserialize, Serialize};

use crate::switch::{ON_OFF, Switch, TEXT};

/// The switches of this sandbox, as help texts and errors describe them.
pub const SWITCHES: &[Switch] = &[
    Switch {
        name: "invite-active",
        values: &["refused", "ok-ignored", "resent"],
        about: "The result of inviting an active user.",
    },
    Switch {
        name: "invite-pending",
        values: &["refused", "ok-ignored", "resent", "replaced"],
        about: "The result of a second invitation. replaced: for the new role.",
    },
    Switch {
        name: "invite-expired",
        values: &["refused", "ok-ignored", "resent", "replaced"],
        about: "The result of inviting again after an invitation expired.",
    },
    Switch {
        name: "invite-disabled",
        values: &["refused", "ok-ignored", "readmits", "invited"],
        about: "The result of inviting a disabled user. readmits: without a mail.",
    },
    Switch {
        name: "disabled-users",
        values: &["hidden", "listed-active"],
        about: "Disabled users are hidden, or are listed among the active ones.",
    },
    Switch {
        name: "refusal",
        values: &["errors", "ok-false"],
        about: "A mutation that did nothing answers with errors, or with ok: false.",
    },
    Switch {
        name: "auth-refusal",
        values: &["http401", "http403", "errors"],
        about: "A credential that can't be used gets this status, or errors with 200.",
    },
    Switch {
        name: "email-case",
        values: &["insensitive", "sensitive"],
        about: "Addresses that differ in case belong to one person, or to two.",
    },
    Switch { name: "empty-errors", values: ON_OFF, about: "A success carries an empty list of errors." },
    Switch {
        name: "null-payload",
        values: ON_OFF,
        about: "A refused mutation answers null. false: it answers ok: false.",
    },
    Switch { name: "introspection", values: ON_OFF, about: "The server answers introspection queries." },
    Switch {
        name: "security-pack",
        values: ON_OFF,
        about: "Roles other than ADMIN, DEVELOPER and BUSINESS can be given.",
    },
    Switch {
        name: "pending-status",
        values: TEXT,
        about: "The status of an invitation that can be accepted: ACTIVE or SENT.",
    },
];

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own")]
pub struct Switches {
    /// The effect of inviting an active user.
    pub invite_active: InviteActive,
    /// The effect of inviting an address whose invitation is pending.
    pub invite_pending: InviteAgain,
    /// The effect of inviting an address whose invitation has expired.
    pub invite_expired: InviteAgain,
    /// The effect of inviting a disabled user.
    pub invite_disabled: InviteDisabled,
    /// Whether the lists show disabled users.
    pub disabled_users: DisabledUsers,
    /// The answer of a mutation that did nothing.
    pub refusal: Refusal,
    /// The answer to an unknown credential, and to one without the capability.
    pub auth_refusal: AuthRefusal,
    /// Whether two addresses that differ only in case belong to the same person.
    pub email_case: EmailCase,
    /// Adds `errors: []` to successful answers.
    pub empty_errors: bool,
    /// Makes the payload of a refused mutation null. Otherwise it says `ok: false` beside the errors.
    pub null_payload: bool,
    /// Allows introspection.
    pub introspection: bool,
    /// Allows roles other than `ADMIN`, `DEVELOPER` and `BUSINESS`.
    pub security_pack: bool,
    /// The status of an invitation that can be accepted. The documentation shows `ACTIVE`, the clients know
    /// `SENT`.
    pub pending_status: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InviteActive {
    #[default]
    Refused,
    OkIgnored,
    /// Sends another mail and changes nothing else.
    Resent,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InviteAgain {
    #[default]
    Refused,
    OkIgnored,
    /// Sends another mail for the role of the first invitation, and makes an expired invitation valid again.
    Resent,
    /// Sends another mail for the newly requested role, and makes an expired invitation valid again.
    Replaced,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InviteDisabled {
    #[default]
    Refused,
    OkIgnored,
    /// Enables the user at once, without a mail.
    Readmits,
    /// Sends an invitation. The user is enabled when they accept it.
    Invited,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DisabledUsers {
    #[default]
    Hidden,
    /// Lists disabled users among the active ones. Nothing tells them apart.
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
            pending_status: "ACTIVE".to_owned(),
        }
    }
}
