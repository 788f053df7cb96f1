//! Stories of roles and teams that the file renames with `previously`. Each tests something that users rely on.

use std::collections::BTreeSet;

use crate::support::cli::{Env, Said, example};
use crate::support::hive::{self, invitation, member, role, world};
use crate::support::rapidapi::{self, teams_of, with_teams};
use crate::support::rig::{Platform, Rig, addresses, holds, now};
use rolecall::report::{Format, Layout, Subject, render};
use rolecall_config::{Undo, UndoInput, undo};
use rolecall_engine::apply::FinalState;
use rolecall_model::{Action, Code, OrganizationPlan, Outcome, Plan};
use rolecall_plan::access::access;
use rolecall_plan::{PlanInput, Selection, select};
use rolecall_sandbox::hive::{Assignment, Release, World};
use serde_json::{Value, json};

/// Returns an organisation in which Jane has the role `Schema reviewer`, and Tom is invited with it.
fn reviewers() -> World {
    let mut world = world();
    role(&mut world, "Schema reviewer", &["project:describe", "schemaCheck:approve"]);
    member(&mut world, "jane@x.example", "Schema reviewer", Assignment::All);
    member(&mut world, "ann@x.example", "Viewer", Assignment::All);
    invitation(&mut world, "tom@x.example", "Schema reviewer");
    world
}

const RENAMED: &str = "manage: { roles: all }
roles:
  - { name: Reviewer, previously: [Schema reviewer], permissions: [project:describe, schemaCheck:approve] }
users:
  - { email: jane@x.example, roles: [Reviewer], resources: all }
  - { email: tom@x.example, roles: [Reviewer], resources: all }
";

/// Returns the operations that were sent, with their inputs.
fn sent<P: Platform>(rig: &Rig<P>) -> Vec<(&'static str, Value)> {
    let input = |variables: &Value| variables["input"].clone();
    rig.wire.mutations().iter().map(|request| (request.operation_name, input(&request.variables))).collect()
}

fn is_in_sync(plan: &OrganizationPlan) -> bool {
    plan.sealed.changes.is_empty() && plan.sealed.mutations.is_empty()
}

/// Returns the findings about the entries of a plan, with their places.
fn findings<P: Platform>(rig: &Rig<P>) -> Vec<(Code, String)> {
    let planned = rig.planned(&rig.read().unwrap(), &BTreeSet::new(), None);
    let found = planned.map_or_else(|findings| findings, |planned| planned.findings);
    found.iter().filter(|it| it.is_error()).map(|it| (it.code, format!("{} {:?}", it.message, it.hint))).collect()
}

#[test]
fn a_renamed_role_is_one_update_and_its_holders_are_not_touched() {
    let mut rig = Rig::<hive::Console>::new(reviewers(), RENAMED);
    let id = rig.world().role("Schema reviewer").unwrap().id.clone();
    let plan = rig.plan();
    assert_eq!(addresses(&plan), ["role/Reviewer"]);
    assert_eq!(plan.sealed.changes[0].action, Action::Update);
    // Nobody's access changes, and nothing is removed.
    assert_eq!((plan.access.len(), plan.refusals.len(), plan.sealed.mutations.len()), (0, 0, 1));
    let report = rig.apply_plan(&plan).unwrap();
    assert!(report.all_done() && matches!(report.final_state, FinalState::InSync { .. }), "{report:#?}");
    let expected = json!({
        "memberRole": { "byId": id },
        "name": "Reviewer",
        "description": "About Schema reviewer",
        "selectedPermissions": ["project:describe", "schemaCheck:approve"],
    });
    assert_eq!(sent(&rig), [("UpdateMemberRole", expected)]);
    assert_eq!(rig.world().role("Reviewer").unwrap().id, id);
    assert!(rig.world().role("Schema reviewer").is_none());
    assert_eq!(rig.world().member("jane@x.example").unwrap().role_id, id);
    assert_eq!(rig.world().mails.len(), 0);
    // `previously` can stay, and it can go.
    assert!(is_in_sync(&rig.plan()));
    rig.set_file(&RENAMED.replace("previously: [Schema reviewer], ", ""));
    assert!(is_in_sync(&rig.plan()));
}

