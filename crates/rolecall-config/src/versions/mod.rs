//! Compares two versions of an organisation's file, entry by entry: the lines that ask for a change, and the edit that
//! deleted an entry.
//!
//! For example, the base has the entries of Jane and Bob. A pull request gives Jane another role, and removes the entry of
//! Bob. The lines that ask for Jane's change are those of her entry that differ, and Bob's deletion is that of an entry.
//! Had the line `users:` been lost with all entries below it, the deletion would be that of a section.
//!
//! White space doesn't count, so an entry that only moved has no lines. The desired states decide what an entry means, and
//! the text only shows how that came about.

mod shared;

use std::collections::{BTreeMap, BTreeSet};

use similar::ChangeTag;

use super::edit::{Node, Tree, Value};
use super::{Source, compare_lines};
use rolecall_model::{Address, Change, DeletedBy, Deletion, Desired, DiffLine, Email, Entity, Kind, Place};
use shared::{Shared, SharedDifferences};

/// One version of an organisation's file, with the files that it includes.
#[derive(Clone)]
pub struct Version<'a> {
    pub source: &'a Source,
    pub included: Vec<&'a Source>,
    pub desired: &'a Desired,
}

impl<'a> Version<'a> {
    /// Returns the texts of all files.
    fn sources(&self) -> impl Iterator<Item = &'a Source> + Clone {
        std::iter::once(self.source).chain(self.included.clone()).filter(|source| !source.is_data)
    }
}

/// The differences between two versions of a file.
#[derive(Debug, Default)]
pub struct Differences {
    /// The lines that differ, by the address of their entry. Also those of entries that only the base has.
    entries: BTreeMap<Address, Vec<DiffLine>>,
    /// The lines that differ and belong to no entry, such as those of `manage`.
    others: Vec<DiffLine>,
    /// The entries that only the base has.
    pub deletions: Vec<Deletion>,
    /// The entries of which only the indentation differs.
    reindented: BTreeSet<Address>,
}

/// The number of lines that are kept of one entry, and of everything that belongs to no entry.
const LINES: usize = 40;

/// The fields without which fewer entities are managed, or less is refused.
const PROTECTIVE: &[&str] = &["manage", "guardrails"];

/// A part of a file: an entry, or a field of the document.
#[derive(Clone)]
struct Part<'a> {
    /// The number of the file.
    file: usize,
    /// The entry's address. `None` for a field that isn't a list of entries.
    address: Option<Address>,
    /// The entry of a person or a group, and the number of those with the same name before it.
    shared: Option<(Shared, usize)>,
    /// The name of the field of the document that the part is, or lies in.
    field: &'a str,
    /// True if the entry says that the entity must not exist.
    absent: bool,
    /// The number of the part's first line, from one.
    first: usize,
    lines: Vec<&'a str>,
}

/// The files of an organisation, split into their parts.
#[derive(Default)]
struct Split<'a> {
    files: Vec<SplitFile<'a>>,
    parts: Vec<Part<'a>>,
    /// The fields of the document that it has, with a value or an empty list.
    fields: BTreeSet<&'a str>,
}

/// One file of an organisation.
struct SplitFile<'a> {
    name: &'a str,
    is_people: bool,
    /// The numbers of the lines that may have a credential. In an entry, only a command may have one.
    secret: BTreeSet<usize>,
}

