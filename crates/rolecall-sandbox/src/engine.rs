//! Executes requests against a vendor's schema, by the specification of GraphQL.
//!
//! A provider has its schema in `schemas/*.graphql`, a [`Schema`] that is parsed once, and a file `resolvers.rs`. Its
//! answer to a request has three steps: [`parse`] the text (a provider's limits look at the document here),
//! [`Schema::prepare`] it (validation, operation, variables), and [`Prepared::execute`] it through [`Resolvers`]. In
//! between, the provider decides about status codes and the shape of errors. Objects are JSON: a resolver returns an
//! object with its fields, and `None` stands for the property of that name. So only what depends on arguments, on the
//! caller or on much of the world needs an arm of its own:
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

#![allow(dead_code, reason = "some platforms don't use it yet")]

use std::borrow::Cow;
use std::cell::RefCell;

use apollo_compiler::ast::{self, Type};
use apollo_compiler::diagnostic::Diagnostic;
use apollo_compiler::executable::Operation;
use apollo_compiler::parser::SourceSpan;
use apollo_compiler::request::coerce_variable_values;
use apollo_compiler::resolvers::{self, Execution, ObjectValue, ResolveInfo, ResolvedValue};
use apollo_compiler::response::{GraphQLError, JsonMap, JsonValue, ResponseDataPathSegment, serde_json_bytes};
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::validation::{DiagnosticData, DiagnosticList, Valid};
use apollo_compiler::{ExecutableDocument, Schema as Types};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};

/// A GraphQL request, as it arrives in the body of an HTTP request.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    pub query: String,
    #[serde(default)]
    pub operation_name: Option<String>,
    #[serde(default)]
    pub variables: Value,
}

impl Request {
    pub fn new(query: impl Into<String>, variables: Value) -> Self {
        Self { query: query.into(), operation_name: None, variables }
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
        // A selection of unknown fields only is empty to the compiler, which isn't the client's mistake.
        let is = |error: &Diagnostic<'_, DiagnosticData>, name| error.error.unstable_error_name() == Some(name);
        let has_unknown = errors.iter().any(|error| is(&error, "UndefinedField"));
        let errors = errors.iter().filter(|error| !(has_unknown && is(error, "MissingSubselection")));
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

/// Parses the text of a request.
pub fn parse(query: &str) -> Result<ast::Document, Vec<RequestError>> {
    ast::Document::parse(query, "request")
        .map_err(|wrong| RequestError::from_list(RequestFault::Syntax, &wrong.errors))
}

/// A vendor's schema.
pub struct Schema(Valid<Types>);

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
        let given = given.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        let variables = coerce_variable_values(&self.0, &operation, &given)
            .map_err(|why| refused(why, RequestFault::Variable))?;
        Ok(Prepared { schema: self, document, operation, variables })
    }

