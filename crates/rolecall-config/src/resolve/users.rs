//! The entries of users: each for one person, or for all members of a group.

use std::collections::{BTreeMap, BTreeSet};

use super::super::node::{Located, Node};
use super::super::source::Mark;
use super::entries::{Date, take_note, take_until, taken_text};
use super::groups::Membership;
use super::people::Person;
use super::{Resolver, id_of, make_absent};
use rolecall_model::{
    Address, Code, Email, EndingAccess, Finding, PersonGroups, Quirk, RoleName, TeamName, quote,
};

/// The fields that identify a user's entry.
const IDENTITY: &[&str] = &["email", "id"];

/// The fields that give access.
const ACCESS: &[&str] = &["roles", "teams", "resources"];

/// An entry for one person that has ended.
struct Lapsed {
    /// The entry, which says that the person must have no access.
    entry: Located,
    /// The fields of [`ACCESS`] that it had.
    gave: Vec<&'static str>,
}

/// An entry that gives access to all members of a group.
struct Grant {
    group: String,
    /// The fields that each member's entry gets.
    fields: Located,
    /// The roles and teams of the entry that end or have ended.
    parts: Vec<(EndingAccess, Date)>,
    until: Option<Date>,
    /// The notes of the entry and of the group.
    notes: Vec<String>,
}

/// A grant by which one person has access.
#[derive(Clone, Copy)]
struct Share {
    /// The number of the grant.
    grant: usize,
    membership: Membership,
    until: Option<Date>,
}

/// An entry for one person, without what is the same on every platform.
struct Entry {
    parts: Vec<(EndingAccess, Date)>,
    until: Option<Date>,
    /// True if the entry has ended or will end, by its date or with its only role.
    ends: bool,
    note: Option<String>,
}

impl Entry {
    /// Returns whether the entry says only what the platform knows, too.
    fn is_plain(&self) -> bool {
        let Self { parts, until, ends: _, note } = self;
        parts.is_empty() && until.is_none() && note.is_none()
    }
}

