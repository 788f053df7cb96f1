//! The targets of a new key's secret: files, variables, commands, age, and several of them.

use std::fs;
use std::path::Path;

use crate::support::bitpanda::{Rig, key, world};
use crate::support::cli::{Env, Said, Server, example, served};
use crate::support::rig::{Fate, addresses, now};
use rolecall_engine::apply::{Deliveries, Report};
use rolecall_engine::ledger::Event;
use rolecall_model::{Outcome, ProviderName};
use rolecall_sandbox::digest;
use serde_json::json;
use tempfile::TempDir;

/// A secret that must not be seen anywhere.
const CANARY: &str = "canary-Zq81xV-secret";

const AGE: &str = "age19l29jnv7njm0a7glxnfcsm6e59urz8h3qwcawsfnjm4k4xrc940su49usf";
const SSH: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIL3oBnYC+86ZHncQigVDVoYVKqWyPgKtMMR5a5XybQK3 sam@acme.example";

const RSA: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQDSY2y439LQolVTOqAwVjFst91dp8F/kNJqWLmx1/SqUra5myQFz/B76FcN2fUC0jJEDv7Lh99zMqi3ZoqgVolzI8923pDma/YdqSRpwUfLIssqZUdJoad8Tn3zytOSWUN2G1FZ2yVc7+4LURR1CLzjrmioiz/JhfKZB8aBAZQJQE8wNseuFrtb3SWU4lcEmgGWTO9tA72myaNEIxjwF+4T/YVikrJyeyhd1opuiU8znJlhoCkRHb1bm6YaDubIGdblcAYKmK0Yo+Dth5F+trM7Hh6gpSat7/6NrN7ZMnbrQMZApF/CfO8AJJDQeSp9TdiNjkFlI45yGldr6nAvwgbR x";

/// Creates an organisation whose key `ci` must be replaced. Its secret goes to real files and programs.
fn rig(deliver: &str) -> Rig {
    let mut world = world();
    world.keys.push(key("old", "ci", &["A"], "s"));
    let body = format!("keys: [{{ name: ci, roles: [B], expires: 2031-01-01T00:00:00Z, deliver: {deliver} }}]");
    let mut rig = Rig::new(world, &body);
    rig.deliveries = Deliveries { allow_commands: true, ..Deliveries::default() };
    rig
}

/// Applies, with this secret for the new key.
fn apply(rig: &mut Rig, secret: &str) -> Report {
    let secret = secret.to_owned();
    rig.wire.forge(move |data| {
        let new = &mut data["createOrgApiKey"]["orgApiKey"];
        if new.is_string() {
            *new = json!(secret);
        }
    });
    let plan = rig.plan();
    rig.apply_plan_in_real_time(&plan)
}

/// Returns the first message, after a check that nothing shows the secret.
fn message(rig: &Rig, report: &Report) -> String {
    let said = format!("{report:?} {:?}", rig.ledger.records());
    assert!(!said.contains(CANARY), "{said}");
    report.steps[0].message.clone().unwrap_or_default()
}

/// Returns the enabled keys with the name `ci`.
fn enabled(rig: &Rig) -> usize {
    rig.world().keys.iter().filter(|key| key.name == "ci" && key.enabled).count()
}

/// Writes the secret into a file with this text, and returns the new text, or why there is none.
fn env_file(before: &[u8], secret: &str) -> Result<String, String> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join(".env");
    if !before.is_empty() {
        fs::write(&path, before).unwrap();
    }
    let mut rig = rig(&format!("{{ env_file: {}, name: TOKEN }}", path.display()));
    let report = apply(&mut rig, secret);
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(names.iter().all(|name| name == ".env"), "{names:?}");
    if report.steps[0].outcome == Outcome::Done {
        return Ok(fs::read_to_string(path).unwrap());
    }
    assert_eq!(fs::read(path).unwrap_or_default(), before, "a failure keeps the file");
    Err(message(&rig, &report))
}

