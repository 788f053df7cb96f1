//! Decides about users: [`decide`] about an entry of the file, and [`unlisted`] about a member whom no entry lists.

use std::collections::BTreeSet;
use std::mem;

use super::super::collection::{self, PlannedState, deletion};
use super::super::decision::Decision;
use super::super::roles::Availability;
use super::super::{PlanInput, resolve, teams};
use super::invitation_content::is_as_invited;
use super::{Found, Situation, account, address_of, invitations};
use rolecall_model::{
    AccountField, AccountStatus, Action, Address, Cause, Change, Code, DesiredUser, Effect, Email, Entity,
    Finding, HoldReason, Known, LiveUser, ManualStep, Quirk, Reach, RemoteId, Resources, RoleName, Scope, Seen,
    Severity, User, UserRemoval, list_of, nearest, quote,
};

/// Decides about one entry of the file.
pub(super) fn decide(
    input: &PlanInput<'_>,
    desired: &DesiredUser,
    now: &Situation<'_>,
    planned: &PlannedState,
) -> Vec<Decision> {
    match &now.found {
        Found::Member(user) if desired.absent => {
            remove(input, user, address_of(user, now.has_namesakes()), Some(desired), planned)
        }
        Found::Member(user) => keep(input, desired, user, address_of(user, now.has_namesakes()), planned),
        // A user who must be removed is removed with all of their accounts.
        Found::Several(users) if desired.absent => {
            let removed =
                users.iter().map(|user| remove(input, user, address_of(user, true), Some(desired), planned));
            removed.flatten().collect()
        }
        Found::Several(_) => vec![Decision::Finding(ambiguous(desired, now.namesakes))],
        Found::Nobody => {
            let account = account::decide(input, desired, now);
            let membership = invitations::decide(input, desired, now, planned);
            account.into_iter().chain(membership).collect()
        }
        Found::Renamed(user) => {
            let now = Address::user(&user.email);
            vec![Decision::Hold(Address::user(&desired.email), HoldReason::Renamed { now })]
        }
        Found::UnknownId(id, elsewhere) => {
            let mut decisions: Vec<Decision> = unknown_id(input, desired, id, *elsewhere).into_iter().collect();
            if desired.absent && now.namesakes.is_empty() && !now.invitations.is_empty() {
                decisions.extend(invitations::prevent_joining(input, desired, now, None));
            }
            decisions
        }
    }
}

/// Decides about a member whom the file doesn't list. `before` is the address under which it lists the account.
pub(super) fn unlisted(
    input: &PlanInput<'_>,
    user: &LiveUser,
    before: Option<&Email>,
    namesakes: bool,
    planned: &PlannedState,
) -> Vec<Decision> {
    let address = address_of(user, namesakes);
    let scope = input.desired.manage.users;
    if let Some(before) = before.filter(|_| scope == Scope::All) {
        let before = Address::user(before);
        return vec![Decision::Hold(address, HoldReason::RenamedFrom { before })];
    }
    if user.account_status == AccountStatus::Owner {
        return vec![Decision::Hold(address, HoldReason::Owner { must_be_removed: false })];
    }
    let privileged = planned.roles.is_privileged(input, &user.roles);
    if scope == Scope::Listed && input.is_own_user(&user.email, &user.id) {
        return vec![Decision::Hold(address, HoldReason::Unmanaged { privileged, known: Some(Known::Own) })];
    }
    let incomplete = input.live.users.completeness.hold_if_incomplete("users");
    match collection::unlisted(scope, &address, privileged, incomplete.as_ref()) {
        Some(decision) => vec![decision],
        None => remove(input, user, address, None, planned),
    }
}

fn ambiguous(desired: &DesiredUser, several: &[&LiveUser]) -> Finding {
    if let [only] = several {
        let message =
            format!("The only user with the address {} is already listed by `id` in another entry.", only.email);
        return Finding::error(Code::DuplicateUser, desired.place.clone(), message).hint("Merge the two entries.");
    }
    let ids: Vec<_> = several.iter().map(|user| user.id.as_str()).collect();
    Finding::error(
        Code::AmbiguousUser,
        desired.place.clone(),
        format!("{} live users have the address {}: {}.", several.len(), desired.email, ids.join(", ")),
    )
    .hint("List each with its `id` where users have that field. Otherwise, have the platform merge or remove one.")
}

