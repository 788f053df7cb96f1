//! Plans that were compared with a base: what each form says of where a change comes from.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::cli::{Env, example};
use crate::support::hive::{self, Console};
use crate::support::rapidapi::{self, Hub};
use crate::support::rig::Rig;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use rolecall::report::{Format, Layout, Subject, render};
use rolecall_model::{
    Address, Comparison, DeletedBy, Deletion, DiffLine, Guardrail, OrganizationPlan, Origin, OriginKind, Plan,
    ProviderName, RemoteId, Together, Undescribed,
};
use rolecall_sandbox::hive::Assignment;

fn shown(plan: &OrganizationPlan, format: Format) -> String {
    let plan = Plan::new("test", vec![plan.clone()]);
    let text = render(Subject::Plan(&plan), format, Layout::default()).unwrap();
    anstream::adapter::strip_str(&text).to_string()
}

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

/// Returns a plan that touches people in every way: by a change of their own, and by a role that they have.
fn plan() -> OrganizationPlan {
    let mut world = hive::world();
    hive::role(&mut world, "Plain", &["project:describe", "laboratory:describe"]);
    hive::role(&mut world, "Reviewer", &["member:modify", "project:describe"]);
    hive::role(&mut world, "Elsewhere", &["project:describe"]);
    for (name, role) in [
        ("up", "Plain"),
        ("holder", "Plain"),
        ("chief", "Reviewer"),
        ("off", "Plain"),
        ("moved", "Admin"),
        ("gone", "Viewer"),
    ] {
        hive::member(&mut world, &format!("{name}@x.example"), role, Assignment::All);
    }
    hive::invitation(&mut world, "waits@x.example", "Viewer");
    Rig::<Console>::new(
        world,
        "guardrails: { max_removals: 0 }
roles:
  - { name: Plain, permissions: [project:describe] }
  - { name: Reviewer, permissions: [project:describe] }
  - { name: Elsewhere, description: Elsewhere }
users:
  - { email: up@x.example, roles: [Admin] }
  - { email: moved@x.example, roles: [Viewer] }
  - { email: new@x.example, roles: [Plain], resources: all }
  - { email: off@x.example, absent: true }
  - { email: waits@x.example, roles: [Viewer] }",
    )
    .plan()
}

fn line(added: bool, line: usize, text: &str) -> DiffLine {
    DiffLine { file: "hive.yaml".to_owned(), line, added, text: text.to_owned() }
}

fn origin(is: OriginKind) -> Origin {
    Origin { is, lines: Vec::new(), drifted: BTreeSet::new(), reindented: false }
}

/// Returns the plan with an origin of every kind, a deletion of every kind, and something that only the sum of two
/// versions does.
fn compared() -> OrganizationPlan {
    let mut plan = plan();
    let asked = Origin {
        lines: (0..8)
            .map(|at| line(at % 2 == 0, 10 + at, "  - { email: up@x.example, roles: [Admin] }"))
            .collect(),
        drifted: BTreeSet::from(["resources".to_owned(), "roles".to_owned()]),
        ..origin(OriginKind::Asked)
    };
    let of = |address: &Address| match &*address.to_string() {
        "user/up@x.example" => asked.clone(),
        "role/No access" => origin(OriginKind::NeededByAnother),
        "user/new@x.example" => origin(OriginKind::StillToDo),
        "role/Elsewhere" => origin(OriginKind::Expired),
        "user/moved@x.example" | "role/Reviewer" => origin(OriginKind::Drifted),
        _ => origin(OriginKind::Asked),
    };
    let changes: BTreeMap<Address, Origin> =
        plan.sealed.changes.iter().map(|change| (change.address.clone(), of(&change.address))).collect();
    let deleted = |name: &str, by: DeletedBy| Deletion {
        address: address(name),
        by,
        lines: vec![line(false, 30, &format!("  - {{ email: {name} }}"))],
    };
    let section = || DeletedBy::Section { section: "keys".to_owned() };
    plan.comparison = Some(Comparison {
        base: "main".to_owned(),
        unplanned: None,
        changes,
        holds: BTreeMap::from([(address("user/off@x.example"), OriginKind::Asked)]),
        deletions: vec![
            deleted("user/gone@x.example", DeletedBy::Entry),
            deleted("user/old@x.example", DeletedBy::Renamed { to: address("user/new@x.example") }),
            deleted("key/one", section()),
            deleted("key/two", section()),
            deleted("user/lost@x.example", DeletedBy::Merge),
            deleted("user/off@x.example", DeletedBy::Moved { file: "hive.yaml".to_owned(), line: 31 }),
        ],
    });
    plan.together = Some(Together {
        with: vec!["feature-b".to_owned()],
        changes: BTreeSet::from([address("user/up@x.example")]),
        refusals: BTreeSet::from([Guardrail::MaxRemovals]),
    });
    plan
}

