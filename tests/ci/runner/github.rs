//! The part of GitHub that the workflows' scripts use: a bare repository, and answers to `gh`. It refuses what a
//! job has no permission for. A test therefore fails if a permission is missing, but not if there are too many.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};

use super::jq::{self, jq};
use super::stub::{Answer, Call, stub, stub_reading};

pub const REPOSITORY: &str = "acme/access";

/// The value of `GITHUB_SERVER_URL` in scripts.
pub const SERVER: &str = "https://github.example";

/// The key that can push to the ledger's branch.
pub const LEDGER_KEY: &str = "a-private-key";

/// A stub of ssh. It accepts only the known host and the right key, and runs the command in the server's folder.
const SSH: &str = r#"#!/usr/bin/env bash
[ "$1" = -i ] && [ "$(cat "$2")" = a-private-key ] || { echo 'permission denied' >&2; exit 255; }
for word in "$@"; do
  case $word in UserKnownHostsFile=*) known=${word#*=} ;; esac
done
grep --quiet '^github.example ssh-ed25519 ' "$known" || { echo 'unknown host' >&2; exit 255; }
case " $* " in *' git@github.example '*) ;; *) exit 255 ;; esac
cd 'SERVER' && eval "${!#}"
"#;
const BOT: &str = "github-actions[bot]";

/// A repository at GitHub.
pub struct Hub {
    folder: PathBuf,
    state: Arc<Mutex<State>>,
}

/// The state that a test reads and changes.
#[derive(Default)]
pub struct State {
    folder: PathBuf,
    pub pulls: Vec<Value>,
    pub runs: Vec<Value>,
    pub artifacts: Vec<Artifact>,
    pub issues: Vec<Value>,
    pub comments: Vec<Value>,
    /// The environments and what protects them.
    pub environments: Vec<Value>,
    /// The time in seconds. Every event takes place later than the one before.
    now: u32,
    /// The ending of paths that aren't answered, as if GitHub were down.
    pub away: Option<String>,
}

pub struct Artifact {
    pub name: String,
    pub run: u64,
    pub folder: PathBuf,
    created: String,
}

