//! Laws of the report of keys: it says of every key what the plan does with it.

use proptest::prelude::*;
use rolecall_model::{Action, Change, Entity, HoldClass, Kind};
use rolecall_plan::keys::{KeyStage, KeyStatus, Step, StepKind};

use crate::lawful::{FileBody, Lawful};
use crate::support::keys::report;
use crate::support::rig::Fate;
use crate::{Law, planned};

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
    let mut shown: Vec<_> = found.keys.iter().filter_map(|key| key.id.clone()).collect();
    listed.sort();
    shown.sort();
    prop_assert_eq!(shown, listed);
    if let Some(plan) = planned(&rig) {
        // Each key that is created anew is told once: as one that is missing, or by the one that it comes after.
        for change in plan.sealed.changes.iter().filter(|it| it.action == Action::Create && it.before.is_none()) {
            let tells = |key: &&KeyStatus| {
                let step = key.next.as_ref().map(|next| next.is);
                let of_missing = key.id.is_none() && step == Some(StepKind::Create);
                let of_another = key.stage == KeyStage::Expired && step == Some(StepKind::CreateSuccessor);
                key.access.address.name == change.address.name
                    && (of_missing || of_another || step == Some(StepKind::Replace))
            };
            prop_assert!(
                change.address.kind != Kind::Key || found.keys.iter().any(|key| tells(&key)),
                "{:?}",
                change
            );
        }
        for key in found.keys.iter().filter(|key| key.id.is_some()) {
            let is_of_key = |change: &&Change| change.before.as_ref().and_then(Entity::id) == key.id.as_ref();
            let change = plan.sealed.changes.iter().find(is_of_key);
            let expected = match change.map(|change| change.action) {
                Some(Action::Create) => Some(StepKind::CreateSuccessor),
                Some(Action::Disable | Action::Delete) => Some(StepKind::Retire),
                Some(Action::Enable) => Some(StepKind::Enable),
                _ => None,
            };
            let next = key.next.as_ref();
            if let Some(step) = expected {
                let creates =
                    |it: &&Change| it.action == Action::Create && it.address.name == key.access.address.name;
                let is_lost = matches!(key.stage, KeyStage::Orphaned | KeyStage::Doubtful);
                let another = plan.sealed.changes.iter().find(creates).filter(|_| is_lost);
                let steps = match another {
                    Some(_) if key.stage == KeyStage::Doubtful => [StepKind::Replace, StepKind::ReplaceLater],
                    Some(_) => [StepKind::Replace; 2],
                    None => [step; 2],
                };
                prop_assert!(next.is_some_and(|next| steps.contains(&next.is)), "{:?}", key);
                let scheduled = change.into_iter().chain(another).all(Change::is_leftover);
                prop_assert_eq!(next.map(|next| next.scheduled), Some(scheduled), "{:?}", key);
                prop_assert!(key.stage == KeyStage::Disabled || key.is_due_by(rig.now), "{:?}", key);
            } else {
                let of_apply = |is: StepKind| {
                    matches!(
                        is,
                        StepKind::CreateSuccessor
                            | StepKind::Retire
                            | StepKind::Replace
                            | StepKind::ReplaceLater
                            | StepKind::Enable
                    )
                };
                let is_due = |next: &Step| of_apply(next.is) && next.at.is_none_or(|at| at <= rig.now);
                // The successor of an expired key is a new key of its name.
                prop_assert!(key.stage == KeyStage::Expired || !next.is_some_and(is_due), "{:?}", key);
                prop_assert!(
                    !matches!(
                        key.stage,
                        KeyStage::Retiring { .. } | KeyStage::DueForRotation | KeyStage::ToBeReplaced
                    ) || key.access.own
                        || key.skipped.iter().any(|skipped| skipped.class == HoldClass::Blocked),
                    "{:?}",
                    key
                );
            }
        }
    }
    *rig.world() = shuffled;
    prop_assert_eq!(report(&rig).keys, found.keys);
    Ok(())
}
