//! `rolecall keys`: every key with its stage, its age, its secret and its next step.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use jiff::SignedDuration;
use rolecall::cli::{SchemaName, schema_text};
use rolecall::report::{Format, KEYS_VERSION, KeysReport, Layout, Subject, key_metrics, render};
use rolecall_model::{Action, Cause, Change, Expiry, OrganizationPlan, ProviderName};
use rolecall_plan::keys::{KeyStage, MadeBy, StepKind};
use rolecall_sandbox::bitpanda::WorldKey;
use rolecall_sandbox::hive::WorldToken;
use serde_json::Value;

use crate::access::cells;
use crate::support::cli::{Env, Said, example, served};
use crate::support::keys::report;
use crate::support::rig::{Fate, Platform, Rig, addresses, now};
use crate::support::{bitpanda, hive};

const AT_HIVE: &str =
    "keys: [{ name: ci, permissions: [project:describe], resources: all, deliver: { file: ci } }]\n";
const AT_BITPANDA: &str =
    "keys: [{ name: ci, roles: [A], expires: 2031-01-01T00:00:00Z, deliver: { file: ci } }]\n";

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
    assert!(key.next.as_ref().is_some_and(|next| next.is == StepKind::Replace && next.scheduled), "{key:?}");
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
fn a_key_is_foreign_only_if_the_ledger_proves_that_somebody_else_made_it() {
    let mut world = bitpanda::world();
    world.keys.push(bitpanda::key("theirs", "ci", &["A"], "s"));
    world.keys.push(bitpanda::key("other", "other", &["A"], "t"));
    let mut rig = bitpanda::Rig::new(world, "keys: [{ name: ci, roles: [A] }]\n");
    let of = |rig: &bitpanda::Rig, name: &str| {
        report(rig).keys.into_iter().find(|key| key.name.as_str() == name).unwrap()
    };
    assert_eq!((of(&rig, "ci").stage, of(&rig, "ci").made_by), (KeyStage::Active, MadeBy::Unknown), "no ledger");
    rig.set_file("keys: [{ name: ci, roles: [A] }, { name: new, roles: [A], expires: 2031-01-01T00:00:00Z, deliver: { file: new } }]\n");
    assert_eq!(rig.apply().steps.len(), 1);
    // Bitpanda doesn't tell when a key was created, so it may be older than the ledger.
    assert_eq!((of(&rig, "ci").stage, of(&rig, "ci").made_by), (KeyStage::Active, MadeBy::NotInLedger));
    assert_eq!((of(&rig, "new").stage, of(&rig, "new").made_by), (KeyStage::Active, MadeBy::Rolecall));
    assert_eq!(of(&rig, "other").stage, KeyStage::Unmanaged);
    assert!(addresses(&rig.plan()).is_empty());
    // Hive tells it. The ledger began after the first key, and before the second one.
    let mut world = hive::world();
    let mut file = AT_HIVE.trim_end().trim_end_matches(']').to_owned();
    for (name, created_at) in [("older", now() - days(1)), ("newer", now() + days(1))] {
        let (id, title, digest) = (name.to_owned(), name.to_owned(), name.to_owned());
        world.tokens.push(WorldToken { id, title, digest, created_at, ..world.tokens[0].clone() });
        write!(file, ", {{ name: {name} }}").unwrap();
    }
    let mut rig = hive::Rig::new(world, &format!("{file}]\n"));
    rig.apply();
    let of = |name: &str| report(&rig).keys.into_iter().find(|key| key.name.as_str() == name).unwrap();
    assert_eq!((of("older").stage, of("older").made_by), (KeyStage::Active, MadeBy::NotInLedger));
    assert_eq!((of("newer").stage, of("newer").made_by), (KeyStage::Foreign, MadeBy::SomebodyElse));
}

fn days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * days)
}

