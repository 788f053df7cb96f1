//! What planning costs: CPU and memory by size, parsing beside the same data as JSON, and a whole plan over HTTP
//! beside fetching the same pages and doing nothing.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark talks, and fails by panicking")]

mod common;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use common::{client, custody, custody_yaml, email, live_roles, peak_memory, roles};
use criterion::{BenchmarkId, Criterion, Throughput};
use jiff::Timestamp;
use rolecall_config::{Answers, Source, check_source, load};
use rolecall_engine::Import;
use rolecall_graphql::{Backoff, Query, Reader, Redactor};
use rolecall_model::{
    Completeness, Desired, Email, Facts, Kind, Listing, Live, LiveKey, LiveUser, OrganizationPlan, ProviderName,
    RemoteId, RoleName, Scope, Seen, Site,
};
use rolecall_plan::{PlanInput, desired_hash, plan};
use rolecall_sandbox::bitpanda::Bitpanda;
use rolecall_sandbox::{Sandbox, Store, system_clock};
use secrecy::SecretString;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

const SIZES: &[usize] = &[1_000, 10_000, 100_000];
const SECRET: &str = "bench";

fn yaml(users: usize) -> String {
    custody_yaml("bench", "https://tapi-sandbox.trustology-test.com/graphql", "KEY", users)
}

/// The same file as JSON, to measure the least time that any parser needs.
fn as_json(users: usize) -> String {
    let user = |index| json!({ "email": email(index), "first_name": "Person", "last_name": format!("Number {index}"), "roles": roles(index), "enabled": true });
    json!({ "users": (0..users).map(user).collect::<Vec<_>>() }).to_string()
}

fn desired(text: &str) -> Desired {
    check_source(&Source::inline("bench.yaml", text), rolecall_providers::format).0.unwrap()
}

fn live(users: usize) -> Live {
    let user = |index: usize| {
        let (id, email) = (RemoteId::seen(format!("id-{index:06}")), Email::seen(&email(index)));
        LiveUser {
            first_name: Some("Person".to_owned()),
            last_name: Some(format!("Number {index}")),
            enabled: Seen::Unreadable,
            ..LiveUser::of(id, email, live_roles(index).into_iter().map(RoleName::seen).collect())
        }
    };
    let own = LiveKey {
        id: RemoteId::seen("own"),
        name: rolecall_model::KeyName::seen("own"),
        description: None,
        roles: Some(BTreeSet::from([RoleName::seen("ADMIN")])),
        permissions: None,
        resources: None,
        expires: None,
        created: None,
        enabled: true,
    };
    let users = Listing { items: (0..users).map(user).collect(), completeness: Completeness::Proven };
    let keys = Listing { items: vec![own], completeness: Completeness::Proven };
    Live { keys: Some(keys), ..Live::of(RemoteId::seen("bench"), users) }
}

fn planned(desired: &Desired, live: &Live) -> OrganizationPlan {
    let input = PlanInput {
        desired,
        live,
        facts: &Facts::default(),
        rules: rolecall_providers::rules(ProviderName::Bitpanda),
        site: &Site::host("bench"),
        asserted: &BTreeSet::new(),
        only: None,
        approved: None,
        caller: None,
        now: Timestamp::UNIX_EPOCH,
    };
    plan(&input).unwrap().plan
}

fn parsing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse");
    group.sample_size(10);
    for &users in SIZES {
        let (yaml, json) = (yaml(users), as_json(users));
        group.throughput(Throughput::Elements(users as u64));
        group.bench_with_input(BenchmarkId::new("yaml, checked", users), &yaml, |bench, text| {
            bench.iter(|| desired(text));
        });
        group.bench_with_input(BenchmarkId::new("baseline: the same as JSON", users), &json, |bench, text| {
            bench.iter(|| serde_json::from_str::<Value>(text).unwrap());
        });
    }
    group.finish();
}

fn planning(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("plan");
    group.sample_size(10);
    for &users in SIZES {
        let (desired, live) = (desired(&yaml(users)), live(users));
        assert_eq!(planned(&desired, &live).sealed.changes.len(), users / 10);
        group.throughput(Throughput::Elements(users as u64));
        group.bench_with_input(BenchmarkId::new("difference, order, seal", users), &users, |bench, _| {
            bench.iter(|| planned(&desired, &live));
        });
        group.bench_with_input(BenchmarkId::new("baseline: copy live", users), &users, |bench, _| {
            bench.iter(|| live.clone());
        });
    }
    group.finish();
}

