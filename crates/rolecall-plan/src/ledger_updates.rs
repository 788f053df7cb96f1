//! What this read adds to what the ledger knows: people who were invited and are there now, changes that were not
//! taken at first and are in effect.

use std::collections::{BTreeMap, BTreeSet};

use super::verify::{Observation, in_effect};
use rolecall_model::{
    Address, Email, Entity, Facts, HeldChange, HoldReason, Live, RemoteId, RoleName, Rules, SentDisable,
};

/// Whom and what a read shows for the first time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// Invited people who are there, and whether as members.
    pub seen: BTreeMap<Email, bool>,
    /// Whom we disabled, and who is no longer listed.
    pub vanished: BTreeMap<RemoteId, Address>,
    /// Whom we disabled, who was gone, and is listed again.
    pub readmitted: BTreeMap<RemoteId, Address>,
    /// Entities whose change has been approved meanwhile.
    pub settled: Vec<Address>,
}

/// Compares what is open in the ledger with what is live. Live wins.
pub fn ledger_updates(facts: &Facts, live: &Live, rules: &dyn Rules) -> Observed {
    // Where the invited aren't listed apart, nobody knows who of those listed has accepted.
    let apart = live.invitations.is_some();
    let invited = live.open_invitations().map(|open| (&open.email, false));
    let members = live.users.items.iter().map(|user| (&user.email, apart));
    let there: BTreeMap<&Email, bool> = invited.chain(members).collect();
    let news = facts.invitations.iter().filter_map(|(email, invitation)| {
        let accepted = *there.get(email)?;
        let new = !invitation.seen || (accepted && !invitation.accepted);
        new.then(|| (email.clone(), accepted))
    });
    let seen = news.collect();
    let listed: BTreeSet<&RemoteId> = live.users.items.iter().map(|user| &user.id).collect();
    let (mut vanished, mut readmitted) = (BTreeMap::new(), BTreeMap::new());
    for (id, SentDisable { email, gone, .. }) in facts.disables.iter().filter(|_| rules.hides_disabled()) {
        let address = Address::user(email).with_id(id);
        match (listed.contains(id), *gone) {
            (true, true) => {
                readmitted.insert(id.clone(), address);
            }
            (false, false) if !live.users.completeness.is_broken() => {
                vanished.insert(id.clone(), address);
            }
            (true | false, _) => {}
        }
    }
    let in_effect =
        facts.not_taken.iter().filter(|earlier| in_effect(&earlier.change, None, live) == Observation::InEffect);
    let settled = in_effect.map(|earlier| earlier.change.address.clone()).collect();
    Observed { seen, vanished, readmitted, settled }
}

/// The facts with what this read shows.
pub(super) fn facts_after_read(facts: &Facts, live: &Live, rules: &dyn Rules) -> Facts {
    let Observed { seen, vanished, readmitted, settled } = ledger_updates(facts, live, rules);
    let mut facts = facts.clone();
    for (email, accepted) in seen {
        facts.see_invited(&email, accepted);
    }
    for id in vanished.keys() {
        facts.miss_disabled(id);
    }
    for id in readmitted.keys() {
        facts.see_readmitted(id);
    }
    for address in settled {
        facts.settle(&address);
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
