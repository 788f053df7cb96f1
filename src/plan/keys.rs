//! Which keys are minted, retired, enabled again, or left alone.

use std::collections::{BTreeMap, BTreeSet};

use super::PlanInput;
use super::draft::Draft;
use crate::model::{
    Action, Address, Cause, Change, Code, Completeness, Delivery, DesiredKey, Effect, Entity, Finding, HoldReason,
    Key, KeyName, LiveKey, RemoteId, Scope, Severity,
};

/// An own key that lives less than this is worth a warning, in days.
const EXPIRES_SOON: i64 = 30;

/// The key that the file calls our own has to be one that can have made this very read.
pub(super) fn check_own(input: &PlanInput<'_>, draft: &mut Draft<'_>) {
    let own = &input.desired.own;
    let (Some(id), Some(place)) = (&own.key, &own.place) else {
        return;
    };
    let wrong = |why: String| {
        Finding::error(Code::WrongOwnKey, place.clone(), why)
            .hint("`own.key` is the id of the key that rolecall calls with; it guards against locking itself out")
    };
    let found = input.live.keys.items.iter().find(|key| key.id == *id);
    match found {
        None => draft.findings.push(wrong(format!("no live key has the id {id}"))),
        Some(key) if !key.enabled => draft.findings.push(wrong(format!("the key {id} is disabled"))),
        Some(key) if has_expired(input, key) => draft.findings.push(wrong(format!("the key {id} has expired"))),
        Some(key) if !input.rules.is_admin(&key.roles) => {
            draft.findings.push(wrong(format!("the key {id} may not read this organisation")));
        }
        Some(key) => {
            let days = key.expires.map(|expires| expires.days_from(input.now));
            if let Some(days) = days.filter(|days| *days < EXPIRES_SOON) {
                draft.findings.push(
                    Finding::warning(
                        Code::KeyExpires,
                        place.clone(),
                        format!("rolecall's own key expires in {days} {}", if days == 1 { "day" } else { "days" }),
                    )
                    .hint("mint another, store it where `credentials` points, and name it in `own`"),
                );
            }
        }
    }
}

pub(super) fn plan_keys(input: &PlanInput<'_>, draft: &mut Draft<'_>) {
    let pinned: BTreeSet<&RemoteId> = input.desired.keys.iter().filter_map(|wish| wish.id.as_ref()).collect();
    let mut named: BTreeMap<&KeyName, Vec<&LiveKey>> = BTreeMap::new();
    // An expired key works no more than a disabled one, and the API may go on calling it enabled.
    let works = |key: &&LiveKey| key.enabled && !has_expired(input, key);
    for key in input.live.keys.items.iter().filter(works).filter(|key| !pinned.contains(&key.id)) {
        named.entry(&key.name).or_default().push(key);
    }
    let mut listed: BTreeSet<&KeyName> = BTreeSet::new();
    for wish in &input.desired.keys {
        if let Some(id) = &wish.id {
            plan_pinned(input, wish, id, draft);
        } else {
            listed.insert(&wish.name);
            let namesakes = named.get(&wish.name).map(Vec::as_slice).unwrap_or_default();
            plan_named(input, wish, namesakes, draft);
        }
    }
    for (name, keys) in &named {
        if !listed.contains(name) {
            for key in keys {
                plan_unlisted(input, key, keys.len() > 1, draft);
            }
        }
    }
}

fn has_expired(input: &PlanInput<'_>, key: &LiveKey) -> bool {
    key.expires.is_some_and(|expires| expires.is_past(input.now))
}

fn as_read(key: &LiveKey) -> Key {
    let LiveKey { id, name, roles, expires, enabled } = key.clone();
    Key { id: Some(id), name, roles, expires, enabled }
}

fn address_of(key: &LiveKey, namesakes: bool) -> Address {
    let address = Address::key(&key.name);
    if namesakes { address.with_id(&key.id) } else { address }
}

