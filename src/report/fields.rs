//! Compares two values of an entity, field by field.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::style::{clean, first};
use rolecall_model::{
    Action, Change, Effect, Entity, Key, Memberships, Organization, Resources, Role, RoleName, Seen, Team,
    TeamName, User,
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

/// The start of the name of a set of which nothing is left.
const LOSES: &str = "loses ";

/// The words for a set that is only counted, after the count.
const COUNTED: &str = " of them";

fn plain(name: &'static str, before: Option<String>, after: Option<String>) -> FieldChange {
    FieldChange { name, before, after, gained: Vec::new(), lost: Vec::new() }
}

/// Returns the name of something that may be renamed. The address of a new thing has its name already.
fn renamed(before: Option<String>, after: String) -> FieldChange {
    plain("name", Some(before.unwrap_or_else(|| after.clone())), Some(after))
}

fn set<T: ToString>(name: &'static str, before: Option<&BTreeSet<T>>, after: Option<&BTreeSet<T>>) -> FieldChange {
    let texts = |set: &BTreeSet<T>| set.iter().map(ToString::to_string).collect::<BTreeSet<String>>();
    let (before, after) = (before.map(texts), after.map(texts));
    let join = |set: &BTreeSet<String>| match set.len() {
        0 => "(none)".to_owned(),
        1..=LISTED => set.iter().cloned().collect::<Vec<_>>().join(", "),
        count => format!("{count}{COUNTED}"),
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

/// Returns the fields that a change touches, and those of its effects.
pub(super) fn fields(change: &Change) -> Vec<FieldChange> {
    let shown = change.effects.iter().filter_map(|effect| match effect {
        Effect::Allows { permissions } => Some(set("allows", None, Some(permissions))),
        Effect::FirstAllows { permissions } => Some(set("at first", None, Some(permissions))),
        Effect::Affects { holders } => Some(set("held by", None, Some(&holders.iter().collect()))),
        Effect::Contains { what } => Some(set("in it", None, Some(what))),
        _ => None,
    });
    own_fields(change).into_iter().chain(shown).collect()
}

/// Returns the fields that a change touches: access first, and what is lost where all of it ends.
pub(super) fn own_fields(change: &Change) -> Vec<FieldChange> {
    let before = change.before.as_ref();
    let other = match &change.after {
        Some(Entity::Organization(after)) => organization(before.and_then(Entity::organization), after),
        Some(Entity::Team(after)) => team(before.and_then(Entity::team), after),
        Some(Entity::Role(after)) => role(before.and_then(Entity::role), after),
        Some(Entity::User(after)) => user(before.and_then(Entity::user), after),
        Some(Entity::Key(after)) => key(before.and_then(Entity::key), after),
        None => Vec::new(),
    };
    let differs =
        |field: &FieldChange| field.before != field.after || !field.gained.is_empty() || !field.lost.is_empty();
    access_fields(change).into_iter().chain(other).filter(differs).collect()
}

/// The sets that make up the access of an entity. A set is `None` if the platform has none of its kind.
#[derive(Default)]
struct Access {
    roles: Option<BTreeSet<String>>,
    permissions: Option<BTreeSet<String>>,
    resources: Option<BTreeSet<String>>,
    teams: Option<BTreeSet<String>>,
}

impl Access {
    fn of(entity: &Entity) -> Self {
        fn texts<T: ToString>(set: &BTreeSet<T>) -> BTreeSet<String> {
            set.iter().map(ToString::to_string).collect()
        }
        match entity {
            Entity::Organization(_) | Entity::Team(_) => Self::default(),
            Entity::Role(role) => Self { permissions: Some(texts(&role.permissions)), ..Self::default() },
            Entity::User(user) => Self {
                roles: Some(texts(&user.roles)),
                permissions: None,
                resources: user.resources.as_ref().map(Resources::paths),
                teams: user.teams.as_ref().map(in_teams),
            },
            Entity::Key(key) => Self {
                roles: key.roles.as_ref().map(texts),
                permissions: key.permissions.as_ref().map(texts),
                resources: key.resources.as_ref().map(Resources::paths),
                teams: None,
            },
        }
    }
}

/// Returns the entity before and after a change, where its access can be used. Of an entity that works neither before
/// nor after, both values are returned, to be compared themselves.
pub(super) fn in_use(change: &Change) -> (Option<&Entity>, Option<&Entity>) {
    let (before, after) = (change.before.as_ref(), change.after.as_ref());
    let never_works = !before.into_iter().chain(after).any(Entity::works);
    let used = |entity: &&Entity| never_works || entity.works();
    (before.filter(used), after.filter(used))
}

/// Returns how a change affects access. An entity that can't be used has none: disabling a user loses their roles.
/// An invitation that is sent again gives all of its access anew.
fn access_fields(change: &Change) -> Vec<FieldChange> {
    let (before, after) = in_use(change);
    let (had, has) = (before.map(Access::of).unwrap_or_default(), after.map(Access::of).unwrap_or_default());
    let all = [
        ("roles", "loses roles", had.roles, has.roles),
        ("permissions", "loses permissions", had.permissions, has.permissions),
        ("resources", "loses resources", had.resources, has.resources),
        ("teams", "loses teams", had.teams, has.teams),
    ];
    let is_anew = change.action == Action::Invite;
    let compared = all.into_iter().filter_map(|(name, loses, had, has)| match (had, has) {
        (None, None) => None,
        (Some(had), None) => lost(loses, &had),
        (had, Some(has)) => {
            let had = had.filter(|had| !is_anew || *had != has);
            Some(set(name, had.as_ref(), Some(&has)))
        }
    });
    compared.collect()
}

/// Returns the field of a set of which nothing is left. `None` if nothing was in it.
fn lost(name: &'static str, had: &BTreeSet<String>) -> Option<FieldChange> {
    let mut field = set(name, None, Some(had));
    field.lost = std::mem::take(&mut field.gained);
    (!had.is_empty()).then_some(field)
}

/// Returns a change in one line: its action, and every field that it touches.
pub(super) fn in_words(change: &Change) -> String {
    let fields: Vec<String> = fields(change).iter().map(FieldChange::in_words).collect();
    let action =
        if change.action == Action::RemoveAccess { "remove access".to_owned() } else { change.action.to_string() };
    if fields.is_empty() { action } else { format!("{action} ({})", fields.join("; ")) }
}

impl FieldChange {
    /// Returns whether the field is a set that is only counted, or of which much changes.
    pub fn is_counted(&self) -> bool {
        let is_counted = |value: &Option<String>| value.as_ref().is_some_and(|value| value.ends_with(COUNTED));
        self.gained.len().max(self.lost.len()) > LISTED || is_counted(&self.before) || is_counted(&self.after)
    }

    /// Returns how live moved away from the file, in one line: the other way round than a plan, which returns to the file.
    pub fn moved_in_words(&self) -> String {
        let Self { name, before, after: _, gained, lost } = self;
        let listed = |word: &str, parts: &[String]| {
            (!parts.is_empty()).then(|| format!("{word} {name} {}", first(parts.iter(), 3, clean)))
        };
        if let ("permissions" | "resources" | "teams", Some(_)) = (*name, before) {
            let parts: Vec<String> = listed("gains", lost).into_iter().chain(listed("loses", gained)).collect();
            return parts.join("; ");
        }
        let shown = |value: Option<String>| value.unwrap_or_else(|| "nothing".to_owned());
        format!("{} → {}", shown(self.file_in_words()), shown(self.live_in_words()))
    }

    /// Returns the value that the file asks for, in words.
    pub fn file_in_words(&self) -> Option<String> {
        let value = self.after.as_ref().filter(|_| !self.name.starts_with(LOSES))?;
        Some(self.value_in_words(value))
    }

    /// Returns the live value in words.
    pub fn live_in_words(&self) -> Option<String> {
        let value = if self.name.starts_with(LOSES) { &self.after } else { &self.before };
        Some(self.value_in_words(value.as_ref()?))
    }

    /// Roles are often all that there is, so they go without their name.
    fn value_in_words(&self, value: &str) -> String {
        let name = self.name.trim_start_matches(LOSES);
        let value = if value.is_empty() { "(empty)".to_owned() } else { clean(value) };
        if name == "roles" { value } else { format!("{name} {value}") }
    }

    /// Returns the field in one line. The parts of a set are listed only if the set itself is just counted.
    pub fn in_words(&self) -> String {
        let Self { name, before, after, gained, lost } = self;
        let shown = |value: &Option<String>| value.as_ref().map_or_else(|| "(empty)".to_owned(), clean);
        let before = if before.is_some() { format!("{} → ", shown(before)) } else { String::new() };
        let mut words = format!("{name} {before}{}", shown(after));
        if self.is_counted() {
            for (sign, parts) in [('+', gained), ('-', lost)] {
                for part in parts.iter().take(LISTED) {
                    let _ = write!(words, ", {sign}{}", clean(part));
                }
                let more = parts.len().saturating_sub(LISTED);
                if more > 0 {
                    let _ = write!(words, ", {sign}{more} more");
                }
            }
        }
        words
    }
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
    let Team { id: _, name, description, thumbnail } = after;
    vec![
        renamed(before.map(|team| team.name.to_string()), name.to_string()),
        plain("description", before.and_then(|team| team.description.clone()), description.clone()),
        plain("thumbnail", before.and_then(|team| team.thumbnail.clone()), thumbnail.clone()),
    ]
}

fn role(before: Option<&Role>, after: &Role) -> Vec<FieldChange> {
    let Role { id: _, name, description, permissions: _ } = after;
    vec![
        renamed(before.map(|role| role.name.to_string()), name.to_string()),
        plain("description", before.map(|role| role.description.clone()), Some(description.clone())),
    ]
}

fn user(before: Option<&User>, after: &User) -> Vec<FieldChange> {
    let User {
        id: _,
        email: _,
        first_name,
        last_name,
        phone,
        roles: _,
        resources: _,
        teams: _,
        enabled,
        invited: _,
        invited_at: _,
        outside: _,
    } = after;
    let mut fields = vec![
        plain("first name", before.and_then(|user| user.first_name.clone()), first_name.clone()),
        plain("last name", before.and_then(|user| user.last_name.clone()), last_name.clone()),
        plain("phone", before.and_then(|user| user.phone.clone()), phone.clone()),
    ];
    if let Some(before) = before {
        fields.push(plain("enabled", Some(truth(before.enabled)), Some(truth(*enabled))));
    }
    fields
}

fn key(before: Option<&Key>, after: &Key) -> Vec<FieldChange> {
    let Key { id: _, name: _, description, roles: _, permissions: _, resources: _, expires, lifetime, enabled } =
        after;
    let lifetime = lifetime.map(|lifetime| format!("{lifetime} after its creation"));
    let mut fields = vec![
        plain("description", before.and_then(|key| key.description.clone()), description.clone()),
        plain(
            "expires",
            before.and_then(|key| key.expires.as_ref().map(ToString::to_string)),
            lifetime.or_else(|| expires.as_ref().map(ToString::to_string)),
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
