//! Stories of users who leave an organisation on a RapidAPI hub, of their accounts, and of rolecall's own access.

use crate::support::rapidapi::{
    HEAD, NOBODY, Rig, acme, asserted, converged, effects, held, is_member, ledger_updates, member, operations,
    outcomes, planned, rig_of, role, sent, status, team, teams_of, user, with_teams, world,
};
use crate::support::rig::{Fate, addresses, holds};
use rolecall_config::{Source, check_source};
use rolecall_model::{Action, Effect, Outcome, RoleName};
use rolecall_sandbox::rapidapi::OWN_EMAIL;
use serde_json::json;

const ADMIN_PANEL: &str = "in the Admin Panel, Users";

const DASHBOARD: &str = "in the organisation's dashboard, Users";

// ---- users who leave

#[test]
fn an_absent_user_leaves_only_this_organisation_and_returns_by_an_invitation() {
    let mut world = with_teams(&["Payments"]);
    let other = world.add_organization("partners");
    let kim = member(&mut world, "kim@acme.example", true, &[("Payments", "team-admin")]);
    world.add_member(other, kim, true);
    let absent = "users: [{ email: kim@acme.example, absent: true }]";
    let mut rig = Rig::new(world, absent);
    let default = Effect::DefaultRole { role: RoleName::seen("Developer") };
    assert_eq!(effects(&rig.plan(), "user/kim@acme.example"), [default]);
    assert!(converged(&rig.apply()));
    let organization = acme(&rig.world());
    let developer = role(&rig.world(), "USER_ORGANIZATION", "organization-developer");
    assert_eq!(
        sent(&rig),
        [
            // A user who rejoins must not be an admin because of an assignment that was left behind.
            ("UpdateUserRoles", json!({ "entityId": kim, "roleId": developer, "orgId": organization })),
            ("RemoveTeamUserFromAllOrgTeams", json!({ "orgId": organization, "email": "kim@acme.example" })),
        ]
    );
    assert!(!is_member(&rig.world(), "kim@acme.example"));
    assert!(rig.world().is_org_admin(other, kim));
    assert_eq!(status(&rig.world(), "kim@acme.example"), "ACTIVE");
    assert_eq!(addresses(&rig.plan()), NOBODY);
    // In, out and in again, only by editing the file.
    let back = "users: [{ email: kim@acme.example, roles: [Developer], teams: [Payments] }]";
    for _ in 0..2 {
        rig.set_file(back);
        assert_eq!(rig.plan().sealed.changes[0].action, Action::Invite, "{:?}", holds(&rig.plan()));
        assert!(converged(&rig.apply()));
        assert!(rig.world().accept(organization, "kim@acme.example"));
        ledger_updates(&mut rig);
        assert_eq!(addresses(&rig.plan()), NOBODY);
        rig.set_file(absent);
        assert!(converged(&rig.apply()));
        assert!(!is_member(&rig.world(), "kim@acme.example"));
    }
}

/// If somebody else removed the user, they aren't invited again.
#[test]
fn a_member_whom_somebody_else_removed_is_invited_only_with_assert() {
    let body = "users: [{ email: new@x.example, roles: [Developer], teams: [Payments] }]";
    let mut rig = Rig::new(with_teams(&["Payments"]), body);
    rig.apply();
    let organization = acme(&rig.world());
    rig.world().accept(organization, "new@x.example");
    ledger_updates(&mut rig);
    rig.world().organization_mut(organization).unwrap().members.retain(|it| it.legacy_role == "ADMIN");
    let new = user(&rig.world(), "new@x.example");
    let payments = team(&rig.world(), "Payments");
    rig.world().team_mut(payments).unwrap().members.retain(|it| *it != new);
    assert_eq!(
        held(&rig.plan(), "user/new@x.example"),
        [
            "blocked: The user accepted the invitation of 2026-11-21 and is no longer a member. Somebody may have removed them for a reason, so rolecall sends another only with `--assert`."
        ]
    );
    assert_eq!(addresses(&asserted(&rig, "user/new@x.example")), ["user/new@x.example"]);
}

