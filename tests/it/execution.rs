//! Execution of a plan: parallel requests, batches, and lost or unclear answers.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::hive::{Rig, member, role, world};
use crate::support::rig::Fate;
use rolecall_engine::apply::{FinalState, Report, Stop};
use rolecall_model::Outcome;
use rolecall_sandbox::hive::{Assignment, World};
use tokio::time::Instant;

/// The refusal of a server that accepts fewer aliases.
const REFUSED: &str = r#"{"errors":[{"message":"Syntax Error: Aliases limit of 1 exceeded, found 9."}]}"#;

/// Returns a world and a file that gives this many members another role.
fn role_changes(count: usize) -> (World, String) {
    let mut world = world();
    let more = ["support:manageTickets", "project:describe", "laboratory:describe", "laboratory:modify"];
    role(&mut world, "Developer", &more);
    let users = (0..count).map(|index| {
        let email = format!("u{index:03}@x.example");
        member(&mut world, &email, "Viewer", Assignment::All);
        format!("{{ email: {email}, roles: [Developer], resources: all }}")
    });
    let users: Vec<String> = users.collect();
    (world, format!("users: [{}]", users.join(", ")))
}

fn operations(rig: &Rig) -> Vec<&'static str> {
    rig.wire.mutations().iter().map(|request| request.operation_name).collect()
}

fn converged(report: &Report) -> bool {
    matches!(report.final_state, FinalState::InSync { .. })
}

fn count_moved(world: &World) -> usize {
    let developer = world.role("Developer").unwrap().id.clone();
    world.members.iter().filter(|member| member.role_id == developer).count()
}

/// Returns the outcomes other than done, with their addresses.
fn not_done(report: &Report) -> Vec<(String, Outcome)> {
    let open = report.steps.iter().filter(|step| step.outcome != Outcome::Done);
    open.map(|step| (step.address.to_string(), step.outcome)).collect()
}

#[test]
fn twenty_go_in_one_document_once_the_first_was_answered() {
    let (world, body) = role_changes(46);
    let mut rig = Rig::new(world, &body);
    let report = rig.apply();
    assert!(report.all_done() && converged(&report), "{report:#?}");
    assert_eq!(operations(&rig), ["AssignMemberRole", "Batch", "Batch", "Batch"]);
    let sizes: Vec<usize> =
        rig.wire.mutations().iter().map(|request| request.variables.as_object().unwrap().len()).collect();
    assert_eq!(sizes, [1, 20, 20, 5]);
    assert_eq!(count_moved(&rig.world()), 46);
}

#[test]
fn one_request_at_once_is_one_mutation_a_request() {
    let (world, body) = role_changes(5);
    let mut rig = Rig::new(world, &body);
    rig.parallelism = Some(1);
    assert!(rig.apply().all_done());
    assert_eq!(operations(&rig), ["AssignMemberRole"; 5]);
}

#[test]
fn steps_are_reported_in_the_order_of_the_plan_however_they_came_back() {
    let (world, body) = role_changes(30);
    let mut rig = Rig::new(world, &body);
    let seconds = Mutex::new([9, 9, 1].into_iter());
    rig.wire.delay(Arc::new(move || Duration::from_secs(seconds.lock().unwrap().next().unwrap_or(0))));
    let report = rig.apply();
    let ids: Vec<String> = report.steps.iter().map(|step| step.mutation.clone()).collect();
    assert_eq!(ids, (1..=30).map(|place| format!("m{place}")).collect::<Vec<_>>());
}

