//! Edits all files about one person, for `rolecall offboard` and `rolecall onboard`.
//!
//! For example, Bob is in `people.yaml` with another address at Hive, and his group has access there. [`offboard`] takes
//! him from `people` and from the group. Hive's file manages only the users whom it lists, so it gets an entry that says
//! that he must not have access. The entry has the address that Bob has at Hive:
//!
//! ```yaml
//! users:
//!   - { email: bob.k@acme.example, absent: true, note: is bob@acme.example elsewhere }
//! ```
//!
//! Nothing else tells this address afterwards, so the note keeps the two together: see [`Somebody::find`].
//!
//! The files are edited like those of a pull: see [`edit`]. [`reload`] checks what they say then.

mod included;
mod offboard;
mod onboard;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

pub use included::{Included, include_people, known_people};
pub use offboard::{Seen, named_elsewhere, offboard};
pub use onboard::{Newcomer, onboard};

use super::delivery::normalize;
use super::edit::{Edit, Edited, Meaning, Tree, Value, edit};
use super::files::{Content, Loaded, LoadedFile, load_contents};
use super::write::Yaml;
use super::{Files, Format, NoFiles, Source};
use rolecall_model::{Code, Desired, Email, Finding, Place, ProviderName, Scope, list_of, quote};

/// The addresses of one person.
#[derive(Clone, Debug)]
pub struct Somebody {
    /// The address that identifies the person in people files, or else the address that was asked for.
    pub email: Email,
    asked: Email,
    /// Their addresses on single platforms.
    aliases: BTreeMap<ProviderName, BTreeSet<Email>>,
    /// The addresses that identify other people.
    others: BTreeSet<Email>,
    /// True if a file names the person.
    pub is_named: bool,
    /// All addresses of people in the files.
    pub known: BTreeSet<Email>,
}

/// A file with another text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EditedFile {
    pub path: PathBuf,
    /// The text without a byte order mark.
    pub before: String,
    pub after: String,
}

impl Somebody {
    /// Finds out which addresses a person has, from one of them.
    ///
    /// # Errors
    ///
    /// Returns findings if it is the address of several people, or if a file can't be edited at all.
    pub fn find(loaded: &Loaded, asked: &Email) -> Result<Self, Vec<Finding>> {
        let documents = documents(loaded)?;
        let mut people: BTreeMap<Email, Vec<(ProviderName, Email)>> = BTreeMap::new();
        let mut places: BTreeMap<Email, (&Document<'_>, usize)> = BTreeMap::new();
        let mut known = BTreeSet::new();
        // The entries that say that somebody must not have access, and who that is elsewhere.
        let mut notes: Vec<(Email, Email, Vec<ProviderName>)> = Vec::new();
        for document in &documents {
            for (index, person) in document.people().iter().enumerate() {
                let Some(email) = address_of(person, "email") else { continue };
                let aliases = person.field("aliases").map(Meaning::fields).unwrap_or_default().iter();
                let aliases = aliases.filter_map(|(provider, alias)| {
                    Some((ProviderName::parse(provider.as_text()?)?, Email::parse(alias.as_text()?).ok()?))
                });
                places.entry(email.clone()).or_insert((document, index));
                people.entry(email).or_default().extend(aliases);
            }
            for entry in document.list("users") {
                let Some(email) = address_of(&entry, "email") else { continue };
                known.insert(email.clone());
                if let Some(main) = is_absent(&entry).then(|| noted(&entry)).flatten() {
                    let providers = document.desired().map(|desired| desired.provider);
                    notes.push((main, email, providers.collect()));
                }
            }
        }
        known.extend(people.iter().flat_map(|(email, aliases)| {
            std::iter::once(email.clone()).chain(aliases.iter().map(|(_, alias)| alias.clone()))
        }));
        let has_alias = |aliases: &[(ProviderName, Email)]| aliases.iter().any(|(_, alias)| alias == asked);
        // The files' own spelling is better than that of the command line.
        let spelled = people.keys().chain(&known).find(|known| *known == asked).unwrap_or(asked).clone();
        let email = if people.contains_key(asked) {
            spelled
        } else {
            let mut owners: Vec<&Email> =
                people.iter().filter(|(_, aliases)| has_alias(aliases)).map(|(email, _)| email).collect();
            if owners.is_empty() {
                owners = notes.iter().filter(|(_, alias, _)| alias == asked).map(|(main, ..)| main).collect();
                owners.dedup();
            }
            match *owners {
                [] => spelled,
                [only] => only.clone(),
                [first, ..] => {
                    let names: Vec<&str> = owners.iter().map(|owner| owner.as_str()).collect();
                    let place = places.get(first).map(|(document, index)| document.place("people", *index));
                    let place = place.unwrap_or_else(|| Place::start_of("."));
                    let message = format!("{} is an alias of several people.", quote(asked.as_str()));
                    let hint = format!("Name one of them: {}.", list_of(&names, "or"));
                    return Err(vec![Finding::error(Code::DuplicateUser, place, message).hint(hint)]);
                }
            }
        };
        let mut aliases: BTreeMap<ProviderName, BTreeSet<Email>> = BTreeMap::new();
        for (provider, alias) in people.get(&email).into_iter().flatten() {
            aliases.entry(*provider).or_default().insert(alias.clone());
        }
        for (_, alias, providers) in notes.iter().filter(|(main, ..)| *main == email) {
            for provider in providers {
                aliases.entry(*provider).or_default().insert(alias.clone());
            }
        }
        let others = people.into_keys().filter(|other| *other != email).collect();
        let mut found = Self { email, asked: asked.clone(), aliases, others, is_named: false, known };
        found.is_named = found.all().iter().any(|own| found.known.contains(own));
        Ok(found)
    }

    /// Returns the addresses that the person may have on a platform.
    pub fn addresses(&self, provider: ProviderName) -> BTreeSet<Email> {
        let aliases = self.aliases.get(&provider).into_iter().flatten();
        self.own([&self.email, &self.asked].into_iter().chain(aliases))
    }

    /// Returns whether the file of an organisation needs an entry that says that the person must be removed. If it manages
    /// all users, it only has to keep an address that nothing else tells.
    fn needs_entry(&self, desired: &Desired) -> bool {
        desired.manage.users == Scope::Listed || self.aliases.contains_key(&desired.provider)
    }

    /// Returns all addresses of the person.
    fn all(&self) -> BTreeSet<Email> {
        self.own([&self.email, &self.asked].into_iter().chain(self.aliases.values().flatten()))
    }

    /// Leaves out what identifies another person.
    fn own<'e>(&self, addresses: impl Iterator<Item = &'e Email>) -> BTreeSet<Email> {
        addresses.filter(|address| !self.others.contains(*address)).cloned().collect()
    }