#[test]
fn a_variable_is_replaced_or_appended_and_every_other_byte_stays() {
    let cases = [
        ("", "TOKEN=CANARY\n"),
        ("A=1\n", "A=1\nTOKEN=CANARY\n"),
        ("A=1", "A=1\nTOKEN=CANARY\n"),
        ("A=1\r\n# x\r\n", "A=1\r\n# x\r\nTOKEN=CANARY\r\n"),
        ("A=1\r\nB=2", "A=1\r\nB=2\r\nTOKEN=CANARY\r\n"),
        ("# TOKEN=no\n\n TOKEN = old # mine\r\nB=2\n", "# TOKEN=no\n\n TOKEN=CANARY\r\nB=2\n"),
        ("export TOKEN='a b'\nB=\"it's\"\n\n\n", "export TOKEN=CANARY\nB=\"it's\"\n\n\n"),
        ("\u{feff}TOKEN=old", "\u{feff}TOKEN=CANARY"),
        ("TOKEN: old\nMY_TOKEN=1\nTOKEN_2=2\nTOKEN.3=3\n", "TOKEN=CANARY\nMY_TOKEN=1\nTOKEN_2=2\nTOKEN.3=3\n"),
        ("KEY=\"-----BEGIN\nx=1\n-----END\"\nTOKEN=\n", "KEY=\"-----BEGIN\nx=1\n-----END\"\nTOKEN=CANARY\n"),
        ("A='x\\'\nTOKEN=\"a\\\"b\"\n", "A='x\\'\nTOKEN=CANARY\n"),
        ("A=it's\nURL=x?TOKEN=1\nTOKEN=2\nB=ä\n", "A=it's\nURL=x?TOKEN=1\nTOKEN=CANARY\nB=ä\n"),
    ];
    for (before, after) in cases {
        assert_eq!(env_file(before.as_bytes(), CANARY), Ok(after.replace("CANARY", CANARY)), "{before:?}");
    }
}

#[test]
fn a_file_whose_variable_readers_could_mistake_is_refused_before_anything_is_sent() {
    let cases: [(&[u8], &str); 9] = [
        (b"A=\xff\n", "isn't UTF-8"),
        (b"TOKEN=1\nexport TOKEN=2\n", "it is there twice, on lines 1 and 2"),
        (b"A=1\nTOKEN='a\nb'\n", "its value on line 2 has several lines"),
        (b"TOKEN=a\\\nb\n", "its value on line 1 has several lines"),
        (b"A=`x\nTOKEN=1\ny`\n", "line 2 looks like it, but belongs to the value that begins on line 1"),
        (b"A=C:\\\nTOKEN=1\n", "belongs to the value that begins on line 1"),
        (b"A=1\nB=\"x\n", "the value that begins on line 2 doesn't end"),
        (b"A=1\rTOKEN=2\r", "line ends that not every reader understands"),
        (b"A=\0\n", "characters or line ends"),
    ];
    for (before, why) in cases {
        let said = env_file(before, CANARY).unwrap_err();
        assert!(said.starts_with("Nothing was sent") && said.contains(why), "{why}: {said}");
    }
}

#[test]
fn a_secret_is_quoted_so_that_a_shell_reads_it_as_it_is() {
    for secret in [CANARY, "a b#c", "it's", "$HOME", "\"", "~root", "=", "a;b", "ä", "{a,b}", "*"] {
        let text = env_file(b"A=1\n", secret).unwrap();
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("env"), text).unwrap();
        let shell = std::process::Command::new("sh")
            .args(["-c", ". ./env; printf %s \"$TOKEN\""])
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert_eq!(String::from_utf8(shell.stdout).unwrap(), secret);
    }
    for secret in ["a\\b", "it's $5", "it's \"x\"", "a\nb"] {
        let said = env_file(b"A=1\n", secret).unwrap_err();
        assert!(said.contains("shells and dotenv readers read in different ways"), "{said}");
        assert!(said.contains("was retired at once. The old key still works."), "{said}");
    }
}

#[cfg(unix)]
#[test]
fn a_file_of_variables_keeps_its_mode_and_a_new_one_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = TempDir::new().unwrap();
    let mode = |name: &str| fs::metadata(folder.path().join(name)).unwrap().permissions().mode() & 0o777;
    for (name, before) in [("new", None), ("shared", Some(0o640)), ("read-only", Some(0o444))] {
        let path = folder.path().join(name);
        if let Some(before) = before {
            fs::write(&path, "A=1\n").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(before)).unwrap();
        }
        let mut rig = rig(&format!("{{ env_file: {}, name: TOKEN }}", path.display()));
        assert_eq!(apply(&mut rig, CANARY).steps[0].outcome, Outcome::Done);
        assert_eq!(mode(name), before.unwrap_or(0o600), "{name}");
    }
}

#[test]
fn one_secret_goes_to_several_variables_of_a_file() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join(".env");
    fs::write(&path, "B=1\nONE=old\n").unwrap();
    let shown = path.display();
    let mut rig = rig(&format!("[{{ env_file: {shown}, name: ONE }}, {{ env_file: {shown}, name: TWO }}]"));
    assert_eq!(apply(&mut rig, CANARY).steps[0].outcome, Outcome::Done);
    assert_eq!(fs::read_to_string(path).unwrap(), format!("B=1\nONE={CANARY}\nTWO={CANARY}\n"));
}

