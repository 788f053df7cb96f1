//! A message is sent when drift changes, and none when it doesn't.

use crate::support::cli::{Env, Said, example, served};
use crate::support::receiver::Receiver;
use jiff::{SignedDuration, Timestamp};
use rolecall::cli::{SchemaName, schema_text};
use rolecall::report::{NoticeFormat, ci_page, notice, page};
use rolecall_model::{Plan, Privilege, ProviderName, RemoteId};
use rolecall_plan::drift_delta;
use serde_json::{Value, json};

const SECRET_PATH: &str = "/services/T0/B0/secret-of-the-webhook";

fn drift(env: &Env, receiver: &Receiver, more: &[&str]) -> Said {
    let url = format!("{}{SECRET_PATH}", receiver.url);
    let said = env.run(&[&["drift", "--notify", &url, "--previous", "told.json"], more].concat());
    assert!(!said.all().contains("secret-of-the-webhook"), "{}", said.all());
    said
}

/// Creates a Hive example with an embedded platform.
fn sandboxed() -> Env {
    let env = Env::new();
    env.write("hive.yaml", example("hive.yaml"));
    env
}

const SANDBOX: &[&str] = &["--sandbox", "hive.yaml"];

#[test]
fn one_message_for_new_drift_none_for_reported_drift_and_one_when_it_is_gone() {
    let env = sandboxed();
    let receiver = Receiver::answering(&[200]);
    assert_eq!(drift(&env, &receiver, SANDBOX).code, 2);
    let first = receiver.take();
    assert_eq!(first.len(), 1);
    assert_eq!(first[0].path, SECRET_PATH);
    assert!(first[0].headers.contains(&"content-type: application/json".to_owned()));
    let message: Value = serde_json::from_str(&first[0].body).unwrap();
    let schema: Value = serde_json::from_str(&schema_text(SchemaName::Notice)).unwrap();
    let errors: Vec<String> =
        jsonschema::validator_for(&schema).unwrap().iter_errors(&message).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    let addresses = |list: &str| message["organizations"][0][list].as_array().unwrap().len();
    assert!(addresses("differences") > 3 && addresses("blocked") == 1 && addresses("gone") == 0);
    assert!(message["text"].as_str().unwrap().starts_with("hive acme: Drift: "), "{message}");

    // The same drift: nobody is notified twice.
    assert_eq!(drift(&env, &receiver, SANDBOX).code, 2);
    assert!(receiver.take().is_empty());

    // A part of the drift is resolved.
    let applied = env.run(&["apply", "--auto-approve", "--sandbox", "hive.yaml"]);
    assert_eq!(applied.code, 0, "{}", applied.all());
    drift(&env, &receiver, SANDBOX);
    let second = receiver.take();
    assert_eq!(second.len(), 1);
    let message: Value = serde_json::from_str(&second[0].body).unwrap();
    assert!(message["organizations"][0]["gone"].as_array().unwrap().len() > 3, "{message}");
    assert_eq!(message["organizations"][0]["new"].as_array().unwrap().len(), 0, "{message}");
    drift(&env, &receiver, SANDBOX);
    assert!(receiver.take().is_empty());
}

/// A description has sentences, and can be long. What became of the role stands after it.
#[test]
fn a_long_value_never_hides_that_something_is_gone() {
    for description in ["Holds people. They must have no access.".to_owned(), "Holds people. ".repeat(17)] {
        let env = sandboxed();
        let role = format!("\nroles:\n  - {{ name: Reader, description: \"{description}\", permissions: [] }}\n");
        env.write("hive.yaml", example("hive.yaml").replacen("\nroles:\n", &role, 1));
        let receiver = Receiver::answering(&[200]);
        let said = drift(&env, &receiver, SANDBOX);
        assert_eq!(said.code, 2, "{}", said.all());
        let message: Value = serde_json::from_str(&receiver.take()[0].body).unwrap();
        let text = message["text"].as_str().unwrap();
        let line = text.lines().find(|line| line.contains("role/Reader: ")).unwrap();
        assert!(line.ends_with(" → gone") && line.len() < 300, "{line}");
        let changes = message["organizations"][0]["changes"].as_array().unwrap();
        let role = changes.iter().find(|change| change["address"] == "role/Reader").unwrap();
        assert!(role["why"].as_str().unwrap().contains(description.trim_end()), "{role}");
    }
}

