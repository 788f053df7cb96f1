//! The entries of users in an undo file.

use std::collections::{BTreeMap, BTreeSet};

use super::super::write::{Fields, Writer, Yaml, absent, resources};
use super::{UndoBuilder, UndoInput, irreversible};
use rolecall_model::{
    AccountField, Action, Address, Cause, Change, Effect, Email, Entity, InviteField, Kind, LiveUser, ManualStep,
    Memberships, Quirk, RemoteId, Seen, TeamName, User, sentence,
};

/// A user, by email address, and by id on platforms where several users can have the same address.
type Person<'a> = (&'a Email, Option<&'a RemoteId>);

pub(super) fn plan_users(input: &UndoInput<'_>, builder: &mut UndoBuilder) {
    let mut people: BTreeMap<Person<'_>, Vec<&Change>> = BTreeMap::new();
    for change in &input.plan.sealed.changes {
        let Some(user) = change.entity().and_then(Entity::user) else { continue };
        irreversible::of_effects(change, builder);
        if is_other_invitation(change) {
            builder.note(
                &change.address,
                "Another invitation of theirs is cancelled. The undo file doesn't send it again.",
            );
            continue;
        }
        let by_id = input.format.rules.has(Quirk::UsersHaveIds);
        let id = change.address.id.as_ref().filter(|_| by_id);
        people.entry((&user.email, id)).or_default().push(change);
    }
    for (person, changes) in &people {
        undo_person(input, *person, changes, builder);
    }
    members_of_deleted_teams(input, &people, builder);
    admins_to_rely_on(input, &people, builder);
}

/// Returns whether the change is about an invitation that no file entry can select: the user is already a member,
/// or the address is spelled differently.
fn is_other_invitation(change: &Change) -> bool {
    let Address { kind, id, .. } = &change.address;
    change.cause == Cause::AlreadyMember || *kind == Kind::Invitation && id.is_some()
}

/// A user's previous state in this organisation.
enum Previous<'a> {
    Member(&'a User),
    Invited(&'a User),
    /// Neither a member nor invited.
    Outside,
}

fn previous(change: &Change) -> Previous<'_> {
    match change.before.as_ref().and_then(Entity::user) {
        None => Previous::Outside,
        Some(before) if before.outside => Previous::Outside,
        // An expired invitation gave no access, so there is nothing to restore.
        Some(before) if before.invited && change.action == Action::Invite => {
            if change.effects.contains(&Effect::ReplacesInvitation) {
                Previous::Invited(before)
            } else {
                Previous::Outside
            }
        }
        Some(before) if before.invited && change.action == Action::Cancel => Previous::Invited(before),
        Some(before) => Previous::Member(before),
    }
}

fn undo_person(input: &UndoInput<'_>, (email, id): Person<'_>, changes: &[&Change], builder: &mut UndoBuilder) {
    let Some(change) = changes.iter().min_by_key(|change| match previous(change) {
        Previous::Member(_) => 0,
        Previous::Invited(_) => 1,
        Previous::Outside => 2,
    }) else {
        return;
    };
    let address = &change.address;
    let mut value = vec![("email", Yaml::text(email))];
    value.extend(id.map(|id| ("id", Yaml::text(id))));
    let account = changes.iter().find_map(|change| account(input, change, builder));
    match previous(change) {
        Previous::Outside => {
            if change.action == Action::Invite && !input.format.rules.has(Quirk::ChangesInvitations) {
                let why =
                    "The API can't cancel the invitation. The undo file takes their access after they accept.";
                builder.note(address, why);
            }
            let open = input.live.open_invitations().any(|open| open.email == *email);
            if open && change.action != Action::Invite {
                // `absent` would cancel the open invitation, and a user whose account is deactivated must not be
                // invited.
                let why = "A file can't ask for an open invitation together with the previous status of the account. Restore the status manually.";
                builder.note(address, why);
                return;
            }
            value.push(absent());
        }
        Previous::Invited(before) => {
            let Some(fields) = invited(input, address, before, before.teams.clone(), builder) else { return };
            builder.note(address, "Their invitation is cancelled. The undo file sends another, by mail.");
            value.extend(fields);
        }
        Previous::Member(before) => match change.action {
            Action::Remove | Action::Delete => {
                let teams = live(input, before).and_then(|user| user.teams.clone());
                let Some(fields) = invited(input, address, before, teams, builder) else { return };
                let why =
                    "They are no longer a member. The undo file invites them, by mail, and they must accept.";
                builder.note(address, why);
                value.extend(fields);
            }
            Action::Invite
            | Action::Update
            | Action::Disable
            | Action::Create
            | Action::Enable
            | Action::RemoveAccess
            | Action::Cancel => {
                if input.format.rules.has(Quirk::HidesDisabled) && change.action == Action::Disable {
                    let manual_step = input.format.rules.manual_step(ManualStep::EnableUser);
                    let why = format!("The API can't enable users. Enable them manually: {manual_step}");
                    builder.note(address, sentence(&why));
                }
                value.extend(as_member(input, before));
            }
        },
    }
    value.extend(account);
    builder.write(address.clone(), value);
}

/// Returns the fields of a member as the member was before the plan.
fn as_member(input: &UndoInput<'_>, before: &User) -> Fields {
    let writer = writer(input);
    let mut fields = writer.names(before);
    fields.extend(writer.roles(&before.roles));
    fields.extend(before.resources.as_ref().map(|of| ("resources", resources(of))));
    // The plan's `before` lacks deleted teams, and the teams of admins, who are in every team. The read has all of
    // them.
    let teams = live(input, before).and_then(|user| user.teams.as_ref());
    fields.extend(
        teams.filter(|_| !writer.is_in_every_team(&before.roles)).map(|teams| ("teams", writer.teams(teams))),
    );
    fields
}

