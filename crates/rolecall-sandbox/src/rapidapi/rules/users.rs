//! Mutations of accounts.

use super::super::caller::{ApiError, Caller};
use super::super::inputs::UserUpdateInput;
use super::super::scalars::from_text;
use super::super::world::{ACTIVE, DEACTIVATED, DELETED, World, WorldUser};
use super::not_found;

impl World {
    /// Updates a user. Callers may change their own record. Other records, and every status, need an environment
    /// admin with a personal key (docs.rapidapi.com, Users, Teams and Roles).
    pub(in super::super) fn update_user(
        &mut self,
        caller: Caller,
        input: UserUpdateInput,
    ) -> Result<WorldUser, ApiError> {
        let UserUpdateInput { id, status, name, email } = input;
        let id = self.existing_user(id.map_or(Ok(caller.user), |id| from_text(&id))?)?;
        if id != caller.user || status.is_some() {
            caller.require_environment_admin(self)?;
        }
        if let Some(email) = &email {
            let is_taken = self.user(email).is_some_and(|other| other.id != id);
            if is_taken || !email.contains('@') {
                return Err(ApiError::bad_input(format!("`{email}` can't be anybody's address")));
            }
        }
        match status.as_deref() {
            None | Some(ACTIVE) => {}
            Some(DEACTIVATED | DELETED) => self.check_not_sole_admin(id)?,
            Some(other) => return Err(ApiError::bad_input(format!("a user can't be made {other}"))),
        }
        if status.as_deref() == Some(DELETED) {
            self.delete(id);
        }
        let user = self.user_mut(id).ok_or_else(|| not_found("user", id))?;
        user.name = name.unwrap_or_else(|| user.name.clone());
        user.email = email.unwrap_or_else(|| user.email.clone());
        user.status = status.unwrap_or_else(|| user.status.clone());
        Ok(user.clone())
    }

    pub(in super::super) fn delete_user(
        &mut self,
        caller: Caller,
        id: &str,
        mashape_id: &str,
    ) -> Result<bool, ApiError> {
        caller.require_environment_admin(self)?;
        let id = self.existing_user(from_text(id)?)?;
        if self.user_by_id(id).is_none_or(|user| user.mashape_id != mashape_id) {
            return Err(ApiError::bad_input("`mashapeId` is another user's"));
        }
        self.check_not_sole_admin(id)?;
        self.delete(id);
        Ok(true)
    }

    /// Checks that the user isn't the only admin of an organisation (docs.rapidapi.com, User Management).
    fn check_not_sole_admin(&self, id: u64) -> Result<(), ApiError> {
        let alone = self.single_admin_orgs(id);
        if alone.is_empty() {
            return Ok(());
        }
        Err(ApiError::unprocessable(format!("the user is the only admin of {alone:?}")))
    }

    /// Deletes a user for good. Only the id stays, and another user may take the address.
    fn delete(&mut self, id: u64) {
        let organizations: Vec<u64> = self.organizations.iter().map(|organization| organization.id).collect();
        for organization in organizations {
            self.remove_member(organization, id);
        }
        self.assignments.retain(|row| row.entity != id);
        self.apps.retain(|app| app.owner != id);
        self.credentials.retain(|credential| credential.team.is_some() || credential.user != id);
        if let Some(user) = self.user_mut(id) {
            DELETED.clone_into(&mut user.status);
        }
    }
}
