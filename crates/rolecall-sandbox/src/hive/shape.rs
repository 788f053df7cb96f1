//! The schema of a release, to validate requests and to complete answers.

use std::collections::{BTreeMap, BTreeSet};

use async_graphql::Context;
use async_graphql::Positioned;
use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{BaseType, InputValueDefinition, Type, TypeKind, TypeSystemDefinition};

use super::world::Release;

/// The fields that a release doesn't have. Each has to be one line of SDL, so none of them may have a doc comment.
const HIDDEN: &[(Release, &str, &str)] = &[
    (Release::V8_1_2, "Mutation", "deleteAccessToken"),
    (Release::V8_1_2, "InviteToOrganizationByEmailInput", "resources"),
    (Release::Newest, "User", "provider"),
];

pub fn only_newest(context: &Context<'_>) -> bool {
    context.data::<Release>().is_ok_and(|release| *release == Release::Newest)
}

pub fn only_8_1_2(context: &Context<'_>) -> bool {
    context.data::<Release>().is_ok_and(|release| *release == Release::V8_1_2)
}

/// Returns the SDL of a release, from the SDL of all releases.
pub fn sdl_of(release: Release, sdl: &str) -> String {
    let mut shown = String::new();
    let mut declaring_type = "";
    for line in sdl.lines() {
        if let Some(declared) = line.strip_prefix("type ").or_else(|| line.strip_prefix("input ")) {
            declaring_type = declared.split(' ').next().unwrap_or_default();
        }
        let name = line.trim_start().split([':', '(']).next().unwrap_or_default();
        let hidden = line.starts_with([' ', '\t']) && HIDDEN.contains(&(release, declaring_type, name));
        if !hidden {
            shown.push_str(line);
            shown.push('\n');
        }
    }
    shown
}

/// The types of a release by name. A type in none of these maps is a scalar.
#[derive(Default)]
pub struct Shape {
    pub objects: BTreeMap<String, BTreeMap<String, Field>>,
    pub inputs: BTreeMap<String, Input>,
    pub enums: BTreeMap<String, BTreeSet<String>>,
}

pub struct Field {
    pub kind: Type,
    pub arguments: BTreeMap<String, Type>,
}

pub struct Input {
    pub fields: BTreeMap<String, Type>,
    pub one_of: bool,
}

impl Shape {
    pub fn of(release: Release, sdl: &str) -> Self {
        let mut shape = Self::default();
        let definitions = parse_schema(sdl_of(release, sdl)).map(|parsed| parsed.definitions).unwrap_or_default();
        for definition in definitions {
            let TypeSystemDefinition::Type(definition) = definition else { continue };
            let (name, directives) = (definition.node.name.node.to_string(), definition.node.directives);
            match definition.node.kind {
                TypeKind::Object(object) => {
                    let fields = object.fields.into_iter().map(|field| {
                        let arguments = typed(field.node.arguments);
                        (field.node.name.node.to_string(), Field { kind: field.node.ty.node, arguments })
                    });
                    shape.objects.insert(name, fields.collect());
                }
                TypeKind::InputObject(input) => {
                    let one_of = directives.iter().any(|directive| directive.node.name.node == "oneOf");
                    shape.inputs.insert(name, Input { fields: typed(input.fields), one_of });
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
