//! The longest chain of requests of a read: each request of it has to wait for the answer to the one before. That, and not
//! the number of requests, decides how long a plan takes.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::rapidapi::{Hub, requests};
use crate::support::rig::{Admission, Platform, Rig, paused};
use crate::support::{bitpanda, hive, paradime, rapidapi};
use rolecall_graphql::{Backoff, ReadCheckpoint, Reader, Redactor, Request, Response, Transport, TransportError};
use rolecall_model::{Completeness, Live};
use rolecall_providers::ReadError;
use rolecall_sandbox::hive::{Assignment, WorldToken};
use rolecall_sandbox::rapidapi::{RootFields, World};
use serde_json::{Value, json};

/// A transport on which every request takes a second, and that fails after a number of answers.
struct Slow {
    inner: Arc<dyn Transport>,
    answers: Mutex<usize>,
}

impl Transport for Slow {
    fn send<'a>(
        &'a self,
        request: &'a Request,
    ) -> Pin<Box<dyn Future<Output = Result<Response, TransportError>> + Send + 'a>> {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let left = self.answers.lock().unwrap().checked_sub(1);
            let Some(left) = left else { return Err(TransportError::NoAnswer("connection reset".to_owned())) };
            *self.answers.lock().unwrap() = left;
            self.inner.send(request).await
        })
    }
}

fn slow<P: Platform>(rig: &Rig<P>, answers: usize) -> Reader {
    let transport = Slow { inner: rig.wire.clone(), answers: Mutex::new(answers) };
    Reader::new(Arc::new(transport), Redactor::default(), Backoff::with_seed(1))
}

/// Reads an organisation. Returns the longest chain of requests, the number of all requests, and what was read.
fn read<P: Platform>(rig: &Rig<P>) -> (u64, usize, Live) {
    let before = rig.wire.sent().len();
    let (time, live) = paused(async {
        let start = tokio::time::Instant::now();
        let live = rolecall_providers::of(P::NAME).read(&slow(rig, usize::MAX), &rig.desired).await.unwrap();
        (start.elapsed(), live)
    });
    (time.as_millis().div_ceil(1000).try_into().unwrap(), rig.wire.sent().len() - before, live)
}

fn chain<P: Platform>(rig: &Rig<P>) -> (u64, usize) {
    let (chain, requests, live) = read(rig);
    assert!(!live.users.completeness.is_incomplete());
    (chain, requests)
}

#[test]
fn bitpanda_asks_for_users_and_keys_at_once() {
    let mut world = bitpanda::world();
    world.users.extend((0..2_500).map(|index| bitpanda::user(&format!("u{index}@x.example"), &["SIGNER"])));
    let rig = bitpanda::Rig::new(world.clone(), "");
    assert_eq!(chain(&rig), (1, 2));
    // The page that came by itself, the question for arguments, and the pages one after the other.
    world.switches.page_size = Some(1_000);
    let rig = bitpanda::Rig::new(world, "");
    assert_eq!(chain(&rig), (1 + 1 + 3, 6));
    // A platform that allows smaller pages only.
    rig.wire.set_front(Arc::new(|request| match request.variables["limit"].as_u64() {
        Some(101..) => Admission::Answered(json!({ "errors": [{ "message": "The limit is at most 100." }] })),
        _ => Admission::Passed,
    }));
    assert_eq!(chain(&rig), (1 + 1 + 1 + 25, 3 + 25));
}

/// Returns an organisation with this many members, and three pages of invitations and of tokens.
fn console(members: usize) -> rolecall_sandbox::hive::World {
    let mut world = hive::world();
    for index in 0..members {
        hive::member(&mut world, &format!("u{index}@x.example"), "Viewer", Assignment::All);
    }
    for index in 0..120 {
        hive::invitation(&mut world, &format!("i{index}@x.example"), "Viewer");
    }
    let own = world.tokens[0].clone();
    for index in 0..50 {
        let (id, title) = (hive::uuid(&index.to_string()), format!("T{index}"));
        world.tokens.push(WorldToken { id, title, ..own.clone() });
    }
    world
}

#[test]
fn hive_asks_for_everything_at_once_and_for_the_pages_of_all_lists_at_once() {
    let rig = hive::Rig::new(hive::world(), "manage: { keys: all }");
    assert_eq!(chain(&rig), (1, 2));
    let rig = hive::Rig::new(console(2_500), "manage: { keys: all }");
    assert_eq!(chain(&rig), (1 + 2, 2 + 2 + 2));
    // A server that gives no page of that size, and one that gives smaller ones.
    rig.wire.set_front(Arc::new(|request| match request.variables["members"].as_u64() {
        Some(1_001..) => Admission::Answered(json!({ "errors": [{ "message": "The limit is at most 1000." }] })),
        _ => Admission::Passed,
    }));
    assert_eq!(chain(&rig), (2 + 2, 2 + 2 + 2 + 2));
}

