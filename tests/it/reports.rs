//! Every format of a report: golden files of the examples, and hostile names, which must have no effect.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::support::cli::{Env, example};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use quick_junit::{NonSuccessKind, TestCaseStatus};
use rolecall::cli::{SchemaName, schema_text};
use rolecall::report::{Format, Layout, Subject, render};
use rolecall_model::{Address, OrganizationPlan, Plan, ProviderName};

/// Removes what depends on the day, as the sandbox's worlds do.
fn without_seals(text: &str) -> String {
    let mut parts = text.split("sha256:");
    let first = parts.next().unwrap_or_default().to_owned();
    let text = parts.fold(first, |text, part| format!("{text}sha256:$SEAL{}", part.get(64..).unwrap_or_default()));
    // The number of days until the credential ends is another one tomorrow.
    let line = |line: &str| match line.split_once("\"days\": ") {
        Some((before, _)) => format!("{before}\"days\": $DAYS\n"),
        None => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

/// Creates a folder with an example and every report of it, all from one run.
fn reported(provider: &str, verb: &str) -> Env {
    let env = Env::new();
    let file = format!("{provider}.yaml");
    env.write(&file, example(&file).replace("requests_per_minute: 10", "requests_per_minute: 6000"));
    let mut args = vec![verb.to_owned(), "--sandbox".to_owned(), file];
    for format in Format::OF_PLANS {
        args.extend(["--report".to_owned(), format!("{0}={0}.out", format.as_str())]);
    }
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let said = env.run(&args);
    assert!(said.code == 0 || verb == "drift" && said.code == 2, "{}", said.all());
    assert_eq!(said.stdout.trim(), env.read("text.out").replace(&today(), "$TODAY").trim(), "one run, one text");
    env
}

/// Returns the content of a page, without its style and its script. Another form is returned as it is.
pub(crate) fn content(text: &str) -> String {
    let content = text.split_once("<body>").and_then(|(_, body)| body.split_once("<script>"));
    content.map_or(text, |(content, _)| content).to_owned()
}

fn today() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%d").to_string()
}

pub(crate) fn plan_of(provider: &str) -> Plan {
    serde_json::from_str(&reported(provider, "plan").read("json.out")).unwrap()
}

pub(crate) fn shown(plan: &Plan, format: Format) -> String {
    let text = render(Subject::Plan(plan), format, Layout::default()).unwrap();
    anstream::adapter::strip_str(&text).to_string()
}

#[test]
fn each_form_of_each_example() {
    for provider in ProviderName::ALL.iter().map(|name| name.as_str()) {
        let env = reported(provider, "plan");
        for format in Format::OF_PLANS {
            let name = format!("{provider}_{}", format.as_str());
            let text = env.read(&format!("{}.out", format.as_str())).replace(&today(), "$TODAY");
            insta::assert_snapshot!(name, without_seals(&content(&text)));
        }
        let plan: serde_json::Value = serde_json::from_str(&env.read("json.out")).unwrap();
        let errors: Vec<String> =
            schema(SchemaName::Plan).iter_errors(&plan).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{provider} {errors:?}");
    }
}

#[test]
fn drift_is_reported_as_drift() {
    let env = reported("hive", "drift");
    insta::assert_snapshot!("hive_drift_markdown", without_seals(&env.read("markdown.out")));
    insta::assert_snapshot!("hive_drift_html", without_seals(&content(&env.read("html.out"))));
    let report = quick_junit::Report::deserialize_from_str(&env.read("junit.out")).unwrap();
    let failed = |class: &str| {
        let cases = report.test_suites.iter().flat_map(|suite| &suite.test_cases);
        let of_class =
            cases.filter(|case| case.classname.as_ref().is_some_and(|name| name.as_str().ends_with(class)));
        let failed = of_class.filter(|case| {
            matches!(&case.status, TestCaseStatus::NonSuccess { kind: NonSuccessKind::Failure, .. })
        });
        failed.count()
    };
    let plan: Plan = serde_json::from_str(&env.read("json.out")).unwrap();
    assert_eq!(failed("change"), plan.organizations[0].sealed.changes.len());
    assert_eq!(failed("hold"), 1, "the blocked one");
}

/// A parsed report: the cells of each table row, and all HTML, links and emphasis that a reader would see.
struct Read {
    rows: Vec<Vec<String>>,
    html: Vec<String>,
    links: usize,
}

fn read(markdown: &str) -> Read {
    let mut read = Read { rows: Vec::new(), html: Vec::new(), links: 0 };
    let mut in_head = false;
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH) {
        match event {
            Event::Start(Tag::TableHead) => in_head = true,
            Event::End(TagEnd::TableHead) => in_head = false,
            Event::Start(Tag::TableRow) => read.rows.push(Vec::new()),
            Event::Start(Tag::TableCell) if !in_head => read.rows.last_mut().unwrap().push(String::new()),
            Event::Start(Tag::Link { .. } | Tag::Image { .. } | Tag::Strikethrough | Tag::Emphasis) => {
                read.links += 1;
            }
            Event::Text(text) | Event::Code(text) => {
                if let Some(cell) = read.rows.last_mut().and_then(|row| row.last_mut()) {
                    cell.push_str(&text);
                }
            }
            Event::Html(html) | Event::InlineHtml(html) => {
                let tags = html.split_inclusive('>').map(|tag| tag.trim().to_owned());
                read.html.extend(tags.filter(|tag| tag.starts_with('<')));
            }
            _ => {}
        }
    }
    read
}

