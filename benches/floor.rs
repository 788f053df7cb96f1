//! A whole plan beside the least that it can cost: a client that fetches the same pages, parses the same file meanwhile, joins
//! the two and counts what differs. Both are processes of their own, and take turns.
//!
//! `SIZES=1000,100000 cargo bench --bench floor` measures other sizes, `RUNS=30` more runs. With
//! `PROFILER="valgrind --tool=callgrind --callgrind-out-file=$PWD/plan.out"`, the plans run below a profiler.
//!
//! `PROGRAM=target/dist/rolecall` measures another program, such as the one that people download.
//!
//! `COUNT=1` counts instructions instead, which are the same on a busy machine. It fails if a plan takes over 3 % more than
//! `instructions.txt` beside this file says. `BLESS=1` writes the file: say in the commit why it grows.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a benchmark talks, and fails by panicking"
)]

mod common;

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::Duration;

use common::{Cost, Rendered, custody, custody_yaml, hive, hive_yaml, live_roles, measured};
use reqwest::Client;
use rolecall_sandbox::bitpanda::Bitpanda;
use rolecall_sandbox::hive::{Hive, OWN_CREDENTIAL};
use rolecall_sandbox::{Headers, Sandbox, Store, system_clock};
use serde::Deserialize;
use tempfile::TempDir;
use tokio::runtime::{self, Runtime};

const SECRET: &str = "bench";

/// The parts of the file that the floor looks at.
#[derive(Deserialize)]
struct File {
    users: Vec<FileUser>,
}

#[derive(Deserialize)]
struct FileUser {
    email: String,
    roles: Vec<String>,
}

