//! What was approved against what a fresh plan says.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use rolecall_model::{Address, Change, Hold, Mutation, Role, Sealed};

/// How much of an approved plan still stands.
#[derive(Clone, Debug, Default)]
pub struct Approval {
    /// Approved and planned again just so: these may be sent.
    pub still_valid: BTreeSet<Address>,
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
    /// It relies on a change of this one, which was not approved or no longer stands.
    pub relies_on: Option<Address>,
}

/// Compares whole changes and the mutations that they lower to.
pub fn compare(approved: &Sealed, fresh: &Sealed) -> Approval {
    let mut approval = Approval::default();
    let now: BTreeMap<&Address, &Change> = by_address(&fresh.changes, |change| &change.address);
    let held: BTreeMap<&Address, &Hold> = by_address(&fresh.holds, |hold| &hold.address);
    let shared = shared(approved).chain(shared(fresh)).collect();
    let (then_sent, now_sent) = (calls(approved, &shared), calls(fresh, &shared));
    let known = by_address(&approved.changes, |change| &change.address);
    let unapproved_roles = fresh.changes.iter().filter(|change| known.get(&change.address) != Some(change));
    let fresh_roles: Vec<&Role> =
        unapproved_roles.filter_map(|change| change.after.as_ref().or(change.before.as_ref())?.role()).collect();
    let mut relies_on: BTreeMap<&Address, Address> = BTreeMap::new();
    for change in &approved.changes {
        let address = &change.address;
        let same = now.get(address).copied() == Some(change) && then_sent.get(address) == now_sent.get(address);
        match changed_role(change, &fresh_roles) {
            Some(role) if same => {
                relies_on.insert(address, role);
            }
            None if same => {
                approval.still_valid.insert(address.clone());
            }
            _ => {}
        }
    }
    // What waits for a change that isn't sent was approved together with it, or not at all.
    let by_id: BTreeMap<&str, &Mutation> =
        fresh.mutations.iter().map(|mutation| (mutation.id.as_str(), mutation)).collect();
    loop {
        let stands = |address: &&Address| approval.still_valid.contains(*address);
        // Of several changes that one call makes, each may be approved without the others.
        let lacks = |mutation: &Mutation, change: &Address| {
            let waits = mutation.needs.iter().chain(&mutation.after).filter_map(|id| by_id.get(id.as_str()));
            let missing = |other: &&&Mutation| {
                !other.changes().any(|part| part == change) && !other.changes().any(|part| stands(&part))
            };
            waits.into_iter().find(missing).map(|other| other.change.clone())
        };
        let standing = fresh
            .mutations
            .iter()
            .flat_map(|mutation| mutation.changes().filter(stands).map(move |change| (mutation, change)));
        let Some((address, lacking)) =
            standing.into_iter().find_map(|(mutation, change)| Some((change, lacks(mutation, change)?)))
        else {
            break;
        };
        approval.still_valid.remove(address);
        relies_on.insert(address, lacking);
    }
    for change in &approved.changes {
        let address = &change.address;
        if !approval.still_valid.contains(address) {
            approval.stale.push(Stale {
                approved: change.clone(),
                now: now.get(address).map(|change| (*change).clone()),
                held: held.get(address).map(|hold| (*hold).clone()),
                relies_on: relies_on.get(address).cloned(),
            });
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

/// An operation and its variables. Of one that several changes share, the operation alone: the others may differ.
type SentCall<'a> = (&'a str, Option<&'a BTreeMap<String, Value>>);

/// The operations by which one call does something for several.
fn shared(sealed: &Sealed) -> impl Iterator<Item = &str> {
    let several = sealed.mutations.iter().filter(|mutation| !mutation.also.is_empty());
    several.map(|mutation| mutation.operation.as_str())
}

/// What would be sent for each entity.
fn calls<'a>(sealed: &'a Sealed, shared: &BTreeSet<&str>) -> BTreeMap<&'a Address, Vec<SentCall<'a>>> {
    let mut calls: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for mutation in &sealed.mutations {
        let operation = mutation.operation.as_str();
        let alone = !shared.contains(operation);
        for change in mutation.changes() {
            calls.entry(change).or_default().push((operation, Some(&mutation.variables).filter(|_| alone)));
        }
    }
    calls
}