const OUR_TAGS: &[&str] =
    &["<details>", "<details open>", "</details>", "<summary>", "</summary>", "<code>", "</code>"];

/// Whether a tag is one of ours. `</summary>` may have text before it in the same piece of HTML.
fn is_ours(tag: &str) -> bool {
    OUR_TAGS.iter().any(|ours| tag == *ours || tag.ends_with("</summary>") && !tag[..tag.len() - 10].contains('<'))
}

/// Returns everything that a plan changes, and everybody else whose access changes with it.
fn touched(plan: &OrganizationPlan) -> BTreeSet<&Address> {
    let changed = || plan.sealed.changes.iter().map(|change| &change.address);
    let is_changed = |address: &&Address| changed().any(|other| other.name == address.name);
    changed().chain(plan.access.keys().filter(|address| !is_changed(address))).collect()
}

#[test]
fn the_comment_has_a_row_for_each_change_and_each_person_the_privileged_ones_first() {
    for provider in ProviderName::ALL.iter().map(|name| name.as_str()) {
        let plan = plan_of(provider);
        let read = read(&shown(&plan, Format::Markdown));
        let touched: BTreeSet<_> = plan.organizations.iter().flat_map(touched).collect();
        assert_eq!(read.rows.len(), touched.len(), "{provider}");
        let words = ["gains privilege ", "loses privilege ", "privileged "];
        let is_privileged = |row: &Vec<String>| words.iter().any(|word| row[0][2..].starts_with(word));
        let privileged: Vec<bool> = read.rows.iter().map(is_privileged).collect();
        let is_person = |row: &&Vec<String>| row[0].contains("user/") || row[0].contains("invitation/");
        let people = read.rows.iter().filter(is_person).count();
        assert_eq!(read.rows.iter().take_while(is_person).count(), people, "people first: {:?}", read.rows);
        for rows in [&privileged[..people], &privileged[people..]] {
            assert!(rows.is_sorted_by_key(|privileged| !privileged), "{provider} {:?}", read.rows);
        }
        let count: usize = plan.organizations.iter().map(|one| one.privileged.len()).sum();
        assert_eq!(privileged.iter().filter(|privileged| **privileged).count(), count);
        assert!(["paradime", "hive"].contains(&provider) || count > 0, "{provider}");
    }
}

/// Returns names that a platform may have and that could be read as markup.
pub(crate) fn hostile() -> Vec<String> {
    let mut names: Vec<String> = [
        "a | b",
        "`code` ``two``",
        "a\\|b",
        "<script>alert(1)</script>",
        "<!-- hidden",
        "</details>",
        "line\nnew\r\nlines",
        "::error file=x::boo",
        "##[error]boo",
        "%0A::error::boo",
        "[link](https://evil.example) ![image](https://evil.example/x.png)",
        "https://evil.example www.evil.example @team é@team GH-1 #123 &lt; jane@evil.example",
        "]]> <![CDATA[ & \" '",
        "**bold** _it_ ~~gone~~ $x$ > quote",
        "\u{1b}[31mred\u{7}\u{202e}",
        "\u{9b}31mred\u{200b}\u{a0}\u{fe0f}\u{e0041}",
        "  padded  ",
        "|",
        "`",
        "",
        " ",
        "\u{fffe}\u{ffff}",
    ]
    .map(ToOwned::to_owned)
    .to_vec();
    names.push("x`|<".repeat(2500));
    names
}