#[test]
fn paradime_takes_one_request() {
    let mut world = paradime::world();
    for index in 0..2_000 {
        paradime::user(&mut world, &format!("u{index}@x.example"), "ANALYST");
    }
    assert_eq!(chain(&Rig::<paradime::Workspace>::new(world, "")), (1, 1));
}

/// Returns a hub with an organisation of so many people in two teams each, of which a page has at most `page_max` rows.
fn hub(people: usize, page_max: usize) -> World {
    let mut world = rapidapi::with_teams(&["Payments", "Risk"]);
    for index in 1..people {
        let teams = [("Payments", "team-viewer"), ("Risk", "team-viewer")];
        rapidapi::member(&mut world, &format!("u{index}@x.example"), false, &teams);
    }
    world.switches.page_max = page_max;
    world
}

const TEAMS: &str = "users: [{ email: u1@x.example, teams: [Payments] }]";

#[test]
fn a_hub_takes_seven_requests_in_a_chain_of_three_however_many_people_it_has() {
    let rig = rapidapi::Rig::new(hub(1_100, 10_000), TEAMS);
    assert_eq!(chain(&rig), (3, 7));
    // The schema is kept for a day, and an id needs no list of organisations. So five are left.
    let asked: BTreeSet<&str> = requests(&rig, 0).into_iter().collect();
    let once = ["Schema", "ActiveUser", "Roles", "Organizations"];
    assert_eq!(asked, once.into_iter().chain(["Organization", "TeamUsers", "EntitiesRoles"]).collect());
    // Several root fields at once are asked for once, although three parts of the read need them.
    let mut world = hub(20, 10_000);
    world.switches.root_fields = RootFields::Many;
    let rig = rapidapi::Rig::new(world, &format!("several_root_fields: true\n{TEAMS}"));
    assert_eq!(chain(&rig), (3, 6));
}

#[test]
fn a_hub_with_smaller_pages_is_asked_for_all_pages_of_people_at_once() {
    // Two pages of people, and four of 398 rows of roles, whose cursors lead from one to the next.
    assert_eq!(chain(&rapidapi::Rig::new(hub(200, 100), TEAMS)), (1 + 2 + 4, 4 + 1 + 2 + 4));
    let rig = rapidapi::Rig::new(hub(200, 10), "");
    assert_eq!(chain(&rig), (1 + 3, 4 + 1 + 20));
    // A hub that refuses larger pages is asked once more for the first one.
    let rig = rapidapi::Rig::new(hub(200, 1_000), TEAMS);
    rig.wire.set_front(Arc::new(|request| {
        let asked = |at: &str| request.variables.pointer(at).and_then(Value::as_u64).unwrap_or_default();
        let is_too_large = asked("/pagingArgs/limit") > 1_000 || asked("/pagination/first") > 500;
        if !is_too_large {
            return Admission::Passed;
        }
        Admission::Answered(json!({ "errors": [{ "message": "The page is too large." }] }))
    }));
    let (chain, requests, live) = read(&rig);
    assert_eq!((chain, requests, live.users.items.len()), (1 + 2 + 2, 7, 200));
    assert_eq!(live.users.completeness, Completeness::Proven);
}

/// The answers of a read that was interrupted.
#[derive(Default)]
struct Kept(Mutex<BTreeMap<String, Value>>);

impl ReadCheckpoint for Kept {
    fn take(&self, asked: &str) -> Option<Value> {
        self.0.lock().unwrap().remove(asked)
    }

    fn keep(&self, asked: &str, answer: &Value) {
        self.0.lock().unwrap().insert(asked.to_owned(), answer.clone());
    }
}

/// Wherever a read is interrupted while many requests are under way, each answer that has come is used.
#[test]
fn a_resumed_read_pays_for_no_page_twice() {
    let world = hub(20, 2);
    let all = chain(&rapidapi::Rig::new(world.clone(), TEAMS)).1;
    for answers in 0..all {
        let rig = rapidapi::Rig::new(world.clone(), TEAMS);
        let kept: Arc<Kept> = Arc::default();
        let go = |answers: usize| -> Result<Live, ReadError> {
            let reader = slow(&rig, answers).with_checkpoint(kept.clone());
            paused(rolecall_providers::of(Hub::NAME).read(&reader, &rig.desired))
        };
        assert!(go(answers).is_err());
        assert_eq!(rig.wire.sent().len(), answers);
        assert!(go(usize::MAX).is_ok());
        assert_eq!(rig.wire.sent().len(), all, "interrupted after {answers} answers");
    }
}
