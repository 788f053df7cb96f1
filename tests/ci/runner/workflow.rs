//! Runs a GitHub workflow: its jobs in order with their original shell steps. Actions are imitated as far as our
//! workflows use them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Map, Value, json};

use super::ended::{Ended, Run};
use super::expression::{Status, condition, text};
use super::github::{Hub, REPOSITORY, SERVER, copy, git};

/// The settings of a repository.
#[derive(Clone, Default)]
pub struct Settings {
    /// The secrets of each environment. The repository itself has none.
    pub secrets: BTreeMap<String, BTreeMap<String, String>>,
    /// Variables that the team added to the workflow's own `env`.
    pub env: BTreeMap<String, String>,
    /// Environments whose reviewers haven't approved.
    pub unapproved: BTreeSet<String>,
}

/// An event at GitHub.
pub struct Event<'a> {
    pub name: &'a str,
    /// The payload, which is `github.event`.
    pub payload: Value,
    /// `GITHUB_SHA`.
    pub sha: &'a str,
}

/// Returns a workflow of `examples/ci/github`.
pub fn workflow(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ci/github").join(name);
    parse(&std::fs::read_to_string(path).unwrap())
}

/// Parses YAML in which `on` is a text.
pub fn parse(text: &str) -> Value {
    serde_yaml::from_str_with_options(text, serde_yaml::options! { strict_booleans: true }).unwrap()
}

/// Runs the workflow of that name for an event.
pub fn run(hub: &Hub, settings: &Settings, name: &str, event: &Event<'_>) -> Run {
    let workflow = workflow(name);
    assert!(workflow["on"].get(event.name).is_some(), "{name} isn't run on {}", event.name);
    assert_eq!(workflow["defaults"]["run"]["shell"], "bash", "without it there is no pipefail");
    let id = hub.begin(event.name, &format!(".github/workflows/{name}"));
    let mut machine =
        Machine { hub, settings, event, workflow: &workflow, id, run: Run::default(), needs: json!({}) };
    let jobs = workflow["jobs"].as_object().unwrap();
    while machine.run.jobs.len() < jobs.len() {
        let ready = jobs.iter().find(|(name, job)| {
            !machine.run.jobs.contains_key(*name) && needs(job).iter().all(|it| machine.run.jobs.contains_key(it))
        });
        let (name, job) = ready.unwrap();
        machine.job(name, job);
    }
    machine.run
}

fn needs(job: &Value) -> Vec<String> {
    match &job["needs"] {
        Value::String(one) => vec![one.clone()],
        Value::Array(many) => many.iter().map(|it| it.as_str().unwrap().to_owned()).collect(),
        _ => Vec::new(),
    }
}

struct Machine<'a> {
    hub: &'a Hub,
    settings: &'a Settings,
    event: &'a Event<'a>,
    workflow: &'a Value,
    id: u64,
    run: Run,
    needs: Value,
}

/// A running job.
struct Job {
    workspace: PathBuf,
    contexts: Value,
    permissions: Value,
    status: Status,
}

