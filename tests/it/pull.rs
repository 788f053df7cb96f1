//! `rolecall pull`: what is live, back into the files.

use serde_json::Value;

use crate::support::cli::{Env, Said, example, served};
use rolecall::cli::{SchemaName, schema_text};
use rolecall_model::ProviderName;

const EXAMPLES: &[&str] = &["bitpanda.yaml", "hive.yaml", "paradime.yaml", "rapidapi.yaml"];

fn env(name: &str, text: &str) -> Env {
    let env = Env::new();
    env.write(name, text);
    env
}

fn json(said: &Said) -> Value {
    serde_json::from_str(&said.stdout).unwrap_or_else(|why| panic!("{why}: {}", said.all()))
}

/// Where a file may not grow, `--write` was given and didn't help.
#[cfg(unix)]
#[test]
fn a_file_that_could_not_be_written_is_not_called_one_that_was_only_shown() {
    let (env, _server) = served(ProviderName::Hive, &[]);
    let before = env.read("file.yaml");
    for args in [&["pull", "--write", "file.yaml"][..], &["offboard", "sam@acme.example", "--write", "file.yaml"]]
    {
        let said = env.run_within("ulimit -f 0; \"$0\" \"$@\"", args);
        assert_eq!(said.code, 1, "{}", said.all());
        assert!(said.stderr.contains("can't be written: File too large"), "{}", said.all());
        assert!(said.stderr.contains("The file is not written."), "{}", said.all());
        assert!(!said.stderr.contains("`--write` writes"), "{}", said.all());
        assert_eq!(env.read("file.yaml"), before);
    }
}

#[test]
fn a_pull_shows_the_difference_and_writes_only_when_asked() {
    for name in EXAMPLES {
        let env = env(name, &example(name));
        let shown = env.run(&["pull", "--sandbox", name]);
        insta::assert_snapshot!(format!("pull_{}", name.trim_end_matches(".yaml")), shown.all());
        assert_eq!(shown.code, 2);
        assert_eq!(env.read(name), example(name));

        let written = env.run(&["pull", "--sandbox", "--write", name]);
        assert_eq!((written.code, written.stdout), (0, shown.stdout), "{}", written.stderr);
        let text = env.read(name);
        let again = env.run(&["pull", "--sandbox", "--write", name]);
        assert_eq!((again.code, again.stdout.as_str()), (0, ""), "{}", again.all());
        assert_eq!(env.read(name), text);

        // Only what can't be pulled is left for a plan.
        let left = json(&env.run(&["pull", "--sandbox", "--format", "json", name]));
        let plan = json(&env.run(&["plan", "--sandbox", "--format", "json", name]));
        for change in plan["organizations"][0]["sealed"]["changes"].as_array().unwrap() {
            let left = left["files"][0]["left"].as_array().unwrap();
            assert!(left.iter().any(|left| left["address"] == change["address"]), "{name}: {change}");
        }
    }
}

#[test]
fn the_difference_is_a_patch_whether_or_not_the_file_ends_its_last_line() {
    for (name, end) in EXAMPLES.iter().flat_map(|name| [(name, "\n"), (name, "")]) {
        let text = format!("{}{end}", example(name).trim_end());
        let env = env(name, &text);
        let shown = json(&env.run(&["pull", "--sandbox", "--format", "json", name]));
        let patch = diffy::Patch::from_str(shown["files"][0]["diff"].as_str().unwrap()).unwrap();
        env.run(&["pull", "--sandbox", "--write", name]);
        assert_eq!(diffy::apply(&text, &patch).unwrap(), env.read(name));
    }
}

#[test]
fn entries_of_who_is_gone_can_stay_as_absent() {
    let env = env("hive.yaml", &example("hive.yaml"));
    let said = env.run(&[
        "pull",
        "--sandbox",
        "--gone",
        "absent",
        "--target",
        "user/new.user@acme.example",
        "--write",
        "hive.yaml",
    ]);
    assert_eq!(said.code, 0, "{}", said.all());
    let wanted = example("hive.yaml")
        .replace("    roles: [Developer]\n    resources: { shop: { staging: all } }\n", "    absent: true\n");
    assert_eq!(env.read("hive.yaml"), wanted);
}

