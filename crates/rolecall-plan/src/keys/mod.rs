//! Plans keys: which of them are minted, retired, or enabled again. To retire a key is to disable or delete it,
//! whichever the platform offers.

use std::collections::{BTreeMap, BTreeSet};

mod mint;
mod missing;
mod own;
mod rotation;
mod status;

pub use mint::secret_target;
pub use own::{overlap_end, swap};

use super::PlanInput;
use super::collection;
use super::decision::Decision;
use super::gate::{Accepted, Gate, not_taken};
use mint::{RequestedKey, mint, resolve_key};
pub(super) use own::is_of_own_key;
use rolecall_model::{
    Action, Address, Cause, Change, Code, DesiredKey, Entity, Facts, Finding, HoldReason, Key, KeyName,
    KeyRemoval, Kind, Live, LiveKey, LostMint, ManualStep, MintedKey, Placed, Quirk, RemoteId, Severity, SignIn,
    Until, list_of, quote,
};
pub(super) use rotation::overdue;
pub use rotation::{near_rotations, newly_seen_keys};
pub use status::{
    Delivered, KeyAccess, KeyStage, KeyStatus, Keys, MadeBy, Retirement, Skipped, Step, StepKind, Target,
    TargetState, keys,
};

/// The number of days before the expiry of rolecall's own key from which on a warning is given.
const EXPIRES_SOON: i64 = 30;

/// Checks that the key named in `own` exists and can have made this read.
pub(super) fn check_own(input: &PlanInput<'_>) -> Option<Finding> {
    let Placed { value: id, place } = input.desired.own_key.as_ref()?;
    let wrong = |why: String| {
        Finding::error(Code::WrongOwnKey, place.clone(), why)
            .hint("Set `own.key` to the id of the key that rolecall signs in with. rolecall protects that key.")
    };
    let found = input.live.keys().iter().find(|key| key.id == *id);
    match found {
        None if input.live.is_unreadable_id(Kind::Key, id) || incomplete(input).is_some() => None,
        None => Some(wrong(format!("There is no key with the id {id}."))),
        Some(key) if !key.enabled => Some(wrong(format!("The key {id} is disabled."))),
        Some(key) if has_expired(input, key) => Some(wrong(format!("The key {id} has expired."))),
        Some(_) if input.caller.is_some_and(|caller| caller.is_another(id, input.facts)) => {
            Some(wrong(format!("rolecall doesn't sign in with the key {id}: its secret is another one.")))
        }
        Some(key) if !is_privileged(input, &key.entity()) => {
            Some(wrong(format!("The key {id} isn't allowed to read this organisation.")))
        }
        Some(key) => {
            let days =
                key.expires.map(|expires| expires.days_from(input.now)).filter(|days| *days < EXPIRES_SOON)?;
            let message = format!("rolecall's own key expires in {}.", rotation::plural_days(days));
            let hint = match rotation::successor(input.facts, input.live, id) {
                Some((successor, _)) => format!(
                    "Its successor {successor} is delivered. Store that secret where `credentials` points, and name the successor in `own`."
                ),
                None => {
                    "Create another key, store it where `credentials` points, and name it in `own`.".to_owned()
                }
            };
            Some(Finding::warning(Code::KeyExpires, place.clone(), message).hint(hint))
        }
    }
}

/// Returns whether a key can give access to itself or to others.
pub(super) fn is_privileged(input: &PlanInput<'_>, key: &Key) -> bool {
    key.roles.as_ref().is_some_and(|roles| input.is_admin(roles))
        || key.permissions.as_ref().is_some_and(|permissions| input.rules.is_privileged(permissions))
}

