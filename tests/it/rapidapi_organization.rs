//! Stories of an organisation on a RapidAPI hub and of its teams. Each tests something that users rely on.

use std::sync::Arc;

use crate::support::cli::Env;
use crate::support::rapidapi::{
    NOBODY, Rig, acme, asserted, converged, effects, findings, head_of, held, invitation, is_member, member,
    operations, outcomes, planned, requests, rig_of, sent, set_file_of, team, user, with_teams, world,
};
use crate::support::rig::{Fate, addresses, holds};
use rolecall_config::{Source, check_source};
use rolecall_engine::apply::FinalState;
use rolecall_model::{Code, Effect, Outcome};
use rolecall_providers::ReadError;
use rolecall_sandbox::rapidapi::{DuplicateNames, OWN_EMAIL, RenameSlug, World};
use serde_json::{Value, json};

const SETTINGS: &str = "settings: { name: Globex, email: bills@globex.example, seats: 25, create: true }\n";

const UNSURE: &str = "blocked: rolecall sent the creation of the organisation on 2026-11-21, but the platform doesn't list it. Check whether it exists under another slug. Use `--assert` to create it again, which may be billed again.";

fn rails(plan: &rolecall_model::OrganizationPlan) -> Vec<&str> {
    plan.refusals.iter().map(|refusal| refusal.guardrail.as_str()).collect()
}

/// Returns the errors of a file by itself, without a read.
fn errors(text: &str) -> Vec<(Code, String)> {
    let (_, found) = check_source(&Source::inline("test.yaml", text), rolecall_providers::format);
    found.into_iter().filter(rolecall_model::Finding::is_error).map(|it| (it.code, it.message)).collect()
}

fn of_that_name(world: &World) -> Vec<String> {
    let named = world.organizations.iter().filter(|it| it.name == "Globex");
    named.map(|it| it.slug.clone()).collect()
}

// ---- creating an organisation

const STAFF: &str = "teams: [{ name: Globex-Default, description: everybody }, { name: Payments }]
users:
  - { email: own@acme.example, roles: [Organization Admin] }
  - { email: admin@x.example, roles: [Organization Admin], teams: [Payments] }
  - { email: dev@x.example, roles: [Developer], teams: { Payments: Team Viewer } }
  - { email: gone@x.example, absent: true }
";

#[test]
fn an_organisation_is_made_with_those_who_need_no_team_and_the_rest_follows() {
    let mut rig = rig_of("globex", world(), &format!("{SETTINGS}{STAFF}"));
    let plan = rig.plan();
    assert_eq!(addresses(&plan), ["organization"]);
    assert_eq!(
        effects(&plan, "organization"),
        [
            Effect::ComesWith { what: "a team, an app of that, and a subscription for its seats".to_owned() },
            Effect::MayBill
        ]
    );
    for waits in ["team/Globex-Default", "team/Payments", "user/dev@x.example"] {
        assert_eq!(
            held(&plan, waits),
            ["waiting: This change follows after the organisation is created."],
            "{waits}"
        );
    }
    assert!(held(&plan, "user/admin@x.example").is_empty());
    let report = rig.apply();
    assert!(matches!(report.final_state, FinalState::InSync { later: 3 }), "{report:#?}");
    assert_eq!(
        sent(&rig),
        [(
            "CreateOrganization",
            json!({
                "name": "Globex", "email": "bills@globex.example", "seats": 25,
                "users": [{ "email": "admin@x.example", "role": "ADMIN" }],
            })
        )]
    );
    // The default team is the one that the file names, so it isn't created again.
    assert_eq!(addresses(&rig.plan()), ["team/Globex-Default", "team/Payments", "user/dev@x.example"]);
    let report = rig.apply();
    assert!(converged(&report), "{report:#?}");
    assert_eq!(operations(&rig)[1..], ["CreateTeam", "UpdateTeam", "CreateUserInvites"]);
    let world = rig.world().clone();
    let made = world.organization("globex").unwrap();
    let teams: Vec<_> = made.teams.iter().map(|team| team.name.as_str()).collect();
    assert_eq!(teams, ["Globex-Default", "Payments"]);
    assert_eq!((made.seats, made.email.as_deref()), (25, Some("bills@globex.example")));
    let invited: Vec<_> = made.invitations.iter().map(|it| (it.email.as_str(), it.role.as_str())).collect();
    assert_eq!(invited, [("admin@x.example", "ADMIN"), ("dev@x.example", "DEVELOPER")]);
    assert_eq!(world.mails, ["admin@x.example", "dev@x.example"]);
    assert_eq!(addresses(&rig.plan()), NOBODY);
    // When all have joined, the roles are set that invitations can't carry.
    let id = made.id;
    for email in ["admin@x.example", "dev@x.example"] {
        assert!(rig.world().accept(id, email));
    }
    assert_eq!(addresses(&rig.plan()), ["user/dev@x.example"]);
    assert!(converged(&rig.apply()));
}

/// They are invited with the organisation's creation and need no invitation afterwards.
#[test]
fn a_user_invited_with_the_organisation_who_needs_no_team_does_not_stop_the_plan() {
    for role in ["Developer", "Organization Admin"] {
        let mut rig = rig_of(
            "globex",
            world(),
            &format!("{SETTINGS}users: [{{ email: first@x.example, roles: [{role}] }}]"),
        );
        let report = rig.apply();
        assert_eq!(rig.world().mails, ["first@x.example"]);
        assert!(matches!(report.final_state, FinalState::InSync { .. }), "{role}: {:?}", report.final_state);
        assert!(rig.try_plan().is_ok(), "{role}: {:#?}", rig.try_plan());
    }
}

