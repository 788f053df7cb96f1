//! The schema of a platform, as it answers to an introspection.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::used::{Path, Root, Shape};

/// The answer to an introspection. Some servers refuse it with null, and without an error.
#[derive(Debug, Deserialize)]
pub(super) struct Introspection {
    #[serde(rename = "__schema", deserialize_with = "Option::deserialize")]
    pub schema: Option<WireSchema>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireSchema {
    query_type: Named,
    mutation_type: Option<Named>,
    types: Vec<Type>,
}

#[derive(Debug, Deserialize)]
struct Named {
    name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Type {
    kind: String,
    name: Option<String>,
    fields: Option<Vec<Field>>,
    input_fields: Option<Vec<Input>>,
    enum_values: Option<Vec<Named>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Field {
    pub name: String,
    #[serde(default)]
    pub args: Vec<Input>,
    #[serde(rename = "type")]
    kind: Reference,
}

/// An argument, or a field of an input.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Input {
    pub name: String,
    pub default_value: Option<String>,
    #[serde(rename = "type")]
    kind: Reference,
}

/// A type where it is used, with the lists and the exclamation marks around it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reference {
    kind: String,
    name: Option<String>,
    of_type: Option<Box<Reference>>,
}

impl Reference {
    fn shape(&self) -> Shape<&str> {
        match (&*self.kind, &self.of_type) {
            ("NON_NULL", Some(inner)) => inner.shape().required(),
            ("LIST", Some(inner)) => Shape::List(Box::new(inner.shape()), false),
            // The document asks for three wrappers at most. What is inside of a fourth isn't known.
            _ => Shape::Named(self.name.as_deref().unwrap_or("?"), false),
        }
    }
}

impl Input {
    pub fn shape(&self) -> Shape<&str> {
        self.kind.shape()
    }

    /// Returns whether a request that leaves it out is refused.
    pub fn is_required(&self) -> bool {
        self.shape().is_required() && self.default_value.is_none()
    }
}

impl Field {
    pub fn shape(&self) -> Shape<&str> {
        self.kind.shape()
    }
}

impl Type {
    pub fn is_object(&self) -> bool {
        matches!(&*self.kind, "OBJECT" | "INTERFACE" | "UNION" | "INPUT_OBJECT")
    }

    pub fn is_enum(&self) -> bool {
        self.kind == "ENUM"
    }

    pub fn values(&self) -> impl Iterator<Item = &str> {
        self.enum_values.iter().flatten().map(|value| &*value.name)
    }

    pub fn fields(&self) -> &[Field] {
        self.fields.as_deref().unwrap_or_default()
    }

    pub fn inputs(&self) -> &[Input] {
        self.input_fields.as_deref().unwrap_or_default()
    }
}

/// A schema whose types are found by their names.
pub(super) struct Schema {
    roots: [Option<String>; 2],
    types: BTreeMap<String, Type>,
}

/// A part of a schema, with its name there, such as `Organization.members(first)`.
pub(super) struct Part<'a> {
    pub name: String,
    pub found: Found<'a>,
}

#[derive(Clone, Copy)]
pub(super) enum Found<'a> {
    Field(&'a Field),
    Input(&'a Input),
}

impl<'a> Found<'a> {
    pub fn shape(self) -> Shape<&'a str> {
        match self {
            Self::Field(field) => field.shape(),
            Self::Input(input) => input.shape(),
        }
    }
}

/// The result of a search.
pub(super) enum Search<'a> {
    Found(Part<'a>),
    /// The part around it exists, and this one doesn't. Holds the name that it would have.
    Gone(String),
    /// The part around it is gone or has no parts, so this one says nothing new.
    Elsewhere,
}

impl Schema {
    pub fn of(wire: WireSchema) -> Self {
        let named = |kind: Type| Some((kind.name.clone()?, kind));
        let roots = [Some(wire.query_type.name), wire.mutation_type.map(|named| named.name)];
        Self { roots, types: wire.types.into_iter().filter_map(named).collect() }
    }

    pub fn named(&self, name: &str) -> Option<&Type> {
        self.types.get(name)
    }

    fn root(&self, root: Root) -> Option<&str> {
        self.roots[root as usize].as_deref()
    }

    /// Returns the name of the type that has the parts below a path.
    pub fn parent(&self, root: Root, path: &Path<'_>) -> Option<&str> {
        if path.is_root() {
            return self.root(root);
        }
        match self.find(root, path) {
            Search::Found(part) => Some(part.found.shape().name()),
            Search::Gone(_) | Search::Elsewhere => None,
        }
    }

    /// Follows a path from the root.
    pub fn find(&self, root: Root, path: &Path<'_>) -> Search<'_> {
        let Some((around, step)) = path.split_last() else { return Search::Elsewhere };
        if step.is_argument {
            return match self.find(root, &around) {
                Search::Found(Part { name, found: Found::Field(field) }) => {
                    let name = format!("{name}({})", step.name);
                    match field.args.iter().find(|argument| argument.name == step.name) {
                        Some(argument) => Search::Found(Part { name, found: Found::Input(argument) }),
                        None => Search::Gone(name),
                    }
                }
                Search::Found(_) | Search::Gone(_) | Search::Elsewhere => Search::Elsewhere,
            };
        }
        let Some(kind) = self.parent(root, &around) else {
            return if around.is_root() { Search::Gone(path.to_string()) } else { Search::Elsewhere };
        };
        let name = format!("{kind}.{}", step.name);
        match self.named(kind) {
            Some(kind) if kind.is_object() => {
                let field = kind.fields().iter().find(|field| field.name == step.name).map(Found::Field);
                let input = || kind.inputs().iter().find(|input| input.name == step.name).map(Found::Input);
                match field.or_else(input) {
                    Some(found) => Search::Found(Part { name, found }),
                    None => Search::Gone(name),
                }
            }
            Some(_) | None => Search::Elsewhere,
        }
    }
}
