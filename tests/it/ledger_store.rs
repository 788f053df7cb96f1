//! The ledger in a store of objects: nothing is lost, and two runners never write at once.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::cli::{Env, Said, served};
use crate::support::hive;
use crate::support::objects::{Faults, ObjectStore, TOKEN};
use crate::support::rig::now;
use jiff::Timestamp;
use rolecall_engine::ledger::{
    Answer, Endpoint, Event, Ledger, LedgerError, LedgerHome, Objects, Record, Store, StoreError, Tag,
};
use rolecall_graphql::{ClientSettings, client};
use rolecall_model::ProviderName;
use rolecall_sandbox::hive::Assignment;
use secrecy::SecretString;

fn home(store: &ObjectStore) -> LedgerHome {
    let settings = ClientSettings {
        direct: true,
        user_agent: "test".to_owned(),
        timeout: Duration::from_secs(5),
        extra_ca: None,
    };
    let endpoint = Endpoint::new(client(settings).unwrap(), &store.url, Some(&SecretString::from(TOKEN)));
    LedgerHome::Store(Store::new(Arc::new(endpoint.unwrap()), store.url.clone()), "hive-acme".to_owned())
}

fn record(run: &str) -> Record {
    Record { at: now(), run: run.to_owned(), event: Event::Recovered { torn_bytes: 0 } }
}

fn runs(home: &LedgerHome) -> Vec<String> {
    Ledger::read(home).unwrap().unwrap().records.into_iter().map(|record| record.run).collect()
}

#[test]
fn lines_reach_the_store_once_whatever_becomes_of_an_answer() {
    let store = ObjectStore::start();
    let home = home(&store);
    assert_eq!(Ledger::read(&home).unwrap(), None);
    let mut ledger = Ledger::open(&home, "one", now()).unwrap();
    assert!(home.is_held());
    for (run, faults) in [
        ("plain", Faults::default()),
        ("unanswered", Faults { unanswered: 1, ..Faults::default() }),
        ("refused", Faults { refused: 2, ..Faults::default() }),
    ] {
        *store.faults.lock().unwrap() = faults;
        ledger.append(record(run)).unwrap();
        assert_eq!(runs(&home).last().unwrap(), run, "a line is stored before anything is sent");
    }
    // A store that never answers again.
    store.faults.lock().unwrap().is_silent = true;
    let lost = ledger.append(record("unknown")).unwrap_err();
    assert!(matches!(lost, LedgerError::Store { .. }), "{lost}");
    store.faults.lock().unwrap().is_silent = false;
    assert!(!ledger.is_intact() && ledger.append(record("more")).is_err());
    drop(ledger);
    assert!(!home.is_held());
    // The line whose answer was lost is in the ledger once, because the request that it announces could have been sent.
    assert_eq!(runs(&home), ["plain", "unanswered", "refused", "unknown"]);
    Ledger::open(&home, "two", now()).unwrap().append(record("two")).unwrap();
    assert_eq!(runs(&home).len(), 5);
}

/// A store in memory that counts how often each object is written.
#[derive(Debug, Default)]
struct Counting(Mutex<BTreeMap<String, (Vec<u8>, usize)>>);

impl Objects for Counting {
    fn get<'a>(&'a self, name: &'a str) -> Answer<'a, Option<(Vec<u8>, Tag)>> {
        let found = self.0.lock().unwrap().get(name).cloned();
        Box::pin(async move { Ok(found.map(|(content, writes)| (content, Tag(writes.to_string())))) })
    }

    fn put<'a>(&'a self, name: &'a str, content: Vec<u8>, replaces: Option<&'a Tag>) -> Answer<'a, Tag> {
        let mut objects = self.0.lock().unwrap();
        let found = objects.get(name).map(|(_, writes)| *writes);
        if found.map(|writes| Tag(writes.to_string())).as_ref() != replaces {
            return Box::pin(async { Err(StoreError::Conflict) });
        }
        let writes = found.unwrap_or_default() + 1;
        objects.insert(name.to_owned(), (content, writes));
        Box::pin(async move { Ok(Tag(writes.to_string())) })
    }
}

