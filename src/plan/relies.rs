//! Which mutations rely on others. Nobody's access is interrupted that the file keeps: what takes waits for what
//! gives.

use std::collections::{BTreeMap, BTreeSet};

use super::admins::Admins;
use super::order::Node;
use super::roles::RoleBook;
use crate::model::{Action, Address, Cause, Change, Effect, Entity, Permission, Role, RoleName, Stage};

/// Somebody whose role changes, or what it reaches.
pub(super) struct Mover {
    address: Address,
    from: BTreeSet<RoleName>,
    to: BTreeSet<RoleName>,
    /// What their role reaches grows, or shrinks.
    grows: bool,
    shrinks: bool,
    /// What they may do before the plan and after it.
    keeps: BTreeSet<Permission>,
}

impl Mover {
    /// Does a role reach them, or more of what is theirs, by this move?
    fn comes_to(&self, role: &RoleName) -> bool {
        self.to.contains(role) && (self.grows || !self.from.contains(role))
    }

    /// Does a role no longer reach them, or less of what is theirs, by this move?
    fn leaves(&self, role: &RoleName) -> bool {
        self.from.contains(role) && (self.shrinks || !self.to.contains(role))
    }
}

/// Everybody whose role or resources change, members and invited.
pub(super) fn movers(changes: &[Change], book: &RoleBook) -> Vec<Mover> {
    let roles = |entity: &Option<Entity>| {
        entity.as_ref().and_then(Entity::user).map(|user| user.roles.clone()).unwrap_or_default()
    };
    let mut movers = Vec::new();
    for change in changes.iter().filter(|change| matches!(change.entity(), Some(Entity::User(_)))) {
        let (from, to) = (roles(&change.before), roles(&change.after));
        let reach = |entity: &Option<Entity>| entity.as_ref().and_then(Entity::user)?.resources.clone();
        let (grows, shrinks) = match (reach(&change.before), reach(&change.after)) {
            (Some(before), Some(after)) => (!before.covers(&after), !after.covers(&before)),
            _ => (false, false),
        };
        if from == to && !grows && !shrinks {
            continue;
        }
        let keeps = match (book.allowed_before(&from), book.allowed_after(&to)) {
            (Some(before), Some(after)) => before.intersection(&after).cloned().collect(),
            _ => BTreeSet::new(),
        };
        movers.push(Mover { address: change.address.clone(), from, to, grows, shrinks, keeps });
    }
    movers
}

/// What an update of a role takes, and whether somebody who moves relies on either.
#[derive(Default)]
pub(super) struct Lean {
    pub loses: BTreeSet<Permission>,
    /// On what it gives.
    pub gain_is_relied_on: bool,
    pub loss_is_relied_on: bool,
}

fn roles(change: &Change) -> Option<(&Role, &Role)> {
    Some((change.before.as_ref()?.role()?, change.after.as_ref()?.role()?))
}

pub(super) fn lean(change: &Change, movers: &[Mover]) -> Lean {
    let Some((before, after)) = roles(change) else { return Lean::default() };
    let gains: BTreeSet<Permission> = after.permissions.difference(&before.permissions).cloned().collect();
    let loses: BTreeSet<Permission> = before.permissions.difference(&after.permissions).cloned().collect();
    let comes = |mover: &&Mover| mover.to.contains(&after.name);
    let leaves = |mover: &&Mover| mover.from.contains(&after.name);
    Lean {
        gain_is_relied_on: movers.iter().filter(comes).any(|mover| !mover.keeps.is_disjoint(&gains)),
        loss_is_relied_on: movers.iter().filter(leaves).any(|mover| !mover.keeps.is_disjoint(&loses)),
        loses,
    }
}

/// Says of every role that is updated in two steps what the first one allows.
pub(super) fn say_first_steps(changes: &mut [Change], book: &RoleBook) {
    let movers = movers(changes, book);
    for change in changes {
        let widened = widened(change, &lean(change, &movers)).and_then(|widened| widened.after);
        if let Some(Entity::Role(Role { permissions, .. })) = widened {
            change.effects.push(Effect::FirstAllows { permissions });
        }
    }
}

/// The first of two steps, where some rely on what a role gains and others on what it loses.
pub(super) fn widened(change: &Change, lean: &Lean) -> Option<Change> {
    let (before, after) = roles(change)?;
    if !(lean.gain_is_relied_on && lean.loss_is_relied_on) {
        return None;
    }
    let permissions = before.permissions.union(&after.permissions).cloned().collect();
    Some(Change { after: Some(Entity::Role(Role { permissions, ..after.clone() })), ..change.clone() })
}

