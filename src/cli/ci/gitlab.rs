//! GitLab: what the component in `templates/rolecall` relies on, as commands of `glab` that set it up.

mod checks;

use serde_json::json;

use super::host::{GITLAB, Place, Remote};
use super::{CODE_OWNERS, COMMIT, Environment, OPEN, Reads, Setup, Step};

pub(super) use checks::checks;

/// `glab` replaces the placeholder by the project of the current folder.
const PROJECT: &str = "projects/:fullpath";

const TOKEN: &str = "ROLECALL_GITLAB_TOKEN";
const LEDGER: &str = "rolecall-ledger";
/// The file in the project of the pipeline.
const FILE: &str = "rolecall.gitlab-ci.yml";
/// The path of rolecall's repository, before it is mirrored into the group.
const UPSTREAM: &str = "rolecall-dev/rolecall";

/// A token of the project.
struct Token {
    name: &'static str,
    role: &'static str,
    level: u64,
    scopes: &'static [&'static str],
}

static REPORT: Token = Token { name: "rolecall-report", role: "reporter", level: 20, scopes: &["api"] };
static APPLY: Token =
    Token { name: "rolecall-apply", role: "developer", level: 30, scopes: &["read_api", "write_repository"] };

static ENVIRONMENTS: [Environment; 6] = [
    Environment { name: "rolecall/plan", reads: Reads::WithoutAdmins, protected: false, ..OPEN },
    Environment {
        name: "rolecall/review",
        restricted: Some(true),
        reads: Reads::Everything,
        protected: false,
        ..OPEN
    },
    Environment {
        name: "rolecall/apply",
        restricted: Some(true),
        reads: Reads::Everything,
        key: Some(APPLY.name),
        ..OPEN
    },
    Environment { name: "rolecall/drift", reads: Reads::Everything, ..OPEN },
    Environment { name: "rolecall/report", protected: false, key: Some(REPORT.name), ..OPEN },
    Environment { name: "rolecall/ledger", key: Some(APPLY.name), ..OPEN },
];

/// Returns the command that stores a variable of an environment, whose value is on stdin.
fn set(it: &Environment, variable: &str) -> String {
    let protected = if it.protected { " --protected" } else { "" };
    format!("glab variable set {variable} --masked --raw{protected} --scope {}", it.name)
}

/// Returns the group that has the projects.
fn group(setup: &Setup) -> &str {
    setup.team().map_or("GROUP", |(group, _)| group)
}

/// Returns the pipeline with the component of the group's own mirror, because GitLab includes none of another server.
pub(super) fn mirrored(text: &str, setup: &Setup) -> String {
    match setup.team() {
        Some((group, _)) => text.replace(&format!("/{UPSTREAM}/"), &format!("/{group}/rolecall/")),
        None => text.to_owned(),
    }
}

/// Returns everything that a person sets up, in order.
pub(super) fn steps(setup: &Setup) -> Vec<Step> {
    let mut steps = Vec::new();
    if setup.owners.is_none() {
        steps.push(Step {
            why: "Name the group that may use the credentials. Its people approve changes of files. Write its path here, and `GROUP` below.",
            commands: vec![format!("printf '* @GROUP/TEAM\\n' >{CODE_OWNERS}")],
        });
    }
    steps.push(Step {
        why: "Publish three projects: the files, the pipeline, and a mirror of rolecall, which the pipeline includes. This needs `glab`, signed in: https://docs.gitlab.com/cli.",
        commands: [publish_files(setup), publish_pipeline(setup), mirror(&format!("{}/rolecall", group(setup)))].concat(),
    });
    steps.push(Step {
        why: "Take the pipeline from that project, and let nobody replace its variables. Make the schedule.",
        commands: vec![settings(setup), schedule()],
    });
    steps.push(Step {
        why: "Protect two environments: only the group may run their jobs. This needs Premium.",
        commands: protect_environments(setup, ENVIRONMENTS.iter().filter(|it| it.restricted == Some(true))),
    });
    steps.push(Step {
        why: "Store the credentials: paste one for each line. Only those of `rolecall/apply` need to write.",
        commands: ENVIRONMENTS.iter().flat_map(|it| it.credentials(setup).map(|name| store(it, name))).collect(),
    });
    steps.push(Step {
        why: "Make the two tokens of the project. They end after a year.",
        commands: [&REPORT, &APPLY].into_iter().flat_map(make_token).collect(),
    });
    steps.push(Step {
        why: "Protect `main` and the branch of the ledger.",
        commands: [protect_main(), approvals(), protect_ledger()].concat(),
    });
    steps.push(Step {
        why: "See what is missing.",
        commands: vec![format!("rolecall doctor --ci gitlab {}/", setup.folder)],
    });
    steps
}

fn place() -> Place {
    GITLAB.place().unwrap_or_default()
}

/// Returns the address of a project at the server of the remote, or at the one that a variable names.
fn address(path: &str) -> String {
    let Place { host, remote, .. } = place();
    let host = host.as_deref().unwrap_or(GITLAB.default_host());
    remote.and_then(|remote| remote.address_of(path)).unwrap_or_else(|| format!("git@{host}:{path}.git"))
}

