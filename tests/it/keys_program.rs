//! `rolecall keys` about what it can't know, and what a plan doesn't do.

use std::process::Stdio;
use std::time::{Duration, Instant};

use rolecall::cli::{SchemaName, schema_text};
use rolecall_model::ProviderName;
use serde_json::{Value, json};

use crate::access::cells;
use crate::support::cli::{Env, Said, example, served};

const HIVE: &str = ".rolecall/sandbox/hive-acme.json";
const BITPANDA: &str = ".rolecall/sandbox/bitpanda-f8588dc7-e1ce-4d92-a473-809a0a357ad9.json";
const SECRET: &str = ".rolecall/sandbox/delivered/acme/keys/ci-publisher.key";

/// Creates a folder with the examples of the platforms that have keys, applied.
fn applied() -> Env {
    let env = Env::new();
    for name in ["hive.yaml", "bitpanda.yaml"] {
        env.write(name, example(name));
    }
    let said = env.run(&["apply", "--sandbox", "--auto-approve", "."]);
    assert_eq!(said.code, 0, "{}", said.all());
    env
}

fn shown(env: &Env, args: &[&str]) -> Said {
    env.run(&[&["keys", "--sandbox"], args].concat())
}

/// Changes a world of the sandbox.
fn edit(env: &Env, world: &str, change: impl FnOnce(&mut Value)) {
    let mut value: Value = serde_json::from_str(&env.read(world)).unwrap();
    change(&mut value);
    env.write(world, value.to_string());
}

/// Returns the lines of a text report about a key, the first one with its stage.
fn section<'a>(text: &'a str, head: &str) -> Vec<&'a str> {
    let mut lines = text.lines().skip_while(|line| !line.starts_with(&format!("  {head}")));
    let first = lines.next().unwrap_or_else(|| panic!("{head}\n{text}"));
    std::iter::once(first).chain(lines.take_while(|line| line.starts_with("    "))).collect()
}

/// Returns the rows of a report as CSV, each as its columns with values.
fn rows(env: &Env, args: &[&str]) -> Vec<Vec<(String, String)>> {
    let rows = cells(&shown(env, &[&["--format", "csv"], args].concat()).stdout);
    let columns = rows[0].clone();
    rows.into_iter().skip(1).map(|row| columns.iter().cloned().zip(row).collect()).collect()
}

fn cell<'a>(row: &'a [(String, String)], column: &str) -> &'a str {
    &row.iter().find(|(name, _)| name == column).unwrap().1
}

/// Returns a report as JSON, after a check against its schema.
fn json_of(env: &Env, args: &[&str]) -> Value {
    let document: Value =
        serde_json::from_str(&shown(env, &[&["--format", "json"], args].concat()).stdout).unwrap();
    let schema: Value = serde_json::from_str(&schema_text(SchemaName::Keys)).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    document
}

#[test]
fn a_ledger_that_is_younger_than_a_key_does_not_know_who_made_it() {
    let env = applied();
    std::fs::remove_file(env.path(".rolecall/sandbox/ledger/hive-acme.jsonl")).unwrap();
    env.write(
        "hive.yaml",
        env.read("hive.yaml").replace(
            "\nkeys:\n",
            "\nkeys:\n  - { name: another, permissions: [project:describe], resources: all, deliver: { file: another } }\n",
        ),
    );
    assert_eq!(env.run(&["apply", "--sandbox", "--auto-approve", "hive.yaml"]).code, 0);
    let text = shown(&env, &["hive.yaml"]).stdout;
    let of_key = section(&text, "ci-publisher  active");
    assert!(of_key.contains(&"    made by   not by a run in this ledger"), "{text}");
    let document = json_of(&env, &["hive.yaml"]);
    let made: Vec<(&Value, &Value)> = document["organizations"][0]["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| (&key["name"], &key["made_by"]))
        .collect();
    assert!(made.contains(&(&json!("ci-publisher"), &json!("not-in-ledger"))), "{made:?}");
    assert!(made.contains(&(&json!("another"), &json!("rolecall"))), "{made:?}");
    // The platform tells that this one is younger than the ledger.
    edit(&env, HIVE, |world| {
        let later = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);
        world["tokens"][1]["created_at"] = json!(later);
        world["tokens"][1]["title"] = json!("ci-publisher");
    });
    let text = shown(&env, &["hive.yaml"]).stdout;
    assert!(
        section(&text, "ci-publisher  foreign").contains(&"    made by   somebody else, not rolecall"),
        "{text}"
    );
}

