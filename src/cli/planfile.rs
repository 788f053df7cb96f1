//! Plans on disk.

use std::path::Path;

use serde_json::Value;

use super::exit::Failure;
use crate::report;
use rolecall_model::{FORMAT_VERSION, Plan};
use rolecall_plan::verify;

/// A plan as it was saved: of a version that we know, whole, and with its seals intact.
pub(super) fn parse(path: &Path, text: &str) -> Result<Plan, Failure> {
    let shown = path.display();
    let value: Value = serde_json::from_str(text).map_err(|why| {
        Failure::error(format!("{shown} is no plan: {why}")).hint("`rolecall plan --out FILE` writes one")
    })?;
    check_version(path, value.get("format_version").and_then(Value::as_str).unwrap_or_default())?;
    for organization in value.get("organizations").and_then(Value::as_array).into_iter().flatten() {
        verify(organization)
            .map_err(|why| Failure::error(format!("{shown}: {why}")).hint("plan again and have it reviewed"))?;
    }
    serde_json::from_value(value).map_err(|why| Failure::error(format!("{shown} is no plan: {why}")))
}

/// A major that we don't know may mean anything.
pub(super) fn check_version(path: &Path, version: &str) -> Result<(), Failure> {
    let major = |version: &str| version.split('.').next().unwrap_or_default().to_owned();
    if major(version) == major(FORMAT_VERSION) {
        return Ok(());
    }
    let (shown, version) = (path.display(), report::clean(version));
    Err(Failure::error(format!(
        "{shown} has the plan format `{version}`, and this rolecall reads {FORMAT_VERSION}"
    ))
    .hint("plan again with this version"))
}
