//! Who is invited, changed, disabled, or left alone.

use std::collections::{BTreeMap, BTreeSet};

use super::PlanInput;
use super::draft::Draft;
use crate::model::{
    Action, Address, Cause, Change, Code, Completeness, DesiredUser, Effect, Email, Entity, Finding, HoldReason,
    InvitationState, InviteField, LiveUser, Scope, Seen, User,
};

pub(super) fn plan_users(input: &PlanInput<'_>, draft: &mut Draft<'_>) {
    let mut live: BTreeMap<&Email, Vec<&LiveUser>> = BTreeMap::new();
    for user in &input.live.users.items {
        live.entry(&user.email).or_default().push(user);
    }
    for wish in &input.desired.users {
        match live.get(&wish.email).map(Vec::as_slice) {
            None | Some([]) => plan_missing(input, wish, draft),
            Some([user]) => plan_present(input, wish, user, draft),
            Some(several) => draft.findings.push(ambiguous(wish, several)),
        }
    }
    let listed: BTreeSet<&Email> = input.desired.users.iter().map(|wish| &wish.email).collect();
    for (email, users) in &live {
        if !listed.contains(email) {
            for user in users {
                plan_unlisted(input, user, users.len() > 1, draft);
            }
        }
    }
    if input.desired.manage.users == Scope::All {
        hold_unreachable_invitees(input, &listed, &live, draft);
    }
}

fn ambiguous(wish: &DesiredUser, several: &[&LiveUser]) -> Finding {
    let ids: Vec<_> = several.iter().map(|user| user.id.as_str()).collect();
    Finding::error(
        Code::AmbiguousUser,
        wish.place.clone(),
        format!("{} live users have the address {}: {}", several.len(), wish.email, ids.join(", ")),
    )
    .hint("have the platform merge or remove one; rolecall can't know which is meant")
}

/// What we take a user's `enabled` for: as read, or off where we switched it off and nothing shows it.
fn enabled_before(input: &PlanInput<'_>, user: &LiveUser) -> Seen<bool> {
    match user.enabled {
        Seen::Known(value) => Seen::Known(value),
        Seen::Unreadable => match input.facts.enabled_sent.get(&user.id) {
            Some(false) => Seen::Known(false),
            Some(true) | None => Seen::Unreadable,
        },
    }
}

fn as_read(input: &PlanInput<'_>, user: &LiveUser) -> User {
    let LiveUser { id, email, first_name, last_name, phone, roles, enabled: _ } = user.clone();
    User { id: Some(id), email, first_name, last_name, phone, roles, enabled: enabled_before(input, user) }
}

fn plan_present(input: &PlanInput<'_>, wish: &DesiredUser, user: &LiveUser, draft: &mut Draft<'_>) {
    let address = Address::user(&user.email);
    let before = as_read(input, user);
    let wanted = wish.enabled.unwrap_or(!wish.absent) && !wish.absent;
    let after = User {
        // The whole set, whatever part of it changes: an update replaces the record.
        roles: wish.roles.clone().unwrap_or_else(|| before.roles.clone()),
        enabled: Seen::Known(wanted),
        ..before.clone()
    };
    if !wish.absent {
        hold_unchangeable(input, wish, user, draft);
    }
    let roles_differ = before.roles != after.roles;
    let enabled_differs = match before.enabled {
        Seen::Known(known) => known != wanted,
        // Switching off is worth repeating until the ledger shows that we did it. Switching on isn't: it would
        // bring back whoever an administrator disabled by hand.
        Seen::Unreadable => !wanted,
    };
    let asserted = draft.is_asserted(&address);
    if !roles_differ && !enabled_differs && !asserted {
        return;
    }
    if input.facts.updates_lose
        && !asserted
        && let Some(fields) = unsent_values(&before)
    {
        draft.hold(address, HoldReason::WouldLose { fields });
        return;
    }
    let effects = match (wanted, before.enabled) {
        (true, Seen::Unreadable) => vec![Effect::MayReEnable],
        (true, Seen::Known(false)) => vec![Effect::ReEnables],
        (true, Seen::Known(true)) | (false, _) => Vec::new(),
    };
    let cause = match (wish.absent, roles_differ || enabled_differs) {
        (true, _) => Cause::DeclaredAbsent,
        (false, true) => Cause::Declared,
        (false, false) => Cause::Asserted,
    };
    let action = if !wanted && !roles_differ { Action::Disable } else { Action::Replace };
    let change =
        Change { address, action, before: Some(Entity::User(before)), after: Entity::User(after), cause, effects };
    draft.change(change, Some(&wish.place));
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
                step: input.rules.by_hand().to_owned(),
            };
            draft.hold(Address::user(&user.email), reason);
        }
    }
}

