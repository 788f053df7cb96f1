//! Writes what is live back into a file, and proves it: see [`rolecall_config::pull`].

use std::collections::BTreeSet;

use jiff::Timestamp;

use rolecall_config::{PullInput, PullOptions, Pulled, Source, check_source};
use rolecall_model::{Desired, Facts, Finding, Live, OrganizationPlan, ProviderName, RemoteId, Site};
use rolecall_plan::{PlanInput, plan};

/// The input from which a file is pulled.
#[derive(Clone, Copy)]
pub struct Pull<'a> {
    pub provider: ProviderName,
    pub source: &'a Source,
    pub live: &'a Live,
    pub facts: &'a Facts,
    pub site: &'a Site,
    /// The id of the key that rolecall signs in with, if the credential shows it.
    pub caller: Option<&'a RemoteId>,
    pub now: Timestamp,
    pub options: &'a PullOptions,
}

/// Writes what is live into the file.
///
/// # Errors
///
/// Returns the findings for which the file as it is can't be planned.
pub fn pull(input: &Pull<'_>) -> Result<Pulled, Vec<Finding>> {
    let Pull { provider, source, live, caller, now, options, .. } = *input;
    let (desired, _) = planned(input, &source.text)?;
    let own_key = caller.or(desired.own_key.as_deref());
    let format = rolecall_providers::format(provider);
    let written = PullInput { source, live, format, own_key, now, options };
    rolecall_config::pull(&written, &|text| planned(input, text))
}

/// Checks and plans a text in the place of the file.
fn planned(input: &Pull<'_>, text: &str) -> Result<(Desired, OrganizationPlan), Vec<Finding>> {
    let source = Source { text: text.to_owned(), ..input.source.clone() };
    let (desired, findings) = check_source(&source, rolecall_providers::format);
    let Some(desired) = desired else { return Err(findings) };
    let planned = plan(&PlanInput {
        desired: &desired,
        live: input.live,
        facts: input.facts,
        rules: rolecall_providers::rules(input.provider),
        site: input.site,
        asserted: &BTreeSet::new(),
        only: None,
        approved: None,
        caller: input.caller,
        now: input.now,
    })?;
    Ok((desired, planned.plan))
}