#[test]
fn a_key_goes_through_the_stages_of_its_rotation() {
    let rule = "max_age: 90d, overlap: 3d, rotate: automatically }]";
    let mut rig = hive::Rig::new(hive::world(), &AT_HIVE.replace("}]", &format!(", {rule}")));
    rig.apply();
    let next = |rig: &hive::Rig| {
        let found = report(rig).keys;
        let mut of_ci = found.into_iter().filter(|key| key.name.as_str() == "ci");
        of_ci.find_map(|key| {
            key.next.map(|next| (next.is, next.at.map(|at| (at - now()).get_seconds() / 86400), next.scheduled))
        })
    };
    assert_eq!((stages(&rig), next(&rig)), (vec!["active"], Some((StepKind::CreateSuccessor, Some(87), true))));
    rig.now = now() + days(87);
    assert_eq!(stages(&rig), ["due for rotation"]);
    assert_eq!(next(&rig), Some((StepKind::CreateSuccessor, Some(87), true)));
    rig.apply();
    let mut found = stages(&rig);
    found.sort_unstable();
    assert_eq!(found, ["active", "overlap"]);
    rig.now = now() + days(90);
    assert!(stages(&rig).contains(&"retiring"));
}

/// rolecall's own key has a step that a person takes: rolecall has to sign in with another one.
#[test]
fn the_own_key_is_due_until_rolecall_signs_in_with_another_one() {
    let entry = |more: &str| {
        format!(
            "keys: [{{ name: rolecall, permissions: [organization:describe, member:describe, member:modify, accessToken:modify, project:describe], resources: all, deliver: {{ file: own }}, max_age: 90d, overlap: 3d{more} }}]\n"
        )
    };
    let mut world = hive::world();
    world.tokens[0].created_at = now() - days(80);
    let mut rig = hive::Rig::new(world, &entry(""));
    let own = |rig: &hive::Rig| {
        let key = report(rig).keys.into_iter().find(|key| key.access.own).unwrap();
        let next = key.next.as_ref().unwrap();
        let at = next.at.map(|at| at.duration_since(now()).as_hours() / 24);
        (key.stage.as_str(), next.is, at, key.is_due_by(rig.now))
    };
    assert_eq!(own(&rig), ("active", StepKind::Swap, Some(7), false));
    rig.now = now() + days(10);
    assert_eq!(own(&rig), ("due for rotation", StepKind::Swap, Some(7), true));
    rig.set_file(&entry(", rotate_own: true"));
    assert_eq!(own(&rig), ("due for rotation", StepKind::CreateSuccessor, Some(7), true));
    rig.apply();
    assert_eq!(own(&rig), ("overlap", StepKind::Swap, Some(13), false));
    rig.now = now() + days(14);
    assert_eq!(own(&rig), ("overlap", StepKind::Swap, None, true));
    let secret = rig.delivered("own").unwrap();
    rig.sign_in([("token", secret.trim())]);
    let old = report(&rig).keys.into_iter().find(|key| !key.access.own).unwrap();
    assert_eq!((old.stage.as_str(), old.next.unwrap().is), ("retiring", StepKind::Retire));
}

