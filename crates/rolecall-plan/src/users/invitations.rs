//! Decides about invitations: who is invited, whose open invitation waits, is sent again or is cancelled, and why somebody
//! isn't invited.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::super::PlanInput;
use super::super::collection::{self, PlannedState};
use super::super::decision::Decision;
use super::super::ended;
use super::invitation_content::{
    InvitationContent, invitation_content, new_content, unchanged_content, without_deleted_teams,
};
use super::{People, Situation, account};
use rolecall_model::{
    Action, Address, Cause, Change, DesiredUser, Effect, Email, Entity, HoldReason, Invitation, InvitationState,
    InviteField, Kind, ListedInvitations, LiveInvitation, LiveUser, ManualStep, Memberships, Place, Quirk,
    RemoteId, RoleName, Scope, TeamName, User,
};

/// Decides about a listed user who isn't a member.
pub(super) fn decide(
    input: &PlanInput<'_>,
    desired: &DesiredUser,
    now: &Situation<'_>,
    planned: &PlannedState,
) -> Vec<Decision> {
    let address = Address::user(&desired.email);
    let incomplete = input.live.hold_if_people_incomplete();
    if desired.absent || desired.enabled == Some(false) {
        return prevent_joining(input, desired, now, incomplete);
    }
    if let Some(reason) = incomplete {
        return vec![Decision::Hold(address, reason)];
    }
    if !now.invitations.open.is_empty() {
        let mut decisions = Vec::new();
        for invitation in now.invitations.open.iter().filter(|_| desired.roles.is_none()) {
            let roles = BTreeSet::from([invitation.role.clone()]);
            if planned.roles.is_privileged(input, &roles) {
                decisions.push(Decision::unwritten(&address, &desired.place, "roles", &roles));
            }
        }
        decisions.extend(if input.rules.has(Quirk::ChangesInvitations) {
            invited(input, desired, now, planned)
        } else {
            hold_open(input, desired, now)
        });
        return decisions;
    }
    let asserted = input.is_asserted(&address);
    match why_not_invited(input, now) {
        Some(reason) if !asserted => {
            let sent = now.sent.filter(|_| matches!(reason, HoldReason::InvitationPending { .. }));
            let ended = sent.and_then(|sent| gives_ended(input, desired, &sent.roles, Some(sent.at)));
            vec![Decision::Hold(address, ended.unwrap_or(reason))]
        }
        reason => invite(input, desired, now, reason.is_some(), planned),
    }
}

// ---- users who are to be invited

/// Decides to invite a user. `asserted` is true if there is a reason not to, and `--assert` asks for it.
fn invite(
    input: &PlanInput<'_>,
    desired: &DesiredUser,
    now: &Situation<'_>,
    asserted: bool,
    planned: &PlannedState,
) -> Vec<Decision> {
    let address = Address::user(&desired.email);
    let cause = match (now.invitations.expired.is_empty(), now.sent.map(|sent| sent.state)) {
        _ if asserted => Cause::Asserted,
        (false, _) => Cause::InvitationExpired,
        (true, Some(InvitationState::Sent)) => Cause::InvitationVanished,
        // The earlier invitation was never sent, as a read has shown.
        (true, Some(InvitationState::Unsure) | None) => Cause::Declared,
    };
    let mut decisions = Vec::new();
    let Some(content) = new_content(input, desired, now, planned).note(&mut decisions) else { return decisions };
    let InvitationContent { after, without_access, roles_follow } = content;
    let account = match account::account_to_enable(input, desired, now) {
        Ok(account) => account,
        // An interrupted run has cancelled their invitation. It is sent again, and the account stays as it is.
        Err((id, reason)) if input.facts.cancelled_to_correct.contains_key(&desired.email) => {
            decisions.push(Decision::Hold(address.clone().with_id(&id), reason));
            None
        }
        Err((_, reason)) => {
            decisions.push(Decision::Hold(address, reason));
            return decisions;
        }
    };
    let mut effects = vec![Effect::SendsMail];
    effects.extend(without_access.then_some(Effect::AccessFollows));
    effects.extend(roles_follow.then_some(Effect::RolesFollow));
    effects.extend(input.rules.has(Quirk::HidesDisabled).then_some(Effect::MayReadmit));
    effects.extend(input.rules.effects(input.live, None, &after));
    effects.extend(account.is_some().then_some(Effect::ReEnables));
    effects.extend(account.is_some().then_some(Effect::EveryOrganization));
    let before = now.invitations.expired.first().map(|expired| expired.entity()).or(account).map(Entity::User);
    let after = Some(Entity::User(after));
    let change = Change { address, action: Action::Invite, before, after, cause, effects };
    decisions.push(Decision::change(change, Some(&desired.place)));
    decisions
}

