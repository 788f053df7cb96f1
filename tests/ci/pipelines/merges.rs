//! Merges: which plan is applied, and what the ledger records.

use rolecall_model::ProviderName;
use serde_json::json;

use super::team::{Request, Team};
use crate::runner::ended::Ended;
use crate::runner::gitlab::PROJECT;
use crate::runner::repository::{Repository, ZOE};
use crate::support::objects::ObjectStore;

#[test]
fn the_ledger_is_there_for_the_next_run_and_grows() {
    let team = Team::hive();
    let first = team.propose(1, &team.file_with(ZOE));
    team.plan(&first).is("plan", Ended::Success);
    team.merge(&first).is("apply", Ended::Success);
    let before = team.ledger().unwrap();
    let second = team.propose(2, &team.file_with(&ZOE.replace("zoe", "yann")));
    let planned = team.plan(&second);
    planned.is("plan", Ended::Success);
    assert!(!planned.log.contains("the ledger: there is none"), "{}", planned.log);
    team.merge(&second).is("apply", Ended::Success);
    let after = team.ledger().unwrap();
    assert!(after.starts_with(&before) && after.len() > before.len());
}

#[test]
fn two_merges_in_one_push_are_both_applied() {
    let team = Team::hive();
    let closing = team.propose(1, &format!("{}\n# a remark\n", team.file()));
    team.plan(&closing).is("plan", Ended::Success);
    team.merge(&closing).is("apply", Ended::Success);
    let start = team.main();
    let first = team.propose(2, &team.file_with(ZOE));
    team.plan(&first).is("plan", Ended::Success);
    let yann = ZOE.replace("zoe", "yann");
    let second = team.propose(3, &team.file().replace("\nkeys:\n", &format!("{yann}\nkeys:\n")));
    team.plan(&second).is("plan", Ended::Success);
    team.merge_only(&first);
    team.merge_only(&second);
    {
        // This happens if the second branch was started from the first: it contains that commit too.
        let mut state = team.lab.state();
        let merged = state.requests[1]["merge_commit_sha"].clone();
        state.requests.reverse();
        state.requests[0]["holds"] = json!([merged]);
    }
    team.pushed(&start).is("apply", Ended::Success);
    let ledger = team.ledger().unwrap();
    assert!(ledger.contains("zoe@acme.example") && ledger.contains("yann@acme.example"), "{ledger}");
    assert_eq!(team.changes_left(), Vec::<String>::new());
}

#[test]
fn a_branch_that_was_fast_forwarded_has_one_plan() {
    let team = Team::hive();
    let start = team.main();
    let request = team.propose(2, &team.file_with(ZOE));
    let middle = request.head;
    team.commit(&team.file_with(&ZOE.replace("zoe", "yann")));
    let request = team.open(2);
    team.plan(&request).is("plan", Ended::Success);
    team.git(&["push", "--quiet", "origin", &format!("{}:main", request.head)]);
    team.git(&["fetch", "--quiet", "origin"]);
    {
        let mut state = team.lab.state();
        state.requests[0]["state"] = json!("merged");
        state.requests[0]["merged_at"] = json!("2026-06-01T00:00:00.000Z");
        state.requests[0]["holds"] = json!([middle, request.head]);
    }
    team.pushed(&start).is("apply", Ended::Success);
    let ledger = team.ledger().unwrap();
    assert!(ledger.contains("yann@acme.example") && !ledger.contains("zoe@acme.example"), "{ledger}");
}

#[test]
fn an_edited_plan_is_not_applied() {
    let team = Team::hive();
    let request = team.propose(9, &team.file_with(ZOE));
    team.plan(&request).is("plan", Ended::Success);
    let mut edited = 0;
    for folder in team.lab.state().artifacts.values() {
        let path = folder.join("out").join(&request.head).join("plan.json");
        if let Ok(plan) = std::fs::read_to_string(&path) {
            std::fs::write(&path, plan.replace("\"Viewer\"", "\"Admin\"")).unwrap();
            edited += 1;
        }
    }
    assert_eq!(edited, 1);
    let applied = team.merge(&request);
    applied.is("apply", Ended::Failure);
    assert!(applied.log.contains("Plan again and have the new plan reviewed"), "{}", applied.log);
    assert!(team.changes_left().contains(&"user/zoe@acme.example".to_owned()), "nothing was sent");
}

/// A time after the plans and before the merge.
const BEFORE: &str = "2026-05-01T00:00:00.000Z";