#[test]
fn every_target_is_prepared_before_the_key_is_minted() {
    let folder = TempDir::new().unwrap();
    let good = folder.path().join("good");
    let good = good.display();
    let bad = [
        "{ file: /proc/no/k }".to_owned(),
        "{ env_file: /proc/k, name: A }".to_owned(),
        "{ file: /dev/full }".to_owned(),
        "{ env_file: /dev/zero, name: A }".to_owned(),
        "{ command: [no-such-program-here] }".to_owned(),
        format!("{{ file: {good}/below }}"),
    ];
    fs::write(good.to_string(), "old").unwrap();
    for bad in bad {
        let mut rig = rig(&format!("[{{ file: {good} }}, {bad}]"));
        let report = apply(&mut rig, CANARY);
        assert!(message(&rig, &report).starts_with("Nothing was sent"), "{bad} {report:?}");
        assert!(rig.wire.mutations().is_empty());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "{bad} leaves something behind");
        assert_eq!(fs::read_to_string(good.to_string()).unwrap(), "old");
    }
}

/// Returns what the ledger says about the delivery: the targets that have the secret, and the others. Also checks that it
/// has the fingerprint of a secret that arrived.
fn recorded(rig: &Rig) -> (bool, Vec<String>, Vec<String>) {
    let facts = rig.ledger.facts();
    let minted = facts.minted.values().next().unwrap();
    let fingerprint = format!("sha256:{}", &digest(CANARY)[..16]);
    let receipt = minted.receipt.clone().unwrap();
    assert_eq!((minted.at, receipt.at), (now(), now()));
    assert_eq!(receipt.fingerprint, minted.delivered.then_some(fingerprint));
    let found = rig.ledger.records().iter().find_map(|record| match &record.event {
        Event::Delivery { arrived, begun: false, to, not_to, .. } => Some((*arrived, to.clone(), not_to.clone())),
        _ => None,
    });
    found.unwrap()
}

#[test]
fn a_secret_that_reached_one_of_several_targets_is_kept_and_the_rest_is_named() {
    let folder = TempDir::new().unwrap();
    let (a, b) = (folder.path().join("a"), folder.path().join("b"));
    let (a, b) = (a.display().to_string(), b.display().to_string());
    let fails = "{ command: [sh, -c, 'cat; cat >&2; exit 3'] }";
    let mut rig = rig(&format!("[{{ file: {a} }}, {fails}, {{ env_file: {b}, name: T }}]"));
    let report = apply(&mut rig, CANARY);
    let said = message(&rig, &report);
    assert_eq!(report.steps[0].outcome, Outcome::Failed);
    assert!(said.contains(&format!("Its secret was delivered to: {a}; the variable T in {b}.")), "{said}");
    assert!(said.contains("It was not delivered to: the command sh with the arguments "), "{said}");
    assert!(said.contains("failed (exit status: 3)") && said.contains("which retires the old key"), "{said}");
    assert_eq!(enabled(&rig), 2, "neither the new nor the old key is retired");
    let (arrived, to, not_to) = recorded(&rig);
    assert!(
        arrived && to == [a.clone(), format!("the variable T in {b}")] && not_to.len() == 1,
        "{to:?} {not_to:?}"
    );
    assert_eq!(fs::read_to_string(&a).unwrap(), CANARY);
    assert_eq!(fs::read_to_string(b).unwrap(), format!("T={CANARY}\n"));
    // The next plan retires the old key, as after every rotation.
    assert_eq!(addresses(&rig.plan()), ["key/ci#old"]);
    // As the message says, another key can be had instead.
    let new = report.steps[0].id.as_ref().unwrap();
    rig.set_file(&format!(
        "keys: [{{ name: ci, roles: [B], expires: 2031-01-01T00:00:00Z, deliver: {{ file: {a} }} }}, {{ name: ci, id: {new}, absent: true }}]"
    ));
    assert_eq!(addresses(&rig.plan()), ["key/ci".to_owned(), format!("key/ci#{new}")]);
    assert_eq!(apply(&mut rig, "another").steps[0].outcome, Outcome::Done);
    assert_eq!(
        (fs::read_to_string(a).unwrap(), addresses(&rig.plan())),
        ("another".to_owned(), vec!["key/ci#old".to_owned()])
    );
}

/// Somebody replaces a leaked key at once. Even so, no program loses a key that works before it can have the new one.
#[test]
fn a_key_that_must_go_stays_until_every_target_has_the_new_secret() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("k");
    let mut rig = rig("{ file: x }");
    let with = |command: &str| {
        format!(
            "keys: [{{ name: ci, id: old, absent: true }}, {{ name: ci, roles: [B], expires: 2031-01-01T00:00:00Z, deliver: [{{ file: {} }}, {{ command: {command} }}] }}]",
            file.display()
        )
    };
    rig.set_file(&with("['false']"));
    assert_eq!(addresses(&rig.plan()), ["key/ci", "key/ci#old"]);
    let report = apply(&mut rig, CANARY);
    let outcomes: Vec<Outcome> = report.steps.iter().map(|step| step.outcome).collect();
    assert_eq!((outcomes, enabled(&rig)), (vec![Outcome::Failed, Outcome::Skipped], 2), "{report:?}");
    assert_eq!(addresses(&rig.plan()), ["key/ci#old"]);
}

