//! Every form of a report: golden files of the examples, and what hostile names can't do to them.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a test fails by panicking")]

mod support;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use quick_junit::{NonSuccessKind, TestCaseStatus};
use rolecall::model::Plan;
use rolecall::report::{Format, Subject, render};
use support::cli::{Env, example};

const PROVIDERS: &[&str] = &["bitpanda", "hive", "paradime", "rapidapi"];

const FORMATS: &[Format] =
    &[Format::Text, Format::Json, Format::Markdown, Format::Junit, Format::Sarif, Format::Github];

/// What becomes of it depends on the day, as the sandbox's worlds do.
fn without_seals(text: &str) -> String {
    let mut parts = text.split("sha256:");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| format!("{text}sha256:$SEAL{}", part.get(64..).unwrap_or_default()))
}

/// A folder with an example and every report of it, made in one run.
fn reported(provider: &str, verb: &str) -> Env {
    let env = Env::new();
    let file = format!("{provider}.yaml");
    env.write(&file, example(&file).replace("requests_per_minute: 10", "requests_per_minute: 6000"));
    let mut args = vec![verb.to_owned(), "--sandbox".to_owned(), file];
    for format in FORMATS {
        args.extend(["--report".to_owned(), format!("{0}={0}.out", format.as_str())]);
    }
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let said = env.run(&args);
    assert!(said.code == 0 || verb == "drift" && said.code == 2, "{}", said.all());
    assert_eq!(said.stdout.trim(), env.read("text.out").replace(&today(), "$TODAY").trim(), "one run, one text");
    env
}

fn today() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%d").to_string()
}

fn plan_of(provider: &str) -> Plan {
    serde_json::from_str(&reported(provider, "plan").read("json.out")).unwrap()
}

fn shown(plan: &Plan, format: Format) -> String {
    let text = render(Subject::Plan(plan), format).unwrap();
    anstream::adapter::strip_str(&text).to_string()
}

#[test]
fn each_form_of_each_example() {
    for provider in PROVIDERS {
        let env = reported(provider, "plan");
        for format in FORMATS {
            let name = format!("{provider}_{}", format.as_str());
            let text = env.read(&format!("{}.out", format.as_str())).replace(&today(), "$TODAY");
            insta::assert_snapshot!(name, without_seals(&text));
        }
    }
}

#[test]
fn drift_is_told_as_drift() {
    let env = reported("hive", "drift");
    insta::assert_snapshot!("hive_drift_markdown", without_seals(&env.read("markdown.out")));
    let report = quick_junit::Report::deserialize_from_str(&env.read("junit.out")).unwrap();
    let failed = |class: &str| {
        let cases = report.test_suites.iter().flat_map(|suite| &suite.test_cases);
        let of_class = cases.filter(|case| case.classname.as_ref().is_some_and(|name| name.as_str() == class));
        let failed = of_class.filter(|case| {
            matches!(&case.status, TestCaseStatus::NonSuccess { kind: NonSuccessKind::Failure, .. })
        });
        failed.count()
    };
    let plan: Plan = serde_json::from_str(&env.read("json.out")).unwrap();
    assert_eq!(failed("change"), plan.organizations[0].sealed.changes.len());
    assert_eq!(failed("hold"), 1, "the blocked one");
}

/// The cells of each row of tables, and all HTML, links and emphasis that a reader would see.
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

/// What is left of a tag once text stands before it in one piece of HTML.
fn is_ours(tag: &str) -> bool {
    OUR_TAGS.iter().any(|ours| tag == *ours || tag.ends_with("</summary>") && !tag[..tag.len() - 10].contains('<'))
}

#[test]
fn the_comment_has_a_row_for_each_change_the_privileged_ones_first() {
    for provider in PROVIDERS {
        let plan = plan_of(provider);
        let read = read(&shown(&plan, Format::Markdown));
        let changes: Vec<_> = plan.organizations.iter().flat_map(|one| &one.sealed.changes).collect();
        assert_eq!(read.rows.len(), changes.len(), "{provider}");
        let privileged: Vec<bool> = read.rows.iter().map(|row| row[1].starts_with("privileged")).collect();
        assert!(privileged.is_sorted_by_key(|privileged| !privileged), "{provider} {:?}", read.rows);
        let count: usize = plan.organizations.iter().map(|one| one.privileged.len()).sum();
        assert_eq!(privileged.iter().filter(|privileged| **privileged).count(), count);
        assert!(provider == &"paradime" || count > 0, "{provider}");
    }
}