impl Hub {
    pub fn new(folder: &Path) -> Self {
        let hub = Self { folder: folder.to_owned(), state: Arc::default() };
        folder.clone_into(&mut hub.state().folder);
        hub.state().environments = ["rolecall-plan", "rolecall-review"].map(environment).into();
        let state = hub.state.clone();
        stub_reading(&["jq"], &hub.programs(), jq::program);
        stub(&["gh", "unzip"], &hub.programs(), move |call| state.lock().unwrap().answer(call));
        let remote = hub.remote();
        // Waiting changes nothing here, so `sleep` returns at once.
        super::stub::program(&hub.programs().join("sleep"), "#!/bin/sh\n");
        super::stub::program(
            &hub.programs().join("ssh"),
            &SSH.replace("SERVER", &hub.folder.join("server").display().to_string()),
        );
        git(folder, &["init", "--quiet", "--bare", "--initial-branch", "main", remote.to_str().unwrap()]);
        git(&remote, &["config", "uploadpack.allowAnySHA1InWant", "true"]);
        hub
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Returns the folder with the stubs.
    pub fn programs(&self) -> PathBuf {
        self.folder.join("programs")
    }

    /// Returns the URL for checkouts.
    pub fn url(&self) -> String {
        format!("file://{}", self.remote().display())
    }

    pub fn remote(&self) -> PathBuf {
        self.folder.join("server").join(format!("{REPOSITORY}.git"))
    }

    /// Starts a run of a workflow. Returns its id.
    pub fn begin(&self, event: &str, path: &str) -> u64 {
        let mut state = self.state();
        let id = 1000 + state.runs.len() as u64;
        let repository = json!({ "full_name": REPOSITORY });
        let run = json!({
            "id": id, "event": event, "path": path, "head_branch": "main", "repository": repository,
        });
        state.runs.push(run);
        id
    }

    /// Stores files or folders as an artifact.
    pub fn upload(&self, run: u64, name: &str, files: &[PathBuf]) {
        let mut state = self.state();
        let folder = self.folder.join(format!("artifacts/{run}/{name}"));
        std::fs::create_dir_all(&folder).unwrap();
        for file in files {
            std::fs::copy(file, folder.join(file.file_name().unwrap())).unwrap();
        }
        let created = state.tick();
        state.artifacts.push(Artifact { name: name.to_owned(), run, folder, created });
    }
}

/// Returns an environment that is set up as the page says.
fn environment(name: &str) -> Value {
    let reviewers = json!({
        "type": "required_reviewers",
        "prevent_self_review": true,
        "reviewers": [{ "type": "Team", "reviewer": { "slug": "platform" } }],
    });
    let branches = json!({ "type": "branch_policy" });
    let rules = if name == "rolecall-review" { json!([reviewers, branches]) } else { json!([branches]) };
    let policy = json!({ "protected_branches": false, "custom_branch_policies": true });
    json!({ "name": name, "protection_rules": rules, "deployment_branch_policy": policy })
}

/// Runs git with a user name and without the settings of this machine.
pub fn git(folder: &Path, args: &[&str]) -> String {
    let mut command = Command::new("git");
    command.current_dir(folder).args(["-c", "user.name=Test", "-c", "user.email=test@acme.example"]).args(args);
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
    let output = command.output().unwrap();
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A request made with `gh api`.
struct Asked {
    method: String,
    path: String,
    query: Vec<(String, String)>,
    fields: Value,
    filter: Option<String>,
    silent: bool,
}

impl State {
    /// Returns a time later than all before.
    pub fn tick(&mut self) -> String {
        self.now += 1;
        format!("2026-01-01T{:02}:{:02}:{:02}Z", self.now / 3600, self.now / 60 % 60, self.now % 60)
    }

    fn answer(&mut self, call: &Call) -> Answer {
        let args: Vec<&str> = call.args.iter().map(String::as_str).collect();
        match &*args {
            ["-q", archive, "-d", folder] if call.program == "unzip" => {
                let archive = std::fs::read_to_string(Path::new(&call.folder).join(archive)).unwrap();
                copy(Path::new(archive.trim()), &Path::new(&call.folder).join(folder));
                (0, String::new())
            }
            ["api", rest @ ..] => self.api(&asked(rest, Path::new(&call.folder)), &call.context),
            _ => panic!("{} {args:?} isn't known here", call.program),
        }
    }

    fn api(&mut self, asked: &Asked, permissions: &str) -> Answer {
        if self.away.as_ref().is_some_and(|away| asked.path.ends_with(&**away)) {
            return (1, "HTTP 502".to_owned());
        }
        if asked.path == "meta" {
            return (0, jq(asked.filter.as_ref().unwrap(), &json!({ "ssh_keys": ["ssh-ed25519 AAAA"] })));
        }
        let path =
            asked.path.strip_prefix(&format!("repos/{REPOSITORY}/")).unwrap_or_else(|| panic!("{}", asked.path));
        let parts: Vec<&str> = path.split('/').collect();
        let (needed, answer) = self.route(asked, &parts);
        let level = if asked.method == "GET" { "read" } else { "write" };
        let has: Value = serde_json::from_str(permissions).unwrap();
        if !needed.iter().any(|scope| allows(&has, scope, level)) {
            return (1, format!("{path} needs {level} of {needed:?}, and there is {permissions}"));
        }
        let Some(answer) = answer else { return (1, "Not Found".to_owned()) };
        match &asked.filter {
            _ if asked.silent => (0, String::new()),
            Some(filter) => (0, jq(filter, &answer)),
            None => (0, answer.as_str().map_or_else(|| answer.to_string(), ToOwned::to_owned)),
        }
    }

    /// Returns the permissions of which the job needs one, and the answer. `None` if the path doesn't exist.
    fn route(&mut self, asked: &Asked, parts: &[&str]) -> (&'static [&'static str], Option<Value>) {
        let discussion: &[&str] = &["issues", "pull-requests"];
        match (&*asked.method, parts) {
            ("GET", ["git", "matching-refs", "heads", prefix]) => {
                let remote = self.folder.join("server").join(format!("{REPOSITORY}.git"));
                let refs = git(&remote, &["for-each-ref", "--format=%(refname)", "refs/heads"]);
                let fitting = refs.lines().filter(|it| it.starts_with(&format!("refs/heads/{prefix}")));
                (&["contents"], Some(fitting.map(|it| json!({ "ref": it })).collect()))
            }
            ("GET", ["pulls"]) => {
                let head = asked.query.iter().find(|(key, _)| key == "head").unwrap().1.split(':').nth(1).unwrap();
                let open = |pull: &&Value| pull["state"] == "open" && pull["head"]["ref"] == head;
                (&["pull-requests"], Some(self.pulls.iter().filter(open).cloned().collect()))
            }
            ("POST", ["pulls"]) => {
                let fields = &asked.fields;
                let number = 60 + self.pulls.len();
                let pull = json!({
                    "number": number, "state": "open", "title": fields["title"], "body": fields["body"],
                    "head": { "ref": fields["head"] }, "base": { "ref": fields["base"] },
                });
                self.pulls.push(pull);
                (&["pull-requests"], Some(json!({})))
            }
            ("PATCH", ["pulls", number]) => {
                let pull = self.pulls.iter_mut().find(|it| is(&it["number"], number)).unwrap();
                for (key, value) in asked.fields.as_object().unwrap() {
                    pull[key] = value.clone();
                }
                (&["pull-requests"], Some(json!({})))
            }
            (method, ["git", "commits" | "trees" | "refs", ..] | ["commits", "rolecall-pull"]) => {
                (&["contents"], Some(self.objects(method, parts, &asked.fields)))
            }
            ("GET", ["pulls", number]) => {
                (&["pull-requests"], self.pulls.iter().find(|it| is(&it["number"], number)).cloned())
            }
            ("GET", ["commits", commit, "pulls"]) => {
                let of_it = |pull: &&Value| pull["merge_commit_sha"] == **commit;
                (&["pull-requests"], Some(self.pulls.iter().filter(of_it).cloned().collect()))
            }
            ("GET", ["environments", name]) => {
                (&["actions"], self.environments.iter().find(|it| it["name"] == **name).cloned())
            }
            ("GET", ["actions", rest @ ..]) => (&["actions"], self.actions(rest, asked)),
            ("GET", ["issues", number, "comments"]) => {
                let of_it = |comment: &&Value| is(&comment["issue"], number);
                (discussion, Some(self.comments.iter().filter(of_it).cloned().collect()))
            }
            ("POST", ["issues", number, "comments"]) => {
                let id = 70 + self.comments.len();
                let issue: u64 = number.parse().unwrap();
                let body = asked.fields["body"].clone();
                self.comments.push(json!({ "id": id, "issue": issue, "user": { "login": BOT }, "body": body }));
                (discussion, Some(json!({})))
            }
            ("PATCH", ["issues", "comments", id]) => {
                let comment = self.comments.iter_mut().find(|it| is(&it["id"], id)).unwrap();
                comment["body"] = asked.fields["body"].clone();
                (discussion, Some(json!({})))
            }
            ("GET", ["issues"]) => {
                let open = |issue: &&Value| issue["state"] == "open";
                (&["issues"], Some(self.issues.iter().filter(open).cloned().collect()))
            }
            ("GET", ["issues", number]) => {
                (&["issues"], self.issues.iter().find(|it| is(&it["number"], number)).cloned())
            }
            ("POST", ["issues"]) => {
                let mut issue = asked.fields.clone();
                issue["number"] = json!(40 + self.issues.len());
                issue["state"] = json!("open");
                issue["user"] = json!({ "login": BOT });
                self.issues.push(issue);
                (&["issues"], Some(json!({})))
            }
            ("PATCH", ["issues", number]) => {
                let issue = self.issues.iter_mut().find(|it| is(&it["number"], number)).unwrap();
                for (key, value) in asked.fields.as_object().unwrap() {
                    issue[key] = value.clone();
                }
                (&["issues"], Some(json!({})))
            }
            (method, _) => panic!("{method} {parts:?} isn't known here"),
        }
    }
}

impl State {
    /// Answers requests about runs and what they stored.
    fn actions(&self, parts: &[&str], asked: &Asked) -> Option<Value> {
        match parts {
            ["artifacts"] | ["runs", _, "artifacts"] => {
                let name = &asked.query.iter().find(|(key, _)| key == "name").unwrap().1;
                let run: Option<u64> = parts.get(1).map(|run| run.parse().unwrap());
                let of_run = |it: &Artifact| run.is_none_or(|run| run == it.run);
                let all = self.artifacts.iter().enumerate().filter(|(_, it)| it.name == *name && of_run(it));
                let artifacts: Vec<Value> = all
                    .map(|(index, it)| {
                        let workflow_run = json!({ "id": it.run });
                        json!({ "id": 500 + index, "expired": false, "created_at": it.created, "workflow_run": workflow_run })
                    })
                    .collect();
                Some(json!({ "artifacts": artifacts }))
            }
            // The archive is represented by a number, which the stub of unzip knows.
            ["artifacts", id, "zip"] => Some(json!(self.artifacts[id.parse::<usize>().unwrap() - 500].folder)),
            ["runs", id] => self.runs.iter().find(|it| is(&it["id"], id)).cloned(),
            other => panic!("{other:?} isn't known here"),
        }
    }

