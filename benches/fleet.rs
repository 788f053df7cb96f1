//! What a fleet costs: requests, time and peak memory of a drift run over many organisations, on one machine beside several
//! shards. Each machine is a process of its own, and they run one after the other, so none slows another down.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark talks, and fails by panicking")]

mod common;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use common::{Cost, Rendered, custody, custody_yaml, measured, roles};
use rolecall_sandbox::bitpanda::Bitpanda;
use rolecall_sandbox::{Headers, Sandbox, Store, system_clock};

const PEOPLE: usize = 200;
const SIZES: &[usize] = &[100, 1_000];
const SHARDS: usize = 4;
/// The time that each request takes, as over the internet.
const LATENCY: Duration = Duration::from_millis(20);

fn secret(organization: usize) -> String {
    format!("secret-{organization:04}")
}

/// Returns the organisation that a key belongs to.
fn organization(key: &str) -> String {
    key.replace("secret", "organisation")
}

/// Writes the file of each organisation, as it is live.
fn write_files(folder: &Path, organizations: usize, url: &str) {
    std::fs::create_dir_all(folder).unwrap();
    for number in 0..organizations {
        let name = organization(&secret(number));
        let text = custody_yaml(&name, url, &format!("KEY_{number:04}"), PEOPLE);
        std::fs::write(folder.join(format!("{name}.yaml")), text).unwrap();
    }
}

/// Gives an answer to another organisation. They are alike, so one world answers for all but for the name.
fn renamed(headers: &Headers, body: Vec<u8>) -> Vec<u8> {
    let key = headers.get("x-api-key").unwrap();
    let text = String::from_utf8(body).unwrap();
    text.replace(&organization(&secret(0)), &organization(key)).into_bytes()
}

/// Returns what a drift run costs.
fn drift(folder: &Path, organizations: usize, options: &[String]) -> Cost {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rolecall"));
    command.current_dir(folder).args(["drift", "access", "--report", "json=drift.json"]).args(options);
    command.env_clear().env("HOME", folder).env("ROLECALL_ALLOWED_HOSTS", "127.0.0.1");
    command.envs((0..organizations).map(|number| (format!("KEY_{number:04}"), secret(number))));
    let (cost, code) = measured(&mut command);
    assert_eq!(code, Some(0), "in sync");
    cost
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for &organizations in SIZES {
        let folder = tempfile::tempdir().unwrap();
        let world = custody(&organization(&secret(0)), &secret(0), PEOPLE, roles);
        let sandbox = Sandbox::new(Bitpanda::new(world, system_clock()), Store::Memory);
        let fleet = Rendered::new(sandbox, Headers::new([("x-api-key", secret(0))]), renamed, LATENCY);
        let url = runtime.block_on(fleet.serve());
        write_files(&folder.path().join("access"), organizations, &url);
        let run = |name: &str, options: &[String]| {
            let before = fleet.requests();
            let Cost { wall, cpu, peak } = drift(folder.path(), organizations, options);
            let sent = fleet.requests() - before;
            println!(
                "{organizations} organisations, {name}: {sent} requests, {wall:.1?}, CPU {cpu:.1?}, {peak} MiB"
            );
        };
        for at_once in [1, 4, 16] {
            let options = ["--organizations-at-once".to_owned(), at_once.to_string()];
            run(&format!("one machine, {at_once} at once"), &options);
        }
        for number in 1..=SHARDS {
            run(&format!("shard {number}"), &["--shard".to_owned(), format!("{number}/{SHARDS}")]);
        }
    }
}
