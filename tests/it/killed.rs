//! A real process is killed at random moments while it sends, and the next run repairs the state. `KILLS=500`
//! kills more often.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::support::cli::{Env, Said, served};
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

#[test]
fn a_killed_apply_is_made_good_on_every_platform() {
    std::thread::scope(|scope| {
        for provider in ProviderName::ALL {
            scope.spawn(|| killed_and_made_good(*provider));
        }
    });
}
