//! The program with a RapidAPI hub: its output, its caches between runs, and its number of requests.

use std::collections::BTreeMap;
use std::io::Read;
use std::process::Stdio;

use crate::support::cli::{Env, Said, Server, example};
use rolecall_sandbox::rapidapi::{APP_KEY, HOST, World};

const KEYS: [(&str, &str); 2] = [("KEY", "sandbox-own-personal-key"), ("TEAM_KEY", "sandbox-own-team-key")];

/// Returns a file for a running sandbox.
fn file(server: &Server, organization: &str, body: &str) -> String {
    format!(
        "provider: rapidapi\norganization: {organization}\nendpoint: {}\nhost: {HOST}\ncredentials: {{ personal_key: {{ env: KEY }}, team_key: {{ env: TEAM_KEY }} }}\n{body}",
        server.url
    )
}

/// Creates a folder with this hub and serves it.
fn hub(world: &World, args: &[&str]) -> (Env, Server) {
    let mut env = Env::new();
    env.write(".rolecall/sandbox/rapidapi-hub.json", serde_json::to_string(world).unwrap());
    let server = env.serve(&[&["--provider", "rapidapi"], args].concat());
    env.set("ROLECALL_ALLOWED_HOSTS", &format!("127.0.0.1,{HOST}"));
    for (name, value) in KEYS {
        env.set(name, value);
    }
    (env, server)
}

/// Returns the number of requests of a plan, for all organisations.
fn requests(said: &Said) -> u64 {
    let plan: serde_json::Value = serde_json::from_str(&said.stdout).unwrap_or_else(|_| panic!("{}", said.all()));
    plan["organizations"].as_array().unwrap().iter().map(|one| one["requests"].as_u64().unwrap()).sum()
}

