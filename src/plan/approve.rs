//! What was approved against what a fresh plan says.

use std::collections::BTreeSet;

use crate::model::{Address, Change, Hold, Mutation, Sealed};

/// How much of an approved plan still stands.
#[derive(Clone, Debug, Default)]
pub struct Approval {
    /// Approved and planned again just so: these may be sent.
    pub standing: BTreeSet<Address>,
    /// Approved, and now different or gone.
    pub stale: Vec<Stale>,
    /// Planned now and never approved: reported, not sent.
    pub unapproved: Vec<Change>,
}

/// An approved change that no longer stands.
#[derive(Clone, Debug)]
pub struct Stale {
    pub approved: Change,
    /// The same entity's change today, if there is one.
    pub now: Option<Change>,
    /// What holds it today, if something does.
    pub held: Option<Hold>,
}

/// Compares whole changes and the mutations that they lower to.
pub fn compare(approved: &Sealed, fresh: &Sealed) -> Approval {
    let mut approval = Approval::default();
    for change in &approved.changes {
        let now = fresh.changes.iter().find(|now| now.address == change.address);
        let same = now == Some(change) && calls(approved, change) == calls(fresh, change);
        if same {
            approval.standing.insert(change.address.clone());
        } else {
            let held = fresh.holds.iter().find(|hold| hold.address == change.address);
            approval.stale.push(Stale { approved: change.clone(), now: now.cloned(), held: held.cloned() });
        }
    }
    let known: BTreeSet<&Address> = approved.changes.iter().map(|change| &change.address).collect();
    approval.unapproved =
        fresh.changes.iter().filter(|change| !known.contains(&change.address)).cloned().collect();
    approval
}

fn calls<'a>(
    sealed: &'a Sealed,
    change: &Change,
) -> Vec<(&'a str, &'a std::collections::BTreeMap<String, serde_json::Value>)> {
    let of_change = |mutation: &&Mutation| mutation.change == change.address;
    sealed
        .mutations
        .iter()
        .filter(of_change)
        .map(|mutation| (mutation.operation.as_str(), &mutation.variables))
        .collect()
}
