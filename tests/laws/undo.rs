//! Undo files: a file written before an apply restores what the plan changes, except for the parts that it lists
//! as irreversible.

use std::collections::BTreeSet;

use crate::lawful::Lawful;
use crate::support::rig::{Platform, Rig, desired, now};
use crate::{config, planned};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use rolecall_config::{Undo, UndoInput, undo};
use rolecall_model::{Address, HoldClass, Live, OrganizationPlan};

/// Returns the undo file for a plan, as it is written before the plan is sent.
fn undo_file<P: Platform>(rig: &Rig<P>, live: &Live, plan: &OrganizationPlan) -> Undo {
    let input = UndoInput {
        desired: &rig.desired,
        plan,
        live,
        facts: &rig.ledger.facts(),
        format: rolecall_providers::format(P::NAME),
        generator: "rolecall",
        run: "run-1",
        now: now(),
    };
    undo(&input).unwrap_or_else(|findings| panic!("{findings:#?}"))
}

/// Accepted reasons why somebody's access isn't restored.
const EXCUSES: &[&str] = &[
    "no longer a member",
    "The API can't enable users",
    "The API can't cancel the invitation",
    "can't be written",
    "doesn't send it again",
    "doesn't add that team again",
    "doesn't invite them",
    "It stays disabled",
    "It is deleted together with its secret",
    "Several users have this address",
    "A file can't ask for an open invitation",
    "The previous status can't be read",
];

/// Returns the address of the user or key with this name, which is an id or an address.
fn address_of(name: &str, live: &Live) -> Option<Address> {
    let id = name.split(' ').next_back().unwrap();
    let user = live.users.items.iter().find(|user| user.id.as_str() == id || user.email.as_str() == id);
    let key = live.keys().iter().find(|key| key.id.as_str() == id);
    user.map(|user| Address::user(&user.email)).or_else(|| key.map(|key| Address::key(&key.name)))
}

/// Replaces team ids by names, because a recreated team has another id.
fn with_team_names(access: &BTreeSet<String>, live: &Live) -> BTreeSet<String> {
    let team = |word: &String| live.teams().iter().find(|team| team.id.as_str() == word).map(|team| &team.name);
    access.iter().map(|word| team(word).map_or_else(|| word.clone(), ToString::to_string)).collect()
}

/// Sends a plan and then its undo file. Returns whether there was one.
fn apply_and_undo<P: Lawful>(mut world: P::World, file: &crate::lawful::FileBody) -> bool {
    P::remove_unknowable(&mut world);
    let mut rig = P::rig(world, file);
    let Some(plan) = planned(&rig).filter(|plan| !plan.sealed.mutations.is_empty()) else { return false };
    let live = rig.read().unwrap();
    let before = P::access(&rig.world());
    let Undo { text, irreversible } = undo_file(&rig, &live, &plan);
    let report = rig.apply_plan(&plan).unwrap();
    if !report.all_done() {
        return false;
    }
    rig.desired = desired(&text);
    let changes = &plan.sealed.changes;
    let back = rig.try_plan().unwrap_or_else(|findings| panic!("{text}\n{changes:#?}\n{findings:#?}"));
    if !back.refusals.is_empty() {
        return false;
    }
    rig.apply_plan(&back).unwrap();
    let again = rig.try_plan().unwrap_or_else(|findings| panic!("{text}\n{changes:#?}\n{findings:#?}"));
    assert!(again.sealed.mutations.is_empty(), "{text}\n{changes:#?}\n{:#?}", again.sealed);
    let after = P::access(&rig.world());
    let excused = |address: &Address| {
        let said = irreversible.iter().filter(|irreversible| {
            (irreversible.address.kind, &irreversible.address.name) == (address.kind, &address.name)
        });
        let held = again.sealed.holds.iter().filter(|hold| hold.class != HoldClass::Ignored);
        said.into_iter().any(|irreversible| EXCUSES.iter().any(|excuse| irreversible.why.contains(excuse)))
            || held.into_iter().any(|hold| hold.address.name == address.name)
    };
    let live_again = rig.read().unwrap();
    for (name, access) in &before {
        let address = address_of(name, &live);
        let is = after.get(name).map(|access| with_team_names(access, &live_again));
        assert!(
            is == Some(with_team_names(access, &live)) || address.as_ref().is_some_and(excused),
            "{name} had {access:?} and has {:?}\n{text}\n{changes:#?}\n{:#?}",
            after.get(name),
            again.sealed.holds
        );
    }
    let new: BTreeSet<&String> = after.keys().filter(|name| !before.contains_key(*name)).collect();
    for name in new {
        let address = address_of(name, &live_again);
        // Some platforms don't list users who haven't accepted their invitation.
        let invited = irreversible
            .iter()
            .any(|irreversible| irreversible.why.contains("The API can't cancel the invitation"));
        assert!(address.as_ref().map_or(invited, excused), "{name} has access now\n{text}\n{changes:#?}");
    }
    true
}

