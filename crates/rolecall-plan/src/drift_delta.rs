//! Finds what is new in a drift report, compared with what was reported before.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::last_in_sync::incomplete_kinds;
use super::seal::hash;
use rolecall_model::{Address, Expiry, FORMAT_VERSION, HoldClass, Identity, Job, Kind, OrganizationPlan, Plan};

/// The differences for which `drift` exits with 2: changes that aren't leftovers, and holds that are blocked. Each is kept as a hash,
/// which is enough to tell whether it is still the same.
type Differences = BTreeMap<Address, BTreeSet<String>>;

/// The differences that were reported already, kept from run to run. It says which entities differ, and not how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReportedDrift {
    pub format_version: String,
    pub organizations: Vec<ReportedOrganization>,
}

/// The differences of one organisation that were reported already.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReportedOrganization {
    #[serde(flatten)]
    pub identity: Identity,
    /// Hashes of the differences, by address.
    pub differences: Differences,
    /// The last run that could read every list. Files of earlier versions and drift reports don't have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_read: Option<LastRead>,
    /// The runs between which each difference came, by address.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sightings: BTreeMap<Address, Sighting>,
    /// The jobs that were silent for longer than `--max-silence` allows.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub silent: BTreeSet<Job>,
    /// The end of rolecall's own credential, if it is within the horizon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_ends: Option<Expiry>,
}

/// A run that could read every list of an organisation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LastRead {
    pub at: Timestamp,
    /// The hash of what the files asked for, without places.
    pub desired: String,
}

/// The runs between which a difference came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sighting {
    /// The first run that saw the difference.
    pub first: Timestamp,
    /// The last run before it that read live without this difference, if the files asked for the same then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub without: Option<Timestamp>,
}

/// The change of one organisation's drift since the last report.
#[derive(Debug)]
pub struct DriftDelta<'a> {
    /// The plan as it is now.
    pub plan: &'a OrganizationPlan,
    /// Entities with a difference that is new, or other than before.
    pub appeared: BTreeSet<Address>,
    /// Entities with a difference that is gone, unless the entity is in `appeared`.
    pub disappeared: BTreeSet<Address>,
    /// The runs between which each difference came, as far as they are known.
    pub sightings: BTreeMap<Address, Sighting>,
    /// True if other jobs are silent than before, or the end of the credential is another one.
    pub activity_changed: bool,
}

impl ReportedDrift {
    /// Returns all differences of a plan, as if they had been reported.
    pub fn all(plan: &Plan) -> Self {
        let organizations = plan.organizations.iter().map(|plan| differences_of(plan, None)).collect();
        Self { format_version: FORMAT_VERSION.to_owned(), organizations }
    }

    fn of(&self, identity: &Identity) -> Option<&ReportedOrganization> {
        self.organizations.iter().find(|reported| reported.identity.is_same_organization(identity))
    }
}

