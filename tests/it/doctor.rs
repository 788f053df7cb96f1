//! `doctor` and `plan --as apply` say before the merge what would stop the apply.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use rolecall::cli::SchemaName;
use rolecall_model::ProviderName;
use rolecall_sandbox::definition;
use serde_json::Value;

use crate::reports::schema;
use crate::support::cli::{Env, Said, example, served};

/// Returns the checks of a topic, as `answer: says`.
fn told(said: &Said, topic: &str) -> Vec<String> {
    let report: Value = serde_json::from_str(&said.stdout).unwrap_or_else(|why| panic!("{why}: {}", said.all()));
    let errors: Vec<String> = schema(SchemaName::Doctor).iter_errors(&report).map(|it| it.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    let organizations = report["organizations"].as_array().unwrap().iter();
    let checks = organizations.flat_map(|examined| examined["checks"].as_array().unwrap());
    checks
        .chain(report["job"].as_array().unwrap())
        .filter(|check| check["topic"] == topic)
        .map(|check| format!("{}: {}", check["answer"].as_str().unwrap(), check["says"].as_str().unwrap()))
        .collect()
}

/// Returns a folder with the example of Paradime, whose key can only read.
fn with_a_viewers_key() -> Env {
    let env = Env::new();
    env.write("paradime.yaml", example("paradime.yaml"));
    env.run(&["plan", "--sandbox", "paradime.yaml"]);
    let world = ".rolecall/sandbox/paradime-acme0analytics00.json";
    let mut saved: Value = serde_json::from_str(&env.read(world)).unwrap();
    let credentials = saved["credentials"].as_array_mut().unwrap_or_else(|| panic!("{world} has no credentials"));
    for credential in credentials {
        credential["capabilities"] = serde_json::json!(["user-metadata-viewer"]);
    }
    env.write(world, saved.to_string());
    env
}

#[test]
fn on_every_platform_everything_is_in_order_with_the_right_credential() {
    for provider in ProviderName::ALL.iter().copied() {
        let (env, _server) = served(provider, &[]);
        let said = env.run(&["doctor", "file.yaml", "--format", "json"]);
        assert_eq!(said.code, 0, "{}", said.all());
        for topic in ["connection", "credential", "reads", "changes"] {
            let told = told(&said, topic);
            assert!(
                !told.is_empty() && told.iter().all(|check| !check.starts_with("no:")),
                "{provider}: {told:#?}"
            );
        }
        let changes = told(&said, "changes");
        assert!(changes.iter().all(|check| check.starts_with("yes:")), "{provider}: {changes:#?}");
        for (_, secret) in (definition(provider).own_credentials)() {
            assert!(!said.all().contains(secret), "{provider} shows a secret");
        }
    }
}

#[test]
fn a_plan_as_apply_refuses_what_the_credential_may_not_send() {
    let env = with_a_viewers_key();
    let plan = env.run(&["plan", "--sandbox", "paradime.yaml"]);
    assert_eq!(plan.code, 0, "{}", plan.all());
    let apply = env.run(&["apply", "--sandbox", "paradime.yaml", "--auto-approve"]);
    assert_eq!(apply.code, 6, "{}", apply.all());

    let args = ["plan", "--sandbox", "paradime.yaml", "--as", "apply", "--format", "json"];
    let said = env.run(&[&args[..], &["--report", "markdown=comment.md", "--out", "plan.json"]].concat());
    assert_eq!(said.code, 3, "{}", said.all());
    assert!(said.stderr.contains("With a credential that may send it, `rolecall apply"), "{}", said.stderr);
    let json: Value = serde_json::from_str(&said.stdout).unwrap();
    let refusal = &json["organizations"][0]["refusals"][0];
    assert_eq!(refusal["guardrail"], "credential");
    let message = refusal["message"].as_str().unwrap();
    assert!(message.contains("lacks the capability User management admin"), "{message}");
    assert!(message.contains("Generate a key"), "{message}");
    let refused: Vec<&str> =
        refusal["addresses"].as_array().unwrap().iter().map(|address| address.as_str().unwrap()).collect();
    assert!(refused.contains(&"user/left@acme.example"), "{refused:?}");
    assert_eq!(refused.len(), json["organizations"][0]["sealed"]["changes"].as_array().unwrap().len());
    assert!(env.read("comment.md").contains("User management admin"), "{}", env.read("comment.md"));
}

#[test]
fn with_the_right_credential_a_plan_as_apply_is_the_same_plan() {
    for provider in ProviderName::ALL.iter().copied() {
        let (env, _server) = served(provider, &[]);
        let seal = |args: &[&str]| {
            let said = env.run(&[&["plan", "file.yaml", "--format", "json"], args].concat());
            assert_eq!(said.code, 0, "{}", said.all());
            let plan: Value = serde_json::from_str(&said.stdout).unwrap();
            plan["organizations"][0]["seal"].as_str().unwrap().to_owned()
        };
        assert_eq!(seal(&[]), seal(&["--as", "apply"]), "{provider}");
    }
}

#[test]
fn doctor_says_what_to_grant_and_where() {
    let env = with_a_viewers_key();
    let said = env.run(&["doctor", "--sandbox", "paradime.yaml"]);
    assert_eq!(said.code, 6, "{}", said.all());
    insta::assert_snapshot!(said.all());
}

#[test]
fn a_credential_that_is_missing_wrong_or_sent_elsewhere_is_told_apart() {
    let (mut env, _server) = served(ProviderName::Hive, &[]);
    env.set("HIVE_TOKEN", "hvo1/bm90LXJvbGVjYWxsOm5vcGU=");
    let wrong = env.run(&["doctor", "file.yaml", "--format", "json"]);
    assert_eq!(wrong.code, 6, "{}", wrong.all());
    assert!(told(&wrong, "connection")[0].starts_with("yes:"), "{}", wrong.all());
    assert!(
        told(&wrong, "credential").iter().any(|check| check.starts_with("no: The organisation can't be read"))
    );

    env.set("HIVE_TOKEN", "");
    let missing = env.run(&["doctor", "file.yaml", "--format", "json"]);
    assert_eq!(missing.code, 1, "{}", missing.all());
    let checks = told(&missing, "credential");
    assert!(checks[0].contains("The environment variable `HIVE_TOKEN` isn't set, is empty"), "{checks:?}");
    // The ledger needs no credential.
    assert!(told(&missing, "ledger")[0].starts_with("unknown: There is no ledger"), "{}", missing.all());
    env.write("damaged.jsonl", "not a ledger\n{}\n");
    let damaged = env.run(&["doctor", "file.yaml", "--ledger", "damaged.jsonl", "--format", "json"]);
    assert!(told(&damaged, "ledger")[0].starts_with("no:"), "{}", damaged.all());

    env.set("ROLECALL_ALLOWED_HOSTS", "elsewhere.example");
    let untrusted = env.run(&["doctor", "file.yaml", "--format", "json"]);
    assert!(told(&untrusted, "connection")[0].contains("is not allowed to receive the credential"));
    assert!(untrusted.stdout.contains("None of these files uses elsewhere.example"), "{}", untrusted.all());
}

/// What rests on a permission can't be known, and everything else is checked. Each missing permission is told once.
#[test]
fn a_token_that_sees_no_tokens_hides_nothing_else() {
    for (missing, of_members) in [
        (&["accessToken:modify"][..], "yes: The credential has the permission `member:modify`"),
        (&["accessToken:modify", "member:modify"], "no: The credential lacks the permission `member:modify`"),
    ] {
        let env = Env::new();
        env.write("hive.yaml", example("hive.yaml"));
        env.run(&["plan", "--sandbox", "hive.yaml"]);
        edit_world(&env, |world| {
            for token in world["tokens"].as_array_mut().unwrap() {
                let held = token["permissions"].as_array_mut().unwrap();
                held.retain(|held| !missing.contains(&held.as_str().unwrap()));
            }
        });
        let said = env.run(&["doctor", "--sandbox", "hive.yaml", "--format", "json"]);
        for (topic, check) in [
            ("reads", "yes: The credential may read what the file needs: "),
            ("plan", "yes: A plan has"),
            ("changes", of_members),
            ("changes", "no: The credential lacks the permission `accessToken:modify`: "),
            ("ledger", "unknown: There is no ledger"),
        ] {
            let told = told(&said, topic);
            assert!(told.iter().any(|it| it.starts_with(check)), "{check} {told:#?}");
        }
        let text = env.run(&["doctor", "--sandbox", "hive.yaml"]).stdout;
        for (permission, list) in [("accessToken:modify", "keys"), ("member:modify", "invitations")] {
            if missing.contains(&permission) {
                let lines: Vec<&str> = text.lines().filter(|line| line.contains(permission)).collect();
                let [check, hint] = *lines else { panic!("{text}") };
                assert!(check.contains(&format!("So the list of {list} is incomplete")), "{text}");
                assert!(hint.trim_start().starts_with("hint: "), "{text}");
            }
        }
        assert_eq!(said.code, 6, "{text}");
    }
}

#[test]
fn a_platform_that_is_not_reached_says_so() {
    let (mut env, server) = served(ProviderName::Bitpanda, &[]);
    drop(server);
    env.set("BITPANDA_API_KEY", "any");
    let said = env.run(&["doctor", "file.yaml", "--format", "json"]);
    assert_eq!(said.code, 6, "{}", said.all());
    assert!(told(&said, "connection")[0].starts_with("no: 127.0.0.1 isn't reached"), "{}", said.all());
}

/// Answers every request with the same users, and with a clock of its own.
#[test]
fn a_clock_that_is_off_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/api/v1/company/graphql", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let body = r#"{"data":{"listUsers":{"ok":true,"activeUsers":[{"uid":"1","email":"a@x.example","name":"A","accountType":"ADMIN"}],"invitedUsers":[]}}}"#;
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\ndate: Sat, 21 Nov 2026 12:00:00 GMT\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    let mut env = Env::new();
    env.write(
        "file.yaml",
        "provider: paradime\norganization: acme\nendpoint: { env: URL }\ncredentials: { token: { env: TOKEN } }\nusers: []\n",
    );
    env.set("URL", &url);
    env.set("TOKEN", "prdm_wsp_any");
    env.set("ROLECALL_ALLOWED_HOSTS", "127.0.0.1");
    let said = env.run(&["doctor", "file.yaml", "--format", "json"]);
    assert_eq!(said.code, 6, "{}", said.all());
    let clock = told(&said, "connection").into_iter().find(|check| check.starts_with("no:")).unwrap();
    assert!(
        clock.contains("The clock of this machine is") && clock.contains("ahead of the platform's"),
        "{clock}"
    );
}

