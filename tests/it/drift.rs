//! What counts as drift: privileged access that no file writes does, rolecall's own unfinished work doesn't.

use crate::support::cli::{Env, example};
use crate::support::rig::{Platform, Rig, holds};
use crate::support::{bitpanda, hive, paradime, rapidapi};
use rolecall_model::{HoldClass, OrganizationPlan};
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
