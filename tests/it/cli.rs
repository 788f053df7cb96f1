//! The program as users run it: stdout, stderr and exit code as one text.

use std::io::Read;
use std::process::Stdio;

use crate::support::cli::{Env, Said, Server};
use serde_json::{Value, json};

const OWN_KEY: &str = "sandbox-own-key";

/// Creates a folder whose `org.yaml` is the example, pointed at a running sandbox of that folder.
fn served(args: &[&str]) -> (Env, Server) {
    let mut env = Env::new();
    let server = env.serve(args);
    env.write("org.yaml", server.example());
    env.set("ROLECALL_ALLOWED_HOSTS", "127.0.0.1");
    env.set("BITPANDA_API_KEY", OWN_KEY);
    (env, server)
}

fn plan_of(said: &Said) -> Value {
    serde_json::from_str(&said.stdout).unwrap_or_else(|why| panic!("{why}: {}", said.all()))
}

#[test]
fn the_help_of_every_verb() {
    let env = Env::new();
    let verbs = [
        "init",
        "import",
        "validate",
        "plan",
        "apply",
        "drift",
        "doctor",
        "access",
        "keys",
        "pull",
        "show",
        "schema",
        "completions",
        "man",
        "exit-codes",
        "sandbox",
    ];
    for verb in std::iter::once("").chain(verbs) {
        let args: Vec<&str> = [verb, "--help"].into_iter().filter(|arg| !arg.is_empty()).collect();
        insta::assert_snapshot!(format!("help_{verb}"), env.run(&args).all());
    }
}

#[test]
fn the_hive_example_is_planned_applied_and_in_sync() {
    let env = Env::new();
    env.write("hive.yaml", crate::support::cli::example("hive.yaml"));
    let planned = env.run(&["plan", "--sandbox", "--out", "plan.json", "--show-mutations", "hive.yaml"]);
    insta::assert_snapshot!("hive_plan", planned.all());
    insta::assert_snapshot!("hive_drift", env.run(&["drift", "--sandbox", "hive.yaml"]).all());
    // One mutation at a time, so that the order of the lines is fixed.
    let applied = env.run(&["apply", "--parallelism", "1", "--sandbox", "--plan", "plan.json", "hive.yaml"]);
    let secret = env.read(".rolecall/sandbox/delivered/acme/keys/ci-publisher.key");
    assert!(secret.starts_with("hvo1/"), "{}", secret.len());
    assert!(!applied.all().contains(&secret));
    insta::assert_snapshot!("hive_apply", applied.all().replace(&minted_id(&applied.stdout), "$MINTED"));
    let again = env.run(&["plan", "--sandbox", "--detailed-exitcode", "hive.yaml"]);
    assert_eq!(again.code, 0, "{}", again.all());
    let ledger = env.read(".rolecall/sandbox/ledger/hive-acme.jsonl");
    assert!(!ledger.contains(&secret) && !ledger.contains(secret.trim_start_matches("hvo1/")));
}

/// Returns the id of the only token that was created.
fn minted_id(said: &str) -> String {
    let line = said.lines().find(|line| line.contains("key/ci-publisher") && line.contains("done")).unwrap();
    line.split_whitespace().last().unwrap().to_owned()
}

#[test]
fn a_hive_of_ones_own_is_named_with_its_path() {
    let mut env = Env::new();
    let server = env.serve(&["--provider", "hive", "--set", "release=8.1.2"]);
    let file =
        crate::support::cli::example("hive.yaml").replace("https://api.graphql-hive.com/graphql", &server.url);
    env.write("hive.yaml", &file);
    let key = (rolecall_sandbox::definition(rolecall_model::ProviderName::Hive).own_credentials)()[0].1;
    env.set("HIVE_TOKEN", key);
    env.set("ROLECALL_ALLOWED_HOSTS", "127.0.0.1");
    let said = env.run(&["plan", "hive.yaml"]);
    assert_eq!(said.code, 0, "{}", said.all());
    assert!(!said.all().contains(key));
    env.set("HIVE_TOKEN", "hvo1/bm9uZTpub25l");
    let said = env.run(&["plan", "hive.yaml"]);
    assert_eq!(said.code, 6, "{}", said.all());
    assert!(said.stderr.contains("organization:describe"), "{}", said.stderr);
}

#[test]
fn the_example_plans_against_the_sandbox() {
    let env = Env::with_example();
    insta::assert_snapshot!(
        "example_plan",
        env.run(&["plan", "--sandbox", "--show-mutations", "bitpanda.yaml"]).all()
    );
    insta::assert_snapshot!("example_drift", env.run(&["drift", "--sandbox", "bitpanda.yaml"]).all());
}

#[test]
fn what_was_reviewed_is_applied_once() {
    let env = Env::with_example();
    let run = |args: &[&str]| env.run(&[args, &["--sandbox", "bitpanda.yaml"]].concat());
    assert_eq!(run(&["plan", "--out", "plan.json", "--detailed-exitcode"]).code, 2);
    // One mutation at a time, so that the order of the lines is fixed.
    let applied = run(&["apply", "--plan", "plan.json", "--parallelism", "1"]);
    insta::assert_snapshot!("example_apply", applied.all());
    let again = run(&["plan", "--detailed-exitcode"]);
    assert_eq!(again.code, 0, "{}", again.all());
    let again = run(&["apply", "--plan", "plan.json"]);
    insta::assert_snapshot!("example_apply_again", again.all());
    assert_eq!(run(&["drift"]).code, 0);
    assert!(
        env.path(".rolecall/sandbox/delivered/f8588dc7-e1ce-4d92-a473-809a0a357ad9/keys/ci-pipeline.key").exists()
    );
    assert!(!env.path("keys").exists(), "a sandbox run delivers nowhere else");
}