/// A plan skips an entry with an error, whatever the age of its keys.
#[test]
fn a_key_whose_entry_is_blocked_says_so_in_every_form() {
    let env = applied();
    env.write(
        "bitpanda.yaml",
        env.read("bitpanda.yaml").replace(
            "\nkeys:\n",
            "\nkeys:\n  - { name: rota, roles: [CLUSTER_OPS], lifetime: 90d, rotate_before: 30d, deliver: { file: r } }\n",
        ),
    );
    edit(&env, BITPANDA, |world| {
        for id in ["ak_1", "ak_2"] {
            let mut key = world["keys"][1].clone();
            key["id"] = json!(id);
            key["digest"] = json!(id);
            key["name"] = json!("rota");
            key["expires"] = json!("2027-01-05T00:00:00Z");
            world["keys"].as_array_mut().unwrap().push(key);
        }
    });
    let at = ["--now", "2026-12-30", "bitpanda.yaml"];
    let plan = env.run(&[&["plan", "--sandbox"], &at[..]].concat()).stdout;
    assert!(plan.contains("2 live keys have the name rota"), "{plan}");
    let text = shown(&env, &at).stdout;
    let of_key = section(&text, "rota  blocked: 2 live keys have the name rota: ak_1, ak_2.").join("\n");
    assert!(of_key.contains("next      resolve what blocks it"), "{text}");
    assert!(of_key.contains("list each key but the right one with its `id`"), "{text}");
    assert!(!of_key.contains("creates its successor") && !of_key.contains("skipped  "), "{text}");
    assert!(text.contains(" 2 blocked,") || text.contains(" 2 blocked."), "{text}");
    let found = rows(&env, &at);
    let of_key: Vec<_> = found.iter().filter(|row| cell(row, "name") == "rota").collect();
    assert_eq!(of_key.len(), 2);
    for row in of_key {
        assert_eq!((cell(row, "stage"), cell(row, "next")), ("blocked", "resolve what blocks it"));
        assert!(cell(row, "details").starts_with("blocked: 2 live keys have the name rota"), "{row:?}");
    }
    let document = json_of(&env, &at);
    let keys = document["organizations"][0]["keys"].as_array().unwrap();
    let key = keys.iter().find(|key| key["name"] == "rota").unwrap();
    assert_eq!((&key["stage"]["is"], &key["next"]["is"]), (&json!("blocked"), &json!("unblock")));
    assert!(key["stage"]["why"].as_str().unwrap().starts_with("2 live keys have the name rota"), "{key}");
    assert_eq!(shown(&env, &[&["--expiring-within", "1h"], &at[..]].concat()).code, 2);
}

/// What a plan skips besides is in CSV too.
#[test]
fn a_difference_that_is_skipped_is_in_every_form() {
    let env = applied();
    edit(&env, HIVE, |world| world["tokens"][1]["description"] = json!("another"));
    let text = shown(&env, &["hive.yaml"]).stdout;
    let of_key = section(&text, "ci-publisher  active").join("\n");
    assert!(of_key.contains("skipped   The file says `"), "{text}");
    let found = rows(&env, &["hive.yaml"]);
    let row = found.iter().find(|row| cell(row, "name") == "ci-publisher").unwrap();
    assert!(cell(row, "skipped").starts_with("The file says `"), "{row:?}");
    let document = json_of(&env, &["hive.yaml"]);
    let keys = document["organizations"][0]["keys"].as_array().unwrap();
    let key = keys.iter().find(|key| key["name"] == "ci-publisher").unwrap();
    assert_eq!(key["skipped"][0]["class"], "blocked");
}

