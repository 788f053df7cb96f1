//! The entries of keys in an undo file. A deleted key can't be restored, because its secret is lost, so an undo
//! file never creates a key.

use std::collections::BTreeSet;

use super::super::write::{Yaml, absent};
use super::{UndoBuilder, UndoInput, irreversible};
use rolecall_model::{
    Action, Address, Cause, Change, Effect, Entity, Key, KeyName, KeyRemoval, LiveKey, RemoteId,
};

pub(super) fn plan_keys(input: &UndoInput<'_>, builder: &mut UndoBuilder) {
    let changes = &input.plan.sealed.changes;
    let keys: Vec<(&Change, &Key)> =
        changes.iter().filter_map(|change| Some((change, change.entity()?.key()?))).collect();
    let removed: BTreeSet<&RemoteId> =
        keys.iter().filter(|(change, _)| removes(change)).filter_map(|(_, key)| key.id.as_ref()).collect();
    let mut pinned = BTreeSet::new();
    for (change, key) in &keys {
        irreversible::of_effects(change, builder);
        match change.action {
            Action::Create => minted(input, change, key, builder),
            Action::Enable => pin(key, vec![absent()], builder),
            Action::Disable => disabled(input, change, builder),
            Action::Invite
            | Action::Update
            | Action::RemoveAccess
            | Action::Cancel
            | Action::Remove
            | Action::Delete => {
                let why = "It is deleted together with its secret. It can't be restored, and the undo file creates no other key for it.";
                builder.note(&change.address, why);
            }
        }
        if matches!(change.action, Action::Enable | Action::Disable) {
            pinned.extend(key.id.as_ref());
        }
    }
    // A new key has no id yet, so the undo file selects it by name. Other keys with that name are listed by id, so
    // that they stay.
    let minted = keys.iter().filter(|(change, _)| change.action == Action::Create);
    let names: BTreeSet<&KeyName> = minted.map(|(_, key)| &key.name).collect();
    for key in input.live.keys().iter().filter(|key| names.contains(&key.name)) {
        if works(input, key) && !removed.contains(&key.id) && !pinned.contains(&key.id) {
            builder.remarks.insert(
                "A key with only `name` and `id` is an older key with the name of a new one. It stays. If it no longer exists, remove its entry.",
            );
            pin(&key.entity(), Vec::new(), builder);
        }
    }
}

fn removes(change: &Change) -> bool {
    matches!(change.action, Action::Disable | Action::Delete)
}

fn works(input: &UndoInput<'_>, key: &LiveKey) -> bool {
    key.enabled && !key.expires.is_some_and(|expires| expires.is_past(input.now))
}

/// Lists a key by its id, with these other fields.
fn pin(key: &Key, more: Vec<(&'static str, Yaml)>, builder: &mut UndoBuilder) {
    let Some(id) = &key.id else { return };
    let mut value = vec![("name", Yaml::text(&key.name)), ("id", Yaml::text(id))];
    value.extend(more);
    builder.write(Address::key(&key.name).with_id(id), value);
}

fn minted(input: &UndoInput<'_>, change: &Change, key: &Key, builder: &mut UndoBuilder) {
    let how = match input.format.rules.capabilities().key_removal {
        KeyRemoval::Disable => "disables",
        KeyRemoval::Delete => "deletes",
    };
    let targets = change.effects.iter().filter_map(|effect| match effect {
        Effect::SecretTo { target } => Some(target.as_str()),
        _ => None,
    });
    let targets: Vec<&str> = targets.collect();
    // The new secret took the place of the one that works after the undo.
    let dead = change.before.as_ref().map(|_| {
        format!(
            " Then its secret in {} no longer works. rolecall doesn't have the secret of the earlier key, so put it back there yourself.",
            targets.join(" and ")
        )
    });
    builder.note(
        &change.address,
        format!(
            "Its secret is delivered and can't be recalled. The undo file {how} the key.{}",
            dead.unwrap_or_default()
        ),
    );
    builder.write(Address::key(&key.name), vec![("name", Yaml::text(&key.name)), absent()]);
}

fn disabled(input: &UndoInput<'_>, change: &Change, builder: &mut UndoBuilder) {
    let Some(key) = change.before.as_ref().and_then(Entity::key) else { return };
    let lost = match change.cause {
        Cause::SecretLost => Some("It stays disabled, because its secret was never delivered."),
        Cause::DeliveryUnknown => Some("It stays disabled, because a run died while it delivered its secret."),
        _ => None,
    };
    if let Some(why) = lost {
        builder.note(&change.address, why);
        return;
    }
    if key.expires.is_some_and(|expires| expires.is_past(input.now)) {
        builder.note(&change.address, "It stays disabled, because it has expired.");
        return;
    }
    let mut more = Vec::new();
    more.extend(key.roles.as_ref().map(|roles| ("roles", Yaml::names(roles))));
    more.extend(key.expires.as_ref().map(|expires| ("expires", Yaml::text(expires))));
    pin(key, more, builder);
}
