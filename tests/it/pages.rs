//! The pages of a plan, a drift and an apply: what a reviewer sees on them, and that no name becomes markup.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rolecall::report::{Format, Layout, Subject, render};
use rolecall_model::{
    Address, Comparison, DeletedBy, Deletion, DiffLine, LastInSync, Origin, OriginKind, Plan, ProviderName,
    Together,
};
use sha2::{Digest, Sha256};

use crate::access::rendered;
use crate::reports::{content, hostile, plan_of, renamed, shown};
use crate::support::cli::{Env, served};

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

fn line(line: usize, added: bool, text: &str) -> DiffLine {
    DiffLine { file: "hive.yaml".to_owned(), line, added, text: text.to_owned() }
}

/// Returns the plan of the example for Hive as `--base` and `--with` would complete it.
fn compared() -> Plan {
    let mut plan = plan_of("hive");
    let organization = &mut plan.organizations[0];
    let origin = |is, lines: Vec<DiffLine>| Origin { is, lines, drifted: BTreeSet::new(), reindented: false };
    let mut comparison = Comparison { base: "origin/main".to_owned(), ..Comparison::default() };
    for change in &organization.sealed.changes {
        let found = match &*change.address.to_string() {
            "user/alice@acme.example" => Origin {
                is: OriginKind::Asked,
                lines: vec![
                    line(57, false, "    roles: [Developer]"),
                    line(57, true, "    roles: [Schema reviewer]"),
                ],
                drifted: BTreeSet::from(["resources".to_owned()]),
                reindented: false,
            },
            "user/left@acme.example" => origin(OriginKind::Drifted, Vec::new()),
            "key/legacy-ci" => origin(OriginKind::StillToDo, Vec::new()),
            "role/No access" => origin(OriginKind::NeededByAnother, Vec::new()),
            "user/new.user@acme.example" => origin(OriginKind::Expired, Vec::new()),
            _ => origin(OriginKind::Asked, vec![line(45, true, "  - name: x")]),
        };
        comparison.changes.insert(change.address.clone(), found);
    }
    for hold in &organization.sealed.holds {
        comparison.holds.insert(hold.address.clone(), OriginKind::Drifted);
    }
    let gone = (1..=30).map(|number| line(number, false, "  - email: gone@acme.example")).collect();
    comparison.deletions = vec![
        Deletion {
            address: address("user/gone@acme.example"),
            by: DeletedBy::Section { section: "users".to_owned() },
            lines: gone,
        },
        Deletion {
            address: address("key/old"),
            by: DeletedBy::Entry,
            lines: vec![line(9, false, "  - name: old")],
        },
    ];
    organization.comparison = Some(comparison);
    organization.together = Some(Together {
        with: vec!["other".to_owned()],
        changes: BTreeSet::from([address("user/alice@acme.example")]),
        ..Together::default()
    });
    let seen = LastInSync { at: "2026-11-28T03:00:12Z".parse().unwrap(), run: "20261128T030000Z-7".to_owned() };
    organization.last_in_sync.insert(address("user/left@acme.example"), seen);
    plan
}

fn page(plan: &Plan) -> String {
    shown(plan, Format::Html)
}

/// Returns the part of a page between two texts.
fn between<'a>(page: &'a str, start: &str, end: &str) -> &'a str {
    let (_, rest) = page.split_once(start).unwrap_or_else(|| panic!("{start} is missing: {page}"));
    rest.split_once(end).unwrap_or_else(|| panic!("{end} is missing: {rest}")).0
}

