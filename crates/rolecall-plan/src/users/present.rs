//! Who is listed and there.

use std::collections::BTreeSet;

use super::super::PlanInput;
use super::super::builder::PlanBuilder;
use super::super::roles::{self, PlannedRoles};
use super::{account_status, address_of, disabled, role_problem};
use crate::builder::deletion;
use crate::{resolve, teams};
use rolecall_model::{
    AccountStatus, Action, Address, Cause, Change, DesiredUser, Effect, Entity, HoldReason, LiveUser, ManualStep,
    Reach, Resources, RoleName, Seen, User, UserRemoval,
};

/// As read, with what only the ledger knows: off, where we switched it off and nothing shows it.
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
    let mut before = as_read(input, user);
    let resources = match &desired.resources {
        Some(wished) => match resolve::resources(input, wished, &mut builder.findings) {
            Some(resolved) => Some(resolved),
            None => return,
        },
        None => before.resources.clone(),
    };
    // The whole set, whatever part of it changes: an update replaces the record.
    let wished = desired.roles.as_ref();
    let roles = wished.map_or_else(|| before.roles.clone(), |roles| roles_of(input, &roles.value));
    before.teams = before.teams.map(|teams| builder.teams.that_stay(teams, input.is_in_every_team(&before.roles)));
    let Ok(wanted) = teams::memberships(input, desired, before.teams.as_ref(), builder) else { return };
    // Whoever is in every team anyhow isn't looked at team by team.
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
    let cause = if differs { Cause::Declared } else { Cause::Asserted };
    let same_access =
        (&before.roles, &before.resources, &before.teams) == (&after.roles, &after.resources, &after.teams);
    let action = if after.enabled == Seen::Known(false) && same_access { Action::Disable } else { Action::Update };
    write(input, address, before, after, (action, cause), Some(desired), builder);
}

/// Does the desired differ from what was read? Whether somebody is switched on can't be read everywhere.
fn differs(before: &User, after: &User) -> bool {
    let enabled = match (before.enabled, after.enabled) {
        (Seen::Known(is), Seen::Known(shall)) => is != shall,
        // Switching off is worth repeating until the ledger shows that we did it. Switching on isn't: it would
        // bring back whoever an administrator disabled by hand.
        (Seen::Unreadable, Seen::Known(shall)) => !shall,
        (_, Seen::Unreadable) => false,
    };
    before.roles != after.roles || before.resources != after.resources || before.teams != after.teams || enabled
}

/// Nobody is without a role where everybody has one by default.
fn roles_of(input: &PlanInput<'_>, wished: &BTreeSet<RoleName>) -> BTreeSet<RoleName> {
    match input.live.assignable.as_ref().and_then(|roles| roles.by_default()) {
        Some(role) if wished.is_empty() => BTreeSet::from([role.name.clone()]),
        Some(_) | None => wished.clone(),
    }
}

/// Plans to write a user's record. Says whether it will be written.
fn write(
    input: &PlanInput<'_>,
    address: Address,
    before: User,
    after: User,
    (action, cause): (Action, Cause),
    desired: Option<&DesiredUser>,
    builder: &mut PlanBuilder<'_>,
) -> bool {
    if input.facts.updates_lose
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

/// What a user has that an update doesn't carry.
fn unsent_values(user: &User) -> Option<String> {
    let fields = [("first name", &user.first_name), ("last name", &user.last_name), ("phone", &user.phone)];
    let kept = fields.iter().filter(|(_, value)| value.as_ref().is_some_and(|value| !value.is_empty()));
    let names: Vec<&str> = kept.map(|(name, _)| *name).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// Names and phone are taken at the invitation only; no call changes them later.
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
            let reason = HoldReason::ByHand {
                field: field.to_owned(),
                live: live.clone(),
                desired: desired.clone(),
                step: input.rules.manual_step(ManualStep::ChangeRecord).to_owned(),
            };
            builder.hold(Address::user(&user.email), reason);
        }
    }
}

/// Why somebody has to go, and where the file says so, if it does.
pub(super) struct Removal<'a> {
    pub cause: Cause,
    pub desired: Option<&'a DesiredUser>,
}

/// Takes all access from somebody who must go, as far as the platform lets us.
pub(super) fn remove_user(
    input: &PlanInput<'_>,
    user: &LiveUser,
    address: Address,
    removal: &Removal<'_>,
    planned_roles: &mut PlannedRoles,
    builder: &mut PlanBuilder<'_>,
) {
    if user.account_status == AccountStatus::Owner {
        builder.hold(address, HoldReason::Owner { must_go: true });
        return;
    }
    if user.account_status == AccountStatus::Shielded {
        builder.hold(address, HoldReason::Shielded);
        return;
    }
    let before = as_read(input, user);
    let cause = removal.cause.clone();
    match input.rules.user_removal() {
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
        UserRemoval::Leave => remove_from_organization(input, user, before, address, removal, builder),
        UserRemoval::Contain => {
            let step = input.rules.manual_step(ManualStep::RemoveUser).to_owned();
            let Some(role) = roles::containment_role(input, planned_roles, builder) else {
                if let Some(role) = &input.desired.containment_role {
                    let role = role.value.clone();
                    builder.hold(address, HoldReason::NotContained { role, step });
                }
                return;
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
                builder.hold(address, HoldReason::Contained { step });
            }
        }
    }
}

/// Takes somebody out of this organisation, and does besides what the file says of their account.
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
    let off = deleted || enabled != before.enabled;
    if let Some(reason) = account_status::why_kept(input, user, enabled, deleted).filter(|_| off) {
        // What becomes of their account is another matter: they leave all the same.
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
