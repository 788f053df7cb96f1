//! Founding, changing and deleting organisations.

use super::super::build::slug_of;
use super::super::caller::{Caller, Refused};
use super::super::inputs::{OrganizationCreateInput, OrganizationUpdateInput};
use super::super::query::MINIMUM_SEATS;
use super::super::scalars::{from_int, from_text};
use super::super::switches::{DuplicateNames, RenameSlug};
use super::super::world::{DEVELOPER, World, WorldOrganization};
use super::unknown;

impl World {
    /// The caller administrates it, and whoever is named with it is invited. docs.rapidapi.com, Organizations.
    pub(in super::super) fn create_organization(
        &mut self,
        caller: Caller,
        input: OrganizationCreateInput,
    ) -> Result<u64, Refused> {
        caller.require_context_of_mutations(self)?;
        let OrganizationCreateInput { name, email, seats, thumbnail, description, users, .. } = input;
        self.check_organization_name(&name, None)?;
        let mut invited = Vec::new();
        for user in users.into_iter().flatten().flatten() {
            let email = match (user.email, user.id) {
                (Some(email), _) => email,
                (None, Some(id)) => self.address(from_text(&id)?)?,
                (None, None) => return Err(Refused::bad_input("whom to invite?")),
            };
            let role = user.role.unwrap_or_else(|| DEVELOPER.to_owned());
            Self::check_invitation(&email, &role)?;
            invited.push((email, role));
        }
        let needed = i32::try_from(invited.len().saturating_add(1)).unwrap_or(i32::MAX);
        if seats < needed.max(MINIMUM_SEATS) {
            return Err(Refused::unprocessable(format!("{seats} seats are too few")));
        }
        let slug = self.new_slug(&name);
        let id = self.found(&name, slug, caller.user);
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

    /// What isn't said stays as it is.
    pub(in super::super) fn update_organization(
        &mut self,
        caller: Caller,
        input: OrganizationUpdateInput,
    ) -> Result<u64, Refused> {
        let OrganizationUpdateInput { organization_id, name, email, seats, thumbnail, description } = input;
        let id = from_int(organization_id)?;
        let organization = self.own_organization(caller, id)?;
        if let Some(seats) = seats {
            let fits = usize::try_from(seats).is_ok_and(|seats| seats >= organization.occupied_seats());
            if seats < MINIMUM_SEATS || !fits {
                return Err(Refused::unprocessable(format!("{seats} seats are too few")));
            }
        }
        let mut slug = None;
        if let Some(name) = &name {
            self.check_organization_name(name, Some(id))?;
            slug = (self.switches.rename_slug == RenameSlug::Follows).then(|| self.new_slug(name));
        }
        let organization = self.organization_mut(id).ok_or_else(|| unknown("organization", id))?;
        let text = |new: Option<String>, old: &mut Option<String>| *old = new.or(old.take());
        organization.name = name.unwrap_or_else(|| organization.name.clone());
        organization.slug = slug.unwrap_or_else(|| organization.slug.clone());
        organization.seats = seats.unwrap_or(organization.seats);
        text(email, &mut organization.email);
        text(thumbnail, &mut organization.thumbnail);
        text(description, &mut organization.description);
        Ok(id)
    }

    /// With its teams, their apps and keys, and everybody's roles in it.
    pub(in super::super) fn delete_organization(&mut self, caller: Caller, id: &str) -> Result<(), Refused> {
        let id = from_text(id)?;
        let teams: Vec<u64> = self.own_organization(caller, id)?.teams.iter().map(|team| team.id).collect();
        self.organizations.retain(|organization| organization.id != id);
        self.assignments.retain(|row| row.org != Some(id) && row.entity != id);
        for team in teams {
            self.drop_team(team);
        }
        Ok(())
    }

    fn check_organization_name(&self, name: &str, own: Option<u64>) -> Result<(), Refused> {
        let is_other = |it: &&WorldOrganization| Some(it.id) != own && it.name.eq_ignore_ascii_case(name);
        if name.trim().is_empty() {
            return Err(Refused::bad_input("an organization needs a name"));
        }
        if self.switches.duplicate_names == DuplicateNames::Refused
            && self.organizations.iter().any(|it| is_other(&it))
        {
            return Err(Refused::unprocessable(format!("there is an organization `{name}`")));
        }
        Ok(())
    }

    /// A slug that no other organisation has.
    fn new_slug(&self, name: &str) -> String {
        let slug = format!("{}{}", slug_of(name), self.switches.slug_suffix);
        let is_free = |slug: &String| self.organizations.iter().all(|it| it.slug != *slug);
        let mut slugs = std::iter::once(slug.clone()).chain((2..).map(|number| format!("{slug}-{number}")));
        slugs.find(is_free).unwrap_or(slug)
    }
}