    /// Checks the values of variables, with the messages of graphql-js.
    fn variable_errors(
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

    fn object_misfit(
        &self,
        value: &Value,
        kind: &str,
        input: &apollo_compiler::schema::InputObjectType,
    ) -> Option<Misfit> {
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
    fn with_text_ids(&self, kind: &Type, value: &mut Value) {
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

fn not_one_key(kind: &str) -> String {
    format!("Exactly one key must be specified for OneOf type \"{kind}\".")
}

fn place(document: &ExecutableDocument, at: Option<SourceSpan>) -> Option<(usize, usize)> {
    at?.line_column(&document.sources).map(|at| (at.line, at.column))
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

/// A valid request, with its operation and its variables.
pub struct Prepared<'a> {
    schema: &'a Schema,
    document: Valid<ExecutableDocument>,
    operation: Operation,
    variables: Valid<JsonMap>,
}

impl Prepared<'_> {
    /// Returns the names of the fields that the operation asks for at its root.
    pub fn root_fields(&self) -> impl Iterator<Item = &str> {
        self.operation.root_fields(&self.document).map(|field| field.name.as_str())
    }

    pub fn execute(&self, resolvers: &dyn Resolvers) -> Answer {
        let run = Run { request: self, resolvers, errors: RefCell::default(), unknown: RefCell::default() };
        let root = Cow::Owned(json!({}));
        let root = Object { run: &run, on: self.operation.object_type(), value: root, path: Vec::new() };
        let executed = Execution::new(&self.schema.0, &self.document)
            .operation(&self.operation)
            .coerced_variable_values(&self.variables)
            .enable_schema_introspection(true)
            .execute_sync(&root);
        let executed = match executed {
            Ok(executed) => executed,
            Err(why) => return Answer::refused(&json!([{ "message": why.message().to_string() }])),
        };
        let mut data = executed.data.map_or(JsonValue::Null, JsonValue::Object);
        for (path, value) in run.unknown.take() {
            if let Some(place) = value_at(&mut data, &path) {
                *place = value;
            }
        }
        let errors = run.errors.take();
        // The executor's errors repeat ours without their codes. Others are its own, such as a null where none may be.
        let own = executed.errors.into_iter().filter(|own| errors.iter().all(|(path, _)| *path != own.path));
        let own: Vec<Value> = own.filter_map(|own| serde_json::to_value(own).ok()).collect();
        let errors: Vec<Value> = errors.into_iter().map(|(_, error)| error).chain(own).collect();
        if errors.is_empty() { Answer::of(&data) } else { Answer::with_errors(&data, &errors) }
    }
}

/// The path of a value in an answer.
type Path = Vec<ResponseDataPathSegment>;

fn value_at<'a>(data: &'a mut JsonValue, path: &Path) -> Option<&'a mut JsonValue> {
    path.iter().try_fold(data, |data, step| match step {
        ResponseDataPathSegment::Field(key) => data.get_mut(key.as_str()),
        ResponseDataPathSegment::ListIndex(at) => data.get_mut(*at),
    })
}

/// The fields of a provider that need code.
pub trait Resolvers {
    fn resolve(&self, field: &Field<'_>) -> Resolved;
}

/// The value of a field. `None` stands for the property of that name of the object around it.
pub type Resolved = Result<Option<Value>, FieldError>;

/// The reason why a field has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    pub message: String,
    /// The code, which an answer shows in the error's `extensions`.
    pub code: Option<&'static str>,
}

impl FieldError {
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: None }
    }

    pub fn coded(code: &'static str, message: impl Into<String>) -> Self {
        Self { code: Some(code), ..Self::new(message) }
    }
}

/// A field that is resolved.
pub struct Field<'a> {
    /// The name of the type of the object around it.
    pub on: &'a str,
    pub name: &'a str,
    /// The object around it, as the resolver before returned it. It may have more fields than the schema.
    pub object: &'a Value,
    info: &'a ResolveInfo<'a>,
    path: &'a Path,
    run: &'a Run<'a>,
}

impl Field<'_> {
    /// Returns an argument. An optional one that isn't sent is read from null.
    pub fn argument<T: DeserializeOwned>(&self, name: &str) -> Result<T, FieldError> {
        let sent = self.info.arguments().get(name);
        let mut value = serde_json::to_value(sent).unwrap_or_default();
        if let Some(definition) = self.info.field_definition().argument_by_name(name) {
            self.run.request.schema.with_text_ids(&definition.ty, &mut value);
        }
        T::deserialize(value).map_err(|why| FieldError::new(format!("the argument `{name}` can't be read: {why}")))
    }

    /// Adds an error to the answer. The field can have a value nevertheless.
    pub fn report(&self, error: FieldError) {
        let FieldError { message, code } = error;
        let mut shown = json!({ "message": message, "path": self.path });
        let asked = self.info.field_selections()[0];
        let at = asked.alias.as_ref().unwrap_or(&asked.name).location();
        if let Some((line, column)) = place(self.info.document(), at) {
            shown["locations"] = json!([{ "line": line, "column": column }]);
        }
        if let Some(code) = code {
            shown["extensions"] = json!({ "code": code });
        }
        self.run.errors.borrow_mut().push((self.path.clone(), shown));
    }
}

