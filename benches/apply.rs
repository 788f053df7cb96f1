//! Carrying a plan out over a network, each request 20 ms away: 1,000 and 5,000 assignments at Hive, and 1,000 updates at
//! Bitpanda, beside the time that the same requests take alone. And opening a ledger of 100,000 lines. A part of a name measures one of
//! these alone, such as `cargo bench --bench apply ledger`.
//!
//! The sandbox computes the answers before, so that rolecall is measured and not the sandbox.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench fails by panicking")]

mod common;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{Rendered, client, custody, custody_yaml, email};
use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use rolecall_config::{Source, check_source};
use rolecall_engine::apply::{Apply, Deliveries, FinalState, Shutdown};
use rolecall_engine::ledger::Ledger;
use rolecall_graphql::{
    Backoff, HttpTransport, Quotas, Reader, Redactor, Request, Response, Transport, TransportError,
};
use rolecall_model::{Desired, Limit, ProviderName, Removals, Site};
use rolecall_plan::{PlanInput, plan};
use rolecall_sandbox::bitpanda::Bitpanda;
use rolecall_sandbox::hive::{Assignment, AuthProvider, Hive, OWN_CREDENTIAL, World, WorldMember, WorldRole};
use rolecall_sandbox::{AnySandbox, Sandbox, Store, system_clock};
use secrecy::SecretString;

const LATENCY: Duration = Duration::from_millis(20);
const SECRET: &str = "bench";
const LINES: usize = 100_000;
const RUNS: usize = 3;

/// Keeps the requests that it carries.
struct Keeping {
    inner: HttpTransport,
    sent: Mutex<Vec<Request>>,
}

impl Transport for Keeping {
    fn send<'a>(
        &'a self,
        request: &'a Request,
    ) -> Pin<Box<dyn Future<Output = Result<Response, TransportError>> + Send + 'a>> {
        self.sent.lock().unwrap().push(request.clone());
        self.inner.send(request)
    }
}

/// Sends requests as fast as possible, in the order of an apply: the mutations, and then the pages one after the other.
async fn send_alone(transport: &dyn Transport, mutations: &[Request], pages: &[Request], parallelism: usize) {
    for (requests, at_once) in [(mutations, parallelism), (pages, 1)] {
        let sent = stream::iter(requests).map(|request| transport.send(request)).buffer_unordered(at_once);
        sent.for_each(|answer| async { assert_eq!(answer.unwrap().status, 200) }).await;
    }
}

fn id(number: usize) -> String {
    format!("00000000-0000-4000-a000-{number:012}")
}

fn console(members: usize) -> World {
    let mut world = World::empty("acme");
    let at: Timestamp = "2025-01-01T00:00:00Z".parse().unwrap();
    for (number, name) in ["Before", "After"].into_iter().enumerate() {
        let permissions = vec!["project:describe".to_owned()];
        let (description, locked) = ("About it".to_owned(), false);
        world.roles.push(WorldRole { id: id(number), name: name.to_owned(), description, locked, permissions });
    }
    world.members.extend((0..members).map(|number| WorldMember {
        user_id: id(1_000_000 + number),
        email: email(number),
        display_name: format!("Person {number}"),
        provider: AuthProvider::Google,
        role_id: id(0),
        resources: Assignment::All,
        created_at: at,
        provisioned: false,
    }));
    world
}

fn console_yaml(members: usize) -> String {
    let mut text = "provider: hive\norganization: acme\nendpoint: https://api.graphql-hive.com/graphql\ncredentials: { token: { env: TOKEN } }\nusers:\n".to_owned();
    for number in 0..members {
        let _ = writeln!(text, "  - {{ email: {}, roles: [After] }}", email(number));
    }
    text
}