#[test]
fn a_key_is_to_be_replaced_or_expired_as_the_plan_says() {
    let mut world = bitpanda::world();
    world.keys.push(bitpanda::key("k", "ci", &["A"], "s"));
    let mut rig = bitpanda::Rig::new(world, &AT_BITPANDA.replace("[A]", "[B]"));
    assert_eq!(stages(&rig), ["to be replaced"]);
    rig.set_file("keys: [{ name: ci, absent: true }]\n");
    assert_eq!(stages(&rig), ["retiring"]);
    rig.set_file("manage: { keys: all }\n");
    assert_eq!(stages(&rig), ["retiring"]);
    rig.set_file("guardrails: { protected: [key/ci] }\nmanage: { keys: all }\n");
    assert_eq!(stages(&rig), ["blocked"]);
    assert_eq!(report(&rig).keys.iter().flat_map(|key| &key.skipped).count(), 0, "the stage says it");
    rig.set_file("keys: [{ name: ci, id: k, roles: [A] }]\n");
    rig.world().keys.iter_mut().for_each(|key| key.enabled = key.id != "k");
    let key = report(&rig).keys.into_iter().find(|key| key.name.as_str() == "ci").unwrap();
    assert_eq!((key.stage.clone(), key.next.as_ref().unwrap().is), (KeyStage::Disabled, StepKind::Enable));
    assert!(!key.is_due_by(rig.now));
    // An expired key needs attention until another one of its name works.
    rig.world().keys.iter_mut().for_each(|key| key.enabled = true);
    rig.world()
        .keys
        .iter_mut()
        .filter(|key| key.id == "k")
        .for_each(|key| key.expires = Expiry::new(now() - days(1)));
    rig.set_file(AT_BITPANDA);
    let key = report(&rig).keys.into_iter().find(|key| key.name.as_str() == "ci").unwrap();
    assert_eq!((key.stage.clone(), key.next.as_ref().unwrap().is), (KeyStage::Expired, StepKind::CreateSuccessor));
    assert!(key.is_due_by(rig.now));
    rig.apply();
    let due: Vec<bool> = report(&rig).keys.iter().map(|key| key.is_due_by(rig.now)).collect();
    assert!(due.iter().all(|due| !due), "{due:?}");
}

/// A key that the file asks for and that doesn't exist is in every form, with its targets and its next step.
#[test]
fn a_key_that_does_not_exist_is_missing_until_an_apply_creates_it() {
    let mut world = bitpanda::world();
    world.keys.push(WorldKey { enabled: false, ..bitpanda::key("old", "ci", &["A"], "s") });
    let mut rig = bitpanda::Rig::new(world, AT_BITPANDA);
    let of_ci = |rig: &bitpanda::Rig| {
        let found = report(rig).keys.into_iter().filter(|key| key.name.as_str() == "ci" && key.id.is_none());
        found.collect::<Vec<_>>()
    };
    let [key] = &of_ci(&rig)[..] else { panic!("{:?}", report(&rig)) };
    assert_eq!(
        (&key.stage, key.made_by, &key.deliver_to),
        (&KeyStage::Missing, MadeBy::Nobody, &vec!["ci".to_owned()])
    );
    assert_eq!(key.next.as_ref().map(|next| (next.is, next.scheduled)), Some((StepKind::Create, false)));
    assert!(key.is_due_by(rig.now) && key.access.grants.len() == 1 && key.access.entry.is_some(), "{key:?}");
    // An entry that nothing can create is blocked, and so is an id that no key has.
    for (file, why) in [
        ("keys: [{ name: ci, roles: [A], deliver: { file: ci } }]\n", "requires `lifetime` (or `expires`)"),
        ("keys: [{ name: ci, id: gone, roles: [A] }]\n", "There is no key with the id gone"),
    ] {
        rig.set_file(file);
        let [key] = &of_ci(&rig)[..] else { panic!("{:?}", report(&rig)) };
        assert!(matches!(&key.stage, KeyStage::Blocked { why: found } if found.contains(why)), "{key:?}");
        assert_eq!(key.next.as_ref().map(|next| next.is), Some(StepKind::Unblock));
    }
    for file in ["keys: [{ name: ci, absent: true }]\n", "keys: [{ name: ci, id: old, roles: [A] }]\n"] {
        rig.set_file(file);
        assert!(of_ci(&rig).is_empty(), "{file}");
    }
    // A leaked key that is replaced at once has its own row, and the new one too.
    rig.world().keys.iter_mut().for_each(|key| key.enabled = true);
    rig.set_file(&AT_BITPANDA.replace("[{", "[{ name: ci, id: old, absent: true }, {"));
    assert_eq!(stages(&rig), ["retiring", "missing"]);
    rig.apply();
    assert_eq!(stages(&rig), ["active", "disabled"]);
}