/// Plans all keys.
pub(super) fn plan_keys(input: &PlanInput<'_>, gate: &mut Gate<'_>) {
    if !input.rules.capabilities().kinds.contains(&Kind::Key) {
        if input.rules.has(Quirk::ShowsUnmanagedKeys) {
            return;
        }
        let step = input.rules.manual_step(ManualStep::HandleKeys).to_owned();
        gate.hold(Address::every(Kind::Key), HoldReason::KeysUnsupported { step });
        return;
    }
    let pinned: BTreeSet<&RemoteId> =
        input.desired.keys.iter().filter_map(|desired| desired.id.as_ref()).collect();
    let mut named: BTreeMap<&KeyName, Vec<&LiveKey>> = BTreeMap::new();
    // An expired key doesn't work, although the API may still call it enabled.
    let works = |key: &&LiveKey| key.enabled && !has_expired(input, key);
    for key in input.live.keys().iter().filter(works).filter(|key| !pinned.contains(&key.id)) {
        named.entry(&key.name).or_default().push(key);
    }
    let mut listed: BTreeSet<&KeyName> = BTreeSet::new();
    for desired in &input.desired.keys {
        if desired.id.as_ref().is_some_and(|id| input.live.is_unreadable_id(Kind::Key, id)) {
            continue;
        }
        if desired.id.is_none() && input.live.is_unreadable(&Address::key(&desired.name)) {
            listed.insert(&desired.name);
            continue;
        }
        let namesakes = named.get(&desired.name).map(Vec::as_slice).unwrap_or_default();
        let address = Address::key(&desired.name).with_id(&desired.id);
        let decisions = match &desired.id {
            Some(id) => decide_pinned(input, desired, id),
            None => decide_named(input, desired, namesakes),
        };
        let accepted = gate.accept_entry(&address, decisions);
        if desired.id.is_none() || accepted == Accepted::Erroneous {
            listed.insert(&desired.name);
        }
    }
    for (name, keys) in &named {
        if !listed.contains(name) {
            for key in keys {
                gate.accept(decide_unlisted(input, key, keys.len() > 1));
            }
        }
    }
}

/// Returns the reason to hold a change that depends on the absence of a key, if the list of keys is incomplete.
fn incomplete(input: &PlanInput<'_>) -> Option<HoldReason> {
    input.live.keys.as_ref().and_then(|list| list.completeness.hold_if_incomplete("keys"))
}

fn has_expired(input: &PlanInput<'_>, key: &LiveKey) -> bool {
    key.expires.is_some_and(|expires| expires.is_past(input.now))
}

fn address_of(key: &LiveKey, namesakes: bool) -> Address {
    let address = Address::key(&key.name);
    if namesakes { address.with_id(&key.id) } else { address }
}

fn retire(input: &PlanInput<'_>, key: &LiveKey, address: Address, cause: Cause) -> Change {
    retirement(input.rules.capabilities().key_removal, key.entity(), address, cause)
}

/// Returns the change that retires a key: it disables or deletes it.
pub fn retirement(how: KeyRemoval, before: Key, address: Address, cause: Cause) -> Change {
    let (action, after) = match how {
        KeyRemoval::Disable => (Action::Disable, Some(Entity::Key(Key { enabled: false, ..before.clone() }))),
        KeyRemoval::Delete => (Action::Delete, None),
    };
    Change { address, action, before: Some(Entity::Key(before)), after, cause, effects: Vec::new() }
}

