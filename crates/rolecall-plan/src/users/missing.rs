//! Who is listed and not there: invited, waiting, or to be invited.

use super::super::PlanInput;
use super::super::draft::Draft;
use super::super::roles::RoleBook;
use super::invited::{self, Named};
use super::offer::{Offer, as_before, into_what_stays, missing_fields, offer};
use super::{Sent, outside, waits};
use crate::teams;
use rolecall_model::{
    Action, Address, Cause, Change, Chore, DesiredUser, Effect, Entity, HoldReason, InvitationState,
    LiveInvitation, RoleName, User,
};

pub(super) fn plan_missing(
    input: &PlanInput<'_>,
    wish: &DesiredUser,
    sent: Sent<'_>,
    book: &mut RoleBook,
    draft: &mut Draft<'_>,
) {
    let address = Address::user(&wish.email);
    let broken = input.live.people_unreadable();
    if wish.absent || wish.enabled == Some(false) {
        must_not_come(input, wish, sent, broken, draft);
        return;
    }
    if let Some(reason) = broken {
        draft.hold(address, reason);
        return;
    }
    if !sent.open.is_empty() {
        if input.rules.changes_invitations() {
            plan_invited(input, wish, sent.open, book, draft);
        } else {
            invited::hold_open(input, wish, sent.open, draft);
        }
        return;
    }
    let waits = waits::reason(input, wish, sent);
    let overruled = waits.is_some();
    if let Some(reason) = waits.filter(|_| !draft.is_asserted(&address)) {
        draft.hold(address, reason);
        return;
    }
    invite(input, wish, sent, overruled, book, draft);
}

/// `overruled`: there was a reason to wait, and this was asked for all the same.
fn invite(
    input: &PlanInput<'_>,
    wish: &DesiredUser,
    sent: Sent<'_>,
    overruled: bool,
    book: &mut RoleBook,
    draft: &mut Draft<'_>,
) {
    let address = Address::user(&wish.email);
    let earlier = input.facts.invitations.get(&wish.email).map(|invitation| invitation.state);
    let cause = match (sent.expired.is_empty(), earlier) {
        _ if overruled => Cause::Asserted,
        (false, _) => Cause::InvitationExpired,
        (true, Some(InvitationState::Sent)) => Cause::InvitationVanished,
        // It was never made.
        (true, Some(InvitationState::Unsure) | None) => Cause::Declared,
    };
    let missing = missing_fields(input, wish);
    let offered = match as_before(input, wish, sent) {
        Some(offer) => Some(offer),
        // Whoever was disabled by hand must not keep everybody else from being planned.
        None if !missing.is_empty() && input.rules.hides_disabled() => {
            let step = input.rules.by_hand(Chore::EnableUser).to_owned();
            draft.hold(address, HoldReason::Incomplete { missing: missing.join(", "), step });
            return;
        }
        None => {
            // One that was taken back for it, by a run that ended before it was made.
            let taken_back = input.facts.taken_back.get(&wish.email).cloned().map(|earlier| {
                let teams = earlier.teams.map(|teams| draft.teams.that_are_there(teams));
                User { teams: teams.filter(|teams| !teams.is_empty()), ..earlier }
            });
            match taken_back {
                Some(earlier) if wish.roles.is_none() => as_kept(input, wish, earlier, draft),
                earlier => offer(input, wish, earlier.and_then(|earlier| earlier.teams).as_ref(), book, draft),
            }
        }
    };
    let Some(Offer { after, limited, follows }) = offered else { return };
    let mut effects = vec![Effect::SendsMail];
    effects.extend(limited.then_some(Effect::AccessFollows));
    effects.extend(follows.then_some(Effect::RolesFollow));
    effects.extend(input.rules.hides_disabled().then_some(Effect::MayReadmit));
    effects.extend(input.rules.effects(input.live, None, &after));
    let account = match outside::switched_off(input, wish) {
        Ok(account) => account,
        // They had an invitation, which a run that ended has taken back: their account stays what it was beside it.
        Err((id, reason)) if input.facts.taken_back.contains_key(&wish.email) => {
            draft.hold(address.clone().with_id(&id), reason);
            None
        }
        Err((_, reason)) => {
            draft.hold(address, reason);
            return;
        }
    };
    effects.extend(account.is_some().then_some(Effect::ReEnables));
    effects.extend(account.is_some().then_some(Effect::HubWide));
    let before = sent.expired.first().map(|expired| expired.entity()).or(account).map(Entity::User);
    let after = Some(Entity::User(after));
    let change = Change { address, action: Action::Invite, before, after, cause, effects };
    draft.change(change, Some(&wish.place));
}

