//! Finds the lines of a file that state access.

use std::collections::BTreeMap;

use rolecall_model::{
    Address, Desired, DesiredKey, DesiredProject, DesiredResources, DesiredTarget, DesiredUser, Email, Index,
    KeyName, LiveUser, Place, ProjectReach, Reach, RemoteId, Resources, RoleName, Slug, TargetReach, TeamName,
};

/// The entries of a file, by what they name.
pub(super) struct Entries<'a> {
    users: Index<'a, DesiredUser, Email>,
    keys: Index<'a, DesiredKey, KeyName>,
    desired: &'a Desired,
}

impl<'a> Entries<'a> {
    pub fn of(desired: &'a Desired) -> Self {
        let users = Index::new(&desired.users, |user| &user.email);
        Self { users, keys: Index::new(&desired.keys, |key| &key.name), desired }
    }

    /// Returns the entry of a user: the one with their id, or else the one without an id.
    pub fn user(&self, email: &Email, id: Option<&RemoteId>) -> Option<&'a DesiredUser> {
        let entries = self.users.all(email);
        let named = entries.iter().find(|entry| entry.id.is_some() && entry.id.as_ref() == id);
        named.or_else(|| entries.iter().find(|entry| entry.id.is_none())).copied()
    }

    /// Returns the entry of a key: the one with its id, or else the one without an id.
    pub fn key(&self, name: &KeyName, id: &RemoteId) -> Option<&'a DesiredKey> {
        let entries = self.keys.all(name);
        let named = entries.iter().find(|entry| entry.id.as_ref() == Some(id));
        named.or_else(|| entries.iter().find(|entry| entry.id.is_none())).copied()
    }

    /// Returns the place that acknowledges privileged access at this address.
    pub fn acknowledged(&self, address: &Address) -> Option<&'a Place> {
        self.desired.acknowledged.iter().find(|(pattern, _)| pattern.covers(address)).map(|(_, place)| place)
    }
}

/// Returns the place that states a user's role with these resources. An entry without `resources` keeps the live ones.
pub(super) fn of_role(entry: &DesiredUser, role: &RoleName, resources: Option<&Resources>) -> Option<Place> {
    let roles = entry.roles.as_ref().filter(|roles| !entry.absent && roles.value.contains(role))?;
    let covered = match (&entry.resources, resources) {
        (Some(stated), Some(live)) => covers(stated, live),
        (None, _) | (_, None) => true,
    };
    covered.then(|| roles.place.clone())
}

/// Returns the place that states that a user is in a team, with this role. An entry that gives no role keeps the live
/// one.
pub(super) fn of_team(entry: &DesiredUser, team: &TeamName, role: Option<&RoleName>) -> Option<Place> {
    let stated = entry.teams.as_ref().filter(|_| !entry.absent)?.get(team)?;
    let fits = stated.value.as_ref().is_none_or(|wanted| role == Some(&wanted.value));
    fits.then(|| stated.place.clone())
}

/// Returns the place that states the access of a key.
pub(super) fn of_key(entry: &DesiredKey, role: Option<&RoleName>, resources: Option<&Resources>) -> Option<Place> {
    let role_fits = match (&entry.roles, role) {
        (Some(roles), Some(role)) => roles.contains(role),
        (None, _) | (_, None) => true,
    };
    let covered = match (&entry.resources, resources) {
        (Some(stated), Some(live)) => covers(stated, live),
        (None, _) | (_, None) => true,
    };
    (!entry.absent && role_fits && covered).then(|| entry.place.clone())
}

/// Returns the organisation roles of a user, which decide whether they are an admin.
pub(super) fn admin_place(entry: Option<&DesiredUser>, user: &LiveUser) -> Option<Place> {
    user.roles.iter().find_map(|role| of_role(entry?, role, user.resources.as_ref()))
}

/// Returns whether the resources that a file states contain all of these.
fn covers(stated: &DesiredResources, live: &Resources) -> bool {
    match (stated, live) {
        (Reach::All, _) => true,
        (Reach::Only(_), Reach::All) => false,
        (Reach::Only(stated), Reach::Only(live)) => {
            live.iter().all(|(slug, live)| stated.get(slug).is_some_and(|stated| covers_project(stated, live)))
        }
    }
}

fn covers_project(stated: &DesiredProject, live: &ProjectReach) -> bool {
    let covers_target = |(slug, live): (&Slug, &TargetReach), stated: &BTreeMap<Slug, DesiredTarget>| {
        stated.get(slug).is_some_and(|stated| {
            covers_names(&stated.services, &live.services)
                && covers_names(&stated.app_deployments, &live.app_deployments)
        })
    };
    match (&stated.targets, &live.targets) {
        (Reach::All, _) => true,
        (Reach::Only(_), Reach::All) => false,
        (Reach::Only(stated), Reach::Only(live)) => live.iter().all(|target| covers_target(target, stated)),
    }
}

fn covers_names(
    stated: &Reach<std::collections::BTreeSet<String>>,
    live: &Reach<std::collections::BTreeSet<String>>,
) -> bool {
    match (stated, live) {
        (Reach::All, _) => true,
        (Reach::Only(_), Reach::All) => false,
        (Reach::Only(stated), Reach::Only(live)) => live.is_subset(stated),
    }
}
