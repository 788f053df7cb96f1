//! Somebody notices if a schedule no longer runs the apply or the drift, or if the credential is about to end.

use std::collections::BTreeSet;
use std::path::Path;

use crate::support::cli::{Env, Said, example};
use crate::support::hive;
use crate::support::rig::{Fate, now};
use jiff::{SignedDuration, Timestamp};
use rolecall_engine::ledger::{Event, Ledger, LedgerError, Record, facts, record_drift};
use rolecall_model::{Facts, Identity, Job, ProviderName, RemoteId, Site};
use serde_json::Value;
use tempfile::TempDir;

const LEDGER: &str = ".rolecall/sandbox/ledger/bitpanda-f8588dc7-e1ce-4d92-a473-809a0a357ad9.jsonl";

/// Returns the time in so many days, as `--now` takes it.
fn in_days(days: i64) -> String {
    (Timestamp::now() + SignedDuration::from_hours(24 * days) + SignedDuration::from_mins(5)).to_string()
}

/// Runs a verb on the example, in the sandbox.
fn run(env: &Env, args: &[&str]) -> Said {
    env.run(&[args, &["--sandbox", "bitpanda.yaml"]].concat())
}

/// Returns a folder in which the example was applied, and perhaps compared.
fn applied(with_drift: bool) -> Env {
    let env = Env::with_example();
    let said = run(&env, &["apply", "--auto-approve"]);
    assert_eq!(said.code, 0, "{}", said.all());
    if with_drift {
        assert_eq!(run(&env, &["drift"]).code, 0);
    }
    env
}

fn drifts(env: &Env) -> usize {
    env.read(LEDGER).lines().filter(|line| line.contains("\"event\":\"drift-finished\"")).count()
}

fn day(number: i64) -> Timestamp {
    now() + SignedDuration::from_hours(24 * number)
}

fn identity() -> Identity {
    Identity { provider: ProviderName::Hive, organization: RemoteId::seen("acme"), site: Site::host("sandbox") }
}

/// A schedule that only takes leftovers doesn't show that merges are applied.
#[test]
fn an_apply_that_leaves_changes_out_is_no_good_apply() {
    let env = Env::with_example();
    let said = run(&env, &["apply", "--auto-approve", "--exclude", "key/*"]);
    assert_eq!(said.code, 0, "{}", said.all());
    let last = || facts(&Ledger::read(&env.path(LEDGER)).unwrap().unwrap().records).last_apply;
    assert_eq!(last(), None);
    assert_eq!(run(&env, &["apply", "--leftovers", "--auto-approve"]).code, 0);
    assert_eq!(last(), None, "nothing was left over, and changes were left out");
    assert_eq!(run(&env, &["apply", "--auto-approve"]).code, 0);
    assert!(last().is_some());
}

/// A job that has lost its ledger is noticed.
#[test]
fn without_a_ledger_an_apply_is_silent_for_whoever_asks() {
    let env = Env::with_example();
    let said = run(&env, &["plan", "--max-silence", "7d"]);
    assert_eq!(said.code, 2, "{}", said.all());
    assert!(said.stderr.contains("nobody knows when the last good apply was"), "{}", said.all());
    assert_eq!(run(&env, &["plan"]).code, 0);
}

/// Somebody who isn't in an incomplete list may have access.
#[test]
fn a_drift_with_an_incomplete_list_of_users_is_an_error_and_not_recorded() {
    let env = applied(false);
    let broken = env.run(&["sandbox", "--provider", "bitpanda", "--set", "count-off-by=1", "--no-serve"]);
    assert_eq!(broken.code, 0, "{}", broken.all());
    let said = run(&env, &["drift"]);
    assert_eq!(said.code, 1, "{}", said.all());
    assert_eq!(drifts(&env), 0);
}

// ---- what is shown

