//! Finds entities in live by what a caller knows of them, without looking at each one for each question.

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{
    Address, Email, KeyName, Kind, Live, LiveInvitation, LiveKey, LiveRole, LiveTeam, LiveUser, RemoteId,
    RoleName, TeamName,
};

/// Returns the number of items before the wanted one, in a sorted list. Most questions come in the order of the list, so it
/// begins to look at a position near the answer to the one before.
fn seek<T>(items: &[T], near: usize, is_before: impl Fn(&T) -> bool) -> usize {
    let start = near.min(items.len());
    if start > 0 && !is_before(&items[start - 1]) {
        return items[..start - 1].partition_point(is_before);
    }
    let (mut from, mut step) = (start, 1);
    while items.get(from + step - 1).is_some_and(&is_before) {
        from += step;
        step *= 2;
    }
    let end = (from + step - 1).min(items.len());
    from + items[from..end].partition_point(is_before)
}

/// Entities sorted by a key, to be found by it.
pub struct Index<'a, T, K> {
    items: Vec<&'a T>,
    key: fn(&T) -> &K,
    near: Cell<usize>,
}

impl<'a, T, K: Ord> Index<'a, T, K> {
    /// Sorts entities by a key. Those with the same one stay in their order.
    pub fn new(items: impl IntoIterator<Item = &'a T>, key: fn(&T) -> &K) -> Self {
        let mut items: Vec<&T> = items.into_iter().collect();
        items.sort_by(|one, other| key(one).cmp(key(other)));
        Self { items, key, near: Cell::new(0) }
    }

    /// Returns the entities with a key.
    pub fn all(&self, wanted: &K) -> &[&'a T] {
        let start = seek(&self.items, self.near.get(), |item| (self.key)(item) < wanted);
        self.near.set(start);
        let rest = &self.items[start..];
        &rest[..seek(rest, 0, |item| (self.key)(item) == wanted)]
    }

    pub fn has(&self, wanted: &K) -> bool {
        !self.all(wanted).is_empty()
    }

    /// Returns the entities with each key, in order.
    pub fn groups(&self) -> impl Iterator<Item = &[&'a T]> {
        self.items.chunk_by(|one, other| (self.key)(one) == (self.key)(other))
    }
}

/// The order of a list by one key. It is made at the first question. A copy starts without it.
#[derive(Debug, Default)]
struct Sorted(OnceLock<Order>);

/// The positions of the items, sorted by the key, and the list that they are of.
#[derive(Debug)]
struct Order {
    list: (usize, usize),
    positions: Vec<usize>,
    near: AtomicUsize,
}

impl Clone for Sorted {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Sorted {
    /// Returns the items with this key, in the order of the list. It must be the same key in every question. If a list was
    /// replaced since the first question, each item is looked at. The keys of its items must not change.
    fn all<'i, T, K: Ord + ?Sized>(
        &'i self,
        items: &'i [T],
        wanted: &K,
        key: impl Fn(&T) -> &K + Copy,
    ) -> impl Iterator<Item = &'i T> {
        let list = (items.as_ptr().addr(), items.len());
        let order = self.0.get_or_init(|| {
            let mut positions: Vec<usize> = (0..items.len()).collect();
            positions.sort_by_key(|position| key(&items[*position]));
            Order { list, positions, near: AtomicUsize::new(0) }
        });
        let is_current = order.list == list;
        let positions = if is_current { &order.positions[..] } else { &[] };
        let near = order.near.load(Ordering::Relaxed);
        let start = seek(positions, near, |position| key(&items[*position]) < wanted);
        order.near.store(start, Ordering::Relaxed);
        let sorted = positions[start..].iter().map(|position| &items[*position]);
        let unsorted = if is_current { &[] } else { items };
        sorted
            .take_while(move |item| key(item) == wanted)
            .chain(unsorted.iter().filter(move |item| key(item) == wanted))
    }
}

