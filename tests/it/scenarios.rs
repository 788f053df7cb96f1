//! Stories of an organisation. Each tests something that users rely on.

use std::collections::BTreeSet;

use crate::support::bitpanda::{Rig, key, user, world};
use crate::support::rig::{Fate, addresses, holds};
use rolecall_engine::apply::{FinalState, Stop};
use rolecall_model::{Address, Code, Outcome, Site};
use rolecall_sandbox::bitpanda::{Invitees, World};
use serde_json::json;

/// Approves all pending updates, as a second person would.
fn approve_pending(world: &mut World) {
    for update in std::mem::take(&mut world.pending) {
        let user = world.users.iter_mut().find(|user| user.id == update.id).unwrap();
        (user.roles, user.enabled) = (update.roles, update.enabled);
    }
}

fn world_with(users: &[(&str, &[&str])]) -> World {
    let mut world = world();
    world.users.extend(users.iter().map(|(email, roles)| user(email, roles)));
    world
}

fn converged(standing: &FinalState) -> bool {
    matches!(standing, FinalState::InSync { .. })
}

/// Returns the variables of the mutations that were sent, without the argument's name.
fn inputs(rig: &Rig) -> Vec<serde_json::Value> {
    let inner = |variables: &serde_json::Value| variables.as_object().unwrap().values().next().unwrap().clone();
    rig.wire.mutations().iter().map(|request| inner(&request.variables)).collect()
}

#[test]
fn three_roles_and_a_fourth_are_sent_as_four() {
    let world = world_with(&[("jane@x.example", &["A", "B", "C"])]);
    let mut rig = Rig::new(world, "users: [{ email: jane@x.example, roles: [A, B, C, D], enabled: true }]");
    assert!(converged(&rig.apply().final_state));
    assert_eq!(
        inputs(&rig),
        [json!({ "userTrustId": "id-jane@x.example", "roles": ["A", "B", "C", "D"], "enabled": true })]
    );
}

#[test]
fn two_of_three_roles_are_sent_as_two_and_the_plan_shows_the_unknown_one_going() {
    let world = world_with(&[("jane@x.example", &["A", "B", "NEVER_HEARD_OF"])]);
    let mut rig = Rig::new(world, "users: [{ email: jane@x.example, roles: [A, B], enabled: true }]");
    let plan = rolecall_model::Plan::new("test", vec![rig.plan()]);
    assert!(rolecall::report::plan_text(&plan, rolecall::report::Layout::default()).contains("-NEVER_HEARD_OF"));
    assert!(converged(&rig.apply().final_state));
    assert_eq!(
        inputs(&rig),
        [json!({ "userTrustId": "id-jane@x.example", "roles": ["A", "B"], "enabled": true })]
    );
}

#[test]
fn a_user_without_roles_in_the_file_keeps_those_that_were_just_read() {
    let world = world_with(&[("sam@x.example", &["A", "B"])]);
    let mut rig = Rig::new(world, "users: [{ email: sam@x.example, enabled: false }]");
    rig.apply();
    assert_eq!(
        inputs(&rig),
        [json!({ "userTrustId": "id-sam@x.example", "roles": ["A", "B"], "enabled": false })]
    );
}

#[test]
fn disabling_is_sent_until_the_ledger_shows_it_and_never_again() {
    let mut rig =
        Rig::new(world_with(&[("sam@x.example", &["A"])]), "users: [{ email: sam@x.example, enabled: false }]");
    assert!(converged(&rig.apply().final_state));
    assert!(addresses(&rig.plan()).is_empty());
    rig.ledger = rolecall_engine::ledger::Ledger::default();
    assert_eq!(addresses(&rig.plan()), ["user/sam@x.example"]);
}

#[test]
fn enabling_an_existing_user_goes_out_only_with_another_change_or_when_asserted() {
    let mut world = world_with(&[("sam@x.example", &["A"])]);
    world.users[0].enabled = false; // by another hand
    let mut rig = Rig::new(world, "users: [{ email: sam@x.example, roles: [A], enabled: true }]");
    assert!(addresses(&rig.plan()).is_empty());
    let live = rig.read().unwrap();
    let asserted = BTreeSet::from(["user/sam@x.example".parse::<Address>().unwrap()]);
    let plan = rig.plan_from(&live, &asserted, None).unwrap();
    assert_eq!(addresses(&plan), ["user/sam@x.example"]);
    assert!(serde_json::to_string(&plan.sealed.changes[0].effects).unwrap().contains("may-re-enable"));
    rig.apply_plan(&plan).unwrap();
    assert!(rig.world().users[0].enabled);
}

#[test]
fn a_user_we_disabled_is_enabled_again_when_the_file_says_so() {
    let mut rig =
        Rig::new(world_with(&[("sam@x.example", &["A"])]), "users: [{ email: sam@x.example, enabled: false }]");
    rig.apply();
    rig.set_file("users: [{ email: sam@x.example, enabled: true }]");
    assert!(converged(&rig.apply().final_state));
    assert!(rig.world().users[0].enabled);
    assert!(addresses(&rig.plan()).is_empty());
}

#[test]
fn a_cleared_name_in_the_first_answer_stops_the_run() {
    let mut world = world_with(&[("ann@x.example", &["A"]), ("bob@x.example", &["A"])]);
    world.switches.clears_unsent = true;
    let mut rig = Rig::new(
        world,
        "users: [{ email: ann@x.example, roles: [A, B], enabled: true }, { email: bob@x.example, roles: [A, B], enabled: true }]",
    );
    let report = rig.apply();
    assert_eq!(report.stopped, Some(Stop::Lost));
    assert!(report.steps[0].message.as_ref().unwrap().contains("cleared the first name, last name, phone"));
    assert_eq!(report.steps[1].outcome, Outcome::Skipped);
    assert_eq!(rig.wire.mutations().len(), 1);
}

