//! How long a plan takes where requests take long, beside the longest chain of requests: each of them waits for the answer
//! to the one before.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark talks, and fails by panicking")]

mod common;

use std::fmt::Write as _;
use std::process::Command;
use std::time::Duration;

use common::{Cost, Rendered, custody, custody_yaml, email, hive, hive_yaml, live_roles, measured};
use rolecall_sandbox::bitpanda::Bitpanda;
use rolecall_sandbox::hive::{Hive, OWN_CREDENTIAL};
use rolecall_sandbox::paradime::{OWN_API_KEY, OWN_API_SECRET, PATH, Paradime, UserStatus, World, WorldUser};
use rolecall_sandbox::rapidapi::{OWN_PERSONAL_KEY, OWN_TEAM_KEY, RapidApi, World as HubWorld};
use rolecall_sandbox::{AnySandbox, Sandbox, Store, system_clock};

const RUNS: usize = 9;
const LATENCIES: [u64; 2] = [20, 100];

/// An organisation on a platform: its server, the path of the endpoint, and the file for an endpoint.
struct Case {
    name: &'static str,
    sandbox: Box<dyn AnySandbox>,
    path: &'static str,
    text: Box<dyn Fn(&str) -> String>,
}

fn case(
    name: &'static str,
    sandbox: impl AnySandbox + 'static,
    path: &'static str,
    text: impl Fn(&str) -> String + 'static,
) -> Case {
    Case { name, sandbox: Box::new(sandbox), path, text: Box::new(text) }
}

fn of_bitpanda(users: usize, page: Option<usize>, name: &'static str) -> Case {
    let mut world = custody("bench", "bench", users, live_roles);
    world.switches.page_size = page;
    let sandbox = Sandbox::new(Bitpanda::new(world, system_clock()), Store::Memory);
    case(name, sandbox, "/graphql", move |endpoint| custody_yaml("bench", endpoint, "KEY", users))
}

fn of_hive(users: usize) -> Case {
    let sandbox = Sandbox::new(Hive::new(hive(users), system_clock()), Store::Memory);
    case("Hive, 10,000 users", sandbox, "/graphql", move |endpoint| hive_yaml(endpoint, users))
}

fn of_paradime(users: usize) -> Case {
    const TYPES: [&str; 2] = ["ANALYST", "DEVELOPER"];
    let mut world = World::empty("bench00000000000");
    let user = |email: String, account_type: &str| WorldUser {
        uid: format!("uid-{email}"),
        email,
        name: "Person".to_owned(),
        account_type: account_type.to_owned(),
        status: UserStatus::Active,
    };
    world.users.push(user("own@acme.example".to_owned(), "ADMIN"));
    world.users.extend((0..users).map(|index| user(email(index), TYPES[usize::from(index.is_multiple_of(10))])));
    let sandbox = Sandbox::new(Paradime::new(world, system_clock()), Store::Memory);
    case("Paradime, 10,000 users", sandbox, PATH, move |_| {
        let head = "provider: paradime\norganization: bench00000000000\nendpoint: { env: ENDPOINT }\ncredentials: { api_key: { env: KEY }, api_secret: { env: SECRET } }\nown: { user: own@acme.example }\nusers:\n";
        (0..users).fold(head.to_owned(), |mut text, index| {
            let _ = writeln!(text, "  - {{ email: {}, roles: [{}] }}", email(index), TYPES[0]);
            text
        })
    })
}

fn of_rapidapi(users: usize) -> Case {
    let mut world = HubWorld::empty();
    let organization = world.add_organization("acme");
    let team = world.add_team(organization, "Payments");
    for index in 0..users {
        let user = world.add_user(&email(index));
        world.add_member(organization, user, false);
        if !index.is_multiple_of(10) {
            world.add_to_team(team, user);
        }
    }
    (world.switches.rate_limit, world.switches.page_max) = (0, 10_000);
    let sandbox = Sandbox::new(RapidApi::new(world, system_clock()), Store::Memory);
    case("RapidAPI, 2,000 users", sandbox, "/", move |endpoint| {
        let head = format!(
            "provider: rapidapi\norganization: acme\nendpoint: {endpoint}\nhost: platform-graphql.sandbox.rapidapi.example\ncredentials: {{ personal_key: {{ env: PERSONAL }}, team_key: {{ env: TEAM }} }}\nrequests_per_minute: 6000\nusers:\n"
        );
        (0..users).fold(head, |mut text, index| {
            let _ = writeln!(text, "  - {{ email: {}, teams: [Payments] }}", email(index));
            text
        })
    })
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let cases = [
        of_bitpanda(10_000, None, "Bitpanda, 10,000 users"),
        of_bitpanda(10_000, Some(1_000), "Bitpanda, 10,000 users in pages of 1,000"),
        of_hive(10_000),
        of_paradime(10_000),
        of_rapidapi(2_000),
    ];
    for Case { name, sandbox, path, text } in cases {
        let folder = tempfile::tempdir().unwrap();
        let server = Rendered::passing(sandbox);
        let endpoint = runtime.block_on(server.serve()).replace("/graphql", path);
        std::fs::write(folder.path().join("bench.yaml"), text(&endpoint)).unwrap();
        let plan = || {
            let mut command = Command::new(env!("CARGO_BIN_EXE_rolecall"));
            command.args(["plan", "bench.yaml", "--max-removals", "100%", "--timeout", "600"]);
            command.current_dir(folder.path()).env_clear().env("HOME", folder.path());
            command.env("ROLECALL_ALLOWED_HOSTS", "127.0.0.1,platform-graphql.sandbox.rapidapi.example");
            command.envs([("PERSONAL", OWN_PERSONAL_KEY), ("TEAM", OWN_TEAM_KEY)]);
            let key = match name.split(',').next() {
                Some("Hive") => OWN_CREDENTIAL.trim_start_matches("Bearer "),
                Some("Paradime") => OWN_API_KEY,
                _ => "bench",
            };
            command.env("KEY", key).env("SECRET", OWN_API_SECRET).env("ENDPOINT", &endpoint);
            let (cost, code) = measured(&mut command);
            assert_eq!(code, Some(0), "{name} is planned");
            cost
        };
        // The first run makes the server compute its answers.
        plan();
        for latency in LATENCIES.map(Duration::from_millis) {
            server.slow_down(latency);
            // A schema that is kept for a day isn't asked for again.
            let _ = std::fs::remove_dir_all(folder.path().join(".rolecall"));
            let (_, before) = (plan(), server.requests());
            let mut times: Vec<Duration> = Vec::new();
            let mut longest = 0;
            for _ in 0..RUNS {
                server.begin_chain();
                let Cost { wall, .. } = plan();
                times.push(wall);
                longest = server.chain();
            }
            times.sort();
            let (wall, least) = (times[RUNS / 2], latency * u32::try_from(longest).unwrap());
            println!(
                "{name}, {latency:?} a request: {} requests, a chain of {longest}, {} ms, {:.2} times {least:?}",
                (server.requests() - before) / RUNS,
                wall.as_millis(),
                wall.as_secs_f64() / least.as_secs_f64(),
            );
        }
    }
}
