//! People who come from a directory: who leaves it, and answers that can't be right.

use std::fmt::Write as _;

use crate::support::cli::{Env, Said};

const EVERYBODY: [&str; 6] = ["alexandra", "ghost", "jane", "left", "new1", "sam"];

/// The workspace of the sandbox with everybody who is in it, and people from a directory.
fn env(people: &str) -> Env {
    let env = Env::new();
    env.write("people.yaml", format!("kind: people\npeople:\n{people}"));
    let imported = env.run(&["import", "--sandbox", "paradime", "acme0analytics00"]);
    assert_eq!(imported.code, 0, "{}", imported.all());
    env.write("paradime.yaml", imported.stdout.replace("manage:\n", "include: [people.yaml]\n\nmanage:\n"));
    env
}

/// Writes a directory of these people.
fn staff(env: &Env, names: &[&str]) {
    let rows = joined(names, |name| format!("{name}@acme.example,\"Doe, J\",99000\n"));
    env.write("staff.csv", format!("Work Email,Name,Salary\n{rows}"));
}

/// Returns one text of all these.
fn joined(names: &[&str], one: impl Fn(&str) -> String) -> String {
    names.iter().map(|name| one(name)).collect::<Vec<_>>().concat()
}

fn without(names: &[&str]) -> Vec<&'static str> {
    EVERYBODY.into_iter().filter(|name| !names.contains(name)).collect()
}

const CSV: &str = "  csv: staff.csv\n  columns: { email: Work Email }\n";

fn plan(env: &Env, options: &[&str]) -> Said {
    env.run(&[&["plan", "--sandbox", "paradime.yaml"], options].concat())
}

fn has(said: &Said, text: &str) {
    let all = said.all().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(all.contains(text), "no `{text}` in\n{}", said.all());
}

#[test]
fn whoever_leaves_the_directory_loses_access_without_a_review() {
    let env = env(CSV);
    staff(&env, &EVERYBODY);
    let before = plan(&env, &["--detailed-exitcode"]);
    assert_eq!(before.code, 0, "{}", before.all());
    staff(&env, &without(&["ghost"]));
    let planned = plan(&env, &["--detailed-exitcode"]);
    assert_eq!(planned.code, 2, "{}", planned.all());
    has(&planned, "- user/ghost@acme.example disable ANALYST → nothing; isn't in the directory");
    let checked = env.run(&["validate", "paradime.yaml"]);
    assert_eq!(checked.code, 0);
    has(&checked, "warning[not-in-directory]: ghost@acme.example isn't in the directory");
    assert_eq!(env.run(&["drift", "--sandbox", "paradime.yaml"]).code, 0, "it is no drift");
    let applied = env.run(&["apply", "--sandbox", "--leftovers", "--auto-approve", "paradime.yaml"]);
    assert_eq!(applied.code, 0, "{}", applied.all());
    let after = plan(&env, &["--detailed-exitcode"]);
    assert_eq!(after.code, 0, "{}", after.all());
    // Somebody who comes back is as the files say.
    staff(&env, &EVERYBODY);
    has(&plan(&env, &[]), "user/ghost@acme.example blocked: rolecall disabled the user");
}

#[test]
fn the_directory_has_a_limit_of_its_own() {
    let env = env(&format!("{CSV}  max_removals: 1\n"));
    staff(&env, &without(&["ghost", "sam"]));
    let refused = plan(&env, &[]);
    assert_eq!(refused.code, 3, "{}", refused.all());
    has(
        &refused,
        "2 of 6 users would lose access because they aren't in the directory. One plan may do that to 1 at most (`max_removals: 1` of `people`).",
    );
    // The limit of the guardrails is for what somebody reviewed.
    env.write("people.yaml", env.read("people.yaml").replace("max_removals: 1", "max_removals: 50%"));
    let narrow = env.read("paradime.yaml").replace("manage:\n", "guardrails: { max_removals: 0 }\n\nmanage:\n");
    env.write("paradime.yaml", narrow);
    assert_eq!(plan(&env, &[]).code, 0);
    has(&plan(&env, &["--max-removals", "1"]), "One plan may do that to 1 at most");
}

