//! Access that ends by a date: when it ends, what takes it, and how it is told.

use serde_json::Value;

use crate::support::cli::{Env, Said};

const HEAD: &str = "provider: bitpanda
organization: f8588dc7-e1ce-4d92-a473-809a0a357ad9
endpoint: https://tapi-sandbox.trustology-test.com/graphql
credentials: { api_key: { env: BITPANDA_API_KEY } }
own: { key: bff7cedb-5c5e-4b6e-9a55-0f4e7d1c2a11 }
";

/// Jane has a role and Max has everything until a date.
const USERS: &str = "users:
  - { email: jane@acme.example, roles: [ADMIN, CLUSTER_OPS, { role: CLUSTER_MANAGER, until: 2030-06-30 }], enabled: true, note: on duty }
  - { email: max@acme.example, roles: [CLUSTER_MANAGER, CLUSTER_OPS, SIGNER], enabled: true, until: 2030-06-30T12:00:00Z }
";

fn file(guardrails: &str) -> Env {
    let env = Env::new();
    env.write("bitpanda.yaml", format!("{HEAD}{guardrails}{USERS}"));
    env
}

fn plan(env: &Env, now: &str, more: &[&str]) -> Value {
    let said =
        env.run(&[&["plan", "--sandbox", "--format", "json", "--now", now], more, &["bitpanda.yaml"]].concat());
    serde_json::from_str(&said.stdout).unwrap_or_else(|_| panic!("{}", said.all()))
}

