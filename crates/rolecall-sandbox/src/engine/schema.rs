//! Validation of documents against a schema.

use apollo_compiler::ast::{self, Type};
use apollo_compiler::parser::SourceSpan;
use apollo_compiler::request::coerce_variable_values;
use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Schema as Types};

use super::execute::Prepared;
use super::inputs::not_one_key;
use super::{Request, RequestError, RequestFault, parse};

/// A vendor's schema.
pub struct Schema(pub(super) Valid<Types>);

impl Schema {
    /// Reads a schema in SDL. A test checks that each of ours is valid.
    pub fn of(sdl: &str) -> Self {
        Self(Types::parse_and_validate(sdl, "schema").unwrap_or_else(|wrong| Valid::assume_valid(wrong.partial)))
    }

    /// Parses and validates a request. Returns what can be executed, or the reasons not to execute it.
    pub fn prepare(&self, request: &Request, introspection: bool) -> Result<Prepared<'_>, Vec<RequestError>> {
        let document = self.validate(&parse(&request.query)?, introspection)?;
        self.bind(document, request)
    }

    /// Validates a document.
    pub fn validate(
        &self,
        document: &ast::Document,
        introspection: bool,
    ) -> Result<Valid<ExecutableDocument>, Vec<RequestError>> {
        let document = document
            .to_executable_validate(&self.0)
            .map_err(|wrong| RequestError::from_list(RequestFault::Document, &wrong.errors))?;
        let mut errors = Vec::new();
        for operation in document.operations.iter() {
            for field in operation.root_fields(&document) {
                if !introspection && matches!(field.name.as_str(), "__schema" | "__type") {
                    let message = format!(
                        "GraphQL introspection has been disabled, but the requested query contained the field \"{}\".",
                        field.name
                    );
                    let at = place(&document, field.name.location());
                    errors.push(RequestError { at, ..RequestError::new(RequestFault::Introspection, message) });
                }
            }
            for field in operation.all_fields(&document) {
                let arguments = field.arguments.iter();
                let typed = arguments.filter_map(|it| Some((it, field.definition.argument_by_name(&it.name)?)));
                for (argument, definition) in typed {
                    if let Some(kind) = self.one_of_misfit(&definition.ty, &argument.value) {
                        let at = place(&document, argument.value.location());
                        let message = not_one_key(kind);
                        errors.push(RequestError { at, ..RequestError::new(RequestFault::Document, message) });
                    }
                }
            }
        }
        if errors.is_empty() { Ok(document) } else { Err(errors) }
    }

    /// Returns the type of an object in a literal that needs exactly one key and has another number of them.
    fn one_of_misfit<'a>(&'a self, kind: &'a Type, value: &ast::Value) -> Option<&'a str> {
        let name = kind.inner_named_type();
        match value {
            ast::Value::List(items) => items.iter().find_map(|item| self.one_of_misfit(kind, item)),
            ast::Value::Object(given) => {
                let input = self.0.get_input_object(name)?;
                if input.directives.has("oneOf") && (given.len() != 1 || given[0].1.is_null()) {
                    return Some(name);
                }
                given.iter().find_map(|(name, value)| self.one_of_misfit(&input.fields.get(name)?.ty, value))
            }
            _ => None,
        }
    }

    /// Chooses the operation of a document and reads its variables.
    pub fn bind(
        &self,
        document: Valid<ExecutableDocument>,
        request: &Request,
    ) -> Result<Prepared<'_>, Vec<RequestError>> {
        let refused = |why: apollo_compiler::request::RequestError, fault| {
            vec![RequestError::new(fault, why.message().to_string())]
        };
        let name = request.operation_name.as_deref();
        let operation =
            document.operations.get(name).map_err(|why| refused(why, RequestFault::Operation))?.as_ref().clone();
        let given = request.variables.as_object().cloned().unwrap_or_default();
        let errors = self.variable_errors(&document, &operation, &given);
        if !errors.is_empty() {
            return Err(errors);
        }
        let variables = coerce_variable_values(&self.0, &operation, &given)
            .map_err(|why| refused(why, RequestFault::Variable))?;
        Ok(Prepared { schema: self, document, operation, variables })
    }
}

pub(super) fn place(document: &ExecutableDocument, at: Option<SourceSpan>) -> Option<(usize, usize)> {
    at?.line_column(&document.sources).map(|at| (at.line, at.column))
}
