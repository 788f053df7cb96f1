//! Findings with their source line, as rustc draws them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};
use schemars::JsonSchema;
use serde::Serialize;

use super::{clean, plural};
use rolecall_config::{Excerpt, Source, shows_credential};
use rolecall_model::{Code, FORMAT_VERSION, Finding, Severity, Span, Warning, deceptive, is_odd_space};

/// The number of findings of one code in one file that are written out. JSON has all of them.
const LISTED: usize = 20;

/// Writes the findings, each with its place, its hint, and its source line unless that could show a secret.
pub fn findings(findings: &[Finding], sources: &[&Source]) -> String {
    let renderer = Renderer::styled();
    let mut text = String::new();
    let (listed, more) = listed(findings);
    let is_shown = |source: &&&Source| listed.iter().any(|finding| finding.place.file == source.name);
    let shown = sources.iter().filter(is_shown);
    let sources: Vec<Shown<'_>> =
        shown.map(|source| Shown { source, hidden: source.lines_with_secrets() }).collect();
    for finding in listed {
        text.push_str(&one(finding, &sources, &renderer));
        text.push_str("\n\n");
    }
    for more in more {
        let _ = writeln!(text, "{}[{}]: {more}\n", more.severity.as_str(), more.code);
    }
    text
}

/// Writes a warning of a saved plan, which has no source lines.
pub fn warning(Warning { code, place, message, hint }: &Warning) -> String {
    let hint = hint.as_ref().map(|hint| format!(" = hint: {}\n", clean(hint))).unwrap_or_default();
    format!("warning[{}]: {}\n--> {}\n{hint}\n", clean(code), clean(message), clean(place))
}

/// The findings of one kind in one file that are only counted.
pub(super) struct More {
    pub severity: Severity,
    pub code: Code,
    file: String,
    count: usize,
}

impl fmt::Display for More {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { count, file, .. } = self;
        write!(f, "{} of this kind in {file}. `--format json` lists them.", plural(*count, "more finding"))
    }
}

/// Returns the findings that a report for people lists, and the number of the others. A flood of one kind doesn't
/// hide the others.
pub(super) fn listed<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> (Vec<&'a Finding>, Vec<More>) {
    let mut counts: BTreeMap<(Severity, Code, &str), usize> = BTreeMap::new();
    let mut shown = Vec::new();
    for finding in findings {
        let count = counts.entry((finding.severity, finding.code, &*finding.place.file)).or_default();
        *count += 1;
        if *count <= LISTED {
            shown.push(finding);
        }
    }
    let more = counts.into_iter().filter(|(_, count)| *count > LISTED);
    let more = more.map(|((severity, code, file), count)| More {
        severity,
        code,
        file: clean(file),
        count: count - LISTED,
    });
    (shown, more.collect())
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
    let excerpt = shown.and_then(|shown| shown.source.excerpt(place.span));
    let hidden = hidden || excerpt.is_some_and(|excerpt| shows_credential(excerpt.text));
    let mut group = if let Some(excerpt) = excerpt.filter(|_| !hidden) {
        let is_whole = !excerpt.cut_before;
        let (line, span) = visible(&excerpt, place.span);
        let annotation = AnnotationKind::Primary.span(span);
        let snippet = Snippet::source(line).line_start(place.line).annotation(annotation);
        if is_whole {
            title.element(snippet.path(file))
        } else {
            // In a part of a line, the column would be another one.
            title.element(Origin::path(file).line(place.line).char_column(place.column)).element(snippet)
        }
    } else {
        title.element(Origin::path(file).line(place.line).char_column(place.column))
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

/// Returns a line as it is shown, and the range of a finding in it. Characters that don't show are escaped.
fn visible(excerpt: &Excerpt<'_>, span: Span) -> (String, Range<usize>) {
    let Excerpt { start, text, cut_before, cut_after } = *excerpt;
    let mut line = if cut_before { "…".to_owned() } else { String::new() };
    let (mut from, mut to) = (None, None);
    let odd: Vec<usize> = deceptive(text).map(|(at, _)| at).collect();
    for (at, c) in text.char_indices() {
        from = from.or((start + at >= span.start()).then_some(line.len()));
        to = to.or((start + at >= span.end()).then_some(line.len()));
        if c != '\t' && (is_odd_space(c) || odd.binary_search(&at).is_ok()) {
            line.extend(c.escape_unicode());
        } else {
            line.push(c);
        }
    }
    let end = line.len();
    if cut_after {
        line.push('…');
    }
    let from = from.unwrap_or(end);
    (line, from..to.unwrap_or(end).max(from))
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