#[test]
fn a_directory_that_shrinks_to_less_than_half_changes_nothing() {
    let env = env(&format!("{CSV}  max_removals: 100%\n"));
    staff(&env, &EVERYBODY);
    let applied = env.run(&["apply", "--sandbox", "--auto-approve", "paradime.yaml"]);
    assert_eq!(applied.code, 0, "{}", applied.all());
    staff(&env, &["jane", "alexandra"]);
    let refused = plan(&env, &[]);
    assert_eq!(refused.code, 3, "{}", refused.all());
    has(&refused, "The directory `staff.csv` has 2 people, and it had 6 at the last apply.");
    let applied = env.run(&["apply", "--sandbox", "--leftovers", "--auto-approve", "paradime.yaml"]);
    assert_eq!(applied.code, 3, "{}", applied.all());
    // The refusal isn't forgotten by the next run.
    assert_eq!(plan(&env, &[]).code, 3);
    staff(&env, &["jane", "alexandra", "sam"]);
    assert_eq!(plan(&env, &[]).code, 0);
    // If the answer is right, somebody says so, and says from where on it is wrong again.
    let people = env.read("people.yaml");
    env.write("people.yaml", format!("{people}  min_people: 2\n"));
    staff(&env, &["jane", "alexandra"]);
    assert_eq!(plan(&env, &[]).code, 0);
    staff(&env, &["jane"]);
    let wrong = plan(&env, &[]);
    assert_eq!(wrong.code, 1, "{}", wrong.all());
    has(&wrong, "The people of `staff.csv` can't be used: there are 1, and `min_people` is 2.");
}

#[test]
fn answers_that_can_not_be_right_change_nothing() {
    let row = "jane@acme.example,\"Doe\",99000\n";
    let csv = |rows: &str| format!("Work Email,Name,Salary\n{row}{rows}");
    let cases = [
        ("html", "<!DOCTYPE html><html>Sign in</html>".to_owned()),
        ("nobody", "Work Email,Name,Salary\n".to_owned()),
        ("empty", String::new()),
        ("an address", csv("ghost(at)acme.example,Doe,98000\n")),
        ("columns", csv("ghost@acme.example,Doe, J,98000\n")),
        ("quotes", csv("\"ghost@acme.example,Doe,98000\n")),
        ("another header", "Mail,Name\nghost@acme.example,Doe\n".to_owned()),
        ("twice", format!("Work Email,Work Email,Salary\n{row}")),
        ("a quote without an end", csv("ghost@acme.example,\"Main St,98000\nsam@acme.example,x,1\n")),
        ("a quote inside", csv("gh\"ost@acme.example,Doe,98000\n")),
        ("text after a quote", csv("\"ghost\"@acme.example,Doe,98000\n")),
        ("a NUL", csv("ghost@acme.example\0,Doe,98000\n")),
        ("no address", csv(",Doe,98000\n")),
        ("two states", "Work Email,active\njane@acme.example,true\nJANE@acme.example,false\n".to_owned()),
        ("an unknown state", "Work Email,active\njane@acme.example,\n".to_owned()),
        ("almost a column", "Work Email,Active\njane@acme.example,false\n".to_owned()),
        ("no day", "Work Email,until\njane@acme.example,98000\n".to_owned()),
    ];
    let mut text = String::new();
    for (name, content) in cases {
        let env = env(CSV);
        env.write("staff.csv", content);
        let said = env.run(&["validate", "paradime.yaml"]);
        assert_eq!(said.code, 1, "{name}: {}", said.all());
        assert!(!said.all().contains("98000") && !said.all().contains("99000"), "{}", said.all());
        assert_eq!(plan(&env, &[]).code, 1);
        let _ = write!(text, "## {name}\n{}", said.stdout);
    }
    let env = env(CSV);
    env.write("staff.csv", b"Work Email\njane\xff@acme.example\n");
    let said = env.run(&["validate", "paradime.yaml"]);
    let _ = write!(text, "## bytes\n{}", said.stdout);
    let missing = env.run(&["validate", "paradime.yaml"]);
    std::fs::remove_file(env.path("staff.csv")).unwrap();
    assert_eq!((said.code, missing.code), (1, 1));
    let _ = write!(text, "## missing\n{}", env.run(&["validate", "paradime.yaml"]).stdout);
    insta::assert_snapshot!("directory_answers", text);
}

