//! Validation of requests, with the error messages of the platform's GraphQL library.

use std::convert::Infallible;

use async_graphql::parser::types::{
    BaseType, ExecutableDocument, OperationDefinition, Selection, SelectionSet, Type,
};
use async_graphql::{Pos, Value, Variables};

use super::shape::{Shape, innermost};

/// The reason why a request isn't executed.
pub struct RequestError {
    pub message: String,
    pub code: Option<&'static str>,
    pub at: Option<Pos>,
    /// Whether the server reports this error even behind a gateway. Otherwise the gateway does.
    pub from_server: bool,
}

pub const INVALID: &str = "GRAPHQL_VALIDATION_FAILED";
pub const UNPARSED: &str = "GRAPHQL_PARSE_FAILED";
pub const UNRESOLVED: &str = "OPERATION_RESOLUTION_FAILURE";

impl RequestError {
    fn invalid(message: String, at: Pos) -> Self {
        Self { message, code: Some(INVALID), at: Some(at), from_server: false }
    }

    /// Whether the value of a variable is the reason. Only then the error has a place and no code.
    pub fn is_of_variable(&self) -> bool {
        self.code.is_none() && self.at.is_some()
    }
}

/// Returns a placeholder for a variable inside a literal. No other value in a literal is binary.
fn variable_marker() -> Value {
    Value::Binary(Vec::new().into())
}

/// The reason why a value doesn't fit its type.
struct Mismatch {
    /// The path from the value down to the part that doesn't fit, such as `.resources.mode`.
    path: String,
    value: Value,
    why: String,
    one_of: bool,
}

impl Mismatch {
    fn new(value: &Value, why: String) -> Self {
        Self { path: String::new(), value: value.clone(), why, one_of: false }
    }

    fn below(self, step: &str) -> Self {
        Self { path: format!("{step}{}", self.path), ..self }
    }
}

impl Shape {
    /// Checks the fields and literals of a document against this release.
    pub fn check(&self, document: &ExecutableDocument, introspection: bool) -> Vec<RequestError> {
        let mut errors = Vec::new();
        for (_, operation) in document.operations.iter() {
            let root = format!("{:?}", operation.node.ty);
            self.check_set(&root, &operation.node.selection_set.node, introspection, &mut errors);
        }
        for fragment in document.fragments.values() {
            let on = &fragment.node.type_condition.node.on.node;
            self.check_set(on, &fragment.node.selection_set.node, introspection, &mut errors);
        }
        errors
    }

    fn check_set(&self, on: &str, set: &SelectionSet, introspection: bool, errors: &mut Vec<RequestError>) {
        let Some(fields) = self.objects.get(on) else { return };
        for selection in &set.items {
            let field = match &selection.node {
                Selection::Field(field) => field,
                Selection::InlineFragment(fragment) => {
                    let on = fragment.node.type_condition.as_ref().map_or(on, |condition| &condition.node.on.node);
                    self.check_set(on, &fragment.node.selection_set.node, introspection, errors);
                    continue;
                }
                Selection::FragmentSpread(_) => continue,
            };
            let name = field.node.name.node.as_str();
            if !introspection && matches!(name, "__schema" | "__type") {
                let message = format!(
                    "GraphQL introspection has been disabled, but the requested query contained the field \"{name}\"."
                );
                errors.push(RequestError::invalid(message, field.pos));
            }
            if name.starts_with("__") {
                continue;
            }
            let Some(known) = fields.get(name) else {
                errors.push(RequestError::invalid(
                    format!("Cannot query field \"{name}\" on type \"{on}\"."),
                    field.pos,
                ));
                continue;
            };
            for (name, value) in &field.node.arguments {
                let kind = known.arguments.get(name.node.as_str());
                let literal = value.node.clone().into_const_with(|_| Ok::<_, Infallible>(variable_marker()));
                let mismatch = kind.zip(literal.ok()).and_then(|(kind, literal)| self.mismatch(&literal, kind));
                if let Some(mismatch) = mismatch {
                    errors.push(RequestError::invalid(mismatch.why, value.pos));
                }
            }
            self.check_set(innermost(&known.kind), &field.node.selection_set.node, introspection, errors);
        }
    }

