//! `plan --base`: slips of the hand are caught, and clean pull requests aren't.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::process::Command;

use rolecall_config::{Source, Version, check_source, differences};
use rolecall_model::{Comparison, Finding, Live, OriginKind};
use rolecall_plan::{compare_with_base, unasked};
use serde_json::{Value, json};

use crate::support::bitpanda;
use crate::support::bitpanda::Custody;
use crate::support::cli::{Env, Said, example};
use crate::support::hive::{self, Console};
use crate::support::paradime::{self, Workspace};
use crate::support::rapidapi::{self, Hub};
use crate::support::rig::{Platform, Rig};

/// A file as people write it, and the organisation after it was applied.
struct Team<P: Platform> {
    rig: Rig<P>,
    base: String,
    live: Live,
}

impl<P: Platform> Team<P> {
    fn new(world: P::World, body: &str) -> Self {
        let mut rig = Rig::new(world, body);
        let report = rig.apply();
        assert!(report.all_done(), "{report:#?}");
        // A second run does what waits for the first.
        rig.apply();
        let live = rig.read().unwrap();
        Self { rig, base: format!("{}{body}", P::HEAD), live }
    }

    /// Returns the findings about a pull request that changes the base into this file.
    fn objections(&mut self, head: &str) -> Vec<String> {
        let (base, now) = (Source::inline("base.yaml", &*self.base), Source::inline("head.yaml", head));
        let before = check_source(&base, rolecall_providers::format).0.unwrap();
        let (desired, findings) = check_source(&now, rolecall_providers::format);
        let Some(desired) = desired else {
            return findings.iter().map(|finding| finding.code.to_string()).collect();
        };
        self.rig.desired = before.clone();
        let old = self.rig.planned(&self.live, &BTreeSet::new(), None).unwrap().plan;
        self.rig.desired = desired.clone();
        let mut plan = match self.rig.planned(&self.live, &BTreeSet::new(), None) {
            // An entry with an error ends the run with 1.
            Ok(planned) if planned.findings.iter().any(Finding::is_error) => {
                return planned.findings.iter().map(|finding| finding.code.to_string()).collect();
            }
            Ok(planned) => planned.plan,
            Err(findings) => return findings.iter().map(|finding| finding.code.to_string()).collect(),
        };
        let version = |source, desired| Version { source, included: Vec::new(), desired };
        let found = differences(Some(&version(&base, &before)), &version(&now, &desired));
        let mut comparison = compare_with_base(&plan, Some(&old), "base");
        for (address, origin) in &mut comparison.changes {
            if origin.is == OriginKind::Asked {
                origin.lines = found.asking(plan.change(address).unwrap());
            }
        }
        plan.comparison = Some(Comparison { deletions: found.deletions, ..comparison });
        unasked(&plan, &desired).iter().map(|finding| format!("{}: {}", finding.code, finding.message)).collect()
    }
}

fn hive() -> Team<Console> {
    let mut world = hive::world();
    hive::role(&mut world, "Reader", &["organization:describe"]);
    let body = "manage: { users: listed, roles: all, keys: all }
guardrails: { min_admins: 0 }
roles:
  - name: Reader
    description: Reads
    permissions: [organization:describe, project:describe]
  - name: Reviewer
    description: |-
      Looks at checks.
    permissions:
      - project:describe
      - schemaCheck:approve
keys:
  - name: ci
    permissions: [project:describe]
    resources: all
    deliver: { file: ci.key }
  - name: nightly
    permissions: [schemaCheck:create]
    resources:
      shop:
        production: all
    deliver: { file: nightly.key }
users:
  - email: ann@x.example
    roles: [Reader]
    resources:
      shop:
        production: all
      blog: all
  - email: ben@x.example
    roles: [Reviewer]
    resources: all
  - email: cat@x.example
    roles: [Reviewer]
    resources: {}
";
    Team::new(world, body)
}

