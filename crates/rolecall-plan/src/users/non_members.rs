//! Whoever is listed, isn't of the organisation, and has an account at the platform all the same.

use super::super::PlanInput;
use super::super::builder::{PlanBuilder, deletion};
use super::{UserInvitations, account_status};
use rolecall_model::{
    AccountStatus, Action, Address, Cause, Change, Code, DesiredUser, Entity, Finding, HoldReason, LiveUser,
    RemoteId, Seen, User,
};

/// As read, where there is such an account.
fn account<'a>(input: &PlanInput<'a>, desired: &DesiredUser) -> Option<(&'a LiveUser, User)> {
    let user = input.live.non_members.iter().find(|user| user.email == desired.email)?;
    Some((user, User { outside: true, ..user.entity() }))
}

/// The account of somebody who is to be invited, where it has to be switched on first; or whose it is, and why that can't
/// be done.
pub(super) fn account_to_enable(
    input: &PlanInput<'_>,
    desired: &DesiredUser,
) -> Result<Option<User>, (RemoteId, HoldReason)> {
    let off = |(_, before): &(&LiveUser, User)| before.enabled == Seen::Known(false);
    let Some((user, before)) = account(input, desired).filter(off).filter(|_| desired.enabled == Some(true))
    else {
        return Ok(None);
    };
    let after = User { enabled: Seen::Known(true), ..before.clone() };
    let reason = account_status::why_unusable(input, desired, user)
        .or_else(|| account_status::why_unchangeable(input, user, &after));
    reason.map_or(Ok(Some(before)), |reason| Err((user.id.clone(), reason)))
}

/// Plans what the file says of somebody's account, unless it goes together with an invitation.
pub(super) fn plan_account(
    input: &PlanInput<'_>,
    desired: &DesiredUser,
    user_invitations: UserInvitations<'_>,
    builder: &mut PlanBuilder<'_>,
) {
    let Some((user, before)) = account(input, desired) else {
        // Whoever is to be off, and isn't anywhere, may be raw_name otherwise.
        if desired.absent
            && desired.enabled == Some(false)
            && user_invitations.is_empty()
            && input.rules.shares_accounts()
        {
            let message = format!("there is no account of {}, so that none is deactivated", desired.email);
            builder.findings.push(
                Finding::warning(Code::UnmatchedAddress, desired.place.clone(), message)
                    .hint("check its spelling; or leave `status` out, once the account is gone"),
            );
        }
        return;
    };
    let enabled = desired.enabled.map_or(before.enabled, Seen::Known);
    let is_invited = !user_invitations.open.is_empty();
    let goes_with_invitation = enabled == Seen::Known(true) && !is_invited && !desired.absent;
    if !desired.deleted && (enabled == before.enabled || goes_with_invitation) {
        return;
    }
    // Their invitation goes by the address alone.
    let address = Address::user(&desired.email).with_id(Some(&user.id).filter(|_| is_invited));
    let after = User { enabled, ..before.clone() };
    let shielded = (user.account_status == AccountStatus::Shielded).then_some(HoldReason::Shielded);
    let kept = || account_status::why_kept(input, user, enabled, desired.deleted);
    if let Some(reason) = account_status::why_unusable(input, desired, user).or(shielded).or_else(kept) {
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