#[test]
fn a_key_that_cannot_be_read_is_counted_and_has_a_row() {
    let env = applied();
    edit(&env, BITPANDA, |world| world["keys"][1]["name"] = json!(""));
    let text = shown(&env, &["bitpanda.yaml"]).stdout;
    assert!(text.contains("#ak_7d0e5b9c21f84a63 can't be read: "), "{text}");
    assert!(
        text.ends_with("\n6 keys: 1 active, 1 unmanaged, 1 missing, 2 disabled, 1 can't be read.\n"),
        "{text}"
    );
    let found = rows(&env, &["bitpanda.yaml"]);
    let row = found.iter().find(|row| cell(row, "stage") == "can't be read").unwrap();
    assert_eq!((found.len(), cell(row, "id")), (6, "ak_7d0e5b9c21f84a63"));
    assert!(cell(row, "details").starts_with("can't be read: "), "{row:?}");
    let document = json_of(&env, &["bitpanda.yaml"]);
    assert_eq!(document["organizations"][0]["unreadable"].as_array().unwrap().len(), 1);
}

/// While the program gets the secret, the ledger has only the creation of the key.
#[test]
fn a_key_that_an_apply_is_delivering_is_no_orphan() {
    // With `--sandbox`, no program would run.
    let (env, _server) = served(ProviderName::Hive, &[]);
    let deliver =
        "{ command: [sh, -c, 'cat >/dev/null; touch started; while [ ! -e done ]; do sleep 0.05; done'] }";
    env.write("file.yaml", env.read("file.yaml").replace("{ file: keys/ci-publisher.key }", deliver));
    let args = ["apply", "--auto-approve", "--allow-commands", "file.yaml"];
    let mut apply = env.command().args(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while !env.path("started").exists() && begun.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(20));
    }
    let keys = |args: &[&str]| env.run(&[&["keys", "file.yaml"], args].concat());
    let (during, within) = (keys(&[]), keys(&["--expiring-within", "1d"]));
    let document: Value = serde_json::from_str(&keys(&["--format", "json"]).stdout).unwrap();
    env.write("done", "");
    assert!(apply.wait().unwrap().success());
    let after = keys(&[]).stdout;
    let text = &during.stdout;
    let head = "ci-publisher  undelivered: its secret isn't delivered, and an apply is running";
    assert!(section(&within.stdout, head)[0].ends_with("running"), "it isn't due: {}", within.all());
    assert!(!section(text, head).iter().any(|line| line.contains("next ")), "{}", during.all());
    assert!(text.contains("  An apply is running, or has just ended.") && !text.contains("orphaned"), "{text}");
    assert_eq!(document["organizations"][0]["apply_running"], true);
    assert!(after.contains("ci-publisher  active") && !after.contains("An apply is running"), "{after}");
}

#[test]
fn a_target_that_cannot_be_read_says_why() {
    let env = applied();
    let check = |why: &str| {
        let text = shown(&env, &["hive.yaml"]).stdout;
        let line = text.lines().find(|line| line.contains("secret ")).unwrap();
        assert!(line.contains(", and can't be read now: ") && line.ends_with(why), "{line}");
        let found = rows(&env, &["hive.yaml"]);
        let row = found.iter().find(|row| cell(row, "name") == "ci-publisher").unwrap();
        let to = cell(row, "delivered_to");
        assert!(to.starts_with("keys/ci-publisher.key (can't be read: ") && to.contains(why), "{row:?}");
        let document = json_of(&env, &["hive.yaml"]);
        let keys = document["organizations"][0]["keys"].as_array().unwrap();
        let key = keys.iter().find(|key| key["name"] == "ci-publisher").unwrap();
        let target = &key["delivered"]["targets"][0];
        assert_eq!(target["now"], "unreadable");
        assert!(target["why"].as_str().unwrap().ends_with(why), "{target}");
    };
    let path = env.path(SECRET);
    // A file without blocks: it has a size, and nothing is read of it.
    std::fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
    check("is larger than 4 MiB");
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    check("isn't a regular file");
    std::fs::remove_dir(&path).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    check("isn't a regular file");
}