fn bitpanda() -> Team<Custody> {
    let body = "manage: { users: all, keys: all }
guardrails: { min_admins: 0 }
users:
  - email: ann@x.example
    first_name: Ann
    last_name: A
    phone: '+43'
    enabled: true
    roles: [ADMIN]
  - email: ben@x.example
    first_name: Ben
    last_name: B
    phone: '+43'
    enabled: true
    roles:
      - REQUESTER
      - APPROVER
  - email: cat@x.example
    first_name: Cat
    last_name: C
    phone: '+43'
    enabled: true
    roles: [APPROVER]
keys:
  - name: reports
    roles: [APPROVER]
    expires: 2027-04-30T20:59:59Z
    deliver: { file: reports.key }
  - id: own
    name: rolecall
    roles: [ADMIN]
    expires: 2030-01-01T00:00:00Z
";
    let mut world = bitpanda::world();
    world
        .users
        .extend(["ann", "ben", "cat"].map(|name| bitpanda::user(&format!("{name}@x.example"), &["APPROVER"])));
    Team::new(world, body)
}

fn paradime() -> Team<Workspace> {
    let mut world = paradime::world();
    for name in ["ann", "ben", "cat"] {
        paradime::user(&mut world, &format!("{name}@x.example"), "BUSINESS");
    }
    let body = "manage: { users: all }
guardrails: { min_admins: 0 }
users:
  - email: own@x.example
    roles: [ADMIN]
  - email: ann@x.example
    roles: [DEVELOPER]
  - email: ben@x.example
    roles:
      - BUSINESS
  - email: cat@x.example
    roles: [DEVELOPER]
";
    Team::new(world, body)
}

fn rapidapi() -> Team<Hub> {
    let mut world = rapidapi::world();
    for name in ["ann", "ben", "cat"] {
        rapidapi::member(&mut world, &format!("{name}@x.example"), false, &[]);
    }
    let body = "manage: { users: listed, teams: listed }
guardrails: { min_admins: 0 }
teams:
  - name: Payments
    description: |-
      Moves money.
  - name: Search
    description: Finds things
users:
  - email: own@acme.example
  - email: ann@x.example
    roles: []
    teams:
      - Payments
      - Search
  - email: ben@x.example
    roles: []
    teams: [Search]
  - email: cat@x.example
    roles: []
    teams: [Payments]
";
    Team::new(world, body)
}

/// A list of a file: its name, and the lines of each of its entries.
type Section = (String, Vec<Range<usize>>);

/// Returns the lines of a file and its lists.
fn sections(text: &str) -> (Vec<String>, Vec<Section>) {
    let lines: Vec<String> = text.lines().map(ToOwned::to_owned).collect();
    let mut found: Vec<Section> = Vec::new();
    let mut open = false;
    for (at, line) in lines.iter().enumerate() {
        if !line.starts_with(' ') {
            let name = line.split(':').next().unwrap().to_owned();
            open = ["users", "roles", "keys", "teams"].contains(&name.as_str());
            if open {
                found.push((name, Vec::new()));
            }
        } else if open {
            let entries = &mut found.last_mut().unwrap().1;
            if line.starts_with("  - ") {
                entries.push(at..at + 1);
            } else {
                entries.last_mut().unwrap().end = at + 1;
            }
        }
    }
    (lines, found)
}

/// Returns the lines with some of them replaced.
fn with(lines: &[String], range: Range<usize>, new: &[String]) -> String {
    let all = lines[..range.start].iter().chain(new).chain(&lines[range.end..]).map(String::as_str);
    all.flat_map(|line| [line, "\n"]).collect()
}

fn indented(lines: &[String], by: usize) -> Vec<String> {
    lines.iter().map(|line| format!("{}{line}", " ".repeat(by))).collect()
}

