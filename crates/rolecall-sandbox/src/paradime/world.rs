//! The workspace behind the sandbox.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::digest;
use super::access::{WorldCredential, own_credentials};
use super::switches::{EmailCase, Switches};

/// The workspaces that this sandbox starts with, both of one company.
pub const SEEDS: &[&str] = &["acme0analytics00", "acme0marketing00"];

/// The status that all of the vendor's pages and clients know. Any other means that the invitation can be followed.
pub(super) const EXPIRED: &str = "EXPIRED";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct World {
    pub workspace: WorldWorkspace,
    /// The rest of the company's, which are listed and no more.
    pub other_workspaces: Vec<WorldWorkspace>,
    pub users: Vec<WorldUser>,
    pub invitations: Vec<WorldInvitation>,
    pub credentials: Vec<WorldCredential>,
    /// What happened in all of the company's workspaces.
    pub audit_log: Vec<WorldEvent>,
    /// Whom each mail went to, in order.
    pub mails: Vec<String>,
    /// Counts what was made, for uids.
    pub made: u64,
    pub switches: Switches,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorldWorkspace {
    pub uid: String,
    pub name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorldUser {
    pub uid: String,
    pub email: String,
    /// Never null: Paradime's Python SDK 6.9.0 can't read a user without one.
    pub name: String,
    /// One that the schema doesn't know is shown all the same: roles were added before.
    pub account_type: String,
    pub status: UserStatus,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UserStatus {
    Active,
    Disabled,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorldInvitation {
    pub email: String,
    pub account_type: String,
    pub status: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorldEvent {
    pub id: i32,
    pub at: Timestamp,
    /// By its name, as the log shows no uid.
    pub workspace: String,
    pub actor_type: String,
    pub actor_email: Option<String>,
    pub source: String,
    pub event: String,
    /// JSON within a string: Paradime's Python SDK 6.9.0 can't read the object that the documentation shows.
    pub metadata: Option<String>,
}

impl World {
    /// A workspace with nobody in it, and the own credentials.
    pub fn empty(uid: impl Into<String>) -> Self {
        let uid = uid.into();
        Self {
            workspace: WorldWorkspace { name: uid.clone(), uid },
            other_workspaces: Vec::new(),
            users: Vec::new(),
            invitations: Vec::new(),
            credentials: own_credentials(),
            audit_log: Vec::new(),
            mails: Vec::new(),
            made: 0,
            switches: Switches::default(),
        }
    }

    /// The world of a seed.
    pub fn seed(uid: &str) -> Option<Self> {
        let mut worlds: BTreeMap<String, Self> = serde_json::from_str(include_str!("seed.json")).ok()?;
        worlds.remove(uid)
    }

    /// Whoever has this address, raw_name like this rather than in another case.
    pub fn user(&self, email: &str) -> Option<&WorldUser> {
        self.users.get(nearest(&self.users.iter().map(|user| user.email.as_str()), email)?)
    }

    pub fn user_mut(&mut self, email: &str) -> Option<&mut WorldUser> {
        let at = nearest(&self.users.iter().map(|user| user.email.as_str()), email)?;
        self.users.get_mut(at)
    }

    pub fn invitation(&self, email: &str) -> Option<&WorldInvitation> {
        self.invitations.get(self.invited_at(email)?)
    }

    pub fn invitation_mut(&mut self, email: &str) -> Option<&mut WorldInvitation> {
        let at = self.invited_at(email)?;
        self.invitations.get_mut(at)
    }

    fn invited_at(&self, email: &str) -> Option<usize> {
        nearest(&self.invitations.iter().map(|invitation| invitation.email.as_str()), email)
    }

    /// The invited person signs up. False: there is no invitation to follow.
    pub fn accept(&mut self, email: &str) -> bool {
        let Some(at) = self.invited_at(email).filter(|&at| self.invitations[at].status != EXPIRED) else {
            return false;
        };
        let WorldInvitation { email, account_type, status: _ } = self.invitations.remove(at);
        if let Some(at) = self.users.iter().position(|user| self.is_same_person(&user.email, &email)) {
            let user = &mut self.users[at];
            (user.account_type, user.status) = (account_type, UserStatus::Active);
            return true;
        }
        let name = email.split('@').next().unwrap_or_default().to_owned();
        let uid = self.next_uid();
        self.users.push(WorldUser { uid, email, name, account_type, status: UserStatus::Active });
        true
    }

    /// Who can administrate, as only the platform knows.
    pub fn usable_admins(&self) -> usize {
        let admin = |user: &&WorldUser| user.status == UserStatus::Active && user.account_type == "ADMIN";
        self.users.iter().filter(admin).count()
    }

    pub(super) fn is_same_person(&self, one: &str, other: &str) -> bool {
        match self.switches.email_case {
            EmailCase::Insensitive => one.eq_ignore_ascii_case(other),
            EmailCase::Sensitive => one == other,
        }
    }

    /// In the form of the documentation's examples: 64 hexadecimal digits.
    fn next_uid(&mut self) -> String {
        self.made += 1;
        digest(&format!("{}/{}", self.workspace.uid, self.made))
    }
}

/// Where an address stands. Where case counts, two may differ in nothing else.
fn nearest<'a>(emails: &(impl Iterator<Item = &'a str> + Clone), email: &str) -> Option<usize> {
    let exact = emails.clone().position(|it| it == email);
    exact.or_else(|| emails.clone().position(|it| it.eq_ignore_ascii_case(email)))
}
