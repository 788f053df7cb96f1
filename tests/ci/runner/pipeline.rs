//! Runs a GitLab pipeline: its jobs in order, with their original scripts, each in a folder of its own. It
//! supports the keywords that our pipelines use and panics at any other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Map, Value, json};

use super::ended::{Ended, Run};
use super::expression::{Status, condition};
use super::github::git;
use super::gitlab::{Lab, PROJECT};

/// The settings of a project.
#[derive(Clone, Default)]
pub struct Settings {
    /// The variables of each environment.
    pub scoped: BTreeMap<String, BTreeMap<String, String>>,
    /// Environments with protected variables, which merge requests don't get.
    pub protected: BTreeSet<String>,
    /// Artifacts that are replaced after a job made them: their paths and new texts.
    pub altered: BTreeMap<String, String>,
    /// Environments with restricted deployment, for which nobody allowed has run or approved the job.
    pub unapproved: BTreeSet<String>,
    /// Inputs that the team wrote into the file that includes the component.
    pub inputs: BTreeMap<String, Value>,
    /// The text of a local file that the team includes after the component.
    pub local: Option<String>,
}

/// The event that starts a pipeline: the variables that GitLab predefines for it.
pub struct Event {
    pub variables: BTreeMap<String, String>,
    /// The files that the event changes. With `None`, as for a schedule, rules on changes always apply.
    pub changed: Option<Vec<String>>,
    /// The number of its merge request.
    pub request: Option<u64>,
}

impl Event {
    fn variable(&self, name: &str) -> &str {
        self.variables.get(name).map_or("", String::as_str)
    }
}

/// Returns the configuration of the pipelines: the component that the example includes, with the inputs of both, and the
/// team's own file.
pub fn config(settings: &Settings) -> Map<String, Value> {
    let caller = of_repository("examples/ci/gitlab/rolecall.gitlab-ci.yml");
    let caller: Value = serde_yaml::from_str(&caller).unwrap();
    let [include] = &**caller["include"].as_array().unwrap() else { panic!("{caller}") };
    let (component, commit) = include["component"].as_str().unwrap().split_once('@').unwrap();
    assert_eq!(component, "$CI_SERVER_FQDN/rolecall-dev/rolecall/rolecall");
    assert!(commit.len() == 40 && commit.bytes().all(|c| c.is_ascii_hexdigit()), "{commit} is no pin");
    let mut given = include["inputs"].as_object().unwrap().clone();
    given.extend(settings.inputs.clone());
    let mut config = Value::Object(file("templates/rolecall/template.yml", &given));
    if let Some(local) = &settings.local {
        merge(&mut config, &serde_yaml::from_str(local).unwrap());
    }
    let Value::Object(config) = config else { panic!("{config}") };
    config
}