#[test]
fn a_rename_comes_with_everything_else_that_the_entry_asks_for() {
    let mut rig = Rig::<hive::Console>::new(
        reviewers(),
        "roles: [{ name: Reviewer, previously: [Gone, Schema reviewer], description: Reviews, permissions: [project:describe] }]
users:
  - { email: ann@x.example, roles: [Reviewer], resources: all }
  - { email: jane@x.example, roles: [Viewer] }",
    );
    let plan = rig.plan();
    assert_eq!(addresses(&plan), ["role/Reviewer", "user/ann@x.example", "user/jane@x.example"]);
    let access: Vec<String> = plan.access.keys().map(ToString::to_string).collect();
    assert_eq!(access, ["user/ann@x.example", "user/jane@x.example"]);
    assert!(rig.apply_plan(&plan).unwrap().all_done());
    assert!(is_in_sync(&rig.plan()));
    let world = rig.world();
    let reviewer = world.role("Reviewer").unwrap();
    assert_eq!(reviewer.permissions, ["project:describe"]);
    assert_eq!(world.member("ann@x.example").unwrap().role_id, reviewer.id);
}

#[test]
fn every_report_shows_the_rename() {
    let rig = Rig::<hive::Console>::new(reviewers(), RENAMED);
    let plan = Plan::new("test", vec![rig.plan()]);
    let forms = Format::OF_PLANS;
    // Code scanning shows only what needs attention.
    for (subject, form) in
        forms.iter().flat_map(|form| [(Subject::Plan(&plan), form), (Subject::Drift(&plan), form)])
    {
        if *form == Format::Sarif {
            continue;
        }
        let Some(text) = render(subject, *form, Layout::default()) else { continue };
        assert!(text.contains("Schema reviewer") && text.contains("Reviewer"), "{form:?}: {text}");
    }
    let text = rolecall::report::plan_text(&plan, Layout::default());
    assert!(text.contains("Schema reviewer  ->  Reviewer"), "{text}");
    assert!(text.contains("user/jane@x.example"), "who has the role isn't said: {text}");
    // The plan has the address of the new name, and says so where the earlier one is asked for.
    let selection = Selection { targets: vec!["role/Schema reviewer".parse().unwrap()], ..Selection::default() };
    let refused = format!("{:?}", select(&plan.organizations[0].sealed, &selection));
    assert!(refused.contains("role/Reviewer"), "{refused}");
}

#[test]
fn two_roles_of_which_one_was_to_be_the_other_are_left_to_a_person() {
    let mut world = reviewers();
    role(&mut world, "Reviewer", &["project:describe", "schemaCheck:approve"]);
    let rig = Rig::<hive::Console>::new(
        world,
        "manage: { roles: all }
roles: [{ name: Reviewer, previously: [Schema reviewer], permissions: [project:describe] }]",
    );
    let plan = rig.plan();
    // The entry's own role is planned as usual, and the other is neither renamed nor deleted.
    assert_eq!(addresses(&plan), ["role/Reviewer"]);
    assert!(plan.sealed.changes[0].renamed_from().is_none());
    let held = holds(&plan).into_iter().find(|hold| hold.starts_with("role/Schema reviewer")).unwrap();
    assert!(held.contains("blocked: The file says that this is a previous name of role/Reviewer"), "{held}");
}

#[test]
fn of_several_previous_names_none_is_guessed() {
    let mut world = reviewers();
    role(&mut world, "Approver", &["project:describe"]);
    let rig = Rig::<hive::Console>::new(
        world,
        "manage: { roles: all }
roles: [{ name: Reviewer, previously: [Schema reviewer, Approver], permissions: [project:describe] }]
users: [{ email: jane@x.example, roles: [Reviewer] }]",
    );
    let found = findings(&rig);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, Code::AmbiguousRole);
    assert!(found[0].1.contains("`Approver` and `Schema reviewer`"), "{found:?}");
    let plan = rig.plan_without_errors();
    assert!(is_in_sync(&plan), "{:#?}", plan.sealed);
    for name in ["role/Approver blocked", "role/Schema reviewer blocked", "user/jane@x.example blocked"] {
        assert!(holds(&plan).iter().any(|hold| hold.starts_with(name)), "{name} {:?}", holds(&plan));
    }
}