/// Returns the field for a command that a shell runs.
fn command(script: &str) -> String {
    format!("  command: [sh, -c, {}]\n", serde_json::to_string(script).unwrap())
}

#[test]
fn a_command_prints_people_or_the_pages_of_a_scim_service() {
    let lines = joined(&EVERYBODY[1..], |name| format!("{{\"email\":\"{name}@acme.example\",\"x\":[1]}}\n"));
    let scim = |total: usize, names: &[&str]| -> String {
        let users = names.iter().map(|name| {
            format!(
                "{{\"userName\": \"{name}@acme.example\", \"active\": {}, \"name\": {{\"givenName\": \"J\"}}}}",
                *name != "ghost"
            )
        });
        let users: Vec<String> = users.collect();
        format!(
            "{{\"schemas\": [\"urn:ietf:params:scim:api:messages:2.0:ListResponse\"],\n \"totalResults\": {total},\n \"Resources\": [{}]}}\n",
            users.join(",\n")
        )
    };
    let env = env(&command("cat answer"));
    env.write("answer", format!("{lines}{{\"email\":\"alexandra@acme.example\",\"active\":true}}"));
    let planned = plan(&env, &["--allow-commands", "--detailed-exitcode"]);
    assert_eq!(planned.code, 0, "{}", planned.all());
    env.write("answer", format!("{lines}{{\"email\":\"alexandra@acme.example\",\"active\":false}}"));
    has(&plan(&env, &["--allow-commands"]), "user/alexandra@acme.example disable");
    let (first, second) = (scim(6, &EVERYBODY[..3]), scim(6, &EVERYBODY[3..]));
    for people in [&command("cat answer"), "  scim: answer\n"] {
        env.write("people.yaml", format!("kind: people\npeople:\n{people}"));
        env.write("answer", format!("{first}{second}"));
        let planned = plan(&env, &["--allow-commands"]);
        has(&planned, "1 user to disable");
        has(&planned, "user/ghost@acme.example disable");
        env.write("answer", &first);
        let said = plan(&env, &["--allow-commands"]);
        assert_eq!(said.code, 1, "{}", said.all());
        has(&said, "The SCIM service has 6 users, and the answer has 3.");
        // The service ignored that the second page was asked for.
        env.write("answer", format!("{first}{first}"));
        has(&plan(&env, &["--allow-commands"]), "The SCIM service has 6 users, and the answer has 3.");
        env.write("answer", format!("{first}{}", scim(7, &EVERYBODY[3..])));
        has(&plan(&env, &["--allow-commands"]), "The pages name different numbers of users: 6 and 7.");
        env.write("answer", first.replace("totalResults", "total"));
        has(&plan(&env, &["--allow-commands"]), "The page doesn't say how many users there are.");
    }
}

