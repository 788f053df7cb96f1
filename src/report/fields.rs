//! What differs between two values of an entity, field by field.

use std::collections::BTreeSet;

use crate::model::{Change, Entity, Key, RoleName, Seen, User};

/// One field's difference. `None`: the entity, or the value, wasn't there.
pub(super) struct FieldChange {
    pub name: &'static str,
    pub before: Option<String>,
    pub after: Option<String>,
    /// Of a set: what comes and what goes.
    pub gained: Vec<String>,
    pub lost: Vec<String>,
}

fn plain(name: &'static str, before: Option<String>, after: Option<String>) -> FieldChange {
    FieldChange { name, before, after, gained: Vec::new(), lost: Vec::new() }
}

fn set(name: &'static str, before: Option<&BTreeSet<RoleName>>, after: &BTreeSet<RoleName>) -> FieldChange {
    let join = |roles: &BTreeSet<RoleName>| {
        let names: Vec<&str> = roles.iter().map(RoleName::as_str).collect();
        if names.is_empty() { "(none)".to_owned() } else { names.join(", ") }
    };
    let minus = |one: &BTreeSet<RoleName>, other: &BTreeSet<RoleName>| {
        one.difference(other).map(ToString::to_string).collect::<Vec<_>>()
    };
    let (gained, lost) = match before {
        Some(before) => (minus(after, before), minus(before, after)),
        None => (Vec::new(), Vec::new()),
    };
    FieldChange { name, before: before.map(join), after: Some(join(after)), gained, lost }
}

fn truth(value: Seen<bool>) -> String {
    match value {
        Seen::Known(value) => value.to_string(),
        Seen::Unreadable => "(unreadable)".to_owned(),
    }
}

/// The fields that a change touches.
pub(super) fn fields(change: &Change) -> Vec<FieldChange> {
    let all = match (&change.before, &change.after) {
        (Some(Entity::User(before)), Entity::User(after)) => user(Some(before), after),
        (_, Entity::User(after)) => user(None, after),
        (Some(Entity::Key(before)), Entity::Key(after)) => key(Some(before), after),
        (_, Entity::Key(after)) => key(None, after),
    };
    all.into_iter().filter(|field| field.before != field.after).collect()
}

fn user(before: Option<&User>, after: &User) -> Vec<FieldChange> {
    let User { id: _, email: _, first_name, last_name, phone, roles, enabled } = after;
    let mut fields = vec![
        plain("first name", before.and_then(|user| user.first_name.clone()), first_name.clone()),
        plain("last name", before.and_then(|user| user.last_name.clone()), last_name.clone()),
        plain("phone", before.and_then(|user| user.phone.clone()), phone.clone()),
        set("roles", before.map(|user| &user.roles), roles),
    ];
    if let Some(before) = before {
        fields.push(plain("enabled", Some(truth(before.enabled)), Some(truth(*enabled))));
    }
    fields
}

fn key(before: Option<&Key>, after: &Key) -> Vec<FieldChange> {
    let Key { id: _, name: _, roles, expires, enabled } = after;
    let mut fields = vec![
        set("roles", before.map(|key| &key.roles), roles),
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