/// Returns the plan with these names replaced by a hostile one.
pub(crate) fn renamed(plan: &Plan, names: &[&str], hostile: &str) -> Plan {
    fn rename(value: &mut serde_json::Value, names: &[&str], hostile: &str) {
        match value {
            serde_json::Value::String(text) => {
                *text = names.iter().fold(text.clone(), |text, name| text.replace(name, hostile));
            }
            serde_json::Value::Array(items) => items.iter_mut().for_each(|item| rename(item, names, hostile)),
            serde_json::Value::Object(fields) => {
                *fields = std::mem::take(fields)
                    .into_iter()
                    .map(|(key, mut value)| {
                        rename(&mut value, names, hostile);
                        (names.iter().fold(key, |key, name| key.replace(name, hostile)), value)
                    })
                    .collect();
            }
            _ => {}
        }
    }
    let mut value = serde_json::to_value(plan).unwrap();
    rename(&mut value, names, hostile);
    serde_json::from_value(value).unwrap()
}

#[test]
fn whatever_a_name_says_no_form_is_broken_by_it() {
    let plan = plan_of("hive");
    let names = ["Schema reviewer", "Developer", "ci-publisher", "@acme.example", "hive.yaml", "in the web app"];
    let changes = touched(&plan.organizations[0]).len();
    let before = quick_junit::Report::deserialize_from_str(&shown(&plan, Format::Junit)).unwrap();
    let annotations = shown(&plan, Format::Github).lines().count();
    for hostile in hostile() {
        let plan = renamed(&plan, &names, &hostile);
        let markdown = shown(&plan, Format::Markdown);
        let read = read(&markdown);
        assert_eq!(read.rows.len(), changes, "{hostile:?}\n{markdown}");
        assert!(read.rows.iter().all(|row| row.len() == 4), "{hostile:?} {:?}", read.rows);
        let foreign: Vec<&String> = read.html.iter().filter(|tag| !is_ours(tag)).collect();
        assert!(foreign.is_empty() && read.links == 0, "{hostile:?} {foreign:?}\n{markdown}");
        assert!(markdown.len() <= 60_000, "{hostile:?} {}", markdown.len());
        let report = quick_junit::Report::deserialize_from_str(&shown(&plan, Format::Junit)).unwrap();
        assert_eq!(report.tests, before.tests, "{hostile:?}");
        assert!(!shown(&plan, Format::Junit).contains(['\u{fffe}', '\u{ffff}']), "no XML holds these");
        let github = shown(&plan, Format::Github);
        assert_eq!(github.lines().count(), annotations, "{hostile:?}\n{github}");
        let is_ours = |line: &str| ["::notice ", "::warning ", "::error "].iter().any(|it| line.starts_with(it));
        assert!(github.lines().all(is_ours), "{hostile:?}\n{github}");
        let mutations = rolecall::report::mutations(&plan);
        for line in shown(&plan, Format::Text).lines().chain(mutations.lines()) {
            assert!(!line.trim_start().starts_with("::") && !line.contains("##["), "{hostile:?} {line}");
        }
        let json = shown(&plan, Format::Json);
        assert!(
            !json.contains(['\u{9b}', '\u{200b}', '\u{a0}', '\u{202e}', '\u{fe0f}', '\u{e0041}']),
            "{hostile:?}"
        );
        let again: Plan = serde_json::from_str(&json).unwrap();
        assert_eq!(again, plan);
    }
}

