//! Mutations of members of teams and organisations.

use super::super::caller::{ApiError, Caller};
use super::super::inputs::{TeamUserUpdateInput, UserInvitesReactivateInput};
use super::super::scalars::from_int;
use super::super::switches::{Refusal, StaleRows};
use super::super::world::{ADMIN, DELETED, DEVELOPER, World};
use super::not_found;

impl World {
    /// Adds a user to teams. Teams that the user is already in are ignored.
    pub(in super::super) fn add_user_to_teams(
        &mut self,
        caller: Caller,
        user: i32,
        teams: Vec<Option<i32>>,
    ) -> Result<bool, ApiError> {
        let user = self.existing_user(from_int(user)?)?;
        let teams = teams.into_iter().flatten().map(from_int).collect::<Result<Vec<_>, _>>()?;
        let mut joined: Vec<u64> = Vec::new();
        for team in &teams {
            joined.extend(self.check_join(caller, user, *team)?.filter(|it| !joined.contains(it)));
        }
        for organization in joined {
            self.add_member(organization, user, false);
        }
        for team in teams {
            self.add_to_team(team, user);
        }
        Ok(true)
    }

    /// Moves a user between teams and changes the role: at most one team to join, one to leave and one role. If
    /// one part is refused, nothing is changed.
    pub(in super::super) fn update_team_user(
        &mut self,
        caller: Caller,
        input: TeamUserUpdateInput,
    ) -> Result<bool, ApiError> {
        let TeamUserUpdateInput { org_id, team_user_id, team_to_remove, team_to_add, new_role } = input;
        let (organization, user) = (from_int(org_id)?, self.existing_user(from_int(team_user_id)?)?);
        self.writable_organization(caller, organization)?;
        let (add, remove) = (team_to_add.map(from_int).transpose()?, team_to_remove.map(from_int).transpose()?);
        let mut joins = None;
        for team in add.iter().chain(&remove) {
            let (of, _) = self.writable_team(caller, *team)?;
            if of.id != organization {
                return Err(not_found("team", team));
            }
        }
        match add {
            Some(team) => joins = self.check_join(caller, user, team)?,
            None => self.check_member(organization, user)?,
        }
        if let Some(team) = remove
            && !self.team(team).is_some_and(|(_, team)| team.members.contains(&user))
        {
            return match self.switches.refusal {
                Refusal::Errors => Err(ApiError::unprocessable("the user isn't in this team")),
                Refusal::Null => Ok(false),
            };
        }
        match new_role.as_deref() {
            None | Some(ADMIN) => {}
            Some(DEVELOPER) => self.check_demotion(organization, user)?,
            Some(other) => return Err(not_found("role", other)),
        }
        if let Some(organization) = joins {
            self.add_member(organization, user, false);
        }
        if let Some(team) = add {
            self.add_to_team(team, user);
        }
        if let Some(team) = remove {
            self.remove_from_team(team, user);
        }
        match new_role.as_deref() {
            Some(ADMIN) => self.promote(organization, user),
            Some(_) if self.is_org_admin(organization, user) => self.demote(organization, user),
            _ => {}
        }
        Ok(true)
    }

    /// Removes a user from the organisation. The mutation's name mentions only teams, but the vendor describes it
    /// as this.
    pub(in super::super) fn remove_from_organization(
        &mut self,
        caller: Caller,
        organization: i32,
        email: &str,
    ) -> Result<bool, ApiError> {
        let id = from_int(organization)?;
        self.writable_organization(caller, id)?;
        let user = self.user(email).map(|user| user.id).ok_or_else(|| not_found("user", email))?;
        self.check_member(id, user)?;
        if self.is_last_admin(id, user) {
            return Err(ApiError::unprocessable("an organization needs an admin"));
        }
        self.remove_member(id, user);
        Ok(true)
    }

    /// Reactivates members who were deactivated in the organisation. Other addresses are ignored.
    pub(in super::super) fn reactivate_user_invites(
        &mut self,
        caller: Caller,
        input: UserInvitesReactivateInput,
    ) -> Result<bool, ApiError> {
        let id = from_int(input.org_id)?;
        self.writable_organization(caller, id)?;
        for email in input.emails.into_iter().flatten() {
            let user = self.user(&email).map(|user| user.id);
            if let Some(member) =
                self.organization_mut(id).zip(user).and_then(|(organization, user)| organization.member_mut(user))
            {
                member.deactivated = false;
            }
        }
        Ok(true)
    }

    /// Returns the id of a user who isn't deleted.
    pub(super) fn existing_user(&self, id: u64) -> Result<u64, ApiError> {
        let found = self.user_by_id(id).filter(|user| user.status != DELETED);
        found.map(|user| user.id).ok_or_else(|| not_found("user", id))
    }

    pub(super) fn check_member(&self, organization: u64, user: u64) -> Result<(), ApiError> {
        let refused = || ApiError::unprocessable("the user isn't in the organization");
        self.is_member(organization, user).then_some(()).ok_or_else(refused)
    }

    /// Checks that a user may be added to a team. Returns the organisation that they join with it, which takes a
    /// seat.
    fn check_join(&self, caller: Caller, user: u64, team: u64) -> Result<Option<u64>, ApiError> {
        let (organization, _) = self.writable_team(caller, team)?;
        if organization.member(user).is_some() {
            return Ok(None);
        }
        if !self.switches.add_outsiders {
            return Err(ApiError::unprocessable("the user isn't in the organization"));
        }
        if organization.free_seats() == 0 {
            return Err(ApiError::unprocessable("there is no free seat"));
        }
        Ok(Some(organization.id))
    }

    fn remove_from_team(&mut self, team: u64, user: u64) {
        if let Some(team) = self.team_mut(team) {
            team.members.retain(|it| *it != user);
            team.promoted.retain(|it| *it != user);
        }
        if self.switches.stale_rows == StaleRows::Dropped {
            self.assignments.retain(|row| row.entity != user || row.parent != Some(team));
        }
    }

    pub(super) fn remove_member(&mut self, id: u64, user: u64) {
        let Some(organization) = self.organization_mut(id) else { return };
        organization.members.retain(|member| member.user != user);
        for team in &mut organization.teams {
            team.members.retain(|it| *it != user);
            team.promoted.retain(|it| *it != user);
        }
        if self.switches.stale_rows == StaleRows::Dropped {
            self.assignments.retain(|row| row.entity != user || row.org != Some(id));
        }
    }
}