/// Lines that come at the same time share a write: those at the start, the answers to requests and the intents of the next
/// ones, and those of the last read.
#[test]
fn lines_that_come_at_the_same_time_are_written_together() {
    let mut world = hive::world();
    let mut body = "users:\n".to_owned();
    for number in 0..30 {
        hive::member(&mut world, &format!("moves{number}@x.example"), "Viewer", Assignment::All);
        let _ = writeln!(body, "  - {{ email: moves{number}@x.example, roles: [Admin], resources: all }}");
    }
    for number in 0..5 {
        let _ = writeln!(body, "  - {{ email: new{number}@x.example, roles: [Viewer], resources: all }}");
    }
    let mut rig = hive::Rig::new(world, &body);
    let store = Arc::new(Counting::default());
    let home = LedgerHome::Store(Store::new(Arc::<Counting>::clone(&store), "memory".to_owned()), "l".to_owned());
    rig.ledger = Ledger::open(&home, "one", now()).unwrap();
    assert!(rig.apply().all_done());
    // The first of 30 moves goes alone, then 20 together and the other 9. Each invitation goes alone.
    let requests = rig.wire.mutations().len();
    assert_eq!(requests, 3 + 5);
    let (text, writes) = store.0.lock().unwrap()["l.jsonl"].clone();
    // The last read shows five invitations, and each is recorded.
    assert_eq!(String::from_utf8(text).unwrap().matches("\"event\":\"sighting\"").count(), 5);
    // The four lanes send a move and an invitation, then 29 moves in two requests and two invitations, and then the last two.
    // Before each of these there is a write, and after the last.
    assert_eq!(writes, 1 + 3 + 1 + 2);
}

#[test]
fn a_ledger_grows_over_several_objects() {
    let store = ObjectStore::start();
    let home = home(&store);
    // Somebody has copied a long ledger there, and its last line has no end.
    let line = serde_json::to_string(&record("copied")).unwrap();
    store.request("PUT", "hive-acme.jsonl", "", &format!("{}{line}", "\n".repeat(600_000)));
    for run in ["one", "two"] {
        Ledger::open(&home, run, now()).unwrap().append(record(run)).unwrap();
    }
    assert_eq!(runs(&home), ["copied", "one", "two"]);
    assert_eq!(store.text("hive-acme.2.jsonl").lines().filter(|line| !line.is_empty()).count(), 2);
}

#[test]
fn two_runners_never_write_at_once() {
    let store = ObjectStore::start();
    let home = home(&store);
    let begun = Timestamp::now();
    let mut first = Ledger::open(&home, "first", now()).unwrap();
    let hold = first.hold().unwrap();
    first.append(record("first")).unwrap();
    let second = |run: &'static str| {
        let home = home.clone();
        std::thread::spawn(move || Ledger::open(&home, run, now()))
    };
    // While the first lives, the second is refused.
    let waiting = second("second");
    std::thread::sleep(Duration::from_millis(300));
    store.touch_lock("hive-acme", true);
    let refused = waiting.join().unwrap().unwrap_err();
    let LedgerError::Locked { path } = &refused else { panic!("{refused}") };
    assert!(path.contains("hive-acme.lock (run first)"), "{path}");
    // Once the first seems to be dead, the second takes over. Then the first can't record anything, and so sends nothing.
    assert!(hold.is_held());
    store.touch_lock("hive-acme", false);
    let mut third = second("third").join().unwrap().unwrap();
    let late = first.append(record("late")).unwrap_err();
    assert!(late.to_string().contains("another process has written to it meanwhile"), "{late}");
    drop(first);
    assert!(!hold.is_held() && home.is_held(), "the lock of the third is still its own");
    third.append(record("third")).unwrap();
    // Once the third has released it, the next one goes on.
    let waiting = second("fourth");
    std::thread::sleep(Duration::from_millis(300));
    drop(third);
    waiting.join().unwrap().unwrap().append(record("fourth")).unwrap();
    assert_eq!(runs(&home), ["first", "third", "fourth"]);
    assert!(home.was_held_since(begun) && !home.was_held_since(Timestamp::now()));
}

#[test]
fn a_store_that_ignores_a_condition_is_refused() {
    for condition in ["If-Match", "If-None-Match"] {
        let store = ObjectStore::start();
        store.faults.lock().unwrap().ignores = Some(condition);
        let refused = Ledger::open(home(&store), "one", now()).unwrap_err().to_string();
        assert!(refused.contains(&format!("ignores `{condition}`")), "{refused}");
        assert!(home(&store).check_writable("doctor").is_err());
    }
}

/// Runs a verb with the ledger in a store.
fn run(env: &Env, store: &ObjectStore, verb: &[&str]) -> Said {
    env.run(&[verb, &["--ledger", &*store.ledger, "file.yaml"]].concat())
}