#[test]
fn no_drift_from_the_start_is_no_news() {
    let env = sandboxed();
    env.write(
        "hive.yaml",
        example("hive.yaml").split("\nroles:").next().unwrap().to_owned()
            + "\nacknowledged: [user/jane@acme.example]\nusers: []\n",
    );
    let receiver = Receiver::answering(&[200]);
    let said = drift(&env, &receiver, SANDBOX);
    assert_eq!(said.code, 0, "{}", said.all());
    assert!(receiver.take().is_empty());
    assert!(env.path("told.json").exists(), "so that the next run has something to compare with");
}

#[test]
fn a_message_that_failed_is_sent_by_the_next_run() {
    let env = sandboxed();
    for (statuses, tries) in [(&[404u16] as &'static [u16], 1), (&[302], 1), (&[503], 4)] {
        let receiver = Receiver::answering(statuses);
        let said = drift(&env, &receiver, SANDBOX);
        assert_eq!(said.code, 1, "{}", said.all());
        assert!(said.stderr.contains("could not be notified of the drift: HTTP"), "{}", said.stderr);
        assert!(!env.path("told.json").exists());
        assert_eq!(receiver.take().len(), tries, "{statuses:?}");
    }
    let receiver = Receiver::answering(&[503, 429, 200]);
    assert_eq!(drift(&env, &receiver, SANDBOX).code, 2);
    assert_eq!(receiver.take().len(), 3);
    assert!(env.path("told.json").exists());
}

#[test]
fn a_drift_report_in_json_counts_as_reported_and_an_empty_file_as_nothing_reported() {
    let env = sandboxed();
    env.run(&["drift", "--sandbox", "hive.yaml", "--report", "json=told.json"]);
    let receiver = Receiver::answering(&[200]);
    assert_eq!(drift(&env, &receiver, SANDBOX).code, 2);
    assert!(receiver.take().is_empty(), "it is the same drift");
    env.write("told.json", "");
    assert_eq!(drift(&env, &receiver, SANDBOX).code, 2);
    assert_eq!(receiver.take().len(), 1);
}

#[test]
fn a_list_that_breaks_once_is_neither_the_end_of_drift_nor_its_return() {
    let env = Env::with_example();
    let receiver = Receiver::answering(&[200]);
    let sandbox: &[&str] = &["--sandbox", "bitpanda.yaml"];
    drift(&env, &receiver, sandbox);
    assert_eq!(receiver.take().len(), 1);
    let set = |value: &str| drop(env.serve(&["--provider", "bitpanda", "--set", value]));
    let last_read = || {
        let told: Value = serde_json::from_str(&env.read("told.json")).unwrap();
        told["organizations"][0]["last_read"]["at"].as_str().unwrap().to_owned()
    };
    let complete = last_read();
    set("count-off-by=1");
    let said = drift(&env, &receiver, sandbox);
    assert!(said.stdout.contains("INCOMPLETE"), "{}", said.all());
    assert!(receiver.take().is_empty());
    assert_eq!(last_read(), complete, "a run that couldn't read all doesn't say since when something differs");
    set("count-off-by=0");
    let said = drift(&env, &receiver, sandbox);
    assert!(!said.stdout.contains("INCOMPLETE"), "{}", said.all());
    assert!(receiver.take().is_empty(), "{}", said.all());
    assert!(last_read() > complete);
}

#[test]
fn without_a_writable_file_nothing_is_sent_and_a_failed_report_does_not_stop_the_message() {
    let env = sandboxed();
    let receiver = Receiver::answering(&[200]);
    let said =
        env.run(&["drift", "--sandbox", "hive.yaml", "--notify", &receiver.url, "--previous", "no/told.json"]);
    assert_eq!(said.code, 1, "{}", said.all());
    assert!(receiver.take().is_empty(), "or it would be reported again and again");
    // It can be written, and what it has from the run before can't be read.
    env.write("drift.prom", [0xff]);
    let said = drift(&env, &receiver, &[SANDBOX, &["--metrics-file", "drift.prom"]].concat());
    assert_eq!(said.code, 1, "{}", said.all());
    assert_eq!(receiver.take().len(), 1);
}

#[test]
fn what_cant_be_read_this_time_is_neither_gone_nor_new_the_next() {
    let (mut env, _hive) = served(ProviderName::Hive, &[]);
    std::fs::rename(env.path("file.yaml"), env.path("hive.yaml")).unwrap();
    let paradime = env.serve_example(ProviderName::Paradime, &[]);
    std::fs::rename(env.path("file.yaml"), env.path("paradime.yaml")).unwrap();
    env.set("API_KEY", (rolecall_sandbox::definition(ProviderName::Paradime).own_credentials)()[0].1);
    env.set("API_SECRET", (rolecall_sandbox::definition(ProviderName::Paradime).own_credentials)()[1].1);
    let receiver = Receiver::answering(&[200]);
    let said = drift(&env, &receiver, &["."]);
    assert_eq!(said.code, 2, "{}", said.all());
    let both: Value = serde_json::from_str(&receiver.take()[0].body).unwrap();
    assert_eq!(both["organizations"].as_array().unwrap().len(), 2);
    drop(paradime);
    let said = drift(&env, &receiver, &["."]);
    assert_eq!(said.code, 6, "{}", said.all());
    assert!(receiver.take().is_empty(), "what can't be seen is no news");
    let _back = env.serve_example(ProviderName::Paradime, &[]);
    std::fs::rename(env.path("file.yaml"), env.path("paradime.yaml")).unwrap();
    let said = drift(&env, &receiver, &["."]);
    assert_eq!(said.code, 2, "{}", said.all());
    assert!(receiver.take().is_empty(), "it was reported before: {}", said.all());
}

// ---- what moved, and since when

/// Gives a member of the sandbox another role, as somebody would in the web app.
fn give(env: &Env, email: &str, role: &str) {
    let world = ".rolecall/sandbox/hive-acme.json";
    let mut live: Value = serde_json::from_str(&env.read(world)).unwrap();
    let roles = live["roles"].as_array().unwrap();
    let role = roles.iter().find(|known| known["name"] == role).unwrap()["id"].clone();
    let members = live["members"].as_array_mut().unwrap();
    members.iter_mut().find(|member| member["email"] == email).unwrap()["role_id"] = role;
    env.write(world, live.to_string());
}

/// Creates an organisation in sync, with a ledger, in which the file gives Sam a role.
fn in_sync() -> Env {
    let env = sandboxed();
    let head = example("hive.yaml").split("\nroles:").next().unwrap().to_owned();
    let users =
        "\nacknowledged: [user/jane@acme.example]\nusers: [{ email: sam@acme.example, roles: [Viewer] }]\n";
    env.write("hive.yaml", head + users);
    let applied = env.run(&[&["apply", "--auto-approve"], SANDBOX].concat());
    assert_eq!(applied.code, 0, "{}", applied.all());
    env
}

fn only(receiver: &Receiver) -> Value {
    let mut messages = receiver.take();
    assert_eq!(messages.len(), 1);
    serde_json::from_str(&messages.remove(0).body).unwrap()
}

#[test]
fn a_message_says_what_moved_that_rolecall_did_not_and_since_when() {
    let mut env = in_sync();
    for (name, value) in [
        ("GITHUB_SERVER_URL", "https://github.example"),
        ("GITHUB_REPOSITORY", "acme/access"),
        ("GITHUB_RUN_ID", "4711"),
        ("CI_JOB_URL", "https://elsewhere.example/1"),
    ] {
        env.set(name, value);
    }
    let receiver = Receiver::answering(&[200]);
    assert_eq!(drift(&env, &receiver, SANDBOX).code, 0);
    assert!(receiver.take().is_empty());
    give(&env, "sam@acme.example", "Admin");
    assert_eq!(drift(&env, &receiver, SANDBOX).code, 2);
    let message = only(&receiver);
    let moved = &message["organizations"][0]["changes"][0];
    assert_eq!((&moved["from"], &moved["to"], &moved["new"]), (&"Viewer".into(), &"Admin".into(), &true.into()));
    assert_eq!((&moved["why"], &moved["privileged"]), (&"Viewer → Admin".into(), &true.into()));
    // The earlier drift run is later than the run of the ledger.
    let time = |value: &Value| value.as_str().unwrap().parse::<Timestamp>().unwrap();
    assert!(time(&moved["since"]) > time(&moved["last_in_sync"]["at"]), "{moved}");
    assert!(time(&moved["first_seen"]) >= time(&moved["since"]), "{moved}");
    let text = message["text"].as_str().unwrap();
    let line = "\n  new: user/sam@acme.example: Viewer → Admin (privileged), not by rolecall, since the run of 20";
    assert!(text.contains(line), "{text}");
    assert!(text.ends_with("\nSee https://github.example/acme/access/actions/runs/4711\n"), "{text}");
    assert_eq!(message["link"], "https://github.example/acme/access/actions/runs/4711");
    // Later messages still know since when.
    give(&env, "ghost@acme.example", "Admin");
    assert_eq!(drift(&env, &receiver, &[SANDBOX, &["--link", "https://me:pw@ci.example/1|2"]].concat()).code, 2);
    let later = only(&receiver);
    let changes = later["organizations"][0]["changes"].as_array().unwrap();
    let sam = changes.iter().find(|moved| moved["address"] == "user/sam@acme.example").unwrap();
    assert_eq!((&sam["since"], &sam["first_seen"]), (&moved["since"], &moved["first_seen"]));
    assert_eq!((&sam["new"], changes.len()), (&false.into(), 2));
    assert_eq!(later["link"], "https://ci.example/1|2", "without the password");
}

/// Without a ledger, an apply of somebody else may have moved it. Since when is known from the file of the previous run.
#[test]
fn without_a_ledger_the_previous_run_says_since_when_but_not_who() {
    let env = in_sync();
    let receiver = Receiver::answering(&[200]);
    let args = [SANDBOX, &["--ledger", "none.jsonl"]].concat();
    drift(&env, &receiver, &args);
    give(&env, "sam@acme.example", "Admin");
    drift(&env, &receiver, &args);
    let text = only(&receiver)["text"].to_string();
    assert!(
        text.contains("Viewer → Admin (privileged), since the run of 20") && !text.contains("by rolecall"),
        "{text}"
    );
    // If the file asks for something else, it is the file that moved.
    env.write("hive.yaml", env.read("hive.yaml").replace("[Viewer]", "[Developer]"));
    drift(&env, &receiver, &args);
    let text = only(&receiver)["text"].to_string();
    assert!(text.contains("Developer → Admin") && !text.contains("since"), "{text}");
}

#[test]
fn a_job_that_falls_silent_and_its_return_are_one_message_each() {
    let env = in_sync();
    let receiver = Receiver::answering(&[200, 200]);
    let run = |more: &[&str]| drift(&env, &receiver, &[SANDBOX, &["--max-silence", "7d"], more].concat());
    let later = Timestamp::now().saturating_add(SignedDuration::from_hours(8 * 24)).unwrap().to_string();
    let silent = ["--now", &*later];
    assert_eq!(run(&[]).code, 0);
    assert!(receiver.take().is_empty(), "nothing differs, and nothing is silent");
    assert_eq!(run(&silent).code, 2);
    let message = only(&receiver);
    let organization = &message["organizations"][0];
    assert!(organization["activity"].as_str().unwrap().starts_with("Last good apply 8 days ago"), "{message}");
    assert_eq!((&organization["new"], &organization["gone"]), (&json!([]), &json!([])));
    let text = message["text"].as_str().unwrap();
    assert!(
        text.contains("\n  Last good apply 8 days ago") && text.contains("`--max-silence`: the apply."),
        "{text}"
    );
    let schema: Value = serde_json::from_str(&schema_text(SchemaName::Notice)).unwrap();
    assert!(jsonschema::is_valid(&schema, &message), "{message}");
    assert_eq!(run(&silent).code, 2);
    assert!(receiver.take().is_empty(), "it was reported before");
    assert_eq!(run(&["--notify-format", "slack"]).code, 0);
    let slack = only(&receiver).to_string();
    assert!(slack.contains("No job is silent any more"), "{slack}");
}

#[test]
fn a_previous_file_of_an_earlier_version_is_read() {
    let env = in_sync();
    let receiver = Receiver::answering(&[200]);
    give(&env, "sam@acme.example", "Admin");
    drift(&env, &receiver, SANDBOX);
    receiver.take();
    let mut told: Value = serde_json::from_str(&env.read("told.json")).unwrap();
    let organization = told["organizations"][0].as_object_mut().unwrap();
    assert!(organization.remove("last_read").is_some() && organization.remove("sightings").is_some());
    env.write("told.json", told.to_string());
    drift(&env, &receiver, SANDBOX);
    assert!(receiver.take().is_empty(), "it was reported before");
    assert!(env.read("told.json").contains("last_read"));
}

/// Returns the plan of a drift report with this number of organisations, each of which has many differences.
fn many(organizations: usize) -> Plan {
    let env = in_sync();
    give(&env, "sam@acme.example", "Admin");
    let said = env.run(&[&["drift", "--format", "json"], SANDBOX].concat());
    let mut plan: Plan = serde_json::from_str(&said.stdout.replace("$TODAY", "2026-11-28")).unwrap();
    let mut one = plan.organizations.remove(0);
    let change = one.sealed.changes.remove(0);
    for number in 0..300 {
        let mut change = change.clone();
        change.address.name =
            format!("<!channel> & @here *{number}* <https://evil.example|{}>", "x&".repeat(150)).into();
        one.sealed.changes.push(change);
    }
    let last = one.sealed.changes[299].address.clone();
    one.privileged = std::iter::once((last, Privilege::Gains)).collect();
    for number in 0..organizations {
        let mut other = one.clone();
        other.sealed.identity.organization = RemoteId::seen(format!("<@U{number}>{}", "<".repeat(2000)));
        plan.organizations.push(other);
    }
    plan
}

/// Slack refuses a message that breaks one of its limits, and shows what is markup.
#[test]
fn a_message_for_slack_keeps_to_its_limits_and_shows_names_as_they_are() {
    let plan = many(60);
    let (delta, _) = drift_delta(&plan, None, Timestamp::UNIX_EPOCH, |_| None);
    let link = "https://ci.example/a|b?c=1&d=2";
    let body: Value = serde_json::from_str(&notice(&plan, &delta, Some(link), NoticeFormat::Slack)).unwrap();
    let blocks = body["blocks"].as_array().unwrap();
    assert_eq!(blocks.len(), 50);
    let mut texts: Vec<(&Value, usize)> = Vec::new();
    for block in blocks {
        let fields = block["fields"].as_array().into_iter().flatten();
        let elements = block["elements"].as_array().into_iter().flatten();
        assert!(block["fields"].as_array().is_none_or(|fields| fields.len() <= 10));
        let longest = if block["type"] == "header" { 150 } else { 3000 };
        texts.extend(block["text"].is_object().then_some((&block["text"], longest)));
        texts.extend(fields.chain(elements).map(|text| (text, 2000)));
    }
    let mut links = 0;
    for (text, longest) in texts {
        let words = text["text"].as_str().unwrap();
        assert!(!words.is_empty() && words.encode_utf16().count() <= longest, "{words}");
        if text["type"] == "mrkdwn" {
            assert_eq!(words, "<https://ci.example/a%7Cb?c=1&amp;d=2|Open the run>");
            links += 1;
            continue;
        }
        assert_eq!((&text["type"], &text["emoji"]), (&"plain_text".into(), &false.into()));
        assert!(!words.contains(['<', '>']), "{words}");
        for part in words.split('&').skip(1) {
            assert!(["amp;", "lt;", "gt;"].iter().any(|escape| part.starts_with(escape)), "{words}");
        }
    }
    assert_eq!(links, 1);
    let section = blocks[1]["text"]["text"].as_str().unwrap();
    let first = section.lines().nth(1).unwrap();
    assert!(first.contains("*299*"), "the privileged one comes first: {first}");
    assert!(section.lines().last().unwrap().ends_with(" more that are new"), "{section}");
    assert_eq!(blocks[48]["text"]["text"], "13 organisations more with drift that has changed");
    assert_eq!(
        (&body["mrkdwn"], &body["link_names"], &body["parse"]),
        (&false.into(), &false.into(), &"none".into())
    );
}

#[test]
fn a_message_for_slack_has_no_markup_and_mentions_nobody() {
    let env = sandboxed();
    let hostile = "<!channel> & <https://evil.example|click>";
    let file = example("hive.yaml").replace("- name: Schema reviewer", &format!("- name: \"{hostile}\""));
    env.write("hive.yaml", file.replace("roles: [Schema reviewer]", &format!("roles: [\"{hostile}\"]")));
    let receiver = Receiver::answering(&[200]);
    let said = drift(&env, &receiver, &[SANDBOX, &["--notify-format", "slack"]].concat());
    assert_eq!(said.code, 2, "{}", said.all());
    let message: Value = serde_json::from_str(&receiver.take()[0].body).unwrap();
    let text = message["text"].as_str().unwrap();
    assert!(text.contains("&lt;!channel&gt; &amp; &lt;https"), "{text}");
    assert!(!text.contains(['<', '>']), "{text}");
    assert_eq!(message["mrkdwn"], false);
}

#[test]
fn usage_that_cant_work_is_refused_before_anything_is_read() {
    let env = sandboxed();
    let cases: &[(&[&str], &str)] = &[
        (
            &["--notify", "http://hooks.example/x", "--previous", "p.json"],
            "would send names and addresses unencrypted",
        ),
        (&["--notify", "hooks.example", "--previous", "p.json"], "it is not a URL"),
        (&["--notify", "ftp://hooks.example/x", "--previous", "p.json"], "ftp"),
        (&["--notify", "https://hooks.example/x"], "--previous"),
        (&["--previous", "p.json"], "--notify"),
        (&["--link", "https://ci.example/1"], "--notify"),
        (
            &["--notify", "https://hooks.example/x", "--previous", "p.json", "--link", "javascript:alert(1)"],
            "is not the URL of a page",
        ),
        (&["--notify", "https://hooks.example/x", "--previous", "hive.yaml"], "is neither a drift report"),
    ];
    for (args, expected) in cases {
        let said = env.run(&[&["drift", "--sandbox", "hive.yaml"], *args].concat());
        assert_eq!(said.code, 1, "{}", said.all());
        assert!(said.stderr.contains(expected) && said.stdout.is_empty(), "{}", said.all());
    }
}

/// The words of an error may be the receiver's own, and the receiver knows the secret path.
#[test]
fn a_receiver_that_breaks_the_connection_is_told_by_the_kind_of_the_error() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}{SECRET_PATH}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(format!("HTTP/1.1 {SECRET_PATH}\r\n\r\n").as_bytes());
        }
    });
    let env = sandboxed();
    let said = env.run(&["drift", "--notify", &url, "--previous", "told.json", "--sandbox", "hive.yaml"]);
    assert_eq!(said.code, 1, "{}", said.all());
    assert!(said.stderr.contains("drift: the connection failed before an answer came."), "{}", said.all());
    assert!(!said.all().contains("secret-of-the-webhook"), "{}", said.all());
}

