//! The graphs of a plan: what they draw, and hostile names, which must have no effect.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rolecall::report::Format;
use rolecall_model::{Action, Address, Change, Plan, Privilege, ProviderName};
use serde::Deserialize;
use serde_json::json;

use crate::access::rendered;
use crate::reports::{hostile, plan_of, renamed, shown};
use crate::support::cli::Env;

/// A graph as a reader of the language DOT sees it: the label of each node, and each edge with its attributes.
#[derive(Default)]
struct Drawn {
    titles: Vec<String>,
    nodes: BTreeMap<String, String>,
    edges: Vec<(String, String, BTreeMap<String, String>)>,
}

/// A token: an id, a string in quotation marks, or a mark such as `->`.
#[derive(Clone, Debug, PartialEq)]
enum Token {
    Id(String),
    Text(String),
    Mark(&'static str),
}

/// Splits DOT into tokens, by the grammar of its documentation, without what it allows and rolecall doesn't write:
/// comments, HTML, and strings over several lines.
fn tokens(dot: &str) -> Vec<Token> {
    let (mut tokens, mut rest) = (Vec::new(), dot);
    while let Some(c) = rest.chars().next() {
        if c.is_whitespace() {
            rest = &rest[c.len_utf8()..];
        } else if let Some(inner) = rest.strip_prefix('"') {
            let mut escaped = false;
            let end = inner.find(|c| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            });
            let (text, after) = inner.split_at(end.unwrap_or_else(|| panic!("a string has no end: {rest}")));
            assert!(!text.contains('\n'), "{text}");
            tokens.push(Token::Text(label(text)));
            rest = &after[1..];
        } else if let Some(mark) =
            ["->", "{", "}", "[", "]", "=", ",", ";"].into_iter().find(|mark| rest.starts_with(mark))
        {
            tokens.push(Token::Mark(mark));
            rest = &rest[mark.len()..];
        } else {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            assert!(end > 0, "not a token: {rest}");
            tokens.push(Token::Id(rest[..end].to_owned()));
            rest = &rest[end..];
        }
    }
    tokens
}

/// Returns what Graphviz draws for the text of a label.
fn label(text: &str) -> String {
    let mut drawn = String::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match (c, c == '\\') {
            (_, true) => match rest.next() {
                Some('n') => drawn.push('\n'),
                Some(c @ ('\\' | '"')) => drawn.push(c),
                other => panic!("an escape without a meaning here: {other:?} in {text}"),
            },
            (c, false) => drawn.push(c),
        }
    }
    let entities = drawn.matches('&').count();
    assert_eq!(entities, drawn.matches("&amp;").count(), "{drawn}");
    drawn.replace("&amp;", "&")
}

