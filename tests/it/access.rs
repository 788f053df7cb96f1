//! `rolecall access`: who has what, in every form.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use rolecall::cli::{SchemaName, schema_text};
use rolecall::report::{ACCESS_VERSION, AccessReport, Format, Layout, Subject, render};
use rolecall_model::{Facts, ProviderName, Site};
use rolecall_plan::PlanInput;
use rolecall_plan::access::access;
use rolecall_sandbox::definition;
use serde_json::Value;

use crate::support::bitpanda::{user, world};
use crate::support::cli::{Env, Said, example, served};
use crate::support::rig::{Rig, now};

/// Creates a folder with the examples of all platforms.
fn examples() -> Env {
    let env = Env::new();
    for provider in ProviderName::ALL {
        let name = format!("{provider}.yaml");
        env.write(&name, example(&name));
    }
    env
}

fn shown(env: &Env, args: &[&str]) -> Said {
    let said = env.run(&[&["access", "--sandbox"], args].concat());
    assert_eq!(said.code, 0, "{}", said.all());
    said
}

/// Returns a report of a Bitpanda organisation with these users.
fn report(users: &[(&str, &str)], body: &str) -> AccessReport {
    let mut world = world();
    for (email, role) in users {
        world.users.push(user(email, &[role]));
    }
    let rig: crate::support::bitpanda::Rig = Rig::new(world, body);
    let found = access(&PlanInput {
        desired: &rig.desired,
        live: &rig.read().unwrap(),
        facts: &Facts::default(),
        rules: rolecall_providers::rules(ProviderName::Bitpanda),
        site: &Site::host("sandbox"),
        asserted: &BTreeSet::default(),
        only: None,
        approved: None,
        caller: None,
        now: now(),
    });
    AccessReport {
        format_version: ACCESS_VERSION.to_owned(),
        generator: "rolecall".to_owned(),
        at: now(),
        shard: None,
        partial: false,
        filtered: false,
        organizations: vec![found],
        unread: Vec::new(),
    }
}

fn written(report: &AccessReport, format: Format) -> String {
    render(Subject::Access { report, why: true }, format, Layout::default()).unwrap()
}

#[test]
fn one_person_is_one_block_over_all_platforms() {
    let said = shown(&examples(), &["."]);
    insta::assert_snapshot!("access_examples", said.stdout);
    let jane: Vec<&str> = said.stdout.lines().skip_while(|line| !line.starts_with("jane@")).take(6).collect();
    for provider in ProviderName::ALL {
        assert!(jane.iter().any(|line| line.contains(provider.as_str())), "{provider}: {jane:#?}");
    }
    assert_eq!(said.stdout.matches("jane@acme.example   ").count(), 1);
}

#[test]
fn filters_combine() {
    let env = examples();
    let cases: &[(&[&str], &[&str], &[&str])] = &[
        (&["--user", "jane@acme.example", "."], &["jane@"], &["ghost@", "key/"]),
        (&["--user", "*@acme.example", "--privileged", "."], &["jane@", "owner@"], &["ghost@", "key/"]),
        (&["--role", "Viewer", "hive.yaml"], &["ghost@", "sam@", "new1@"], &["jane@", "key/"]),
        (
            &["--can", "member:modify", "hive.yaml"],
            &["jane@", "owner@", "key/rolecall"],
            &["alice@", "key/legacy-ci"],
        ),
        (
            &["--can", "schemaVersion:publish", "--keys", "hive.yaml"],
            &["key/legacy-ci"],
            &["jane@", "key/rolecall"],
        ),
        (&["--can", "project:describe", "--resource", "blog", "hive.yaml"], &["ghost@", "jane@"], &["alice@"]),
        (&["--resource", "shop/production/services/cart", "hive.yaml"], &["alice@", "jane@"], &["ghost@"]),
        (&["--resource", "team/Payments", "rapidapi.yaml"], &["ghost@", "jane@", "sam@"], &["max@"]),
        (&["--unmanaged", "hive.yaml"], &["ghost@"], &["jane@", "owner@", "key/rolecall"]),
        (&["--unmanaged", "--privileged", "hive.yaml"], &["0 people"], &["jane@", "ghost@", "owner@"]),
    ];
    for (args, present, absent) in cases {
        let text = shown(&env, args).stdout;
        for word in *present {
            assert!(text.contains(word), "{args:?} lacks {word}\n{text}");
        }
        for word in *absent {
            assert!(!text.contains(word), "{args:?} has {word}\n{text}");
        }
    }
}

