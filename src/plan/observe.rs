//! What this read adds to what the ledger knows: people who were invited and are there now, changes that were not
//! taken at first and are in effect.

use std::collections::BTreeSet;

use super::effect::{Effectiveness, in_effect};
use crate::model::{Address, Email, Entity, Facts, InvitationState, Live, Seen, User};

/// Whom and what a read shows for the first time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// Invited people who are in the list.
    pub seen: Vec<Email>,
    /// Entities whose change has been approved meanwhile.
    pub settled: Vec<Address>,
}

/// Compares what is open in the ledger with what is live. Live wins.
pub fn observe(facts: &Facts, live: &Live) -> Observed {
    let members = live.users.items.iter().map(|user| &user.email);
    let there: BTreeSet<&Email> = members.chain(live.invitations().iter().map(|open| &open.email)).collect();
    let unseen = facts.invitations.iter().filter(|(_, invitation)| !invitation.seen);
    let seen = unseen.map(|(email, _)| email).filter(|email| there.contains(email)).cloned().collect();
    let in_effect =
        facts.not_taken.iter().filter(|earlier| in_effect(&earlier.change, None, live) == Effectiveness::InEffect);
    Observed { seen, settled: in_effect.map(|earlier| earlier.change.address.clone()).collect() }
}

/// The facts with what this read shows.
pub(super) fn updated(facts: &Facts, live: &Live) -> Facts {
    let Observed { seen, settled } = observe(facts, live);
    let mut facts = facts.clone();
    for email in seen {
        if let Some(invitation) = facts.invitations.get_mut(&email) {
            invitation.seen = true;
            invitation.state = InvitationState::Sent;
        }
    }
    for address in settled {
        let Some(index) = facts.not_taken.iter().position(|earlier| earlier.change.address == address) else {
            continue;
        };
        let earlier = facts.not_taken.remove(index);
        if let Some(Entity::User(User { id: Some(id), enabled: Seen::Known(enabled), .. })) = earlier.change.after
        {
            facts.enabled_sent.insert(id, enabled);
        }
    }
    facts
}
