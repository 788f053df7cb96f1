//! Which roles are made, changed, deleted, or left alone; and which of them can be given.

use std::collections::{BTreeMap, BTreeSet};

use super::PlanInput;
use super::draft::Draft;
use super::resolve::{self, Holder};
use crate::model::{
    Action, Address, Cause, Change, Code, Completeness, DesiredRole, Entity, Finding, HoldReason, LiveRole,
    Permission, Role, RoleName, Scope, User,
};

/// The roles that there are and will be, by name. Empty where the platform's roles are fixed.
#[derive(Default)]
pub(super) struct RoleBook {
    roles: BTreeMap<RoleName, RoleState>,
    /// The platform doesn't list all of them.
    truncated: bool,
    /// Are there roles to look up at all?
    kept: bool,
}

/// A role before and after the plan.
#[derive(Clone, Debug, Default)]
pub(super) struct RoleState {
    pub before: Option<BTreeSet<Permission>>,
    pub after: Option<BTreeSet<Permission>>,
}

/// Can a role be given?
pub(super) enum Availability {
    Yes,
    No,
    /// It is there, and this plan deletes it.
    Goes,
    /// It isn't listed, and the list isn't all.
    OutOfSight,
}

impl RoleBook {
    pub fn availability(&self, name: &RoleName) -> Availability {
        match self.roles.get(name) {
            _ if !self.kept => Availability::Yes,
            Some(RoleState { after: Some(_), .. }) => Availability::Yes,
            Some(RoleState { before: Some(_), after: None }) => Availability::Goes,
            // Its creation is held, or nobody knows whether it is there.
            Some(RoleState { before: None, after: None }) => Availability::OutOfSight,
            None if self.truncated => Availability::OutOfSight,
            None => Availability::No,
        }
    }

    /// What these roles allow before the plan. None where that isn't known.
    pub fn allowed_before(&self, names: &BTreeSet<RoleName>) -> Option<BTreeSet<Permission>> {
        self.allowed(names, |state| state.before.as_ref())
    }

    /// What these roles allow after the plan. None where that isn't known.
    pub fn allowed_after(&self, names: &BTreeSet<RoleName>) -> Option<BTreeSet<Permission>> {
        self.allowed(names, |state| state.after.as_ref())
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
        self.kept.then_some(allowed)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.roles.iter().filter(|(_, state)| state.after.is_some()).map(|(name, _)| name.as_str())
    }
}

/// Creations and updates. Deletions are planned once it is known who moves.
pub(super) fn plan_roles(input: &PlanInput<'_>, draft: &mut Draft<'_>) -> RoleBook {
    let Some(list) = &input.live.roles else { return RoleBook::default() };
    let mut book = RoleBook { roles: BTreeMap::new(), truncated: list.completeness.is_broken(), kept: true };
    for role in &list.items {
        let held = Some(role.permissions.clone());
        book.roles.insert(role.name.clone(), RoleState { before: held.clone(), after: held });
    }
    for wish in &input.desired.roles {
        match (input.live.role(&wish.name), wish.absent) {
            (Some(role), _) if role.locked => draft.findings.push(locked(wish)),
            (None, true) => {
                if list.completeness.is_broken() {
                    draft.hold(Address::role(&wish.name), HoldReason::RoleOutOfSight { role: wish.name.clone() });
                }
            }
            (Some(_), true) => {
                if let Some(state) = book.roles.get_mut(&wish.name) {
                    state.after = None;
                }
            }
            (None, false) => create(input, wish, &mut book, draft),
            (Some(role), false) => update(input, wish, role, &mut book, draft),
        }
    }
    let listed: BTreeSet<&RoleName> = input.desired.roles.iter().map(|wish| &wish.name).collect();
    for role in list.items.iter().filter(|role| !listed.contains(&role.name)) {
        let address = Address::role(&role.name);
        if role.locked {
            draft.hold(address, HoldReason::Locked);
        } else if input.desired.containment_role.as_ref() == Some(&role.name) {
            // The file's own, wherever it is named.
        } else if input.desired.manage.roles == Scope::Listed {
            let privileged = input.rules.is_privileged(&role.permissions);
            draft.hold(address, HoldReason::Unmanaged { privileged });
        } else if let Some(state) = book.roles.get_mut(&role.name) {
            state.after = None;
        }
    }
    book
}

fn locked(wish: &DesiredRole) -> Finding {
    Finding::error(Code::ReservedRole, wish.place.clone(), format!("the role `{}` is built in", wish.name))
        .hint("remove it from `roles`; it can be given to users all the same")
}

