//! Drift and its issue.

use serde_json::json;

use super::team::Team;
use crate::runner::ended::Ended;
use crate::runner::github::git;
use crate::runner::gitlab::PULL_TOKEN;
use crate::runner::repository::{Repository, ZOE};

#[test]
fn drift_opens_one_issue_updates_it_and_closes_it() {
    let team = Team::hive();
    let first = team.drift();
    first.has(&["drift", "issue", "ledger"]);
    first.is("issue", Ended::Success);
    let issues = || team.lab.state().issues.clone();
    let remarks = || team.notes("issues/").len();
    assert_eq!(issues().len(), 1);
    assert_eq!(issues()[0]["labels"], json!(["rolecall-drift"]));
    assert_eq!(issues()[0]["confidential"], true);
    assert!(issues()[0]["description"].as_str().unwrap().contains("user/alice@acme.example"));
    // The same drift again: nobody is notified twice.
    team.drift().is("issue", Ended::Success);
    assert_eq!((issues().len(), remarks()), (1, 0));
    // Different drift: the issue is updated, and its watchers are notified.
    let request = team.propose(20, &team.file_with(ZOE));
    team.merge_only(&request);
    team.drift().is("issue", Ended::Success);
    assert_eq!((issues().len(), remarks()), (1, 1));
    assert!(issues()[0]["description"].as_str().unwrap().contains("zoe"));
    // The drift ends when the file on main says what is live.
    team.at_main();
    let nothing =
        team.file().split("\nroles:").next().unwrap().to_owned() + "\nacknowledged: [user/*]\nusers: []\n";
    team.commit(&nothing);
    team.git(&["push", "--quiet", "origin", "HEAD:main"]);
    team.drift().is("issue", Ended::Success);
    assert_eq!((issues().len(), remarks()), (1, 2));
    assert_eq!(issues()[0]["state"], "closed");
    team.drift().is("issue", Ended::Success);
    assert_eq!((issues().len(), remarks()), (1, 2), "and nothing more");
}

/// A plan tells when the last drift run was. Its line is added to the ledger as it is by then.
#[test]
fn a_drift_run_leaves_a_line_in_the_ledger_and_nothing_else() {
    let mut team = Team::hive();
    // The first apply makes the branch.
    team.drift().is("ledger", Ended::Success);
    assert_eq!(team.ledger(), None);
    let request = team.propose(1, &team.file_with(ZOE));
    team.plan(&request).is("plan", Ended::Success);
    team.merge(&request).is("apply", Ended::Success);
    let applied = team.ledger().unwrap();
    // Without the token, the run is as before.
    let token = std::mem::take(team.settings.scoped.get_mut("rolecall/ledger").unwrap());
    let run = team.drift();
    run.is("ledger", Ended::Success);
    assert!(run.log.contains("no plan knows of this run"), "{}", run.log);
    assert_eq!(team.ledger().unwrap(), applied);
    team.settings.scoped.insert("rolecall/ledger".to_owned(), token);
    team.drift().is("ledger", Ended::Success);
    let ledger = team.ledger().unwrap();
    let line = ledger.strip_prefix(&applied).unwrap().trim();
    assert!(line.contains("\"event\":\"drift-finished\"") && line.lines().count() == 1, "{line}");
    // The same day, there is nothing to add.
    team.drift().is("ledger", Ended::Success);
    assert_eq!(team.ledger().unwrap(), ledger);
    let request = team.propose(2, &team.file_with(&ZOE.replace("zoe", "yann")));
    team.plan(&request).is("plan", Ended::Success);
    team.merge(&request).is("apply", Ended::Success);
    assert!(team.ledger().unwrap().starts_with(&ledger));
}

