//! Stories of the users of an organisation on a RapidAPI hub. Each tests something that users rely on.

use std::sync::Arc;

use crate::support::rapidapi::{
    GENERATIONS, NOBODY, Rig, acme, asserted, converged, effects, findings, held, invitation, is_admin, member,
    operations, outcomes, planned, rig_of, role, role_in, sent, set_file_of, team, teams_of, two_teams, user,
    with_teams, world,
};
use crate::support::rig::{Fate, addresses};
use rolecall_model::{Code, Effect, Outcome, RoleName};
use rolecall_sandbox::rapidapi::{Demotion, OWN_EMAIL, Refusal, StaleRows, Switches, World, WorldRole};
use serde_json::json;

// ---- administrators

/// Admins are members of every team, even if a team's own list doesn't show them.
#[test]
fn the_teams_of_administrators_are_not_looked_at() {
    let mut world = with_teams(&["Payments", "Data"]);
    let jane = member(&mut world, "jane@acme.example", true, &[]);
    let payments = team(&world, "Payments");
    world.team_mut(payments).unwrap().members.retain(|id| *id != jane);
    for teams in ["", ", teams: [Data]", ", teams: { Payments: Team Viewer }", ", teams: []"] {
        let rig = Rig::new(
            world.clone(),
            &format!("users: [{{ email: jane@acme.example, roles: [Organization Admin]{teams} }}]"),
        );
        assert_eq!(addresses(&rig.plan()), NOBODY, "{teams}");
    }
}

#[test]
fn a_promotion_joins_every_team_and_the_plan_says_so() {
    let mut world = with_teams(&["Payments", "Data"]);
    let jane = member(&mut world, "jane@acme.example", false, &[("Payments", "team-viewer")]);
    let mut rig = Rig::new(
        world,
        "users: [{ email: jane@acme.example, roles: [Organization Admin], teams: { Payments: Team Admin } }]",
    );
    assert_eq!(
        effects(&rig.plan(), "user/jane@acme.example"),
        [Effect::platform("joins-every-team", "joins every team")]
    );
    assert!(converged(&rig.apply()));
    let organization = acme(&rig.world());
    let admin = role(&rig.world(), "USER_ORGANIZATION", "organization-admin");
    assert_eq!(
        sent(&rig),
        [("UpdateUserRoles", json!({ "entityId": jane, "roleId": admin, "orgId": organization }))]
    );
    assert_eq!(teams_of(&rig.world(), "jane@acme.example"), ["acme-Default", "Payments", "Data"]);
    assert_eq!(addresses(&rig.plan()), NOBODY);
}

/// The documentation doesn't say whether former admins stay in the teams. The result is the same.
#[test]
fn a_demoted_admin_is_in_just_the_teams_of_the_file() {
    for demotion in [Demotion::DropsTeams, Demotion::KeepsTeams] {
        let mut world = with_teams(&["Payments", "Data", "Search"]);
        member(&mut world, "jane@acme.example", true, &[("Payments", "team-viewer")]);
        world.switches.demotion = demotion;
        let mut rig = Rig::new(
            world,
            "users: [{ email: jane@acme.example, roles: [Developer], teams: { Payments: Team Viewer, Data: Team Admin } }]",
        );
        rig.wire.watch(Arc::new(|world: &World| {
            for kept in ["Payments", "Data"] {
                assert!(teams_of(world, "jane@acme.example").contains(&kept.to_owned()), "{kept} was interrupted");
            }
        }));
        let report = rig.apply();
        assert!(converged(&report), "{report:#?}");
        assert_eq!(operations(&rig)[..2], ["AddUserToTeams", "UpsertEntityRole"], "{demotion:?}");
        assert!(!is_admin(&rig.world(), "jane@acme.example"));
        assert_eq!(teams_of(&rig.world(), "jane@acme.example"), ["Payments", "Data"]);
        assert_eq!(role_in(&rig.world(), "jane@acme.example", "Data").unwrap(), "team-admin");
        assert_eq!(addresses(&rig.plan()), NOBODY, "{demotion:?}");
    }
}

