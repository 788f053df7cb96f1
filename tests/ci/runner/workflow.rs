//! Runs a GitHub workflow, or the reusable one that it calls: its jobs run in order with their original shell steps. Our own
//! actions are run, too. Other actions are imitated as far as our workflows use them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Map, Value, json};

use super::ended::{Ended, Run};
use super::expression::{Status, condition, text};
use super::github::{Hub, REPOSITORY, SERVER, allows, copy, git};

/// The settings of a repository.
#[derive(Clone, Default)]
pub struct Settings {
    /// The secrets of each environment. The repository itself has none.
    pub secrets: BTreeMap<String, BTreeMap<String, String>>,
    /// Inputs that the team wrote into the workflow that calls ours, if ours has them.
    pub with: BTreeMap<String, Value>,
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

/// Returns a file of this repository.
pub fn of_repository(path: &str) -> Value {
    parse(&std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap())
}

/// Returns the path of a file of this repository that a workflow uses, which has to be pinned to a commit.
fn ours(uses: &str) -> Option<&str> {
    let (path, commit) = uses.strip_prefix("rolecall-dev/rolecall/")?.split_once('@')?;
    assert!(commit.len() == 40 && commit.bytes().all(|c| c.is_ascii_hexdigit()), "{uses} isn't pinned");
    Some(path)
}

/// Parses YAML in which `on` is a text.
pub fn parse(text: &str) -> Value {
    serde_yaml::from_str_with_options(text, serde_yaml::options! { strict_booleans: true }).unwrap()
}

/// Runs the workflow of that name for an event.
pub fn run(hub: &Hub, settings: &Settings, name: &str, event: &Event<'_>) -> Run {
    // For a pull request GitHub takes the workflow from main, too.
    let path = format!(".github/workflows/{name}");
    let caller = parse(&git(&hub.remote(), &["show", &format!("{}:{path}", event.sha)]));
    assert!(caller["on"].get(event.name).is_some(), "{name} isn't run on {}", event.name);
    assert_eq!(caller["permissions"], json!({}), "{name}: nothing unless the job says so");
    let calling = match &*caller["jobs"].as_object().unwrap().values().collect::<Vec<_>>() {
        [job] if job["uses"].is_string() => Some(*job),
        _ => None,
    };
    let workflow = match calling {
        Some(job) => of_repository(ours(job["uses"].as_str().unwrap()).unwrap()),
        None => caller.clone(),
    };
    assert_eq!(workflow["defaults"]["run"]["shell"], "bash", "without it there is no pipefail");
    let id = hub.begin(event.name, &path);
    let mut machine = Machine {
        hub,
        settings,
        event,
        workflow: &workflow,
        inputs: json!({}),
        secrets: calling.map(|job| secrets(&workflow, job)),
        id,
        run: Run::default(),
        needs: json!({}),
    };
    let jobs = workflow["jobs"].as_object().unwrap();
    if let Some(job) = calling {
        machine.inputs = machine.inputs(job);
    }
    for ((name, called), job) in jobs.iter().filter_map(|it| Some((it, calling?))) {
        // Otherwise GitHub starts nothing of it.
        let scopes = called["permissions"].as_object().unwrap();
        let fine = scopes.iter().all(|(scope, level)| allows(&job["permissions"], scope, level.as_str().unwrap()));
        assert!(fine, "{name} needs more than its caller has");
    }
    while machine.run.jobs.len() < jobs.len() {
        let ready = jobs.iter().find(|(name, job)| {
            !machine.run.jobs.contains_key(*name) && needs(job).iter().all(|it| machine.run.jobs.contains_key(it))
        });
        let (name, job) = ready.unwrap();
        machine.job(name, job);
    }
    machine.run
}

/// Returns the secrets that the caller hands over, each under its own name.
fn secrets(workflow: &Value, job: &Value) -> BTreeSet<String> {
    let declared = &workflow["on"]["workflow_call"]["secrets"];
    let passed = job["secrets"].as_object().unwrap();
    for (name, value) in passed {
        assert!(declared.get(name).is_some(), "{name} isn't declared");
        assert_eq!(*value, format!("${{{{ secrets.{name} }}}}"));
    }
    passed.keys().cloned().collect()
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
    inputs: Value,
    /// The secrets that the caller hands over. A workflow that nobody calls gets all of them.
    secrets: Option<BTreeSet<String>>,
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
    /// Returns what the caller and the team write, or the defaults.
    fn inputs(&self, job: &Value) -> Value {
        let declared = self.workflow["on"]["workflow_call"]["inputs"].as_object().unwrap();
        let passed = job["with"].as_object().unwrap();
        assert!(passed.keys().all(|name| declared.contains_key(name)), "{passed:?}");
        let caller = json!({ "inputs": self.event.payload["inputs"] });
        let value = |(name, it): (&String, &Value)| {
            let written =
                passed.get(name).map(|value| json!(text(value.as_str().unwrap(), &caller, Status::Success)));
            let value = self.settings.with.get(name).cloned().or(written).unwrap_or(it["default"].clone());
            (name.clone(), value)
        };
        Value::Object(declared.iter().map(value).collect())
    }

    fn job(&mut self, name: &str, job: &Value) {
        let ended = match job["strategy"]["matrix"].as_object() {
            None => self.ended(name, job, &Value::Null),
            Some(matrix) => self.each(name, job, matrix),
        };
        let result = match ended {
            Ended::Success | Ended::Warning => "success",
            Ended::Failure => "failure",
            Ended::Skipped | Ended::Waiting => "skipped",
        };
        self.needs[name]["result"] = json!(result);
        self.run.jobs.insert(name.to_owned(), ended);
    }

    /// Runs a job once for each value of its matrix, which has one dimension.
    fn each(&mut self, name: &str, job: &Value, matrix: &Map<String, Value>) -> Ended {
        assert_eq!(job["strategy"]["fail-fast"], false, "{name}: one failure would cancel the others");
        assert_eq!(matrix.len(), 1, "{name}");
        let (key, values) = matrix.iter().next().unwrap();
        let mut ended = Ended::Success;
        for value in values.as_array().unwrap() {
            let one = self.ended(&format!("{name}-{value}"), job, &json!({ key: value }));
            ended = if one == Ended::Success { ended } else { one };
        }
        ended
    }

    fn ended(&mut self, name: &str, job: &Value, matrix: &Value) -> Ended {
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
                "run_id": self.id,
                "sha": self.event.sha,
            },
            "inputs": self.inputs,
            "matrix": matrix,
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
            let mut secrets = self.settings.secrets[&environment].clone();
            secrets.retain(|name, _| self.secrets.as_ref().is_none_or(|handed_over| handed_over.contains(name)));
            contexts["secrets"] = json!(secrets);
        }
        let workspace = self.hub.programs().with_file_name(format!("runs/{}/{name}", self.id));
        std::fs::create_dir_all(&workspace).unwrap();
        let permissions = job["permissions"].clone();
        let mut state = Job { workspace, contexts, permissions, status: Status::Success };
        let variables = [&self.workflow["env"], &job["env"]];
        for step in job["steps"].as_array().unwrap() {
            self.step(&variables, step, &mut state);
        }
        if let Some(outputs) = job["outputs"].as_object() {
            for (key, template) in outputs {
                let value = text(template.as_str().unwrap(), &state.contexts, state.status);
                self.needs[name]["outputs"][key] = json!(value);
            }
        }
        if state.status == Status::Success { Ended::Success } else { Ended::Failure }
    }

    fn step(&mut self, variables: &[&Value], step: &Value, state: &mut Job) {
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
                variables.iter().copied().chain([&step["env"]]).flat_map(filled).collect();
            let folder = state.workspace.join(step["working-directory"].as_str().unwrap_or("."));
            self.shell(script, &folder, &environment, step["id"].as_str(), state)
        } else {
            let with = filled(&step["with"]);
            let uses = step["uses"].as_str().unwrap();
            match ours(uses) {
                Some(path) => self.composite(path, &with, step["id"].as_str(), state),
                None => self.action(uses, &with, state),
            }
        };
        outcome(state, if done { "success" } else { "failure" });
        if !done {
            state.status = Status::Failure;
        }
    }

    /// Runs the steps of an action of ours. It sees its inputs and its own steps, and no secret that isn't an input.
    fn composite(
        &mut self,
        path: &str,
        with: &BTreeMap<String, String>,
        id: Option<&str>,
        state: &mut Job,
    ) -> bool {
        let action = of_repository(&format!("{path}/action.yml"));
        let declared = action["inputs"].as_object().unwrap();
        assert!(with.keys().all(|name| declared.contains_key(name)), "{with:?}");
        let mut inputs = json!({});
        for (name, it) in declared {
            assert!(with.contains_key(name) || it["required"] != "true", "{path} needs {name}");
            let default = text(it["default"].as_str().unwrap_or_default(), &state.contexts, state.status);
            inputs[name] = json!(with.get(name).unwrap_or(&default));
        }
        let github = state.contexts["github"].clone();
        let own = json!({ "github": github, "inputs": inputs, "steps": {} });
        let contexts = std::mem::replace(&mut state.contexts, own);
        let before = std::mem::replace(&mut state.status, Status::Success);
        for step in action["runs"]["steps"].as_array().unwrap() {
            assert!(step["run"].is_null() || step["shell"] == "bash", "{path}");
            self.step(&[], step, state);
        }
        let mut outputs = json!({});
        for (name, it) in action["outputs"].as_object().into_iter().flatten() {
            outputs[name] = json!(text(it["value"].as_str().unwrap(), &state.contexts, state.status));
        }
        state.contexts = contexts;
        if let Some(id) = id {
            state.contexts["steps"][id]["outputs"] = outputs;
        }
        std::mem::replace(&mut state.status, before) == Status::Success
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
            .output()
            .unwrap();
        for text in [&said.stdout, &said.stderr] {
            // GitHub shows no line that makes it hide a value.
            let text = String::from_utf8_lossy(text);
            self.run.log.extend(text.split_inclusive('\n').filter(|line| !line.starts_with("::add-mask::")));
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
                    let together = given("merge-multiple") == Some("true");
                    let below = if together { path("path") } else { path("path").join(&artifact.name) };
                    copy(&artifact.folder, &below);
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
