//! Removes duplicates from lists whose rows should be different entities.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// Returns the entities by their ids. An entity that is listed twice with different values is left out, because
/// nobody knows which of them is true.
pub(super) fn distinct<K: Ord + Clone, T: PartialEq>(rows: impl IntoIterator<Item = (K, T)>) -> BTreeMap<K, T> {
    let mut found: BTreeMap<K, Option<T>> = BTreeMap::new();
    for (id, row) in rows {
        match found.entry(id) {
            Entry::Vacant(entry) => {
                entry.insert(Some(row));
            }
            Entry::Occupied(mut entry) => {
                if entry.get().as_ref() != Some(&row) {
                    entry.insert(None);
                }
            }
        }
    }
    found.into_iter().filter_map(|(id, row)| Some((id, row?))).collect()
}
