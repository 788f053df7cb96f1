//! The parts of a schema that the documents of a provider use, and the requests of its scenarios send.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use apollo_compiler::ast::Type;
use apollo_compiler::executable::{Field, Operation, Selection, SelectionSet};
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Schema};
use rolecall_graphql::Request;
use serde_json::Value;

/// A schema, with the documents that were checked against it.
pub struct Parsed {
    pub schema: Valid<Schema>,
    documents: Mutex<BTreeMap<String, Arc<Checked>>>,
}

/// A valid document, or the first reason why it isn't valid.
pub type Checked = Result<Valid<ExecutableDocument>, String>;

impl Parsed {
    pub fn of(schema: Valid<Schema>) -> Arc<Self> {
        Arc::new(Self { schema, documents: Mutex::default() })
    }

    pub fn check(&self, text: &str) -> Arc<Checked> {
        let mut documents = self.documents.lock().unwrap();
        let parse = || {
            let parsed = ExecutableDocument::parse_and_validate(&self.schema, text, "request");
            Arc::new(parsed.map_err(|why| why.errors.iter().next().unwrap().error.to_string()))
        };
        Arc::clone(documents.entry(text.to_owned()).or_insert_with(parse))
    }
}

/// Parses a document that has to be valid.
pub fn document(schema: &Valid<Schema>, text: &str) -> Valid<ExecutableDocument> {
    ExecutableDocument::parse_and_validate(schema, text, "document").unwrap_or_else(|why| panic!("{text}\n{why}"))
}

/// Returns the only operation of a document.
pub fn operation(document: &ExecutableDocument) -> &Operation {
    document.operations.iter().next().unwrap()
}

/// Returns the fields of a selection, also those in fragments, without `__typename`.
pub fn fields<'a>(document: &'a ExecutableDocument, set: &'a SelectionSet) -> Vec<&'a Field> {
    let of = |selection: &'a Selection| match selection {
        Selection::Field(field) if field.name == "__typename" => Vec::new(),
        Selection::Field(field) => vec![&**field],
        Selection::FragmentSpread(spread) => {
            fields(document, &document.fragments[&spread.fragment_name].selection_set)
        }
        Selection::InlineFragment(fragment) => fields(document, &fragment.selection_set),
    };
    set.selections.iter().flat_map(of).collect()
}

/// Returns whether a fragment in a selection names the type of the object.
pub fn is_named(document: &ExecutableDocument, set: &SelectionSet) -> bool {
    set.selections.iter().any(|selection| match selection {
        Selection::Field(_) => false,
        Selection::FragmentSpread(spread) => document.fragments.contains_key(&spread.fragment_name),
        Selection::InlineFragment(fragment) => fragment.type_condition.is_some(),
    })
}

/// The operation that a part is used by: `None` for a query, or the field of a mutation.
pub type Root = Option<String>;

/// The use of one field.
#[derive(Clone, Debug, Default)]
pub struct FieldUse {
    pub roots: BTreeSet<Root>,
    pub arguments: BTreeMap<String, BTreeSet<Root>>,
    /// Whether a document without it is there as well.
    pub optional: bool,
}

/// The use of an input's field.
#[derive(Clone, Debug, Default)]
pub struct InputUse {
    /// The operations that send it.
    pub sent_by: BTreeSet<Root>,
    /// The operations that send an object of its type without it, or with null.
    pub left_out_by: BTreeSet<Root>,
}

/// Everything that is used of a schema, by the schema's own names.
#[derive(Default)]
pub struct Usage {
    pub fields: BTreeMap<(String, String), FieldUse>,
    pub inputs: BTreeMap<(String, String), InputUse>,
    /// The enums that answers have.
    pub shown_enums: BTreeSet<String>,
    /// The enums that are sent, with the operations that send them.
    pub sent_enums: BTreeMap<String, BTreeSet<Root>>,
    /// The types that documents name, with the operations of these documents.
    pub named: BTreeMap<String, BTreeSet<Root>>,
}

