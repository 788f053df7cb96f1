//! What a grant lets its holder do, and where.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Access, Extent, Grant, PermissionInfo, Through};
use rolecall_model::{Level, Permission, Reach, Resources, RoleName, TargetReach, TeamName, composed};

/// Something that somebody may do, and the part of the organisation in which they may.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Ability {
    #[serde(flatten)]
    pub may: May,
    pub at: Part,
    /// True if it lets them give access to themselves or to others.
    pub privileged: bool,
}

/// Something that somebody may do. Where the platform doesn't tell what a role allows, it is the role itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "may", content = "name", rename_all = "kebab-case")]
pub enum May {
    Permission(Permission),
    Role(RoleName),
    /// Everything that an admin of the organisation may do in a team.
    Administrate,
    /// Everything that the members of a team may do. The role in the team isn't known.
    Belong,
}

impl fmt::Display for May {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Permission(permission) => permission.fmt(f),
            Self::Role(role) => role.fmt(f),
            Self::Administrate => f.pad("administrate"),
            Self::Belong => f.pad("belong"),
        }
    }
}

/// A part of an organisation: `organization` for what is about all of it, `team/Platform`, or a path of resources such
/// as `shop/production/services/users`. `*` stands for everything there, including what is created later.
///
/// The organisation has no names, so that no project can be mistaken for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part(Vec<String>);

/// The word for what is about the whole organisation.
const ORGANIZATION: &str = "organization";

/// The word for everything within a part.
const EVERYTHING: &str = "*";

impl Part {
    pub fn organization() -> Self {
        Self(Vec::new())
    }

    pub fn team(name: &TeamName) -> Self {
        Self::new(["team", name.as_str()])
    }

    /// Names are compared in one form of Unicode.
    fn new<const N: usize>(names: [&str; N]) -> Self {
        Self(names.map(|name| composed(name).into_owned()).to_vec())
    }

    /// Returns whether the one part is the other one, or within it, or contains it.
    pub fn touches(&self, other: &Self) -> bool {
        if self.0.is_empty() != other.0.is_empty() {
            return false;
        }
        let mut steps = self.0.iter().zip(&other.0);
        let differs = steps.find(|(one, other)| *one == EVERYTHING || *other == EVERYTHING || one != other);
        differs.is_none_or(|(one, other)| one == EVERYTHING || other == EVERYTHING)
    }

    /// Returns whether everything in the other part is in this one.
    pub fn covers(&self, other: &Self) -> bool {
        match self.0.split_last() {
            Some((last, start)) if last == EVERYTHING => other.0.len() > start.len() && other.0.starts_with(start),
            _ => self == other,
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { f.pad(ORGANIZATION) } else { f.pad(&self.0.join("/")) }
    }
}

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == ORGANIZATION {
            return Ok(Self::organization());
        }
        let names: Vec<&str> = match text.split_once('/') {
            // A team's name may contain a slash, and so may the name of a service.
            Some(("team", team)) => vec!["team", team],
            _ => text.splitn(4, '/').collect(),
        };
        if names.iter().any(|name| name.is_empty()) {
            return Err(
                "a path is PROJECT, PROJECT/TARGET, PROJECT/TARGET/services/NAME, team/NAME, or organization"
                    .to_owned(),
            );
        }
        Ok(Self(names.into_iter().map(|name| composed(name).into_owned()).collect()))
    }
}

impl Serialize for Part {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Part {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Part".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "A part of the organisation: `organization` for what is about all of it, `team/NAME`, or a path of resources. `*` stands for everything there.",
        })
    }
}

/// Returns the parts of the organisation in which a grant gives its permissions of a level. `None` if they can't be read.
pub(super) fn parts(grant: &Grant, level: Option<Level>) -> Option<BTreeSet<Part>> {
    if let Some(team) = &grant.team {
        return Some(BTreeSet::from([Part::team(team)]));
    }
    match (&grant.on, level) {
        (Extent::Whole, _) | (_, Some(Level::Organization)) => Some(BTreeSet::from([Part::organization()])),
        (Extent::Unreadable, _) => None,
        (Extent::Resources(resources), Some(level)) => Some(of_level(resources, level)),
        // A permission of an unknown level counts for everything that it could be about.
        (Extent::Resources(resources), None) => {
            let levels = [Level::Project, Level::Target, Level::Service, Level::AppDeployment];
            let parts = levels.iter().flat_map(|level| of_level(resources, *level));
            Some(parts.chain([Part::organization()]).collect())
        }
    }
}

fn of_level(resources: &Resources, level: Level) -> BTreeSet<Part> {
    let Reach::Only(projects) = resources else { return BTreeSet::from([Part::new([EVERYTHING])]) };
    let mut parts = BTreeSet::new();
    for (project, reach) in projects {
        let project = project.as_str();
        // A permission about projects applies even if only some targets of the project are selected.
        if level == Level::Project {
            parts.insert(Part::new([project]));
            continue;
        }
        let Reach::Only(targets) = &reach.targets else {
            parts.insert(Part::new([project, EVERYTHING]));
            continue;
        };
        for (target, TargetReach { id: _, services, app_deployments }) in targets {
            let target = target.as_str();
            let (kind, names) = match level {
                Level::Service => ("services", services),
                Level::AppDeployment => ("apps", app_deployments),
                Level::Organization | Level::Project | Level::Target => {
                    parts.insert(Part::new([project, target]));
                    continue;
                }
            };
            match names {
                Reach::All => {
                    parts.insert(Part::new([project, target, kind, EVERYTHING]));
                }
                Reach::Only(names) => {
                    parts.extend(names.iter().map(|name| Part::new([project, target, kind, name])));
                }
            }
        }
    }
    parts
}

/// Returns what a grant lets its holder do. Where it can't be read which permissions or which parts that are, it is the
/// role.
pub(super) fn of(access: &Access, grant: &Grant) -> Vec<Ability> {
    let Some(permissions) = grant.permissions.as_ref().filter(|_| grant.on != Extent::Unreadable) else {
        let at = grant.team.as_ref().map_or_else(Part::organization, Part::team);
        let may = match (&grant.role, grant.through) {
            (Some(role), _) => May::Role(role.clone()),
            (None, Through::Administration) => May::Administrate,
            (None, Through::Assigned | Through::Ownership | Through::Invitation) => May::Belong,
        };
        return vec![Ability { may, at, privileged: grant.privileged }];
    };
    let mut abilities = Vec::new();
    for permission in permissions {
        let info = access.permissions.get(permission).copied();
        let PermissionInfo { level, privileged } =
            info.unwrap_or(PermissionInfo { level: None, privileged: false });
        for at in parts(grant, level).into_iter().flatten() {
            abilities.push(Ability { may: May::Permission(permission.clone()), at, privileged });
        }
    }
    abilities
}
