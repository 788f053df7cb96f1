//! Lets the files of organisations include a new people file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use super::super::delivery::normalize;
use super::super::edit::{At, Edit, Meaning};
use super::super::import::Everybody;
use super::super::write::Yaml;
use super::super::{Disk, Files, Loaded};
use super::{Document, EditedFile, address_of, documents, is_absent};
use rolecall_model::{Email, Finding, Place};

/// The files of organisations with a new people file.
#[derive(Clone, Debug, Default)]
pub struct Included {
    /// The files that include it, edited.
    pub edited: Vec<EditedFile>,
    /// The people file, by the path that each of them names.
    pub people: Vec<EditedFile>,
    /// The files that can't be edited, each with the path that it should include.
    pub left: Vec<(PathBuf, String)>,
    /// The files that list no users, each with the path that it could include.
    pub empty: Vec<(PathBuf, String)>,
}

/// Returns the addresses of all people in the people files of a run, with their aliases.
///
/// # Errors
///
/// Returns a finding for each file that isn't one YAML document with fields.
pub fn known_people(loaded: &Loaded) -> Result<BTreeSet<Email>, Vec<Finding>> {
    let desired = loaded.files.iter().filter_map(|file| file.desired.as_ref());
    let directories = desired.flat_map(|desired| &desired.directories).filter_map(|it| it.people.as_deref());
    let mut known: BTreeSet<Email> = directories.flatten().cloned().collect();
    for document in documents(loaded)?.iter().filter(|document| document.is_people()) {
        for person in document.people() {
            let aliases = person.field("aliases").map(Meaning::fields).unwrap_or_default();
            let aliases = aliases.iter().filter_map(|(_, alias)| Email::parse(alias.as_text()?).ok());
            known.extend(address_of(&person, "email").into_iter().chain(aliases));
        }
    }
    Ok(known)
}

/// Lets the files that list users include a people file, and takes from their entries the names that it states.
///
/// # Errors
///
/// Returns a finding for each file that isn't one YAML document with fields.
pub fn include_people(loaded: &Loaded, everybody: &Everybody, people: &Path) -> Result<Included, Vec<Finding>> {
    let documents = documents(loaded)?;
    let mut included = Included::default();
    // The edit of each file that can include it.
    let mut heads: BTreeMap<&str, Edit> = BTreeMap::new();
    // The files of organisations come first.
    for (document, file) in documents.iter().zip(&loaded.files) {
        let Some(path) = relative(&file.path, people) else { continue };
        if file.desired.as_ref().is_none_or(|desired| desired.users.is_empty()) {
            included.empty.push((file.path.clone(), path));
            continue;
        }
        let edit = include(document, &path).filter(|edit| {
            let is_made = document.edited(&[(edit.clone(), document.source.start())], &mut Vec::new());
            Disk.is_inside(people, &file.path) && is_made.is_some_and(|made| made.after != made.before)
        });
        let Some(edit) = edit else {
            included.left.push((file.path.clone(), path));
            continue;
        };
        let folder = file.path.parent().unwrap_or(Path::new(""));
        let path = normalize(&folder.join(path));
        included.people.push(EditedFile { path, before: String::new(), after: everybody.text.clone() });
        heads.insert(&document.source.name, edit);
    }
    for document in &documents {
        let mut edits: Vec<(Edit, Place)> = Vec::new();
        if document.heads.iter().all(|head| heads.contains_key(&*head.source.name)) {
            edits.extend(without_names(document, everybody));
        }
        edits.extend(heads.get(&*document.source.name).map(|edit| (edit.clone(), document.source.start())));
        // A name that can't be taken out may stay.
        included.edited.extend(document.edited(&edits, &mut Vec::new()));
    }
    Ok(included)
}

/// Returns the edit that adds a path to `include`.
fn include(document: &Document<'_>, path: &str) -> Option<Edit> {
    let mut paths: Vec<Yaml> = match document.tree.root.field("include") {
        Some((_, _, list)) => {
            document.tree.meaning(list).items().iter().map(Meaning::to_yaml).collect::<Option<_>>()?
        }
        None => Vec::new(),
    };
    paths.push(Yaml::text(path));
    Some(Edit::Change { at: At::Document, set: vec![("include", Yaml::List(paths))], unset: Vec::new() })
}

/// Returns the edits that take the names from entries for which a person of the file has the same.
fn without_names<'d>(
    document: &'d Document<'_>,
    everybody: &'d Everybody,
) -> impl Iterator<Item = (Edit, Place)> + use<'d> {
    let users = document.list("users").into_iter().enumerate();
    users.filter(|(_, entry)| !is_absent(entry)).filter_map(|(index, entry)| {
        let stated = everybody.people.get(&address_of(&entry, "email")?)?;
        let is_stated = |(name, value): &&(&str, String)| entry.text_of(name) == Some(value);
        let unset: Vec<&'static str> = stated.iter().filter(is_stated).map(|(name, _)| *name).collect();
        if unset.is_empty() {
            return None;
        }
        let edit = Edit::Change { at: At::Item("users", index), set: Vec::new(), unset };
        Some((edit, document.source.start()))
    })
}

/// Returns the path from the folder of a file to another one, as a file writes it.
fn relative(file: &Path, to: &Path) -> Option<String> {
    let absolute = |path: &Path| std::path::absolute(path).ok().map(|path| normalize(&path));
    let (file, to) = (absolute(file)?, absolute(to)?);
    let folder: Vec<Component<'_>> = file.parent()?.components().collect();
    let to: Vec<Component<'_>> = to.components().collect();
    let same = folder.iter().zip(&to).take_while(|(one, other)| one == other).count();
    let up = folder.iter().skip(same).map(|_| "..");
    let down = to.iter().skip(same).map(|part| part.as_os_str().to_str()).collect::<Option<Vec<_>>>()?;
    Some(up.chain(down).collect::<Vec<_>>().join("/"))
}
