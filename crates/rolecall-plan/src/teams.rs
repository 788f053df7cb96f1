//! Plans the creation, update and deletion of teams, and says which teams a user can be a member of.

use std::collections::{BTreeMap, BTreeSet};

use super::PlanInput;
use super::collection::{self, EntryDecision, contents, deletion, removal_cause};
use super::decision::{Decision, Lookup};
use super::gate::{Gate, protected_among};
use super::renames;
use rolecall_model::{
    Address, Allowance, Cause, Code, DesiredTeam, DesiredUser, Effect, Entity, Finding, HoldReason, Kind,
    LiveTeam, Memberships, Place, RoleName, Team, TeamName, list_of, nearest, quote,
};

/// The teams before and after the plan, by name. Empty if the platform has no teams.
#[derive(Default)]
pub(super) struct PlannedTeams(BTreeMap<TeamName, PlannedTeam>);

/// The members of each live team, and those whom an open invitation adds.
type Holders<'a> = BTreeMap<&'a TeamName, BTreeSet<Address>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PlannedTeam {
    Kept,
    /// The plan deletes the team.
    Deleted,
    /// The team doesn't exist, and its creation is held.
    Held,
}

impl PlannedTeams {
    /// Records the state of a team after the plan. `None` leaves it as it was.
    fn set(&mut self, name: &TeamName, state: Option<PlannedTeam>) {
        if let Some(state) = state {
            self.0.insert(name.clone(), state);
        }
    }

    /// Returns the names of the teams that exist after the plan.
    fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter(|(_, planned)| **planned == PlannedTeam::Kept).map(|(name, _)| name.as_str())
    }

    /// Keeps the memberships in teams that exist after the plan.
    pub fn existing_after(&self, mut teams: Memberships) -> Memberships {
        teams.retain(|name, _| self.0.get(name) == Some(&PlannedTeam::Kept));
        teams
    }

    /// Returns the teams that a user is still a member of when their own change runs. Teams that the plan deletes
    /// no longer count. A user who is in every team (`in_every_team`) is also in the teams that the plan creates.
    pub fn memberships_after(&self, mut teams: Memberships, in_every_team: bool) -> Memberships {
        teams.retain(|name, _| self.0.get(name) != Some(&PlannedTeam::Deleted));
        if in_every_team {
            let existing = self.0.iter().filter(|(_, planned)| **planned == PlannedTeam::Kept);
            for (name, _) in existing {
                teams.entry(name.clone()).or_insert(None);
            }
        }
        teams
    }
}

/// Plans all teams.
pub(super) fn plan_teams(input: &PlanInput<'_>, gate: &mut Gate<'_>) -> PlannedTeams {
    let mut planned = PlannedTeams::default();
    let Some(list) = &input.live.teams else { return planned };
    for team in &list.items {
        planned.0.insert(team.name.clone(), PlannedTeam::Kept);
    }
    let incomplete = list.completeness.hold_if_incomplete("teams");
    for row in input.live.unreadable.iter().filter(|row| row.address.kind == Kind::Team) {
        planned.0.insert(TeamName::seen(&*row.address.name), PlannedTeam::Held);
    }
    let mut listed: BTreeSet<&TeamName> = input.desired.teams.iter().map(|desired| &desired.name).collect();
    let (holders, mut deleted) = (holders(input), 0);
    for desired in &input.desired.teams {
        let address = Address::team(&desired.name);
        if let Some(unreadable) = renames::unreadable_team(desired, input.live) {
            if unreadable != address {
                planned.set(&desired.name, Some(PlannedTeam::Held));
            }
            continue;
        }
        let namesakes: Vec<&LiveTeam> = input.live.teams_called(&desired.name).collect();
        let decision = match (input.live.team(&desired.name), &namesakes[..]) {
            (Some(team), _) if desired.absent => delete(input, team, Some(desired), (&holders, deleted)),
            (Some(team), _) => EntryDecision::without_change(update(input, desired, team), None),
            (None, [_, _, ..]) => {
                // The entry means one of them, so none counts as unlisted.
                listed.extend(namesakes.iter().map(|team| &team.name));
                let ambiguous = Decision::Finding(ambiguous(desired, &namesakes));
                EntryDecision::without_change(vec![ambiguous], Some(PlannedTeam::Held))
            }
            (None, _) => match &incomplete {
                Some(reason) => {
                    let hold = Decision::Hold(address.clone(), reason.clone());
                    EntryDecision::without_change(vec![hold], Some(PlannedTeam::Held))
                }
                None if desired.absent => EntryDecision::without_change(Vec::new(), None),
                None => match &renames::teams_to_rename(desired, input.live)[..] {
                    [] => create(desired),
                    several => {
                        let finding = Decision::Finding(cannot_rename(desired, several));
                        EntryDecision::without_change(vec![finding], Some(PlannedTeam::Held))
                    }
                },
            },
        };
        let state = gate.settle(&address, decision);
        deleted += usize::from(state == Some(PlannedTeam::Deleted));
        planned.set(&desired.name, state);
    }
    let scope = input.desired.manage.teams;
    gate.accept(collection::unseen(scope, Kind::Team, incomplete.clone()));
    for team in list.items.iter().filter(|team| !listed.contains(&team.name)) {
        let address = Address::team(&team.name);
        let previous = [&team.name, &team.raw_name];
        let of = previous.into_iter().find_map(|name| renames::renamed_team(name, input.desired));
        let previous = of.map(|of| Decision::Hold(address.clone(), HoldReason::PreviousName { of }));
        let unlisted = || collection::unlisted(scope, &address, false, incomplete.as_ref());
        let decision = match previous.or_else(unlisted) {
            Some(decision) => EntryDecision::without_change(vec![decision], None),
            None => delete(input, team, None, (&holders, deleted)),
        };
        let state = gate.settle(&address, decision);
        deleted += usize::from(state == Some(PlannedTeam::Deleted));
        planned.set(&team.name, state);
    }
    planned
}