fn of_repository(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// Returns a file with a header, its inputs filled in, and the files that it includes.
fn file(path: &str, given: &Map<String, Value>) -> Map<String, Value> {
    let text = of_repository(path);
    let (header, content) = text.split_once("\n---\n").unwrap();
    let header: Value = serde_yaml::from_str(header).unwrap();
    let specified = header["spec"]["inputs"].as_object().unwrap();
    assert!(given.keys().all(|name| specified.contains_key(name)), "{path} has not all of {given:?}");
    let value = |(name, spec): (&String, &Value)| {
        let value = given.get(name).or(spec.get("default")).unwrap_or_else(|| panic!("{path} needs {name}"));
        match spec["type"].as_str().unwrap_or("string") {
            "boolean" => assert!(value.is_boolean(), "{name} is {value}"),
            _ => assert!(matches(value.as_str().unwrap(), spec["regex"].as_str()), "{name} is {value}"),
        }
        (name.clone(), value.clone())
    };
    let inputs: Map<String, Value> = specified.iter().map(value).collect();
    let mut content: Value = serde_yaml::from_str(content).unwrap();
    fill(&mut content, &inputs);
    let Value::Object(mut all) = content else { panic!("{path}") };
    for include in all.remove("include").iter().filter_map(Value::as_array).flatten() {
        let path = include["local"].as_str().unwrap().trim_start_matches('/');
        for (key, value) in file(path, include["inputs"].as_object().unwrap()) {
            assert!(all.insert(key.clone(), value).is_none(), "{key} is there twice");
        }
    }
    all
}

/// Returns whether a text matches the expression of an input.
fn matches(text: &str, expression: Option<&str>) -> bool {
    let Some(expression) = expression else { return true };
    let pattern = json!({ "pattern": expression });
    jsonschema::is_valid(&pattern, &json!(text))
}

/// Fills inputs in. As a whole value, an input keeps its type.
fn fill(value: &mut Value, inputs: &Map<String, Value>) {
    match value {
        Value::String(text) => {
            for (name, input) in inputs {
                let place = format!("$[[ inputs.{name} ]]");
                if *text == place {
                    *value = input.clone();
                    return;
                }
                let plain = input.as_str().map_or_else(|| input.to_string(), ToOwned::to_owned);
                *text = text.replace(&place, &plain);
            }
            assert!(!text.contains("$[["), "{text}");
        }
        Value::Array(items) => {
            for item in items {
                fill(item, inputs);
            }
        }
        Value::Object(fields) => {
            for field in fields.values_mut() {
                fill(field, inputs);
            }
        }
        _ => {}
    }
}

/// Returns a job merged with the jobs that it extends. Maps are merged; other values are replaced.
fn extended(config: &Map<String, Value>, name: &str) -> Value {
    let job = &config[name];
    let Some(base) = job["extends"].as_str() else { return job.clone() };
    let mut whole = extended(config, base);
    merge(&mut whole, job);
    whole
}

fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}

const KEYWORDS: &[&str] = &[
    "after_script",
    "allow_failure",
    "artifacts",
    "before_script",
    "environment",
    "extends",
    "image",
    "interruptible",
    "needs",
    "parallel",
    "resource_group",
    "rules",
    "script",
    "stage",
    "timeout",
    "variables",
];

/// Returns all jobs, merged with the jobs that they extend.
pub fn jobs(config: &Map<String, Value>) -> BTreeMap<String, Value> {
    let mut jobs = BTreeMap::new();
    for name in config.keys().filter(|name| !name.starts_with('.')) {
        if ["stages", "variables", "workflow"].contains(&&**name) {
            continue;
        }
        let job = extended(config, name);
        let strange = job.as_object().unwrap().keys().find(|key| !KEYWORDS.contains(&key.as_str()));
        assert!(strange.is_none(), "{name}: {strange:?} isn't known here");
        assert!(config["stages"].as_array().unwrap().contains(&job["stage"]), "{name}");
        jobs.insert(name.clone(), job);
    }
    jobs
}

/// Runs the pipeline of an event. Returns `None` if the event starts no pipeline.
pub fn run(lab: &Lab, settings: &Settings, event: &Event) -> Option<Run> {
    let config = config(settings);
    rule(&config["workflow"]["rules"], &config, event)?;
    let jobs = planned(&config, event);
    let id = {
        let mut state = lab.state();
        let id = 900 + state.pipelines.len() as u64;
        state.pipelines.push(json!({
            "id": id,
            "project_id": PROJECT,
            "source": event.variable("CI_PIPELINE_SOURCE"),
            "sha": event.variable("CI_COMMIT_SHA"),
            "request": event.request,
        }));
        id
    };
    let mut machine = Machine {
        lab,
        settings,
        event,
        config: &config,
        id,
        played: false,
        run: Run::default(),
        artifacts: BTreeMap::new(),
    };
    while machine.run.jobs.len() < jobs.len() {
        let done = &machine.run.jobs;
        let ready = jobs.iter().find(|(name, (job, _))| {
            !done.contains_key(*name) && needs(job).iter().all(|it| done.contains_key(it))
        });
        let (name, (job, rule)) = ready.expect("jobs that need each other");
        let ended = machine.ended(name, job, rule);
        machine.run.jobs.insert(name.clone(), ended);
    }
    Some(machine.run)
}

