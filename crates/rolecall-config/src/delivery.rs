//! The checks of `deliver`: the targets of new keys' secrets.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Component, Path, PathBuf};

use super::check::Checker;
use super::field::Field;
use super::raw::RawDelivery;
use super::source::Mark;
use rolecall_model::{Code, Delivery, Finding, quote};

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
pub(super) struct Targets {
    seen: BTreeMap<PathBuf, usize>,
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
        if target == normalize(Path::new(&*check.source.name)) || target.starts_with(".rolecall") {
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
                entry.insert(mark.line);
            }
            Entry::Occupied(first) => {
                let hint = format!("The first is on line {}. Use a separate file for each key.", first.get());
                let message =
                    format!("The secret of another key is written to {} too.", quote(&path.display().to_string()));
                let place = check.place(mark);
                check.push(Finding::error(Code::DuplicateDelivery, place, message).hint(hint));
            }
        }
    }
}

/// Normalizes a path without reading the file system: `a/../b` and `./b` become `b`.
fn normalize(path: &Path) -> PathBuf {
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
