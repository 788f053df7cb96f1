//! Plans users who are members: updates those whom the file lists, and removes those who must be removed.

use std::collections::BTreeSet;

use super::super::PlanInput;
use super::super::builder::PlanBuilder;
use super::super::roles::{self, PlannedRoles};
use super::invitation_roles::is_as_invited;
use super::{account_status, address_of, disabled, role_problem};
use crate::builder::deletion;
use crate::{resolve, teams};
use rolecall_model::{
    AccountStatus, Action, Address, Cause, Change, DesiredUser, Effect, Entity, HoldReason, LiveUser, ManualStep,
    Reach, Resources, RoleName, Seen, User, UserRemoval,
};

/// Returns a user as read. If the API doesn't show whether they are enabled, and the ledger says that rolecall
/// disabled them, they count as disabled.
pub(super) fn as_read(input: &PlanInput<'_>, user: &LiveUser) -> User {
    let switched_off = input.facts.enabled_sent.get(&user.id) == Some(&false);
    let enabled = match user.enabled {
        Seen::Unreadable if switched_off => Seen::Known(false),
        seen => seen,
    };
    User { enabled, ..user.entity() }
}

pub(super) fn plan_present(
    input: &PlanInput<'_>,
    desired: &DesiredUser,
    user: &LiveUser,
    namesakes: bool,
    planned_roles: &mut PlannedRoles,
    builder: &mut PlanBuilder<'_>,
) {
    let address = address_of(user, namesakes);
    if desired.absent {
        remove_user(
            input,
            user,
            address,
            &Removal { cause: Cause::DeclaredAbsent, desired: Some(desired) },
            planned_roles,
            builder,
        );
        return;
    }
    if let Some(reason) = disabled::why_state_unknown(input, user).filter(|_| !builder.is_asserted(&address)) {
        builder.hold(address, reason);
        return;
    }
    hold_unchangeable(input, desired, user, builder);
    if desired.roles.is_none()
        && desired.enabled != Some(false)
        && user.account_status != AccountStatus::Owner
        && !input.is_own_user(&user.email, &user.id)
        && planned_roles.is_privileged(input, &user.roles)
    {
        builder.hold_unwritten(address.clone(), &desired.place, "roles", &user.roles);
    }
    let mut before = as_read(input, user);
    let resources = match &desired.resources {
        Some(resources) => match resolve::resources(input, resources, &mut builder.findings) {
            Some(resolved) => Some(resolved),
            None => return,
        },
        None => before.resources.clone(),
    };
    // An update writes the whole record, so it always carries all roles.
    let desired_roles = desired.roles.as_ref();
    let roles = desired_roles.map_or_else(|| before.roles.clone(), |roles| roles_or_default(input, &roles.value));
    before.teams =
        before.teams.map(|teams| builder.teams.memberships_after(teams, input.is_in_every_team(&before.roles)));
    let Ok(wanted) = teams::memberships(input, desired, before.teams.as_ref(), builder) else { return };
    // The teams of a user who is in every team aren't compared.
    let in_every_team =
        input.is_in_every_team(&roles) || (desired.teams.is_none() && input.is_in_every_team(&before.roles));
    let teams = wanted.filter(|_| !in_every_team);
    if in_every_team {
        before.teams = None;
    }
    let after = User {
        roles,
        resources,
        teams,
        enabled: desired.enabled.map_or(before.enabled, Seen::Known),
        ..before.clone()
    };
    let differs = differs(&before, &after);
    if let Some(reason) = account_status::why_unusable(input, desired, user) {
        builder.hold(address, reason);
        return;
    }
    if !differs && !builder.is_asserted(&address) {
        return;
    }
    if let Some(reason) = account_status::why_unchangeable(input, user, &after) {
        builder.hold(address, reason);
        return;
    }
    if before.roles != after.roles
        && let Some(problem) = role_problem(desired, &after.roles, planned_roles)
    {
        problem.report(&address, builder);
        return;
    }
    let cause = match differs {
        true if before.enabled == after.enabled && is_as_invited(input, &before) => Cause::CompletesInvitation,
        true => Cause::Declared,
        false => Cause::Asserted,
    };
    let same_access =
        (&before.roles, &before.resources, &before.teams) == (&after.roles, &after.resources, &after.teams);
    let action = if after.enabled == Seen::Known(false) && same_access { Action::Disable } else { Action::Update };
    write(input, address, before, after, (action, cause), Some(desired), builder);
}

