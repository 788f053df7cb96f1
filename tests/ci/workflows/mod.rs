//! Tests of the workflows in `examples/ci/github`, with their original shell steps, against the sandbox and a
//! throwaway repository.

mod brought;
mod protected;
pub mod team;

use self::team::{PLAN, Team};
use crate::runner::ended::Ended;
use crate::runner::github::git;
use crate::runner::repository::{Repository, ZOE};
use crate::support::cli::example;
use crate::support::receiver::Receiver;
use rolecall_model::ProviderName;
use serde_json::json;

#[test]
fn a_pull_request_is_planned_in_one_comment_and_on_merge_just_that_is_applied() {
    let team = Team::hive();
    let pull = team.propose(7, &team.file_with(ZOE));
    let planned = team.plan(&pull);
    for job in ["gate", "plan", "comment"] {
        planned.is(job, Ended::Success);
    }
    let comments = team.comments();
    assert_eq!(comments.len(), 1);
    assert!(comments[0].starts_with("<!-- rolecall plan -->") && comments[0].contains("user/zoe@acme.example"));
    assert!(comments[0].contains(&pull.head), "of which commit it speaks");
    assert!(team.changes_left().contains(&"user/alice@acme.example".to_owned()), "nothing was sent yet");

    // After another push, the same comment is updated.
    let pull = team.propose(7, &team.file_with(&ZOE.replace("zoe", "yann")));
    team.plan(&pull).is("comment", Ended::Success);
    let comments = team.comments();
    assert_eq!(comments.len(), 1, "edited in place");
    assert!(comments[0].contains("user/yann@acme.example") && !comments[0].contains("zoe"), "{}", comments[0]);

    let applied = team.merge(&pull);
    applied.is("apply", Ended::Success);
    assert!(applied.log.contains("| done | `user/yann@acme.example` | invite ("), "{}", applied.log);
    assert_eq!(team.changes_left(), Vec::<String>::new());
    assert!(team.ledger().unwrap().contains("yann@acme.example"), "so that nobody is invited twice");
}

#[test]
fn drift_that_nobody_asked_for_can_be_refused_or_left_as_it_is() {
    // Live differs from the example on main in several ways.
    let mut team = Team::hive();
    let pull = team.propose(7, &team.file_with(ZOE));
    team.settings.with.insert("require-asked".to_owned(), json!(true));
    let planned = team.plan(&pull);
    planned.is("plan", Ended::Failure);
    planned.is("comment", Ended::Success);
    assert!(
        planned.log.contains("not-asked-for") && planned.log.contains("The plan was not saved"),
        "{}",
        planned.log
    );
    assert!(team.comments()[0].contains("not-asked-for"), "{}", team.comments()[0]);

    team.settings.with.insert("require-asked".to_owned(), json!(false));
    // The credential may send everything, so this refuses nothing.
    team.settings.with.insert("as-apply".to_owned(), json!(true));
    team.settings.with.insert("only-asked".to_owned(), json!(true));
    team.plan(&pull).is("plan", Ended::Success);
    let before = team.changes_left();
    let applied = team.merge(&pull);
    applied.is("apply", Ended::Success);
    assert!(applied.log.contains("| done | `user/zoe@acme.example` | invite ("), "{}", applied.log);
    let mut expected = before;
    expected.retain(|address| address != "role/No access");
    let mut left = team.changes_left();
    left.retain(|address| address != "role/No access");
    assert_eq!(left, expected, "everything that had drifted");
}

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
    let mut team = Team::hive();
    let closing = team.propose(1, &team.file());
    team.plan(&closing).is("plan", Ended::Success);
    team.merge(&closing).is("apply", Ended::Success);
    let start = team.main();
    let first = team.propose(2, &team.file_with(ZOE));
    team.plan(&first).is("plan", Ended::Success);
    let yann = ZOE.replace("zoe", "yann");
    let second = team.propose(3, &team.file().replace("\nkeys:\n", &format!("{yann}\nkeys:\n")));
    team.plan(&second).is("plan", Ended::Success);
    // A merge queue pushes both at once.
    team.settings.unapproved.insert("rolecall-apply".to_owned());
    team.merge(&first).is("apply", Ended::Waiting);
    team.merge(&second).is("apply", Ended::Waiting);
    team.settings.unapproved.remove("rolecall-apply");
    let applied = team.pushed(&start);
    applied.is("apply", Ended::Success);
    for user in ["zoe", "yann"] {
        assert!(
            applied.log.contains(&format!("| done | `user/{user}@acme.example` | invite (")),
            "{}",
            applied.log
        );
    }
}