#[test]
fn nobody_is_demoted_while_it_is_unsure_that_their_teams_are_their_own() {
    for fate in [Fate::Refuse, Fate::DropBefore, Fate::Ignored(500, ""), Fate::Ignored(401, "")] {
        for demotion in [Demotion::DropsTeams, Demotion::KeepsTeams] {
            let mut world = with_teams(&["Payments", "Data"]);
            member(&mut world, "jane@acme.example", true, &[]);
            world.switches.demotion = demotion;
            let mut rig =
                Rig::new(world, "users: [{ email: jane@acme.example, roles: [Developer], teams: [Payments] }]");
            rig.wire.set_fates(&[fate]);
            let report = rig.apply();
            assert_eq!(operations(&rig), [] as [&str; 0], "{fate:?} {report:#?}");
            assert_eq!(report.steps[0].operation, "addUserToTeams");
            assert!(report.steps[1..].iter().all(|step| step.outcome == Outcome::Skipped), "{report:#?}");
            assert!(is_admin(&rig.world(), "jane@acme.example"), "{fate:?}");
            // The next run completes the change.
            assert!(converged(&rig.apply()), "{fate:?}");
            assert_eq!(teams_of(&rig.world(), "jane@acme.example"), ["Payments"]);
        }
    }
}

/// A new team has every admin as a member from the start.
#[test]
fn a_team_that_is_made_by_the_same_plan_takes_in_those_who_cease_to_be_administrators() {
    for demotion in [Demotion::DropsTeams, Demotion::KeepsTeams] {
        for teams in ["{ New: Team Admin }", "[New]", "[Payments]", "[]"] {
            let mut world = with_teams(&["Payments"]);
            member(&mut world, "jane@acme.example", true, &[]);
            world.switches.demotion = demotion;
            let mut rig = Rig::new(
                world,
                &format!(
                    "teams: [{{ name: New }}]\nusers: [{{ email: jane@acme.example, roles: [Developer], teams: {teams} }}]"
                ),
            );
            let report = rig.apply();
            let wished: Vec<&str> = ["Payments", "New"].into_iter().filter(|name| teams.contains(*name)).collect();
            assert_eq!(teams_of(&rig.world(), "jane@acme.example"), wished, "{demotion:?} {teams} {report:#?}");
            assert!(!is_admin(&rig.world(), "jane@acme.example"));
            assert_eq!(addresses(&rig.plan()), NOBODY, "{demotion:?} {teams}");
        }
    }
}