#[test]
fn who_is_protected_and_acknowledged_is_so_by_both_names() {
    for name in ["Reviewer", "Schema reviewer"] {
        let file = format!("guardrails: {{ protected: [role/{name}] }}\n{RENAMED}");
        let rig = Rig::<hive::Console>::new(reviewers(), &file);
        assert!(is_in_sync(&rig.plan()));
        let held = holds(&rig.plan());
        assert!(
            held.iter().any(|hold| hold.starts_with("role/Reviewer blocked: The file's guardrails")),
            "{held:?}"
        );
        assert!(rig.warnings().is_empty(), "{:?}", rig.warnings());

        let mut world = reviewers();
        world.roles.iter_mut().for_each(|role| {
            if !role.locked {
                role.permissions.push("member:modify".to_owned());
            }
        });
        let file = format!(
            "acknowledged: [role/{name}, user/jane@x.example]
roles: [{{ name: Reviewer, previously: [Schema reviewer] }}]"
        );
        let rig = Rig::<hive::Console>::new(world, &file);
        assert!(
            !holds(&rig.plan()).iter().any(|hold| hold.starts_with("role/Reviewer")),
            "{name} {:?}",
            holds(&rig.plan())
        );
        assert!(rig.warnings().is_empty(), "{:?}", rig.warnings());
    }
    // Another name changes nobody's access, so protected holders don't hold it.
    let file = format!("guardrails: {{ protected: [user/jane@x.example] }}\n{RENAMED}");
    assert_eq!(addresses(&Rig::<hive::Console>::new(reviewers(), &file).plan()), ["role/Reviewer"]);
}

#[test]
fn a_report_of_access_has_the_names_that_are_live_and_knows_the_entry() {
    let file = RENAMED
        .replace(
            "users:\n",
            "tolerated:
  - { address: user/jane@x.example, roles: [Reviewer], until: 2026-12-01, reason: incident }
users:\n",
        )
        .replace("jane@x.example, roles: [Reviewer], resources: all", "jane@x.example, roles: [Viewer]");
    let rig = Rig::<hive::Console>::new(reviewers(), &file);
    // What is tolerated has the new name, too.
    assert_eq!(addresses(&rig.plan()), ["role/Reviewer"]);
    assert!(holds(&rig.plan()).iter().any(|hold| hold.starts_with("user/jane@x.example ignored: Given by hand")));
    let (live, facts) = (rig.read().unwrap(), rig.ledger.facts());
    let found = access(&PlanInput {
        desired: &rig.desired,
        live: &live,
        facts: &facts,
        rules: Rig::<hive::Console>::rules(),
        site: &rolecall_model::Site::host("sandbox"),
        asserted: &BTreeSet::new(),
        only: None,
        approved: None,
        caller: None,
        now: now(),
    });
    let jane = found.holders.iter().find(|holder| holder.address.name == "jane@x.example").unwrap();
    assert_eq!(jane.grants[0].role.as_ref().unwrap().as_str(), "Schema reviewer");
    assert!(jane.tolerated.is_some());
    let tom = found.holders.iter().find(|holder| holder.address.name == "tom@x.example").unwrap();
    assert!(tom.grants[0].place.is_some());
}

