//! Keys that get a successor by their age.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use rolecall_engine::apply::record_nothing_sent;
use rolecall_model::{Cause, OrganizationPlan};
use rolecall_plan::near_rotations;
use rolecall_sandbox::hive::{Assignment, WorldToken};

use crate::support::cli::Env;
use crate::support::rig::{addresses, holds, now};
use crate::support::{bitpanda, hive};

fn days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * days)
}

/// Returns an organisation at Hive with a key of this age, in days.
fn rig(age: i64, rule: &str) -> hive::Rig {
    let mut world = hive::world();
    world.tokens.push(WorldToken {
        id: hive::uuid("ci"),
        title: "ci".to_owned(),
        description: String::new(),
        permissions: vec!["project:describe".to_owned()],
        resources: Assignment::All,
        digest: rolecall_sandbox::digest("old"),
        first_characters: "hvo1/abcde".to_owned(),
        created_at: now() - days(age),
    });
    hive::Rig::new(
        world,
        &format!(
            "keys: [{{ name: ci, permissions: [project:describe], resources: all, deliver: {{ file: ci }}, {rule} }}]\n"
        ),
    )
}

fn causes(plan: &OrganizationPlan) -> Vec<&Cause> {
    plan.sealed.changes.iter().map(|change| &change.cause).collect()
}

#[test]
fn a_key_gets_a_successor_by_its_age_and_both_work_for_the_overlap() {
    let young = rig(86, "max_age: 90d, overlap: 3d");
    assert!(young.plan().sealed.changes.is_empty(), "{:?}", young.plan().sealed);
    let mut rig = rig(87, "max_age: 90d, overlap: 3d");
    let plan = rig.plan();
    assert_eq!(addresses(&plan), ["key/ci"]);
    assert_eq!(causes(&plan), [&Cause::DueForRotation { automatically: false }]);
    assert!(!plan.sealed.changes[0].is_leftover(), "somebody reviews it");
    rig.apply();
    assert!(rig.delivered("ci").is_some_and(|secret| secret.starts_with("hvo1/")));
    rig.now = now() + days(3) - SignedDuration::from_secs(1);
    let waiting = rig.plan();
    assert!(waiting.sealed.changes.is_empty());
    assert!(
        holds(&waiting).iter().any(|hold| hold.contains("both work until 2026-11-24T12:00:00Z")),
        "{:?}",
        holds(&waiting)
    );
    rig.now = now() + days(3);
    let retired = rig.plan();
    assert!(matches!(causes(&retired)[..], [Cause::Superseded { .. }]));
    assert!(retired.sealed.changes[0].is_leftover());
    rig.apply();
    assert_eq!(rig.world().tokens.iter().filter(|token| token.title == "ci").count(), 1);
}

#[test]
fn a_schedule_takes_what_the_file_lets_rotate_automatically() {
    let rig = rig(90, "max_age: 90d, rotate: automatically");
    let plan = rig.plan();
    assert_eq!(causes(&plan), [&Cause::DueForRotation { automatically: true }]);
    assert!(plan.sealed.changes[0].is_leftover());
}

#[test]
fn a_plan_tells_what_is_due_soon() {
    let rig = rig(80, "max_age: 90d, overlap: 3d");
    let (live, facts) = (rig.read().unwrap(), rig.ledger.facts());
    let near = |horizon| near_rotations(&rig.desired, &live, &facts, (now(), days(horizon))).collect::<Vec<_>>();
    assert!(near(6).is_empty());
    let [near] = &near(7)[..] else { panic!() };
    assert_eq!((near.days, near.ending.address.to_string()), (7, "key/ci".to_owned()));
}

#[test]
fn where_nothing_tells_the_age_it_counts_from_the_first_apply() {
    let mut world = bitpanda::world();
    world.keys.push(bitpanda::key("k1", "ci", &["TRANSACTION_CREATOR"], "old"));
    let mut rig = bitpanda::Rig::new(world, "keys: [{ name: ci, deliver: { file: ci }, max_age: 30d }]\n");
    let plan = rig.plan();
    assert!(
        holds(&plan).iter().any(|hold| hold.contains("its age counts from the next apply")),
        "{:?}",
        holds(&plan)
    );
    let live = rig.read().unwrap();
    record_nothing_sent(&plan, (&rig.desired, &live), &mut rig.ledger, ("first", "test"), now()).unwrap();
    assert!(!holds(&rig.plan()).iter().any(|hold| hold.contains("age counts")));
    let lines = rig.ledger.records().len();
    rig.now = now() + days(29);
    assert!(rig.plan().sealed.changes.is_empty());
    let live = rig.read().unwrap();
    record_nothing_sent(&rig.plan(), (&rig.desired, &live), &mut rig.ledger, ("second", "test"), rig.now).unwrap();
    assert_eq!(rig.ledger.records().len(), lines + 2, "a key is seen for the first time once");
    rig.now = now() + days(30);
    let due = rig.plan();
    assert_eq!(causes(&due), [&Cause::DueForRotation { automatically: false }]);
}

#[test]
fn rolecalls_own_key_is_replaced_by_hand() {
    let mut world = bitpanda::world();
    world.keys.retain(|key| key.id == "own");
    let mut rig = bitpanda::Rig::new(
        world,
        "keys: [{ name: rolecall, roles: [ADMIN], deliver: { file: ci }, max_age: 30d }]\n",
    );
    let (plan, live) = (rig.plan(), rig.read().unwrap());
    record_nothing_sent(&plan, (&rig.desired, &live), &mut rig.ledger, ("first", "test"), now()).unwrap();
    rig.now = now() + days(300);
    assert!(rig.plan().sealed.changes.is_empty());
}

#[test]
fn the_rule_of_a_key_is_checked() {
    let cases = [
        "max_age: 90",
        "max_age: '90'",
        "max_age: 90d, overlap: 46d",
        "max_age: 30m",
        "overlap: 3d, rotate: automatically",
        "max_age: 90d, rotate: always",
        "max_age: 90d, absent: true",
        "max_age: -3d",
        "max_age: 90d, id: 7f0c2d1e-5b6a-4c3d-8e9f-0a1b2c3d4e5f",
    ];
    let mut text = String::new();
    let mut codes = BTreeSet::new();
    for case in cases {
        let env = Env::new();
        let rest = if case.contains("absent") {
            ""
        } else {
            "permissions: [project:describe], resources: all, deliver: { file: ci }, "
        };
        env.write("hive.yaml", format!("{}keys:\n  - {{ name: ci, {rest}{case} }}\n", hive::HEAD));
        let said = env.run(&["validate", "hive.yaml"]);
        codes.insert(said.code);
        text += &said.stdout;
    }
    assert_eq!(codes, BTreeSet::from([1]), "{text}");
    insta::assert_snapshot!("rotation_fields", text);
}

#[test]
fn a_rendered_file_keeps_the_rule() {
    let env = Env::new();
    let rule = "max_age: 90d\n    overlap: 3d\n    rotate: automatically\n";
    let key = "permissions: [project:describe], resources: all, deliver: { file: ci }";
    env.write("hive.yaml", format!("{}include: [keys.yaml]\n", hive::HEAD));
    env.write(
        "keys.yaml",
        format!("keys:\n  - {{ name: ci, {key}, max_age: 90d, overlap: 3d, rotate: automatically }}\n"),
    );
    let rendered = env.run(&["render", "hive.yaml"]);
    assert!(rendered.stdout.contains(rule), "{}", rendered.all());
    env.write("all.yaml", &rendered.stdout);
    assert_eq!(env.run(&["validate", "all.yaml"]).code, 0);
}
