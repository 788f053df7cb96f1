//! Puts the description of an organisation together before it is checked: the entries of included files, the people of
//! groups, and what has ended.
//!
//! It works on the trees of the files, so that a platform's own checks see every value with the place where a person wrote
//! it. For example, `payments` is a group of Jane, and `hive.yaml` has
//! `users: [{ group: payments, roles: [Developer] }]`. The tree that is checked has an entry for Jane: her address has the
//! place of the group's member in `people.yaml`, and the role that of the entry in `hive.yaml`.

mod directory;
mod entries;
mod groups;
mod include;
mod people;
mod render;
mod rotation;
mod tolerated;
mod users;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

pub use directory::{Answers, Commands, NotRun};
pub use include::{Disk, Files, Library, NoFiles, PARTS};
pub use people::RawPeople;
pub use render::render;
pub use tolerated::{RawTolerated, check_tolerated};

use super::node::{Located, Node};
use super::source::{Mark, Sources};
use entries::{Date, take_note, take_until};
use groups::{Roster, absentees};
use people::PeopleFile;
use rolecall_model::{
    Address, Code, EcoString, Email, Ending, EndingAccess, Finding, KeyName, PeopleDirectory, PersonGroups,
    ProviderName, RemoteId, RoleName, Rotation, Rules, Span, TeamName,
};
use rotation::take_rotation;

/// Returns the address of an entity by its name in a file.
type AddressOf = fn(&str) -> Option<Address>;

/// The lists whose entries have names.
const NAMED: [(&str, AddressOf); 3] = [
    ("roles", |name| RoleName::parse(name).ok().map(|name| Address::role(&name))),
    ("keys", |name| KeyName::parse(name).ok().map(|name| Address::key(&name))),
    ("teams", |name| TeamName::parse(name).ok().map(|name| Address::team(&name))),
];

/// The fields of keys' entries that say when the keys are replaced.
pub type RotationFields = BTreeMap<Address, Vec<(Located, Located)>>;

/// The facts about an organisation's entries that are the same on every platform.
#[derive(Debug, Default)]
pub struct Resolved {
    /// The notes of entries and of people, by address.
    pub notes: BTreeMap<Address, String>,
    /// The access that ends or has ended.
    pub endings: Vec<Ending>,
    /// The people and groups that the entries of users come from.
    pub memberships: BTreeMap<Address, PersonGroups>,
    /// The people who have another address on this platform, by that address.
    pub people: BTreeMap<Email, Email>,
    /// The rules by which keys are replaced.
    pub rotations: BTreeMap<Address, Rotation>,
    /// The same, as the files write them.
    pub rotation_fields: RotationFields,
    /// The directories that people come from.
    pub directories: Vec<PeopleDirectory>,
    /// The users who must have no access because they have left the directory.
    pub left: BTreeSet<Address>,
}

/// Puts the description of an organisation together. `numbers`: the included files.
pub fn resolve(
    root: &mut Located,
    numbers: &[u32],
    library: &Library<'_>,
    (sources, rules): (Sources<'_>, &dyn Rules),
    findings: &mut Vec<Finding>,
) -> Resolved {
    let provider = rules.capabilities().provider;
    let files: Vec<&PeopleFile> = library.people(numbers).collect();
    let absentees = absentees(&files, provider);
    let mut roster = Roster::new(&files, &absentees, provider, sources, findings);
    roster.check(sources, findings);
    let parts: Vec<&Located> = library.parts(numbers).collect();
    for section in PARTS {
        merge(root, &parts, section);
    }
    let mut resolver = Resolver {
        sources,
        rules,
        now: library.now,
        roster: &roster,
        ended_teams: BTreeMap::new(),
        own_user: root
            .field("own")
            .and_then(|own| own.field("user")?.text())
            .and_then(|text| Email::parse(text).ok()),
        findings,
        resolved: Resolved {
            people: roster.aliases(),
            directories: files.iter().filter_map(|file| file.directory.clone()).collect(),
            ..Resolved::default()
        },
    };
    for (section, address) in NAMED {
        for entry in items(root, section).into_iter().flatten() {
            resolver.named_entry(entry, section, address);
        }
    }
    let written = items(root, "users").map(std::mem::take).unwrap_or_default();
    let users = resolver.users(written);
    let resolved = resolver.resolved;
    if let Some(items) = items(root, "users") {
        *items = users;
    } else if let (false, Some(mark)) = (root.has_field("users"), users.first().map(|user| user.mark))
        && let Node::Map(fields) = &mut root.node
    {
        // Nobody is listed, and somebody must have no access.
        fields.push((Located::of_text("users", mark), Located { node: Node::List(users), mark }));
    }
    resolved
}

/// Returns the fields that the mappings with this type have on every platform, by the last word of its name. Where keys have
/// an expiry, they have more.
pub fn common_fields(name: &str, fields: &[&str]) -> &'static [&'static str] {
    match name {
        _ if name.ends_with("User") => &["group", "until", "note"],
        _ if name.ends_with("Key") && fields.contains(&"expires") => {
            &["until", "note", "lifetime", "max_age", "rotate_before", "overlap", "rotate", "rotate_own"]
        }
        _ if name.ends_with("Key") => &["until", "note", "max_age", "overlap", "rotate", "rotate_own"],
        _ if name.ends_with("Team") => &["until", "note"],
        _ if name.ends_with("Role") => &["note"],
        _ if ProviderName::parse(&name.to_lowercase()).is_some() => &["include", "tolerated"],
        _ => &[],
    }
}

