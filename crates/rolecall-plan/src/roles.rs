//! Plans the creation, update and deletion of roles, and says which roles can be given to users.

use std::collections::{BTreeMap, BTreeSet};

use super::PlanInput;
use super::collection::{self, EntryDecision};
use super::decision::{Decision, Lookup};
use super::gate::{Gate, hold_reason, protected_among};
use super::renames;
use super::resolve::{self, Holder};
use super::role_holders::{StayingHolders, holders, members};
use rolecall_model::{
    Action, Address, Cause, Change, Code, DesiredRole, Effect, Entity, Finding, HoldReason, Kind, LiveRole,
    Permission, Role, RoleName, User, list_of,
};

/// The roles before and after the plan, by name. Empty if the platform's roles are fixed.
#[derive(Default)]
pub(super) struct PlannedRoles {
    roles: BTreeMap<RoleName, RoleState>,
    /// True if the platform doesn't list all roles.
    truncated: bool,
    /// True if organisations have roles of their own, so that names can be looked up here.
    has_role_list: bool,
    /// The role for users whose access is removed, if it can be given. It may still have to be created.
    containment: Option<RoleName>,
    /// The reason why the containment role can't be used, if that is an error of the file.
    containment_error: Option<(Address, Finding)>,
}

/// A role before the plan and after it.
#[derive(Clone, Debug)]
struct RoleState {
    before: Option<BTreeSet<Permission>>,
    planned: PlannedRole,
}

#[derive(Clone, Debug)]
enum PlannedRole {
    /// The role exists after the plan and allows these permissions.
    Kept(BTreeSet<Permission>),
    /// The plan deletes the role.
    Deleted,
    /// The role's own change is held, so it doesn't exist, or allows more than the file says.
    Held,
}

/// The answer to whether a role can be given to a user.
pub(super) enum Availability {
    Available,
    /// No role has this name.
    Unknown,
    /// The role exists, and this plan deletes it.
    Deleted,
    /// The role's own change is held, so the role isn't what the file asks for.
    Held,
    /// The role isn't listed, and the list is incomplete.
    Unlisted,
}

impl PlannedRoles {
    /// Returns whether a role can be given to a user.
    pub fn availability(&self, name: &RoleName) -> Availability {
        match self.roles.get(name).map(|state| &state.planned) {
            _ if !self.has_role_list => Availability::Available,
            Some(PlannedRole::Kept(_)) => Availability::Available,
            Some(PlannedRole::Deleted) => Availability::Deleted,
            Some(PlannedRole::Held) => Availability::Held,
            None if self.truncated => Availability::Unlisted,
            None => Availability::Unknown,
        }
    }

    /// Returns the permissions of these roles before the plan, or `None` if they aren't known.
    pub fn allowed_before(&self, names: &BTreeSet<RoleName>) -> Option<BTreeSet<Permission>> {
        self.allowed(names, |state| state.before.as_ref())
    }

    /// Returns the permissions of these roles after the plan, or `None` if they aren't known.
    pub fn allowed_after(&self, names: &BTreeSet<RoleName>) -> Option<BTreeSet<Permission>> {
        self.allowed(names, |state| match &state.planned {
            PlannedRole::Kept(permissions) => Some(permissions),
            PlannedRole::Held => state.before.as_ref(),
            PlannedRole::Deleted => None,
        })
    }

    fn allowed(
        &self,
        names: &BTreeSet<RoleName>,
        when: impl Fn(&RoleState) -> Option<&BTreeSet<Permission>>,
    ) -> Option<BTreeSet<Permission>> {
        let mut allowed = BTreeSet::new();
        for name in names {
            allowed.extend(when(self.roles.get(name)?)?.iter().cloned());
        }
        self.has_role_list.then_some(allowed)
    }

    /// Returns whether a user with these roles can give access to themselves or to others, before or after the
    /// plan.
    pub fn is_privileged(&self, input: &PlanInput<'_>, names: &BTreeSet<RoleName>) -> bool {
        self.is_privileged_before(input, names) || self.is_privileged_after(input, names)
    }

    /// Returns whether these roles give privileged access before the plan.
    pub fn is_privileged_before(&self, input: &PlanInput<'_>, names: &BTreeSet<RoleName>) -> bool {
        self.gives_privilege(input, names, self.allowed_before(names).as_ref())
    }

    /// Returns whether these roles give privileged access after the plan.
    pub fn is_privileged_after(&self, input: &PlanInput<'_>, names: &BTreeSet<RoleName>) -> bool {
        self.gives_privilege(input, names, self.allowed_after(names).as_ref())
    }

