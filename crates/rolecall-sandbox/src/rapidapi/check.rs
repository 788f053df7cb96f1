//! Validation of requests, with the error messages of Apollo Server. async-graphql validates some of this too
//! late. It has a rule for the types of variables, which version 7.2 never applies.

use std::convert::Infallible;

use async_graphql::parser::types::{
    BaseType, ExecutableDocument, OperationDefinition, Selection, SelectionSet, Type, VariableDefinition,
};
use async_graphql::{Name, Pos, Positioned, Value, Variables};
use serde_json::json;

use super::shape::{Shape, innermost};

/// The reason why a request isn't executed.
pub struct RequestError {
    message: String,
    code: &'static str,
    at: Option<Pos>,
}

const INVALID: &str = "GRAPHQL_VALIDATION_FAILED";
const UNPARSED: &str = "GRAPHQL_PARSE_FAILED";

impl RequestError {
    pub fn invalid(message: impl Into<String>, at: Option<Pos>) -> Self {
        Self { message: message.into(), code: INVALID, at }
    }

    pub fn unparsed(message: impl Into<String>, at: Option<Pos>) -> Self {
        Self { message: message.into(), code: UNPARSED, at }
    }

    pub fn shown(&self) -> serde_json::Value {
        let mut error = json!({ "message": self.message, "extensions": { "code": self.code } });
        if let Some(at) = self.at {
            error["locations"] = json!([{ "line": at.line, "column": at.column }]);
        }
        error
    }
}

pub struct Check<'a> {
    shape: &'a Shape,
    declared: &'a [Positioned<VariableDefinition>],
    introspection: bool,
    errors: Vec<RequestError>,
}

impl<'a> Check<'a> {
    /// Validates a document and its variables. An empty list means that the request is valid.
    pub fn errors(
        shape: &'a Shape,
        document: &ExecutableDocument,
        operation: Option<&'a OperationDefinition>,
        variables: &Variables,
        introspection: bool,
    ) -> Vec<RequestError> {
        let declared = operation.map_or(&[][..], |operation| &operation.variable_definitions);
        let mut check = Self { shape, declared, introspection, errors: Vec::new() };
        for (_, operation) in document.operations.iter() {
            let root = format!("{:?}", operation.node.ty);
            check.set(&root, &operation.node.selection_set.node);
        }
        for fragment in document.fragments.values() {
            check.set(&fragment.node.type_condition.node.on.node, &fragment.node.selection_set.node);
        }
        check.variables(variables);
        check.errors
    }

    fn add(&mut self, message: String, at: Pos) {
        self.errors.push(RequestError::invalid(message, Some(at)));
    }

    fn set(&mut self, on: &str, set: &SelectionSet) {
        let shape = self.shape;
        let Some(fields) = shape.objects.get(on) else { return };
        for selection in &set.items {
            let field = match &selection.node {
                Selection::Field(field) => field,
                Selection::InlineFragment(fragment) => {
                    let on = fragment.node.type_condition.as_ref().map_or(on, |condition| &condition.node.on.node);
                    self.set(on, &fragment.node.selection_set.node);
                    continue;
                }
                Selection::FragmentSpread(_) => continue,
            };
            let name = field.node.name.node.as_str();
            if name.starts_with("__") {
                if !self.introspection && name != "__typename" {
                    let message = format!(
                        "GraphQL introspection is not allowed by Apollo Server, but the query contained {name}."
                    );
                    self.add(message, field.pos);
                }
                continue;
            }
            let Some(known) = fields.get(name) else {
                self.add(format!("Cannot query field \"{name}\" on type \"{on}\"."), field.pos);
                continue;
            };
            for (argument, value) in &field.node.arguments {
                let Some(kind) = known.arguments.get(argument.node.as_str()) else {
                    let message = format!("Unknown argument \"{}\" on field \"{on}.{name}\".", argument.node);
                    self.add(message, argument.pos);
                    continue;
                };
                let Ok(literal) =
                    value.node.clone().into_const_with(|name| Ok::<_, Infallible>(variable_marker(&name)));
                if let Some(why) = self.mismatch(&literal, kind, false) {
                    self.add(why, value.pos);
                }
            }
            self.set(innermost(&known.kind), &field.node.selection_set.node);
        }
    }