/// The parts of an answer that the floor looks at, of either platform.
#[derive(Deserialize)]
struct Answer {
    data: Data,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    organisation_management: Option<Management>,
    organization: Option<Organization>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Management {
    list_users: Option<Users>,
}

#[derive(Deserialize)]
struct Users {
    items: Vec<FileUser>,
}

#[derive(Deserialize)]
struct Organization {
    members: Option<Members>,
}

#[derive(Deserialize)]
struct Members {
    edges: Vec<Edge>,
}

#[derive(Deserialize)]
struct Edge {
    node: Member,
}

#[derive(Deserialize)]
struct Member {
    user: Named,
    role: Named,
}

#[derive(Deserialize)]
struct Named {
    #[serde(alias = "name")]
    email: String,
}

impl Answer {
    fn users(self) -> Vec<FileUser> {
        let custody = self.data.organisation_management.and_then(|management| management.list_users);
        let hive = self.data.organization.and_then(|organization| organization.members);
        let members = hive.into_iter().flat_map(|members| members.edges);
        let members =
            members.map(|edge| FileUser { email: edge.node.user.email, roles: vec![edge.node.role.email] });
        custody.into_iter().flat_map(|users| users.items).chain(members).collect()
    }
}

/// Sends the requests of one list, each after the answer to the one before.
async fn list(client: Client, endpoint: String, bodies: Vec<String>) -> Vec<FileUser> {
    let mut users = Vec::new();
    for body in bodies {
        let request = client.post(&endpoint).header("content-type", "application/json").body(body);
        let answer = request.send().await.unwrap().bytes().await.unwrap();
        users.extend(serde_json::from_slice::<Answer>(&answer).unwrap().users());
    }
    users
}

/// Returns how many users differ.
fn floor(folder: &Path, endpoint: &str) -> usize {
    let text = std::fs::read_to_string(folder.join("bench.yaml")).unwrap();
    let unlimited = || serde_yaml::options! { budget: None };
    let parsed =
        std::thread::spawn(move || serde_yaml::from_str_with_options::<File>(&text, unlimited()).unwrap());
    let mut lists: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for body in std::fs::read_to_string(folder.join("bodies")).unwrap().lines() {
        // A page begins where the one before ends, and the first page of Hive comes with everything else.
        let operation = body.split("\"operationName\":\"").nth(1).unwrap().split('"').next().unwrap();
        let list = if operation == "Organization" { "MembersPage" } else { operation };
        lists.entry(list.to_owned()).or_default().push(body.to_owned());
    }
    let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let live: HashMap<String, Vec<String>> = runtime.block_on(async {
        rustls::crypto::ring::default_provider().install_default().unwrap();
        let client = Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
        let tasks: Vec<_> = lists
            .into_values()
            .map(|bodies| tokio::spawn(list(client.clone(), endpoint.to_owned(), bodies)))
            .collect();
        let mut live = HashMap::new();
        for task in tasks {
            live.extend(task.await.unwrap().into_iter().map(|user| (user.email, user.roles)));
        }
        live
    });
    parsed.join().unwrap().users.iter().filter(|user| live.get(&user.email) != Some(&user.roles)).count()
}

fn numbers(variable: &str, default: &[usize]) -> Vec<usize> {
    let given = std::env::var(variable).ok();
    given.map_or(default.to_vec(), |text| text.split(',').map(|number| number.parse().unwrap()).collect())
}

/// Returns the middle of the times, the sum of the CPU times, and the highest peak.
fn summary(costs: &mut [Cost]) -> Cost {
    costs.sort_by_key(|cost| cost.wall);
    Cost {
        wall: costs[costs.len() / 2].wall,
        cpu: costs.iter().map(|cost| cost.cpu).sum(),
        peak: costs.iter().map(|cost| cost.peak).max().unwrap(),
    }
}

/// An organisation on a server, with its file.
struct Case {
    folder: TempDir,
    endpoint: String,
    server: Arc<Rendered>,
    /// The threads of the server.
    _runtime: Runtime,
}

impl Case {
    fn new(platform: &str, users: usize) -> Self {
        let runtime = runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let adapt = |_: &Headers, body: Vec<u8>| body;
        let server = if platform == "hive" {
            let headers = Headers::new([("authorization", OWN_CREDENTIAL)]);
            let sandbox = Sandbox::new(Hive::new(hive(users), system_clock()), Store::Memory);
            Rendered::new(sandbox, headers, adapt, Duration::ZERO)
        } else {
            let world = custody("bench", SECRET, users, live_roles);
            let sandbox = Sandbox::new(Bitpanda::new(world, system_clock()), Store::Memory);
            Rendered::new(sandbox, Headers::new([("x-api-key", SECRET)]), adapt, Duration::ZERO)
        };
        let endpoint = runtime.block_on(server.serve());
        let text = if platform == "hive" {
            hive_yaml(&endpoint, users)
        } else {
            custody_yaml("bench", &endpoint, "KEY", users)
        };
        std::fs::write(folder.path().join("bench.yaml"), text).unwrap();
        let case = Self { folder, endpoint, server, _runtime: runtime };
        Self::run(case.plan(&std::env::var("PROFILER").unwrap_or_default()));
        // The client sends what the plan has sent.
        let bodies = case.server.bodies().into_iter().map(|body| String::from_utf8(body).unwrap());
        std::fs::write(case.folder.path().join("bodies"), bodies.collect::<Vec<_>>().join("\n")).unwrap();
        Self::run(case.client(""));
        case
    }

    /// Returns the command that plans. `profiler`: the words before it.
    fn plan(&self, profiler: &str) -> Command {
        let built = PathBuf::from(env!("CARGO_BIN_EXE_rolecall"));
        let program = std::env::var_os("PROGRAM").map_or(built, |path| Path::new(&path).canonicalize().unwrap());
        let mut command = self.command(profiler, program.as_os_str());
        command.args(["plan", "bench.yaml", "--max-removals", "100%"]);
        command.env("ROLECALL_ALLOWED_HOSTS", "127.0.0.1").env("KEY", SECRET);
        command
    }

    /// Returns the command of the least client.
    fn client(&self, profiler: &str) -> Command {
        let mut command = self.command(profiler, std::env::current_exe().unwrap().as_os_str());
        command.env(FLOOR, &self.endpoint);
        command
    }

