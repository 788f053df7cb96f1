//! The shell steps of the action: what it installs and what it refuses to install.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use crate::runner::stub::stub;
use crate::runner::workflow::parse;
use crate::support::cli::Env;
use serde_json::Value;

const NAME: &str = "rolecall-0.1.0-x86_64-unknown-linux-musl";

/// A release, and a machine to install it on.
struct Machine {
    env: Env,
    /// The arguments of the calls of `gh`.
    calls: Arc<Mutex<Vec<Vec<String>>>>,
}

fn action() -> Value {
    parse(&std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("action.yml")).unwrap())
}

impl Machine {
    /// Creates a machine. `genuine`: whether the release's attestation is valid.
    fn new(genuine: bool) -> Self {
        let env = Env::new();
        let program = "#!/bin/sh\nprintf '<%s>' \"$@\"\n[ \"$1\" = --version ] || exit 2\n";
        env.write(&format!("release/{NAME}/rolecall"), program);
        let shell = |script: &str| {
            let done = Command::new("sh").args(["-ec", script]).current_dir(env.path("release")).status().unwrap();
            assert!(done.success());
        };
        shell(&format!(
            "chmod +x {NAME}/rolecall && tar -czf {NAME}.tar.gz {NAME} && sha256sum -- *.tar.gz >SHA256SUMS"
        ));
        let calls: Arc<Mutex<Vec<Vec<String>>>> = Arc::default();
        let (seen, release) = (calls.clone(), env.path("release"));
        stub(&["gh", "curl"], &env.path("programs"), move |call| {
            seen.lock().unwrap().push(call.args.clone());
            if call.program == "curl" {
                let (url, output) = (call.args.last().unwrap(), call.args.iter().position(|it| it == "--output"));
                let file = url.strip_prefix("https://github.com/rolecall-dev/rolecall/releases/download/v0.1.0/");
                let copied = std::fs::copy(release.join(file.unwrap()), &call.args[output.unwrap() + 1]);
                return (u8::from(copied.is_err()), String::new());
            }
            match &*call.args[0] {
                "auth" => (0, String::new()),
                "release" => {
                    for file in [format!("{NAME}.tar.gz"), "SHA256SUMS".to_owned()] {
                        std::fs::copy(release.join(&file), Path::new(&call.folder).join(&file)).unwrap();
                    }
                    (0, String::new())
                }
                "attestation" => (u8::from(!genuine), String::new()),
                other => panic!("gh {other} isn't known here"),
            }
        });
        env.write("path", "");
        env.write("output", "");
        Self { env, calls }
    }

    fn step(&self, name: &str, variables: &[(&str, &str)], folder: &Path) -> Output {
        let action = action();
        let steps = action["runs"]["steps"].as_array().unwrap();
        let step = steps.iter().find(|step| step["name"] == name).unwrap();
        assert_eq!(step["shell"], "bash");
        let installed = self.env.read("path").trim().to_owned();
        let machine = std::env::var("PATH").unwrap();
        Command::new("bash")
            .args(["--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"].as_str().unwrap()])
            .current_dir(folder)
            .env_clear()
            .env("PATH", format!("{}:{installed}:{machine}", self.env.path("programs").display()))
            .env("RUNNER_TEMP", self.env.path("."))
            .env("RUNNER_OS", "Linux")
            .env("RUNNER_ARCH", "X64")
            .env("GITHUB_PATH", self.env.path("path"))
            .env("GITHUB_OUTPUT", self.env.path("output"))
            .envs(variables.iter().copied())
            .output()
            .unwrap()
    }

    fn install(&self, variables: &[(&str, &str)]) -> bool {
        let version: &[(&str, &str)] = &[("VERSION", "0.1.0")];
        let said = self.step("install", &[version, variables].concat(), &self.env.path("."));
        said.status.success()
    }

    /// Runs the installer for shells, which installs to the folder `bin`. Returns what it said, and whether it succeeded.
    fn install_by_shell(&self) -> (String, bool) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/install.sh");
        let machine = std::env::var("PATH").unwrap();
        let said = Command::new("sh")
            .arg(script)
            .env_clear()
            .env("PATH", format!("{}:{machine}", self.env.path("programs").display()))
            .env("ROLECALL_INSTALL_DIR", self.env.path("bin"))
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&said.stdout).into_owned() + &String::from_utf8_lossy(&said.stderr);
        (text, said.status.success())
    }

    fn installed(&self) -> PathBuf {
        PathBuf::from(self.env.read("path").trim()).join("rolecall")
    }
}

