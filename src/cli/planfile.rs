//! Reads saved plans.

use std::path::Path;

use serde_json::Value;

use super::exit::Failure;
use crate::report;
use rolecall_model::{FORMAT_VERSION, Plan, ShardedVerb};
use rolecall_plan::verify;

/// Parses a saved plan. Checks that its format version is known and that its seals are intact.
pub(super) fn parse(path: &Path, text: &str) -> Result<Plan, Failure> {
    let shown = path.display();
    let wrong = |why: String| {
        Failure::error(format!("The file {shown} is not a plan: {why}."))
            .hint("`rolecall plan --out FILE` writes a plan.")
    };
    let value = value(text).map_err(|why| wrong(why.to_string()))?;
    if let Some(other) = other(&value) {
        return Err(wrong(format!("it is {other}")));
    }
    let Some(version) = value.get("format_version").and_then(Value::as_str) else {
        return Err(wrong("it has no `format_version`".to_owned()));
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

/// Parses JSON. Of a ledger, which has a value on each line, returns the first one.
pub(super) fn value(text: &str) -> serde_json::Result<Value> {
    let first =
        || serde_json::from_str(text.lines().next()?).ok().filter(|value: &Value| value.get("event").is_some());
    serde_json::from_str(text).or_else(|why| first().ok_or(why))
}

/// Returns what a file of rolecall is, if its JSON shows that it is no plan.
pub(super) fn other(value: &Value) -> Option<&'static str> {
    let has = |field: &str| value.get(field).is_some();
    let kinds = [
        (has("findings"), "a list of findings"),
        (is_outcomes(value), "a report of `apply`"),
        (has("email") && has("files"), "a report of `onboard` or `offboard`"),
        (has("files"), "a report of `pull`"),
        (has("partial") && has("filtered"), "a report of `access`"),
        (has("partial"), "a report of `keys`"),
        (has("job"), "a report of `doctor`"),
        (has("text"), "a message of `drift --notify`"),
        (value.pointer("/organizations/0/differences").is_some(), "what `drift --previous` keeps"),
        (has("event") && has("run"), "a ledger"),
    ];
    kinds.into_iter().find(|(is_it, _)| *is_it).map(|(_, what)| what)
}

/// Returns whether a file is a report of `apply`. Only outcomes say how each organisation ended. A shard without
/// organisations says its verb.
pub(super) fn is_outcomes(value: &Value) -> bool {
    let verb = value.pointer("/shard/verb").and_then(Value::as_str);
    let organizations = value.get("organizations").and_then(Value::as_array);
    let has_ending = |organization: &Value| organization.get("ending").is_some();
    verb == Some(ShardedVerb::Apply.as_str()) || organizations.is_some_and(|all| all.iter().any(has_ending))
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
