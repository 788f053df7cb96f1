//! What somebody may do, and where: the words in which access is compared.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Permission, RoleName, TeamName, composed};

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

/// The name that stands for everything within a part.
pub const EVERYTHING: &str = "*";

impl Part {
    pub fn organization() -> Self {
        Self(Vec::new())
    }

    pub fn team(name: &TeamName) -> Self {
        Self::of(["team", name.as_str()])
    }

    /// Returns the part with this path. Names are compared in one form of Unicode.
    pub fn of<const N: usize>(names: [&str; N]) -> Self {
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
    fn schema_name() -> Cow<'static, str> {
        "Part".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A part of the organisation: `organization` for what is about all of it, `team/NAME`, or a path of resources. `*` stands for everything there.",
        })
    }
}

/// The abilities that somebody has after changes and not before, and the other way round. Privileged abilities come first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccessChange {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gains: Vec<Limited>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub loses: Vec<Limited>,
}

/// An ability that changes, with the parts in which it doesn't.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Limited {
    #[serde(flatten)]
    pub ability: Ability,
    /// The parts of it that stay as they are.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub except: BTreeSet<Part>,
}

#[cfg(test)]
mod tests {
    use super::{Part, TeamName};

    fn part(text: &str) -> Option<Part> {
        text.parse().ok()
    }

    fn relation(one: &str, other: &str) -> Option<(bool, bool)> {
        let (one, other) = (part(one)?, part(other)?);
        Some((one.touches(&other), one.covers(&other)))
    }

    #[test]
    fn a_part_touches_what_it_is_in_and_what_is_in_it() {
        let cases = [
            // one, other, touches, covers
            ("shop", "shop", true, true),
            ("shop", "shop/production", true, false),
            ("shop/*", "shop/production/services/users", true, true),
            ("shop/*", "shop", true, false),
            ("shop/production", "shop/*", true, false),
            ("*", "shop", true, true),
            ("*", "organization", false, false),
            ("organization", "organization", true, true),
            ("organization", "shop", false, false),
            ("shop/production/services/users", "shop/production/services/cart", false, false),
            ("shop/production/services/*", "shop/production/apps/web", false, false),
        ];
        for (one, other, touches, covers) in cases {
            assert_eq!(relation(one, other), Some((touches, covers)), "{one} {other}");
        }
    }

    #[test]
    fn a_name_with_a_slash_is_one_name() {
        assert_eq!(part("team/A / B"), Some(Part::team(&TeamName::seen("A / B"))));
        let service = Part::of(["shop", "production", "services", "a/b"]);
        assert_eq!(part(&service.to_string()), Some(service));
        assert_eq!(part("shop//services"), None);
    }
}
