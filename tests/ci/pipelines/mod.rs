//! Tests of the pipelines in `examples/ci/gitlab`, with their original scripts, against the sandbox and a
//! throwaway repository.

mod by_hand;
mod drift;
mod merges;
mod requests;
pub mod team;

use crate::runner::pipeline::{Settings, config, jobs};
use crate::support::cli::example;
use rolecall_model::ProviderName;
use serde_json::json;

#[test]
fn no_example_names_a_variable_that_a_job_has_for_itself() {
    for name in ProviderName::ALL {
        let file = example(&format!("{name}.yaml"));
        let lines: Vec<&str> = file.lines().filter(|line| line.contains("{ env: ")).collect();
        assert!(!lines.is_empty(), "{name}");
        for line in lines {
            let variable = line.split("{ env: ").nth(1).unwrap();
            assert!(!variable.starts_with("CI_") && !variable.starts_with("ROLECALL_"), "{variable}");
        }
    }
}

#[test]
fn every_job_says_where_and_how_long_and_only_environments_have_secrets() {
    let mut count = 0;
    let config = config(&Settings::default());
    for (name, job) in jobs(&config) {
        let image = job["image"].as_str().unwrap();
        assert!(image.contains("@sha256:"), "{name}: {image}");
        assert!(job["timeout"].is_string(), "{name}");
        let interruptible = job["interruptible"] == true;
        assert!(!interruptible || job["environment"]["name"] != "rolecall/apply", "{name}");
        count += 1;
    }
    assert_eq!(count, 13);
    assert_eq!(config["workflow"]["auto_cancel"], json!({ "on_new_commit": "interruptible" }));
    for name in ["apply", "apply:main", "leftovers", "ledger"] {
        assert_eq!(jobs(&config)[name]["resource_group"], "rolecall", "{name} writes the ledger");
    }
}