/// The golden files of text and of the comment.
#[test]
fn what_is_asked_for_stands_apart_from_drift() {
    let plan = compared();
    for format in [Format::Text, Format::Markdown, Format::Junit, Format::Github, Format::Sarif] {
        insta::assert_snapshot!(format!("plan_{}", format.as_str()), shown(&plan, format));
    }
}

/// Without a plan of the base, nothing is called asked for, and a reader learns why.
#[test]
fn a_base_that_can_not_be_planned_is_said_and_no_origin_is() {
    let mut plan = compared();
    plan.comparison = Some(Comparison {
        base: "main".to_owned(),
        unplanned: Some("it has errors".to_owned()),
        ..Comparison::default()
    });
    for format in [Format::Text, Format::Markdown, Format::Github] {
        let said = shown(&plan, format);
        assert!(
            said.contains("No origin is known, because the base main can't be planned: it has errors"),
            "{said}"
        );
        assert!(!said.to_lowercase().contains("asked for here"), "{said}");
    }
    assert!(shown(&plan, Format::Text).contains("it isn't known what was asked for"));
}

/// An organisation without a file has no plan, so the report itself says that it is gone.
#[test]
fn an_organisation_that_no_file_describes_any_more_is_said() {
    let gone = Undescribed {
        provider: ProviderName::Hive,
        organization: RemoteId::seen("acme"),
        file: "base/hive.yaml".to_owned(),
    };
    let plan = Plan { undescribed: vec![gone], ..Plan::new("test", vec![plan()]) };
    for format in [Format::Text, Format::Markdown, Format::Github] {
        let said = render(Subject::Plan(&plan), format, Layout::default()).unwrap();
        assert!(
            said.contains("No file describes hive acme any more, and base/hive.yaml of the base does."),
            "{said}"
        );
    }
}

/// The page `docs/how-to-read-a-plan.md` shows a plan of the sandbox. Each of its lines is one of that plan.
#[test]
fn the_plan_on_the_page_is_a_real_one() {
    let env = Env::new();
    let base = example("hive.yaml");
    // Somebody made Alice an admin after the base was applied.
    env.write("hive.yaml", base.replace("roles: [Schema reviewer]", "roles: [Admin]"));
    assert_eq!(env.run(&["apply", "--auto-approve", "--sandbox", "hive.yaml"]).code, 0);
    let kim = "  - email: kim@acme.example\n    roles: [Developer]\n    resources: { shop: { staging: all } }\n\n";
    let (users, _) = base.split_once("\nkeys:\n").unwrap();
    let head = users
        .replace("permissions: [project:describe, laboratory:describe]", "permissions: [project:describe]")
        .replace("  # This user isn't a member yet", &format!("{kim}  # This user isn't a member yet"));
    env.write("hive.yaml", head);
    env.write("base/hive.yaml", base);
    let said = env.run(&["plan", "--sandbox", "--base", "base", "--out", "plan.json", "hive.yaml"]);
    assert_eq!(said.code, 0, "{}", said.all());
    assert!(said.stdout.contains(env.run(&["show", "plan.json"]).stdout.trim()), "{}", said.all());
    let page = std::fs::read_to_string("docs/how-to-read-a-plan.md").unwrap();
    let (_, shown) = page.split_once("```text\n").unwrap();
    let (shown, _) = shown.split_once("```").unwrap();
    for line in shown.lines().map(|line| line.trim_end_matches('…').trim_end()) {
        assert!(said.stdout.contains(line), "{line}\n{}", said.stdout);
    }
    assert_eq!(env.run(&["plan", "--sandbox", "--base", "base", "--require-asked", "hive.yaml"]).code, 3);
}

