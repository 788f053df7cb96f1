//! A real process is killed at random moments while it sends, and the next run repairs the state. `KILLS=500`
//! kills more often.

use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::cli::{Env, Said, served};
use crate::support::objects::ObjectStore;
use rolecall_model::ProviderName;
use serde_json::Value;

fn apply(env: &Env) -> Said {
    env.run(&["apply", "--auto-approve", "file.yaml"])
}

/// Returns the state without ids and times: the mails, and the names of working keys, once for each such key.
fn remaining_state(env: &Env) -> (Vec<String>, Vec<String>) {
    let folder = env.path(".rolecall/sandbox");
    let mut worlds = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let world = worlds.find(|path| path.extension().is_some_and(|it| it == "json")).unwrap();
    let world: Value = serde_json::from_str(&std::fs::read_to_string(world).unwrap()).unwrap();
    let texts = |list: &str, field: &str| -> Vec<String> {
        let items = world[list].as_array().into_iter().flatten();
        let works = items.filter(|item| item["enabled"] != Value::Bool(false));
        let mut texts: Vec<String> =
            works.map(|item| item.get(field).unwrap_or(item).as_str().unwrap_or_default().to_owned()).collect();
        texts.sort();
        texts
    };
    (texts("mails", "-"), [texts("keys", "name"), texts("tokens", "title")].concat())
}

/// Returns a number derived from the time. Each run tries other moments, and all of them have to work.
fn pseudo_random(below: u128) -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    u64::try_from(now.as_nanos() / 1000 % below).unwrap()
}