#[test]
fn a_missing_key_is_in_every_form() {
    let env = Env::new();
    env.write("hive.yaml", example("hive.yaml"));
    let said = shown(
        &env,
        &["--metrics-file", "keys.prom", "--report", "csv=keys.csv", "--report", "json=keys.json", "hive.yaml"],
    );
    for text in [
        "  ci-publisher  missing\n    may       ",
        "\n    secret    keys/ci-publisher.key: gets it when the key is created\n",
        "\n    next      the next apply creates it\n",
        " 1 missing",
    ] {
        assert!(said.code == 0 && said.stdout.contains(text), "{text}: {}", said.all());
    }
    assert!(!said.stdout.contains("made by   nobody"), "{}", said.stdout);
    let rows = cells(&env.read("keys.csv"));
    let row = rows.iter().find(|row| row[2] == "ci-publisher").unwrap();
    let cell = |name: &str| &*row[rows[0].iter().position(|column| column == name).unwrap()];
    assert_eq!((cell("id"), cell("stage"), cell("next")), ("", "missing", "create"));
    assert_eq!((cell("deliver_to"), cell("delivered_to")), ("keys/ci-publisher.key", ""));
    assert!(env.read("keys.json").contains("\"deliver_to\": ["));
    let metrics = env.read("keys.prom");
    let series = "rolecall_key_next_step_timestamp_seconds{provider=\"hive\",organization=\"acme\",key=\"key/ci-publisher\"} ";
    assert!(metrics.contains(series), "{metrics}");
    assert_eq!(shown(&env, &["--expiring-within", "1h", "hive.yaml"]).code, 2);
}

/// Creates a folder with the examples of all platforms, and applies those that have keys.
fn applied() -> Env {
    let env = Env::new();
    for provider in ProviderName::ALL {
        let name = format!("{provider}.yaml");
        env.write(&name, example(&name));
    }
    let said = env.run(&["apply", "--sandbox", "--auto-approve", "hive.yaml", "bitpanda.yaml"]);
    assert_eq!(said.code, 0, "{}", said.all());
    env
}

fn shown(env: &Env, args: &[&str]) -> Said {
    env.run(&[&["keys", "--sandbox"], args].concat())
}

#[test]
fn the_keys_of_all_platforms_are_shown_with_their_secrets() {
    let env = applied();
    let said = shown(&env, &["."]);
    assert_eq!(said.code, 0, "{}", said.all());
    let text = &said.stdout;
    for words in [
        "ci-publisher  active\n",
        "backend-service-key  active\n",
        "made by   not by a run in this ledger\n",
        "rolecall  unmanaged\n",
        "secret    keys/ci-publisher.key: delivered on $TODAY, unchanged\n              sha256:",
        "paradime acme0analytics00   no keys: The API has no operations for keys.",
        "rapidapi platform-management   no keys: The API has no operations for keys.",
        "2 disabled keys (`--full` lists them)",
        "7 keys: 3 active, 2 unmanaged, 2 disabled.\n",
    ] {
        assert!(text.contains(words), "{words}\n{text}");
    }
    let full = shown(&env, &["--full", "."]).stdout;
    assert_eq!(full.matches("  disabled\n").count(), 2);
    for all in [full, shown(&env, &["--format", "csv", "."]).stdout] {
        assert!(all.contains("accessToken:modify, member:describe, member:modify, "), "{all}");
    }
    // Nothing is asked of a platform without keys, so its credential isn't needed.
    let said = env.run(&["keys", "paradime.yaml", "rapidapi.yaml"]);
    assert!(said.code == 0 && said.stdout.ends_with("\n0 keys.\n"), "{}", said.all());
}

