//! The workflows, the image, the hook and the changelog agree with each other.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap_or_else(|why| panic!("{file}: {why}"))
}

fn yaml(text: &str) -> Value {
    // Otherwise `on` would be read as true.
    serde_yaml::from_str_with_options(text, serde_yaml::options! { strict_booleans: true }).unwrap()
}

fn yaml_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            yaml_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "yml" || extension == "yaml") {
            found.push(path);
        }
    }
}

/// Returns every file that may use an action, with its text.
fn files_with_actions() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    yaml_files(&root().join(".github"), &mut files);
    for optional in ["examples/ci", "action.yml"].map(|path| root().join(path)) {
        if optional.is_dir() {
            yaml_files(&optional, &mut files);
        } else if optional.is_file() {
            files.push(optional);
        }
    }
    files.into_iter().map(|file| (file.clone(), std::fs::read_to_string(file).unwrap())).collect()
}

/// Whether an action is pinned as `OWNER/NAME@HASH # vMAJOR.MINOR.PATCH`. The hash is what runs; the version is
/// for readers.
fn is_pinned(used: &str) -> bool {
    let Some((action, comment)) = used.split_once(" # v") else { return false };
    let hash = action.split_once('@').map_or("", |(_, hash)| hash);
    let numbers: Vec<&str> = comment.split('.').collect();
    hash.len() == 40
        && hash.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        && numbers.len() == 3
        && numbers.iter().all(|number| number.parse::<u32>().is_ok())
}

#[test]
fn every_action_is_pinned_by_its_hash() {
    let mut seen = 0;
    for (file, text) in files_with_actions() {
        let lines = text.lines().map(|line| line.trim().trim_start_matches("- "));
        // An action of the same repository comes with the same commit.
        let uses = lines.filter_map(|line| line.strip_prefix("uses: ").or(line.strip_prefix("component: ")));
        for used in uses.filter(|used| !used.starts_with("./")) {
            assert!(is_pinned(used), "{}: {used}", file.display());
            seen += 1;
        }
    }
    assert!(seen > 10, "only {seen} actions were found");
    assert!(!is_pinned("actions/checkout@v4") && !is_pinned("actions/checkout@11bd719 # v4.2.2"));
}

#[test]
fn every_job_says_what_it_may_and_how_long() {
    let mut jobs = 0;
    for name in ["ci", "release", "plan", "apply", "drift"] {
        let workflow = yaml(&text(&format!(".github/workflows/{name}.yml")));
        assert_eq!(workflow["permissions"], serde_json::json!({}), "{name}: nothing unless a job says so");
        for (job, it) in workflow["jobs"].as_object().unwrap() {
            assert!(it["permissions"].is_object(), "{name}: {job} says no permissions");
            assert!(it["timeout-minutes"].is_u64(), "{name}: {job} says no timeout");
            for step in it["steps"].as_array().unwrap() {
                let run = step["run"].as_str().unwrap_or_default();
                assert!(!run.contains("${{"), "{name}: {job} puts a value into a script: pass it by `env`");
                let checkout = step["uses"].as_str().is_some_and(|used| used.starts_with("actions/checkout@"));
                let kept = &step["with"]["persist-credentials"];
                assert!(!checkout || *kept == Value::Bool(false), "{name}: {job} keeps the checkout's token");
            }
            jobs += 1;
        }
    }
    assert!(jobs > 10, "only {jobs} jobs were found");
}

#[test]
fn the_image_is_what_the_manifest_says() {
    let dockerfile = text("Dockerfile");
    let stages: Vec<&str> = dockerfile.lines().filter_map(|line| line.strip_prefix("FROM ")).collect();
    let (base, digest) = stages.first().unwrap().split_once("@sha256:").unwrap();
    assert_eq!(digest.split(' ').next().unwrap().len(), 64);
    assert_eq!(stages.last(), Some(&"scratch"));
    let release = yaml(&text(".github/workflows/release.yml"));
    let rust = release["env"]["RUST"].as_str().unwrap();
    assert!(base.starts_with(&format!("rust:{rust}-alpine")), "{base}, and release.yml builds with {rust}");

    let image = dockerfile.rsplit("FROM scratch").next().unwrap();
    for (label, value) in [
        ("title", env!("CARGO_PKG_NAME")),
        ("description", env!("CARGO_PKG_DESCRIPTION")),
        ("source", env!("CARGO_PKG_REPOSITORY")),
        ("licenses", env!("CARGO_PKG_LICENSE")),
        ("version", "${VERSION}"),
        ("revision", "${REVISION}"),
    ] {
        assert!(!value.is_empty(), "{label}");
        let line = format!("org.opencontainers.image.{label}=\"{value}\"");
        assert!(image.contains(&line), "{line}");
    }
    let (_, user) = image.split_once("\nUSER ").unwrap();
    assert!(!user.starts_with("root") && !user.starts_with('0'));
    assert!(image.contains("\nENTRYPOINT [\"/rolecall\"]\n"));
}

