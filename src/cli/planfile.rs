//! Reads saved plans.

use std::path::Path;

use serde_json::Value;

use super::exit::Failure;
use crate::report;
use rolecall_model::{FORMAT_VERSION, Plan};
use rolecall_plan::verify;

/// Parses a saved plan. Checks that its format version is known and that its seals are intact.
pub(super) fn parse(path: &Path, text: &str) -> Result<Plan, Failure> {
    let shown = path.display();
    let value: Value = serde_json::from_str(text).map_err(|why| {
        Failure::error(format!("The file {shown} is not a plan: {why}."))
            .hint("`rolecall plan --out FILE` writes a plan.")
    })?;
    let Some(version) = value.get("format_version").and_then(Value::as_str) else {
        return Err(Failure::error(format!("The file {shown} is not a plan: it has no `format_version`."))
            .hint("`rolecall plan --out FILE` writes a plan."));
    };
    check_version(path, version)?;
    for organization in value.get("organizations").and_then(Value::as_array).into_iter().flatten() {
        verify(organization).map_err(|why| {
            Failure::error(format!("The plan {shown} can't be used: {why}."))
                .hint("Plan again and have the new plan reviewed.")
        })?;
    }
    // Read from a text as everything else is: code that reads values, too, would make the program larger.
    let verified = value.to_string();
    serde_json::from_str(&verified)
        .map_err(|why| Failure::error(format!("The file {shown} is not a plan: {why}.")))
}

/// Checks that rolecall knows the major version of a format. A later major version may mean something else.
pub(super) fn check_version(path: &Path, version: &str) -> Result<(), Failure> {
    let major = |version: &str| version.split('.').next().unwrap_or_default().to_owned();
    if major(version) == major(FORMAT_VERSION) {
        return Ok(());
    }
    let (shown, version) = (path.display(), report::clean(version));
    Err(Failure::error(format!(
        "The file {shown} has the plan format `{version}`, and this rolecall reads {FORMAT_VERSION}."
    ))
    .hint("Plan again with this version of rolecall."))
}
