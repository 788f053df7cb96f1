//! The workflows of `examples/ci/github`, their shell steps as they are, against the sandbox and a throwaway repository.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a test fails by panicking")]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use rolecall::model::ProviderName;
use rolecall::sandbox::own_credentials;
use serde_json::{Value, json};
use support::cli::{Env, Server, example};
use support::github::{Hub, REPOSITORY, git};
use support::receiver::Receiver;
use support::workflow::{Ended, Event, Run, Settings, run};

const PLAN: &str = "rolecall-plan.yml";
const APPLY: &str = "rolecall-apply.yml";
const DRIFT: &str = "rolecall-drift.yml";

/// A team with its files at GitHub, and their platform.
struct Team {
    env: Env,
    server: Server,
    hub: Hub,
    settings: Settings,
}

/// A pull request.
struct Pull {
    number: u64,
    head: String,
    /// The commit that merging it would make.
    merge: String,
}

impl Team {
    /// With the Hive example, or another's, on main.
    fn of(provider: ProviderName, faults: &[&str]) -> Self {
        let mut env = Env::new();
        let server = env.serve_example(provider, faults);
        let hub = Hub::new(&env.path("github"));
        git(&env.path("."), &["clone", "--quiet", hub.remote().to_str().unwrap(), "clone"]);
        let file = env.read("file.yaml");
        let credential = own_credentials(provider)[0].1.to_owned();
        let name = if provider == ProviderName::Hive { "HIVE_TOKEN" } else { "BITPANDA_API_KEY" };
        let secrets = BTreeMap::from([(name.to_owned(), credential)]);
        let environments = ["rolecall-plan", "rolecall-review", "rolecall-apply", "rolecall-drift"];
        let settings = Settings {
            secrets: environments.map(|name| (name.to_owned(), secrets.clone())).into(),
            vars: BTreeMap::from([("ROLECALL_ALLOWED_HOSTS".to_owned(), "127.0.0.1".to_owned())]),
            unapproved: BTreeSet::from(["rolecall-review".to_owned()]),
        };
        let team = Self { env, server, hub, settings };
        team.commit(&file);
        team.git(&["push", "--quiet", "origin", "HEAD:main"]);
        team
    }

    fn hive() -> Self {
        Self::of(ProviderName::Hive, &[])
    }

    fn git(&self, args: &[&str]) -> String {
        git(&self.env.path("clone"), args)
    }

