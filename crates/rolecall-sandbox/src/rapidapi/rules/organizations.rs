//! Mutations of organisations.

use super::super::build::slug_of;
use super::super::caller::{ApiError, Caller};
use super::super::inputs::{OrganizationCreateInput, OrganizationUpdateInput};
use super::super::scalars::{from_int, from_text};
use super::super::switches::{DuplicateNames, RenameSlug};
use super::super::world::{DEVELOPER, World, WorldOrganization};
use super::{MINIMUM_SEATS, not_found};

impl World {
    /// Creates an organisation. The caller becomes its admin, and the listed users are invited (docs.rapidapi.com,
    /// Organizations).
    pub(in super::super) fn create_organization(
        &mut self,
        caller: Caller,
        input: OrganizationCreateInput,
    ) -> Result<u64, ApiError> {
        caller.require_mutation_context(self)?;
        let OrganizationCreateInput { name, email, seats, thumbnail, description, users } = input;
        self.check_organization_name(&name, None)?;
        let mut invited = Vec::new();
        for user in users.into_iter().flatten().flatten() {
            let email = match (user.email, user.id) {
                (Some(email), _) => email,
                (None, Some(id)) => self.email_of(from_text(&id)?)?,
                (None, None) => return Err(ApiError::bad_input("whom to invite?")),
            };
            let role = user.role.unwrap_or_else(|| DEVELOPER.to_owned());
            Self::check_invitation(&email, &role)?;
            invited.push((email, role));
        }
        let needed = i32::try_from(invited.len().saturating_add(1)).unwrap_or(i32::MAX);
        if seats < needed.max(MINIMUM_SEATS) {
            return Err(ApiError::unprocessable(format!("{seats} seats are too few")));
        }
        let slug = self.new_slug(&name);
        let id = self.create_with_defaults(&name, slug, caller.user);
        let mut default_team = Vec::new();
        if let Some(organization) = self.organization_mut(id) {
            (organization.email, organization.seats) = (Some(email), seats);
            (organization.thumbnail, organization.description) = (thumbnail, description);
            default_team.extend(organization.teams.first().map(|team| team.id));
        }
        for (email, role) in invited {
            self.add_invitation(id, &email, &role, &default_team);
            self.mails.push(email);
        }
        Ok(id)
    }

    /// Updates an organisation. A field that isn't sent keeps its value.
    pub(in super::super) fn update_organization(
        &mut self,
        caller: Caller,
        input: OrganizationUpdateInput,
    ) -> Result<u64, ApiError> {
        let OrganizationUpdateInput { organization_id, name, email, seats, thumbnail, description } = input;
        let id = from_int(organization_id)?;
        let organization = self.writable_organization(caller, id)?;
        if let Some(seats) = seats {
            let fits = usize::try_from(seats).is_ok_and(|seats| seats >= organization.occupied_seats());
            if seats < MINIMUM_SEATS || !fits {
                return Err(ApiError::unprocessable(format!("{seats} seats are too few")));
            }
        }
        let mut slug = None;
        if let Some(name) = &name {
            self.check_organization_name(name, Some(id))?;
            slug = (self.switches.rename_slug == RenameSlug::Follows).then(|| self.new_slug(name));
        }
        let organization = self.organization_mut(id).ok_or_else(|| not_found("organization", id))?;
        let text = |new: Option<String>, old: &mut Option<String>| *old = new.or(old.take());
        organization.name = name.unwrap_or_else(|| organization.name.clone());
        organization.slug = slug.unwrap_or_else(|| organization.slug.clone());
        organization.seats = seats.unwrap_or(organization.seats);
        text(email, &mut organization.email);
        text(thumbnail, &mut organization.thumbnail);
        text(description, &mut organization.description);
        Ok(id)
    }

    /// Deletes an organisation, with its teams, their apps and keys, and all roles in it.
    pub(in super::super) fn delete_organization(&mut self, caller: Caller, id: &str) -> Result<(), ApiError> {
        let id = from_text(id)?;
        let teams: Vec<u64> = self.writable_organization(caller, id)?.teams.iter().map(|team| team.id).collect();
        self.organizations.retain(|organization| organization.id != id);
        self.assignments.retain(|row| row.org != Some(id) && row.entity != id);
        for team in teams {
            self.delete_team_data(team);
        }
        Ok(())
    }

    fn check_organization_name(&self, name: &str, own: Option<u64>) -> Result<(), ApiError> {
        let is_other = |it: &&WorldOrganization| Some(it.id) != own && it.name.eq_ignore_ascii_case(name);
        if name.trim().is_empty() {
            return Err(ApiError::bad_input("an organization needs a name"));
        }
        if self.switches.duplicate_names == DuplicateNames::Refused
            && self.organizations.iter().any(|it| is_other(&it))
        {
            return Err(ApiError::unprocessable(format!("there is an organization `{name}`")));
        }
        Ok(())
    }

    /// Returns a slug that no other organisation has.
    fn new_slug(&self, name: &str) -> String {
        let slug = format!("{}{}", slug_of(name), self.switches.slug_suffix);
        let is_free = |slug: &String| self.organizations.iter().all(|it| it.slug != *slug);
        let mut slugs = std::iter::once(slug.clone()).chain((2..).map(|number| format!("{slug}-{number}")));
        slugs.find(is_free).unwrap_or(slug)
    }
}
