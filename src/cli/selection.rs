//! `--target` and `--exclude`: a part of the plan.

use std::str::FromStr;

use clap::Args;

use super::exit::Failure;
use crate::report;
use rolecall_model::{Desired, Pattern, ProviderName, list_of};
use rolecall_plan::{Selection, Unselectable};

/// Which changes are planned, of those that there are.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct Selected {
    /// Plan this change alone, and what it relies on; such as `user/jane@acme.example` or `key/*`. Of several
    /// organisations `PROVIDER:ORGANISATION//` stands in front. May be repeated.
    #[arg(long = "target", value_name = "ADDRESS")]
    targets: Vec<Selector>,
    /// Leave this change out. Refused where another relies on it. May be repeated.
    #[arg(long = "exclude", value_name = "ADDRESS")]
    excluded: Vec<Selector>,
}

/// An address, and of which organisation.
#[derive(Clone, Debug)]
struct Selector {
    organization: Option<(ProviderName, String)>,
    pattern: Pattern,
}

impl FromStr for Selector {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let prefix = text.split_once("//").and_then(|(prefix, rest)| Some((prefix.split_once(':')?, rest)));
        let Some(((provider, organization), address)) = prefix else {
            return Ok(Self { organization: None, pattern: text.parse()? });
        };
        let known = ProviderName::ALL.iter().find(|known| known.as_str() == provider);
        let provider = known.ok_or_else(|| format!("`{provider}` is no provider"))?;
        Ok(Self { organization: Some((*provider, organization.to_owned())), pattern: address.parse()? })
    }
}

impl Selected {
    /// Each has to name its organisation where there are several, and one that there is.
    pub fn check(&self, desired_users: &[&Desired]) -> Result<(), Failure> {
        let names: Vec<String> = desired_users
            .iter()
            .map(|desired| format!("{}:{}//", desired.provider, *desired.organization))
            .collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        for Selector { organization, pattern } in self.targets.iter().chain(&self.excluded) {
            let known = match organization {
                Some(named) => desired_users.iter().any(|desired| is_of(named, desired)),
                None => desired_users.len() == 1,
            };
            if !known {
                return Err(Failure::error(format!("{pattern}: it isn't said of which organisation"))
                    .hint(format!("put one of these in front: {}", list_of(&names, "or"))));
            }
        }
        Ok(())
    }

    /// What it means for one organisation. None: it has no part in what was asked for.
    pub fn of(&self, desired: &Desired) -> Option<Selection> {
        let patterns = |selectors: &[Selector]| -> Vec<Pattern> {
            let here = |it: &&Selector| it.organization.as_ref().is_none_or(|named| is_of(named, desired));
            selectors.iter().filter(here).map(|it| it.pattern.clone()).collect()
        };
        let selection = Selection { targets: patterns(&self.targets), excluded: patterns(&self.excluded) };
        let elsewhere = selection.targets.is_empty() && !self.targets.is_empty();
        (!elsewhere).then_some(selection)
    }
}

fn is_of((provider, organization): &(ProviderName, String), desired: &Desired) -> bool {
    *provider == desired.provider && organization == desired.organization.as_str()
}

/// Why a part of the plan can't be had.
pub(super) fn failure(organization: &str, wrong: &[Unselectable]) -> Failure {
    let texts: Vec<String> = wrong
        .iter()
        .map(|wrong| match wrong {
            Unselectable::Unmatched(pattern) => format!("no change has the address {}", report::clean(pattern)),
            Unselectable::ReliesOn { change, excluded } => {
                format!("{} relies on {}, which is excluded", report::clean(change), report::clean(excluded))
            }
        })
        .collect();
    Failure::error(format!("{organization}: {}. Nothing was sent", texts.join("; ")))
        .hint("`rolecall plan` shows the changes that there are; exclude what relies on it too")
}
