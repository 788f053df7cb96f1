//! `rolecall offboard` and `rolecall onboard`: one person, in every file and on every platform.

use serde_json::Value;

use crate::support::cli::{Env, Said, example};
use rolecall::cli::{SchemaName, schema_text};

const PEOPLE: &str = "# Everybody once.
kind: people
people:
  - { email: sam@acme.example, first_name: Sam, last_name: Poe, note: on call } # until Max knows it all
  # Max is new.
  - email: max@acme.example
    first_name: Max
    last_name: Moe
groups:
  - name: dev
    members: [sam@acme.example] # one
  - name: all
    members:
      - { group: dev }
      # Until the end.
      - person: sam@acme.example
        until: 2099-12-15
      - max@acme.example
  - { name: some, members: [{ group: all }], except: [max@acme.example, sam@acme.example] }
";

/// The line of an example, with the people file included.
fn including(name: &str) -> String {
    let provider = name.trim_end_matches(".yaml");
    let head = format!("provider: {provider}\n");
    example(name).replace(&head, &format!("{head}include: [people.yaml]\n"))
}

/// Replaces a text that occurs once.
fn replaced(text: &str, before: &str, after: &str) -> String {
    assert_eq!(text.matches(before).count(), 1, "{before}");
    text.replace(before, after)
}

/// Returns a folder with one people file over all examples. Sam has an entry of his own in some of them.
fn everywhere() -> Env {
    let env = Env::new();
    env.write("people.yaml", PEOPLE);
    env.write("bitpanda.yaml", including("bitpanda.yaml"));
    let hive = including("hive.yaml");
    let group = "  - { group: some, roles: [Viewer], resources: all }\n  - { group: dev, roles: [Viewer] }\n";
    env.write("hive.yaml", replaced(&hive, "  - email: sam@acme.example\n", group));
    let paradime = including("paradime.yaml");
    let own = "  - email: sam@acme.example\n    roles: [BUSINESS]\n";
    env.write("paradime.yaml", replaced(&paradime, own, "  - { group: dev, roles: [BUSINESS] }\n"));
    env.write("rapidapi.yaml", including("rapidapi.yaml"));
    env
}

const FILES: &[&str] = &["bitpanda.yaml", "hive.yaml", "paradime.yaml", "rapidapi.yaml"];

fn json(said: &Said) -> Value {
    serde_json::from_str(&said.stdout).unwrap_or_else(|why| panic!("{why}: {}", said.all()))
}

/// Returns what is left in an organisation.
fn left<'a>(report: &'a Value, provider: &str) -> &'a Value {
    report["left"].as_array().unwrap().iter().find(|left| left["provider"] == provider).unwrap()
}

fn is_nothing(left: &Value) -> bool {
    ["access", "manual", "unreadable"].iter().all(|list| left[list].as_array().unwrap().is_empty())
}