#[test]
fn a_reviewer_sees_first_what_is_asked_for_here_and_apart_what_else_is_out_of_line() {
    let page = page(&compared());
    insta::assert_snapshot!("hive_compared_html", content(&page));
    let asked = between(&page, "<h3>Asked for here (5)</h3>", "<h3>");
    let alice = between(asked, "row\">user/alice@acme.example", "</tr>");
    for shown in [
        "<del>-     roles: [Developer]</del>\n",
        "<ins>+     roles: [Schema reviewer]</ins>\n",
        "also takes back drift: resources",
        "only together with other",
        "<del>Developer</del> → <ins>Schema reviewer</ins>",
        "<strong>may now</strong>",
    ] {
        assert!(alice.contains(shown), "{shown}: {alice}");
    }
    let others = between(&page, "<h3>Not asked for here: 1 change undoes drift (1)</h3>", "<h3>");
    assert!(others.contains("user/left@acme.example") && others.contains("data-row=\"unasked takes"), "{others}");
    assert!(others.contains("2026-11-28 03:00 UTC, run 20261128T030000Z-7"), "{others}");
    assert!(page.contains("(1)</h3>") && page.contains("<h3>Expired (1)</h3>"), "{page}");
    let gone = between(&page, "<h3>Entries that the files no longer have (2)</h3>", "<h3>");
    assert!(gone.contains("the whole section `users:` is gone") && gone.contains("and 10 more lines"), "{gone}");
}

#[test]
fn a_broken_guardrail_and_an_incomplete_list_are_banners_before_the_table() {
    let mut plan = compared();
    let organization = &mut plan.organizations[0];
    organization.refusals = vec![rolecall_model::Refusal::new(
        rolecall_model::Guardrail::OVERRIDABLE[0],
        "too many",
        vec![address("user/left@acme.example")],
    )];
    organization
        .completeness
        .insert("users".to_owned(), rolecall_model::Completeness::Broken { why: "a page is missing".to_owned() });
    organization.comparison.as_mut().unwrap().unplanned = Some("the base has an error".to_owned());
    plan.undescribed = vec![rolecall_model::Undescribed {
        provider: ProviderName::Paradime,
        organization: rolecall_model::RemoteId::seen("w1"),
        file: "old.yaml".to_owned(),
    }];
    let page = page(&plan);
    let (before, after) = page.split_once("<h3>Changes (8)</h3>").unwrap();
    for banner in [
        "too many",
        "No file describes paradime w1 any more",
        "The list of users is incomplete: a page is missing",
        "No origin is known, because the base origin/main can&#39;t be planned: the base has an error",
    ] {
        assert!(before.contains(banner) && !after.contains(banner), "{banner}: {page}");
    }
}

/// Returns every tag of a page, sorted.
fn tags(page: &str) -> Vec<&str> {
    let mut tags: Vec<&str> = page.split('<').skip(1).map(|tag| tag.split('>').next().unwrap()).collect();
    tags.sort_unstable();
    tags
}

#[test]
fn whatever_a_name_says_the_page_has_the_same_tags() {
    let names = ["Schema reviewer", "ci-publisher", "@acme.example", "hive.yaml", "in the web app"];
    let plan = compared();
    let page = |name: &str| {
        let mut plan = renamed(&plan, &names, name);
        plan.organizations[0].sealed.changes.sort_by(|one, other| one.address.cmp(&other.address));
        page(&plan)
    };
    let expected = page("plain");
    // In an address, `#` separates the id from the name, `%` begins a code, and the case of letters doesn't matter.
    for name in hostile().into_iter().filter(|name| !name.contains(['#', '%'])) {
        let page = page(&name.to_lowercase());
        assert_eq!(tags(&page), tags(&expected), "{name:?}");
    }
}

#[test]
fn the_policy_allows_our_style_and_script_and_nothing_else_is_loaded() {
    let page = page(&compared());
    let policy = between(&page, "Content-Security-Policy\" content=\"", "\">");
    for (open, close, directive) in [("<style>", "</style>", "style-src"), ("<script>", "</script>", "script-src")]
    {
        let hash = STANDARD.encode(Sha256::digest(between(&page, open, close)));
        assert!(policy.contains(&format!("{directive} 'sha256-{hash}'")), "{policy}");
    }
    assert!(policy.starts_with("default-src 'none';"), "{policy}");
    for loads in [
        "http:",
        "https:",
        "src=",
        "url(",
        "@import",
        "<link",
        "<iframe",
        "unsafe-inline",
        "fetch(",
        "style=",
        "onclick",
    ] {
        assert!(!page.contains(loads), "{loads}");
    }
}

