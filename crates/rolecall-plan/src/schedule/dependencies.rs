//! Adds dependencies between mutations, so that nobody briefly loses access that the file keeps: a revocation
//! waits for the grant that replaces it.
//!
//! There are two kinds. `needs` means that the other mutation must be done. `after` means that, in addition, a
//! read must show it in effect, because an answer without an error doesn't prove that a grant took effect.
//!
//! For example, Jane moves from role A to role B while A loses `x` and B gains `x`. Jane's move is sent *after*
//! the update of B, and the update of A *after* her move. The key `ci` is replaced: the old key is disabled
//! *after* the new one has been delivered. A subscription gets one more seat and a new user: the invitation
//! *needs* the update of the seats.

use std::collections::{BTreeMap, BTreeSet};

use super::Node;
use super::role_moves::RoleMove;
use crate::PlanInput;
use crate::admins::Admins;
use crate::keys;
use rolecall_model::{Action, Address, Cause, Change, Effect, Email, Entity, Kind, Quirk, RoleName, Stage};

/// Adds the dependencies on created entities: a mutation that contains the id of an entity needs its creation.
pub(super) fn id_dependencies(nodes: &mut [Node<'_>]) {
    let mut creations: BTreeMap<Address, Vec<usize>> = BTreeMap::new();
    for index in indices(nodes, |node| node.change.action == Action::Create) {
        creations.entry(nodes[index].change.address.clone()).or_default().push(index);
    }
    for node in nodes.iter_mut() {
        let referenced = node.mutation.references();
        node.needs.extend(referenced.iter().filter_map(|address| creations.get(address)).flatten());
    }
}

/// Makes demotions of admins wait until a read shows all promotions in effect, if too few admins would be left
/// without the promoted ones.
pub(super) fn promotion_dependencies(admins: &Admins, nodes: &mut [Node<'_>]) {
    if admins.after.saturating_sub(admins.gained.len()) >= admins.floor {
        return;
    }
    let revokes = |node: &Node<'_>| node.mutation.stage >= Stage::Narrow;
    let promotions = indices(nodes, |node| admins.gained.contains(&node.change.address) && !revokes(node));
    for node in nodes.iter_mut().filter(|node| revokes(node) && admins.lost.contains(&node.change.address)) {
        node.after.extend(&promotions);
    }
}

/// Makes the retirement of a key wait for the delivery of the key that replaces it. A key that the file doesn't
/// list has no known successor, so its retirement waits for every new key.
///
/// A key whose secret isn't known to be in any target may go first ([`keys::go_first`]).
pub(super) fn key_dependencies(input: &PlanInput<'_>, nodes: &mut [Node<'_>]) {
    let is_key = |node: &Node<'_>| node.change.entity().is_some_and(|entity| entity.key().is_some());
    let new_keys: Vec<(usize, &str)> = nodes
        .iter()
        .enumerate()
        .filter(|(_, node)| node.change.action == Action::Create && is_key(node))
        .map(|(index, node)| (index, node.change.address.name.as_str()))
        .collect();
    let mut lost: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for index in indices(nodes, |node| node.change.retires_lost_key()) {
        lost.entry(&nodes[index].change.address.name).or_default().push(index);
    }
    let id = |node: &Node<'_>| node.change.before.as_ref().and_then(Entity::id).cloned();
    let mut goes_first: BTreeSet<usize> = BTreeSet::new();
    for (new, name) in &new_keys {
        let of_name = lost.get(&**name).cloned().unwrap_or_default();
        let ids = of_name.iter().filter_map(|index| id(&nodes[*index])).collect();
        let ids = keys::go_first(input.facts, &ids, nodes[*new].change.before.is_some());
        let is_first = |index: &usize| id(&nodes[*index]).is_some_and(|id| ids.contains(&id));
        let first: Vec<usize> = of_name.into_iter().filter(is_first).collect();
        goes_first.extend(&first);
        nodes[*new].needs.extend(first);
    }
    let mut by_name: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, name) in &new_keys {
        by_name.entry(name).or_default().push(*index);
    }
    let nodes = nodes.iter_mut().enumerate().filter(|(index, _)| !goes_first.contains(index));
    let nodes = nodes.map(|(_, node)| node);
    for node in nodes.filter(|node| node.mutation.stage == Stage::Remove && is_key(node)) {
        match node.change.cause {
            // The secret of a key may have been delivered by a run that died before it recorded that.
            Cause::DeclaredAbsent | Cause::Ended { .. } | Cause::SecretLost | Cause::DeliveryUnknown => {
                node.after.extend(by_name.get(&*node.change.address.name).into_iter().flatten());
            }
            Cause::NotListed => node.after.extend(new_keys.iter().map(|(index, _)| *index)),
            // A superseded key has a successor that was delivered.
            _ => {}
        }
    }
}