#[test]
fn an_organisation_that_is_there_is_not_made() {
    let mut world = world();
    world.add_organization("Globex");
    let mut rig = rig_of(
        "globex",
        world,
        "settings: { name: Globex, email: bills@globex.example, seats: 10000, create: true }",
    );
    rig.apply();
    assert_eq!(operations(&rig), ["UpdateOrganization"]);
    assert_eq!(of_that_name(&rig.world()), ["globex"]);
}

#[test]
fn without_create_an_organisation_that_is_not_there_is_an_error() {
    let mut world = world();
    world.add_organization("partners");
    for settings in ["", "settings: { name: Globex, email: a@x.example, seats: 3 }"] {
        let rig = rig_of("globex", world.clone(), settings);
        let error = rig.read().unwrap_err();
        assert!(matches!(error, ReadError::NoOrganization { .. }), "{error}");
        assert_eq!(error.to_string(), "the credential reaches no organisation globex, and reaches acme, partners");
    }
}

#[test]
fn what_making_an_organisation_needs_is_a_finding_where_it_is_missing() {
    for (fields, lacks) in [
        ("name: Globex, email: a@x.example", "`seats`"),
        ("name: Globex, seats: 3", "`email`"),
        ("email: a@x.example, seats: 3", "`name`"),
        ("description: x", "`name`, `email`, `seats`"),
    ] {
        let rig = rig_of("globex", world(), &format!("settings: {{ {fields}, create: true }}"));
        let found = rig.try_plan().unwrap_err();
        assert_eq!((found.len(), found[0].code), (1, Code::IncompleteOrganization), "{fields}");
        assert_eq!(
            found[0].message,
            format!("The organisation doesn't exist yet, and creating it requires {lacks}.")
        );
    }
}

/// The hub assigns the ids, so a new organisation can't be named by one.
#[test]
fn an_organisation_that_is_to_be_made_is_named_by_its_slug() {
    let text = format!("{}{SETTINGS}", head_of(8_000_002));
    assert_eq!(
        errors(&text),
        [(Code::InvalidValue, "An organisation that rolecall creates can't have an id yet.".to_owned())]
    );
    // A slug may begin with a digit.
    assert_eq!(errors(&format!("{}{SETTINGS}", head_of("3-globex"))), []);
    let zero = format!("{}settings: {{ name: A, email: a@x.example, seats: 0, create: true }}", head_of("a"));
    assert_eq!(errors(&zero).len(), 1);
    let both = format!("{}settings: {{ absent: true, create: true, name: A }}", head_of("a"));
    assert!(errors(&both).iter().all(|(code, _)| *code == Code::AbsentWithValues), "{:?}", errors(&both));
    assert_eq!(errors(&both).len(), 2);
}

/// The hub derives the slug from the name, but the file names the slug.
#[test]
fn a_slug_that_comes_out_different_stops_the_run_and_is_never_made_twice() {
    let staffed = format!("{SETTINGS}{STAFF}");
    for fate in [Fate::Fine, Fate::DropAfter, Fate::KillAfter] {
        let mut world = world();
        "-hub7".clone_into(&mut world.switches.slug_suffix);
        // Another organisation with this name doesn't prevent its creation.
        world.switches.duplicate_names = DuplicateNames::Allowed;
        let mut rig = rig_of("globex", world, &staffed);
        rig.wire.set_fates(&[fate]);
        let plan = rig.plan();
        let report = rig.apply_plan(&plan);
        assert_eq!(operations(&rig), ["CreateOrganization"], "{fate:?}");
        if fate == Fate::Fine {
            let report = report.unwrap();
            let said = report.steps[0].message.clone().unwrap();
            assert_eq!(
                said,
                "The organisation was created, and its slug is globex-hub7 instead of globex. Write `organization: globex-hub7` before the next run. Nothing more is sent."
            );
            assert!(!matches!(report.final_state, FinalState::InSync { .. }), "{:?}", report.final_state);
            assert!(report.stopped.is_some());
        }
        // Every later run reports it and sends nothing.
        for _ in 0..2 {
            let error = rig.read().unwrap_err();
            assert_eq!(
                error,
                ReadError::OtherSlug { organization: "globex".to_owned(), slug: "globex-hub7".to_owned() },
                "{fate:?}"
            );
            assert!(error.next_step().contains("No second organisation was created"));
        }
        assert_eq!(of_that_name(&rig.world()), ["globex-hub7"], "{fate:?}");
        set_file_of(&mut rig, "globex-hub7", &staffed);
        assert_eq!(addresses(&rig.plan()), ["team/Globex-Default", "team/Payments", "user/dev@x.example"]);
    }
}

