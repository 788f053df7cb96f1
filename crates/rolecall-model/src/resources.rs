//! The parts of an organisation to which the access of a user or a key applies: projects, targets, services and
//! app deployments.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{RemoteId, Slug};

/// Everything, including what is created later, or only some named parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach<T> {
    All,
    Only(T),
}

/// The resources of a user or a key, by the slugs of projects.
pub type Resources = Reach<BTreeMap<Slug, ProjectReach>>;

/// The selected targets of a project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProjectReach {
    pub id: RemoteId,
    /// The targets, by their slugs.
    pub targets: Reach<BTreeMap<Slug, TargetReach>>,
}

/// The selected services and app deployments of a target. They are selected by name and don't have to exist yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TargetReach {
    pub id: RemoteId,
    pub services: Reach<BTreeSet<String>>,
    pub app_deployments: Reach<BTreeSet<String>>,
}

/// A selection that can be compared with another one and joined to it.
pub trait Extent {
    /// Returns whether `self` contains everything in `other`.
    fn covers(&self, other: &Self) -> bool;
    /// Adds everything in `other` to `self`.
    fn join(&mut self, other: Self);
}

impl<T: Extent> Extent for Reach<T> {
    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, _) => true,
            (Self::Only(_), Self::All) => false,
            (Self::Only(one), Self::Only(other)) => one.covers(other),
        }
    }

    fn join(&mut self, other: Self) {
        match (&mut *self, other) {
            (Self::All, _) => {}
            (Self::Only(_), Self::All) => *self = Self::All,
            (Self::Only(one), Self::Only(other)) => one.join(other),
        }
    }
}

impl Extent for BTreeSet<String> {
    fn covers(&self, other: &Self) -> bool {
        other.is_subset(self)
    }

    fn join(&mut self, other: Self) {
        self.extend(other);
    }
}

impl<V: Extent> Extent for BTreeMap<Slug, V> {
    fn covers(&self, other: &Self) -> bool {
        other.iter().all(|(slug, theirs)| self.get(slug).is_some_and(|ours| ours.covers(theirs)))
    }

    fn join(&mut self, other: Self) {
        for (slug, theirs) in other {
            match self.get_mut(&slug) {
                Some(ours) => ours.join(theirs),
                None => {
                    self.insert(slug, theirs);
                }
            }
        }
    }
}

impl Extent for ProjectReach {
    fn covers(&self, other: &Self) -> bool {
        self.id == other.id && self.targets.covers(&other.targets)
    }

    fn join(&mut self, other: Self) {
        self.targets.join(other.targets);
    }
}

impl Extent for TargetReach {
    fn covers(&self, other: &Self) -> bool {
        self.id == other.id
            && self.services.covers(&other.services)
            && self.app_deployments.covers(&other.app_deployments)
    }

    fn join(&mut self, other: Self) {
        self.services.join(other.services);
        self.app_deployments.join(other.app_deployments);
    }
}

impl Reach<BTreeMap<Slug, ProjectReach>> {
    /// Returns a selection that contains nothing.
    pub fn none() -> Self {
        Self::Only(BTreeMap::new())
    }

    /// Returns whether `self` contains everything in `other`.
    pub fn covers(&self, other: &Self) -> bool {
        Extent::covers(self, other)
    }

    /// Lists the selection as paths, such as `shop/production/services/users`. `*` stands for everything,
    /// including what is created later.
    pub fn paths(&self) -> BTreeSet<String> {
        let Self::Only(projects) = self else { return BTreeSet::from(["everything".to_owned()]) };
        let mut paths = BTreeSet::new();
        for (project, reach) in projects {
            let Reach::Only(targets) = &reach.targets else {
                paths.insert(format!("{project}/*"));
                continue;
            };
            if targets.is_empty() {
                paths.insert(project.to_string());
            }
            for (target, reach) in targets {
                paths.extend(target_paths(&format!("{project}/{target}"), reach));
            }
        }
        paths
    }
}

impl<V: Extent> Reach<BTreeMap<Slug, V>> {
    /// Adds a part. If there is one with this slug already, both are joined.
    pub fn add(&mut self, slug: Slug, part: V) {
        self.join(Self::Only(BTreeMap::from([(slug, part)])));
    }
}

fn target_paths(target: &str, reach: &TargetReach) -> BTreeSet<String> {
    let TargetReach { id: _, services, app_deployments } = reach;
    if (services, app_deployments) == (&Reach::All, &Reach::All) {
        return BTreeSet::from([format!("{target}/*")]);
    }
    let mut paths = BTreeSet::new();
    for (kind, reach) in [("services", services), ("apps", app_deployments)] {
        match reach {
            Reach::All => {
                paths.insert(format!("{target}/{kind}/*"));
            }
            Reach::Only(names) => {
                // The server takes a service called `*` for every service.
                let quoted =
                    |name: &String| if name == "*" { "\"*\" (everything)".to_owned() } else { name.clone() };
                paths.extend(names.iter().map(|name| format!("{target}/{kind}/{}", quoted(name))));
            }
        }
    }
    if paths.is_empty() { BTreeSet::from([target.to_owned()]) } else { paths }
}

/// The text that stands for everything.
const ALL: &str = "all";

impl<T: Serialize> Serialize for Reach<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::All => serializer.serialize_str(ALL),
            Self::Only(what) => what.serialize(serializer),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Reach<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        enum Word {
            #[serde(rename = "all")]
            All,
        }
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either<T> {
            All(Word),
            Only(T),
        }
        Ok(match Either::deserialize(deserializer)? {
            Either::All(Word::All) => Self::All,
            Either::Only(what) => Self::Only(what),
        })
    }
}

impl<T: JsonSchema> JsonSchema for Reach<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("Reach_of_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let only = generator.subschema_for::<T>();
        json_schema!({
            "description": "Everything (`all`), or only the named parts.",
            "anyOf": [{ "const": ALL }, only],
        })
    }
}
