//! What holds on every platform in the same way: an entry that is ambiguous holds itself alone, and whoever was a member
//! isn't invited again without a person who says so.

use crate::support::rig::{Platform, Rig, addresses, holds};
use crate::support::{bitpanda, hive, paradime, rapidapi};
use rolecall_model::HoldReason;
use rolecall_sandbox::bitpanda::WorldUser;
use rolecall_sandbox::hive::Assignment;
use serde_json::Value;

/// Checks that the entry at `ambiguous` is held, and that the leaver loses access all the same.
fn leavers_still_lose_access<P: Platform>(world: P::World, body: &str, ambiguous: &str) {
    let plan = Rig::<P>::new(world, body).plan_without_errors();
    assert!(addresses(&plan).contains(&"user/left@x.example".to_owned()), "{:?}", addresses(&plan));
    let held = plan.sealed.holds.iter().find(|hold| hold.address.to_string() == ambiguous);
    let held = held.unwrap_or_else(|| panic!("{ambiguous}: {:#?}", holds(&plan)));
    assert!(matches!(held.reason, HoldReason::Unplannable { .. }), "{held:#?}");
}

#[test]
fn one_ambiguous_thing_holds_its_own_entry_and_leavers_still_lose_access() {
    let mut world = bitpanda::world();
    for email in ["stays@x.example", "left@x.example"] {
        world.users.push(bitpanda::user(email, &["SIGNER"]));
    }
    world.users.push(bitpanda::user("twin@x.example", &["SIGNER"]));
    world.users.push(WorldUser { id: "another".to_owned(), ..bitpanda::user("twin@x.example", &["SIGNER"]) });
    for id in ["one", "two"] {
        world.keys.push(bitpanda::key(id, "twin", &["SIGNER"], id));
    }
    let leaver =
        "{ email: left@x.example, enabled: false }, { email: stays@x.example, enabled: true, roles: [SIGNER] }";
    let body = format!(
        "users: [{leaver}]\nkeys: [{{ name: twin, roles: [SIGNER], expires: 2031-01-01T00:00:00Z, deliver: {{ file: k }} }}]"
    );
    leavers_still_lose_access::<bitpanda::Custody>(world.clone(), &body, "key/twin");
    let body = format!("users: [{leaver}, {{ email: twin@x.example, enabled: true, roles: [OPS] }}]");
    leavers_still_lose_access::<bitpanda::Custody>(world, &body, "user/twin@x.example");

    let mut world = paradime::world();
    paradime::user(&mut world, "left@x.example", "ANALYST");
    paradime::user(&mut world, "twin@x.example", "ANALYST");
    paradime::user(&mut world, "Twin@x.example", "ADMIN");
    let body = "users: [{ email: left@x.example, absent: true }, { email: twin@x.example, roles: [BUSINESS] }]";
    leavers_still_lose_access::<paradime::Workspace>(world, body, "user/twin@x.example");

    let mut world = rapidapi::with_teams(&["Payments"]);
    rapidapi::member(&mut world, "left@x.example", false, &[("Payments", "team-viewer")]);
    rapidapi::member(&mut world, "stays@x.example", false, &[("Payments", "team-viewer")]);
    let body = "users:
  - { email: left@x.example, absent: true }
  - { email: stays@x.example, teams: [Deleted] }";
    leavers_still_lose_access::<rapidapi::Hub>(world, body, "user/stays@x.example");
}