/// The answer to the promotion isn't enough: a read has to show it.
#[test]
fn nobody_is_demoted_before_their_successor_is_seen_to_be_an_administrator() {
    let mut world = world();
    member(&mut world, "old@acme.example", true, &[]);
    member(&mut world, "next@acme.example", false, &[]);
    let mut rig = Rig::new(
        world,
        "guardrails: { min_admins: 2 }\nusers: [{ email: next@acme.example, roles: [Organization Admin] }, { email: old@acme.example, absent: true }]",
    );
    rig.wire.set_fates(&[Fate::Ignored(200, r#"{"data":{"updateUserRoles":true}}"#)]);
    let report = rig.apply();
    assert_eq!(
        outcomes(&report),
        [
            ("updateUserRoles", Outcome::NotTaken),
            ("updateUserRoles", Outcome::Skipped),
            ("removeTeamUserFromAllOrgTeams", Outcome::Skipped)
        ]
    );
    assert!(is_admin(&rig.world(), "old@acme.example"));
}

/// Checks that it isn't sent again without `--assert`, as the report of the apply says.
fn is_sent_again_only_on_demand(fields: &str, answer: &'static str) {
    let mut world = with_teams(&["Payments"]);
    member(&mut world, "kim@acme.example", false, &[("Payments", "team-viewer")]);
    let mut rig = Rig::new(world, &format!("users: [{{ email: kim@acme.example, {fields} }}]"));
    rig.wire.set_fates(&[Fate::Ignored(200, answer)]);
    let report = rig.apply();
    assert_eq!(report.steps[0].outcome, Outcome::NotTaken, "{fields}");
    assert!(
        report.steps[0].message.as_ref().unwrap().contains("It isn't sent again unless you ask with `--assert`.")
    );
    assert_eq!(addresses(&rig.plan()), NOBODY, "{fields}");
    assert!(
        held(&rig.plan(), "user/kim@acme.example")[0]
            .contains("and the platform accepted it, but no later read shows it")
    );
    let plan = asserted(&rig, "user/kim@acme.example");
    assert!(converged(&rig.apply_plan(&plan).unwrap()), "{fields}");
}

#[test]
fn what_was_answered_and_had_no_effect_is_sent_again_only_on_demand() {
    is_sent_again_only_on_demand("status: deactivated", r#"{"data":{"updateUser":{"status":"DEACTIVATED"}}}"#);
    is_sent_again_only_on_demand("teams: []", r#"{"data":{"updateTeamUser":true}}"#);
    is_sent_again_only_on_demand("teams: { Payments: Team Admin }", r#"{"data":{"upsertEntityRole":true}}"#);
}

#[test]
fn a_promotion_that_had_no_effect_is_sent_again_only_on_demand() {
    is_sent_again_only_on_demand("roles: [Organization Admin]", r#"{"data":{"updateUserRoles":true}}"#);
}

#[test]
fn a_removal_that_had_no_effect_is_sent_again_only_on_demand() {
    is_sent_again_only_on_demand("absent: true", r#"{"data":{"removeTeamUserFromAllOrgTeams":true}}"#);
}

#[test]
fn the_last_administrator_stays_even_where_the_file_wants_none() {
    let lone = || {
        let mut world = with_teams(&["Payments"]);
        let jane = member(&mut world, "jane@acme.example", true, &[]);
        let organization = acme(&world);
        let own = user(&world, OWN_EMAIL);
        // The user stays an environment admin, but is no admin of this organisation.
        world.assign("USER_ORGANIZATION", "organization-developer", own, Some(organization), None);
        assert_eq!(world.admins(organization), [jane]);
        (organization, world)
    };
    for fields in [
        "absent: true",
        "roles: [Developer], teams: [Payments]",
        "roles: []",
        "status: deactivated",
        "absent: true, status: deactivated",
        "absent: true, status: deleted",
    ] {
        let (organization, world) = lone();
        let rig = rig_of(
            organization,
            world,
            &format!(
                "allow: [user-deletion]\nguardrails: {{ min_admins: 0 }}\nusers: [{{ email: jane@acme.example, {fields} }}]"
            ),
        );
        let plan = rig.plan();
        assert!(plan.refusals.iter().all(|it| it.guardrail.as_str() == "min_admins"), "{fields}");
        let left = "0 usable admins would be left, and the file requires at least 1";
        assert!(plan.refusals.iter().any(|it| it.message.starts_with(left)), "{fields} {:?}", plan.refusals);
    }
}

/// A user who can't sign in isn't a usable admin.
#[test]
fn administrators_who_are_switched_off_do_not_count() {
    for how in ["account", "member"] {
        let mut world = world();
        let jane = member(&mut world, "jane@acme.example", true, &[]);
        member(&mut world, "kim@acme.example", true, &[]);
        let organization = acme(&world);
        match how {
            "account" => "DEACTIVATED".clone_into(&mut world.user_mut(jane).unwrap().status),
            _ => world.organization_mut(organization).unwrap().member_mut(jane).unwrap().deactivated = true,
        }
        let plan =
            planned(world, "guardrails: { min_admins: 2 }\nusers: [{ email: kim@acme.example, absent: true }]");
        assert_eq!(plan.usable_admins_after, 1, "{how}");
        assert_eq!(plan.refusals[0].guardrail.as_str(), "min_admins", "{how}");
    }
}

// ---- roles in the organisation

fn role_named(world: &mut World, level: &str, id: u64, key: &str, name: &str) {
    world.roles.push(WorldRole {
        id,
        key: key.to_owned(),
        name: name.to_owned(),
        level: level.to_owned(),
        is_default: false,
        is_basic: false,
    });
}

#[test]
fn roles_are_found_by_name_or_by_key_on_any_hub() {
    let mut world = with_teams(&["Payments"]);
    member(&mut world, "kim@acme.example", false, &[("Payments", "team-viewer")]);
    // The ids differ between hubs.
    for role in &mut world.roles {
        role.id += 4_000;
    }
    for row in &mut world.assignments {
        row.role += 4_000;
    }
    let with = |org: &str, team: &str| {
        planned(
            world.clone(),
            &format!("users: [{{ email: kim@acme.example, roles: [{org}], teams: {{ Payments: {team} }} }}]"),
        )
    };
    assert_eq!(addresses(&with("Developer", "Team Viewer")), NOBODY);
    assert_eq!(addresses(&with("organization-developer", "team-viewer")), NOBODY);
    let (by_name, by_key) = (with("Organization Admin", "Team Viewer"), with("organization-admin", "team-viewer"));
    assert_eq!(by_name.seal, by_key.seal);
    assert_eq!(by_name.sealed.mutations[0].variables["input"]["roleId"], json!(4_521));
}

#[test]
fn a_role_that_is_not_there_is_a_finding_with_the_one_that_is_near() {
    let mut world = with_teams(&["Payments"]);
    member(&mut world, "kim@acme.example", false, &[]);
    let found = findings(
        world,
        "users: [{ email: kim@acme.example, roles: [Organisation Admin], teams: { Payments: Team Veiwer } }, { email: new@x.example, roles: [Team Viewer], teams: { Payments: Developer } }]",
    );
    let said: Vec<_> =
        found.iter().map(|it| (it.code, it.message.as_str(), it.hint.as_deref().unwrap_or_default())).collect();
    assert_eq!(said.len(), 4, "{said:#?}");
    assert!(said.iter().all(|(code, ..)| *code == Code::UnknownRole));
    assert_eq!(said[0].1, "There is no role `Organisation Admin` in the organisation.");
    assert_eq!(said[0].2, "Did you mean `Organization Admin`?");
    assert_eq!(
        (said[1].1, said[1].2),
        ("There is no role `Team Veiwer` in teams.", "Did you mean `Team Viewer`?")
    );
    // A role of another level isn't found.
    assert_eq!(said[2].1, "There is no role `Team Viewer` in the organisation.");
    assert_eq!(said[3].1, "There is no role `Developer` in teams.");
}

#[test]
fn of_two_roles_of_one_name_the_key_tells_which() {
    let mut world = with_teams(&["Payments"]);
    role_named(&mut world, "USER_ORGANIZATION", 600, "custom-developer", "Developer");
    role_named(&mut world, "USER_TEAM", 601, "custom-viewer", "Team Viewer");
    member(&mut world, "kim@acme.example", false, &[("Payments", "team-viewer")]);
    let found = findings(
        world.clone(),
        "users: [{ email: kim@acme.example, roles: [Developer], teams: { Payments: Team Viewer } }]",
    );
    let said: Vec<_> =
        found.iter().map(|it| (it.code, it.message.as_str(), it.hint.as_deref().unwrap())).collect();
    assert_eq!(
        said,
        [
            (
                Code::AmbiguousRole,
                "2 roles in the organisation have the name `Developer`.",
                "Write `custom-developer` or `organization-developer`."
            ),
            (
                Code::AmbiguousRole,
                "2 roles in teams have the name `Team Viewer`.",
                "Write `custom-viewer` or `team-viewer`."
            ),
        ]
    );
    let mut rig = Rig::new(
        world,
        "users: [{ email: kim@acme.example, roles: [custom-developer], teams: { Payments: custom-viewer } }]",
    );
    assert!(converged(&rig.apply()));
    assert_eq!(role_in(&rig.world(), "kim@acme.example", "Payments").unwrap(), "custom-viewer");
    assert_eq!(addresses(&rig.plan()), NOBODY);
}

/// No mutation only removes a role.
#[test]
fn no_role_is_the_one_that_everybody_has_by_default_and_the_plan_says_so() {
    let mut world = with_teams(&["Payments"]);
    member(&mut world, "kim@acme.example", true, &[("Payments", "team-viewer")]);
    let mut rig = Rig::new(world, "users: [{ email: kim@acme.example, roles: [], teams: [Payments] }]");
    let plan = rig.plan();
    let default = Effect::DefaultRole { role: RoleName::seen("Developer") };
    assert!(effects(&plan, "user/kim@acme.example").contains(&default), "{:?}", plan.sealed.changes);
    assert!(converged(&rig.apply()));
}

#[test]
fn no_role_is_written_as_the_default_one() {
    let mut world = with_teams(&["Payments"]);
    member(&mut world, "kim@acme.example", true, &[("Payments", "team-viewer")]);
    let mut rig = Rig::new(world, "users: [{ email: kim@acme.example, roles: [], teams: [Payments] }]");
    assert!(converged(&rig.apply()));
    let developer = role(&rig.world(), "USER_ORGANIZATION", "organization-developer");
    let given = sent(&rig).into_iter().find(|(operation, _)| *operation == "UpdateUserRoles").unwrap();
    assert_eq!(given.1["roleId"], json!(developer));
    assert_eq!(addresses(&rig.plan()), NOBODY);
}

#[test]
fn a_user_without_a_role_has_the_default_role() {
    let mut world = with_teams(&["Payments"]);
    let kim = member(&mut world, "kim@acme.example", false, &[("Payments", "team-viewer")]);
    world.assignments.retain(|row| row.entity != kim);
    let body = |roles: &str, team: &str| {
        format!("users: [{{ email: kim@acme.example, roles: [{roles}], teams: {{ Payments: {team} }} }}]")
    };
    assert_eq!(addresses(&planned(world.clone(), &body("Developer", "Team Developer"))), NOBODY);
    assert_eq!(addresses(&planned(world, &body("Developer", "Team Viewer"))), ["user/kim@acme.example"]);
}

/// Returns a world with two roles whose names contain "Admin". Only one makes an admin.
fn two_kinds_of_admin() -> World {
    let mut world = with_teams(&["Payments"]);
    role_named(&mut world, "USER_ORGANIZATION", 600, "billing-admin", "Billing Admin");
    member(&mut world, "jane@acme.example", true, &[]);
    member(&mut world, "kim@acme.example", true, &[]);
    world
}

#[test]
fn the_file_says_which_role_makes_an_administrator_where_names_do_not() {
    for named in ["Organization Admin", "organization-admin"] {
        let plan = planned(
            two_kinds_of_admin(),
            &format!(
                "admin_role: {named}\nguardrails: {{ min_admins: 3 }}\nusers: [{{ email: kim@acme.example, absent: true }}]"
            ),
        );
        assert_eq!(plan.usable_admins_after, 2, "{named}");
        assert_eq!(plan.refusals[0].guardrail.as_str(), "min_admins", "{named}");
    }
}

/// No role counts as the admin role, so `min_admins` protects nobody. The plan has to say so or be refused.
#[test]
fn where_no_role_is_known_to_make_an_administrator_the_guardrail_is_not_silently_off() {
    let mut rig = Rig::new(
        two_kinds_of_admin(),
        "guardrails: { min_admins: 3 }\nusers: [{ email: kim@acme.example, absent: true }, { email: jane@acme.example, absent: true }]",
    );
    let said = match rig.try_plan() {
        Err(found) => found.iter().any(|it| it.hint.as_ref().is_some_and(|hint| hint.contains("admin_role"))),
        Ok(plan) => !plan.refusals.is_empty() || plan.sealed.mutations.is_empty(),
    };
    assert!(said, "{:?}", addresses(&rig.plan()));
    rig.set_file("admin_role: Organisation Admin\nusers: [{ email: kim@acme.example, absent: true }]");
    assert!(rig.try_plan().is_err(), "a role that isn't there makes nobody an administrator");
}

/// With `--assert`, as after an apply that died, the file's roles are sent even if live already shows them.
#[test]
fn a_user_in_sync_is_sent_with_assert() {
    let mut world = with_teams(&["Payments"]);
    let kim = member(&mut world, "kim@acme.example", false, &[("Payments", "team-viewer")]);
    let mut rig = Rig::new(
        world,
        "users: [{ email: kim@acme.example, roles: [Developer], teams: { Payments: Team Viewer } }]",
    );
    assert_eq!(addresses(&rig.plan()), NOBODY);
    let plan = asserted(&rig, "user/kim@acme.example");
    assert_eq!(addresses(&plan), ["user/kim@acme.example"]);
    assert!(converged(&rig.apply_plan(&plan).unwrap()));
    assert_eq!(operations(&rig), ["AddUserToTeams", "UpsertEntityRole", "UpdateUserRoles"]);
    assert!(sent(&rig)[1..].iter().all(|(_, input)| input["entityId"] == json!(kim)));
}

/// A hub may have no default role.
#[test]
fn nobody_can_be_without_a_role_where_none_is_the_default() {
    let mut world = world();
    member(&mut world, "jane@acme.example", true, &[]);
    for role in &mut world.roles {
        role.is_default = false;
    }
    let found = findings(world, "users: [{ email: jane@acme.example, roles: [] }]");
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].code, Code::UnknownRole);
    assert_eq!(found[0].message, "jane@acme.example needs a role, because this hub has no default role.");
    assert!(found[0].hint.as_ref().unwrap().starts_with("Name one of "));
}

/// The documentation doesn't say which teams these are, so the plan can only warn.
#[test]
fn a_demoted_admin_may_leave_teams_and_the_plan_says_so() {
    let mut world = with_teams(&["Payments"]);
    member(&mut world, "jane@acme.example", true, &[]);
    let leaves = Effect::platform_warning("may-leave-teams", "may leave teams: list the ones to keep in `teams`");
    for (teams, said) in [("", vec![leaves]), (", teams: [Payments]", vec![])] {
        let body = format!("users: [{{ email: jane@acme.example, roles: [Developer]{teams} }}]");
        assert_eq!(effects(&planned(world.clone(), &body), "user/jane@acme.example"), said);
    }
}

// ---- roles in teams

#[test]
fn a_new_team_member_has_the_default_role_unless_the_file_gives_another() {
    let mut world = with_teams(&["Payments", "Data", "Search"]);
    let kim = member(&mut world, "kim@acme.example", false, &[("Search", "team-viewer")]);
    let mut rig = Rig::new(
        world,
        "users: [{ email: kim@acme.example, teams: { Payments: Team Developer, Data: Team Admin } }]",
    );
    assert!(converged(&rig.apply()));
    // They join all teams in one mutation, and one role has to be set.
    assert_eq!(operations(&rig), ["AddUserToTeams", "UpsertEntityRole", "UpdateTeamUser"]);
    let (payments, data) = two_teams(&rig);
    assert_eq!(sent(&rig)[0].1, json!({ "userId": kim, "teamIds": [data, payments] }));
    assert_eq!(sent(&rig)[1].1["parentId"], json!(data));
    assert_eq!(teams_of(&rig.world(), "kim@acme.example"), ["Payments", "Data"]);
    assert_eq!(addresses(&rig.plan()), NOBODY);
}

/// A list of team names leaves the roles in these teams unchanged.
#[test]
fn teams_without_roles_keep_the_roles_that_are_live() {
    let mut world = with_teams(&["Payments", "Data"]);
    member(&mut world, "kim@acme.example", false, &[("Payments", "team-admin"), ("Data", "team-viewer")]);
    assert_eq!(
        addresses(&planned(world.clone(), "users: [{ email: kim@acme.example, teams: [Payments, Data] }]")),
        NOBODY
    );
    let mut rig = Rig::new(world, "users: [{ email: kim@acme.example, teams: [Payments] }]");
    rig.apply();
    assert_eq!(operations(&rig), ["UpdateTeamUser"]);
    assert_eq!(role_in(&rig.world(), "kim@acme.example", "Payments").unwrap(), "team-admin");
}

/// The hub may keep the roles of former members. They apply again when the user rejoins.
#[test]
fn earlier_roles_do_not_return_with_a_returning_user() {
    for (teams, key) in [("[Payments]", "team-developer"), ("{ Payments: Team Viewer }", "team-viewer")] {
        let mut world = with_teams(&["Payments"]);
        member(&mut world, "kim@acme.example", false, &[("Payments", "team-admin")]);
        world.switches.stale_rows = StaleRows::Kept;
        let mut rig = Rig::new(world, "users: [{ email: kim@acme.example, teams: [] }]");
        rig.apply();
        assert_eq!(role_in(&rig.world(), "kim@acme.example", "Payments").unwrap(), "team-admin");
        rig.set_file(&format!("users: [{{ email: kim@acme.example, teams: {teams} }}]"));
        let comes_back = Effect::platform("earlier-role-applies", "returns to Payments as Team Admin at first");
        let says_so = effects(&rig.plan(), "user/kim@acme.example").contains(&comes_back);
        assert_eq!(says_so, key != "team-admin" || teams.starts_with('['), "{teams}");
        assert!(converged(&rig.apply()));
        assert_eq!(role_in(&rig.world(), "kim@acme.example", "Payments").unwrap(), key, "{teams}");
        assert_eq!(addresses(&rig.plan()), NOBODY);
    }
    // The same after a former admin left the whole organisation.
    let mut world = with_teams(&["Payments"]);
    member(&mut world, "kim@acme.example", true, &[("Payments", "team-admin")]);
    world.switches.stale_rows = StaleRows::Kept;
    let mut rig = Rig::new(world, "users: [{ email: kim@acme.example, absent: true }]");
    rig.apply();
    rig.set_file("users: [{ email: kim@acme.example, roles: [Developer], teams: { Payments: Team Viewer } }]");
    rig.apply();
    let organization = acme(&rig.world());
    assert!(rig.world().accept(organization, "kim@acme.example"));
    // They aren't an admin at any moment: the role was replaced before they left.
    assert!(!is_admin(&rig.world(), "kim@acme.example"));
    assert!(converged(&rig.apply()));
    assert_eq!(role_in(&rig.world(), "kim@acme.example", "Payments").unwrap(), "team-viewer");
}

// ---- answers without details

/// Returns a world and a file with every kind of change to users and teams.
fn busy() -> (World, &'static str) {
    let mut world = with_teams(&["Payments", "Data", "Legacy"]);
    member(&mut world, "up@x.example", false, &[("Payments", "team-viewer")]);
    member(&mut world, "down@x.example", true, &[]);
    member(&mut world, "left@x.example", false, &[("Legacy", "team-viewer")]);
    member(&mut world, "moves@x.example", false, &[("Legacy", "team-viewer"), ("Payments", "team-viewer")]);
    let off = member(&mut world, "off@x.example", false, &[]);
    "DEACTIVATED".clone_into(&mut world.user_mut(off).unwrap().status);
    member(&mut world, "on@x.example", false, &[]);
    invitation(&mut world, "other@x.example", "DEVELOPER", &["Payments"]);
    invitation(&mut world, "unwanted@x.example", "ADMIN", &["Payments"]);
    let body = "settings: { name: Acme, email: bills@acme.example, seats: 12 }
teams: [{ name: New, description: made }, { name: Data, description: changed }, { name: Legacy, absent: true }]
users:
  - { email: up@x.example, roles: [Organization Admin] }
  - { email: down@x.example, roles: [Developer], teams: { New: Team Admin, Data: Team Viewer } }
  - { email: left@x.example, absent: true }
  - { email: moves@x.example, teams: { Data: Team Admin, New: Team Developer } }
  - { email: off@x.example, status: active }
  - { email: on@x.example, status: deactivated }
  - { email: other@x.example, roles: [Developer], teams: [Data, New] }
  - { email: unwanted@x.example, absent: true }
  - { email: new@x.example, roles: [Developer], teams: { New: Team Viewer } }
";
    (world, body)
}

/// Null and false may mean anything, so a read decides.
#[test]
fn whatever_the_hub_answers_everything_is_done_and_nothing_reported_failed() {
    for generation in GENERATIONS {
        for booleans in [Some(true), None, Some(false)] {
            for demotion in [Demotion::KeepsTeams, Demotion::DropsTeams] {
                let (mut world, body) = busy();
                world.switches = Switches { generation, booleans, demotion, ..world.switches.clone() };
                let mut rig = Rig::new(world, body);
                let report = rig.apply();
                assert!(converged(&report), "{generation:?} {booleans:?} {demotion:?} {report:#?}");
                assert_eq!(addresses(&rig.plan()), NOBODY);
                assert_eq!(teams_of(&rig.world(), "down@x.example"), ["Data", "New"]);
                assert_eq!(teams_of(&rig.world(), "moves@x.example"), ["Data", "New"]);
                assert_eq!(rig.world().mails, ["new@x.example", "other@x.example"]);
            }
        }
    }
}

/// A refusal may look like a success: both answers can be null.
#[test]
fn what_was_refused_without_a_word_is_never_reported_done() {
    for booleans in [Some(true), None, Some(false)] {
        let (mut world, body) = busy();
        (world.switches.refusal, world.switches.booleans) = (Refusal::Null, booleans);
        let mut rig = Rig::new(world, body);
        // Somebody else changes the hub between the plan and the apply.
        let plan = rig.plan();
        let before = rig.world().clone();
        {
            let mut world = rig.world();
            // No mutation works any more.
            world.switches.environment_admin_mutates_anywhere = false;
            let (organization, own) = (acme(&world), user(&world, OWN_EMAIL));
            let down = user(&world, "down@x.example");
            assert_eq!(world.admins(organization), [own, down]);
            world.assign("USER_ORGANIZATION", "organization-developer", own, Some(organization), None);
        }
        set_file_of(&mut rig, acme(&before), body);
        let report = rig.apply_plan(&plan).unwrap();
        let done: Vec<_> = report
            .steps
            .iter()
            .filter(|step| step.outcome == Outcome::Done && step.operation != "updateUser")
            .map(|step| (step.operation.as_str(), step.address.to_string()))
            .collect();
        assert_eq!(done, [], "{booleans:?} {report:#?}");
        assert_eq!(rig.world().mails, NOBODY);
    }
}

/// Every known form of an answer, with and without an effect.
#[test]
fn every_kind_of_answer_to_a_removal_is_distinguished() {
    struct Case {
        http: u16,
        text: &'static str,
        acted: bool,
        outcome: Outcome,
    }

    const CALL: &str = "removeTeamUserFromAllOrgTeams";
    const HTML: &str = "<!DOCTYPE html><title>Sign in</title>";
    let null: &'static str = r#"{"data":{"removeTeamUserFromAllOrgTeams":null}}"#;
    let yes: &'static str = r#"{"data":{"removeTeamUserFromAllOrgTeams":true}}"#;
    let no: &'static str = r#"{"data":{"removeTeamUserFromAllOrgTeams":false}}"#;
    let refused: &'static str = r#"{"data":{"removeTeamUserFromAllOrgTeams":null},"errors":[{"message":"an organization needs an admin","extensions":{"code":"UNPROCESSABLE_ENTITY"}}]}"#;
    let partly: &'static str =
        r#"{"data":{"removeTeamUserFromAllOrgTeams":true},"errors":[{"message":"mail failed"}]}"#;
    let cases = [
        Case { http: 200, text: yes, acted: true, outcome: Outcome::Done },
        Case { http: 200, text: yes, acted: false, outcome: Outcome::NotTaken },
        Case { http: 200, text: null, acted: true, outcome: Outcome::Done },
        Case { http: 200, text: null, acted: false, outcome: Outcome::Unsure },
        Case { http: 200, text: no, acted: true, outcome: Outcome::Done },
        Case { http: 200, text: no, acted: false, outcome: Outcome::Unsure },
        Case { http: 200, text: refused, acted: false, outcome: Outcome::Failed },
        Case { http: 200, text: refused, acted: true, outcome: Outcome::Done },
        Case { http: 200, text: partly, acted: true, outcome: Outcome::Done },
        Case { http: 200, text: partly, acted: false, outcome: Outcome::Unsure },
        Case { http: 200, text: r#"{"data":null}"#, acted: false, outcome: Outcome::Unsure },
        Case { http: 200, text: r#"{"errors":[]}"#, acted: false, outcome: Outcome::Unsure },
        Case { http: 200, text: HTML, acted: false, outcome: Outcome::Unsure },
        Case { http: 200, text: HTML, acted: true, outcome: Outcome::Done },
        Case { http: 500, text: yes, acted: false, outcome: Outcome::Unsure },
        Case { http: 500, text: yes, acted: true, outcome: Outcome::Done },
        Case { http: 502, text: "", acted: false, outcome: Outcome::Unsure },
        Case { http: 401, text: r#"{"message":"Invalid API key."}"#, acted: false, outcome: Outcome::Failed },
        Case { http: 403, text: "", acted: false, outcome: Outcome::Failed },
    ];
    for Case { http, text, acted, outcome } in cases {
        let mut world = world();
        member(&mut world, "left@x.example", false, &[]);
        let mut rig = Rig::new(world, "users: [{ email: left@x.example, absent: true }]");
        rig.wire.set_fates(&[if acted { Fate::Acted(http, text) } else { Fate::Ignored(http, text) }; 2]);
        let report = rig.apply();
        assert_eq!(outcomes(&report), [(CALL, outcome)], "{http} {text} {acted} {report:#?}");
        // If there was no answer and a read shows no effect, it is sent once more.
        let lost = !acted && (http >= 500 || text == HTML);
        assert_eq!(rig.intents(), 1 + usize::from(lost), "{http} {text}");
    }
}
