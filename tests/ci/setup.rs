//! The commands that `init` prints set up a repository at GitHub, and `doctor --ci` says what is missing.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::runner::stub::{Answer, Call, program, stub_reading};
use crate::support::cli::Env;

/// A repository at GitHub, as its API shows it. An administrator asks.
#[derive(Default)]
struct Repository {
    exists: bool,
    environments: BTreeMap<String, Value>,
    branches: BTreeMap<String, Vec<Value>>,
    /// The names of the secrets of each environment, and those of the repository itself under no name.
    secrets: BTreeMap<String, Vec<String>>,
    keys: Vec<Value>,
    rulesets: Vec<Value>,
    /// The text of the workflows on `main`.
    workflow: String,
    /// The end of a path that isn't shown.
    hidden: Option<&'static str>,
    /// The host and the token of each call of `gh`.
    asked: Vec<String>,
}

impl Repository {
    fn answer(&mut self, call: &Call) -> Answer {
        let args: Vec<&str> = call.args.iter().map(String::as_str).collect();
        self.asked.push(call.context.clone());
        let file = |name: &str| Path::new(&call.folder).join(name).exists();
        match &*args {
            ["repo", "create", "acme/access", "--private", "--source", ".", "--push"] => self.exists = true,
            ["repo", "deploy-key", "add", "ledger.pub", "--allow-write", "--title", _] => {
                assert!(file("ledger.pub"));
                self.keys.push(json!({ "read_only": false }));
            }
            ["secret", "set", name, "--env", environment] => {
                assert!(*name != "ROLECALL_LEDGER_KEY" || call.stdin == "a-private-key\n", "{}", call.stdin);
                assert!(self.environments.contains_key(*environment), "{environment} comes first");
                self.secrets.entry(String::from(*environment)).or_default().push(String::from(*name));
            }
            ["secret", "delete", name, rest @ ..] => {
                let environment = rest.get(1).copied().unwrap_or_default();
                self.secrets.get_mut(environment).unwrap().retain(|it| it != name);
            }
            ["api", "orgs/{owner}/teams/platform", "--jq", ".id"] => return (0, "7\n".to_owned()),
            [
                "api",
                "--silent",
                "--method",
                "PUT",
                "orgs/{owner}/teams/platform/repos/{owner}/{repo}",
                "-f",
                "permission=push",
            ] => {
                assert!(self.exists);
            }
            ["api", "--silent", "--method", method, path, rest @ ..] => {
                let body = match rest {
                    ["--input", "-"] => serde_json::from_str(&call.stdin).unwrap(),
                    ["-f", "name=main"] => json!({ "name": "main" }),
                    other => panic!("{other:?}"),
                };
                self.write(method, path.strip_prefix("repos/{owner}/{repo}/").unwrap(), body);
            }
            ["api", path] => {
                let path = path.strip_prefix("repos/{owner}/{repo}").unwrap().trim_start_matches('/');
                if self.hidden.is_some_and(|hidden| path.ends_with(hidden)) {
                    return (1, "gh: Must have admin rights to Repository. (HTTP 403)\n".to_owned());
                }
                if !self.exists && !file(".git") {
                    return (1, "unable to expand placeholder in path: no git remotes found\n".to_owned());
                }
                let found = self.exists.then(|| self.read(path, file)).flatten();
                return found.map_or((1, "gh: Not Found (HTTP 404)\n".to_owned()), |it| (0, it.to_string()));
            }
            other => panic!("gh {other:?} isn't known here"),
        }
        (0, String::new())
    }

    fn write(&mut self, method: &str, path: &str, body: Value) {
        match (method, &*path.split('/').collect::<Vec<_>>()) {
            ("PUT", ["environments", name]) => {
                let mut rules = vec![json!({ "type": "branch_policy" })];
                if let Some(reviewers) = body["reviewers"].as_array() {
                    assert!(reviewers.iter().all(|it| it["type"] == "Team" && it["id"] == 7));
                    let own = &body["prevent_self_review"];
                    rules.push(json!({ "type": "required_reviewers", "prevent_self_review": own, "reviewers": reviewers }));
                }
                let policy = &body["deployment_branch_policy"];
                let made = json!({ "name": name, "protection_rules": rules, "deployment_branch_policy": policy });
                self.environments.insert(String::from(*name), made);
            }
            ("POST", ["environments", name, "deployment-branch-policies"]) => {
                assert!(self.environments.contains_key(*name));
                self.branches.entry(String::from(*name)).or_default().push(body);
            }
            ("POST", ["rulesets"]) => self.rulesets.push(body),
            other => panic!("{other:?} isn't known here"),
        }
    }