#[test]
fn a_name_with_a_newline_is_an_address_of_the_schemas() {
    let env = applied();
    edit(&env, HIVE, |world| world["tokens"][1]["title"] = json!("two\nlines"));
    let document = json_of(&env, &["hive.yaml"]);
    let keys = document["organizations"][0]["keys"].as_array().unwrap();
    assert!(keys.iter().any(|key| key["access"]["address"] == "key/two\nlines"), "{document}");
    for (verb, name) in [("plan", SchemaName::Plan), ("access", SchemaName::Access)] {
        let said = env.run(&[verb, "--sandbox", "--format", "json", "hive.yaml"]);
        let document: Value = serde_json::from_str(&said.stdout).unwrap();
        let schema: Value = serde_json::from_str(&schema_text(name)).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let errors: Vec<String> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
        assert!(errors.is_empty() && said.stdout.contains("two\\nlines"), "{verb}: {errors:#?}");
    }
}

/// Nobody can use it, and no file asks for it. Before it expires, somebody may need it.
#[test]
fn an_unlisted_key_that_has_expired_says_what_to_do_and_does_not_count() {
    let env = applied();
    edit(&env, BITPANDA, |world| {
        let mut key = world["keys"][1].clone();
        for (field, value) in
            [("id", "ak_1"), ("digest", "d"), ("name", "old"), ("expires", "2027-01-05T00:00:00Z")]
        {
            key[field] = json!(value);
        }
        world["keys"].as_array_mut().unwrap().push(key);
    });
    let at =
        |now: &'static str| ["--expiring-within", "7d", "--metrics-file", "m.prom", "--now", now, "bitpanda.yaml"];
    assert_eq!(shown(&env, &at("2027-01-01")).code, 2);
    let said = shown(&env, &at("2027-01-31"));
    assert_eq!(said.code, 0, "{}", said.all());
    let of_key = section(&said.stdout, "old  expired").join("\n");
    assert!(
        of_key.contains("next      disable it in the web app, or list it with its `id` and `absent: true`"),
        "{of_key}"
    );
    assert!(!env.read("m.prom").contains("next_step_timestamp_seconds{provider=\"bitpanda\",organization=\"f8588dc7-e1ce-4d92-a473-809a0a357ad9\",key=\"key/old#ak_1\""));
    // The entry is planned, and the next apply disables the key.
    let file =
        env.read("bitpanda.yaml").replace("\nkeys:\n", "\nkeys:\n  - { name: old, id: ak_1, absent: true }\n");
    env.write("bitpanda.yaml", file);
    let said = shown(&env, &at("2027-01-31"));
    let of_key = section(&said.stdout, "old  expired").join("\n");
    assert!(of_key.contains("next      the next apply retires it"), "{of_key}");
    assert!(of_key.contains("file      the file says `absent: true`: bitpanda.yaml:"), "{of_key}");
}

#[test]
fn metrics_of_an_organisation_that_is_not_read_stay() {
    let env = applied();
    assert_eq!(shown(&env, &["--metrics-file", "m.prom", "."]).code, 0);
    let before = env.read("m.prom");
    let of = |text: &str, provider: &str| -> Vec<String> {
        let label = format!("{{provider=\"{provider}\"");
        text.lines().filter(|line| line.contains(&label)).map(ToOwned::to_owned).collect()
    };
    assert!(
        before.contains(
            "\nrolecall_last_success_timestamp_seconds{provider=\"hive\",organization=\"acme\",verb=\"keys\"} "
        ),
        "{before}"
    );
    // A world that can't be read stands for a platform that isn't reached.
    env.write(HIVE, "{");
    let said = shown(&env, &["--metrics-file", "m.prom", "--now", "2030-01-01", "."]);
    assert!(said.code != 0 && said.stdout.is_empty(), "{}", said.all());
    let after = env.read("m.prom");
    assert!(of(&before, "hive").len() > 1, "{before}");
    assert_eq!(of(&after, "hive"), of(&before, "hive"));
    assert_ne!(of(&after, "bitpanda"), of(&before, "bitpanda"), "{after}");
    for metric in ["rolecall_key_age_seconds", "rolecall_last_success_timestamp_seconds"] {
        assert_eq!(after.matches(&format!("# TYPE {metric} gauge")).count(), 1, "{after}");
    }
}