impl Usage {
    /// Adds a document.
    pub fn add(&mut self, schema: &Valid<Schema>, text: &str, optional: bool) {
        let document = document(schema, text);
        let operation = operation(&document);
        for field in operation.root_fields(&document) {
            if field.name.starts_with("__") {
                return;
            }
            let root = operation.is_mutation().then(|| field.name.to_string());
            self.field(schema, &document, operation, operation.object_type(), field, &root, optional);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a walk with its state")]
    fn field(
        &mut self,
        schema: &Valid<Schema>,
        document: &ExecutableDocument,
        operation: &Operation,
        on: &str,
        field: &Field,
        root: &Root,
        optional: bool,
    ) {
        let key = (on.to_owned(), field.name.to_string());
        let known = self.fields.contains_key(&key);
        let used = self.fields.entry(key).or_default();
        used.roots.insert(root.clone());
        used.optional = if known { used.optional && optional } else { optional };
        for argument in &field.arguments {
            used.arguments.entry(argument.name.to_string()).or_default().insert(root.clone());
        }
        for argument in &field.arguments {
            let Some(variable) = argument.value.as_variable() else { continue };
            let definition = operation.variables.iter().find(|it| it.name == *variable).unwrap();
            self.named.entry(definition.ty.inner_named_type().to_string()).or_default().insert(root.clone());
            self.sent(schema, definition.ty.inner_named_type(), root, &mut BTreeSet::new());
        }
        let kind = field.ty().inner_named_type();
        if let Some(ExtendedType::Enum(_)) = schema.types.get(kind) {
            self.shown_enums.insert(kind.to_string());
        }
        if is_named(document, &field.selection_set) {
            self.named.entry(kind.to_string()).or_default().insert(root.clone());
        }
        for below in fields(document, &field.selection_set) {
            self.field(schema, document, operation, kind, below, root, optional);
        }
    }

    /// Adds the enums that a variable's type can have.
    fn sent(&mut self, schema: &Valid<Schema>, kind: &str, root: &Root, seen: &mut BTreeSet<String>) {
        match schema.types.get(kind) {
            Some(ExtendedType::Enum(_)) => {
                self.sent_enums.entry(kind.to_owned()).or_default().insert(root.clone());
            }
            Some(ExtendedType::InputObject(input)) if seen.insert(kind.to_owned()) => {
                for field in input.fields.values() {
                    self.sent(schema, field.ty.inner_named_type(), root, seen);
                }
            }
            _ => {}
        }
    }

    /// Adds the variables of a request.
    pub fn observe(&mut self, parsed: &Parsed, request: &Request) {
        let schema = &parsed.schema;
        for Call { root, argument, kind, value, .. } in calls(parsed, request) {
            if argument.is_some() {
                self.object(schema, kind.inner_named_type(), &value, &root);
            }
        }
    }

    fn object(&mut self, schema: &Valid<Schema>, kind: &str, value: &Value, root: &Root) {
        match (value, schema.get_input_object(kind)) {
            (Value::Array(items), _) => items.iter().for_each(|item| self.object(schema, kind, item, root)),
            (Value::Object(given), Some(input)) => {
                for (name, field) in &input.fields {
                    let used = self.inputs.entry((kind.to_owned(), name.to_string())).or_default();
                    let value = given.get(name.as_str());
                    if value.is_none_or(Value::is_null) {
                        used.left_out_by.insert(root.clone());
                    }
                    if let Some(value) = value {
                        used.sent_by.insert(root.clone());
                        self.object(schema, field.ty.inner_named_type(), value, root);
                    }
                }
            }
            _ => {}
        }
    }
}

/// An argument of a field that a request asks for at its root, with the value that it is sent with.
pub struct Call {
    pub root: Root,
    /// The path of the field with the argument, such as `organization.members`.
    pub path: String,
    /// `None` for a field without arguments.
    pub argument: Option<String>,
    pub kind: Type,
    pub value: Value,
}

/// Returns the arguments that a request sends. A batch is taken apart.
pub fn calls(parsed: &Parsed, request: &Request) -> Vec<Call> {
    let checked = parsed.check(&request.query);
    let document = checked.as_ref().as_ref().unwrap();
    let operation = operation(document);
    let mut found = Vec::new();
    for field in operation.root_fields(document).filter(|field| !field.name.starts_with("__")) {
        let root = operation.is_mutation().then(|| field.name.to_string());
        add_calls(document, field, &field.name, &root, &request.variables, &mut found);
    }
    found
}

fn add_calls(
    document: &ExecutableDocument,
    field: &Field,
    path: &str,
    root: &Root,
    variables: &Value,
    found: &mut Vec<Call>,
) {
    let path = path.to_owned();
    let call = |argument, kind, value| Call { root: root.clone(), path: path.clone(), argument, kind, value };
    if field.arguments.is_empty() {
        found.push(call(None, field.ty().clone(), Value::Null));
    }
    for argument in &field.arguments {
        let kind = field.definition.argument_by_name(&argument.name).unwrap().ty.as_ref().clone();
        let value = match argument.value.as_variable() {
            Some(variable) => variables[variable.as_str()].clone(),
            None => Value::String(argument.value.to_string()),
        };
        found.push(call(Some(argument.name.to_string()), kind, value));
    }
    for below in fields(document, &field.selection_set)
        .into_iter()
        .filter(|it| !it.arguments.is_empty() || !it.selection_set.is_empty())
    {
        add_calls(document, below, &format!("{path}.{}", below.name), root, variables, found);
    }
}
