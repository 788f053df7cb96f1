//! GitHub: what the workflows of `examples/ci/github` rely on, as commands of `gh` that set it up, and as questions
//! that it answers about a repository.

mod checks;
mod host;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::host::{GITHUB, Place};
use super::{CODE_OWNERS, COMMIT, Ci, Environment, OPEN, Reads, Setup, Step};
use crate::report::Check;

/// `gh` replaces the two placeholders by those of the repository in the current folder.
const REPOSITORY: &str = "repos/{owner}/{repo}";

const LEDGER_KEY: &str = "ROLECALL_LEDGER_KEY";
const LEDGER: &str = "rolecall-ledger";

/// The secret with further variables, a line for each. The workflows hand over the names of the examples only.
const MORE: &str = "ROLECALL_CREDENTIALS";

const ENVIRONMENTS: [Environment; 5] = [
    Environment { name: "rolecall-plan", reads: Reads::WithoutAdmins, ..OPEN },
    Environment { name: "rolecall-review", restricted: Some(true), reads: Reads::Everything, ..OPEN },
    Environment { name: "rolecall-apply", restricted: None, reads: Reads::Everything, key: Some(LEDGER), ..OPEN },
    Environment { name: "rolecall-drift", reads: Reads::Everything, ..OPEN },
    Environment { name: LEDGER, key: Some(LEDGER), ..OPEN },
];

/// Returns the names of the secrets that an environment needs.
fn needed(it: &Environment, setup: &Setup) -> BTreeSet<String> {
    let known = template_secrets();
    let name = |name: &String| if known.contains(name) { name.clone() } else { MORE.to_owned() };
    let key = it.key.filter(|_| setup.ledger.is_none()).map(|_| LEDGER_KEY.to_owned());
    it.credentials(setup).map(name).chain(key).collect()
}

/// Returns the secrets that the examples hand over.
fn template_secrets() -> BTreeSet<String> {
    Ci::Github.files().1.iter().flat_map(|(_, text)| secrets(text)).collect()
}

/// Returns the name of the secret that a line of a workflow hands over.
fn secret(line: &str) -> Option<&str> {
    let (name, value) = line.trim().split_once(": ${{ secrets.")?;
    (value.strip_suffix(" }}") == Some(name)).then_some(name)
}

/// Returns the secrets that a workflow hands over, without the key of the ledger.
pub(super) fn secrets(text: &str) -> BTreeSet<String> {
    text.lines().filter_map(secret).filter(|name| *name != LEDGER_KEY).map(ToOwned::to_owned).collect()
}

/// Returns a workflow that hands over just these secrets.
pub(super) fn with_secrets(text: &str, names: &BTreeSet<String>) -> String {
    let wanted = |line: &&str| secret(line).is_none_or(|name| name == LEDGER_KEY || names.contains(name));
    let mut kept: String = text.split_inclusive('\n').filter(wanted).collect();
    let known = secrets(text);
    if names.iter().any(|name| !known.contains(name)) {
        kept.push_str("      ROLECALL_CREDENTIALS: ${{ secrets.ROLECALL_CREDENTIALS }}\n");
    }
    kept
}

/// Returns the secrets of these files that a workflow doesn't hand over, by the names that it would use.
pub(super) fn missing_secrets(text: &str, template: &str, setup: &Setup) -> BTreeSet<String> {
    let handed_over = secrets(text);
    let wanted = secrets(&with_secrets(template, &setup.all_variables().cloned().collect()));
    wanted.into_iter().filter(|name| !handed_over.contains(name)).collect()
}

/// Returns the lines that hand over these secrets.
pub(super) fn lines_of(names: &BTreeSet<String>) -> Vec<String> {
    names.iter().map(|name| format!("`{name}: ${{{{ secrets.{name} }}}}`")).collect()
}

/// Asks GitHub what is set up.
pub(super) fn checks(setup: &Setup) -> Vec<Check> {
    let checks = checks::checks(setup);
    match place().host {
        None => checks,
        Some(host) => checks.into_iter().map(|check| host::check(&host, check)).collect(),
    }
}

/// Returns everything that a person sets up, in order.
pub(super) fn steps(setup: &Setup) -> Vec<Step> {
    let mut steps = steps_of(setup);
    let Some(host) = place().host else { return steps };
    for command in steps.iter_mut().flat_map(|step| &mut step.commands) {
        *command = host::command(&host, command);
    }
    steps
}

fn place() -> Place {
    GITHUB.place().unwrap_or_default()
}

fn steps_of(setup: &Setup) -> Vec<Step> {
    let mut steps = Vec::new();
    if setup.owners.is_none() {
        steps.push(Step {
            why: "Name the team that may use the credentials, here and below. Its people approve changes of files and workflows.",
            commands: vec![format!("printf '* @ORGANISATION/TEAM\\n' >{CODE_OWNERS}")],
        });
    }
    steps.push(Step {
        why: "Publish the repository, with `main` as its main branch. This needs `gh`, signed in: https://cli.github.com.",
        commands: publish(setup),
    });
    steps.push(Step {
        why: "Make the environments: only `main` may use them, and `rolecall-review` has reviewers.",
        commands: make(setup, ENVIRONMENTS.iter()),
    });
    steps.push(Step {
        why: "Store the credentials. Only those of `rolecall-apply` need to write. `gh` asks for each value.",
        commands: ENVIRONMENTS.iter().flat_map(|it| store(it, &needed(it, setup))).collect(),
    });
    steps.push(Step { why: "Make the key of the ledger.", commands: ledger_key() });
    steps.push(Step {
        why: "Protect `main` and the branch of the ledger.",
        commands: vec![protect_main(), protect_ledger()],
    });
    steps.push(Step {
        why: "See what is missing.",
        commands: vec![format!("rolecall doctor --ci github {}/", setup.folder)],
    });
    steps
}