impl Machine<'_> {
    fn job(&mut self, name: &str, job: &Value) {
        let ended = self.ended(name, job);
        let result = match ended {
            Ended::Success | Ended::Warning => "success",
            Ended::Failure => "failure",
            Ended::Skipped | Ended::Waiting => "skipped",
        };
        self.needs[name]["result"] = json!(result);
        self.run.jobs.insert(name.to_owned(), ended);
    }

    fn ended(&mut self, name: &str, job: &Value) -> Ended {
        let before: Vec<Ended> = needs(job).iter().map(|it| self.run.jobs[it]).collect();
        if before.contains(&Ended::Waiting) {
            return Ended::Waiting;
        }
        let fine = before.iter().all(|it| *it == Ended::Success);
        let status = if fine { Status::Success } else { Status::Failure };
        let mut contexts = json!({
            "github": {
                "event_name": self.event.name,
                "event": self.event.payload,
                "repository": REPOSITORY,
                "token": "a-token-of-the-job",
                "ref_name": "main",
            },
            "needs": self.needs,
            "secrets": {},
            "steps": {},
        });
        if !condition(job["if"].as_str(), &contexts, status) {
            return Ended::Skipped;
        }
        if let Some(environment) = job["environment"].as_str() {
            let environment = text(environment, &contexts, status);
            assert!(self.settings.secrets.contains_key(&environment), "no environment {environment:?}");
            // Environments are limited to the branch main, and a pull request's run isn't on main.
            assert_ne!(self.event.name, "pull_request", "{name} of a pull request has an environment");
            if self.settings.unapproved.contains(&environment) {
                return Ended::Waiting;
            }
            contexts["secrets"] = json!(self.settings.secrets[&environment]);
        }
        let workspace = self.hub.programs().with_file_name(format!("runs/{}/{name}", self.id));
        std::fs::create_dir_all(&workspace).unwrap();
        let permissions =
            if job["permissions"].is_null() { &self.workflow["permissions"] } else { &job["permissions"] };
        let mut state = Job { workspace, contexts, permissions: permissions.clone(), status: Status::Success };
        for step in job["steps"].as_array().unwrap() {
            self.step(job, step, &mut state);
        }
        if let Some(outputs) = job["outputs"].as_object() {
            for (key, template) in outputs {
                let value = text(template.as_str().unwrap(), &state.contexts, state.status);
                self.needs[name]["outputs"][key] = json!(value);
            }
        }
        if state.status == Status::Success { Ended::Success } else { Ended::Failure }
    }

    fn step(&mut self, job: &Value, step: &Value, state: &mut Job) {
        let wanted = condition(step["if"].as_str(), &state.contexts, state.status);
        let outcome = |state: &mut Job, outcome: &str| {
            if let Some(id) = step["id"].as_str() {
                state.contexts["steps"][id]["outcome"] = json!(outcome);
            }
        };
        if !wanted {
            return outcome(state, "skipped");
        }
        let filled = |map: &Value| -> BTreeMap<String, String> {
            let fields = map.as_object().cloned().unwrap_or_default();
            let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
            fields
                .iter()
                .map(|(key, value)| (key.clone(), text(&plain(value), &state.contexts, state.status)))
                .collect()
        };
        let done = if let Some(script) = step["run"].as_str() {
            let environment: BTreeMap<String, String> =
                [&self.workflow["env"], &job["env"], &step["env"]].into_iter().flat_map(filled).collect();
            let folder = state.workspace.join(step["working-directory"].as_str().unwrap_or("."));
            self.shell(script, &folder, &environment, step["id"].as_str(), state)
        } else {
            let with = filled(&step["with"]);
            self.action(step["uses"].as_str().unwrap(), &with, state)
        };
        outcome(state, if done { "success" } else { "failure" });
        if !done {
            state.status = Status::Failure;
        }
    }

    /// Runs a step as GitHub does: `bash` stops at the first failure.
    fn shell(
        &mut self,
        script: &str,
        folder: &Path,
        environment: &BTreeMap<String, String>,
        id: Option<&str>,
        state: &mut Job,
    ) -> bool {
        let temp = state.workspace.with_extension("temp");
        std::fs::create_dir_all(&temp).unwrap();
        let (output, summary) = (temp.join("output"), temp.join("summary"));
        std::fs::write(&output, "").unwrap();
        std::fs::write(&summary, "").unwrap();
        let machine = std::env::var("PATH").unwrap();
        let rolecall = Path::new(env!("CARGO_BIN_EXE_rolecall")).parent().unwrap().display();
        let said = Command::new("bash")
            .args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script])
            .current_dir(folder)
            .env_clear()
            .env("PATH", format!("{}:{rolecall}:{machine}", self.hub.programs().display()))
            .env("HOME", &temp)
            .env("RUNNER_TEMP", &temp)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GITHUB_OUTPUT", &output)
            .env("GITHUB_STEP_SUMMARY", &summary)
            .env("GITHUB_REPOSITORY", REPOSITORY)
            .env("GITHUB_SERVER_URL", SERVER)
            .env("GITHUB_RUN_ID", self.id.to_string())
            .env("GITHUB_SHA", self.event.sha)
            .env("STUB_CONTEXT", state.permissions.to_string())
            .envs(environment)
            .envs(&self.settings.env)
            .output()
            .unwrap();
        for text in [&said.stdout, &said.stderr] {
            self.run.log.push_str(&String::from_utf8_lossy(text));
        }
        self.run.log.push_str(&std::fs::read_to_string(&summary).unwrap());
        if let Some(id) = id {
            let pairs: Map<String, Value> = std::fs::read_to_string(&output)
                .unwrap()
                .lines()
                .filter_map(|line| line.split_once('='))
                .map(|(key, value)| (key.to_owned(), json!(value)))
                .collect();
            state.contexts["steps"][id]["outputs"] = Value::Object(pairs);
        }
        said.status.success()
    }

    fn action(&mut self, uses: &str, with: &BTreeMap<String, String>, state: &Job) -> bool {
        let given = |key: &str| with.get(key).map(String::as_str);
        let path = |key: &str| state.workspace.join(given(key).unwrap_or("."));
        match uses.split('@').next().unwrap() {
            // The built program is already on the path. tests/ci/action.rs tests its installation.
            "rolecall-dev/rolecall" => given("version").is_some(),
            "actions/checkout" => {
                assert_eq!(given("persist-credentials"), Some("false"));
                self.check_out(given("ref"), given("fetch-depth").unwrap_or("1"), &path("path"))
            }
            "actions/upload-artifact" => {
                let files = matching_files(&path("path"));
                if !files.is_empty() {
                    self.hub.upload(self.id, given("name").unwrap(), &files);
                }
                !files.is_empty() || given("if-no-files-found") == Some("ignore")
            }
            "actions/download-artifact" => {
                let state = self.hub.state();
                let of_run = state.artifacts.iter().filter(|it| it.run == self.id);
                if let Some(name) = given("name") {
                    let mut named = of_run.filter(|it| it.name == name);
                    return named.next().map(|it| copy(&it.folder, &path("path"))).is_some();
                }
                let prefix = given("pattern").unwrap().strip_suffix('*').unwrap();
                for artifact in of_run.filter(|it| it.name.starts_with(prefix)) {
                    copy(&artifact.folder, &path("path").join(&artifact.name));
                }
                true
            }
            other => panic!("the action {other} isn't known here"),
        }
    }

    fn check_out(&self, wanted: Option<&str>, depth: &str, folder: &Path) -> bool {
        std::fs::create_dir_all(folder).unwrap();
        let wanted = match wanted {
            Some(wanted) if wanted.len() == 40 => wanted.to_owned(),
            Some(branch) => format!("refs/heads/{branch}"),
            None if self.event.name == "pull_request_target" => "refs/heads/main".to_owned(),
            None => self.event.sha.to_owned(),
        };
        let remote = self.hub.url();
        git(folder, &["init", "--quiet"]);
        let depth = format!("--depth={depth}");
        let depth: &[&str] = if depth == "--depth=0" { &[] } else { &[&depth] };
        git(folder, &[&["fetch", "--quiet"], depth, &[&*remote, &*wanted]].concat());
        git(folder, &["checkout", "--quiet", "FETCH_HEAD"]);
        true
    }
}

/// Returns the files that a path matches; its last part may contain `*`.
fn matching_files(path: &Path) -> Vec<PathBuf> {
    let (folder, ending) = match path.file_name().and_then(|name| name.to_str()?.strip_prefix('*')) {
        Some(ending) => (path.parent().unwrap(), ending.to_owned()),
        None => (path, String::new()),
    };
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let files = entries.map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        files.filter(|file| file.is_file() && file.to_str().unwrap().ends_with(&ending)).collect();
    files.sort();
    files
}