#[test]
fn the_hook_runs_a_verb_that_is_there() {
    let hooks = yaml(&text(".pre-commit-hooks.yaml"));
    let entries: Vec<&str> =
        hooks.as_array().unwrap().iter().map(|hook| hook["entry"].as_str().unwrap()).collect();
    assert_eq!(entries, ["rolecall validate"]);
    let mut program = Command::new(env!("CARGO_BIN_EXE_rolecall"));
    let said = program.args(entries[0].split(' ').skip(1)).arg("--help").output().unwrap();
    assert!(said.status.success());
}

/// Without other files around it, as in an empty folder or image.
#[test]
fn the_sandbox_needs_no_certificate_authorities() {
    let folder = tempfile::TempDir::new().unwrap();
    std::fs::copy(root().join("examples/hive.yaml"), folder.path().join("hive.yaml")).unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_rolecall"));
    program.current_dir(folder.path()).env_clear().env("SSL_CERT_FILE", "no-such-file");
    let said = program.args(["plan", "--sandbox", "hive.yaml"]).output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
}

/// Runs `.ci/notes` on a tag and a changelog in a repository of its own.
#[cfg(unix)]
fn notes(changelog: &str, tag: &str) -> Result<String, String> {
    let folder = tempfile::TempDir::new().unwrap();
    std::fs::create_dir(folder.path().join(".ci")).unwrap();
    for file in [".ci/notes", "Cargo.toml"] {
        std::fs::copy(root().join(file), folder.path().join(file)).unwrap();
    }
    std::fs::write(folder.path().join("CHANGELOG.md"), changelog).unwrap();
    let said = Command::new("bash").arg(folder.path().join(".ci/notes")).arg(tag).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    if said.status.success() { Ok(text(said.stdout)) } else { Err(text(said.stderr)) }
}

#[cfg(unix)]
#[test]
fn a_release_has_one_version_and_says_what_is_new() {
    let version = env!("CARGO_PKG_VERSION");
    let tag = format!("v{version}");
    let released = text("CHANGELOG.md").replace("## [Unreleased]", &format!("## [{version}] - 2026-11-25"));
    assert!(notes(&released, &tag).unwrap().contains("- The verbs `validate`"));
    let changelog = format!(
        "# C\n\n## [Unreleased]\n\nlater\n\n## [{version}] - 2026-11-25\n\nnow\n\n## [0.0.1] - 2026-01-01\n\nbefore\n"
    );
    assert_eq!(notes(&changelog, &tag).unwrap().trim(), "now");
    assert!(notes(&changelog, "v0.0.1").unwrap_err().contains("Cargo.toml has version"));
    assert!(notes("# C\n\n## [Unreleased]\n\nlater\n", &tag).unwrap_err().contains("no section"));
    // The crates are published separately, and the program must depend on those of its own version.
    let manifest = text("Cargo.toml");
    let parts = manifest.lines().filter(|line| line.starts_with("rolecall-") && line.contains("path = "));
    assert!(parts.clone().count() >= 3);
    for part in parts {
        assert!(part.contains(&format!("version = \"{version}\"")), "{part}");
    }
}

/// Whatever installs a release names the archives that `.ci/package` makes.
#[test]
fn installers_name_the_archives_of_a_release() {
    let version = env!("CARGO_PKG_VERSION");
    let workflow = yaml(&text(".github/workflows/release.yml"));
    let targets = workflow["jobs"]["build"]["strategy"]["matrix"]["include"].as_array().unwrap();
    let targets: Vec<&str> = targets.iter().map(|it| it["target"].as_str().unwrap()).collect();
    assert_eq!(targets.len(), 5);
    let folder = tempfile::TempDir::new().unwrap();
    let sums = folder.path().join("SHA256SUMS");
    let sum = |target: &str| format!("{:064x}", target.len());
    let lines = targets.iter().fold(String::new(), |text, target| {
        let suffix = if target.contains("windows") { "zip" } else { "tar.gz" };
        text + &format!("{}  rolecall-{version}-{target}.{suffix}\n", sum(target))
    });
    std::fs::write(&sums, &lines).unwrap();
    let formula = |sums: &Path| {
        Command::new("bash").arg(root().join(".ci/formula")).arg(version).arg(sums).output().unwrap()
    };
    let ruby = String::from_utf8(formula(&sums).stdout).unwrap();
    let manifest = text("Cargo.toml");
    let installer = text("packaging/install.sh");
    assert!(installer.contains(&format!("ROLECALL_VERSION:-{version}}}")), "another version");
    for target in targets.iter().filter(|target| !target.contains("windows")) {
        let name = format!("/v{version}/rolecall-{version}-{target}.tar.gz\"\n      sha256 \"{}\"", sum(target));
        assert!(ruby.contains(&name), "{ruby}");
        assert!(installer.contains(&format!("target={target} ")), "{target}");
    }
    assert!(manifest.contains("[package.metadata.binstall.overrides.x86_64-pc-windows-msvc]"));
    // A release that lacks an archive gets no formula.
    std::fs::write(&sums, lines.split_once('\n').unwrap().1).unwrap();
    let half = formula(&sums);
    assert!(!half.status.success() && half.stdout.is_empty());
    let entry: Value = serde_json::from_str(&text("packaging/schemastore.json")).unwrap();
    let schema = entry["url"].as_str().unwrap().rsplit_once("/main/").unwrap().1.to_owned();
    assert!(root().join(schema).is_file());
}