    fn gives_privilege(
        &self,
        input: &PlanInput<'_>,
        names: &BTreeSet<RoleName>,
        allowed: Option<&BTreeSet<Permission>>,
    ) -> bool {
        gives_privilege(input, names, allowed, self.has_role_list)
    }

    /// Returns the names of the roles that can be given.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let is_kept = |state: &RoleState| matches!(state.planned, PlannedRole::Kept(_));
        self.roles.iter().filter(move |(_, state)| is_kept(state)).map(|(name, _)| name.as_str())
    }

    fn set(&mut self, name: &RoleName, planned: PlannedRole) {
        let before = self.roles.get(name).and_then(|state| state.before.clone());
        self.roles.insert(name.clone(), RoleState { before, planned });
    }

    fn is_deleted(&self, name: &RoleName) -> bool {
        matches!(self.roles.get(name), Some(RoleState { planned: PlannedRole::Deleted, .. }))
    }
}

/// Returns whether roles that allow this give privileged access. What they allow is `None` if it isn't known.
pub(super) fn gives_privilege(
    input: &PlanInput<'_>,
    names: &BTreeSet<RoleName>,
    allowed: Option<&BTreeSet<Permission>>,
    has_role_list: bool,
) -> bool {
    // Where roles are listed and this one isn't, the worst is assumed.
    allowed.map_or(has_role_list, |allowed| input.rules.is_privileged(allowed))
        || input.is_admin(names)
        || input.rules.gives_access(input.live, names)
}

/// Plans the creation and update of roles. Deletions are planned later, once it is known which users leave a role.
/// `staying`: see [`staying_holders`].
pub(super) fn plan_roles(input: &PlanInput<'_>, staying: &StayingHolders, gate: &mut Gate<'_>) -> PlannedRoles {
    let Some(list) = &input.live.roles else { return PlannedRoles::default() };
    let mut planned_roles = PlannedRoles {
        truncated: list.completeness.is_incomplete(),
        has_role_list: true,
        ..PlannedRoles::default()
    };
    for role in &list.items {
        let allows = role.permissions.clone();
        let state = RoleState { before: Some(allows.clone()), planned: PlannedRole::Kept(allows) };
        planned_roles.roles.insert(role.name.clone(), state);
    }
    for row in input.live.unreadable.iter().filter(|row| row.address.kind == Kind::Role) {
        // Nobody knows what the role allows.
        planned_roles.set(&RoleName::seen(&*row.address.name), PlannedRole::Held);
    }
    for desired in &input.desired.roles {
        let address = Address::role(&desired.name);
        if let Some(unreadable) = renames::unreadable_role(desired, input.live) {
            if unreadable != address {
                planned_roles.set(&desired.name, PlannedRole::Held);
            }
            continue;
        }
        let decision = decide(input, desired, planned_roles.truncated);
        if let Some(state) = gate.settle(&address, decision) {
            planned_roles.set(&desired.name, state);
        }
    }
    let scope = input.desired.manage.roles;
    gate.accept(collection::unseen(scope, Kind::Role, list.completeness.hold_if_incomplete("roles")));
    let listed: BTreeSet<&RoleName> = input.desired.roles.iter().map(|desired| &desired.name).collect();
    for role in list.items.iter().filter(|role| !listed.contains(&role.name)) {
        let address = Address::role(&role.name);
        // The file names the containment role elsewhere, so it counts as listed.
        let is_containment = input.desired.containment_role.as_deref() == Some(&role.name);
        let decision = if role.locked {
            Some(Decision::Hold(address, HoldReason::Locked))
        } else if is_containment {
            continue;
        } else if let Some(of) = renames::renamed_role(&role.name, input.desired) {
            Some(Decision::Hold(address, HoldReason::PreviousName { of }))
        } else {
            // Whether it can be deleted depends on who has it.
            collection::unlisted(scope, &address, input.rules.is_privileged(&role.permissions), None)
        };
        if decision.is_none() {
            planned_roles.set(&role.name, PlannedRole::Deleted);
        }
        gate.accept(decision);
    }
    check_holders(input, staying, &mut planned_roles, gate);
    find_containment_role(input, &mut planned_roles);
    planned_roles
}