#[test]
fn a_person_leaves_every_file_and_every_platform() {
    let env = everywhere();
    let before: Vec<String> = FILES.iter().map(|name| env.read(name)).collect();
    let shown = env.run(&["offboard", "--sandbox", "SAM@acme.example", "."]);
    insta::assert_snapshot!("offboard", shown.all());
    assert_eq!(shown.code, 2);
    assert_eq!(env.read("people.yaml"), PEOPLE, "nothing is written unless that is asked for");

    let written = env.run(&["offboard", "--sandbox", "sam@acme.example", ".", "--write"]);
    let diff = |said: &Said| said.stdout.split("\nbitpanda ").next().unwrap().to_owned();
    assert_eq!((written.code, diff(&written)), (2, diff(&shown)), "{}", written.stderr);
    // Each file has exactly these edits.
    assert_eq!(
        env.read("people.yaml"),
        "# Everybody once.
kind: people
people:
  # Max is new.
  - email: max@acme.example
    first_name: Max
    last_name: Moe
groups:
  - name: dev
    members: [] # one
  - name: all
    members:
      - { group: dev }
      # Until the end.
      - max@acme.example
  - { name: some, members: [{ group: all }], except: [max@acme.example] }
"
    );
    let absent = "  - email: sam@acme.example\n    absent: true\n";
    let bitpanda = replaced(&before[0], "  - email: sam@acme.example\n    enabled: false\n", absent);
    assert_eq!(env.read("bitpanda.yaml"), bitpanda);
    let before_comment =
        |text: &str, entry: &str, comment: &str| replaced(text, comment, &format!("{entry}{comment}"));
    assert_eq!(
        env.read("hive.yaml"),
        before_comment(
            &before[1],
            "\n  - email: sam@acme.example\n    absent: true\n",
            "\n  # ghost@acme.example is a member and not in this file.",
        )
    );
    let own = "  - email: sam@acme.example\n    roles: [Developer]\n    teams: { Payments: Team Viewer, Data: Team Admin }\n";
    assert_eq!(env.read("rapidapi.yaml"), replaced(&before[3], own, absent));

    for name in FILES {
        let said = env.run(&["apply", "--sandbox", "--auto-approve", "--target", "user/sam@acme.example", name]);
        assert_eq!(said.code, 0, "{name}: {}", said.all());
    }
    let again = env.run(&["offboard", "--sandbox", "sam@acme.example", ".", "--write", "--format", "json"]);
    assert_eq!(again.code, 2, "{}", again.all());
    let report = json(&again);
    assert!(report["files"].as_array().unwrap().is_empty(), "{}", again.stdout);
    for name in FILES {
        let left = left(&report, name.trim_end_matches(".yaml"));
        assert!(left["access"].as_array().unwrap().is_empty(), "{left}");
    }
    assert!(is_nothing(left(&report, "paradime")) && is_nothing(left(&report, "rapidapi")), "{report}");
    // Hive can't remove members, and Bitpanda doesn't show who is disabled.
    let manual = left(&report, "hive")["manual"].to_string();
    assert!(manual.contains("the menu beside the user, Remove"), "{manual}");
    let unreadable = left(&report, "bitpanda")["unreadable"].to_string();
    assert!(unreadable.contains("An apply removed them on"), "{unreadable}");

    let proof = env.run(&["offboard", "--sandbox", "sam@acme.example", "paradime.yaml", "rapidapi.yaml"]);
    assert_eq!(proof.code, 0, "{}", proof.all());
    assert_eq!(proof.stdout.matches("no access left").count(), 2, "{}", proof.stdout);
}

#[test]
fn the_document_has_the_form_of_its_schema() {
    let schema: Value = serde_json::from_str(&schema_text(SchemaName::Person)).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let env = everywhere();
    for args in [
        &["offboard", "--sandbox", "sam@acme.example", "--format", "json", "hive.yaml"][..],
        &["onboard", "--sandbox", "left@acme.example", "--group", "some", "--format", "json", "hive.yaml"],
    ] {
        let said = env.run(args);
        let document = json(&said);
        let errors: Vec<String> = schema.iter_errors(&document).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}");
        assert!(!document["files"].as_array().unwrap().is_empty(), "{}", said.all());
    }
}

#[test]
fn where_a_file_manages_everybody_the_entry_goes() {
    let env = Env::new();
    let text = example("paradime.yaml").replace("  users: listed", "  users: all");
    env.write("paradime.yaml", &text);
    let said = env.run(&["offboard", "--sandbox", "sam@acme.example", "--write", "paradime.yaml"]);
    assert_eq!(said.code, 2, "{}", said.all());
    assert!(!env.read("paradime.yaml").contains("sam@acme.example"), "{}", env.read("paradime.yaml"));
    assert!(said.stdout.contains("- user/sam@acme.example"), "the plan disables him: {}", said.stdout);
}

#[test]
fn somebody_who_is_only_live_gets_an_entry() {
    let env = Env::new();
    env.write("paradime.yaml", example("paradime.yaml"));
    let said = env.run(&["offboard", "--sandbox", "GHOST@acme.example", "--write", "paradime.yaml"]);
    assert_eq!(said.code, 2, "{}", said.all());
    let added = "  - email: ghost@acme.example\n    absent: true\n\n";
    assert_eq!(replaced(&env.read("paradime.yaml"), added, ""), example("paradime.yaml"));
}

