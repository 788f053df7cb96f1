//! Queries on the hub's state: members, teams and their roles.

use std::collections::{BTreeMap, BTreeSet};

use super::world::{
    ACTIVE, Assignment, DELETED, ENVIRONMENT_ADMIN, ORGANIZATION_ADMIN, PENDING, TEAM_ADMIN, USER_ENVIRONMENT,
    USER_ORGANIZATION, USER_TEAM, World, WorldApi, WorldApp, WorldInvitation, WorldMember, WorldOrganization,
    WorldRole, WorldTeam, WorldUser,
};

impl World {
    /// Returns the user with this address. Deleted users don't count.
    pub fn user(&self, email: &str) -> Option<&WorldUser> {
        self.users.iter().find(|user| user.status != DELETED && user.email.eq_ignore_ascii_case(email))
    }

    pub fn user_by_id(&self, id: u64) -> Option<&WorldUser> {
        self.users.iter().find(|user| user.id == id)
    }

    pub fn user_mut(&mut self, id: u64) -> Option<&mut WorldUser> {
        self.users.iter_mut().find(|user| user.id == id)
    }

    /// Finds an organisation by its slug or its id.
    pub fn organization(&self, name: &str) -> Option<&WorldOrganization> {
        self.organizations.iter().find(|it| it.slug == name || it.id.to_string() == name)
    }

    pub fn organization_by_id(&self, id: u64) -> Option<&WorldOrganization> {
        self.organizations.iter().find(|organization| organization.id == id)
    }

    pub fn organization_mut(&mut self, id: u64) -> Option<&mut WorldOrganization> {
        self.organizations.iter_mut().find(|organization| organization.id == id)
    }

    /// Finds a team, also a deleted one, with its organisation.
    pub fn team(&self, id: u64) -> Option<(&WorldOrganization, &WorldTeam)> {
        self.organizations.iter().find_map(|organization| Some((organization, organization.team(id)?)))
    }

    pub fn team_mut(&mut self, id: u64) -> Option<&mut WorldTeam> {
        self.organizations.iter_mut().flat_map(|it| &mut it.teams).find(|team| team.id == id)
    }

    pub fn role(&self, level: &str, key: &str) -> Option<&WorldRole> {
        self.roles.iter().find(|role| role.level == level && role.key == key)
    }

    pub fn role_by_id(&self, id: u64) -> Option<&WorldRole> {
        self.roles.iter().find(|role| role.id == id)
    }

    pub fn default_role(&self, level: &str) -> Option<&WorldRole> {
        self.roles.iter().find(|role| role.level == level && role.is_default)
    }

    /// Returns the stored assignment of a role of this level to an entity, in an organisation and below a parent.
    pub fn assignment(
        &self,
        level: &str,
        entity: u64,
        org: Option<u64>,
        parent: Option<u64>,
    ) -> Option<&Assignment> {
        let fits = |row: &&Assignment| (row.entity, row.org, row.parent) == (entity, org, parent);
        let of_level = |row: &&Assignment| self.role_by_id(row.role).is_some_and(|role| role.level == level);
        self.assignments.iter().filter(fits).find(of_level)
    }

    /// Returns the role of this level that an entity has: the assigned one, or the level's default.
    pub(super) fn effective_role(
        &self,
        level: &str,
        entity: u64,
        org: Option<u64>,
        parent: Option<u64>,
    ) -> Option<&WorldRole> {
        let row = self.assignment(level, entity, org, parent);
        row.and_then(|row| self.role_by_id(row.role)).or_else(|| self.default_role(level))
    }

    fn has_role(&self, (level, key): (&str, &str), entity: u64, org: Option<u64>) -> bool {
        self.effective_role(level, entity, org, None).is_some_and(|role| role.key == key)
    }

    pub fn is_environment_admin(&self, user: u64) -> bool {
        self.has_role((USER_ENVIRONMENT, ENVIRONMENT_ADMIN), user, None)
    }

    pub fn is_member(&self, organization: u64, user: u64) -> bool {
        self.organization_by_id(organization).is_some_and(|it| it.member(user).is_some())
    }

    pub fn is_org_admin(&self, organization: u64, user: u64) -> bool {
        self.is_member(organization, user)
            && self.has_role((USER_ORGANIZATION, ORGANIZATION_ADMIN), user, Some(organization))
    }

