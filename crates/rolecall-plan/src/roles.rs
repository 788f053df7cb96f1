//! Plans the creation, update and deletion of roles, and says which roles can be given to users.

use std::collections::{BTreeMap, BTreeSet};

use super::PlanInput;
use super::builder::PlanBuilder;
use super::resolve::{self, Holder};
use rolecall_model::{
    Action, Address, Cause, Change, Code, DesiredRole, Effect, Entity, Finding, HoldReason, Kind, LiveRole,
    Permission, Placed, RemoteId, Role, RoleName, Scope, User,
};

/// The roles before and after the plan, by name. Empty if the platform's roles are fixed.
#[derive(Default)]
pub(super) struct PlannedRoles {
    roles: BTreeMap<RoleName, RoleState>,
    /// True if the platform doesn't list all roles.
    truncated: bool,
    /// True if organisations have roles of their own, so that names can be looked up here.
    has_role_list: bool,
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
        self.gives_privilege(input, names, self.allowed_before(names))
    }

    /// Returns whether these roles give privileged access after the plan.
    pub fn is_privileged_after(&self, input: &PlanInput<'_>, names: &BTreeSet<RoleName>) -> bool {
        self.gives_privilege(input, names, self.allowed_after(names))
    }

    fn gives_privilege(
        &self,
        input: &PlanInput<'_>,
        names: &BTreeSet<RoleName>,
        allowed: Option<BTreeSet<Permission>>,
    ) -> bool {
        let allows = match allowed {
            Some(allowed) => input.rules.is_privileged(&allowed),
            // The role isn't listed. Where roles are listed, assume the worst.
            None => self.has_role_list,
        };
        allows || input.is_admin(names) || input.rules.gives_access(input.live, names)
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

/// Plans the creation and update of roles. Deletions are planned later, once it is known which users leave a role.
pub(super) fn plan_roles(input: &PlanInput<'_>, builder: &mut PlanBuilder<'_>) -> PlannedRoles {
    let Some(list) = &input.live.roles else { return PlannedRoles::default() };
    let mut planned_roles =
        PlannedRoles { roles: BTreeMap::new(), truncated: list.completeness.is_incomplete(), has_role_list: true };
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
        if input.live.is_unreadable(&address) {
            continue;
        }
        let planned_roles = &mut planned_roles;
        builder.entry(&address, |builder| match (input.live.role(&desired.name), desired.absent) {
            (Some(role), _) if role.locked => builder.findings.push(locked(desired)),
            (None, true) => {
                if planned_roles.truncated {
                    builder.hold(address.clone(), not_listed(desired));
                }
            }
            (Some(_), true) => planned_roles.set(&desired.name, PlannedRole::Deleted),
            (None, false) => create(input, desired, planned_roles, builder),
            (Some(role), false) => {
                let privileged = input.privileged_among(role.permissions.clone());
                if desired.permissions.is_none() && !privileged.is_empty() {
                    builder.hold_unwritten(address.clone(), &desired.place, "permissions", &privileged);
                }
                update(input, desired, role, planned_roles, builder);
            }
        });
    }
    if let Some(reason) = list.completeness.hold_if_incomplete("roles")
        && input.desired.manage.roles == Scope::All
    {
        builder.hold(Address::every(Kind::Role), reason);
    }
    let listed: BTreeSet<&RoleName> = input.desired.roles.iter().map(|desired| &desired.name).collect();
    for role in list.items.iter().filter(|role| !listed.contains(&role.name)) {
        let address = Address::role(&role.name);
        if role.locked {
            builder.hold(address, HoldReason::Locked);
        } else if input.desired.containment_role.as_deref() == Some(&role.name) {
            // The file names the containment role elsewhere, so it counts as listed.
        } else if input.desired.manage.roles == Scope::Listed {
            let privileged = input.rules.is_privileged(&role.permissions);
            builder.hold_unmanaged(address, privileged);
        } else {
            planned_roles.set(&role.name, PlannedRole::Deleted);
        }
    }
    planned_roles
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

fn create(
    input: &PlanInput<'_>,
    desired: &DesiredRole,
    planned_roles: &mut PlannedRoles,
    builder: &mut PlanBuilder<'_>,
) {
    let mut missing = Vec::new();
    if desired.description.is_none() {
        missing.push("`description`");
    }
    if desired.permissions.is_none() {
        missing.push("`permissions`");
    }
    if !missing.is_empty() && planned_roles.truncated {
        // The role may exist, and then the entry needs no more than it has.
        builder.hold(Address::role(&desired.name), not_listed(desired));
        planned_roles.set(&desired.name, PlannedRole::Held);
        return;
    }
    if !missing.is_empty() {
        let message = format!(
            "The role {} doesn't exist yet, and creating it requires {}.",
            desired.name,
            missing.join(" and ")
        );
        builder.findings.push(
            Finding::error(Code::IncompleteRole, desired.place.clone(), message)
                .hint(format!("Add {}.", missing.join(" and "))),
        );
    }
    let desired_permissions = desired.permissions.as_ref();
    let permissions = desired_permissions.and_then(|desired_permissions| {
        resolve::permissions(input, Holder::Role, desired_permissions, &mut builder.findings)
    });
    let (Some(description), Some(permissions)) = (desired.description.clone(), permissions) else {
        planned_roles.set(&desired.name, PlannedRole::Held);
        return;
    };
    let change = creation(&desired.name, description, permissions.clone(), Cause::Declared);
    let added = builder.change(change, Some(&desired.place));
    planned_roles.set(&desired.name, if added { PlannedRole::Kept(permissions) } else { PlannedRole::Held });
}

fn creation(name: &RoleName, description: String, permissions: BTreeSet<Permission>, cause: Cause) -> Change {
    Change {
        address: Address::role(name),
        action: Action::Create,
        before: None,
        after: Some(Entity::Role(Role { id: None, name: name.clone(), description, permissions })),
        cause,
        effects: Vec::new(),
    }
}

fn update(
    input: &PlanInput<'_>,
    desired: &DesiredRole,
    role: &LiveRole,
    planned_roles: &mut PlannedRoles,
    builder: &mut PlanBuilder<'_>,
) {
    let permissions = match &desired.permissions {
        Some(desired_permissions) => {
            let found = resolve::permissions(input, Holder::Role, desired_permissions, &mut builder.findings);
            let Some(permissions) = found else {
                planned_roles.set(&role.name, PlannedRole::Held);
                return;
            };
            permissions
        }
        None => role.permissions.clone(),
    };
    let description = desired.description.clone().unwrap_or_else(|| role.description.clone());
    if permissions == role.permissions && description == role.description {
        return;
    }
    let after = Role { id: Some(role.id.clone()), name: role.name.clone(), description, permissions };
    let granted = after.permissions.clone();
    let change = Change {
        address: Address::role(&role.name),
        action: Action::Update,
        before: Some(role.entity()),
        after: Some(Entity::Role(after)),
        cause: Cause::Declared,
        effects: Vec::new(),
    };
    if builder.change(change, Some(&desired.place)) {
        planned_roles.set(&role.name, PlannedRole::Kept(granted));
    } else if !role.permissions.is_subset(&granted) {
        planned_roles.set(&role.name, PlannedRole::Held);
    }
}

/// The description of the containment role, as the platform shows it.
const CONTAINMENT_DESCRIPTION: &str =
    "Holds people who must have no access and can't be removed. Kept by rolecall.";

/// Returns the name of a role that allows nothing, for users whose access is removed: the containment role, or
/// else any other. The containment role may still have to be created.
pub(super) fn role_without_permissions(
    input: &PlanInput<'_>,
    planned_roles: &mut PlannedRoles,
    builder: &mut PlanBuilder<'_>,
) -> Option<RoleName> {
    containment_role(input, planned_roles, builder).or_else(|| {
        let is_empty = |state: &RoleState| {
            let before = state.before.as_ref().is_some_and(BTreeSet::is_empty);
            before && matches!(&state.planned, PlannedRole::Kept(after) if after.is_empty())
        };
        let mut empty = planned_roles.roles.iter().filter(|(_, state)| is_empty(state));
        empty.next().map(|(name, _)| name.clone())
    })
}

/// Returns the name of the containment role, which allows nothing and is given to users whose access is removed.
/// It may still have to be created. Returns `None` if it isn't configured, is held, allows something, or can't be
/// created for sure because the list of roles is incomplete.
pub(super) fn containment_role(
    input: &PlanInput<'_>,
    planned_roles: &mut PlannedRoles,
    builder: &mut PlanBuilder<'_>,
) -> Option<RoleName> {
    let Placed { value: name, place } = input.desired.containment_role.clone()?;
    match planned_roles.roles.get(&name).map(|state| &state.planned) {
        Some(PlannedRole::Kept(permissions)) if permissions.is_empty() => Some(name),
        Some(PlannedRole::Kept(permissions)) => {
            let allowed: Vec<&str> = permissions.iter().map(Permission::as_str).collect();
            let message = format!(
                "The role `{name}` is for users who must have no access, but it allows {}.",
                allowed.join(", ")
            );
            let finding = Finding::error(Code::ContainmentRoleHolds, place, message)
                .hint("Remove its permissions, or name another role with `containment_role`.");
            builder.entry_error(&Address::role(&name), finding);
            None
        }
        Some(PlannedRole::Deleted | PlannedRole::Held) => None,
        // The platform would refuse to create the role if it exists, and the user would keep all access meanwhile.
        None if planned_roles.truncated => None,
        None => {
            let held = builder.hold_reason(&empty_role(&name)).is_some();
            planned_roles.set(&name, if held { PlannedRole::Held } else { PlannedRole::Kept(BTreeSet::new()) });
            (!held).then_some(name)
        }
    }
}

fn empty_role(name: &RoleName) -> Change {
    creation(name, CONTAINMENT_DESCRIPTION.to_owned(), BTreeSet::new(), Cause::NeededByAnother)
}

/// Plans the creation of the containment role, if a user gets it and it doesn't exist.
pub(super) fn create_containment_role(input: &PlanInput<'_>, builder: &mut PlanBuilder<'_>) {
    let Some(name) = input.desired.containment_role.as_deref() else { return };
    let address = Address::role(name);
    let exists = input.live.role(name).is_some() || builder.changes.iter().any(|change| change.address == address);
    let given = |change: &Change| {
        change.after.as_ref().and_then(Entity::user).is_some_and(|user| user.roles.contains(name))
    };
    if !exists && builder.changes.iter().any(given) {
        builder.change(empty_role(name), None);
    }
}

/// Adds the holders of a role to its update, because the update changes what they can do. If one of them is
/// protected, the update is held.
pub(super) fn check_holders(
    input: &PlanInput<'_>,
    planned_roles: &mut PlannedRoles,
    builder: &mut PlanBuilder<'_>,
) {
    let updates: Vec<(Address, RoleName)> = builder
        .changes
        .iter()
        .filter(|change| change.action == Action::Update)
        .filter_map(|change| Some((change.address.clone(), change.after.as_ref()?.role()?.name.clone())))
        .collect();
    for (address, name) in updates {
        let members = input.live.users.items.iter().filter(|user| user.roles.contains(&name));
        let holders: BTreeSet<Address> = members.map(|user| Address::user(&user.email)).collect();
        let protected = builder.protected_among(holders.iter().cloned());
        let Some(index) = builder.changes.iter().position(|change| change.address == address) else { continue };
        if protected.is_empty() {
            let holders = holders.into_iter().collect();
            builder.changes[index].effects.push(Effect::Affects { holders });
        } else {
            let live = input.live.role(&name).map(|role| role.permissions.clone()).unwrap_or_default();
            let narrower = planned_roles
                .allowed_after(&BTreeSet::from([name.clone()]))
                .is_some_and(|after| live.is_subset(&after));
            builder.changes.remove(index);
            builder.hold(address, HoldReason::ProtectsHolders { holders: protected });
            planned_roles.set(&name, if narrower { PlannedRole::Kept(live) } else { PlannedRole::Held });
        }
    }
}

/// Adds to the change of each user who gets new roles or resources what they can do after it, so that it can be
/// reviewed.
pub(super) fn add_allowed_effects(planned_roles: &PlannedRoles, builder: &mut PlanBuilder<'_>) {
    for change in &mut builder.changes {
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
pub(super) fn plan_removals(input: &PlanInput<'_>, planned_roles: &PlannedRoles, builder: &mut PlanBuilder<'_>) {
    for role in input.live.roles() {
        if role.locked || !planned_roles.is_deleted(&role.name) {
            continue;
        }
        let desired = input.desired.roles.iter().find(|desired| desired.name == role.name);
        let address = Address::role(&role.name);
        if let Some(reason) = input.live.hold_if_people_incomplete() {
            builder.hold(address, reason);
            continue;
        }
        let by = holders(input, role, &builder.changes);
        if !by.is_empty() {
            builder.hold(address, HoldReason::RoleInUse { by });
            continue;
        }
        let change = Change {
            address,
            action: Action::Delete,
            before: Some(role.entity()),
            after: None,
            cause: if desired.is_some() { Cause::DeclaredAbsent } else { Cause::NotListed },
            effects: Vec::new(),
        };
        builder.change(change, desired.map(|desired| &desired.place));
    }
}

/// Returns the users who still have a role after these changes. Open invitations count: if the role were deleted,
/// the platform would silently put another role into them.
fn holders(input: &PlanInput<'_>, role: &LiveRole, changes: &[Change]) -> Vec<Address> {
    let mut leaving: BTreeSet<&RemoteId> = BTreeSet::new();
    let mut replaced: BTreeSet<&str> = BTreeSet::new();
    for change in changes {
        let after = change.after.as_ref().and_then(Entity::user);
        let keeps = after.is_some_and(|user| user.roles.contains(&role.name));
        match change.before.as_ref().and_then(Entity::user) {
            Some(User { id: Some(id), .. }) if !keeps => {
                leaving.insert(id);
            }
            Some(User { email, invited: true, .. }) if !keeps => {
                replaced.insert(email.as_str());
            }
            _ => {}
        }
    }
    let members = input.live.users.items.iter().filter(|user| user.roles.contains(&role.name));
    let members = members.filter(|user| !leaving.contains(&user.id)).map(|user| Address::user(&user.email));
    let invited = input.live.invitations().iter().filter(|open| open.role == role.name);
    let invited = invited.filter(|open| !replaced.contains(open.email.as_str()));
    members.chain(invited.map(|open| Address::user(&open.email))).collect::<BTreeSet<_>>().into_iter().collect()
}
