//! A team that works with GitLab.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use rolecall_model::ProviderName;
use serde_json::{Value, json};

use crate::runner::ended::Run;
use crate::runner::github::git;
use crate::runner::gitlab::{APPLY_TOKEN, Lab, PROJECT, REPORT_TOKEN};
use crate::runner::pipeline::{Event, Settings, play, run};
use crate::runner::repository::Repository;
use crate::support::cli::{Env, Server};

/// A team with its files at GitLab and their platform.
pub struct Team {
    pub env: Env,
    pub server: Server,
    pub lab: Lab,
    pub settings: Settings,
}

/// A merge request.
pub struct Request {
    pub iid: u64,
    pub head: String,
}

impl Repository for Team {
    fn env(&self) -> &Env {
        &self.env
    }

    fn remote(&self) -> PathBuf {
        self.lab.remote()
    }

    fn credentials(&self) -> &BTreeMap<String, String> {
        &self.settings.scoped["rolecall/plan"]
    }
}

impl Team {
    /// Creates a team with a provider's example on main.
    pub fn of(provider: ProviderName, faults: &[&str]) -> Self {
        let mut env = Env::new();
        let server = env.serve_example(provider, faults);
        let lab = Lab::new(&env.path("gitlab"));
        git(&env.path("."), &["clone", "--quiet", lab.remote().to_str().unwrap(), "clone"]);
        let credential = env.credentials(provider).remove(0);
        let credential = (credential.0, credential.1.to_owned());
        let token = |token: &str| ("ROLECALL_GITLAB_TOKEN".to_owned(), token.to_owned());
        let scoped = [
            ("rolecall/plan", vec![credential.clone()]),
            ("rolecall/review", vec![credential.clone()]),
            ("rolecall/drift", vec![credential.clone()]),
            ("rolecall/apply", vec![credential, token(APPLY_TOKEN)]),
            ("rolecall/report", vec![token(REPORT_TOKEN)]),
            ("rolecall/ledger", vec![token(APPLY_TOKEN)]),
        ];
        let inputs = [("allowed-hosts", json!("127.0.0.1")), ("sha256", json!(Lab::checksum()))];
        // Each run of an apply takes time, and only one test is about the leftovers.
        let inputs = inputs.into_iter().chain([("leftovers", json!(false))]);
        let settings = Settings {
            scoped: scoped.map(|(name, variables)| (name.to_owned(), variables.into_iter().collect())).into(),
            inputs: inputs.map(|(name, value)| (name.to_owned(), value)).collect(),
            protected: ["rolecall/apply", "rolecall/drift", "rolecall/ledger"].map(str::to_owned).into(),
            altered: BTreeMap::new(),
            local: None,
            unapproved: BTreeSet::from(["rolecall/review".to_owned()]),
        };
        let team = Self { env, server, lab, settings };
        team.commit(&team.env.read("file.yaml"));
        team.git(&["push", "--quiet", "origin", "HEAD:main"]);
        team
    }

    pub fn hive() -> Self {
        Self::of(ProviderName::Hive, &[])
    }

    /// Opens a merge request with this file, or pushes the file to an open one.
    pub fn propose(&self, iid: u64, file: &str) -> Request {
        self.at_main();
        self.commit(file);
        self.open(iid)
    }

    /// Opens a merge request with the commit that is checked out.
    pub fn open(&self, iid: u64) -> Request {
        let head = self.git(&["rev-parse", "HEAD"]);
        self.git(&["push", "--quiet", "--force", "origin", &format!("HEAD:refs/heads/topic-{iid}")]);
        self.git(&["push", "--quiet", "--force", "origin", &format!("HEAD:refs/merge-requests/{iid}/head")]);
        let mut state = self.lab.state();
        state.requests.retain(|request| request["iid"] != iid);
        let request = json!({ "iid": iid, "state": "opened", "target_branch": "main", "sha": head });
        state.requests.push(request);
        Request { iid, head }
    }

    fn event(&self, source: &str, variables: &[(&str, &str)], request: Option<u64>, range: &str) -> Event {
        let named = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let mut all: BTreeMap<String, String> = variables.iter().map(named).collect();
        for (name, value) in [
            ("CI_PIPELINE_SOURCE", source),
            ("CI_DEFAULT_BRANCH", "main"),
            ("CI_PROJECT_ID", &PROJECT.to_string()),
        ] {
            all.insert(name.to_owned(), value.to_owned());
        }
        let changed = (!range.is_empty()).then(|| self.git(&["diff", "--name-only", range]));
        let changed = changed.map(|files| files.lines().map(str::to_owned).collect());
        Event { variables: all, changed, request }
    }

    /// Runs the pipeline of a merge request from a project into a branch.
    pub fn opened(&self, request: &Request, from: u64, target: &str) -> Option<Run> {
        self.planned(request, from, target, None)
    }

