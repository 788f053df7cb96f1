//! Batching: merges mutations into one where the platform has a single mutation for several entities.
//!
//! For example, RapidAPI cancels any number of invitations by one `deleteUserInvites`. Three cancelled
//! invitations become one mutation: it belongs to the change of the first user, and its `also` lists the other
//! two. A mutation that depends on another is never merged, since the others would have to wait as well. Mutations
//! that depend on a merged one now depend on the whole batch.

use std::collections::{BTreeMap, BTreeSet};

use super::Node;
use rolecall_model::{Rules, Stage, Variables};

/// Merges mutations of the same operation and stage that have no dependencies, if [`Rules::merged`] can combine
/// them.
pub(super) fn merge<'a>(nodes: Vec<Node<'a>>, rules: &dyn Rules) -> Vec<Node<'a>> {
    let mut groups: BTreeMap<(Stage, &str), Vec<usize>> = BTreeMap::new();
    for (index, node) in nodes.iter().enumerate() {
        if node.needs.is_empty() && node.after.is_empty() {
            groups.entry((node.mutation.stage, &node.mutation.operation)).or_default().push(index);
        }
    }
    // The index of the node that each merged node becomes a part of.
    let mut into: BTreeMap<usize, usize> = BTreeMap::new();
    let mut merged: BTreeMap<usize, Variables> = BTreeMap::new();
    for ((_, operation), members) in groups.into_iter().filter(|(_, members)| members.len() > 1) {
        let mut members = members;
        members.sort_by_key(|index| &nodes[*index].change.address);
        let variables: Vec<&Variables> = members.iter().map(|index| &nodes[*index].mutation.variables).collect();
        let (Some(first), Some(together)) = (members.first().copied(), rules.merged(operation, &variables)) else {
            continue;
        };
        into.extend(members.into_iter().map(|member| (member, first)));
        merged.insert(first, together);
    }
    if into.is_empty() {
        return nodes;
    }
    merge_nodes(&nodes, &into, merged)
}

/// Returns the nodes without those that were merged into another, with all indices adjusted.
fn merge_nodes<'a>(
    nodes: &[Node<'a>],
    into: &BTreeMap<usize, usize>,
    mut merged: BTreeMap<usize, Variables>,
) -> Vec<Node<'a>> {
    let remains = |index: usize| into.get(&index).is_none_or(|first| *first == index);
    let mut new_index: BTreeMap<usize, usize> = BTreeMap::new();
    for index in (0..nodes.len()).filter(|index| remains(*index)) {
        new_index.insert(index, new_index.len());
    }
    let moved_to = |index: &usize| new_index.get(into.get(index).unwrap_or(index)).copied();
    let new_indices = |others: &BTreeSet<usize>| others.iter().filter_map(moved_to).collect();
    let mut also: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (member, first) in into.iter().filter(|(member, first)| member != first) {
        also.entry(*first).or_default().push(*member);
    }
    let first_step: Vec<bool> = nodes.iter().map(|node| node.mutation.first_step).collect();
    let addresses: Vec<_> = nodes.iter().map(|node| &node.change.address).collect();
    let mut remaining = Vec::with_capacity(new_index.len());
    for (index, node) in nodes.iter().enumerate().filter(|(index, _)| remains(*index)) {
        let others = also.get(&index).map(Vec::as_slice).unwrap_or_default();
        let mut mutation = node.mutation.clone();
        let mut with: Vec<_> = others.iter().map(|other| addresses[*other].clone()).collect();
        with.sort();
        mutation.also = with;
        mutation.first_step = mutation.first_step && others.iter().all(|other| first_step[*other]);
        mutation.variables = merged.remove(&index).unwrap_or(mutation.variables);
        remaining.push(Node {
            change: node.change,
            mutation,
            grants: node.grants.clone(),
            revokes: node.revokes.clone(),
            needs: new_indices(&node.needs),
            after: new_indices(&node.after),
        });
    }
    remaining
}
