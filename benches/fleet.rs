//! What a fleet costs: requests, time and peak memory of a drift run over many organisations, on one machine beside several
//! shards. Each machine is a process of its own, and they run one after the other, so none slows another down.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark talks, and fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::pin::Pin;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rolecall_graphql::Response;
use rolecall_sandbox::bitpanda::{Bitpanda, World, WorldKey, WorldUser};
use rolecall_sandbox::{AnySandbox, Fault, Headers, Reply, Sandbox, Store, digest, serve, system_clock};

const PEOPLE: usize = 200;
const SIZES: &[usize] = &[100, 1_000];
const SHARDS: usize = 4;
/// The time that each request takes, as over the internet.
const LATENCY: Duration = Duration::from_millis(20);

fn email(index: usize) -> String {
    format!("person.number.{index:03}@acme.example")
}

fn secret(organization: usize) -> String {
    format!("secret-{organization:04}")
}

/// Returns the organisation that a key belongs to.
fn organization(key: &str) -> String {
    key.replace("secret", "organisation")
}

fn world() -> World {
    let mut world = World::empty(organization(&secret(0)));
    let at: Timestamp = "2025-01-01T00:00:00Z".parse().unwrap();
    world.users.extend((0..PEOPLE).map(|index| WorldUser {
        id: format!("id-{index:03}"),
        email: email(index),
        first_name: Some("Person".to_owned()),
        last_name: Some(format!("Number {index}")),
        phone: None,
        roles: ["CLUSTER_OPS".to_owned()].into(),
        enabled: true,
        accepted: true,
        created_at: at,
    }));
    world.keys.push(WorldKey {
        id: "own".to_owned(),
        name: "own".to_owned(),
        roles: BTreeSet::from(["ADMIN".to_owned()]),
        expires: "2099-01-01T00:00:00Z".parse().unwrap(),
        enabled: true,
        digest: digest(&secret(0)),
    });
    world.switches.page_size = Some(100);
    world
}

/// Writes the file of each organisation, as it is live.
fn write_files(folder: &Path, organizations: usize, url: &str) {
    std::fs::create_dir_all(folder).unwrap();
    for organization in 0..organizations {
        let mut text = format!(
            "provider: bitpanda\norganization: organisation-{organization:04}\nendpoint: {url}\ncredentials: {{ api_key: {{ env: KEY_{organization:04} }} }}\nown: {{ key: own }}\nusers:\n"
        );
        for index in 0..PEOPLE {
            let _ = writeln!(
                text,
                "  - {{ email: {}, first_name: Person, last_name: Number {index}, roles: [CLUSTER_OPS], enabled: true }}",
                email(index)
            );
        }
        std::fs::write(folder.join(format!("organisation-{organization:04}.yaml")), text).unwrap();
    }
}

/// All organisations behind one endpoint. They are alike, so one world answers for all, and each answer is computed once: what
/// is measured is rolecall.
struct Fleet {
    sandbox: Sandbox<Bitpanda>,
    answers: Mutex<BTreeMap<Vec<u8>, Response>>,
    requests: Arc<AtomicUsize>,
}

impl Fleet {
    async fn answer(&self, headers: &Headers, body: &[u8]) -> Reply {
        self.requests.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(LATENCY).await;
        let known = self.answers.lock().unwrap().get(body).cloned();
        let answer = match known {
            Some(answer) => answer,
            None => match self.sandbox.handle(&Headers::new([("x-api-key", secret(0))]), body).await {
                Reply::Answer(answer) => answer,
                Reply::Dropped => return Reply::Dropped,
            },
        };
        self.answers.lock().unwrap().insert(body.to_owned(), answer.clone());
        // The only difference between the organisations is the name.
        let key = headers.get("x-api-key").unwrap();
        let named = String::from_utf8(answer.body).unwrap().replace(&organization(&secret(0)), &organization(key));
        Reply::Answer(Response { body: named.into_bytes(), ..answer })
    }
}

impl AnySandbox for Fleet {
    fn handle<'a>(
        &'a self,
        headers: &'a Headers,
        body: &'a [u8],
    ) -> Pin<Box<dyn Future<Output = Reply> + Send + 'a>> {
        Box::pin(self.answer(headers, body))
    }

    fn reset(&self) -> Result<(), String> {
        Ok(())
    }

    fn set(&self, _: &[String]) -> Result<(), String> {
        Ok(())
    }

    fn add_fault(&self, _: Fault) {}
}

/// Runs a drift check, and returns the time that it took and its peak memory in MiB.
fn drift(folder: &Path, organizations: usize, options: &[String]) -> (Duration, usize) {
    let started = Instant::now();
    let mut command = Command::new(env!("CARGO_BIN_EXE_rolecall"));
    command.current_dir(folder).args(["drift", "access", "--report", "json=drift.json"]).args(options);
    command.env_clear().env("HOME", folder).env("ROLECALL_ALLOWED_HOSTS", "127.0.0.1");
    command.envs((0..organizations).map(|organization| (format!("KEY_{organization:04}"), secret(organization))));
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    let ended = loop {
        // The peak never falls, so the last look shows it. Linux only.
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
        peak = kib.map_or(peak, |kib| kib / 1024);
        if let Some(ended) = child.try_wait().unwrap() {
            break ended;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    assert!(ended.success(), "{ended}");
    (started.elapsed(), peak)
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for &organizations in SIZES {
        let folder = tempfile::tempdir().unwrap();
        let requests = Arc::new(AtomicUsize::new(0));
        let sandbox = Sandbox::new(Bitpanda::new(world(), system_clock()), Store::Memory);
        let fleet = Arc::new(Fleet { sandbox, answers: Mutex::default(), requests: Arc::clone(&requests) });
        let url = runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}/graphql", listener.local_addr().unwrap());
            tokio::spawn(serve(fleet, listener));
            url
        });
        write_files(&folder.path().join("access"), organizations, &url);
        let measured = |name: &str, options: &[String]| {
            let before = requests.load(Ordering::Relaxed);
            let (time, peak) = drift(folder.path(), organizations, options);
            let sent = requests.load(Ordering::Relaxed) - before;
            println!("{organizations} organisations, {name}: {sent} requests, {time:.1?}, {peak} MiB");
        };
        for at_once in [1, 4, 16] {
            let options = ["--organizations-at-once".to_owned(), at_once.to_string()];
            measured(&format!("one machine, {at_once} at once"), &options);
        }
        for number in 1..=SHARDS {
            measured(&format!("shard {number}"), &["--shard".to_owned(), format!("{number}/{SHARDS}")]);
        }
    }
}
