//! Writes a file that describes an organisation as it is live: the smallest one that a plan finds in sync.
//!
//! For example, Jane has the role `Admin` on everything, and Sam has an invitation. The file lists both:
//!
//! ```yaml
//! users:
//!   - email: jane@acme.example # privileged
//!     roles: [Admin]
//!     resources: all
//!   - email: sam@acme.example # invited, and hasn't accepted yet
//!     roles: [Viewer]
//! ```
//!
//! A field that can't be read is left out, because an absent field keeps the live value. Whatever else a file can't say
//! is left out too, and a comment says why. [`Document::settle`] finds it by asking a plan.

mod everybody;
mod head;
mod people;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use jiff::Timestamp;

use super::write::{self, Document, Entry, Item, Problem, Section, Writer, Yaml, one_line};
use super::{Format, Source, node};
use rolecall_model::{
    Address, Completeness, KeyName, Kind, KnownRoles, Live, LiveKey, RemoteId, RoleName, Scope, list_of,
};

pub use everybody::{Everybody, Roster, everybody};
pub use head::{Head, HeadError};

/// The input from which a file is written.
#[derive(Clone, Copy)]
pub struct ImportInput<'a> {
    /// The text that the file begins with. It has no entries.
    pub head: &'a str,
    /// The scope of every collection. `None` if the head says it, or the default is meant.
    pub manage: Option<Scope>,
    /// The kinds of entities to write.
    pub kinds: &'a BTreeSet<Kind>,
    pub live: &'a Live,
    pub format: &'static Format,
    /// The id of the key that rolecall signs in with, if it is known.
    pub own_key: Option<&'a RemoteId>,
    /// The current time, which decides what has expired.
    pub now: Timestamp,
}

/// A file that describes what is live.
#[derive(Clone, Debug)]
pub struct Imported {
    pub text: String,
    /// The number of entries of each kind, in the order of the file.
    pub entries: Vec<(Kind, usize)>,
    /// The lists that aren't complete, each with the reason. The file may lack some of their entities.
    pub incomplete: Vec<(Kind, String)>,
    /// Everything that keeps the file from being in sync, and that no entry causes: the head does, or an earlier apply.
    pub problems: Vec<Problem>,
}

/// Returns whether a file has this field at its top.
pub fn has_field(source: &Source, name: &str) -> bool {
    node::parse(source).0.is_ok_and(|root| root.has_field(name))
}

/// Writes a file that describes what is live. `check` returns everything that keeps a text from being in sync.
pub fn import(input: &ImportInput<'_>, check: &dyn Fn(&str) -> Vec<Problem>) -> Imported {
    let incomplete = incomplete(input.live, input.kinds);
    let mut narrowed: BTreeSet<Kind> = incomplete.iter().map(|(kind, _)| *kind).collect();
    let mut document = Document { head: String::new(), sections: sections(input, &mut narrowed) };
    // What the file lacks would be removed if the file managed all entities of that kind. So it doesn't.
    loop {
        document.head = head(input, &incomplete, &narrowed, &document.sections);
        let before = narrowed.len();
        let (lacking, problems) = document.settle(check);
        narrowed.extend(lacking);
        if narrowed.len() == before {
            let text = with_line_ends_of(input.head, document.text());
            return Imported { text, entries: document.entries(), incomplete, problems };
        }
    }
}

/// Returns the text with the line ends that its head has.
fn with_line_ends_of(head: &str, text: String) -> String {
    match text.find(head).filter(|_| head.contains("\r\n")) {
        Some(at) => {
            let (head, entries) = text.split_at(at + head.len());
            format!("{head}{}", entries.replace('\n', "\r\n"))
        }
        None => text,
    }
}

/// Returns the kinds of entities that a file of the platform can list or describe, in the order of the file.
pub fn kinds(format: &Format) -> Vec<Kind> {
    const ORDER: [Kind; 5] = [Kind::Organization, Kind::Team, Kind::Role, Kind::User, Kind::Key];
    let has = |kind: &Kind| format.rules.capabilities().kinds.contains(kind);
    ORDER.into_iter().filter(has).collect()
}

