//! The teams of an organisation, and who is in which.

use std::collections::{BTreeMap, BTreeSet};

use super::super::documents::ORGANIZATION;
use super::super::wire::{Count, WireTeam};
use super::{missing, some};
use crate::ReadError;
use rolecall_model::{Email, LiveTeam, Organization, RemoteId, TeamName};

/// Teams by their ids, with what else is told of them.
#[derive(Debug, Default)]
pub(super) struct Teams {
    pub by_id: BTreeMap<RemoteId, LiveTeam>,
    /// How many people the platform says are in each.
    pub counts: BTreeMap<RemoteId, Count>,
    /// Who is in each, where users don't tell.
    pub people: Option<BTreeMap<RemoteId, BTreeSet<Email>>>,
    /// Those that are deleted and listed all the same.
    pub deleted: BTreeSet<RemoteId>,
}

impl Teams {
    /// What the teams of these ids are called here. One that nobody lists is called by its id.
    pub fn names(&self, ids: &BTreeSet<RemoteId>) -> BTreeSet<TeamName> {
        let stays = ids.iter().filter(|id| !self.deleted.contains(*id));
        let named = |id: &RemoteId| {
            self.by_id.get(id).map_or_else(|| TeamName::seen(format!("#{id}")), |team| team.name.clone())
        };
        stays.map(named).collect()
    }
}

/// Is this the team that came with the organisation? It is called after it, "<name>-Default", by the vendor's page on
/// organisations; and keeps its name when the organisation gets another.
fn came_with(organization: &Organization, team: &str) -> bool {
    let words = |text: &str| {
        let lower = text.to_lowercase();
        lower
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let called = |name: &str| words(&format!("{name}-Default")) == words(team);
    called(&organization.name) || organization.slug.as_deref().is_some_and(called)
}

pub(super) fn teams(wire: Vec<Option<WireTeam>>, organization: &Organization) -> Result<Teams, ReadError> {
    let lacks = |index: usize, field: &str| missing(&ORGANIZATION, format!("organization.teams[{index}]{field}"));
    let mut found = Teams::default();
    let mut people: BTreeMap<RemoteId, Option<BTreeSet<Email>>> = BTreeMap::new();
    for (index, team) in wire.into_iter().enumerate() {
        let WireTeam { id, name, description, thumbnail, deleted_at, users_count, users, apps: _ } =
            team.ok_or_else(|| lacks(index, ""))?;
        let id = RemoteId::from(id);
        if deleted_at.is_some() {
            found.deleted.insert(id);
            continue;
        }
        let raw_name = TeamName::seen(some(name).ok_or_else(|| lacks(index, ".name"))?);
        found.counts.extend(users_count.map(|count| (id.clone(), count)));
        let members = users.map(|users| {
            let emails = users.into_iter().flatten().filter_map(|user| user.email);
            emails.map(|email| Email::seen(&email)).collect()
        });
        people.insert(id.clone(), members);
        let default = came_with(organization, raw_name.as_str());
        let (description, thumbnail) = (some(description), some(thumbnail));
        let team = LiveTeam { id: id.clone(), name: raw_name.clone(), raw_name, description, thumbnail, default };
        found.by_id.insert(id, team);
    }
    found.people = people.into_iter().map(|(team, emails)| Some((team, emails?))).collect();
    let mut names: BTreeMap<TeamName, usize> = BTreeMap::new();
    for team in found.by_id.values() {
        *names.entry(team.raw_name.clone()).or_default() += 1;
    }
    for team in found.by_id.values_mut().filter(|team| names[&team.raw_name] > 1) {
        team.name = TeamName::seen(format!("{} ({})", team.raw_name, team.id));
    }
    Ok(found)
}