#[test]
fn a_secret_that_reached_no_target_retires_the_key() {
    let mut rig =
        rig("[{ command: ['false'] }, { command: ['true'] }, { command: [sh, -c, 'exec <&-; echo x'] }]");
    let report = apply(&mut rig, CANARY);
    let said = message(&rig, &report);
    assert!(said.contains("failed (exit status: 1); `") && said.contains("without reading the secret"), "{said}");
    assert!(
        said.contains("was retired at once. The old key still works. Before it failed, `the command false`"),
        "{said}"
    );
    assert!(said.contains("may have stored the secret of this key, and that secret doesn't work."), "{said}");
    assert_eq!((enabled(&rig), recorded(&rig).0, recorded(&rig).2.len()), (1, false, 3));
}

#[test]
fn a_key_that_can_not_be_retired_either_is_retired_by_the_next_run() {
    let mut rig = rig("[{ command: ['false'] }, { command: ['false'] }]");
    rig.wire.set_fates(&[Fate::Fine, Fate::DropBefore]);
    let report = apply(&mut rig, CANARY);
    assert!(message(&rig, &report).contains("The next run retires it"));
}

#[test]
fn a_command_that_hangs_is_ended_and_the_others_get_the_secret() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("k");
    let mut rig = rig(&format!("[{{ command: [sleep, '1000'] }}, {{ file: {} }}]", file.display()));
    let plan = rig.plan();
    let report = rig.apply_plan_past_timeouts(&plan);
    assert!(message(&rig, &report).contains("took longer than 60 s and was stopped"), "{report:?}");
    assert!(file.exists());
}

#[test]
fn a_program_that_gets_no_secret_is_named_in_every_report() {
    let folder = TempDir::new().unwrap();
    let (env, _server) = env_with(
        "[{ command: ['false'] }, { command: [sh, -c, 'sleep 25; true'] }, { env_file: x.env, name: KEY }]",
        folder.path(),
    );
    let reports = ["--report", "json=r.json", "--report", "markdown=r.md"];
    let said = env.run(&[APPLY, &["--allow-commands", "--timeout", "3"], &reports].concat());
    assert_eq!(said.code, 5, "{}", said.all());
    let told =
        "Its secret was delivered to: the variable KEY in x.env. It was not delivered to: the command false (";
    for report in [said.stdout.clone(), env.read("r.json"), env.read("r.md")] {
        assert!(report.contains(told), "{report}");
    }
    assert!(said.stdout.contains("took longer than 3 s and was stopped"), "{}", said.all());
    let show = env.run(&["show", LEDGER]);
    let told = "delivered to the variable KEY in x.env, not delivered to the command false";
    assert!(show.stdout.contains(told), "{}", show.all());
    assert!(
        env.run(&["show", LEDGER, "--format", "markdown"])
            .stdout
            .contains("was not delivered to the command false")
    );
    is_silent(&env, &said, env.read("x.env").trim().strip_prefix("KEY=").unwrap());
}

#[test]
fn a_ledger_of_an_earlier_version_names_no_targets() {
    let old = json!({ "event": "delivery", "mutation": "m1", "address": "key/ci", "id": "x", "arrived": true });
    let event: Event = serde_json::from_value(old.clone()).unwrap();
    assert!(
        matches!(&event, Event::Delivery { arrived: true, to, not_to, .. } if to.is_empty() && not_to.is_empty())
    );
    assert_eq!(serde_json::to_value(event).unwrap(), old);
}

// ---- age

const LEDGER: &str = ".rolecall/ledger/bitpanda-f8588dc7-e1ce-4d92-a473-809a0a357ad9.jsonl";