/// Returns versions of a file, each with one slip of the hand.
fn slips(text: &str) -> Vec<(String, String)> {
    let (lines, sections) = sections(text);
    let mut slips = Vec::new();
    let mut add = |what: String, text: String| slips.push((what, text));
    for (section, entries) in &sections {
        let (first, last) = (entries[0].start - 1, entries.last().unwrap().end);
        let block = &lines[first..last];
        add(format!("the section {section} is deleted"), with(&lines, first..last, &[]));
        add(format!("the line {section}: is lost"), with(&lines, first..first + 1, &[]));
        add(format!("{section} has another name"), with(&lines, first..first + 1, &[format!("x-{section}:")]));
        add(format!("{section} is misspelt"), with(&lines, first..first + 1, &[format!("{section}s:")]));
        add(format!("{section} is indented"), with(&lines, first..last, &indented(block, 2)));
        add(format!("{section} is there twice"), with(&lines, first..last, &[block, block].concat()));
        for entry in entries {
            let own = &lines[entry.clone()];
            let name = own[0].trim();
            add(format!("{name} is there twice"), with(&lines, entry.clone(), &[own, own].concat()));
            let mark = |mark: &str| vec![format!("{mark} {name}")];
            let conflict = [&mark("<<<<<<<")[..], own, &["=======".to_owned()], own, &mark(">>>>>>>")].concat();
            add(format!("{name} has a conflict"), with(&lines, entry.clone(), &conflict));
            let without_dash = own[0].replacen('-', " ", 1);
            if entry.start > entries[0].start {
                add(format!("{name} has no dash"), with(&lines, entry.start..entry.start + 1, &[without_dash]));
                add(format!("{name} is indented"), with(&lines, entry.clone(), &indented(own, 2)));
                add(format!("{name} is further indented"), with(&lines, entry.clone(), &indented(own, 4)));
            }
        }
    }
    // A text in several lines takes in all that is indented below it.
    for (at, line) in lines.iter().enumerate().filter(|(_, line)| line.ends_with("description: |-")) {
        let (_, entries) = sections.iter().find(|(_, entries)| entries.iter().any(|it| it.contains(&at))).unwrap();
        let entry = entries.iter().position(|entry| entry.contains(&at)).unwrap();
        let next = entries.get(entry + 1).cloned();
        if let Some(next) = next.filter(|next| next.start == at + 2) {
            add(format!("{line} takes in the next"), with(&lines, next.clone(), &indented(&lines[next], 4)));
        }
    }
    slips
}

/// Every slip is an error of the file, or is refused.
fn every_slip_is_caught<P: Platform>(mut team: Team<P>) -> usize {
    let base = team.base.clone();
    let found = team.objections(&base);
    assert!(found.is_empty(), "the base itself: {found:#?}");
    let slips = slips(&base);
    for (what, text) in &slips {
        assert_ne!(*text, base, "{what}");
        assert!(!team.objections(text).is_empty(), "{what} is not caught:\n{text}");
    }
    slips.len()
}

#[test]
fn slips_of_the_hand_are_caught() {
    let caught = every_slip_is_caught(hive())
        + every_slip_is_caught(bitpanda())
        + every_slip_is_caught(paradime())
        + every_slip_is_caught(rapidapi());
    assert!(caught >= 100, "{caught}");
}

#[test]
fn an_indentation_that_moves_a_resource_is_caught() {
    let mut team = hive();
    let moved = team.base.replace(
        "      shop:\n        production: all\n      blog: all",
        "      shop:\n        production: all\n        blog: all",
    );
    assert_ne!(moved, team.base);
    let found = team.objections(&moved);
    // The platform has no such target, or the entry means something else.
    assert!(!found.is_empty(), "{found:#?}");
    let lifted = team.base.replace("  - email: ann@x.example\n    roles: [Reader]\n    resources:\n      shop:\n        production: all\n      blog: all",
        "  - email: ann@x.example\n    roles: [Reader]\n    resources:\n      shop:\n      production: all\n      blog: all");
    assert_ne!(lifted, team.base);
    assert!(!team.objections(&lifted).is_empty());
}

/// Returns edits that a person means, each as the lines to replace and the new lines.
fn clean_edits(text: &str) -> Vec<(Range<usize>, Vec<String>)> {
    let (lines, sections) = sections(text);
    let mut edits = Vec::new();
    for (section, entries) in &sections {
        for (at, entry) in entries.iter().enumerate() {
            let own = &lines[entry.clone()];
            let is_own = own.iter().any(|line| line.contains("own"));
            if at + 1 == entries.len() && !is_own && section != "teams" && section != "roles" {
                edits.push((entry.clone(), Vec::new()));
            }
            edits.push((entry.clone(), [&["  # A comment.".to_owned()], own].concat()));
            if at == 0 && entries.len() > 1 {
                // Two entries change places.
                let next = entries[1].clone();
                let swapped = [&lines[next.clone()], own].concat();
                edits.push((entry.start..next.end, swapped));
            }
            if section == "users" && !is_own && own.iter().any(|line| line.contains("@x.example")) {
                let added: Vec<String> =
                    own.iter().map(|line| line.replace("@x.example", ".new@x.example")).collect();
                edits.push((entry.clone(), [own, &added].concat()));
            }
            for (from, to) in [
                ("[Reader]", "[Reviewer]"),
                ("[DEVELOPER]", "[ADMIN]"),
                ("[APPROVER]", "[REQUESTER]"),
                ("teams: [Search]", "teams: [Payments]"),
            ] {
                if section == "users" && own.iter().any(|line| line.contains(from)) {
                    edits.push((entry.clone(), own.iter().map(|line| line.replace(from, to)).collect()));
                }
            }
        }
        // A list with another style of indentation is the same list.
        let range = entries[0].start..entries.last().unwrap().end;
        edits.push((range.clone(), indented(&lines[range], 2)));
    }
    edits
}

