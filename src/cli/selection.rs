//! `--target` and `--exclude`: restrict a plan to some of its changes.

use std::collections::BTreeSet;
use std::str::FromStr;

use clap::Args;

use super::WHICH_CHANGES;
use super::exit::Failure;
use super::offer::{self, Offer};
use crate::report;
use rolecall_model::{Address, Desired, Kind, Pattern, ProviderName, Scope, list_of, quote};
use rolecall_plan::{Selection, Unselectable};

/// Options that choose the changes of a plan.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct Selected {
    /// Plan only this change and what it needs, such as user/jane@acme.example or key/*; repeatable.
    /// If there are several organisations, write PROVIDER:ORGANISATION// in front.
    #[arg(
        long = "target",
        value_name = "ADDRESS",
        value_parser = Offer::<Selector>::new(offer::addresses),
        hide_possible_values = true,
        help_heading = WHICH_CHANGES
    )]
    targets: Vec<Selector>,
    /// Leave this change out; repeatable. It is an error if another change needs it.
    #[arg(
        long = "exclude",
        value_name = "ADDRESS",
        value_parser = Offer::<Selector>::new(offer::addresses),
        hide_possible_values = true,
        help_heading = WHICH_CHANGES
    )]
    excluded: Vec<Selector>,
    /// Plan only what an earlier apply has left to do, such as retiring a key whose successor is delivered, and what ends
    /// by a date. A leftover that needs another change stays.
    #[arg(long, help_heading = WHICH_CHANGES)]
    leftovers: bool,
}

/// A pattern of addresses, and the organisation that it is for. Without an organisation it is for the only one.
#[derive(Clone, Debug)]
pub(super) struct Selector {
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
        let provider = known.ok_or_else(|| format!("`{provider}` is not a provider"))?;
        Ok(Self { organization: Some((*provider, organization.to_owned())), pattern: address.parse()? })
    }
}

impl Selected {
    /// Returns a selection by address.
    pub fn new(targets: Vec<Selector>, excluded: Vec<Selector>) -> Self {
        Self { targets, excluded, leftovers: false }
    }

    /// Checks that each selector names one of these organisations, or none if there is only one organisation.
    pub fn check(&self, all: &[&Desired]) -> Result<(), Failure> {
        let names: Vec<String> =
            all.iter().map(|desired| format!("{}:{}//", desired.provider, *desired.organization)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        for Selector { organization, pattern } in self.targets.iter().chain(&self.excluded) {
            let why = match organization {
                Some(named) if all.iter().any(|desired| is_of(named, desired)) => continue,
                Some((provider, name)) => {
                    format!(
                        "No file describes the organisation {} of the address {pattern}.",
                        quote(&format!("{provider}:{name}"))
                    )
                }
                None if all.len() == 1 => continue,
                None => format!("The address {pattern} doesn't say which organisation it belongs to."),
            };
            return Err(
                Failure::error(why).hint(format!("Write one of these in front: {}.", list_of(&names, "or")))
            );
        }
        Ok(())
    }

    /// Returns the selection for one organisation. `None` if all targets are in other organisations.
    pub fn of(&self, desired: &Desired) -> Option<Selection> {
        let patterns = |selectors: &[Selector]| -> Vec<Pattern> {
            let is_here =
                |selector: &&Selector| selector.organization.as_ref().is_none_or(|named| is_of(named, desired));
            selectors.iter().filter(is_here).map(|selector| selector.pattern.clone()).collect()
        };
        let selection = Selection {
            targets: patterns(&self.targets),
            excluded: patterns(&self.excluded),
            leftovers: self.leftovers,
            unasked: BTreeSet::new(),
        };
        let elsewhere = selection.targets.is_empty() && !self.targets.is_empty();
        (!elsewhere).then_some(selection)
    }
}

fn is_of((provider, organization): &(ProviderName, String), desired: &Desired) -> bool {
    *provider == desired.provider && organization == desired.organization.as_str()
}

/// Returns the error of a selection that does not fit the plan.
pub(super) fn failure(organization: &str, wrong: &[Unselectable]) -> Failure {
    let texts: Vec<String> = wrong
        .iter()
        .map(|wrong| match wrong {
            Unselectable::Unmatched { pattern, nearest } => {
                let near = nearest.as_ref().map(|near| format!(" (did you mean {}?)", report::clean(near)));
                format!("no change has the address {}{}", report::clean(pattern), near.unwrap_or_default())
            }
            Unselectable::Held { address, reason } => {
                let reason = reason.to_string();
                format!("{} is skipped ({})", report::clean(address), report::clean(reason.trim_end_matches('.')))
            }
            Unselectable::DependsOnExcluded { change, excluded } => {
                format!("{} needs {}, which is excluded", report::clean(change), report::clean(excluded))
            }
        })
        .collect();
    Failure::error(format!(
        "The selection doesn't fit the plan of {organization}: {}. Nothing was sent.",
        texts.join("; ")
    ))
    .hint("`rolecall plan` shows all changes. To exclude a change, also exclude what needs it.")
}

/// Returns whether the file manages this entity, because it lists it or manages all entities of its kind.
pub(super) fn manages(desired: &Desired, address: &Address) -> bool {
    let id_free = Address { id: None, ..address.clone() };
    match address.kind {
        Kind::Organization => true,
        Kind::Team => {
            desired.manage.teams == Scope::All
                || desired.teams.iter().any(|team| {
                    let mut names = std::iter::once(&team.name).chain(team.previously.keys());
                    names.any(|name| Address::team(name) == id_free)
                })
        }
        Kind::Role => {
            desired.manage.roles == Scope::All
                || desired.roles.iter().any(|role| {
                    let mut names = std::iter::once(&role.name).chain(role.previously.keys());
                    names.any(|name| Address::role(name) == id_free)
                })
        }
        Kind::User => {
            desired.manage.users == Scope::All
                || desired.users.iter().any(|user| Address::user(&user.email) == id_free)
        }
        Kind::Invitation => {
            desired.manage.users == Scope::All
                || desired.users.iter().any(|user| Address::invitation(&user.email) == id_free)
        }
        Kind::Key => {
            desired.manage.keys == Scope::All || desired.keys.iter().any(|key| Address::key(&key.name) == id_free)
        }
    }
}