    fn commit(&self, file: &str) {
        self.env.write("clone/access/file.yaml", file);
        self.git(&["add", "."]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", "change access"]);
    }

    fn file(&self) -> String {
        self.git(&["show", "origin/main:access/file.yaml"])
    }

    fn main(&self) -> String {
        git(&self.hub.remote(), &["rev-parse", "main"])
    }

    /// Opens a pull request with the file changed so, or pushes to one.
    fn propose(&self, number: u64, file: &str) -> Pull {
        self.git(&["fetch", "--quiet", "origin"]);
        self.git(&["checkout", "--quiet", "--detach", "origin/main"]);
        self.commit(file);
        let head = self.git(&["rev-parse", "HEAD"]);
        self.git(&["push", "--quiet", "--force", "origin", &format!("HEAD:refs/heads/topic-{number}")]);
        self.git(&["checkout", "--quiet", "--detach", "origin/main"]);
        self.git(&["merge", "--quiet", "--no-ff", "--message", "merge", &head]);
        let merge = self.git(&["rev-parse", "HEAD"]);
        self.git(&["push", "--quiet", "--force", "origin", &format!("HEAD:refs/pull/{number}/merge")]);
        let mut state = self.hub.state();
        state.pulls.retain(|pull| pull["number"] != number);
        state.pulls.push(json!({
            "number": number,
            "mergeable": true,
            "merge_commit_sha": merge,
            "merged_at": null,
            "head": { "sha": head },
            "base": { "ref": "main" },
        }));
        Pull { number, head, merge }
    }

    fn event(&self, name: &str, pull: &Pull, repository: &str) -> Run {
        let payload = json!({ "pull_request": {
            "number": pull.number,
            "head": { "sha": pull.head, "repo": { "full_name": repository } },
            "base": { "ref": "main" },
        } });
        let sha = if name == "pull_request" { pull.merge.clone() } else { self.main() };
        self.seen(run(&self.hub, &self.settings, PLAN, &Event { name, payload, sha: &sha }))
    }

    /// What a pull request of the team's own sets off.
    fn plan(&self, pull: &Pull) -> Run {
        self.event("pull_request_target", pull, REPOSITORY)
    }

    /// Merges it, and runs what that sets off.
    fn merge(&self, pull: &Pull) -> Run {
        let before = self.main();
        self.git(&["fetch", "--quiet", "origin"]);
        self.git(&["checkout", "--quiet", "--detach", "origin/main"]);
        self.git(&["merge", "--quiet", "--no-ff", "--message", "merge", &pull.head]);
        let merged = self.git(&["rev-parse", "HEAD"]);
        self.git(&["push", "--quiet", "origin", "HEAD:main"]);
        self.git(&["fetch", "--quiet", "origin"]);
        {
            let mut state = self.hub.state();
            let it = state.pulls.iter_mut().find(|it| it["number"] == pull.number).unwrap();
            it["merged_at"] = json!("2026-01-01T00:00:00Z");
            it["merge_commit_sha"] = json!(merged);
        }
        self.pushed(&before)
    }

    fn pushed(&self, before: &str) -> Run {
        let sha = self.main();
        let event = Event { name: "push", payload: json!({ "before": before }), sha: &sha };
        self.seen(run(&self.hub, &self.settings, APPLY, &event))
    }

    fn drift(&self) -> Run {
        let payload = json!({ "repository": { "default_branch": "main" } });
        let sha = self.main();
        self.seen(run(&self.hub, &self.settings, DRIFT, &Event { name: "schedule", payload, sha: &sha }))
    }

    /// Nothing that a run printed, said or kept holds a credential.
    fn seen(&self, run: Run) -> Run {
        let state = self.hub.state();
        let kept = state.artifacts.iter().flat_map(|artifact| std::fs::read_dir(&artifact.folder).unwrap());
        let kept = kept.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
        let said = state.comments.iter().chain(&state.issues).map(Value::to_string);
        for text in kept.chain(said).chain([run.log.clone()]) {
            for secret in self.settings.secrets.values().flat_map(BTreeMap::values) {
                assert!(!text.contains(secret.as_str()), "{text}");
            }
        }
        run
    }

    /// What `plan` says of main now, by itself.
    fn changes_left(&self) -> Vec<String> {
        let mut command = self.env.command();
        let (_, secrets) = self.settings.secrets.first_key_value().unwrap();
        command.envs(secrets).env("ROLECALL_ALLOWED_HOSTS", "127.0.0.1");
        self.env.write("now.yaml", self.file());
        let said = command.args(["plan", "--format", "json", "now.yaml"]).output().unwrap();
        let plan: Value = serde_json::from_slice(&said.stdout).unwrap();
        let changes = plan["organizations"][0]["sealed"]["changes"].as_array().unwrap();
        changes.iter().map(|change| change["address"].as_str().unwrap().to_owned()).collect()
    }

    fn comments(&self) -> Vec<String> {
        self.hub.state().comments.iter().map(|it| it["body"].as_str().unwrap().to_owned()).collect()
    }

    /// How many comments the issue on drift has.
    fn remarks(&self) -> usize {
        self.comments().iter().filter(|comment| !comment.starts_with("<!-- rolecall plan -->")).count()
    }

    /// The lines of the ledger's branch. None: there is no such branch.
    fn ledger(&self) -> Option<String> {
        let refs = git(&self.hub.remote(), &["for-each-ref", "refs/heads/rolecall-ledger"]);
        let files = ["show", "rolecall-ledger:hive-acme.jsonl"];
        (!refs.is_empty()).then(|| git(&self.hub.remote(), &files))
    }
}

/// The example without what would need a delivery, and one user more.
fn wish(team: &Team, more: &str) -> String {
    team.file().replace("\nusers:\n", &format!("\nusers:\n{more}"))
}

const ZOE: &str = "  - email: zoe@acme.example\n    roles: [Viewer]\n    resources: all\n";

#[test]
fn a_pull_request_is_planned_in_one_comment_and_on_merge_just_that_is_applied() {
    let team = Team::hive();
    let pull = team.propose(7, &wish(&team, ZOE));
    let planned = team.plan(&pull);
    planned.is("validate", Ended::Skipped);
    for job in ["gate", "plan", "comment"] {
        planned.is(job, Ended::Success);
    }
    let comments = team.comments();
    assert_eq!(comments.len(), 1);
    assert!(comments[0].starts_with("<!-- rolecall plan -->") && comments[0].contains("user/zoe@acme.example"));
    assert!(comments[0].contains(&pull.head), "of which commit it speaks");
    assert!(team.changes_left().contains(&"user/alice@acme.example".to_owned()), "nothing was sent yet");

    // Another push: the same comment says what is so now.
    let pull = team.propose(7, &wish(&team, &ZOE.replace("zoe", "yann")));
    team.plan(&pull).is("comment", Ended::Success);
    let comments = team.comments();
    assert_eq!(comments.len(), 1, "edited in place");
    assert!(comments[0].contains("user/yann@acme.example") && !comments[0].contains("zoe"), "{}", comments[0]);

    let applied = team.merge(&pull);
    applied.is("apply", Ended::Success);
    assert!(applied.log.contains("| done | `user/yann@acme.example` | invite |"), "{}", applied.log);
    assert_eq!(team.changes_left(), Vec::<String>::new());
    assert!(team.ledger().unwrap().contains("yann@acme.example"), "so that nobody is invited twice");
}

#[test]
fn the_ledger_is_there_for_the_next_run_and_grows() {
    let team = Team::hive();
    let first = team.propose(1, &wish(&team, ZOE));
    team.plan(&first).is("plan", Ended::Success);
    team.merge(&first).is("apply", Ended::Success);
    let before = team.ledger().unwrap();
    let second = team.propose(2, &wish(&team, &ZOE.replace("zoe", "yann")));
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
    let first = team.propose(2, &wish(&team, ZOE));
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
            applied.log.contains(&format!("| done | `user/{user}@acme.example` | invite |")),
            "{}",
            applied.log
        );
    }
}

