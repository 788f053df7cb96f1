//! Merge requests: checks, plans and notes.

use rolecall_model::ProviderName;
use serde_json::json;

use super::team::Team;
use crate::runner::ended::Ended;
use crate::runner::gitlab::{BOT, PROJECT};
use crate::runner::repository::{Repository, ZOE};
use crate::support::receiver::Receiver;

#[test]
fn a_merge_request_is_planned_in_one_note_and_on_merge_just_that_is_applied() {
    let team = Team::hive();
    let request = team.propose(7, &team.file_with(ZOE));
    let planned = team.plan(&request);
    planned.has(&["comment", "comment:review", "plan", "plan:review", "validate"]);
    for job in ["validate", "plan", "comment"] {
        planned.is(job, Ended::Success);
    }
    planned.is("plan:review", Ended::Waiting);
    planned.is("comment:review", Ended::Waiting);
    let notes = team.notes("merge_requests/7");
    assert_eq!(notes.len(), 1);
    assert!(notes[0].starts_with("<!-- rolecall plan -->") && notes[0].contains("user/zoe@acme.example"));
    assert!(notes[0].contains(&request.head), "of which commit it speaks");
    assert!(team.changes_left().contains(&"user/alice@acme.example".to_owned()), "nothing was sent yet");

    // After another push, the same note is updated.
    let request = team.propose(7, &team.file_with(&ZOE.replace("zoe", "yann")));
    team.plan(&request).is("comment", Ended::Success);
    let notes = team.notes("merge_requests/7");
    assert_eq!(notes.len(), 1, "edited in place");
    assert!(notes[0].contains("user/yann@acme.example") && !notes[0].contains("zoe"), "{}", notes[0]);

    let applied = team.merge(&request);
    applied.has(&["apply"]);
    applied.is("apply", Ended::Success);
    assert_eq!(team.changes_left(), Vec::<String>::new());
    assert!(team.ledger().unwrap().contains("yann@acme.example"), "so that nobody is invited twice");
}

