//! Carrying a plan out over a network: 1,000 assignments on the Hive sandbox, each request 20 ms away. What goes together
//! and at once, beside the baseline of one mutation after the other, in the same run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a bench fails by panicking")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rolecall_config::{Source, check_source};
use rolecall_engine::apply::{Apply, Deliveries, FinalState, Shutdown};
use rolecall_engine::ledger::Ledger;
use rolecall_graphql::{
    Backoff, ClientSettings, Context, Contexts, HttpSettings, HttpTransport, Quotas, Reader, Redactor, Request,
    Response, Transport, TransportError,
};
use rolecall_model::{Desired, Limit, ProviderName, Removals, Site};
use rolecall_plan::{PlanInput, plan};
use rolecall_sandbox::hive::{Assignment, AuthProvider, Hive, OWN_CREDENTIAL, World, WorldMember, WorldRole};
use rolecall_sandbox::{AnySandbox as _, Fault, FaultKind, Sandbox, Store, serve, system_clock};
use secrecy::SecretString;

const MEMBERS: usize = 1_000;
const LATENCY: Duration = Duration::from_millis(20);

/// Counts the requests that it carries.
struct Counting {
    inner: HttpTransport,
    requests: AtomicUsize,
}

impl Transport for Counting {
    fn send<'a>(
        &'a self,
        request: &'a Request,
    ) -> Pin<Box<dyn Future<Output = Result<Response, TransportError>> + Send + 'a>> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.inner.send(request)
    }
}

fn id(number: usize) -> String {
    format!("00000000-0000-4000-a000-{number:012}")
}

fn world() -> World {
    let mut world = World::empty("acme");
    let at: Timestamp = "2025-01-01T00:00:00Z".parse().unwrap();
    for (number, name) in ["Before", "After"].into_iter().enumerate() {
        let permissions = vec!["project:describe".to_owned()];
        let (description, locked) = ("About it".to_owned(), false);
        world.roles.push(WorldRole { id: id(number), name: name.to_owned(), description, locked, permissions });
    }
    world.members.extend((0..MEMBERS).map(|number| WorldMember {
        user_id: id(1_000_000 + number),
        email: format!("person{number:04}@acme.example"),
        display_name: format!("Person {number}"),
        provider: AuthProvider::Google,
        role_id: id(0),
        resources: Assignment::All,
        created_at: at,
        provisioned: false,
    }));
    world
}

fn desired() -> Desired {
    let mut text = "provider: hive\norganization: acme\nendpoint: https://api.graphql-hive.com/graphql\ncredentials: { token: { env: TOKEN } }\nusers:\n".to_owned();
    for number in 0..MEMBERS {
        let _ = writeln!(text, "  - {{ email: person{number:04}@acme.example, roles: [After] }}");
    }
    let mut desired = check_source(&Source::inline("bench.yaml", text), rolecall_providers::format).0.unwrap();
    desired.guardrails.max_removals = Removals::same_for_each(Limit::Number(usize::MAX));
    desired
}

async fn transport() -> Arc<Counting> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}/graphql", listener.local_addr().unwrap()).parse().unwrap();
    let sandbox = Arc::new(Sandbox::new(Hive::new(world(), system_clock()), Store::Memory));
    sandbox.add_fault(Fault { kind: FaultKind::Latency(LATENCY), operation: None, times: usize::MAX });
    tokio::spawn(serve(sandbox, listener));
    let settings = HttpSettings {
        client: ClientSettings {
            direct: true,
            user_agent: "bench".to_owned(),
            timeout: Duration::from_secs(60),
            extra_ca: None,
        },
        endpoint,
        contexts: Contexts::from([(Context::ONLY, vec![("authorization", SecretString::from(OWN_CREDENTIAL))])]),
    };
    Arc::new(Counting { inner: HttpTransport::new(settings).unwrap(), requests: AtomicUsize::new(0) })
}

/// How long sending and looking afterwards took, and how many requests.
async fn applied(desired: &Desired, parallelism: usize) -> (Duration, usize) {
    let (provider, transport) = (rolecall_providers::of(ProviderName::Hive), transport().await);
    let (redactor, backoff) = (Redactor::default(), Backoff::with_seed(1));
    let reader = Reader::new(transport.clone(), redactor.clone(), backoff);
    let live = provider.read(&reader, desired).await.unwrap();
    let folder = tempfile::TempDir::new().unwrap();
    let mut ledger = Ledger::open(&folder.path().join("ledger.jsonl"), "bench", Timestamp::now()).unwrap();
    let (site, facts, asserted) = (Site::host("bench"), ledger.facts(), BTreeSet::new());
    let input = PlanInput {
        desired,
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
    assert_eq!((plan.sealed.mutations.len(), plan.refusals.len()), (MEMBERS, 0));
    let apply = Apply {
        provider,
        desired,
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
    let before = transport.requests.load(Ordering::Relaxed);
    let began = Instant::now();
    let report = apply.run(&plan, &live, &mut ledger, &mut |_| {}).await.unwrap();
    let took = began.elapsed();
    assert!(report.all_done() && matches!(report.final_state, FinalState::InSync { .. }));
    (took, transport.requests.load(Ordering::Relaxed) - before)
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let desired = desired();
    let by_default = rolecall_providers::of(ProviderName::Hive).traffic().parallelism;
    let (slow, one_by_one) = runtime.block_on(applied(&desired, 1));
    println!("one by one:            {:6.2} s, {one_by_one} requests", slow.as_secs_f64());
    for parallelism in [2, by_default, 2 * by_default] {
        let mut runs: Vec<_> = (0..3).map(|_| runtime.block_on(applied(&desired, parallelism))).collect();
        runs.sort();
        let (took, requests) = runs[1];
        println!(
            "together, {parallelism} at once:   {:6.2} s, {requests} requests: {:.0} times as fast",
            took.as_secs_f64(),
            slow.as_secs_f64() / took.as_secs_f64()
        );
    }
}