/// Makes every edit, and every two edits that don't overlap. None is refused.
fn no_clean_request_is_caught<P: Platform>(mut team: Team<P>) -> usize {
    let base = team.base.clone();
    let (lines, _) = sections(&base);
    let edits = clean_edits(&base);
    let mut count = 0;
    for (at, (range, new)) in edits.iter().enumerate() {
        let mut texts = vec![with(&lines, range.clone(), new)];
        for (other, more) in edits[at + 1..].iter().filter(|(other, _)| other.start >= range.end) {
            let lines: Vec<String> = with(&lines, other.clone(), more).lines().map(ToOwned::to_owned).collect();
            texts.push(with(&lines, range.clone(), new));
        }
        for text in texts {
            let found = team.objections(&text);
            assert!(found.is_empty(), "{found:#?}\n{text}");
            count += 1;
        }
    }
    count
}

#[test]
fn clean_pull_requests_are_not_caught() {
    let clean = no_clean_request_is_caught(hive())
        + no_clean_request_is_caught(bitpanda())
        + no_clean_request_is_caught(paradime())
        + no_clean_request_is_caught(rapidapi());
    assert!(clean >= 200, "{clean}");
}

/// Runs git in the folder of a user.
pub fn git(env: &Env, arguments: &[&str]) {
    let mut git = Command::new("git");
    git.current_dir(env.path(".")).args(["-c", "user.name=a", "-c", "user.email=a@b.example"]);
    let output = git.env("HOME", env.path(".")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?} {}", String::from_utf8_lossy(&output.stderr));
}

const ZOE: &str = "users:
  - email: zoe@acme.example
    roles: [Viewer]
    resources: all
";

/// Creates a repository with the example of Hive in `access`, which the sandbox is in sync with.
fn repository() -> Env {
    let env = Env::new();
    env.write("access/hive.yaml", example("hive.yaml"));
    env.write(".gitignore", ".rolecall\nkeys\n");
    git(&env, &["init", "--quiet", "--initial-branch", "main"]);
    git(&env, &["add", "."]);
    git(&env, &["commit", "--quiet", "--message", "base"]);
    env
}

/// Plans the folder `access` against a base. Returns the run, and the origin of each change.
pub fn compared(env: &Env, base: &str, more: &[&str]) -> (Said, BTreeMap<String, String>) {
    let said = env.run(&[&["plan", "--sandbox", "access", "--base", base, "--format", "json"], more].concat());
    let plan: Value = serde_json::from_str(&said.stdout).unwrap_or_default();
    let changes = plan["organizations"][0]["comparison"]["changes"].as_object().cloned().unwrap_or_default();
    let origins =
        changes.iter().map(|(address, origin)| (address.clone(), origin["is"].as_str().unwrap().to_owned()));
    (said, origins.collect())
}

#[test]
fn a_base_is_a_folder_a_file_or_a_revision() {
    let env = repository();
    env.write("old/hive.yaml", example("hive.yaml"));
    env.write("access/hive.yaml", example("hive.yaml").replace("users:\n", ZOE));
    for base in ["HEAD", "main", "old", "old/hive.yaml"] {
        let (said, origins) = compared(&env, base, &[]);
        assert_eq!(said.code, 0, "{base}: {}", said.stderr);
        assert_eq!(origins["user/zoe@acme.example"], "asked", "{base}");
        assert_eq!(origins["user/alice@acme.example"], "drifted", "{base}");
        assert_eq!(origins["role/No access"], "needed-by-another", "{base}");
    }
    // The seal doesn't depend on the base.
    let seal = |more: &[&str]| {
        let said = env.run(&[&["plan", "--sandbox", "access", "--format", "json"], more].concat());
        serde_json::from_str::<Value>(&said.stdout).unwrap()["organizations"][0]["seal"].clone()
    };
    assert_eq!(seal(&[]), seal(&["--base", "HEAD"]));
    for base in ["no-such-branch", "HEAD:access", "HEAD^{tree}", "--all"] {
        let said = env.run(&["plan", "--sandbox", "access", &format!("--base={base}")]);
        assert_eq!(said.code, 1, "{base}");
        assert!(
            said.stderr.contains("no git revision, and neither a file nor a folder")
                && said.stderr.contains("hint: "),
            "{}",
            said.stderr
        );
    }
}

