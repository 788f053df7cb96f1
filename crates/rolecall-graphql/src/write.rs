//! Builds the only requests that write. Applying a plan imports this module and nothing else may, which
//! `tests/it/walls.rs` checks: reading, planning and reporting then have no way to send a mutation.

use serde_json::Value;

use super::{Mutation, Request};

pub use super::batch::request as batch;

/// Builds the request of one mutation.
pub fn mutation(mutation: &Mutation, variables: Value) -> Request {
    let Mutation { name, text, context, .. } = *mutation;
    Request { operation_name: name, query: text.into(), variables, context }
}
