//! Plans for selected changes contain these, the changes that they depend on, and nothing else.

use std::collections::BTreeSet;

use crate::support::cli::{Env, example};
use crate::support::rapidapi::{Rig, member, with_teams};
use rolecall_model::{Address, Pattern};
use rolecall_plan::{Selection, Unselectable, select};
use serde_json::Value;

fn hive() -> Env {
    let env = Env::new();
    env.write("hive.yaml", example("hive.yaml"));
    env
}

/// Returns the addresses of a plan's changes.
fn changes(json: &str) -> BTreeSet<String> {
    let plan: Value = serde_json::from_str(json).unwrap();
    let changes = plan["organizations"].as_array().unwrap().iter();
    let changes = changes.flat_map(|organization| organization["sealed"]["changes"].as_array().unwrap());
    changes.map(|change| change["address"].as_str().unwrap().to_owned()).collect()
}

fn planned(env: &Env, more: &[&str]) -> BTreeSet<String> {
    let said = env.run(&[&["plan", "--sandbox", "--format", "json", "hive.yaml"], more].concat());
    assert_eq!(said.code, 0, "{}", said.all());
    changes(&said.stdout)
}

fn set(addresses: &[&str]) -> BTreeSet<String> {
    addresses.iter().map(ToString::to_string).collect()
}

#[test]
fn a_target_comes_with_what_it_relies_on() {
    let env = hive();
    assert_eq!(planned(&env, &["--target", "key/ci-publisher"]), set(&["key/ci-publisher"]));
    let alice = planned(&env, &["--target", "user/Alice@acme.example"]);
    assert!(alice.contains("role/Schema reviewer") && alice.contains("user/alice@acme.example"), "{alice:?}");
    assert!(!alice.contains("user/left@acme.example"), "{alice:?}");
    let roles = planned(&env, &["--target", "role/*", "--exclude", "role/Developer"]);
    assert_eq!(roles, set(&["role/No access", "role/Schema reviewer"]));
    assert_eq!(
        planned(&env, &["--exclude", "user/*", "--exclude", "role/*"]),
        set(&["key/ci-publisher", "key/legacy-ci"])
    );
}

#[test]
fn what_others_rely_on_is_not_left_out() {
    let env = hive();
    for verb in [&["plan"][..], &["apply", "--auto-approve"]] {
        let said = env.run(&[verb, &["--sandbox", "hive.yaml", "--exclude", "role/Schema reviewer"]].concat());
        assert_eq!(said.code, 1, "{}", said.all());
        let why = "user/alice@acme.example needs role/Schema reviewer, which is excluded. Nothing was sent";
        assert!(said.stderr.contains(why), "{}", said.all());
    }
    let more = ["--exclude", "role/Schema reviewer", "--exclude", "user/alice@acme.example"];
    assert!(!planned(&env, &more).contains("role/Schema reviewer"));
}

/// A typing error must not send a change that was to be left out.
#[test]
fn an_address_that_no_change_has_is_an_error() {
    let env = hive();
    for option in ["--target", "--exclude"] {
        let said =
            env.run(&["apply", "--sandbox", "--auto-approve", "hive.yaml", option, "user/alcie@acme.example"]);
        assert_eq!(said.code, 1, "{}", said.all());
        assert!(
            said.stderr.contains(
                "no change has the address user/alcie@acme.example (did you mean user/alice@acme.example?)"
            ),
            "{}",
            said.all()
        );
    }
    let said = env.run(&["plan", "--sandbox", "hive.yaml", "--target", "nobody"]);
    assert!(said.stderr.contains("an address is `kind/name`"), "{}", said.all());
    assert!(
        !env.path(".rolecall/sandbox/ledger/hive-acme.jsonl").exists()
            || !env.read(".rolecall/sandbox/ledger/hive-acme.jsonl").contains("intent")
    );
}

/// A partial apply and then a full one have the same result as one full apply.
#[test]
fn parts_add_up_to_the_whole() {
    let env = hive();
    let whole = planned(&env, &[]);
    let said =
        env.run(&["apply", "--sandbox", "--auto-approve", "hive.yaml", "--target", "user/alice@acme.example"]);
    assert_eq!(said.code, 0, "{}", said.all());
    let rest = planned(&env, &[]);
    assert!(rest.is_subset(&whole) && !rest.contains("user/alice@acme.example"), "{rest:?}");
    assert_eq!(env.run(&["apply", "--sandbox", "--auto-approve", "hive.yaml"]).code, 0);
    assert!(planned(&env, &[]).is_empty());
}