/// Returns why a user isn't invited, or `None` if an invitation should be sent.
fn why_not_invited(input: &PlanInput<'_>, now: &Situation<'_>) -> Option<HoldReason> {
    let enable = input.rules.manual_step(ManualStep::EnableUser);
    if let Some(disabled) = now.disabled_by_us {
        return Some(HoldReason::Disabled { since: disabled.at, step: enable.to_owned() });
    }
    let step = input.rules.has(Quirk::HidesDisabled).then(|| enable.to_owned());
    if let Some(accepted) = now.sent.filter(|invitation| invitation.was_accepted()) {
        return Some(HoldReason::NoLongerMember { since: accepted.at, step });
    }
    // An invitation of ours tells more than the list of members does.
    if let Some(since) = now.member_since.filter(|_| now.sent.is_none()) {
        return Some(HoldReason::WasMember { since, step });
    }
    if !now.invitations.expired.is_empty() {
        let step = input.rules.manual_step(ManualStep::HandleInvitation).to_owned();
        let resend = input.desired.reinvite_expired;
        return (!resend).then_some(HoldReason::InvitationExpired { wanted: true, step });
    }
    why_not_resent(input, now.sent?)
}

/// Returns why an invitation that only the ledger knows isn't sent again, or `None` if it is.
fn why_not_resent(input: &PlanInput<'_>, invitation: &Invitation) -> Option<HoldReason> {
    let since = invitation.at;
    let resend = input.desired.reinvite_expired;
    // A complete list of open invitations that lacks this one proves that it isn't open. If it can't have expired
    // yet either, it was never sent.
    let listed = input.live.invitations.is_some();
    let not_expired = match input.rules.capabilities().listed_invitations {
        ListedInvitations::Unknown => false,
        ListedInvitations::Open(lifetime) => since + lifetime > input.now,
        ListedInvitations::All if invitation.state == InvitationState::Sent => {
            // The platform also lists expired invitations, so somebody has accepted or cancelled this one.
            let step = input.rules.manual_step(ManualStep::EnableUser).to_owned();
            return Some(HoldReason::InvitationNotListed { since, step });
        }
        ListedInvitations::All => true,
    };
    if listed && not_expired && invitation.state == InvitationState::Sent {
        return Some(HoldReason::InvitationEnded { since, newcomers: newcomers(input, since) });
    }
    match (invitation.state, invitation.was_shown()) {
        (InvitationState::Unsure, _) if listed && not_expired => None,
        (InvitationState::Unsure, _) => (!listed || !resend).then_some(HoldReason::InvitationUnsure { since }),
        (InvitationState::Sent, true) => (!resend).then_some(HoldReason::InvitationVanished { since }),
        (InvitationState::Sent, false) if listed => (!resend).then_some(HoldReason::InvitationVanished { since }),
        (InvitationState::Sent, false) => Some(HoldReason::InvitationPending { since: Some(since) }),
    }
}