/// Returns the holders of all teams.
fn holders<'a>(input: &PlanInput<'a>) -> Holders<'a> {
    let mut holders = Holders::new();
    let members = input.live.users.items.iter().filter(|user| !input.is_in_every_team(&user.roles));
    let members =
        members.map(|user| (&user.email, user.teams.iter().flat_map(BTreeMap::keys).collect::<Vec<_>>()));
    let invited = input.live.invitations().iter();
    let invited = invited.map(|open| (&open.email, open.teams.iter().flatten().collect()));
    for (email, teams) in members.chain(invited) {
        for team in teams {
            holders.entry(team).or_default().insert(Address::user(email));
        }
    }
    holders
}

fn ambiguous(desired: &DesiredTeam, namesakes: &[&LiveTeam]) -> Finding {
    let names: Vec<&str> = namesakes.iter().map(|team| team.name.as_str()).collect();
    Finding::error(
        Code::AmbiguousTeam,
        desired.place.clone(),
        format!("{} live teams have the name {}.", namesakes.len(), quote(desired.name.as_str())),
    )
    .hint(format!("Write {}, or rename one of them in the web app.", list_of(&names, "or")))
}

/// Reports an entry of which several previous names are live.
fn cannot_rename(desired: &DesiredTeam, live: &[&LiveTeam]) -> Finding {
    let names: Vec<&str> = live.iter().map(|team| team.name.as_str()).collect();
    let message =
        format!("Several previous names of the team `{}` are live: {}.", desired.name, list_of(&names, "and"));
    let last = live.iter().rev().find_map(|team| desired.previously.get(&team.name));
    Finding::error(Code::AmbiguousTeam, last.unwrap_or(&desired.place).clone(), message)
        .hint("Under `previously`, keep the name of the team that gets the new name.")
}

fn create(desired: &DesiredTeam) -> EntryDecision<PlannedTeam> {
    let DesiredTeam { place, name, previously: _, description, thumbnail, absent: _ } = desired;
    let (description, thumbnail) = (description.clone(), thumbnail.clone());
    let team = Team { id: None, name: name.clone(), description, thumbnail };
    let change = collection::creation(Address::team(name), Entity::Team(team), Cause::Declared);
    EntryDecision {
        decisions: vec![Decision::change(change, Some(place))],
        made: Some(PlannedTeam::Kept),
        otherwise: Some(PlannedTeam::Held),
    }
}

fn update(input: &PlanInput<'_>, desired: &DesiredTeam, team: &LiveTeam) -> Vec<Decision> {
    let after = Entity::Team(Team {
        id: Some(team.id.clone()),
        name: team.name.clone(),
        description: desired.description.clone().or_else(|| team.description.clone()),
        thumbnail: desired.thumbnail.clone().or_else(|| team.thumbnail.clone()),
    });
    let address = Address::team(&team.name);
    if after == team.entity() && !input.is_asserted(&address) {
        return Vec::new();
    }
    let change = collection::update(address, team.entity(), after, Cause::Declared);
    vec![Decision::change(change, Some(&desired.place))]
}