    fn command(&self, profiler: &str, program: &OsStr) -> Command {
        let mut command = Command::new("env");
        command.args(profiler.split_whitespace()).arg(program).current_dir(self.folder.path()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", self.folder.path());
        command
    }

    fn run(mut command: Command) -> Cost {
        let (cost, code) = measured(&mut command);
        assert_eq!(code, Some(0), "it plans, or finds that one in ten differs: {command:?}");
        cost
    }

    /// Returns the number of instructions that a command takes.
    fn instructions(&self, command: impl Fn(&str) -> Command) -> u64 {
        let counted = self.folder.path().join("counted");
        Self::run(command(&format!("valgrind --tool=callgrind --callgrind-out-file={}", counted.display())));
        let text = std::fs::read_to_string(&counted).unwrap();
        let summary = text.lines().find_map(|line| line.strip_prefix("summary: ")).unwrap();
        summary.trim().parse().unwrap()
    }
}

fn compare(platform: &str, users: usize, runs: usize) {
    let case = Case::new(platform, users);
    let profiler = std::env::var("PROFILER").unwrap_or_default();
    let pair = || (Case::run(case.plan(&profiler)), Case::run(case.client("")));
    let (mut plans, mut clients): (Vec<Cost>, Vec<Cost>) = (0..runs).map(|_| pair()).unzip();
    let (plan, client) = (summary(&mut plans), summary(&mut clients));
    let ratio = |plan: Duration, client: Duration| plan.as_secs_f64() / client.as_secs_f64();
    println!(
        "{platform}, {users} users, {} requests: plan {:.0?}, floor {:.0?}: {:.2} times the time, {:.2} times the CPU; {} MiB, floor {} MiB",
        case.server.bodies().len(),
        plan.wall,
        client.wall,
        ratio(plan.wall, client.wall),
        ratio(plan.cpu, client.cpu),
        plan.peak,
        client.peak,
    );
}

/// The numbers of instructions that were committed, in thousands, by platform and size.
const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/instructions.txt");

/// The growth that needs a word in the commit.
const GROWTH: f64 = 1.03;

/// Counts the instructions of plans and of the least client. Returns whether no plan takes many more than was committed.
fn count(platforms: [&str; 2], sizes: &[usize]) -> bool {
    let committed = std::fs::read_to_string(COMMITTED).unwrap_or_default();
    let mut lines =
        String::from("# platform, users: instructions of a plan, and of the least client, in thousands\n");
    let mut fits = true;
    for platform in platforms {
        for users in sizes {
            let case = Case::new(platform, *users);
            let plan = case.instructions(|profiler| case.plan(profiler)) / 1000;
            let client = case.instructions(|profiler| case.client(profiler)) / 1000;
            let _ = writeln!(lines, "{platform} {users}: {plan} {client}");
            let name = format!("{platform} {users}: ");
            let before =
                committed.lines().find_map(|line| line.strip_prefix(&name)?.split(' ').next()?.parse().ok());
            let growth = plan as f64 / before.unwrap_or(0_u64) as f64;
            fits &= growth <= GROWTH;
            let ratio = plan as f64 / client as f64;
            println!(
                "{platform}, {users} users: {plan} thousand, {growth:.3} times as committed, {ratio:.2} times the floor"
            );
        }
    }
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(COMMITTED, lines).unwrap();
        return true;
    }
    if !fits {
        println!("A plan takes over 3 % more instructions than {COMMITTED} says. BLESS=1 writes the new figures.");
    }
    fits
}

const FLOOR: &str = "ROLECALL_BENCH_FLOOR";

fn main() -> ExitCode {
    if let Ok(endpoint) = std::env::var(FLOOR) {
        let differing = floor(Path::new("."), &endpoint);
        return if differing > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let platforms = ["hive", "bitpanda"];
    if std::env::var_os("COUNT").is_some() {
        let fits = count(platforms, &numbers("SIZES", &[1_000, 10_000]));
        return if fits { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let runs = numbers("RUNS", &[20])[0];
    for platform in platforms {
        for users in numbers("SIZES", &[1_000, 10_000]) {
            compare(platform, users, runs);
        }
    }
    ExitCode::SUCCESS
}