/// Names that platforms may have, and that would say something of their own.
fn hostile() -> Vec<String> {
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
        "https://evil.example www.evil.example @team #123 &lt;",
        "]]> <![CDATA[ & \" '",
        "**bold** _it_ ~~gone~~ $x$ > quote",
        "\u{1b}[31mred\u{7}\u{202e}",
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

/// A plan in which a name stands wherever one of these stood.
fn renamed(plan: &Plan, names: &[&str], hostile: &str) -> Plan {
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
    let changes = plan.organizations[0].sealed.changes.len();
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
        let github = shown(&plan, Format::Github);
        assert_eq!(github.lines().count(), annotations, "{hostile:?}\n{github}");
        let is_ours = |line: &str| ["::notice ", "::warning ", "::error "].iter().any(|it| line.starts_with(it));
        assert!(github.lines().all(is_ours), "{hostile:?}\n{github}");
        for line in shown(&plan, Format::Text).lines() {
            assert!(!line.trim_start().starts_with("::") && !line.contains("##["), "{hostile:?} {line}");
        }
        let again: Plan = serde_json::from_str(&shown(&plan, Format::Json)).unwrap();
        assert_eq!(again, plan);
    }
}

#[test]
fn a_comment_that_would_be_too_long_leaves_out_what_matters_least_and_says_so() {
    let plan = plan_of("hive");
    let mut one = plan.organizations[0].clone();
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
        assert_eq!(markdown.contains("not shown here, for want of room"), rows < count, "{count}");
        assert_eq!(markdown.contains("left out, for want of room"), count > 20, "{count}");
        assert!(markdown.contains(&format!("{count} mails** go out")), "{markdown}");
    }
    one.sealed.changes = many(40);
    let organizations = vec![one; 300];
    let markdown = shown(&Plan { organizations, ..plan }, Format::Markdown);
    assert!(markdown.len() <= 60_000, "{}", markdown.len());
    assert!(markdown.contains("more organisations: this comment has no room"), "{markdown}");
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
fn findings_are_told_in_every_form_with_their_place() {
    let env = Env::new();
    env.write("wrong, 100%.yaml", WRONG);
    env.write("fine.yaml", example("hive.yaml"));
    for format in FORMATS {
        let said = env.run(&["validate", "--format", format.as_str(), "wrong, 100%.yaml", "fine.yaml"]);
        assert_eq!(said.code, 1, "{}", said.all());
        insta::assert_snapshot!(format!("findings_{}", format.as_str()), said.stdout);
    }
    let said = env.run(&["validate", "--format", "sarif", "wrong, 100%.yaml"]);
    let sarif: serde_sarif::sarif::Sarif = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(sarif.runs[0].results.as_ref().unwrap().len(), 2);
}

#[test]
fn a_guardrail_that_refuses_is_told_at_the_lines_that_break_it() {
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

#[test]
fn a_report_that_can_not_be_written_or_is_not_there_is_an_error_and_the_others_are_written() {
    let env = Env::with_example();
    let args =
        ["plan", "--sandbox", "bitpanda.yaml", "--report", "github=no/such/place", "--report", "json=plan.json"];
    let said = env.run(&args);
    assert_eq!(said.code, 1, "{}", said.all());
    assert!(said.stderr.contains("no/such/place can't be written"), "{}", said.all());
    assert!(env.read("plan.json").contains("\"sealed\""));
    for wrong in ["comment.md", "html=x", "markdown="] {
        let said = env.run(&["plan", "--sandbox", "bitpanda.yaml", "--report", wrong]);
        assert_eq!(said.code, 1, "{}", said.all());
        assert!(said.stderr.contains("--report"), "{}", said.all());
    }
    env.run(&["apply", "--auto-approve", "--sandbox", "bitpanda.yaml"]);
    let ledger = std::fs::read_dir(env.path(".rolecall/sandbox/ledger")).unwrap().next().unwrap().unwrap().path();
    let said = env.run(&["show", ledger.to_str().unwrap(), "--format", "sarif"]);
    assert_eq!(said.code, 1, "{}", said.all());
    assert!(said.stderr.contains("there is no sarif of a ledger"), "{}", said.all());
}

#[test]
fn metrics_keep_the_last_success_of_whoever_can_not_be_read() {
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
    // A run that reads nothing forgets nothing.
    let earlier = last.replace(second, "1700000000");
    env.write("rolecall.prom", format!("{earlier}\n"));
    let away = example("bitpanda.yaml").replace("https://tapi-sandbox.trustology-test.com", "https://127.0.0.1:9");
    env.write("bitpanda.yaml", away);
    let said = env.run(&["drift", "--metrics-file", "rolecall.prom", "bitpanda.yaml"]);
    assert_ne!(said.code, 0, "{}", said.all());
    let text = env.read("rolecall.prom");
    assert!(text.ends_with(&format!("{earlier}\n")) && !text.contains("rolecall_holds{"), "{text}");
}
