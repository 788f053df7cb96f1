//! What counts as drift: privileged access that no file writes does, rolecall's own unfinished work doesn't.

use std::collections::BTreeSet;

use crate::support::cli::{Env, example};
use crate::support::rig::{Platform, Rig, holds};
use crate::support::{bitpanda, hive, paradime, rapidapi};
use rolecall_engine::ledger::{Event, Ledger};
use rolecall_model::{Completeness, HoldClass, OrganizationPlan};
use rolecall_sandbox::hive::Assignment;

const UNLISTED: &str = "blocked: Not in the file, and gives privileged access. Add it to the file, with `absent: true` if it must not exist. If it is right as it is, name it under `acknowledged`.";
const ACKNOWLEDGED: &str = "ignored: Not in the file, and gives privileged access. The file acknowledges it.";

fn blocked(plan: &OrganizationPlan) -> Vec<String> {
    let blocked = plan.sealed.holds.iter().filter(|hold| hold.class == HoldClass::Blocked);
    blocked.map(|hold| hold.address.to_string()).collect()
}

/// Checks each of the entries for a privileged entity: it is drift if the file doesn't list it, and if it lists it
/// without the field that gives the access. It is none if the file writes the field or acknowledges the address.
fn is_told<P: Platform>(world: &P::World, address: &str, kind: &str, field: &str, live: &str, entry: &str)
where
    P::World: Clone,
{
    let plan = |body: &str| Rig::<P>::new(world.clone(), body).plan();
    assert_eq!(blocked(&plan("")), [address]);
    assert!(holds(&plan("")).contains(&format!("{address} {UNLISTED}")), "{:#?}", holds(&plan("")));
    let unwritten = plan(&format!("{kind}: [{{ {entry} }}]"));
    assert_eq!(
        holds(&unwritten).into_iter().find(|hold| hold.starts_with(address)).unwrap(),
        format!(
            "{address} blocked: The file doesn't say `{field}`, and the live value `{live}` gives privileged access. Write `{field}`. If it is right as it is, name the address under `acknowledged`."
        )
    );
    let written = plan(&format!("{kind}: [{{ {entry}, {field}: [{live}] }}]"));
    assert!(blocked(&written).is_empty(), "{:#?}", holds(&written));
    let pattern = format!("acknowledged: ['{}*']", &address[..address.len() - 3]);
    let acknowledged = plan(&pattern);
    assert!(blocked(&acknowledged).is_empty());
    assert!(holds(&acknowledged).contains(&format!("{address} {ACKNOWLEDGED}")), "{:#?}", holds(&acknowledged));
    assert!(blocked(&plan(&format!("{pattern}\n{kind}: [{{ {entry} }}]"))).is_empty());
}

#[test]
fn privileged_access_that_no_file_writes_is_drift_on_every_platform() {
    let mut world = bitpanda::world();
    world.users.push(bitpanda::user("intruder@x.example", &["ADMIN"]));
    world.users.push(bitpanda::user("plain@x.example", &["SIGNER"]));
    let entry = "email: intruder@x.example, enabled: true";
    is_told::<bitpanda::Custody>(&world, "user/intruder@x.example", "users", "roles", "ADMIN", entry);
    let mut world = bitpanda::world();
    world.keys.push(bitpanda::key("other", "other", &["ADMIN"], "secret"));
    let entry = "name: other, id: other";
    let rig = bitpanda::Rig::new(world.clone(), &format!("keys: [{{ {entry} }}]"));
    assert_eq!(blocked(&rig.plan()), ["key/other#other"]);
    let rig = bitpanda::Rig::new(world, "");
    assert_eq!(blocked(&rig.plan()), ["key/other"]);

    let mut world = hive::world();
    hive::role(&mut world, "Plain", &["project:describe"]);
    hive::member(&mut world, "intruder@x.example", "Admin", Assignment::All);
    hive::member(&mut world, "plain@x.example", "Plain", Assignment::All);
    let entry = "email: intruder@x.example";
    is_told::<hive::Console>(&world, "user/intruder@x.example", "users", "roles", "Admin", entry);
    let mut world = hive::world();
    hive::invitation(&mut world, "intruder@x.example", "Admin");
    assert_eq!(blocked(&hive::Rig::new(world.clone(), "").plan()), ["invitation/intruder@x.example"]);
    let listed = hive::Rig::new(world, "users: [{ email: intruder@x.example }]").plan();
    assert_eq!(blocked(&listed), ["user/intruder@x.example"]);
    for permission in ["member:modify", "accessToken:modify", "oidc:modify"] {
        let mut world = hive::world();
        hive::role(&mut world, "Helper", &["member:describe", permission]);
        is_told::<hive::Console>(&world, "role/Helper", "roles", "permissions", permission, "name: Helper");
    }

    let mut world = paradime::world();
    paradime::user(&mut world, "intruder@x.example", "SECURITY_ADMIN");
    paradime::user(&mut world, "plain@x.example", "DEVELOPER");
    let entry = "email: intruder@x.example";
    is_told::<paradime::Workspace>(&world, "user/intruder@x.example", "users", "roles", "SECURITY_ADMIN", entry);

    let mut world = rapidapi::world();
    rapidapi::member(&mut world, "intruder@x.example", true, &[]);
    rapidapi::member(&mut world, "plain@x.example", false, &[]);
    is_told::<rapidapi::Hub>(&world, "user/intruder@x.example", "users", "roles", "Organization Admin", entry);
}