/// Parses a graph strictly: every node of an edge must be described, and no statement may be left over.
fn drawn(dot: &str) -> Drawn {
    let tokens = tokens(dot);
    let mut drawn = Drawn::default();
    let (mut at, mut depth) = (0, 0);
    let id = |at: usize| match &tokens[at] {
        Token::Id(id) => id.clone(),
        other => panic!("{other:?} is no id"),
    };
    let attributes = |at: &mut usize| {
        let mut found = BTreeMap::new();
        if tokens.get(*at) == Some(&Token::Mark("[")) {
            while tokens[*at] != Token::Mark("]") {
                let (name, Token::Mark("="), Token::Id(value) | Token::Text(value)) =
                    (id(*at + 1), &tokens[*at + 2], &tokens[*at + 3])
                else {
                    panic!("no attribute: {:?}", &tokens[*at..])
                };
                assert!(found.insert(name, value.clone()).is_none(), "an attribute is there twice");
                *at += 4;
                assert!(matches!(tokens[*at], Token::Mark("," | "]")), "{:?}", tokens[*at]);
            }
            *at += 1;
        }
        found
    };
    assert_eq!((id(0).as_str(), &tokens[2]), ("digraph", &Token::Mark("{")));
    (at, depth) = (at + 3, depth + 1);
    while depth > 0 {
        match (&tokens[at], tokens.get(at + 1)) {
            (Token::Mark("}"), _) => {
                (at, depth) = (at + 1, depth - 1);
                continue;
            }
            (Token::Id(word), _) if word == "subgraph" => {
                assert!(id(at + 1).starts_with("cluster_") && tokens[at + 2] == Token::Mark("{"));
                (at, depth) = (at + 3, depth + 1);
                continue;
            }
            (Token::Id(name), Some(Token::Mark("="))) => {
                if let ("label", Token::Text(title)) = (&**name, &tokens[at + 2]) {
                    drawn.titles.push(title.clone());
                }
                at += 3;
            }
            (Token::Id(from), Some(Token::Mark("->"))) => {
                let to = id(at + 2);
                at += 3;
                let found = attributes(&mut at);
                drawn.edges.push((from.clone(), to, found));
            }
            (Token::Id(node), _) => {
                at += 1;
                let found = attributes(&mut at);
                if node != "node" && node != "edge" {
                    assert!(
                        drawn.nodes.insert(node.clone(), found["label"].clone()).is_none(),
                        "{node} is there twice"
                    );
                }
            }
            (other, _) => panic!("{other:?} begins no statement"),
        }
        assert_eq!(tokens[at], Token::Mark(";"), "{:?}", &tokens[at..]);
        at += 1;
    }
    assert_eq!(at, tokens.len(), "something follows the graph");
    for (from, to, _) in &drawn.edges {
        assert!(drawn.nodes.contains_key(from) && drawn.nodes.contains_key(to), "{from} -> {to}");
    }
    drawn
}

impl Drawn {
    /// Returns each edge as `FROM -> TO: MARK`, with the first lines of the labels.
    fn edges(&self) -> BTreeSet<String> {
        let name = |id: &String| self.nodes[id].lines().next().unwrap_or_default();
        let edges = self.edges.iter().map(|(from, to, found)| {
            let mark = found.get("label").map_or("stays", String::as_str);
            // A reader who sees no colours sees the mark all the same.
            assert_eq!(
                found.get("style").map(String::as_str),
                match mark {
                    "new" => Some("bold"),
                    "removed" => Some("dashed"),
                    _ => None,
                }
            );
            format!("{} -> {}: {mark}", name(from), name(to))
        });
        edges.collect()
    }
}

/// Returns a plan in which the change of Alice, who moves from one role to another, is the only one.
fn alice(plan: &Plan, edit: impl Fn(&mut Change)) -> Plan {
    let mut plan = plan.clone();
    let organization = &mut plan.organizations[0];
    organization.sealed.changes.retain(|change| change.address.name == "alice@acme.example");
    organization.sealed.changes.iter_mut().for_each(edit);
    plan
}

#[test]
fn the_graph_leads_from_each_person_over_their_roles_to_the_parts_and_marks_what_changes() {
    let plan = plan_of("hive");
    let edges = drawn(&shown(&plan, Format::Dot)).edges();
    for edge in [
        "user/alice@acme.example -> Developer: removed",
        "Developer -> shop/production/apps/web: removed",
        "user/alice@acme.example -> Schema reviewer: new",
        "user/new.user@acme.example -> Developer: new",
        "Developer -> shop/staging/*: new",
        "key/legacy-ci -> schemaCheck:create, schemaVersion:publish: removed",
    ] {
        assert!(edges.contains(edge), "{edge}: {edges:#?}");
    }
    // Alice keeps her role and gets it on further parts. Only these are marked.
    let plan = alice(&plan, |change| {
        let (before, after) = (change.before.as_ref().unwrap().user().unwrap(), change.after.as_mut().unwrap());
        let rolecall_model::Entity::User(after) = after else { panic!("{after:?}") };
        after.roles.clone_from(&before.roles);
    });
    let edges = drawn(&shown(&plan, Format::Dot)).edges();
    for edge in [
        "user/alice@acme.example -> Developer: stays",
        "Developer -> shop/production/apps/web: stays",
        "Developer -> shop/staging/*: new",
    ] {
        assert!(edges.contains(edge), "{edge}: {edges:#?}");
    }
    assert!(!edges.iter().any(|edge| edge.ends_with("removed")), "{edges:#?}");
}

