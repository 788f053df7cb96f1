//! Open invitations that the file doesn't want.

use std::collections::{BTreeMap, BTreeSet};

use super::super::PlanInput;
use super::super::draft::Draft;
use super::super::roles::RoleBook;
use crate::model::{
    Action, Address, Cause, Change, Completeness, Email, Entity, HoldReason, Kind, LiveInvitation, Place,
    RemoteId, Scope,
};

/// How an invitation is told from its person's other entities.
#[derive(Clone, Copy)]
pub(super) enum Named {
    /// The invitation is all that there is of them.
    ByAddress,
    /// There is a member of that address, too.
    BesideMember,
    /// There is another invitation, in another spelling.
    BySpelling,
}

/// Plans to cancel an invitation.
pub(super) fn withdraw(
    invitation: &LiveInvitation,
    named: Named,
    cause: Cause,
    place: Option<&Place>,
    draft: &mut Draft<'_>,
) {
    let address = Address::user(&invitation.email);
    let address = match named {
        Named::ByAddress => address,
        Named::BesideMember => address.with_id(&RemoteId::seen("invitation")),
        Named::BySpelling => address.with_id(&RemoteId::seen(format!("invitation:{}", invitation.email))),
    };
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
    book: &RoleBook,
    draft: &mut Draft<'_>,
) {
    if let Some(Completeness::Broken { why }) = input.live.invitations.as_ref().map(|list| &list.completeness)
        && input.desired.manage.users == Scope::All
    {
        // Who is invited and isn't listed has to go, and nobody knows who that is.
        let reason = HoldReason::Unreadable { list: "invitations".to_owned(), why: why.clone() };
        draft.hold(Address::every(Kind::User), reason);
    }
    let listed: BTreeSet<&Email> = input.desired.users.iter().map(|wish| &wish.email).collect();
    let members: BTreeSet<&Email> = input.live.users.items.iter().map(|user| &user.email).collect();
    for (email, invitations) in open {
        let email = *email;
        let alone = invitations.len() == 1;
        for invitation in invitations {
            let ours = listed.contains(email) || input.desired.manage.users == Scope::All;
            match (members.contains(email), ours) {
                // A member has no use for it, and whoever finds the mail has: the link isn't bound to the address.
                (true, true) => {
                    let named = if alone { Named::BesideMember } else { Named::BySpelling };
                    withdraw(invitation, named, Cause::AlreadyMember, None, draft);
                }
                (false, true) if !listed.contains(email) => {
                    let named = if alone { Named::ByAddress } else { Named::BySpelling };
                    withdraw(invitation, named, Cause::NotListed, None, draft);
                }
                (false, false) => {
                    let privileged = book.is_privileged(input.rules, &BTreeSet::from([invitation.role.clone()]));
                    draft.hold(Address::user(email), HoldReason::Unmanaged { privileged });
                }
                // The member is spoken of already, or the entry speaks of the invitation.
                (true, false) | (false, true) => {}
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
