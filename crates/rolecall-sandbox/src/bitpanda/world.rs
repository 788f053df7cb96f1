//! The organisation behind the sandbox, and what of its behaviour nobody documents.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::digest;

/// The organisations that this sandbox starts with.
pub const SEEDS: &[&str] = &["f8588dc7-e1ce-4d92-a473-809a0a357ad9"];

/// The credential of the seed's own key.
pub const OWN_KEY_SECRET: &str = "sandbox-own-key";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct World {
    pub organization: String,
    pub users: Vec<WorldUser>,
    pub keys: Vec<WorldKey>,
    /// Updates that wait for a second approval.
    pub pending: Vec<PendingUpdate>,
    /// Every mail that went out, in order.
    pub mails: Vec<String>,
    /// Counts what was made, for ids.
    pub made: u64,
    pub switches: Switches,
}

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
    pub expires: Timestamp,
    pub enabled: bool,
    /// Of the secret, which nobody keeps.
    pub digest: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PendingUpdate {
    pub id: String,
    pub roles: BTreeSet<String>,
    pub enabled: bool,
}

/// What the vendor's pages leave open, one switch each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own")]
pub struct Switches {
    /// Users on a page. None: the list is whole.
    pub page_size: Option<usize>,
    /// Does the server introspect?
    pub introspection: bool,
    /// Does the list show who hasn't accepted yet?
    pub invitees: Invitees,
    /// Does the list give expiries with `.999`?
    pub expiry_millis: bool,
    /// Do updates of users wait for a second approval?
    pub quorum: bool,
    /// Does an update clear names and phone, which it doesn't carry?
    pub clears_unsent: bool,
    /// May two keys have one name?
    pub duplicate_key_names: bool,
    pub duplicate_invite: DuplicateInvite,
    /// Added to the count of users.
    pub count_off_by: i64,
    /// What an unusable credential is told.
    pub refusal: Refusal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Invitees {
    Hidden,
    Shown,
}

/// What a second invitation of the same person does.
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
    /// An organisation with nobody in it.
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

    /// The world of a seed.
    pub fn seed(name: &str) -> Option<Self> {
        (name == SEEDS[0]).then(|| serde_json::from_str(include_str!("seed.json")).ok()).flatten()
    }

    /// May this credential call at `now`?
    pub fn admits(&self, secret: &str, now: Timestamp) -> bool {
        let digest = digest(secret);
        self.keys
            .iter()
            .any(|key| key.digest == digest && key.enabled && key.expires > now && key.roles.contains("ADMIN"))
    }

    /// Who can administrate, as only the platform knows.
    pub fn usable_admins(&self) -> usize {
        self.users.iter().filter(|user| user.enabled && user.accepted && user.roles.contains("ADMIN")).count()
    }

    pub fn user(&self, email: &str) -> Option<&WorldUser> {
        self.users.iter().find(|user| user.email.eq_ignore_ascii_case(email))
    }

    pub fn user_mut(&mut self, email: &str) -> Option<&mut WorldUser> {
        self.users.iter_mut().find(|user| user.email.eq_ignore_ascii_case(email))
    }

    /// The second person approves all that waits.
    pub fn approve_pending(&mut self) {
        for update in std::mem::take(&mut self.pending) {
            if let Some(user) = self.users.iter_mut().find(|user| user.id == update.id) {
                user.roles = update.roles;
                user.enabled = update.enabled;
            }
        }
    }

    /// The users that the list shows.
    pub(super) fn listed(&self) -> Vec<&WorldUser> {
        let shown = |user: &&WorldUser| user.accepted || self.switches.invitees == Invitees::Shown;
        self.users.iter().filter(shown).collect()
    }

    /// Ids in the shapes of the vendor's samples: opaque, and not alike.
    pub(super) fn next_id(&mut self, prefix: &str) -> String {
        self.made += 1;
        format!("{prefix}{}", &digest(&format!("{}/{}", self.organization, self.made))[..24])
    }
}
