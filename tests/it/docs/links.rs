//! Links of the documentation lead somewhere, and every page can be reached.

use std::collections::BTreeSet;

use super::{Page, anchors, pages, root, targets};

/// Resolves a link within the repository to a file and an anchor.
fn resolve(page: &str, target: &str) -> Option<(String, Option<String>)> {
    let elsewhere = ["http://", "https://", "mailto:"];
    if elsewhere.iter().any(|scheme| target.starts_with(scheme)) {
        return None;
    }
    let (path, anchor) = match target.split_once('#') {
        Some((path, anchor)) => (path, Some(anchor.to_owned())),
        None => (target, None),
    };
    if path.is_empty() {
        return Some((page.to_owned(), anchor));
    }
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    Some((parts.join("/"), anchor))
}

/// Returns the links of a page that lead nowhere.
fn dead(page: &Page) -> Vec<String> {
    let mut dead = Vec::new();
    for target in targets(&page.text) {
        let Some((file, anchor)) = resolve(&page.path, &target) else { continue };
        let path = root().join(&file);
        if file != page.path && !path.exists() {
            dead.push(format!("{}: {target}: there is no {file}", page.path));
            continue;
        }
        let Some(anchor) = anchor else { continue };
        let text =
            if file == page.path { page.text.clone() } else { std::fs::read_to_string(&path).unwrap_or_default() };
        if !anchors(&text).contains(&anchor) {
            dead.push(format!("{}: {target}: no heading of {file} is called so", page.path));
        }
    }
    dead
}

#[test]
fn every_link_leads_somewhere() {
    let pages = pages();
    let dead: Vec<String> = pages.iter().flat_map(dead).collect();
    assert!(dead.is_empty(), "{dead:#?}");
    let within = |page: &Page| {
        let targets = targets(&page.text);
        targets.iter().filter(|target| resolve(&page.path, target).is_some()).count()
    };
    assert!(pages.iter().map(within).sum::<usize>() > 50, "links were looked for in the wrong place");
}

#[test]
fn a_link_that_leads_nowhere_is_seen() {
    let text = "# Here\n\n[a](nothing.md) [b](#there) [c](../README.md#nothing) [d](file.md) [e](#here) [f](https://x.example/y)";
    let page = Page { path: "docs/x.md".to_owned(), text: text.to_owned() };
    let dead = dead(&page);
    let expected = ["nothing.md", "#there", "../README.md#nothing"];
    assert_eq!(dead.len(), expected.len(), "{dead:#?}");
    for (line, target) in dead.iter().zip(expected) {
        assert!(line.starts_with(&format!("docs/x.md: {target}: ")), "{line}");
    }
}

#[test]
fn every_page_is_linked_from_another() {
    let pages = pages();
    let linked: BTreeSet<String> = pages
        .iter()
        .flat_map(|page| {
            let files = targets(&page.text).into_iter().filter_map(|target| resolve(&page.path, &target));
            files.map(|(file, _)| file).filter(|file| *file != page.path).collect::<Vec<_>>()
        })
        .collect();
    let docs: Vec<&Page> = pages.iter().filter(|page| page.path.starts_with("docs/")).collect();
    assert!(docs.len() >= 12, "pages were looked for in the wrong place");
    let lost: Vec<&str> = docs.iter().map(|page| &*page.path).filter(|path| !linked.contains(*path)).collect();
    assert!(lost.is_empty(), "no page links to {lost:?}");
}
