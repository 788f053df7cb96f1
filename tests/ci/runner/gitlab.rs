//! The part of GitLab that the pipelines' scripts use: a bare repository, and answers to `curl`. It refuses what a
//! token isn't allowed to do.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::github::{git, write_tree};
use super::jq;
use super::stub::{Answer, Call, stub, stub_reading};

pub const PROJECT: u64 = 5;
/// The token that writes notes and issues, followed by the token that reads plans.
pub const REPORT_TOKEN: &str = "glpat-of-the-report";
pub const APPLY_TOKEN: &str = "glpat-of-the-apply";
/// The token that also writes the branch with a pull.
pub const PULL_TOKEN: &str = "glpat-of-the-pull";
/// The user id of the first token.
pub const BOT: u64 = 11;
/// The content of the release's archive in these tests. Its checksum has to be pinned.
const ARCHIVE: &str = "an archive of rolecall";

/// A project at GitLab.
pub struct Lab {
    folder: PathBuf,
    state: Arc<Mutex<State>>,
}

/// The state that a test reads and changes.
#[derive(Default)]
pub struct State {
    folder: PathBuf,
    pub requests: Vec<Value>,
    pub pipelines: Vec<Value>,
    pub jobs: Vec<Value>,
    /// The artifacts of each job.
    pub artifacts: BTreeMap<u64, PathBuf>,
    pub issues: Vec<Value>,
    /// The notes, each with the path of its merge request or issue.
    pub notes: Vec<Value>,
    /// The ending of paths that aren't answered, as if GitLab were down.
    pub away: Option<&'static str>,
}

