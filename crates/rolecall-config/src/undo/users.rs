//! The entries of users in an undo file.

use std::collections::{BTreeMap, BTreeSet};

use super::entries::{absent, field, resources};
use super::yaml::Yaml;
use super::{UndoBuilder, UndoInput, irreversible};
use rolecall_model::{
    AccountField, Action, Address, AssignableRole, Cause, Change, Effect, Email, Entity, InviteField, Kind,
    LiveUser, ManualStep, Memberships, Quirk, RemoteId, RoleName, Seen, TeamName, User, check_name, sentence,
};

/// A user, by email address, and by id on platforms where several users can have the same address.
type Person<'a> = (&'a Email, Option<&'a RemoteId>);

type Fields = Vec<(&'static str, Yaml)>;

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

fn is_everywhere(input: &UndoInput<'_>, roles: &BTreeSet<RoleName>) -> bool {
    input.format.rules.has(Quirk::AdminsInEveryTeam) && input.format.rules.is_admin(input.live, roles)
}

/// Returns whether a file can ask for a role by this name. Not every platform shows the role of an invitation, and
/// a user may have a role that no longer exists.
fn can_be_given(role: &RoleName, assignable: Option<&[AssignableRole]>) -> bool {
    let Some(assignable) = assignable else { return !role.as_str().is_empty() };
    let matches = |known: &&AssignableRole| known.raw_name == *role || known.key == role.as_str();
    assignable.iter().any(|known| known.name == *role) || assignable.iter().filter(matches).count() == 1
}

fn roles_of(input: &UndoInput<'_>, before: &User) -> Option<(&'static str, Yaml)> {
    let assignable = input.live.assignable.as_ref().map(|roles| roles.organization.as_slice());
    let given = before.roles.iter().all(|role| can_be_given(role, assignable));
    given.then(|| ("roles", Yaml::names(&before.roles)))
}

fn names_of(input: &UndoInput<'_>, before: &User) -> Fields {
    if !input.format.rules.capabilities().invite_needs.contains(&InviteField::FirstName) {
        return Fields::new();
    }
    let fields = [("first_name", &before.first_name), ("last_name", &before.last_name), ("phone", &before.phone)];
    let sayable = |value: &&String| check_name(value).is_ok();
    fields.into_iter().filter_map(|(name, value)| field(name, value.as_ref().filter(sayable))).collect()
}

fn as_member(input: &UndoInput<'_>, before: &User) -> Fields {
    let mut fields = names_of(input, before);
    fields.extend(roles_of(input, before));
    fields.extend(before.resources.as_ref().map(|of| ("resources", resources(of))));
    // The plan's `before` lacks deleted teams, and the teams of admins, who are in every team. The read has all of
    // them.
    let teams = live(input, before).and_then(|user| user.teams.as_ref());
    fields.extend(
        teams.filter(|_| !is_everywhere(input, &before.roles)).map(|teams| ("teams", memberships(input, teams))),
    );
    fields
}

/// Returns teams with the user's roles in them, or only the teams if a role isn't known.
fn memberships(input: &UndoInput<'_>, teams: &Memberships) -> Yaml {
    let assignable = input.live.assignable.as_ref().map(|roles| roles.team.as_slice());
    let with_role = |(team, role): (&TeamName, &Option<RoleName>)| {
        let role = role.as_ref().filter(|role| can_be_given(role, assignable))?;
        Some((team.to_string(), Yaml::text(role)))
    };
    let with_roles: Option<Vec<(String, Yaml)>> = teams.iter().map(with_role).collect();
    match with_roles {
        Some(entries) if !entries.is_empty() => Yaml::flow(entries),
        _ => Yaml::names(teams.keys()),
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
    let mut fields = names_of(input, before);
    fields.extend(roles_of(input, before));
    fields.extend(before.resources.as_ref().map(|of| ("resources", resources(of))));
    fields.extend(teams.filter(|teams| !teams.is_empty()).map(|teams| ("teams", memberships(input, &teams))));
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
    for user in input.live.users.items.iter().filter(|user| !is_everywhere(input, &user.roles)) {
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
                builder.write(address, vec![("email", Yaml::text(email)), ("teams", memberships(input, teams))]);
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