// ---- the link

/// Returns the page of a job with these variables.
fn found(variables: &[(&str, &str)]) -> Option<String> {
    ci_page(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
}

#[test]
fn each_ci_system_says_where_its_job_is() {
    for (variables, expected) in [
        (
            &[
                ("GITHUB_SERVER_URL", "https://github.com"),
                ("GITHUB_REPOSITORY", "acme/access"),
                ("GITHUB_RUN_ID", "1"),
            ][..],
            "https://github.com/acme/access/actions/runs/1",
        ),
        (
            &[("CI_PIPELINE_URL", "https://gitlab.example/p/1"), ("CI_JOB_URL", "https://gitlab.example/j/2")],
            "https://gitlab.example/j/2",
        ),
        (&[("BUILD_URL", "http://jenkins.example/job/x/1/")], "http://jenkins.example/job/x/1/"),
        (&[("BUILDKITE_BUILD_URL", "https://buildkite.example/1")], "https://buildkite.example/1"),
        (&[("CIRCLE_BUILD_URL", "https://circleci.example/1")], "https://circleci.example/1"),
        (
            &[
                ("SYSTEM_TEAMFOUNDATIONCOLLECTIONURI", "https://dev.azure.com/acme/"),
                ("SYSTEM_TEAMPROJECT", "Our access"),
                ("BUILD_BUILDID", "1"),
            ],
            "https://dev.azure.com/acme/Our%20access/_build/results?buildId=1",
        ),
    ] {
        assert_eq!(found(variables).as_deref(), Some(expected));
    }
    assert_eq!(found(&[("GITHUB_REPOSITORY", "acme/access"), ("BUILD_URL", "no URL")]), None);
}

#[test]
fn a_page_is_a_web_address_without_a_password() {
    assert_eq!(page("https://me:secret@ci.example/<1>").as_deref(), Some("https://ci.example/%3C1%3E"));
    for text in ["", "ci.example/1", "javascript:alert(1)", "file:///etc/passwd", "https://"] {
        assert_eq!(page(text), None, "{text}");
    }
}