#[test]
fn a_list_that_is_cut_off_may_hide_the_role_that_is_renamed() {
    let mut world = world();
    for index in 0..60 {
        role(&mut world, &format!("Filler {index:02}"), &["project:describe"]);
    }
    let file = "roles: [{ name: Reviewer, previously: [Schema reviewer], description: Reviews, permissions: [] }]";
    let rig = Rig::<hive::Console>::new(world.clone(), file);
    // A new role beside the hidden one would be wrong.
    assert!(is_in_sync(&rig.plan()));
    assert!(holds(&rig.plan()).iter().any(|hold| hold.starts_with("role/Reviewer blocked")));
    // What is listed is renamed. If the new name belongs to a hidden role, the platform refuses, and it is held.
    let live = rig.read().unwrap();
    let is_listed = |name: &str| live.roles().iter().any(|role| role.name.as_str() == name);
    let (listed, hidden): (Vec<_>, Vec<_>) =
        world.roles.iter_mut().filter(|role| !role.locked).partition(|role| is_listed(&role.name));
    "Schema reviewer".clone_into(&mut listed.into_iter().next().unwrap().name);
    "Reviewer".clone_into(&mut hidden.into_iter().next().unwrap().name);
    let mut rig = Rig::<hive::Console>::new(world, file);
    let live = rig.read().unwrap();
    let is_listed = |name: &str| live.roles().iter().any(|role| role.name.as_str() == name);
    assert_eq!((is_listed("Schema reviewer"), is_listed("Reviewer")), (true, false));
    let report = rig.apply();
    assert_eq!(report.steps[0].outcome, Outcome::Skipped, "{report:#?}");
    assert!(is_in_sync(&rig.plan()));
    assert!(
        holds(&rig.plan()).iter().any(|hold| hold.starts_with("role/Reviewer blocked: The platform has a role"))
    );
}

/// Sends a plan, and then its undo file, which renames back.
fn undone<P: Platform>(mut rig: Rig<P>, expected: &str) -> Rig<P> {
    let (plan, live) = (rig.plan(), rig.read().unwrap());
    let input = UndoInput {
        desired: &rig.desired,
        plan: &plan,
        live: &live,
        facts: &rig.ledger.facts(),
        format: rolecall_providers::format(P::NAME),
        generator: "rolecall",
        run: "run-1",
        now: now(),
    };
    let Undo { text, .. } = undo(&input).unwrap();
    assert!(text.contains(expected), "{text}");
    assert!(rig.apply_plan(&plan).unwrap().all_done());
    rig.desired = crate::support::rig::desired(&text);
    assert!(rig.apply().all_done());
    assert!(is_in_sync(&rig.plan()));
    rig
}

#[test]
fn an_undo_file_renames_back() {
    let file = RENAMED.replace("users:\n", "users:\n  - { email: ann@x.example, roles: [Reviewer] }\n").replace(
        "{ email: jane@x.example, roles: [Reviewer], resources: all }",
        "{ email: jane@x.example, roles: [Viewer] }",
    );
    let rig = undone(
        Rig::<hive::Console>::new(reviewers(), &file),
        "  - name: Schema reviewer\n    previously: [Reviewer]\n",
    );
    let world = rig.world();
    let role =
        |email: &str| world.roles.iter().find(|role| role.id == world.member(email).unwrap().role_id).unwrap();
    assert_eq!((&*role("jane@x.example").name, &*role("ann@x.example").name), ("Schema reviewer", "Viewer"));
}

/// The ledger remembers an invitation that could not contain everything. It follows the rename, also once `previously` is
/// gone.
#[test]
fn what_the_ledger_knows_follows_the_rename() {
    let mut world = reviewers();
    world.switches.release = Release::V8_1_2;
    let before = "roles: [{ name: Schema reviewer }]
users: [{ email: new@x.example, roles: [Schema reviewer], resources: { shop: all } }]";
    for done_by_hand in [false, true] {
        let mut rig = Rig::<hive::Console>::new(world.clone(), before);
        assert!(rig.apply().all_done());
        let after = "roles: [{ name: Reviewer, previously: [Schema reviewer] }]
users: [{ email: new@x.example, roles: [Reviewer], resources: { shop: all } }]";
        if done_by_hand {
            let mut world = rig.world();
            let found = world.roles.iter_mut().find(|role| role.name == "Schema reviewer").unwrap();
            "Reviewer".clone_into(&mut found.name);
            drop(world);
            rig.set_file(after);
        } else {
            rig.set_file(after);
            assert!(rig.apply().all_done());
            rig.set_file(&after.replace(", previously: [Schema reviewer]", ""));
        }
        assert!(is_in_sync(&rig.plan()), "{:#?}", rig.plan().sealed);
        rig.world().accept("new@x.example");
        let plan = rig.plan();
        assert_eq!(addresses(&plan), ["user/new@x.example"]);
        assert!(plan.sealed.changes[0].is_leftover(), "{:#?}", plan.sealed.changes);
    }
}

