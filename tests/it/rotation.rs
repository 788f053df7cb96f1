//! Keys that get a successor by their age.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use rolecall_engine::apply::record_nothing_sent;
use rolecall_model::{Cause, OrganizationPlan};
use rolecall_plan::near_rotations;
use rolecall_sandbox::bitpanda::WorldKey;
use rolecall_sandbox::hive::{Assignment, World, WorldToken};

use crate::support::cli::{Env, example};
use crate::support::rig::{Fate, Platform, Rig, addresses, desired, holds, now};
use crate::support::{bitpanda, hive};

pub fn days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * days)
}

/// Returns an organisation at Hive with a key of this age, in days.
pub fn rig(age: i64, rule: &str) -> hive::Rig {
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
    hive::Rig::new(world, &rule_of(rule))
}

/// Returns the part of a file that lists this token with a rule.
pub fn rule_of(rule: &str) -> String {
    format!(
        "keys: [{{ name: ci, permissions: [project:describe], resources: all, deliver: {{ file: ci }}, {rule} }}]\n"
    )
}

/// Returns an organisation at Hive whose only token is rolecall's own one, with this age in days.
fn hive_with_own_key(age: i64) -> World {
    let mut world = hive::world();
    let [own] = &mut world.tokens[..] else { panic!("{:?}", world.tokens) };
    own.created_at = now() - days(age);
    world
}

pub fn causes(plan: &OrganizationPlan) -> Vec<&Cause> {
    plan.sealed.changes.iter().map(|change| &change.cause).collect()
}

#[test]
fn a_key_gets_a_successor_by_its_age_and_both_work_for_the_overlap() {
    let young = rig(86, "max_age: 90d, overlap: 3d");
    assert!(young.plan().sealed.changes.is_empty(), "{:?}", young.plan().sealed);
    let mut rig = rig(87, "max_age: 90d, overlap: 3d");
    let plan = rig.plan();
    assert_eq!(addresses(&plan), ["key/ci"]);
    assert!(matches!(causes(&plan)[..], [Cause::DueForRotation { automatically: false, .. }]));
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
    assert!(matches!(causes(&plan)[..], [Cause::DueForRotation { automatically: true, .. }]));
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
    assert!(matches!(causes(&due)[..], [Cause::DueForRotation { automatically: false, .. }]));
}

/// Returns an organisation at Bitpanda with these other keys, and a file with these entries of keys.
pub fn custody(keys: &[(&str, &str)], entries: &str) -> bitpanda::Rig {
    let mut world = bitpanda::world();
    for (name, expires) in keys {
        let key = bitpanda::key(name, name, &["CLUSTER_OPS"], &format!("secret of {name}"));
        world.keys.push(WorldKey { expires: expires.parse().unwrap(), ..key });
    }
    bitpanda::Rig::new(world, &format!("keys: {entries}\n"))
}

/// Returns the expiries of the enabled keys with this name.
pub fn expiries(rig: &bitpanda::Rig, name: &str) -> Vec<String> {
    let world = rig.world();
    let named = world.keys.iter().filter(|key| key.name == name && key.enabled);
    named.map(|key| key.expires.to_string()).collect()
}

#[test]
fn a_new_key_expires_its_lifetime_after_it_is_created() {
    let mut rig = custody(&[], "[{ name: ci, roles: [CLUSTER_OPS], deliver: { file: ci }, lifetime: 90d }]");
    let approved = rig.plan();
    let seal = approved.seal.clone();
    // A plan that was approved a year ago says the same, and its key gets its full lifetime.
    rig.now = now() + days(365) + SignedDuration::from_millis(500);
    assert_eq!(rig.plan().seal, seal);
    let approval = rig.resume(&approved);
    assert!(approval.stale.is_empty(), "{approval:?}");
    assert_eq!(expiries(&rig, "ci"), ["2028-02-19T12:00:00Z"]);
    assert!(rig.plan().sealed.changes.is_empty());
}

