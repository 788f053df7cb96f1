//! The [`Expiry`] of a key, compared to the second.

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The seconds of a day.
const DAY: i64 = 24 * 60 * 60;

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

    /// Parses RFC 3339, such as `2027-04-30T20:59:59Z`. Returns `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(instant) = text.parse::<Timestamp>() {
            return Some(Self::new(instant));
        }
        // The last day of the year 9999 is the usual "never", and the type for instants ends a day before it.
        let end = text.strip_prefix("9999-12-31T")?.strip_suffix('Z')?;
        let earlier = format!("9999-12-29T{end}Z").parse::<Timestamp>().ok()?;
        Some(Self(earlier.as_second() + 2 * DAY))
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

impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Timestamp::from_second(self.0) {
            Ok(instant) => f.pad(&instant.to_string()),
            // The last day of the year 9999, for which there is no instant.
            Err(_) => match Timestamp::from_second(self.0 - 2 * DAY) {
                Ok(earlier) => f.pad(&earlier.to_string().replace("9999-12-29", "9999-12-31")),
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
        Self::parse(&text)
            .ok_or_else(|| de::Error::custom("this is not a point in time; write it like `2027-04-30T20:59:59Z`"))
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
