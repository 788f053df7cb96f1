//! `plan --base` with groups and included files: the lines of people files and parts are what asks for changes.

use crate::origin::{compared, git};
use crate::support::cli::{Env, example};
use serde_json::Value;

const PEOPLE: &str = "kind: people
people:
  - email: zoe@acme.example
  - email: yann@acme.example
  - { email: xan@acme.example, aliases: { hive: x@acme.example } }
groups:
  - name: sre
    members:
      - yann@acme.example
      - xan@acme.example
  - name: payments
    members:
      - zoe@acme.example
      - group: sre
";

const PART: &str = "users:
  - email: wim@acme.example
    roles: [Viewer]
    resources: all
  - group: payments
    roles: [Viewer]
    resources: all
";

/// Creates a repository with an organisation in three files, which the sandbox is in sync with.
fn repository() -> Env {
    let env = Env::new();
    let head = example("hive.yaml").replacen("users:\n", "include: [../people.yaml, parts/*.yaml]\nusers:\n", 1);
    env.write("access/hive.yaml", head.replace("max_removals: 2", "max_removals: 100%"));
    env.write("access/parts/shop.yaml", PART);
    env.write("people.yaml", PEOPLE);
    env.write(".gitignore", ".rolecall\nkeys\n");
    git(&env, &["init", "--quiet", "--initial-branch", "main"]);
    git(&env, &["add", "."]);
    git(&env, &["commit", "--quiet", "--message", "base"]);
    let said = env.run(&["apply", "--sandbox", "access", "--auto-approve"]);
    assert!(said.stdout.contains("zoe@acme.example"), "{}", said.all());
    env
}

/// Plans against the base. Returns the comparison of the plan, and what the run says.
fn comparison(env: &Env, more: &[&str]) -> (Value, String, i32) {
    let (said, _) = compared(env, "HEAD", more);
    let plan: Value = serde_json::from_str(&said.stdout).unwrap_or_else(|_| panic!("{}", said.all()));
    (plan["organizations"][0]["comparison"].clone(), said.stderr, said.code)
}

/// Returns the lines that ask for a change, each with its file, its number and a sign.
fn lines(of: &Value) -> Vec<String> {
    let lines = of["lines"].as_array().cloned().unwrap_or_default();
    let line = |line: &Value| {
        let sign = if line["added"] == true { '+' } else { '-' };
        format!(
            "{}:{} {sign} {}",
            line["file"].as_str().unwrap(),
            line["line"],
            line["text"].as_str().unwrap().trim()
        )
    };
    lines.iter().map(line).collect()
}

