//! Finds those who have a role, and those who keep it after a plan.

use std::collections::{BTreeMap, BTreeSet};

use super::PlanInput;
use super::gate::Gate;
use rolecall_model::{
    AccountStatus, Action, Address, Change, DesiredUser, Entity, Kind, LiveUser, RemoteId, RoleName, Scope,
    UnreadableRow, User,
};

/// Returns the members with each of these roles.
pub(super) fn members<'a>(
    input: &PlanInput<'a>,
    roles: &BTreeSet<&RoleName>,
) -> BTreeMap<RoleName, Vec<&'a LiveUser>> {
    let mut members: BTreeMap<RoleName, Vec<&LiveUser>> = BTreeMap::new();
    for user in input.live.users.items.iter().filter(|_| !roles.is_empty()) {
        for role in user.roles.iter().filter(|role| roles.contains(role)) {
            members.entry(role.clone()).or_default().push(user);
        }
    }
    members
}

/// Updates of roles that would give permissions to holders who can't leave, with these holders.
pub(super) type StayingHolders = BTreeMap<Address, Vec<Address>>;

/// Finds the planned updates that would give permissions to holders whom the file doesn't keep in the role.
///
/// For example, role B gains `billing`, and the file moves Jane from B to A. The platform shows a value in Jane's row that
/// rolecall doesn't know, so nothing moves her. If B were updated, she would have `billing`. A row that shows no role may be
/// one of B. It is known only after users are planned who stays, so the plan is made again without these updates.
pub(super) fn staying_holders(input: &PlanInput<'_>, gate: &Gate<'_>) -> StayingHolders {
    let gains = |change: &Change| {
        let (before, after) = (change.before.as_ref()?.role()?, change.after.as_ref()?.role()?);
        let gains = change.action == Action::Update && !after.permissions.is_subset(&before.permissions);
        gains
            .then(|| (change.address.clone(), after.name.clone()))
            .filter(|(_, name)| input.live.role(name).is_some())
    };
    let gaining: Vec<(Address, RoleName)> = gate.changes.iter().filter_map(gains).collect();
    let mut found = StayingHolders::new();
    if gaining.is_empty() {
        return found;
    }
    let mut holders = holders(input, &gaining.iter().map(|(_, name)| name).collect(), &gate.changes);
    let meant = Meant::by(input);
    for (address, name) in gaining {
        let is_person = |row: &&UnreadableRow| matches!(row.address.kind, Kind::User | Kind::Invitation);
        let rows = input.live.unreadable.iter().filter(is_person);
        let rows = rows.filter(|row| row.roles.is_empty() || row.roles.contains(&name));
        let holders = holders.remove(&name).unwrap_or_default();
        let holders = holders.into_iter().chain(rows.map(|row| row.address.clone()));
        let staying = holders.filter(|it| !meant.is_kept(it, &name) && !gate.is_acknowledged(it));
        let staying: BTreeSet<Address> = staying.collect();
        if !staying.is_empty() {
            found.insert(address, staying.into_iter().collect());
        }
    }
    found
}

/// The people whom the file means, and the owners.
struct Meant<'a> {
    owners: BTreeSet<Address>,
    by_name: BTreeMap<&'a str, Vec<&'a DesiredUser>>,
    by_id: BTreeMap<Option<&'a RemoteId>, Vec<&'a DesiredUser>>,
    /// True if nobody else may be there.
    everybody: bool,
}

impl<'a> Meant<'a> {
    fn by(input: &PlanInput<'a>) -> Self {
        let owners = input.live.users.items.iter().filter(|user| user.account_status == AccountStatus::Owner);
        let owners = owners.map(|user| Address::user(&user.email)).collect();
        let everybody = input.desired.manage.users == Scope::All;
        let mut meant = Self { owners, by_name: BTreeMap::new(), by_id: BTreeMap::new(), everybody };
        for entry in &input.desired.users {
            meant.by_name.entry(entry.email.key()).or_default().push(entry);
            meant.by_id.entry(entry.id.as_ref()).or_default().push(entry);
        }
        meant
    }

    /// Returns whether the file lets somebody have a role. It says nothing of those whom it doesn't list and doesn't manage.
    /// The owner can do everything, whatever their role.
    fn is_kept(&self, holder: &Address, role: &RoleName) -> bool {
        if self.owners.contains(holder) {
            return true;
        }
        let entries = match &*holder.name {
            "" => self.by_id.get(&holder.id.as_ref()),
            name => self.by_name.get(name),
        };
        let Some(entries) = entries else { return !holder.name.is_empty() && !self.everybody };
        let may_have = |entry: &DesiredUser| entry.roles.as_ref().is_none_or(|roles| roles.value.contains(role));
        entries.iter().all(|entry| !entry.absent && may_have(entry))
    }
}

/// Returns the users who still have each of these roles after these changes. Open invitations count: if the role were
/// deleted, the platform would silently put another role into them.
pub(super) fn holders(
    input: &PlanInput<'_>,
    roles: &BTreeSet<&RoleName>,
    changes: &[Change],
) -> BTreeMap<RoleName, Vec<Address>> {
    // The roles of those who are changed, after each change.
    let mut members_after: BTreeMap<&RemoteId, Vec<Option<&User>>> = BTreeMap::new();
    let mut invited_after: BTreeMap<&str, Vec<Option<&User>>> = BTreeMap::new();
    for change in changes.iter().filter(|_| !roles.is_empty()) {
        let after = change.after.as_ref().and_then(Entity::user);
        match change.before.as_ref().and_then(Entity::user) {
            Some(User { id: Some(id), .. }) => members_after.entry(id).or_default().push(after),
            Some(User { email, invited: true, .. }) => {
                invited_after.entry(email.as_str()).or_default().push(after);
            }
            _ => {}
        }
    }
    let keeps = |after: Option<&Vec<Option<&User>>>, role: &RoleName| {
        after.into_iter().flatten().all(|after| after.is_some_and(|user| user.roles.contains(role)))
    };
    let mut holders: BTreeMap<RoleName, BTreeSet<Address>> = BTreeMap::new();
    for (role, members) in members(input, roles) {
        let stay = members.into_iter().filter(|user| keeps(members_after.get(&user.id), &role));
        let stay: BTreeSet<Address> = stay.map(|user| Address::user(&user.email)).collect();
        if !stay.is_empty() {
            holders.insert(role, stay);
        }
    }
    for open in input.live.invitations().iter().filter(|open| roles.contains(&open.role)) {
        if keeps(invited_after.get(open.email.as_str()), &open.role) {
            holders.entry(open.role.clone()).or_default().insert(Address::user(&open.email));
        }
    }
    holders.into_iter().map(|(role, holders)| (role, holders.into_iter().collect())).collect()
}
