//! Writes values in the style of the text around them.

use std::fmt::Write as _;

use rolecall_model::{is_deceptive, is_odd_space};

use super::super::write::{Flow, Yaml, section};

/// Returns a value on one line, which is right in block style and in flow style. `json`: as JSON writes it.
pub(super) fn inline(yaml: &Yaml, json: bool) -> String {
    if json {
        return to_json(yaml);
    }
    let joined = |items: Vec<String>| items.join(", ");
    match yaml {
        Yaml::List(items) | Yaml::Flow(Flow::List(items)) => {
            format!("[{}]", joined(items.iter().map(|item| inline(item, json)).collect()))
        }
        Yaml::Map(entries) | Yaml::Flow(Flow::Map(entries)) if entries.is_empty() => "{}".to_owned(),
        Yaml::Map(entries) | Yaml::Flow(Flow::Map(entries)) => {
            let entry =
                |(field, value): &(String, Yaml)| format!("{}: {}", name(field, json), inline(value, json));
            format!("{{ {} }}", joined(entries.iter().map(entry).collect()))
        }
        Yaml::Bool(_) | Yaml::Number(_) | Yaml::Text(_) => {
            // In a list in flow style, all that has a meaning in either style is quoted.
            let list = section("x", &Yaml::Flow(Flow::List(vec![yaml.clone()])));
            let text = list.trim_end().strip_prefix("x: [").and_then(|rest| rest.strip_suffix(']'));
            text.unwrap_or_default().trim().to_owned()
        }
    }
}

/// Returns the name of a field as the fields around it are written.
pub(super) fn name(name: &str, json: bool) -> String {
    inline(&Yaml::text(name), json)
}

/// Returns an item of a list in block style, with its dash, at this indentation.
pub(super) fn item(fields: Vec<(String, Yaml)>, indent: usize) -> String {
    reindented(&section("x", &Yaml::List(vec![Yaml::Map(fields)])), indent)
}

/// Returns a list with its name, at this indentation.
pub(super) fn list(name: &str, items: Vec<Yaml>, indent: usize) -> String {
    section(name, &Yaml::List(items)).lines().fold(String::new(), |mut text, line| {
        let _ = writeln!(text, "{:indent$}{line}", "");
        text
    })
}

/// Leaves out the first line, and indents the others by `indent` instead of two.
fn reindented(section: &str, indent: usize) -> String {
    section.lines().skip(1).fold(String::new(), |mut text, line| {
        let _ = writeln!(text, "{:indent$}{}", "", line.strip_prefix("  ").unwrap_or(line));
        text
    })
}

fn to_json(yaml: &Yaml) -> String {
    let list = |items: &[Yaml]| format!("[{}]", items.iter().map(to_json).collect::<Vec<_>>().join(", "));
    let map = |entries: &[(String, Yaml)]| {
        let entry = |(name, value): &(String, Yaml)| format!("{}: {}", quoted(name), to_json(value));
        format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
    };
    match yaml {
        Yaml::Bool(value) => value.to_string(),
        Yaml::Number(value) => value.to_string(),
        Yaml::Text(text) => quoted(text),
        Yaml::List(items) | Yaml::Flow(Flow::List(items)) => list(items),
        Yaml::Map(entries) | Yaml::Flow(Flow::Map(entries)) => map(entries),
    }
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if u32::from(c) < 0x20 || is_deceptive(c) || is_odd_space(c) => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    let _ = write!(quoted, "\\u{unit:04x}");
                }
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