/// An organisation on a server: what the file says, and the mutations that a plan has.
struct Case {
    name: &'static str,
    provider: ProviderName,
    desired: Desired,
    server: Arc<Rendered>,
    headers: Vec<(&'static str, SecretString)>,
    changes: usize,
}

impl Case {
    fn of(
        name: &'static str,
        provider: ProviderName,
        text: String,
        sandbox: impl AnySandbox + 'static,
        headers: Vec<(&'static str, SecretString)>,
        changes: usize,
    ) -> Self {
        let mut desired = check_source(&Source::inline("bench.yaml", text), rolecall_providers::format).0.unwrap();
        desired.guardrails.max_removals = Removals::same_for_each(Limit::Number(usize::MAX));
        let server = Rendered::changing(Box::new(sandbox));
        Self { name, provider, desired, server, headers, changes }
    }

    fn hive(name: &'static str, members: usize) -> Self {
        let sandbox = Sandbox::new(Hive::new(console(members), system_clock()), Store::Memory);
        let headers = vec![("authorization", SecretString::from(OWN_CREDENTIAL))];
        Self::of(name, ProviderName::Hive, console_yaml(members), sandbox, headers, members)
    }

    fn bitpanda(name: &'static str, users: usize) -> Self {
        let world = custody("bench", SECRET, users, |_| vec!["OLD_ROLE"]);
        let sandbox = Sandbox::new(Bitpanda::new(world, system_clock()), Store::Memory);
        let endpoint = "https://tapi-sandbox.trustology-test.com/graphql";
        let text = custody_yaml("bench", endpoint, "KEY", users);
        let headers = vec![("x-api-key", SecretString::from(SECRET))];
        Self::of(name, ProviderName::Bitpanda, text, sandbox, headers, users)
    }

    /// Applies, and then sends the same requests alone. Returns how long each took, and the numbers of requests with mutations
    /// and of pages.
    async fn applied(&self, parallelism: usize) -> ([Duration; 2], [usize; 2]) {
        let inner = client(Arc::<Rendered>::clone(&self.server), self.headers.clone()).await;
        let transport = Arc::new(Keeping { inner, sent: Mutex::default() });
        let provider = rolecall_providers::of(self.provider);
        let (redactor, backoff) = (Redactor::default(), Backoff::with_seed(1));
        let reader = Reader::new(transport.clone(), redactor.clone(), backoff);
        let live = provider.read(&reader, &self.desired).await.unwrap();
        let folder = tempfile::TempDir::new().unwrap();
        let mut ledger = Ledger::open(&folder.path().join("ledger.jsonl"), "bench", Timestamp::now()).unwrap();
        let (site, facts, asserted) = (Site::host("bench"), ledger.facts(), BTreeSet::new());
        let input = PlanInput {
            desired: &self.desired,
            live: &live,
            facts: &facts,
            rules: provider.rules(),
            site: &site,
            asserted: &asserted,
            only: None,
            approved: None,
            caller: None,
            now: Timestamp::now(),
        };
        let plan = plan(&input).unwrap().plan;
        assert_eq!((plan.sealed.mutations.len(), plan.refusals.len()), (self.changes, 0));
        let apply = Apply {
            provider,
            desired: &self.desired,
            site: &site,
            reader: &reader,
            transport: transport.clone(),
            redactor: &redactor,
            backoff,
            quotas: &Quotas::default(),
            parallelism,
            caller: None,
            deliveries: &Deliveries::default(),
            approved: None,
            run: "bench",
            generator: "bench",
            clock: &Timestamp::now,
            shutdown: &Shutdown::default(),
        };
        transport.sent.lock().unwrap().clear();
        let began = Instant::now();
        let report = apply.run(&plan, &live, &mut ledger, &mut |_| {}).await.unwrap();
        let took = began.elapsed();
        assert!(report.all_done() && matches!(report.final_state, FinalState::InSync { .. }));
        self.server.start_again();
        let sent = std::mem::take(&mut *transport.sent.lock().unwrap());
        let (mutations, pages): (Vec<_>, Vec<_>) =
            sent.into_iter().partition(|request| request.query.trim_start().starts_with("mutation"));
        let began = Instant::now();
        send_alone(&transport.inner, &mutations, &pages, parallelism).await;
        let alone = began.elapsed();
        self.server.start_again();
        ([took, alone], [mutations.len(), pages.len()])
    }

    /// Prints a line of the table: the time beside that of the requests alone, in theory and as measured.
    async fn print(self, parallelism: usize) {
        self.applied(parallelism).await;
        self.server.slow_down(LATENCY);
        let mut runs = Vec::new();
        for _ in 0..RUNS {
            runs.push(self.applied(parallelism).await);
        }
        let median = |which: usize| {
            let mut times: Vec<Duration> = runs.iter().map(|(times, _)| times[which]).collect();
            times.sort_unstable();
            times[RUNS / 2].as_secs_f64()
        };
        let (took, alone, [mutations, pages]) = (median(0), median(1), runs[0].1);
        let least = (LATENCY * u32::try_from(mutations.div_ceil(parallelism) + pages).unwrap()).as_secs_f64();
        println!(
            "| {} | {parallelism} | {mutations} + {pages} | {took:.2} s | {least:.2} s | {:.2} | {alone:.2} s | {:.2} |",
            self.name,
            took / least,
            took / alone
        );
    }
}

/// Returns the lines of an organisation in which roles have been changed again and again, in runs of 48 changes.
fn lines() -> Vec<u8> {
    let started = r#"{"at":"2026-11-28T03:00:00Z","run":"r","event":"run-started","format_version":"2.4","generator":"rolecall 0.1.0","identity":{"provider":"hive","organization":"acme","host":"app.graphql-hive.com"},"seal":"sha256:4a290b4ce7b7e2940fb42052e34364fd10a70bb2fb78d57fde9ea4e645740041"}"#;
    let intent = r#"{"at":"2026-11-28T03:00:00Z","run":"r","event":"intent","mutation":"m1","operation":"assignMemberRole","change":{"address":"user/a@acme.example","action":"update","before":{"kind":"user","id":"1","email":"a@acme.example","roles":["Viewer"],"resources":"all","enabled":true},"after":{"kind":"user","id":"1","email":"a@acme.example","roles":["Developer"],"resources":"all","enabled":true},"cause":{"is":"declared"},"effects":[{"is":"allows","permissions":["project:describe","schema:check"]}]}}"#;
    let done = r#"{"at":"2026-11-28T03:00:01Z","run":"r","event":"outcome","mutation":"m1","address":"user/a@acme.example","outcome":"done"}"#;
    let finished = r#"{"at":"2026-11-28T03:00:02Z","run":"r","event":"run-finished","in_sync":true,"desired":"sha256:08054720fb77b6e4704f4a26196750d67107c3c54dbca76b4a0f6442d23b19e8"}"#;
    let mut text = String::new();
    let mut count = 0;
    for run in 0.. {
        let named = |line: &str| line.replace(r#""run":"r""#, &format!(r#""run":"20261128T030000Z-{run:05}""#));
        let _ = writeln!(text, "{}", named(started));
        for change in 0..49 {
            let of = |line: &str| {
                let person = email((run * 49 + change) % 5_000);
                named(line).replace("\"m1\"", &format!("\"m{}\"", change + 1)).replace("a@acme.example", &person)
            };
            let _ = writeln!(text, "{}\n{}", of(intent), of(done));
        }
        let _ = writeln!(text, "{}", named(finished));
        count += 100;
        if count >= LINES {
            break;
        }
    }
    text.into_bytes()
}

/// Prints what a long ledger costs at the start of an apply.
fn open_a_long_ledger() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("ledger.jsonl");
    let text = lines();
    let size = text.len() / 1024 / 1024;
    let measure = |what: &str, times: &mut dyn FnMut() -> (Duration, Duration)| {
        let mut runs: Vec<_> = (0..5).map(|_| times()).collect();
        runs.sort_unstable();
        let (open, facts) = runs[2];
        println!("{what}: open {:.0} ms, facts {:.0} ms", open.as_secs_f64() * 1e3, facts.as_secs_f64() * 1e3);
    };
    measure(&format!("a ledger of {LINES} lines, {size} MiB"), &mut || {
        std::fs::write(&path, &text).unwrap();
        let began = Instant::now();
        let ledger = Ledger::open(&path, "bench", Timestamp::now()).unwrap();
        let opened = began.elapsed();
        let began = Instant::now();
        assert!(ledger.facts().ledger_found);
        (opened, began.elapsed())
    });
}

fn main() {
    let part = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    if "ledger".contains(&part) {
        open_a_long_ledger();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    println!(
        "| | in parallel | requests: mutations + pages | time | in theory | ratio | requests alone | ratio |\n|---|---|---|---|---|---|---|---|"
    );
    let hive = |parallelism| ("Hive, 1,000 assignments", 1_000, parallelism);
    for (name, members, parallelism) in [hive(1), hive(2), hive(4), hive(8), ("Hive, 5,000 assignments", 5_000, 4)]
    {
        if name.contains(&part) {
            runtime.block_on(Case::hive(name, members).print(parallelism));
        }
    }
    let name = "Bitpanda, 1,000 updates";
    if name.contains(&part) {
        runtime.block_on(Case::bitpanda(name, 1_000).print(2));
    }
}