/// Ghost has another address at Hive than elsewhere, and no entry of their own.
fn with_alias() -> Env {
    let env = Env::new();
    env.write(
        "people.yaml",
        "kind: people\npeople:\n  - { email: g.k@acme.example, aliases: { hive: ghost@acme.example } }\ngroups:\n  - { name: dev, members: [g.k@acme.example] }\n",
    );
    let group = "  - { group: dev, roles: [Viewer], resources: all }\n  - email: sam@acme.example\n";
    env.write("hive.yaml", replaced(&including("hive.yaml"), "  - email: sam@acme.example\n", group));
    env
}

#[test]
fn an_alias_is_kept_where_it_must_be_removed_and_found_again() {
    for asked in ["g.k@acme.example", "GHOST@acme.example"] {
        let env = with_alias();
        let said = env.run(&["offboard", "--sandbox", asked, "--write", "hive.yaml"]);
        assert_eq!(said.code, 2, "{}", said.all());
        let text = env.read("hive.yaml");
        let entry = "  - email: ghost@acme.example\n    absent: true\n    note: is g.k@acme.example elsewhere\n";
        assert!(text.contains(entry), "{text}");
        assert!(!env.read("people.yaml").contains("acme.example"), "{}", env.read("people.yaml"));
        // Nothing but the note tells the alias now.
        for asked in ["g.k@acme.example", "ghost@acme.example"] {
            let again = env.run(&["offboard", "--sandbox", asked, "--format", "json", "hive.yaml"]);
            let report = json(&again);
            assert!(report["files"].as_array().unwrap().is_empty(), "{}", again.stdout);
            assert_eq!(report["email"], "g.k@acme.example");
            let access = left(&report, "hive")["access"].to_string();
            assert!(access.contains("user/ghost@acme.example"), "{access}");
        }
        // Whoever comes back has the alias again.
        let back =
            env.run(&["onboard", "--sandbox", "g.k@acme.example", "--group", "dev", "--write", "hive.yaml"]);
        assert_eq!(back.code, 2, "{}", back.all());
        assert_eq!(env.read("hive.yaml"), with_alias().read("hive.yaml"));
        let people = env.read("people.yaml");
        assert!(people.contains("    aliases: {hive: ghost@acme.example}\n"), "{people}");
    }
}

#[test]
fn an_entry_with_the_persons_own_address_gets_the_one_of_the_platform() {
    let env = with_alias();
    let text = replaced(
        &env.read("hive.yaml"),
        "  - { group: dev, roles: [Viewer], resources: all }\n",
        "  - { email: g.k@acme.example, roles: [Viewer], resources: all } # at Hive, too\n",
    );
    env.write("hive.yaml", &text);
    let said = env.run(&["offboard", "--sandbox", "g.k@acme.example", "--write", "hive.yaml"]);
    assert_eq!(said.code, 2, "{}", said.all());
    let entry =
        "  - { email: ghost@acme.example, absent: true, note: is g.k@acme.example elsewhere } # at Hive, too\n";
    assert!(env.read("hive.yaml").contains(entry), "{}", env.read("hive.yaml"));
}

#[test]
fn entries_in_parts_are_edited_there() {
    let env = everywhere();
    let hive = env.read("hive.yaml").replace("include: [people.yaml]", "include: [people.yaml, teams/*.yaml]");
    env.write("hive.yaml", &hive);
    let part = "users:\n  # Only here.\n  - { email: max@acme.example, roles: [Viewer], resources: all, until: 2099-01-01 } # why\n";
    env.write("teams/ops.yaml", part);
    let said = env.run(&["offboard", "--sandbox", "max@acme.example", "--write", "hive.yaml"]);
    assert_eq!(said.code, 0, "{}", said.all());
    assert_eq!(
        env.read("teams/ops.yaml"),
        "users:\n  # Only here.\n  - { email: max@acme.example, absent: true } # why\n"
    );
    assert_eq!(env.read("hive.yaml"), hive);
}