#[test]
fn an_update_that_awaits_approval_is_not_taken_and_not_sent_again() {
    let mut world = world_with(&[("ann@x.example", &["A"])]);
    world.switches.quorum = true;
    let mut rig = Rig::new(world, "users: [{ email: ann@x.example, roles: [A, B], enabled: true }]");
    let report = rig.apply();
    assert_eq!(report.steps[0].outcome, Outcome::NotTaken);
    let again = rig.plan();
    assert!(addresses(&again).is_empty());
    assert!(holds(&again)[0].starts_with(
        "user/ann@x.example waiting: rolecall sent this change on 2026-11-21, but a later read doesn't show it."
    ));
    approve_pending(&mut rig.world());
    let after = rig.plan();
    assert!(addresses(&after).is_empty());
    assert!(!holds(&after).iter().any(|hold| hold.starts_with("user/ann")), "live wins: {:?}", holds(&after));
}

#[test]
fn a_key_that_changes_gets_a_successor_and_a_later_plan_retires_the_old_one() {
    let mut world = world();
    world.keys.push(key("old", "backend", &["A"], "s"));
    let mut rig = Rig::new(
        world,
        "keys: [{ name: backend, roles: [A, B], expires: 2031-01-01T00:00:00Z, deliver: { file: k } }]",
    );
    let first = rig.plan();
    assert_eq!(addresses(&first), ["key/backend"]);
    assert!(
        holds(&first)[0].starts_with("key/backend#old waiting: This key works until its successor is delivered")
    );
    let report = rig.apply_plan(&first).unwrap();
    assert!(matches!(report.final_state, FinalState::InSync { later: 1 }));
    assert!(rig.world().keys.iter().any(|key| key.id == "old" && key.enabled), "both work for a while");
    assert!(rig.delivered("k").is_some());
    let second = rig.plan();
    assert_eq!(addresses(&second), ["key/backend#old"]);
    rig.apply_plan(&second).unwrap();
    assert!(rig.world().keys.iter().all(|key| key.id != "old" || !key.enabled));
    assert!(addresses(&rig.plan()).is_empty());
}

#[test]
fn a_disabled_namesake_does_not_satisfy_an_entry_and_is_enabled_only_by_id() {
    let mut world = world();
    world
        .keys
        .push(rolecall_sandbox::bitpanda::WorldKey { enabled: false, ..key("dormant", "backend", &["A"], "s") });
    let mut rig = Rig::new(
        world,
        "keys: [{ name: backend, roles: [A], expires: 2031-01-01T00:00:00Z, deliver: { file: k } }]",
    );
    assert_eq!(addresses(&rig.plan()), ["key/backend"]);
    rig.set_file("keys: [{ name: backend, id: dormant }]");
    let plan = rig.plan();
    assert_eq!(
        plan.sealed.mutations[0].variables["updateOrgApiKeyInput"],
        json!({ "apiKeyId": "dormant", "enabled": true })
    );
}

#[test]
fn two_live_namesakes_are_an_error_that_names_both_ids() {
    let mut world = world();
    world.keys.push(key("one", "backend", &["A"], "1"));
    world.keys.push(key("two", "backend", &["A"], "2"));
    let rig = Rig::new(world, "keys: [{ name: backend, roles: [A] }]");
    let findings = rig.try_plan().unwrap_err();
    assert_eq!(findings[0].code, Code::AmbiguousKey);
    assert!(findings[0].message.ends_with("one, two."));
}

#[test]
fn what_minting_needs_is_asked_for_all_at_once() {
    let rig =
        Rig::new(world(), "keys: [{ name: new, roles: [A], expires: 2020-01-01T00:00:00Z }, { name: other }]");
    let codes: Vec<Code> = rig.try_plan().unwrap_err().iter().map(|finding| finding.code).collect();
    assert_eq!(codes, [Code::NoDelivery, Code::ExpiryInPast, Code::IncompleteKey, Code::NoDelivery]);
}

#[test]
fn the_key_we_call_with_is_never_disabled() {
    let rig = Rig::new(world(), "keys: [{ name: rolecall, absent: true }]");
    let plan = rig.plan();
    assert!(addresses(&plan).is_empty());
    assert!(holds(&plan)[0].contains("blocked: rolecall signs in with a key that belongs here"));
}

#[test]
fn without_own_no_admin_key_is_ever_disabled() {
    let mut world = world();
    world.keys.push(key("plain", "plain", &["A"], "1"));
    let mut rig = Rig::new(world, "");
    rig.desired.own_key = None;
    rig.desired.keys = crate::support::rig::desired(&format!(
        "{}keys: [{{ name: rolecall, absent: true }}, {{ name: plain, absent: true }}]",
        crate::support::bitpanda::HEAD
    ))
    .keys;
    let plan = rig.plan();
    assert_eq!(addresses(&plan), ["key/plain"]);
    assert!(holds(&plan)[0].contains("have `own`"));
}

#[test]
fn an_own_key_that_can_not_be_the_one_is_an_error() {
    let mut rig = Rig::new(world(), "");
    rig.desired.own_key.as_mut().unwrap().value = rolecall_model::RemoteId::seen("elsewhere");
    assert_eq!(rig.try_plan().unwrap_err()[0].code, Code::WrongOwnKey);
}

#[test]
fn the_last_usable_admin_is_protected() {
    let world = world_with(&[("ann@x.example", &["ADMIN"]), ("bob@x.example", &["ADMIN"])]);
    let body =
        "users: [{ email: ann@x.example, roles: [A], enabled: true }, { email: bob@x.example, enabled: false }]";
    let plan = Rig::new(world, body).plan();
    assert_eq!(plan.refusals[0].guardrail.as_str(), "min_admins");
    assert_eq!(plan.refusals[0].addresses.len(), 2);
    assert_eq!(plan.sealed.changes.len(), 2, "a refused change is still shown");
}