/// Returns the addresses and causes of the changes of a plan.
fn changes(plan: &Value) -> Vec<(String, String)> {
    let changes = plan["organizations"][0]["sealed"]["changes"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    changes.iter().map(|change| (text(&change["address"]), text(&change["cause"]["is"]))).collect()
}

fn apply(env: &Env, args: &[&str]) -> Said {
    env.run(&[&["apply", "--sandbox", "--auto-approve"], args, &["bitpanda.yaml"]].concat())
}

/// Puts the sandbox in sync with the file before anything has ended.
fn in_sync(guardrails: &str) -> Env {
    let env = file(guardrails);
    let said = apply(&env, &["--now", "2030-06-01T00:00:00Z"]);
    assert!(said.stdout.contains("1 done"), "{}", said.all());
    assert_eq!(changes(&plan(&env, "2030-06-01T00:00:00Z", &[])), []);
    env
}

#[test]
fn access_ends_at_its_second_in_every_time_zone() {
    for zone in ["UTC", "Pacific/Kiritimati", "America/Los_Angeles"] {
        let mut env = in_sync("");
        env.set("TZ", zone);
        assert_eq!(changes(&plan(&env, "2030-06-30T11:59:59Z", &[])), []);
        let max = ("user/max@acme.example".to_owned(), "ended".to_owned());
        let jane = ("user/jane@acme.example".to_owned(), "ended".to_owned());
        assert_eq!(changes(&plan(&env, "2030-06-30T12:00:00Z", &[])), std::slice::from_ref(&max));
        // A date ends with its day.
        assert_eq!(changes(&plan(&env, "2030-06-30T23:59:59Z", &[])), std::slice::from_ref(&max));
        assert_eq!(changes(&plan(&env, "2030-07-01T00:00:00Z", &[])), [jane, max]);
    }
}

#[test]
fn a_plan_tells_what_ends_within_the_horizon() {
    let env = in_sync("");
    let text = |now: &str, more: &[&str]| {
        env.run(&[&["plan", "--sandbox", "--now", now], more, &["bitpanda.yaml"]].concat()).stdout
    };
    let soon = text("2030-06-20T00:00:00Z", &[]);
    assert!(soon.contains("the role CLUSTER_MANAGER: ends in 11 days, on 2030-06-30; bitpanda.yaml:7:"), "{soon}");
    assert!(soon.contains("the entry: ends in 10 days, on 2030-06-30T12:00:00Z; bitpanda.yaml:8:"), "{soon}");
    assert!(!text("2030-06-20T00:00:00Z", &["--horizon", "5"]).contains("ends soon"));
    assert!(!text("2030-06-01T00:00:00Z", &[]).contains("ends soon"));
    assert!(text("2030-06-01T00:00:00Z", &["--horizon", "30"]).contains("ends in 30 days, on 2030-06-30;"));
    let json = plan(&env, "2030-06-30T01:00:00Z", &[]);
    let endings = json["organizations"][0]["endings"].as_array().unwrap();
    assert_eq!(endings[0]["what"]["is"], "entry");
    assert_eq!((&endings[0]["days"], &endings[1]["what"]["role"]), (&Value::from(0), &"CLUSTER_MANAGER".into()));
}

/// The scheduled job takes what has ended, and nothing else.
#[test]
fn leftovers_take_what_has_ended_and_nothing_that_differs_otherwise() {
    let env = in_sync("guardrails: { max_removals: 0, min_admins: 1 }\n");
    let edited = env.read("bitpanda.yaml").replace("CLUSTER_OPS, { role", "{ role");
    env.write("bitpanda.yaml", edited);
    let said = apply(&env, &["--leftovers", "--now", "2030-06-29T00:00:00Z"]);
    assert!(said.code == 0 && said.stdout.contains("1 change not selected"), "{}", said.all());
    // Jane's update would also take a role that somebody has to review.
    let said = apply(&env, &["--leftovers", "--now", "2030-07-03T00:00:00Z"]);
    assert!(
        said.stdout.contains("ended on 2030-06-30T12:00:00Z, 2 days ago, and no run has taken it since"),
        "{}",
        said.all()
    );
    assert!(said.stdout.contains("1 done") && !said.stdout.contains("~ user/jane"), "{}", said.all());
    let left = changes(&plan(&env, "2030-07-03T00:00:00Z", &[]));
    assert_eq!(left, [("user/jane@acme.example".to_owned(), "declared".to_owned())]);
}

#[test]
fn what_has_ended_is_told_apart_by_max_removals_and_is_no_drift() {
    let env = in_sync("guardrails: { max_removals: 0, min_admins: 1 }\n");
    let drift = env.run(&["drift", "--sandbox", "--now", "2030-07-01T00:00:00Z", "bitpanda.yaml"]);
    assert!(drift.stdout.contains("still to do") && !drift.stdout.contains("max_removals"), "{}", drift.all());
    let said = apply(&env, &["--now", "2030-07-01T00:00:00Z"]);
    assert!(said.stdout.contains("2 done"), "{}", said.all());
    assert_eq!(changes(&plan(&env, "2030-07-01T00:00:00Z", &[])), []);
    assert_eq!(
        changes(&plan(&env, "2031-01-01T00:00:00Z", &[])),
        [],
        "what is gone stays gone, without a warning"
    );
}

#[test]
fn a_date_never_takes_the_last_admins() {
    let env = in_sync("guardrails: { min_admins: 2 }\n");
    let edited =
        env.read("bitpanda.yaml").replace("enabled: true, note: on duty", "enabled: true, until: 2030-05-05");
    env.write("bitpanda.yaml", edited);
    let said = apply(&env, &["--leftovers", "--now", "2030-06-01T00:00:00Z"]);
    assert_eq!(said.code, 3, "{}", said.all());
    assert!(said.stdout.contains("refused by min_admins"), "{}", said.all());
}

#[test]
fn apply_takes_and_gives_only_what_its_date_says_today() {
    let env = file("");
    for (now, when) in [("2090-01-01T00:00:00Z", "future"), ("2026-01-01", "past")] {
        let said = env.run(&["apply", "--auto-approve", "--now", now, "bitpanda.yaml"]);
        assert_eq!(said.code, 1);
        assert!(said.stderr.contains(&format!("`--now` is in the {when}")), "{}", said.all());
    }
}

#[test]
fn a_time_in_the_past_shows_the_live_state_of_today_and_says_so() {
    let env = in_sync("");
    for verb in ["plan", "drift", "keys", "pull"] {
        let said = |now: &str| env.run(&[verb, "--sandbox", "--now", now, "bitpanda.yaml"]);
        let past = said("2026-11-01");
        assert!(
            past.stderr.contains("has lines that are later than `--now`, 2026-11-01T00:00:00Z"),
            "{}",
            past.all()
        );
        assert!(!said("2090-06-01").stderr.contains("later than `--now`"), "{verb}");
    }
}

#[test]
fn a_note_travels_into_every_report() {
    let env = file("");
    for format in ["text", "markdown", "html", "json", "github", "junit"] {
        let said = env.run(&["plan", "--sandbox", "--format", format, "bitpanda.yaml"]);
        assert!(said.stdout.contains("on duty"), "{format}: {}", said.all());
    }
}

/// The role for those who lose all access doesn't exist yet, and the scheduled job needs it.
#[test]
fn leftovers_make_what_they_need() {
    let env = Env::new();
    let head = "provider: hive\norganization: acme\nendpoint: https://api.graphql-hive.com/graphql\ncredentials: { token: { env: HIVE_TOKEN } }\n";
    let users = "users: [{ email: sam@acme.example, roles: [Viewer], resources: all, until: 2026-12-05 }]\n";
    env.write("hive.yaml", format!("{head}{users}"));
    let said = env.run(&["drift", "--sandbox", "--now", "2030-01-01T00:00:00Z", "hive.yaml"]);
    assert!(said.stdout.contains("Drift: 0 differences") || said.stdout.contains("No drift"), "{}", said.all());
    let apply =
        ["apply", "--sandbox", "--auto-approve", "--leftovers", "--now", "2030-01-01T00:00:00Z", "hive.yaml"];
    let said = env.run(&apply);
    assert!(said.stdout.contains("2 done"), "{}", said.all());
    assert!(env.run(&apply).stdout.contains("No changes"));
}

/// Somebody who leaves has no access anywhere, also where no file gives them any.
#[test]
fn a_person_who_leaves_is_removed_wherever_they_are() {
    for name in ["bitpanda", "hive", "paradime", "rapidapi"] {
        let env = Env::new();
        let file = format!("{name}.yaml");
        let example = crate::support::cli::example(&file);
        let (head, _) = example.split_once("\nusers:").unwrap();
        env.write(&file, format!("{head}\ninclude: [people.yaml]\n"));
        env.write("people.yaml", "kind: people\npeople: [{ email: sam@acme.example, until: 2026-12-10 }]\n");
        let plan = |now: &str| env.run(&["plan", "--sandbox", "--now", now, &file]);
        let sam = |said: &Said| said.stdout.lines().any(|line| line.contains("- user/sam@acme.example"));
        assert!(!sam(&plan("2026-12-10T23:59:59Z")), "{name}");
        let after = plan("2026-12-11T00:00:00Z");
        assert!(sam(&after) && after.stdout.contains("ended on 2026-12-10"), "{name}: {}", after.all());
    }
}

/// A team that has ended takes its members along, and a rolecall of another day still reads the file.
#[test]
fn a_file_stays_valid_when_something_in_it_ends() {
    let env = Env::new();
    let example = crate::support::cli::example("rapidapi.yaml");
    let (head, _) = example.split_once("\nteams:").unwrap();
    let lists = "teams: [{ name: Data, description: d, until: 2026-12-12 }]\nusers:\n  - { email: sam@acme.example, roles: [Developer], teams: { Data: Team Admin, Payments: Team Viewer } }\n";
    env.write("rapidapi.yaml", format!("{head}\n{lists}"));
    for now in ["2026-12-12T00:00:00Z", "2026-12-13T00:00:00Z"] {
        let said = env.run(&["validate", "--now", now, "rapidapi.yaml"]);
        assert_eq!(said.code, 0, "{now}: {}", said.all());
    }
    // The user of the credential keeps their access, and a finding says so.
    let paradime = crate::support::cli::example("paradime.yaml").replace(
        "  - email: alexandra@acme.example\n    roles: [ADMIN]\n",
        "  - { email: alexandra@acme.example, roles: [ADMIN], until: 2026-12-12 }\n",
    );
    env.write("paradime.yaml", paradime);
    let said = env.run(&["validate", "--now", "2030-01-01T00:00:00Z", "paradime.yaml"]);
    assert!(said.code == 0 && said.all().contains("warning[own-user-ends]"), "{}", said.all());
    // What groups give has to fit together before an entry ends that replaces it.
    env.write(
        "people.yaml",
        "kind: people\npeople: [{ email: sam@acme.example }]\ngroups: [{ name: a, members: [sam@acme.example] }, { name: b, members: [sam@acme.example] }]\n",
    );
    let head = "provider: hive\norganization: acme\nendpoint: https://api.graphql-hive.com/graphql\ncredentials: { token: { env: HIVE_TOKEN } }\ninclude: [people.yaml]\n";
    let users = "users:\n  - { group: a, roles: [Viewer] }\n  - { group: b, roles: [Admin] }\n  - { email: sam@acme.example, roles: [Viewer], until: 2026-12-12 }\n";
    env.write("hive.yaml", format!("{head}{users}"));
    // A role that has no successor takes the entry with it.
    for users in [users, &users.replace("[Viewer], until: 2026-12-12", "[{ role: Viewer, until: 2026-12-12 }]")] {
        env.write("hive.yaml", format!("{head}{users}"));
        let said = env.run(&["validate", "--now", "2026-12-01T00:00:00Z", "hive.yaml"]);
        assert!(said.code == 1 && said.all().contains("error[group-conflict]"), "{}", said.all());
    }
}

/// The head of an organisation's example, up to its lists.
fn head_of(name: &str) -> String {
    let example = crate::support::cli::example(&format!("{name}.yaml"));
    let lists = ["\nteams:", "\nroles:", "\nusers:"].iter().filter_map(|list| example.find(list)).min();
    example[..lists.unwrap()].to_owned()
}

/// An open invitation keeps what it was sent with. The plan says what of it has ended, when, and what to do.
#[test]
fn an_open_invitation_that_gives_what_has_ended_says_so() {
    let names = ", first_name: A, last_name: B, enabled: true";
    for (name, role, whole, part, expected) in [
        (
            "bitpanda",
            format!("roles: [SIGNER, {{ role: CLUSTER_OPS, until: 2026-12-01 }}]{names}"),
            format!("roles: [SIGNER], until: 2026-12-01{names}"),
            "with the role `CLUSTER_OPS`, which ended on 2026-12-01. The API can't change the invitation. Cancel it manually",
            "The access of this user ended on 2026-12-01. Invited on",
        ),
        (
            "hive",
            "roles: [Admin], resources: all, until: 2026-12-01".to_owned(),
            "roles: [Viewer], resources: all, until: 2026-12-01".to_owned(),
            "takes what ended on 2026-12-01",
            "ended on 2026-12-01, 3 days ago",
        ),
        (
            "paradime",
            "roles: [ADMIN], until: 2026-12-01".to_owned(),
            "roles: [BUSINESS], until: 2026-12-01".to_owned(),
            "with the role `ADMIN`, which ended on 2026-12-01. The API can't change the invitation. Cancel it manually",
            "The access of this user ended on 2026-12-01. They were invited on",
        ),
        (
            "rapidapi",
            "roles: [Developer], teams: [{ team: Payments, until: 2026-12-01 }]".to_owned(),
            "roles: [Developer], teams: [Payments], until: 2026-12-01".to_owned(),
            "with the team `Payments`, which ended on 2026-12-01. An invitation needs a team. Add one to the entry",
            "ended on 2026-12-01, 3 days ago",
        ),
    ] {
        let env = Env::new();
        let file = format!("{name}.yaml");
        let group = match name {
            "hive" => "  - { group: g, roles: [Viewer], resources: all }\n",
            "paradime" => "  - { group: g, roles: [BUSINESS] }\n",
            _ => "",
        };
        let users = format!(
            "users:\n{group}  - {{ email: part@acme.example, {role} }}\n  - {{ email: whole@acme.example, {whole} }}\n"
        );
        env.write(&file, format!("{}\ninclude: [people.yaml]\n{users}", head_of(name)));
        let people = "kind: people\npeople: [{ email: part@acme.example }]\ngroups: [{ name: g, members: [part@acme.example] }]\n";
        env.write("people.yaml", people);
        let said = env.run(&["apply", "--sandbox", "--auto-approve", "--now", "2026-11-25", &file]);
        assert!(said.code == 0 && said.stdout.contains("whole@acme.example"), "{name}: {}", said.all());
        for format in ["text", "markdown", "json"] {
            let said = env.run(&["plan", "--sandbox", "--now", "2026-12-05", "--format", format, &file]);
            let code = if name == "hive" { "takes-ended" } else { "invitation-gives-ended" };
            let said_so = match format {
                "json" => said.stdout.contains(code),
                // Markdown escapes names.
                "markdown" => said.stdout.matches("ended on 2026-12-01").count() >= 2,
                _ => said.stdout.contains(part) && said.stdout.contains(expected),
            };
            assert!(said_so, "{name} {format}: {}", said.all());
        }
        // The scheduled job sends no mail.
        let said = env.run(&["apply", "--sandbox", "--auto-approve", "--leftovers", "--now", "2026-12-05", &file]);
        assert!(!said.stdout.contains("sends mail"), "{name}: {}", said.all());
    }
}

#[test]
fn a_day_is_its_start_in_utc() {
    let mut env = in_sync("");
    env.set("TZ", "America/Los_Angeles");
    for (day, start) in [("2030-06-30", "2030-06-30T00:00:00Z"), ("2030-07-01", "2030-07-01T00:00:00Z")] {
        assert_eq!(changes(&plan(&env, day, &[])), changes(&plan(&env, start, &[])));
    }
    assert_eq!(changes(&plan(&env, "2030-07-01", &[])).len(), 2);
    let said = env.run(&["plan", "--sandbox", "--now", "tomorrow", "bitpanda.yaml"]);
    assert!(said.stderr.contains("write a day, like 2026-12-31, or a time"), "{}", said.all());
}

/// A difference that no change can make is shown at the entry that asks for it.
#[test]
fn a_manual_step_has_the_place_of_its_entry() {
    let env = file("");
    env.write("bitpanda.yaml", env.read("bitpanda.yaml").replace("note: on duty", "phone: \"+431\""));
    let said = env.run(&["plan", "--sandbox", "--format", "github", "bitpanda.yaml"]);
    let line = said.stdout.lines().find(|line| line.contains("The file says `+431`"));
    assert!(line.is_some_and(|line| line.starts_with("::warning file=bitpanda.yaml,line=7,")), "{}", said.all());
    let said = env.run(&["plan", "--sandbox", "--format", "sarif", "bitpanda.yaml"]);
    let sarif: Value = serde_json::from_str(&said.stdout).unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let result = results.iter().find(|it| it["message"]["text"].as_str().unwrap().contains("`+431`")).unwrap();
    assert_eq!(result["locations"][0]["physicalLocation"]["region"]["startLine"], 7, "{result}");
}
