//! Open invitations: who waits, and which of them the file doesn't want.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::super::PlanInput;
use super::super::builder::PlanBuilder;
use super::super::roles::PlannedRoles;
use super::Invitations;
use rolecall_model::{
    Action, Address, Cause, Change, DesiredUser, Email, Entity, HoldReason, Kind, LiveInvitation, LiveUser,
    ManualStep, Place, RemoteId, RoleName, Scope,
};

/// Returns the address of an invitation. Where a user has several, in other spellings of their email address, the
/// spelling tells them apart.
fn address(invitation: &LiveInvitation, several: bool) -> Address {
    let spelling = several.then(|| RemoteId::seen(invitation.email.to_string()));
    Address::invitation(&invitation.email).with_id(&spelling)
}

/// When an invitation was made, by the platform or else by the ledger.
pub(super) fn since(input: &PlanInput<'_>, invitation: &LiveInvitation) -> Option<Timestamp> {
    let ours = input.facts.invitations.get(&invitation.email);
    invitation.created.or(ours.map(|ours| ours.at))
}

/// Who is invited where no call changes an invitation.
pub(super) fn hold_open(
    input: &PlanInput<'_>,
    desired: &DesiredUser,
    open: &[&LiveInvitation],
    builder: &mut PlanBuilder<'_>,
) {
    let step = input.rules.manual_step(ManualStep::HandleInvitation);
    for invitation in open {
        let wished = desired.roles.as_deref().filter(|roles| !roles.contains(&invitation.role));
        let reason = match wished {
            None => HoldReason::InvitationPending { since: since(input, invitation) },
            Some(roles) => HoldReason::ByHand {
                field: "the role of the invitation".to_owned(),
                live: Some(invitation.role.to_string()),
                desired: roles.iter().map(RoleName::as_str).collect::<Vec<_>>().join(", "),
                step: format!(
                    "no call changes an invitation; look {step}, or the next apply changes it once they have signed up"
                ),
            },
        };
        let several = open.len() > 1;
        let address = if several { address(invitation, several) } else { Address::user(&desired.email) };
        builder.hold(address, reason);
    }
}

/// Plans to cancel an invitation, where that can be done.
pub(super) fn cancel(
    input: &PlanInput<'_>,
    invitation: &LiveInvitation,
    several: bool,
    cause: Cause,
    place: Option<&Place>,
    builder: &mut PlanBuilder<'_>,
) {
    let address = address(invitation, several);
    if !input.rules.changes_invitations() {
        let step = input.rules.manual_step(ManualStep::HandleInvitation).to_owned();
        builder.hold(address, HoldReason::InvitationStands { since: since(input, invitation), step });
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

/// Somebody stays who is in, and has an invitation that no call takes back.
fn member_with_invitation(input: &PlanInput<'_>, invitation: &LiveInvitation, member: &[&LiveUser]) -> HoldReason {
    let role = BTreeSet::from([invitation.role.clone()]);
    let harmless = member.iter().all(|user| input.covers(&user.roles, &role));
    let step = input.rules.manual_step(ManualStep::HandleInvitation).to_owned();
    HoldReason::InvitationBesideMember { role: invitation.role.clone(), harmless, step }
}

/// Invitations of people whom the file doesn't list.
pub(super) fn plan_unlisted_invitations(
    input: &PlanInput<'_>,
    invitations: &Invitations<'_>,
    planned_roles: &PlannedRoles,
    builder: &mut PlanBuilder<'_>,
) {
    let list = input.live.invitations.as_ref();
    if let Some(reason) = list.and_then(|list| list.completeness.unreadable("invitations"))
        && input.desired.manage.users == Scope::All
    {
        // Who is invited and isn't listed has to go, and nobody knows who that is.
        builder.hold(Address::every(Kind::Invitation), reason);
    }
    let listed: BTreeSet<&Email> = input.desired.users.iter().map(|desired| &desired.email).collect();
    let stays: BTreeSet<&Email> =
        input.desired.users.iter().filter(|desired| !desired.absent).map(|desired| &desired.email).collect();
    let mut members: BTreeMap<&Email, Vec<&LiveUser>> = BTreeMap::new();
    for user in &input.live.users.items {
        members.entry(&user.email).or_default().push(user);
    }
    for email in invitations.expired.keys().copied().filter(|email| !invitations.open.contains_key(email)) {
        let ours = input.desired.manage.users == Scope::All;
        if members.contains_key(email) || listed.contains(email) {
            continue;
        }
        let step = input.rules.manual_step(ManualStep::HandleInvitation).to_owned();
        let expired = HoldReason::InvitationExpired { wanted: false, step };
        let foreign = HoldReason::Unmanaged { privileged: false };
        builder.hold(Address::invitation(email), if ours { expired } else { foreign });
    }
    let broken = input.live.people_unreadable();
    for (email, invitations) in &invitations.open {
        let (email, several) = (*email, invitations.len() > 1);
        for invitation in invitations {
            let ours = listed.contains(email) || input.desired.manage.users == Scope::All;
            let member = members.get(email);
            match (member.is_some(), ours) {
                // A member has no use for it, and whoever finds the mail has: the link isn't bound to the address.
                (true, true) => {
                    if let Some(member) =
                        member.filter(|_| stays.contains(email) && !input.rules.changes_invitations())
                    {
                        builder
                            .hold(address(invitation, several), member_with_invitation(input, invitation, member));
                        continue;
                    }
                    cancel(input, invitation, several, Cause::AlreadyMember, None, builder);
                }
                (false, true) if !listed.contains(email) => {
                    if let Some(reason) = &broken {
                        builder.hold(address(invitation, several), reason.clone());
                        continue;
                    }
                    cancel(input, invitation, several, Cause::NotListed, None, builder);
                }
                (false, false) => {
                    let privileged =
                        planned_roles.is_privileged(input, &BTreeSet::from([invitation.role.clone()]));
                    builder.hold(address(invitation, several), HoldReason::Unmanaged { privileged });
                }
                // The member is spoken of already, or the entry speaks of the invitation.
                (true, false) | (false, true) => {}
            }
        }
    }
}

/// Whoever we invited, whom no list shows and the file no longer names, may still accept.
pub(super) fn hold_unreachable(input: &PlanInput<'_>, builder: &mut PlanBuilder<'_>) {
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