#[test]
fn the_ledger_is_checked() {
    let env = Env::with_example();
    let ledger = ".rolecall/sandbox/ledger/bitpanda-f8588dc7-e1ce-4d92-a473-809a0a357ad9.jsonl";
    let doctor = || env.run(&["doctor", "--sandbox", "bitpanda.yaml", "--format", "json"]);
    assert!(told(&doctor(), "ledger")[0].starts_with("unknown: There is no ledger"));
    assert_eq!(env.run(&["apply", "--sandbox", "bitpanda.yaml", "--auto-approve"]).code, 0);
    let said = doctor();
    assert_eq!(said.code, 0, "{}", said.all());
    assert!(told(&said, "ledger")[0].contains("the last good apply was on $TODAY"), "{}", said.all());
    #[cfg(unix)]
    {
        let path = env.path(ledger);
        let full = |verb: &[&str]| {
            let args = [verb, &["--sandbox", "bitpanda.yaml"]].concat();
            env.run_within("trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\"", &args)
        };
        let checked = full(&["doctor", "--format", "json"]);
        assert_eq!(checked.code, 1, "{}", checked.all());
        assert!(told(&checked, "ledger")[1].starts_with("no: An apply can't use it"), "{}", checked.all());
        std::fs::remove_file(&path).unwrap();
        let applied = full(&["apply", "--auto-approve", "--exclude", "user/*"]);
        assert_eq!(applied.code, 0, "{}", applied.all());
        assert!(applied.stderr.contains("This apply is not recorded: "), "{}", applied.all());
    }
    env.write(ledger, "not a ledger\n{}\n");
    let damaged = doctor();
    assert_eq!(damaged.code, 1, "{}", damaged.all());
    assert!(told(&damaged, "ledger")[0].starts_with("no:"), "{}", damaged.all());
}