#[test]
fn whoever_no_file_lists_is_added_only_when_asked() {
    let env = env("hive.yaml", &example("hive.yaml"));
    let added = |args: &[&str]| {
        let said = env.run(&[&["pull", "--sandbox", "--format", "json"], args, &["hive.yaml"]].concat());
        json(&said)["files"][0]["pulled"]
            .as_array()
            .unwrap()
            .iter()
            .any(|entry| entry["address"] == "user/ghost@acme.example" && entry["is"] == "added")
    };
    assert!(!added(&[]));
    assert!(added(&["--unlisted"]));
    assert!(added(&["--target", "user/ghost@acme.example"]));
    assert!(!added(&["--unlisted", "--exclude", "user/ghost@acme.example"]));
}

#[test]
fn a_file_keeps_its_byte_order_mark_its_line_ends_and_its_permissions() {
    let text = format!("\u{feff}{}", example("hive.yaml").replace('\n', "\r\n"));
    let env = env("hive.yaml", &text);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(env.path("hive.yaml"), std::fs::Permissions::from_mode(0o640)).unwrap();
    }
    let said = env.run(&["pull", "--sandbox", "--write", "hive.yaml"]);
    assert_eq!(said.code, 0, "{}", said.all());
    let after = env.read("hive.yaml");
    assert!(after.starts_with('\u{feff}') && after != text);
    assert!(after.lines().count() == after.matches("\r\n").count());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(env.path("hive.yaml")).unwrap().permissions().mode() & 0o777, 0o640);
    }
}

#[cfg(unix)]
#[test]
fn nothing_is_written_through_a_link() {
    let env = env("real.yaml", &example("hive.yaml"));
    std::os::unix::fs::symlink(env.path("real.yaml"), env.path("hive.yaml")).unwrap();
    let said = env.run(&["pull", "--sandbox", "--write", "hive.yaml"]);
    assert_eq!(said.code, 1, "{}", said.all());
    assert_eq!(env.read("real.yaml"), example("hive.yaml"));
}

#[test]
fn an_anchor_that_others_use_keeps_its_entry_and_says_why() {
    let text = example("hive.yaml")
        .replace("    resources: { shop: { staging: all } }", "    resources: &tree { shop: { staging: all } }")
        .replace("  - email: sam@acme.example\n", "  - email: sam@acme.example\n    resources: *tree\n");
    let env = env("hive.yaml", &text);
    let said = env.run(&["pull", "--sandbox", "--target", "user/new.user@acme.example", "hive.yaml"]);
    assert_eq!((said.code, said.stdout.as_str()), (0, ""), "{}", said.all());
    assert!(said.stderr.contains("the anchor `&tree`"), "{}", said.stderr);
}

#[test]
fn the_document_has_the_form_of_its_schema() {
    let schema: Value = serde_json::from_str(&schema_text(SchemaName::Pull)).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    for name in EXAMPLES {
        let said = env(name, &example(name)).run(&["pull", "--sandbox", "--format", "json", name]);
        let document = json(&said);
        assert!(schema.is_valid(&document), "{document}");
        assert!(!document["files"][0]["diff"].as_str().unwrap().is_empty());
    }
}

#[test]
fn a_platform_that_is_unreachable_ends_with_6_and_writes_nothing() {
    let text = example("bitpanda.yaml")
        .replace("https://tapi-sandbox.trustology-test.com/graphql", "http://127.0.0.1:9/graphql");
    let mut env = env("bitpanda.yaml", &text);
    env.set("ROLECALL_ALLOWED_HOSTS", "127.0.0.1");
    env.set("BITPANDA_API_KEY", "a-secret-key");
    let said = env.run(&["pull", "-vv", "--write", "bitpanda.yaml"]);
    assert_eq!(said.code, 6, "{}", said.all());
    assert!(!said.all().contains("a-secret-key"));
    assert_eq!(env.read("bitpanda.yaml"), text);
}

#[test]
fn a_target_that_nothing_has_is_an_error() {
    let env = env("hive.yaml", &example("hive.yaml"));
    let said = env.run(&["pull", "--sandbox", "hive.yaml", "--target", "user/nobody@acme.example"]);
    assert_eq!(said.code, 1, "{}", said.all());
    assert!(said.stderr.contains("Neither the file nor live has user/nobody@acme.example"), "{}", said.all());
    // Live, and in sync.
    assert_eq!(env.run(&["pull", "--sandbox", "hive.yaml", "--target", "user/jane@acme.example"]).code, 0);
}

