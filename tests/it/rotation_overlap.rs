//! A key and its successor: there are never more than two, each works as long as the plan says, and nothing retires one that
//! a target or rolecall itself still needs.

use rolecall_model::{Cause, HoldClass};
use rolecall_plan::near_rotations;

use crate::rotation::{causes, custody, days, expiries};
use crate::support::bitpanda;
use crate::support::rig::{addresses, desired, holds, now};

/// However often an entry changes while a key and its successor work, there is no third key.
#[test]
fn a_change_of_the_entry_waits_until_the_predecessor_is_retired() {
    let keys = [("ci", "2026-12-31T12:00:00Z")];
    let entry = |role: &str, more: &str| {
        format!(
            "keys: [{{ name: ci, roles: [{role}], deliver: {{ file: ci }}, lifetime: 90d, rotate_before: 60d, overlap: 30d }}{more}]\n"
        )
    };
    let mut rig = custody(&keys, "[]");
    rig.set_file(&entry("CLUSTER_OPS", ""));
    rig.apply();
    let successor = rig.world().keys.iter().find(|key| key.name == "ci" && key.id != "ci").unwrap().id.clone();
    for role in ["CLUSTER_MANAGER", "TRANSACTION_CREATOR", "CLUSTER_MANAGER"] {
        rig.set_file(&entry(role, ""));
        rig.apply();
        assert_eq!(expiries(&rig, "ci").len(), 2);
    }
    insta::assert_snapshot!("change_in_overlap", holds(&rig.plan()).join("\n"));
    // The message says how to go on at once.
    let mut now_on = custody(&keys, "[]");
    *now_on.world() = rig.world().clone();
    std::mem::swap(&mut now_on.ledger, &mut rig.ledger);
    now_on.set_file(&entry("CLUSTER_MANAGER", ", { name: ci, id: ci, absent: true }"));
    now_on.apply();
    assert_eq!(expiries(&now_on, "ci").len(), 1, "the predecessor goes first");
    let plan = now_on.plan();
    assert_eq!(causes(&plan), [&Cause::Declared]);
    now_on.apply();
    assert_eq!(expiries(&now_on, "ci").len(), 2);
    assert!(now_on.world().keys.iter().any(|key| key.id == successor && key.enabled));
}

/// A run without a review never takes a key that a target still needs.
#[test]
fn a_schedule_does_not_retire_a_key_whose_successor_did_not_arrive_everywhere() {
    let keys = [("ci", "2026-12-31T12:00:00Z")];
    let entry = |deliver: &str| {
        format!(
            "[{{ name: ci, roles: [CLUSTER_OPS], deliver: {deliver}, lifetime: 90d, rotate_before: 60d, overlap: 3d, rotate: automatically }}]"
        )
    };
    let mut rig = custody(&keys, &entry("[{ file: ci }, { command: [\"false\"] }]"));
    rig.deliveries = rolecall_engine::apply::Deliveries { allow_commands: true, below: None };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ci");
    rig.set_file(&format!(
        "keys: {}\n",
        entry(&format!("[{{ file: '{}' }}, {{ command: [\"false\"] }}]", file.display()))
    ));
    let plan = rig.plan();
    let report = rig.apply_plan_in_real_time(&plan);
    let said = report.steps[0].message.clone().unwrap_or_default();
    assert!(said.contains("Copy it there yourself before 2026-11-24T12:00:00Z."), "{said}");
    let waiting = rig.plan();
    let held: Vec<_> = waiting.sealed.holds.iter().filter(|hold| hold.address.name.contains("ci")).collect();
    assert!(held.iter().any(|hold| hold.class == HoldClass::Blocked), "{held:?}");
    assert!(holds(&waiting).iter().any(|hold| hold.contains("to the command false. Bring it there")), "{held:?}");
    rig.now = now() + days(4);
    let plan = rig.plan();
    let [Cause::Superseded { not_to, .. }] = causes(&plan)[..] else { panic!("{:?}", plan.sealed) };
    assert_eq!(*not_to, ["the command false"]);
    assert!(!plan.sealed.changes[0].is_leftover(), "somebody reviews it");
    // An entry without the target doesn't need it.
    rig.set_file(&format!("keys: {}\n", entry(&format!("{{ file: '{}' }}", file.display()))));
    assert!(rig.plan().sealed.changes[0].is_leftover());
    rig.apply();
    assert_eq!(expiries(&rig, "ci").len(), 1);
}

