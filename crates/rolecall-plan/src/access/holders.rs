//! Lists the holders of access in live, with their grants.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use super::delta::live_key;
use super::stated::{self, Entries};
use super::{Entry, Extent, Grant, Holder, Since, Status, Through, Unreadable};
use crate::PlanInput;
use crate::keys;
use crate::roles::gives_privilege;
use rolecall_model::{
    AccountStatus, Address, AppliedChange, DesiredKey, DesiredTeam, DesiredUser, Entity, Key, LiveInvitation,
    LiveKey, LiveTeam, LiveUser, Permission, Place, RoleName, Seen, TeamName, UnreadableRow, User,
};

/// Returns all holders, in no particular order.
pub(super) fn holders(input: &PlanInput<'_>) -> Vec<Holder> {
    let live = input.live;
    let listing = Lister::new(input);
    let users = live.users.items.iter().map(|user| listing.user(user));
    let invitations = live.invitations().iter().map(|invitation| listing.invitation(invitation));
    let keys = live.keys().iter().map(|key| listing.key(key));
    let mut holders: Vec<Holder> = users.chain(invitations).chain(keys).collect();
    let mut members: BTreeMap<&TeamName, BTreeSet<Address>> = BTreeMap::new();
    for person in holders.iter().filter(|_| !live.teams().is_empty()) {
        for team in person.grants.iter().filter_map(|grant| grant.team.as_ref()) {
            members.entry(team).or_default().insert(person.address.clone());
        }
    }
    let entries = input.desired.teams.iter().map(|entry| (&entry.name, entry)).collect();
    let team = |team: &LiveTeam| listing.team(team, members.get(&team.name), &entries);
    let teams: Vec<Holder> = live.teams().iter().map(team).collect();
    holders.extend(teams);
    holders
}

/// Returns a key that doesn't exist. Without the `key` that an apply creates, nothing tells what it may do.
pub(crate) fn new_key(input: &PlanInput<'_>, address: Address, entry: &DesiredKey, key: Option<&Key>) -> Holder {
    let listing = Lister::new(input);
    let made = key.map(|key| listing.key(&live_key(key)));
    let holder = made.unwrap_or_else(|| holder(address.clone(), Vec::new()));
    Holder {
        entry: Some(Entry { place: entry.place.clone(), absent: entry.absent }),
        note: input.desired.note_of(&address).map(ToOwned::to_owned),
        address,
        id: None,
        ..holder
    }
}

/// Returns the rows that can't be read, in order.
pub(super) fn unreadable(input: &PlanInput<'_>) -> Vec<Unreadable> {
    let live = input.live;
    let listing = Lister::new(input);
    let row = |UnreadableRow { address, why, roles }: &UnreadableRow| Unreadable {
        address: address.clone(),
        why: why.clone(),
        roles: roles.clone(),
        privileged: !roles.is_empty() && listing.is_privileged(roles),
    };
    let mut rows: Vec<Unreadable> = live.unreadable.iter().map(row).collect();
    rows.sort_by(|a, b| (&a.address, &a.why).cmp(&(&b.address, &b.why)));
    rows
}

/// The place that states a grant, of one with this role.
type StatedBy<'a> = &'a dyn Fn(&RoleName) -> Option<Place>;

struct Lister<'a> {
    input: &'a PlanInput<'a>,
    entries: Entries<'a>,
    /// The answers to the question whether roles are privileged. Most users have the same few.
    privileged: RefCell<BTreeMap<BTreeSet<RoleName>, bool>>,
}

impl<'a> Lister<'a> {
    fn new(input: &'a PlanInput<'a>) -> Self {
        Self { input, entries: Entries::of(input.desired), privileged: RefCell::default() }
    }

    fn user(&self, user: &LiveUser) -> Holder {
        let LiveUser { id, email, first_name, last_name, roles, enabled, account_status, .. } = user;
        // Several members with one address are told apart by ids, and so are keys with one name.
        let has_twin = self.input.live.users_of(email).nth(1).is_some();
        let address = Address::user(email).with_id(has_twin.then_some(id));
        let entry = self.entries.user(email, Some(id));
        let status = match (account_status, enabled) {
            (AccountStatus::Suspended, _) => Status::Suspended,
            (AccountStatus::Unapproved, _) => Status::Unapproved,
            (_, Seen::Known(false)) => Status::Disabled,
            (AccountStatus::Owner, _) => Status::Owner,
            (AccountStatus::Unclear, _) | (_, Seen::Unreadable) => Status::Unknown,
            (AccountStatus::Ordinary | AccountStatus::Shielded, Seen::Known(true)) => Status::Active,
        };
        let mut grants = self.grants_of(user, entry);
        if *account_status == AccountStatus::Owner {
            grants = vec![self.ownership(user, entry)];
        }
        let names: Vec<&str> = [first_name, last_name].into_iter().filter_map(|name| name.as_deref()).collect();
        let since = self.since(
            &Address::user(email),
            |applied| matches!(&applied.after, Some(Entity::User(after)) if has_what_was_given(user, after)),
        );
        let seen = || self.input.facts.members.get(id).map(|known| Since::Seen { at: known.since });
        Holder {
            email: Some(email.clone()),
            name: (!names.is_empty()).then(|| names.join(" ")),
            status,
            privileged: *account_status == AccountStatus::Owner || self.is_privileged(roles),
            own: self.input.is_own_user(email, id),
            entry: entry.map(entry_of_user),
            acknowledged: self.entries.acknowledged(&address).cloned(),
            since: since.or_else(seen),
            id: Some(id.clone()),
            ..holder(address, grants)
        }
    }

