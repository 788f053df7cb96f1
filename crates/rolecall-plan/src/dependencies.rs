//! Which mutations rely on others. Nobody's access is interrupted that the file keeps: what takes waits for what
//! gives.

use std::collections::{BTreeMap, BTreeSet};

use super::admins::Admins;
use super::order::Node;
use super::role_moves::RoleMove;
use rolecall_model::{Action, Address, Cause, Entity, RoleName, Stage};

/// What needs the id of an entity that isn't there yet needs its making.
pub(super) fn id_dependencies(nodes: &mut [Node<'_>]) {
    let creations: Vec<(usize, Address)> = nodes
        .iter()
        .enumerate()
        .filter(|(_, node)| node.change.action == Action::Create)
        .map(|(index, node)| (index, node.change.address.clone()))
        .collect();
    for node in nodes.iter_mut() {
        let wanted = node.mutation.references();
        node.needs
            .extend(creations.iter().filter(|(_, address)| wanted.contains(address)).map(|(index, _)| *index));
    }
}

/// Where too few admins would be left without those who are being made, nobody loses it before all of them are seen
/// to have it.
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

/// A key that is retired by the same plan that mints another in its place works until that one has arrived. Without
/// an entry of its own, any key that is minted may be what takes its place.
pub(super) fn key_dependencies(nodes: &mut [Node<'_>]) {
    let is_key = |node: &Node<'_>| node.change.entity().is_some_and(|entity| entity.key().is_some());
    let mints: Vec<(usize, String)> = nodes
        .iter()
        .enumerate()
        .filter(|(_, node)| node.change.action == Action::Create && is_key(node))
        .map(|(index, node)| (index, node.change.address.name.clone()))
        .collect();
    for node in nodes.iter_mut().filter(|node| node.mutation.stage == Stage::Remove && is_key(node)) {
        let relied = |name: &str| match node.change.cause {
            Cause::DeclaredAbsent => *name == node.change.address.name,
            Cause::NotListed => true,
            // Nobody has the secret of a lost one, and the successor of a superseded one has arrived.
            _ => false,
        };
        let relies: Vec<usize> = mints.iter().filter(|(_, name)| relied(name)).map(|(index, _)| *index).collect();
        node.after.extend(relies);
    }
}

/// Whoever comes waits for the seats that are added, and seats that go wait for those who go.
pub(super) fn seat_dependencies(nodes: &mut [Node<'_>]) {
    let of = |entity: &Option<Entity>| entity.as_ref().and_then(Entity::organization)?.seats;
    let moved = nodes.iter().enumerate().find_map(|(index, node)| {
        let (before, after) = (of(&node.change.before)?, of(&node.change.after)?);
        (before != after).then_some((index, after > before))
    });
    let Some((seats, more)) = moved else { return };
    if more {
        let invites = |node: &&mut Node<'_>| node.change.action == Action::Invite;
        for node in nodes.iter_mut().filter(invites).filter(|node| node.mutation.stage != Stage::Clear) {
            node.needs.insert(seats);
        }
    } else {
        let leaves = |node: &Node<'_>| {
            let goes = matches!(node.change.action, Action::Remove | Action::Cancel | Action::Delete);
            goes && node.change.entity().is_some_and(|entity| entity.user().is_some())
        };
        let left = indices(nodes, leaves);
        nodes[seats].needs.extend(left);
    }
}

/// The mutations of roles, and the one that closes the move of each role_move.
struct NodeIndices<'a> {
    roles: BTreeMap<&'a RoleName, Vec<usize>>,
    moves: BTreeMap<&'a Address, usize>,
}

fn node_indices<'a>(nodes: &[Node<'a>]) -> NodeIndices<'a> {
    let mut node_indices = NodeIndices { roles: BTreeMap::new(), moves: BTreeMap::new() };
    for (index, node) in nodes.iter().enumerate() {
        match node.change.entity() {
            Some(Entity::Role(role)) => node_indices.roles.entry(&role.name).or_default().push(index),
            Some(Entity::User(_)) if !node.mutation.first_step => {
                node_indices.moves.insert(&node.change.address, index);
            }
            _ => {}
        }
    }
    node_indices
}

/// Whoever moves waits for what their new role gains; a role that loses something, or goes, waits for those who leave
/// it.
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

/// Nobody gets more on the way than the file gives them in the end: whoever comes waits until their role has lost what
/// it loses, and a role gains only once those have left who leave. Where that would be a circle, not interrupting
/// access goes first.
pub(super) fn least_privilege_dependencies(role_moves: &[RoleMove], nodes: &mut [Node<'_>]) {
    let NodeIndices { roles, moves } = node_indices(nodes);
    for (role, indices) in roles {
        for index in indices {
            if nodes[index].change.action != Action::Update {
                continue;
            }
            if !nodes[index].revokes.is_empty() {
                let dependencies = all_dependencies(nodes, index);
                let comes = role_moves.iter().filter(|role_move| role_move.joins(role));
                for moving in comes.filter_map(|role_move| moves.get(&role_move.address)) {
                    if !dependencies.contains(moving) {
                        nodes[*moving].needs.insert(index);
                    }
                }
            }
            if !nodes[index].grants.is_empty() {
                let leaves = role_moves.iter().filter(|role_move| role_move.leaves(role));
                for moving in leaves.filter_map(|role_move| moves.get(&role_move.address)) {
                    if *moving != index && !all_dependencies(nodes, *moving).contains(&index) {
                        nodes[index].needs.insert(*moving);
                    }
                }
            }
        }
    }
}

/// All that a mutation waits for, near and far.
fn all_dependencies(nodes: &[Node<'_>], index: usize) -> BTreeSet<usize> {
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

fn indices(nodes: &[Node<'_>], wanted: impl Fn(&Node<'_>) -> bool) -> Vec<usize> {
    nodes.iter().enumerate().filter(|(_, node)| wanted(node)).map(|(index, _)| index).collect()
}
