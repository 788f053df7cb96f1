//! What the laws have to know of a provider: worlds, wishes, and what only its sandbox can see.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use proptest::prelude::*;
use rolecall_graphql::Request;

use crate::support::rig::{Platform, Rig};

/// A file's body, entry by entry.
#[derive(Clone, Debug)]
pub struct Wish {
    pub head: String,
    /// Lists by their names, each entry a line of YAML.
    pub lists: Vec<(&'static str, Vec<String>)>,
    pub min_admins: usize,
}

impl Wish {
    pub fn body(&self) -> String {
        let mut text = format!("{}\nguardrails: {{ min_admins: {} }}\n", self.head, self.min_admins);
        for (name, entries) in &self.lists {
            let _ = writeln!(text, "{name}: [{}]", entries.join(", "));
        }
        text
    }

    /// The same wish with its entries in another order.
    pub fn turned(&self, seed: u64) -> Self {
        let mut turned = self.clone();
        for (_, entries) in &mut turned.lists {
            turn(entries, seed);
        }
        turned
    }
}

/// Another order of the same items.
pub fn turn<T>(items: &mut [T], seed: u64) {
    if !items.is_empty() {
        items.rotate_left(usize::try_from(seed % items.len() as u64).unwrap());
        items.reverse();
    }
}

/// A key that works.
pub struct LiveSecret {
    pub id: String,
    /// The file that its name is delivered to.
    pub file: String,
    pub digest: String,
}

pub trait Lawful: Platform {
    /// Organisations as another hand left them. With `shadows`, also what can't be seen in them.
    fn worlds(shadows: bool) -> BoxedStrategy<Self::World>;
    fn wishes() -> BoxedStrategy<Wish>;
    /// Small organisations in which access changes hands: where a failure in the middle would interrupt it.
    fn swaps() -> BoxedStrategy<(Self::World, Wish)>;
    /// Takes out what no plan can converge on, since the platform refuses it for a reason that can't be seen.
    fn make_knowable(_: &mut Self::World) {}
    /// The same organisation with its lists and pages in another order.
    fn turned(world: &Self::World, seed: u64) -> Self::World;
    fn usable_admins(world: &Self::World) -> usize;
    /// May rolecall still call?
    fn lets_us_in(world: &Self::World) -> bool;
    /// What everybody and every key may do.
    fn access(world: &Self::World) -> BTreeMap<String, BTreeSet<String>>;
    fn mails(world: &Self::World) -> Vec<String>;
    fn live_secrets(world: &Self::World) -> Vec<LiveSecret>;
    /// Makes the list of users incomplete.
    fn break_users(world: &mut Self::World, how: u8);
    /// Who is there, whether the list shows them or not.
    fn emails(world: &Self::World) -> BTreeSet<String>;
    /// Does a mutation's request carry the entity's full value?
    fn carries_whole_value(request: &Request) -> Result<(), String>;
    /// What the API doesn't show, as its gaps are called.
    const GAPS: &'static [&'static str];
    /// What generated worlds have to give the laws to do, as kind and action.
    const BUSY: &'static [&'static str];

    /// Anything, and often enough what the law of safe steps is about.
    fn turbulent() -> BoxedStrategy<(Self::World, Wish)> {
        prop_oneof![(Self::worlds(false), Self::wishes()), Self::swaps()].boxed()
    }

    fn rig(world: Self::World, wish: &Wish) -> Rig<Self>
    where
        Self: Sized,
    {
        Rig::new(world, &wish.body())
    }
}
