//! `rolecall keys`: every key with its stage, its age, its secret and its next step.

use std::collections::BTreeSet;

use rolecall_engine::apply::Report;
use rolecall_model::{Action, Cause, Change, OrganizationPlan, Site};
use rolecall_plan::PlanInput;
use rolecall_plan::keys::{KeyStage, Keys, MadeBy, StepKind, keys};

use crate::support::rig::{Fate, Platform, Rig, addresses};
use crate::support::{bitpanda, hive};

const AT_HIVE: &str =
    "keys: [{ name: ci, permissions: [project:describe], resources: all, deliver: { file: ci } }]\n";
const AT_BITPANDA: &str =
    "keys: [{ name: ci, roles: [A], expires: 2031-01-01T00:00:00Z, deliver: { file: ci } }]\n";

/// Returns the keys as a report has them.
fn report<P: Platform>(rig: &Rig<P>) -> Keys {
    let live = rig.read().unwrap();
    keys(&PlanInput {
        desired: &rig.desired,
        live: &live,
        facts: &rig.ledger.facts(),
        rules: Rig::<P>::rules(),
        site: &Site::host("sandbox"),
        asserted: &BTreeSet::new(),
        only: None,
        approved: None,
        caller: rolecall_providers::of(P::NAME).own_key(&P::secrets()).as_ref(),
        now: rig.now,
    })
}

/// Returns the stages of the keys with the name `ci`.
fn stages<P: Platform>(rig: &Rig<P>) -> Vec<&'static str> {
    let keys = report(rig).keys;
    keys.iter().filter(|key| key.name.as_str() == "ci").map(|key| key.stage.as_str()).collect()
}

/// Kills the first apply between the creation of the key and the record of the delivery, and looks what becomes of it.
fn orphan_is_replaced<P: Platform>(rig: &mut Rig<P>, kill: impl Fn(&mut Rig<P>, &OrganizationPlan)) {
    let plan = rig.plan();
    kill(rig, &plan);
    assert_eq!(stages(rig), ["orphaned"]);
    let found = report(rig);
    let key = found.keys.iter().find(|key| key.name.as_str() == "ci").unwrap();
    assert_eq!((key.made_by, &key.delivered), (MadeBy::Rolecall, &None));
    assert!(key.next.as_ref().is_some_and(|next| next.is == StepKind::Retire && next.scheduled), "{key:?}");
    let plan = rig.plan();
    let causes: Vec<_> = plan.sealed.changes.iter().map(|change| (change.action, &change.cause)).collect();
    assert_eq!(addresses(&plan)[0], "key/ci");
    assert_eq!(causes[0], (Action::Create, &Cause::SecretLost), "a scheduled job creates another");
    assert!(causes[1].0 != Action::Create && *causes[1].1 == Cause::SecretLost, "{causes:?}");
    assert!(plan.sealed.changes.iter().all(Change::is_leftover));
    assert!(rig.apply_plan(&plan).is_some());
    let stages: BTreeSet<&str> = stages(rig).into_iter().collect();
    assert!(
        stages == BTreeSet::from(["active"]) || stages == BTreeSet::from(["active", "disabled"]),
        "{stages:?}"
    );
    assert!(rig.delivered("ci").is_some());
    assert!(addresses(&rig.plan()).is_empty());
}

fn killed_before_the_answer<P: Platform>(rig: &mut Rig<P>, plan: &OrganizationPlan) {
    rig.wire.set_fates(&[Fate::KillAfter]);
    assert!(rig.apply_plan(plan).is_none(), "it died");
}

fn killed_after_the_answer<P: Platform>(rig: &mut Rig<P>, plan: &OrganizationPlan) {
    assert!(rig.apply_until_line(plan, 3), "it died after the lines of the run, the intent and the outcome");
}

#[test]
fn a_key_whose_secret_was_lost_is_replaced_and_the_plan_says_why() {
    orphan_is_replaced(&mut bitpanda::Rig::new(bitpanda::world(), AT_BITPANDA), killed_before_the_answer);
    orphan_is_replaced(&mut bitpanda::Rig::new(bitpanda::world(), AT_BITPANDA), killed_after_the_answer);
    orphan_is_replaced(&mut hive::Rig::new(hive::world(), AT_HIVE), killed_before_the_answer);
    orphan_is_replaced(&mut hive::Rig::new(hive::world(), AT_HIVE), killed_after_the_answer);
}

#[test]
fn what_the_file_asks_for_since_an_orphan_is_reviewed() {
    let mut rig = hive::Rig::new(hive::world(), AT_HIVE);
    let plan = rig.plan();
    killed_before_the_answer(&mut rig, &plan);
    rig.set_file(&AT_HIVE.replace("project:describe", "project:describe, accessToken:modify"));
    let plan = rig.plan();
    assert_eq!(plan.sealed.changes[0].cause, Cause::Declared);
    assert_eq!(plan.leftovers().count(), 1, "only the orphan goes without a review");
}

#[test]
fn a_key_that_somebody_else_made_is_foreign_and_stays() {
    let mut world = bitpanda::world();
    world.keys.push(bitpanda::key("theirs", "ci", &["A"], "s"));
    world.keys.push(bitpanda::key("other", "other", &["A"], "t"));
    let mut rig = bitpanda::Rig::new(world, "keys: [{ name: ci, roles: [A] }]\n");
    let of = |rig: &bitpanda::Rig, name: &str| {
        report(rig).keys.into_iter().find(|key| key.name.as_str() == name).unwrap()
    };
    assert_eq!((of(&rig, "ci").stage, of(&rig, "ci").made_by), (KeyStage::Active, MadeBy::Unknown), "no ledger");
    rig.set_file("keys: [{ name: ci, roles: [A] }, { name: new, roles: [A], expires: 2031-01-01T00:00:00Z, deliver: { file: new } }]\n");
    let applied: Report = rig.apply();
    assert_eq!(applied.steps.len(), 1);
    assert_eq!((of(&rig, "ci").stage, of(&rig, "ci").made_by), (KeyStage::Foreign, MadeBy::SomebodyElse));
    assert_eq!((of(&rig, "new").stage, of(&rig, "new").made_by), (KeyStage::Active, MadeBy::Rolecall));
    assert_eq!(of(&rig, "other").stage, KeyStage::Unmanaged);
    assert!(addresses(&rig.plan()).is_empty());
}
