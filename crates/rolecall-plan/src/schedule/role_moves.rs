//! Finds the users who move between roles, and the roles that must be updated in two steps because of them.
//!
//! A user who moves must never lose a permission that they have both before and after the plan. Usually the right
//! order of updates is enough. For example, Jane moves from role A to role B while A loses `x` and B gains `x`.
//! Then B is updated first, then Jane moves, then A is updated: she has `x` all the time.
//!
//! No order of single updates is safe if users move in a cycle. Say that Tom also moves, from B to A, while B
//! loses `y` and A gains `y`, and he keeps `y`. Jane needs B updated before A, and Tom needs A updated before B.
//! So one of the two roles, say A, is updated in two steps. The first step adds what A gains and removes nothing:
//! A allows both `x` and `y`. Then Tom moves to A, B is updated, Jane moves to B, and the second step removes `x`
//! from A.

use std::collections::{BTreeMap, BTreeSet};

use crate::roles::PlannedRoles;
use rolecall_model::{Address, Change, Effect, Entity, Permission, Role, RoleName};

/// A user whose roles change, or the resources that the roles apply to.
pub(super) struct RoleMove {
    pub address: Address,
    pub from: BTreeSet<RoleName>,
    pub to: BTreeSet<RoleName>,
    /// True if the resources after the plan include some that the user didn't have before.
    reach_grows: bool,
    /// True if the user loses some resources.
    reach_shrinks: bool,
    /// The permissions that the user has both before and after the plan, and so must keep in between.
    pub keeps: BTreeSet<Permission>,
}

impl RoleMove {
    /// Returns whether this move gives the user the role, or the role on more resources.
    pub fn joins(&self, role: &RoleName) -> bool {
        self.to.contains(role) && (self.reach_grows || !self.from.contains(role))
    }

    /// Returns whether this move takes the role from the user, or the role on some resources.
    pub fn leaves(&self, role: &RoleName) -> bool {
        self.from.contains(role) && (self.reach_shrinks || !self.to.contains(role))
    }
}

/// Returns all users whose roles or resources change, both members and invited users.
pub(super) fn role_moves(changes: &[Change], planned_roles: &PlannedRoles) -> Vec<RoleMove> {
    let roles = |entity: &Option<Entity>| {
        entity.as_ref().and_then(Entity::user).map(|user| user.roles.clone()).unwrap_or_default()
    };
    let mut role_moves = Vec::new();
    for change in changes.iter().filter(|change| matches!(change.entity(), Some(Entity::User(_)))) {
        let (from, to) = (roles(&change.before), roles(&change.after));
        let resources = |entity: &Option<Entity>| entity.as_ref().and_then(Entity::user)?.resources.clone();
        let (reach_grows, reach_shrinks) = match (resources(&change.before), resources(&change.after)) {
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

/// The permissions that an update of a role adds and removes.
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

/// Returns the roles that must be updated in two steps, because users move between roles in a cycle. See the
/// module's documentation for an example. It chooses few roles: one of each cycle that it finds, the one that
/// gains the fewest permissions by its first step.
pub(super) fn roles_in_two_steps(changes: &[Change], role_moves: &[RoleMove]) -> BTreeSet<RoleName> {
    let changed_roles: BTreeMap<&RoleName, PermissionChanges<'_>> =
        changes.iter().filter_map(permission_changes).map(|role_change| (role_change.role, role_change)).collect();
    // Maps a role to the roles that must be updated before it. A user who leaves a role keeps a permission that
    // the role loses, and gets it from a role that gains it.
    let mut after: BTreeMap<&RoleName, BTreeSet<&RoleName>> = BTreeMap::new();
    for role_move in role_moves {
        let left_roles = role_move.from.iter().filter_map(|role| changed_roles.get(role));
        let joined_roles = || role_move.to.iter().filter_map(|role| changed_roles.get(role));
        for left_role in
            left_roles.filter(|left_role| role_move.keeps.iter().any(|kept| left_role.loses.contains(kept)))
        {
            let sources = joined_roles()
                .filter(|joined_role| role_move.keeps.iter().any(|kept| joined_role.gains.contains(kept)));
            after.entry(left_role.role).or_default().extend(sources.map(|joined_role| joined_role.role));
        }
    }
    let mut split = BTreeSet::new();
    while let Some(cycle) = cycle(&after) {
        let cost = |role: &RoleName| changed_roles.get(role).map(|role_change| role_change.gains.len());
        let Some(cheapest) = cycle.into_iter().min_by_key(|role| (cost(role), *role)) else { break };
        split.insert(cheapest.clone());
        after.remove(cheapest);
        for others in after.values_mut() {
            others.remove(cheapest);
        }
    }
    split
}

/// Finds roles of which each must be updated after the next, and the last after the first.
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

/// Returns the first of two steps: an update to the union of the permissions before and after.
pub(super) fn first_step(change: &Change) -> Option<Change> {
    let (before, after) = (change.before.as_ref()?.role()?, change.after.as_ref()?.role()?);
    let permissions = before.permissions.union(&after.permissions).cloned().collect();
    Some(Change { after: Some(Entity::Role(Role { permissions, ..after.clone() })), ..change.clone() })
}

/// Adds an effect to each role that is updated in two steps: the permissions that its first step allows.
pub(crate) fn add_first_step_effects(changes: &mut [Change], planned_roles: &PlannedRoles) {
    let split = roles_in_two_steps(changes, &role_moves(changes, planned_roles));
    for change in changes {
        let Some(Entity::Role(role)) = first_step(change).and_then(|first| first.after) else { continue };
        if split.contains(&role.name) {
            change.effects.push(Effect::FirstAllows { permissions: role.permissions });
        }
    }
}