/// Returns the items of a list of the document, if it has that list.
fn items<'a>(root: &'a mut Located, section: &str) -> Option<&'a mut Vec<Located>> {
    match &mut root.field_mut(section)?.node {
        Node::List(items) => Some(items),
        Node::Null | Node::Bool(_) | Node::Number(_) | Node::Text(_) | Node::Map(_) => None,
    }
}

/// Adds the entries of included files to a list of the document.
fn merge(root: &mut Located, parts: &[&Located], section: &str) {
    let of_section = |entries: &'_ [(Located, Located)]| {
        entries.iter().filter(|(key, _)| key.text() == Some(section)).cloned().collect::<Vec<_>>()
    };
    for part in parts {
        let Node::Map(entries) = &part.node else { continue };
        for (key, value) in of_section(entries) {
            let Node::List(more) = value.node else { continue };
            if let Some(items) = items(root, section) {
                items.extend(more);
            } else if !root.has_field(section)
                && let Node::Map(entries) = &mut root.node
            {
                entries.push((key, Located { node: Node::List(more), mark: value.mark }));
            }
        }
    }
}

/// Takes from the entries of an organisation what is the same on every platform.
struct Resolver<'a> {
    sources: Sources<'a>,
    rules: &'a dyn Rules,
    now: Timestamp,
    roster: &'a Roster<'a>,
    /// The teams that have ended, by their names.
    ended_teams: BTreeMap<EcoString, Date>,
    /// The user of the credential, whose access never ends.
    own_user: Option<Email>,
    findings: &'a mut Vec<Finding>,
    resolved: Resolved,
}

impl Resolver<'_> {
    /// Takes the note and the date of an entry of a role, a key or a team. An entry that has ended must not exist.
    fn named_entry(&mut self, entry: &mut Located, section: &str, address: AddressOf) {
        let note = take_note(entry, self.sources, self.findings);
        // A role ends with those who have it.
        let date = if section == "roles" { None } else { take_until(entry, self.sources, self.findings) };
        let written = if section == "keys" { rotation::fields(entry) } else { Vec::new() };
        let rotation = if section == "keys" {
            take_rotation(entry, (self.sources, self.rules.capabilities()), self.findings)
        } else {
            None
        };
        let name = entry.field("name").and_then(Located::text).and_then(address);
        let Some(address) = name.map(|address| address.with_id(id_of(entry).as_ref())) else { return };
        if let Some(rotation) = rotation {
            self.resolved.rotations.insert(address.clone(), rotation);
            self.resolved.rotation_fields.insert(address.clone(), written);
        }
        if let Some(note) = note {
            self.resolved.notes.insert(address.clone(), note);
        }
        if let Some(date) = date {
            self.contradiction(entry, date);
            self.ends(&address, date, EndingAccess::All);
            if date.is_past(self.now) {
                if section == "teams" {
                    self.ended_teams.insert(address.name.clone(), date);
                }
                make_absent(entry, &["name", "id"], date.mark);
            }
        }
    }

    fn ends(&mut self, address: &Address, Date { until, mark }: Date, what: EndingAccess) {
        let place = self.sources.place(mark).to_string();
        self.resolved.endings.push(Ending { until, address: address.clone(), what, place });
    }

    /// Reports an end of access that must not exist anyway.
    fn contradiction(&mut self, entry: &Located, date: Date) {
        if entry.field("absent").and_then(Located::truth) == Some(true) {
            let finding = Finding::error(
                Code::AbsentWithValues,
                self.sources.place(date.mark),
                "`until` contradicts `absent: true`.",
            );
            self.findings.push(finding.hint("Remove `until`, or remove `absent: true`."));
        }
    }
}

/// Returns the field `id` of an entry.
fn id_of(entry: &Located) -> Option<RemoteId> {
    RemoteId::parse(entry.field("id")?.text()?).ok()
}

/// Leaves only these fields of an entry, and makes it say that the entity must not exist.
fn make_absent(entry: &mut Located, keep: &[&str], mark: Mark) {
    let Node::Map(fields) = &mut entry.node else { return };
    fields.retain(|(key, _)| key.text().is_some_and(|name| keep.contains(&name)));
    // Nobody has typed it, so no text stands for it.
    let start = mark.span.start();
    let mark = Mark { span: Span::new(start..start), ..mark };
    fields.push((Located::of_text("absent", mark), Located { node: Node::Bool("true".into()), mark }));
}
