//! The interface of a provider for the laws: worlds, files, and state that only its sandbox knows.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use proptest::prelude::*;
use rolecall_graphql::Request;
use rolecall_model::{Ability, May};
use rolecall_plan::access::{Access, Holder};

use crate::support::rig::{Platform, Rig};

/// The body of a file, entry by entry.
#[derive(Clone, Debug)]
pub struct FileBody {
    pub head: String,
    /// The lists by name. Each entry is a line of YAML.
    pub lists: Vec<(&'static str, Vec<String>)>,
    pub min_admins: usize,
}

impl FileBody {
    pub fn body(&self) -> String {
        let mut text = format!("{}\nguardrails: {{ min_admins: {} }}\n", self.head, self.min_admins);
        for (name, entries) in &self.lists {
            let _ = writeln!(text, "{name}: [{}]", entries.join(", "));
        }
        text
    }

    /// Returns the same file with its entries in another order.
    pub fn shuffled(&self, seed: u64) -> Self {
        let mut shuffled = self.clone();
        for (_, entries) in &mut shuffled.lists {
            shuffle(entries, seed);
        }
        shuffled
    }
}

/// Puts the items in another order.
pub fn shuffle<T>(items: &mut [T], seed: u64) {
    if !items.is_empty() {
        items.rotate_left(usize::try_from(seed % items.len() as u64).unwrap());
        items.reverse();
    }
}

/// A key that works.
pub struct LiveSecret {
    pub id: String,
    /// The file to which the key of this name is delivered.
    pub file: String,
    pub digest: String,
}

pub trait Lawful: Platform {
    /// Generates organisations as they could be after changes by others. With `shadows`, they have state that the
    /// API doesn't show.
    fn worlds(shadows: bool) -> BoxedStrategy<Self::World>;
    fn files() -> BoxedStrategy<FileBody>;
    /// Generates small organisations in which access moves between users, so that a failure halfway would
    /// interrupt it.
    fn swaps() -> BoxedStrategy<(Self::World, FileBody)>;
    /// Removes state on which no plan can converge: the platform refuses the change for a reason that it doesn't
    /// show.
    fn remove_unknowable(_: &mut Self::World) {}
    /// Returns the same organisation with its lists and pages in another order.
    fn shuffled(world: &Self::World, seed: u64) -> Self::World;
    fn usable_admins(world: &Self::World) -> usize;
    /// Whether rolecall's credential still works.
    fn own_access_works(world: &Self::World) -> bool;
    /// Returns the access of every user and every key.
    fn access(world: &Self::World) -> BTreeMap<String, BTreeSet<String>>;
    /// Returns every user whom the platform's lists show, by address, with everything that they may do, as
    /// `permission @ place` or `role @ place`. The sandbox decides this, and no code of rolecall.
    fn may(world: &Self::World) -> Vec<(String, BTreeSet<String>)>;
    /// Returns the addresses of the listed invitations.
    fn invited(world: &Self::World) -> Vec<String>;
    /// Returns what a report says that somebody may do, in the words of [`Lawful::may`].
    fn shown(_: &Self::World, access: &Access, holder: &Holder) -> BTreeSet<String> {
        access
            .abilities(holder)
            .iter()
            .map(|Ability { may, at, .. }| format!("{} @ {at}", Self::word(may)))
            .collect()
    }
    /// Returns what somebody may do, in the words of [`Lawful::may`].
    fn word(may: &May) -> String {
        may.to_string()
    }
    fn mails(world: &Self::World) -> Vec<String>;
    fn live_secrets(world: &Self::World) -> Vec<LiveSecret>;
    /// Makes the list of users incomplete.
    fn break_users(world: &mut Self::World, how: u8);
    /// Returns the addresses of all users, also those that the list hides.
    fn emails(world: &Self::World) -> BTreeSet<String>;
    /// Checks that the request of an update carries the entity's full value.
    fn carries_whole_value(request: &Request) -> Result<(), String>;
    /// The names of the gaps that a read declares: things that the API doesn't show.
    const GAPS: &'static [&'static str];
    /// An entry that can't be planned in any world, with its list. It is about something called `broken…`.
    const UNPLANNABLE: (&'static str, &'static str);
    /// The changes that generated worlds have to produce, as kind and action.
    const BUSY: &'static [&'static str];

    /// Generates any world, but often one for the law of safe steps.
    fn mixed() -> BoxedStrategy<(Self::World, FileBody)> {
        prop_oneof![(Self::worlds(false), Self::files()), Self::swaps()].boxed()
    }

    fn rig(world: Self::World, file: &FileBody) -> Rig<Self>
    where
        Self: Sized,
    {
        Rig::new(world, &file.body())
    }
}
