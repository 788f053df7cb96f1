//! The [`Format`] of a platform's files. Each provider has one in its folder.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;

use super::check::Checker;
use super::decode::decode;
use super::import::Head;
use super::node::Located;
use rolecall_model::{Desired, Rules};

/// The type of a platform's files: its fields, and the checks of their values.
///
/// Decoding has checked that every field has the right type. [`FileFormat::check`] checks the values, and reports
/// everything that is wrong.
pub trait FileFormat: DeserializeOwned + JsonSchema {
    /// Returns the desired state, or `None` and findings.
    fn check(self, check: &mut Checker<'_>) -> Option<Desired>;
}

/// The file format of one platform, as data for a registry.
pub struct Format {
    pub rules: &'static dyn Rules,
    pub(crate) check: fn(&Located, &mut Checker<'_>) -> Option<Desired>,
    pub(crate) schema: fn(&mut SchemaGenerator) -> Schema,
    /// The head of a new file.
    pub head: Head,
}

impl Format {
    /// Creates the format of files that have the type `T`.
    pub const fn of<T: FileFormat>(rules: &'static dyn Rules, head: Head) -> Self {
        Self { rules, check: check::<T>, schema: SchemaGenerator::subschema_for::<T>, head }
    }
}

fn check<T: FileFormat>(root: &Located, check: &mut Checker<'_>) -> Option<Desired> {
    decode::<T>(check.source, root, &mut check.findings)?.check(check)
}