#[test]
fn a_part_that_was_approved_is_sent_and_no_more() {
    let env = hive();
    let said = env.run(&["plan", "--sandbox", "hive.yaml", "--target", "key/*", "--out", "keys.json"]);
    assert_eq!(said.code, 0, "{}", said.all());
    let said = env.run(&["apply", "--sandbox", "hive.yaml", "--plan", "keys.json"]);
    assert_eq!(said.code, 0, "{}", said.all());
    assert!(!planned(&env, &[]).iter().any(|address| address.starts_with("key/")));
    // A part of a plan that was approved as a whole.
    env.run(&["plan", "--sandbox", "hive.yaml", "--out", "all.json"]);
    let apply =
        |more: &[&str]| env.run(&[&["apply", "--sandbox", "hive.yaml", "--plan", "all.json"], more].concat());
    let said = apply(&["--target", "user/new.user@acme.example"]);
    assert_eq!(said.code, 0, "{}", said.all());
    assert!(!said.stderr.contains("not approved"), "{}", said.all());
    let left = planned(&env, &[]);
    assert!(!left.contains("user/new.user@acme.example") && left.contains("user/left@acme.example"), "{left:?}");
    // The rest of it is as good as approved. Once all of it is done, there is nothing to send.
    for _ in 0..2 {
        let said = apply(&[]);
        assert_eq!(said.code, 0, "{}", said.all());
        assert!(said.stderr.contains("Already done, so not sent again: "), "{}", said.all());
        assert!(said.stderr.contains("user/new.user@acme.example"), "{}", said.all());
        assert!(planned(&env, &[]).is_empty());
    }
    assert_eq!(apply(&["--only-standing"]).code, 0);
    assert_eq!(env.run(&["apply", "--sandbox", "hive.yaml", "--only-standing"]).code, 1);
}

#[test]
fn of_several_organisations_each_part_says_which() {
    let env = hive();
    env.write("rapidapi.yaml", example("rapidapi.yaml"));
    let plan = |target: &str| env.run(&["plan", "--sandbox", "--format", "json", "--target", target, "."]);
    let said = plan("user/sam@acme.example");
    assert_eq!(said.code, 1, "{}", said.all());
    assert!(said.stderr.contains("`hive:acme//` or `rapidapi:platform-management//`"), "{}", said.all());
    let said = plan("rapidapi:platform-management//user/sam@acme.example");
    assert_eq!(said.code, 0, "{}", said.all());
    assert_eq!(changes(&said.stdout), set(&["team/Data", "user/sam@acme.example"]));
    assert_eq!(plan("hive:other//user/sam@acme.example").code, 1);
    // Excluding one change plans the others as before.
    let said =
        env.run(&["plan", "--sandbox", "--format", "json", "--exclude", "hive:acme//key/ci-publisher", "."]);
    let found = changes(&said.stdout);
    assert!(found.contains("user/sam@acme.example") && found.contains("role/Developer"), "{}", said.all());
    assert!(!found.contains("key/ci-publisher"));
}

/// One mutation cancels several invitations, but each can be selected by itself.
#[test]
fn a_call_for_several_is_made_for_those_that_are_chosen() {
    let mut world = with_teams(&["Payments"]);
    member(&mut world, "m@x.example", false, &[]);
    for email in ["a@x.example", "b@x.example"] {
        crate::support::rapidapi::invitation(&mut world, email, "ADMIN", &["Payments"]);
    }
    let rig = Rig::new(
        world,
        "users: [{ email: a@x.example, roles: [Developer], teams: [Payments] }, { email: b@x.example, absent: true }]",
    );
    let plan = rig.plan();
    let pattern = |text: &str| text.parse::<Pattern>().unwrap();
    let only =
        |text: &str| select(&plan.sealed, &Selection { targets: vec![pattern(text)], ..Selection::default() });
    let one = |text: &str| Ok(BTreeSet::from([text.parse::<Address>().unwrap()]));
    assert_eq!(only("user/a@x.example"), one("user/a@x.example"));
    // The address of a user also selects their invitation.
    assert_eq!(only("user/b@x.example"), one("invitation/b@x.example"));
    assert_eq!(
        only("user/c@*"),
        Err(vec![Unselectable::Unmatched { pattern: pattern("user/c@*"), nearest: None }])
    );
}