#[test]
fn every_people_file_loses_the_person() {
    let env = everywhere();
    env.write("other.yaml", "{\"kind\": \"people\", \"people\": [{\"email\": \"sam@acme.example\"}], \"groups\": [{\"name\": \"dev\", \"members\": [\"Sam@acme.example\"]}]}\n");
    let paradime = env.read("paradime.yaml").replace("include: [people.yaml]", "include: [other.yaml]");
    env.write("paradime.yaml", paradime);
    let said = env.run(&["offboard", "--sandbox", "sam@acme.example", "--write", "hive.yaml", "paradime.yaml"]);
    assert_eq!(said.code, 2, "{}", said.all());
    assert_eq!(
        env.read("other.yaml"),
        "{\"kind\": \"people\", \"people\": [], \"groups\": [{\"name\": \"dev\", \"members\": []}]}\n"
    );
    assert!(!env.read("people.yaml").contains("sam@"), "{}", env.read("people.yaml"));
}

#[test]
fn line_ends_and_byte_order_marks_stay() {
    let env = everywhere();
    let crlf = |text: &str| format!("\u{feff}{}", text.replace('\n', "\r\n"));
    env.write("people.yaml", crlf(PEOPLE));
    let said = env.run(&["offboard", "--sandbox", "sam@acme.example", "--write", "hive.yaml"]);
    assert_eq!(said.code, 2, "{}", said.all());
    let text = env.read("people.yaml");
    assert!(text.starts_with('\u{feff}') && !text.contains("sam@"), "{text}");
    assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
}

#[test]
fn a_part_of_several_platforms_loses_an_entry_that_cannot_be_right_for_all() {
    let env = with_alias();
    let people = env.read("people.yaml").replace("members: [g.k@acme.example]", "members: []");
    env.write("people.yaml", people);
    env.write("part.yaml", "users:\n  - { email: g.k@acme.example } # both\n");
    for name in ["hive.yaml", "paradime.yaml"] {
        let text = including(name).replace("include: [people.yaml]", "include: [people.yaml, part.yaml]");
        env.write(name, text);
    }
    let said = env.run(&["offboard", "--sandbox", "g.k@acme.example", "--write", "hive.yaml", "paradime.yaml"]);
    assert_eq!(said.code, 2, "{}", said.all());
    assert_eq!(env.read("part.yaml"), "users: []\n");
    let (hive, paradime) = (env.read("hive.yaml"), env.read("paradime.yaml"));
    assert!(
        hive.contains(
            "  - email: ghost@acme.example\n    absent: true\n    note: is g.k@acme.example elsewhere\n"
        )
    );
    assert!(paradime.contains("  - email: g.k@acme.example\n    absent: true\n\n"), "{paradime}");
}

#[test]
fn where_a_file_manages_everybody_an_alias_is_kept_all_the_same() {
    let env = with_alias();
    env.write("hive.yaml", env.read("hive.yaml").replace("  users: listed", "  users: all"));
    let said = env.run(&["offboard", "--sandbox", "g.k@acme.example", "--write", "hive.yaml"]);
    assert!(env.read("hive.yaml").contains("note: is g.k@acme.example elsewhere"), "{}", said.all());
}

#[test]
fn a_guardrail_that_refuses_the_plan_is_said() {
    let env = Env::new();
    env.write("hive.yaml", example("hive.yaml"));
    let said = env.run(&["offboard", "--sandbox", "jane@acme.example", "hive.yaml"]);
    assert_eq!(said.code, 3, "{}", said.all());
    assert!(said.stdout.contains("min_admins"), "{}", said.stdout);
}

// ---- what is refused

/// Runs `offboard --write`, which must refuse to write anything.
fn refused(env: &Env, args: &[&str], code: i32) -> String {
    let read =
        || ["people.yaml", "hive.yaml"].map(|name| std::fs::read_to_string(env.path(name)).unwrap_or_default());
    let before = read();
    let said = env.run(args);
    assert_eq!(said.code, code, "{}", said.all());
    assert_eq!(read(), before, "{}", said.all());
    said.stderr
}

