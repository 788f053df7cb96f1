//! The set-up believes the remotes of the folder, at both systems: it pushes there, and asks no other host.

use serde_json::Value;

use crate::runner::stub::program;
use crate::support::cli::{Env, Said};

/// A folder with remotes. Its only programs are stubs.
struct Folder {
    env: Env,
    ci: &'static str,
}

/// The answers of `doctor`.
struct Doctor {
    /// The checks about the CI system, as lines of JSON.
    says: String,
    code: i32,
    /// The calls of `gh` or `glab`, each with the host in its environment.
    calls: String,
}

const GH: &str = r#"echo "[$GH_HOST]" "$@" >>"$HOME/calls"
"#;
const GLAB: &str = r#"echo "[$GITLAB_HOST]" "$@" >>"$HOME/calls"
"#;
const NOT_FOUND: &str = "echo 'HTTP 404' >&2; exit 1";
const SIGNED_OUT: &str =
    "printf '\\n   ERROR  \\n\\n  None of the remotes is known.\\n  Please sign in.\\n\\n  More\\n' >&2; exit 1";

impl Folder {
    fn new(ci: &'static str, remotes: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut env = Env::new();
        env.set("PATH", env.path("programs").to_str().unwrap());
        assert_eq!(env.run(&["init", "--sandbox", "hive", "acme"]).code, 0);
        for (name, value) in variables {
            env.set(name, value);
        }
        let folder = Self { env, ci };
        let lines = remotes.iter().map(|remote| format!("echo '{} (fetch)'\n", remote.replace(' ', "\t")));
        folder.program("git", &lines.collect::<String>());
        folder.program("ssh", "[ \"$3\" = work ] && echo hostname code.acme.example || echo hostname \"$3\"\n");
        folder.program("gh", &format!("{GH}{NOT_FOUND}"));
        folder.program("glab", &format!("{GLAB}{NOT_FOUND}"));
        folder
    }

    fn program(&self, name: &str, script: &str) {
        std::fs::create_dir_all(self.env.path("programs")).unwrap();
        program(&self.env.path("programs").join(name), &format!("#!/bin/sh\n{script}"));
    }

    fn init(&self) -> Said {
        self.env.run(&["init", "--sandbox", "hive", "acme", "--ci", self.ci, "--owners", "@acme/platform"])
    }

    fn doctor(&self) -> Doctor {
        let said = self.env.run(&["doctor", "--sandbox", "--ci", self.ci, "--format", "json", "access/"]);
        let report: Value = serde_json::from_str(&said.stdout).unwrap();
        let checks = report["job"].as_array().unwrap().iter().filter(|check| check["topic"] == "ci");
        let says = checks.map(Value::to_string).collect::<Vec<_>>().join("\n");
        let calls = std::fs::read_to_string(self.env.path("calls")).unwrap_or_default();
        Doctor { says, code: said.code, calls }
    }
}