/// Tests a user who accepted our invitation and is then removed by the file: they are invited when the file lists
/// them again.
fn leaves_and_comes_back(gone: &str, fates: &[Fate]) {
    let mut rig = Rig::new(
        with_teams(&["Payments"]),
        "users: [{ email: new@x.example, roles: [Developer], teams: [Payments] }]",
    );
    rig.apply();
    let organization = acme(&rig.world());
    rig.world().accept(organization, "new@x.example");
    ledger_updates(&mut rig);
    rig.set_file(gone);
    rig.wire.set_fates(fates);
    let plan = rig.plan();
    rig.apply_plan(&plan);
    ledger_updates(&mut rig);
    assert!(!is_member(&rig.world(), "new@x.example"), "{gone}");
    rig.set_file("users: [{ email: new@x.example, roles: [Developer], teams: [Payments], status: active }]");
    let plan = rig.plan();
    assert_eq!(addresses(&plan), ["user/new@x.example"], "{gone} {fates:?}: {:?}", holds(&plan));
    assert_eq!(plan.sealed.changes[0].action, Action::Invite, "{gone}");
}

#[test]
fn a_user_we_removed_is_invited_again_when_the_file_lists_them_again() {
    leaves_and_comes_back("users: [{ email: new@x.example, absent: true, status: deactivated }]", &[]);
    leaves_and_comes_back("users: [{ email: new@x.example, absent: true }]", &[Fate::DropAfter]);
    leaves_and_comes_back("users: [{ email: new@x.example, absent: true }]", &[Fate::KillAfter]);
    leaves_and_comes_back("manage: { users: all }\nusers: [{ email: own@acme.example }]", &[]);
}

#[test]
fn a_user_removed_by_the_first_of_two_mutations_is_invited_again() {
    let gone = "users: [{ email: new@x.example, absent: true, status: deactivated }]";
    for fate in [Fate::Refuse, Fate::DropBefore, Fate::KillBefore] {
        leaves_and_comes_back(gone, &[Fate::Fine, fate]);
    }
}

/// Another user may have the address from now on.
#[test]
fn the_address_of_a_deleted_account_is_invited_like_any_other() {
    leaves_and_comes_back(
        "allow: [user-deletion]\nusers: [{ email: new@x.example, absent: true, status: deleted }]",
        &[],
    );
}

#[test]
fn nobody_listed_being_there_looks_like_the_wrong_hub() {
    let mut world = world();
    member(&mut world, "jane@acme.example", false, &[]);
    let plan = planned(world, "manage: { users: all }\nusers: [{ email: stranger@x.example, absent: true }]");
    assert_eq!(plan.refusals.iter().map(|it| it.guardrail.as_str()).collect::<Vec<_>>(), ["manage"]);
}

// ---- accounts

#[test]
fn an_account_is_switched_off_in_all_of_the_hub_only_where_that_is_written() {
    let mut world = with_teams(&["Payments"]);
    let kim = member(&mut world, "kim@acme.example", false, &[("Payments", "team-viewer")]);
    let mut rig = Rig::new(world, "users: [{ email: kim@acme.example, status: deactivated }]");
    let plan = rig.plan();
    assert_eq!(plan.sealed.changes[0].action, Action::Disable);
    assert_eq!(
        effects(&plan, "user/kim@acme.example"),
        [Effect::EveryOrganization, Effect::CascadesTo { what: "their personal subscriptions".to_owned() }]
    );
    assert!(converged(&rig.apply()));
    assert_eq!(sent(&rig), [("UpdateUser", json!({ "id": kim.to_string(), "status": "DEACTIVATED" }))]);
    assert!(is_member(&rig.world(), "kim@acme.example"));
    assert_eq!(teams_of(&rig.world(), "kim@acme.example"), ["Payments"]);
    assert_eq!(addresses(&rig.plan()), NOBODY);
    rig.set_file("users: [{ email: kim@acme.example, status: active }]");
    assert_eq!(effects(&rig.plan(), "user/kim@acme.example"), [Effect::ReEnables, Effect::EveryOrganization]);
    assert!(converged(&rig.apply()));
    assert_eq!(status(&rig.world(), "kim@acme.example"), "ACTIVE");
    // The status isn't changed if the file doesn't give one.
    rig.set_file("users: [{ email: kim@acme.example, status: deactivated }]");
    rig.apply();
    rig.set_file("users: [{ email: kim@acme.example }]");
    assert_eq!(addresses(&rig.plan()), NOBODY);
}