#[test]
fn a_branch_that_is_behind_undoes_nothing_that_it_never_had() {
    let env = repository();
    git(&env, &["branch", "topic"]);
    env.write("access/hive.yaml", example("hive.yaml").replace("users:\n", ZOE));
    git(&env, &["commit", "--quiet", "--all", "--message", "zoe"]);
    git(&env, &["checkout", "--quiet", "topic"]);
    let yann = ZOE.replace("zoe", "yann");
    env.write("access/hive.yaml", example("hive.yaml").replace("users:\n", &yann));
    let (_, origins) = compared(&env, "main", &[]);
    assert_eq!(origins["user/yann@acme.example"], "asked");
    assert!(!origins.contains_key("user/zoe@acme.example"), "{origins:?}");
    let (said, _) = compared(&env, "main", &["--out", "plan.json"]);
    let plan: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(plan["organizations"][0]["comparison"]["deletions"], Value::Null, "Zoe was never here");
}

#[test]
fn an_entry_that_was_lost_in_a_merge_is_caught() {
    let env = repository();
    let with = |entries: &str| env.write("access/hive.yaml", example("hive.yaml").replace("users:\n", entries));
    git(&env, &["branch", "topic"]);
    with(ZOE);
    git(&env, &["commit", "--quiet", "--all", "--message", "zoe"]);
    git(&env, &["checkout", "--quiet", "topic"]);
    with(&ZOE.replace("zoe", "yann"));
    git(&env, &["commit", "--quiet", "--all", "--message", "yann"]);
    // The conflict is resolved with our own side.
    git(&env, &["merge", "--quiet", "--strategy-option", "ours", "--no-edit", "main"]);
    let (said, origins) = compared(&env, "main", &["--require-asked"]);
    assert_eq!(origins["user/yann@acme.example"], "asked");
    assert!(
        said.code == 3 && said.stderr.contains("user/zoe@acme.example was lost in a merge"),
        "{}",
        said.stderr
    );
    // With a commit that removes her, somebody has asked for it.
    with(&format!("{ZOE}{}", ZOE.replace("zoe", "yann").trim_start_matches("users:\n")));
    git(&env, &["commit", "--quiet", "--all", "--message", "both"]);
    with(&ZOE.replace("zoe", "yann"));
    git(&env, &["commit", "--quiet", "--all", "--message", "without zoe"]);
    let (said, _) = compared(&env, "main", &["--require-asked"]);
    assert!(!said.stderr.contains("lost in a merge"), "{}", said.stderr);
}

#[test]
fn a_file_that_is_gone_or_there_twice_is_caught() {
    let env = repository();
    env.write("access/copy.yaml", example("hive.yaml"));
    let (said, _) = compared(&env, "HEAD", &["--require-asked"]);
    assert!(said.code == 1 && said.stderr.contains("duplicate-organization"), "{}", said.stderr);
    // Another organisation is still there, and this one is gone.
    std::fs::remove_file(env.path("access/copy.yaml")).unwrap();
    std::fs::remove_file(env.path("access/hive.yaml")).unwrap();
    env.write("access/bitpanda.yaml", example("bitpanda.yaml"));
    let (said, _) = compared(&env, "HEAD", &["--require-asked", "--out", "plan.json"]);
    assert!(said.code == 3 && said.stderr.contains("No file describes hive acme any more"), "{}", said.stderr);
    assert!(said.stderr.contains("The plan was not saved") && !env.path("plan.json").exists(), "{}", said.stderr);
    let plan: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(plan["undescribed"][0]["file"], "HEAD:access/hive.yaml");
    let said = env.run(&["plan", "--sandbox", "access", "--base", "HEAD"]);
    let first = said.stdout.lines().next().unwrap();
    assert!(
        first.starts_with("1 organisation: ")
            && first.ends_with("No file describes 1 other organisation any more."),
        "{first}"
    );
}

