//! A long ledger is shortened, and says what it said before.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use rolecall_engine::ledger::{Event, Ledger, Record};
use rolecall_model::{
    Action, Address, Cause, Change, Email, Entity, Facts, HoldReason, Identity, Outcome, ProviderName, RemoteId,
    RoleName, Seen, Site, User,
};
use tempfile::TempDir;

use crate::Law;
use crate::support::rig::now;

/// Some numbers, from which a line is made.
type Seed = (u8, u8, u8, u8);

fn user(who: u8, value: u8) -> User {
    let enabled = [Seen::Unreadable, Seen::Known(false), Seen::Known(true)][usize::from(value % 8).min(2)];
    User {
        id: Some(RemoteId::seen(format!("id-{who}"))),
        email: Email::seen(&format!("user{who}@x.example")),
        first_name: None,
        last_name: None,
        phone: None,
        roles: BTreeSet::from([RoleName::seen(format!("Role {}", value % 3))]),
        resources: None,
        teams: None,
        enabled,
        invited: false,
        invited_at: None,
        outside: false,
    }
}

fn address(who: u8) -> Address {
    Address::user(&Email::seen(&format!("user{who}@x.example")))
}

/// Returns the lines of a mutation. Most are updates that were done.
fn mutation(number: usize, who: u8, value: u8, how: u8) -> Vec<Event> {
    let action = match how {
        0 | 1 => Action::Invite,
        2 => Action::RemoveAccess,
        3 => Action::Disable,
        4 => Action::Remove,
        _ => Action::Update,
    };
    let mut after = user(who, value);
    if action == Action::Disable {
        after.enabled = Seen::Known(false);
    }
    let (before, after) = (Some(Entity::User(user(who, value / 2))), Some(Entity::User(after)));
    let after = after.filter(|_| action != Action::Remove);
    let change =
        Change { address: address(who), action, before, after, cause: Cause::Declared, effects: Vec::new() };
    let mutation = format!("m{number}");
    let first_step = value == 40;
    let (operation, known) = ("update".to_owned(), BTreeSet::new());
    let intent =
        Event::Intent { mutation: mutation.clone(), operation, change: Box::new(change), known, first_step };
    let outcome = |outcome: Outcome, refused: bool| Event::Outcome {
        mutation: mutation.clone(),
        address: address(who),
        outcome,
        refused,
        id: (value == 41).then(|| RemoteId::seen("made")),
        message: None,
    };
    let outcomes = match value {
        28 => Vec::new(),
        29 => vec![outcome(Outcome::Unsure, false)],
        30 => vec![outcome(Outcome::Unsure, false), outcome(Outcome::Done, false)],
        31 | 32 => vec![outcome(Outcome::Failed, true)],
        33 => vec![outcome(Outcome::NotTaken, false)],
        34 => vec![outcome(Outcome::Done, false), outcome(Outcome::NotTaken, false)],
        35 => vec![outcome(Outcome::Skipped, false)],
        36..40 => vec![outcome(Outcome::Failed, false)],
        _ => vec![outcome(Outcome::Done, false)],
    };
    std::iter::once(intent).chain(outcomes).collect()
}

fn identity() -> Identity {
    Identity { provider: ProviderName::Hive, organization: RemoteId::seen("acme"), site: Site::host("x.example") }
}

fn started(seal: u8) -> Event {
    Event::RunStarted {
        format_version: if seal == 7 { "2.3" } else { "2.4" }.to_owned(),
        generator: "test".to_owned(),
        identity: identity(),
        seal: format!("seal-{}", seal % 5),
        approved: (seal > 5).then(|| "seal-approved".to_owned()),
    }
}

fn finished(seal: u8, differing: u8) -> Event {
    Event::RunFinished {
        in_sync: (seal > 0).then_some(differing == 0),
        desired: (seal > 0).then(|| format!("hash-{}", seal % 3)),
        differing: (0..differing % 3).map(address).collect(),
        directory_people: (seal == 3).then(|| ("people".to_owned(), usize::from(differing))).into_iter().collect(),
        not_selected: usize::from(seal == 4),
    }
}

/// Returns an event that isn't about a mutation.
fn other(kind: u8, who: u8, value: u8) -> Event {
    let address = address(who);
    let with_id = address.clone().with_id(&RemoteId::seen(format!("id-{who}")));
    match kind {
        0 => Event::Sighting { address, seen: value.is_multiple_of(2), accepted: value.is_multiple_of(3) },
        1 => Event::Held { address, reason: HoldReason::NoMutation },
        2 => Event::LeftAs { address, entity: Box::new(Entity::User(user(who, value))) },
        3 => Event::Settled { address },
        4 => Event::Vanished { address: with_id },
        5 => Event::Readmitted { address: with_id },
        6 => Event::Members { listed: BTreeSet::from([with_id]) },
        7 => Event::Lost { address, what: "phone".to_owned() },
        8 => Event::Recovered { torn_bytes: 1 },
        _ => Event::DriftFinished {
            format_version: "2.4".to_owned(),
            generator: "test".to_owned(),
            identity: identity(),
            in_sync: value.is_multiple_of(2),
        },
    }
}

/// Returns the records of runs, and of drift runs between them.
fn records(seeds: &[Seed]) -> Vec<Record> {
    let mut events = vec![("run-0".to_owned(), started(0))];
    let mut run = 0;
    for (number, (kind, who, value, how)) in seeds.iter().copied().enumerate() {
        let name = format!("run-{run}");
        let next = match kind {
            0..4 => {
                run += 1;
                events.push((name, finished(how % 8, value % 4)));
                vec![started(value % 8)]
            }
            4..7 => vec![other(how % 10, who, value)],
            _ => mutation(number % 30, who, value, how),
        };
        events.extend(next.into_iter().map(|event| (format!("run-{run}"), event)));
    }
    dated(events)
}

