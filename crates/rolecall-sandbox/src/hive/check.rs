//! What is wrong with a request before it is executed, in the words of the platform's GraphQL library.

use std::convert::Infallible;

use async_graphql::parser::types::{
    BaseType, ExecutableDocument, OperationDefinition, Selection, SelectionSet, Type,
};
use async_graphql::{Pos, Value, Variables};

use super::shape::{Shape, innermost};

/// A request that isn't executed.
pub struct Fault {
    pub message: String,
    pub code: Option<&'static str>,
    pub at: Option<Pos>,
    /// Comes from the server even where a gateway is before it.
    pub of_server: bool,
}

pub const INVALID: &str = "GRAPHQL_VALIDATION_FAILED";
pub const UNPARSED: &str = "GRAPHQL_PARSE_FAILED";

impl Fault {
    fn invalid(message: String, at: Pos) -> Self {
        Self { message, code: Some(INVALID), at: Some(at), of_server: false }
    }
}

/// What stands for a variable within a literal, where nothing else is binary.
fn variable() -> Value {
    Value::Binary(Vec::new().into())
}

/// Why a value doesn't fit its type.
struct Misfit {
    /// Where, from the value on: `.resources.mode`.
    path: String,
    value: Value,
    why: String,
    one_of: bool,
}

impl Misfit {
    fn new(value: &Value, why: String) -> Self {
        Self { path: String::new(), value: value.clone(), why, one_of: false }
    }

    fn below(self, step: &str) -> Self {
        Self { path: format!("{step}{}", self.path), ..self }
    }
}

impl Shape {
    /// Fields and literals that this release doesn't know.
    pub fn check(&self, document: &ExecutableDocument, introspection: bool) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (_, operation) in document.operations.iter() {
            let root = format!("{:?}", operation.node.ty);
            self.check_set(&root, &operation.node.selection_set.node, introspection, &mut faults);
        }
        for fragment in document.fragments.values() {
            let on = &fragment.node.type_condition.node.on.node;
            self.check_set(on, &fragment.node.selection_set.node, introspection, &mut faults);
        }
        faults
    }

    fn check_set(&self, on: &str, set: &SelectionSet, introspection: bool, faults: &mut Vec<Fault>) {
        let Some(fields) = self.objects.get(on) else { return };
        for selection in &set.items {
            let field = match &selection.node {
                Selection::Field(field) => field,
                Selection::InlineFragment(fragment) => {
                    let on = fragment.node.type_condition.as_ref().map_or(on, |condition| &condition.node.on.node);
                    self.check_set(on, &fragment.node.selection_set.node, introspection, faults);
                    continue;
                }
                Selection::FragmentSpread(_) => continue,
            };
            let name = field.node.name.node.as_str();
            if !introspection && matches!(name, "__schema" | "__type") {
                let message = format!(
                    "GraphQL introspection has been disabled, but the requested query contained the field \"{name}\"."
                );
                faults.push(Fault::invalid(message, field.pos));
            }
            if name.starts_with("__") {
                continue;
            }
            let Some(known) = fields.get(name) else {
                faults.push(Fault::invalid(format!("Cannot query field \"{name}\" on type \"{on}\"."), field.pos));
                continue;
            };
            for (name, value) in &field.node.arguments {
                let kind = known.arguments.get(name.node.as_str());
                let literal = value.node.clone().into_const_with(|_| Ok::<_, Infallible>(variable()));
                let misfit = kind.zip(literal.ok()).and_then(|(kind, literal)| self.misfit(&literal, kind));
                if let Some(misfit) = misfit {
                    faults.push(Fault::invalid(misfit.why, value.pos));
                }
            }
            self.check_set(innermost(&known.kind), &field.node.selection_set.node, introspection, faults);
        }
    }

    /// Variables that don't fit their types. What is wrong with them is repeated in full, as measured on Hive 8.1.2.
    pub fn check_variables(&self, operation: &OperationDefinition, variables: &Variables) -> Vec<Fault> {
        let mut faults = Vec::new();
        for definition in &operation.variable_definitions {
            let (name, kind) = (&definition.node.name.node, &definition.node.var_type.node);
            let at = Some(definition.pos);
            let fault = |message, of_server| Fault { message, code: None, at, of_server };
            match variables.get(name) {
                None if kind.nullable || definition.node.default_value.is_some() => {}
                None => {
                    let message = format!("Variable \"${name}\" of required type \"{kind}\" was not provided.");
                    faults.push(fault(message, false));
                }
                Some(value) => {
                    if let Some(Misfit { path, value, why, one_of }) = self.misfit(value, kind) {
                        let place = if path.is_empty() { path } else { format!(" at \"{name}{path}\"") };
                        let message = format!("Variable \"${name}\" got invalid value {value}{place}; {why}");
                        faults.push(fault(message, one_of));
                    }
                }
            }
        }
        faults
    }

    fn misfit(&self, value: &Value, kind: &Type) -> Option<Misfit> {
        match (value, &kind.base) {
            // A variable within a literal has been declared with a type of its own.
            (Value::Binary(_), _) => None,
            (Value::Null, _) => (!kind.nullable)
                .then(|| Misfit::new(value, format!("Expected non-nullable type \"{kind}\" not to be null."))),
            (Value::List(items), BaseType::List(inner)) => items
                .iter()
                .enumerate()
                .find_map(|(at, item)| self.misfit(item, inner).map(|misfit| misfit.below(&format!("[{at}]")))),
            (item, BaseType::List(inner)) => self.misfit(item, inner),
            (value, BaseType::Named(name)) => self.misfit_named(value, name),
        }
    }

    fn misfit_named(&self, value: &Value, kind: &str) -> Option<Misfit> {
        if let Some(values) = self.enums.get(kind) {
            let known = match value {
                Value::Enum(name) => values.contains(name.as_str()),
                Value::String(name) => values.contains(name),
                _ => false,
            };
            let text = value.to_string();
            let shown = text.trim_matches('"');
            return (!known)
                .then(|| Misfit::new(value, format!("Value \"{shown}\" does not exist in \"{kind}\" enum.")));
        }
        let Some(input) = self.inputs.get(kind) else { return misfit_scalar(value, kind) };
        let Value::Object(given) = value else {
            return Some(Misfit::new(value, format!("Expected type \"{kind}\" to be an object.")));
        };
        for (name, kind) in &input.fields {
            let misfit = match given.get(name.as_str()) {
                Some(value) => self.misfit(value, kind).map(|misfit| misfit.below(&format!(".{name}"))),
                None if kind.nullable => None,
                None => {
                    let why = format!("Field \"{name}\" of required type \"{kind}\" was not provided.");
                    Some(Misfit::new(value, why))
                }
            };
            if misfit.is_some() {
                return misfit;
            }
        }
        if let Some(unknown) = given.keys().find(|name| !input.fields.contains_key(name.as_str())) {
            let why = format!("Field \"{unknown}\" is not defined by type \"{kind}\".");
            return Some(Misfit::new(value, why));
        }
        let one = given.len() == 1 && !given.values().any(|value| *value == Value::Null);
        (input.one_of && !one).then(|| Misfit {
            one_of: true,
            ..Misfit::new(value, format!("Exactly one key must be specified for OneOf type \"{kind}\"."))
        })
    }
}

fn misfit_scalar(value: &Value, kind: &str) -> Option<Misfit> {
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
    (!fits).then(|| Misfit::new(value, why))
}