/// Checks that plans and then their undo files leave everybody with the access that they had.
pub fn an_undo_file_restores_what_was<P: Lawful>() {
    let mut runner = TestRunner::deterministic();
    let cases = config().cases;
    let mut taken = 0;
    for _ in 0..cases {
        let (world, file) = P::mixed().new_tree(&mut runner).unwrap().current();
        taken += u32::from(apply_and_undo::<P>(world, &file));
    }
    assert!(taken >= cases / 6, "{taken} of {cases} went there and back");
}

/// Applies a plan, keeps its undo file, and plans from that file.
fn apply_undo<P: Platform>(rig: &mut Rig<P>) -> Undo {
    let (plan, live) = (rig.plan(), rig.read().unwrap());
    assert!(!plan.sealed.mutations.is_empty(), "{:#?}", plan.sealed);
    let undo = undo_file(rig, &live, &plan);
    let report = rig.apply_plan(&plan).unwrap();
    assert!(report.all_done(), "{report:#?}");
    rig.desired = desired(&undo.text);
    undo
}

fn why(undo: &Undo, address: &str) -> String {
    let of = undo.irreversible.iter().filter(|irreversible| irreversible.address.to_string() == address);
    of.map(|irreversible| irreversible.why.as_str()).collect::<Vec<_>>().join("; ")
}

/// Texts that YAML could read as another type, or that could end a quoted text.
const TEXTS: &[&str] = &[
    "yes",
    "null",
    "~~",
    "2027-04-30",
    "0x1f",
    "1e3",
    "- a",
    "a: b",
    "a #b",
    "# a",
    "{x}",
    "[x",
    "*a",
    "&a",
    "!a",
    "%a",
    "@a",
    "`a`",
    "'a",
    "\"a\" said",
    "a\\b",
    "two\nlines",
    "two\n\n  lines\n",
    " padded ",
    "a, b",
    "<<",
    "=>",
    "...",
    "---",
    "ünï ❤ 漢字",
    "a long line that goes on and on, and on, until it would be folded by whoever folds lines that go on and on and on",
];

#[test]
fn any_text_comes_back_as_it_was() {
    for text in TEXTS {
        let mut world = crate::support::hive::world();
        crate::support::hive::role(&mut world, "Reader", &[]);
        world.roles.last_mut().unwrap().description = (*text).to_owned();
        let mut rig: crate::support::hive::Rig =
            Rig::new(world.clone(), "roles: [{ name: Reader, description: Now it is this }]\n");
        apply_undo(&mut rig);
        rig.apply();
        assert_eq!(rig.world().roles.last().unwrap().description, *text);
    }
}

/// Platforms may have names that no file may contain. Everything else is restored nevertheless.
#[test]
fn entries_that_no_file_can_express_are_reported_instead() {
    let mut world = crate::support::hive::world();
    crate::support::hive::role(&mut world, "Reader", &[]);
    crate::support::hive::role(&mut world, "Writer", &[]);
    world.roles.last_mut().unwrap().description = "turned \u{202e} around".to_owned();
    let change = "description: Now it is this";
    let body = format!("roles: [{{ name: Reader, {change} }}, {{ name: Writer, {change} }}]\n");
    let mut rig: crate::support::hive::Rig = Rig::new(world, &body);
    let undo = apply_undo(&mut rig);
    assert!(why(&undo, "role/Writer").contains("can't be written in a file"), "{}", undo.text);
    assert!(!undo.text.contains('\u{202e}'), "{}", undo.text);
    rig.apply();
    assert_eq!(rig.world().role("Reader").unwrap().description, "About Reader");
}

/// The new key is disabled; the old one with the same name stays.
#[test]
fn a_successor_goes_and_what_it_was_to_follow_stays() {
    use crate::support::bitpanda::{key, world};
    let mut organization = world();
    organization.keys.push(key("k-old", "ci", &["SIGNER"], "old-secret"));
    let body =
        "keys: [{ name: ci, roles: [CLUSTER_OPS], expires: 2030-01-01T00:00:00Z, deliver: { file: ci } }]\n";
    let mut rig: crate::support::bitpanda::Rig = Rig::new(organization, body);
    let undo = apply_undo(&mut rig);
    assert!(why(&undo, "key/ci").contains("can't be recalled"), "{}", undo.text);
    rig.apply();
    let works = |id: &str| rig.world().keys.iter().any(|key| key.id == id && key.enabled);
    assert!(works("k-old"), "{}", undo.text);
    assert_eq!(rig.world().keys.iter().filter(|key| key.name == "ci" && key.enabled).count(), 1);
    assert!(rig.plan().sealed.mutations.is_empty());
}

/// If a later plan has already disabled the old key, it is enabled again.
#[test]
fn a_retired_key_is_enabled_again_where_that_can_be() {
    use crate::support::bitpanda::{key, world};
    let mut organization = world();
    organization.keys.push(key("k1", "ci", &["SIGNER"], "a-secret"));
    let mut rig: crate::support::bitpanda::Rig = Rig::new(organization, "keys: [{ name: ci, absent: true }]\n");
    apply_undo(&mut rig);
    assert!(rig.world().keys.iter().any(|key| key.id == "k1" && !key.enabled));
    rig.apply();
    assert!(rig.world().keys.iter().any(|key| key.id == "k1" && key.enabled));
}

