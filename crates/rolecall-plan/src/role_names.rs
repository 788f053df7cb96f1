//! Resolves the roles that a file names. A file may give a role's name or its key; plans use one unambiguous name.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use rolecall_model::{
    AssignableRole, Code, Desired, Email, Finding, Live, Place, Placed, RoleName, Tolerated, list_of, nearest,
    quote,
};

/// The desired state with each role under the name that reads and plans use.
pub(super) struct Resolved<'a> {
    pub desired: Cow<'a, Desired>,
    /// The problems of the organisation's roles.
    pub findings: Vec<Finding>,
    /// The unknown and ambiguous names in users' entries, by the place of the entry.
    pub of_users: BTreeMap<Place, Vec<Finding>>,
}

/// Resolves the roles of all users.
pub(super) fn resolve_role_names<'a>(desired: &'a Desired, live: &Live) -> Resolved<'a> {
    let mut findings = Vec::new();
    let mut of_users: BTreeMap<Place, Vec<Finding>> = BTreeMap::new();
    let Some(roles) = &live.assignable else {
        return Resolved { desired: Cow::Borrowed(desired), findings, of_users };
    };
    let mut resolved = desired.clone();
    if !roles.organization.iter().any(|role| role.admin) {
        findings.push(no_admin(desired, &roles.organization));
    }
    if let Some(named) = &desired.admin_role
        && roles.organization.iter().any(|role| role.admin && role.default)
    {
        let message = format!(
            "{} is the role that every member has by default, so it can't be the admin role.",
            quote(named.as_str())
        );
        findings.push(
            Finding::error(Code::UnknownRole, named.place.clone(), message)
                .hint("Set `admin_role` to the role whose members administrate the organisation."),
        );
    }
    for Tolerated { roles: tolerated, place, .. } in &mut resolved.tolerated {
        let names = tolerated.iter().map(|role| match find(role, &roles.organization) {
            Ok(name) => name.clone(),
            Err(other) => {
                findings.push(not_found(role, place, &roles.organization, "in the organisation", &other));
                role.clone()
            }
        });
        *tolerated = names.collect();
    }
    for user in &mut resolved.users {
        let mut problems = Vec::new();
        let mut found = |wanted: &RoleName, place: &Place, among: &[AssignableRole], whose: &str| {
            find(wanted, among).map_or_else(
                |other| {
                    problems.push(not_found(wanted, place, among, whose, &other));
                    wanted.clone()
                },
                Clone::clone,
            )
        };
        let mut without_default = None;
        if let Some(Placed { value, place }) = &mut user.roles {
            if value.is_empty() && roles.default_in_organization().is_none() {
                without_default = Some(no_default(&user.email, place, &roles.organization));
            }
            let names = value.iter().map(|role| found(role, place, &roles.organization, "in the organisation"));
            *value = names.collect::<BTreeSet<RoleName>>();
        }
        let given = user.teams.iter_mut().flat_map(|teams| teams.values_mut());
        for Placed { value, place } in given.filter_map(|team| team.value.as_mut()) {
            *value = found(value, place, &roles.team, "in teams");
        }
        problems.extend(without_default);
        if !problems.is_empty() {
            of_users.insert(user.place.clone(), problems);
        }
    }
    Resolved { desired: Cow::Owned(resolved), findings, of_users }
}

/// Reports a user with `roles: []` on a hub that has no default role.
fn no_default(email: &Email, place: &Place, roles: &[AssignableRole]) -> Finding {
    let names: Vec<&str> = roles.iter().map(|role| role.name.as_str()).collect();
    let message = format!("{email} needs a role, because this hub has no default role.");
    Finding::error(Code::UnknownRole, place.clone(), message)
        .hint(format!("Name one of {}.", list_of(&names, "or")))
}

/// Reports that the admin role is unknown. Without it, rolecall can't protect the last admin.
fn no_admin(desired: &Desired, roles: &[AssignableRole]) -> Finding {
    let names: Vec<&str> = roles.iter().map(|role| role.name.as_str()).collect();
    let known = format!("There are {}.", list_of(&names, "and"));
    match &desired.admin_role {
        Some(named) => {
            let message = format!("There is no single organisation role with the name {}.", quote(named.as_str()));
            Finding::error(Code::UnknownRole, named.place.clone(), message).hint(known)
        }
        None => Finding::error(
            Code::UnknownRole,
            desired.place.clone(),
            "The admin role of the organisation can't be recognised by its name.",
        )
        .hint(format!("Name it with `admin_role`. {known}")),
    }
}

/// Finds a role by its unambiguous name, or else by its raw name or key. The error lists the candidates: several,
/// or none.
fn find<'a>(wanted: &RoleName, among: &'a [AssignableRole]) -> Result<&'a RoleName, Vec<&'a RoleName>> {
    if let Some(role) = among.iter().find(|role| role.name == *wanted) {
        return Ok(&role.name);
    }
    let named = among.iter().filter(|role| role.raw_name == *wanted || role.key == wanted.as_str());
    match named.map(|role| &role.name).collect::<Vec<_>>()[..] {
        [role] => Ok(role),
        ref several => Err(several.to_vec()),
    }
}

fn not_found(
    wanted: &RoleName,
    place: &Place,
    among: &[AssignableRole],
    whose: &str,
    several: &[&RoleName],
) -> Finding {
    let shown = quote(wanted.as_str());
    if !several.is_empty() {
        let names: Vec<&str> = several.iter().map(|role| role.as_str()).collect();
        let message = format!("{} roles {whose} have the name {shown}.", several.len());
        return Finding::error(Code::AmbiguousRole, place.clone(), message)
            .hint(format!("Write {}.", list_of(&names, "or")));
    }
    let known: Vec<&str> = among.iter().map(|role| role.name.as_str()).collect();
    let hint = match nearest(wanted.as_str(), known.iter().copied()) {
        Some(near) => format!("Did you mean `{near}`?"),
        None => format!("There are {}.", list_of(&known, "and")),
    };
    Finding::error(Code::UnknownRole, place.clone(), format!("There is no role {shown} {whose}.")).hint(hint)
}
