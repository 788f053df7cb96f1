//! Decides when a key is replaced because of its age.
//!
//! For example, a file says `max_age: 90d, overlap: 3d`. 87 days after the key was created, a plan creates its successor and
//! delivers the secret. Both work for three days. Then a plan retires the old key, which is 90 days old. If a run is missed,
//! the next one takes the step.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::super::PlanInput;
use rolecall_model::{
    Address, Cause, Desired, DesiredKey, Ending, EndingAccess, Facts, Live, LiveKey, MintedKey, NearEnding,
    RemoteId, Rotation, Until,
};

/// Returns the rule for a key, if an entry has one.
pub(super) fn rule<'a>(desired: &'a Desired, key: &DesiredKey) -> Option<&'a Rotation> {
    desired.rotations.get(&Address::key(&key.name)).filter(|_| key.id.is_none())
}

/// Returns the time from which the age of a key counts: its creation, as the API or the ledger tells it, or else the first
/// time that an apply saw it. `None` if no apply has seen it.
pub(super) fn born(facts: &Facts, key: &LiveKey) -> Option<Timestamp> {
    created(facts, key).or_else(|| facts.keys_seen.get(&key.id).copied())
}

/// Returns the time of a key's creation, as the API or the ledger tells it.
pub(super) fn created(facts: &Facts, key: &LiveKey) -> Option<Timestamp> {
    key.created.or_else(|| facts.minted.get(&key.id).map(|minted| minted.at))
}

/// Returns the time at which the successor of a key is due. `None` if nothing tells its age.
pub(super) fn due(facts: &Facts, rule: &Rotation, key: &LiveKey) -> Option<Timestamp> {
    Some(born(facts, key)?.saturating_add(rule.max_age - rule.overlap).unwrap_or(Timestamp::MAX))
}

/// Returns why a key is to be replaced now, if its age says so.
pub(super) fn replaced(input: &PlanInput<'_>, rule: &Rotation, key: &LiveKey) -> Option<Cause> {
    (due(input.facts, rule, key)? <= input.now)
        .then_some(Cause::DueForRotation { automatically: rule.automatically })
}

/// Returns the time until which the predecessor of a key still works, if that is in the future.
pub(super) fn overlap(input: &PlanInput<'_>, rule: Option<&Rotation>, successor: &MintedKey) -> Option<Timestamp> {
    let until = successor.at.saturating_add(rule?.overlap).ok()?;
    (input.now < until).then_some(until)
}

/// Returns the keys whose successors are due within the horizon, and those that are to be retired then.
pub fn near_rotations<'a>(
    desired: &'a Desired,
    live: &'a Live,
    facts: &'a Facts,
    (now, horizon): (Timestamp, SignedDuration),
) -> impl Iterator<Item = NearEnding> + 'a {
    let keys = desired.keys.iter().filter(|key| !key.absent);
    let ruled = keys.filter_map(|key| Some((key, rule(desired, key)?)));
    ruled.flat_map(move |(key, rule)| {
        let named = live.keys().iter().filter(|live| live.name == key.name && live.enabled);
        named.filter_map(move |live| {
            let successor = successor(facts, &live.id);
            let (at, what) = match successor {
                Some((_, successor)) => (successor.at.saturating_add(rule.overlap).ok()?, EndingAccess::Overlap),
                None => (due(facts, rule, live)?, EndingAccess::Age),
            };
            let left = at.duration_since(now);
            let address = Address::key(&key.name);
            let ending = Ending { until: Until::from(at), address, what, place: rule.place.to_string() };
            (left.is_positive() && left <= horizon).then(|| NearEnding { ending, days: left.as_hours() / 24 })
        })
    })
}

/// Returns the keys that no apply has seen before, where nothing else tells their age.
pub fn newly_seen_keys(facts: &Facts, live: &Live) -> BTreeSet<Address> {
    let is_new = |key: &&LiveKey| born(facts, key).is_none();
    live.keys().iter().filter(is_new).map(|key| Address::key(&key.name).with_id(&key.id)).collect()
}

/// Returns the delivered successor of a key.
pub(super) fn successor<'a>(facts: &'a Facts, id: &RemoteId) -> Option<(&'a RemoteId, &'a MintedKey)> {
    facts.minted.iter().find(|(_, minted)| minted.delivered && minted.supersedes.contains(id))
}