#[test]
fn nobody_loses_admin_before_those_relied_on_are_seen_to_have_it() {
    let body = "users: [{ email: ann@x.example, roles: [A], enabled: true }, { email: bob@x.example, roles: [ADMIN], enabled: true }]";
    let world = || world_with(&[("ann@x.example", &["ADMIN"]), ("bob@x.example", &["A"])]);
    let mut rig = Rig::new(world(), body);
    let plan = rig.plan();
    assert_eq!(plan.sealed.mutations[0].change.name, "bob@x.example");
    assert_eq!(plan.sealed.mutations[1].after, ["m1"]);
    assert!(converged(&rig.apply().final_state));

    let mut refused = Rig::new(world(), body);
    refused.wire.set_fates(&[Fate::Refuse]);
    let report = refused.apply();
    assert_eq!(report.steps[1].outcome, Outcome::Skipped);
    assert!(report.steps[1].message.as_ref().unwrap().contains("depends on user/bob@x.example, which failed"));

    let mut waiting = Rig::new(world(), body);
    waiting.world().switches.quorum = true;
    let report = waiting.apply();
    assert_eq!(report.steps[1].outcome, Outcome::Skipped);
    assert_eq!(waiting.world().usable_admins(), 1);
}

#[test]
fn somebody_who_was_only_invited_is_no_admin_to_rely_on() {
    let mut world = world_with(&[("ann@x.example", &["ADMIN"])]);
    world.switches.invitees = Invitees::Shown;
    let mut rig = Rig::new(
        world,
        "users: [{ email: new@x.example, first_name: Nina, last_name: W, roles: [ADMIN], enabled: true }, { email: ann@x.example, roles: [ADMIN], enabled: true }]",
    );
    rig.apply();
    rig.set_file("users: [{ email: new@x.example, roles: [ADMIN], enabled: true }, { email: ann@x.example, roles: [A], enabled: true }]");
    assert_eq!(rig.plan().refusals[0].guardrail.as_str(), "min_admins");
}

#[test]
fn somebody_hidden_until_they_accepted_is_an_admin_to_rely_on_once_shown() {
    let world = world_with(&[("ann@x.example", &["ADMIN"])]);
    let mut rig = Rig::new(
        world,
        "users: [{ email: new@x.example, first_name: Nina, last_name: W, roles: [ADMIN], enabled: true }, { email: ann@x.example, roles: [ADMIN], enabled: true }]",
    );
    rig.apply();
    rig.world().user_mut("new@x.example").unwrap().accepted = true;
    rig.set_file("users: [{ email: new@x.example, roles: [ADMIN], enabled: true }, { email: ann@x.example, roles: [A], enabled: true }]");
    assert!(rig.plan().refusals.is_empty());
}

#[test]
fn manage_all_disables_who_is_not_listed_and_refuses_what_looks_like_a_wrong_file() {
    let world = || world_with(&[("ann@x.example", &["ADMIN"]), ("bob@x.example", &["A"])]);
    let mut rig = Rig::new(
        world(),
        "manage: { users: all }\nusers: [{ email: ann@x.example, roles: [ADMIN], enabled: true }]",
    );
    assert_eq!(addresses(&rig.plan()), ["user/bob@x.example"]);
    assert!(converged(&rig.apply().final_state));
    assert!(!rig.world().user("bob@x.example").unwrap().enabled);

    let empty = Rig::new(world(), "manage: { users: all }\nguardrails: { min_admins: 0 }");
    assert_eq!(empty.plan().refusals[0].guardrail.as_str(), "manage");
    let strangers = Rig::new(
        world(),
        "manage: { users: all }\nguardrails: { min_admins: 0 }\nusers: [{ email: z@x.example, first_name: Z, last_name: Z, roles: [A], enabled: true }]",
    );
    assert!(strangers.plan().refusals[0].message.contains("wrong credential"));
}

#[test]
fn protected_entities_are_never_changed() {
    let world = world_with(&[("glass@x.example", &["ADMIN"])]);
    let rig = Rig::new(
        world,
        "guardrails: { protected: [user/glass@x.example, key/rolecall] }\nusers: [{ email: glass@x.example, absent: true }]",
    );
    let plan = rig.plan();
    assert!(addresses(&plan).is_empty());
    assert!(
        holds(&plan)[0]
            .ends_with("blocked: The file's guardrails protect this entity, so rolecall doesn't change it.")
    );
}

#[test]
fn an_incomplete_list_supports_neither_invitation_nor_removal() {
    let mut world = world_with(&[("ann@x.example", &["ADMIN"]), ("bob@x.example", &["A"])]);
    world.switches.count_off_by = 1;
    let rig = Rig::new(
        world,
        "manage: { users: all }\nusers: [{ email: ann@x.example, roles: [ADMIN, A], enabled: true }, { email: new@x.example, first_name: Nina, last_name: W, roles: [A], enabled: true }]",
    );
    let plan = rig.plan();
    assert_eq!(addresses(&plan), ["user/ann@x.example"], "only somebody who was seen");
    let held = holds(&plan);
    assert!(
        held.iter().any(|hold| hold.starts_with("user/bob@x.example blocked: The list of users is incomplete"))
    );
    assert!(
        held.iter().any(|hold| hold.starts_with("user/new@x.example blocked: The list of users is incomplete"))
    );
}

#[test]
fn pages_are_followed_where_the_server_has_them_and_a_broken_list_where_it_hides_them() {
    let users: Vec<(String, &[&str])> = (0..7).map(|n| (format!("u{n}@x.example"), &["A"] as &[&str])).collect();
    let mut world = world();
    world.users.extend(users.iter().map(|(email, roles)| user(email, roles)));
    world.switches.page_size = Some(3);
    let rig = Rig::new(world.clone(), "");
    let live = rig.read().unwrap();
    assert_eq!(live.users.items.len(), 7);
    assert_eq!(live.users.completeness, rolecall_model::Completeness::Proven);
    // The users, the keys, the arguments of `listUsers`, and then three pages.
    assert_eq!(live.requests, 6);

    world.switches.introspection = false;
    let live = Rig::new(world, "").read().unwrap();
    assert_eq!(live.users.items.len(), 3);
    assert!(live.users.completeness.is_incomplete());
}