fn writer<'a>(input: &UndoInput<'a>) -> Writer<'a> {
    Writer { live: input.live, rules: input.format.rules }
}

fn live<'a>(input: &UndoInput<'a>, before: &User) -> Option<&'a LiveUser> {
    input.live.users.items.iter().find(|user| Some(&user.id) == before.id.as_ref())
}

/// Returns the field that says whether a user can sign in, if the platform has one and the plan writes it.
fn account(input: &UndoInput<'_>, change: &Change, builder: &mut UndoBuilder) -> Option<(&'static str, Yaml)> {
    let before = change.before.as_ref()?.user()?;
    let after = change.after.as_ref().and_then(Entity::user);
    let sent = after.map_or(Seen::Unreadable, |after| after.enabled);
    let was = match (before.enabled, sent) {
        (Seen::Known(was), _) => was,
        // The previous value can't be read. `true` undoes a request to disable the user.
        (Seen::Unreadable, Seen::Known(sent)) => {
            let perhaps = if sent { "They may have been disabled" } else { "They may have been disabled already" };
            builder.note(&change.address, format!("The previous status can't be read. {perhaps}."));
            true
        }
        (Seen::Unreadable, Seen::Unreadable) => true,
    };
    match input.format.rules.capabilities().account_field? {
        AccountField::Enabled => Some(("enabled", Yaml::Bool(was))),
        AccountField::Status => (before.enabled != sent && after.is_some() && !before.invited)
            .then(|| ("status", Yaml::text(if was { "active" } else { "deactivated" }))),
    }
}

/// Returns the fields of a new invitation. If one of them isn't known, it adds a note and returns `None`.
fn invited(
    input: &UndoInput<'_>,
    address: &Address,
    before: &User,
    teams: Option<Memberships>,
    builder: &mut UndoBuilder,
) -> Option<Fields> {
    let mut fields = writer(input).names(before);
    fields.extend(writer(input).roles(&before.roles));
    fields.extend(before.resources.as_ref().map(|of| ("resources", resources(of))));
    fields.extend(teams.filter(|teams| !teams.is_empty()).map(|teams| ("teams", writer(input).teams(&teams))));
    let needs = input.format.rules.capabilities().invite_needs.iter().map(|need| match need {
        InviteField::FirstName => "first_name",
        InviteField::LastName => "last_name",
        InviteField::Roles => "roles",
        InviteField::Teams => "teams",
        InviteField::Resources => "resources",
    });
    let missing: Vec<&str> = needs.filter(|need| fields.iter().all(|(name, _)| name != need)).collect();
    if missing.is_empty() {
        return Some(fields);
    }
    let why =
        format!("The undo file doesn't invite them again, because their {} can't be read.", missing.join(" and "));
    builder.note(address, why);
    None
}

/// Adds members of deleted teams whom the plan doesn't change otherwise.
fn members_of_deleted_teams(
    input: &UndoInput<'_>,
    people: &BTreeMap<Person<'_>, Vec<&Change>>,
    builder: &mut UndoBuilder,
) {
    let changes = input.plan.sealed.changes.iter().filter(|change| change.action == Action::Delete);
    let deleted: BTreeSet<&TeamName> =
        changes.filter_map(|change| Some(&change.before.as_ref()?.team()?.name)).collect();
    if deleted.is_empty() {
        return;
    }
    let mut members: BTreeMap<&Email, Vec<(&LiveUser, &Memberships)>> = BTreeMap::new();
    for user in input.live.users.items.iter().filter(|user| !writer(input).is_in_every_team(&user.roles)) {
        let Some(teams) = &user.teams else { continue };
        if teams.keys().any(|team| deleted.contains(team)) && !people.contains_key(&(&user.email, None)) {
            members.entry(&user.email).or_default().push((user, teams));
        }
    }
    for (email, of) in members {
        let address = Address::user(email);
        let namesakes = input.live.users.items.iter().filter(|user| user.email == *email).count();
        match of.as_slice() {
            [(_, teams)] if namesakes == 1 => {
                builder.write(address, vec![("email", Yaml::text(email)), ("teams", writer(input).teams(teams))]);
            }
            _ => {
                builder.note(
                    &address,
                    "Several users have this address, so a file can't say which of them was in the deleted team.",
                );
            }
        }
    }
}

/// Adds unchanged admins with `enabled: true`. If the API doesn't show who can sign in, only admins whom the file
/// declares enabled count as usable admins.
fn admins_to_rely_on(
    input: &UndoInput<'_>,
    people: &BTreeMap<Person<'_>, Vec<&Change>>,
    builder: &mut UndoBuilder,
) {
    for desired in input.desired.users.iter().filter(|desired| desired.enabled == Some(true)) {
        let mut found = input.live.users.items.iter().filter(|user| user.email == desired.email);
        let (Some(user), None) = (found.next(), found.next()) else { continue };
        let relied_on = user.enabled == Seen::Unreadable && input.format.rules.is_admin(input.live, &user.roles);
        let off = input.facts.enabled_sent.get(&user.id) == Some(&false);
        if relied_on && !off && !people.contains_key(&(&desired.email, None)) {
            let value = vec![("email", Yaml::text(&desired.email)), ("enabled", Yaml::Bool(true))];
            builder.write(Address::user(&desired.email), value);
            builder.remarks.insert(
                "A user with only `email` and `enabled` is an unchanged admin. Admins count as usable only if they are listed.",
            );
        }
    }
}
