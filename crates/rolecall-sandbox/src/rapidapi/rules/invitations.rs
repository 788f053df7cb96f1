//! Mutations of invitations.

use super::super::caller::{ApiError, Caller};
use super::super::inputs::{UserInvitesDeleteInput, UserInvitesInput};
use super::super::scalars::from_int;
use super::super::switches::{InviteMember, InvitePending};
use super::super::world::{ADMIN, DEVELOPER, World};
use super::not_found;

impl World {
    pub(in super::super) fn create_user_invites(
        &mut self,
        caller: Caller,
        input: UserInvitesInput,
    ) -> Result<bool, ApiError> {
        let UserInvitesInput { email, id, team_ids, organization_id, role } = input;
        let to = from_int(organization_id)?;
        let organization = self.writable_organization(caller, to)?;
        let email = match (email, id) {
            (Some(email), _) => email,
            (None, Some(id)) => self.email_of(from_int(id)?)?,
            (None, None) => return Err(ApiError::bad_input("whom to invite?")),
        };
        let role = role.unwrap_or_else(|| DEVELOPER.to_owned());
        Self::check_invitation(&email, &role)?;
        let teams = team_ids.into_iter().flatten().map(from_int).collect::<Result<Vec<_>, _>>()?;
        let is_there = |team: &u64| organization.team(*team).is_some_and(|team| !team.deleted);
        if let Some(team) = teams.iter().find(|team| !is_there(team)) {
            return Err(not_found("team", team));
        }
        if self.user(&email).is_some_and(|user| organization.member(user.id).is_some()) {
            return match self.switches.invite_member {
                InviteMember::Refused => Err(ApiError::unprocessable("the user is in the organization")),
                InviteMember::Ignored => Ok(true),
            };
        }
        if organization.invitation(&email).is_some() {
            match self.switches.invite_pending {
                InvitePending::Refused => {
                    return Err(ApiError::unprocessable("this address has been invited already"));
                }
                InvitePending::Resent => {
                    self.mails.push(email);
                    return Ok(true);
                }
                InvitePending::Duplicated => {}
            }
        }
        if organization.free_seats() == 0 {
            return Err(ApiError::unprocessable("there is no free seat"));
        }
        self.add_invitation(to, &email, &role, &teams);
        self.mails.push(email);
        Ok(true)
    }

    /// Cancels invitations. Addresses without an invitation are ignored.
    pub(in super::super) fn delete_user_invites(
        &mut self,
        caller: Caller,
        input: UserInvitesDeleteInput,
    ) -> Result<bool, ApiError> {
        let UserInvitesDeleteInput { emails, org_id } = input;
        let id = from_int(org_id)?;
        self.writable_organization(caller, id)?;
        let revoked = |email: &str| emails.iter().flatten().any(|it| it.eq_ignore_ascii_case(email));
        if let Some(organization) = self.organization_mut(id) {
            organization.invitations.retain(|invitation| !revoked(&invitation.email));
        }
        Ok(true)
    }

    /// Returns the address of a user.
    pub(super) fn email_of(&self, id: u64) -> Result<String, ApiError> {
        let id = self.existing_user(id)?;
        self.user_by_id(id).map(|user| user.email.clone()).ok_or_else(|| not_found("user", id))
    }

    pub(super) fn check_invitation(email: &str, role: &str) -> Result<(), ApiError> {
        if !email.contains('@') {
            return Err(ApiError::bad_input(format!("`{email}` is no address")));
        }
        if ![ADMIN, DEVELOPER].contains(&role) {
            return Err(not_found("role", role));
        }
        Ok(())
    }
}