#[test]
fn a_disabled_user_is_enabled_again_and_the_admins_count() {
    use crate::support::bitpanda::{user, world};
    let mut organization = world();
    for (email, roles) in [("a@x.example", "ADMIN"), ("b@x.example", "ADMIN"), ("c@x.example", "SIGNER")] {
        organization.users.push(user(email, &[roles]));
    }
    let body = "guardrails: { min_admins: 2 }
users:
  - { email: a@x.example, enabled: true }
  - { email: b@x.example, enabled: true }
  - { email: c@x.example, enabled: false }
";
    let mut rig: crate::support::bitpanda::Rig = Rig::new(organization, body);
    let undo = apply_undo(&mut rig);
    assert!(why(&undo, "user/c@x.example").contains("can't be read"), "{}", undo.text);
    let back = rig.plan();
    assert!(back.refusals.is_empty(), "{:?}\n{}", back.refusals, undo.text);
    assert_eq!(crate::support::rig::addresses(&back), ["user/c@x.example"]);
    rig.apply();
    assert!(rig.world().users.iter().all(|user| user.enabled));
}

#[test]
fn roles_and_those_who_had_them_come_back_and_no_token_is_minted() {
    use crate::support::hive::{member, role, world};
    use rolecall_sandbox::hive::Assignment;
    let mut organization = world();
    role(&mut organization, "Old", &["project:describe"]);
    member(&mut organization, "a@x.example", "Old", Assignment::All);
    member(&mut organization, "b@x.example", "Old", Assignment::All);
    let body = "roles: [{ name: Old, absent: true }, { name: New, description: For all, permissions: [] }]
users:
  - { email: a@x.example, roles: [New], resources: { shop: { staging: { services: [cart] } } } }
  - { email: b@x.example, absent: true }
";
    let mut rig: crate::support::hive::Rig = Rig::new(organization.clone(), body);
    let access = crate::support::hive::Console::access(&rig.world());
    let undo = apply_undo(&mut rig);
    assert!(why(&undo, "role/Old").contains("another id"), "{}", undo.text);
    assert!(why(&undo, "role/No access").contains("It isn't deleted."), "{}", undo.text);
    rig.apply();
    assert_eq!(crate::support::hive::Console::access(&rig.world()), access);
    assert!(rig.world().role("New").is_none());
    assert!(rig.plan().sealed.mutations.is_empty());
}

#[test]
fn a_user_that_paradime_disabled_waits_for_a_person() {
    use crate::support::paradime::{user, world};
    let mut workspace = world();
    user(&mut workspace, "a@x.example", "DEVELOPER");
    let mut rig: crate::support::paradime::Rig =
        Rig::new(workspace, "users: [{ email: a@x.example, absent: true }]\n");
    let undo = apply_undo(&mut rig);
    assert!(why(&undo, "user/a@x.example").contains("The API can't enable users"), "{}", undo.text);
    let back = rig.plan();
    assert!(back.sealed.mutations.is_empty(), "{:#?}", back.sealed);
    assert!(crate::support::rig::holds(&back).iter().any(|hold| hold.starts_with("user/a@x.example")));
}

/// Members of a deleted team are restored too, even if the file doesn't list them.
#[test]
fn accounts_teams_and_their_members_come_back() {
    use crate::support::rapidapi::{Hub, is_admin, member, status, teams_of, with_teams};
    let mut hub = with_teams(&["Data", "Search"]);
    member(&mut hub, "a@x.example", false, &[("Data", "TEAM_ADMIN"), ("Search", "TEAM_VIEWER")]);
    member(&mut hub, "b@x.example", false, &[("Search", "TEAM_DEVELOPER")]);
    member(&mut hub, "c@x.example", false, &[("Data", "TEAM_DEVELOPER")]);
    let body = "teams: [{ name: Data, absent: true }]
users:
  - { email: b@x.example, roles: [Organization Admin] }
  - { email: c@x.example, teams: [Search], status: deactivated }
";
    let mut rig: Rig<Hub> = Rig::new(hub, body);
    let people = ["a@x.example", "b@x.example", "c@x.example"];
    let all = |rig: &Rig<Hub>| {
        let world = rig.world();
        people.map(|email| (BTreeSet::from_iter(teams_of(&world, email)), status(&world, email)))
    };
    let before = all(&rig);
    let undo = apply_undo(&mut rig);
    assert!(why(&undo, "team/Data").contains("another id"), "{}", undo.text);
    for _ in 0..2 {
        rig.apply();
    }
    assert_eq!(all(&rig), before, "{}", undo.text);
    assert!(!is_admin(&rig.world(), "b@x.example"));
    assert!(rig.plan().sealed.mutations.is_empty());
}
