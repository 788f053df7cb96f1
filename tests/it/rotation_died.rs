//! Runs that die while they rotate a key, and what can't be undone or pulled of a rotation.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use rolecall_config::{PullOptions, UndoInput, load_text, undo};
use rolecall_engine::Pull;
use rolecall_engine::ledger::{Event, Ledger};
use rolecall_model::{Address, Cause, OrganizationPlan, Site};

use crate::rotation::{causes, custody, days, expiries, rig as hive_key};
use crate::support::bitpanda::{self, Custody, Rig};
use crate::support::hive::Console;
use crate::support::rig::{Fate, Platform, addresses, holds, now};

const ENTRY: &str = "[{ name: ci, roles: [CLUSTER_OPS], deliver: [{ file: ci }, { env_file: env, name: KEY }, { command: [store] }], lifetime: 90d, rotate_before: 60d, overlap: 3d }]";

/// Returns an organisation in which the run died that created the successor of `ci`. Before the delivery, the ledger gets
/// the start of the run, what is listed, the intent, the answer, and that the delivery begins.
fn died(lines: usize) -> Rig {
    let mut rig = custody(&[("ci", "2026-12-31T12:00:00Z")], ENTRY);
    let plan = rig.plan();
    assert!(rig.apply_until_line(&plan, lines));
    assert_eq!(expiries(&rig, "ci").len(), 2);
    rig.wire.watch(Arc::new(|world| {
        let working = world.keys.iter().filter(|key| key.name == "ci" && key.enabled).count();
        assert!((1..=3).contains(&working));
    }));
    rig
}

fn target(rig: &Rig, name: &str) -> PathBuf {
    rig.deliveries.below.clone().unwrap().join(name)
}

/// Returns the address of the change that is sent first.
fn first(plan: &OrganizationPlan) -> String {
    plan.sealed.mutations[0].change.to_string()
}

#[test]
fn a_secret_that_a_dead_run_delivered_is_found_in_its_targets() {
    let mut rig = died(5);
    let secret = rig.delivered("ci").unwrap();
    assert_eq!(rig.delivered("env"), Some(format!("KEY={secret}\n")));
    assert!(addresses(&rig.plan()).is_empty(), "{:?}", rig.plan().sealed);
    let held = holds(&rig.plan()).join("\n");
    assert!(held.contains("work until 2026-11-24") && held.contains("the command store"), "{held}");
    rig.apply();
    let recorded = rig.ledger.records().iter().rev().find_map(|record| match &record.event {
        Event::Delivery { arrived, begun, to, not_to, fingerprint, .. } => {
            assert!(fingerprint.is_some());
            Some((*arrived, *begun, to.join("; "), not_to.join("; ")))
        }
        _ => None,
    });
    let to = "ci; the variable KEY in env".to_owned();
    assert_eq!(recorded, Some((true, false, to, "the command store".to_owned())));
    assert!(!format!("{:?}", rig.ledger.records()).contains(&secret));
    rig.set_time(now() + days(3));
    let plan = rig.plan();
    assert!(matches!(causes(&plan)[..], [Cause::Superseded { .. }]) && !plan.sealed.changes[0].is_leftover());
    rig.apply();
    assert_eq!((expiries(&rig, "ci").len(), rig.delivered("ci")), (1, Some(secret)));
}

/// A secret that was moved away, and one that a command got, may be in use. So its key goes after the one that replaces it.
#[test]
fn a_secret_that_may_be_in_use_works_until_the_next_one_is_delivered() {
    let mut rig = died(5);
    fs::remove_file(target(&rig, "ci")).unwrap();
    fs::remove_file(target(&rig, "env")).unwrap();
    let plan = rig.plan();
    assert_eq!((causes(&plan), first(&plan)), (vec![&Cause::DeliveryUnknown; 2], "key/ci".to_owned()));
    // However many runs die, never more than three work, and the one that surely was delivered is among them.
    for _ in 0..4 {
        let plan = rig.plan();
        let (lines, goes_first) = if expiries(&rig, "ci").len() == 2 { (4, "key/ci") } else { (6, "key/ci#") };
        assert!(first(&plan).starts_with(goes_first) && rig.apply_until_line(&plan, lines), "{plan:?}");
        assert!(expiries(&rig, "ci").len() == 3 && expiries(&rig, "ci")[0].starts_with("2026-12-31"), "{plan:?}");
        fs::remove_file(target(&rig, "ci")).unwrap();
        fs::remove_file(target(&rig, "env")).unwrap();
    }
    rig.apply();
    assert_eq!(expiries(&rig, "ci").len(), 2);
}