#[test]
fn a_read_of_a_whole_list_takes_two_requests() {
    let rig = Rig::new(world_with(&[("ann@x.example", &["A"])]), "");
    assert_eq!(rig.read().unwrap().requests, 2);
}

#[test]
fn an_apply_takes_a_read_before_one_request_a_mutation_and_a_read_after() {
    let world = world_with(&[("ann@x.example", &["A"]), ("bob@x.example", &["A"])]);
    let mut rig = Rig::new(
        world,
        "users: [{ email: ann@x.example, roles: [B], enabled: true }, { email: bob@x.example, roles: [B], enabled: true }]",
    );
    let plan = rig.plan();
    let before = rig.wire.sent().len();
    rig.apply_plan(&plan).unwrap();
    assert_eq!(rig.wire.sent().len() - before, 2 + 2 + 2);
}

#[test]
fn an_invitation_whose_answer_was_lost_is_not_sent_again() {
    let body = "users: [{ email: new@x.example, first_name: Nina, last_name: W, roles: [A], enabled: true }]";
    let mut rig = Rig::new(world(), body);
    rig.wire.set_fates(&[Fate::DropAfter]);
    let report = rig.apply();
    assert_eq!(report.steps[0].outcome, Outcome::Unsure);
    let again = rig.plan();
    assert!(addresses(&again).is_empty());
    assert!(holds(&again)[0].contains("the mail may have been sent"));
    assert_eq!(rig.world().mails.len(), 1);

    let mut shown = Rig::new(world(), body);
    shown.world().switches.invitees = Invitees::Shown;
    shown.wire.set_fates(&[Fate::DropAfter]);
    let report = shown.apply();
    assert_eq!(report.steps[0].outcome, Outcome::Done, "a read settles it");
    assert!(addresses(&shown.plan()).is_empty());
}

#[test]
fn a_lost_invitation_can_be_asked_for_again_by_address() {
    let mut rig = Rig::new(
        world(),
        "users: [{ email: new@x.example, first_name: Nina, last_name: W, roles: [A], enabled: true }]",
    );
    rig.wire.set_fates(&[Fate::DropBefore]);
    rig.apply();
    let live = rig.read().unwrap();
    let asserted = BTreeSet::from(["user/new@x.example".parse::<Address>().unwrap()]);
    assert_eq!(addresses(&rig.plan_from(&live, &asserted, None).unwrap()), ["user/new@x.example"]);
}

#[test]
fn a_vanished_invitation_is_sent_again_only_where_the_file_allows_it() {
    let user_line = "users: [{ email: new@x.example, first_name: Nina, last_name: W, roles: [A], enabled: true }]";
    let mut world = world();
    world.switches.invitees = Invitees::Shown;
    let mut rig = Rig::new(world, user_line);
    rig.apply();
    rig.world().users.clear();
    let plan = rig.plan();
    assert!(addresses(&plan).is_empty());
    assert!(holds(&plan)[0].contains("`reinvite_expired: true`"));
    rig.set_file(&format!("reinvite_expired: true\n{user_line}"));
    rig.apply();
    assert_eq!(rig.world().mails.len(), 2);
    assert!(addresses(&rig.plan()).is_empty());
}

#[test]
fn somebody_invited_and_then_unwanted_is_a_blocked_hold() {
    let mut rig = Rig::new(
        world(),
        "users: [{ email: new@x.example, first_name: Nina, last_name: W, roles: [A], enabled: true }]",
    );
    rig.apply();
    rig.set_file("users: [{ email: new@x.example, absent: true }]");
    assert!(
        holds(&rig.plan())[0].contains("blocked: Invited on 2026-11-21, but the platform doesn't list the user")
    );
    rig.set_file("manage: { users: all }");
    assert!(
        holds(&rig.plan())[0].contains("blocked: Invited on 2026-11-21, but the platform doesn't list the user")
    );
}

#[test]
fn a_minted_key_whose_answer_was_lost_is_retired_and_minted_anew() {
    let mut rig = Rig::new(
        world(),
        "keys: [{ name: ci, roles: [A], expires: 2031-01-01T00:00:00Z, deliver: { file: ci.key } }]",
    );
    rig.wire.set_fates(&[Fate::DropAfter]);
    let report = rig.apply();
    assert_eq!(report.steps[0].outcome, Outcome::Unsure);
    assert_eq!(rig.wire.mutations().len(), 1, "never twice in one run");
    let plan = rig.plan();
    assert_eq!(addresses(&plan).len(), 2);
    assert!(converged(&rig.apply().final_state));
    let live: Vec<String> = rig
        .world()
        .keys
        .iter()
        .filter(|key| key.name == "ci" && key.enabled)
        .map(|key| key.digest.clone())
        .collect();
    assert_eq!(
        live,
        [rolecall_sandbox::digest(&rig.delivered("ci.key").unwrap())],
        "one key, and we have its secret"
    );
}

#[test]
fn a_key_that_another_hand_made_meanwhile_is_not_taken_for_ours() {
    let mut rig = Rig::new(
        world(),
        "keys: [{ name: ci, roles: [A], expires: 2031-01-01T00:00:00Z, deliver: { file: ci.key } }]",
    );
    rig.wire.set_fates(&[Fate::DropBefore]);
    rig.apply();
    rig.world().keys.push(key("foreign", "ci", &["A", "B"], "x"));
    let plan = rig.plan();
    assert!(!addresses(&plan).contains(&"key/ci#foreign".to_owned()));
}

