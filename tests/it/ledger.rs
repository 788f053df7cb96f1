//! The ledger survives damage to its file.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;

use crate::support::hive;
use crate::support::rig::now;
use jiff::SignedDuration;
use rolecall_engine::apply::record_nothing_sent;
use rolecall_engine::ledger::{Event, Ledger, LedgerError, OrganizationLock, Record};
use rolecall_model::{Action, Address, Effect, Guardrail, HoldClass, HoldReason, Kind};
use rolecall_plan::differing;
use rolecall_sandbox::hive::Assignment;
use tempfile::TempDir;

fn finished() -> Event {
    Event::RunFinished {
        in_sync: Some(true),
        desired: None,
        differing: BTreeSet::new(),
        directory_people: std::collections::BTreeMap::new(),
        not_selected: 0,
    }
}

fn record(run: &str) -> Record {
    Record { at: now(), run: run.to_owned(), event: finished() }
}

/// Opens a ledger. Another test may be about to start a program, which holds a copy of every lock until it runs.
fn open(path: &Path, run: &str) -> Result<Ledger, LedgerError> {
    let mut opened = Ledger::open(path, run, now());
    for _ in 0..100_000 {
        if !matches!(opened, Err(LedgerError::Locked { .. })) {
            break;
        }
        std::thread::yield_now();
        opened = Ledger::open(path, run, now());
    }
    opened
}

fn folder() -> (TempDir, std::path::PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("deep/er/ledger.jsonl");
    (folder, path)
}

#[test]
fn lines_are_appended_and_read_back() {
    let (_folder, path) = folder();
    assert_eq!(Ledger::read(&path).unwrap(), None);
    for run in ["one", "two"] {
        open(&path, run).unwrap().append(record(run)).unwrap();
    }
    assert_eq!(Ledger::read(&path).unwrap().unwrap().records, [record("one"), record("two")]);
}

#[test]
fn two_applies_never_hold_one_ledger() {
    let (_folder, path) = folder();
    let first = open(&path, "one").unwrap();
    assert!(matches!(Ledger::open(&path, "two", now()), Err(LedgerError::Locked { .. })));
    drop(first);
    assert!(open(&path, "two").is_ok());
}

#[test]
fn a_torn_last_line_is_passed_over_and_marked() {
    let (_folder, path) = folder();
    open(&path, "one").unwrap().append(record("one")).unwrap();
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(b"{\"at\":\"2026-11-2").unwrap();
    let read = Ledger::read(&path).unwrap().unwrap();
    assert_eq!((read.records, read.torn_bytes), (vec![record("one")], 16));
    open(&path, "two").unwrap().append(record("two")).unwrap();
    let records = Ledger::read(&path).unwrap().unwrap().records;
    assert_eq!(records.len(), 3);
    assert_eq!(records[1].event, Event::Recovered { torn_bytes: 16 });
    assert_eq!(records[2], record("two"));
}

/// A file system may know the new length of a file before its new text, which is zeros then.
#[test]
fn zeros_that_a_power_cut_left_are_passed_over_and_marked() {
    let line = serde_json::to_string(&record("two")).unwrap();
    for cut in ["", &line[..4], &line[..40], &line] {
        let (_folder, path) = folder();
        open(&path, "one").unwrap().append(record("one")).unwrap();
        let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(&[cut.as_bytes(), &[0; 100]].concat()).unwrap();
        let read = Ledger::read(&path).unwrap().unwrap();
        assert_eq!((read.records, read.torn_bytes), (vec![record("one")], cut.len() + 100), "{cut}");
        open(&path, "two").unwrap().append(record("two")).unwrap();
        let recovered = Record { event: Event::Recovered { torn_bytes: cut.len() + 100 }, ..record("two") };
        assert_eq!(Ledger::read(&path).unwrap().unwrap().records, [record("one"), recovered, record("two")]);
    }
    // Zeros before a line that isn't the mark of such a cut are damage, and so are those after something else.
    for text in [format!("\0\0{line}\n"), format!("\0\0\n{line}\n"), "{\"a\":\0\0".to_owned()] {
        let (_folder, path) = folder();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        assert!(matches!(Ledger::read(&path), Err(LedgerError::Damaged { .. })));
    }
}