/// The orders of the lists of [`Live`] by what is asked for.
#[derive(Clone, Debug, Default)]
pub struct Orders {
    teams: Sorted,
    teams_by_id: Sorted,
    teams_by_raw_name: Sorted,
    roles: Sorted,
    users: Sorted,
    users_by_email: Sorted,
    invitations: Sorted,
    keys: Sorted,
    keys_by_name: Sorted,
    unreadable: Sorted,
    unreadable_by_id: Sorted,
}

impl Live {
    pub fn team(&self, name: &TeamName) -> Option<&LiveTeam> {
        self.orders.teams.all(self.teams(), name, |team| &team.name).next()
    }

    /// Returns the team with this id.
    pub fn team_with(&self, id: &RemoteId) -> Option<&LiveTeam> {
        self.orders.teams_by_id.all(self.teams(), id, |team| &team.id).next()
    }

    /// Returns the teams that the platform calls by this name.
    pub fn teams_called(&self, name: &TeamName) -> impl Iterator<Item = &LiveTeam> {
        self.orders.teams_by_raw_name.all(self.teams(), name, |team| &team.raw_name)
    }

    /// Returns the member with this id.
    pub fn user(&self, id: &RemoteId) -> Option<&LiveUser> {
        self.orders.users.all(&self.users.items, id, |user| &user.id).next()
    }

    /// Returns the members with this address.
    pub fn users_of(&self, email: &Email) -> impl Iterator<Item = &LiveUser> {
        self.orders.users_by_email.all(&self.users.items, email, |user| &user.email)
    }

    /// Returns the invitations of this address, expired ones included.
    pub fn invitations_of(&self, email: &Email) -> impl Iterator<Item = &LiveInvitation> {
        self.orders.invitations.all(self.invitations(), email, |invitation| &invitation.email)
    }

    /// Returns the key with this id.
    pub fn key(&self, id: &RemoteId) -> Option<&LiveKey> {
        self.orders.keys.all(self.keys(), id, |key| &key.id).next()
    }

    /// Returns the keys with this name.
    pub fn keys_named(&self, name: &KeyName) -> impl Iterator<Item = &LiveKey> {
        self.orders.keys_by_name.all(self.keys(), name, |key| &key.name)
    }

    /// Returns whether a row that can't be read is about this entity.
    pub fn is_unreadable(&self, address: &Address) -> bool {
        let mut rows = self.orders.unreadable.all(&self.unreadable, &*address.name, |row| &*row.address.name);
        !address.name.is_empty() && rows.any(|row| address.covers(&row.address))
    }

    /// Returns whether a row that can't be read has this id.
    pub fn is_unreadable_id(&self, kind: Kind, id: &RemoteId) -> bool {
        let id = Some(id.clone());
        let mut rows = self.orders.unreadable_by_id.all(&self.unreadable, &id, |row| &row.address.id);
        rows.any(|row| row.address.kind == kind)
    }

    pub fn role(&self, name: &RoleName) -> Option<&LiveRole> {
        self.roles_named(name).next()
    }

    /// Returns the roles with this name.
    pub fn roles_named(&self, name: &RoleName) -> impl Iterator<Item = &LiveRole> {
        self.orders.roles.all(self.roles(), name, |role| &role.name)
    }

    /// Returns the address that a role or a team has at the platform, if the file renames it.
    pub fn renamed_from(&self, address: &Address) -> Option<Address> {
        match address.kind {
            Kind::Role => {
                let role = self.role(&RoleName::seen(&*address.name)).filter(|_| address.id.is_none())?;
                role.renamed_from.as_ref().map(Address::role)
            }
            Kind::Team => {
                let team = self.team(&TeamName::seen(&*address.name)).filter(|_| address.id.is_none())?;
                team.renamed_from.as_ref().map(Address::team)
            }
            Kind::Organization | Kind::User | Kind::Invitation | Kind::Key => None,
        }
    }
}