/// Decides about an entry whose id no member with its address has. `elsewhere` is the member who has it.
fn unknown_id(
    input: &PlanInput<'_>,
    desired: &DesiredUser,
    id: &RemoteId,
    elsewhere: Option<&LiveUser>,
) -> Option<Decision> {
    let address = Address::user(&desired.email).with_id(id);
    let (message, hint) = if let Some(user) = elsewhere {
        (
            format!("The user {id} has the address {} now, not {}.", user.email, desired.email),
            format!("If it is the same person, write `email: {}`.", user.email),
        )
    } else {
        if let Some(reason) = input.live.users.completeness.hold_if_incomplete("users") {
            return Some(Decision::Hold(address, reason));
        }
        if input.rules.has(Quirk::HidesDisabled) {
            // A disabled user isn't listed, so their id can't be checked.
            return (!desired.absent).then(|| Decision::Hold(address, account::why_not_listed(input, id)));
        }
        let hint =
            "`rolecall drift` shows the ids of ambiguous addresses. Without `id`, the user is found by address.";
        (format!("There is no user with the id {id}."), hint.to_owned())
    };
    let finding = Finding::error(Code::UnknownId, desired.place.clone(), message).hint(hint);
    // If the user must be removed, a missing id can mean that this is done. It can also be a typo, so it is a
    // warning.
    let harmless = desired.absent && elsewhere.is_none();
    Some(Decision::Finding(if harmless { Finding { severity: Severity::Warning, ..finding } } else { finding }))
}

// ---- members who stay

/// Returns a user as read. If the API doesn't show whether they are enabled, and the ledger says that rolecall
/// disabled them, they count as disabled.
fn as_read(input: &PlanInput<'_>, user: &LiveUser) -> User {
    let switched_off = input.facts.enabled_sent.get(&user.id) == Some(&false);
    let enabled = match user.enabled {
        Seen::Unreadable if switched_off => Seen::Known(false),
        seen => seen,
    };
    User { enabled, ..user.entity() }
}

/// Decides about a member whom the file lists, and who stays.
fn keep(
    input: &PlanInput<'_>,
    desired: &DesiredUser,
    user: &LiveUser,
    address: Address,
    planned: &PlannedState,
) -> Vec<Decision> {
    let asserted = input.is_asserted(&address);
    if let Some(reason) = account::why_state_unknown(input, user).filter(|_| !asserted) {
        return vec![Decision::Hold(address, reason)];
    }
    let mut decisions = unchangeable_fields(input, desired, user);
    if desired.roles.is_none()
        && desired.enabled != Some(false)
        && user.account_status != AccountStatus::Owner
        && !input.is_own_user(&user.email, &user.id)
        && planned.roles.is_privileged(input, &user.roles)
    {
        decisions.push(Decision::unwritten(&address, &desired.place, "roles", &user.roles));
    }
    let Some((before, after)) = desired_record(input, desired, user, planned, &mut decisions) else {
        return decisions;
    };
    let differs = differs(&before, &after);
    let unchangeable = || account::why_unchangeable(input, user, &after).filter(|_| differs || asserted);
    if let Some(reason) = account::why_unusable(input, desired, user).or_else(unchangeable) {
        decisions.push(Decision::Hold(address, reason));
        return decisions;
    }
    if !differs && !asserted {
        return decisions;
    }
    if after.enabled == Seen::Unreadable && input.rules.capabilities().account_field == Some(AccountField::Enabled)
    {
        let message =
            format!("An update of {} writes `enabled`, and the entry doesn't contain it.", desired.email);
        decisions.push(Decision::Finding(
            Finding::error(Code::EnabledNotDeclared, desired.place.clone(), message)
                .hint("Add `enabled: true` or `enabled: false`. The platform never shows the value."),
        ));
        return decisions;
    }
    if before.roles != after.roles
        && let Some(problem) = role_problem(desired, &address, &after.roles, planned)
    {
        decisions.push(problem);
        return decisions;
    }
    let cause = match differs {
        true if before.enabled == after.enabled && is_as_invited(input, &before) => Cause::CompletesInvitation,
        true => Cause::Declared,
        false => Cause::Asserted,
    };
    let same_access =
        (&before.roles, &before.resources, &before.teams) == (&after.roles, &after.resources, &after.teams);
    let action = if after.enabled == Seen::Known(false) && same_access { Action::Disable } else { Action::Update };
    decisions.push(update(input, (address, before, after), (action, cause), Some(desired), Vec::new()));
    decisions
}