/// The line is in every report for people once something is old, and never before.
#[test]
fn the_line_appears_once_an_apply_or_a_drift_is_old() {
    let env = applied(true);
    let said = |verb: &str, days: i64, format: &str| {
        let said = run(&env, &[verb, "--now", &in_days(days), "--format", format]);
        assert!([0, 2].contains(&said.code), "{}", said.all());
        said.stdout
    };
    let line = "Last good apply 8 days ago, last drift 8 days ago.";
    for (format, verb) in
        [("text", "plan"), ("text", "drift"), ("markdown", "plan"), ("html", "plan"), ("html", "drift")]
    {
        assert!(said(verb, 8, format).contains(line), "{verb} {format}: {}", said(verb, 8, format));
        assert!(!said(verb, 1, format).contains("good apply"), "{verb} {format}");
        // The drift is old before the apply is.
        assert!(
            said(verb, 3, format).contains("Last good apply 3 days ago, last drift 3 days ago."),
            "{verb} {format}"
        );
    }
    // An issue has dates, so that it isn't edited each day.
    let dated = said("drift", 40, "markdown");
    let today = "Last good apply on $TODAY, last drift on $TODAY.";
    assert!(dated.contains(today), "{dated}");
    // JSON always has the times, outside of the seal.
    let json = |days: i64| {
        serde_json::from_str::<Value>(&said("plan", days, "json")).unwrap()["organizations"][0].clone()
    };
    let (early, late) = (json(0), json(40));
    assert_eq!(early["seal"], late["seal"], "time doesn't change what is approved");
    assert_eq!(early["sealed"], late["sealed"]);
    let days = |plan: &Value, name: &str| plan["activity"][name]["days"].as_i64();
    for name in ["ledger_since", "last_apply", "last_drift"] {
        assert_eq!((days(&early, name), days(&late, name)), (Some(0), Some(40)), "{name}");
    }
    assert_eq!((&early["activity"]["notable"], &late["activity"]["notable"]), (&Value::Null, &Value::Bool(true)));
    assert_eq!(early["activity"]["credential_expires"]["at"], "2099-12-31T23:59:59Z");
    // Nothing but the plan for another time was made, so the ledger has one drift.
    assert_eq!(drifts(&env), 1);
}

#[test]
fn an_apply_without_a_recorded_drift_is_old_after_a_week() {
    let env = applied(false);
    let said = |days: i64| run(&env, &["plan", "--now", &in_days(days)]).stdout;
    assert!(!said(6).contains("good apply"), "{}", said(6));
    assert!(said(7).contains("  Last good apply 7 days ago.\n"), "{}", said(7));
}

/// Without a ledger, the plan says that there is none, and nothing is silent.
#[test]
fn without_a_ledger_only_the_end_of_the_credential_is_shown() {
    let env = Env::with_example();
    let said = run(&env, &["plan", "--now", &in_days(100)]);
    assert!(said.code == 0 && !said.stdout.contains("good apply"), "{}", said.all());
    assert!(said.stdout.contains("the ledger: There is none yet"), "{}", said.all());
    let said = run(&env, &["plan", "--now", "2099-12-29T12:00:00Z"]);
    assert!(said.stdout.contains("\n  The credential ends in 2 days.\n"), "{}", said.all());
    assert!(!run(&env, &["plan", "--now", "2099-12-01"]).stdout.contains("The credential ends"));
    let said = run(&env, &["plan", "--now", "2099-12-01", "--horizon", "40"]);
    assert!(said.stdout.contains("The credential ends in 30 days."), "{}", said.all());
    let said = run(&env, &["drift", "--now", "2099-12-29T12:00:00Z", "--format", "markdown"]);
    assert!(said.stdout.contains("\nThe credential ends on 2099-12-31.\n"), "{}", said.all());
    let said = run(&env, &["drift", "--now", "2099-12-29T12:00:00Z", "--format", "sarif"]);
    assert!(said.stdout.contains(": The credential ends on 2099-12-31."), "{}", said.all());
    // Without `own`, nobody knows which key signs in.
    let unnamed = example("bitpanda.yaml").replace("own: { key: bff7cedb-5c5e-4b6e-9a55-0f4e7d1c2a11 }", "");
    env.write("bitpanda.yaml", unnamed);
    let said = run(&env, &["plan", "--now", "2099-12-29T12:00:00Z"]);
    assert!(!said.stdout.contains("The credential ends"), "{}", said.all());
}

