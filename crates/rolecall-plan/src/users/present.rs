//! Who is listed and there.

use std::collections::BTreeSet;

use super::super::PlanInput;
use super::super::draft::Draft;
use super::super::roles::{self, RoleBook};
use super::{address_of, disabled, obstacle, standing};
use crate::draft::deletion;
use crate::{resolve, teams};
use rolecall_model::{
    Action, Address, Cause, Change, Chore, Departure, DesiredUser, Effect, Entity, HoldReason, LiveUser, Reach,
    Resources, RoleName, Seen, Standing, User,
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
    wish: &DesiredUser,
    user: &LiveUser,
    namesakes: bool,
    book: &mut RoleBook,
    draft: &mut Draft<'_>,
) {
    let address = address_of(user, namesakes);
    if wish.absent {
        take_out(input, user, address, &Leave { cause: Cause::DeclaredAbsent, wish: Some(wish) }, book, draft);
        return;
    }
    if let Some(reason) = disabled::is_perhaps_off(input, user).filter(|_| !draft.is_asserted(&address)) {
        draft.hold(address, reason);
        return;
    }
    hold_unchangeable(input, wish, user, draft);
    let mut before = as_read(input, user);
    let resources = match &wish.resources {
        Some(wished) => match resolve::resources(input, wished, &mut draft.findings) {
            Some(resolved) => Some(resolved),
            None => return,
        },
        None => before.resources.clone(),
    };
    // The whole set, whatever part of it changes: an update replaces the record.
    let wished = wish.roles.as_ref();
    let roles = wished.map_or_else(|| before.roles.clone(), |roles| roles_of(input, &roles.value));
    before.teams = before.teams.map(|teams| draft.teams.that_stay(teams, input.is_everywhere(&before.roles)));
    let Ok(wanted) = teams::memberships(input, wish, before.teams.as_ref(), draft) else { return };
    // Whoever is in every team anyhow isn't looked at team by team.
    let everywhere = input.is_everywhere(&roles) || (wish.teams.is_none() && input.is_everywhere(&before.roles));
    let teams = wanted.filter(|_| !everywhere);
    if everywhere {
        before.teams = None;
    }
    let after = User {
        roles,
        resources,
        teams,
        enabled: wish.enabled.map_or(before.enabled, Seen::Known),
        ..before.clone()
    };
    let differs = differs(&before, &after);
    if let Some(reason) = standing::why_unusable(input, wish, user) {
        draft.hold(address, reason);
        return;
    }
    if !differs && !draft.is_asserted(&address) {
        return;
    }
    if let Some(reason) = standing::why_untouched(input, user, &after) {
        draft.hold(address, reason);
        return;
    }
    if before.roles != after.roles
        && let Some(obstacle) = obstacle(wish, &after.roles, book)
    {
        obstacle.report(&address, draft);
        return;
    }
    let cause = if differs { Cause::Declared } else { Cause::Asserted };
    let same_access =
        (&before.roles, &before.resources, &before.teams) == (&after.roles, &after.resources, &after.teams);
    let action =
        if after.enabled == Seen::Known(false) && same_access { Action::Disable } else { Action::Replace };
    write(input, address, before, after, (action, cause), Some(wish), draft);
}

/// Does the wish differ from what was read? Whether somebody is switched on can't be read everywhere.
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
    wish: Option<&DesiredUser>,
    draft: &mut Draft<'_>,
) -> bool {
    if input.facts.updates_lose
        && action != Action::Contain
        && !draft.is_asserted(&address)
        && wish.is_some()
        && let Some(fields) = unsent_values(&before)
    {
        draft.hold(address, HoldReason::WouldLose { fields });
        return false;
    }
    let mut effects = match (after.enabled, before.enabled) {
        (Seen::Known(true), Seen::Unreadable) => vec![Effect::MayReEnable],
        (Seen::Known(true), Seen::Known(false)) => vec![Effect::ReEnables],
        (Seen::Known(_) | Seen::Unreadable, _) => Vec::new(),
    };
    effects.extend(input.rules.effects(input.live, Some(&before), &after));
    if wish.is_some_and(|wish| wish.roles.as_ref().is_some_and(|roles| roles.is_empty()))
        && before.roles != after.roles
    {
        effects.extend(after.roles.first().map(|role| Effect::DefaultRole { role: role.clone() }));
    }
    let before = Some(Entity::User(before));
    let change = Change { address, action, before, after: Some(Entity::User(after)), cause, effects };
    draft.change(change, wish.map(|wish| &wish.place))
}