/// Returns the members whom no read had shown at this time, or nothing if no read before it is known.
fn newcomers(input: &PlanInput<'_>, then: Timestamp) -> Vec<Address> {
    let known = &input.facts.members;
    if !known.values().any(|member| member.since <= then) {
        return Vec::new();
    }
    let was_listed = |user: &&LiveUser| known.get(&user.id).is_some_and(|member| member.since <= then);
    let new = input.live.users.items.iter().filter(|user| !was_listed(user));
    new.map(|user| Address::user(&user.email)).collect()
}

// ---- users who must not join

/// Decides about a user who must not have access and isn't a member. Only an invitation can still let them in, so it is
/// cancelled.
pub(super) fn prevent_joining(
    input: &PlanInput<'_>,
    desired: &DesiredUser,
    now: &Situation<'_>,
    incomplete: Option<HoldReason>,
) -> Vec<Decision> {
    let open = &now.invitations.open;
    if !open.is_empty() {
        let cancelled = open.iter().map(|invitation| {
            cancel(input, invitation, open.len() > 1, Cause::DeclaredAbsent, Some(&desired.place))
        });
        return cancelled.collect();
    }
    let invitation = Address::invitation(&desired.email);
    let unseen = now.sent.filter(|sent| !sent.was_shown() && input.live.invitations.is_none());
    let hold = if let Some(reason) = incomplete {
        Some(Decision::Hold(Address::user(&desired.email), reason))
    } else if !now.invitations.expired.is_empty() {
        let step = input.rules.manual_step(ManualStep::HandleInvitation).to_owned();
        Some(Decision::Hold(invitation, HoldReason::InvitationExpired { wanted: false, step }))
    } else if let Some(sent) = unseen {
        let ended = ended::of_user(input, &desired.email).until;
        Some(Decision::Hold(invitation, HoldReason::InvitationCannotBeCancelled { since: sent.at, ended }))
    } else {
        let hold = || Decision::Hold(Address::user(&desired.email), HoldReason::DisabledAndAbsent);
        (!desired.absent).then(hold)
    };
    hold.into_iter().collect()
}

/// Decides to cancel an invitation, or holds it if the API has no mutation for that.
fn cancel(
    input: &PlanInput<'_>,
    invitation: &LiveInvitation,
    several: bool,
    cause: Cause,
    place: Option<&Place>,
) -> Decision {
    let address = address(invitation, several);
    if !input.rules.has(Quirk::ChangesInvitations) {
        let step = input.rules.manual_step(ManualStep::HandleInvitation).to_owned();
        let ended = ended::of_user(input, &invitation.email).until.filter(|_| cause == Cause::DeclaredAbsent);
        let reason = HoldReason::InvitationNotCancellable { since: since(input, invitation), ended, step };
        return Decision::Hold(address, reason);
    }
    let change = Change {
        address,
        action: Action::Cancel,
        before: Some(Entity::User(invitation.entity())),
        after: None,
        cause,
        effects: Vec::new(),
    };
    Decision::change(change, place)
}

/// Returns the address of an invitation. Where a user has several, in other spellings of their email address, the
/// spelling tells them apart.
fn address(invitation: &LiveInvitation, several: bool) -> Address {
    let spelling = several.then(|| RemoteId::seen(invitation.email.to_string()));
    Address::invitation(&invitation.email).with_id(&spelling)
}

// ---- users with an open invitation

/// Returns when an invitation was sent: from the platform, or else from the ledger.
fn since(input: &PlanInput<'_>, invitation: &LiveInvitation) -> Option<Timestamp> {
    let ours = input.facts.invitations.get(&invitation.email);
    invitation.created.or(ours.map(|ours| ours.at))
}

