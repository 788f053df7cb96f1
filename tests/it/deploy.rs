//! What `deploy` and `examples/fleet` have: pods without privileges, command lines that rolecall takes, and metrics that it
//! writes. `.ci/kubernetes` checks the manifests against the schemas of Kubernetes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Parser as _;
use rolecall::cli::Cli;
use serde_json::{Value, json};

use crate::support::cli::Env;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Collects every object of a document, also those in the patches that it has as text.
fn objects(value: &Value, found: &mut Vec<Value>) {
    match value {
        Value::Object(fields) => {
            found.push(value.clone());
            fields.values().for_each(|value| objects(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| objects(value, found)),
        Value::String(text) if text.starts_with("- op: ") => {
            objects(&serde_yaml::from_str(text).unwrap(), found);
        }
        _ => {}
    }
}

fn manifests() -> Vec<Value> {
    let mut found = Vec::new();
    for file in files(&root().join("deploy/kubernetes")) {
        if file.extension().is_some_and(|extension| extension == "yaml") {
            let text = std::fs::read_to_string(&file).unwrap();
            objects(&serde_yaml::from_str(&text).unwrap(), &mut found);
        }
    }
    found
}

fn accepts(words: &[&str]) {
    let parsed = Cli::try_parse_from(words);
    assert!(parsed.is_ok(), "{words:?}: {}", parsed.unwrap_err());
}

#[test]
fn containers_are_restricted_and_call_rolecall_as_it_is() {
    let all = manifests();
    let containers: Vec<&Value> = all.iter().filter(|object| object.get("image").is_some()).collect();
    assert_eq!(containers.len(), 5, "drift with its files, merge, git-sync, and the sidecar of metrics");
    let restricted = json!({
        "allowPrivilegeEscalation": false,
        "readOnlyRootFilesystem": true,
        "capabilities": { "drop": ["ALL"] },
    });
    for container in &containers {
        assert_eq!(container["securityContext"], restricted, "{container}");
        assert!(container.pointer("/resources/limits/memory").is_some(), "{container}");
    }
    let pods: Vec<&Value> = all.iter().filter(|object| object.get("containers").is_some()).collect();
    assert_eq!(pods.len(), 2);
    for pod in pods {
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true, "{pod}");
        assert_eq!(pod["automountServiceAccountToken"], false, "{pod}");
    }
    let is_rolecall = |image: &Value| image.as_str().is_some_and(|image| image.ends_with("/rolecall"));
    let own = containers.iter().filter(|container| is_rolecall(&container["image"])).map(|it| &it["args"]);
    let patched = all.iter().filter(|step| step["path"].as_str().is_some_and(|path| path.ends_with("/args")));
    let lines: Vec<&Value> = own.chain(patched.map(|step| &step["value"])).collect();
    assert_eq!(lines.len(), 3);
    for line in lines {
        let words = line.as_array().unwrap().iter().map(|word| word.as_str().unwrap());
        accepts(&std::iter::once("rolecall").chain(words).collect::<Vec<_>>());
    }
}

#[test]
fn pipelines_of_fleets_call_rolecall_as_it_is() {
    let mut lines = 0;
    for file in files(&root().join("examples/fleet")) {
        let text = std::fs::read_to_string(file).unwrap().replace("\"$SHARD/$SHARDS\"", "2/4");
        let text =
            text.replace("${LEDGER:+--ledger \"$LEDGER\"}", "--ledger https://ledgers.acme.example/rolecall");
        let text = text.replace('"', "").replace(" \\\n", "");
        for line in text
            .lines()
            .filter_map(|line| Some(&line[line.find("rolecall drift ").or(line.find("rolecall merge "))?..]))
        {
            let line = line.split([')', '|']).next().unwrap();
            accepts(&line.split_whitespace().collect::<Vec<_>>());
            lines += 1;
        }
    }
    assert_eq!(lines, 4);
}

/// Returns the words of a text that name a metric of rolecall.
fn named(text: &str) -> BTreeSet<&str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with("rolecall_"))
        .collect()
}

#[test]
fn rules_and_the_dashboard_name_metrics_that_rolecall_writes() {
    let env = Env::new();
    env.write("hive.yaml", crate::support::cli::example("hive.yaml"));
    for verb in ["drift", "keys"] {
        env.run(&[verb, "hive.yaml", "--sandbox", "--metrics-file", &format!("{verb}.prom")]);
    }
    let (drift, keys) = (env.read("drift.prom"), env.read("keys.prom"));
    let (drift, keys) = (named(&drift), named(&keys));
    let folder = root().join("deploy/kubernetes/components/monitoring");
    let [rules, dashboard] =
        ["rules.yaml", "dashboard.json"].map(|name| std::fs::read_to_string(folder.join(name)).unwrap());
    let used: BTreeSet<&str> = named(&rules).union(&named(&dashboard)).copied().collect();
    let unknown: Vec<&&str> =
        used.iter().filter(|name| !drift.contains(**name) && !keys.contains(**name)).collect();
    assert!(unknown.is_empty(), "rolecall writes none of {unknown:?}");
    assert_eq!(drift.difference(&used).count(), 0, "what drift writes is shown");
    let rules: Value = serde_yaml::from_str(&rules).unwrap();
    let rules = rules["spec"]["groups"][0]["rules"].as_array().unwrap();
    for rule in rules {
        for field in ["/alert", "/expr", "/labels/severity", "/annotations/summary", "/annotations/description"] {
            assert!(rule.pointer(field).is_some_and(Value::is_string), "{field} of {rule}");
        }
    }
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    assert_eq!((dashboard["panels"].as_array().unwrap().len(), rules.len()), (10, 6));
}
