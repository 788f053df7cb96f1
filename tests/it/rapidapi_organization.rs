//! Stories of an organisation on a RapidAPI hub, and of its teams, each a thing that users rely on.

use std::sync::Arc;

use crate::support::cli::Env;
use crate::support::rapidapi::{
    NOBODY, Rig, acme, asserted, converged, effects, findings, head_of, held, invitation, is_member, member,
    operations, outcomes, planned, requests, rig_of, sent, team, user, wish_of, with_teams, world,
};
use crate::support::rig::{Fate, addresses, holds};
use rolecall_config::{Source, check_source};
use rolecall_engine::apply::FinalState;
use rolecall_model::{Code, Effect, Outcome};
use rolecall_providers::ReadError;
use rolecall_sandbox::rapidapi::{DuplicateNames, OWN_EMAIL, RenameSlug, World};
use serde_json::{Value, json};

const SETTINGS: &str = "settings: { name: Globex, email: bills@globex.example, seats: 25, create: true }\n";

const UNSURE: &str = "blocked: its making was sent on 2026-11-21, and it isn't listed; look whether it is there under another slug. `--assert` has it made once more, which may cost once more";

fn rails(plan: &rolecall_model::OrganizationPlan) -> Vec<&str> {
    plan.refusals.iter().map(|refusal| refusal.guardrail.as_str()).collect()
}

/// The program's errors for a file that is wrong by itself.
fn errors(text: &str) -> Vec<(Code, String)> {
    let (_, found) = check_source(&Source::inline("test.yaml", text), rolecall_providers::rules);
    found.into_iter().filter(rolecall_model::Finding::is_error).map(|it| (it.code, it.message)).collect()
}

fn of_that_name(world: &World) -> Vec<String> {
    let named = world.organizations.iter().filter(|it| it.name == "Globex");
    named.map(|it| it.slug.clone()).collect()
}

// ---- making one

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
        assert_eq!(held(&plan, waits), ["waiting: follows once the organisation is there"], "{waits}");
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
    // The team that came with it is the one that the file names, and not made a second time.
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
    // Once all are in, what invitations can't say is written.
    let id = made.id;
    for email in ["admin@x.example", "dev@x.example"] {
        assert!(rig.world().accept(id, email));
    }
    assert_eq!(addresses(&rig.plan()), ["user/dev@x.example"]);
    assert!(converged(&rig.apply()));
}

/// They are invited together with it, so they need none afterwards either.
#[test]
fn whoever_was_invited_with_the_organisation_and_needs_no_team_keeps_nobody_from_being_planned() {
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
        assert_eq!(
            error.to_string(),
            "there is no organisation globex that the credential reaches; it reaches acme, partners"
        );
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
        assert_eq!(found[0].message, format!("the organisation isn't there yet, and making it needs {lacks}"));
    }
}

/// An id is given by the hub.
#[test]
fn an_organisation_that_is_to_be_made_is_named_by_its_slug() {
    let text = format!("{}{SETTINGS}", head_of(8_000_002));
    assert_eq!(
        errors(&text),
        [(Code::InvalidValue, "an organisation that is to be made can't be named by an id".to_owned())]
    );
    // A slug may begin with a number.
    assert_eq!(errors(&format!("{}{SETTINGS}", head_of("3-globex"))), []);
    let zero = format!("{}settings: {{ name: A, email: a@x.example, seats: 0, create: true }}", head_of("a"));
    assert_eq!(errors(&zero).len(), 1);
    let both = format!("{}settings: {{ absent: true, create: true, name: A }}", head_of("a"));
    assert!(errors(&both).iter().all(|(code, _)| *code == Code::AbsentWithValues), "{:?}", errors(&both));
    assert_eq!(errors(&both).len(), 2);
}

/// The hub derives the slug from the name, and the file looks for the slug.
#[test]
fn a_slug_that_comes_out_different_stops_the_run_and_is_never_made_twice() {
    let staffed = format!("{SETTINGS}{STAFF}");
    for fate in [Fate::Fine, Fate::DropAfter, Fate::KillAfter] {
        let mut world = world();
        "-hub7".clone_into(&mut world.switches.slug_suffix);
        // Names of others don't keep it from being made.
        world.switches.duplicate_names = DuplicateNames::Allowed;
        let mut rig = rig_of("globex", world, &staffed);
        rig.wire.doom(&[fate]);
        let plan = rig.plan();
        let report = rig.apply_plan(&plan);
        assert_eq!(operations(&rig), ["CreateOrganization"], "{fate:?}");
        if fate == Fate::Fine {
            let report = report.unwrap();
            let said = report.steps[0].message.clone().unwrap();
            assert_eq!(
                said,
                "the organisation was made, and its slug came out as globex-hub7, not globex: write `organization: globex-hub7` before the next run. Nothing more is sent"
            );
            assert!(!matches!(report.final_state, FinalState::InSync { .. }), "{:?}", report.final_state);
            assert!(report.stopped.is_some());
        }
        // Any later run says so, and sends nothing.
        for _ in 0..2 {
            let error = rig.read().unwrap_err();
            assert_eq!(
                error,
                ReadError::OtherSlug { organization: "globex".to_owned(), slug: "globex-hub7".to_owned() },
                "{fate:?}"
            );
            assert!(error.next_step().contains("nothing was made a second time"));
        }
        assert_eq!(of_that_name(&rig.world()), ["globex-hub7"], "{fate:?}");
        wish_of(&mut rig, "globex-hub7", &staffed);
        assert_eq!(addresses(&rig.plan()), ["team/Globex-Default", "team/Payments", "user/dev@x.example"]);
    }
}