/// The owner and rolecall's own credential can't be left out of an organisation, so no file has to name them.
#[test]
fn the_owner_and_our_own_credential_are_no_drift() {
    assert!(blocked(&bitpanda::Rig::new(bitpanda::world(), "").plan()).is_empty());
    assert!(blocked(&hive::Rig::new(hive::world(), "").plan()).is_empty());
    let own = format!("user/{}", paradime::OWNER);
    let plan = paradime::Rig::new(paradime::world(), "").plan();
    assert_eq!(holds(&plan).iter().filter(|hold| hold.starts_with(&own)).count(), 1);
    assert!(blocked(&plan).is_empty(), "{:#?}", holds(&plan));
    let listed = format!("users: [{{ email: {} }}]", paradime::OWNER);
    assert!(blocked(&paradime::Rig::new(paradime::world(), &listed).plan()).is_empty());
    assert!(blocked(&rapidapi::Rig::new(rapidapi::world(), "").plan()).is_empty());
}

#[test]
fn an_acknowledged_address_that_nobody_has_is_told() {
    let rig = bitpanda::Rig::new(bitpanda::world(), "acknowledged: [user/left@x.example]");
    let warnings: Vec<String> = rig.warnings().into_iter().map(|warning| warning.message).collect();
    assert_eq!(warnings, ["`user/left@x.example` is acknowledged, but no entity has that address."]);
    // An entry for somebody who is only listed would hide what they get later.
    let listed = "acknowledged: [user/new@x.example]\nusers: [{ email: new@x.example, first_name: A, last_name: B, roles: [SIGNER], enabled: true }]";
    assert_eq!(bitpanda::Rig::new(bitpanda::world(), listed).warnings().len(), 1);
}

/// Every form of the report tells of the intruder, and the exit code is 2.
#[test]
fn every_report_of_drift_names_privileged_access_that_no_file_writes() {
    let env = Env::new();
    let file = example("hive.yaml").split("\nroles:").next().unwrap().to_owned();
    env.write("hive.yaml", format!("{file}\nacknowledged: [user/jane@acme.example]\nusers: []\n"));
    let drift = |format: &str| {
        env.run(&["drift", "--sandbox", "--format", format, "--metrics-file", "drift.prom", "hive.yaml"])
    };
    drop(env.serve(&["--provider", "hive"]));
    assert_eq!(drift("text").code, 0, "{}", drift("text").all());
    let world = ".rolecall/sandbox/hive-acme.json";
    let mut live: serde_json::Value = serde_json::from_str(&env.read(world)).unwrap();
    let admin =
        live["roles"].as_array().unwrap().iter().find(|role| role["name"] == "Admin").unwrap()["id"].clone();
    let intruder = live["members"].as_array_mut().unwrap();
    let intruder = intruder.iter_mut().find(|member| member["email"] == "sam@acme.example").unwrap();
    intruder["role_id"] = admin;
    env.write(world, live.to_string());
    for (format, marks) in [
        (
            "text",
            vec!["needs attention\n    user/sam@acme.example", "blocked: Not in the file, and gives privileged"],
        ),
        ("json", vec!["\"user/sam@acme.example\"", "\"class\": \"blocked\""]),
        ("markdown", vec!["needs attention: 1;", "blocked: Not in the file, and gives privileged"]),
        ("junit", vec!["<failure message=\"Not in the file, and gives privileged"]),
        ("sarif", vec!["needs-attention", "user/sam@acme.example", "hive.yaml"]),
        ("github", vec!["::warning file=hive.yaml,line=", "user/sam@acme.example needs attention"]),
    ] {
        let said = drift(format);
        assert_eq!(said.code, 2, "{}", said.all());
        for mark in marks {
            assert!(said.stdout.contains(mark), "{format}: {mark}: {}", said.stdout);
        }
    }
    let metrics = env.read("drift.prom");
    assert!(metrics.contains("kind=\"user\",class=\"blocked\"} 1"), "{metrics}");
}

