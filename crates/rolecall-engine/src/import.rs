//! Writes a file that describes an organisation as it is live, and proves it: a plan with the file against the same read
//! changes nothing.

use std::collections::BTreeSet;

use jiff::Timestamp;

use rolecall_config::{ImportInput, Imported, Problem, Source, check_source};
use rolecall_model::{Cause, Facts, Finding, Kind, Live, ProviderName, RemoteId, Scope, SignIn, Site};
use rolecall_plan::{PlanInput, plan};

/// The input from which a file is written.
#[derive(Clone, Copy)]
pub struct Import<'a> {
    pub provider: ProviderName,
    /// The text that the file begins with. It has no entries.
    pub head: &'a str,
    /// The scope of every collection. `None` if the head says it, or the default is meant.
    pub manage: Option<Scope>,
    /// The kinds of entities to write.
    pub kinds: &'a BTreeSet<Kind>,
    pub live: &'a Live,
    pub facts: &'a Facts,
    pub site: &'a Site,
    /// The id of the key that rolecall signs in with, if the credential or the head names it.
    pub own_key: Option<&'a RemoteId>,
    pub now: Timestamp,
}

/// Writes a file that describes what is live.
pub fn import(input: &Import<'_>) -> Imported {
    let format = rolecall_providers::format(input.provider);
    let Import { provider: _, head, manage, kinds, live, facts: _, site: _, own_key, now } = *input;
    let written = ImportInput { head, manage, kinds, live, format, own_key, now };
    rolecall_config::import(&written, &|text| problems(input, text))
}

/// Returns everything that a plan with this file would report or change.
fn problems(input: &Import<'_>, text: &str) -> Vec<Problem> {
    let (desired, findings) = check_source(&Source::inline("the imported file", text), rolecall_providers::format);
    let of_finding =
        |finding: Finding| Problem { line: Some(finding.place.line), change: None, message: finding.message };
    let mut problems: Vec<Problem> = findings.into_iter().map(of_finding).collect();
    let Some(desired) = desired else { return problems };
    let caller = input.own_key.map(|id| SignIn { id: Some(id.clone()), ..SignIn::default() });
    let planned = plan(&PlanInput {
        desired: &desired,
        live: input.live,
        facts: input.facts,
        rules: rolecall_providers::rules(input.provider),
        site: input.site,
        asserted: &BTreeSet::new(),
        only: None,
        approved: None,
        caller: caller.as_ref(),
        now: input.now,
    });
    match planned {
        Err(findings) => problems.extend(findings.into_iter().map(of_finding)),
        Ok(planned) => {
            problems.extend(planned.findings.into_iter().map(of_finding));
            // These changes don't depend on how the file describes the entity.
            let is_own =
                |cause: &Cause| matches!(cause, Cause::AlreadyMember | Cause::SecretLost | Cause::DeliveryUnknown);
            let changes = planned.plan.sealed.changes.into_iter().filter(|change| !is_own(&change.cause));
            problems.extend(changes.map(|change| Problem {
                line: None,
                change: Some(change.address),
                message: "a plan would change it".to_owned(),
            }));
        }
    }
    problems
}