#[test]
fn fields_that_decide_about_guardrails_and_credentials_must_not_name_who_leaves() {
    let env = Env::new();
    let with = |text: &str| {
        let head = "containment_role: No access\n";
        env.write("hive.yaml", replaced(&example("hive.yaml"), head, &format!("{head}{text}")));
        refused(&env, &["offboard", "--sandbox", "sam@acme.example", "--write", "hive.yaml"], 1)
    };
    assert!(with("acknowledged: [user/sam@acme.example]\n").contains("`acknowledged` names sam@acme.example"));
    let tolerated = "{ address: user/sam@acme.example, roles: [Admin], until: 2099-12-03, reason: incident 4711 }";
    assert!(with(&format!("tolerated: [{tolerated}]\n")).contains("`tolerated` names sam@acme.example"));
    let protected = example("hive.yaml").replace("  min_admins: 2", "  min_admins: 2\n  protected: ['user/sam*']");
    env.write("hive.yaml", protected);
    let said = refused(&env, &["offboard", "--sandbox", "sam@acme.example", "--write", "hive.yaml"], 1);
    assert!(said.contains("error[still-named]: `protected` names sam@acme.example"), "{said}");
    env.write("paradime.yaml", example("paradime.yaml"));
    let said = env.run(&["offboard", "--sandbox", "alexandra@acme.example", "paradime.yaml"]);
    assert_eq!(said.code, 1, "{}", said.all());
    assert!(said.stderr.contains("`own` names alexandra@acme.example"), "{}", said.stderr);
}

#[test]
fn an_address_that_nobody_has_is_no_proof() {
    let env = everywhere();
    let said = refused(&env, &["offboard", "--sandbox", "samm@acme.example", "--write", "hive.yaml"], 1);
    assert!(said.contains("No file, no platform and no ledger knows samm@acme.example."), "{said}");
    assert!(said.contains("Did you mean sam@acme.example?"), "{said}");
    let said = refused(&env, &["offboard", "--sandbox", "no address", "hive.yaml"], 1);
    assert!(said.contains("the email address"), "{said}");
}

#[test]
fn an_alias_of_two_people_is_no_person() {
    let env = Env::new();
    let people = "kind: people\npeople:\n  - { email: a@acme.example, aliases: { hive: team@acme.example } }\n  - { email: b@acme.example, aliases: { paradime: team@acme.example } }\n";
    env.write("people.yaml", people);
    env.write("hive.yaml", including("hive.yaml"));
    let said = refused(&env, &["offboard", "--sandbox", "team@acme.example", "--write", "hive.yaml"], 1);
    assert!(said.contains("Name one of them: `a@acme.example` or `b@acme.example`."), "{said}");
}

#[test]
fn what_cannot_be_edited_keeps_every_file_as_it_is() {
    let env = everywhere();
    let people = PEOPLE.replace("members: [sam@acme.example] # one", "members: [&sam sam@acme.example]");
    let people =
        people.replace("except: [max@acme.example, sam@acme.example]", "except: [max@acme.example, *sam]");
    env.write("people.yaml", people);
    let said = refused(&env, &["offboard", "--sandbox", "sam@acme.example", "--write", "hive.yaml"], 1);
    assert!(said.contains("error[not-editable]") && said.contains("the anchor `&sam`"), "{said}");
    assert!(said.contains("people.yaml:10:5"), "{said}");
}

#[cfg(unix)]
#[test]
fn all_files_are_written_or_none() {
    use std::os::unix::fs::PermissionsExt;
    let env = everywhere();
    let hive = env.read("hive.yaml").replace("[people.yaml]", "[people.yaml, teams/ops.yaml]");
    env.write("hive.yaml", hive);
    env.write("teams/ops.yaml", "users: [{ email: max@acme.example, roles: [Viewer], resources: all }]\n");
    std::fs::set_permissions(env.path("teams"), std::fs::Permissions::from_mode(0o555)).unwrap();
    if std::fs::write(env.path("teams/probe"), "").is_ok() {
        // The superuser may write everywhere.
        std::fs::remove_file(env.path("teams/probe")).unwrap();
        return;
    }
    let said = refused(&env, &["offboard", "--sandbox", "max@acme.example", "--write", "hive.yaml"], 1);
    std::fs::set_permissions(env.path("teams"), std::fs::Permissions::from_mode(0o755)).unwrap();
    assert!(said.contains("teams/ops.yaml can't be written"), "{said}");
}

