//! Scalars, and conversions of ids, which the schema writes in several types.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};

use super::caller::ApiError;
use super::switches::Dates;
use super::world::World;

/// JSON without selectable fields.
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
    /// Returns the one time that every `createdAt`, `updatedAt` and `deletedAt` has. Nothing depends on it.
    pub fn fixed(world: &World) -> Self {
        Self(match world.switches.dates {
            Dates::Iso => "2025-01-15T09:30:00.000Z".to_owned(),
            Dates::Epoch => "1736933400000".to_owned(),
        })
    }
}

/// Converts an id to an `Int` of the schema.
pub fn to_int(id: u64) -> i32 {
    i32::try_from(id).unwrap_or(i32::MAX)
}

/// Returns a count plus `off_by`, by which a switch makes it wrong.
pub fn count(of: usize, off_by: i64) -> i32 {
    let of = i64::try_from(of).unwrap_or(i64::MAX);
    i32::try_from(of.saturating_add(off_by)).unwrap_or(i32::MAX)
}

/// Converts an id from an `Int`.
pub fn from_int(id: i32) -> Result<u64, ApiError> {
    u64::try_from(id).map_err(|_| ApiError::bad_input(format!("`{id}` is no id")))
}

/// Converts an id from an `ID` or a `String`.
pub fn from_text(id: &str) -> Result<u64, ApiError> {
    id.parse().map_err(|_| ApiError::bad_input(format!("`{id}` is no id")))
}
