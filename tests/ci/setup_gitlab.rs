//! The commands that `init` prints set up a project at GitLab, and `doctor --ci gitlab` says what is missing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use serde_json::{Map, Value, json};

use crate::runner::github::git;
use crate::runner::stub::{Answer, Call, program, stub_reading};
use crate::support::cli::Env;

/// A project at GitLab with Premium, as its API shows it. An owner asks.
#[derive(Default)]
struct Project {
    /// The folder with the bare repositories, as if somebody had pushed to them.
    server: PathBuf,
    settings: Map<String, Value>,
    variables: Vec<Value>,
    environments: Vec<Value>,
    tokens: Vec<Value>,
    branches: BTreeMap<String, Value>,
    approvals: Map<String, Value>,
    rules: Vec<Value>,
    schedules: Vec<Value>,
    group: Option<Value>,
    /// The end of a path that isn't shown.
    hidden: Option<&'static str>,
}

const NOT_FOUND: &str = "glab: 404 Project Not Found (HTTP 404)\n";

impl Project {
    fn new(server: &Path) -> Self {
        // GitLab protects the main branch by itself, and less than that.
        let levels = json!([{ "access_level": 40, "user_id": null, "group_id": null }]);
        let main = json!({ "name": "main", "push_access_levels": levels, "code_owner_approval_required": false });
        let shown = json!({
            "ci_config_path": "", "ci_pipeline_variables_minimum_override_role": "developer",
            "protect_merge_request_pipelines": true, "public_jobs": true,
            "resource_group_default_process_mode": "unordered",
        });
        Self {
            server: server.to_owned(),
            settings: shown.as_object().unwrap().clone(),
            branches: [("main".to_owned(), main)].into(),
            ..Self::default()
        }
    }

    /// Returns the repository of a project, if somebody has pushed to it.
    fn repository(&self, path: &str) -> Option<PathBuf> {
        let repository = self.server.join(format!("{path}.git"));
        let has = repository.exists() && !git(&repository, &["for-each-ref"]).is_empty();
        has.then_some(repository)
    }

    fn answer(&mut self, call: &Call) -> Answer {
        let args: Vec<&str> = call.args.iter().map(String::as_str).collect();
        match &*args {
            ["api", path] => return self.shown(path),
            ["api", "--silent", "--method", method, path, rest @ ..] => {
                let body = body(rest, &call.stdin);
                self.write(method, path.strip_prefix("projects/:fullpath").unwrap_or(path), body);
            }
            ["variable", "set", name, options @ ..] => {
                assert!(options.contains(&"--masked") && options.contains(&"--raw"), "{options:?}");
                assert!(!call.stdin.is_empty() && !call.stdin.contains('\n'), "{:?}", call.stdin);
                let scope = options.last().unwrap();
                let protected = options.contains(&"--protected");
                self.variables.push(json!({
                    "key": name, "environment_scope": scope, "protected": protected, "value": call.stdin,
                }));
            }
            ["variable", "delete", name, "--scope", scope] => {
                self.variables.retain(|it| it["key"] != *name || it["environment_scope"] != *scope);
            }
            ["token", "create", name, "--access-level", role, rest @ ..] => {
                let level = if *role == "reporter" { 20 } else { 30 };
                let scopes: Vec<&&str> =
                    rest.iter().filter(|it| !it.starts_with("--") && **it != "8760h").collect();
                let user = 100 + self.tokens.len();
                self.tokens.push(json!({
                    "user_id": user, "scopes": scopes, "name": name, "access_level": level, "expires_at": "2030-01-01",
                }));
                return (0, "glpat-a-new-token\n".to_owned());
            }
            ["schedule", "create", "--cron", _, "--ref", "main", "--description", _] => {
                self.schedules.push(json!({ "active": true }));
            }
            other => panic!("glab {other:?} isn't known here"),
        }
        (0, String::new())
    }

    fn shown(&self, path: &str) -> Answer {
        if self.hidden.is_some_and(|hidden| path.contains(hidden)) {
            return (1, "glab: 403 Forbidden (HTTP 403)\n".to_owned());
        }
        self.read(path).map_or((1, NOT_FOUND.to_owned()), |it| (0, it.to_string()))
    }