#[test]
fn an_organisation_that_cannot_be_read_is_no_proof() {
    let mut env = Env::new();
    env.set("HIVE_TOKEN", "hvo1/secret");
    env.set("ROLECALL_ALLOWED_HOSTS", "127.0.0.1");
    let text = example("hive.yaml").replace("https://api.graphql-hive.com/graphql", "http://127.0.0.1:9/graphql");
    env.write("hive.yaml", &text);
    let said = env.run(&["offboard", "sam@acme.example", "--format", "json", "hive.yaml"]);
    assert_ne!(said.code, 0, "{}", said.all());
    assert_ne!(said.code, 2, "{}", said.all());
    let report = json(&said);
    assert_eq!(report["plan"]["unread"][0]["provider"], "hive", "{report}");
    assert!(report["left"].as_array().unwrap().is_empty());
}

#[test]
fn keys_that_name_the_person_are_told() {
    let env = everywhere();
    let hive = env.read("hive.yaml");
    let targets = "[{ file: keys/a }, { env_file: sam.env, name: TOKEN }]";
    env.write("hive.yaml", hive.replace("{ file: keys/ci-publisher.key }", targets));
    let said = env.run(&["offboard", "--sandbox", "sam@acme.example", "hive.yaml", "--format", "json"]);
    let keys = json(&said)["keys"].to_string();
    assert!(keys.contains("its delivery may name them: it has the word sam."), "{keys}");
    assert!(keys.contains("A new secret goes to: keys/a; the variable TOKEN in sam.env."), "{keys}");
    let said = env.run(&["offboard", "--sandbox", "sam@acme.example", "hive.yaml"]);
    assert!(said.stdout.contains("No platform and no ledger shows who has received a key."), "{}", said.stdout);
}

// ---- somebody joins

#[test]
fn a_person_joins_people_and_groups() {
    let env = everywhere();
    let args = [
        "onboard",
        "--sandbox",
        "New.One@acme.example",
        "--group",
        "some",
        "--group",
        "dev",
        "--first-name",
        "New",
        "--last-name",
        "One",
        "--phone",
        "+430000000001",
        "--note",
        "data: team",
        "--until",
        "2099-12-31",
        ".",
    ];
    let shown = env.run(&args);
    insta::assert_snapshot!("onboard", shown.all());
    assert_eq!((shown.code, env.read("people.yaml").as_str()), (2, PEOPLE));
    let said = env.run(&[&args[..], &["--write"]].concat());
    assert_eq!(said.code, 2, "{}", said.all());
    let person = "    last_name: Moe
  - email: New.One@acme.example
    first_name: New
    last_name: One
    phone: \"+430000000001\"
    until: \"2099-12-31\"
    note: \"data: team\"
";
    let wanted = replaced(PEOPLE, "    last_name: Moe\n", person);
    let wanted =
        replaced(&wanted, "members: [sam@acme.example]", "members: [sam@acme.example, New.One@acme.example]");
    let wanted = replaced(&wanted, "members: [{ group: all }]", "members: [{ group: all }, New.One@acme.example]");
    assert_eq!(env.read("people.yaml"), wanted);
    // A second time, there is nothing to write.
    let said =
        env.run(&["onboard", "--sandbox", "new.one@acme.example", "--group", "dev", "--format", "json", "."]);
    assert!(json(&said)["files"].as_array().unwrap().is_empty(), "{}", said.all());
    // A membership of somebody who is known can end.
    let said = env.run(&[
        "onboard",
        "--sandbox",
        "max@acme.example",
        "--group",
        "some",
        "--until",
        "2099-12-31",
        "--write",
        "hive.yaml",
    ]);
    assert_eq!(said.code, 2, "{}", said.all());
    let wanted = replaced(
        &wanted,
        "New.One@acme.example], except: [max@acme.example, sam@acme.example]",
        "New.One@acme.example, { person: max@acme.example, until: \"2099-12-31\" }], except: [sam@acme.example]",
    );
    assert_eq!(env.read("people.yaml"), wanted);
}

