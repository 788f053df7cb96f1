//! The checks of roles, users and access tokens in a Hive file.

use std::collections::{BTreeMap, BTreeSet};

use super::resources::{permissions_of, resources_of};
use super::{RawKey, RawRole, RawUser};
use rolecall_config::Mark;
use rolecall_config::parts::{Checker, DescriptionText, Field, NameText, flag};
use rolecall_model::{
    Address, Code, DesiredKey, DesiredRole, DesiredUser, Finding, KeyName, Permission, Place, RoleName, deceptive,
    quote,
};

/// The names of built-in roles, which no other role can have.
const BUILT_IN: &[&str] = &["Admin", "Viewer"];

/// The length limit of an address that can be invited, in characters.
const LONGEST_EMAIL: usize = 128;

/// Returns the length of a text in UTF-16 units. The platform counts these, because it is written in JavaScript.
fn utf16_length(text: &str) -> usize {
    text.encode_utf16().count()
}

/// Checks the name of a role by the rules of the server (measured on Hive 8.1.2).
pub(super) fn check_role_name(name: &RoleName, mark: Mark, check: &mut Checker<'_>) -> bool {
    let text = name.as_str();
    if BUILT_IN.contains(&text) {
        let place = check.place(mark);
        check.push(
            Finding::error(
                Code::ReservedRole,
                place,
                format!("The role `{text}` is built in and can't be changed."),
            )
            .hint("Remove the entry, or name another role. Users can have a built-in role without an entry."),
        );
        return false;
    }
    let starts_lower_case = text.chars().next().is_some_and(|first| !first.to_uppercase().eq([first]));
    let why = if !(2..=64).contains(&utf16_length(text)) {
        "it must have 2 to 64 characters"
    } else if starts_lower_case {
        "it must not start with a lower-case letter"
    } else {
        return true;
    };
    check.invalid(mark, format!("{} can't be the name of a role: {why}.", quote(text)), "Choose another name.");
    false
}

fn check_description(
    field: Field<DescriptionText>,
    lengths: std::ops::RangeInclusive<usize>,
    check: &mut Checker<'_>,
) -> Option<String> {
    let DescriptionText(text) = field.value?;
    let length = utf16_length(text.trim());
    if !lengths.contains(&length) {
        let (least, most) = (lengths.start(), lengths.end());
        let message = format!("A description must have {least} to {most} characters, and this one has {length}.");
        check.invalid(
            field.mark,
            message,
            if length < *least { "Write a longer text." } else { "Shorten the text." },
        );
        return None;
    }
    if deceptive(&text).any(|(_, c)| c != '\n') {
        let message = "The description contains a control character or an invisible character.".to_owned();
        check.invalid(field.mark, message, "Type the text again.");
        return None;
    }
    Some(text)
}

pub(super) fn check_roles(raw: Option<Field<Vec<Field<RawRole>>>>, check: &mut Checker<'_>) -> Vec<DesiredRole> {
    let roles = check.entries(raw, Code::DuplicateRole, |raw: RawRole, _, check| {
        let RawRole { name, previously, description, permissions, absent } = raw;
        let mark = name.mark;
        let absent = flag(absent);
        check.contradiction(
            absent,
            [
                previously.as_ref().map(|f| (f.mark, "previously")),
                description.as_ref().map(|f| (f.mark, "description")),
                permissions.as_ref().map(|f| (f.mark, "permissions")),
            ],
        );
        let previously = check_previously(previously, check);
        let description = description.and_then(|field| check_description(field, 2..=256, check));
        let permissions = permissions.and_then(|field| permissions_of(field, check));
        let name = check.name(name).filter(|name| check_role_name(name, mark, check))?;
        let address = Address::role(&name);
        let place = check.place(mark);
        Some((mark, address, DesiredRole { place, name, previously, description, permissions, absent }))
    });
    let previously = |role: &DesiredRole| {
        role.previously.iter().map(|(name, place)| (Address::role(name), place.clone())).collect()
    };
    let names: Vec<_> = roles.iter().map(|role| (Address::role(&role.name), previously(role))).collect();
    check.previous_names(&names);
    roles
}

/// Checks the names that a role had before. A built-in role can't be renamed.
fn check_previously(
    field: Option<Field<Vec<Field<NameText>>>>,
    check: &mut Checker<'_>,
) -> BTreeMap<RoleName, Place> {
    let previously = check.previously::<RoleName>(field);
    for (name, place) in previously.iter().filter(|(name, _)| BUILT_IN.contains(&name.as_str())) {
        let message = format!("The role `{name}` is built in and can't be renamed.");
        check
            .push(Finding::error(Code::ReservedRole, place.clone(), message).hint("Remove it from `previously`."));
    }
    previously
}