#[test]
fn the_settings_of_a_ci_job_are_told_as_far_as_it_sees_them() {
    for (variables, expected) in [
        (
            &[("GITHUB_ACTIONS", "true"), ("GITHUB_EVENT_NAME", "pull_request_target")][..],
            "yes: GitHub runs this job for a pull request, with the workflow of the main branch",
        ),
        (
            &[("GITHUB_ACTIONS", "true"), ("GITHUB_EVENT_NAME", "pull_request")],
            "yes: GitHub runs this job for a pull",
        ),
        (
            &[("GITHUB_ACTIONS", "true"), ("GITHUB_EVENT_NAME", "push"), ("GITHUB_REF", "refs/heads/main")],
            "unknown: GitHub doesn't tell whether refs/heads/main is protected",
        ),
        (
            &[("GITHUB_ACTIONS", "true"), ("GITHUB_REF", "refs/heads/main"), ("GITHUB_REF_PROTECTED", "false")],
            "no: GitHub runs this job for refs/heads/main, which isn't protected",
        ),
        (
            &[("GITLAB_CI", "true"), ("CI_COMMIT_REF_NAME", "main"), ("CI_COMMIT_REF_PROTECTED", "true")],
            "yes: GitLab runs this job for main, which is protected",
        ),
    ] {
        let mut env = Env::with_example();
        for (name, value) in variables {
            env.set(name, value);
        }
        let said = env.run(&["doctor", "--sandbox", "bitpanda.yaml", "--format", "json"]);
        let job = told(&said, "job");
        assert!(job.iter().any(|check| check.starts_with(expected)), "{job:?}");
        assert_eq!(said.code, i32::from(expected.starts_with("no:")), "{}", said.all());
    }
}