#[test]
fn files_of_a_fork_are_checked_and_see_no_credential() {
    let team = Team::hive();
    let checked = team.plan_from(&team.propose(3, &team.file_with(ZOE)), "mallory/access");
    checked.is("gate", Ended::Success);
    checked.is("plan", Ended::Skipped);
    checked.is("comment", Ended::Success);
    assert!(team.comments()[0].contains("Files of a fork are only checked"), "{}", team.comments()[0]);
    let checked = team.plan_from(&team.propose(3, &team.file_with("  - email: nobody\n")), "mallory/access");
    checked.is("gate", Ended::Failure);
    checked.is("plan", Ended::Skipped);
    assert!(checked.log.contains("::error file=access/file.yaml,line="), "{}", checked.log);
}

#[test]
fn a_head_that_points_the_endpoint_elsewhere_is_checked_and_not_planned() {
    let mut team = Team::hive();
    let elsewhere = Receiver::answering(&[200]);
    let file = team.file().replace(&team.server.url, &format!("{}/graphql", elsewhere.url));
    assert_ne!(file, team.file());
    let pull = team.propose(4, &file);
    let planned = team.plan(&pull);
    planned.is("gate", Ended::Success);
    planned.is("plan", Ended::Waiting);
    assert!(planned.log.contains("`endpoint`, which receives the credential"), "{}", planned.log);
    assert!(elsewhere.take().is_empty());
    // Only a person stands in between: if they approved the job, the other host would be called.
    team.settings.unapproved.clear();
    team.plan(&pull).is("plan", Ended::Failure);
    assert!(!elsewhere.take().is_empty());
}

#[test]
fn what_is_pushed_while_the_gate_looks_is_not_what_is_planned() {
    let team = Team::hive();
    let pull = team.propose(5, &team.file_with(ZOE));
    team.propose(5, &team.file_with(&ZOE.replace("zoe", "mallory")));
    let planned = team.plan(&pull);
    planned.is("gate", Ended::Failure);
    planned.is("plan", Ended::Skipped);
    assert!(planned.log.contains("something was pushed since"), "{}", planned.log);
}

#[test]
fn a_branch_that_conflicts_gets_a_message() {
    let team = Team::hive();
    let pull = team.propose(5, &team.file_with(ZOE));
    team.hub.state().pulls[0]["mergeable"] = json!(false);
    let planned = team.plan(&pull);
    planned.is("gate", Ended::Failure);
    assert!(planned.log.contains("can't be merged as it is"), "{}", planned.log);
}

#[test]
fn bitpanda_is_never_planned_without_a_reviewer() {
    let team = Team::of(ProviderName::Bitpanda, &[]);
    let pull = team.propose(6, &format!("{}\n# nothing else\n", team.file()));
    let planned = team.plan(&pull);
    planned.is("gate", Ended::Success);
    planned.is("plan", Ended::Waiting);
    assert!(planned.log.contains("needs the credential of an admin"), "{}", planned.log);
}