#[test]
fn why_names_role_resource_line_and_run() {
    let env = examples();
    let run = |args: &[&str]| env.run(&[args, &["--sandbox", "hive.yaml"]].concat());
    assert_eq!(run(&["apply", "--auto-approve"]).code, 0);
    let text = run(&["access", "--why", "--user", "alice@acme.example"]).stdout;
    for word in [
        "Schema reviewer on blog",
        "assigned; on blog/production/services/*, mobile/*",
        "hive.yaml:58",
        "since $TODAY, by run",
        "allows ",
    ] {
        assert!(text.contains(word), "{word}\n{text}");
    }
}

#[test]
fn an_organisation_needs_no_file() {
    let env = Env::new();
    let said = env.run(&["access", "--sandbox", "hive", "acme"]);
    assert_eq!(said.code, 0, "{}", said.all());
    assert!(said.stdout.contains("Admin on everything; privileged; not in any file"), "{}", said.stdout);
    let said = env.run(&["access", "--sandbox", "nowhere", "acme"]);
    assert_eq!(said.code, 1, "{}", said.all());
}

/// What a platform doesn't tell has no answer, and that is said.
#[test]
fn a_question_that_no_platform_answers_is_an_error() {
    let env = examples();
    let said = env.run(&["access", "--sandbox", "--can", "member:modify", "bitpanda.yaml"]);
    assert_eq!(said.code, 1, "{}", said.all());
    assert!(said.stderr.contains("don't tell what their roles allow"), "{}", said.stderr);
    let said = shown(&env, &["--can", "member:modify", "."]);
    assert!(said.stderr.contains("paradime acme0analytics00 doesn't tell"), "{}", said.stderr);
    let said = shown(&env, &["--can", "member:modfy", "hive.yaml"]);
    assert!(said.stderr.contains("No platform names the permission member:modfy"), "{}", said.stderr);
}

#[test]
fn an_incomplete_list_fails_unless_it_is_asked_for_in_part() {
    let (env, _server) = served(ProviderName::Rapidapi, &["--set", "total-off-by=50"]);
    let said = env.run(&["access", "file.yaml"]);
    assert_eq!(said.code, 1, "{}", said.all());
    assert!(said.stdout.is_empty() && said.stderr.contains("The list of users"), "{}", said.all());
    assert!(said.stderr.contains("`--partial`"), "{}", said.stderr);
    for (format, mark) in [
        ("text", "This report is partial"),
        ("json", "\"partial\": true"),
        ("html", "class=\"banner\""),
        ("markdown", "[!WARNING]"),
    ] {
        let said = env.run(&["access", "--partial", "--format", format, "file.yaml"]);
        assert!(said.code == 0 && said.stdout.contains(mark), "{}", said.all());
    }
    let said = env.run(&["access", "file.yaml", "--timeout", "1", "--ca-file", "missing.pem"]);
    assert!(said.code == 1 && said.stdout.is_empty(), "{}", said.all());
}

#[test]
fn a_format_that_a_verb_lacks_is_refused_before_anything_is_read() {
    let env = examples();
    for args in [
        &["plan", "--format", "csv"][..],
        &["apply", "--auto-approve", "--report", "mermaid=a.mmd"],
        &["validate", "--report", "html=a.html"],
        &["access", "--format", "sarif"],
        &["keys", "--format", "html"],
    ] {
        let sandbox = if args[0] == "validate" { &[][..] } else { &["--sandbox"] };
        let said = env.run(&[args, sandbox, &["hive.yaml"]].concat());
        assert_eq!(said.code, 1, "{}", said.all());
        assert!(said.stdout.is_empty() && said.stderr.contains("This verb has no report"), "{}", said.all());
    }
    assert!(!env.path(".rolecall").exists());
}

#[test]
fn json_has_a_schema() {
    let schema: Value = serde_json::from_str(&schema_text(SchemaName::Access)).unwrap();
    let said = shown(&examples(), &["--format", "json", "."]);
    let document: Value = serde_json::from_str(&said.stdout).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    let holders = document["organizations"][1]["holders"].as_array().unwrap();
    let alice = holders.iter().find(|holder| holder["address"] == "user/alice@acme.example").unwrap();
    assert_eq!(alice["grants"][0]["role"], "Developer");
    assert_eq!(alice["grants"][0]["on"][0], "shop/production/apps/ios-app");
}

/// Reads comma-separated values as a spreadsheet does.
pub(crate) fn cells(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' if quoted && rest.peek() == Some(&'"') => cell.extend(rest.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\r' if !quoted && rest.peek() == Some(&'\n') => {
                rest.next();
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            c => cell.push(c),
        }
    }
    assert!(cell.is_empty() && row.is_empty(), "the last row has no end");
    rows
}