#[test]
fn a_comment_that_would_be_too_long_leaves_out_what_matters_least_and_says_so() {
    let plan = plan_of("hive");
    let mut one = plan.organizations[0].clone();
    one.access.clear();
    let model =
        one.sealed.changes.iter().find(|change| change.address.to_string().contains("new.user")).unwrap().clone();
    let many = |count: usize| -> Vec<_> {
        let user = |index: usize| {
            let mut change = model.clone();
            change.address = format!("user/u{index:05}@acme.example").parse().unwrap();
            change
        };
        (0..count).map(user).collect()
    };
    for (count, rows) in [(20, 20), (300, 300), (5000, 200)] {
        one.sealed.changes = many(count);
        let plan = Plan { organizations: vec![one.clone()], ..plan.clone() };
        let markdown = shown(&plan, Format::Markdown);
        assert!(markdown.len() <= 60_000, "{}", markdown.len());
        assert_eq!(read(&markdown).rows.len(), rows, "{count}");
        assert_eq!(markdown.contains("changes not shown: the comment is full"), rows < count, "{count}");
        assert_eq!(markdown.contains("The fields of each change are not shown"), count > 20, "{count}");
        assert!(markdown.contains(&format!("{count} mails.**")), "{markdown}");
    }
    one.sealed.changes = many(40);
    let organizations = vec![one; 300];
    let markdown = shown(&Plan { organizations, ..plan }, Format::Markdown);
    assert!(markdown.len() <= 60_000, "{}", markdown.len());
    assert!(markdown.contains("more organisations are not shown: the comment is full"), "{markdown}");
}

/// Long runs keep their head, what isn't done and the number of the others.
#[test]
fn the_comment_of_a_long_apply_is_cut_and_never_empty() {
    let ledger = |runs: usize, mutations: usize| {
        let mut text = String::new();
        for run in 0..runs {
            let mut line = |event: serde_json::Value| {
                let mut record = serde_json::json!({ "at": "2026-11-28T12:00:00Z", "run": format!("r{run}") });
                record.as_object_mut().unwrap().extend(event.as_object().unwrap().clone());
                let _ = writeln!(text, "{record}");
            };
            line(serde_json::json!({
                "event": "run-started", "format_version": "2.0", "generator": "x", "seal": "sha256:0",
                "identity": { "provider": "paradime", "organization": "w", "host": "h" },
            }));
            for index in 0..mutations {
                let address = format!("user/user{index}@acme.example");
                let user = |role: &str| {
                    serde_json::json!({
                        "kind": "user", "id": format!("{index:064x}"), "email": &address[5..], "roles": [role], "enabled": true,
                    })
                };
                let (mutation, operation) = (format!("m{index}"), "updateUserAccountType");
                let change = serde_json::json!({
                    "address": address, "action": "update", "before": user("ADMIN"), "after": user("BUSINESS"),
                    "cause": { "is": "declared" },
                });
                line(
                    serde_json::json!({ "event": "intent", "mutation": mutation, "operation": operation, "change": change }),
                );
                line(serde_json::json!({
                    "event": "outcome", "mutation": mutation, "address": address, "outcome": "failed", "refused": true,
                    "message": "no",
                }));
            }
        }
        text
    };
    let env = Env::new();
    for (runs, mutations, cut) in [
        (1, 100, None),
        (1, 1_500, Some("more are not shown: the comment is full")),
        (2, 1_500, Some("_1 earlier runs are not shown")),
        (300, 20, Some("earlier runs are not shown")),
    ] {
        env.write("big.jsonl", ledger(runs, mutations));
        let said = env.run(&["show", "big.jsonl", "--format", "markdown"]);
        let markdown = said.stdout;
        assert!(
            said.code == 0 && markdown.len() <= 60_000,
            "{runs} {mutations}: {} {}",
            markdown.len(),
            said.stderr
        );
        assert!(markdown.contains("| **failed** | `user/user0@acme.example` |"), "{runs} {mutations}: {markdown}");
        assert!(read(&markdown).rows.len() > 90);
        assert!(cut.is_none_or(|cut| markdown.contains(cut)), "{runs} {mutations}: {markdown}");
    }
}

/// A flood of one kind doesn't hide the others, nor fill the page. JSON has all of it.
#[test]
fn a_flood_of_findings_is_counted_in_the_forms_that_people_read() {
    let env = Env::new();
    let users = "  - { email: jane, roles: [Viewer], resources: all }\n".repeat(500);
    env.write("flood.yaml", format!("{}{users}keys: nope\n", &WRONG[..WRONG.find("  - ").unwrap()]));
    for format in ["text", "markdown", "junit", "github"] {
        let said = env.run(&["validate", "--format", format, "flood.yaml"]);
        assert_eq!(said.code, 1, "{}", said.all());
        assert!(said.stdout.contains("480 more findings of this kind in flood.yaml"), "{format}: {}", said.stdout);
        assert!(said.stdout.contains("wrong-type"), "{format}: {}", said.stdout);
        assert!(said.stdout.len() < 20_000, "{format}: {}", said.stdout.len());
    }
    let said = env.run(&["validate", "--format", "sarif", "flood.yaml"]);
    let sarif: serde_sarif::sarif::Sarif = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(sarif.runs[0].results.as_ref().unwrap().len(), 501);
}

