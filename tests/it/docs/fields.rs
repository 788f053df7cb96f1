//! The reference page of the fields agrees with the schema, and the schema describes every field.

use serde_json::Value;

use super::reference::{reference, schema, variants};
use super::root;

/// Returns every mapping of the schema with fields, also those inside definitions and alternatives.
fn mappings(schema: &Value) -> Vec<(String, &Value)> {
    let mut mappings = Vec::new();
    for (name, def) in schema["$defs"].as_object().unwrap() {
        let forms = def.get("oneOf").and_then(Value::as_array).into_iter().flatten();
        for mapping in std::iter::once(def).chain(forms) {
            if mapping.get("type").is_some() && mapping.get("properties").is_some() {
                mappings.push((name.clone(), mapping));
            }
        }
    }
    mappings
}

/// Returns the fields with their definition, and whether they are required.
fn fields(schema: &Value) -> Vec<(String, String, &Value, bool)> {
    let mut fields = Vec::new();
    for (name, mapping) in mappings(schema) {
        let needed = |field: &str| {
            let lists = [mapping.get("required"), mapping["else"].get("required")];
            let ways = mapping.get("oneOf").and_then(Value::as_array).into_iter().flatten();
            lists
                .into_iter()
                .chain(ways.map(|way| way.get("required")))
                .flatten()
                .any(|list| list.as_array().unwrap().iter().any(|word| word == field))
        };
        for (field, value) in mapping["properties"].as_object().unwrap() {
            fields.push((name.clone(), field.clone(), value, needed(field)));
        }
    }
    fields
}

#[test]
fn the_page_of_every_field_is_current() {
    let path = root().join("docs/reference.md");
    let fresh = reference(&schema());
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &fresh).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == fresh, "docs/reference.md is out of date; BLESS=1 cargo test --test docs");
}

#[test]
fn every_field_is_on_the_page() {
    let schema = schema();
    let page = reference(&schema);
    let fields = fields(&schema);
    assert!(fields.len() > 100, "fields were looked for in the wrong place");
    let (_, others) = variants(&schema);
    // A section is for a provider, for another kind of file, or for a definition that several share.
    let heading = |name: &str| {
        if others.contains(&name) {
            return format!("\n## {name}\n");
        }
        rolecall_model::ProviderName::ALL
            .iter()
            .find(|provider| name.to_lowercase().starts_with(provider.as_str()))
            .map_or(format!("\n### {name}\n"), |provider| format!("\n## {provider}\n"))
    };
    let part = |name: &str| {
        let heading = heading(name);
        let from = page.find(&heading).unwrap_or_else(|| panic!("no part for {name}"));
        let rest = &page[from + heading.len()..];
        let level = &heading[..=heading.find(' ').unwrap()];
        rest[..rest.find(level).unwrap_or(rest.len())].to_owned()
    };
    for (name, field, _, _) in &fields {
        let rows = part(name).matches(&format!("\n| `{field}` | ")).count();
        let wanted =
            fields.iter().filter(|(other, same, _, _)| same == field && heading(other) == heading(name)).count();
        assert_eq!(rows, wanted, "{name}.{field}");
    }
}

#[test]
fn every_field_says_what_it_means() {
    let schema = schema();
    let forms: Vec<&Value> = schema["$defs"].as_object().unwrap().values().collect();
    for (name, field, value, needed) in fields(&schema) {
        // The forms of a credential have one field each, which describes itself.
        let form =
            forms.iter().filter_map(|def| def.get("oneOf").and_then(Value::as_array)).flatten().any(|form| {
                form.get("description").is_some() && form["properties"].get(&field).is_some_and(|it| it == value)
            });
        let said = value.get("description").and_then(Value::as_str);
        assert!(form || said.is_some(), "nothing says what {name}.{field} means");
        let says_default =
            ["Default", "Absent", "absent", "eeded"].iter().any(|word| said.unwrap_or_default().contains(word));
        assert!(form || needed || says_default, "nothing says what it means to leave {name}.{field} out");
    }
}
