//! What `glab` tells about the set-up of a project at GitLab.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::host::GITLAB;
use super::super::{Asked, Environment, Setup, ask_with, has_no_remote, kept_at, no, page, unasked, yes};
use super::{
    APPLY, ENVIRONMENTS, LEDGER, PROJECT, REPORT, TOKEN, Token, approvals, encoded, make_token, mirror, place,
    protect_environments, protect_ledger, protect_main, publish_files, publish_pipeline, schedule, settings,
    store,
};
use crate::report::{Check, Topic, clean};
use rolecall_model::list_of;

fn ask(path: &str) -> Asked {
    ask_with(GITLAB.program, path, |_| ())
}

fn ask_of(path: &str) -> Asked {
    ask(&format!("{PROJECT}/{path}"))
}

fn hidden(what: &str, why: &str) -> Check {
    Check::unknown(Topic::Ci, format!("GitLab doesn't show {what}: {}.", clean(why.trim_end_matches('.'))))
        .hint("Sign in as an owner of the project: `glab auth login`.")
}

/// Returns a list that GitLab shows. GitLab calls it missing if the person may not see it, or if there is no such thing.
fn list(path: &str, what: &str) -> Result<Vec<Value>, Box<Check>> {
    match ask_of(path) {
        Asked::Found(Value::Array(all)) => Ok(all),
        Asked::Found(_) | Asked::Missing => Err(Box::new(hidden(what, "it has no such list for you"))),
        Asked::Hidden(why) => Err(Box::new(hidden(what, &why))),
    }
}

/// Returns what is set up, and what isn't.
pub(in super::super) fn checks(setup: &Setup) -> Vec<Check> {
    let project = match ask(PROJECT) {
        Asked::Found(project) => project,
        Asked::Missing => return vec![unpublished(setup)],
        Asked::Hidden(why) if has_no_remote(&why) => return vec![unpublished(setup)],
        Asked::Hidden(why) => return vec![unasked(hidden("this project", &why))],
    };
    let text = |name: &str| clean(project[name].as_str().unwrap_or_default());
    let mut checks = vec![yes(format!(
        "GitLab has the project {}, which is {}.",
        text("path_with_namespace"),
        text("visibility")
    ))];
    checks.extend(of_settings(&project, setup));
    let pipeline = of_pipeline(&project, &mut checks);
    let setup = &setup.with_ledger_of(&pipeline);
    let environments = list("protected_environments?per_page=100", "what protects the environments");
    checks.extend(of_variables(setup, environments.is_ok()));
    checks.extend(of_environments(setup, environments));
    checks.extend(of_tokens());
    checks.push(of_main());
    checks.push(setup.ledger.as_deref().map_or_else(of_ledger, kept_at));
    checks.push(of_approvals());
    checks.push(of_schedule());
    checks.push(of_order(&project));
    checks
}

/// Returns that there is no project, or that GitLab doesn't show it.
fn unpublished(setup: &Setup) -> Check {
    let publish = [publish_files(setup), publish_pipeline(setup)].concat();
    if place().remote.is_none() {
        return no("GitLab has no project for this folder.", "Publish it.", publish);
    }
    let hint = "Publish it. If it is there, check the address of the remote, and whether you may see the project: \
        `glab repo view`.";
    no("GitLab shows no project for the remote of this folder.", hint, publish)
}