const WRONG: &str = "provider: hive
organization: acme
endpoint: https://api.graphql-hive.com/graphql
credentials: { token: { env: HIVE_TOKEN } }
users:
  - { email: jane, roles: [Viewer], resources: all }
  - { email: sam@acme.example, rolls: [Viewer] }
";

#[test]
fn findings_are_reported_in_every_form_with_their_place() {
    let env = Env::new();
    env.write("wrong, 100%.yaml", WRONG);
    env.write("fine.yaml", example("hive.yaml"));
    for format in Format::OF_FINDINGS {
        let said = env.run(&["validate", "--format", format.as_str(), "wrong, 100%.yaml", "fine.yaml"]);
        assert_eq!(said.code, 1, "{}", said.all());
        insta::assert_snapshot!(format!("findings_{}", format.as_str()), said.stdout);
    }
    let said = env.run(&["validate", "--format", "sarif", "wrong, 100%.yaml"]);
    let sarif: serde_sarif::sarif::Sarif = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(sarif.runs[0].results.as_ref().unwrap().len(), 2);
}

#[test]
fn a_line_of_a_file_gives_no_order_to_the_runner() {
    let env = Env::new();
    env.write("x.yaml", WRONG.replace("resources: all }", "resources: all } # ##[error]boo ::error::boo"));
    for said in [env.run(&["validate", "x.yaml"]), env.run(&["plan", "--sandbox", "x.yaml"])] {
        let all = said.all();
        assert!(all.contains("boo") && !all.contains("##["), "{all}");
        assert!(!all.lines().any(|line| line.trim_start().starts_with("::")), "{all}");
    }
}

#[test]
fn a_guardrail_that_refuses_is_reported_at_the_lines_that_break_it() {
    let env = Env::with_example();
    env.write("bitpanda.yaml", example("bitpanda.yaml").replace("max_removals: 25%", "max_removals: 0"));
    let formats = ["sarif", "github", "junit", "markdown"];
    for format in formats {
        let said = env.run(&["plan", "--sandbox", "--format", format, "bitpanda.yaml"]);
        assert_eq!(said.code, 3, "{}", said.all());
        insta::assert_snapshot!(format!("refused_{format}"), without_seals(&said.stdout));
    }
    let said = env.run(&["plan", "--sandbox", "--format", "sarif", "bitpanda.yaml"]);
    let sarif: serde_sarif::sarif::Sarif = serde_json::from_str(&said.stdout).unwrap();
    let results = sarif.runs[0].results.clone().unwrap();
    assert!(results.iter().all(|result| !result.locations.as_ref().unwrap().is_empty()), "{}", said.stdout);
}