// ---- teams

const TEAMS: &str = "manage: { teams: all }
allow: [default-team-deletion]
users:
  - { email: own@acme.example }
  - { email: jane@acme.example, roles: [Developer], teams: { Billing: Team Admin } }
  - { email: tom@acme.example, roles: [Developer], teams: [Billing] }
teams:
  - { name: acme-Default }
  - { name: Billing, previously: [Payments], description: Bills }
";

fn payments() -> rolecall_sandbox::rapidapi::World {
    let mut world = with_teams(&["Payments"]);
    rapidapi::member(&mut world, "jane@acme.example", false, &[("Payments", "team-admin")]);
    rapidapi::invitation(&mut world, "tom@acme.example", "DEVELOPER", &["Payments"]);
    world
}

#[test]
fn a_renamed_team_is_one_update_and_everybody_stays_in_it() {
    let mut rig = Rig::<rapidapi::Hub>::new(payments(), TEAMS);
    let id = rapidapi::team(&rig.world(), "Payments");
    let plan = rig.plan();
    assert_eq!(addresses(&plan), ["team/Billing"]);
    assert_eq!(plan.access.len(), 0, "{:#?}", plan.access);
    let report = rig.apply_plan(&plan).unwrap();
    assert!(report.all_done() && matches!(report.final_state, FinalState::InSync { .. }), "{report:#?}");
    assert_eq!(sent(&rig), [("UpdateTeam", json!({ "id": id, "name": "Billing", "description": "Bills" }))]);
    assert_eq!(rapidapi::team(&rig.world(), "Billing"), id);
    assert_eq!(teams_of(&rig.world(), "jane@acme.example"), ["Billing"]);
    assert_eq!(rig.world().mails.len(), 0);
    assert!(is_in_sync(&rig.plan()));
    rig.set_file(&TEAMS.replace("previously: [Payments], ", ""));
    assert!(is_in_sync(&rig.plan()));
}

#[test]
fn a_team_update_without_a_rename_sends_no_name() {
    let mut rig = Rig::<rapidapi::Hub>::new(payments(), "teams: [{ name: Payments, description: Pays }]");
    let id = rapidapi::team(&rig.world(), "Payments");
    assert!(rig.apply().all_done());
    assert_eq!(sent(&rig), [("UpdateTeam", json!({ "id": id, "description": "Pays" }))]);
}

#[test]
fn two_teams_of_which_one_was_to_be_the_other_are_left_to_a_person() {
    let mut world = payments();
    let organization = rapidapi::acme(&world);
    world.add_team(organization, "Billing");
    let rig = Rig::<rapidapi::Hub>::new(
        world,
        "manage: { teams: all }
allow: [default-team-deletion]
teams: [{ name: Billing, previously: [Payments] }, { name: acme-Default }]",
    );
    assert!(is_in_sync(&rig.plan()), "{:#?}", rig.plan().sealed.changes);
    assert!(holds(&rig.plan()).iter().any(|hold| hold.starts_with("team/Payments blocked: The file says")));
}