#[test]
fn damage_in_the_middle_is_an_error_that_names_the_line() {
    let (_folder, path) = folder();
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let line = serde_json::to_string(&record("one")).unwrap();
    std::fs::write(&path, format!("{line}\nnot a record\n{line}\n")).unwrap();
    match Ledger::read(&path) {
        Err(LedgerError::Damaged { line: 2, .. }) => {}
        other => panic!("{other:?}"),
    }
    assert!(open(&path, "two").is_err(), "nothing is sent on a ledger that can't be read");
}

#[cfg(unix)]
#[test]
fn a_ledger_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let (_folder, path) = folder();
    open(&path, "one").unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn dying_while_a_torn_line_is_being_mended_does_no_harm() {
    let line = serde_json::to_string(&record("one")).unwrap();
    let mended = serde_json::to_string(&Record {
        at: now(),
        run: "two".to_owned(),
        event: Event::Recovered { torn_bytes: 3 },
    })
    .unwrap();
    let endings = [
        format!("{line}\n{{\"a\n"),
        format!("{line}\n{{\"a\n{}", &mended[..20]),
        format!("{line}\n{{\"a\n{}\n", &mended[..20]),
    ];
    for text in endings {
        let (_folder, path) = folder();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &text).unwrap();
        assert_eq!(Ledger::read(&path).unwrap().unwrap().records, [record("one")], "{text}");
        open(&path, "three").unwrap().append(record("three")).unwrap();
        assert_eq!(Ledger::read(&path).unwrap().unwrap().records.len(), 3, "{text}");
    }
}

#[test]
fn a_last_line_that_lacks_only_its_newline_counts() {
    let (_folder, path) = folder();
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, serde_json::to_string(&record("one")).unwrap()).unwrap();
    open(&path, "two").unwrap().append(record("two")).unwrap();
    assert_eq!(Ledger::read(&path).unwrap().unwrap().records, [record("one"), record("two")]);
}

#[test]
fn a_device_is_no_ledger() {
    assert!(Ledger::read(Path::new("/dev/zero")).is_err());
    assert!(open(Path::new("/dev/zero"), "one").is_err());
}