/// Decides about a key that an entry of the file selects by its id.
fn decide_pinned(input: &PlanInput<'_>, desired: &DesiredKey, id: &RemoteId) -> Vec<Decision> {
    let error = |finding: Finding| vec![Decision::Finding(finding)];
    let unknown = |why: String| {
        let namesakes = input.live.keys().iter().filter(|key| key.name == desired.name);
        let ids: Vec<&str> = namesakes.map(|key| key.id.as_str()).collect();
        let hint = match &ids[..] {
            [] => format!("No key has the name {}. Check both.", desired.name),
            ids => format!("A key with the name {} has the id {}.", desired.name, list_of(ids, "or")),
        };
        Finding::error(Code::UnknownId, desired.place.clone(), why).hint(hint)
    };
    let found = input.live.keys().iter().find(|key| key.id == *id);
    let Some(key) = found else {
        if let Some(reason) = incomplete(input) {
            return vec![Decision::Hold(Address::key(&desired.name).with_id(id), reason)];
        }
        let finding = unknown(format!("There is no key with the id {id}."));
        // If the key must be removed, a missing id can mean that this is done. It can also be a typo, so it is a
        // warning.
        return error(if desired.absent { Finding { severity: Severity::Warning, ..finding } } else { finding });
    };
    if key.name != desired.name {
        return error(unknown(format!(
            "The key {id} has the name {}, not {}.",
            quote(key.name.as_str()),
            quote(desired.name.as_str())
        )));
    }
    let address = Address::key(&key.name).with_id(id);
    if desired.absent {
        let retired = key.enabled.then(|| retire(input, key, address, Cause::DeclaredAbsent));
        return retired.map(|change| Decision::change(change, Some(&desired.place))).into_iter().collect();
    }
    let mut decisions = unwritten(input, desired, key, &address);
    let Some(requested) = resolve_key(input, desired).note(&mut decisions) else { return decisions };
    let problem = if differs(&requested, key) {
        let message = format!("The permissions and the expiry of the key {id} can't be changed.");
        Some(
            Finding::error(Code::InvalidValue, desired.place.clone(), message)
                .hint("Remove `id` to create a new key that replaces it, or write the values that it has."),
        )
    } else if has_expired(input, key) {
        let message = format!("The key {id} has expired.");
        Some(
            Finding::error(Code::ExpiryInPast, desired.place.clone(), message)
                .hint("Remove `id` and choose a later `expires` to create a new key that replaces it."),
        )
    } else {
        None
    };
    if let Some(problem) = problem {
        decisions.push(Decision::Finding(problem));
    } else if !key.enabled {
        let before = key.entity();
        let after = Entity::Key(Key { enabled: true, ..before.clone() });
        let change = collection::update(address, Entity::Key(before), after, Cause::Declared);
        decisions.push(Decision::change(Change { action: Action::Enable, ..change }, Some(&desired.place)));
    }
    decisions
}

/// Returns whether a live key differs from what the file requests. Values that the file doesn't set don't count.
fn differs(requested: &RequestedKey, key: &LiveKey) -> bool {
    let RequestedKey { roles, permissions, resources, expires, lifetime: _ } = requested;
    let roles = roles.is_some() && *roles != key.roles;
    let permissions = permissions.is_some() && *permissions != key.permissions;
    let resources = resources.is_some() && *resources != key.resources;
    let expires = expires.is_some() && *expires != key.expires;
    roles || permissions || resources || expires
}

/// Holds a difference in the description. It doesn't change what the key allows, so no new key is minted for it.
fn description(input: &PlanInput<'_>, desired: &DesiredKey, key: &LiveKey) -> Option<Decision> {
    let live = key.description.clone().filter(|text| !text.is_empty());
    let wanted = desired.description.as_ref().filter(|wanted| live.as_ref() != Some(wanted))?;
    if wanted.is_empty() && live.is_none() {
        return None;
    }
    let step = input.rules.manual_step(ManualStep::DescribeKey).to_owned();
    let reason = HoldReason::ManualStep { field: "description".to_owned(), live, desired: wanted.clone(), step };
    Some(Decision::Hold(Address::key(&key.name), reason))
}

/// Decides about a working key whose privileged roles or permissions the file doesn't write. rolecall's own key has
/// them by its nature.
fn unwritten(input: &PlanInput<'_>, desired: &DesiredKey, key: &LiveKey, address: &Address) -> Vec<Decision> {
    let mut decisions = Vec::new();
    if !key.enabled || has_expired(input, key) || input.own_key() == Some(&key.id) {
        return decisions;
    }
    let Key { roles, permissions, .. } = key.entity();
    if let Some(roles) = roles.filter(|roles| desired.roles.is_none() && input.is_admin(roles)) {
        decisions.push(Decision::unwritten(address, &desired.place, "roles", &roles));
    }
    if let Some(permissions) = permissions.filter(|_| desired.permissions.is_none()) {
        let privileged = input.privileged_among(permissions);
        if !privileged.is_empty() {
            decisions.push(Decision::unwritten(address, &desired.place, "permissions", &privileged));
        }
    }
    decisions
}

