//! Compares who has what before and after changes.
//!
//! For example, a plan takes `member:modify` from the role `Reviewer`, which Jane has, and moves Tom from one target of
//! `shop` to the whole project. Jane may no longer do `member:modify` at `organization`. Tom may do `schemaCheck:approve`
//! at `shop/*`, except where he could before.

use std::collections::{BTreeMap, BTreeSet};

use super::{Access, access, of_resolved};
use crate::{PlanInput, renamed};
use rolecall_model::{
    Ability, AccessChange, AccountStatus, Address, Change, Desired, Email, Entity, Key, KeyName, Limited, Listing,
    Live, LiveInvitation, LiveKey, LiveRole, LiveTeam, LiveUser, Part, Privilege, RemoteId, Role, RoleName, Seen,
    Team, TeamName, User,
};

/// Returns who has what after these changes, if nothing else changes.
pub fn access_after(input: &PlanInput<'_>, changes: &[Change]) -> Access {
    let mut live = renamed(input.desired, input.live).into_owned();
    make_all(changes, &mut live);
    access(&PlanInput { live: &live, ..*input })
}

/// The meaning of changes for everybody whose access they change.
#[derive(Default)]
pub(crate) struct Meaning {
    pub access: BTreeMap<Address, AccessChange>,
    /// The effect on privileged access, of those who have it before or after the changes.
    pub privileges: BTreeMap<Address, Privilege>,
}

/// Returns what changes of a plan mean for everybody whom they touch: those who are changed, and those who hold a role
/// or are in a team that is changed. The file's names of roles are those of the platform.
pub(crate) fn meaning(input: &PlanInput<'_>, changes: &[Change]) -> Meaning {
    if changes.is_empty() {
        return Meaning::default();
    }
    let mut live = touched(input, changes);
    // Which line states the access doesn't matter here.
    let Desired { provider, place, organization, endpoint, .. } = input.desired;
    let nobody = Desired::of(*provider, place.clone(), organization.clone(), endpoint.clone(), BTreeMap::new());
    let input = &PlanInput { desired: &nobody, ..*input };
    let before = of_resolved(&PlanInput { live: &live, ..*input });
    make_all(changes, &mut live);
    let after = of_resolved(&PlanInput { live: &live, ..*input });
    let access = delta(&before, &after);
    let (had, has) = (privileged(&before), privileged(&after));
    let privilege = |address: &Address| match (had.contains(address), has.contains(address)) {
        (false, true) => Some(Privilege::Gains),
        (true, false) => Some(Privilege::Loses),
        (true, true) => Some(Privilege::Keeps),
        (false, false) => None,
    };
    let privileges = access.keys().filter_map(|address| Some((address.clone(), privilege(address)?))).collect();
    Meaning { access, privileges }
}

/// Returns everybody with privileged access that works, or that an open invitation gives.
fn privileged(access: &Access) -> BTreeSet<&Address> {
    let privileged = access.holders.iter().filter(|holder| holder.privileged && holder.can_use());
    privileged.map(|holder| &holder.address).collect()
}

/// Returns live with only those users, invitations and keys that changes touch. A plan over thousands of users changes
/// few of them.
fn touched(input: &PlanInput<'_>, changes: &[Change]) -> Live {
    let live = input.live;
    let entities = || changes.iter().flat_map(|change| change.before.iter().chain(&change.after));
    let emails: BTreeSet<&Email> = entities().filter_map(Entity::user).map(|user| &user.email).collect();
    let roles: BTreeSet<&RoleName> = entities().filter_map(Entity::role).map(|role| &role.name).collect();
    let teams: BTreeSet<&TeamName> = entities().filter_map(Entity::team).map(|team| &team.name).collect();
    let keys: BTreeSet<&KeyName> = entities().filter_map(Entity::key).map(|key| &key.name).collect();
    let everybody = entities().any(|entity| entity.organization().is_some())
        && changes.iter().any(|change| change.after.is_none());
    let is_touched = |user: &&LiveUser| {
        everybody
            || emails.contains(&user.email)
            || user.roles.iter().any(|role| roles.contains(role))
            || user.teams.iter().flatten().any(|(team, _)| teams.contains(team))
            || !teams.is_empty() && input.is_in_every_team(&user.roles)
    };
    let users = live.users.items.iter().filter(is_touched).cloned().collect();
    let invitations = live.invitations.as_ref().map(|list| {
        let is_touched = |open: &&LiveInvitation| {
            everybody
                || emails.contains(&open.email)
                || roles.contains(&open.role)
                || open.teams.iter().flatten().any(|team| teams.contains(team))
        };
        Listing {
            items: list.items.iter().filter(is_touched).cloned().collect(),
            completeness: list.completeness.clone(),
        }
    });
    let named = |key: &&LiveKey| everybody || keys.contains(&key.name);
    let keys = live.keys.as_ref().map(|list| Listing {
        items: list.items.iter().filter(named).cloned().collect(),
        completeness: list.completeness.clone(),
    });
    Live {
        invitations,
        keys,
        roles: live.roles.clone(),
        teams: live.teams.clone(),
        assignable: live.assignable.clone(),
        caller: live.caller.clone(),
        catalogue: live.catalogue.clone(),
        projects: live.projects.clone(),
        ..Live::of(
            live.organization.clone(),
            Listing { items: users, completeness: live.users.completeness.clone() },
        )
    }
}