    fn grants_of(&self, user: &LiveUser, entry: Option<&DesiredUser>) -> Vec<Grant> {
        let LiveUser { roles, resources, teams, .. } = user;
        let on = resources.clone().map_or(Extent::Whole, Extent::Resources);
        let stated_by = |role: &RoleName| stated::of_role(entry?, role, resources.as_ref());
        let mut grants = self.by_roles(roles, &on, Through::Assigned, &stated_by);
        let administers = self.input.is_in_every_team(roles);
        if administers {
            let place = stated::admin_place(entry, user);
            grants.extend(self.input.live.teams().iter().map(|team| Grant {
                team: Some(team.name.clone()),
                through: Through::Administration,
                place: place.clone(),
                ..grant(Extent::Whole)
            }));
        }
        for (team, role) in teams.iter().flatten().filter(|_| !administers) {
            grants.push(Grant {
                role: role.clone(),
                team: Some(team.clone()),
                place: entry.and_then(|entry| stated::of_team(entry, team, role.as_ref())),
                ..grant(Extent::Whole)
            });
        }
        grants
    }

    /// Returns the grant of the owner, whose role has no effect.
    fn ownership(&self, user: &LiveUser, entry: Option<&DesiredUser>) -> Grant {
        let known = self.input.live.catalogue.as_ref();
        Grant {
            through: Through::Ownership,
            permissions: known.map(|known| known.roles.keys().cloned().collect()),
            privileged: true,
            place: entry.filter(|entry| !entry.absent).map(|entry| entry.place.clone()),
            ..grant(
                user.resources.as_ref().map_or(Extent::Whole, |_| Extent::Resources(rolecall_model::Reach::All)),
            )
        }
    }

    fn invitation(&self, invitation: &LiveInvitation) -> Holder {
        let LiveInvitation { email, role, created, teams, expired } = invitation;
        let live = self.input.live;
        let entry = self.entries.user(email, None);
        // If users have resources, the invitation has some too, and no list of invitations shows them.
        let has_resources = live.projects.is_some();
        let on = if has_resources { Extent::Unreadable } else { Extent::Whole };
        // An invitation may name a role by another name than the user will have.
        let stated_by = |role: &RoleName| {
            let stated = entry?.roles.as_ref().filter(|roles| {
                roles.value.contains(role) || self.input.rules.invitation_roles(live, &roles.value).contains(role)
            });
            stated.filter(|_| !entry.is_some_and(|entry| entry.absent)).map(|roles| roles.place.clone())
        };
        let roles = BTreeSet::from([role.clone()]);
        let mut grants = self.by_roles(&roles, &on, Through::Invitation, &stated_by);
        for team in teams.iter().flatten() {
            grants.push(Grant {
                team: Some(team.clone()),
                through: Through::Invitation,
                place: entry.and_then(|entry| stated::of_team(entry, team, None)),
                ..grant(Extent::Whole)
            });
        }
        let address = Address::invitation(email);
        let created = created.map(|at| Since::Invited { at });
        let invited = |applied: &AppliedChange| matches!(&applied.after, Some(Entity::User(after)) if after.invited && after.roles.contains(role));
        Holder {
            email: Some(email.clone()),
            status: if *expired { Status::Expired } else { Status::Invited },
            privileged: self.is_privileged(&roles),
            entry: entry.map(entry_of_user),
            acknowledged: self.entries.acknowledged(&address).cloned(),
            since: self.since(&Address::user(email), invited).or(created),
            ..holder(address, grants)
        }
    }

    fn key(&self, key: &LiveKey) -> Holder {
        let LiveKey { id, name, roles, permissions, resources, expires, enabled, description: _, created: _ } =
            key;
        // A key that doesn't exist yet has no id.
        let twin = self.input.live.keys_named(name).nth(1).is_some() && !id.as_str().is_empty();
        let address = Address::key(name).with_id(twin.then_some(id));
        let entry = self.entries.key(name, id);
        let on = resources.clone().map_or(Extent::Whole, Extent::Resources);
        let stated_by = |role: &RoleName| stated::of_key(entry?, Some(role), resources.as_ref());
        let mut grants =
            self.by_roles(roles.as_ref().unwrap_or(&BTreeSet::new()), &on, Through::Assigned, &stated_by);
        let entity = key.entity();
        if let Some(permissions) = permissions {
            grants.push(Grant {
                permissions: Some(permissions.clone()),
                privileged: self.input.rules.is_privileged(permissions),
                place: entry.and_then(|entry| stated::of_key(entry, None, resources.as_ref())),
                ..grant(on)
            });
        }
        let expired = expires.is_some_and(|expires| expires.is_past(self.input.now));
        let status = match (enabled, expired) {
            (false, _) => Status::Disabled,
            (true, true) => Status::Expired,
            (true, false) => Status::Active,
        };
        let made = |applied: &AppliedChange| match &applied.after {
            Some(Entity::Key(after)) => applied.id.as_ref() == Some(id) && has_same_access(&entity, after),
            _ => false,
        };
        Holder {
            status,
            privileged: keys::is_privileged(self.input, &entity),
            own: self.input.own_key() == Some(id),
            expires: *expires,
            entry: entry.map(|entry| Entry { place: entry.place.clone(), absent: entry.absent }),
            acknowledged: self.entries.acknowledged(&address).cloned(),
            since: self.since(&Address::key(name), made),
            id: Some(id.clone()),
            ..holder(address, grants)
        }
    }