/// GitLab makes a private project when somebody pushes to one that isn't there.
fn publish_files(setup: &Setup) -> Vec<String> {
    let add = || {
        let files = address(&format!("{}/access", group(setup)));
        format!("git remote add origin {files} && git push --set-upstream origin main")
    };
    let push = place().remote.map_or_else(add, Remote::push);
    vec!["mv access-ci ../access-ci".to_owned(), COMMIT.to_owned(), push]
}

fn publish_pipeline(setup: &Setup) -> Vec<String> {
    let pipeline = address(&format!("{}/access-ci", group(setup)));
    vec![
        "git -C ../access-ci init --quiet --initial-branch main".to_owned(),
        "git -C ../access-ci add --all && git -C ../access-ci commit --message 'Pipeline of access'".to_owned(),
        format!(
            "git -C ../access-ci remote add origin {pipeline} && git -C ../access-ci push --set-upstream origin main"
        ),
    ]
}

fn mirror(path: &str) -> Vec<String> {
    vec![
        format!("git clone --quiet --bare {}.git rolecall.git", env!("CARGO_PKG_REPOSITORY")),
        format!("git -C rolecall.git push --quiet --mirror {} && rm -rf rolecall.git", address(path)),
    ]
}

fn settings(setup: &Setup) -> String {
    let group = group(setup);
    format!(
        "glab api --silent --method PUT {PROJECT} --raw-field ci_config_path={FILE}@{group}/access-ci:main \
         --raw-field ci_pipeline_variables_minimum_override_role=no_one_allowed \
         --field protect_merge_request_pipelines=false --field public_jobs=false \
         --raw-field resource_group_default_process_mode=oldest_first"
    )
}

fn schedule() -> String {
    "glab schedule create --cron '47 4 * * *' --ref main --description 'rolecall: drift and leftovers'".to_owned()
}

fn encoded(path: &str) -> String {
    path.replace('/', "%2F")
}

fn protect_environments<'e>(setup: &Setup, environments: impl Iterator<Item = &'e Environment>) -> Vec<String> {
    let (group, team) = setup.team().unwrap_or(("GROUP", "TEAM"));
    let path = encoded(&format!("{group}/{team}"));
    let share =
        format!("glab api --silent --method POST {PROJECT}/share --field group_id=$team --field group_access=30");
    let mut commands = vec![
        format!("team=$(glab api groups/{path} | tr -d ' \\n' | sed -E 's/^[{{]\"id\":([0-9]+).*/\\1/')"),
        format!("{share} || echo 'the project is shared with the group already'"),
    ];
    for it in environments {
        let body = format!("'{{\"name\":\"{}\",\"deploy_access_levels\":[{{\"group_id\":'$team'}}]}}'", it.name);
        commands.push(post("protected_environments", &body));
    }
    commands
}

/// Returns the command that sends a body.
fn post(path: &str, body: &str) -> String {
    format!(
        "glab api --silent --method POST {PROJECT}/{path} --header 'Content-Type: application/json' --input - <<<{body}"
    )
}

fn store(environment: &Environment, variable: &str) -> String {
    format!("read -rs value && printf %s \"$value\" | {}", set(environment, variable))
}

/// Returns the commands that make a token and store it, without showing it.
fn make_token(token: &'static Token) -> Vec<String> {
    let scopes: String = token.scopes.iter().flat_map(|scope| [" --scope ", scope]).collect();
    let make = format!("glab token create {} --access-level {}{scopes} --duration 8760h", token.name, token.role);
    let users = ENVIRONMENTS.iter().filter(|it| it.key == Some(token.name));
    let store = users.map(|it| format!("printf %s \"$token\" | {}", set(it, TOKEN)));
    std::iter::once(format!("token=$({make})")).chain(store).collect()
}

fn protect_main() -> Vec<String> {
    let body = json!({
        "name": "main",
        "push_access_level": 0,
        "merge_access_level": 30,
        "allow_force_push": false,
        "code_owner_approval_required": true,
    });
    // GitLab protects the main branch by itself, and less.
    vec![
        format!("glab api --silent --method DELETE {PROJECT}/protected_branches/main || true"),
        post("protected_branches", &format!("'{body}'")),
    ]
}

fn approvals() -> Vec<String> {
    let rule = json!({ "name": "All Members", "rule_type": "any_approver", "approvals_required": 1 });
    vec![
        format!(
            "glab api --silent --method POST {PROJECT}/approvals --field reset_approvals_on_push=true \
             --field merge_requests_author_approval=false --field merge_requests_disable_committers_approval=true"
        ),
        post("approval_rules", &format!("'{rule}'")),
    ]
}

/// Only the user of the token may push to the branch. So the commands look for that user.
fn protect_ledger() -> Vec<String> {
    let tokens = format!("glab api '{PROJECT}/access_tokens?state=active&per_page=100'");
    let body = format!(
        "'{{\"name\":\"{LEDGER}\",\"allowed_to_push\":[{{\"user_id\":'$user'}}],\"merge_access_level\":0,\"allow_force_push\":false}}'"
    );
    vec![
        format!(
            "glab api --silent --method POST '{PROJECT}/repository/branches?branch={LEDGER}&ref=main' || true"
        ),
        format!(
            "user=$({tokens} | tr -d ' \\n' | tr '{{' '\\n' | grep '\"{}\"' | sed -E 's/.*\"user_id\":([0-9]+).*/\\1/')",
            APPLY.name
        ),
        post("protected_branches", &body),
    ]
}