/// Whoever has a role on `shop` isn't connected with somebody else's part.
#[test]
fn no_path_leads_to_a_part_that_somebody_does_not_have() {
    let drawn = drawn(&shown(&plan_of("hive"), Format::Dot));
    let id = |name: &str| drawn.nodes.iter().find(|(_, label)| label.starts_with(name)).unwrap().0.clone();
    let mut reached = BTreeSet::from([id("user/new.user@acme.example")]);
    for _ in 0..2 {
        let next = drawn.edges.iter().filter(|(from, _, _)| reached.contains(from));
        reached.extend(next.map(|(_, to, _)| to.clone()).collect::<Vec<_>>());
    }
    let parts: Vec<&str> = reached.iter().map(|id| drawn.nodes[id].lines().next().unwrap()).collect();
    assert_eq!(
        BTreeSet::from_iter(parts),
        BTreeSet::from(["Developer", "shop/staging/*", "user/new.user@acme.example"])
    );
}

/// A plan of thousands of changes has a graph that can be read: those who change alike are counted, the privileged
/// ones are named.
#[test]
fn many_who_change_alike_are_one_node_and_so_are_the_many_others_who_hold_a_role() {
    let mut plan = plan_of("hive");
    let organization = &mut plan.organizations[0];
    let changes = &mut organization.sealed.changes;
    let role = changes.iter().find(|change| change.address.name == "Developer").unwrap().clone();
    let invite = changes.iter().find(|change| change.action == Action::Invite).unwrap().clone();
    *changes = vec![role];
    changes[0].effects = vec![rolecall_model::Effect::Affects {
        holders: (0..40).map(|index| format!("user/h{index:02}@x.example").parse().unwrap()).collect(),
    }];
    for index in 0..10_000 {
        let address: Address = format!("user/u{index:05}@x.example").parse().unwrap();
        if index < 7 {
            organization.privileged.insert(address.clone(), Privilege::Gains);
        }
        changes.push(Change { address, ..invite.clone() });
    }
    let dot = shown(&plan, Format::Dot);
    let labels = drawn(&dot).nodes.into_values().collect::<Vec<_>>();
    let has = |text: &str| labels.iter().filter(|label| label.contains(text)).count();
    assert_eq!(has("invite; gains privilege"), 7, "{labels:#?}");
    assert_eq!(
        has("user/u00007@x.example, user/u00008@x.example, user/u00009@x.example and 9990 more"),
        1,
        "{labels:#?}"
    );
    assert_eq!(has("and 37 more\nholds the role"), 1, "{labels:#?}");
    assert!(labels.len() < 15 && shown(&plan, Format::Mermaid).len() < 3_000, "{dot}");
}

/// GitHub and GitLab draw the graph in a comment, if it is small enough to be read.
#[test]
fn the_comment_has_the_graph_of_a_small_plan_and_not_of_a_large_one() {
    let plan = plan_of("hive");
    let drawn = |plan: &Plan| {
        let comment = shown(plan, Format::Markdown);
        assert_eq!(comment.matches("```").count() % 2, 0, "{comment}");
        let (_, graph) = comment.split_once("<details><summary>Graph</summary>\n\n```mermaid\n")?;
        Some(graph.split_once("```\n\n</details>").unwrap().0.to_owned())
    };
    assert_eq!(drawn(&plan), Some(shown(&plan, Format::Mermaid)));
    for name in names() {
        let plan = renamed(&plan, RENAMED, &name);
        assert_eq!(drawn(&plan), Some(shown(&plan, Format::Mermaid)), "{name:?}");
    }
    let mut large = plan.clone();
    let organization = &mut large.organizations[0];
    let (changes, privileged) = (&mut organization.sealed.changes, &mut organization.privileged);
    let invite = changes.iter().find(|change| change.action == Action::Invite).unwrap().clone();
    for index in 0..30 {
        let address: Address = format!("user/u{index}@x.example").parse().unwrap();
        privileged.insert(address.clone(), Privilege::Gains);
        changes.push(Change { address, ..invite.clone() });
    }
    assert_eq!(drawn(&large), None);
    let mut none = plan;
    none.organizations[0].sealed.changes.clear();
    assert_eq!(drawn(&none), None);
}

