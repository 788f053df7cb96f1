//! What was reviewed against what is planned now.

use std::path::Path;

use super::exit::{Exit, Failure};
use super::organization::Organization;
use super::{files, planfile};
use crate::report;
use rolecall_model::{Plan, Sealed};
use rolecall_plan::Stale;

/// Reads an approved plan and checks that it is for the organisations that the files name.
pub(super) fn load(path: &Path, organizations: &[Organization<'_>]) -> Result<Plan, Failure> {
    let plan = planfile::parse(path, &files::read_text(path)?)?;
    for approved in &plan.organizations {
        let identity = &approved.sealed.identity;
        let Some(organization) = organizations.iter().find(|organization| organization.is(identity)) else {
            return Err(Failure::error(format!(
                "the plan is also for {} {}, which no file here describes",
                identity.provider,
                report::clean(&identity.organization)
            ))
            .hint("apply it with the files that it was made from"));
        };
        let site = &organization.connected.site;
        if *site != identity.site {
            return Err(Failure::error(format!(
                "the plan was made on {} and would be applied to {site}",
                report::clean(&identity.site)
            ))
            .hint(if site.host == identity.site.host {
                "the endpoint has another path since; plan again and have it reviewed"
            } else {
                "a plan made in the sandbox never applies elsewhere, nor the reverse"
            }));
        }
    }
    Ok(plan)
}

/// The part of an approved plan that is for this organisation.
pub(super) fn part<'a>(plan: &'a Plan, organization: &Organization<'_>) -> Option<&'a Sealed> {
    plan.organizations.iter().map(|approved| &approved.sealed).find(|sealed| organization.is(&sealed.identity))
}

/// Something approved no longer stands: nothing is sent.
pub(super) fn stale(stale: &[Stale], organization: &Organization<'_>) -> Failure {
    let failure = Failure::error(format!(
        "{} of {} no longer {}; nothing was sent to it",
        report::plural(stale.len(), "approved change"),
        organization.name(),
        if stale.len() == 1 { "stands" } else { "stand" },
    ));
    Failure { exit: Exit::Stale, ..failure.hint("plan again and have it reviewed") }
}