    /// Whether a user is in a team. Admins of the organisation are members of all its teams (docs.rapidapi.com,
    /// REST examples).
    pub fn is_in_team(&self, team: u64, user: u64) -> bool {
        self.team(team).is_some_and(|(organization, team)| {
            !team.deleted && (team.members.contains(&user) || self.is_org_admin(organization.id, user))
        })
    }

    /// Returns the holders of the admin role, able to sign in or not. The platform refuses to remove the last of
    /// these.
    pub fn admins(&self, organization: u64) -> Vec<u64> {
        let members = self.organization_by_id(organization).map(|it| &*it.members).unwrap_or_default();
        members.iter().map(|member| member.user).filter(|user| self.is_org_admin(organization, *user)).collect()
    }

    /// Counts the admins of an organisation who can sign in.
    pub fn usable_admins(&self, organization: u64) -> usize {
        self.admins(organization).into_iter().filter(|user| self.is_usable(organization, *user)).count()
    }

    /// Returns the organisations whose only admin is this user.
    pub(super) fn single_admin_orgs(&self, user: u64) -> Vec<u64> {
        let ids = self.organizations.iter().map(|organization| organization.id);
        ids.filter(|organization| self.admins(*organization) == [user]).collect()
    }

    fn is_usable(&self, organization: u64, user: u64) -> bool {
        let member = self.organization_by_id(organization).and_then(|it| it.member(user));
        member.is_some_and(|member| !member.deactivated)
            && self.user_by_id(user).is_some_and(|user| user.status == ACTIVE)
    }

    /// Returns the team roles of active members, by user id. Each entry is `role @ team`: the role's key and the
    /// team's id. An admin of the organisation is an admin of each team.
    pub fn team_access(&self, organization: u64) -> BTreeMap<String, BTreeSet<String>> {
        let Some(found) = self.organization_by_id(organization) else { return BTreeMap::new() };
        let mut access = BTreeMap::new();
        for WorldMember { user, .. } in found.members.iter().filter(|it| self.is_usable(organization, it.user)) {
            let is_admin = self.is_org_admin(organization, *user);
            let mut held = BTreeSet::new();
            for team in found.teams.iter().filter(|team| !team.deleted) {
                if is_admin {
                    held.insert(format!("{TEAM_ADMIN} @ {}", team.id));
                } else if team.members.contains(user) {
                    let role = self.effective_role(USER_TEAM, *user, Some(organization), Some(team.id));
                    held.extend(role.map(|role| format!("{} @ {}", role.key, team.id)));
                }
            }
            access.insert(user.to_string(), held);
        }
        access
    }

    /// Returns the APIs of an organisation's teams.
    pub(super) fn apis_of(&self, organization: &WorldOrganization) -> impl Iterator<Item = &WorldApi> {
        self.apis.iter().filter(|api| organization.team(api.owner).is_some())
    }

    /// Returns the apps of a team or a user.
    pub fn apps_of(&self, owner: u64) -> impl Iterator<Item = &WorldApp> {
        self.apps.iter().filter(move |app| app.owner == owner)
    }
}

impl WorldOrganization {
    pub fn team(&self, id: u64) -> Option<&WorldTeam> {
        self.teams.iter().find(|team| team.id == id)
    }

    pub fn member(&self, user: u64) -> Option<&WorldMember> {
        self.members.iter().find(|member| member.user == user)
    }

    pub fn member_mut(&mut self, user: u64) -> Option<&mut WorldMember> {
        self.members.iter_mut().find(|member| member.user == user)
    }

    /// Returns the invitation of this address that can be accepted.
    pub fn invitation(&self, email: &str) -> Option<&WorldInvitation> {
        self.invitations.iter().find(|it| it.status == PENDING && it.email.eq_ignore_ascii_case(email))
    }

    /// Counts the members and the invitations that can be accepted. Each takes a seat.
    pub fn occupied_seats(&self) -> usize {
        self.members.len() + self.invitations.iter().filter(|it| it.status == PENDING).count()
    }

    /// Counts the seats that are left.
    pub fn free_seats(&self) -> usize {
        usize::try_from(self.seats).unwrap_or_default().saturating_sub(self.occupied_seats())
    }
}