/// The execution of a request.
struct Run<'a> {
    request: &'a Prepared<'a>,
    resolvers: &'a dyn Resolvers,
    errors: RefCell<Vec<(Path, Value)>>,
    /// Values of enums that the schema doesn't have. The answer has them nevertheless, as if the platform had added
    /// a value since it published the schema.
    unknown: RefCell<Vec<(Path, JsonValue)>>,
}

impl<'a> Run<'a> {
    /// Hands a value to the executor, by its type.
    fn resolved(&'a self, kind: &'a Type, value: Cow<'a, Value>, path: Path) -> ResolvedValue<'a> {
        match (kind, value) {
            (Type::List(inner) | Type::NonNullList(inner), Cow::Borrowed(Value::Array(list))) => {
                self.resolved_list(inner, list.iter().map(Cow::Borrowed), path)
            }
            (Type::List(inner) | Type::NonNullList(inner), Cow::Owned(Value::Array(list))) => {
                self.resolved_list(inner, list.into_iter().map(Cow::Owned), path)
            }
            (Type::Named(on) | Type::NonNullNamed(on), value) if value.is_object() || value.is_string() => {
                self.resolved_named(on, value, path)
            }
            (_, value) => ResolvedValue::leaf(value.into_owned()),
        }
    }

    fn resolved_list(
        &'a self,
        inner: &'a Type,
        items: impl Iterator<Item = Cow<'a, Value>> + 'a,
        path: Path,
    ) -> ResolvedValue<'a> {
        let item = move |(at, item)| {
            let path = path.iter().cloned().chain([ResponseDataPathSegment::ListIndex(at)]).collect();
            self.resolved(inner, item, path)
        };
        ResolvedValue::list(items.enumerate().map(item))
    }

    fn resolved_named(&'a self, on: &'a str, value: Cow<'a, Value>, path: Path) -> ResolvedValue<'a> {
        match self.request.schema.0.types.get(on) {
            Some(ExtendedType::Object(_)) => ResolvedValue::object(Object { run: self, on, value, path }),
            Some(ExtendedType::Enum(known)) => {
                let text = value.as_str().unwrap_or_default();
                let placeholder = known.values.keys().next().filter(|_| !known.values.contains_key(text));
                let Some(placeholder) = placeholder else { return ResolvedValue::leaf(text) };
                self.unknown.borrow_mut().push((path, text.into()));
                ResolvedValue::leaf(placeholder.as_str())
            }
            _ => ResolvedValue::leaf(value.into_owned()),
        }
    }
}

/// An object in an answer.
struct Object<'a> {
    run: &'a Run<'a>,
    on: &'a str,
    value: Cow<'a, Value>,
    path: Path,
}

impl ObjectValue for Object<'_> {
    fn type_name(&self) -> &str {
        self.on
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Result<ResolvedValue<'a>, resolvers::FieldError> {
        let key = info.field_selections()[0].response_key().clone();
        let path = self.path.iter().cloned().chain([ResponseDataPathSegment::Field(key)]).collect();
        let (run, name) = (self.run, info.field_name());
        let field = Field { on: self.on, name, object: &self.value, info, path: &path, run };
        let value = match run.resolvers.resolve(&field) {
            Ok(Some(value)) => Ok(Cow::Owned(value)),
            Ok(None) => {
                let property = self.value.get(name).map(Cow::Borrowed);
                property.ok_or_else(|| FieldError::new(format!("the sandbox has no `{}.{name}`", self.on)))
            }
            Err(why) => Err(why),
        };
        match value {
            Ok(value) => Ok(run.resolved(&info.field_definition().ty, value, path)),
            Err(why) => {
                field.report(why);
                Err(resolvers::FieldError { message: String::new() })
            }
        }
    }
}
