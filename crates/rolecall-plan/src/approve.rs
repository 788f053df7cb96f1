//! Compares an approved plan with a fresh one, to find out which of its changes are still valid.
//!
//! A run of the approved plan may have been stopped, and its rest has to be as good as approved. For example, the
//! plan creates the role Reader and gives it to Sam. A run creates the role and is killed. The fresh plan has no
//! change of the role, which is done, and assigns Sam the role by its id, where the approved plan has a placeholder.
//! Sam's change is still valid, because the role is as it was approved.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::verify::{Observation, in_effect};
use rolecall_model::{
    Action, Address, Change, Entity, Hold, Kind, Live, Mutation, Reference, RemoteId, Role, RoleName, Sealed,
    SentChange, TeamName, reference,
};

/// The result of comparing an approved plan with a fresh one.
#[derive(Clone, Debug, Default)]
pub struct Approval {
    /// Approved changes that the fresh plan contains unchanged, or what is left of them. They may be sent.
    pub still_valid: BTreeSet<Address>,
    /// Approved changes that are in effect.
    pub done: BTreeSet<Address>,
    /// Approved changes that earlier runs have tried, or that depend on such. The fresh plan holds them.
    pub open: BTreeSet<Address>,
    /// Approved changes that are out of date: the fresh plan has another change, or none.
    pub stale: Vec<Stale>,
    /// Changes of the fresh plan that nobody approved. They are reported and not sent.
    pub unapproved: Vec<Change>,
    /// The present addresses of entities that had another one when the plan was approved. All sets have the present
    /// ones. For example, two users have addresses that differ only in upper and lower case, so their addresses in the
    /// plan have ids. The first is disabled, and the second no longer needs its id.
    pub readdressed: BTreeMap<Address, Address>,
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

/// The progress of an approved plan: the live state, and what the ledger knows of its earlier runs.
#[derive(Clone, Copy)]
pub struct ApprovalProgress<'a> {
    pub live: &'a Live,
    pub sent: &'a BTreeMap<Address, SentChange>,
}

impl<'a> ApprovalProgress<'a> {
    /// Returns whether an approved change is in effect. `differs` is true if the fresh plan has another change of
    /// the entity.
    fn is_done(self, change: &Change, differs: bool) -> bool {
        let sent = self.sent.get(&change.address);
        match in_effect(change, sent.and_then(|sent| sent.id.as_ref()), self.live) {
            // A member can have other roles than an invitation has given.
            Observation::InEffect if differs && change.action == Action::Invite => {
                sent.is_some_and(|sent| sent.done)
            }
            Observation::InEffect => true,
            Observation::CannotTell => sent.is_some_and(|sent| sent.done),
            Observation::NotInEffect => false,
        }
    }

    /// Returns the live id of an entity that an approved change was to create.
    fn id_of(self, address: &Address) -> Option<&'a RemoteId> {
        let Self { live, sent } = self;
        let id = match address.kind {
            Kind::Role => live.role(&RoleName::seen(&*address.name)).map(|role| &role.id),
            Kind::Team => live.team(&TeamName::seen(&*address.name)).map(|team| &team.id),
            Kind::Organization | Kind::User | Kind::Invitation | Kind::Key => None,
        };
        id.filter(|_| address.id.is_none()).or_else(|| sent.get(address)?.id.as_ref())
    }
}

/// Compares an approved plan, of which nothing was sent yet, with a fresh one.
pub fn compare(approved: &Sealed, fresh: &Sealed) -> Approval {
    compare_with(approved, fresh, None)
}

/// Compares an approved plan with a fresh one, after runs that may have sent a part of it.
pub fn resume(approved: &Sealed, fresh: &Sealed, progress: ApprovalProgress<'_>) -> Approval {
    let readdressed = readdressed(approved, fresh);
    let current = |address: &Address| readdressed.get(address).unwrap_or(address).clone();
    let mut approved = approved.clone();
    for change in &mut approved.changes {
        change.address = current(&change.address);
    }
    for mutation in &mut approved.mutations {
        mutation.change = current(&mutation.change);
        mutation.also = mutation.also.iter().map(current).collect();
    }
    let sent = progress.sent.iter().map(|(address, sent)| (current(address), sent.clone())).collect();
    let live = without_deleted_teams(&approved, progress.live);
    let progress = ApprovalProgress { live: live.as_ref().unwrap_or(progress.live), sent: &sent };
    Approval { readdressed, ..compare_with(&approved, fresh, Some(progress)) }
}

/// Returns the present addresses of entities that are no longer told apart by their ids.
fn readdressed(approved: &Sealed, fresh: &Sealed) -> BTreeMap<Address, Address> {
    let current = by_address(&fresh.changes, |change| &change.address);
    let with_id =
        approved.changes.iter().filter(|it| it.address.id.is_some() && !current.contains_key(&it.address));
    with_id
        .filter_map(|change| {
            let bare = Address { id: None, ..change.address.clone() };
            let now = current.get(&bare)?.before.as_ref()?.id();
            (now == change.address.id.as_ref()).then(|| (change.address.clone(), bare))
        })
        .collect()
}

