//! Finds the roles and teams that the file renames: an entry whose name isn't live, and one of whose previous names is.
//!
//! A plan is made from live with the new names. For example, the file renames the role `Schema reviewer` to `Reviewer`,
//! and Jane has it. In the eyes of the plan she has `Reviewer`, as the file says, so she isn't changed. Only the role
//! itself still knows its live name, and its update gives it the new one.

use std::borrow::Cow;

use rolecall_model::{
    Address, Desired, DesiredRole, DesiredTeam, Live, LiveRole, LiveTeam, Renames, RoleName, TeamName,
};

/// Returns live with the names that the file gives to the roles and teams that it renames. Whether a change is in effect
/// is only clear from such a live state, because changes have the new names.
pub fn renamed<'a>(desired: &Desired, live: &'a Live) -> Cow<'a, Live> {
    let renames = open(desired, live);
    if renames.is_empty() {
        return Cow::Borrowed(live);
    }
    let mut live = live.clone();
    renames.rename_in_live(&mut live);
    Cow::Owned(live)
}

/// Returns the renames that the file asks for and that aren't made yet.
pub(super) fn open(desired: &Desired, live: &Live) -> Renames {
    let roles = desired.roles.iter().filter_map(|entry| match roles_to_rename(entry, live)[..] {
        [role] if !role.locked => Some((role.name.clone(), entry.name.clone())),
        _ => None,
    });
    // Teams can have the same name, so one that isn't listed may have the new name already.
    let is_complete = live.teams.as_ref().is_some_and(|list| !list.completeness.is_incomplete());
    let teams = desired.teams.iter().filter(|_| is_complete);
    let teams = teams.filter_map(|entry| match teams_to_rename(entry, live)[..] {
        [team] => Some((team.name.clone(), entry.name.clone())),
        _ => None,
    });
    Renames { roles: roles.collect(), teams: teams.collect() }
}

/// Returns those renames, and those that were made already. The ledger may still have the earlier names.
pub(super) fn all(desired: &Desired, live: &Live) -> Renames {
    let mut renames = open(desired, live);
    for entry in &desired.roles {
        let gone = entry.previously.keys().filter(|name| live.role(name).is_none());
        renames.roles.extend(gone.map(|name| (name.clone(), entry.name.clone())));
    }
    for entry in &desired.teams {
        let gone = entry.previously.keys().filter(|name| live.team(name).is_none());
        renames.teams.extend(gone.map(|name| (name.clone(), entry.name.clone())));
    }
    renames
}

/// Returns the live roles that have a previous name of an entry whose own name isn't live. If there is one, it is renamed.
pub(super) fn roles_to_rename<'a>(entry: &DesiredRole, live: &'a Live) -> Vec<&'a LiveRole> {
    if entry.previously.is_empty() || live.role(&entry.name).is_some() || unreadable_role(entry, live).is_some() {
        return Vec::new();
    }
    let mut found: Vec<&LiveRole> = entry.previously.keys().flat_map(|name| live.roles_named(name)).collect();
    found.sort_by_key(|role| &role.id);
    found
}

/// Returns the live teams that have a previous name of an entry whose own name isn't live. If there is one, it is renamed.
pub(super) fn teams_to_rename<'a>(entry: &DesiredTeam, live: &'a Live) -> Vec<&'a LiveTeam> {
    let is_taken = || named(&entry.name, live).next().is_some();
    if entry.previously.is_empty() || is_taken() || unreadable_team(entry, live).is_some() {
        return Vec::new();
    }
    let mut found: Vec<&LiveTeam> = entry.previously.keys().flat_map(|name| named(name, live)).collect();
    found.sort_by_key(|team| &team.id);
    found.dedup_by_key(|team| &team.id);
    found
}

/// Returns the teams that have this name, in the file or at the platform.
fn named<'a>(name: &TeamName, live: &'a Live) -> impl Iterator<Item = &'a LiveTeam> {
    live.team(name).into_iter().chain(live.teams_called(name))
}

/// Returns the name of an entry, new or previous, under which the platform lists a role that can't be read.
pub(super) fn unreadable_role(entry: &DesiredRole, live: &Live) -> Option<Address> {
    let mut names = std::iter::once(&entry.name).chain(entry.previously.keys()).map(Address::role);
    names.find(|address| live.is_unreadable(address))
}

/// Returns the name of an entry, new or previous, under which the platform lists a team that can't be read.
pub(super) fn unreadable_team(entry: &DesiredTeam, live: &Live) -> Option<Address> {
    let mut names = std::iter::once(&entry.name).chain(entry.previously.keys()).map(Address::team);
    names.find(|address| live.is_unreadable(address))
}

/// Returns the address of the entry that has this name of a role under `previously`.
pub(super) fn renamed_role(name: &RoleName, desired: &Desired) -> Option<Address> {
    let entry = desired.roles.iter().find(|entry| entry.previously.contains_key(name))?;
    Some(Address::role(&entry.name))
}

/// Returns the address of the entry that has the name of this team under `previously`.
pub(super) fn renamed_team(name: &TeamName, desired: &Desired) -> Option<Address> {
    let entry = desired.teams.iter().find(|entry| entry.previously.contains_key(name))?;
    Some(Address::team(&entry.name))
}