/// The entries of the files that the base doesn't have, and the lines of the files, to find out what became of an entry.
struct Search<'a> {
    files: &'a [SplitFile<'a>],
    fields: &'a BTreeSet<&'a str>,
    /// The new entries, by their field and their lines with a blank instead of their name.
    new: BTreeMap<(&'a str, Vec<String>), &'a Address>,
    /// The entries that have a name under `previously`, by the address with that name.
    renamed: BTreeMap<Address, Address>,
    /// The lines that entries have now beyond those of the base, with the file and the number of the first.
    more: BTreeMap<Vec<&'a str>, (usize, usize)>,
    /// The lines that aren't blank and no comments, each with its file and its number.
    lines: Vec<((usize, usize), &'a str)>,
    /// The positions in `lines`, by their text.
    positions: BTreeMap<&'a str, Vec<usize>>,
}

/// Compares two versions of a file. Without a base, every entry of the file is new.
pub fn differences(base: Option<&Version<'_>>, head: &Version<'_>) -> Differences {
    let before = base.map(split).unwrap_or_default();
    let after = split(head);
    let mut found = Differences::default();
    let mut shared = SharedDifferences::default();
    let mut open: BTreeMap<_, &Part<'_>> = before.parts.iter().map(|part| (part.key(), part)).collect();
    let mut new = Vec::new();
    let mut more = BTreeMap::new();
    let mut pairs = Vec::new();
    for part in &after.parts {
        match open.remove(&part.key()) {
            Some(earlier) => pairs.push((Some(earlier), part)),
            None => new.push(part),
        }
    }
    // An entry that got an id, or lost it, is the same entry.
    let name = |part: &Part<'_>| part.address.as_ref().map(|address| (address.kind, address.name.clone()));
    let mut namesakes: BTreeMap<_, &Part<'_>> =
        open.values().filter_map(|part| Some((name(part)?, *part))).collect();
    new.retain(|part| {
        let earlier = name(part).and_then(|name| namesakes.remove(&name));
        if let Some(earlier) = earlier {
            open.remove(&earlier.key());
        }
        pairs.push((earlier, part));
        earlier.is_none()
    });
    for (earlier, part) in pairs {
        let is_same = earlier.is_some_and(|earlier| earlier.content().eq(part.content()));
        if is_same && earlier.is_some_and(|earlier| earlier.indents().eq(part.indents())) {
            continue;
        }
        more.extend(earlier.and_then(|earlier| part.beyond(earlier)));
        let by = if is_same { By::Indentation } else { By::Content };
        let lines = diff((earlier, &before), (Some(part), &after), by);
        match &part.address {
            Some(address) => {
                found.entries.entry(address.clone()).or_default().extend(lines);
                found.reindented.extend(is_same.then(|| address.clone()));
            }
            None if part.shared.is_some() => shared.add(part, lines),
            // In a new file, only the scopes can ask for something that no entry asks for.
            None if base.is_some() || part.field == "manage" => found.others.extend(lines),
            None => {}
        }
    }
    let search = Search { renamed: renamed(head.desired), ..Search::of(&new, more, &after, head) };
    let after_memberships = &head.desired.memberships;
    for part in open.into_values() {
        let lines = diff((Some(part), &before), (None, &after), By::Content);
        // The first file is the organisation's own one, under whatever name.
        let lost_file = part.file > 0 && !after.has_file(before.files.get(part.file).map_or("", |file| file.name));
        let Some(address) = &part.address else {
            if let Some((what, _)) = &part.shared {
                shared.gone.insert(what.clone(), lost_file);
                shared.add(part, lines);
                continue;
            }
            if PROTECTIVE.contains(&part.field) {
                let by = DeletedBy::Section { section: part.field.to_owned() };
                found.deletions.push(Deletion { address: Address::organization(), by, lines: lines.clone() });
            }
            found.others.extend(lines);
            continue;
        };
        let by = match search.deleted_by(part, address) {
            DeletedBy::Entry if lost_file => DeletedBy::Section { section: "include".to_owned() },
            by => by,
        };
        found.entries.entry(address.clone()).or_default().extend(lines.clone());
        // A group may give what the entry gave.
        let is_shared = after_memberships.contains_key(address);
        // Nobody misses an entry that says that something must not exist, unless its lines mean something else now.
        if !part.absent && !is_shared || matches!(by, DeletedBy::Moved { .. }) {
            found.deletions.push(Deletion { address: address.clone(), by, lines });
        }
    }
    shared.add_to(&mut found, (base, head), &after.fields);
    found.others.truncate(LINES);
    found.deletions.sort_by(|a, b| (a.by.is_explicit(), &a.address).cmp(&(b.by.is_explicit(), &b.address)));
    found
}

impl<'a> Part<'a> {
    /// Returns what makes this the same part in another version of the files.
    fn key(&self) -> (Option<&Address>, Option<&(Shared, usize)>, &'a str) {
        (self.address.as_ref(), self.shared.as_ref(), self.field)
    }

    /// Returns the lines without indentation, blank lines and comments.
    fn content(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(|line| line.trim()).filter(|line| is_content(line))
    }

    /// Returns how far each of these lines is indented beyond the first.
    fn indents(&self) -> impl Iterator<Item = usize> {
        let lines = self.lines.iter().filter(|line| is_content(line.trim()));
        let indents = lines.map(|line| line.len() - line.trim_start().len());
        let first = self.lines.first().map_or(0, |line| line.len() - line.trim_start().len());
        indents.map(move |indent| indent.saturating_sub(first))
    }

    /// Returns the lines that the entry has beyond those that it had, with the number of the first, if all of those are
    /// still there.
    fn beyond(&self, earlier: &Self) -> Option<(Vec<&str>, (usize, usize))> {
        let mut own = self.content();
        if !earlier.content().all(|line| own.next() == Some(line)) {
            return None;
        }
        let more: Vec<&str> = own.collect();
        let last = self.lines.iter().rposition(|line| is_content(line.trim()))?;
        let first = more.len().checked_sub(1)?;
        Some((more, (self.file, self.first + last.saturating_sub(first))))
    }

    /// Returns the lines with a blank instead of the entry's name.
    fn nameless(&self) -> Vec<String> {
        let name = self.address.as_ref().map_or("", |address| &address.name);
        self.content().map(|line| if name.is_empty() { line.to_owned() } else { line.replace(name, "") }).collect()
    }
}

fn is_content(line: &str) -> bool {
    !line.is_empty() && !line.starts_with('#')
}

impl<'a> Search<'a> {
    fn of(
        new: &[&'a Part<'a>],
        more: BTreeMap<Vec<&'a str>, (usize, usize)>,
        after: &'a Split<'a>,
        head: &Version<'a>,
    ) -> Self {
        let new = new.iter().filter_map(|part| Some(((part.field, part.nameless()), part.address.as_ref()?)));
        let texts = head
            .sources()
            .enumerate()
            .filter(|(file, _)| after.files.get(*file).is_some_and(|file| !file.is_people));
        let lines = texts.flat_map(|(file, source)| {
            source.text.lines().enumerate().map(move |(at, line)| ((file, at + 1), line.trim()))
        });
        let lines: Vec<((usize, usize), &str)> = lines.filter(|(_, line)| is_content(line)).collect();
        let mut positions: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (at, (_, line)) in lines.iter().enumerate() {
            positions.entry(line).or_default().push(at);
        }
        let renamed = BTreeMap::new();
        Self { files: &after.files, fields: &after.fields, new: new.collect(), renamed, more, lines, positions }
    }

    /// Returns the edit that deleted an entry.
    fn deleted_by(&self, part: &Part<'_>, address: &Address) -> DeletedBy {
        if let Some(to) = self.renamed.get(address) {
            return DeletedBy::Renamed { to: to.clone() };
        }
        if let Some((file, line)) = self.line_of(part, address) {
            let file = self.files.get(file).map(|file| file.name.to_owned()).unwrap_or_default();
            return DeletedBy::Moved { file, line };
        }
        if let Some(to) = self.new.get(&(part.field, part.nameless())) {
            return DeletedBy::Renamed { to: (*to).clone() };
        }
        // Somebody who removes the last entry on purpose writes an empty list.
        if self.fields.contains(part.field) {
            DeletedBy::Entry
        } else {
            DeletedBy::Section { section: part.field.to_owned() }
        }
    }

    /// Returns the line on which the lines of an entry still stand, although they don't mean it any more.
    fn line_of(&self, part: &Part<'_>, address: &Address) -> Option<(usize, usize)> {
        let content: Vec<&str> = part.content().collect();
        // If only the first line of an entry is lost, the others are those of the entry before it.
        if let Some(line) = content.get(1..).and_then(|rest| self.more.get(rest)) {
            return Some(*line);
        }
        // Only lines with the name are sure to be those of the entry.
        content.iter().find(|line| line.contains(address.name.as_str()))?;
        let starts = self.positions.get(content.first()?)?;
        let is_here = |start: &&usize| {
            let lines = self.lines.get(**start..).unwrap_or_default();
            lines.len() >= content.len() && lines.iter().zip(&content).all(|((_, line), own)| line == own)
        };
        let start = starts.iter().find(is_here)?;
        self.lines.get(*start).map(|(line, _)| *line)
    }
}

impl Differences {
    /// Returns whether only the indentation of an entity's entry differs.
    pub fn is_reindented(&self, address: &Address) -> bool {
        entries_of(address).iter().any(|address| self.reindented.contains(address))
    }

    /// Returns the lines that ask for a change: those of its own entry, else those of the roles and teams that it is
    /// about, else those that belong to no entry, else all: for example, one user leaves, and another gets the seat.
    pub fn asking(&self, change: &Change) -> Vec<DiffLine> {
        let of = |addresses: &mut dyn Iterator<Item = Address>| -> Vec<DiffLine> {
            addresses.filter_map(|address| self.entries.get(&address)).flatten().take(LINES).cloned().collect()
        };
        let own = of(&mut entries_of(&change.address).into_iter());
        if !own.is_empty() {
            return own;
        }
        let lines = of(&mut related(change).into_iter());
        match (lines.is_empty(), self.others.is_empty()) {
            (false, _) => lines,
            (true, false) => self.others.clone(),
            (true, true) => of(&mut self.entries.keys().cloned()),
        }
    }
}

/// Returns the addresses that the entry of an entity may have: with its id, or without.
fn entries_of(Address { kind, name, id }: &Address) -> BTreeSet<Address> {
    let kind = if *kind == Kind::Invitation { Kind::User } else { *kind };
    BTreeSet::from([None, id.clone()]).into_iter().map(|id| Address { kind, name: name.clone(), id }).collect()
}

/// Returns the roles and teams that the entity of a change has, before or after.
fn related(change: &Change) -> BTreeSet<Address> {
    let mut found = BTreeSet::new();
    for entity in change.before.iter().chain(&change.after) {
        match entity {
            Entity::User(user) => {
                found.extend(user.roles.iter().map(Address::role));
                found.extend(user.teams.iter().flat_map(|teams| teams.keys()).map(Address::team));
            }
            Entity::Key(key) => found.extend(key.roles.iter().flatten().map(Address::role)),
            Entity::Role(_) | Entity::Team(_) | Entity::Organization(_) => {}
        }
    }
    found
}

/// Splits a file into its entries and its other fields. There are none if it isn't a mapping.
fn split<'a>(version: &Version<'a>) -> Split<'a> {
    let mut all = Split::default();
    for (file, source) in version.sources().enumerate() {
        all.add(file, source, version.desired);
    }
    all
}