/// Returns whether rolecall minted this key and lost its secret. A key that signs in has a secret that somebody knows.
fn secret_lost(input: &PlanInput<'_>, key: &LiveKey) -> bool {
    let lost = match input.facts.minted.get(&key.id) {
        Some(minted) => !minted.delivered,
        None => lost_mint(input.facts, key).is_some(),
    };
    lost && !input.is_own_key(&key.id)
}

/// Returns which of the lost keys of one name are retired before another is created. So never more than three work, and
/// never more than two if nobody has the secret of the lost one, however many runs die.
///
/// The newest one that a program may use stays until the new one is delivered. If no other key works that is being
/// replaced, one stays in any case.
pub(super) fn go_first(facts: &Facts, lost: &BTreeSet<RemoteId>, replaces: bool) -> BTreeSet<RemoteId> {
    let (useless, doubtful): (Vec<&RemoteId>, Vec<&RemoteId>) = lost.iter().partition(|id| is_useless(facts, id));
    let newest =
        |ids: &[&RemoteId]| ids.iter().max_by_key(|id| facts.minted.get(**id).map(|it| it.at)).copied().cloned();
    let stays = newest(&doubtful).or_else(|| newest(&useless).filter(|_| !replaces));
    lost.iter().filter(|id| Some(*id) != stays.as_ref()).cloned().collect()
}

/// Returns the cause of the retirement of a lost key.
fn loss(facts: &Facts, id: &RemoteId) -> Cause {
    if is_useless(facts, id) { Cause::SecretLost } else { Cause::DeliveryUnknown }
}

/// Returns whether nobody can have the secret of a key that rolecall minted.
fn is_useless(facts: &Facts, id: &RemoteId) -> bool {
    // Of a key whose answer was lost, nobody had the secret.
    facts.minted.get(id).is_none_or(|minted| !minted.delivered && !minted.doubtful)
}

/// Returns the creation of a key whose answer was lost, if this live key can be what it created.
fn lost_mint<'a>(facts: &'a Facts, key: &LiveKey) -> Option<&'a LostMint> {
    facts.lost_mints.iter().find(|lost| {
        let Key { id: _, name, description: _, roles, permissions, resources, expires, lifetime: _, enabled: _ } =
            &lost.minted.requested;
        *name == key.name
            && *roles == key.roles
            && *permissions == key.permissions
            && *resources == key.resources
            && *expires == key.expires
            && !lost.existed_before.contains(&key.id)
            && lost.candidates.as_ref().is_none_or(|among| among.contains(&key.id))
    })
}

/// Returns the facts when rolecall signs in with a key. Its secret was delivered, although the ledger may not know that: the
/// run may have died between the delivery and the record of it.
pub(super) fn facts_after_sign_in(mut facts: Facts, live: &Live, caller: Option<&SignIn>) -> Facts {
    let Some(id) = caller.and_then(|caller| caller.key(&facts)).cloned() else { return facts };
    let key = live.keys().iter().find(|key| key.id == id);
    let lost = key.and_then(|key| lost_mint(&facts, key)).map(|lost| lost.minted.clone());
    if let Some(minted) = facts.minted.get(&id).cloned().or(lost) {
        facts.minted.insert(id, MintedKey { delivered: true, ..minted });
    }
    facts
}