#[test]
fn an_absent_and_deactivated_user_leaves_first() {
    let mut world = with_teams(&["Payments"]);
    let other = world.add_organization("partners");
    let kim = member(&mut world, "kim@acme.example", false, &[("Payments", "team-viewer")]);
    world.add_member(other, kim, false);
    let mut rig = Rig::new(world, "users: [{ email: kim@acme.example, absent: true, status: deactivated }]");
    assert!(converged(&rig.apply()));
    assert_eq!(operations(&rig), ["RemoveTeamUserFromAllOrgTeams", "UpdateUser"]);
    assert!(!is_member(&rig.world(), "kim@acme.example"));
    assert!(rig.world().is_member(other, kim));
    assert_eq!(status(&rig.world(), "kim@acme.example"), "DEACTIVATED");
    assert_eq!(addresses(&rig.plan()), NOBODY);
}

#[test]
fn accounts_of_people_who_are_not_in_the_organisation() {
    let hub = |status: &str| {
        let mut world = with_teams(&["Payments"]);
        let kim = world.add_user("kim@acme.example");
        status.clone_into(&mut world.user_mut(kim).unwrap().status);
        (world, kim.to_string())
    };
    // A user who must be removed and deactivated, and who isn't a member: only the account is changed.
    let (world, kim) = hub("ACTIVE");
    let mut rig = Rig::new(world, "users: [{ email: kim@acme.example, absent: true, status: deactivated }]");
    assert!(converged(&rig.apply()));
    assert_eq!(sent(&rig), [("UpdateUser", json!({ "id": kim, "status": "DEACTIVATED" }))]);
    assert_eq!(addresses(&rig.plan()), NOBODY);
    // A user to invite: the account is activated first.
    let (world, kim) = hub("DEACTIVATED");
    let mut rig = Rig::new(
        world,
        "users: [{ email: kim@acme.example, roles: [Developer], teams: [Payments], status: active }]",
    );
    assert_eq!(
        effects(&rig.plan(), "user/kim@acme.example"),
        [Effect::SendsMail, Effect::ReEnables, Effect::EveryOrganization]
    );
    assert!(converged(&rig.apply()));
    assert_eq!(sent(&rig)[0], ("UpdateUser", json!({ "id": kim, "status": "ACTIVE" })));
    assert_eq!(operations(&rig)[1..], ["CreateUserInvites"]);
    assert_eq!(addresses(&rig.plan()), NOBODY);
    // A user whose account is to be deactivated isn't invited.
    let (world, _) = hub("ACTIVE");
    let plan = planned(
        world,
        "users: [{ email: kim@acme.example, roles: [Developer], teams: [Payments], status: deactivated }]",
    );
    assert_eq!(plan.sealed.changes[0].action, Action::Disable);
    assert_eq!(plan.sealed.mutations.len(), 1);
}

#[test]
fn nobody_is_invited_whose_account_could_not_be_switched_on() {
    for fate in [Fate::Refuse, Fate::DropBefore] {
        let mut world = with_teams(&["Payments"]);
        let kim = world.add_user("kim@acme.example");
        "DEACTIVATED".clone_into(&mut world.user_mut(kim).unwrap().status);
        let mut rig = Rig::new(
            world,
            "users: [{ email: kim@acme.example, roles: [Developer], teams: [Payments], status: active }]",
        );
        rig.wire.set_fates(&[fate]);
        let report = rig.apply();
        assert_eq!(outcomes(&report)[1], ("createUserInvites", Outcome::Skipped), "{fate:?}");
        assert_eq!(rig.world().mails, NOBODY);
        assert!(converged(&rig.apply()), "{fate:?}");
        assert_eq!(rig.world().mails, ["kim@acme.example"]);
    }
}