/// Returns whether a setting of the project is as it has to be. Older servers don't show all.
fn of_settings(project: &Value, setup: &Setup) -> Vec<Check> {
    let path = project["ci_config_path"].as_str().unwrap_or_default();
    let mut checks = vec![if path.contains('@') {
        yes(format!("The pipeline is {}.", clean(path)))
    } else {
        no(
            "The pipeline is a file of the project itself.",
            "Everybody who can push a branch could rewrite it. Take it from a project of its own.",
            vec![settings(setup)],
        )
    }];
    let wanted: [(&str, Value, &str, &str, &str); 3] = [
        (
            "ci_pipeline_variables_minimum_override_role",
            json!("no_one_allowed"),
            "Nobody may start a pipeline with variables of their own.",
            "Somebody may start a pipeline with variables of their own.",
            "Such a variable replaces the folder, the checksum and the allowed hosts.",
        ),
        (
            "protect_merge_request_pipelines",
            json!(false),
            "Merge requests don't get protected variables.",
            "Merge requests can get protected variables.",
            "Those are the credentials that can write.",
        ),
        (
            "public_jobs",
            json!(false),
            "Only members see jobs.",
            "Guests see jobs.",
            "Their logs say who has which access.",
        ),
    ];
    for (name, value, good, bad, why) in wanted {
        checks.push(match &project[name] {
            Value::Null => {
                Check::unknown(Topic::Ci, format!("GitLab doesn't show the setting `{name}`.")).hint(format!(
                    "{why} Look in *Settings*, *CI/CD*, and see{}.",
                    page("ci.md#set-up-at-gitlab").trim_start_matches("#  ")
                ))
            }
            there if *there == value => yes(good),
            _ => no(bad, why, vec![settings(setup)]),
        });
    }
    checks
}

/// Returns the text of the pipeline. Adds whether its project has it on a protected branch, and whether its component is
/// there.
fn of_pipeline(project: &Value, checks: &mut Vec<Check>) -> String {
    let path = project["ci_config_path"].as_str().unwrap_or_default();
    let Some((file, place)) = path.split_once('@') else { return String::new() };
    let (place, branch) = place.split_once(':').unwrap_or((place, "main"));
    let (at, place) = (format!("projects/{}", encoded(place)), clean(place));
    let text = match ask(&format!("{at}/repository/files/{}?ref={branch}", encoded(file))) {
        Asked::Found(text) => decoded(&text),
        Asked::Missing => {
            let hint = "Without it, GitLab starts no pipeline.";
            checks.push(no(format!("The project {place} has no {}.", clean(file)), hint, Vec::new()));
            return String::new();
        }
        Asked::Hidden(why) => {
            checks.push(hidden(&format!("the file of {place}"), &why));
            return String::new();
        }
    };
    checks.push(match ask(&format!("{at}/protected_branches/{branch}")) {
        Asked::Found(_) => yes(format!("{place} has {}, on a protected branch.", clean(file))),
        Asked::Missing => no(
            format!("The branch of {place} isn't protected."),
            "Who can push to it can use the credentials.",
            vec![format!("glab api --silent --method POST {at}/protected_branches --raw-field name={branch}")],
        ),
        Asked::Hidden(why) => hidden(&format!("what protects {place}"), &why),
    });
    checks.extend(of_component(&text));
    text
}

