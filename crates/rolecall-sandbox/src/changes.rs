//! The difference between two states of a world, as the store appends it.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A state that can tell what changed since an earlier one.
pub trait Recorded {
    /// Returns the changes that turn `earlier` into this state, and makes them there.
    fn changes(&self, earlier: &mut Self) -> Vec<Change>;
}

/// One field of a world, or some rows of a field that is a list.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Change {
    /// From row `at` on, `removed` rows are replaced by `rows`.
    Rows {
        list: String,
        at: usize,
        removed: usize,
        rows: Vec<Value>,
    },
    Field {
        field: String,
        value: Value,
    },
}

impl Change {
    /// Makes this change in a world's JSON. Returns false if the world has no such rows.
    pub fn apply(self, world: &mut Value) -> bool {
        match self {
            Self::Rows { list, at, removed, rows } => {
                let Some(all) = world.get_mut(&list).and_then(Value::as_array_mut) else { return false };
                let range = at..at.saturating_add(removed);
                let fits = range.end <= all.len();
                if fits {
                    all.splice(range, rows);
                }
                fits
            }
            Self::Field { field, value } => {
                world[field] = value;
                true
            }
        }
    }
}

/// Records the rows in which two lists differ.
pub fn record_rows<T: Clone + PartialEq + Serialize>(
    list: &str,
    now: &[T],
    earlier: &mut Vec<T>,
    changes: &mut Vec<Change>,
) {
    let start = now.iter().zip(&*earlier).take_while(|(now, earlier)| now == earlier).count();
    let rest = now[start..].iter().rev().zip(earlier[start..].iter().rev());
    let end = rest.take_while(|(now, earlier)| now == earlier).count();
    let (now, old) = (&now[start..now.len() - end], start..earlier.len() - end);
    let runs: Vec<(&[T], Range<usize>)> = if now.len() == old.len() {
        let rows = now.iter().zip(old).filter(|(row, at)| **row != earlier[*at]);
        rows.map(|(row, at)| (std::slice::from_ref(row), at..at + 1)).collect()
    } else {
        vec![(now, old)]
    };
    for (new, old) in runs {
        let rows = new.iter().map(|row| serde_json::to_value(row).unwrap_or_default()).collect();
        changes.push(Change::Rows { list: list.to_owned(), at: old.start, removed: old.len(), rows });
        earlier.splice(old, new.iter().cloned());
    }
}

/// Records a field, if it differs.
pub fn record_field<T: Clone + PartialEq + Serialize>(
    field: &str,
    now: &T,
    earlier: &mut T,
    changes: &mut Vec<Change>,
) {
    if now != earlier {
        let value = serde_json::to_value(now).unwrap_or_default();
        changes.push(Change::Field { field: field.to_owned(), value });
        earlier.clone_from(now);
    }
}

/// Implements [`Recorded`] for a world with these lists and other fields. A field that is left out doesn't compile.
macro_rules! recorded {
    ($world:ident { lists: [$($list:ident),*], fields: [$($field:ident),*] }) => {
        impl $crate::changes::Recorded for $world {
            fn changes(&self, earlier: &mut Self) -> Vec<$crate::changes::Change> {
                let Self { $($list,)* $($field),* } = self;
                let mut changes = Vec::new();
                $($crate::changes::record_rows(stringify!($list), $list, &mut earlier.$list, &mut changes);)*
                $($crate::changes::record_field(stringify!($field), $field, &mut earlier.$field, &mut changes);)*
                changes
            }
        }
    };
}
pub(crate) use recorded;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_of_a_list_lead_from_the_earlier_state_to_the_later_one() {
        let lists: [&[u8]; 7] =
            [&[], &[1], &[1, 2, 3, 4], &[1, 9, 3, 8], &[2, 3], &[1, 2, 2, 3, 4], &[4, 3, 2, 1]];
        for (earlier, now) in lists.iter().flat_map(|earlier| lists.iter().map(move |now| (earlier, now))) {
            let (mut changes, mut followed) = (Vec::new(), earlier.to_vec());
            let mut world = serde_json::json!({ "rows": earlier });
            record_rows("rows", now, &mut followed, &mut changes);
            assert_eq!(followed, **now);
            assert_eq!(changes.is_empty(), earlier == now);
            assert!(changes.into_iter().all(|change| change.apply(&mut world)));
            assert_eq!(world, serde_json::json!({ "rows": now }));
        }
    }

    #[test]
    fn rows_that_stay_are_not_recorded() {
        let mut changes = Vec::new();
        record_rows("rows", &[1, 9, 3, 8, 5], &mut vec![1, 2, 3, 4, 5], &mut changes);
        let rows =
            |at: usize, row: u8| Change::Rows { list: "rows".to_owned(), at, removed: 1, rows: vec![row.into()] };
        assert_eq!(changes, [rows(1, 9), rows(3, 8)]);
    }
}