#[test]
fn an_end_after_the_persons_own_is_refused() {
    let env = everywhere();
    env.write(
        "people.yaml",
        replaced(PEOPLE, "email: max@acme.example\n", "email: max@acme.example\n    until: 2098-12-31\n"),
    );
    let args = |until| {
        ["onboard", "--sandbox", "max@acme.example", "--group", "dev", "--until", until, "--write", "hive.yaml"]
    };
    let said = refused(&env, &args("2099-12-31"), 1);
    assert!(
        said.contains("max@acme.example has access until 2098-12-31, so `--until 2099-12-31` would"),
        "{said}"
    );
    let said = env.run(&args("2097-12-31"));
    assert!(
        said.stdout
            .contains("+    members: [sam@acme.example, { person: max@acme.example, until: \"2097-12-31\" }]"),
        "{}",
        said.all()
    );
}

#[test]
fn an_entry_that_says_absent_goes_where_the_group_gives_access() {
    let env = everywhere();
    let before = ["hive.yaml", "paradime.yaml"].map(|name| env.read(name));
    let said = env.run(&["onboard", "--sandbox", "left@acme.example", "--group", "some", "--write", "."]);
    assert_eq!(said.code, 2, "{}", said.all());
    let hive = env.read("hive.yaml");
    assert!(!hive.contains("left@acme.example"), "{hive}");
    assert_ne!(hive, before[0]);
    assert_eq!(env.read("paradime.yaml"), before[1], "the group gives nothing there");
}

#[test]
fn an_entry_that_replaces_the_group_is_refused() {
    let env = everywhere();
    let said = refused(&env, &["onboard", "--sandbox", "JANE@acme.example", "--group", "all", "--write", "."], 1);
    assert!(said.contains("error[own-entry]: jane@acme.example has an entry here"), "{said}");
    assert!(said.contains("--> hive.yaml:"), "{said}");
}

#[test]
fn groups_that_no_file_has_and_names_of_known_people_are_refused() {
    let env = everywhere();
    let said = refused(&env, &["onboard", "--sandbox", "a@acme.example", "--group", "som", "--write", "."], 1);
    assert!(
        said.contains("No included file has a group `som`.") && said.contains("Did you mean `some`?"),
        "{said}"
    );
    let args = ["onboard", "--sandbox", "max@acme.example", "--group", "dev", "--first-name", "M", "--write", "."];
    let said = refused(&env, &args, 1);
    assert!(said.contains("max@acme.example is in `people` already, so `first_name` isn't written."), "{said}");
    let args = ["onboard", "--sandbox", "a@acme.example", "--group", "dev", "--until", "2020-01-01", "."];
    assert!(refused(&env, &args, 1).contains("`--until 2020-01-01` has passed"));
    let args = ["onboard", "--sandbox", "a@acme.example", "--group", "dev", "--until", "tomorrow", "."];
    assert!(refused(&env, &args, 1).contains("write the last day"));
    assert!(refused(&env, &["onboard", "--sandbox", "a@acme.example", "."], 1).contains("--group"));
    // Control characters never get into a file.
    let args = ["onboard", "--sandbox", "a@acme.example", "--group", "dev", "--note", "a\nb", "--write", "."];
    assert!(refused(&env, &args, 1).contains("error[invalid-value]"));
}

/// Found by a law: once the people file no longer has the alias, an entry without a note tells nobody whose it is.
#[test]
fn an_entry_for_another_address_is_told_whose_it_is() {
    let env = Env::new();
    env.write(
        "people.yaml",
        "kind: people\npeople:\n  - { email: sam@acme.example, aliases: { paradime: sam.p@acme.example } }\n",
    );
    let paradime = including("paradime.yaml");
    let own = "  - email: sam@acme.example\n    roles: [BUSINESS]\n";
    env.write("paradime.yaml", replaced(&paradime, own, "  - { email: sam.p@acme.example, absent: true }\n"));
    let first = env.run(&["offboard", "--sandbox", "--write", "sam@acme.example", "paradime.yaml"]);
    let entry = "{ email: sam.p@acme.example, absent: true, note: is sam@acme.example elsewhere }";
    assert!(env.read("paradime.yaml").contains(entry), "{}", first.all());
    let again = env.run(&["offboard", "--sandbox", "sam.p@acme.example", "paradime.yaml"]);
    assert!(!again.stdout.contains("+++"), "{}", again.all());
}
