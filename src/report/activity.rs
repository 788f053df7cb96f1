//! Words for the [`Activity`] of rolecall: when it last did its work, and when its credential ends.

use super::outline::name;
use super::style::capitalised;
use rolecall_model::{Activity, CredentialEnd, Job, OrganizationPlan, Past};

/// The age in days from which an issue about drift shows when the last drift was.
const OLD_DRIFT: i64 = 2;

/// Returns the line of a report: "Last good apply 41 days ago, last drift 2 days ago; the credential ends in 3 days." `None`
/// if all is recent.
pub(super) fn activity(activity: &Activity) -> Option<String> {
    let ago = |Past { days, .. }: Past| match days {
        0 => "less than a day ago".to_owned(),
        1 => "1 day ago".to_owned(),
        days => format!("{days} days ago"),
    };
    let end = |CredentialEnd { days, .. }: CredentialEnd| match days {
        ..0 => "has ended".to_owned(),
        0 => "ends within a day".to_owned(),
        1 => "ends in 1 day".to_owned(),
        days => format!("ends in {days} days"),
    };
    line(activity, ago, end)
}

/// Returns the line with dates. It is for an issue, which a job edits only if something has changed. So it shows no age, and
/// not a drift of yesterday.
pub(super) fn dated_activity(activity: &Activity) -> Option<String> {
    let last_drift = activity.last_drift.filter(|drift| drift.days >= OLD_DRIFT);
    let on = |Past { at, .. }: Past| format!("on {}", at.strftime("%Y-%m-%d"));
    let end = |CredentialEnd { at, days, .. }: CredentialEnd| {
        let date: String = at.to_string().chars().take("2026-12-31".len()).collect();
        format!("{} on {date}", if days < 0 { "ended" } else { "ends" })
    };
    line(&Activity { last_drift, ..activity.clone() }, on, end)
}

fn line(
    activity: &Activity,
    ago: impl Fn(Past) -> String,
    end: impl Fn(CredentialEnd) -> String,
) -> Option<String> {
    let Activity { ledger_since, last_apply, last_drift, credential_expires, silent, notable } = activity;
    let apply = match (last_apply, ledger_since) {
        (Some(at), _) => Some(format!("last good apply {}", ago(*at))),
        (None, Some(since)) => Some(format!("no good apply since the ledger began {}", ago(*since))),
        (None, None) if silent.contains(&Job::Apply) => {
            Some("there is no ledger, so nobody knows when the last good apply was".to_owned())
        }
        (None, None) => None,
    };
    let drift = last_drift.map(|at| format!("last drift {}", ago(at)));
    let runs: Vec<String> = apply.into_iter().chain(drift).collect();
    let credential = credential_expires.filter(|end| end.soon).map(|at| format!("the credential {}", end(at)));
    let parts: Vec<String> = [runs.join(", ")].into_iter().chain(credential).filter(|it| !it.is_empty()).collect();
    let too_long = if silent.is_empty() {
        String::new()
    } else {
        format!(" Too long ago for `--max-silence`: {}.", jobs(silent.iter()))
    };
    (*notable && !parts.is_empty()).then(|| format!("{}.{too_long}", capitalised(&parts.join("; "))))
}

fn jobs<'a>(jobs: impl Iterator<Item = &'a Job>) -> String {
    let words = jobs.map(|job| match job {
        Job::Apply => "the apply",
        Job::Drift => "the drift",
    });
    words.collect::<Vec<_>>().join(" and ")
}

/// Returns the line about jobs that are silent for too long, or a credential that ends soon. `line`: with ages or with dates.
pub(super) fn alarm(activity: &Activity, line: impl Fn(&Activity) -> Option<String>) -> Option<String> {
    let ends_soon = activity.credential_expires.is_some_and(|end| end.soon);
    line(activity).filter(|_| ends_soon || !activity.silent.is_empty())
}

/// Returns the message about jobs that have been silent for longer than `--max-silence` allows. `None` if there are none.
pub fn silence(plan: &OrganizationPlan) -> Option<String> {
    let line = activity(&plan.activity).filter(|_| !plan.activity.silent.is_empty())?;
    Some(format!("{}: {line} Check whether these jobs still run.", name(plan)))
}
