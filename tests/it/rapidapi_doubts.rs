//! Stories of a RapidAPI hub that leaves something out or contradicts itself: nothing may depend on that.

use crate::support::rapidapi::{
    GENERATIONS, NOBODY, Rig, acme, asserted, converged, effects, findings, held, invitation, is_member, member,
    operations, outcomes, planned, rig_of, team, teams_of, user, with_teams, world,
};
use crate::support::rig::{Fate, addresses};
use rolecall_model::{Code, Outcome};
use rolecall_plan::compare;
use rolecall_sandbox::rapidapi::{Generation, OWN_EMAIL, World};
use serde_json::{Value, json};

/// Returns the refusals of the guardrails.
fn refusals(rig: &Rig) -> Vec<String> {
    rig.plan().refusals.into_iter().map(|it| format!("{}: {}", it.guardrail, it.message)).collect()
}

/// Returns a hub with three admins, of whom the file removes one.
fn three_admins(generation: Generation) -> World {
    let mut world = world();
    for email in ["jane@acme.example", "kim@acme.example"] {
        member(&mut world, email, true, &[]);
    }
    member(&mut world, "dev@acme.example", false, &[]);
    world.switches.generation = generation;
    world
}

// ---- who is an admin

#[test]
fn nobody_loses_anything_while_roles_are_not_shown() {
    let entries = ["absent: true", "roles: [Developer]", "status: deactivated"];
    for generation in GENERATIONS {
        for fields in entries {
            let world = three_admins(generation);
            let mut rig = Rig::new(world, &format!("users: [{{ email: kim@acme.example, {fields} }}]"));
            // No role is shown, as a key with fewer rights might see it.
            rig.wire.forge(|data| {
                for user in
                    data.pointer_mut("/organization/users").and_then(Value::as_array_mut).into_iter().flatten()
                {
                    user["role"] = Value::Null;
                }
                if let Some(rows) = data.pointer_mut("/entitiesRoles/nodes") {
                    *rows = json!([]);
                }
            });
            let plan = rig.plan();
            assert!(plan.completeness["users"].is_incomplete());
            let said = refusals(&rig);
            // A user who is shown with the role from the file loses nothing, and the list says what isn't known.
            if plan.sealed.mutations.is_empty() {
                assert_eq!(fields, "roles: [Developer]");
                continue;
            }
            let unknown = format!("{OWN_EMAIL} has to be an admin of the organisation, but is not listed as one");
            assert!(said.iter().any(|it| it.contains(&unknown)), "{generation:?} {fields} {said:?}");
            assert!(said.iter().all(|it| it.starts_with("min_admins: ")), "{said:?}");
            // A user who gets more access loses nothing.
            rig.set_file("users: [{ email: dev@acme.example, roles: [Organization Admin] }]");
            assert!(refusals(&rig).is_empty());
        }
    }
}

#[test]
fn an_admin_by_the_older_list_who_is_shown_without_a_role_may_be_one() {
    let mut world = three_admins(Generation::Documented);
    let jane = user(&world, "jane@acme.example");
    world.assignments.retain(|row| row.entity != jane);
    let mut rig = Rig::new(world, "users: [{ email: kim@acme.example, absent: true }]");
    let said = refusals(&rig);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].ends_with("jane@acme.example is an admin in one list and has no role in another."),
        "{said:?}"
    );
    // The contradiction ends when the file says which role they have.
    let known = "acknowledged: ['user/*']";
    rig.set_file(&format!("{known}\nusers: [{{ email: jane@acme.example, roles: [Organization Admin] }}]"));
    assert!(converged(&rig.apply()));
    rig.set_file(&format!("{known}\nusers: [{{ email: kim@acme.example, absent: true }}]"));
    assert!(converged(&rig.apply()));
    assert!(!is_member(&rig.world(), "kim@acme.example"));
}

