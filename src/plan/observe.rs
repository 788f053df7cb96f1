//! What this read adds to what the ledger knows: people who were invited and are there now, changes that were not
//! taken at first and are in effect.

use std::collections::{BTreeMap, BTreeSet};

use super::effect::{Effectiveness, in_effect};
use crate::model::{
    Address, Email, Entity, Facts, HeldChange, HoldReason, Live, RemoteId, RoleName, Seen, SentDisable, User,
};

/// Whom and what a read shows for the first time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// Invited people who are there, and whether as members; and whom we disabled and another hand has let in again.
    pub seen: BTreeMap<Address, bool>,
    /// Whom we disabled, and who is no longer listed.
    pub gone: BTreeSet<Address>,
    /// Entities whose change has been approved meanwhile.
    pub settled: Vec<Address>,
}

/// Compares what is open in the ledger with what is live. Live wins.
pub fn observe(facts: &Facts, live: &Live) -> Observed {
    // Where the invited aren't listed apart, nobody knows who of those listed has accepted.
    let apart = live.invitations.is_some();
    let invited = live.open_invitations().map(|open| (&open.email, false));
    let members = live.users.items.iter().map(|user| (&user.email, apart));
    let there: BTreeMap<&Email, bool> = invited.chain(members).collect();
    let news = facts.invitations.iter().filter_map(|(email, invitation)| {
        let accepted = *there.get(email)?;
        let new = !invitation.seen || (accepted && !invitation.accepted);
        new.then(|| (Address::user(email), accepted))
    });
    let mut seen: BTreeMap<Address, bool> = news.collect();
    let mut gone = BTreeSet::new();
    let listed: BTreeMap<&RemoteId, Seen<bool>> =
        live.users.items.iter().map(|user| (&user.id, user.enabled)).collect();
    for (id, SentDisable { email, gone: was_gone, .. }) in &facts.disables {
        let address = Address::user(email).with_id(id);
        match listed.get(id) {
            Some(Seen::Known(true)) if *was_gone => {
                seen.insert(address, true);
            }
            None if !was_gone && !live.users.completeness.is_broken() => {
                gone.insert(address);
            }
            Some(_) | None => {}
        }
    }
    let in_effect =
        facts.not_taken.iter().filter(|earlier| in_effect(&earlier.change, None, live) == Effectiveness::InEffect);
    let settled = in_effect.map(|earlier| earlier.change.address.clone()).collect();
    Observed { seen, gone, settled }
}

/// The facts with what this read shows.
pub(super) fn updated(facts: &Facts, live: &Live) -> Facts {
    let Observed { seen, gone, settled } = observe(facts, live);
    let mut facts = facts.clone();
    for (address, accepted) in seen {
        facts.see(&address, accepted);
    }
    for address in gone {
        facts.miss(&address);
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
    // What was out of sight shows, or the list is whole again and it isn't there.
    let whole = live.roles.as_ref().is_none_or(|list| !list.completeness.is_broken());
    let listed: BTreeSet<&RoleName> = live.roles().iter().map(|role| &role.name).collect();
    let hidden = |held: &HeldChange| match (&held.reason, held.change.entity()) {
        (HoldReason::RoleExistsUnlisted, Some(Entity::Role(role))) => !whole && !listed.contains(&role.name),
        _ => true,
    };
    facts.held.retain(|_, held| hidden(held));
    facts
}
