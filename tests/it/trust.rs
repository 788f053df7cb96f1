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

/// A reviewer looks at the lines that a finding names.
#[test]
fn a_guardrail_that_is_looser_is_shown_at_its_line() {
    let hive = example("hive.yaml");
    let line = |text: &str, part: &str| text.lines().position(|line| line.contains(part)).unwrap() + 1;
    for (before, after, shown) in [
        ("  min_admins: 2", "  min_admins: 1", "min_admins: 1"),
        ("  users: listed", "  users: all", "users: all"),
        // A field that is gone is one of those around its place.
        ("  min_admins: 2\n", "", "max_removals: 2"),
    ] {
        let changed = hive.replacen(before, after, 1);
        let said = compared(&hive, &changed);
        let place = format!("\"line\": {},", line(&changed, shown));
        assert!(said.code == 3 && said.all().contains(&place), "{place} {}", said.all());
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
    // The file is still there, and is no longer one of rolecall.
    env.write(
        "head/other.yaml",
        example("rapidapi.yaml").replacen("provider: rapidapi", "x-provider: rapidapi", 1),
    );
    let said = env.run(&["validate", "--trusted", "main", "head"]);
    let expected = "No file describes rapidapi platform-management any more.";
    assert!(said.code == 3 && said.stdout.contains(expected), "{}", said.all());
}

/// Compares two versions of an organisation's file and of the files that it includes.
fn compared_with(main: &[(&str, String)], head: &[(&str, String)]) -> Said {
    let env = Env::new();
    for (folder, files) in [("main", main), ("head", head)] {
        for (path, text) in files {
            env.write(&format!("{folder}/{path}"), text);
        }
    }
    env.run(&["validate", "--trusted", "main/access", "head/access", "--format", "json"])
}

const PEOPLE: &str = "kind: people
people: [{ email: alice@acme.example }, { email: zoe@acme.example }]
groups: [{ name: admins, members: [alice@acme.example] }]
";

#[test]
fn what_moves_into_an_included_file_or_a_group_needs_what_it_always_needed() {
    let hive = example("hive.yaml");
    let (head, keys) = hive.split_at(hive.find("\nkeys:\n").unwrap());
    let (head, users) = head.split_at(head.find("\nusers:\n").unwrap());
    let include = |paths: &str| format!("{head}\ninclude: [{paths}]\n");
    let main = [("access/hive.yaml", hive.clone())];
    // A changed `include` alone needs no approval, and neither do the same entries elsewhere.
    let moved = |keys: &str| {
        [
            ("access/hive.yaml", include("parts/*.yaml, ../people.yaml")),
            ("access/parts/all.yaml", format!("{users}{keys}")),
            ("people.yaml", PEOPLE.to_owned()),
        ]
    };
    let said = compared_with(&main, &moved(keys));
    assert_eq!((said.code, approvals(&said).len()), (0, 0), "{}", said.all());
    let said = compared_with(&moved(keys), &main);
    assert_eq!((said.code, approvals(&said).len()), (0, 0), "{}", said.all());
    // A secret that goes elsewhere needs one, wherever its key is written.
    let elsewhere = keys.replace("keys/ci-publisher.key", "keys/of-somebody-else.key");
    assert_ne!(elsewhere, keys);
    for trusted in [&main[..], &moved(keys)[..]] {
        let said = compared_with(trusted, &moved(&elsewhere));
        let found = approvals(&said);
        assert_eq!(said.code, 3, "{}", said.all());
        assert!(found.len() == 1 && found[0].contains("`deliver` of key/ci-publisher"), "{found:?}");
        assert!(
            said.stdout.contains("head/access/parts/all.yaml"),
            "the place is that of the part: {}",
            said.all()
        );
    }
    // Who is admin is up to the plan, by a group or not.
    let group = users.replacen("users:\n", "users:\n  - { group: admins, roles: [Admin], resources: all }\n", 1);
    let mut with_group = moved(keys);
    with_group[1].1 = format!("{group}{keys}");
    assert_eq!(compared_with(&main, &with_group).code, 0);
    let mut more = with_group.clone();
    more[2].1 = PEOPLE.replace("[alice@acme.example]", "[alice@acme.example, zoe@acme.example]");
    assert_eq!(compared_with(&with_group, &more).code, 0);
    // A date that lets a key exist again delivers its secret.
    let dated = |date: &str| {
        keys.replace("  - name: ci-publisher\n", &format!("  - name: ci-publisher\n    until: {date}\n"))
    };
    let said = compared_with(&moved(&dated("2020-01-01")), &moved(&dated("2999-01-01")));
    assert!(said.code == 3 && approvals(&said)[0].contains("`deliver` of key/ci-publisher"), "{}", said.all());
}

#[test]
fn no_included_file_has_a_field_of_the_head() {
    let hive = example("hive.yaml");
    let include = hive.replacen("users:\n", "include: [part.yml]\nusers:\n", 1);
    for field in [
        "provider: hive",
        "organization: acme",
        "endpoint: https://evil.example/graphql",
        "credentials: { token: { env: GITHUB_TOKEN } }",
        "guardrails: { min_admins: 0 }",
        "manage: { users: all }",
        "acknowledged: ['user/*']",
        "containment_role: Admin",
        "own: { key: x }",
        "? guardrails\n: { min_admins: 0 }",
        "\"guardrails\": { min_admins: 0 }",
        "kind: people\nguardrails: { min_admins: 0 }",
    ] {
        let head = [("access/hive.yaml", include.clone()), ("access/part.yml", format!("users: []\n{field}\n"))];
        let said = compared_with(&[("access/hive.yaml", hive.clone())], &head);
        assert_eq!(said.code, 1, "{field}: {}", said.all());
        assert!(said.stdout.contains("head/access/part.yml"), "{field}: {}", said.all());
    }
}
