//! Reads the YAML files of a user, checks them, and returns a [`Desired`] for each organisation. Every problem
//! becomes a [`Finding`] with its place. Also writes files: from what is live, and undo files.

mod access;
mod accounts;
mod check;
mod connection;
mod decode;
mod delivery;
mod edit;
mod endpoint;
mod events;
mod field;
mod files;
mod format;
mod guardrails;
mod import;
mod lines;
mod node;
mod person;
mod previously;
mod pull;
mod raw;
mod recheck;
mod redact;
mod resolve;
mod schema;
mod source;
mod syntax;
mod trust;
mod undo;
mod versions;
mod write;

pub use delivery::is_ours;
pub use edit::{At, Edit, Edited, edit};
pub use endpoint::{check_url, is_loopback};
pub use files::{Content, Loaded, LoadedFile, is_yaml, load, load_contents, load_rendered, load_text};
pub use format::{FileFormat, Format};
pub use import::{Everybody, Head, HeadError, ImportInput, Imported, Roster, everybody, has_field, import, kinds};
pub use lines::compare_lines;
pub use person::{
    EditedFile, Included, Newcomer, Seen, Somebody, include_people, known_people, named_elsewhere, offboard,
    onboard, reload,
};
pub use pull::{Check, Gone, Pull, PullInput, PullOptions, Pulled, Stated, pull, stated};
pub use recheck::{Recheck, load_heads, reread};
pub use redact::shows_credential;
pub use resolve::{Answers, Commands, Disk, Files, NoFiles, NotRun};
pub use schema::schema;
pub use source::{Excerpt, MAX_BYTES, Mark, Source};
pub use trust::needing_approval;
pub use undo::{Irreversible, Undo, UndoInput, undo};
pub use versions::{Differences, Version, differences};
pub use write::{Flow, Problem, Yaml};

/// The parts from which a provider builds the types of its file: see [`FileFormat`].
pub mod parts {
    pub use super::check::{Checker, flag, scope};
    pub use super::field::{Field, WORD_OR};
    pub use super::guardrails::RawGuardrails;
    pub use super::raw::*;
}

use std::path::Path;

use jiff::Timestamp;

use node::{Located, Node};
use previously::previous_names_used;
use resolve::{Library, Resolved, check_tolerated, render, resolve};
use rolecall_model::{
    Code, Desired, Finding, Kind, ManualStep, ProviderName, Quirk, Rules, list_of, nearest, quote, sentence,
};
use source::Sources;

/// Checks the text of one file. Returns all findings, and the desired state if none of them is an error.
pub fn check_source(
    source: &Source,
    formats: impl Fn(ProviderName) -> &'static Format,
) -> (Option<Desired>, Vec<Finding>) {
    let answers = Answers::default();
    let mut library = Library::new(&NoFiles, &answers, Timestamp::MIN);
    let Checked { desired, findings, included: _, rendered: _ } =
        check_file(Path::new(&*source.name), source, &mut library, formats);
    (desired, findings)
}

/// An organisation's file, checked together with the files that it includes.
#[derive(Default)]
struct Checked {
    /// `None` if a finding is an error.
    desired: Option<Desired>,
    findings: Vec<Finding>,
    /// The numbers of the included files.
    included: Vec<u32>,
    /// The file with everything resolved, if the run writes it.
    rendered: Option<String>,
}

/// Checks an organisation's file together with the files that it includes.
fn check_file(
    path: &Path,
    source: &Source,
    library: &mut Library<'_>,
    formats: impl Fn(ProviderName) -> &'static Format,
) -> Checked {
    let mut findings = Vec::new();
    let mut known =
        Known { secrets: Vec::new(), is_ours: files::is_ours(&source.text), included: Vec::new(), rendered: None };
    let desired = check_tree(path, source, library, formats, &mut findings, &mut known);
    let Known { secrets, is_ours, included, rendered } = known;
    let of = |finding: &Finding| {
        let file = &finding.place.file;
        let mut all = std::iter::once(source).chain(&library.sources);
        all.find(|source| source.name == *file).unwrap_or(source)
    };
    let findings: Vec<Finding> = findings
        .into_iter()
        .map(|finding| {
            let source = of(&finding);
            redact::redact(finding, &secrets, source)
        })
        .map(|finding| if is_ours { finding } else { finding.without_source() })
        .collect();
    let failed = findings.iter().any(Finding::is_error);
    Checked { desired: desired.filter(|_| !failed), findings, included, rendered }
}

