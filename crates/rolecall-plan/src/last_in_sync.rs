//! Finds when the ledger last saw an entity as the files ask for.
//!
//! For example, the run of 03:00 ended with Jane as the file asks. At noon somebody makes her an admin by hand. The next
//! drift report then says that she was as the file says at 03:00, and that rolecall hasn't changed her since. It says so
//! only if the files still ask for the same: the ledger has no copy of them, only their [`desired_hash`].

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::seal::hash;
use rolecall_model::{
    Address, Cause, Change, Completeness, Desired, Entity, Facts, Hold, HoldClass, HoldReason, Kind, LastInSync,
    OrganizationPlan, Sealed,
};

/// More differing entities of one kind than this are recorded as `kind/*`, so that no run makes a ledger much longer.
const LISTED: usize = 500;

/// Returns `sha256:` and the hash of everything in the files that decides whether live is as they ask. Places, comments,
/// credentials and deliveries don't matter to it. Another version of rolecall may judge otherwise, so it has another hash.
pub fn desired_hash(desired: &Desired) -> String {
    let Desired {
        provider: _,
        place: _,
        organization,
        endpoint: _,
        credentials: _,
        own_key,
        own_user,
        manage,
        // A change that a guardrail stops is a difference too.
        guardrails: _,
        acknowledged,
        reinvite_expired,
        containment_role,
        host: _,
        settings,
        admin_role,
        allowed: _,
        organization_entity,
        teams,
        roles,
        users,
        keys,
        reads: _,
        tolerated: _,
        notes: _,
        endings: _,
        directories: _,
        rotations: _,
        left: _,
        memberships: _,
        people: _,
    } = desired;
    let acknowledged: Vec<String> = acknowledged.keys().map(ToString::to_string).collect();
    hash(&json!({
        "version": env!("CARGO_PKG_VERSION"),
        "organization": organization,
        "own": (own_key, own_user),
        "manage": manage,
        "acknowledged": acknowledged,
        "reinvite_expired": reinvite_expired,
        "containment_role": containment_role,
        "settings": settings,
        "admin_role": admin_role,
        "settings_of_organization": organization_entity,
        "teams": teams,
        "roles": roles,
        "users": users,
        "keys": keys,
    }))
}

/// Returns the entities that are not as the files ask, as the ledger records them at the end of a run. `kind/*` stands for
/// all of a kind, if their list is incomplete or too many differ.
pub fn differing(plan: &OrganizationPlan) -> BTreeSet<Address> {
    let Sealed { changes, holds, .. } = &plan.sealed;
    let is_open = |hold: &&Hold| matches!(hold.class, HoldClass::Blocked | HoldClass::Waiting);
    let changes = changes.iter().filter(|change| change.cause != Cause::Asserted).map(|change| &change.address);
    let mut differing: BTreeSet<Address> =
        changes.chain(holds.iter().filter(is_open).map(|hold| &hold.address)).cloned().collect();
    let unreadable = holds.iter().filter(|hold| matches!(hold.reason, HoldReason::UnreadableRow { .. }));
    let mut doubtful: BTreeSet<Kind> = unreadable.map(|hold| hold.address.kind).collect();
    doubtful.extend(incomplete_kinds(&plan.completeness));
    for kind in Kind::ALL {
        if differing.iter().filter(|address| address.kind == *kind).count() > LISTED {
            doubtful.insert(*kind);
        }
    }
    differing.retain(|address| !doubtful.contains(&address.kind));
    differing.extend(doubtful.into_iter().map(Address::every));
    differing
}

/// Returns the kinds of entities whose list is incomplete.
pub(super) fn incomplete_kinds(completeness: &BTreeMap<String, Completeness>) -> BTreeSet<Kind> {
    let incomplete = completeness.iter().filter(|(_, completeness)| completeness.is_incomplete());
    let kinds = incomplete.flat_map(|(list, _)| match &**list {
        "invitations" | "users" => &[Kind::User, Kind::Invitation][..],
        "keys" => &[Kind::Key],
        "roles" => &[Kind::Role],
        "teams" => &[Kind::Team],
        _ => &[],
    });
    kinds.copied().collect()
}

