//! The fields `resources` and `permissions`: `all`, or a tree of slugs and names; and their checks.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use rolecall_config::parts::{Checker, Field, NameText, WORD_OR};
use rolecall_config::{Mark, schema_type};
use rolecall_model::{
    Code, DesiredProject, DesiredResources, DesiredTarget, Finding, Permission, Place, Reach, Slug, quote,
};

/// The word `all`, or a selection.
#[derive(Clone, Debug)]
pub enum RawReach<T> {
    All,
    Only(T),
}

/// A mapping whose keys are names.
#[derive(Clone, Debug)]
pub struct RawMap<T>(Vec<(Field<NameText>, Field<T>)>);

/// The field `resources`: projects by slug, each with targets by slug.
pub type RawResources = RawReach<RawMap<RawReach<RawMap<RawReach<RawTarget>>>>>;

/// This mapping selects services and app deployments of one target. An absent list selects none.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename = "TargetResources", deny_unknown_fields)]
pub struct RawTarget {
    /// This is `all`, or a list of service names. The services don't have to exist yet. A project with a single
    /// schema accepts only `all`. If it is absent, no service is selected.
    services: Option<Field<RawReach<Vec<Field<NameText>>>>>,
    /// This is `all`, or a list of names of app deployments. If it is absent, no app deployment is selected.
    #[schemars(with = "Option<RawReach<Vec<AppDeploymentText>>>")]
    app_deployments: Option<Field<RawReach<Vec<Field<NameText>>>>>,
}

const ALL: &str = "all";