/// What a user has that an update doesn't carry.
fn unsent_values(user: &User) -> Option<String> {
    let fields = [("first name", &user.first_name), ("last name", &user.last_name), ("phone", &user.phone)];
    let kept = fields.iter().filter(|(_, value)| value.as_ref().is_some_and(|value| !value.is_empty()));
    let names: Vec<&str> = kept.map(|(name, _)| *name).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// Names and phone are taken at the invitation only; no call changes them later.
fn hold_unchangeable(input: &PlanInput<'_>, wish: &DesiredUser, user: &LiveUser, draft: &mut Draft<'_>) {
    let fields = [
        ("first_name", &wish.first_name, &user.first_name),
        ("last_name", &wish.last_name, &user.last_name),
        ("phone", &wish.phone, &user.phone),
    ];
    for (field, desired, live) in fields {
        if let Some(desired) = desired
            && live.as_ref() != Some(desired)
        {
            let reason = HoldReason::ByHand {
                field: field.to_owned(),
                live: live.clone(),
                desired: desired.clone(),
                step: input.rules.by_hand(Chore::ChangeRecord).to_owned(),
            };
            draft.hold(Address::user(&user.email), reason);
        }
    }
}

/// Why somebody has to go, and where the file says so, if it does.
pub(super) struct Leave<'a> {
    pub cause: Cause,
    pub wish: Option<&'a DesiredUser>,
}

/// Takes all access from somebody who must go, as far as the platform lets us.
pub(super) fn take_out(
    input: &PlanInput<'_>,
    user: &LiveUser,
    address: Address,
    leave: &Leave<'_>,
    book: &mut RoleBook,
    draft: &mut Draft<'_>,
) {
    if user.standing == Standing::Owner {
        draft.hold(address, HoldReason::Owner { must_go: true });
        return;
    }
    if user.standing == Standing::Shielded {
        draft.hold(address, HoldReason::Shielded);
        return;
    }
    let before = as_read(input, user);
    let cause = leave.cause.clone();
    match input.rules.departure() {
        Departure::Disable => {
            if let Some(reason) = disabled::is_enough(input, user).filter(|_| !draft.is_asserted(&address)) {
                draft.hold(address, reason);
                return;
            }
            let after = User { enabled: Seen::Known(false), ..before.clone() };
            if differs(&before, &after) || draft.is_asserted(&address) {
                write(input, address, before, after, (Action::Disable, cause), leave.wish, draft);
            }
        }
        Departure::Leave => leave_organization(input, user, before, address, leave, draft),
        Departure::Contain => {
            let step = input.rules.by_hand(Chore::RemoveUser).to_owned();
            let Some(role) = roles::containment(input, book, draft) else {
                if let Some(role) = &input.desired.containment_role {
                    let role = role.value.clone();
                    draft.hold(address, HoldReason::NotContained { role, step });
                }
                return;
            };
            let resources: Option<Resources> = Some(Reach::none());
            let after = User { roles: BTreeSet::from([role]), resources, ..before.clone() };
            let differs = before != after || draft.is_asserted(&address);
            if !differs
                || write(input, address.clone(), before, after, (Action::Contain, cause), leave.wish, draft)
            {
                draft.hold(address, HoldReason::Contained { step });
            }
        }
    }
}

/// Takes somebody out of this organisation, and does besides what the file says of their account.
fn leave_organization(
    input: &PlanInput<'_>,
    user: &LiveUser,
    before: User,
    address: Address,
    leave: &Leave<'_>,
    draft: &mut Draft<'_>,
) {
    let (cause, place) = (leave.cause.clone(), leave.wish.map(|wish| &wish.place));
    let before = User { teams: None, ..before };
    let mut deleted = leave.wish.is_some_and(|wish| wish.deleted);
    let mut enabled = leave.wish.and_then(|wish| wish.enabled).map_or(before.enabled, Seen::Known);
    let off = deleted || enabled != before.enabled;
    if let Some(reason) = standing::why_kept(input, user, enabled, deleted).filter(|_| off) {
        // What becomes of their account is another matter: they leave all the same.
        draft.hold(address.clone(), reason);
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
    draft.change(change, place);
}