#[test]
fn a_lost_answer_to_the_making_of_an_organisation_never_makes_another() {
    for fate in [Fate::DropAfter, Fate::KillAfter, Fate::Acted(500, ""), Fate::Acted(200, "<html>")] {
        let mut world = world();
        world.switches.duplicate_names = DuplicateNames::Allowed;
        let mut rig = rig_of("globex", world, SETTINGS);
        rig.wire.set_fates(&[fate]);
        let plan = rig.plan();
        if let Some(report) = rig.apply_plan(&plan) {
            assert_eq!(outcomes(&report), [("createOrganization", Outcome::Done)], "{fate:?}");
        }
        assert_eq!(addresses(&rig.plan()), NOBODY, "{fate:?}");
        assert_eq!(of_that_name(&rig.world()), ["globex"], "{fate:?}");
    }
    // An organisation that isn't found may still exist under another slug.
    for fate in
        [Fate::DropBefore, Fate::KillBefore, Fate::Ignored(500, ""), Fate::Ignored(200, r#"{"data":null}"#)]
    {
        let mut rig = rig_of("globex", world(), SETTINGS);
        rig.wire.set_fates(&[fate]);
        let plan = rig.plan();
        if let Some(report) = rig.apply_plan(&plan) {
            assert_eq!(outcomes(&report), [("createOrganization", Outcome::Unsure)], "{fate:?}");
        }
        for _ in 0..2 {
            assert_eq!(addresses(&rig.plan()), NOBODY, "{fate:?}");
            assert_eq!(held(&rig.plan(), "organization"), [UNSURE], "{fate:?}");
            rig.apply();
        }
        assert_eq!(of_that_name(&rig.world()), NOBODY);
        let plan = asserted(&rig, "organization");
        assert_eq!(addresses(&plan), ["organization"]);
        rig.apply_plan(&plan).unwrap();
        assert_eq!(of_that_name(&rig.world()), ["globex"], "{fate:?}");
        assert_eq!(addresses(&rig.plan()), NOBODY, "{fate:?}");
    }
}

/// A refusal proves that it doesn't exist, so it is tried again.
#[test]
fn a_refused_making_is_tried_again() {
    let mut world = world();
    world.add_organization("Globex");
    // It belongs to somebody else, so it isn't visible to us.
    let taken = world.organization("globex").unwrap().id;
    let own = user(&world, OWN_EMAIL);
    world.organization_mut(taken).unwrap().members.retain(|it| it.user != own);
    world.assignments.retain(|row| row.entity != own || row.org != Some(taken));
    world.organization_mut(taken).unwrap().slug = "globex-1".to_owned();
    let mut rig = rig_of("globex", world, SETTINGS);
    assert_eq!(outcomes(&rig.apply()), [("createOrganization", Outcome::Failed)]);
    assert_eq!(addresses(&rig.plan()), ["organization"]);
    assert_eq!(rig.warnings()[0].code, Code::RefusedBefore);
    rig.world().organization_mut(taken).unwrap().name = "Initech".to_owned();
    assert!(converged(&rig.apply()));
    assert_eq!(of_that_name(&rig.world()), ["globex"]);
    assert_eq!(rig.warnings(), []);
}

/// The number of seats isn't shown, so it is no evidence against the creation.
#[test]
fn an_organisation_whose_seats_can_not_be_read_is_not_reported_untaken() {
    let mut rig = rig_of("globex", world(), SETTINGS);
    rig.wire.forge(|data| {
        if let Some(found) = data.get_mut("organization").filter(|it| !it.is_null()) {
            found["billingAdditionalValues"] = Value::Null;
        }
    });
    let report = rig.apply();
    assert_eq!(outcomes(&report), [("createOrganization", Outcome::Done)], "{report:#?}");
}

// ---- updating an organisation

#[test]
fn name_address_and_seats_are_changed_and_what_is_not_said_is_kept() {
    let mut world = world();
    let organization = acme(&world);
    {
        let found = world.organization_mut(organization).unwrap();
        (found.email, found.description) = (Some("old@acme.example".to_owned()), Some("ours".to_owned()));
        found.seats = 5;
    }
    let mut rig = Rig::new(world, "settings: { name: Acme Group, email: bills@acme.example }");
    assert_eq!(effects(&rig.plan(), "organization"), [Effect::SlugMayChange]);
    assert!(converged(&rig.apply()));
    assert_eq!(
        sent(&rig),
        [(
            "UpdateOrganization",
            json!({ "organizationId": organization, "name": "Acme Group", "email": "bills@acme.example", "description": "ours" })
        )]
    );
    assert_eq!(rig.world().organization("acme").unwrap().seats, 5);
    rig.set_file("settings: { seats: 7 }");
    assert_eq!(effects(&rig.plan(), "organization"), [Effect::MayBill]);
    assert!(converged(&rig.apply()));
    assert_eq!(sent(&rig)[1].1["seats"], json!(7));
    assert_eq!(rig.world().organization("acme").unwrap().name, "Acme Group");
    assert_eq!(addresses(&rig.plan()), NOBODY);
    // Fields that aren't in the file don't change.
    rig.set_file("settings: {}");
    assert_eq!(addresses(&rig.plan()), NOBODY);
}

/// Returns a full organisation of three members, and a file that invites another.
fn full() -> World {
    let mut world = with_teams(&["Payments"]);
    member(&mut world, "kim@acme.example", false, &[]);
    invitation(&mut world, "old@x.example", "DEVELOPER", &["Payments"]);
    let organization = acme(&world);
    world.organization_mut(organization).unwrap().seats = 3;
    world
}

#[test]
fn an_organisation_with_more_people_than_seats_can_be_planned() {
    let mut world = full();
    let organization = acme(&world);
    world.organization_mut(organization).unwrap().seats = 1;
    let body = "users: [{ email: new@x.example, roles: [Developer], teams: [Payments] }]";
    let rig = Rig::new(world, body);
    assert_eq!(addresses(&rig.plan()), NOBODY);
    let held =
        rig.plan().sealed.holds.iter().any(|hold| {
            matches!(hold.reason, rolecall_model::HoldReason::NoSeat { taken: 3, seats: 1, missing: 3 })
        });
    assert!(held, "{:#?}", rig.plan().sealed.holds);
    assert!(Rig::new(rig.world().clone(), "").try_plan().is_ok());
}

#[test]
fn seats_are_added_before_anybody_is_invited_who_needs_one() {
    let body = "settings: { seats: 4 }\nusers: [{ email: new@x.example, roles: [Developer], teams: [Payments] }]";
    let mut rig = Rig::new(full(), body);
    assert!(converged(&rig.apply()));
    assert_eq!(operations(&rig), ["UpdateOrganization", "CreateUserInvites"]);
    for fate in [Fate::Refuse, Fate::DropBefore] {
        let mut rig = Rig::new(full(), body);
        rig.wire.set_fates(&[fate; 2]);
        let report = rig.apply();
        assert_eq!(outcomes(&report)[1], ("createUserInvites", Outcome::Skipped), "{fate:?} {report:#?}");
        assert_eq!(rig.world().mails, NOBODY);
        rig.wire.set_fates(&[]);
        assert!(converged(&rig.apply()), "{fate:?}");
    }
}

#[test]
fn seats_go_after_those_who_leave_them() {
    let body = "settings: { seats: 1 }\nusers: [{ email: kim@acme.example, absent: true }, { email: old@x.example, absent: true }]";
    let mut rig = Rig::new(full(), body);
    assert!(converged(&rig.apply()));
    assert_eq!(operations(&rig), ["DeleteUserInvites", "RemoveTeamUserFromAllOrgTeams", "UpdateOrganization"]);
    assert_eq!(rig.world().organization("acme").unwrap().seats, 1);
    for fates in [[Fate::Refuse, Fate::Fine], [Fate::Fine, Fate::Refuse]] {
        let mut rig = Rig::new(full(), body);
        rig.wire.set_fates(&fates);
        let report = rig.apply();
        assert_eq!(report.steps.last().unwrap().operation, "updateOrganization");
        assert_eq!(report.steps.last().unwrap().outcome, Outcome::Skipped, "{fates:?}");
        assert_eq!(rig.world().organization("acme").unwrap().seats, 3);
        assert!(converged(&rig.apply()), "{fates:?}");
    }
}

/// All three seats of `full` are taken.
#[test]
fn seats_are_counted_before_anybody_is_invited() {
    let newcomers = "{ email: new1@x.example, roles: [Developer], teams: [Payments] }, { email: new2@x.example, roles: [Developer], teams: [Payments] }";
    let plan = Rig::new(full(), &format!("users: [{newcomers}]")).plan();
    assert_eq!(addresses(&plan), NOBODY);
    assert_eq!(
        held(&plan, "user/new1@x.example"),
        [
            "blocked: 3 of 3 seats are taken, and this plan needs 2 more. Raise `seats` in `settings`, or remove users or invitations."
        ]
    );
    // The one seat that is free goes to the first.
    let mut rig = Rig::new(full(), &format!("settings: {{ seats: 4 }}\nusers: [{newcomers}]"));
    assert_eq!(addresses(&rig.plan()), ["organization", "user/new1@x.example"]);
    assert!(held(&rig.plan(), "user/new2@x.example")[0].starts_with("blocked: 4 of 4 seats are taken"));
    rig.apply();
    assert_eq!(operations(&rig), ["UpdateOrganization", "CreateUserInvites"]);
    // The hub decides if somebody insists.
    let insisted = asserted(&Rig::new(full(), &format!("users: [{newcomers}]")), "user/new2@x.example");
    assert_eq!(addresses(&insisted), ["user/new2@x.example"]);
}

#[test]
fn a_newcomer_gets_the_seat_of_somebody_who_leaves_in_the_same_run() {
    let new = "{ email: a@x.example, roles: [Developer], teams: [Payments] }";
    let kim = format!("users: [{new}, {{ email: kim@acme.example, absent: true }}]");
    let old = format!("users: [{new}, {{ email: old@x.example, absent: true }}]");
    for (body, frees) in [(kim, "RemoveTeamUserFromAllOrgTeams"), (old, "DeleteUserInvites")] {
        let mut rig = Rig::new(full(), &body);
        assert!(converged(&rig.apply()), "{frees}");
        assert_eq!(operations(&rig), [frees, "CreateUserInvites"]);
        let mut rig = Rig::new(full(), &body);
        rig.wire.set_fates(&[Fate::Refuse]);
        assert_eq!(outcomes(&rig.apply())[1], ("createUserInvites", Outcome::Skipped), "{frees}");
        assert_eq!(rig.world().mails, NOBODY);
    }
}

#[test]
fn fewer_seats_than_are_needed_are_held() {
    let rig = Rig::new(full(), "settings: { seats: 2, description: New }");
    let plan = rig.plan();
    let told = "blocked: The file says `seats: 2`, and 3 are needed after this plan. Write at least 3, or remove users or invitations.";
    assert_eq!(held(&plan, "organization"), [told]);
    // The description is still changed.
    assert_eq!(plan.sealed.mutations.len(), 1);
    assert!(plan.sealed.mutations[0].variables["input"].get("seats").is_none());
    assert_eq!(addresses(&Rig::new(full(), "settings: { seats: 2 }").plan()), NOBODY);
    // A newcomer beside a leaver needs the seat that the file takes away.
    let both = "settings: { seats: 2 }\nusers: [{ email: kim@acme.example, absent: true }, { email: a@x.example, roles: [Developer], teams: [Payments] }]";
    assert_eq!(addresses(&Rig::new(full(), both).plan()), ["user/a@x.example", "user/kim@acme.example"]);
}

/// Live shows no number of seats, so the change may be up or down. Both change the bill.
#[test]
fn unreadable_seats_are_a_manual_step() {
    let rig = Rig::new(full(), "settings: { name: Acme Group, seats: 9 }");
    rig.wire.forge(|data| {
        if let Some(found) = data.get_mut("organization") {
            found["billingAdditionalValues"] = Value::Null;
        }
    });
    let plan = rig.plan();
    assert_eq!(
        held(&plan, "organization"),
        [
            "blocked: The file says `9`, but the number of seats is `unreadable`. Manual step: in the organisation's dashboard, Settings."
        ]
    );
    // The other changes of the organisation are sent.
    assert_eq!(plan.sealed.mutations.len(), 1);
    assert!(plan.sealed.mutations[0].variables["input"].get("seats").is_none());
    assert_eq!(effects(&plan, "organization"), [Effect::SlugMayChange]);
}

/// The next run looks for the slug in the file.
#[test]
fn a_slug_that_follows_the_name_is_said_when_it_changes() {
    let mut world = world();
    world.switches.rename_slug = RenameSlug::Follows;
    let mut rig = Rig::new(world, "settings: { name: Acme Group }");
    let report = rig.apply();
    let said = report.steps[0].message.clone().unwrap_or_default();
    assert!(said.contains("acme-group"), "no message says that the slug has changed: {report:#?}");
}

#[test]
fn an_organisation_that_was_renamed_with_its_slug_is_not_made_once_more() {
    let mut world = world();
    world.switches.rename_slug = RenameSlug::Follows;
    world.switches.duplicate_names = DuplicateNames::Allowed;
    let settings = "settings: { name: Acme Group, email: a@x.example, seats: 10000, create: true }";
    let mut rig = Rig::new(world, settings);
    rig.apply();
    assert!(matches!(rig.read().unwrap_err(), ReadError::OtherSlug { slug, .. } if slug == "acme-group"));
    assert_eq!(rig.world().organizations.len(), 1);
}

// ---- deleting an organisation

const ABSENT: &str = "settings: { absent: true }";

#[test]
fn the_organisation_that_we_call_from_is_not_deleted() {
    let mut rig = Rig::new(world(), ABSENT);
    assert_eq!(addresses(&rig.plan()), NOBODY);
    assert_eq!(
        held(&rig.plan(), "organization"),
        [
            "blocked: rolecall signs in with a key that belongs here, so this change would lock rolecall out. Use another credential first."
        ]
    );
    rig.apply();
    assert_eq!(operations(&rig), [] as [&str; 0]);
}

#[test]
fn another_organisation_is_deleted_with_all_that_is_in_it() {
    for fate in [Fate::Fine, Fate::DropAfter, Fate::Acted(200, r#"{"data":{"deleteOrganization":false}}"#)] {
        deletes("globex", fate);
    }
}

/// Tests a deletion. `named`: by its slug or by its id.
fn deletes(named: &str, fate: Fate) {
    let mut world = world();
    let globex = world.add_organization("globex");
    let kim = world.add_user("kim@x.example");
    world.add_member(globex, kim, false);
    let name = if named == "id" { globex.to_string() } else { named.to_owned() };
    let mut rig = rig_of(&name, world, ABSENT);
    let plan = rig.plan();
    assert_eq!(addresses(&plan), ["organization"]);
    let said = effects(&plan, "organization");
    assert_eq!(
        said[..2],
        [
            Effect::Irreversible,
            Effect::CascadesTo { what: "all of its teams, their apps with their keys, and their APIs".to_owned() }
        ]
    );
    assert!(matches!(&said[2], Effect::Affects { holders } if holders.len() == 2), "{said:?}");
    rig.wire.set_fates(&[fate]);
    let report = rig.apply_plan(&plan).unwrap();
    assert!(converged(&report), "{named} {fate:?} {report:#?}");
    assert_eq!(rig.wire.mutations()[0].variables, json!({ "id": globex.to_string() }));
    assert_eq!(rig.world().organizations.len(), 1);
    assert_eq!(addresses(&rig.plan()), NOBODY);
    // The members' accounts stay.
    assert_eq!(rig.world().user("kim@x.example").unwrap().status, "ACTIVE");
}

#[test]
fn an_organisation_that_is_named_by_its_id_is_deleted_and_stays_in_sync() {
    deletes("id", Fate::Fine);
}

#[test]
fn what_was_deleted_can_be_made_again() {
    let mut rig = rig_of("globex", world(), SETTINGS);
    rig.apply();
    set_file_of(&mut rig, "globex", ABSENT);
    assert!(converged(&rig.apply()));
    set_file_of(&mut rig, "globex", SETTINGS);
    assert_eq!(addresses(&rig.plan()), ["organization"], "{:?}", holds(&rig.plan()));
    rig.apply();
    assert_eq!(of_that_name(&rig.world()), ["globex"]);
}

/// Before a deletion, the team of the team key has to be known, because the deletion may include it.
#[test]
fn nothing_is_deleted_while_it_is_unknown_whose_key_we_call_with() {
    for (organization, body) in [
        ("acme", ABSENT),
        (
            "acme",
            "allow: [default-team-deletion]\nteams: [{ name: Payments }, { name: acme-Default, absent: true }]",
        ),
    ] {
        let rig = rig_of(organization, with_teams(&["Payments"]), body);
        rig.wire.forge(|data| {
            if let Some(entity) = data.get_mut("activeEntity") {
                entity["id"] = Value::Null;
            }
        });
        let plan = rig.read().map(|live| rig.plan_from(&live, &std::collections::BTreeSet::new(), None).unwrap());
        assert!(
            plan.as_ref().is_ok_and(|plan| plan.sealed.mutations.is_empty()) || plan.is_err(),
            "{:?}",
            plan.map(|plan| addresses(&plan))
        );
    }
}

/// The team of the team key may be one that the list leaves out.
#[test]
fn nothing_is_deleted_while_the_list_of_its_teams_is_incomplete() {
    let rig = Rig::new(with_teams(&["Payments"]), ABSENT);
    rig.wire.forge(|data| {
        if let Some(teams) = data.pointer_mut("/organization/teams").and_then(Value::as_array_mut) {
            teams.retain(|team| team["name"] != "acme-Default");
        }
    });
    let plan = rig.plan();
    assert!(plan.completeness["teams"].is_incomplete());
    assert_eq!(addresses(&plan), NOBODY, "{:?}", holds(&plan));
}

// ---- teams

#[test]
fn teams_are_made_changed_and_deleted() {
    let mut world = with_teams(&["Payments", "Legacy"]);
    let kim = member(&mut world, "kim@acme.example", false, &[("Legacy", "team-viewer")]);
    let payments = team(&world, "Payments");
    world.team_mut(payments).unwrap().thumbnail = Some("/p.svg".to_owned());
    let mut rig = Rig::new(
        world,
        "teams: [{ name: New, description: d, thumbnail: /n.svg }, { name: Payments, description: d }, { name: Legacy, absent: true }]",
    );
    let plan = rig.plan();
    assert_eq!(
        effects(&plan, "team/Legacy"),
        [
            Effect::Irreversible,
            Effect::CascadesTo { what: "its apps with their keys, and its APIs".to_owned() },
            Effect::Affects { holders: vec!["user/kim@acme.example".parse().unwrap()] }
        ]
    );
    assert!(converged(&rig.apply()));
    let organization = acme(&rig.world());
    assert_eq!(
        sent(&rig)[..2],
        [
            (
                "CreateTeam",
                json!({ "organizationId": organization, "name": "New", "description": "d", "thumbnail": "/n.svg" })
            ),
            ("UpdateTeam", json!({ "id": payments, "description": "d", "thumbnail": "/p.svg" })),
        ]
    );
    assert_eq!(operations(&rig)[2..], ["DeleteTeam"]);
    assert!(is_member(&rig.world(), "kim@acme.example"));
    assert!(rig.world().user_by_id(kim).is_some());
    assert_eq!(addresses(&rig.plan()), NOBODY);
    // The name of a deleted team is free.
    rig.set_file("teams: [{ name: Legacy }]");
    assert!(converged(&rig.apply()));
}

#[test]
fn a_lost_answer_to_the_making_of_a_team_makes_no_second_one() {
    for fate in [Fate::DropAfter, Fate::KillAfter, Fate::Acted(200, r#"{"data":{"createTeam":null}}"#)] {
        let mut world = world();
        world.switches.duplicate_names = DuplicateNames::Allowed;
        let mut rig = Rig::new(
            world,
            "teams: [{ name: New }]\nusers: [{ email: new@x.example, roles: [Developer], teams: [New] }]",
        );
        rig.wire.set_fates(&[fate]);
        let plan = rig.plan();
        rig.apply_plan(&plan);
        rig.apply();
        let world = rig.world().clone();
        let found = world.organization("acme").unwrap();
        assert_eq!(found.teams.iter().filter(|team| team.name == "New").count(), 1, "{fate:?}");
        assert_eq!(world.mails, ["new@x.example"], "{fate:?}");
        assert_eq!(found.invitations[0].teams, [team(&world, "New")], "{fate:?}");
    }
}

/// A user who joins a new team waits until it exists.
#[test]
fn nobody_is_invited_into_a_team_that_could_not_be_made() {
    let mut rig = Rig::new(
        world(),
        "teams: [{ name: New }]\nusers: [{ email: new@x.example, roles: [Developer], teams: [New] }]",
    );
    rig.wire.set_fates(&[Fate::Refuse]);
    let report = rig.apply();
    assert_eq!(outcomes(&report), [("createTeam", Outcome::Failed), ("createUserInvites", Outcome::Skipped)]);
    assert_eq!(rig.world().mails, NOBODY);
}

#[test]
fn the_team_that_we_call_for_the_one_that_came_with_it_and_the_last_one_stay() {
    let own = "blocked: rolecall signs in with a key that belongs here, so this change would lock rolecall out. Use another credential first.";
    let default = "blocked: This team was created with the organisation. Set `allow: [default-team-deletion]` in the file to delete it.";
    let last = "blocked: This is the last team of the organisation. Set `allow: [default-team-deletion]` in the file to delete it.";
    let absent = "teams: [{ name: acme-Default, absent: true }]";
    // The team of the team key is never deleted, whatever the file allows.
    for allow in ["", "allow: [default-team-deletion]\n"] {
        let plan = planned(with_teams(&["Payments"]), &format!("{allow}{absent}"));
        assert_eq!(addresses(&plan), NOBODY);
        assert_eq!(held(&plan, "team/acme-Default"), [own]);
    }
    // A team of another organisation, which the key doesn't belong to.
    let mut other = world();
    let globex = other.add_organization("globex");
    let payments = other.add_team(globex, "Payments");
    let with = |world: &World, body: &str| rig_of("globex", world.clone(), body).plan();
    let plan = with(&other, "teams: [{ name: globex-Default, absent: true }]");
    assert_eq!((addresses(&plan), held(&plan, "team/globex-Default")), (NOBODY, vec![default.to_owned()]));
    let plan = with(&other, "allow: [default-team-deletion]\nteams: [{ name: globex-Default, absent: true }]");
    assert_eq!(addresses(&plan), ["team/globex-Default"]);
    // All teams at once: one of them has to stay.
    let both = "teams: [{ name: globex-Default, absent: true }, { name: Payments, absent: true }]";
    assert_eq!(addresses(&with(&other, both)), ["team/Payments"]);
    let first = other.organization("globex").unwrap().teams[0].id;
    other.team_mut(first).unwrap().deleted = true;
    let plan = with(&other, "teams: [{ name: Payments, absent: true }]");
    assert_eq!((addresses(&plan), held(&plan, "team/Payments")), (NOBODY, vec![last.to_owned()]));
    assert!(other.team(payments).is_some());
}

/// The default team is recognised by the organisation's name, which may change, and by its slug, which may not.
#[test]
fn the_team_that_came_with_an_organisation_stays_after_the_organisation_was_renamed() {
    let mut world = world();
    let globex = world.add_organization("globex");
    world.add_team(globex, "Payments");
    let mut rig = rig_of("globex", world, "settings: { name: Globex International }");
    assert!(converged(&rig.apply()));
    for body in
        ["teams: [{ name: globex-Default, absent: true }]", "manage: { teams: all }\nteams: [{ name: Payments }]"]
    {
        set_file_of(&mut rig, "globex", body);
        assert_eq!(addresses(&rig.plan()), NOBODY, "{body}");
    }
}

#[test]
fn where_all_teams_are_managed_those_that_are_not_listed_go() {
    let mut rig =
        Rig::new(with_teams(&["Payments", "Legacy"]), "manage: { teams: all }\nteams: [{ name: Payments }]");
    assert_eq!(addresses(&rig.plan()), ["team/Legacy"]);
    assert_eq!(held(&rig.plan(), "team/acme-Default").len(), 1);
    assert!(matches!(rig.apply().final_state, FinalState::NeedsAttention(_)));
    // None of the listed teams exists, so this may be another hub.
    let plan = planned(with_teams(&["Payments"]), "manage: { teams: all }\nteams: [{ name: Paymens }]");
    assert_eq!(rails(&plan), ["manage"]);
}

/// The name alone doesn't say which team is meant.
#[test]
fn of_two_teams_of_one_name_the_id_tells_which() {
    let mut world = with_teams(&["Payments"]);
    world.switches.duplicate_names = DuplicateNames::Allowed;
    let organization = acme(&world);
    let other = world.add_team(organization, "Payments");
    member(&mut world, "kim@acme.example", false, &[]);
    for body in ["teams: [{ name: Payments, description: x }]", "teams: [{ name: Payments, absent: true }]"] {
        let found = findings(world.clone(), body);
        assert_eq!(found[0].code, Code::AmbiguousTeam, "{body}");
    }
    let found = findings(world.clone(), "users: [{ email: kim@acme.example, teams: [Payments] }]");
    assert_eq!(found[0].code, Code::UnknownTeam);
    let plan = planned(world, &format!("users: [{{ email: kim@acme.example, teams: [Payments ({other})] }}]"));
    assert_eq!(plan.sealed.mutations[0].variables["teamIds"], json!([other]));
}

#[test]
fn a_team_that_is_not_there_is_a_finding_with_the_one_that_is_near() {
    let mut world = with_teams(&["Payments"]);
    member(&mut world, "kim@acme.example", false, &[]);
    let found = findings(world.clone(), "users: [{ email: kim@acme.example, teams: [Paymens] }]");
    assert_eq!(
        (found[0].code, found[0].hint.as_deref().unwrap()),
        (Code::UnknownTeam, "Did you mean `Payments`?")
    );
    // A team that the plan deletes because the file doesn't list it.
    let found = findings(
        world,
        "manage: { teams: all }\nteams: [{ name: acme-Default }]\nusers: [{ email: kim@acme.example, teams: [Payments] }]",
    );
    assert_eq!(found[0].code, Code::TeamIsAbsent);
}

/// Deleted teams stay in the list. Their members and names don't count.
#[test]
fn a_team_that_was_deleted_by_another_hand_is_made_again() {
    let mut world = with_teams(&["Payments"]);
    let payments = team(&world, "Payments");
    member(&mut world, "kim@acme.example", false, &[("Payments", "team-viewer")]);
    world.team_mut(payments).unwrap().deleted = true;
    world.team_mut(payments).unwrap().members.clear();
    let mut rig = Rig::new(
        world,
        "teams: [{ name: Payments }]\nusers: [{ email: kim@acme.example, teams: { Payments: Team Admin } }]",
    );
    rig.wire.watch(Arc::new(move |world: &World| assert!(world.team(payments).unwrap().1.members.is_empty())));
    assert!(converged(&rig.apply()));
    assert_eq!(operations(&rig), ["CreateTeam", "AddUserToTeams", "UpsertEntityRole"]);
}

/// A read needs the team of the team key only if the plan may delete what it belongs to.
#[test]
fn whose_key_it_is_is_asked_only_where_something_is_deleted() {
    let asks = |body: &str| {
        let rig = Rig::new(with_teams(&["Payments"]), body);
        rig.read().unwrap();
        requests(&rig, 0).contains(&"ActiveEntity")
    };
    assert!(!asks("teams: [{ name: Payments }]"));
    assert!(asks("teams: [{ name: Payments, absent: true }]"));
    assert!(asks("manage: { teams: all }\nteams: [{ name: Payments }]"));
    assert!(asks(ABSENT));
}

// ---- the program

const PARTNERS: &str = "provider: rapidapi
organization: partners
endpoint: https://graphql-platform.p.rapidapi.com/
host: graphql-platform.p.rapidapi.com
credentials: { personal_key: { env: A }, team_key: { env: B } }
settings: { absent: true }
";

#[test]
fn an_organisation_is_deleted_only_if_its_name_is_typed() {
    let env = Env::new();
    env.write("partners.yaml", PARTNERS);
    let apply =
        |more: &[&str]| env.run(&[&["apply", "--sandbox", "--auto-approve", "partners.yaml"][..], more].concat());
    for more in [
        &[][..],
        &["--confirm-deletion", "platform-management"],
        &["--confirm-deletion", "PARTNERS"],
        &["--confirm-deletion", ""],
    ] {
        let said = apply(more);
        assert_eq!(said.code, 3, "{more:?}\n{}", said.all());
        assert!(
            said.stderr.contains("The deletion of the organisation partners was not confirmed. Nothing was sent."),
            "{}",
            said.all()
        );
    }
    // The organisation still exists.
    let plan = env.run(&["plan", "--sandbox", "--detailed-exitcode", "--out", "plan.json", "partners.yaml"]);
    assert_eq!(plan.code, 2, "{}", plan.all());
    assert!(plan.stdout.contains("- organization"), "{}", plan.all());
    // A reviewed plan doesn't replace the confirmation.
    let said = env.run(&["apply", "--sandbox", "--plan", "plan.json", "partners.yaml"]);
    assert_eq!(said.code, 3, "{}", said.all());
    let said =
        env.run(&["apply", "--sandbox", "--plan", "plan.json", "--confirm-deletion", "partners", "partners.yaml"]);
    assert_eq!(said.code, 0, "{}", said.all());
    let again = env.run(&["plan", "--sandbox", "--detailed-exitcode", "partners.yaml"]);
    assert_eq!(again.code, 0, "{}", again.all());
}

/// Other changes ask for no name, and a name alone deletes nothing.
#[test]
fn typing_a_name_deletes_nothing_that_the_file_does_not() {
    let env = Env::new();
    env.write("partners.yaml", PARTNERS.replace("{ absent: true }", "{ description: ours }"));
    let said =
        env.run(&["apply", "--sandbox", "--auto-approve", "--confirm-deletion", "partners", "partners.yaml"]);
    assert_eq!(said.code, 0, "{}", said.all());
    let said = env.run(&["plan", "--sandbox", "--detailed-exitcode", "partners.yaml"]);
    assert_eq!(said.code, 0, "{}", said.all());
}

#[test]
fn the_organisation_of_the_calling_team_is_held_whatever_is_typed() {
    let env = Env::new();
    env.write("own.yaml", PARTNERS.replace("organization: partners", "organization: platform-management"));
    let said = env.run(&[
        "apply",
        "--sandbox",
        "--auto-approve",
        "--confirm-deletion",
        "platform-management",
        "own.yaml",
    ]);
    assert!(said.stdout.contains("rolecall signs in with a key that belongs here, so this change would lock rolecall out. Use another credential first."), "{}", said.all());
    let drift = env.run(&["drift", "--sandbox", "own.yaml"]);
    assert_eq!(drift.code, 2, "{}", drift.all());
}

// ---- protected addresses

/// Whatever a deletion includes is protected as if it were deleted by itself.
#[test]
fn nothing_is_deleted_that_somebody_protected_would_lose() {
    let mut world = with_teams(&["Payments"]);
    let partners = world.add_organization("partners");
    let pia = world.add_user("pia@x.example");
    world.add_member(partners, pia, false);
    for protected in ["user/pia@x.example", "team/partners-Default"] {
        let rig =
            rig_of("partners", world.clone(), &format!("guardrails: {{ protected: [{protected}] }}\n{ABSENT}"));
        let plan = rig.plan();
        assert_eq!(addresses(&plan), NOBODY, "{protected}");
        assert_eq!(
            held(&plan, "organization"),
            [format!(
                "blocked: This change would also change the access of {protected}, and the file's guardrails protect them."
            )]
        );
    }
    member(&mut world, "kim@x.example", false, &[("Payments", "team-viewer")]);
    invitation(&mut world, "new@x.example", "DEVELOPER", &["Payments"]);
    for protected in ["user/kim@x.example", "user/new@x.example"] {
        let body =
            format!("guardrails: {{ protected: [{protected}] }}\nteams: [{{ name: Payments, absent: true }}]");
        let plan = planned(world.clone(), &body);
        assert_eq!(addresses(&plan), NOBODY, "{protected}");
        assert_eq!(
            held(&plan, "team/Payments"),
            [format!(
                "blocked: This change would also change the access of {protected}, and the file's guardrails protect them."
            )]
        );
    }
}

/// An absent organisation's contents aren't compared, so other entries in the file would be ignored silently.
#[test]
fn an_organisation_that_is_absent_has_nobody_in_it() {
    for (rest, field) in [
        ("users: [{ email: kim@x.example, absent: true, status: deactivated }]", "users"),
        ("teams: [{ name: A }]", "teams"),
    ] {
        let source = Source::inline("acme.yaml", format!("{}{ABSENT}\n{rest}\n", crate::support::rapidapi::HEAD));
        let (_, findings) = check_source(&source, rolecall_providers::format);
        let said: Vec<_> = findings.iter().map(|it| (it.code, it.message.as_str())).collect();
        assert_eq!(said, [(Code::AbsentWithValues, format!("`{field}` contradicts `absent: true`.").as_str())]);
    }
}

#[test]
fn a_team_whose_name_ends_in_a_space_can_be_kept_and_joined() {
    let mut world = world();
    let organization = acme(&world);
    world.add_team(organization, "Odd ");
    member(&mut world, "sam@x.example", false, &[("Odd ", "team-viewer")]);
    let found = findings(world.clone(), "users: [{ email: sam@x.example, teams: [Odd] }]");
    assert!(
        found.iter().any(|finding| finding.hint.as_deref().is_some_and(|hint| hint.contains("`Odd `"))),
        "{found:?}"
    );
    let plan = planned(world, "users: [{ email: sam@x.example, teams: [\"Odd \"] }]");
    assert!(plan.sealed.changes.is_empty(), "{:?}", plan.sealed.changes);
}
