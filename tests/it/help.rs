//! Help and completions: they fit the screen, have one order, and offer values.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command as Process;

use clap::{Arg, Command, CommandFactory};
use rolecall::cli::Cli;
use rolecall_model::{ProviderName, RemoteId};
use rolecall_sandbox::{FAULTS, Fault, Store, definition, open};

use crate::support::cli::Env;

/// The headings of options, in the order of every verb.
const HEADINGS: &[&str] = &[
    "Which organisations",
    "Approval",
    "What to write",
    "Which changes",
    "Which access",
    "Guardrails",
    "Notification",
    "CI",
    "Output",
    "Connection",
    "Sandbox",
    "Global",
];

/// A small window of a terminal.
const LINES: usize = 32;

fn built() -> Command {
    let mut command = Cli::command();
    command.build();
    command
}

/// Returns the verbs that rolecall defines.
fn verbs(whole: &Command) -> Vec<&Command> {
    whole.get_subcommands().filter(|verb| verb.get_name() != "help").collect()
}

fn options(verb: &Command) -> impl Iterator<Item = &Arg> {
    verb.get_arguments().filter(|arg| !arg.is_positional())
}

/// Returns the lines of `rolecall ARGS --help` on a terminal of this width.
fn help(args: &[&str], columns: usize) -> Vec<String> {
    let mut env = Env::new();
    env.set("COLUMNS", &columns.to_string());
    let said = env.run(&[args, &["--help"]].concat());
    assert_eq!(said.code, 0, "{}", said.all());
    said.stdout.lines().map(str::to_owned).collect()
}

fn longest(lines: &[String]) -> usize {
    lines.iter().map(|line| line.chars().count()).max().unwrap_or_default()
}

#[test]
fn the_help_of_the_program_fits_one_screen() {
    let wide = help(&[], 100);
    assert!(wide.len() <= LINES && longest(&wide) <= 100, "{} lines\n{}", wide.len(), wide.join("\n"));
    assert!(wide.iter().any(|line| line.contains("`rolecall exit-codes`")), "{}", wide.join("\n"));
    let narrow = help(&[], 80);
    assert!(narrow.len() <= LINES + 4 && longest(&narrow) <= 80, "{}", narrow.join("\n"));
}

#[test]
fn the_version_says_what_a_report_of_a_bug_needs() {
    let env = Env::new();
    let short = env.run(&["--version"]);
    assert_eq!(short.stdout, format!("rolecall {}\n", env!("CARGO_PKG_VERSION")));
    for args in [["--version", "--verbose"], ["-v", "-V"]] {
        let said = env.run(&args);
        assert_eq!((said.code, &*said.stderr), (0, ""));
        assert!(said.stdout.starts_with(&short.stdout), "{}", said.stdout);
        for line in ["commit: unknown", "features: sandbox", "format of ledgers: "] {
            assert!(said.stdout.contains(line), "{line}: {}", said.stdout);
        }
    }
}

#[test]
fn every_exit_code_is_explained() {
    let env = Env::new();
    let said = env.run(&["exit-codes"]);
    assert_eq!(said.code, 0, "{}", said.all());
    let codes: BTreeSet<&str> =
        said.stdout.lines().filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next()).collect();
    for code in ["0", "1", "2", "3", "4", "5", "6", "130"] {
        assert!(codes.contains(code), "{code}: {}", said.stdout);
    }
    assert!(env.run(&["help", "exit-codes"]).stdout.contains(&said.stdout), "the help has the same text");
}

#[test]
fn options_have_the_same_headings_in_the_same_order_everywhere() {
    let whole = built();
    let mut headings: BTreeMap<&str, &str> = BTreeMap::new();
    for verb in verbs(&whole) {
        let name = verb.get_name();
        let mut seen: Vec<&str> = Vec::new();
        for option in options(verb) {
            let long = option.get_long().unwrap();
            let heading = option.get_help_heading().unwrap_or_else(|| panic!("{name} --{long} has no heading"));
            if !seen.contains(&heading) {
                seen.push(heading);
            }
            // `man --out` names a folder, and is an output too.
            assert_eq!(*headings.entry(long).or_insert(heading), heading, "{name} --{long}");
        }
        let ordered: Vec<&str> = HEADINGS.iter().copied().filter(|heading| seen.contains(heading)).collect();
        assert_eq!(seen, ordered, "{name}");
    }
    assert!(headings.len() > 30, "options were looked for in the wrong place");
}

