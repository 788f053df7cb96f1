//! Hubs to start with, and changes to them that don't come through the API.

use super::super::digest;
use super::caller::{OWN_PERSONAL_KEY, OWN_TEAM_KEY, WorldCredential};
use super::switches::Switches;
use super::world::{
    ACTIVE, ADMIN, Assignment, DEVELOPER, ENVIRONMENT_ADMIN, ORGANIZATION, ORGANIZATION_ADMIN, TEAM_ADMIN,
    TEAM_ENVIRONMENT, USER_ENVIRONMENT, USER_ORGANIZATION, USER_TEAM, World, WorldApp, WorldAppKey,
    WorldInvitation, WorldMember, WorldOrganization, WorldRole, WorldTeam, WorldUser,
};

/// The address of the user whose personal key rolecall has.
pub const OWN_EMAIL: &str = "own@acme.example";

/// The lowest generated id. Users, teams and organisations share one sequence of ids, which lies above the ids of
/// the seeds.
const FIRST_ID: u64 = 8_000_000;

/// The roles that every hub has: id, level, key, name, and whether it is the level's default. Real hubs have other
/// ids.
const ROLES: &[(u64, &str, &str, &str, bool)] = &[
    (501, ORGANIZATION, "organization-standard", "Standard", true),
    (511, USER_ENVIRONMENT, ENVIRONMENT_ADMIN, "Environment Admin", false),
    (512, USER_ENVIRONMENT, "environment-user", "User", true),
    (521, USER_ORGANIZATION, ORGANIZATION_ADMIN, "Organization Admin", false),
    (522, USER_ORGANIZATION, "organization-developer", "Developer", true),
    (531, USER_TEAM, TEAM_ADMIN, "Team Admin", false),
    (532, USER_TEAM, "team-developer", "Team Developer", true),
    (533, USER_TEAM, "team-viewer", "Team Viewer", false),
    (541, TEAM_ENVIRONMENT, "team-environment-standard", "Standard", true),
];

impl World {
    /// Creates a hub without organisations. Rolecall's own user is an environment admin.
    pub fn empty() -> Self {
        let roles = ROLES.iter().map(|(id, level, key, name, is_default)| WorldRole {
            id: *id,
            key: (*key).to_owned(),
            name: (*name).to_owned(),
            level: (*level).to_owned(),
            is_default: *is_default,
            is_basic: true,
        });
        let mut world = Self {
            users: Vec::new(),
            organizations: Vec::new(),
            roles: roles.collect(),
            assignments: Vec::new(),
            apps: Vec::new(),
            apis: Vec::new(),
            subscriptions: Vec::new(),
            credentials: Vec::new(),
            mails: Vec::new(),
            made: 0,
            requests: std::collections::BTreeMap::new(),
            switches: Switches::default(),
        };
        let own = world.add_user(OWN_EMAIL);
        world.assign(USER_ENVIRONMENT, ENVIRONMENT_ADMIN, own, None, None);
        world.credentials.push(WorldCredential::personal(OWN_PERSONAL_KEY, own));
        world
    }

    /// Reads the hub of the seeds.
    pub fn seed() -> Option<Self> {
        serde_json::from_str(include_str!("seed.json")).ok()
    }

    /// Adds a user, as a sign-up does. Returns the id.
    pub fn add_user(&mut self, email: &str) -> u64 {
        let id = self.next_id();
        let username = email.split('@').next().unwrap_or_default().to_owned();
        self.users.push(WorldUser {
            id,
            mashape_id: mashape_id(id),
            email: email.to_owned(),
            name: username.clone(),
            username,
            status: ACTIVE.to_owned(),
            protected: false,
        });
        id
    }

    /// Adds an organisation with its default team. Rolecall's own user is its admin. The own team key belongs to
    /// the default team of the first organisation.
    pub fn add_organization(&mut self, name: &str) -> u64 {
        let owner = self.user(OWN_EMAIL).map_or(0, |user| user.id);
        let id = self.create_with_defaults(name, slug_of(name), owner);
        let team = self.organization_by_id(id).and_then(|organization| organization.teams.first());
        if let Some(team) = team.map(|team| team.id)
            && !self.credentials.iter().any(|credential| credential.team.is_some())
        {
            self.credentials.push(WorldCredential::of_team(OWN_TEAM_KEY, team));
        }
        id
    }

    /// Creates an organisation as the platform does: with a default team that has a default app
    /// (docs.rapidapi.com, Organizations).
    pub(super) fn create_with_defaults(&mut self, name: &str, slug: String, owner: u64) -> u64 {
        let id = self.next_id();
        self.organizations.push(WorldOrganization {
            id,
            name: name.to_owned(),
            slug,
            email: None,
            description: None,
            thumbnail: None,
            status: ACTIVE.to_owned(),
            seats: 10_000,
            teams: Vec::new(),
            members: Vec::new(),
            invitations: Vec::new(),
        });
        self.add_member(id, owner, true);
        let team = self.add_team(id, &format!("{name}-Default"));
        self.add_app(team, "default-application");
        id
    }

