//! The field `teams` of a user: team names with roles, or only team names.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

use rolecall_config::parts::{Checker, Field, NameText};
use rolecall_model::{Code, Finding, Placed, RoleName, TeamName};

/// The teams of a user: a mapping of team names to roles, or a list of team names.
#[derive(Clone, Debug)]
pub(super) struct RawTeams(Vec<(Field<NameText>, Option<Field<NameText>>)>);

impl<'de> Deserialize<'de> for RawTeams {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TeamsVisitor;

        impl<'de> Visitor<'de> for TeamsVisitor {
            type Value = RawTeams;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping of teams to roles, or a list of teams")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<RawTeams, A::Error> {
                let mut teams = Vec::new();
                while let Some(name) = list.next_element()? {
                    teams.push((name, None));
                }
                Ok(RawTeams(teams))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawTeams, A::Error> {
                let mut teams = Vec::new();
                while let Some((name, role)) = map.next_entry()? {
                    teams.push((name, Some(role)));
                }
                Ok(RawTeams(teams))
            }
        }

        deserializer.deserialize_any(TeamsVisitor)
    }
}

impl JsonSchema for RawTeams {
    fn schema_name() -> Cow<'static, str> {
        "RapidapiTeams".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let name = generator.subschema_for::<NameText>();
        json_schema!({
            "description": "This is a mapping of team names to roles, or a list of team names. A role is given by its name or its key. With a list, the user's roles in the teams aren't changed.",
            "anyOf": [
                { "type": "object", "propertyNames": name, "additionalProperties": name },
                { "type": "array", "items": name, "uniqueItems": true },
            ],
        })
    }
}

/// Checks the exact set of a user's teams. Returns `None` if one of them is wrong: an incomplete set would take a
/// team away.
pub(super) fn check_user_teams(
    field: Field<RawTeams>,
    check: &mut Checker<'_>,
) -> Option<BTreeMap<TeamName, Placed<Option<Placed<RoleName>>>>> {
    let RawTeams(entries) = field.value?;
    let mut teams = BTreeMap::new();
    let mut complete = true;
    for (name, role) in entries {
        let mark = name.mark;
        let role = match role {
            Some(role) => {
                let mark = role.mark;
                check.name::<RoleName>(role).map(|role| Some(check.placed(mark, role)))
            }
            None => Some(None),
        };
        let (Some(name), Some(role)) = (check.name::<TeamName>(name), role) else {
            complete = false;
            continue;
        };
        if teams.insert(name.clone(), check.placed(mark, role)).is_some() {
            let place = check.place(mark);
            let message = format!("The team `{name}` is listed twice.");
            check.push(Finding::error(Code::DuplicateTeam, place, message).hint("Keep one of them."));
            complete = false;
        }
    }
    complete.then_some(teams)
}
