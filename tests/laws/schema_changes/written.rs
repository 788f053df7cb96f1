//! Writes the text of what a provider uses of a schema: `used.txt` in its folder.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use apollo_compiler::ast::Type;
use apollo_compiler::executable::{Field, Operation};
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Name, Schema};
use rolecall_graphql::Request;
use serde_json::Value;

use super::usage::{Call, Parsed, calls, document, fields, is_named, operation};

/// A line's path. The flag is true for a mutation.
type Path = (bool, String);

#[derive(Default)]
struct Entry {
    kind: String,
    how: &'static str,
    /// The name of the object below, for the fields that no document asks for.
    object: Option<String>,
}

/// The text while it is written.
pub struct Text<'a> {
    schema: &'a Valid<Schema>,
    entries: BTreeMap<Path, Entry>,
    /// How often a field of an input was sent, and how often it was left out or null.
    sent: BTreeMap<Path, (usize, usize)>,
    /// The fields of inputs that rolecall can do without, as `Type.field`.
    optional: &'a [&'a str],
}

impl<'a> Text<'a> {
    pub fn of(schema: &'a Valid<Schema>, optional: &'a [&'a str]) -> Self {
        Self { schema, entries: BTreeMap::new(), sent: BTreeMap::new(), optional }
    }

    /// Counts the values that a request sends.
    pub fn observe(&mut self, parsed: &Parsed, request: &Request) {
        for Call { root, path, argument, kind, value } in calls(parsed, request) {
            if let Some(argument) = argument {
                self.count((root.is_some(), format!("{path}({argument})")), kind.inner_named_type(), &value);
            }
        }
    }

    fn count(&mut self, (mutation, path): Path, kind: &str, value: &Value) {
        match (value, self.schema.get_input_object(kind)) {
            (Value::Array(items), _) => {
                for item in items {
                    self.count((mutation, path.clone()), kind, item);
                }
            }
            (Value::Object(given), Some(input)) => {
                for (name, field) in &input.fields {
                    let below = (mutation, format!("{path}.{name}"));
                    let value = given.get(name.as_str());
                    let count = self.sent.entry(below.clone()).or_default();
                    count.0 += usize::from(value.is_some());
                    count.1 += usize::from(value.is_none_or(Value::is_null));
                    if let Some(value) = value {
                        self.count(below, field.ty.inner_named_type(), value);
                    }
                }
            }
            _ => {}
        }
    }

    /// Adds a document. One that isn't `required` has another one beside it that can do without its parts.
    pub fn add(&mut self, text: &str, required: bool) {
        let document = document(self.schema, text);
        let operation = operation(&document);
        for field in operation.root_fields(&document).filter(|field| !field.name.starts_with("__")) {
            let path = (operation.is_mutation(), field.name.to_string());
            self.field(&document, operation, field, path, if required { "" } else { "optional" });
        }
    }

    fn field(
        &mut self,
        document: &ExecutableDocument,
        operation: &Operation,
        field: &Field,
        (mutation, path): Path,
        how: &'static str,
    ) {
        for definition in &field.definition.arguments {
            let place = (mutation, format!("{path}({})", definition.name));
            match field.arguments.iter().find(|argument| argument.name == definition.name) {
                Some(argument) => {
                    let variable = argument.value.as_variable();
                    let declared = variable.map(|name| operation.variables.iter().find(|it| it.name == *name));
                    let sent = match declared.flatten() {
                        Some(variable) => variable.ty.as_ref().clone(),
                        // A literal isn't null.
                        None => definition.ty.as_ref().clone().non_null(),
                    };
                    self.entry(place.clone(), self.shown(&sent, true), how);
                    self.inputs(place, definition.ty.inner_named_type());
                }
                None => self.entry(place, self.shown(&definition.ty, false), "not sent"),
            }
        }
        let named = is_named(document, &field.selection_set);
        self.entry((mutation, path.clone()), self.shown(field.ty(), named), how);
        let below = fields(document, &field.selection_set);
        if !field.selection_set.selections.is_empty() {
            self.entries.get_mut(&(mutation, path.clone())).unwrap().object =
                Some(field.ty().inner_named_type().to_string());
        }
        for below in below {
            self.field(document, operation, below, (mutation, format!("{path}.{}", below.name)), how);
        }
    }

    fn inputs(&mut self, (mutation, path): Path, kind: &str) {
        let Some(input) = self.schema.get_input_object(kind) else { return };
        for (name, field) in &input.fields {
            let place = (mutation, format!("{path}.{name}"));
            let (sent, left_out) = self.sent.get(&place).copied().unwrap_or_default();
            let is_optional = self.optional.contains(&&*format!("{kind}.{name}"));
            let kind = field.ty.as_ref().clone();
            if sent == 0 {
                self.entry(place, self.shown(&kind, false), "not sent");
                continue;
            }
            let kind = if left_out == 0 { kind.non_null() } else { kind.nullable() };
            let how = if is_optional { "optional" } else { "" };
            self.entry(place.clone(), self.shown(&kind, false), how);
            self.inputs(place, field.ty.inner_named_type());
        }
    }

    fn entry(&mut self, place: Path, kind: String, how: &'static str) {
        let rank = |how: &str| ["", "optional", "not sent"].iter().position(|it| *it == how);
        let earlier = self.entries.get(&place);
        let how = earlier.map(|it| it.how).filter(|earlier| rank(earlier) < rank(how)).unwrap_or(how);
        // A document that names the type says more.
        let earlier = self.entries.entry(place).or_default();
        if earlier.kind.len() < kind.len() {
            earlier.kind = kind;
        }
        earlier.how = how;
    }

    /// Returns a type as the text has it.
    fn shown(&self, kind: &Type, named: bool) -> String {
        match kind {
            Type::Named(name) | Type::NonNullNamed(name) => {
                let mark = if kind.is_non_null() { "!" } else { "" };
                let shown = if named { name.as_str() } else { "" };
                match self.schema.types.get(name) {
                    Some(ExtendedType::Scalar(_)) => format!("{name}{mark}"),
                    Some(ExtendedType::Enum(known)) => {
                        let values: BTreeSet<&str> = known.values.keys().map(Name::as_str).collect();
                        format!("{shown}{{{}}}{mark}", values.into_iter().collect::<Vec<_>>().join("|"))
                    }
                    _ => format!("{shown}{{}}{mark}"),
                }
            }
            Type::List(inner) => format!("[{}]", self.shown(inner, named)),
            Type::NonNullList(inner) => format!("[{}]!", self.shown(inner, named)),
        }
    }

    /// Returns the text. `when` is the part by which rolecall recognises this generation of the schema.
    pub fn written(&self, when: Option<&str>) -> String {
        let mut lines = BTreeSet::new();
        let word = |mutation: bool| if mutation { "mutation" } else { "query" };
        for ((mutation, path), Entry { kind, how, .. }) in &self.entries {
            let how = if how.is_empty() { String::new() } else { format!(", {how}") };
            lines.insert((*mutation, path.clone(), format!("{kind}{how}")));
        }
        let objects = self.entries.iter().filter_map(|(path, it)| Some((path.clone(), it.object.clone()?)));
        let roots = [(false, "Query"), (true, "Mutation")].map(|(it, on)| ((it, String::new()), on.to_owned()));
        for ((mutation, path), object) in objects.chain(roots) {
            let prefix = if path.is_empty() { String::new() } else { format!("{path}.") };
            let is_used = |name: &str| self.entries.contains_key(&(mutation, format!("{prefix}{name}")));
            let Some(object) = self.schema.get_object(&object) else { continue };
            let others: BTreeSet<&str> =
                object.fields.keys().map(Name::as_str).filter(|name| !is_used(name)).collect();
            if !others.is_empty() {
                let others = others.into_iter().collect::<Vec<_>>().join(", ");
                lines.insert((mutation, format!("{prefix}*"), others));
            }
        }
        let mut text = String::from(
            "# The parts of the schema that rolecall uses. A test writes this file: BLESS=1 cargo test --test laws used\n",
        );
        if let Some(when) = when {
            let _ = writeln!(text, "when {when}");
        }
        for (mutation, path, rest) in lines {
            let _ = writeln!(text, "{} {path}: {rest}", word(mutation));
        }
        text
    }
}