/// Returns the hold of an open invitation that is as the file says: it waits for the user, or its mail may not have
/// been sent.
fn pending(input: &PlanInput<'_>, invitation: &LiveInvitation) -> HoldReason {
    let since = since(input, invitation);
    let ours = input.facts.invitations.get(&invitation.email);
    // The platform shows the time of the open invitation. If that is much later, somebody has sent another.
    let is_ours =
        |at: Timestamp| invitation.created.is_none_or(|created| created <= at + SignedDuration::from_hours(1));
    // Where answers are unreliable, one that has an error proves nothing about the mail.
    let told = !input.rules.has(Quirk::ReadsDecide);
    if told && ours.is_some_and(|ours| ours.mail_unproven && is_ours(ours.at)) {
        let step = input.rules.manual_step(ManualStep::HandleInvitation).to_owned();
        let step = (!input.rules.has(Quirk::ChangesInvitations)).then_some(step);
        return HoldReason::InvitationMailUnproven { since, step };
    }
    HoldReason::InvitationPending { since }
}

/// Returns the hold of an open invitation that gives roles which have ended, on a platform that can't change it.
fn gives_ended(
    input: &PlanInput<'_>,
    desired: &DesiredUser,
    roles: &BTreeSet<RoleName>,
    since: Option<Timestamp>,
) -> Option<HoldReason> {
    let wanted = desired.roles.as_deref()?;
    let ended = ended::of_user(input, &desired.email);
    let roles = roles.iter().filter(|role| ended.roles.contains(role) && !wanted.contains(*role));
    let roles: BTreeSet<Address> = roles.map(Address::role).collect();
    let step = if input.live.invitations.is_some() {
        input.rules.manual_step(ManualStep::HandleInvitation)
    } else {
        "in the web app"
    };
    let until = ended.until.filter(|_| !roles.is_empty())?;
    let step = Some(step.to_owned());
    Some(HoldReason::InvitationGivesEnded { since, ended: roles, until, step })
}

/// Returns the hold of an open invitation whose teams have all ended, where an invitation needs a team.
fn teams_ended(
    input: &PlanInput<'_>,
    invitation: &LiveInvitation,
    content: &InvitationContent,
) -> Option<HoldReason> {
    let is_teamless = content.after.teams.as_ref().is_some_and(Memberships::is_empty);
    let needs_team = input.rules.capabilities().invite_needs.contains(&InviteField::Teams);
    let ended = ended::of_user(input, &invitation.email);
    let has_ended = |team: &&TeamName| ended.teams.iter().any(|(ended, _)| ended == team);
    let teams = invitation.teams.iter().flatten().filter(has_ended);
    let teams: BTreeSet<Address> = teams.map(Address::team).collect();
    let until = ended.until.filter(|_| is_teamless && needs_team && !teams.is_empty())?;
    let since = since(input, invitation);
    Some(HoldReason::InvitationGivesEnded { since, ended: teams, until, step: None })
}

/// Returns the effect of an invitation that takes the place of another one and no longer gives what has ended.
fn takes_ended(input: &PlanInput<'_>, before: &User, after: &User) -> Option<Effect> {
    let ended = ended::of_user(input, &before.email);
    let roles: BTreeSet<RoleName> = ended.roles.iter().map(|role| (*role).clone()).collect();
    let roles = if roles.is_empty() { roles } else { input.rules.invitation_roles(input.live, &roles) };
    let lost_role = before.roles.difference(&after.roles).any(|role| roles.contains(role));
    let kept = |team: &TeamName| after.teams.as_ref().is_none_or(|teams| teams.contains_key(team));
    let has_ended = |team: &TeamName| ended.teams.iter().any(|(ended, _)| *ended == team);
    let lost_team = before.teams.iter().flat_map(|teams| teams.keys()).any(|team| !kept(team) && has_ended(team));
    ended.until.filter(|_| lost_role || lost_team).map(|until| Effect::TakesEnded { until })
}

