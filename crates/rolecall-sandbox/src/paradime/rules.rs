//! The effects and refusals of the mutations. Paradime documents no error messages: these are ours.

use jiff::Timestamp;
use serde_json::json;

use super::switches::{InviteActive, InviteAgain, InviteDisabled};
use super::world::{EXPIRED, UserStatus, World, WorldEvent, WorldInvitation, WorldUser};

/// The reason why a mutation did nothing.
pub type ErrorMessage = &'static str;

/// The account types that don't need the Security pack.
const BASIC_ACCOUNT_TYPES: &[&str] = &["ADMIN", "DEVELOPER", "BUSINESS"];

impl World {
    pub(super) fn invite(&mut self, now: Timestamp, email: &str, account_type: &str) -> Result<(), ErrorMessage> {
        self.check_security_pack(account_type)?;
        if !email.contains('@') {
            return Err("this is no email address");
        }
        let user = self.users.iter().position(|user| self.is_same_person(&user.email, email));
        let status = user.map(|at| self.users[at].status);
        let invitation = self.invitations.iter().position(|it| self.is_same_person(&it.email, email));
        match (user, status, invitation) {
            (_, Some(UserStatus::Active), _) => match self.switches.invite_active {
                InviteActive::Refused => return Err("there is a user with this email address"),
                InviteActive::OkIgnored => return Ok(()),
                InviteActive::Resent => {}
            },
            (_, _, Some(at)) => {
                if !self.invite_again(at, account_type)? {
                    return Ok(());
                }
            }
            (Some(at), _, None) => match self.switches.invite_disabled {
                InviteDisabled::Refused => return Err("the user with this email address is disabled"),
                InviteDisabled::OkIgnored => return Ok(()),
                InviteDisabled::Readmits => {
                    let user = &mut self.users[at];
                    (user.account_type, user.status) = (account_type.to_owned(), UserStatus::Active);
                    self.log(now, "user_enabled", email);
                    return Ok(());
                }
                InviteDisabled::Invited => self.add_invitation(email, account_type),
            },
            (None, _, None) => self.add_invitation(email, account_type),
        }
        self.mails.push(email.to_owned());
        self.log(now, "user_invited", email);
        Ok(())
    }

    /// Invites an address again. Returns false if the call succeeds without any effect.
    fn invite_again(&mut self, at: usize, account_type: &str) -> Result<bool, ErrorMessage> {
        let invitation = &mut self.invitations[at];
        let (kind, refused) = if invitation.status == EXPIRED {
            (self.switches.invite_expired, "this email address was invited, and the invitation has expired")
        } else {
            (self.switches.invite_pending, "this email address is invited already")
        };
        match kind {
            InviteAgain::Refused => return Err(refused),
            InviteAgain::OkIgnored => return Ok(false),
            InviteAgain::Resent => {}
            InviteAgain::Replaced => account_type.clone_into(&mut invitation.account_type),
        }
        if invitation.status == EXPIRED {
            invitation.status.clone_from(&self.switches.pending_status);
        }
        Ok(true)
    }

    fn add_invitation(&mut self, email: &str, account_type: &str) {
        let status = self.switches.pending_status.clone();
        let (email, account_type) = (email.to_owned(), account_type.to_owned());
        self.invitations.push(WorldInvitation { email, account_type, status });
    }

    pub(super) fn update_account_type(
        &mut self,
        now: Timestamp,
        uid: &str,
        account_type: &str,
    ) -> Result<(), ErrorMessage> {
        self.check_security_pack(account_type)?;
        let at = self.active_user_index(uid)?;
        account_type.clone_into(&mut self.users[at].account_type);
        let email = self.users[at].email.clone();
        self.log(now, "user_account_type_updated", &email);
        Ok(())
    }

    /// Disables a user, also the last admin: no page mentions a guard against that.
    pub(super) fn disable(&mut self, now: Timestamp, uid: &str) -> Result<(), ErrorMessage> {
        let at = self.active_user_index(uid)?;
        self.users[at].status = UserStatus::Disabled;
        let email = self.users[at].email.clone();
        self.log(now, "user_disabled", &email);
        Ok(())
    }

    fn active_user_index(&self, uid: &str) -> Result<usize, ErrorMessage> {
        let active = |user: &WorldUser| user.uid == uid && user.status == UserStatus::Active;
        self.users.iter().position(active).ok_or("no active user has this uid")
    }

    fn check_security_pack(&self, account_type: &str) -> Result<(), ErrorMessage> {
        let allowed = self.switches.security_pack || BASIC_ACCOUNT_TYPES.contains(&account_type);
        if allowed { Ok(()) } else { Err("this account type needs the Security pack") }
    }

    /// Adds an event to the audit log. The names of events about users, and of a key as the actor, aren't
    /// documented: these are ours.
    fn log(&mut self, at: Timestamp, event: &str, email: &str) {
        self.audit_log.push(WorldEvent {
            id: self.audit_log.iter().map(|event| event.id).max().unwrap_or_default().saturating_add(1),
            at,
            workspace: self.workspace.name.clone(),
            actor_type: "api_key".to_owned(),
            actor_email: None,
            source: "user_management".to_owned(),
            event: event.to_owned(),
            metadata: Some(json!({ "email": email }).to_string()),
        });
    }
}
