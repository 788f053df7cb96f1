//! A part of a plan: some of its changes, with what they rely on. Nothing else of it is done otherwise for that.

use std::collections::{BTreeMap, BTreeSet};

use rolecall_model::{Address, Mutation, Pattern, Sealed};

/// Which changes are wanted.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Empty: all.
    pub targets: Vec<Pattern>,
    pub excluded: Vec<Pattern>,
}

impl Selection {
    pub fn is_all(&self) -> bool {
        self.targets.is_empty() && self.excluded.is_empty()
    }

    /// Is a change asked for by itself, rather than for another that relies on it?
    pub fn wants(&self, address: &Address) -> bool {
        let covers = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.covers(address));
        (self.targets.is_empty() || covers(&self.targets)) && !covers(&self.excluded)
    }
}

/// Why a part can't be taken from a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unselectable {
    /// No change has this address.
    Unmatched(Pattern),
    /// A change that is wanted relies on one that isn't.
    ReliesOn { change: Address, excluded: Address },
}

/// The changes that are wanted and those that they rely on, or all that stands in the way.
pub fn select(sealed: &Sealed, selection: &Selection) -> Result<BTreeSet<Address>, Vec<Unselectable>> {
    let Selection { targets, excluded } = selection;
    let addresses: BTreeSet<&Address> = sealed.changes.iter().map(|change| &change.address).collect();
    let unmatched = |pattern: &&Pattern| !addresses.iter().any(|address| pattern.covers(address));
    let mut wrong: Vec<Unselectable> =
        targets.iter().chain(excluded).filter(unmatched).cloned().map(Unselectable::Unmatched).collect();
    let is_excluded = |address: &Address| excluded.iter().any(|pattern| pattern.covers(address));
    let mut chosen: BTreeSet<Address> =
        addresses.into_iter().filter(|address| selection.wants(address)).cloned().collect();
    let by_id: BTreeMap<&str, &Mutation> =
        sealed.mutations.iter().map(|mutation| (mutation.id.as_str(), mutation)).collect();
    let mut open: Vec<Address> = chosen.iter().cloned().collect();
    while let Some(change) = open.pop() {
        let own = sealed.mutations.iter().filter(|mutation| mutation.changes().any(|part| *part == change));
        let relied = own.flat_map(|mutation| mutation.needs.iter().chain(&mutation.after));
        for other in relied.filter_map(|id| by_id.get(id.as_str())) {
            // One call for several, its own part among them, is made for that part alone.
            if other.changes().any(|part| *part == change) {
                continue;
            }
            for part in other.changes().filter(|part| !chosen.contains(*part)).cloned().collect::<Vec<_>>() {
                if is_excluded(&part) {
                    wrong.push(Unselectable::ReliesOn { change: change.clone(), excluded: part });
                } else {
                    chosen.insert(part.clone());
                    open.push(part);
                }
            }
        }
    }
    if wrong.is_empty() { Ok(chosen) } else { Err(wrong) }
}
