//! Compares who has what before and after changes.
//!
//! For example, a plan takes `member:modify` from the role `Reviewer`, which Jane has, and moves Tom from one target of
//! `shop` to the whole project. Jane may no longer do `member:modify` at `organization`. Tom may do `schemaCheck:approve`
//! at `shop/*`, except where he could before.

use std::collections::{BTreeMap, BTreeSet};

use super::{Access, access, of_resolved};
use crate::{PlanInput, renamed};
use rolecall_model::{
    Ability, AccessChange, AccountStatus, Address, Change, Desired, Email, Entity, Index, Key, KeyName, Limited,
    Listing, Live, LiveInvitation, LiveKey, LiveRole, LiveTeam, LiveUser, Orders, Part, Privilege, RemoteId, Role,
    RoleName, Seen, Team, TeamName, User,
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
    let people = Index::new(entities().filter_map(Entity::user), |user| &user.email);
    let roles: BTreeSet<&RoleName> = entities().filter_map(Entity::role).map(|role| &role.name).collect();
    let teams: BTreeSet<&TeamName> = entities().filter_map(Entity::team).map(|team| &team.name).collect();
    let keys: BTreeSet<&KeyName> = entities().filter_map(Entity::key).map(|key| &key.name).collect();
    let everybody = entities().any(|entity| entity.organization().is_some())
        && changes.iter().any(|change| change.after.is_none());
    let is_touched = |user: &&LiveUser| {
        everybody
            || people.has(&user.email)
            || user.roles.iter().any(|role| roles.contains(role))
            || user.teams.iter().flatten().any(|(team, _)| teams.contains(team))
            || !teams.is_empty() && input.is_in_every_team(&user.roles)
    };
    let users = live.users.items.iter().filter(is_touched).cloned().collect();
    let invitations = live.invitations.as_ref().map(|list| {
        let is_touched = |open: &&LiveInvitation| {
            everybody
                || people.has(&open.email)
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
    if changes
        .iter()
        .any(|change| matches!((&change.after, &change.before), (None, Some(Entity::Organization(_)))))
    {
        live.users.items.clear();
        retain(live.invitations.as_mut(), |_| false);
        retain(live.keys.as_mut(), |_| false);
        retain(live.teams.as_mut(), |_| false);
    }
    make_roles(&of_kind(changes, Entity::role), live);
    make_keys(&of_kind(changes, Entity::key), live);
    make_teams(&of_kind(changes, Entity::team), live);
    let people: Vec<&Change> =
        changes.iter().filter(|change| change.entity().and_then(Entity::user).is_some()).collect();
    make_people(&people, live);
    live.orders = Orders::default();
}

/// Returns the entities of a kind that change, before and after.
fn of_kind<'a, T>(
    changes: &'a [Change],
    kind: impl Fn(&'a Entity) -> Option<&'a T>,
) -> Vec<(Option<&'a T>, Option<&'a T>)> {
    let both = changes
        .iter()
        .map(|change| (change.before.as_ref().and_then(&kind), change.after.as_ref().and_then(&kind)));
    both.filter(|(before, after)| before.is_some() || after.is_some()).collect()
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

fn make_roles(changes: &[(Option<&Role>, Option<&Role>)], live: &mut Live) {
    let Some(list) = &mut live.roles else { return };
    let names: BTreeSet<&RoleName> =
        changes.iter().filter_map(|(before, after)| after.or(*before)).map(|role| &role.name).collect();
    let (changed, others): (Vec<_>, Vec<_>) =
        std::mem::take(&mut list.items).into_iter().partition(|role| names.contains(&role.name));
    let locked: BTreeSet<&RoleName> = changed.iter().filter(|role| role.locked).map(|role| &role.name).collect();
    let written = changes.iter().filter_map(|(_, after)| *after).map(|role| {
        let Role { id, name, description, permissions } = role;
        LiveRole {
            id: id.clone().unwrap_or_else(new_id),
            name: name.clone(),
            renamed_from: None,
            description: description.clone(),
            permissions: permissions.clone(),
            locked: locked.contains(name),
        }
    });
    list.items = others.into_iter().chain(written).collect();
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

fn make_keys(changes: &[(Option<&Key>, Option<&Key>)], live: &mut Live) {
    let Some(list) = &mut live.keys else { return };
    let changed = changes.iter().filter_map(|(before, after)| after.or(*before));
    let ids: BTreeSet<&RemoteId> = changed.filter_map(|key| key.id.as_ref()).collect();
    list.items.retain(|other| !ids.contains(&other.id));
    list.items.extend(changes.iter().filter_map(|(_, after)| *after).map(live_key));
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

fn make_teams(changes: &[(Option<&Team>, Option<&Team>)], live: &mut Live) {
    let Some(list) = &mut live.teams else { return };
    let mut new: BTreeMap<&TeamName, &Team> =
        changes.iter().filter_map(|(_, after)| *after).map(|team| (&team.name, team)).collect();
    for team in &mut list.items {
        if new.remove(&team.name).is_some() {
            team.renamed_from = None;
        }
    }
    list.items.extend(new.into_values().map(|Team { id, name, description, thumbnail }| LiveTeam {
        id: id.clone().unwrap_or_else(new_id),
        name: name.clone(),
        raw_name: name.clone(),
        renamed_from: None,
        description: description.clone(),
        thumbnail: thumbnail.clone(),
        default: false,
    }));
    let deleted = changes.iter().filter(|(_, after)| after.is_none()).filter_map(|(before, _)| *before);
    let deleted: BTreeSet<&TeamName> = deleted.map(|team| &team.name).collect();
    if deleted.is_empty() {
        return;
    }
    list.items.retain(|team| !deleted.contains(&team.name));
    for teams in live.users.items.iter_mut().filter_map(|user| user.teams.as_mut()) {
        teams.retain(|team, _| !deleted.contains(team));
    }
    for teams in
        live.invitations.iter_mut().flat_map(|list| &mut list.items).filter_map(|open| open.teams.as_mut())
    {
        teams.retain(|team| !deleted.contains(team));
    }
}
