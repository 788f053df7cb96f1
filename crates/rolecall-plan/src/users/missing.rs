//! Plans users whom the file lists and who aren't members: sends, corrects or cancels their invitations.

use std::collections::BTreeSet;

use super::super::PlanInput;
use super::super::builder::PlanBuilder;
use super::super::roles::PlannedRoles;
use super::invitation_roles::{
    InvitationContent, expired_content, invitation_content, missing_fields, without_deleted_teams,
};
use super::invited;
use super::{UserInvitations, non_members, why_not_invited::why_not_invited};
use crate::teams;
use rolecall_model::{
    Action, Address, Cause, Change, DesiredUser, Effect, Entity, Feature, HoldReason, InvitationState,
    LiveInvitation, ManualStep, Quirk, RoleName, User,
};

pub(super) fn plan_missing(
    input: &PlanInput<'_>,
    desired: &DesiredUser,
    user_invitations: UserInvitations<'_>,
    planned_roles: &mut PlannedRoles,
    builder: &mut PlanBuilder<'_>,
) {
    let address = Address::user(&desired.email);
    let incomplete = input.live.hold_if_people_incomplete();
    if desired.absent || desired.enabled == Some(false) {
        prevent_joining(input, desired, user_invitations, incomplete, builder);
        return;
    }
    if let Some(reason) = incomplete {
        builder.hold(address, reason);
        return;
    }
    if !user_invitations.open.is_empty() {
        for invitation in user_invitations.open.iter().filter(|_| desired.roles.is_none()) {
            let roles = BTreeSet::from([invitation.role.clone()]);
            if planned_roles.is_privileged(input, &roles) {
                builder.hold_unwritten(address.clone(), &desired.place, "roles", &roles);
            }
        }
        if input.rules.has(Quirk::ChangesInvitations) {
            plan_invited(input, desired, user_invitations.open, planned_roles, builder);
        } else {
            invited::hold_open(input, desired, user_invitations.open, builder);
        }
        return;
    }
    let reason = why_not_invited(input, desired, user_invitations);
    let asserted = reason.is_some() && builder.is_asserted(&address);
    if let Some(reason) = reason.filter(|_| !builder.is_asserted(&address)) {
        builder.hold(address, reason);
        return;
    }
    invite(input, desired, user_invitations, asserted, planned_roles, builder);
}

/// Plans an invitation. `asserted` is true if there is a reason not to send it, and `--assert` asks for it.
fn invite(
    input: &PlanInput<'_>,
    desired: &DesiredUser,
    user_invitations: UserInvitations<'_>,
    asserted: bool,
    planned_roles: &mut PlannedRoles,
    builder: &mut PlanBuilder<'_>,
) {
    let address = Address::user(&desired.email);
    let earlier = input.facts.invitations.get(&desired.email).map(|invitation| invitation.state);
    let cause = match (user_invitations.expired.is_empty(), earlier) {
        _ if asserted => Cause::Asserted,
        (false, _) => Cause::InvitationExpired,
        (true, Some(InvitationState::Sent)) => Cause::InvitationVanished,
        // The earlier invitation was never sent, as a read has shown.
        (true, Some(InvitationState::Unsure) | None) => Cause::Declared,
    };
    let missing = missing_fields(input, desired);
    let content = match expired_content(input, desired, user_invitations) {
        Some(content) => Some(content),
        // The user may only have been disabled in the web app. A finding here would stop the whole plan.
        None if !missing.is_empty() && input.rules.has(Quirk::HidesDisabled) => {
            let step = input.rules.manual_step(ManualStep::EnableUser).to_owned();
            builder.hold(address, HoldReason::Incomplete { missing: missing.join(", "), step });
            return;
        }
        None => {
            // An interrupted run may have cancelled an invitation, in order to send this one.
            let cancelled = input.facts.cancelled_to_correct.get(&desired.email).cloned().map(|earlier| {
                let teams = earlier.teams.map(|teams| builder.teams.existing_after(teams));
                User { teams: teams.filter(|teams| !teams.is_empty()), ..earlier }
            });
            match cancelled {
                Some(earlier) if desired.roles.is_none() => unchanged_content(input, desired, earlier, builder),
                earlier => invitation_content(
                    input,
                    desired,
                    earlier.and_then(|earlier| earlier.teams).as_ref(),
                    planned_roles,
                    builder,
                ),
            }
        }
    };
    let Some(InvitationContent { after, without_access, roles_follow }) = content else { return };
    let mut effects = vec![Effect::SendsMail];
    effects.extend(without_access.then_some(Effect::AccessFollows));
    effects.extend(roles_follow.then_some(Effect::RolesFollow));
    effects.extend(input.rules.has(Quirk::HidesDisabled).then_some(Effect::MayReadmit));
    effects.extend(input.rules.effects(input.live, None, &after));
    let account = match non_members::account_to_enable(input, desired) {
        Ok(account) => account,
        // An interrupted run has cancelled their invitation. It is sent again, and the account stays as it is.
        Err((id, reason)) if input.facts.cancelled_to_correct.contains_key(&desired.email) => {
            builder.hold(address.clone().with_id(&id), reason);
            None
        }
        Err((_, reason)) => {
            builder.hold(address, reason);
            return;
        }
    };
    effects.extend(account.is_some().then_some(Effect::ReEnables));
    effects.extend(account.is_some().then_some(Effect::EveryOrganization));
    let before = user_invitations.expired.first().map(|expired| expired.entity()).or(account).map(Entity::User);
    let after = Some(Entity::User(after));
    let change = Change { address, action: Action::Invite, before, after, cause, effects };
    builder.change(change, Some(&desired.place));
}