#[test]
fn a_live_key_with_any_expiry_is_in_sync_with_a_lifetime() {
    let keys = [("ci", "2027-03-01T12:00:00Z")];
    let mut rig = custody(&keys, "[{ name: ci, roles: [CLUSTER_OPS], expires: 2027-03-01T12:00:00Z }]");
    assert!(rig.plan().sealed.changes.is_empty());
    rig.set_file("keys: [{ name: ci, roles: [CLUSTER_OPS], deliver: { file: ci }, lifetime: 30d }]\n");
    assert!(rig.plan().sealed.changes.is_empty());
    // Another change of the entry gives the successor an expiry of its own.
    rig.set_file("keys: [{ name: ci, roles: [CLUSTER_MANAGER], deliver: { file: ci }, lifetime: 30d }]\n");
    rig.apply();
    rig.apply();
    assert_eq!(expiries(&rig, "ci"), ["2026-12-21T12:00:00Z"]);
}

#[test]
fn the_successor_of_a_key_is_due_before_it_expires() {
    let keys = [("ci", "2026-12-31T12:00:00Z")];
    let rule = "lifetime: 90d, rotate_before: 14d, overlap: 3d, rotate: automatically";
    let mut rig =
        custody(&keys, &format!("[{{ name: ci, roles: [CLUSTER_OPS], deliver: {{ file: ci }}, {rule} }}]"));
    rig.now = "2026-12-17T11:59:59Z".parse().unwrap();
    assert!(rig.plan().sealed.changes.is_empty());
    rig.now = "2026-12-17T12:00:00Z".parse().unwrap();
    let plan = rig.plan();
    assert!(matches!(causes(&plan)[..], [Cause::DueForRotation { automatically: true, .. }]));
    rig.apply();
    assert_eq!(expiries(&rig, "ci"), ["2026-12-31T12:00:00Z", "2027-03-17T12:00:00Z"]);
    rig.now = "2026-12-20T12:00:00Z".parse().unwrap();
    rig.apply();
    assert_eq!(expiries(&rig, "ci"), ["2027-03-17T12:00:00Z"]);
    // No run for a long time: the key has expired, and the schedule still creates its successor.
    rig.now = "2027-05-01T12:00:00Z".parse().unwrap();
    assert!(matches!(causes(&rig.plan())[..], [Cause::DueForRotation { automatically: true, .. }]));
}

#[test]
fn of_age_and_expiry_the_earlier_one_counts() {
    let keys = [("ci", "2026-12-31T12:00:00Z")];
    let entry = |rule: &str| {
        format!("[{{ name: ci, roles: [CLUSTER_OPS], deliver: {{ file: ci }}, lifetime: 90d, {rule} }}]")
    };
    let mut rig = custody(&keys, &entry("max_age: 30d, rotate_before: 14d"));
    let (plan, live) = (rig.plan(), rig.read().unwrap());
    record_nothing_sent(&plan, (&rig.desired, &live), &mut rig.ledger, ("first", "test"), now()).unwrap();
    rig.now = "2026-12-17T12:00:00Z".parse().unwrap();
    assert_eq!(causes(&rig.plan()).len(), 1, "it expires in 14 days");
    rig.set_file(&format!("keys: {}\n", entry("max_age: 20d, rotate_before: 1d")));
    assert_eq!(causes(&rig.plan()).len(), 1, "it is 26 days old");
    rig.set_file(&format!("keys: {}\n", entry("max_age: 30d, rotate_before: 1d")));
    assert_eq!(causes(&rig.plan()).len(), 0);
}

#[test]
fn a_plan_warns_before_a_key_ends_that_no_rule_replaces() {
    let keys = [("ci", "2026-12-20T12:00:00Z")];
    let warns = |rule: &str| {
        let rig =
            custody(&keys, &format!("[{{ name: ci, roles: [CLUSTER_OPS], deliver: {{ file: ci }}, {rule} }}]"));
        rig.warnings().iter().map(|finding| finding.message.clone()).collect::<Vec<_>>()
    };
    assert_eq!(warns("lifetime: 90d"), ["The key ci expires in 29 days, and no rule replaces it."]);
    assert_eq!(warns("lifetime: 30d"), [""; 0], "a third of its lifetime is enough");
    assert_eq!(warns("lifetime: 90d, rotate_before: 14d"), [""; 0]);
    assert_eq!(warns("expires: 2026-12-20T12:00:00Z"), [""; 0]);
}