/// Somebody who was to go and stays has an entry that says what they have, on each platform.
#[test]
fn whoever_stays_has_an_entry_with_their_roles() {
    for name in ["hive.yaml", "paradime.yaml", "rapidapi.yaml"] {
        let env = env(name, &example(name));
        assert_eq!(env.run(&["pull", "--sandbox", "--write", "--target", "user/left@acme.example", name]).code, 0);
        let file = env.read(name);
        let entry = file.split("left@acme.example").nth(1).unwrap();
        assert!(entry.trim_start_matches([',', '\n', ' ']).starts_with("roles: ["), "{file}");
    }
}

/// An entry is changed in the file where it stands. Somebody who has access by a group gets an entry of their own.
#[test]
fn included_files_are_pulled_where_their_entries_stand() {
    let env = Env::new();
    let hive = example("hive.yaml");
    let (head, _) = hive.split_once("\nroles:").unwrap();
    env.write("hive.yaml", format!("{head}\ninclude: [people.yaml, teams/*.yaml]\nusers: []\n"));
    env.write(
        "people.yaml",
        "kind: people\npeople:\n  - { email: alice@acme.example }\ngroups:\n  - { name: g, members: [alice@acme.example] }\n",
    );
    let part = "users:\n  # on call\n  - { email: jane@acme.example, roles: [Viewer], resources: all }\n  - { group: g, roles: [Viewer], resources: all }\n";
    env.write("teams/a.yaml", part);
    let said = env.run(&["pull", "--sandbox", "--write", "hive.yaml"]);
    assert_eq!(said.code, 0, "{}", said.all());
    assert_eq!(env.read("teams/a.yaml"), part.replacen("[Viewer]", "[Admin]", 1), "{}", said.all());
    let written = env.read("hive.yaml");
    assert!(written.contains("email: alice@acme.example") && written.contains("roles: [Developer]"), "{written}");
    let plan = env.run(&["plan", "--sandbox", "hive.yaml"]);
    assert!(plan.stdout.contains("No changes"), "{}", plan.all());
    let again = env.run(&["pull", "--sandbox", "hive.yaml"]);
    assert_eq!(again.code, 0, "{}", again.all());
}

const BITPANDA: &str = "provider: bitpanda
organization: f8588dc7-e1ce-4d92-a473-809a0a357ad9
endpoint: https://tapi-sandbox.trustology-test.com/graphql
credentials: { api_key: { env: BITPANDA_API_KEY } }
own: { key: bff7cedb-5c5e-4b6e-9a55-0f4e7d1c2a11 }
";

/// Whatever ends still ends after a pull: a role that stays keeps its date, and an entry keeps its own.
#[test]
fn what_ends_still_ends_after_a_pull() {
    let pull = |roles: &str, more: &str| {
        let entry = |roles: &str| {
            format!("users:\n  - {{ email: max@acme.example, roles: {roles}, enabled: true{more} }}\n")
        };
        let env = env("bitpanda.yaml", &format!("{BITPANDA}{}", entry(roles)));
        let args =
            ["pull", "--sandbox", "--now", "2026-12-01T00:00:00Z", "--write", "--target", "user/max@acme.example"];
        let said = env.run(&[&args[..], &["bitpanda.yaml"]].concat());
        (env.read("bitpanda.yaml").split("roles: ").nth(1).unwrap().to_owned(), said.all())
    };
    let ops = "{ role: CLUSTER_OPS, until: 2026-12-10 }";
    // Max has three roles.
    let (after, said) = pull(&format!("[SIGNER, {ops}]"), "");
    assert_eq!(after, format!("[SIGNER, {ops}, CLUSTER_MANAGER], enabled: true }}\n"), "{said}");
    // A role that isn't live goes, and the date of the others stays.
    let (after, said) =
        pull(&format!("[SIGNER, {ops}, CLUSTER_MANAGER, ADMIN]"), ", note: on call, until: 2026-12-20");
    let wanted = format!("[SIGNER, {ops}, CLUSTER_MANAGER], enabled: true, note: on call, until: 2026-12-20 }}\n");
    assert_eq!(after, wanted, "{said}");
    // What has ended isn't given again.
    let ended = "[SIGNER, CLUSTER_MANAGER, { role: CLUSTER_OPS, until: 2026-11-30 }]";
    let (after, said) = pull(ended, "");
    assert_eq!(after, format!("{ended}, enabled: true }}\n"), "{said}");
    let (after, said) = pull("[SIGNER, { role: CLUSTER_OPS, until: 2026-11-30 }]", "");
    let wanted = "[SIGNER, { role: CLUSTER_OPS, until: 2026-11-30 }, CLUSTER_MANAGER], enabled: true }\n";
    assert_eq!(after, wanted, "{said}");
}