#[test]
fn a_command_that_lies_hangs_or_dies_changes_nothing() {
    let cases = [
        ("dies", "echo '{\"email\":\"jane@acme.example\"}'; echo secret >&2; exit 3"),
        ("hangs", "echo '{\"email\":\"jane@acme.example\"}'; sleep 60"),
        ("is cut off", "printf '{\"email\":\"jane@acme.example\"}\\n{\"email\":'"),
        ("prints HTML", "echo '<html>secret</html>'"),
        (
            "prints another type",
            "echo '{\"email\":\"jane@acme.example\"}'; echo '{\"email\":[\"secret\"]}'; echo '[\"secret\"]'",
        ),
        ("prints text", "echo '{\"email\":\"jane@acme.example\"}'; echo secret"),
        ("prints nothing", "true"),
        ("prints bytes", "printf '\\377secret'"),
        (
            "prints one person twice",
            "echo '{\"email\":\"jane@acme.example\",\"phone\":\"1\"}'; echo '{\"email\":\"JANE@acme.example\",\"phone\":\"2\"}'",
        ),
    ];
    let mut text = String::new();
    for (name, script) in cases {
        let env = env(&command(script));
        let said = plan(&env, &["--allow-commands", "--timeout", "2"]);
        assert_eq!(said.code, 1, "{name}: {}", said.all());
        assert!(!said.all().contains("secret\"") && !said.stdout.contains("disable"), "{}", said.all());
        let findings = said.stderr.lines().filter(|line| line.contains("error[") || line.contains("hint:"));
        let _ = write!(text, "## {name}\n{}\n", findings.collect::<Vec<_>>().join("\n"));
    }
    let env = env("  command: [no-such-program-here]\n");
    let said = plan(&env, &["--allow-commands"]);
    let _ = write!(text, "## isn't there\n{}\n", said.stderr.lines().next().unwrap());
    insta::assert_snapshot!("directory_commands", text);
}

#[test]
fn no_command_runs_unless_it_is_allowed() {
    let env = env(&command("touch ran; echo '{\"email\":\"jane@acme.example\"}'"));
    let planned = plan(&env, &[]);
    assert_eq!(planned.code, 1, "{}", planned.all());
    has(
        &planned,
        "error[command-not-allowed]: `sh` isn't run without `--allow-commands`, and it prints the people.",
    );
    // A check goes on without the people, and says so.
    let checked = env.run(&["validate", "paradime.yaml"]);
    assert_eq!(checked.code, 0, "{}", checked.all());
    has(
        &checked,
        "warning[command-not-allowed]: `sh` isn't run without `--allow-commands`, so its people aren't known here.",
    );
    assert!(!env.path("ran").exists());
    // A pull request can't run a command of its own before somebody approves it.
    for name in ["paradime.yaml", "people.yaml"] {
        env.write(&format!("trusted/{name}"), env.read(name));
    }
    let same = env.run(&["validate", "--allow-commands", "--trusted", "trusted/paradime.yaml", "paradime.yaml"]);
    assert_eq!(same.code, 0, "{}", same.all());
    assert!(!env.path("ran").exists(), "a script that the command names may be another one here");
    env.write("people.yaml", env.read("people.yaml").replace("touch ran", "touch stolen"));
    let changed =
        env.run(&["validate", "--allow-commands", "--trusted", "trusted/paradime.yaml", "paradime.yaml"]);
    assert_eq!(changed.code, 3, "{}", changed.all());
    has(&changed, "The directory of `people` differs from the trusted file.");
    assert!(!env.path("stolen").exists());
}

#[test]
fn a_directory_is_checked_where_it_is_written() {
    let cases = [
        "  csv: ../staff.csv\n",
        "  csv: .git/config\n",
        "  csv: staff.csv\n  command: [hr]\n",
        "  max_removals: 5%\n",
        "  command: []\n",
        "  scim: staff.csv\n  columns: { email: Mail }\n",
        "  csv: staff.csv\n  max_removals: few\n  colums: {}\n",
        "  csv: staff.csv\n  columns: { email: Work Email, phone: Tel }\n",
    ];
    let mut text = String::new();
    for case in cases {
        let env = env(case);
        staff(&env, &EVERYBODY);
        let said = env.run(&["validate", "paradime.yaml"]);
        assert_eq!(said.code, 1, "{case}: {}", said.all());
        text.push_str(&said.stdout);
    }
    insta::assert_snapshot!("directory_fields", text);
}