#[test]
fn a_target_that_has_something_else_is_seen() {
    let env = applied();
    let secret = ".rolecall/sandbox/delivered/acme/keys/ci-publisher.key";
    let line = |env: &Env| {
        let text = shown(env, &["hive.yaml"]).stdout;
        text.lines().find(|line| line.contains("secret ")).unwrap().to_owned()
    };
    env.write(secret, format!("{}\n", env.read(secret)));
    assert!(line(&env).ends_with(", unchanged"), "an editor ends the line");
    env.write(secret, "other");
    assert!(line(&env).ends_with(", and has something else now"));
    std::fs::remove_file(env.path(secret)).unwrap();
    assert!(line(&env).ends_with(", and is missing now"));
    // Where the entry doesn't name the target any more, nothing is read.
    env.write(
        "hive.yaml",
        env.read("hive.yaml").replace("{ file: keys/ci-publisher.key }", "{ file: keys/new.key }"),
    );
    assert!(line(&env).ends_with("keys/ci-publisher.key: delivered on $TODAY"));
}

#[test]
fn a_variable_that_has_something_else_is_seen() {
    let env = Env::new();
    let deliver = "{ env_file: ci.env, name: TOKEN }";
    env.write("hive.yaml", example("hive.yaml").replace("{ file: keys/ci-publisher.key }", deliver));
    assert_eq!(env.run(&["apply", "--sandbox", "--auto-approve", "hive.yaml"]).code, 0);
    let file = ".rolecall/sandbox/delivered/acme/ci.env";
    let text = env.read(file);
    let secret = text.trim().strip_prefix("TOKEN=").unwrap();
    let cases = [
        (format!("A=1\n{text}"), ", unchanged"),
        (format!("export TOKEN='{secret}' # ours\n"), ", unchanged"),
        (format!("TOKEN=\"{secret}\"\nB=2"), ", unchanged"),
        (format!("TOKEN={secret} # ours\n"), ", unchanged"),
        (format!("TOKEN={secret}x\n"), ", and has something else now"),
        (format!("{text}{text}"), ", and has something else now"),
        ("A=1\n".to_owned(), ", and is missing now"),
    ];
    for (text, state) in cases {
        env.write(file, &text);
        let said = shown(&env, &["hive.yaml"]).stdout;
        let line = said.lines().find(|line| line.contains("the variable TOKEN in ci.env: ")).unwrap();
        assert!(line.ends_with(state), "{line}");
        assert!(!said.contains(secret));
    }
}

#[test]
fn expiring_within_ends_with_2_and_marks_the_keys() {
    let env = applied();
    let at = |time: &str, within: &str| {
        let said = shown(&env, &["--now", time, "--expiring-within", within, "."]);
        (said.code, said.stdout.matches(&format!("; due within {within}")).count())
    };
    // The key of the example ends on 2098-04-30, and another one a year later.
    assert_eq!(at("2098-04-01", "14d"), (0, 0));
    assert_eq!(at("2098-04-01", "30d"), (2, 1));
    assert_eq!(at("2098-04-30T20:00:00Z", "1h"), (2, 1));
    assert_eq!(at("2098-05-30", "1h"), (2, 1), "it has expired");
    assert_eq!(at("2098-04-01", "400d"), (2, 2));
    assert_eq!(shown(&env, &["--now", "2098-05-30", "."]).code, 0, "nobody asked");
    // The time is written as in a file, and has the same limit.
    for wrong in ["14", "2m", "5s", "1w", "14d12h", "P9D", "1.5d", "-1d", "+1d"] {
        let said = shown(&env, &[&format!("--expiring-within={wrong}"), "."]);
        assert!(said.code == 1 && said.stderr.contains("such as 14d or 36h"), "{}", said.all());
    }
    let said = shown(&env, &["--expiring-within", "0d", "."]);
    assert!(said.code == 1 && said.stderr.contains("at least 1h"), "{}", said.all());
}