#[test]
fn files_of_a_fork_are_checked_and_see_no_credential() {
    let team = Team::hive();
    let pull = team.propose(3, &wish(&team, ZOE));
    let planned = team.event("pull_request_target", &pull, "mallory/access");
    for job in ["validate", "gate", "plan", "comment"] {
        planned.is(job, Ended::Skipped);
    }
    let checked = team.event("pull_request", &pull, "mallory/access");
    checked.is("validate", Ended::Success);
    checked.is("plan", Ended::Skipped);
    let pull = team.propose(3, &wish(&team, "  - email: nobody\n"));
    let checked = team.event("pull_request", &pull, "mallory/access");
    checked.is("validate", Ended::Failure);
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
    assert!(planned.log.contains("`endpoint`, which gets the credential"), "{}", planned.log);
    assert!(elsewhere.take().is_empty());
    // A person is all that stands between: were they to approve it, it would be asked.
    team.settings.unapproved.clear();
    team.plan(&pull).is("plan", Ended::Failure);
    assert!(!elsewhere.take().is_empty());
}

#[test]
fn what_is_pushed_while_the_gate_looks_is_not_what_is_planned() {
    let team = Team::hive();
    let pull = team.propose(5, &wish(&team, ZOE));
    team.propose(5, &wish(&team, &ZOE.replace("zoe", "mallory")));
    let planned = team.plan(&pull);
    planned.is("gate", Ended::Failure);
    planned.is("plan", Ended::Skipped);
    assert!(planned.log.contains("something was pushed since"), "{}", planned.log);
}

#[test]
fn a_branch_that_conflicts_is_told_so() {
    let team = Team::hive();
    let pull = team.propose(5, &wish(&team, ZOE));
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
    assert!(planned.log.contains("takes the credential of an admin"), "{}", planned.log);
}

#[test]
fn wrong_files_and_refused_plans_are_told_in_the_comment() {
    let mut team = Team::hive();
    let planned = team.plan(&team.propose(8, &wish(&team, "  - email: nobody\n")));
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
    assert!(comments.len() == 1 && comments[0].contains("**Refused."), "{comments:?}");
    let applied = team.merge(&pull);
    applied.is("apply", Ended::Failure);
    assert!(applied.log.contains("max_removals"), "{}", applied.log);
    assert!(!team.ledger().unwrap_or_default().contains("\"event\":\"intent\""), "nothing was sent");
}