/// A role or a team that can't be created is given to nobody. Otherwise the plan would promise an access, or a mail, that
/// no apply sends.
#[test]
fn what_can_not_be_created_is_given_to_nobody() {
    let mut world = hive::world();
    hive::member(&mut world, "sam@x.example", "Viewer", Assignment::All);
    let body = "roles: [{ name: \"Odd\\u200bname\", description: About it, permissions: [project:describe] }]
users:
  - { email: sam@x.example, roles: [\"Odd\\u200bname\"] }
  - { email: new@x.example, roles: [\"Odd\\u200bname\"], resources: all }";
    let plan = Rig::<hive::Console>::new(world, body).plan_without_errors();
    assert!(addresses(&plan).is_empty(), "{:?}", addresses(&plan));

    let mut world = rapidapi::with_teams(&["Payments"]);
    rapidapi::member(&mut world, "sam@x.example", false, &[("Payments", "team-viewer")]);
    let body = "teams: [{ name: \"Odd\\u200bname\" }]
users: [{ email: sam@x.example, teams: [Payments, \"Odd\\u200bname\"] }]";
    let plan = Rig::<rapidapi::Hub>::new(world, body).plan_without_errors();
    assert!(addresses(&plan).is_empty(), "{:?}", addresses(&plan));
}

/// Checks that a privileged user whose address can't be read needs attention, and is known if the file says so.
fn needs_attention_without_an_address<P: Platform>(world: P::World, list: &str, id: &str) {
    let mut rig = Rig::<P>::new(world, "users: []");
    rig.wire.forge(|data| without_address(data, "chief@x.example"));
    let plan = rig.plan();
    let row = format!("user/#{id}");
    let found: Vec<String> = holds(&plan).into_iter().filter(|hold| hold.starts_with(&row)).collect();
    assert!(found.len() == 1 && found[0].contains(" blocked: "), "{list}: {:#?}", holds(&plan));
    rig.set_file(&format!("acknowledged: [\"{row}\"]\nusers: []"));
    let plan = rig.plan();
    assert!(holds(&plan).iter().any(|hold| hold.starts_with(&format!("{row} ignored: "))), "{:#?}", holds(&plan));
    assert!(rig.warnings().is_empty(), "{:#?}", rig.warnings());
}

fn without_address(data: &mut Value, email: &str) {
    match data {
        Value::Object(fields) => {
            for (name, value) in fields {
                if name == "email" && value == email {
                    *value = Value::Null;
                }
                without_address(value, email);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| without_address(item, email)),
        _ => {}
    }
}

#[test]
fn privileged_access_of_a_row_without_an_address_needs_attention() {
    let mut world = bitpanda::world();
    world.users.push(bitpanda::user("chief@x.example", &["ADMIN"]));
    needs_attention_without_an_address::<bitpanda::Custody>(world, "bitpanda", "id-chief@x.example");

    let mut world = hive::world();
    hive::member(&mut world, "chief@x.example", "Admin", Assignment::All);
    let id = world.members.last().unwrap().user_id.clone();
    needs_attention_without_an_address::<hive::Console>(world, "hive", &id);

    let mut world = paradime::world();
    paradime::user(&mut world, "chief@x.example", "ADMIN");
    let id = world.users.last().unwrap().uid.clone();
    needs_attention_without_an_address::<paradime::Workspace>(world, "paradime", &id);

    let mut world = rapidapi::with_teams(&["Payments"]);
    rapidapi::member(&mut world, "chief@x.example", true, &[]);
    let id = world.users.last().unwrap().id.to_string();
    needs_attention_without_an_address::<rapidapi::Hub>(world, "rapidapi", &id);
}

/// Checks that somebody who was read as a member, and is gone, is held until a person asks for another invitation.
fn is_not_invited_again<P: Platform>(world: P::World, entries: &str, leave: impl Fn(&mut P::World)) {
    let mut rig = Rig::<P>::new(world, entries);
    rig.apply();
    leave(&mut rig.world());
    let plan = rig.plan();
    assert!(!addresses(&plan).contains(&"user/gone@x.example".to_owned()), "{:?}", addresses(&plan));
    let held = holds(&plan).into_iter().find(|hold| hold.starts_with("user/gone@x.example blocked"));
    let held = held.unwrap_or_else(|| panic!("{:#?}", holds(&plan)));
    assert!(held.contains("was a member") && held.contains("--assert"), "{held}");
    let report = rig.apply_asserting("user/gone@x.example");
    assert!(report.steps.iter().any(|step| step.address.to_string() == "user/gone@x.example"), "{report:#?}");
}

#[test]
fn somebody_whom_the_ledger_knows_as_a_member_is_not_silently_invited_again() {
    let mut world = bitpanda::world();
    world.users.push(bitpanda::user("gone@x.example", &["SIGNER"]));
    world.users.push(bitpanda::user("stays@x.example", &["SIGNER"]));
    is_not_invited_again::<bitpanda::Custody>(
        world,
        "users:
  - { email: gone@x.example, enabled: true, roles: [OPS], first_name: Gone, last_name: User }
  - { email: stays@x.example, enabled: true, roles: [SIGNER] }",
        |world| world.users.retain(|user| user.email != "gone@x.example"),
    );

    let mut world = hive::world();
    hive::member(&mut world, "gone@x.example", "Viewer", Assignment::All);
    is_not_invited_again::<hive::Console>(
        world,
        "users: [{ email: gone@x.example, roles: [Admin], resources: all }]",
        |world| world.members.retain(|member| member.email != "gone@x.example"),
    );

    let mut world = paradime::world();
    paradime::user(&mut world, "gone@x.example", "ANALYST");
    is_not_invited_again::<paradime::Workspace>(
        world,
        "users: [{ email: gone@x.example, roles: [BUSINESS] }]",
        |world| world.users.retain(|user| user.email != "gone@x.example"),
    );

    let mut world = rapidapi::with_teams(&["Payments", "Data"]);
    rapidapi::member(&mut world, "gone@x.example", false, &[("Payments", "team-viewer")]);
    is_not_invited_again::<rapidapi::Hub>(
        world,
        "users: [{ email: gone@x.example, roles: [Developer], teams: [Payments, Data] }]",
        |world| {
            let (organization, user) = (rapidapi::acme(world), rapidapi::user(world, "gone@x.example"));
            let organization = world.organization_mut(organization).unwrap();
            organization.members.retain(|member| member.user != user);
            for team in &mut organization.teams {
                team.members.retain(|member| *member != user);
            }
        },
    );
}
