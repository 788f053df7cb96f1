//! Stories of invitations to an organisation on a RapidAPI hub. Each tests something that users rely on.

use std::collections::BTreeSet;

use crate::support::rapidapi::{
    NOBODY, Rig, acme, asserted, converged, effects, findings, held, invitation, invited, is_admin,
    ledger_updates, member, operations, outcomes, planned, role, sent, two_teams, user, with_teams, world,
};
use crate::support::rig::{Fate, addresses, holds};
use rolecall_model::{Action, Address, Cause, Code, Effect, Outcome};
use rolecall_plan::compare;
use rolecall_sandbox::rapidapi::{InvitePending, OWN_EMAIL, World};
use serde_json::json;

const ROLES_FOLLOW: &str =
    "waiting: Invited. The roles that an invitation can't contain follow after the user accepts.";

const DASHBOARD: &str = "in the organisation's dashboard, Users";

#[test]
fn an_invitation_says_which_teams_and_the_roles_in_them_follow_once_it_is_accepted() {
    let world = with_teams(&["Payments", "Data"]);
    let mut rig = Rig::new(
        world,
        "users: [{ email: New@acme.example, roles: [Developer], teams: { Payments: Team Viewer, Data: Team Developer } }]",
    );
    assert_eq!(effects(&rig.plan(), "user/new@acme.example"), [Effect::SendsMail, Effect::RolesFollow]);
    assert!(converged(&rig.apply()));
    let organization = acme(&rig.world());
    let (payments, data) = two_teams(&rig);
    assert_eq!(
        sent(&rig),
        [(
            "CreateUserInvites",
            json!({ "email": "new@acme.example", "organizationId": organization, "role": "DEVELOPER", "teamIds": [data, payments] })
        )]
    );
    assert_eq!(addresses(&rig.plan()), NOBODY);
    assert_eq!(held(&rig.plan(), "user/new@acme.example"), [ROLES_FOLLOW]);
    assert!(rig.world().accept(organization, "new@acme.example"));
    assert_eq!(addresses(&rig.plan()), ["user/new@acme.example"]);
    assert!(converged(&rig.apply()));
    let new = user(&rig.world(), "new@acme.example");
    let viewer = role(&rig.world(), "USER_TEAM", "team-viewer");
    // In the other team they have the default role, which is the one in the file.
    assert_eq!(
        sent(&rig)[1..],
        [(
            "UpsertEntityRole",
            json!({ "entityId": new, "roleId": viewer, "orgId": organization, "parentId": payments })
        )]
    );
    assert_eq!(rig.world().mails.len(), 1);
    assert_eq!(addresses(&rig.plan()), NOBODY);
}

/// The same for a team that the plan creates.
#[test]
fn administrators_are_invited_by_the_older_name_of_their_role() {
    let mut rig = Rig::new(
        world(),
        "teams: [{ name: New }]\nusers: [{ email: new@acme.example, roles: [organization-admin], teams: { New: Team Admin } }]",
    );
    let report = rig.apply();
    assert!(converged(&report), "{report:#?}");
    assert_eq!(operations(&rig), ["CreateTeam", "CreateUserInvites"]);
    assert_eq!(
        invited(&rig.world()),
        [("new@acme.example".to_owned(), "ADMIN".to_owned(), vec!["New".to_owned()])]
    );
    let organization = acme(&rig.world());
    assert!(rig.world().accept(organization, "new@acme.example"));
    assert_eq!(addresses(&rig.plan()), NOBODY);
    assert!(is_admin(&rig.world(), "new@acme.example"));
}

#[test]
fn an_invitation_needs_a_role_and_a_team() {
    let world = with_teams(&["Payments"]);
    for (fields, lacks) in [
        ("roles: [Developer]", "`teams` (at least one)"),
        ("roles: [Developer], teams: []", "`teams` (at least one)"),
        ("teams: [Payments]", "`roles`"),
        ("status: active", "`roles`, `teams` (at least one)"),
    ] {
        let found = findings(world.clone(), &format!("users: [{{ email: new@acme.example, {fields} }}]"));
        assert_eq!((found.len(), found[0].code), (1, Code::IncompleteInvitation), "{fields}");
        assert!(found[0].message.ends_with(&format!("an invitation requires {lacks}.")), "{}", found[0].message);
    }
}

