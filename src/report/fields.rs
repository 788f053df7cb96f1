//! What differs between two values of an entity, field by field.

use std::collections::BTreeSet;

use crate::model::{Change, Effect, Entity, Key, Resources, Role, Seen, User};

/// One field's difference. `None`: the entity, or the value, wasn't there.
pub(super) struct FieldChange {
    pub name: &'static str,
    pub before: Option<String>,
    pub after: Option<String>,
    /// Of a set: what comes and what goes.
    pub gained: Vec<String>,
    pub lost: Vec<String>,
}

/// A set with more parts than this is counted; what comes and goes is listed all the same.
const LISTED: usize = 6;

fn plain(name: &'static str, before: Option<String>, after: Option<String>) -> FieldChange {
    FieldChange { name, before, after, gained: Vec::new(), lost: Vec::new() }
}

fn set<T: ToString>(name: &'static str, before: Option<&BTreeSet<T>>, after: Option<&BTreeSet<T>>) -> FieldChange {
    let texts = |set: &BTreeSet<T>| set.iter().map(ToString::to_string).collect::<BTreeSet<String>>();
    let (before, after) = (before.map(texts), after.map(texts));
    let join = |set: &BTreeSet<String>| match set.len() {
        0 => "(none)".to_owned(),
        1..=LISTED => set.iter().cloned().collect::<Vec<_>>().join(", "),
        count => format!("{count} of them"),
    };
    let (gained, lost) = match (&before, &after) {
        (Some(before), Some(after)) => {
            (after.difference(before).cloned().collect(), before.difference(after).cloned().collect())
        }
        (None, Some(after)) if after.len() > LISTED => (after.iter().cloned().collect(), Vec::new()),
        _ => (Vec::new(), Vec::new()),
    };
    FieldChange { name, before: before.as_ref().map(join), after: after.as_ref().map(join), gained, lost }
}

fn truth(value: Seen<bool>) -> String {
    match value {
        Seen::Known(value) => value.to_string(),
        Seen::Unreadable => "(unreadable)".to_owned(),
    }
}

/// The fields that a change touches.
pub(super) fn fields(change: &Change) -> Vec<FieldChange> {
    let before = change.before.as_ref();
    let all = match &change.after {
        Some(Entity::Role(after)) => role(before.and_then(Entity::role), after),
        Some(Entity::User(after)) => user(before.and_then(Entity::user), after),
        Some(Entity::Key(after)) => key(before.and_then(Entity::key), after),
        None => Vec::new(),
    };
    let differs =
        |field: &FieldChange| field.before != field.after || !field.gained.is_empty() || !field.lost.is_empty();
    let shown = change.effects.iter().filter_map(|effect| match effect {
        Effect::Allows { permissions } => Some(set("allows", None, Some(permissions))),
        Effect::FirstAllows { permissions } => Some(set("at first", None, Some(permissions))),
        Effect::Touches { holders } => Some(set("held by", None, Some(&holders.iter().collect()))),
        _ => None,
    });
    all.into_iter().chain(shown).filter(differs).collect()
}

fn role(before: Option<&Role>, after: &Role) -> Vec<FieldChange> {
    let Role { id: _, name: _, description, permissions } = after;
    vec![
        plain("description", before.map(|role| role.description.clone()), Some(description.clone())),
        set("permissions", before.map(|role| &role.permissions), Some(permissions)),
    ]
}

fn user(before: Option<&User>, after: &User) -> Vec<FieldChange> {
    let User {
        id: _,
        email: _,
        first_name,
        last_name,
        phone,
        roles,
        resources,
        enabled,
        invited: _,
        invited_at: _,
    } = after;
    let mut fields = vec![
        plain("first name", before.and_then(|user| user.first_name.clone()), first_name.clone()),
        plain("last name", before.and_then(|user| user.last_name.clone()), last_name.clone()),
        plain("phone", before.and_then(|user| user.phone.clone()), phone.clone()),
        set("roles", before.map(|user| &user.roles), Some(roles)),
        reach("resources", before.and_then(|user| user.resources.as_ref()), resources.as_ref()),
    ];
    if let Some(before) = before {
        fields.push(plain("enabled", Some(truth(before.enabled)), Some(truth(*enabled))));
    }
    fields
}

fn key(before: Option<&Key>, after: &Key) -> Vec<FieldChange> {
    let Key { id: _, name: _, description, roles, permissions, resources, expires, enabled } = after;
    let mut fields = vec![
        plain("description", before.and_then(|key| key.description.clone()), description.clone()),
        set("roles", before.and_then(|key| key.roles.as_ref()), roles.as_ref()),
        set("permissions", before.and_then(|key| key.permissions.as_ref()), permissions.as_ref()),
        reach("resources", before.and_then(|key| key.resources.as_ref()), resources.as_ref()),
        plain(
            "expires",
            before.and_then(|key| key.expires.as_ref().map(ToString::to_string)),
            expires.as_ref().map(ToString::to_string),
        ),
    ];
    if let Some(before) = before {
        fields.push(plain("enabled", Some(before.enabled.to_string()), Some(enabled.to_string())));
    }
    fields
}

fn reach(name: &'static str, before: Option<&Resources>, after: Option<&Resources>) -> FieldChange {
    set(name, before.map(Resources::paths).as_ref(), after.map(Resources::paths).as_ref())
}
