//! Execution of valid requests through a provider's resolvers.

use std::borrow::Cow;
use std::cell::RefCell;

use apollo_compiler::ExecutableDocument;
use apollo_compiler::ast::Type;
use apollo_compiler::executable::Operation;
use apollo_compiler::resolvers::{self, Execution, ObjectValue, ResolveInfo, ResolvedValue};
use apollo_compiler::response::{JsonMap, JsonValue, ResponseDataPathSegment};
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::validation::Valid;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::Answer;
use super::schema::{Schema, place};

/// A valid request, with its operation and its variables.
pub struct Prepared<'a> {
    pub(super) schema: &'a Schema,
    pub(super) document: Valid<ExecutableDocument>,
    pub(super) operation: Operation,
    pub(super) variables: Valid<JsonMap>,
}

impl Prepared<'_> {
    /// Returns the names of the fields that the operation asks for at its root.
    pub fn root_fields(&self) -> impl Iterator<Item = &str> {
        self.operation.root_fields(&self.document).map(|field| field.name.as_str())
    }

    pub fn is_mutation(&self) -> bool {
        self.operation.is_mutation()
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
