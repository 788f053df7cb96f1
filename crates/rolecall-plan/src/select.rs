//! Restricts a plan to selected changes and what they depend on (`--target`, `--exclude`). The selected mutations
//! are unchanged.

use std::collections::{BTreeMap, BTreeSet};

use rolecall_model::{Address, Cause, Change, HoldReason, Mutation, Pattern, Sealed, nearest};

/// The changes to keep: those that match a target and no exclusion.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// The changes to select. Empty selects all.
    pub targets: Vec<Pattern>,
    pub excluded: Vec<Pattern>,
    /// True if only the changes are selected that complete what an earlier apply began.
    pub leftovers: bool,
    /// Changes that are only selected if another selected change depends on them.
    pub unasked: BTreeSet<Address>,
}

impl Selection {
    pub fn is_all(&self) -> bool {
        let Self { targets, excluded, leftovers, unasked } = self;
        targets.is_empty() && excluded.is_empty() && !leftovers && unasked.is_empty()
    }

    /// Returns whether a change is selected itself, rather than as a dependency of another.
    pub fn matches(&self, address: &Address) -> bool {
        let covers = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.covers(address));
        let named = self.targets.is_empty() || covers(&self.targets);
        named && !covers(&self.excluded) && !self.unasked.contains(address)
    }
}

/// A reason why a plan can't be restricted to a selection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unselectable {
    /// No change has this address. The nearest address of one is told, if one is similar.
    Unmatched { pattern: Pattern, nearest: Option<String> },
    /// The plan has no change of this target, because it is held.
    Held { address: Address, reason: HoldReason },
    /// A selected change depends on an excluded one.
    DependsOnExcluded { change: Address, excluded: Address },
}

/// Returns the addresses of the selected changes and of those that they depend on.
///
/// # Errors
///
/// Returns every reason why the plan can't be restricted to this selection.
pub fn select(sealed: &Sealed, selection: &Selection) -> Result<BTreeSet<Address>, Vec<Unselectable>> {
    let Selection { targets, excluded, leftovers, unasked: _ } = selection;
    let addresses: BTreeSet<&Address> = sealed.changes.iter().map(|change| &change.address).collect();
    let unmatched = |pattern: &&Pattern| !addresses.iter().any(|address| pattern.covers(address));
    let held = |pattern: &Pattern| sealed.holds.iter().find(|hold| pattern.covers(&hold.address));
    let held_targets = targets.iter().filter(unmatched).filter_map(held);
    let mut problems: Vec<Unselectable> = held_targets
        .map(|hold| Unselectable::Held { address: hold.address.clone(), reason: hold.reason.clone() })
        .collect();
    let unknown = targets.iter().chain(excluded).filter(unmatched).filter(|pattern| held(pattern).is_none());
    problems.extend(unknown.map(|pattern| {
        let known: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        // What is renamed has the address of its new name.
        let is_renamed = |change: &&Change| change.renamed_from().is_some_and(|before| pattern.covers(&before));
        let renamed = sealed.changes.iter().find(is_renamed).map(|change| change.address.to_string());
        let nearest = || nearest(&pattern.to_string(), known.iter().map(String::as_str)).map(ToOwned::to_owned);
        let nearest = renamed.or_else(nearest);
        Unselectable::Unmatched { pattern: pattern.clone(), nearest }
    }));
    let is_excluded = |address: &Address| excluded.iter().any(|pattern| pattern.covers(address));
    let mut chosen: BTreeSet<Address> =
        addresses.into_iter().filter(|address| selection.matches(address)).cloned().collect();
    let by_id: BTreeMap<&str, &Mutation> =
        sealed.mutations.iter().map(|mutation| (mutation.id.as_str(), mutation)).collect();
    if *leftovers {
        keep_leftovers(sealed, &by_id, &mut chosen);
    }
    let mut open: Vec<Address> = chosen.iter().cloned().collect();
    while let Some(change) = open.pop() {
        let own = sealed.mutations.iter().filter(|mutation| mutation.changes().any(|part| *part == change));
        let dependencies = own.flat_map(|mutation| mutation.needs.iter().chain(&mutation.after));
        for other in dependencies.filter_map(|id| by_id.get(id.as_str())) {
            // A batched mutation that includes this change can be sent for this change alone.
            if other.changes().any(|part| *part == change) {
                continue;
            }
            for part in other.changes().filter(|part| !chosen.contains(*part)).cloned().collect::<Vec<_>>() {
                if is_excluded(&part) {
                    problems.push(Unselectable::DependsOnExcluded { change: change.clone(), excluded: part });
                } else {
                    chosen.insert(part.clone());
                    open.push(part);
                }
            }
        }
    }
    if problems.is_empty() { Ok(chosen) } else { Err(problems) }
}

/// Drops the changes that don't complete what an earlier apply began, and those that wait for such a change.
fn keep_leftovers(sealed: &Sealed, by_id: &BTreeMap<&str, &Mutation>, chosen: &mut BTreeSet<Address>) {
    let others = sealed.changes.iter().filter(|change| !change.is_leftover());
    others.for_each(|change| {
        chosen.remove(&change.address);
    });
    // Nobody asked for these. They come with the leftovers that need them.
    let needed = sealed.changes.iter().filter(|change| change.cause == Cause::NeededByAnother);
    let needed: BTreeSet<&Address> = needed.map(|change| &change.address).collect();
    loop {
        let waits = |address: &&Address| {
            let own = sealed.mutations.iter().filter(|mutation| mutation.changes().any(|part| part == *address));
            let dependencies = own.flat_map(|mutation| mutation.needs.iter().chain(&mutation.after));
            let mut dependencies = dependencies.filter_map(|id| by_id.get(id.as_str()));
            dependencies.any(|other| {
                !other.changes().any(|part| part == *address || chosen.contains(part) || needed.contains(part))
            })
        };
        let Some(waiting) = chosen.iter().find(waits).cloned() else { break };
        chosen.remove(&waiting);
    }
}
