//! What was approved against what a fresh plan says.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::model::{Address, Change, Hold, Role, Sealed};

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
    /// A role that it gives would change as well, and that was not approved.
    pub role: Option<Address>,
}

/// Compares whole changes and the mutations that they lower to.
pub fn compare(approved: &Sealed, fresh: &Sealed) -> Approval {
    let mut approval = Approval::default();
    let now: BTreeMap<&Address, &Change> = by_address(&fresh.changes, |change| &change.address);
    let held: BTreeMap<&Address, &Hold> = by_address(&fresh.holds, |hold| &hold.address);
    let (then_sent, now_sent) = (calls(approved), calls(fresh));
    let known = by_address(&approved.changes, |change| &change.address);
    let unapproved_roles = fresh.changes.iter().filter(|change| known.get(&change.address) != Some(change));
    let fresh_roles: Vec<&Role> =
        unapproved_roles.filter_map(|change| change.after.as_ref().or(change.before.as_ref())?.role()).collect();
    for change in &approved.changes {
        let address = &change.address;
        let fresh = now.get(address).copied();
        let same = fresh == Some(change) && then_sent.get(address) == now_sent.get(address);
        let role = changed_role(change, &fresh_roles);
        if same && role.is_none() {
            approval.standing.insert(address.clone());
        } else {
            let held = held.get(address).map(|hold| (*hold).clone());
            approval.stale.push(Stale { approved: change.clone(), now: fresh.cloned(), held, role });
        }
    }
    approval.unapproved =
        fresh.changes.iter().filter(|change| !known.contains_key(&change.address)).cloned().collect();
    approval
}

/// The first role that a user's change gives and that would change in another way than was approved.
fn changed_role(change: &Change, roles: &[&Role]) -> Option<Address> {
    let user = change.after.as_ref()?.user()?;
    roles.iter().find(|role| user.roles.contains(&role.name)).map(|role| Address::role(&role.name))
}

fn by_address<T>(items: &[T], address: impl Fn(&T) -> &Address) -> BTreeMap<&Address, &T> {
    items.iter().map(|item| (address(item), item)).collect()
}

/// An operation and its variables.
type Sent<'a> = (&'a str, &'a BTreeMap<String, Value>);

/// What would be sent for each entity.
fn calls(sealed: &Sealed) -> BTreeMap<&Address, Vec<Sent<'_>>> {
    let mut calls: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for mutation in &sealed.mutations {
        calls.entry(&mutation.change).or_default().push((mutation.operation.as_str(), &mutation.variables));
    }
    calls
}
