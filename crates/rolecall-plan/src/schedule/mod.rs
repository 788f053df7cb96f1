//! Lowers changes to mutations and sorts them into the order in which they run.

mod batching;
mod dependencies;
mod role_moves;

use std::collections::{BTreeMap, BTreeSet};

use super::PlanInput;
use super::admins::Admins;
use super::keys;
use super::roles::PlannedRoles;
use super::seats;
use rolecall_model::{Action, Address, Change, Entity, Mutation, Permission, Seen, Stage, User};

pub(super) use dependencies::{all_dependencies, indices};
pub(super) use role_moves::add_first_step_effects;

/// A mutation that isn't sorted yet.
pub(super) struct Node<'a> {
    pub change: &'a Change,
    pub mutation: Mutation,
    /// The permissions that it adds to a role, and those that it removes from one.
    pub grants: BTreeSet<Permission>,
    pub revokes: BTreeSet<Permission>,
    /// The indices of the nodes that must be done first.
    pub needs: BTreeSet<usize>,
    /// The indices of the nodes that a read must show in effect first.
    pub after: BTreeSet<usize>,
}

/// Returns the mutations of a plan, sorted, with their dependencies.
///
/// # Errors
///
/// Returns the changes whose mutations depend on each other in a circle. No order is right for them, and nothing may be
/// left out of a plan, so this is an internal error.
pub(super) fn mutations(
    input: &PlanInput<'_>,
    changes: &[Change],
    admins: &Admins,
    planned_roles: &PlannedRoles,
) -> Result<Vec<Mutation>, BTreeSet<Address>> {
    let mut nodes = Vec::new();
    let role_moves = role_moves::role_moves(changes, planned_roles);
    let split = role_moves::roles_in_two_steps(changes, &role_moves);
    for change in changes {
        let role = change.after.as_ref().and_then(Entity::role);
        let first = role.filter(|role| split.contains(&role.name)).and_then(|_| role_moves::first_step(change));
        let Some(last) = lower(input, change, change, stage(input, change, admins, planned_roles), &mut nodes)
        else {
            continue;
        };
        (nodes[last].grants, nodes[last].revokes) = permission_changes(change);
        if let Some(first) = first
            && let Some(first_step) = lower(input, change, &first, Stage::Widen, &mut nodes)
        {
            nodes[first_step].mutation.first_step = true;
            nodes[first_step].grants = std::mem::take(&mut nodes[last].grants);
            nodes[last].after.insert(first_step);
        }
    }
    dependencies::id_dependencies(&mut nodes);
    dependencies::promotion_dependencies(admins, &mut nodes);
    dependencies::key_dependencies(input, &mut nodes);
    dependencies::role_dependencies(&role_moves, &mut nodes);
    dependencies::least_privilege_dependencies(&role_moves, &mut nodes);
    dependencies::team_dependencies(&mut nodes);
    dependencies::invitation_dependencies(input, &mut nodes);
    seats::dependencies(input, changes, &mut nodes);
    sorted(batching::merge(nodes, input.rules))
}

/// Adds the mutations that write `value`, which is the change itself or its first step. Returns the index of the
/// last one, which completes it.
fn lower<'a>(
    input: &PlanInput<'_>,
    change: &'a Change,
    value: &Change,
    stage: Stage,
    nodes: &mut Vec<Node<'a>>,
) -> Option<usize> {
    let first = nodes.len();
    let lowered = input.rules.lower(value, input.live);
    let count = lowered.len();
    for (index, one) in lowered.into_iter().enumerate() {
        let mutation = Mutation {
            id: String::new(),
            change: change.address.clone(),
            also: Vec::new(),
            stage: one.stage.unwrap_or(stage),
            operation: one.operation.to_owned(),
            variables: one.variables,
            needs: Vec::new(),
            after: Vec::new(),
            first_step: index + 1 < count,
        };
        let (grants, revokes, after) = Default::default();
        let needs = if one.independent { BTreeSet::new() } else { (first..nodes.len()).collect() };
        nodes.push(Node { change, mutation, grants, revokes, needs, after });
    }
    (nodes.len() > first).then(|| nodes.len() - 1)
}

