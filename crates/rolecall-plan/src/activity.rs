//! Tells when rolecall last did its work in an organisation, and until when its credential works.
//!
//! For example, GitHub stops the schedules of a repository in which nothing happens for 60 days. Then no drift is reported
//! any more, and nobody notices. The next plan says that the last drift was 41 days ago, because each drift run leaves a
//! line in the ledger.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::PlanInput;
use rolecall_model::{Activity, CredentialEnd, Job, Past};

/// A report for people shows the times if the last good apply is older than this.
const QUIET_AFTER_APPLY: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A report for people shows the times if the last recorded drift is older than this.
const QUIET_AFTER_DRIFT: SignedDuration = SignedDuration::from_hours(2 * 24);

/// The longest time for which jobs may have been silent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaxSilence {
    pub time: SignedDuration,
    pub jobs: BTreeSet<Job>,
}

/// Returns the times that the ledger and the list of keys tell. `horizon`: the end of the credential is notable if it is
/// nearer than this.
///
/// A ledger without a good apply counts from its first line. Without a ledger, the apply is silent: whoever asks expects one,
/// and a job may have lost its ledger. A drift that was never recorded isn't silent.
pub fn activity(input: &PlanInput<'_>, horizon: SignedDuration, max: Option<&MaxSilence>) -> Activity {
    let PlanInput { facts, live, now, .. } = *input;
    let own_key = input.own_key();
    let expires = live.keys().iter().find(|key| own_key == Some(&key.id)).and_then(|key| key.expires);
    let credential_expires = expires.map(|at| CredentialEnd {
        at,
        days: at.days_from(now),
        soon: at.as_second() - now.as_second() <= horizon.as_secs(),
    });
    let is_older = |at: Option<Timestamp>, than| at.is_some_and(|at| now.duration_since(at) > than);
    let (apply, drift) = (facts.last_apply.or(facts.ledger_since), facts.last_drift);
    let is_silent = |job: &Job, max: &MaxSilence| match job {
        // A job that has lost its ledger looks like one that has never had one.
        Job::Apply => apply.is_none() || is_older(apply, max.time),
        Job::Drift => is_older(drift, max.time),
    };
    let silent = max.map(|max| max.jobs.iter().filter(|job| is_silent(job, max)).copied().collect());
    // Where nobody has ever applied, people only want drift reports.
    let notable = is_older(apply.filter(|_| facts.ledger_found), QUIET_AFTER_APPLY)
        || is_older(drift, QUIET_AFTER_DRIFT)
        || credential_expires.is_some_and(|end| end.soon)
        || max.is_some();
    let past = |at: Timestamp| Past::new(at, now);
    Activity {
        ledger_since: facts.ledger_since.map(past),
        last_apply: facts.last_apply.map(past),
        last_drift: facts.last_drift.map(past),
        credential_expires,
        silent: silent.unwrap_or_default(),
        notable,
    }
}