    fn variables(&mut self, variables: &Variables) {
        for definition in self.declared {
            let (name, kind) = (&definition.node.name.node, &definition.node.var_type.node);
            match variables.get(name) {
                None if kind.nullable || definition.node.default_value.is_some() => {}
                None => {
                    let message = format!("Variable \"${name}\" of required type \"{kind}\" was not provided.");
                    self.add(message, definition.pos);
                }
                Some(value) => {
                    if let Some(why) = self.mismatch(value, kind, true) {
                        self.add(format!("Variable \"${name}\" got invalid value; {why}"), definition.pos);
                    }
                }
            }
        }
    }

    /// Returns the reason why a value doesn't fit a type. `is_json` is true for the value of a variable.
    fn mismatch(&self, value: &Value, kind: &Type, is_json: bool) -> Option<String> {
        match (value, &kind.base) {
            (Value::Binary(name), _) => self.variable_mismatch(std::str::from_utf8(name).ok()?, kind),
            (Value::Null, _) => {
                (!kind.nullable).then(|| format!("Expected value of type \"{kind}\", found null."))
            }
            (Value::List(items), BaseType::List(inner)) => {
                items.iter().find_map(|item| self.mismatch(item, inner, is_json))
            }
            (item, BaseType::List(inner)) => self.mismatch(item, inner, is_json),
            (value, BaseType::Named(name)) => self.mismatch_named(value, name, is_json),
        }
    }

    fn mismatch_named(&self, value: &Value, kind: &str, is_json: bool) -> Option<String> {
        if let Some(values) = self.shape.enums.get(kind) {
            let known = match value {
                Value::Enum(name) => values.contains(name.as_str()),
                // A value in quotes is a string, so it is no enum literal. In JSON there is no other way to write
                // one.
                Value::String(name) => is_json && values.contains(name),
                _ => false,
            };
            return (!known).then(|| format!("Value {value} does not exist in \"{kind}\" enum."));
        }
        let Some(fields) = self.shape.inputs.get(kind) else { return mismatch_scalar(value, kind) };
        let Value::Object(given) = value else {
            return Some(format!("Expected type \"{kind}\" to be an object."));
        };
        for (name, kind) in fields {
            let mismatch = match given.get(name.as_str()) {
                Some(value) => self.mismatch(value, kind, is_json),
                None if kind.nullable => None,
                None => Some(format!("Field \"{name}\" of required type \"{kind}\" was not provided.")),
            };
            if mismatch.is_some() {
                return mismatch;
            }
        }
        let unknown = given.keys().find(|name| !fields.contains_key(name.as_str()))?;
        Some(format!("Field \"{unknown}\" is not defined by type \"{kind}\"."))
    }

    /// Returns the reason why a variable can't stand where the type `wanted` is expected.
    fn variable_mismatch(&self, name: &str, wanted: &Type) -> Option<String> {
        let definition = &self.declared.iter().find(|it| it.node.name.node.as_str() == name)?.node;
        let kind = &definition.var_type.node;
        let never_null = !kind.nullable || definition.default_value.is_some();
        let fits = (wanted.nullable || never_null) && is_compatible(&kind.base, &wanted.base);
        (!fits).then(|| {
            format!("Variable \"${name}\" of type \"{kind}\" used in position expecting type \"{wanted}\".")
        })
    }
}

/// Returns a placeholder for a variable inside a literal. No other value in a literal is binary.
fn variable_marker(name: &Name) -> Value {
    Value::Binary(name.to_string().into_bytes().into())
}

fn is_compatible(declared: &BaseType, wanted: &BaseType) -> bool {
    match (declared, wanted) {
        (BaseType::Named(declared), BaseType::Named(wanted)) => declared == wanted,
        (BaseType::List(declared), BaseType::List(wanted)) => {
            (wanted.nullable || !declared.nullable) && is_compatible(&declared.base, &wanted.base)
        }
        (BaseType::Named(_), BaseType::List(_)) | (BaseType::List(_), BaseType::Named(_)) => false,
    }
}

fn mismatch_scalar(value: &Value, kind: &str) -> Option<String> {
    let whole = |value: &Value| match value {
        Value::Number(number) => number.as_i64(),
        _ => None,
    };
    let fits = match kind {
        "Int" => whole(value).is_some_and(|number| i32::try_from(number).is_ok()),
        "ID" => matches!(value, Value::String(_)) || whole(value).is_some(),
        "Boolean" => matches!(value, Value::Boolean(_)),
        "String" => matches!(value, Value::String(_)),
        _ => true,
    };
    (!fits).then(|| format!("{kind} cannot represent value: {value}"))
}