#[test]
fn wrong_files_and_refused_plans_are_reported_in_the_comment() {
    let mut team = Team::hive();
    let planned = team.plan(&team.propose(8, &team.file_with("  - email: nobody\n")));
    planned.is("gate", Ended::Failure);
    planned.is("comment", Ended::Success);
    assert!(team.comments()[0].contains("invalid-email"), "{:?}", team.comments());

    let refused = team.file().replace("max_removals: 2", "max_removals: 0");
    let pull = team.propose(8, &refused);
    team.settings.unapproved.clear();
    let planned = team.plan(&pull);
    planned.is("plan", Ended::Failure);
    planned.is("comment", Ended::Success);
    let comments = team.comments();
    assert!(comments.len() == 1 && comments[0].contains("**Refused by max_removals"), "{comments:?}");
    let applied = team.merge(&pull);
    applied.is("apply", Ended::Failure);
    assert!(applied.log.contains("max_removals"), "{}", applied.log);
    assert!(!team.ledger().unwrap_or_default().contains("\"event\":\"intent\""), "nothing was sent");
}

#[test]
fn an_edited_plan_is_not_applied() {
    let team = Team::hive();
    let pull = team.propose(9, &team.file_with(ZOE));
    team.plan(&pull).is("plan", Ended::Success);
    {
        let state = team.hub.state();
        let plan = state.artifacts.iter().find(|it| it.name.starts_with("rolecall-plan-")).unwrap();
        let path = plan.folder.join("plan.json");
        let edited = std::fs::read_to_string(&path).unwrap().replace("\"Viewer\"", "\"Admin\"");
        std::fs::write(&path, edited).unwrap();
    }
    let applied = team.merge(&pull);
    applied.is("apply", Ended::Failure);
    assert!(applied.log.contains("Plan again and have the new plan reviewed"), "{}", applied.log);
    assert!(team.changes_left().contains(&"user/zoe@acme.example".to_owned()), "nothing was sent");
}

#[test]
fn a_plan_that_another_workflow_has_made_counts_for_nothing() {
    let team = Team::hive();
    let pull = team.propose(10, &team.file_with(ZOE));
    let name = format!("rolecall-plan-{}", pull.head);
    team.env.write("plan.json", "{}");
    for (event, path) in [
        ("pull_request", ".github/workflows/rolecall-plan.yml"),
        ("pull_request_target", ".github/workflows/other.yml"),
    ] {
        let run = team.hub.begin(event, path);
        team.hub.upload(run, &name, &[team.env.path("plan.json")]);
    }
    let applied = team.merge(&pull);
    applied.is("apply", Ended::Failure);
    assert!(applied.log.contains("that was made before it was merged"), "{}", applied.log);
    // Beside the right one it isn't used either, even if it is newer.
    let pull = team.propose(11, &team.file_with(&ZOE.replace("zoe", "yann")));
    team.plan(&pull).is("plan", Ended::Success);
    let run = team.hub.begin("pull_request", ".github/workflows/rolecall-plan.yml");
    team.hub.upload(run, &format!("rolecall-plan-{}", pull.head), &[team.env.path("plan.json")]);
    team.merge(&pull).is("apply", Ended::Success);
}

#[test]
fn what_nobody_has_reviewed_is_not_applied() {
    let team = Team::hive();
    let before = team.main();
    team.at_main();
    team.commit(&team.file_with(ZOE));
    team.git(&["push", "--quiet", "origin", "HEAD:main"]);
    let applied = team.pushed(&before);
    applied.is("apply", Ended::Failure);
    assert!(applied.log.contains("nobody has reviewed a plan of it"), "{}", applied.log);
    assert!(team.ledger().is_none());
}