#[test]
fn both_keys_work_until_the_earlier_of_the_overlap_and_the_expiry() {
    let rule = "deliver: { file: ci }, lifetime: 90d, rotate_before: 60d, overlap: 30d";
    let mut rig =
        custody(&[("ci", "2026-12-02T12:00:00Z")], &format!("[{{ name: ci, roles: [CLUSTER_OPS], {rule} }}]"));
    let plan = rig.plan();
    assert_eq!(
        causes(&plan),
        [&Cause::DueForRotation { automatically: false, since: "2026-10-03T12:00:00Z".parse().ok() }]
    );
    assert!(
        holds(&plan)
            .iter()
            .any(|hold| hold.contains("and for 30d after that, but not after its expiry on 2026-12-02T12:00:00Z.")),
        "{:?}",
        holds(&plan)
    );
    rig.apply();
    assert!(
        holds(&rig.plan()).iter().any(|hold| hold.contains("both work until 2026-12-02T12:00:00Z")),
        "{:?}",
        holds(&rig.plan())
    );
    let (live, facts) = (rig.read().unwrap(), rig.ledger.facts());
    let near: Vec<_> = near_rotations(&rig.desired, &live, &facts, (now(), days(20))).collect();
    assert_eq!(near.iter().map(|near| near.days).collect::<Vec<_>>(), [11]);
    // A successor that was disabled takes the place of nothing.
    let mut world = rig.world().clone();
    world.keys.iter_mut().filter(|key| key.name == "ci" && key.id != "ci").for_each(|key| key.enabled = false);
    *rig.world() = world;
    let live = rig.read().unwrap();
    assert_eq!(near_rotations(&rig.desired, &live, &facts, (now(), days(20))).count(), 0);
}

#[test]
fn the_deadline_to_swap_the_own_key_is_never_after_its_expiry() {
    let entry = "keys: [{ name: rolecall, roles: [ADMIN], deliver: { file: own }, lifetime: 90d, rotate_before: 60d, overlap: 15d, rotate_own: true }]\n";
    let mut world = bitpanda::world();
    world.keys[0].expires = "2026-12-01T12:00:00Z".parse().unwrap();
    let mut rig = bitpanda::Rig::new(world, entry);
    let hints = |rig: &bitpanda::Rig| rig.warnings().iter().filter_map(|it| it.hint.clone()).collect::<String>();
    assert!(hints(&rig).contains("Create another key"), "{}", hints(&rig));
    let report = rig.apply();
    let said = report.steps[0].message.clone().unwrap_or_default();
    assert!(said.contains(" before 2026-12-01T12:00:00Z."), "{said}");
    assert!(
        holds(&rig.plan()).iter().any(|hold| hold.contains("Both work until 2026-12-01T12:00:00Z. ")),
        "{:?}",
        holds(&rig.plan())
    );
    assert!(hints(&rig).contains("is delivered. Store that secret where `credentials` points"), "{}", hints(&rig));
}

/// Without `own`, nothing tells which of the privileged keys signs in.
#[test]
fn without_own_no_privileged_key_rotates_by_itself() {
    let entry = |more: &str| {
        format!(
            "keys: [{{ name: rolecall, roles: [ADMIN], deliver: {{ file: own }}, lifetime: 90d, rotate_before: 14d, overlap: 3d, rotate: automatically{more} }}]\n"
        )
    };
    let head = bitpanda::HEAD.lines().filter(|line| !line.starts_with("own:")).collect::<Vec<_>>().join("\n");
    let mut world = bitpanda::world();
    world.keys[0].expires = "2026-12-01T12:00:00Z".parse().unwrap();
    let mut rig = bitpanda::Rig::new(world, "");
    rig.desired = desired(&format!("{head}\n{}", entry("")));
    let plan = rig.plan();
    assert!(plan.sealed.changes.is_empty(), "{:?}", plan.sealed.changes);
    assert!(holds(&plan).iter().any(|hold| hold.contains("rolecall may sign in with it")), "{:?}", holds(&plan));
    rig.desired = desired(&format!("{head}\n{}", entry(", rotate_own: true")));
    assert_eq!(addresses(&rig.plan()), ["key/rolecall"]);
}

/// After a lost ledger, the hint about two keys of one name is one that a file can follow.
#[test]
fn the_hint_about_keys_of_one_name_fits_a_key_that_rotates() {
    let keys = [("ci", "2027-01-31T12:00:00Z"), ("old", "2026-12-31T12:00:00Z")];
    let mut rig = custody(&keys, "[]");
    let mut world = rig.world().clone();
    world.keys.iter_mut().filter(|key| key.id == "old").for_each(|key| key.name = "ci".to_owned());
    *rig.world() = world;
    let entry = "{ name: ci, roles: [CLUSTER_OPS], deliver: { file: ci }, lifetime: 90d, rotate_before: 14d }";
    rig.set_file(&format!("keys: [{entry}]\n"));
    assert!(
        holds(&rig.plan_without_errors()).iter().any(|hold| hold.contains("Leave this entry without `id`")),
        "{:?}",
        holds(&rig.plan_without_errors())
    );
    rig.set_file(&format!("keys: [{entry}, {{ name: ci, id: old, absent: true }}]\n"));
    assert_eq!(addresses(&rig.plan()), ["key/ci#old"]);
}