fn delete(
    input: &PlanInput<'_>,
    team: &LiveTeam,
    desired: Option<&DesiredTeam>,
    (holders, deleted): (&Holders<'_>, usize),
) -> EntryDecision<PlannedTeam> {
    let address = Address::team(&team.name);
    let holders: BTreeSet<Address> = holders.get(&team.name).cloned().unwrap_or_default();
    let mut change = deletion(input, address.clone(), team.entity(), removal_cause(desired.is_some()));
    let protected = protected_among(input, holders.iter().cloned());
    let protects = (!protected.is_empty())
        .then(|| HoldReason::ProtectsHolders { holders: protected, change: Some(Box::new(change.clone())) });
    if let Some(reason) = why_not_deleted(input, team, deleted).or(protects) {
        return EntryDecision::without_change(vec![Decision::Hold(address, reason)], None);
    }
    change.effects.push(Effect::Affects { holders: holders.into_iter().collect() });
    change.effects.extend(contents(input, Some(&team.name)));
    let decisions = vec![Decision::change(change, desired.map(|desired| &desired.place))];
    EntryDecision { decisions, made: Some(PlannedTeam::Deleted), otherwise: None }
}

/// Returns why a team can't be deleted, or `None` if it can. `deleted` is the number of others that the plan deletes.
fn why_not_deleted(input: &PlanInput<'_>, team: &LiveTeam, deleted: usize) -> Option<HoldReason> {
    if input.live.caller.as_ref().and_then(|caller| caller.team.as_ref()) == Some(&team.id) {
        return Some(HoldReason::OwnAccess);
    }
    if input.desired.allowed.contains(&Allowance::DefaultTeamDeletion) {
        return None;
    }
    let is_last = deleted + 1 >= input.live.teams().len();
    (team.default || is_last).then_some(HoldReason::LastTeam { default: team.default })
}

/// Returns the teams that a user should be in, with the role in each, or `None` if nothing is known about teams.
/// `before` are the teams that the user has now. They are kept if the file doesn't mention teams.
pub(super) fn memberships(
    input: &PlanInput<'_>,
    desired: &DesiredUser,
    before: Option<&Memberships>,
    planned: &PlannedTeams,
) -> Lookup<Option<Memberships>> {
    let Some(desired_teams) = &desired.teams else { return Lookup::found(before.cloned()) };
    if let Some(reason) = input.live.teams.as_ref().and_then(|list| list.completeness.hold_if_incomplete("teams"))
    {
        // A user who exists keeps their teams. A user who doesn't exist yet isn't invited.
        let hold = Decision::Hold(Address::user(&desired.email), reason);
        return Lookup { value: before.cloned().map(Some), decisions: vec![hold] };
    }
    let mut teams = Memberships::new();
    let mut decisions = Vec::new();
    for (name, role) in desired_teams {
        match planned.0.get(name) {
            Some(PlannedTeam::Kept) => {}
            Some(PlannedTeam::Held) => {
                let reason = HoldReason::TeamSkipped { team: name.clone() };
                decisions.push(Decision::Hold(Address::user(&desired.email), reason));
            }
            Some(PlannedTeam::Deleted) => {
                let message =
                    format!("{} should be in the team `{name}`, but the file deletes that team.", desired.email);
                decisions.push(Decision::Finding(
                    Finding::error(Code::TeamIsAbsent, role.place.clone(), message)
                        .hint("List the team under `teams`, or remove it from this user."),
                ));
            }
            None => decisions.push(Decision::Finding(unknown(name, &role.place, planned))),
        }
        let current = before.and_then(|before| before.get(name)).cloned();
        let by_default = || default_role(input);
        let role = role.value.as_deref().cloned().or_else(|| current.unwrap_or_else(by_default));
        teams.insert(name.clone(), role);
    }
    Lookup { value: decisions.is_empty().then_some(Some(teams)), decisions }
}

fn unknown(name: &TeamName, place: &Place, planned: &PlannedTeams) -> Finding {
    let known: Vec<&str> = planned.names().collect();
    let hint = match nearest(name.as_str(), known.iter().copied()) {
        Some(near) => format!("Did you mean `{near}`?"),
        None => format!("There are {}. List a new team under `teams`.", list_of(&known, "and")),
    };
    Finding::error(Code::UnknownTeam, place.clone(), format!("There is no team {}.", quote(name.as_str())))
        .hint(hint)
}

/// Returns the role that a team member has by default, or `None` if team roles weren't read.
fn default_role(input: &PlanInput<'_>) -> Option<RoleName> {
    Some(input.live.assignable.as_ref()?.default_in_teams()?.name.clone())
}