/// Whoever isn't there needs nothing taken away, but an invitation would let them in.
pub(super) fn must_not_come(
    input: &PlanInput<'_>,
    wish: &DesiredUser,
    sent: Sent<'_>,
    broken: Option<HoldReason>,
    draft: &mut Draft<'_>,
) {
    let address = Address::user(&wish.email);
    for invitation in sent.open {
        let named = Named::among(sent.open);
        invited::withdraw(input, invitation, named, Cause::DeclaredAbsent, Some(&wish.place), draft);
    }
    if !sent.open.is_empty() {
        return;
    }
    let remembered = input.facts.invitations.get(&wish.email).filter(|invitation| !invitation.seen);
    if let Some(reason) = broken {
        draft.hold(address, reason);
    } else if !sent.expired.is_empty() {
        let step = input.rules.by_hand(Chore::HandleInvitation).to_owned();
        draft.hold(address, HoldReason::InvitationExpired { wanted: false, step });
    } else if let Some(invitation) = remembered.filter(|_| input.live.invitations.is_none()) {
        draft.hold(address, HoldReason::InvitationCannotBeCancelled { since: invitation.at });
    } else if !wish.absent {
        draft.hold(address, HoldReason::DisabledAndAbsent);
    }
}

/// Somebody with an open invitation: it is left alone while its role is the one that it should carry.
fn plan_invited(
    input: &PlanInput<'_>,
    wish: &DesiredUser,
    open: &[&LiveInvitation],
    book: &mut RoleBook,
    draft: &mut Draft<'_>,
) {
    let address = Address::user(&wish.email);
    let Some(first) = open.first() else { return };
    let asserted = draft.is_asserted(&address);
    // Without a role in the file, the one that the invitation carries is kept.
    let offered = if wish.roles.is_none() && !asserted {
        let Some(kept) = as_kept(input, wish, first.entity(), draft) else { return };
        kept
    } else {
        let Some(offered) = offer(input, wish, first.entity().teams.as_ref(), book, draft) else { return };
        offered
    };
    let fits = |invitation: &&&LiveInvitation| {
        let teams = match (&invitation.teams, &offered.after.teams) {
            (Some(teams), Some(wanted)) => teams.iter().eq(wanted.keys()),
            (None, _) | (_, None) => true,
        };
        let everywhere = wish.roles.as_ref().is_some_and(|roles| input.is_everywhere(&roles.value));
        (teams || everywhere) && (offered.after.roles.contains(&invitation.role) || untold(invitation))
    };
    // Of several in one spelling each lets its holder in, and none can be taken back without the others.
    let alone = |kept: &&&LiveInvitation| {
        let spelled_so = open.iter().filter(|other| other.email.as_str() == kept.email.as_str());
        spelled_so.into_iter().all(|other| fits(&other))
    };
    let kept = open.iter().find(fits).filter(|kept| !asserted && alone(kept));
    let current = kept.unwrap_or(first);
    // Two spellings of one address are two invitations to the platform, and either lets its holder in.
    for other in open.iter().filter(|other| other.email.as_str() != current.email.as_str()) {
        invited::withdraw(input, other, Named::BySpelling, Cause::Declared, Some(&wish.place), draft);
    }
    if kept.is_some() {
        let since = current.created;
        let reason = if untold(current) {
            HoldReason::ByHand {
                field: "the role of the invitation".to_owned(),
                live: Some("unreadable".to_owned()),
                desired: offered.after.roles.iter().map(RoleName::as_str).collect::<Vec<_>>().join(", "),
                step: input.rules.by_hand(Chore::HandleInvitation).to_owned(),
            }
        } else if offered.limited {
            HoldReason::InvitedWithoutAccess { since }
        } else if offered.follows {
            HoldReason::RolesFollow { since }
        } else {
            HoldReason::InvitationPending { since }
        };
        draft.hold(address, reason);
        return;
    }
    let Some(offered) = into_what_stays(input, wish, offered, draft) else { return };
    let mut effects = vec![Effect::SendsMail, Effect::ReplacesInvitation];
    effects.extend(offered.limited.then_some(Effect::AccessFollows));
    effects.extend(offered.follows.then_some(Effect::RolesFollow));
    let change = Change {
        address,
        action: Action::Invite,
        before: Some(Entity::User(current.entity())),
        after: Some(Entity::User(offered.after)),
        cause: if asserted { Cause::Asserted } else { Cause::Declared },
        effects,
    };
    draft.change(change, Some(&wish.place));
}

/// What an invitation said is said again, but for its teams where the file names some.
fn as_kept(input: &PlanInput<'_>, wish: &DesiredUser, kept: User, draft: &mut Draft<'_>) -> Option<Offer> {
    let teams = teams::memberships(input, wish, kept.teams.as_ref(), draft).ok()?;
    let teams = teams.map(|teams| teams.into_keys().map(|team| (team, None)).collect());
    Some(Offer { after: User { teams, ..kept }, limited: false, follows: false })
}

/// Doesn't the platform say which role an invitation gives? Made anew it wouldn't either.
fn untold(invitation: &LiveInvitation) -> bool {
    invitation.role.as_str().is_empty()
}