impl Resolver<'_> {
    /// Returns an entry for each person, from the entries of a file.
    pub(super) fn users(&mut self, items: Vec<Located>) -> Vec<Located> {
        let mut entries = Vec::with_capacity(items.len());
        let mut grants = Vec::new();
        // The people who have an entry of their own that applies, and those whose own entry has ended.
        let (mut own, mut lapsed) = (BTreeSet::new(), BTreeMap::new());
        // The people whose own entry will end.
        let mut ending = BTreeSet::new();
        let has_people = self.roster.has_directory() || self.roster.people().next().is_some();
        for mut item in items {
            if item.has_field("group") {
                grants.extend(self.grant(item));
                continue;
            }
            let common = self.entry(&mut item);
            if !has_people && common.is_plain() {
                entries.push(item);
                continue;
            }
            match item.field("email").and_then(Located::text).and_then(|text| Email::parse(text).ok()) {
                Some(email) => {
                    if common.ends {
                        let person = self.roster.person(&email);
                        ending.extend(person.map(|person| person.email.key()));
                    }
                    self.own_entry(item, &email, common, (&mut entries, &mut own, &mut lapsed));
                }
                // The decoder reports it.
                None => entries.push(item),
            }
        }
        let mut shares: BTreeMap<&str, Vec<Share>> = BTreeMap::new();
        for (grant, Grant { group, until, .. }) in grants.iter().enumerate() {
            let Some(members) = self.roster.members(group) else { continue };
            for (key, membership) in members.iter() {
                let until = Date::earlier(*until, membership.until);
                shares.entry(key).or_default().push(Share { grant, membership: *membership, until });
            }
        }
        let mut conflicts = BTreeSet::new();
        let by_groups: BTreeSet<&str> = shares.keys().copied().collect();
        for (key, shares) in shares {
            let Some(person) = self.roster.by_key(key) else { continue };
            if own.contains(key) {
                // Once their own entry ends, what groups give has to fit together.
                if ending.contains(key) {
                    self.merged(person, &shares, &grants, &[], &mut conflicts);
                }
                continue;
            }
            let mut groups = BTreeSet::new();
            for group in shares.iter().filter_map(|share| grants.get(share.grant)) {
                self.roster.groups_with(key, &group.group, &mut groups);
            }
            let memberships = PersonGroups { person: person.email.clone(), groups };
            self.resolved.memberships.insert(Address::user(self.email_of(person)), memberships);
            let lapsed: Option<Lapsed> = lapsed.remove(key);
            let gave = lapsed.as_ref().map(|lapsed| lapsed.gave.as_slice()).unwrap_or_default();
            let entry = self.shared_entry(person, &shares, (&grants, gave), &mut conflicts);
            let entry = entry.or(lapsed.map(|lapsed| lapsed.entry));
            match entry {
                Some(entry) => entries.push(entry),
                // rolecall never takes its own access.
                None if self.is_own(person) => {}
                None => entries.push(self.ended_share(person, &shares)),
            }
        }
        entries.extend(lapsed.into_values().map(|lapsed| lapsed.entry));
        // Somebody who leaves must have no access, also where no file gives them any.
        let is_named =
            |person: &Person| own.contains(person.email.key()) || by_groups.contains(person.email.key());
        let left: Vec<&Person> = self.roster.people().filter(|person| !is_named(person)).collect();
        for person in left {
            let Some(date) = person.until else { continue };
            self.ends(&Address::user(self.email_of(person)), date, EndingAccess::All);
            if date.is_past(self.now) {
                entries.push(self.ended_share(person, &[]));
            }
        }
        entries
    }

    /// Checks an entry for a group, and takes what is the same on every platform.
    fn grant(&mut self, mut item: Located) -> Option<Grant> {
        let group = taken_text(&mut item, "group", self.sources, self.findings)?;
        let name = group.text()?.to_owned();
        if self.roster.group(&name).is_none() {
            self.findings.push(self.roster.unknown_group(&name, group.mark, self.sources));
            return None;
        }
        for field in IDENTITY.iter().chain(&["absent"]) {
            if let Some(value) = item.take(field) {
                let message = format!("`{field}` contradicts `group`.");
                let finding = Finding::error(Code::InvalidValue, self.sources.place(value.mark), message);
                let hint = "An entry is either for a group or for one person. To take access from a person, write an entry for them with `absent: true`.";
                self.findings.push(finding.hint(hint));
            }
        }
        let Entry { parts, until, ends: _, note } = self.entry(&mut item);
        let of_group = self.roster.group(&name).and_then(|group| group.note.clone());
        let notes = note.into_iter().chain(of_group).collect();
        Some(Grant { group: name, fields: item, parts, until, notes })
    }

    /// Takes from an entry what is the same on every platform: the note and the dates.
    fn entry(&mut self, item: &mut Located) -> Entry {
        let note = take_note(item, self.sources, self.findings);
        let mut until = take_until(item, self.sources, self.findings);
        if let Some(date) = until {
            self.contradiction(item, date);
        }
        let mut parts = Vec::new();
        let roles = match item.field("roles").map(|roles| &roles.node) {
            Some(Node::List(roles)) => roles.len(),
            _ => 0,
        };
        self.take_dates(item, "roles", "role", &mut parts);
        let one_role = !self.rules.has(Quirk::SeveralRoles);
        let ends = until.is_some() || one_role && roles > 0 && parts.len() == roles;
        if let Some((_, last)) = parts.iter().max_by_key(|(_, date)| date.until)
            && one_role
            && item.field("roles").is_some_and(|roles| matches!(&roles.node, Node::List(rest) if rest.is_empty()))
        {
            // A user has one role, so an entry without it has ended.
            until = Date::earlier(until, Some(*last));
        }
        self.take_dates(item, "teams", "team", &mut parts);
        Entry { parts, until, ends, note }
    }

    /// Takes the dates from the items of a list, such as `{ role: ADMIN, until: 2026-12-31 }`, and from the values of a
    /// mapping. An item that has ended is removed.
    fn take_dates(&mut self, item: &mut Located, field: &str, name: &str, parts: &mut Vec<(EndingAccess, Date)>) {
        let Node::Map(fields) = &mut item.node else { return };
        let Some((_, list)) = fields.iter_mut().find(|(key, _)| key.text() == Some(field)) else { return };
        let ending = |name: &str, role: Option<&str>| match field {
            "roles" => EndingAccess::Role { role: RoleName::seen(name) },
            _ => EndingAccess::Team { team: TeamName::seen(name), role: role.map(RoleName::seen) },
        };
        let ended_teams = if field == "teams" { self.ended_teams.clone() } else { BTreeMap::new() };
        let team_ends = |name: &str| ended_teams.get(name).copied();
        // Two roles where there can be only one are an error at any time.
        let keeps_ended = field == "roles"
            && !self.rules.has(Quirk::SeveralRoles)
            && matches!(&list.node, Node::List(items) if items.len() > 1);
        match &mut list.node {
            Node::List(items) => items.retain_mut(|item| {
                if !item.has_field(name) {
                    // A team that has ended takes its members along.
                    let text = item.text().unwrap_or_default();
                    let date = team_ends(text);
                    parts.extend(date.map(|date| (ending(text, None), date)));
                    return date.is_none();
                }
                let date = take_until(item, self.sources, self.findings);
                let Some(value) = self.only(item, name) else { return true };
                *item = value;
                let text = item.text().unwrap_or_default();
                let date = Date::earlier(date, team_ends(text));
                parts.extend(date.map(|date| (ending(text, None), date)));
                keeps_ended || !date.is_some_and(|date| date.is_past(self.now))
            }),
            Node::Map(entries) => entries.retain_mut(|(key, value)| {
                let name = key.text().unwrap_or_default();
                let mut date = team_ends(name);
                if matches!(value.node, Node::Map(_)) {
                    date = Date::earlier(date, take_until(value, self.sources, self.findings));
                    let Some(role) = self.only(value, "role") else { return true };
                    *value = role;
                }
                parts.extend(date.map(|date| (ending(name, value.text()), date)));
                !date.is_some_and(|date| date.is_past(self.now))
            }),
            Node::Null | Node::Bool(_) | Node::Number(_) | Node::Text(_) => {}
        }
    }

    /// Returns the value of a mapping's only field. Reports any other field.
    fn only(&mut self, item: &mut Located, name: &str) -> Option<Located> {
        let value = taken_text(item, name, self.sources, self.findings);
        if let Node::Map(rest) = &item.node {
            for (key, _) in rest {
                let message = format!("There is no field {} here.", quote(key.text().unwrap_or("…")));
                let finding = Finding::error(Code::UnknownField, self.sources.place(key.mark), message);
                self.findings
                    .push(finding.hint(format!("Write `{{ {name}: NAME, until: DATE }}`, or only the name.")));
            }
        }
        value
    }

    /// Completes an entry for one person with what is known of the person, and decides whether it still applies.
    fn own_entry(
        &mut self,
        mut item: Located,
        email: &Email,
        Entry { parts, until, ends: _, note }: Entry,
        (entries, own, lapsed): (&mut Vec<Located>, &mut BTreeSet<String>, &mut BTreeMap<String, Lapsed>),
    ) {
        let person = self.roster.person(email);
        let key = person.map_or(email.key(), |person| person.email.key()).to_owned();
        if let Some(person) = person {
            let memberships = PersonGroups { person: person.email.clone(), groups: BTreeSet::new() };
            let address = Address::user(self.email_of(person)).with_id(id_of(&item).as_ref());
            self.resolved.memberships.insert(address, memberships);
            self.complete(&mut item, person);
        }
        let email = person.map_or(email, |person| self.email_of(person));
        let address = Address::user(email).with_id(id_of(&item).as_ref());
        self.add_notes(&address, note.iter().chain(person.and_then(|person| person.note.as_ref())));
        let is_own = self.own_user.as_ref() == Some(email);
        let left = person.map_or_else(|| self.roster.has_directory(), |person| person.left);
        let mark = item.field("email").map_or(item.mark, |email| email.mark);
        if left && is_own {
            self.own_user_ends(mark);
        } else if left && !is_absent(&item) {
            self.findings.push(self.roster.left(email, mark, self.sources));
            self.resolved.left.insert(address);
            make_absent(&mut item, IDENTITY, mark);
            own.insert(key);
            entries.push(item);
            return;
        }
        for (what, date) in parts {
            self.ends(&address, date, what);
        }
        if let Some(date) = until.or(person.and_then(|person| person.until)).filter(|_| is_own) {
            self.own_user_ends(date.mark);
        }
        let is_past = |date: &Date| date.is_past(self.now) && !is_own;
        let leaves = person.and_then(|person| person.until).filter(is_past);
        let ended = until.filter(is_past);
        if let Some(date) = person.and_then(|person| person.until) {
            self.ends(&address, date, EndingAccess::All);
        }
        if let Some(date) = until {
            self.ends(&address, date, EndingAccess::Entry { roles: roles_of(&item), teams: teams_of(&item) });
        }
        match (leaves, ended) {
            (Some(date), _) => {
                if !is_absent(&item) {
                    make_absent(&mut item, IDENTITY, date.mark);
                }
            }
            (None, Some(date)) => {
                let gave = ACCESS.iter().copied().filter(|field| item.has_field(field)).collect();
                make_absent(&mut item, IDENTITY, date.mark);
                lapsed.insert(key, Lapsed { entry: item, gave });
                return;
            }
            (None, None) => {}
        }
        own.insert(key);
        entries.push(item);
    }

    /// Writes the address of a person on this platform into an entry, and their names where it has none.
    fn complete(&self, item: &mut Located, person: &Person) {
        let email = self.email_of(person);
        let is_absent = is_absent(item);
        let Node::Map(fields) = &mut item.node else { return };
        for (key, value) in fields.iter_mut().filter(|(key, _)| key.text() == Some("email")) {
            if Email::parse(value.text().unwrap_or_default()).ok().as_ref() != Some(email) {
                *value = Located::of_text(email.as_str(), key.mark);
            }
        }
        if !is_absent {
            let known: Vec<_> = self.fields_of(person).collect();
            for (name, value) in known {
                if !fields.iter().any(|(key, _)| key.text() == Some(name)) {
                    fields.push((Located::of_text(name, value.mark), value.clone()));
                }
            }
        }
    }

    /// Returns the fields of a person that an entry of this platform has too.
    fn fields_of<'p>(&self, person: &'p Person) -> impl Iterator<Item = (&'static str, &'p Located)> + use<'p> {
        let known = self.rules.capabilities().person_fields;
        person.fields.iter().filter(|(name, _)| known.contains(name)).map(|(name, value)| (*name, value))
    }

    fn is_own(&self, person: &Person) -> bool {
        self.own_user.as_ref() == Some(self.email_of(person))
    }

    /// Reports that rolecall's own user keeps their access.
    fn own_user_ends(&mut self, mark: Mark) {
        let message =
            "The credential belongs to this user, so they keep their access although it has ended or will end.";
        let finding = Finding::warning(Code::OwnUserEnds, self.sources.place(mark), message);
        self.findings.push(finding.hint("Let rolecall sign in as another user, or remove the date."));
    }

    fn email_of<'p>(&self, person: &'p Person) -> &'p Email {
        person.email_on(self.rules.capabilities().provider)
    }

    fn add_notes<'n>(&mut self, address: &Address, notes: impl Iterator<Item = &'n String>) {
        let mut all: Vec<&str> = Vec::new();
        for note in notes.map(String::as_str) {
            if !all.contains(&note) {
                all.push(note);
            }
        }
        if !all.is_empty() {
            self.resolved.notes.insert(address.clone(), all.join("; "));
        }
    }

    /// Returns the entry of a person who has access by groups. `None` if all of it has ended. `gave`: the fields of their
    /// own entry, which has ended.
    fn shared_entry(
        &mut self,
        person: &Person,
        shares: &[Share],
        (grants, gave): (&[Grant], &[&str]),
        conflicts: &mut BTreeSet<(usize, usize, String)>,
    ) -> Option<Located> {
        let email = self.email_of(person);
        let address = Address::user(email);
        let is_own = self.is_own(person);
        if person.left && !is_own {
            self.resolved.left.insert(address);
            return None;
        }
        let ending = person.until.map(|date| date.mark).or(person.left.then_some(person.mark));
        if let Some(mark) = ending.filter(|_| is_own) {
            self.own_user_ends(mark);
        }
        if let Some(date) = person.until {
            self.ends(&address, date, EndingAccess::All);
        }
        // A role that another group gives forever doesn't end.
        let forever =
            shares.iter().filter(|share| share.until.is_none()).filter_map(|share| grants.get(share.grant));
        let forever: BTreeSet<RoleName> = forever
            .flat_map(|grant| {
                let ends = |role: &RoleName| {
                    grant
                        .parts
                        .iter()
                        .any(|(what, _)| matches!(what, EndingAccess::Role { role: other } if other == role))
                };
                roles_of(&grant.fields).into_iter().filter(|role| !ends(role)).collect::<Vec<_>>()
            })
            .collect();
        // Where a user has one role, the entry of the role ends with it.
        let several = self.rules.has(Quirk::SeveralRoles);
        let stays =
            |what: &EndingAccess| matches!(what, EndingAccess::Role { role } if several && forever.contains(role));
        for Share { grant, until, .. } in shares {
            let Some(grant) = grants.get(*grant) else { continue };
            if let Some(date) = until {
                let (roles, teams) = (roles_of(&grant.fields), teams_of(&grant.fields));
                let what = EndingAccess::Group { group: grant.group.clone(), roles, teams };
                self.ends(&address, *date, what);
            }
            for (what, date) in grant.parts.iter().filter(|(what, _)| !stays(what)) {
                self.ends(&address, *date, what.clone());
            }
        }
        if person.until.is_some_and(|date| date.is_past(self.now)) && !is_own {
            return None;
        }
        let (entry, notes) = self.merged(person, shares, grants, gave, conflicts)?;
        self.add_notes(&address, notes.into_iter().chain(&person.note));
        Some(entry)
    }

    /// Returns an entry with everything that groups give a person now, and the notes about it. `None` if all of it has
    /// ended. What has ended gave the fields `gave`, and what groups gave until a date. If nothing else gives such a field,
    /// its value is empty: a field that an entry lacks would keep what is live.
    fn merged<'g>(
        &mut self,
        person: &Person,
        shares: &[Share],
        grants: &'g [Grant],
        gave: &[&str],
        conflicts: &mut BTreeSet<(usize, usize, String)>,
    ) -> Option<(Located, Vec<&'g String>)> {
        let email = self.email_of(person);
        let now = self.now;
        let mut active = shares.iter().filter(|share| !share.until.is_some_and(|date| date.is_past(now)));
        let first = active.next()?;
        let mark = first.membership.mark;
        let mut fields = vec![(Located::of_text("email", mark), Located::of_text(email.as_str(), mark))];
        let known = self.fields_of(person);
        fields.extend(known.map(|(name, value)| (Located::of_text(name, value.mark), value.clone())));
        fields.extend(grants.get(first.grant).into_iter().flat_map(|grant| grant.fields.fields().iter().cloned()));
        let mut notes: Vec<&String> = grants.get(first.grant).into_iter().flat_map(|grant| &grant.notes).collect();
        for share in active {
            let Some(grant) = grants.get(share.grant) else { continue };
            notes.extend(&grant.notes);
            for (key, value) in grant.fields.fields() {
                let name = key.text().unwrap_or_default();
                let Some((_, known)) = fields.iter_mut().find(|(known, _)| known.text() == Some(name)) else {
                    fields.push((key.clone(), value.clone()));
                    continue;
                };
                let before = known.mark;
                let adds_up = name != "roles" || self.rules.has(Quirk::SeveralRoles);
                if !add(known, value, name == "resources", adds_up)
                    && conflicts.insert((first.grant, share.grant, name.to_owned()))
                {
                    self.conflict(person, name, value.mark, before);
                }
            }
        }
        let ended = shares.iter().filter(|share| share.until.is_some_and(|date| date.is_past(now)));
        let ended: Vec<&Grant> = ended.filter_map(|share| grants.get(share.grant)).collect();
        for field in ACCESS {
            let has_ended = gave.contains(field) || ended.iter().any(|grant| grant.fields.has_field(field));
            if !has_ended || fields.iter().any(|(known, _)| known.text() == Some(field)) {
                continue;
            }
            if *field == "roles" && !self.rules.has(Quirk::SeveralRoles) {
                // A user has one role, so an entry without it has ended.
                return None;
            }
            let node = if *field == "resources" { Node::Map(Vec::new()) } else { Node::List(Vec::new()) };
            fields.push((Located::of_text(*field, mark), Located { node, mark }));
        }
        Some((Located { node: Node::Map(fields), mark }, notes))
    }

    fn conflict(&mut self, person: &Person, field: &str, mark: Mark, before: Mark) {
        let before = self.sources.place(before);
        let email = person.email.as_str();
        let (message, mend) = match field {
            "teams" => (
                format!(
                    "{email} is in two groups that give different roles in a team, or of which only one gives roles in teams."
                ),
                "Give the same roles, or write an entry for this person.",
            ),
            _ => (
                format!("{email} is in two groups that give different `{field}`, and a user can have only one."),
                "Write an entry for this person, or take them out of one of the groups.",
            ),
        };
        let hint = format!("The other one is at {before}. {mend}");
        self.findings.push(Finding::error(Code::GroupConflict, self.sources.place(mark), message).hint(hint));
    }

    /// Returns the entry of a person who had access by groups only, and all of it has ended.
    fn ended_share(&self, person: &Person, shares: &[Share]) -> Located {
        let mark = shares.first().map_or(person.mark, |share| share.membership.mark);
        let until = shares.iter().filter_map(|share| share.until).max_by_key(|date| date.until);
        let past = person.until.filter(|date| date.is_past(self.now));
        let email = (Located::of_text("email", mark), Located::of_text(self.email_of(person).as_str(), mark));
        let mut entry = Located { node: Node::Map(vec![email]), mark };
        let ended = past.or(until).map(|date| date.mark).or(person.left.then_some(mark));
        if let Some(mark) = ended {
            make_absent(&mut entry, IDENTITY, mark);
        }
        entry
    }
}