/// Forges a pipeline with a job that made a plan, or claims so.
fn forge(team: &Team, request: &Request, (source, project, job, commit, finished): (&str, u64, &str, &str, &str)) {
    let mut state = team.lab.state();
    let (pipeline, id) = (900 + state.pipelines.len(), 3000 + state.jobs.len() as u64);
    state.pipelines.push(json!({
        "id": pipeline, "project_id": project, "source": source, "sha": request.head, "request": request.iid,
    }));
    state.jobs.push(json!({
        "id": id, "name": job, "pipeline": pipeline, "finished_at": finished, "artifacts_file": {},
    }));
    let folder = team.env.path(&format!("forged/{id}"));
    team.env.write(&format!("forged/{id}/out/{commit}/plan.json"), "{}");
    state.artifacts.insert(id, folder);
}

#[test]
fn a_plan_that_something_else_has_made_counts_for_nothing() {
    let team = Team::hive();
    let other = "0".repeat(40);
    let forge_all = |request: &Request| {
        for what in [
            ("push", PROJECT, "plan", &*request.head, BEFORE),
            ("merge_request_event", 66, "plan", &request.head, BEFORE),
            ("merge_request_event", PROJECT, "validate", &request.head, BEFORE),
            ("merge_request_event", PROJECT, "plan", &other, BEFORE),
            // A plan that was made after the merge was reviewed by nobody.
            ("merge_request_event", PROJECT, "plan", &request.head, "2026-06-01T00:00:00.001Z"),
        ] {
            forge(&team, request, what);
        }
    };
    let request = team.propose(10, &team.file_with(ZOE));
    forge_all(&request);
    let applied = team.merge(&request);
    applied.is("apply", Ended::Failure);
    assert!(applied.log.contains("there is no plan of"), "{}", applied.log);
    // Beside the right one they aren't used either, even if they are newer.
    let request = team.propose(11, &team.file_with(&ZOE.replace("zoe", "yann")));
    team.plan(&request).is("plan", Ended::Success);
    forge_all(&request);
    team.merge(&request).is("apply", Ended::Success);
    // The control: a forged pipeline without a flaw is used.
    let request = team.propose(12, &team.file_with(&ZOE.replace("zoe", "xenia")));
    forge(&team, &request, ("merge_request_event", PROJECT, "plan", &request.head, BEFORE));
    let applied = team.merge(&request);
    applied.is("apply", Ended::Failure);
    assert!(!applied.log.contains("there is no plan of"), "{}", applied.log);
}

#[test]
fn what_nobody_has_reviewed_is_not_applied() {
    let team = Team::hive();
    let before = team.main();
    let open = team.propose(1, &team.file_with(ZOE));
    team.plan(&open).is("plan", Ended::Success);
    // A merge request for another branch wasn't reviewed for main.
    let elsewhere = json!({ "iid": 2, "state": "merged", "target_branch": "topic", "sha": open.head,
        "merged_at": "2026-06-01T00:00:00.000Z" });
    team.lab.state().requests.push(elsewhere);
    team.git(&["push", "--quiet", "origin", &format!("{}:main", open.head)]);
    team.at_main();
    let applied = team.pushed(&before);
    applied.is("apply", Ended::Failure);
    assert!(applied.log.contains("nobody has reviewed a plan of it"), "{}", applied.log);
    assert!(team.ledger().is_none());
}

#[test]
fn a_plan_that_cannot_be_had_is_not_one_that_is_missing() {
    let mut team = Team::hive();
    let request = team.propose(9, &team.file_with(ZOE));
    team.plan(&request).is("plan", Ended::Success);
    let token = team.settings.scoped["rolecall/report"]["ROLECALL_GITLAB_TOKEN"].clone();
    let apply = team.settings.scoped.get_mut("rolecall/apply").unwrap();
    apply.insert("ROLECALL_GITLAB_TOKEN".to_owned(), token);
    let applied = team.merge(&request);
    applied.is("apply", Ended::Failure);
    assert!(applied.log.contains("GitLab answers with 403"), "{}", applied.log);
}

#[test]
fn a_plan_that_is_out_of_date_sends_nothing() {
    let team = Team::hive();
    let request = team.propose(12, &team.file_with(ZOE));
    team.plan(&request).is("plan", Ended::Success);
    // Somebody else gives alice another role in the meantime.
    let other = team.file().replace("roles: [Schema reviewer]", "roles: [Viewer]");
    team.env.write("other.yaml", other);
    let mut command = team.env.command();
    command.envs(&team.settings.scoped["rolecall/plan"]).env("ROLECALL_ALLOWED_HOSTS", "127.0.0.1");
    command.args(["apply", "--auto-approve", "--ledger", "theirs.jsonl"]);
    let said = command.args(["--target", "user/alice@acme.example", "other.yaml"]).output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let applied = team.merge(&request);
    applied.is("apply", Ended::Failure);
    assert!(applied.log.contains("are out of date. Nothing was sent"), "{}", applied.log);
    assert!(team.changes_left().contains(&"user/zoe@acme.example".to_owned()), "nothing was sent");
}