/// Returns what changes for each holder, by address. Somebody with an open invitation counts as if they had accepted it.
pub fn delta(before: &Access, after: &Access) -> BTreeMap<Address, AccessChange> {
    let (had, has) = (by_address(before), by_address(after));
    let none = BTreeSet::new();
    let addresses: BTreeSet<&Address> = had.keys().chain(has.keys()).copied().collect();
    let mut changes = BTreeMap::new();
    for address in addresses {
        let (had, has) = (had.get(address).unwrap_or(&none), has.get(address).unwrap_or(&none));
        let change = AccessChange { gains: beyond(has, had), loses: beyond(had, has) };
        if change != AccessChange::default() {
            changes.insert(address.clone(), change);
        }
    }
    changes
}

fn by_address(access: &Access) -> BTreeMap<&Address, BTreeSet<Ability>> {
    let mut found: BTreeMap<&Address, BTreeSet<Ability>> = BTreeMap::new();
    for holder in access.holders.iter().filter(|holder| holder.can_use()) {
        found.entry(&holder.address).or_default().extend(access.abilities_by_grants(holder));
    }
    found
}

/// Returns those abilities of one set that the other set doesn't cover.
fn beyond(these: &BTreeSet<Ability>, those: &BTreeSet<Ability>) -> Vec<Limited> {
    let mut by_may: BTreeMap<_, Vec<&Part>> = BTreeMap::new();
    for Ability { may, at, .. } in those {
        by_may.entry(may).or_default().push(at);
    }
    let limited = |ability: &Ability| {
        let others = by_may.get(&ability.may).map(Vec::as_slice).unwrap_or_default();
        let is_covered = others.iter().any(|other| other.covers(&ability.at));
        let except =
            others.iter().filter(|other| ability.at.covers(other)).map(|other| (*other).clone()).collect();
        (!is_covered).then(|| Limited { ability: ability.clone(), except })
    };
    let mut found: Vec<Limited> = these.iter().filter_map(limited).collect();
    found.sort_by(|a, b| (!a.ability.privileged, a).cmp(&(!b.ability.privileged, b)));
    found
}

/// Makes all changes in a copy of live.
fn make_all(changes: &[Change], live: &mut Live) {
    let (people, others): (Vec<&Change>, Vec<&Change>) =
        changes.iter().partition(|change| change.entity().and_then(Entity::user).is_some());
    for change in others {
        make(change, live);
    }
    make_people(&people, live);
}

/// Makes a change in a copy of live. The changes of people are made by [`make_people`].
fn make(change: &Change, live: &mut Live) {
    match (&change.after, &change.before) {
        (Some(Entity::Role(role)), _) => write_role(role, live),
        (Some(Entity::Key(key)), _) => write_key(key, live),
        (Some(Entity::Team(team)), _) => write_team(team, live),
        (Some(Entity::Organization(_) | Entity::User(_)), _) | (None, Some(Entity::User(_)) | None) => {}
        (None, Some(Entity::Role(role))) => retain(live.roles.as_mut(), |other| other.name != role.name),
        (None, Some(Entity::Key(key))) => retain(live.keys.as_mut(), |other| Some(&other.id) != key.id.as_ref()),
        (None, Some(Entity::Team(team))) => delete_team(team, live),
        (None, Some(Entity::Organization(_))) => {
            live.users.items.clear();
            retain(live.invitations.as_mut(), |_| false);
            retain(live.keys.as_mut(), |_| false);
            retain(live.teams.as_mut(), |_| false);
        }
    }
}

fn retain<T>(list: Option<&mut Listing<T>>, stays: impl Fn(&T) -> bool) {
    if let Some(list) = list {
        list.items.retain(stays);
    }
}

/// Returns the id of an entity that doesn't exist yet.
fn new_id() -> RemoteId {
    RemoteId::seen("")
}

