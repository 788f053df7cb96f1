//! The effects and refusals of the mutations. RapidAPI documents no error messages: these are ours.
//!
//! Every mutation checks everything before it changes anything.

mod invitations;
mod members;
mod organizations;
mod roles;
mod teams;
mod users;

use super::caller::{ApiError, Caller};
use super::world::{World, WorldOrganization, WorldTeam};

impl World {
    /// Returns an organisation that the caller may change.
    fn writable_organization(&self, caller: Caller, id: u64) -> Result<&WorldOrganization, ApiError> {
        caller.require_mutation_context(self)?;
        let organization = self.organization_by_id(id).ok_or_else(|| not_found("organization", id))?;
        caller.require_write(self, id)?;
        Ok(organization)
    }

    /// Returns a team that the caller may change.
    fn writable_team(&self, caller: Caller, id: u64) -> Result<(&WorldOrganization, &WorldTeam), ApiError> {
        caller.require_mutation_context(self)?;
        let found = self.team(id).filter(|(_, team)| !team.deleted);
        let (organization, team) = found.ok_or_else(|| not_found("team", id))?;
        caller.require_write(self, organization.id)?;
        Ok((organization, team))
    }

    /// Whether the user is the organisation's only admin.
    fn is_last_admin(&self, organization: u64, user: u64) -> bool {
        self.admins(organization) == [user]
    }
}

/// The lowest number of seats that an organisation can have.
pub(super) const MINIMUM_SEATS: i32 = 1;

/// Returns the error for an id that doesn't exist.
pub(super) fn not_found(what: &str, id: impl std::fmt::Display) -> ApiError {
    ApiError::bad_input(format!("there is no {what} {id}"))
}