impl Lab {
    pub fn new(folder: &Path) -> Self {
        let lab = Self { folder: folder.to_owned(), state: Arc::default() };
        folder.clone_into(&mut lab.state().folder);
        let state = lab.state.clone();
        stub_reading(&["curl", "jq", "sha256sum"], &lab.programs(), move |call| match &*call.program {
            "curl" => state.lock().unwrap().curl(call),
            "jq" => jq::program(call),
            _ => checked(call),
        });
        stub(&["apk", "sleep", "tar", "uname"], &lab.programs(), |call| match &*call.program {
            "sleep" => (0, String::new()),
            "apk" => (u8::from(call.args != ["add", "--quiet", "--no-cache", "curl", "git", "jq"]), String::new()),
            "uname" => (0, "x86_64\n".to_owned()),
            _ => unpacked(call),
        });
        let remote = lab.remote();
        git(folder, &["init", "--quiet", "--bare", "--initial-branch", "main", remote.to_str().unwrap()]);
        lab
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Returns the folder with the stubs.
    pub fn programs(&self) -> PathBuf {
        self.folder.join("programs")
    }

    pub fn remote(&self) -> PathBuf {
        self.folder.join("server/acme/access.git")
    }

    /// Returns `CI_PROJECT_URL`.
    pub fn url(&self) -> String {
        format!("file://{}", self.folder.join("server/acme/access").display())
    }

    /// Returns the right value of `ROLECALL_SHA256`.
    pub fn checksum() -> String {
        sha256(ARCHIVE.as_bytes())
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Answers `sha256sum -c`.
fn checked(call: &Call) -> Answer {
    assert_eq!(call.args, ["-c"]);
    let (wanted, file) = call.stdin.trim_end().split_once("  ").unwrap();
    let right = wanted == sha256(&std::fs::read(file).unwrap());
    (u8::from(!right), format!("{file}: {}\n", if right { "OK" } else { "FAILED" }))
}

/// Answers `tar -xzf ARCHIVE -C FOLDER`. It unpacks a script that runs the built program.
fn unpacked(call: &Call) -> Answer {
    let [flags, archive, into, folder] = &*call.args else { panic!("tar {:?}", call.args) };
    assert_eq!((&**flags, &**into), ("-xzf", "-C"));
    assert_eq!(std::fs::read_to_string(archive).unwrap(), ARCHIVE);
    let name = Path::new(archive).file_name().unwrap().to_str().unwrap().strip_suffix(".tar.gz").unwrap();
    let folder = Path::new(folder).join(name);
    std::fs::create_dir_all(&folder).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_rolecall"), folder.join("rolecall")).unwrap();
    (0, String::new())
}

/// A request made with `curl`.
#[derive(Default)]
struct Asked {
    method: String,
    url: String,
    token: String,
    body: Value,
    output: Option<String>,
    says_status: bool,
    fails: bool,
}

impl State {
    fn curl(&mut self, call: &Call) -> Answer {
        let asked = asked(call);
        if let Some(release) =
            asked.url.strip_prefix("https://github.com/rolecall-dev/rolecall/releases/download/")
        {
            assert_eq!(release, "v0.1.0/rolecall-0.1.0-x86_64-unknown-linux-musl.tar.gz");
            assert!(asked.token.is_empty() && asked.fails);
            std::fs::write(asked.output.unwrap(), ARCHIVE).unwrap();
            return (0, String::new());
        }
        let path = asked.url.strip_prefix("https://gitlab.example/api/v4/").unwrap().to_owned();
        let (path, query) = path.split_once('?').unwrap_or((&path, ""));
        let query: BTreeMap<&str, &str> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
        let away = self.away.is_some_and(|ending| path.ends_with(ending));
        let (status, body) = if away { (502, String::new()) } else { self.answer(&asked, path, &query) };
        let good = status < 300;
        match (asked.output, asked.fails) {
            (_, true) if !good => (22, format!("curl: (22) {path} answers with {status}")),
            (Some(file), _) => {
                std::fs::write(Path::new(&call.folder).join(file), body).unwrap();
                (0, if asked.says_status { status.to_string() } else { String::new() })
            }
            (None, _) => (0, body),
        }
    }

    fn answer(&mut self, asked: &Asked, path: &str, query: &BTreeMap<&str, &str>) -> (u16, String) {
        // The token's user, role and scopes.
        let (user, role, scopes): (u64, &str, &[&str]) = match &*asked.token {
            REPORT_TOKEN => (BOT, "Reporter", &["api"]),
            PULL_TOKEN => (BOT, "Developer", &["api"]),
            APPLY_TOKEN => (12, "Developer", &["read_api", "write_repository"]),
            other => return (401, format!("{other:?}")),
        };
        if !scopes.contains(&"api") && (asked.method != "GET" || !scopes.contains(&"read_api")) {
            return (403, "insufficient_scope".to_owned());
        }
        if path == "user" {
            return (200, json!({ "id": user }).to_string());
        }
        let path = path.strip_prefix(&format!("projects/{PROJECT}/")).unwrap_or_else(|| panic!("{path}"));
        let parts: Vec<&str> = path.split('/').collect();
        // The artifacts have `access: developer`, as in our pipelines.
        if let ["jobs", job, "artifacts", file @ ..] = &*parts {
            let folder = self.artifacts.get(&job.parse().unwrap());
            let file = folder.and_then(|folder| std::fs::read_to_string(folder.join(file.join("/"))).ok());
            return match file {
                _ if role != "Developer" => (403, String::new()),
                Some(text) => (200, text),
                None => (404, String::new()),
            };
        }
        if let ("POST", ["repository", "commits"]) = (&*asked.method, &*parts) {
            return if role == "Developer" { (201, self.commit(&asked.body)) } else { (403, String::new()) };
        }
        match self.route(asked, &parts, query, user) {
            Some(Value::Array(all)) => {
                let count: usize = query["per_page"].parse().unwrap();
                let page: usize = query["page"].parse().unwrap();
                let page: Vec<Value> = all.into_iter().skip((page - 1) * count).take(count).collect();
                (200, Value::Array(page).to_string())
            }
            Some(value) => (200, value.to_string()),
            None => (404, String::new()),
        }
    }

    /// Writes a branch with one commit.
    fn commit(&self, body: &Value) -> String {
        assert_eq!(body["force"], true);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let remote = self.folder.join("server/acme/access.git");
        let base = text(&body["start_sha"]);
        let files = body["actions"].as_array().unwrap().iter();
        let files = files.map(|file| (file["file_path"].as_str().unwrap(), file["content"].as_str().unwrap()));
        let tree = write_tree(&remote, &self.folder.join("tree"), &base, files);
        let commit = git(&remote, &["commit-tree", "-p", &base, "-m", &text(&body["commit_message"]), &tree]);
        git(&remote, &["update-ref", &format!("refs/heads/{}", text(&body["branch"])), &commit])
    }

    fn route(&mut self, asked: &Asked, parts: &[&str], query: &BTreeMap<&str, &str>, user: u64) -> Option<Value> {
        let number = |text: &str| -> u64 { text.parse().unwrap() };
        let at = |list: &[Value], key: &str, text: &str| list.iter().position(|it| it[key] == number(text));
        let all = |list: &[Value], fits: &dyn Fn(&Value) -> bool| -> Option<Value> {
            Some(list.iter().filter(|it| fits(it)).cloned().collect())
        };
        match (&*asked.method, parts) {
            ("GET", ["merge_requests"]) => all(&self.requests, &|it| {
                let has = |field: &str| query.get(field).is_none_or(|value| it[field] == json!(value));
                has("state") && has("source_branch") && has("target_branch")
            }),
            ("POST", ["merge_requests"]) => {
                let mut request = asked.body.clone();
                request["iid"] = json!(60 + self.requests.len());
                request["state"] = json!("opened");
                self.requests.push(request);
                Some(json!({}))
            }
            ("PUT", ["merge_requests", iid]) => {
                let at = at(&self.requests, "iid", iid)?;
                for (key, value) in asked.body.as_object().unwrap() {
                    match &**key {
                        "state_event" => self.requests[at]["state"] = json!("closed"),
                        _ => self.requests[at][key] = value.clone(),
                    }
                }
                Some(json!({}))
            }
            ("GET", ["merge_requests", iid]) => at(&self.requests, "iid", iid).map(|at| self.requests[at].clone()),
            // Every merge request that contains the commit.
            ("GET", ["repository", "commits", commit, "merge_requests"]) => all(&self.requests, &|it| {
                [&it["sha"], &it["merge_commit_sha"], &it["squash_commit_sha"]].contains(&&json!(commit))
                    || it["holds"].as_array().is_some_and(|holds| holds.contains(&json!(commit)))
            }),
            ("GET", ["merge_requests", iid, "pipelines"]) => {
                let mut found: Vec<Value> =
                    self.pipelines.iter().filter(|it| it["request"] == number(iid)).cloned().collect();
                found.reverse();
                Some(Value::Array(found))
            }
            ("GET", ["pipelines", id, "jobs"]) => all(&self.jobs, &|it| it["pipeline"] == number(id)),
            ("GET", [on @ .., "notes"]) => all(&self.notes, &|it| it["on"] == on.join("/")),
            ("POST", [on @ .., "notes"]) => {
                let id = 70 + self.notes.len();
                let note =
                    json!({ "id": id, "on": on.join("/"), "author": { "id": user }, "body": asked.body["body"] });
                self.notes.push(note.clone());
                Some(note)
            }
            ("PUT", [.., "notes", id]) => {
                let at = at(&self.notes, "id", id)?;
                assert_eq!(self.notes[at]["author"]["id"], user, "only one's own");
                self.notes[at]["body"] = asked.body["body"].clone();
                Some(json!({}))
            }
            ("GET", ["issues"]) => {
                let state = query.get("state").copied().unwrap_or("all");
                all(&self.issues, &|it| {
                    it["state"] == state && query.get("labels").is_none_or(|label| it["labels"] == json!([label]))
                })
            }
            ("GET", ["issues", iid]) => at(&self.issues, "iid", iid).map(|at| self.issues[at].clone()),
            ("POST", ["issues"]) => {
                let mut issue = asked.body.clone();
                issue["iid"] = json!(40 + self.issues.len());
                issue["state"] = json!("opened");
                issue["author"] = json!({ "id": user });
                issue["labels"] = json!([issue["labels"]]);
                self.issues.push(issue);
                Some(json!({}))
            }
            ("PUT", ["issues", iid]) => {
                let at = at(&self.issues, "iid", iid)?;
                for (key, value) in asked.body.as_object().unwrap() {
                    match (&**key, value.as_str()) {
                        ("state_event", Some("close")) => self.issues[at]["state"] = json!("closed"),
                        ("description", Some(_)) => self.issues[at][key] = value.clone(),
                        other => panic!("{other:?} isn't known here"),
                    }
                }
                Some(json!({}))
            }
            (method, _) => panic!("{method} {parts:?} isn't known here"),
        }
    }
}

fn asked(call: &Call) -> Asked {
    let mut asked = Asked { method: "GET".to_owned(), ..Asked::default() };
    let mut args = call.args.iter().map(String::as_str);
    while let Some(arg) = args.next() {
        let mut next = || args.next().unwrap().to_owned();
        match arg {
            "--silent" | "--show-error" => {}
            // A token would be sent along to the new location, so this is allowed only without one.
            "--location" => assert!(call.stdin.is_empty()),
            "--proto" => assert_eq!(next(), "=https"),
            "--retry" => drop(next()),
            "--fail" => asked.fails = true,
            "--config" => {
                assert_eq!(next(), "-");
                let header = call.stdin.strip_prefix("header = \"Authorization: Bearer ");
                header.unwrap().strip_suffix("\"\n").unwrap().clone_into(&mut asked.token);
            }
            "--request" => asked.method = next(),
            "--header" => assert_eq!(next(), "Content-Type: application/json"),
            "--data-binary" => {
                let file = Path::new(&call.folder).join(next().strip_prefix('@').unwrap());
                asked.body = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
            }
            "--output" => asked.output = Some(next()),
            "--write-out" => asked.says_status = next() == "%{http_code}",
            url if asked.url.is_empty() && !url.starts_with('-') => url.clone_into(&mut asked.url),
            other => panic!("curl {other} isn't known here"),
        }
    }
    asked
}
