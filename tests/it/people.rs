//! People, groups and files in parts: what they come to, and what is wrong with them.

use std::fmt::Write as _;

use crate::support::cli::{Env, Said, example};
use crate::support::files::loaded;
use crate::support::hive::HEAD;
use jiff::Timestamp;

const PEOPLE: &str = "kind: people
people:
  - { email: jane@x.example }
  - { email: bob@x.example, aliases: { hive: bob.k@x.example } }
groups:
  - { name: sre, members: [bob@x.example] }
  - { name: payments, members: [jane@x.example, { group: sre }] }
";

/// Validates an organisation's file, which has this after its head, together with other files.
fn validate(body: &str, files: &[(&str, &str)]) -> Said {
    let env = Env::new();
    env.write("access/hive.yaml", format!("{HEAD}{body}\n"));
    for (path, text) in files {
        env.write(&format!("access/{path}"), text);
    }
    env.run(&["validate", "access/hive.yaml"])
}

/// A name, what follows the head of the organisation's file, and other files.
type Case = (&'static str, &'static str, Vec<(&'static str, &'static str)>);

/// Returns small wrong files with a name each: what follows the head of the organisation's file, and other files.
fn cases() -> Vec<Case> {
    let people = |body: &'static str, text: &'static str| (body, vec![("people.yaml", text)]);
    let include = "include: [people.yaml]";
    let with = |name, (body, files)| (name, body, files);
    vec![
        ("outside", "include: [../../people.yaml, /etc/people.yaml, ../..]", vec![]),
        ("missing", "include:\n  - people.yaml\n  - teams/people.yaml", vec![]),
        ("pattern", "include: ['nothing/*.yaml', 'teams/*.yml', '*.json', people.json]", vec![("teams/a.yaml", "users: []")]),
        ("not_paths", "include: [7, { file: a.yaml }, '']", vec![]),
        ("not_a_list", "include: people.yaml", vec![]),
        ("circle", "include: [a.yaml]", vec![("a.yaml", "include: [b.yaml]"), ("b.yaml", "include: [a.yaml, hive.yaml]")]),
        ("head_fields", "include: [credentials.yaml, manage.yaml]", vec![
            ("credentials.yaml", "credentials: { token: { env: OTHER } }\nendpoint: https://evil.example\nusers: []"),
            ("manage.yaml", "manage: { users: all }\nguardrails: { min_admins: 0 }\nacknowledged: ['*']\nallow: []\nuser: []"),
        ]),
        ("organization", "include: ['*.yaml']", vec![("other.yaml", "provider: paradime\norganization: x\n")]),
        ("kinds", "include: ['*.yml']", vec![
            ("a.yml", "kind: person"), ("b.yml", "people: []"), ("c.yml", "- a"), ("d.yml", "# nobody yet"), ("e.yml", "users: { a: b }\nroles: [Viewer]\nkeys:"),
                ("f.yml", "users: []\nusers: []"),
        ]),
        with("people_syntax", people(include, "kind: people\npeople:\n  - { email: jane@x.example\n  - { email: bob@x.example }\n")),
        with("people_types", people(include, "kind: people
people:
  - { email: jane, phone: 43, note: yes, aliases: { hiev: a@x.example, hive: b } }
  - { emial: bob@x.example, roles: [Viewer] }
  - jane@x.example
groups:
  - { name: 7 }
  - { members: [7, { user: a@x.example }, { person: a@x.example, group: b }, {}] }
  - { name: b, except: jane@x.example, note: ' padded' }
group: []
")),
        with("unknown", people("include: [people.yaml]\nusers: [{ group: paymnets }, { group: other }]", "kind: people
people: [{ email: jane@x.example }]
groups: [{ name: payments, members: [jan@x.example, bob@y.example, { group: payment }, { group: other things }], except: [jnae@x.example] }]
")),
        ("no_people", "users: [{ group: payments }]", vec![]),
        ("duplicate_people", "include: [a.yaml, b.yaml, c.yaml, a.yaml]", vec![
            ("a.yaml", "kind: people\npeople: [{ email: jane@x.example }, { email: Jane@X.example }]\ngroups: [{ name: g }]"),
            ("b.yaml", "kind: people\npeople: [{ email: jane@x.example }, { email: bob@x.example, aliases: { hive: jane@x.example } }]\ngroups: [{ name: g }]"),
            ("c.yaml", "kind: people\npeople: [{ email: max@x.example, aliases: { hive: k@x.example } }, { email: k@y.example, aliases: { hive: K@x.example } }]"),
        ]),
        with("duplicate_entries", people("include: [people.yaml]\nusers: [{ email: bob@x.example }, { email: bob.k@x.example }, { group: sre }]", PEOPLE)),
        with("group_circles", people(include, "kind: people
groups:
  - { name: a, members: [{ group: b }] }
  - { name: b, members: [{ group: c }] }
  - { name: c, members: [{ group: a }] }
  - { name: own, members: [{ group: own }] }
")),
        with("group_and_more", people("include: [people.yaml]\nusers: [{ group: sre, email: a@x.example, id: x, absent: true }, { group: 7 }, { group: yes }]", PEOPLE)),
        with("conflict", people("include: [people.yaml]
users:
  - { group: payments, roles: [Viewer], resources: { shop: all } }
  - { group: sre, roles: [Admin], resources: all }
  - { group: sre, roles: [Admin] }", PEOPLE)),
        with("dates", people("include: [people.yaml]
users:
  - { email: a@x.example, until: 2026-13-01 }
  - { email: b@x.example, until: 2099-12-31T18:00:00 }
  - { email: c@x.example, until: '2099-12-31T18:00:00+25:00' }
  - { email: d@x.example, until: 20261231 }
  - { email: e@x.example, until: [2099-12-31] }
  - { email: f@x.example, until: '' }
  - { email: g@x.example, until: tomorrow }
  - { email: h@x.example, until: 2099-12-31, absent: true }
  - { email: i@x.example, roles: [{ role: Viewer, until: never, form: x }], until: 31.12.2026 }
  - email: j@x.example
    until:
roles: [{ name: One, permissions: [], until: 2099-12-31 }]
keys: [{ name: ci, absent: true, until: 2099-12-31 }, { name: cd, until: 0 }]", "kind: people
people: [{ email: jane@x.example, until: 2026-02-30 }]
groups: [{ name: g, members: [{ person: jane@x.example, until: 2099-12-31T18:00 }] }]
")),
        with("never", people("include: [people.yaml]\nusers: [{ email: a@x.example, until: 9999-12-31 }]", "kind: people
people:
  - { email: jane@x.example, until: 9999-12-30T23:00:00Z, first_name: \"Ja\\nne\", last_name: ' Doe', phone: '' }
")),
        with("twice", people("include: [people.yaml]
include: []
users: [{ email: a@x.example, until: 2099-12-31, until: 2099-12-30, note: a, note: b }, { group: sre, group: payments }]", PEOPLE)),
        with("entries", people("include: [people.yaml]
users:
  - { group: payments, roles: [Viewer], enabled: true }
  - { group: sre, resources: everything }
  - { email: a@x.example, untill: 2099-12-31, nothing: 1 }
  - jane@x.example", PEOPLE)),
    ]
}

#[test]
fn every_wrong_file_has_its_findings() {
    for (name, body, files) in cases() {
        let said = validate(body, &files);
        let mut shown = format!("{body}\n");
        for (path, text) in files {
            let _ = writeln!(shown, "# {path}\n{}", text.trim_end());
        }
        assert_eq!(said.code, 1, "{name}: {}", said.all());
        insta::assert_snapshot!(format!("people_{name}"), format!("{shown}---\n{}", said.all()));
    }
}

#[test]
fn a_broken_part_is_told_once_and_breaks_every_organisation_that_includes_it() {
    let env = Env::new();
    for name in ["one", "other"] {
        let head = HEAD.replace("organization: acme", &format!("organization: {name}"));
        env.write(&format!("{name}.yaml"), format!("{head}include: [parts/users.yaml, people.yaml]\n"));
    }
    env.write("parts/users.yaml", "users: [{ email: jane, role: Viewer }]\nmanage: { users: all }\n");
    env.write("people.yaml", "kind: people\npeople: [{ email: bob }]\n");
    let said = env.run(&["validate", "one.yaml", "other.yaml"]);
    insta::assert_snapshot!("people_broken_part_of_two", said.all());
    // None of them describes anything, in whatever order they are read.
    let text = |name: &str| {
        format!("{}include: [part.yaml]\n", HEAD.replace("organization: acme", &format!("organization: {name}")))
    };
    let part = [("part.yaml", "users: []\nmanage: { users: all }\n")];
    let loaded = loaded(&text("one"), &part, Timestamp::MIN);
    assert!(loaded.files.iter().all(|file| file.desired.is_none()) && loaded.has_errors());
}

/// Asserts that a file that is included by mistake is refused, and that nothing of it is shown.
#[test]
fn nothing_of_a_file_that_is_not_rolecalls_is_shown() {
    let secret = "t0psecretvalue";
    for (path, text) in [
        (".git/config.yaml", format!("[core]\n  url = https://jane:{secret}@git.example\n")),
        ("secrets.yaml", format!("{secret}: yes\n")),
        ("secrets.yaml", format!("token: {secret}\n")),
        ("secrets.yaml", format!("{secret}\n")),
        ("secrets.yaml", format!("- {secret}\n")),
        ("secrets.yaml", format!("token: {secret}\n  broken: [\n")),
        ("secrets.yaml", format!("keys:\n  stripe: {secret}\n")),
        ("secrets.yaml", format!("keys:\n  - {secret}\n")),
        ("secrets.yaml", format!("keys: {secret}\n")),
        ("secrets.yaml", format!("users:\n  - jane:{secret}\n")),
        ("secrets.yaml", format!("kind: {secret}\n")),
        ("secrets.yaml", format!("kind: Secret\ndata: {{ password: {secret} }}\n")),
        ("secrets.yaml", format!("provider: {secret}\n")),
        ("secrets.yaml", format!("people: {secret}\n")),
        (
            "kubeconfig.yaml",
            format!("kind: Config\nusers:\n  - name: {secret}\n    user: {{ token: {secret} }}\n"),
        ),
        (
            "kubeconfig.yaml",
            format!("clusters: []\nusers:\n  - name: {secret}\n    user: {{ token: {secret} }}\n"),
        ),
        ("part.yaml", format!("users: []\ncredentials: {{ token: {secret} }}\n")),
        ("part.yaml", format!("include: [{secret}/../../..]\ntoken: x\n")),
    ] {
        let said = validate(&format!("include: [{path}]"), &[(path, &text)]);
        assert_eq!(said.code, 1, "{text}\n{}", said.all());
        assert!(!said.all().contains(secret), "{text}\n{}", said.all());
    }
}

#[cfg(unix)]
#[test]
fn a_link_is_not_included() {
    let env = Env::new();
    env.write("elsewhere/people.yaml", PEOPLE);
    env.write(
        "access/hive.yaml",
        format!("{HEAD}include: [people.yaml, folder/people.yaml, 'folder/*.yaml', 'p*.yaml']\n"),
    );
    std::os::unix::fs::symlink(env.path("elsewhere/people.yaml"), env.path("access/people.yaml")).unwrap();
    std::os::unix::fs::symlink(env.path("elsewhere"), env.path("access/folder")).unwrap();
    let said = env.run(&["validate", "access"]);
    assert_eq!(said.code, 1, "{}", said.all());
    insta::assert_snapshot!("people_links", said.all());
}

#[test]
fn a_file_that_others_include_says_what_to_name_instead() {
    let env = Env::new();
    env.write("people.yaml", PEOPLE);
    env.write("part.yaml", "users: []\n");
    let said = env.run(&["validate", "people.yaml", "part.yaml"]);
    assert_eq!(said.code, 1, "{}", said.all());
    insta::assert_snapshot!("people_named", said.all());
}

#[test]
fn deep_and_many_nestings_end() {
    let env = Env::new();
    env.write("hive.yaml", format!("{HEAD}include: [people.yaml]\nusers: [{{ group: g63, roles: [Viewer] }}]\n"));
    // Jane is in the innermost of 64 groups.
    let groups = |count: usize, own: bool| -> String {
        let member =
            |at: usize| if at == 0 { "jane@x.example".to_owned() } else { format!("{{ group: g{} }}", at - 1) };
        let person = |at: usize| if own { format!("p{at}@x.example, ") } else { String::new() };
        let groups =
            (0..count).map(|at| format!("  - {{ name: g{at}, members: [{}{}] }}\n", person(at), member(at)));
        let people = (0..if own { count } else { 0 }).map(|at| format!("  - {{ email: p{at}@x.example }}\n"));
        format!(
            "kind: people\npeople:\n  - {{ email: jane@x.example }}\n{}groups:\n{}",
            people.collect::<String>(),
            groups.collect::<String>()
        )
    };
    env.write("people.yaml", groups(64, false));
    let said = env.run(&["validate", "hive.yaml"]);
    assert_eq!(said.code, 0, "{}", said.all());
    env.write("people.yaml", groups(4_000, false));
    let said = env.run(&["validate", "hive.yaml"]);
    assert_eq!(said.code, 0, "{}", said.all());
    // Each group has all people of those before it.
    env.write("people.yaml", groups(4_000, true));
    let said = env.run(&["validate", "hive.yaml"]);
    assert!(
        said.code == 1 && said.stdout.contains("error[too-complex]: The groups have more than"),
        "{}",
        said.all()
    );
    // A file that includes the next one, many times over.
    for at in 0..40 {
        env.write(&format!("part{at}.yaml"), format!("include: [part{}.yaml]\n", at + 1));
    }
    env.write("part40.yaml", "users: []\n");
    env.write("deep.yaml", format!("{HEAD}include: [part0.yaml]\n"));
    let said = env.run(&["validate", "deep.yaml"]);
    assert!(said.code == 1 && said.stdout.contains("More than 32 files include one another"), "{}", said.all());
}

#[test]
fn a_report_or_a_secret_overwrites_no_included_file() {
    let env = Env::new();
    env.write("hive.yaml", format!("{HEAD}include: [people.yaml]\nkeys: [{{ name: ci, permissions: [], resources: all, deliver: {{ file: people.yaml }} }}]\n"));
    env.write("people.yaml", PEOPLE);
    let said = env.run(&["validate", "hive.yaml"]);
    assert!(
        said.code == 1 && said.stdout.contains("`people.yaml` is a file that this run reads"),
        "{}",
        said.all()
    );
    let said = env.run(&["validate", "hive.yaml", "--report", "json=people.yaml"]);
    assert!(said.code != 0 && env.read("people.yaml") == PEOPLE, "{}", said.all());
}

/// The end of a day doesn't depend on the time zone of the machine.
#[test]
fn the_time_zone_of_the_machine_does_not_matter() {
    for zone in ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Europe/Vienna", ":nonsense"] {
        let mut env = Env::new();
        env.set("TZ", zone);
        // The two groups contradict each other as long as Bob is in both.
        env.write("hive.yaml", format!("{HEAD}include: [people.yaml]\nusers: [{{ group: a, roles: [Viewer] }}, {{ group: b, roles: [Admin] }}]\n"));
        env.write("people.yaml", "kind: people
people: [{ email: bob@x.example }]
groups: [{ name: a, members: [bob@x.example] }, { name: b, members: [{ person: bob@x.example, until: 2026-12-31 }] }]
");
        for (now, code) in [("2026-12-31T23:59:59Z", 1), ("2027-01-01T00:00:00Z", 0)] {
            let said = env.run(&["validate", "hive.yaml", "--now", now]);
            assert_eq!(said.code, code, "{zone} {now} {}", said.all());
        }
    }
}

/// Returns the users of an organisation as JSON, as of a time.
fn users(body: &str, now: &str) -> serde_json::Value {
    let loaded = loaded(&format!("{HEAD}{body}"), &[("people.yaml", PEOPLE)], now.parse().unwrap());
    assert!(loaded.findings.is_empty(), "{:#?}", loaded.findings);
    serde_json::to_value(&loaded.files[0].desired.as_ref().unwrap().users).unwrap()
}

#[test]
fn an_entry_for_a_person_replaces_what_groups_give() {
    let body = "include: [people.yaml]
users:
  - { group: sre, roles: [Viewer], resources: all }
  - { email: bob@x.example, roles: [Admin], until: 2026-12-31 }
";
    let before = users(body, "2026-12-31T23:59:59Z");
    assert_eq!(before.as_array().unwrap().len(), 1);
    assert_eq!(
        (&before[0]["email"], &before[0]["roles"]),
        (&"bob.k@x.example".into(), &serde_json::json!(["Admin"]))
    );
    assert!(before[0]["resources"].is_null(), "the entry of a person has nothing of the group: {before}");
    let after = users(body, "2027-01-01T00:00:00Z");
    assert_eq!((after.as_array().unwrap().len(), &after[0]["roles"]), (1, &serde_json::json!(["Viewer"])));
}

/// The example is complete, the schema accepts each file of it, and a plan against the sandboxes has no finding.
#[test]
fn the_example_is_planned() {
    let files =
        ["people.yaml", "bitpanda.yaml", "hive.yaml", "paradime.yaml", "rapidapi.yaml", "teams/payments.yaml"];
    let env = Env::new();
    let schema = crate::schemas::file_schema();
    for file in files {
        let text = example(&format!("people/{file}"));
        let errors: Vec<String> =
            schema.iter_errors(&crate::schemas::as_json(&text)).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{file} {errors:#?}");
        env.write(&format!("access/{file}"), text);
    }
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/people");
    let count = |folder: std::path::PathBuf| std::fs::read_dir(folder).unwrap().count();
    assert_eq!(count(folder.clone()) - 1 + count(folder.join("teams")), files.len(), "a file isn't tested");
    let said = env.run(&["validate", "access"]);
    assert!(said.code == 0 && said.stdout.contains("no findings"), "{}", said.all());
    let plan = |now: &str| {
        let said = env.run(&["plan", "--sandbox", "access", "--now", now, "--format", "json"]);
        assert!(!said.stderr.contains("error["), "{}", said.all());
        let plan: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
        let organizations = plan["organizations"].as_array().unwrap().clone();
        let changes = organizations.iter().flat_map(|one| one["sealed"]["changes"].as_array().unwrap().clone());
        changes
            .map(|change| {
                format!("{} {}", change["action"].as_str().unwrap(), change["address"].as_str().unwrap())
            })
            .collect::<Vec<_>>()
    };
    let now = plan("2026-11-01T00:00:00Z");
    assert!(now.contains(&"invite user/new.user@acme.example".to_owned()), "{now:?}");
    let later = plan("2098-07-01T00:00:00Z");
    assert!(!later.contains(&"invite user/new.user@acme.example".to_owned()), "{later:?}");
}
