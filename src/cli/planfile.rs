//! Plans on disk.

use std::io::Write;
use std::path::Path;

use serde_json::Value;
use tempfile::NamedTempFile;

use super::exit::Failure;
use crate::model::{FORMAT_VERSION, Plan};
use crate::plan::verify;
use crate::report;

/// Writes a plan so that it is there whole or not at all. A pipe or a device is written to as it is, and a link is
/// followed.
pub(super) fn write(path: &Path, plan: &Plan) -> Result<(), Failure> {
    let failed = |why: std::io::Error| Failure::error(format!("{} can't be written: {why}", path.display()));
    let text = report::plan_json(plan);
    let target = match std::fs::metadata(path) {
        Ok(meta) if !meta.is_file() => {
            let mut special = std::fs::OpenOptions::new().write(true).open(path).map_err(failed)?;
            return special.write_all(text.as_bytes()).map_err(failed);
        }
        Ok(_) => path.canonicalize().map_err(failed)?,
        Err(_) => path.to_owned(),
    };
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut new = NamedTempFile::new_in(folder).map_err(failed)?;
    new.write_all(text.as_bytes()).map_err(failed)?;
    new.as_file().sync_all().map_err(failed)?;
    new.persist(&target).map_err(|why| failed(why.error))?;
    Ok(())
}

/// A plan as it was saved: of a version that we know, whole, and with its seals intact.
pub(super) fn parse(path: &Path, text: &str) -> Result<Plan, Failure> {
    let shown = path.display();
    let value: Value = serde_json::from_str(text).map_err(|why| {
        Failure::error(format!("{shown} is no plan: {why}")).hint("`rolecall plan --out FILE` writes one")
    })?;
    let version = value.get("format_version").and_then(Value::as_str).unwrap_or_default();
    let major = |version: &str| version.split('.').next().unwrap_or_default().to_owned();
    if major(version) != major(FORMAT_VERSION) {
        return Err(Failure::error(format!(
            "{shown} has the plan format `{}`, and this rolecall reads {FORMAT_VERSION}",
            report::clean(version)
        ))
        .hint("plan again with this version"));
    }
    for organization in value.get("organizations").and_then(Value::as_array).into_iter().flatten() {
        verify(organization)
            .map_err(|why| Failure::error(format!("{shown}: {why}")).hint("plan again and have it reviewed"))?;
    }
    serde_json::from_value(value).map_err(|why| Failure::error(format!("{shown} is no plan: {why}")))
}