/// Each line: the system, the remotes, the commands of `init`, those that it doesn't have, and the host that is asked.
type Pushed = (&'static str, &'static [&'static str], &'static [&'static str], &'static str, &'static str);

const SSH: &str = "origin git@code.acme.example:infra/access.git";

const PUSHED: [Pushed; 10] = [
    ("github", &[], &["gh repo create 'acme/access' --private --source . --push"], "git push", ""),
    (
        "github",
        &["origin git@github.com:infra/access.git"],
        &["git push --set-upstream origin main"],
        "repo create",
        "github.com",
    ),
    (
        "github",
        &[SSH],
        &["git push --set-upstream origin main", "GH_HOST=code.acme.example gh "],
        "repo create",
        "code.acme.example",
    ),
    (
        "github",
        &["a git@gitlab.com:infra/a.git", "b git@github.com:infra/b.git"],
        &["push --set-upstream b main"],
        "GH_HOST",
        "github.com",
    ),
    ("gitlab", &[], &["git remote add origin git@gitlab.com:acme/access.git"], "code.acme", ""),
    (
        "gitlab",
        &[SSH],
        &["git push --set-upstream origin main", "git@code.acme.example:acme/access-ci.git"],
        "gitlab.com:",
        "",
    ),
    (
        "gitlab",
        &["origin https://jane:secret@code.acme.example:8443/infra/access"],
        &["git push --set-upstream origin main", " https://code.acme.example:8443/acme/rolecall.git"],
        "secret@",
        "",
    ),
    (
        "gitlab",
        &["origin ssh://git@code.acme.example:2222/infra/access.git"],
        &[" ssh://git@code.acme.example:2222/acme/access-ci.git"],
        "gitlab.com:",
        "",
    ),
    (
        "gitlab",
        &["origin work:infra/access.git"],
        &["git push --set-upstream origin main", " work:acme/rolecall.git"],
        "gitlab.com:",
        "",
    ),
    (
        "gitlab",
        &["origin git@github.com:infra/access.git", "mirror git@gitlab.com:infra/access.git"],
        &["git push --set-upstream mirror main", "git@gitlab.com:acme/access-ci.git"],
        "git@github.com",
        "",
    ),
];

#[test]
fn the_set_up_pushes_to_the_remote() {
    for (ci, remotes, commands, never, host) in PUSHED {
        let folder = Folder::new(ci, remotes, &[("GITLAB_HOST", ""), ("GH_HOST", "")]);
        let said = folder.init();
        for command in commands {
            assert!(said.stdout.contains(command), "{ci} {remotes:?}: {command}\n{}", said.all());
        }
        assert!(!said.stdout.contains(never), "{ci} {remotes:?}: {never}\n{}", said.all());
        assert_eq!(
            said.stdout.contains("remote add origin git@gitlab.com:acme/access.git"),
            ci == "gitlab" && remotes.is_empty()
        );
        let doctor = folder.doctor();
        let shown = if remotes.is_empty() { "for this folder" } else { "for the remote of this folder" };
        assert!(doctor.says.contains(shown) && !doctor.says.contains(never), "{ci} {remotes:?}: {}", doctor.says);
        assert_eq!((doctor.code, doctor.calls.lines().count()), (1, 1), "{}", doctor.calls);
        assert!(doctor.calls.starts_with(&format!("[{host}] api ")), "{ci} {remotes:?}: {}", doctor.calls);
    }
}

/// Each line: the system, a remote, a variable with its value, and a command of `init`.
const NAMED: [(&str, &str, &str, &str, &str); 6] = [
    ("github", "", "GH_HOST", "https://Code.acme.example/", "GH_HOST=code.acme.example gh repo create"),
    (
        "github",
        "origin git@github.com:infra/access.git",
        "GH_HOST",
        "https://github.com",
        "GH_HOST=github.com gh secret set",
    ),
    (
        "gitlab",
        "",
        "GITLAB_HOST",
        "https://code.acme.example",
        "remote add origin git@code.acme.example:acme/access.git",
    ),
    ("gitlab", "", "GITLAB_URI", "code.acme.example", "remote add origin git@code.acme.example:acme/access.git"),
    (
        "gitlab",
        "",
        "GL_HOST",
        "http://code.acme.example:8080/x",
        "remote add origin git@code.acme.example:acme/access.git",
    ),
    ("gitlab", SSH, "GITLAB_HOST", "https://CODE.acme.example", "git push --set-upstream origin main"),
];

#[test]
fn a_variable_names_the_host_also_as_a_url() {
    for (ci, remote, variable, value, command) in NAMED {
        let remotes: Vec<&str> = Some(remote).into_iter().filter(|it| !it.is_empty()).collect();
        let folder = Folder::new(ci, &remotes, &[(variable, value)]);
        let said = folder.init();
        assert!(said.code == 0 && said.stdout.contains(command), "{variable}={value}: {}", said.all());
        let calls = folder.doctor().calls;
        // `gh` takes only the name of a host.
        let is_right = if ci == "github" {
            !calls.contains("://")
        } else {
            variable != "GITLAB_HOST" || calls.contains(value)
        };
        assert!(is_right && calls.lines().count() == 1, "{variable}={value}: {calls}");
    }
}

/// Each line: the system, the remotes, a variable with its value, the message and the hint.
type Refused = (&'static str, &'static [&'static str], (&'static str, &'static str), &'static str, &'static str);

const REFUSED: [Refused; 9] = [
    (
        "github",
        &["origin git@gitlab.com:acme/access.git"],
        ("GH_HOST", ""),
        "a remote at `gitlab.com`, which isn't a server of GitHub",
        "Use `--ci gitlab`",
    ),
    (
        "gitlab",
        &["origin https://github.com/acme/access"],
        ("GITLAB_HOST", ""),
        "a remote at `github.com`, which isn't a server of GitLab",
        "Use `--ci github`",
    ),
    (
        "gitlab",
        &["origin git@acme.ghe.com:acme/access.git"],
        ("GITLAB_HOST", "gitlab.com"),
        "`acme.ghe.com`, which isn't a server of GitLab",
        "Use `--ci github`",
    ),
    (
        "github",
        &[],
        ("GH_HOST", "gitlab.com"),
        "GH_HOST names `gitlab.com`, which isn't a server of GitHub",
        "Use `--ci gitlab`",
    ),
    ("github", &[], ("GH_HOST", "!!"), "The variable GH_HOST names no host", "such as `github.com`"),
    ("gitlab", &[SSH], ("GL_HOST", "https:///"), "The variable GL_HOST names no host", "such as `gitlab.com`"),
    (
        "github",
        &[SSH],
        ("GH_HOST", "mallory.example"),
        "names the host `mallory.example`, and this folder has a remote at `code.acme.example`",
        "Unset the variable",
    ),
    (
        "gitlab",
        &["origin work:acme/access.git"],
        ("GITLAB_HOST", "gitlab.com"),
        "names the host `gitlab.com`, and this folder has a remote at `code.acme.example`",
        "Unset the variable",
    ),
    (
        "gitlab",
        &[SSH, "mirror git@gitlab.com:acme/access.git"],
        ("GITLAB_HOST", ""),
        "remotes at `code.acme.example` and `gitlab.com`",
        "in `GITLAB_HOST`",
    ),
];

#[test]
fn another_host_than_that_of_the_remote_is_refused_before_anything_is_made_or_asked() {
    for (ci, remotes, variable, message, hint) in REFUSED {
        let folder = Folder::new(ci, remotes, &[variable]);
        let said = folder.init();
        assert_eq!(said.code, 1, "{}", said.all());
        assert!(
            said.stderr.contains(message) && said.stderr.contains("Nothing was made."),
            "{message}: {}",
            said.all()
        );
        assert!(said.stderr.contains(hint), "{hint}: {}", said.all());
        assert!(![".github", "access-ci", "CODEOWNERS"].iter().any(|made| folder.env.path(made).exists()));
        let doctor = folder.doctor();
        assert_eq!((doctor.code, &*doctor.calls), (1, ""), "{message}: {}", doctor.says);
        assert!(
            doctor.says.contains(message) && doctor.says.contains("Nothing was asked."),
            "{message}: {}",
            doctor.says
        );
        assert!(doctor.says.contains(hint), "{hint}: {}", doctor.says);
    }
}

#[test]
fn a_system_that_cannot_be_asked_is_in_the_way() {
    for (ci, program, page) in
        [("github", "gh", "https://cli.github.com"), ("gitlab", "glab", "https://docs.gitlab.com/cli")]
    {
        let folder = Folder::new(ci, &[SSH], &[]);
        let sign_in = format!("`{program} auth login --hostname code.acme.example`");
        folder.program(program, SIGNED_OUT);
        let doctor = folder.doctor();
        assert!(doctor.says.contains("None of the remotes is known. Please sign in."), "{}", doctor.says);
        assert!(doctor.code == 1 && doctor.says.contains(&sign_in), "{}", doctor.says);

        std::fs::remove_file(folder.env.path("programs").join(program)).unwrap();
        let doctor = folder.doctor();
        assert!(doctor.says.contains(&format!("The program `{program}` isn't installed")), "{}", doctor.says);
        assert!(
            doctor.code == 1 && doctor.says.contains(page) && doctor.says.contains(&sign_in),
            "{}",
            doctor.says
        );
        assert!(folder.init().stdout.contains(page));
    }
}