/// Decides about the keys of one name that an entry of the file means.
fn decide_named(input: &PlanInput<'_>, desired: &DesiredKey, namesakes: &[&LiveKey]) -> Vec<Decision> {
    let retired = |key: &LiveKey, address: Address, cause: Cause| {
        Decision::change(retire(input, key, address, cause), Some(&desired.place))
    };
    let (lost, kept): (Vec<&LiveKey>, Vec<&LiveKey>) = namesakes.iter().partition(|key| secret_lost(input, key));
    let mut decisions: Vec<Decision> =
        lost.iter().map(|key| retired(key, address_of(key, true), loss(input.facts, &key.id))).collect();
    let rule = rotation::rule(input.desired, desired);
    let successor_of = |key: &LiveKey| {
        kept.iter().find_map(|other| {
            let minted = input.facts.minted.get(&other.id)?;
            (minted.delivered && minted.supersedes.contains(&key.id)).then_some((other, minted))
        })
    };
    let mut current = Vec::new();
    for key in &kept {
        match successor_of(key) {
            // Whatever the guardrails say, a key that signs in, or may do so, has to be swapped first.
            Some((by, minted))
                if input.is_own_key(&key.id) || input.own_key().is_none() && rule.is_some_and(|rule| rule.own) =>
            {
                let reason = own::superseded(input, (desired, rule), (key, &by.id, minted));
                decisions.push(Decision::Hold(address_of(key, true), reason));
            }
            Some((_, minted)) if let Some(until) = rotation::overlap(input, rule, (key, minted)) => {
                let reason = HoldReason::Overlap { until: Until::from(until), not_to: not_to(desired, minted) };
                decisions.push(Decision::Hold(address_of(key, true), reason));
            }
            Some((by, minted)) => {
                let cause = Cause::Superseded { by: by.id.clone(), not_to: not_to(desired, minted) };
                decisions.push(retired(key, address_of(key, true), cause));
            }
            None => current.push(*key),
        }
    }
    if desired.absent {
        // There may be others with this name.
        decisions.extend(incomplete(input).map(|reason| Decision::Hold(Address::key(&desired.name), reason)));
        let several = namesakes.len() > 1;
        let removed = current.into_iter().map(|key| retired(key, address_of(key, several), Cause::DeclaredAbsent));
        decisions.extend(removed);
        return decisions;
    }
    for key in &current {
        decisions.extend(unwritten(input, desired, key, &address_of(key, current.len() > 1)));
    }
    let Some(requested) = resolve_key(input, desired).note(&mut decisions) else { return decisions };
    // An earlier apply began to create this key, and its secret was lost.
    let begun = lost.iter().filter(|key| !differs(&requested, key)).map(|key| loss(input.facts, &key.id));
    let begun = begun.max_by_key(|cause| *cause == Cause::DeliveryUnknown);
    let because = |cause| begun.clone().unwrap_or(cause);
    match current.as_slice() {
        [] => {
            // A key that has expired is overdue, so the same runs create its successor as before the expiry.
            let had = |key: &&LiveKey| key.name == desired.name && key.enabled && has_expired(input, key);
            let expired = input.live.keys().iter().filter(had).max_by_key(|key| key.expires);
            let cause = match (rule.filter(|rule| rule.rotates()), expired.filter(|_| kept.is_empty())) {
                (Some(rule), Some(key)) => rotation::cause(rule, rotation::due(input.facts, rule, key)),
                (Some(_) | None, _) => Cause::Declared,
            };
            decisions.extend(mint(input, desired, &requested, None, because(cause)));
        }
        [key] if differs(&requested, key) => match input.facts.minted.get(&key.id) {
            // The platform didn't do what was requested. Requesting it again would only leave one more key each
            // time.
            Some(minted) if !requested.differs_from(&minted.requested) => {
                decisions.push(Decision::Hold(address_of(key, false), not_taken(input, minted.at, None)));
            }
            Some(_) | None => match predecessor(input, key, &kept) {
                Some(predecessor) => {
                    let successor = rotation::successor(input.facts, input.live, &predecessor.id);
                    let until = successor.and_then(|(_, it)| rotation::overlap(input, rule, (predecessor, it)));
                    let predecessor = predecessor.id.clone();
                    let reason = HoldReason::PredecessorWorks { predecessor, until: until.map(Until::from) };
                    decisions.push(Decision::Hold(address_of(key, true), reason));
                }
                None => decisions.extend(mint(input, desired, &requested, Some(key), because(Cause::Declared))),
            },
        },
        [key] => {
            decisions.extend(description(input, desired, key));
            // A key that still has a predecessor waits for its end, so that there are never three.
            let waits = predecessor(input, key, &kept).is_some();
            let step = rule.filter(|_| !waits).and_then(|rule| rotation::step(input, rule, key));
            match step {
                Some(rotation::Step::Replace(cause)) => {
                    decisions.extend(mint(input, desired, &requested, Some(key), because(cause)));
                }
                Some(rotation::Step::Hold(reason)) => {
                    decisions.push(Decision::Hold(address_of(key, false), reason));
                }
                Some(rotation::Step::Warn(finding)) => decisions.push(Decision::Finding(finding)),
                None => {}
            }
        }
        several => decisions.push(Decision::Finding(ambiguous(desired, several, rule.is_some()))),
    }
    decisions
}