    /// Returns whether an entry or a member is about this person.
    fn is(&self, address: Option<Email>) -> bool {
        address.is_some_and(|address| self.all().contains(&address))
    }
}

/// Returns the address in a field.
fn address_of(entry: &Meaning, field: &str) -> Option<Email> {
    Email::parse(entry.text_of(field)?).ok()
}

fn is_absent(entry: &Meaning) -> bool {
    entry.text_of("absent") == Some("true")
}

/// Returns the note of an entry for somebody who has another address elsewhere.
fn note_for(elsewhere: &Email) -> Yaml {
    Yaml::text(format!("is {} elsewhere", elsewhere.as_str()))
}

/// Returns the other address in such a note.
fn noted(entry: &Meaning) -> Option<Email> {
    let address = entry.text_of("note")?.strip_prefix("is ")?.strip_suffix(" elsewhere")?;
    Email::parse(address).ok()
}

/// Returns the address of a member of a group, if it is a person.
fn member(member: &Meaning) -> Option<Email> {
    Email::parse(member.as_text().or_else(|| member.text_of("person"))?).ok()
}

/// A file that can be edited, and the organisations that it is about.
struct Document<'a> {
    source: &'a Source,
    path: PathBuf,
    tree: Tree<'a>,
    /// The file that names an organisation, for this file or for those that include it.
    heads: Vec<&'a LoadedFile>,
}

/// Returns all files of a run.
fn documents(loaded: &Loaded) -> Result<Vec<Document<'_>>, Vec<Finding>> {
    let heads = loaded.files.iter().map(|file| (&file.source, file.path.clone(), vec![file]));
    let included = loaded.included.iter().filter(|source| !source.is_data).map(|source| {
        let heads = loaded.files.iter().filter(|file| file.includes.contains(&source.number)).collect();
        (source, PathBuf::from(&*source.name), heads)
    });
    let (mut all, mut findings) = (Vec::new(), Vec::new());
    for (source, path, heads) in heads.chain(included) {
        match Tree::parse(&source.text) {
            Some(tree) => all.push(Document { source, path, tree, heads }),
            None => findings.push(not_editable(source.start(), "It isn't one YAML document with fields.")),
        }
    }
    if findings.is_empty() { Ok(all) } else { Err(findings) }
}

