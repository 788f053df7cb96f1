//! The checks of `deliver`: the targets of new keys' secrets.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Component, Path, PathBuf};

use super::check::Checker;
use super::field::Field;
use super::files::Loaded;
use super::raw::RawDelivery;
use super::source::Mark;
use rolecall_model::{Code, Credential, Delivery, Desired, Finding, Place, quote};

impl Checker<'_> {
    fn delivery(&mut self, field: Field<RawDelivery>) -> Option<Delivery> {
        match field.value? {
            RawDelivery::File(path) => self.path(path).map(|path| Delivery::File(PathBuf::from(path))),
            RawDelivery::Command(words) => self.command(field.mark, words).map(Delivery::Command),
        }
    }
}

/// The files that secrets are written to. Two secrets must not go to one file, because the second would overwrite
/// the first.
#[derive(Default)]
pub struct Targets {
    seen: BTreeMap<PathBuf, Mark>,
}

impl Targets {
    /// Checks the target of a key's secret.
    pub fn delivery(&mut self, field: Field<RawDelivery>, check: &mut Checker<'_>) -> Option<Delivery> {
        let mark = field.mark;
        let delivery = check.delivery(field)?;
        self.admit(check, &delivery, mark);
        Some(delivery)
    }

    fn admit(&mut self, check: &mut Checker<'_>, delivery: &Delivery, mark: Mark) {
        let Delivery::File(path) = delivery else { return };
        let target = normalize(path);
        if target == normalize(Path::new(&*check.source.head.name)) || target.starts_with(".rolecall") {
            let place = check.place(mark);
            let message = format!(
                "{} is a file of rolecall itself, and the secret would overwrite it.",
                quote(&path.display().to_string())
            );
            check.push(
                Finding::error(Code::InvalidValue, place, message)
                    .hint("Write the path of a file that contains nothing else."),
            );
        }
        match self.seen.entry(target) {
            Entry::Vacant(entry) => {
                entry.insert(mark);
            }
            Entry::Occupied(first) => {
                let hint = format!(
                    "The first is {}. Use a separate file for each key.",
                    check.source.line_of(*first.get(), mark)
                );
                let message =
                    format!("The secret of another key is written to {} too.", quote(&path.display().to_string()));
                let place = check.place(mark);
                check.push(Finding::error(Code::DuplicateDelivery, place, message).hint(hint));
            }
        }
    }
}

impl Loaded {
    /// Checks where the secrets of all files of a run go on this disk. A path can lead to the same file as another by a
    /// link, or because one of them is absolute. `own` are the files that the run reads or writes, each with what it is
    /// to the run.
    pub fn check_deliveries(&self, own: &[(&Path, &str)]) -> Vec<Finding> {
        let all: Vec<&Desired> = self.files.iter().filter_map(|file| file.desired.as_ref()).collect();
        let credentials = all.iter().flat_map(|desired| desired.credentials.values());
        let credentials = credentials.filter_map(|credential| match &credential.value {
            Credential::File(path) => Some((&**path, "the file of a credential")),
            Credential::Env(_) | Credential::Command(_) => None,
        });
        let mut taken: BTreeMap<PathBuf, &str> = BTreeMap::new();
        for (path, what) in own.iter().copied().chain(credentials) {
            // A link is itself replaced by some writers, and followed by others.
            taken.insert(on_disk(path), what);
            taken.extend(path.canonicalize().ok().map(|path| (path, what)));
        }
        let folder = on_disk(Path::new(".rolecall"));
        let mut first: BTreeMap<PathBuf, &Place> = BTreeMap::new();
        let mut findings = Vec::new();
        for key in all.iter().flat_map(|desired| &desired.keys) {
            let Some(Delivery::File(path)) = &key.deliver else { continue };
            let (target, shown) = (on_disk(path), quote(&path.display().to_string()));
            let is_temporary =
                target.file_name().is_some_and(|name| name.to_string_lossy().ends_with(Delivery::TEMPORARY));
            let what = taken.get(&target).copied();
            let own_file = match (what, is_temporary) {
                (Some(what), _) => Some(format!("{shown} is {what}, and one would overwrite the other.")),
                (None, true) => Some(format!("{shown} has a name that rolecall uses for a secret on its way.")),
                (None, false) if target.starts_with(&folder) => {
                    Some(format!("{shown} is a file of rolecall itself, and the secret would overwrite it."))
                }
                (None, false) => None,
            };
            if let Some(message) = own_file {
                findings.push(
                    Finding::error(Code::InvalidValue, key.place.clone(), message)
                        .hint("Write the path of a file that contains nothing else."),
                );
            }
            let is_above = |above: &Path, below: &Path| below.starts_with(above) && above != below;
            let across = first.iter().find(|(other, _)| is_above(other, &target) || is_above(&target, other));
            let clash = match (first.get(&target), across) {
                (Some(other), _) => {
                    Some((other, format!("The secret of another key is written to the file {shown} too.")))
                }
                (None, Some((_, other))) => Some((
                    other,
                    format!("{shown} can't be a file: it or the file of another key would be a folder."),
                )),
                (None, None) => None,
            };
            if let Some((other, message)) = clash {
                findings.push(
                    Finding::error(Code::DuplicateDelivery, key.place.clone(), message)
                        .hint(format!("The first is at {other}. Use a separate file for each key.")),
                );
            }
            first.entry(target).or_insert(&key.place);
        }
        findings
    }
}

/// Returns the real path of a file that may not exist. Its name isn't followed, even if it is a link, because the
/// delivery replaces the link.
fn on_disk(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return normalize(&path) };
    let existing = folder.ancestors().find_map(|there| Some((there.canonicalize().ok()?, there)));
    let real = existing.map(|(real, there)| match folder.strip_prefix(there) {
        Ok(missing) => normalize(&real.join(missing)),
        Err(_) => real,
    });
    real.unwrap_or_else(|| normalize(folder)).join(name)
}

/// Normalizes a path without reading the file system: `a/../b` and `./b` become `b`.
pub(super) fn normalize(path: &Path) -> PathBuf {
    let mut parts = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if parts.file_name().is_some() => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts
}
