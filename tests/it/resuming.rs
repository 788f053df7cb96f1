//! An approved plan that was interrupted goes on. Each of these cases was found by a law.

use crate::support::rig::{Platform, Rig};
use crate::support::{hive, paradime, rapidapi};
use rolecall_sandbox::hive::WorldToken;
use rolecall_sandbox::paradime::UserStatus;

/// Stops a run before each line of its ledger, and goes on with the approved plan.
fn goes_on_from_any_line<P: Platform>(world: &P::World, body: &str) -> Vec<Rig<P>>
where
    P::World: Clone,
{
    let plan = Rig::<P>::new(world.clone(), body).plan();
    let mut ended = Vec::new();
    for lines in 0.. {
        let mut rig = Rig::<P>::new(world.clone(), body);
        if !rig.apply_until_line(&plan, lines) {
            break;
        }
        let approval = rig.resume(&plan);
        assert!(approval.stale.is_empty(), "before line {lines}: {:#?}", approval.stale);
        ended.push(rig);
    }
    assert!(ended.len() > plan.sealed.mutations.len());
    ended
}

/// Two users whose addresses differ only in upper and lower case have ids in their addresses. Once one of them is
/// disabled, and no longer listed, the other has none.
#[test]
fn a_namesake_that_is_disabled_changes_the_address_of_the_other() {
    let mut world = paradime::world();
    paradime::user(&mut world, "u4@x.example", "DEVELOPER");
    paradime::user(&mut world, "U4@X.EXAMPLE", "DEVELOPER");
    let body = "manage: { users: all }\nguardrails: { max_removals: 100% }\nusers: [{ email: own@x.example }]";
    for rig in goes_on_from_any_line::<paradime::Workspace>(&world, body) {
        let works = |email: &str| {
            rig.world().users.iter().any(|user| user.email == email && user.status == UserStatus::Active)
        };
        assert!(!works("u4@x.example") && !works("U4@X.EXAMPLE"));
    }
}

/// The same with two tokens of one title.
#[test]
fn a_token_that_is_deleted_changes_the_address_of_its_namesake() {
    let mut world = hive::world();
    let own = world.tokens[0].clone();
    for name in ["one", "two"] {
        let (id, title) = (hive::uuid(name), "twin".to_owned());
        world.tokens.push(WorldToken { id, title, ..own.clone() });
    }
    let body = "guardrails: { max_removals: 100% }\nkeys: [{ name: twin, absent: true }]";
    for rig in goes_on_from_any_line::<hive::Console>(&world, body) {
        assert_eq!(rig.world().tokens.len(), 1);
    }
}

/// A deletion whose answer was lost can't be seen in a list that is cut off. It isn't sent again, and isn't taken for a
/// change of the file.
#[test]
fn a_deleted_role_that_a_cut_off_list_may_lack_is_not_out_of_date() {
    let mut world = hive::world();
    for index in 0..53 {
        hive::role(&mut world, &format!("Kept {index:02}"), &[]);
    }
    for index in 0..6 {
        hive::role(&mut world, &format!("Old {index}"), &[]);
    }
    let body = "manage: { roles: all }\nguardrails: { max_removals: 100%, protected: ['role/Kept*'] }\nroles: []";
    goes_on_from_any_line::<hive::Console>(&world, body);
}

/// The change of a member doesn't mention the teams that the same plan deletes. While these are still there, the
/// change is done all the same.
#[test]
fn a_demoted_admin_is_done_although_a_team_is_not_deleted_yet() {
    let mut world = rapidapi::with_teams(&["T0", "T1"]);
    rapidapi::member(&mut world, "u2@x.example", true, &[]);
    let body = "manage: { teams: all }
allow: [default-team-deletion]
guardrails: { max_removals: 100% }
teams: [{ name: acme-Default }, { name: T1 }]
users: [{ email: u2@x.example, roles: [Developer], teams: {} }]";
    goes_on_from_any_line::<rapidapi::Hub>(&world, body);
}

/// An admin who is in every team joins the one that the plan creates. Their role in it isn't known before that.
#[test]
fn a_demoted_admin_leaves_a_team_that_the_plan_creates() {
    for generation in rapidapi::GENERATIONS {
        let mut world = rapidapi::with_teams(&["T0"]);
        world.switches.generation = generation;
        rapidapi::member(&mut world, "u2@x.example", true, &[]);
        let body = "guardrails: { max_removals: 100% }
teams: [{ name: T3, description: new }]
users: [{ email: u2@x.example, roles: [Developer], teams: {} }]";
        goes_on_from_any_line::<rapidapi::Hub>(&world, body);
    }
}

/// A seat that is free because an invitation was cancelled, to send a corrected one, belongs to whom it was for.
#[test]
fn a_corrected_invitation_keeps_its_seat_before_a_newcomer() {
    let mut world = rapidapi::with_teams(&["T0", "T1"]);
    rapidapi::invitation(&mut world, "u1@x.example", "DEVELOPER", &["T0"]);
    let organization = rapidapi::acme(&world);
    let taken = world.organization("acme").unwrap().occupied_seats();
    world.organization_mut(organization).unwrap().seats = i32::try_from(taken).unwrap();
    let body = "users:
  - { email: u0@x.example, roles: [Developer], teams: [T1] }
  - { email: u1@x.example, roles: [Developer], teams: [T1] }";
    for rig in goes_on_from_any_line::<rapidapi::Hub>(&world, body) {
        let invited: Vec<String> = rapidapi::invited(&rig.world()).into_iter().map(|(email, ..)| email).collect();
        assert_eq!(invited, ["u1@x.example"]);
        let mut rig = rig;
        rig.apply();
        assert_eq!(rapidapi::invited(&rig.world()).len(), 1);
    }
}