fn not_editable(place: Place, why: &str) -> Finding {
    let message = format!("rolecall can't edit this: {why}");
    Finding::error(Code::NotEditable, place, message)
        .hint("Nothing was written. Edit it yourself, and run the command again.")
}

impl<'a> Document<'a> {
    fn list(&self, section: &str) -> Vec<Meaning> {
        match self.tree.root.field(section).map(|(_, _, value)| self.tree.meaning(value)) {
            Some(Meaning::List(items)) => items,
            _ => Vec::new(),
        }
    }

    /// Returns the entries about people, also those that add to a directory.
    fn people(&self) -> Vec<Meaning> {
        match self.directory().and_then(|directory| directory.field("details").cloned()) {
            Some(Meaning::List(details)) => details,
            _ => self.list("people"),
        }
    }

    /// Returns the mapping that says from which directory the people come.
    fn directory(&self) -> Option<Meaning> {
        let people = self.tree.root.field("people").map(|(_, _, value)| self.tree.meaning(value));
        people.filter(|people| matches!(people, Meaning::Map(_)))
    }

    fn is_people(&self) -> bool {
        self.tree.root.field("kind").is_some()
    }

    fn desired(&self) -> impl Iterator<Item = &'a Desired> {
        self.heads.iter().filter_map(|file| file.desired.as_ref())
    }

    /// Returns the place of an item of a list.
    fn place(&self, section: &str, index: usize) -> Place {
        let item = self.tree.root.field(section).and_then(|(_, _, list)| match &list.value {
            Value::List { items, .. } => items.get(index),
            Value::Scalar { .. } | Value::Map { .. } | Value::Alias(_) => Some(list),
        });
        let Some(before) = item.and_then(|item| self.source.text.get(..item.start)) else {
            return self.source.start();
        };
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        self.source.place_at(line, column)
    }

    /// Makes edits, each with the place that it is about. All of them are made, or none.
    fn edited(&self, edits: &[(Edit, Place)], findings: &mut Vec<Finding>) -> Option<EditedFile> {
        if edits.is_empty() {
            return None;
        }
        let only: Vec<Edit> = edits.iter().map(|(edit, _)| edit.clone()).collect();
        let Edited { text, refused } = edit(&self.source.text, &only);
        for (at, why) in refused {
            let place = edits.get(at).map_or_else(|| self.source.start(), |(_, place)| place.clone());
            findings.push(not_editable(place, &why));
        }
        Some(EditedFile { path: self.path.clone(), before: self.source.text.clone(), after: text })
    }
}

/// Checks the files as they are with these edits. No file is read again.
pub fn reload(
    loaded: &Loaded,
    edited: &[EditedFile],
    now: Timestamp,
    formats: impl Fn(ProviderName) -> &'static Format,
) -> Loaded {
    let included = loaded.included.iter().map(|source| (normalize(Path::new(&*source.name)), &*source.text));
    let heads = loaded.files.iter().map(|file| (normalize(&file.path), &*file.source.text));
    let edited = edited.iter().map(|file| (normalize(&file.path), &*file.after));
    let known = Known { texts: included.chain(heads).chain(edited).collect() };
    let contents = loaded.files.iter().map(|file| Content {
        name: file.source.name.to_string(),
        path: file.path.clone(),
        bytes: known.texts.get(&normalize(&file.path)).copied().unwrap_or_default().as_bytes().to_vec(),
        named: true,
    });
    load_contents(contents.collect(), &known, &loaded.answers, now, formats)
}

/// The files that were read, some of them with another text.
struct Known<'a> {
    texts: BTreeMap<PathBuf, &'a str>,
}

impl Files for Known<'_> {
    fn read(&self, path: &Path, findings: &mut Vec<Finding>) -> Option<Source> {
        match self.texts.get(&normalize(path)) {
            Some(text) => Some(Source::inline(&path.display().to_string(), *text)),
            None => NoFiles.read(path, findings),
        }
    }

    fn list(&self, folder: &Path) -> std::io::Result<Vec<PathBuf>> {
        let folder = normalize(folder);
        Ok(self.texts.keys().filter(|path| path.parent() == Some(&folder)).cloned().collect())
    }

    /// The first read has checked the paths, and no edit changes one.
    fn is_inside(&self, _: &Path, _: &Path) -> bool {
        true
    }
}
