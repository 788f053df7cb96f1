//! Applies of the built program that fail halfway because the disk, the network or the platform does.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::support::cli::{Env, Said, served};
use rolecall_model::ProviderName;

const APPLY: &[&str] = &["apply", "--auto-approve", "file.yaml"];

fn in_sync(env: &Env) -> bool {
    env.run(&["plan", "--detailed-exitcode", "file.yaml"]).code == 0
}

/// Returns the recipients of mails, from the world that the sandbox stores.
fn mails(env: &Env) -> Vec<String> {
    let folder = std::fs::read_dir(env.path(".rolecall/sandbox")).unwrap();
    let mut worlds = folder.map(|entry| entry.unwrap().path());
    let world = worlds.find(|path| path.extension().is_some_and(|it| it == "json")).unwrap();
    let world: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(world).unwrap()).unwrap();
    world["mails"].as_array().unwrap().iter().map(ToString::to_string).collect()
}

fn count(said: &Said, outcome: &str) -> usize {
    said.stdout.lines().filter(|line| line.trim_start().starts_with(&format!("{outcome} "))).count()
}

/// A limit on file size acts like a full disk: it ends a write in the middle of a line.
#[cfg(unix)]
#[test]
fn once_the_ledger_can_not_be_written_nothing_more_is_sent() {
    for blocks in [2, 4, 6, 8] {
        let (env, _server) = served(ProviderName::Hive, &[]);
        let said = env.run_within(&format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\""), APPLY);
        assert!(matches!(said.code, 1 | 5), "{}", said.all());
        assert!(said.all().contains("rolecall sends nothing that it can't record"), "{blocks} {}", said.all());
        assert!(!said.all().contains("panicked"), "{}", said.all());
        let ledger = env.path(".rolecall/ledger/hive-acme.jsonl");
        assert!(std::fs::metadata(ledger).unwrap().len() <= 1024 * blocks);
        let again = env.run(APPLY);
        assert_eq!(again.code, 0, "{blocks} {}", again.all());
        assert!(in_sync(&env), "{blocks}");
        assert_eq!(mails(&env).len(), 1, "{blocks}");
    }
}

#[test]
fn a_network_that_is_lost_on_the_way_loses_nothing_else() {
    let (mut env, server) = served(ProviderName::Hive, &["--fault", "latency=300@inviteToOrganizationByEmail"]);
    let mut child = env.command().args(APPLY).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut output = String::new();
    while !output.contains("done      key/ci-publisher") && stdout.read_line(&mut output).unwrap() > 0 {}
    drop(server);
    stdout.read_to_string(&mut output).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(5), "{output}");
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert!(output.contains("the platform can't be used any more"), "{output}{stderr}");
    // The network is back, and the next run does what is left.
    let _server = env.serve_example(ProviderName::Hive, &[]);
    let said = env.run(APPLY);
    assert_eq!(said.code, 0, "{}", said.all());
    assert!(in_sync(&env));
    assert_eq!(mails(&env).len(), 1);
}

/// After a fault of the platform, the same run reads the state and repeats what didn't take effect. Mails and
/// secrets are the exceptions.
#[test]
fn a_platform_that_fails_now_and_then_is_dealt_with_in_one_run() {
    for fault in [
        "drop-after@assignMemberRole*1",
        "status=502@updateMemberRole*1",
        "html@assignMemberRole*1",
        "rate-limit=1*3",
    ] {
        let (env, _server) = served(ProviderName::Hive, &["--fault", fault]);
        let said = env.run(APPLY);
        assert_eq!(said.code, 0, "{fault} {}", said.all());
        assert!(in_sync(&env), "{fault}");
    }
    let (env, _server) = served(ProviderName::Hive, &["--fault", "drop-after@inviteToOrganizationByEmail*1"]);
    let said = env.run(APPLY);
    assert_eq!(said.code, 0, "{}", said.all());
    assert!(said.stdout.contains("It isn't certain that its mail was sent."), "{}", said.all());
    let (env, _server) = served(ProviderName::Hive, &["--fault", "drop-before@inviteToOrganizationByEmail*1"]);
    let said = env.run(APPLY);
    assert_eq!((said.code, count(&said, "unsure")), (5, 1), "{}", said.all());
    let said = env.run(APPLY);
    assert_eq!((said.code, mails(&env).len()), (0, 1), "{}", said.all());
}