fn retire(key: &LiveKey, address: Address, cause: Cause) -> Change {
    let before = as_read(key);
    let after = Key { enabled: false, ..before.clone() };
    Change {
        address,
        action: Action::Disable,
        before: Some(Entity::Key(before)),
        after: Entity::Key(after),
        cause,
        effects: Vec::new(),
    }
}

fn plan_pinned(input: &PlanInput<'_>, wish: &DesiredKey, id: &RemoteId, draft: &mut Draft<'_>) {
    let unknown = |why: String| {
        Finding::error(Code::UnknownId, wish.place.clone(), why).hint("`rolecall drift` shows the ids of all keys")
    };
    let found = input.live.keys.items.iter().find(|key| key.id == *id);
    let Some(key) = found else {
        let finding = unknown(format!("no live key has the id {id}"));
        // For one that must not exist that is as it should be, or a typo.
        draft.findings.push(if wish.absent {
            Finding { severity: Severity::Warning, ..finding }
        } else {
            finding
        });
        return;
    };
    if key.name != wish.name {
        draft.findings.push(unknown(format!("the key {id} is called {}, not {}", key.name, wish.name)));
        return;
    }
    let address = Address::key(&key.name).with_id(id);
    if wish.absent {
        if key.enabled {
            draft.change(retire(key, address, Cause::DeclaredAbsent), Some(&wish.place));
        }
        return;
    }
    if differs(wish, key) {
        draft.findings.push(
            Finding::error(
                Code::InvalidValue,
                wish.place.clone(),
                format!("the roles and expiry of the key {id} can't be changed"),
            )
            .hint("remove `id` to have a successor minted, or write its roles and expiry as they are"),
        );
        return;
    }
    if has_expired(input, key) {
        draft.findings.push(
            Finding::error(Code::ExpiryInPast, wish.place.clone(), format!("the key {id} has expired"))
                .hint("remove `id` and choose a later `expires` to have a successor minted"),
        );
        return;
    }
    if !key.enabled {
        let before = as_read(key);
        let after = Key { enabled: true, ..before.clone() };
        let change = Change {
            address,
            action: Action::Enable,
            before: Some(Entity::Key(before)),
            after: Entity::Key(after),
            cause: Cause::Declared,
            effects: Vec::new(),
        };
        draft.change(change, Some(&wish.place));
    }
}

fn differs(wish: &DesiredKey, key: &LiveKey) -> bool {
    let roles = wish.roles.as_ref().is_some_and(|roles| *roles != key.roles);
    let expires = wish.expires.is_some_and(|expires| Some(expires) != key.expires);
    roles || expires
}

/// Was this key minted by us, and its secret lost on the way?
fn secret_lost(input: &PlanInput<'_>, key: &LiveKey) -> bool {
    match input.facts.minted.get(&key.id) {
        Some(minted) => !minted.delivered,
        None => input.facts.lost_mints.iter().any(|lost| {
            lost.name == key.name
                && lost.roles == key.roles
                && lost.expires == key.expires
                && !lost.known.contains(&key.id)
                && lost.among.as_ref().is_none_or(|among| among.contains(&key.id))
        }),
    }
}

fn plan_named(input: &PlanInput<'_>, wish: &DesiredKey, namesakes: &[&LiveKey], draft: &mut Draft<'_>) {
    let (lost, kept): (Vec<&LiveKey>, Vec<&LiveKey>) = namesakes.iter().partition(|key| secret_lost(input, key));
    for key in lost {
        draft.change(retire(key, address_of(key, true), Cause::SecretLost), Some(&wish.place));
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
                draft.change(retire(key, address_of(key, true), cause), Some(&wish.place));
            }
            None => current.push(*key),
        }
    }
    if wish.absent {
        let several = namesakes.len() > 1;
        for key in current {
            draft.change(retire(key, address_of(key, several), Cause::DeclaredAbsent), Some(&wish.place));
        }
        return;
    }
    match current.as_slice() {
        [] => {
            mint(input, wish, None, draft);
        }
        [key] if differs(wish, key) => {
            if mint(input, wish, Some(key), draft) {
                draft.hold(address_of(key, true), HoldReason::Superseded);
            }
        }
        [_] => {}
        several => {
            let ids: Vec<_> = several.iter().map(|key| key.id.as_str()).collect();
            draft.findings.push(
                Finding::error(
                    Code::AmbiguousKey,
                    wish.place.clone(),
                    format!("{} live keys are called {}: {}", several.len(), wish.name, ids.join(", ")),
                )
                .hint("pin the one that is meant with `id: …`, and list another with `absent: true` to retire it"),
            );
        }
    }
}