#[test]
fn two_pull_requests_that_are_safe_alone_can_be_refused_together() {
    let env = Env::new();
    let base = example("hive.yaml").replace("max_removals: 2", "max_removals: { users: 3, keys: 2 }");
    let removes = |who: &str, rest: &str| {
        let entry = base.split("\n  - ").find(|entry| entry.starts_with(&format!("email: {who}"))).unwrap();
        let entry = entry.split("\n\n").next().unwrap();
        base.replace(entry, &format!("email: {who}\n    absent: true{rest}"))
    };
    env.write("base/hive.yaml", &base);
    env.write("access/hive.yaml", removes("sam@acme.example", ""));
    env.write(
        "other/hive.yaml",
        base.replace("users:\n", "users:\n  - email: ghost@acme.example\n    absent: true\n"),
    );
    let plan = |folder: &str, more: &[&str]| {
        let args = [&["plan", "--sandbox", folder, "--base", "base", "--format", "json"], more].concat();
        let said = env.run(&args);
        (said.code, serde_json::from_str::<Value>(&said.stdout).unwrap_or_default(), said.stderr)
    };
    assert_eq!(plan("access", &[]).0, 0, "{}", plan("access", &[]).2);
    assert_eq!(plan("other", &[]).0, 0, "{}", plan("other", &[]).2);
    let (code, together, stderr) = plan("access", &["--with", "other"]);
    assert_eq!(code, 3, "{stderr}");
    let plan_of_both = &together["organizations"][0];
    assert_eq!(plan_of_both["together"]["with"], json!(["other"]));
    assert_eq!(plan_of_both["together"]["refusals"], json!(["max_removals"]));
    let origins = &plan_of_both["comparison"]["changes"];
    for address in ["user/ghost@acme.example", "user/sam@acme.example"] {
        assert_eq!(origins[address]["is"], "asked", "{origins:#}");
    }
    // The same lines in both can't be merged.
    env.write("third/hive.yaml", removes("sam@acme.example", " # gone"));
    let (code, _, stderr) = plan("access", &["--with", "third"]);
    assert!(code == 1 && stderr.contains("both change the same lines of access/hive.yaml"), "{stderr}");
}