/// The facts about a file that decide what of it a finding may show.
struct Known {
    /// Texts that may be credentials.
    secrets: Vec<String>,
    /// True if the file names a provider. Any other file may be somebody's secret.
    is_ours: bool,
    /// The numbers of the included files.
    included: Vec<u32>,
    /// The file with everything resolved, if the run writes it.
    rendered: Option<String>,
}

fn check_tree(
    path: &Path,
    source: &Source,
    library: &mut Library<'_>,
    formats: impl Fn(ProviderName) -> &'static Format,
    findings: &mut Vec<Finding>,
    known: &mut Known,
) -> Option<Desired> {
    let (mut root, has_tags) = tree(source, known.is_ours, findings)?;
    // The provider isn't known yet. Its endpoint may be a secret.
    known.secrets = redact::candidates(&root, true);
    known.is_ours |= root.field("kind").and_then(Located::text) == Some("people");
    let provider = provider_of(source, &root, findings)?;
    known.is_ours = true;
    let Format { rules, check, schema: _, head: _ } = *formats(provider);
    known.secrets = redact::candidates(&root, rules.has(Quirk::SecretPath));
    syntax::texts(source, &root, findings);
    if has_tags {
        // What a tag was to produce is unknown, so a check of the value itself would mislead.
        return None;
    }
    remove_extensions(&mut root);
    known.included = library.include(path, source, &mut root, findings);
    let sources = library.with_head(source);
    let Resolved { notes, endings, memberships, people, directories, left, rotations, rotation_fields } =
        resolve(&mut root, &known.included, library, (sources, rules), findings);
    // Whatever a file lacks that can't be used isn't unknown.
    if library.is_partial(&known.included) {
        findings.retain(|finding| !matches!(finding.code, Code::UnknownGroup | Code::UnknownPerson));
    }
    known.rendered = library.origins.map(|origins| render(&root, &notes, &rotation_fields, (sources, origins)));
    reject_keys(sources, &mut root, rules, findings);
    let tolerated = root.take("tolerated");
    let mut checker = check::Checker::new(sources, rules);
    let desired = check(&root, &mut checker);
    let tolerated = tolerated.map(|list| check_tolerated(&list, &mut checker)).unwrap_or_default();
    findings.append(&mut checker.findings);
    let desired =
        Desired { notes, endings, tolerated, memberships, people, directories, left, rotations, ..desired? };
    previous_names_used(&desired, findings);
    Some(desired)
}

/// Parses a file, and returns whether it has tags. `is_ours`: the message of the parser, which may quote the file, may be
/// shown.
fn tree(source: &Source, is_ours: bool, findings: &mut Vec<Finding>) -> Option<(Located, bool)> {
    let mut conflicts = syntax::conflicts(source);
    if !conflicts.is_empty() {
        findings.append(&mut conflicts);
        return None;
    }
    findings.append(&mut syntax::characters(source));
    let (root, mut tags) = node::parse(source);
    let has_tags = !tags.is_empty();
    findings.append(&mut tags);
    match root {
        Ok(root) => Some((root, has_tags)),
        Err(mut finding) => {
            if !is_ours && finding.code == Code::YamlSyntax {
                "The file isn't YAML.".clone_into(&mut finding.message);
            }
            findings.push(finding);
            None
        }
    }
}

