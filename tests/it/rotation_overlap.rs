//! A key and its successor: there are never more than two, each works as long as the plan says, and nothing retires one that
//! a target or rolecall itself still needs.

use jiff::{SignedDuration, Timestamp};
use rolecall_engine::apply::record_nothing_sent;
use rolecall_engine::ledger::{Event, Ledger, Record};
use rolecall_model::{Cause, HoldClass};
use rolecall_plan::near_rotations;

use crate::rotation::{causes, custody, days, expiries, rig, rule_of};
use crate::support::cli::{Env, example};
use crate::support::receiver::Receiver;
use crate::support::rig::{addresses, desired, holds, now};
use crate::support::{bitpanda, hive};

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
    rig.deliveries = rolecall_engine::apply::Deliveries {
        allow_commands: true,
        ..rolecall_engine::apply::Deliveries::default()
    };
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

/// Records that an apply has run.
fn has_run(ledger: &mut Ledger) {
    let event = Event::Recovered { torn_bytes: 0 };
    ledger.append(Record { at: now(), run: "earlier".to_owned(), event }).unwrap();
}

/// A step that a schedule should have done is still to do, and drift once the schedule has missed it for too long.
#[test]
fn a_step_of_a_rotation_that_no_schedule_does_is_overdue() {
    let overdue = |rig: &hive::Rig| {
        let plan = rig.plan();
        let [change] = &plan.sealed.changes[..] else { panic!("{:?}", plan.sealed.changes) };
        assert!(change.is_leftover(), "a schedule may do it late");
        let differs = plan.differences().count() == 1;
        assert_eq!(plan.leftovers().count(), usize::from(!differs));
        assert_eq!(plan.overdue.keys().collect::<Vec<_>>(), [&change.address][..usize::from(differs)].to_vec());
        plan.overdue.values().next().map(|since| since.duration_since(now()).as_hours() / 24)
    };
    let automatic = "max_age: 90d, overlap: 3d, rotate: automatically";
    let mut late = rig(87, automatic);
    assert_eq!(overdue(&late), None);
    late.now = now() + days(3) - SignedDuration::from_secs(1);
    assert_eq!(overdue(&late), None);
    late.now = now() + days(3);
    assert_eq!(overdue(&late), None, "no run has known the rule");
    has_run(&mut late.ledger);
    assert_eq!(overdue(&late), Some(3), "it is as old as `max_age`");
    let seal = late.plan().seal;
    late.now = now() + days(2);
    assert_eq!(late.plan().seal, seal, "an approved plan is still valid");
    // Without an overlap, a daily schedule has two days.
    let mut late = rig(90, "max_age: 90d, rotate: automatically");
    has_run(&mut late.ledger);
    late.now = now() + days(1);
    assert_eq!(overdue(&late), None);
    late.now = now() + days(2);
    assert_eq!(overdue(&late), Some(2));
    // A rule that is added says nothing about the runs before it.
    let mut new = rig(200, automatic);
    new.set_file("keys: [{ name: ci, permissions: [project:describe], resources: all, deliver: { file: ci } }]\n");
    let (live, earlier) = (new.read().unwrap(), new.plan());
    let run = ("earlier", "test");
    record_nothing_sent(&earlier, (&new.desired, &live), &mut new.ledger, run, now()).unwrap();
    new.set_file(&rule_of(automatic));
    assert_eq!(overdue(&new), None);
    new.now = now() + days(3) - SignedDuration::from_secs(1);
    assert_eq!(overdue(&new), None);
    new.now = now() + days(3);
    assert_eq!(overdue(&new), Some(3), "the schedule has missed it since");
    // The next run knows the rule, and could not do it.
    let (live, failed) = (new.read().unwrap(), new.plan());
    record_nothing_sent(&failed, (&new.desired, &live), &mut new.ledger, ("later", "test"), new.now).unwrap();
    assert_eq!(overdue(&new), Some(3));
    // The retirement after the overlap is a step too.
    let mut late = rig(87, automatic);
    late.apply();
    late.now = now() + days(4);
    assert_eq!(overdue(&late), None);
    late.now = now() + days(5);
    assert_eq!(overdue(&late), Some(5));
    // Somebody reviews this one, so it is a difference from the first day.
    let reviewed = rig(90, "max_age: 90d").plan();
    assert!(reviewed.differences().count() == 1 && reviewed.overdue.is_empty());
    // The key has expired: the file asks for one that works.
    let entry = "[{ name: ci, roles: [CLUSTER_OPS], deliver: { file: ci }, lifetime: 90d, rotate_before: 1d, rotate: automatically }]";
    let mut late = custody(&[("ci", "2026-12-31T12:00:00Z")], entry);
    has_run(&mut late.ledger);
    late.now = "2026-12-31T11:00:00Z".parse().unwrap();
    assert_eq!((late.plan().leftovers().count(), late.plan().differences().count()), (1, 0));
    late.now = "2027-01-20T12:00:00Z".parse().unwrap();
    let plan = late.plan();
    assert_eq!((plan.leftovers().count(), plan.differences().count()), (0, 1));
    assert_eq!(plan.overdue.values().map(ToString::to_string).collect::<Vec<_>>(), ["2026-12-31T12:00:00Z"]);
}