fn write_role(role: &Role, live: &mut Live) {
    let Role { id, name, description, permissions } = role;
    let Some(list) = &mut live.roles else { return };
    let locked = list.items.iter().any(|other| other.name == *name && other.locked);
    list.items.retain(|other| other.name != *name);
    list.items.push(LiveRole {
        id: id.clone().unwrap_or_else(new_id),
        name: name.clone(),
        renamed_from: None,
        description: description.clone(),
        permissions: permissions.clone(),
        locked,
    });
}

/// Makes the changes of people in a copy of live, all at once, because there may be thousands.
fn make_people(changes: &[&Change], live: &mut Live) {
    // Of those who are known by id: the new value, or `None` for somebody who leaves.
    let mut known: BTreeMap<&RemoteId, Option<&User>> = BTreeMap::new();
    let mut new: Vec<&User> = Vec::new();
    // Invitations that are cancelled, in their spelling, and those that are replaced.
    let (mut cancelled, mut replaced): (BTreeSet<&str>, BTreeSet<&Email>) = (BTreeSet::new(), BTreeSet::new());
    for change in changes {
        let before = change.before.as_ref().and_then(Entity::user);
        match (change.after.as_ref().and_then(Entity::user), before) {
            (Some(user), _) => {
                match &user.id {
                    Some(id) => {
                        known.insert(id, (!user.outside).then_some(user));
                    }
                    None if !user.outside => new.push(user),
                    None => {}
                }
                if !user.outside && user.enabled == Seen::Known(true) {
                    replaced.insert(&user.email);
                }
            }
            (None, Some(user)) if user.invited => {
                cancelled.insert(user.email.as_str());
            }
            (None, Some(user)) => known.extend(user.id.as_ref().map(|id| (id, None))),
            (None, None) => {}
        }
    }
    live.users.items.retain(|other| !matches!(known.get(&other.id), Some(None)));
    for other in &mut live.users.items {
        if let Some(user) = known.remove(&other.id).flatten() {
            *other = written(user, other);
        }
    }
    // Somebody who is invited counts as a member, because only here it is known what the invitation gives.
    live.users.items.extend(known.into_values().flatten().chain(new).map(|user| {
        let id = user.id.clone().unwrap_or_else(new_id);
        let newcomer = LiveUser::of(id, user.email.clone(), user.roles.clone());
        written(user, &LiveUser { account_status: AccountStatus::Ordinary, ..newcomer })
    }));
    retain(live.invitations.as_mut(), |other| {
        !cancelled.contains(other.email.as_str()) && !replaced.contains(&other.email)
    });
}

/// Returns a user as a change leaves them.
fn written(user: &User, before: &LiveUser) -> LiveUser {
    let User { roles, resources, teams, enabled, .. } = user;
    LiveUser {
        roles: roles.clone(),
        resources: resources.clone(),
        teams: teams.clone().or_else(|| before.teams.clone()),
        enabled: *enabled,
        ..before.clone()
    }
}

fn write_key(key: &Key, live: &mut Live) {
    let Some(list) = &mut live.keys else { return };
    list.items.retain(|other| Some(&other.id) != key.id.as_ref());
    list.items.push(live_key(key));
}

/// Returns a key as it is live after a change.
pub(super) fn live_key(key: &Key) -> LiveKey {
    let Key { id, name, description, roles, permissions, resources, expires, lifetime: _, enabled } = key;
    LiveKey {
        id: id.clone().unwrap_or_else(new_id),
        name: name.clone(),
        description: description.clone(),
        roles: roles.clone(),
        permissions: permissions.clone(),
        resources: resources.clone(),
        expires: *expires,
        created: None,
        enabled: *enabled,
    }
}

fn write_team(team: &Team, live: &mut Live) {
    let Team { id, name, description, thumbnail } = team;
    let Some(list) = &mut live.teams else { return };
    if let Some(team) = list.items.iter_mut().find(|other| other.name == *name) {
        team.renamed_from = None;
        return;
    }
    list.items.push(LiveTeam {
        id: id.clone().unwrap_or_else(new_id),
        name: name.clone(),
        raw_name: name.clone(),
        renamed_from: None,
        description: description.clone(),
        thumbnail: thumbnail.clone(),
        default: false,
    });
}

fn delete_team(team: &Team, live: &mut Live) {
    retain(live.teams.as_mut(), |other| other.name != team.name);
    for user in &mut live.users.items {
        if let Some(teams) = &mut user.teams {
            teams.remove(&team.name);
        }
    }
    for open in live.invitations.iter_mut().flat_map(|list| &mut list.items) {
        if let Some(teams) = &mut open.teams {
            teams.remove(&team.name);
        }
    }
}