    fn team(
        &self,
        team: &LiveTeam,
        members: Option<&BTreeSet<Address>>,
        entries: &BTreeMap<&TeamName, &DesiredTeam>,
    ) -> Holder {
        let entry = entries.get(&team.name);
        let address = Address::team(&team.name);
        Holder {
            members: members.into_iter().flatten().cloned().collect(),
            entry: entry.map(|entry| Entry { place: entry.place.clone(), absent: entry.absent }),
            since: self.since(&address, |applied| applied.after.is_some()),
            id: Some(team.id.clone()),
            ..holder(address, Vec::new())
        }
    }

    /// Returns a grant for each role. What the roles allow is known if the organisation's list has them.
    fn by_roles(
        &self,
        roles: &BTreeSet<RoleName>,
        on: &Extent,
        through: Through,
        stated_by: StatedBy<'_>,
    ) -> Vec<Grant> {
        let by_role = |role: &RoleName| Grant {
            role: Some(role.clone()),
            permissions: self.allowed(role),
            through,
            privileged: self.is_privileged(&BTreeSet::from([role.clone()])),
            place: stated_by(role),
            ..grant(on.clone())
        };
        roles.iter().map(by_role).collect()
    }

    /// Returns the permissions of a role, with those that the platform gives to every role. `None` if they aren't known.
    fn allowed(&self, role: &RoleName) -> Option<BTreeSet<Permission>> {
        let implied =
            self.input.rules.capabilities().implied_permissions.iter().map(|name| Permission::seen(*name));
        let role = self.input.live.role(role)?;
        Some(role.permissions.iter().cloned().chain(implied).collect())
    }

    fn is_privileged(&self, roles: &BTreeSet<RoleName>) -> bool {
        if let Some(known) = self.privileged.borrow().get(roles) {
            return *known;
        }
        let allowed: Option<Vec<BTreeSet<Permission>>> = roles.iter().map(|role| self.allowed(role)).collect();
        let allowed = allowed.map(|allowed| allowed.into_iter().flatten().collect());
        let has_role_list = self.input.live.roles.is_some();
        let privileged =
            gives_privilege(self.input, roles, allowed.as_ref().filter(|_| has_role_list), has_role_list);
        self.privileged.borrow_mut().insert(roles.clone(), privileged);
        privileged
    }

    /// Returns when we last changed an entity, if that change is in effect.
    fn since(&self, address: &Address, is_in_effect: impl Fn(&AppliedChange) -> bool) -> Option<Since> {
        let applied = self.input.facts.applied.get(address).filter(|applied| is_in_effect(applied))?;
        Some(Since::Changed { at: applied.at, run: applied.run.clone() })
    }
}

fn holder(address: Address, grants: Vec<Grant>) -> Holder {
    Holder {
        address,
        email: None,
        person: None,
        name: None,
        status: Status::Active,
        privileged: false,
        own: false,
        grants,
        members: Vec::new(),
        expires: None,
        entry: None,
        acknowledged: None,
        since: None,
        endings: Vec::new(),
        tolerated: None,
        note: None,
        id: None,
    }
}

fn grant(on: Extent) -> Grant {
    Grant {
        role: None,
        team: None,
        through: Through::Assigned,
        permissions: None,
        on,
        privileged: false,
        place: None,
    }
}

fn entry_of_user(entry: &DesiredUser) -> Entry {
    Entry { place: entry.place.clone(), absent: entry.absent }
}

/// Returns whether a user still has the roles, resources and teams that a change gave them. A value that the change
/// didn't have doesn't count.
fn has_what_was_given(user: &LiveUser, after: &User) -> bool {
    let teams = |teams: &BTreeMap<_, _>| teams.keys().cloned().collect::<BTreeSet<_>>();
    user.roles == after.roles
        && (after.resources.is_none() || user.resources == after.resources)
        && (after.teams.is_none() || user.teams.as_ref().map(teams) == after.teams.as_ref().map(teams))
}

fn has_same_access(key: &Key, after: &Key) -> bool {
    key.roles == after.roles && key.permissions == after.permissions && key.resources == after.resources
}
