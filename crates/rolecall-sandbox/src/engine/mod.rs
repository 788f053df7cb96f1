//! Executes requests against a vendor's schema, by the specification of GraphQL.
//!
//! A provider has its schema in `schemas/*.graphql`, a [`Schema`] that is parsed once, and a file `resolvers.rs`. It
//! answers a request with [`Schema::prepare`] (parsing, validation, operation, variables) and [`execute`](execute::Prepared::execute),
//! and decides about status codes and the shape of errors itself. One that has limits of its own calls [`parse`],
//! [`Schema::validate`] and [`Schema::bind`] in place of `prepare`.
//!
//! Objects are JSON. A resolver returns an object with its fields, and `None` stands for the property of that name. So
//! only what depends on arguments, on the caller or on much of the world needs an arm of its own:
//!
//! ```ignore
//! impl Resolvers for Call<'_> {
//!     fn resolve(&self, field: &Field<'_>) -> Resolved {
//!         let mut world = self.shared.lock();
//!         match (field.on, field.name) {
//!             ("Query", "team") => {
//!                 let id: String = field.argument("id")?;
//!                 let team = world.team(&id).ok_or(FieldError::coded("NOT_FOUND", "no such team"))?;
//!                 Ok(Some(json!({ "id": team.id, "name": team.name })))
//!             }
//!             // A field of `Team` that isn't in the JSON above, because it takes an argument.
//!             ("Team", "members") => Ok(Some(world.page_of(&field.object["id"], field.argument("first")?))),
//!             _ => Ok(None),
//!         }
//!     }
//! }
//! ```
//!
//! An error makes its field null, or the object around it if the field can't be null. An error in a mutation whose
//! answer can't be null ends the request: the later mutations don't run, and the data are null. A resolver that
//! returns a value and an error beside it calls [`Field::report`].
//!
//! A resolver locks the world, so nothing may hold that lock while `execute` runs. A lock that is taken in the head of
//! a `match` lasts until the `match` ends. So read a switch into a variable first.

mod execute;
mod inputs;
mod schema;

use apollo_compiler::ast;
use apollo_compiler::diagnostic::Diagnostic;
use apollo_compiler::response::{GraphQLError, JsonValue, serde_json_bytes};
use apollo_compiler::validation::{DiagnosticData, DiagnosticList};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

pub use execute::{Field, FieldError, Prepared, Resolved, Resolvers};
pub use schema::Schema;

/// A GraphQL request, as it arrives in the body of an HTTP request.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    pub query: String,
    #[serde(default)]
    pub operation_name: Option<String>,
    /// The values of the variables, in the order sent.
    #[serde(default)]
    pub variables: JsonValue,
}

impl Request {
    pub fn new(query: impl Into<String>, variables: Value) -> Self {
        Self { query: query.into(), operation_name: None, variables: variables.into() }
    }
}

/// The body of an answer. Its data have the order in which the request asks for the fields.
#[derive(Default, Serialize, Deserialize)]
pub struct Answer {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errors: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub data: Option<JsonValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extensions: Option<Value>,
}

/// Reads data that are there. Data that are null are there, too.
fn present<'de, D: Deserializer<'de>>(data: D) -> Result<Option<JsonValue>, D::Error> {
    JsonValue::deserialize(data).map(Some)
}

impl Answer {
    pub fn of(data: &impl Serialize) -> Self {
        Self { data: serde_json_bytes::to_value(data).ok(), ..Self::default() }
    }

    /// Returns an answer with errors and these data, which may be null.
    pub fn with_errors(data: &impl Serialize, errors: &impl Serialize) -> Self {
        Self { errors: serde_json::to_value(errors).ok(), ..Self::of(data) }
    }

    /// Returns an answer to a request that wasn't executed.
    pub fn refused(errors: &impl Serialize) -> Self {
        Self { errors: serde_json::to_value(errors).ok(), ..Self::default() }
    }

    pub fn errors_mut(&mut self) -> impl Iterator<Item = &mut Value> {
        self.errors.as_mut().and_then(Value::as_array_mut).into_iter().flatten()
    }
}

/// The reason why a request isn't executed.
#[derive(Clone, Debug)]
pub struct RequestError {
    pub fault: RequestFault,
    pub message: String,
    /// The place in the document: line and column.
    pub at: Option<(usize, usize)>,
}

/// The part of a request that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestFault {
    Syntax,
    Document,
    /// The document asks for the schema, and the server doesn't show it.
    Introspection,
    Operation,
    Variable,
    /// The value of a variable has a number of keys other than one, where exactly one is wanted.
    OneOf,
}

impl RequestFault {
    /// Returns the code that servers of the Apollo family send. They send none for variables.
    pub fn code(self) -> Option<&'static str> {
        match self {
            Self::Syntax => Some("GRAPHQL_PARSE_FAILED"),
            Self::Document | Self::Introspection => Some("GRAPHQL_VALIDATION_FAILED"),
            Self::Operation => Some("OPERATION_RESOLUTION_FAILURE"),
            Self::Variable | Self::OneOf => None,
        }
    }
}

impl RequestError {
    fn new(fault: RequestFault, message: impl Into<String>) -> Self {
        Self { fault, message: message.into(), at: None }
    }

    fn from_list(fault: RequestFault, errors: &DiagnosticList) -> Vec<Self> {
        let shown = |error: GraphQLError| Self {
            fault,
            message: error.message,
            at: error.locations.first().map(|at| (at.line, at.column)),
        };
        // The compiler drops unknown fields. Then it takes their object for empty, and their variables for unused.
        let is = |error: &Diagnostic<'_, DiagnosticData>, name| error.error.unstable_error_name() == Some(name);
        let has_unknown = errors.iter().any(|error| is(&error, "UndefinedField"));
        let follows = |error: &Diagnostic<'_, DiagnosticData>| {
            ["MissingSubselection", "UnusedVariable"].iter().any(|name| is(error, name))
        };
        let errors = errors.iter().filter(|error| !(has_unknown && follows(error)));
        errors.map(|error| shown(error.unstable_to_json_compat())).collect()
    }

    /// Returns the error as an answer shows it: its message, its place and, if there is one, a code.
    pub fn shown(&self, code: Option<&str>) -> Value {
        let mut shown = json!({ "message": self.message });
        if let Some((line, column)) = self.at {
            shown["locations"] = json!([{ "line": line, "column": column }]);
        }
        if let Some(code) = code {
            shown["extensions"] = json!({ "code": code });
        }
        shown
    }
}

/// Parses the text of a request. Servers report the first mistake only.
pub fn parse(query: &str) -> Result<ast::Document, Vec<RequestError>> {
    ast::Document::parse(query, "request").map_err(|wrong| {
        let errors = RequestError::from_list(RequestFault::Syntax, &wrong.errors);
        errors.into_iter().take(1).collect()
    })
}
