//! Laws of the report of keys: it says of every key what the plan does with it.

use std::collections::BTreeSet;

use proptest::prelude::*;
use rolecall_model::{Action, Change, Entity, Site};
use rolecall_plan::PlanInput;
use rolecall_plan::keys::{KeyStage, Keys, StepKind, keys};

use crate::lawful::{FileBody, Lawful};
use crate::support::rig::{Fate, Rig};
use crate::{Law, planned};

fn report<P: Lawful>(rig: &Rig<P>) -> Keys {
    let caller = rolecall_engine::apply::sign_in(rolecall_providers::of(P::NAME), &rig.secrets);
    keys(&PlanInput {
        desired: &rig.desired,
        live: &rig.read().unwrap(),
        facts: &rig.ledger.facts(),
        rules: rolecall_providers::rules(P::NAME),
        site: &Site::host("sandbox"),
        asserted: &BTreeSet::new(),
        only: None,
        approved: None,
        caller: Some(&caller),
        now: rig.now,
    })
}

/// Every live key is in the report once, and its stage and its next step are what the plan does with it. That holds also
/// after a run that died.
pub fn the_report_says_what_the_plan_does<P: Lawful>(
    world: P::World,
    file: &FileBody,
    died: Option<(usize, bool)>,
    seed: u64,
) -> Law {
    let mut rig = P::rig(world, file);
    if let Some((at, after)) = died
        && let Some(plan) = planned(&rig)
    {
        let mut fates = vec![Fate::Fine; at];
        fates.push(if after { Fate::KillAfter } else { Fate::KillBefore });
        rig.wire.set_fates(&fates);
        let _ = rig.apply_plan(&plan);
        rig.wire.set_fates(&[]);
    }
    let found = report(&rig);
    let shuffled = P::shuffled(&rig.world(), seed);
    let live = rig.read().unwrap();
    let mut listed: Vec<_> = live.keys().iter().map(|key| key.id.clone()).collect();
    let mut shown: Vec<_> = found.keys.iter().map(|key| key.id.clone()).collect();
    listed.sort();
    shown.sort();
    prop_assert_eq!(shown, listed);
    if let Some(plan) = planned(&rig) {
        for key in &found.keys {
            let is_of_key = |change: &&Change| change.before.as_ref().and_then(Entity::id) == Some(&key.id);
            let change = plan.sealed.changes.iter().find(is_of_key);
            let expected = match change.map(|change| change.action) {
                Some(Action::Create) => Some(StepKind::CreateSuccessor),
                Some(Action::Disable | Action::Delete) => Some(StepKind::Retire),
                Some(Action::Enable) => Some(StepKind::Enable),
                _ => None,
            };
            let next = key.next.as_ref();
            match expected {
                Some(step) => {
                    prop_assert_eq!(next.map(|next| next.is), Some(step), "{:?}", key);
                    prop_assert_eq!(next.map(|next| next.scheduled), change.map(Change::is_leftover), "{:?}", key);
                    prop_assert!(key.stage == KeyStage::Disabled || key.is_due_by(rig.now), "{:?}", key);
                }
                None => prop_assert!(
                    !matches!(
                        key.stage,
                        KeyStage::Retiring { .. } | KeyStage::DueForRotation | KeyStage::ToBeReplaced
                    ) || key.access.own,
                    "{:?}",
                    key
                ),
            }
        }
    }
    *rig.world() = shuffled;
    prop_assert_eq!(report(&rig).keys, found.keys);
    Ok(())
}