impl<'a> Split<'a> {
    /// Returns whether one of the files has this name, in whatever folder or revision.
    fn has_file(&self, name: &str) -> bool {
        let last = |name: &'_ str| name.rsplit(['/', ':']).next().unwrap_or_default().to_owned();
        self.files.iter().any(|file| last(file.name) == last(name))
    }

    fn add(&mut self, file: usize, source: &'a Source, desired: &Desired) {
        let all = self;
        let text = source.text.as_str();
        all.files.push(SplitFile { name: &source.name, is_people: false, secret: source.lines_with_secrets() });
        let Some(tree) = Tree::parse(text) else { return };
        let Value::Map { entries, .. } = &tree.root.value else { return };
        let starts: Vec<usize> =
            std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let lines_of = |start: usize, end: usize| {
            let line_of = |at: usize| starts.partition_point(|start| *start <= at).saturating_sub(1);
            line_of(start)..=line_of(end.saturating_sub(1).max(start))
        };
        let part = |field, shared, named: Option<(Address, bool)>, start: usize, end: usize| {
            let range = lines_of(start, end);
            let first = *range.start();
            let lines = range.filter_map(|line| {
                let until = starts.get(line + 1).copied().unwrap_or(text.len());
                text.get(*starts.get(line)?..until).map(str::trim_end)
            });
            let (address, absent) = named.map_or((None, false), |(address, absent)| (Some(address), absent));
            Part { file, address, shared, field, absent, first: first + 1, lines: lines.collect() }
        };
        let named = named(desired, &source.name);
        let mut is_people = false;
        let mut secret_entries = Vec::new();
        let mut shown = BTreeSet::new();
        for (key, value) in entries {
            let Some(field) = text.get(key.value_start..key.end).map(|field| field.trim_matches(['"', '\'']))
            else {
                continue;
            };
            is_people |= field == "kind";
            let is_section = Kind::ALL.iter().any(|kind| kind.section() == field)
                || is_people && ["people", "groups"].contains(&field);
            match &value.value {
                Value::List { items, .. } if is_section => {
                    all.fields.insert(field);
                    shown.extend(lines_of(key.start, value.end).map(|line| line + 1));
                    for item in items {
                        let delivery = item.field("deliver").map(|(_, _, value)| value);
                        let runs = |value: &Node| value.field("command").is_some();
                        let command = delivery.filter(|value| match &value.value {
                            Value::List { items, .. } => items.iter().any(runs),
                            _ => runs(value),
                        });
                        secret_entries.extend(command.map(|value| lines_of(value.start, value.end)));
                        let entry = named.range(item.start..item.end.max(item.start + 1)).next();
                        let what = shared_part(field, item);
                        let same = all.parts.iter().rev().filter_map(|part| part.shared.as_ref());
                        let before = what.as_ref().and_then(|what| same.clone().find(|(other, _)| other == what));
                        let shared = what.clone().map(|what| (what, before.map_or(0, |(_, count)| count + 1)));
                        let named = entry.filter(|_| shared.is_none()).map(|(_, named)| named.clone());
                        all.parts.push(part(field, shared, named, item.start, item.end));
                    }
                }
                Value::Map { .. } if field == Kind::Organization.section() => {
                    all.parts.push(part(
                        field,
                        None,
                        Some((Address::organization(), false)),
                        key.start,
                        value.end,
                    ));
                }
                _ => all.parts.push(part(field, None, None, key.start, value.end)),
            }
        }
        if let Some(file) = all.files.last_mut() {
            file.is_people = is_people;
            file.secret.retain(|line| !shown.contains(line));
            file.secret.extend(secret_entries.into_iter().flatten().map(|line| line + 1));
        }
    }
}

