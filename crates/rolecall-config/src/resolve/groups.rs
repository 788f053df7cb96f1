//! The [`Roster`] of one organisation: the people and the groups of all people files that it includes.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::super::source::{Mark, Sources};
use super::directory::not_in_directory;
use super::entries::Date;
use super::people::{Group, Member, MemberOf, PeopleFile, Person};
use rolecall_model::{Code, Email, Finding, ProviderName, nearest, nearest_email, quote};

/// The members of a group, by the addresses of the people in the form that is compared.
pub type Members<'a> = BTreeMap<&'a str, Membership>;

/// The membership of a person in a group, over other groups or not.
#[derive(Clone, Copy, Debug)]
pub struct Membership {
    /// The place that names the person.
    pub mark: Mark,
    pub until: Option<Date>,
}

/// All people and groups that an organisation's file includes.
pub struct Roster<'a> {
    provider: ProviderName,
    people: BTreeMap<&'a str, &'a Person>,
    /// The people who have another address on this platform, by that address.
    by_alias: BTreeMap<&'a str, &'a Person>,
    groups: BTreeMap<&'a str, &'a Group>,
    expanded: BTreeMap<&'a str, Rc<Members<'a>>>,
    /// The groups that each group contains.
    inner: BTreeMap<&'a str, Vec<&'a str>>,
    /// The number of members of all expanded groups together.
    memberships: usize,
    /// True if people come from a directory that was asked.
    has_directory: bool,
    /// True if people come from a directory.
    names_directory: bool,
}

/// Returns the people whom groups name and no file lists, if people come from a directory: they have left it. If a
/// directory wasn't asked, everybody whom a group names may be in it.
pub fn absentees(files: &[&PeopleFile], provider: ProviderName) -> Vec<Person> {
    let directories = || files.iter().filter_map(|file| file.directory.as_ref());
    if directories().next().is_none() {
        return Vec::new();
    }
    let left = directories().all(|directory| directory.people.is_some());
    let people = files.iter().flat_map(|file| &file.people);
    let known: BTreeSet<&Email> =
        people.flat_map(|person| std::iter::once(&person.email).chain(person.aliases.get(&provider))).collect();
    let named = files.iter().flat_map(|file| &file.groups).flat_map(Group::people);
    let mut absent: BTreeMap<&Email, Mark> = BTreeMap::new();
    for (email, mark) in named.filter(|(email, _)| !known.contains(email)) {
        absent.entry(email).or_insert(mark);
    }
    let person = |(email, mark): (&Email, Mark)| Person { left, ..Person::new(email.clone(), mark) };
    absent.into_iter().map(person).collect()
}

/// The number of members that all groups may have together: a bound of memory and time.
const MOST: usize = 2_000_000;

