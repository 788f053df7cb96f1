//! Adds a person to people and groups.

use std::collections::{BTreeMap, BTreeSet};

use super::super::edit::{At, Edit, Meaning};
use super::super::files::Loaded;
use super::super::write::{Fields, Yaml};
use super::{Document, EditedFile, Somebody, address_of, documents, is_absent, member, not_editable, noted};
use rolecall_model::{Code, Finding, Place, ProviderName, Until, nearest, quote};

/// A person who joins groups.
#[derive(Clone, Debug, Default)]
pub struct Newcomer {
    pub groups: Vec<String>,
    /// The fields that the person gets in `people`: `first_name`, `last_name`, `phone` and `note`.
    pub fields: Vec<(&'static str, String)>,
    /// The end of a new person's access, or else the end of the membership.
    pub until: Option<Until>,
}

/// Adds a person to `people`, unless they are there, and to groups. Removes entries that say that the person must not have
/// access where one of the groups gives it.
///
/// # Errors
///
/// Returns a finding for each group that no file has, for an entry of the person that replaces what a group gives, and
/// for each place that can't be edited.
pub fn onboard(
    loaded: &Loaded,
    somebody: &Somebody,
    newcomer: &Newcomer,
) -> Result<Vec<EditedFile>, Vec<Finding>> {
    let documents = documents(loaded)?;
    let mut findings = unknown_groups(&documents, loaded, newcomer);
    let has_person = |document: &Document<'_>| {
        let people = document.people();
        people.iter().any(|person| address_of(person, "email").as_ref() == Some(&somebody.email))
    };
    // People of a directory are only known to it.
    let directory = documents.iter().find(|document| document.directory().is_some());
    let is_new = directory.is_none() && !documents.iter().any(has_person);
    if let Some(document) = directory
        && let Some((name, _)) = newcomer.fields.first()
    {
        let message = format!("People come from a directory, so `{name}` isn't written.");
        let finding = Finding::error(Code::InvalidValue, document.source.start(), message);
        findings.push(finding.hint("Leave the option out, and add the person where the directory is kept."));
    }
    if let Some(at) = documents.iter().find(|document| has_person(document))
        && let Some((name, _)) = newcomer.fields.first()
    {
        let message = format!("{} is in `people` already, so `{name}` isn't written.", somebody.email.as_str());
        let finding = Finding::error(Code::InvalidValue, at.source.start(), message);
        findings
            .push(finding.hint("Leave the option out, and change the person's entry yourself if it is wrong."));
    }
    findings.extend(documents.iter().filter_map(|document| earlier_end(document, somebody, newcomer)));
    // The aliases that entries of an earlier removal have kept.
    let mut aliases: BTreeMap<ProviderName, String> = BTreeMap::new();
    let mut edits: Vec<Vec<(Edit, Place)>> = documents
        .iter()
        .map(|document| of_users(document, &documents, somebody, newcomer, &mut aliases, &mut findings))
        .collect();
    for (document, edits) in documents.iter().zip(&mut edits).filter(|(document, _)| document.is_people()) {
        let joined = of_groups(document, somebody, newcomer, is_new, &mut findings);
        if joined.is_empty() && !names_group(document, newcomer) {
            continue;
        }
        edits.extend(joined);
        // Whoever includes this file may know the person from another one.
        let is_known = document.heads.iter().any(|head| {
            documents.iter().any(|other| {
                has_person(other) && other.heads.iter().any(|file| file.source.name == head.source.name)
            })
        });
        if !is_known && !has_person(document) && directory.is_none() {
            let mut entry: Fields = vec![("email", Yaml::text(somebody.email.as_str()))];
            let fields = newcomer.fields.iter().filter(|(name, _)| *name != "note");
            entry.extend(fields.map(|(name, text)| (*name, Yaml::text(text))));
            if !aliases.is_empty() {
                let aliases = aliases.iter().map(|(provider, email)| (provider.to_string(), Yaml::text(email)));
                entry.push(("aliases", Yaml::flow(aliases)));
            }
            entry.extend(newcomer.until.filter(|_| is_new).map(|until| ("until", Yaml::text(until))));
            let note = newcomer.fields.iter().filter(|(name, _)| *name == "note");
            entry.extend(note.map(|(name, text)| (*name, Yaml::text(text))));
            edits.push((Edit::Add { section: "people", entry }, document.source.start()));
        }
    }
    let edited: Vec<EditedFile> = documents
        .iter()
        .zip(&edits)
        .filter_map(|(document, edits)| document.edited(edits, &mut findings))
        .collect();
    if findings.is_empty() { Ok(edited) } else { Err(findings) }
}

