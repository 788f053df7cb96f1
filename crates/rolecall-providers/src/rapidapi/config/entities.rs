//! The checks of the organisation, its teams and its users in a RapidAPI file.

use std::collections::BTreeSet;

use super::teams::check_user_teams;
use super::{RawSettings, RawStatus, RawTeam, RawUser};
use rolecall_config::Mark;
use rolecall_config::parts::{Checker, Field, NameText, flag};
use rolecall_model::{
    Address, Allowance, Code, DesiredOrganization, DesiredTeam, DesiredUser, Finding, Placed, RemoteId, RoleName,
    TeamName,
};

pub(super) fn check_settings(
    field: Field<RawSettings>,
    organization: Option<&Placed<RemoteId>>,
    check: &mut Checker<'_>,
) -> Option<DesiredOrganization> {
    let place = check.place(field.mark);
    let RawSettings { name, email, seats, description, thumbnail, create, absent } = field.value?;
    let absent = flag(absent);
    let at = |field: &Option<Field<NameText>>, name| field.as_ref().map(|field| (field.mark, name));
    check.contradiction(
        absent,
        [
            at(&name, "name"),
            email.as_ref().map(|field| (field.mark, "email")),
            seats.as_ref().map(|field| (field.mark, "seats")),
            at(&description, "description"),
            at(&thumbnail, "thumbnail"),
            create.as_ref().map(|field| (field.mark, "create")),
        ],
    );
    let is_id = |id: &Placed<RemoteId>| id.as_str().bytes().all(|byte| byte.is_ascii_digit());
    if let Some(create) = create.as_ref().filter(|create| create.value == Some(true))
        && organization.is_some_and(is_id)
    {
        let message = "An organisation that rolecall creates can't have an id yet.".to_owned();
        check.invalid(create.mark, message, "Write the slug that the name will have as `organization`.");
    }
    let seats = seats.and_then(|field| {
        let seats = field.value?;
        if seats == 0 {
            check.invalid(
                field.mark,
                "An organisation must have at least one seat.".to_owned(),
                "Write the number of seats.",
            );
        }
        Some(seats)
    });
    Some(DesiredOrganization {
        place,
        name: name.and_then(|field| check.text(field)),
        email: email.and_then(|field| check.email(field)).map(|email| email.as_str().to_owned()),
        seats,
        description: description.and_then(|field| check.text(field)),
        thumbnail: thumbnail.and_then(|field| check.text(field)),
        create: flag(create),
        absent,
    })
}

pub(super) fn check_teams(raw: Option<Field<Vec<Field<RawTeam>>>>, check: &mut Checker<'_>) -> Vec<DesiredTeam> {
    let teams = check.entries(raw, Code::DuplicateTeam, |raw: RawTeam, _, check| {
        let RawTeam { name, previously, description, thumbnail, absent } = raw;
        let mark = name.mark;
        let absent = flag(absent);
        check.contradiction(
            absent,
            [
                previously.as_ref().map(|f| (f.mark, "previously")),
                description.as_ref().map(|f| (f.mark, "description")),
                thumbnail.as_ref().map(|f| (f.mark, "thumbnail")),
            ],
        );
        let description = description.and_then(|field| check.text(field));
        let thumbnail = thumbnail.and_then(|field| check.text(field));
        let previously = check.previously(previously);
        let name = check.name::<TeamName>(name)?;
        let address = Address::team(&name);
        let place = check.place(mark);
        Some((mark, address, DesiredTeam { place, name, previously, description, thumbnail, absent }))
    });
    let previously = |team: &DesiredTeam| {
        team.previously.iter().map(|(name, place)| (Address::team(name), place.clone())).collect()
    };
    let names: Vec<_> = teams.iter().map(|team| (Address::team(&team.name), previously(team))).collect();
    check.previous_names(&names);
    teams
}

pub(super) fn check_users(
    raw: Option<Field<Vec<Field<RawUser>>>>,
    teams: &[DesiredTeam],
    allowed: &BTreeSet<Allowance>,
    check: &mut Checker<'_>,
) -> Vec<DesiredUser> {
    let deleted: BTreeSet<&TeamName> = teams.iter().filter(|team| team.absent).map(|team| &team.name).collect();
    check.entries(raw, Code::DuplicateUser, |raw: RawUser, _, check| {
        let RawUser { email, roles, teams, status, absent } = raw;
        let mark = email.mark;
        let absent = flag(absent);
        check.contradiction(
            absent,
            [roles.as_ref().map(|f| (f.mark, "roles")), teams.as_ref().map(|f| (f.mark, "teams"))],
        );
        let roles = roles.and_then(|field| check_role(field, check));
        let teams = teams.and_then(|field| check_user_teams(field, check));
        let status = status.and_then(|field| check_status(field, absent, allowed, check));
        let email = check.email(email)?;
        for (team, role) in teams.iter().flatten().filter(|(team, _)| deleted.contains(team)) {
            check.push(
                Finding::error(
                    Code::TeamIsAbsent,
                    role.place.clone(),
                    format!("{email} is listed in the team `{team}`, but the file deletes that team."),
                )
                .hint("Remove the team here, or remove `absent: true` from the team."),
            );
        }
        let enabled = match status {
            Some(RawStatus::Active) => Some(true),
            Some(RawStatus::Deactivated) => Some(false),
            Some(RawStatus::Deleted) | None => None,
        };
        let deleted = status == Some(RawStatus::Deleted);
        let address = Address::user(&email);
        let user = DesiredUser::named(check.place(mark), email);
        Some((mark, address, DesiredUser { roles, teams, enabled, absent, deleted, ..user }))
    })
}

/// Checks a user's role. An empty list means the hub's default role.
fn check_role(field: Field<Vec<Field<NameText>>>, check: &mut Checker<'_>) -> Option<Placed<BTreeSet<RoleName>>> {
    let list: Mark = field.mark;
    if field.value.as_ref()?.is_empty() {
        return Some(check.placed(list, BTreeSet::new()));
    }
    let (role, _) = check.one_role(field, "Keep one. A user has one role in an organisation.")?;
    Some(check.placed(list, BTreeSet::from([role])))
}

fn check_status(
    Field { mark, value }: Field<RawStatus>,
    absent: bool,
    allowed: &BTreeSet<Allowance>,
    check: &mut Checker<'_>,
) -> Option<RawStatus> {
    let status = value?;
    if status != RawStatus::Deleted {
        return Some(status);
    }
    let mut findings = Vec::new();
    if !absent {
        findings.push(("A user whose account is deleted can't be in the organisation.", "Add `absent: true`."));
    }
    if !allowed.contains(&Allowance::UserDeletion) {
        findings.push((
            "rolecall deletes an account only if the file allows it.",
            "Add `allow: [user-deletion]` to the file. A deleted account can't be restored.",
        ));
    }
    let allowed = findings.is_empty();
    for (message, hint) in findings {
        check.invalid(mark, message.to_owned(), hint);
    }
    allowed.then_some(status)
}
