//! The laws of fleets: shards are even and stable, and the merged plans of all shards are the plan over all organisations.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rolecall::report::{Merged, ShardReport, merge, plan_json};
use rolecall_model::{
    OrganizationPlan, Plan, ProviderName, RemoteId, Shard, ShardRun, ShardedVerb, Undescribed, Unread,
};
use rolecall_plan::{Fleet, OrganizationName};

use crate::lawful::Lawful as _;
use crate::support::bitpanda::Custody;
use crate::support::rig::Platform as _;
use crate::{config, few, planned};

fn name(number: usize) -> OrganizationName {
    let provider = ProviderName::ALL[number % ProviderName::ALL.len()];
    (provider, RemoteId::seen(format!("organisation-{}", number / 3)))
}

fn shards(of: usize) -> impl Iterator<Item = Shard> {
    (1..=of).map(move |number| Shard::new(number, of).unwrap())
}

/// Returns the shard of each organisation. Each has to have one.
fn divided(names: &BTreeSet<OrganizationName>, of: usize) -> BTreeMap<OrganizationName, usize> {
    let fleet = Fleet::of(names.iter().cloned());
    let all = shards(of).flat_map(|shard| fleet.part(shard).into_iter().map(move |name| (name, shard.number)));
    let all: Vec<(OrganizationName, usize)> = all.collect();
    assert_eq!(all.len(), names.len(), "an organisation has two shards, or none");
    all.into_iter().collect()
}

/// Joins the plans of shards, and returns the JSON and the exit codes.
fn merged(plans: &[Plan]) -> (String, Vec<u8>) {
    let read = |(number, plan): (usize, &Plan)| {
        let saved: Plan = serde_json::from_str(&plan_json(plan)).unwrap();
        (format!("{number}.json"), ShardReport::Plan(saved))
    };
    let Merged { report, verb, exits } = merge(plans.iter().enumerate().map(read).collect()).unwrap().unwrap();
    let ShardReport::Plan(plan) = report else { panic!("a plan became outcomes") };
    assert_eq!(verb, ShardedVerb::Drift);
    (plan_json(&plan), exits)
}

proptest! {
    #![proptest_config(config())]

    /// Two shards differ by one organisation at most, and one that is new or gone moves fewer others than there are shards.
    #[test]
    fn shards_are_even_and_stable(numbers in prop::collection::btree_set(0..5_000_usize, 1..300), other in 5_000..9_000_usize, of in 1..12_usize) {
        let names: BTreeSet<OrganizationName> = numbers.into_iter().map(name).collect();
        let before = divided(&names, of);
        let mut sizes: Vec<usize> = shards(of).map(|shard| before.values().filter(|it| **it == shard.number).count()).collect();
        sizes.sort_unstable();
        prop_assert!(sizes[of - 1] - sizes[0] <= 1, "{sizes:?}");
        let after = divided(&names.iter().cloned().chain([name(other)]).collect(), of);
        let moved = before.iter().filter(|(name, shard)| after[*name] != **shard).count();
        prop_assert!(moved < of, "{moved} of {} moved between {of} shards", names.len());
    }
}

proptest! {
    #![proptest_config(few())]

    #[test]
    fn the_plan_over_all_is_the_merged_plans_of_shards(
        worlds in prop::collection::vec(Custody::mixed(), 1..6), unread in 0..4_usize, of in 1..6_usize, seed in 0..100_usize,
    ) {
        let mut all = Plan::new("law", Vec::new());
        for (world, file) in worlds {
            let Some(mut plan) = planned(&Custody::rig(world, &file)) else { continue };
            plan.sealed.identity.organization = RemoteId::seen(format!("planned-{}", all.organizations.len()));
            plan.seal = rolecall_plan::seal(&plan.sealed);
            all.organizations.push(plan);
        }
        all.unread.extend((0..unread).map(|number| Unread {
            provider: Custody::NAME,
            organization: RemoteId::seen(format!("unread-{number}")),
            why: "law".to_owned(),
        }));
        let (provider, file) = (Custody::NAME, "gone.yaml".to_owned());
        all.undescribed.push(Undescribed { provider, organization: RemoteId::seen("gone"), file });
        let planned = |plan: &OrganizationPlan| (Custody::NAME, plan.sealed.identity.organization.clone());
        let not_read = |unread: &Unread| (unread.provider, unread.organization.clone());
        let fleet = Fleet::of(all.organizations.iter().map(planned).chain(all.unread.iter().map(not_read)));
        let mut plans: Vec<Plan> = shards(of).map(|shard| {
            let part = fleet.part(shard);
            let mut plan = all.clone();
            plan.organizations.retain(|plan| part.contains(&planned(plan)));
            plan.unread.retain(|unread| part.contains(&not_read(unread)));
            plan.shard = Some(ShardRun {
                shard,
                verb: ShardedVerb::Drift,
                exit: u8::try_from(shard.number).unwrap(),
                organizations: fleet.organizations(),
                fleet: fleet.digest(),
                files: "sha256:law".to_owned(),
            });
            plan
        }).collect();
        plans.rotate_left(seed % of);
        let (json, mut exits) = merged(&plans);
        prop_assert_eq!(json, plan_json(&all));
        exits.sort_unstable();
        prop_assert_eq!(exits, (1..=u8::try_from(of).unwrap()).collect::<Vec<u8>>());
    }
}
