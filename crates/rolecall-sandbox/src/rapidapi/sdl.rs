//! Prints a schema in SDL from the answer to an introspection query.

use std::fmt::Write as _;

use serde_json::Value;

/// The introspection query. It asks for as many levels of `ofType` as this schema's types have.
pub const INTROSPECTION: &str = "{ __schema { types { kind name
    fields(includeDeprecated: true) { name args { name type { ...T } } type { ...T } }
    inputFields { name type { ...T } } enumValues(includeDeprecated: true) { name } } } }
    fragment T on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";

const BUILT_IN: &[&str] = &["Boolean", "Float", "ID", "Int", "String"];

/// Prints the types in the order of the answer, which is by name.
pub fn print(schema: &Value) -> String {
    let mut text = String::from("schema {\n\tquery: Query\n\tmutation: Mutation\n}\n");
    for it in list(&schema["types"]) {
        let name = it["name"].as_str().unwrap_or_default();
        if name.starts_with("__") || BUILT_IN.contains(&name) {
            continue;
        }
        let (word, lines) = match it["kind"].as_str().unwrap_or_default() {
            "OBJECT" => ("type", list(&it["fields"]).map(field).collect::<Vec<_>>()),
            "INPUT_OBJECT" => ("input", list(&it["inputFields"]).map(typed).collect()),
            "ENUM" => ("enum", list(&it["enumValues"]).map(|it| named(it).to_owned()).collect()),
            _ => {
                let _ = write!(text, "\nscalar {name}\n");
                continue;
            }
        };
        let _ = write!(text, "\n{word} {name} {{\n");
        for line in lines {
            let _ = writeln!(text, "\t{line}");
        }
        text.push_str("}\n");
    }
    text
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn named(value: &Value) -> &str {
    value["name"].as_str().unwrap_or_default()
}

fn field(it: &Value) -> String {
    let arguments: Vec<String> = list(&it["args"]).map(typed).collect();
    if arguments.is_empty() {
        return typed(it);
    }
    format!("{}({}): {}", named(it), arguments.join(", "), kind(&it["type"]))
}

fn typed(it: &Value) -> String {
    format!("{}: {}", named(it), kind(&it["type"]))
}

fn kind(it: &Value) -> String {
    match it["kind"].as_str() {
        Some("NON_NULL") => format!("{}!", kind(&it["ofType"])),
        Some("LIST") => format!("[{}]", kind(&it["ofType"])),
        _ => named(it).to_owned(),
    }
}
