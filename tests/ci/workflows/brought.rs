//! Texts and files from others that no job goes by: an edited comment, and what a branch brings beside its files.

use serde_json::{Value, json};

use super::team::Team;
use crate::runner::ended::Ended;
use crate::runner::repository::{Repository, ZOE};
use crate::support::cli::ALLOWED_HOSTS;
use rolecall_model::ProviderName;

/// Returns the plan that the newest run of a pull request has stored.
fn stored(team: &Team) -> Value {
    let state = team.hub.state();
    let plan = state.artifacts.iter().rfind(|it| it.name.starts_with("rolecall-plan-")).unwrap();
    serde_json::from_str(&std::fs::read_to_string(plan.folder.join("plan.json")).unwrap()).unwrap()
}

/// Everybody who can push a branch can edit a comment of GitHub Actions, and write one that looks like it.
#[test]
fn an_edited_comment_changes_nothing_of_what_is_applied() {
    let team = Team::hive();
    let pull = team.propose(7, &team.file_with(ZOE));
    team.plan(&pull).is("comment", Ended::Success);
    let seal = stored(&team)["organizations"][0]["seal"].as_str().unwrap().to_owned();
    let shown = team.comments().remove(0);
    let other = shown.replace("zoe@", "mallory@").replace(&seal, "sha256:0").replace(&pull.head, &"0".repeat(40));
    assert!(shown.contains("zoe@") && other != shown);
    {
        let mut state = team.hub.state();
        state.comments[0]["body"] = json!(other);
        state.comments.insert(0, json!({ "id": 9, "issue": 7, "user": { "login": "mallory" }, "body": other }));
    }
    let applied = team.merge(&pull);
    applied.is("apply", Ended::Success);
    let ledger = team.ledger().unwrap();
    assert!(ledger.contains(&seal) && ledger.contains("zoe@acme.example"), "{ledger}");
    assert!(!ledger.contains("mallory") && !applied.log.contains("mallory"), "{}", applied.log);
    assert_eq!(team.comments(), [other.clone(), other], "no job reads or writes a comment after the merge");

    // The next plan is written over the own comment, and never over that of somebody else.
    let pull = team.propose(7, &team.file_with(&ZOE.replace("zoe", "yann")));
    team.plan(&pull).is("comment", Ended::Success);
    let comments = team.comments();
    assert!(comments.len() == 2 && comments[0].contains("mallory@"), "{comments:?}");
    assert!(comments[1].contains("yann@") && !comments[1].contains("mallory@"), "{comments:?}");
}

/// The answers of a read that broke off, edited by somebody, would be believed for half an hour.
#[test]
fn a_cache_and_a_plan_that_a_branch_brings_are_used_by_no_job() {
    let team = Team::of(ProviderName::Rapidapi, &["--fault", "status=500@entitiesRoles"]);
    let plan_in = |folder: &str| {
        team.env.write(&format!("{folder}/file.yaml"), team.file());
        let mut command = team.env.command();
        command.current_dir(team.env.path(folder)).envs(team.credentials());
        let said = command.env("ROLECALL_ALLOWED_HOSTS", ALLOWED_HOSTS).args(["plan", "file.yaml"]).output();
        team.env.said(&said.unwrap())
    };
    let broken_off = plan_in("theirs");
    assert_eq!(broken_off.code, 6, "{}", broken_off.all());
    team.at_main();
    let mut answers = 0;
    for entry in std::fs::read_dir(team.env.path("theirs/.rolecall/cache")).unwrap() {
        let (path, name) = (entry.as_ref().unwrap().path(), entry.as_ref().unwrap().file_name());
        let (text, name) = (std::fs::read_to_string(path).unwrap(), name.to_str().unwrap().to_owned());
        answers += usize::from(name.ends_with("read.jsonl"));
        let text = text.replace("@acme.example", "@mallory.example");
        for folder in ["clone/.rolecall", "clone/access/.rolecall", "control/.rolecall"] {
            team.env.write(&format!("{folder}/cache/{name}"), &text);
        }
    }
    assert_eq!(answers, 1);
    for name in ["out/plan.json", "plans/order", ".rolecall/plan.json", "plan.json"] {
        team.env.write(&format!("clone/{name}"), "{}");
    }
    // The control: where nobody takes it away, it is used.
    let said = plan_in("control");
    assert!(said.stderr.contains("Resuming an interrupted read"), "{}", said.all());

    let file = team.file();
    team.git(&["add", "--force", "."]);
    let pull = team.propose(1, &format!("{file}\n# nothing else\n"));
    assert!(team.git(&["ls-tree", "-r", "--name-only", &pull.head]).contains(".rolecall/cache/"), "it is there");
    let planned = team.plan(&pull);
    planned.is("plan", Ended::Success);
    let applied = team.merge(&pull);
    applied.is("apply", Ended::Success);
    for log in [planned.log, applied.log, stored(&team).to_string()] {
        assert!(!log.contains("Resuming an interrupted read") && !log.contains("mallory.example"), "{log}");
    }
}
