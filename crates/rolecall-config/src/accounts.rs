//! Contradictions between files about the same account. The status of an account applies to every organisation of
//! a platform, so one file can affect the organisations of other files.

use super::Format;
use rolecall_model::{Address, Code, Desired, DesiredUser, Finding, ProviderName, Quirk};

/// Finds accounts that one file deactivates or deletes and that another file needs.
pub(super) fn contradicted(files: &[&Desired], formats: impl Fn(ProviderName) -> &'static Format) -> Vec<Finding> {
    let shared: Vec<&Desired> = files
        .iter()
        .copied()
        .filter(|desired| formats(desired.provider).rules.has(Quirk::SharedAccounts))
        .collect();
    let mut findings = Vec::new();
    for desired in &shared {
        let is_same_platform = |other: &&&Desired| {
            (other.provider, &other.endpoint.value) == (desired.provider, &desired.endpoint.value)
                && other.place.file != desired.place.file
        };
        let deactivated = desired.users.iter().filter(|user| user.deleted || user.enabled == Some(false));
        for (user, other) in
            deactivated.flat_map(|user| shared.iter().filter(is_same_platform).map(move |other| (user, other)))
        {
            findings.extend(contradiction(user, other).map(|contradiction| {
                let status = if user.deleted { "deleted" } else { "deactivated" };
                let message = format!(
                    "`status: {status}` applies to every organisation, but {} {contradiction}.",
                    other.place.file
                );
                Finding::error(Code::ContradictedStatus, user.place.clone(), message)
                    .hint("Write the same `status` or `absent: true` there, or remove the `status` here.")
            }));
        }
    }
    findings
}

/// Returns the part of another file that contradicts the status of a user, if there is one.
fn contradiction(user: &DesiredUser, other: &Desired) -> Option<String> {
    let address = Address::user(&user.email);
    if other.guardrails.protected.keys().any(|named| named.covers(&address)) {
        return Some(format!("protects {}", user.email));
    }
    // Users are sorted by address.
    let first = other.users.partition_point(|there| there.email < user.email);
    let there = other.users.get(first).filter(|there| there.email == user.email)?;
    let same = (there.enabled, there.deleted) == (user.enabled, user.deleted);
    let removed = there.absent && there.enabled.is_none() && !there.deleted;
    (!same && !removed).then(|| format!("lists {} on line {}", user.email, there.place.line))
}
