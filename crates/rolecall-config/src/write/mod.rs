//! Writes entities as entries of a file, as they are live. Undo files, imported files and `pull` share it.

mod document;
mod yaml;

use std::collections::BTreeSet;

pub use document::Problem;
pub(crate) use document::{Document, Entry, Item, Section};
use rolecall_model::{
    AssignableRole, InviteField, Key, Live, Memberships, Organization, Quirk, Reach, Resources, Role, RoleName,
    Rules, Team, TeamName, User, check_name, is_deceptive, is_odd_space,
};
pub use yaml::{Flow, Yaml};

/// The fields of an entry, in their order in the file.
pub(crate) type Fields = Vec<(&'static str, Yaml)>;

/// Writes what depends on the live state: the roles and teams of a user, by names that a file can use.
#[derive(Clone, Copy)]
pub(crate) struct Writer<'a> {
    pub live: &'a Live,
    pub rules: &'a dyn Rules,
}

impl Writer<'_> {
    /// Returns the field `roles` of a user, or nothing if a file can't ask for one of the roles.
    pub fn roles(&self, roles: &BTreeSet<RoleName>) -> Option<(&'static str, Yaml)> {
        let assignable = self.live.assignable.as_ref().map(|roles| roles.organization.as_slice());
        let given = roles.iter().all(|role| can_be_given(role, assignable));
        given.then(|| ("roles", Yaml::names(roles)))
    }

    /// Returns the names and the phone number of a user, on platforms where an invitation needs them.
    pub fn names(&self, user: &User) -> Fields {
        if !self.rules.capabilities().invite_needs.contains(&InviteField::FirstName) {
            return Fields::new();
        }
        let fields = [("first_name", &user.first_name), ("last_name", &user.last_name), ("phone", &user.phone)];
        let sayable = |value: &&String| check_name(value).is_ok();
        fields.into_iter().filter_map(|(name, value)| field(name, value.as_ref().filter(sayable))).collect()
    }

    /// Returns whether users with these roles are in every team, whatever the file says.
    pub fn is_in_every_team(&self, roles: &BTreeSet<RoleName>) -> bool {
        self.rules.has(Quirk::AdminsInEveryTeam) && self.rules.is_admin(self.live, roles)
    }

    /// Returns teams with the user's roles in them, or only the teams if a role isn't known.
    pub fn teams(&self, teams: &Memberships) -> Yaml {
        let assignable = self.live.assignable.as_ref().map(|roles| roles.team.as_slice());
        let with_role = |(team, role): (&TeamName, &Option<RoleName>)| {
            let role = role.as_ref().filter(|role| can_be_given(role, assignable))?;
            Some((team.to_string(), Yaml::text(role)))
        };
        let with_roles: Option<Vec<(String, Yaml)>> = teams.iter().map(with_role).collect();
        match with_roles {
            Some(entries) if !entries.is_empty() => Yaml::flow(entries),
            _ => Yaml::names(teams.keys()),
        }
    }
}

/// Returns whether a file can ask for a role by this name. Not every platform shows the role of an invitation, and
/// a user may have a role that no longer exists.
fn can_be_given(role: &RoleName, assignable: Option<&[AssignableRole]>) -> bool {
    let Some(assignable) = assignable else { return !role.as_str().is_empty() };
    let matches = |known: &&AssignableRole| known.raw_name == *role || known.key == role.as_str();
    assignable.iter().any(|known| known.name == *role) || assignable.iter().filter(matches).count() == 1
}

/// Returns the settings of the organisation itself.
pub(crate) fn organization(organization: &Organization) -> Fields {
    let Organization { id: _, slug: _, name, email, seats, description, thumbnail, invites: _ } = organization;
    let mut fields = vec![("name", Yaml::text(name))];
    fields.extend(field("email", email.as_ref()));
    fields.extend(seats.map(|seats| ("seats", Yaml::Number(seats.into()))));
    fields.extend(field("description", description.as_ref()));
    fields.extend(field("thumbnail", thumbnail.as_ref()));
    fields
}

