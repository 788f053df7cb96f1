//! Takes a person from all files.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::edit::{At, Edit, Meaning};
use super::super::files::{Loaded, LoadedFile};
use super::super::write::{Fields, Yaml, absent};
use super::{Document, EditedFile, Somebody, address_of, documents, is_absent, member, not_editable, note_for};
use rolecall_model::{Address, Code, Email, Finding, Pattern, Place};

/// The addresses of a person that a read shows, by the file of the organisation.
pub type Seen = BTreeMap<Arc<str>, BTreeSet<Email>>;

/// The fields of a user's entry that no entry of somebody who must be removed has.
const OF_ACCESS: &[&str] = &[
    "first_name",
    "last_name",
    "phone",
    "roles",
    "resources",
    "teams",
    "enabled",
    "status",
    "delete",
    "until",
    "note",
];

/// Takes a person from people, groups and entries. Where a file manages only the users whom it lists, an entry says that
/// the person must not have access: if the file gave them access, or if a read shows them there. Where they have another
/// address, an entry keeps it, even if the file manages all users.
///
/// # Errors
///
/// Returns a finding for each place that can't be edited.
pub fn offboard(loaded: &Loaded, somebody: &Somebody, seen: &Seen) -> Result<Vec<EditedFile>, Vec<Finding>> {
    let documents = documents(loaded)?;
    let (mut edited, mut findings) = (Vec::new(), Vec::new());
    // The addresses that have an entry after the edits, by the file of the organisation.
    let mut covered: Seen = BTreeMap::new();
    let mut edits: Vec<Vec<(Edit, Place)>> = documents
        .iter()
        .map(|document| {
            if document.is_people() {
                of_people(document, somebody, &mut findings)
            } else {
                of_users(document, somebody, &mut covered)
            }
        })
        .collect();
    // The files of organisations come first.
    for ((document, edits), file) in documents.iter().zip(&mut edits).zip(&loaded.files) {
        let name = &file.source.name;
        for email in owed(file, somebody, seen.get(name)) {
            if !covered.get(name).is_some_and(|covered| covered.contains(&email)) {
                let mut entry: Fields = vec![("email", Yaml::text(email.as_str())), absent()];
                entry.extend((email != somebody.email).then(|| ("note", note_for(&somebody.email))));
                edits.push((Edit::Add { section: "users", entry }, document.source.start()));
            }
        }
    }
    for (document, edits) in documents.iter().zip(&edits) {
        edited.extend(document.edited(edits, &mut findings));
    }
    if findings.is_empty() { Ok(edited) } else { Err(findings) }
}

/// Returns the addresses for which the file of an organisation needs an entry that says that they must be removed.
fn owed(file: &LoadedFile, somebody: &Somebody, seen: Option<&BTreeSet<Email>>) -> BTreeSet<Email> {
    let Some(desired) = file.desired.as_ref().filter(|desired| somebody.needs_entry(desired)) else {
        return BTreeSet::new();
    };
    let addresses = somebody.addresses(desired.provider);
    let listed = desired.users.iter().map(|user| &user.email).filter(|email| addresses.contains(*email));
    listed.chain(seen.into_iter().flatten()).cloned().collect()
}

/// Takes a person from a people file.
fn of_people(document: &Document<'_>, somebody: &Somebody, findings: &mut Vec<Finding>) -> Vec<(Edit, Place)> {
    let mut edits = Vec::new();
    for (index, person) in document.list("people").iter().enumerate() {
        if address_of(person, "email").as_ref() == Some(&somebody.email) {
            edits.push((Edit::Remove { section: "people", index }, document.place("people", index)));
        }
    }
    for (index, group) in document.list("groups").iter().enumerate() {
        let mut set = Fields::new();
        for field in ["members", "except"] {
            let items = group.field(field).map(Meaning::items).unwrap_or_default();
            let rest: Vec<&Meaning> = items.iter().filter(|item| !somebody.is(member(item))).collect();
            if rest.len() == items.len() {
                continue;
            }
            match rest.into_iter().map(Meaning::to_yaml).collect() {
                Some(rest) => set.push((field, Yaml::List(rest))),
                None => findings.push(not_editable(
                    document.place("groups", index),
                    &format!("`{field}` has a value that rolecall can't write."),
                )),
            }
        }
        if !set.is_empty() {
            let at = At::Item("groups", index);
            edits.push((Edit::Change { at, set, unset: Vec::new() }, document.place("groups", index)));
        }
    }
    edits
}