#[test]
fn a_failed_delivery_retires_the_new_key_and_keeps_the_old() {
    let mut world = world();
    world.keys.push(key("old", "ci", &["A"], "s"));
    let mut rig = Rig::new(
        world,
        "keys: [{ name: ci, roles: [B], expires: 2031-01-01T00:00:00Z, deliver: { command: [\"false\"] } }]",
    );
    rig.deliveries = rolecall_engine::apply::Deliveries {
        allow_commands: true,
        ..rolecall_engine::apply::Deliveries::default()
    };
    let plan = rig.plan();
    let report = {
        // Waiting for another program needs a real clock.
        rig.apply_plan_in_real_time(&plan)
    };
    assert_eq!(report.steps[0].outcome, Outcome::Failed);
    assert!(report.steps[0].message.as_ref().unwrap().contains("The old key still works."));
    let enabled: Vec<String> =
        rig.world().keys.iter().filter(|key| key.name == "ci" && key.enabled).map(|key| key.id.clone()).collect();
    assert_eq!(enabled, ["old"]);
}

/// A file can't name such a user or key. Everything else is planned.
#[test]
fn a_row_that_can_not_be_read_is_shown_and_hides_nothing_else() {
    let mut world = world();
    world.users =
        vec![user("robot@x.example", &["A"]), user("sam@x.example", &["A"]), user("odd@x.example", &["A"])];
    world.keys.push(key("odd", "odd", &["B"], "odd-secret"));
    world.keys.push(key("old", "old", &["B"], "old-secret"));
    let body = "users: [{ email: sam@x.example, enabled: true, roles: [B] }, { email: odd@x.example, enabled: true, roles: [B] }]
keys: [{ name: old, absent: true }, { name: odd, roles: [B], expires: 2031-01-01T00:00:00Z, deliver: { file: k } }]";
    let mut rig = Rig::new(world, body);
    rig.wire.forge(|data| {
        for row in data["organisationManagement"]["listUsers"]["items"].as_array_mut().into_iter().flatten() {
            match row["email"].as_str() {
                Some("robot@x.example") => row["email"] = serde_json::Value::Null,
                Some("odd@x.example") => row["roles"] = serde_json::Value::Null,
                _ => {}
            }
        }
        for row in data["listApiKeys"]["orgApiKeysList"].as_array_mut().into_iter().flatten() {
            if row["name"] == "odd" {
                row["apiKeyExpiryDate"] = json!("next year");
            }
        }
    });
    let plan = rig.plan();
    assert_eq!(addresses(&plan), ["user/sam@x.example", "key/old"]);
    assert!(!plan.completeness["users"].is_incomplete());
    let unreadable: Vec<String> =
        holds(&plan).into_iter().filter(|hold| hold.contains("in a form that can't be read")).collect();
    assert_eq!(unreadable.len(), 3, "{unreadable:?}");
    assert!(
        unreadable.iter().any(|hold| hold.starts_with("user/#id-robot@x.example ignored: ")),
        "{unreadable:?}"
    );
    assert!(unreadable.iter().any(|hold| hold.starts_with("user/odd@x.example#id-odd@x.example blocked: ")));
    assert!(unreadable.iter().any(|hold| {
        hold.starts_with("key/odd#odd blocked: ")
            && hold.contains("`apiKeyExpiryDate` has a form or a value that rolecall doesn't know")
    }));
    rig.set_file("manage: { users: all }\nusers: [{ email: sam@x.example, enabled: true }, { email: odd@x.example, enabled: true }]");
    assert!(holds(&rig.plan()).iter().any(|hold| hold.starts_with("user/#id-robot@x.example blocked: ")));
}

/// The platform creates the key, and an error beside the answer repeats the secret, which nobody knew before.
#[test]
fn a_new_secret_is_not_shown_by_an_error_beside_it() {
    let mut rig = Rig::new(
        world(),
        "keys: [{ name: ci, roles: [B], expires: 2031-01-01T00:00:00Z, deliver: { file: ci.key } }]",
    );
    rig.wire.forge_answer(|body| {
        if let Some(secret) = body["data"]["createOrgApiKey"]["orgApiKey"].as_str() {
            let message = format!("the key {secret} could not be written to the audit log");
            body["errors"] = json!([{ "message": message }]);
        }
    });
    let report = rig.apply();
    let said = format!("{report:?} {:?}", rig.ledger.records());
    assert!(
        said.contains("the key [redacted] could not be written") && !said.contains("sandbox-secret-"),
        "{said}"
    );
}

#[test]
fn a_list_that_is_too_short_is_no_reason_to_guess_if_the_question_for_its_pages_fails() {
    let mut world = world();
    world.users = (0..3).map(|index| user(&format!("u{index}@x.example"), &["ADMIN"])).collect();
    let rig = Rig::new(world, "");
    rig.wire.forge_answer(|body| {
        if body["data"].get("__schema").is_some() {
            *body = json!({ "errors": [{ "message": "Unexpected error." }] });
        } else if let Some(total) = body["data"]["organisationManagement"]["listUsers"].get_mut("total") {
            *total = json!(9);
        }
    });
    assert!(rig.read().unwrap_err().to_string().contains("Unexpected error."));
}

#[test]
fn nothing_is_minted_where_the_delivery_can_not_be_prepared() {
    let mut rig = Rig::new(
        world(),
        "keys: [{ name: ci, roles: [B], expires: 2031-01-01T00:00:00Z, deliver: { command: [no-such-program-here] } }]",
    );
    rig.deliveries = rolecall_engine::apply::Deliveries {
        allow_commands: true,
        ..rolecall_engine::apply::Deliveries::default()
    };
    let report = rig.apply();
    assert_eq!(report.steps[0].outcome, Outcome::Failed);
    assert!(report.steps[0].message.as_ref().unwrap().starts_with("Nothing was sent"));
    assert!(rig.wire.mutations().is_empty());
}