/// A folder outside of every repository, with a program `age` or `rage` that says what it was asked, and prints this.
#[cfg(unix)]
fn fake(name: &str, script: &str) -> TempDir {
    use std::os::unix::fs::PermissionsExt;
    let folder = TempDir::new().unwrap();
    let path = folder.path().join(name);
    let text = format!("#!/bin/sh\nprintf '%s\\n' \"$#\" \"$@\" >> {}/asked\n{script}\n", folder.path().display());
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

const ARMOURS: &str = "echo '-----BEGIN AGE ENCRYPTED FILE-----'; tr 'a-zA-Z' 'n-za-mN-ZA-M'; echo; echo '-----END AGE ENCRYPTED FILE-----'";

/// Serves the example with these deliveries of its new key. The folder comes first on PATH.
fn env_with(deliver: &str, folder: &Path) -> (Env, Server) {
    let (mut env, server) = served(ProviderName::Bitpanda, &[]);
    env.write("file.yaml", env.read("file.yaml").replace("{ file: keys/ci-pipeline.key }", deliver));
    env.set("PATH", &format!("{}:/usr/bin:/bin", folder.display()));
    (env, server)
}

const APPLY: &[&str] = &["apply", "--auto-approve", "file.yaml"];

/// Checks that no output and no ledger has the secret in this file.
fn is_silent(env: &Env, said: &Said, secret: &str) {
    let ledger = env.read(LEDGER);
    assert!(secret.starts_with("sandbox-secret-") && !format!("{}{ledger}", said.all()).contains(secret));
}

#[cfg(unix)]
#[test]
fn age_encrypts_for_all_recipients_without_a_shell_and_without_allow_commands() {
    for name in ["age", "rage"] {
        let folder = fake(name, ARMOURS);
        let deliver = format!("[{{ age: ['{AGE}', '{SSH}'], file: keys/ci.age }}, {{ file: keys/plain }}]");
        let (env, _server) = env_with(&deliver, folder.path());
        let said = env.run(APPLY);
        assert_eq!(said.code, 0, "{}", said.all());
        assert!(
            said.stdout.contains(&format!("secret to keys/ci.age, encrypted to {AGE} and {SSH}")),
            "{}",
            said.all()
        );
        let secret = env.read("keys/plain");
        let armour = env.read("keys/ci.age");
        assert!(
            armour.starts_with("-----BEGIN AGE")
                && armour.contains("fnaqobk-frperg-")
                && !armour.contains(&secret)
        );
        is_silent(&env, &said, &secret);
        // The first run is the proof before anything is sent.
        let asked = fs::read_to_string(folder.path().join("asked")).unwrap();
        let (ssh, _) = SSH.rsplit_once(' ').unwrap();
        let once = format!("6\n--encrypt\n--armor\n--recipient\n{AGE}\n--recipient\n{ssh}\n");
        assert_eq!(asked, once.repeat(2));
        let ledger = env.run(&["show", LEDGER]);
        assert!(
            ledger.stdout.contains(&format!("delivered to keys/ci.age, encrypted to {AGE}")),
            "{}",
            ledger.all()
        );
    }
}

/// The ledger has the fingerprint of the encrypted file before it is written, so the next run recognises it.
#[cfg(unix)]
#[test]
fn an_encrypted_secret_that_a_dead_run_delivered_is_found() {
    let folder = fake("age", ARMOURS);
    let deliver =
        |command: &str| format!("[{{ age: ['{AGE}'], file: keys/ci.age }}, {{ command: [sh, -c, '{command}'] }}]");
    let kills = deliver("cat > secret; kill -9 $PPID");
    let (env, _server) = env_with(&kills, folder.path());
    let apply = [APPLY, &["--allow-commands"]].concat();
    let died = env.run_within("\"$0\" \"$@\"; exit $?", &apply);
    let (secret, file) = (env.read("secret"), env.read("keys/ci.age"));
    assert!(died.code == 137 && file.starts_with("-----BEGIN AGE"), "{}", died.all());
    env.write("file.yaml", env.read("file.yaml").replace(&kills, &deliver("cat > secret")));
    let plan = env.run(&["plan", "file.yaml"]);
    assert!(!plan.all().contains("ci-pipeline"), "{}", plan.all());
    let said = env.run(&apply);
    assert_eq!(said.code, 0, "{}", said.all());
    assert!(
        said.stderr.contains("An earlier run died while it delivered the secret of key/ci-pipeline#"),
        "{}",
        said.all()
    );
    assert!(
        said.stderr.contains("The secret is in `keys/ci.age, encrypted to ")
            && said.stderr.contains("so the key stays. It may be missing in `the command sh with the arguments "),
        "{}",
        said.all()
    );
    assert_eq!((env.read("secret"), env.read("keys/ci.age")), (secret.clone(), file));
    is_silent(&env, &said, &secret);
    let show = env.run(&["show", LEDGER]);
    assert!(show.stdout.contains("the delivery begins to keys/ci.age, encrypted to "), "{}", show.all());
}

/// Encrypts with each real program that this machine has, and decrypts what it wrote.
#[cfg(unix)]
#[test]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn what_a_real_age_or_rage_encrypts_its_own_program_decrypts() {
    use std::process::{Command, Stdio};
    let found = |name: &str| {
        let all = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&all).find(|folder| folder.join(name).is_file())
    };
    for name in ["age", "rage"] {
        let (Some(program), Some(keygen)) = (found(name), found(&format!("{name}-keygen"))) else {
            eprintln!("skipped: there is no {name} on this machine");
            continue;
        };
        // Only this program is on the path of rolecall.
        let folder = TempDir::new().unwrap();
        std::os::unix::fs::symlink(program.join(name), folder.path().join(name)).unwrap();
        let identity = folder.path().join("identity");
        let made = Command::new(keygen.join(format!("{name}-keygen"))).arg("-o").arg(&identity).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let text = fs::read_to_string(&identity).unwrap();
        let recipient = text.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap();
        let deliver = format!("[{{ age: ['{recipient}'], file: keys/ci.age }}, {{ file: keys/plain }}]");
        let (env, _server) = env_with(&deliver, folder.path());
        let said = env.run(APPLY);
        assert_eq!(said.code, 0, "{}", said.all());
        let secret = env.read("keys/plain");
        is_silent(&env, &said, &secret);
        assert!(!env.read("keys/ci.age").contains(&secret));
        let decrypt = Command::new(program.join(name))
            .args(["--decrypt", "--identity"])
            .arg(&identity)
            .arg(env.path("keys/ci.age"))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(decrypt.status.success(), "{}", String::from_utf8_lossy(&decrypt.stderr));
        assert_eq!(String::from_utf8(decrypt.stdout).unwrap(), secret, "{name}");
    }
}