/// Returns four invitations: one to other teams, one with another role, one to cancel, and one that matches the
/// file.
fn four_invitations() -> (World, &'static str) {
    let mut world = with_teams(&["Payments", "Data"]);
    invitation(&mut world, "a@x.example", "DEVELOPER", &["Payments"]);
    invitation(&mut world, "b@x.example", "DEVELOPER", &["Data"]);
    invitation(&mut world, "c@x.example", "ADMIN", &["Data"]);
    invitation(&mut world, "d@x.example", "DEVELOPER", &["Data"]);
    let body = "users: [{ email: a@x.example, roles: [Developer], teams: [Data] }, { email: b@x.example, roles: [Organization Admin], teams: [Data] }, { email: c@x.example, absent: true }, { email: d@x.example, roles: [Developer], teams: [Data] }]";
    (world, body)
}

fn into_data(email: &str, role: &str) -> (String, String, Vec<String>) {
    (email.to_owned(), role.to_owned(), vec!["Data".to_owned()])
}

#[test]
fn all_invitations_that_go_are_taken_back_by_one_call_and_each_address_is_a_step() {
    let (world, body) = four_invitations();
    let mut rig = Rig::new(world, body);
    let plan = rig.plan();
    assert_eq!(addresses(&plan), ["user/a@x.example", "user/b@x.example", "invitation/c@x.example"]);
    // An invitation that contains everything needs no later change.
    assert_eq!(effects(&plan, "user/a@x.example"), [Effect::SendsMail, Effect::ReplacesInvitation]);
    assert_eq!(held(&plan, "user/d@x.example"), ["waiting: Invited. The user has not accepted yet."]);
    let report = rig.apply();
    assert!(converged(&report), "{report:#?}");
    let organization = acme(&rig.world());
    assert_eq!(operations(&rig), ["DeleteUserInvites", "CreateUserInvites", "CreateUserInvites"]);
    assert_eq!(
        sent(&rig)[0].1,
        json!({ "emails": ["a@x.example", "b@x.example", "c@x.example"], "orgId": organization })
    );
    let steps: Vec<_> = report
        .steps
        .iter()
        .map(|step| (step.operation.as_str(), step.address.to_string(), step.first_step))
        .collect();
    assert_eq!(
        steps,
        [
            ("deleteUserInvites", "user/a@x.example".to_owned(), true),
            ("deleteUserInvites", "user/b@x.example".to_owned(), true),
            ("deleteUserInvites", "invitation/c@x.example".to_owned(), false),
            ("createUserInvites", "user/a@x.example".to_owned(), false),
            ("createUserInvites", "user/b@x.example".to_owned(), false),
        ]
    );
    assert_eq!(
        invited(&rig.world()),
        [
            into_data("a@x.example", "DEVELOPER"),
            into_data("b@x.example", "ADMIN"),
            into_data("d@x.example", "DEVELOPER")
        ]
    );
    assert_eq!(rig.world().mails, ["a@x.example", "b@x.example"]);
    assert_eq!(addresses(&rig.plan()), NOBODY);
}