#[cfg(target_os = "linux")]
#[test]
fn a_report_that_can_not_be_written_or_is_not_there_is_an_error_and_nothing_else_is_lost() {
    let env = Env::with_example();
    for (wrong, expected) in [
        (&["--report", "github=no/such/place"] as &[&str], "no/such/place can't be written"),
        (&["--report", "github=."], "it is a folder"),
        (&["--report", "json=-"], "`--format json` prints it"),
        (&["--report", "github=x", "--report", "json=x"], "Two `--report` options name the file x."),
        (&["--report", "github=x", "--report", "json=./x"], "Two `--report` options name the file ./x."),
        (&["--report", "github=./plan.json"], "would be overwritten"),
        (&["--report", "github=./bitpanda.yaml"], "would be overwritten"),
    ] {
        let said = env.run(&[&["plan", "--sandbox", "bitpanda.yaml", "--out", "plan.json"], wrong].concat());
        assert_eq!(said.code, 1, "{}", said.all());
        assert!(
            said.stderr.contains(expected) && said.stdout.is_empty(),
            "before anything is read: {}",
            said.all()
        );
    }
    for out in ["bitpanda.yaml", "no/such/place"] {
        let said = env.run(&["plan", "--sandbox", "bitpanda.yaml", "--out", out]);
        assert!(said.code == 1 && said.stdout.is_empty(), "{}", said.all());
    }
    // A report that can't be written doesn't prevent the others or the plan.
    env.write("disk", "");
    std::os::unix::fs::symlink("/dev/full", env.path("full")).unwrap();
    let args = ["--report", "github=full", "--report", "json=report.json", "--out", "plan.json"];
    let said = env.run(&[&["plan", "--sandbox", "bitpanda.yaml"], &args as &[&str]].concat());
    assert_eq!(said.code, 1, "{}", said.all());
    assert!(said.stderr.contains("full can't be written"), "{}", said.all());
    assert!(env.read("report.json").contains("\"sealed\"") && env.read("plan.json").contains("\"sealed\""));
    for wrong in ["comment.md", "pdf=x", "markdown="] {
        let said = env.run(&["plan", "--sandbox", "bitpanda.yaml", "--report", wrong]);
        assert_eq!(said.code, 1, "{}", said.all());
        assert!(said.stderr.contains("--report"), "{}", said.all());
    }
    env.run(&["apply", "--auto-approve", "--sandbox", "bitpanda.yaml"]);
    let ledger = std::fs::read_dir(env.path(".rolecall/sandbox/ledger")).unwrap().next().unwrap().unwrap().path();
    let said = env.run(&["show", ledger.to_str().unwrap(), "--format", "sarif"]);
    assert_eq!(said.code, 1, "{}", said.all());
    assert!(said.stderr.contains("has no form as `sarif`"), "{}", said.all());
}

/// The characters that end a word.
const ENDS: &[char] = &[' ', '`', '"', '/', ',', '<', '>', '(', ')'];

/// Removes what differs between runs: ids, times, the process and seals.
fn without_chance(text: &str) -> String {
    let uuid = |word: &str| {
        word.len() == 36
            && word.bytes().enumerate().all(|(at, byte)| match at {
                8 | 13 | 18 | 23 => byte == b'-',
                _ => byte.is_ascii_hexdigit(),
            })
    };
    let mut clean = String::new();
    for line in without_seals(text).replace(&today(), "$TODAY").lines() {
        let words: Vec<String> = line
            .split_inclusive(ENDS)
            .map(|word| {
                let bare = word.trim_end_matches(ENDS);
                let is_time = bare.len() == 8 && bare.bytes().filter(|byte| *byte == b':').count() == 2;
                let is_run = bare.len() > 16 && bare.as_bytes()[8] == b'T' && bare.as_bytes()[15] == b'Z';
                match bare {
                    bare if uuid(bare) => word.replace(bare, "$ID"),
                    bare if is_time => word.replace(bare, "$TIME"),
                    bare if is_run => word.replace(bare, "$RUN"),
                    _ => word.to_owned(),
                }
            })
            .collect();
        clean.push_str(&words.concat());
        clean.push('\n');
    }
    clean
}

/// Creates a folder with an applied example and every report of it.
fn applied(provider: &str) -> Env {
    let env = Env::new();
    let file = format!("{provider}.yaml");
    env.write(&file, example(&file).replace("requests_per_minute: 10", "requests_per_minute: 6000"));
    let reports: Vec<String> =
        Format::OF_OUTCOMES.iter().map(|format| format!("{0}={0}.out", format.as_str())).collect();
    let mut args = vec!["apply", "--auto-approve", "--parallelism", "1", "--sandbox", &file];
    args.extend(reports.iter().flat_map(|report| ["--report", report]));
    let said = env.run(&args);
    assert!([0, 5].contains(&said.code), "{}", said.all());
    env
}

/// Returns the folder's only ledger.
fn ledger_of(env: &Env) -> String {
    let ledger = std::fs::read_dir(env.path(".rolecall/sandbox/ledger")).unwrap().next().unwrap().unwrap().path();
    ledger.to_str().unwrap().to_owned()
}

pub(crate) fn schema(name: SchemaName) -> jsonschema::Validator {
    jsonschema::validator_for(&serde_json::from_str(&schema_text(name)).unwrap()).unwrap()
}