/// Makes the deletion of a team wait for the members who move to another one, and for the invitations that do.
///
/// For example, Jane moves from the team Payments to Search, and Payments is deleted. If she can't be added to Search,
/// Payments stays, with everything that is in it.
pub(super) fn team_dependencies(nodes: &mut [Node<'_>]) {
    let mut joining: BTreeMap<&Address, Vec<usize>> = BTreeMap::new();
    for (index, node) in nodes.iter().enumerate() {
        let teams = |entity: &'_ Option<Entity>| entity.as_ref().and_then(Entity::user)?.teams.clone();
        let before = teams(&node.change.before).unwrap_or_default();
        if teams(&node.change.after).unwrap_or_default().keys().any(|team| !before.contains_key(team)) {
            joining.entry(&node.change.address).or_default().push(index);
        }
    }
    let is_team = |change: &Change| change.address.kind == Kind::Team && change.action == Action::Delete;
    for node in nodes.iter_mut().filter(|node| is_team(node.change)) {
        for effect in &node.change.effects {
            let Effect::Affects { holders } = effect else { continue };
            node.needs.extend(holders.iter().filter_map(|holder| joining.get(holder)).flatten());
        }
    }
}

/// Makes the cancellation of an open invitation wait for the one that replaces it. Where the platform can't hold
/// both, the earlier one has to go first, but not before everything that the new one depends on: a role or a team
/// that can't be created must not cost somebody their invitation.
///
/// For example, Grace has an invitation as Viewer, and the file gives her the new role Reader. If Reader can't be
/// created, nothing is sent for her, and the link in her mail still works.
pub(super) fn invitation_dependencies(input: &PlanInput<'_>, nodes: &mut [Node<'_>]) {
    let email = |node: &Node<'_>| Some(node.change.entity()?.user()?.email.clone());
    let invites = |node: &Node<'_>| node.change.action == Action::Invite && !node.mutation.first_step;
    let cancels = |node: &Node<'_>| {
        let first_step = node.change.action == Action::Invite && node.mutation.stage == Stage::Clear;
        first_step || node.change.action == Action::Cancel
    };
    let mut cancelled: BTreeMap<Email, Vec<usize>> = BTreeMap::new();
    for index in indices(nodes, cancels) {
        if let Some(email) = email(&nodes[index]) {
            cancelled.entry(email).or_default().push(index);
        }
    }
    for invite in indices(nodes, invites) {
        let cancelled = email(&nodes[invite]).and_then(|invited| cancelled.get(&invited));
        let cancelled = cancelled.cloned().unwrap_or_default();
        let (needs, after) = (nodes[invite].needs.clone(), nodes[invite].after.clone());
        for index in cancelled {
            if input.rules.has(Quirk::DistinguishesSpellings) {
                nodes[index].needs.insert(invite);
                continue;
            }
            let own = nodes[invite].change;
            let others = |set: &BTreeSet<usize>| -> Vec<usize> {
                let is_other = |other: &&usize| **other != index && !std::ptr::eq(nodes[**other].change, own);
                set.iter().filter(is_other).copied().collect()
            };
            let (needs, after) = (others(&needs), others(&after));
            nodes[index].needs.extend(needs);
            nodes[index].after.extend(after);
        }
    }
}

/// The indices of the mutations that update or delete roles, and of those that complete a user's move.
struct NodeIndices<'a> {
    roles: BTreeMap<&'a RoleName, Vec<usize>>,
    moves: BTreeMap<&'a Address, usize>,
}