#[test]
fn with_one_line_drift_opens_a_merge_request_with_what_is_live() {
    let mut team = Team::hive();
    team.settings.inputs.insert("pull".to_owned(), json!(true));
    // A Reporter can't push.
    team.drift().is("pull", Ended::Failure);
    let token = ("ROLECALL_GITLAB_TOKEN".to_owned(), PULL_TOKEN.to_owned());
    team.settings.scoped.insert("rolecall/report".to_owned(), [token].into());
    let first = team.drift();
    first.is("pull", Ended::Success);
    first.is("issue", Ended::Success);
    let requests = || team.lab.state().requests.clone();
    assert_eq!((requests().len(), team.lab.state().issues.len()), (1, 0));
    let description = requests()[0]["description"].as_str().unwrap().to_owned();
    assert!(description.contains("user/alice@acme.example") && description.contains("access/file.yaml: "));
    // The same drift again changes nothing.
    let tip = || git(&team.lab.remote(), &["rev-parse", "refs/heads/rolecall-pull"]);
    let before = tip();
    team.drift().is("pull", Ended::Success);
    assert_eq!((requests().len(), tip()), (1, before.clone()));
    let changed = git(&team.lab.remote(), &["diff", "--name-only", "main", "rolecall-pull"]);
    assert_eq!(changed, "access/file.yaml");
    // Merged, the file says what is live. So the next run finds no drift, and closes what is open.
    team.at_main();
    team.git(&["fetch", "--quiet", "origin", "rolecall-pull"]);
    team.git(&["merge", "--quiet", "--no-ff", "--message", "merge", "FETCH_HEAD"]);
    team.git(&["push", "--quiet", "origin", "HEAD:main"]);
    team.drift().is("pull", Ended::Success);
    assert_eq!((requests().len(), &requests()[0]["state"], tip()), (1, &json!("closed"), before));
}

#[test]
fn an_issue_of_somebody_else_is_left_alone() {
    let team = Team::hive();
    let theirs = json!({
        "iid": 1, "state": "opened", "labels": ["rolecall-drift"], "author": { "id": 99 },
        "description": "<!-- rolecall drift -->\nnothing to see",
    });
    team.lab.state().issues.push(theirs.clone());
    team.drift().is("issue", Ended::Success);
    let state = team.lab.state();
    assert!(state.issues.len() == 2 && state.issues[0] == theirs, "{:?}", state.issues);
}

#[test]
fn a_platform_that_is_away_is_neither_drift_nor_its_end() {
    let team = Team::hive();
    team.drift().is("issue", Ended::Success);
    let Team { env, server, lab, settings } = team;
    let url = server.url.clone();
    drop(server);
    let server = env.serve(&["--provider", "hive"]);
    assert_ne!(server.url, url);
    let team = Team { env, server, lab, settings };
    let run = team.drift();
    run.is("drift", Ended::Failure);
    run.is("issue", Ended::Success);
    assert_eq!(team.lab.state().issues[0]["state"], "opened");
    assert!(team.notes("issues/").is_empty());
}

#[test]
fn drift_is_reported_if_another_organisation_cannot_be_read() {
    let team = Team::hive();
    team.at_main();
    let file = team.file();
    let other = file
        .replace(&team.server.url, "http://127.0.0.1:9/graphql")
        .replace("organization: acme", "organization: b")
        .replace("keys/ci-publisher.key", "keys/other.key");
    team.env.write("clone/access/other.yaml", other);
    team.commit(&file);
    team.git(&["push", "--quiet", "origin", "HEAD:main"]);
    let run = team.drift();
    run.is("drift", Ended::Failure);
    run.is("issue", Ended::Success);
    let state = team.lab.state();
    assert!(
        state.issues.len() == 1 && state.issues[0]["description"].as_str().unwrap().contains("alice"),
        "{}",
        run.log
    );
}

#[test]
fn gitlab_being_away_opens_no_second_issue_and_no_second_note() {
    let team = Team::hive();
    let request = team.propose(17, &team.file_with(ZOE));
    team.plan(&request).is("comment", Ended::Success);
    team.drift().is("issue", Ended::Success);
    for away in ["/notes", "user", "/issues", "/issues/40", "merge_requests/17"] {
        team.lab.state().away = Some(away);
        let (planned, drifted) = (team.plan(&request), team.drift());
        assert!(planned.jobs["comment"] == Ended::Failure || drifted.jobs["issue"] == Ended::Failure, "{away}");
        let state = team.lab.state();
        assert!(state.notes.len() == 1 && state.issues.len() == 1, "{away}: {:?} {:?}", state.notes, state.issues);
    }
}