// ---- what rolecall has still to do

fn leftovers(plan: &OrganizationPlan) -> Vec<String> {
    plan.leftovers().map(|change| change.address.to_string()).collect()
}

fn differences(plan: &OrganizationPlan) -> Vec<String> {
    plan.differences().map(|change| change.address.to_string()).collect()
}

/// An invitation to a hub contains no roles in teams, so they follow. Whoever accepted it has not moved away from the
/// file, unless somebody changes them before that.
#[test]
fn the_roles_that_follow_an_invitation_to_a_hub_are_still_to_do() {
    let body = "users: [{ email: new@x.example, roles: [Developer], teams: { Payments: Team Viewer } }]";
    let mut rig = rapidapi::Rig::new(rapidapi::with_teams(&["Payments", "Data"]), body);
    rig.apply();
    let organization = rapidapi::acme(&rig.world());
    assert!(rig.world().accept(organization, "new@x.example"));
    let plan = rig.plan();
    assert_eq!((leftovers(&plan), differences(&plan)), (vec!["user/new@x.example".to_owned()], vec![]));
    // Somebody adds the new member to another team: that is drift.
    let new = rapidapi::user(&rig.world(), "new@x.example");
    let data = rapidapi::team(&rig.world(), "Data");
    let before = rig.world().clone();
    rig.world().add_to_team(data, new);
    assert_eq!(differences(&rig.plan()), ["user/new@x.example"]);
    *rig.world() = before;
    rig.apply();
    assert_eq!((leftovers(&rig.plan()), differences(&rig.plan())), (vec![], vec![]));
    // The leftover is done, so that the same values are drift from now on.
    let payments = rapidapi::team(&rig.world(), "Payments");
    rig.world().assign("USER_TEAM", "team-developer", new, Some(organization), Some(payments));
    let plan = rig.plan();
    assert_eq!((leftovers(&plan), differences(&plan)), (vec![], vec!["user/new@x.example".to_owned()]));
}

/// An invitation of an older Hive contains no resources, so they follow.
#[test]
fn the_resources_that_follow_an_invitation_to_hive_are_still_to_do() {
    let mut world = hive::world();
    hive::role(&mut world, "Plain", &["project:describe"]);
    world.switches.release = rolecall_sandbox::hive::Release::V8_1_2;
    let body = "users: [{ email: new@x.example, roles: [Plain], resources: { shop: all } }]";
    let mut rig = hive::Rig::new(world, body);
    rig.apply();
    assert!(rig.world().accept("new@x.example"));
    let plan = rig.plan();
    assert_eq!((leftovers(&plan), differences(&plan)), (vec!["user/new@x.example".to_owned()], vec![]));
    let plain = rig.world().role("Plain").unwrap().id.clone();
    rig.world().members.iter_mut().find(|member| member.email == "new@x.example").unwrap().role_id = plain;
    assert_eq!(differences(&rig.plan()), ["user/new@x.example"]);
}