/// Returns the record of a member as it is and as the file wants it. An update writes the whole record, so it always
/// carries all roles.
fn desired_record(
    input: &PlanInput<'_>,
    desired: &DesiredUser,
    user: &LiveUser,
    planned: &PlannedState,
    decisions: &mut Vec<Decision>,
) -> Option<(User, User)> {
    let mut before = as_read(input, user);
    let resources = match &desired.resources {
        Some(resources) => Some(resolve::resources(input, resources).note(decisions)?),
        None => before.resources.clone(),
    };
    let desired_roles = desired.roles.as_ref();
    let roles = desired_roles.map_or_else(|| before.roles.clone(), |roles| roles_or_default(input, &roles.value));
    before.teams =
        before.teams.map(|teams| planned.teams.memberships_after(teams, input.is_in_every_team(&before.roles)));
    let wanted = teams::memberships(input, desired, before.teams.as_ref(), &planned.teams).note(decisions)?;
    // The teams of a user who is in every team aren't compared.
    let in_every_team =
        input.is_in_every_team(&roles) || (desired.teams.is_none() && input.is_in_every_team(&before.roles));
    let teams = wanted.filter(|_| !in_every_team);
    if in_every_team {
        before.teams = None;
    }
    let enabled = desired.enabled.map_or(before.enabled, Seen::Known);
    // What the new record has of its own isn't copied.
    let access = (mem::take(&mut before.roles), before.resources.take(), before.teams.take());
    let after = User { roles, resources, teams, enabled, ..before.clone() };
    (before.roles, before.resources, before.teams) = access;
    Some((before, after))
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

/// Decides to write a user's record. `then` is decided only if it can be written.
fn update(
    input: &PlanInput<'_>,
    (address, before, after): (Address, User, User),
    (action, cause): (Action, Cause),
    desired: Option<&DesiredUser>,
    then: Vec<Decision>,
) -> Decision {
    if input.facts.updates_clear_values
        && action != Action::RemoveAccess
        && !input.is_asserted(&address)
        && desired.is_some()
        && let Some(fields) = unsent_values(&before)
    {
        return Decision::Hold(address, HoldReason::WouldLose { fields });
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
    let (before, after) = (Some(Entity::User(before)), Some(Entity::User(after)));
    let change = Change { address, action, before, after, cause, effects };
    Decision::change_and(change, desired.map(|desired| &desired.place), then)
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
fn unchangeable_fields(input: &PlanInput<'_>, desired: &DesiredUser, user: &LiveUser) -> Vec<Decision> {
    let fields = [
        ("first_name", &desired.first_name, &user.first_name),
        ("last_name", &desired.last_name, &user.last_name),
        ("phone", &desired.phone, &user.phone),
    ];
    let differing = fields.into_iter().filter_map(|(field, desired, live)| {
        let desired = desired.as_ref().filter(|desired| live.as_ref() != Some(desired))?;
        let reason = HoldReason::ManualStep {
            field: field.to_owned(),
            live: live.clone(),
            desired: desired.clone(),
            step: input.rules.manual_step(ManualStep::ChangeRecord).to_owned(),
        };
        Some(Decision::Hold(Address::user(&user.email), reason))
    });
    differing.collect()
}

/// Decides about the first of these roles that can't be given. Returns `None` if all can be given.
pub(super) fn role_problem(
    desired: &DesiredUser,
    address: &Address,
    roles: &BTreeSet<RoleName>,
    planned: &PlannedState,
) -> Option<Decision> {
    let place = desired.roles.as_ref().map_or(&desired.place, |roles| &roles.place);
    let hold = |reason| Some(Decision::Hold(address.clone(), reason));
    roles.iter().find_map(|role| match planned.roles.availability(role) {
        Availability::Available => None,
        Availability::Held => hold(HoldReason::RoleSkipped { role: role.clone() }),
        Availability::Unlisted => hold(HoldReason::RoleNotListed { role: role.clone(), must_be_removed: false }),
        Availability::Deleted => {
            let message =
                format!("{} should have the role `{role}`, but the file deletes that role.", desired.email);
            Some(Decision::Finding(
                Finding::error(Code::RoleIsAbsent, place.clone(), message)
                    .hint("List the role under `roles`, or give the user another."),
            ))
        }
        Availability::Unknown => {
            let known: Vec<&str> = planned.roles.names().collect();
            let hint = match nearest(role.as_str(), known.iter().copied()) {
                Some(near) => format!("Did you mean `{near}`?"),
                None => format!("There are {}. List a new role under `roles`.", list_of(&known, "and")),
            };
            let message =
                format!("{} should have the role {}, which doesn't exist.", desired.email, quote(role.as_str()));
            Some(Decision::Finding(Finding::error(Code::UnknownRole, place.clone(), message).hint(hint)))
        }
    })
}

// ---- members who must be removed

/// Decides to remove a user, in the way that the platform offers: disable them, remove them from the organisation,
/// or take all access from them. `desired` is their entry in the file, if they have one.
fn remove(
    input: &PlanInput<'_>,
    user: &LiveUser,
    address: Address,
    desired: Option<&DesiredUser>,
    planned: &PlannedState,
) -> Vec<Decision> {
    let untouchable = match user.account_status {
        AccountStatus::Owner => Some(HoldReason::Owner { must_be_removed: true }),
        AccountStatus::Shielded => Some(HoldReason::MustNotBeChanged),
        AccountStatus::Ordinary
        | AccountStatus::Unapproved
        | AccountStatus::Suspended
        | AccountStatus::Unclear => None,
    };
    if let Some(reason) = untouchable {
        return vec![Decision::Hold(address, reason)];
    }
    match input.rules.capabilities().user_removal {
        UserRemoval::Disable => disable(input, user, address, desired).into_iter().collect(),
        UserRemoval::Remove => remove_from_organization(input, user, address, desired),
        UserRemoval::RemoveAccess => remove_access(input, user, address, desired, planned),
    }
}

fn disable(
    input: &PlanInput<'_>,
    user: &LiveUser,
    address: Address,
    desired: Option<&DesiredUser>,
) -> Option<Decision> {
    let (before, asserted) = (as_read(input, user), input.is_asserted(&address));
    if let Some(reason) = account::why_not_disabled_again(input, user).filter(|_| !asserted) {
        return Some(Decision::Hold(address, reason));
    }
    let after = User { enabled: Seen::Known(false), ..before.clone() };
    let cause = collection::removal_cause(desired.is_some());
    (differs(&before, &after) || asserted)
        .then(|| update(input, (address, before, after), (Action::Disable, cause), desired, Vec::new()))
}

/// Decides to take all access from a user whom the API can't remove. Without a role that allows nothing, the user still
/// loses all resources.
fn remove_access(
    input: &PlanInput<'_>,
    user: &LiveUser,
    address: Address,
    desired: Option<&DesiredUser>,
    planned: &PlannedState,
) -> Vec<Decision> {
    let before = as_read(input, user);
    let step = input.rules.manual_step(ManualStep::RemoveUser).to_owned();
    let mut decisions = Vec::new();
    let empty = planned.roles.role_without_permissions().note(&mut decisions);
    // A role of another organisation can't be assigned again.
    let kept = before.roles.first().filter(|role| input.live.role(role).is_some()).cloned();
    let (role, hold) = match (empty, kept) {
        (Some(role), _) => (role, HoldReason::CannotBeRemoved { step }),
        (None, Some(role)) => (role.clone(), HoldReason::RoleKept { role, step }),
        (None, None) => {
            decisions.extend(input.desired.containment_role.as_ref().map(|role| {
                Decision::Hold(address, HoldReason::AccessNotRemoved { role: role.value.clone(), step })
            }));
            return decisions;
        }
    };
    let resources: Option<Resources> = Some(Reach::none());
    let after = User { roles: BTreeSet::from([role]), resources, ..before.clone() };
    let hold = Decision::Hold(address.clone(), hold);
    let cause = collection::removal_cause(desired.is_some());
    decisions.push(if before == after && !input.is_asserted(&address) {
        hold
    } else {
        update(input, (address, before, after), (Action::RemoveAccess, cause), desired, vec![hold])
    });
    decisions
}

/// Decides to remove a user from this organisation, and to disable or delete their account if the file says so.
fn remove_from_organization(
    input: &PlanInput<'_>,
    user: &LiveUser,
    address: Address,
    desired: Option<&DesiredUser>,
) -> Vec<Decision> {
    let mut decisions = Vec::new();
    let before = User { teams: None, ..as_read(input, user) };
    let mut deleted = desired.is_some_and(|desired| desired.deleted);
    let mut enabled = desired.and_then(|desired| desired.enabled).map_or(before.enabled, Seen::Known);
    let changes_account = deleted || enabled != before.enabled;
    if let Some(reason) = account::why_kept(input, user, enabled, deleted).filter(|_| changes_account) {
        // The account can't be changed, but the user is removed from the organisation anyway.
        decisions.push(Decision::Hold(address.clone(), reason));
        (deleted, enabled) = (false, before.enabled);
    }
    let cause = collection::removal_cause(desired.is_some());
    let after = User { roles: BTreeSet::new(), outside: true, enabled, ..before.clone() };
    let change = if deleted {
        deletion(input, address, Entity::User(before), cause)
    } else {
        let effects = input.rules.effects(input.live, Some(&before), &after);
        let (before, after) = (Some(Entity::User(before)), Some(Entity::User(after)));
        Change { address, action: Action::Remove, before, after, cause, effects }
    };
    decisions.push(Decision::change(change, desired.map(|desired| &desired.place)));
    decisions
}