/// A whole import beside a plan with the file that it writes: an import also proves that this plan is empty.
fn importing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("import");
    group.sample_size(10);
    let users = 10_000;
    let live = live(users);
    let kinds = [Kind::User, Kind::Key].into();
    let head = yaml(0).replace("users:\n", "");
    let import = || {
        rolecall_engine::import(&Import {
            provider: ProviderName::Bitpanda,
            head: &head,
            manage: Some(Scope::Listed),
            kinds: &kinds,
            live: &live,
            facts: &Facts::default(),
            site: &Site::host("bench"),
            own_key: None,
            now: Timestamp::UNIX_EPOCH,
        })
    };
    let text = import().text;
    assert!(planned(&desired(&text), &live).sealed.changes.is_empty());
    group.throughput(Throughput::Elements(users as u64));
    group.bench_function("write and prove", |bench| bench.iter(import));
    group.bench_function("baseline: read the file and plan", |bench| {
        bench.iter(|| planned(&desired(&text), &live));
    });
    group.finish();
}

/// The heads of an organisation on each platform, and what a group has there.
const ORGANIZATIONS: &[(&str, &str, &str)] = &[
    (
        "bitpanda",
        "provider: bitpanda\norganization: bench\nendpoint: https://tapi-sandbox.trustology-test.com/graphql\ncredentials: { api_key: { env: KEY } }\nown: { key: own }\n",
        "roles: [CLUSTER_OPS], enabled: true",
    ),
    (
        "hive",
        "provider: hive\norganization: bench\nendpoint: https://api.graphql-hive.com/graphql\ncredentials: { token: { env: KEY } }\n",
        "roles: [Viewer], resources: { shop: all }",
    ),
    (
        "paradime",
        "provider: paradime\norganization: bench\nendpoint: { env: URL }\ncredentials: { token: { env: KEY } }\n",
        "roles: [BUSINESS]",
    ),
    (
        "rapidapi",
        "provider: rapidapi\norganization: bench\nendpoint: https://graphql-platform.p.rapidapi.com/\nhost: graphql-platform.p.rapidapi.com\ncredentials: { personal_key: { env: KEY }, team_key: { env: KEY2 } }\nchanges_with: team_key\nadmin_role: Organization Admin\n",
        "roles: [Developer], teams: { Data: Team Viewer }",
    ),
];

/// Writes four organisations with these people in 300 groups, and the same without groups.
fn write_people(folder: &Path, users: usize) {
    let group = |index: usize| index % 300;
    let names = |index: usize| format!("first_name: Person, last_name: Number {index}");
    let mut people = "kind: people\npeople:\n".to_owned();
    for index in 0..users {
        let _ = writeln!(people, "  - {{ email: {}, {} }}", email(index), names(index));
    }
    people.push_str("groups:\n");
    for number in 0..300 {
        let _ = writeln!(people, "  - name: group-{number}\n    members:");
        for index in (0..users).filter(|index| group(*index) == number) {
            let _ = writeln!(people, "      - {}", email(index));
        }
    }
    for part in ["groups", "written"] {
        std::fs::create_dir_all(folder.join(part)).unwrap();
    }
    std::fs::write(folder.join("groups/people.yaml"), people).unwrap();
    for (name, head, access) in ORGANIZATIONS {
        let mut grouped = format!("{head}include: [people.yaml]\nusers:\n");
        for number in 0..300 {
            let _ = writeln!(grouped, "  - {{ group: group-{number}, {access} }}");
        }
        let mut written = format!("{head}users:\n");
        for index in 0..users {
            let names = if *name == "bitpanda" { format!("{}, ", names(index)) } else { String::new() };
            let _ = writeln!(written, "  - {{ email: {}, {names}{access} }}", email(index));
        }
        std::fs::write(folder.join(format!("groups/{name}.yaml")), grouped).unwrap();
        std::fs::write(folder.join(format!("written/{name}.yaml")), written).unwrap();
    }
}