#[test]
fn an_own_user_with_an_unknown_id_may_be_anybody() {
    let rig = Rig::new(three_admins(Generation::Documented), "users: [{ email: kim@acme.example, absent: true }]");
    rig.wire.forge(|data| {
        if let Some(caller) = data.get_mut("activeUser") {
            *caller = json!({ "id": "5d24f0b6e4b0a1b2c3d4e5f6", "email": null });
        }
    });
    let said = refusals(&rig);
    assert!(said[0].contains("rolecall's own user has to be an admin"), "{said:?}");
}

#[test]
fn the_role_that_everybody_has_makes_no_admin() {
    let found = findings(three_admins(Generation::Documented), "admin_role: Developer");
    assert_eq!(found.iter().map(|it| it.code).collect::<Vec<_>>(), [Code::UnknownRole]);
    assert!(found[0].message.contains("is the role that every member has by default"), "{}", found[0].message);
}

#[test]
fn a_role_in_another_organisation_is_none_here() {
    let mut world = three_admins(Generation::August2023);
    let other = world.add_organization("partners");
    let developer = world.role("USER_ORGANIZATION", "organization-developer").unwrap().id;
    let kim = user(&world, "kim@acme.example");
    let rig = Rig::new(world, "guardrails: { min_admins: 3 }\nusers: [{ email: kim@acme.example, absent: true }]");
    rig.wire.forge(move |data| {
        // As if the hub ignored the filter.
        if let Some(nodes) = data.pointer_mut("/entitiesRoles/nodes").and_then(Value::as_array_mut) {
            nodes.push(json!({ "entityId": kim, "roleId": developer, "parentId": null, "orgId": other }));
        }
    });
    let said = refusals(&rig);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with("min_admins: 2 usable admins would be left"), "{said:?}");
}

// ---- accounts

#[test]
fn every_generation_that_switches_accounts_shows_only_admins_of_other_organisations() {
    for generation in GENERATIONS {
        let mut world = three_admins(generation);
        let other = world.add_organization("partners");
        let (dev, own) = (user(&world, "dev@acme.example"), user(&world, OWN_EMAIL));
        world.add_member(other, dev, true);
        world.organization_mut(other).unwrap().members.retain(|it| it.user != own);
        let rig = Rig::new(world, "users: [{ email: dev@acme.example, status: deactivated }]");
        assert_eq!(addresses(&rig.plan()), NOBODY, "{generation:?}");
        let reason = held(&rig.plan(), "user/dev@acme.example");
        assert!(reason[0].starts_with("blocked: The user is the only admin of the organisation"), "{reason:?}");
    }
}

#[test]
fn if_only_admins_can_not_be_read_nobody_is_deactivated_without_assert() {
    for (outside, fields) in [
        (false, "status: deactivated"),
        (false, "absent: true, status: deactivated"),
        (true, "absent: true, status: deactivated"),
    ] {
        let mut world = three_admins(Generation::Documented);
        if outside {
            let organization = acme(&world);
            let dev = user(&world, "dev@acme.example");
            world.organization_mut(organization).unwrap().members.retain(|it| it.user != dev);
        }
        let rig = Rig::new(world, &format!("users: [{{ email: dev@acme.example, {fields} }}]"));
        rig.wire.forge(|data| {
            for list in ["/organization/users", "/users/nodes"] {
                for user in data.pointer_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
                    user["singleAdminOrgs"] = Value::Null;
                }
            }
        });
        let reason = held(&rig.plan(), "user/dev@acme.example");
        assert!(
            reason[0].starts_with(
                "blocked: The platform doesn't show whether the user is the only admin of an organisation."
            ),
            "{fields} {reason:?}"
        );
        let plan = asserted(&rig, "user/dev@acme.example");
        assert!(plan.sealed.mutations.iter().any(|it| it.operation == "updateUser"), "{fields}");
    }
}