/// The server stops at the first mutation that fails with an error, and leaves out the results of those before it
/// (measured on Hive 8.1.2).
#[test]
fn where_one_of_a_document_throws_the_others_are_looked_up_and_those_that_never_ran_are_sent_again() {
    for gateway in [false, true] {
        let (mut world, body) = role_changes(9);
        world.switches.gateway = gateway;
        let mut rig = Rig::new(world, &body);
        let plan = rig.plan();
        // Somebody else removes the member.
        rig.world().members.retain(|member| member.email != "u004@x.example");
        let report = rig.apply_plan(&plan).unwrap();
        assert_eq!(not_done(&report), [("user/u004@x.example".to_owned(), Outcome::Unsure)], "{gateway}");
        assert_eq!(count_moved(&rig.world()), 8);
        // None that had run was sent again; each of the others was sent once.
        let again = 4;
        assert_eq!(rig.intents(), 9 + again, "{gateway} {:?}", operations(&rig));
        assert_eq!(operations(&rig)[..2], ["AssignMemberRole", "Batch"]);
        assert_eq!(operations(&rig)[2..], ["AssignMemberRole"; 4], "what was lost once goes by itself");
        assert_eq!(report.stopped, None);
    }
}

#[test]
fn a_server_that_takes_no_document_of_several_gets_one_after_the_other() {
    let (world, body) = role_changes(9);
    let mut rig = Rig::new(world, &body);
    rig.wire.set_fates(&[Fate::Fine, Fate::Ignored(400, REFUSED)]);
    let report = rig.apply();
    assert!(report.all_done() && converged(&report), "{report:#?}");
    assert_eq!(operations(&rig), ["AssignMemberRole"; 9]);
}

/// The errors name no mutation, and the server executed some, all or none of them.
#[test]
fn what_a_document_says_of_no_one_in_particular_is_looked_up_for_each() {
    const NAMELESS: &[&str] = &[
        r#"{"data":null,"errors":[{"message":"Unexpected error."}]}"#,
        r#"{"data":null,"errors":[{"message":"no","path":["somebody"]}]}"#,
        r#"{"data":null}"#,
        r#"{"data":null,"errors":[]}"#,
    ];
    for said in NAMELESS {
        for (fate, sent) in [(Fate::Acted(200, said), 9), (Fate::Ignored(200, said), 17)] {
            let (world, body) = role_changes(9);
            let mut rig = Rig::new(world, &body);
            rig.wire.set_fates(&[Fate::Fine, fate]);
            let report = rig.apply();
            assert!(report.all_done() && converged(&report), "{fate:?} {report:#?}");
            assert_eq!(rig.intents(), sent, "{fate:?} {:?}", operations(&rig));
        }
    }
}

/// HTTP 408, and a 503 with `Retry-After`, don't say whether the mutation took effect.
#[test]
fn a_server_that_got_tired_may_have_acted() {
    for status in [408, 503] {
        let (world, body) = role_changes(2);
        let mut rig = Rig::new(world, &body);
        rig.wire.set_fates(&[Fate::Acted(status, "")]);
        let report = rig.apply();
        assert!(report.all_done() && converged(&report), "{status} {report:#?}");
        assert_eq!(rig.intents(), 2, "{status}");
    }
}

#[test]
fn what_a_lost_answer_had_done_is_seen_and_not_done_again() {
    let (world, body) = role_changes(9);
    let mut rig = Rig::new(world, &body);
    rig.wire.set_fates(&[Fate::Fine, Fate::DropAfter]);
    let report = rig.apply();
    assert!(report.all_done() && converged(&report), "{report:#?}");
    assert_eq!(operations(&rig), ["AssignMemberRole", "Batch"]);
    assert!(report.steps.iter().filter(|step| step.message.is_some()).count() == 8);
}

#[test]
fn a_whole_value_that_a_read_does_not_show_is_sent_once_more_and_not_a_third_time() {
    for fate in [Fate::DropBefore, Fate::Ignored(502, ""), Fate::Ignored(200, "<html>")] {
        let (world, body) = role_changes(2);
        let mut rig = Rig::new(world, &body);
        rig.wire.set_fates(&[fate]);
        let report = rig.apply();
        assert!(report.all_done() && converged(&report), "{fate:?} {report:#?}");
        assert_eq!(rig.intents(), 3);
        let (world, body) = role_changes(1);
        let mut rig = Rig::new(world, &body);
        rig.wire.set_fates(&[fate; 9]);
        let report = rig.apply();
        assert_eq!(not_done(&report), [("user/u000@x.example".to_owned(), Outcome::Unsure)]);
        assert_eq!(rig.intents(), 2);
    }
}