#[test]
fn csv_is_one_row_a_grant_and_no_cell_is_a_formula() {
    let report = report(
        &[
            ("a@x.example", "=HYPERLINK(\"http://x\",\"y\")"),
            ("b@x.example", "+1"),
            ("c@x.example", "-1"),
            ("d@x.example", "@sum"),
            ("e@x.example", "plain, \"quoted\""),
        ],
        "",
    );
    let rows = cells(&written(&report, Format::Csv));
    let column = rows[0].iter().position(|name| name == "role").unwrap();
    assert!(rows.iter().all(|row| row.len() == rows[0].len()), "{rows:#?}");
    let roles: Vec<&str> =
        rows.iter().filter(|row| row[0].ends_with("@x.example")).map(|row| &*row[column]).collect();
    assert_eq!(roles, ["'=HYPERLINK(\"http://x\",\"y\")", "'+1", "'-1", "'@sum", "plain, \"quoted\""]);
    let all = cells(&shown(&examples(), &["--format", "csv", "."]).stdout);
    assert!(all.len() > 30);
    assert!(all.iter().flatten().all(|cell| !cell.starts_with(['=', '+', '-', '@', '\t', '\r'])));
}

/// A role that changes means something to those who hold it, although no entry of theirs changes.
#[test]
fn a_plan_says_what_a_role_means_to_its_holders_the_privileged_first() {
    let env = examples();
    let file = env.read("hive.yaml");
    env.write(
        "hive.yaml",
        file.replace(
            "permissions: [project:describe, schemaCheck:approve]",
            "permissions: [project:describe, member:modify]",
        ),
    );
    let run = |args: &[&str]| env.run(&[args, &["--sandbox", "hive.yaml"]].concat());
    assert_eq!(run(&["apply", "--auto-approve"]).code, 0);
    env.write("hive.yaml", file);
    let plan = run(&["plan"]).stdout;
    let (_, affected) = plan.split_once("~ user/alice@acme.example").unwrap();
    assert!(affected.contains("by role/Schema reviewer"), "{plan}");
    assert!(affected.contains("no longer    member:modify (privileged) at organization"), "{plan}");
    assert!(affected.contains("may now      schemaCheck:approve at"), "{plan}");
    let json: Value = serde_json::from_str(&run(&["plan", "--format", "json"]).stdout).unwrap();
    let alice = &json["organizations"][0]["access"]["user/alice@acme.example"];
    assert_eq!(alice["loses"][0]["name"], "member:modify");
    assert_eq!(alice["loses"][0]["privileged"], true);
    // The seal covers what is sent, and not what it means.
    assert!(json["organizations"][0]["sealed"]["access"].is_null());
    let comment = run(&["drift", "--format", "markdown"]).stdout;
    assert!(comment.contains("| by role/Schema reviewer |") && comment.contains("**no longer**"), "{comment}");
}

/// The page works without a network and without scripts, and no name becomes markup.
#[test]
fn the_page_loads_nothing_and_no_name_is_markup() {
    let report = report(
        &[("a@x.example", "<img src=http://x onerror=alert(1)>"), ("b@x.example", "\"><script>alert(1)</script>")],
        "",
    );
    let page = written(&report, Format::Html);
    assert!(!page.contains("<img") && page.matches("<script>").count() == 1, "{page}");
    assert!(page.contains("default-src &#39;none&#39;") || page.contains("default-src 'none'"), "{page}");
    let page = shown(&examples(), &["--format", "html", "."]).stdout;
    for loads in ["http:", "https:", "src=", "url(", "@import", "<link", "<iframe", "unsafe-inline", "fetch("] {
        assert!(!page.contains(loads), "{loads}");
    }
    // Without scripts, the filter isn't shown, and everything else is.
    assert!(page.contains("<form class=\"tools\" hidden>") && page.contains("jane@acme.example"));
}

/// The names under which Chromium may be installed.
const BROWSERS: &[&str] = &["chromium", "chromium-browser", "google-chrome", "chrome"];

/// Returns the page as a browser shows it after its script has run, or nothing if there is no browser.
pub(crate) fn rendered(page: &Path, hash: &str) -> Option<String> {
    let folder = page.parent().unwrap();
    BROWSERS.iter().find_map(|browser| {
        let profile = format!("--user-data-dir={}", folder.join("profile").display());
        let url = format!("file://{}{hash}", page.display());
        let output = Command::new(browser)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
                "--disable-background-networking",
            ])
            .args([
                "--disable-component-update",
                "--disable-sync",
                "--virtual-time-budget=3000",
                "--dump-dom",
                &profile,
                &url,
            ])
            .output();
        output
            .ok()
            .filter(|output| output.status.success())
            .map(|output| String::from_utf8(output.stdout).unwrap())
    })
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn a_browser_shows_and_filters_the_page() {
    let env = examples();
    env.write("page.html", shown(&env, &["--format", "html", "."]).stdout);
    let Some(page) = rendered(&env.path("page.html"), "") else {
        eprintln!("skipped: there is no Chromium on this machine");
        return;
    };
    assert!(page.contains("22 of 22 shown") && !page.contains("class=\"tools\" hidden"), "the script didn't run");
    let page = rendered(&env.path("page.html"), "#ghost%20hive").unwrap();
    assert!(page.contains(">1 of 22 shown<"), "{page}");
    assert_eq!(page.matches("hidden=\"\"").count(), 21, "every other person is hidden");
}