/// Returns the part that several entities come from, if this entry is one.
fn shared_part(field: &str, item: &Node) -> Option<Shared> {
    let text = |name: &str| match &item.field(name)?.2.value {
        Value::Scalar { text, .. } => Some(text.clone()),
        Value::List { .. } | Value::Map { .. } | Value::Alias(_) => None,
    };
    match field {
        "users" => text("group").map(Shared::Grant),
        "people" => Some(Shared::Person(Email::parse(&text("email")?).ok()?.key().to_owned())),
        "groups" => text("name").map(Shared::Group),
        _ => None,
    }
}

/// Returns the address of each entry of a file, and whether it is absent, by the position of its place.
fn named(desired: &Desired, file: &str) -> BTreeMap<usize, (Address, bool)> {
    let Desired { users, roles, keys, teams, .. } = desired;
    let at = |place: &Place, address: Address, absent: bool| {
        (*place.file == *file).then_some((place.span.start(), (address, absent)))
    };
    let of_users = users.iter().map(|user| {
        at(&user.place, Address::user(&user.email).with_id(user.id.as_ref()), user.absent || user.deleted)
    });
    let of_keys =
        keys.iter().map(|key| at(&key.place, Address::key(&key.name).with_id(key.id.as_ref()), key.absent));
    let of_roles = roles.iter().map(|role| at(&role.place, Address::role(&role.name), role.absent));
    let of_teams = teams.iter().map(|team| at(&team.place, Address::team(&team.name), team.absent));
    of_users.chain(of_keys).chain(of_roles).chain(of_teams).flatten().collect()
}