/// Exit code, text, JSON, comment, JUnit, SARIF, metrics and message agree.
#[test]
fn every_report_of_drift_says_that_a_rotation_is_overdue() {
    let env = Env::new();
    let head = example("hive.yaml").split("\nroles:").next().unwrap().to_owned();
    let entry = "permissions: [project:describe], resources: all, deliver: { file: ci }";
    let rule = "max_age: 90d, overlap: 3d, rotate: automatically";
    let keys =
        format!("\nacknowledged: [user/jane@acme.example]\nkeys: [{{ name: ci-publisher, {entry}, {rule} }}]\n");
    env.write("hive.yaml", head + &keys);
    let applied = env.run(&["apply", "--auto-approve", "--sandbox", "hive.yaml"]);
    assert_eq!(applied.code, 0, "{}", applied.all());
    let receiver = Receiver::answering(&[200]);
    let drift = |day: i64, more: &[&str]| {
        let at = Timestamp::now().saturating_add(days(day)).unwrap().to_string();
        let options = ["drift", "--sandbox", "hive.yaml", "--now", &at, "--metrics-file", "m.prom"];
        env.run(&[&options, more].concat())
    };
    let notify = ["--notify", &*receiver.url, "--previous", "told.json"];
    let said = drift(89, &notify);
    assert!(said.code == 0 && said.stdout.contains("Still to do by rolecall: 1."), "{}", said.all());
    assert!(receiver.take().is_empty());
    let said = drift(91, &notify);
    assert_eq!(said.code, 2, "{}", said.all());
    let words = "and no run has done it: check the schedule of `rolecall apply --leftovers`";
    for text in ["Drift: 1 difference, 0 that need attention", words, "overdue since "] {
        assert!(said.stdout.contains(text), "{text}: {}", said.stdout);
    }
    assert!(!said.stdout.to_lowercase().contains("still to do"), "{}", said.stdout);
    let metrics = env.read("m.prom");
    for (name, count) in [("differences", 1), ("leftovers", 0)] {
        let line = format!("rolecall_{name}{{provider=\"hive\",organization=\"acme\",kind=\"key\"}} {count}\n");
        assert!(metrics.contains(&line), "{line}{metrics}");
    }
    let [message] = &receiver.take()[..] else { panic!() };
    assert!(message.body.contains("new: key/ci-publisher: due for rotation since"), "{}", message.body);
    assert!(message.body.contains(words), "{}", message.body);
    for (format, mark) in [
        ("json", "\"overdue\": {"),
        ("markdown", "**Drift**: 1 difference, 0 that need attention"),
        ("junit", "<failure message=\"create a successor of"),
        ("sarif", "\"ruleId\": \"overdue\""),
        ("html", "and no run has done it: check the schedule of"),
    ] {
        let said = drift(91, &["--format", format]);
        assert!(said.code == 2 && said.stdout.contains(mark), "{format}: {}", said.all());
    }
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
