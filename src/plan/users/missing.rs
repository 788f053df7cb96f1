//! Who is listed and not there: invited, waiting, or to be invited.

use std::collections::BTreeSet;

use super::super::PlanInput;
use super::super::draft::Draft;
use super::super::roles::{self, RoleBook};
use super::invited::{self, Named};
use super::{Sent, disabled, obstacle};
use crate::model::{
    Action, Address, Cause, Change, Chore, Code, Completeness, DesiredUser, Effect, Entity, Feature, Finding,
    HoldReason, Invitation, InvitationState, InviteField, ListedInvitations, LiveInvitation, Reach, RoleName,
    Seen, User,
};
use crate::plan::resolve;

pub(super) fn plan_missing(
    input: &PlanInput<'_>,
    wish: &DesiredUser,
    sent: Sent<'_>,
    book: &mut RoleBook,
    draft: &mut Draft<'_>,
) {
    let address = Address::user(&wish.email);
    let unreadable = |list: &str, completeness: &Completeness| match completeness {
        Completeness::Broken { why } => Some(HoldReason::Unreadable { list: list.to_owned(), why: why.clone() }),
        Completeness::Proven | Completeness::Assumed { .. } => None,
    };
    let invitations = input.live.invitations.as_ref();
    let broken = unreadable("users", &input.live.users.completeness)
        .or_else(|| invitations.and_then(|list| unreadable("invitations", &list.completeness)));
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
            hold_invited(input, wish, sent.open, draft);
        }
        return;
    }
    let waits = waits(input, wish, sent);
    let overruled = waits.is_some();
    if let Some(reason) = waits.filter(|_| !draft.is_asserted(&address)) {
        draft.hold(address, reason);
        return;
    }
    let earlier = input.facts.invitations.get(&wish.email).map(|invitation| invitation.state);
    let cause = match (sent.expired.is_empty(), earlier) {
        _ if overruled => Cause::Asserted,
        (false, _) => Cause::InvitationExpired,
        (true, Some(InvitationState::Sent)) => Cause::InvitationVanished,
        // It was never made.
        (true, Some(InvitationState::Unsure) | None) => Cause::Declared,
    };
    // What the earlier invitation said is known.
    let can_be_given = |expired: &&&LiveInvitation| input.rules.known_roles().can_be_given(&expired.role);
    let kept = sent.expired.first().filter(|_| wish.roles.is_none()).filter(can_be_given);
    let missing = missing_fields(input, wish);
    if kept.is_none() && !missing.is_empty() && input.rules.hides_disabled() {
        let step = input.rules.by_hand(Chore::EnableUser).to_owned();
        draft.hold(address, HoldReason::Incomplete { missing: missing.join(", "), step });
        return;
    }
    let offered = match kept {
        Some(expired) => Some(Offer { after: User { invited_at: None, ..expired.entity() }, limited: false }),
        None => offer(input, wish, book, draft),
    };
    let Some(Offer { after, limited }) = offered else { return };
    let mut effects = vec![Effect::SendsMail];
    effects.extend(limited.then_some(Effect::AccessFollows));
    effects.extend(input.rules.hides_disabled().then_some(Effect::MayReadmit));
    effects.extend(input.rules.effects(None, &after));
    let change = Change {
        address,
        action: Action::Invite,
        before: sent.expired.first().map(|expired| Entity::User(expired.entity())),
        after: Some(Entity::User(after)),
        cause,
        effects,
    };
    draft.change(change, Some(&wish.place));
}