/// A key can't be changed, so another value means another key of the same name. Says whether one is planned.
fn mint(input: &PlanInput<'_>, wish: &DesiredKey, old: Option<&LiveKey>, draft: &mut Draft<'_>) -> bool {
    let address = Address::key(&wish.name);
    if let Completeness::Broken { why } = &input.live.keys.completeness {
        draft.hold(address, HoldReason::Unreadable { list: "keys".to_owned(), why: why.clone() });
        return false;
    }
    let roles = wish.roles.clone().or_else(|| old.map(|key| key.roles.clone()));
    let expires = wish.expires.or_else(|| old.and_then(|key| key.expires));
    let mut missing = Vec::new();
    if roles.is_none() {
        missing.push("`roles`");
    }
    if expires.is_none() {
        missing.push("`expires`");
    }
    if !missing.is_empty() {
        draft.findings.push(
            Finding::error(
                Code::IncompleteKey,
                wish.place.clone(),
                format!("the key {} isn't there yet, and minting it needs {}", wish.name, missing.join(" and ")),
            )
            .hint(format!("add {}", missing.join(" and "))),
        );
    }
    if let Some(expires) = expires.filter(|expires| expires.is_past(input.now)) {
        let place = wish.expires_place.as_ref().unwrap_or(&wish.place);
        draft.findings.push(
            Finding::error(
                Code::ExpiryInPast,
                place.clone(),
                format!("the key {} would have to be minted, and {expires} has passed", wish.name),
            )
            .hint("choose a later instant, or list the key with `absent: true`"),
        );
    }
    let Some(deliver) = &wish.deliver else {
        draft.findings.push(
            Finding::error(
                Code::NoDelivery,
                wish.place.clone(),
                format!("the key {} has to be minted, and its secret has nowhere to go", wish.name),
            )
            .hint("add `deliver: { file: PATH }` or `deliver: { command: [PROGRAM] }`: it is shown once and never again"),
        );
        return false;
    };
    let (Some(roles), Some(expires)) = (roles, expires) else {
        return false;
    };
    let target = match deliver {
        Delivery::File(path) => path.display().to_string(),
        Delivery::Command(words) => format!("the command {}", words.first().map_or("", String::as_str)),
    };
    let change = Change {
        address,
        action: Action::Create,
        before: old.map(|key| Entity::Key(as_read(key))),
        after: Entity::Key(Key {
            id: None,
            name: wish.name.clone(),
            roles,
            expires: Some(expires),
            enabled: true,
        }),
        cause: Cause::Declared,
        effects: vec![Effect::SecretTo { target }],
    };
    draft.change(change, Some(&wish.place))
}

fn plan_unlisted(input: &PlanInput<'_>, key: &LiveKey, namesakes: bool, draft: &mut Draft<'_>) {
    let address = address_of(key, namesakes);
    if input.desired.own.key.as_ref() == Some(&key.id) {
        // Named in the file as our own, so it is neither foreign nor to go.
        return;
    }
    if secret_lost(input, key) {
        // We made it and nobody can use it, whatever the file says of it today.
        draft.change(retire(key, address, Cause::SecretLost), None);
        return;
    }
    if input.desired.manage.keys == Scope::Listed {
        let privileged = input.rules.is_admin(&key.roles);
        draft.hold(address, HoldReason::Unmanaged { privileged });
        return;
    }
    if let Completeness::Broken { why } = &input.live.keys.completeness {
        draft.hold(address, HoldReason::Unreadable { list: "keys".to_owned(), why: why.clone() });
        return;
    }
    draft.change(retire(key, address, Cause::NotListed), None);
}