impl<'a> Roster<'a> {
    /// Puts the people files of an organisation together, and reports what they contradict each other in.
    pub fn new(
        files: &[&'a PeopleFile],
        absentees: &'a [Person],
        provider: ProviderName,
        sources: Sources<'_>,
        findings: &mut Vec<Finding>,
    ) -> Self {
        let mut all = Self {
            provider,
            people: BTreeMap::new(),
            by_alias: BTreeMap::new(),
            groups: BTreeMap::new(),
            expanded: BTreeMap::new(),
            inner: BTreeMap::new(),
            memberships: 0,
            names_directory: files.iter().any(|file| file.directory.is_some()),
            has_directory: files.iter().any(|file| file.directory.is_some())
                && files.iter().filter_map(|file| file.directory.as_ref()).all(|it| it.people.is_some()),
        };
        let twice = |what: String, mark: Mark, first: Mark| {
            let first = sources.place(first);
            let finding =
                Finding::error(Code::DuplicateUser, sources.place(mark), format!("{what} is listed twice."));
            finding.hint(format!("The first entry is at {first}. Merge the two entries."))
        };
        all.people.extend(absentees.iter().map(|person| (person.email.key(), person)));
        // The people who come from a directory.
        let mut directory: BTreeSet<&str> = BTreeSet::new();
        for PeopleFile { people, groups, directory: from, data: _ } in files.iter().copied() {
            for person in people {
                let key = person.email.key();
                let comes = from.is_some() && !person.left;
                let first = all.people.insert(key, person);
                match first {
                    None => {}
                    // One directory has them, and another one, or a list, doesn't.
                    Some(first) if person.left => drop(all.people.insert(key, first)),
                    Some(first) if first.left => {}
                    Some(first) if comes && directory.contains(key) => drop(all.people.insert(key, first)),
                    Some(first) if comes || directory.contains(key) => {
                        let listed = if comes { first } else { person };
                        all.people.insert(key, listed);
                        let message =
                            format!("{} is in the directory, and listed here too.", person.email.as_str());
                        let finding = Finding::warning(Code::DuplicateUser, sources.place(listed.mark), message);
                        let hint = "They keep their access when they leave the directory. Remove this entry, and put what it adds under `details`.";
                        findings.push(finding.hint(hint));
                    }
                    Some(first) => findings.push(twice(quote(person.email.as_str()), person.mark, first.mark)),
                }
                if comes {
                    directory.insert(key);
                }
                if let Some(alias) = person.aliases.get(&provider) {
                    let first = all.by_alias.insert(alias.key(), person);
                    let first = first.map(|first| first.mark);
                    findings.extend(first.map(|first| twice(quote(alias.as_str()), person.mark, first)));
                }
            }
            for group in groups {
                let first = all.groups.insert(&group.name, group);
                let inner = group.members.iter().filter_map(|member| match &member.of {
                    MemberOf::Group(inner) => Some(inner.as_str()),
                    MemberOf::Person(_) => None,
                });
                all.inner.insert(&group.name, inner.collect());
                let what = format!("The group {}", quote(&group.name));
                findings.extend(
                    first.map(|first| Finding {
                        code: Code::DuplicateGroup,
                        ..twice(what, group.mark, first.mark)
                    }),
                );
            }
        }
        for (address, person) in &all.by_alias {
            if let Some(other) = all.people.get(address).filter(|other| other.email != person.email) {
                findings.push(twice(quote(address), person.mark, other.mark));
            }
        }
        all
    }

    /// Returns the person who has this address, here or on the platform of the organisation.
    pub fn person(&self, email: &Email) -> Option<&'a Person> {
        self.people.get(email.key()).or_else(|| self.by_alias.get(email.key())).copied()
    }

