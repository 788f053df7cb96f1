//! Files of a pull request: which changes somebody has to approve before a credential is used with them.

use crate::support::cli::{Env, Said, example};
use serde_json::Value;

/// Compares `head/access` with the trusted `main/access`, which both contain a file. Returns the output.
fn compared(main: &str, head: &str) -> Said {
    let env = Env::new();
    env.write("main/access/file.yaml", main);
    env.write("head/access/file.yaml", head);
    env.run(&["validate", "--trusted", "main/access", "head/access", "--format", "json"])
}

/// Returns the messages of the findings that need an approval.
fn approvals(said: &Said) -> Vec<String> {
    let report: Value = serde_json::from_str(&said.stdout).unwrap();
    let all = report["findings"].as_array().unwrap().iter();
    let found = all.filter(|finding| finding["code"] == "needs-approval");
    found.map(|finding| finding["message"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_only_grants_needs_no_approval() {
    let hive = example("hive.yaml");
    let said = compared(&hive, &hive.replace("roles: [Schema reviewer]", "roles: [Admin]"));
    assert_eq!(said.code, 0, "{}", said.all());
    assert!(hive.contains("roles: [Schema reviewer]") && approvals(&said).is_empty());
}

#[test]
fn a_change_that_moves_a_credential_or_a_secret_or_loosens_a_guardrail_needs_an_approval() {
    let hive = example("hive.yaml");
    let cases = [
        ("https://api.graphql-hive.com/graphql", "https://graphql-hive.com.evil.example/graphql", "`endpoint`"),
        ("token: { env: HIVE_TOKEN }", "token: { env: GITHUB_TOKEN }", "`credentials`"),
        ("keys/ci-publisher.key", "keys/of-somebody-else.key", "`deliver` of key/ci-publisher"),
        ("min_admins: 2", "min_admins: 1", "`guardrails.min_admins`"),
        ("max_removals: 2", "max_removals: 100%", "`guardrails.max_removals`"),
        ("max_removals: 2", "max_removals: 2\n  protected: [role/Nobody]", "`guardrails.protected`"),
        ("max_removals: 2", "max_removals: 2\n  require_self: false", "`guardrails.require_self`"),
        (
            "max_removals: 2",
            "max_removals: 2\n  exceptions:\n    - { plan: \"sha256:SEAL\", rails: [min_admins], until: 2999-01-01, reason: x }",
            "`guardrails.exceptions`",
        ),
        ("organization: acme", "organization: other", "No trusted file describes hive other."),
        ("keys: listed", "keys: all", "`manage.keys`"),
    ];
    for (before, after, expected) in cases {
        assert!(hive.contains(before), "{before}");
        let after = after.replace("SEAL", &"0".repeat(64));
        let said = compared(&hive, &hive.replacen(before, &after, 1));
        let found = approvals(&said);
        assert_eq!(said.code, 3, "{}", said.all());
        // A renamed file is reported under both names.
        assert_eq!(
            found.len(),
            if after.contains("other") && expected.contains("other") { 2 } else { 1 },
            "{found:?}"
        );
        assert!(found[0].contains(expected), "{expected}: {found:?}");
    }
}

#[test]
fn every_provider_has_what_needs_approval() {
    let rapidapi = example("rapidapi.yaml");
    for (before, after, expected) in [
        ("host: graphql-platform.p.rapidapi.com", "host: graphql-platform.p.rapidapi.com.evil.example", "`host`"),
        ("allow: []", "allow: [default-team-deletion]", "`allow`"),
    ] {
        assert!(rapidapi.contains(before), "{before}");
        let said = compared(&rapidapi, &rapidapi.replacen(before, after, 1));
        assert_eq!(said.code, 3, "{}", said.all());
        assert!(approvals(&said)[0].contains(expected), "{}", said.all());
    }
    let paradime = example("paradime.yaml");
    let said = compared(&paradime, &paradime.replacen("user: ", "user: not.", 1));
    assert!(said.code == 3 && approvals(&said)[0].contains("`own`"), "{}", said.all());
    let bitpanda = example("bitpanda.yaml");
    let said = compared(&bitpanda, &bitpanda);
    assert_eq!(said.code, 3, "reading takes an admin's credential, whatever changed: {}", said.all());
}

#[test]
fn what_cant_be_compared_needs_approval() {
    let env = Env::new();
    env.write("head/file.yaml", example("hive.yaml"));
    let said = env.run(&["validate", "--trusted", "nowhere", "head"]);
    assert_eq!(said.code, 3, "{}", said.all());
    env.write("main/file.yaml", "provider: hive\n");
    let said = env.run(&["validate", "--trusted", "main", "head"]);
    assert_eq!(said.code, 3, "a trusted file that is broken speaks for nobody: {}", said.all());
}

#[test]
fn a_broken_file_is_an_error_before_anything_else() {
    let said = compared(&example("hive.yaml"), "provider: hive\norganization: other\n");
    assert_eq!(said.code, 1, "{}", said.all());
}

#[cfg(unix)]
#[test]
fn a_link_shows_something_else_than_the_commit() {
    let env = Env::new();
    for folder in ["main", "head", "elsewhere"] {
        env.write(&format!("{folder}/file.yaml"), example("hive.yaml"));
    }
    assert_eq!(env.run(&["validate", "--trusted", "main", "head"]).code, 0);
    std::fs::remove_dir_all(env.path("head")).unwrap();
    std::os::unix::fs::symlink(env.path("elsewhere"), env.path("head")).unwrap();
    let said = env.run(&["validate", "--trusted", "main", "head"]);
    assert!(said.code == 1 && said.stdout.contains("is a link"), "{}", said.all());
    // The result doesn't depend on how the folder is named.
    let head = env.path("head").display().to_string();
    let said = env.run(&["validate", "--trusted", "main", &head]);
    assert!(said.code == 1 && said.stdout.contains("is a link"), "{}", said.all());
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::ffi::OsStrExt;
        std::fs::remove_file(env.path("head")).unwrap();
        std::fs::create_dir(env.path("head")).unwrap();
        let odd = env.path("head").join(std::ffi::OsStr::from_bytes(b"\xff.yaml"));
        std::os::unix::fs::symlink(env.path("elsewhere/file.yaml"), odd).unwrap();
        let said = env.run(&["validate", "--trusted", "main", "head"]);
        assert!(said.code == 1 && said.stdout.contains("is a link"), "{}", said.all());
    }
}

#[cfg(unix)]
#[test]
fn a_secret_that_would_follow_a_link_needs_approval() {
    let env = Env::new();
    for folder in ["main", "head"] {
        env.write(&format!("{folder}/file.yaml"), example("hive.yaml"));
    }
    std::os::unix::fs::symlink("/tmp", env.path("keys")).unwrap();
    let said = env.run(&["validate", "--trusted", "main", "head"]);
    assert!(said.code == 3 && said.stdout.contains("is a link, so its target perhaps differs"), "{}", said.all());
}

#[test]
fn an_organisation_that_nobody_speaks_for_any_more_needs_approval() {
    let env = Env::new();
    env.write("main/file.yaml", example("hive.yaml"));
    env.write("main/other.yaml", example("rapidapi.yaml"));
    env.write("head/file.yaml", example("hive.yaml"));
    // The file has `provider`, but in a form that hides it.
    env.write(
        "head/other.yaml",
        example("rapidapi.yaml").replacen("provider: rapidapi", "? provider\n: rapidapi", 1),
    );
    let said = env.run(&["validate", "--trusted", "main", "head"]);
    let expected = "No file describes rapidapi platform-management any more.";
    assert!(said.code == 3 && said.stdout.contains(expected), "{}", said.all());
}
