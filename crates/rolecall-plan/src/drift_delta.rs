//! Finds what is new in a drift report, compared with what was reported before.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::last_in_sync::incomplete_kinds;
use super::seal::hash;
use rolecall_model::{Address, FORMAT_VERSION, HoldClass, Identity, OrganizationPlan, Plan};

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
/// Organisations and lists that can't be read this time keep the differences that they had.
pub fn drift_delta<'a>(now: &'a Plan, before: Option<&ReportedDrift>) -> (Vec<DriftDelta<'a>>, ReportedDrift) {
    let mut all = Vec::new();
    let mut reported_now = ReportedDrift { format_version: FORMAT_VERSION.to_owned(), organizations: Vec::new() };
    for plan in &now.organizations {
        let earlier =
            before.and_then(|before| before.of(&plan.sealed.identity)).map(|reported| &reported.differences);
        let reported = differences_of(plan, earlier);
        let nothing = Differences::new();
        let earlier = earlier.unwrap_or(&nothing);
        let appeared = not_covered(&reported.differences, earlier);
        let disappeared = &not_covered(earlier, &reported.differences) - &appeared;
        if !appeared.is_empty() || !disappeared.is_empty() {
            all.push(DriftDelta { plan, appeared, disappeared });
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
    ReportedOrganization { identity: plan.sealed.identity.clone(), differences }
}

/// Returns the entities of `here` with a difference that `there` doesn't contain.
fn not_covered(here: &Differences, there: &Differences) -> BTreeSet<Address> {
    let is_covered = |(address, hashes): &(&Address, &BTreeSet<String>)| {
        there.get(*address).is_some_and(|other| hashes.is_subset(other))
    };
    here.iter().filter(|entry| !is_covered(entry)).map(|(address, _)| address.clone()).collect()
}
