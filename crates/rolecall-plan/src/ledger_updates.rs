//! Compares what the ledger knows with what a read shows. A read can show that an invited user has joined, that a
//! disabled user is gone or back, or that a change that had no effect at first is in effect now.
//!
//! It is a part of resuming after a kill, because the ledger alone can't tell what happened after its last line.
//! For example, a run was killed after it had sent an invitation to Jane and before the answer. The ledger's facts
//! call her invitation unsure. If the next read lists her invitation, it is known to be sent; if it lists her as a
//! member, it is known to be accepted. Live wins over the ledger.

use std::collections::{BTreeMap, BTreeSet};

use super::verify::{Observation, in_effect};
use rolecall_model::{
    Address, Email, Entity, Facts, HeldChange, HoldReason, Kind, Live, LiveUser, Quirk, RemoteId, RoleName, Rules,
    SentDisable,
};

/// The facts that a read shows for the first time, to be recorded in the ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// Invited users that the read shows. The value says whether they are members.
    pub seen: BTreeMap<Email, bool>,
    /// Users that rolecall disabled and that are no longer listed.
    pub vanished: BTreeMap<RemoteId, Address>,
    /// Users that rolecall disabled, that were no longer listed, and that are listed again.
    pub readmitted: BTreeMap<RemoteId, Address>,
    /// Entities whose change had no effect at first and is in effect now, for example because somebody approved
    /// it.
    pub settled: Vec<Address>,
}

/// Returns what a read adds to the facts of the ledger.
pub fn ledger_updates(facts: &Facts, live: &Live, rules: &dyn Rules) -> Observed {
    // If the platform doesn't list invitations, a listed user may be a member or only invited.
    let lists_members_only = live.invitations.is_some();
    let invited = live.open_invitations().map(|open| (&open.email, false));
    let members = live.users.items.iter().map(|user| (&user.email, lists_members_only));
    // Nobody is looked up if the ledger knows no invitation.
    let asked = !facts.invitations.is_empty();
    let shown: BTreeMap<&Email, bool> = invited.chain(members).filter(|_| asked).collect();
    let newly_seen = facts.invitations.iter().filter_map(|(email, invitation)| {
        let accepted = *shown.get(email)?;
        let new = !invitation.was_shown() || (accepted && !invitation.was_accepted());
        new.then(|| (email.clone(), accepted))
    });
    let seen = newly_seen.collect();
    let asked = !facts.disables.is_empty();
    let listed: BTreeSet<&RemoteId> = live.users.items.iter().map(|user| &user.id).filter(|_| asked).collect();
    let (mut vanished, mut readmitted) = (BTreeMap::new(), BTreeMap::new());
    for (id, SentDisable { email, unlisted, .. }) in
        facts.disables.iter().filter(|_| rules.has(Quirk::HidesDisabled))
    {
        let address = Address::user(email).with_id(id);
        match (listed.contains(id), *unlisted) {
            (true, true) => {
                readmitted.insert(id.clone(), address);
            }
            (false, false)
                if !live.users.completeness.is_incomplete() && !live.is_unreadable_id(Kind::User, id) =>
            {
                vanished.insert(id.clone(), address);
            }
            (true | false, _) => {}
        }
    }
    let in_effect =
        facts.not_taken.values().filter(|earlier| in_effect(&earlier.change, None, live) == Observation::InEffect);
    let settled = in_effect.map(|earlier| earlier.change.address.clone()).collect();
    Observed { seen, vanished, readmitted, settled }
}

/// Returns the users whom no earlier apply has recorded, or recorded with another address.
pub fn newly_listed(facts: &Facts, live: &Live) -> BTreeSet<Address> {
    let is_known = |user: &LiveUser| facts.members.get(&user.id).is_some_and(|known| known.email == user.email);
    let new = live.users.items.iter().filter(|user| !is_known(user));
    new.map(|user| Address::user(&user.email).with_id(&user.id)).collect()
}

/// Returns the facts of the ledger, updated by what a read shows.
pub(super) fn facts_after_read(mut facts: Facts, live: &Live, rules: &dyn Rules) -> Facts {
    let Observed { seen, vanished, readmitted, settled } = ledger_updates(&facts, live, rules);
    for (email, accepted) in seen {
        facts.record_seen(&email, accepted);
    }
    for id in vanished.keys() {
        facts.record_unlisted(id);
    }
    for id in readmitted.keys() {
        facts.record_readmitted(id);
    }
    for address in settled {
        facts.record_in_effect(&address);
    }
    // The hold of a role that was missing from an incomplete list ends once the role is listed, or the list is
    // complete.
    let complete = live.roles.as_ref().is_none_or(|list| !list.completeness.is_incomplete());
    let listed: BTreeSet<&RoleName> =
        live.roles().iter().filter(|role| role.renamed_from.is_none()).map(|role| &role.name).collect();
    let still_hidden = |held: &HeldChange| match (&held.reason, held.change.entity()) {
        (HoldReason::RoleExistsUnlisted, Some(Entity::Role(role))) => !complete && !listed.contains(&role.name),
        _ => true,
    };
    facts.held.retain(|_, held| still_hidden(held));
    facts
}
