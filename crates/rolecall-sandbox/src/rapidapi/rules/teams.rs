//! Mutations of teams.

use super::super::build::slug_of;
use super::super::caller::{ApiError, Caller};
use super::super::inputs::{TeamCreateInput, TeamUpdateInput};
use super::super::scalars::{from_int, from_text};
use super::super::switches::{DuplicateNames, RenameSlug};
use super::super::world::{World, WorldOrganization, WorldTeam};

impl World {
    pub(in super::super) fn create_team(
        &mut self,
        caller: Caller,
        input: TeamCreateInput,
    ) -> Result<u64, ApiError> {
        let TeamCreateInput { organization_id, name, thumbnail, description } = input;
        let organization = from_int(organization_id)?;
        self.check_team_name(self.writable_organization(caller, organization)?, &name, None)?;
        let id = self.add_team(organization, &name);
        let suffix = self.switches.slug_suffix.clone();
        if let Some(team) = self.team_mut(id) {
            team.slug.push_str(&suffix);
            (team.thumbnail, team.description) = (thumbnail, description);
        }
        Ok(id)
    }

    /// Updates a team. A field that isn't sent keeps its value.
    pub(in super::super) fn update_team(
        &mut self,
        caller: Caller,
        input: TeamUpdateInput,
    ) -> Result<u64, ApiError> {
        let TeamUpdateInput { id, name, thumbnail, description } = input;
        let id = from_int(id)?;
        let (organization, _) = self.writable_team(caller, id)?;
        if let Some(name) = &name {
            self.check_team_name(organization, name, Some(id))?;
        }
        let follows = self.switches.rename_slug == RenameSlug::Follows;
        let suffix = self.switches.slug_suffix.clone();
        if let Some(team) = self.team_mut(id) {
            if let Some(name) = name {
                if follows {
                    team.slug = format!("{}{suffix}", slug_of(&name));
                }
                team.name = name;
            }
            team.thumbnail = thumbnail.or(team.thumbnail.take());
            team.description = description.or(team.description.take());
        }
        Ok(id)
    }

    /// Marks a team as deleted; it stays in the list. The documentation doesn't say what else is deleted: here,
    /// everything below it is.
    pub(in super::super) fn delete_team(&mut self, caller: Caller, id: &str) -> Result<bool, ApiError> {
        let id = from_text(id)?;
        self.writable_team(caller, id)?;
        if let Some(team) = self.team_mut(id) {
            team.deleted = true;
            team.members.clear();
            team.promoted.clear();
        }
        self.delete_team_data(id);
        Ok(true)
    }

    /// Deletes the roles in a team, its apps and its keys.
    pub(super) fn delete_team_data(&mut self, id: u64) {
        self.assignments.retain(|row| row.parent != Some(id) && row.entity != id);
        self.apps.retain(|app| app.owner != id);
        self.credentials.retain(|credential| credential.team != Some(id));
    }

    /// Checks that a name is free. Names of deleted teams are.
    fn check_team_name(
        &self,
        organization: &WorldOrganization,
        name: &str,
        own: Option<u64>,
    ) -> Result<(), ApiError> {
        let is_other = |it: &WorldTeam| Some(it.id) != own && !it.deleted && it.name.eq_ignore_ascii_case(name);
        if name.trim().is_empty() {
            return Err(ApiError::bad_input("a team needs a name"));
        }
        if self.switches.duplicate_names == DuplicateNames::Refused && organization.teams.iter().any(is_other) {
            return Err(ApiError::unprocessable(format!("there is a team `{name}`")));
        }
        Ok(())
    }
}