#[test]
fn outcomes_are_reported_in_every_form_and_from_the_ledger_too() {
    for provider in ProviderName::ALL.iter().map(|name| name.as_str()) {
        let env = applied(provider);
        for format in ["text", "markdown", "junit", "github", "html"] {
            let text = content(&env.read(&format!("{format}.out")));
            insta::assert_snapshot!(format!("{provider}_applied_{format}"), without_chance(&text));
        }
        let outcomes: serde_json::Value = serde_json::from_str(&env.read("json.out")).unwrap();
        let errors: Vec<String> =
            schema(SchemaName::Outcomes).iter_errors(&outcomes).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{provider} {errors:?}");
        let steps = outcomes["organizations"][0]["report"]["steps"].as_array().unwrap().len();
        assert_eq!(read(&env.read("markdown.out")).rows.len(), steps, "{provider}");
        let junit = quick_junit::Report::deserialize_from_str(&env.read("junit.out")).unwrap();
        assert_eq!(junit.tests, steps + 1, "each mutation, and the run");
        let _: serde_sarif::sarif::Sarif = serde_json::from_str(&env.read("sarif.out")).unwrap();
        // The ledger has the same outcomes for the same mutations.
        let ledger = ledger_of(&env);
        for format in ["markdown", "junit", "github"] {
            let said = env.run(&["show", &ledger, "--format", format]);
            assert_eq!(said.code, 0, "{}", said.all());
            insta::assert_snapshot!(format!("{provider}_ledger_{format}"), without_chance(&said.stdout));
        }
        let shown = env.run(&["show", &ledger, "--format", "markdown"]).stdout;
        let outcome = |row: &Vec<String>| (row[0].clone(), row[1].clone());
        let reported: BTreeSet<_> = read(&env.read("markdown.out")).rows.iter().map(outcome).collect();
        let kept: BTreeSet<_> = read(&shown).rows.iter().map(outcome).collect();
        assert_eq!(kept, reported, "{provider}\n{shown}");
    }
}

#[test]
fn wrong_files_are_reported_in_the_requested_formats() {
    let env = Env::new();
    env.write("wrong.yaml", WRONG);
    for verb in [&["plan"] as &[&str], &["drift"], &["apply", "--auto-approve"]] {
        let said = env.run(&[verb, &["--sandbox", "wrong.yaml", "--report", "markdown=comment.md"]].concat());
        assert_eq!(said.code, 1, "{}", said.all());
        assert!(said.stdout.is_empty(), "findings are printed to stderr: {}", said.all());
        let rows = read(&env.read("comment.md")).rows;
        assert_eq!(rows.len(), 2, "{rows:?}");
        std::fs::remove_file(env.path("comment.md")).unwrap();
        let said = env.run(&[verb, &["--sandbox", "wrong.yaml", "--format", "json"]].concat());
        let found: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
        assert!(schema(SchemaName::Findings).is_valid(&found), "{found}");
        assert_eq!(found["findings"].as_array().unwrap().len(), 2);
    }
}

#[test]
fn an_organisation_that_can_not_be_read_is_missed_in_every_form() {
    let mut env = Env::new();
    env.set("ROLECALL_ALLOWED_HOSTS", "127.0.0.1");
    let away = example("hive.yaml").replace("https://api.graphql-hive.com", "https://127.0.0.1:9");
    env.write("hive.yaml", away.replace("{ env: HIVE_TOKEN }", "{ file: ./token }"));
    for format in Format::OF_OUTCOMES.iter().filter(|format| **format != Format::Sarif) {
        let report = format!("{}=out", format.as_str());
        for verb in [&["plan"] as &[&str], &["drift"], &["apply", "--auto-approve"]] {
            let said = env.run(&[verb, &["hive.yaml", "--report", &report]].concat());
            assert_ne!(said.code, 0, "{}", said.all());
            let report = env.read("out");
            let is_reported = ["hive", "acme", "token"].iter().all(|word| report.contains(word));
            assert!(is_reported, "{verb:?} {format:?} {report}\n{}", said.all());
        }
    }
}

/// Two earlier runs: one was interrupted and one was refused.
const LEDGER: &str = r#"{"at":"2026-01-01T00:00:00Z","run":"one","event":"run-started","format_version":"1.0","generator":"x","identity":{"provider":"hive","organization":"NAME","host":"h"},"seal":"sha256:0"}
{"at":"2026-01-01T00:00:01Z","run":"one","event":"intent","mutation":"m1","operation":"op","change":{"address":"role/NAME","action":"create","before":null,"after":null,"cause":{"is":"declared"},"effects":[]}}
{"at":"2026-01-01T00:00:02Z","run":"two","event":"run-started","format_version":"1.0","generator":"x","identity":{"provider":"hive","organization":"NAME","host":"h"},"seal":"sha256:0"}
{"at":"2026-01-01T00:00:03Z","run":"two","event":"outcome","mutation":"m1","address":"role/NAME","outcome":"failed","message":"NAME said no"}
{"at":"2026-01-01T00:00:04Z","run":"two","event":"run-finished","converged":false}
"#;