// ---- `--max-silence`

#[test]
fn a_silent_job_ends_a_plan_and_a_drift_with_2() {
    let env = applied(true);
    let quiet = run(&env, &["plan", "--max-silence", "7d"]);
    assert_eq!(quiet.code, 0, "{}", quiet.all());
    assert!(
        quiet.stdout.contains("Last good apply less than a day ago, last drift less than a day ago.\n"),
        "{}",
        quiet.all()
    );
    let silent = "Too long ago for `--max-silence`: the apply and the drift.";
    let now = in_days(8);
    let plan = |more: &[&str]| run(&env, &[&["plan", "--max-silence", "7d", "--now", &*now], more].concat());
    let said = plan(&["--out", "plan.json"]);
    assert_eq!(said.code, 2, "{}", said.all());
    assert!(said.stdout.contains(silent), "{}", said.all());
    assert!(
        said.stderr.contains("warning: bitpanda f8588dc7-e1ce-4d92-a473-809a0a357ad9: Last good apply 8 days ago"),
        "{}",
        said.all()
    );
    let saved: Value = serde_json::from_str(&env.read("plan.json")).unwrap();
    assert_eq!(saved["organizations"][0]["activity"]["silent"], serde_json::json!(["apply", "drift"]));
    for (format, mark) in [
        ("markdown", "> [!WARNING]\n> Last good apply 8 days ago"),
        ("html", "<p class=\"banner\">Last good apply 8 days ago"),
        ("junit", "<failure message=\"Last good apply 8 days ago"),
        ("github", "a schedule may have stopped::Last good apply 8 days ago"),
        ("sarif", "\"ruleId\": \"silence\""),
    ] {
        let said = plan(&["--format", format]);
        assert!(said.code == 2 && said.stdout.contains(mark), "{format}: {}", said.all());
        assert!(said.stdout.contains(silent), "{format}: {}", said.all());
    }
    // A drift run is no reason to say that drift is silent.
    let said = run(&env, &["drift", "--max-silence", "7d", "--now", &now]);
    assert_eq!(said.code, 2, "{}", said.all());
    assert!(said.stdout.contains("Too long ago for `--max-silence`: the apply."), "{}", said.all());
    assert_eq!(run(&env, &["drift", "--max-silence", "9d", "--now", &now]).code, 0);
    assert_eq!(run(&env, &["plan", "--max-silence", "216h", "--now", &now]).code, 0);
    for wrong in ["7", "-1d", "soon", "P9D", "2m"] {
        let said = run(&env, &["plan", &format!("--max-silence={wrong}")]);
        assert!(said.code == 1 && said.stderr.contains("such as 14d or 36h"), "{}", said.all());
    }
}

/// An organisation that only drift runs have read: it counts from the first of them, but only if somebody asks.
#[test]
fn an_organisation_that_was_never_applied_is_silent_from_the_first_line_of_its_ledger() {
    let env = Env::with_example();
    assert_eq!(run(&env, &["drift"]).code, 2);
    assert_eq!(drifts(&env), 1);
    let later = in_days(8);
    let said = run(&env, &["plan", "--now", &later]);
    assert!(said.stdout.contains("the ledger: It has drift runs and no apply yet."), "{}", said.all());
    let no_apply = "No good apply since the ledger began 8 days ago, last drift 8 days ago.";
    assert!(said.stdout.contains(no_apply), "{}", said.all());
    let said = run(&env, &["drift", "--max-silence", "7d", "--now", &later]);
    assert!(
        said.code == 2 && said.stdout.contains("Too long ago for `--max-silence`: the apply."),
        "{}",
        said.all()
    );
    // A path with a slip is told each time.
    let named = |verb: &str| env.run(&[verb, "--sandbox", "--ledger", "other.jsonl", "bitpanda.yaml"]).stderr;
    assert!(named("drift").contains("There is no ledger other.jsonl"), "{}", named("drift"));
    assert!(named("plan").contains("No apply has written to the ledger other.jsonl"), "{}", named("plan"));
}