#[cfg(unix)]
#[test]
fn an_age_that_can_not_encrypt_is_noticed_before_anything_is_sent() {
    for (script, why) in [
        ("exit 1", "failed (exit status: 1)"),
        ("cat", "printed something else than an age file"),
        (
            "echo '-----BEGIN AGE ENCRYPTED FILE-----'; cat; echo '-----END AGE ENCRYPTED FILE-----'",
            "something else",
        ),
        ("cat > /dev/null; echo x", "printed something else than an age file"),
    ] {
        let folder = fake("age", script);
        let (env, _server) = env_with(&format!("{{ age: ['{AGE}'], file: keys/ci.age }}"), folder.path());
        let said = env.run(APPLY);
        assert!(said.code == 1 && said.stderr.contains("nothing was sent"), "{script} {}", said.all());
        assert!(said.stderr.contains(why), "{script} {}", said.all());
        assert!(!env.path("keys/ci.age").exists());
    }
    let folder = TempDir::new().unwrap();
    let (env, _server) = env_with(&format!("{{ age: ['{AGE}'], file: keys/ci.age }}"), folder.path());
    let said = env.run(APPLY);
    // Somebody may have installed it on this machine.
    if !["/usr/bin/age", "/bin/age", "/usr/bin/rage", "/bin/rage"].iter().any(|path| Path::new(path).exists()) {
        assert!(said.code == 1 && said.stderr.contains("PATH has no `age` and no `rage`"), "{}", said.all());
    }
}

#[cfg(unix)]
#[test]
fn an_age_that_fails_later_or_echoes_the_secret_retires_the_key_and_shows_nothing() {
    // It works when it is tried, and prints the secret when it gets one.
    let folder =
        fake("age", &format!("if grep -q sandbox-secret /dev/stdin; then exit 4; fi; echo no | {{ {ARMOURS}; }}"));
    let (env, _server) = env_with(&format!("{{ age: ['{AGE}'], file: keys/ci.age }}"), folder.path());
    let said = env.run(APPLY);
    assert_eq!(said.code, 5, "{}", said.all());
    assert!(
        said.stdout.contains("failed (exit status: 4)") && said.stdout.contains("was retired at once"),
        "{}",
        said.all()
    );
    assert!(!said.all().contains("sandbox-secret-") && !env.path("keys/ci.age").exists());
}

#[cfg(unix)]
#[test]
fn an_age_that_a_pull_request_could_bring_is_not_run() {
    let deliver = format!("{{ age: ['{AGE}'], file: keys/ci.age }}");
    let folder = fake("age", ARMOURS);
    for (path, is_repository) in [
        ("bin", false),
        ("./bin", false),
        ("$DIR/bin", false),
        ("$DIR/../bin", true),
        ("", false),
        ("linked", false),
    ] {
        let (mut env, _server) = env_with(&deliver, folder.path());
        // The run is in a folder of the repository, and the program is elsewhere in it.
        let inside = if is_repository { "access/" } else { "" };
        if is_repository {
            env.write(".git/HEAD", "");
        }
        env.write("bin/keep", "");
        env.write(&format!("{inside}file.yaml"), env.read("file.yaml"));
        let program = if path.is_empty() { "age" } else { "bin/age" };
        fs::copy(folder.path().join("age"), env.path(program)).unwrap();
        std::os::unix::fs::symlink(env.path("bin"), env.path("linked")).unwrap();
        let place = env.path(inside);
        let shown = path.replace("$DIR", place.to_str().unwrap());
        env.set("PATH", &format!("{shown}:/usr/bin:/bin"));
        let said = env.run_within(&format!("cd {} && exec \"$0\" \"$@\"", place.display()), APPLY);
        assert!(
            said.stderr.contains("PATH has no `age`") || Path::new("/usr/bin/age").exists(),
            "{path} {}",
            said.all()
        );
        assert!(!folder.path().join("asked").exists(), "{path} {}", said.all());
    }
}