#[test]
fn the_note_is_found_among_many_and_only_its_own_is_edited() {
    let team = Team::hive();
    let request = team.propose(7, &team.file_with(ZOE));
    // Anybody who may write notes can write this one.
    let others = |index: u64| json!({ "id": index, "on": "merge_requests/7", "author": { "id": 99 }, "body": "<!-- rolecall plan -->\n" });
    team.lab.state().notes = (1000..1100).map(others).collect();
    team.plan(&request).is("comment", Ended::Success);
    let mine = || {
        let state = team.lab.state();
        let mine = state.notes.iter().filter(|note| note["author"]["id"] == BOT);
        mine.map(|note| note["body"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert!(mine().len() == 1 && mine()[0].contains("zoe"), "{:?}", mine());
    // Our note is on the second page.
    let request = team.propose(7, &team.file_with(&ZOE.replace("zoe", "yann")));
    team.plan(&request).is("comment", Ended::Success);
    assert!(mine().len() == 1 && mine()[0].contains("yann"), "{:?}", mine());
}

#[test]
fn files_of_a_fork_are_checked_and_see_no_credential() {
    let team = Team::hive();
    let request = team.propose(3, &team.file_with(ZOE));
    let checked = team.opened(&request, 66, "main").unwrap();
    checked.has(&["validate"]);
    checked.is("validate", Ended::Success);
    let request = team.propose(3, &team.file_with("  - email: nobody\n"));
    let checked = team.opened(&request, 66, "main").unwrap();
    checked.is("validate", Ended::Failure);
    assert!(checked.log.contains("invalid-email"), "{}", checked.log);
    assert!(team.notes("").is_empty());
}

#[test]
fn only_what_would_come_to_main_is_planned() {
    let team = Team::hive();
    let request = team.propose(3, &team.file_with(ZOE));
    assert!(team.opened(&request, PROJECT, "topic-of-mallory").is_none(), "it isn't held against main");
    team.at_main();
    team.env.write("clone/README.md", "nothing about access");
    team.git(&["add", "."]);
    team.git(&["commit", "--quiet", "--message", "say what this is"]);
    let request = team.open(4);
    assert!(team.opened(&request, PROJECT, "main").is_none(), "nothing below the folder is another");
}

#[test]
fn a_head_that_points_the_endpoint_elsewhere_is_checked_and_not_planned() {
    let mut team = Team::hive();
    let elsewhere = Receiver::answering(&[200]);
    let file = team.file().replace(&team.server.url, &format!("{}/graphql", elsewhere.url));
    assert_ne!(file, team.file());
    let request = team.propose(4, &file);
    let planned = team.plan(&request);
    planned.is("validate", Ended::Success);
    planned.is("plan", Ended::Warning);
    planned.is("plan:review", Ended::Waiting);
    planned.is("comment", Ended::Success);
    let notes = team.notes("merge_requests/4");
    assert!(notes.len() == 1 && notes[0].contains(", which receives the credential"), "{notes:?}");
    assert!(notes[0].contains("`plan:review`"), "{notes:?}");
    assert!(elsewhere.take().is_empty());
    // If it is merged nevertheless, it isn't applied, because it has no plan.
    let applied = team.merge(&request);
    applied.is("apply", Ended::Failure);
    assert!(applied.log.contains("there is no plan of"), "{}", applied.log);
    assert!(elsewhere.take().is_empty() && team.ledger().is_none());
    // Only a person stands in between: if they ran the job, the other host would be called.
    let request = team.propose(5, &team.file().replace("/graphql", "/graphql/v2"));
    team.approve();
    let planned = team.plan(&request);
    planned.is("plan:review", Ended::Warning);
    planned.is("comment:review", Ended::Success);
    assert!(!elsewhere.take().is_empty());
}

#[test]
fn bitpanda_is_never_planned_without_a_reviewer() {
    let mut team = Team::of(ProviderName::Bitpanda, &[]);
    let request = team.propose(6, &format!("{}\n# nothing else\n", team.file()));
    let planned = team.plan(&request);
    planned.is("plan", Ended::Warning);
    planned.is("plan:review", Ended::Waiting);
    let notes = team.notes("merge_requests/6");
    assert!(notes.len() == 1 && notes[0].contains("needs the credential of an admin"), "{notes:?}");
    // After an approval it is planned, and the same note is updated.
    team.approve();
    let planned = team.plan(&request);
    planned.is("plan", Ended::Warning);
    planned.is("plan:review", Ended::Success);
    planned.is("comment:review", Ended::Success);
    let notes = team.notes("merge_requests/6");
    assert!(notes.len() == 1 && !notes[0].contains("needs the credential of an admin"), "{notes:?}");
}

#[test]
fn a_branch_that_conflicts_gets_a_message() {
    let team = Team::hive();
    let first = team.propose(5, &team.file().replace("max_removals: 2", "max_removals: 1"));
    let second = team.propose(6, &team.file().replace("max_removals: 2", "max_removals: 0"));
    team.merge_only(&first);
    let planned = team.plan(&second);
    planned.is("validate", Ended::Failure);
    planned.is("plan", Ended::Skipped);
    planned.is("comment", Ended::Success);
    assert!(planned.log.contains("can't be merged as it is"), "{}", planned.log);
    assert!(team.notes("merge_requests/6")[0].contains("There is no plan"));
}

#[test]
fn a_branch_that_is_behind_takes_nothing_back() {
    let team = Team::hive();
    let yann = ZOE.replace("zoe", "yann");
    let behind = team.propose(5, &team.file().replace("\nkeys:\n", &format!("{yann}\nkeys:\n")));
    let first = team.propose(6, &team.file_with(ZOE));
    team.merge_only(&first);
    team.plan(&behind).is("plan", Ended::Success);
    let notes = team.notes("merge_requests/5");
    assert!(notes[0].contains("yann") && notes[0].contains("zoe"), "{notes:?}");
}

#[test]
fn what_was_pushed_since_is_not_overwritten() {
    let team = Team::hive();
    let old = team.propose(5, &team.file_with(ZOE));
    team.propose(5, &team.file_with(&ZOE.replace("zoe", "yann")));
    let planned = team.plan(&old);
    planned.is("comment", Ended::Success);
    assert!(planned.log.contains("something was pushed since"), "{}", planned.log);
    assert!(team.notes("").is_empty());
}

#[test]
fn only_what_was_checked_is_planned() {
    let mut team = Team::hive();
    let request = team.propose(5, &team.file_with(ZOE));
    let before = team.main();
    // The checked files were merged with another state of main.
    let other = team.propose(6, &team.file().replace("max_removals: 2", "max_removals: 1"));
    team.merge_only(&other);
    team.settings.altered.insert("gate/base".to_owned(), before);
    let planned = team.plan(&request);
    planned.is("plan", Ended::Failure);
    assert!(planned.log.contains("these are not the files that were checked"), "{}", planned.log);
    planned.is("comment", Ended::Success);
}

#[test]
fn a_link_leads_nowhere() {
    let team = Team::hive();
    team.env.write("secret.yaml", team.file_with(ZOE));
    team.at_main();
    let _ = std::fs::remove_file(team.env.path("clone/access/file.yaml"));
    std::os::unix::fs::symlink(team.env.path("secret.yaml"), team.env.path("clone/access/file.yaml")).unwrap();
    team.git(&["add", "."]);
    team.git(&["commit", "--quiet", "--message", "a link"]);
    let planned = team.plan(&team.open(8));
    planned.is("validate", Ended::Failure);
    assert!(!team.notes("merge_requests/8")[0].contains("zoe"));
}

/// A ledger of another organisation: rolecall refuses to go on with it.
const LEDGER: &str = r#"{"at":"2026-01-01T00:00:00Z","run":"one","event":"run-started","format_version":"1.0","generator":"x","identity":{"provider":"hive","organization":"mallory","host":"h"},"seal":"sha256:0"}"#;

#[test]
fn a_ledger_or_a_plan_in_the_branch_counts_for_nothing() {
    let team = Team::hive();
    team.at_main();
    for (name, text) in [
        (".rolecall/ledger/hive-acme.jsonl", LEDGER),
        (".rolecall/cache/brought", LEDGER),
        ("access/.rolecall/ledger/hive-acme.jsonl", LEDGER),
        ("ledger/hive-acme.jsonl", LEDGER),
        ("gate/state", "plan"),
        ("out/comment.md", "mallory was here"),
    ] {
        team.env.write(&format!("clone/{name}"), format!("{text}\n"));
    }
    team.commit(&team.file_with("  - email: nobody\n"));
    let planned = team.plan(&team.open(9));
    planned.is("validate", Ended::Failure);
    planned.is("plan", Ended::Skipped);
    let notes = team.notes("merge_requests/9");
    assert!(notes[0].contains("invalid-email") && !notes[0].contains("mallory"), "{notes:?}");
    team.commit(&team.file_with(ZOE));
    let planned = team.plan(&team.open(9));
    planned.is("plan", Ended::Success);
    assert!(planned.log.contains("the ledger: There is none"), "{}", planned.log);
    let files = team.env.path("gitlab/builds/901/plan/files");
    assert!(files.join("access/file.yaml").exists() && !files.join(".rolecall/cache").exists());
}

#[test]
fn where_gitlab_has_merged_already_the_head_is_what_was_reviewed() {
    let team = Team::hive();
    let request = team.propose(7, &team.file_with(ZOE));
    team.at_main();
    team.git(&["merge", "--quiet", "--no-ff", "--message", "merge", &request.head]);
    let merged = team.git(&["rev-parse", "HEAD"]);
    team.git(&["push", "--quiet", "origin", "HEAD:refs/merge-requests/7/merge"]);
    let planned = team.planned(&request, PROJECT, "main", Some(&merged)).unwrap();
    planned.is("plan", Ended::Success);
    planned.is("comment", Ended::Success);
    assert!(team.notes("merge_requests/7")[0].contains(&request.head));
    team.merge(&request).is("apply", Ended::Success);
}

#[test]
fn wrong_files_and_refused_plans_are_reported_in_the_note() {
    let mut team = Team::hive();
    let planned = team.plan(&team.propose(8, &team.file_with("  - email: nobody\n")));
    planned.is("validate", Ended::Failure);
    planned.is("plan", Ended::Skipped);
    planned.is("comment", Ended::Success);
    assert!(team.notes("merge_requests/8")[0].contains("invalid-email"));

    let request = team.propose(8, &team.file().replace("max_removals: 2", "max_removals: 0"));
    team.approve();
    let planned = team.plan(&request);
    planned.is("plan", Ended::Warning);
    planned.is("plan:review", Ended::Warning);
    planned.is("comment:review", Ended::Success);
    let notes = team.notes("merge_requests/8");
    assert!(notes.len() == 1 && notes[0].contains("**Refused by max_removals"), "{notes:?}");
    let applied = team.merge(&request);
    applied.is("apply", Ended::Failure);
    assert!(applied.log.contains("max_removals"), "{}", applied.log);
    assert!(!team.ledger().unwrap_or_default().contains("\"event\":\"intent\""), "nothing was sent");
}

#[test]
fn another_archive_than_the_pinned_one_is_not_run() {
    let mut team = Team::hive();
    let request = team.propose(7, &team.file_with(ZOE));
    team.settings.inputs.insert("sha256".to_owned(), json!("0".repeat(64)));
    let planned = team.plan(&request);
    planned.is("validate", Ended::Failure);
    assert!(planned.log.contains("FAILED") && !planned.log.contains("checked"), "{}", planned.log);
    planned.is("plan", Ended::Skipped);
}
