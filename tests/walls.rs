//! Imports point one way. Read from the `use` lines, so that a shortcut is seen when it is taken.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

/// Each room, and the rooms that it may import.
const ROOMS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("ledger", &["model"]),
    ("graphql", &[]),
    ("plan", &["model"]),
    ("desired", &["model"]),
    ("provider", &["graphql", "model"]),
    ("sandbox", &["graphql", "model"]),
    ("apply", &["graphql", "ledger", "model", "plan", "provider"]),
    ("report", &["apply", "desired", "ledger", "model", "plan"]),
    ("cli", &["apply", "desired", "graphql", "ledger", "model", "plan", "provider", "report", "sandbox"]),
];

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&root, &mut files);
    let name = |path: &Path| path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
    files.iter().map(|path| (name(path), std::fs::read_to_string(path).unwrap())).collect()
}

/// The rooms that a text names as `crate::ROOM`.
fn imported(text: &str) -> Vec<&str> {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let mut rooms = Vec::new();
    for line in code {
        for (at, _) in line.match_indices("crate::") {
            let rest = &line[at + "crate::".len()..];
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            if rest.starts_with('{') {
                rooms.extend(
                    rest.trim_matches(['{', '}', ';'])
                        .split(',')
                        .map(|part| part.trim().split("::").next().unwrap()),
                );
            } else {
                rooms.push(&rest[..end]);
            }
        }
    }
    rooms
}

#[test]
fn imports_point_one_way() {
    let mut broken = Vec::new();
    for (file, text) in sources() {
        let Some((room, _)) = file.split_once('/') else { continue };
        let (_, allowed) =
            ROOMS.iter().find(|(name, _)| *name == room).unwrap_or_else(|| panic!("a new room: {room}"));
        for import in imported(&text) {
            if import != room && !allowed.contains(&import) {
                broken.push(format!("{file} imports {import}"));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn a_provider_never_imports_another() {
    let sources = sources();
    let folders: Vec<&str> = sources
        .iter()
        .filter_map(|(file, _)| file.strip_prefix("provider/")?.split_once('/').map(|(folder, _)| folder))
        .collect();
    for (file, text) in &sources {
        let Some((own, _)) = file.strip_prefix("provider/").and_then(|rest| rest.split_once('/')) else {
            continue;
        };
        for other in folders.iter().filter(|other| **other != own) {
            assert!(!text.contains(&format!("provider::{other}")), "{file} imports {other}");
        }
    }
}

#[test]
fn only_apply_can_make_a_request_that_writes() {
    for (file, text) in sources() {
        let writes =
            text.lines().any(|line| !line.trim_start().starts_with("///") && line.contains("Request::mutation("));
        assert!(!writes || file.starts_with("apply/"), "{file} builds a mutation's request");
    }
}

#[test]
fn planning_is_pure() {
    const IMPURE: &[&str] = &[
        "async ",
        "std::fs",
        "std::env",
        "std::net",
        "Timestamp::now",
        "Instant::now",
        "SystemTime",
        "HashMap",
        "HashSet",
        "tokio",
        "rand",
    ];
    for (file, text) in
        sources().iter().filter(|(file, _)| file.starts_with("plan/") || file.starts_with("model/"))
    {
        let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        for word in IMPURE {
            assert!(!code.iter().any(|line| line.contains(word)), "{file} uses {word}");
        }
    }
}

#[test]
fn nothing_prints_or_reads_the_environment_but_the_command_line() {
    const WORDS: &[&str] =
        &["println!", "eprintln!", "print!(", "eprint!(", "std::env::var", "stdout()", "stderr()"];
    for (file, text) in sources().iter().filter(|(file, _)| !file.starts_with("cli/")) {
        for word in WORDS {
            assert!(!text.contains(word), "{file} uses {word}");
        }
    }
}

#[test]
fn no_order_comes_from_a_hash_map() {
    for (file, text) in sources() {
        assert!(!text.contains("HashMap") && !text.contains("HashSet"), "{file}");
    }
}

#[test]
fn files_stay_small() {
    for (file, text) in sources() {
        let lines = text.lines().count();
        assert!(lines <= 400, "{file} has {lines} lines: look for the seam");
    }
}
