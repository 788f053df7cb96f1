//! The field `previously`: the names that a role or a team had before.

use std::collections::{BTreeMap, BTreeSet};

use super::check::{Checker, FromText};
use super::field::Field;
use super::raw::NameText;
use rolecall_model::{Address, Code, Desired, Finding, Place, RoleName, TeamName, quote};

/// The names that an entity had before, each with its place in the file.
type Previously<N> = BTreeMap<N, Place>;

/// Reports the roles and teams that entries of users and keys have by a previous name, which nothing has any more.
pub fn previous_names_used(desired: &Desired, findings: &mut Vec<Finding>) {
    let roles = desired.roles.iter().rev();
    let roles = roles.flat_map(|entry| entry.previously.keys().map(|name| (name, entry.name.as_str())));
    let mut roles: BTreeMap<&RoleName, &str> = roles.collect();
    let teams = desired.teams.iter().rev();
    let teams = teams.flat_map(|entry| entry.previously.keys().map(|name| (name, entry.name.as_str())));
    let mut teams: BTreeMap<&TeamName, &str> = teams.collect();
    desired.roles.iter().for_each(|entry| {
        roles.remove(&entry.name);
    });
    desired.teams.iter().for_each(|entry| {
        teams.remove(&entry.name);
    });
    let of_users = desired.users.iter().filter_map(|user| user.roles.as_ref());
    let of_users = of_users.map(|roles| (&roles.value, &roles.place));
    let of_keys = desired.keys.iter().filter_map(|key| Some((key.roles.as_ref()?, &key.place)));
    let mut report = |code: Code, kind: &str, name: &str, now: &str, place: &Place| {
        let message = format!("The {kind} {} is now {}.", quote(name), quote(now));
        let hint = format!("The file has it under `previously` of `{now}`. Write the new name here.");
        findings.push(Finding::error(code, place.clone(), message).hint(hint));
    };
    for (given, place) in of_users.chain(of_keys) {
        for (role, now) in given.iter().filter_map(|role| Some((role, roles.get(role)?))) {
            report(Code::UnknownRole, "role", role.as_str(), now, place);
        }
    }
    for (team, role) in desired.users.iter().flat_map(|user| user.teams.iter().flatten()) {
        if let Some(now) = teams.get(team) {
            report(Code::UnknownTeam, "team", team.as_str(), now, &role.place);
        }
    }
}

impl Checker<'_> {
    /// Checks the names that an entity had before.
    pub fn previously<N: FromText + Ord>(&mut self, field: Option<Field<Vec<Field<NameText>>>>) -> Previously<N> {
        let names = field.and_then(|field| field.value).unwrap_or_default();
        let placed = names.into_iter().filter_map(|name| {
            let place = self.place(name.mark);
            Some((self.name(name)?, place))
        });
        placed.collect()
    }

    /// Reports previous names from which nobody could tell what is to be renamed: those that are the name of an entry, and
    /// those that two entries claim. `entries`: the address of each, and its previous names as addresses.
    pub fn previous_names(&mut self, entries: &[(Address, Vec<(Address, Place)>)]) {
        let names: BTreeSet<&Address> = entries.iter().map(|(address, _)| address).collect();
        let mut claims: BTreeMap<&Address, Vec<(&Place, &Address)>> = BTreeMap::new();
        for (address, previously) in entries {
            for (name, place) in previously {
                claims.entry(name).or_default().push((place, address));
            }
        }
        for (name, mut claims) in claims {
            claims.sort();
            let shown = quote(&name.name);
            let is_entry = names.contains(name);
            let mut refuse = |place: &Place, message: String, hint: String| {
                self.push(Finding::error(Code::PreviousNameInUse, place.clone(), message).hint(hint));
            };
            for (place, of) in claims.iter().filter(|_| is_entry) {
                let hint = "Remove it from `previously`.";
                if *of == name {
                    refuse(place, format!("{shown} is the name of this entry itself."), hint.to_owned());
                } else {
                    let message = format!("{shown} is a previous name of {of}, and the name of another entry.");
                    let hint = format!("{hint} Or remove the entry {name}, if it is the one that is renamed.");
                    refuse(place, message, hint);
                }
            }
            let [(first, one), others @ ..] = &claims[..] else { continue };
            for (place, other) in others.iter().filter(|_| !is_entry) {
                let message = format!("{shown} is a previous name of {one}, and of {other}.");
                let file = if first.file == place.file { String::new() } else { format!("in {}, ", first.file) };
                let hint = format!("The first is {file}on line {}. Keep the one that is renamed.", first.line);
                refuse(place, message, hint);
            }
        }
    }
}