#[test]
fn an_apply_that_breaks_off_keeps_its_ledger_all_the_same() {
    let team = Team::of(ProviderName::Hive, &["--fault", "errors@assignMemberRole*9"]);
    let request = team.propose(13, &team.file_with(ZOE));
    team.plan(&request).is("plan", Ended::Success);
    let applied = team.merge(&request);
    applied.is("apply", Ended::Failure);
    let ledger = team.ledger().unwrap();
    assert!(ledger.contains("\"outcome\":\"failed\"") && ledger.contains("\"outcome\":\"done\""), "{ledger}");
}

#[test]
fn a_ledger_that_was_not_read_is_not_overwritten() {
    let team = Team::hive();
    let first = team.propose(1, &team.file_with(ZOE));
    team.plan(&first).is("plan", Ended::Success);
    team.merge(&first).is("apply", Ended::Success);
    let before = team.ledger().unwrap();
    let second = team.propose(2, &team.file_with(&ZOE.replace("zoe", "yann")));
    team.merge(&second).is("apply", Ended::Failure);
    assert_eq!(team.ledger().unwrap(), before);
}

#[test]
fn an_apply_that_is_started_again_later_brings_nothing_back() {
    let team = Team::hive();
    let closing = team.propose(1, &format!("{}\n# a remark\n", team.file()));
    team.plan(&closing).is("plan", Ended::Success);
    team.merge(&closing).is("apply", Ended::Success);
    let (before, viewer) = (team.main(), team.file());
    let promoted = team.propose(2, &viewer.replacen("roles: [Schema reviewer]", "roles: [Admin]", 1));
    team.plan(&promoted).is("plan", Ended::Success);
    team.merge(&promoted).is("apply", Ended::Success);
    let then = team.main();
    let demoted = team.propose(3, &viewer);
    team.plan(&demoted).is("plan", Ended::Success);
    team.merge(&demoted).is("apply", Ended::Success);
    let again = team.pushed_to(&before, &then);
    again.is("apply", Ended::Failure);
    assert!(again.log.contains("is out of date. Nothing was sent"), "{}", again.log);
    assert_eq!(team.changes_left(), Vec::<String>::new(), "she is what main says");
}

#[test]
fn a_ledger_among_the_files_is_ignored() {
    let team = Team::hive();
    // Nobody has planned it, and there is nothing to apply.
    team.at_main();
    let before = team.main();
    team.env.write("clone/.rolecall/ledger/hive-acme.jsonl", "{\"event\":\"forged\"}\n");
    team.commit(&team.file_with(ZOE));
    team.git(&["push", "--quiet", "origin", "HEAD:main"]);
    team.pushed(&before).is("apply", Ended::Failure);
    assert!(team.ledger().is_none());
    // Nobody has planned it, and there is something to apply.
    let request = team.propose(15, &team.file_with(&ZOE.replace("zoe", "yann")));
    team.plan(&request).is("plan", Ended::Success);
    team.merge(&request).is("apply", Ended::Success);
    assert!(!team.ledger().unwrap().contains("forged"));
}

/// The ledger can have another home than its branch. No job then reads or writes that branch.
#[test]
fn a_ledger_at_an_endpoint_needs_no_branch() {
    let mut team = Team::hive();
    let store = ObjectStore::start();
    team.settings.inputs.insert("ledger".to_owned(), json!(store.ledger));
    for name in ["rolecall/plan", "rolecall/apply", "rolecall/drift"] {
        let variables = store.variables.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        team.settings.scoped.get_mut(name).unwrap().extend(variables);
    }
    let request = team.propose(1, &team.file_with(ZOE));
    team.plan(&request).is("plan", Ended::Success);
    team.merge(&request).is("apply", Ended::Success);
    let applied = store.text("hive-acme.jsonl");
    assert!(applied.contains("zoe@acme.example") && applied.contains("\"event\":\"run-finished\""), "{applied}");
    // What is due is done with that ledger, although no job adds lines to a branch.
    team.end_access_of_zoe();
    team.settings.inputs.insert("leftovers".to_owned(), json!(true));
    let run = team.drift();
    run.has(&["drift", "issue", "leftovers"]);
    run.is("drift", Ended::Success);
    run.is("leftovers", Ended::Success);
    let kept = store.text("hive-acme.jsonl").split_off(applied.len());
    assert!(
        kept.contains("\"event\":\"drift-finished\"") && kept.contains("\"event\":\"run-finished\""),
        "{kept}"
    );
    assert!(team.ledger().is_none());
}