/// Returns the entries that have a name under `previously`, by the address with that name.
fn renamed(desired: &Desired) -> BTreeMap<Address, Address> {
    let roles = desired
        .roles
        .iter()
        .flat_map(|role| role.previously.keys().map(|name| (Address::role(name), Address::role(&role.name))));
    let teams = desired
        .teams
        .iter()
        .flat_map(|team| team.previously.keys().map(|name| (Address::team(name), Address::team(&team.name))));
    roles.chain(teams).collect()
}

/// The way in which two versions of a part differ.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Content,
    /// The lines are the same but for their indentation.
    Indentation,
}

/// Returns the lines by which two versions of a part differ.
fn diff(before: (Option<&Part<'_>>, &Split<'_>), after: (Option<&Part<'_>>, &Split<'_>), by: By) -> Vec<DiffLine> {
    let (old, new) = (compared(before.0, by), compared(after.0, by));
    let line = |(part, of): (Option<&Part<'_>>, &Split<'_>), index: Option<usize>, added: bool| {
        let (part, index) = (part?, index?);
        let number = part.first + index;
        let file = of.files.get(part.file)?;
        let is_secret = file.secret.contains(&number);
        let text =
            if is_secret { "(not shown, because it may have a credential)" } else { part.lines.get(index)? };
        Some(DiffLine { file: file.name.to_owned(), line: number, added, text: text.to_owned() })
    };
    let steps = compare_lines(&old, &new);
    let changes = steps.iter().flat_map(|step| step.iter_changes(&*old, &*new));
    let differing = changes.filter_map(|change| match change.tag() {
        ChangeTag::Equal => None,
        ChangeTag::Delete => line(before, change.old_index(), false),
        ChangeTag::Insert => line(after, change.new_index(), true),
    });
    differing.filter(|line| !line.text.trim().is_empty()).take(LINES).collect()
}

fn compared<'p>(part: Option<&'p Part<'_>>, by: By) -> Vec<&'p str> {
    let lines = part.iter().flat_map(|part| &part.lines);
    lines.map(|line| if by == By::Content { line.trim() } else { line }).collect()
}
