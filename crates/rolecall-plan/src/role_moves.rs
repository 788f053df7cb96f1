//! Whoever changes roles or resources, and the roles that change under them.

use std::collections::{BTreeMap, BTreeSet};

use super::roles::PlannedRoles;
use rolecall_model::{Address, Change, Effect, Entity, Permission, Role, RoleName};

/// Somebody whose role changes, or what it reaches.
pub(super) struct RoleMove {
    pub address: Address,
    pub from: BTreeSet<RoleName>,
    pub to: BTreeSet<RoleName>,
    /// What their role reaches grows, or shrinks.
    reach_grows: bool,
    reach_shrinks: bool,
    /// What they may do before the plan and after it.
    pub keeps: BTreeSet<Permission>,
}

impl RoleMove {
    /// Does a role reach them, or more of what is theirs, by this move?
    pub fn joins(&self, role: &RoleName) -> bool {
        self.to.contains(role) && (self.reach_grows || !self.from.contains(role))
    }

    /// Does a role no longer reach them, or less of what is theirs, by this move?
    pub fn leaves(&self, role: &RoleName) -> bool {
        self.from.contains(role) && (self.reach_shrinks || !self.to.contains(role))
    }
}

/// Everybody whose role or resources change, members and invited.
pub(super) fn role_moves(changes: &[Change], planned_roles: &PlannedRoles) -> Vec<RoleMove> {
    let roles = |entity: &Option<Entity>| {
        entity.as_ref().and_then(Entity::user).map(|user| user.roles.clone()).unwrap_or_default()
    };
    let mut role_moves = Vec::new();
    for change in changes.iter().filter(|change| matches!(change.entity(), Some(Entity::User(_)))) {
        let (from, to) = (roles(&change.before), roles(&change.after));
        let reach = |entity: &Option<Entity>| entity.as_ref().and_then(Entity::user)?.resources.clone();
        let (reach_grows, reach_shrinks) = match (reach(&change.before), reach(&change.after)) {
            (Some(before), Some(after)) => (!before.covers(&after), !after.covers(&before)),
            _ => (false, false),
        };
        if from == to && !reach_grows && !reach_shrinks {
            continue;
        }
        let keeps = match (planned_roles.allowed_before(&from), planned_roles.allowed_after(&to)) {
            (Some(before), Some(after)) => before.intersection(&after).cloned().collect(),
            _ => BTreeSet::new(),
        };
        role_moves.push(RoleMove { address: change.address.clone(), from, to, reach_grows, reach_shrinks, keeps });
    }
    role_moves
}

/// What an update of a role gives and takes.
struct PermissionChanges<'a> {
    role: &'a RoleName,
    gains: BTreeSet<&'a Permission>,
    loses: BTreeSet<&'a Permission>,
}

fn permission_changes(change: &Change) -> Option<PermissionChanges<'_>> {
    let (before, after) = (change.before.as_ref()?.role()?, change.after.as_ref()?.role()?);
    Some(PermissionChanges {
        role: &after.name,
        gains: after.permissions.difference(&before.permissions).collect(),
        loses: before.permissions.difference(&after.permissions).collect(),
    })
}

/// The roles that have to be updated in two steps: where people move in a circle between roles, each relying on what
/// the one gains and the other loses, no order of single updates is right.
pub(super) fn roles_in_two_steps(changes: &[Change], role_moves: &[RoleMove]) -> BTreeSet<RoleName> {
    let changed_roles: BTreeMap<&RoleName, PermissionChanges<'_>> = changes
        .iter()
        .filter_map(permission_changes)
        .map(|permission_changes| (permission_changes.role, permission_changes))
        .collect();
    // Which role has to be updated after which: whoever leaves the one, relying on what it loses, relies on what the
    // other gains.
    let mut after: BTreeMap<&RoleName, BTreeSet<&RoleName>> = BTreeMap::new();
    for role_move in role_moves {
        let left = role_move.from.iter().filter_map(|role| changed_roles.get(role));
        let come = || role_move.to.iter().filter_map(|role| changed_roles.get(role));
        for left in left.filter(|left| role_move.keeps.iter().any(|kept| left.loses.contains(kept))) {
            let relied = come().filter(|come| role_move.keeps.iter().any(|kept| come.gains.contains(kept)));
            after.entry(left.role).or_default().extend(relied.map(|come| come.role));
        }
    }
    let mut split = BTreeSet::new();
    // As few as can be, and of a circle the one whose first step allows least.
    while let Some(cycle) = cycle(&after) {
        let cost =
            |role: &RoleName| changed_roles.get(role).map(|permission_changes| permission_changes.gains.len());
        let Some(cheapest) = cycle.into_iter().min_by_key(|role| (cost(role), *role)) else { break };
        split.insert(cheapest.clone());
        after.remove(cheapest);
        for others in after.values_mut() {
            others.remove(cheapest);
        }
    }
    split
}

/// Some roles that each wait for the next, the last for the first.
fn cycle<'a>(after: &BTreeMap<&'a RoleName, BTreeSet<&'a RoleName>>) -> Option<Vec<&'a RoleName>> {
    let mut done: BTreeSet<&RoleName> = BTreeSet::new();
    for start in after.keys() {
        let mut path: Vec<&'a RoleName> = vec![start];
        while let Some(role) = path.last().copied() {
            let Some(next) = after.get(role).into_iter().flatten().find(|other| !done.contains(*other)) else {
                done.insert(role);
                path.pop();
                continue;
            };
            if let Some(begin) = path.iter().position(|role| role == next) {
                return Some(path.split_off(begin));
            }
            path.push(next);
        }
    }
    None
}

/// The first of two steps: all that either end allows.
pub(super) fn first_step(change: &Change) -> Option<Change> {
    let (before, after) = (change.before.as_ref()?.role()?, change.after.as_ref()?.role()?);
    let permissions = before.permissions.union(&after.permissions).cloned().collect();
    Some(Change { after: Some(Entity::Role(Role { permissions, ..after.clone() })), ..change.clone() })
}

/// Says of every role that is updated in two steps what the first one allows.
pub(super) fn add_first_step_effects(changes: &mut [Change], planned_roles: &PlannedRoles) {
    let split = roles_in_two_steps(changes, &role_moves(changes, planned_roles));
    for change in changes {
        let Some(Entity::Role(role)) = first_step(change).and_then(|first| first.after) else { continue };
        if split.contains(&role.name) {
            change.effects.push(Effect::FirstAllows { permissions: role.permissions });
        }
    }
}
