//! From changes to mutations, in the one order in which they may run.

use super::PlanInput;
use super::admins::Admins;
use std::collections::BTreeMap;

use crate::model::{Action, Address, Cause, Change, Entity, Mutation, Seen, Stage};

/// When a change may run. A record can't be written in two halves, so one that gives and takes is narrow,
/// unless it makes an admin, whom others may rely on.
fn stage(change: &Change, admins: &Admins) -> Stage {
    match (change.action, &change.before, &change.after) {
        (Action::Create, _, _) => Stage::Create,
        (Action::Invite | Action::Enable, _, _) => Stage::Widen,
        (Action::Disable, _, Entity::Key(_)) => Stage::Remove,
        (Action::Replace, Some(Entity::User(before)), Entity::User(after)) => {
            let narrows = !before.roles.is_subset(&after.roles) || after.enabled == Seen::Known(false);
            if narrows && !admins.gained.contains(&change.address) { Stage::Narrow } else { Stage::Widen }
        }
        (Action::Disable, _, Entity::User(_)) | (Action::Replace, _, _) => Stage::Narrow,
    }
}

pub(super) fn mutations(input: &PlanInput<'_>, changes: &[Change], admins: &Admins) -> Vec<Mutation> {
    let mut staged: Vec<(Stage, &Change)> = changes.iter().map(|change| (stage(change, admins), change)).collect();
    staged.sort_by(|(a, left), (b, right)| (a, &left.address).cmp(&(b, &right.address)));
    let mut mutations: Vec<Mutation> = Vec::new();
    for (stage, change) in staged {
        for call in input.rules.lower(change) {
            mutations.push(Mutation {
                id: format!("m{}", mutations.len() + 1),
                change: change.address.clone(),
                stage,
                operation: call.operation.to_owned(),
                variables: call.variables,
                after: Vec::new(),
            });
        }
    }
    rely_on_promotions(admins, &mut mutations);
    rely_on_mints(changes, &mut mutations);
    mutations
}

/// A key that is retired by the same plan that mints another in its place works until that one has arrived. Without
/// an entry of its own, any key that is minted may be what takes its place.
fn rely_on_mints(changes: &[Change], mutations: &mut [Mutation]) {
    let mints: Vec<(String, Address)> = mutations
        .iter()
        .filter(|mutation| mutation.stage == Stage::Create)
        .map(|mutation| (mutation.id.clone(), mutation.change.clone()))
        .collect();
    let causes: BTreeMap<&Address, &Cause> =
        changes.iter().map(|change| (&change.address, &change.cause)).collect();
    for mutation in mutations.iter_mut().filter(|mutation| mutation.stage == Stage::Remove) {
        let relied = |minted: &Address| match causes.get(&mutation.change) {
            Some(Cause::DeclaredAbsent) => minted.name == mutation.change.name,
            Some(Cause::NotListed) => true,
            // Nobody has the secret of a lost one, and the successor of a superseded one has arrived.
            _ => false,
        };
        let relies: Vec<String> =
            mints.iter().filter(|(_, minted)| relied(minted)).map(|(id, _)| id.clone()).collect();
        mutation.after.extend(relies);
    }
}

/// Where too few admins would be left without those who are being made, nobody loses it before all of them are
/// seen to have it.
fn rely_on_promotions(admins: &Admins, mutations: &mut [Mutation]) {
    if admins.after.saturating_sub(admins.gained.len()) >= admins.floor {
        return;
    }
    let promotions: Vec<String> = mutations
        .iter()
        .filter(|mutation| admins.gained.contains(&mutation.change))
        .map(|mutation| mutation.id.clone())
        .collect();
    for mutation in mutations.iter_mut().filter(|mutation| admins.lost.contains(&mutation.change)) {
        mutation.after.clone_from(&promotions);
    }
}