    fn read(&self, path: &str) -> Option<Value> {
        let parts: Vec<&str> = path.split(['/', '?']).collect();
        let [kind, project, rest @ ..] = &*parts else { panic!("{path}") };
        if *kind == "groups" {
            return (*project == "acme%2Fplatform").then(|| json!({ "id": 7, "name": "Platform" }));
        }
        let named = project.replace("%2F", "/");
        let repository = self.repository(if *project == ":fullpath" { "acme/access" } else { &named })?;
        Some(match rest {
            [] => {
                let mut shown = self.settings.clone();
                shown.insert("path_with_namespace".to_owned(), json!("acme/access"));
                shown.insert("visibility".to_owned(), json!("private"));
                Value::Object(shown)
            }
            ["repository", "files", file, "ref=main"] => {
                let text = git(&repository, &["show", &format!("main:{file}")]);
                json!({ "content": base64::engine::general_purpose::STANDARD.encode(text) })
            }
            ["repository", "commits", commit] => {
                let all = git(&repository, &["rev-list", "--all"]);
                all.lines().any(|it| it == *commit).then(|| json!({ "id": commit }))?
            }
            ["protected_branches", "main"] if *project != ":fullpath" => json!({ "name": "main" }),
            ["protected_branches", name] => self.branches.get(*name)?.clone(),
            ["protected_environments", _] => json!(self.environments),
            ["variables", _] => json!(self.variables),
            ["access_tokens", _] => json!(self.tokens),
            ["approvals"] => json!(self.approvals),
            ["approval_rules", _] => json!(self.rules),
            ["pipeline_schedules", _] => json!(self.schedules),
            ["resource_groups", "rolecall"] => return None,
            other => panic!("{other:?} isn't known here"),
        })
    }

    fn write(&mut self, method: &str, path: &str, body: Value) {
        let parts: Vec<&str> = path.split(['/', '?']).collect();
        match (method, &parts[1..]) {
            ("PUT", []) => self.settings.extend(body.as_object().unwrap().clone()),
            ("PUT", ["variables", name, filter]) => {
                let scope = filter.strip_prefix("filter[environment_scope]=").unwrap().replace("%2F", "/");
                let of = |it: &&mut Value| it["key"] == *name && it["environment_scope"] == scope;
                self.variables.iter_mut().find(of).unwrap()["protected"] = body["protected"].clone();
            }
            ("POST", ["share"]) => self.group = Some(body["group_id"].clone()),
            ("POST", ["protected_environments"]) => {
                assert_eq!(
                    Some(&body["deploy_access_levels"][0]["group_id"]),
                    self.group.as_ref(),
                    "it is shared first"
                );
                self.environments.push(body);
            }
            ("DELETE", ["protected_branches", name]) => drop(self.branches.remove(*name)),
            ("POST", ["protected_branches"]) => {
                let levels = |level: &str| json!([{ "access_level": body[level], "user_id": null }]);
                let push = match &body["allowed_to_push"] {
                    Value::Null => levels("push_access_level"),
                    users => users.clone(),
                };
                let mut branch = body.clone();
                branch["push_access_levels"] = push;
                branch["merge_access_levels"] = levels("merge_access_level");
                let name = body["name"].as_str().unwrap().to_owned();
                assert!(self.branches.insert(name, branch).is_none(), "GitLab has it already");
            }
            ("POST", ["repository", "branches", "branch=rolecall-ledger&ref=main"]) => {}
            ("POST", ["approvals"]) => self.approvals.extend(body.as_object().unwrap().clone()),
            ("POST", ["approval_rules"]) => self.rules.push(body),
            other => panic!("{other:?} isn't known here"),
        }
    }
}

/// Returns what `glab api` sends.
fn body(options: &[&str], stdin: &str) -> Value {
    if options.contains(&"--input") {
        assert!(options.contains(&"Content-Type: application/json"), "otherwise GitLab reads nothing of it");
        return serde_json::from_str(stdin).unwrap();
    }
    let field = |pair: &[&str]| {
        let (name, value) = pair[1].split_once('=').unwrap();
        let typed = if pair[0] == "--field" { serde_json::from_str(value).ok() } else { None };
        (name.to_owned(), typed.unwrap_or_else(|| json!(value)))
    };
    Value::Object(options.chunks(2).map(field).collect())
}

/// A person with a folder, and their project.
struct Person {
    env: Env,
    project: Arc<Mutex<Project>>,
}

const INIT: [&str; 8] = ["init", "--sandbox", "hive", "acme", "--ci", "gitlab", "--owners", "@acme/platform"];

impl Person {
    fn new() -> Self {
        let env = Env::new();
        let server = env.path("server");
        let made = ["acme/access", "acme/access-ci", "acme/rolecall", "rolecall-dev/rolecall"];
        for path in made.map(|path| server.join(format!("{path}.git"))) {
            std::fs::create_dir_all(&path).unwrap();
            git(&path, &["init", "--quiet", "--bare", "--initial-branch", "main"]);
        }
        let project = Arc::new(Mutex::new(Project::new(&server)));
        let answers = Arc::clone(&project);
        let programs = env.path("programs");
        stub_reading(&["glab"], &programs, move |call| answers.lock().unwrap().answer(call));
        program(&programs.join("pre-commit"), "#!/bin/sh\n");
        std::fs::create_dir_all(env.path("files")).unwrap();
        Self { env, project }
    }

