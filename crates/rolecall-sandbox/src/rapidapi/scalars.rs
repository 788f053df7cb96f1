//! Values as they are written, and ids, which are written in more than one way.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};

use super::caller::Refused;
use super::switches::Dates;
use super::world::World;

/// JSON that nothing can be selected of.
pub struct Any(pub serde_json::Value);

#[Scalar]
impl ScalarType for Any {
    fn parse(value: Value) -> InputValueResult<Self> {
        value.into_json().map(Self).map_err(InputValueError::custom)
    }

    fn to_value(&self) -> Value {
        Value::from_json(self.0.clone()).unwrap_or_default()
    }
}

pub struct DateTime(String);

#[Scalar]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        match value {
            Value::String(text) => Ok(Self(text)),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}

impl DateTime {
    /// The one instant at which all of the hub was made, and changed, and deleted: nothing here depends on it.
    pub fn only(world: &World) -> Self {
        Self(match world.switches.dates {
            Dates::Iso => "2025-01-15T09:30:00.000Z".to_owned(),
            Dates::Epoch => "1736933400000".to_owned(),
        })
    }
}

/// An id where the schema wants an `Int`.
pub fn int(id: u64) -> i32 {
    i32::try_from(id).unwrap_or(i32::MAX)
}

/// A count that may be off.
pub fn count(of: usize, off_by: i64) -> i32 {
    let of = i64::try_from(of).unwrap_or(i64::MAX);
    i32::try_from(of.saturating_add(off_by)).unwrap_or(i32::MAX)
}

/// An id that came as an `Int`.
pub fn from_int(id: i32) -> Result<u64, Refused> {
    u64::try_from(id).map_err(|_| Refused::bad_input(format!("`{id}` is no id")))
}

/// An id that came as an `ID` or a `String`.
pub fn from_text(id: &str) -> Result<u64, Refused> {
    id.parse().map_err(|_| Refused::bad_input(format!("`{id}` is no id")))
}