/// Returns the jobs of a pipeline with the rule of each. A parallel job is there as often as it says, and who needs it
/// needs all of them.
fn planned(config: &Map<String, Value>, event: &Event) -> BTreeMap<String, (Value, Value)> {
    let mut all = BTreeMap::new();
    for (name, job) in jobs(config) {
        let Some(rule) = rule(&job["rules"], config, event) else { continue };
        let Some(total) = job["parallel"].as_u64() else {
            all.insert(name, (job, rule));
            continue;
        };
        for index in 1..=total {
            let mut one = job.clone();
            one["variables"]["CI_NODE_INDEX"] = json!(index.to_string());
            one["variables"]["CI_NODE_TOTAL"] = json!(total.to_string());
            all.insert(format!("{name} {index}/{total}"), (one, rule.clone()));
        }
    }
    let there: BTreeSet<String> = all.keys().cloned().collect();
    let names = |needed: &Value| {
        let name = needed.as_str().or(needed["job"].as_str()).unwrap();
        let found = there.iter().filter(|it| it.split(' ').next() == Some(name));
        let found: Vec<Value> = found.map(|it| json!(it)).collect();
        assert!(!found.is_empty() || needed["optional"] == true, "{name} isn't there");
        found
    };
    for (job, _) in all.values_mut() {
        if let Some(needs) = job.get_mut("needs").and_then(Value::as_array_mut) {
            *needs = needs.iter().flat_map(names).collect();
        }
    }
    all
}

/// Runs a manual job of an earlier pipeline, with the artifacts of the jobs that it needs.
pub fn play(lab: &Lab, settings: &Settings, event: &Event, (id, name): (u64, &str)) -> Run {
    let config = config(settings);
    let job = &jobs(&config)[name];
    let rule = rule(&job["rules"], &config, event).unwrap();
    assert_eq!(rule["when"], "manual", "{name}");
    let (mut run, mut artifacts) = (Run::default(), BTreeMap::new());
    for needed in needs(job) {
        artifacts.insert(needed.clone(), folder(lab, id, &needed).with_extension("artifacts"));
        run.jobs.insert(needed, Ended::Success);
    }
    let mut machine = Machine { lab, settings, event, config: &config, id, played: true, run, artifacts };
    let ended = machine.ended(name, job, &rule);
    machine.run.jobs = BTreeMap::from([(name.to_owned(), ended)]);
    machine.run
}

/// Returns the folder of a job.
fn folder(lab: &Lab, pipeline: u64, job: &str) -> PathBuf {
    lab.programs().with_file_name(format!("builds/{pipeline}/{}", job.replace([':', ' ', '/'], "-")))
}

/// Returns the first rule that applies. `None` if the job isn't in the pipeline.
fn rule(rules: &Value, config: &Map<String, Value>, event: &Event) -> Option<Value> {
    let rules = rules.as_array().expect("who says no rules is in every pipeline");
    let holds = |rule: &&Value| {
        // GitHub's expressions have single quotes.
        let text = rule["if"].as_str().unwrap_or("'always'").replace('"', "'").replace('$', "vars.");
        let folder = config["variables"]["FOLDER"].as_str().unwrap();
        let changes = rule.get("changes").is_none_or(|changes| {
            assert_eq!(changes, &json!(["$FOLDER/**/*"]));
            let below = format!("{folder}/");
            event.changed.as_ref().is_none_or(|files| files.iter().any(|file| file.starts_with(&below)))
        });
        changes && condition(Some(&text), &json!({ "vars": event.variables }), Status::Success)
    };
    rules.iter().find(holds).filter(|rule| rule["when"] != "never").cloned()
}

fn needs(job: &Value) -> Vec<String> {
    let needs = job["needs"].as_array().into_iter().flatten();
    needs.map(|it| it.as_str().unwrap().to_owned()).collect()
}