#[test]
fn a_change_by_another_client_is_drift() {
    let (env, server) = served(&[]);
    assert_eq!(env.run(&["apply", "--auto-approve", "org.yaml"]).code, 0);
    assert_eq!(env.run(&["drift", "org.yaml"]).code, 0);
    let jane = "3f2b9d54-7a2e-4a0b-9a57-0d6a1c1f7b01";
    let change = format!(
        "mutation {{ updateUser(updateUserInput: {{ userTrustId: \"{jane}\", roles: [\"SIGNER\"], enabled: true }}) {{ email }} }}"
    );
    assert_eq!(server.post(Some(OWN_KEY), &change).0, 200);
    let drift = env.run(&["drift", "org.yaml"]);
    assert_eq!(drift.code, 2, "{}", drift.all());
    assert!(drift.stdout.contains("SIGNER  ->  ADMIN, CLUSTER_MANAGER, CLUSTER_OPS"), "{}", drift.stdout);
}

#[test]
fn the_sandbox_answers_in_the_shape_of_the_vendors_samples() {
    let (_env, server) = served(&[]);
    let ask = |query: &str| -> Value { serde_json::from_str(&server.post(Some(OWN_KEY), query).1).unwrap() };
    let names = |value: &Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };

    let keys = ask("{ listApiKeys { orgApiKeysList { apiKeyId name roles apiKeyExpiryDate enabled } } }");
    let list = keys["data"]["listApiKeys"]["orgApiKeysList"].as_array().unwrap().clone();
    assert_eq!(names(&list[0]), ["apiKeyExpiryDate", "apiKeyId", "enabled", "name", "roles"].map(String::from));
    assert!(list[0]["apiKeyExpiryDate"].as_str().unwrap().ends_with("59.999Z"));
    assert!(list.iter().any(|key| key["enabled"] == false), "disabled keys stay in the list");

    let users = ask(
        "{ organisationManagement { id listUsers { total items { userTrustId email firstName lastName phoneNumber roles createdAt } } } }",
    );
    let management = &users["data"]["organisationManagement"];
    assert_eq!(management["id"], "f8588dc7-e1ce-4d92-a473-809a0a357ad9");
    assert_eq!(management["listUsers"]["total"], 5);
    assert_eq!(management["listUsers"]["items"].as_array().unwrap().len(), 5);

    let enabled = ask("{ organisationManagement { listUsers { items { enabled } } } }");
    assert!(enabled["errors"][0]["message"].as_str().unwrap().contains("enabled"), "written and never shown");

    let created = ask(
        "mutation { createOrgApiKey(createOrgApiKeyInput: { name: \"k\", roles: [\"ADMIN\"], apiKeyExpiryDate: \"2099-04-30T20:59:59Z\" }) { orgApiKey orgApiKeyDetails { apiKeyId name roles apiKeyExpiryDate enabled } } }",
    );
    let created = &created["data"]["createOrgApiKey"];
    assert!(created["orgApiKey"].is_string());
    assert_eq!(created["orgApiKeyDetails"]["apiKeyExpiryDate"], "2099-04-30T20:59:59Z");
    assert_eq!(created["orgApiKeyDetails"]["enabled"], true);

    let id = created["orgApiKeyDetails"]["apiKeyId"].as_str().unwrap();
    let updated = ask(&format!(
        "mutation {{ updateOrgApiKey(updateOrgApiKeyInput: {{ apiKeyId: \"{id}\", enabled: false }}) {{ apiKeyId }} }}"
    ));
    assert_eq!(updated, json!({ "data": { "updateOrgApiKey": { "apiKeyId": id } } }));

    let invited = ask(
        "mutation { inviteUser(inviteUserInput: { email: \"n@x.example\", firstName: \"N\", lastName: \"X\", phoneNumber: \"+43\", roles: [\"SIGNER\"], enabled: true }) { userTrustId email firstName lastName phoneNumber roles createdAt invited } }",
    );
    assert_eq!(invited["data"]["inviteUser"]["invited"], true);

    let missing = ask(
        "mutation { updateUser(updateUserInput: { userTrustId: \"nobody\", roles: [], enabled: true }) { email } }",
    );
    assert_eq!(missing["errors"][0]["errorType"], "NOT_FOUND");
    assert_eq!(server.post(Some("wrong"), "{ __typename }").0, 401);
    assert_eq!(server.post(None, "{ __typename }").0, 401);
}

#[test]
fn plans_and_ledgers_fit_their_schemas() {
    let env = Env::with_example();
    let schema = |name: &str| {
        let schema: Value = serde_json::from_str(&env.run(&["schema", name]).stdout).unwrap();
        jsonschema::validator_for(&schema).unwrap()
    };
    let plan = plan_of(&env.run(&["plan", "--sandbox", "--format", "json", "bitpanda.yaml"]));
    let errors: Vec<String> = schema("plan").iter_errors(&plan).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    env.run(&["apply", "--sandbox", "--auto-approve", "bitpanda.yaml"]);
    let ledger = env.read(".rolecall/sandbox/ledger/bitpanda-f8588dc7-e1ce-4d92-a473-809a0a357ad9.jsonl");
    let line_schema = schema("ledger");
    assert!(ledger.lines().count() > 10);
    for line in ledger.lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        let errors: Vec<String> = line_schema.iter_errors(&record).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{line}\n{errors:#?}");
    }
    let shown = env.run(&["show", ".rolecall/sandbox/ledger/bitpanda-f8588dc7-e1ce-4d92-a473-809a0a357ad9.jsonl"]);
    assert_eq!(shown.code, 0);
    assert!(shown.stdout.contains("secret of key/ci-pipeline"), "{}", shown.stdout);
}

