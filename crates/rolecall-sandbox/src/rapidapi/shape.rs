//! The types of a generation's schema, to validate requests.

use std::collections::{BTreeMap, BTreeSet};

use async_graphql::Positioned;
use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{BaseType, InputValueDefinition, Type, TypeKind, TypeSystemDefinition};

/// The types by name. A type in none of these maps is a scalar.
#[derive(Default)]
pub struct Shape {
    pub objects: BTreeMap<String, BTreeMap<String, Field>>,
    pub inputs: BTreeMap<String, BTreeMap<String, Type>>,
    pub enums: BTreeMap<String, BTreeSet<String>>,
}

pub struct Field {
    pub kind: Type,
    pub arguments: BTreeMap<String, Type>,
}

impl Shape {
    pub fn of(sdl: &str) -> Self {
        let mut shape = Self::default();
        let definitions = parse_schema(sdl).map(|parsed| parsed.definitions).unwrap_or_default();
        for definition in definitions {
            let TypeSystemDefinition::Type(definition) = definition else { continue };
            let name = definition.node.name.node.to_string();
            match definition.node.kind {
                TypeKind::Object(object) => {
                    let fields = object.fields.into_iter().map(|field| {
                        let arguments = typed(field.node.arguments);
                        (field.node.name.node.to_string(), Field { kind: field.node.ty.node, arguments })
                    });
                    shape.objects.insert(name, fields.collect());
                }
                TypeKind::InputObject(input) => {
                    shape.inputs.insert(name, typed(input.fields));
                }
                TypeKind::Enum(kind) => {
                    let values = kind.values.into_iter().map(|value| value.node.value.node.to_string());
                    shape.enums.insert(name, values.collect());
                }
                TypeKind::Scalar | TypeKind::Interface(_) | TypeKind::Union(_) => {}
            }
        }
        shape
    }
}

fn typed(values: Vec<Positioned<InputValueDefinition>>) -> BTreeMap<String, Type> {
    values.into_iter().map(|value| (value.node.name.node.to_string(), value.node.ty.node)).collect()
}

/// Returns the name of a type without its lists.
pub fn innermost(kind: &Type) -> &str {
    match &kind.base {
        BaseType::Named(name) => name,
        BaseType::List(inner) => innermost(inner),
    }
}
