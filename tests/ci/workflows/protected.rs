//! The workflows where the environments protect nothing, where there is no plan before the merge, and where somebody
//! changes what must not be changed.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::team::{APPLY, DRIFT, PLAN, Team};
use crate::runner::ended::Ended;
use crate::runner::repository::{Repository, ZOE};
use crate::support::cli::example;
use crate::support::objects::ObjectStore;
use rolecall_model::ProviderName;

/// Changes an environment of the repository.
fn environment(team: &Team, name: &str, change: impl Fn(&mut Value)) {
    let mut state = team.hub.state();
    change(state.environments.iter_mut().find(|it| it["name"] == name).unwrap());
}

type Change<'a> = &'a dyn Fn(&mut Value);

/// Without reviewers, GitHub starts a job of the environment at once.
#[test]
fn without_reviewers_that_hold_nothing_sensitive_is_planned() {
    let mut team = Team::of(ProviderName::Bitpanda, &[]);
    team.settings.unapproved.clear();
    let pull = team.propose(1, &format!("{}\n# nothing else\n", team.file()));
    let none = |it: &mut Value| it["protection_rules"] = json!([{ "type": "branch_policy" }]);
    let own = |it: &mut Value| it["protection_rules"][0]["prevent_self_review"] = json!(false);
    let gone = |it: &mut Value| it["name"] = json!("other");
    let changes: [(Change<'_>, &str); 3] = [
        (&none, "has no required reviewers"),
        (&own, "or they may approve their own runs"),
        (&gone, "The repository has no environment `rolecall-review`"),
    ];
    let before = team.hub.state().environments.clone();
    for (change, message) in changes {
        team.hub.state().environments.clone_from(&before);
        environment(&team, "rolecall-review", change);
        let planned = team.plan(&pull);
        planned.is("gate", Ended::Failure);
        planned.is("plan", Ended::Skipped);
        planned.is("comment", Ended::Success);
        let comment = &team.comments()[0];
        assert!(comment.contains(message) && comment.contains("docs/ci.md#plans-of-github"), "{comment}");
    }

    // With one line, this is no failure: it is planned after the merge, and applied by hand.
    team.settings.with.insert("plan-after-merge".to_owned(), json!(true));
    let planned = team.plan(&pull);
    planned.is("gate", Ended::Success);
    planned.is("plan", Ended::Skipped);
    assert!(
        team.comments()[0].contains("After the merge, somebody starts the workflow"),
        "{}",
        team.comments()[0]
    );
    let merged = team.merge(&pull);
    merged.is("apply", Ended::Failure);
    assert!(merged.log.contains("start this workflow by hand"), "{}", merged.log);
    let left = team.changes_left();
    assert!(!left.is_empty());
    let looked = team.by_hand("");
    looked.is("apply", Ended::Success);
    let (_, number) = looked.log.split_once("gh workflow run rolecall-apply.yml -f plan=").unwrap();
    let number = number.split_whitespace().next().unwrap();
    assert_eq!(team.changes_left(), left, "a plan sends nothing");
    let applied = team.by_hand(number);
    applied.is("apply", Ended::Success);
    assert!(applied.log.contains("| done | ") && team.changes_left().len() < left.len(), "{}", applied.log);
}

/// The same for changes that need no reviewer: a branch could take the secrets of an environment that every branch may use.
#[test]
fn an_environment_that_every_branch_may_use_gets_no_plan() {
    let team = Team::hive();
    let pull = team.propose(1, &team.file_with(ZOE));
    environment(&team, "rolecall-plan", |it| it["deployment_branch_policy"] = Value::Null);
    let planned = team.plan(&pull);
    planned.is("gate", Ended::Failure);
    planned.is("plan", Ended::Skipped);
    assert!(team.comments()[0].contains("Every branch may use the environment `rolecall-plan`"));
    // If GitHub doesn't answer, nobody knows what protects it.
    environment(&team, "rolecall-plan", |it| it["deployment_branch_policy"] = json!({}));
    team.hub.state().away = Some("environments/rolecall-plan".to_owned());
    team.plan(&pull).is("plan", Ended::Skipped);
    team.hub.state().away = None;
    team.plan(&pull).is("plan", Ended::Success);
}

#[test]
fn workflows_and_files_in_one_first_pull_request_are_planned_by_hand() {
    let team = Team::hive();
    let file = team.file();
    // As if main had nothing before.
    team.at_main();
    team.git(&["rm", "-r", "--quiet", ".github", "access"]);
    team.git(&["commit", "--quiet", "--message", "start"]);
    team.git(&["push", "--quiet", "origin", "HEAD:main"]);
    team.at_main();
    for name in [PLAN, APPLY] {
        team.write_workflow(name, &example(&format!("ci/github/{name}")));
    }
    let pull = team.propose(1, &file);
    let merged = team.merge(&pull);
    merged.is("apply", Ended::Failure);
    assert!(merged.log.contains("main had no .github/workflows/rolecall-plan.yml yet"), "{}", merged.log);
    assert!(merged.log.contains("start this workflow by hand") && team.ledger().is_none(), "{}", merged.log);
    team.by_hand("").is("apply", Ended::Success);

    // From then on, pull requests are planned.
    let pull = team.propose(2, &team.file_with(ZOE));
    team.plan(&pull).is("plan", Ended::Success);
    team.merge(&pull).is("apply", Ended::Success);
}

#[test]
fn only_a_plan_of_main_can_be_applied_by_hand_and_only_as_it_was_shown() {
    let team = Team::hive();
    let looked = team.by_hand("");
    let number = team.hub.state().runs.last().unwrap()["id"].to_string();
    assert!(looked.log.contains(&format!("-f plan={number}")), "{}", looked.log);
    let pull = team.propose(1, &team.file_with(ZOE));
    team.plan(&pull).is("plan", Ended::Success);
    let of_pull = team.hub.state().runs.last().unwrap()["id"].to_string();
    for (plan, message) in [
        (of_pull.as_str(), "didn't plan main"),
        ("77", "didn't plan main"),
        ("1; id", "is not the number of a run"),
    ] {
        let applied = team.by_hand(plan);
        applied.is("apply", Ended::Failure);
        assert!(applied.log.contains(message), "{}", applied.log);
    }
    // A branch has a workflow of that name, too, and its environment's secrets it doesn't get.
    let of_branch = team.hub.begin("workflow_dispatch", ".github/workflows/rolecall-apply.yml");
    team.hub.state().runs.last_mut().unwrap()["head_branch"] = json!("topic");
    team.env.write("plan.json", "{}");
    team.hub.upload(of_branch, "rolecall-plan", &[team.env.path("plan.json")]);
    assert!(team.by_hand(&of_branch.to_string()).log.contains("didn't plan main"));
    assert!(team.ledger().is_none_or(|ledger| !ledger.contains("\"event\":\"intent\"")));

    // What was shown is applied once, and not again after live has changed.
    team.by_hand(&number).is("apply", Ended::Success);
    assert_eq!(team.changes_left(), Vec::<String>::new());
    let pull = team.propose(2, &team.file().replacen("roles: [Schema reviewer]", "roles: [Viewer]", 1));
    team.plan(&pull).is("plan", Ended::Success);
    team.merge(&pull).is("apply", Ended::Success);
    team.by_hand(&number);
    assert_eq!(team.changes_left(), Vec::<String>::new(), "an old plan brings nothing back");
}

#[test]
fn a_schedule_does_what_is_due_and_nothing_else() {
    let team = Team::hive();
    let pull = team.propose(1, &team.file_with(ZOE));
    team.plan(&pull).is("plan", Ended::Success);
    team.merge(&pull).is("apply", Ended::Success);
    team.end_access_of_zoe();
    let run = team.leftovers();
    run.is("apply", Ended::Success);
    assert_eq!(team.changes_left(), Vec::<String>::new(), "{}", run.log);
    assert!(team.ledger().unwrap().contains("\"outcome\":\"done\""));
}

/// A pull request that changes the workflow, its pin or what it hands over is planned by the workflow of main.
#[test]
fn a_pull_request_that_changes_the_workflow_is_planned_by_that_of_main() {
    let team = Team::hive();
    team.at_main();
    let workflow = example(&format!("ci/github/{PLAN}"));
    let evil = workflow.replace(
        "rolecall-dev/rolecall/.github/workflows/plan.yml",
        "mallory/rolecall/.github/workflows/plan.yml",
    );
    assert_ne!(evil, workflow);
    team.write_workflow(PLAN, &evil);
    let pull = team.propose(1, &team.file_with(ZOE));
    // The runner knows no other workflow than ours, so it would fail.
    team.plan(&pull).is("plan", Ended::Success);
    // Until it is merged, which code owners have to approve.
    assert!(
        team.git(&["show", "origin/main:.github/workflows/rolecall-plan.yml"]).contains("rolecall-dev/rolecall/")
    );
}

/// The ledger can have another home than its branch, and then needs no key. A second organisation of a platform has
/// variables of its own. All of these stand in one secret.
#[test]
fn a_ledger_at_an_endpoint_and_variables_of_its_own_need_one_secret() {
    let mut team = Team::hive();
    let store = ObjectStore::start();
    team.settings.with.insert("ledger".to_owned(), json!(store.ledger));
    team.at_main();
    for name in [PLAN, APPLY, DRIFT] {
        let text = example(&format!("ci/github/{name}"));
        let more = "      ROLECALL_CREDENTIALS: ${{ secrets.ROLECALL_CREDENTIALS }}\n";
        team.write_workflow(name, &format!("{text}{more}"));
    }
    team.commit(&team.file().replace("HIVE_TOKEN", "HIVE_TOKEN_OF_ACME"));
    team.git(&["push", "--quiet", "origin", "HEAD:main"]);
    team.at_main();
    let token = team.settings.secrets["rolecall-plan"]["HIVE_TOKEN"].clone();
    let mut variables = format!("HIVE_TOKEN_OF_ACME={token}\n");
    for (name, value) in &store.variables {
        writeln!(variables, "{name}={value}").unwrap();
    }
    for name in ["rolecall-plan", "rolecall-apply", "rolecall-drift"] {
        let secrets = team.settings.secrets.get_mut(name).unwrap();
        secrets.remove("ROLECALL_LEDGER_KEY");
        secrets.remove("HIVE_TOKEN");
        secrets.insert("ROLECALL_CREDENTIALS".to_owned(), variables.clone());
    }
    let pull = team.propose(1, &team.file_with(ZOE));
    team.plan(&pull).is("plan", Ended::Success);
    team.merge(&pull).is("apply", Ended::Success);
    assert!(team.ledger().is_none());
    let kept = store.text("hive-acme.jsonl");
    assert!(kept.contains("zoe@acme.example") && kept.contains("\"event\":\"run-finished\""), "{kept}");
    let drift = team.drift();
    drift.is("drift", Ended::Success);
    drift.is("ledger", Ended::Skipped);
    assert!(store.text("hive-acme.jsonl").contains("\"event\":\"drift-finished\""), "{}", drift.log);
}