    pub fn people(&self) -> impl Iterator<Item = &'a Person> + use<'_, 'a> {
        self.people.values().copied()
    }

    /// Returns the people who have another address on the platform of the organisation, by that address.
    pub fn aliases(&self) -> BTreeMap<Email, Email> {
        let aliases = self
            .by_alias
            .values()
            .filter_map(|person| Some((person.aliases.get(&self.provider)?.clone(), person.email.clone())));
        aliases.collect()
    }

    pub fn by_key(&self, key: &str) -> Option<&'a Person> {
        self.people.get(key).copied()
    }

    pub fn group(&self, name: &str) -> Option<&'a Group> {
        self.groups.get(name).copied()
    }

    /// Reports a group that no people file has.
    pub fn unknown_group(&self, name: &str, mark: Mark, sources: Sources<'_>) -> Finding {
        let hint = match (nearest(name, self.groups.keys().copied()), self.groups.is_empty()) {
            (Some(near), _) => format!("Did you mean `{near}`?"),
            (None, true) => "Add the people file to `include`.".to_owned(),
            (None, false) => "Add it to `groups` of a people file.".to_owned(),
        };
        let message = format!("No included file has a group {}.", quote(name));
        Finding::error(Code::UnknownGroup, sources.place(mark), message).hint(hint)
    }

    /// Reports what the groups refer to and no file has, and groups that contain themselves.
    pub fn check(&mut self, sources: Sources<'_>, findings: &mut Vec<Finding>) {
        for group in self.groups.values() {
            for (email, mark) in group.named() {
                match self.person(email) {
                    Some(person) if person.left => {
                        findings.push(self.left(email, mark, sources));
                        continue;
                    }
                    Some(_) => continue,
                    // An exception for somebody who isn't there changes nothing.
                    None if self.names_directory && group.people().all(|(member, _)| member != email) => continue,
                    None => {}
                }
                let hint = match nearest_email(email.key(), self.people.keys().copied()) {
                    Some(near) => format!("Did you mean `{near}`?"),
                    None => "Add the person to `people`.".to_owned(),
                };
                let message = format!("No included file has the person {}.", quote(email.as_str()));
                findings.push(Finding::error(Code::UnknownPerson, sources.place(mark), message).hint(hint));
            }
            for Member { of, mark, .. } in &group.members {
                if let MemberOf::Group(name) = of
                    && self.group(name).is_none()
                {
                    findings.push(self.unknown_group(name, *mark, sources));
                }
            }
        }
        let names: Vec<&str> = self.groups.keys().copied().collect();
        for name in names {
            self.expand(name, sources, findings);
        }
    }

    /// Returns whether somebody who is in no list of people has left the directory.
    pub fn has_directory(&self) -> bool {
        self.has_directory
    }

    /// Reports somebody who isn't in the directory.
    pub fn left(&self, email: &Email, mark: Mark, sources: Sources<'_>) -> Finding {
        let others = self.people.iter().filter(|(_, person)| !person.left).map(|(address, _)| *address);
        not_in_directory(email.as_str(), mark, nearest_email(email.key(), others), sources)
    }

    /// Returns the members of a group that [`Self::check`] has expanded.
    pub fn members(&self, group: &str) -> Option<Rc<Members<'a>>> {
        self.expanded.get(group).cloned()
    }

    /// Adds a group, and the groups inside it, as far as they have a person as a member.
    pub fn groups_with(&self, key: &str, group: &str, found: &mut BTreeSet<String>) {
        let mut open = vec![group];
        while let Some(name) = open.pop() {
            let has_it = self.expanded.get(name).is_some_and(|members| members.contains_key(key));
            if has_it && found.insert(name.to_owned()) {
                open.extend(self.inner.get(name).into_iter().flatten());
            }
        }
    }

    /// Expands a group, after all groups that it contains.
    fn expand(&mut self, name: &'a str, sources: Sources<'_>, findings: &mut Vec<Finding>) {
        // The groups that contain one another, each with the number of its members that were looked at.
        let mut above: Vec<(&'a Group, usize)> =
            self.groups.get(name).map(|group| (*group, 0)).into_iter().collect();
        while let Some((group, next)) = above.last_mut() {
            let group: &'a Group = group;
            if self.expanded.contains_key(group.name.as_str()) {
                above.pop();
                continue;
            }
            let Some(member) = group.members.get(*next) else {
                let members = self.members_of(group, sources, findings);
                self.expanded.insert(&group.name, Rc::new(members));
                above.pop();
                continue;
            };
            *next += 1;
            let MemberOf::Group(inner) = &member.of else { continue };
            let Some(inner) = self.group(inner).filter(|inner| !self.expanded.contains_key(inner.name.as_str()))
            else {
                continue;
            };
            if let Some(start) = above.iter().position(|(outer, _)| outer.name == inner.name) {
                let circle = above.get(start..).unwrap_or_default().iter().map(|(outer, _)| outer.name.as_str());
                let names: Vec<String> = circle.chain([inner.name.as_str()]).map(quote).collect();
                let message = format!("The group {} contains itself: {}.", quote(&inner.name), names.join(" → "));
                let finding = Finding::error(Code::GroupCycle, sources.place(member.mark), message);
                findings.push(finding.hint("Remove one of the groups from the members of the other."));
            } else {
                above.push((inner, 0));
            }
        }
    }

    /// Returns the members of a group, from those of the groups that it contains.
    fn members_of(&mut self, group: &'a Group, sources: Sources<'_>, findings: &mut Vec<Finding>) -> Members<'a> {
        let mut members = Members::new();
        let mut add = |key: &'a str, found: Membership| {
            let known = members.entry(key).or_insert(found);
            if Date::later(known.until, found.until) != known.until {
                *known = found;
            }
        };
        for Member { of, mark, until } in &group.members {
            match of {
                MemberOf::Person(email) => {
                    if let Some(person) = self.person(email) {
                        add(person.email.key(), Membership { mark: *mark, until: *until });
                    }
                }
                MemberOf::Group(inner) => {
                    for (key, found) in
                        self.expanded.get(inner.as_str()).into_iter().flat_map(|inner| inner.iter())
                    {
                        add(key, Membership { until: Date::earlier(*until, found.until), ..*found });
                    }
                }
            }
        }
        for (email, _) in &group.except {
            if let Some(person) = self.person(email) {
                members.remove(person.email.key());
            }
        }
        self.memberships += members.len();
        if self.memberships > MOST {
            let message = format!("The groups have more than {MOST} members together.");
            let finding = Finding::error(Code::TooComplex, sources.place(group.mark), message);
            if self.memberships - members.len() <= MOST {
                findings.push(finding.hint("Nest fewer groups."));
            }
            return Members::new();
        }
        members
    }
}
