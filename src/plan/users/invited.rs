//! Open invitations that the file doesn't want.

use std::collections::{BTreeMap, BTreeSet};

use super::super::PlanInput;
use super::super::draft::Draft;
use crate::model::{
    Action, Address, Cause, Change, Email, Entity, HoldReason, LiveInvitation, Place, RemoteId, Scope,
};

/// Plans to cancel an invitation. One of several spellings of an address is told apart by its spelling.
pub(super) fn withdraw(
    invitation: &LiveInvitation,
    several: bool,
    cause: Cause,
    place: Option<&Place>,
    draft: &mut Draft<'_>,
) {
    let address = Address::user(&invitation.email);
    let address = if several { address.with_id(&RemoteId::seen(invitation.email.as_str())) } else { address };
    let change = Change {
        address,
        action: Action::Withdraw,
        before: Some(Entity::User(invitation.entity())),
        after: None,
        cause,
        effects: Vec::new(),
    };
    draft.change(change, place);
}

/// Invitations of people whom the file doesn't list.
pub(super) fn plan_unlisted_invitations(
    input: &PlanInput<'_>,
    open: &BTreeMap<&Email, Vec<&LiveInvitation>>,
    draft: &mut Draft<'_>,
) {
    let listed: BTreeSet<&Email> = input.desired.users.iter().map(|wish| &wish.email).collect();
    let members: BTreeSet<&Email> = input.live.users.items.iter().map(|user| &user.email).collect();
    for (email, invitations) in open {
        let email = *email;
        let several = invitations.len() > 1;
        for invitation in invitations {
            let privileged = input.rules.is_admin(&BTreeSet::from([invitation.role.clone()]));
            if members.contains(email) {
                // A member has no use for it, and whoever finds the mail has: the link isn't bound to the address.
                if listed.contains(email) || input.desired.manage.users == Scope::All {
                    withdraw(invitation, true, Cause::NotListed, None, draft);
                }
            } else if listed.contains(email) {
            } else if input.desired.manage.users == Scope::All {
                withdraw(invitation, several, Cause::NotListed, None, draft);
            } else {
                draft.hold(Address::user(email), HoldReason::Unmanaged { privileged });
            }
        }
    }
}

/// Whoever we invited, whom no list shows and the file no longer names, may still accept.
pub(super) fn hold_unreachable(input: &PlanInput<'_>, draft: &mut Draft<'_>) {
    if input.live.invitations.is_some() {
        return;
    }
    let listed: BTreeSet<&Email> = input.desired.users.iter().map(|wish| &wish.email).collect();
    let live: BTreeSet<&Email> = input.live.users.items.iter().map(|user| &user.email).collect();
    for (email, invitation) in &input.facts.invitations {
        if !invitation.seen && !listed.contains(email) && !live.contains(email) {
            let reason = HoldReason::InvitationCannotBeCancelled { since: invitation.at };
            draft.hold(Address::user(email), reason);
        }
    }
}
