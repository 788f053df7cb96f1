//! Making, changing and deleting teams.

use super::super::build::slug_of;
use super::super::caller::{Caller, Refused};
use super::super::inputs::{TeamCreateInput, TeamUpdateInput};
use super::super::scalars::{from_int, from_text};
use super::super::switches::{DuplicateNames, RenameSlug};
use super::super::world::{World, WorldOrganization, WorldTeam};

impl World {
    pub(in super::super) fn create_team(
        &mut self,
        caller: Caller,
        input: TeamCreateInput,
    ) -> Result<u64, Refused> {
        let TeamCreateInput { organization_id, name, thumbnail, description } = input;
        let organization = from_int(organization_id)?;
        self.check_team_name(self.own_organization(caller, organization)?, &name, None)?;
        let id = self.add_team(organization, &name);
        let suffix = self.switches.slug_suffix.clone();
        if let Some(team) = self.team_mut(id) {
            team.slug.push_str(&suffix);
            (team.thumbnail, team.description) = (thumbnail, description);
        }
        Ok(id)
    }

    /// What isn't said stays as it is.
    pub(in super::super) fn update_team(
        &mut self,
        caller: Caller,
        input: TeamUpdateInput,
    ) -> Result<u64, Refused> {
        let TeamUpdateInput { id, name, thumbnail, description } = input;
        let id = from_int(id)?;
        let (organization, _) = self.own_team(caller, id)?;
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

    /// The team stays, marked as deleted. What else goes with it isn't documented: here, all of it does.
    pub(in super::super) fn delete_team(&mut self, caller: Caller, id: &str) -> Result<bool, Refused> {
        let id = from_text(id)?;
        self.own_team(caller, id)?;
        if let Some(team) = self.team_mut(id) {
            team.deleted = true;
            team.members.clear();
            team.promoted.clear();
        }
        self.drop_team(id);
        Ok(true)
    }

    /// The roles in a team that is gone, its apps and its keys.
    pub(super) fn drop_team(&mut self, id: u64) {
        self.assignments.retain(|row| row.parent != Some(id) && row.entity != id);
        self.apps.retain(|app| app.owner != id);
        self.credentials.retain(|credential| credential.team != Some(id));
    }

    /// Names of deleted teams are free.
    fn check_team_name(
        &self,
        organization: &WorldOrganization,
        name: &str,
        own: Option<u64>,
    ) -> Result<(), Refused> {
        let is_other = |it: &WorldTeam| Some(it.id) != own && !it.deleted && it.name.eq_ignore_ascii_case(name);
        if name.trim().is_empty() {
            return Err(Refused::bad_input("a team needs a name"));
        }
        if self.switches.duplicate_names == DuplicateNames::Refused && organization.teams.iter().any(is_other) {
            return Err(Refused::unprocessable(format!("there is a team `{name}`")));
        }
        Ok(())
    }
}