/// Returns the organisations whose drift has changed, and the differences to store once these have been reported.
/// Organisations and lists that can't be read this time keep the differences that they had. `at` is the time of this run,
/// and `desired` returns the hash of what the files ask for.
pub fn drift_delta<'a>(
    now: &'a Plan,
    before: Option<&ReportedDrift>,
    at: Timestamp,
    desired: impl Fn(&Identity) -> Option<String>,
) -> (Vec<DriftDelta<'a>>, ReportedDrift) {
    let mut all = Vec::new();
    let mut reported_now = ReportedDrift { format_version: FORMAT_VERSION.to_owned(), organizations: Vec::new() };
    for plan in &now.organizations {
        let earlier = before.and_then(|before| before.of(&plan.sealed.identity));
        let mut reported = differences_of(plan, earlier.map(|reported| &reported.differences));
        let nothing = Differences::new();
        let known = earlier.map_or(&nothing, |reported| &reported.differences);
        let appeared = not_covered(&reported.differences, known);
        let disappeared = &not_covered(known, &reported.differences) - &appeared;
        let last_read = desired(&plan.sealed.identity).map(|desired| LastRead { at, desired });
        reported.sightings = sightings(&reported.differences, &appeared, earlier, (at, last_read.as_ref()));
        let is_complete = incomplete_kinds(&plan.completeness).is_empty();
        reported.last_read =
            last_read.filter(|_| is_complete).or_else(|| earlier.and_then(|reported| reported.last_read.clone()));
        if incomplete_kinds(&plan.completeness).contains(&Kind::Key) {
            reported.credential_ends = earlier.and_then(|reported| reported.credential_ends);
        }
        let before = earlier.map_or_else(Default::default, |it| (it.silent.clone(), it.credential_ends));
        let activity_changed = before != (reported.silent.clone(), reported.credential_ends);
        if activity_changed || !appeared.is_empty() || !disappeared.is_empty() {
            let sightings = reported.sightings.clone();
            all.push(DriftDelta { plan, appeared, disappeared, sightings, activity_changed });
        }
        reported_now.organizations.push(reported);
    }
    let unseen = before.into_iter().flat_map(|before| &before.organizations);
    let unseen: Vec<ReportedOrganization> =
        unseen.filter(|reported| reported_now.of(&reported.identity).is_none()).cloned().collect();
    reported_now.organizations.extend(unseen);
    reported_now.organizations.sort_by(|a, b| a.identity.cmp(&b.identity));
    (all, reported_now)
}

/// Returns the runs between which each difference came. A difference that was reported before keeps them.
fn sightings(
    differences: &Differences,
    appeared: &BTreeSet<Address>,
    earlier: Option<&ReportedOrganization>,
    (at, now): (Timestamp, Option<&LastRead>),
) -> BTreeMap<Address, Sighting> {
    let before = earlier.and_then(|reported| reported.last_read.as_ref());
    let asked_the_same = before.filter(|before| now.is_some_and(|now| now.desired == before.desired));
    let new = Sighting { first: at, without: asked_the_same.map(|before| before.at) };
    let sighting = |address: &Address| {
        if appeared.contains(address) { Some(new) } else { earlier?.sightings.get(address).copied() }
    };
    differences.keys().filter_map(|address| Some((address.clone(), sighting(address)?))).collect()
}

/// Returns the differences of a plan. Those of an incomplete list are taken from `before`.
fn differences_of(plan: &OrganizationPlan, before: Option<&Differences>) -> ReportedOrganization {
    let mut differences = Differences::new();
    for change in plan.differences() {
        let hash = hash(&serde_json::to_value(change).unwrap_or_default());
        differences.entry(change.address.clone()).or_default().insert(hash);
    }
    for hold in plan.sealed.holds.iter().filter(|hold| hold.class == HoldClass::Blocked) {
        let hash = hash(&serde_json::to_value(hold).unwrap_or_default());
        differences.entry(hold.address.clone()).or_default().insert(hash);
    }
    let incomplete = incomplete_kinds(&plan.completeness);
    if let (false, Some(before)) = (incomplete.is_empty(), before) {
        differences.retain(|address, _| !incomplete.contains(&address.kind));
        let unreadable = before.iter().filter(|(address, _)| incomplete.contains(&address.kind));
        differences.extend(unreadable.map(|(address, hashes)| (address.clone(), hashes.clone())));
    }
    ReportedOrganization {
        identity: plan.sealed.identity.clone(),
        differences,
        last_read: None,
        sightings: BTreeMap::new(),
        silent: plan.activity.silent.clone(),
        credential_ends: plan.activity.credential_expires.filter(|end| end.soon).map(|end| end.at),
    }
}

/// Returns the entities of `here` with a difference that `there` doesn't contain.
fn not_covered(here: &Differences, there: &Differences) -> BTreeSet<Address> {
    let is_covered = |(address, hashes): &(&Address, &BTreeSet<String>)| {
        there.get(*address).is_some_and(|other| hashes.is_subset(other))
    };
    here.iter().filter(|entry| !is_covered(entry)).map(|(address, _)| address.clone()).collect()
}
