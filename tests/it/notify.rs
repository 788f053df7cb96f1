//! A message is sent when drift changes, and none when it doesn't.

use crate::support::cli::{Env, Said, example, served};
use crate::support::receiver::Receiver;
use rolecall::cli::{SchemaName, schema_text};
use rolecall_model::ProviderName;
use serde_json::Value;

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
    set("count-off-by=1");
    let said = drift(&env, &receiver, sandbox);
    assert!(said.stdout.contains("INCOMPLETE"), "{}", said.all());
    assert!(receiver.take().is_empty());
    set("count-off-by=0");
    let said = drift(&env, &receiver, sandbox);
    assert!(!said.stdout.contains("INCOMPLETE"), "{}", said.all());
    assert!(receiver.take().is_empty(), "{}", said.all());
}

#[test]
fn without_a_writable_file_nothing_is_sent_and_a_failed_report_does_not_stop_the_message() {
    let env = sandboxed();
    let receiver = Receiver::answering(&[200]);
    let said =
        env.run(&["drift", "--sandbox", "hive.yaml", "--notify", &receiver.url, "--previous", "no/told.json"]);
    assert_eq!(said.code, 1, "{}", said.all());
    assert!(receiver.take().is_empty(), "or it would be reported again and again");
    env.write("folder/x", "");
    let said = drift(&env, &receiver, &[SANDBOX, &["--metrics-file", "folder"]].concat());
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
        (&["--notify", "https://hooks.example/x", "--previous", "hive.yaml"], "is not a plan"),
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