/// Reports that a known person's own end is before the one that is asked for.
fn earlier_end(document: &Document<'_>, somebody: &Somebody, newcomer: &Newcomer) -> Option<Finding> {
    let asked = newcomer.until?;
    let people = document.list("people");
    let is_meant = |person: &Meaning| address_of(person, "email").as_ref() == Some(&somebody.email);
    let index = people.iter().position(is_meant)?;
    let own: Until = people[index].text_of("until")?.parse().ok().filter(|own| *own < asked)?;
    let message =
        format!("{} has access until {own}, so `--until {asked}` would have no effect.", somebody.email.as_str());
    let finding = Finding::error(Code::InvalidValue, document.place("people", index), message);
    Some(finding.hint("Write an earlier day, leave the option out, or change `until` of the person first."))
}

fn group_names(document: &Document<'_>) -> BTreeSet<String> {
    document.list("groups").iter().filter_map(|group| group.text_of("name").map(ToOwned::to_owned)).collect()
}

fn names_group(document: &Document<'_>, newcomer: &Newcomer) -> bool {
    let names = group_names(document);
    newcomer.groups.iter().any(|group| names.contains(group))
}

/// Reports the groups that no people file has.
fn unknown_groups(documents: &[Document<'_>], loaded: &Loaded, newcomer: &Newcomer) -> Vec<Finding> {
    let known: BTreeSet<String> = documents.iter().flat_map(group_names).collect();
    let unknown = newcomer.groups.iter().filter(|group| !known.contains(*group));
    let place = || loaded.files.first().map_or_else(|| Place::start_of("."), |file| file.source.start());
    let finding = |group: &String| {
        let hint = match (nearest(group, known.iter().map(String::as_str)), known.is_empty()) {
            (Some(near), _) => format!("Did you mean `{near}`?"),
            (None, true) => "Write a people file with the group, and name it under `include`.".to_owned(),
            (None, false) => "Add it to `groups` of a people file.".to_owned(),
        };
        let message = format!("No included file has a group {}.", quote(group));
        Finding::error(Code::UnknownGroup, place(), message).hint(hint)
    };
    unknown.map(finding).collect()
}

/// Adds a person to the groups of a people file.
fn of_groups(
    document: &Document<'_>,
    somebody: &Somebody,
    newcomer: &Newcomer,
    is_new: bool,
    findings: &mut Vec<Finding>,
) -> Vec<(Edit, Place)> {
    let mut edits = Vec::new();
    let until = newcomer.until.filter(|_| !is_new);
    for (index, group) in document.list("groups").iter().enumerate() {
        if !group.text_of("name").is_some_and(|name| newcomer.groups.iter().any(|group| group == name)) {
            continue;
        }
        let items = |field: &str| group.field(field).map(Meaning::items).unwrap_or_default().iter();
        let mut set: Vec<(&'static str, Option<Vec<Yaml>>)> = Vec::new();
        let is_member = items("members").any(|item| somebody.is(member(item)));
        if !is_member || until.is_some() {
            let rest = items("members").filter(|item| !somebody.is(member(item))).map(Meaning::to_yaml);
            let email = somebody.email.as_str();
            let new = until.map_or_else(
                || Yaml::text(email),
                |until| {
                    let fields = [("person", Yaml::text(email)), ("until", Yaml::text(until))];
                    Yaml::flow(fields.map(|(name, value)| (name.to_owned(), value)))
                },
            );
            set.push(("members", rest.chain([Some(new)]).collect()));
        }
        if items("except").any(|item| somebody.is(member(item))) {
            let rest = items("except").filter(|item| !somebody.is(member(item))).map(Meaning::to_yaml);
            set.push(("except", rest.collect()));
        }
        let place = document.place("groups", index);
        let lists =
            set.into_iter().map(|(field, list)| Some((field, Yaml::List(list?)))).collect::<Option<Fields>>();
        match lists {
            Some(set) if set.is_empty() => {}
            Some(set) => {
                edits.push((Edit::Change { at: At::Item("groups", index), set, unset: Vec::new() }, place));
            }
            None => findings.push(not_editable(place, "The group has a value that rolecall can't write.")),
        }
    }
    edits
}

/// Removes the entries of a person that say that they must not have access, where a group gives it. Reports their other
/// entries there, because an entry replaces what a group gives.
fn of_users(
    document: &Document<'_>,
    documents: &[Document<'_>],
    somebody: &Somebody,
    newcomer: &Newcomer,
    aliases: &mut BTreeMap<ProviderName, String>,
    findings: &mut Vec<Finding>,
) -> Vec<(Edit, Place)> {
    let mut edits = Vec::new();
    let users = document.list("users");
    if users.is_empty() {
        return edits;
    }
    let by_group = document.heads.iter().filter_map(|head| {
        let of_head = || {
            let is_of =
                |other: &&Document<'_>| other.heads.iter().any(|file| file.source.name == head.source.name);
            documents.iter().filter(is_of)
        };
        let joined = containing(of_head(), newcomer);
        let mut entries = of_head().flat_map(|document| document.list("users"));
        let group = entries.find_map(|entry| {
            entry.text_of("group").filter(|group| joined.contains(*group)).map(ToOwned::to_owned)
        })?;
        Some((head.desired.as_ref()?.provider, group))
    });
    let by_group: Vec<(ProviderName, String)> = by_group.collect();
    let Some((_, group)) = by_group.first() else { return edits };
    for (index, entry) in users.iter().enumerate() {
        let Some(email) = address_of(entry, "email") else { continue };
        if !by_group.iter().any(|(provider, _)| somebody.addresses(*provider).contains(&email)) {
            continue;
        }
        let place = document.place("users", index);
        if is_absent(entry) {
            if noted(entry).is_some() {
                aliases.extend(by_group.iter().map(|(provider, _)| (*provider, email.as_str().to_owned())));
            }
            edits.push((Edit::Remove { section: "users", index }, place));
            continue;
        }
        let message =
            format!("{} has an entry here, which replaces what the group {} gives.", email.as_str(), quote(group));
        let finding = Finding::error(Code::OwnEntry, place, message);
        findings.push(finding.hint("Remove the entry, or change it instead of adding the person to the group."));
    }
    edits
}

/// Returns the groups that a person joins, with those that contain them.
fn containing<'d>(documents: impl Iterator<Item = &'d Document<'d>>, newcomer: &Newcomer) -> BTreeSet<String> {
    let groups: Vec<Meaning> = documents.flat_map(|document| document.list("groups")).collect();
    let mut joined: BTreeSet<String> = newcomer.groups.iter().cloned().collect();
    loop {
        let above = groups.iter().filter(|group| {
            let members = group.field("members").map(Meaning::items).unwrap_or_default();
            members.iter().any(|member| member.text_of("group").is_some_and(|name| joined.contains(name)))
        });
        let above: BTreeSet<String> =
            above.filter_map(|group| group.text_of("name").map(ToOwned::to_owned)).collect();
        let known = joined.len();
        joined.extend(above);
        if joined.len() == known {
            return joined;
        }
    }
}