/// The mail may have been sent, so only the next run may send another, after a read.
#[test]
fn an_invitation_and_a_key_whose_answers_were_lost_are_never_asked_for_again_in_the_same_run() {
    let body = "users: [{ email: a@x.example, roles: [Viewer], resources: all }, { email: b@x.example, roles: [Viewer], resources: all }]
keys: [{ name: ci, permissions: [organization:describe], resources: all, deliver: { file: ci.key } }]";
    let mut rig = Rig::new(world(), body);
    rig.wire.set_fates(&[Fate::DropBefore, Fate::DropBefore]);
    let report = rig.apply();
    assert_eq!(rig.intents(), 3);
    assert_eq!(
        not_done(&report),
        [("key/ci".to_owned(), Outcome::Unsure), ("user/a@x.example".to_owned(), Outcome::Unsure)]
    );
    assert_eq!(rig.world().invitations.len(), 1);
    let report = rig.apply();
    assert!(report.all_done() && converged(&report), "{report:#?}");
    assert_eq!(rig.world().mails.len(), 2);
}

const NO: &str = r#"{"data":null,"errors":[{"message":"no","errorType":"REFUSED"}]}"#;

#[test]
fn what_is_refused_when_it_is_sent_again_and_is_so_was_done() {
    let (world, body) = role_changes(1);
    let mut rig = Rig::new(world, &body);
    rig.wire.set_fates(&[Fate::DropBefore, Fate::Acted(200, NO)]);
    let report = rig.apply();
    assert!(report.all_done() && converged(&report), "{report:#?}");
    let said = report.steps[0].message.as_ref().unwrap();
    assert!(said.contains("The platform refused the change when it was sent again"), "{said}");
}

/// Nobody has the secret of this key, whatever the platform answered.
#[test]
fn a_key_that_is_there_although_it_was_refused_is_retired_by_the_next_run() {
    let body =
        "keys: [{ name: ci, permissions: [organization:describe], resources: all, deliver: { file: ci.key } }]";
    let mut rig = Rig::new(world(), body);
    rig.wire.set_fates(&[Fate::Acted(200, NO)]);
    let report = rig.apply();
    assert_eq!(not_done(&report), [("key/ci".to_owned(), Outcome::Unsure)], "{report:#?}");
    let named = |rig: &Rig| -> Vec<String> {
        let tokens = rig.world().tokens.clone().into_iter();
        tokens.filter(|token| token.title == "ci").map(|token| token.id).collect()
    };
    let lost = named(&rig);
    assert_eq!(lost.len(), 1);
    assert_eq!(rig.delivered("ci.key"), None);
    let report = rig.apply();
    assert!(report.all_done() && converged(&report), "{report:#?}");
    assert!(named(&rig).len() == 1 && named(&rig) != lost, "{:?}", named(&rig));
    assert!(rig.delivered("ci.key").is_some());
}

#[test]
fn a_platform_that_answers_nothing_any_more_is_left_alone() {
    let (world, body) = role_changes(9);
    let mut rig = Rig::new(world, &body);
    rig.parallelism = Some(1);
    rig.wire.set_fates(&[Fate::DropBefore; 99]);
    let report = rig.apply();
    let Some(Stop::Unreachable(why)) = &report.stopped else { panic!("{report:#?}") };
    assert_eq!(why, "3 requests in a row got no answer");
    assert_eq!(rig.intents(), 3);
    let skipped = report.steps.iter().filter(|step| step.outcome == Outcome::Skipped);
    assert!(skipped.clone().all(|step| step.message.as_ref().unwrap().contains("3 requests in a row")));
    assert_eq!(skipped.count(), 7);
}