// ---- what the file may say

/// Validates the example of Hive with these deliveries.
fn validated(deliver: &str) -> Said {
    let env = Env::new();
    env.write("file.yaml", example("hive.yaml").replace("{ file: keys/ci-publisher.key }", deliver));
    env.run(&["validate", "file.yaml"])
}

#[test]
fn recipients_and_forms_are_checked_and_a_secret_key_is_not_shown() {
    let hidden = "AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ";
    let wrong_letter = AGE.replacen("age19l29jnv", "age19l29jnq", 1);
    for recipient in [
        hidden,
        &wrong_letter,
        "age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t",
        "",
        "age1",
        "ssh-ed25519",
        "ssh-dss AAAA",
        "ssh-rsa AAAAB3NzaC1yc2EAAAADAQAB",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI$(x)",
        "-o",
        "sam@acme.example",
    ] {
        let said = validated(&format!("{{ age: ['{recipient}'], file: k }}"));
        assert!(
            said.code == 1 && said.stdout.contains("This is not a public key to which age can encrypt."),
            "{recipient} {}",
            said.all()
        );
        assert!(!said.all().contains("AGE-SECRET-KEY-1"), "{}", said.all());
    }
    for good in [AGE, SSH, RSA] {
        let said = validated(&format!("{{ age: ['{good}'], file: k }}"));
        assert_eq!(said.code, 0, "{}", said.all());
    }
    for (form, why) in [
        ("[]", "The list of targets is empty."),
        ("{ age: [], file: k }", "The list of recipients is empty."),
        ("{}", "Expected `file`, `command`, `env_file` with `name`, or `age` with `file`."),
        ("{ env_file: .env }", "Expected `file`"),
        ("{ file: k, name: A }", "Expected `file`"),
        ("{ file: k, command: [a] }", "Expected `file`"),
        ("{ env_file: .env, name: 'A B' }", "This is not the name of an environment variable."),
        ("[{ file: k }, { fil: k }]", "Did you mean `file`?"),
        ("[[{ file: k }]]", "Expected a mapping, found a list."),
        ("k", "Expected a mapping, found the text `k`."),
    ] {
        let said = validated(form);
        assert!(said.code == 1 && said.stdout.contains(why), "{form} {}", said.all());
    }
}

/// Returns what `validate` says about two keys with these deliveries, in a folder that this prepares.
fn two(one: &str, other: &str, prepare: impl Fn(&Env)) -> Said {
    let env = Env::new();
    prepare(&env);
    let key = |name: &str, deliver: &str| {
        format!(
            "  - {{ name: {name}, description: d, permissions: [project:describe], resources: all, deliver: {} }}\n",
            deliver.replace("$DIR", env.path("").to_str().unwrap())
        )
    };
    let head = "provider: hive\norganization: acme\nendpoint: https://api.graphql-hive.com/graphql\ncredentials: { token: { env: T } }\n";
    env.write("file.yaml", format!("{head}keys:\n{}{}", key("one", one), key("two", other)));
    env.run(&["validate", "file.yaml"])
}

#[cfg(unix)]
#[test]
fn two_secrets_never_end_in_one_file_or_variable() {
    let links = |env: &Env| {
        env.write("keys/a", "");
        fs::hard_link(env.path("keys/a"), env.path("keys/hard")).unwrap();
        std::os::unix::fs::symlink("a", env.path("keys/soft")).unwrap();
        std::os::unix::fs::symlink("keys", env.path("linked")).unwrap();
    };
    let variable = |file: &str, name: &str| format!("{{ env_file: {file}, name: {name} }}");
    let file = |file: &str| format!("{{ file: {file} }}");
    let age = |file: &str| format!("{{ age: ['{AGE}'], file: {file} }}");
    let mut clashes = Vec::new();
    for same in ["keys/a", "./keys/../keys/a", "$DIR/keys/a", "linked/a", "keys/hard", "keys/soft"] {
        clashes.extend([
            (file("keys/a"), file(same)),
            (file(same), variable("keys/a", "A")),
            (variable("keys/a", "A"), age(same)),
            (variable("keys/a", "A"), variable(same, "A")),
            (age("keys/a"), format!("[{}, {}]", file("keys/b"), file(same))),
        ]);
    }
    for (one, other) in clashes {
        let said = two(&one, &other, links);
        assert!(
            said.code == 1
                && said.stdout.contains("error[duplicate-delivery]: The secret of another key is written to"),
            "{one} {other} {}",
            said.all()
        );
    }
    let said = two(&format!("[{}, {}]", file("keys/a"), file("keys/hard")), &file("keys/b"), links);
    assert!(
        said.stdout.contains("The secret of this key is written to the file `keys/hard` too."),
        "{}",
        said.all()
    );
    let same = two(&variable("x", "A"), &variable("x", "A"), |_| ());
    assert!(same.stdout.contains("to the variable `A` of the file `x` too."), "{}", same.all());
    for other in [
        variable("keys/a", "B"),
        variable("keys/hard", "B"),
        format!("[{}, {}]", variable("keys/a", "B"), variable("keys/a", "C")),
    ] {
        let said = two(&variable("keys/a", "A"), &other, links);
        assert_eq!(said.code, 0, "{other} {}", said.all());
    }
    assert_eq!(two(&variable("file.yaml", "A"), &file("b"), links).code, 1, "it is the run's own file");
}