#[test]
fn of_namesakes_the_one_that_the_file_means_is_renamed() {
    let mut world = payments();
    let organization = rapidapi::acme(&world);
    let other = world.add_team(organization, "Payments");
    let id = rapidapi::team(&world, "Payments");
    let file = |previously: &str| {
        format!(
            "manage: {{ teams: all }}
allow: [default-team-deletion]
teams: [{{ name: Billing, previously: [{previously}] }}, {{ name: acme-Default }}]"
        )
    };
    let rig = Rig::<rapidapi::Hub>::new(world.clone(), &file("Payments"));
    assert_eq!(findings(&rig)[0].0, Code::AmbiguousTeam);
    assert!(is_in_sync(&rig.plan_without_errors()), "{:#?}", rig.plan_without_errors().sealed.changes);
    let named = file(&format!("Payments ({id})"));
    let mut rig = Rig::<rapidapi::Hub>::new(world, &named.replace("teams: all", "teams: listed"));
    assert_eq!(addresses(&rig.plan()), ["team/Billing"]);
    assert!(rig.apply().all_done());
    let id_of = |name| rapidapi::team(&rig.world(), name);
    assert_eq!([id_of("Billing"), id_of("Payments")], [id, other]);
    assert!(is_in_sync(&rig.plan()));
}

#[test]
fn nothing_is_renamed_from_a_list_of_teams_that_is_incomplete() {
    let mut world = payments();
    world.switches.teams_count_off_by = 5;
    let rig = Rig::<rapidapi::Hub>::new(world, "teams: [{ name: Billing, previously: [Payments] }]");
    let plan = rig.plan();
    assert!(is_in_sync(&plan), "{:#?}", plan.sealed.changes);
    assert!(
        holds(&plan).iter().any(|hold| hold.starts_with("team/Billing blocked: The list of teams")),
        "{:?}",
        holds(&plan)
    );
}

#[test]
fn an_undo_file_gives_a_team_its_name_back() {
    let rig =
        undone(Rig::<rapidapi::Hub>::new(payments(), TEAMS), "  - name: Payments\n    previously: [Billing]\n");
    assert_eq!(teams_of(&rig.world(), "jane@acme.example"), ["Payments"]);
}

// ---- the program

/// The example of Hive, in which a role is renamed.
fn renamed_example() -> String {
    let text = example("hive.yaml").replace("[Developer]", "[Engineer]");
    text.replacen("name: Developer", "name: Engineer\n    previously: [Developer]", 1)
}

fn json_of(said: &Said) -> Value {
    serde_json::from_str(&said.stdout).unwrap_or_else(|why| panic!("{why}: {}", said.all()))
}

#[test]
fn a_pull_request_that_renames_a_role_asks_for_the_rename_and_for_nothing_else() {
    let env = Env::new();
    env.write("main/hive.yaml", example("hive.yaml"));
    env.write("head/hive.yaml", renamed_example());
    let said = env.run(&["plan", "--sandbox", "head", "--base", "main", "--format", "json"]);
    assert_eq!(said.code, 0, "{}", said.all());
    let plan = &json_of(&said)["organizations"][0];
    let comparison = &plan["comparison"];
    let asked: Vec<&String> = comparison["changes"]
        .as_object()
        .unwrap()
        .iter()
        .filter_map(|(address, origin)| (origin["is"] == "asked").then_some(address))
        .collect();
    assert_eq!(asked, ["role/Engineer"]);
    let lines = comparison["changes"]["role/Engineer"]["lines"].as_array().unwrap();
    assert!(lines.iter().any(|line| line["text"].as_str().unwrap().contains("previously")), "{lines:?}");
    let deletions = comparison["deletions"].as_array().unwrap();
    assert_eq!(deletions.len(), 1, "{deletions:?}");
    assert_eq!((&deletions[0]["by"], &deletions[0]["to"]), (&json!("renamed"), &json!("role/Engineer")));
    // Nobody has to approve it before a credential is used.
    let trusted = env.run(&["validate", "--trusted", "main", "head"]);
    assert_eq!(trusted.code, 0, "{}", trusted.all());
    let shown = env.run(&["plan", "--sandbox", "head", "--base", "main"]);
    assert!(shown.stdout.contains("Developer  ->  Engineer"), "{}", shown.all());
    assert!(shown.stdout.contains("renamed to role/Engineer"), "{}", shown.all());
}

