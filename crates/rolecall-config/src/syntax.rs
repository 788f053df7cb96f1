//! Finds text that YAML or people pass over without a word: tags, characters that don't show, conflict markers,
//! placeholders of templates, typographic quotes, and credentials in places where no credential belongs.

use serde_yaml::granit_parser::{Event, Parser};

use super::events;
use super::node::{Located, Node};
use super::redact::{is_credential, may_have_credential};
use super::source::{Mark, Source};
use rolecall_model::{Code, Finding, Span, deceptive, has_placeholder, is_odd_space, is_typographic_quote, small};

/// The beginnings of the lines by which git marks a conflict.
const CONFLICT: &[&str] = &["<<<<<<< ", "||||||| ", ">>>>>>> "];

/// Finds the lines of an unresolved merge. A file with such lines says two things at once, so it isn't read further.
pub fn conflicts(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !CONFLICT.iter().any(|marker| source.text.contains(marker)) {
        return findings;
    }
    let mut start = 0;
    for (index, line) in source.text.split_inclusive('\n').enumerate() {
        if CONFLICT.iter().any(|marker| line.starts_with(marker)) {
            let mark =
                Mark { file: source.number, line: small(index + 1), column: 1, span: Span::new(start..start + 7) };
            findings.push(
                Finding::error(Code::YamlSyntax, source.place(mark), "A merge left a conflict here.").hint(
                    "Keep one side, and remove the lines that start with `<<<<<<<`, `=======` and `>>>>>>>`.",
                ),
            );
        }
        start += line.len();
    }
    findings
}

/// Finds the characters that don't show, or that look like a space and are none. They could make the file look
/// different from its content. A name of the platform that has one is written in double quotes, with an escape.
pub fn characters(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    // Nearly every file has only characters that show.
    if source.text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t' | b'\n')) {
        return findings;
    }
    let mut start = 0;
    for (index, line) in source.text.split_inclusive('\n').enumerate() {
        let text = line.strip_suffix('\n').unwrap_or(line);
        let text = text.strip_suffix('\r').unwrap_or(text);
        let invisible = deceptive(text).filter(|(_, c)| *c != '\t');
        // In a comment, a no-break space can't be mistaken for anything.
        let comment = text.find(" #").or_else(|| text.starts_with('#').then_some(0)).unwrap_or(text.len());
        let odd = text[..comment].char_indices().filter(|(_, c)| is_odd_space(*c));
        for (at, c) in invisible.chain(odd) {
            let span = Span::new(start + at..start + at + c.len_utf8());
            let column = small(text[..at].chars().count() + 1);
            let mark = Mark { file: source.number, line: small(index + 1), column, span };
            let what =
                if is_odd_space(c) { "A space that isn't the usual one" } else { "A character that doesn't show" };
            let message = format!("{what}, U+{:04X}, is here.", u32::from(c));
            let hint = format!(
                "Remove it. If a name on the platform has it, write the name in double quotes, with \"{}\" in its place.",
                escape(c)
            );
            findings.push(Finding::error(Code::InvisibleCharacter, source.place(mark), message).hint(hint));
        }
        start += line.len();
    }
    findings
}

/// Returns the escape of a character in a text with double quotes.
fn escape(c: char) -> String {
    let code = u32::from(c);
    if code > 0xffff { format!("\\U{code:08X}") } else { format!("\\u{code:04X}") }
}

/// Finds tags, such as `!env`. The reader would ignore them, so that `!env NAME` would mean the text `NAME`.
pub fn tags(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !source.text.contains('!') {
        return findings;
    }
    for event in Parser::new_from_str_with_options(&source.text, events::options()) {
        // The reader reports text that can't be parsed.
        let Ok((event, span)) = event else { break };
        let (Some(tag), Some(at)) = (event.tag(), span.tag_span()) else { continue };
        if matches!(event, Event::Scalar(..)) && tag.is_yaml_core_schema_tag("str") {
            continue;
        }
        let range = at.byte_range().unwrap_or_default();
        let mark = Mark {
            file: source.number,
            line: small(at.start.line()),
            column: small(at.start.col() + 1),
            span: Span::new(range),
        };
        let message = "The format has no tags, so nothing would act on this one.";
        findings.push(
            Finding::error(Code::YamlSyntax, source.place(mark), message)
                .hint("Write the value itself. A credential is named like `{ env: NAME }`, without a tag."),
        );
    }
    findings
}

/// Finds texts that stand for something else: placeholders, texts in typographic quotes, and credentials.
pub fn texts(source: &Source, root: &Located, findings: &mut Vec<Finding>) {
    // Nearly no file has such a text, and to look through the file takes less than to look at each value. A text with escapes
    // is another one in the file.
    let text = source.text.as_str();
    if text.contains('\\') || !text.is_ascii() || has_placeholder(text) || may_have_credential(text) {
        odd_texts(source, root, findings);
    }
}

fn odd_texts(source: &Source, root: &Located, findings: &mut Vec<Finding>) {
    match &root.node {
        Node::Text(text) => findings.extend(odd_text(source, text, root.mark)),
        Node::List(items) => items.iter().for_each(|item| odd_texts(source, item, findings)),
        Node::Map(entries) => {
            for (key, value) in entries {
                odd_texts(source, key, findings);
                // Below `credentials` the decoder reports a credential. A command may have variables of a shell.
                let is_own = |name: &str| matches!(name, "credentials" | "command" | "description");
                if !matches!(&key.node, Node::Text(name) if is_own(name)) {
                    odd_texts(source, value, findings);
                }
            }
        }
        Node::Null | Node::Bool(_) | Node::Number(_) => {}
    }
}

fn odd_text(source: &Source, text: &str, mark: Mark) -> Option<Finding> {
    let typed = source.slice(mark.span);
    let place = || source.place(mark);
    if is_credential(text) {
        return Some(
            Finding::error(Code::LiteralCredential, place(), "This looks like a credential of a platform.")
                .hint("Remove it, and replace the credential, because it was written in a file.")
                .without_source(),
        );
    }
    if typed.starts_with(is_typographic_quote) {
        let message = "These are typographic quotation marks, so they would be a part of the text.";
        return Some(
            Finding::error(Code::InvalidValue, place(), message)
                .hint("Use straight quotation marks: `\"` or `'`."),
        );
    }
    // The check of addresses reports a placeholder itself.
    if has_placeholder(typed) && !text.contains('@') {
        let message = "This is a placeholder of a template, and rolecall doesn't fill it in.";
        return Some(
            Finding::error(Code::InvalidValue, place(), message)
                .hint("Write the value itself, or let the template's tool write the file first."),
        );
    }
    None
}