/// Returns the teams of an entry, each with the role there.
fn teams_of(entry: &Located) -> BTreeMap<TeamName, Option<RoleName>> {
    let Some(teams) = entry.field("teams") else { return BTreeMap::new() };
    if let Node::List(items) = &teams.node {
        return items.iter().filter_map(|item| Some((TeamName::seen(item.text()?), None))).collect();
    }
    let named = teams.fields().iter();
    named
        .filter_map(|(team, role)| Some((TeamName::seen(team.text()?), role.text().map(RoleName::seen))))
        .collect()
}

/// Returns the roles of an entry.
fn roles_of(entry: &Located) -> BTreeSet<RoleName> {
    let roles = entry.field("roles").and_then(|roles| match &roles.node {
        Node::List(roles) => Some(roles),
        Node::Null | Node::Bool(_) | Node::Number(_) | Node::Text(_) | Node::Map(_) => None,
    });
    roles.into_iter().flatten().filter_map(|role| role.text().map(RoleName::seen)).collect()
}

fn is_absent(item: &Located) -> bool {
    item.field("absent").and_then(Located::truth) == Some(true)
}

/// Adds what one value gives to another one. Returns false if the two differ in what there can be only one of.
fn add(to: &mut Located, more: &Located, is_resources: bool, adds_up: bool) -> bool {
    let is_all = |located: &Located| is_resources && located.text() == Some("all");
    if is_all(to) || is_all(more) {
        if !is_all(to) {
            *to = more.clone();
        }
        return true;
    }
    match (&mut to.node, &more.node) {
        (Node::List(items), Node::List(more)) => {
            let new: Vec<&Located> =
                more.iter().filter(|item| !items.iter().any(|known| known.text() == item.text())).collect();
            let is_same = new.is_empty() && items.len() == more.len();
            if adds_up {
                items.extend(new.into_iter().cloned());
            }
            adds_up || is_same
        }
        (Node::Map(entries), Node::Map(more)) => {
            let mut fits = true;
            for (key, value) in more {
                match entries.iter_mut().find(|(known, _)| known.text() == key.text()) {
                    Some((_, known)) => fits &= add(known, value, is_resources, adds_up),
                    None => entries.push((key.clone(), value.clone())),
                }
            }
            fits
        }
        // A list of teams has one form with roles and one without. An empty one has neither.
        (Node::List(items), Node::Map(_)) if items.is_empty() => {
            *to = more.clone();
            true
        }
        (Node::Map(entries), Node::List(_)) if entries.is_empty() => {
            *to = more.clone();
            true
        }
        (Node::List(_), Node::Map(rest)) if rest.is_empty() => true,
        (Node::Map(_), Node::List(rest)) if rest.is_empty() => true,
        (Node::Text(one), Node::Text(other)) => one == other,
        (Node::Bool(one), Node::Bool(other)) => one.eq_ignore_ascii_case(other),
        (Node::Null, Node::Null) => true,
        _ => false,
    }
}
