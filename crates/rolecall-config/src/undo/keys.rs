//! Keys, as they were. A secret that is gone stays gone, so nothing is minted on the way back.

use std::collections::BTreeSet;

use super::entries::absent;
use super::yaml::Yaml;
use super::{Draft, UndoInput, lasting};
use rolecall_model::{Action, Address, Cause, Change, Entity, Key, KeyName, LiveKey, RemoteId, Retirement};

pub(super) fn plan_keys(input: &UndoInput<'_>, draft: &mut Draft) {
    let changes = &input.plan.sealed.changes;
    let keys: Vec<(&Change, &Key)> =
        changes.iter().filter_map(|change| Some((change, change.entity()?.key()?))).collect();
    let retired: BTreeSet<&RemoteId> =
        keys.iter().filter(|(change, _)| retires(change)).filter_map(|(_, key)| key.id.as_ref()).collect();
    let mut pinned = BTreeSet::new();
    for (change, key) in &keys {
        lasting::of_effects(change, draft);
        match change.action {
            Action::Create => minted(input, change, key, draft),
            Action::Enable => pin(key, vec![absent()], draft),
            Action::Disable => disabled(input, change, draft),
            Action::Invite
            | Action::Replace
            | Action::Contain
            | Action::Withdraw
            | Action::Remove
            | Action::Delete => {
                let why =
                    "it is deleted, and its secret with it; nothing brings it back, and no other is minted for it";
                draft.note(&change.address, why);
            }
        }
        if matches!(change.action, Action::Enable | Action::Disable) {
            pinned.extend(key.id.as_ref());
        }
    }
    // What is minted goes by its name, since nobody knows its id yet. So whoever else has that name is named by id.
    let minted = keys.iter().filter(|(change, _)| change.action == Action::Create);
    let names: BTreeSet<&KeyName> = minted.map(|(_, key)| &key.name).collect();
    for key in input.live.keys().iter().filter(|key| names.contains(&key.name)) {
        if works(input, key) && !retired.contains(&key.id) && !pinned.contains(&key.id) {
            draft.remarks.insert(
                "Keys with an `id` and no more are older namesakes of a new one, which stay; take out those that are gone by then.",
            );
            pin(&key.entity(), Vec::new(), draft);
        }
    }
}

fn retires(change: &Change) -> bool {
    matches!(change.action, Action::Disable | Action::Delete)
}

fn works(input: &UndoInput<'_>, key: &LiveKey) -> bool {
    key.enabled && !key.expires.is_some_and(|expires| expires.is_past(input.now))
}

/// Lists a key by its id.
fn pin(key: &Key, more: Vec<(&'static str, Yaml)>, draft: &mut Draft) {
    let Some(id) = &key.id else { return };
    let mut value = vec![("name", Yaml::text(&key.name)), ("id", Yaml::text(id))];
    value.extend(more);
    draft.write(Address::key(&key.name).with_id(id), value);
}

fn minted(input: &UndoInput<'_>, change: &Change, key: &Key, draft: &mut Draft) {
    let how = match input.rules.retirement() {
        Retirement::Disable => "disables",
        Retirement::Delete => "deletes",
    };
    draft.note(
        &change.address,
        format!("its secret is handed out, and can't be called back; the way back {how} the key"),
    );
    draft.write(Address::key(&key.name), vec![("name", Yaml::text(&key.name)), absent()]);
}

fn disabled(input: &UndoInput<'_>, change: &Change, draft: &mut Draft) {
    let Some(key) = change.before.as_ref().and_then(Entity::key) else { return };
    if change.cause == Cause::SecretLost {
        draft.note(&change.address, "it stays disabled, since nobody has its secret");
        return;
    }
    if key.expires.is_some_and(|expires| expires.is_past(input.now)) {
        draft.note(&change.address, "it stays disabled, since it has expired");
        return;
    }
    let mut more = Vec::new();
    more.extend(key.roles.as_ref().map(|roles| ("roles", Yaml::names(roles))));
    more.extend(key.expires.as_ref().map(|expires| ("expires", Yaml::text(expires))));
    pin(key, more, draft);
}