/// Returns the entry of a team.
pub(crate) fn team(team: &Team) -> Fields {
    let Team { id: _, name, description, thumbnail } = team;
    let mut fields = vec![("name", Yaml::text(name))];
    fields.extend(field("description", description.as_ref()));
    fields.extend(field("thumbnail", thumbnail.as_ref()));
    fields
}

/// Returns the entry of a role.
pub(crate) fn role(role: &Role) -> Fields {
    let Role { id: _, name, description, permissions } = role;
    let mut fields = vec![("name", Yaml::text(name))];
    fields.extend(field("description", Some(description)));
    fields.push(("permissions", Yaml::names(permissions)));
    fields
}

/// Returns the entry of a key, without the target of its secret. `pinned`: the entry means the key with this id.
pub(crate) fn key(key: &Key, pinned: bool) -> Fields {
    let Key { id, name, description, roles, permissions, resources, expires, lifetime: _, enabled: _ } = key;
    let mut fields = vec![("name", Yaml::text(name))];
    fields.extend(id.as_ref().filter(|_| pinned).map(|id| ("id", Yaml::text(id))));
    fields.extend(field("description", description.as_ref()));
    fields.extend(roles.as_ref().map(|roles| ("roles", Yaml::names(roles))));
    fields.extend(permissions.as_ref().map(|permissions| ("permissions", Yaml::names(permissions))));
    fields.extend(resources.as_ref().map(|tree| ("resources", self::resources(tree))));
    fields.extend(expires.as_ref().map(|expires| ("expires", Yaml::text(expires))));
    fields
}

/// Returns `absent: true`, which undoes the creation of an entity.
pub(crate) fn absent() -> (&'static str, Yaml) {
    ("absent", Yaml::Bool(true))
}

/// Returns a field, unless its value is empty.
pub(crate) fn field(name: &'static str, value: Option<&String>) -> Option<(&'static str, Yaml)> {
    value.filter(|value| !value.is_empty()).map(|value| (name, Yaml::text(value)))
}

/// Returns the tree of resources, by slugs. An empty list is left out, because an absent list selects nothing.
pub(crate) fn resources(resources: &Resources) -> Yaml {
    let all = || Yaml::text("all");
    let names = |reach: &Reach<_>| match reach {
        Reach::All => all(),
        Reach::Only(names) => Yaml::names::<&String>(names),
    };
    let Reach::Only(projects) = resources else { return all() };
    let tree = projects.iter().map(|(slug, project)| {
        let Reach::Only(targets) = &project.targets else { return (slug.to_string(), all()) };
        let targets = targets.iter().map(|(slug, target)| {
            let value = if (&target.services, &target.app_deployments) == (&Reach::All, &Reach::All) {
                all()
            } else {
                let lists = [("services", &target.services), ("app_deployments", &target.app_deployments)];
                let some = lists.into_iter().filter(|(_, list)| !matches!(list, Reach::Only(of) if of.is_empty()));
                Yaml::flow(some.map(|(name, list)| (name.to_owned(), names(list))))
            };
            (slug.to_string(), value)
        });
        (slug.to_string(), tree_of(targets.collect()))
    });
    tree_of(tree.collect())
}

/// Returns a mapping with one entry on each line, or `{}`.
fn tree_of(entries: Vec<(String, Yaml)>) -> Yaml {
    if entries.is_empty() { Yaml::Flow(Flow::Map(entries)) } else { Yaml::Map(entries) }
}

/// Returns one field of the file as text. If it can't be written, it is left out, and the check of the whole file
/// reports it.
pub(crate) fn section(name: &str, value: &Yaml) -> String {
    yaml::section(name, value).unwrap_or_default()
}

/// Escapes text from a platform, so that it can't leave its comment.
pub(crate) fn one_line(text: &str) -> String {
    let mut safe = String::new();
    for c in text.chars() {
        if is_deceptive(c) || is_odd_space(c) {
            safe.extend(c.escape_unicode());
        } else {
            safe.push(c);
        }
    }
    safe
}
