//! Plans open invitations: holds those that are waiting for the user, and cancels those that the file doesn't ask
//! for.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::super::PlanInput;
use super::super::builder::PlanBuilder;
use super::super::roles::PlannedRoles;
use super::Invitations;
use rolecall_model::{
    Action, Address, Cause, Change, DesiredUser, Email, Entity, HoldReason, Kind, LiveInvitation, LiveUser,
    ManualStep, Place, Quirk, RemoteId, RoleName, Scope,
};

/// Returns the address of an invitation. Where a user has several, in other spellings of their email address, the
/// spelling tells them apart.
fn address(invitation: &LiveInvitation, several: bool) -> Address {
    let spelling = several.then(|| RemoteId::seen(invitation.email.to_string()));
    Address::invitation(&invitation.email).with_id(&spelling)
}

/// Returns when an invitation was sent: from the platform, or else from the ledger.
pub(super) fn since(input: &PlanInput<'_>, invitation: &LiveInvitation) -> Option<Timestamp> {
    let ours = input.facts.invitations.get(&invitation.email);
    invitation.created.or(ours.map(|ours| ours.at))
}

/// Returns the hold of an open invitation that is as the file says: it waits for the user, or its mail may not have
/// been sent.
pub(super) fn pending(input: &PlanInput<'_>, invitation: &LiveInvitation) -> HoldReason {
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

/// Holds the open invitations of a user on a platform that can't change invitations.
pub(super) fn hold_open(
    input: &PlanInput<'_>,
    desired: &DesiredUser,
    open: &[&LiveInvitation],
    builder: &mut PlanBuilder<'_>,
) {
    let step = input.rules.manual_step(ManualStep::HandleInvitation);
    for invitation in open {
        let wanted = desired.roles.as_deref().filter(|roles| !roles.contains(&invitation.role));
        let reason = match wanted {
            None => pending(input, invitation),
            Some(roles) => HoldReason::ManualStep {
                field: "the role of the invitation".to_owned(),
                live: Some(invitation.role.to_string()),
                desired: roles.iter().map(RoleName::as_str).collect::<Vec<_>>().join(", "),
                step: format!("change the invitation {step}, or apply again once the user has signed up"),
            },
        };
        let several = open.len() > 1;
        let address = if several { address(invitation, several) } else { Address::user(&desired.email) };
        builder.hold(address, reason);
    }
}

/// Plans to cancel an invitation, or holds it if the API has no mutation for that.
pub(super) fn cancel(
    input: &PlanInput<'_>,
    invitation: &LiveInvitation,
    several: bool,
    cause: Cause,
    place: Option<&Place>,
    builder: &mut PlanBuilder<'_>,
) {
    let address = address(invitation, several);
    if !input.rules.has(Quirk::ChangesInvitations) {
        let step = input.rules.manual_step(ManualStep::HandleInvitation).to_owned();
        builder.hold(address, HoldReason::InvitationNotCancellable { since: since(input, invitation), step });
        return;
    }
    let change = Change {
        address,
        action: Action::Cancel,
        before: Some(Entity::User(invitation.entity())),
        after: None,
        cause,
        effects: Vec::new(),
    };
    builder.change(change, place);
}

/// Returns the hold for a wanted member who also has an open invitation that no mutation can cancel.
fn member_with_invitation(input: &PlanInput<'_>, invitation: &LiveInvitation, member: &[&LiveUser]) -> HoldReason {
    let role = BTreeSet::from([invitation.role.clone()]);
    let harmless = member.iter().all(|user| input.covers(&user.roles, &role));
    let step = input.rules.manual_step(ManualStep::HandleInvitation).to_owned();
    HoldReason::MemberInvited { role: invitation.role.clone(), harmless, step }
}

/// Plans the invitations of users whom the file doesn't list, and those of users who are already members.
pub(super) fn plan_unlisted_invitations(
    input: &PlanInput<'_>,
    invitations: &Invitations<'_>,
    planned_roles: &PlannedRoles,
    builder: &mut PlanBuilder<'_>,
) {
    let list = input.live.invitations.as_ref();
    if let Some(reason) = list.and_then(|list| list.completeness.hold_if_incomplete("invitations"))
        && input.desired.manage.users == Scope::All
    {
        // Unlisted invitations must be cancelled, but the incomplete list doesn't show all of them.
        builder.hold(Address::every(Kind::Invitation), reason);
    }
    let listed: BTreeSet<&Email> = input.desired.users.iter().map(|desired| &desired.email).collect();
    let wanted: BTreeSet<&Email> =
        input.desired.users.iter().filter(|desired| !desired.absent).map(|desired| &desired.email).collect();
    let mut members: BTreeMap<&Email, Vec<&LiveUser>> = BTreeMap::new();
    for user in &input.live.users.items {
        members.entry(&user.email).or_default().push(user);
    }
    for email in invitations.expired.keys().copied().filter(|email| !invitations.open.contains_key(email)) {
        let managed = input.desired.manage.users == Scope::All;
        if members.contains_key(email) || listed.contains(email) {
            continue;
        }
        let step = input.rules.manual_step(ManualStep::HandleInvitation).to_owned();
        let expired = HoldReason::InvitationExpired { wanted: false, step };
        let unmanaged = HoldReason::Unmanaged { privileged: false, known: None };
        builder.hold(Address::invitation(email), if managed { expired } else { unmanaged });
    }
    let incomplete = input.live.hold_if_people_incomplete();
    for (email, invitations) in &invitations.open {
        let (email, several) = (*email, invitations.len() > 1);
        for invitation in invitations {
            let managed = listed.contains(email) || input.desired.manage.users == Scope::All;
            let member = members.get(email);
            match (member.is_some(), managed) {
                // A member doesn't need the invitation, and its link is a risk: it works for anybody who has the
                // mail.
                (true, true) => {
                    if let Some(member) =
                        member.filter(|_| wanted.contains(email) && !input.rules.has(Quirk::ChangesInvitations))
                    {
                        builder
                            .hold(address(invitation, several), member_with_invitation(input, invitation, member));
                        continue;
                    }
                    cancel(input, invitation, several, Cause::AlreadyMember, None, builder);
                }
                (false, true) if !listed.contains(email) => {
                    if let Some(reason) = &incomplete {
                        builder.hold(address(invitation, several), reason.clone());
                        continue;
                    }
                    cancel(input, invitation, several, Cause::NotListed, None, builder);
                }
                (false, false) => {
                    let privileged =
                        planned_roles.is_privileged(input, &BTreeSet::from([invitation.role.clone()]));
                    builder.hold_unmanaged(address(invitation, several), privileged);
                }
                // The member, or the listed user, has already been planned.
                (true, false) | (false, true) => {}
            }
        }
    }
}

/// Holds invitations that rolecall sent, that no list shows, and that the file no longer asks for. They may still
/// be accepted.
pub(super) fn hold_unreadable_invitations(input: &PlanInput<'_>, builder: &mut PlanBuilder<'_>) {
    if input.live.invitations.is_some() {
        return;
    }
    let listed: BTreeSet<&Email> = input.desired.users.iter().map(|desired| &desired.email).collect();
    let live: BTreeSet<&Email> = input.live.users.items.iter().map(|user| &user.email).collect();
    for (email, invitation) in &input.facts.invitations {
        if !invitation.seen && !listed.contains(email) && !live.contains(email) {
            let reason = HoldReason::InvitationCannotBeCancelled { since: invitation.at };
            builder.hold(Address::invitation(email), reason);
        }
    }
}
