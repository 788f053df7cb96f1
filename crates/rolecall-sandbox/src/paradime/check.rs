//! Validation of requests that async-graphql does too late or not at all.

use std::convert::Infallible;

use async_graphql::parser::types::{
    ExecutableDocument, OperationDefinition, Selection, SelectionSet, VariableDefinition,
};
use async_graphql::{Name, Pos, Positioned, ServerError, Value, Variables};

/// Returns the reasons not to execute a request. An empty list means that it is valid.
pub fn errors(
    document: &ExecutableDocument,
    operation: Option<&OperationDefinition>,
    variables: &Variables,
    introspection: bool,
) -> Vec<ServerError> {
    let declared = operation.map_or(&[][..], |operation| &operation.variable_definitions);
    let mut check = Check { declared, introspection, errors: Vec::new() };
    for definition in declared {
        let (name, kind) = (&definition.node.name.node, &definition.node.var_type.node);
        if !is_optional(&definition.node) && !variables.contains_key(name) {
            let message = format!("Variable '${name}' of required type '{kind}' was not provided.");
            check.add(message, definition.pos);
        }
    }
    let operations = document.operations.iter().map(|(_, operation)| &operation.node.selection_set.node);
    let fragments = document.fragments.values().map(|fragment| &fragment.node.selection_set.node);
    for set in operations.chain(fragments) {
        check.set(set);
    }
    check.errors
}

fn is_optional(definition: &VariableDefinition) -> bool {
    definition.var_type.node.nullable || definition.default_value.is_some()
}

struct Check<'a> {
    declared: &'a [Positioned<VariableDefinition>],
    introspection: bool,
    errors: Vec<ServerError>,
}

impl Check<'_> {
    fn add(&mut self, message: String, at: Pos) {
        self.errors.push(ServerError::new(message, Some(at)));
    }

    fn set(&mut self, set: &SelectionSet) {
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => {
                    let name = field.node.name.node.as_str();
                    if !self.introspection && matches!(name, "__schema" | "__type") {
                        self.add(format!("Cannot query '{name}': introspection is disabled."), field.pos);
                    }
                    for (name, value) in &field.node.arguments {
                        let mut variable = None;
                        let literal = value.node.clone().into_const_with(|name| {
                            variable = Some(name);
                            Ok::<_, Infallible>(Value::Null)
                        });
                        match (variable, literal) {
                            (Some(variable), _) => self.variable(&name.node, &variable, value.pos),
                            (None, Ok(literal)) => self.literal(&name.node, &literal, value.pos),
                        }
                    }
                    self.set(&field.node.selection_set.node);
                }
                Selection::InlineFragment(fragment) => self.set(&fragment.node.selection_set.node),
                Selection::FragmentSpread(_) => {}
            }
        }
    }

    /// Checks the type of a variable. async-graphql 7.2 has a rule for this but never applies it.
    fn variable(&mut self, argument: &str, variable: &Name, at: Pos) {
        let expected = match argument {
            "accountType" => "UserAccountType",
            "email" | "uid" => "String",
            _ => return,
        };
        let declared = self.declared.iter().find(|it| it.node.name.node == *variable);
        let Some(definition) = declared.map(|it| &it.node) else { return };
        let kind = &definition.var_type.node;
        let never_null = !kind.nullable || definition.default_value.is_some();
        if kind.base.to_string() != expected || !never_null {
            let message =
                format!("Variable '${variable}' of type '{kind}' used in position expecting type '{expected}!'.");
            self.add(message, at);
        }
    }

    /// Checks that a role isn't a string in quotes. async-graphql accepts one as an enum literal.
    fn literal(&mut self, argument: &str, literal: &Value, at: Pos) {
        if argument == "accountType" && matches!(literal, Value::String(_)) {
            self.add(format!("Enum 'UserAccountType' cannot represent non-enum value: {literal}."), at);
        }
    }
}