fn create(input: &PlanInput<'_>, wish: &DesiredRole, book: &mut RoleBook, draft: &mut Draft<'_>) {
    let mut missing = Vec::new();
    if wish.description.is_none() {
        missing.push("`description`");
    }
    if wish.permissions.is_none() {
        missing.push("`permissions`");
    }
    if !missing.is_empty() {
        let message =
            format!("the role {} isn't there yet, and making it needs {}", wish.name, missing.join(" and "));
        draft.findings.push(
            Finding::error(Code::IncompleteRole, wish.place.clone(), message)
                .hint(format!("add {}", missing.join(" and "))),
        );
    }
    let wished = wish.permissions.as_ref();
    let permissions =
        wished.and_then(|wished| resolve::permissions(input, Holder::Role, wished, &mut draft.findings));
    let (Some(description), Some(permissions)) = (wish.description.clone(), permissions) else {
        // Whoever is given it is no second finding.
        book.roles.insert(wish.name.clone(), RoleState { before: None, after: Some(BTreeSet::new()) });
        return;
    };
    let change = creation(&wish.name, description, permissions.clone(), Cause::Declared);
    let taken = draft.change(change, Some(&wish.place));
    book.roles.insert(wish.name.clone(), RoleState { before: None, after: taken.then_some(permissions) });
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

fn update(input: &PlanInput<'_>, wish: &DesiredRole, role: &LiveRole, book: &mut RoleBook, draft: &mut Draft<'_>) {
    let permissions = match &wish.permissions {
        Some(wished) => match resolve::permissions(input, Holder::Role, wished, &mut draft.findings) {
            Some(permissions) => permissions,
            None => return,
        },
        None => role.permissions.clone(),
    };
    let description = wish.description.clone().unwrap_or_else(|| role.description.clone());
    if permissions == role.permissions && description == role.description {
        return;
    }
    let after = Role { id: Some(role.id.clone()), name: role.name.clone(), description, permissions };
    let granted = after.permissions.clone();
    let change = Change {
        address: Address::role(&role.name),
        action: Action::Replace,
        before: Some(role.entity()),
        after: Some(Entity::Role(after)),
        cause: Cause::Declared,
        effects: Vec::new(),
    };
    if draft.change(change, Some(&wish.place))
        && let Some(state) = book.roles.get_mut(&role.name)
    {
        state.after = Some(granted);
    }
}

/// What is said of the role that holds whoever must go.
const CONTAINMENT: &str = "Holds people who must have no access and can't be removed. Kept by rolecall.";

/// The role that allows nothing, made where it isn't there yet. None: it can't be had, which was said.
pub(super) fn containment(input: &PlanInput<'_>, book: &mut RoleBook, draft: &mut Draft<'_>) -> Option<RoleName> {
    let name = input.desired.containment_role.clone()?;
    let state = book.roles.get(&name);
    match state.and_then(|state| state.after.as_ref()) {
        Some(permissions) if permissions.is_empty() => Some(name),
        Some(permissions) => {
            let held: Vec<&str> = permissions.iter().map(Permission::as_str).collect();
            let finding = Finding::error(
                Code::ContainmentRoleHolds,
                input.desired.place.clone(),
                format!(
                    "the role `{name}` is to hold people who must have no access, and allows {}",
                    held.join(", ")
                ),
            )
            .hint("take its permissions away, or name another with `containment_role`");
            if !draft.findings.contains(&finding) {
                draft.findings.push(finding);
            }
            None
        }
        None if state.is_some() => None,
        None => {
            let change = creation(&name, CONTAINMENT.to_owned(), BTreeSet::new(), Cause::Needed);
            let taken = draft.change(change, None);
            let after = taken.then(BTreeSet::new);
            book.roles.insert(name.clone(), RoleState { before: None, after });
            taken.then_some(name)
        }
    }
}

/// Deletions: only of roles that nobody holds once the plan is done.
pub(super) fn plan_removals(input: &PlanInput<'_>, book: &RoleBook, draft: &mut Draft<'_>) {
    let changed: BTreeMap<Address, Option<User>> = draft
        .changes
        .iter()
        .map(|change| (change.address.clone(), change.after.as_ref().and_then(Entity::user).cloned()))
        .collect();
    for role in input.live.roles() {
        let goes = book.roles.get(&role.name).is_some_and(|state| state.after.is_none());
        if role.locked || !goes {
            continue;
        }
        let wish = input.desired.roles.iter().find(|wish| wish.name == role.name);
        let address = Address::role(&role.name);
        if let Completeness::Broken { why } = &input.live.users.completeness {
            draft.hold(address, HoldReason::Unreadable { list: "users".to_owned(), why: why.clone() });
            continue;
        }
        let by = holders(input, role, &changed);
        if !by.is_empty() {
            draft.hold(address, HoldReason::RoleInUse { by });
            continue;
        }
        let change = Change {
            address,
            action: Action::Delete,
            before: Some(role.entity()),
            after: None,
            cause: if wish.is_some() { Cause::DeclaredAbsent } else { Cause::NotListed },
            effects: Vec::new(),
        };
        draft.change(change, wish.map(|wish| &wish.place));
    }
}

/// Who has a role and isn't moved off it. A pending invitation that carries it would silently become another.
fn holders(input: &PlanInput<'_>, role: &LiveRole, changed: &BTreeMap<Address, Option<User>>) -> Vec<Address> {
    let keeps = |address: &Address| {
        let after = changed.get(address).map(Option::as_ref);
        after.is_none_or(|user| user.is_some_and(|user| user.roles.contains(&role.name)))
    };
    let mut by = BTreeSet::new();
    for user in input.live.users.items.iter().filter(|user| user.roles.contains(&role.name)) {
        let address = Address::user(&user.email);
        let pinned = address.clone().with_id(&user.id);
        let moved = !keeps(&pinned) || (!keeps(&address) && !changed.contains_key(&pinned));
        if !moved {
            by.insert(address);
        }
    }
    for invitation in input.live.invitations().iter().filter(|invitation| invitation.role == role.name) {
        let address = Address::user(&invitation.email);
        if keeps(&address) {
            by.insert(address);
        }
    }
    by.into_iter().collect()
}