/// Returns whether an update would change the user. If the API doesn't show whether they are enabled, disabling
/// counts as a change, and enabling doesn't.
fn differs(before: &User, after: &User) -> bool {
    let enabled = match (before.enabled, after.enabled) {
        (Seen::Known(live), Seen::Known(desired)) => live != desired,
        // Disabling is repeated until the ledger shows that it was done. Enabling isn't, because it would bring
        // back a user whom an administrator has disabled in the web app.
        (Seen::Unreadable, Seen::Known(desired)) => !desired,
        (_, Seen::Unreadable) => false,
    };
    before.roles != after.roles || before.resources != after.resources || before.teams != after.teams || enabled
}

/// Returns the desired roles, or the platform's default role if there are none.
fn roles_or_default(input: &PlanInput<'_>, desired: &BTreeSet<RoleName>) -> BTreeSet<RoleName> {
    match input.live.assignable.as_ref().and_then(|roles| roles.default_in_organization()) {
        Some(role) if desired.is_empty() => BTreeSet::from([role.name.clone()]),
        Some(_) | None => desired.clone(),
    }
}

/// Plans to write a user's record. Returns whether the change was added to the plan.
fn write(
    input: &PlanInput<'_>,
    address: Address,
    before: User,
    after: User,
    (action, cause): (Action, Cause),
    desired: Option<&DesiredUser>,
    builder: &mut PlanBuilder<'_>,
) -> bool {
    if input.facts.updates_clear_values
        && action != Action::RemoveAccess
        && !builder.is_asserted(&address)
        && desired.is_some()
        && let Some(fields) = unsent_values(&before)
    {
        builder.hold(address, HoldReason::WouldLose { fields });
        return false;
    }
    let mut effects = match (after.enabled, before.enabled) {
        (Seen::Known(true), Seen::Unreadable) => vec![Effect::MayReEnable],
        (Seen::Known(true), Seen::Known(false)) => vec![Effect::ReEnables],
        (Seen::Known(_) | Seen::Unreadable, _) => Vec::new(),
    };
    effects.extend(input.rules.effects(input.live, Some(&before), &after));
    if desired.is_some_and(|desired| desired.roles.as_ref().is_some_and(|roles| roles.is_empty()))
        && before.roles != after.roles
    {
        effects.extend(after.roles.first().map(|role| Effect::DefaultRole { role: role.clone() }));
    }
    let before = Some(Entity::User(before));
    let change = Change { address, action, before, after: Some(Entity::User(after)), cause, effects };
    builder.change(change, desired.map(|desired| &desired.place))
}

/// Returns the names of the fields that have a value and that an update doesn't carry, or `None` if there are
/// none.
fn unsent_values(user: &User) -> Option<String> {
    let fields = [("first name", &user.first_name), ("last name", &user.last_name), ("phone", &user.phone)];
    let filled = fields.iter().filter(|(_, value)| value.as_ref().is_some_and(|value| !value.is_empty()));
    let names: Vec<&str> = filled.map(|(name, _)| *name).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// Holds differences in names and phone number. Only an invitation sets them; no mutation can change them later.
fn hold_unchangeable(
    input: &PlanInput<'_>,
    desired: &DesiredUser,
    user: &LiveUser,
    builder: &mut PlanBuilder<'_>,
) {
    let fields = [
        ("first_name", &desired.first_name, &user.first_name),
        ("last_name", &desired.last_name, &user.last_name),
        ("phone", &desired.phone, &user.phone),
    ];
    for (field, desired, live) in fields {
        if let Some(desired) = desired
            && live.as_ref() != Some(desired)
        {
            let reason = HoldReason::ManualStep {
                field: field.to_owned(),
                live: live.clone(),
                desired: desired.clone(),
                step: input.rules.manual_step(ManualStep::ChangeRecord).to_owned(),
            };
            builder.hold(Address::user(&user.email), reason);
        }
    }
}

/// The reason why a user must be removed, with their entry in the file, if they have one.
pub(super) struct Removal<'a> {
    pub cause: Cause,
    pub desired: Option<&'a DesiredUser>,
}