#[test]
fn every_option_says_in_a_sentence_what_it_does() {
    let whole = built();
    for verb in verbs(&whole) {
        let about = verb.get_about().unwrap().to_string();
        assert!(about.chars().count() <= 70 && !about.contains(". "), "{}: {about}", verb.get_name());
        for arg in verb.get_arguments() {
            let name = format!("{} {}", verb.get_name(), arg.get_id());
            let help = arg.get_help().unwrap_or_else(|| panic!("{name} has no help")).to_string();
            assert!(help.starts_with(char::is_uppercase), "{name}: {help}");
            let longest = help.split(['.', ';']).map(|part| part.split_whitespace().count()).max().unwrap();
            assert!(longest <= 25, "{name}: {longest} words: {help}");
        }
    }
}

#[test]
fn every_switch_has_a_description_and_takes_the_values_that_it_lists() {
    for provider in ProviderName::ALL {
        let defaults = (definition(*provider).defaults)();
        let fields: BTreeSet<&str> = defaults.as_object().unwrap().keys().map(String::as_str).collect();
        let named: BTreeSet<&str> = definition(*provider).switches.iter().map(|switch| switch.name).collect();
        assert_eq!(named, fields, "{provider}: each field of the switches is described once");
        assert_eq!(definition(*provider).switches.len(), named.len(), "{provider}");
        let organization = RemoteId::seen(definition(*provider).seeds[0]);
        let sandbox = open(*provider, &organization, Store::Memory).unwrap();
        let set = |assignment: String| sandbox.set(&[assignment]);
        for switch in definition(*provider).switches {
            assert!(switch.about.len() > 10 && switch.about.ends_with('.'), "{provider} {}", switch.name);
            assert!(!switch.values.is_empty(), "{provider} {}", switch.name);
            for value in switch.values {
                let value = match *value {
                    "NUMBER" => "3",
                    "TEXT" => "abc",
                    word => word,
                };
                set(format!("{}={value}", switch.name)).unwrap_or_else(|why| panic!("{provider}: {why}"));
            }
            if !switch.values.contains(&"TEXT") {
                let why = set(format!("{}=no-such-value", switch.name)).unwrap_err();
                assert!(why.contains(&switch.syntax()) && why.contains(switch.about), "{why}");
            }
        }
        let why = set("no-such-switch=1".to_owned()).unwrap_err();
        assert!(why.contains(&format!("the sandbox of {provider} ")), "{why}");
        for switch in definition(*provider).switches {
            assert!(why.contains(&switch.syntax()) && why.contains(switch.about), "{why}");
        }
    }
}

/// Without `--provider`, the sandbox is that of Bitpanda.
#[test]
fn a_switch_of_another_sandbox_says_which() {
    let said = Env::new().run(&["sandbox", "--set", "generation=2023-08"]);
    assert_eq!(said.code, 1);
    assert!(said.stderr.contains("The sandbox of bitpanda has no switch `generation`"), "{}", said.stderr);
    assert!(said.stderr.contains("`--provider rapidapi`"), "{}", said.stderr);
}

#[test]
fn a_fault_that_no_request_can_hit_is_refused() {
    for (provider, field, nearest) in [
        ("hive", "createMemberRol", "createMemberRole"),
        ("rapidapi", "createUserInvite", "createUserInvites"),
        ("paradime", "inviteusr", "inviteUser"),
        ("bitpanda", "listUser", "listUsers"),
    ] {
        let said = Env::new().run(&["sandbox", "--provider", provider, "--fault", &format!("errors@{field}")]);
        assert_eq!(said.code, 1, "{}", said.all());
        assert!(said.stderr.contains(&format!("`{field}`")), "{}", said.stderr);
        assert!(said.stderr.contains(&format!("Did you mean `{nearest}`?")), "{}", said.stderr);
    }
}

#[test]
fn help_has_help() {
    let env = Env::new();
    let expected = env.run(&["help", "help"]);
    assert_eq!(expected.code, 0, "{}", expected.all());
    for option in ["--help", "-h"] {
        let said = env.run(&["help", option]);
        assert_eq!((said.code, &said.stdout), (0, &expected.stdout), "{}", said.all());
    }
}

#[test]
fn the_help_of_the_sandbox_has_every_switch_and_every_fault() {
    let lines = help(&["sandbox"], 80);
    assert!(longest(&lines) <= 80, "{}", lines.join("\n"));
    for provider in ProviderName::ALL {
        let title = format!("Switches of {provider}:");
        let start = lines.iter().position(|line| *line == title).unwrap_or_else(|| panic!("no {title}"));
        for (at, switch) in definition(*provider).switches.iter().enumerate() {
            let listed = &lines[start + 1 + 2 * at];
            assert!(listed.starts_with(&format!("  {} [default: ", switch.syntax())), "{provider}: {listed}");
            assert_eq!(lines[start + 2 + 2 * at].trim(), switch.about);
        }
    }
    for fault in FAULTS {
        assert!(lines.iter().any(|line| line.trim() == fault.kind), "{}", fault.kind);
        assert!(lines.iter().any(|line| line.trim() == fault.about), "{}", fault.about);
        let written = fault.kind.replace("MS", "1").replace("CODE", "503").replace("SECONDS", "1");
        written.parse::<Fault>().unwrap();
    }
    assert_eq!("nonsense".parse::<Fault>().unwrap_err().matches(FAULTS[0].kind).count(), 1);
}