#[test]
fn one_failure_does_not_stop_what_does_not_depend_on_it() {
    let world = world_with(&[("ann@x.example", &["A"]), ("bob@x.example", &["A"])]);
    let mut rig = Rig::new(
        world,
        "users: [{ email: ann@x.example, roles: [B], enabled: true }, { email: bob@x.example, enabled: false }]",
    );
    rig.wire.set_fates(&[Fate::Refuse]);
    let report = rig.apply();
    assert_eq!([report.steps[0].outcome, report.steps[1].outcome], [Outcome::Failed, Outcome::Done]);
    let message = report.steps[0].message.as_ref().unwrap();
    assert!(message.starts_with("updateUser failed: the platform answered with the error"), "{message}");
    assert!(message.contains("nothing was changed"), "{message}");
}

#[test]
fn an_entry_needs_enabled_only_where_the_user_must_be_updated() {
    let world = || world_with(&[("ann@x.example", &["A"])]);
    let in_sync = Rig::new(world(), "users: [{ email: ann@x.example, roles: [A] }]");
    assert!(addresses(&in_sync.plan()).is_empty());
    let changed = Rig::new(world(), "users: [{ email: ann@x.example, roles: [B] }]");
    let findings = changed.try_plan().unwrap_err();
    assert_eq!(
        (findings[0].code, findings[0].place.line),
        (Code::EnabledNotDeclared, changed.desired.users[0].place.line)
    );
}

#[test]
fn a_field_that_the_api_can_not_change_is_a_manual_step() {
    let rig = Rig::new(
        world_with(&[("ann@x.example", &["A"])]),
        "users: [{ email: ann@x.example, last_name: Other, enabled: true }]",
    );
    assert!(holds(&rig.plan())[0].contains(
        "blocked: The file says `Other`, but last_name is `Last`. Manual step: the API can't change it"
    ));
}

#[test]
fn an_invitation_says_what_it_lacks() {
    let rig = Rig::new(world(), "users: [{ email: new@x.example, enabled: true }]");
    let findings = rig.try_plan().unwrap_err();
    assert_eq!(findings[0].code, Code::IncompleteInvitation);
    assert!(findings[0].message.ends_with("`first_name`, `last_name`, `roles`."));
    let off = Rig::new(world(), "users: [{ email: new@x.example, enabled: false }]");
    assert!(holds(&off.plan())[0].contains("rolecall doesn't invite a user to disable them"));
}

#[test]
fn another_organisation_than_the_pinned_one_stops_the_run() {
    let mut rig = Rig::new(world(), "");
    rig.desired.organization.value = rolecall_model::RemoteId::seen("org-2");
    assert_eq!(rig.try_plan().unwrap_err()[0].code, Code::WrongOrganization);
}

#[test]
fn milliseconds_do_not_make_an_expiry_differ() {
    let mut world = world();
    world.keys.push(key("k", "backend", &["A"], "s"));
    world.switches.expiry_millis = true;
    let rig = Rig::new(world, "keys: [{ name: backend, roles: [A], expires: 2030-01-01T00:00:00Z }]");
    assert!(addresses(&rig.plan()).is_empty());
}

#[test]
fn a_key_that_could_neither_be_delivered_nor_retired_is_retired_by_the_next_run() {
    let mut rig = Rig::new(
        world(),
        "keys: [{ name: ci, roles: [B], expires: 2031-01-01T00:00:00Z, deliver: { command: [\"false\"] } }]",
    );
    rig.deliveries = rolecall_engine::apply::Deliveries {
        allow_commands: true,
        ..rolecall_engine::apply::Deliveries::default()
    };
    rig.wire.set_fates(&[Fate::Fine, Fate::DropBefore]);
    let plan = rig.plan();
    let report = rig.apply_plan_in_real_time(&plan);
    assert!(report.steps[0].message.as_ref().unwrap().contains("The next run retires it"));
    assert!(!converged(&report.final_state));
    let next = rig.plan();
    assert!(next.sealed.changes.iter().any(|change| change.cause == rolecall_model::Cause::SecretLost));
}

#[test]
fn an_orphan_is_retired_even_when_its_entry_has_left_the_file() {
    let mut rig = Rig::new(
        world(),
        "keys: [{ name: ci, roles: [A], expires: 2031-01-01T00:00:00Z, deliver: { file: ci.key } }]",
    );
    rig.wire.set_fates(&[Fate::DropAfter]);
    rig.apply();
    rig.set_file("");
    assert_eq!(rig.plan().sealed.changes[0].cause, rolecall_model::Cause::SecretLost);
    assert!(converged(&rig.apply().final_state));
    assert!(addresses(&rig.plan()).is_empty());
}

#[test]
fn a_lost_mint_is_over_once_another_has_arrived() {
    let mut rig = Rig::new(
        world(),
        "keys: [{ name: ci, roles: [A], expires: 2031-01-01T00:00:00Z, deliver: { file: ci.key } }]",
    );
    rig.wire.set_fates(&[Fate::DropBefore]);
    rig.apply();
    rig.apply();
    let mut theirs = key("theirs", "ci", &["A"], "x");
    theirs.expires = "2031-01-01T00:00:00Z".parse().unwrap();
    rig.world().keys.push(theirs);
    let findings = rig.try_plan().unwrap_err();
    assert_eq!(findings[0].code, Code::AmbiguousKey, "a person decides, nothing is disabled");
}

#[test]
fn an_answer_with_errors_below_the_mutation_may_have_had_its_effect() {
    use rolecall_graphql::{CallError, PossibleEffect, Redactor, parse};
    let effect = |error: serde_json::Value| {
        let body = json!({ "data": null, "errors": [error] });
        let response = rolecall_sandbox::json_response(200, &body);
        parse::<serde_json::Value>(&response, &Redactor::default())
            .map_err(|error: CallError| error.effect())
            .unwrap_err()
    };
    assert_eq!(effect(json!({ "message": "x", "path": ["inviteUser", "roles", 0] })), PossibleEffect::Unknown);
    assert_eq!(effect(json!({ "message": "INTERNAL_ERROR: x", "path": ["inviteUser"] })), PossibleEffect::Unknown);
    assert_eq!(effect(json!({ "message": "CONFLICT: x", "path": ["inviteUser"] })), PossibleEffect::None);
    assert_eq!(effect(json!({ "message": "Unknown type" })), PossibleEffect::None);
}

