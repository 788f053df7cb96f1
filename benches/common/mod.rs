#![allow(dead_code, clippy::unwrap_used, reason = "each benchmark uses a part, and fails by panicking")]
//! Organisations of any size, and a server that computes each answer only once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::pin::Pin;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rolecall_graphql::{ClientSettings, Context, Contexts, HttpSettings, HttpTransport, Response};
use rolecall_sandbox::bitpanda::{World, WorldKey, WorldUser};
use rolecall_sandbox::hive::{Assignment, AuthProvider, World as HiveWorld, WorldMember, WorldRole};
use rolecall_sandbox::{AnySandbox, Fault, Headers, Reply, digest};
use secrecy::SecretString;

/// The roles of Bitpanda that people have in turn.
pub const ROLES: &[&str] = &["CLUSTER_MANAGER", "CLUSTER_OPS", "SIGNER"];

pub fn email(index: usize) -> String {
    format!("person.number.{index:06}@acme.example")
}

/// The roles in the file.
pub fn roles(index: usize) -> Vec<&'static str> {
    ROLES.iter().enumerate().filter(|(bit, _)| (index >> bit) & 1 == 1).map(|(_, role)| *role).collect()
}

/// The roles on the platform. One user in ten has others than in the file.
pub fn live_roles(index: usize) -> Vec<&'static str> {
    if index.is_multiple_of(10) { vec!["SIGNER", "OLD_ROLE"] } else { roles(index) }
}

/// An organisation at Bitpanda.
pub fn custody(organization: &str, secret: &str, users: usize, roles: fn(usize) -> Vec<&'static str>) -> World {
    let mut world = World::empty(organization);
    let at: Timestamp = "2025-01-01T00:00:00Z".parse().unwrap();
    world.users.extend((0..users).map(|index| WorldUser {
        id: format!("id-{index:06}"),
        email: email(index),
        first_name: Some("Person".to_owned()),
        last_name: Some(format!("Number {index}")),
        phone: None,
        roles: roles(index).into_iter().map(str::to_owned).collect(),
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
        digest: digest(secret),
    });
    world.switches.page_size = Some(100);
    world
}

/// The file of an organisation at Bitpanda.
pub fn custody_yaml(organization: &str, endpoint: &str, variable: &str, users: usize) -> String {
    let mut text = format!(
        "provider: bitpanda\norganization: {organization}\nendpoint: {endpoint}\ncredentials: {{ api_key: {{ env: {variable} }} }}\nown: {{ key: own }}\nusers:\n"
    );
    for index in 0..users {
        let _ = write!(
            text,
            "  - email: {}\n    first_name: Person\n    last_name: Number {index}\n    roles: [{}]\n    enabled: true\n",
            email(index),
            roles(index).join(", ")
        );
    }
    text
}

const MEMBER_ROLES: usize = 8;

fn id(number: usize) -> String {
    format!("00000000-0000-4000-a000-{number:012}")
}

/// The role of a member of Hive in the file. One member in ten has another one on the platform.
fn member_role(index: usize) -> usize {
    index % MEMBER_ROLES
}

/// An organisation at Hive.
pub fn hive(members: usize) -> HiveWorld {
    let mut world = HiveWorld::empty("bench");
    let at: Timestamp = "2025-01-01T00:00:00Z".parse().unwrap();
    world.roles.extend((0..MEMBER_ROLES).map(|number| WorldRole {
        id: id(number),
        name: format!("Role {number}"),
        description: "About it".to_owned(),
        locked: false,
        permissions: vec!["project:describe".to_owned()],
    }));
    world.members.extend((0..members).map(|index| WorldMember {
        user_id: id(1_000_000 + index),
        email: email(index),
        display_name: format!("Person {index}"),
        provider: AuthProvider::Google,
        role_id: id(if index.is_multiple_of(10) {
            (member_role(index) + 1) % MEMBER_ROLES
        } else {
            member_role(index)
        }),
        resources: Assignment::All,
        created_at: at,
        provisioned: false,
    }));
    world
}

/// The file of an organisation at Hive.
pub fn hive_yaml(endpoint: &str, members: usize) -> String {
    let mut text = format!(
        "provider: hive\norganization: bench\nendpoint: {endpoint}\ncredentials: {{ token: {{ env: KEY }} }}\nusers:\n"
    );
    for index in 0..members {
        let _ = write!(text, "  - email: {}\n    roles: [Role {}]\n", email(index), member_role(index));
    }
    text
}

/// A server that computes each answer once: what is measured is rolecall.
pub struct Rendered {
    sandbox: Box<dyn AnySandbox>,
    /// The headers that the sandbox sees, whatever the client sent. `None`: those of the client.
    headers: Option<Headers>,
    /// Makes the answer to a client of the one that the sandbox computed.
    adapt: fn(&Headers, Vec<u8>) -> Vec<u8>,
    /// The time that each request takes, as over the internet.
    latency: Mutex<Duration>,
    /// The length of the longest chain of requests that are answered.
    chain: AtomicUsize,
    /// False if equal requests have equal answers.
    changes: bool,
    answers: Mutex<BTreeMap<Vec<u8>, Answers>>,
    requests: AtomicUsize,
}

/// The answers to a request, and how many of them were given.
type Answers = (usize, Vec<Response>);

impl Rendered {
    pub fn new(
        sandbox: impl AnySandbox + 'static,
        headers: Headers,
        adapt: fn(&Headers, Vec<u8>) -> Vec<u8>,
        latency: Duration,
    ) -> Arc<Self> {
        Arc::new(Self::of(Box::new(sandbox), Some(headers), adapt, latency))
    }

    /// Creates a server that passes on what clients send.
    pub fn passing(sandbox: Box<dyn AnySandbox>) -> Arc<Self> {
        Arc::new(Self::of(sandbox, None, |_, body| body, Duration::ZERO))
    }

    /// Creates a server that passes on what a first client sends, and gives its answers to later ones, each in its turn.
    pub fn changing(sandbox: Box<dyn AnySandbox>) -> Arc<Self> {
        Arc::new(Self { changes: true, ..Self::of(sandbox, None, |_, body| body, Duration::ZERO) })
    }

    /// Gives the first answers again, to another client.
    pub fn start_again(&self) {
        self.answers.lock().unwrap().values_mut().for_each(|(given, _)| *given = 0);
    }

    fn of(
        sandbox: Box<dyn AnySandbox>,
        headers: Option<Headers>,
        adapt: fn(&Headers, Vec<u8>) -> Vec<u8>,
        latency: Duration,
    ) -> Self {
        let (answers, latency) = (Mutex::default(), Mutex::new(latency));
        Self {
            sandbox,
            headers,
            adapt,
            latency,
            chain: AtomicUsize::new(0),
            changes: false,
            answers,
            requests: AtomicUsize::new(0),
        }
    }

    /// Sets the time that each request takes from now on.
    pub fn slow_down(&self, latency: Duration) {
        *self.latency.lock().unwrap() = latency;
    }

    /// Begins to measure the longest chain of requests.
    pub fn begin_chain(&self) {
        self.chain.store(0, Ordering::Relaxed);
    }

    /// Returns the longest chain of requests since then: each came after the answer to the one before.
    pub fn chain(&self) -> usize {
        self.chain.load(Ordering::Relaxed)
    }

    /// Returns the number of requests so far.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    /// Returns the bodies of the requests so far, each once.
    pub fn bodies(&self) -> Vec<Vec<u8>> {
        self.answers.lock().unwrap().keys().cloned().collect()
    }

    /// Serves on a free port of the loopback interface, and returns the endpoint.
    pub async fn serve(self: &Arc<Self>) -> String {
        serve(Arc::<Self>::clone(self)).await
    }

    /// Returns the answer whose turn it is, if it was computed.
    fn known(&self, body: &[u8]) -> Option<Response> {
        let mut answers = self.answers.lock().unwrap();
        let (given, computed) = answers.get_mut(body)?;
        let answer = computed.get(*given)?.clone();
        *given += usize::from(self.changes);
        Some(answer)
    }

    async fn answer(&self, headers: &Headers, body: &[u8]) -> Reply {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let (latency, chain) = (*self.latency.lock().unwrap(), self.chain() + 1);
        if !latency.is_zero() {
            // tokio's own timer takes up to two milliseconds longer.
            tokio::task::spawn_blocking(move || std::thread::sleep(latency)).await.unwrap();
        }
        self.chain.fetch_max(chain, Ordering::Relaxed);
        let answer = match self.known(body) {
            Some(answer) => answer,
            None => match self.sandbox.handle(self.headers.as_ref().unwrap_or(headers), body).await {
                Reply::Answer(answer) => {
                    self.answers.lock().unwrap().entry(body.to_owned()).or_default().1.push(answer.clone());
                    self.known(body).unwrap()
                }
                Reply::Dropped => return Reply::Dropped,
            },
        };
        Reply::Answer(Response { body: (self.adapt)(headers, answer.body), ..answer })
    }
}

/// Serves on a free port of the loopback interface, and returns the endpoint.
async fn serve(server: Arc<dyn AnySandbox>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}/graphql", listener.local_addr().unwrap());
    tokio::spawn(rolecall_sandbox::serve(server, listener));
    endpoint
}