/// Names that mean something to Graphviz or to Mermaid.
fn names() -> Vec<String> {
    let more = [
        "end",
        "graph",
        "subgraph x",
        "click g0n0 call alert()",
        "click g0n0 href \"javascript:alert(1)\"",
        "a --> b",
        "a -.-> b; c",
        "o",
        "x",
        "---o",
        "%% comment",
        "%%{init: {\"securityLevel\": \"loose\"}}%%",
        "%%{wrap}%%",
        "---",
        "class g0n0 new",
        "style g0n0 fill:#f00;",
        "classDef new fill:#f00;",
        "a:::new",
        "#quot;",
        "#60;b#62;",
        "&lt;b&gt; &#60;",
        "ﬂ°°60¶ßimg src=x onerror=alert(1)ﬂ°°62¶ß",
        "ﬂ°lt¶ßb",
        "1. one",
        "- one",
        "    code",
        "# heading",
        "> quote",
        "`code`",
        "\"`markdown **x**`\"",
        "_it_ *it* ~~x~~",
        "$$\\href{javascript:alert(1)}{x}$$",
        "fa:fa-user",
        "@{ shape: circle }",
        "<img src=x onerror=alert(1)>",
        "\"]; g0n0 [label=\"x",
        "\\\"",
        "\\",
        "\\N \\G \\l",
        "a\\",
        "<b>html</b>",
        "]]",
        "])",
        "{}",
        "()",
        "straße",
        "Ω≈ç√ 名前 עברית",
        "::icon(fa fa-book)",
        "direction TB",
        "accTitle: x",
        "title: x",
        "<br/>",
    ];
    more.into_iter().map(ToOwned::to_owned).chain(hostile()).collect()
}

/// A role, a key, the people and a part of the example.
const RENAMED: &[&str] = &["Developer", "ci-publisher", "@acme.example", "ios-app"];

#[test]
fn whatever_a_name_says_the_graph_keeps_its_form() {
    let plan = plan_of("hive");
    let before = drawn(&shown(&plan, Format::Dot));
    let lines = |text: &str| text.lines().count();
    let mermaid = shown(&plan, Format::Mermaid);
    for name in names() {
        let plan = renamed(&plan, RENAMED, &name);
        let dot = drawn(&shown(&plan, Format::Dot));
        assert_eq!(dot.edges.len(), before.edges.len(), "{name:?}");
        // In an address, `#` separates the id from the name, so that the role that changes is another one.
        let more = usize::from(name.contains('#'));
        assert_eq!(dot.nodes.len(), before.nodes.len() + more, "{name:?}");
        let text = shown(&plan, Format::Mermaid);
        assert_eq!(lines(&text), lines(&mermaid) + more, "{name:?}: {text}");
        // Nothing but our own quotation marks, and nothing between them that Mermaid could read.
        for line in text.lines().filter(|line| line.contains('"')) {
            let parts: Vec<&str> = line.split('"').collect();
            let plain = parts[1].replace("<br/>", " ");
            let is_plain = |c: char| c.is_alphanumeric() || " -/,#;".contains(c);
            assert!(parts.len() == 3 && plain.chars().all(is_plain), "{name:?}: {line}");
        }
    }
}

/// What the page of the next test says of each graph.
#[derive(Debug, Deserialize)]
struct Seen {
    error: Option<String>,
    nodes: Vec<String>,
    edges: usize,
    foreign: usize,
}

/// The folder `node_modules` with the package `mermaid`. `NODE_MODULES` names it.
fn mermaid() -> Option<PathBuf> {
    let script = PathBuf::from(std::env::var_os("NODE_MODULES")?).join("mermaid/dist/mermaid.min.js");
    assert!(script.is_file(), "NODE_MODULES has no {}", script.display());
    Some(script)
}

