//! The workspace behind the sandbox.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::digest;
use super::access::{WorldCredential, own_credentials};
use super::switches::{EmailCase, Switches};

/// The uids of the workspaces that this sandbox starts with. Both belong to the same company.
pub const SEEDS: &[&str] = &["acme0analytics00", "acme0marketing00"];

/// The status of an expired invitation, which is the only one that all of the vendor's pages and clients agree on.
/// An invitation with any other status can be accepted.
pub(super) const EXPIRED: &str = "EXPIRED";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct World {
    pub workspace: WorldWorkspace,
    /// The company's other workspaces. They can be listed; this world doesn't contain their users.
    pub other_workspaces: Vec<WorldWorkspace>,
    pub users: Vec<WorldUser>,
    pub invitations: Vec<WorldInvitation>,
    pub credentials: Vec<WorldCredential>,
    /// The events in all of the company's workspaces.
    pub audit_log: Vec<WorldEvent>,
    /// The recipients of all mails, in the order sent.
    pub mails: Vec<String>,
    /// The number of uids generated so far.
    pub made: u64,
    pub switches: Switches,
}

crate::changes::recorded!(World {
    lists: [other_workspaces, users, invitations, credentials, audit_log, mails],
    fields: [workspace, made, switches]
});

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
    /// The name, which is never null: Paradime's Python SDK 6.9.0 can't read a user without one.
    pub name: String,
    /// The role. It may be one that the schema doesn't know: Paradime has added roles before.
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
    /// The name of the workspace. The audit log doesn't show its uid.
    pub workspace: String,
    pub actor_type: String,
    pub actor_email: Option<String>,
    pub source: String,
    pub event: String,
    /// JSON in a string. Paradime's Python SDK 6.9.0 can't read the object that the documentation shows.
    pub metadata: Option<String>,
}

impl World {
    /// Creates a workspace without users, with rolecall's own credentials.
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

    /// Reads the world of a seed. `None` if there is no such seed.
    pub fn seed(uid: &str) -> Option<Self> {
        let mut worlds: BTreeMap<String, Self> = serde_json::from_str(include_str!("seed.json")).ok()?;
        worlds.remove(uid)
    }

    /// Returns the user with this address. An exact match wins over one that differs in case.
    pub fn user(&self, email: &str) -> Option<&WorldUser> {
        self.users.get(email_index(&self.users.iter().map(|user| user.email.as_str()), email)?)
    }

    pub fn user_mut(&mut self, email: &str) -> Option<&mut WorldUser> {
        let at = email_index(&self.users.iter().map(|user| user.email.as_str()), email)?;
        self.users.get_mut(at)
    }

    pub fn invitation(&self, email: &str) -> Option<&WorldInvitation> {
        self.invitations.get(self.invitation_index(email)?)
    }

    fn invitation_index(&self, email: &str) -> Option<usize> {
        email_index(&self.invitations.iter().map(|invitation| invitation.email.as_str()), email)
    }

    /// Accepts an invitation: the person signs up. Returns false if there is no invitation to accept.
    pub fn accept(&mut self, email: &str) -> bool {
        let Some(at) = self.invitation_index(email).filter(|&at| self.invitations[at].status != EXPIRED) else {
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

    /// Counts the active admins. Only the platform knows this number: the API doesn't show who is disabled.
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

    /// Returns a new uid with 64 hexadecimal digits, as in the documentation's examples.
    fn next_uid(&mut self) -> String {
        self.made += 1;
        digest(&format!("{}/{}", self.workspace.uid, self.made))
    }
}

/// Returns the index of an address. An exact match wins, because two addresses may differ only in case.
fn email_index<'a>(emails: &(impl Iterator<Item = &'a str> + Clone), email: &str) -> Option<usize> {
    let exact = emails.clone().position(|it| it == email);
    exact.or_else(|| emails.clone().position(|it| it.eq_ignore_ascii_case(email)))
}