#[test]
fn the_key_of_a_lost_answer_is_told_by_its_lifetime() {
    let mut rig = custody(&[], "[{ name: ci, roles: [CLUSTER_OPS], deliver: { file: ci }, lifetime: 90d }]");
    rig.wire.set_fates(&[Fate::DropAfter]);
    let plan = rig.plan();
    rig.apply_plan(&plan).unwrap();
    rig.now = now() + days(1);
    let plan = rig.plan();
    assert!(causes(&plan).contains(&&Cause::SecretLost), "{:?}", plan.sealed);
    rig.apply();
    assert_eq!(expiries(&rig, "ci"), ["2027-02-20T12:00:00Z"]);
}

#[test]
fn rolecall_replaces_its_own_key_only_if_the_file_says_so() {
    let rule = "permissions: [organization:describe, member:describe, member:modify, accessToken:modify, project:describe], resources: all, deliver: { file: own }, max_age: 90d, overlap: 3d";
    let entry = |more: &str| format!("keys: [{{ name: rolecall, {rule}{more} }}]\n");
    let mut rig = hive::Rig::new(hive_with_own_key(95), &entry(""));
    assert!(rig.plan().sealed.changes.is_empty());
    assert!(
        holds(&rig.plan()).iter().any(|hold| hold.contains("Add `rotate_own: true`")),
        "{:?}",
        holds(&rig.plan())
    );
    rig.set_file(&entry(", rotate_own: true"));
    let plan = rig.plan();
    assert!(matches!(causes(&plan)[..], [Cause::DueForRotation { automatically: false, .. }]));
    let report = rig.apply();
    let said = report.steps[0].message.clone().unwrap_or_default();
    insta::assert_snapshot!("own_key_swapped", said);
    // As long as the run signs in with the old key, that key stays, whatever the guardrails say.
    for more in ["", "guardrails: { require_self: false }\n"] {
        rig.set_file(&format!("{more}{}", entry(", rotate_own: true")));
        rig.now = now() + days(400);
        assert!(rig.plan().sealed.changes.is_empty());
    }
    insta::assert_snapshot!("own_key_held", holds(&rig.plan()).join("\n"));
    let secret = rig.delivered("own").unwrap();
    rig.sign_in([("token", secret.trim())]);
    rig.now = now() + days(4);
    let retired = rig.plan();
    assert!(matches!(causes(&retired)[..], [Cause::Superseded { .. }]), "{:?}", retired.sealed);
    rig.apply();
    let left = rig.world().tokens.iter().filter(|token| token.title == "rolecall").count();
    assert_eq!(left, 1);
}

/// The API of Bitpanda doesn't tell which key signs in. The ledger knows the keys that rolecall created by their secrets.
#[test]
fn where_the_credential_has_no_id_the_ledger_knows_the_own_key_by_its_secret() {
    let head = bitpanda::HEAD.replace("{ key: own }", "{ key: OWN }");
    let entry = "keys: [{ name: rolecall, roles: [ADMIN], deliver: { file: own }, lifetime: 90d, rotate_before: 14d, overlap: 3d, rotate_own: true }]\n";
    let named = |rig: &mut bitpanda::Rig, id: &str| {
        rig.desired = desired(&format!("{}{entry}", head.replace("OWN", id)));
    };
    let mut world = bitpanda::world();
    world.keys[0].expires = "2026-12-01T12:00:00Z".parse().unwrap();
    let mut rig = bitpanda::Rig::new(world, entry);
    let report = rig.apply();
    insta::assert_snapshot!("own_key_swapped_without_id", report.steps[0].message.clone().unwrap_or_default());
    let new = rig.world().keys.iter().find(|key| key.id != "own" && key.enabled).unwrap().id.clone();
    rig.now = now() + days(4);
    // `own` names the new key, and the old one still signs in.
    named(&mut rig, &new);
    let wrong = rig.try_plan().unwrap_err();
    assert!(wrong[0].message.contains("rolecall doesn't sign in with the key"), "{wrong:?}");
    // The new key signs in, and `own` still names the old one.
    let secret = rig.delivered("own").unwrap();
    rig.sign_in([("api_key", secret.trim())]);
    named(&mut rig, "own");
    assert!(rig.plan().sealed.changes.is_empty());
    assert!(
        holds(&rig.plan()).iter().any(|hold| hold.contains("`own` in the file names it")),
        "{:?}",
        holds(&rig.plan())
    );
    named(&mut rig, &new);
    assert!(matches!(causes(&rig.plan())[..], [Cause::Superseded { .. }]));
    rig.apply();
    assert!(rig.world().keys.iter().all(|key| key.enabled == (key.id == new)));
}