/// Returns the text of a file that the API shows.
fn decoded(file: &Value) -> String {
    let content = file["content"].as_str().unwrap_or_default();
    let bytes = STANDARD.decode(content).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Returns whether the component is pinned to a commit that this server has.
fn of_component(pipeline: &str) -> Option<Check> {
    let used = pipeline.lines().find_map(|line| line.split_once("component: ")?.1.split_whitespace().next())?;
    let (path, pin) = used.split_once('@')?;
    let project = path.split_once('/').and_then(|(_, path)| path.rsplit_once('/')).map_or("", |(path, _)| path);
    let named = clean(project);
    if pin.len() != 40 || !pin.bytes().all(|c| c.is_ascii_hexdigit()) {
        let hint = "A tag can be moved to other code, which would get the credentials. Name a commit.";
        return Some(no(format!("The component of {named} isn't pinned to a commit."), hint, Vec::new()));
    }
    Some(match ask(&format!("projects/{}/repository/commits/{pin}", encoded(project))) {
        Asked::Found(_) => yes(format!("The component of {named} is pinned to a commit.")),
        Asked::Missing => no(
            format!("This server has no project {named} with the commit {pin}."),
            "GitLab includes components of the same server only. Mirror rolecall's repository into it.",
            mirror(project),
        ),
        Asked::Hidden(why) => hidden(&format!("the component of {named}"), &why),
    })
}

/// Returns whether each environment has its variables, and whether no other job gets them. GitLab shows the values too,
/// and nothing looks at them.
fn of_variables(setup: &Setup, can_protect: bool) -> Vec<Check> {
    let there = match list("variables?per_page=100", "the names of the variables") {
        Ok(there) => there,
        Err(check) => return vec![*check],
    };
    let in_scope =
        |scope: &str, name: &str| there.iter().find(|it| it["environment_scope"] == scope && it["key"] == name);
    let all: BTreeSet<&str> = setup.all_variables().map(String::as_str).chain([TOKEN]).collect();
    let mut checks = Vec::new();
    let everywhere: Vec<&str> = all.iter().copied().filter(|name| in_scope("*", name).is_some()).collect();
    if !everywhere.is_empty() {
        let remove = everywhere.iter().map(|name| format!("glab variable delete {name} --scope '*'"));
        checks.push(no(
            format!("Every job gets {}.", list_of(&everywhere, "and")),
            "A job of a merge request could send it away. Give it the scope of an environment.",
            remove.collect(),
        ));
    }
    for it in ENVIRONMENTS.iter().filter(|it| it.name != "rolecall/ledger" || setup.ledger.is_none()) {
        let find = |name: &str| in_scope(it.name, name);
        checks.push(if it.restricted == Some(true) && !it.protected && !can_protect {
            in_unprotected(it, setup, &find)
        } else {
            in_environment(it, setup, &find)
        });
    }
    checks
}

/// Returns whether an environment that nothing protects has no credential, although a merge request could use it.
fn in_unprotected<'v>(it: &Environment, setup: &Setup, find: &dyn Fn(&str) -> Option<&'v Value>) -> Check {
    let name = it.name;
    let there = it.credentials(setup).map(String::as_str).filter(|variable| find(variable).is_some());
    let there: Vec<&str> = there.collect();
    if there.is_empty() {
        return yes(format!("The environment `{name}` has no credential, because nothing protects it."));
    }
    let remove = there.iter().map(|variable| format!("glab variable delete {variable} --scope {name}"));
    let says = format!("Nothing protects the environment `{name}`, and it has {}.", list_of(&there, "and"));
    no(says, "Everybody who can run a job could use it. Take it out.", remove.collect())
}

fn in_environment<'v>(it: &Environment, setup: &Setup, find: &dyn Fn(&str) -> Option<&'v Value>) -> Check {
    let name = it.name;
    let credentials: Vec<&str> = it.credentials(setup).map(String::as_str).collect();
    let admins: Vec<&str> = setup.admin_variables.iter().map(String::as_str).collect();
    let extra = admins.into_iter().filter(|admin| !credentials.contains(admin) && find(admin).is_some());
    let extra: Vec<&str> = extra.collect();
    if !extra.is_empty() {
        let remove = extra.iter().map(|admin| format!("glab variable delete {admin} --scope {name}"));
        let says = format!("The environment `{name}` has {}, the credential of an admin.", list_of(&extra, "and"));
        return no(says, "Nobody approves its jobs. Take it out.", remove.collect());
    }
    let token = it.key.map(|_| TOKEN);
    let needed: Vec<&str> = credentials.iter().copied().chain(token).collect();
    let missing: Vec<&str> = needed.iter().copied().filter(|variable| find(variable).is_none()).collect();
    if !missing.is_empty() {
        let mut commands: Vec<String> =
            missing.iter().filter(|variable| **variable != TOKEN).map(|variable| store(it, variable)).collect();
        if missing.contains(&TOKEN) {
            commands.push(store(it, TOKEN));
        }
        let says = format!("The environment `{name}` lacks the variable {}.", list_of(&missing, "and"));
        return no(says, "Store it. A job without it fails, and sends nothing.", commands);
    }
    let loose = |variable: &&str| it.protected && find(variable).is_some_and(|it| it["protected"] == false);
    let loose: Vec<&str> = needed.iter().copied().filter(loose).collect();
    if loose.is_empty() {
        return yes(format!("The environment `{name}` has its variables."));
    }
    let commands = loose.iter().map(|variable| {
        format!(
            "glab api --silent --method PUT '{PROJECT}/variables/{variable}?filter[environment_scope]={}' --field protected=true",
            encoded(name)
        )
    });
    let says = format!("In the environment `{name}`, every branch can use {}.", list_of(&loose, "and"));
    no(says, "Protect it, so that only jobs of `main` get it.", commands.collect())
}