/// Returns the finding that several live keys have the name of an entry.
fn ambiguous(desired: &DesiredKey, several: &[&LiveKey], rotates: bool) -> Finding {
    let ids: Vec<_> = several.iter().map(|key| key.id.as_str()).collect();
    let message = format!("{} live keys have the name {}: {}.", several.len(), desired.name, ids.join(", "));
    // With `id`, an entry means one key, which has no successor.
    let hint = if rotates {
        "Leave this entry without `id`, and list each key but the right one with its `id` and `absent: true` beside it, to retire that key."
    } else {
        "Add `id: …` of the right key, and list each other one with its `id` and `absent: true` to retire it."
    };
    Finding::error(Code::AmbiguousKey, desired.place.clone(), message).hint(hint)
}

/// Returns the targets of an entry that didn't get the secret of a key.
fn not_to(desired: &DesiredKey, minted: &MintedKey) -> Vec<String> {
    let named: Vec<String> = desired.deliver.iter().map(|delivery| secret_target(delivery)).collect();
    let missed = minted.receipt.iter().flat_map(|receipt| &receipt.not_to);
    missed.filter(|target| named.contains(target)).cloned().collect()
}

/// Returns a predecessor of a key that still works, whatever entry means it. Until it is retired, no further key is minted,
/// so there are never three.
fn predecessor<'a>(input: &PlanInput<'a>, key: &LiveKey, kept: &[&'a LiveKey]) -> Option<&'a LiveKey> {
    let is_before = |other: &&LiveKey| {
        let minted = input.facts.minted.get(&key.id);
        minted.is_some_and(|minted| minted.supersedes.contains(&other.id))
    };
    let works = |other: &&LiveKey| other.enabled && !has_expired(input, other);
    let of_ledger = input.live.keys().iter().filter(works).find(is_before);
    of_ledger.or_else(|| kept.iter().copied().find(|other| other.id != key.id))
}

/// Decides about a working key that the file doesn't list. If the file names it as `own`, nothing is to be said.
fn decide_unlisted(input: &PlanInput<'_>, key: &LiveKey, namesakes: bool) -> Option<Decision> {
    let address = address_of(key, namesakes);
    if input.own_key() == Some(&key.id) {
        return input.desired.own_key.is_none().then_some(Decision::Hold(address, HoldReason::OwnKey));
    }
    // Nobody can use a key whose secret is lost, so it is retired even if the file doesn't manage unlisted keys.
    let cause = if secret_lost(input, key) { loss(input.facts, &key.id) } else { Cause::NotListed };
    let privileged = is_privileged(input, &key.entity());
    let kept = collection::unlisted(input.desired.manage.keys, &address, privileged, incomplete(input).as_ref())
        .filter(|_| cause == Cause::NotListed);
    Some(kept.unwrap_or_else(|| Decision::change(retire(input, key, address, cause), None)))
}