#[test]
fn an_account_is_deleted_only_by_two_words_in_the_file() {
    for (head, rest, said) in [
        ("", "absent: true, status: deleted", vec!["rolecall deletes an account only if the file allows it."]),
        (
            "allow: [user-deletion]\n",
            "status: deleted",
            vec!["A user whose account is deleted can't be in the organisation."],
        ),
        (
            "",
            "status: deleted",
            vec![
                "A user whose account is deleted can't be in the organisation.",
                "rolecall deletes an account only if the file allows it.",
            ],
        ),
    ] {
        let text = format!("{HEAD}{head}users: [{{ email: kim@acme.example, {rest} }}]");
        let (_, found) = check_source(&Source::inline("test.yaml", &text), rolecall_providers::format);
        let found: Vec<_> = found.iter().filter(|it| it.is_error()).map(|it| it.message.as_str()).collect();
        assert_eq!(found, said, "{rest}");
    }
    for in_it in [true, false] {
        let mut world = world();
        let kim = world.add_user("kim@acme.example");
        if in_it {
            member(&mut world, "kim@acme.example", false, &[]);
        }
        let mut rig = Rig::new(
            world,
            "allow: [user-deletion]\nusers: [{ email: kim@acme.example, absent: true, status: deleted }]",
        );
        assert_eq!(
            effects(&rig.plan(), "user/kim@acme.example"),
            [Effect::Irreversible, Effect::CascadesTo { what: "their personal apps and APIs".to_owned() }]
        );
        assert!(converged(&rig.apply()), "{in_it}");
        assert_eq!(sent(&rig), [("UpdateUser", json!({ "id": kim.to_string(), "status": "DELETED" }))]);
        assert!(rig.world().user("kim@acme.example").is_none());
        assert_eq!(addresses(&rig.plan()), NOBODY, "{in_it}");
    }
}

#[test]
fn the_only_administrator_of_another_organisation_keeps_their_account_and_leaves_this_one() {
    for (allow, desired_status) in [("", "deactivated"), ("allow: [user-deletion]\n", "deleted")] {
        let mut world = world();
        let other = world.add_organization("partners");
        let kim = member(&mut world, "kim@acme.example", false, &[]);
        world.add_member(other, kim, true);
        let own = user(&world, OWN_EMAIL);
        world.organization_mut(other).unwrap().members.retain(|it| it.user != own);
        let body =
            format!("{allow}users: [{{ email: kim@acme.example, absent: true, status: {desired_status} }}]");
        let mut rig = Rig::new(world, &body);
        let reason = format!(
            "blocked: The user is the only admin of the organisation {other}. Make somebody else an admin there first."
        );
        assert_eq!(held(&rig.plan(), "user/kim@acme.example"), [reason.as_str()]);
        let report = rig.apply();
        assert_eq!(operations(&rig), ["RemoveTeamUserFromAllOrgTeams"], "{report:#?}");
        assert_eq!(status(&rig.world(), "kim@acme.example"), "ACTIVE");
        // Outside of the organisation, the account is held for the same reason.
        assert_eq!(held(&rig.plan(), "user/kim@acme.example"), [reason]);
        assert_eq!(addresses(&rig.plan()), NOBODY);
        rig.world().add_member(other, own, true);
        assert!(converged(&rig.apply()));
        assert_ne!(rig.world().user_by_id(kim).unwrap().status, "ACTIVE");
    }
}