    /// Checks the values of variables against their types. The messages repeat the value in full, as measured on
    /// Hive 8.1.2.
    pub fn check_variables(&self, operation: &OperationDefinition, variables: &Variables) -> Vec<RequestError> {
        let mut errors = Vec::new();
        for definition in &operation.variable_definitions {
            let (name, kind) = (&definition.node.name.node, &definition.node.var_type.node);
            let at = Some(definition.pos);
            let error = |message, from_server| RequestError { message, code: None, at, from_server };
            match variables.get(name) {
                None if kind.nullable || definition.node.default_value.is_some() => {}
                None => {
                    let message = format!("Variable \"${name}\" of required type \"{kind}\" was not provided.");
                    errors.push(error(message, false));
                }
                Some(value) => {
                    if let Some(Mismatch { path, value, why, one_of }) = self.mismatch(value, kind) {
                        let place = if path.is_empty() { path } else { format!(" at \"{name}{path}\"") };
                        let message = format!("Variable \"${name}\" got invalid value {value}{place}; {why}");
                        errors.push(error(message, one_of));
                    }
                }
            }
        }
        errors
    }

    fn mismatch(&self, value: &Value, kind: &Type) -> Option<Mismatch> {
        match (value, &kind.base) {
            // A variable inside a literal has a declared type of its own.
            (Value::Binary(_), _) => None,
            (Value::Null, _) => (!kind.nullable)
                .then(|| Mismatch::new(value, format!("Expected non-nullable type \"{kind}\" not to be null."))),
            (Value::List(items), BaseType::List(inner)) => items.iter().enumerate().find_map(|(at, item)| {
                self.mismatch(item, inner).map(|mismatch| mismatch.below(&format!("[{at}]")))
            }),
            (item, BaseType::List(inner)) => self.mismatch(item, inner),
            (value, BaseType::Named(name)) => self.mismatch_named(value, name),
        }
    }

    fn mismatch_named(&self, value: &Value, kind: &str) -> Option<Mismatch> {
        if let Some(values) = self.enums.get(kind) {
            let known = match value {
                Value::Enum(name) => values.contains(name.as_str()),
                Value::String(name) => values.contains(name),
                _ => false,
            };
            let text = value.to_string();
            let name = text.trim_matches('"');
            return (!known)
                .then(|| Mismatch::new(value, format!("Value \"{name}\" does not exist in \"{kind}\" enum.")));
        }
        let Some(input) = self.inputs.get(kind) else { return mismatch_scalar(value, kind) };
        let Value::Object(given) = value else {
            return Some(Mismatch::new(value, format!("Expected type \"{kind}\" to be an object.")));
        };
        for (name, kind) in &input.fields {
            let mismatch = match given.get(name.as_str()) {
                Some(value) => self.mismatch(value, kind).map(|mismatch| mismatch.below(&format!(".{name}"))),
                None if kind.nullable => None,
                None => {
                    let why = format!("Field \"{name}\" of required type \"{kind}\" was not provided.");
                    Some(Mismatch::new(value, why))
                }
            };
            if mismatch.is_some() {
                return mismatch;
            }
        }
        if let Some(unknown) = given.keys().find(|name| !input.fields.contains_key(name.as_str())) {
            let why = format!("Field \"{unknown}\" is not defined by type \"{kind}\".");
            return Some(Mismatch::new(value, why));
        }
        let exactly_one = given.len() == 1 && !given.values().any(|value| *value == Value::Null);
        (input.one_of && !exactly_one).then(|| Mismatch {
            one_of: true,
            ..Mismatch::new(value, format!("Exactly one key must be specified for OneOf type \"{kind}\"."))
        })
    }
}

fn mismatch_scalar(value: &Value, kind: &str) -> Option<Mismatch> {
    let whole = |value: &Value| match value {
        Value::Number(number) => number.as_i64(),
        _ => None,
    };
    let fits = match kind {
        "Int" => whole(value).is_some_and(|number| i32::try_from(number).is_ok()),
        "ID" => matches!(value, Value::String(_)) || whole(value).is_some(),
        "Boolean" => matches!(value, Value::Boolean(_)),
        _ => matches!(value, Value::String(_)),
    };
    let why = match kind {
        "Int" => format!("Int cannot represent non-integer value: {value}"),
        _ => format!("{kind} cannot represent a non {} value: {value}", kind.to_lowercase()),
    };
    (!fits).then(|| Mismatch::new(value, why))
}
