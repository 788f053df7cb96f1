//! The settings of a repository at GitHub, as `gh` tells them.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use super::super::{Asked, Environment, has_no_remote, kept_at, no, setting, unasked, yes};
use super::host::ask;
use super::{
    CODE_OWNERS, Ci, ENVIRONMENTS, LEDGER, LEDGER_KEY, LEDGER_RULES, MORE, REPOSITORY, Setup, ledger_key,
    lines_of, make, missing_secrets, needed, place, protect_ledger, protect_main, publish, store,
};
use crate::report::{Check, Topic, clean, first};
use rolecall_model::list_of;

/// Asks about a part of the repository.
fn ask_of(path: &str) -> Asked {
    ask(&format!("{REPOSITORY}/{path}"))
}

fn hidden(what: &str, why: &str) -> Check {
    Check::unknown(Topic::Ci, format!("GitHub doesn't show {what}: {}.", clean(why.trim_end_matches('.'))))
        .hint("Sign in as an administrator of the repository: `gh auth login`.")
}

/// Returns what is set up, and what isn't.
pub fn checks(setup: &Setup) -> Vec<Check> {
    let repository = match ask(REPOSITORY) {
        Asked::Found(repository) => repository,
        Asked::Missing => return vec![unpublished(setup)],
        Asked::Hidden(why) if has_no_remote(&why) => return vec![unpublished(setup)],
        Asked::Hidden(why) => return vec![unasked(hidden("this repository", &why))],
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
    let set = Set::read(setup, &mut checks);
    let setup = &set.setup;
    checks.push(code_owners());
    let environments = ENVIRONMENTS.iter().filter(|it| it.name != LEDGER || setup.ledger.is_none());
    checks.extend(environments.flat_map(|it| of_environment(it, setup, &set)));
    checks.extend(of_repository(setup));
    checks.extend(rules_of_main());
    match &setup.ledger {
        Some(url) => checks.push(kept_at(url)),
        None => checks.extend([deploy_key(), rules_of_ledger()]),
    }
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

fn of_environment(it: &Environment, setup: &Setup, set: &Set) -> Vec<Check> {
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
    checks.extend(reviewers(it, &made, set));
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
            let policies: Vec<&Value> = answer["branch_policies"].as_array().into_iter().flatten().collect();
            // A policy for tags has a type of its own, and everybody who can push can push a tag.
            let is_main = |it: &Value| it["name"] == "main" && (it["type"].is_null() || it["type"] == "branch");
            let others = policies.iter().filter(|it| !is_main(it)).filter_map(|it| it["name"].as_str());
            let others: Vec<&str> = others.collect();
            if !policies.iter().any(|it| is_main(it)) {
                no(
                    format!("The branch `main` may not use the environment `{name}`."),
                    "Let only `main` use it.",
                    Vec::new(),
                )
            } else if others.is_empty() {
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
fn reviewers(it: &Environment, made: &Value, set: &Set) -> Option<Check> {
    let name = it.name;
    let rules = made["protection_rules"].as_array().into_iter().flatten();
    let required = rules.into_iter().find(|rule| {
        rule["type"] == "required_reviewers" && rule["reviewers"].as_array().is_some_and(|them| !them.is_empty())
    });
    // Plans with the credentials of the apply need an approval each.
    let reviewed = if it.name == ENVIRONMENTS[0].name && set.as_apply { Some(true) } else { it.restricted };
    Some(match (reviewed?, required) {
        (true, None) if set.after_merge && !set.as_apply => yes(format!(
            "The environment `{name}` has no required reviewers."
        ))
        .hint("What needs an approval is planned after the merge, by `plan-after-merge: true` in the workflow."),
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
    let needed = needed(it, setup);
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
    let bypassing = bypassing(rules.iter().filter(|rule| rule["type"] == "pull_request"));
    let mut checks = vec![if lacks.is_empty() {
        match bypassing {
            Ok(None) => hidden("who bypasses the rules of `main`", "only administrators see it"),
            Ok(Some(actors)) if actors.is_empty() => yes("Only approved pull requests change `main`."),
            Ok(Some(actors)) => no(
                format!("The rules of `main` can be bypassed by {}.", listed(&actors)),
                "Let nobody bypass them. Somebody who changes `main` alone can use the credentials.",
                Vec::new(),
            ),
            Err(why) => hidden("who bypasses the rules of `main`", &why),
        }
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
    match bypassing(rules.iter()) {
        Ok(None) => hidden("who bypasses the rules of the ledger", "only administrators see it"),
        Err(why) => hidden("who bypasses the rules of the ledger", &why),
        Ok(Some(actors)) if actors.is_empty() => no(
            format!("Nobody may bypass the rules of the branch {LEDGER}, so an apply can't push the ledger."),
            "Let deploy keys bypass them.",
            Vec::new(),
        ),
        Ok(Some(mut actors)) => {
            actors.remove("DeployKey");
            if actors.is_empty() {
                return yes("Only deploy keys change the branch of the ledger.");
            }
            no(
                format!("The rules of the branch {LEDGER} can be bypassed by {}.", listed(&actors)),
                "Let only deploy keys bypass them: the workflow of any branch can push as GitHub Actions.",
                Vec::new(),
            )
        }
    }
}

fn listed(actors: &BTreeSet<String>) -> String {
    let actors: Vec<&str> = actors.iter().map(String::as_str).collect();
    clean(list_of(&actors, "and"))
}

/// Returns the kinds of those who may bypass these rules. `None` if GitHub doesn't show them.
fn bypassing<'r>(rules: impl Iterator<Item = &'r Value>) -> Result<Option<BTreeSet<String>>, String> {
    let rulesets: BTreeSet<u64> = rules.filter_map(|rule| rule["ruleset_id"].as_u64()).collect();
    let mut all = BTreeSet::new();
    for id in rulesets {
        let ruleset = match ask_of(&format!("rulesets/{id}")) {
            Asked::Found(ruleset) => ruleset,
            Asked::Missing => return Ok(None),
            Asked::Hidden(why) => return Err(why),
        };
        let Some(actors) = ruleset["bypass_actors"].as_array() else { return Ok(None) };
        all.extend(actors.iter().filter_map(|actor| Some(actor["actor_type"].as_str()?.to_owned())));
    }
    Ok(Some(all))
}

/// Returns that there is no repository, or that GitHub doesn't show it.
fn unpublished(setup: &Setup) -> Check {
    if place().remote.is_some() {
        let says = "GitHub shows no repository for the remote of this folder.";
        return no(
            says,
            "Check the address of the remote, and whether you may see the repository: `gh repo view`.",
            Vec::new(),
        );
    }
    no("GitHub has no repository for this folder.", "Publish it.", publish(setup))
}

/// The settings in the workflows on `main`.
struct Set {
    /// The set-up with the ledgers that the workflows name.
    setup: Setup,
    as_apply: bool,
    after_merge: bool,
}

impl Set {
    /// Reads the workflows, and adds a check for each that lacks a secret of the files.
    fn read(setup: &Setup, checks: &mut Vec<Check>) -> Self {
        let mut set = Self { setup: setup.clone(), as_apply: false, after_merge: false };
        let mut ledgers = BTreeSet::new();
        let (folder, files) = Ci::Github.files();
        for (name, template) in files {
            let Asked::Found(file) = ask_of(&format!("contents/{folder}/{name}?ref=main")) else { continue };
            let encoded: String = file["content"].as_str().unwrap_or_default().split_whitespace().collect();
            let Ok(bytes) = BASE64_STANDARD.decode(encoded) else { continue };
            let text = String::from_utf8_lossy(&bytes);
            set.as_apply |= setting(&text, "as-apply") == Some("true");
            set.after_merge |= setting(&text, "plan-after-merge") == Some("true");
            set.setup = setup.with_ledger_of(&text);
            ledgers.insert(set.setup.ledger.clone());
            let missing = missing_secrets(&text, template, &set.setup);
            if !missing.is_empty() {
                let hint = format!("Add to its `secrets`: {}.", lines_of(&missing).join("; "));
                let missing: Vec<&str> = missing.iter().map(String::as_str).collect();
                let says = format!("{name} doesn't hand over {}.", list_of(&missing, "and"));
                checks.push(no(says, hint, Vec::new()));
            }
        }
        if ledgers.len() > 1 {
            let hint = "Write the same `ledger` into all of them. Otherwise a plan doesn't know what was sent.";
            checks.push(no("The workflows name different ledgers.", hint, Vec::new()));
        }
        set
    }
}