    /// Answers requests about trees, commits and branches.
    fn objects(&self, method: &str, parts: &[&str], fields: &Value) -> Value {
        let remote = self.folder.join("server").join(format!("{REPOSITORY}.git"));
        let text = |name: &str| fields[name].as_str().unwrap().to_owned();
        let tree = |of: &str| json!({ "sha": git(&remote, &["rev-parse", &format!("{of}^{{tree}}")]) });
        match (method, parts) {
            ("GET", ["git", "commits", commit]) => json!({ "tree": tree(commit) }),
            ("GET", ["commits", branch]) => json!({ "commit": { "tree": tree(&format!("refs/heads/{branch}")) } }),
            ("POST", ["git", "trees"]) => {
                let files = fields["tree"].as_array().unwrap().iter();
                let files = files.map(|file| (file["path"].as_str().unwrap(), file["content"].as_str().unwrap()));
                json!({ "sha": write_tree(&remote, &self.folder.join("tree"), &text("base_tree"), files) })
            }
            ("POST", ["git", "commits"]) => {
                let parent = fields["parents"][0].as_str().unwrap();
                let commit = git(&remote, &["commit-tree", "-p", parent, "-m", &text("message"), &text("tree")]);
                json!({ "sha": commit })
            }
            ("POST", ["git", "refs"]) => json!(git(&remote, &["update-ref", &text("ref"), &text("sha")])),
            ("PATCH", ["git", "refs", "heads", branch]) => {
                json!(git(&remote, &["update-ref", &format!("refs/heads/{branch}"), &text("sha")]))
            }
            other => panic!("{other:?} isn't known here"),
        }
    }
}

/// Writes the tree of a commit with other texts of these files. `folder` holds them in the meantime.
pub fn write_tree<'f>(
    remote: &Path,
    folder: &Path,
    base: &str,
    files: impl Iterator<Item = (&'f str, &'f str)>,
) -> String {
    let _ = std::fs::remove_dir_all(folder);
    std::fs::create_dir_all(folder).unwrap();
    let place = ["--git-dir", remote.to_str().unwrap(), "--work-tree", "."];
    let run = |args: &[&str]| git(folder, &[&place, args].concat());
    run(&["read-tree", base]);
    for (name, content) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        run(&["add", "--", name]);
    }
    run(&["write-tree"])
}

