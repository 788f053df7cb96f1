//! Where secrets go that are made.

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

/// Sees to it that no two secrets go to one file: the second would be all that is left.
#[derive(Default)]
pub(super) struct Targets {
    seen: BTreeMap<PathBuf, usize>,
}

impl Targets {
    /// Where a key's secret goes.
    pub fn delivery(&mut self, field: Field<RawDelivery>, check: &mut Checker<'_>) -> Option<Delivery> {
        let mark = field.mark;
        let delivery = check.delivery(field)?;
        self.admit(check, &delivery, mark);
        Some(delivery)
    }

    fn admit(&mut self, check: &mut Checker<'_>, delivery: &Delivery, mark: Mark) {
        let Delivery::File(path) = delivery else { return };
        let target = normal(path);
        if target == normal(Path::new(&*check.source.name)) || target.starts_with(".rolecall") {
            let place = check.place(mark);
            let message = format!(
                "{} is rolecall's own, and the secret would overwrite it",
                quote(&path.display().to_string())
            );
            check.push(
                Finding::error(Code::InvalidValue, place, message).hint("name a file that holds nothing else"),
            );
        }
        match self.seen.entry(target) {
            Entry::Vacant(entry) => {
                entry.insert(mark.line);
            }
            Entry::Occupied(first) => {
                let hint = format!("the first is on line {}; give each key a file of its own", first.get());
                let message = format!("another key's secret goes to {} too", quote(&path.display().to_string()));
                let place = check.place(mark);
                check.push(Finding::error(Code::DuplicateDelivery, place, message).hint(hint));
            }
        }
    }
}

/// The same file under one name, as far as the names alone tell.
fn normal(path: &Path) -> PathBuf {
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