#[test]
fn an_account_that_is_not_found_is_said_to_be_missing() {
    let rig = Rig::new(world(), "users: [{ email: kmi@acme.example, absent: true, status: deactivated }]");
    let warned = rig.warnings();
    assert_eq!(warned.iter().map(|it| it.code).collect::<Vec<_>>(), [Code::UnmatchedAddress]);
    assert!(warned[0].message.contains("no account with the address kmi@acme.example"), "{}", warned[0].message);
    let absent = Rig::new(world(), "users: [{ email: kmi@acme.example, absent: true }]").warnings();
    assert_eq!(absent.iter().map(|it| it.code).collect::<Vec<_>>(), [Code::UnmatchedAddress]);
    let there = Rig::new(world(), "users: [{ email: own@acme.example, status: active }]");
    assert!(there.warnings().is_empty());
}

#[test]
fn an_account_that_the_list_of_users_leaves_out_ends_the_read() {
    type Forgery = fn(&mut Value);
    let forgeries: [Forgery; 2] = [
        |data| {
            if data.get("users").is_some() {
                data["users"] = json!({ "nodes": [null], "totalCount": 1 });
            }
        },
        // As if the hub ignored the filter and cut the list short.
        |data| {
            if data.get("users").is_some() {
                let other = json!({ "id": "1", "email": "other@x.example", "status": "ACTIVE", "protected": false, "singleAdminOrgs": [] });
                data["users"] = json!({ "nodes": [other], "totalCount": 4711 });
            }
        },
    ];
    for forgery in forgeries {
        let mut world = world();
        world.add_user("kim@acme.example");
        let rig = Rig::new(world, "users: [{ email: kim@acme.example, absent: true, status: deactivated }]");
        rig.wire.forge(forgery);
        let error = rig.read().unwrap_err().to_string();
        assert!(error.starts_with("Users: the answer lacks"), "{error}");
    }
}

// ---- partial updates