// ---- what the ledger tells

fn facts_of(lines: &[&str]) -> Facts {
    let records: Vec<Record> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    facts(&records)
}

/// Old ledgers have lines with fewer fields, or with other names.
#[test]
fn a_good_apply_finished_did_everything_and_could_read() {
    let started = r#"{"at":"2026-01-01T00:00:00Z","run":"one","event":"run-started","format_version":"2.0","generator":"g","identity":{"provider":"hive","organization":"acme","host":"h"},"seal":"sha256:1"}"#;
    let intent = r#"{"at":"2026-01-01T00:00:01Z","run":"one","event":"intent","mutation":"m1","operation":"o","change":{"address":"role/A","action":"delete","cause":{"is":"declared-absent"}}}"#;
    let outcome = |outcome: &str| {
        format!(
            r#"{{"at":"2026-01-01T00:00:02Z","run":"one","event":"outcome","mutation":"m1","address":"role/A","outcome":"{outcome}"}}"#
        )
    };
    let finished = r#"{"at":"2026-01-02T00:00:00Z","run":"one","event":"run-finished","in_sync":false}"#;
    let before_2 = r#"{"at":"2026-01-02T00:00:00Z","run":"one","event":"run-finished","converged":true}"#;
    let unread = r#"{"at":"2026-01-02T00:00:00Z","run":"one","event":"run-finished"}"#;
    let good = Some("2026-01-02T00:00:00Z".parse().unwrap());
    let last = |lines: &[&str]| facts_of(lines).last_apply;
    assert_eq!(last(&[started, finished]), good, "a run with nothing to send");
    assert_eq!(last(&[started, intent, &outcome("done"), before_2]), good);
    assert_eq!(last(&[started, intent, &outcome("unsure"), &outcome("done"), finished]), good, "verified later");
    assert_eq!(last(&[started, intent, &outcome("done")]), None, "killed");
    assert_eq!(last(&[started, intent, finished]), None, "no answer");
    assert_eq!(last(&[started, intent, &outcome("done"), unread]), None, "no last read");
    for bad in ["failed", "unsure", "not-taken", "skipped"] {
        assert_eq!(last(&[started, intent, &outcome(bad), finished]), None, "{bad}");
    }
    // A bad run doesn't count, and takes nothing from the good one before it.
    let next = finished.replace("2026-01-02", "2026-01-03");
    assert_eq!(last(&[started, finished, started, intent, &outcome("failed"), &next]), good);
    assert_eq!(last(&[]), None);
    assert_eq!(facts_of(&[started, finished]).ledger_since, Some("2026-01-01T00:00:00Z".parse().unwrap()));
}

#[test]
fn an_apply_of_which_something_failed_is_no_good_apply() {
    let mut world = hive::world();
    hive::role(&mut world, "Plain", &["project:describe"]);
    let mut rig =
        hive::Rig::new(world, "roles: [{ name: New, description: A new one, permissions: [project:describe] }]");
    rig.wire.set_fates(&[Fate::Refuse]);
    rig.apply();
    assert_eq!(rig.ledger.facts().last_apply, None);
    rig.apply();
    assert_eq!(rig.ledger.facts().last_apply, Some(now()));
}