/// If the cancellation isn't known to have worked, the hub may refuse the new invitation or have two.
#[test]
fn nobody_is_invited_anew_before_the_earlier_invitation_is_known_to_be_gone() {
    for fate in [Fate::Refuse, Fate::DropBefore, Fate::Ignored(200, r#"{"data":{"deleteUserInvites":null}}"#)] {
        let (mut world, body) = four_invitations();
        world.switches.invite_pending = InvitePending::Duplicated;
        let mut rig = Rig::new(world, body);
        rig.wire.set_fates(&[fate]);
        let report = rig.apply();
        assert_eq!(operations(&rig), [] as [&str; 0], "{fate:?}");
        let skipped: Vec<_> = outcomes(&report).into_iter().filter(|step| step.0 == "createUserInvites").collect();
        assert_eq!(skipped, [("createUserInvites", Outcome::Skipped); 2], "{fate:?}");
        assert_eq!(invited(&rig.world()).len(), 4);
        assert!(converged(&rig.apply()), "{fate:?}");
        assert_eq!(invited(&rig.world()).len(), 3, "{fate:?}");
        assert_eq!(rig.world().mails, ["a@x.example", "b@x.example"]);
    }
}

#[test]
fn a_crash_between_revocation_and_invitation_is_made_good_with_one_mail() {
    for fates in [
        vec![Fate::KillBefore],
        vec![Fate::KillAfter],
        vec![Fate::Fine, Fate::KillBefore],
        vec![Fate::Fine, Fate::KillAfter],
        vec![Fate::Fine, Fate::Fine, Fate::KillBefore],
        vec![Fate::Fine, Fate::Fine, Fate::KillAfter],
    ] {
        let (world, body) = four_invitations();
        let mut rig = Rig::new(world, body);
        rig.wire.set_fates(&fates);
        let plan = rig.plan();
        assert!(rig.apply_plan(&plan).is_none(), "{fates:?}");
        ledger_updates(&mut rig);
        let report = rig.apply();
        assert!(converged(&report), "{fates:?} {report:#?}");
        let mut mails = rig.world().mails.clone();
        mails.sort();
        assert_eq!(mails, ["a@x.example", "b@x.example"], "{fates:?}");
        assert_eq!(
            invited(&rig.world()),
            [
                into_data("a@x.example", "DEVELOPER"),
                into_data("b@x.example", "ADMIN"),
                into_data("d@x.example", "DEVELOPER")
            ],
            "{fates:?}"
        );
        assert_eq!(addresses(&rig.plan()), NOBODY, "{fates:?}");
    }
}

/// An account whose status isn't known isn't activated. The invitation is recreated nevertheless, also after an
/// interruption.
#[test]
fn a_crash_loses_no_invitation_of_somebody_whose_account_stays_off() {
    for fate in [Fate::Fine, Fate::KillBefore, Fate::KillAfter] {
        let mut world = with_teams(&["Data"]);
        world.add_user("kim@acme.example");
        world.users.last_mut().unwrap().status = "LOCKED".to_owned();
        invitation(&mut world, "kim@acme.example", "DEVELOPER", &[]);
        let body = "users: [{ email: kim@acme.example, roles: [Developer], status: active, teams: [Data] }]";
        let mut rig = Rig::new(world, body);
        rig.wire.set_fates(&[fate]);
        let plan = rig.plan();
        assert_eq!(addresses(&plan), ["user/kim@acme.example"]);
        assert_eq!(rig.apply_plan(&plan).is_some(), fate == Fate::Fine);
        if fate != Fate::Fine {
            rig.apply();
        }
        assert_eq!(rig.world().mails, ["kim@acme.example"], "{fate:?}");
        assert_eq!(addresses(&rig.plan()), NOBODY, "{fate:?}");
        let blocked = holds(&rig.plan()).into_iter().filter(|hold| hold.contains("blocked"));
        assert_eq!(blocked.count(), 1, "their account: {:?}", holds(&rig.plan()));
    }
}

fn only(addresses: &[&str]) -> BTreeSet<Address> {
    addresses.iter().map(|address| address.parse().unwrap()).collect()
}

/// One mutation makes several changes, but each was approved by itself.
#[test]
fn a_cancellation_that_is_out_of_date_leaves_the_others_valid() {
    let (world, body) = four_invitations();
    let mut rig = Rig::new(world, body);
    let approved = rig.plan();
    // Somebody else cancels one of them.
    let organization = acme(&rig.world());
    rig.world().organization_mut(organization).unwrap().invitations.retain(|it| it.email != "a@x.example");
    let fresh = rig.plan();
    let approval = compare(&approved.sealed, &fresh.sealed);
    assert_eq!(approval.still_valid, only(&["user/b@x.example", "invitation/c@x.example"]));
    let stale: Vec<_> = approval.stale.iter().map(|stale| stale.approved.address.to_string()).collect();
    assert_eq!(stale, ["user/a@x.example"]);
    let live = rig.read().unwrap();
    let plan = rig.plan_from(&live, &BTreeSet::new(), Some(&approval.still_valid)).unwrap();
    rig.apply_plan(&plan).unwrap();
    assert_eq!(sent(&rig)[0].1["emails"], json!(["b@x.example", "c@x.example"]));
    assert_eq!(rig.world().mails, ["b@x.example"]);
}

/// A change that wasn't approved isn't sent along in a mutation that it would share.
#[test]
fn a_revocation_that_was_not_approved_is_not_sent_with_those_that_were() {
    let (world, body) = four_invitations();
    let mut rig = Rig::new(world, body);
    let live = rig.read().unwrap();
    let approved = rig.plan_from(&live, &BTreeSet::new(), Some(&only(&["invitation/c@x.example"]))).unwrap();
    let approval = compare(&approved.sealed, &rig.plan().sealed);
    assert_eq!(approval.still_valid, only(&["invitation/c@x.example"]));
    let unapproved: Vec<_> = approval.unapproved.iter().map(|change| change.address.to_string()).collect();
    assert_eq!(unapproved, ["user/a@x.example", "user/b@x.example"]);
    let plan = rig.plan_from(&live, &BTreeSet::new(), Some(&approval.still_valid)).unwrap();
    rig.apply_plan(&plan).unwrap();
    assert_eq!(operations(&rig), ["DeleteUserInvites"]);
    assert_eq!(sent(&rig)[0].1["emails"], json!(["c@x.example"]));
    assert_eq!(invited(&rig.world()).len(), 3);
}

#[test]
fn under_manage_all_unlisted_invitations_are_cancelled() {
    let mut world = with_teams(&["Payments"]);
    invitation(&mut world, "a@x.example", "ADMIN", &["Payments"]);
    invitation(&mut world, "b@x.example", "DEVELOPER", &["Payments"]);
    let listed = Rig::new(world.clone(), &format!("users: [{{ email: {OWN_EMAIL} }}]"));
    assert_eq!(addresses(&listed.plan()), NOBODY);
    // An invitation of an admin is privileged, so an audit has to show it.
    let told = held(&listed.plan(), "invitation/a@x.example");
    assert!(told[0].starts_with("blocked: Not in the file, and gives privileged access."), "{told:?}");
    assert_eq!(held(&listed.plan(), "invitation/b@x.example"), ["ignored: Not in the file."]);
    let mut rig = Rig::new(world, &format!("manage: {{ users: all }}\nusers: [{{ email: {OWN_EMAIL} }}]"));
    assert!(converged(&rig.apply()));
    assert_eq!(operations(&rig), ["DeleteUserInvites"]);
    assert_eq!(invited(&rig.world()), []);
    // Rolecall cancelled it, so listing the user again invites them.
    rig.set_file("users: [{ email: a@x.example, roles: [Developer], teams: [Payments] }]");
    assert_eq!(rig.plan().sealed.changes[0].action, Action::Invite);
}

/// The link in either mail lets its recipient join.
#[test]
fn of_two_invitations_of_one_address_none_may_give_more_than_the_file_does() {
    for (one, other) in [("DEVELOPER", "ADMIN"), ("ADMIN", "DEVELOPER")] {
        let mut world = with_teams(&["Payments"]);
        world.switches.invite_pending = InvitePending::Duplicated;
        invitation(&mut world, "new@x.example", one, &["Payments"]);
        invitation(&mut world, "new@x.example", other, &["Payments"]);
        let mut rig = Rig::new(world, "users: [{ email: new@x.example, roles: [Developer], teams: [Payments] }]");
        rig.apply();
        let open: Vec<String> = invited(&rig.world()).into_iter().map(|(_, role, _)| role).collect();
        assert!(!open.contains(&"ADMIN".to_owned()), "{open:?}");
        assert_eq!(addresses(&rig.plan()), NOBODY);
    }
}

/// A user who accepts one of two invitations is a member with an open invitation.
#[test]
fn an_invitation_of_somebody_who_is_in_already_is_taken_back() {
    let mut world = with_teams(&["Payments"]);
    member(&mut world, "jane@acme.example", false, &[("Payments", "team-viewer")]);
    member(&mut world, "sam@acme.example", false, &[]);
    invitation(&mut world, "jane@acme.example", "ADMIN", &["Payments"]);
    let mut rig = Rig::new(
        world,
        "users: [{ email: jane@acme.example, roles: [Developer] }, { email: sam@acme.example, absent: true }]",
    );
    let plan = rig.plan();
    assert_eq!(addresses(&plan), ["user/sam@acme.example", "invitation/jane@acme.example"], "{:?}", holds(&plan));
    assert_eq!(plan.sealed.changes[1].cause, Cause::AlreadyMember);
    rig.apply();
    assert_eq!(invited(&rig.world()), []);
}

/// An invitation matches the file only if its teams do, not just its role.
#[test]
fn an_invitation_into_other_teams_than_the_files_is_never_in_sync() {
    let mut world = with_teams(&["Payments", "Data"]);
    invitation(&mut world, "new@x.example", "DEVELOPER", &["Payments"]);
    let plan = planned(world, "users: [{ email: new@x.example, teams: [Data] }]");
    let silent = held(&plan, "user/new@x.example") == ["waiting: Invited. The user has not accepted yet."];
    assert!(!silent, "the file has another team, and nothing says so");
}

#[test]
fn an_invitation_that_ran_out_is_made_anew_only_where_the_file_says_so() {
    let mut world = with_teams(&["Payments"]);
    invitation(&mut world, "old@x.example", "DEVELOPER", &["Payments"]);
    let organization = acme(&world);
    "EXPIRED".clone_into(&mut world.organization_mut(organization).unwrap().invitations[0].status);
    let body = "users: [{ email: old@x.example, roles: [Developer], teams: [Payments] }]";
    let mut rig = Rig::new(world, body);
    assert_eq!(
        held(&rig.plan(), "user/old@x.example"),
        [format!(
            "blocked: The invitation has expired. Set `reinvite_expired: true` in the file to send another, or send it manually: {DASHBOARD}."
        )]
    );
    rig.set_file(&format!("reinvite_expired: true\n{body}"));
    let report = rig.apply();
    assert!(converged(&report), "{report:#?}");
    assert_eq!(rig.world().mails, ["old@x.example"]);
    assert_eq!(invited(&rig.world()).len(), 1);
    assert_eq!(addresses(&rig.plan()), NOBODY);
}

#[test]
fn a_lost_answer_to_an_invitation_is_looked_up_and_no_second_mail_goes_out() {
    let body = "users: [{ email: new@x.example, roles: [Developer], teams: [Payments] }]";
    let mut rig = Rig::new(with_teams(&["Payments"]), body);
    rig.wire.set_fates(&[Fate::DropAfter]);
    let report = rig.apply();
    assert_eq!(outcomes(&report), [("createUserInvites", Outcome::Done)]);
    assert!(report.steps[0].message.as_ref().unwrap().contains("It isn't certain that its mail was sent."));
    assert_eq!(addresses(&rig.plan()), NOBODY);
    // The list is read right afterwards, so an unlisted invitation was never created.
    let mut rig = Rig::new(with_teams(&["Payments"]), body);
    rig.wire.set_fates(&[Fate::DropBefore]);
    assert_eq!(outcomes(&rig.apply()), [("createUserInvites", Outcome::Unsure)]);
    assert!(converged(&rig.apply()));
    assert_eq!(rig.world().mails, ["new@x.example"]);
    // Some days later it may have expired, or been accepted and the user removed. Nobody knows.
    let mut rig = Rig::new(with_teams(&["Payments"]), body);
    rig.wire.set_fates(&[Fate::DropBefore]);
    rig.apply();
    rig.now += jiff::SignedDuration::from_hours(72);
    assert_eq!(addresses(&rig.plan()), NOBODY);
    assert_eq!(
        held(&rig.plan(), "user/new@x.example"),
        [
            "blocked: The answer to the invitation of 2026-11-21 was lost, so the mail may have been sent. Ask the user, or use `--assert` to send another."
        ]
    );
    let plan = asserted(&rig, "user/new@x.example");
    assert_eq!(outcomes(&rig.apply_plan(&plan).unwrap()), [("createUserInvites", Outcome::Done)]);
}

/// The hub may treat two spellings of an address as two invitations.
#[test]
fn invitations_in_two_spellings_of_one_address_are_distinguished() {
    let mut world = with_teams(&["Payments"]);
    invitation(&mut world, "New@X.example", "ADMIN", &["Payments"]);
    invitation(&mut world, "new@x.example", "DEVELOPER", &["Payments"]);
    let mut rig = Rig::new(world, "users: [{ email: NEW@x.example, roles: [Developer], teams: [Payments] }]");
    let plan = rig.plan();
    assert_eq!(addresses(&plan), ["invitation/new@x.example#New@X.example"], "{:?}", holds(&plan));
    assert_eq!(plan.sealed.mutations[0].variables["input"]["emails"], serde_json::json!(["New@X.example"]));
    // This hub treats both as the same and cancels both, so the next run creates one.
    rig.apply();
    rig.apply();
    assert_eq!(invited(&rig.world()).len(), 1);
    assert_eq!(addresses(&rig.plan()), NOBODY);
}

/// The hub can't hold two invitations of one address, so the earlier one goes first, but only once everything else
/// that the new one needs is there.
#[test]
fn an_invitation_is_not_cancelled_for_one_that_can_not_be_sent() {
    let mut world = with_teams(&["Payments"]);
    invitation(&mut world, "new@x.example", "ADMIN", &["Payments"]);
    let body = "teams: [{ name: Search }]\nusers: [{ email: new@x.example, roles: [Developer], teams: [Search] }]";
    let mut rig = Rig::new(world, body);
    rig.wire.set_fates(&[Fate::Refuse]);
    let plan = rig.plan();
    let report = rig.apply_plan(&plan).unwrap();
    assert!(!report.all_done());
    assert_eq!(invited(&rig.world()).len(), 1, "{report:#?}");
    assert!(!rig.wire.mutations().iter().any(|sent| sent.operation_name == "DeleteUserInvites"), "{report:#?}");
    rig.apply();
    assert_eq!(addresses(&rig.plan()), NOBODY);
}

/// The role in the list may be null.
#[test]
fn an_invitation_with_an_unreadable_role_is_not_sent_again() {
    let mut world = with_teams(&["Payments"]);
    invitation(&mut world, "new@x.example", "DEVELOPER", &["Payments"]);
    let rig = Rig::new(world, "users: [{ email: new@x.example, roles: [Developer], teams: [Payments] }]");
    rig.wire.forge(|data| {
        let people = data.pointer_mut("/paginatedTeamUsersByOrganizationIdV2/data");
        for person in people.and_then(serde_json::Value::as_array_mut).into_iter().flatten() {
            person["role"] = serde_json::Value::Null;
        }
    });
    assert_eq!(addresses(&rig.plan()), NOBODY);
    assert_eq!(
        held(&rig.plan(), "user/new@x.example"),
        [format!(
            "blocked: The file says `DEVELOPER`, but the role of the invitation is `unreadable`. Manual step: {DASHBOARD}."
        )]
    );
}

/// The shrunken case of a law: an invitation to a team that the same plan deletes.
#[test]
fn an_invitation_is_never_made_anew_into_a_team_that_goes() {
    let mut world = with_teams(&["Payments", "Legacy"]);
    invitation(&mut world, "one@x.example", "ADMIN", &["Legacy"]);
    invitation(&mut world, "two@x.example", "ADMIN", &["Legacy", "Payments"]);
    let gone = "teams: [{ name: Legacy, absent: true }]";
    let found =
        findings(world.clone(), &format!("{gone}\nusers: [{{ email: one@x.example, roles: [Developer] }}]"));
    assert_eq!((found.len(), found[0].code), (1, Code::IncompleteInvitation));
    assert!(found[0].message.contains("this file deletes all of its teams"), "{}", found[0].message);
    // An invitation that matches the file stays as it is.
    let as_is = format!("{gone}\nusers: [{{ email: one@x.example, roles: [Organization Admin] }}]");
    assert_eq!(addresses(&Rig::new(world.clone(), &as_is).plan()), ["team/Legacy"]);
    let body = format!(
        "acknowledged: [user/one@x.example]\n{gone}\nusers: [{{ email: two@x.example, roles: [Developer] }}]"
    );
    let mut rig = Rig::new(world, &body);
    let report = rig.apply();
    assert!(converged(&report), "{report:#?}");
    let two = ("two@x.example".to_owned(), "DEVELOPER".to_owned(), vec!["Payments".to_owned()]);
    assert!(invited(&rig.world()).contains(&two), "{:?}", invited(&rig.world()));
}

/// The shrunken case of a law: the file gives no roles for a user, so they get those of the cancelled invitation.
#[test]
fn an_invitation_that_was_taken_back_is_made_anew_as_it_was_where_the_file_says_no_roles() {
    for fate in [Fate::KillAfter, Fate::KillBefore] {
        let mut world = with_teams(&["Payments", "Legacy"]);
        invitation(&mut world, "one@x.example", "ADMIN", &["Legacy"]);
        let mut rig = Rig::new(world, "users: [{ email: one@x.example, teams: [Payments] }]");
        let plan = rig.plan();
        rig.wire.set_fates(&[Fate::Fine, fate]);
        assert!(rig.apply_plan(&plan).is_none());
        rig.wire.set_fates(&[]);
        rig.apply();
        let one = ("one@x.example".to_owned(), "ADMIN".to_owned(), vec!["Payments".to_owned()]);
        assert_eq!(invited(&rig.world()), [one], "{fate:?}");
        assert_eq!(addresses(&rig.plan()), NOBODY);
    }
}

/// The shrunken case of a law: the file gives no teams for a user, so they get those of the cancelled invitation,
/// however the run in between ended.
#[test]
fn an_invitation_that_was_taken_back_is_made_anew_into_its_teams_by_a_later_run() {
    let refused = Fate::Ignored(200, r#"{"errors":[{"message":"no seats"}],"data":{"createUserInvites":null}}"#);
    for fates in [&[Fate::KillAfter][..], &[Fate::Fine, Fate::KillBefore], &[Fate::Fine, refused]] {
        let mut world = with_teams(&["Payments", "Legacy"]);
        invitation(&mut world, "one@x.example", "ADMIN", &["Legacy", "Payments"]);
        let mut rig = Rig::new(world, "users: [{ email: one@x.example, roles: [Developer] }]");
        let plan = rig.plan();
        rig.wire.set_fates(fates);
        let _ = rig.apply_plan(&plan);
        rig.wire.set_fates(&[]);
        assert!(invited(&rig.world()).is_empty(), "{fates:?}");
        // The team that somebody else deletes in the meantime is left out.
        let legacy = crate::support::rapidapi::team(&rig.world(), "Legacy");
        rig.world().organizations[0].teams.iter_mut().find(|it| it.id == legacy).unwrap().deleted = true;
        let report = rig.apply();
        assert!(converged(&report), "{fates:?} {report:#?}");
        let one = ("one@x.example".to_owned(), "DEVELOPER".to_owned(), vec!["Payments".to_owned()]);
        assert_eq!(invited(&rig.world()), [one], "{fates:?}");
        assert_eq!(addresses(&rig.plan()), NOBODY);
        assert_eq!(rig.world().mails.len(), 1);
    }
}