/// Returns the live state without the memberships in teams that the approved plan deletes. The changes of the members
/// don't mention these teams, so they are no reason to take such a change for undone. `None` if it deletes none.
fn without_deleted_teams(approved: &Sealed, live: &Live) -> Option<Live> {
    let is_team = |change: &&Change| change.action == Action::Delete && change.address.kind == Kind::Team;
    let deleted = approved.changes.iter().filter(is_team).filter_map(|change| change.before.as_ref()?.team());
    let deleted: BTreeSet<&TeamName> = deleted.map(|team| &team.name).collect();
    if deleted.is_empty() {
        return None;
    }
    let mut live = live.clone();
    for teams in live.users.items.iter_mut().filter_map(|user| user.teams.as_mut()) {
        teams.retain(|team, _| !deleted.contains(team));
    }
    for teams in
        live.invitations.iter_mut().flat_map(|list| &mut list.items).filter_map(|open| open.teams.as_mut())
    {
        teams.retain(|team| !deleted.contains(team));
    }
    Some(live)
}

/// Compares the changes of both plans and the mutations that they lower to. A change is still valid if it is the
/// same, would send the same, and everything that it depends on is still valid.
fn compare_with(approved: &Sealed, fresh: &Sealed, progress: Option<ApprovalProgress<'_>>) -> Approval {
    let mut approval = Approval::default();
    let now: BTreeMap<&Address, &Change> = by_address(&fresh.changes, |change| &change.address);
    let held: BTreeMap<&Address, &Hold> = by_address(&fresh.holds, |hold| &hold.address);
    let shared = shared(approved).chain(shared(fresh)).collect();
    let (then_sent, now_sent) = (sent_mutations(approved, &shared), sent_mutations(fresh, &shared));
    let approved_changes = by_address(&approved.changes, |change| &change.address);
    let created = approved.changes.iter().filter(|change| change.action == Action::Create);
    let created_teams: BTreeSet<&TeamName> =
        created.filter_map(|change| Some(&change.after.as_ref()?.team()?.name)).collect();
    for change in &approved.changes {
        let address = &change.address;
        let other = now.get(address).is_some_and(|now| !same_change(change, now, progress, &created_teams));
        let is_fresh = now.contains_key(address) && !other;
        if !is_fresh && progress.is_some_and(|progress| progress.is_done(change, other)) {
            approval.done.insert(address.clone());
        }
    }
    let same = |change: &Change| {
        let address = &change.address;
        let then_sent = then_sent.get(address).map(Vec::as_slice).unwrap_or_default();
        let now_sent = now_sent.get(address).map(Vec::as_slice).unwrap_or_default();
        now.get(address).is_some_and(|now| same_change(change, now, progress, &created_teams))
            && same_mutations(then_sent, now_sent, progress, address, &approval.done)
    };
    let unapproved_roles = fresh
        .changes
        .iter()
        .filter(|change| !approved_changes.get(&change.address).is_some_and(|approved| same(approved)));
    let fresh_roles: Vec<&Role> =
        unapproved_roles.filter_map(|change| change.after.as_ref().or(change.before.as_ref())?.role()).collect();
    let mut depends_on: BTreeMap<&Address, Address> = BTreeMap::new();
    let mut still_valid = BTreeSet::new();
    for change in approved.changes.iter().filter(|change| same(change)) {
        match changed_role(change, &fresh_roles) {
            Some(role) => {
                depends_on.insert(&change.address, role);
            }
            None => {
                still_valid.insert(change.address.clone());
            }
        }
    }
    approval.still_valid = still_valid;
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
    approval.open = progress.map(|progress| open(approved, fresh, &approval, progress)).unwrap_or_default();
    for change in &approved.changes {
        let address = &change.address;
        let counted = [&approval.still_valid, &approval.done, &approval.open];
        if !counted.iter().any(|set| set.contains(address)) {
            approval.stale.push(Stale {
                approved: change.clone(),
                now: now.get(address).map(|change| (*change).clone()),
                held: held.get(address).map(|hold| (*hold).clone()),
                depends_on: depends_on.get(address).cloned(),
            });
        }
    }
    let is_unapproved = |change: &&Change| {
        !approved_changes.contains_key(&change.address) || approval.done.contains(&change.address)
    };
    approval.unapproved = fresh.changes.iter().filter(is_unapproved).cloned().collect();
    approval
}