/// Options with the values that shells offer for them, some of each.
const OFFERED: &[(&str, &str, &[&str])] = &[
    ("plan", "--format", &["text", "sarif"]),
    ("plan", "--report", &["markdown=", "junit="]),
    ("plan", "--target", &["user/", "invitation/", "organization"]),
    ("apply", "--exclude", &["key/"]),
    ("apply", "--assert", &["role/"]),
    ("drift", "--notify-format", &["slack"]),
    ("drift", "--color", &["auto", "never"]),
    ("sandbox", "--provider", &["bitpanda", "rapidapi"]),
    ("sandbox", "--set", &["paging=", "add-outsiders=", "refusal="]),
    ("sandbox", "--fault", &["drop-after", "status="]),
    ("sandbox", "--organization", &["acme"]),
];

fn script(shell: &str) -> String {
    let said = Env::new().run(&["completions", shell]);
    assert_eq!(said.code, 0, "{}", said.all());
    said.stdout
}

/// Returns what bash offers for the last word of a command line, whose words are as bash splits them.
fn bash(script: &str, words: &[&str]) -> Vec<String> {
    let last = words.last().unwrap();
    // bash passes an empty word after `=`.
    let current = if *last == "=" { "" } else { *last };
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let before = words[words.len() - 2];
    let program = format!(
        "{script}\nCOMP_WORDS=({})\nCOMP_CWORD={}\n_rolecall_pairs rolecall '{current}' '{before}'\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"\n",
        quoted.join(" "),
        words.len() - 1,
    );
    let output = Process::new("bash").args(["--norc", "-c", &program]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

#[test]
fn bash_offers_values_and_not_the_names_of_files() {
    let script = script("bash");
    for (verb, option, values) in OFFERED {
        let offered = bash(&script, &["rolecall", verb, option, ""]);
        for value in *values {
            assert!(offered.iter().any(|word| word == value), "{verb} {option}: {offered:?}");
        }
        // After `--option=`, bash splits the word in three.
        assert_eq!(bash(&script, &["rolecall", verb, option, "="]), offered, "{verb} {option}=");
    }
    assert_eq!(bash(&script, &["rolecall", "plan", "--report", "mark"]), ["markdown="]);
    // bash itself offers files if the script offers nothing.
    assert!(bash(&script, &["rolecall", "plan", "--report", "markdown", "="]).is_empty());
    assert!(bash(&script, &["rolecall", "plan", "--report", "markdown", "=", "com"]).is_empty());
    for (verb, option) in [("plan", "--min-admins"), ("apply", "--parallelism"), ("sandbox", "--listen")] {
        assert!(bash(&script, &["rolecall", verb, option, ""]).is_empty(), "{verb} {option} takes no file");
    }
    assert!(bash(&script, &["rolecall", "man", ""]).contains(&"drift".to_owned()));
}

#[test]
fn zsh_and_fish_offer_values_with_their_meaning() {
    let whole = built();
    let (zsh, fish) = (script("zsh"), script("fish"));
    for (verb, option, values) in OFFERED {
        let long = option.trim_start_matches("--");
        let fish: Vec<&str> = {
            let start = format!("__fish_rolecall_using_subcommand {verb}\" -l {long} ");
            let from = fish.find(&start).unwrap_or_else(|| panic!("fish: {verb} {option}"));
            fish[from..].split("\ncomplete ").take(1).collect()
        };
        let arg = whole.find_subcommand(verb).unwrap().get_arguments().find(|arg| arg.get_long() == Some(long));
        let name = arg.unwrap().get_value_names().unwrap()[0].as_str();
        let zsh: String = {
            let from = zsh.find(&format!("\n({verb})\n")).unwrap_or_else(|| panic!("zsh: {verb}"));
            let verb_part = zsh[from..].split("\n;;\n").next().unwrap();
            let at = verb_part.find(option).unwrap_or_else(|| panic!("zsh: {verb} {option}"));
            let rest = &verb_part[at..];
            assert!(rest.contains(name), "zsh: {verb} {option} {name}");
            rest.split("' \\\n").next().unwrap().to_owned()
        };
        for value in *values {
            assert!(fish[0].contains(&format!("{value}\\t")), "fish: {verb} {option}: {}", fish[0]);
            assert!(zsh.contains(value), "zsh: {verb} {option}: {zsh}");
            assert!(!zsh.contains("_files") && !zsh.contains("_default"), "zsh: {verb} {option}: {zsh}");
        }
    }
    assert!(fish.contains("markdown=\\t'Markdown"), "{fish}");
}