#[test]
fn details_add_to_people_and_outlive_them() {
    let env = Env::new();
    env.write("people.yaml", "kind: people\npeople:\n  csv: staff.csv\n  details:\n    - { email: bob@x.example, aliases: { hive: sam@acme.example }, note: on call }\n");
    let head = crate::support::cli::example("hive.yaml");
    env.write(
        "hive.yaml",
        head.replace("provider: hive\n", "provider: hive\ninclude: [people.yaml, others.yaml]\n"),
    );
    let listed = [
        "alice", "carol", "dave", "old1", "eve", "mallory", "new1", "erin", "frank", "max", "peggy", "grace",
        "heidi",
    ];
    let others = joined(&listed, |name| format!("  - {{ email: {name}@acme.example }}\n"));
    env.write("others.yaml", format!("kind: people\npeople:\n{others}"));
    env.write("staff.csv", "email,phone\nbob@x.example,1\nx@x.example,\n");
    let rendered = env.run(&["render", "hive.yaml"]);
    assert_eq!(rendered.code, 0, "{}", rendered.all());
    has(&rendered, "note: on call");
    env.write("staff.csv", "email,phone\nx@x.example,\n");
    let rendered = env.run(&["render", "--origins", "hive.yaml"]);
    has(&rendered, "- email: sam@acme.example");
    has(&rendered, "absent: true");
}

#[test]
fn a_spreadsheet_may_write_semicolons_and_a_byte_order_mark() {
    let env = env(CSV);
    let rows = joined(&EVERYBODY[1..], |name| format!("\"Doe; J\";{name}@acme.example\r\n"));
    env.write("staff.csv", format!("\u{feff}Name;Work Email\r\n{rows}"));
    has(&plan(&env, &[]), "1 user to disable");
}

#[test]
fn a_last_day_that_has_passed_is_like_leaving() {
    let env = env("  csv: staff.csv\n");
    let rows =
        |names: &[&str], until: &str| -> String { joined(names, |name| format!("{name}@acme.example,{until}\n")) };
    let (gone, rest) = EVERYBODY.split_at(3);
    env.write("staff.csv", format!("email,until\n{}{}", rows(gone, "2020-01-01"), rows(rest, "2099-01-01")));
    let refused = plan(&env, &[]);
    assert_eq!(refused.code, 3, "{}", refused.all());
    has(&refused, "3 of 6 users would lose access because they aren't in the directory.");
}

#[test]
fn rolecalls_own_user_keeps_access_and_others_lose_it() {
    for own in [
        "  - { group: dev, roles: [ADMIN] }\n",
        "  - { email: jane@acme.example, roles: [ADMIN] }\n  - { group: sre, roles: [DEVELOPER] }\n",
    ] {
        let env = env(&format!(
            "{CSV}groups:\n  - {{ name: dev, members: [jane@acme.example] }}\n  - {{ name: sre, members: [sam@acme.example] }}\n"
        ));
        staff(&env, &without(&["jane", "sam"]));
        let file = env.read("paradime.yaml");
        let head = file.split_once("users:\n").unwrap().0.to_owned();
        let head = head.replace("include:", "own: { user: jane@acme.example }\ninclude:");
        env.write(
            "paradime.yaml",
            format!("{head}\nusers:\n{own}  - {{ email: sam@acme.example, roles: [DEVELOPER] }}\n"),
        );
        let planned = plan(&env, &[]);
        assert_eq!(planned.code, 0, "{}", planned.all());
        has(&planned, "1 user to disable");
        has(&planned, "user/sam@acme.example disable");
        has(&env.run(&["validate", "paradime.yaml"]), "warning[own-user-ends]");
    }
}

#[test]
fn somebody_may_be_listed_and_in_the_directory_and_an_exception_names_anybody() {
    let env = env(&format!(
        "{CSV}groups:\n  - {{ name: dev, members: [sam@acme.example], except: [nobody@acme.example] }}\n"
    ));
    staff(&env, &without(&["ghost"]));
    env.write(
        "others.yaml",
        "kind: people\npeople:\n  - { email: ghost@acme.example }\n  - { email: sam@acme.example }\n",
    );
    env.write("paradime.yaml", env.read("paradime.yaml").replace("[people.yaml]", "[people.yaml, others.yaml]"));
    let checked = env.run(&["validate", "paradime.yaml"]);
    assert_eq!(checked.code, 0, "{}", checked.all());
    has(&checked, "warning[duplicate-user]: sam@acme.example is in the directory, and listed here too.");
    assert!(
        !checked.all().contains("nobody@") && !checked.all().contains("not-in-directory"),
        "{}",
        checked.all()
    );
    has(&plan(&env, &[]), "No changes");
}