/// Removes the top-level fields whose names start with `x-`. They are a place for anchors.
fn remove_extensions(root: &mut Located) {
    let Node::Map(entries) = &mut root.node else { return };
    entries.retain(|(key, _)| !matches!(&key.node, Node::Text(name) if name.starts_with("x-")));
}

/// Reports and removes the field `keys` if the provider's API has no operations for keys. The hint says where to
/// manage them.
fn reject_keys(source: Sources<'_>, root: &mut Located, rules: &dyn Rules, findings: &mut Vec<Finding>) {
    let Node::Map(entries) = &mut root.node else { return };
    if rules.capabilities().kinds.contains(&Kind::Key) {
        return;
    }
    entries.retain(|(key, _)| {
        let is_keys = matches!(&key.node, Node::Text(name) if name == "keys");
        if is_keys {
            let hint = sentence(&format!(
                "Remove it. Manage keys manually: {}",
                rules.manual_step(ManualStep::HandleKeys)
            ));
            let message = "There is no field `keys` here, because the API has no operations for keys.";
            findings.push(Finding::error(Code::UnknownField, source.place(key.mark), message).hint(hint));
        }
        !is_keys
    });
}

/// Reads the field `provider`. It comes first, because the provider decides which other fields exist.
fn provider_of(source: &Source, root: &Located, findings: &mut Vec<Finding>) -> Option<ProviderName> {
    let known: Vec<&str> = ProviderName::ALL.iter().map(|provider| provider.as_str()).collect();
    let known_list = list_of(&known, "or");
    let entries = match &root.node {
        Node::Map(entries) => entries,
        Node::Null => {
            findings.push(
                Finding::error(Code::EmptyFile, source.start(), "The file is empty.")
                    .hint(format!("Start with `provider: …`, which is {known_list}.")),
            );
            return None;
        }
        Node::Bool(_) | Node::Number(_) | Node::Text(_) | Node::List(_) => {
            findings.push(
                Finding::error(Code::WrongType, source.place(root.mark), "The file isn't a mapping of fields.")
                    .hint(format!("Start with `provider: …`, which is {known_list}.")),
            );
            return None;
        }
    };
    let Some((_, value)) =
        entries.iter().find(|(key, _)| matches!(&key.node, Node::Text(name) if name == "provider"))
    else {
        if let Some(kind) = root.field("kind").filter(|kind| kind.text() == Some("people")) {
            let message = "This file lists people. It describes no organisation by itself.";
            let finding = Finding::error(Code::MissingField, source.place(kind.mark), message);
            findings.push(
                finding.hint("Name the files of organisations. Those that include this file know its people."),
            );
            return None;
        }
        let is_part = |(key, _): &(Located, Located)| {
            key.text().is_some_and(|name| resolve::PARTS.contains(&name) || name == "include")
        };
        if entries.iter().all(is_part) {
            let finding = Finding::error(Code::MissingField, source.place(root.mark), "`provider` is missing.");
            findings.push(finding.hint(format!("Add `provider: …`, which is {known_list}. If the file is a part of another one, name the file that includes it.")));
            return None;
        }
        findings.push(
            Finding::error(Code::MissingField, source.place(root.mark), "`provider` is missing.")
                .hint(format!("Add `provider: …`, which is {known_list}.")),
        );
        return None;
    };
    let typed = match &value.node {
        Node::Text(text) => text.as_str(),
        _ => source.slice(value.mark.span),
    };
    let provider = ProviderName::parse(typed);
    if provider.is_none() {
        // A text that isn't close to a provider is not shown, because the file may be none of ours.
        let (message, hint) = match nearest(typed, known.iter().copied()) {
            Some(near) => (format!("{} is not a provider.", quote(typed)), format!("Did you mean `{near}`?")),
            None => ("The value of `provider` is not a provider.".to_owned(), format!("Write {known_list}.")),
        };
        findings.push(Finding::error(Code::UnknownProvider, source.place(value.mark), message).hint(hint));
    }
    provider
}
