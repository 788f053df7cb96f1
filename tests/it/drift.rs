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
            vec!["needs attention\n    user/sam@acme.example  blocked: Not in the file, and gives privileged"],
        ),
        ("json", vec!["\"user/sam@acme.example\"", "\"class\": \"blocked\""]),
        ("markdown", vec!["user&#47;sam", "blocked: Not in the file, and gives privileged"]),
        ("junit", vec!["<failure type=\"blocked\" message=\"Not in the file, and gives privileged"]),
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
