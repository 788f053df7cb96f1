//! People, as they were.

use std::collections::{BTreeMap, BTreeSet};

use super::entries::{absent, field, resources};
use super::yaml::Yaml;
use super::{UndoBuilder, UndoInput, irreversible};
use rolecall_model::{
    Action, Address, AssignableRole, Cause, Change, Effect, Email, Entity, InviteField, Kind, LiveUser,
    ManualStep, Memberships, ProviderName, RemoteId, RoleName, Seen, TeamName, User, check_name,
};

/// Somebody, by address, and by id where one address stands for several.
type Person<'a> = (&'a Email, Option<&'a RemoteId>);

type Fields = Vec<(&'static str, Yaml)>;

pub(super) fn plan_users(input: &UndoInput<'_>, builder: &mut UndoBuilder) {
    let mut people: BTreeMap<Person<'_>, Vec<&Change>> = BTreeMap::new();
    for change in &input.plan.sealed.changes {
        let Some(user) = change.entity().and_then(Entity::user) else { continue };
        irreversible::of_effects(change, builder);
        if is_other_invitation(change) {
            builder.note(&change.address, "another invitation of theirs is taken back, and isn't made anew");
            continue;
        }
        let by_id = matches!(input.desired.provider, ProviderName::Hive | ProviderName::Paradime);
        let id = change.address.id.as_ref().filter(|_| by_id);
        people.entry((&user.email, id)).or_default().push(change);
    }
    for (person, changes) in &people {
        undo_person(input, *person, changes, builder);
    }
    members_of_deleted_teams(input, &people, builder);
    admins_to_rely_on(input, &people, builder);
}

/// One beside a member, or in another spelling: no entry of a file means just that one.
fn is_other_invitation(change: &Change) -> bool {
    let Address { kind, id, .. } = &change.address;
    change.cause == Cause::AlreadyMember || *kind == Kind::Invitation && id.is_some()
}

/// What they were in this organisation.
enum Was<'a> {
    Member(&'a User),
    Invited(&'a User),
    /// Neither a member nor invited.
    Outside,
}

fn was(change: &Change) -> Was<'_> {
    match change.before.as_ref().and_then(Entity::user) {
        None => Was::Outside,
        Some(before) if before.outside => Was::Outside,
        // One that has run out let nobody in.
        Some(before) if before.invited && change.action == Action::Invite => {
            if change.effects.contains(&Effect::ReplacesInvitation) { Was::Invited(before) } else { Was::Outside }
        }
        Some(before) if before.invited && change.action == Action::Cancel => Was::Invited(before),
        Some(before) => Was::Member(before),
    }
}

fn undo_person(input: &UndoInput<'_>, (email, id): Person<'_>, changes: &[&Change], builder: &mut UndoBuilder) {
    let Some(change) = changes.iter().min_by_key(|change| match was(change) {
        Was::Member(_) => 0,
        Was::Invited(_) => 1,
        Was::Outside => 2,
    }) else {
        return;
    };
    let address = &change.address;
    let mut value = vec![("email", Yaml::text(email))];
    value.extend(id.map(|id| ("id", Yaml::text(id))));
    let account = changes.iter().find_map(|change| account(input, change, builder));
    match was(change) {
        Was::Outside => {
            if change.action == Action::Invite && !input.rules.changes_invitations() {
                let why =
                    "no call takes the invitation back; the way back takes their access, once they have accepted";
                builder.note(address, why);
            }
            let open = input.live.open_invitations().any(|open| open.email == *email);
            if open && change.action != Action::Invite {
                // `absent` would take the invitation back, and whoever is off must not be invited.
                let why = "no file says that somebody is invited whose account is as it was; set it back by hand";
                builder.note(address, why);
                return;
            }
            value.push(absent());
        }
        Was::Invited(before) => {
            let Some(fields) = invited(input, address, before, before.teams.clone(), builder) else { return };
            builder.note(address, "their invitation is taken back; the way back makes another, by mail");
            value.extend(fields);
        }
        Was::Member(before) => match change.action {
            Action::Remove | Action::Delete => {
                let teams = live(input, before).and_then(|user| user.teams.clone());
                let Some(fields) = invited(input, address, before, teams, builder) else { return };
                let why = "they are no longer in; the way back invites them, by mail, and they have to accept";
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
                if input.rules.hides_disabled() && change.action == Action::Disable {
                    let manual_step = input.rules.manual_step(ManualStep::EnableUser);
                    builder.note(address, format!("no call lets them in again; a person does: {manual_step}"));
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

/// Whether they may sign in, where the file has that and the plan writes it.
fn account(input: &UndoInput<'_>, change: &Change, builder: &mut UndoBuilder) -> Option<(&'static str, Yaml)> {
    let before = change.before.as_ref()?.user()?;
    let after = change.after.as_ref().and_then(Entity::user);
    let sent = after.map_or(Seen::Unreadable, |after| after.enabled);
    let was = match (before.enabled, sent) {
        (Seen::Known(was), _) => was,
        // It can't be read, so what is sent is all that there is to reverse.
        (Seen::Unreadable, Seen::Known(sent)) => {
            let shown = if sent { "they may have been disabled" } else { "they may have been disabled already" };
            builder.note(&change.address, format!("whether they were enabled can't be read: {shown}"));
            true
        }
        (Seen::Unreadable, Seen::Unreadable) => true,
    };
    match input.desired.provider {
        ProviderName::Bitpanda => Some(("enabled", Yaml::Bool(was))),
        ProviderName::Rapidapi if before.enabled != sent && after.is_some() && !before.invited => {
            Some(("status", Yaml::text(if was { "active" } else { "deactivated" })))
        }
        ProviderName::Rapidapi | ProviderName::Hive | ProviderName::Paradime => None,
    }
}

fn is_everywhere(input: &UndoInput<'_>, roles: &BTreeSet<RoleName>) -> bool {
    input.rules.admins_are_in_every_team() && input.rules.is_admin(input.live, roles)
}

/// Can it be given, by what is written? Not every platform says what an invitation is for, and some have given roles
/// that are no longer there.
fn is_given(role: &RoleName, among: Option<&[AssignableRole]>) -> bool {
    let Some(among) = among else { return !role.as_str().is_empty() };
    let called = |known: &&AssignableRole| known.raw_name == *role || known.key == role.as_str();
    among.iter().any(|known| known.name == *role) || among.iter().filter(called).count() == 1
}

fn roles_of(input: &UndoInput<'_>, before: &User) -> Option<(&'static str, Yaml)> {
    let among = input.live.assignable.as_ref().map(|roles| roles.organization.as_slice());
    let given = before.roles.iter().all(|role| is_given(role, among));
    given.then(|| ("roles", Yaml::names(&before.roles)))
}

fn names_of(input: &UndoInput<'_>, before: &User) -> Fields {
    if input.desired.provider != ProviderName::Bitpanda {
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
    // The plan leaves out teams that go, and those of whoever is in all of them.
    let teams = live(input, before).and_then(|user| user.teams.as_ref());
    fields.extend(
        teams.filter(|_| !is_everywhere(input, &before.roles)).map(|teams| ("teams", memberships(input, teams))),
    );
    fields
}

/// With their roles there, where all of these are known.
fn memberships(input: &UndoInput<'_>, teams: &Memberships) -> Yaml {
    let among = input.live.assignable.as_ref().map(|roles| roles.team.as_slice());
    let with_role = |(team, role): (&TeamName, &Option<RoleName>)| {
        let role = role.as_ref().filter(|role| is_given(role, among))?;
        Some((team.to_string(), Yaml::text(role)))
    };
    let with_roles: Option<Vec<(String, Yaml)>> = teams.iter().map(with_role).collect();
    match with_roles {
        Some(entries) if !entries.is_empty() => Yaml::flow(entries),
        _ => Yaml::names(teams.keys()),
    }
}

/// What a new invitation needs. None: not all of it is known, which is noted.
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
    let needs = input.rules.invite_needs().iter().map(|need| match need {
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
    let why = format!(
        "the way back doesn't invite them anew: what was said of their {} isn't known",
        missing.join(" and ")
    );
    builder.note(address, why);
    None
}

/// Whoever was in a team that is deleted, and isn't changed besides.
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
                builder
                    .note(&address, "several have this address, so that no file says who was in the deleted team");
            }
        }
    }
}

/// Where it can't be read who may sign in, an admin counts only if the file says so.
fn admins_to_rely_on(
    input: &UndoInput<'_>,
    people: &BTreeMap<Person<'_>, Vec<&Change>>,
    builder: &mut UndoBuilder,
) {
    for desired in input.desired.users.iter().filter(|desired| desired.enabled == Some(true)) {
        let mut found = input.live.users.items.iter().filter(|user| user.email == desired.email);
        let (Some(user), None) = (found.next(), found.next()) else { continue };
        let relied_on = user.enabled == Seen::Unreadable && input.rules.is_admin(input.live, &user.roles);
        let off = input.facts.enabled_sent.get(&user.id) == Some(&false);
        if relied_on && !off && !people.contains_key(&(&desired.email, None)) {
            let value = vec![("email", Yaml::text(&desired.email)), ("enabled", Yaml::Bool(true))];
            builder.write(Address::user(&desired.email), value);
            builder.remarks.insert(
                "Users with `enabled` and no more are unchanged admins, who count only if they are listed.",
            );
        }
    }
}
