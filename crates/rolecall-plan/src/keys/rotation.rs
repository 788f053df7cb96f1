//! Decides when a key is replaced because of its age or its expiry.
//!
//! For example, a file says `max_age: 90d, overlap: 3d`. 87 days after the key was created, a plan creates its successor and
//! delivers the secret. Both work for three days. Then a plan retires the old key, which is 90 days old. If a run is missed,
//! the next one takes the step.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::super::PlanInput;
use super::{EXPIRES_SOON, has_expired, is_privileged};
use rolecall_model::{
    Action, Address, Cause, Change, Code, Desired, DesiredKey, Ending, EndingAccess, Entity, Expiry, Facts,
    Finding, HoldReason, Kind, Live, LiveKey, MintedKey, NearEnding, RemoteId, Rotation, Until,
};

/// The shortest time after which a step is overdue. Until then, the next run of a daily schedule may take it.
const GRACE: SignedDuration = SignedDuration::from_hours(2 * 24);

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

/// Returns the time at which the successor of a key is due: by its age or before its expiry, whichever is earlier. `None` if
/// nothing tells.
pub(super) fn due(facts: &Facts, rule: &Rotation, key: &LiveKey) -> Option<Timestamp> {
    let later = |at: Timestamp, by: SignedDuration| at.saturating_add(by).unwrap_or(Timestamp::MAX);
    let by_age = rule.max_age.and_then(|max_age| Some(later(born(facts, key)?, max_age - rule.overlap)));
    let expiry = |before: SignedDuration| {
        let expires = Timestamp::from_second(key.expires?.as_second()).unwrap_or(Timestamp::MAX);
        expires.saturating_sub(before).ok()
    };
    let by_expiry = rule.rotate_before.and_then(expiry);
    [by_age, by_expiry].into_iter().flatten().min()
}

/// Returns the time from which a successor is overdue: the overlap after it was due, or two days if that is longer, and never
/// later than the expiry. It is later if a run didn't know the rule yet. `None` if nothing tells.
fn deadline(facts: &Facts, rule: Option<&Rotation>, key: &LiveKey) -> Option<Timestamp> {
    let overlap = rule.map_or(SignedDuration::ZERO, |rule| rule.overlap);
    let due = rule.and_then(|rule| due(facts, rule, key));
    let by_rule = due.and_then(|due| due.checked_add(overlap.max(GRACE)).ok());
    let expiry = key.expires.and_then(|expires| Timestamp::from_second(expires.as_second()).ok());
    let deadline = by_rule.into_iter().chain(expiry).min()?;
    let due = due.into_iter().chain(expiry).min()?;
    later_if_new(facts, key, (due, overlap.max(GRACE)), deadline)
}

/// Returns a deadline, or a later one if a run has found nothing to do for the key after the step was due. Its file had no such
/// rule yet, so the schedule has the same time from that run on.
fn later_if_new(
    facts: &Facts,
    key: &LiveKey,
    (due, grace): (Timestamp, SignedDuration),
    deadline: Timestamp,
) -> Option<Timestamp> {
    let Address { kind, name, .. } = Address::key(&key.name);
    let is_it = |other: &Address| other.kind == kind && (other.name == name || other.name == "*");
    let mut runs = facts.finished.iter().rev().take_while(|run| run.at >= due);
    let Some(run) = runs.find(|run| !run.differing.iter().any(is_it)) else { return Some(deadline) };
    Some(deadline.max(run.at.checked_add(grace).ok()?))
}

/// Returns the address of a change that a schedule should have made, and the time since which it is overdue.
///
/// For example, a key with `max_age: 90d, overlap: 3d` is due for 87 days. If no run has created its successor after 90 days,
/// the schedule of `apply --leftovers` has stopped, and `drift` says so. Without a ledger, no run has known the rule yet, so
/// nothing is overdue.
pub fn overdue(input: &PlanInput<'_>, change: &Change) -> Option<(Address, Timestamp)> {
    let PlanInput { desired, live, facts, now, .. } = *input;
    if change.address.kind != Kind::Key || !change.is_leftover() || !facts.ledger_found {
        return None;
    }
    let name = Address { id: None, ..change.address.clone() };
    let entry = desired.keys.iter().find(|entry| entry.id.is_none() && Address::key(&entry.name) == name)?;
    let rule = rule(desired, entry).filter(|rule| rule.automatically);
    let is_meant = |key: &&LiveKey| match change.before.as_ref().and_then(Entity::id) {
        Some(id) => key.id == *id,
        None => key.name == entry.name && key.enabled && has_expired(input, key),
    };
    let key = live.keys().iter().filter(is_meant).max_by_key(|key| key.expires)?;
    let deadline = match (change.action, &change.cause) {
        (Action::Create, _) => deadline(facts, rule, key),
        (_, Cause::Superseded { .. }) => {
            let (_, successor) = successor(facts, live, &key.id)?;
            let end = overlap_end(rule?.overlap, key.expires, successor.at)?;
            later_if_new(facts, key, (end, GRACE), end.checked_add(GRACE).ok()?)
        }
        _ => None,
    };
    let since = Timestamp::from_second(deadline.filter(|at| *at <= now)?.as_second()).ok()?;
    Some((change.address.clone(), since))
}