/// Decides about one role of the file. `truncated`: the platform doesn't list all roles.
fn decide(input: &PlanInput<'_>, desired: &DesiredRole, truncated: bool) -> EntryDecision<PlannedRole> {
    let address = Address::role(&desired.name);
    match (input.live.role(&desired.name), desired.absent) {
        (Some(role), _) if role.locked => {
            EntryDecision::without_change(vec![Decision::Finding(locked(desired))], None)
        }
        (None, true) => {
            let hold = truncated.then(|| Decision::Hold(address, not_listed(desired)));
            EntryDecision::without_change(hold.into_iter().collect(), None)
        }
        (Some(_), true) => EntryDecision::without_change(Vec::new(), Some(PlannedRole::Deleted)),
        // The role that is to be renamed may be among those that aren't listed.
        (None, false) if truncated && !desired.previously.is_empty() => {
            let hold = Decision::Hold(address, not_listed(desired));
            EntryDecision::without_change(vec![hold], Some(PlannedRole::Held))
        }
        (None, false) => match &renames::roles_to_rename(desired, input.live)[..] {
            [] => create(input, desired, truncated),
            several => {
                let finding = Decision::Finding(cannot_rename(desired, several));
                EntryDecision::without_change(vec![finding], Some(PlannedRole::Held))
            }
        },
        (Some(role), false) => update(input, desired, role),
    }
}

fn not_listed(desired: &DesiredRole) -> HoldReason {
    HoldReason::RoleNotListed { role: desired.name.clone(), must_be_removed: desired.absent }
}

fn locked(desired: &DesiredRole) -> Finding {
    Finding::error(
        Code::ReservedRole,
        desired.place.clone(),
        format!("The role `{}` is built in and can't be changed.", desired.name),
    )
    .hint("Remove it from `roles`. Users can have it without that.")
}

/// Reports an entry of which several previous names are live, or the name of a role that is built in.
fn cannot_rename(desired: &DesiredRole, live: &[&LiveRole]) -> Finding {
    let names: Vec<&str> = live.iter().map(|role| role.name.as_str()).collect();
    let locked = live.iter().find(|role| role.locked).map(|role| &role.name);
    let places = locked.or(live.last().map(|role| &role.name)).and_then(|name| desired.previously.get(name));
    let place = places.unwrap_or(&desired.place).clone();
    if let Some(locked) = locked {
        let message = format!("The role `{locked}` is built in and can't be renamed.");
        return Finding::error(Code::ReservedRole, place, message).hint("Remove it from `previously`.");
    }
    let message =
        format!("Several previous names of the role `{}` are live: {}.", desired.name, list_of(&names, "and"));
    Finding::error(Code::AmbiguousRole, place, message)
        .hint("Under `previously`, keep the name of the role that gets the new name.")
}

fn create(input: &PlanInput<'_>, desired: &DesiredRole, truncated: bool) -> EntryDecision<PlannedRole> {
    let missing = [
        desired.description.is_none().then_some("`description`"),
        desired.permissions.is_none().then_some("`permissions`"),
    ];
    let missing: Vec<&str> = missing.into_iter().flatten().collect();
    let mut decisions = Vec::new();
    if !missing.is_empty() && truncated {
        // The role may exist, and then the entry needs no more than it has.
        decisions.push(Decision::Hold(Address::role(&desired.name), not_listed(desired)));
        return EntryDecision::without_change(decisions, Some(PlannedRole::Held));
    }
    if !missing.is_empty() {
        let message = format!(
            "The role `{}` doesn't exist yet, and creating it requires {}.",
            desired.name,
            missing.join(" and ")
        );
        decisions.push(Decision::Finding(
            Finding::error(Code::IncompleteRole, desired.place.clone(), message)
                .hint(format!("Add {}.", missing.join(" and "))),
        ));
    }
    let permissions = desired
        .permissions
        .as_ref()
        .and_then(|permissions| resolve::permissions(input, Holder::Role, permissions).note(&mut decisions));
    let (Some(description), Some(permissions)) = (desired.description.clone(), permissions) else {
        return EntryDecision::without_change(decisions, Some(PlannedRole::Held));
    };
    let change = creation(&desired.name, description, permissions.clone(), Cause::Declared);
    decisions.push(Decision::change(change, Some(&desired.place)));
    EntryDecision { decisions, made: Some(PlannedRole::Kept(permissions)), otherwise: Some(PlannedRole::Held) }
}

fn creation(name: &RoleName, description: String, permissions: BTreeSet<Permission>, cause: Cause) -> Change {
    let role = Role { id: None, name: name.clone(), description, permissions };
    collection::creation(Address::role(name), Entity::Role(role), cause)
}