/// Plans a user who must not have access and isn't a member. Only an invitation can still let them in, so it is
/// cancelled.
pub(super) fn prevent_joining(
    input: &PlanInput<'_>,
    desired: &DesiredUser,
    user_invitations: UserInvitations<'_>,
    incomplete: Option<HoldReason>,
    builder: &mut PlanBuilder<'_>,
) {
    let address = Address::user(&desired.email);
    for invitation in user_invitations.open {
        let several = user_invitations.open.len() > 1;
        invited::cancel(input, invitation, several, Cause::DeclaredAbsent, Some(&desired.place), builder);
    }
    if !user_invitations.open.is_empty() {
        return;
    }
    let remembered = input.facts.invitations.get(&desired.email).filter(|invitation| !invitation.seen);
    if let Some(reason) = incomplete {
        builder.hold(address, reason);
    } else if !user_invitations.expired.is_empty() {
        let step = input.rules.manual_step(ManualStep::HandleInvitation).to_owned();
        builder.hold(Address::invitation(&desired.email), HoldReason::InvitationExpired { wanted: false, step });
    } else if let Some(invitation) = remembered.filter(|_| input.live.invitations.is_none()) {
        let reason = HoldReason::InvitationCannotBeCancelled { since: invitation.at };
        builder.hold(Address::invitation(&desired.email), reason);
    } else if !desired.absent {
        builder.hold(address, HoldReason::DisabledAndAbsent);
    }
}