/// Takes a person from the users of an organisation, or of a part of one.
fn of_users(document: &Document<'_>, somebody: &Somebody, covered: &mut Seen) -> Vec<(Edit, Place)> {
    let mut edits = Vec::new();
    let addresses: BTreeSet<Email> =
        document.desired().flat_map(|desired| somebody.addresses(desired.provider)).collect();
    let listed = || document.desired().filter(|desired| somebody.needs_entry(desired));
    for (index, entry) in document.list("users").iter().enumerate() {
        let Some(email) = address_of(entry, "email").filter(|email| addresses.contains(email)) else { continue };
        let place = document.place("users", index);
        // A person's own address stands for the one that they have on the platform.
        let meant: BTreeSet<Email> = listed()
            .map(|desired| {
                let on_platform = somebody.addresses(desired.provider);
                let listed = |address: &&Email| desired.users.iter().any(|user| user.email == **address);
                let as_written = on_platform.contains(&email) && listed(&&email);
                let other = on_platform.iter().find(listed).filter(|_| !as_written);
                other.cloned().unwrap_or_else(|| email.clone())
            })
            .collect();
        let Some(to) = meant.first().filter(|_| meant.len() == 1) else {
            if meant.len() > 1 || !is_absent(entry) {
                edits.push((Edit::Remove { section: "users", index }, place));
            }
            continue;
        };
        for desired in listed() {
            covered.entry(Arc::clone(&desired.place.file)).or_default().insert(to.clone());
        }
        // Nothing but a note tells later whose address this is.
        let is_told = *to == somebody.email || entry.field("note").is_some();
        if is_absent(entry) && *to == email && is_told {
            continue;
        }
        let mut set: Fields = Vec::new();
        if *to != email {
            set.push(("email", Yaml::text(to.as_str())));
        }
        if !is_absent(entry) {
            set.push(absent());
        }
        let note = (*to != somebody.email).then(|| ("note", note_for(&somebody.email)));
        let keeps = |field: &str| match field {
            "note" => note.is_some(),
            "status" => entry.text_of("status") != Some("active"),
            _ => false,
        };
        let unset =
            OF_ACCESS.iter().copied().filter(|field| entry.field(field).is_some() && !keeps(field)).collect();
        set.extend(note);
        edits.push((Edit::Change { at: At::Item("users", index), set, unset }, place));
    }
    edits
}

/// Reports the fields that name a person, and that only a person may change: they decide about guardrails or credentials.
pub fn named_elsewhere(loaded: &Loaded, somebody: &Somebody) -> Vec<Finding> {
    let mut findings = Vec::new();
    for desired in loaded.files.iter().filter_map(|file| file.desired.as_ref()) {
        let addresses = somebody.addresses(desired.provider);
        let mut report = |field: &str, place: &Place, hint: &str| {
            let message = format!("`{field}` names {}, who is to be removed.", somebody.email.as_str());
            findings.push(Finding::error(Code::StillNamed, place.clone(), message).hint(hint));
        };
        if let Some(own) = desired.own_user.as_ref().filter(|own| addresses.contains(&own.value)) {
            let hint = "rolecall signs in with a credential of this person. Replace it by one of somebody else, and change `own`.";
            report("own", &own.place, hint);
        }
        let kinds = [Address::user as fn(&Email) -> Address, Address::invitation];
        let all: Vec<Address> = addresses.iter().flat_map(|email| kinds.map(|kind| kind(email))).collect();
        for (pattern, place) in &desired.guardrails.protected {
            if names(pattern, &all) || all.iter().any(|address| pattern.covers(address)) {
                report(
                    "protected",
                    place,
                    "rolecall never changes protected users. Take them out of `protected` first.",
                );
            }
        }
        for tolerated in desired.tolerated.iter().filter(|tolerated| addresses.contains(&tolerated.email)) {
            report("tolerated", &tolerated.place, "Take them out of `tolerated` first: the access is to end.");
        }
        for (pattern, place) in &desired.acknowledged {
            if names(pattern, &all) {
                report("acknowledged", place, "Take them out of `acknowledged` first: the access is to end.");
            }
        }
    }
    findings
}

/// Returns whether a pattern is one of these addresses, with an id or not.
fn names(pattern: &Pattern, all: &[Address]) -> bool {
    let text = pattern.to_string();
    all.iter()
        .map(ToString::to_string)
        .any(|address| text.strip_prefix(&address).is_some_and(|rest| rest.is_empty() || rest.starts_with('#')))
}