fn update(input: &PlanInput<'_>, desired: &DesiredRole, role: &LiveRole) -> EntryDecision<PlannedRole> {
    let address = Address::role(&desired.name);
    let mut decisions = Vec::new();
    let permissions = if let Some(permissions) = &desired.permissions {
        let found = resolve::permissions(input, Holder::Role, permissions).note(&mut decisions);
        let Some(permissions) = found else {
            return EntryDecision::without_change(decisions, Some(PlannedRole::Held));
        };
        permissions
    } else {
        let privileged = input.privileged_among(role.permissions.clone());
        if !privileged.is_empty() {
            decisions.push(Decision::unwritten(&address, &desired.place, "permissions", &privileged));
        }
        role.permissions.clone()
    };
    let description = desired.description.clone().unwrap_or_else(|| role.description.clone());
    if permissions == role.permissions && description == role.description && role.renamed_from.is_none() {
        return EntryDecision::without_change(decisions, None);
    }
    let narrower = role.permissions.is_subset(&permissions);
    let after = Role { id: Some(role.id.clone()), name: role.name.clone(), description, permissions };
    let made = Some(PlannedRole::Kept(after.permissions.clone()));
    let change = collection::update(address, role.entity(), Entity::Role(after), Cause::Declared);
    decisions.push(Decision::change(change, Some(&desired.place)));
    // While the update is held, the role must not be given if it allows more than the file says.
    EntryDecision { decisions, made, otherwise: (!narrower).then_some(PlannedRole::Held) }
}

/// The description of the containment role, as the platform shows it.
const CONTAINMENT_DESCRIPTION: &str =
    "Holds people who must have no access and can't be removed. Kept by rolecall.";

/// Finds the role that allows nothing and is given to users whose access is removed. It may still have to be created.
/// There is none if it isn't configured, is held, allows something, or can't be created for sure because the list of
/// roles is incomplete.
fn find_containment_role(input: &PlanInput<'_>, planned_roles: &mut PlannedRoles) {
    let Some(named) = &input.desired.containment_role else { return };
    let name = &named.value;
    let usable = match planned_roles.roles.get(name).map(|state| &state.planned) {
        Some(PlannedRole::Kept(permissions)) => {
            let allowed: Vec<&str> = permissions.iter().map(Permission::as_str).collect();
            planned_roles.containment_error = (!allowed.is_empty()).then(|| {
                let message = format!(
                    "The role `{name}` is for users who must have no access, but it allows {}.",
                    allowed.join(", ")
                );
                let finding = Finding::error(Code::ContainmentRoleHolds, named.place.clone(), message)
                    .hint("Remove its permissions, or name another role with `containment_role`.");
                (Address::role(name), finding)
            });
            planned_roles.containment_error.is_none()
        }
        Some(PlannedRole::Deleted | PlannedRole::Held) => false,
        // The platform would refuse to create the role if it exists, and the user would keep all access meanwhile.
        None if planned_roles.truncated => false,
        None => hold_reason(input, &empty_role(name)).is_none(),
    };
    planned_roles.containment = usable.then(|| name.clone());
}

impl PlannedRoles {
    /// Returns the name of the containment role, or the error that keeps it from being used.
    pub fn containment_role(&self) -> Lookup<RoleName> {
        let error = self.containment_error.clone().map(|(role, finding)| Decision::Error(role, finding));
        Lookup { value: self.containment.clone(), decisions: error.into_iter().collect() }
    }

    /// Returns the name of a role that allows nothing, for users whose access is removed: the containment role, or
    /// else any other.
    pub fn role_without_permissions(&self) -> Lookup<RoleName> {
        let is_empty = |state: &RoleState| {
            let before = state.before.as_ref().is_some_and(BTreeSet::is_empty);
            before && matches!(&state.planned, PlannedRole::Kept(after) if after.is_empty())
        };
        let containment = self.containment_role();
        let mut empty = self.roles.iter().filter(|(_, state)| is_empty(state)).map(|(name, _)| name.clone());
        Lookup { value: containment.value.or_else(|| empty.next()), decisions: containment.decisions }
    }
}

fn empty_role(name: &RoleName) -> Change {
    creation(name, CONTAINMENT_DESCRIPTION.to_owned(), BTreeSet::new(), Cause::NeededByAnother)
}

/// Plans the creation of the containment role, if a user gets it and it doesn't exist.
pub(super) fn create_containment_role(planned_roles: &mut PlannedRoles, gate: &mut Gate<'_>) {
    let Some(name) = planned_roles.containment.clone() else { return };
    let given = |change: &Change| {
        change.after.as_ref().and_then(Entity::user).is_some_and(|user| user.roles.contains(&name))
    };
    if !planned_roles.roles.contains_key(&name) && gate.changes.iter().any(given) {
        gate.accept([Decision::change(empty_role(&name), None)]);
        planned_roles.set(&name, PlannedRole::Kept(BTreeSet::new()));
    }
}