#[test]
fn the_example_is_planned_applied_and_in_sync() {
    let env = Env::new();
    env.write("rapidapi.yaml", example("rapidapi.yaml"));
    let run = |args: &[&str]| env.run(&[args, &["--sandbox", "rapidapi.yaml"]].concat());
    insta::assert_snapshot!("rapidapi_plan", run(&["plan", "--out", "plan.json", "--show-mutations"]).all());
    // The wait depends on what was sent just before.
    let output = |args: &[&str]| {
        let said = run(args).all();
        let until = |line: &str| {
            line.split_once(" requests, ").map_or(line.to_owned(), |(said, _)| format!("{said} requests, …"))
        };
        said.lines().map(until).collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!("rapidapi_apply", output(&["apply", "--plan", "plan.json"]));
    let again = run(&["plan", "--detailed-exitcode"]);
    assert_eq!(again.code, 0, "{}", again.all());
    insta::assert_snapshot!("rapidapi_drift", output(&["drift"]));
}

/// Every caller could read the values of the apps' keys, and invitations have tokens that let anybody join.
#[test]
fn no_output_has_a_value_of_a_key_or_the_token_of_an_invitation() {
    let env = Env::new();
    env.write("rapidapi.yaml", example("rapidapi.yaml"));
    let mut all = String::new();
    for args in [
        &["plan", "-vv", "--format", "json"][..],
        &["apply", "-vv", "--auto-approve"],
        &["drift", "-vv", "--format", "json"],
        &["drift"],
    ] {
        all += &env.run(&[args, &["--sandbox", "rapidapi.yaml"]].concat()).all();
    }
    all += &env.read(".rolecall/sandbox/ledger/rapidapi-platform-management.jsonl");
    let cache = std::fs::read_dir(env.path(".rolecall/sandbox/cache")).unwrap();
    for kept in cache {
        all += &std::fs::read_to_string(kept.unwrap().path()).unwrap();
    }
    for secret in [APP_KEY, "sandbox-invite-token", "sandbox-own-personal-key", "sandbox-own-team-key"] {
        assert!(!all.contains(secret), "{secret}");
    }
}

fn thirty() -> World {
    let mut world = World::empty();
    for number in 0..30 {
        let id = world.add_organization(&format!("org-{number:02}"));
        let user = world.add_user(&format!("u{number}@x.example"));
        world.add_member(id, user, false);
    }
    world.switches.rate_limit = 0;
    world
}

/// Reading 30 organisations fails at the last request. The next run sends only that one.
#[test]
fn a_read_of_30_organisations_goes_on_where_it_broke_off() {
    let (env, server) = hub(&thirty(), &["--fault", "status=500@entitiesRoles"]);
    for number in 0..30 {
        let body = format!("requests_per_minute: 6000\nusers: [{{ email: u{number}@x.example, teams: [] }}]\n");
        env.write(&format!("access/org-{number:02}.yaml"), file(&server, &format!("org-{number:02}"), &body));
    }
    let first = env.run(&["plan", "--format", "json", "access"]);
    assert_eq!(first.code, 6, "{}", first.all());
    assert!(first.stderr.contains("Reading 30 organisations: about 94 requests"), "{}", first.stderr);
    assert!(first.stderr.contains("The answers so far are kept in"), "{}", first.stderr);
    // The schema, the caller, the roles and the list of organisations are read once, and each organisation needs
    // three requests. The first organisation, which read the shared part, isn't in the plan.
    assert_eq!(requests(&first), 29 * 3);
    let second = env.run(&["plan", "--format", "json", "access"]);
    assert_eq!(second.code, 0, "{}", second.all());
    assert!(second.stderr.contains("Resuming an interrupted read that began 0 min ago"), "{}", second.stderr);
    assert_eq!(requests(&second), 1);
    // A finished read isn't resumed: the next one starts anew, except for the schema.
    let third = env.run(&["plan", "--format", "json", "access"]);
    assert_eq!(third.code, 0, "{}", third.all());
    assert_eq!(requests(&third), 3 + 30 * 3);
    assert!(
        !env.path(".rolecall/cache")
            .read_dir()
            .unwrap()
            .any(|kept| { kept.unwrap().file_name().to_string_lossy().ends_with("read.jsonl") })
    );
}

/// An import of a large hub takes minutes, so it isn't begun anew.
#[test]
fn an_import_goes_on_where_it_broke_off() {
    let (env, server) = hub(&thirty(), &["--fault", "status=500@entitiesRoles"]);
    env.write("one.yaml", file(&server, "org-00", "requests_per_minute: 6000\n"));
    let first = env.run(&["import", "--write", "one.yaml"]);
    assert_eq!(first.code, 6, "{}", first.all());
    assert!(first.stderr.contains("The answers so far are kept in"), "{}", first.stderr);
    let second = env.run(&["import", "-v", "--write", "one.yaml"]);
    assert_eq!(second.code, 0, "{}", second.all());
    assert!(second.stderr.contains("Resuming an interrupted read"), "{}", second.stderr);
    assert_eq!(second.stderr.matches("INFO read").count(), 1, "{}", second.stderr);
    assert!(env.read("one.yaml").contains("  - email: u0@x.example\n"), "{}", env.read("one.yaml"));
    assert_eq!(env.run(&["plan", "--detailed-exitcode", "one.yaml"]).code, 0);
}

/// An apply needs the current state, so it doesn't use cached answers.
#[test]
fn an_apply_never_goes_on_with_a_read_that_broke_off() {
    let (env, server) = hub(&thirty(), &["--fault", "status=500@entitiesRoles"]);
    let body = "requests_per_minute: 6000\nusers: [{ email: u0@x.example, teams: [] }]\n";
    env.write("one.yaml", file(&server, "org-00", body));
    assert_eq!(env.run(&["plan", "one.yaml"]).code, 6);
    let said = env.run(&["apply", "--auto-approve", "one.yaml"]);
    assert_eq!(said.code, 0, "{}", said.all());
    assert!(said.stdout.contains("6 requests"), "{}", said.stdout);
    assert!(!said.stderr.contains("Resuming an interrupted read"), "{}", said.stderr);
}

/// The sandbox enforces the limit: it would answer one request too many with 429.
#[test]
fn runs_after_one_another_keep_to_the_limit_together() {
    let env = Env::new();
    env.write("rapidapi.yaml", example("rapidapi.yaml"));
    for args in [&["plan", "-v"][..], &["apply", "-v", "--auto-approve"], &["drift", "-v"], &["plan", "-v"]] {
        let said = env.run(&[args, &["--sandbox", "rapidapi.yaml"]].concat());
        assert_eq!(said.code, 0, "{}", said.all());
        assert!(!said.stderr.contains("429"), "{}", said.stderr);
    }
    let imported = env.run(&["import", "-v", "--sandbox", "rapidapi", "platform-management"]);
    assert!(imported.code == 0 && !imported.stderr.contains("429"), "{}", imported.all());
}

/// The limit belongs to a user, whichever team's key is used, so both files share it.
#[test]
fn files_with_other_keys_for_one_hub_share_its_limit() {
    let mut world = thirty();
    world.switches.rate_limit = 10;
    let (env, server) = hub(&world, &[]);
    for (number, more) in [(0, ""), (1, "changes_with: personal_key\n")] {
        let body = format!("requests_per_minute: 6000\n{more}");
        env.write(&format!("access/{number}.yaml"), file(&server, &format!("org-{number:02}"), &body));
    }
    // The second file has a smaller quota. It applies to both, because both know what is left of it.
    let slow = file(&server, "org-02", "requests_per_minute: 10\nchanges_with: team_key\n");
    env.write("access/2.yaml", slow);
    let mut child =
        env.command().args(["plan", "-v", "access"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let output = until(child.stderr.as_mut().unwrap(), "Waiting ");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(output.contains("Reading 3 organisations") && output.contains("at 10 a minute"), "{output}");
    assert!(output.contains("Waiting") && !output.contains("429"), "{output}");
}

/// Reads output until these words appear.
fn until(stream: &mut impl Read, words: &str) -> String {
    let (mut output, mut byte) = (Vec::new(), [0]);
    while !String::from_utf8_lossy(&output).contains(words) && stream.read(&mut byte).unwrap() > 0 {
        output.push(byte[0]);
    }
    String::from_utf8_lossy(&output).into_owned()
}

/// An apply mostly waits. If it is interrupted then, no mutation is sent later or recorded as sent.
#[test]
fn ctrl_c_while_waiting_for_the_limit_ends_an_apply_at_once() {
    // One request for the schema and five to read leave none or one for mutations.
    for (requests, code, sent) in [(6, 130, 0), (7, 5, 1)] {
        let (env, server) = hub(&thirty(), &[]);
        let body = format!(
            "requests_per_minute: {requests}\nteams: [{{ name: One }}, {{ name: Two }}, {{ name: Three }}]\n"
        );
        env.write("one.yaml", file(&server, "org-00", &body));
        let mut child = env
            .command()
            .args(["apply", "--auto-approve", "one.yaml"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let before = until(child.stderr.as_mut().unwrap(), "Waiting ");
        std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        let output = child.wait_with_output().unwrap();
        let said = format!(
            "{before}{}{}",
            String::from_utf8_lossy(&output.stderr),
            String::from_utf8_lossy(&output.stdout)
        );
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains("the run was interrupted"), "{said}");
        let ledger = env.read(".rolecall/ledger/rapidapi-org-00.jsonl");
        assert_eq!(ledger.matches(r#""event":"intent""#).count(), sent, "{ledger}");
    }
}

/// A clock that was ahead or an edited file must not make every later run wait.
#[test]
fn a_budget_that_is_not_what_it_should_be_is_made_good() {
    let (env, server) = hub(&thirty(), &[]);
    env.write("one.yaml", file(&server, "org-00", "requests_per_minute: 6000\n"));
    assert_eq!(env.run(&["plan", "one.yaml"]).code, 0);
    let cache = env.path(".rolecall/cache").read_dir().unwrap();
    let names = cache.map(|kept| kept.unwrap().file_name().to_string_lossy().into_owned());
    let budget =
        format!(".rolecall/cache/{}", names.into_iter().find(|name| name.ends_with("requests.json")).unwrap());
    let future: BTreeMap<String, &str> = (0..10).map(|n| (n.to_string(), "2099-01-01T00:00:00Z")).collect();
    for broken in [serde_json::to_vec(&future).unwrap(), b"{".to_vec(), vec![0xff, 0xfe], b"[]".to_vec()] {
        env.write(&budget, broken);
        let said = env.run(&["plan", "one.yaml"]);
        assert_eq!(said.code, 0, "{}", said.all());
        let sent: BTreeMap<String, String> = serde_json::from_str(&env.read(&budget)).unwrap();
        assert!(sent.values().all(|at| !at.starts_with("2099")), "{sent:?}");
    }
    // If the budget file can't be used, the program says so.
    std::fs::remove_file(env.path(&budget)).unwrap();
    std::fs::create_dir(env.path(&budget)).unwrap();
    let said = env.run(&["plan", "one.yaml"]);
    assert_eq!(said.code, 0, "{}", said.all());
    assert_eq!(said.stderr.matches("rolecall can't see the requests of other runs").count(), 1, "{}", said.stderr);
}

/// An invalid answer doesn't make the next run repeat the other requests.
#[test]
fn a_read_goes_on_after_an_answer_that_was_none() {
    let body = "requests_per_minute: 6000\nusers: [{ email: u0@x.example, teams: [] }]\n";
    for fault in ["html@entitiesRoles", "truncate@entitiesRoles", "status=404@entitiesRoles*1"] {
        let (env, server) = hub(&thirty(), &["--fault", fault]);
        env.write("one.yaml", file(&server, "org-00", body));
        let first = env.run(&["plan", "one.yaml"]);
        assert_ne!(first.code, 0, "{fault} {}", first.all());
        assert!(first.stderr.contains("The answers so far are kept in"), "{fault} {}", first.stderr);
        let second = env.run(&["plan", "--format", "json", "one.yaml"]);
        assert_eq!((second.code, requests(&second)), (0, 1), "{fault} {}", second.all());
    }
    // Nothing is stored if nothing was read.
    let failing = ["__schema", "activeUser", "roles", "organizations"].map(|field| format!("status=500@{field}"));
    let faults: Vec<&str> = failing.iter().flat_map(|fault| ["--fault", fault]).collect();
    let (env, server) = hub(&thirty(), &faults);
    env.write("one.yaml", file(&server, "org-00", body));
    let said = env.run(&["plan", "one.yaml"]);
    assert_ne!(said.code, 0);
    assert!(!said.stderr.contains("The answers so far are kept"), "{}", said.stderr);
}

/// Two files may name an organisation differently, and then they would have two ledgers.
#[test]
fn two_applies_of_one_organisation_never_overlap_whatever_it_is_called() {
    let (env, server) = hub(&thirty(), &[]);
    let world: World = serde_json::from_str(&env.read(".rolecall/sandbox/rapidapi-hub.json")).unwrap();
    let id = world.organization("org-00").unwrap().id;
    let body = "requests_per_minute: 6\nteams: [{ name: One }, { name: Two }]\n";
    env.write("slug.yaml", file(&server, "org-00", body));
    let mut child = env
        .command()
        .args(["apply", "--auto-approve", "slug.yaml"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    until(child.stderr.as_mut().unwrap(), "Waiting ");
    let body = body.replace("requests_per_minute: 6", "requests_per_minute: 6000");
    env.write("id.yaml", file(&server, &format!("\"{id}\""), &body));
    let said = env.run(&["apply", "--auto-approve", "id.yaml"]);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(said.code, 1, "{}", said.all());
    assert!(said.stderr.contains("Another apply of this organisation is running"), "{}", said.stderr);
    assert_eq!(env.run(&["apply", "--auto-approve", "id.yaml"]).code, 0);
}

#[test]
fn one_organisation_by_its_slug_and_by_its_id_is_one() {
    let env = Env::new();
    let example = example("rapidapi.yaml");
    env.write("a.yaml", &example);
    env.write("b.yaml", example.replace("organization: platform-management", "organization: \"7000001\""));
    let said = env.run(&["plan", "--sandbox", "."]);
    assert_eq!(said.code, 1, "{}", said.all());
    assert!(said.stderr.contains("error[duplicate-organization]"), "{}", said.stderr);
    // This doesn't depend on the keys of the files.
    let other = example
        .replace("organization: platform-management", "organization: \"7000001\"")
        .replace("\nchanges_with: team_key", "\nchanges_with: personal_key");
    env.write("c.yaml", other);
    let said = env.run(&["plan", "--sandbox", "a.yaml", "c.yaml"]);
    assert_eq!(said.code, 1, "{}", said.all());
    assert!(said.stderr.contains("error[duplicate-organization]"), "{}", said.stderr);
    std::fs::remove_file(env.path("c.yaml")).unwrap();
    let said = env.run(&["plan", "--sandbox", "."]);
    let line = example.lines().position(|line| line.starts_with("organization:")).unwrap() + 1;
    assert!(said.stderr.contains(&format!("b.yaml:{line}:15")), "{}", said.stderr);
}

/// The gateway forwards the key to the API that the file names, so that name is as sensitive as the endpoint.
#[test]
fn a_host_that_nobody_has_allowed_gets_no_key() {
    let (mut env, server) = hub(&thirty(), &[]);
    env.set("ROLECALL_ALLOWED_HOSTS", "127.0.0.1");
    env.write("one.yaml", file(&server, "org-00", ""));
    let said = env.run(&["plan", "one.yaml"]);
    assert_eq!(said.code, 1, "{}", said.all());
    assert!(
        said.stderr.contains("error[untrusted-host]") && said.stderr.contains("one.yaml:4:7"),
        "{}",
        said.stderr
    );
}

#[test]
fn a_missing_organisation_is_distinguished_from_existing_ones() {
    let (env, server) = hub(&thirty(), &[]);
    env.write("one.yaml", file(&server, "org-99", "requests_per_minute: 6000"));
    let said = env.run(&["plan", "one.yaml"]);
    assert_eq!(said.code, 1, "{}", said.all());
    assert!(
        said.stderr.contains("the credential reaches no organisation org-99")
            && said.stderr.contains("org-00, org-01")
    );
}

/// An account belongs to the whole hub, so one file's change would avoid the guardrails of another.
#[test]
fn what_two_files_say_of_one_account_must_agree() {
    let env = Env::new();
    let file = |organization: &str, body: &str| {
        let head = example("rapidapi.yaml").split("\nmanage:").next().unwrap().to_owned();
        head.replace("organization: platform-management", &format!("organization: {organization}")) + "\n" + body
    };
    env.write("off.yaml", file("partners", "users: [{ email: jane@acme.example, status: deactivated }]\n"));
    for (said, body) in [
        ("lists jane@acme.example on line", "users: [{ email: jane@acme.example, roles: [Developer] }]"),
        ("lists jane@acme.example on line", "users: [{ email: Jane@acme.example, status: active }]"),
        ("protects jane@acme.example", "guardrails: { protected: [user/jane@acme.example] }"),
    ] {
        env.write("other.yaml", file("platform-management", body));
        let found = env.run(&["validate", "."]);
        assert_eq!(found.code, 1, "{}", found.all());
        assert!(found.stdout.contains("error[contradicted-status]"), "{}", found.all());
        assert!(found.stdout.contains(said), "{}", found.all());
        // This is found before any request.
        assert_eq!(env.run(&["plan", "--sandbox", "."]).code, 1);
    }
    for body in [
        "users: [{ email: jane@acme.example, absent: true }]",
        "users: [{ email: jane@acme.example, status: deactivated }]",
        "users: [{ email: kim@acme.example }]",
    ] {
        env.write("other.yaml", file("platform-management", body));
        let found = env.run(&["validate", "."]);
        assert_eq!(found.code, 0, "{body} {}", found.all());
    }
    // On another hub it is another account.
    let elsewhere = file("platform-management", "users: [{ email: jane@acme.example, status: active }]");
    env.write("other.yaml", elsewhere.replace("https://graphql-platform", "https://platform-graphql"));
    assert_eq!(env.run(&["validate", "."]).code, 0);
}
