//! Why somebody who isn't there, and can't come by themselves, isn't invited.

use super::super::PlanInput;
use super::{UserInvitations, disabled};
use rolecall_model::{DesiredUser, HoldReason, Invitation, InvitationState, ListedInvitations, ManualStep};

/// None: they are to be invited.
pub(super) fn reason(
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
        let step = input.rules.hides_disabled().then(|| enable.to_owned());
        return Some(HoldReason::LeftAgain { since: accepted.at, step });
    }
    if !user_invitations.expired.is_empty() {
        let step = input.rules.manual_step(ManualStep::HandleInvitation).to_owned();
        let again = input.desired.reinvite_expired;
        return (!again).then_some(HoldReason::InvitationExpired { wanted: true, step });
    }
    unseen(input, ours?)
}

/// Why an invitation that only the ledger knows isn't sent again.
fn unseen(input: &PlanInput<'_>, invitation: &Invitation) -> Option<HoldReason> {
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
            let step = input.rules.manual_step(ManualStep::EnableUser).to_owned();
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
