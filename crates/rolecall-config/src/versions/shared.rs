//! The access that several entries give together: those of people, of groups, and of what a group has.
//!
//! For example, Bob is removed from the members of `payments` in `people.yaml`. No entry of the organisation's file
//! differs, and the line of the group is what asks for Bob's removal.

use std::collections::{BTreeMap, BTreeSet};

use super::{Differences, LINES, Part, Version};
use rolecall_model::{Address, DeletedBy, Deletion, Desired, DiffLine, EcoString, PersonGroups};

/// A part of the files that several entities come from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shared {
    /// The entry of a person, by the address in the form that is compared.
    Person(String),
    /// The entry of a group in a people file.
    Group(String),
    /// An entry that gives access to a group.
    Grant(String),
}

/// The differences in what several entities come from.
#[derive(Debug, Default)]
pub struct SharedDifferences {
    /// The lines that differ.
    pub lines: BTreeMap<Shared, Vec<DiffLine>>,
    /// The parts that only the base has, and whether all of their file is gone.
    pub gone: BTreeMap<Shared, bool>,
}

impl SharedDifferences {
    pub fn add(&mut self, part: &Part<'_>, lines: Vec<DiffLine>) {
        if let Some((what, _)) = &part.shared {
            self.lines.entry(what.clone()).or_default().extend(lines);
        }
    }

    /// Adds the lines that ask for the changes of members, and the members who are gone.
    pub fn add_to(
        self,
        found: &mut Differences,
        (base, head): (Option<&Version<'_>>, &Version<'_>),
        fields: &BTreeSet<&str>,
    ) {
        if self.lines.is_empty() && self.gone.is_empty() {
            return;
        }
        let none = BTreeMap::new();
        let before = base.map_or(&none, |base| &base.desired.memberships);
        let now = &head.desired.memberships;
        let addresses: BTreeSet<&Address> = before.keys().chain(now.keys()).collect();
        let were_there = base.map(|base| listed(base.desired, false)).unwrap_or_default();
        let are_there = listed(head.desired, true);
        let told: BTreeSet<Address> = found.deletions.iter().map(|deletion| deletion.address.clone()).collect();
        for address in addresses {
            let earlier = before.get(address);
            let all: Vec<&PersonGroups> = earlier.into_iter().chain(now.get(address)).collect();
            let mut lines = self.lines_of(&all);
            let own = found.entries.entry(address.clone()).or_default();
            lines.retain(|line| !own.contains(line));
            own.extend(lines.iter().cloned());
            let is_gone = were_there.contains(&address.name) && !are_there.contains(&address.name);
            if let Some(earlier) = earlier.filter(|_| is_gone && !told.contains(address)) {
                let by = self.deleted_by(earlier, fields);
                found.deletions.push(Deletion { address: address.clone(), by, lines });
            }
        }
        found.entries.retain(|_, lines| !lines.is_empty());
    }

    /// Returns the lines that differ and concern a person. Lines of a group that are only about others don't.
    fn lines_of(&self, all: &[&PersonGroups]) -> Vec<DiffLine> {
        let mut lines: Vec<DiffLine> = Vec::new();
        let mut add = |part: &Shared, concerns: &dyn Fn(&str) -> bool| {
            for line in self.lines.get(part).into_iter().flatten() {
                if lines.len() < LINES && concerns(&line.text.to_lowercase()) && !lines.contains(line) {
                    lines.push(line.clone());
                }
            }
        };
        for PersonGroups { person, groups } in all {
            add(&Shared::Person(person.key().to_owned()), &|_| true);
            for group in groups {
                add(&Shared::Group(group.clone()), &|text| !text.contains('@') || text.contains(person.key()));
                add(&Shared::Grant(group.clone()), &|_| true);
            }
        }
        lines
    }

    /// Returns the edit by which somebody is no longer a member of any group that has access.
    fn deleted_by(&self, PersonGroups { person: _, groups }: &PersonGroups, fields: &BTreeSet<&str>) -> DeletedBy {
        let section = |section: &str| DeletedBy::Section { section: section.to_owned() };
        let gone =
            |part: fn(String) -> Shared| groups.iter().find_map(|group| self.gone.get(&part(group.clone())));
        for (lost_file, field) in [(gone(Shared::Grant), "users"), (gone(Shared::Group), "groups")] {
            match lost_file {
                Some(true) => return section("include"),
                Some(false) if !fields.contains(field) => return section(field),
                Some(false) => return DeletedBy::Entry,
                None => {}
            }
        }
        let differs = groups.iter().any(|group| self.lines.contains_key(&Shared::Group(group.clone())));
        if differs { DeletedBy::Entry } else { section("include") }
    }
}

/// Returns the names of the users whom the files list, with those who must be absent or without.
fn listed(desired: &Desired, absent_too: bool) -> BTreeSet<EcoString> {
    let users = desired.users.iter().filter(|user| absent_too || !user.absent);
    users.map(|user| Address::user(&user.email).name).collect()
}