/// Mermaid itself parses and draws every graph, in a browser. Each node shows the text that the DOT form has, and no name
/// becomes markup or a script.
#[test]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn mermaid_itself_draws_every_graph_as_it_is_meant() {
    let Some(script) = mermaid() else {
        eprintln!("skipped: NODE_MODULES doesn't name a folder with the package mermaid");
        return;
    };
    let hive = plan_of("hive");
    let mut plans: Vec<Plan> = ProviderName::ALL.iter().map(|name| plan_of(name.as_str())).collect();
    plans.extend(names().iter().map(|name| renamed(&hive, RENAMED, name)));
    plans.push(alice(&hive, |_| {}));
    plans.push(Plan::new("x", Vec::new()));
    let mut empty = hive.clone();
    empty.organizations[0].sealed.changes.clear();
    plans.push(empty);
    let graphs: Vec<String> = plans.iter().map(|plan| shown(plan, Format::Mermaid)).collect();
    let env = Env::new();
    let mut page = String::new();
    let _ = write!(
        page,
        "<!doctype html><meta charset=utf-8><script src=\"file://{}\"></script><body><script>const graphs = {};{DRAW}</script>",
        script.display(),
        json!(graphs).to_string().replace('<', "\\u003c"),
    );
    env.write("page.html", page);
    let Some(dom) = rendered(&env.path("page.html"), "") else {
        eprintln!("skipped: there is no Chromium on this machine");
        return;
    };
    let (_, seen) = dom.split_once("<main>").unwrap_or_else(|| panic!("the page didn't end: {dom}"));
    let seen = STANDARD.decode(seen.split('<').next().unwrap()).unwrap();
    let seen: Vec<Seen> = serde_json::from_slice(&seen).unwrap();
    assert_eq!(seen.len(), plans.len());
    let words = |text: &str| {
        let text = text
            .replace('ﬂ', "\\u{fb02}")
            .replace('¶', "\\u{b6}")
            .replace("$$", "$\\u{24}")
            .replace(":fa-", ":fa\\u{2d}")
            .replace("\\n", "\\u{5c}n");
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    for ((plan, graph), Seen { error, nodes, edges, foreign }) in plans.iter().zip(&graphs).zip(seen) {
        assert_eq!(error, None, "{graph}");
        let dot = drawn(&shown(plan, Format::Dot));
        assert_eq!((edges, foreign), (dot.edges.len(), 0), "{graph}");
        let mut expected: Vec<String> = dot.nodes.values().map(|label| words(label)).collect();
        let mut nodes: Vec<String> = nodes.iter().map(|label| words(label)).collect();
        expected.sort();
        nodes.sort();
        assert_eq!(nodes, expected, "{graph}");
    }
}

/// Draws each graph, and leaves a description of each in `main`.
const DRAW: &str = r#"
let hit = 0;
window.alert = () => { hit += 1; };
(async () => {
  mermaid.initialize({ startOnLoad: false });
  const seen = [];
  for (const [index, text] of graphs.entries()) {
    const one = { error: null, nodes: [], edges: 0, foreign: 0 };
    try {
      await mermaid.parse(text);
      const box = document.createElement("div");
      document.body.append(box);
      box.innerHTML = (await mermaid.render("r" + index, text)).svg;
      await new Promise((wake) => setTimeout(wake, 1));
      one.foreign = hit + box.querySelectorAll("img, a, script, iframe, b, strong, em, code, ul, ol, h1, blockquote, math").length;
      box.querySelectorAll("br").forEach((br) => br.replaceWith("\n"));
      one.nodes = [...box.querySelectorAll(".node .nodeLabel")].map((label) => label.textContent);
      one.edges = box.querySelectorAll("path.flowchart-link").length;
      box.remove();
    } catch (why) { one.error = String(why); }
    seen.push(one);
  }
  const bytes = new TextEncoder().encode(JSON.stringify(seen));
  const main = document.createElement("main");
  main.textContent = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  document.body.replaceChildren(main);
})();
"#;
