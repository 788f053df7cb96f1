//! Checks of the values of variables, with the messages of graphql-js. apollo-compiler checks them too, but says less.

use apollo_compiler::ast::Type;
use apollo_compiler::executable::Operation;
use apollo_compiler::response::serde_json_bytes::ByteString;
use apollo_compiler::response::{JsonMap, JsonValue};
use apollo_compiler::schema::{ExtendedType, InputObjectType};
use apollo_compiler::{ExecutableDocument, Name};
use rolecall_model::distance;
use serde_json::Value;

use super::schema::{Schema, place};
use super::{RequestError, RequestFault};

impl Schema {
    /// Checks the values of variables, with the messages of graphql-js.
    pub(super) fn variable_errors(
        &self,
        document: &ExecutableDocument,
        operation: &Operation,
        given: &JsonMap,
    ) -> Vec<RequestError> {
        let mut errors = Vec::new();
        for definition in &operation.variables {
            let (name, kind) = (&definition.name, &*definition.ty);
            let at = place(document, definition.location());
            let mut add =
                |fault, message: String| errors.push(RequestError { at, ..RequestError::new(fault, message) });
            match given.get(name.as_str()) {
                None if !kind.is_non_null() || definition.default_value.is_some() => {}
                None => add(
                    RequestFault::Variable,
                    format!("Variable \"${name}\" of required type \"{kind}\" was not provided."),
                ),
                Some(value) => {
                    for Misfit { path, value, why, fault } in self.misfits(value, kind, "") {
                        let inside = if path.is_empty() { path } else { format!(" at \"{name}{path}\"") };
                        add(fault, format!("Variable \"${name}\" got invalid value {value}{inside}; {why}"));
                    }
                }
            }
        }
        errors
    }

    /// Returns the reasons why a value doesn't fit a type. `path` leads from the variable to the value.
    fn misfits(&self, value: &JsonValue, kind: &Type, path: &str) -> Vec<Misfit> {
        let misfit = |why: String| vec![Misfit::new(path, value, why)];
        match (value, kind) {
            (JsonValue::Null, _) if kind.is_non_null() => {
                misfit(format!("Expected non-nullable type \"{kind}\" not to be null."))
            }
            (JsonValue::Null, _) => Vec::new(),
            (JsonValue::Array(items), Type::List(inner) | Type::NonNullList(inner)) => {
                let items = items.iter().enumerate();
                items.flat_map(|(at, item)| self.misfits(item, inner, &format!("{path}[{at}]"))).collect()
            }
            (item, Type::List(inner) | Type::NonNullList(inner)) => self.misfits(item, inner, path),
            (value, Type::Named(name) | Type::NonNullNamed(name)) => match self.0.types.get(name) {
                Some(ExtendedType::Enum(known)) => match value.as_str() {
                    Some(text) if known.values.contains_key(text) => Vec::new(),
                    Some(text) => misfit(format!(
                        "Value \"{text}\" does not exist in \"{name}\" enum.{}",
                        did_you_mean("the enum value ", text, known.values.keys().map(Name::as_str))
                    )),
                    None => misfit(format!(
                        "Enum \"{name}\" cannot represent non-string value: {}.",
                        inspect(value, 1)
                    )),
                },
                Some(ExtendedType::InputObject(input)) => self.object_misfits(value, name, input, path),
                _ => scalar_misfit(value, name).map_or(Vec::new(), misfit),
            },
        }
    }

    fn object_misfits(&self, value: &JsonValue, kind: &str, input: &InputObjectType, path: &str) -> Vec<Misfit> {
        let misfit = |why: String| Misfit::new(path, value, why);
        let JsonValue::Object(given) = value else {
            return vec![misfit(format!("Expected type \"{kind}\" to be an object."))];
        };
        let mut misfits = Vec::new();
        for (name, field) in &input.fields {
            match given.get(name.as_str()) {
                Some(value) => misfits.extend(self.misfits(value, &field.ty, &format!("{path}.{name}"))),
                None if !field.is_required() => {}
                None => misfits
                    .push(misfit(format!("Field \"{name}\" of required type \"{}\" was not provided.", field.ty))),
            }
        }
        for unknown in given.keys().map(ByteString::as_str).filter(|name| !input.fields.contains_key(*name)) {
            misfits.push(misfit(format!(
                "Field \"{unknown}\" is not defined by type \"{kind}\".{}",
                did_you_mean("", unknown, input.fields.keys().map(Name::as_str))
            )));
        }
        if input.directives.has("oneOf") {
            let mut one_of = |misfit| misfits.push(Misfit { fault: RequestFault::OneOf, ..misfit });
            match given.iter().next() {
                Some((name, null @ JsonValue::Null)) if given.len() == 1 => {
                    let why = format!("Field \"{}\" must be non-null.", name.as_str());
                    one_of(Misfit::new(&format!("{path}.{}", name.as_str()), null, why));
                }
                Some(_) if given.len() == 1 => {}
                _ => one_of(misfit(not_one_key(kind))),
            }
        }
        misfits
    }

    /// Turns numbers that stand for ids into text, as the type `ID` wants it.
    pub(super) fn with_text_ids(&self, kind: &Type, value: &mut Value) {
        let name = kind.inner_named_type();
        match value {
            Value::Number(number) if name == "ID" => *value = Value::String(number.to_string()),
            Value::Array(items) => items.iter_mut().for_each(|item| self.with_text_ids(kind, item)),
            Value::Object(fields) => {
                let Some(input) = self.0.get_input_object(name) else { return };
                for (name, value) in fields {
                    if let Some(field) = input.fields.get(name.as_str()) {
                        self.with_text_ids(&field.ty, value);
                    }
                }
            }
            _ => {}
        }
    }
}

