//! Many organisations: shards, and several organisations at once.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::path::Path;

use jiff::Timestamp;
use rolecall_config::{Answers, load, load_heads};
use rolecall_engine::in_lanes;
use serde_json::{Value, json};

use crate::support::cli::{Env, Said};

/// Writes the files of three organisations on three platforms.
fn fleet() -> Env {
    let env = Env::new();
    for name in ["bitpanda.yaml", "hive.yaml", "paradime.yaml"] {
        env.write(&format!("access/{name}"), crate::support::cli::example(name));
    }
    env
}

fn failed(said: &Said, message: &str) {
    assert_eq!(said.code, 1, "{}", said.all());
    assert!(said.stderr.contains(message), "{message}\n{}", said.all());
    assert!(said.stderr.contains("hint: ") || said.stderr.contains("For more information"), "{}", said.all());
}

fn json_of(env: &Env, file: &str) -> Value {
    serde_json::from_str(&env.read(file)).unwrap()
}

#[test]
fn the_plans_and_applies_of_shards_are_those_of_one_run() {
    let env = fleet();
    let plan = ["plan", "access", "--sandbox", "--detailed-exitcode"];
    let with = |more: &[&str]| env.run(&[&plan[..], more].concat());
    let whole = with(&["--format", "json"]);
    assert_eq!(whole.code, 2, "{}", whole.all());
    let one = with(&["--shard", "1/2", "--report", "json=1.json", "--report", "html=1.html"]);
    let told = "This is shard 1 of 2, with 2 of 3 organisations.";
    assert!(
        one.stderr.contains(told) && one.stdout.starts_with("These are the organisations of shard 1 of 2 only.\n")
    );
    assert!(env.read("1.html").contains("These are the organisations of shard 1 of 2 only."));
    let two = with(&["--shard", "2/2", "--out", "2.json"]);
    assert!(two.stderr.contains("`rolecall apply --sandbox --shard 2/2 --plan 2.json access`"), "{}", two.all());
    let merge = ["merge", "2.json", "1.json"];
    let merged = env.run(&[&merge[..], &["--format", "json", "--report", "markdown=plan.md"]].concat());
    assert_eq!((merged.code, &merged.stdout), (2, &whole.stdout), "{}", merged.all());
    env.write("plan.json", &merged.stdout);

    let apply = |shard: &str, plan: &str, more: &[&str]| {
        env.run(&[&["apply", "access", "--sandbox", "--shard", shard, "--plan", plan], more].concat())
    };
    failed(&apply("1/2", "2.json", &[]), "The plan is of shard 2 of 2, and this run is shard 1 of 2.");
    // Each shard sends its part of the plan that was reviewed as a whole.
    let first = apply("1/2", "plan.json", &["--report", "json=applied-1.json"]);
    let second = apply("2/2", "2.json", &["--report", "json=applied-2.json"]);
    assert_eq!((first.code, second.code), (0, 0), "{}{}", first.all(), second.all());
    let report = "json=applied.json";
    let applied = env.run(&["merge", "applied-1.json", "applied-2.json", "--report", report]);
    assert!(applied.code == 0 && applied.stdout.contains("acme0analytics00"), "{}", applied.all());
    let endings = |file: &str| -> Vec<Value> { json_of(&env, file)["organizations"].as_array().unwrap().clone() };
    assert_eq!(endings("applied.json").len(), 3);
    for one in endings("applied-1.json").iter().chain(&endings("applied-2.json")) {
        assert!(endings("applied.json").contains(one), "{one}");
    }
    assert_eq!(with(&[]).code, 0);

    // An apply of shards and a plan of shards have nothing in common.
    failed(
        &env.run(&["merge", "1.json", "applied-2.json"]),
        "1.json has the report of `plan`, and applied-2.json that of `apply`",
    );
    failed(&env.run(&["merge", "1.json"]), "Of 2 shards, the report of shard 2 is missing.");
    failed(&env.run(&["merge", "1.json", "2.json", "1.json"]), "Both 1.json and 1.json are of shard 1 of 2.");
    failed(&env.run(&["merge", "1.json", "plan.json"]), "plan.json isn't the report of a shard");
    failed(&env.run(&["merge", "access/hive.yaml"]), "access/hive.yaml is not a report of plan, drift or apply");
    failed(&env.run(&["merge", "1.json", "2.json", "--report", "json=1.json"]), "would be overwritten");
    let edits: [(&str, Value, &str); 8] = [
        ("/shard/of", json!(3), "1.json is of shard 1 of 2, and edited.json of shard 2 of 3."),
        ("/shard/fleet", json!("sha256:00"), "1.json and edited.json divide different organisations"),
        ("/shard/files", json!("sha256:00"), "The shards of 1.json and edited.json read different files."),
        ("/organizations", json!([]), "There are 3, and the reports have 2 (1.json: 2, edited.json: 0)."),
        ("/generator", json!("rolecall/9.9.9"), "edited.json by rolecall/9.9.9"),
        ("/format_version", json!("3.0"), "plan format `3.0`"),
        ("/organizations", json_of(&env, "1.json")["organizations"].clone(), "Both 1.json and edited.json have "),
        ("/shard/exit", json!(77), "exit code 77"),
    ];
    for (place, value, message) in edits {
        let mut edited = json_of(&env, "2.json");
        *edited.pointer_mut(place).unwrap() = value;
        env.write("edited.json", edited.to_string());
        failed(&env.run(&["merge", "1.json", "edited.json"]), message);
    }
    env.write("edited.json", r#"{ "format_version": "1.0", "findings": [] }"#);
    failed(&env.run(&["merge", "edited.json"]), "edited.json has findings, so its shard had no plan");
}

#[test]
fn shards_of_different_files_or_targets_are_not_merged() {
    let env = fleet();
    let plan = |shard: &str, more: &[&str]| {
        let report = format!("json={shard}.json");
        let shard = format!("{shard}/2");
        env.run(&[&["plan", "access", "--sandbox", "--shard", &shard, "--report", &report], more].concat())
    };
    let merge = || env.run(&["merge", "1.json", "2.json", "--format", "json"]);
    // With a target, the reports have only its organisation. All shards need the same target.
    let target = ["--target", "hive:acme//user/*"];
    assert_eq!((plan("1", &target).code, plan("2", &target).code), (0, 0));
    let merged = merge();
    let joined: Value = serde_json::from_str(&merged.stdout).unwrap();
    assert_eq!(joined["organizations"].as_array().unwrap().len(), 1, "{}", merged.all());
    assert_eq!(plan("2", &[]).code, 0);
    failed(&merge(), "divide different organisations, 1 and 3 of them");
    // The organisations are the same, and one of them has another text.
    assert_eq!(plan("1", &[]).code, 0);
    assert_eq!(merge().code, 0);
    env.write("access/hive.yaml", format!("{}# changed\n", env.read("access/hive.yaml")));
    assert_eq!(plan("1", &[]).code, 0);
    failed(&merge(), "The shards of 1.json and 2.json read different files.");
}

#[test]
fn a_shard_comes_from_the_option_or_the_environment_and_never_from_both() {
    let run = |shard: &str, variables: &[(&str, &str)]| {
        let mut env = fleet();
        for (name, value) in variables {
            env.set(name, value);
        }
        let shard: &[&str] = if shard.is_empty() { &[] } else { &["--shard", shard] };
        // No platform is reached: what is asked for is told before.
        env.run(&[&["doctor", "access", "--sandbox", "--timeout", "1"], shard].concat())
    };
    let told = |shard: &str, variables: &[(&str, &str)], told: &str| {
        let said = run(shard, variables);
        assert!(said.stderr.starts_with(told), "{}", said.all());
        said
    };
    let (node, total, completion) = ("CI_NODE_INDEX", "CI_NODE_TOTAL", "JOB_COMPLETION_INDEX");
    // What is written wins over the environment.
    let last = told("4/4", &[(node, "1"), (total, "2")], "This is shard 4 of 4, with 0 of 3 organisations.");
    assert!(last.stdout.starts_with("These are the organisations of shard 4 of 4 only."), "{}", last.all());
    told("auto", &[(node, "2"), (total, "3")], "This is shard 2 of 3, with 1 of 3 organisations.");
    told("auto/3", &[(completion, "2")], "This is shard 3 of 3, with 1 of 3 organisations.");
    // Without the option, each of the jobs would do everything. That is said.
    told(
        "",
        &[(node, "2"), (total, "3")],
        "This job is one of 3 (CI_NODE_TOTAL), and handles all 3 organisations.",
    );
    for (shard, variables, message) in [
        ("5/4", &[][..], "there is no shard 5 of 4, because the last one is 4"),
        ("0/4", &[], "the first shard is 1"),
        ("1/0", &[], "there is at least one shard"),
        ("auto/0", &[], "there is at least one shard"),
        ("1/2000", &[], "there are at most 1000 shards"),
        ("two", &[], "write I/N, such as 2/4"),
        ("auto", &[], "neither CI_NODE_INDEX nor JOB_COMPLETION_INDEX is set"),
        ("auto", &[(completion, "2")], "CI_NODE_TOTAL isn't set, so the number of shards is unknown"),
        ("auto/3", &[(completion, "3")], "there is no shard 4 of 3"),
        ("auto/3", &[(node, "one")], "CI_NODE_INDEX is not a number"),
        ("auto/3", &[(node, "1"), (total, "4")], "the option says 3 shards, and CI_NODE_TOTAL says 4"),
        ("auto/3", &[(node, "1"), (completion, "1")], "both CI_NODE_INDEX and JOB_COMPLETION_INDEX are set"),
    ] {
        failed(&run(shard, variables), message);
    }
}

/// Whichever organisation is read first, all that is said has the order of the files.
#[test]
fn organizations_are_reported_in_one_order() {
    let env = fleet();
    let with = |number: &str| env.run(&["access", "access", "--sandbox", "--organizations-at-once", number]).all();
    assert_eq!(with("1"), with("8"));
}

#[test]
fn lanes_are_worked_on_beside_each_other_and_never_twice_at_once() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    // The lanes, and the seconds that each item takes.
    let items: Vec<(char, u64)> = vec![('a', 9), ('b', 1), ('a', 1), ('c', 2), ('c', 1), ('d', 3), ('e', 1)];
    let (busy, most, order) = (RefCell::new(BTreeSet::new()), Cell::new(0), RefCell::new(Vec::new()));
    let started = |lane: char| {
        let mut busy = busy.borrow_mut();
        assert!(busy.insert(lane), "{lane} is worked on twice at once");
        most.set(busy.len().max(most.get()));
    };
    let work = async |(lane, seconds): &(char, u64)| {
        started(*lane);
        tokio::time::sleep(std::time::Duration::from_secs(*seconds)).await;
        busy.borrow_mut().remove(lane);
        (*lane, *seconds)
    };
    let done = |item: &mut (char, u64)| order.borrow_mut().push(*item);
    let begun = tokio::time::Instant::now;
    let (results, took) = runtime.block_on(async {
        let begun = begun();
        let results = in_lanes(&items, |(lane, _)| *lane, 3, work, done).await;
        (results, begun.elapsed().as_secs())
    });
    assert_eq!((&results, &*order.borrow()), (&items, &items));
    // The longest lane takes ten seconds, and everything else fits beside it.
    assert_eq!((most.get(), took), (3, 10));
}