/// Checking four organisations that give access to groups, beside the same written out.
fn grouping(criterion: &mut Criterion) {
    let users = 10_000;
    let folder = tempfile::tempdir().unwrap();
    write_people(folder.path(), users);
    let checked = |part: &str| {
        let loaded = load(
            &[folder.path().join(part)],
            &Answers::default(),
            Timestamp::UNIX_EPOCH,
            rolecall_providers::format,
        );
        assert!(!loaded.has_errors(), "{:#?}", loaded.findings);
        loaded.files.into_iter().map(|file| file.desired.unwrap()).collect::<Vec<_>>()
    };
    let hashes = |part: &str| checked(part).iter().map(desired_hash).collect::<Vec<_>>();
    assert_eq!(hashes("groups"), hashes("written"));
    let live = live(users);
    let mut group = criterion.benchmark_group("groups");
    group.sample_size(10);
    for (name, part) in [("10,000 people in 300 groups", "groups"), ("baseline: written out", "written")] {
        group.bench_function(format!("check four organisations: {name}"), |bench| bench.iter(|| checked(part)));
        group.bench_function(format!("check, and plan one: {name}"), |bench| {
            bench.iter(|| planned(&checked(part)[0], &live));
        });
    }
    group.finish();
}

const PAGE: Query = Query::new(
    "ListUsersPage",
    include_str!("../crates/rolecall-providers/src/bitpanda/graphql/list_users_page.graphql"),
);
const KEYS: Query = Query::new(
    "ListApiKeys",
    include_str!("../crates/rolecall-providers/src/bitpanda/graphql/list_api_keys.graphql"),
);

/// Fetches every page and the keys, and looks at nothing.
async fn fetch(reader: &Reader, pages: usize) {
    for page in 0..pages {
        let token = (page > 0).then(|| (page * 100).to_string());
        let _: IgnoredAny = reader.query(&PAGE, json!({ "limit": 100, "nextToken": token })).await.unwrap();
    }
    let _: IgnoredAny = reader.query(&KEYS, json!({})).await.unwrap();
}

fn over_http(criterion: &mut Criterion) {
    const USERS: usize = 10_000;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let reader = runtime.block_on(async {
        let sandbox = Arc::new(Sandbox::new(
            Bitpanda::new(custody("bench", SECRET, USERS, live_roles), system_clock()),
            Store::Memory,
        ));
        let transport = client(sandbox, vec![("x-api-key", SecretString::from(SECRET))]).await;
        Reader::new(Arc::new(transport), Redactor::default(), Backoff::with_seed(1))
    });
    let text = yaml(USERS);
    let mut group = criterion.benchmark_group("over HTTP");
    group.sample_size(10);
    group.bench_function("a whole plan of 10,000 users in 100 pages", |bench| {
        bench.iter(|| {
            let desired = desired(&text);
            let live =
                runtime.block_on(rolecall_providers::of(ProviderName::Bitpanda).read(&reader, &desired)).unwrap();
            planned(&desired, &live)
        });
    });
    group.bench_function("baseline: fetch the same pages, do nothing", |bench| {
        bench.iter(|| runtime.block_on(fetch(&reader, USERS / 100)));
    });
    group.finish();
}

const PEAK: &str = "ROLECALL_BENCH_PEAK";

/// Memory has to be measured in a process of its own, since its peak never falls.
fn memory() {
    for &users in SIZES {
        let peaks: Vec<String> = ["live", "plan"]
            .iter()
            .map(|what| {
                let mut child = Command::new(std::env::current_exe().unwrap());
                let output = child.env(PEAK, format!("{what} {users}")).output().unwrap();
                String::from_utf8(output.stdout).unwrap().trim().to_owned()
            })
            .collect();
        println!(
            "peak memory, {users} users: parse and plan {} MiB; baseline, live alone {} MiB",
            peaks[1], peaks[0]
        );
    }
}

fn main() {
    if let Ok(what) = std::env::var(PEAK) {
        let (what, users) = what.split_once(' ').unwrap();
        let users = users.parse().unwrap();
        let live = live(users);
        if what == "plan" {
            assert!(!planned(&desired(&yaml(users)), &live).sealed.changes.is_empty());
        }
        println!("{}", peak_memory("/proc/self/status").unwrap_or_default());
        return;
    }
    let mut criterion = Criterion::default().configure_from_args();
    parsing(&mut criterion);
    planning(&mut criterion);
    importing(&mut criterion);
    grouping(&mut criterion);
    over_http(&mut criterion);
    criterion.final_summary();
    memory();
}