/// `drift` tells the retirement of an old key from drift, and `apply --leftovers` does nothing but that.
#[test]
fn the_old_key_of_a_delivered_one_is_still_to_do_and_a_scheduled_job_can_do_only_that() {
    let env = Env::with_example();
    let run = |args: &[&str]| env.run(&[args, &["--sandbox", "bitpanda.yaml"]].concat());
    assert_eq!(run(&["apply", "--auto-approve"]).code, 0);
    let rotated = env.read("bitpanda.yaml").replace("2098-04-30T20:59:59Z", "2097-04-30T20:59:59Z");
    env.write("bitpanda.yaml", &rotated);
    assert_eq!(run(&["apply", "--auto-approve"]).code, 0);
    let drift = |more: &[&str]| run(&[&["drift", "--metrics-file", "drift.prom"], more].concat());
    let said = drift(&[]);
    assert_eq!(said.code, 0, "{}", said.all());
    for text in
        ["still to do, and no drift", "key/ci-pipeline#", "No drift: 0 differences", "Still to do by rolecall: 1."]
    {
        assert!(said.stdout.contains(text), "{text}: {}", said.stdout);
    }
    let metrics = env.read("drift.prom");
    let series = |name: &str| {
        format!(
            "rolecall_{name}{{provider=\"bitpanda\",organization=\"f8588dc7-e1ce-4d92-a473-809a0a357ad9\",kind=\"key\"}}"
        )
    };
    assert!(metrics.contains(&format!("{} 0", series("differences"))), "{metrics}");
    assert!(metrics.contains(&format!("{} 1", series("leftovers"))), "{metrics}");
    let junit = drift(&["--format", "junit"]);
    assert!(
        junit.stdout.contains("type=\"still-to-do\"") && !junit.stdout.contains("<failure"),
        "{}",
        junit.stdout
    );

    // With a difference beside it, the drift is told, and the leftovers are done without it.
    env.write(
        "bitpanda.yaml",
        rotated.replace("roles: [CLUSTER_MANAGER, CLUSTER_OPS, SIGNER]", "roles: [SIGNER]"),
    );
    assert_eq!(drift(&[]).code, 2);
    let applied = run(&["apply", "--leftovers", "--auto-approve"]);
    assert_eq!(applied.code, 0, "{}", applied.all());
    assert!(
        applied.stdout.contains("1 key to disable, 2 skipped, 1 change not selected. 1 mutation, 0 mails."),
        "{}",
        applied.stdout
    );
    let said = drift(&[]);
    assert_eq!(said.code, 2, "{}", said.all());
    assert!(!said.stdout.contains("still to do"), "{}", said.stdout);
    let nothing = run(&["apply", "--leftovers", "--auto-approve"]);
    assert!(nothing.code == 0 && nothing.stdout.contains("No changes"), "{}", nothing.all());
    // Without a terminal, nobody can be asked, so this asks for an approval like any apply.
    assert_eq!(run(&["apply", "--leftovers", "--plan", "plan.json"]).code, 1);
}

// ---- who moved it

/// Returns each entity with the run that last saw it as the file says.
fn last_in_sync(plan: &OrganizationPlan) -> Vec<String> {
    plan.last_in_sync.iter().map(|(address, last)| format!("{address} {}", last.run)).collect()
}

fn give(rig: &hive::Rig, email: &str, role: &str) {
    let role = rig.world().role(role).unwrap().id.clone();
    rig.world().members.iter_mut().find(|member| member.email == email).unwrap().role_id = role;
}

/// Returns an organisation with two members, of whom the file gives Bob another role.
fn two_members() -> hive::Rig {
    let mut world = hive::world();
    hive::role(&mut world, "Plain", &["project:describe"]);
    hive::role(&mut world, "Other", &["project:describe", "schema:compose"]);
    hive::member(&mut world, "ann@x.example", "Plain", Assignment::All);
    hive::member(&mut world, "bob@x.example", "Plain", Assignment::All);
    hive::Rig::new(world, TWO)
}

const TWO: &str = "users: [{ email: ann@x.example, roles: [Plain] }, { email: bob@x.example, roles: [Other] }]";

/// Nobody ever sent anything for Ann, and the run saw her as the file says.
#[test]
fn drift_names_the_last_run_that_saw_an_entity_as_the_file_says() {
    let mut rig = two_members();
    assert!(last_in_sync(&rig.plan()).is_empty(), "without a ledger, nothing is known");
    rig.apply();
    assert!(last_in_sync(&rig.plan()).is_empty(), "nothing differs");
    give(&rig, "ann@x.example", "Other");
    assert_eq!(last_in_sync(&rig.plan()), ["user/ann@x.example run-1"]);
    give(&rig, "bob@x.example", "Plain");
    assert_eq!(last_in_sync(&rig.plan()), ["user/ann@x.example run-1", "user/bob@x.example run-1"]);
    // A run that sees Ann as she is now has not seen her as the file says. Bob is as the file says again.
    let only = BTreeSet::from(["user/bob@x.example".parse().unwrap()]);
    let plan = rig.plan_from(&rig.read().unwrap(), &BTreeSet::new(), Some(&only)).unwrap();
    rig.apply_plan(&plan).unwrap();
    give(&rig, "bob@x.example", "Plain");
    assert_eq!(last_in_sync(&rig.plan()), ["user/ann@x.example run-1", "user/bob@x.example run-2"]);
    // Privileged access that no file writes, and an entity that is gone.
    let (mut rig, mut world) = (two_members(), hive::world());
    hive::member(&mut world, "sam@x.example", "Admin", Assignment::All);
    rig.apply();
    let sam = world.members.pop().unwrap();
    rig.world().members.push(sam);
    rig.world().members.retain(|member| member.email != "ann@x.example");
    assert_eq!(last_in_sync(&rig.plan()), ["user/ann@x.example run-1", "user/sam@x.example run-1"]);
}

