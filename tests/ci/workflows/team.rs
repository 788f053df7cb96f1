//! A team at GitHub: its repository, its pull requests, and the runs that they start.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use rolecall_model::ProviderName;
use serde_json::{Value, json};

use crate::runner::ended::Run;
use crate::runner::github::{Hub, LEDGER_KEY, REPOSITORY, git};
use crate::runner::repository::Repository;
use crate::runner::workflow::{Event, Settings, run};
use crate::support::cli::{ALLOWED_HOSTS, Env, Server, example};

pub const PLAN: &str = "rolecall-plan.yml";
pub const APPLY: &str = "rolecall-apply.yml";
pub const DRIFT: &str = "rolecall-drift.yml";

/// A team with its files at GitHub and their platform.
pub struct Team {
    pub env: Env,
    pub server: Server,
    pub hub: Hub,
    pub settings: Settings,
}

/// A pull request.
pub struct Pull {
    pub number: u64,
    pub head: String,
}

impl Repository for Team {
    fn env(&self) -> &Env {
        &self.env
    }

    fn remote(&self) -> PathBuf {
        self.hub.remote()
    }

    fn credentials(&self) -> &BTreeMap<String, String> {
        &self.settings.secrets["rolecall-plan"]
    }
}

impl Team {
    /// Creates a team with a provider's example on main.
    pub fn of(provider: ProviderName, faults: &[&str]) -> Self {
        let mut env = Env::new();
        let server = env.serve_example(provider, faults);
        let hub = Hub::new(&env.path("github"));
        git(&env.path("."), &["clone", "--quiet", hub.remote().to_str().unwrap(), "clone"]);
        let file = env.read("file.yaml");
        let secrets = env.credentials(provider).into_iter();
        let secrets: BTreeMap<String, String> = secrets.map(|(name, secret)| (name, secret.to_owned())).collect();
        let environments = ["rolecall-plan", "rolecall-review", "rolecall-apply", "rolecall-drift"];
        let mut secrets: BTreeMap<String, BTreeMap<String, String>> =
            environments.map(|name| (name.to_owned(), secrets.clone())).into();
        let apply = secrets.get_mut("rolecall-apply").unwrap();
        apply.insert("ROLECALL_LEDGER_KEY".to_owned(), LEDGER_KEY.to_owned());
        let key = BTreeMap::from([("ROLECALL_LEDGER_KEY".to_owned(), LEDGER_KEY.to_owned())]);
        secrets.insert("rolecall-ledger".to_owned(), key);
        let settings = Settings {
            secrets,
            with: BTreeMap::from([("allowed-hosts".to_owned(), json!(ALLOWED_HOSTS))]),
            unapproved: BTreeSet::from(["rolecall-review".to_owned()]),
        };
        let team = Self { env, server, hub, settings };
        for name in [PLAN, APPLY, DRIFT] {
            team.write_workflow(name, &example(&format!("ci/github/{name}")));
        }
        team.commit(&file);
        team.git(&["push", "--quiet", "origin", "HEAD:main"]);
        team
    }

    pub fn hive() -> Self {
        Self::of(ProviderName::Hive, &[])
    }

    /// Writes a workflow. It is a part of the next commit.
    pub fn write_workflow(&self, name: &str, text: &str) {
        self.env.write(&format!("clone/.github/workflows/{name}"), text);
        self.git(&["add", ".github"]);
    }

    /// Opens a pull request with this file, or pushes the file to an open one.
    pub fn propose(&self, number: u64, file: &str) -> Pull {
        self.at_main();
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
            "state": "open",
            "mergeable": true,
            "merge_commit_sha": merge,
            "merged_at": null,
            "head": { "sha": head },
            "base": { "ref": "main" },
        }));
        Pull { number, head }
    }

    /// Runs the workflow of a pull request from this repository.
    pub fn plan_from(&self, pull: &Pull, repository: &str) -> Run {
        let payload = json!({ "pull_request": {
            "number": pull.number,
            "head": { "sha": pull.head, "repo": { "full_name": repository } },
            "base": { "ref": "main" },
        } });
        let event = Event { name: "pull_request_target", payload, sha: &self.main() };
        self.seen(run(&self.hub, &self.settings, PLAN, &event))
    }

    /// Runs the workflow of a pull request from the team's own repository.
    pub fn plan(&self, pull: &Pull) -> Run {
        self.plan_from(pull, REPOSITORY)
    }

    /// Merges it, and runs the workflow of the merge.
    pub fn merge(&self, pull: &Pull) -> Run {
        let before = self.main();
        self.at_main();
        self.git(&["merge", "--quiet", "--no-ff", "--message", "merge", &pull.head]);
        let merged = self.git(&["rev-parse", "HEAD"]);
        self.git(&["push", "--quiet", "origin", "HEAD:main"]);
        self.git(&["fetch", "--quiet", "origin"]);
        {
            let mut state = self.hub.state();
            let now = state.tick();
            let it = state.pulls.iter_mut().find(|it| it["number"] == pull.number).unwrap();
            it["merged_at"] = json!(now);
            it["state"] = json!("closed");
            it["merge_commit_sha"] = json!(merged);
        }
        self.pushed(&before)
    }

    pub fn pushed(&self, before: &str) -> Run {
        self.pushed_to(before, &self.main())
    }

    /// Runs the workflow of a push that moved main from one commit to another.
    pub fn pushed_to(&self, before: &str, sha: &str) -> Run {
        let event = Event { name: "push", payload: json!({ "before": before }), sha };
        self.seen(run(&self.hub, &self.settings, APPLY, &event))
    }

    /// Starts the workflow that applies by hand, with the number of a plan or without.
    pub fn by_hand(&self, plan: &str) -> Run {
        let (name, payload) = ("workflow_dispatch", json!({ "inputs": { "plan": plan } }));
        self.seen(run(&self.hub, &self.settings, APPLY, &Event { name, payload, sha: &self.main() }))
    }

    /// Runs the workflow that applies on its schedule.
    pub fn leftovers(&self) -> Run {
        let (name, payload) = ("schedule", json!({ "schedule": "47 4 * * *" }));
        self.seen(run(&self.hub, &self.settings, APPLY, &Event { name, payload, sha: &self.main() }))
    }

    pub fn drift(&self) -> Run {
        let sha = self.main();
        // The payload of a schedule contains almost nothing.
        let payload = json!({ "schedule": "17 5 * * *" });
        self.seen(run(&self.hub, &self.settings, DRIFT, &Event { name: "schedule", payload, sha: &sha }))
    }

    /// Checks that nothing that the run printed, wrote or kept contains a credential.
    pub fn seen(&self, run: Run) -> Run {
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

    pub fn comments(&self) -> Vec<String> {
        self.hub.state().comments.iter().map(|it| it["body"].as_str().unwrap().to_owned()).collect()
    }

    /// Counts the comments on the drift issue.
    pub fn remarks(&self) -> usize {
        self.comments().iter().filter(|comment| !comment.starts_with("<!-- rolecall plan -->")).count()
    }
}