struct Machine<'a> {
    lab: &'a Lab,
    settings: &'a Settings,
    event: &'a Event,
    config: &'a Map<String, Value>,
    id: u64,
    /// Whether somebody runs a manual job of it by hand.
    played: bool,
    run: Run,
    artifacts: BTreeMap<String, PathBuf>,
}

impl Machine<'_> {
    fn ended(&mut self, name: &str, job: &Value, rule: &Value) -> Ended {
        let before: Vec<Ended> = needs(job).iter().map(|it| self.run.jobs[it]).collect();
        let manual = rule["when"] == "manual";
        if rule["when"] == "always" {
            // GitLab would run this job at once, and wouldn't run it again after the other one.
            assert!(!before.contains(&Ended::Waiting), "{name} always runs, and needs a manual job");
        } else if before.contains(&Ended::Waiting) {
            return Ended::Waiting;
        } else if before.iter().any(|it| matches!(it, Ended::Failure | Ended::Skipped)) {
            return Ended::Skipped;
        }
        let environment = job["environment"]["name"].as_str();
        let unapproved = environment.is_some_and(|it| self.settings.unapproved.contains(it));
        let restricted = ["rolecall/review", "rolecall/apply"];
        assert!(!manual || environment.is_some_and(|it| restricted.contains(&it)), "anybody could run {name}");
        let left = manual && environment == Some("rolecall/apply") && !self.played;
        if unapproved || left {
            return Ended::Waiting;
        }
        let folder = folder(self.lab, self.id, name);
        self.clone_into(&folder);
        for needed in needs(job) {
            if let Some(artifacts) = self.artifacts.get(&needed) {
                copy(artifacts, &folder);
            }
        }
        let variables = self.variables(job, &folder);
        let lines = |key: &str| -> Vec<&str> {
            job[key].as_array().into_iter().flatten().map(|it| it.as_str().unwrap()).collect()
        };
        let script = [lines("before_script"), lines("script")].concat().join("\n");
        let mut code = self.shell(&script, &folder, &variables);
        if !lines("after_script").is_empty() {
            let after = self.shell(&lines("after_script").join("\n"), &folder, &variables);
            assert_eq!(variables["AFTER_SCRIPT_IGNORE_ERRORS"], "false");
            code = if code == 0 { after } else { code };
        }
        self.upload(name, job, &folder, code);
        let allowed = job["allow_failure"]["exit_codes"].as_array().is_some_and(|it| it.contains(&json!(code)));
        match code {
            0 => Ended::Success,
            _ if allowed || rule["allow_failure"] == true => Ended::Warning,
            _ => Ended::Failure,
        }
    }

    /// Clones from scratch without a checkout, as the runner does.
    fn clone_into(&self, folder: &Path) {
        for (name, value) in [("GIT_STRATEGY", "clone"), ("GIT_CHECKOUT", "false"), ("GIT_DEPTH", "0")] {
            assert_eq!(self.config["variables"][name], value);
        }
        let _ = std::fs::remove_dir_all(folder);
        std::fs::create_dir_all(folder).unwrap();
        git(folder, &["init", "--quiet"]);
        let remote = self.lab.remote();
        let refs = ["+refs/heads/*:refs/remotes/origin/*", "+refs/merge-requests/*:refs/remotes/requests/*"];
        git(folder, &[&["fetch", "--quiet", remote.to_str().unwrap()], &refs[..]].concat());
    }

    fn variables(&self, job: &Value, folder: &Path) -> BTreeMap<String, String> {
        let plain = |map: &Value| -> BTreeMap<String, String> {
            let fields = map.as_object().cloned().unwrap_or_default();
            fields.into_iter().map(|(key, value)| (key, value.as_str().unwrap().to_owned())).collect()
        };
        let mut variables = plain(&self.config["variables"]);
        variables.extend(plain(&job["variables"]));
        if let Some(environment) = job["environment"]["name"].as_str() {
            let of_request = self.event.request.is_some();
            assert!(!of_request || !self.settings.protected.contains(environment), "{environment}");
            variables.insert("CI_ENVIRONMENT_NAME".to_owned(), environment.to_owned());
            variables.extend(self.settings.scoped[environment].clone());
        }
        variables.extend(self.event.variables.clone());
        for (name, value) in [
            ("CI_PROJECT_DIR", folder.display().to_string()),
            ("CI_PROJECT_ID", PROJECT.to_string()),
            ("CI_PROJECT_URL", self.lab.url()),
            ("CI_REPOSITORY_URL", format!("{}.git", self.lab.url())),
            ("CI_PIPELINE_URL", format!("https://gitlab.example/acme/access/-/pipelines/{}", self.id)),
            ("CI_API_V4_URL", "https://gitlab.example/api/v4".to_owned()),
            ("CI_JOB_ID", self.id.to_string()),
            ("CI_PIPELINE_ID", self.id.to_string()),
        ] {
            variables.insert(name.to_owned(), value);
        }
        variables
    }

    /// Runs a script. Like the runner, it joins the script's lines and stops at the first failure. The image's
    /// shell is Alpine's, which supports only POSIX and `pipefail`.
    fn shell(&mut self, script: &str, folder: &Path, variables: &BTreeMap<String, String>) -> i32 {
        let home = folder.with_extension("home");
        std::fs::create_dir_all(&home).unwrap();
        let machine = std::env::var("PATH").unwrap();
        let said = Command::new("bash")
            .args(["--noprofile", "--norc", "--posix", "-eo", "pipefail", "-c", script])
            .current_dir(folder)
            .env_clear()
            .env("PATH", format!("{}:{machine}", self.lab.programs().display()))
            .env("HOME", &home)
            .env("TMPDIR", &home)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .envs(variables)
            .output()
            .unwrap();
        for text in [&said.stdout, &said.stderr] {
            self.run.log.push_str(&String::from_utf8_lossy(text));
        }
        said.status.code().unwrap()
    }

    fn upload(&mut self, name: &str, job: &Value, folder: &Path, code: i32) {
        let artifacts = &job["artifacts"];
        if artifacts.is_null() || (code != 0 && artifacts["when"] != "always") {
            return;
        }
        assert_eq!(artifacts["access"], "developer", "{name}: whoever sees the pipeline could read them");
        let kept = folder.with_extension("artifacts");
        for pattern in artifacts["paths"].as_array().unwrap() {
            let (below, ending) =
                pattern.as_str().unwrap().split_once("/*").unwrap_or((pattern.as_str().unwrap(), ""));
            if folder.join(below).is_dir() {
                copy_those(&folder.join(below), &kept.join(below), ending);
            }
        }
        for (path, text) in &self.settings.altered {
            if kept.join(path).is_file() {
                std::fs::write(kept.join(path), text).unwrap();
            }
        }
        let mut state = self.lab.state();
        let id = 3000 + state.jobs.len() as u64;
        let finished = format!("2026-01-01T00:00:{:02}Z", state.jobs.len());
        let archive = kept.is_dir().then(|| json!({ "filename": "artifacts.zip" }));
        state.jobs.push(json!({
            "id": id, "name": name, "pipeline": self.id, "finished_at": finished, "artifacts_file": archive,
        }));
        if kept.is_dir() {
            state.artifacts.insert(id, kept.clone());
            self.artifacts.insert(name.to_owned(), kept);
        }
    }
}

fn copy(from: &Path, to: &Path) {
    copy_those(from, to, "");
}

/// Copies all files below a folder whose names have this ending.
fn copy_those(from: &Path, to: &Path, ending: &str) {
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_those(&path, &target, ending);
        } else if path.to_str().unwrap().ends_with(ending) {
            std::fs::create_dir_all(to).unwrap();
            std::fs::copy(&path, target).unwrap();
        }
    }
}
