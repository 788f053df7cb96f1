//! What a file says of somebody's account reaches every organisation of a platform, and so the files of others.

use rolecall_model::{Address, Code, Desired, DesiredUser, Finding, ProviderName, Rules};

/// Finds accounts that one file has switched off or deleted, and that another file counts on.
pub(super) fn contradicted(
    desired_users: &[&Desired],
    rules: impl Fn(ProviderName) -> &'static dyn Rules,
) -> Vec<Finding> {
    let shared: Vec<&Desired> =
        desired_users.iter().copied().filter(|desired| rules(desired.provider).shares_accounts()).collect();
    let mut findings = Vec::new();
    for one in &shared {
        let is_beside = |other: &&&Desired| {
            (other.provider, &other.endpoint.value) == (one.provider, &one.endpoint.value)
                && other.place.file != one.place.file
        };
        let gone = one.users.iter().filter(|user| user.deleted || user.enabled == Some(false));
        for (user, other) in gone.flat_map(|user| shared.iter().filter(is_beside).map(move |other| (user, other)))
        {
            findings.extend(why_not(user, other).map(|why| {
                let what = if user.deleted { "deleted" } else { "deactivated" };
                let message =
                    format!("`status: {what}` reaches every organisation, and {} {why}", other.place.file);
                Finding::error(Code::ContradictedStatus, user.place.clone(), message)
                    .hint("give them the same `status` there, or `absent: true`; or leave the status out here")
            }));
        }
    }
    findings
}

/// What another file has against it that somebody's account goes.
fn why_not(user: &DesiredUser, other: &Desired) -> Option<String> {
    let address = Address::user(&user.email);
    if other.guardrails.protected.keys().any(|named| named.covers(&address)) {
        return Some(format!("protects {}", user.email));
    }
    // Sorted by address.
    let first = other.users.partition_point(|there| there.email < user.email);
    let there = other.users.get(first).filter(|there| there.email == user.email)?;
    let same = (there.enabled, there.deleted) == (user.enabled, user.deleted);
    let goes = there.absent && there.enabled.is_none() && !there.deleted;
    (!same && !goes).then(|| format!("has {} in line {}", user.email, there.place.line))
}
