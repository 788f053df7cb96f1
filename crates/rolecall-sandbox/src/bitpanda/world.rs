//! The organisation behind the sandbox, and the switches for behaviour that the vendor doesn't document.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rolecall_model::Expiry;
use serde::{Deserialize, Serialize};

use super::super::digest;
use crate::switch::{NUMBER, ON_OFF, Switch};

/// The ids of the organisations that this sandbox starts with.
pub const SEEDS: &[&str] = &["f8588dc7-e1ce-4d92-a473-809a0a357ad9"];

/// The secret of rolecall's own key in the seed.
pub const OWN_KEY_SECRET: &str = "sandbox-own-key";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct World {
    pub organization: String,
    pub users: Vec<WorldUser>,
    pub keys: Vec<WorldKey>,
    /// User updates that wait for a second approval.
    pub pending: Vec<PendingUpdate>,
    /// The recipients of all mails, in the order sent.
    pub mails: Vec<String>,
    /// The number of ids generated so far.
    pub made: u64,
    pub switches: Switches,
}

crate::changes::recorded!(World { lists: [users, keys, pending, mails], fields: [organization, made, switches] });

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorldUser {
    pub id: String,
    pub email: String,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub phone: Option<String>,
    pub roles: BTreeSet<String>,
    pub enabled: bool,
    pub accepted: bool,
    pub created_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorldKey {
    pub id: String,
    pub name: String,
    pub roles: BTreeSet<String>,
    pub expires: Expiry,
    pub enabled: bool,
    /// The [`digest`] of the secret. The secret itself isn't stored.
    pub digest: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PendingUpdate {
    pub id: String,
    pub roles: BTreeSet<String>,
    pub enabled: bool,
}

/// The switches of this sandbox, as help texts and errors describe them.
pub const SWITCHES: &[Switch] = &[
    Switch {
        name: "page-size",
        values: &["NUMBER", "null"],
        about: "The most users on a page. null puts all of them in one list.",
    },
    Switch { name: "introspection", values: ON_OFF, about: "The server answers introspection queries." },
    Switch {
        name: "invitees",
        values: &["hidden", "shown"],
        about: "The list of users hides or shows people who haven't accepted yet.",
    },
    Switch {
        name: "expiry-millis",
        values: ON_OFF,
        about: "The list of keys gives each expiry with the fraction .999.",
    },
    Switch { name: "quorum", values: ON_OFF, about: "Updates of users wait until a second person approves them." },
    Switch {
        name: "clears-unsent",
        values: ON_OFF,
        about: "An update clears the name and phone, which it can't carry.",
    },
    Switch { name: "duplicate-key-names", values: ON_OFF, about: "Several keys may have the same name." },
    Switch {
        name: "duplicate-invite",
        values: &["refused", "resent"],
        about: "A second invitation is refused, or is sent again.",
    },
    Switch {
        name: "count-off-by",
        values: NUMBER,
        about: "This number is added to the total that the list of users states.",
    },
    Switch {
        name: "refusal",
        values: &["http401", "http403", "errors"],
        about: "A credential that can't be used gets this status, or errors with 200.",
    },
];

/// One switch for each question that the vendor's pages leave open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own")]
pub struct Switches {
    /// The number of users on a page. `None` puts all users on one page.
    pub page_size: Option<usize>,
    /// Allows introspection.
    pub introspection: bool,
    /// Whether the list shows users who haven't accepted their invitation.
    pub invitees: Invitees,
    /// Adds `.999` to expiry times in the list of keys.
    pub expiry_millis: bool,
    /// Makes user updates wait for a second approval.
    pub quorum: bool,
    /// Makes a user update clear names and phone number, which it doesn't send.
    pub clears_unsent: bool,
    /// Allows two enabled keys with the same name.
    pub duplicate_key_names: bool,
    pub duplicate_invite: DuplicateInvite,
    /// A number added to the `total` of the user list.
    pub count_off_by: i64,
    /// The response to a credential that is unknown, disabled, expired or not an admin's.
    pub refusal: Refusal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Invitees {
    Hidden,
    Shown,
}

/// The effect of inviting somebody who is already in the organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DuplicateInvite {
    Refused,
    Resent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    Http401,
    Http403,
    Errors,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            page_size: None,
            introspection: true,
            invitees: Invitees::Hidden,
            expiry_millis: true,
            quorum: false,
            clears_unsent: false,
            duplicate_key_names: true,
            duplicate_invite: DuplicateInvite::Refused,
            count_off_by: 0,
            refusal: Refusal::Http401,
        }
    }
}

impl World {
    /// Creates an organisation without users and keys.
    pub fn empty(organization: impl Into<String>) -> Self {
        Self {
            organization: organization.into(),
            users: Vec::new(),
            keys: Vec::new(),
            pending: Vec::new(),
            mails: Vec::new(),
            made: 0,
            switches: Switches::default(),
        }
    }

    /// Reads the world of a seed. `None` if there is no such seed.
    pub fn seed(name: &str) -> Option<Self> {
        (name == SEEDS[0]).then(|| serde_json::from_str(include_str!("seed.json")).ok()).flatten()
    }

    /// Whether this secret belongs to a key that may call the API at `now`.
    pub fn admits(&self, secret: &str, now: Timestamp) -> bool {
        let digest = digest(secret);
        self.keys.iter().any(|key| {
            key.digest == digest && key.enabled && !key.expires.is_past(now) && key.roles.contains("ADMIN")
        })
    }

    /// Counts the users who have `ADMIN` and can sign in. Only the platform knows this number: the API doesn't
    /// show `enabled`.
    pub fn usable_admins(&self) -> usize {
        self.users.iter().filter(|user| user.enabled && user.accepted && user.roles.contains("ADMIN")).count()
    }

    pub fn user(&self, email: &str) -> Option<&WorldUser> {
        self.users.iter().find(|user| user.email.eq_ignore_ascii_case(email))
    }

    pub fn user_mut(&mut self, email: &str) -> Option<&mut WorldUser> {
        self.users.iter_mut().find(|user| user.email.eq_ignore_ascii_case(email))
    }

    /// Returns the users that the list shows.
    pub(super) fn listed(&self) -> Vec<&WorldUser> {
        let listed = |user: &&WorldUser| user.accepted || self.switches.invitees == Invitees::Shown;
        self.users.iter().filter(listed).collect()
    }

    /// Returns a new id. Like the ids in the vendor's samples, it is opaque, with a prefix by kind.
    pub(super) fn next_id(&mut self, prefix: &str) -> String {
        self.made += 1;
        format!("{prefix}{}", &digest(&format!("{}/{}", self.organization, self.made))[..24])
    }
}
