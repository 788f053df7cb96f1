//! Giving roles. Nothing takes one away but giving another.

use super::super::caller::{Caller, Refused};
use super::super::inputs::{EntityRoleInput, UserRolesUpdateInput};
use super::super::scalars::{from_int, from_text};
use super::super::switches::Demotion;
use super::super::world::{
    DEVELOPER, ORGANIZATION, ORGANIZATION_ADMIN, TEAM_ENVIRONMENT, USER_ENVIRONMENT, USER_ORGANIZATION, USER_TEAM,
    World, WorldRole,
};
use super::unknown;

impl World {
    /// Of a user in an organisation.
    pub(in super::super) fn update_user_roles(
        &mut self,
        caller: Caller,
        input: &UserRolesUpdateInput,
    ) -> Result<bool, Refused> {
        let UserRolesUpdateInput { entity_id, role_id, org_id } = *input;
        let role = self.existing_role(from_int(role_id)?)?;
        if role.level != USER_ORGANIZATION {
            return Err(Refused::bad_input(format!("`{}` is no role in an organization", role.name)));
        }
        self.give_in_organization(caller, &role, from_int(entity_id)?, from_int(org_id)?)
    }

    /// Of whatever its role is for. Without an id, what is there about the same is overwritten.
    pub(in super::super) fn upsert_entity_role(
        &mut self,
        caller: Caller,
        input: &EntityRoleInput,
    ) -> Result<bool, Refused> {
        let EntityRoleInput { id, entity_id, role_id, parent_id, org_id } = input;
        let role = role_id.ok_or_else(|| Refused::bad_input("`roleId` is needed"))?;
        let role = self.existing_role(from_int(role)?)?;
        let given = |id: &Option<i32>| id.map(from_int).transpose();
        let (entity, org, parent) = if let Some(id) = id {
            let id = from_text(id)?;
            let row = self.assignments.iter().find(|row| row.id == id);
            let row = row.ok_or_else(|| unknown("assignment", id))?;
            if self.role_by_id(row.role).is_none_or(|old| old.level != role.level) {
                return Err(Refused::bad_input("a role can't be replaced by one of another level"));
            }
            (row.entity, row.org, row.parent)
        } else {
            let entity = given(entity_id)?.ok_or_else(|| Refused::bad_input("`entityId` is needed"))?;
            (entity, given(org_id)?, given(parent_id)?)
        };
        match (role.level.as_str(), org, parent) {
            (USER_ORGANIZATION, Some(org), None) => self.give_in_organization(caller, &role, entity, org),
            (USER_TEAM, Some(org), Some(team)) => {
                let (of, team) = self.own_team(caller, team)?;
                if of.id != org {
                    return Err(unknown("team", team.id));
                }
                if !team.members.contains(&entity) {
                    return Err(Refused::unprocessable("the user isn't in the team"));
                }
                self.put(USER_TEAM, role.id, entity, Some(org), parent);
                Ok(true)
            }
            (USER_ENVIRONMENT, None, None) => self.give_in_hub(caller, &role, self.existing(entity)?, None),
            (TEAM_ENVIRONMENT, Some(org), Some(parent)) if org == parent => {
                let of = self.team(entity).map(|(organization, _)| organization.id);
                let fits = of == Some(org);
                if fits { self.give_in_hub(caller, &role, entity, of) } else { Err(unknown("team", entity)) }
            }
            (ORGANIZATION, None, None) if self.organization_by_id(entity).is_some() => {
                self.give_in_hub(caller, &role, entity, None)
            }
            (level, ..) => Err(Refused::bad_input(format!("this isn't what a role of level {level} is for"))),
        }
    }

    fn existing_role(&self, id: u64) -> Result<WorldRole, Refused> {
        self.role_by_id(id).cloned().ok_or_else(|| unknown("role", id))
    }

    /// What is for the whole hub, environment admins give.
    fn give_in_hub(
        &mut self,
        caller: Caller,
        role: &WorldRole,
        entity: u64,
        org: Option<u64>,
    ) -> Result<bool, Refused> {
        caller.require_context_of_mutations(self)?;
        if !caller.is_environment_admin(self) {
            return Err(Refused::forbidden("this needs an environment admin"));
        }
        self.put(&role.level, role.id, entity, org, org);
        Ok(true)
    }

    fn give_in_organization(
        &mut self,
        caller: Caller,
        role: &WorldRole,
        user: u64,
        organization: u64,
    ) -> Result<bool, Refused> {
        self.own_organization(caller, organization)?;
        self.check_member(organization, user)?;
        if role.key == ORGANIZATION_ADMIN {
            self.promote(organization, user);
            return Ok(true);
        }
        self.check_demotion(organization, user)?;
        if self.is_org_admin(organization, user) {
            self.demote(organization, user);
        }
        self.put(USER_ORGANIZATION, role.id, user, Some(organization), None);
        Ok(true)
    }

    pub(super) fn check_demotion(&self, organization: u64, user: u64) -> Result<(), Refused> {
        if self.is_last_admin(organization, user) {
            return Err(Refused::unprocessable("an organization needs an admin"));
        }
        Ok(())
    }

    /// To the default role. The teams that somebody put them into stay theirs.
    pub(super) fn demote(&mut self, organization: u64, user: u64) {
        if let Some(role) = self.default_role(USER_ORGANIZATION).map(|role| role.id) {
            self.put(USER_ORGANIZATION, role, user, Some(organization), None);
        }
        let drops = self.switches.demotion == Demotion::DropsTeams;
        let Some(organization) = self.organization_mut(organization) else { return };
        if let Some(member) = organization.member_mut(user) {
            DEVELOPER.clone_into(&mut member.legacy_role);
        }
        for team in &mut organization.teams {
            if drops && team.promoted.contains(&user) {
                team.members.retain(|it| *it != user);
            }
            team.promoted.retain(|it| *it != user);
        }
    }
}
