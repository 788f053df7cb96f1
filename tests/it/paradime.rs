//! Stories of a Paradime workspace. Each tests something that users rely on.

use std::collections::BTreeSet;

use crate::support::cli::{Env, Server, example};
use crate::support::paradime::{HEAD, OWNER, Rig, disabled, invitation, uid, user, world};
use crate::support::rig::{Fate, addresses, desired, holds, now};
use rolecall_engine::apply::{FinalState, Report, record_observed};
use rolecall_graphql::{CallError, Context};
use rolecall_model::{
    Address, Code, Completeness, Effect, Finding, HoldClass, OrganizationPlan, Outcome, ProviderName,
};
use rolecall_providers::{ReadError, Secrets};
use rolecall_sandbox::paradime::{
    DisabledUsers, EmailCase, InviteAgain, InviteDisabled, Refusal, UserStatus, World,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

const ENABLE: &str =
    "in the web app, Account Settings > Team, the Disabled tab: Edit, the menu beside the user, Enable user, Save";

const LOOK: &str = "in the web app, Account Settings > Team, the Disabled tab";

const CAPABILITY: &str = "Check that the credential has the capability User management admin.";

/// Returns the operations that were sent, with their variables.
fn sent(rig: &Rig) -> Vec<(&'static str, Value)> {
    rig.wire.mutations().into_iter().map(|request| (request.operation_name, request.variables)).collect()
}

fn asserted(rig: &Rig, address: &str) -> OrganizationPlan {
    let asserted: BTreeSet<Address> = BTreeSet::from([address.parse().unwrap()]);
    rig.plan_from(&rig.read().unwrap(), &asserted, None).unwrap()
}

/// Updates the ledger from what was read, as an apply does before it plans.
fn ledger_updates(rig: &mut Rig) {
    let live = rig.read().unwrap();
    record_observed(&live, rolecall_providers::rules(ProviderName::Paradime), &mut rig.ledger, "run-x", now())
        .unwrap();
}

fn with(people: &[(&str, &str)]) -> World {
    let mut world = world();
    for (email, account_type) in people {
        user(&mut world, email, account_type);
    }
    world
}

fn effects(plan: &OrganizationPlan) -> Vec<Effect> {
    plan.sealed.changes.iter().flat_map(|change| change.effects.clone()).collect()
}

fn only_step(report: &Report) -> (Outcome, String) {
    let [step] = &report.steps[..] else { panic!("{report:#?}") };
    (step.outcome, step.message.clone().unwrap_or_default())
}

fn findings(world: World, body: &str) -> Vec<Finding> {
    Rig::new(world, body).try_plan().err().unwrap_or_default()
}

// ---- reading

#[test]
fn a_read_is_one_request_whatever_the_size_and_an_apply_one_for_each_mutation() {
    let mut world = world();
    for index in 0..2_000 {
        user(&mut world, &format!("u{index}@x.example"), "DEVELOPER");
        invitation(&mut world, &format!("i{index}@x.example"), "BUSINESS", "SENT");
    }
    let mut rig = Rig::new(
        world,
        "users: [{ email: u1@x.example, absent: true }, { email: u2@x.example, roles: [BUSINESS] }, { email: new@x.example, roles: [BUSINESS] }]",
    );
    let live = rig.read().unwrap();
    assert_eq!((live.users.items.len(), live.invitations().len(), live.requests), (2_001, 2_000, 1));
    assert_eq!(rig.wire.sent().len(), 1);
    let plan = rig.plan();
    let before = rig.wire.sent().len();
    rig.apply_plan(&plan).unwrap();
    let operations: Vec<_> = rig.wire.sent()[before..].iter().map(|request| request.operation_name).collect();
    // The first read is the rig's, because the program reads before it plans.
    assert_eq!(operations, ["ListUsers", "InviteUser", "DisableUser", "UpdateUserAccountType", "ListUsers"]);
}

#[test]
fn every_status_but_one_is_an_invitation_that_can_be_accepted() {
    let mut world = world();
    for (index, status) in ["SENT", "ACTIVE", "EXPIRED", "expired", "NEVER_HEARD_OF"].iter().enumerate() {
        invitation(&mut world, &format!("i{index}@x.example"), "BUSINESS", status);
    }
    let live = Rig::new(world, "").read().unwrap();
    let open: Vec<_> = live.open_invitations().map(|invitation| invitation.email.to_string()).collect();
    assert_eq!(open, ["i0@x.example", "i1@x.example", "i3@x.example", "i4@x.example"]);
}

#[test]
fn completeness_is_assumed_and_a_list_that_can_not_be_right_is_broken() {
    let completeness = |world: World| Rig::new(world, "").read().unwrap().users.completeness;
    assert!(matches!(completeness(world()), Completeness::Assumed { .. }));
    let mut twice = world();
    user(&mut twice, OWNER, "BUSINESS");
    assert!(completeness(twice).is_incomplete());
    let mut nobody = world();
    nobody.users.clear();
    assert!(completeness(nobody.clone()).is_incomplete());
    let rig = Rig::new(nobody, "users: [{ email: new@x.example, roles: [ADMIN] }]");
    // The list is incomplete also if the owner isn't expected in it.
    assert_eq!(addresses(&rig.plan()), Vec::<String>::new());
    assert!(holds(&rig.plan())[0].contains("The list of users is incomplete: the platform lists no user"));
}

/// Contradictory rows prove nothing: nobody is treated as gone or invited because of them.
#[test]
fn somebody_who_is_listed_in_two_ways_is_left_alone_in_any_order() {
    let plan = |one: &str, other: &str| {
        let mut world = with(&[("a@x.example", one), ("a@x.example", other), ("b@x.example", "BUSINESS")]);
        world.users.rotate_left(1);
        Rig::new(
            world,
            "users: [{ email: a@x.example, roles: [DEVELOPER] }, { email: b@x.example, roles: [DEVELOPER] }]",
        )
        .plan()
    };
    let (there, back) = (plan("ADMIN", "BUSINESS"), plan("BUSINESS", "ADMIN"));
    assert_eq!(there.seal, back.seal);
    assert_eq!(addresses(&there), ["user/b@x.example"]);
    assert!(holds(&there)[0].starts_with("user/a@x.example blocked: The list of users is incomplete"));
}

#[test]
fn half_answers_are_errors() {
    type Forgery = fn(&mut Value);
    let cases: Vec<(Forgery, &str)> = vec![
        (|data| data["listUsers"] = Value::Null, "`listUsers`"),
        (|data| data["listUsers"]["ok"] = json!(false), "`ok` isn't true"),
        (|data| data["listUsers"]["ok"] = Value::Null, "`ok` isn't true"),
        (|data| data["listUsers"]["activeUsers"] = Value::Null, "`listUsers.activeUsers`"),
        (|data| data["listUsers"]["invitedUsers"] = Value::Null, "`listUsers.invitedUsers`"),
        (|data| data["listUsers"]["activeUsers"] = json!({}), "data.listUsers.activeUsers"),
        (|data| *data = Value::Null, "neither data nor errors"),
    ];
    for (forgery, said) in cases {
        let mut world = world();
        invitation(&mut world, "new@x.example", "BUSINESS", "SENT");
        let rig = Rig::new(world, "");
        rig.wire.forge(forgery);
        let error = rig.read().unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

/// A file can't name such a user. Everybody else is planned.
#[test]
fn a_row_that_can_not_be_read_is_shown_and_hides_nobody_else() {
    type Forgery = fn(&mut Value);
    let cases: Vec<(Forgery, &str)> = vec![
        (
            |row| row["email"] = Value::Null,
            "user/#UID ignored: The platform lists it in a form that can't be read: `email` is missing.",
        ),
        (|row| row["email"] = json!(" "), "user/#UID ignored: "),
        (|row| row["email"] = json!("x y@z"), "user/x y@z#UID ignored: "),
        (|row| row["uid"] = Value::Null, "user/robot@x.example ignored: "),
        (|row| row["accountType"] = json!(7), "user/robot@x.example#UID ignored: "),
        (|row| *row = Value::Null, "user/#nameless-1 ignored: "),
    ];
    let body =
        "users: [{ email: sam@x.example, roles: [BUSINESS] }, { email: fresh@x.example, roles: [DEVELOPER] }]";
    for (forgery, said) in cases {
        let world = with(&[("robot@x.example", "DEVELOPER"), ("sam@x.example", "DEVELOPER")]);
        let uid = world.users.iter().find(|user| user.email == "robot@x.example").unwrap().uid.clone();
        let mut rig = Rig::new(world, body);
        rig.wire.forge(move |data| {
            for row in data["listUsers"]["activeUsers"].as_array_mut().into_iter().flatten() {
                if row["email"] == "robot@x.example" {
                    forgery(row);
                }
            }
        });
        let said = said.replace("UID", &uid);
        if let Some((row, _)) = said.split_once(' ').filter(|_| said.starts_with("user/#")) {
            // It may be the row of anybody, so nobody is invited unless the file says that it is known.
            let plan = rig.plan();
            assert_eq!(addresses(&plan), ["user/sam@x.example"], "{said}");
            let held =
                format!("user/fresh@x.example blocked: The list of users is incomplete: {row} has no address");
            assert!(holds(&plan).iter().any(|hold| hold.starts_with(&held)), "{:?}", holds(&plan));
            rig.set_file(&format!("acknowledged: [\"{row}\"]\n{body}"));
        }
        let plan = rig.plan();
        assert_eq!(addresses(&plan), ["user/fresh@x.example", "user/sam@x.example"], "{said}");
        assert!(holds(&plan).iter().any(|hold| hold.starts_with(&said)), "{said} {:?}", holds(&plan));
        rig.set_file(&format!("manage: {{ users: all }}\n{body}"));
        let said = said.replace("ignored: ", "blocked: ");
        assert!(holds(&rig.plan()).iter().any(|hold| hold.starts_with(said.trim_end_matches('.'))));
    }
}

/// What the file says about somebody whose row can't be read isn't planned: they aren't invited again.
#[test]
fn nothing_is_planned_for_somebody_whose_own_row_can_not_be_read() {
    let mut world = with(&[("sam@x.example", "DEVELOPER")]);
    invitation(&mut world, "new@x.example", "BUSINESS", "SENT");
    let rig = Rig::new(
        world,
        "users: [{ email: sam@x.example, roles: [BUSINESS] }, { email: new@x.example, roles: [BUSINESS] }]",
    );
    rig.wire.forge(|data| {
        for list in ["activeUsers", "invitedUsers"] {
            for row in data["listUsers"][list].as_array_mut().into_iter().flatten() {
                if row["email"] == "sam@x.example" || row["email"] == "new@x.example" {
                    row["accountType"] = Value::Null;
                }
            }
        }
    });
    let plan = rig.plan();
    assert!(plan.sealed.mutations.is_empty(), "{:?}", addresses(&plan));
    let blocked =
        holds(&plan).into_iter().filter(|hold| hold.contains("blocked: The platform lists it in a form"));
    assert_eq!(blocked.count(), 2, "{:?}", holds(&plan));
}

/// Their row can't be read after the change, so nobody knows whether they are disabled.
#[test]
fn somebody_whose_row_can_not_be_read_any_more_is_not_taken_for_disabled() {
    let mut rig =
        Rig::new(with(&[("sam@x.example", "DEVELOPER")]), "users: [{ email: sam@x.example, absent: true }]");
    let plan = rig.plan();
    rig.wire.set_fates(&[Fate::DropBefore]);
    rig.wire.forge(|data| {
        for row in data["listUsers"]["activeUsers"].as_array_mut().into_iter().flatten() {
            if row["email"] == "sam@x.example" {
                row["email"] = Value::Null;
            }
        }
    });
    let report = rig.apply_plan(&plan).unwrap();
    assert!(report.steps.iter().all(|step| step.outcome != Outcome::Done), "{report:#?}");
}

#[test]
fn a_refused_credential_is_distinguished_from_a_failing_platform() {
    for how in ["http401", "http403", "errors"] {
        let mut world = world();
        world.credentials.clear();
        let rig = Rig::new(world, "");
        rolecall_sandbox::AnySandbox::set(&*rig.sandbox, &[format!("auth-refusal={how}")]).unwrap();
        let ReadError::Call { error, .. } = rig.read().unwrap_err() else { panic!("{how}") };
        // The words alone don't distinguish it from another refusal.
        assert_eq!(matches!(error, CallError::CredentialRefused(_)), how != "errors", "{error}");
        assert_eq!(matches!(error, CallError::GraphQl(_)), how == "errors", "{error}");
    }
}

/// Only written values are validated, because Paradime has added roles before. Nobody knows what a newer role allows, so
/// it is only taken from a user who must have no access.
#[test]
fn an_account_type_that_came_later_is_kept_and_counts_as_privileged() {
    let world = with(&[("a@x.example", "OVERLORD"), ("b@x.example", "OVERLORD"), ("c@x.example", "OVERLORD")]);
    let rig = Rig::new(world, "users: [{ email: a@x.example }, { email: b@x.example, roles: [BUSINESS] }]");
    let plan = rig.plan();
    assert_eq!(addresses(&plan), Vec::<String>::new());
    let newer = "user/b@x.example blocked: Its role is `OVERLORD`, which this version of rolecall doesn't know. So rolecall doesn't change it. Update rolecall, or use `--assert` to change it all the same.";
    assert!(holds(&plan).iter().any(|hold| hold == newer), "{:?}", holds(&plan));
    let asserted = BTreeSet::from(["user/b@x.example".parse().unwrap()]);
    let asserted = rig.plan_from(&rig.read().unwrap(), &asserted, None).unwrap();
    assert_eq!(
        (addresses(&asserted), effects(&asserted)),
        (vec!["user/b@x.example".to_owned()], vec![unknown_seat()])
    );
    let mut leaves = Rig::new(rig.world().clone(), "users: [{ email: b@x.example, absent: true }]");
    assert!(leaves.apply().all_done());
    assert!(
        holds(&plan).iter().any(
            |hold| hold.starts_with("user/c@x.example blocked: Not in the file, and gives privileged access.")
        )
    );
}

// ---- who is invited

#[test]
fn a_missing_user_is_invited_with_all_that_this_may_mean() {
    let rig = Rig::new(world(), "users: [{ email: New@x.example, roles: [ANALYST] }]");
    let plan = rig.plan();
    assert_eq!(effects(&plan), [Effect::SendsMail, Effect::MayReadmit, billed_seat(), needs_pack(),]);
    let variables = serde_json::to_value(&plan.sealed.mutations[0].variables).unwrap();
    assert_eq!(variables, json!({ "email": "New@x.example", "accountType": "ANALYST" }));
}

/// A user whom somebody disabled must not prevent a plan for everybody else.
#[test]
fn a_user_without_an_account_type_is_not_invited_but_held() {
    let mut world = with(&[("a@x.example", "ADMIN")]);
    disabled(&mut world, "new@x.example", "BUSINESS");
    let rig = Rig::new(world, "users: [{ email: new@x.example }, { email: a@x.example, absent: true }]");
    assert_eq!(addresses(&rig.plan()), ["user/a@x.example"]);
    assert_eq!(
        holds(&rig.plan())[0],
        format!(
            "user/new@x.example blocked: The user doesn't exist, and an invitation also needs: `roles`. Add it to the file. If the user was disabled, enable them manually: {ENABLE}."
        )
    );
}

#[test]
fn an_invitation_that_is_sent_again_says_what_it_said_where_the_file_says_nothing() {
    let mut world = world();
    world.switches.invite_expired = InviteAgain::Replaced;
    invitation(&mut world, "old@x.example", "ANALYST", "EXPIRED");
    let mut rig = Rig::new(world, "reinvite_expired: true\nusers: [{ email: old@x.example }]");
    rig.apply();
    assert_eq!(sent(&rig), [("InviteUser", json!({ "email": "old@x.example", "accountType": "ANALYST" }))]);
    assert_eq!(addresses(&rig.plan()), Vec::<String>::new());
}

/// An invitation that is sent again with its first account type isn't what the file asks for.
#[test]
fn an_invitation_that_is_sent_again_as_it_was_waits_for_a_person() {
    for how in [InviteAgain::Resent, InviteAgain::OkIgnored] {
        let mut world = world();
        world.switches.invite_expired = how;
        invitation(&mut world, "old@x.example", "ADMIN", "EXPIRED");
        let mut rig =
            Rig::new(world, "reinvite_expired: true\nusers: [{ email: old@x.example, roles: [BUSINESS] }]");
        assert_eq!(only_step(&rig.apply()).0, Outcome::NotTaken);
        assert_eq!(addresses(&rig.plan()), Vec::<String>::new(), "{how:?}");
        // The mail may have been sent. If the invitation disappears, it therefore isn't sent again.
        ledger_updates(&mut rig);
        rig.world().invitations.clear();
        if how == InviteAgain::Resent {
            assert_eq!(addresses(&rig.plan()), Vec::<String>::new());
        }
    }
}

#[test]
fn an_invited_person_with_the_right_account_type_is_in_sync() {
    let mut rig = Rig::new(world(), "users: [{ email: New@x.example, roles: [BUSINESS] }]");
    let report = rig.apply();
    assert!(matches!(report.final_state, FinalState::InSync { .. }), "{report:#?}");
    let plan = rig.plan();
    assert_eq!(addresses(&plan), Vec::<String>::new());
    assert_eq!(
        holds(&plan)[0],
        "user/new@x.example waiting: Invited on 2026-11-21. The user has not accepted yet."
    );
    assert!(rig.world().accept("new@x.example"));
    assert!(holds(&rig.plan()).iter().all(|hold| !hold.starts_with("user/new@")));
    // Somebody else invited them, so the date isn't known.
    let mut world = world();
    invitation(&mut world, "NEW@x.example", "BUSINESS", "ACTIVE");
    let plan = Rig::new(world, "users: [{ email: new@x.example, roles: [BUSINESS] }]").plan();
    assert_eq!(holds(&plan)[0], "user/new@x.example waiting: Invited. The user has not accepted yet.");
}

/// No call changes an invitation, so none is sent to somebody with a pending one, not even with `--assert`.
#[test]
fn an_invitation_with_another_account_type_waits_for_a_person() {
    let mut world = world();
    invitation(&mut world, "new@x.example", "ADMIN", "SENT");
    let mut rig = Rig::new(world, "users: [{ email: new@x.example, roles: [BUSINESS] }]");
    for plan in [rig.plan(), asserted(&rig, "user/new@x.example")] {
        assert_eq!(addresses(&plan), Vec::<String>::new());
        assert_eq!(
            holds(&plan)[0],
            "user/new@x.example blocked: The file says `BUSINESS`, but the role of the invitation is `ADMIN`. Manual step: change the invitation in the web app, Account Settings > Team, among the pending users, or apply again once the user has signed up."
        );
    }
    rig.world().accept("new@x.example");
    rig.apply();
    assert_eq!(rig.world().user("new@x.example").unwrap().account_type, "BUSINESS");
}

#[test]
fn an_invitation_that_ran_out_is_sent_again_only_where_the_file_says_so() {
    let mut world = world();
    world.switches.invite_expired = InviteAgain::Replaced;
    invitation(&mut world, "old@x.example", "ADMIN", "EXPIRED");
    let body = "users: [{ email: old@x.example, roles: [BUSINESS] }]";
    let mut rig = Rig::new(world, body);
    assert_eq!(
        holds(&rig.plan())[0],
        "user/old@x.example blocked: The invitation has expired. Set `reinvite_expired: true` in the file to send another, or send it manually: in the web app, Account Settings > Team, among the pending users."
    );
    rig.set_file(&format!("reinvite_expired: true\n{body}"));
    let report = rig.apply();
    assert_eq!(only_step(&report).0, Outcome::Done);
    assert_eq!(rig.world().mails, ["old@x.example"]);
    assert_eq!(rig.world().invitation("old@x.example").unwrap().account_type, "BUSINESS");
    assert_eq!(addresses(&rig.plan()), Vec::<String>::new());
}

#[test]
fn an_invitation_that_can_not_be_sent_again_says_where_a_person_can() {
    let mut world = world();
    invitation(&mut world, "old@x.example", "BUSINESS", "EXPIRED");
    let body = "reinvite_expired: true\nusers: [{ email: old@x.example, roles: [ANALYST] }]";
    let (outcome, message) = only_step(&Rig::new(world, body).apply());
    assert_eq!(outcome, Outcome::Failed);
    assert!(message.contains("the invitation has expired"), "{message}");
    assert!(
        message.ends_with(
            "nothing was changed. Next: Send the invitation again in the web app, Account Settings > Team, among the pending users. The role `ANALYST` needs the Security pack. Check that the credential has the capability User management admin."
        ),
        "{message}"
    );
}

/// The platform may list the expired invitation beside the one that replaced it.
#[test]
fn an_open_invitation_counts_and_not_the_one_that_ran_out_beside_it() {
    let mut world = world();
    invitation(&mut world, "old@x.example", "ADMIN", "EXPIRED");
    invitation(&mut world, "old@x.example", "BUSINESS", "SENT");
    let rig = Rig::new(world, "reinvite_expired: true\nusers: [{ email: old@x.example, roles: [BUSINESS] }]");
    assert_eq!(addresses(&rig.plan()), Vec::<String>::new());
    assert!(holds(&rig.plan())[0].contains("waiting: Invited. The user has not accepted yet."));
}

#[test]
fn an_invitation_that_is_not_wanted_is_left_to_a_person_and_undone_once_accepted() {
    let mut world = world();
    invitation(&mut world, "a@x.example", "ADMIN", "SENT");
    invitation(&mut world, "b@x.example", "ADMIN", "SENT");
    invitation(&mut world, "c@x.example", "ADMIN", "EXPIRED");
    let head = "manage: { users: all }\nguardrails: { min_admins: 0 }";
    let mut rig =
        Rig::new(world, &format!("{head}\nusers: [{{ email: {OWNER} }}, {{ email: a@x.example, absent: true }}]"));
    let plan = rig.plan();
    assert_eq!(addresses(&plan), Vec::<String>::new());
    for email in ["a@x.example", "b@x.example"] {
        assert!(
            holds(&plan).contains(&format!("invitation/{email} blocked: The user must be removed and was invited, and the API can't cancel the invitation. Cancel it manually: in the web app, Account Settings > Team, among the pending users. If the user accepts first, the next apply removes them.")),
            "{:?}",
            holds(&plan)
        );
    }
    assert!(holds(&plan).contains(
        &"invitation/c@x.example ignored: The file doesn't ask for this invitation. It has expired and gives no access, so nothing needs to be done.".to_owned()
    ));
    for email in ["a@x.example", "b@x.example"] {
        assert!(rig.world().accept(email));
    }
    rig.apply();
    let active: Vec<String> = rig
        .world()
        .users
        .iter()
        .filter(|user| user.status == UserStatus::Active)
        .map(|user| user.email.clone())
        .collect();
    assert_eq!(active, [OWNER]);
}

#[test]
fn where_only_the_listed_are_managed_other_invitations_are_left_alone() {
    let mut world = world();
    invitation(&mut world, "a@x.example", "ADMIN", "SENT");
    invitation(&mut world, "b@x.example", "BUSINESS", "EXPIRED");
    let plan = Rig::new(world, "").plan();
    assert!(holds(&plan).iter().any(|hold| {
        hold.starts_with("invitation/a@x.example blocked: Not in the file, and gives privileged access.")
    }));
    assert!(holds(&plan).contains(&"invitation/b@x.example ignored: Not in the file.".to_owned()));
}

/// Accepting the invitation would give the user its account type.
#[test]
fn an_invitation_of_somebody_who_is_in_already_waits_for_a_person() {
    let beside = |role: &str, fields: &str| {
        let mut world = with(&[("a@x.example", "DEVELOPER")]);
        invitation(&mut world, "A@x.example", role, "SENT");
        let plan = Rig::new(world, &format!("users: [{{ email: a@x.example, {fields} }}]")).plan();
        let hold = plan.sealed.holds.iter().find(|hold| hold.address.to_string() == "invitation/a@x.example");
        let hold = hold.unwrap_or_else(|| panic!("{:?}", holds(&plan)));
        (hold.class, hold.reason.to_string())
    };
    let (class, said) = beside("ADMIN", "roles: [DEVELOPER]");
    assert_eq!(class, HoldClass::Blocked);
    assert!(
        said.starts_with("The user is already a member, but an invitation with the role `ADMIN` is still open"),
        "{said}"
    );
    // An invitation that gives no more access blocks nothing.
    assert_eq!(beside("BUSINESS", "roles: [DEVELOPER]").0, HoldClass::Ignored);
    let (class, said) = beside("BUSINESS", "absent: true");
    assert_eq!(class, HoldClass::Blocked);
    assert!(said.starts_with("The user must be removed and was invited"), "{said}");
}

// ---- addresses

/// The lower case of the Kelvin sign is the letter k.
#[test]
fn what_only_looks_like_an_address_is_another() {
    let mut world = world();
    user(&mut world, "mar\u{212a}@x.example", "BUSINESS");
    let plan = Rig::new(world, "users: [{ email: mark@x.example, roles: [ADMIN] }]").plan();
    assert_eq!(plan.sealed.mutations[0].operation, "inviteUser");
}

#[test]
fn addresses_are_compared_without_case_and_nobody_is_invited_for_a_capital() {
    for case in [EmailCase::Sensitive, EmailCase::Insensitive] {
        let mut world = with(&[("Jane.Doe@X.example", "BUSINESS")]);
        world.switches.email_case = case;
        let mut rig = Rig::new(world, "users: [{ email: jane.doe@x.EXAMPLE, roles: [DEVELOPER] }]");
        rig.apply();
        assert_eq!(
            sent(&rig),
            [("UpdateUserAccountType", json!({ "uid": uid("Jane.Doe@X.example"), "accountType": "DEVELOPER" }))]
        );
        assert_eq!(addresses(&rig.plan()), Vec::<String>::new());
    }
}

#[test]
fn users_whose_addresses_differ_only_in_case_are_distinguished_by_uid() {
    let namesakes = || with(&[("jane@x.example", "BUSINESS"), ("Jane@x.example", "ADMIN")]);
    let found = findings(namesakes(), "users: [{ email: jane@x.example, roles: [BUSINESS] }]");
    assert_eq!(found[0].code, Code::AmbiguousUser);
    let id = uid("Jane@x.example");
    let rig = Rig::new(
        namesakes(),
        &format!(
            "users: [{{ email: jane@x.example, id: {id}, roles: [DEVELOPER] }}, {{ email: jane@x.example, id: {} }}]",
            uid("jane@x.example")
        ),
    );
    assert_eq!(addresses(&rig.plan()), [format!("user/jane@x.example#{id}")]);
    let found = findings(
        with(&[("jane@x.example", "BUSINESS")]),
        &format!(
            "users: [{{ email: jane@x.example, id: {} }}, {{ email: jane@x.example }}]",
            uid("jane@x.example")
        ),
    );
    assert_eq!(found[0].code, Code::DuplicateUser);
    // A user who must be removed must not get in with any of their accounts.
    let mut rig = Rig::new(namesakes(), "users: [{ email: jane@x.example, absent: true }]");
    rig.apply();
    assert_eq!(rig.world().usable_admins(), 1);
    assert_eq!(sent(&rig).len(), 2);
    assert_eq!(addresses(&rig.plan()), Vec::<String>::new());
    rig.set_file("users: [{ email: jane@x.example, roles: [BUSINESS] }]");
    assert!(holds(&rig.plan())[0].contains("rolecall disabled the user on 2026-11-21"));
}

// ---- account types

fn billed_seat() -> Effect {
    Effect::platform_warning("billed-seat", "takes a billed seat")
}

fn unknown_seat() -> Effect {
    Effect::platform("unknown-seat", "may need another kind of seat")
}

fn needs_pack() -> Effect {
    Effect::platform("needs-plan", "needs the Security pack")
}

#[test]
fn a_change_between_billed_and_unbilled_seats_is_marked() {
    let change = |from: &str, to: &str| {
        let rig =
            Rig::new(with(&[("a@x.example", from)]), &format!("users: [{{ email: a@x.example, roles: [{to}] }}]"));
        effects(&rig.plan())
    };
    let unbilled = || Effect::platform_warning("unbilled-seat", "frees a billed seat");
    assert_eq!(change("BUSINESS", "DEVELOPER"), [billed_seat()]);
    assert_eq!(change("DEVELOPER", "BUSINESS"), [unbilled()]);
    assert_eq!(change("ADMIN", "DEVELOPER"), []);
    assert_eq!(change("ADMIN", "BILLING_ADMIN"), [unbilled(), needs_pack()]);
    assert_eq!(change("BUSINESS", "SECURITY_ADMIN"), [needs_pack()]);
    assert_eq!(change("SECURITY_ADMIN", "WORKSPACE_ADMIN"), [billed_seat(), needs_pack()]);
    assert_eq!(change("BUSINESS", "SANDBOX_USER"), [unknown_seat()]);
}

#[test]
fn widening_goes_out_before_narrowing() {
    let people = [
        ("a@x.example", "DEVELOPER"),
        ("b@x.example", "BUSINESS"),
        ("c@x.example", "ANALYST"),
        ("d@x.example", "WORKSPACE_ADMIN"),
    ];
    let mut rig = Rig::new(
        with(&people),
        "users: [{ email: a@x.example, roles: [BUSINESS] }, { email: b@x.example, roles: [ANALYST] }, { email: c@x.example, roles: [DEVELOPER] }, { email: d@x.example, roles: [SECURITY_ADMIN] }]",
    );
    rig.apply();
    let order: Vec<Value> = sent(&rig).into_iter().map(|(_, variables)| variables["uid"].clone()).collect();
    assert_eq!(order, ["b@x.example", "c@x.example", "a@x.example", "d@x.example"].map(|email| json!(uid(email))));
}

#[test]
fn nobody_loses_admin_before_their_successor_is_seen_to_have_it() {
    let mut rig = Rig::new(
        with(&[("old@x.example", "ADMIN"), ("next@x.example", "DEVELOPER")]),
        "guardrails: { min_admins: 2 }\nusers: [{ email: next@x.example, roles: [ADMIN] }, { email: old@x.example, absent: true }]",
    );
    rig.wire.set_fates(&[Fate::Ignored(200, r#"{"data":{"updateUserAccountType":{"ok":true}}}"#)]);
    let report = rig.apply();
    assert_eq!(
        report.steps.iter().map(|step| step.outcome).collect::<Vec<_>>(),
        [Outcome::NotTaken, Outcome::Skipped],
        "{report:#?}"
    );
    assert_eq!(rig.world().usable_admins(), 2);
}

#[test]
fn a_plan_that_leaves_too_few_admins_is_refused() {
    let rig = Rig::new(
        with(&[("a@x.example", "ADMIN")]),
        "guardrails: { min_admins: 2 }\nusers: [{ email: a@x.example, roles: [WORKSPACE_ADMIN] }]",
    );
    assert_eq!(rig.plan().refusals[0].guardrail.as_str(), "min_admins");
}

// ---- disabled users

#[test]
fn a_user_we_disabled_is_not_invited_but_enabled_by_a_person() {
    let absent = "users: [{ email: left@x.example, absent: true }]";
    let back = "users: [{ email: left@x.example, roles: [BUSINESS] }]";
    let mut rig = Rig::new(with(&[("left@x.example", "BUSINESS")]), absent);
    let report = rig.apply();
    assert!(matches!(report.final_state, FinalState::InSync { .. }), "{report:#?}");
    assert_eq!(addresses(&rig.plan()), Vec::<String>::new());
    rig.set_file(back);
    let plan = rig.plan();
    assert_eq!(addresses(&plan), Vec::<String>::new());
    assert_eq!(
        holds(&plan)[0],
        format!(
            "user/left@x.example blocked: rolecall disabled the user on 2026-11-21, and the API can't enable users. Enable them manually: {ENABLE}."
        )
    );
    // With `--assert` they are invited nevertheless.
    let plan = asserted(&rig, "user/left@x.example");
    assert_eq!(addresses(&plan), ["user/left@x.example"]);
    assert!(effects(&plan).contains(&Effect::MayReadmit));
    // Somebody enables them in the web app. Live shows that, so the ledger's entry no longer matters.
    rig.world().user_mut("left@x.example").unwrap().status = UserStatus::Active;
    assert!(holds(&rig.plan()).iter().all(|hold| !hold.starts_with("user/left@")));
    ledger_updates(&mut rig);
    // Somebody else disables them, which the API doesn't show.
    rig.world().user_mut("left@x.example").unwrap().status = UserStatus::Disabled;
    assert!(effects(&rig.plan()).contains(&Effect::MayReadmit));
    rig.world().user_mut("left@x.example").unwrap().status = UserStatus::Active;
    rig.set_file(absent);
    rig.apply();
    assert_eq!(rig.world().user("left@x.example").unwrap().status, UserStatus::Disabled);
    assert_eq!(sent(&rig).len(), 2);
}

#[test]
fn a_stranger_may_be_a_disabled_person_and_a_refusal_says_where_to_let_them_in() {
    let body = "users: [{ email: gone@x.example, roles: [BUSINESS] }]";
    for (switch, outcome) in [
        (InviteDisabled::Refused, Outcome::Failed),
        (InviteDisabled::Readmits, Outcome::Done),
        (InviteDisabled::Invited, Outcome::Done),
    ] {
        for how in [Refusal::Errors, Refusal::OkFalse] {
            let mut world = world();
            disabled(&mut world, "gone@x.example", "ADMIN");
            (world.switches.invite_disabled, world.switches.refusal) = (switch, how);
            let mut rig = Rig::new(world, body);
            let (became, message) = only_step(&rig.apply());
            assert_eq!(became, outcome, "{switch:?} {how:?}");
            if outcome == Outcome::Failed {
                assert!(
                    message
                        .ends_with(&format!("Next: If the user is disabled, enable them {ENABLE}. {CAPABILITY}"))
                );
            } else {
                assert_eq!(addresses(&rig.plan()), Vec::<String>::new());
            }
        }
    }
}

/// A user who accepted our invitation and is gone was removed by somebody else.
#[test]
fn a_former_member_is_invited_only_with_assert() {
    let mut rig = Rig::new(world(), "users: [{ email: new@x.example, roles: [BUSINESS] }]");
    rig.apply();
    rig.world().accept("new@x.example");
    ledger_updates(&mut rig);
    rig.world().user_mut("new@x.example").unwrap().status = UserStatus::Disabled;
    assert!(holds(&rig.plan())[0].contains("accepted the invitation of 2026-11-21 and is no longer a member"));
    assert_eq!(addresses(&asserted(&rig, "user/new@x.example")), ["user/new@x.example"]);
}

/// An old, expired invitation in the list says nothing about what came after it.
#[test]
fn a_former_member_is_not_invited_because_of_an_old_invitation() {
    let mut rig =
        Rig::new(world(), "reinvite_expired: true\nusers: [{ email: new@x.example, roles: [BUSINESS] }]");
    rig.apply();
    rig.world().accept("new@x.example");
    ledger_updates(&mut rig);
    rig.world().user_mut("new@x.example").unwrap().status = UserStatus::Disabled;
    invitation(&mut rig.world(), "new@x.example", "BUSINESS", "EXPIRED");
    assert_eq!(addresses(&rig.plan()), Vec::<String>::new());
    assert!(holds(&rig.plan())[0].contains("accepted the invitation of 2026-11-21"));
    assert!(
        holds(&rig.plan())[0].ends_with(&format!("If the user was disabled, enable them manually: {ENABLE}."))
    );
}

/// Expired invitations stay listed, so an unlisted one was accepted or cancelled.
#[test]
fn an_invitation_that_is_no_longer_listed_is_sent_again_only_on_demand() {
    let mut rig =
        Rig::new(world(), "reinvite_expired: true\nusers: [{ email: new@x.example, roles: [BUSINESS] }]");
    rig.apply();
    rig.world().invitations.clear();
    assert_eq!(addresses(&rig.plan()), Vec::<String>::new());
    assert!(
        holds(&rig.plan())[0]
            .contains("no longer listed. Either it was cancelled, or the user accepted and was disabled later.")
    );
    assert_eq!(addresses(&asserted(&rig, "user/new@x.example")), ["user/new@x.example"]);
}

/// An invitation with `--assert` doesn't count as access: the user has to accept it first.
#[test]
fn a_user_we_disabled_and_invited_with_assert_is_still_disabled() {
    let mut rig =
        Rig::new(with(&[("left@x.example", "BUSINESS")]), "users: [{ email: left@x.example, absent: true }]");
    rig.apply();
    rig.world().switches.invite_disabled = InviteDisabled::Invited;
    rig.set_file("reinvite_expired: true\nusers: [{ email: left@x.example, roles: [BUSINESS] }]");
    let plan = asserted(&rig, "user/left@x.example");
    rig.apply_plan(&plan).unwrap();
    assert!(holds(&rig.plan())[0].contains("waiting: Invited on 2026-11-21."));
    rig.world().invitations.clear();
    assert!(holds(&rig.plan())[0].contains("rolecall disabled the user on 2026-11-21"));
}

#[test]
fn a_disabled_user_listed_by_id_does_not_stop_the_plan() {
    let id = uid("left@x.example");
    let mut rig = Rig::new(
        with(&[("left@x.example", "BUSINESS"), ("a@x.example", "BUSINESS")]),
        &format!("users: [{{ email: left@x.example, id: {id}, absent: true }}]"),
    );
    rig.apply();
    assert_eq!(rig.warnings(), []);
    rig.set_file(&format!(
        "users: [{{ email: left@x.example, id: {id}, roles: [ADMIN] }}, {{ email: a@x.example, id: {}, absent: true }}, {{ email: b@x.example, id: nobody, roles: [ADMIN] }}]",
        uid("a@x.example")
    ));
    let plan = rig.plan();
    assert_eq!(addresses(&plan), ["user/a@x.example"]);
    assert!(
        holds(&plan)[1].contains("rolecall disabled the user on 2026-11-21, and the API can't enable users"),
        "{:?}",
        holds(&plan)
    );
    assert!(holds(&plan)[0].contains("No listed user has the id in the file"), "{:?}", holds(&plan));
}

/// With `--assert` a change that would be sent anyway stays the same, so the same plan approves it.
#[test]
fn asking_for_an_ordinary_invitation_changes_nothing_of_it() {
    let rig = Rig::new(world(), "users: [{ email: new@x.example, roles: [BUSINESS] }]");
    assert_eq!(asserted(&rig, "user/new@x.example").seal, rig.plan().seal);
}

/// The change is planned again, and a warning mentions the refusal.
#[test]
fn what_was_refused_before_is_said_when_it_is_planned_again() {
    let mut world = world();
    disabled(&mut world, "gone@x.example", "ADMIN");
    let mut rig = Rig::new(world, "users: [{ email: gone@x.example, roles: [BUSINESS] }]");
    assert_eq!(rig.warnings(), []);
    let seal = rig.plan().seal;
    rig.apply();
    let warned = rig.warnings();
    assert_eq!((warned.len(), warned[0].code), (1, Code::RefusedBefore));
    assert_eq!(warned[0].message, "The platform refused to invite user/gone@x.example on 2026-11-21.");
    // An approved plan is still valid.
    assert_eq!(rig.plan().seal, seal);
    // A mutation that was never sent was never refused.
    rig.world().user_mut("gone@x.example").unwrap().status = UserStatus::Active;
    assert_eq!(addresses(&rig.plan()), ["user/gone@x.example"]);
    assert_eq!(rig.warnings(), []);
}

// ---- where the list also shows disabled users

fn listed_although_disabled(people: &[(&str, &str)], body: &str) -> Rig {
    let mut world = with(people);
    world.switches.disabled_users = DisabledUsers::ListedActive;
    Rig::new(world, body)
}

#[test]
fn a_disabling_that_does_not_show_is_not_sent_again_and_not_passed_over() {
    let absent = "users: [{ email: left@x.example, absent: true }]";
    let mut rig = listed_although_disabled(&[("left@x.example", "ADMIN")], absent);
    assert_eq!(only_step(&rig.apply()).0, Outcome::NotTaken);
    let plan = rig.plan();
    assert_eq!(addresses(&plan), Vec::<String>::new());
    assert_eq!(
        holds(&plan)[0],
        format!(
            "user/left@x.example blocked: The user must be removed. rolecall sent a request to disable them on 2026-11-21. The platform still lists them as before. Check whether they are disabled: {LOOK}. If they aren't, use `--assert` to send the request again."
        )
    );
    assert_eq!(addresses(&asserted(&rig, "user/left@x.example")), ["user/left@x.example"]);
    // Writing the role that they already have proves nothing by a read. It is settled only when the platform
    // answers that it is done.
    rig.set_file("users: [{ email: left@x.example, roles: [ADMIN] }]");
    for fate in [Fate::Fine, Fate::DropBefore, Fate::Ignored(401, "")] {
        rig.wire.set_fates(&[fate]);
        let plan = asserted(&rig, "user/left@x.example");
        let report = rig.apply_plan(&plan).unwrap();
        assert_ne!(only_step(&report).0, Outcome::Done, "{fate:?}");
        assert_eq!(rig.plan().usable_admins_after, 1, "{fate:?}");
    }
    // Nor are they reported as in sync when the file wants them back, or counted as a usable admin.
    rig.set_file("users: [{ email: left@x.example, roles: [ADMIN] }]");
    assert_eq!(
        holds(&rig.plan())[0],
        format!(
            "user/left@x.example blocked: rolecall sent a request to disable the user on 2026-11-21. The user may be disabled, although the platform lists them. Check whether they are: {LOOK}. Or use `--assert`: it writes their role again, and the platform's answer settles the question."
        )
    );
    assert_eq!(rig.plan().usable_admins_after, 1);
    rig.world().user_mut("left@x.example").unwrap().status = UserStatus::Active;
    let plan = asserted(&rig, "user/left@x.example");
    let report = rig.apply_plan(&plan).unwrap();
    assert_eq!(only_step(&report).0, Outcome::Done);
    assert!(holds(&rig.plan()).iter().all(|hold| !hold.starts_with("user/left@")));
    assert_eq!(rig.plan().usable_admins_after, 2);
}

/// The process died before its read; the next one reads.
#[test]
fn a_user_who_vanished_and_is_listed_again_was_enabled_by_a_person() {
    let mut rig =
        Rig::new(with(&[("left@x.example", "BUSINESS")]), "users: [{ email: left@x.example, absent: true }]");
    rig.wire.set_fates(&[Fate::KillAfter]);
    let plan = rig.plan();
    assert!(rig.apply_plan(&plan).is_none());
    ledger_updates(&mut rig);
    rig.set_file("users: [{ email: left@x.example, roles: [BUSINESS] }]");
    assert!(holds(&rig.plan())[0].contains("rolecall disabled the user on 2026-11-21"));
    rig.world().user_mut("left@x.example").unwrap().status = UserStatus::Active;
    assert!(holds(&rig.plan()).iter().all(|hold| !hold.starts_with("user/left@")));
}

/// An earlier accepted invitation says nothing about a mutation that was sent later.
#[test]
fn a_disabling_stays_in_doubt_when_an_old_invitation_is_seen_to_be_accepted() {
    let mut rig = listed_although_disabled(&[], "users: [{ email: left@x.example, roles: [BUSINESS] }]");
    rig.apply();
    assert!(rig.world().accept("left@x.example"));
    rig.set_file("users: [{ email: left@x.example, absent: true }]");
    assert_eq!(only_step(&rig.apply()).0, Outcome::NotTaken);
    ledger_updates(&mut rig);
    assert_eq!(addresses(&rig.plan()), Vec::<String>::new());
    assert!(
        holds(&rig.plan())[0]
            .contains("The user must be removed. rolecall sent a request to disable them on 2026-11-21")
    );
}

#[test]
fn a_refusal_after_a_lost_answer_may_mean_that_it_was_done() {
    let absent = "users: [{ email: left@x.example, absent: true }]";
    let mut rig = listed_although_disabled(&[("left@x.example", "ADMIN")], absent);
    rig.wire.set_fates(&[Fate::DropAfter, Fate::DropBefore]);
    assert_eq!(only_step(&rig.apply()).0, Outcome::Unsure);
    let (outcome, message) = only_step(&rig.apply());
    assert_eq!(outcome, Outcome::Failed);
    assert!(
        message.ends_with(&format!("Next: The user may be disabled already. Look {LOOK}. {CAPABILITY}")),
        "{message}"
    );
    assert_eq!(addresses(&rig.plan()), Vec::<String>::new());
    assert!(holds(&rig.plan())[0].contains(
        "The user must be removed. rolecall sent a request to disable them on 2026-11-21. Its answer was lost, and the platform refused the request"
    ));
}

/// Only a refusal by the platform itself may mean that the user was disabled before. A refused credential or a
/// rate limit says nothing about the user.
#[test]
fn a_failure_that_is_no_refusal_is_no_reason_to_give_up() {
    for (status, text) in [(401, ""), (403, ""), (429, ""), (404, "<html>")] {
        let mut rig =
            Rig::new(with(&[("left@x.example", "ADMIN")]), "users: [{ email: left@x.example, absent: true }]");
        rig.wire.set_fates(&[Fate::DropBefore; 2]);
        rig.apply();
        rig.wire.set_fates(&[Fate::Ignored(status, text)]);
        assert_eq!(only_step(&rig.apply()).0, Outcome::Failed, "{status}");
        assert_eq!(addresses(&rig.plan()), ["user/left@x.example"], "{status}");
        rig.apply();
        assert_eq!(rig.world().usable_admins(), 1);
    }
}

/// Other disabled users have left the list, so a listed user is active. A refusal is then a failure, and the
/// removal is tried again.
#[test]
fn where_the_disabled_are_known_to_vanish_a_refusal_is_no_reason_to_give_up() {
    let absent = "users: [{ email: a@x.example, absent: true }, { email: b@x.example, absent: true }]";
    let mut rig = Rig::new(with(&[("a@x.example", "BUSINESS"), ("b@x.example", "BUSINESS")]), absent);
    rig.wire.set_fates(&[Fate::Fine, Fate::DropBefore, Fate::DropBefore]);
    rig.apply();
    rig.wire.set_fates(&[Fate::Refuse]);
    assert_eq!(only_step(&rig.apply()).0, Outcome::Failed);
    assert_eq!(addresses(&rig.plan()), ["user/b@x.example"]);
    rig.apply();
    assert_eq!(addresses(&rig.plan()), Vec::<String>::new());
}

#[test]
fn an_admin_who_may_be_disabled_is_not_relied_on() {
    let people = [("a@x.example", "ADMIN"), ("b@x.example", "ADMIN")];
    let head = "guardrails: { min_admins: 2 }";
    let mut rig =
        listed_although_disabled(&people, &format!("{head}\nusers: [{{ email: a@x.example, absent: true }}]"));
    rig.wire.set_fates(&[Fate::DropAfter]);
    rig.apply();
    assert_eq!(rig.world().usable_admins(), 2);
    rig.set_file(&format!("{head}\nusers: [{{ email: b@x.example, roles: [BUSINESS] }}]"));
    let refusal = &rig.plan().refusals[0];
    assert_eq!(refusal.guardrail.as_str(), "min_admins");
    assert!(
        refusal.message.ends_with("Not counted, because rolecall may have disabled them: user/a@x.example."),
        "{}",
        refusal.message
    );
}

// ---- rolecall's own access

#[test]
fn the_owner_of_the_credential_keeps_what_they_have() {
    let head = "guardrails: { min_admins: 0 }";
    for body in [
        format!("{head}\nusers: [{{ email: {OWNER}, roles: [WORKSPACE_ADMIN] }}]"),
        format!("{head}\nmanage: {{ users: all }}\nusers: [{{ email: a@x.example }}]"),
    ] {
        let plan = Rig::new(with(&[("a@x.example", "ADMIN")]), &body).plan();
        assert_eq!(addresses(&plan), Vec::<String>::new());
        assert!(
            holds(&plan).iter().any(|hold| hold.contains("This is rolecall's own user.")),
            "{:?}",
            holds(&plan)
        );
    }
    let mut world = world();
    world.user_mut(OWNER).unwrap().account_type = "DEVELOPER".to_owned();
    let plan = Rig::new(world, &format!("users: [{{ email: {OWNER}, roles: [ADMIN] }}]")).plan();
    assert_eq!(addresses(&plan), [format!("user/{OWNER}")]);
}

/// No answer names the workspace. Listed active users show that it is the right one, or the owner does.
#[test]
fn nobody_is_invited_to_what_may_be_another_workspace() {
    let head = HEAD.replace("own: { user: own@x.example }\n", "");
    let mut rig = Rig::new(world(), "");
    rig.desired = desired(&format!("{head}users: [{{ email: new@x.example, roles: [ADMIN] }}]"));
    assert_eq!(rig.plan().refusals[0].guardrail.as_str(), "organization");
    rig.desired =
        desired(&format!("{head}users: [{{ email: new@x.example, roles: [ADMIN] }}, {{ email: {OWNER} }}]"));
    assert_eq!(rig.plan().refusals, []);
    let gap = "the owner of this credential";
    assert!(rig.plan().gaps.iter().any(|said| said.what == gap));
    assert!(Rig::new(world(), "").plan().gaps.iter().all(|said| said.what != gap));
}

#[test]
fn an_owner_who_is_nobody_guards_nobody() {
    let mut world = with(&[("a@x.example", "ADMIN")]);
    world.users.remove(0);
    let found = findings(world, "");
    assert_eq!(found[0].code, Code::WrongOwnUser);
}

// ---- answers

/// The reported outcome of each kind of answer to a mutation, with and without an effect.
#[test]
#[expect(clippy::too_many_lines, reason = "one case for each kind of answer")]
fn every_kind_of_answer_is_distinguished() {
    struct Case {
        status: u16,
        text: &'static str,
        acted: bool,
        outcome: Outcome,
        said: &'static str,
    }

    const HTML: &str = "<!DOCTYPE html><title>Sign in</title>";
    let cases = [
        Case {
            status: 200,
            text: r#"{"data":{"disableUser":{"ok":true}}}"#,
            acted: true,
            outcome: Outcome::Done,
            said: "",
        },
        Case {
            status: 200,
            text: r#"{"data":{"disableUser":{"ok":true}},"errors":[]}"#,
            acted: true,
            outcome: Outcome::Done,
            said: "",
        },
        // The answer is only `ok`, so a read decides.
        Case {
            status: 200,
            text: r#"{"data":{"disableUser":{"ok":true}}}"#,
            acted: false,
            outcome: Outcome::NotTaken,
            said: "a read doesn't show the change.",
        },
        Case {
            status: 200,
            text: r#"{"data":{"disableUser":{"ok":true}},"errors":[]}"#,
            acted: false,
            outcome: Outcome::NotTaken,
            said: "a read doesn't",
        },
        Case {
            status: 200,
            text: r#"{"data":{"disableUser":{"ok":false}}}"#,
            acted: false,
            outcome: Outcome::Failed,
            said: "`ok` is false",
        },
        Case {
            status: 200,
            text: r#"{"data":{"disableUser":{"ok":false}},"errors":[]}"#,
            acted: false,
            outcome: Outcome::Failed,
            said: "`ok` is false",
        },
        Case {
            status: 200,
            text: r#"{"data":{"disableUser":{"ok":false}},"errors":[{"message":"LastAdminException"}]}"#,
            acted: false,
            outcome: Outcome::Failed,
            said: "LastAdminException",
        },
        Case {
            status: 200,
            text: r#"{"data":{"disableUser":null},"errors":[{"message":"LastAdminException"}]}"#,
            acted: false,
            outcome: Outcome::Failed,
            said: "answered with the error \"LastAdminException\"",
        },
        Case {
            status: 200,
            text: r#"{"errors":[{"message":"no"}]}"#,
            acted: false,
            outcome: Outcome::Failed,
            said: "answered with the error \"no\"",
        },
        Case {
            status: 200,
            text: r#"{"errors":["words"]}"#,
            acted: false,
            outcome: Outcome::Failed,
            said: "answered with the error \"words\"",
        },
        // The meaning of this answer is unknown.
        Case {
            status: 200,
            text: r#"{"errors":{"message":"no list"}}"#,
            acted: false,
            outcome: Outcome::Unsure,
            said: "at errors: expected a list",
        },
        Case {
            status: 200,
            text: r#"{"errors":"upstream timeout"}"#,
            acted: false,
            outcome: Outcome::Unsure,
            said: "at errors: expected a list",
        },
        Case {
            status: 400,
            text: r#"{"errors":[{"message":"bad"}]}"#,
            acted: false,
            outcome: Outcome::Failed,
            said: "\"bad\"",
        },
        Case {
            status: 200,
            text: r#"{"data":{"disableUser":{"ok":true}},"errors":[{"message":"mail"}]}"#,
            acted: true,
            outcome: Outcome::Done,
            said: "The answer didn't confirm the change, but a read shows it in effect.",
        },
        Case {
            status: 200,
            text: r#"{"data":{"disableUser":{"ok":true}},"errors":[{"message":"mail"}]}"#,
            acted: false,
            outcome: Outcome::Unsure,
            said: "answered only in part, with the error \"mail\"",
        },
        Case {
            status: 200,
            text: r#"{"data":{"disableUser":null}}"#,
            acted: false,
            outcome: Outcome::Unsure,
            said: "`disableUser` is null or false, without an error",
        },
        Case {
            status: 200,
            text: r#"{"data":{"disableUser":{}}}"#,
            acted: false,
            outcome: Outcome::Unsure,
            said: "`ok` is null or false, without an error",
        },
        Case {
            status: 200,
            text: r#"{"data":{"inviteUser":{"ok":true}}}"#,
            acted: false,
            outcome: Outcome::Unsure,
            said: "neither data nor errors",
        },
        // A refusal that took effect nevertheless.
        Case {
            status: 200,
            text: r#"{"data":{"disableUser":{"ok":false}}}"#,
            acted: true,
            outcome: Outcome::Done,
            said: "The platform answered with an error, but a read shows the change in effect.",
        },
        Case {
            status: 200,
            text: r#"{"data":{"disableUser":{"ok":false}},"errors":[{"message":"x","extensions":{"code":"INTERNAL_SERVER_ERROR"}}]}"#,
            acted: false,
            outcome: Outcome::Unsure,
            said: "it may have taken effect",
        },
        Case {
            status: 500,
            text: r#"{"data":{"disableUser":{"ok":false}},"errors":[{"message":"x"}]}"#,
            acted: false,
            outcome: Outcome::Unsure,
            said: "HTTP status 500",
        },
        Case {
            status: 429,
            text: "",
            acted: true,
            outcome: Outcome::Done,
            said: "but a read shows the change in effect.",
        },
        Case { status: 429, text: "", acted: false, outcome: Outcome::Failed, said: "too many requests" },
        Case {
            status: 200,
            text: r#"{"data":null,"errors":[]}"#,
            acted: false,
            outcome: Outcome::Unsure,
            said: "an empty list of errors",
        },
        Case {
            status: 200,
            text: r#"{"data":null}"#,
            acted: false,
            outcome: Outcome::Unsure,
            said: "neither data nor errors",
        },
        Case {
            status: 200,
            text: r#"{"data":{"disableUser":{"ok":"yes"}}}"#,
            acted: false,
            outcome: Outcome::Unsure,
            said: "data.disableUser.ok",
        },
        Case {
            status: 200,
            text: HTML,
            acted: false,
            outcome: Outcome::Unsure,
            said: "isn't valid JSON: it is an HTML page",
        },
        Case {
            status: 200,
            text: HTML,
            acted: true,
            outcome: Outcome::Done,
            said: "but a read shows it in effect.",
        },
        Case {
            status: 200,
            text: r#"{"data":{"disab"#,
            acted: false,
            outcome: Outcome::Unsure,
            said: "isn't valid JSON: it is damaged or cut off (15 bytes)",
        },
        Case {
            status: 401,
            text: "",
            acted: false,
            outcome: Outcome::Failed,
            said: "the credential was refused (HTTP 401); nothing was changed",
        },
        Case {
            status: 403,
            text: HTML,
            acted: false,
            outcome: Outcome::Failed,
            said: "has the capability User management admin",
        },
        Case { status: 404, text: HTML, acted: false, outcome: Outcome::Failed, said: "HTTP status 404" },
        Case {
            status: 500,
            text: r#"{"data":{"disableUser":{"ok":true}}}"#,
            acted: false,
            outcome: Outcome::Unsure,
            said: "HTTP status 500",
        },
    ];
    for Case { status, text, acted, outcome, said } in cases {
        let mut rig =
            Rig::new(with(&[("left@x.example", "BUSINESS")]), "users: [{ email: left@x.example, absent: true }]");
        // If there was no answer and a read shows no effect, it is sent once more.
        rig.wire.set_fates(&[if acted { Fate::Acted(status, text) } else { Fate::Ignored(status, text) }; 2]);
        let (became, message) = only_step(&rig.apply());
        let lost = !acted && (status >= 500 || message.contains("isn't valid JSON"));
        assert_eq!(rig.intents(), 1 + usize::from(lost), "{status} {text}");
        assert_eq!(became, outcome, "{status} {text}: {message}");
        assert!(message.contains(said), "{status} {text}: {message}");
    }
}

#[test]
fn a_success_with_an_empty_list_of_errors_converges_in_one_run() {
    let mut world = with(&[("a@x.example", "DEVELOPER"), ("b@x.example", "ADMIN")]);
    world.switches.empty_errors = true;
    let body = "guardrails: { min_admins: 2 }\nusers: [{ email: a@x.example, roles: [ADMIN] }, { email: b@x.example, absent: true }, { email: c@x.example, roles: [BUSINESS] }]";
    let report = Rig::new(world, body).apply();
    assert!(report.all_done() && matches!(report.final_state, FinalState::InSync { .. }), "{report:#?}");
}

#[test]
fn a_lost_answer_is_looked_up_and_no_second_mail_goes_out() {
    let mut rig = Rig::new(world(), "users: [{ email: new@x.example, roles: [BUSINESS] }]");
    rig.wire.set_fates(&[Fate::DropAfter]);
    let (outcome, message) = only_step(&rig.apply());
    assert_eq!(outcome, Outcome::Done);
    assert!(message.contains("It isn't certain that its mail was sent."), "{message}");
    assert_eq!(addresses(&rig.plan()), Vec::<String>::new());
    // An invitation that never arrived is known to be missing, because even expired ones are listed.
    let mut rig = Rig::new(world(), "users: [{ email: new@x.example, roles: [BUSINESS] }]");
    rig.wire.set_fates(&[Fate::DropBefore]);
    assert_eq!(only_step(&rig.apply()).0, Outcome::Unsure);
    assert_eq!(only_step(&rig.apply()).0, Outcome::Done);
    assert_eq!(rig.world().mails.len(), 1);
}

// ---- things that can't be managed

#[test]
fn keys_are_left_to_a_person_and_that_is_said() {
    let plan = Rig::new(world(), "").plan();
    let hold = plan.sealed.holds.iter().find(|hold| hold.address.to_string() == "key/*").unwrap();
    assert_eq!(hold.class, HoldClass::Ignored);
    assert_eq!(
        hold.reason.to_string(),
        "The API has no operations for keys. Manage keys manually: in the web app, Account Settings > Workspace Settings, at the bottom."
    );
}

// ---- credentials

#[test]
fn each_kind_of_credential_travels_in_its_own_headers() {
    let paradime = rolecall_providers::of(ProviderName::Paradime);
    let desired_state = desired(&HEAD.replace("analytics0000000", "acme0analytics00"));
    let headers = |secrets: &[(&'static str, &str)]| {
        let secrets = Secrets::new(secrets.iter().map(|(name, secret)| (*name, SecretString::from(*secret))));
        let contexts = paradime.headers(&secrets, &desired_state);
        contexts.map(|contexts| {
            let headers = contexts[&Context::ONLY].iter();
            headers.map(|(name, value)| format!("{name}: {}", value.expose_secret())).collect::<Vec<_>>()
        })
    };
    assert_eq!(
        headers(&[("api_key", "key"), ("api_secret", "secret")]).unwrap(),
        ["x-api-key: key", "x-api-secret: secret"]
    );
    assert_eq!(headers(&[("token", "prdm_wsp_x")]).unwrap(), ["authorization: Bearer prdm_wsp_x"]);
    assert_eq!(
        headers(&[("token", "prdm_cmp_x")]).unwrap(),
        ["authorization: Bearer prdm_cmp_x", "x-paradime-workspace: acme0analytics00"]
    );
    assert_eq!(headers(&[("token", "some secret")]).unwrap_err().name, "token");
    assert_eq!(headers(&[("api_key", "key"), ("api_secret", "prdm_wsp_x")]).unwrap_err().name, "api_secret");
    assert_eq!(headers(&[("api_key", "prdm_cmp_x"), ("api_secret", "x")]).unwrap_err().name, "api_key");
}

// ---- the program

/// Starts a sandbox and writes a file for it, with a company token in the endpoint's path.
fn served(seed: &str, file: &str, env: &mut Env) -> Server {
    let server = env.serve(&["--provider", "paradime", "--organization", seed]);
    let endpoint = server.url.replace("sandbox-company-token", CANARY_PATH);
    let variable = format!("ENDPOINT_{}", file.to_uppercase());
    env.set(&variable, &endpoint);
    env.write(
        &format!("{file}.yaml"),
        format!("provider: paradime\norganization: {seed}\nendpoint: {{ env: {variable} }}\ncredentials: {{ token: {{ env: TOKEN }} }}\nguardrails: {{ min_admins: 0 }}\nusers: [{{ email: alexandra@acme.example }}, {{ email: kim@acme.example, absent: true }}, {{ email: stranger@acme.example, roles: [BUSINESS] }}]\n"),
    );
    server
}

/// A short token with a capital letter. A host name wouldn't keep the case.
const CANARY_PATH: &str = "Canary7";

fn digest_of(path: &str) -> String {
    rolecall_sandbox::digest(path)[..8].to_owned()
}

#[test]
fn the_example_is_planned_applied_and_in_sync() {
    let env = Env::new();
    env.write("paradime.yaml", example("paradime.yaml"));
    let run = |args: &[&str]| env.run(&[args, &["--sandbox", "paradime.yaml"]].concat());
    insta::assert_snapshot!("paradime_plan", run(&["plan", "--out", "plan.json", "--show-mutations"]).all());
    insta::assert_snapshot!("paradime_apply", run(&["apply", "--plan", "plan.json"]).all());
    let again = run(&["plan", "--detailed-exitcode"]);
    assert_eq!(again.code, 0, "{}", again.all());
    insta::assert_snapshot!("paradime_drift", run(&["drift"]).all());
}

#[test]
fn one_company_token_serves_several_workspaces_and_the_header_chooses() {
    let mut env = Env::new();
    let server = env.serve(&["--provider", "paradime"]);
    env.set("ENDPOINT", &server.url);
    env.set("ROLECALL_ALLOWED_HOSTS", "127.0.0.1");
    env.set("TOKEN", "prdm_cmp_sandbox-own-token");
    let file = |uid: &str| {
        format!(
            "provider: paradime\norganization: {uid}\nendpoint: {{ env: ENDPOINT }}\ncredentials: {{ token: {{ env: TOKEN }} }}\nown: {{ user: alexandra@acme.example }}\nguardrails: {{ min_admins: 0 }}\nusers: [{{ email: kim@acme.example, absent: true }}]\n"
        )
    };
    env.write("analytics.yaml", file("acme0analytics00"));
    env.write("marketing.yaml", file("acme0marketing00"));
    // Kim is a member of one workspace.
    let said = env.run(&["apply", "--auto-approve", "analytics.yaml", "marketing.yaml"]);
    assert_eq!(said.code, 0, "{}", said.all());
    assert_eq!(said.stdout.matches("done      user/kim@acme.example").count(), 1, "{}", said.stdout);
    assert!(said.stderr.contains("paradime-acme0marketing00.jsonl"), "{}", said.stderr);
    // The header names a workspace of another company.
    env.write("wrong.yaml", file("acme0nobody00000"));
    let said = env.run(&["plan", "wrong.yaml"]);
    assert_eq!(said.code, 6, "{}", said.all());
    // A token of another kind, and a key's secret instead of a token.
    env.set("TOKEN", "just-some-secret-77");
    let said = env.run(&["plan", "marketing.yaml"]);
    assert_eq!(said.code, 1, "{}", said.all());
    assert!(said.stderr.contains("error[unfit-credential]"), "{}", said.stderr);
    assert!(!said.all().contains("just-some-secret"), "{}", said.all());
}

/// The endpoint's path contains a company token. No output shows it, at any verbosity, whatever goes wrong.
#[test]
fn outputs_show_the_endpoints_host_and_a_digest_of_its_path_alone() {
    let mut env = Env::new();
    let server = served("acme0marketing00", "marketing", &mut env);
    env.set("ROLECALL_ALLOWED_HOSTS", "127.0.0.1");
    env.set("TOKEN", "prdm_cmp_sandbox-own-token");
    let digest = digest_of(&format!("/api/v1/{CANARY_PATH}/graphql"));
    let mut all = String::new();
    let mut codes = Vec::new();
    for args in [
        &["plan", "-vv", "--out", "plan.json", "marketing.yaml"][..],
        &["plan", "--format", "json", "marketing.yaml"],
        &["drift", "-vv", "marketing.yaml"],
        &["apply", "-vv", "--plan", "plan.json", "marketing.yaml"],
        &["show", "plan.json"],
        &["show", ".rolecall/ledger/paradime-acme0marketing00.jsonl"],
    ] {
        let said = env.run(args);
        codes.push(said.code);
        assert!(said.all().contains(&digest), "{args:?}\n{}", said.all());
        all += &said.all();
    }
    assert_eq!(codes, [0, 0, 2, 0, 0, 0], "{all}");
    for file in ["plan.json", ".rolecall/ledger/paradime-acme0marketing00.jsonl"] {
        all += &env.read(file);
    }
    // Another service answers there, or none.
    let root = server.url.split("/api/").next().unwrap().to_owned();
    drop(server);
    for endpoint in [
        format!("{root}/api/v1/{CANARY_PATH}/graphql"),
        format!("https://elsewhere.example/api/v1/{CANARY_PATH}/graphql"),
        format!("https://user:{CANARY_PATH}@api.paradime.io/graphql"),
        format!("https://api.paradime.io/graphql?token={CANARY_PATH}"),
        format!("http://api.paradime.io/api/v1/{CANARY_PATH}/graphql"),
        format!("/api/v1/{CANARY_PATH}/graphql"),
        CANARY_PATH.to_owned(),
    ] {
        env.set("ENDPOINT_MARKETING", &endpoint);
        let said = env.run(&["plan", "-vv", "marketing.yaml"]);
        assert_ne!(said.code, 0, "{}", said.all());
        all += &said.all();
    }
    assert!(!all.to_lowercase().contains(&CANARY_PATH.to_lowercase()), "{all}");
}

/// A plan that was reviewed for one endpoint isn't sent to another. The ledger stays valid, because the workspace
/// is the same.
#[test]
fn a_plan_is_for_one_path_and_a_ledger_for_the_workspace() {
    let mut env = Env::new();
    let server = served("acme0marketing00", "marketing", &mut env);
    env.set("ROLECALL_ALLOWED_HOSTS", "127.0.0.1");
    env.set("TOKEN", "prdm_cmp_sandbox-own-token");
    assert_eq!(env.run(&["plan", "--out", "plan.json", "marketing.yaml"]).code, 0);
    let other = server.url.replace("sandbox-company-token", "another-token");
    env.set("ENDPOINT_MARKETING", &other);
    let said = env.run(&["apply", "--plan", "plan.json", "marketing.yaml"]);
    assert_eq!(said.code, 1, "{}", said.all());
    assert!(said.stderr.contains("and would be applied to 127.0.0.1 (path "), "{}", said.stderr);
    assert_eq!(env.run(&["apply", "--auto-approve", "marketing.yaml"]).code, 0);
    env.set("ENDPOINT_MARKETING", &server.url);
    assert_eq!(env.run(&["apply", "--auto-approve", "marketing.yaml"]).code, 0);
}

/// Starts a server that gives this answer to every request.
fn parrot(answer: &'static str) -> String {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut asked = [0; 4096];
            let _ = stream.read(&mut asked);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    format!("http://{address}/api/v1/{CANARY_PATH}/graphql")
}

/// An answer may repeat a secret that the platform received.
#[test]
fn what_the_platform_echoes_is_redacted() {
    let token = "prdm_wsp_canary-token-91ab";
    let mut env = Env::new();
    env.set("ROLECALL_ALLOWED_HOSTS", "127.0.0.1");
    env.set("TOKEN", token);
    env.write(
        "p.yaml",
        HEAD.replace("{ api_key: { env: KEY }, api_secret: { env: SECRET } }", "{ token: { env: TOKEN } }"),
    );
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n";
    let bodies = [
        format!(r#"{{"data":null,"errors":[{{"message":"bad /api/v1/{CANARY_PATH}/graphql for {token}"}}]}}"#),
        format!(
            r#"{{"data":{{"listUsers":{{"ok":true,"activeUsers":[{{"uid":{{"{token}":1}}}}],"{CANARY_PATH}":3}}}}}}"#
        ),
        format!(r#"{{"data":{{"listUsers":{{"activeUsers":{{"{CANARY_PATH}":"{token}"}}}}}}}}"#),
        format!(r#"{{"errors":"{CANARY_PATH} {token}"}}"#),
        format!(r#"{{"data":null,"errors":[{{"message":"x","path":[["{CANARY_PATH}"],{{"a":"{token}"}}]}}]}}"#),
        format!(r#"{{"data":{{"listUsers":{{"ok":"is expected {token} at line "}}}}}}"#),
    ];
    let mut answers: Vec<String> = bodies.iter().map(|body| format!("{head}{body}")).collect();
    answers.push(format!(
        "HTTP/1.1 302 Found\r\nlocation: https://{CANARY_PATH}.example/{token}\r\nconnection: close\r\n\r\n"
    ));
    for answer in answers {
        env.set("ENDPOINT", &parrot(answer.clone().leak()));
        let said = env.run(&["plan", "-vv", "p.yaml"]);
        assert_eq!(said.code, 1, "{}", said.all());
        let lower = said.all().to_lowercase();
        assert!(
            !lower.contains(&CANARY_PATH.to_lowercase()) && !lower.contains(token),
            "{answer}\n{}",
            said.all()
        );
    }
}

/// A workspace token reaches its own workspace, even if the file names another.
#[test]
fn two_files_that_can_only_be_one_workspace_are_refused() {
    let mut env = Env::new();
    let server = served("acme0marketing00", "marketing", &mut env);
    env.set("ROLECALL_ALLOWED_HOSTS", "127.0.0.1");
    env.set("TOKEN", "prdm_wsp_sandbox-own-token");
    env.write("other.yaml", env.read("marketing.yaml").replace("acme0marketing00", "acme0analytics00"));
    let before = env.run(&["plan", "marketing.yaml"]);
    assert_eq!(before.code, 0, "{}", before.all());
    let said = env.run(&["apply", "--auto-approve", "marketing.yaml", "other.yaml"]);
    assert_eq!(said.code, 1, "{}", said.all());
    assert_eq!(said.stderr.matches("error[duplicate-organization]").count(), 2, "{}", said.stderr);
    assert_eq!(env.run(&["plan", "marketing.yaml"]).stdout, before.stdout, "something was sent");
    // A company token reaches both workspaces.
    env.set("TOKEN", "prdm_cmp_sandbox-own-token");
    let said = env.run(&["plan", "marketing.yaml", "other.yaml"]);
    assert!(!said.stderr.contains("duplicate-organization"), "{}", said.stderr);
    drop(server);
}