    fn read(&self, path: &str, file: impl Fn(&str) -> bool) -> Option<Value> {
        let secrets = |of: &str| {
            let names = self.secrets.get(of).into_iter().flatten().map(|name| json!({ "name": name }));
            json!({ "secrets": names.collect::<Vec<_>>() })
        };
        Some(match &*path.split(['/', '?']).collect::<Vec<_>>() {
            [""] => json!({ "full_name": "acme/access", "default_branch": "main", "visibility": "private" }),
            ["contents", ".github", "workflows", "ref=main"] => {
                let names = ["plan", "apply", "drift"].map(|name| format!("rolecall-{name}.yml"));
                let there = names.iter().filter(|name| file(&format!(".github/workflows/{name}")));
                there.map(|name| json!({ "name": name })).collect()
            }
            ["contents", ".github", "workflows", _, "ref=main"] => {
                json!({ "content": BASE64_STANDARD.encode(&self.workflow) })
            }
            ["codeowners", "errors", "ref=main"] => file("CODEOWNERS").then(|| json!({ "errors": [] }))?,
            ["environments", name] => self.environments.get(*name)?.clone(),
            ["environments", name, "deployment-branch-policies"] => {
                json!({ "branch_policies": self.branches.get(*name) })
            }
            ["environments", name, "secrets", "per_page=100"] => secrets(name),
            ["actions", "secrets", "per_page=100"] => secrets(""),
            ["keys", "per_page=100"] => json!(self.keys),
            ["rulesets", id] => self.rulesets[id.parse::<usize>().unwrap()].clone(),
            ["rules", "branches", branch] => {
                let mut rules = Vec::new();
                for (id, ruleset) in self.rulesets.iter().enumerate() {
                    let included = format!("refs/heads/{branch}");
                    if ruleset["conditions"]["ref_name"]["include"][0] != included
                        || ruleset["enforcement"] != "active"
                    {
                        continue;
                    }
                    for rule in ruleset["rules"].as_array().unwrap() {
                        let mut rule = rule.clone();
                        rule["ruleset_id"] = json!(id);
                        rules.push(rule);
                    }
                }
                json!(rules)
            }
            other => panic!("{other:?} isn't known here"),
        })
    }
}

/// A person with a folder, and their repository.
struct Person {
    env: Env,
    repository: Arc<Mutex<Repository>>,
}

impl Person {
    fn new() -> Self {
        let env = Env::new();
        let repository: Arc<Mutex<Repository>> = Arc::default();
        let programs = env.path("programs");
        let answers = Arc::clone(&repository);
        stub_reading(&["gh"], &programs, move |call| answers.lock().unwrap().answer(call));
        program(&programs.join("pre-commit"), "#!/bin/sh\n");
        program(&programs.join("ssh-keygen"), "#!/bin/sh\necho a-private-key >ledger; echo public >ledger.pub\n");
        Self { env, repository }
    }

    /// Makes a repository, and returns what `init` says.
    fn init(&self, provider: &str, organization: &str) -> String {
        let init = ["init", "--sandbox", provider, organization, "--ci", "github", "--owners", "@acme/platform"];
        let said = self.env.run(&init);
        assert_eq!(said.code, 0, "{}", said.all());
        said.stdout
    }

    /// Returns a person whose repository is set up with the commands of `doctor`, and what `init` said.
    fn set_up(provider: &str, organization: &str) -> (Self, String) {
        let person = Self::new();
        let said = person.init(provider, organization);
        person.shell("git init --quiet");
        person.push();
        // At first everything is missing. Each run names what is left.
        for _ in 0..3 {
            person.shell(&person.wrong().iter().map(commands).collect::<Vec<_>>().join("\n"));
        }
        assert_eq!(person.wrong(), Vec::<Value>::new());
        (person, said)
    }