    /// Runs the pipeline of a merge request on the commit into which GitLab merged it for a test.
    pub fn planned(&self, request: &Request, from: u64, target: &str, merged: Option<&str>) -> Option<Run> {
        let (iid, from) = (request.iid.to_string(), from.to_string());
        let mut variables = vec![
            ("CI_COMMIT_SHA", merged.unwrap_or(&request.head)),
            ("CI_MERGE_REQUEST_IID", &*iid),
            ("CI_MERGE_REQUEST_SOURCE_PROJECT_ID", &*from),
            ("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", target),
        ];
        if merged.is_some() {
            variables.push(("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", &*request.head));
        }
        let range = format!("origin/main...{}", request.head);
        let event = self.event("merge_request_event", &variables, Some(request.iid), &range);
        Some(self.seen(run(&self.lab, &self.settings, &event)?))
    }

    pub fn plan(&self, request: &Request) -> Run {
        self.opened(request, PROJECT, "main").unwrap()
    }

    /// Merges it, and runs the pipeline of the merge.
    pub fn merge(&self, request: &Request) -> Run {
        let before = self.main();
        self.merge_only(request);
        self.pushed(&before)
    }

    pub fn merge_only(&self, request: &Request) {
        self.at_main();
        self.git(&["merge", "--quiet", "--no-ff", "--message", "merge", &request.head]);
        self.git(&["push", "--quiet", "origin", "HEAD:main"]);
        let merged = self.git(&["rev-parse", "HEAD"]);
        self.git(&["fetch", "--quiet", "origin"]);
        let mut state = self.lab.state();
        let it = state.requests.iter_mut().find(|it| it["iid"] == request.iid).unwrap();
        it["state"] = json!("merged");
        it["merged_at"] = json!("2026-06-01T00:00:00.000Z");
        it["merge_commit_sha"] = json!(merged);
    }

    pub fn pushed(&self, before: &str) -> Run {
        self.pushed_to(before, &self.main())
    }

    /// Runs the pipeline of a push to main, which may have moved on since.
    pub fn pushed_to(&self, before: &str, main: &str) -> Run {
        let variables = [("CI_COMMIT_SHA", main), ("CI_COMMIT_BEFORE_SHA", before), ("CI_COMMIT_BRANCH", "main")];
        let event = self.event("push", &variables, None, &format!("{before}..{main}"));
        self.seen(run(&self.lab, &self.settings, &event).unwrap())
    }

    pub fn drift(&self) -> Run {
        let main = self.main();
        let variables = [("CI_COMMIT_SHA", &*main), ("CI_COMMIT_BRANCH", "main")];
        self.seen(run(&self.lab, &self.settings, &self.event("schedule", &variables, None, "")).unwrap())
    }

    /// Runs the pipeline of main that somebody starts by hand, which plans it. Returns its number, too.
    pub fn by_hand(&self) -> (u64, Run) {
        let run = run(&self.lab, &self.settings, &self.event_by_hand()).unwrap();
        let id = self.lab.state().pipelines.last().unwrap()["id"].as_u64().unwrap();
        (id, self.seen(run))
    }

    fn event_by_hand(&self) -> Event {
        let main = self.main();
        self.event("web", &[("CI_COMMIT_SHA", &*main), ("CI_COMMIT_BRANCH", "main")], None, "")
    }

    /// Applies the plan of the pipeline with this number.
    pub fn apply(&self, pipeline: u64) -> Run {
        self.seen(play(&self.lab, &self.settings, &self.event_by_hand(), (pipeline, "apply:main")))
    }

    /// Checks that nothing that the pipeline printed, wrote or kept contains a credential or a token.
    fn seen(&self, run: Run) -> Run {
        let state = self.lab.state();
        let mut texts: Vec<String> = state.notes.iter().chain(&state.issues).map(Value::to_string).collect();
        let mut folders: Vec<_> = state.artifacts.values().cloned().collect();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { folders.push(path) } else { texts.push(std::fs::read_to_string(path).unwrap()) }
            }
        }
        texts.push(run.log.clone());
        for text in texts {
            for secret in self.settings.scoped.values().flat_map(BTreeMap::values) {
                assert!(!text.contains(secret.as_str()), "{text}");
            }
        }
        run
    }

    /// Approves everything as every approver.
    pub fn approve(&mut self) {
        self.settings.unapproved.clear();
    }

    /// Returns the notes on merge requests or on issues.
    pub fn notes(&self, on: &str) -> Vec<String> {
        let state = self.lab.state();
        let those = state.notes.iter().filter(|it| it["on"].as_str().unwrap().starts_with(on));
        those.map(|it| it["body"].as_str().unwrap().to_owned()).collect()
    }
}
