//! Conversions of ids, which the schema writes in several types, of counts and of times.

use super::caller::ApiError;
use super::switches::Dates;
use super::world::World;

/// Returns the one time that every `createdAt`, `updatedAt` and `deletedAt` has. Nothing depends on it.
pub fn time(world: &World) -> &'static str {
    match world.switches.dates {
        Dates::Iso => "2025-01-15T09:30:00.000Z",
        Dates::Epoch => "1736933400000",
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