    /// Runs lines of a shell, as a person would.
    fn shell(&self, lines: &str) {
        let rolecall = Path::new(env!("CARGO_BIN_EXE_rolecall")).parent().unwrap().display();
        let path =
            format!("{}:{rolecall}:{}", self.env.path("programs").display(), std::env::var("PATH").unwrap());
        let mut bash = Command::new("bash");
        bash.args(["-euc", lines])
            .current_dir(self.env.path("."))
            .env("PATH", path)
            .env_remove("GH_HOST")
            .stdin(std::process::Stdio::null());
        for (name, value) in [("NAME", "Test"), ("EMAIL", "test@acme.example")] {
            bash.env(format!("GIT_AUTHOR_{name}"), value).env(format!("GIT_COMMITTER_{name}"), value);
        }
        let said = bash.output().unwrap();
        assert!(said.status.success(), "{lines}\n{}", String::from_utf8_lossy(&said.stderr));
    }

    /// Returns what `doctor` says about the set-up.
    fn doctor(&self) -> Vec<Value> {
        let mut command = self.env.command();
        let path = format!("{}:{}", self.env.path("programs").display(), std::env::var("PATH").unwrap());
        command.env("PATH", path).args(["doctor", "--sandbox", "--ci", "github", "--format", "json", "access/"]);
        let said = command.output().unwrap();
        let report: Value = serde_json::from_slice(&said.stdout).unwrap();
        report["job"].as_array().unwrap().iter().filter(|check| check["topic"] == "ci").cloned().collect()
    }

    /// Returns the checks whose answer isn't yes.
    fn wrong(&self) -> Vec<Value> {
        self.doctor().into_iter().filter(|check| check["answer"] != "yes").collect()
    }

    /// Puts the workflow that plans on `main`.
    fn push(&self) {
        let workflow = self.env.read(".github/workflows/rolecall-plan.yml");
        self.change(|it| it.workflow = workflow);
    }

    fn change(&self, change: impl FnOnce(&mut Repository)) {
        change(&mut self.repository.lock().unwrap());
    }
}

fn commands(check: &Value) -> String {
    let commands = check["commands"].as_array().into_iter().flatten();
    commands.map(|command| command.as_str().unwrap()).collect::<Vec<_>>().join("\n")
}

fn says(checks: &[Value], message: &str) -> bool {
    checks.iter().any(|check| check["says"].as_str().unwrap().contains(message))
}

/// Removes what makes an environment.
fn without(repository: &mut Repository, name: &str) {
    repository.environments.remove(name);
    repository.branches.remove(name);
}

#[test]
fn the_commands_of_init_set_up_what_doctor_asks_for() {
    let person = Person::new();
    let said = person.init("hive", "acme");
    let (_, next) = said.split_once("\nNext:\n").unwrap();
    // From the publication to the last check.
    let (before, _) = next.split_once("rolecall doctor --ci github access/").unwrap();
    let (before, by_hand) = before.split_once("Publish the repository").unwrap();
    assert_eq!(by_hand.matches("\n  # ").count(), 5, "{by_hand}");

    let wrong = person.wrong();
    assert!(wrong[0]["says"].as_str().unwrap().contains("no repository"), "{wrong:?}");
    let lines = |text: &str| {
        text.lines()
            .filter(|line| line.starts_with("  ") && !line.starts_with("  #"))
            .collect::<Vec<_>>()
            .join("\n")
    };
    person.push();
    person.shell(&lines(before));
    person.shell(&lines(by_hand));
    assert_eq!(person.wrong(), Vec::<Value>::new());
    assert!(!person.env.path("ledger").exists(), "the key isn't left behind");
}

const LEDGER: &str = "rolecall-ledger";

type Break = fn(&mut Repository);