#[test]
fn nobody_is_demoted_in_favour_of_somebody_whose_return_can_not_be_seen() {
    let world = world_with(&[("ann@x.example", &["ADMIN"]), ("jane@x.example", &["ADMIN"])]);
    let mut rig = Rig::new(
        world,
        "users: [{ email: ann@x.example, roles: [ADMIN], enabled: true }, { email: jane@x.example, enabled: false }]",
    );
    rig.apply();
    rig.set_file(
        "users: [{ email: ann@x.example, roles: [], enabled: true }, { email: jane@x.example, enabled: true }]",
    );
    assert_eq!(rig.plan().refusals[0].guardrail.as_str(), "min_admins");
}

#[test]
fn an_expired_key_does_not_satisfy_an_entry_nor_stand_in_anybodys_way() {
    let mut world = world();
    let mut old = key("old", "ci", &["A"], "x");
    old.expires = "2026-01-01T00:00:00Z".parse().unwrap();
    world.keys.push(old);
    let mut rig = Rig::new(
        world,
        "keys: [{ name: ci, roles: [A], expires: 2031-01-01T00:00:00Z, deliver: { file: ci.key } }]",
    );
    assert!(converged(&rig.apply().final_state));
    assert!(addresses(&rig.plan()).is_empty(), "the expired namesake is no rival");
    rig.set_file("keys: [{ name: ci, id: old }]");
    assert_eq!(rig.try_plan().unwrap_err()[0].code, Code::ExpiryInPast);
}

/// The last second of the year 9999 is the usual "never", and it is later than most libraries can tell.
#[test]
fn a_key_may_never_end() {
    let mut world = world();
    world.switches.expiry_millis = true;
    let body =
        "keys: [{ name: forever, roles: [A], expires: 9999-12-31T23:59:59Z, deliver: { file: forever.key } }]";
    let mut rig = Rig::new(world, body);
    let report = rig.apply();
    assert!(converged(&report.final_state), "{report:#?}");
    assert_eq!(rig.world().keys.last().unwrap().expires.to_string(), "9999-12-31T23:59:59Z");
    assert!(addresses(&rig.plan()).is_empty());
    rig.set_file(&body.replace("9999-12-31", "9999-12-30"));
    assert_eq!(addresses(&rig.plan()), ["key/forever"]);
}

/// A live name with a blank at its end can be written, so that such a key can be disabled.
#[test]
fn a_key_whose_name_ends_in_a_blank_can_be_named() {
    let mut world = world();
    world.keys.push(key("padded", "Reporting ", &["A"], "s"));
    let mut rig = Rig::new(world, "keys: [{ name: 'Reporting ', absent: true }]");
    assert_eq!(addresses(&rig.plan()), ["key/Reporting "]);
    rig.set_file("keys: [{ name: 'Reporting ', id: padded, absent: true }]");
    assert!(converged(&rig.apply().final_state));
    assert!(!rig.world().keys.last().unwrap().enabled);
    rig.world().keys.last_mut().unwrap().enabled = true;
    rig.set_file("keys: [{ name: Reporting, absent: true }]");
    let hint = rig.warnings()[0].hint.clone().unwrap();
    assert!(hint.contains("key/Reporting "), "{hint}");
}

#[test]
fn what_updates_are_known_to_lose_is_not_lost_twice() {
    let mut world = world_with(&[("ann@x.example", &["A"]), ("bob@x.example", &["A"])]);
    world.switches.clears_unsent = true;
    let mut rig = Rig::new(
        world,
        "users: [{ email: ann@x.example, roles: [A, B], enabled: true }, { email: bob@x.example, roles: [A, B], enabled: true }]",
    );
    rig.apply();
    let plan = rig.plan();
    assert!(addresses(&plan).is_empty());
    assert!(
        holds(&plan)[0]
            .contains("user/bob@x.example blocked: An earlier update cleared values that it didn't contain")
    );
}

#[test]
fn a_key_that_is_replaced_by_another_entry_works_until_that_one_has_arrived() {
    for fate in [Fate::Refuse, Fate::DropBefore, Fate::DropAfter] {
        let mut world = world();
        world.keys.push(key("old", "ci", &["A"], "x"));
        let body = "keys: [{ name: ci, id: old, absent: true }, { name: ci, roles: [B], expires: 2031-01-01T00:00:00Z, deliver: { file: k } }]";
        let mut rig = Rig::new(world, body);
        rig.wire.set_fates(&[fate]);
        let report = rig.apply();
        assert_eq!(report.steps[1].outcome, Outcome::Skipped, "{fate:?}");
        assert!(rig.world().keys.iter().any(|key| key.id == "old" && key.enabled));
        assert!(converged(&rig.apply().final_state), "the next run makes it good");
        assert!(rig.world().keys.iter().all(|key| key.id != "old" || !key.enabled));
    }
}

#[test]
fn under_manage_all_a_renamed_key_works_until_its_new_name_has_arrived() {
    let mut world = world();
    world.keys.push(key("old", "before", &["A"], "x"));
    world.keys.push(key("kept", "kept", &["A"], "y"));
    let mut rig = Rig::new(
        world,
        "manage: { keys: all }\nkeys: [{ name: kept }, { name: after, roles: [A], expires: 2031-01-01T00:00:00Z, deliver: { file: k } }]",
    );
    rig.wire.set_fates(&[Fate::Refuse]);
    rig.apply();
    assert!(rig.world().keys.iter().any(|key| key.id == "old" && key.enabled));
}

