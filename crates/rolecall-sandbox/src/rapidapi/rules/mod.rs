//! What the mutations do, and what they refuse. The words of refusals aren't documented: they are ours.
//!
//! Whatever is refused is refused before anything is changed.

mod invitations;
mod members;
mod organizations;
mod roles;
mod teams;
mod users;

use super::caller::{Caller, Refused};
use super::query::no_organization;
use super::world::{World, WorldOrganization, WorldTeam};

impl World {
    /// An organisation that the caller may change.
    fn own_organization(&self, caller: Caller, id: u64) -> Result<&WorldOrganization, Refused> {
        caller.require_context_of_mutations(self)?;
        let organization = self.organization_by_id(id).ok_or_else(|| no_organization(id))?;
        caller.require_admin(self, id)?;
        Ok(organization)
    }

    /// A team that the caller may change.
    fn own_team(&self, caller: Caller, id: u64) -> Result<(&WorldOrganization, &WorldTeam), Refused> {
        caller.require_context_of_mutations(self)?;
        let found = self.team(id).filter(|(_, team)| !team.deleted);
        let (organization, team) = found.ok_or_else(|| Refused::bad_input(format!("there is no team {id}")))?;
        caller.require_admin(self, organization.id)?;
        Ok((organization, team))
    }

    /// Nobody else administrates the organisation.
    fn is_last_admin(&self, organization: u64, user: u64) -> bool {
        self.admins(organization) == [user]
    }
}

/// An id that isn't there, of a user or of whatever else.
fn unknown(what: &str, id: impl std::fmt::Display) -> Refused {
    Refused::bad_input(format!("there is no {what} {id}"))
}