/// Holds the open invitations of a user on a platform that can't change invitations.
fn hold_open(input: &PlanInput<'_>, desired: &DesiredUser, now: &Situation<'_>) -> Vec<Decision> {
    let step = input.rules.manual_step(ManualStep::HandleInvitation);
    let several = now.invitations.open.len() > 1;
    let hold = |invitation: &&LiveInvitation| {
        let wanted = desired.roles.as_deref().filter(|roles| !roles.contains(&invitation.role));
        let given = BTreeSet::from([invitation.role.clone()]);
        let ended = gives_ended(input, desired, &given, since(input, invitation));
        let reason = match (ended, wanted) {
            (Some(ended), _) => ended,
            (None, None) => pending(input, invitation),
            (None, Some(roles)) => HoldReason::ManualStep {
                field: "the role of the invitation".to_owned(),
                live: Some(invitation.role.to_string()),
                desired: roles.iter().map(RoleName::as_str).collect::<Vec<_>>().join(", "),
                step: format!("change the invitation {step}, or apply again once the user has signed up"),
            },
        };
        let address = if several { address(invitation, several) } else { Address::user(&desired.email) };
        Decision::Hold(address, reason)
    };
    now.invitations.open.iter().map(hold).collect()
}

/// Decides about a user with an open invitation. It is held while its roles and teams are right, and sent again
/// otherwise.
fn invited(
    input: &PlanInput<'_>,
    desired: &DesiredUser,
    now: &Situation<'_>,
    planned: &PlannedState,
) -> Vec<Decision> {
    let (address, open) = (Address::user(&desired.email), &now.invitations.open);
    let mut decisions = Vec::new();
    let Some(first) = open.first() else { return decisions };
    let asserted = input.is_asserted(&address);
    let keeps_role = |invitation: &&&LiveInvitation| match &desired.roles {
        // If the file gives no roles, the invitation keeps its role.
        None => true,
        // On a server whose invitations can't carry resources, the one that would be sent instead gives no access. And
        // if the file gives no resources where an invitation needs them, the invitation keeps its own.
        Some(roles) => {
            let can_carry = input.live.invitations_carry_resources;
            let needs_them = input.rules.capabilities().invite_needs.contains(&InviteField::Resources);
            let keeps = if desired.resources.is_some() { !can_carry } else { needs_them };
            keeps && roles.contains(&invitation.role)
        }
    };
    let content = match open.iter().find(keeps_role).filter(|_| !asserted) {
        Some(kept) => unchanged_content(input, desired, kept.entity(), planned),
        None => invitation_content(input, desired, first.entity().teams.as_ref(), planned),
    };
    let Some(content) = content.note(&mut decisions) else { return decisions };
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
    let others = open.iter().filter(|other| other.email.as_str() != sent);
    let cancelled: Vec<Decision> =
        others.map(|other| cancel(input, other, true, Cause::Declared, Some(&desired.place))).collect();
    if kept.is_some() {
        decisions.extend(cancelled);
        decisions.push(Decision::Hold(address, waiting(input, current, &content)));
        return decisions;
    }
    if let Some(reason) = teams_ended(input, current, &content) {
        decisions.push(Decision::Hold(address, reason));
        return decisions;
    }
    let content = without_deleted_teams(input, desired, content, planned);
    let Some(content) = content.note(&mut decisions) else { return decisions };
    let mut effects = vec![Effect::SendsMail, Effect::ReplacesInvitation];
    effects.extend(takes_ended(input, &current.entity(), &content.after));
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
    decisions.push(Decision::change_and(change, Some(&desired.place), cancelled));
    decisions
}

/// Returns why an open invitation with the right content stays as it is.
fn waiting(input: &PlanInput<'_>, invitation: &LiveInvitation, content: &InvitationContent) -> HoldReason {
    let since = invitation.created;
    if has_unreadable_role(invitation) {
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
        pending(input, invitation)
    }
}

/// Returns whether the platform doesn't show the role of an invitation. Sending it again wouldn't help.
fn has_unreadable_role(invitation: &LiveInvitation) -> bool {
    invitation.role.as_str().is_empty()
}

// ---- invitations of members, and of users whom the file doesn't list