#[test]
fn teams_that_end_still_end_after_a_pull() {
    let pull = |teams: &str| {
        let file = example("rapidapi.yaml").replace("{ Payments: Team Viewer, Data: Team Admin }", teams);
        let env = env("rapidapi.yaml", &file);
        let args = ["pull", "--sandbox", "--write", "--target", "user/sam@acme.example", "rapidapi.yaml"];
        let said = env.run(&args);
        let file = env.read("rapidapi.yaml");
        let entry = file.split("- email: sam@acme.example").nth(1).unwrap();
        let teams = entry.split("teams: ").nth(1).and_then(|rest| rest.lines().next()).unwrap().to_owned();
        (teams, said.all())
    };
    let (teams, said) = pull("{ Payments: { role: Team Viewer, until: 2100-12-31 }, Data: Team Admin }");
    assert_eq!(teams, "{ Payments: { role: Team Admin, until: 2100-12-31 }, Search: Team Developer }", "{said}");
    let (teams, said) = pull("[{ team: Payments, until: 2100-12-31 }, Data]");
    assert_eq!(
        teams, "{ Payments: { role: Team Admin, until: \"2100-12-31\" }, Search: Team Developer }",
        "{said}"
    );
}

/// What the file renames has its earlier name live, so its date would be lost.
#[test]
fn what_ends_and_is_renamed_is_left() {
    let teams = "{ Bills: { role: Team Viewer, until: 2100-12-31 }, Data: Team Admin }";
    let file = example("rapidapi.yaml")
        .replace("- name: Payments\n", "- name: Bills\n    previously: [Payments]\n")
        .replace("{ Payments: Team Viewer, Data: Team Admin }", teams);
    let env = env("rapidapi.yaml", &file);
    let said = env.run(&["pull", "--sandbox", "--write", "rapidapi.yaml"]);
    assert!(env.read("rapidapi.yaml").contains(teams), "{}", said.all());
    assert!(
        said.stderr.contains("user/sam@acme.example: `Bills` ends, and the file renames it."),
        "{}",
        said.all()
    );
}

/// An entry of somebody who is gone says only that.
#[test]
fn an_absent_entry_has_no_end() {
    let hive = example("hive.yaml").replace(
        "    resources: { shop: { staging: all } }\n",
        "    resources: { shop: { staging: all } }\n    until: 2100-12-31\n    note: new\n",
    );
    let env = env("hive.yaml", &hive);
    let args = ["pull", "--sandbox", "--gone", "absent", "--target", "user/new.user@acme.example", "--write"];
    let said = env.run(&[&args[..], &["hive.yaml"]].concat());
    assert_eq!(said.code, 0, "{}", said.all());
    assert!(env.read("hive.yaml").contains("    note: new\n    absent: true\n"), "{}", env.read("hive.yaml"));
}

/// An entry would replace what a group gives until a date, and the access would be permanent.
#[test]
fn what_a_group_gives_until_a_date_gets_no_entry() {
    let hive = example("hive.yaml");
    let (head, _) = hive.split_once("\nroles:").unwrap();
    let file =
        format!("{head}\ninclude: [people.yaml]\nusers: [{{ group: g, roles: [Viewer], resources: all }}]\n");
    let env = env("hive.yaml", &file);
    env.write(
        "people.yaml",
        "kind: people\npeople:\n  - { email: alice@acme.example }\ngroups:\n  - { name: g, members: [{ person: alice@acme.example, until: 2100-12-31 }] }\n",
    );
    let said = env.run(&["pull", "--sandbox", "--write", "--target", "user/alice@acme.example", "hive.yaml"]);
    assert_eq!(env.read("hive.yaml"), file);
    assert!(said.stderr.contains("some of that ends: see people.yaml:5:"), "{}", said.all());
}
