//! Plans of main that somebody starts by hand, leftovers on the schedule, and projects without protected environments.

use rolecall_model::ProviderName;
use serde_json::json;

use super::team::Team;
use crate::runner::ended::Ended;
use crate::runner::repository::{Repository, ZOE};

#[test]
fn main_is_planned_by_hand_and_just_that_plan_is_applied_by_its_number() {
    let team = Team::hive();
    let left = team.changes_left();
    let (number, planned) = team.by_hand();
    planned.has(&["apply:main", "plan:main"]);
    planned.is("plan:main", Ended::Success);
    planned.is("apply:main", Ended::Waiting);
    assert!(planned.log.contains(&format!("--pipeline-id {number} ")), "{}", planned.log);
    assert_eq!(team.changes_left(), left, "a plan sends nothing");

    // What came to main since isn't in that plan, so it isn't sent.
    let request = team.propose(1, &team.file_with(ZOE));
    team.merge_only(&request);
    team.apply(number).is("apply:main", Ended::Success);
    let left = team.changes_left();
    assert!(left.iter().all(|address| address.contains("zoe")) && !left.is_empty(), "{left:?}");
    assert!(team.ledger().unwrap().contains("\"outcome\":\"done\""));

    // An old plan brings nothing back.
    let request = team.propose(2, &team.file().replacen("roles: [Schema reviewer]", "roles: [Viewer]", 1));
    team.plan(&request).is("plan", Ended::Success);
    team.merge(&request).is("apply", Ended::Success);
    let left = team.changes_left();
    team.apply(number);
    assert_eq!(team.changes_left(), left);
}

#[test]
fn the_schedule_does_what_is_due_and_nothing_else() {
    let mut team = Team::hive();
    let request = team.propose(1, &team.file_with(ZOE));
    team.plan(&request).is("plan", Ended::Success);
    team.merge(&request).is("apply", Ended::Success);
    team.end_access_of_zoe();
    team.settings.inputs.insert("leftovers".to_owned(), json!(true));
    let run = team.drift();
    run.has(&["drift", "issue", "ledger", "leftovers"]);
    run.is("leftovers", Ended::Success);
    assert_eq!(team.changes_left(), Vec::<String>::new(), "{}", run.log);

    // What nobody has applied isn't left over.
    let request = team.propose(2, &team.file_with(&ZOE.replace("zoe", "yann")));
    team.merge_only(&request);
    let left = team.changes_left();
    team.drift().is("leftovers", Ended::Success);
    assert_eq!(team.changes_left(), left);
}

/// Where no environment is protected, everybody who can run a job could use the credentials of `plan:review`.
#[test]
fn without_protected_environments_the_job_that_needs_one_is_left_out() {
    let mut team = Team::of(ProviderName::Bitpanda, &[]);
    team.approve();
    team.settings.inputs.insert("plan-after-merge".to_owned(), json!(true));
    let request = team.propose(1, &format!("{}\n# nothing else\n", team.file()));
    let planned = team.plan(&request);
    planned.has(&["comment", "plan", "validate"]);
    planned.is("plan", Ended::Warning);
    assert!(team.notes("merge_requests/1")[0].contains("**Not planned.**"), "{:?}", team.notes(""));
    let merged = team.merge(&request);
    merged.is("apply", Ended::Failure);
    let (number, planned) = team.by_hand();
    planned.is("plan:main", Ended::Success);
    team.apply(number).is("apply:main", Ended::Success);
}