/// Changes a part of the sandbox's stored world, which the first plan has made.
fn edit_world(env: &Env, edit: impl Fn(&mut Value)) {
    let folder = env.path(".rolecall/sandbox");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let world = files.into_iter().find(|path| path.extension().is_some_and(|it| it == "json")).unwrap();
    let mut saved = serde_json::from_str(&std::fs::read_to_string(&world).unwrap()).unwrap();
    edit(&mut saved);
    std::fs::write(world, saved.to_string()).unwrap();
}

#[test]
fn a_credential_of_another_organisation_is_refused_by_every_verb_that_reads() {
    let env = Env::with_example();
    env.run(&["plan", "--sandbox", "bitpanda.yaml"]);
    edit_world(&env, |world| world["organization"] = "another".into());
    let doctor = env.run(&["doctor", "--sandbox", "bitpanda.yaml", "--format", "json"]);
    assert_eq!(doctor.code, 1, "{}", doctor.all());
    assert!(told(&doctor, "plan")[0].contains("belongs to the organisation another"), "{}", doctor.all());
    for verb in ["keys", "access", "plan", "drift", "pull"] {
        let said = env.run(&[verb, "--sandbox", "bitpanda.yaml"]);
        assert_eq!(said.code, 1, "{verb}: {}", said.all());
        assert!(said.stderr.contains("error[wrong-organization]"), "{verb}: {}", said.all());
    }
}

#[test]
fn what_would_stop_an_apply_after_the_read_is_told_too() {
    let (env, _server) = served(ProviderName::Hive, &[]);
    let file = env.read("file.yaml");
    env.write(
        "delivery.yaml",
        file.replace("{ file: keys/ci-publisher.key }", "{ command: [no-such-program-here] }"),
    );
    let said = env.run(&["doctor", "delivery.yaml", "--format", "json"]);
    assert_eq!(said.code, 1, "{}", said.all());
    let plan = told(&said, "plan");
    assert!(
        plan.iter().any(|check| check.starts_with("no: The secret of a new key can't be delivered")),
        "{plan:?}"
    );

    env.write("unknown.yaml", file.replace("schemaVersion:publish", "schemaVersion:nope"));
    let said = env.run(&["doctor", "unknown.yaml", "--format", "json"]);
    assert_eq!(said.code, 1, "{}", said.all());
    assert!(told(&said, "plan").iter().any(|check| check.contains("schemaVersion:nope")), "{}", said.all());

    let with = |ledger: &str| {
        let said = env.run(&["doctor", "file.yaml", "--ledger", ledger, "--format", "json"]);
        assert_eq!(said.code, 1, "{}", said.all());
        assert!(told(&said, "connection")[0].starts_with("yes:"), "{}", said.all());
        told(&said, "ledger")
    };
    assert!(with("/proc/nothing/ledger").iter().any(|check| check.starts_with("no: An apply can't use it")));
    for ledger in ["http://127.0.0.1:9/rolecall", "none://bucket/folder"] {
        let told = with(ledger);
        assert!(told.len() == 1 && told[0].starts_with("no:"), "{ledger}: {told:?}");
    }
}

#[test]
fn a_file_with_an_error_hides_no_other() {
    let env = Env::with_example();
    env.write("broken.yaml", "provider: hive\n");
    let said = env.run(&["doctor", "--sandbox", "bitpanda.yaml", "broken.yaml", "--format", "json"]);
    assert_eq!(said.code, 1, "{}", said.all());
    assert!(told(&said, "files").iter().any(|check| check.contains("broken.yaml:1:1: `organization` is missing")));
    assert!(told(&said, "connection")[0].starts_with("yes:"), "{}", said.all());
}

#[test]
fn what_the_platform_does_not_tell_stands_in_the_plan() {
    let (env, _server) = served(ProviderName::Paradime, &["--set", "null-payload=false"]);
    let said = env.run(&["plan", "file.yaml", "--as", "apply", "--report", "markdown=comment.md"]);
    assert_eq!(said.code, 0, "{}", said.all());
    let told = "whether this credential has the capability User management admin";
    assert!(said.stdout.contains(told) && env.read("comment.md").contains(told), "{}", said.all());
}