/// Returns the stage in which a change runs. An update of a user writes the whole record, so it can both grant and
/// revoke. Such an update runs with the revocations, unless it makes somebody an admin: another admin's demotion
/// may depend on it.
fn stage(input: &PlanInput<'_>, change: &Change, admins: &Admins, planned_roles: &PlannedRoles) -> Stage {
    if keys::is_of_own_key(input, change) {
        return Stage::Own;
    }
    match (change.action, &change.before, &change.after) {
        (Action::Create, _, _) => Stage::Create,
        (Action::Invite | Action::Enable, _, _) | (Action::Update, _, Some(Entity::Team(_))) => Stage::Widen,
        (Action::Disable, _, Some(Entity::Key(_))) | (Action::Delete, _, _) => Stage::Remove,
        (Action::Update, Some(Entity::User(before)), Some(Entity::User(after))) => {
            let narrows = narrows(input, before, after, planned_roles);
            if narrows && !admins.gained.contains(&change.address) { Stage::Narrow } else { Stage::Widen }
        }
        (Action::Update, Some(Entity::Organization(before)), Some(Entity::Organization(after))) => {
            // Seats are added before users are invited, and removed after users have left.
            if after.seats < before.seats { Stage::Remove } else { Stage::Create }
        }
        (Action::Update, Some(Entity::Role(_)), Some(Entity::Role(_))) => {
            if permission_changes(change).1.is_empty() { Stage::Widen } else { Stage::Narrow }
        }
        (Action::Disable | Action::RemoveAccess | Action::Cancel | Action::Remove | Action::Update, _, _) => {
            Stage::Narrow
        }
    }
}

/// Returns the permissions that a change adds to a role, and those that it removes.
fn permission_changes(change: &Change) -> (BTreeSet<Permission>, BTreeSet<Permission>) {
    let of = |entity: &Option<Entity>| entity.as_ref().and_then(Entity::role).map(|role| role.permissions.clone());
    let (before, after) = (of(&change.before).unwrap_or_default(), of(&change.after).unwrap_or_default());
    (after.difference(&before).cloned().collect(), before.difference(&after).cloned().collect())
}

/// Returns whether a user loses anything: the account, permissions, resources, a team or a team role.
pub(super) fn narrows(input: &PlanInput<'_>, before: &User, after: &User, planned_roles: &PlannedRoles) -> bool {
    let disabled = after.enabled == Seen::Known(false);
    let roles = match (planned_roles.allowed_before(&before.roles), planned_roles.allowed_after(&after.roles)) {
        (Some(before), Some(after)) => !before.is_subset(&after),
        _ => !input.covers(&after.roles, &before.roles),
    };
    let resources = match (&before.resources, &after.resources) {
        (Some(before), Some(after)) => !after.covers(before),
        (_, None) | (None, Some(_)) => false,
    };
    let teams = match (&before.teams, &after.teams) {
        (Some(before), Some(after)) => before.iter().any(|(team, role)| after.get(team) != Some(role)),
        (_, None) | (None, Some(_)) => false,
    };
    disabled || roles || resources || teams
}