#[test]
fn what_was_approved_meanwhile_is_settled_by_the_next_plan() {
    let mut world = world_with(&[("max@x.example", &["A", "B"])]);
    world.switches.quorum = true;
    let mut rig = Rig::new(world, "users: [{ email: max@x.example, roles: [A], enabled: false }]");
    rig.apply();
    approve_pending(&mut rig.world());
    assert!(addresses(&rig.plan()).is_empty(), "no second approval is asked for");
}

#[test]
fn a_disabled_person_whose_invitation_is_open_is_no_quiet_matter() {
    let mut rig = Rig::new(
        world(),
        "users: [{ email: new@x.example, first_name: Nina, last_name: W, roles: [A], enabled: true }]",
    );
    rig.apply();
    rig.set_file("users: [{ email: new@x.example, enabled: false }]");
    assert!(holds(&rig.plan())[0].contains("blocked: Invited on 2026-11-21"));
}

#[test]
fn a_protected_key_is_not_promised_a_successor() {
    let mut world = world();
    world.keys.push(key("old", "ci", &["A"], "x"));
    let rig = Rig::new(
        world,
        "guardrails: { protected: [key/ci] }\nkeys: [{ name: ci, roles: [B], deliver: { file: k } }]",
    );
    assert_eq!(
        holds(&rig.plan()),
        ["key/ci blocked: The file's guardrails protect this entity, so rolecall doesn't change it."]
    );
}

#[test]
fn an_id_that_nobody_has_is_a_warning_even_where_nobody_should() {
    let rig = Rig::new(world(), "keys: [{ name: ci, id: typo, absent: true }]");
    let live = rig.read().unwrap();
    let input = rolecall_plan::PlanInput {
        desired: &rig.desired,
        live: &live,
        facts: &rig.ledger.facts(),
        rules: rolecall_providers::rules(rolecall_model::ProviderName::Bitpanda),
        site: &Site::host("sandbox"),
        asserted: &BTreeSet::new(),
        only: None,
        approved: None,
        caller: None,
        now: crate::support::rig::now(),
    };
    let warnings = rolecall_plan::plan(&input).unwrap().findings;
    assert_eq!(warnings[0].code, Code::UnknownId);
}

#[test]
fn a_pending_invitation_is_sent_again_only_when_asked_by_address() {
    let mut rig = Rig::new(
        world(),
        "users: [{ email: new@x.example, first_name: Nina, last_name: W, roles: [A], enabled: true }]",
    );
    rig.apply();
    assert!(addresses(&rig.plan()).is_empty());
    let asserted = BTreeSet::from(["user/new@x.example".parse::<Address>().unwrap()]);
    let live = rig.read().unwrap();
    assert_eq!(addresses(&rig.plan_from(&live, &asserted, None).unwrap()), ["user/new@x.example"]);
}

#[test]
fn all_that_rely_on_a_promotion_wait_for_one_read() {
    let world = world_with(&[
        ("a@x.example", &["ADMIN"]),
        ("b@x.example", &["ADMIN"]),
        ("c@x.example", &["ADMIN"]),
        ("z@x.example", &["A"]),
    ]);
    let demoted = |name: &str| format!("{{ email: {name}@x.example, roles: [A], enabled: true }}");
    let body = format!(
        "users: [{}, {}, {}, {{ email: z@x.example, roles: [ADMIN], enabled: true }}]",
        demoted("a"),
        demoted("b"),
        demoted("c")
    );
    let mut rig = Rig::new(world, &body);
    let plan = rig.plan();
    let before = rig.wire.sent().len();
    assert!(converged(&rig.apply_plan(&plan).unwrap().final_state));
    // Two reads before, the promotion, the read that shows it, three demotions, and the reads after.
    assert_eq!(rig.wire.sent().len() - before, 2 + 1 + 2 + 3 + 2);
}

/// Nothing tells which of two rows is true. Without a count, nothing shows that a row is missing.
#[test]
fn somebody_who_is_listed_in_two_ways_is_nobody_who_is_absent() {
    let mut world = world();
    world.users.push(user("max@x.example", &["SIGNER"]));
    world.users.push(user("sam@x.example", &["SIGNER"]));
    let rig = Rig::new(
        world,
        "users: [{ email: max@x.example, first_name: M, last_name: M, roles: [SIGNER], enabled: true }]",
    );
    rig.wire.forge(|data| {
        let list = &mut data["organisationManagement"]["listUsers"];
        if list.is_object() {
            list["total"] = serde_json::Value::Null;
            let mut twin = list["items"][0].clone();
            twin["phoneNumber"] = "+1".into();
            list["items"].as_array_mut().unwrap().push(twin);
        }
    });
    let plan = rig.plan();
    assert!(addresses(&plan).is_empty());
    assert!(holds(&plan)[0].starts_with("user/max@x.example blocked: The list of users is incomplete"));
}

#[test]
fn a_command_that_gets_a_secret_is_approved_with_its_arguments_and_they_are_not_shown() {
    let plan = |command: &str| {
        let key = format!(
            "keys: [{{ name: ci, roles: [A], expires: 2099-01-01T00:00:00Z, deliver: {{ command: {command} }} }}]"
        );
        Rig::new(world_with(&[]), &key).plan()
    };
    let seals = ["[vault, put, one]", "[vault, put, two]", "[vault, 'put one']"].map(|command| plan(command).seal);
    assert!(seals[0] != seals[1] && seals[0] != seals[2], "{seals:?}");
    let shown = rolecall::report::plan_text(
        &rolecall_model::Plan::new("test", vec![plan("[vault, put, 'a b']")]),
        rolecall::report::Layout::default(),
    );
    assert!(
        shown.contains("secret to the command vault with the arguments ") && !shown.contains("a b"),
        "{shown}"
    );
}
