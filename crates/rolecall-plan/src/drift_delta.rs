//! What is new in a drift report, compared with what was told before.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::seal::hash;
use rolecall_model::{Address, Completeness, FORMAT_VERSION, HoldClass, Identity, Kind, OrganizationPlan, Plan};

/// All that `drift` ends with 2 for: what would be changed, and what is blocked. Of each only whether it is the same.
type Differences = BTreeMap<Address, BTreeSet<String>>;

/// What was told of, as it is kept from run to run. It says who differs, and not how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReportedDrift {
    pub format_version: String,
    pub organizations: Vec<ReportedOrganization>,
}

/// What was told of one organisation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReportedOrganization {
    #[serde(flatten)]
    pub identity: Identity,
    /// Hashes of what differs, by its address.
    pub differences: Differences,
}

/// What has changed of one organisation's drift.
#[derive(Debug)]
pub struct DriftDelta<'a> {
    /// As it is now.
    pub plan: &'a OrganizationPlan,
    /// What wasn't there before, or was otherwise.
    pub appeared: BTreeSet<Address>,
    /// What was there before, if nothing of the same address has appeared.
    pub disappeared: BTreeSet<Address>,
}

impl ReportedDrift {
    /// All of a report, as if it had been told.
    pub fn all(plan: &Plan) -> Self {
        let organizations = plan.organizations.iter().map(|plan| reported(plan, None)).collect();
        Self { format_version: FORMAT_VERSION.to_owned(), organizations }
    }

    fn of(&self, identity: &Identity) -> Option<&ReportedOrganization> {
        self.organizations.iter().find(|reported| reported.identity.is_same_organization(identity))
    }
}

/// The organisations of which the drift is another than it was before, and what is told once they are. What can't be seen
/// this time, an organisation or a list, is as it was.
pub fn drift_delta<'a>(now: &'a Plan, before: Option<&ReportedDrift>) -> (Vec<DriftDelta<'a>>, ReportedDrift) {
    let mut all = Vec::new();
    let mut reported_now = ReportedDrift { format_version: FORMAT_VERSION.to_owned(), organizations: Vec::new() };
    for plan in &now.organizations {
        let earlier =
            before.and_then(|before| before.of(&plan.sealed.identity)).map(|reported| &reported.differences);
        let reported = reported(plan, earlier);
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

fn reported(plan: &OrganizationPlan, before: Option<&Differences>) -> ReportedOrganization {
    let mut differences = Differences::new();
    for change in &plan.sealed.changes {
        let hash = hash(&serde_json::to_value(change).unwrap_or_default());
        differences.entry(change.address.clone()).or_default().insert(hash);
    }
    for hold in plan.sealed.holds.iter().filter(|hold| hold.class == HoldClass::Blocked) {
        let hash = hash(&serde_json::to_value(hold).unwrap_or_default());
        differences.entry(hold.address.clone()).or_default().insert(hash);
    }
    let broken = broken_kinds(plan);
    if let (false, Some(before)) = (broken.is_empty(), before) {
        differences.retain(|address, _| !broken.contains(&address.kind));
        let kept = before.iter().filter(|(address, _)| broken.contains(&address.kind));
        differences.extend(kept.map(|(address, hashes)| (address.clone(), hashes.clone())));
    }
    ReportedOrganization { identity: plan.sealed.identity.clone(), differences }
}

/// What is in the lists that are incomplete.
fn broken_kinds(plan: &OrganizationPlan) -> BTreeSet<Kind> {
    let broken = plan.completeness.iter().filter(|(_, it)| matches!(it, Completeness::Broken { .. }));
    let kinds = broken.flat_map(|(list, _)| match &**list {
        "invitations" | "users" => &[Kind::User, Kind::Invitation][..],
        "keys" => &[Kind::Key],
        "roles" => &[Kind::Role],
        "teams" => &[Kind::Team],
        _ => &[],
    });
    kinds.copied().collect()
}

/// Those of which `there` doesn't have all that `here` has.
fn not_covered(here: &Differences, there: &Differences) -> BTreeSet<Address> {
    let is_there = |(address, hashes): &(&Address, &BTreeSet<String>)| {
        there.get(*address).is_some_and(|other| hashes.is_subset(other))
    };
    here.iter().filter(|one| !is_there(one)).map(|(address, _)| address.clone()).collect()
}