/// What is broken, what doctor says about it, and with which others it is broken. The commands mend the first ones.
const BREAKS: [(Break, &str, u8); 18] = [
    (|it| without(it, "rolecall-plan"), "There is no environment `rolecall-plan`", 0),
    (|it| without(it, "rolecall-review"), "There is no environment `rolecall-review`", 0),
    (
        |it| it.secrets.get_mut("rolecall-apply").unwrap().clear(),
        "lacks the secret `HIVE_TOKEN` and `ROLECALL_LEDGER_KEY`",
        0,
    ),
    (
        |it| it.secrets.entry(String::new()).or_default().push("HIVE_TOKEN".to_owned()),
        "The repository itself has HIVE_TOKEN",
        0,
    ),
    (|it| it.keys.clear(), "No deploy key can push the ledger", 0),
    (
        |it| it.rulesets.retain(|it| it["name"] != "main"),
        "No rule of `main` requires a pull request with an approval",
        0,
    ),
    (
        |it| it.rulesets.retain(|it| it["name"] == "main"),
        "No rule of the branch rolecall-ledger restricts `creation`",
        0,
    ),
    (|it| it.keys.push(json!({ "read_only": false })), "deploy keys can push", 1),
    (
        |it| {
            it.rulesets.iter_mut().find(|it| it["name"] != "main").unwrap()["bypass_actors"] =
                json!([{ "actor_type": "Integration" }]);
        },
        "bypassed by `Integration`",
        1,
    ),
    (
        |it| it.environments.get_mut("rolecall-plan").unwrap()["deployment_branch_policy"] = Value::Null,
        "Every branch may use the environment `rolecall-plan`",
        1,
    ),
    (
        |it| it.environments.get_mut("rolecall-review").unwrap()["protection_rules"] = json!([]),
        "has no required reviewers",
        1,
    ),
    (
        |it| it.hidden = Some("keys?per_page=100"),
        "GitHub doesn't show the deploy keys: gh: Must have admin rights",
        3,
    ),
    (
        |it| it.rulesets.iter_mut().find(|it| it["name"] != "main").unwrap()["bypass_actors"] = json!([]),
        "so an apply can't push the ledger",
        2,
    ),
    (
        |it| {
            let bypass = json!([{ "actor_type": "RepositoryRole", "bypass_mode": "always" }]);
            it.rulesets.iter_mut().find(|it| it["name"] == "main").unwrap()["bypass_actors"] = bypass;
        },
        "The rules of `main` can be bypassed by `RepositoryRole`",
        1,
    ),
    (
        |it| it.rulesets.iter_mut().find(|it| it["name"] == "main").unwrap()["bypass_actors"] = Value::Null,
        "GitHub doesn't show who bypasses the rules of `main`",
        2,
    ),
    (
        |it| it.branches.get_mut("rolecall-apply").unwrap().push(json!({ "name": "main", "type": "tag" })),
        "The environment `rolecall-apply` is also for",
        1,
    ),
    (
        |it| it.workflow = it.workflow.replace("HIVE_TOKEN", "OTHER"),
        "rolecall-plan.yml doesn't hand over `HIVE_TOKEN`",
        1,
    ),
    (
        |it| it.workflow.push_str("      as-apply: true\n"),
        "The environment `rolecall-plan` has no required reviewers",
        2,
    ),
];

/// Each point is found, and the commands beside it mend it.
#[test]
fn what_is_missing_is_named_with_the_commands_that_mend_it() {
    let (person, _) = Person::set_up("hive", "acme");
    for round in 0..=3 {
        let of_round = || BREAKS.into_iter().filter(|(_, _, of)| *of == round);
        for (break_it, ..) in of_round() {
            person.change(break_it);
        }
        let wrong = person.wrong();
        for (_, message, _) in of_round() {
            assert!(says(&wrong, message), "{message}: {wrong:#?}");
        }
        if round == 0 {
            person.shell(&wrong.iter().map(commands).collect::<Vec<_>>().join("\n"));
            let wrong = person.wrong();
            assert!(of_round().all(|(_, message, _)| !says(&wrong, message)), "{wrong:#?}");
        }
    }
}

/// A private repository has no reviewers in most plans of GitHub, and the workflow can do without.
#[test]
fn without_reviewers_the_set_up_is_complete_if_the_workflow_says_so() {
    let (person, _) = Person::set_up("hive", "acme");
    person.change(|it| it.environments.get_mut("rolecall-review").unwrap()["protection_rules"] = json!([]));
    assert_eq!(person.wrong().len(), 1);
    person.change(|it| it.workflow.push_str("      plan-after-merge: true # private\n"));
    assert_eq!(person.wrong(), Vec::<Value>::new());
    // A ledger at an endpoint needs its token everywhere, and neither a key nor a branch.
    person.change(|it| {
        it.workflow.push_str("      ledger: https://ledgers.acme.example/rolecall\n");
        it.workflow.push_str("    secrets:\n      ROLECALL_CREDENTIALS: ${{ secrets.ROLECALL_CREDENTIALS }}\n");
        without(it, LEDGER);
        it.secrets.values_mut().for_each(|names| names.retain(|name| name != "ROLECALL_LEDGER_KEY"));
        it.keys.clear();
        it.rulesets.retain(|ruleset| ruleset["name"] != LEDGER);
    });
    let wrong = person.wrong();
    assert!(
        wrong.len() == 4 && says(&wrong, "`rolecall-drift` lacks the secret `ROLECALL_CREDENTIALS`"),
        "{wrong:?}"
    );
    person.shell(&wrong.iter().map(commands).collect::<Vec<_>>().join("\n"));
    assert_eq!(person.wrong(), Vec::<Value>::new());
    // A remote that isn't shown is no reason to make another repository.
    person.shell("git remote add origin git@github.example:acme/access.git");
    person.change(|it| it.exists = false);
    let wrong = person.wrong();
    assert!(commands(&wrong[0]).is_empty(), "{wrong:?}");
}