/// A page of thousands of changes stays usable: what a change takes doesn't depend on how many there are.
#[test]
fn the_page_grows_with_the_changes_and_no_faster() {
    let plan = compared();
    let bytes = |count: usize| {
        let mut plan = plan.clone();
        let organization = &mut plan.organizations[0];
        let alice = organization.change(&address("user/alice@acme.example")).unwrap().clone();
        let access = organization.access[&alice.address].clone();
        organization.sealed.changes = (0..count)
            .map(|index| {
                let mut change = alice.clone();
                change.address = address(&format!("user/u{index:05}@acme.example"));
                organization.access.insert(change.address.clone(), access.clone());
                change
            })
            .collect();
        page(&plan).len()
    };
    let (none, some, many) = (bytes(0), bytes(200), bytes(2_000));
    let (each, each_of_many) = ((some - none) / 200, (many - none) / 2_000);
    assert!(each.abs_diff(each_of_many) <= 2 && each < 2_500, "{each} {each_of_many}");
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn a_browser_filters_the_page_of_a_plan() {
    let env = Env::new();
    // A box is checked as a person would, once the script of the page has run.
    let check = "<script>document.querySelector('[value=unasked]').click()</script></body>";
    let page = page(&compared());
    env.write("page.html", &page);
    let Some(shown) = rendered(&env.path("page.html"), "#alice%20reviewer") else {
        eprintln!("skipped: there is no Chromium on this machine");
        return;
    };
    let rows = page.matches("data-row").count() - page.matches("[data-row]").count();
    assert!(shown.contains(&format!(">1 of {rows} shown<")), "{shown}");
    // The policy of the page forbids the script that a test would add, so this copy has none.
    let start = page.find("<meta http-equiv").unwrap();
    let end = start + page[start..].find('\n').unwrap();
    env.write("checked.html", format!("{}{}", &page[..start], &page[end..]).replace("</body>", check));
    let shown = rendered(&env.path("checked.html"), "").unwrap();
    assert!(shown.contains(&format!(">3 of {rows} shown<")), "{shown}");
    env.write("forbidden.html", page.replace("</body>", check));
    let shown = rendered(&env.path("forbidden.html"), "").unwrap();
    assert!(shown.contains(&format!(">{rows} of {rows} shown<")), "no foreign script runs: {shown}");
}

/// A drift report leads with what differs, and an apply with what isn't done.
#[test]
fn drift_says_since_when_and_an_apply_says_what_is_not_done() {
    let drift = render(Subject::Drift(&compared()), Format::Html, Layout::default()).unwrap();
    assert!(
        drift.contains("<h1>Drift</h1>")
            && drift.contains("<h3>Differs from the file; an apply would make these changes (8)</h3>")
    );
    assert!(drift.contains("was as the file says on 2026-11-28 03:00 UTC"), "{drift}");
    let (env, _server) = served(ProviderName::Hive, &["--fault", "drop-before@inviteToOrganizationByEmail*1"]);
    let said = env.run(&["apply", "--auto-approve", "--report", "html=page.html", "file.yaml"]);
    let page = env.read("page.html");
    let failed = between(&page, "<h3>Not done (", "<h3>");
    assert!(
        failed.contains("failed\"><tr>") && failed.contains("<span class=\"tag unstated\">unsure</span>"),
        "{}\n{failed}",
        said.all()
    );
    assert!(page.contains("<h3>Done ("), "{page}");
}

/// Wrong files have findings and no plan, so there is no page. The other reports are written all the same.
#[test]
fn wrong_files_leave_no_page_and_the_other_reports_are_written() {
    let env = Env::new();
    env.write("wrong.yaml", "provider: hive\nusers: nope\n");
    let reports = ["--report", "html=page.html", "--report", "mermaid=graph.mmd", "--report", "sarif=found.sarif"];
    let said = env.run(&[&["plan", "--sandbox", "wrong.yaml"][..], &reports].concat());
    assert_eq!(said.code, 1, "{}", said.all());
    assert!(
        said.stderr.contains("has no form as `html`") && said.stderr.contains("no page and no graph"),
        "{}",
        said.all()
    );
    assert!(env.read("found.sarif").contains("wrong-type") && !env.path("page.html").exists());
}
