//! Compares two values of an entity, field by field.

use std::collections::BTreeSet;

use rolecall_model::{
    Change, Effect, Entity, Key, Memberships, Organization, Resources, Role, RoleName, Seen, Team, TeamName, User,
};

/// The difference of one field. `before` and `after` are `None` if the entity or the value is absent.
pub(super) struct FieldChange {
    pub name: &'static str,
    pub before: Option<String>,
    pub after: Option<String>,
    /// The parts that a set gains and loses.
    pub gained: Vec<String>,
    pub lost: Vec<String>,
}

/// A set with more parts than this is only counted. The parts that it gains and loses are listed.
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

/// Returns the fields that a change touches.
pub(super) fn fields(change: &Change) -> Vec<FieldChange> {
    let before = change.before.as_ref();
    let all = match &change.after {
        Some(Entity::Organization(after)) => organization(before.and_then(Entity::organization), after),
        Some(Entity::Team(after)) => team(before.and_then(Entity::team), after),
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
        Effect::Affects { holders } => Some(set("held by", None, Some(&holders.iter().collect()))),
        Effect::Contains { what } => Some(set("in it", None, Some(what))),
        _ => None,
    });
    all.into_iter().chain(shown).filter(differs).collect()
}

fn organization(before: Option<&Organization>, after: &Organization) -> Vec<FieldChange> {
    let Organization { id: _, slug: _, name, email, seats, description, thumbnail, invites } = after;
    let was = |field: fn(&Organization) -> Option<String>| before.and_then(field);
    let seats_of = |organization: &Organization| organization.seats.map(|seats| seats.to_string());
    let invited: BTreeSet<String> =
        invites.iter().map(|first| format!("{} as {}", first.email, first.role)).collect();
    vec![
        plain("name", was(|it| Some(it.name.clone())), Some(name.clone())),
        plain("email", was(|it| it.email.clone()), email.clone()),
        plain("seats", before.and_then(seats_of), seats.map(|seats| seats.to_string())),
        plain("description", was(|it| it.description.clone()), description.clone()),
        plain("thumbnail", was(|it| it.thumbnail.clone()), thumbnail.clone()),
        set("invites", None, Some(&invited).filter(|invited| !invited.is_empty())),
    ]
}

fn team(before: Option<&Team>, after: &Team) -> Vec<FieldChange> {
    let Team { id: _, name: _, description, thumbnail } = after;
    vec![
        plain("description", before.and_then(|team| team.description.clone()), description.clone()),
        plain("thumbnail", before.and_then(|team| team.thumbnail.clone()), thumbnail.clone()),
    ]
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
        teams,
        enabled,
        invited: _,
        invited_at: _,
        outside: _,
    } = after;
    let mut fields = vec![
        plain("first name", before.and_then(|user| user.first_name.clone()), first_name.clone()),
        plain("last name", before.and_then(|user| user.last_name.clone()), last_name.clone()),
        plain("phone", before.and_then(|user| user.phone.clone()), phone.clone()),
        set("roles", before.map(|user| &user.roles), Some(roles)),
        reach("resources", before.and_then(|user| user.resources.as_ref()), resources.as_ref()),
        set(
            "teams",
            before.and_then(|user| user.teams.as_ref()).map(in_teams).as_ref(),
            teams.as_ref().map(in_teams).as_ref(),
        ),
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

/// Returns each team, with the user's role there if it is known.
fn in_teams(teams: &Memberships) -> BTreeSet<String> {
    let shown = |(team, role): (&TeamName, &Option<RoleName>)| match role {
        Some(role) => format!("{team} as {role}"),
        None => team.to_string(),
    };
    teams.iter().map(shown).collect()
}

fn reach(name: &'static str, before: Option<&Resources>, after: Option<&Resources>) -> FieldChange {
    set(name, before.map(Resources::paths).as_ref(), after.map(Resources::paths).as_ref())
}