/// A line of a file, a name and a path are foreign. None of them ends a block, mentions anybody or commands a runner.
#[test]
fn no_line_of_a_diff_breaks_a_form() {
    for text in
        ["```", "  ```", "</details>", "@team", "##[error]boo", "::error::boo", "> [!NOTE]", "\u{1b}[31m", "a\nb"]
    {
        let mut plan = compared();
        let comparison = plan.comparison.as_mut().unwrap();
        let bad = |lines: &mut Vec<DiffLine>| {
            for line in lines {
                (line.text, line.file) = (text.to_owned(), text.to_owned());
            }
        };
        comparison.changes.values_mut().for_each(|origin| bad(&mut origin.lines));
        comparison.deletions.iter_mut().for_each(|deletion| bad(&mut deletion.lines));
        comparison.deletions[2].by = DeletedBy::Section { section: text.to_owned() };
        comparison.deletions[5].by = DeletedBy::Moved { file: text.to_owned(), line: 1 };
        plan.together.as_mut().unwrap().with = vec![text.to_owned()];
        let markdown = shown(&plan, Format::Markdown);
        let (mut open, mut in_code) = (0, false);
        for event in Parser::new_ext(&markdown, Options::ENABLE_TABLES | Options::ENABLE_GFM) {
            match event {
                Event::Html(html) | Event::InlineHtml(html) => {
                    open += html.matches("<details").count();
                    open -= html.matches("</details>").count();
                }
                Event::Start(Tag::CodeBlock(_)) => in_code = true,
                Event::End(TagEnd::CodeBlock) => in_code = false,
                Event::Text(text) => assert!(in_code || !text.contains("@team"), "{markdown}"),
                _ => {}
            }
        }
        assert_eq!(open, 0, "{text:?}\n{markdown}");
        for format in [Format::Text, Format::Markdown, Format::Github] {
            let said = shown(&plan, format);
            assert!(!said.contains("##[") && !said.contains('\u{1b}'), "{text:?} {format:?}\n{said}");
            let ours = format == Format::Github;
            assert!(ours || !said.lines().any(|line| line.trim_start().starts_with("::")), "{text:?}\n{said}");
        }
    }
}

/// A lost section can have thousands of entries. The comment counts them, and stays short enough.
#[test]
fn a_deletion_of_thousands_is_one_warning() {
    let mut plan = compared();
    let deletions = &mut plan.comparison.as_mut().unwrap().deletions;
    *deletions = (0..5_000)
        .map(|index| Deletion {
            address: address(&format!("user/u{index:05}@x.example")),
            by: DeletedBy::Section { section: "users".to_owned() },
            lines: vec![line(false, index + 1, "  - { email: somebody@x.example, roles: [Viewer] }")],
        })
        .collect();
    let markdown = shown(&plan, Format::Markdown);
    assert!(markdown.len() < 60_000 && markdown.contains("and 4980 more (no change follows)"), "{markdown}");
    assert!(markdown.contains("5000 entries may be gone by a slip") && markdown.contains("#### Asked for here"));
    assert_eq!(shown(&plan, Format::Github).matches("no longer in the files").count(), 1);
}

#[test]
fn somebody_who_has_not_accepted_yet_becomes_admin_with_their_role() {
    let mut world = hive::world();
    hive::role(&mut world, "Reviewer", &["project:describe"]);
    hive::invitation(&mut world, "new@x.example", "Reviewer");
    let role = "roles: [{ name: Reviewer, permissions: [project:describe, member:modify] }]";
    let body = format!("{role}\nusers: [{{ email: new@x.example, roles: [Reviewer] }}]");
    let rig = Rig::<Console>::new(world, &body);
    let text = shown(&rig.plan(), Format::Text);
    assert!(text.contains("1 person becomes admin"), "{text}");
    assert!(text.contains("new@x.example"), "{text}");
}

#[test]
fn somebody_who_has_not_accepted_yet_loses_a_team_that_is_deleted() {
    let mut world = rapidapi::with_teams(&["Search", "Payments"]);
    rapidapi::invitation(&mut world, "new@x.example", "DEVELOPER", &["Search"]);
    let body = "teams: [{ name: Search, absent: true }, { name: Payments }]\nusers: [{ email: own@acme.example }]";
    let rig = Rig::<Hub>::new(world, body);
    let text = shown(&rig.plan(), Format::Text);
    assert!(text.contains("invitation/new@x.example") && text.contains("lose"), "{text}");
}