/// Serves on a free port of the loopback interface, and returns a client that sends these headers.
pub async fn client(server: Arc<dyn AnySandbox>, headers: Vec<(&'static str, SecretString)>) -> HttpTransport {
    let settings = HttpSettings {
        client: ClientSettings {
            direct: true,
            user_agent: "bench".to_owned(),
            timeout: Duration::from_secs(60),
            extra_ca: None,
        },
        endpoint: serve(server).await.parse().unwrap(),
        contexts: Contexts::from([(Context::ONLY, headers)]),
    };
    HttpTransport::new(settings).unwrap()
}

impl AnySandbox for Rendered {
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

/// The cost of one run of a program.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    pub wall: Duration,
    /// The time on all cores, to a hundredth of a second. Linux only.
    pub cpu: Duration,
    /// The peak memory in MiB. Linux only.
    pub peak: usize,
}

/// Runs a program to its end, and returns what it cost and its exit code.
pub fn measured(command: &mut Command) -> (Cost, Option<i32>) {
    let (before, started) = (cpu_of_children(), Instant::now());
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        // The peak never falls, so the last look shows it.
        peak = peak_memory(&status).unwrap_or(peak);
        if let Some(ended) = child.try_wait().unwrap() {
            let (wall, cpu) = (started.elapsed(), cpu_of_children().saturating_sub(before));
            return (Cost { wall, cpu, peak }, ended.code());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Returns the most memory that a process ever held, in MiB, from its status. Linux only.
pub fn peak_memory(status: &str) -> Option<usize> {
    let text = std::fs::read_to_string(status).ok()?;
    let kib = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.split_whitespace().next()?;
    kib.parse::<usize>().ok().map(|kib| kib / 1024)
}

/// Returns the time that all ended children of this process have used.
fn cpu_of_children() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name of the program is in parentheses, and may have spaces. The unit is a hundredth of a second.
    let fields: Vec<&str> = stat.rsplit_once(") ").map(|(_, rest)| rest.split(' ').collect()).unwrap_or_default();
    let ticks = fields.iter().skip(13).take(2).filter_map(|field| field.parse::<u64>().ok()).sum::<u64>();
    Duration::from_millis(ticks * 10)
}
