//! Plans keys: which of them are minted, retired, or enabled again. To retire a key is to disable or delete it,
//! whichever the platform offers.

use std::collections::{BTreeMap, BTreeSet};

mod mint;

use super::PlanInput;
use super::builder::PlanBuilder;
use mint::{RequestedKey, mint, resolve_key};
use rolecall_model::{
    Action, Address, Cause, Change, Code, DesiredKey, Entity, Finding, HoldReason, Key, KeyName, KeyRemoval, Kind,
    LiveKey, ManualStep, Placed, Quirk, RemoteId, Scope, Severity, list_of, quote,
};

/// The number of days before the expiry of rolecall's own key from which on a warning is given.
const EXPIRES_SOON: i64 = 30;

/// Checks that the key named in `own` exists and can have made this read.
pub(super) fn check_own(input: &PlanInput<'_>, builder: &mut PlanBuilder<'_>) {
    let Some(Placed { value: id, place }) = &input.desired.own_key else { return };
    let wrong = |why: String| {
        Finding::error(Code::WrongOwnKey, place.clone(), why)
            .hint("Set `own.key` to the id of the key that rolecall signs in with. rolecall protects that key.")
    };
    let found = input.live.keys().iter().find(|key| key.id == *id);
    match found {
        None if input.live.is_unreadable_id(Kind::Key, id) => {}
        None if incomplete(input).is_some() => {}
        None => builder.findings.push(wrong(format!("There is no key with the id {id}."))),
        Some(key) if !key.enabled => builder.findings.push(wrong(format!("The key {id} is disabled."))),
        Some(key) if has_expired(input, key) => builder.findings.push(wrong(format!("The key {id} has expired."))),
        Some(key) if !is_privileged(input, &key.entity()) => {
            builder.findings.push(wrong(format!("The key {id} isn't allowed to read this organisation.")));
        }
        Some(key) => {
            let days = key.expires.map(|expires| expires.days_from(input.now));
            if let Some(days) = days.filter(|days| *days < EXPIRES_SOON) {
                builder.findings.push(
                    Finding::warning(
                        Code::KeyExpires,
                        place.clone(),
                        format!(
                            "rolecall's own key expires in {days} {}.",
                            if days == 1 { "day" } else { "days" }
                        ),
                    )
                    .hint("Create another key, store it where `credentials` points, and name it in `own`."),
                );
            }
        }
    }
}

/// Returns whether a key can give access to itself or to others.
pub(super) fn is_privileged(input: &PlanInput<'_>, key: &Key) -> bool {
    key.roles.as_ref().is_some_and(|roles| input.is_admin(roles))
        || key.permissions.as_ref().is_some_and(|permissions| input.rules.is_privileged(permissions))
}