fn node_indices<'a>(nodes: &[Node<'a>]) -> NodeIndices<'a> {
    let mut found = NodeIndices { roles: BTreeMap::new(), moves: BTreeMap::new() };
    for (index, node) in nodes.iter().enumerate() {
        match node.change.entity() {
            Some(Entity::Role(role)) => found.roles.entry(&role.name).or_default().push(index),
            Some(Entity::User(_)) if !node.mutation.first_step => {
                found.moves.insert(&node.change.address, index);
            }
            _ => {}
        }
    }
    found
}

/// Keeps the access of moving users uninterrupted. A move waits for what the new role gains, and a role that is
/// deleted or loses something waits for the users who leave it. Only permissions that the user keeps count: see
/// [`RoleMove::keeps`].
pub(super) fn role_dependencies(role_moves: &[RoleMove], nodes: &mut [Node<'_>]) {
    let NodeIndices { roles, moves } = node_indices(nodes);
    for role_move in role_moves {
        let Some(moving) = moves.get(&role_move.address).copied() else { continue };
        for index in role_move.to.iter().filter_map(|role| roles.get(role)).flatten() {
            if nodes[*index].grants.iter().any(|given| role_move.keeps.contains(given)) {
                nodes[moving].after.insert(*index);
            }
        }
        for index in role_move.from.iter().filter_map(|role| roles.get(role)).flatten() {
            let node = &mut nodes[*index];
            if node.change.after.is_none() {
                node.needs.insert(moving);
            } else if node.revokes.iter().any(|taken| role_move.keeps.contains(taken)) {
                node.after.insert(moving);
            }
        }
    }
}

/// Adds dependencies for least privilege, so that nobody briefly gets more than the file grants.
/// Joining a role waits until the role has lost its permissions, and a role gains permissions only after its
/// leavers have left.
///
/// For example, Tom joins role A while A loses `admin`. Without the dependency he could join first and be an admin
/// until A is updated. Or Jane leaves role B while B gains `billing`: B is updated only once she is out.
///
/// If such a dependency would make a cycle, it is left out: uninterrupted access wins. Say that Jane moves from B
/// to A and keeps `z`, which B loses. Tom moves from A to B and keeps `y`, which A loses and B gains in the same
/// update. B's update waits for Jane, Tom waits for B's update, and A's update waits for Tom. Jane can't wait for
/// A's update as well, so she joins A first and briefly has `y`.
pub(super) fn least_privilege_dependencies(role_moves: &[RoleMove], nodes: &mut [Node<'_>]) {
    let NodeIndices { roles, moves } = node_indices(nodes);
    let mut moves_of: BTreeMap<&RoleName, Vec<&RoleMove>> = BTreeMap::new();
    for role_move in role_moves {
        for role in role_move.from.union(&role_move.to) {
            moves_of.entry(role).or_default().push(role_move);
        }
    }
    for (role, indices) in roles {
        let of_role = || moves_of.get(role).into_iter().flatten();
        for index in indices {
            if nodes[index].change.action != Action::Update {
                continue;
            }
            if !nodes[index].revokes.is_empty() {
                let dependencies = all_dependencies(nodes, index);
                let joining = of_role().filter(|role_move| role_move.joins(role));
                for moving in joining.filter_map(|role_move| moves.get(&role_move.address)) {
                    if !dependencies.contains(moving) {
                        nodes[*moving].needs.insert(index);
                    }
                }
            }
            if !nodes[index].grants.is_empty() {
                let leaving = of_role().filter(|role_move| role_move.leaves(role));
                for moving in leaving.filter_map(|role_move| moves.get(&role_move.address)) {
                    if *moving != index && !all_dependencies(nodes, *moving).contains(&index) {
                        nodes[index].needs.insert(*moving);
                    }
                }
            }
        }
    }
}

/// Returns everything that a mutation depends on, directly or indirectly.
pub(crate) fn all_dependencies(nodes: &[Node<'_>], index: usize) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    let mut open = vec![index];
    while let Some(next) = open.pop() {
        for other in nodes[next].needs.union(&nodes[next].after) {
            if found.insert(*other) {
                open.push(*other);
            }
        }
    }
    found
}

pub(crate) fn indices(nodes: &[Node<'_>], wanted: impl Fn(&Node<'_>) -> bool) -> Vec<usize> {
    nodes.iter().enumerate().filter(|(_, node)| wanted(node)).map(|(index, _)| index).collect()
}
