//! Reads the teams of an organisation.

use std::collections::{BTreeMap, BTreeSet};

use super::super::wire::{Count, WireTeam};
use super::non_empty;
use crate::rows::{Fields, Row, Text, separate};
use rolecall_model::{Kind, LiveTeam, Organization, RemoteId, TeamName, UnreadableRow};

/// The teams of an organisation, and the numbers of their members.
#[derive(Debug, Default)]
pub(super) struct Teams {
    pub by_id: BTreeMap<RemoteId, LiveTeam>,
    /// The number of members of each team, as the platform counts them.
    pub counts: BTreeMap<RemoteId, Count>,
    /// The teams that are still listed although they are deleted.
    pub deleted: BTreeSet<RemoteId>,
}

impl Teams {
    /// Returns the names of the teams with these ids, without deleted ones. A team that isn't listed is named by
    /// its id.
    pub fn names(&self, ids: &BTreeSet<RemoteId>) -> BTreeSet<TeamName> {
        let remaining = ids.iter().filter(|id| !self.deleted.contains(*id));
        let name = |id: &RemoteId| {
            self.by_id.get(id).map_or_else(|| TeamName::seen(format!("#{id}")), |team| team.name.clone())
        };
        remaining.map(name).collect()
    }
}

/// Returns whether the platform created this team together with the organisation. By the vendor's page on
/// organisations it is named "<name>-Default", and it keeps that name when the organisation is renamed.
fn is_default_team(organization: &Organization, team: &str) -> bool {
    let words = |text: &str| {
        let lower = text.to_lowercase();
        lower
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let is_named_after = |name: &str| words(&format!("{name}-Default")) == words(team);
    is_named_after(&organization.name) || organization.slug.as_deref().is_some_and(is_named_after)
}

const TEAM: Fields = Fields { kind: Kind::Team, id: "/id", name: "/name", roles: "" };

/// Converts the teams of an organisation. Teams with the same name get their ids appended.
pub(super) fn teams(
    wire: Vec<Row<WireTeam>>,
    organization: &Organization,
    unreadable: &mut Vec<UnreadableRow>,
) -> Teams {
    let mut found = Teams::default();
    // A deleted team may have lost its name.
    let remaining = wire.into_iter().filter(|row| match row {
        Row::Unread(row, _) => !row["deletedAt"].is_string() && !row["deletedAt"].is_number(),
        Row::Read(_) => true,
    });
    for team in separate(remaining, &TEAM, unreadable) {
        let WireTeam { id, name: Text(name), description, thumbnail, deleted_at, users_count } = team;
        let id = RemoteId::from(id);
        if deleted_at.is_some() {
            found.deleted.insert(id);
            continue;
        }
        let raw_name = TeamName::seen(name);
        found.counts.extend(users_count.map(|count| (id.clone(), count)));
        let default = is_default_team(organization, raw_name.as_str());
        let (description, thumbnail) = (non_empty(description), non_empty(thumbnail));
        let team = LiveTeam {
            id: id.clone(),
            name: raw_name.clone(),
            raw_name,
            renamed_from: None,
            description,
            thumbnail,
            default,
        };
        found.by_id.insert(id, team);
    }
    let mut names: BTreeMap<TeamName, usize> = BTreeMap::new();
    for team in found.by_id.values() {
        *names.entry(team.raw_name.clone()).or_default() += 1;
    }
    for team in found.by_id.values_mut().filter(|team| names[&team.raw_name] > 1) {
        team.name = TeamName::seen(format!("{} ({})", team.raw_name, team.id));
    }
    found
}