/// Lines in the format of rolecall before format 2, with other names for actions, effects, overrides and
/// invitations.
#[test]
fn a_ledger_of_format_1_is_read() {
    let (_folder, path) = folder();
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let user = r#"{"kind":"user","email":"Jane@x.example","roles":["A"],"enabled":"unreadable","invited":true}"#;
    let lines = [
        r#"{"at":"2026-01-01T00:00:00Z","run":"one","event":"lifted","rail":"min_admins","message":"m","plan":"sha256:1","until":"2026-02-01","reason":"r"}"#.to_owned(),
        format!(r#"{{"at":"2026-01-01T00:00:01Z","run":"one","event":"intent","mutation":"m1","operation":"o","change":{{"address":"user/jane@x.example#invitation:Jane@x.example","action":"withdraw","before":{user},"cause":{{"is":"already-member"}},"effects":[{{"is":"takes-along","what":"teams"}}]}},"interim":true}}"#),
        r#"{"at":"2026-01-01T00:00:02Z","run":"one","event":"outcome","mutation":"m1","address":"user/jane@x.example#invitation","outcome":"done"}"#.to_owned(),
        r#"{"at":"2026-01-01T00:00:03Z","run":"one","event":"run-finished","converged":true}"#.to_owned(),
    ];
    std::fs::write(&path, lines.join("\n") + "\n").unwrap();
    let records = Ledger::read(&path).unwrap().unwrap().records;
    assert!(matches!(&records[0].event, Event::Override { guardrail: Guardrail::MinAdmins, .. }));
    let Event::Intent { change, first_step: true, .. } = &records[1].event else { panic!("{:?}", records[1]) };
    assert_eq!(change.address.to_string(), "invitation/jane@x.example#Jane@x.example");
    assert_eq!(change.action, Action::Cancel);
    assert_eq!(change.effects, [Effect::CascadesTo { what: "teams".to_owned() }]);
    assert!(
        matches!(&records[2].event, Event::Outcome { address, .. } if address.to_string() == "invitation/jane@x.example")
    );
    assert_eq!(records[3].event, finished());
    let held = r#"{"is":"owner","must_go":true}"#;
    let owner = HoldReason::Owner { must_be_removed: true };
    assert_eq!(serde_json::from_str::<HoldReason>(held).unwrap(), owner);
    let held = r#"{"is":"shielded"}"#;
    assert_eq!(serde_json::from_str::<HoldReason>(held).unwrap(), HoldReason::MustNotBeChanged);
    // Effects and reasons of one platform have a common form since.
    for old in
        [r#"{"is":"seat","change":"billed"}"#, r#"{"is":"needs-plan","plan":"p"}"#, r#"{"is":"joins-every-team"}"#]
    {
        assert!(matches!(serde_json::from_str::<Effect>(old).unwrap(), Effect::Platform { .. }), "{old}");
    }
    let held = serde_json::from_str::<HoldReason>(r#"{"is":"externally-managed","must_go":true}"#).unwrap();
    assert_eq!(held.class(), HoldClass::Blocked);
    for (old, action) in [("replace", Action::Update), ("contain", Action::RemoveAccess)] {
        assert_eq!(serde_json::from_value::<Action>(old.into()).unwrap(), action);
    }
}

/// A cache of CI may bring back an archive or a login page, and somebody may name another file with `--ledger`.
#[test]
fn what_no_dying_writer_leaves_is_damage_and_nothing_is_appended_to_it() {
    let line = serde_json::to_string(&record("one")).unwrap() + "\n";
    let files: Vec<Vec<u8>> = vec![
        b"<!doctype html><title>Sign in</title>\n".to_vec(),
        b"provider: hive\norganization: acme\n".to_vec(),
        b"{\n  \"format_version\": \"2.0\",\n  \"organizations\": []\n}\n".to_vec(),
        b"{\"format_version\": \"2.0\", \"organizations\": [".to_vec(),
        [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3].to_vec(),
        // It may have been a longer one.
        vec![0; 100],
        [line.as_bytes(), b"not a record\n"].concat(),
        [line.as_bytes(), b"not a record\nnor this one\n"].concat(),
        line.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        b" ".to_vec(),
    ];
    for bytes in files {
        let (_folder, path) = folder();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &bytes).unwrap();
        let shown = String::from_utf8_lossy(&bytes);
        assert!(matches!(Ledger::read(&path), Err(LedgerError::Damaged { .. })), "{shown}");
        assert!(matches!(open(&path, "two"), Err(LedgerError::Damaged { .. })), "{shown}");
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "{shown}");
    }
    // Wherever a line breaks off, its writer may have been killed.
    for length in 1..line.len() - 1 {
        let (_folder, path) = folder();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, format!("{line}{}", &line[..length])).unwrap();
        let read = Ledger::read(&path).unwrap().unwrap();
        assert_eq!((read.records, read.torn_bytes), (vec![record("one")], length));
    }
}