#[test]
fn an_unapproved_user_waits_for_an_administrator_of_the_hub() {
    let mut world = with_teams(&["Payments"]);
    let kim = member(&mut world, "kim@acme.example", false, &[("Payments", "team-viewer")]);
    "PENDING".clone_into(&mut world.user_mut(kim).unwrap().status);
    let plan = planned(world.clone(), "users: [{ email: kim@acme.example, status: active }]");
    assert_eq!(addresses(&plan), NOBODY);
    assert_eq!(
        held(&plan, "user/kim@acme.example"),
        [format!("waiting: The user waits until an administrator of the platform approves them: {ADMIN_PANEL}.")]
    );
    // They can be in teams in the meantime, and be removed from the organisation.
    let plan = planned(world.clone(), "users: [{ email: kim@acme.example, teams: { Payments: Team Admin } }]");
    assert_eq!(addresses(&plan), ["user/kim@acme.example"]);
    let plan = planned(world, "users: [{ email: kim@acme.example, absent: true }]");
    assert_eq!(plan.sealed.changes[0].action, Action::Remove);
}

#[test]
fn an_account_that_the_hub_protects_is_never_touched() {
    let mut world = with_teams(&["Payments"]);
    let robot = member(&mut world, "robot@acme.example", true, &[]);
    world.user_mut(robot).unwrap().protected = true;
    let bodies = [
        "users: [{ email: robot@acme.example, absent: true }]",
        "users: [{ email: robot@acme.example, roles: [Developer], teams: [Payments] }]",
        "users: [{ email: robot@acme.example, status: deactivated }]",
        "allow: [user-deletion]\nusers: [{ email: robot@acme.example, absent: true, status: deleted }]",
        "manage: { users: all }\nusers: [{ email: own@acme.example }]",
    ];
    for body in bodies {
        let plan = planned(world.clone(), body);
        assert_eq!(addresses(&plan), NOBODY, "{body}");
        let mut told = held(&plan, "user/robot@acme.example");
        // An entry without `roles` doesn't say that the robot is an admin.
        told.retain(|reason| !reason.starts_with("blocked: The file doesn't say `roles`"));
        assert_eq!(told, ["blocked: The platform says that this account must not be changed."], "{body}");
    }
    // Nor is a non-member.
    let organization = acme(&world);
    let other = world.add_organization("elsewhere");
    world.add_member(other, robot, false);
    world.organization_mut(organization).unwrap().members.retain(|it| it.user != robot);
    for team in &mut world.organization_mut(organization).unwrap().teams {
        team.members.retain(|it| *it != robot);
    }
    let plan = planned(
        world,
        "allow: [user-deletion]\nusers: [{ email: robot@acme.example, absent: true, status: deleted }]",
    );
    assert_eq!(addresses(&plan), NOBODY);
}

#[test]
fn a_user_deactivated_in_the_organisation_is_a_manual_step() {
    let mut world = with_teams(&["Payments", "Data"]);
    let kim = member(&mut world, "kim@acme.example", false, &[("Payments", "team-viewer")]);
    let organization = acme(&world);
    world.organization_mut(organization).unwrap().member_mut(kim).unwrap().deactivated = true;
    for fields in ["", ", teams: [Data]", ", roles: [Organization Admin]", ", status: active"] {
        let plan = planned(world.clone(), &format!("users: [{{ email: kim@acme.example{fields} }}]"));
        assert_eq!(addresses(&plan), NOBODY, "{fields}");
        assert_eq!(
            held(&plan, "user/kim@acme.example"),
            [format!(
                "blocked: Somebody else deactivated the user in this organisation, and the API can't undo that. Activate them manually: {DASHBOARD}."
            )]
        );
    }
    // They can leave.
    let mut rig = Rig::new(world, "users: [{ email: kim@acme.example, absent: true }]");
    assert!(converged(&rig.apply()));
    assert!(!is_member(&rig.world(), "kim@acme.example"));
}