/// Drift runs write between the runs of an apply, and no reader of the ledger is disturbed.
#[test]
fn a_drift_in_the_ledger_changes_no_plan_and_no_other_fact() {
    let mut world = hive::world();
    hive::role(&mut world, "Plain", &["project:describe"]);
    let body = "users: [{ email: new@x.example, roles: [Plain], resources: all }]";
    let drift = |at: Timestamp| Record {
        at,
        run: "drift".to_owned(),
        event: Event::DriftFinished {
            format_version: "2.3".to_owned(),
            generator: "test".to_owned(),
            identity: identity(),
            in_sync: true,
        },
    };
    let mut rig = hive::Rig::new(world, body);
    rig.ledger.append(drift(day(-2))).unwrap();
    assert!(!rig.ledger.facts().ledger_found, "no apply wrote to it");
    let approved = rig.plan();
    rig.apply();
    rig.ledger.append(drift(day(1))).unwrap();
    let (plan, approval) = (rig.plan(), rig.resume(&approved));
    assert!(plan.sealed.mutations.is_empty() && approval.stale.is_empty(), "{plan:#?}");
    let with = rig.ledger.facts();
    assert_eq!(with.last_drift, Some(day(1)));
    let others: Vec<Record> = rig.ledger.records()[1..]
        .iter()
        .filter(|record| !matches!(record.event, Event::DriftFinished { .. }))
        .cloned()
        .collect();
    let without = facts(&others);
    assert_eq!(
        (&with.invitations, &with.members, &with.last_apply),
        (&without.invitations, &without.members, &without.last_apply)
    );
    assert_eq!(with.applied.keys().collect::<BTreeSet<_>>(), without.applied.keys().collect());
    // The ledger of another organisation isn't taken, even if only drift runs wrote to it.
    let other = Identity { organization: RemoteId::seen("other"), ..identity() };
    assert_eq!(Ledger::other_organization(&[drift(now())], &identity()), None);
    assert_eq!(Ledger::other_organization(&[drift(now())], &other), Some(&identity()));
}

// ---- how a drift run writes

fn record(path: &Path, in_sync: bool, at: Timestamp) -> Result<Option<Timestamp>, LedgerError> {
    record_drift(path, &identity(), in_sync, ("run", "test"), at)
}

#[test]
fn drift_is_recorded_once_a_day_and_if_its_verdict_changes() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("deep/ledger.jsonl");
    let lines = || Ledger::read(&path).unwrap().map_or(0, |ledger| ledger.records.len());
    let hour = |hour: i64| now() + SignedDuration::from_hours(hour);
    assert_eq!(record(&path, true, hour(0)).unwrap(), Some(hour(0)));
    assert_eq!(record(&path, true, hour(1)).unwrap(), Some(hour(0)), "the same day in UTC");
    assert_eq!(lines(), 1);
    assert_eq!(record(&path, false, hour(2)).unwrap(), Some(hour(2)));
    assert_eq!(record(&path, false, hour(3)).unwrap(), Some(hour(2)));
    assert_eq!(lines(), 2);
    // A job that starts a little earlier than the day before leaves out no day.
    assert_eq!(record(&path, false, hour(23)).unwrap(), Some(hour(23)));
    assert_eq!(lines(), 3);
}

#[test]
fn drift_writes_nothing_while_an_apply_has_the_ledger_and_an_apply_waits_for_a_drift() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger.jsonl");
    let ledger = Ledger::open(&path, "apply", now()).unwrap();
    let told = record(&path, true, now()).unwrap_err().to_string();
    assert!(told.contains("has locked"), "{told}");
    assert_eq!(std::fs::read(&path).unwrap(), b"");
    let opened = std::thread::spawn({
        let path = path.clone();
        move || Ledger::open(&path, "next", now()).is_ok()
    });
    std::thread::sleep(std::time::Duration::from_millis(100));
    drop(ledger);
    assert!(opened.join().unwrap(), "what has the ledger for a moment doesn't make an apply fail");
    assert_eq!(record(&path, true, now()).unwrap(), Some(now()));
}