pub(super) fn not_one_key(kind: &str) -> String {
    format!("Exactly one key must be specified for OneOf type \"{kind}\".")
}

/// The reason why a value doesn't fit its type.
struct Misfit {
    /// The path from the variable to the part that doesn't fit, such as `.resources.mode`.
    path: String,
    /// The part that doesn't fit, as a message shows it.
    value: String,
    why: String,
    fault: RequestFault,
}

impl Misfit {
    fn new(path: &str, value: &JsonValue, why: String) -> Self {
        Self { path: path.to_owned(), value: inspect(value, 1), why, fault: RequestFault::Variable }
    }
}

fn scalar_misfit(value: &JsonValue, kind: &str) -> Option<String> {
    let shown = inspect(value, 1);
    let (fits, why) = match kind {
        "Int" if value.is_i64() => (
            value.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
            format!("Int cannot represent non 32-bit signed integer value: {shown}"),
        ),
        "Int" => (false, format!("Int cannot represent non-integer value: {shown}")),
        "Float" => (value.is_number(), format!("Float cannot represent non numeric value: {shown}")),
        "Boolean" => (value.is_boolean(), format!("Boolean cannot represent a non boolean value: {shown}")),
        "String" => (value.is_string(), format!("String cannot represent a non string value: {shown}")),
        "ID" => (value.is_string() || value.is_i64(), format!("ID cannot represent value: {shown}")),
        // A vendor's own scalar takes any value.
        _ => (true, String::new()),
    };
    (!fits).then_some(why)
}

/// Shows a value as graphql-js does: at most two levels, and ten items of a list. `level` counts from 1.
fn inspect(value: &JsonValue, level: usize) -> String {
    const LEVELS: usize = 2;
    const ITEMS: usize = 10;
    match value {
        JsonValue::Array(items) if items.is_empty() => "[]".to_owned(),
        JsonValue::Array(_) if level > LEVELS => "[Array]".to_owned(),
        JsonValue::Array(items) => {
            let mut shown: Vec<String> = items.iter().take(ITEMS).map(|item| inspect(item, level + 1)).collect();
            match items.len().saturating_sub(ITEMS) {
                0 => {}
                1 => shown.push("... 1 more item".to_owned()),
                more => shown.push(format!("... {more} more items")),
            }
            format!("[{}]", shown.join(", "))
        }
        JsonValue::Object(fields) if fields.is_empty() => "{}".to_owned(),
        JsonValue::Object(_) if level > LEVELS => "[Object]".to_owned(),
        JsonValue::Object(fields) => {
            let shown =
                fields.iter().map(|(name, value)| format!("{}: {}", name.as_str(), inspect(value, level + 1)));
            format!("{{ {} }}", shown.collect::<Vec<_>>().join(", "))
        }
        scalar => serde_json::to_string(scalar).unwrap_or_default(),
    }
}

/// Returns a sentence that names up to five of the known words that are similar, after a space. `kind` says what they
/// are.
fn did_you_mean<'a>(kind: &str, typed: &str, known: impl Iterator<Item = &'a str>) -> String {
    let threshold = typed.chars().count() * 2 / 5 + 1;
    let lower = typed.to_lowercase();
    let far = |word: &str| {
        let other = word.to_lowercase();
        if other == lower { usize::from(word != typed) } else { distance(&lower, &other) }
    };
    let mut similar: Vec<(usize, &str)> =
        known.map(|word| (far(word), word)).filter(|(far, _)| *far <= threshold).collect();
    similar.sort_unstable();
    let words: Vec<String> = similar.into_iter().take(5).map(|(_, word)| format!("\"{word}\"")).collect();
    match words.as_slice() {
        [] => String::new(),
        [only] => format!(" Did you mean {kind}{only}?"),
        [one, other] => format!(" Did you mean {kind}{one} or {other}?"),
        [most @ .., last] => format!(" Did you mean {kind}{}, or {last}?", most.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_shown_as_graphql_js_shows_them() {
        let shown = |value: Value| inspect(&value.into(), 1);
        assert_eq!(shown(json!({ "byId": "x\"" })), r#"{ byId: "x\"" }"#);
        assert_eq!(
            shown(json!({ "a": { "b": { "c": 1 }, "d": [[1]], "e": [] } })),
            "{ a: { b: [Object], d: [Array], e: [] } }"
        );
        assert_eq!(shown(json!(vec![1; 12])), "[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, ... 2 more items]");
        assert_eq!(
            (shown(json!({})), shown(json!(null)), shown(json!(1.5))),
            ("{}".into(), "null".into(), "1.5".into())
        );
    }

    #[test]
    fn similar_words_are_suggested() {
        let known = || ["email", "memberRoleId", "organization", "resources"].into_iter();
        assert_eq!(did_you_mean("", "Email", known()), " Did you mean \"email\"?");
        assert_eq!(did_you_mean("", "memberRole", known()), " Did you mean \"memberRoleId\"?");
        assert_eq!(did_you_mean("", "nothing", known()), "");
        assert_eq!(
            did_you_mean("the enum value ", "AL", ["ALL", "AXL"].into_iter()),
            " Did you mean the enum value \"ALL\" or \"AXL\"?"
        );
    }
}