#[test]
fn what_has_drifted_beside_a_rename_is_told() {
    let mut world = reviewers();
    world.roles.iter_mut().filter(|role| role.name == "Schema reviewer").for_each(|role| {
        role.permissions.push("laboratory:describe".to_owned());
    });
    let mut rig = Rig::<hive::Console>::new(
        world,
        &RENAMED
            .replace("Reviewer, previously: [Schema reviewer]", "Schema reviewer")
            .replace("[Reviewer]", "[Schema reviewer]"),
    );
    let base = rig.plan();
    rig.set_file(RENAMED);
    let compared = rolecall_plan::compare_with_base(&rig.plan(), Some(&base), "main");
    let origin = &compared.changes[&"role/Reviewer".parse().unwrap()];
    assert_eq!(origin.is, rolecall_model::OriginKind::Asked);
    assert_eq!(origin.drifted.iter().map(String::as_str).collect::<Vec<_>>(), ["permissions"]);
}

#[test]
fn a_drift_report_and_a_pull_know_the_name_that_is_live() {
    let env = Env::new();
    env.write("hive.yaml", renamed_example());
    let drift = env.run(&["drift", "--sandbox", "hive.yaml"]);
    assert_eq!(drift.code, 2, "{}", drift.all());
    assert!(drift.stdout.contains("Developer") && drift.stdout.contains("role/Engineer"), "{}", drift.all());
    let target = "role/Engineer";
    let pulled = env.run(&["pull", "--sandbox", "--write", "--target", target, "--target", "user/*", "hive.yaml"]);
    assert_eq!(pulled.code, 0, "{}", pulled.all());
    let text = env.read("hive.yaml");
    assert!(text.contains("name: Developer") && text.contains("roles: [Developer]"), "{text}");
    assert!(!text.contains("previously") && !text.contains("Engineer"), "{text}");
}

#[test]
fn an_approved_rename_is_sent_and_can_be_undone() {
    let env = Env::new();
    env.write("hive.yaml", renamed_example());
    let target = ["--target", "role/Engineer", "hive.yaml"];
    let planned = env.run(&[&["plan", "--sandbox", "--out", "plan.json"], &target[..]].concat());
    assert_eq!(planned.code, 0, "{}", planned.all());
    let applied = env.run(&[
        "apply",
        "--sandbox",
        "--plan",
        "plan.json",
        "--undo-out",
        "undo.yaml",
        "--ledger",
        "l",
        "hive.yaml",
    ]);
    assert!(applied.stdout.contains("role/Engineer"), "{}", applied.all());
    assert!(
        env.read("undo.yaml").contains("  - name: Developer\n    previously: [Engineer]\n"),
        "{}",
        env.read("undo.yaml")
    );
    let shown = env.run(&["show", "l"]);
    assert!(shown.code == 0 && shown.stdout.contains("role/Engineer"), "{}", shown.all());
}

/// Whoever should have a role or a team by its previous name is an error before anything is read.
#[test]
fn a_previous_name_that_is_still_used_is_a_finding_of_the_file() {
    let env = Env::new();
    let roles = RENAMED.replace("tom@x.example, roles: [Reviewer]", "tom@x.example, roles: [Schema reviewer]");
    env.write("hive.yaml", format!("{}{roles}", hive::HEAD));
    let said = env.run(&["validate", "hive.yaml"]).all();
    let line = hive::HEAD.lines().count() + 6;
    assert!(said.contains("error[unknown-role]: The role `Schema reviewer` is now `Reviewer`."), "{said}");
    assert!(said.contains(&format!("hive.yaml:{line}:")) && said.contains("1 error\n[exit 1]"), "{said}");
    let rapidapi =
        example("rapidapi.yaml").replacen("name: Payments\n", "name: Bills\n    previously: [Payments]\n", 1);
    env.write("rapidapi.yaml", rapidapi);
    let said = env.run(&["validate", "rapidapi.yaml"]).all();
    assert!(said.contains("error[unknown-team]: The team `Payments` is now `Bills`."), "{said}");
    assert!(said.contains("teams: { Payments: Team Viewer, Data: Team Admin }\n"), "{said}");
}