#[test]
fn an_edited_plan_is_not_applied() {
    let team = Team::hive();
    let pull = team.propose(9, &wish(&team, ZOE));
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
    assert!(applied.log.contains("plan again and have it reviewed"), "{}", applied.log);
    assert!(team.changes_left().contains(&"user/zoe@acme.example".to_owned()), "nothing was sent");
}

#[test]
fn a_plan_that_another_workflow_has_made_counts_for_nothing() {
    let team = Team::hive();
    let pull = team.propose(10, &wish(&team, ZOE));
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
    assert!(applied.log.contains("there is no plan of"), "{}", applied.log);
    // Beside the right one it isn't taken either, however new it is.
    let pull = team.propose(11, &wish(&team, &ZOE.replace("zoe", "yann")));
    team.plan(&pull).is("plan", Ended::Success);
    let run = team.hub.begin("pull_request", ".github/workflows/rolecall-plan.yml");
    team.hub.upload(run, &format!("rolecall-plan-{}", pull.head), &[team.env.path("plan.json")]);
    team.merge(&pull).is("apply", Ended::Success);
}

#[test]
fn what_nobody_has_reviewed_is_not_applied() {
    let team = Team::hive();
    let before = team.main();
    team.git(&["fetch", "--quiet", "origin"]);
    team.git(&["checkout", "--quiet", "--detach", "origin/main"]);
    team.commit(&wish(&team, ZOE));
    team.git(&["push", "--quiet", "origin", "HEAD:main"]);
    let applied = team.pushed(&before);
    applied.is("apply", Ended::Failure);
    assert!(applied.log.contains("nobody has reviewed a plan of it"), "{}", applied.log);
    assert!(team.ledger().is_none());
}

#[test]
fn a_plan_that_no_longer_stands_sends_nothing() {
    let team = Team::hive();
    let pull = team.propose(12, &wish(&team, ZOE));
    team.plan(&pull).is("plan", Ended::Success);
    // Somebody else gives alice another role meanwhile.
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
    assert!(applied.log.contains("no longer stand; nothing was sent"), "{}", applied.log);
    assert!(team.changes_left().contains(&"user/zoe@acme.example".to_owned()), "nothing was sent");
}

#[test]
fn an_apply_that_breaks_off_keeps_its_ledger_all_the_same() {
    let team = Team::of(ProviderName::Hive, &["--fault", "errors@assignMemberRole*9"]);
    let pull = team.propose(13, &wish(&team, ZOE));
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
    // The same drift again: nobody hears of it twice.
    team.drift().is("issue", Ended::Success);
    assert_eq!((issues().len(), team.remarks()), (1, 0));
    // Another drift: the issue says so, and tells whoever watches it.
    let pull = team.propose(20, &wish(&team, ZOE));
    team.plan(&pull).is("plan", Ended::Success);
    team.merge(&pull).is("apply", Ended::Waiting);
    team.drift().is("issue", Ended::Success);
    assert_eq!((issues().len(), team.remarks()), (1, 1));
    assert!(issues()[0]["body"].as_str().unwrap().contains("zoe"));
    // Gone: what is live is written down as the wish.
    team.git(&["fetch", "--quiet", "origin"]);
    team.git(&["checkout", "--quiet", "--detach", "origin/main"]);
    let nothing = team.file().split("\nroles:").next().unwrap().to_owned() + "\nusers: []\n";
    team.commit(&nothing);
    team.git(&["push", "--quiet", "origin", "HEAD:main"]);
    team.drift().is("issue", Ended::Success);
    assert_eq!((issues().len(), team.remarks()), (1, 2));
    assert_eq!(issues()[0]["state"], "closed");
    team.drift().is("issue", Ended::Success);
    assert_eq!((issues().len(), team.remarks()), (1, 2), "and nothing more");
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
    let plan = support::workflow::workflow(PLAN).to_string();
    for name in ["bitpanda", "hive", "paradime", "rapidapi"] {
        let file = example(&format!("{name}.yaml"));
        let lines = file.lines().filter(|line| !line.trim_start().starts_with('#'));
        for line in lines.filter(|line| line.contains("{ env: ")) {
            let variable = line.split("{ env: ").nth(1).unwrap().split(' ').next().unwrap();
            assert!(plan.contains(&format!("secrets.{variable} ")), "{variable}");
        }
    }
}
