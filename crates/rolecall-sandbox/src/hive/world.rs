//! The organisation behind the sandbox.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::digest;
use super::assignment::Assignment;
use super::key;
pub use super::switches::{Paging, Release, SWITCHES, Switches};

/// The slugs of the organisations that this sandbox starts with.
pub const SEEDS: &[&str] = &["acme"];

const OWN_ID: &str = "7f0c2d1e-5b6a-4c3d-8e9f-0a1b2c3d4e5f";
const OWN_SECRET: &str = "sandbox-own-secret";

/// The value of the `Authorization` header with rolecall's own token in the seed.
pub const OWN_CREDENTIAL: &str =
    "Bearer hvo1/N2YwYzJkMWUtNWI2YS00YzNkLThlOWYtMGExYjJjM2Q0ZTVmOnNhbmRib3gtb3duLXNlY3JldA==";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct World {
    pub organization: WorldOrganization,
    pub roles: Vec<WorldRole>,
    /// Roles of another organisation on the same server. Hive before 8.6.0 accepts them where a role is assigned.
    #[serde(default)]
    pub foreign_roles: Vec<WorldRole>,
    pub members: Vec<WorldMember>,
    /// The user id of the organisation's owner.
    pub owner: String,
    pub invitations: Vec<WorldInvitation>,
    pub projects: Vec<WorldProject>,
    pub tokens: Vec<WorldToken>,
    /// The recipients of all mails, in the order sent.
    pub mails: Vec<String>,
    /// The number of ids generated so far.
    pub made: u64,
    pub switches: Switches,
}