/// The run died before the delivery, so nobody has the secret. The key goes first, so that there are never three.
#[test]
fn a_secret_that_nobody_has_goes_before_the_next_one_is_created() {
    let mut rig = died(4);
    assert_eq!(rig.delivered("ci"), None);
    let plan = rig.plan();
    assert_eq!(causes(&plan), [&Cause::SecretLost, &Cause::SecretLost]);
    assert!(first(&plan).starts_with("key/ci#"), "{}", first(&plan));
    rig.wire.watch(Arc::new(|world| {
        assert!(world.keys.iter().filter(|key| key.name == "ci" && key.enabled).count() < 3);
    }));
    rig.wire.set_fates(&[Fate::Refuse]);
    rig.apply_plan(&plan).unwrap();
    assert_eq!((expiries(&rig, "ci").len(), rig.delivered("ci")), (2, None), "nothing was created");
    rig.apply();
    assert!(expiries(&rig, "ci").len() == 2 && rig.delivered("ci").is_some());
    // Earlier versions recorded nothing before the delivery.
    let mut rig = died(4);
    let mut earlier = Ledger::default();
    for mut record in rig.ledger.records().to_vec() {
        if let Event::RunStarted { format_version, .. } = &mut record.event {
            "2.3".clone_into(format_version);
        }
        earlier.append(record).unwrap();
    }
    rig.ledger = earlier;
    assert_eq!(first(&rig.plan()), "key/ci");
}

/// Bitpanda's keys contain no id. The ledger has the fingerprint although the run died.
#[test]
fn rolecall_knows_its_own_key_although_the_run_died_that_delivered_it() {
    let mut world = bitpanda::world();
    world.keys[0].expires = "2026-12-01T12:00:00Z".parse().unwrap();
    let entry = "keys: [{ name: rolecall, roles: [ADMIN], deliver: { file: own }, lifetime: 90d, rotate_before: 30d, overlap: 3d, rotate_own: true }]\n";
    let mut rig = Rig::new(world, entry);
    let plan = rig.plan();
    assert!(rig.apply_until_line(&plan, 5));
    let secret = rig.delivered("own").unwrap();
    fs::remove_file(target(&rig, "own")).unwrap();
    rig.sign_in([("api_key", secret.trim())]);
    assert!(addresses(&rig.plan()).is_empty(), "{:?}", rig.plan().sealed);
}

#[test]
fn an_undo_names_the_targets_whose_secret_no_longer_works() {
    let rig = custody(&[("ci", "2026-12-31T12:00:00Z")], ENTRY);
    let (plan, live) = (rig.plan(), rig.read().unwrap());
    let input = UndoInput {
        desired: &rig.desired,
        plan: &plan,
        live: &live,
        facts: &rig.ledger.facts(),
        format: rolecall_providers::format(Custody::NAME),
        generator: "rolecall",
        run: "run-1",
        now: now(),
    };
    let undo = undo(&input).unwrap();
    let [it] = &undo.irreversible[..] else { panic!("{:?}", undo.irreversible) };
    let targets = "ci and the variable KEY in env and the command store";
    assert_eq!(it.address.to_string(), "key/ci");
    assert!(it.why.contains(&format!("Then its secret in {targets} no longer works.")), "{}", it.why);
    assert!(it.why.ends_with("put it back there yourself."), "{}", it.why);
}

#[test]
fn a_pull_says_that_a_key_is_due_and_keeps_its_entry() {
    let rule = "max_age: 90d, overlap: 3d";
    let rig = hive_key(87, rule);
    let text = format!(
        "{}keys: [{{ name: ci, permissions: [project:describe], resources: all, deliver: {{ file: ci }}, {rule} }}]\n",
        Console::HEAD
    );
    let live = rig.read().unwrap();
    let loaded = load_text("access.yaml", &text, rolecall_providers::format);
    let input = Pull {
        provider: Console::NAME,
        live: &live,
        facts: &rig.ledger.facts(),
        site: &Site::host("sandbox"),
        caller: None,
        now: now(),
        options: &PullOptions::default(),
    };
    let pulled = rolecall_engine::pull(&input, &loaded.files[0], &[]).unwrap().pop().unwrap().pulled;
    let key: Address = "key/ci".parse().unwrap();
    assert!(pulled.text.starts_with(text.trim_end_matches("]\n")), "{}", pulled.text);
    assert!(!pulled.pulled.contains_key(&key));
    let why = "The key is due for rotation, and an apply creates its successor.";
    assert_eq!(pulled.left.get(&key).map(String::as_str), Some(why), "{:?}", pulled.left);
    assert_eq!(addresses(&rig.plan()).into_iter().collect::<BTreeSet<_>>(), BTreeSet::from([key.to_string()]));
}