fn is(number: &Value, text: &str) -> bool {
    number.is_u64() && number.as_u64() == text.parse().ok()
}

/// Whether a job with these permissions has this level of a scope.
pub fn allows(permissions: &Value, scope: &str, level: &str) -> bool {
    let has = &permissions[scope];
    has == "write" || has == level
}

fn asked(args: &[&str], folder: &Path) -> Asked {
    let mut asked = Asked {
        method: "GET".to_owned(),
        path: String::new(),
        query: Vec::new(),
        fields: json!({}),
        filter: None,
        silent: false,
    };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match *arg {
            "--paginate" => {}
            "--silent" => asked.silent = true,
            "--method" => asked.method = String::from(*args.next().unwrap()),
            "--input" => {
                let file = folder.join(args.next().unwrap());
                asked.fields = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
            }
            "--jq" => asked.filter = Some((*args.next().unwrap()).to_owned()),
            "-f" | "-F" => {
                let (key, value) = args.next().unwrap().split_once('=').unwrap();
                // Only with -F does `@` mean a file.
                let value = match value.strip_prefix('@').filter(|_| *arg == "-F") {
                    Some(file) => std::fs::read_to_string(folder.join(file)).unwrap(),
                    None => value.to_owned(),
                };
                match key.strip_suffix("[]") {
                    Some(list) => asked.fields[list] = json!([value]),
                    None => asked.fields[key] = json!(value),
                }
            }
            path if asked.path.is_empty() && !path.starts_with('-') => {
                let (path, query) = path.split_once('?').unwrap_or((path, ""));
                path.clone_into(&mut asked.path);
                let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
                asked.query = pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
            }
            other => panic!("gh api {other} isn't known here"),
        }
    }
    asked
}

/// Copies the files of a folder, without its subfolders.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}