/// Returns whether a fresh change is the approved one. Of a change that a run has begun, the live state already shows
/// a part, and what is left may have another action: of a user whose removal was interrupted, only the account is left to
/// disable. Once a run has begun, effects can differ as well, such as the holders of a role.
fn same_change(
    approved: &Change,
    now: &Change,
    progress: Option<ApprovalProgress<'_>>,
    created_teams: &BTreeSet<&TeamName>,
) -> bool {
    let Some(progress) = progress.filter(|progress| !progress.sent.is_empty()) else { return approved == now };
    let begun = progress.sent.contains_key(&approved.address);
    let same_start = approved.action == now.action
        && without_teams(approved.before.as_ref(), created_teams)
            == without_teams(now.before.as_ref(), created_teams)
        && approved.cause == now.cause;
    approved.after == now.after && (begun || same_start)
}

/// Returns an entity without its memberships in some teams. An admin who is in every team joins one that the plan creates,
/// and their role in it can't be known before.
fn without_teams(entity: Option<&Entity>, teams: &BTreeSet<&TeamName>) -> Option<Entity> {
    let mut entity = entity.cloned();
    if let Some(Entity::User(user)) = &mut entity
        && let Some(of_user) = &mut user.teams
    {
        of_user.retain(|team, _| !teams.contains(team));
    }
    entity
}

/// Returns whether a fresh plan sends for a change what was approved, or, of a change that was begun, what is left.
fn same_mutations(
    approved: &[SentMutation<'_>],
    now: &[SentMutation<'_>],
    progress: Option<ApprovalProgress<'_>>,
    address: &Address,
    done: &BTreeSet<Address>,
) -> bool {
    let Some(progress) = progress else { return approved == now };
    let same_value = |approved: &Value, now: &Value| same_value(approved, now, progress, done);
    let same = |(approved, then): &SentMutation<'_>, (operation, variables): &SentMutation<'_>| {
        let same_variables = match (then, variables) {
            (Some(then), Some(now)) => {
                then.len() == now.len()
                    && then
                        .iter()
                        .zip(*now)
                        .all(|((name, then), (other, now))| name == other && same_value(then, now))
            }
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        approved == operation && same_variables
    };
    let mut rest = approved.iter();
    let all_approved = now.iter().all(|now| rest.any(|approved| same(approved, now)));
    all_approved && (approved.len() == now.len() || progress.sent.contains_key(address))
}

/// Returns whether two values of variables are the same. Instead of a placeholder for an entity whose creation is
/// done, the fresh plan has the entity's id.
fn same_value(approved: &Value, now: &Value, progress: ApprovalProgress<'_>, done: &BTreeSet<Address>) -> bool {
    if approved == now {
        return true;
    }
    if let Some(Reference { to, as_number }) = reference(approved) {
        let id = progress.id_of(&to).filter(|_| done.contains(&to));
        let number = |id: &RemoteId| id.as_str().parse::<i64>().ok().filter(|_| as_number);
        return id.is_some_and(|id| number(id).map_or_else(|| now == id.as_str(), |number| *now == number));
    }
    match (approved, now) {
        (Value::Object(approved), Value::Object(now)) => {
            approved.len() == now.len()
                && approved
                    .iter()
                    .all(|(name, value)| now.get(name).is_some_and(|now| same_value(value, now, progress, done)))
        }
        (Value::Array(approved), Value::Array(now)) => {
            approved.len() == now.len()
                && approved.iter().zip(now).all(|(value, now)| same_value(value, now, progress, done))
        }
        _ => false,
    }
}

/// Returns the approved changes that are left to a person because of what became of earlier runs: those that were sent
/// and that the fresh plan holds or no read can show, and those that depend on them.
fn open(
    approved: &Sealed,
    fresh: &Sealed,
    approval: &Approval,
    progress: ApprovalProgress<'_>,
) -> BTreeSet<Address> {
    let planned: BTreeSet<&Address> = fresh.changes.iter().map(|change| &change.address).collect();
    let held: BTreeSet<&Address> = fresh.holds.iter().map(|hold| &hold.address).collect();
    let is_left = |address: &Address| !planned.contains(address) && !approval.done.contains(address);
    let approved_changes = by_address(&approved.changes, |change| &change.address);
    let cannot_tell = |address: &Address| {
        let id = progress.sent.get(address).and_then(|sent| sent.id.as_ref());
        let observed = approved_changes.get(address).map(|change| in_effect(change, id, progress.live));
        observed == Some(Observation::CannotTell)
    };
    let is_open = |address: &&Address| is_left(address) && (held.contains(*address) || cannot_tell(address));
    let mut open: BTreeSet<Address> = progress.sent.keys().filter(is_open).cloned().collect();
    let by_id: BTreeMap<&str, &Mutation> =
        approved.mutations.iter().map(|mutation| (mutation.id.as_str(), mutation)).collect();
    // A mutation comes after those that it depends on.
    for mutation in &approved.mutations {
        let mut dependencies =
            mutation.needs.iter().chain(&mutation.after).filter_map(|id| by_id.get(id.as_str()));
        if dependencies.any(|other| other.changes().any(|address| open.contains(address))) {
            open.extend(mutation.changes().filter(|address| is_left(address)).cloned());
        }
    }
    open
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
