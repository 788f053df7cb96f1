//! Several calls that one can stand for.

use std::collections::{BTreeMap, BTreeSet};

use super::order::Node;
use rolecall_model::{Rules, Stage, Variables};

/// Puts calls of one operation together where the platform has one for all, and where they wait for nothing.
pub(super) fn merge<'a>(nodes: Vec<Node<'a>>, rules: &dyn Rules) -> Vec<Node<'a>> {
    let mut groups: BTreeMap<(Stage, &str), Vec<usize>> = BTreeMap::new();
    for (index, node) in nodes.iter().enumerate() {
        if node.needs.is_empty() && node.after.is_empty() {
            groups.entry((node.mutation.stage, &node.mutation.operation)).or_default().push(index);
        }
    }
    // What each call becomes a part of.
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

fn merge_nodes<'a>(
    nodes: &[Node<'a>],
    into: &BTreeMap<usize, usize>,
    mut merged: BTreeMap<usize, Variables>,
) -> Vec<Node<'a>> {
    let stays = |index: usize| into.get(&index).is_none_or(|first| *first == index);
    let mut places: BTreeMap<usize, usize> = BTreeMap::new();
    for index in (0..nodes.len()).filter(|index| stays(*index)) {
        places.insert(index, places.len());
    }
    let place = |index: &usize| places.get(into.get(index).unwrap_or(index)).copied();
    let moved = |others: &BTreeSet<usize>| others.iter().filter_map(place).collect();
    let mut also: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (member, first) in into.iter().filter(|(member, first)| member != first) {
        also.entry(*first).or_default().push(*member);
    }
    let first_step: Vec<bool> = nodes.iter().map(|node| node.mutation.first_step).collect();
    let addresses: Vec<_> = nodes.iter().map(|node| &node.change.address).collect();
    let mut merge_nodes = Vec::with_capacity(places.len());
    for (index, node) in nodes.iter().enumerate().filter(|(index, _)| stays(*index)) {
        let others = also.get(&index).map(Vec::as_slice).unwrap_or_default();
        let mut mutation = node.mutation.clone();
        let mut with: Vec<_> = others.iter().map(|other| addresses[*other].clone()).collect();
        with.sort();
        mutation.also = with;
        mutation.first_step = mutation.first_step && others.iter().all(|other| first_step[*other]);
        mutation.variables = merged.remove(&index).unwrap_or(mutation.variables);
        merge_nodes.push(Node {
            change: node.change,
            mutation,
            grants: node.grants.clone(),
            revokes: node.revokes.clone(),
            needs: moved(&node.needs),
            after: moved(&node.after),
        });
    }
    merge_nodes
}