/// Checks the entry of the role for users who must be removed, if the file lists it: the role must exist and allow
/// nothing.
pub(super) fn check_containment(name: &RoleName, roles: &[DesiredRole], check: &mut Checker<'_>) {
    let renaming = roles.iter().filter_map(|role| Some((&role.name, role.previously.get(name)?)));
    for (now, place) in renaming {
        let message = format!("Users who must be removed get the role `{name}`, but this entry renames it.");
        check.push(
            Finding::error(Code::PreviousNameInUse, place.clone(), message)
                .hint(format!("Write `containment_role: {now}`, or remove the name from `previously`.")),
        );
    }
    let Some(role) = roles.iter().find(|role| role.name == *name) else { return };
    let place = &role.place;
    let implied = check.rules.capabilities().implied_permissions;
    let something = |permission: &Permission| !implied.contains(&permission.as_str());
    let allows = role.permissions.as_ref().is_some_and(|permissions| permissions.keys().any(something));
    let finding = if role.absent {
        Finding::error(
            Code::RoleIsAbsent,
            place.clone(),
            format!("Users who must be removed get the role `{name}`, but the file deletes it."),
        )
        .hint("Name another role with `containment_role`, or remove `absent: true` here.")
    } else if allows {
        Finding::error(
            Code::ContainmentRoleHolds,
            place.clone(),
            format!("Users who must have no access get the role `{name}`, but it has permissions."),
        )
        .hint("Name another role with `containment_role`, or write `permissions: []` here.")
    } else {
        return;
    };
    check.push(finding);
}

pub(super) fn check_users(
    raw: Option<Field<Vec<Field<RawUser>>>>,
    roles: &[DesiredRole],
    check: &mut Checker<'_>,
) -> Vec<DesiredUser> {
    let deleted: BTreeSet<&RoleName> = roles.iter().filter(|role| role.absent).map(|role| &role.name).collect();
    check.entries(raw, Code::DuplicateUser, |raw: RawUser, _, check| {
        let RawUser { email, id, roles, resources, absent } = raw;
        let mark = email.mark;
        let absent = flag(absent);
        check.contradiction(
            absent,
            [roles.as_ref().map(|f| (f.mark, "roles")), resources.as_ref().map(|f| (f.mark, "resources"))],
        );
        let roles = roles.and_then(|field| {
            let mark = field.mark;
            check_role(field, &deleted, check).map(|roles| check.placed(mark, roles))
        });
        let resources = resources.and_then(|field| resources_of(field, check));
        let id = id.and_then(|field| check.name(field));
        let email = check.email(email)?;
        if email.key().chars().count() > LONGEST_EMAIL {
            let message = format!("{} is longer than {LONGEST_EMAIL} characters.", quote(email.as_str()));
            let place = check.place(mark);
            check.push(
                Finding::error(Code::InvalidEmail, place, message)
                    .hint("The platform accepts no longer address. Use a shorter one."),
            );
            return None;
        }
        let address = Address::user(&email).with_id(id.as_ref());
        let user = DesiredUser::named(check.place(mark), email);
        Some((mark, address, DesiredUser { id, roles, resources, absent, ..user }))
    })
}

fn check_role(
    field: Field<Vec<Field<NameText>>>,
    deleted: &BTreeSet<&RoleName>,
    check: &mut Checker<'_>,
) -> Option<BTreeSet<RoleName>> {
    let several = "Keep one. To combine the permissions of both, add a role under `roles`.";
    let (role, mark) = check.one_role(field, several)?;
    if deleted.contains(&role) {
        let place = check.place(mark);
        check.push(
            Finding::error(Code::RoleIsAbsent, place, format!("The file deletes the role `{role}`."))
                .hint("Give the user another role, or remove `absent: true` from this one."),
        );
        return None;
    }
    Some(BTreeSet::from([role]))
}

pub(super) fn check_keys(raw: Option<Field<Vec<Field<RawKey>>>>, check: &mut Checker<'_>) -> Vec<DesiredKey> {
    check.entries(raw, Code::DuplicateKey, |raw: RawKey, _, check| {
        let RawKey { name, id, description, permissions, resources, deliver, absent } = raw;
        let mark = name.mark;
        let absent = flag(absent);
        check.contradiction(
            absent,
            [
                description.as_ref().map(|f| (f.mark, "description")),
                permissions.as_ref().map(|f| (f.mark, "permissions")),
                resources.as_ref().map(|f| (f.mark, "resources")),
                deliver.as_ref().map(|f| (f.mark, "deliver")),
            ],
        );
        let description = description.and_then(|field| check_description(field, 0..=248, check));
        let permissions = permissions.and_then(|field| permissions_of(field, check));
        let resources = resources.and_then(|field| resources_of(field, check));
        let id = id.and_then(|field| check.name(field));
        let deliver = deliver.map(|field| check.deliveries(field)).unwrap_or_default();
        let name = check.name(name).filter(|name| check_title(name, mark, check))?;
        let address = Address::key(&name).with_id(id.as_ref());
        Some((
            mark,
            address,
            DesiredKey {
                place: check.place(mark),
                name,
                id,
                description,
                roles: None,
                permissions,
                resources,
                expires: None,
                absent,
                deliver,
            },
        ))
    })
}

/// Checks the title of an access token by the rules of the server (measured on Hive 8.1.2).
fn check_title(name: &KeyName, mark: Mark, check: &mut Checker<'_>) -> bool {
    let text = name.as_str();
    let fits = (2..=100).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, ' ' | '_' | '-'));
    if !fits {
        let message = format!("{} can't be the title of an access token.", quote(text));
        check.invalid(mark, message, "Use 2 to 100 letters, digits, spaces, `_` and `-`.");
    }
    fits
}