crate::changes::recorded!(World {
    lists: [roles, foreign_roles, members, invitations, projects, tokens, mails],
    fields: [organization, owner, made, switches]
});

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorldOrganization {
    pub id: String,
    pub slug: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorldRole {
    pub id: String,
    pub name: String,
    pub description: String,
    /// Whether the role is built in.
    pub locked: bool,
    /// The assigned permissions. A built-in role that still has its original name ignores them.
    pub permissions: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorldMember {
    pub user_id: String,
    /// The address, which isn't unique: two accounts may share it.
    pub email: String,
    pub display_name: String,
    pub provider: AuthProvider,
    pub role_id: String,
    pub resources: Assignment,
    pub created_at: Timestamp,
    /// Whether SCIM manages the member. The API then refuses to change them.
    pub provisioned: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AuthProvider {
    #[serde(rename = "GITHUB")]
    GitHub,
    Google,
    Oidc,
    UsernamePassword,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorldInvitation {
    pub email: String,
    pub role_id: String,
    pub resources: Assignment,
    /// The code in the invitation link. Anybody who has it can join.
    pub code: String,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorldProject {
    pub id: String,
    pub slug: String,
    pub kind: ProjectKind,
    pub targets: Vec<WorldTarget>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ProjectKind {
    Federation,
    Stitching,
    Single,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorldTarget {
    pub id: String,
    pub slug: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorldToken {
    pub id: String,
    pub title: String,
    pub description: String,
    pub permissions: Vec<String>,
    pub resources: Assignment,
    /// The [`digest`] of the secret. The secret itself isn't stored.
    pub digest: String,
    pub first_characters: String,
    pub created_at: Timestamp,
}

impl World {
    /// Creates an organisation with its owner, the built-in roles and rolecall's own token.
    pub fn empty(slug: impl Into<String>) -> Self {
        let slug = slug.into();
        let organization = WorldOrganization { id: uuid(&format!("organization/{slug}")), slug };
        let mut world = Self {
            organization,
            roles: Vec::new(),
            foreign_roles: Vec::new(),
            members: Vec::new(),
            owner: String::new(),
            invitations: Vec::new(),
            projects: Vec::new(),
            tokens: Vec::new(),
            mails: Vec::new(),
            made: 0,
            switches: Switches::default(),
        };
        for name in ["Admin", "Viewer"] {
            let role = WorldRole {
                id: world.next_id(),
                name: name.to_owned(),
                description: format!("The built-in {}", name.to_lowercase()),
                locked: true,
                permissions: Vec::new(),
            };
            world.roles.push(role);
        }
        world.owner = world.next_id();
        world.members.push(WorldMember {
            user_id: world.owner.clone(),
            email: "owner@acme.example".to_owned(),
            display_name: "owner".to_owned(),
            provider: AuthProvider::UsernamePassword,
            role_id: world.roles[0].id.clone(),
            resources: Assignment::All,
            created_at: Timestamp::UNIX_EPOCH,
            provisioned: false,
        });
        world.tokens.push(own_token());
        world
    }

    /// Reads the world of a seed. `None` if there is no such seed.
    pub fn seed(name: &str) -> Option<Self> {
        (name == SEEDS[0]).then(|| serde_json::from_str(include_str!("seed.json")).ok()).flatten()
    }

    pub fn member(&self, email: &str) -> Option<&WorldMember> {
        self.members.iter().find(|member| member.email.eq_ignore_ascii_case(email))
    }

    pub fn member_mut(&mut self, email: &str) -> Option<&mut WorldMember> {
        self.members.iter_mut().find(|member| member.email.eq_ignore_ascii_case(email))
    }

    pub fn role(&self, name: &str) -> Option<&WorldRole> {
        self.roles.iter().find(|role| role.name == name)
    }

    pub fn role_by_id(&self, id: &str) -> Option<&WorldRole> {
        self.roles.iter().find(|role| role.id == id)
    }

    /// Returns a role of this organisation or another one.
    pub fn any_role(&self, id: &str) -> Option<&WorldRole> {
        self.role_by_id(id).or_else(|| self.foreign_roles.iter().find(|role| role.id == id))
    }

    /// Returns the role with this id, if it can be assigned. Measured on Hive 8.1.2: roles of another organisation can.
    pub(super) fn offered_role(&self, id: &str) -> Option<&WorldRole> {
        match self.switches.release {
            Release::V8_1_2 => self.any_role(id),
            Release::Newest => self.role_by_id(id),
        }
    }

    pub fn project(&self, slug: &str) -> Option<&WorldProject> {
        self.projects.iter().find(|project| project.slug == slug)
    }

    /// Accepts an invitation: the person joins. Returns false if nobody was invited with this address.
    pub fn accept(&mut self, email: &str) -> bool {
        let Some(at) = self.invitations.iter().position(|invitation| invitation.email == email) else {
            return false;
        };
        let invitation = self.invitations.remove(at);
        self.join(invitation, email);
        true
    }

    /// Counts the members who can administrate: the owner, and holders of the built-in role `Admin`.
    pub fn usable_admins(&self) -> usize {
        let admin = |member: &WorldMember| {
            self.role_by_id(&member.role_id).is_some_and(|role| role.locked && role.name == "Admin")
        };
        self.members.iter().filter(|member| member.user_id == self.owner || admin(member)).count()
    }

    pub(super) fn next_id(&mut self) -> String {
        uuid(&self.next_seed())
    }

    pub(super) fn next_secret(&mut self) -> String {
        digest(&format!("secret/{}", self.next_seed()))
    }

    pub(super) fn next_code(&mut self) -> String {
        digest(&format!("code/{}", self.next_seed()))[..10].to_owned()
    }

    fn next_seed(&mut self) -> String {
        self.made += 1;
        format!("{}/{}", self.organization.id, self.made)
    }
}

fn own_token() -> WorldToken {
    let permissions =
        ["organization:describe", "member:describe", "member:modify", "accessToken:modify", "project:describe"];
    WorldToken {
        id: OWN_ID.to_owned(),
        title: "rolecall".to_owned(),
        description: String::new(),
        permissions: permissions.map(str::to_owned).to_vec(),
        resources: Assignment::All,
        digest: digest(OWN_SECRET),
        first_characters: key::first_characters(&key::encode(OWN_ID, OWN_SECRET)),
        created_at: Timestamp::UNIX_EPOCH,
    }
}

/// Returns an id in the platform's format that is the same in every run.
fn uuid(seed: &str) -> String {
    let digest = digest(seed);
    format!("{}-{}-4{}-a{}-{}", &digest[..8], &digest[8..12], &digest[13..16], &digest[17..20], &digest[20..32])
}