/// A killed run has left only its intent in the ledger, or the start of the delivery and no secret in the target.
#[test]
fn a_key_of_a_killed_run_is_an_orphan_until_a_scheduled_job_replaces_it() {
    let orphan = (
        "\"key/ci-publisher\"",
        "orphaned: its secret was never delivered",
        "retires it, and creates another",
        "the secret of an earlier key was never delivered",
    );
    let doubtful = (
        "\"begun\":true",
        "doubtful: a run died while it delivered its secret, so a program may use it",
        "creates another and delivers its secret, and then retires this one",
        "a run died while it delivered the secret of an earlier key",
    );
    for (last, stage, next, cause) in [orphan, doubtful] {
        let env = applied();
        let ledger = ".rolecall/sandbox/ledger/hive-acme.jsonl";
        let text = env.read(ledger);
        let last = text.lines().position(|line| line.contains(last)).unwrap();
        let lines: Vec<&str> = text.lines().take(last + 1).collect();
        env.write(ledger, format!("{}\n", lines.join("\n")));
        std::fs::remove_file(env.path(".rolecall/sandbox/delivered/acme/keys/ci-publisher.key")).unwrap();
        let said = shown(&env, &["--expiring-within", "1d", "hive.yaml"]);
        assert_eq!(said.code, 2, "{}", said.all());
        assert!(said.stdout.contains(&format!("ci-publisher  {stage}; due within 1d\n")), "{}", said.stdout);
        let next = format!("next      the next apply {next}; `apply --leftovers` is enough\n");
        assert!(said.stdout.contains(&next), "{}", said.stdout);
        let stage = stage.split(": ").collect::<Vec<_>>();
        let plan = env.run(&["plan", "--sandbox", "hive.yaml"]).stdout;
        assert!(plan.contains(cause) && plan.contains(stage[1]), "{plan}");
        let said = env.run(&["drift", "--sandbox", "hive.yaml"]).stdout;
        assert!(said.contains(cause) && said.contains(stage[1]), "{said}");
        let said = env.run(&["apply", "--sandbox", "--auto-approve", "--leftovers", "hive.yaml"]);
        assert!(said.code == 0, "{}", said.all());
        let said = shown(&env, &["hive.yaml"]);
        assert!(
            said.stdout.contains("ci-publisher  active\n") && !said.stdout.contains(stage[0]),
            "{}",
            said.stdout
        );
    }
}

#[test]
fn json_has_a_schema() {
    let schema: Value = serde_json::from_str(&schema_text(SchemaName::Keys)).unwrap();
    let env = applied();
    let said = shown(&env, &["--format", "json", "--expiring-within", "36500d", "."]);
    let document: Value = serde_json::from_str(&said.stdout).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    assert_eq!(document["expiring_within"], "36500d");
    let keys = document["organizations"][1]["keys"].as_array().unwrap();
    let ci = keys.iter().find(|key| key["name"] == "ci-publisher").unwrap();
    assert_eq!((&ci["stage"]["is"], &ci["made_by"]), (&Value::from("active"), &Value::from("rolecall")));
    assert_eq!(ci["delivered"]["targets"][0]["now"], "unchanged");
}

/// Returns the report of an organisation with a key of this name, which expires.
fn report_of(name: &str) -> KeysReport {
    let mut world = bitpanda::world();
    world.keys.push(bitpanda::key("k", name, &["=role"], "s"));
    let rig = bitpanda::Rig::new(world, "");
    KeysReport {
        format_version: KEYS_VERSION.to_owned(),
        generator: "rolecall".to_owned(),
        at: now(),
        shard: None,
        partial: false,
        expiring_within: None,
        organizations: vec![report(&rig)],
        without_keys: Vec::new(),
        unread: Vec::new(),
    }
}

#[test]
fn csv_is_one_row_a_key_and_no_cell_is_a_formula() {
    for name in ["=HYPERLINK(\"http://x\",\"y\")", "+1", "-1", "@sum", "plain, \"quoted\""] {
        let report = report_of(name);
        let rows = cells(&render(Subject::Keys(&report), Format::Csv, Layout::default()).unwrap());
        assert!(rows.len() == report.organizations[0].keys.len() + 1, "{rows:?}");
        assert!(rows.iter().all(|row| row.len() == rows[0].len()), "{rows:#?}");
        assert!(rows.iter().flatten().all(|cell| !cell.starts_with(['=', '+', '-', '@', '\t', '\r'])), "{rows:?}");
        assert!(rows.iter().any(|row| row[2].ends_with(name)), "{rows:?}");
    }
}