/// Returns the commands that push to the remote, or make the repository in the organisation of the team. The team has to
/// have write access.
fn publish(setup: &Setup) -> Vec<String> {
    let (organization, team) = match (setup.team(), setup.person()) {
        (Some(team), _) => (team.0, Some(team.1)),
        (None, Some(person)) => (person, None),
        (None, None) => ("ORGANISATION", Some("TEAM")),
    };
    let push = match place().remote {
        Some(remote) => remote.push(),
        None => format!("gh repo create '{organization}/access' --private --source . --push"),
    };
    let mut commands = vec![COMMIT.to_owned(), push];
    commands.extend(team.map(|team| {
        format!("gh api --silent --method PUT 'orgs/{{owner}}/teams/{team}/{REPOSITORY}' -f permission=push")
    }));
    commands
}

/// Returns the commands that make these environments.
fn make<'e>(setup: &Setup, environments: impl Iterator<Item = &'e Environment> + Clone) -> Vec<String> {
    let branches = "\"deployment_branch_policy\":{\"protected_branches\":false,\"custom_branch_policies\":true}";
    let mut commands = Vec::new();
    if environments.clone().any(|it| it.restricted == Some(true)) {
        let path = match (setup.team(), setup.person()) {
            (Some((_, team)), _) => format!("orgs/{{owner}}/teams/{team}"),
            (None, Some(person)) => format!("users/{person}"),
            (None, None) => "orgs/{owner}/teams/TEAM".to_owned(),
        };
        commands.push(format!("reviewer=$(gh api '{path}' --jq .id)"));
    }
    let kind = if setup.person().is_some() { "User" } else { "Team" };
    for Environment { name, restricted, .. } in environments {
        let reviewers = if *restricted == Some(true) {
            format!(",\"prevent_self_review\":true,\"reviewers\":[{{\"type\":\"{kind}\",\"id\":'$reviewer'}}]")
        } else {
            String::new()
        };
        let made = format!("gh api --silent --method PUT '{REPOSITORY}/environments/{name}' --input -");
        commands.push(format!("{made} <<<'{{{branches}{reviewers}}}'"));
        let branch = format!("{REPOSITORY}/environments/{name}/deployment-branch-policies");
        commands.push(format!("gh api --silent --method POST '{branch}' -f name=main"));
    }
    commands
}

/// Returns the commands that store secrets of an environment. The key of the ledger has commands of its own.
fn store(environment: &Environment, names: &BTreeSet<String>) -> Vec<String> {
    let name = environment.name;
    let names = names.iter().filter(|name| *name != LEDGER_KEY);
    names.map(|secret| format!("gh secret set {secret} --env {name}")).collect()
}

fn ledger_key() -> Vec<String> {
    let environments = ENVIRONMENTS.iter().filter(|it| it.key.is_some());
    let store = environments.map(|it| format!("gh secret set {LEDGER_KEY} --env {} <ledger", it.name));
    let make = [
        format!("ssh-keygen -q -t ed25519 -N '' -C {LEDGER} -f ledger"),
        format!("gh repo deploy-key add ledger.pub --allow-write --title {LEDGER}"),
    ];
    make.into_iter().chain(store).chain(["rm ledger ledger.pub".to_owned()]).collect()
}

fn protect_main() -> String {
    let reviews = json!({
        "required_approving_review_count": 1,
        "dismiss_stale_reviews_on_push": true,
        "require_code_owner_review": true,
        "require_last_push_approval": true,
        "required_review_thread_resolution": false,
    });
    let rules = json!([
        { "type": "pull_request", "parameters": reviews },
        { "type": "non_fast_forward" },
        { "type": "deletion" },
    ]);
    protect("main", &rules, &json!([]))
}

/// The rules of the branch of the ledger, which only its deploy key may bypass.
const LEDGER_RULES: [&str; 4] = ["creation", "update", "deletion", "non_fast_forward"];

fn protect_ledger() -> String {
    let rules = LEDGER_RULES.map(|rule| json!({ "type": rule }));
    protect(LEDGER, &json!(rules), &json!([{ "actor_type": "DeployKey", "bypass_mode": "always" }]))
}

/// Returns the command that makes a ruleset for a branch.
fn protect(branch: &str, rules: &Value, bypass: &Value) -> String {
    let ruleset = json!({
        "name": branch,
        "target": "branch",
        "enforcement": "active",
        "conditions": { "ref_name": { "include": [format!("refs/heads/{branch}")], "exclude": [] } },
        "rules": rules,
        "bypass_actors": bypass,
    });
    format!("gh api --silent --method POST '{REPOSITORY}/rulesets' --input - <<<'{ruleset}'")
}