/// Plans all keys.
pub(super) fn plan_keys(input: &PlanInput<'_>, builder: &mut PlanBuilder<'_>) {
    if !input.rules.capabilities().kinds.contains(&Kind::Key) {
        if input.rules.has(Quirk::ShowsUnmanagedKeys) {
            return;
        }
        let step = input.rules.manual_step(ManualStep::HandleKeys).to_owned();
        builder.hold(Address::every(Kind::Key), HoldReason::KeysUnsupported { step });
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
        let is_planned = builder.entry(&address, |builder| match &desired.id {
            Some(id) => plan_pinned(input, desired, id, builder),
            None => plan_named(input, desired, namesakes, builder),
        });
        if desired.id.is_none() || !is_planned {
            listed.insert(&desired.name);
        }
    }
    for (name, keys) in &named {
        if !listed.contains(name) {
            for key in keys {
                plan_unlisted(input, key, keys.len() > 1, builder);
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

fn plan_pinned(input: &PlanInput<'_>, desired: &DesiredKey, id: &RemoteId, builder: &mut PlanBuilder<'_>) {
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
            builder.hold(Address::key(&desired.name).with_id(id), reason);
            return;
        }
        let finding = unknown(format!("There is no key with the id {id}."));
        // If the key must be removed, a missing id can mean that this is done. It can also be a typo, so it is a
        // warning.
        builder.findings.push(if desired.absent {
            Finding { severity: Severity::Warning, ..finding }
        } else {
            finding
        });
        return;
    };
    if key.name != desired.name {
        builder.findings.push(unknown(format!(
            "The key {id} has the name {}, not {}.",
            quote(key.name.as_str()),
            quote(desired.name.as_str())
        )));
        return;
    }
    let address = Address::key(&key.name).with_id(id);
    if desired.absent {
        if key.enabled {
            builder.change(retire(input, key, address, Cause::DeclaredAbsent), Some(&desired.place));
        }
        return;
    }
    hold_unwritten(input, desired, key, &address, builder);
    let Some(requested) = resolve_key(input, desired, builder) else { return };
    if differs(&requested, key) {
        builder.findings.push(
            Finding::error(
                Code::InvalidValue,
                desired.place.clone(),
                format!("The permissions and the expiry of the key {id} can't be changed."),
            )
            .hint("Remove `id` to create a new key that replaces it, or write the values that it has."),
        );
        return;
    }
    if has_expired(input, key) {
        builder.findings.push(
            Finding::error(Code::ExpiryInPast, desired.place.clone(), format!("The key {id} has expired."))
                .hint("Remove `id` and choose a later `expires` to create a new key that replaces it."),
        );
        return;
    }
    if !key.enabled {
        let before = key.entity();
        let after = Key { enabled: true, ..before.clone() };
        let change = Change {
            address,
            action: Action::Enable,
            before: Some(Entity::Key(before)),
            after: Some(Entity::Key(after)),
            cause: Cause::Declared,
            effects: Vec::new(),
        };
        builder.change(change, Some(&desired.place));
    }
}

/// Returns whether a live key differs from what the file requests. Values that the file doesn't set don't count.
fn differs(requested: &RequestedKey, key: &LiveKey) -> bool {
    let RequestedKey { roles, permissions, resources, expires } = requested;
    let roles = roles.is_some() && *roles != key.roles;
    let permissions = permissions.is_some() && *permissions != key.permissions;
    let resources = resources.is_some() && *resources != key.resources;
    let expires = expires.is_some() && *expires != key.expires;
    roles || permissions || resources || expires
}

/// Holds a difference in the description. It doesn't change what the key allows, so no new key is minted for it.
fn hold_description(input: &PlanInput<'_>, desired: &DesiredKey, key: &LiveKey, builder: &mut PlanBuilder<'_>) {
    let live = key.description.clone().filter(|text| !text.is_empty());
    if let Some(desired) = desired.description.as_ref().filter(|desired| live.as_ref() != Some(desired))
        && !(desired.is_empty() && live.is_none())
    {
        let step = input.rules.manual_step(ManualStep::DescribeKey).to_owned();
        let reason =
            HoldReason::ManualStep { field: "description".to_owned(), live, desired: desired.clone(), step };
        builder.hold(Address::key(&key.name), reason);
    }
}

/// Holds a working key whose privileged roles or permissions the file doesn't write. rolecall's own key has them by
/// its nature.
fn hold_unwritten(
    input: &PlanInput<'_>,
    desired: &DesiredKey,
    key: &LiveKey,
    address: &Address,
    builder: &mut PlanBuilder<'_>,
) {
    if !key.enabled || has_expired(input, key) || input.own_key() == Some(&key.id) {
        return;
    }
    let Key { roles, permissions, .. } = key.entity();
    if let Some(roles) = roles.filter(|roles| desired.roles.is_none() && input.is_admin(roles)) {
        builder.hold_unwritten(address.clone(), &desired.place, "roles", &roles);
    }
    if let Some(permissions) = permissions.filter(|_| desired.permissions.is_none()) {
        let privileged = input.privileged_among(permissions);
        if !privileged.is_empty() {
            builder.hold_unwritten(address.clone(), &desired.place, "permissions", &privileged);
        }
    }
}

/// Returns whether rolecall minted this key and lost its secret.
fn secret_lost(input: &PlanInput<'_>, key: &LiveKey) -> bool {
    match input.facts.minted.get(&key.id) {
        Some(minted) => !minted.delivered,
        None => input.facts.lost_mints.iter().any(|lost| {
            let Key { id: _, name, description: _, roles, permissions, resources, expires, enabled: _ } =
                &lost.requested;
            *name == key.name
                && *roles == key.roles
                && *permissions == key.permissions
                && *resources == key.resources
                && *expires == key.expires
                && !lost.existed_before.contains(&key.id)
                && lost.candidates.as_ref().is_none_or(|among| among.contains(&key.id))
        }),
    }
}

fn plan_named(input: &PlanInput<'_>, desired: &DesiredKey, namesakes: &[&LiveKey], builder: &mut PlanBuilder<'_>) {
    let (lost, kept): (Vec<&LiveKey>, Vec<&LiveKey>) = namesakes.iter().partition(|key| secret_lost(input, key));
    for key in lost {
        builder.change(retire(input, key, address_of(key, true), Cause::SecretLost), Some(&desired.place));
    }
    let successor_of = |key: &LiveKey| {
        kept.iter().find(|other| {
            let minted = input.facts.minted.get(&other.id);
            minted.is_some_and(|minted| minted.delivered && minted.supersedes.contains(&key.id))
        })
    };
    let mut current = Vec::new();
    for key in &kept {
        match successor_of(key) {
            Some(by) => {
                let cause = Cause::Superseded { by: by.id.clone() };
                builder.change(retire(input, key, address_of(key, true), cause), Some(&desired.place));
            }
            None => current.push(*key),
        }
    }
    if desired.absent {
        let several = namesakes.len() > 1;
        if let Some(reason) = incomplete(input) {
            // There may be others with this name.
            builder.hold(Address::key(&desired.name), reason);
        }
        for key in current {
            builder
                .change(retire(input, key, address_of(key, several), Cause::DeclaredAbsent), Some(&desired.place));
        }
        return;
    }
    for key in &current {
        hold_unwritten(input, desired, key, &address_of(key, current.len() > 1), builder);
    }
    let Some(requested) = resolve_key(input, desired, builder) else { return };
    match current.as_slice() {
        [] => {
            mint(input, desired, &requested, None, builder);
        }
        [key] if differs(&requested, key) => match input.facts.minted.get(&key.id) {
            // The platform didn't do what was requested. Requesting it again would only leave one more key each
            // time.
            Some(minted) if !requested.differs_from(&minted.requested) => {
                let reason = builder.not_taken(minted.at, None);
                builder.hold(address_of(key, false), reason);
            }
            Some(_) | None => {
                if mint(input, desired, &requested, Some(key), builder) {
                    builder.hold(address_of(key, true), HoldReason::Superseded);
                }
            }
        },
        [key] => hold_description(input, desired, key, builder),
        several => {
            let ids: Vec<_> = several.iter().map(|key| key.id.as_str()).collect();
            builder.findings.push(
                Finding::error(
                    Code::AmbiguousKey,
                    desired.place.clone(),
                    format!("{} live keys have the name {}: {}.", several.len(), desired.name, ids.join(", ")),
                )
                .hint("Add `id: …` of the right key, and list each other one with its `id` and `absent: true` to retire it."),
            );
        }
    }
}

fn plan_unlisted(input: &PlanInput<'_>, key: &LiveKey, namesakes: bool, builder: &mut PlanBuilder<'_>) {
    let address = address_of(key, namesakes);
    if input.own_key() == Some(&key.id) {
        // If the file names it as `own`, no hold is needed.
        if input.desired.own_key.is_none() {
            builder.hold(address, HoldReason::OwnKey);
        }
        return;
    }
    if secret_lost(input, key) {
        // Nobody can use this key, so it is retired even if the file doesn't manage unlisted keys.
        builder.change(retire(input, key, address, Cause::SecretLost), None);
        return;
    }
    if input.desired.manage.keys == Scope::Listed {
        let privileged = is_privileged(input, &key.entity());
        builder.hold_unmanaged(address, privileged);
        return;
    }
    if let Some(reason) = incomplete(input) {
        builder.hold(address, reason);
        return;
    }
    builder.change(retire(input, key, address, Cause::NotListed), None);
}
