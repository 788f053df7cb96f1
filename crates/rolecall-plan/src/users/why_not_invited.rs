//! Decides why a listed user who isn't a member is not invited now.

use jiff::Timestamp;

use super::super::PlanInput;
use super::{UserInvitations, disabled};
use rolecall_model::{
    Address, DesiredUser, HoldReason, Invitation, InvitationState, ListedInvitations, LiveUser, ManualStep, Quirk,
};

/// Returns why a user isn't invited, or `None` if an invitation should be sent.
pub(super) fn why_not_invited(
    input: &PlanInput<'_>,
    desired: &DesiredUser,
    user_invitations: UserInvitations<'_>,
) -> Option<HoldReason> {
    if let Some(disabled) = disabled::disabled_and_unlisted(input, &desired.email) {
        let step = input.rules.manual_step(ManualStep::EnableUser).to_owned();
        return Some(HoldReason::Disabled { since: disabled.at, step });
    }
    let ours = input.facts.invitations.get(&desired.email);
    if let Some(accepted) = ours.filter(|invitation| invitation.accepted) {
        let enable = input.rules.manual_step(ManualStep::EnableUser);
        let step = input.rules.has(Quirk::HidesDisabled).then(|| enable.to_owned());
        return Some(HoldReason::NoLongerMember { since: accepted.at, step });
    }
    // An invitation of ours tells more than the list of members does.
    if let Some(since) = input.facts.member_since(&desired.email).filter(|_| ours.is_none()) {
        let enable = input.rules.manual_step(ManualStep::EnableUser);
        let step = input.rules.has(Quirk::HidesDisabled).then(|| enable.to_owned());
        return Some(HoldReason::WasMember { since, step });
    }
    if !user_invitations.expired.is_empty() {
        let step = input.rules.manual_step(ManualStep::HandleInvitation).to_owned();
        let resend = input.desired.reinvite_expired;
        return (!resend).then_some(HoldReason::InvitationExpired { wanted: true, step });
    }
    why_not_resent(input, ours?)
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
    match (invitation.state, invitation.seen) {
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
