//! Mutations of assigned roles. A role can only be replaced by another, never just removed.

use super::super::caller::{ApiError, Caller};
use super::super::inputs::{EntityRoleInput, UserRolesUpdateInput};
use super::super::scalars::{from_int, from_text};
use super::super::switches::Demotion;
use super::super::world::{
    DEVELOPER, ORGANIZATION, ORGANIZATION_ADMIN, TEAM_ENVIRONMENT, USER_ENVIRONMENT, USER_ORGANIZATION, USER_TEAM,
    World, WorldRole,
};
use super::not_found;

impl World {
    /// Gives a user a role in an organisation.
    pub(in super::super) fn update_user_roles(
        &mut self,
        caller: Caller,
        input: &UserRolesUpdateInput,
    ) -> Result<bool, ApiError> {
        let UserRolesUpdateInput { entity_id, role_id, org_id } = *input;
        let role = self.existing_role(from_int(role_id)?)?;
        if role.level != USER_ORGANIZATION {
            return Err(ApiError::bad_input(format!("`{}` is no role in an organization", role.name)));
        }
        self.assign_in_organization(caller, &role, from_int(entity_id)?, from_int(org_id)?)
    }

    /// Gives an entity a role of any level. Without an id, an existing assignment for the same entity and place is
    /// overwritten.
    pub(in super::super) fn upsert_entity_role(
        &mut self,
        caller: Caller,
        input: &EntityRoleInput,
    ) -> Result<bool, ApiError> {
        let EntityRoleInput { id, entity_id, role_id, parent_id, org_id } = input;
        let role = role_id.ok_or_else(|| ApiError::bad_input("`roleId` is needed"))?;
        let role = self.existing_role(from_int(role)?)?;
        let optional_id = |id: &Option<i32>| id.map(from_int).transpose();
        let (entity, org, parent) = if let Some(id) = id {
            let id = from_text(id)?;
            let row = self.assignments.iter().find(|row| row.id == id);
            let row = row.ok_or_else(|| not_found("assignment", id))?;
            if self.role_by_id(row.role).is_none_or(|old| old.level != role.level) {
                return Err(ApiError::bad_input("a role can't be replaced by one of another level"));
            }
            (row.entity, row.org, row.parent)
        } else {
            let entity = optional_id(entity_id)?.ok_or_else(|| ApiError::bad_input("`entityId` is needed"))?;
            (entity, optional_id(org_id)?, optional_id(parent_id)?)
        };
        match (role.level.as_str(), org, parent) {
            (USER_ORGANIZATION, Some(org), None) => self.assign_in_organization(caller, &role, entity, org),
            (USER_TEAM, Some(org), Some(team)) => {
                let (of, team) = self.writable_team(caller, team)?;
                if of.id != org {
                    return Err(not_found("team", team.id));
                }
                if !team.members.contains(&entity) {
                    return Err(ApiError::unprocessable("the user isn't in the team"));
                }
                self.set_role(USER_TEAM, role.id, entity, Some(org), parent);
                Ok(true)
            }
            (USER_ENVIRONMENT, None, None) => self.assign_in_hub(caller, &role, self.existing_user(entity)?, None),
            (TEAM_ENVIRONMENT, Some(org), Some(parent)) if org == parent => {
                let organization = self.team(entity).map(|(organization, _)| organization.id);
                let fits = organization == Some(org);
                if fits {
                    self.assign_in_hub(caller, &role, entity, organization)
                } else {
                    Err(not_found("team", entity))
                }
            }
            (ORGANIZATION, None, None) if self.organization_by_id(entity).is_some() => {
                self.assign_in_hub(caller, &role, entity, None)
            }
            (level, ..) => Err(ApiError::bad_input(format!("this isn't what a role of level {level} is for"))),
        }
    }

    fn existing_role(&self, id: u64) -> Result<WorldRole, ApiError> {
        self.role_by_id(id).cloned().ok_or_else(|| not_found("role", id))
    }

    /// Gives a role that applies to the whole hub. The caller has to be an environment admin.
    fn assign_in_hub(
        &mut self,
        caller: Caller,
        role: &WorldRole,
        entity: u64,
        org: Option<u64>,
    ) -> Result<bool, ApiError> {
        caller.require_mutation_context(self)?;
        if !caller.is_environment_admin(self) {
            return Err(ApiError::forbidden("this needs an environment admin"));
        }
        self.set_role(&role.level, role.id, entity, org, org);
        Ok(true)
    }

    fn assign_in_organization(
        &mut self,
        caller: Caller,
        role: &WorldRole,
        user: u64,
        organization: u64,
    ) -> Result<bool, ApiError> {
        self.writable_organization(caller, organization)?;
        self.check_member(organization, user)?;
        if role.key == ORGANIZATION_ADMIN {
            self.promote(organization, user);
            return Ok(true);
        }
        self.check_demotion(organization, user)?;
        if self.is_org_admin(organization, user) {
            self.demote(organization, user);
        }
        self.set_role(USER_ORGANIZATION, role.id, user, Some(organization), None);
        Ok(true)
    }

    pub(super) fn check_demotion(&self, organization: u64, user: u64) -> Result<(), ApiError> {
        if self.is_last_admin(organization, user) {
            return Err(ApiError::unprocessable("an organization needs an admin"));
        }
        Ok(())
    }

    /// Gives a member the default role. They stay in the teams to which somebody added them.
    pub(super) fn demote(&mut self, organization: u64, user: u64) {
        if let Some(role) = self.default_role(USER_ORGANIZATION).map(|role| role.id) {
            self.set_role(USER_ORGANIZATION, role, user, Some(organization), None);
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
