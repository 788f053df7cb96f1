//! What was reviewed against what is planned now.

use std::collections::BTreeSet;
use std::path::Path;

use super::exit::{Exit, Failure};
use super::out::Out;
use super::planfile;
use super::session::Organization;
use crate::model::{Address, Facts, Live, OrganizationPlan, Plan, Sealed};
use crate::plan::{Approval, compare};
use crate::report;

/// Reads an approved plan and checks that it is for the organisations that the files name.
pub(super) fn load(path: &Path, organizations: &[Organization<'_>]) -> Result<Plan, Failure> {
    let plan = planfile::parse(path, &planfile::read_text(path)?)?;
    for approved in &plan.organizations {
        let identity = &approved.sealed.identity;
        let found = organizations.iter().find(|organization| {
            organization.desired.provider == identity.provider
                && organization.desired.organization == identity.organization
        });
        let Some(organization) = found else {
            return Err(Failure::error(format!(
                "the plan is also for {} {}, which no file here describes",
                identity.provider,
                report::clean(&identity.organization)
            ))
            .hint("apply it with the files that it was made from"));
        };
        let host = &organization.connected.host;
        if *host != identity.host {
            return Err(Failure::error(format!(
                "the plan was made on {} and would be applied to {host}",
                report::clean(&identity.host)
            ))
            .hint("a plan made in the sandbox never applies elsewhere, nor the reverse"));
        }
    }
    Ok(plan)
}

/// The fresh plan, cut down to what was approved. Anything approved that no longer stands ends it.
pub(super) fn restrict(
    approved: &Sealed,
    organization: &Organization<'_>,
    live: &Live,
    facts: &Facts,
    fresh: &OrganizationPlan,
    out: &mut Out,
) -> Result<OrganizationPlan, Failure> {
    let Approval { standing, stale, unapproved } = compare(approved, &fresh.sealed);
    if !stale.is_empty() {
        out.result(&report::stale(&stale));
        let failure = Failure::error(format!(
            "{} of {} no longer {}; nothing was sent",
            report::plural(stale.len(), "approved change"),
            organization.name(),
            if stale.len() == 1 { "stands" } else { "stand" },
        ));
        return Err(Failure { exit: Exit::Stale, ..failure.hint("plan again and have it reviewed") });
    }
    if !unapproved.is_empty() {
        let list: Vec<String> = unapproved.iter().map(|change| report::clean(&change.address)).collect();
        out.talk(&format!("not approved, so not sent: {}\n", list.join(", ")));
    }
    let only: BTreeSet<Address> = standing;
    Ok(organization.plan(live, facts, Some(&only))?.plan)
}
