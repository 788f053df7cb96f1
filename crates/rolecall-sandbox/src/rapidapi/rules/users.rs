//! Accounts of the hub.

use super::super::caller::{Caller, Refused};
use super::super::inputs::UserUpdateInput;
use super::super::scalars::from_text;
use super::super::world::{ACTIVE, DEACTIVATED, DELETED, World, WorldUser};
use super::unknown;

impl World {
    /// One's own record, or as an environment admin in person somebody else's, or a status. docs.rapidapi.com, Users,
    /// Teams and Roles.
    pub(in super::super) fn update_user(
        &mut self,
        caller: Caller,
        input: UserUpdateInput,
    ) -> Result<WorldUser, Refused> {
        let UserUpdateInput { id, status, name, email, .. } = input;
        let id = self.existing(id.map_or(Ok(caller.user), |id| from_text(&id))?)?;
        if id != caller.user || status.is_some() {
            caller.require_hub(self)?;
        }
        if let Some(email) = &email {
            let is_taken = self.user(email).is_some_and(|other| other.id != id);
            if is_taken || !email.contains('@') {
                return Err(Refused::bad_input(format!("`{email}` can't be anybody's address")));
            }
        }
        match status.as_deref() {
            None | Some(ACTIVE) => {}
            Some(DEACTIVATED | DELETED) => self.check_not_sole_admin(id)?,
            Some(other) => return Err(Refused::bad_input(format!("a user can't be made {other}"))),
        }
        if status.as_deref() == Some(DELETED) {
            self.delete(id);
        }
        let user = self.user_mut(id).ok_or_else(|| unknown("user", id))?;
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
    ) -> Result<bool, Refused> {
        caller.require_hub(self)?;
        let id = self.existing(from_text(id)?)?;
        if self.user_by_id(id).is_none_or(|user| user.mashape_id != mashape_id) {
            return Err(Refused::bad_input("`mashapeId` is another user's"));
        }
        self.check_not_sole_admin(id)?;
        self.delete(id);
        Ok(true)
    }

    /// docs.rapidapi.com, User Management: an organisation's only admin stays.
    fn check_not_sole_admin(&self, id: u64) -> Result<(), Refused> {
        let alone = self.single_admin_orgs(id);
        if alone.is_empty() {
            return Ok(());
        }
        Err(Refused::unprocessable(format!("the user is the only admin of {alone:?}")))
    }

    /// For good: all that is left is the id. The address can be somebody else's from now on.
    fn delete(&mut self, id: u64) {
        let organizations: Vec<u64> = self.organizations.iter().map(|organization| organization.id).collect();
        for organization in organizations {
            self.leave(organization, id);
        }
        self.assignments.retain(|row| row.entity != id);
        self.apps.retain(|app| app.owner != id);
        self.credentials.retain(|credential| credential.team.is_some() || credential.user != id);
        if let Some(user) = self.user_mut(id) {
            DELETED.clone_into(&mut user.status);
        }
    }
}