/// Lines with one damage each, and what it is.
fn damaged_lines() -> Vec<(&'static str, Vec<u8>)> {
    const OUTCOME: &str = r#"{"at":"2026-11-28T03:00:00Z","run":"r","event":"outcome","mutation":"m1","address":"user/a@x.example","outcome":"done"}"#;
    let with = |old: &str, new: &str| {
        assert!(OUTCOME.contains(old), "{old}");
        OUTCOME.replacen(old, new, 1).into_bytes()
    };
    let torn = |bytes: &str| {
        let line = r#"{"at":"2026-11-28T03:00:00Z","run":"r","event":"recovered","torn_bytes":3}"#;
        line.replace("3}", &format!("{bytes}}}")).into_bytes()
    };
    vec![
        ("broken off in a name", OUTCOME[..40].into()),
        ("broken off in a text", OUTCOME[..90].into()),
        ("broken off before the end", OUTCOME[..OUTCOME.len() - 1].into()),
        ("the beginning is lost", OUTCOME[10..].into()),
        ("a time that is a number", with(r#""2026-11-28T03:00:00Z""#, "3")),
        ("a time that is none", with("2026-11-28T03:00:00Z", "yesterday")),
        ("a run that is a list", with(r#""r""#, "[]")),
        ("no time", with(r#""at":"2026-11-28T03:00:00Z","#, "")),
        ("no run", with(r#""run":"r","#, "")),
        ("no event", with(r#""event":"outcome","#, "")),
        ("no mutation", with(r#""mutation":"m1","#, "")),
        ("an event that nobody knows", with(r#""event":"outcome""#, r#""event":"forgotten""#)),
        ("an event that is a number", with(r#""event":"outcome""#, r#""event":3"#)),
        ("a mutation that is a number", with(r#""m1""#, "1")),
        ("an address of nothing", with("user/a@x.example", "nobody")),
        ("an outcome that nobody knows", with(r#""done""#, r#""perhaps""#)),
        ("a message that is a mapping", with(r#""done"}"#, r#""done","message":{}}"#)),
        ("a time twice", with(r#""run""#, r#""at":"2026-11-28T03:00:00Z","run""#)),
        ("a run twice", with(r#""run""#, r#""run":"s","run""#)),
        ("an event twice", with(r#""mutation""#, r#""event":"recovered","mutation""#)),
        ("a mutation twice", with(r#""address""#, r#""mutation":"m2","address""#)),
        ("an unknown field that is broken", with(r#""done"}"#, r#""done","new":[1,}"#)),
        ("half of a character", with("m1", "\\ud800")),
        ("a character that doesn't show", with("m1", "m\u{1}")),
        ("bytes that are no text", [b"{\"at\":\"2026-11-28T03:00:00Z\",\"run\":\"", &b"\xff\xfe\"}"[..]].concat()),
        ("a number below 0", torn("-1")),
        ("a number with a fraction", torn("1.5")),
        ("a number that is too large", torn("18446744073709551616")),
        ("a number without end", torn("1e999")),
        ("a number as a text", torn("\"3\"")),
        ("two lines in one", [OUTCOME.as_bytes(), OUTCOME.as_bytes()].concat()),
        ("a text", b"\"hunter2\"".to_vec()),
        ("a list", b"[\"hunter2\"]".to_vec()),
        ("nothing", b"null".to_vec()),
        ("no JSON", b"not a record".to_vec()),
        ("zeros", vec![0; 9]),
    ]
}

/// A message says the same whatever the order of the fields is. It shows no text that stands in another one's place.
#[test]
fn a_damaged_line_says_what_is_wrong_with_it() {
    let good = serde_json::to_string(&record("one")).unwrap();
    let said = |line: &[u8]| {
        let (_folder, path) = folder();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, [good.as_bytes(), b"\n", line, b"\n", good.as_bytes(), b"\n"].concat()).unwrap();
        let why =
            Ledger::read(&path).err().map(|why| why.to_string().replace(&path.display().to_string(), "PATH"));
        why.unwrap_or_else(|| "it is read".to_owned())
    };
    let mut all = String::new();
    for (name, line) in damaged_lines() {
        let _ = writeln!(all, "{name}: {}", said(&line));
        // The same damage, in a form that rolecall doesn't write: the time comes last.
        if serde_json::from_slice::<serde_json::Value>(&line).is_ok()
            && let Some(rest) = line.strip_prefix(b"{\"at\":\"2026-11-28T03:00:00Z\",")
            && let Some(rest) = rest.strip_suffix(b"}")
        {
            let other = [b"{", rest, br#","at":"2026-11-28T03:00:00Z"}"#].concat();
            assert_eq!(said(&other), said(&line), "{name}");
        }
    }
    assert!(!all.contains("hunter2"), "{all}");
    insta::assert_snapshot!(all);
}

#[test]
fn a_lock_says_whether_another_apply_had_it_meanwhile() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("deep/er/organisation.lock");
    let before = jiff::Timestamp::now();
    let first = OrganizationLock::acquire(&path).unwrap();
    assert!(first.was_free_since(before));
    assert!(matches!(OrganizationLock::acquire(&path), Err(LedgerError::Locked { .. })));
    drop(first);
    let after = jiff::Timestamp::now();
    let second = OrganizationLock::acquire(&path).unwrap();
    assert!(!second.was_free_since(before) && second.was_free_since(after));
    // A process that was killed leaves no time.
    std::mem::forget(second);
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "locked").unwrap();
    assert!(!OrganizationLock::acquire(&path).unwrap().was_free_since(jiff::Timestamp::now()));
}

/// A process that is just being started has a copy of every descriptor, and a look holds the lock for a moment.
#[test]
fn a_released_lock_is_free_whatever_else_runs() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("organisation.lock");
    let done = std::sync::atomic::AtomicBool::new(false);
    let runs = || !done.load(std::sync::atomic::Ordering::Relaxed);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while runs() {
                std::process::Command::new("true").status().unwrap();
            }
        });
        scope.spawn(|| {
            while runs() {
                OrganizationLock::is_held(&path);
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        });
        let begun = jiff::Timestamp::now();
        let refused = (0..300).filter(|_| OrganizationLock::acquire(&path).is_err()).count();
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(refused, 0);
        assert!(OrganizationLock::was_held_since(&path, begun));
        assert!(!OrganizationLock::was_held_since(&path, jiff::Timestamp::now()));
    });
}

/// A job that runs every hour has nothing to send most of the time.
#[test]
fn a_run_that_sends_nothing_is_recorded_if_something_changed_and_once_a_day() {
    let mut world = hive::world();
    hive::role(&mut world, "Plain", &["project:describe"]);
    let mut rig = hive::Rig::new(world, "");
    let mut hours = 0;
    let mut run = |rig: &mut hive::Rig, times: usize| {
        let before = rig.ledger.records().len();
        for _ in 0..times {
            let live = rig.read().unwrap();
            let (plan, at) = (rig.plan(), now() + SignedDuration::from_hours(hours));
            let run = format!("hour-{hours}");
            record_nothing_sent(&plan, (&rig.desired, &live), &mut rig.ledger, (&run, "test"), at).unwrap();
            hours += 1;
        }
        rig.ledger.records().len() - before
    };
    // Each run is two lines: its beginning and its end.
    assert_eq!(run(&mut rig, 24), 2);
    assert_eq!(run(&mut rig, 48), 4);
    hive::member(&mut rig.world(), "sam@x.example", "Admin", Assignment::All);
    assert_eq!(run(&mut rig, 2), 2, "something differs");
    let finished = rig.ledger.records().last().unwrap();
    let Event::RunFinished { in_sync: Some(false), desired: Some(_), differing, .. } = &finished.event else {
        panic!("{finished:?}")
    };
    assert_eq!(differing.iter().map(ToString::to_string).collect::<Vec<_>>(), ["user/sam@x.example"]);
    rig.set_file("acknowledged: [user/sam@x.example]");
    assert_eq!(run(&mut rig, 2), 2, "the file asks for something else");
}

/// However much differs, a run adds little to the ledger.
#[test]
fn many_entities_that_differ_are_recorded_as_all_of_their_kind() {
    let mut world = hive::world();
    for number in 0..501 {
        hive::member(&mut world, &format!("sam{number}@x.example"), "Admin", Assignment::All);
    }
    let plan = hive::Rig::new(world, "").plan();
    assert_eq!(differing(&plan), BTreeSet::from([Address::every(Kind::User)]));
}