impl<'de, T: Deserialize<'de>> Deserialize<'de> for RawReach<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ReachVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for ReachVisitor<T> {
            type Value = RawReach<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`all`, or a selection")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<RawReach<T>, E> {
                if text == ALL {
                    return Ok(RawReach::All);
                }
                Err(E::custom(format!("Expected `all` or a selection, found {}.", quote(text))))
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(self, named: D) -> Result<RawReach<T>, D::Error> {
                T::deserialize(named).map(RawReach::Only)
            }
        }

        deserializer.deserialize_newtype_struct(WORD_OR, ReachVisitor(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for RawReach<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("AllOr{}", T::schema_name()).into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let only = generator.subschema_for::<T>();
        json_schema!({ "anyOf": [{ "const": "all" }, only] })
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for RawMap<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MapVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for MapVisitor<T> {
            type Value = RawMap<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping of names")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawMap<T>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(RawMap(entries))
            }
        }

        deserializer.deserialize_map(MapVisitor(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for RawMap<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("MapOf{}", T::schema_name()).into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (name, value) = (generator.subschema_for::<NameText>(), generator.subschema_for::<T>());
        json_schema!({ "type": "object", "propertyNames": name, "additionalProperties": value })
    }
}

/// Checks the tree of resources. Returns `None` if a part of it is wrong: an incomplete tree would take access
/// away.
pub(super) fn resources_of(field: Field<RawResources>, check: &mut Checker<'_>) -> Option<DesiredResources> {
    let RawReach::Only(RawMap(entries)) = field.value? else { return Some(Reach::All) };
    let mut projects = BTreeMap::new();
    let mut complete = true;
    for (slug, value) in entries {
        let (mark, place) = (slug.mark, check.place(slug.mark));
        let slug: Option<Slug> = check.name(slug).filter(|slug: &Slug| is_one(check, slug.as_str(), mark));
        let targets = value.value.and_then(|raw| targets(check, raw));
        match (slug, targets) {
            (Some(slug), Some(targets)) => {
                projects.insert(slug, DesiredProject { place, targets });
            }
            _ => complete = false,
        }
    }
    complete.then_some(Reach::Only(projects))
}

fn targets(
    check: &mut Checker<'_>,
    raw: RawReach<RawMap<RawReach<RawTarget>>>,
) -> Option<Reach<BTreeMap<Slug, DesiredTarget>>> {
    let RawReach::Only(RawMap(entries)) = raw else { return Some(Reach::All) };
    let mut targets = BTreeMap::new();
    let mut complete = true;
    for (slug, value) in entries {
        let (mark, place) = (slug.mark, check.place(slug.mark));
        let slug: Option<Slug> = check.name(slug).filter(|slug: &Slug| is_one(check, slug.as_str(), mark));
        let target = value.value.and_then(|raw| target(check, place, raw));
        match (slug, target) {
            (Some(slug), Some(target)) => {
                targets.insert(slug, target);
            }
            _ => complete = false,
        }
    }
    complete.then_some(Reach::Only(targets))
}

fn target(check: &mut Checker<'_>, place: Place, raw: RawReach<RawTarget>) -> Option<DesiredTarget> {
    let (services, app_deployments) = match raw {
        RawReach::All => (Some(Reach::All), Some(Reach::All)),
        RawReach::Only(RawTarget { services, app_deployments }) => {
            let services = names(check, services, |check, name, at| is_one(check, name, at.mark));
            (services, names(check, app_deployments, app_deployment))
        }
    };
    Some(DesiredTarget { place, services: services?, app_deployments: app_deployments? })
}

fn names(
    check: &mut Checker<'_>,
    field: Option<Field<RawReach<Vec<Field<NameText>>>>>,
    is_valid: impl Fn(&mut Checker<'_>, &str, &Field<()>) -> bool,
) -> Option<Reach<BTreeSet<String>>> {
    let Some(field) = field else { return Some(Reach::Only(BTreeSet::new())) };
    let RawReach::Only(items) = field.value? else { return Some(Reach::All) };
    let mut names = BTreeSet::new();
    let mut complete = true;
    for item in items {
        let at = Field { mark: item.mark, value: None };
        match check.name::<Slug>(item).filter(|name| is_valid(check, name.as_str(), &at)) {
            Some(name) => {
                names.insert(name.as_str().to_owned());
            }
            None => complete = false,
        }
    }
    complete.then_some(Reach::Only(names))
}

/// Checks that a name means one thing. The server takes `*` for all of them, those to come included.
fn is_one(check: &mut Checker<'_>, name: &str, mark: Mark) -> bool {
    let is_one = name != "*";
    if !is_one {
        let message = "The platform takes the name `*` for everything of its kind.".to_owned();
        check.invalid(mark, message, "Write `all` in place of the list or of the mapping.");
    }
    is_one
}

/// Checks the name of an app deployment. The server silently drops names that aren't valid.
fn app_deployment(check: &mut Checker<'_>, name: &str, at: &Field<()>) -> bool {
    let fits = (1..=64).contains(&name.len())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    if !fits {
        let message = format!("{} is not the name of an app deployment.", quote(name));
        let place = check.place(at.mark);
        check.push(
            Finding::error(Code::InvalidValue, place, message)
                .hint("Use at most 64 letters, digits, `_` and `-`. The platform silently drops other names."),
        );
    }
    fits
}

/// Checks the exact set of permissions, each with its place. Returns `None` if one of them is wrong.
pub(super) fn permissions_of(
    field: Field<Vec<Field<NameText>>>,
    check: &mut Checker<'_>,
) -> Option<BTreeMap<Permission, Place>> {
    let mut permissions = BTreeMap::new();
    let mut complete = true;
    for item in field.value? {
        let place = check.place(item.mark);
        match check.name(item) {
            Some(permission) => {
                permissions.insert(permission, place);
            }
            None => complete = false,
        }
    }
    complete.then_some(permissions)
}

schema_type! {
    /// The name of a Hive app deployment. The form follows the rules of the Hive server.
    AppDeploymentText: {
        "description": "This is the name of a Hive app deployment. It consists of letters, digits, `_` and `-`.",
        "type": "string", "pattern": "^[a-zA-Z0-9_-]{1,64}$",
    }
}