/// Lets a run die between the delivery of a secret and the record of it. Then somebody moves the secret.
fn die_before_the_receipt<P: Platform>(rig: &mut Rig<P>, file: &str) -> String {
    let plan = rig.plan();
    // The ledger gets the start of the run, what is listed, the intent, the answer, and that the delivery begins.
    assert!(rig.apply_until_line(&plan, 5));
    let secret = rig.delivered(file).unwrap();
    std::fs::remove_file(rig.deliveries.below.clone().unwrap().join(file)).unwrap();
    secret
}

/// The law of rotation found this: the run took the key that signs in for one whose secret was lost, and created a third.
#[test]
fn a_key_that_signs_in_has_a_secret_although_the_ledger_lost_it() {
    let entry = "keys: [{ name: rolecall, permissions: [organization:describe, member:describe, member:modify, accessToken:modify, project:describe], resources: all, deliver: { file: own }, max_age: 90d, overlap: 3d, rotate_own: true }]\n";
    let mut rig = hive::Rig::new(hive_with_own_key(95), entry);
    let secret = die_before_the_receipt(&mut rig, "own");
    rig.sign_in([("token", secret.trim())]);
    assert!(rig.plan().sealed.changes.is_empty(), "{:?}", rig.plan().sealed);
    rig.now = now() + days(3);
    assert!(matches!(causes(&rig.plan())[..], [Cause::Superseded { .. }]), "{:?}", rig.plan().sealed);
    rig.apply();
    assert_eq!(rig.world().tokens.iter().filter(|token| token.title == "rolecall").count(), 1);
}

/// Somebody may use the secret, although the ledger doesn't know that it was delivered.
#[test]
fn a_key_with_a_lost_secret_goes_after_the_key_that_replaces_it() {
    let mut rig = custody(&[], "[{ name: ci, roles: [CLUSTER_OPS], deliver: { file: ci }, lifetime: 90d }]");
    die_before_the_receipt(&mut rig, "ci");
    let plan = rig.plan();
    assert_eq!(causes(&plan), [&Cause::DeliveryUnknown; 2]);
    rig.wire.set_fates(&[Fate::Refuse]);
    rig.apply_plan(&plan).unwrap();
    assert_eq!(expiries(&rig, "ci").len(), 1, "the other key was refused");
    rig.apply();
    assert_eq!(expiries(&rig, "ci").len(), 1);
}

#[test]
fn rolecalls_own_key_is_the_last_to_rotate() {
    let mut world = bitpanda::world();
    world.users.push(bitpanda::user("jane@acme.example", &["CLUSTER_OPS"]));
    world.keys[0].expires = "2026-12-01T12:00:00Z".parse().unwrap();
    world.keys.push(bitpanda::key("old", "zz", &["CLUSTER_OPS"], "zz"));
    let mut rig = bitpanda::Rig::new(
        world,
        "users: [{ email: jane@acme.example, absent: true }]
keys:
  - { name: rolecall, roles: [ADMIN], deliver: { file: own }, lifetime: 90d, rotate_before: 14d, overlap: 3d, rotate_own: true }
  - { name: zz, absent: true }
  - { name: aa, roles: [CLUSTER_OPS], lifetime: 90d, deliver: { file: aa } }
",
    );
    let last = |plan: &OrganizationPlan| plan.sealed.mutations.last().unwrap().change.to_string();
    let plan = rig.plan();
    assert_eq!((plan.sealed.mutations.len(), last(&plan)), (4, "key/rolecall".to_owned()));
    // Another change that fails doesn't keep it from rotating.
    rig.wire.set_fates(&[Fate::Fine, Fate::Refuse]);
    let report = rig.apply_plan(&plan).unwrap();
    assert_eq!(report.steps.last().unwrap().outcome, rolecall_model::Outcome::Done, "{report:#?}");
    assert!(rig.delivered("own").is_some());
}