#[test]
fn without_a_terminal_nothing_is_sent_unless_it_is_said_beforehand() {
    let env = Env::with_example();
    let said = env.run(&["apply", "--sandbox", "bitpanda.yaml"]);
    assert_eq!(said.code, 1);
    assert!(said.stderr.contains("There is no terminal to ask on. Nothing was sent."), "{}", said.stderr);
    assert_eq!(env.run(&["plan", "--sandbox", "--detailed-exitcode", "bitpanda.yaml"]).code, 2);
}

#[cfg(unix)]
#[test]
fn the_sandbox_is_its_owners_alone_whatever_the_umask() {
    use std::os::unix::fs::PermissionsExt;
    let env = Env::with_example();
    let program = env.command().get_program().to_owned();
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", "umask 0; exec \"$0\" plan --sandbox --reset bitpanda.yaml"]).arg(program);
    let said = env.said(&shell.current_dir(env.path("")).output().unwrap());
    assert_eq!(said.code, 0, "{}", said.all());
    let folder = env.path(".rolecall/sandbox");
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    for file in std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).filter(|path| path.is_file())
    {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[test]
fn a_sandbox_plan_never_applies_elsewhere_nor_the_reverse() {
    let (env, _server) = served(&[]);
    env.run(&["plan", "--sandbox", "--out", "sandbox.json", "org.yaml"]);
    env.run(&["plan", "--out", "live.json", "org.yaml"]);
    let there = env.run(&["apply", "--plan", "sandbox.json", "org.yaml"]);
    assert_eq!(there.code, 1);
    assert!(
        there.stderr.contains("was made on the sandbox and would be applied to 127.0.0.1"),
        "{}",
        there.stderr
    );
    let here = env.run(&["apply", "--sandbox", "--plan", "live.json", "org.yaml"]);
    assert_eq!(here.code, 1);
    assert!(here.stderr.contains("was made on 127.0.0.1 and would be applied to the sandbox"), "{}", here.stderr);
}

#[test]
fn an_edited_plan_sends_nothing() {
    let env = Env::with_example();
    env.run(&["plan", "--sandbox", "--out", "plan.json", "bitpanda.yaml"]);
    let edited = env.read("plan.json").replace("CLUSTER_MANAGER", "SIGNER");
    env.write("plan.json", edited);
    let said = env.run(&["apply", "--sandbox", "--plan", "plan.json", "bitpanda.yaml"]);
    assert_eq!(said.code, 1);
    assert!(said.stderr.contains("the plan was edited or damaged"), "{}", said.stderr);
    for bad in ["{", "[]", "{\"format_version\":\"2.0\"}", ""] {
        env.write("plan.json", bad);
        assert_eq!(env.run(&["apply", "--sandbox", "--plan", "plan.json", "bitpanda.yaml"]).code, 1, "{bad}");
    }
}

#[test]
fn a_seal_is_the_hash_of_json_with_sorted_keys_whatever_these_are() {
    // Escaped keys have another order than what they stand for: `"` is before `#`, and `\"` is not.
    let sealed = json!({"b": {"#": 1, "\"": [{"z": {}, "a\u{1}": null, "a": "é\n"}]}, "a b": [], "a": {"A": 0, "\\": 2, "]": 3}});
    let sorted = serde_json::to_string(&sealed).unwrap();
    assert!(
        sorted.starts_with(r#"{"a":{"A":0,"\\":2,"]":3},"a b":[],"b":{"\"":[{"a":"é\n","a\u0001":null,"z":{}}],"#),
        "{sorted}"
    );
    let hash = format!("sha256:{}", rolecall_sandbox::digest(&sorted));
    assert!(rolecall_plan::verify(&json!({"sealed": sealed, "seal": hash})).is_ok());
}

#[test]
fn a_plan_with_a_forged_seal_sends_only_what_the_file_says() {
    let env = Env::with_example();
    env.run(&["plan", "--sandbox", "--out", "plan.json", "bitpanda.yaml"]);
    let mut plan: rolecall_model::Plan = serde_json::from_str(&env.read("plan.json")).unwrap();
    let organization = &mut plan.organizations[0];
    for change in &mut organization.sealed.changes {
        if let Some(rolecall_model::Entity::User(user)) = &mut change.after {
            user.roles.insert(rolecall_model::RoleName::seen("ADMIN"));
        }
    }
    organization.seal = rolecall_plan::seal(&organization.sealed);
    env.write("plan.json", serde_json::to_string(&plan).unwrap());
    let said = env.run(&["apply", "--sandbox", "--plan", "plan.json", "bitpanda.yaml"]);
    assert_eq!(said.code, 4, "{}", said.all());
}

#[test]
fn changes_that_nobody_approved_are_reported_and_not_sent() {
    let env = Env::with_example();
    let without_sam = env.read("bitpanda.yaml").replace("  - email: sam@acme.example\n    enabled: false\n", "");
    env.write("before.yaml", without_sam);
    env.run(&["plan", "--sandbox", "--out", "plan.json", "before.yaml"]);
    let said = env.run(&["apply", "--sandbox", "--plan", "plan.json", "bitpanda.yaml"]);
    assert_eq!(said.code, 0, "{}", said.all());
    assert!(said.stderr.contains("Not approved, so not sent: user/sam@acme.example."), "{}", said.stderr);
    let left = plan_of(&env.run(&["plan", "--sandbox", "--format", "json", "bitpanda.yaml"]));
    assert_eq!(left["organizations"][0]["sealed"]["changes"][0]["address"], "user/sam@acme.example");
}

#[test]
fn hosts_are_trusted_by_the_environment_and_not_by_the_file() {
    let mut env = Env::with_example();
    env.write(
        "elsewhere.yaml",
        env.read("bitpanda.yaml").replace("tapi-sandbox.trustology-test.com", "evil.example"),
    );
    env.set("BITPANDA_API_KEY", "canary");
    let said = env.run(&["plan", "elsewhere.yaml"]);
    assert_eq!(said.code, 1);
    assert!(
        said.stderr
            .contains("error[untrusted-host]: The host evil.example is not allowed to receive the credential."),
        "{}",
        said.stderr
    );
    assert!(!said.stderr.contains("credential-unavailable"));
}

/// The message says which credential is wrong and how, and shows no part of it.
#[test]
fn a_credential_that_no_platform_issues_is_not_sent() {
    let (mut env, _server) = served(&[]);
    for (wrapped, why) in [
        ("\"canary\"", "is in quotation marks"),
        ("Bearer canary", "starts with `Bearer`"),
        ("canary\u{200b}", "has a character that no credential has"),
        ("can\nary", "has a character that no credential has"),
        ("\u{feff}canary", "starts with a byte order mark"),
    ] {
        env.set("BITPANDA_API_KEY", wrapped);
        let said = env.run(&["plan", "org.yaml"]);
        assert_eq!(said.code, 1, "{}", said.all());
        assert!(said.stderr.contains("error[unfit-credential]: The credential `api_key`"), "{}", said.all());
        assert!(said.stderr.contains(why) && !said.all().contains("canary"), "{}", said.all());
    }
    // A value in the place of a name may be the credential itself.
    for credential in ["{ file: canary }", "{ command: [canary] }", "{ env: canary }"] {
        env.write("c.yaml", env.read("org.yaml").replace("{ env: BITPANDA_API_KEY }", credential));
        let said = env.run(&["plan", "c.yaml"]);
        assert!(said.code == 1 && !said.all().contains("canary"), "{}", said.all());
    }
}

#[test]
fn credentials_come_from_where_the_file_says() {
    let (mut env, _server) = served(&[]);
    let with = |env: &Env, credential: &str| {
        env.write("c.yaml", env.read("org.yaml").replace("{ env: BITPANDA_API_KEY }", credential));
    };
    env.write("key", format!("{OWN_KEY}\n"));
    with(&env, "{ file: key }");
    assert_eq!(env.run(&["plan", "c.yaml"]).code, 0);
    with(&env, "{ command: [cat, key] }");
    let refused = env.run(&["plan", "c.yaml"]);
    assert!(refused.stderr.contains("error[command-not-allowed]"), "{}", refused.stderr);
    assert_eq!(env.run(&["plan", "--allow-commands", "c.yaml"]).code, 0);
    with(&env, "{ command: [cat, /dev/zero] }");
    let endless = env.run(&["plan", "--allow-commands", "c.yaml"]);
    assert_eq!(endless.code, 1);
    assert!(endless.stderr.contains("The command `cat` printed more than 64 KiB"), "{}", endless.all());
    with(&env, "{ command: [sh, -c, 'echo canary; echo canary >&2; exit 3'] }");
    let failed = env.run(&["plan", "--allow-commands", "c.yaml"]);
    assert_eq!(failed.code, 1);
    assert!(
        !failed.all().contains("canary\n") && failed.stderr.contains("The command `sh` failed (exit status: 3)."),
        "{}",
        failed.all()
    );
    with(&env, "{ env: NOT_SET }");
    assert!(env.run(&["plan", "c.yaml"]).stderr.contains("error[credential-unavailable]"));
    env.set("ROLECALL_ALLOWED_HOSTS", "other.example, 127.0.0.1");
    assert_eq!(env.run(&["plan", "org.yaml"]).code, 0);
}

/// Generated completions and manual pages contain every verb and every option.
#[test]
fn completions_and_pages_know_every_verb() {
    let env = Env::new();
    let verbs = [
        "init",
        "import",
        "validate",
        "plan",
        "apply",
        "drift",
        "pull",
        "access",
        "keys",
        "show",
        "schema",
        "completions",
        "man",
        "sandbox",
    ];
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let said = env.run(&["completions", shell]);
        assert_eq!(said.code, 0, "{}", said.all());
        for word in verbs.into_iter().chain(["undo-out", "max-removals"]) {
            assert!(said.stdout.contains(word), "{shell} {word}");
        }
    }
    assert_eq!(env.run(&["man", "--out", "man1"]).code, 0);
    let page = env.read("man1/rolecall-plan.1");
    assert!(page.contains(".SH EXAMPLES\n") && page.contains(".SH EXIT STATUS\n"), "{page}");
    assert!(!page.contains("EXTRA"), "{page}");
    assert_eq!(env.run(&["man", "plan"]).stdout, page);
    for verb in verbs {
        let said = env.run(&["man", verb]);
        assert_eq!(said.stdout, env.read(&format!("man1/rolecall-{verb}.1")), "{verb}");
    }
    assert!(env.read("man1/rolecall.1").contains("refused by a guardrail"), "it has the exit codes");
    assert!(env.read("man1/rolecall-apply.1").contains("undo\\-out"));
    let said = env.run(&["man", "pln"]);
    assert_eq!(said.code, 1, "{}", said.all());
    assert_eq!(env.run(&["man", "--out", "no/such"]).code, 1);
}

#[test]
fn every_exit_code_is_what_the_help_says() {
    // 6: the platform refuses the credential, or nothing listens there.
    let (mut env, server) = served(&[]);
    env.set("BITPANDA_API_KEY", "not-a-key");
    let refused = env.run(&["plan", "org.yaml"]);
    assert_eq!(refused.code, 6, "{}", refused.all());
    drop(server);
    env.set("BITPANDA_API_KEY", OWN_KEY);
    let away = env.run(&["apply", "--auto-approve", "org.yaml"]);
    assert_eq!(away.code, 6, "{}", away.all());
    assert!(away.stderr.contains("Nothing was changed"), "{}", away.stderr);

    // 1: a list is incomplete where that matters, also for apply.
    let (env, _server) = served(&["--set", "count-off-by=1"]);
    let broken = env.run(&["plan", "--detailed-exitcode", "org.yaml"]);
    assert_eq!(broken.code, 1, "{}", broken.all());
    assert!(broken.stdout.contains("INCOMPLETE: users"), "{}", broken.stdout);
    assert_eq!(env.run(&["apply", "--auto-approve", "org.yaml"]).code, 1);

    // 3: a guardrail refuses. The plan is still written and shows the change.
    let (env, _server) = served(&[]);
    env.write(
        "guardrail.yaml",
        env.read("org.yaml")
            .replace("min_admins: 2", "min_admins: 3")
            .replace("roles: [ADMIN, CLUSTER_MANAGER, CLUSTER_OPS]", "roles: [SIGNER]"),
    );
    let guardrail = env.run(&["plan", "--out", "guardrail.json", "guardrail.yaml"]);
    assert_eq!(guardrail.code, 3, "{}", guardrail.all());
    assert!(guardrail.stdout.contains("refused by min_admins") && env.path("guardrail.json").exists());
    assert_eq!(env.run(&["apply", "--auto-approve", "guardrail.yaml"]).code, 3);

    // 5: the plan is partly applied.
    let (env, _server) = served(&["--fault", "errors@updateUser"]);
    let partly = env.run(&["apply", "--auto-approve", "org.yaml"]);
    assert_eq!(partly.code, 5, "{}", partly.all());
    assert!(partly.stdout.contains("4 done, 1 failed"), "{}", partly.stdout);
    assert_eq!(env.run(&["apply", "--auto-approve", "org.yaml"]).code, 0, "the next run makes it good");

    // 1: wrong usage.
    assert_eq!(env.run(&["plan", "--no-such-flag"]).code, 1);
}

#[test]
fn several_organisations_are_independent_and_the_worst_ending_is_reported() {
    let (env, server) = served(&[]);
    env.write("a.yaml", server.example());
    env.write(
        "b.yaml",
        server.example().replace("f8588dc7-e1ce-4d92-a473-809a0a357ad9", "another").replace("keys/", "b/"),
    );
    let said = env.run(&["plan", "--detailed-exitcode", "a.yaml", "b.yaml"]);
    assert_eq!(said.code, 1, "an error outranks differences: {}", said.all());
    assert!(said.stdout.contains("5 mutations"), "the other is still planned: {}", said.stdout);
    assert!(said.stderr.contains("error[wrong-organization]"), "{}", said.stderr);
}

/// A name that is there and unknown is another mistake than one that is missing.
#[test]
fn a_target_of_an_unknown_organisation_is_told() {
    let env = Env::with_example();
    let said = env.run(&["plan", "--sandbox", "--target", "hive:nope//user/x@y.z", "bitpanda.yaml"]);
    assert_eq!(said.code, 1, "{}", said.all());
    assert!(
        said.stderr.contains("No file describes the organisation `hive:nope` of the address"),
        "{}",
        said.stderr
    );
    let said = env.run(&["plan", "--sandbox", "--horizon", "100000", "bitpanda.yaml"]);
    assert!(said.stderr.contains("at most 65535"), "{}", said.stderr);
}

#[test]
fn an_organisation_that_no_seed_has_lists_the_seeds() {
    let env = Env::with_example();
    env.write("x.yaml", env.read("bitpanda.yaml").replace("f8588dc7-e1ce-4d92-a473-809a0a357ad9", "acme"));
    let said = env.run(&["plan", "--sandbox", "x.yaml"]);
    assert_eq!(said.code, 1);
    assert!(said.stderr.contains("no bitpanda organisation `acme`. It has f8588dc7-"), "{}", said.stderr);
}

#[test]
fn deliveries_arrive_and_are_the_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let (env, _server) = served(&[]);
    env.write("keys/ci-pipeline.key", "the old secret");
    let said = env.run(&["apply", "--auto-approve", "org.yaml"]);
    assert_eq!(said.code, 0, "{}", said.all());
    let secret = env.read("keys/ci-pipeline.key");
    assert!(secret.starts_with("sandbox-secret-"));
    let mode = std::fs::metadata(env.path("keys/ci-pipeline.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!said.all().contains(&secret));
}

#[test]
fn a_command_gets_the_secret_on_its_standard_input() {
    let (env, _server) = served(&[]);
    let command = "{ command: [sh, -c, 'cat > got; echo canary; echo canary >&2'] }";
    env.write("org.yaml", env.read("org.yaml").replace("{ file: keys/ci-pipeline.key }", command));
    let refused = env.run(&["apply", "--auto-approve", "org.yaml"]);
    assert_eq!(refused.code, 1, "{}", refused.all());
    assert!(
        refused.stderr.contains("nothing was sent")
            && refused.stderr.contains("is only run with --allow-commands"),
        "{}",
        refused.stderr
    );
    let said = env.run(&["apply", "--auto-approve", "--allow-commands", "org.yaml"]);
    assert_eq!(said.code, 0, "{}", said.all());
    assert!(env.read("got").starts_with("sandbox-secret-"));
    assert!(!said.all().contains("canary"));
}

#[test]
fn a_delivery_that_fails_keeps_the_old_content_and_retires_the_new_key() {
    let (env, server) = served(&[]);
    env.write(
        "org.yaml",
        env.read("org.yaml").replace("{ file: keys/ci-pipeline.key }", "{ command: ['false'] }"),
    );
    let said = env.run(&["apply", "--auto-approve", "--allow-commands", "org.yaml"]);
    assert_eq!(said.code, 5, "{}", said.all());
    assert!(said.stdout.contains("was retired at once"), "{}", said.stdout);
    let keys: Value =
        serde_json::from_str(&server.post(Some(OWN_KEY), "{ listApiKeys { orgApiKeysList { name enabled } } }").1)
            .unwrap();
    let list = keys["data"]["listApiKeys"]["orgApiKeysList"].as_array().unwrap().clone();
    assert!(list.contains(&json!({ "name": "ci-pipeline", "enabled": false })), "{list:?}");
}

/// Law 8: no secret in any output at any verbosity, in no plan and no ledger.
#[test]
fn no_secret_leaves_its_path() {
    let (env, _server) = served(&["--fault", "drop-after@createOrgApiKey", "--fault", "partial@updateUser"]);
    let mut said = String::new();
    for args in [
        &["-vv", "validate", "org.yaml"][..],
        &["-vv", "plan", "--show-mutations", "--out", "plan.json", "org.yaml"],
        &["-vv", "plan", "--format", "json", "org.yaml"],
        &["-vv", "apply", "--plan", "plan.json", "--report", "html=apply.out", "org.yaml"],
        &["-vv", "apply", "--auto-approve", "org.yaml"],
        &["-vv", "drift", "--report", "html=drift.out", "org.yaml"],
        &["-vv", "show", "plan.json", "--report", "html=plan.out", "--report", "dot=dot.out"],
        &["-vv", "show", "plan.json", "--format", "mermaid"],
        &[
            "-vv",
            "keys",
            "--full",
            "--report",
            "csv=k.csv",
            "--report",
            "json=k.out",
            "--metrics-file",
            "k.prom",
            "org.yaml",
        ],
    ] {
        said.push_str(&env.run(args).all());
    }
    for file in ["apply.out", "drift.out", "plan.out", "dot.out", "k.csv", "k.out", "k.prom"] {
        said.push_str(&env.read(file));
    }
    said.push_str(&env.read("plan.json"));
    said.push_str(&env.read(".rolecall/ledger/bitpanda-f8588dc7-e1ce-4d92-a473-809a0a357ad9.jsonl"));
    assert!(said.contains("createOrgApiKey"), "the canary sang nowhere");
    let secret = env.read("keys/ci-pipeline.key");
    for canary in [OWN_KEY, "sandbox-secret-", secret.as_str()] {
        assert!(!said.contains(canary), "{canary} in\n{said}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error_and_a_full_disk_is() {
    let env = Env::with_example();
    let mut child = env
        .command()
        .args(["plan", "--sandbox", "bitpanda.yaml"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");

    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = env.command().args(["plan", "--sandbox", "bitpanda.yaml"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("The result could not be written"));
}

/// Where a file may not grow, the signal would end the process before it reports what it has sent.
#[cfg(unix)]
#[test]
fn a_limit_of_file_sizes_is_like_a_full_disk() {
    let (env, _server) = served(&[]);
    let said = env.run_within("ulimit -f 5; \"$0\" \"$@\"", &["apply", "--auto-approve", "org.yaml"]);
    assert_eq!(said.code, 5, "{}", said.all());
    assert!(said.stdout.contains("File too large"), "{}", said.all());
    let said = env.run(&["apply", "--auto-approve", "org.yaml"]);
    assert_eq!(said.code, 0, "{}", said.all());
}

/// Nobody should delete a ledger, or send something unasked, because a tip says so.
#[test]
fn a_tip_names_only_the_option_that_was_meant() {
    let env = Env::new();
    for (args, tip) in [
        (&["drift", "--target", "x"][..], None),
        (&["drift", "--base", "x"], None),
        (&["plan", "--resett"], None),
        (&["plan", "--asset", "x"], None),
        (&["apply", "--auto-aprove"], None),
        (&["apply", "--confirm-deletio", "acme"], None),
        (&["plan", "--sandbx"], Some("--sandbox")),
        (&["drift", "--ntoify", "x"], Some("--notify")),
    ] {
        let said = env.run(args);
        assert_eq!(said.code, 1, "{}", said.all());
        for option in ["--reset", "--assert", "--auto-approve", "--confirm-deletion"] {
            let named =
                said.stderr.split(|c: char| c != '-' && !c.is_ascii_alphanumeric()).any(|word| word == option);
            assert!(!named, "{}", said.all());
        }
        assert_eq!(said.stderr.contains("tip:"), tip.is_some(), "{}", said.all());
        assert!(tip.is_none_or(|tip| said.stderr.contains(tip)), "{}", said.all());
    }
}

#[test]
fn what_can_not_be_recorded_is_not_sent() {
    let env = Env::with_example();
    std::fs::create_dir(env.path("folder")).unwrap();
    for ledger in ["/dev/full", "folder", "bitpanda.yaml/ledger"] {
        let said = env.run(&["apply", "--sandbox", "--auto-approve", "--ledger", ledger, "bitpanda.yaml"]);
        assert_eq!(said.code, 1, "{}", said.all());
        assert!(said.stderr.contains("Nothing was sent"), "{}", said.stderr);
    }
    assert_eq!(env.run(&["plan", "--sandbox", "--detailed-exitcode", "bitpanda.yaml"]).code, 2);
}

#[test]
fn ctrl_c_ends_an_apply_after_what_is_in_flight() {
    let (env, _server) = served(&["--fault", "latency=2000@updateUser"]);
    let mut child = env
        .command()
        .args(["apply", "--auto-approve", "org.yaml"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The first mutation creates a key. The interrupt comes when its outcome is reported.
    let mut stdout = child.stdout.take().unwrap();
    let mut output = String::new();
    let mut byte = [0];
    while !output.contains("done      key/ci-pipeline") && stdout.read(&mut byte).unwrap() > 0 {
        output.push(char::from(byte[0]));
    }
    std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(5), "{output}{rest}");
    assert!(rest.contains("the run was interrupted") && rest.contains("Stopped early"), "{rest}");
    assert_eq!(env.run(&["apply", "--auto-approve", "org.yaml"]).code, 0, "the next run goes on");
}

#[test]
fn a_proxy_never_sees_what_goes_to_this_machine() {
    let (mut env, _server) = served(&[]);
    for variable in ["http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"] {
        env.set(variable, "http://127.0.0.1:1");
    }
    assert_eq!(env.run(&["plan", "org.yaml"]).code, 0);
    assert_eq!(env.run(&["plan", "--sandbox", "org.yaml"]).code, 0);
}

#[test]
fn a_ledger_of_another_organisation_is_refused() {
    let (env, _server) = served(&[]);
    assert_eq!(env.run(&["apply", "--sandbox", "--auto-approve", "--ledger", "l.jsonl", "org.yaml"]).code, 0);
    for verb in [&["plan"][..], &["apply", "--auto-approve"]] {
        let said = env.run(&[verb, &["--ledger", "l.jsonl", "org.yaml"]].concat());
        assert_eq!(said.code, 1);
        assert!(said.stderr.contains("The ledger l.jsonl belongs to bitpanda"), "{}", said.stderr);
    }
}

#[test]
fn a_plan_that_could_not_be_made_is_not_saved_over_one_that_could() {
    let (mut env, _server) = served(&[]);
    assert_eq!(env.run(&["plan", "--out", "plan.json", "org.yaml"]).code, 0);
    let good = env.read("plan.json");
    env.set("BITPANDA_API_KEY", "not-a-key");
    let said = env.run(&["plan", "--out", "plan.json", "org.yaml"]);
    assert_eq!(said.code, 6);
    assert!(said.stderr.contains("was not saved as plan.json"), "{}", said.stderr);
    assert_eq!(env.read("plan.json"), good);
}

#[test]
fn a_plan_is_saved_through_links_and_into_pipes() {
    let env = Env::with_example();
    std::fs::create_dir(env.path("deep")).unwrap();
    env.write("deep/real.json", "old");
    std::os::unix::fs::symlink("deep/real.json", env.path("plan.json")).unwrap();
    let said = env.run(&["plan", "--sandbox", "--out", "plan.json", "--format", "json", "bitpanda.yaml"]);
    assert_eq!(env.read("deep/real.json"), said.stdout);
    assert!(env.path("plan.json").symlink_metadata().unwrap().is_symlink());
    assert_eq!(env.run(&["plan", "--sandbox", "--out", "/dev/null", "bitpanda.yaml"]).code, 0);
    assert!(!std::fs::metadata("/dev/null").unwrap().is_file());
}

#[test]
fn a_plan_of_a_later_minor_version_is_read() {
    let env = Env::with_example();
    env.run(&["plan", "--sandbox", "--out", "plan.json", "bitpanda.yaml"]);
    let mut plan: Value = serde_json::from_str(&env.read("plan.json")).unwrap();
    plan["format_version"] = json!("2.7");
    plan["organizations"][0]["later"] = json!(true);
    env.write("later.json", plan.to_string());
    assert_eq!(env.run(&["show", "later.json"]).code, 0);
    plan["organizations"][0]["sealed"]["later"] = json!(true);
    env.write("smuggled.json", plan.to_string());
    assert_eq!(env.run(&["show", "smuggled.json"]).code, 1, "nothing enters the sealed part unseen");
}

#[test]
fn what_became_of_an_apply_is_json_for_programs() {
    let env = Env::with_example();
    let said = env.run(&["apply", "--sandbox", "--auto-approve", "--format", "json", "bitpanda.yaml"]);
    let json = plan_of(&said);
    let organization = &json["organizations"][0];
    assert_eq!(organization["exit"], 0);
    assert_eq!(organization["report"]["steps"].as_array().unwrap().len(), 5);
    assert_eq!(organization["report"]["steps"][0]["outcome"], "done");
    assert_eq!(organization["report"]["final_state"]["in-sync"]["later"], 0);
    let in_sync =
        plan_of(&env.run(&["apply", "--sandbox", "--auto-approve", "--format", "json", "bitpanda.yaml"]));
    assert_eq!(in_sync["organizations"][0]["exit"], 0);
    assert!(in_sync["organizations"][0]["report"].is_null());
    env.write(
        "bad.yaml",
        env.read("bitpanda.yaml").replace("expires: 2098", "expires: 2020").replace("ci-pipeline", "other"),
    );
    let failed = plan_of(&env.run(&["apply", "--sandbox", "--auto-approve", "--format", "json", "bad.yaml"]));
    assert_eq!(failed["organizations"][0]["exit"], 1);
    let holds = failed["organizations"][0]["plan"]["sealed"]["holds"].as_array().unwrap().clone();
    let of_key = holds.iter().find(|hold| hold["address"] == "key/other").unwrap();
    assert_eq!(
        (&of_key["reason"]["is"], &of_key["reason"]["code"]),
        (&"unplannable".into(), &"expiry-in-past".into())
    );
}

/// Somebody who has many JSON files in a job takes the wrong one.
#[test]
fn a_file_that_is_no_plan_is_named_by_what_it_is() {
    let env = Env::with_example();
    let sandbox = ["--sandbox", "bitpanda.yaml"];
    env.run(&[&["apply", "--auto-approve", "--report", "json=apply.json"], &sandbox[..]].concat());
    for (args, file) in [
        (&["access", "--format", "json"][..], "access.json"),
        (&["keys", "--format", "json"], "keys.json"),
        (&["doctor", "--format", "json"], "doctor.json"),
        (&["pull", "--format", "json"], "pull.json"),
        (&["offboard", "max@acme.example", "--format", "json"], "offboard.json"),
    ] {
        env.write(file, env.run(&[args, &sandbox].concat()).stdout);
    }
    for (file, what) in [
        ("apply.json", "a report of `apply`"),
        ("access.json", "a report of `access`"),
        ("keys.json", "a report of `keys`"),
        ("doctor.json", "a report of `doctor`"),
        ("pull.json", "a report of `pull`"),
        ("offboard.json", "a report of `onboard` or `offboard`"),
    ] {
        for args in
            [&["show", file][..], &["merge", file], &["apply", "--sandbox", "bitpanda.yaml", "--plan", file]]
        {
            if args == ["merge", "apply.json"] {
                continue;
            }
            let said = env.run(args);
            assert_eq!(said.code, 1, "{}", said.all());
            assert!(said.stderr.contains(&format!(": it is {what}.")), "{args:?}: {}", said.all());
        }
    }
    let ledger = ".rolecall/sandbox/ledger/bitpanda-f8588dc7-e1ce-4d92-a473-809a0a357ad9.jsonl";
    let said = env.run(&["apply", "--sandbox", "bitpanda.yaml", "--plan", ledger]);
    assert!(said.code == 1 && said.stderr.contains(": it is a ledger."), "{}", said.all());
}

#[test]
fn nothing_that_took_effect_is_no_partial_apply() {
    let (env, _server) = served(&[]);
    let only_key = env.read("org.yaml").replace("{ file: keys/ci-pipeline.key }", "{ file: /dev/null }");
    let users = only_key.find("\nusers:").unwrap();
    let keys = only_key.find("\nkeys:").unwrap();
    let without_users = format!("{}{}", &only_key[..users], &only_key[keys..]);
    env.write("org.yaml", without_users.replace("  - name: Reporting / 2024\n    absent: true\n", ""));
    let said = env.run(&["apply", "--auto-approve", "org.yaml"]);
    assert_eq!(said.code, 1, "{}", said.all());
    assert!(said.stderr.contains("/dev/null isn't a regular file"), "{}", said.stderr);
}

#[test]
fn extra_certificate_authorities_have_to_be_some() {
    let (env, _server) = served(&[]);
    env.write("ca.pem", "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n");
    let said = env.run(&["plan", "--ca-file", "ca.pem", "org.yaml"]);
    assert_eq!(said.code, 1, "{}", said.all());
    env.write("none.pem", "no certificate in here\n");
    let said = env.run(&["plan", "--ca-file", "none.pem", "org.yaml"]);
    assert_eq!(said.code, 1, "{}", said.all());
    assert!(said.stderr.contains("has no certificate"), "{}", said.stderr);
}

/// The embedded platform is on this machine, so to try again later doesn't help.
#[test]
fn a_sandbox_that_can_not_use_its_world_names_the_file() {
    let world = ".rolecall/sandbox/bitpanda-f8588dc7-e1ce-4d92-a473-809a0a357ad9.json";
    let plan = ["plan", "--sandbox", "bitpanda.yaml"];
    for damage in ["{", "{}"] {
        let env = Env::with_example();
        assert_eq!(env.run(&plan).code, 0);
        assert!(env.path(world).exists());
        env.write(world, damage);
        let said = env.run(&plan);
        assert_eq!(said.code, 1, "{}", said.all());
        assert!(said.stderr.contains(world) && said.stderr.contains("--reset"), "{}", said.all());
        assert_eq!(env.run(&["plan", "--sandbox", "--reset", "bitpanda.yaml"]).code, 0);
    }
    let env = Env::with_example();
    env.write(".rolecall", "no folder");
    let said = env.run(&plan);
    assert_eq!(said.code, 1, "{}", said.all());
    assert!(said.stderr.contains(world) && !said.stderr.contains("HTTP"), "{}", said.all());
}

#[test]
fn a_reset_starts_the_world_anew_for_everybody() {
    let (env, server) = served(&[]);
    assert_eq!(env.run(&["apply", "--sandbox", "--auto-approve", "org.yaml"]).code, 0);
    assert!(env.run(&["plan", "--sandbox", "--reset", "org.yaml"]).stdout.contains("5 mutations"));
    let total = server.post(Some(OWN_KEY), "{ listApiKeys { orgApiKeysList { name } } }").1;
    assert!(!total.contains("ci-pipeline"), "a running server serves the new world too: {total}");
    assert_eq!(env.run(&["apply", "--sandbox", "--auto-approve", "org.yaml"]).code, 0);
    drop(env.serve(&["--reset"]));
    assert!(
        env.run(&["plan", "--sandbox", "org.yaml"]).stdout.contains("5 mutations"),
        "the ledger went with its world"
    );
}
