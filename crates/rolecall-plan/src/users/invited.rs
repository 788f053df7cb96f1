//! Open invitations: who waits, and which of them the file doesn't want.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::super::PlanInput;
use super::super::draft::Draft;
use super::super::roles::RoleBook;
use super::Invitations;
use rolecall_model::{
    Action, Address, Cause, Change, Chore, DesiredUser, Email, Entity, HoldReason, Kind, LiveInvitation, LiveUser,
    Place, RemoteId, RoleName, Scope,
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

impl Named {
    /// How each of these is named.
    pub fn among(invitations: &[&LiveInvitation]) -> Self {
        if invitations.len() > 1 { Self::BySpelling } else { Self::ByAddress }
    }
}

/// What an invitation is called.
pub(super) fn address(invitation: &LiveInvitation, named: Named) -> Address {
    let address = Address::user(&invitation.email);
    match named {
        Named::ByAddress => address,
        Named::BesideMember => address.with_id(&RemoteId::seen("invitation")),
        Named::BySpelling => address.with_id(&RemoteId::seen(format!("invitation:{}", invitation.email))),
    }
}

/// When an invitation was made, by the platform or else by the ledger.
pub(super) fn since(input: &PlanInput<'_>, invitation: &LiveInvitation) -> Option<Timestamp> {
    let ours = input.facts.invitations.get(&invitation.email);
    invitation.created.or(ours.map(|ours| ours.at))
}

/// Who is invited where no call changes an invitation.
pub(super) fn hold_open(
    input: &PlanInput<'_>,
    wish: &DesiredUser,
    open: &[&LiveInvitation],
    draft: &mut Draft<'_>,
) {
    let step = input.rules.by_hand(Chore::HandleInvitation);
    for invitation in open {
        let wished = wish.roles.as_deref().filter(|roles| !roles.contains(&invitation.role));
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
        draft.hold(address(invitation, Named::among(open)), reason);
    }
}

/// Plans to cancel an invitation, where that can be done.
pub(super) fn withdraw(
    input: &PlanInput<'_>,
    invitation: &LiveInvitation,
    named: Named,
    cause: Cause,
    place: Option<&Place>,
    draft: &mut Draft<'_>,
) {
    let address = address(invitation, named);
    if !input.rules.changes_invitations() {
        let step = input.rules.by_hand(Chore::HandleInvitation).to_owned();
        draft.hold(address, HoldReason::InvitationStands { since: since(input, invitation), step });
        return;
    }
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

/// Somebody stays who is in, and has an invitation that no call takes back.
fn beside_member(input: &PlanInput<'_>, invitation: &LiveInvitation, member: &[&LiveUser]) -> HoldReason {
    let role = BTreeSet::from([invitation.role.clone()]);
    let harmless = member.iter().all(|user| input.covers(&user.roles, &role));
    let step = input.rules.by_hand(Chore::HandleInvitation).to_owned();
    HoldReason::InvitationBesideMember { role: invitation.role.clone(), harmless, step }
}

/// Invitations of people whom the file doesn't list.
pub(super) fn plan_unlisted_invitations(
    input: &PlanInput<'_>,
    invitations: &Invitations<'_>,
    book: &RoleBook,
    draft: &mut Draft<'_>,
) {
    let list = input.live.invitations.as_ref();
    if let Some(reason) = list.and_then(|list| list.completeness.unreadable("invitations"))
        && input.desired.manage.users == Scope::All
    {
        // Who is invited and isn't listed has to go, and nobody knows who that is.
        draft.hold(Address::every(Kind::User), reason);
    }
    let listed: BTreeSet<&Email> = input.desired.users.iter().map(|wish| &wish.email).collect();
    let stays: BTreeSet<&Email> =
        input.desired.users.iter().filter(|wish| !wish.absent).map(|wish| &wish.email).collect();
    let mut members: BTreeMap<&Email, Vec<&LiveUser>> = BTreeMap::new();
    for user in &input.live.users.items {
        members.entry(&user.email).or_default().push(user);
    }
    for email in invitations.expired.keys().copied().filter(|email| !invitations.open.contains_key(email)) {
        let ours = input.desired.manage.users == Scope::All;
        if members.contains_key(email) || listed.contains(email) {
            continue;
        }
        let step = input.rules.by_hand(Chore::HandleInvitation).to_owned();
        let expired = HoldReason::InvitationExpired { wanted: false, step };
        let foreign = HoldReason::Unmanaged { privileged: false };
        draft.hold(Address::user(email), if ours { expired } else { foreign });
    }
    let broken = input.live.people_unreadable();
    for (email, invitations) in &invitations.open {
        let email = *email;
        for invitation in invitations {
            let ours = listed.contains(email) || input.desired.manage.users == Scope::All;
            let member = members.get(email);
            match (member.is_some(), ours) {
                // A member has no use for it, and whoever finds the mail has: the link isn't bound to the address.
                (true, true) => {
                    let named = match Named::among(invitations) {
                        Named::ByAddress => Named::BesideMember,
                        several => several,
                    };
                    if let Some(member) =
                        member.filter(|_| stays.contains(email) && !input.rules.changes_invitations())
                    {
                        draft.hold(address(invitation, named), beside_member(input, invitation, member));
                        continue;
                    }
                    withdraw(input, invitation, named, Cause::AlreadyMember, None, draft);
                }
                (false, true) if !listed.contains(email) => {
                    let named = Named::among(invitations);
                    if let Some(reason) = &broken {
                        draft.hold(address(invitation, named), reason.clone());
                        continue;
                    }
                    withdraw(input, invitation, named, Cause::NotListed, None, draft);
                }
                (false, false) => {
                    let privileged = book.is_privileged(input, &BTreeSet::from([invitation.role.clone()]));
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