    fn command(&self, program: &str) -> Command {
        let rolecall = Path::new(env!("CARGO_BIN_EXE_rolecall")).parent().unwrap().display();
        let path =
            format!("{}:{rolecall}:{}", self.env.path("programs").display(), std::env::var("PATH").unwrap());
        let mut command = Command::new(program);
        command.current_dir(self.env.path("files")).env("PATH", path).env("HOME", self.env.path("."));
        command.stdin(std::process::Stdio::null());
        for (name, value) in [("NAME", "Test"), ("EMAIL", "test@acme.example")] {
            command.env(format!("GIT_AUTHOR_{name}"), value).env(format!("GIT_COMMITTER_{name}"), value);
        }
        // The hosts are folders.
        let server = format!("url.file://{}/.insteadOf", self.env.path("server").display());
        command.env("GIT_CONFIG_COUNT", "2");
        for (number, host) in ["git@gitlab.com:", "https://github.com/"].into_iter().enumerate() {
            command
                .env(format!("GIT_CONFIG_KEY_{number}"), &server)
                .env(format!("GIT_CONFIG_VALUE_{number}"), host);
        }
        command
    }

    /// Runs lines of a shell, as a person would who pastes a credential for each question.
    fn shell(&self, lines: &str) {
        let said = self
            .command("bash")
            .args(["-euc", &lines.replace("read -rs value", "value=pasted")])
            .output()
            .unwrap();
        assert!(said.status.success(), "{lines}\n{}", String::from_utf8_lossy(&said.stderr));
        let out = String::from_utf8_lossy(&said.stdout).into_owned();
        assert!(!out.contains("glpat-"), "the screen shows no token: {out}");
    }

    fn run(&self, args: &[&str]) -> String {
        let said = self.command(env!("CARGO_BIN_EXE_rolecall")).args(args).output().unwrap();
        String::from_utf8(said.stdout).unwrap()
    }

    /// Returns the checks of `doctor` whose answer isn't yes.
    fn wrong(&self) -> Vec<Value> {
        let report = self.run(&["doctor", "--sandbox", "--ci", "gitlab", "--format", "json", "access/"]);
        assert!(!report.contains("pasted"), "no value of a variable is shown");
        let report: Value = serde_json::from_str(&report).unwrap();
        let checks = report["job"].as_array().unwrap().iter().filter(|check| check["topic"] == "ci");
        checks.filter(|check| check["answer"] != "yes").cloned().collect()
    }

    fn change(&self, change: impl FnOnce(&mut Project)) {
        change(&mut self.project.lock().unwrap());
    }
}

fn unprotect(variables: &mut [Value]) {
    for variable in variables {
        variable["protected"] = json!(false);
    }
}

fn found(wrong: &[Value], message: &str) -> bool {
    wrong.iter().any(|check| check["says"].as_str().unwrap().contains(message))
}

fn commands(checks: &[Value]) -> String {
    let commands = checks.iter().filter_map(|check| check["commands"].as_array()).flatten();
    commands.map(|command| command.as_str().unwrap()).collect::<Vec<_>>().join("\n")
}

/// Returns the commands among lines with comments.
fn lines(text: &str) -> String {
    let commands = text.lines().filter(|line| line.starts_with("  ") && !line.starts_with("  #"));
    commands.collect::<Vec<_>>().join("\n")
}

type Break = fn(&mut Project);

/// What is broken, what doctor says about it, and with which others it is broken. The commands mend the first ones.
const BREAKS: [(Break, &str, u8); 17] = [
    (|it| drop(it.settings.insert("ci_config_path".to_owned(), json!(""))), "a file of the project itself", 0),
    (
        |it| {
            let role = json!("developer");
            it.settings.insert("ci_pipeline_variables_minimum_override_role".to_owned(), role);
        },
        "with variables of their own",
        0,
    ),
    (|it| drop(it.settings.insert("public_jobs".to_owned(), json!(true))), "Guests see jobs", 0),
    (
        |it| drop(it.settings.insert("resource_group_default_process_mode".to_owned(), json!("unordered"))),
        "No apply has run yet",
        2,
    ),
    (|it| drop(it.settings.remove("protect_merge_request_pipelines")), "doesn't show the setting", 2),
    (
        |it| it.variables.push(json!({ "key": "HIVE_TOKEN", "environment_scope": "*" })),
        "Every job gets `HIVE_TOKEN`",
        0,
    ),
    (
        |it| unprotect(&mut it.variables),
        "In the environment `rolecall/apply`, every branch can use `HIVE_TOKEN` and `ROLECALL_GITLAB_TOKEN`",
        1,
    ),
    (|it| it.environments.clear(), "Nothing protects the environment `rolecall/review`", 1),
    (|it| it.hidden = Some("protected_environments"), "doesn't show what protects the environments", 2),
    // The Free tier has none.
    (
        |it| it.hidden = Some("protected_environments"),
        "Nothing protects the environment `rolecall/review`, and it has `HIVE_TOKEN`",
        2,
    ),
    (|it| it.hidden = Some("access_tokens"), "doesn't show the tokens of the project", 3),
    (|it| it.schedules.clear(), "No schedule reports drift", 0),
    (|it| it.rules.clear(), "No rule of merge requests requires an approval", 0),
    (|it| drop(it.branches.remove("main")), "Nothing protects `main`", 0),
    (|it| drop(it.branches.remove("rolecall-ledger")), "Nothing protects the branch rolecall-ledger", 0),
    (
        |it| {
            let main = it.branches.get_mut("main").unwrap();
            main["push_access_levels"] = json!([{ "access_level": 30 }]);
        },
        "Somebody may push to `main`",
        1,
    ),
    (
        |it| std::fs::remove_dir_all(it.server.join("acme/rolecall.git")).unwrap(),
        "This server has no project acme/rolecall with the commit",
        4,
    ),
];

