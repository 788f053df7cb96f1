//! Writes an organisation's description as one file, with the included files and the groups resolved.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::super::node::{Located, Node};
use super::super::source::Sources;
use super::super::write::{Flow, Yaml, section};
use super::{AddressOf, NAMED, RotationFields, id_of, items};
use rolecall_model::{Address, Email, KeyName, MAX_NAME};

/// Writes a resolved tree as YAML. With `origins`, each value has a comment with its file and line.
pub fn render(
    root: &Located,
    notes: &BTreeMap<Address, String>,
    rules: &RotationFields,
    (sources, origins): (Sources<'_>, bool),
) -> String {
    let mut root = root.clone();
    for item in items(&mut root, "keys").into_iter().flatten() {
        let key = item.field("name").and_then(Located::text).and_then(|name| KeyName::parse(name).ok());
        let written = key.and_then(|name| rules.get(&Address::key(&name)));
        if let (Some(written), Node::Map(fields)) = (written, &mut item.node) {
            fields.extend(written.iter().cloned());
        }
    }
    add_notes(&mut root, notes);
    let mut writer = Writer { sources, origins, text: String::new() };
    for (key, value) in root.fields() {
        writer.entry(key, value, "", 0);
    }
    writer.text
}

/// Writes the notes of entries, of people and of groups into the entries that they are about.
fn add_notes(root: &mut Located, notes: &BTreeMap<Address, String>) {
    let of_user: AddressOf = |email| Email::parse(email).ok().map(|email| Address::user(&email));
    let sections = NAMED.into_iter().map(|(section, address)| (section, "name", address));
    for (section, name, address) in sections.chain([("users", "email", of_user)]) {
        for item in items(root, section).into_iter().flatten() {
            let of_item = item.field(name).and_then(Located::text).and_then(address);
            let note = of_item.and_then(|address| notes.get(&address.with_id(id_of(item).as_ref())));
            if let (Some(note), Node::Map(fields)) = (note, &mut item.node) {
                // Several notes together may be longer than one may be.
                let note: String = note.chars().take(MAX_NAME).collect();
                fields.push((Located::of_text("note", item.mark), Located::of_text(note.trim_end(), item.mark)));
            }
        }
    }
}

struct Writer<'a> {
    sources: Sources<'a>,
    origins: bool,
    text: String,
}

impl Writer<'_> {
    /// Writes a field of a mapping. `lead`: what its line begins with, such as the dash of a list.
    fn entry(&mut self, key: &Located, value: &Located, lead: &str, indent: usize) {
        let name = key.text().unwrap_or_default();
        if let Some(yaml) = self.on_one_line(value) {
            let line = section(name, &yaml);
            self.line(lead, line.trim_end(), value);
            return;
        }
        // Only the name of the field is needed of it.
        let line = section(name, &Yaml::Bool(true));
        let _ = writeln!(self.text, "{lead}{}", line.trim_end().trim_end_matches(" true"));
        self.nested(value, indent + 2);
    }

    fn nested(&mut self, value: &Located, indent: usize) {
        let space = " ".repeat(indent);
        match &value.node {
            Node::Map(entries) => {
                for (key, value) in entries {
                    self.entry(key, value, &space, indent);
                }
            }
            Node::List(items) => {
                for item in items {
                    let mut lead = format!("{space}- ");
                    if item.fields().is_empty() {
                        let line = self.on_one_line(item).map(|yaml| section("k", &yaml)).unwrap_or_default();
                        self.line(&lead, line.trim_end().trim_start_matches("k: "), item);
                    }
                    for (key, value) in item.fields() {
                        self.entry(key, value, &lead, indent + 2);
                        lead = format!("{space}  ");
                    }
                }
            }
            Node::Null | Node::Bool(_) | Node::Number(_) | Node::Text(_) => {}
        }
    }

    fn line(&mut self, lead: &str, line: &str, value: &Located) {
        let start = self.text.len();
        let _ = write!(self.text, "{lead}{line}");
        if self.origins {
            let width = self.text[start..].chars().count();
            let place = self.sources.place(value.mark);
            let _ = write!(
                self.text,
                "{}# {}:{}",
                " ".repeat(56_usize.saturating_sub(width).max(2)),
                place.file,
                place.line
            );
        }
        self.text.push('\n');
    }

    /// Returns a value that takes one line: a single value, or a list of such that stand on one line of a file.
    fn on_one_line(&self, value: &Located) -> Option<Yaml> {
        Some(match &value.node {
            Node::Bool(text) => value.truth().map_or_else(|| Yaml::text(text), Yaml::Bool),
            Node::Number(text) => text.parse().map_or_else(|_| Yaml::text(text), Yaml::Number),
            Node::Text(text) => Yaml::text(text),
            Node::List(items) => {
                let line = |item: &Located| (item.mark.file, item.mark.line);
                let first = items.first().map(line);
                let is_short = items.iter().all(|item| Some(line(item)) == first || !self.origins);
                let items = items.iter().map(|item| self.on_one_line(item).filter(|_| item.fields().is_empty()));
                let items: Vec<Yaml> = items.collect::<Option<_>>().filter(|_| is_short)?;
                Yaml::Flow(Flow::List(items))
            }
            Node::Map(entries) if entries.is_empty() => Yaml::Flow(Flow::Map(Vec::new())),
            Node::Null | Node::Map(_) => return None,
        })
    }
}