#[test]
fn metrics_have_the_age_the_expiry_and_the_next_step() {
    let env = applied();
    let said = shown(&env, &["--metrics-file", "keys.prom", "."]);
    assert_eq!(said.code, 0, "{}", said.all());
    let text = env.read("keys.prom");
    let ids = "provider=\"bitpanda\",organization=\"f8588dc7-e1ce-4d92-a473-809a0a357ad9\",key=\"key/backend-service-key#ak_7d0e5b9c21f84a63\"";
    let keys_ids = ids.replace("key=", "verb=\"keys\",key=");
    for line in [
        format!("rolecall_key_expiry_timestamp_seconds{{{keys_ids}}} 4081265999"),
        format!("rolecall_key_next_step_timestamp_seconds{{{ids}}} 4081265999"),
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert!(text.contains("\nrolecall_key_age_seconds{provider=\"hive\""), "{text}");
    assert!(!text.contains("ak_19c4a7e2d05b6f38"), "a disabled key has no metrics");
    let text = key_metrics(&report_of("a\"b\\c"), &[], "");
    assert!(text.contains("key=\"key/a\\\"b\\\\c#k\"} 1893456000"), "{text}");
    let before = env.read("hive.yaml");
    for verb in ["keys", "drift"] {
        let said = env.run(&[verb, "--sandbox", "--metrics-file", "hive.yaml", "hive.yaml"]);
        assert!(said.code == 1 && said.stderr.contains("would be overwritten"), "{}", said.all());
        assert_eq!(env.read("hive.yaml"), before);
        let said = env.run(&[verb, "--sandbox", "--metrics-file", "both", "--report", "json=both", "hive.yaml"]);
        assert!(said.code == 1 && said.stderr.contains("would be overwritten"), "{}", said.all());
    }
}

#[test]
fn an_organisation_that_is_not_read_hides_the_others_unless_a_part_is_asked_for() {
    let (mut env, _server) = served(ProviderName::Bitpanda, &[]);
    env.set("TOKEN", rolecall_sandbox::hive::OWN_CREDENTIAL.trim_start_matches("Bearer "));
    env.write("dead.yaml", hive::HEAD.replace("https://api.graphql-hive.com", "http://127.0.0.1:1"));
    let said = env.run(&["keys", "file.yaml", "dead.yaml"]);
    assert_eq!(said.code, 6, "{}", said.all());
    assert!(
        said.stdout.is_empty() && said.stderr.contains("There may be keys that aren't listed"),
        "{}",
        said.all()
    );
    let said = env.run(&["keys", "--partial", "file.yaml", "dead.yaml"]);
    assert!(said.code == 6 && said.stdout.contains("This report is partial"), "{}", said.all());
    assert!(said.stdout.contains("hive acme   not read: "), "{}", said.stdout);
}

/// Earlier versions recorded neither targets nor a fingerprint.
#[test]
fn a_ledger_of_an_earlier_version_tells_what_it_knows() {
    let env = applied();
    let ledger = ".rolecall/sandbox/ledger/hive-acme.jsonl";
    let lines: Vec<String> = env
        .read(ledger)
        .lines()
        .map(|line| {
            let mut record: Value = serde_json::from_str(line).unwrap();
            if record["event"] == "delivery" {
                record
                    .as_object_mut()
                    .unwrap()
                    .retain(|name, _| !["to", "not_to", "fingerprint"].contains(&&**name));
            }
            record.to_string() + "\n"
        })
        .collect();
    env.write(ledger, lines.concat());
    let text = shown(&env, &["hive.yaml"]).stdout;
    assert!(text.contains("ci-publisher  active\n") && text.contains("made by   rolecall\n"), "{text}");
    assert!(text.contains("secret    delivered on $TODAY; the ledger doesn't say where\n    file"), "{text}");
}