#[test]
fn the_successor_of_the_own_key_can_do_what_rolecall_needs() {
    let mut rig = bitpanda::Rig::new(
        bitpanda::world(),
        "keys: [{ name: rolecall, roles: [CLUSTER_OPS], deliver: { file: own }, expires: 2030-01-01T00:00:00Z }]\n",
    );
    assert!(rig.plan().sealed.changes.is_empty());
    assert!(
        holds(&rig.plan()).iter().any(|hold| hold.contains("would lock rolecall out")),
        "{:?}",
        holds(&rig.plan())
    );
    rig.set_file(
        "guardrails: { require_self: false }\nkeys: [{ name: rolecall, roles: [CLUSTER_OPS], deliver: { file: own } }]\n",
    );
    assert_eq!(addresses(&rig.plan()), ["key/rolecall"]);
}

#[test]
fn the_lifetime_of_a_key_is_checked() {
    let cases = [
        "lifetime: 90d, expires: 2027-01-01T00:00:00Z",
        "lifetime: 90",
        "lifetime: 0h",
        "lifetime: 3000000d",
        "lifetime: 1w",
        "lifetime: 90 d",
        "lifetime: 1d12h",
        "lifetime: 30m",
        "lifetime: 90d, id: k1",
        "lifetime: 90d, absent: true",
        "rotate_before: 14d",
        "rotate_before: 14d, expires: 2027-01-01T00:00:00Z",
        "lifetime: 14d, rotate_before: 14d",
        "lifetime: 90d, rotate_before: 14d, overlap: 14d",
        "lifetime: 15d, rotate_before: 14d, overlap: 3d",
        "lifetime: 90d, rotate_before: 3d, overlap: 3d",
        "lifetime: 90d, max_age: 90d",
        "lifetime: 90d, overlap: 3d",
        "lifetime: 90d, rotate: automatically",
        "lifetime: 90d, rotate_own: true",
        "lifetime: 90d, rotate_before: 14d, rotate_own: true",
        "lifetime: 90d, rotate_before: 14d, rotate_own: sometimes",
    ];
    let mut text = String::new();
    let check = |head: &str, rest: &str, case: &str| {
        let env = Env::new();
        let rest = if case.contains("absent") { "" } else { rest };
        env.write("test.yaml", format!("{head}keys:\n  - {{ name: ci, {rest}{case} }}\n"));
        env.run(&["validate", "test.yaml"])
    };
    for case in cases {
        let said = check(bitpanda::HEAD, "roles: [CLUSTER_OPS], deliver: { file: ci }, ", case);
        assert_eq!(said.code, 1, "{case}");
        text += &said.stdout;
    }
    for case in ["lifetime: 90d", "max_age: 90d, rotate_before: 14d"] {
        let said =
            check(hive::HEAD, "permissions: [project:describe], resources: all, deliver: { file: ci }, ", case);
        assert_eq!(said.code, 1, "{case}");
        text += &said.stdout;
    }
    insta::assert_snapshot!("lifetime_fields", text);
}

#[test]
fn the_rule_of_a_key_is_checked() {
    let cases = [
        "max_age: 90",
        "max_age: '90'",
        "max_age: 90d, overlap: 46d",
        "max_age: 4d, overlap: 3d",
        "max_age: 3h, overlap: 2h",
        "max_age: 1h, overlap: 1h",
        "max_age: 0h",
        "overlap: 3d, rotate: automatically",
        "max_age: 90d, rotate: always",
        "max_age: 90d, rotate: yes",
        "max_age: 90d, rotate: true",
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
fn a_pulled_entry_of_a_key_that_is_gone_has_no_rule() {
    let env = Env::new();
    let rule =
        "lifetime: 90d, rotate_before: 14d, max_age: 60d, overlap: 3d, rotate: automatically, rotate_own: true";
    let text = example("bitpanda.yaml");
    let head = text.split("\nusers:").next().unwrap();
    env.write(
        "bitpanda.yaml",
        format!("{head}\nkeys:\n  - {{ name: none, roles: [CLUSTER_OPS], deliver: {{ file: k }}, {rule} }}\n"),
    );
    let said =
        env.run(&["pull", "--sandbox", "--gone", "absent", "--target", "key/none", "--write", "bitpanda.yaml"]);
    assert_eq!(said.code, 0, "{}", said.all());
    assert!(env.read("bitpanda.yaml").contains("{ name: none, absent: true }"), "{}", env.read("bitpanda.yaml"));
    assert_eq!(env.run(&["validate", "bitpanda.yaml"]).code, 0);
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