#[test]
fn a_closed_pipe_does_not_stop_an_apply() {
    let (env, _server) = served(ProviderName::Hive, &[]);
    let mut child = env.command().args(APPLY).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{stderr}");
    assert!(in_sync(&env));
}

#[cfg(unix)]
#[test]
fn a_second_ctrl_c_ends_it_at_once() {
    let (env, _server) = served(ProviderName::Bitpanda, &["--fault", "latency=30000@updateUser"]);
    let mut child = env.command().args(APPLY).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut output = String::new();
    while !output.contains("done      key/ci-pipeline") && stdout.read_line(&mut output).unwrap() > 0 {}
    let began = Instant::now();
    // As GitHub cancels a job.
    for signal in ["-INT", "-TERM"] {
        std::thread::sleep(Duration::from_millis(300));
        std::process::Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    }
    assert_eq!(child.wait().unwrap().code(), Some(5), "{output}");
    assert!(began.elapsed() < Duration::from_secs(25), "it waited for what was under way");
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert!(stderr.contains("Requests in flight may have taken effect"), "{stderr}");
}

/// A terminal sends Ctrl-C to every program in the foreground; the one that is handed a secret goes on.
#[cfg(unix)]
#[test]
fn a_ctrl_c_does_not_lose_a_secret_on_its_way() {
    use std::os::unix::process::CommandExt as _;
    let (env, _server) = served(ProviderName::Bitpanda, &[]);
    let file = env.read("file.yaml").replacen("file: keys/ci-pipeline.key", "command: [./store]", 1);
    env.write("file.yaml", file);
    env.write("store", "#!/bin/sh\ntouch began\nsleep 1\ncat > stored\n");
    std::fs::set_permissions(env.path("store"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let args = [APPLY, &["--allow-commands"]].concat();
    let mut program = env.command();
    program.args(&args).process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = program.spawn().unwrap();
    while !env.path("began").exists() {
        std::thread::sleep(Duration::from_millis(20));
    }
    let group = format!("-{}", child.id());
    std::process::Command::new("kill").args(["-INT", "--", &group]).status().unwrap();
    let said = env.said(&child.wait_with_output().unwrap());
    assert_eq!(said.code, 5, "{}", said.all());
    assert!(said.stdout.contains("the run was interrupted"), "{}", said.all());
    assert!(env.read("stored").len() > 20, "{}", said.all());
    let said = env.run(&args);
    assert_eq!(said.code, 0, "{}", said.all());
    assert!(!said.stdout.contains("key/ci-pipeline"), "the key is there: {}", said.all());
}

#[test]
fn several_organisations_are_each_reported_by_name() {
    let (env, server) = served(ProviderName::Bitpanda, &[]);
    env.write("here/org.yaml", env.read("file.yaml"));
    // Nothing listens at this address.
    let away = env.read("file.yaml").replace(&server.url, "http://127.0.0.1:9/graphql").replace("keys/", "away/");
    env.write(
        "here/away.yaml",
        away.replace("f8588dc7-e1ce-4d92-a473-809a0a357ad9", "00000000-0000-4000-a000-000000000000"),
    );
    let said = env.run(&["apply", "--auto-approve", "here"]);
    assert_eq!(said.code, 6, "{}", said.all());
    let (_, endings) = said.stdout.split_once("2 organisations\n").unwrap();
    assert_eq!(
        endings.lines().collect::<Vec<_>>(),
        [
            "  unreachable       bitpanda 00000000-0000-4000-a000-000000000000",
            "  done              bitpanda f8588dc7-e1ce-4d92-a473-809a0a357ad9"
        ]
    );
}

/// Reading takes long.
#[cfg(unix)]
const SLOW: &[&str] = &["--fault", "latency=20000@members"];

/// Creates a folder with two organisations. `more`: options of the server of the second.
fn two_organisations(more: &[&str]) -> (Env, Vec<crate::support::cli::Server>) {
    let (mut env, bitpanda) = served(ProviderName::Bitpanda, &[]);
    env.write("a/1.yaml", env.read("file.yaml"));
    let hive = env.serve_example(ProviderName::Hive, more);
    let [(_, token)] = (rolecall_sandbox::definition(ProviderName::Hive).own_credentials)()[..] else {
        panic!("one token")
    };
    env.set("HIVE_TOKEN", token);
    env.write("a/2.yaml", env.read("file.yaml"));
    (env, vec![bitpanda, hive])
}

/// An approved plan needs every organisation. If one can't be connected to, the report also names the others.
#[test]
fn an_organisation_that_the_run_never_got_to_is_in_the_report() {
    let (mut env, _servers) = two_organisations(&[]);
    assert_eq!(env.run(&["plan", "a", "--out", "plan.json"]).code, 0);
    env.set("HIVE_TOKEN", "");
    let said = env.run(&["apply", "a", "--plan", "plan.json", "--report", "json=1.json", "--shard", "1/1"]);
    assert!(said.code == 1 && said.stdout.contains("nothing was sent  bitpanda"), "{}", said.all());
    let said = env.run(&["merge", "1.json", "--format", "json"]);
    assert_eq!(said.code, 1, "{}", said.all());
    let outcomes: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    let told = |index: usize| {
        let organization = &outcomes["organizations"][index];
        (organization["provider"].as_str().unwrap(), organization["ending"].as_str().unwrap())
    };
    assert_eq!([told(0), told(1)], [("bitpanda", "nothing was sent"), ("hive", "error")]);
}

#[cfg(unix)]
#[test]
fn a_ctrl_c_between_two_organisations_tells_of_both_and_is_no_success() {
    let (env, _servers) = two_organisations(SLOW);
    let mut child = env
        .command()
        .args(["apply", "--auto-approve", "a"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut output = String::new();
    while !output.contains("live and the file are in sync") && stdout.read_line(&mut output).unwrap() > 0 {}
    let began = Instant::now();
    std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    stdout.read_to_string(&mut output).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(5), "{output}");
    assert!(began.elapsed() < Duration::from_secs(15), "it waited for the second to be read");
    let (_, endings) = output.split_once("2 organisations\n").unwrap_or_else(|| panic!("{output}"));
    assert!(endings.contains("done              bitpanda"), "{endings}");
    assert!(
        endings.contains("partly applied    hive acme") || endings.contains("nothing was sent  hive"),
        "{endings}"
    );
}

/// Changes the world that the sandbox of this folder has stored. It is created first if it doesn't exist.
fn change_world(env: &Env, provider: &str, change: impl Fn(&mut serde_json::Value)) {
    drop(env.serve(&["--provider", provider]));
    let folder = std::fs::read_dir(env.path(".rolecall/sandbox")).unwrap();
    let mut worlds = folder.map(|entry| entry.unwrap().path());
    let path = worlds.find(|path| path.extension().is_some_and(|it| it == "json")).unwrap();
    let mut world: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    change(&mut world);
    std::fs::write(path, world.to_string()).unwrap();
}

/// The beginning of a file for Hive.
const HIVE: &str = "provider: hive\norganization: acme\nendpoint: https://api.graphql-hive.com/graphql\n\
    credentials: { token: { env: HIVE_TOKEN } }\n";

/// Nobody can know it from a read: another system manages this user, so the platform refuses every change.
#[test]
fn an_apply_that_could_not_do_what_was_approved_is_no_success_in_any_report() {
    let env = Env::new();
    change_world(&env, "hive", |world| {
        let members = world["members"].as_array_mut().unwrap();
        let ghost = members.iter_mut().find(|member| member["email"] == "ghost@acme.example").unwrap();
        ghost["provisioned"] = true.into();
    });
    env.write("file.yaml", format!("{HIVE}acknowledged: [user/jane@acme.example]\nusers: [{{ email: ghost@acme.example, absent: true }}]\n"));
    assert_eq!(env.run(&["plan", "--sandbox", "file.yaml", "--out", "p.json"]).code, 0);
    let reports = ["json", "junit", "markdown", "github"].map(|format| format!("--report={format}={format}.out"));
    let mut args = vec!["apply", "--sandbox", "file.yaml", "--plan", "p.json"];
    args.extend(reports.iter().map(String::as_str));
    let said = env.run(&args);
    assert_eq!(said.code, 5, "{}", said.all());
    let last =
        "1 done, 1 skipped. A last read shows nothing more to send. Needs attention: user/ghost@acme.example.";
    assert_eq!(said.stdout.trim_end().lines().last(), Some(last), "{}", said.all());
    let outcomes: serde_json::Value = serde_json::from_str(&env.read("json.out")).unwrap();
    assert_eq!(outcomes["organizations"][0]["exit"], 5);
    let junit = quick_junit::Report::deserialize_from_str(&env.read("junit.out")).unwrap();
    assert_eq!((junit.tests, junit.failures), (3, 2), "the run, and the user: {}", env.read("junit.out"));
    assert!(
        env.read("markdown.out").contains("Partly applied: 1 done, 1 skipped"),
        "{}",
        env.read("markdown.out")
    );
    assert!(env.read("github.out").contains("::error"), "{}", env.read("github.out"));
    // From now on it is known before anything is approved.
    let said = env.run(&["apply", "--sandbox", "--auto-approve", "file.yaml"]);
    assert_eq!(said.code, 0, "{}", said.all());
}

/// Checks that each verb refuses the files in `m`, or `apply` alone if `more` are options of it.
fn refused(env: &Env, more: &[&str], message: &str) {
    let verbs: [&[&str]; 3] = [&["apply", "--sandbox", "--auto-approve"], &["plan", "--sandbox"], &["validate"]];
    for verb in if more.is_empty() { &verbs[..] } else { &verbs[..1] } {
        let said = env.run(&[*verb, &["m"], more].concat());
        assert_eq!(said.code, 1, "{verb:?} {}", said.all());
        assert!(said.all().contains(message), "{verb:?} {message} {}", said.all());
    }
    assert!(!env.path(".rolecall").exists(), "something was sent");
}

/// Returns a file with two keys, whose secrets go to these files.
fn two_keys(one: &str, two: &str) -> String {
    format!(
        "{HIVE}keys:\n  - {{ name: one, description: d, permissions: [project:describe], resources: all, deliver: {{ file: {one} }} }}\n  \
         - {{ name: two, description: d, permissions: [project:describe], resources: all, deliver: {{ file: {two} }} }}\n"
    )
}

#[cfg(unix)]
#[test]
fn no_two_secrets_go_to_one_file_whatever_the_paths_are() {
    let too = "The secret of another key is written to the file";
    // A staging and a production file that somebody copied.
    let env = Env::new();
    let bitpanda = crate::support::cli::example("bitpanda.yaml").replace("keys/ci-pipeline.key", "keys/ci.key");
    env.write("m/b.yaml", bitpanda);
    env.write(
        "m/h.yaml",
        crate::support::cli::example("hive.yaml").replace("keys/ci-publisher.key", "keys/ci.key"),
    );
    refused(&env, &[], too);
    let env = Env::new();
    env.write("keys/keep", "");
    std::os::unix::fs::symlink("keys", env.path("alias")).unwrap();
    let folder = env.path("").file_name().unwrap().to_string_lossy().into_owned();
    for same in [env.path("keys/a").display().to_string(), format!("../{folder}/keys/a"), "alias/a".to_owned()] {
        env.write("m/h.yaml", two_keys("keys/a", &same));
        refused(&env, &[], too);
    }
    let new = env.path("keys/new/deep/a").display().to_string();
    env.write("m/h.yaml", two_keys("keys/new/deep/a", &new));
    refused(&env, &[], too);
    for (one, two) in [("keys/a", "keys/a/b"), ("keys/a/b", "keys/a")] {
        env.write("m/h.yaml", two_keys(one, two));
        refused(&env, &[], "it or the file of another key would be a folder");
    }
}

#[cfg(unix)]
#[test]
fn no_secret_goes_to_a_file_that_the_run_uses_otherwise() {
    let env = Env::new();
    env.write("r.json", "");
    std::os::unix::fs::symlink("r.json", env.path("link.json")).unwrap();
    let report = format!("json={}", env.path("r.json").display());
    let cases: [(&str, &[&str], &str); 7] = [
        ("keys/.b.rolecall-new", &[], "has a name that rolecall uses for a secret on its way"),
        ("m/h.yaml", &[], "is a file that this run reads"),
        ("r.json", &["--report", &report], "is where the secret of a key goes"),
        ("r.json", &["--report", "json=link.json"], "is where the secret of a key goes"),
        ("l.jsonl", &["--ledger", "./l.jsonl"], "is the file of `--ledger`"),
        ("u.yaml", &["--undo-out", "u.yaml"], "is the file of `--undo-out`"),
        ("p.json", &["--plan", "p.json"], "is the file of `--plan`"),
    ];
    for (target, more, message) in cases {
        let absolute = env.path(target).display().to_string();
        env.write("m/h.yaml", two_keys(&absolute, "keys/b"));
        refused(&env, more, message);
    }
    // A report must not overwrite the ledger either.
    env.write("m/h.yaml", two_keys("keys/a", "keys/b"));
    refused(&env, &["--report", "json=l.jsonl", "--ledger", "l.jsonl"], "is the file of `--ledger`");
}

#[test]
fn nothing_that_a_run_writes_replaces_a_ledger_a_credential_or_a_secret() {
    const LEDGER: &str = ".rolecall/ledger/hive-acme.jsonl";
    let (env, _server) = served(ProviderName::Hive, &[]);
    let text = env.read("file.yaml").replace("{ env: HIVE_TOKEN }", "{ file: token }");
    env.write("file.yaml", text.replace("file: keys/ci-publisher.key", "env_file: .env, name: TOKEN"));
    let used = [
        (LEDGER, "in the folder where rolecall keeps ledgers"),
        ("token", "the file of a credential"),
        (".env", "where the secret of a key goes"),
        ("ca.pem", "the file of `--ca-file`"),
    ];
    for (file, _) in used {
        env.write(file, "precious");
    }
    let outputs = [
        ("validate", "--report=json="),
        ("plan", "--report=json="),
        ("plan", "--out="),
        ("apply", "--report=json="),
        ("drift", "--report=json="),
        ("drift", "--metrics-file="),
        ("access", "--report=json="),
        ("keys", "--report=json="),
        ("keys", "--metrics-file="),
        ("doctor", "--report=json="),
    ];
    for (verb, output) in outputs {
        // This verb connects to nothing.
        let of_run = if verb == "validate" { &[][..] } else { &["--ca-file=ca.pem"] };
        for (file, what) in &used[..3 + of_run.len()] {
            let output = format!("{output}{file}");
            let said = env.run(&[&[verb, "file.yaml", &output], of_run].concat());
            assert_eq!(said.code, 1, "{verb} {output}: {}", said.all());
            let is_refused = [what, "one would overwrite the other"].iter().any(|it| said.stderr.contains(it));
            assert!(is_refused, "{verb} {output}: {}", said.all());
            assert_eq!(env.read(file), "precious", "{verb} {output}");
        }
    }
}

#[test]
fn a_command_that_does_not_read_its_secret_fails_each_time() {
    for command in [r#"["true"]"#, r#"["sh", "-c", "sleep 0.1; exit 0"]"#, r#"["sh", "-c", "head -c 5"]"#] {
        for _ in 0..3 {
            let (env, _server) = served(ProviderName::Bitpanda, &[]);
            let file =
                env.read("file.yaml").replacen("file: keys/ci-pipeline.key", &format!("command: {command}"), 1);
            env.write("file.yaml", file);
            let said = env.run(&[APPLY, &["--allow-commands"]].concat());
            assert_eq!(said.code, 5, "{command} {}", said.all());
            assert!(said.stdout.contains("succeeded without reading the secret"), "{command} {}", said.all());
        }
    }
}

#[cfg(unix)]
#[test]
fn what_rolecall_keeps_is_its_owners_alone_whatever_the_umask_is() {
    use std::os::unix::fs::PermissionsExt;
    let env = Env::with_example();
    let said =
        env.run_within("umask 0; exec \"$0\" \"$@\"", &["apply", "--sandbox", "--auto-approve", "bitpanda.yaml"]);
    assert_eq!(said.code, 0, "{}", said.all());
    let mut folders = vec![env.path(".rolecall")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        assert_eq!(
            std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777,
            0o700,
            "{}",
            folder.display()
        );
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            files += 1;
            assert_eq!(
                std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
                0o600,
                "{}",
                path.display()
            );
        }
    }
    assert!(files > 3);
    let (env, _server) = served(ProviderName::Bitpanda, &[]);
    let said = env.run_within("umask 0; exec \"$0\" \"$@\"", APPLY);
    assert_eq!(said.code, 0, "{}", said.all());
    for folder in ["keys", ".local/state/rolecall"] {
        assert_eq!(std::fs::metadata(env.path(folder)).unwrap().permissions().mode() & 0o777, 0o700, "{folder}");
    }
}

/// Each folder has a ledger of its own, so only the lock of the organisation keeps them apart.
#[test]
fn two_applies_of_one_organisation_in_two_folders_send_one_mail() {
    let (env, _server) = served(ProviderName::Hive, &["--fault", "latency=30"]);
    let mut children = Vec::new();
    for folder in ["a", "b"] {
        std::fs::create_dir(env.path(folder)).unwrap();
        let mut command = env.command();
        command.args(["apply", "--auto-approve", "../file.yaml"]).current_dir(env.path(folder));
        children.push(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    }
    let said: Vec<Said> = children.into_iter().map(|child| env.said(&child.wait_with_output().unwrap())).collect();
    let codes: Vec<i32> = said.iter().map(|said| said.code).collect();
    let told: String = said.iter().map(Said::all).collect();
    assert!(codes.contains(&0) && codes.iter().all(|code| matches!(code, 0 | 1)), "{codes:?} {told}");
    assert_eq!(mails(&env).len(), 1, "{told}");
    assert!(codes == [0, 0] || told.contains("Another apply of this organisation is running"), "{told}");
}

#[test]
fn a_ledger_that_is_none_stops_plan_and_apply_before_anything_is_sent() {
    let env = Env::with_example();
    let set = ["--set", "duplicate-invite=resent", "--set", "invitees=hidden"];
    drop(env.serve(&[&["--provider", "bitpanda"], &set[..]].concat()));
    let apply = ["apply", "--sandbox", "--auto-approve", "bitpanda.yaml"];
    assert_eq!(env.run(&apply).code, 0);
    let ledger = ".rolecall/sandbox/ledger/bitpanda-f8588dc7-e1ce-4d92-a473-809a0a357ad9.jsonl";
    let whole = env.read(ledger);
    for other in
        ["<!doctype html>\n<title>Sign in</title>\n".to_owned(), env.read("bitpanda.yaml"), "\0".repeat(4096)]
    {
        env.write(ledger, &other);
        for verb in [&apply[..], &["plan", "--sandbox", "bitpanda.yaml"]] {
            let said = env.run(verb);
            assert_eq!(said.code, 1, "{}", said.all());
            assert!(said.stderr.contains("is damaged"), "{}", said.all());
        }
        assert_eq!(env.read(ledger), other, "nothing is appended");
    }
    assert_eq!(mails(&env).len(), 1);
    // A line that broke off is skipped, and the plan says so.
    env.write(ledger, &whole[..whole.len() - 20]);
    let said = env.run(&["plan", "--sandbox", "bitpanda.yaml"]);
    assert_eq!(said.code, 0, "{}", said.all());
    assert!(said.stderr.contains("is incomplete, because its writer was killed"), "{}", said.all());
    let said = env.run(&["plan", "--sandbox", "bitpanda.yaml", "--ledger", "nope/x"]);
    assert_eq!(said.code, 0, "{}", said.all());
    assert!(said.stderr.contains("There is no ledger nope/x, which `--ledger` names"), "{}", said.all());
}

/// A file is created before the disk tells that it is full.
#[cfg(unix)]
#[test]
fn an_empty_ledger_that_a_full_disk_leaves_is_like_none() {
    let (env, _server) = served(ProviderName::Hive, &[]);
    let with_ledger = |args: &[&'static str]| [args, &["--ledger", "own.jsonl"]].concat();
    let said = env.run_within("ulimit -f 0; exec \"$0\" \"$@\"", &with_ledger(APPLY));
    assert_eq!((said.code, &*env.read("own.jsonl")), (1, ""), "{}", said.all());
    let said = env.run(&with_ledger(&["plan", "file.yaml"]));
    assert!(said.stdout.contains("the ledger: There is none yet"), "{}", said.all());
    assert!(said.stderr.contains("Nothing is in the ledger own.jsonl, which `--ledger` names"), "{}", said.all());
    assert_eq!(env.run(&with_ledger(APPLY)).code, 0);
    assert_eq!(mails(&env).len(), 1);
}

#[test]
fn show_says_what_a_file_is_that_it_can_not_show() {
    let env = Env::new();
    env.write("l.jsonl", "");
    let said = env.run(&["show", "l.jsonl"]);
    assert_eq!(said.code, 0, "{}", said.all());
    assert!(
        said.stderr.contains("The file l.jsonl is empty. A ledger is, until something is sent."),
        "{}",
        said.all()
    );
    env.write("other.json", "{}");
    let said = env.run(&["show", "other.json"]);
    assert_eq!(said.code, 1, "{}", said.all());
    assert!(said.stderr.contains("is not a plan: it has no `format_version`"), "{}", said.all());
}

#[cfg(unix)]
#[test]
fn a_run_whose_ledger_is_on_a_full_disk_does_not_say_that_it_is_recorded() {
    let (env, _server) = served(ProviderName::Hive, &[]);
    let said = env.run_within("trap '' XFSZ; ulimit -f 4; exec \"$0\" \"$@\"", APPLY);
    assert!(said.stdout.contains("rolecall sends nothing that it can't record"), "{}", said.all());
    assert!(!said.stderr.contains("are recorded in"), "{}", said.all());
}

/// A file with a role that the plan creates, and people who get it.
fn readers(env: &Env, server: &crate::support::cli::Server, more: &str) {
    let people = ["sam", "ghost", "left", "alice"]
        .map(|name| format!("  - {{ email: {name}@acme.example, roles: [Reader], resources: all }}\n"));
    let head = HIVE.replace("https://api.graphql-hive.com/graphql", &server.url);
    env.write(
        "file.yaml",
        format!(
            "{head}guardrails: {{ max_removals: 100% }}\nroles:\n  - {{ name: Reader, description: Reads, permissions: [project:describe] }}\nusers:\n{}{more}",
            people.concat()
        ),
    );
}

/// Whoever reruns the job of an approved plan needs no other approval.
#[test]
fn an_approved_plan_that_was_killed_goes_on_where_it_was() {
    for done in 1..=4 {
        let (env, server) = served(ProviderName::Hive, &["--fault", "latency=60"]);
        readers(&env, &server, "  - { email: fresh@acme.example, roles: [Reader], resources: all }\n");
        assert_eq!(env.run(&["plan", "--out", "p.json", "file.yaml"]).code, 0);
        let apply = ["apply", "--plan", "p.json", "--parallelism", "1", "file.yaml"];
        let mut child = env.command().args(apply).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut output = String::new();
        while output.matches("  done  ").count() < done && stdout.read_line(&mut output).unwrap() > 0 {}
        child.kill().unwrap();
        child.wait().unwrap();
        let said = env.run(&apply);
        assert_eq!(said.code, 0, "{done} {}", said.all());
        assert!(said.stderr.contains("Already done, so not sent again: role/Reader"), "{}", said.all());
        assert!(in_sync(&env), "{done}");
        assert_eq!(mails(&env).len(), 1, "{done}");
        // Nothing is left of it.
        let said = env.run(&apply);
        assert_eq!(said.code, 0, "{}", said.all());
        assert!(said.stderr.contains("user/sam@acme.example"), "{}", said.all());
    }
}

#[test]
fn an_approved_plan_of_which_a_part_no_longer_stands_ends_with_4_whatever_is_done() {
    let (env, server) = served(ProviderName::Hive, &[]);
    readers(&env, &server, "");
    env.run(&["plan", "--out", "p.json", "file.yaml"]);
    assert_eq!(env.run(&["apply", "--plan", "p.json", "--target", "user/sam@acme.example", "file.yaml"]).code, 0);
    // An address with a typing error is not one that is done.
    let said = env.run(&["apply", "--plan", "p.json", "--target", "user/smm@acme.example", "file.yaml"]);
    assert_eq!(said.code, 1, "{}", said.all());
    assert!(said.stderr.contains("no change has the address user/smm@acme.example"), "{}", said.all());
    // Somebody gives Ghost another role.
    drop(server);
    change_world(&env, "hive", |world| {
        let roles = world["roles"].as_array().unwrap();
        let other = roles.iter().find(|role| role["name"] == "Release manager").unwrap()["id"].clone();
        let members = world["members"].as_array_mut().unwrap();
        members.iter_mut().find(|member| member["email"] == "ghost@acme.example").unwrap()["role_id"] = other;
    });
    let server = env.serve(&["--provider", "hive"]);
    readers(&env, &server, "");
    let typo = env.run(&["apply", "--plan", "p.json", "--target", "user/smm@acme.example", "file.yaml"]);
    assert_eq!(typo.code, 1, "{}", typo.all());
    let said = env.run(&["apply", "--plan", "p.json", "file.yaml"]);
    assert_eq!(said.code, 4, "{}", said.all());
    assert!(said.stderr.contains("1 approved change of hive acme is out of date"), "{}", said.all());
    let said = env.run(&["apply", "--plan", "p.json", "--only-standing", "file.yaml"]);
    assert_eq!(said.code, 5, "{}", said.all());
    assert!(said.stdout.contains("2 done"), "{}", said.all());
}

#[test]
fn an_approved_plan_that_can_no_longer_be_made_is_out_of_date() {
    let env = Env::new();
    let text =
        format!("{HIVE}users: [{{ email: sam@acme.example, roles: [Viewer], resources: {{ blog: all }} }}]\n");
    env.write("file.yaml", text);
    assert_eq!(env.run(&["plan", "--sandbox", "file.yaml", "--out", "p.json"]).code, 0);
    change_world(&env, "hive", |world| {
        world["projects"].as_array_mut().unwrap().retain(|project| project["slug"] != "blog");
        let text = world.to_string();
        assert!(!text.contains("\"slug\":\"blog\""));
    });
    let said = env.run(&["apply", "--sandbox", "file.yaml", "--plan", "p.json"]);
    assert_eq!(said.code, 4, "{}", said.all());
    assert!(!said.stdout.contains("  done  "), "{}", said.all());
}