#[test]
fn an_admin_credential_where_nobody_approves_is_found() {
    let organization = rolecall_sandbox::definition(rolecall_model::ProviderName::Bitpanda).seeds[0];
    let (person, said) = Person::set_up("bitpanda", organization);
    assert!(!said.contains("gh secret set BITPANDA_API_KEY --env rolecall-plan"), "{said}");
    person.change(|it| {
        it.secrets.entry("rolecall-plan".to_owned()).or_default().push("BITPANDA_API_KEY".to_owned());
    });
    let wrong = person.wrong();
    assert!(wrong[0]["says"].as_str().unwrap().contains("the credential of an admin"), "{wrong:?}");
    person.shell(&commands(&wrong[0]));
    assert_eq!(person.wrong(), Vec::<Value>::new());
}

/// The host is that of the remote, and a variable that names another one gets nothing.
#[test]
fn a_server_of_github_enterprise_is_asked_and_no_other_host() {
    let mut person = Person::new();
    let asked = |person: &Person| std::mem::take(&mut person.repository.lock().unwrap().asked);
    person.env.set("GH_HOST", "GitHub.acme.example");
    person.env.set("GH_ENTERPRISE_TOKEN", "of-acme");
    let said = person.init("hive", "acme");
    let wrong = person.wrong();
    assert!(says(&wrong, "GitHub has no repository for this folder"), "{wrong:?}");
    assert_eq!(asked(&person), ["github.acme.example of-acme"]);
    let shown = commands(&wrong[0]);
    for line in said.lines().chain(shown.lines()).filter(|line| line.contains("gh ")) {
        let calls = line.matches("gh ").count();
        assert_eq!(line.matches("GH_HOST=github.acme.example gh ").count(), calls, "{line}");
    }
    person.shell("git init --quiet && git remote add origin git@github.acme.example:acme/access.git");
    person.shell(shown.lines().find(|line| line.contains("gh repo create")).unwrap());
    assert_eq!(asked(&person), ["github.acme.example "]);

    person.change(|it| it.exists = false);
    for (variables, called) in [
        // A token without a host might be that of another server.
        ([("GH_HOST", ""), ("GITHUB_API_URL", "")], Some("github.acme.example ")),
        (
            [("GH_HOST", ""), ("GITHUB_API_URL", "https://github.acme.example/api/v3")],
            Some("github.acme.example of-acme"),
        ),
        ([("GH_HOST", ""), ("GITHUB_API_URL", "https://api.github.com")], None),
        ([("GH_HOST", "mallory.example"), ("GITHUB_API_URL", "https://github.acme.example/api/v3")], None),
    ] {
        for (name, value) in variables {
            person.env.set(name, value);
        }
        let wrong = person.wrong();
        assert_eq!(asked(&person), Vec::from_iter(called), "{variables:?}");
        let told =
            if called.is_some() { "GitHub shows no repository for the remote" } else { "Nothing was asked" };
        assert!(wrong.len() == 1 && says(&wrong, told), "{wrong:?}");
    }
    assert!(!person.wrong()[0].to_string().contains("of-acme"));

    for name in ["GH_HOST", "GITHUB_API_URL"] {
        person.env.set(name, "");
    }
    for (address, host) in [
        ("ssh://git@ssh.github.com:443/acme/access.git", "github.com"),
        ("https://jane:secret@Git.acme.example:8443/acme/access", "git.acme.example"),
        ("https://api.acme.ghe.com/acme/access.git", "acme.ghe.com"),
        ("work:acme/access.git", ""),
        ("/srv/git/access.git", ""),
        ("-oProxyCommand=id:access", ""),
    ] {
        person.shell(&format!("git config remote.origin.url '{address}'"));
        assert!(says(&person.wrong(), "GitHub shows no repository for the remote"), "{address}");
        let token = if host.is_empty() { "of-acme" } else { "" };
        assert_eq!(asked(&person), [format!("{host} {token}")], "{address}");
    }
}