/// Returns whether only some people may run the jobs that need it.
fn of_environments(setup: &Setup, there: Result<Vec<Value>, Box<Check>>) -> Vec<Check> {
    let there = match there {
        Ok(there) => there,
        Err(check) => {
            let hint = "The Free tier has no protected environments. Set `plan-after-merge: true` there.";
            return vec![check.hint(hint)];
        }
    };
    let mut checks = Vec::new();
    for it in ENVIRONMENTS.iter().filter(|it| it.restricted == Some(true)) {
        let name = it.name;
        let found = there.iter().find(|there| there["name"] == name);
        let levels = found.map(|found| found["deploy_access_levels"].as_array().cloned().unwrap_or_default());
        checks.push(match levels {
            None => no(
                format!("Nothing protects the environment `{name}`."),
                "Everybody who can run a job could use its credentials.",
                protect_environments(setup, std::iter::once(it)),
            ),
            Some(levels)
                if levels.iter().any(|level| level["group_id"].is_null() && level["user_id"].is_null()) =>
            {
                yes(format!("The environment `{name}` is protected."))
                    .hint("A role may run its jobs. Name a group of people who may use the credentials.")
            }
            Some(_) => yes(format!("Only some people may run the jobs of `{name}`.")),
        });
    }
    checks
}

fn of_tokens() -> Vec<Check> {
    let there = match list("access_tokens?state=active&per_page=100", "the tokens of the project") {
        Ok(there) => there,
        Err(check) => return vec![*check],
    };
    let of_token = |token: &'static Token| {
        let name = token.name;
        let Some(found) = there.iter().find(|it| it["name"] == name) else {
            return no(format!("There is no token `{name}`."), "Make it.", make_token(token));
        };
        let scopes: BTreeSet<&str> =
            found["scopes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if found["access_level"].as_u64().is_some_and(|level| level > token.level)
            || scopes != token.scopes.iter().copied().collect()
        {
            let says = format!("The token `{name}` isn't a {} with {}.", token.role, list_of(token.scopes, "and"));
            return yes(says).hint("More than that, it needs only for a pull, or in the Free tier.");
        }
        let until = clean(found["expires_at"].as_str().unwrap_or("never"));
        yes(format!("There is the token `{name}`. It ends: {until}."))
    };
    [&REPORT, &APPLY].map(of_token).into()
}

fn levels(branch: &Value, name: &str) -> Vec<Value> {
    branch[name].as_array().cloned().unwrap_or_default()
}

/// Returns whether only merge requests change `main`.
fn of_main() -> Check {
    match ask_of("protected_branches/main") {
        Asked::Found(it) => {
            let pushes = levels(&it, "push_access_levels").iter().any(|level| level["access_level"] != 0);
            if pushes || it["allow_force_push"] == true {
                let hint = "Somebody who changes `main` alone can use the credentials.";
                no("Somebody may push to `main`, without a merge request.", hint, protect_main())
            } else if it["code_owner_approval_required"] == false {
                no("Code owners needn't approve changes of `main`.", "This needs Premium.", protect_main())
            } else {
                yes("Only merge requests change `main`.")
            }
        }
        Asked::Missing => no(
            "Nothing protects `main`.",
            "Somebody who changes it alone can use the credentials.",
            protect_main(),
        ),
        Asked::Hidden(why) => hidden("what protects `main`", &why),
    }
}

