//! Compares an approved plan with the files of this run.

use std::collections::BTreeSet;
use std::path::Path;

use super::confirm::name_of;
use super::exit::{Exit, Failure};
use super::organization::Organization;
use super::out::Out;
use super::session::Session;
use super::{files, planfile};
use crate::report;
use rolecall_model::{Address, Code, Comparison, Finding, OrganizationPlan, Origin, OriginKind, Plan};
use rolecall_plan::Stale;

/// Reads an approved plan and checks that it is for the organisations that the files name.
pub(super) fn load(
    path: &Path,
    session: &Session<'_>,
    organizations: &[Organization<'_>],
) -> Result<Plan, Failure> {
    let plan = planfile::parse(path, &files::read_text(path)?)?;
    let own = session.part().shard();
    if let Some(planned) = plan.shard.as_ref().filter(|planned| Some(planned.shard) != own) {
        let this = own.map_or_else(|| "has all organisations".to_owned(), |own| format!("is {own}"));
        let shard = planned.shard;
        return Err(Failure::error(format!("The plan is of {shard}, and this run {this}. Nothing was sent."))
            .hint(format!(
                "Apply it with `--shard {}/{}`, or merge the plans of all shards.",
                shard.number, shard.of
            )));
    }
    for approved in &plan.organizations {
        let identity = &approved.sealed.identity;
        let Some(organization) = organizations.iter().find(|organization| organization.desired.is(identity))
        else {
            // The merged plan of all shards has organisations that another shard applies.
            if session.desired().iter().any(|desired| desired.is(identity) && !session.part().has(desired)) {
                continue;
            }
            return Err(Failure::error(format!(
                "The plan also has {} {}, which none of the files describes.",
                identity.provider,
                report::clean(&identity.organization)
            ))
            .hint("Give the files that the plan was made from."));
        };
        let site = &organization.connected.site;
        if *site != identity.site {
            return Err(Failure::error(format!(
                "The plan was made on {} and would be applied to {}.",
                name_of(&identity.site),
                name_of(site)
            ))
            .hint(if site.host == identity.site.host {
                "The path of the endpoint has changed since. Plan again and have the new plan reviewed."
            } else {
                "A plan of the sandbox applies only to the sandbox, and a plan of a platform only to that platform."
            }));
        }
    }
    Ok(plan)
}

/// Returns the section of an approved plan that is for this organisation.
pub(super) fn approved_section<'a>(
    plan: &'a Plan,
    organization: &Organization<'_>,
) -> Option<&'a OrganizationPlan> {
    plan.organizations.iter().find(|approved| organization.desired.is(&approved.sealed.identity))
}

/// Returns the changes of an approved plan that nobody asked for in the pull request that it was made for, and those that
/// only serve others. Names those that are left out, and those that were asked for and also take back what has drifted.
pub(super) fn unasked(
    approved: &OrganizationPlan,
    organization: &Organization<'_>,
    out: &Out,
) -> Result<BTreeSet<Address>, Failure> {
    let unknown = |why: String, hint: &str| {
        let message =
            format!("`--only-asked` can't be used for {}: {why} Nothing was sent to it.", organization.name());
        Err(Failure::error(report::clean(message)).hint(hint))
    };
    let comparison = match &approved.comparison {
        None => {
            return unknown(
                "the plan doesn't say which changes are asked for.".to_owned(),
                "Make the plan with `rolecall plan --base`, and have it reviewed.",
            );
        }
        Some(Comparison { base, unplanned: Some(why), .. }) => {
            return unknown(
                format!("its base {base} couldn't be planned: {why}"),
                "Mend the base, plan again and have the new plan reviewed. Or apply all of the plan.",
            );
        }
        Some(comparison) => comparison,
    };
    let of = |wanted: fn(&Origin) -> bool| {
        comparison.changes.iter().filter(move |(_, origin)| wanted(origin)).map(|(address, _)| address)
    };
    let list = |what: &str, addresses: Vec<&Address>| {
        if !addresses.is_empty() {
            out.talk(&format!("{what}: {}.\n", report::first(addresses.into_iter(), 20, report::clean)));
        }
    };
    let left = of(|origin| !origin.is.is_due());
    list("Not asked for, so not sent", left.collect());
    let both = of(|origin| origin.is.is_due() && !origin.drifted.is_empty());
    list(
        "Asked for, and also takes back what has drifted, because an entity is written as a whole",
        both.collect(),
    );
    let unasked = of(|origin| !origin.is.is_due() || origin.is == OriginKind::NeededByAnother);
    Ok(unasked.cloned().collect())
}

/// Returns the failure of an apply whose approved plan is out of date.
pub(super) fn stale(stale: &[Stale], organization: &Organization<'_>) -> Failure {
    let failure = Failure::error(format!(
        "{} of {} {} out of date. Nothing was sent to it.",
        report::plural(stale.len(), "approved change"),
        organization.name(),
        if stale.len() == 1 { "is" } else { "are" },
    ));
    Failure {
        exit: Exit::Stale,
        ..failure.hint("Plan again and have the new plan reviewed, or send only the changes that are still valid with `--only-standing`.")
    }
}

/// Returns the failure of an apply whose approved plan can't be made any more, because the live state or the files
/// have changed since. For example, somebody has deleted a project that the plan gives access to. Other failures stay
/// as they are.
pub(super) fn unplannable(failure: Failure, organization: &Organization<'_>) -> Failure {
    let of_plan = |finding: &Finding| {
        finding.is_error() && !matches!(finding.code, Code::WrongOrganization | Code::DuplicateOrganization)
    };
    if failure.exit != Exit::Error || !failure.findings.iter().any(of_plan) {
        return failure;
    }
    Failure {
        exit: Exit::Stale,
        message: Some(format!(
            "The approved plan of {} can't be made any more. Nothing was sent to it.",
            organization.name()
        )),
        hint: Some("Mend what the findings above say, plan again, and have the new plan reviewed.".to_owned()),
        ..failure
    }
}
