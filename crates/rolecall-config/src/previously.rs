//! The field `previously`: the names that a role or a team had before.

use std::collections::BTreeMap;

use super::check::{Checker, FromText};
use super::field::Field;
use super::raw::NameText;
use rolecall_model::{Address, Code, Finding, Place, quote};

/// The names that an entity had before, each with its place in the file.
type Previously<N> = BTreeMap<N, Place>;

impl Checker<'_> {
    /// Checks the names that an entity had before.
    pub fn previously<N: FromText + Ord>(&mut self, field: Option<Field<Vec<Field<NameText>>>>) -> Previously<N> {
        let names = field.and_then(|field| field.value).unwrap_or_default();
        let placed = names.into_iter().filter_map(|name| {
            let place = self.place(name.mark);
            Some((self.name(name)?, place))
        });
        placed.collect()
    }

    /// Reports previous names from which nobody could tell what is to be renamed: those that are the name of an entry, and
    /// those that two entries claim. `entries`: the address of each, and its previous names as addresses.
    pub fn previous_names(&mut self, entries: &[(Address, Vec<(Address, Place)>)]) {
        let names: Vec<&Address> = entries.iter().map(|(address, _)| address).collect();
        let mut claims: BTreeMap<&Address, Vec<(&Place, &Address)>> = BTreeMap::new();
        for (address, previously) in entries {
            for (name, place) in previously {
                claims.entry(name).or_default().push((place, address));
            }
        }
        for (name, mut claims) in claims {
            claims.sort();
            let shown = quote(&name.name);
            let is_entry = names.contains(&name);
            let mut refuse = |place: &Place, message: String, hint: String| {
                self.push(Finding::error(Code::PreviousNameInUse, place.clone(), message).hint(hint));
            };
            for (place, of) in claims.iter().filter(|_| is_entry) {
                let hint = "Remove it from `previously`.";
                if *of == name {
                    refuse(place, format!("{shown} is the name of this entry itself."), hint.to_owned());
                } else {
                    let message = format!("{shown} is a previous name of {of}, and the name of another entry.");
                    let hint = format!("{hint} Or remove the entry {name}, if it is the one that is renamed.");
                    refuse(place, message, hint);
                }
            }
            let [(first, one), others @ ..] = &claims[..] else { continue };
            for (place, other) in others.iter().filter(|_| !is_entry) {
                let message = format!("{shown} is a previous name of {one}, and of {other}.");
                let file = if first.file == place.file { String::new() } else { format!("in {}, ", first.file) };
                let hint = format!("The first is {file}on line {}. Keep the one that is renamed.", first.line);
                refuse(place, message, hint);
            }
        }
    }
}
