//! Access that ends at a time that a file says: [`Until`] and [`Ending`].

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Address, Memberships, RoleName, TeamName};

/// The instant from which access no longer applies. A date stands for the end of that day in UTC.
///
/// For example, `2026-12-31` ends when the year 2027 begins in UTC, whatever the time zone of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Until(Timestamp);

impl Until {
    /// Returns whether the access has ended at `now`.
    pub fn is_past(self, now: Timestamp) -> bool {
        self.0 <= now
    }

    pub fn instant(self) -> Timestamp {
        self.0
    }

    /// Returns the last day of the access, if it ends at the end of a day in UTC.
    fn last_day(self) -> Option<Date> {
        let at = TimeZone::UTC.to_datetime(self.0);
        (at.time() == jiff::civil::Time::midnight()).then(|| at.date().yesterday().ok()).flatten()
    }
}

/// Rounds up to the second, as people read and write times.
impl From<Timestamp> for Until {
    fn from(at: Timestamp) -> Self {
        let seconds = at.as_second() + i64::from(at.subsec_nanosecond() > 0);
        Self(Timestamp::from_second(seconds).unwrap_or(at))
    }
}

/// Parses a date or an instant, such as `2026-12-31` or `2026-12-31T18:00:00Z`.
impl FromStr for Until {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() == "2026-12-31".len() {
            let date: Date = text.parse()?;
            let end = date.checked_add(1.day())?;
            return Ok(Self(TimeZone::UTC.to_timestamp(end.at(0, 0, 0, 0))?));
        }
        text.parse().map(Self)
    }
}

impl fmt::Display for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.last_day() {
            Some(day) => f.pad(&day.to_string()),
            None => f.pad(&self.0.to_string()),
        }
    }
}

impl Serialize for Until {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Until {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|_| de::Error::custom("this is neither a date nor a point in time"))
    }
}

impl JsonSchema for Until {
    fn schema_name() -> Cow<'static, str> {
        "Until".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "This is the last day of the access in UTC, such as `2026-12-31`, or the instant at which it ends.",
            "type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}(T.*Z)?$",
        })
    }
}

/// Access that a file gives until a certain time, which may have passed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Ending {
    pub until: Until,
    pub address: Address,
    pub what: EndingAccess,
    /// The place of the date, as file:line:column.
    pub place: String,
}

/// An [`Ending`], as a plan shows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct NearEnding {
    #[serde(flatten)]
    pub ending: Ending,
    /// The number of whole days from the plan to the end. It is negative if the access has ended.
    pub days: i64,
}

/// The access that ends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum EndingAccess {
    /// All access that the file gives.
    All,
    /// The entry of the file for this person, with these roles. What groups give them applies again.
    Entry {
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        roles: BTreeSet<RoleName>,
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        teams: Memberships,
    },
    /// One role.
    Role { role: RoleName },
    /// The membership in one team, with the role that the file gives there.
    Team {
        team: TeamName,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role: Option<RoleName>,
    },
    /// The time until the successor of a key is due, by its age or by its expiry.
    Age,
    /// The time for which a key works beside its successor.
    Overlap,
    /// Roles that somebody got by hand and that a file tolerates.
    Tolerated { roles: BTreeSet<RoleName> },
    /// The membership in a group, with these roles.
    Group {
        group: String,
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        roles: BTreeSet<RoleName>,
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        teams: Memberships,
    },
}

impl fmt::Display for EndingAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all access"),
            Self::Age => f.write_str("the time without a successor"),
            Self::Overlap => f.write_str("the overlap with its successor"),
            Self::Entry { .. } => f.write_str("the entry"),
            Self::Role { role } => write!(f, "the role {role}"),
            Self::Team { team, .. } => write!(f, "the team {team}"),
            Self::Tolerated { roles } => {
                let roles: Vec<&str> = roles.iter().map(RoleName::as_str).collect();
                write!(f, "what is tolerated ({})", roles.join(", "))
            }
            Self::Group { group, .. } => write!(f, "what the group {group} gives"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_ends_with_its_day_in_utc() {
        let until: Option<Until> = "2026-12-31".parse().ok();
        let at = |text: &str| text.parse::<Timestamp>().ok();
        let is_past = |text: &str| Some(until?.is_past(at(text)?));
        assert_eq!(is_past("2026-12-31T23:59:59Z"), Some(false));
        assert_eq!(is_past("2027-01-01T00:00:00Z"), Some(true));
        assert_eq!(is_past("2027-01-01T00:59:59+01:00"), Some(false));
        assert_eq!(until.map(|until| until.to_string()).as_deref(), Some("2026-12-31"));
    }

    #[test]
    fn a_computed_end_has_whole_seconds() {
        let at = |text: &str| text.parse::<Timestamp>().ok().map(|at| Until::from(at).to_string());
        assert_eq!(at("2026-12-02T20:31:07.163Z").as_deref(), Some("2026-12-02T20:31:08Z"));
        assert_eq!(at("2026-12-02T20:31:07Z").as_deref(), Some("2026-12-02T20:31:07Z"));
    }

    #[test]
    fn an_instant_ends_at_its_second() {
        let until: Option<Until> = "2026-12-31T18:00:00+02:00".parse().ok();
        assert_eq!(until.map(|until| until.to_string()).as_deref(), Some("2026-12-31T16:00:00Z"));
        let at = "2026-12-31T15:59:59Z".parse::<Timestamp>().ok();
        assert_eq!(until.zip(at).map(|(until, at)| until.is_past(at)), Some(false));
    }
}