/// The platform accepts six invitations in five seconds. Other mutations don't wait for them.
#[test]
fn what_has_no_limit_does_not_wait_for_what_has_one() {
    let (world, body) = role_changes(30);
    let invited = (0..8).map(|index| format!("{{ email: i{index}@x.example, roles: [Viewer], resources: all }}"));
    let body = body.replacen("users: [", &format!("users: [{}, ", invited.collect::<Vec<_>>().join(", ")), 1);
    let mut rig = Rig::new(world, &body);
    let began = Arc::new(Mutex::new(None::<Instant>));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (start, sights) = (Arc::clone(&began), Arc::clone(&seen));
    rig.wire.watch(Arc::new(move |world: &World| {
        let since = *start.lock().unwrap().get_or_insert_with(Instant::now);
        sights.lock().unwrap().push((since.elapsed().as_secs(), world.invitations.len(), count_moved(world)));
    }));
    let report = rig.apply();
    assert!(report.all_done(), "{report:#?}");
    let seen = seen.lock().unwrap();
    let (at, ..) = seen.iter().find(|(_, _, moved)| *moved == 30).unwrap();
    let (last, ..) = seen.iter().find(|(_, invited, _)| *invited == 8).unwrap();
    assert!(*at < 1 && (5..7).contains(last), "{seen:?}");
    assert!(seen.iter().all(|(at, invited, _)| *at >= 5 || *invited <= 6), "{seen:?}");
}

/// An interrupted run may leave a mutation unsent that it would have sent again. The mutation isn't treated as
/// never sent.
#[test]
fn an_interrupted_run_reports_what_stays_open() {
    let (world, body) = role_changes(3);
    let mut rig = Rig::new(world, &body);
    rig.parallelism = Some(1);
    rig.wire.set_fates(&[Fate::DropBefore]);
    rig.interrupt_after_steps(1);
    let report = rig.apply();
    let [first, others @ ..] = &*not_done(&report) else { panic!("{report:#?}") };
    assert_eq!(*first, ("user/u000@x.example".to_owned(), Outcome::Unsure));
    assert!(others.iter().all(|(_, outcome)| *outcome == Outcome::Skipped), "{others:?}");
    assert_eq!(report.stopped, Some(Stop::Interrupted));
}

mod bitpanda {
    use super::*;
    use crate::support::bitpanda::{Rig, user, world};

    fn updates(count: usize) -> (rolecall_sandbox::bitpanda::World, String) {
        let mut world = world();
        let users = (0..count).map(|index| {
            let email = format!("u{index}@x.example");
            world.users.push(user(&email, &["SIGNER"]));
            format!("{{ email: {email}, roles: [SIGNER, CLUSTER_OPS], enabled: true }}")
        });
        let users: Vec<String> = users.collect();
        (world, format!("users: [{}]", users.join(", ")))
    }

    #[test]
    fn so_many_requests_are_under_way_at_once_and_no_more() {
        for (parallelism, most) in [(None, 2), (Some(1), 1), (Some(3), 3), (Some(64), 8)] {
            let (world, body) = updates(9);
            let mut rig = Rig::new(world, &body);
            rig.parallelism = parallelism;
            rig.wire.delay(Arc::new(|| Duration::from_secs(1)));
            let report = rig.apply();
            assert!(report.all_done(), "{report:#?}");
            // The first one is sent alone.
            assert_eq!(rig.wire.most_at_once(), most, "{parallelism:?}");
            assert_eq!(rig.wire.mutations().len(), 9);
        }
    }

    /// An unknown input type may clear fields that aren't sent. This happens to one user at most, even with
    /// parallel requests.
    #[test]
    fn what_an_operation_loses_it_loses_once() {
        let (mut world, body) = updates(9);
        world.switches.clears_unsent = true;
        let mut rig = Rig::new(world, &body);
        rig.parallelism = Some(8);
        rig.wire.delay(Arc::new(|| Duration::from_secs(1)));
        let report = rig.apply();
        assert_eq!(report.stopped, Some(Stop::Lost));
        assert_eq!(rig.intents(), 1);
    }
}