#[test]
fn nobody_is_left_without_a_team_for_a_call_that_failed() {
    let mut world = with_teams(&["Payments", "Data", "Search"]);
    member(&mut world, "sam@acme.example", false, &[("Payments", "team-viewer"), ("Search", "team-viewer")]);
    let mut rig = Rig::new(world, "users: [{ email: sam@acme.example, teams: [Data] }]");
    rig.wire
        .set_fates(&[Fate::Ignored(200, r#"{"errors":[{"message":"no seats"}],"data":{"addUserToTeams":null}}"#)]);
    let report = rig.apply();
    assert_eq!(
        outcomes(&report),
        [
            ("addUserToTeams", Outcome::Failed),
            ("updateTeamUser", Outcome::Skipped),
            ("updateTeamUser", Outcome::Skipped)
        ]
    );
    assert_eq!(teams_of(&rig.world(), "sam@acme.example"), ["Payments", "Search"]);
    assert!(converged(&rig.apply()));
    // A team that they keep is among them, so they leave the old team even if joining the new one fails.
    rig.set_file("users: [{ email: sam@acme.example, teams: [Payments, Data] }]");
    assert!(converged(&rig.apply()));
    rig.set_file("users: [{ email: sam@acme.example, teams: [Data, Search] }]");
    rig.wire
        .set_fates(&[Fate::Ignored(200, r#"{"errors":[{"message":"no seats"}],"data":{"addUserToTeams":null}}"#)]);
    let report = rig.apply();
    assert_eq!(teams_of(&rig.world(), "sam@acme.example"), ["Data"], "{report:#?}");
    // The change isn't complete, and isn't reported as complete.
    assert!(report.steps.iter().all(|step| step.first_step), "{report:#?}");
}

/// A team isn't deleted before the members who move to another one are there.
#[test]
fn a_team_stays_while_a_member_can_not_move_to_another_one() {
    let mut world = with_teams(&["Payments", "Data"]);
    member(&mut world, "sam@acme.example", false, &[("Payments", "team-viewer")]);
    let body = "teams: [{ name: Payments, absent: true }]\nusers: [{ email: sam@acme.example, teams: [Data] }]";
    let mut rig = Rig::new(world, body);
    rig.wire
        .set_fates(&[Fate::Ignored(200, r#"{"errors":[{"message":"no seats"}],"data":{"addUserToTeams":null}}"#)]);
    let report = rig.apply();
    assert_eq!(
        outcomes(&report),
        [("addUserToTeams", Outcome::Failed), ("deleteTeam", Outcome::Skipped)],
        "{report:#?}"
    );
    assert_eq!(teams_of(&rig.world(), "sam@acme.example"), ["Payments"]);
    assert!(converged(&rig.apply()));
    assert_eq!(teams_of(&rig.world(), "sam@acme.example"), ["Data"]);

    // The same for somebody who was invited to it.
    let mut world = with_teams(&["Payments", "Data"]);
    invitation(&mut world, "new@acme.example", "Developer", &["Payments"]);
    let body = "teams: [{ name: Payments, absent: true }]\nusers: [{ email: new@acme.example, roles: [Developer], teams: [Data] }]";
    let plan = planned(world, body);
    let operations: Vec<&str> = plan.sealed.mutations.iter().map(|mutation| &*mutation.operation).collect();
    assert_eq!(operations.last(), Some(&"deleteTeam"), "{operations:?}");
    let (deletion, others) = plan.sealed.mutations.split_last().unwrap();
    let invite = others.iter().find(|mutation| mutation.operation == "createUserInvites").unwrap();
    assert!(deletion.needs.contains(&invite.id), "{deletion:#?}");
}

#[test]
fn a_deletion_shows_what_it_takes_along_and_takes_nothing_else() {
    let mut world = with_teams(&["Legacy"]);
    let legacy = team(&world, "Legacy");
    let kept = world.clone();
    world.add_app(legacy, "checkout");
    let fields = "teams: [{ name: Legacy, absent: true }]";
    let shown = |world: &World| effects(&Rig::new(world.clone(), fields).plan(), "team/Legacy");
    assert_ne!(shown(&world), shown(&kept));
    let (approved, fresh) = (Rig::new(kept, fields).plan(), Rig::new(world, fields).plan());
    assert_eq!(compare(&approved.sealed, &fresh.sealed).stale.len(), 1);
    // The deletion of a whole organisation shows its teams, apps and invitations too.
    let absent = "settings: { absent: true }";
    // Another organisation than the one whose team's key is used.
    let mut world = with_teams(&[]);
    let partners = world.add_organization("partners");
    let one = world.add_team(partners, "One");
    let (mut more, mut invited, mut app) = (world.clone(), world.clone(), world.clone());
    more.add_team(partners, "Two");
    invited.add_invitation(partners, "late@x.example", "DEVELOPER", &[one]);
    app.add_app(one, "checkout");
    let approved = rig_of("partners", world, absent).plan();
    assert_eq!(addresses(&approved), ["organization"]);
    for now in [more, invited, app] {
        let fresh = rig_of("partners", now, absent).plan();
        assert_eq!(compare(&approved.sealed, &fresh.sealed).stale.len(), 1, "{:?}", fresh.sealed.changes);
    }
}

#[test]
fn a_credential_that_data_repeats_is_not_shown() {
    use rolecall_graphql::{Backoff, Reader, Redactor};
    let mut world = with_teams(&["Payments"]);
    let payments = team(&world, "Payments");
    let secret = "a-key-of-fifty-characters-or-so";
    let organization = acme(&world);
    let it = world.organization_mut(organization).unwrap().teams.iter_mut().find(|it| it.id == payments).unwrap();
    it.description = Some(format!("key: {secret}!"));
    let rig = Rig::new(world, "");
    let redactor = Redactor::new([secret.to_owned().into()]);
    let reader = Reader::new(rig.wire.clone(), redactor, Backoff::with_seed(1));
    let provider = rolecall_providers::of(rolecall_model::ProviderName::Rapidapi);
    let live = crate::support::rig::paused(provider.read(&reader, &rig.desired)).unwrap();
    let description = live.teams().iter().find_map(|team| team.description.clone()).unwrap();
    assert_eq!(description, "key: [redacted]!");
    assert_eq!(operations(&rig), NOBODY);
}
