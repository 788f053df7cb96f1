//! Plans the creation, update and deletion of teams, and says which teams a user can be a member of.

use std::collections::{BTreeMap, BTreeSet};

use super::PlanInput;
use super::builder::{PlanBuilder, contents, deletion};
use rolecall_model::{
    Action, Address, Cause, Change, Code, DesiredTeam, DesiredUser, Effect, Entity, Finding, HoldReason, Kind,
    LiveTeam, Memberships, Place, Scope, Team, TeamName, list_of, nearest, quote,
};
use rolecall_model::{Allowance, RoleName};

/// The teams before and after the plan, by name. Empty if the platform has no teams.
#[derive(Default)]
pub(super) struct PlannedTeams(BTreeMap<TeamName, PlannedTeam>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PlannedTeam {
    Kept,
    /// The plan deletes the team.
    Deleted,
    /// The team doesn't exist, and its creation is held.
    Held,
}

impl PlannedTeams {
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

pub(super) fn plan_teams(input: &PlanInput<'_>, builder: &mut PlanBuilder<'_>) {
    let Some(list) = &input.live.teams else { return };
    for team in &list.items {
        builder.teams.0.insert(team.name.clone(), PlannedTeam::Kept);
    }
    let incomplete = list.completeness.hold_if_incomplete("teams");
    for row in input.live.unreadable.iter().filter(|row| row.address.kind == Kind::Team) {
        builder.teams.0.insert(TeamName::seen(&*row.address.name), PlannedTeam::Held);
    }
    for desired in &input.desired.teams {
        if input.live.is_unreadable(&Address::team(&desired.name)) {
            continue;
        }
        let namesakes: Vec<&LiveTeam> = list.items.iter().filter(|team| team.raw_name == desired.name).collect();
        match (input.live.team(&desired.name), &namesakes[..]) {
            (Some(team), _) if desired.absent => delete(input, team, Some(desired), builder),
            (Some(team), _) => update(desired, team, builder),
            (None, [_, _, ..]) => builder.findings.push(ambiguous(desired, &namesakes)),
            (None, _) => match &incomplete {
                Some(reason) => {
                    builder.hold(Address::team(&desired.name), reason.clone());
                    builder.teams.0.insert(desired.name.clone(), PlannedTeam::Held);
                }
                None if desired.absent => {}
                None => create(desired, builder),
            },
        }
    }
    if input.desired.manage.teams == Scope::All
        && let Some(reason) = &incomplete
    {
        builder.hold(Address::every(Kind::Team), reason.clone());
    }
    let listed: BTreeSet<&TeamName> = input.desired.teams.iter().map(|desired| &desired.name).collect();
    for team in list.items.iter().filter(|team| !listed.contains(&team.name)) {
        if input.desired.manage.teams == Scope::Listed {
            builder.hold(Address::team(&team.name), HoldReason::Unmanaged { privileged: false, known: None });
        } else if let Some(reason) = &incomplete {
            builder.hold(Address::team(&team.name), reason.clone());
        } else {
            delete(input, team, None, builder);
        }
    }
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

fn create(desired: &DesiredTeam, builder: &mut PlanBuilder<'_>) {
    let DesiredTeam { place, name, description, thumbnail, absent: _ } = desired;
    let (description, thumbnail) = (description.clone(), thumbnail.clone());
    let change = Change {
        address: Address::team(name),
        action: Action::Create,
        before: None,
        after: Some(Entity::Team(Team { id: None, name: name.clone(), description, thumbnail })),
        cause: Cause::Declared,
        effects: Vec::new(),
    };
    let added = builder.change(change, Some(place));
    builder.teams.0.insert(name.clone(), if added { PlannedTeam::Kept } else { PlannedTeam::Held });
}

fn update(desired: &DesiredTeam, team: &LiveTeam, builder: &mut PlanBuilder<'_>) {
    let after = Team {
        id: Some(team.id.clone()),
        name: team.name.clone(),
        description: desired.description.clone().or_else(|| team.description.clone()),
        thumbnail: desired.thumbnail.clone().or_else(|| team.thumbnail.clone()),
    };
    let address = Address::team(&team.name);
    let differs = Entity::Team(after.clone()) != team.entity();
    if !differs && !builder.is_asserted(&address) {
        return;
    }
    let change = Change {
        address,
        action: Action::Update,
        before: Some(team.entity()),
        after: Some(Entity::Team(after)),
        cause: if differs { Cause::Declared } else { Cause::Asserted },
        effects: Vec::new(),
    };
    builder.change(change, Some(&desired.place));
}

fn delete(input: &PlanInput<'_>, team: &LiveTeam, desired: Option<&DesiredTeam>, builder: &mut PlanBuilder<'_>) {
    let address = Address::team(&team.name);
    if let Some(reason) = why_not_deleted(input, team, builder) {
        builder.hold(address, reason);
        return;
    }
    let holders = input.live.users.items.iter().filter(|user| {
        let is_member = user.teams.as_ref().is_some_and(|teams| teams.contains_key(&team.name));
        is_member && !input.is_in_every_team(&user.roles)
    });
    let invited = input.live.invitations().iter().filter(|open| {
        let teams = open.teams.as_ref();
        teams.is_some_and(|teams| teams.contains(&team.name))
    });
    let holders = holders.map(|user| Address::user(&user.email));
    let holders: BTreeSet<Address> = holders.chain(invited.map(|open| Address::user(&open.email))).collect();
    let protected = builder.protected_among(holders.iter().cloned());
    if !protected.is_empty() {
        builder.hold(address, HoldReason::ProtectsHolders { holders: protected });
        return;
    }
    let holders = holders.into_iter().collect();
    let cause = if desired.is_some() { Cause::DeclaredAbsent } else { Cause::NotListed };
    let mut change = deletion(input, address, team.entity(), cause);
    change.effects.push(Effect::Affects { holders });
    change.effects.extend(contents(input, Some(&team.name)));
    if builder.change(change, desired.map(|desired| &desired.place)) {
        builder.teams.0.insert(team.name.clone(), PlannedTeam::Deleted);
    }
}

/// Returns why a team can't be deleted, or `None` if it can.
fn why_not_deleted(input: &PlanInput<'_>, team: &LiveTeam, builder: &PlanBuilder<'_>) -> Option<HoldReason> {
    if input.live.caller.as_ref().and_then(|caller| caller.team.as_ref()) == Some(&team.id) {
        return Some(HoldReason::OwnAccess);
    }
    if input.desired.allowed.contains(&Allowance::DefaultTeamDeletion) {
        return None;
    }
    let is_deleted = |other: &&LiveTeam| builder.teams.0.get(&other.name) == Some(&PlannedTeam::Deleted);
    let remaining = input.live.teams().iter().filter(|other| other.id != team.id && !is_deleted(other)).count();
    (team.default || remaining == 0).then_some(HoldReason::LastTeam { default: team.default })
}

/// The error of memberships that can't be planned. The finding or the hold that says so is already in the plan.
pub(super) struct Reported;

/// Returns the teams that a user should be in, with the role in each, or `None` if nothing is known about teams.
/// `before` are the teams that the user has now. They are kept if the file doesn't mention teams.
pub(super) fn memberships(
    input: &PlanInput<'_>,
    desired: &DesiredUser,
    before: Option<&Memberships>,
    builder: &mut PlanBuilder<'_>,
) -> Result<Option<Memberships>, Reported> {
    let Some(desired_teams) = &desired.teams else { return Ok(before.cloned()) };
    if let Some(reason) = input.live.teams.as_ref().and_then(|list| list.completeness.hold_if_incomplete("teams"))
    {
        builder.hold(Address::user(&desired.email), reason);
        // A user who exists keeps their teams. A user who doesn't exist yet isn't invited.
        return before.cloned().map(Some).ok_or(Reported);
    }
    let mut teams = Memberships::new();
    let mut complete = true;
    for (name, role) in desired_teams {
        match builder.teams.0.get(name) {
            Some(PlannedTeam::Kept) => {}
            Some(PlannedTeam::Held) => {
                builder.hold(Address::user(&desired.email), HoldReason::TeamSkipped { team: name.clone() });
                complete = false;
            }
            Some(PlannedTeam::Deleted) => {
                let message =
                    format!("{} should be in the team `{name}`, but the file deletes that team.", desired.email);
                builder.findings.push(
                    Finding::error(Code::TeamIsAbsent, role.place.clone(), message)
                        .hint("List the team under `teams`, or remove it from this user."),
                );
                complete = false;
            }
            None => {
                builder.findings.push(unknown(name, &role.place, builder));
                complete = false;
            }
        }
        let current = before.and_then(|before| before.get(name)).cloned();
        let by_default = || default_role(input);
        let role = role.value.as_deref().cloned().or_else(|| current.unwrap_or_else(by_default));
        teams.insert(name.clone(), role);
    }
    if complete { Ok(Some(teams)) } else { Err(Reported) }
}

fn unknown(name: &TeamName, place: &Place, builder: &PlanBuilder<'_>) -> Finding {
    let known: Vec<&str> = builder.teams.names().collect();
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