#[test]
fn a_ledger_breaks_no_form_and_what_broke_off_is_unsure() {
    let env = Env::new();
    for name in hostile().iter().filter(|name| !name.trim().is_empty()) {
        let quoted = serde_json::to_string(name).unwrap();
        env.write("ledger.jsonl", LEDGER.replace("NAME", &quoted[1..quoted.len() - 1]));
        let show = |format: &str| {
            let said = env.run(&["show", "ledger.jsonl", "--format", format]);
            assert_eq!(said.code, 0, "{name:?} {}", said.all());
            said.stdout
        };
        let markdown = show("markdown");
        let read = read(&markdown);
        assert_eq!(read.rows.iter().map(|row| &*row[0]).collect::<Vec<_>>(), ["unsure", "failed"], "{markdown}");
        assert!(read.rows.iter().all(|row| row.len() == 4) && read.links == 0, "{name:?}\n{markdown}");
        let foreign: Vec<&String> = read.html.iter().filter(|tag| !is_ours(tag)).collect();
        assert!(foreign.is_empty(), "{name:?} {foreign:?}\n{markdown}");
        let junit = quick_junit::Report::deserialize_from_str(&show("junit")).unwrap();
        assert_eq!((junit.tests, junit.failures), (4, 4), "each run and its mutation: {name:?}");
        let github = show("github");
        assert_eq!(github.lines().filter(|line| line.starts_with("::error ")).count(), 2, "{name:?} {github}");
        assert_eq!(github.lines().count(), 2, "{name:?} {github}");
        assert!(!show("text").lines().any(|line| line.trim_start().starts_with("::")), "{name:?}");
    }
    // This is more than fits in a comment, so only the last runs are shown.
    let many: String = (0..2000).map(|index| LEDGER.replace("NAME", &format!("n{index}"))).collect();
    env.write("ledger.jsonl", many);
    let markdown = env.run(&["show", "ledger.jsonl", "--format", "markdown"]).stdout;
    assert!(markdown.len() <= 60_000 && markdown.contains("role/n1999") && !markdown.contains("role/n0`"));
    assert!(markdown.contains("earlier runs are not shown"), "{}", &markdown[..500]);
}

#[test]
fn metrics_keep_the_last_success_of_an_unread_organisation() {
    let env = Env::with_example();
    env.write("hive.yaml", example("hive.yaml"));
    let drift = |file: &str| env.run(&["drift", "--sandbox", "--metrics-file", "rolecall.prom", file]);
    let said = drift("bitpanda.yaml");
    assert_eq!(said.code, 2, "{}", said.all());
    let text = env.read("rolecall.prom");
    let last = text.lines().last().unwrap().to_owned();
    let (series, second) = last.rsplit_once(' ').unwrap();
    assert!(series.starts_with("rolecall_last_success_timestamp_seconds{provider=\"bitpanda\","), "{text}");
    let age = jiff::Timestamp::now().as_second() - second.parse::<i64>().unwrap();
    assert!((0..60).contains(&age), "{text}");
    insta::assert_snapshot!("metrics", text.replace(second, "$NOW"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(env.path("rolecall.prom")).unwrap().permissions().mode();
        assert_eq!(mode & 0o444, 0o444, "a node exporter is another user");
    }
    // A run that reads nothing doesn't forget anything.
    let earlier = last.replace(second, "1700000000");
    env.write("rolecall.prom", format!("{earlier}\n"));
    let away = example("bitpanda.yaml").replace("https://tapi-sandbox.trustology-test.com", "https://127.0.0.1:9");
    env.write("bitpanda.yaml", away);
    let said = env.run(&["drift", "--metrics-file", "rolecall.prom", "bitpanda.yaml"]);
    assert_ne!(said.code, 0, "{}", said.all());
    let text = env.read("rolecall.prom");
    assert!(text.ends_with(&format!("{earlier}\n")) && !text.contains("rolecall_holds{"), "{text}");
}
