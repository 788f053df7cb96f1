//! The entries that a file has, by the kind and the name of their entities.

use std::collections::{BTreeMap, BTreeSet};

use super::super::edit::{Meaning, WrittenFields, entries};
use rolecall_model::{Address, EcoString, Email, KeyName, Kind, RoleName, TeamName};

/// The kinds and names of the entries of files.
pub type Stated = BTreeSet<(Kind, EcoString)>;

/// Returns the kinds and names of the entries that a file has.
pub fn stated(text: &str) -> Stated {
    let kinds = [Kind::User, Kind::Team, Kind::Role, Kind::Key];
    written(text, kinds.into_iter()).positions.into_keys().collect()
}

/// The entries of the file by the kind and the name of their entities, with their positions.
#[derive(Default)]
pub(super) struct Written {
    pub entries: BTreeMap<Kind, Vec<WrittenFields>>,
    pub positions: BTreeMap<(Kind, EcoString), Vec<usize>>,
}

/// Reads the entries of these kinds.
pub(super) fn written(text: &str, kinds: impl Iterator<Item = Kind>) -> Written {
    let mut written = Written::default();
    for kind in kinds.collect::<BTreeSet<_>>() {
        let entries = entries(text, kind.section());
        for (at, entry) in entries.iter().enumerate() {
            if let Some(name) = name_of(kind, entry) {
                written.positions.entry((kind, name)).or_default().push(at);
            }
        }
        written.entries.insert(kind, entries);
    }
    written
}

/// Returns the name of an entry as its address has it.
fn name_of(kind: Kind, entry: &WrittenFields) -> Option<EcoString> {
    let text = |field: &str| entry.get(field).and_then(Meaning::as_text);
    let address = match kind {
        Kind::Organization => Address::organization(),
        Kind::User | Kind::Invitation => Address::user(&Email::parse(text("email")?).ok()?),
        Kind::Team => Address::team(&TeamName::parse(text("name")?).ok()?),
        Kind::Role => Address::role(&RoleName::parse(text("name")?).ok()?),
        Kind::Key => Address::key(&KeyName::parse(text("name")?).ok()?),
    };
    Some(address.name)
}

impl Written {
    /// Returns the position of the entry for this address.
    pub fn find(&self, address: &Address) -> Result<Option<usize>, String> {
        let positions =
            self.positions.get(&(address.kind, address.name.clone())).map(Vec::as_slice).unwrap_or_default();
        let entries = self.entries.get(&address.kind);
        let id = |at: &usize| entries?.get(*at)?.get("id")?.as_text();
        if let Some(wanted) = &address.id
            && let Some(at) = positions.iter().find(|at| id(at) == Some(wanted.as_str()))
        {
            return Ok(Some(*at));
        }
        match positions {
            [only] if id(only).is_none() || address.id.is_none() => Ok(Some(*only)),
            [] | [_] => Ok(None),
            _ => Err("Several entries have this name, and it is unclear which of them is meant.".to_owned()),
        }
    }
}