/// Returns the lists with entities of these kinds that aren't complete, each with the reason.
fn incomplete(live: &Live, kinds: &BTreeSet<Kind>) -> Vec<(Kind, String)> {
    let invitations = live.invitations.as_ref().map(|list| (Kind::User, &list.completeness));
    let lists = [
        (Kind::Team, live.teams.as_ref().map(|list| &list.completeness)),
        (Kind::Role, live.roles.as_ref().map(|list| &list.completeness)),
        (Kind::User, Some(&live.users.completeness)),
        (Kind::Key, live.keys.as_ref().map(|list| &list.completeness)),
    ];
    let lists = lists.into_iter().filter_map(|(kind, list)| Some((kind, list?))).chain(invitations);
    lists
        .filter(|(kind, _)| kinds.contains(kind))
        .filter_map(|(kind, list)| match list {
            Completeness::Broken { why } => Some((kind, why.clone())),
            Completeness::Proven | Completeness::Assumed { .. } => None,
        })
        .collect()
}

/// Returns the head with everything that depends on what was read.
fn head(
    input: &ImportInput<'_>,
    incomplete: &[(Kind, String)],
    narrowed: &BTreeSet<Kind>,
    sections: &[Section],
) -> String {
    let mut text = String::new();
    for (kind, why) in incomplete {
        let _ = writeln!(text, "# Incomplete: the list of {}s, because {}.", kind.as_str(), one_line(why));
    }
    text.push_str(input.head);
    if !text.ends_with('\n') {
        text.push('\n');
    }
    if has_unknown_roles(input) {
        text.push_str("\n# The organisation has roles that this version of rolecall doesn't know.\n");
        text.push_str(&write::section("allow", &Yaml::names(["unknown-roles"])));
    }
    let Some(manage) = input.manage else { return text };
    let scopes = kinds(input.format).into_iter().filter(|kind| *kind != Kind::Organization);
    // A plan refuses `all` for a kind of which the file lists nobody.
    let is_listed = |kind: Kind| {
        let of_kind = sections.iter().filter(|section| section.kind == kind).flat_map(|section| &section.items);
        of_kind.into_iter().any(|item| matches!(item, Item::Entry(_)))
    };
    let scopes: Vec<(String, Yaml)> = scopes
        .map(|kind| {
            let is_all = manage == Scope::All && is_listed(kind) && !narrowed.contains(&kind);
            (kind.section().to_owned(), Yaml::text(if is_all { "all" } else { "listed" }))
        })
        .collect();
    text.push_str(
        "\n# `listed`: rolecall changes only what this file names. `all`: rolecall also removes what this file doesn't name.\n",
    );
    let narrowed: Vec<&str> = narrowed.iter().map(|kind| kind.section()).collect();
    if manage == Scope::All && !narrowed.is_empty() {
        let _ = writeln!(
            text,
            "# It is `listed` for {}, because the file can't list all of them.",
            list_of(&narrowed, "and")
        );
    }
    text.push_str(&write::section("manage", &Yaml::Map(scopes)));
    text
}

/// Returns whether somebody has a role that the platform isn't known to have, if it may have such roles.
fn has_unknown_roles(input: &ImportInput<'_>) -> bool {
    let KnownRoles::Open(known) = input.format.rules.capabilities().known_roles else { return false };
    let users = input.live.users.items.iter().flat_map(|user| &user.roles);
    let keys = input.live.keys().iter().filter_map(|key| key.roles.as_ref()).flatten();
    let users = users.filter(|_| input.kinds.contains(&Kind::User));
    let keys = keys.filter(|_| input.kinds.contains(&Kind::Key));
    !known.is_empty() && users.chain(keys).any(|role| !known.contains(&role.as_str()))
}

pub(crate) fn sections(input: &ImportInput<'_>, narrowed: &mut BTreeSet<Kind>) -> Vec<Section> {
    let kinds = kinds(input.format).into_iter().filter(|kind| input.kinds.contains(kind));
    kinds
        .map(|kind| {
            let mut section = match kind {
                Kind::Organization => settings(input),
                Kind::Team => teams(input),
                Kind::Role => roles(input),
                Kind::User | Kind::Invitation => people::section(input, narrowed),
                Kind::Key => keys(input),
            };
            let is_here = |of: Kind| of == kind || kind == Kind::User && of == Kind::Invitation;
            let rows: BTreeSet<_> = input.live.unreadable.iter().filter(|row| is_here(row.address.kind)).collect();
            let rows = rows.into_iter();
            section.items.extend(rows.map(|row| {
                narrowed.insert(kind);
                let roles: Vec<&str> = row.roles.iter().map(RoleName::as_str).collect();
                let privileged = if is_privileged(input, &row.roles) { ", which is privileged" } else { "" };
                let held = match &*roles {
                    [] => String::new(),
                    roles => format!(" It has {}{privileged}.", list_of(roles, "and")),
                };
                Item::Comment(format!("{} can't be read: {}.{held}", row.address, row.why))
            }));
            section
        })
        .collect()
}