#[test]
fn branches_are_merged_from_where_they_began() {
    let env = repository();
    let with = |entries: &str| env.write("access/hive.yaml", example("hive.yaml").replace("users:\n", entries));
    git(&env, &["checkout", "--quiet", "-b", "other"]);
    // At the end of the file, far from the users.
    env.write(
        "access/hive.yaml",
        example("hive.yaml")
            .replace("  - name: legacy-ci\n    absent: true", "  - name: nightly\n    absent: true"),
    );
    git(&env, &["commit", "--quiet", "--all", "--message", "nightly"]);
    git(&env, &["checkout", "--quiet", "main"]);
    with(ZOE);
    git(&env, &["commit", "--quiet", "--all", "--message", "zoe"]);
    git(&env, &["checkout", "--quiet", "-b", "topic"]);
    with(&format!("{ZOE}{}", ZOE.replace("zoe", "yann").trim_start_matches("users:\n")));
    let (said, origins) = compared(&env, "main", &["--with", "other"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert_eq!(origins["user/yann@acme.example"], "asked");
    assert_eq!(origins["user/zoe@acme.example"], "drifted", "main has her, and nobody has applied it");
    assert!(!origins.contains_key("key/legacy-ci"), "{origins:?}");
}

#[test]
fn only_what_was_asked_for_is_applied() {
    let env = repository();
    env.write("access/hive.yaml", example("hive.yaml").replace("users:\n", ZOE));
    let (said, _) = compared(&env, "HEAD", &["--out", "plan.json", "--require-asked"]);
    assert!(said.code == 3 && said.stderr.contains("not-asked-for"), "{}", said.stderr);
    let (said, before) = compared(&env, "HEAD", &["--out", "plan.json"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let said = env.run(&["apply", "--sandbox", "access", "--plan", "plan.json", "--only-asked"]);
    assert_eq!(said.code, 0, "{}", said.all());
    assert!(
        said.stdout.contains("\n1 done. ") && said.stdout.contains("user/zoe@acme.example"),
        "{}",
        said.stdout
    );
    let (_, after) = compared(&env, "HEAD", &[]);
    let mut expected = before;
    expected.remove("user/zoe@acme.example");
    assert_eq!(after, expected, "what has drifted stays");
    // A plan without a base doesn't say what was asked for.
    env.run(&["plan", "--sandbox", "access", "--out", "plan.json"]);
    let said = env.run(&["apply", "--sandbox", "access", "--plan", "plan.json", "--only-asked"]);
    assert!(said.code == 1 && said.stderr.contains("rolecall plan --base"), "{}", said.all());
}

#[test]
fn a_file_that_was_moved_is_found_in_the_base() {
    let env = repository();
    git(&env, &["mv", "access/hive.yaml", "access/acme.yaml"]);
    git(&env, &["mv", "access", "rights"]);
    for path in ["rights", "rights/acme.yaml"] {
        let said = env.run(&["plan", "--sandbox", path, "--base", "HEAD", "--format", "json"]);
        let plan: Value = serde_json::from_str(&said.stdout).unwrap();
        let origins = &plan["organizations"][0]["comparison"]["changes"];
        assert_eq!(origins["user/alice@acme.example"]["is"], "drifted", "{path}: {origins:#}");
    }
}

#[test]
fn a_copy_of_the_whole_folder_is_a_base_too() {
    let env = repository();
    env.write("copy/access/hive.yaml", example("hive.yaml"));
    env.write("copy/more/bitpanda.yaml", example("bitpanda.yaml"));
    env.write("more/bitpanda.yaml", example("bitpanda.yaml"));
    let said = env.run(&["plan", "--sandbox", "access", "more", "--base", "copy", "--format", "json"]);
    let plan: Value = serde_json::from_str(&said.stdout).unwrap();
    for organization in plan["organizations"].as_array().unwrap() {
        let origins = organization["comparison"]["changes"].as_object().unwrap();
        assert!(!origins.is_empty() && origins.values().all(|origin| origin["is"] != "asked"), "{origins:#?}");
    }
    assert_eq!(plan["undescribed"], Value::Null);
}

#[test]
fn a_base_whose_file_is_none_of_rolecalls_is_not_taken_for_a_new_organisation() {
    let env = repository();
    for text in [&b"\xff\xfe\x00garbage"[..], b"organization: acme\nusers: []\n"] {
        env.write("access/hive.yaml", text);
        git(&env, &["commit", "--quiet", "--all", "--message", "broken"]);
        env.write("access/hive.yaml", example("hive.yaml"));
        let (said, origins) = compared(&env, "HEAD", &["--require-asked"]);
        assert!(said.code == 3 && origins.is_empty(), "{}", said.all());
        assert!(
            said.stderr.contains("isn't a file of rolecall there") || said.stderr.contains("can't be planned")
        );
    }
}

#[test]
fn a_folder_with_the_name_of_a_revision_is_no_base() {
    let env = repository();
    env.write("HEAD/hive.yaml", example("hive.yaml").replace("email: alice", "email: mallory"));
    let (_, origins) = compared(&env, "HEAD", &[]);
    assert_eq!(origins["user/alice@acme.example"], "drifted", "the revision counts");
    let (_, origins) = compared(&env, "./HEAD", &[]);
    assert_eq!(origins["user/alice@acme.example"], "asked", "and this is the folder");
}

#[test]
fn a_branch_that_is_behind_names_where_it_began() {
    let env = repository();
    git(&env, &["checkout", "--quiet", "-b", "topic"]);
    git(&env, &["checkout", "--quiet", "main"]);
    env.write("access/hive.yaml", example("hive.yaml").replace("users:\n", ZOE));
    git(&env, &["commit", "--quiet", "--all", "--message", "zoe"]);
    git(&env, &["checkout", "--quiet", "topic"]);
    let (said, _) = compared(&env, "main", &["--require-asked"]);
    assert!(
        said.stderr.contains("main as of ")
            && said.stderr.contains(", where this branch began, asks for the same"),
        "{}",
        said.stderr
    );
}

#[test]
fn a_permission_with_the_word_token_is_shown_and_a_command_is_not() {
    for deliver in
        ["{ command: [store, --token, abc123] }", "[{ file: k }, { command: [store, --token, abc123] }]"]
    {
        let env = repository();
        let file = example("hive.yaml");
        let more = file.replace("laboratory:describe]", "laboratory:describe, accessToken:modify]");
        let more = more.replace("{ file: keys/ci-publisher.key }", deliver);
        assert_ne!(more, file);
        env.write("access/hive.yaml", &more);
        let (said, origins) = compared(&env, "HEAD", &["--require-asked"]);
        assert_eq!(origins["role/Developer"], "asked");
        assert!(said.stdout.contains("accessToken:modify]") && !said.all().contains("abc123"), "{}", said.all());
        assert!(!said.stderr.contains("indentation"), "{}", said.stderr);
    }
}

#[test]
fn a_lost_first_line_and_lost_guardrails_are_caught() {
    let mut team = hive();
    let absent = "  - email: dan@x.example\n    absent: true\n";
    // An entry without values takes in whatever follows.
    team.base =
        team.base.replace("cat@x.example\n    roles: [Reviewer]\n    resources: {}\n", "cat@x.example\n") + absent;
    let base = team.base.clone();
    assert_eq!(team.objections(&base), [""; 0]);
    let lost = base.replace("  - email: dan@x.example\n", "");
    let found = team.objections(&lost);
    assert!(
        found.iter().any(|found| found.contains("The lines of user/dan@x.example are still here")),
        "{found:?}"
    );
    // Without the whole entry, somebody has decided that it is over.
    assert_eq!(team.objections(&base.replace(absent, "")), [""; 0]);
    for field in ["manage", "guardrails"] {
        let line = base.lines().find(|line| line.starts_with(field)).unwrap().to_owned();
        let found = team.objections(&base.replace(&line, ""));
        assert!(found.iter().any(|found| found.contains(&format!("The field `{field}` is gone"))), "{found:?}");
    }
    // Two lines that change places are no slip of the indentation.
    let swapped =
        base.replace("        production: all\n      blog: all", "        staging: all\n      blog: all");
    assert_eq!(team.objections(&swapped), [""; 0]);
}

#[test]
fn an_entry_that_gets_an_id_is_the_same_entry() {
    let mut team = bitpanda();
    let id = team.live.keys().iter().find(|key| key.name.as_str() == "reports").unwrap().id.to_string();
    let with_id = team.base.replace("  - name: reports\n", &format!("  - id: {id}\n    name: reports\n"));
    assert_ne!(with_id, team.base);
    assert_eq!(team.objections(&with_id), [""; 0]);
}

#[test]
fn a_sum_with_an_error_says_that_it_is_the_sum() {
    let env = Env::new();
    env.write("base/hive.yaml", example("hive.yaml"));
    env.write("access/hive.yaml", example("hive.yaml").replace("users:\n", ZOE));
    let end = ZOE.trim_start_matches("users:\n");
    env.write("other/hive.yaml", example("hive.yaml").replace("  # ghost@", &format!("{end}\n  # ghost@")));
    let said = env.run(&["plan", "--sandbox", "access", "--base", "base", "--with", "other"]);
    assert!(said.code == 1 && said.stderr.contains("duplicate-user"), "{}", said.stderr);
    assert!(said.stderr.contains("these files together with `other`"), "{}", said.stderr);
}

#[test]
fn a_base_with_errors_says_that_no_origin_is_known() {
    let env = repository();
    env.write("old.yaml", example("hive.yaml").replace("roles: [Viewer]", "roles: [Viewer, Admin]"));
    let (said, origins) = compared(&env, "old.yaml", &["--require-asked"]);
    assert!(origins.is_empty());
    assert!(
        said.code == 3 && said.stderr.contains("Nobody can tell which changes are asked for here"),
        "{}",
        said.stderr
    );
    let (said, _) = compared(&env, "old.yaml", &[]);
    assert_eq!(said.code, 0, "a pull request can mend the base");
}

#[test]
fn lines_that_may_have_a_credential_are_not_shown() {
    let env = repository();
    env.write("old.yaml", example("hive.yaml").replace("HIVE_TOKEN", "OLD_SECRET_NAME"));
    let (said, _) = compared(&env, "old.yaml", &[]);
    assert!(!said.all().contains("OLD_SECRET_NAME"), "{}", said.all());
}
