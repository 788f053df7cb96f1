//! The documentation: its links lead somewhere, its commands exist, and its generated parts are current.

mod commands;
mod fields;
mod links;
mod pages;
mod picture;
mod prose;
mod reference;

use std::path::{Path, PathBuf};

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// A page with its path in the repository.
struct Page {
    path: String,
    text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the pages in the root, in `docs` and in `docs/design`.
fn pages() -> Vec<Page> {
    let mut files: Vec<PathBuf> = ["", "docs", "docs/design"]
        .iter()
        .flat_map(|folder| std::fs::read_dir(root().join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    files.sort();
    let name = |path: &Path| path.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/");
    files.iter().map(|path| Page { path: name(path), text: std::fs::read_to_string(path).unwrap() }).collect()
}

fn parse(text: &str) -> Parser<'_> {
    Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH)
}

/// Returns the headings as text, with their levels.
fn headings(text: &str) -> Vec<(u8, String)> {
    let mut headings = Vec::new();
    let mut open: Option<(u8, String)> = None;
    for event in parse(text) {
        match event {
            Event::Start(Tag::Heading { level, .. }) => open = Some((level as u8, String::new())),
            Event::End(TagEnd::Heading(_)) => headings.extend(open.take()),
            Event::Text(text) | Event::Code(text) => {
                if let Some((_, heading)) = &mut open {
                    heading.push_str(&text);
                }
            }
            _ => {}
        }
    }
    headings
}

/// Returns the anchors of a page, which GitHub derives from its headings.
fn anchors(text: &str) -> Vec<String> {
    let mut anchors: Vec<String> = Vec::new();
    for (_, heading) in headings(text) {
        let kept = heading.to_lowercase();
        let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        let anchor: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
        // The first heading of a name gets no number.
        let mut count = 0;
        let mut free = anchor.clone();
        while anchors.contains(&free) {
            count += 1;
            free = format!("{anchor}-{count}");
        }
        anchors.push(free);
    }
    anchors
}

/// Returns the targets of links and pictures.
fn targets(text: &str) -> Vec<String> {
    parse(text)
        .filter_map(|event| match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => Some(dest_url.to_string()),
            _ => None,
        })
        .collect()
}

/// Returns the inline code of a page, and its code blocks with their languages.
fn code(text: &str) -> (Vec<String>, Vec<(String, String)>) {
    let (mut spans, mut blocks) = (Vec::new(), Vec::new());
    let mut open: Option<(String, String)> = None;
    for event in parse(text) {
        match event {
            Event::Code(span) => spans.push(span.to_string()),
            Event::Start(Tag::CodeBlock(kind)) => {
                let language = match kind {
                    CodeBlockKind::Fenced(language) => language.to_string(),
                    CodeBlockKind::Indented => String::new(),
                };
                open = Some((language, String::new()));
            }
            Event::Text(text) => {
                if let Some((_, block)) = &mut open {
                    block.push_str(&text);
                }
            }
            Event::End(TagEnd::CodeBlock) => blocks.extend(open.take()),
            _ => {}
        }
    }
    (spans, blocks)
}

#[test]
fn anchors_are_those_of_github() {
    let page = "# One: `two` three!\n\n## Same\n\n## Same\n\n### What can't be done, and where\n\n## a_b-c";
    let expected = ["one-two-three", "same", "same-1", "what-cant-be-done-and-where", "a_b-c"];
    assert_eq!(anchors(page), expected);
}
