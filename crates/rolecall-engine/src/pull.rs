//! Writes what is live back into a file and the files that it includes, and proves it: see [`rolecall_config::pull`].

use std::collections::BTreeSet;
use std::path::PathBuf;

use jiff::Timestamp;

use rolecall_config::{
    EditedFile, Loaded, LoadedFile, PullInput, PullOptions, Pulled, Source, Stated, reload, stated,
};
use rolecall_model::{Desired, Facts, Finding, Live, OrganizationPlan, ProviderName, SignIn, Site};
use rolecall_plan::{PlanInput, plan};

/// The input from which a file is pulled.
#[derive(Clone, Copy)]
pub struct Pull<'a> {
    pub provider: ProviderName,
    pub live: &'a Live,
    pub facts: &'a Facts,
    pub site: &'a Site,
    /// The id of the key that rolecall signs in with, if the credential shows it.
    pub caller: Option<&'a SignIn>,
    pub now: Timestamp,
    pub options: &'a PullOptions,
}

/// A file that was pulled.
#[derive(Clone, Debug)]
pub struct PulledText<'a> {
    pub path: PathBuf,
    pub source: &'a Source,
    pub pulled: Pulled,
}

/// Writes what is live into the file, and into the included files that have entries. An entry is changed where it stands.
/// A new one is added to the file itself. It replaces what groups give.
/// `included`: every file that any file includes.
///
/// # Errors
///
/// Returns the findings for which the file as it is can't be planned.
pub fn pull<'f>(
    input: &Pull<'_>,
    file: &'f LoadedFile,
    included: &'f [Source],
) -> Result<Vec<PulledText<'f>>, Vec<Finding>> {
    let Pull { provider, live, caller, now, options, .. } = *input;
    let all = Loaded { files: vec![file.clone()], included: included.to_vec(), ..Loaded::default() };
    let (desired, _) = planned(input, &all, &[])?;
    let own_key = caller.and_then(|caller| caller.key(input.facts)).or(desired.own_key.as_deref());
    let format = rolecall_providers::format(provider);
    let parts = included.iter().filter(|part| file.includes.contains(&part.number) && !part.is_data);
    let parts: Vec<(&Source, Stated)> = parts.map(|part| (part, stated(&part.text))).collect();
    let elsewhere: Stated = parts.iter().flat_map(|(_, stated)| stated).cloned().collect();
    let with_entries = parts.iter().filter(|(_, stated)| !stated.is_empty());
    let parts = with_entries.map(|(part, _)| (PathBuf::from(&*part.name), *part, None));
    let (mut edited, mut results) = (Vec::<EditedFile>::new(), Vec::new());
    for (path, source, elsewhere) in parts.chain([(file.path.clone(), &file.source, Some(&elsewhere))]) {
        let with =
            |text: &str| EditedFile { path: path.clone(), before: source.text.clone(), after: text.to_owned() };
        let written = PullInput { source, live, format, own_key, now, options, elsewhere };
        let pulled =
            rolecall_config::pull(&written, &|text| planned(input, &all, &[&*edited, &[with(text)]].concat()))?;
        if pulled.text != *source.text {
            edited.push(with(&pulled.text));
        }
        results.push(PulledText { path, source, pulled });
    }
    Ok(results)
}

/// Checks and plans the organisation as its files are with these edits.
fn planned(
    input: &Pull<'_>,
    loaded: &Loaded,
    edited: &[EditedFile],
) -> Result<(Desired, OrganizationPlan), Vec<Finding>> {
    let Loaded { files, findings, .. } = reload(loaded, edited, input.now, rolecall_providers::format);
    let Some(desired) = files.into_iter().find_map(|file| file.desired) else { return Err(findings) };
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
