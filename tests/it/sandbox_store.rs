//! The stored world of a sandbox: a large one is appended to, several processes share it, and people edit it.

use std::path::PathBuf;

use rolecall_sandbox::hive::{Hive, World};
use rolecall_sandbox::{Sandbox, Store, system_clock};
use serde_json::Value;
use tempfile::TempDir;

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn snapshot(&self) -> PathBuf {
        self.0.path().join("world.json")
    }

    fn log(&self) -> PathBuf {
        self.0.path().join("world.jsonl")
    }

    fn store(&self) -> Store {
        Store::File(self.snapshot())
    }

    /// Starts a process, with a world of so many members if nothing is stored.
    fn process(&self, members: usize) -> Process {
        let mut world = World::empty("acme");
        for number in 1..members {
            let mut member = world.members[0].clone();
            member.user_id = format!("user-{number}");
            world.members.push(member);
        }
        Process(Sandbox::new(Hive::new(world, system_clock()), self.store()))
    }

    fn names(&self) -> Vec<String> {
        let world = self.store().world().unwrap().unwrap();
        let members = world["members"].as_array().unwrap().iter();
        members.map(|member| member["display_name"].as_str().unwrap().to_owned()).collect()
    }
}

struct Process(Sandbox<Hive>);

impl Process {
    fn rename(&self, at: usize, name: &str) {
        let changed = self.0.change(|hive| {
            name.clone_into(&mut hive.world().members[at].display_name);
            Ok(())
        });
        changed.unwrap();
    }

    fn kill(self) {
        std::mem::forget(self);
    }
}

/// More than a world that is written whole at each change.
const MANY: usize = 500;

#[test]
fn a_change_to_a_large_world_is_appended_and_a_killed_process_loses_nothing() {
    let folder = Folder::new();
    let process = folder.process(MANY);
    process.rename(1, "first");
    let before = std::fs::read(folder.snapshot()).unwrap();
    process.rename(2, "second");
    process.0.change(|hive| Ok(hive.world().members.remove(7))).unwrap();
    process.rename(MANY - 2, "last");
    assert!(std::fs::read(folder.snapshot()).unwrap() == before, "the whole world was written");
    assert!(std::fs::metadata(folder.log()).unwrap().len() < 2_000);
    process.kill();
    let names = folder.names();
    assert_eq!((names.len(), &*names[1], &*names[2], &*names[MANY - 2]), (MANY - 1, "first", "second", "last"));
    // A process dies while it appends. The next one goes on behind what was written to its end.
    let mut torn = std::fs::read(folder.log()).unwrap();
    torn.extend(br#"[{"list":"members","at":2,"rem"#);
    std::fs::write(folder.log(), torn).unwrap();
    assert_eq!(folder.names(), names);
    let next = folder.process(MANY);
    next.rename(3, "third");
    next.kill();
    assert_eq!((folder.names().len(), &*folder.names()[2], &*folder.names()[3]), (MANY - 1, "second", "third"));
}

#[test]
fn the_file_is_up_to_date_at_the_end_and_always_in_a_small_world() {
    let folder = Folder::new();
    let process = folder.process(MANY);
    process.rename(1, "first");
    process.rename(2, "second");
    drop(process);
    assert!(!folder.log().exists());
    let world: Value = serde_json::from_slice(&std::fs::read(folder.snapshot()).unwrap()).unwrap();
    assert_eq!(world["members"][2]["display_name"], "second");

    let small = Folder::new();
    let process = small.process(3);
    process.rename(1, "first");
    process.rename(2, "second");
    assert!(!small.log().exists());
    assert!(std::fs::read_to_string(small.snapshot()).unwrap().contains("second"));
    process.kill();
}

#[test]
fn processes_that_share_a_world_see_each_others_changes() {
    let folder = Folder::new();
    let (one, other) = (folder.process(MANY), folder.process(MANY));
    for round in 1..20 {
        one.rename(round, "one");
        other.rename(round + 20, "other");
    }
    let names = folder.names();
    for round in 1..20 {
        assert_eq!((&*names[round], &*names[round + 20]), ("one", "other"), "{round}");
    }
    drop(one);
    other.rename(1, "other");
    drop(other);
    assert_eq!((&*folder.names()[1], &*folder.names()[2]), ("other", "one"));
}

#[test]
fn an_edited_world_counts_whether_or_not_a_killed_process_left_a_log() {
    let folder = Folder::new();
    let process = folder.process(MANY);
    process.rename(1, "first");
    process.rename(2, "second");
    process.kill();
    let edited =
        std::fs::read_to_string(folder.snapshot()).unwrap().replace("\"first\"", "\"edited by a person\"");
    std::fs::write(folder.snapshot(), edited).unwrap();
    let next = folder.process(MANY);
    next.rename(3, "third");
    let names = folder.names();
    assert_eq!((&*names[1], &*names[2], &*names[3]), ("edited by a person", "owner", "third"));
    // The same while a process serves it.
    let edited = std::fs::read_to_string(folder.snapshot()).unwrap().replace("edited by", "edited again by");
    std::fs::write(folder.snapshot(), edited).unwrap();
    next.rename(4, "fourth");
    assert_eq!((&*folder.names()[1], &*folder.names()[4]), ("edited again by a person", "fourth"));
}

#[test]
fn the_log_does_not_grow_without_end() {
    let folder = Folder::new();
    let process = folder.process(MANY);
    for round in 0..2_000 {
        process.rename(round % MANY, &format!("round {round}"));
        let length = |path| std::fs::metadata(path).map_or(0, |data| data.len());
        assert!(length(folder.log()) < length(folder.snapshot()) + 10_000);
    }
    assert_eq!(folder.names()[MANY - 1], "round 1999");
}

#[test]
fn a_damaged_world_is_an_error_that_names_the_way_out() {
    let folder = Folder::new();
    let process = folder.process(MANY);
    process.rename(1, "first");
    process.rename(2, "second");
    process.kill();
    let log = std::fs::read_to_string(folder.log()).unwrap();
    std::fs::write(folder.log(), log.replace("\"removed\":1", "\"removed\":1000")).unwrap();
    let refused = folder.process(MANY).0.change(|_| Ok(()));
    let refused = refused.unwrap_err();
    assert!(refused.contains("Reset it to the seed with --reset") && refused.contains(".jsonl"), "{refused}");
}