fn plan_missing(input: &PlanInput<'_>, wish: &DesiredUser, draft: &mut Draft<'_>) {
    let address = Address::user(&wish.email);
    if let Completeness::Broken { why } = &input.live.users.completeness {
        draft.hold(address, HoldReason::Unreadable { list: "users".to_owned(), why: why.clone() });
        return;
    }
    let invitation = input.facts.invitations.get(&wish.email);
    if wish.absent || wish.enabled == Some(false) {
        if let Some(invitation) = invitation.filter(|invitation| !invitation.seen) {
            draft.hold(address, HoldReason::InvitationCannotBeCancelled { since: invitation.at });
        } else if !wish.absent {
            draft.hold(address, HoldReason::DisabledAndAbsent);
        }
        return;
    }
    let mut cause = Cause::Declared;
    if let Some(invitation) = invitation {
        let since = invitation.at;
        let hold = match (invitation.state, invitation.seen) {
            _ if draft.is_asserted(&address) => None,
            (InvitationState::Sent, true) if input.desired.reinvite_expired => None,
            (InvitationState::Sent, true) => Some(HoldReason::InvitationVanished { since }),
            (InvitationState::Sent, false) => Some(HoldReason::InvitationPending { since }),
            (InvitationState::Unsure, _) => Some(HoldReason::InvitationUnsure { since }),
        };
        if let Some(reason) = hold {
            draft.hold(address, reason);
            return;
        }
        cause = if draft.is_asserted(&address) { Cause::Asserted } else { Cause::InvitationVanished };
    }
    let missing = missing_fields(input, wish);
    if !missing.is_empty() {
        draft.findings.push(
            Finding::error(
                Code::IncompleteInvitation,
                wish.place.clone(),
                format!("{} isn't there yet, and an invitation needs {}", wish.email, missing.join(", ")),
            )
            .hint(format!("add {}", missing.join(", "))),
        );
        return;
    }
    let DesiredUser { place, email, first_name, last_name, phone, roles, enabled: _, absent: _ } = wish;
    let after = User {
        id: None,
        email: email.clone(),
        first_name: first_name.clone(),
        last_name: last_name.clone(),
        phone: phone.clone(),
        roles: roles.clone().unwrap_or_default(),
        enabled: Seen::Known(true),
    };
    let change = Change {
        address,
        action: Action::Invite,
        before: None,
        after: Entity::User(after),
        cause,
        effects: vec![Effect::SendsMail],
    };
    draft.change(change, Some(place));
}

fn missing_fields(input: &PlanInput<'_>, wish: &DesiredUser) -> Vec<&'static str> {
    let lacks = |field: &InviteField| match field {
        InviteField::FirstName => wish.first_name.is_none().then_some("`first_name`"),
        InviteField::LastName => wish.last_name.is_none().then_some("`last_name`"),
        InviteField::Roles => wish.roles.is_none().then_some("`roles`"),
    };
    input.rules.invite_needs().iter().filter_map(lacks).collect()
}

fn plan_unlisted(input: &PlanInput<'_>, user: &LiveUser, namesakes: bool, draft: &mut Draft<'_>) {
    let address = Address::user(&user.email);
    let address = if namesakes { address.with_id(&user.id) } else { address };
    let before = as_read(input, user);
    if input.desired.manage.users == Scope::Listed {
        let privileged = input.rules.is_admin(&user.roles);
        draft.hold(address, HoldReason::Unmanaged { privileged });
        return;
    }
    if before.enabled == Seen::Known(false) {
        return;
    }
    if let Completeness::Broken { why } = &input.live.users.completeness {
        draft.hold(address, HoldReason::Unreadable { list: "users".to_owned(), why: why.clone() });
        return;
    }
    let after = User { enabled: Seen::Known(false), ..before.clone() };
    let change = Change {
        address,
        action: Action::Disable,
        before: Some(Entity::User(before)),
        after: Entity::User(after),
        cause: Cause::NotListed,
        effects: Vec::new(),
    };
    draft.change(change, None);
}

/// Whoever we invited, who isn't in the list and no longer in the file, may still accept.
fn hold_unreachable_invitees(
    input: &PlanInput<'_>,
    listed: &BTreeSet<&Email>,
    live: &BTreeMap<&Email, Vec<&LiveUser>>,
    draft: &mut Draft<'_>,
) {
    for (email, invitation) in &input.facts.invitations {
        if !invitation.seen && !listed.contains(email) && !live.contains_key(email) {
            let reason = HoldReason::InvitationCannotBeCancelled { since: invitation.at };
            draft.hold(Address::user(email), reason);
        }
    }
}