/// Returns when the ledger last saw each entity that differs now as the files ask for. `desired` is what they ask for now.
///
/// In doubt, an entity is left out: if rolecall may have changed it since, if the files have asked for something else, or
/// if a list is incomplete.
pub(super) fn last_in_sync(
    facts: &Facts,
    desired: &Desired,
    sealed: &Sealed,
    completeness: &BTreeMap<String, Completeness>,
) -> BTreeMap<Address, LastInSync> {
    if facts.finished.is_empty() && facts.applied.is_empty() {
        return BTreeMap::new();
    }
    let incomplete = incomplete_kinds(completeness);
    let is_moved = |change: &&Change| {
        // A key that only got old was changed by nobody.
        let by_time = matches!(change.cause, Cause::DueForRotation { .. });
        !change.is_leftover() && !by_time && !matches!(change.cause, Cause::Asserted | Cause::NeededByAnother)
    };
    let changes = sealed.changes.iter().filter(is_moved).map(|change| (&change.address, Some(change)));
    let holds = sealed.holds.iter().filter(|hold| hold.class == HoldClass::Blocked && tells_of_live(&hold.reason));
    let all = changes.chain(holds.map(|hold| (&hold.address, None)));
    let mut known = all.filter(|(address, _)| !incomplete.contains(&address.kind)).peekable();
    if known.peek().is_none() {
        return BTreeMap::new();
    }
    let desired = desired_hash(desired);
    let others = facts.touched.iter().filter(|(other, _)| matches!(other.kind, Kind::Team | Kind::Organization));
    let others = others.map(|(_, position)| *position).max();
    known
        .filter_map(|(address, change)| {
            // A team takes its members along, and an organisation everybody.
            let with_it = others.filter(|_| matches!(address.kind, Kind::User | Kind::Invitation));
            Some((address.clone(), of_one(facts, &desired, (address, with_it), change)?))
        })
        .collect()
}

/// Returns whether a reason to hold an entity says how the entity is live, and not that it can't be read.
fn tells_of_live(reason: &HoldReason) -> bool {
    !matches!(
        reason,
        HoldReason::Unreadable { .. }
            | HoldReason::UnreadableRow { .. }
            | HoldReason::Unplannable { .. }
            | HoldReason::RoleNotListed { .. }
            | HoldReason::RoleExistsUnlisted
    )
}

/// `with_it`: the position in the ledger of the latest change that may have changed the entity too.
fn of_one(
    facts: &Facts,
    desired: &str,
    (address, with_it): (&Address, Option<usize>),
    change: Option<&Change>,
) -> Option<LastInSync> {
    let names = names_of(address);
    let differs_in = |differing: &BTreeSet<Address>| {
        let is_it = |other: &Address| {
            names.iter().any(|name| name.kind == other.kind && (name.name == other.name || other.name == "*"))
        };
        differing.iter().any(is_it)
    };
    let touched = names.iter().filter_map(|name| facts.touched.get(name)).chain(&with_it).max();
    let since =
        facts.finished.iter().rev().take_while(|run| touched.is_none_or(|touched| run.position > *touched));
    for run in since {
        if run.desired == desired && !differs_in(&run.differing) {
            return Some(LastInSync { at: run.at, run: run.run.clone() });
        }
    }
    // The files of the run that sent it aren't known, but the value that it wrote is.
    let applied = facts.applied.get(&names[0]).filter(|applied| Some(&applied.position) == touched)?;
    let is_asked = applied.done && address.id.is_none() && is_same(applied.after.as_ref(), change?.after.as_ref());
    is_asked.then(|| LastInSync { at: applied.at, run: applied.run.clone() })
}

/// Returns the addresses under which the ledger may know an entity, without ids. Somebody who is invited has two.
fn names_of(address: &Address) -> Vec<Address> {
    let name = Address { id: None, ..address.clone() };
    let other = match address.kind {
        Kind::User => Some(Kind::Invitation),
        Kind::Invitation => Some(Kind::User),
        Kind::Organization | Kind::Team | Kind::Role | Kind::Key => None,
    };
    let other = other.map(|kind| Address { kind, ..name.clone() });
    std::iter::once(name).chain(other).collect()
}

/// Returns whether two values are the same. The id of a new entity isn't known when it is asked for.
fn is_same(written: Option<&Entity>, asked: Option<&Entity>) -> bool {
    let (Some(written), Some(asked)) = (written, asked) else { return written.is_none() && asked.is_none() };
    let of_one_entity = match (written.id(), asked.id()) {
        (Some(written), Some(asked)) => written == asked,
        (None, _) | (_, None) => true,
    };
    of_one_entity && without_id(written) == without_id(asked)
}

fn without_id(entity: &Entity) -> Entity {
    let mut entity = entity.clone();
    match &mut entity {
        Entity::Organization(organization) => organization.id = None,
        Entity::Team(team) => team.id = None,
        Entity::Role(role) => role.id = None,
        Entity::User(user) => user.id = None,
        Entity::Key(key) => key.id = None,
    }
    entity
}