/// Names in another case mean the same file on some file systems, and only there. A folder whose files have both names
/// looks like such a file system.
#[test]
fn names_in_another_case_are_the_same_file_where_the_disk_says_so() {
    let probe = Env::new();
    probe.write("name", "");
    let ignores_case = probe.path("NAME").exists();
    let both = |env: &Env| {
        env.write("keys/x", "");
        let _ = fs::hard_link(env.path("keys/x"), env.path("keys/X"));
    };
    let none = |_: &Env| ();
    for (one, other) in [("Ci", "cI"), ("É", "é"), ("a", "A/b")] {
        let (one, other) = (format!("{{ file: keys/{one} }}"), format!("{{ file: keys/{other} }}"));
        assert_eq!(two(&one, &other, both).code, 1, "{one} {other}");
        let said = two(&one, &other, none);
        assert_eq!(said.code, i32::from(ignores_case), "{one} {other} {}", said.all());
    }
}

#[test]
fn any_other_delivery_needs_an_approval() {
    let env = Env::new();
    let hive = example("hive.yaml");
    let with = |deliver: &str| hive.replace("{ file: keys/ci-publisher.key }", deliver);
    let forms = [
        "{ file: k }".to_owned(),
        "[{ file: k }, { file: l }]".to_owned(),
        "{ env_file: k, name: A }".to_owned(),
        "{ env_file: k, name: B }".to_owned(),
        format!("{{ age: ['{AGE}'], file: k }}"),
        format!("{{ age: ['{SSH}'], file: k }}"),
        "{ command: [k] }".to_owned(),
    ];
    for main in &forms {
        for head in &forms {
            env.write("main/file.yaml", with(main));
            env.write("head/file.yaml", with(head));
            let said = env.run(&["validate", "--trusted", "main", "head"]);
            assert_eq!(said.code, if main == head { 0 } else { 3 }, "{main} {head} {}", said.all());
            assert_eq!(said.stdout.contains("`deliver` of key/ci-publisher"), main != head, "{}", said.all());
        }
    }
    // A list of one is the same as the one.
    env.write("main/file.yaml", with("{ file: k }"));
    env.write("head/file.yaml", with("[{ file: k }]"));
    assert_eq!(env.run(&["validate", "--trusted", "main", "head"]).code, 0);
}

// ---- the program

#[cfg(unix)]
#[test]
fn a_full_disk_is_noticed_before_anything_is_sent() {
    let (env, _server) = served(ProviderName::Bitpanda, &[]);
    env.write(
        "file.yaml",
        env.read("file.yaml").replace("{ file: keys/ci-pipeline.key }", "{ env_file: big.env, name: A }"),
    );
    let big = format!("# {}\n", "x".repeat(1 << 20));
    env.write("big.env", &big);
    // No file can become larger than 512 blocks.
    let said = env.run_within("trap '' XFSZ; ulimit -f 512; exec \"$0\" \"$@\"", APPLY);
    assert!(said.code == 1 && said.stderr.contains("nothing was sent"), "{}", said.all());
    assert!(said.stderr.contains("can't be written: File too large"), "{}", said.all());
    assert_eq!(env.read("big.env"), big);
}

#[test]
fn the_sandbox_runs_no_program_and_writes_only_below_its_folder() {
    let env = Env::with_example();
    let deliver = format!(
        "[{{ file: ../k }}, {{ env_file: .env, name: A }}, {{ age: ['{AGE}'], file: k.age }}, {{ command: [touch, ran] }}]"
    );
    env.write("bitpanda.yaml", env.read("bitpanda.yaml").replace("{ file: keys/ci-pipeline.key }", &deliver));
    let said = env.run(&["apply", "--sandbox", "--auto-approve", "bitpanda.yaml"]);
    assert_eq!(said.code, 0, "{}", said.all());
    let below =
        |name: &str| env.read(&format!(".rolecall/sandbox/delivered/f8588dc7-e1ce-4d92-a473-809a0a357ad9/{name}"));
    let secret = below("k");
    assert_eq!(below(".env"), format!("A={secret}\n"));
    assert_eq!([below("ci-pipeline.3.secret"), below("ci-pipeline.4.secret")], [secret.clone(), secret]);
    assert!(!env.path("ran").exists() && !env.path(".env").exists());
}
