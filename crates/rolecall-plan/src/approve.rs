//! Compares an approved plan with a fresh one, to find out which of its changes are still valid.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use rolecall_model::{Address, Change, Hold, Mutation, Role, Sealed};

/// The result of comparing an approved plan with a fresh one.
#[derive(Clone, Debug, Default)]
pub struct Approval {
    /// Approved changes that the fresh plan contains unchanged. They may be sent.
    pub still_valid: BTreeSet<Address>,
    /// Approved changes that are out of date: the fresh plan has another change, or none.
    pub stale: Vec<Stale>,
    /// Changes of the fresh plan that nobody approved. They are reported and not sent.
    pub unapproved: Vec<Change>,
}

/// An approved change that is out of date.
#[derive(Clone, Debug)]
pub struct Stale {
    pub approved: Change,
    /// The entity's change in the fresh plan, if it has one.
    pub now: Option<Change>,
    /// The entity's hold in the fresh plan, if it has one.
    pub held: Option<Hold>,
    /// The change that it depends on, if that one was not approved or is out of date.
    pub depends_on: Option<Address>,
}

/// Compares the changes of both plans and the mutations that they lower to. A change is still valid if it is the
/// same, would send the same, and everything that it depends on is still valid.
pub fn compare(approved: &Sealed, fresh: &Sealed) -> Approval {
    let mut approval = Approval::default();
    let now: BTreeMap<&Address, &Change> = by_address(&fresh.changes, |change| &change.address);
    let held: BTreeMap<&Address, &Hold> = by_address(&fresh.holds, |hold| &hold.address);
    let shared = shared(approved).chain(shared(fresh)).collect();
    let (then_sent, now_sent) = (sent_mutations(approved, &shared), sent_mutations(fresh, &shared));
    let approved_changes = by_address(&approved.changes, |change| &change.address);
    let unapproved_roles =
        fresh.changes.iter().filter(|change| approved_changes.get(&change.address) != Some(change));
    let fresh_roles: Vec<&Role> =
        unapproved_roles.filter_map(|change| change.after.as_ref().or(change.before.as_ref())?.role()).collect();
    let mut depends_on: BTreeMap<&Address, Address> = BTreeMap::new();
    for change in &approved.changes {
        let address = &change.address;
        let same = now.get(address).copied() == Some(change) && then_sent.get(address) == now_sent.get(address);
        match changed_role(change, &fresh_roles) {
            Some(role) if same => {
                depends_on.insert(address, role);
            }
            None if same => {
                approval.still_valid.insert(address.clone());
            }
            _ => {}
        }
    }
    // A change can't be sent without its dependencies. Drop those whose dependency is dropped, until none is left.
    let by_id: BTreeMap<&str, &Mutation> =
        fresh.mutations.iter().map(|mutation| (mutation.id.as_str(), mutation)).collect();
    loop {
        let is_valid = |address: &&Address| approval.still_valid.contains(*address);
        // One mutation can make several changes, and each can be approved without the others.
        let unmet = |mutation: &Mutation, change: &Address| {
            let dependencies =
                mutation.needs.iter().chain(&mutation.after).filter_map(|id| by_id.get(id.as_str()));
            let missing = |other: &&&Mutation| {
                !other.changes().any(|part| part == change) && !other.changes().any(|part| is_valid(&part))
            };
            dependencies.into_iter().find(missing).map(|other| other.change.clone())
        };
        let valid = fresh
            .mutations
            .iter()
            .flat_map(|mutation| mutation.changes().filter(is_valid).map(move |change| (mutation, change)));
        let Some((address, dependency)) =
            valid.into_iter().find_map(|(mutation, change)| Some((change, unmet(mutation, change)?)))
        else {
            break;
        };
        approval.still_valid.remove(address);
        depends_on.insert(address, dependency);
    }
    for change in &approved.changes {
        let address = &change.address;
        if !approval.still_valid.contains(address) {
            approval.stale.push(Stale {
                approved: change.clone(),
                now: now.get(address).map(|change| (*change).clone()),
                held: held.get(address).map(|hold| (*hold).clone()),
                depends_on: depends_on.get(address).cloned(),
            });
        }
    }
    approval.unapproved =
        fresh.changes.iter().filter(|change| !approved_changes.contains_key(&change.address)).cloned().collect();
    approval
}

/// Returns the first role of a user's change whose own change differs from the approved one.
fn changed_role(change: &Change, roles: &[&Role]) -> Option<Address> {
    let user = change.after.as_ref()?.user()?;
    roles.iter().find(|role| user.roles.contains(&role.name)).map(|role| Address::role(&role.name))
}

fn by_address<T>(items: &[T], address: impl Fn(&T) -> &Address) -> BTreeMap<&Address, &T> {
    items.iter().map(|item| (address(item), item)).collect()
}

/// An operation and its variables. The variables are left out if several changes share one mutation, since they
/// include those of the other changes.
type SentMutation<'a> = (&'a str, Option<&'a BTreeMap<String, Value>>);

/// Returns the operations of mutations that several changes share.
fn shared(sealed: &Sealed) -> impl Iterator<Item = &str> {
    let several = sealed.mutations.iter().filter(|mutation| !mutation.also.is_empty());
    several.map(|mutation| mutation.operation.as_str())
}

/// Returns what would be sent for each entity.
fn sent_mutations<'a>(
    sealed: &'a Sealed,
    shared: &BTreeSet<&str>,
) -> BTreeMap<&'a Address, Vec<SentMutation<'a>>> {
    let mut sent: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for mutation in &sealed.mutations {
        let operation = mutation.operation.as_str();
        let alone = !shared.contains(operation);
        for change in mutation.changes() {
            sent.entry(change).or_default().push((operation, Some(&mutation.variables).filter(|_| alone)));
        }
    }
    sent
}
