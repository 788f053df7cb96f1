//! What is new in a drift report, compared with an earlier one.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Address, Change, Hold, HoldClass, OrganizationPlan, Plan};

/// What has changed of one organisation's drift.
#[derive(Debug)]
pub struct News<'a> {
    /// As it is now.
    pub plan: &'a OrganizationPlan,
    /// What wasn't there before, or was otherwise.
    pub appeared: BTreeSet<&'a Address>,
    /// What was there before, if nothing of the same address has appeared.
    pub gone: BTreeSet<&'a Address>,
}

/// The organisations of which the drift is another than it was before.
pub fn news<'a>(now: &'a Plan, before: Option<&'a Plan>) -> Vec<News<'a>> {
    let earlier = |plan: &OrganizationPlan| {
        let mut all = before.iter().flat_map(|before| &before.organizations);
        all.find(|other| other.sealed.identity.is_same_organization(&plan.sealed.identity))
    };
    let all = now.organizations.iter().map(|plan| between(plan, earlier(plan)));
    all.filter(|news| !news.appeared.is_empty() || !news.gone.is_empty()).collect()
}

fn between<'a>(plan: &'a OrganizationPlan, before: Option<&'a OrganizationPlan>) -> News<'a> {
    let now = drift(plan);
    let before = before.map(drift).unwrap_or_default();
    let appeared: BTreeSet<&Address> = missing(&now, &before).collect();
    let gone = missing(&before, &now).filter(|address| !appeared.contains(address)).collect();
    News { plan, appeared, gone }
}

/// What would be changed, and what is blocked: all that `drift` ends with 2 for.
#[derive(Default)]
struct Differences<'a> {
    change: Option<&'a Change>,
    blocked: Vec<&'a Hold>,
}

fn drift(plan: &OrganizationPlan) -> BTreeMap<&Address, Differences<'_>> {
    let mut all: BTreeMap<&Address, Differences<'_>> = BTreeMap::new();
    for change in &plan.sealed.changes {
        all.entry(&change.address).or_default().change = Some(change);
    }
    for hold in plan.sealed.holds.iter().filter(|hold| hold.class == HoldClass::Blocked) {
        all.entry(&hold.address).or_default().blocked.push(hold);
    }
    all
}

/// Those of which `there` doesn't have all that `here` has.
fn missing<'a>(
    here: &BTreeMap<&'a Address, Differences<'a>>,
    there: &BTreeMap<&'a Address, Differences<'a>>,
) -> impl Iterator<Item = &'a Address> {
    let is_there = |address: &Address, Differences { change, blocked }: &Differences<'a>| {
        there.get(address).is_some_and(|other| {
            (change.is_none() || *change == other.change)
                && blocked.iter().all(|hold| other.blocked.contains(hold))
        })
    };
    here.iter().filter(move |(address, all)| !is_there(address, all)).map(|(address, _)| *address)
}
