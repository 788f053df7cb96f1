//! Who is listed and not there: invited, waiting, or to be invited.

use std::collections::BTreeSet;

use super::super::PlanInput;
use super::super::draft::Draft;
use super::super::roles::{self, RoleBook};
use super::invited::{self, Named};
use super::{Sent, obstacle, outside, waits};
use crate::model::{
    Action, Address, Cause, Change, Chore, Code, DesiredUser, Effect, Entity, Feature, Finding, HoldReason,
    InvitationState, InviteField, LiveInvitation, Memberships, Reach, RoleName, User,
};
use crate::plan::{resolve, teams};

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
        None => offer(input, wish, None, book, draft),
    };
    let Some(Offer { after, limited, follows }) = offered else { return };
    let mut effects = vec![Effect::SendsMail];
    effects.extend(limited.then_some(Effect::AccessFollows));
    effects.extend(follows.then_some(Effect::RolesFollow));
    effects.extend(input.rules.hides_disabled().then_some(Effect::MayReadmit));
    effects.extend(input.rules.effects(input.live, None, &after));
    let account = match outside::switched_off(input, wish) {
        Ok(account) => account,
        Err(reason) => {
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

/// What an invitation that ran out said, where the file says nothing of it and it can be said again.
fn as_before(input: &PlanInput<'_>, wish: &DesiredUser, sent: Sent<'_>) -> Option<Offer> {
    let expired = sent.expired.first().filter(|_| wish.roles.is_none())?;
    let can_be_given = input.rules.known_roles().can_be_given(&expired.role);
    let after = User { invited_at: None, ..expired.entity() };
    can_be_given.then_some(Offer { after, limited: false, follows: false })
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
        let kept = first.entity();
        let Ok(teams) = teams::memberships(input, wish, kept.teams.as_ref(), draft) else { return };
        let teams = teams.map(|teams| teams.into_keys().map(|team| (team, None)).collect());
        Offer { after: User { teams, ..kept }, limited: false, follows: false }
    } else {
        let Some(offered) = offer(input, wish, Some(first), book, draft) else { return };
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

/// Nobody is invited into teams that the plan deletes. None: no team is left, which was said.
fn into_what_stays(
    input: &PlanInput<'_>,
    wish: &DesiredUser,
    mut offered: Offer,
    draft: &mut Draft<'_>,
) -> Option<Offer> {
    offered.after.teams = offered.after.teams.map(|teams| draft.teams.that_stay(teams, false));
    let none_left = offered.after.teams.as_ref().is_some_and(Memberships::is_empty);
    if none_left && input.rules.invite_needs().contains(&InviteField::Teams) {
        draft.findings.push(
            Finding::error(
                Code::IncompleteInvitation,
                wish.place.clone(),
                format!(
                    "the invitation of {} has to be made anew, and this file deletes every team of it",
                    wish.email
                ),
            )
            .hint(format!("add {TEAMS} that it is to be for")),
        );
        return None;
    }
    Some(offered)
}

/// Doesn't the platform say which role an invitation gives? Made anew it wouldn't either.
fn untold(invitation: &LiveInvitation) -> bool {
    invitation.role.as_str().is_empty()
}

/// What an invitation says.
struct Offer {
    after: User,
    /// It says less than the file: no access yet.
    limited: bool,
    /// It says less than the file: some roles can't be said.
    follows: bool,
}

/// What an invitation of this person has to say. None: it can't be made, which was said.
/// `earlier`: the invitation that there is, whose teams are kept where the file doesn't say.
fn offer(
    input: &PlanInput<'_>,
    wish: &DesiredUser,
    earlier: Option<&LiveInvitation>,
    book: &mut RoleBook,
    draft: &mut Draft<'_>,
) -> Option<Offer> {
    let earlier = earlier.map(LiveInvitation::entity).and_then(|earlier| earlier.teams);
    let mut missing = missing_fields(input, wish);
    missing.retain(|field| *field != TEAMS || earlier.is_none());
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
    let teams = teams::memberships(input, wish, earlier.as_ref(), draft).ok()?;
    let by_default = |role: &RoleName| {
        let of_teams = input.live.assignable.iter().flat_map(|assignable| &assignable.team);
        of_teams.into_iter().any(|known| known.default && known.name == *role)
    };
    let team_roles = wish.teams.iter().flat_map(|teams| teams.values()).filter_map(|role| role.value.as_ref());
    let follows = !input.rules.offers_all(input.live, &roles) || !team_roles.into_iter().all(by_default);
    let offered = input.rules.offered(input.live, &roles);
    let DesiredUser { email, first_name, last_name, phone, .. } = wish;
    let after = User {
        first_name: first_name.clone(),
        last_name: last_name.clone(),
        phone: phone.clone(),
        roles: offered,
        resources,
        // The roles in them can't be given before there is somebody to give them to.
        teams: teams.map(|teams| teams.into_keys().map(|team| (team, None)).collect()),
        invited: true,
        ..User::named(email.clone())
    };
    Some(Offer { after, limited, follows })
}

const TEAMS: &str = "`teams` (one at least)";

fn missing_fields(input: &PlanInput<'_>, wish: &DesiredUser) -> Vec<&'static str> {
    let lacks = |field: &InviteField| match field {
        InviteField::FirstName => wish.first_name.is_none().then_some("`first_name`"),
        InviteField::LastName => wish.last_name.is_none().then_some("`last_name`"),
        InviteField::Roles => wish.roles.is_none().then_some("`roles`"),
        InviteField::Teams => {
            let some = wish.teams.as_ref().is_some_and(|teams| !teams.is_empty());
            (!some).then_some(TEAMS)
        }
        InviteField::Resources => wish.resources.is_none().then_some("`resources` (`all`, or a tree)"),
    };
    input.rules.invite_needs().iter().filter_map(lacks).collect()
}
