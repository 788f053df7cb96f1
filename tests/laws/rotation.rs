//! The law of keys that rotate by themselves, over simulated years: there is always a key that works and whose secret was
//! delivered, a key and its successor both work for the overlap, and no key gets older than its limit and the delays of
//! three runs.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use rolecall_plan::{Selection, select};

use crate::support::hive::{Console, world};
use crate::support::rig::{Fate, Rig, now};
use crate::{Law, fates, few, secret_part};

/// A run of the scheduled job.
#[derive(Clone, Debug)]
struct Run {
    /// The hours since the run before.
    after: i64,
    fates: Vec<Fate>,
}

fn runs() -> impl Strategy<Value = Vec<Run>> {
    let fates = prop_oneof![4 => Just(Vec::new()), 1 => fates()];
    let run = (1..240_i64, fates).prop_map(|(after, fates)| Run { after, fates });
    proptest::collection::vec(run, 1..20)
}

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

fn a_key_rotates_without_a_gap(max_age: i64, overlap: i64, runs: &[Run]) -> Law {
    let body = format!(
        "keys: [{{ name: ci, permissions: [project:describe], resources: all, deliver: {{ file: ci }}, max_age: {max_age}h, overlap: {overlap}h, rotate: automatically }}]\n"
    );
    let mut rig = Rig::<Console>::new(world(), &body);
    prop_assert_eq!(rig.desired.rotations.len(), 1);
    let mut at = now();
    let (mut born, mut delivered): (BTreeMap<String, Timestamp>, BTreeMap<String, Timestamp>) = Default::default();
    let mut longest = 0;
    // Keys of which nobody can know the secret, because an answer was lost.
    let mut failed = false;
    let first = Run { after: 0, fates: Vec::new() };
    for (number, run) in std::iter::once(&first).chain(runs).enumerate() {
        at += hours(run.after);
        longest = longest.max(run.after);
        rig.now = at;
        let live = rig.read().unwrap();
        let whole = rig.planned(&live, &BTreeSet::new(), None).unwrap().plan;
        // Only the first run was reviewed.
        let selection = Selection { leftovers: number > 0, ..Selection::default() };
        let chosen = select(&whole.sealed, &selection).unwrap();
        let plan = rig.planned(&live, &BTreeSet::new(), Some(&chosen)).unwrap().plan;
        prop_assert!(plan.refusals.is_empty(), "{:?}", plan.refusals);
        let before: BTreeSet<String> = rig.world().tokens.iter().map(|token| token.id.clone()).collect();
        rig.wire.set_fates(&run.fates);
        failed |= !rig.apply_plan(&plan).unwrap().all_done();
        rig.wire.set_fates(&[]);
        let mut world = rig.world().clone();
        for token in world.tokens.iter_mut().filter(|token| !before.contains(&token.id)) {
            // The sandbox's clock stands still.
            token.created_at = at;
            born.insert(token.id.clone(), at);
        }
        *rig.world() = world.clone();
        let keys: Vec<_> = world.tokens.iter().filter(|token| token.title == "ci").collect();
        let secret = rig.delivered("ci").map(|secret| secret.trim().to_owned());
        let digest = secret.map(|secret| rolecall_sandbox::digest(&secret_part(&secret)));
        let current = keys.iter().find(|key| Some(&key.digest) == digest.as_ref());
        if number > 0 || !failed {
            prop_assert!(current.is_some(), "after run {number}, the delivered secret doesn't work: {keys:#?}");
        }
        if let Some(current) = current {
            delivered.entry(current.id.clone()).or_insert(at);
        }
        if failed {
            continue;
        }
        prop_assert!((1..=2).contains(&keys.len()), "{} keys after run {number}", keys.len());
        for key in &keys {
            let age = at.duration_since(born[&key.id]);
            prop_assert!(age <= hours(max_age + 3 * longest), "a key is {age} old after run {number}");
        }
        // Whatever went has had a successor for the overlap.
        for gone in before.iter().filter(|id| born.contains_key(*id) && !keys.iter().any(|key| key.id == **id)) {
            let since = delivered.iter().filter(|(id, _)| *id != gone).map(|(_, at)| *at).max().unwrap();
            prop_assert!(at.duration_since(since) >= hours(overlap), "{gone} went too early");
            prop_assert!(at.duration_since(born[gone]) >= hours(max_age), "{gone} went before its age");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(few())]

    #[test]
    fn keys_rotate_without_a_gap(max_age in 24..2000_i64, share in 0..=50_i64, runs in runs()) {
        a_key_rotates_without_a_gap(max_age, max_age * share / 100, &runs)?;
    }
}
