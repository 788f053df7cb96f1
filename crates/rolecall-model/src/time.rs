//! The [`Expiry`] of a key, compared to the second, and its [`Lifetime`].

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The seconds of a day.
const DAY: i64 = 24 * 60 * 60;

/// The days of which no or not every time is a [`Timestamp`], each with the day two days earlier.
const LAST_DAYS: [(&str, &str); 2] = [("9999-12-30", "9999-12-28"), ("9999-12-31", "9999-12-29")];

/// The time at which a key expires, to the second.
///
/// Bitpanda answers the creation of a key with `…:59Z` and lists the same key as `…:59.999Z` (vendor's sample
/// answers). A finer comparison would create a successor for every key in every run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Expiry(i64);

impl Expiry {
    /// Creates an expiry from an instant, without its fraction of a second.
    pub fn new(instant: Timestamp) -> Self {
        Self(instant.as_second())
    }

    /// Creates an expiry from seconds of Unix time.
    pub fn from_second(seconds: i64) -> Self {
        Self(seconds)
    }

    /// Returns the expiry in seconds of Unix time.
    pub fn as_second(self) -> i64 {
        self.0
    }

    /// Returns whether the key has expired at `now`.
    pub fn is_past(self, now: Timestamp) -> bool {
        self.0 <= now.as_second()
    }

    /// Returns the number of whole days from `now` to the expiry. It is negative if the key has expired.
    pub fn days_from(self, now: Timestamp) -> i64 {
        (self.0 - now.as_second()).div_euclid(DAY)
    }
}

/// Parses RFC 3339, such as `2027-04-30T20:59:59Z`.
impl FromStr for Expiry {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // The end of the year 9999 is the usual "never", and the type for instants ends a day before it.
        let earlier = LAST_DAYS.iter().find_map(|(day, earlier)| Some((earlier, text.strip_prefix(day)?)));
        match earlier {
            Some((earlier, time)) if time.ends_with('Z') => {
                format!("{earlier}{time}").parse().map(|instant: Timestamp| Self(instant.as_second() + 2 * DAY))
            }
            _ => text.parse().map(Self::new),
        }
    }
}

impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Timestamp::from_second(self.0) {
            Ok(instant) => f.pad(&instant.to_string()),
            // A time at the end of the year 9999, for which there is no instant.
            Err(_) => match Timestamp::from_second(self.0 - 2 * DAY) {
                Ok(instant) => {
                    let written = |text: String, (day, earlier): &(&str, &str)| text.replace(earlier, day);
                    f.pad(&LAST_DAYS.iter().fold(instant.to_string(), written))
                }
                Err(_) => write!(f, "@{}", self.0),
            },
        }
    }
}

impl Serialize for Expiry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Expiry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse()
            .map_err(|_| de::Error::custom("this is not a point in time; write it like `2027-04-30T20:59:59Z`"))
    }
}

impl JsonSchema for Expiry {
    fn schema_name() -> Cow<'static, str> {
        "Expiry".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
    }
}

/// The time from the creation of a key to its expiry, in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lifetime(i64);

impl Lifetime {
    /// Creates a lifetime, without the fraction of a second.
    pub fn new(duration: SignedDuration) -> Self {
        Self(duration.as_secs())
    }

    pub fn duration(self) -> SignedDuration {
        SignedDuration::from_secs(self.0)
    }

    /// Returns the expiry of a key that is created at this time.
    pub fn from(self, created: Timestamp) -> Expiry {
        Expiry::from_second(created.as_second().saturating_add(self.0))
    }
}

/// Parses a length of time such as `90d` or `36h`. Days have 24 hours. Returns `None` for anything else.
pub fn length_of_time(text: &str) -> Option<SignedDuration> {
    in_units(text, &[('d', DAY), ('h', 60 * 60)])
}

/// Parses a whole number of one of these units, each with its seconds.
fn in_units(text: &str, units: &[(char, i64)]) -> Option<SignedDuration> {
    let (number, seconds) =
        units.iter().find_map(|(unit, seconds)| Some((text.strip_suffix(*unit)?, *seconds)))?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let number: i64 = number.parse().ok().filter(|_| is_number)?;
    Some(SignedDuration::from_secs(number.checked_mul(seconds)?))
}

/// Writes the largest unit in which it is a whole number, such as `90d` or `36h`.
impl fmt::Display for Lifetime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(DAY, "d"), (60 * 60, "h"), (60, "m"), (1, "s")];
        let (seconds, unit) = units.into_iter().find(|(seconds, _)| self.0 % seconds == 0).unwrap_or((1, "s"));
        f.pad(&format!("{}{unit}", self.0 / seconds))
    }
}

impl Serialize for Lifetime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Lifetime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let units = [('d', DAY), ('h', 60 * 60), ('m', 60), ('s', 1)];
        let duration = in_units(&text, &units);
        let wrong = || de::Error::custom("this is not a length of time; write it like `90d`");
        duration.map(Self::new).ok_or_else(wrong)
    }
}

impl JsonSchema for Lifetime {
    fn schema_name() -> Cow<'static, str> {
        "Lifetime".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9]+[dhms]$" })
    }
}