/// One story, because each answer of the stub takes time.
#[test]
fn the_commands_of_init_set_up_what_doctor_asks_for_and_each_point_is_found() {
    let person = Person::new();
    let said = person.run(&INIT);
    let file = person.env.read("files/access-ci/rolecall.gitlab-ci.yml");
    assert!(file.contains("$CI_SERVER_FQDN/acme/rolecall/rolecall@"), "{file}");
    let owners = person.env.read("files/CODEOWNERS");
    assert!(owners.contains("/access/ @acme/platform") && !owners.contains(".github"), "{owners}");
    // As if the release were this commit.
    let source = person.env.path("source");
    std::fs::create_dir_all(&source).unwrap();
    git(&source, &["init", "--quiet", "--initial-branch", "main"]);
    git(&source, &["commit", "--quiet", "--allow-empty", "--message", "release"]);
    let upstream = person.env.path("server/rolecall-dev/rolecall.git");
    git(&source, &["push", "--quiet", upstream.to_str().unwrap(), "main"]);
    let commit = git(&source, &["rev-parse", "HEAD"]);
    let (_, pin) = file.split_once('@').unwrap();
    person.env.write("files/access-ci/rolecall.gitlab-ci.yml", file.replace(&pin[..40], &commit));

    let (_, next) = said.split_once("\nNext:\n").unwrap();
    let (before, _) = next.split_once("rolecall doctor --ci gitlab access/").unwrap();
    let (before, by_hand) = before.split_once("Publish three projects").unwrap();
    // Beside these, a person creates the credentials on the platform.
    assert!(by_hand.matches("\n  # ").count() + 2 <= 8, "{by_hand}");
    person.shell(&lines(before));
    let wrong = person.wrong();
    assert!(wrong[0]["says"].as_str().unwrap().contains("no project"), "{wrong:?}");
    person.shell(&lines(by_hand));
    assert_eq!(person.wrong(), Vec::<Value>::new());
    assert!(!person.env.path("files/access-ci").exists() && !person.env.path("files/rolecall.git").exists());

    let remove =
        |it: &mut Project, scope: &str| it.variables.retain(|variable| variable["environment_scope"] != scope);
    for round in 0..=4 {
        let of_round = || BREAKS.iter().filter(|(_, _, of)| *of == round);
        for (break_it, ..) in of_round() {
            person.change(break_it);
        }
        let wrong = person.wrong();
        for (_, message, _) in of_round() {
            assert!(found(&wrong, message), "{message}: {wrong:#?}");
        }
        if round < 2 {
            person.shell(&commands(&wrong));
            let wrong = person.wrong();
            assert!(of_round().all(|(_, message, _)| !found(&wrong, message)), "{wrong:#?}");
        }
        person.change(|it| it.hidden = None);
    }
    // A ledger at an endpoint needs its token wherever a credential is, and neither a branch nor an environment.
    let line = "      ledger: https://ledgers.acme.example/rolecall # no branch";
    person.shell(&format!(
        "cd ../access-ci && echo '{line}' >>rolecall.gitlab-ci.yml && git commit --quiet -am ledger && git push --quiet"
    ));
    person.change(|it| {
        remove(it, "rolecall/plan");
        remove(it, "rolecall/ledger");
        it.branches.remove("rolecall-ledger");
    });
    let wrong = person.wrong();
    assert!(
        found(&wrong, "`rolecall/plan` lacks the variable `HIVE_TOKEN` and `ROLECALL_LEDGER_TOKEN`"),
        "{wrong:#?}"
    );
    assert!(!wrong.iter().any(|check| check.to_string().contains("rolecall-ledger")), "{wrong:#?}");
    assert!(!found(&wrong, "rolecall/ledger"), "{wrong:#?}");
}
