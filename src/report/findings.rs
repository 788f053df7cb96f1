//! Findings with their source line, as rustc draws them.

use std::collections::BTreeSet;

use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};
use schemars::JsonSchema;
use serde::Serialize;

use super::{clean, plural};
use rolecall_config::Source;
use rolecall_model::{FORMAT_VERSION, Finding, Severity};

/// A source line longer than this is not shown, in bytes.
const LONGEST_LINE: usize = 400;

/// Writes all findings, each with its place, its hint, and its source line unless that could show a secret.
pub fn findings(findings: &[Finding], sources: &[&Source]) -> String {
    let renderer = Renderer::styled();
    let mut text = String::new();
    let sources: Vec<Shown<'_>> =
        sources.iter().map(|source| Shown { source, hidden: source.lines_with_secrets() }).collect();
    for finding in findings {
        text.push_str(&one(finding, &sources, &renderer));
        text.push_str("\n\n");
    }
    text
}

/// Writes all findings and a count, for `validate`.
pub(super) fn checked(found: &[Finding], sources: &[&Source]) -> String {
    let errors = found.iter().filter(|finding| finding.is_error()).count();
    let counts = [(errors, "error"), (found.len() - errors, "warning")].into_iter();
    let counts: Vec<String> =
        counts.filter(|(count, _)| *count > 0).map(|(count, what)| plural(count, what)).collect();
    let counts = if counts.is_empty() { "no findings".to_owned() } else { counts.join(", ") };
    format!("{}{} checked: {counts}\n", findings(found, sources), plural(sources.len(), "file"))
}

/// A source, and the lines of it that are not shown.
struct Shown<'a> {
    source: &'a Source,
    hidden: BTreeSet<usize>,
}

fn one(finding: &Finding, sources: &[Shown<'_>], renderer: &Renderer) -> String {
    let Finding { code, severity, place, message, hint, show_source } = finding;
    let level = match severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(clean(message)).id(code.as_str());
    let file = clean(&place.file);
    let shown = sources.iter().find(|shown| shown.source.name == place.file);
    let hidden = shown.is_some_and(|shown| !show_source || shown.hidden.contains(&place.line));
    let line = shown
        .filter(|_| !hidden)
        .and_then(|shown| shown.source.line_of(place.span))
        .filter(|(_, line)| line.len() <= LONGEST_LINE);
    let mut group = if let Some((start, line)) = line {
        let from = place.span.start.saturating_sub(start).min(line.len());
        let to = place.span.end.saturating_sub(start).clamp(from, line.len());
        let snippet = Snippet::source(line)
            .line_start(place.line)
            .path(file)
            .annotation(AnnotationKind::Primary.span(from..to));
        title.element(snippet)
    } else {
        let origin = Origin::path(file).line(place.line).char_column(place.column);
        title.element(origin)
    };
    if hidden {
        group = group.element(Level::NOTE.message("the line isn't shown, because it may contain a credential"));
    }
    if let Some(hint) = hint {
        group = group.element(Level::HELP.with_name("hint").message(clean(hint)));
    }
    // Anywhere in a line, that of the source included, this is an order to GitHub's runner.
    renderer.render(&[group]).replace("##[", "##\\u{5b}")
}

/// All findings of a run over files.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Findings<'a> {
    pub format_version: &'static str,
    /// The findings, in the order of the files and of the lines in each.
    pub findings: &'a [Finding],
}

/// Writes all findings as JSON.
pub(super) fn findings_json(findings: &[Finding]) -> String {
    super::json(&Findings { format_version: FORMAT_VERSION, findings })
}
