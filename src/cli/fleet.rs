//! `--shard` and `--organizations-at-once`: many organisations, on several machines and within one.

use std::collections::BTreeSet;
use std::str::FromStr;

use clap::{Args, ValueHint};

use super::exit::Failure;
use super::out::Out;
use super::session::AT_ONCE;
use super::{CONNECTION, WHICH_ORGANIZATIONS};
use crate::report;
use rolecall_model::{Desired, Shard};
use rolecall_plan::{Fleet, OrganizationName};

/// The option of every verb that reads many organisations.
#[derive(Clone, Debug, Args)]
pub(super) struct AtOnce {
    /// Read at most this many organisations at once, up to 64. Those that share a rate limit or a credential are read one after the
    /// other.
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = AT_ONCE,
        value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=64),
        value_hint = ValueHint::Other,
        help_heading = CONNECTION
    )]
    pub organizations_at_once: usize,
}

/// The option of every verb that can handle a part of the organisations.
#[derive(Clone, Debug, Args)]
pub(super) struct ShardOption {
    /// Handle the organisations of machine I of N only, such as 2/4. N is at most 1,000. With `auto`, CI_NODE_INDEX and CI_NODE_TOTAL say it;
    /// with auto/N, JOB_COMPLETION_INDEX or CI_NODE_INDEX does. All files are still checked.
    #[arg(long, value_name = "I/N", value_hint = ValueHint::Other, help_heading = WHICH_ORGANIZATIONS)]
    shard: Option<ShardSource>,
}

/// A shard, or the number of shards for the environment's number of this one.
#[derive(Clone, Copy, Debug)]
enum ShardSource {
    Typed(Shard),
    Environment { of: Option<usize> },
}

impl FromStr for ShardSource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix("auto") {
            None => text.parse().map(Self::Typed),
            Some("") => Ok(Self::Environment { of: None }),
            Some(of) => {
                let of = of.strip_prefix('/').and_then(|of| of.parse().ok());
                let of = of.ok_or("write auto/N, such as auto/4 for four machines")?;
                Shard::new(1, of).map(|_| Self::Environment { of: Some(of) })
            }
        }
    }
}

/// The names of the variables that say which of several jobs this one is, and how many there are.
const NODE_INDEX: &str = "CI_NODE_INDEX";
const NODE_TOTAL: &str = "CI_NODE_TOTAL";
const COMPLETION_INDEX: &str = "JOB_COMPLETION_INDEX";

/// The part of all organisations that a run handles.
#[derive(Default)]
pub(super) struct Part {
    sharded: Option<(Shard, BTreeSet<OrganizationName>)>,
}

fn name(desired: &Desired) -> OrganizationName {
    (desired.provider, desired.organization.value.clone())
}

/// Returns these organisations in the order in which shards divide them.
pub(super) fn fleet<'a>(all: impl IntoIterator<Item = &'a Desired>) -> Fleet {
    Fleet::of(all.into_iter().map(name))
}

impl ShardOption {
    /// Returns the shard that the option or the environment names. `None` without the option.
    pub fn shard(&self) -> Result<Option<Shard>, Failure> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let Some(source) = self.shard else { return Ok(None) };
        let named = match source {
            ShardSource::Typed(shard) => return Ok(Some(shard)),
            ShardSource::Environment { of } => of_environment(of, variable),
        };
        let hint = "Write `--shard I/N`, or `--shard auto/N` in a job that has one of these variables.";
        named.map(Some).map_err(|why| Failure::error(format!("`--shard auto` finds no shard: {why}.")).hint(hint))
    }

    /// Divides all organisations, and prints which part this run handles.
    pub fn part(&self, all: &[&Desired], out: &Out) -> Result<Part, Failure> {
        let Some(shard) = self.shard()? else {
            tell_unsharded(all.len(), out);
            return Ok(Part::default());
        };
        let fleet = fleet(all.iter().copied());
        let names = fleet.part(shard);
        let organizations = report::plural(fleet.organizations(), "organisation");
        out.talk(&format!("This is {shard}, with {} of {organizations}.\n", names.len()));
        Ok(Part { sharded: Some((shard, names)) })
    }
}

/// Tells that every job of a set would do the same.
fn tell_unsharded(organizations: usize, out: &Out) {
    let total = std::env::var(NODE_TOTAL).ok().and_then(|total| total.parse::<usize>().ok());
    if let Some(total) = total.filter(|total| *total > 1 && organizations > 1) {
        out.talk(&format!(
            "This job is one of {total} ({NODE_TOTAL}), and handles all {organizations} organisations. With `--shard auto`, each job handles a part.\n"
        ));
    }
}

/// Returns the shard that the environment names, or why it doesn't.
fn of_environment(of: Option<usize>, variable: impl Fn(&str) -> Option<String>) -> Result<Shard, String> {
    let number = |name: &str| {
        let value = variable(name);
        value.map(|text| text.parse::<usize>().map_err(|_| format!("{name} is not a number"))).transpose()
    };
    let (node, total, completion) = (number(NODE_INDEX)?, number(NODE_TOTAL)?, number(COMPLETION_INDEX)?);
    let number = match (node, completion) {
        (Some(_), Some(_)) => return Err(format!("both {NODE_INDEX} and {COMPLETION_INDEX} are set")),
        (Some(node), None) => node,
        (None, Some(completion)) => completion.saturating_add(1),
        (None, None) => return Err(format!("neither {NODE_INDEX} nor {COMPLETION_INDEX} is set")),
    };
    // Kubernetes doesn't say how many completions a job has.
    let of = match (of, total) {
        (Some(of), Some(total)) if of != total => {
            return Err(format!("the option says {of} shards, and {NODE_TOTAL} says {total}"));
        }
        (Some(of), _) | (None, Some(of)) => of,
        (None, None) => return Err(format!("{NODE_TOTAL} isn't set, so the number of shards is unknown")),
    };
    Shard::new(number, of)
}

impl Part {
    pub fn has(&self, desired: &Desired) -> bool {
        self.sharded.as_ref().is_none_or(|(_, names)| names.contains(&name(desired)))
    }

    pub fn shard(&self) -> Option<Shard> {
        self.sharded.as_ref().map(|(shard, _)| *shard)
    }
}

/// Works on many organisations: on at most `at_once` at once, and on those of one lane one after the other. The results and
/// what the work prints have the order of `items`, whichever ends first.
pub(super) async fn in_lanes<I, T, L: Ord>(
    items: &[I],
    lane: impl Fn(&I) -> L,
    at_once: usize,
    work: impl AsyncFn(&I, &Out) -> T,
    out: &Out,
) -> Vec<T> {
    let work = async |item: &I| {
        let own = Out::held();
        (work(item, &own).await, own.take_held())
    };
    let print = |(_, said): &mut (T, String)| out.talk(&std::mem::take(said));
    let done = rolecall_engine::in_lanes(items, lane, at_once, work, print).await;
    done.into_iter().map(|(result, _)| result).collect()
}