/// Of many files only the heads are kept, and each is read again when its turn comes, with what it includes.
#[test]
fn a_file_whose_head_is_kept_is_read_again_as_it_was() {
    let env = Env::new();
    for path in ["bitpanda.yaml", "hive.yaml", "paradime.yaml", "rapidapi.yaml", "people.yaml"] {
        env.write(path, crate::support::cli::example(&format!("people/{path}")));
    }
    let teams = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/people/teams");
    for file in std::fs::read_dir(teams).unwrap().map(|entry| entry.unwrap().path()) {
        env.write(&format!("teams/{}", file.file_name().unwrap().display()), std::fs::read(file).unwrap());
    }
    let (answers, folder) = (Answers::default(), [env.path(".")]);
    let all = load(&folder, &answers, Timestamp::UNIX_EPOCH, rolecall_providers::format);
    let loaded = |whole| load_heads(&folder, &answers, Timestamp::UNIX_EPOCH, rolecall_providers::format, whole);
    assert!(loaded(4).0.files.iter().all(|file| file.hash.is_none()), "a few files are read once");
    let (heads, recheck) = loaded(0);
    assert_eq!((heads.findings.len(), heads.files.len()), (all.findings.len(), all.files.len()));
    assert_eq!(heads.digest(), all.digest());
    let mut read_again = 0;
    for (file, head) in all.files.iter().zip(&heads.files) {
        let (Some(desired), Some(kept)) = (&file.desired, &head.desired) else { panic!("{:?}", all.findings) };
        if head.hash.is_none() {
            // Accounts are compared between files, or the file has a finding.
            assert_eq!((kept.users.len(), &head.source.text), (desired.users.len(), &file.source.text));
            continue;
        }
        assert!(kept.users.is_empty() && head.source.text.is_empty(), "{:?}", head.path);
        assert_eq!(format!("{:?}", recheck.whole(head).unwrap()), format!("{desired:?}"));
        std::fs::write(&head.path, format!("{}\n# changed\n", file.source.text)).unwrap();
        let changed = recheck.whole(head).unwrap_err();
        assert_eq!(changed.message, "The file has changed since this run began.");
        read_again += 1;
    }
    assert!(read_again >= 2, "no head was kept");
    // An included file counts, too, and where the folder is doesn't.
    let changed = loaded(0).0.digest();
    env.write("people.yaml", format!("{}# changed\n", env.read("people.yaml")));
    assert!(changed != heads.digest() && loaded(0).0.digest() != changed);
}