fn section(kind: Kind, entries: impl Iterator<Item = Item>) -> Section {
    Section { kind, notes: Vec::new(), items: entries.collect() }
}

fn settings(input: &ImportInput<'_>) -> Section {
    let found = input.live.organization_entity.iter();
    section(
        Kind::Organization,
        found.map(|found| Item::Entry(Entry::new(Address::organization(), write::organization(found)))),
    )
}

fn teams(input: &ImportInput<'_>) -> Section {
    let mut teams: Vec<_> = input.live.teams().iter().collect();
    teams.sort_by(|a, b| a.name.cmp(&b.name));
    let entries = teams.into_iter().filter_map(|live| {
        let mut entry = Entry::new(Address::team(&live.name), write::team(live.entity().team()?));
        entry.marks.extend(live.default.then_some("the platform made it together with the organisation"));
        Some(Item::Entry(entry))
    });
    section(Kind::Team, entries)
}

fn roles(input: &ImportInput<'_>) -> Section {
    let mut roles: Vec<_> = input.live.roles().iter().collect();
    roles.sort_by(|a, b| a.name.cmp(&b.name));
    let locked: Vec<&str> = roles.iter().filter(|role| role.locked).map(|role| role.name.as_str()).collect();
    let built_in = match &*locked {
        [] => None,
        [only] => Some(format!("`{only}` is built in, so it needs no entry.")),
        several => Some(format!("{} are built in, so they need no entries.", list_of(several, "and"))),
    };
    let own = roles.iter().filter(|role| !role.locked);
    let entries = own.filter_map(|live| {
        let mut entry = Entry::new(Address::role(&live.name), write::role(live.entity().role()?));
        entry.marks.extend(input.format.rules.is_privileged(&live.permissions).then_some(PRIVILEGED));
        Some(Item::Entry(entry))
    });
    section(Kind::Role, built_in.map(Item::Comment).into_iter().chain(entries))
}

/// The mark of whoever can give access to themselves or to others.
const PRIVILEGED: &str = "privileged";

fn keys(input: &ImportInput<'_>) -> Section {
    let works = |key: &LiveKey| key.enabled && !key.expires.is_some_and(|expires| expires.is_past(input.now));
    let mut keys: Vec<_> = input.live.keys().iter().collect();
    keys.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
    let is_ambiguous = |name: &KeyName| keys.iter().filter(|key| key.name == *name && works(key)).count() > 1;
    let entry = |key: &&LiveKey| {
        if input.own_key == Some(&key.id) {
            return Item::Comment(format!("{} is rolecall's own key, which it never changes.", key.name));
        }
        if !works(key) {
            let why = if key.enabled { "has expired" } else { "is disabled" };
            return Item::Comment(format!("{} {why}. An entry would create another key.", key.name));
        }
        let pinned = is_ambiguous(&key.name);
        let address = Address::key(&key.name).with_id(Some(&key.id).filter(|_| pinned));
        let mut entry = Entry::new(address, write::key(&key.entity(), pinned));
        entry.marks.extend(is_privileged_key(input, key).then_some(PRIVILEGED));
        Item::Entry(entry)
    };
    let mut section = section(Kind::Key, keys.iter().map(entry));
    if section.items.iter().any(|item| matches!(item, Item::Entry(_))) {
        section.notes.push(
            "The API shows no secret again, so no entry has `deliver`. Add it to a key before it must be replaced."
                .to_owned(),
        );
    }
    section
}

fn is_privileged_key(input: &ImportInput<'_>, key: &LiveKey) -> bool {
    let rules = input.format.rules;
    key.roles.as_ref().is_some_and(|roles| rules.is_admin(input.live, roles))
        || key.permissions.as_ref().is_some_and(|permissions| rules.is_privileged(permissions))
}

/// Returns whether a user with these roles can give access to themselves or to others.
fn is_privileged(input: &ImportInput<'_>, roles: &BTreeSet<RoleName>) -> bool {
    let (live, rules) = (input.live, input.format.rules);
    let by_permission =
        |role: &RoleName| live.role(role).is_some_and(|role| rules.is_privileged(&role.permissions));
    rules.is_admin(live, roles) || rules.gives_access(live, roles) || roles.iter().any(by_permission)
}

fn writer<'a>(input: &ImportInput<'a>) -> Writer<'a> {
    Writer { live: input.live, rules: input.format.rules }
}