#[test]
fn a_lost_answer_to_the_making_of_an_organisation_never_makes_another() {
    for fate in [Fate::DropAfter, Fate::KillAfter, Fate::Acted(500, ""), Fate::Acted(200, "<html>")] {
        let mut world = world();
        world.switches.duplicate_names = DuplicateNames::Allowed;
        let mut rig = rig_of("globex", world, SETTINGS);
        rig.wire.doom(&[fate]);
        let plan = rig.plan();
        if let Some(report) = rig.apply_plan(&plan) {
            assert_eq!(outcomes(&report), [("createOrganization", Outcome::Done)], "{fate:?}");
        }
        assert_eq!(addresses(&rig.plan()), NOBODY, "{fate:?}");
        assert_eq!(of_that_name(&rig.world()), ["globex"], "{fate:?}");
    }
    // One that isn't listed may be there all the same, under another name.
    for fate in
        [Fate::DropBefore, Fate::KillBefore, Fate::Ignored(500, ""), Fate::Ignored(200, r#"{"data":null}"#)]
    {
        let mut rig = rig_of("globex", world(), SETTINGS);
        rig.wire.doom(&[fate]);
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

/// That it is refused says that there is none, so that it is tried again.
#[test]
fn a_refused_making_is_tried_again() {
    let mut world = world();
    world.add_organization("Globex");
    // Of somebody else, so that nobody tells us.
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

/// Nothing is said of seats, so that nothing speaks against its being there.
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

// ---- changing one

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
    // Nothing that the file leaves out is touched.
    rig.set_file("settings: {}");
    assert_eq!(addresses(&rig.plan()), NOBODY);
}

/// A full organisation of three, and somebody invited to it.
fn full() -> World {
    let mut world = with_teams(&["Payments"]);
    member(&mut world, "kim@acme.example", false, &[]);
    invitation(&mut world, "old@x.example", "DEVELOPER", &["Payments"]);
    let organization = acme(&world);
    world.organization_mut(organization).unwrap().seats = 3;
    world
}

#[test]
fn seats_are_added_before_anybody_is_invited_who_needs_one() {
    let body = "settings: { seats: 4 }\nusers: [{ email: new@x.example, roles: [Developer], teams: [Payments] }]";
    let mut rig = Rig::new(full(), body);
    assert!(converged(&rig.apply()));
    assert_eq!(operations(&rig), ["UpdateOrganization", "CreateUserInvites"]);
    for fate in [Fate::Refuse, Fate::DropBefore] {
        let mut rig = Rig::new(full(), body);
        rig.wire.doom(&[fate; 2]);
        let report = rig.apply();
        assert_eq!(outcomes(&report)[1], ("createUserInvites", Outcome::Skipped), "{fate:?} {report:#?}");
        assert_eq!(rig.world().mails, NOBODY);
        rig.wire.doom(&[]);
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
        rig.wire.doom(&fates);
        let report = rig.apply();
        assert_eq!(report.steps.last().unwrap().operation, "updateOrganization");
        assert_eq!(report.steps.last().unwrap().outcome, Outcome::Skipped, "{fates:?}");
        assert_eq!(rig.world().organization("acme").unwrap().seats, 3);
        assert!(converged(&rig.apply()), "{fates:?}");
    }
}

#[test]
fn too_few_seats_are_refused_by_the_hub_and_reported() {
    let mut rig = Rig::new(full(), "settings: { seats: 2 }");
    let report = rig.apply();
    assert_eq!(outcomes(&report), [("updateOrganization", Outcome::Failed)]);
    assert!(report.steps[0].message.as_ref().unwrap().contains("2 seats are too few"));
    // An invitation without a free one is refused as well, and nothing is reported done.
    let mut rig = Rig::new(full(), "users: [{ email: new@x.example, roles: [Developer], teams: [Payments] }]");
    assert_eq!(outcomes(&rig.apply()), [("createUserInvites", Outcome::Failed)]);
}

/// More or less: nobody knows, and either is paid for.
#[test]
fn seats_that_can_not_be_read_are_changed_by_hand() {
    let rig = Rig::new(full(), "settings: { name: Acme Group, seats: 9 }");
    rig.wire.forge(|data| {
        if let Some(found) = data.get_mut("organization") {
            found["billingAdditionalValues"] = Value::Null;
        }
    });
    let plan = rig.plan();
    assert_eq!(
        held(&plan, "organization"),
        ["blocked: the number of seats is `unreadable`, wished `9`: in the organisation's dashboard, Settings"]
    );
    // What else is wished of it goes out.
    assert_eq!(plan.sealed.mutations.len(), 1);
    assert!(plan.sealed.mutations[0].variables["input"].get("seats").is_none());
    assert_eq!(effects(&plan, "organization"), [Effect::SlugMayChange]);
}

/// The next run looks for the slug that the file has.
#[test]
fn a_slug_that_follows_the_name_is_said_when_it_changes() {
    let mut world = world();
    world.switches.rename_slug = RenameSlug::Follows;
    let mut rig = Rig::new(world, "settings: { name: Acme Group }");
    let report = rig.apply();
    let said = report.steps[0].message.clone().unwrap_or_default();
    assert!(said.contains("acme-group"), "nobody was told that the slug is another now: {report:#?}");
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

// ---- deleting one

const ABSENT: &str = "settings: { absent: true }";

#[test]
fn the_organisation_that_we_call_from_is_not_deleted() {
    let mut rig = Rig::new(world(), ABSENT);
    assert_eq!(addresses(&rig.plan()), NOBODY);
    assert_eq!(
        held(&rig.plan(), "organization"),
        ["blocked: rolecall itself calls with this, and would lock itself out"]
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

/// `named`: by its slug or its id.
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
    assert!(matches!(&said[2], Effect::Touches { holders } if holders.len() == 2), "{said:?}");
    rig.wire.doom(&[fate]);
    let report = rig.apply_plan(&plan).unwrap();
    assert!(converged(&report), "{named} {fate:?} {report:#?}");
    assert_eq!(rig.wire.mutations()[0].variables, json!({ "id": globex.to_string() }));
    assert_eq!(rig.world().organizations.len(), 1);
    assert_eq!(addresses(&rig.plan()), NOBODY);
    // By another hand it would be made again only where the file says so.
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
    wish_of(&mut rig, "globex", ABSENT);
    assert!(converged(&rig.apply()));
    wish_of(&mut rig, "globex", SETTINGS);
    assert_eq!(addresses(&rig.plan()), ["organization"], "{:?}", holds(&rig.plan()));
    rig.apply();
    assert_eq!(of_that_name(&rig.world()), ["globex"]);
}

/// Whose team's key it is has to be known before anything goes that it may belong to.
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

/// The one that we call for may be among those that aren't listed.
#[test]
fn nothing_is_deleted_while_the_list_of_its_teams_is_incomplete() {
    let rig = Rig::new(with_teams(&["Payments"]), ABSENT);
    rig.wire.forge(|data| {
        if let Some(teams) = data.pointer_mut("/organization/teams").and_then(Value::as_array_mut) {
            teams.retain(|team| team["name"] != "acme-Default");
        }
    });
    let plan = rig.plan();
    assert!(plan.completeness["teams"].is_broken());
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
            Effect::Touches { holders: vec!["user/kim@acme.example".parse().unwrap()] }
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
    // Its name is free.
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
        rig.wire.doom(&[fate]);
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

/// Whoever is put into it waits for it.
#[test]
fn nobody_is_invited_into_a_team_that_could_not_be_made() {
    let mut rig = Rig::new(
        world(),
        "teams: [{ name: New }]\nusers: [{ email: new@x.example, roles: [Developer], teams: [New] }]",
    );
    rig.wire.doom(&[Fate::Refuse]);
    let report = rig.apply();
    assert_eq!(outcomes(&report), [("createTeam", Outcome::Failed), ("createUserInvites", Outcome::Skipped)]);
    assert_eq!(rig.world().mails, NOBODY);
}

#[test]
fn the_team_that_we_call_for_the_one_that_came_with_it_and_the_last_one_stay() {
    let own = "blocked: rolecall itself calls with this, and would lock itself out";
    let default = "blocked: the team that came with the organisation; `allow: [default-team-deletion]` in the file lets it be deleted";
    let last = "blocked: the last team of the organisation; `allow: [default-team-deletion]` in the file lets it be deleted";
    let absent = "teams: [{ name: acme-Default, absent: true }]";
    // What we call with is never deleted, whatever the file allows.
    for allow in ["", "allow: [default-team-deletion]\n"] {
        let plan = planned(with_teams(&["Payments"]), &format!("{allow}{absent}"));
        assert_eq!(addresses(&plan), NOBODY);
        assert_eq!(held(&plan, "team/acme-Default"), [own]);
    }
    // Of another organisation, which we don't call for.
    let mut other = world();
    let globex = other.add_organization("globex");
    let payments = other.add_team(globex, "Payments");
    let with = |world: &World, body: &str| rig_of("globex", world.clone(), body).plan();
    let plan = with(&other, "teams: [{ name: globex-Default, absent: true }]");
    assert_eq!((addresses(&plan), held(&plan, "team/globex-Default")), (NOBODY, vec![default.to_owned()]));
    let plan = with(&other, "allow: [default-team-deletion]\nteams: [{ name: globex-Default, absent: true }]");
    assert_eq!(addresses(&plan), ["team/globex-Default"]);
    // All of them at once: one stays.
    let both = "teams: [{ name: globex-Default, absent: true }, { name: Payments, absent: true }]";
    assert_eq!(addresses(&with(&other, both)), ["team/Payments"]);
    let first = other.organization("globex").unwrap().teams[0].id;
    other.team_mut(first).unwrap().deleted = true;
    let plan = with(&other, "teams: [{ name: Payments, absent: true }]");
    assert_eq!((addresses(&plan), held(&plan, "team/Payments")), (NOBODY, vec![last.to_owned()]));
    assert!(other.team(payments).is_some());
}

/// It is known by the organisation's name, which may change, and by its slug, which may not.
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
        wish_of(&mut rig, "globex", body);
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
    // None of those listed is there: perhaps another hub.
    let plan = planned(with_teams(&["Payments"]), "manage: { teams: all }\nteams: [{ name: Paymens }]");
    assert_eq!(rails(&plan), ["manage"]);
}

/// Nobody knows which is meant.
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
        (Code::UnknownTeam, "did you mean `Payments`?")
    );
    // One that the plan deletes for not being listed.
    let found = findings(
        world,
        "manage: { teams: all }\nteams: [{ name: acme-Default }]\nusers: [{ email: kim@acme.example, teams: [Payments] }]",
    );
    assert_eq!(found[0].code, Code::TeamIsAbsent);
}

/// Deleted teams stay listed, and their people and names don't count.
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

/// A read needs to know whose team's key it is only where something may go that it belongs to.
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
fn an_organisation_is_deleted_only_by_whoever_types_its_name() {
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
            said.stderr.contains("the deletion of the organisation partners wasn't confirmed; nothing was sent"),
            "{}",
            said.all()
        );
    }
    // It is there still.
    let plan = env.run(&["plan", "--sandbox", "--detailed-exitcode", "--out", "plan.json", "partners.yaml"]);
    assert_eq!(plan.code, 2, "{}", plan.all());
    assert!(plan.stdout.contains("- organization"), "{}", plan.all());
    // A reviewed plan is no substitute.
    let said = env.run(&["apply", "--sandbox", "--plan", "plan.json", "partners.yaml"]);
    assert_eq!(said.code, 3, "{}", said.all());
    let said =
        env.run(&["apply", "--sandbox", "--plan", "plan.json", "--confirm-deletion", "partners", "partners.yaml"]);
    assert_eq!(said.code, 0, "{}", said.all());
    let again = env.run(&["plan", "--sandbox", "--detailed-exitcode", "partners.yaml"]);
    assert_eq!(again.code, 0, "{}", again.all());
}

/// Nobody is asked to type a name for anything else, and typing one deletes nothing.
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
    assert!(said.stdout.contains("rolecall itself calls with this, and would lock itself out"), "{}", said.all());
    let drift = env.run(&["drift", "--sandbox", "own.yaml"]);
    assert_eq!(drift.code, 2, "{}", drift.all());
}

// ---- who is protected

/// What goes with an organisation or a team is as protected as if it were named itself.
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
            [format!("blocked: would change what {protected} may do, whom the file's guardrails protect")]
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
            [format!("blocked: would change what {protected} may do, whom the file's guardrails protect")]
        );
    }
}

/// Nothing within it is looked at, so that whatever else the file says would be left undone without a word.
#[test]
fn an_organisation_that_is_absent_has_nobody_in_it() {
    for (rest, field) in [
        ("users: [{ email: kim@x.example, absent: true, status: deactivated }]", "users"),
        ("teams: [{ name: A }]", "teams"),
    ] {
        let source = Source::inline("acme.yaml", format!("{}{ABSENT}\n{rest}\n", crate::support::rapidapi::HEAD));
        let (_, findings) = check_source(&source, rolecall_providers::rules);
        let said: Vec<_> = findings.iter().map(|it| (it.code, it.message.as_str())).collect();
        assert_eq!(said, [(Code::AbsentWithValues, format!("`{field}` contradicts `absent: true`").as_str())]);
    }
}