/// Law 8: no secret in any output at any verbosity, no id of an invitation on Hive, and no path of Paradime.
#[test]
fn no_secret_is_in_any_report() {
    for provider in ProviderName::ALL {
        let (env, server) = served(*provider, &[]);
        let mut said = String::new();
        for format in ["text", "json", "csv", "markdown", "html"] {
            said.push_str(
                &env.run(&["access", "-vv", "--why", "--full", "--partial", "--format", format, "file.yaml"])
                    .all(),
            );
        }
        assert!(said.contains("jane@acme.example"), "{said}");
        let mut secrets: Vec<String> =
            (definition(*provider).own_credentials)().into_iter().map(|(_, secret)| secret.to_owned()).collect();
        // The code of an invitation on Hive, as it is and in the id of the invitation.
        secrets.extend(["5d41402abc".to_owned(), "35643431343032616263".to_owned()]);
        if *provider == ProviderName::Paradime {
            let path = server.url.splitn(4, '/').nth(3).unwrap().split('/').nth(2).unwrap().to_owned();
            assert!(path.len() > 5, "{path}");
            secrets.push(path);
        }
        for secret in
            secrets.iter().filter(|secret| **secret != "sandbox-own-key" || *provider == ProviderName::Bitpanda)
        {
            assert!(!said.contains(&**secret), "{provider}: {secret}");
        }
    }
}

/// Somebody whose row can't be read has access all the same, so no form leaves them out.
#[test]
fn a_row_that_can_not_be_read_is_in_every_form() {
    let env = Env::new();
    let mut world = rolecall_sandbox::hive::World::seed("acme").unwrap();
    let admin = world.roles.iter().find(|role| role.name == "Admin").unwrap().id.clone();
    let ghost = world.members.iter_mut().find(|member| member.email.starts_with("ghost@")).unwrap();
    (ghost.email, ghost.role_id) = ("zero\u{200b}ghost@acme.example".to_owned(), admin);
    env.write(".rolecall/sandbox/hive-acme.json", serde_json::to_string(&world).unwrap());
    let csv = shown(&env, &["hive", "acme", "--privileged", "--format", "csv"]).stdout;
    let row = csv.lines().find(|line| line.contains("can't be read")).unwrap_or_else(|| panic!("{csv}"));
    assert!(row.starts_with(",,hive,acme,user/") && row.contains(",yes,Admin,"), "{row}");
    let text = shown(&env, &["hive", "acme"]).stdout;
    assert!(text.contains("1 row can't be read, 1 of them privileged"), "{text}");
    for form in ["json", "markdown", "html"] {
        assert!(shown(&env, &["hive", "acme", "--format", form]).stdout.contains("ghost"), "{form}");
    }
    let file = env.run(&["import", "--sandbox", "hive", "acme"]).stdout;
    assert!(file.contains(" can't be read: ") && file.contains("It has `Admin`, which is privileged."), "{file}");
}

#[test]
fn a_question_about_nobody_says_so() {
    let env = examples();
    let said = shown(&env, &["hive.yaml", "--user", "typo@acme.example", "--role", "Nope"]);
    assert!(said.stderr.contains("Nobody has the address user/typo@acme.example."), "{}", said.all());
    assert!(said.stderr.contains("Nobody has a role Nope."), "{}", said.all());
}

/// One person is one block, also where they have another address on one platform.
#[test]
fn a_person_with_an_alias_is_one_person() {
    let env = examples();
    let hive = example("hive.yaml").replace("\nusers:", "\ninclude: [people.yaml]\nusers:");
    env.write("hive.yaml", hive);
    env.write(
        "people.yaml",
        "kind: people\npeople: [{ email: sam@acme.example, aliases: { hive: ghost@acme.example } }]\n",
    );
    let said = shown(&env, &["--user", "sam@acme.example", "hive.yaml", "paradime.yaml"]);
    let blocks: Vec<&str> = said.stdout.lines().filter(|line| line.ends_with("@acme.example")).collect();
    assert_eq!(blocks, ["sam@acme.example"], "{}", said.stdout);
    assert!(said.stdout.contains("as ghost@acme.example"), "{}", said.stdout);
    let env = &env;
    let of_alias = shown(env, &["--user", "ghost@acme.example", "--format", "csv", "hive.yaml"]).stdout;
    assert!(of_alias.lines().skip(1).all(|row| row.starts_with("sam@acme.example,")), "{of_alias}");
    assert_eq!(of_alias.lines().count(), 2, "{of_alias}");
}