/// Returns the cause of a successor that is due since this time.
pub(super) fn cause(rule: &Rotation, since: Option<Timestamp>) -> Cause {
    let since = since.and_then(|since| Timestamp::from_second(since.as_second()).ok());
    Cause::DueForRotation { automatically: rule.automatically, since }
}

/// Returns whether rolecall signs in with a key: surely, or maybe. Where nothing tells which key signs in, it can be every
/// privileged one. `None` if it is surely another one.
pub(super) fn signs_in(input: &PlanInput<'_>, key: &LiveKey) -> Option<Certainty> {
    match input.own_key() {
        Some(own) => (*own == key.id).then_some(Certainty::Surely),
        None => is_privileged(input, &key.entity()).then_some(Certainty::Maybe),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Certainty {
    Surely,
    Maybe,
}

/// The decision about a key that has no successor.
pub(super) enum Step {
    Replace(Cause),
    Hold(HoldReason),
    Warn(Finding),
}

/// Decides about a key that has no successor. `None` if nothing is to be done or said.
pub(super) fn step(input: &PlanInput<'_>, rule: &Rotation, key: &LiveKey) -> Option<Step> {
    if !rule.rotates() {
        return ends_soon(input, rule, key).map(Step::Warn);
    }
    match due(input.facts, rule, key) {
        Some(due) if due <= input.now => Some(match signs_in(input, key).filter(|_| !rule.own) {
            Some(certainty) => {
                let deadline = deadline(input.facts, Some(rule), key).filter(|at| *at <= input.now);
                let overdue = deadline.filter(|_| certainty == Certainty::Surely).map(Until::from);
                Step::Hold(HoldReason::OwnKeyDue { maybe: certainty == Certainty::Maybe, overdue })
            }
            None => Step::Replace(cause(rule, Some(due))),
        }),
        Some(_) | None if rule.max_age.is_some() && born(input.facts, key).is_none() => {
            Some(Step::Hold(HoldReason::KeyAgeUnknown))
        }
        Some(_) | None => None,
    }
}

/// Returns a warning if a key expires soon that no rule replaces.
fn ends_soon(input: &PlanInput<'_>, rule: &Rotation, key: &LiveKey) -> Option<Finding> {
    let days = key.expires?.days_from(input.now);
    let lifetime = rule.lifetime?.duration().as_hours() / 24;
    let message = format!("The key {} expires in {}, and no rule replaces it.", key.name, plural_days(days));
    let finding = Finding::warning(Code::KeyExpires, rule.place.clone(), message);
    (days < EXPIRES_SOON.min(lifetime / 3)).then(|| {
        finding.hint("Add `rotate_before`, such as `rotate_before: 14d`. A plan then creates its successor.")
    })
}

/// Returns a number of days in words.
pub(super) fn plural_days(days: i64) -> String {
    format!("{days} {}", if days == 1 { "day" } else { "days" })
}

/// Returns the end of the overlap of a key with its successor, if that is in the future.
pub(super) fn overlap(
    input: &PlanInput<'_>,
    rule: Option<&Rotation>,
    (key, successor): (&LiveKey, &MintedKey),
) -> Option<Timestamp> {
    overlap_end(rule?.overlap, key.expires, successor.at).filter(|until| input.now < *until)
}

/// Returns the time until which a key works beside a successor that was created at this time: the overlap, or its own
/// expiry if that is earlier.
pub(super) fn overlap_end(
    overlap: SignedDuration,
    expires: Option<Expiry>,
    created: Timestamp,
) -> Option<Timestamp> {
    let end = created.saturating_add(overlap).ok();
    end.into_iter().chain(expires.and_then(|expires| Timestamp::from_second(expires.as_second()).ok())).min()
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
        let all = live;
        let named = all.keys().iter().filter(|live| live.name == key.name && live.enabled);
        named.filter_map(move |live| {
            let successor = successor(facts, all, &live.id);
            let (at, what) = match successor {
                Some((_, successor)) => {
                    (overlap_end(rule.overlap, live.expires, successor.at)?, EndingAccess::Overlap)
                }
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

/// Returns the delivered successor of a key, if it is enabled.
pub(super) fn successor<'a>(
    facts: &'a Facts,
    live: &Live,
    id: &RemoteId,
) -> Option<(&'a RemoteId, &'a MintedKey)> {
    let is_enabled = |id: &RemoteId| live.keys().iter().any(|key| key.id == *id && key.enabled);
    let mut successors =
        facts.minted.iter().filter(|(_, minted)| minted.delivered && minted.supersedes.contains(id));
    successors.find(|(successor, _)| is_enabled(successor))
}