/// Decides about the invitations of users whom the file doesn't list, and those of users who are already members.
pub(super) fn unlisted(input: &PlanInput<'_>, people: &People<'_>, planned: &PlannedState) -> Vec<Decision> {
    let list = input.live.invitations.as_ref();
    let incomplete = list.and_then(|list| list.completeness.hold_if_incomplete("invitations"));
    let scope = input.desired.manage.users;
    let mut decisions: Vec<Decision> =
        collection::unseen(scope, Kind::Invitation, incomplete).into_iter().collect();
    if people.invitations.is_empty() {
        return decisions;
    }
    let listed: BTreeSet<&Email> = input.desired.users.iter().map(|desired| &desired.email).collect();
    let wanted: BTreeSet<&Email> =
        input.desired.users.iter().filter(|desired| !desired.absent).map(|desired| &desired.email).collect();
    let people_incomplete = input.live.hold_if_people_incomplete();
    for (email, invitations) in &people.invitations {
        let is_known = people.members.has(email) || listed.contains(email);
        if invitations.open.is_empty() && !is_known {
            let step = input.rules.manual_step(ManualStep::HandleInvitation).to_owned();
            let address = Address::invitation(email);
            decisions.push(match scope {
                Scope::All => Decision::Hold(address, HoldReason::InvitationExpired { wanted: false, step }),
                Scope::Listed => Decision::Unmanaged { address, privileged: false },
            });
        }
        let is_listed = listed.contains(email);
        let member = Some(people.members.all(email)).filter(|users| !users.is_empty());
        let member = member.map(|users| (users, wanted.contains(email)));
        let open = invitations.open.iter().filter_map(|invitation| {
            let several = invitations.open.len() > 1;
            let address = address(invitation, several);
            match member {
                Some((users, is_wanted)) if is_listed || scope == Scope::All => {
                    Some(of_member(input, invitation, several, users, is_wanted))
                }
                None if !is_listed => {
                    let privileged =
                        planned.roles.is_privileged(input, &BTreeSet::from([invitation.role.clone()]));
                    let kept = collection::unlisted(scope, &address, privileged, people_incomplete.as_ref());
                    Some(kept.unwrap_or_else(|| cancel(input, invitation, several, Cause::NotListed, None)))
                }
                // An entry of the file has decided about the invitation, or nobody manages the member.
                Some(_) | None => None,
            }
        });
        decisions.extend(open);
    }
    decisions
}

/// Decides about the open invitation of a member. They don't need it, and its link is a risk: it works for anybody who
/// has the mail.
fn of_member(
    input: &PlanInput<'_>,
    invitation: &LiveInvitation,
    several: bool,
    member: &[&LiveUser],
    is_wanted: bool,
) -> Decision {
    if !is_wanted || input.rules.has(Quirk::ChangesInvitations) {
        return cancel(input, invitation, several, Cause::AlreadyMember, None);
    }
    let role = BTreeSet::from([invitation.role.clone()]);
    let harmless = member.iter().all(|user| input.covers(&user.roles, &role));
    let step = input.rules.manual_step(ManualStep::HandleInvitation).to_owned();
    let reason = HoldReason::MemberInvited { role: invitation.role.clone(), harmless, step };
    Decision::Hold(address(invitation, several), reason)
}

/// Holds invitations that rolecall sent, that no list shows, and that the file no longer asks for. They may still
/// be accepted.
pub(super) fn unreadable(input: &PlanInput<'_>, people: &People<'_>) -> Vec<Decision> {
    if input.live.invitations.is_some() {
        return Vec::new();
    }
    let listed: BTreeSet<&Email> = input.desired.users.iter().map(|desired| &desired.email).collect();
    let is_gone = |email: &&Email| !listed.contains(email) && !people.members.has(email);
    let unseen = input.facts.invitations.iter().filter(|(email, sent)| !sent.was_shown() && is_gone(email));
    let hold = |(email, sent): (&Email, &Invitation)| {
        let reason = HoldReason::InvitationCannotBeCancelled { since: sent.at, ended: None };
        Decision::Hold(Address::invitation(email), reason)
    };
    unseen.map(hold).collect()
}