fn deletions(comparison: &Value) -> Vec<(String, String, Vec<String>)> {
    let all = comparison["deletions"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    all.iter().map(|deletion| (text(&deletion["address"]), text(&deletion["by"]), lines(deletion))).collect()
}

#[test]
fn a_new_member_is_asked_for_by_their_line() {
    let env = repository();
    env.write(
        "people.yaml",
        PEOPLE
            .replace("people:\n  - email", "people:\n  - email: vic@acme.example\n  - email")
            .replace("members:\n      - zoe", "members:\n      - vic@acme.example\n      - zoe"),
    );
    let (comparison, ..) = comparison(&env, &[]);
    let change = &comparison["changes"]["user/vic@acme.example"];
    assert_eq!(change["is"], "asked", "{comparison:#}");
    assert_eq!(
        lines(change),
        ["people.yaml:3 + - email: vic@acme.example", "people.yaml:14 + - vic@acme.example"]
    );
    assert!(deletions(&comparison).is_empty(), "{comparison:#}");
}

#[test]
fn a_groups_entry_that_changed_asks_for_the_changes_of_all_its_members() {
    let env = repository();
    env.write(
        "access/parts/shop.yaml",
        PART.replace("payments\n    roles: [Viewer]", "payments\n    roles: [Admin]"),
    );
    let (comparison, ..) = comparison(&env, &[]);
    let changes = comparison["changes"].as_object().unwrap();
    for name in ["zoe", "yann", "x"] {
        let of_person = |address: &String| address.ends_with(&format!("/{name}@acme.example"));
        let (_, change) =
            changes.iter().find(|(address, _)| of_person(address)).unwrap_or_else(|| panic!("{comparison:#}"));
        assert_eq!(change["is"], "asked", "{name} {comparison:#}");
        assert_eq!(
            lines(change),
            ["HEAD:access/parts/shop.yaml:6 - roles: [Viewer]", "access/parts/shop.yaml:6 + roles: [Admin]"]
        );
    }
    assert!(!changes.keys().any(|address| address.contains("wim@")), "{comparison:#}");
}

#[test]
fn a_member_who_is_removed_is_deleted_by_their_line() {
    let env = repository();
    env.write(
        "people.yaml",
        PEOPLE.replace("      - xan@acme.example\n", "").replace("      - zoe@acme.example\n", ""),
    );
    let (comparison, said, code) = comparison(&env, &["--require-asked"]);
    assert_eq!(
        deletions(&comparison),
        [
            (
                "user/x@acme.example".to_owned(),
                "entry".to_owned(),
                vec!["HEAD:people.yaml:10 - - xan@acme.example".to_owned()]
            ),
            (
                "user/zoe@acme.example".to_owned(),
                "entry".to_owned(),
                vec!["HEAD:people.yaml:13 - - zoe@acme.example".to_owned()]
            ),
        ],
        "{comparison:#}"
    );
    assert!(!said.contains("implicit-deletion"), "{code} {said}");
    // An exception says the same.
    env.write("people.yaml", format!("{PEOPLE}    except: [zoe@acme.example]\n"));
    let (comparison, ..) = self::comparison(&env, &[]);
    let [(address, by, lines)] = &deletions(&comparison)[..] else { panic!("{comparison:#}") };
    assert_eq!((address.as_str(), by.as_str()), ("user/zoe@acme.example", "entry"));
    assert_eq!(*lines, ["people.yaml:15 + except: [zoe@acme.example]"]);
}

#[test]
fn an_include_that_is_lost_is_no_request_to_remove_everybody() {
    let env = repository();
    let head = env.read("access/hive.yaml");
    env.write("access/hive.yaml", head.replace(", parts/*.yaml]", "]"));
    let (comparison, said, code) = comparison(&env, &["--require-asked"]);
    let found = deletions(&comparison);
    let names: Vec<&str> = found.iter().map(|(address, ..)| address.as_str()).collect();
    assert_eq!(
        names,
        ["user/wim@acme.example", "user/x@acme.example", "user/yann@acme.example", "user/zoe@acme.example"]
    );
    for deletion in comparison["deletions"].as_array().unwrap() {
        assert_eq!(
            (&deletion["by"], &deletion["section"]),
            (&"section".into(), &"include".into()),
            "{comparison:#}"
        );
    }
    assert!(code == 3 && said.contains("implicit-deletion"), "{code} {said}");
}

#[test]
fn an_entry_that_moves_between_files_or_becomes_a_membership_is_no_deletion() {
    let env = repository();
    let wim = "  - email: wim@acme.example\n    roles: [Viewer]\n    resources: all\n";
    env.write("access/parts/shop.yaml", PART.replace(wim, ""));
    env.write("access/parts/bank.yaml", format!("users:\n{wim}"));
    let (moved, ..) = comparison(&env, &["--require-asked"]);
    assert!(deletions(&moved).is_empty() && moved["changes"].get("user/wim@acme.example").is_none(), "{moved:#}");
    // The group gives what the entry gave.
    std::fs::remove_file(env.path("access/parts/bank.yaml")).unwrap();
    env.write(
        "people.yaml",
        PEOPLE
            .replace("people:\n  - email", "people:\n  - email: wim@acme.example\n  - email")
            .replace("members:\n      - zoe", "members:\n      - wim@acme.example\n      - zoe"),
    );
    let (grouped, ..) = comparison(&env, &["--require-asked"]);
    assert!(
        deletions(&grouped).is_empty() && grouped["changes"].get("user/wim@acme.example").is_none(),
        "{grouped:#}"
    );
}

#[test]
fn another_version_that_changes_included_files_is_not_merged() {
    let env = repository();
    git(&env, &["checkout", "--quiet", "-b", "other"]);
    env.write("people.yaml", PEOPLE.replace("      - zoe@acme.example\n", ""));
    git(&env, &["commit", "--quiet", "--all", "--message", "without zoe"]);
    git(&env, &["checkout", "--quiet", "main"]);
    let (said, _) = compared(&env, "main", &["--with", "other"]);
    assert!(
        said.code == 1
            && said.stderr.contains(
                "The version `other` changes files that other:access/hive.yaml includes (other:people.yaml)"
            )
            && said.stderr.contains("Plan them one after the other."),
        "{}",
        said.all()
    );
    let (said, _) = compared(&env, "main", &["--with", "main"]);
    assert_eq!(said.code, 0, "{}", said.all());
}
