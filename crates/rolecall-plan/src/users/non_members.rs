//! Plans the accounts of users whom the file lists, and who have an account at the platform without being a member
//! of the organisation.

use super::super::PlanInput;
use super::super::builder::{PlanBuilder, deletion};
use super::{UserInvitations, account_status};
use rolecall_model::{
    AccountStatus, Action, Address, Cause, Change, Code, DesiredUser, Entity, Finding, HoldReason, LiveUser,
    Quirk, RemoteId, Seen, User,
};

/// Returns the account of a listed user who isn't a member, if there is one.
fn account<'a>(input: &PlanInput<'a>, desired: &DesiredUser) -> Option<(&'a LiveUser, User)> {
    let user = input.live.non_members.iter().find(|user| user.email == desired.email)?;
    Some((user, User { outside: true, ..user.entity() }))
}

/// Returns the account that has to be enabled before its user is invited, or `None` if none has to be.
///
/// # Errors
///
/// Returns the id of the account and the reason if it can't be enabled.
pub(super) fn account_to_enable(
    input: &PlanInput<'_>,
    desired: &DesiredUser,
) -> Result<Option<User>, (RemoteId, HoldReason)> {
    let is_disabled = |(_, before): &(&LiveUser, User)| before.enabled == Seen::Known(false);
    let Some((user, before)) =
        account(input, desired).filter(is_disabled).filter(|_| desired.enabled == Some(true))
    else {
        return Ok(None);
    };
    let after = User { enabled: Seen::Known(true), ..before.clone() };
    let reason = account_status::why_unusable(input, desired, user)
        .or_else(|| account_status::why_unchangeable(input, user, &after));
    reason.map_or(Ok(Some(before)), |reason| Err((user.id.clone(), reason)))
}

/// Plans the account of a user who isn't a member. An account that is enabled together with an invitation isn't
/// planned here.
pub(super) fn plan_account(
    input: &PlanInput<'_>,
    desired: &DesiredUser,
    user_invitations: UserInvitations<'_>,
    builder: &mut PlanBuilder<'_>,
) {
    let Some((user, before)) = account(input, desired) else {
        // The file wants an account deactivated that doesn't exist: its address may be misspelled.
        if desired.absent
            && desired.enabled == Some(false)
            && user_invitations.is_empty()
            && input.rules.has(Quirk::SharedAccounts)
        {
            let message =
                format!("There is no account with the address {}, so none is deactivated.", desired.email);
            builder.findings.push(
                Finding::warning(Code::UnmatchedAddress, desired.place.clone(), message)
                    .hint("Check the spelling, or remove `status` if the account was deleted."),
            );
        }
        return;
    };
    let enabled = desired.enabled.map_or(before.enabled, Seen::Known);
    let is_invited = !user_invitations.open.is_empty();
    let enabled_with_invitation = enabled == Seen::Known(true) && !is_invited && !desired.absent;
    if !desired.deleted && (enabled == before.enabled || enabled_with_invitation) {
        return;
    }
    // The address without an id belongs to the user's invitation.
    let address = Address::user(&desired.email).with_id(Some(&user.id).filter(|_| is_invited));
    let after = User { enabled, ..before.clone() };
    let protected = (user.account_status == AccountStatus::Shielded).then_some(HoldReason::MustNotBeChanged);
    let why_kept = || account_status::why_kept(input, user, enabled, desired.deleted);
    if let Some(reason) = account_status::why_unusable(input, desired, user).or(protected).or_else(why_kept) {
        builder.hold(address, reason);
        return;
    }
    let cause = if desired.absent { Cause::DeclaredAbsent } else { Cause::Declared };
    let change = if desired.deleted {
        deletion(input, address, Entity::User(before), cause)
    } else {
        let action = if enabled == Seen::Known(false) { Action::Disable } else { Action::Enable };
        let effects = input.rules.effects(input.live, Some(&before), &after);
        let (before, after) = (Some(Entity::User(before)), Some(Entity::User(after)));
        Change { address, action, before, after, cause, effects }
    };
    builder.change(change, Some(&desired.place));
}
