//! Inviting people, and taking it back.

use super::super::caller::{Caller, Refused};
use super::super::inputs::{UserInvitesDeleteInput, UserInvitesInput};
use super::super::scalars::from_int;
use super::super::switches::{InviteMember, InvitePending};
use super::super::world::{ADMIN, DEVELOPER, World};
use super::unknown;

impl World {
    pub(in super::super) fn create_user_invites(
        &mut self,
        caller: Caller,
        input: UserInvitesInput,
    ) -> Result<bool, Refused> {
        let UserInvitesInput { email, id, team_ids, organization_id, role, .. } = input;
        let to = from_int(organization_id)?;
        let organization = self.own_organization(caller, to)?;
        let email = match (email, id) {
            (Some(email), _) => email,
            (None, Some(id)) => self.address(from_int(id)?)?,
            (None, None) => return Err(Refused::bad_input("whom to invite?")),
        };
        let role = role.unwrap_or_else(|| DEVELOPER.to_owned());
        Self::check_invitation(&email, &role)?;
        let teams = team_ids.into_iter().flatten().map(from_int).collect::<Result<Vec<_>, _>>()?;
        let is_there = |team: &u64| organization.team(*team).is_some_and(|team| !team.deleted);
        if let Some(team) = teams.iter().find(|team| !is_there(team)) {
            return Err(unknown("team", team));
        }
        if self.user(&email).is_some_and(|user| organization.member(user.id).is_some()) {
            return match self.switches.invite_member {
                InviteMember::Refused => Err(Refused::unprocessable("the user is in the organization")),
                InviteMember::Ignored => Ok(true),
            };
        }
        if organization.invitation(&email).is_some() {
            match self.switches.invite_pending {
                InvitePending::Refused => {
                    return Err(Refused::unprocessable("this address has been invited already"));
                }
                InvitePending::Resent => {
                    self.mails.push(email);
                    return Ok(true);
                }
                InvitePending::Duplicated => {}
            }
        }
        if organization.free_seats() == 0 {
            return Err(Refused::unprocessable("there is no free seat"));
        }
        self.add_invitation(to, &email, &role, &teams);
        self.mails.push(email);
        Ok(true)
    }

    /// Addresses that nobody invited are passed over.
    pub(in super::super) fn delete_user_invites(
        &mut self,
        caller: Caller,
        input: UserInvitesDeleteInput,
    ) -> Result<bool, Refused> {
        let UserInvitesDeleteInput { emails, org_id } = input;
        let id = from_int(org_id)?;
        self.own_organization(caller, id)?;
        let revoked = |email: &str| emails.iter().flatten().any(|it| it.eq_ignore_ascii_case(email));
        if let Some(organization) = self.organization_mut(id) {
            organization.invitations.retain(|invitation| !revoked(&invitation.email));
        }
        Ok(true)
    }

    /// Where a user is written to.
    pub(super) fn address(&self, id: u64) -> Result<String, Refused> {
        let id = self.existing(id)?;
        self.user_by_id(id).map(|user| user.email.clone()).ok_or_else(|| unknown("user", id))
    }

    pub(super) fn check_invitation(email: &str, role: &str) -> Result<(), Refused> {
        if !email.contains('@') {
            return Err(Refused::bad_input(format!("`{email}` is no address")));
        }
        if ![ADMIN, DEVELOPER].contains(&role) {
            return Err(unknown("role", role));
        }
        Ok(())
    }
}