    /// Adds a team. The organisation's admins are members from the start.
    pub fn add_team(&mut self, organization: u64, name: &str) -> u64 {
        let (id, admins) = (self.next_id(), self.admins(organization));
        if let Some(organization) = self.organization_mut(organization) {
            organization.teams.push(WorldTeam {
                id,
                mashape_id: mashape_id(id),
                name: name.to_owned(),
                slug: slug_of(name),
                description: None,
                thumbnail: None,
                deleted: false,
                members: admins.clone(),
                promoted: admins,
            });
        }
        id
    }

    /// Adds a user to an organisation, and makes them an admin if `admin` is set. An existing member stays a
    /// member.
    pub fn add_member(&mut self, organization: u64, user: u64, admin: bool) {
        if let Some(found) = self.organization_mut(organization)
            && found.member(user).is_none()
        {
            found.members.push(WorldMember { user, legacy_role: DEVELOPER.to_owned(), deactivated: false });
        }
        if admin {
            self.promote(organization, user);
        }
    }

    pub fn add_to_team(&mut self, team: u64, user: u64) {
        if let Some(team) = self.team_mut(team) {
            team.promoted.retain(|it| *it != user);
            if !team.members.contains(&user) {
                team.members.push(user);
            }
        }
    }

    pub fn add_invitation(&mut self, organization: u64, email: &str, role: &str, teams: &[u64]) {
        let token = format!("sandbox-invite-token-{}", self.next_id());
        if let Some(organization) = self.organization_mut(organization) {
            organization.invitations.push(WorldInvitation {
                email: email.to_owned(),
                role: role.to_owned(),
                teams: teams.to_vec(),
                token,
                status: super::world::PENDING.to_owned(),
            });
        }
    }

    /// Adds an app with one key.
    pub fn add_app(&mut self, owner: u64, name: &str) -> u64 {
        let id = self.next_id();
        let mut key = WorldAppKey {
            id: self.next_id(),
            name: "production".to_owned(),
            status: ACTIVE.to_owned(),
            authorization_type: "RAPIDAPI".to_owned(),
            digest: String::new(),
        };
        key.digest = digest(&key.value());
        let (mashape_id, name) = (mashape_id(id), name.to_owned());
        self.apps.push(WorldApp { id, mashape_id, owner, name, description: None, keys: vec![key] });
        id
    }

    /// Gives an entity the role with this key, in place of another role of the same level.
    pub fn assign(&mut self, level: &str, key: &str, entity: u64, org: Option<u64>, parent: Option<u64>) {
        if let Some(role) = self.role(level, key).map(|role| role.id) {
            self.set_role(level, role, entity, org, parent);
        }
    }

    pub(super) fn set_role(&mut self, level: &str, role: u64, entity: u64, org: Option<u64>, parent: Option<u64>) {
        if let Some(id) = self.assignment(level, entity, org, parent).map(|row| row.id) {
            if let Some(row) = self.assignments.iter_mut().find(|row| row.id == id) {
                row.role = role;
            }
            return;
        }
        let id = self.next_id();
        self.assignments.push(Assignment { id, entity, role, org, parent });
    }

    /// Makes a member an admin, which also adds them to all teams (docs.rapidapi.com, Manually Creating an
    /// Organization).
    pub(super) fn promote(&mut self, organization: u64, user: u64) {
        self.assign(USER_ORGANIZATION, ORGANIZATION_ADMIN, user, Some(organization), None);
        let Some(organization) = self.organization_mut(organization) else { return };
        if let Some(member) = organization.member_mut(user) {
            ADMIN.clone_into(&mut member.legacy_role);
        }
        for team in organization.teams.iter_mut().filter(|it| !it.deleted && !it.members.contains(&user)) {
            team.members.push(user);
            team.promoted.push(user);
        }
    }

    /// Accepts an invitation: the person signs up if needed, and joins. Returns false if nobody was invited with
    /// this address.
    pub fn accept(&mut self, organization: u64, email: &str) -> bool {
        let accepted = self.organization_mut(organization).and_then(|it| {
            let token = it.invitation(email)?.token.clone();
            let at = it.invitations.iter().position(|invitation| invitation.token == token)?;
            Some(it.invitations.remove(at))
        });
        let Some(WorldInvitation { email, role, teams, .. }) = accepted else { return false };
        let known = self.user(&email).map(|user| user.id);
        let user = known.unwrap_or_else(|| self.add_user(&email));
        self.add_member(organization, user, role == ADMIN);
        for team in teams {
            if self.team(team).is_some_and(|(_, team)| !team.deleted) {
                self.add_to_team(team, user);
            }
        }
        true
    }

    pub(super) fn next_id(&mut self) -> u64 {
        self.made += 1;
        FIRST_ID + self.made
    }
}

/// Returns the second id of an object, by which other systems of the vendor know it.
fn mashape_id(id: u64) -> String {
    digest(&format!("mashape/{id}"))[..24].to_owned()
}

/// Derives the `slugifiedName` from a name.
pub(super) fn slug_of(name: &str) -> String {
    let lower = name.to_lowercase();
    let words = lower.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}