fn killed_and_made_good(provider: ProviderName) {
    let kills: usize = std::env::var("KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(20);
    let (whole, _server) = served(provider, &["--fault", "latency=15"]);
    let began = Instant::now();
    let said = apply(&whole);
    assert_eq!(said.code, 0, "{}", said.all());
    let takes = began.elapsed().as_millis();
    let expected = remaining_state(&whole);
    assert!(!expected.0.is_empty(), "nobody was mailed");
    let mut moments = BTreeSet::new();
    for _ in 0..kills.div_ceil(4) {
        let (env, _server) = served(provider, &["--fault", "latency=15"]);
        let mut child = env
            .command()
            .args(["apply", "--auto-approve", "file.yaml"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let moment = pseudo_random(takes.max(1));
        std::thread::sleep(Duration::from_millis(moment));
        moments.insert(moment);
        // The process gets no chance to clean up.
        child.kill().unwrap();
        child.wait().unwrap();
        for _ in 0..3 {
            let said = apply(&env);
            assert!(matches!(said.code, 0 | 5), "after {moment} ms: {}", said.all());
        }
        let said = env.run(&["plan", "--detailed-exitcode", "file.yaml"]);
        assert_eq!(said.code, 0, "after {moment} ms: {}", said.all());
        let (mails, keys) = remaining_state(&env);
        assert_eq!(keys, expected.1, "after {moment} ms");
        // Where no list shows invitations, a person has to find out whether the mail of a lost answer was sent.
        if said.stdout.contains("the mail may have been sent") || said.stdout.contains("unknown whether") {
            assert!(mails.iter().all(|mail| expected.0.contains(mail)), "after {moment} ms: {mails:?}");
        } else {
            assert_eq!(mails, expected.0, "after {moment} ms: {}", said.all());
        }
    }
    assert!(!moments.is_empty());
}

/// One of the machines that apply to an organisation: it has its own folder and home, and shares the ledger.
struct Runner<'a> {
    env: &'a Env,
    folder: &'static str,
    store: &'a ObjectStore,
}

impl Runner<'_> {
    fn command(&self, verb: &[&str]) -> Command {
        let mut command = self.env.command();
        let folder = self.env.path(self.folder);
        command.current_dir(&folder).env("HOME", folder).envs(self.store.variables.iter().cloned());
        command.args(verb).args(["--ledger", &self.store.ledger, "file.yaml"]);
        command
    }

    fn run(&self, verb: &[&str]) -> Said {
        self.env.said(&self.command(verb).output().unwrap())
    }

    fn spawn(&self) -> Child {
        let mut command = self.command(&["apply", "--auto-approve"]);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }
}

/// Two runners apply at once, with one ledger in a store. Both may be killed.
fn two_runners_are_killed_and_made_good(provider: ProviderName, store: &ObjectStore) {
    let kills: usize = std::env::var("KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(4);
    let (env, _server) = served(provider, &["--fault", "latency=15"]);
    let began = Instant::now();
    assert_eq!(apply(&env).code, 0);
    let takes = u64::try_from(began.elapsed().as_millis()).unwrap();
    let expected = remaining_state(&env);
    for case in 0..kills.div_ceil(4) {
        let (env, _server) = served(provider, &["--fault", "latency=15"]);
        let store = store.folder(&format!("{provider}/{case}"));
        let [first, second] = ["first", "second"].map(|folder| Runner { env: &env, folder, store: &store });
        for runner in [&first, &second] {
            env.write(&format!("{}/file.yaml", runner.folder), env.read("file.yaml"));
        }
        let ledger = first.run(&["plan"]).stderr;
        let ledger = ledger.split_once(&format!("{}/", store.ledger)).unwrap().1.split_once(".jsonl").unwrap().0;
        let seed = pseudo_random(1 << 40);
        let moments = [1_u64, 1009, 1_000_003].map(|divisor| seed / divisor % takes);
        let when = format!("{provider} after {moments:?} ms");
        let mut running = first.spawn();
        std::thread::sleep(Duration::from_millis(moments[0] / 3));
        let mut other = second.spawn();
        std::thread::sleep(Duration::from_millis(moments[1]));
        running.kill().unwrap();
        running.wait().unwrap();
        // A request in flight arrives. By the time that a lock has expired, it has been answered for long.
        std::thread::sleep(Duration::from_millis(200));
        let left = store.text(&format!("{ledger}.jsonl"));
        store.touch_lock(ledger, false);
        std::thread::sleep(Duration::from_millis(moments[2]));
        if seed.is_multiple_of(2) {
            other.kill().unwrap();
        }
        // It was refused, was interrupted, or has found what waits for a person.
        let ended = other.wait().unwrap();
        assert!(matches!(ended.code(), None | Some(0 | 1 | 5)), "{when}: {ended}");
        std::thread::sleep(Duration::from_millis(200));
        store.touch_lock(ledger, false);
        for runner in [&first, &second, &first] {
            let said = runner.run(&["apply", "--auto-approve"]);
            assert!(matches!(said.code, 0 | 5), "{when}: {}", said.all());
        }
        let said = second.run(&["plan", "--detailed-exitcode"]);
        assert_eq!(said.code, 0, "{when}: {}", said.all());
        let (mails, keys) = remaining_state(&env);
        assert_eq!(keys, expected.1, "{when}");
        let mut once = mails.clone();
        once.dedup();
        assert_eq!(once, mails, "{when}: somebody got two mails");
        if said.stdout.contains("the mail may have been sent") || said.stdout.contains("unknown whether") {
            assert!(mails.iter().all(|mail| expected.0.contains(mail)), "{when}: {mails:?}");
        } else {
            assert_eq!(mails, expected.0, "{when}: {}", said.all());
        }
        let kept = store.text(&format!("{ledger}.jsonl"));
        assert!(!kept.is_empty() && kept.starts_with(&left), "{when}: a line of the first runner is lost");
    }
}

fn on_every_platform(store: &ObjectStore) {
    std::thread::scope(|scope| {
        for provider in ProviderName::ALL {
            scope.spawn(|| two_runners_are_killed_and_made_good(*provider, store));
        }
    });
}

#[test]
fn two_killed_runners_with_one_ledger_are_made_good() {
    on_every_platform(&ObjectStore::start());
}

#[cfg(feature = "object-store")]
#[test]
fn two_killed_runners_with_one_ledger_in_a_bucket_are_made_good() {
    on_every_platform(&ObjectStore::s3());
}

#[test]
fn a_killed_apply_is_made_good_on_every_platform() {
    std::thread::scope(|scope| {
        for provider in ProviderName::ALL {
            scope.spawn(|| killed_and_made_good(*provider));
        }
    });
}