/// What needs the id of an entity that isn't there yet needs its making.
pub(super) fn on_ids(nodes: &mut [Node<'_>]) {
    let makers: Vec<(usize, Address)> = nodes
        .iter()
        .enumerate()
        .filter(|(_, node)| node.change.action == Action::Create)
        .map(|(index, node)| (index, node.change.address.clone()))
        .collect();
    for node in nodes.iter_mut() {
        let wanted = node.mutation.references();
        node.needs.extend(makers.iter().filter(|(_, address)| wanted.contains(address)).map(|(index, _)| *index));
    }
}

/// Where too few admins would be left without those who are being made, nobody loses it before all of them are seen
/// to have it.
pub(super) fn on_promotions(admins: &Admins, nodes: &mut [Node<'_>]) {
    if admins.after.saturating_sub(admins.gained.len()) >= admins.floor {
        return;
    }
    let promotions = indices(nodes, |node| admins.gained.contains(&node.change.address));
    for node in nodes.iter_mut().filter(|node| admins.lost.contains(&node.change.address)) {
        node.after.extend(&promotions);
    }
}

/// A key that is retired by the same plan that mints another in its place works until that one has arrived. Without
/// an entry of its own, any key that is minted may be what takes its place.
pub(super) fn on_mints(nodes: &mut [Node<'_>]) {
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

/// Whoever moves waits for what their new role gains; a role that loses something, or goes, waits for those who
/// leave it.
pub(super) fn on_roles(movers: &[Mover], nodes: &mut [Node<'_>]) {
    let mut moves: BTreeMap<&Address, usize> = BTreeMap::new();
    let mut changed: BTreeMap<&RoleName, Vec<usize>> = BTreeMap::new();
    for (index, node) in nodes.iter().enumerate() {
        match node.change.entity() {
            Some(Entity::Role(role)) => changed.entry(&role.name).or_default().push(index),
            Some(Entity::User(_)) if !node.mutation.interim => {
                moves.insert(&node.change.address, index);
            }
            _ => {}
        }
    }
    let mut edges = Vec::new();
    for mover in movers {
        let Some(moving) = moves.get(&mover.address) else { continue };
        for index in mover.to.iter().filter_map(|role| changed.get(role)).flatten() {
            if gives(&nodes[*index], &mover.keeps) {
                edges.push((*moving, *index, Bond::Seen));
            }
        }
        for index in mover.from.iter().filter_map(|role| changed.get(role)).flatten() {
            if nodes[*index].change.after.is_none() {
                edges.push((*index, *moving, Bond::Done));
            } else if takes(&nodes[*index], &mover.keeps) {
                edges.push((*index, *moving, Bond::Seen));
            }
        }
    }
    for (waiter, awaited, bond) in edges {
        match bond {
            Bond::Done => nodes[waiter].needs.insert(awaited),
            Bond::Seen => nodes[waiter].after.insert(awaited),
        };
    }
}

/// Nobody gets more on the way than the file gives them in the end: whoever comes waits until their role has lost what
/// it loses, and a role gains only once those have left who leave. Where that would be a circle, not interrupting
/// access goes first.
pub(super) fn without_excess(movers: &[Mover], nodes: &mut [Node<'_>]) {
    let moves: BTreeMap<Address, usize> = nodes
        .iter()
        .enumerate()
        .filter(|(_, node)| !node.mutation.interim && matches!(node.change.entity(), Some(Entity::User(_))))
        .map(|(index, node)| (node.change.address.clone(), index))
        .collect();
    let roles: Vec<(usize, RoleName)> = nodes
        .iter()
        .enumerate()
        .filter_map(|(index, node)| Some((index, node.change.after.as_ref()?.role()?.name.clone())))
        .filter(|(index, _)| nodes[*index].change.before.is_some())
        .collect();
    for (index, role) in roles {
        let (before, after) = permissions(nodes[index].change);
        // Of an update in two steps, the first gives and the second takes.
        let narrows = !nodes[index].mutation.interim && !before.is_subset(&after);
        let split = nodes.iter().filter(|node| node.change.address == nodes[index].change.address).count() > 1;
        let widens = if split { nodes[index].mutation.interim } else { !after.is_subset(&before) };
        let moving = |mover: &Mover| moves.get(&mover.address).copied();
        if narrows {
            let awaited = awaited(nodes, index);
            let comes = movers.iter().filter(|mover| mover.comes_to(&role)).filter_map(moving);
            for mover in comes.filter(|mover| !awaited.contains(mover)) {
                nodes[mover].needs.insert(index);
            }
        }
        if widens {
            for mover in movers.iter().filter(|mover| mover.leaves(&role)).filter_map(moving) {
                if !awaited(nodes, mover).contains(&index) {
                    nodes[index].needs.insert(mover);
                }
            }
        }
    }
}

/// All that a mutation waits for, near and far.
fn awaited(nodes: &[Node<'_>], index: usize) -> BTreeSet<usize> {
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

/// How sure one has to be of another.
enum Bond {
    Done,
    Seen,
}

/// Does a mutation of a role give what somebody keeps?
fn gives(node: &Node<'_>, keeps: &BTreeSet<Permission>) -> bool {
    let widens = matches!(node.mutation.stage, Stage::Create | Stage::Widen);
    let (before, after) = permissions(node.change);
    widens && after.difference(&before).any(|permission| keeps.contains(permission))
}

/// Does a mutation of a role take what somebody keeps?
fn takes(node: &Node<'_>, keeps: &BTreeSet<Permission>) -> bool {
    let narrows = !matches!(node.mutation.stage, Stage::Create | Stage::Widen);
    let (before, after) = permissions(node.change);
    narrows && before.difference(&after).any(|permission| keeps.contains(permission))
}

fn permissions(change: &Change) -> (BTreeSet<Permission>, BTreeSet<Permission>) {
    let of = |entity: &Option<Entity>| {
        entity.as_ref().and_then(Entity::role).map(|role| role.permissions.clone()).unwrap_or_default()
    };
    (of(&change.before), of(&change.after))
}

fn indices(nodes: &[Node<'_>], wanted: impl Fn(&Node<'_>) -> bool) -> Vec<usize> {
    nodes.iter().enumerate().filter(|(_, node)| wanted(node)).map(|(index, _)| index).collect()
}