#[test]
fn an_apply_that_is_started_again_later_brings_nothing_back() {
    let team = Team::hive();
    let closing = team.propose(1, &team.file());
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
fn a_plan_that_was_made_after_the_merge_was_reviewed_by_nobody() {
    let team = Team::hive();
    let before = team.main();
    let pull = team.propose(14, &team.file_with(ZOE));
    team.merge(&pull).is("apply", Ended::Failure);
    // The pull request's workflow refuses by now. An artifact of that name from another run comes too late.
    let planned = team.plan(&pull);
    planned.is("gate", Ended::Failure);
    assert!(planned.log.contains("no open pull request"), "{}", planned.log);
    let run = team.hub.begin("pull_request_target", ".github/workflows/rolecall-plan.yml");
    team.env.write("plan.json", "{}");
    team.hub.upload(run, &format!("rolecall-plan-{}", pull.head), &[team.env.path("plan.json")]);
    let applied = team.pushed(&before);
    applied.is("apply", Ended::Failure);
    assert!(applied.log.contains("that was made before it was merged"), "{}", applied.log);
}

#[test]
fn a_ledger_among_the_files_is_ignored() {
    let team = Team::hive();
    let forge = || {
        team.env.write("clone/.rolecall/ledger/hive-acme.jsonl", "{\"event\":\"forged\"}\n");
        team.git(&["add", "--force", ".rolecall"]);
    };
    // Nobody has planned it, and there is nothing to apply.
    team.at_main();
    let before = team.main();
    forge();
    team.commit(&team.file_with(ZOE));
    team.git(&["push", "--quiet", "origin", "HEAD:main"]);
    team.pushed(&before).is("apply", Ended::Failure);
    assert!(team.ledger().is_none());
    // Nobody has planned it, and there is something to apply.
    let pull = team.propose(15, &team.file_with(&ZOE.replace("zoe", "yann")));
    let planned = team.plan(&pull);
    planned.is("plan", Ended::Success);
    team.merge(&pull).is("apply", Ended::Success);
    assert!(!team.ledger().unwrap().contains("forged"));
}

#[test]
fn without_a_key_for_the_ledger_nothing_is_sent() {
    let mut team = Team::hive();
    team.settings.secrets.get_mut("rolecall-apply").unwrap().remove("ROLECALL_LEDGER_KEY");
    let pull = team.propose(16, &team.file_with(ZOE));
    team.plan(&pull).is("plan", Ended::Success);
    let applied = team.merge(&pull);
    applied.is("apply", Ended::Failure);
    assert!(applied.log.contains("ROLECALL_LEDGER_KEY"), "{}", applied.log);
    assert!(team.changes_left().contains(&"user/zoe@acme.example".to_owned()));
}

#[test]
fn github_being_away_opens_no_second_issue_and_no_second_comment() {
    let team = Team::hive();
    let pull = team.propose(17, &team.file_with(ZOE));
    team.plan(&pull).is("comment", Ended::Success);
    team.drift().is("issue", Ended::Success);
    team.hub.state().away = Some("/issues".to_owned());
    team.drift().is("issue", Ended::Failure);
    team.hub.state().away = Some("/comments".to_owned());
    team.plan(&pull).is("comment", Ended::Failure);
    let state = team.hub.state();
    assert_eq!((state.issues.len(), state.comments.len()), (1, 1));
}

#[test]
fn one_organisation_that_is_away_does_not_hide_the_drift_of_another() {
    let team = Team::hive();
    team.at_main();
    let away = team.file().replace("organization: acme", "organization: other");
    let away = away.replace("keys/ci-publisher.key", "keys/other.key");
    team.env.write("clone/access/other.yaml", away.replace(&team.server.url, "http://127.0.0.1:9/graphql"));
    team.commit(&team.file());
    team.git(&["push", "--quiet", "origin", "HEAD:main"]);
    let run = team.drift();
    run.is("drift", Ended::Failure);
    run.is("issue", Ended::Success);
    let issues = team.hub.state().issues.clone();
    let body = issues[0]["body"].as_str().unwrap();
    assert!(body.contains("user/alice@acme.example") && body.contains("hive other"), "{body}");
}

#[test]
fn a_plan_that_is_out_of_date_sends_nothing() {
    let team = Team::hive();
    let pull = team.propose(12, &team.file_with(ZOE));
    team.plan(&pull).is("plan", Ended::Success);
    // Somebody else gives alice another role in the meantime.
    let other = team.file().replace("roles: [Schema reviewer]", "roles: [Viewer]");
    team.env.write("other.yaml", other);
    let mut command = team.env.command();
    command.envs(&team.settings.secrets["rolecall-apply"]).env("ROLECALL_ALLOWED_HOSTS", "127.0.0.1");
    let args = [
        "apply",
        "--auto-approve",
        "--ledger",
        "theirs.jsonl",
        "--target",
        "user/alice@acme.example",
        "other.yaml",
    ];
    let said = command.args(args).output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let applied = team.merge(&pull);
    applied.is("apply", Ended::Failure);
    assert!(applied.log.contains("are out of date. Nothing was sent"), "{}", applied.log);
    assert!(team.changes_left().contains(&"user/zoe@acme.example".to_owned()), "nothing was sent");
}

#[test]
fn an_apply_that_breaks_off_keeps_its_ledger_all_the_same() {
    let team = Team::of(ProviderName::Hive, &["--fault", "errors@assignMemberRole*9"]);
    let pull = team.propose(13, &team.file_with(ZOE));
    team.plan(&pull).is("plan", Ended::Success);
    let applied = team.merge(&pull);
    applied.is("apply", Ended::Failure);
    assert!(applied.log.contains("| **failed** |"), "{}", applied.log);
    let ledger = team.ledger().unwrap();
    assert!(ledger.contains("\"outcome\":\"failed\"") && ledger.contains("\"outcome\":\"done\""), "{ledger}");
}

#[test]
fn drift_opens_one_issue_updates_it_and_closes_it() {
    let mut team = Team::hive();
    team.settings.unapproved.insert("rolecall-apply".to_owned());
    let first = team.drift();
    first.is("issue", Ended::Success);
    let issues = || team.hub.state().issues.clone();
    assert_eq!(issues().len(), 1);
    assert_eq!(issues()[0]["labels"], json!(["rolecall-drift"]));
    assert!(issues()[0]["body"].as_str().unwrap().contains("user/alice@acme.example"));
    // The same drift again: nobody is notified twice.
    team.drift().is("issue", Ended::Success);
    assert_eq!((issues().len(), team.remarks()), (1, 0));
    // Different drift: the issue is updated, and its watchers are notified.
    let pull = team.propose(20, &team.file_with(ZOE));
    team.plan(&pull).is("plan", Ended::Success);
    team.merge(&pull).is("apply", Ended::Waiting);
    team.drift().is("issue", Ended::Success);
    assert_eq!((issues().len(), team.remarks()), (1, 1));
    assert!(issues()[0]["body"].as_str().unwrap().contains("zoe"));
    // The drift ends when the file on main says what is live.
    team.at_main();
    let nothing =
        team.file().split("\nroles:").next().unwrap().to_owned() + "\nacknowledged: [user/*]\nusers: []\n";
    team.commit(&nothing);
    team.git(&["push", "--quiet", "origin", "HEAD:main"]);
    team.drift().is("issue", Ended::Success);
    assert_eq!((issues().len(), team.remarks()), (1, 2));
    assert_eq!(issues()[0]["state"], "closed");
    team.drift().is("issue", Ended::Success);
    assert_eq!((issues().len(), team.remarks()), (1, 2), "and nothing more");
}

/// A plan tells when the last drift run was. Its line is added to the ledger as it is by then.
#[test]
fn a_drift_run_leaves_a_line_in_the_ledger_and_nothing_else() {
    let mut team = Team::hive();
    // The first apply makes the branch.
    team.drift().is("ledger", Ended::Success);
    assert_eq!(team.ledger(), None);
    let pull = team.propose(1, &team.file_with(ZOE));
    team.plan(&pull).is("plan", Ended::Success);
    team.merge(&pull).is("apply", Ended::Success);
    let applied = team.ledger().unwrap();
    // Without the key, the run is as before.
    let key = std::mem::take(team.settings.secrets.get_mut("rolecall-ledger").unwrap());
    let run = team.drift();
    run.is("ledger", Ended::Success);
    assert!(run.log.contains("no plan knows of this run"), "{}", run.log);
    assert_eq!(team.ledger().unwrap(), applied);
    team.settings.secrets.insert("rolecall-ledger".to_owned(), key);
    let first = team.drift();
    first.is("ledger", Ended::Success);
    first.is("issue", Ended::Success);
    let ledger = team.ledger().unwrap();
    let line = ledger.strip_prefix(&applied).unwrap().trim();
    assert!(line.contains("\"event\":\"drift-finished\"") && line.lines().count() == 1, "{line}");
    // The same day, there is nothing to add.
    team.drift().is("ledger", Ended::Skipped);
    assert_eq!(team.ledger().unwrap(), ledger);
    // The apply and the plan go on from there.
    let pull = team.propose(2, &team.file_with(&ZOE.replace("zoe", "yann")));
    let planned = team.plan(&pull);
    planned.is("plan", Ended::Success);
    team.merge(&pull).is("apply", Ended::Success);
    assert!(team.ledger().unwrap().starts_with(&ledger));
}

#[test]
fn with_one_line_drift_opens_a_pull_request_with_what_is_live() {
    let mut team = Team::hive();
    team.settings.with.insert("pull".to_owned(), json!(true));
    let first = team.drift();
    first.is("pull", Ended::Success);
    first.is("issue", Ended::Skipped);
    let pulls = || team.hub.state().pulls.clone();
    assert_eq!((pulls().len(), team.hub.state().issues.len()), (1, 0));
    assert_eq!(
        (&pulls()[0]["head"]["ref"], &pulls()[0]["base"]["ref"]),
        (&json!("rolecall-pull"), &json!("main"))
    );
    let body = pulls()[0]["body"].as_str().unwrap().to_owned();
    assert!(body.contains("user/alice@acme.example") && body.contains("access/file.yaml: "), "{body}");
    // The same drift again changes nothing.
    let tip = || git(&team.hub.remote(), &["rev-parse", "refs/heads/rolecall-pull"]);
    let before = tip();
    team.drift().is("pull", Ended::Success);
    assert_eq!((pulls().len(), tip()), (1, before.clone()));
    // The branch changes the file and nothing else.
    let changed = git(&team.hub.remote(), &["diff", "--name-only", "main", "rolecall-pull"]);
    assert_eq!(changed, "access/file.yaml");
    // Merged, the file says what is live. So the next run finds no drift, and closes what is open.
    team.at_main();
    team.git(&["fetch", "--quiet", "origin", "rolecall-pull"]);
    team.git(&["merge", "--quiet", "--no-ff", "--message", "merge", "FETCH_HEAD"]);
    team.git(&["push", "--quiet", "origin", "HEAD:main"]);
    let last = team.drift();
    last.is("pull", Ended::Success);
    last.is("issue", Ended::Success);
    assert_eq!((pulls().len(), &pulls()[0]["state"], tip()), (1, &json!("closed"), before));
}

#[test]
fn a_platform_that_is_away_is_neither_drift_nor_its_end() {
    let team = Team::hive();
    team.drift().is("issue", Ended::Success);
    let Team { env, server, hub, settings } = team;
    let url = server.url.clone();
    drop(server);
    let server = env.serve(&["--provider", "hive"]);
    assert_ne!(server.url, url);
    let team = Team { env, server, hub, settings };
    let run = team.drift();
    run.is("drift", Ended::Failure);
    run.is("issue", Ended::Skipped);
    assert_eq!(team.hub.state().issues[0]["state"], "open");
}

#[test]
fn the_examples_name_what_the_workflows_hand_over() {
    let plan = crate::runner::workflow::of_repository(&format!("examples/ci/github/{PLAN}")).to_string();
    for name in ProviderName::ALL {
        let file = example(&format!("{name}.yaml"));
        let lines = file.lines().filter(|line| !line.trim_start().starts_with('#'));
        for line in lines.filter(|line| line.contains("{ env: ")) {
            let variable = line.split("{ env: ").nth(1).unwrap().split(' ').next().unwrap();
            assert!(plan.contains(&format!("secrets.{variable} ")), "{variable}");
        }
    }
}