#[test]
fn a_release_is_installed_once_its_checksum_and_its_provenance_were_seen() {
    let machine = Machine::new(true);
    assert!(machine.install(&[]));
    assert!(machine.installed().is_file());
    let calls = machine.calls.lock().unwrap();
    let attested = calls.iter().find(|call| call[0] == "attestation").unwrap().join(" ");
    for wanted in
        ["--repo rolecall-dev/rolecall", "/.github/workflows/release.yml", "--source-ref refs/tags/v0.1.0"]
    {
        assert!(attested.contains(wanted), "{attested}");
    }
}

#[test]
fn what_is_not_the_release_is_not_installed() {
    let forged = Machine::new(false);
    assert!(!forged.install(&[]), "made by somebody else");
    let damaged = Machine::new(true);
    damaged.env.write(&format!("release/{NAME}.tar.gz"), "something else");
    assert!(!damaged.install(&[]), "another checksum");
    let unlisted = Machine::new(true);
    unlisted.env.write("release/SHA256SUMS", "");
    assert!(!unlisted.install(&[]), "no checksum");
    let machine = Machine::new(true);
    for version in ["", "main", "0.1.0; true", "../0.1.0", "v0.1.0"] {
        assert!(!machine.install(&[("VERSION", version)]), "{version}");
    }
    assert!(!machine.install(&[("RUNNER_ARCH", "X86")]), "no such release");
    for machine in [forged, damaged, unlisted, machine] {
        assert_eq!(machine.env.read("path"), "");
    }
}

#[test]
fn arguments_are_lines_and_the_exit_code_is_handed_on() {
    let machine = Machine::new(true);
    assert!(machine.install(&[]));
    let args = "drift\n\naccess folder/\n--exclude\nuser/*\n$(touch pwned)\n";
    let said = machine.step("run", &[("ARGS", args)], &machine.env.path("."));
    assert_eq!(said.status.code(), Some(2));
    assert_eq!(
        String::from_utf8_lossy(&said.stdout),
        "<drift><access folder/><--exclude><user/*><$(touch pwned)>"
    );
    assert_eq!(machine.env.read("output"), "exit-code=2\n");
    assert!(!machine.env.path("pwned").exists());
}

#[test]
fn what_is_typed_into_it_is_never_a_part_of_a_script() {
    let action = action();
    let steps = action["runs"]["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 2);
    assert!(steps.iter().all(|step| !step["run"].as_str().unwrap().contains("${{")));
}

/// The stub of the program has one kind of machine.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn the_installer_for_shells_installs_only_what_the_release_has() {
    let machine = Machine::new(true);
    let (said, done) = machine.install_by_shell();
    assert!(done && said.contains("bin/rolecall: <--version>") && said.contains("to PATH"), "{said}");
    assert!(machine.env.path("bin/rolecall").is_file());
    let forged = Machine::new(false);
    let damaged = Machine::new(true);
    damaged.env.write(&format!("release/{NAME}.tar.gz"), "something else");
    let unlisted = Machine::new(true);
    unlisted.env.write("release/SHA256SUMS", "");
    for (machine, why) in [
        (forged, "the attestation of"),
        (damaged, "isn't what SHA256SUMS says"),
        (unlisted, "SHA256SUMS doesn't name"),
    ] {
        let (said, done) = machine.install_by_shell();
        assert!(!done && said.contains(why), "{why}: {said}");
        assert!(!machine.env.path("bin").exists());
    }
}