#[test]
fn a_broken_directory_is_the_only_thing_that_is_wrong() {
    let env = env(&format!("{CSV}groups:\n  - {{ name: dev, members: [sam@acme.example] }}\n"));
    env.write("staff.csv", "");
    env.write(
        "paradime.yaml",
        env.read("paradime.yaml").replace("users:\n", "users:\n  - { group: dev, roles: [ADMIN] }\n"),
    );
    let said = env.run(&["validate", "paradime.yaml"]);
    has(&said, "3 files checked: 1 error");
}

#[test]
fn the_plan_tells_a_leaver_of_this_pull_request_from_one_before() {
    let env = env(CSV);
    staff(&env, &without(&["ghost"]));
    for name in ["paradime.yaml", "people.yaml", "staff.csv"] {
        env.write(&format!("base/{name}"), env.read(name));
    }
    staff(&env, &without(&["ghost", "sam"]));
    let said = plan(&env, &["--base", "base/paradime.yaml", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    let changes = &json["organizations"][0]["comparison"]["changes"];
    assert_eq!(changes["user/ghost@acme.example"]["is"], "expired", "{changes}");
    assert_eq!(changes["user/sam@acme.example"]["is"], "asked", "{changes}");
    assert!(!said.stdout.contains("99000"), "lines of the directory aren't shown");
}

#[test]
fn joining_and_leaving_know_the_directory() {
    let env = env(&format!("{CSV}groups:\n  - {{ name: dev, members: [sam@acme.example] }}\n"));
    staff(&env, &EVERYBODY);
    let unknown = env.run(&["onboard", "--sandbox", "zoe@acme.example", "--group", "dev", "paradime.yaml"]);
    assert_eq!(unknown.code, 1, "{}", unknown.all());
    has(&unknown, "zoe@acme.example isn't in the directory that people come from.");
    let known =
        env.run(&["onboard", "--sandbox", "--write", "jane@acme.example", "--group", "dev", "paradime.yaml"]);
    assert!(known.code == 0 || known.code == 2, "{}", known.all());
    has(
        &Said { stdout: env.read("people.yaml"), stderr: String::new(), code: 0 },
        "members: [sam@acme.example, jane@acme.example]",
    );
    let leaving = env.run(&["offboard", "--sandbox", "--write", "sam@acme.example", "paradime.yaml"]);
    has(&leaving, "If it still has sam@acme.example, end that where it is kept.");
    assert!(!env.read("people.yaml").contains("sam@"), "{}", leaving.all());
}

#[test]
fn a_leaver_whose_name_goes_in_the_same_change_is_told() {
    let env =
        env(&format!("{CSV}groups:\n  - {{ name: dev, members: [sam@acme.example, ghost@acme.example] }}\n"));
    staff(&env, &EVERYBODY);
    let file = env.read("paradime.yaml");
    let head = file.split_once("users:\n").unwrap().0;
    env.write("paradime.yaml", format!("{head}users:\n  - {{ group: dev, roles: [DEVELOPER] }}\n"));
    for name in ["paradime.yaml", "people.yaml", "staff.csv"] {
        env.write(&format!("base/{name}"), env.read(name));
    }
    staff(&env, &without(&["ghost"]));
    env.write("people.yaml", env.read("people.yaml").replace(", ghost@acme.example", ""));
    let said = plan(&env, &["--base", "base/paradime.yaml"]);
    has(
        &said,
        "ghost@acme.example isn't in the directory, and these files no longer name them, so nothing takes their access.",
    );
    // As long as the files name them, the plan takes it.
    env.write("people.yaml", env.read("base/people.yaml"));
    let said = plan(&env, &["--base", "base/paradime.yaml"]);
    assert!(!said.all().contains("no longer name them"), "{}", said.all());
    has(&said, "user/ghost@acme.example disable");
}
