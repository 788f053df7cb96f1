//! Whoever is listed, isn't of the organisation, and has an account at the platform all the same.

use super::super::PlanInput;
use super::super::draft::{Draft, deletion};
use super::{Sent, standing};
use rolecall_model::{
    Action, Address, Cause, Change, Code, DesiredUser, Entity, Finding, HoldReason, LiveUser, RemoteId, Seen,
    Standing, User,
};

/// As read, where there is such an account.
fn account<'a>(input: &PlanInput<'a>, wish: &DesiredUser) -> Option<(&'a LiveUser, User)> {
    let user = input.live.outsiders.iter().find(|user| user.email == wish.email)?;
    Some((user, User { outside: true, ..user.entity() }))
}

/// The account of somebody who is to be invited, where it has to be switched on first; or whose it is, and why that can't
/// be done.
pub(super) fn switched_off(
    input: &PlanInput<'_>,
    wish: &DesiredUser,
) -> Result<Option<User>, (RemoteId, HoldReason)> {
    let off = |(_, before): &(&LiveUser, User)| before.enabled == Seen::Known(false);
    let Some((user, before)) = account(input, wish).filter(off).filter(|_| wish.enabled == Some(true)) else {
        return Ok(None);
    };
    let after = User { enabled: Seen::Known(true), ..before.clone() };
    let reason =
        standing::why_unusable(input, wish, user).or_else(|| standing::why_untouched(input, user, &after));
    reason.map_or(Ok(Some(before)), |reason| Err((user.id.clone(), reason)))
}

/// Plans what the file says of somebody's account, unless it goes together with an invitation.
pub(super) fn plan_account(input: &PlanInput<'_>, wish: &DesiredUser, sent: Sent<'_>, draft: &mut Draft<'_>) {
    let Some((user, before)) = account(input, wish) else {
        // Whoever is to be off, and isn't anywhere, may be spelled otherwise.
        if wish.absent && wish.enabled == Some(false) && sent.is_empty() && input.rules.shares_accounts() {
            let message = format!("there is no account of {}, so that none is deactivated", wish.email);
            draft.findings.push(
                Finding::warning(Code::UnmatchedAddress, wish.place.clone(), message)
                    .hint("check its spelling; or leave `status` out, once the account is gone"),
            );
        }
        return;
    };
    let enabled = wish.enabled.map_or(before.enabled, Seen::Known);
    let is_invited = !sent.open.is_empty();
    let goes_with_invitation = enabled == Seen::Known(true) && !is_invited && !wish.absent;
    if !wish.deleted && (enabled == before.enabled || goes_with_invitation) {
        return;
    }
    // Their invitation goes by the address alone.
    let address = Address::user(&wish.email).with_id(Some(&user.id).filter(|_| is_invited));
    let after = User { enabled, ..before.clone() };
    let shielded = (user.standing == Standing::Shielded).then_some(HoldReason::Shielded);
    let kept = || standing::why_kept(input, user, enabled, wish.deleted);
    if let Some(reason) = standing::why_unusable(input, wish, user).or(shielded).or_else(kept) {
        draft.hold(address, reason);
        return;
    }
    let cause = if wish.absent { Cause::DeclaredAbsent } else { Cause::Declared };
    let change = if wish.deleted {
        deletion(input, address, Entity::User(before), cause)
    } else {
        let action = if enabled == Seen::Known(false) { Action::Disable } else { Action::Enable };
        let effects = input.rules.effects(input.live, Some(&before), &after);
        let (before, after) = (Some(Entity::User(before)), Some(Entity::User(after)));
        Change { address, action, before, after, cause, effects }
    };
    draft.change(change, Some(&wish.place));
}