/// Plans a user with an open invitation. It is held while its roles and teams are right, and sent again otherwise.
fn plan_invited(
    input: &PlanInput<'_>,
    desired: &DesiredUser,
    open: &[&LiveInvitation],
    planned_roles: &mut PlannedRoles,
    builder: &mut PlanBuilder<'_>,
) {
    let address = Address::user(&desired.email);
    let Some(first) = open.first() else { return };
    let asserted = builder.is_asserted(&address);
    let can_carry = input.live.features.contains(&Feature::InvitationResources);
    let keeps_role = |invitation: &&&LiveInvitation| match &desired.roles {
        // If the file gives no roles, the invitation keeps its role.
        None => true,
        // On a server whose invitations can't carry resources, the one that would be sent instead gives no access.
        Some(roles) => desired.resources.is_some() && !can_carry && roles.contains(&invitation.role),
    };
    let content = if let Some(kept) = open.iter().find(keeps_role).filter(|_| !asserted) {
        let Some(kept) = unchanged_content(input, desired, kept.entity(), builder) else { return };
        kept
    } else {
        let Some(content) =
            invitation_content(input, desired, first.entity().teams.as_ref(), planned_roles, builder)
        else {
            return;
        };
        content
    };
    let matches = |invitation: &&&LiveInvitation| {
        let teams = match (&invitation.teams, &content.after.teams) {
            (Some(teams), Some(wanted)) => teams.iter().eq(wanted.keys()),
            (None, _) | (_, None) => true,
        };
        let in_every_team = desired.roles.as_ref().is_some_and(|roles| input.is_in_every_team(&roles.value));
        (teams || in_every_team)
            && (content.after.roles.contains(&invitation.role) || has_unreadable_role(invitation))
    };
    // Several invitations with one spelling can only be cancelled together, so all of them have to match.
    let all_match = |kept: &&&LiveInvitation| {
        let same_spelling = open.iter().filter(|other| other.email.as_str() == kept.email.as_str());
        same_spelling.into_iter().all(|other| matches(&other))
    };
    let kept = open.iter().find(matches).filter(|kept| !asserted && all_match(kept));
    let spelled_as_sent = open.iter().find(|open| open.email.as_str() == desired.email.key());
    let distinguished = input.rules.has(Quirk::DistinguishesSpellings);
    let current = kept.or(spelled_as_sent.filter(|_| distinguished)).unwrap_or(first);
    // To the platform, two spellings of one address may be two invitations, and each of them gives access.
    let sent = if kept.is_none() && distinguished { desired.email.key() } else { current.email.as_str() };
    let cancel_others = |builder: &mut PlanBuilder<'_>| {
        for other in open.iter().filter(|other| other.email.as_str() != sent) {
            invited::cancel(input, other, true, Cause::Declared, Some(&desired.place), builder);
        }
    };
    if kept.is_some() {
        cancel_others(builder);
        let since = current.created;
        let reason = if has_unreadable_role(current) {
            HoldReason::ManualStep {
                field: "the role of the invitation".to_owned(),
                live: Some("unreadable".to_owned()),
                desired: content.after.roles.iter().map(RoleName::as_str).collect::<Vec<_>>().join(", "),
                step: input.rules.manual_step(ManualStep::HandleInvitation).to_owned(),
            }
        } else if content.without_access {
            HoldReason::InvitedWithoutAccess { since }
        } else if content.roles_follow {
            HoldReason::RolesFollow { since }
        } else {
            invited::pending(input, current)
        };
        builder.hold(address, reason);
        return;
    }
    let Some(content) = without_deleted_teams(input, desired, content, builder) else { return };
    let mut effects = vec![Effect::SendsMail, Effect::ReplacesInvitation];
    effects.extend(content.without_access.then_some(Effect::AccessFollows));
    effects.extend(content.roles_follow.then_some(Effect::RolesFollow));
    let change = Change {
        address,
        action: Action::Invite,
        before: Some(Entity::User(current.entity())),
        after: Some(Entity::User(content.after)),
        cause: if asserted { Cause::Asserted } else { Cause::Declared },
        effects,
    };
    // Without the new invitation, the user keeps the others.
    if builder.change(change, Some(&desired.place)) {
        cancel_others(builder);
    }
}

/// Returns the content of an existing invitation, with the teams of the file if it names any.
fn unchanged_content(
    input: &PlanInput<'_>,
    desired: &DesiredUser,
    kept: User,
    builder: &mut PlanBuilder<'_>,
) -> Option<InvitationContent> {
    let teams = teams::memberships(input, desired, kept.teams.as_ref(), builder).ok()?;
    let teams = teams.map(|teams| teams.into_keys().map(|team| (team, None)).collect());
    Some(InvitationContent { after: User { teams, ..kept }, without_access: false, roles_follow: false })
}

/// Returns whether the platform doesn't show the role of an invitation. Sending it again wouldn't help.
fn has_unreadable_role(invitation: &LiveInvitation) -> bool {
    invitation.role.as_str().is_empty()
}
