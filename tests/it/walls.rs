//! Dependencies that Cargo doesn't check. A crate below `crates` can only import its dependencies; these tests
//! check the imports within a crate, and the dependencies themselves.

use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

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

/// Returns every source file of the program with its text, by names such as `cli/plan.rs` and `plan/lib.rs`.
pub fn sources() -> Vec<(String, String)> {
    let mut sources = Vec::new();
    let mut add = |prefix: &str, folder: &Path| {
        let mut files = Vec::new();
        rust_files(folder, &mut files);
        for path in files {
            let name = path.strip_prefix(folder).unwrap().to_str().unwrap().replace('\\', "/");
            sources.push((format!("{prefix}{name}"), std::fs::read_to_string(&path).unwrap()));
        }
    };
    add("", &root().join("src"));
    for entry in std::fs::read_dir(root().join("crates")).unwrap() {
        let folder = entry.unwrap().path();
        // `shared-features` has no code.
        let Some(name) = folder.file_name().unwrap().to_str().unwrap().strip_prefix("rolecall-") else { continue };
        add(&format!("{name}/"), &folder.join("src"));
    }
    sources.sort();
    assert!(sources.len() > 200, "the sources have moved");
    sources
}

/// Returns the lines of a text that aren't comments.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.trim_start().starts_with("//"))
}

#[test]
fn reports_know_nothing_of_the_command_line_and_the_ledger_nothing_of_apply() {
    for (file, text) in sources() {
        let forbidden = match file.split('/').take(2).collect::<Vec<_>>().as_slice() {
            ["report", ..] => "crate::cli",
            ["engine", "ledger"] => "crate::apply",
            _ => continue,
        };
        assert!(!code(&text).any(|line| line.contains(forbidden)), "{file} imports {forbidden}");
    }
}

#[test]
fn a_provider_never_imports_another() {
    let sources = sources();
    let folder = |file: &str| {
        let (folder, _) = file.strip_prefix("providers/")?.split_once('/')?;
        Some(folder.to_owned())
    };
    let folders: Vec<String> = sources.iter().filter_map(|(file, _)| folder(file)).collect();
    assert!(!folders.is_empty());
    for (file, text) in &sources {
        let Some(own) = folder(file) else { continue };
        for other in folders.iter().filter(|other| **other != own) {
            let forbidden = format!("crate::{other}");
            assert!(!code(text).any(|line| line.contains(&forbidden)), "{file} imports {other}");
        }
    }
}

/// A platform is named in its folders and in the registries. Everything else asks for its capabilities, so that a new
/// platform needs no change there.
#[test]
fn no_platform_is_named_outside_its_folders() {
    const REGISTRIES: &[&str] = &["model/name.rs", "providers/lib.rs", "sandbox/definition.rs", "sandbox/lib.rs"];
    let names: Vec<&str> = rolecall_model::ProviderName::ALL.iter().map(|name| name.as_str()).collect();
    for (file, text) in sources() {
        let in_folder =
            |name: &&str| ["providers", "sandbox"].iter().any(|room| file.starts_with(&format!("{room}/{name}/")));
        if names.iter().any(in_folder) || REGISTRIES.contains(&&*file) {
            continue;
        }
        // A unit test needs some platform.
        let (program, _) = text.split_once("#[cfg(test)]").unwrap_or((&text, ""));
        for line in code(program) {
            // Help has examples, and one provider has to be the default of the sandbox.
            let is_help = line.starts_with("  rolecall ") || line.contains("default_value = ");
            let words = line.split(|c: char| !c.is_alphanumeric());
            let named = words.filter(|word| names.contains(&&*word.to_lowercase())).count();
            assert!(is_help || named == 0, "{file} names a platform: {line}");
        }
    }
}

/// A reader follows one user's roles through few files.
#[test]
fn users_are_decided_in_five_files() {
    let of_users = sources().into_iter().filter(|(file, _)| file.starts_with("plan/users/")).count();
    assert_eq!(of_users, 5);
}

/// Law 1: code that can't name this module can't send a mutation.
#[test]
fn only_apply_can_make_a_request_that_writes() {
    let writers: Vec<String> = sources()
        .into_iter()
        .filter(|(file, text)| {
            let names_it = |line: &str| line.contains("rolecall_graphql") && line.contains("write");
            !file.starts_with("graphql/") && code(text).any(names_it)
        })
        .map(|(file, _)| file)
        .collect();
    assert_eq!(writers, ["engine/apply/writer.rs"]);
}

/// A probe is a mutation, so only a provider's own file may choose what it names: nothing that exists.
#[test]
fn only_questions_about_permissions_can_make_a_probe() {
    let makers: Vec<String> = sources()
        .into_iter()
        .filter(|(file, text)| file != "graphql/document.rs" && code(text).any(|line| line.contains("Probe::new")))
        .map(|(file, _)| file)
        .collect();
    assert_eq!(makers, ["providers/paradime/permissions.rs", "providers/rapidapi/permissions.rs"]);
}

/// The crate that plans has no client, no runtime and no clock.
#[test]
fn planning_is_pure() {
    const IMPURE: &[&str] =
        &["async ", "std::fs", "std::env", "std::net", "Timestamp::now", "Instant::now", "SystemTime"];
    for room in ["model", "plan"] {
        let manifest = root().join(format!("crates/rolecall-{room}/Cargo.toml"));
        let manifest = std::fs::read_to_string(manifest).unwrap();
        for dependency in ["tokio", "reqwest", "rolecall-graphql", "rolecall-providers", "futures-util", "rand"] {
            let named = |line: &str| {
                line.starts_with(&format!("{dependency}.")) || line.starts_with(&format!("{dependency} "))
            };
            assert!(!manifest.lines().any(named), "rolecall-{room} depends on {dependency}");
        }
        for (file, text) in sources().iter().filter(|(file, _)| file.starts_with(&format!("{room}/"))) {
            for word in IMPURE {
                assert!(!code(text).any(|line| line.contains(word)), "{file} uses {word}");
            }
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

/// A limit on file length. Clippy's limit on function length (`too_many_lines`) matters more.
#[test]
fn files_stay_small() {
    for (file, text) in sources() {
        let lines = text.lines().count();
        assert!(lines <= 600, "{file} has {lines} lines: look for the seam");
    }
}