/// Returns whether only one user changes the branch of the ledger.
fn of_ledger() -> Check {
    match ask_of(&format!("protected_branches/{LEDGER}")) {
        Asked::Found(it) => {
            let push = levels(&it, "push_access_levels");
            let merge = levels(&it, "merge_access_levels").iter().any(|level| level["access_level"] != 0);
            let role = push.iter().any(|level| level["user_id"].is_null());
            if merge || it["allow_force_push"] == true || push.len() != 1 {
                let hint = "A forged ledger can hide a change. Let only the user of the token push to it.";
                no(format!("More than one may change the branch {LEDGER}."), hint, Vec::new())
            } else if role {
                yes(format!("A role may push to the branch {LEDGER}."))
                    .hint("A forged ledger can hide a change. With Premium, name the user of the token.")
            } else {
                yes(format!("Only one user changes the branch {LEDGER}."))
            }
        }
        Asked::Missing => no(
            format!("Nothing protects the branch {LEDGER}."),
            "A forged ledger can hide a change.",
            protect_ledger(),
        ),
        Asked::Hidden(why) => hidden("what protects the branch of the ledger", &why),
    }
}

fn of_approvals() -> Check {
    let rules = match list("approval_rules?per_page=100", "the rules for approvals") {
        Ok(rules) => rules,
        Err(check) => {
            return check
                .hint("The Free tier requires no approvals. Let only people merge who may use the credentials.");
        }
    };
    let settings = match ask_of("approvals") {
        Asked::Found(settings) => settings,
        Asked::Missing => Value::Null,
        Asked::Hidden(why) => return hidden("the settings of approvals", &why),
    };
    let mut lacks = Vec::new();
    if !rules.iter().any(|rule| rule["approvals_required"].as_u64().is_some_and(|count| count > 0)) {
        lacks.push("an approval");
    }
    if settings["reset_approvals_on_push"] != true {
        lacks.push("another approval after a push");
    }
    if settings["merge_requests_author_approval"] != false {
        lacks.push("that of somebody else than the author");
    }
    if lacks.is_empty() {
        return yes("A merge request needs an approval of somebody else.");
    }
    let hint = "Somebody who changes `main` alone can use the credentials.";
    no(format!("No rule of merge requests requires {}.", lacks.join(", or ")), hint, approvals())
}

fn of_schedule() -> Check {
    match list("pipeline_schedules?per_page=100", "the schedules") {
        Ok(there) if there.iter().any(|it| it["active"] == true) => yes("A schedule reports drift."),
        Ok(_) => no("No schedule reports drift.", "Make one. It stops when its owner leaves.", vec![schedule()]),
        Err(check) => *check,
    }
}

/// Returns whether applies run in the order of their merges. The group is there after the first job.
fn of_order(project: &Value) -> Check {
    let set = format!(
        "glab api --silent --method PUT {PROJECT}/resource_groups/rolecall --raw-field process_mode=oldest_first"
    );
    let wrong =
        |commands| no("Applies may run in another order than their merges.", "Let the oldest go first.", commands);
    match ask_of("resource_groups/rolecall") {
        Asked::Found(it) if it["process_mode"] == "oldest_first" => yes("The oldest apply goes first."),
        Asked::Found(_) => wrong(vec![set]),
        Asked::Missing if project["resource_group_default_process_mode"] == "oldest_first" => {
            yes("The oldest apply will go first.")
        }
        Asked::Missing => Check::unknown(Topic::Ci, "No apply has run yet, so their order can't be set.")
            .hint("Ask again after the first one."),
        Asked::Hidden(why) => hidden("the order of applies", &why),
    }
}