#[test]
fn a_drift_that_cannot_be_recorded_is_told_and_is_no_failure() {
    let env = applied(false);
    // Another ledger, which no drift run can read.
    std::fs::create_dir(env.path("folder")).unwrap();
    let drift = |ledger: &str| env.run(&["drift", "--sandbox", "--ledger", ledger, "bitpanda.yaml"]);
    std::fs::write(env.path("file"), "").unwrap();
    // There is no ledger, and there can't be one.
    let said = drift("file/ledger.jsonl");
    assert!(!said.stderr.contains("not recorded"), "{}", said.all());
    // The folder's ledger can be read, and not written.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let ledger = env.path(LEDGER);
        std::fs::set_permissions(&ledger, std::fs::Permissions::from_mode(0o444)).unwrap();
        if std::fs::OpenOptions::new().append(true).open(&ledger).is_err() {
            let said = run(&env, &["drift"]);
            assert_eq!(said.code, 0, "{}", said.all());
            assert_eq!(said.stderr.matches("This drift run is not recorded: ").count(), 1, "{}", said.all());
        }
    }
}

/// A run with `--now` compares with another time than today's, so it counts for nothing.
#[test]
fn a_drift_of_another_time_is_not_recorded() {
    let env = applied(false);
    assert_eq!(run(&env, &["drift", "--now", &in_days(1)]).code, 0);
    assert_eq!(drifts(&env), 0);
    for _ in 0..2 {
        assert_eq!(run(&env, &["drift"]).code, 0);
    }
    assert_eq!(drifts(&env), 1);
    let shown = env.run(&["show", LEDGER]).stdout;
    let line = shown.lines().last().unwrap();
    assert!(line.contains("  drift ") && line.ends_with(": in sync"), "{shown}");
    let applied = run(&env, &["apply", "--auto-approve"]);
    assert_eq!(applied.code, 0, "{}", applied.all());
}

#[test]
fn metrics_have_the_times() {
    let env = applied(false);
    let metric = |name: &str| {
        let text = env.read("drift.prom");
        let series = format!(
            "rolecall_{name}{{provider=\"bitpanda\",organization=\"f8588dc7-e1ce-4d92-a473-809a0a357ad9\"}} "
        );
        text.lines().find_map(|line| line.strip_prefix(&series)?.parse::<i64>().ok())
    };
    assert_eq!(run(&env, &["drift", "--metrics-file", "drift.prom"]).code, 0);
    let ledger = Ledger::read(&env.path(LEDGER)).unwrap().unwrap().records;
    let facts = facts(&ledger);
    assert_eq!(metric("last_apply_timestamp_seconds"), facts.last_apply.map(Timestamp::as_second));
    assert_eq!(metric("last_drift_timestamp_seconds"), facts.last_drift.map(Timestamp::as_second));
    assert_eq!(metric("credential_expires_timestamp_seconds"), Some(4_102_444_799));
    let before = metric("last_apply_timestamp_seconds");
    // An organisation that can't be read keeps its times.
    env.write(LEDGER, "damaged\n");
    assert_eq!(run(&env, &["drift", "--metrics-file", "drift.prom"]).code, 1);
    assert_eq!(metric("last_apply_timestamp_seconds"), before);
    assert!(metric("last_drift_timestamp_seconds").is_some() && metric("read_requests").is_none());
}

/// A plan for the reviewers is the same whenever it is made, whatever is silent.
#[test]
fn silence_is_no_part_of_the_seal() {
    let env = applied(true);
    env.write(
        "bitpanda.yaml",
        example("bitpanda.yaml").replace("roles: [CLUSTER_MANAGER, CLUSTER_OPS, SIGNER]", "roles: [SIGNER]"),
    );
    let seal = |days: i64, limit: &str| {
        let said = run(&env, &["plan", "--now", &in_days(days), "--max-silence", limit, "--format", "json"]);
        let plan: Value = serde_json::from_str(&said.stdout).unwrap();
        let silent: BTreeSet<Job> =
            serde_json::from_value(plan["organizations"][0]["activity"]["silent"].clone()).unwrap_or_default();
        (plan["organizations"][0]["seal"].clone(), silent)
    };
    let (first, second) = (seal(0, "7d"), seal(8, "7d"));
    assert_eq!(first.0, second.0);
    assert_eq!((first.1, second.1), (BTreeSet::new(), BTreeSet::from([Job::Apply, Job::Drift])));
}