/// Adds the holders of a role to its update, because the update changes what they can do. If one of them is
/// protected, or gets what the file doesn't grant, the update is held. Another name or description changes nobody's access.
fn check_holders(
    input: &PlanInput<'_>,
    staying: &StayingHolders,
    planned_roles: &mut PlannedRoles,
    gate: &mut Gate<'_>,
) {
    let updates = gate.changes.iter().enumerate().filter(|(_, change)| change.action == Action::Update);
    let updates: Vec<(usize, Address, RoleName)> = updates
        .filter_map(|(index, change)| {
            Some((index, change.address.clone(), change.after.as_ref()?.role()?.name.clone()))
        })
        .collect();
    let members = members(input, &updates.iter().map(|(_, _, name)| name).collect());
    let mut held = BTreeSet::new();
    for (index, address, name) in &updates {
        let (index, of_role) = (*index, members.get(name).into_iter().flatten());
        let holders: BTreeSet<Address> = of_role.map(|user| Address::user(&user.email)).collect();
        let protected = protected_among(input, holders.iter().cloned());
        let permissions =
            |entity: &Option<Entity>| entity.as_ref().and_then(Entity::role).map(|role| role.permissions.clone());
        let change = &gate.changes[index];
        let staying = staying.get(address).filter(|_| protected.is_empty());
        let is_held = !protected.is_empty() || staying.is_some();
        if !is_held || permissions(&change.before) == permissions(&change.after) {
            let holders = holders.into_iter().collect();
            gate.changes[index].effects.push(Effect::Affects { holders });
        } else {
            let live = input.live.role(name).map(|role| role.permissions.clone()).unwrap_or_default();
            let narrower = planned_roles
                .allowed_after(&BTreeSet::from([name.clone()]))
                .is_some_and(|after| live.is_subset(&after));
            held.insert(index);
            let change = Some(Box::new(change.clone()));
            let reason = match staying {
                Some(holders) => HoldReason::HoldersStay { holders: holders.clone(), change },
                None => HoldReason::ProtectsHolders { holders: protected, change },
            };
            gate.hold(address.clone(), reason);
            planned_roles.set(name, if narrower { PlannedRole::Kept(live) } else { PlannedRole::Held });
        }
    }
    let mut index = 0..;
    gate.changes.retain(|_| index.next().is_none_or(|index| !held.contains(&index)));
}

/// Adds to the change of each user who gets new roles or resources what they can do after it, so that it can be
/// reviewed.
pub(super) fn add_allowed_effects(planned_roles: &PlannedRoles, gate: &mut Gate<'_>) {
    for change in &mut gate.changes {
        let Some(after) = change.after.as_ref().and_then(Entity::user) else { continue };
        let before = change.before.as_ref().and_then(Entity::user);
        let unchanged =
            |before: &User| before.roles == after.roles && before.resources == after.resources && !before.invited;
        let moves = !before.is_some_and(unchanged);
        if let Some(permissions) = planned_roles.allowed_after(&after.roles).filter(|_| moves) {
            change.effects.push(Effect::Allows { permissions });
        }
    }
}

/// Plans the deletion of roles. A role that somebody still has after the plan is held.
pub(super) fn plan_removals(input: &PlanInput<'_>, planned_roles: &PlannedRoles, gate: &mut Gate<'_>) {
    let is_deleted = |role: &&LiveRole| !role.locked && planned_roles.is_deleted(&role.name);
    let deleted: Vec<&LiveRole> = input.live.roles().iter().filter(is_deleted).collect();
    let mut holders = holders(input, &deleted.iter().map(|role| &role.name).collect(), &gate.changes);
    let entries: BTreeMap<&RoleName, &DesiredRole> =
        input.desired.roles.iter().map(|desired| (&desired.name, desired)).collect();
    for role in deleted {
        let desired = entries.get(&role.name);
        let address = Address::role(&role.name);
        if let Some(reason) = input.live.hold_if_people_incomplete() {
            gate.hold(address, reason);
            continue;
        }
        if let Some(by) = holders.remove(&role.name) {
            gate.hold(address, HoldReason::RoleInUse { by });
            continue;
        }
        let change = Change {
            address,
            action: Action::Delete,
            before: Some(role.entity()),
            after: None,
            cause: collection::removal_cause(desired.is_some()),
            effects: Vec::new(),
        };
        gate.accept([Decision::change(change, desired.map(|desired| &desired.place))]);
    }
}
