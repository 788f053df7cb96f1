//! Fleets: the matrix at GitHub and the parallel jobs at GitLab in `examples/fleet`, with two shards, and the job that joins
//! their reports.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rolecall_model::ProviderName;
use serde_json::{Value, json};

use crate::pipelines::team::Team as LabTeam;
use crate::runner::ended::{Ended, Run};
use crate::runner::repository::Repository;
use crate::runner::workflow::{Event, run};
use crate::support::cli::{ALLOWED_HOSTS, Env, Server, example};
use crate::workflows::team::Team as HubTeam;

const FLEET: &str = "rolecall-fleet.yml";

/// Serves two more platforms, and writes their files into the clone. Returns the variables with all credentials.
fn grow(env: &mut Env) -> (Vec<Server>, BTreeMap<String, String>) {
    let mut credentials = BTreeMap::new();
    let mut servers = Vec::new();
    for provider in [ProviderName::Bitpanda, ProviderName::Rapidapi] {
        servers.push(env.serve_example(provider, &[]));
        let own = env.credentials(provider).into_iter();
        credentials.extend(own.map(|(name, secret)| (name, secret.to_owned())));
        env.write(&format!("clone/access/{provider}.yaml"), env.read("file.yaml"));
    }
    (servers, credentials)
}

fn push(team: &impl Repository) {
    team.commit(&team.file());
    team.git(&["push", "--quiet", "origin", "HEAD:main"]);
}

/// Checks that the reports of the shards name each organisation once, and that the joined report names all of them.
fn joined(shards: &[PathBuf], report: &str, unread: usize) {
    let reports = shards.iter().map(|file| std::fs::read_to_string(file).unwrap());
    let reports: Vec<Value> = reports.map(|text| serde_json::from_str(&text).unwrap()).collect();
    let ids = |report: &Value, list: &str, id: &str| -> Vec<String> {
        let all = report[list].as_array().into_iter().flatten();
        all.map(|it| it.pointer(id).unwrap_or_else(|| panic!("{it}")).to_string()).collect()
    };
    let mut planned: Vec<String> = Vec::new();
    for report in &reports {
        let of_shard = ids(report, "organizations", "/sealed/identity/organization");
        let not_read = ids(report, "unread", "/organization");
        assert!((1..=2).contains(&(of_shard.len() + not_read.len())), "{report}");
        planned.extend(of_shard);
    }
    assert_eq!(planned.len(), 3 - unread, "{planned:?}");
    planned.sort();
    planned.dedup();
    assert_eq!(planned.len(), 3 - unread, "each is there once");
    for organization in planned {
        assert!(report.contains(organization.trim_matches('"')), "{organization}\n{report}");
    }
}

#[test]
fn a_matrix_compares_each_organisation_once_and_one_job_tells() {
    let mut team = HubTeam::hive();
    let (_servers, credentials) = grow(&mut team.env);
    team.settings.secrets.get_mut("rolecall-drift").unwrap().extend(credentials);
    let text = example(&format!("fleet/github/{FLEET}"));
    let two = text.replace("shard: [1, 2, 3, 4]", "shard: [1, 2]").replace("SHARDS: '4'", "SHARDS: '2'");
    let two = two.replace("ALLOWED_HOSTS: ''", &format!("ALLOWED_HOSTS: {ALLOWED_HOSTS}"));
    team.write_workflow(FLEET, &two);
    // No shard goes by a ledger that main has among its files.
    team.env.write("clone/.rolecall/ledger/hive-acme.jsonl", "no ledger\n");
    push(&team);
    let compare = |team: &HubTeam| -> (Run, Vec<PathBuf>, String) {
        let event = Event { name: "workflow_dispatch", payload: json!({}), sha: &team.main() };
        let run = team.seen(run(&team.hub, &team.settings, FLEET, &event));
        let state = team.hub.state();
        let id = state.runs.last().unwrap()["id"].as_u64();
        let folder = |name: &str| {
            let of_run = |it: &&crate::runner::github::Artifact| Some(it.run) == id && it.name == name;
            state.artifacts.iter().find(of_run).unwrap().folder.clone()
        };
        let shards = [1, 2].map(|it| folder(&format!("rolecall-fleet-{it}")).join(format!("drift-{it}.json")));
        let report = std::fs::read_to_string(folder("rolecall-fleet").join("drift.md")).unwrap();
        (run, shards.into(), report)
    };
    let (run, shards, report) = compare(&team);
    run.has(&["drift", "merge"]);
    run.is("drift", Ended::Success);
    // The exit code of one run over all: there is drift.
    run.is("merge", Ended::Failure);
    joined(&shards, &report, 0);
    assert!(run.log.contains(&report), "the summary has it");

    // What one shard can't read takes nothing from the others.
    let secrets = team.settings.secrets.get_mut("rolecall-drift").unwrap();
    secrets.insert("BITPANDA_API_KEY".to_owned(), "a-key-of-somebody-else".to_owned());
    let (run, shards, report) = compare(&team);
    run.is("drift", Ended::Failure);
    run.is("merge", Ended::Failure);
    joined(&shards, &report, 1);
}

#[test]
fn parallel_jobs_compare_each_organisation_once_and_one_job_tells() {
    let mut team = LabTeam::hive();
    let (_servers, credentials) = grow(&mut team.env);
    team.settings.scoped.get_mut("rolecall/drift").unwrap().extend(credentials);
    team.settings.inputs.insert("allowed-hosts".to_owned(), json!(ALLOWED_HOSTS));
    let text = example("fleet/gitlab/fleet.gitlab-ci.yml");
    team.settings.local = Some(text.replace("parallel: 4", "parallel: 2"));
    push(&team);
    let run = team.drift();
    run.has(&["fleet 1/2", "fleet 2/2", "merge"]);
    for shard in ["fleet 1/2", "fleet 2/2"] {
        run.is(shard, Ended::Success);
    }
    run.is("merge", Ended::Failure);
    let state = team.lab.state();
    let of = |name: &str| {
        let id = state.jobs.iter().find(|job| job["name"] == name).unwrap()["id"].as_u64().unwrap();
        state.artifacts[&id].clone()
    };
    let shards = [1, 2].map(|it| of(&format!("fleet {it}/2")).join(format!("shards/drift-{it}.json")));
    joined(&shards, &std::fs::read_to_string(of("merge").join("drift/drift.md")).unwrap(), 0);
}
