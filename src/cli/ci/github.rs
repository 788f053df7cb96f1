//! GitHub: what the workflows of `examples/ci/github` rely on, as commands of `gh` that set it up, and as questions
//! that it answers about a repository.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Asked, CODE_OWNERS, Ci, Setup, Step, ask, no, yes};
use crate::report::{Check, Topic, clean, first};
use rolecall_model::list_of;

/// `gh` replaces the two placeholders by those of the repository in the current folder.
const REPOSITORY: &str = "repos/{owner}/{repo}";

const LEDGER_KEY: &str = "ROLECALL_LEDGER_KEY";
const LEDGER: &str = "rolecall-ledger";

/// The secret with further variables, a line for each. The workflows hand over the names of the examples only.
const MORE: &str = "ROLECALL_CREDENTIALS";

/// An environment of the workflows.
struct Environment {
    name: &'static str,
    /// Whether a person has to approve each run. `None` if that is up to the team.
    reviewed: Option<bool>,
    /// Whether its runs read with the credentials of the platforms, those of admins included.
    reads: Reads,
    has_ledger_key: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reads {
    Nothing,
    WithoutAdmins,
    Everything,
}

const ENVIRONMENTS: [Environment; 5] = [
    Environment {
        name: "rolecall-plan",
        reviewed: Some(false),
        reads: Reads::WithoutAdmins,
        has_ledger_key: false,
    },
    Environment { name: "rolecall-review", reviewed: Some(true), reads: Reads::Everything, has_ledger_key: false },
    Environment { name: "rolecall-apply", reviewed: None, reads: Reads::Everything, has_ledger_key: true },
    Environment { name: "rolecall-drift", reviewed: Some(false), reads: Reads::Everything, has_ledger_key: false },
    Environment { name: LEDGER, reviewed: Some(false), reads: Reads::Nothing, has_ledger_key: true },
];

impl Environment {
    /// Returns the names of the secrets that it needs.
    fn secrets(&self, setup: &Setup) -> BTreeSet<String> {
        let named = match self.reads {
            Reads::Nothing => BTreeSet::new(),
            Reads::WithoutAdmins => setup.variables.clone(),
            Reads::Everything => setup.all_variables().cloned().collect(),
        };
        let known = template_secrets();
        let name = |name: String| if known.contains(&name) { name } else { MORE.to_owned() };
        named.into_iter().map(name).chain(self.has_ledger_key.then(|| LEDGER_KEY.to_owned())).collect()
    }
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

/// Returns everything that a person sets up, in order.
pub(super) fn steps(setup: &Setup) -> Vec<Step> {
    let mut steps = vec![Step {
        why: "Publish the repository, with `main` as its main branch.",
        commands: vec![
            "git add --all && git commit --message 'Access as code' && git branch --move --force main".to_owned(),
            "gh repo create --private --source . --push".to_owned(),
        ],
    }];
    if setup.owners.is_none() {
        steps.push(Step {
            why: "Name the team that may use the credentials. Its people approve changes of files and workflows.",
            commands: vec![format!("printf '* @ORGANISATION/TEAM\\n' >{CODE_OWNERS}")],
        });
    }
    steps.push(Step {
        why: "Make the environments: only `main` may use them, and `rolecall-review` has reviewers.",
        commands: make(setup, ENVIRONMENTS.iter()),
    });
    steps.push(Step {
        why: "Store the credentials. Only those of `rolecall-apply` need to write. `gh` asks for each value.",
        commands: ENVIRONMENTS.iter().flat_map(|it| store(it, &it.secrets(setup))).collect(),
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

/// Returns the commands that make these environments.
fn make<'e>(setup: &Setup, environments: impl Iterator<Item = &'e Environment> + Clone) -> Vec<String> {
    let branches = "\"deployment_branch_policy\":{\"protected_branches\":false,\"custom_branch_policies\":true}";
    let mut commands = Vec::new();
    if environments.clone().any(|it| it.reviewed == Some(true)) {
        let team = setup.team().map_or("TEAM", |(_, team)| team);
        commands.push(format!("team=$(gh api 'orgs/{{owner}}/teams/{team}' --jq .id)"));
    }
    for Environment { name, reviewed, .. } in environments {
        let reviewers = if *reviewed == Some(true) {
            ",\"prevent_self_review\":true,\"reviewers\":[{\"type\":\"Team\",\"id\":'$team'}]"
        } else {
            ""
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
    let environments = ENVIRONMENTS.iter().filter(|it| it.has_ledger_key);
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

/// Asks about a part of the repository.
fn ask_of(path: &str) -> Asked {
    ask("gh", &format!("{REPOSITORY}/{path}"))
}

fn hidden(what: &str, why: &str) -> Check {
    Check::unknown(Topic::Ci, format!("GitHub doesn't show {what}: {}.", clean(why.trim_end_matches('.'))))
        .hint("Sign in as an administrator of the repository: `gh auth login`.")
}

/// Returns what is set up, and what isn't.
pub(super) fn checks(setup: &Setup) -> Vec<Check> {
    let repository = match ask("gh", REPOSITORY) {
        Asked::Found(repository) => repository,
        Asked::Missing => {
            return vec![no(
                "GitHub has no repository for this folder.",
                "Publish it.",
                steps(setup).swap_remove(0).commands,
            )];
        }
        Asked::Hidden(why) => return vec![hidden("this repository", &why)],
    };
    let name = clean(repository["full_name"].as_str().unwrap_or_default());
    let branch = repository["default_branch"].as_str().unwrap_or_default();
    let mut checks = vec![if branch == "main" {
        yes(format!(
            "GitHub has the repository {name}, which is {}.",
            clean(repository["visibility"].as_str().unwrap_or_default())
        ))
    } else {
        no(
            format!("The main branch of {name} is named `{}`, and the workflows expect `main`.", clean(branch)),
            "Rename it.",
            vec![format!(
                "gh api --silent --method POST '{REPOSITORY}/branches/{}/rename' -f new_name=main",
                clean(branch)
            )],
        )
    }];
    checks.push(workflows());
    checks.push(code_owners());
    checks.extend(of_environments(setup));
    checks.extend(of_repository(setup));
    checks.push(deploy_key());
    checks.extend(rules_of_main());
    checks.push(rules_of_ledger());
    checks
}

/// Returns whether the workflows are on `main`.
fn workflows() -> Check {
    let (folder, files) = Ci::Github.files();
    let there = match ask_of(&format!("contents/{folder}?ref=main")) {
        Asked::Found(there) => there,
        Asked::Missing => Value::Array(Vec::new()),
        Asked::Hidden(why) => return hidden("the workflows", &why),
    };
    let is_there =
        |name: &str| there.as_array().is_some_and(|files| files.iter().any(|file| file["name"] == name));
    let missing: Vec<&str> = files.iter().map(|(name, _)| *name).filter(|name| !is_there(name)).collect();
    if missing.is_empty() {
        yes(format!("`main` has {}.", first(files.iter(), files.len(), |(name, _)| (*name).to_owned())))
    } else {
        let hint = "`rolecall init` makes them. Pull requests are planned only once they are on `main`.";
        no(format!("`main` lacks {} in {folder}.", list_of(&missing, "and")), hint, Vec::new())
    }
}

fn code_owners() -> Check {
    let hint = "Without code owners, everybody who may approve can change the workflows and the endpoint.";
    match ask_of("codeowners/errors?ref=main") {
        Asked::Found(answer) => match answer["errors"].as_array().map_or(0, Vec::len) {
            0 => yes(format!("{CODE_OWNERS} has no errors.")),
            errors => {
                no(format!("{CODE_OWNERS} has {errors} errors, and GitHub ignores such lines."), hint, Vec::new())
            }
        },
        Asked::Missing => no(format!("`main` has no {CODE_OWNERS}."), hint, Vec::new()),
        Asked::Hidden(why) => hidden(CODE_OWNERS, &why),
    }
}

fn of_environments(setup: &Setup) -> Vec<Check> {
    ENVIRONMENTS.iter().flat_map(|it| of_environment(it, setup)).collect()
}

fn of_environment(it: &Environment, setup: &Setup) -> Vec<Check> {
    let name = it.name;
    let made = match ask_of(&format!("environments/{name}")) {
        Asked::Found(made) => made,
        Asked::Missing => {
            let hint = "Make it. GitHub would make it without any protection when a workflow names it.";
            let commands = make(setup, std::iter::once(it));
            return vec![no(format!("There is no environment `{name}`."), hint, commands)];
        }
        Asked::Hidden(why) => return vec![hidden(&format!("the environment `{name}`"), &why)],
    };
    let mut checks = vec![branches(name, &made)];
    checks.extend(reviewers(it, &made));
    checks.push(stored(it, setup));
    checks
}

/// Returns whether only `main` may use the environment.
fn branches(name: &str, made: &Value) -> Check {
    let hint = "Everybody who can push a branch could read its secrets. Let only `main` use it.";
    let policy = &made["deployment_branch_policy"];
    if policy["custom_branch_policies"] != true {
        let says = if policy["protected_branches"] == true {
            format!("Every protected branch may use the environment `{name}`.")
        } else {
            format!("Every branch may use the environment `{name}`.")
        };
        return no(says, hint, Vec::new());
    }
    match ask_of(&format!("environments/{name}/deployment-branch-policies")) {
        Asked::Found(answer) => {
            let names =
                answer["branch_policies"].as_array().into_iter().flatten().filter_map(|it| it["name"].as_str());
            let others: Vec<&str> = names.filter(|name| *name != "main").collect();
            if others.is_empty() {
                yes(format!("Only `main` may use the environment `{name}`."))
            } else {
                let says = format!("The environment `{name}` is also for {}.", clean(list_of(&others, "and")));
                no(says, hint, Vec::new())
            }
        }
        Asked::Missing => no(format!("The environment `{name}` has no branches."), hint, Vec::new()),
        Asked::Hidden(why) => hidden(&format!("the branches of the environment `{name}`"), &why),
    }
}

/// Returns whether the right runs wait for a person. `None` if that is up to the team.
fn reviewers(it: &Environment, made: &Value) -> Option<Check> {
    let name = it.name;
    let rules = made["protection_rules"].as_array().into_iter().flatten();
    let required = rules.into_iter().find(|rule| {
        rule["type"] == "required_reviewers" && rule["reviewers"].as_array().is_some_and(|them| !them.is_empty())
    });
    Some(match (it.reviewed?, required) {
        (true, None) => no(
            format!("The environment `{name}` has no required reviewers."),
            "Nothing that needs an approval is planned without them. For private repositories, only GitHub Enterprise \
            has them: `plan-after-merge: true` in the workflow plans such changes after the merge.",
            Vec::new(),
        ),
        (true, Some(rule)) if rule["prevent_self_review"] != true => no(
            format!("The reviewers of `{name}` may approve their own runs."),
            "Turn on *Prevent self-review*. Until then, nothing that needs an approval is planned.",
            Vec::new(),
        ),
        (true, Some(_)) if made["can_admins_bypass"] == true => {
            yes(format!("The environment `{name}` has reviewers.")).hint("Administrators may bypass them.")
        }
        (true, Some(_)) => yes(format!("The environment `{name}` has reviewers.")),
        (false, Some(_)) => no(
            format!("Each run with the environment `{name}` waits for a reviewer."),
            "Take them out: a schedule can't wait, and plans of safe changes need no approval.",
            Vec::new(),
        ),
        (false, None) => return None,
    })
}

/// Returns the names of secrets. GitHub shows no values.
fn names(answer: &Value) -> BTreeSet<String> {
    let secrets = answer["secrets"].as_array().into_iter().flatten();
    secrets.filter_map(|secret| Some(secret["name"].as_str()?.to_owned())).collect()
}

/// Returns whether an environment has just the secrets that it needs.
fn stored(it: &Environment, setup: &Setup) -> Check {
    let name = it.name;
    let there = match ask_of(&format!("environments/{name}/secrets?per_page=100")) {
        Asked::Found(answer) => names(&answer),
        Asked::Missing => BTreeSet::new(),
        Asked::Hidden(why) => return hidden(&format!("the names of the secrets of `{name}`"), &why),
    };
    let needed = it.secrets(setup);
    let missing: BTreeSet<String> = needed.difference(&there).cloned().collect();
    let admins = there.intersection(&setup.admin_variables).filter(|secret| !needed.contains(*secret));
    let admins: Vec<&str> = admins.map(String::as_str).collect();
    if !admins.is_empty() {
        let says =
            format!("The environment `{name}` has {}, the credential of an admin.", list_of(&admins, "and"));
        let commands = admins.iter().map(|secret| format!("gh secret delete {secret} --env {name}"));
        return no(says, "Nobody approves its runs. Take it out.", commands.collect());
    }
    if missing.is_empty() {
        return yes(match needed.len() {
            0 => format!("The environment `{name}` needs no secret."),
            _ => format!("The environment `{name}` has its secrets."),
        });
    }
    let listed: Vec<&str> = missing.iter().map(String::as_str).collect();
    let says = format!("The environment `{name}` lacks the secret {}.", list_of(&listed, "and"));
    let mut commands = store(it, &missing);
    if missing.contains(LEDGER_KEY) {
        commands.extend(ledger_key());
    }
    no(says, "Store it. A workflow without it fails, and sends nothing.", commands)
}

/// Returns whether the repository itself has a credential, which every branch could use.
fn of_repository(setup: &Setup) -> Option<Check> {
    let there = match ask_of("actions/secrets?per_page=100") {
        Asked::Found(answer) => names(&answer),
        Asked::Missing => BTreeSet::new(),
        Asked::Hidden(why) => return Some(hidden("the names of the secrets of the repository", &why)),
    };
    let more = [LEDGER_KEY, MORE].map(ToOwned::to_owned);
    let wrong: Vec<&String> = setup.all_variables().chain(&more).filter(|name| there.contains(*name)).collect();
    if wrong.is_empty() {
        return None;
    }
    let commands = wrong.iter().map(|name| format!("gh secret delete {name}")).collect();
    let says = format!("The repository itself has {}.", first(wrong.iter(), wrong.len(), ToString::to_string));
    Some(no(says, "Everybody who can push a branch can read it. Store it in the environments only.", commands))
}

fn deploy_key() -> Check {
    match ask_of("keys?per_page=100") {
        Asked::Found(keys) => {
            let writes = |key: &&Value| key["read_only"] == false;
            match keys.as_array().into_iter().flatten().filter(writes).count() {
                0 => no("No deploy key can push the ledger.", "Make one.", ledger_key()),
                1 => yes("One deploy key can push the ledger."),
                more => Check::unknown(
                    Topic::Ci,
                    format!("{more} deploy keys can push, and each of them could forge the ledger."),
                )
                .hint("Keep just the one of rolecall."),
            }
        }
        Asked::Missing => no("No deploy key can push the ledger.", "Make one.", ledger_key()),
        Asked::Hidden(why) => hidden("the deploy keys", &why),
    }
}

/// Returns the rules that hold for a branch.
fn rules(branch: &str) -> Result<Vec<Value>, String> {
    match ask_of(&format!("rules/branches/{branch}")) {
        Asked::Found(Value::Array(rules)) => Ok(rules),
        Asked::Found(_) | Asked::Missing => Ok(Vec::new()),
        Asked::Hidden(why) => Err(why),
    }
}

fn rules_of_main() -> Vec<Check> {
    let rules = match rules("main") {
        Ok(rules) => rules,
        Err(why) => return vec![hidden("the rules of `main`", &why)],
    };
    let reviews = rules.iter().find(|rule| rule["type"] == "pull_request").map(|rule| &rule["parameters"]);
    let set = |name: &str| reviews.is_some_and(|parameters| parameters[name] == true);
    let mut lacks = Vec::new();
    if reviews.is_none_or(|parameters| parameters["required_approving_review_count"].as_u64().unwrap_or(0) == 0) {
        lacks.push("a pull request with an approval");
    }
    if !set("dismiss_stale_reviews_on_push") {
        lacks.push("another approval after a push");
    }
    if !set("require_code_owner_review") {
        lacks.push("the approval of a code owner");
    }
    let mut checks = vec![if lacks.is_empty() {
        yes("Only approved pull requests change `main`.")
    } else {
        no(
            format!("No rule of `main` requires {}.", lacks.join(", or ")),
            "Make a ruleset. Somebody who changes `main` alone can use the credentials.",
            vec![protect_main()],
        )
    }];
    let is_plan = |check: &Value| check["context"].as_str().is_some_and(|name| name.starts_with("plan / "));
    let required = rules.iter().filter(|rule| rule["type"] == "required_status_checks");
    let mut required =
        required.filter_map(|rule| rule["parameters"]["required_status_checks"].as_array()).flatten();
    if !required.any(is_plan) {
        checks.push(
            yes("A pull request without a plan can be merged.")
                .hint("The apply refuses it. To refuse the merge, require the check `plan / plan`, and take `paths` out of the workflow."),
        );
    }
    checks
}

fn rules_of_ledger() -> Check {
    let rules = match rules(LEDGER) {
        Ok(rules) => rules,
        Err(why) => return hidden("the rules of the branch of the ledger", &why),
    };
    let lacks: Vec<&str> =
        LEDGER_RULES.into_iter().filter(|wanted| !rules.iter().any(|rule| rule["type"] == *wanted)).collect();
    if !lacks.is_empty() {
        let says = format!("No rule of the branch {LEDGER} restricts {}.", list_of(&lacks, "and"));
        let hint = "Make a ruleset that only deploy keys bypass. A forged ledger can hide a change.";
        return no(says, hint, vec![protect_ledger()]);
    }
    let rulesets: BTreeSet<u64> = rules.iter().filter_map(|rule| rule["ruleset_id"].as_u64()).collect();
    let mut others = BTreeSet::new();
    for id in rulesets {
        match ask_of(&format!("rulesets/{id}")) {
            Asked::Found(ruleset) => others.extend(
                ruleset["bypass_actors"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(|actor| actor["actor_type"].as_str())
                    .filter(|kind| *kind != "DeployKey")
                    .map(ToOwned::to_owned),
            ),
            Asked::Missing => {}
            Asked::Hidden(why) => return hidden("who bypasses the rules of the ledger", &why),
        }
    }
    if others.is_empty() {
        return yes("Only deploy keys change the branch of the ledger.");
    }
    let others: Vec<&str> = others.iter().map(String::as_str).collect();
    no(
        format!("The rules of the branch {LEDGER} can be bypassed by {}.", clean(list_of(&others, "and"))),
        "Let only deploy keys bypass them: the workflow of any branch can push as GitHub Actions.",
        Vec::new(),
    )
}