/// Plans to remove a user, in the way that the platform offers: disable them, remove them from the organisation,
/// or take all access from them.
pub(super) fn remove_user(
    input: &PlanInput<'_>,
    user: &LiveUser,
    address: Address,
    removal: &Removal<'_>,
    planned_roles: &mut PlannedRoles,
    builder: &mut PlanBuilder<'_>,
) {
    if user.account_status == AccountStatus::Owner {
        builder.hold(address, HoldReason::Owner { must_be_removed: true });
        return;
    }
    if user.account_status == AccountStatus::Shielded {
        builder.hold(address, HoldReason::MustNotBeChanged);
        return;
    }
    let before = as_read(input, user);
    let cause = removal.cause.clone();
    match input.rules.capabilities().user_removal {
        UserRemoval::Disable => {
            if let Some(reason) =
                disabled::why_not_disabled_again(input, user).filter(|_| !builder.is_asserted(&address))
            {
                builder.hold(address, reason);
                return;
            }
            let after = User { enabled: Seen::Known(false), ..before.clone() };
            if differs(&before, &after) || builder.is_asserted(&address) {
                write(input, address, before, after, (Action::Disable, cause), removal.desired, builder);
            }
        }
        UserRemoval::Remove => remove_from_organization(input, user, before, address, removal, builder),
        UserRemoval::RemoveAccess => {
            let step = input.rules.manual_step(ManualStep::RemoveUser).to_owned();
            let empty = roles::role_without_permissions(input, planned_roles, builder);
            // Without such a role, the user still loses all resources. A role of another organisation can't be
            // assigned again.
            let kept = before.roles.first().filter(|role| input.live.role(role).is_some()).cloned();
            let (role, hold) = match (empty, kept) {
                (Some(role), _) => (role, HoldReason::CannotBeRemoved { step }),
                (None, Some(role)) => (role.clone(), HoldReason::RoleKept { role, step }),
                (None, None) => {
                    if let Some(role) = &input.desired.containment_role {
                        let role = role.value.clone();
                        builder.hold(address, HoldReason::AccessNotRemoved { role, step });
                    }
                    return;
                }
            };
            let resources: Option<Resources> = Some(Reach::none());
            let after = User { roles: BTreeSet::from([role]), resources, ..before.clone() };
            let differs = before != after || builder.is_asserted(&address);
            if !differs
                || write(
                    input,
                    address.clone(),
                    before,
                    after,
                    (Action::RemoveAccess, cause),
                    removal.desired,
                    builder,
                )
            {
                builder.hold(address, hold);
            }
        }
    }
}

/// Plans to remove a user from this organisation, and to disable or delete their account if the file says so.
fn remove_from_organization(
    input: &PlanInput<'_>,
    user: &LiveUser,
    before: User,
    address: Address,
    removal: &Removal<'_>,
    builder: &mut PlanBuilder<'_>,
) {
    let (cause, place) = (removal.cause.clone(), removal.desired.map(|desired| &desired.place));
    let before = User { teams: None, ..before };
    let mut deleted = removal.desired.is_some_and(|desired| desired.deleted);
    let mut enabled = removal.desired.and_then(|desired| desired.enabled).map_or(before.enabled, Seen::Known);
    let changes_account = deleted || enabled != before.enabled;
    if let Some(reason) = account_status::why_kept(input, user, enabled, deleted).filter(|_| changes_account) {
        // The account can't be changed, but the user is removed from the organisation anyway.
        builder.hold(address.clone(), reason);
        (deleted, enabled) = (false, before.enabled);
    }
    let after = User { roles: BTreeSet::new(), outside: true, enabled, ..before.clone() };
    let change = if deleted {
        deletion(input, address, Entity::User(before), cause)
    } else {
        let effects = input.rules.effects(input.live, Some(&before), &after);
        let (before, after) = (Some(Entity::User(before)), Some(Entity::User(after)));
        Change { address, action: Action::Remove, before, after, cause, effects }
    };
    builder.change(change, place);
}
