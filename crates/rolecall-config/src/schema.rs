//! The JSON Schema of the file, for editors and other tools.

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform};
use serde_json::Value;

use super::Format;

/// Returns the JSON Schema of a file: one variant for each `provider`.
pub fn schema<'a>(formats: impl IntoIterator<Item = &'a Format>) -> Schema {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let variants: Vec<Schema> = formats.into_iter().map(|format| (format.schema)(&mut generator)).collect();
    let mut schema = schemars::json_schema!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "rolecall",
        "description": "This file describes who has which access to one organisation.",
        "oneOf": variants,
        "$defs": generator.take_definitions(true),
    });
    RecursiveTransform(without_null).transform(&mut schema);
    schema
}

/// Removes `null` from the types of optional fields. A field may be absent, but a field without a value is an
/// error: it isn't clear whether it means the live value or nothing.
fn without_null(schema: &mut Schema) {
    let is_null = |value: &Value| value == "null" || *value == serde_json::json!({ "type": "null" });
    for keyword in ["type", "enum", "anyOf"] {
        let Some(Value::Array(options)) = schema.get_mut(keyword) else { continue };
        options.retain(|option| !is_null(option) && !option.is_null());
        let single = options.len() == 1;
        let Some(only) = options.first().cloned().filter(|_| single) else { continue };
        match (keyword, only) {
            ("type", only) => {
                schema.insert("type".to_owned(), only);
            }
            ("anyOf", Value::Object(only)) => {
                schema.remove("anyOf");
                for (key, value) in only {
                    schema.insert(key, value);
                }
            }
            _ => {}
        }
    }
    schema.remove("default");
}