/// Sorts the mutations: each comes after its dependencies, and otherwise stage and address decide. Gives them
/// their ids. Returns the changes of a circle of dependencies, if there is one.
fn sorted(nodes: Vec<Node<'_>>) -> Result<Vec<Mutation>, BTreeSet<Address>> {
    let key = |index: usize| (nodes[index].mutation.stage, &nodes[index].change.address, index);
    let mut pending: Vec<BTreeSet<usize>> =
        nodes.iter().map(|node| node.needs.union(&node.after).copied().collect()).collect();
    let mut dependents: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
    for (index, others) in pending.iter().enumerate() {
        for other in others {
            dependents[*other].push(index);
        }
    }
    let mut ready: BTreeSet<_> =
        pending.iter().enumerate().filter(|(_, others)| others.is_empty()).map(|(index, _)| key(index)).collect();
    let mut positions: BTreeMap<usize, usize> = BTreeMap::new();
    while let Some((_, _, index)) = ready.pop_first() {
        positions.insert(index, positions.len());
        for dependent in &dependents[index] {
            pending[*dependent].remove(&index);
            if pending[*dependent].is_empty() {
                ready.insert(key(*dependent));
            }
        }
    }
    if positions.len() < nodes.len() {
        let left = nodes.iter().enumerate().filter(|(index, _)| !positions.contains_key(index));
        return Err(left.map(|(_, node)| node.change.address.clone()).collect());
    }
    let id = |position: &usize| format!("m{}", position + 1);
    let ids = |others: &BTreeSet<usize>| {
        let found: BTreeSet<&usize> = others.iter().filter_map(|other| positions.get(other)).collect();
        found.into_iter().map(id).collect()
    };
    let mut mutations: Vec<(usize, Mutation)> = Vec::with_capacity(nodes.len());
    for (index, node) in nodes.into_iter().enumerate() {
        let Some(position) = positions.get(&index) else { continue };
        let needs = ids(&node.needs.difference(&node.after).copied().collect());
        let mutation = Mutation { id: id(position), needs, after: ids(&node.after), ..node.mutation };
        mutations.push((*position, mutation));
    }
    mutations.sort_by_key(|(position, _)| *position);
    Ok(mutations.into_iter().map(|(_, mutation)| mutation).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rolecall_model::{Cause, Entity, Role, RoleName};

    fn change(name: &str) -> Change {
        let role = Role {
            id: None,
            name: RoleName::seen(name),
            description: String::new(),
            permissions: BTreeSet::new(),
        };
        let (address, before) = (Address::role(&role.name), Some(Entity::Role(role)));
        Change {
            address,
            action: Action::Delete,
            before,
            after: None,
            cause: Cause::Declared,
            effects: Vec::new(),
        }
    }

    /// Returns nodes that need each other as given.
    fn nodes<'a>(changes: &'a [Change], needs: &[&[usize]]) -> Vec<Node<'a>> {
        let node = |(change, needs): (&'a Change, &&[usize])| Node {
            change,
            mutation: Mutation {
                id: String::new(),
                change: change.address.clone(),
                also: Vec::new(),
                stage: Stage::Remove,
                operation: "delete".to_owned(),
                variables: BTreeMap::new(),
                needs: Vec::new(),
                after: Vec::new(),
                first_step: false,
            },
            grants: BTreeSet::new(),
            revokes: BTreeSet::new(),
            needs: needs.iter().copied().collect(),
            after: BTreeSet::new(),
        };
        changes.iter().zip(needs).map(node).collect()
    }

    #[test]
    fn a_mutation_comes_after_those_that_it_needs() {
        let changes = ["A", "B", "C"].map(change);
        let sorted = sorted(nodes(&changes, &[&[2], &[], &[1]])).unwrap_or_default();
        let order: Vec<(&str, &[String])> =
            sorted.iter().map(|mutation| (&*mutation.change.name, &*mutation.needs)).collect();
        assert_eq!(order, [("B", &[] as &[String]), ("C", &["m1".to_owned()]), ("A", &["m2".to_owned()])]);
    }

    /// Nothing is dropped: the plan fails, and says which changes wait for each other.
    #[test]
    fn a_circle_of_dependencies_is_an_error_that_names_it() {
        let changes = ["A", "B", "C"].map(change);
        let circle = sorted(nodes(&changes, &[&[2], &[], &[0]])).err().unwrap_or_default();
        assert_eq!(circle.iter().map(|address| &*address.name).collect::<Vec<_>>(), ["A", "C"]);
    }
}