/// Goes through the verbs that read or write a ledger.
fn every_verb_uses(store: &ObjectStore) {
    let (mut env, _server) = served(ProviderName::Hive, &[]);
    for (name, value) in &store.variables {
        env.set(name, value);
    }
    let said = run(&env, store, &["doctor"]);
    assert!(said.stdout.contains("There is no ledger"), "{}", said.all());
    assert!(!said.stdout.contains("An apply can't use it"), "{}", said.all());
    let said = run(&env, store, &["plan"]);
    assert_eq!(said.code, 0, "{}", said.all());
    assert!(
        said.stderr.contains(&format!("There is no ledger {}/hive-acme.jsonl", store.ledger)),
        "{}",
        said.all()
    );
    let said = run(&env, store, &["apply", "--auto-approve", "--undo-out", "undo.yaml"]);
    assert_eq!(said.code, 0, "{}", said.all());
    assert!(said.stderr.contains(&format!("recorded in {}/hive-acme.jsonl", store.ledger)), "{}", said.all());
    assert!(said.stderr.contains(&format!("--ledger {}", store.ledger)), "{}", said.all());
    assert!(!env.path(".rolecall/ledger").exists());
    let lines = |store: &ObjectStore| store.text("hive-acme.jsonl").lines().count();
    let applied = lines(store);
    assert!(applied > 3);
    // Something in the example always waits for a person.
    assert_eq!(run(&env, store, &["drift"]).code, 2);
    assert_eq!(lines(store), applied + 1);
    let said = run(&env, store, &["doctor"]);
    assert!(
        said.stdout.contains(&format!("{} records; the last good apply was on $TODAY", applied + 1)),
        "{}",
        said.all()
    );
    assert_eq!(run(&env, store, &["keys"]).code, 0);
    let said = env.run(&["show", &format!("{}/hive-acme.jsonl", store.ledger)]);
    assert_eq!(said.code, 0, "{}", said.all());
    assert!(said.stdout.contains("invite"), "{}", said.all());
    // Another process has the lock. A drift run doesn't wait for it.
    let lock = r#"{"run":"other","since":"2026-01-01T00:00:00Z","at":"NOW","released":false,"writes":1}"#;
    store.request("PUT", "hive-acme.lock", "", &lock.replace("NOW", &Timestamp::now().to_string()));
    assert_eq!(run(&env, store, &["drift"]).code, 2);
    for verb in ["plan", "doctor"] {
        let said = run(&env, store, &[verb]);
        assert!(said.all().contains("running"), "{}", said.all());
    }
    store.touch_lock("hive-acme", false);
    assert_eq!(run(&env, store, &["apply", "--auto-approve"]).code, 0);
    for (name, value) in &store.variables {
        assert!(name.contains("REGION") || !said.all().contains(value) || store.ledger.contains(value), "{name}");
    }
}

/// moto checks conditions as S3 does.
#[cfg(feature = "object-store")]
#[test]
fn every_verb_uses_the_ledger_of_a_bucket() {
    let store = ObjectStore::s3();
    every_verb_uses(&store.folder("access/rolecall"));
    let mut env = Env::new();
    for (name, value) in &store.variables {
        env.set(name, value);
    }
    env.set("AWS_ENDPOINT_URL", "http://s3.example");
    let said = env.run(&["show", "s3://ledgers/x/hive-acme.jsonl"]);
    assert!(said.stderr.contains("its address is not encrypted"), "{}", said.all());
}

#[test]
fn every_verb_uses_the_ledger_of_an_endpoint() {
    let store = ObjectStore::start();
    every_verb_uses(&store);
    let mut env = Env::new();
    env.write("file.yaml", crate::support::cli::example("hive.yaml"));
    let refused = |env: &Env, ledger: &str| env.run(&["show", ledger]).stderr;
    assert!(refused(&env, "http://ledger.example/x/hive-acme.jsonl").contains("unencrypted"));
    assert!(refused(&env, "https://a:b@ledger.example/x/hive-acme.jsonl").contains("a password"));
    assert!(refused(&env, &format!("{}/hive-acme.jsonl", store.url)).contains("HTTP 401"));
    env.set("ROLECALL_LEDGER_TOKEN", TOKEN);
    assert!(refused(&env, &format!("{}/other.jsonl", store.url)).contains("There is no ledger"));
    if cfg!(not(feature = "object-store")) {
        assert!(refused(&env, "s3://bucket/x/hive-acme.jsonl").contains("released binaries have it"));
    }
}