/// The ledger has no copy of the file. What the file asked for in another version is known only of what was sent.
#[test]
fn of_another_file_only_the_values_that_a_run_wrote_are_known() {
    let mut rig = two_members();
    rig.apply();
    give(&rig, "ann@x.example", "Other");
    give(&rig, "bob@x.example", "Plain");
    rig.set_file(&format!("# The places are others.\n\n{TWO}"));
    assert_eq!(last_in_sync(&rig.plan()), ["user/ann@x.example run-1", "user/bob@x.example run-1"]);
    rig.set_file(&TWO.replace("users:", "acknowledged: [user/x@x.example]\nusers:"));
    assert_eq!(last_in_sync(&rig.plan()), ["user/bob@x.example run-1"], "`run-1` gave Bob the role");
    rig.set_file(&TWO.replace("[Other]", "[Admin]"));
    assert!(last_in_sync(&rig.plan()).is_empty(), "the file never asked for it before");
    // rolecall moved Bob itself, as another file asked. So this is no drift of which it could say who made it.
    rig.apply();
    rig.set_file(TWO);
    assert!(last_in_sync(&rig.plan()).is_empty());
}

#[test]
fn who_waits_and_what_cant_be_read_was_not_as_the_file_says() {
    let mut rig = two_members();
    rig.set_file("users: [{ email: new@x.example, roles: [Plain], resources: all }]");
    rig.apply();
    assert!(rig.world().accept("new@x.example"));
    give(&rig, "new@x.example", "Other");
    assert!(last_in_sync(&rig.plan()).is_empty(), "the run invited her");
    // An incomplete list proves nothing, neither then nor now.
    let mut rig = two_members();
    rig.apply();
    give(&rig, "ann@x.example", "Other");
    let mut live = rig.read().unwrap();
    live.users.completeness = Completeness::Broken { why: "it is cut off".to_owned() };
    assert!(last_in_sync(&rig.planned(&live, &BTreeSet::new(), None).unwrap().plan).is_empty());
}

#[test]
fn a_ledger_of_an_earlier_version_still_tells_of_what_was_sent() {
    let mut rig = two_members();
    rig.apply();
    let mut earlier = Ledger::default();
    for record in rig.ledger.records() {
        let mut record = record.clone();
        if let Event::RunFinished { desired, differing, .. } = &mut record.event {
            (*desired, *differing) = (None, BTreeSet::new());
        }
        earlier.append(record).unwrap();
    }
    rig.ledger = earlier;
    give(&rig, "ann@x.example", "Other");
    give(&rig, "bob@x.example", "Plain");
    assert_eq!(last_in_sync(&rig.plan()), ["user/bob@x.example run-1"]);
}