/// Returns facts without the numbers of the lines. Only their order means something.
fn in_order(mut facts: Facts) -> Facts {
    let touched = facts.touched.values().copied();
    let applied = facts.applied.values().map(|applied| applied.position);
    let finished = facts.finished.iter().map(|finished| finished.position);
    let all: BTreeSet<usize> = touched.chain(applied).chain(finished).collect();
    let places: BTreeMap<usize, usize> = all.into_iter().enumerate().map(|(place, line)| (line, place)).collect();
    facts.touched.values_mut().for_each(|line| *line = places[line]);
    facts.applied.values_mut().for_each(|applied| applied.position = places[&applied.position]);
    facts.finished.iter_mut().for_each(|finished| finished.position = places[&finished.position]);
    facts
}

/// Returns the records of runs with one change each, of which each has another file.
fn merges(seeds: &[Seed]) -> Vec<Record> {
    let mut all = Vec::new();
    for (run, (kind, who, value, how)) in seeds.iter().copied().enumerate() {
        let mut events = vec![started(kind % 8)];
        events.extend(mutation(0, who, value, how));
        let desired = Some(format!("hash-{}", run - usize::from(kind == 0).min(run)));
        let (differing, directory_people) = ((0..kind % 3).map(address).collect(), BTreeMap::new());
        events.push(Event::RunFinished {
            in_sync: Some(true),
            desired,
            differing,
            directory_people,
            not_selected: 0,
        });
        all.extend(events.into_iter().map(|event| (format!("run-{run}"), event)));
    }
    dated(all)
}

fn dated(events: Vec<(String, Event)>) -> Vec<Record> {
    let at = |line: usize| now() + SignedDuration::from_secs(i64::try_from(line).unwrap());
    events.into_iter().enumerate().map(|(line, (run, event))| Record { at: at(line), run, event }).collect()
}

/// Writes the lines up to each of these ends, and shortens the ledger then.
fn a_shorter_ledger_says_the_same(all: &[Record], ends: &[usize]) -> Law {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger.jsonl");
    let mut whole = Ledger::default();
    let mut written = 0;
    for until in ends.iter().copied() {
        let mut ledger = Ledger::open(&path, "next", now()).unwrap();
        ledger.append_all(all[written..until].to_vec()).unwrap();
        whole.append_all(all[written..until].to_vec()).unwrap();
        written = until;
        let lines = ledger.records().len();
        if ledger.shorten(0, "next", now()).unwrap().is_some() {
            prop_assert!(ledger.records().len() <= lines / 2 + 1);
        }
        prop_assert_eq!(in_order(ledger.facts()), in_order(whole.facts()));
        for seal in ["seal-0", "seal-1", "seal-2", "seal-3", "seal-4", "seal-approved"] {
            prop_assert_eq!(ledger.sent_under(seal), whole.sent_under(seal));
        }
        let last = |ledger: &Ledger| {
            let is_end = |record: &&Record| matches!(record.event, Event::RunFinished { .. });
            ledger.records().iter().rev().find(is_end).cloned()
        };
        prop_assert_eq!(last(&ledger), last(&whole));
        let read = Ledger::read(&path).unwrap().unwrap().records;
        prop_assert_eq!(&read, ledger.records());
        let history = Ledger::history(&path, &read).unwrap();
        prop_assert_eq!(&history.unwrap_or(read), whole.records());
    }
    Ok(())
}

fn seed() -> impl Strategy<Value = Seed> {
    (0..40_u8, 0..3_u8, 0..200_u8, 0..90_u8)
}

proptest! {
    #[test]
    fn a_shorter_ledger_says_what_the_long_one_said(parts in prop::collection::vec(prop::collection::vec(seed(), 1..60), 1..4)) {
        let ends = (1..=parts.len()).map(|part| records(&parts[..part].concat()).len());
        a_shorter_ledger_says_the_same(&records(&parts.concat()), &ends.collect::<Vec<_>>())?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 100, ..ProptestConfig::with_cases(3) })]
    #[test]
    fn a_ledger_of_many_merges_says_the_same_when_it_is_shorter(seeds in prop::collection::vec(seed(), 900..1300)) {
        let all = merges(&seeds);
        a_shorter_ledger_says_the_same(&all, &[all.len() / 2, all.len()])?;
    }
}

/// One change in each run makes a ledger long, too.
#[test]
fn a_ledger_of_many_merges_becomes_short() {
    let seeds: Vec<Seed> = (0..15_000_usize).map(|run| (1, u8::try_from(run % 3).unwrap(), 50, 50)).collect();
    let folder = TempDir::new().unwrap();
    let mut ledger = Ledger::open(&folder.path().join("ledger.jsonl"), "next", now()).unwrap();
    ledger.append_all(merges(&seeds)).unwrap();
    assert_eq!(ledger.records().len(), 60_000);
    assert!(ledger.shorten(20_000, "next", now()).unwrap().is_some());
    assert!(ledger.records().len() < 2_100, "{}", ledger.records().len());
}

/// The law would hold if no ledger was ever shortened.
#[test]
fn most_ledgers_become_shorter() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut shorter = 0;
    for _ in 0..50 {
        let seeds = prop::collection::vec(seed(), 100).new_tree(&mut runner).unwrap().current();
        let folder = TempDir::new().unwrap();
        let mut ledger = Ledger::open(&folder.path().join("ledger.jsonl"), "next", now()).unwrap();
        ledger.append_all(records(&seeds)).unwrap();
        shorter += usize::from(ledger.shorten(0, "next", now()).unwrap().is_some());
    }
    assert!(shorter > 25, "{shorter} of 50");
}
