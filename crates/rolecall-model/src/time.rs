//! Instants as the platforms mean them.

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// When a key expires, to the second.
///
/// Bitpanda echoes `…:59Z` on creation and lists the same key as `…:59.999Z` (vendor's sample answers), so
/// a finer comparison would replace every key for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Expiry(i64);

impl Expiry {
    /// Cuts off everything below the second.
    pub fn new(instant: Timestamp) -> Self {
        Self(instant.as_second())
    }

    /// Reads RFC 3339, such as `2027-04-30T20:59:59Z`.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse::<Timestamp>().ok().map(Self::new)
    }

    /// In Unix time.
    pub fn as_second(self) -> i64 {
        self.0
    }

    /// Has it passed at `now`?
    pub fn is_past(self, now: Timestamp) -> bool {
        self.0 <= now.as_second()
    }

    /// Whole days from `now`, negative once it has passed.
    pub fn days_from(self, now: Timestamp) -> i64 {
        (self.0 - now.as_second()).div_euclid(24 * 60 * 60)
    }
}

impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Timestamp::from_second(self.0) {
            Ok(instant) => f.pad(&instant.to_string()),
            Err(_) => write!(f, "@{}", self.0),
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
            .ok_or_else(|| de::Error::custom("this is no instant; write it like `2027-04-30T20:59:59Z`"))
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