/// Who is invited where no call changes an invitation.
fn hold_invited(input: &PlanInput<'_>, wish: &DesiredUser, open: &[&LiveInvitation], draft: &mut Draft<'_>) {
    let step = input.rules.by_hand(Chore::HandleInvitation);
    for invitation in open {
        let wished = wish.roles.as_deref().filter(|roles| !roles.contains(&invitation.role));
        let reason = match wished {
            None => HoldReason::InvitationPending { since: invited::since(input, invitation) },
            Some(roles) => HoldReason::ByHand {
                field: "the role of the invitation".to_owned(),
                live: Some(invitation.role.to_string()),
                desired: roles.iter().map(RoleName::as_str).collect::<Vec<_>>().join(", "),
                step: format!(
                    "no call changes an invitation; look {step}, or the next apply changes it once they have signed up"
                ),
            },
        };
        draft.hold(invited::address(invitation, Named::among(open)), reason);
    }
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

/// Why somebody who isn't there, and can't come by themselves, isn't invited.
fn waits(input: &PlanInput<'_>, wish: &DesiredUser, sent: Sent<'_>) -> Option<HoldReason> {
    if let Some(disabled) = disabled::out_of_sight(input, &wish.email) {
        let step = input.rules.by_hand(Chore::EnableUser).to_owned();
        return Some(HoldReason::Disabled { since: disabled.at, step });
    }
    let ours = input.facts.invitations.get(&wish.email);
    if let Some(accepted) = ours.filter(|invitation| invitation.accepted) {
        let enable = input.rules.by_hand(Chore::EnableUser);
        let step = input.rules.hides_disabled().then(|| enable.to_owned());
        return Some(HoldReason::LeftAgain { since: accepted.at, step });
    }
    if !sent.expired.is_empty() {
        let step = input.rules.by_hand(Chore::HandleInvitation).to_owned();
        let again = input.desired.reinvite_expired;
        return (!again).then_some(HoldReason::InvitationExpired { wanted: true, step });
    }
    waits_unseen(input, ours?)
}

/// Why an invitation that only the ledger knows isn't sent again.
fn waits_unseen(input: &PlanInput<'_>, invitation: &Invitation) -> Option<HoldReason> {
    let since = invitation.at;
    let again = input.desired.reinvite_expired;
    // A list that shows every open invitation proves that one is over, or, while it couldn't have run out, that it
    // was never made.
    let listed = input.live.invitations.is_some();
    let fresh = match input.rules.listed_invitations() {
        ListedInvitations::Unknown => false,
        ListedInvitations::Open(lifetime) => since + lifetime > input.now,
        ListedInvitations::All if invitation.state == InvitationState::Sent => {
            // It hasn't run out, so that somebody has decided on it.
            let step = input.rules.by_hand(Chore::EnableUser).to_owned();
            return Some(HoldReason::InvitationGone { since, step });
        }
        ListedInvitations::All => true,
    };
    match (invitation.state, invitation.seen) {
        (InvitationState::Unsure, _) if listed && fresh => None,
        (InvitationState::Unsure, _) => (!listed || !again).then_some(HoldReason::InvitationUnsure { since }),
        (InvitationState::Sent, true) => (!again).then_some(HoldReason::InvitationVanished { since }),
        (InvitationState::Sent, false) if listed => (!again).then_some(HoldReason::InvitationVanished { since }),
        (InvitationState::Sent, false) => Some(HoldReason::InvitationPending { since: Some(since) }),
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
        Offer { after: first.entity(), limited: false }
    } else {
        let Some(offered) = offer(input, wish, book, draft) else { return };
        offered
    };
    let fits = |invitation: &&&LiveInvitation| offered.after.roles.contains(&invitation.role);
    let kept = open.iter().find(fits).filter(|_| !asserted);
    let current = kept.unwrap_or(first);
    // Two spellings of one address are two invitations to the platform, and either lets its holder in.
    for other in open.iter().filter(|other| other.email.as_str() != current.email.as_str()) {
        invited::withdraw(input, other, Named::BySpelling, Cause::Declared, Some(&wish.place), draft);
    }
    if kept.is_some() {
        let since = current.created;
        let reason = if offered.limited {
            HoldReason::InvitedWithoutAccess { since }
        } else {
            HoldReason::InvitationPending { since }
        };
        draft.hold(address, reason);
        return;
    }
    let mut effects = vec![Effect::SendsMail, Effect::ReplacesInvitation];
    effects.extend(offered.limited.then_some(Effect::AccessFollows));
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

/// What an invitation says.
struct Offer {
    after: User,
    /// It says less than the file: no access yet.
    limited: bool,
}

/// What an invitation of this person has to say. None: it can't be made, which was said.
fn offer(input: &PlanInput<'_>, wish: &DesiredUser, book: &mut RoleBook, draft: &mut Draft<'_>) -> Option<Offer> {
    let missing = missing_fields(input, wish);
    if !missing.is_empty() {
        draft.findings.push(
            Finding::error(
                Code::IncompleteInvitation,
                wish.place.clone(),
                format!("{} isn't there yet, and an invitation needs {}", wish.email, missing.join(", ")),
            )
            .hint(format!("add {}", missing.join(", "))),
        );
        return None;
    }
    let address = Address::user(&wish.email);
    let mut roles = wish.roles.as_ref().map(|roles| roles.value.clone()).unwrap_or_default();
    if let Some(obstacle) = obstacle(wish, &roles, book) {
        obstacle.report(&address, draft);
        return None;
    }
    let mut resources = match &wish.resources {
        Some(wished) => Some(resolve::resources(input, wished, &mut draft.findings)?),
        None => None,
    };
    let carries = input.live.features.contains(&Feature::InvitationResources);
    let limited = !carries && resources.as_ref().is_some_and(|resources| *resources != Reach::All);
    if limited {
        // Whoever accepts gets the role on everything, so it has to be a role that allows nothing.
        let Some(empty) = roles::containment(input, book, draft) else {
            if let Some(role) = &input.desired.containment_role {
                let role = role.value.clone();
                draft.hold(address, HoldReason::RoleHeld { role });
            }
            return None;
        };
        roles = BTreeSet::from([empty]);
        resources = None;
    }
    let DesiredUser { email, first_name, last_name, phone, .. } = wish;
    let after = User {
        id: None,
        email: email.clone(),
        first_name: first_name.clone(),
        last_name: last_name.clone(),
        phone: phone.clone(),
        roles,
        resources,
        enabled: Seen::Known(true),
        invited: true,
        invited_at: None,
    };
    Some(Offer { after, limited })
}

fn missing_fields(input: &PlanInput<'_>, wish: &DesiredUser) -> Vec<&'static str> {
    let lacks = |field: &InviteField| match field {
        InviteField::FirstName => wish.first_name.is_none().then_some("`first_name`"),
        InviteField::LastName => wish.last_name.is_none().then_some("`last_name`"),
        InviteField::Roles => wish.roles.is_none().then_some("`roles`"),
        InviteField::Resources => wish.resources.is_none().then_some("`resources` (`all`, or a tree)"),
    };
    input.rules.invite_needs().iter().filter_map(lacks).collect()
}