/// Only four values of a status are documented.
#[test]
fn an_unknown_status_is_never_in_sync() {
    for (live, desired_status) in [("LOCKED", "active"), ("LOCKED", "deactivated")] {
        let mut world = world();
        let kim = member(&mut world, "kim@acme.example", false, &[]);
        live.clone_into(&mut world.user_mut(kim).unwrap().status);
        let plan = planned(world, &format!("users: [{{ email: kim@acme.example, status: {desired_status} }}]"));
        let said = !addresses(&plan).is_empty() || !held(&plan, "user/kim@acme.example").is_empty();
        assert!(said, "{live} is neither changed to {desired_status} nor held");
    }
}

/// An account is deactivated before its user gets more access, and activated only after access was removed.
#[test]
fn a_user_is_deactivated_before_they_get_anything() {
    let mut world = with_teams(&["Payments", "Data"]);
    member(&mut world, "kim@acme.example", false, &[("Payments", "team-viewer")]);
    let mut rig = Rig::new(
        world.clone(),
        "users: [{ email: kim@acme.example, roles: [Organization Admin], status: deactivated }]",
    );
    assert!(converged(&rig.apply()));
    assert_eq!(operations(&rig), ["UpdateUser", "UpdateUserRoles"]);
    let mut rig = Rig::new(
        world.clone(),
        "users: [{ email: kim@acme.example, teams: { Payments: Team Admin, Data: Team Admin }, status: deactivated }]",
    );
    assert!(converged(&rig.apply()));
    assert_eq!(operations(&rig)[0], "UpdateUser");
    let kim = user(&world, "kim@acme.example");
    "DEACTIVATED".clone_into(&mut world.user_mut(kim).unwrap().status);
    let mut rig = Rig::new(world, "users: [{ email: kim@acme.example, absent: true, status: active }]");
    assert!(converged(&rig.apply()));
    assert_eq!(operations(&rig), ["RemoveTeamUserFromAllOrgTeams", "UpdateUser"]);
}

// ---- rolecall's own access

#[test]
fn rolecalls_own_user_keeps_its_access() {
    let mut world = with_teams(&["Payments"]);
    member(&mut world, "jane@acme.example", true, &[]);
    for body in [
        "users: [{ email: own@acme.example, absent: true }]",
        "users: [{ email: own@acme.example, roles: [Developer], teams: [Payments] }]",
        "users: [{ email: own@acme.example, roles: [] }]",
        "users: [{ email: own@acme.example, status: deactivated }]",
        "users: [{ email: own@acme.example, absent: true, status: deactivated }]",
        "allow: [user-deletion]\nusers: [{ email: own@acme.example, absent: true, status: deleted }]",
        "manage: { users: all }\nusers: [{ email: jane@acme.example }]",
    ] {
        let plan = planned(world.clone(), &format!("guardrails: {{ min_admins: 0 }}\n{body}"));
        assert_eq!(addresses(&plan), NOBODY, "{body}");
        assert_eq!(
            held(&plan, "user/own@acme.example"),
            [
                "blocked: This is rolecall's own user. rolecall's credential may stop working if the user loses access. Use another user's credential first."
            ],
            "{body}"
        );
    }
}

/// Rolecall's own user has to be in the team whose key is used.
#[test]
fn rolecalls_own_user_leaves_no_team() {
    let mut world = with_teams(&["Payments"]);
    member(&mut world, "jane@acme.example", true, &[]);
    let (organization, own) = (acme(&world), user(&world, OWN_EMAIL));
    world.assign("USER_ORGANIZATION", "organization-developer", own, Some(organization), None);
    for (teams, holds) in [("[Payments]", 1), ("[]", 1), ("[acme-Default]", 1), ("[acme-Default, Payments]", 0)] {
        let rig = rig_of(
            organization,
            world.clone(),
            &format!("users: [{{ email: own@acme.example, teams: {teams} }}]"),
        );
        let plan = rig.plan();
        assert_eq!(addresses(&plan), NOBODY, "{teams}");
        assert_eq!(held(&plan, "user/own@acme.example").len(), holds, "{teams}");
    }
}
