//! Checks of the values of variables, with the messages of graphql-js. apollo-compiler checks them too, but says less.

use apollo_compiler::ExecutableDocument;
use apollo_compiler::ast::Type;
use apollo_compiler::executable::Operation;
use apollo_compiler::schema::{ExtendedType, InputObjectType};
use serde_json::{Map, Value};

use super::schema::{Schema, place};
use super::{RequestError, RequestFault};

impl Schema {
    /// Checks the values of variables, with the messages of graphql-js.
    pub(super) fn variable_errors(
        &self,
        document: &ExecutableDocument,
        operation: &Operation,
        given: &Map<String, Value>,
    ) -> Vec<RequestError> {
        let mut errors = Vec::new();
        for definition in &operation.variables {
            let (name, kind) = (&definition.name, &*definition.ty);
            let (fault, message) = match given.get(name.as_str()) {
                None if !kind.is_non_null() || definition.default_value.is_some() => continue,
                None => {
                    let message = format!("Variable \"${name}\" of required type \"{kind}\" was not provided.");
                    (RequestFault::Variable, message)
                }
                Some(value) => {
                    let Some(Misfit { path, value, why, fault }) = self.misfit(value, kind) else { continue };
                    let inside = if path.is_empty() { path } else { format!(" at \"{name}{path}\"") };
                    (fault, format!("Variable \"${name}\" got invalid value {value}{inside}; {why}"))
                }
            };
            let at = place(document, definition.location());
            errors.push(RequestError { at, ..RequestError::new(fault, message) });
        }
        errors
    }

    /// Returns the reason why a value in JSON doesn't fit a type.
    fn misfit(&self, value: &Value, kind: &Type) -> Option<Misfit> {
        match (value, kind) {
            (Value::Null, _) => kind
                .is_non_null()
                .then(|| Misfit::new(value, format!("Expected non-nullable type \"{kind}\" not to be null."))),
            (Value::Array(items), Type::List(inner) | Type::NonNullList(inner)) => {
                let mut items = items.iter().enumerate();
                items.find_map(|(at, item)| self.misfit(item, inner).map(|it| it.below(&format!("[{at}]"))))
            }
            (item, Type::List(inner) | Type::NonNullList(inner)) => self.misfit(item, inner),
            (value, Type::Named(name) | Type::NonNullNamed(name)) => match self.0.types.get(name)? {
                ExtendedType::Enum(known) => match value {
                    Value::String(text) if known.values.contains_key(text.as_str()) => None,
                    Value::String(text) => {
                        Some(Misfit::new(value, format!("Value \"{text}\" does not exist in \"{name}\" enum.")))
                    }
                    _ => Some(Misfit::new(
                        value,
                        format!("Enum \"{name}\" cannot represent non-string value: {value}."),
                    )),
                },
                ExtendedType::InputObject(input) => self.object_misfit(value, name, input),
                _ => scalar_misfit(value, name),
            },
        }
    }

    fn object_misfit(&self, value: &Value, kind: &str, input: &InputObjectType) -> Option<Misfit> {
        let Value::Object(given) = value else {
            return Some(Misfit::new(value, format!("Expected type \"{kind}\" to be an object.")));
        };
        for (name, field) in &input.fields {
            let misfit = match given.get(name.as_str()) {
                Some(value) => self.misfit(value, &field.ty).map(|it| it.below(&format!(".{name}"))),
                None if !field.is_required() => None,
                None => {
                    let why = format!("Field \"{name}\" of required type \"{}\" was not provided.", field.ty);
                    Some(Misfit::new(value, why))
                }
            };
            if misfit.is_some() {
                return misfit;
            }
        }
        if let Some(unknown) = given.keys().find(|name| !input.fields.contains_key(name.as_str())) {
            return Some(Misfit::new(value, format!("Field \"{unknown}\" is not defined by type \"{kind}\".")));
        }
        let one_key = given.len() == 1 && !given.values().any(Value::is_null);
        (input.directives.has("oneOf") && !one_key)
            .then(|| Misfit { fault: RequestFault::OneOf, ..Misfit::new(value, not_one_key(kind)) })
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
    /// The path from the value down to the part that doesn't fit, such as `.resources.mode`.
    path: String,
    value: Value,
    why: String,
    fault: RequestFault,
}

impl Misfit {
    fn new(value: &Value, why: String) -> Self {
        Self { path: String::new(), value: value.clone(), why, fault: RequestFault::Variable }
    }

    fn below(self, step: &str) -> Self {
        Self { path: format!("{step}{}", self.path), ..self }
    }
}

fn scalar_misfit(value: &Value, kind: &str) -> Option<Misfit> {
    let (fits, why) = match kind {
        "Int" if value.is_i64() => (
            value.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
            format!("Int cannot represent non 32-bit signed integer value: {value}"),
        ),
        "Int" => (false, format!("Int cannot represent non-integer value: {value}")),
        "Float" => (value.is_number(), format!("Float cannot represent non numeric value: {value}")),
        "Boolean" => (value.is_boolean(), format!("Boolean cannot represent a non boolean value: {value}")),
        "String" => (value.is_string(), format!("String cannot represent a non string value: {value}")),
        "ID" => (value.is_string() || value.is_i64(), format!("ID cannot represent value: {value}")),
        // A vendor's own scalar takes any value.
        _ => (true, String::new()),
    };
    (!fits).then(|| Misfit::new(value, why))
}