/// An apply in CI after every merge often has nothing to send, and has read everything all the same.
#[test]
fn every_report_says_when_it_was_as_the_file_says_and_that_rolecall_did_not_move_it() {
    let env = Env::new();
    let file = example("hive.yaml").split("\nroles:").next().unwrap().to_owned();
    env.write("hive.yaml", format!("{file}\nacknowledged: [user/jane@acme.example]\nusers: []\n"));
    let run = |args: &[&str]| env.run(&[args, &["--sandbox", "hive.yaml"]].concat());
    assert_eq!(run(&["apply", "--auto-approve"]).code, 0);
    let world = ".rolecall/sandbox/hive-acme.json";
    let mut live: serde_json::Value = serde_json::from_str(&env.read(world)).unwrap();
    let roles = live["roles"].as_array().unwrap();
    let admin = roles.iter().find(|role| role["name"] == "Admin").unwrap()["id"].clone();
    let members = live["members"].as_array_mut().unwrap();
    members.iter_mut().find(|member| member["email"] == "sam@acme.example").unwrap()["role_id"] = admin;
    env.write(world, live.to_string());
    let ledger = env.read(".rolecall/sandbox/ledger/hive-acme.jsonl");
    let started: serde_json::Value = serde_json::from_str(ledger.lines().next().unwrap()).unwrap();
    let id = started["run"].as_str().unwrap();
    for format in ["text", "markdown"] {
        let said = run(&["drift", "--format", format]);
        let words = said.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        let words = words.replace('`', "");
        assert!(words.contains("was as the file says on $TODAY"), "{}", said.all());
        assert!(words.contains("; changed since, not by rolecall"), "{}", said.all());
        assert!(words.contains(&id[id.len() - 4..]), "{}", said.all());
    }
    // A later run that sends nothing has seen that he isn't.
    run(&["apply", "--auto-approve"]);
    let shown = env.run(&["show", ".rolecall/sandbox/ledger/hive-acme.jsonl"]);
    let last = shown.stdout.trim_end().lines().last().unwrap().to_owned();
    assert!(last.ends_with("is left to do; not as the file says: user/sam@acme.example"), "{}", shown.all());
    let json: serde_json::Value = serde_json::from_str(&run(&["drift", "--format", "json"]).stdout).unwrap();
    assert_eq!(json["organizations"][0]["last_in_sync"]["user/sam@acme.example"]["run"], id);
    // The plan of another file says so of what has drifted from the base.
    env.write("base/hive.yaml", env.read("hive.yaml"));
    env.write("hive.yaml", env.read("hive.yaml").replace("[user/jane@", "[user/x@acme.example, user/jane@"));
    for (options, known) in [(&["--base", "base"][..], true), (&[], false)] {
        let said = run(&[&["plan", "--format", "json"], options].concat());
        let json: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
        let last = &json["organizations"][0]["last_in_sync"]["user/sam@acme.example"];
        assert_eq!(last.is_object(), known, "{}", said.all());
    }
    // Without that ledger, nobody knows.
    let other = run(&["drift", "--ledger", "other.jsonl"]);
    assert!(other.code == 2 && !other.stdout.contains("as the file says"), "{}", other.all());
}

#[test]
fn a_membership_that_went_with_a_team_that_rolecall_deleted_is_not_said_to_be_anybody_elses() {
    let env = Env::new();
    let example = example("rapidapi.yaml");
    let head = example.split("\nsettings:").next().unwrap();
    let head = head.replace("allow: []", "allow: [default-team-deletion]").replace("25%", "99%");
    let admins: String = ["own", "jane", "alexandra"]
        .map(|name| format!("  - {{ email: {name}@acme.example, roles: [Organization Admin] }}\n"))
        .concat();
    let sam = "  - { email: sam@acme.example, roles: [Developer], teams: { Payments: Team Admin, Search: Team Developer } }\n";
    let before = format!("{head}\nteams:\n  - name: Payments\n  - name: Search\nusers:\n{admins}{sam}");
    let without =
        format!("{head}\nteams:\n  - name: Payments\n  - name: Search\n    absent: true\nusers:\n{admins}");
    for file in [&before, &without] {
        env.write("a.yaml", file);
        let said = env.run(&["apply", "--sandbox", "--auto-approve", "a.yaml"]);
        assert_eq!(said.code, 0, "{}", said.all());
    }
    env.write("a.yaml", &before);
    let said = env.run(&["drift", "--sandbox", "a.yaml"]);
    assert!(said.stdout.contains("user/sam@acme.example"), "{}", said.stdout);
    assert!(!said.stdout.contains("not by rolecall"), "{}", said.stdout);
}

/// A reader of a pipe gets the whole report once, whether the pipe has a name or a number.
#[cfg(unix)]
#[test]
fn reports_and_metrics_go_into_pipes() {
    let env = Env::with_example();
    let script = r#"mkfifo report metrics || exit 9
        cat report > report.json & cat metrics > metrics.prom &
        { timeout 30 "$0" "$@" --report html=/dev/fd/3 3>&1 > text; echo $? > code; } | cat > report.html
        wait; exit "$(cat code)""#;
    let said = env.run_within(
        script,
        &["drift", "--sandbox", "bitpanda.yaml", "--report", "json=report", "--metrics-file", "metrics"],
    );
    assert_eq!(said.code, 2, "{}", said.all());
    let report: serde_json::Value = serde_json::from_str(&env.read("report.json")).unwrap();
    assert_eq!(report["organizations"][0]["sealed"]["identity"]["provider"], "bitpanda");
    assert!(env.read("report.html").ends_with("</html>\n") && env.read("text").contains("key/ci-pipeline"));
    assert!(env.read("metrics.prom").contains("rolecall_differences{"));
}
